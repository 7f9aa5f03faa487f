//! Map and ban files, line by line.

use super::finding::{Finding, State};
use super::names::{self, List};
use super::tokens;
use crate::show::counted;
use crate::site_files::{self, Holds};
use glexec_config::{Config, lcas};
use glexec_core::account::{Limits, is_name};
use glexec_core::file_error::FileError;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::surveyed::TokenIssuer;
use glexec_core::values::AbsolutePath;
use glexec_machine::accounts::Nss;
use glexec_machine::files::SiteFiles;
use glexec_policy::accounts;
use glexec_policy::files::map_file::{Line, all_mappings, lines};
use glexec_policy::files::{Files, ban_file};
use glexec_policy::lcas as policy_lcas;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many lines of one file are named.
const NAMED: usize = 10;

/// What was found, and the pools that accounts are taken from.
#[derive(Debug, Default)]
pub struct Maps {
    pub findings: Vec<Finding>,
    /// What pools' accounts begin with.
    pub pools: BTreeSet<String>,
    /// What pools' groups begin with.
    pub group_pools: BTreeSet<String>,
}

/// Checks every file that the configuration names, each once.
pub fn check(config: &Config, issuers: &[TokenIssuer]) -> Maps {
    let mut maps = Maps::default();
    let limits = Limits { min_uid: config.glexec.min_uid, min_gid: config.glexec.min_gid };
    let mut names = Names { limits, known: HashMap::new(), issuers };
    let mapping: BTreeMap<_, _> =
        site_files::maps(&config.lcmaps).into_iter().map(|(path, holds)| ((path.as_path(), holds), path)).collect();
    for ((_, holds), path) in mapping {
        maps.file(path, holds, &mut names);
    }
    maps.findings.extend(config.lcas.plugins().flat_map(list));
    maps
}

/// The list of an authorization plug-in.
fn list(plugin: &lcas::Plugin) -> Vec<Finding> {
    let Some(file) = plugin.file() else { return Vec::new() };
    let subject = file.as_path().display().to_string();
    let refused = |says: String, reason| vec![Finding::refused(State::Critical, subject.clone(), says, reason)];
    let bytes = match SiteFiles.read(file) {
        Err(error @ FileError::Insecure { .. }) => return refused(error.to_string(), Reason::LcasFileInsecure),
        Err(error) => return refused(error.to_string(), Reason::LcasFileMissing),
        Ok(bytes) => bytes,
    };
    match (policy_lcas::fault(plugin, &bytes), policy_lcas::names(plugin)) {
        (Some(why), _) if policy_lcas::passes_over(plugin) => {
            vec![Finding::bad(State::Warning, subject, why, "correct the line: it lets nobody in")]
        }
        (Some(why), _) => refused(why, Reason::LcasFileMalformed),
        (None, Some(policy_lcas::Names::Banned)) => understood(&bytes, List::Bans, subject),
        (None, Some(policy_lcas::Names::Admitted)) => understood(&bytes, List::Gives, subject),
        (None, None) => vec![Finding::ok(subject, "can be understood")],
    }
}

/// What is to be said of the names in a list that can be understood.
fn understood(bytes: &[u8], list: List, subject: String) -> Vec<Finding> {
    let odd = names::odd(bytes, list);
    match odd.is_empty() {
        true => vec![Finding::ok(subject, "can be understood")],
        false => {
            odd.into_iter().take(NAMED).map(|says| Finding::bad(State::Warning, &subject, says, names::MEND)).collect()
        }
    }
}

/// Accounts and groups that were looked up.
struct Names<'a> {
    limits: Limits,
    /// Whose tokens are accepted.
    issuers: &'a [TokenIssuer],
    known: HashMap<(Holds, String), Option<Refusal>>,
}

impl Names<'_> {
    /// What is wrong with an account or a group.
    fn fault(&mut self, holds: Holds, name: &str) -> Option<&Refusal> {
        let limits = self.limits;
        let look = |name: &str| -> Outcome<()> {
            match holds {
                Holds::Groups => accounts::group(&Nss, name, limits).map(drop),
                _ => accounts::account(&Nss, name, limits).map(drop),
            }
        };
        self.known.entry((holds, name.to_owned())).or_insert_with(|| look(name).err()).as_ref()
    }
}

impl Maps {
    fn file(&mut self, path: &AbsolutePath, holds: Holds, names: &mut Names<'_>) {
        let subject = path.as_path().display().to_string();
        match (SiteFiles.read(path), holds) {
            (Err(error), _) => {
                let reason = match error {
                    FileError::Insecure { .. } => Reason::LcmapsFileInsecure,
                    _ => Reason::LcmapsFileMissing,
                };
                self.findings.push(Finding::refused(State::Critical, subject, error.to_string(), reason));
            }
            // What cannot be understood refuses everybody.
            (Ok(bytes), Holds::Banned) => match ban_file::fault(&bytes) {
                Some(why) => {
                    self.findings.push(Finding::refused(State::Critical, subject, why, Reason::LcmapsFileMalformed));
                }
                None => self.findings.extend(understood(&bytes, List::Bans, subject)),
            },
            (Ok(bytes), _) => self.lines(&bytes, holds, subject, names),
        }
    }

    fn lines(&mut self, bytes: &[u8], holds: Holds, subject: String, known: &mut Names<'_>) {
        let mut found = Vec::new();
        let mut seen: HashMap<&[u8], usize> = HashMap::new();
        let mut number = 0_usize;
        let names: Vec<&[u8]> = match known.issuers {
            [] => Vec::new(),
            _ => lines(bytes).filter_map(Result::ok).map(|line| line.name).collect(),
        };
        for line in lines(bytes) {
            number = number.saturating_add(1);
            match line {
                // The line is passed over.
                Err(bad) => {
                    let mend = "correct the line: nobody is mapped by it";
                    found.push(Finding::bad(State::Warning, subject.clone(), bad.to_string(), mend));
                }
                Ok(line) => {
                    if let Some(first) = seen.insert(line.name, line.number) {
                        let says = format!(
                            "line {}: {} is in line {first} already, which alone counts for one kind of account",
                            line.number,
                            String::from_utf8_lossy(line.name)
                        );
                        found.push(Finding::bad(State::Warning, subject.clone(), says, "remove one of the two lines"));
                    }
                    if let Some(why) = names::fault(&line, List::Gives) {
                        let says = format!("line {}: {why}", line.number);
                        found.push(Finding::bad(State::Warning, subject.clone(), says, names::MEND));
                    }
                    if let Some((why, mend)) = tokens::unmatched(&line, &names, known.issuers) {
                        let says = format!("line {}: {why}", line.number);
                        found.push(Finding::bad(State::Warning, subject.clone(), says, mend));
                    }
                    self.mappings(&line, holds, &subject, known, &mut found);
                }
            }
        }
        let more = found.len().saturating_sub(NAMED);
        found.truncate(NAMED);
        if found.is_empty() {
            found.push(Finding::ok(subject, counted(number, "line")));
        } else if more > 0 {
            found.push(Finding::bad(
                State::Warning,
                subject,
                format!("{more} more lines"),
                "correct those above first",
            ));
        }
        self.findings.append(&mut found);
    }

    fn mappings(
        &mut self,
        line: &Line<'_>,
        holds: Holds,
        subject: &str,
        names: &mut Names<'_>,
        found: &mut Vec<Finding>,
    ) {
        let mut empty = true;
        for mapping in all_mappings(line.mappings) {
            empty = false;
            let name = String::from_utf8_lossy(&mapping).into_owned();
            match (name.strip_prefix('.'), holds) {
                (Some(pool), Holds::Accounts | Holds::GroupPools) if !is_name(pool) => {
                    let says = format!("line {}: {name:?} is not the name of a pool", line.number);
                    let refused = Finding::refused(State::Warning, subject, says, Reason::LcmapsNoMapping);
                    found.push(Finding {
                        mend: Some("correct the name: it gives nobody anything".to_owned()),
                        ..refused
                    });
                }
                (Some(pool), Holds::Accounts) => {
                    self.pools.insert(pool.to_owned());
                }
                (Some(pool), Holds::GroupPools) => {
                    self.group_pools.insert(pool.to_owned());
                }
                (Some(_), _) | (None, Holds::GroupPools) => {}
                (None, _) => {
                    if let Some(refusal) = names.fault(holds, &name) {
                        let says = format!("line {}: {}", line.number, refusal.for_log());
                        found.push(Finding::refused(State::Warning, subject, says, refusal.reason()));
                    }
                }
            }
        }
        if empty {
            let says = format!("line {}: no account or group after the name", line.number);
            found.push(Finding::refused(State::Warning, subject, says, Reason::LcmapsNoMapping));
        }
    }
}
