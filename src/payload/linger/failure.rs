//! What supervising refuses where the system does.

use glexec_core::reason::{Reason, Refusal};
use nix::errno::Errno;

/// The refusal where a step did not work, before anything was run.
pub fn failed(what: &'static str) -> impl Fn(Errno) -> Refusal {
    move |errno| {
        let sentence = "the system refused what supervising a payload needs; nothing was run";
        Refusal::new(Reason::SystemFailed, sentence).detail(format!("{what}: {errno}"))
    }
}
