//! `check_executable`: the commands that may be run here.
//!
//! Judged is the path that will be executed, as it is written: a link that leads to a listed command is another path,
//! and whoever may change a link could change it after the look. A command without `/` means the first file of the
//! search path that is listed: the others are passed over when the command is looked for with the account's eyes
//! ([`glexec_config::lcas::Plan::lets_run`]), so that nobody is mapped for nothing. Where no command is run there is
//! nothing to judge.

use super::context::Context;
use crate::command::candidates;
use glexec_core::escape::in_sentence;
use glexec_core::reason::{Outcome, Reason, Refusal};

/// Refuses a command that can only be something that is not listed.
pub(super) fn judge(context: &Context<'_>) -> Outcome<()> {
    let Some(command) = &context.call.command else { return Ok(()) };
    let possible = candidates(command, &context.call.path, context.call.cwd.as_deref());
    match possible.iter().any(|path| context.plan.lets_run(path)) {
        true => Ok(()),
        false => {
            let shown = in_sentence(command);
            Err(Refusal::new(
                Reason::LcasCheckExecutable,
                format!("{shown}: the site does not let this command be run"),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circumstances::Circumstances;
    use crate::lcas::tests::{Memory, context};
    use glexec_config::lcas::{Configured, Plan, Plugin, Whose};
    use glexec_core::values::AbsolutePath;
    use std::path::{Path, PathBuf};

    fn plan(lists: &[&[&str]]) -> Plan {
        let path = |path: &&str| -> AbsolutePath { PathBuf::from(path).try_into().unwrap() };
        let plugin = |list: &&[&str]| Plugin::CheckExecutable { commands: list.iter().map(path).collect() };
        Plan::new(lists.iter().map(|list| Configured { plugin: plugin(list), whose: Whose::User }).collect())
    }

    fn passes(plan: &Plan, command: Option<&str>) -> bool {
        let cwd = Some(PathBuf::from("/opt"));
        let call = Circumstances { command: command.map(Into::into), cwd, ..Circumstances::default() };
        judge(&context(plan, &Memory(None), &call)).is_ok()
    }

    #[test]
    fn the_path_that_is_executed_must_be_listed() {
        let plan = plan(&[&["/usr/bin/id", "/opt/x"]]);
        let table = [
            (Some("/usr/bin/id"), true),
            (Some("/usr//bin/./id"), true),
            (Some("/bin/id"), false),
            (Some("/usr/bin/../bin/id"), false),
            (Some("id"), true), // in the search path
            (Some("x"), false),
            (Some("./x"), true), // below /opt
            (Some("../opt/x"), false),
            (Some(""), false),
            (None, true),
        ];
        for (command, expected) in table {
            assert_eq!(passes(&plan, command), expected, "{command:?}");
        }
        assert!(plan.lets_run(Path::new("/usr/bin/id")) && !plan.lets_run(Path::new("/bin/id")));
    }

    #[test]
    fn a_command_must_be_on_every_list() {
        let plan = plan(&[&["/usr/bin/id", "/bin/id"], &["/usr/bin/id", "/bin/sh"]]);
        assert!(passes(&plan, Some("/usr/bin/id")) && passes(&plan, Some("id")));
        assert!(!passes(&plan, Some("/bin/id")) && !passes(&plan, Some("sh")));
        // One list has a file of this name, the other list has another one.
        assert!(!passes(&self::plan(&[&["/usr/bin/id"], &["/bin/id"]]), Some("id")));
    }
}
