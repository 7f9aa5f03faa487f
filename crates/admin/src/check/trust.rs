//! The CA directory and the vomsdir.

use super::finding::{Finding, State};
use crate::show::counted;
use glexec::verifier::{self, open_trust};
use glexec_config::Config;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_machine::accounts::Nss;
use glexec_policy::accounts::AccountDatabase;
use glexec_sys::dir::Directory;
use glexec_sys::identity::Actor;
use glexec_sys::time;
use glexec_verify::trust::survey::{Authority, survey};
use glexec_verify::voms::lsc::{self, Names};
use glexec_verify::{Trust, trust};
use nix::unistd::{Gid, Uid};
use std::ffi::OsStr;
use std::path::Path;

const DAY: i64 = 86400;
/// How long before their end CAs are worth a warning.
const CA_SOON: i64 = 30 * DAY;
/// CRLs live for days and are renewed every few hours.
const CRL_SOON: i64 = DAY;
/// Most CAs that one line names.
const MAX_NAMED: usize = 5;
/// More than any .lsc file has.
const MAX_LSC: u64 = 64 * 1024;

/// All findings of a directory with thousands of faults.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// Whether CAs that have expired are worth a warning. The IGTF's distribution has some for months, whose users have others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiredCas {
    /// They are.
    Named,
    /// The site knows.
    Ignored,
}

/// Checks both directories; as root with the eyes of the verifier, which may read less than root may.
pub fn check(config: &Config, as_root: bool, expired: ExpiredCas) -> Vec<Finding> {
    let unusable = |refusal: &Refusal| {
        vec![Finding::of(State::Critical, config.credentials.certdir.as_path().display().to_string(), refusal)]
    };
    let (trust, now) = match open_trust(config).and_then(|trust| Ok((trust, time::now()?))) {
        Ok(opened) => opened,
        Err(refusal) => return unusable(&refusal),
    };
    let look = || match survey(&trust, &config.credentials, now) {
        Ok(cas) => {
            let mut found =
                authorities(config, &trust, now, &cas, expired).unwrap_or_else(|refusal| unusable(&refusal));
            found.extend(voms(config, &trust, &cas, now));
            found
        }
        Err(refusal) => unusable(&refusal),
    };
    let Some(actor) = as_root.then(|| service_account(config)).flatten() else { return look() };
    // An answer that cannot be written is none that can be read.
    let work = || serde_json::to_vec(&look()).unwrap_or_default();
    match verifier::confined(&actor, config, &trust, MAX_ANSWER, work) {
        Ok(answer) => serde_json::from_slice(&answer).unwrap_or_else(|error| {
            let refusal = Refusal::new(Reason::VerifierFailed, "what the verifier sees cannot be understood");
            unusable(&refusal.detail(error.to_string()))
        }),
        Err(refusal) => unusable(&refusal),
    }
}

/// Whom the verifier runs as; whether it may be who it is, is another check's question.
fn service_account(config: &Config) -> Option<Actor> {
    let user = Nss.user(&config.glexec.service_user).ok().flatten()?;
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    (user.uid != 0 && user.gid != 0).then_some(Actor { uid, gid, groups: Some(Vec::new()) })
}

/// A file of a CA: the CA, or why it is none.
type Surveyed = Result<Authority, Refusal>;

/// Whether a certificate of a CA has expired: nobody below it can call any more, whatever else is wrong with it.
fn has_expired(ca: &Authority, now: i64) -> bool {
    now > ca.not_after
}

/// One line for all CAs that have expired. Users who still have certificates of theirs are refused rightly.
fn expired_cas(certdir: String, names: &[&str]) -> Finding {
    let more = match names.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let some: Vec<&str> = names.iter().copied().take(MAX_NAMED).collect();
    let says = match names.len() {
        1 => format!("the certificate of a CA has expired: {}", some.join("")),
        count => format!("the certificates of {count} CAs have expired: {}{more}", some.join(", ")),
    };
    let mend = "update the CA packages; where they are the newest: glexec-admin check --ignore-expired-cas";
    Finding { mend: Some(mend.into()), ..Finding::refused(State::Warning, certdir, says, Reason::TrustCaExpired) }
}

fn authorities(
    config: &Config,
    trust: &Trust,
    now: i64,
    all: &[Surveyed],
    expired: ExpiredCas,
) -> Outcome<Vec<Finding>> {
    let certdir = config.credentials.certdir.as_path();
    let path = |file: &str| certdir.join(file).display().to_string();
    let mut found = Vec::new();
    let mut good = 0_usize;
    let mut old = Vec::new();
    // What is fine now and would not be tomorrow.
    let soon = survey(trust, &config.credentials, now.saturating_add(CRL_SOON))?;
    for (today, tomorrow) in all.iter().zip(&soon) {
        match (today, tomorrow) {
            (Err(refusal), _) => found.push(Finding::of(State::Critical, certdir.display().to_string(), refusal)),
            (Ok(ca), _) if has_expired(ca, now) => old.push(ca.subject.as_str()),
            (Ok(ca), _) if !ca.faults.is_empty() => {
                found.extend(ca.faults.iter().map(|fault| Finding::of(State::Critical, path(&ca.file), fault)));
            }
            (Ok(ca), _) if ca.not_after.saturating_sub(now) < CA_SOON => {
                let says = format!("the CA {} expires within 30 days", ca.subject);
                found.push(Finding::refused(State::Warning, path(&ca.file), says, Reason::TrustCaExpired));
            }
            (Ok(ca), Ok(later)) if later.faults.iter().any(|fault| fault.reason() == Reason::TrustCrlExpired) => {
                let says = format!("the CRL of the CA {} expires within a day", ca.subject);
                found.push(Finding::refused(State::Warning, path(&ca.file), says, Reason::TrustCrlExpired));
            }
            (Ok(_), _) => good = good.saturating_add(1),
        }
    }
    if !old.is_empty() && old.len() == all.len() {
        let says = "all CAs have expired: nobody's proxy is trusted";
        found.push(Finding::refused(State::Critical, certdir.display().to_string(), says, Reason::TrustCaExpired));
    } else if !old.is_empty() && expired == ExpiredCas::Named {
        found.push(expired_cas(certdir.display().to_string(), &old));
    }
    if all.is_empty() {
        let says = "there is no CA (HASH.0): nobody's proxy is trusted";
        found.push(Finding::refused(State::Critical, certdir.display().to_string(), says, Reason::TrustUnreadable));
    } else if good > 0 {
        found.push(Finding::ok(
            certdir.display().to_string(),
            format!("{} with CRL and policy as they should be", counted(good, "CA")),
        ));
    }
    Ok(found)
}

fn voms(config: &Config, site: &Trust, cas: &[Surveyed], now: i64) -> Vec<Finding> {
    let vomsdir = config.credentials.vomsdir.as_path();
    let subject = vomsdir.display().to_string();
    let Some(directory) = &site.voms else {
        let says = "there is no vomsdir: no VOMS attributes are trusted";
        return vec![Finding::refused(State::Warning, subject, says, Reason::VomsUntrusted)];
    };
    let names = match directory.names() {
        Ok(names) => names,
        Err(error) => {
            return vec![Finding::refused(State::Critical, subject, error.to_string(), Reason::TrustUnreadable)];
        }
    };
    let mut found = Vec::new();
    let mut good = 0_usize;
    for vo in &names {
        let path = vomsdir.join(vo);
        match vo_directory(directory, vo, &path, cas, now) {
            Ok(faults) if faults.is_empty() => good = good.saturating_add(1),
            Ok(faults) => found.extend(faults),
            Err(refusal) => found.push(Finding::of(State::Critical, path.display().to_string(), &refusal)),
        }
    }
    if good > 0 {
        found.push(Finding::ok(subject, format!("{good} VOs")));
    } else if found.is_empty() {
        found.push(Finding::refused(State::Warning, subject, "it has no VO", Reason::VomsUntrusted));
    }
    found
}

/// What is wrong in the folder of a VO. Files beside the folders are nothing of glexec's.
fn vo_directory(vomsdir: &Directory, vo: &OsStr, path: &Path, cas: &[Surveyed], now: i64) -> Outcome<Vec<Finding>> {
    let what = format!("the vomsdir entry of the VO {}", vo.to_string_lossy());
    if vomsdir.entry(vo).is_ok_and(|entry| entry.is_some_and(|entry| entry.regular)) {
        return Ok(Vec::new());
    }
    let directory = vomsdir.subdirectory(vo).map_err(|error| trust::unreadable(&what, &error))?;
    let names = directory.names().map_err(|error| trust::unreadable(&what, &error))?;
    let files: Vec<_> = names.iter().filter_map(|name| name.to_str()).filter(|name| name.ends_with(".lsc")).collect();
    if files.is_empty() {
        let says = "it has no .lsc file";
        return Ok(vec![Finding::refused(State::Critical, path.display().to_string(), says, Reason::VomsUntrusted)]);
    }
    let mut faults = Vec::new();
    let mut read = Vec::new();
    for file in files {
        let bytes = trust::read(&directory, file, MAX_LSC, &what)?.unwrap_or_default();
        read.push((file, lsc_fault(&bytes, cas, now)));
    }
    let has_server = read.iter().any(|(_, fault)| fault.is_none());
    for (file, fault) in read {
        if let Some((state, says, reason)) = fault {
            // Attributes of the VO's other servers are accepted.
            let state = if has_server { State::Warning } else { state };
            faults.push(Finding::refused(state, path.join(file).display().to_string(), says, reason));
        }
    }
    Ok(faults)
}

/// What is wrong with an `.lsc` file. A server whose CA the site does not have is one whose attributes are refused; others
/// of the VO may do.
fn lsc_fault(bytes: &[u8], cas: &[Surveyed], now: i64) -> Option<(State, String, Reason)> {
    let chains = match lsc::parse(bytes) {
        Ok(chains) => chains,
        Err(why) => return Some((State::Critical, why.to_owned(), Reason::VomsLsc)),
    };
    let Some(last) = chains.last().map(Names::authority) else {
        let says = "it names no server with its CA: two lines at least";
        return Some((State::Critical, says.to_owned(), Reason::VomsUntrusted));
    };
    let is_there = |name: &str| cas.iter().flatten().any(|ca| ca.subject == name && !has_expired(ca, now));
    if chains.iter().map(Names::authority).any(is_there) {
        return None;
    }
    let says = match cas.iter().flatten().any(|ca| ca.subject == last) {
        true => format!("the CA of the VOMS server has expired: {last}"),
        false => format!("certdir does not have the CA of the VOMS server: {last}"),
    };
    Some((State::Warning, says, Reason::CredentialUnknownCa))
}
