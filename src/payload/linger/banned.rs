//! Whether somebody whose payload runs has been banned since: the list that the node's part of the site's service writes
//! down is looked at while the payload runs.

use crate::verifier::VerifiedIdentity;
use glexec_config::Config;
use glexec_core::identity::Identity;
use glexec_policy::bans::{FILE_SUFFIX, List, MAX_LIST, Running};
use glexec_sys::dir::{OpenFile, Version, read_trusted};
use glexec_sys::time::now;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often the list is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Fine,
    /// To tell the log, once.
    Named(String),
    /// To end the payload, and tell the log why.
    Ends(String),
}

/// The people of a call, and the list.
#[derive(Debug)]
pub struct Banned {
    file: PathBuf,
    people: Vec<Identity>,
    seen: Option<Version>,
    looked: Instant,
    named: bool,
    /// When a ban of the list begins to count, and ends, it is the same list: it is kept.
    list: Option<List>,
}

impl Banned {
    /// Looks for the user and the pilot of a call; `None` where the site has no service.
    pub fn of(config: &Config, verified: &VerifiedIdentity) -> Option<Self> {
        config.site.as_ref()?;
        let mut file = config.agent.socket.as_path().as_os_str().to_owned();
        file.push(FILE_SUFFIX);
        let people = std::iter::once(&verified.user).chain(verified.pilots()).cloned().collect();
        let (file, looked) = (file.into(), Instant::now());
        Some(Banned { file, people, seen: None, looked, named: false, list: None })
    }

    /// Looks at the list, not more often than is good.
    pub fn look(&mut self) -> Standing {
        if self.looked.elapsed() < EVERY {
            return Standing::Fine;
        }
        self.looked = Instant::now();
        self.read();
        let (Some(list), Ok(now)) = (&self.list, now()) else { return Standing::Fine };
        let Some(ban) = self.people.iter().find_map(|person| list.of(person, now)) else {
            self.named = false;
            return Standing::Fine;
        };
        let text = format!("a ban of {} by {} counts for this call", ban.name.as_str(), ban.by);
        match ban.running {
            Running::Ends => Standing::Ends(format!("{text}: its payload is ended")),
            Running::GoesOn if self.named => Standing::Fine,
            Running::GoesOn => {
                self.named = true;
                Standing::Named(format!("{text}: its payload goes on"))
            }
        }
    }

    /// Reads the list where it is another one. Half a list is none: the whole will come.
    fn read(&mut self) {
        let limit = u64::try_from(MAX_LIST).unwrap_or(u64::MAX);
        let Ok(version) = OpenFile::open(&self.file, limit).map(|file| file.version()) else { return };
        if self.seen == Some(version) {
            return;
        }
        let read = read_trusted(&self.file, limit).ok().and_then(|file| List::read(&file.bytes).ok());
        if let Some(list) = read {
            (self.list, self.seen) = (Some(list), Some(version));
        }
    }
}
