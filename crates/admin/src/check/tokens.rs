//! What the site says of issuers of tokens, their keys, and the lines of map files that are meant for their users.

use super::finding::{Finding, State};
use crate::issuers::Issuers;
use crate::service_account;
use crate::show::counted;
use glexec::verifier::Verifier;
use glexec_config::Config;
use glexec_config::lcmaps::Matching;
use glexec_core::identity::{Fqan, is_of_token};
use glexec_core::reason::{Outcome, Reason};
use glexec_core::surveyed::TokenIssuer;
use glexec_core::tokens::Tokens;
use glexec_policy::files::fnmatch::has_wildcard;
use glexec_policy::files::map_file::{Line, stands_for};
use glexec_policy::files::subject::Subject;
use glexec_sys::time;

const DAY: i64 = 86400;
const HOUR: i64 = 3600;
/// Fetched keys are good for two days and are fetched every hour: those that end this soon were not for a day.
const SOON: i64 = DAY;

/// What was found, and the issuers whose tokens are accepted where all files about them are understood.
#[derive(Debug, Default)]
pub struct Checked {
    pub findings: Vec<Finding>,
    pub issuers: Vec<TokenIssuer>,
}

/// Checks issuers and keys; as root with the eyes of the verifier, which may read less than root may.
pub fn check(config: &Config, as_root: bool) -> Checked {
    let Some(tokens) = &config.tokens else { return Checked::default() };
    let directory = tokens.issuers.as_path();
    let (now, Issuers { trusted, faults }) = match survey(config, tokens, as_root) {
        Ok(surveyed) => surveyed,
        Err(refusal) => {
            let finding = Finding::of(State::Critical, directory.display().to_string(), &refusal);
            return Checked { findings: vec![finding], issuers: Vec::new() };
        }
    };
    let mut findings: Vec<Finding> = faults
        .into_iter()
        .map(|(file, why)| {
            let path = directory.join(file).display().to_string();
            Finding::refused(State::Critical, path, why, Reason::TokenIssuerFile)
        })
        .collect();
    if trusted.is_empty() && findings.is_empty() {
        let says = "it has no file NAME.toml about an issuer: every token is refused";
        findings.push(Finding::refused(State::Warning, directory.display().to_string(), says, Reason::TokenIssuer));
    }
    // What lines of map files mean is known when these are understood.
    let all_understood = findings.is_empty();
    findings.extend(trusted.iter().map(|issuer| keys(issuer, now)));
    Checked { findings, issuers: if all_understood { trusted } else { Vec::new() } }
}

fn survey(config: &Config, tokens: &Tokens, as_root: bool) -> Outcome<(i64, Issuers)> {
    let actor = as_root.then(|| service_account::actor(config)).flatten();
    let now = time::now()?;
    let files = Verifier::new(actor.as_ref(), &config.credentials, now).survey_tokens(tokens)?;
    Ok((now, Issuers::of(files)))
}

/// The keys of an issuer, judged in the order in which a call looks for them.
fn keys(issuer: &TokenIssuer, now: i64) -> Finding {
    let subject = format!("keys of {}", issuer.issuer);
    let refused = |state, says: String, reason| Finding::refused(state, subject.clone(), says, reason);
    let mut expired = None;
    for file in &issuer.keys {
        let path = &file.path;
        let keys = match &file.said {
            Err(why) => {
                return refused(State::Critical, format!("{path}: {why}"), Reason::TokenKeysMalformed);
            }
            Ok(keys) => keys,
        };
        let age =
            file.written.map(|written| format!(", {} old", span(now.saturating_sub(written)))).unwrap_or_default();
        let left = keys.expiration.saturating_sub(now);
        if left <= 0 {
            expired.get_or_insert_with(|| {
                format!("{path}{age}: expired {} ago", span(now.saturating_sub(keys.expiration)))
            });
            continue;
        }
        let says = format!("{path}{age}: {}, good for {} more", counted(keys.usable, "key"), span(left));
        return match (keys.usable, left < SOON) {
            (0, _) => {
                let says = format!("{path}: none of its keys is for {}", issuer.algorithms.join(" or "));
                refused(State::Critical, says, Reason::TokenKeysMalformed)
            }
            (_, true) => refused(State::Warning, says, Reason::TokenKeysExpired),
            (_, false) => Finding::ok(subject, says),
        };
    }
    match expired {
        Some(says) => refused(State::Critical, says, Reason::TokenKeysExpired),
        None => refused(State::Critical, format!("there is no file {}", issuer.key_file), Reason::TokenKeysMissing),
    }
}

/// A time in words, rounded down.
fn span(seconds: i64) -> String {
    let whole = |unit: i64| usize::try_from(seconds.div_euclid(unit)).unwrap_or_default();
    match seconds {
        ..HOUR => counted(whole(60), "minute"),
        HOUR..DAY => counted(whole(HOUR), "hour"),
        _ => counted(whole(DAY), "day"),
    }
}

/// Why no token of the issuers can match a line of a map file, and what to do; `names` are those of all its lines.
///
/// VOMS servers add `/Role=NULL/Capability=NULL` to what they say, and map files have that; groups of tokens are as they
/// are spelled. A line that has another beside it for the bare group is one for VOMS, and fine.
pub fn unmatched(line: &Line<'_>, names: &[&[u8]], issuers: &[TokenIssuer]) -> Option<(String, String)> {
    let name = std::str::from_utf8(line.name).ok().filter(|_| !issuers.is_empty())?;
    if is_of_token(name) {
        let (issuer, _) = name.strip_prefix("/iss=")?.split_once("/sub=")?;
        let is_known = has_wildcard(issuer.as_bytes()) || issuers.iter().any(|known| known.issuer == issuer);
        return (!is_known).then(|| {
            let says =
                format!("no file of issuers.d is about the issuer {issuer}, byte for byte: the line is nobody's");
            (says, "correct the issuer (a slash at its end counts), or take the line out".to_owned())
        });
    }
    let end = ["/Role=NULL", "/Capability=NULL"].iter().filter_map(|null| name.find(null)).min()?;
    let group = Fqan::try_from(name.get(..end)?.to_owned()).ok()?;
    let is_of_issuer = issuers.iter().any(|issuer| issuer.vos.iter().any(|vo| vo == group.vo()));
    let subject = Subject::fqan(&group);
    let is_covered = || names.iter().any(|name| stands_for(name, &subject, Matching::Wildcards));
    (is_of_issuer && !is_covered()).then(|| {
        let says = format!("no token can match {name}: groups of tokens have no Role=NULL");
        (says, format!("for users with tokens add a line \"{group}\""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use glexec_policy::files::map_file::lines;

    #[test]
    fn lines_for_voms_alone_are_told_where_the_vo_has_tokens() {
        let issuer = TokenIssuer {
            issuer: "https://vo/".into(),
            vos: vec!["testvo".into()],
            algorithms: Vec::new(),
            key_file: String::new(),
            keys: Vec::new(),
        };
        for (file, expected) in [
            ("\"/testvo/Role=NULL*\" .a", "no token can match /testvo/Role=NULL*"),
            ("\"/testvo/Role=NULL/Capability=NULL\" .a", "no token"),
            ("\"/testvo/g/Role=x/Capability=NULL\" .a", "no token"),
            ("\"/testvo/Role=NULL*\" .a\n\"/testvo\" .a", ""),
            ("\"/testvo*\" .a\n\"/testvo/Role=NULL*\" .a", ""),
            ("\"/other/Role=NULL*\" .a", ""),
            ("\"/testvo/*\" .a", ""),
            ("\"/testvo\" .a", ""),
            ("\"/iss=https://vo/sub=a\" b", "the issuer https:/"),
            ("\"/iss=https://vo//sub=a\" b", ""),
            ("\"/iss=https://*/sub=a\" b", ""),
            ("\"/DC=org/CN=a\" b", ""),
        ] {
            let all: Vec<_> = lines(file.as_bytes()).map(Result::unwrap).collect();
            let names: Vec<&[u8]> = all.iter().map(|line| line.name).collect();
            let said = all.iter().find_map(|line| unmatched(line, &names, std::slice::from_ref(&issuer)));
            match expected {
                "" => assert_eq!(said, None, "{file}"),
                expected => assert!(said.is_some_and(|(says, _)| says.contains(expected)), "{file}"),
            }
        }
    }
}
