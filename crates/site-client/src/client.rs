//! Asking: one server after the other until one answers, over connections that stay.

use crate::wire::{Answer, MAP, MAX_ANSWER, Question};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

/// Most connections to one server that are kept for the next question.
const MAX_IDLE: usize = 4;

/// A server, as `https://map1.example.org:8444`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Server {
    name: ServerName<'static>,
    port: u16,
    text: String,
}

impl TryFrom<String> for Server {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a server such as \"https://map1.example.org:8444\"");
        let (host, port) = text.strip_prefix("https://").and_then(|rest| rest.split_once(':')).ok_or_else(bad)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(bad)?;
        // Certificates are for names.
        match ServerName::try_from(host.to_owned()) {
            Ok(name @ ServerName::DnsName(_)) => Ok(Server { name, port, text }),
            _ => Err(bad()),
        }
    }
}

impl Server {
    /// The address as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The server could not be reached, is not who it should be, or spoke nonsense.
    #[error("{server}: {why}")]
    Failed {
        server: String,
        /// What went wrong.
        why: String,
    },
    /// No server answered in time.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// A server answered with a status that is no answer: it does not know who asks (403), or has too much to do (503).
    #[error("{server}: status {status}: {text}")]
    Refused {
        server: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        text: String,
    },
    /// There is no server to ask.
    #[error("no server is configured")]
    Nobody,
}

type Connection = SendRequest<Full<Bytes>>;

/// A client of one site's servers.
pub struct Client {
    tls: TlsConnector,
    servers: Vec<(Server, Mutex<Vec<Connection>>)>,
    timeout: Duration,
    /// What kind of body it sends.
    content: &'static str,
}

/// What a server says: status and body.
type Said = (StatusCode, Bytes);

impl Client {
    /// A client that asks these servers in their order and waits so long altogether.
    pub fn new(tls: ClientConfig, servers: Vec<Server>, timeout: Duration) -> Self {
        let servers = servers.into_iter().map(|server| (server, Mutex::default())).collect();
        let content = "application/json";
        Client { tls: TlsConnector::from(Arc::new(tls)), servers, timeout, content }
    }

    /// The same with bodies of another kind, a media type.
    #[must_use]
    pub fn sending(self, content: &'static str) -> Self {
        Client { content, ..self }
    }

    /// Asks for a mapping.
    pub async fn map(&self, question: &Question) -> Result<Answer, NoAnswer> {
        let body = serde_json::to_vec(question).unwrap_or_default();
        let (server, body) = self.post(MAP, Bytes::from(body)).await?;
        Answer::read(&body).map_err(|why| NoAnswer::Failed { server, why })
    }

    /// Sends a body; the server that answered, and what it said with status 200.
    pub async fn post(&self, path: &str, body: Bytes) -> Result<(String, Bytes), NoAnswer> {
        self.ask(Method::POST, path, body, self.timeout).await
    }

    /// Fetches something, and waits for it as long as `patience`.
    pub async fn get(&self, path: &str, patience: Duration) -> Result<(String, Bytes), NoAnswer> {
        self.ask(Method::GET, path, Bytes::new(), patience).await
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<(String, Bytes), NoAnswer> {
        let asked = tokio::time::timeout(patience, self.ask_each(&method, path, &body, patience)).await;
        asked.unwrap_or(Err(NoAnswer::Late(patience)))
    }

    async fn ask_each(
        &self,
        method: &Method,
        path: &str,
        body: &Bytes,
        patience: Duration,
    ) -> Result<(String, Bytes), NoAnswer> {
        let mut last = NoAnswer::Nobody;
        // A server that is silent must leave time for the others.
        let share = patience.checked_div(u32::try_from(self.servers.len()).unwrap_or(u32::MAX)).unwrap_or(patience);
        for (server, idle) in &self.servers {
            let failed = |why: String| NoAnswer::Failed { server: server.text.clone(), why };
            last = match tokio::time::timeout(share, self.ask_one(server, idle, method, path, body)).await {
                Ok(Ok((StatusCode::OK, body))) => return Ok((server.text.clone(), body)),
                Ok(Ok((status, body))) => {
                    let text: String = String::from_utf8_lossy(&body).chars().take(200).collect();
                    NoAnswer::Refused { server: server.text.clone(), status: status.as_u16(), text }
                }
                Ok(Err(why)) => failed(why),
                Err(_) => failed(format!("no answer within {share:?}")),
            };
        }
        Err(last)
    }

    /// Asks over a connection that is there, and over a new one where there is none or the server has closed it.
    async fn ask_one(
        &self,
        server: &Server,
        idle: &Mutex<Vec<Connection>>,
        method: &Method,
        path: &str,
        body: &Bytes,
    ) -> Result<Said, String> {
        loop {
            let kept = idle.lock().await.pop();
            let is_kept = kept.is_some();
            let mut connection = match kept {
                Some(connection) => connection,
                None => self.connect(server).await?,
            };
            match exchange(&mut connection, server, (method, path), self.content, body).await {
                Ok(said) => {
                    let mut idle = idle.lock().await;
                    if idle.len() < MAX_IDLE {
                        idle.push(connection);
                    }
                    return Ok(said);
                }
                // A question may be asked twice: its answer is the same lease.
                Err(_) if is_kept => {}
                Err(why) => return Err(why),
            }
        }
    }

    async fn connect(&self, server: &Server) -> Result<Connection, String> {
        let host = server.name.to_str();
        let stream = TcpStream::connect((host.as_ref(), server.port)).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let stream = self.tls.connect(server.name.clone(), stream).await.map_err(|error| error.to_string())?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(in_words)?;
        // It ends when the sender is dropped or the server closes it; what went wrong then, the question hears.
        tokio::spawn(connection);
        Ok(sender)
    }
}

async fn exchange(
    connection: &mut Connection,
    server: &Server,
    (method, path): (&Method, &str),
    content: &str,
    body: &Bytes,
) -> Result<Said, String> {
    connection.ready().await.map_err(in_words)?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, server.name.to_str().as_ref())
        .header(CONTENT_TYPE, content)
        .body(Full::new(body.clone()))
        .map_err(|error| error.to_string())?;
    let response = connection.send_request(request).await.map_err(in_words)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(|error| error.to_string())?;
    Ok((status, body.to_bytes()))
}

/// What hyper says with the cause beneath: TLS says there why the other side is not accepted.
fn in_words(error: hyper::Error) -> String {
    match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_name_and_a_port() {
        assert!(Server::try_from("https://map1.example.org:8444".to_owned()).is_ok());
        for bad in [
            "http://map1:8444",
            "https://map1",
            "https://map1:0",
            "https://10.0.0.1:8444",
            "https://:1",
            "map1:1",
            "https://map1:8444/x",
            "",
        ] {
            assert!(Server::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
