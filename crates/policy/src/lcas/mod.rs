//! Whether the site lets somebody run at all: plug-ins that must all say yes.

mod check_executable;
mod context;
mod exec;
mod gacl;
mod timeslots;
mod userallow;
mod userban;
mod voms;

use crate::circumstances::Circumstances;
use crate::files::ban_file;
use crate::files::map_file::lines;
use crate::trail::{Side, Step, Trail};
use crate::world::World;
use context::Context;
use glexec_config::lcas::{Configured, Format, Plan, Plugin, Whose};
use glexec_core::identity::Identity;
use glexec_core::reason::{Outcome, Reason, Refusal};

/// Whether somebody must be found good by it: a pilot that is nobody passes a ban, but no list of who may.
fn admits(plugin: &Plugin) -> bool {
    matches!(plugin, Plugin::Userallow { .. } | Plugin::Voms { .. } | Plugin::Exec(_))
}

/// Judges the user or the pilot; `who` says which.
fn judge(
    plugin: &Plugin,
    who: &'static str,
    user: &Identity,
    pilot: Option<&Identity>,
    context: &mut Context<'_>,
) -> Outcome<()> {
    let identity = pilot.filter(|_| who == PILOT).unwrap_or(user);
    match plugin {
        Plugin::Userban { file } => userban::judge(file, &identity.subject, context),
        Plugin::Userallow { file } => userallow::judge(file, &identity.subject, context),
        Plugin::Voms { file, format, without } => voms::judge(file, *format, *without, identity, context),
        Plugin::Timeslots { file } => timeslots::judge(file, context),
        Plugin::CheckExecutable { .. } => check_executable::judge(context),
        Plugin::Exec(exec) => exec::judge(exec, who, user, pilot, context),
        Plugin::Site => context.site.permit().map(drop),
    }
}

const USER: &str = "user";
const PILOT: &str = "pilot";
const CALL: &str = "call";

/// Whether a line that cannot be understood is passed over, since it lets nobody in; elsewhere it refuses everybody.
pub fn passes_over(plugin: &Plugin) -> bool {
    matches!(plugin, Plugin::Userallow { .. } | Plugin::Voms { format: Format::Simple, .. })
}

/// What a list of names is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// They may not run.
    Banned,
    /// They may.
    Admitted,
}

/// What the names of a plug-in's list are for, where it has names.
pub fn names(plugin: &Plugin) -> Option<Names> {
    match plugin {
        Plugin::Userban { .. } => Some(Names::Banned),
        Plugin::Userallow { .. } | Plugin::Voms { format: Format::Simple, .. } => Some(Names::Admitted),
        _ => None,
    }
}

/// Why such a list cannot be understood, where it cannot.
pub fn fault(plugin: &Plugin, bytes: &[u8]) -> Option<String> {
    match plugin {
        Plugin::Userban { .. } => ban_file::fault(bytes),
        Plugin::Timeslots { .. } => timeslots::fault(bytes),
        Plugin::Voms { format: Format::Gacl, .. } => gacl::fault(bytes),
        _ => lines(bytes).find_map(Result::err).map(|malformed| malformed.to_string()),
    }
}

/// A user whom every plug-in let pass. Only such a user can be mapped.
#[derive(Clone, Copy, Debug)]
pub struct Authorized<'a> {
    user: &'a Identity,
    pilot: Option<&'a Identity>,
}

impl<'a> Authorized<'a> {
    pub fn user(&self) -> &'a Identity {
        self.user
    }

    /// The pilot, where it has a credential of its own; by its proxy where it has a token as well.
    pub fn pilot(&self) -> Option<&'a Identity> {
        self.pilot
    }
}

/// Runs the plug-ins in order; the first refusal wins. Without plug-ins everybody may run.
///
/// `pilots` is the pilot by each of its own credentials: all are judged, or it would choose by which. Without one it is nobody
/// whom a list could ban; whether it may do without is for `pilot_proxy` and `pilot_token` to say. A plug-in that says who
/// may run refuses it: otherwise a pilot could escape by unsetting X509_USER_PROXY.
pub fn authorize<'a>(
    plan: &Plan,
    user: &'a Identity,
    pilots: &[&'a Identity],
    call: &Circumstances,
    world: &World<'_>,
    trail: &mut Trail,
) -> Outcome<Authorized<'a>> {
    let pilot = pilots.first().copied();
    let mut context =
        Context { plan, files: world.files, call, programs: world.programs, site: world.site, seen: Vec::new() };
    for Configured { plugin, whose } in plan.configured() {
        let of_user = |who| std::iter::once((who, pilot)).collect();
        let mut judged: Vec<(&'static str, Option<&Identity>)> = match whose {
            _ if !plugin.is_personal() => of_user(CALL),
            Whose::User | Whose::Both => of_user(USER),
            Whose::Pilot => Vec::new(),
        };
        if plugin.is_personal() && *whose != Whose::User {
            judged.extend(pilots.iter().map(|pilot| (PILOT, Some(*pilot))));
            judged.extend((pilots.is_empty() && admits(plugin)).then_some((PILOT, None)));
        }
        for (who, pilot) in judged {
            let answer = match (who, pilot) {
                (PILOT, None) => Err(no_pilot()),
                _ => judge(plugin, who, user, pilot, &mut context),
            };
            trail.steps.push(Step {
                side: Side::Authorization,
                plugin: format!("{} on the {who}", plugin.name()),
                seen: std::mem::take(&mut context.seen),
                answer: answer.clone(),
            });
            answer.map_err(|refusal| named(&refusal, plugin, who))?;
        }
    }
    Ok(Authorized { user, pilot })
}

fn no_pilot() -> Refusal {
    let sentence = "this site judges the pilot, too: set X509_USER_PROXY to the pilot's own proxy";
    Refusal::new(Reason::CredentialPilotMissing, sentence)
}

/// Says for the log which plug-in refused whom.
fn named(refusal: &Refusal, plugin: &Plugin, who: &str) -> Refusal {
    let plugin = format!("LCAS plug-in {} on the {who}", plugin.name());
    let text = match refusal.only_for_log() {
        Some(detail) => format!("{plugin}: {detail}"),
        None => plugin,
    };
    Refusal::new(refusal.reason(), refusal.sentence()).detail(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::fake::Fake;
    use crate::files::Files;
    use crate::files::lease_name::LeaseName;
    use crate::leases::{Leases, Pool, Usable};
    use crate::programs::Failed;
    use crate::programs::Programs;
    use crate::site::NoSite;
    use glexec_config::exec::Exec;
    use glexec_config::lcas::WithoutVoms;
    use glexec_core::file_error::FileError;
    use glexec_core::identity::Proof;
    use glexec_core::program::Said;
    use glexec_core::reason::Reason;
    use glexec_core::values::AbsolutePath;
    use std::path::PathBuf;

    pub(super) fn world<'a>(files: &'a dyn Files, programs: &'a dyn Programs) -> World<'a> {
        World { files, programs, accounts: &NOBODY, leases: &NoLeases, site: &NoSite }
    }

    static NOBODY: Fake = Fake { users: Vec::new(), groups: Vec::new(), expired: Vec::new(), broken: false };

    /// Nobody is mapped here.
    struct NoLeases;

    impl Leases for NoLeases {
        fn existing(&self, _: &std::path::Path, _: &Pool, _: &LeaseName) -> Outcome<Option<String>> {
            Err(no_pilot())
        }
        fn look(&self, _: &std::path::Path, _: &Pool, _: &LeaseName, _: &Usable<'_>) -> Outcome<Option<String>> {
            Err(no_pilot())
        }
        fn first_free(&self, _: &std::path::Path, _: &Pool, _: &LeaseName, _: &Usable<'_>) -> Outcome<String> {
            Err(no_pilot())
        }
        fn lease(&self, _: &std::path::Path, _: &Pool, _: &LeaseName, _: &Usable<'_>) -> Outcome<String> {
            Err(no_pilot())
        }
    }

    pub(super) fn context<'a>(plan: &'a Plan, files: &'a dyn Files, call: &'a Circumstances) -> Context<'a> {
        Context { plan, files, call, programs: &NoPrograms, site: &NoSite, seen: Vec::new() }
    }

    pub(super) struct Memory(pub(super) Option<&'static [u8]>);

    /// Answers every question with one status and one text.
    pub(super) struct Answers(pub(super) i32, pub(super) &'static str);

    impl Programs for Answers {
        fn ask(&self, _: &Exec, _: &[u8]) -> Result<Said, Failed> {
            Ok(Said { status: self.0, output: self.1.into(), errors: Vec::new() })
        }
    }

    /// For plug-ins that ask nobody.
    pub(super) struct NoPrograms;

    impl Programs for NoPrograms {
        fn ask(&self, exec: &Exec, _: &[u8]) -> Result<Said, Failed> {
            Err(Failed::Unusable(FileError::Missing(exec.program.as_path().into())))
        }
    }

    impl Files for Memory {
        fn read(&self, path: &AbsolutePath) -> Result<Vec<u8>, FileError> {
            self.0.map(<[u8]>::to_vec).ok_or_else(|| FileError::Missing(path.as_path().into()))
        }
    }

    pub(super) fn who(dn: &str) -> Identity {
        Identity {
            subject: dn.to_owned().try_into().unwrap(),
            proof: Proof::X509 {
                issuer: "/CN=CA".to_owned().try_into().unwrap(),
                serial: "01".to_owned().try_into().unwrap(),
                form: glexec_core::identity::Form::FullProxy,
            },
            not_after: 0,
            fqans: Vec::new(),
        }
    }

    fn plan(subjects: &[Whose]) -> Plan {
        let file: AbsolutePath = PathBuf::from("/ban").try_into().unwrap();
        let userban = |whose: &Whose| Configured { plugin: Plugin::Userban { file: file.clone() }, whose: *whose };
        Plan::new(subjects.iter().map(userban).collect())
    }

    fn reason(plan: &Plan, user: &str, pilot: Option<&str>, file: Option<&'static [u8]>) -> Option<Reason> {
        let pilot = pilot.map(who);
        let call = Circumstances::default();
        let memory = Memory(file);
        let world = world(&memory, &NoPrograms);
        authorize(plan, &who(user), pilot.as_ref().as_slice(), &call, &world, &mut Trail::default())
            .err()
            .map(|refusal| refusal.reason())
    }

    #[test]
    fn each_list_has_its_own_faults() {
        let file: AbsolutePath = PathBuf::from("/list").try_into().unwrap();
        let voms = |format| Plugin::Voms { file: file.clone(), format, without: WithoutVoms::Refused };
        let table = [
            (Plugin::Userban { file: file.clone() }, "\"/CN=a\"\n", "\"CN=a\"\n"),
            (Plugin::Userallow { file: file.clone() }, "\"/CN=a\"\n", "\"/CN=a\n"),
            (voms(Format::Simple), "\"/vo\"\n", "\"/vo\n"),
            (voms(Format::Gacl), "<gacl></gacl>", "\"/vo\"\n"),
            (Plugin::Timeslots { file: file.clone() }, "* * * * * *\n", "* * * * *\n"),
        ];
        for (plugin, good, bad) in table {
            assert_eq!(plugin.file(), Some(&file));
            assert_eq!(fault(&plugin, good.as_bytes()), None, "{plugin:?}");
            let told = fault(&plugin, bad.as_bytes()).unwrap();
            assert!(told.contains(' '), "{plugin:?}: {told}");
        }
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
    fn a_list_of_who_may_run_refuses_a_pilot_that_is_nobody() {
        let file: AbsolutePath = PathBuf::from("/list").try_into().unwrap();
        let all: Option<&'static [u8]> = Some(b"\"/*\"\n\"/CN=a\"\n");
        let exec = Exec { program: file.clone(), arguments: vec![], timeout: std::time::Duration::from_secs(1) };
        let plugins = [
            Plugin::Userallow { file: file.clone() },
            Plugin::Voms { file, format: Format::Simple, without: WithoutVoms::Refused },
            Plugin::Exec(exec),
        ];
        let fqans = vec!["/vo".to_owned().try_into().unwrap()];
        let user = Identity { fqans, ..who("/CN=a") };
        let call = Circumstances::default();
        for plugin in plugins {
            for whose in [Whose::User, Whose::Pilot, Whose::Both] {
                let plan = Plan::new(vec![Configured { plugin: plugin.clone(), whose }]);
                let judge = |pilot: &[&Identity]| {
                    let programs = &Answers(0, "");
                    let memory = Memory(all);
                    let world = world(&memory, programs);
                    authorize(&plan, &user, pilot, &call, &world, &mut Trail::default())
                        .err()
                        .map(|refusal| refusal.reason())
                };
                assert_eq!(judge(&[&user]), None, "{plan:?}");
                let expected = (whose != Whose::User).then_some(Reason::CredentialPilotMissing);
                assert_eq!(judge(&[]), expected, "{plan:?}");
            }
        }
    }

    #[test]
    fn a_missing_file_refuses_and_the_log_names_plugin_and_person() {
        let call = Circumstances::default();
        let memory = Memory(None);
        let world = world(&memory, &NoPrograms);
        let plan = plan(&[Whose::User]);
        let user = who("/CN=a");
        let refusal = authorize(&plan, &user, &[], &call, &world, &mut Trail::default()).unwrap_err();
        assert_eq!(refusal.reason(), Reason::LcasFileMissing);
        assert!(refusal.for_log().contains("LCAS plug-in userban on the user"), "{}", refusal.for_log());
        assert!(!refusal.sentence().contains("/ban"));
    }

    #[test]
    fn plugins_that_judge_the_call_run_whatever_the_subject() {
        let commands = vec![PathBuf::from("/bin/id").try_into().unwrap()];
        for whose in [Whose::User, Whose::Pilot, Whose::Both] {
            let plugin = Plugin::CheckExecutable { commands: commands.clone() };
            let plan = Plan::new(vec![Configured { plugin, whose }]);
            let (user, call) =
                (who("/CN=a"), Circumstances { command: Some("/bin/sh".into()), ..Circumstances::default() });
            let memory = Memory(None);
            let world = world(&memory, &NoPrograms);
            let refusal = authorize(&plan, &user, &[], &call, &world, &mut Trail::default()).unwrap_err();
            assert_eq!(refusal.reason(), Reason::LcasCheckExecutable, "{whose:?}");
        }
    }

    #[test]
    fn a_program_decides_and_its_failure_is_never_a_permit() {
        let exec = Exec {
            program: PathBuf::from("/opt/decide").try_into().unwrap(),
            arguments: Vec::new(),
            timeout: std::time::Duration::from_secs(1),
        };
        let plan = Plan::new(vec![Configured { plugin: Plugin::Exec(exec), whose: Whose::User }]);
        let (user, call) = (who("/CN=a"), Circumstances::default());
        let ask = |programs: &dyn Programs| {
            let memory = Memory(None);
            let world = world(&memory, programs);
            authorize(&plan, &user, &[], &call, &world, &mut Trail::default()).map(|_| ())
        };
        assert_eq!(ask(&Answers(0, "")), Ok(()));
        let table = [
            (1, "", Reason::LcasExecDenied),
            (0, r#"{"decision":"deny","message":"secret"}"#, Reason::LcasExecDenied),
            (0, r#"{"account":"a"}"#, Reason::LcasExecFailed),
            (0, "yes", Reason::LcasExecFailed),
            (2, "", Reason::LcasExecFailed),
        ];
        for (status, output, reason) in table {
            let refusal = ask(&Answers(status, output)).unwrap_err();
            assert_eq!(refusal.reason(), reason, "{status} {output}");
            assert!(!refusal.sentence().contains("secret"));
            assert_eq!(refusal.for_log().contains("secret"), output.contains("secret"));
        }
        let told = ask(&Answers(1, r#"{"decision":"deny","tell_caller":"come on Monday"}"#)).unwrap_err();
        assert_eq!(told.sentence(), "come on Monday");
        assert_eq!(ask(&NoPrograms).unwrap_err().reason(), Reason::LcasFileMissing);
    }
}
