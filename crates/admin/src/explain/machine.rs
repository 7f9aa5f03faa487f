//! What an explanation asks of the machine: nothing that changes anything.

use glexec::credential_files::{self as files, Kind, RawCredentials};
use glexec::decision::Machine;
use glexec::invocation::caller::Caller;
use glexec::invocation::environment::Request;
use glexec::service::ServiceAccount;
use glexec::site::AtNode;
use glexec::verifier::{VerifiedIdentity, Verifier};
use glexec_config::Config;
use glexec_config::exec::Exec;
use glexec_config::lcmaps::Mode;
use glexec_core::described::ProxyFile;
use glexec_core::file_error::FileError;
use glexec_core::program::Said;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::site::Permit;
use glexec_core::values::AbsolutePath;
use glexec_machine::accounts::Nss;
use glexec_machine::files::SiteFiles;
use glexec_machine::gridmapdir::Looking;
use glexec_machine::programs::AsServiceUser;
use glexec_policy::accounts::AccountDatabase;
use glexec_policy::files::Files;
use glexec_policy::files::lease_name::LeaseName;
use glexec_policy::leases::{Leases, Pool, Usable};
use glexec_policy::programs::{Failed, Programs};
use glexec_policy::site::{NoSite, Site};
use glexec_sys::dir::Directory;
use glexec_sys::identity::Actor;
use glexec_sys_more::plain;
use nix::unistd::{Gid, Uid};
use std::cell::RefCell;
use std::io::ErrorKind;
use std::path::Path;
use std::rc::Rc;

/// With whose permissions things are looked at.
#[derive(Clone, Debug)]
pub enum Eyes {
    /// Root's, who acts as the caller (with these groups) where a call does.
    Root(Vec<Gid>),
    /// The caller's own.
    Own,
}

/// What became known besides the decision.
#[derive(Debug, Default)]
pub struct Aside {
    /// The user's proxy file, and the pilot's.
    pub user: Option<ProxyFile>,
    /// The pilot's.
    pub pilot: Option<ProxyFile>,
    /// Where the explanation departs from what a call would see.
    pub remarks: Vec<String>,
    /// What could not be looked at, so that the decision is open.
    pub barred: Option<String>,
}

/// The machine as an explanation uses it.
pub struct Watched {
    eyes: Eyes,
    aside: Rc<RefCell<Aside>>,
}

impl Watched {
    /// Looks with these eyes.
    pub fn new(eyes: Eyes) -> Self {
        Watched { eyes, aside: Rc::default() }
    }

    /// What became known besides.
    pub fn aside(self) -> Aside {
        self.aside.take()
    }

    /// Whose turn it is: the caller's, or, where the files are somebody else's, their owner's, so that root can try a
    /// proxy that the caller does not hold yet.
    fn read_as_root(
        &self,
        groups: &[Gid],
        request: &Request,
        caller: &Caller,
        config: &Config,
    ) -> Outcome<RawCredentials> {
        let (uid, gid) = (Uid::from_raw(caller.uid), Gid::from_raw(caller.gid));
        let caller_s = Actor { uid, gid, groups: Some(groups.to_vec()) };
        let refusal = match files::read_as(&caller_s, request, config) {
            Err(refusal) if is_about_the_holder(refusal.reason()) => refusal,
            read => return read,
        };
        let Some(owner) = plain::owner(request.client.path()).filter(|owner| *owner != uid) else {
            return Err(refusal);
        };
        let read = files::read_as(&Actor { uid: owner, gid, groups: Some(groups.to_vec()) }, request, config)?;
        self.aside.borrow_mut().remarks.push(format!(
            "judged as if {} had a copy of the file; as it lies there: {} ({})",
            caller.name,
            refusal.sentence(),
            refusal.reason()
        ));
        Ok(read)
    }
}

/// Refusals that another holder of the same file would not get.
fn is_about_the_holder(reason: Reason) -> bool {
    matches!(reason, Reason::CredentialWrongOwner | Reason::CredentialUnreadable)
}

impl Machine for Watched {
    fn read(&self, request: &Request, caller: &Caller, config: &Config) -> Outcome<RawCredentials> {
        match &self.eyes {
            Eyes::Root(groups) => self.read_as_root(groups, request, caller, config),
            Eyes::Own => files::read_own(Uid::from_raw(caller.uid), request, config),
        }
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
        // Who is nobody special asks as themselves.
        let actor = matches!(self.eyes, Eyes::Root(_)).then_some(&actor);
        let verifier = Verifier::new(actor, &config.credentials, now);
        let describe = |file: &[u8]| {
            let unreadable = |why: Refusal| ProxyFile { unreadable: Some(why.for_log()), ..ProxyFile::default() };
            verifier.describe(file).unwrap_or_else(unreadable)
        };
        // A token has nothing to show before it is judged.
        let user = (raw.client.kind == Kind::Proxy).then(|| describe(raw.client.bytes()));
        let pilot = raw.pilot.as_ref().map(|pilot| describe(pilot.bytes()));
        let mut aside = self.aside.borrow_mut();
        (aside.user, aside.pilot) = (user, pilot);
        verifier.verify(raw, caller, config, None)
    }

    fn programs(&self, service: &ServiceAccount) -> Box<dyn Programs> {
        match self.eyes {
            Eyes::Root(_) => Box::new(AsServiceUser(service.actor())),
            Eyes::Own => Box::new(NotAsked(Rc::clone(&self.aside))),
        }
    }

    fn files(&self) -> &dyn Files {
        self
    }

    fn accounts(&self) -> &dyn AccountDatabase {
        &Nss
    }

    fn leases(&self) -> &dyn Leases {
        self
    }

    fn site<'a>(
        &'a self,
        config: &Config,
        service: &ServiceAccount,
        verified: &'a VerifiedIdentity,
        _mode: Mode,
    ) -> Box<dyn Site + 'a> {
        // Nothing may change: so the service is asked for a lease that is there.
        let asked = AtNode::of(config, service.actor().uid, verified, Mode::VerifyAccount);
        match (&self.eyes, asked) {
            (Eyes::Root(_), Some(site)) => Box::new(Told { site, aside: Rc::clone(&self.aside) }),
            (Eyes::Own, Some(_)) => Box::new(SiteNotAsked(Rc::clone(&self.aside))),
            (_, None) => Box::new(NoSite),
        }
    }
}

/// The site's service, asked for nothing new.
struct Told<'a> {
    site: AtNode<'a>,
    aside: Rc<RefCell<Aside>>,
}

impl Site for Told<'_> {
    fn permit(&self) -> Outcome<Permit> {
        self.site.permit().inspect_err(|refusal| {
            if refusal.reason() == Reason::LcmapsNoLease {
                let why = "the site's mapping service has no lease for the user yet; a call would ask it to make one";
                self.aside.borrow_mut().barred = Some(why.to_owned());
            }
        })
    }
}

/// The service, which only root can ask.
struct SiteNotAsked(Rc<RefCell<Aside>>);

impl Site for SiteNotAsked {
    fn permit(&self) -> Outcome<Permit> {
        self.0.borrow_mut().barred = Some("only root can ask the site's mapping service".to_owned());
        NoSite.permit()
    }
}

/// Programs that only root can run as the service user.
struct NotAsked(Rc<RefCell<Aside>>);

impl Programs for NotAsked {
    fn ask(&self, exec: &Exec, _: &[u8]) -> Result<Said, Failed> {
        let path = exec.program.as_path();
        self.0.borrow_mut().barred = Some(format!("{}: only root can ask this plug-in", path.display()));
        Err(Failed::Unusable(FileError::Unreadable { path: path.into(), error: ErrorKind::PermissionDenied.into() }))
    }
}

impl Watched {
    /// Remembers what the permissions of whoever looks do not reach: a call would see it.
    fn note_barred(&self, error: &FileError) {
        match (&self.eyes, error) {
            (Eyes::Own, FileError::Unreadable { path, error }) if error.kind() == ErrorKind::PermissionDenied => {
                self.aside.borrow_mut().barred = Some(format!("{}: you may not read it", path.display()));
            }
            _ => {}
        }
    }

    fn may_look(&self, directory: &Path) {
        if let Err(error) = Directory::open(directory) {
            self.note_barred(&error);
        }
    }
}

impl Files for Watched {
    fn read(&self, path: &AbsolutePath) -> Result<Vec<u8>, FileError> {
        SiteFiles.read(path).inspect_err(|error| self.note_barred(error))
    }
}

impl Leases for Watched {
    fn spelled(&self, directory: &Path, lease: LeaseName) -> Outcome<LeaseName> {
        Looking.spelled(directory, lease)
    }

    fn existing(&self, directory: &Path, pool: &Pool, lease: &LeaseName) -> Outcome<Option<String>> {
        self.may_look(directory);
        Looking.existing(directory, pool, lease)
    }

    fn look(&self, directory: &Path, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<Option<String>> {
        self.may_look(directory);
        Looking.look(directory, pool, lease, usable)
    }

    fn first_free(&self, directory: &Path, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<String> {
        self.may_look(directory);
        Looking.first_free(directory, pool, lease, usable)
    }

    fn lease(&self, directory: &Path, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<String> {
        self.may_look(directory);
        Looking.lease(directory, pool, lease, usable)
    }
}
