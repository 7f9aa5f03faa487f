//! One GET over HTTPS, bounded in time and size.

use crate::place::Place;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONTENT_ENCODING, HOST, LOCATION, USER_AGENT};
use hyper::{Request, Response, StatusCode, body::Incoming};
use hyper_util::rt::TokioIo;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long one answer may take, redirections among it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest answer in bytes.
const MAX_BODY: usize = 256 * 1024;
/// Largest header of an answer in bytes.
const MAX_HEADER: usize = 64 * 1024;
/// Most redirections.
const MAX_REDIRECTIONS: usize = 3;

/// Fetches things from servers whose certificate a CA has signed for their name.
pub struct Client {
    tls: TlsConnector,
}

impl Client {
    /// A client that trusts these CAs.
    pub fn new(authorities: RootCertStore) -> Result<Self, String> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let config = builder.with_root_certificates(authorities).with_no_client_auth();
        Ok(Client { tls: TlsConnector::from(Arc::new(config)) })
    }

    pub async fn get(&self, place: &Place) -> Result<Vec<u8>, String> {
        let got = tokio::time::timeout(PATIENCE, self.follow(place)).await;
        got.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
    }

    async fn follow(&self, place: &Place) -> Result<Vec<u8>, String> {
        let mut place = place.clone();
        for _ in 0..=MAX_REDIRECTIONS {
            let answer = self.ask(&place).await?;
            match answer.status() {
                StatusCode::OK => return body(answer).await,
                status if status.is_redirection() => {
                    let location = answer.headers().get(LOCATION).and_then(|location| location.to_str().ok());
                    place = place.redirected(location.ok_or("it redirects to nowhere")?)?;
                }
                status => return Err(format!("status {}", status.as_u16())),
            }
        }
        Err("it redirects again and again".to_owned())
    }

    async fn ask(&self, place: &Place) -> Result<Response<Incoming>, String> {
        let name = ServerName::try_from(place.host.clone()).map_err(|error| error.to_string())?;
        let stream = TcpStream::connect((place.host.as_str(), place.port)).await.map_err(|error| error.to_string())?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| error.to_string())?;
        let (mut sender, connection) =
            http1::Builder::new().max_buf_size(MAX_HEADER).handshake(TokioIo::new(stream)).await.map_err(in_words)?;
        // It ends when the sender is dropped or the server closes it; what went wrong then, the question hears.
        tokio::spawn(connection);
        let request = Request::get(&place.path)
            .header(HOST, place.host_header())
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("glexec/", env!("CARGO_PKG_VERSION")))
            .body(Empty::<Bytes>::new())
            .map_err(|error| error.to_string())?;
        sender.send_request(request).await.map_err(in_words)
    }
}

async fn body(answer: Response<Incoming>) -> Result<Vec<u8>, String> {
    if let Some(encoding) = answer.headers().get(CONTENT_ENCODING).filter(|encoding| *encoding != "identity") {
        return Err(format!("it is encoded ({encoding:?}), which nobody asked for"));
    }
    match Limited::new(answer.into_body(), MAX_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => Err(format!("it is larger than {} KiB", MAX_BODY / 1024)),
        Err(error) => Err(with_cause(&*error)),
    }
}

fn in_words(error: hyper::Error) -> String {
    with_cause(&error)
}

/// What an error says with the cause beneath.
fn with_cause(error: &(dyn Error + 'static)) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
