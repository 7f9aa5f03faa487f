//! From a question's bytes to a verdict's.

use crate::describe::describe;
use crate::judge::{Matter, judge};
use crate::token::algorithm::Algorithm;
use crate::token::claims::Use;
use crate::token::files::Files;
use crate::token::{self, Rules, keys};
use crate::trust::ahead::Ahead;
use crate::trust::{self, Trust};
use crate::voms;
use crate::whose::whose;
use crate::x509::pem;
use glexec_core::question::{self, Asked, Certificates, Holder, MAX_QUESTION, NoQuestion, Owner, Question};
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::surveyed::Surveyed;
use glexec_core::tokens::Tokens;
use glexec_core::verdict::{Judged, Refused, encode, failed, of_other_version};
use glexec_sys::dir::Directory;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use zeroize::Zeroizing;

/// The directories that the process was given, in their order: for certificates the CA directory and the vomsdir, for tokens
/// the issuers' and those with keys; what else there is, is only to be readable.
pub type Given = Vec<Option<OwnedFd>>;

/// How long nearly every question is at most, in bytes.
const USUAL: usize = 32 * 1024;

/// Reads a question to its end. It holds a private key, and is wiped when it is let go.
pub fn read(from: impl Read) -> Result<Zeroizing<Vec<u8>>, String> {
    let most = MAX_QUESTION.saturating_add(1);
    let limit = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    let mut from = from.take(limit(most));
    let mut read = |into: &mut Vec<u8>, much: usize| {
        from.by_ref().take(limit(much)).read_to_end(into).map_err(|error| format!("reading: {error}"))
    };
    // To wipe room that was never used takes longer than to judge. No buffer grows: that would leave a copy of the key.
    let mut bytes = Zeroizing::new(Vec::with_capacity(USUAL));
    read(&mut bytes, USUAL)?;
    if bytes.len() == USUAL {
        let mut all = Zeroizing::new(Vec::with_capacity(most));
        all.extend_from_slice(&bytes);
        read(&mut all, most)?;
        bytes = all;
    }
    match bytes.len() > MAX_QUESTION {
        true => Err("the question is too long".to_owned()),
        false => Ok(bytes),
    }
}

/// Answers a question.
/// `ahead` is what is known from before.
pub fn answer(bytes: &[u8], given: Given, ahead: Option<Rc<Ahead>>) -> Vec<u8> {
    let (question, file) = match question::decode(bytes) {
        Ok(asked) => asked,
        Err(NoQuestion::Version(other)) => return encode::<()>(Err(of_other_version(other))),
        Err(malformed) => return encode::<()>(Err(failed(&malformed.to_string()))),
    };
    let Question { asked, settings, .. } = &question;
    match asked {
        Asked::Judge { holder, key, certificates } => encode(trusted(&question, given, ahead).and_then(|trust| {
            let mut judged = judge(&Matter { file, holder: *holder, key: *key }, settings, &trust, question.now)?;
            if *certificates == Certificates::With {
                judged.certificates = of_file(file, settings.max_chain)?;
            }
            Ok(judged)
        })),
        Asked::JudgeToken { holder, tokens } => {
            encode(files(tokens, given).and_then(|files| judge_token(file, *holder, tokens, &files, question.now)))
        }
        Asked::WhoseToken { subject } => encode(Ok(match token::named(file) {
            None => Owner::Nobody,
            Some(named) if named == *subject => Owner::Same,
            Some(_) => Owner::Other,
        })),
        Asked::Whose { subject, issuer } => encode(Ok(whose(file, settings.max_chain, subject, issuer))),
        Asked::SurveyTokens { tokens } => encode(files(tokens, given).and_then(|files| token::survey::survey(&files))),
        Asked::JudgeKeySet { algorithms } => encode(judge_key_set(file, algorithms)),
        Asked::Describe => encode(Ok(describe(file, settings.max_chain))),
        Asked::Survey { later } => {
            encode(trusted(&question, given, ahead).and_then(|trust| survey(&question, &trust, *later)))
        }
        Asked::Agent => encode(ahead.map(|ahead| ahead.state()).ok_or_else(|| failed("it is no agent"))),
    }
}

/// The certificates of a file and nothing else of it.
fn of_file(file: &[u8], max_chain: usize) -> Outcome<Vec<String>> {
    Ok(pem::read(file, max_chain)?.certificates.iter().map(|der| pem::encode(der)).collect())
}

/// The trust directories, under the names that the site gave them.
fn trusted(question: &Question, given: Given, ahead: Option<Rc<Ahead>>) -> Outcome<Trust> {
    let Question { settings, host, .. } = question;
    let mut given = given.into_iter();
    let cas = given.next().flatten().ok_or_else(|| failed("the CA directory was not handed over"))?;
    let voms = given.next().flatten().map(|voms| Directory::at(voms, settings.vomsdir.as_path()));
    Ok(Trust { cas: Directory::at(cas, settings.certdir.as_path()), voms, host: host.clone(), ahead })
}

/// The directories for tokens, likewise.
fn files(tokens: &Tokens, given: Given) -> Outcome<Files> {
    let mut given = given.into_iter();
    let issuers = given.next().flatten().ok_or_else(|| failed("the directory of issuers was not handed over"))?;
    let jwks = tokens.jwks.paths().iter().zip(given);
    Ok(Files {
        issuers: Directory::at(issuers, tokens.issuers.as_path()),
        jwks: jwks.filter_map(|(path, given)| Some(Directory::at(given?, path.as_path()))).collect(),
    })
}

fn judge_token(file: &[u8], holder: Holder, tokens: &Tokens, files: &Files, now: i64) -> Outcome<Judged> {
    let (purpose, what) = match holder {
        Holder::User => (Use::Identity, None),
        Holder::Source => (Use::Copy, Some("the source token")),
        Holder::Pilot => (Use::Identity, Some("the pilot's token")),
    };
    let identity = token::judge(file, purpose, files, &Rules::of(tokens), now).map_err(|refusal| match what {
        Some(what) => refusal.about(what),
        None => refusal,
    })?;
    Ok(Judged { identity, notes: Vec::new(), certificates: Vec::new() })
}

fn judge_key_set(set: &[u8], algorithms: &[String]) -> Outcome<usize> {
    let algorithms: Vec<Algorithm> = algorithms.iter().filter_map(|name| Algorithm::named(name)).collect();
    keys::judge_set(set, &algorithms).map_err(|why| {
        Refusal::new(Reason::TokenKeysMalformed, "the keys that the issuer publishes cannot be used").detail(why)
    })
}

fn survey(question: &Question, trust: &Trust, later: i64) -> Outcome<Surveyed> {
    let cas = |time| trust::survey::survey(trust, &question.settings, time);
    let vos = trust.voms.as_ref().map(|vomsdir| voms::survey::survey(vomsdir).map_err(|why| Refused::from(&why)));
    Ok(Surveyed { today: cas(question.now)?, later: cas(later)?, vos })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_of_every_length_are_read_whole_and_longer_ones_refused() {
        for length in [0, 1, USUAL - 1, USUAL, USUAL + 1, MAX_QUESTION - 1, MAX_QUESTION] {
            let question: Vec<u8> = (0..length).map(|n| n.to_le_bytes()[0]).collect();
            assert_eq!(*read(question.as_slice()).unwrap(), question, "{length}");
        }
        assert!(read(std::io::repeat(7)).is_err());
    }
}
