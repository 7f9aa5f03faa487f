//! The site's mapping service, as calls ask it.

use super::finding::{Finding, State};
use glexec::site::socket;
use glexec_config::Config;
use glexec_core::reason::Refusal;
use glexec_core::site::{MAX_REPLY, Reply};
use glexec_machine::accounts::Nss;
use glexec_policy::accounts::AccountDatabase;
use glexec_sys::asking::{self, Agent};
use glexec_sys::dir;
use nix::unistd::Uid;

/// What to do about the host's files.
const FILES: &str = "name the host's certificate and key in [site]; both belong to root, and nobody else writes them";
/// What to do where nobody answers.
const AGENT: &str = "start glexec-agent, anew where [site], certificate or key are new, and look at what it says";

/// Checks what `[site]` names, and as root whether what asks the service answers.
pub fn check(config: &Config, as_root: bool) -> Vec<Finding> {
    let Some(site) = &config.site else { return Vec::new() };
    let mut found = Vec::new();
    for (what, path) in [("certificate", &site.certificate), ("key", &site.key)] {
        let subject = format!("[site] {what}");
        found.push(match dir::check_file(path.as_path()) {
            Ok(()) => Finding::ok(subject, path.as_path().display().to_string()),
            Err(error) => Finding::bad(State::Critical, subject, error.to_string(), FILES),
        });
    }
    if as_root {
        found.push(answers(config));
    }
    found
}

/// A question that is none has an answer, too.
fn answers(config: &Config) -> Finding {
    let subject = "what asks the site's mapping service";
    let bad = |why: String| Finding::bad(State::Critical, subject, why, AGENT);
    let path = socket(config.agent.socket.as_path());
    let user = match Nss.login(&config.glexec.service_user) {
        Ok(Some(login)) => Uid::from_raw(login.uid),
        Ok(None) => return bad(format!("there is no account {}", config.glexec.service_user)),
        Err(error) => return Finding::of(State::Critical, subject, &Refusal::from(error)),
    };
    if let Err(error) = asking::check(&path) {
        return bad(error.to_string());
    }
    let deadline = config.site.as_ref().map(|site| site.timeout.duration()).unwrap_or_default();
    let agent = Agent { socket: &path, user, deadline, max_answer: MAX_REPLY };
    let answers = asking::ask_all(&agent, &[], &[b"{}".as_slice()]);
    match answers.map(|answers| answers.first().map(|answer| Reply::read(answer))) {
        Ok(Some(Ok(_))) => Finding::ok(subject, format!("it answers at {}", path.display())),
        Ok(Some(Err(why))) => bad(format!("{}: {why}", path.display())),
        Ok(None) => bad(format!("{}: no answer", path.display())),
        Err(why) => bad(format!("{}: {why}", path.display())),
    }
}
