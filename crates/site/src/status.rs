//! For people and monitoring, on an address of its own and without TLS: the page, /metrics, /healthz.

use crate::engine::Engine;
use crate::figures::BOUNDS;
use crate::page::{Shown, document};
use crate::shared::Shared;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Most connections at once.
const MAX_CONNECTIONS: usize = 32;
/// How long a head of a request may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves for as long as the service does.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(answer(request, shared).await) }
            });
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).keep_alive(false);
            // A client that goes away in the middle is no news.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
            drop(place);
        });
    }
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Response<Full<Bytes>> {
    let (status, kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => match tokio::task::spawn_blocking(move || page(&shared)).await {
            Ok(page) => (StatusCode::OK, "text/html; charset=utf-8", page),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "the page could not be made\n".to_owned()),
        },
        (&Method::GET, "/metrics") => (StatusCode::OK, "text/plain; version=0.0.4", metrics(&shared)),
        (&Method::GET, "/healthz") => match shared.bans.borrow().as_ref() {
            Ok(_) => (StatusCode::OK, "text/plain", "ok\n".to_owned()),
            Err(why) => (StatusCode::SERVICE_UNAVAILABLE, "text/plain", format!("{}\n", why.for_log())),
        },
        _ => (StatusCode::NOT_FOUND, "text/plain", "there are /, /metrics and /healthz\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    let nothing_from_elsewhere =
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(nothing_from_elsewhere));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn page(shared: &Shared) -> String {
    let bans = shared.bans.borrow().clone();
    let now = glexec_sys::time::now().unwrap_or(0);
    document(&Shown {
        listen: shared.site.listen.to_string(),
        engine: match shared.engine {
            Engine::Gridmapdir(..) => "gridmapdir",
            Engine::Postgresql(_) => "postgresql",
        },
        trouble: bans.as_ref().err().map(|refusal| refusal.for_log()),
        bans: bans.as_ref().map(|list| list.bans.as_slice()).unwrap_or_default(),
        minutes: shared.figures.minutes(now),
        denials: shared.figures.denials(),
        nodes: shared.figures.nodes(),
        pools: shared.engine.pools(&shared.site.lcmaps).map_err(|refusal| refusal.for_log()),
        now,
    })
}

fn metrics(shared: &Shared) -> String {
    let mut out = String::new();
    let mut put = |name: &str, kind: &str, help: &str, values: &[(String, String)]| {
        let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for (labels, value) in values {
            let _ = writeln!(out, "{labels} {value}");
        }
    };
    let figures = &shared.figures;
    let (permits, denials) = (figures.permits(), figures.denials());
    let all = denials.values().fold(permits, |all, number| all.saturating_add(*number));
    let name = "glexec_site_answers_total";
    let answer = |decision: &str, code: &str, number: u64| {
        (format!("{name}{{decision=\"{decision}\",code=\"{code}\"}}"), number.to_string())
    };
    let mut answers = vec![answer("permit", "", permits)];
    answers.extend(denials.iter().map(|(code, number)| answer("deny", code, *number)));
    put(name, "counter", "Answers to nodes.", &answers);
    let name = "glexec_site_answer_seconds";
    let (times, micros) = figures.times();
    let seconds = |micros: u64| format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let bucket =
        |(bound, number): (&u64, &u64)| (format!("{name}_bucket{{le=\"{}\"}}", seconds(*bound)), number.to_string());
    let mut buckets: Vec<_> = BOUNDS.iter().zip(&times).map(bucket).collect();
    buckets.push((format!("{name}_bucket{{le=\"+Inf\"}}"), all.to_string()));
    buckets.push((format!("{name}_sum"), seconds(micros)));
    buckets.push((format!("{name}_count"), all.to_string()));
    put(name, "histogram", "How long answers took.", &buckets);
    let nodes = u64::try_from(figures.nodes().len()).unwrap_or(0);
    let bans = shared.bans.borrow().clone();
    let (up, number, version) = match &bans {
        Ok(list) => (1, u64::try_from(list.bans.len()).unwrap_or(0), list.version),
        Err(_) => (0, 0, 0),
    };
    for (name, kind, help, value) in [
        (
            "glexec_site_turned_away_total",
            "counter",
            "Requests from hosts that may not ask.",
            figures.turned_away.load(Ordering::Relaxed),
        ),
        (
            "glexec_site_busy_total",
            "counter",
            "Questions that there was no time for.",
            figures.busy.load(Ordering::Relaxed),
        ),
        ("glexec_site_connections", "gauge", "Open connections.", figures.connections.load(Ordering::Relaxed)),
        ("glexec_site_nodes", "gauge", "Nodes that have asked.", nodes),
        ("glexec_site_up", "gauge", "Whether questions are answered: the engine and the bans can be read.", up),
        ("glexec_site_bans", "gauge", "Bans.", number),
        ("glexec_site_bans_version", "gauge", "The version of the list of bans.", version),
    ] {
        put(name, kind, help, &[(name.to_owned(), value.to_string())]);
    }
    out
}
