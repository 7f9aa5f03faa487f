//! What the zygote learns ahead: a round through the CA directory whenever something in it, or in glexec.conf, has changed.
//!
//! A round goes in steps of one CA, so that workers are forked meanwhile.

use glexec_core::credentials::Credentials;
use glexec_machine::configuration::{self, CONFIG_FILE};
use glexec_sys::dir::{Directory, OpenFile, Version, last_change};
use glexec_sys::time::now;
use glexec_verify::trust::Trust;
use glexec_verify::trust::ahead::{Ahead, SETTLED};
use glexec_verify::trust::round::Round;
use std::ffi::OsString;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How often the zygote looks whether something has changed, at most.
const EVERY: Duration = Duration::from_secs(1);
/// Largest glexec.conf that is looked at, in bytes.
const MAX_CONFIG: u64 = 1024 * 1024;

/// How a directory looks: its files and which version of each there is.
type Look = Vec<(OsString, Option<Version>)>;

/// The zygote's learning.
pub struct Learning {
    /// What is known.
    pub ahead: Rc<Ahead>,
    settings: Credentials,
    config: Option<Version>,
    seen: Option<Look>,
    looked: Option<Instant>,
    round: Option<Round>,
    /// How much was known when workers were last forked anew.
    told: u64,
}

impl Learning {
    /// Knows nothing yet.
    pub fn new(settings: Credentials) -> Self {
        let config = version_of_config();
        Learning { ahead: Rc::default(), settings, config, seen: None, looked: None, round: None, told: 0 }
    }

    /// Learns a little; whether there is more to learn at once.
    pub fn go_on(&mut self) -> bool {
        if let Some(round) = &mut self.round {
            let more = round.step(&self.settings);
            if !more {
                self.round = None;
            }
            return more;
        }
        if self.looked.is_some_and(|looked| looked.elapsed() < EVERY) {
            return false;
        }
        self.looked = Some(Instant::now());
        self.round = self.look_again();
        self.round.is_some()
    }

    /// Whether a round has ended with something new, since this was asked last: workers that were forked before do not know it,
    /// and each of them would find it out anew.
    pub fn has_news(&mut self) -> bool {
        let news = self.ahead.news();
        let is_new = self.round.is_none() && news != self.told;
        if is_new {
            self.told = news;
        }
        is_new
    }

    /// A new round, where something is not as it was.
    fn look_again(&mut self) -> Option<Round> {
        let config = version_of_config();
        if config != self.config {
            // What only root may read, or is wrong, leaves it with what it had: it learns then what nobody asks for.
            self.settings = configuration::load().map_or_else(|_| self.settings.clone(), |config| config.credentials);
            (self.config, self.seen) = (config, None);
        }
        let directory = Directory::open(self.settings.certdir.as_path()).ok()?;
        let look = look(&directory);
        if self.seen == look && look.is_some() {
            return None;
        }
        // Of what has just changed nothing is kept yet: then the next look is a new one.
        let settled = now().ok()?.saturating_sub(SETTLED);
        let recent =
            |(_, version): &(_, Option<Version>)| version.is_some_and(|version| last_change(&version) >= settled);
        self.seen = look.filter(|look| !look.iter().any(recent));
        let trust = Trust { cas: directory, voms: None, host: String::new(), ahead: Some(Rc::clone(&self.ahead)) };
        Round::begin(trust).ok()
    }
}

fn version_of_config() -> Option<Version> {
    OpenFile::open(Path::new(CONFIG_FILE), MAX_CONFIG).ok().map(|file| file.version())
}

fn look(directory: &Directory) -> Option<Look> {
    let mut names = directory.names().ok()?;
    names.sort_unstable();
    let with_version = |name: OsString| {
        let version = directory.version(&name);
        (name, version)
    };
    Some(names.into_iter().map(with_version).collect())
}
