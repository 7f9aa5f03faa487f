//! Where leases are kept.

use glexec_config::site_service::Engine as Configured;
use glexec_machine::gridmapdir::Leasing;
use glexec_policy::leases::Leases;

/// The engine that the site has chosen.
#[derive(Debug)]
pub enum Engine {
    /// Gridmapdirs, which other hosts and the C library may use at the same time.
    Gridmapdir(Leasing),
}

impl Engine {
    /// Starts what is configured.
    pub fn start(configured: &Configured) -> Self {
        match configured {
            Configured::Gridmapdir {} => Engine::Gridmapdir(Leasing),
        }
    }

    /// Its leases.
    pub fn leases(&self) -> &dyn Leases {
        match self {
            Engine::Gridmapdir(leasing) => leasing,
        }
    }
}
