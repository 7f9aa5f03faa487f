//! glexec's side of the agent: whether to ask it, what of its answers counts, and what happens without one.
//!
//! What it says is a verdict and nothing else, as from the verifier's program. Where it does not answer in time, is of
//! another version or speaks nonsense, the program is asked instead, or the call is refused where the site requires it.

use glexec_config::Config;
use glexec_config::agent::{Agent as Settings, Use};
use glexec_core::file_error::FileError;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::verdict::{self, Judged, MAX_VERDICT};
use glexec_sys::asking;
use glexec_sys::dir::{Directory, Writers};
use glexec_sys::identity::undisturbed;
use glexec_sys::time::now;
use nix::unistd::Uid;
use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::fd::BorrowedFd;
use std::path::Path;
use zeroize::Zeroizing;

/// How long the log is spared another line about an agent that does not answer, in seconds.
const QUIET: i64 = 60;
/// Beside its socket: when the log was last told.
const TOLD: &str = "agent.told";

/// The agent of the node.
#[derive(Debug)]
pub struct Agent<'a> {
    settings: &'a Settings,
    /// Whom it runs as.
    user: Uid,
    /// For the log.
    notes: &'a RefCell<Vec<String>>,
}

impl<'a> Agent<'a> {
    /// The agent, where the site uses one; `user` is service_user.
    pub fn of(config: &'a Config, user: Uid, notes: &'a RefCell<Vec<String>>) -> Option<Self> {
        let settings = &config.agent;
        (settings.usage != Use::Never).then_some(Agent { settings, user, notes })
    }

    /// Has each question answered; `None` where the verifier's program has to be asked.
    pub fn judge(
        &self,
        questions: &[Zeroizing<Vec<u8>>],
        given: &[Option<BorrowedFd<'_>>],
    ) -> Outcome<Option<Vec<Outcome<Judged>>>> {
        let unavailable = match self.ask(questions, given) {
            Ok(judged) => return Ok(judged),
            Err(why) => why,
        };
        if self.settings.usage == Use::Required {
            let sentence = "the site requires glexec-agent, which does not answer: the site has to start it";
            return Err(Refusal::new(Reason::AgentUnavailable, sentence).detail(unavailable));
        }
        self.tell(&unavailable);
        Ok(None)
    }

    /// The verdicts; `None` where there is no agent and need not be, an error where there should be one.
    fn ask(
        &self,
        questions: &[Zeroizing<Vec<u8>>],
        given: &[Option<BorrowedFd<'_>>],
    ) -> Result<Option<Vec<Outcome<Judged>>>, String> {
        let socket = self.settings.socket.as_path();
        match asking::check(socket) {
            Ok(()) => {}
            Err(FileError::Missing(_)) if self.settings.usage == Use::IfRunning => return Ok(None),
            Err(error) => return Err(error.to_string()),
        }
        let agent = asking::Agent {
            socket,
            user: self.user,
            deadline: self.settings.timeout.duration(),
            max_answer: MAX_VERDICT,
        };
        let questions: Vec<_> = questions.iter().map(|question| question.as_slice()).collect();
        // A caller that stopped glexec now would keep workers busy that others wait for.
        let answers = undisturbed(|| asking::ask_all(&agent, given, &questions))
            .unwrap_or_else(|| asking::ask_all(&agent, given, &questions))
            .map_err(|why| format!("{}: {why}", socket.display()))?;
        answers.iter().map(|answer| believed(answer)).collect::<Result<_, _>>().map(Some)
    }

    /// Tells the log, once in a while.
    fn tell(&self, why: &str) {
        let directory = self.settings.socket.as_path().parent().unwrap_or(Path::new("/"));
        let directory = Directory::open_trusted(directory, Writers::RootOnly).ok();
        let told = directory.as_ref().and_then(|directory| directory.entry(OsStr::new(TOLD)).ok().flatten());
        let now = now().unwrap_or_default();
        if told.is_some_and(|told| (0..QUIET).contains(&now.saturating_sub(told.modified.0))) {
            return;
        }
        // Where this cannot be noted the next call tells it again.
        let _ = directory.map(|directory| directory.put(OsStr::new(TOLD), b""));
        self.notes.borrow_mut().push(format!(
            "the agent does not answer ({why}); the verifier's program judges instead, which takes longer: look at glexec-agent"
        ));
    }
}

/// What an answer says; an error where it is none that counts.
fn believed(answer: &[u8]) -> Result<Outcome<Judged>, String> {
    match verdict::judged(answer) {
        Err(refusal) if matches!(refusal.reason(), Reason::VerifierFailed | Reason::VerifierVersion) => {
            Err(refusal.for_log())
        }
        judged => Ok(judged),
    }
}
