//! A whole call without its effects, as `glexec-admin explain` decides it.

use super::finding::{Finding, State};
use crate::explain::{Myself, Verdict, Wanted, explain};
use crate::mend;
use glexec::invocation::environment::Client;
use glexec_core::reason::Reason;
use glexec_sys::start::Inherited;
use std::path::PathBuf;

/// What a call with this proxy would come to.
pub fn check(proxy: PathBuf, caller: Option<String>, inherited: &Inherited) -> Finding {
    let subject = format!("a call with {}", proxy.display());
    let wanted = Wanted {
        config: None,
        caller,
        client: Client::Proxy(proxy),
        pilot_proxy: None,
        mode: "lcmaps_get_account".into(),
        command: Vec::new(),
        cwd: inherited.cwd.clone(),
    };
    let myself = Myself { uid: inherited.uid, gid: inherited.gid, groups: inherited.groups.clone() };
    let mend = if inherited.uid.is_root() { "correct what it says, or the options" } else { "run it as root" };
    let unknown = |why: String| Finding::bad(State::Unknown, subject.clone(), why, mend);
    match explain(&wanted, &myself) {
        Err(why) => unknown(why),
        Ok(explanation) => match explanation.verdict {
            Verdict::Open { why } => unknown(why),
            Verdict::Permitted => {
                let account = explanation.target.map(|target| target.account).unwrap_or_default();
                Finding::ok(subject, format!("would run as {account}"))
            }
            Verdict::Refused { code, sentence, detail, .. } => {
                let says = detail.map_or(sentence.clone(), |detail| format!("{sentence}: {detail}"));
                let mend = Reason::from_code(code).map(|reason| mend::mend(reason).to_owned());
                Finding { state: State::Critical, subject, says, reason: Some(code.to_owned()), mend, gauge: None }
            }
        },
    }
}
