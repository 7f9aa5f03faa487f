//! The credentials of a call judged as glexec has them judged: one by one, and what comes of them put together.

use glexec::verifier::{VerifiedIdentity, together};
use glexec_core::credentials::Credentials;
use glexec_core::question::{Holder, KeyRule};
use glexec_core::reason::Outcome;
use glexec_verify::{Matter, Trust};

/// The contents of proxy files.
#[derive(Debug)]
pub struct Question<'a> {
    pub user: &'a [u8],
    pub source: Option<&'a [u8]>,
    pub pilot: Option<&'a [u8]>,
    pub key: KeyRule,
}

pub fn judge(question: &Question, policy: &Credentials, trust: &Trust, now: i64) -> Outcome<VerifiedIdentity> {
    let files = [
        (Holder::User, question.key, Some(question.user)),
        (Holder::Source, question.key, question.source.filter(|source| *source != question.user)),
        (Holder::Pilot, KeyRule::Required, question.pilot),
    ];
    let files = files.into_iter().filter_map(|(holder, key, file)| Some(Matter { holder, key, file: file? }));
    let verdicts = |knows: &Trust| -> Vec<_> {
        files.clone().map(|matter| (matter.holder, glexec_verify::judge(&matter, policy, knows, now))).collect()
    };
    let first = verdicts(trust);
    // What is known of the files from before, as the agent knows it, changes nothing.
    assert_eq!(verdicts(trust), first);
    together(first.into_iter())
}
