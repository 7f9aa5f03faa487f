//! `[glexec]`: the historic keys under their historic names.

use crate::values::{AbsolutePath, Cgroup, Facility, Lifetime, LogLevel, Preserve, SearchPath, Umask, Wrapper};
use crate::white_list::Pattern;
use glexec_core::lock::Mechanism;
use serde::Deserialize;
use std::num::NonZeroU32;
use toml::Spanned;

/// Where records and messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogDestination {
    /// The local syslog daemon, /dev/log.
    Syslog,
    /// `log_file`.
    File,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Glexec {
    /// Who may call.
    pub user_white_list: Vec<Pattern>,
    /// Whether glexec stays to supervise the payload.
    pub linger: bool,
    /// How long what a payload leaves behind has between SIGTERM and SIGKILL.
    pub linger_grace: Lifetime,
    /// Where every lingering payload gets a cgroup v2 of its own.
    pub cgroup: Spanned<Cgroup>,
    /// Whether the LCAS plug-ins are asked.
    pub use_lcas: bool,
    pub lcmaps_get_account_policy: Spanned<String>,
    pub lcmaps_verify_account_policy: Spanned<String>,
    /// Variables of the caller that the payload gets.
    pub preserve_env_variables: Vec<Preserve>,
    /// The payload's PATH.
    pub path: SearchPath,
    /// The payload's umask.
    pub umask: Umask,
    /// Whether the payload gets a copy of the proxy.
    pub create_target_proxy: bool,
    /// Callers that may give a credential without private key.
    pub omission_private_key_white_list: Vec<Pattern>,
    /// Lock for reading credentials.
    pub input_lock_mechanism: Mechanism,
    /// Lock for replacing the target proxy.
    pub target_lock_mechanism: Mechanism,
    /// Smallest user id of a target account.
    pub min_uid: u32,
    /// Smallest group id of a target account.
    pub min_gid: u32,
    /// Whether the target may be the caller's own account.
    pub allow_same_account: bool,
    /// Where records go.
    pub log_destination: LogDestination,
    pub log_file: AbsolutePath,
    /// Which messages are written; audit records always are.
    pub log_level: LogLevel,
    pub syslog_facility: Facility,
    /// No audit record, no payload.
    pub audit_required: bool,
    /// Whom the verifier runs as.
    pub service_user: String,
    /// A program of the site's to run as root before the payload.
    pub prologue: Option<AbsolutePath>,
    /// How many seconds it may take.
    pub prologue_timeout: NonZeroU32,
    /// A program of the site's that is executed in the payload's place, and executes it.
    pub wrapper: Option<Wrapper>,
    /// A program of the site's to run after the payload.
    pub epilogue: Option<Spanned<AbsolutePath>>,
    pub epilogue_user: String,
    /// Its group; empty: root's, or the user's own.
    pub epilogue_group: String,
    /// How many seconds it may take.
    pub epilogue_timeout: NonZeroU32,
}

impl Default for Glexec {
    fn default() -> Self {
        let policy = || Spanned::new(0..0, String::from("default"));
        Glexec {
            user_white_list: Vec::new(),
            linger: true,
            linger_grace: Lifetime::seconds(5),
            cgroup: Spanned::new(0..0, Cgroup::BelowCaller),
            use_lcas: true,
            lcmaps_get_account_policy: policy(),
            lcmaps_verify_account_policy: policy(),
            preserve_env_variables: Vec::new(),
            path: SearchPath::default(),
            umask: Umask::default(),
            create_target_proxy: true,
            omission_private_key_white_list: Vec::new(),
            input_lock_mechanism: Mechanism::Flock,
            target_lock_mechanism: Mechanism::Flock,
            min_uid: 1000,
            min_gid: 100,
            allow_same_account: true,
            log_destination: LogDestination::Syslog,
            log_file: AbsolutePath::fixed("/var/log/glexec/glexec.log"),
            log_level: LogLevel::default(),
            syslog_facility: Facility::default(),
            audit_required: true,
            service_user: String::from("glexec"),
            prologue: None,
            prologue_timeout: NonZeroU32::MIN.saturating_add(29),
            wrapper: None,
            epilogue: None,
            epilogue_user: String::from("root"),
            epilogue_group: String::new(),
            epilogue_timeout: NonZeroU32::MIN.saturating_add(299),
        }
    }
}
