//! One connection: who is on the other end, and what it asks.

use crate::decision::{Known, decide};
use crate::engine::{Changed, Engine};
use crate::figures::End;
use crate::record::Record;
use crate::shared::Shared;
use crate::xacml;
use crate::xml::MAX_DOCUMENT;
use bytes::Bytes;
use glexec_core::reason::{Outcome, Reason, Refusal, Retry};
use glexec_site_client::accounts::{self, ACCOUNTS, END};
use glexec_site_client::bans::{BANS, Change, List};
use glexec_site_client::configuration::SiteService;
use glexec_site_client::peer::Peer;
use glexec_site_client::wire::{Answer, Denial, MAP, MAX_QUESTION, Permit, Question};
use glexec_sys::time::now;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;

/// After this time a peer's certificate is judged again: it may have been revoked since.
const TRUSTED_FOR: Duration = Duration::from_secs(600);
/// How long an answer waits for news.
const NEWS: Duration = Duration::from_secs(25);
/// How long a question may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

type Reply = Response<Full<Bytes>>;

/// The peer of a connection.
pub struct Connection {
    shared: Arc<Shared>,
    certificates: Vec<Vec<u8>>,
    judged: Mutex<Option<(Instant, Peer)>>,
    address: String,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.figures.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a peer may do, by its certificate.
struct Role {
    /// Ask for mappings, and fetch the bans: the name of the host.
    node: Option<String>,
    /// Change the bans, and fetch them: the person's or the host's name.
    operator: Option<String>,
}

fn role(peer: &Peer, is_own: bool, site: &SiteService) -> Role {
    let is_operator = is_own || site.operators.iter().any(|operator| operator.subject == peer.subject);
    let node = site.nodes.iter().find_map(|node| peer.fitting(node.name.as_str()));
    Role { node: node.map(str::to_owned), operator: is_operator.then(|| peer.subject.as_str().to_owned()) }
}

fn json(value: &impl Serialize) -> Reply {
    match serde_json::to_vec(value) {
        Ok(body) => {
            let mut reply = reply(StatusCode::OK, body);
            reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            reply
        }
        Err(_) => reply(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be written\n"),
    }
}

fn soap(status: StatusCode, text: String) -> Reply {
    let mut reply = reply(status, text);
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    reply
}

/// The right to have a question worked on; given back when it is dropped.
struct Turn {
    _permit: OwnedSemaphorePermit,
    began: Instant,
}

/// What the service cannot do at the moment.
fn unable(refusal: &Refusal) -> Reply {
    let mut reply = reply(StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", refusal.sentence()));
    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    reply
}

/// Reads a body of at most so many bytes, which must arrive in time.
async fn body(request: Request<Incoming>, limit: usize) -> Result<Bytes, Reply> {
    let body = Limited::new(request.into_body(), limit).collect();
    match tokio::time::timeout(PATIENCE, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(reply(StatusCode::PAYLOAD_TOO_LARGE, "the request is too long or was broken off\n")),
        Err(_) => Err(reply(StatusCode::REQUEST_TIMEOUT, "the request took too long\n")),
    }
}

fn reply(status: StatusCode, text: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(text.into()));
    *reply.status_mut() = status;
    reply
}

fn busy() -> Reply {
    let mut reply = reply(StatusCode::SERVICE_UNAVAILABLE, "the service has too much to do: ask again\n");
    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    reply
}

impl Connection {
    /// A connection from an address with a peer that has shown these certificates, leaf first.
    pub fn new(shared: Arc<Shared>, certificates: Vec<Vec<u8>>, address: String) -> Self {
        shared.figures.connections.fetch_add(1, Ordering::Relaxed);
        Connection { shared, certificates, judged: Mutex::default(), address }
    }

    /// The peer, judged not long ago.
    fn peer(&self) -> Outcome<Peer> {
        let fresh = |judged: &(Instant, Peer)| judged.0.elapsed() < TRUSTED_FOR;
        // A thread that panicked with the lock has left nothing half-done in it.
        let mut judged = self.judged.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, peer)) = judged.as_ref().filter(|judged| fresh(judged)) {
            return Ok(peer.clone());
        }
        let peer = self.shared.rules.judge(self.certificates.clone())?;
        *judged = Some((Instant::now(), peer.clone()));
        Ok(peer)
    }

    /// Answers one request.
    pub async fn answer(&self, request: Request<Incoming>) -> Reply {
        let peer = match self.peer() {
            Ok(peer) => peer,
            Err(refusal) => return self.turned_away(None, &refusal.for_log()),
        };
        let is_own = self.certificates.first().is_some_and(|leaf| *leaf == self.shared.own);
        let role = role(&peer, is_own, &self.shared.site);
        let is_map = request.uri().path() == MAP;
        if role.node.is_none() && (role.operator.is_none() || is_map) {
            let why = "no [[node]] of the service's configuration fits this certificate";
            return self.turned_away(Some(peer.subject.as_str()), why);
        }
        match (request.method(), request.uri().path(), role) {
            (&Method::POST, MAP, Role { node: Some(node), .. }) => self.map(node, request).await,
            (&Method::POST, BANS, Role { operator: Some(who), .. }) => self.change_bans(who, request).await,
            (&Method::POST, BANS, _) => {
                let why = "no [[operator]] of the service's configuration has this certificate";
                self.turned_away(Some(peer.subject.as_str()), why)
            }
            (&Method::GET, BANS, _) => self.bans(&request).await,
            (&Method::GET, ACCOUNTS, Role { operator: Some(_), .. }) => {
                let after = request.uri().query().and_then(|query| query.strip_prefix("after=")).unwrap_or_default();
                let after = after.to_owned();
                self.with_engine(move |engine| engine.accounts(&after)).await
            }
            (&Method::POST, ACCOUNTS, Role { operator: Some(who), .. }) => self.import(who, request).await,
            (&Method::POST, END, Role { operator: Some(who), .. }) => self.end(who, request).await,
            _ => reply(StatusCode::NOT_FOUND, "there is nothing like this here for you\n"),
        }
    }

    /// Refuses somebody who may not ask, and says so to the log.
    fn turned_away(&self, subject: Option<&str>, why: &str) -> Reply {
        self.shared.figures.turned_away.fetch_add(1, Ordering::Relaxed);
        Record::new("turned-away").with("from", &self.address).maybe("peer", subject).with("reason", why).write();
        reply(StatusCode::FORBIDDEN, format!("{why}\n"))
    }

    async fn map(&self, node: String, request: Request<Incoming>) -> Reply {
        let Some(turn) = self.turn() else { return busy() };
        let body = match body(request, MAX_QUESTION).await {
            Ok(body) => body,
            Err(reply) => return reply,
        };
        let question = match Question::read(&body) {
            Ok(question) => question,
            Err(why) => return reply(StatusCode::BAD_REQUEST, format!("not a question: {why}\n")),
        };
        match self.decide(turn, node, question).await {
            Some(answer) => json(&answer),
            None => reply(StatusCode::INTERNAL_SERVER_ERROR, "the question could not be answered\n"),
        }
    }

    /// The right to have a question worked on, unless too many are.
    fn turn(&self) -> Option<Turn> {
        let permit = Arc::clone(&self.shared.turns).try_acquire_owned().ok();
        if permit.is_none() {
            self.shared.figures.busy.fetch_add(1, Ordering::Relaxed);
        }
        permit.map(|permit| Turn { _permit: permit, began: Instant::now() })
    }

    async fn decide(&self, turn: Turn, node: String, question: Question) -> Option<Answer> {
        let shared = Arc::clone(&self.shared);
        let answered = tokio::task::spawn_blocking(move || {
            let mut known = Known::default();
            let bans = shared.bans.borrow().clone();
            let decided = bans.and_then(|bans| decide(&question, &shared, &bans, &mut known));
            record(&node, &known, &decided);
            let end = decided.as_ref().map_or_else(|refusal| End::Deny(refusal.reason().code()), |_| End::Permit);
            shared.figures.count(&node, end, turn.began.elapsed(), now().unwrap_or(0));
            answer(decided)
        });
        answered.await.ok()
    }

    /// Answers one request of a client of SCAS, GUMS or Argus.
    pub async fn answer_xacml(&self, request: Request<Incoming>) -> Reply {
        let peer = match self.peer() {
            Ok(peer) => peer,
            Err(refusal) => return self.turned_away(None, &refusal.for_log()),
        };
        let Role { node: Some(node), .. } = role(&peer, false, &self.shared.site) else {
            let why = "no [[node]] of the service's configuration fits this certificate";
            return self.turned_away(Some(peer.subject.as_str()), why);
        };
        if request.method() != Method::POST {
            return reply(StatusCode::METHOD_NOT_ALLOWED, "questions come with POST\n");
        }
        let Some(turn) = self.turn() else { return busy() };
        let body = match body(request, MAX_DOCUMENT).await {
            Ok(body) => body,
            Err(reply) => return reply,
        };
        // SOAP 1.1 section 6.2: a fault has the status of an error.
        let fault = |why: &str| soap(StatusCode::INTERNAL_SERVER_ERROR, xacml::fault(why));
        let asked = match xacml::asked(&body) {
            Ok(asked) => asked,
            Err(why) => return fault(why),
        };
        match (self.decide(turn, node, asked.question.clone()).await, glexec_sys::random::<16>(), now()) {
            (Some(answer), Ok(id), Ok(now)) => {
                let id = format!("{:032x}", u128::from_ne_bytes(id));
                soap(StatusCode::OK, xacml::answered(&asked, &answer, &id, now))
            }
            _ => fault("the question could not be answered"),
        }
    }

    /// The list; with `?after=VERSION` as soon as there is a newer one, or after a while.
    async fn bans(&self, request: &Request<Incoming>) -> Reply {
        let after = request.uri().query().and_then(|query| query.strip_prefix("after="));
        let mut news = self.shared.bans.subscribe();
        if let Some(after) = after.and_then(|after| after.parse::<u64>().ok()) {
            let is_news = |bans: &Outcome<Arc<List>>| bans.as_ref().map_or(true, |bans| bans.version != after);
            // Nothing new is an answer, too: that the list is still the same.
            let _ = tokio::time::timeout(NEWS, news.wait_for(is_news)).await;
        }
        let bans = news.borrow().clone();
        match bans {
            Ok(bans) => json(&*bans),
            Err(refusal) => unable(&refusal),
        }
    }

    /// Answers with what the engine says.
    async fn with_engine<T: Serialize + Send + 'static>(
        &self,
        ask: impl FnOnce(&Engine) -> Outcome<T> + Send + 'static,
    ) -> Reply {
        let shared = Arc::clone(&self.shared);
        match tokio::task::spawn_blocking(move || ask(&shared.engine)).await {
            Ok(Ok(answer)) => json(&answer),
            Ok(Err(refusal)) if refusal.reason() == Reason::SiteUnavailable => unable(&refusal),
            Ok(Err(refusal)) => reply(StatusCode::CONFLICT, format!("{}\n", refusal.sentence())),
            Err(_) => reply(StatusCode::INTERNAL_SERVER_ERROR, "the engine could not be asked\n"),
        }
    }

    async fn import(&self, who: String, request: Request<Incoming>) -> Reply {
        let body = match body(request, MAX_QUESTION).await {
            Ok(body) => body,
            Err(reply) => return reply,
        };
        let accounts = match accounts::read(&body) {
            Ok(accounts) => accounts,
            Err(why) => return reply(StatusCode::BAD_REQUEST, format!("{why}\n")),
        };
        self.with_engine(move |engine| {
            let new = engine.import(&accounts)?;
            Record::new("import").with("operator", &who).with("new", &new.to_string()).write();
            Ok(new)
        })
        .await
    }

    async fn end(&self, who: String, request: Request<Incoming>) -> Reply {
        let body = match body(request, MAX_QUESTION).await {
            Ok(body) => body,
            Err(reply) => return reply,
        };
        let end = match accounts::read_end(&body) {
            Ok(end) => end,
            Err(why) => return reply(StatusCode::BAD_REQUEST, format!("{why}\n")),
        };
        self.with_engine(move |engine| {
            let ended = engine.end(&end)?;
            for account in &ended {
                Record::new("release").with("operator", &who).with("account", account).write();
            }
            Ok(ended)
        })
        .await
    }

    async fn change_bans(&self, who: String, request: Request<Incoming>) -> Reply {
        let body = match body(request, MAX_QUESTION).await {
            Ok(body) => body,
            Err(reply) => return reply,
        };
        let change = match Change::read(&body) {
            Ok(change) => change,
            Err(why) => return reply(StatusCode::BAD_REQUEST, format!("{why}\n")),
        };
        let shared = Arc::clone(&self.shared);
        let changed = tokio::task::spawn_blocking(move || {
            let changed = shared.engine.change_bans(&change, &who, now()?)?;
            record_change(&who, &change);
            shared.refresh();
            Ok(changed)
        });
        match changed.await {
            Ok(Ok(Changed::Made(list))) => json(&list),
            Ok(Ok(Changed::Nothing)) => reply(StatusCode::NOT_FOUND, "there is no ban of exactly this name\n"),
            Ok(Err(refusal)) => unable(&refusal),
            Err(_) => reply(StatusCode::INTERNAL_SERVER_ERROR, "the bans could not be changed\n"),
        }
    }
}

fn record_change(who: &str, change: &Change) {
    match change {
        Change::Add { name, until, reason, running } => {
            let until = until.map(|until| until.to_string());
            let line = Record::new("ban").with("operator", who).with("name", name.as_str());
            let line = line.with("running", running.as_str());
            line.maybe("until", until.as_deref()).maybe("reason", reason.as_deref()).write();
        }
        Change::Remove { name } => Record::new("unban").with("operator", who).with("name", name.as_str()).write(),
    }
}

fn answer(decided: Outcome<Permit>) -> Answer {
    decided.map_or_else(
        |refusal| {
            let reason = refusal.reason();
            let sentence = refusal.sentence().chars().filter(|c| !c.is_control()).take(1000).collect();
            Answer::Deny(Denial { code: reason.code().into(), transient: reason.retry() == Retry::MayHelp, sentence })
        },
        Answer::Permit,
    )
}

fn record(node: &str, known: &Known, decided: &Result<Permit, Refusal>) {
    let text = |identity: &Option<glexec_core::identity::Identity>| {
        identity.as_ref().map(|identity| identity.subject.as_str().to_owned())
    };
    let fqans = known.user.iter().flat_map(|user| &user.fqans).map(|fqan| fqan.as_str()).collect::<Vec<_>>().join(",");
    let line = Record::new("map").with("node", node);
    let line = match decided {
        Ok(permit) => {
            let line = line.with("decision", "permit").with("account", &permit.account);
            line.maybe("group", permit.group.as_deref()).maybe("lease", permit.lease.as_deref())
        }
        Err(refusal) => line.with("decision", "deny").with("code", refusal.reason().code()),
    };
    let line = line.maybe("user_dn", text(&known.user).as_deref()).maybe("pilot_dn", text(&known.pilot).as_deref());
    let line = line.maybe("fqans", Some(fqans.as_str()).filter(|fqans| !fqans.is_empty()));
    line.maybe("reason", decided.as_ref().err().map(Refusal::for_log).as_deref()).write();
}
