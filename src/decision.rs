//! The decision on a call: who calls, for whom, may they, as which account.
//!
//! There is one, for calls and for `glexec-admin explain`. What it asks of the machine is behind [`Machine`], so that an
//! explanation can do without what changes something.

use crate::agent::Agent;
use crate::credential_files::{self as files, RawCredentials};
use crate::invocation::caller::Caller;
use crate::invocation::command_line::Payload;
use crate::invocation::environment::Request;
use crate::service::ServiceAccount;
use crate::site::AtNode;
use crate::verifier::{VerifiedIdentity, Verifier};
use glexec_config::Config;
use glexec_config::lcmaps::Mode;
use glexec_core::account::Limits;
use glexec_core::escape::in_sentence;
use glexec_core::identity::Identity;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_machine::accounts::Bounded;
use glexec_machine::files::SiteFiles;
use glexec_machine::gridmapdir::Leasing;
use glexec_machine::programs::AsServiceUser;
use glexec_policy::accounts::AccountDatabase;
use glexec_policy::circumstances::{Circumstances, Purpose};
use glexec_policy::files::Files;
use glexec_policy::files::subject::Subject;
use glexec_policy::leases::Leases;
use glexec_policy::mapping::Mapping;
use glexec_policy::programs::Programs;
use glexec_policy::site::{NoSite, Site};
use glexec_policy::trail::Trail;
use glexec_policy::world::World;
use glexec_policy::{lcas, lcmaps};
use glexec_sys::time::now;
use nix::unistd::{Gid, Uid};
use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What is to be decided.
#[derive(Clone, Copy, Debug)]
pub struct Matter<'a> {
    /// The caller's user id.
    pub uid: Uid,
    /// The caller's group id.
    pub gid: Gid,
    /// The caller's supplementary groups.
    pub groups: &'a [Gid],
    /// The caller's working directory.
    pub cwd: Option<&'a Path>,
    /// The command; `None` renews the target proxy only.
    pub payload: Option<&'a Payload>,
    /// What the decision is wanted for.
    pub purpose: Purpose,
}

/// What is known of a call so far, also where it is refused.
#[derive(Debug, Default)]
pub struct Known {
    pub caller: Option<Caller>,
    /// Whom the credentials stand for.
    pub verified: Option<VerifiedIdentity>,
    /// What the plug-ins answered.
    pub trail: Trail,
}

/// A call that may be.
pub struct Decided {
    /// The credential files.
    pub raw: RawCredentials,
    /// What the caller asked for besides.
    pub request: Request,
    /// Who the payload will be.
    pub target: Mapping,
    pub caller: Caller,
    /// The user, and whose the copies are.
    pub verified: VerifiedIdentity,
    /// Whom programs run as that read what is hostile.
    pub service: ServiceAccount,
}

/// What a decision needs of the machine.
pub trait Machine {
    /// Reads the credential files with the caller's permissions.
    fn read(&self, request: &Request, caller: &Caller, config: &Config) -> Outcome<RawCredentials>;

    /// Has the credentials judged.
    fn verify(
        &self,
        raw: &RawCredentials,
        service: &ServiceAccount,
        caller: &Caller,
        config: &Config,
        now: i64,
    ) -> Outcome<VerifiedIdentity>;

    /// Who runs plug-ins from outside.
    fn programs(&self, service: &ServiceAccount) -> Box<dyn Programs>;

    /// Map, ban and list files.
    fn files(&self) -> &dyn Files;

    /// Local accounts and groups.
    fn accounts(&self) -> &dyn AccountDatabase;

    /// Pool accounts.
    fn leases(&self) -> &dyn Leases;

    /// The site's mapping service, as this call asks it.
    fn site<'a>(
        &'a self,
        config: &Config,
        service: &ServiceAccount,
        verified: &'a VerifiedIdentity,
        mode: Mode,
    ) -> Box<dyn Site + 'a>;
}

/// The machine as a call uses it.
#[derive(Debug, Default)]
pub struct Privileged {
    accounts: Bounded,
    notes: RefCell<Vec<String>>,
}

impl Privileged {
    /// What the machine has to tell the log.
    pub fn notes(&self) -> Vec<String> {
        self.notes.borrow().clone()
    }
}

impl Machine for Privileged {
    fn read(&self, request: &Request, caller: &Caller, config: &Config) -> Outcome<RawCredentials> {
        files::read(request, caller, config)
    }

    fn verify(
        &self,
        raw: &RawCredentials,
        service: &ServiceAccount,
        caller: &Caller,
        config: &Config,
        now: i64,
    ) -> Outcome<VerifiedIdentity> {
        let actor = service.actor();
        let agent = Agent::of(config, actor.uid, &self.notes);
        Verifier::new(Some(&actor), &config.credentials, now).verify(raw, caller, config, agent.as_ref())
    }

    fn programs(&self, service: &ServiceAccount) -> Box<dyn Programs> {
        Box::new(AsServiceUser(service.actor()))
    }

    fn files(&self) -> &dyn Files {
        &SiteFiles
    }

    fn accounts(&self) -> &dyn AccountDatabase {
        &self.accounts
    }

    fn leases(&self) -> &dyn Leases {
        &Leasing
    }

    fn site<'a>(
        &'a self,
        config: &Config,
        service: &ServiceAccount,
        verified: &'a VerifiedIdentity,
        mode: Mode,
    ) -> Box<dyn Site + 'a> {
        match AtNode::of(config, service.actor().uid, verified, mode) {
            Some(site) => Box::new(site),
            None => Box::new(NoSite),
        }
    }
}

/// What belongs to a policy of what the call is made of.
fn circumstances(caller: &Caller, matter: &Matter<'_>, config: &Config, now: i64) -> Circumstances {
    Circumstances {
        caller: caller.name.clone(),
        caller_uid: caller.uid,
        caller_gid: caller.gid,
        caller_groups: matter.groups.iter().map(|gid| gid.as_raw()).collect(),
        command: matter.payload.map(|payload| payload.command.clone()),
        cwd: matter.cwd.map(Path::to_path_buf),
        path: config.glexec.path.clone(),
        now,
        purpose: matter.purpose,
    }
}

/// Decides. Every step may refuse; each takes what the one before has proved.
pub fn decide(
    matter: &Matter<'_>,
    request: Outcome<Request>,
    config: &Config,
    machine: &dyn Machine,
    known: &mut Known,
) -> Outcome<Decided> {
    let caller = known.caller.insert(Caller::identify(matter.uid, matter.gid, config, machine.accounts())?);
    caller.check_white_list(config)?;

    let request = request?;
    let raw = machine.read(&request, caller, config)?;

    let service = ServiceAccount::find(config, caller, machine.accounts())?;
    let now = now()?;
    let verified = known.verified.insert(machine.verify(&raw, &service, caller, config, now)?);

    if let Some(expected) = &request.expected {
        check_expected(expected, &verified.user)?;
    }

    let circumstances = circumstances(caller, matter, config, now);
    let programs = machine.programs(&service);
    let site = machine.site(config, &service, verified, request.mode);
    let world = World {
        files: machine.files(),
        programs: &*programs,
        accounts: machine.accounts(),
        leases: machine.leases(),
        site: &*site,
    };
    let (user, pilots) = (&verified.user, verified.pilots());
    let authorized = lcas::authorize(&config.lcas, user, &pilots, &circumstances, &world, &mut known.trail)?;
    let limits = Limits { min_uid: config.glexec.min_uid, min_gid: config.glexec.min_gid };
    let (plan, mode) = (&config.lcmaps, request.mode);
    let target = lcmaps::map(plan, mode, authorized, limits, &circumstances, &world, &mut known.trail)?;
    service.check_target(&target, caller, config)?;
    Ok(Decided { raw, request, target, caller: caller.clone(), verified: verified.clone(), service })
}

/// Refuses everybody but whom the caller expects: it holds many people's credentials, and one of them may be in the place
/// of another.
fn check_expected(expected: &OsStr, user: &Identity) -> Outcome<()> {
    if Subject::mapped(&user.subject).is(expected.as_bytes()) {
        return Ok(());
    }
    let (found, expected) = (&user.subject, in_sentence(expected));
    let sentence = format!("the credential is that of {found}, and GLEXEC_EXPECTED_SUBJECT says {expected}");
    Err(Refusal::new(Reason::CredentialUnexpected, sentence))
}
