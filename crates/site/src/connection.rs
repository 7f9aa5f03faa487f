//! One connection: who is on the other end, and what it asks.

use crate::decision::{Known, decide};
use crate::record::Record;
use crate::shared::Shared;
use bytes::Bytes;
use glexec_config::site_service::SiteService;
use glexec_core::reason::{Outcome, Refusal, Retry};
use glexec_site_client::peer::Peer;
use glexec_site_client::wire::{Answer, Denial, MAP, MAX_QUESTION, Permit, Question};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// After this time a peer's certificate is judged again: it may have been revoked since.
const TRUSTED_FOR: Duration = Duration::from_secs(600);
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

/// What a peer may do, by its certificate.
enum Role {
    /// Ask for mappings: the name of the host.
    Node(String),
    /// Nothing.
    Nobody,
}

fn role(peer: &Peer, site: &SiteService) -> Role {
    let node = site.nodes.iter().find_map(|node| peer.fitting(node.name.as_str()));
    node.map_or(Role::Nobody, |name| Role::Node(name.to_owned()))
}

fn reply(status: StatusCode, text: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(text.into()));
    *reply.status_mut() = status;
    reply
}

fn busy() -> Reply {
    let mut reply = reply(StatusCode::SERVICE_UNAVAILABLE, "the service has too much to do: ask again\n");
    reply.headers_mut().insert(RETRY_AFTER, hyper::header::HeaderValue::from_static("1"));
    reply
}

impl Connection {
    /// A connection from an address with a peer that has shown these certificates, leaf first.
    pub fn new(shared: Arc<Shared>, certificates: Vec<Vec<u8>>, address: String) -> Self {
        Connection { shared, certificates, judged: Mutex::default(), address }
    }

    /// The peer, judged not long ago.
    fn peer(&self) -> Outcome<Peer> {
        let fresh = |judged: &(Instant, Peer)| judged.0.elapsed() < TRUSTED_FOR;
        // Whoever panicked with the lock has left nothing half-done in it.
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
        match (role(&peer, &self.shared.site), request.method(), request.uri().path()) {
            (Role::Nobody, ..) => {
                let why = "no [[node]] of the service's configuration fits this certificate";
                self.turned_away(Some(peer.subject.as_str()), why)
            }
            (Role::Node(node), &Method::POST, MAP) => self.map(node, request).await,
            _ => reply(StatusCode::NOT_FOUND, "there is nothing like this here\n"),
        }
    }

    /// Refuses whoever may not ask, and says so to the log.
    fn turned_away(&self, subject: Option<&str>, why: &str) -> Reply {
        Record::new("turned-away").with("from", &self.address).maybe("peer", subject).with("reason", why).write();
        reply(StatusCode::FORBIDDEN, format!("{why}\n"))
    }

    async fn map(&self, node: String, request: Request<Incoming>) -> Reply {
        let Ok(turn) = Arc::clone(&self.shared.turns).try_acquire_owned() else { return busy() };
        let body = Limited::new(request.into_body(), MAX_QUESTION).collect();
        let body = match tokio::time::timeout(PATIENCE, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(_)) => return reply(StatusCode::PAYLOAD_TOO_LARGE, "the question is too long or was broken off\n"),
            Err(_) => return reply(StatusCode::REQUEST_TIMEOUT, "the question took too long\n"),
        };
        let question = match Question::read(&body) {
            Ok(question) => question,
            Err(why) => return reply(StatusCode::BAD_REQUEST, format!("not a question: {why}\n")),
        };
        let shared = Arc::clone(&self.shared);
        let answered = tokio::task::spawn_blocking(move || {
            let mut known = Known::default();
            let decided = decide(&question, &shared.site, &shared.engine, &mut known);
            record(&node, &known, &decided);
            drop(turn);
            answer(decided)
        });
        match answered.await.ok().and_then(|answer| serde_json::to_vec(&answer).ok()) {
            Some(body) => {
                let mut reply = reply(StatusCode::OK, body);
                let json = hyper::header::HeaderValue::from_static("application/json");
                reply.headers_mut().insert(CONTENT_TYPE, json);
                reply
            }
            None => reply(StatusCode::INTERNAL_SERVER_ERROR, "the question could not be answered\n"),
        }
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
