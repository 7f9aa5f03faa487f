//! `exec`: a program of the site's names the account and the groups.
//!
//! They are looked up and checked as if a map file had named them.

use super::context::{Context, Gathered, Who, file_refusal, no_mapping};
use crate::accounts;
use crate::programs::{self, Answer, Failed, Names, Question};
use glexec_config::exec::Exec;
use glexec_config::lcmaps::Mode;
use glexec_config::lcmaps::gids::{AccountGids, Own};
use glexec_core::reason::{Outcome, Reason, Refusal};

pub(super) fn run(exec: &Exec, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
    let mode = match context.mode {
        Mode::GetAccount => "get_account",
        Mode::VerifyAccount => "verify_account",
    };
    let question = Question::new(("lcmaps", mode), context.identity, context.pilot, context.call);
    match programs::ask(exec, &question, context.programs) {
        Ok(Answer::Permit(names)) => gather(&names, context, gathered),
        Ok(Answer::Deny { message, tell_caller }) => {
            let sentence = tell_caller.unwrap_or_else(|| no_mapping().sentence().to_owned());
            Err(Refusal::new(Reason::LcmapsExecDenied, sentence).detail(exec.about(&message)))
        }
        Err(Failed::Unusable(error)) => Err(file_refusal(&error)),
        Err(Failed::NoAnswer(error)) => Err(failed(&exec.about(&error.to_string()))),
        Err(Failed::Nonsense(why)) => Err(failed(&why)),
    }
}

/// The account with all its groups; or, where groups are named, with those and no others.
pub(super) fn gather(names: &Names, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
    let group = |name: &String| accounts::group(context.accounts, name, context.limits);
    let own_groups = if names.group.is_none() && names.groups.is_none() { Own::Used } else { Own::LeftOut };
    if let Some(name) = &names.group {
        gathered.primary = Some(group(name)?);
    }
    for name in names.groups.iter().flatten() {
        gathered.secondary.push(group(name)?);
    }
    let Some(name) = &names.account else { return Ok(()) };
    let primary = if gathered.primary.is_some() { Own::LeftOut } else { Own::Used };
    let gids = AccountGids { primary, primary_as_secondary: Own::LeftOut, groups: own_groups };
    gathered.choose(Who::Local(accounts::account(context.accounts, name, context.limits)?), gids)
}

fn failed(why: &str) -> Refusal {
    Refusal::new(Reason::LcmapsExecFailed, "a plug-in of the site's account mapping did not work").detail(why)
}
