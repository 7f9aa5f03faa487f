//! `glexec-admin explain`: the whole decision on a call, without its side effects.
//!
//! It is the decision of the privileged program ([`glexec::decision`]) on a machine that only looks ([`machine`]): no lease
//! is made or touched, nothing is written, nobody becomes anybody. As root it answers for any caller; everybody else sees
//! what the own permissions show.

mod machine;
mod tree;

use crate::reading::{self, Said};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, value_parser};
use glexec::decision::{self, Known, Matter};
use glexec::invocation::command_line::Payload;
use glexec::invocation::environment::{Client, Environment};
use glexec::payload::view::View;
use glexec::payload::{command, switch};
use glexec_config::Config;
use glexec_config::parse::parse;
use glexec_core::described::ProxyFile;
use glexec_core::identity::{Identity, TokenProof};
use glexec_core::reason::{Reason, Refusal, Retry};
use glexec_machine::accounts::Nss;
use glexec_machine::configuration;
use glexec_policy::accounts::AccountDatabase;
use glexec_policy::circumstances::Purpose;
use glexec_policy::mapping::Mapping;
use glexec_policy::trail::{Seen, Side, Step};
use glexec_sys::identity::{self, acting_as};
use glexec_sys::start::Inherited;
use glexec_sys_more::plain;
use machine::{Eyes, Watched};
use nix::unistd::{Gid, Uid, User, getgrouplist};
use serde::Serialize;
use std::ffi::{CString, OsStr, OsString};
use std::path::{Path, PathBuf};

/// What is to be explained.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The configuration; the installed one where it is not given.
    pub config: Option<PathBuf>,
    /// The caller's account; whoever runs the program, or, for root, the owner of the proxy.
    pub caller: Option<String>,
    /// The user's proxy or token file.
    pub client: Client,
    /// The pilot's proxy file.
    pub pilot_proxy: Option<PathBuf>,
    /// GLEXEC_MODE.
    pub mode: OsString,
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// Where a relative command is looked for.
    pub cwd: Option<PathBuf>,
}

/// Who explains: the process's real ids.
#[derive(Clone, Debug)]
pub struct Myself {
    /// User id.
    pub uid: Uid,
    /// Group id.
    pub gid: Gid,
    /// Supplementary groups.
    pub groups: Vec<Gid>,
}

/// The decision, and how it comes about.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The configuration that was used.
    pub configuration: PathBuf,
    pub caller: Option<Calling>,
    /// What the user's proxy file holds.
    pub user_proxy: Option<ProxyFile>,
    /// What the pilot's holds.
    pub pilot_proxy: Option<ProxyFile>,
    /// Whom the user's proxy was proved to stand for.
    pub user: Option<Person>,
    /// Whom the pilot's was.
    pub pilot: Option<Person>,
    /// What each plug-in answered.
    pub steps: Vec<Answered>,
    pub target: Option<Target>,
    /// The file that would be executed, or why none is known.
    pub command: Option<String>,
    /// Where this departs from a call, and notes for the log.
    pub remarks: Vec<String>,
    /// What the call would come to.
    pub verdict: Verdict,
}

#[derive(Clone, Debug, Serialize)]
pub struct Calling {
    /// Account name.
    pub account: String,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// A person whom a credential stands for.
#[derive(Clone, Debug, Serialize)]
pub struct Person {
    /// Distinguished name.
    pub dn: String,
    /// The CA's, where they are known by a proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Whether the proxy is limited, or none at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<glexec_core::identity::Form>,
    /// What else is known, where they are known by a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenProof>,
    /// FQANs that were proved.
    pub fqans: Vec<String>,
    /// End of validity in seconds since 1970 UTC.
    pub not_after: i64,
}

/// A plug-in's answer.
#[derive(Clone, Debug, Serialize)]
pub struct Answered {
    /// `lcas` or `lcmaps`.
    pub side: &'static str,
    pub plugin: String,
    /// What it found, and in which line of which file.
    pub seen: Vec<String>,
    /// What it answered.
    pub answer: Answer,
}

/// Yes or no.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "says", rename_all = "lowercase")]
pub enum Answer {
    Yes,
    No {
        code: &'static str,
        /// What the caller would read.
        sentence: String,
        /// What the log would have besides.
        detail: Option<String>,
    },
}

/// Who the payload would be.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// Account name.
    pub account: String,
    /// User id.
    pub uid: u32,
    /// The primary group, `name (gid)`.
    pub group: String,
    /// Supplementary groups.
    pub groups: Vec<String>,
    /// The lease's name, for a pool account.
    pub lease: Option<String>,
    pub lease_exists: bool,
}

/// What a call would come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Verdict {
    /// It would run.
    Permitted,
    /// It would be refused.
    Refused {
        code: &'static str,
        exit_code: u8,
        /// Whether trying again may help.
        transient: bool,
        /// What the caller would read.
        sentence: String,
        /// What the log would have besides.
        detail: Option<String>,
    },
    /// That cannot be told with the permissions at hand.
    Open {
        /// What is out of reach.
        why: String,
    },
}

impl Verdict {
    /// The program's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Verdict::Permitted => 0,
            Verdict::Refused { .. } => 2,
            Verdict::Open { .. } => 3,
        }
    }
}

/// The command line.
pub(super) fn definition() -> Command {
    let file = |name: &'static str, help: &'static str| {
        let path = Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf));
        path.value_hint(ValueHint::FilePath).help(help)
    };
    Command::new("explain")
        .about("Prints how a call with this proxy or token would be decided, without any effect.")
        .arg(file("config", "A glexec.conf to try instead of the installed one"))
        .arg(
            Arg::new("caller")
                .long("caller")
                .value_name("USER")
                .value_hint(ValueHint::Username)
                .help("Who calls; root only"),
        )
        .arg(file("token", "The user's token file, as GLEXEC_CLIENT_TOKEN names it, instead of a proxy"))
        .arg(file("pilot-proxy", "The pilot's own proxy, as X509_USER_PROXY names it"))
        .arg(
            Arg::new("mode")
                .long("mode")
                .value_parser(["lcmaps_get_account", "lcmaps_verify_account"])
                .default_value("lcmaps_get_account")
                .help("GLEXEC_MODE"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Prints one line of JSON for programs"))
        .arg(
            Arg::new("proxy")
                .required_unless_present("token")
                .conflicts_with("token")
                .value_name("PROXY")
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::FilePath)
                .help("The user's proxy file, as GLEXEC_CLIENT_CERT names it"),
        )
        .arg(Arg::new("command").last(true).num_args(0..).value_parser(value_parser!(OsString)).help("The command"))
        .after_help(
            "As root for any caller (without --caller: the owner of the proxy); everybody else for oneself, with one's \
             own permissions. Exit code: 0 the call would be permitted, 2 refused, 3 that cannot be told, 1 mistakes.",
        )
}

/// Runs the sub-command.
pub(super) fn run(matches: &ArgMatches, inherited: Inherited) -> Result<Said, String> {
    let Inherited { uid, gid, groups, cwd, .. } = inherited;
    let wanted = Wanted {
        config: matches.get_one("config").cloned(),
        caller: matches.get_one("caller").cloned(),
        client: match matches.get_one::<PathBuf>("token").cloned() {
            Some(token) => Client::Token(token),
            None => Client::Proxy(matches.get_one::<PathBuf>("proxy").cloned().unwrap_or_default()),
        },
        pilot_proxy: matches.get_one("pilot-proxy").cloned(),
        mode: matches.get_one::<String>("mode").map(OsString::from).unwrap_or_default(),
        command: matches.get_many("command").into_iter().flatten().cloned().collect(),
        cwd,
    };
    let explanation = explain(&wanted, &Myself { uid, gid, groups })?;
    let text = match matches.get_flag("json") {
        true => serde_json::to_string(&explanation).map_err(|why| why.to_string())? + "\n",
        false => tree::render(&explanation),
    };
    Ok(Said { text, code: explanation.verdict.exit_code() })
}

/// Explains a call. As root the process gives up all capabilities but those that the privileged program keeps.
pub fn explain(wanted: &Wanted, myself: &Myself) -> Result<Explanation, String> {
    let Loaded { path, config, mut remarks } = configuration(wanted.config.as_deref())?;
    let caller = caller(wanted, myself)?;
    let eyes = match myself.uid.is_root() {
        true => {
            // The bounding set is emptied while that may be done: verifier and plug-ins could not any more.
            identity::settle_capabilities(&[])?;
            Eyes::Root(caller.groups.clone())
        }
        false => Eyes::Own,
    };
    let payload = wanted.command.split_first();
    let payload = payload.map(|(command, rest)| Payload { command: command.clone(), arguments: rest.to_vec() });
    let (uid, gid, groups, cwd) = (caller.uid, caller.gid, caller.groups.as_slice(), wanted.cwd.as_deref());
    let matter = Matter { uid, gid, groups, cwd, payload: payload.as_ref(), purpose: Purpose::Explanation };
    let machine = Watched::new(eyes.clone());
    let mut known = Known::default();
    let decided = decision::decide(&matter, environment(wanted).request(), &config, &machine, &mut known);
    let aside = machine.aside();
    remarks.extend(aside.remarks);
    remarks.extend(known.verified.iter().flat_map(|verified| verified.notes.clone()));
    if matches!((&eyes, &decided), (Eyes::Own, Ok(_))) {
        remarks.push("only root can tell whether the account has expired and finds the command".to_owned());
    }

    let command = match &decided {
        Ok(decided) => found(&matter, &decided.target, &config, &eyes),
        Err(_) => Ok(None),
    };
    let verdict = match (&decided, &command, aside.barred) {
        (Err(_), _, Some(why)) => Verdict::Open { why },
        (Err(refusal), ..) | (Ok(_), Err(refusal), _) => refused(refusal),
        (Ok(_), Ok(_), _) => Verdict::Permitted,
    };
    Ok(Explanation {
        configuration: path,
        caller: known.caller.map(|caller| Calling { account: caller.name, uid: caller.uid, gid: caller.gid }),
        user_proxy: aside.user,
        pilot_proxy: aside.pilot,
        user: known.verified.as_ref().map(|verified| person(&verified.user)),
        pilot: known.verified.as_ref().and_then(|verified| verified.pilots().first().copied()).map(person),
        steps: known.trail.steps.iter().map(answered).collect(),
        target: decided.ok().map(|decided| account_of(&decided.target, &known.trail.steps)),
        command: command.ok().flatten(),
        remarks,
        verdict,
    })
}

/// The configuration, where it is, and what would be wrong with the place.
fn configuration(wanted: Option<&Path>) -> Result<Loaded, String> {
    let installed = Path::new(configuration::CONFIG_FILE);
    let path = wanted.unwrap_or(installed);
    let text = reading::read(path)?;
    let config = parse(&text).map_err(|mistake| reading::told(path, &mistake))?;
    let remark = configuration::would_refuse(path)
        .map(|refusal| format!("glexec would refuse every call: {}", refusal.for_log()));
    Ok(Loaded { path: path.into(), config, remarks: remark.into_iter().collect() })
}

struct Loaded {
    path: PathBuf,
    config: Config,
    remarks: Vec<String>,
}

/// The caller's ids.
fn caller(wanted: &Wanted, myself: &Myself) -> Result<Myself, String> {
    let of_account = |user: User| -> Result<Myself, String> {
        let name = CString::new(user.name.as_str()).map_err(|_| "a NUL in a name".to_owned())?;
        let groups = getgrouplist(&name, user.gid).map_err(|errno| format!("the groups of {}: {errno}", user.name))?;
        Ok(Myself { uid: user.uid, gid: user.gid, groups })
    };
    if let Some(name) = &wanted.caller {
        let user = User::from_name(name).map_err(|errno| format!("looking up {name}: {errno}"))?;
        let user = user.ok_or_else(|| format!("there is no account {name}"))?;
        return match myself.uid.is_root() || user.uid == myself.uid {
            true if user.uid == myself.uid => Ok(myself.clone()),
            true => of_account(user),
            false => Err("only root can explain what happens to other callers".to_owned()),
        };
    }
    let owner = plain::owner(wanted.client.path()).filter(|owner| myself.uid.is_root() && !owner.is_root());
    match owner.map(User::from_uid) {
        Some(Ok(Some(user))) => of_account(user),
        _ => Ok(myself.clone()),
    }
}

/// What the caller's environment would be.
fn environment(wanted: &Wanted) -> Environment {
    let client = match &wanted.client {
        Client::Proxy(path) => ("GLEXEC_CLIENT_CERT".into(), path.clone().into_os_string()),
        Client::Token(path) => ("GLEXEC_CLIENT_TOKEN".into(), path.clone().into_os_string()),
    };
    let mut variables =
        vec![client, ("GLEXEC_TARGET_PROXY".into(), "/dev/null".into()), ("GLEXEC_MODE".into(), wanted.mode.clone())];
    variables.extend(wanted.pilot_proxy.iter().map(|path| ("X509_USER_PROXY".into(), path.clone().into_os_string())));
    Environment::new(variables)
}

/// The file that the account would execute; a refusal where there is none.
fn found(matter: &Matter<'_>, target: &Mapping, config: &Config, eyes: &Eyes) -> Result<Option<String>, Refusal> {
    let Some(payload) = matter.payload else { return Ok(None) };
    let allowed = |path: &Path| config.lcas.lets_run(path);
    if let Some(wrapper) = &config.glexec.wrapper {
        let command = command::for_wrapper(&payload.command, &config.glexec.path, matter.cwd, allowed)?;
        let wrapper = wrapper.program().as_path().display();
        return Ok(Some(format!("{}, to be found by {wrapper}", command.display())));
    }
    let find = || command::find(&payload.command, &config.glexec.path, matter.cwd, &View::default(), allowed);
    match eyes {
        Eyes::Root(_) => {
            let found = acting_as(&switch::actor(target), find).map_err(|errno| {
                Refusal::new(Reason::SystemFailed, "the account's identity could not be taken")
                    .detail(errno.to_string())
            })?;
            Ok(Some(found?.display().to_string()))
        }
        Eyes::Own => Ok(Some(format!("{}, to be found by the account", Path::new(&payload.command).display()))),
    }
}

fn person(identity: &Identity) -> Person {
    Person {
        dn: identity.subject.to_string(),
        issuer: identity.issuer().map(ToString::to_string),
        form: identity.form(),
        token: identity.token().cloned(),
        fqans: identity.fqans.iter().map(ToString::to_string).collect(),
        not_after: identity.not_after,
    }
}

fn account_of(mapping: &Mapping, steps: &[Step]) -> Target {
    let group = |gid: u32| match Nss.group_by_gid(gid) {
        Ok(Some(name)) => format!("{name} ({gid})"),
        _ => gid.to_string(),
    };
    let is_made = |seen: &Seen| matches!(seen, Seen::Lease { path, .. } if path.file_name() == mapping.lease.as_deref().map(OsStr::new));
    Target {
        account: mapping.name.clone(),
        uid: mapping.uid.get(),
        group: group(mapping.gid.get()),
        groups: mapping.groups.iter().map(|gid| group(gid.get())).collect(),
        lease: mapping.lease.clone(),
        lease_exists: steps.iter().flat_map(|step| &step.seen).any(is_made),
    }
}

fn answered(step: &Step) -> Answered {
    Answered {
        side: match step.side {
            Side::Authorization => "lcas",
            Side::Mapping => "lcmaps",
        },
        plugin: step.plugin.clone(),
        seen: step.seen.iter().map(ToString::to_string).collect(),
        answer: match &step.answer {
            Ok(()) => Answer::Yes,
            Err(refusal) => Answer::No {
                code: refusal.reason().code(),
                sentence: refusal.sentence().to_owned(),
                detail: refusal.only_for_log().filter(|detail| !detail.is_empty()).map(str::to_owned),
            },
        },
    }
}

fn refused(refusal: &Refusal) -> Verdict {
    let reason = refusal.reason();
    Verdict::Refused {
        code: reason.code(),
        exit_code: reason.class().exit_code(),
        transient: reason.retry() == Retry::MayHelp,
        sentence: refusal.sentence().to_owned(),
        detail: refusal.only_for_log().filter(|detail| !detail.is_empty()).map(str::to_owned),
    }
}
