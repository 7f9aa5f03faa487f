//! What all connections have in common: the configuration, the engine, and the bans as they were last read.

use crate::engine::Engine;
use crate::figures::Figures;
use crate::record::Record;
use glexec_core::reason::{Outcome, Refusal};
use glexec_machine::files::IndexedFiles;
use glexec_site_client::bans::List;
use glexec_site_client::configuration::SiteService;
use glexec_site_client::peer::Rules;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};

/// What all connections have in common.
pub struct Shared {
    /// The configuration.
    pub site: SiteService,
    /// Where leases are kept.
    pub engine: Engine,
    /// The map files, with indexes of large ones.
    pub files: IndexedFiles,
    /// Which hosts are believed.
    pub rules: Arc<Rules>,
    /// The service's own certificate: somebody who has its key is root of a service host.
    pub own: Vec<u8>,
    /// Questions that may still be begun.
    pub turns: Arc<Semaphore>,
    /// What was counted.
    pub figures: Figures,
    /// The bans as they were last read, or why they could not be.
    pub bans: watch::Sender<Outcome<Arc<List>>>,
}

impl Shared {
    /// Nothing is answered until the engine can be asked; said once.
    pub fn failed(&self, why: &Refusal) {
        self.bans.send_if_modified(|known| {
            let is_news = known.as_ref().err() != Some(why);
            if is_news {
                Record::new("engine").with("reason", &why.for_log()).write();
                *known = Err(why.clone());
            }
            is_news
        });
    }

    /// Reads the bans again, and tells who waits for news.
    pub fn refresh(&self) {
        let read = self.engine.bans().map(Arc::new);
        self.bans.send_if_modified(|known| {
            let is_news = match (&*known, &read) {
                (Ok(known), Ok(read)) => known.version != read.version,
                // Another reason is news as well: the first may have passed.
                (Err(known), Err(read)) => known != read,
                _ => true,
            };
            if is_news {
                if let Err(refusal) = &read {
                    Record::new("bans").with("reason", &refusal.for_log()).write();
                }
                *known = read;
            }
            is_news
        });
    }
}
