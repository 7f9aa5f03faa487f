//! glexec's side of the site's mapping service: the question goes to the node's part of it over a socket, and nothing of the
//! answer counts but names that are looked up here, and only for whom the verifier has found.

use crate::verifier::VerifiedIdentity;
use glexec_config::Config;
use glexec_config::lcmaps::Mode;
use glexec_core::identity::Identity;
use glexec_core::reason::{Class, Outcome, Reason, Refusal, Retry};
use glexec_core::site::{self, Answer, Asked, Denial, MAX_REPLY, Permit, Person, Reply, SOCKET_SUFFIX, VERSION};
use glexec_policy::site::Site;
use glexec_sys::asking;
use glexec_sys::identity::undisturbed;
use nix::unistd::Uid;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The service, as one call asks it: once, however many plug-ins want the answer.
pub struct AtNode<'a> {
    socket: PathBuf,
    /// Whom the node's part runs as.
    user: Uid,
    /// How long the call waits.
    timeout: Duration,
    verified: &'a VerifiedIdentity,
    mode: Mode,
    answer: OnceCell<Outcome<Permit>>,
}

impl<'a> AtNode<'a> {
    /// The service; `None` where the site has none. `user` is service_user.
    pub fn of(config: &Config, user: Uid, verified: &'a VerifiedIdentity, mode: Mode) -> Option<Self> {
        let timeout = config.site.as_ref()?.timeout.duration();
        let socket = socket(config.agent.socket.as_path());
        Some(AtNode { socket, user, timeout, verified, mode, answer: OnceCell::new() })
    }

    fn ask(&self) -> Outcome<Permit> {
        let asked = asked(self.verified, self.mode)?;
        let question = serde_json::to_vec(&asked).map_err(|error| unavailable(&error.to_string()))?;
        asking::check(&self.socket).map_err(|error| unavailable(&format!("{error}: is glexec-agent running?")))?;
        let agent =
            asking::Agent { socket: &self.socket, user: self.user, deadline: self.timeout, max_answer: MAX_REPLY };
        // A caller that stopped glexec now would keep a place that others wait for.
        let answers = undisturbed(|| asking::ask_all(&agent, &[], &[&question]))
            .unwrap_or_else(|| asking::ask_all(&agent, &[], &[&question]))
            .map_err(|why| unavailable(&format!("{}: {why}", self.socket.display())))?;
        let reply = answers.first().map_or_else(|| Err("no answer".to_owned()), |answer| Reply::read(answer));
        match reply.map_err(|why| unavailable(&format!("{}: {why}", self.socket.display())))? {
            Reply::Unavailable(why) => Err(unavailable(&why)),
            Reply::Answered(Answer::Deny(denial)) => Err(denied(&denial)),
            Reply::Answered(Answer::Permit(permit)) => believed(permit, &self.verified.user),
        }
    }
}

impl Site for AtNode<'_> {
    fn permit(&self) -> Outcome<Permit> {
        self.answer.get_or_init(|| self.ask()).clone()
    }
}

/// The socket of the node's part, beside the agent's.
pub fn socket(agent: &Path) -> PathBuf {
    let mut path = agent.as_os_str().to_owned();
    path.push(SOCKET_SUFFIX);
    path.into()
}

/// The question on a call.
fn asked(verified: &VerifiedIdentity, mode: Mode) -> Outcome<Asked> {
    let person = |identity: &Identity, certificates: &[String]| Person {
        identity: identity.clone(),
        certificates: certificates.to_vec(),
    };
    let certified = &verified.certificates;
    if certified.user.is_empty() {
        let sentence = "this site maps people by their certificates, and a token has none: use a proxy";
        return Err(Refusal::new(Reason::SiteDenied, sentence));
    }
    Ok(Asked {
        version: VERSION,
        user: person(&verified.user, &certified.user),
        pilot: verified.pilot.as_ref().map(|pilot| person(pilot, &certified.pilot)),
        mode: match mode {
            Mode::GetAccount => site::Mode::GetAccount,
            Mode::VerifyAccount => site::Mode::VerifyAccount,
        },
    })
}

/// An answer counts for the user that it is about and for nobody else.
fn believed(permit: Permit, user: &Identity) -> Outcome<Permit> {
    match permit.subject == user.subject && Some(&permit.issuer) == user.issuer() {
        true => Ok(permit),
        false => Err(unavailable(&format!("the answer is about {} of {}", permit.subject, permit.issuer))),
    }
}

fn unavailable(why: &str) -> Refusal {
    Refusal::new(Reason::SiteUnavailable, "the site's mapping service cannot be asked now").detail(why)
}

/// What the service refuses. That there is no account, or none left, is said as if the node had looked itself.
fn denied(denial: &Denial) -> Refusal {
    let reason = Reason::from_code(&denial.code).unwrap_or(Reason::SiteDenied);
    let said = format!("the site's mapping service says {}: {}", denial.code, denial.sentence);
    match reason {
        Reason::LcmapsNoMapping | Reason::LcmapsNoLease | Reason::LcmapsPoolExhausted => {
            Refusal::new(reason, denial.sentence.clone()).detail(said)
        }
        _ if reason.class() == Class::System || reason.retry() == Retry::MayHelp => unavailable(&said),
        _ => Refusal::new(Reason::SiteDenied, denial.sentence.clone()).detail(said),
    }
}
