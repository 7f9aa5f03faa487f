//! Answering a call: who is banned, what is known, who is asked, and what counts while nobody can be.

use crate::bans::{Bans, Said};
use crate::cache::{Cache, Found, Key, Outcome, Tells};
use crate::record::Complaint;
use crate::upstream::{Speaks, Upstream, part, random};
use glexec_config::site::{Site, Url};
use glexec_core::credentials::Credentials;
use glexec_core::identity::Identity;
use glexec_core::reason::{Class, Reason};
use glexec_core::site::{Answer, Asked, Denial, Reply};
use glexec_site_client::certificates::Chain;
use glexec_site_client::client::{Client, Server};
use glexec_site_client::peer::Rules;
use glexec_site_client::tls::{self, Own};
use glexec_site_client::wire::{self, Question};
use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Most questions that wait for servers: more is more than they can answer in time.
const MAX_FLIGHTS: usize = 256;

/// The node's part of the service, with one configuration.
pub struct Node {
    core: Arc<Core>,
    followers: Vec<JoinHandle<()>>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.followers.iter().for_each(JoinHandle::abort);
    }
}

struct Core {
    site: Site,
    upstreams: Vec<Arc<Upstream>>,
    /// Which server is asked first, so that nodes share them.
    first: usize,
    cache: Cache,
    bans: Bans,
    flights: AtomicUsize,
    away: Complaint,
}

impl Node {
    /// Begins to follow the bans, at once. To be called in the runtime.
    pub fn start(
        site: &Site,
        credentials: &Credentials,
        own: Own,
        bans: Option<Arc<Mutex<File>>>,
    ) -> Result<Self, String> {
        let rules = Arc::new(Rules::new(credentials, &credentials.certdir));
        // Argus is written in a Java of its time.
        let versions = if site.argus.is_empty() { tls::Speaks::Tls13 } else { tls::Speaks::Tls12 };
        let tls = tls::client(own, rules, versions).map_err(|error| error.to_string())?;
        let servers = site.servers.iter().map(|url| (url, Speaks::Own));
        let argus = site.argus.iter().map(|url| (url.server(), Speaks::Argus(url.path().to_owned())));
        let upstream = |(url, speaks): (&Url, Speaks)| -> Result<Arc<Upstream>, String> {
            let server = Server::try_from(url.as_str().to_owned())?;
            let client = Client::new(tls.clone(), vec![server], site.timeout.duration());
            Ok(Arc::new(Upstream::new(url.as_str(), client, speaks)))
        };
        let upstreams = servers.chain(argus).map(upstream).collect::<Result<Vec<_>, _>>()?;
        let first = glexec_sys::random::<2>().map_or(0, |bytes| usize::from(u16::from_ne_bytes(bytes)));
        let core = Arc::new(Core {
            bans: Bans::new(site.bans_older_than.duration(), bans),
            site: site.clone(),
            upstreams,
            first,
            cache: Cache::default(),
            flights: AtomicUsize::new(0),
            away: Complaint::default(),
        });
        let follow = |upstream: &Arc<Upstream>| {
            let (core, upstream) = (Arc::clone(&core), Arc::clone(upstream));
            tokio::spawn(async move { core.bans.follow(&upstream).await })
        };
        // An Argus has no list.
        let followers = core.upstreams.iter().filter(|upstream| upstream.has_bans()).map(follow).collect();
        Ok(Node { core, followers })
    }

    /// Waits until a list of bans of this version or a newer one is known here.
    pub async fn knows_bans(&self, version: u64) {
        self.core.bans.knows(version).await;
    }

    /// Answers a call, sooner than it stops waiting.
    pub async fn answer(&self, asked: Asked) -> Reply {
        let core = &self.core;
        let began = Instant::now();
        // The rest is for the way back.
        let budget = part(core.site.timeout.duration(), 5).saturating_mul(4);
        let said = match core.site.argus.is_empty() {
            true => core.bans.say(&asked, budget).await,
            false => Said::Nothing(0),
        };
        let version = match said {
            Said::Nothing(version) => version,
            Said::Banned => return Reply::Answered(Answer::Deny(banned())),
            Said::Unknown(why) => {
                core.bans.complain(&format!("calls are refused: {why}"));
                return Reply::Unavailable(why);
            }
        };
        let key = Key::of(&asked);
        let mut hears = match core.cache.look(&key, version) {
            Found::Answer(answer) => return Reply::Answered(answer),
            Found::Asked(hears) => hears,
            Found::Ask(tells, hears) => {
                let (core, key) = (Arc::clone(core), key.clone());
                // It goes on where the one who asked first goes away.
                tokio::spawn(async move { core.fly(asked, key, tells, budget, version).await });
                hears
            }
        };
        let rest = budget.saturating_sub(began.elapsed());
        let heard = tokio::time::timeout(rest, hears.wait_for(Option::is_some)).await;
        let why = match heard.ok().and_then(Result::ok).and_then(|outcome| (*outcome).clone()) {
            Some(Ok(answer)) => return Reply::Answered(answer),
            Some(Err(why)) => why,
            None => format!("no answer within {budget:?}"),
        };
        match core.cache.stale(&key) {
            Some(answer) => {
                core.away.tell(&format!("accounts of before are used, since the service cannot be asked: {why}"));
                Reply::Answered(answer)
            }
            None => {
                core.away.tell(&format!("calls are refused, since the service cannot be asked: {why}"));
                Reply::Unavailable(why)
            }
        }
    }
}

impl Core {
    /// Asks the service, for everybody who waits.
    async fn fly(&self, asked: Asked, key: Key, tells: Tells, budget: Duration, bans: u64) {
        let flights = self.flights.fetch_add(1, Ordering::Relaxed);
        let outcome = match flights < MAX_FLIGHTS {
            true => tokio::time::timeout(budget, self.ask(asked, budget)).await,
            false => Ok(Err("too many questions wait already".to_owned())),
        };
        self.flights.fetch_sub(1, Ordering::Relaxed);
        let outcome = outcome.unwrap_or_else(|_| Err(format!("no answer within {budget:?}")));
        if outcome.is_ok() {
            self.away.is_over();
        }
        // A tenth more or less, so that not everything is asked again at once.
        let time = self.site.cache_time.duration();
        let fresh = part(time, 10).saturating_mul(9).saturating_add(random(part(time, 5)));
        let stale = match self.site.argus.is_empty() {
            true => self.site.stale_time.duration(),
            // Nobody tells of bans meanwhile.
            false => self.site.stale_time.duration().min(self.site.bans_older_than.duration()),
        };
        self.cache.keep(&key, &outcome, fresh, stale, bans);
        let _ = tells.send(Some(outcome));
    }

    /// Asks one server after the other, those that work.
    async fn ask(&self, asked: Asked, budget: Duration) -> Outcome {
        let began = Instant::now();
        let Asked { user, pilot, mode, .. } = asked;
        let question = Question {
            version: wire::VERSION,
            user: Chain::try_from(user.certificates.clone())?,
            pilot: pilot.map(|pilot| Chain::try_from(pilot.certificates)).transpose()?,
            mode,
        };
        let count = self.upstreams.len().max(1);
        let turned = self.upstreams.iter().cycle().skip(self.first.checked_rem(count).unwrap_or_default()).take(count);
        let well: Vec<_> = turned.filter(|upstream| upstream.is_well()).collect();
        let mut why = "no server has answered lately".to_owned();
        for (index, upstream) in well.iter().enumerate() {
            // A server that is silent must leave time for the others.
            let left = u32::try_from(well.len().saturating_sub(index)).unwrap_or(u32::MAX);
            let share = budget.saturating_sub(began.elapsed()).checked_div(left).unwrap_or_default();
            match upstream
                .ask(&question, &user.identity, share)
                .await
                .and_then(|answer| believed(answer, &user.identity))
            {
                Ok(answer) => return Ok(answer),
                Err(said) => {
                    upstream.distrust();
                    why = said;
                }
            }
        }
        Err(why)
    }
}

/// What counts of an answer: one about the user that was asked for, and no excuse of the service's own.
fn believed(answer: Answer, user: &Identity) -> Outcome {
    match &answer {
        Answer::Permit(permit) if permit.subject != user.subject || Some(&permit.issuer) != user.issuer() => {
            Err(format!("the service has answered about {} of {}", permit.subject, permit.issuer))
        }
        Answer::Deny(denial)
            if Reason::from_code(&denial.code).is_none_or(|reason| reason.class() == Class::System) =>
        {
            Err(format!("the service says {}: {}", denial.code, denial.sentence))
        }
        _ => Ok(answer),
    }
}

fn banned() -> Denial {
    let code = Reason::LcasUserban.code().to_owned();
    Denial { code, transient: false, sentence: "you are banned at this site".to_owned() }
}
