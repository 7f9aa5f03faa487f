//! `fetch-keys ISSUER`: prints the JWK set that an issuer of tokens publishes (OpenID Connect Discovery 1.0 section 4).
//!
//! glexec-admin runs it as the service user, one issuer a process: it is the only program on a node that speaks with
//! strangers over the network, and has no right that one of them could want. What it prints is not trusted: the
//! verifier judges the keys, and glexec-admin writes them down.

#![forbid(unsafe_code)]

mod authorities;
mod place;
mod transfer;

use glexec_sys::start;
use place::Place;
use serde::Deserialize;
use std::io::{Write, stderr, stdout};
use std::time::Duration;
use transfer::Client;

/// How long everything about an issuer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the issuer says about itself; there is much more in it.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

/// Runs the program; its exit code: 0 fetched, 1 not.
pub fn main() -> u8 {
    let arguments = start::take().arguments;
    let printed = match arguments.get(1..).unwrap_or_default() {
        [issuer] => fetched(&issuer.to_string_lossy()),
        _ => Err("usage: fetch-keys ISSUER".to_owned()),
    }
    .and_then(|keys| stdout().write_all(&keys).map_err(|error| error.to_string()));
    match printed {
        Ok(()) => 0,
        Err(why) => {
            // Somebody who does not listen still has the exit code.
            let _ = stderr().write_all(why.as_bytes());
            1
        }
    }
}

fn fetched(issuer: &str) -> Result<Vec<u8>, String> {
    let client = Client::new(authorities::of_the_system()?)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let done = runtime.block_on(async { tokio::time::timeout(PATIENCE, keys(&client, issuer)).await });
    // A look-up of a name that hangs is nobody's to wait for.
    runtime.shutdown_background();
    done.unwrap_or_else(|_| Err(format!("nothing within {} s", PATIENCE.as_secs())))
}

async fn keys(client: &Client, issuer: &str) -> Result<Vec<u8>, String> {
    let place = Place::of_metadata(issuer)?;
    let said = client.get(&place).await.map_err(|why| format!("{place}: {why}"))?;
    let metadata: Metadata = serde_json::from_slice(&said)
        .map_err(|error| format!("{place}: it is not the metadata of an issuer: {error}"))?;
    // Byte for byte: otherwise one issuer of a host could speak for another (section 4.3).
    if metadata.issuer != issuer {
        return Err(format!("{place}: it is about the issuer {:?}, not {issuer:?}", metadata.issuer));
    }
    let place = Place::read(&metadata.jwks_uri).map_err(|why| format!("jwks_uri: {why}"))?;
    client.get(&place).await.map_err(|why| format!("{place}: {why}"))
}
