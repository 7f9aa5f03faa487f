//! Who is banned: the service's list, followed on every server, and written down for calls that run already.

use crate::record::{Complaint, tell};
use crate::upstream::Upstream;
use glexec_core::site::{Asked, Person};
use glexec_policy::bans::{BANS, List};
use glexec_sys::time::now;
use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long a server may think before it says that there is nothing new, and how long its answer may take.
const NEWS: Duration = Duration::from_secs(35);
/// How long after an answer the next question comes where there is something wrong with it.
const PAUSE: Duration = Duration::from_secs(5);
/// How long after a loss a server is asked again, at most: ten thousand nodes must not come at once. Sooner where no
/// other server tells of bans.
const SPREAD: Duration = Duration::from_secs(30);
const ALONE: Duration = Duration::from_secs(6);

/// The list as it is known.
#[derive(Clone, Debug)]
struct Known {
    list: Arc<List>,
    confirmed: Instant,
}

pub struct Bans {
    known: watch::Sender<Option<Known>>,
    /// Where monitors of running calls read it.
    file: Option<Arc<Mutex<File>>>,
    oldest: Duration,
    /// How many servers are listened to.
    listening: watch::Sender<usize>,
    old: Complaint,
}

/// What the bans say of a question.
pub enum Said {
    /// Nobody of it is banned, by the list of this version.
    Nothing(u64),
    /// Somebody is.
    Banned,
    /// Nobody knows.
    Unknown(String),
}

impl Bans {
    /// Knows nothing yet. A list counts for so long.
    pub fn new(oldest: Duration, file: Option<Arc<Mutex<File>>>) -> Self {
        let (known, listening) = (watch::Sender::new(None), watch::Sender::new(0));
        Bans { known, file, oldest, listening, old: Complaint::default() }
    }

    /// Whether somebody is banned; waits for the first list as long as nothing is known.
    pub async fn say(&self, asked: &Asked, patience: Duration) -> Said {
        let mut hears = self.known.subscribe();
        let known = tokio::time::timeout(patience, hears.wait_for(Option::is_some)).await;
        let Some(known) = known.ok().and_then(Result::ok).and_then(|known| (*known).clone()) else {
            return Said::Unknown("no server has given the list of bans yet".to_owned());
        };
        let age = known.confirmed.elapsed();
        if age > self.oldest {
            let why = format!("no server has confirmed the list of bans for {} seconds", age.as_secs());
            return Said::Unknown(why);
        }
        let Ok(now) = now() else { return Said::Unknown("the time is not known".to_owned()) };
        let is_banned = |person: &Person| known.list.of(&person.identity, now).is_some();
        match [Some(&asked.user), asked.pilot.as_ref()].into_iter().flatten().any(is_banned) {
            true => Said::Banned,
            false => Said::Nothing(known.list.version),
        }
    }

    /// Takes a list; false where it is older than what is known.
    fn take(&self, list: List) -> bool {
        let confirmed = Instant::now();
        let mut is_news = false;
        let mut is_old = false;
        self.known.send_if_modified(|known| {
            match known {
                Some(known) if list.version < known.list.version => is_old = true,
                Some(known) if list.version == known.list.version => known.confirmed = confirmed,
                known => {
                    *known = Some(Known { list: Arc::new(list), confirmed });
                    is_news = true;
                }
            }
            is_news
        });
        if is_news {
            self.write();
        }
        !is_old
    }

    fn write(&self) {
        let known = self.known.borrow().clone();
        let (Some(known), Some(file)) = (known, &self.file) else { return };
        let text = serde_json::to_vec(&*known.list).unwrap_or_default();
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        // A reader that finds half of it reads it again.
        if let Err(error) = file.set_len(0).and_then(|()| file.write_all(&text)) {
            tell(&format!("the list of bans cannot be written for calls that run: {error}"));
        }
        tell(&format!("version {} of the bans, {} of them", known.list.version, known.list.bans.len()));
    }

    /// The version that is known.
    fn version(&self) -> Option<u64> {
        self.known.borrow().as_ref().map(|known| known.list.version)
    }

    /// Waits until a list of this version or a newer one is known.
    pub async fn knows(&self, version: u64) {
        let is_known = |known: &Option<Known>| known.as_ref().is_some_and(|known| known.list.version >= version);
        // The other end lives as long as this.
        let _ = self.known.subscribe().wait_for(is_known).await;
    }

    /// Follows the list on one server, for ever.
    pub async fn follow(&self, upstream: &Upstream) {
        let failing = Complaint::default();
        let mut listens = false;
        loop {
            let path = self.version().map_or_else(|| BANS.to_owned(), |version| format!("{BANS}?after={version}"));
            let heard =
                upstream.fetch(&path, NEWS).await.and_then(|body| List::read(&body)).map(|list| self.take(list));
            if heard.is_ok() != listens {
                listens = heard.is_ok();
                let change = |count: &mut usize| {
                    *count = if listens { count.saturating_add(1) } else { count.saturating_sub(1) };
                };
                self.listening.send_modify(change);
            }
            let pause = match heard {
                Ok(true) => {
                    failing.is_over();
                    Duration::ZERO
                }
                Ok(false) => {
                    let text = format!(
                        "{}: an older list of bans than one that was seen: is it an old copy?",
                        upstream.name()
                    );
                    failing.tell(&text);
                    PAUSE
                }
                Err(why) => {
                    failing.tell(&format!("{}: the list of bans: {why}", upstream.name()));
                    let alone = *self.listening.borrow() == 0;
                    crate::upstream::random(if alone { ALONE } else { SPREAD })
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Says once in a while that the list is too old.
    pub fn complain(&self, why: &str) {
        self.old.tell(why);
    }
}
