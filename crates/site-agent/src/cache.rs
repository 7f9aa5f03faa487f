//! What the service has answered, and what is being asked: one question upstream, however many calls wait for its
//! answer.

use glexec_core::identity::{Identity, Proof};
use glexec_core::site::{Answer, Asked, Mode};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Most answers that are kept: far more than a node has users.
const MAX_ENTRIES: usize = 10_000;
/// How long a refusal counts at most: what the site fixes counts soon.
const DENIED: Duration = Duration::from_secs(30);

/// What came of a question.
pub type Outcome = Result<Answer, String>;
/// Where those who wait hear of it.
pub type Hears = watch::Receiver<Option<Outcome>>;
pub type Tells = watch::Sender<Option<Outcome>>;

/// What an answer depends on: who the user and the pilot are, by whatever proxy, and whether a lease may be made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// The key of a question.
    pub fn of(asked: &Asked) -> Self {
        let mut text = match asked.mode {
            Mode::GetAccount => "get\n".to_owned(),
            Mode::VerifyAccount => "verify\n".to_owned(),
        };
        for person in [Some(&asked.user), asked.pilot.as_ref()] {
            person.iter().for_each(|person| write(&person.identity, &mut text));
            text.push('\n');
        }
        Key(text)
    }
}

/// No name has a line feed, and each is on a line of its own.
fn write(identity: &Identity, text: &mut String) {
    let mut line = |value: &str| {
        text.push_str(value);
        text.push('\n');
    };
    line(identity.subject.as_str());
    match &identity.proof {
        Proof::X509 { issuer, serial, form } => {
            line(issuer.as_str());
            line(serial.as_str());
            line(&format!("{form:?}"));
        }
        Proof::Token(token) => line(&format!("{token:?}")),
    }
    identity.fqans.iter().for_each(|fqan| line(fqan.as_str()));
}

/// An answer that is kept.
struct Kept {
    answer: Answer,
    /// Until when it counts.
    fresh: Instant,
    /// Until when it counts where nobody can be asked.
    stale: Instant,
    /// The version of the bans that it was given under: a ban that is lifted lets people in at once.
    bans: u64,
}

#[derive(Default)]
struct Entry {
    kept: Option<Kept>,
    flight: Option<Hears>,
    used: Option<Instant>,
}

/// What there is for a question.
pub enum Found {
    Answer(Answer),
    /// Somebody asks already.
    Asked(Hears),
    /// The thread that has found this has to ask.
    Ask(Tells, Hears),
}

/// The answers.
#[derive(Default)]
pub struct Cache(Mutex<HashMap<Key, Entry>>);

impl Cache {
    fn entries(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for an answer that counts.
    pub fn look(&self, key: &Key, bans: u64) -> Found {
        let mut entries = self.entries();
        if entries.len() >= MAX_ENTRIES && !entries.contains_key(key) {
            forget_some(&mut entries);
        }
        let now = Instant::now();
        let entry = entries.entry(key.clone()).or_default();
        entry.used = Some(now);
        let counts = |kept: &&Kept| now < kept.fresh && (matches!(kept.answer, Answer::Permit(_)) || kept.bans == bans);
        if let Some(kept) = entry.kept.as_ref().filter(counts) {
            return Found::Answer(kept.answer.clone());
        }
        if let Some(flight) = &entry.flight {
            return Found::Asked(flight.clone());
        }
        let (tells, hears) = watch::channel(None);
        entry.flight = Some(hears.clone());
        Found::Ask(tells, hears)
    }

    /// Keeps what came of a question.
    pub fn keep(&self, key: &Key, outcome: &Outcome, fresh: Duration, stale: Duration, bans: u64) {
        let mut entries = self.entries();
        let entry = entries.entry(key.clone()).or_default();
        entry.flight = None;
        let Ok(answer) = outcome else { return };
        let fresh = if matches!(answer, Answer::Deny(_)) { fresh.min(DENIED) } else { fresh };
        let now = Instant::now();
        // What cannot be added is beyond all times of a configuration.
        let (fresh, stale) = (now.checked_add(fresh).unwrap_or(now), now.checked_add(stale).unwrap_or(now));
        entry.kept = Some(Kept { answer: answer.clone(), fresh, stale, bans });
    }

    /// The answer of before, where it may be used while nobody can be asked: an account that was given.
    pub fn stale(&self, key: &Key) -> Option<Answer> {
        let entries = self.entries();
        let kept = entries.get(key)?.kept.as_ref()?;
        let counts = matches!(kept.answer, Answer::Permit(_)) && Instant::now() < kept.stale;
        counts.then(|| kept.answer.clone())
    }
}

/// Makes room: the older half of what nobody waits for goes.
fn forget_some(entries: &mut HashMap<Key, Entry>) {
    let mut used: Vec<Option<Instant>> = entries.values().map(|entry| entry.used).collect();
    used.sort_unstable();
    let middle = used.get(used.len() / 2).copied().flatten();
    entries.retain(|_, entry| entry.flight.is_some() || entry.used > middle);
}
