//! `glexec-admin sweep`: cleaning up after calls that were killed with their monitor.

mod lost;

use clap::{ArgMatches, Command};
use glexec_machine::configuration;
use lost::Swept;
use nix::unistd::geteuid;

/// Its command line.
pub fn definition() -> Command {
    Command::new("sweep")
        .about("Cleans up after calls whose processes were all killed at once.")
        .after_help(
            "For every such call it ends what is left of the payload, removes the payload's proxy, runs the site's epilogue and \
             writes the end record, with lost=true. Calls that run are left alone. For root; safe at any time, also twice at \
             once. Prints a line for each call; exits with 1 where something could not be done.",
        )
}

/// Cleans up; returns what it did and the exit code.
pub fn run(_: &ArgMatches) -> Result<(String, u8), String> {
    if !geteuid().is_root() {
        return Err("only root can clean up after calls".into());
    }
    let config = configuration::load().map_err(|refusal| refusal.for_log())?;
    let (mut text, mut code) = (String::new(), 0);
    lost::all(&config.glexec, &mut |swept| {
        code |= u8::from(!swept.problems.is_empty());
        text.push_str(&line(&swept));
    })?;
    Ok((text, code))
}

fn line(swept: &Swept) -> String {
    let epilogue = swept.epilogue.as_ref().map(|word| format!(", epilogue {word}")).unwrap_or_default();
    let problems: String = swept.problems.iter().map(|why| format!("; {why}")).collect();
    format!("{}: {} ended, {} removed{epilogue}{problems}\n", swept.call, swept.ended, swept.removed)
}
