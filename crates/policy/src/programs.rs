//! Plug-ins from outside: programs of the site that say yes or no, or which account.
//!
//! One JSON document on their standard input, one line of JSON on their standard output; docs/reference/plugins.md has the protocol.
//! They run as the service user, out of the caller's reach, with a deadline. What they answer is
//! checked as strictly as what a map file says; what they do not answer is never a permit.

use crate::circumstances::{Circumstances, Purpose};
use glexec_config::exec::Exec;
use glexec_core::account;
use glexec_core::file_error::FileError;
use glexec_core::identity::{Form, Identity, Proof};
use glexec_core::program::{NoAnswer, Said};
use serde::{Deserialize, Serialize};

/// The version of the protocol that documents name where everybody is known by a proxy.
const VERSION: u32 = 1;
/// The same where somebody is known by a token: a plug-in that knows nothing of tokens must not take one for a proxy.
const VERSION_OF_TOKENS: u32 = 2;
/// Longest message in bytes.
const MAX_MESSAGE: usize = 1024;
/// Most supplementary groups of an answer (NGROUPS_MAX of old systems).
const MAX_GROUPS: usize = 32;

/// Why a program could not be asked, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// It is missing, or somebody else than root could have written it.
    #[error("{0}")]
    Unusable(#[from] FileError),
    /// It did not work.
    #[error("{0}")]
    NoAnswer(#[from] NoAnswer),
    /// It answered something that is not in the protocol.
    #[error("{0}")]
    Nonsense(String),
}

/// Who runs programs; a trait so that plug-ins can be tested without.
pub trait Programs {
    /// Runs a program with a document on its standard input.
    fn ask(&self, exec: &Exec, document: &[u8]) -> Result<Said, Failed>;
}

/// What a plug-in is asked.
#[derive(Debug, Serialize)]
pub struct Question<'a> {
    version: u32,
    kind: &'static str,
    /// `user` or `pilot` (LCAS): who is judged; `get_account` or `verify_account` (LCMAPS).
    about: &'static str,
    /// There where nobody is going to run: a plug-in that changes something must not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    explain: bool,
    user: Person<'a>,
    pilot: Option<Person<'a>>,
    caller: Caller<'a>,
    command: Option<String>,
    cwd: Option<String>,
}

#[derive(Debug, Serialize)]
struct Person<'a> {
    dn: &'a str,
    #[serde(flatten)]
    proof: ShownProof<'a>,
    vo: Option<&'a str>,
    fqans: Vec<&'a str>,
    not_after: i64,
}

/// By what a person is known.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ShownProof<'a> {
    X509 {
        issuer: &'a str,
        serial: &'a str,
        limited: bool,
    },
    Token {
        /// Always `token`.
        credential: &'static str,
        iss: &'a str,
        sub: &'a str,
        jti: Option<&'a str>,
        kid: &'a str,
        scope: &'a str,
    },
}

impl<'a> From<&'a Identity> for ShownProof<'a> {
    fn from(identity: &'a Identity) -> Self {
        match &identity.proof {
            Proof::X509 { issuer, serial, form } => ShownProof::X509 {
                issuer: issuer.as_str(),
                serial: serial.as_str(),
                limited: *form == Form::LimitedProxy,
            },
            Proof::Token(token) => {
                let (iss, sub) = identity.subject.token_parts().unwrap_or_default();
                let jti = token.jti.as_deref();
                ShownProof::Token { credential: "token", iss, sub, jti, kid: &token.kid, scope: &token.scope }
            }
        }
    }
}

#[derive(Debug, Serialize)]
struct Caller<'a> {
    account: &'a str,
    uid: u32,
    gid: u32,
    groups: &'a [u32],
}

impl<'a> From<&'a Identity> for Person<'a> {
    fn from(identity: &'a Identity) -> Self {
        Person {
            dn: identity.subject.as_str(),
            proof: identity.into(),
            vo: identity.vo(),
            fqans: identity.fqans.iter().map(|fqan| fqan.as_str()).collect(),
            not_after: identity.not_after,
        }
    }
}

impl<'a> Question<'a> {
    /// A question of a kind (`lcas`, `lcmaps`) about something.
    pub fn new(
        (kind, about): (&'static str, &'static str),
        user: &'a Identity,
        pilot: Option<&'a Identity>,
        call: &'a Circumstances,
    ) -> Self {
        Question {
            version: match [Some(user), pilot].into_iter().flatten().any(|person| person.token().is_some()) {
                true => VERSION_OF_TOKENS,
                false => VERSION,
            },
            kind,
            about,
            explain: call.purpose == Purpose::Explanation,
            user: user.into(),
            pilot: pilot.map(Person::from),
            caller: Caller {
                account: &call.caller,
                uid: call.caller_uid,
                gid: call.caller_gid,
                groups: &call.caller_groups,
            },
            // Bytes that are not UTF-8 are replaced: a policy that knows the command by name does not know this one.
            command: call.command.as_ref().map(|command| command.to_string_lossy().into_owned()),
            cwd: call.cwd.as_ref().map(|cwd| cwd.to_string_lossy().into_owned()),
        }
    }
}

/// What a plug-in may answer, as one JSON object.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Line {
    decision: Option<Decision>,
    message: Option<String>,
    tell_caller: Option<String>,
    account: Option<String>,
    group: Option<String>,
    groups: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Permit,
    Deny,
}

/// An account and groups, by name; well-formed, but not yet looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub account: Option<String>,
    /// The primary group.
    pub group: Option<String>,
    /// Supplementary groups.
    pub groups: Option<Vec<String>>,
}

/// A plug-in's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes, and what comes with it.
    Permit(Names),
    Deny {
        /// For the log.
        message: String,
        /// For the caller, where the plug-in says so.
        tell_caller: Option<String>,
    },
}

/// Asks a plug-in.
pub fn ask(exec: &Exec, question: &Question<'_>, programs: &dyn Programs) -> Result<Answer, Failed> {
    let mut document = serde_json::to_vec(question).map_err(|error| Failed::Nonsense(error.to_string()))?;
    document.push(b'\n');
    let said = programs.ask(exec, &document)?;
    answer(&said).map_err(|why| {
        let stderr = String::from_utf8_lossy(&said.errors);
        let why = if stderr.trim().is_empty() { why } else { format!("{why}; it says: {}", stderr.trim()) };
        Failed::Nonsense(exec.about(&why))
    })
}

/// Exit status 0 without output is a permit and 1 a denial; with output the line counts, and must agree with the status.
/// Any other status is a failure, whatever the line says.
fn answer(said: &Said) -> Result<Answer, String> {
    let denial = match said.status {
        0 => false,
        1 => true,
        other => return Err(format!("exit status {other}")),
    };
    let text = std::str::from_utf8(&said.output).map_err(|_| "the answer is not UTF-8 text".to_owned())?;
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let line = match (lines.next(), lines.next()) {
        (None, _) => Line { decision: Some(if denial { Decision::Deny } else { Decision::Permit }), ..Line::default() },
        // serde would take an array's values for an object's.
        (Some(line), None) if !line.trim_start().starts_with('{') => {
            return Err("the answer is no JSON object".to_owned());
        }
        (Some(line), None) => serde_json::from_str(line).map_err(|error| format!("the answer: {error}"))?,
        (Some(_), Some(_)) => return Err("the answer has more than one line".to_owned()),
    };
    let texts = [&line.message, &line.tell_caller];
    if texts.into_iter().flatten().any(|text| text.len() > MAX_MESSAGE) {
        return Err("a message that is too long".to_owned());
    }
    let names = Names { account: line.account, group: line.group, groups: line.groups };
    match (line.decision, denial) {
        (Some(Decision::Permit), true) => Err("exit status 1, but the answer permits".to_owned()),
        (None, true) => Err("exit status 1, but the answer does not deny".to_owned()),
        (Some(Decision::Deny), _) if names == Names::default() => {
            // Words of blanks are none: the caller would hear nothing.
            let tell_caller = line.tell_caller.filter(|words| !words.trim().is_empty());
            Ok(Answer::Deny { message: line.message.unwrap_or_default(), tell_caller })
        }
        (Some(Decision::Deny), _) => Err("a denial with an account".to_owned()),
        (None, false) if names == Names::default() => Err("the answer decides nothing".to_owned()),
        (Some(Decision::Permit) | None, false) => check(names).map(Answer::Permit),
    }
}

fn check(names: Names) -> Result<Names, String> {
    let groups = names.groups.iter().flatten();
    if names.groups.as_ref().is_some_and(|groups| groups.len() > MAX_GROUPS) {
        return Err("too many groups".to_owned());
    }
    match names.account.iter().chain(&names.group).chain(groups).find(|name| !account::is_name(name)) {
        Some(bad) => Err(format!("{bad:?} is not the name of an account or a group")),
        None => Ok(names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(status: i32, output: &str) -> Result<Answer, String> {
        answer(&Said { status, output: output.as_bytes().to_vec(), errors: Vec::new() })
    }

    fn deny(message: &str, caller: Option<&str>) -> Result<Answer, String> {
        Ok(Answer::Deny { message: message.to_owned(), tell_caller: caller.map(str::to_owned) })
    }

    #[test]
    fn the_exit_status_alone_will_do() {
        assert_eq!(says(0, ""), Ok(Answer::Permit(Names::default())));
        assert_eq!(says(0, "\n"), Ok(Answer::Permit(Names::default())));
        assert_eq!(says(1, ""), deny("", None));
        for status in [2, 126, 127, 137, 255] {
            assert!(says(status, "").is_err());
            assert!(says(status, r#"{"decision":"permit"}"#).is_err());
        }
    }

    #[test]
    fn a_line_says_more() {
        assert_eq!(says(0, "{\"decision\":\"permit\"}\n"), Ok(Answer::Permit(Names::default())));
        assert_eq!(says(0, r#"{"decision":"deny","message":"why"}"#), deny("why", None));
        assert_eq!(says(1, r#"{"decision":"deny","tell_caller":"go away"}"#), deny("", Some("go away")));
        for silent in ["", " ", "\\n"] {
            assert_eq!(says(1, &format!(r#"{{"decision":"deny","tell_caller":"{silent}"}}"#)), deny("", None));
        }
        let names = Names { account: Some("a".into()), group: Some("g".into()), groups: Some(vec!["h".into()]) };
        assert_eq!(says(0, r#"{"account":"a","group":"g","groups":["h"]}"#), Ok(Answer::Permit(names)));
    }

    #[test]
    fn nonsense_is_never_a_permit() {
        for nonsense in [
            "yes",
            "{}",
            "[]",
            "[\"permit\"]",
            "[null,null,null,\"a\"]",
            "null",
            "{\"decision\":\"allow\"}",
            "{\"decision\":\"permit\"}\n{\"decision\":\"permit\"}",
            "{\"decision\":\"permit\"} x",
            "{\"decision\":\"permit\",\"uid\":0}",
            "{\"decision\":\"deny\",\"account\":\"a\"}",
            "{\"account\":\"0\"}",
            "{\"account\":0}",
            "{\"account\":\"-1\"}",
            "{\"account\":\"a b\"}",
            "{\"account\":\"a\",\"account\":\"b\"}",
            "{\"account\":\"a\",\"groups\":[\"+\"]}",
            "{\"message\":\"hm\"}",
        ] {
            assert!(says(0, nonsense).is_err(), "{nonsense}");
        }
        assert!(says(1, r#"{"decision":"permit"}"#).is_err());
        assert!(says(1, r#"{"account":"a"}"#).is_err());
        let long = format!("{{\"decision\":\"deny\",\"message\":\"{}\"}}", "x".repeat(MAX_MESSAGE + 1));
        assert!(says(0, &long).is_err());
        let many = format!("{{\"account\":\"a\",\"groups\":[{}\"g\"]}}", "\"g\",".repeat(MAX_GROUPS));
        assert!(says(0, &many).is_err());
        assert!(answer(&Said { status: 0, output: vec![0xff], errors: Vec::new() }).is_err());
    }
}
