//! `exec`: a program of the site's decides.

use super::context::{Context, file_refusal};
use crate::programs::{self, Answer, Failed, Names, Question};
use glexec_config::exec::Exec;
use glexec_core::identity::Identity;
use glexec_core::reason::{Outcome, Reason, Refusal};

/// Refuses whom the program refuses; `who` is judged.
pub(super) fn judge(
    exec: &Exec,
    who: &'static str,
    user: &Identity,
    pilot: Option<&Identity>,
    context: &Context<'_>,
) -> Outcome<()> {
    let question = Question::new(("lcas", who), user, pilot, context.call);
    match programs::ask(exec, &question, context.programs) {
        Ok(Answer::Permit(names)) if names == Names::default() => Ok(()),
        Ok(Answer::Permit(_)) => Err(failed(&exec.about("an account is nothing that an LCAS plug-in gives"))),
        Ok(Answer::Deny { message, tell_caller }) => {
            let sentence = tell_caller.unwrap_or_else(|| "the site does not let you run here".to_owned());
            Err(Refusal::new(Reason::LcasExecDenied, sentence).detail(exec.about(&message)))
        }
        Err(Failed::Unusable(error)) => Err(file_refusal(&error)),
        Err(Failed::NoAnswer(error)) => Err(failed(&exec.about(&error.to_string()))),
        Err(Failed::Nonsense(why)) => Err(failed(&why)),
    }
}

fn failed(why: &str) -> Refusal {
    Refusal::new(Reason::LcasExecFailed, "a plug-in of the site's authorization did not work").detail(why)
}
