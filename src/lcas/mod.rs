//! Whether the site lets somebody run at all: plug-ins that must all say yes.

#![forbid(unsafe_code)]

mod userban;

use crate::config::values::AbsolutePath;
use crate::credential::identity::Identity;
use crate::lcmaps::map_file::{Files, SiteFiles};
use crate::reason::{Outcome, Refusal};
use serde::Deserialize;

/// Whose identity a plug-in judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Whose {
    /// The user's, whom the payload belongs to.
    User,
    /// The pilot's, where it has a proxy of its own.
    Pilot,
    /// Both.
    Both,
}

/// A plug-in with its checked options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plugin {
    /// A list of banned people.
    Userban {
        /// The ban file.
        file: AbsolutePath,
        /// Who is looked for in it.
        whose: Whose,
    },
}

impl Plugin {
    fn name(&self) -> &'static str {
        match self {
            Plugin::Userban { .. } => "userban",
        }
    }

    fn whose(&self) -> Whose {
        match self {
            Plugin::Userban { whose, .. } => *whose,
        }
    }

    fn judge(&self, identity: &Identity, files: &dyn Files) -> Outcome<()> {
        match self {
            Plugin::Userban { file, .. } => userban::judge(file, &identity.subject, files),
        }
    }
}

/// What the configuration says about authorization, checked when it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    plugins: Vec<Plugin>,
}

impl Plan {
    /// A plan that runs the plug-ins in this order.
    pub fn new(plugins: Vec<Plugin>) -> Self {
        Plan { plugins }
    }
}

/// A user whom every plug-in let pass. Only such a user can be mapped.
#[derive(Clone, Copy, Debug)]
pub struct Authorized<'a>(&'a Identity);

impl<'a> Authorized<'a> {
    /// The user.
    pub fn user(self) -> &'a Identity {
        self.0
    }
}

/// Runs the plug-ins in order; the first refusal wins. Without plug-ins everybody may run.
///
/// A pilot without a proxy of its own is nobody that a plug-in could judge; whether it may do without is for
/// `pilot_proxy` to say.
pub fn authorize<'a>(plan: &Plan, user: &'a Identity, pilot: Option<&Identity>) -> Outcome<Authorized<'a>> {
    authorize_with(plan, user, pilot, &SiteFiles).map(|()| Authorized(user))
}

fn authorize_with(plan: &Plan, user: &Identity, pilot: Option<&Identity>, files: &dyn Files) -> Outcome<()> {
    for plugin in &plan.plugins {
        let (user, pilot) = match plugin.whose() {
            Whose::User => (Some(user), None),
            Whose::Pilot => (None, pilot),
            Whose::Both => (Some(user), pilot),
        };
        for (identity, who) in [(user, "user"), (pilot, "pilot")] {
            let Some(identity) = identity else { continue };
            plugin.judge(identity, files).map_err(|refusal| named(&refusal, plugin, who))?;
        }
    }
    Ok(())
}

/// Says for the log which plug-in refused whom.
fn named(refusal: &Refusal, plugin: &Plugin, who: &str) -> Refusal {
    let text = format!("LCAS plug-in {} on the {who}: {}", plugin.name(), refusal.for_log());
    Refusal::new(refusal.reason(), refusal.sentence()).detail(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Reason;
    use crate::sys::dir::FileError;
    use std::path::PathBuf;

    struct Memory(Option<&'static [u8]>);

    impl Files for Memory {
        fn read(&self, path: &AbsolutePath) -> Result<Vec<u8>, FileError> {
            self.0.map(<[u8]>::to_vec).ok_or_else(|| FileError::Missing(path.as_path().into()))
        }
    }

    fn who(dn: &str) -> Identity {
        Identity {
            subject: dn.to_owned().try_into().unwrap(),
            issuer: "/CN=CA".to_owned().try_into().unwrap(),
            serial: "01".to_owned().try_into().unwrap(),
            form: crate::credential::identity::Form::FullProxy,
            not_after: 0,
            fqans: Vec::new(),
        }
    }

    fn plan(subjects: &[Whose]) -> Plan {
        let file: AbsolutePath = PathBuf::from("/ban").try_into().unwrap();
        Plan::new(subjects.iter().map(|whose| Plugin::Userban { file: file.clone(), whose: *whose }).collect())
    }

    fn reason(plan: &Plan, user: &str, pilot: Option<&str>, file: Option<&'static [u8]>) -> Option<Reason> {
        let pilot = pilot.map(who);
        authorize_with(plan, &who(user), pilot.as_ref(), &Memory(file)).err().map(|refusal| refusal.reason())
    }

    #[test]
    fn no_plugins_mean_yes() {
        assert_eq!(reason(&plan(&[]), "/CN=a", None, None), None);
    }

    #[test]
    fn each_plugin_judges_whom_it_should() {
        let ban: Option<&'static [u8]> = Some(b"\"/CN=bad\"\n");
        let table = [
            (Whose::User, "/CN=bad", "/CN=ok", true),
            (Whose::User, "/CN=ok", "/CN=bad", false),
            (Whose::Pilot, "/CN=ok", "/CN=bad", true),
            (Whose::Pilot, "/CN=bad", "/CN=ok", false),
            (Whose::Both, "/CN=ok", "/CN=bad", true),
            (Whose::Both, "/CN=bad", "/CN=ok", true),
            (Whose::Both, "/CN=ok", "/CN=ok", false),
        ];
        for (whose, user, pilot, refused) in table {
            let got = reason(&plan(&[whose]), user, Some(pilot), ban);
            assert_eq!(got, refused.then_some(Reason::LcasUserban), "{whose:?} {user} {pilot}");
        }
        assert_eq!(reason(&plan(&[Whose::Pilot]), "/CN=bad", None, ban), None);
        assert_eq!(reason(&plan(&[Whose::Pilot, Whose::User]), "/CN=bad", None, ban), Some(Reason::LcasUserban));
    }

    #[test]
    fn a_missing_file_refuses_and_the_log_names_plugin_and_person() {
        let refusal = authorize_with(&plan(&[Whose::User]), &who("/CN=a"), None, &Memory(None)).unwrap_err();
        assert_eq!(refusal.reason(), Reason::LcasFileMissing);
        assert!(refusal.for_log().contains("LCAS plug-in userban on the user"), "{}", refusal.for_log());
        assert!(!refusal.sentence().contains("/ban"));
    }
}
