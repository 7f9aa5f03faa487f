//! A line of the list.

use super::holder::{self, Holder};
use crate::log::time;
use crate::show::{Cell, Tone};
use glexec_core::escape::visible;
use glexec_core::identity::MAX_DN;
use glexec_machine::accounts::Nss;
use glexec_machine::gridmapdir::{PoolAccount, Standing};
use glexec_policy::accounts::AccountDatabase;
use serde::Serialize;
use std::collections::BTreeMap;

/// An account as people want to see it.
#[derive(Debug, Serialize)]
pub struct Row {
    account: String,
    state: &'static str,
    holder: Option<String>,
    groups: Vec<String>,
    since: Option<String>,
    last_use: Option<String>,
    processes: Option<usize>,
    /// What the table says where the number of processes is not known.
    #[serde(skip)]
    unknown: &'static str,
}

impl Row {
    /// Headings of the table.
    pub const HEADINGS: [&'static str; 7] = ["ACCOUNT", "STATE", "SINCE", "LAST USE", "PROCESSES", "GROUPS", "HOLDER"];

    /// An account, with the processes of every user id.
    pub fn new(account: &PoolAccount, processes: &BTreeMap<u32, usize>) -> Self {
        let (state, lease) = match &account.standing {
            Standing::Free => ("free", None),
            Standing::Leased(lease) if lease.is_set_aside() => ("set aside", Some(lease)),
            Standing::Leased(lease) => ("leased", Some(lease)),
            Standing::Changing => ("changing", None),
            Standing::Conflict(_) => ("conflict", None),
        };
        let holder = lease.filter(|lease| !lease.is_set_aside()).map(holder::of);
        let shown = |seconds: i64| time::shown(seconds.saturating_mul(time::SECOND));
        let uid = Nss.user(&account.name).ok().flatten().map(|user| user.uid);
        Row {
            account: account.name.clone(),
            state,
            since: holder.as_ref().and_then(|holder| holder.since).map(shown),
            last_use: lease.map(|lease| shown(lease.used)),
            groups: holder.as_ref().map(|holder| holder.groups.clone()).unwrap_or_default(),
            holder: holder.map(|holder| holder.name),
            processes: uid.map(|uid| processes.get(&uid).copied().unwrap_or(0)),
            unknown: "no account",
        }
    }

    /// An account that the site's service has, with its lease and when that ends. Its processes run elsewhere.
    pub fn at_service(account: String, lease: Option<(Holder, i64, Option<i64>)>, now: i64) -> Self {
        let shown = |seconds: i64| time::shown(seconds.saturating_mul(time::SECOND));
        let state = match &lease {
            None => "free",
            Some((_, _, None)) => "leased",
            Some((_, _, Some(ends))) if *ends > now => "resting",
            Some(_) => "free",
        };
        let (holder, used) = lease.map(|(holder, used, _)| (holder, used)).unzip();
        Row {
            account,
            state,
            since: holder.as_ref().and_then(|holder| holder.since).map(shown),
            last_use: used.map(shown),
            groups: holder.as_ref().map(|holder| holder.groups.clone()).unwrap_or_default(),
            holder: holder.map(|holder| holder.name),
            processes: None,
            unknown: "on the nodes",
        }
    }

    /// Whether nobody has the account.
    pub fn is_free(&self) -> bool {
        self.state == "free"
    }

    /// The cells of the table. Names of leases may be of anybody in the directory's group, and mean something to a terminal.
    pub fn cells(&self) -> Vec<Cell> {
        let tone = match self.state {
            "leased" | "free" => Tone::Plain,
            "conflict" => Tone::Bad,
            _ => Tone::Warning,
        };
        let shown = |text: &str| visible(text.as_bytes(), MAX_DN).into();
        let processes = self.processes.map_or_else(|| self.unknown.to_owned(), |number| number.to_string());
        vec![
            self.account.as_str().into(),
            Cell::new(tone, self.state),
            self.since.as_deref().unwrap_or("-").into(),
            self.last_use.as_deref().unwrap_or("-").into(),
            processes.into(),
            if self.groups.is_empty() { "-".into() } else { shown(&self.groups.join(",")) },
            self.holder.as_deref().map_or_else(|| "-".into(), shown),
        ]
    }
}
