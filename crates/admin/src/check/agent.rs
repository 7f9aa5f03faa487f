//! The agent: whether it answers, as whom, in which version, and whether it knows the trust directories as they are.

use super::finding::{Finding, State};
use crate::show::counted;
use glexec_config::Config;
use glexec_config::agent::Use;
use glexec_core::agent_state::AgentState;
use glexec_core::file_error::FileError;
use glexec_core::question::{self, Asked, Question};
use glexec_core::reason::Reason;
use glexec_core::verdict::{self, MAX_VERDICT};
use glexec_machine::accounts::Nss;
use glexec_policy::accounts::AccountDatabase;
use glexec_sys::dir::{Directory, last_change};
use glexec_sys::{asking, time};
use nix::unistd::Uid;

/// How long after a change the agent may not have looked yet, in seconds.
const LATE: i64 = 60;

/// Asks the agent how it is, which only root can; nothing where calls do not use one.
pub fn check(config: &Config) -> Option<Finding> {
    let agent = &config.agent;
    let subject = agent.socket.as_path().display().to_string();
    // Without it calls are judged all the same, or not at all.
    let state = match agent.usage {
        Use::Never => return None,
        Use::IfRunning => State::Warning,
        Use::Required => State::Critical,
    };
    let bad = |says: String| Finding::refused(state, subject.clone(), says, Reason::AgentUnavailable);
    match asking::check(agent.socket.as_path()) {
        Err(FileError::Missing(_)) if agent.usage == Use::IfRunning => {
            let says = "no agent runs here: every call starts the verifier, which takes longer";
            return Some(Finding::ok(subject, says));
        }
        Err(error) => return Some(bad(error.to_string())),
        Ok(()) => {}
    }
    Some(match ask(config) {
        Err(why) => bad(why),
        Ok(said) if said.version != env!("CARGO_PKG_VERSION") => {
            let says = format!("it is of version {}, and this is {}", said.version, env!("CARGO_PKG_VERSION"));
            Finding::bad(State::Warning, subject, says, "restart glexec-agent")
        }
        Ok(said) if is_late(config, &said) => {
            let says =
                "it has not looked at the CA directory since that changed: each call reads the changed files anew";
            Finding::bad(State::Warning, subject, says, "look at its messages, and restart glexec-agent")
        }
        Ok(said) => {
            let (cas, crls) = (counted(said.certificates, "CA"), counted(said.crls, "CRL"));
            let age = said.learned.zip(time::now().ok()).map(|(learned, now)| now.saturating_sub(learned).max(0));
            let since = age.map_or_else(|| "not yet".to_owned(), |age| format!("{} ago", in_words(age)));
            let mib = said.bytes.div_ceil(1024 * 1024);
            Finding::ok(subject, format!("answers; knows {cas} and {crls}, looked at {since}, in {mib} MiB"))
        }
    })
}

/// Seconds in the largest unit that there are two of.
fn in_words(seconds: i64) -> String {
    let units = [(86400_i64, "days"), (3600, "h"), (60, "min")];
    let large = units.into_iter().find(|(unit, _)| seconds >= unit.saturating_mul(2));
    large.map_or_else(
        || format!("{seconds} s"),
        |(unit, name)| format!("{} {name}", seconds.checked_div(unit).unwrap_or(0)),
    )
}

fn ask(config: &Config) -> Result<AgentState, String> {
    let name = &config.glexec.service_user;
    let user = Nss.login(name).map_err(|error| error.to_string())?.ok_or_else(|| format!("{name} is no account"))?;
    let asked = Question {
        asked: Asked::Agent,
        settings: config.credentials.clone(),
        host: String::new(),
        now: time::now().map_err(|refusal| refusal.for_log())?,
    };
    let question = question::encode(&asked, &[]).ok_or("the settings are too long for a question")?;
    let agent = asking::Agent {
        socket: config.agent.socket.as_path(),
        user: Uid::from_raw(user.uid),
        deadline: config.agent.timeout.duration(),
        max_answer: MAX_VERDICT,
    };
    let answers = asking::ask_all(&agent, &[], &[question.as_slice()]).map_err(|why| why.to_string())?;
    let answer = answers.first().ok_or("no answer")?;
    verdict::decode(answer).map_err(|refusal| refusal.for_log())
}

/// Whether something changed long ago that it has not seen.
fn is_late(config: &Config, said: &AgentState) -> bool {
    let changed = Directory::open(config.credentials.certdir.as_path()).ok().and_then(|directory| {
        let names = directory.names().ok()?;
        names.iter().filter_map(|name| directory.version(name)).map(|version| last_change(&version)).max()
    });
    let long_ago = time::now().unwrap_or_default().saturating_sub(LATE);
    changed.is_some_and(|changed| changed < long_ago && said.learned.is_none_or(|learned| learned < changed))
}
