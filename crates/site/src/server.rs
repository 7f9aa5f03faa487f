//! Taking connections: TLS first, then HTTP/1.1, each with a limit on its time and number.

use crate::connection::Connection;
use crate::record::Record;
use crate::shared::Shared;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// How long a peer may take for its handshake, and for the head of a request once it has begun.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the bans are read again: on every node they count within ten seconds.
const EVERY: Duration = Duration::from_secs(1);
/// How long a connection may wait for its next question: then the node's is as good as gone.
const IDLE: Duration = Duration::from_secs(3600);
/// Most connections at once: some for each of 10,000 nodes.
const MAX_CONNECTIONS: usize = 40_000;
/// Most questions that are worked on or wait for a processor.
pub const MAX_TURNS: usize = 512;

/// In which form is asked and answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The service's own.
    Json,
    /// That of SCAS, GUMS and Argus.
    Xacml,
}

/// Keeps the bans up to date: another service host may have changed them.
pub async fn follow(shared: Arc<Shared>) {
    let mut ready = false;
    loop {
        let again = Arc::clone(&shared);
        let looked = tokio::task::spawn_blocking(move || {
            ready = ready || again.engine.prepare().inspect_err(|why| again.failed(why)).is_ok();
            if ready {
                again.refresh();
            }
            ready
        });
        ready = looked.await.unwrap_or(false);
        tokio::time::sleep(EVERY).await;
    }
}

/// Serves until `stop` is done; what is being answered then is answered.
pub async fn serve(
    listener: TcpListener,
    tls: ServerConfig,
    form: Form,
    shared: Arc<Shared>,
    stop: impl Future<Output = ()>,
) {
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, address)) = accepted else {
            // Out of descriptors: those that are served free some.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            if let Err(why) = talk(stream, address.ip().to_string(), acceptor, form, shared).await {
                Record::new("connection").with("from", &address.ip().to_string()).with("reason", &why).write();
            }
            drop(place);
        });
    }
    // Every turn back is every question answered.
    let all = u32::try_from(MAX_TURNS).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(PATIENCE, shared.turns.acquire_many(all)).await;
}

async fn talk(
    stream: TcpStream,
    address: String,
    acceptor: TlsAcceptor,
    form: Form,
    shared: Arc<Shared>,
) -> Result<(), String> {
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let accepted = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await;
    let stream = accepted.map_err(|_| "the TLS handshake took too long")?.map_err(|error| error.to_string())?;
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let certificates = certificates.iter().map(|der| der.to_vec()).collect();
    let connection = Arc::new(Connection::new(shared, certificates, address));
    let service = service_fn(move |request| {
        let connection = Arc::clone(&connection);
        async move {
            Ok::<_, Infallible>(match form {
                Form::Json => connection.answer(request).await,
                Form::Xacml => connection.answer_xacml(request).await,
            })
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(IDLE).max_buf_size(64 * 1024);
    // A client that goes away in the middle is no news.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
    Ok(())
}
