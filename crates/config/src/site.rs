//! `[site]`: the site's mapping service, as a node asks it.

use crate::values::{AbsolutePath, Lifetime};
use serde::Deserialize;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The service's servers; whichever answers will do.
    #[serde(default)]
    pub servers: Vec<Url>,
    /// The PEPs of an Argus that the site has, in the service's place.
    #[serde(default)]
    pub argus: Vec<ArgusUrl>,
    /// The host's certificate.
    #[serde(default = "certificate")]
    pub certificate: AbsolutePath,
    #[serde(default = "key")]
    pub key: AbsolutePath,
    /// How long an answer counts, a tenth more or less.
    #[serde(default = "cache_time")]
    pub cache_time: Lifetime,
    /// How long an answer counts while nobody can be asked.
    #[serde(default = "stale_time")]
    pub stale_time: Lifetime,
    /// How long a call waits for the site.
    #[serde(default = "timeout")]
    pub timeout: Lifetime,
    /// How old the list of bans may be.
    #[serde(default = "bans_older_than")]
    pub bans_older_than: Lifetime,
}

fn certificate() -> AbsolutePath {
    AbsolutePath::fixed("/etc/grid-security/hostcert.pem")
}

fn key() -> AbsolutePath {
    AbsolutePath::fixed("/etc/grid-security/hostkey.pem")
}

fn cache_time() -> Lifetime {
    Lifetime::seconds(300)
}

fn stale_time() -> Lifetime {
    Lifetime::seconds(24 * 3600)
}

fn timeout() -> Lifetime {
    Lifetime::seconds(5)
}

fn bans_older_than() -> Lifetime {
    Lifetime::seconds(600)
}

/// A server, as `https://map1.example.org:8444`: by name, since certificates are for names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Url(String);

impl TryFrom<String> for Url {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let is_name = |host: &str| host.split('.').all(label) && host.bytes().any(|b| b.is_ascii_alphabetic());
        let parts = text.strip_prefix("https://").and_then(|rest| rest.rsplit_once(':'));
        match parts {
            Some((host, port)) if is_name(host) && port.parse::<u16>().is_ok_and(|port| port > 0) => Ok(Url(text)),
            _ => Err(format!("{text:?} is not a server such as \"https://map1.example.org:8444\"")),
        }
    }
}

impl Url {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A PEP of Argus, as `https://argus.example.org:8154/authz`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ArgusUrl {
    server: Url,
    path: String,
}

impl TryFrom<String> for ArgusUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a PEP such as \"https://argus.example.org:8154/authz\"");
        let rest = text.strip_prefix("https://").ok_or_else(bad)?;
        let (host, path) = rest.split_once('/').ok_or_else(bad)?;
        let is_plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.".contains(&b));
        match (Url::try_from(format!("https://{host}")), is_plain) {
            (Ok(server), true) => Ok(ArgusUrl { server, path: format!("/{path}") }),
            _ => Err(bad()),
        }
    }
}

impl ArgusUrl {
    /// The server.
    pub fn server(&self) -> &Url {
        &self.server
    }

    /// The path, from its slash on.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl Site {
    /// What is wrong with it, where something is.
    pub(crate) fn fault(&self) -> Option<String> {
        let seconds = |time: Lifetime| time.duration();
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        match (self.servers.is_empty(), self.argus.is_empty()) {
            (true, true) => return Some("[site] needs servers, as [\"https://map1.example.org:8444\"]".to_owned()),
            (false, false) => {
                return Some("[site] has servers and argus: only one of the two can say who may run".to_owned());
            }
            _ => {}
        }
        if !(second..=minute).contains(&seconds(self.timeout)) {
            return Some("timeout of [site] must be between 1s and 1m".to_owned());
        }
        // The list is confirmed about twice a minute.
        if seconds(self.bans_older_than) < minute {
            return Some("bans_older_than of [site] must be 1m or more".to_owned());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_name_and_a_port() {
        assert!(Url::try_from("https://map1.example.org:8444".to_owned()).is_ok());
        assert!(ArgusUrl::try_from("https://argus.example.org:8154/authz".to_owned()).is_ok());
        for bad in ["https://argus:8154", "http://argus:8154/authz", "https://argus/authz", "https://argus:8154/a b"] {
            assert!(ArgusUrl::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        for bad in [
            "http://map1:8444",
            "https://map1",
            "https://map1:0",
            "https://10.0.0.1:8444",
            "https://:1",
            "https://map1:8444/x",
            "https://a@map1:8444",
            "",
        ] {
            assert!(Url::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
