//! A server of the service: whether it works, and how many questions it is asked at once.

use crate::argus;
use glexec_core::identity::Identity;
use glexec_core::site::Answer;
use glexec_site_client::client::Client;
use glexec_site_client::wire::Question;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// How many questions one server is asked at once; each has a connection of its own.
const AT_ONCE: usize = 4;
/// How long a server is left alone after its first failure, and at most.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(10);

/// How a server does.
#[derive(Debug, Default)]
struct Health {
    failures: u32,
    /// Until when it is left alone.
    until: Option<Instant>,
}

/// How a server is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// As the site's mapping service.
    Own,
    /// As a PEP of Argus, at this path.
    Argus(String),
}

/// A server.
pub struct Upstream {
    name: String,
    client: Client,
    speaks: Speaks,
    places: Semaphore,
    health: Mutex<Health>,
}

/// A part of a time, of so many.
pub fn part(whole: Duration, of: u32) -> Duration {
    whole.checked_div(of).unwrap_or(whole)
}

/// A random part of a time.
pub fn random(most: Duration) -> Duration {
    // Without random numbers everybody waits equally long: that is no harm.
    let part = glexec_sys::random::<2>().map_or(u16::MAX / 2, u16::from_ne_bytes);
    most.saturating_mul(u32::from(part)).checked_div(u32::from(u16::MAX)).unwrap_or(most)
}

impl Upstream {
    /// A server that nothing is known of yet.
    pub fn new(name: &str, client: Client, speaks: Speaks) -> Self {
        let client = if speaks == Speaks::Own { client } else { client.sending(argus::CONTENT) };
        Upstream { name: name.to_owned(), client, speaks, places: Semaphore::new(AT_ONCE), health: Mutex::default() }
    }

    /// Its address.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has a list of bans.
    pub fn has_bans(&self) -> bool {
        self.speaks == Speaks::Own
    }

    /// Whether it may be asked now.
    pub fn is_well(&self) -> bool {
        let health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.until.is_none_or(|until| Instant::now() >= until)
    }

    fn note(&self, works: bool) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if works {
            *health = Health::default();
            return;
        }
        let wait = FIRST.saturating_mul(1_u32.checked_shl(health.failures).unwrap_or(u32::MAX)).min(LONGEST);
        health.failures = health.failures.saturating_add(1).min(16);
        // Half of it is chance, so that nodes that lost it at once do not come back at once.
        let half = part(wait, 2);
        health.until = Instant::now().checked_add(half.saturating_add(random(half)));
    }

    /// Asks for a mapping.
    pub async fn ask(&self, question: &Question, user: &Identity, patience: Duration) -> Result<Answer, String> {
        let asked = async {
            let _place = self.places.acquire().await.map_err(|_| "it is given up".to_owned())?;
            match &self.speaks {
                Speaks::Own => self.client.map(question).await.map_err(|why| why.to_string()),
                Speaks::Argus(path) => {
                    let body = argus::question(question)?;
                    let (_, said) = self.client.post(path, body.into()).await.map_err(|why| why.to_string())?;
                    argus::answer(&said, user)
                }
            }
        };
        let answered = match tokio::time::timeout(patience, asked).await {
            Ok(answered) => answered,
            Err(_) => Err(format!("{}: no answer within {patience:?}", self.name)),
        };
        self.note(answered.is_ok());
        answered
    }

    /// An answer that counts for nothing: the server is left alone for a while.
    pub fn distrust(&self) {
        self.note(false);
    }

    /// Fetches something.
    pub async fn fetch(&self, path: &str, patience: Duration) -> Result<Vec<u8>, String> {
        match self.client.get(path, patience).await {
            Ok((_, body)) => {
                self.note(true);
                Ok(body.to_vec())
            }
            Err(why) => Err(why.to_string()),
        }
    }
}
