//! The CA directory and the vomsdir.

use super::finding::{Finding, State};
use crate::service_account;
use crate::show::counted;
use glexec::verifier::Verifier;
use glexec_config::Config;
use glexec_core::reason::Reason;
use glexec_core::surveyed::{Authority, Server, Surveyed};
use glexec_core::verdict::Refused;
use glexec_sys::time;
use std::path::Path;

const DAY: i64 = 86400;
/// How long before their end CAs are worth a warning.
const CA_SOON: i64 = 30 * DAY;
/// CRLs live for days and are renewed every few hours.
const CRL_SOON: i64 = DAY;
/// Most CAs that one line names.
const MAX_NAMED: usize = 5;

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
    let actor = as_root.then(|| service_account::actor(config)).flatten();
    let surveyed = time::now().and_then(|now| {
        let verifier = Verifier::new(actor.as_ref(), &config.credentials, now);
        Ok((now, verifier.survey(now.saturating_add(CRL_SOON))?))
    });
    match surveyed {
        Ok((now, surveyed)) => {
            let mut found = authorities(config, now, &surveyed, expired);
            found.extend(voms(config, &surveyed, now));
            found
        }
        Err(refusal) => {
            vec![Finding::of(State::Critical, config.credentials.certdir.as_path().display().to_string(), &refusal)]
        }
    }
}

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

fn authorities(config: &Config, now: i64, surveyed: &Surveyed, expired: ExpiredCas) -> Vec<Finding> {
    let certdir = config.credentials.certdir.as_path();
    let path = |file: &str| certdir.join(file).display().to_string();
    let mut found = Vec::new();
    let mut good = 0_usize;
    let mut old = Vec::new();
    // What is fine now and would not be tomorrow.
    for (today, tomorrow) in surveyed.today.iter().zip(&surveyed.later) {
        match (today, tomorrow) {
            (Err(refused), _) => {
                found.push(Finding::of(State::Critical, certdir.display().to_string(), &refused.clone().refusal()));
            }
            (Ok(ca), _) if has_expired(ca, now) => old.push(ca.subject.as_str()),
            (Ok(ca), _) if !ca.faults.is_empty() => {
                let faults = ca.faults.iter().cloned().map(Refused::refusal);
                found.extend(faults.map(|fault| Finding::of(State::Critical, path(&ca.file), &fault)));
            }
            (Ok(ca), _) if ca.not_after.saturating_sub(now) < CA_SOON => {
                let says = format!("the CA {} expires within 30 days", ca.subject);
                found.push(Finding::refused(State::Warning, path(&ca.file), says, Reason::TrustCaExpired));
            }
            (Ok(ca), Ok(later)) if will_expire(later) => {
                let says = format!("the CRL of the CA {} expires within a day", ca.subject);
                found.push(Finding::refused(State::Warning, path(&ca.file), says, Reason::TrustCrlExpired));
            }
            (Ok(_), _) => good = good.saturating_add(1),
        }
    }
    if !old.is_empty() && old.len() == surveyed.today.len() {
        let says = "all CAs have expired: nobody's proxy is trusted";
        found.push(Finding::refused(State::Critical, certdir.display().to_string(), says, Reason::TrustCaExpired));
    } else if !old.is_empty() && expired == ExpiredCas::Named {
        found.push(expired_cas(certdir.display().to_string(), &old));
    }
    if surveyed.today.is_empty() {
        let says = "there is no CA (HASH.0): nobody's proxy is trusted";
        found.push(Finding::refused(State::Critical, certdir.display().to_string(), says, Reason::TrustUnreadable));
    } else if good > 0 {
        found.push(Finding::ok(
            certdir.display().to_string(),
            format!("{} with CRL and policy as they should be", counted(good, "CA")),
        ));
    }
    found
}

fn will_expire(later: &Authority) -> bool {
    later.faults.iter().cloned().any(|fault| fault.refusal().reason() == Reason::TrustCrlExpired)
}

fn voms(config: &Config, surveyed: &Surveyed, now: i64) -> Vec<Finding> {
    let vomsdir = config.credentials.vomsdir.as_path();
    let subject = vomsdir.display().to_string();
    let vos = match &surveyed.vos {
        None => {
            let says = "there is no vomsdir: no VOMS attributes are trusted";
            return vec![Finding::refused(State::Warning, subject, says, Reason::VomsUntrusted)];
        }
        Some(Err(refused)) => return vec![Finding::of(State::Critical, subject, &refused.clone().refusal())],
        Some(Ok(vos)) => vos,
    };
    let mut found = Vec::new();
    let mut good = 0_usize;
    for vo in vos {
        let path = vomsdir.join(&vo.name);
        match &vo.servers {
            Ok(servers) => match faults_of(servers, &path, &surveyed.today, now) {
                faults if faults.is_empty() => good = good.saturating_add(1),
                faults => found.extend(faults),
            },
            Err(refused) => {
                found.push(Finding::of(State::Critical, path.display().to_string(), &refused.clone().refusal()));
            }
        }
    }
    if good > 0 {
        found.push(Finding::ok(subject, format!("{good} VOs")));
    } else if found.is_empty() {
        found.push(Finding::refused(State::Warning, subject, "it has no VO", Reason::VomsUntrusted));
    }
    found
}

/// What is wrong in the folder of a VO.
fn faults_of(servers: &[Server], path: &Path, cas: &[Result<Authority, Refused>], now: i64) -> Vec<Finding> {
    if servers.is_empty() {
        let says = "it has no .lsc file";
        return vec![Finding::refused(State::Critical, path.display().to_string(), says, Reason::VomsUntrusted)];
    }
    let read: Vec<_> = servers.iter().map(|server| (server, lsc_fault(server, cas, now))).collect();
    let has_server = read.iter().any(|(_, fault)| fault.is_none());
    let finding = |(server, fault): (&Server, Option<_>)| {
        let (state, says, reason) = fault?;
        // Attributes of the VO's other servers are accepted.
        let state = if has_server { State::Warning } else { state };
        Some(Finding::refused(state, path.join(&server.file).display().to_string(), says, reason))
    };
    read.into_iter().filter_map(finding).collect()
}

/// What is wrong with an `.lsc` file. A server whose CA the site does not have is one whose attributes are refused; others
/// of the VO may do.
fn lsc_fault(server: &Server, cas: &[Result<Authority, Refused>], now: i64) -> Option<(State, String, Reason)> {
    let chains = match &server.authorities {
        Ok(chains) => chains,
        Err(why) => return Some((State::Critical, why.clone(), Reason::VomsLsc)),
    };
    let Some(last) = chains.last() else {
        let says = "it names no server with its CA: two lines at least";
        return Some((State::Critical, says.to_owned(), Reason::VomsUntrusted));
    };
    let is_there = |name: &String| cas.iter().flatten().any(|ca| ca.subject == *name && !has_expired(ca, now));
    if chains.iter().any(is_there) {
        return None;
    }
    let says = match cas.iter().flatten().any(|ca| ca.subject == *last) {
        true => format!("the CA of the VOMS server has expired: {last}"),
        false => format!("certdir does not have the CA of the VOMS server: {last}"),
    };
    Some((State::Warning, says, Reason::CredentialUnknownCa))
}
