//! glexec's questions: over a socket that only root connects to, each on a connection of its own.

use crate::node::Node;
use crate::record::tell;
use crate::settled::Settled;
use glexec_core::site::{Asked, MAX_ASKED, Reply};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

/// How long a question may take to come in, and an answer to go out.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most calls at once. The others wait for a place as long as they like.
const MAX_CALLS: usize = 512;

/// Answers calls for ever.
pub async fn serve(listener: UnixListener, settled: Arc<Settled>) {
    let places = Arc::new(Semaphore::new(MAX_CALLS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: those that are answered free some.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        // The socket is root's alone. Should it not be: nobody else is answered.
        if !stream.peer_cred().is_ok_and(|peer| peer.uid() == 0) {
            continue;
        }
        let settled = Arc::clone(&settled);
        tokio::spawn(async move {
            if let Err(why) = answer(stream, settled.node()).await {
                tell(&format!("a call: {why}"));
            }
            drop(place);
        });
    }
}

async fn answer(mut stream: UnixStream, node: Option<Arc<Node>>) -> Result<(), String> {
    let late = |_| "it did not ask or listen in time".to_owned();
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_ASKED).unwrap_or(u64::MAX).saturating_add(1);
    let read = tokio::time::timeout(PATIENCE, (&mut stream).take(limit).read_to_end(&mut bytes)).await;
    read.map_err(late)?.map_err(|error| error.to_string())?;
    // The first byte says which descriptors come along: none.
    let question = bytes.get(1..).unwrap_or_default();
    if question.len() > MAX_ASKED {
        return Err("its question is too long".to_owned());
    }
    let reply = match (node, Asked::read(question)) {
        (Some(node), Ok(asked)) => node.answer(asked).await,
        (None, _) => Reply::Unavailable("glexec.conf has no table [site] that can be used".to_owned()),
        (_, Err(why)) => Reply::Unavailable(format!("no question: {why}")),
    };
    let reply = serde_json::to_vec(&reply).map_err(|error| error.to_string())?;
    let written = tokio::time::timeout(PATIENCE, stream.write_all(&reply)).await;
    // A client that does not wait any more is no news.
    written.map(drop).map_err(late)
}
