//! From a question's bytes to a verdict's.

use crate::describe::describe;
use crate::judge::{Matter, judge};
use crate::trust::ahead::Ahead;
use crate::trust::{self, Trust};
use crate::voms;
use crate::whose::whose;
use glexec_core::question::{self, Asked, NoQuestion, Question};
use glexec_core::reason::Outcome;
use glexec_core::surveyed::Surveyed;
use glexec_core::verdict::{Refused, encode, failed, of_other_version};
use glexec_sys::dir::Directory;
use std::os::fd::OwnedFd;
use std::rc::Rc;

/// The trust directories that the process was given.
#[derive(Debug, Default)]
pub struct Given {
    /// The CA directory.
    pub cas: Option<OwnedFd>,
    /// The vomsdir.
    pub voms: Option<OwnedFd>,
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
        Asked::Judge { holder, key } => encode(
            trusted(&question, given, ahead)
                .and_then(|trust| judge(&Matter { file, holder: *holder, key: *key }, settings, &trust, question.now)),
        ),
        Asked::Whose { subject, issuer } => encode(Ok(whose(file, settings.max_chain, subject, issuer))),
        Asked::Describe => encode(Ok(describe(file, settings.max_chain))),
        Asked::Survey { later } => {
            encode(trusted(&question, given, ahead).and_then(|trust| survey(&question, &trust, *later)))
        }
    }
}

/// The trust directories, under the names that the site gave them.
fn trusted(question: &Question, given: Given, ahead: Option<Rc<Ahead>>) -> Outcome<Trust> {
    let Question { settings, host, .. } = question;
    let cas = given.cas.ok_or_else(|| failed("the CA directory was not handed over"))?;
    let voms = given.voms.map(|voms| Directory::at(voms, settings.vomsdir.as_path()));
    Ok(Trust { cas: Directory::at(cas, settings.certdir.as_path()), voms, host: host.clone(), ahead })
}

fn survey(question: &Question, trust: &Trust, later: i64) -> Outcome<Surveyed> {
    let cas = |time| trust::survey::survey(trust, &question.settings, time);
    let vos = trust.voms.as_ref().map(|vomsdir| voms::survey::survey(vomsdir).map_err(|why| Refused::from(&why)));
    Ok(Surveyed { today: cas(question.now)?, later: cas(later)?, vos })
}
