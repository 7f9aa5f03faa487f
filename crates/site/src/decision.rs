//! The decision on a question: the same verifier and the same policy as on a node, over the service's own configuration.

use crate::names::{Groups, LIMITS, Names};
use crate::shared::Shared;
use glexec_config::exec::Exec;
use glexec_config::lcmaps::Mode;
use glexec_core::credentials::PilotProxy;
use glexec_core::file_error::FileError;
use glexec_core::identity::Identity;
use glexec_core::program::Said;
use glexec_core::question::{Holder, KeyRule};
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::values::AbsolutePath;
use glexec_core::verdict::failed;
use glexec_policy::circumstances::{Circumstances, Purpose};
use glexec_policy::programs::{Failed, Programs};
use glexec_policy::site::NoSite;
use glexec_policy::trail::Trail;
use glexec_policy::world::World;
use glexec_policy::{lcas, lcmaps};
use glexec_site_client::bans::List;
use glexec_site_client::certificates::Chain;
use glexec_site_client::configuration::SiteService;
use glexec_site_client::wire::{self, Permit, Question};
use glexec_sys::dir::{Directory, Writers};
use glexec_sys::time::now;
use glexec_verify::{Matter, Trust, judge};

/// What is known of a question so far, also where it is refused.
#[derive(Debug, Default)]
pub struct Known {
    pub user: Option<Identity>,
    pub pilot: Option<Identity>,
}

/// A site has no programs of its own in the service: the configuration refuses them.
struct NoPrograms;

impl Programs for NoPrograms {
    fn ask(&self, _exec: &Exec, _document: &[u8]) -> Result<Said, Failed> {
        Err(Failed::Nonsense("the service runs no plug-ins from outside".to_owned()))
    }
}

fn open(path: &AbsolutePath) -> Result<Directory, FileError> {
    Directory::open_trusted(path.as_path(), Writers::RootOnly)
}

fn trust(site: &SiteService) -> Outcome<Trust> {
    let unusable = |error: FileError| {
        let reason = match error {
            FileError::Insecure { .. } => Reason::TrustInsecure,
            _ => Reason::TrustUnreadable,
        };
        Refusal::new(reason, "the trust directories of the site's service cannot be used").detail(error.to_string())
    };
    let cas = open(&site.credentials.certdir).map_err(unusable)?;
    let voms = match open(&site.credentials.vomsdir) {
        Err(FileError::Missing(_)) => None,
        voms => Some(voms.map_err(unusable)?),
    };
    // Attributes that are meant for certain hosts are not meant for a service that asks for all of them.
    Ok(Trust { cas, voms, host: String::new(), ahead: None })
}

/// Decides. It may wait for files, and for others who lease: not for a thread that serves connections.
pub fn decide(question: &Question, shared: &Shared, bans: &List, known: &mut Known) -> Outcome<Permit> {
    let site = &shared.site;
    let now = now()?;
    let trust = trust(site)?;
    // Chains hold no keys: whose they are was proved on the node.
    let verify = |chain: &Chain, holder| {
        let file = chain.to_pem();
        let matter = Matter { file: &file, holder, key: KeyRule::MayBeAbsent };
        judge(&matter, &site.credentials, &trust, now).map(|judged| judged.identity)
    };
    let user = &*known.user.insert(verify(&question.user, Holder::User)?);
    known.pilot = match (site.credentials.pilot_proxy, &question.pilot) {
        (PilotProxy::Required, None) => {
            let sentence = "the site's service requires the pilot's own proxy: set X509_USER_PROXY";
            return Err(Refusal::new(Reason::CredentialPilotMissing, sentence));
        }
        (PilotProxy::Ignored, _) | (_, None) => None,
        (_, Some(pilot)) => Some(verify(pilot, Holder::Pilot)?),
    };

    for (who, identity) in [("user", Some(user)), ("pilot", known.pilot.as_ref())] {
        if let Some(ban) = identity.and_then(|identity| bans.of(identity, now)) {
            let reason = ban.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
            let detail = format!("the {who}, by a ban of {} by {}{reason}", ban.name.as_str(), ban.by);
            return Err(Refusal::new(Reason::LcasUserban, "you are banned at this site").detail(detail));
        }
    }

    let names = Names::default();
    let world = World {
        files: &shared.files,
        programs: &NoPrograms,
        accounts: &names,
        leases: shared.engine.leases(),
        site: &NoSite,
    };
    let call = Circumstances { now, purpose: Purpose::Call, ..Circumstances::default() };
    let mut trail = Trail::default();
    let authorized = lcas::authorize(&site.lcas, user, known.pilot.as_ref().as_slice(), &call, &world, &mut trail)?;
    let mode = match question.mode {
        wire::Mode::GetAccount => Mode::GetAccount,
        wire::Mode::VerifyAccount => Mode::VerifyAccount,
    };
    let mapping = lcmaps::map(&site.lcmaps, mode, authorized, LIMITS, &call, &world, &mut trail)?;
    let Groups { primary, others, own } = names.groups(&mapping)?;
    Ok(Permit {
        subject: user.subject.clone(),
        issuer: user.issuer().cloned().ok_or_else(|| failed("a chain that is none"))?,
        account: mapping.name,
        group: primary,
        groups: others,
        own_groups: own,
        lease: mapping.lease,
        not_after: user.not_after,
    })
}
