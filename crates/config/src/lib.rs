//! glexec.conf as data: its tables, its values, and what plug-ins and policies it configures. It reads texts, not files.

#![forbid(unsafe_code)]

mod advice;
pub mod agent;
pub mod exec;
pub mod glexec;
pub mod isolation;
pub mod lcas;
pub mod lcmaps;
pub mod options;
pub mod parse;
pub mod site;
pub mod values;
pub mod variables;
pub mod white_list;

use agent::Agent;
use glexec::Glexec;
use glexec_core::credentials::Credentials;
use glexec_core::tokens::Tokens;
use isolation::Isolation;
use site::Site;

/// The checked configuration of a call.
#[derive(Debug)]
pub struct Config {
    pub glexec: Glexec,
    pub isolation: Isolation,
    pub agent: Agent,
    pub credentials: Credentials,
    /// `[tokens]`, where tokens are accepted.
    pub tokens: Option<Tokens>,
    /// `[site]`, where the site's mapping service is asked.
    pub site: Option<Site>,
    /// The LCAS plug-ins.
    pub lcas: lcas::Plan,
    /// The LCMAPS plug-ins and policies.
    pub lcmaps: lcmaps::Plan,
}
