//! The story of a call: harden → invocation → caller → config → credential → verify → authorize → map → audit → switch →
//! run.

#![forbid(unsafe_code)]

use crate::account::{self, Nss};
use crate::call::Call;
use crate::circumstances::Circumstances;
use crate::config::{Config, load};
use crate::credential::{files, verifier};
use crate::invocation::caller::Caller;
use crate::invocation::command_line::{self, Ask, Payload};
use crate::lcmaps::Mapping;
use crate::outside::AsServiceUser;
use crate::payload::become_payload;
use crate::payload::linger::epilogue::{self, Epilogue, Facts};
use crate::payload::linger::{self, Lingering};
use crate::payload::switch::{self, Prepared, Wish};
use crate::reason::{Outcome, Reason, Refusal};
use crate::service::ServiceAccount;
use crate::sys::identity::Need;
use crate::sys::start::{self, Inherited, Limits};
use crate::sys::time::now;
use crate::{call, lcas, lcmaps};

/// Runs one call; returns the exit code when the process has not become the payload.
pub fn main() -> u8 {
    let inherited = start::take();
    match command_line::parse(&inherited.arguments) {
        Ok(Ask::Help) => call::say(&inherited, &command_line::help()),
        Ok(Ask::Version) => call::say(&inherited, &command_line::version()),
        Ok(Ask::Settings) if inherited.uid.is_root() => call::say(&inherited, &load::settings()),
        Ok(Ask::Settings) => refuse(&inherited, Refusal::new(Reason::InvocationUsage, "-V is for root only")),
        Ok(Ask::Call(payload)) => answer(&inherited, payload.as_ref()),
        Err(refusal) => refuse(&inherited, refusal),
    }
}

fn refuse(inherited: &Inherited, refusal: Refusal) -> u8 {
    Call::begin(inherited).refuse(&refusal)
}

fn answer(inherited: &Inherited, payload: Option<&Payload>) -> u8 {
    let mut call = Call::begin(inherited);
    let refusal = match authorize(&mut call, inherited, payload) {
        Ok(Authorized { prepared, limits, target, config, epilogue })
            if config.glexec.linger && prepared.has_command() =>
        {
            let refusal;
            let lingering = Lingering { call, prepared, limits, target: &target, config: &config.glexec, epilogue };
            (call, refusal) = linger::supervise(lingering);
            refusal
        }
        Ok(Authorized { prepared, limits, target, .. }) => {
            match become_payload(&mut call, prepared, &limits, &target, None) {
                Ok(()) => return 0,
                Err(refusal) => refusal,
            }
        }
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
    epilogue: Option<Epilogue>,
}

/// Every step may refuse; each takes what the one before has proved.
fn authorize(call: &mut Call, inherited: &Inherited, payload: Option<&Payload>) -> Outcome<Authorized> {
    let limits = call::harden(inherited)?;
    call.check_report()?;

    let config = load::load()?;
    let needs: Vec<Need> = epilogue::need(&config.glexec).into_iter().collect();
    call::settle(&needs)?;
    call.open_log(&config.glexec);
    call.record.wish(payload, inherited.cwd.as_deref(), &call.environment);

    let caller = Caller::identify(inherited.uid, inherited.gid, &config)?;
    call.record.caller(&caller);
    caller.check_white_list(&config)?;

    let request = call.environment.request()?;
    let raw = files::read(&request, &caller, &config)?;

    let service = ServiceAccount::find(&config, &caller)?;
    let now = now()?;
    let verified = verifier::verify(&raw, &service, &caller, &config, now)?;
    call.identified(&verified);

    let circumstances = Circumstances::of(&caller, inherited, payload, &config, now);
    let programs = AsServiceUser(service.actor());
    let authorized = lcas::authorize(&config.lcas, &verified.user, verified.pilot.as_ref(), &circumstances, &programs)?;
    call.authorized(&authorized);
    let id_limits = account::Limits { min_uid: config.glexec.min_uid, min_gid: config.glexec.min_gid };
    let target = lcmaps::map(&config.lcmaps, request.mode, &authorized, &Nss, id_limits, &circumstances, &programs)?;
    service.check_target(&target, &caller, &config)?;
    call.mapped(&target);

    let epilogue = match payload {
        Some(payload) => {
            let facts = Facts { caller: &caller, groups: &inherited.groups, target: &target, payload };
            Epilogue::find(&config.glexec, &facts)?
        }
        None => None,
    };
    let wish = Wish {
        authorized: &authorized,
        payload,
        environment: &call.environment,
        cwd: inherited.cwd.as_deref(),
        target_proxy: &request.target,
        proxy: raw.source().bytes(),
    };
    let prepared = switch::prepare(&target, &wish, &config.glexec)?;
    match call.audit(&config.glexec) {
        Ok(()) => Ok(Authorized { prepared, limits, target, config, epilogue }),
        Err(refusal) => {
            prepared.undo();
            Err(refusal)
        }
    }
}
