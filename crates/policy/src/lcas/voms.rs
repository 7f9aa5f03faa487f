//! `voms`: VOMS attributes that may run here.

use super::context::{Context, malformed};
use super::gacl;
use super::userallow::is_listed;
use crate::files::subject::Subject;
use glexec_config::lcas::{Format, WithoutVoms};
use glexec_core::identity::Identity;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::values::AbsolutePath;

/// Refuses a person of whose VOMS attributes the list has none; one without any passes by name where that is enough.
pub(super) fn judge(
    path: &AbsolutePath,
    format: Format,
    without: WithoutVoms,
    identity: &Identity,
    context: &mut Context<'_>,
) -> Outcome<()> {
    let permitted = match format {
        Format::Simple => {
            let subjects: Vec<Subject> = match without {
                WithoutVoms::ByName if identity.fqans.is_empty() => vec![Subject::mapped(&identity.subject)],
                _ => identity.fqans.iter().map(Subject::fqan).collect(),
            };
            is_listed(path, &subjects, context)?
        }
        Format::Gacl => gacl::permits(&context.read(path)?, identity).map_err(|why| malformed(path, &why))?,
    };
    if permitted {
        return Ok(());
    }
    let fqans: Vec<&str> = identity.fqans.iter().map(|fqan| fqan.as_str()).collect();
    let (sentence, lacks) = match (without, fqans.as_slice()) {
        (WithoutVoms::ByName, []) => {
            let sentence = "your proxy carries no VOMS attributes, and your name is not on the site's list";
            (sentence, format!("does not have {}", identity.subject))
        }
        (WithoutVoms::Refused, []) => {
            ("your proxy carries no VOMS attributes, which the site requires", "has none of []".into())
        }
        (_, fqans) => ("none of your VOMS attributes may run here", format!("has none of [{}]", fqans.join(", "))),
    };
    let detail = format!("{} {lacks}", path.as_path().display());
    Err(Refusal::new(Reason::LcasVoms, sentence).detail(detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circumstances::Circumstances;
    use crate::lcas::tests::{Memory, context, who};
    use glexec_config::lcas::Plan;
    use std::path::PathBuf;

    #[test]
    fn one_listed_attribute_is_enough() {
        let list: &'static [u8] = b"/CN=a\n\"/vo/Role=pilot/*\"\n\"/other/*\" .mapping\n/short\n";
        let gacl: &'static [u8] =
            b"<gacl><entry><voms-cred><vo>vo</vo></voms-cred><allow><read/></allow></entry></gacl>";
        let table = [
            (Format::Simple, list, &["/vo/Role=pilot"][..], None),
            (Format::Simple, list, &["/vo/Role=NULL", "/vo/Role=pilot"], None),
            (Format::Simple, list, &["/vo/Role=NULL"], Some(Reason::LcasVoms)),
            (Format::Simple, list, &["/short/Role=NULL"], Some(Reason::LcasVoms)),
            (Format::Simple, list, &[], Some(Reason::LcasVoms)),
            (Format::Gacl, gacl, &["/vo/Role=NULL"], None),
            (Format::Gacl, gacl, &["/other/Role=NULL"], Some(Reason::LcasVoms)),
            (Format::Gacl, gacl, &[], Some(Reason::LcasVoms)),
            (Format::Gacl, list, &["/vo/Role=pilot"], Some(Reason::LcasFileMalformed)),
        ];
        let path = PathBuf::from("/list").try_into().unwrap();
        for (format, file, fqans, expected) in table {
            let fqans = fqans.iter().map(|fqan| format!("{fqan}/Capability=NULL").try_into().unwrap()).collect();
            let (identity, call) = (Identity { fqans, ..who("/CN=a") }, Circumstances::default());
            let (plan, memory) = (Plan::default(), Memory(Some(file)));
            let mut context = context(&plan, &memory, &call);
            let outcome = judge(&path, format, WithoutVoms::Refused, &identity, &mut context);
            assert_eq!(outcome.err().map(|r| r.reason()), expected, "{format:?} {:?}", identity.fqans);
        }
    }

    #[test]
    fn by_name_passes_only_who_has_no_attributes() {
        let list: &'static [u8] = b"\"/CN=a\" .mapping\n\"/vo/*\"\n";
        let table = [
            ("/CN=a", &[][..], None),
            ("/CN=b", &[], Some(Reason::LcasVoms)),
            ("/CN=b", &["/vo/Role=NULL/Capability=NULL"], None),
            ("/CN=a", &["/other/Role=NULL/Capability=NULL"], Some(Reason::LcasVoms)),
        ];
        let path = PathBuf::from("/list").try_into().unwrap();
        for (name, fqans, expected) in table {
            let fqans = fqans.iter().map(|fqan| (*fqan).to_owned().try_into().unwrap()).collect();
            let (identity, call) = (Identity { fqans, ..who(name) }, Circumstances::default());
            let (plan, memory) = (Plan::default(), Memory(Some(list)));
            let mut context = context(&plan, &memory, &call);
            let outcome = judge(&path, Format::Simple, WithoutVoms::ByName, &identity, &mut context);
            assert_eq!(outcome.err().map(|r| r.reason()), expected, "{name} {:?}", identity.fqans);
        }
    }
}
