//! What is settled until glexec.conf changes.

use crate::node::Node;
use crate::record::tell;
use glexec_config::Config;
use glexec_machine::configuration::{self, CONFIG_FILE};
use glexec_site_client::tls::Own;
use glexec_sys::dir::{OpenFile, Version};
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// Largest glexec.conf in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Which glexec.conf there is; `None` where that cannot be told.
pub fn version_of_config() -> Option<Version> {
    OpenFile::open(Path::new(CONFIG_FILE), MAX_FILE).ok().map(|file| file.version())
}

/// The host's certificate and key, as they were at the start.
pub struct Host {
    /// The certificate with what stands above it, as a file of PEM blocks.
    pub certificate: Vec<u8>,
    pub key: Zeroizing<Vec<u8>>,
}

/// What the configuration of now comes to.
struct Now {
    version: Option<Version>,
    node: Option<Arc<Node>>,
}

pub struct Settled {
    host: Host,
    bans: Arc<Mutex<File>>,
    now: Mutex<Now>,
}

impl Settled {
    /// Settles what this configuration says. To be called in the runtime.
    pub fn new(host: Host, bans: File, version: Option<Version>, config: &Config) -> Result<Self, String> {
        let settled = Settled { host, bans: Arc::new(Mutex::new(bans)), now: Mutex::new(Now { version, node: None }) };
        settled.set(config).map(|()| settled)
    }

    fn set(&self, config: &Config) -> Result<(), String> {
        let start = |site: &glexec_config::site::Site| {
            let own = Own::read(&self.host.certificate, &self.host.key).map_err(|error| error.to_string())?;
            Node::start(site, &config.credentials, own, Some(Arc::clone(&self.bans))).map(Arc::new)
        };
        let node = config.site.as_ref().map(start).transpose()?;
        self.now.lock().unwrap_or_else(PoisonError::into_inner).node = node;
        Ok(())
    }

    /// The node's part as glexec.conf has it now. What only root may read counts as it was; so do certificate and key, which
    /// are read at the start.
    pub fn node(&self) -> Option<Arc<Node>> {
        let version = version_of_config();
        {
            let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
            if version == now.version || version.is_none() {
                return now.node.clone();
            }
            now.version = version;
        }
        let set = configuration::load().map_err(|refusal| refusal.for_log()).and_then(|config| self.set(&config));
        if let Err(why) = set {
            tell(&format!("glexec.conf has changed, and cannot be used: {why}"));
        }
        self.now.lock().unwrap_or_else(PoisonError::into_inner).node.clone()
    }
}
