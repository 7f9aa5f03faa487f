//! `userallow`: people who may run here.
//!
//! One name a line, in the line format of map files; mappings after it mean nothing, so the grid-mapfile itself may be the
//! list. Names may be patterns. A malformed line lets nobody in and is noted.

use super::context::Context;
use crate::files::map_file::{lines, stands_for};
use crate::files::subject::Subject;
use crate::trail::Seen;
use glexec_config::lcmaps::Matching;
use glexec_core::identity::Dn;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::values::AbsolutePath;

/// Refuses a person whom the file does not name.
pub(super) fn judge(path: &AbsolutePath, dn: &Dn, context: &mut Context<'_>) -> Outcome<()> {
    if is_listed(path, &[Subject::mapped(dn)], context)? {
        return Ok(());
    }
    Err(Refusal::new(Reason::LcasUserallow, "you are not on the site's list of users")
        .detail(format!("{} does not have {dn}", path.as_path().display())))
}

/// Whether a line stands for one of the subjects.
pub(super) fn is_listed(path: &AbsolutePath, subjects: &[Subject], context: &mut Context<'_>) -> Outcome<bool> {
    for line in lines(&context.read(path)?) {
        match line {
            Ok(line) if subjects.iter().any(|subject| stands_for(line.name, subject, Matching::Wildcards)) => {
                let says = String::from_utf8_lossy(line.name);
                context.seen.push(Seen::line(path.as_path(), line.number, says));
                return Ok(true);
            }
            Ok(_) => {}
            Err(malformed) => context.seen.push(Seen::passed_over(path.as_path(), malformed)),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circumstances::Circumstances;
    use crate::lcas::tests::{Memory, context};
    use glexec_config::lcas::Plan;
    use std::path::PathBuf;

    #[test]
    fn only_listed_people_pass() {
        let table: &[(&'static [u8], &str, bool)] = &[
            (b"", "/CN=a", false),
            (b"\"/CN=a\"\n", "/CN=a", true),
            (b"\"/CN=a\" someone .pool # comment\n", "/CN=a", true),
            (b"/CN=a\n", "/CN=a", true),
            (b"# \"/CN=a\"\n", "/CN=a", false),
            (b"\"/CN=*\"\n", "/CN=a", true),
            (b"\"/CN=b\"\n", "/CN=*", false),
            (b"\"/CN=A\"\n", "/CN=a", false),
            (b"\"/CN=x\n\"/CN=a\"\n", "/CN=a", true),
            (b"\"/CN=a\n", "/CN=a", false),
            (b"\"/CN=host\\/a\"\n", "/CN=host/a", true),
            (b"\"/CN=host\\/*\"\n", "/CN=host/a", true),
            (b"\"/CN=host\\/*\"\n", "/CN=host/CN=a", false),
            (b"\"/CN=host/CN=a\"\n", "/CN=host\\/CN=a", false),
            (b"\"/CN=host\\/CN=a\"\n", "/CN=host/CN=a", false),
        ];
        let path = PathBuf::from("/list").try_into().unwrap();
        for (file, dn, passes) in table {
            let call = Circumstances::default();
            let (plan, memory) = (Plan::default(), Memory(Some(file)));
            let mut context = context(&plan, &memory, &call);
            let outcome = judge(&path, &(*dn).to_owned().try_into().unwrap(), &mut context);
            let shown = String::from_utf8_lossy(file);
            assert_eq!(outcome.err().map(|r| r.reason()), (!passes).then_some(Reason::LcasUserallow), "{shown}");
            let passed_over = context.seen.iter().any(|seen| matches!(seen, Seen::PassedOver { .. }));
            assert_eq!(passed_over, file.starts_with(b"\"/CN=x\n") || shown == "\"/CN=a\n", "{shown}");
        }
    }
}
