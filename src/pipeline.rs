//! The story of a call: harden → invocation → caller → config → credential → verify → authorize → map → audit → switch →
//! run.

use crate::call;
use crate::call::Call;
use crate::credential_files::{RawCredential, RawCredentials};
use crate::decision::{self, Decided, Known, Machine, Matter, Privileged};
use crate::invocation::command_line::{self, Ask, Job};
use crate::invocation::environment::{Request, Target};
use crate::payload::becoming::become_payload;
use crate::payload::linger::banned::Banned;
use crate::payload::linger::cgroups::Cgroups;
use crate::payload::linger::epilogue::{self, Epilogue};
use crate::payload::linger::{self, Lingering};
use crate::payload::prologue::{self, Prologue};
use crate::payload::renewal::Renewal;
use crate::payload::switch::{self, Prepared, Wish};
use crate::payload::target_proxy::Wanted;
use crate::payload::told::Facts;
use crate::payload::view::{Entry, Ipc, View};
use crate::payload::{private_tmp, sandbox};
use glexec_config::Config;
use glexec_config::isolation::PrivateTmp;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_machine::configuration;
use glexec_policy::accounts::AccountDatabase;
use glexec_policy::circumstances::Purpose;
use glexec_policy::mapping::Mapping;
use glexec_sys::identity::{Actor, Need};
use glexec_sys::start::{self, Inherited, Limits};
use nix::unistd::Gid;

/// Runs one call; returns the exit code when the process has not become the payload.
pub fn main() -> u8 {
    let inherited = start::take();
    match command_line::parse(&inherited.arguments) {
        Ok(Ask::Help) => call::say(&inherited, &command_line::help()),
        Ok(Ask::Version) => call::say(&inherited, &command_line::version()),
        Ok(Ask::Settings) if inherited.uid.is_root() => call::say(&inherited, &configuration::settings()),
        Ok(Ask::Settings) => refuse(&inherited, Refusal::new(Reason::InvocationUsage, "-V is for root only")),
        Ok(Ask::Call(job)) => answer(&inherited, &job),
        Err(refusal) => refuse(&inherited, refusal),
    }
}

/// Refuses a command line that asks for nothing, where the site looks for refusals: in its log, if it can be found.
fn refuse(inherited: &Inherited, refusal: Refusal) -> u8 {
    let mut call = Call::begin(inherited);
    call.record.wish(&Job::default(), inherited.cwd.as_deref(), &call.environment);
    if let Ok(config) = call::harden(inherited).and_then(|_| configuration::load()) {
        call.open_log(&config.glexec);
    }
    call.refuse(&refusal)
}

fn answer(inherited: &Inherited, job: &Job) -> u8 {
    let mut call = Call::begin(inherited);
    let refusal = match authorize(&mut call, inherited, job) {
        Ok(Authorized { prepared, limits, target, config, cgroups, epilogue, banned })
            if config.glexec.linger && prepared.has_command() =>
        {
            let refusal;
            let lingering = Lingering {
                call,
                prepared,
                limits,
                target: &target,
                config: &config.glexec,
                cgroups,
                epilogue,
                banned,
            };
            (call, refusal) = linger::supervise(lingering);
            refusal
        }
        Ok(Authorized { prepared, limits, .. }) => match become_payload(&mut call, prepared, &limits, None) {
            Ok(()) => return 0,
            Err(refusal) => refusal,
        },
        Err(refusal) => refusal,
    };
    call.refuse(&refusal)
}

/// A call that is authorized and recorded; only the switch is left.
struct Authorized {
    prepared: Prepared,
    limits: Limits,
    target: Mapping,
    config: Config,
    cgroups: Option<Cgroups>,
    epilogue: Option<Epilogue>,
    banned: Option<Banned>,
}

/// Decides, prepares and records.
fn authorize(call: &mut Call, inherited: &Inherited, job: &Job) -> Outcome<Authorized> {
    call.record.wish(job, inherited.cwd.as_deref(), &call.environment);
    let limits = call::harden(inherited)?;
    call.check_descriptors()?;

    let config = configuration::load()?;
    let apart = linger::cgroups::make_for_monitors(&config.glexec);
    let tmp = private_tmp::when(config.isolation.private_tmp);
    call::settle(&needs(&config, job, tmp))?;
    call.open_log(&config.glexec);
    apart.unwrap_or_else(|why| call.inform(&why));
    call.check_report()?;

    let (uid, gid, groups, cwd) = (inherited.uid, inherited.gid, &inherited.groups, inherited.cwd.as_deref());
    let payload = job.payload.as_ref();
    let sandbox = job.sandbox.as_deref().map(|directory| sandbox::path(directory, cwd)).transpose();
    // A relative command is found there.
    let work = sandbox.as_ref().ok().and_then(Option::as_deref).or(cwd);
    let matter = Matter { uid, gid, groups, cwd: work, payload, purpose: Purpose::Call };
    let machine = Privileged::default();
    let mut known = Known::default();
    let request = call.environment.request();
    let decided = decision::decide(&matter, request, &config, &machine, &mut known);
    call.know(&known);
    machine.notes().iter().for_each(|note| call.note(note));
    let Decided { raw, request, target, caller, verified, service } = decided?;
    call.record.mapping(&target);
    if let Some(text) = untracked(groups, gid, &target, machine.accounts()) {
        call.note(&text);
    }
    let banned = Banned::of(&config, &verified);

    let cgroups = payload.map_or(Ok(None), |_| linger::cgroups::find(&config.glexec, call))?;
    let facts = |payload| Facts { caller: &caller, groups, target: &target, payload };
    let epilogue =
        payload.map_or(Ok(None), |payload| Epilogue::find(&config.glexec, &facts(payload), machine.accounts()))?;
    let prologue =
        payload.map_or(Ok(None), |payload| Prologue::find(&config.glexec, &facts(payload), machine.accounts()))?;
    let actor = Actor { uid, gid, groups: Some(groups.clone()) };
    let sandbox = sandbox?.map(|path| sandbox::prepare(path, &actor, &switch::actor(&target), &config.isolation));
    let ipc = if config.isolation.private_ipc { Ipc::Own } else { Ipc::Shared };
    let view = view(call, sandbox.transpose()?, tmp, ipc, &actor, &target)?;
    let copies = copies(&raw, &request, &config);
    if payload.is_none() {
        let renewal = Renewal { cwd, view: &view, target: &target, service: &service, config: &config };
        copies.iter().try_for_each(|copy| renewal.check(copy, verified.owner(copy.kind)))?;
    }
    let wish = Wish {
        lcas: &config.lcas,
        payload,
        caller: &actor,
        environment: &call.environment,
        cwd,
        view,
        copies: &copies,
    };
    let mut prepared = switch::prepare(&target, wish, &config.glexec)?;
    call.prepare_report(&target, &verified.user, &prepared);
    // Last of all that may refuse, for it does something.
    let ran = prologue.map_or(Ok(()), |prologue| prepared.run_prologue(&prologue));
    match ran.and_then(|()| call.audit(&config.glexec)) {
        Ok(()) => Ok(Authorized { prepared, limits, target, config, cgroups, epilogue, banned }),
        Err(refusal) => {
            prepared.undo();
            Err(refusal)
        }
    }
}

/// What to tell of groups that the payload loses and that no account has: by such a one a batch system finds the processes of a
/// job.
fn untracked(groups: &[Gid], gid: Gid, target: &Mapping, accounts: &dyn AccountDatabase) -> Option<String> {
    let is_kept = |id: u32| target.groups.iter().any(|kept| kept.get() == id);
    let unknown = |id: &u32| !is_kept(*id) && matches!(accounts.group_by_gid(*id), Ok(None));
    let lost = groups.iter().filter(|group| **group != gid).map(|group| group.as_raw()).filter(unknown);
    let lost: Vec<String> = lost.map(|id| id.to_string()).collect();
    (!lost.is_empty()).then(|| {
        let lost = lost.join(", ");
        format!(
            "the payload does not keep the caller's group {lost}, which has no name: if the batch system tracks its jobs by it \
             (SGE's gid_range, HTCondor's USE_GID_PROCESS_TRACKING), it neither counts nor ends the payload; an LCMAPS \
             plug-in of type tracking_groupid keeps it"
        )
    })
}

/// What is in use, and needs more of the privileges than every call does.
fn needs(config: &Config, job: &Job, tmp: PrivateTmp) -> Vec<Need> {
    let giving = (tmp != PrivateTmp::Never).then_some(Need::Giving);
    let sandbox = job.sandbox.is_some() && config.isolation.sandbox;
    let mounts = (giving.is_some() || sandbox || config.isolation.private_ipc).then_some(Need::Mounts);
    let prologue = prologue::needs(&config.glexec).into_iter().filter(|_| job.payload.is_some());
    epilogue::need(&config.glexec).into_iter().chain(prologue).chain(mounts).chain(giving).collect()
}

/// What the payload will see instead of what others see.
fn view(
    call: &mut Call,
    sandbox: Option<Entry>,
    tmp: PrivateTmp,
    ipc: Ipc,
    caller: &Actor,
    target: &Mapping,
) -> Outcome<View> {
    let actor = switch::actor(target);
    let temporary = match private_tmp::prepare(tmp, &target.name, caller, &actor) {
        // It can do without, as ever.
        Err(refusal) if tmp == PrivateTmp::WhenNeeded => {
            call.note(&refusal.for_log());
            Vec::new()
        }
        temporary => temporary?,
    };
    View::new(sandbox, temporary, ipc, &actor)
}

/// What the payload gets copies of.
fn copies<'a>(raw: &'a RawCredentials, request: &'a Request, config: &Config) -> Vec<Wanted<'a>> {
    let proxy = raw.proxy_to_copy().filter(|_| config.glexec.create_target_proxy).map(|raw| (raw, &request.target));
    let token = raw.token_to_copy().map(|raw| (raw, &request.target_token));
    let wanted =
        |(raw, target): (&'a RawCredential, &'a Target)| Wanted { kind: raw.kind, target, bytes: raw.to_copy() };
    proxy.into_iter().chain(token).map(wanted).collect()
}
