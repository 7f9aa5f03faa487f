//! What all connections have in common.

use crate::engine::Engine;
use glexec_config::site_service::SiteService;
use glexec_site_client::peer::Rules;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What all connections have in common.
pub struct Shared {
    /// The configuration.
    pub site: SiteService,
    /// Where leases are kept.
    pub engine: Engine,
    /// Which hosts are believed.
    pub rules: Arc<Rules>,
    /// Questions that may still be begun.
    pub turns: Arc<Semaphore>,
}
