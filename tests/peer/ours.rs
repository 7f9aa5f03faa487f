//! Our mapping on the same files.

use crate::library::{ACCOUNTS, GROUPS, Place, Policy};
use glexec_config::exec::Exec;
use glexec_config::lcmaps::Mode;
use glexec_config::parse::parse;
use glexec_config::{lcas, lcmaps};
use glexec_core::account::Limits;
use glexec_core::identity::{Form, Identity, Proof};
use glexec_core::program::Said;
use glexec_core::reason::Outcome;
use glexec_machine::files::SiteFiles;
use glexec_machine::gridmapdir::Leasing;
use glexec_policy::accounts::{AccountDatabase, Login, LookupFailed, UserEntry};
use glexec_policy::circumstances::Circumstances;
use glexec_policy::lcas::authorize;
use glexec_policy::lcmaps::map;
use glexec_policy::mapping::Mapping;
use glexec_policy::programs::{Failed, Programs};
use glexec_policy::site::NoSite;
use glexec_policy::trail::Trail;
use glexec_policy::world::World;

/// The accounts that the C library sees.
pub struct Accounts(pub Vec<(String, u32, u32)>);

impl Accounts {
    pub fn with(more: &[(String, u32, u32)]) -> Self {
        Accounts(
            ACCOUNTS
                .iter()
                .map(|(name, uid, gid)| (name.to_string(), *uid, *gid))
                .chain(more.iter().cloned())
                .collect(),
        )
    }
}

impl AccountDatabase for Accounts {
    fn user(&self, name: &str) -> Result<Option<UserEntry>, LookupFailed> {
        let is_member = |members: &str| members.split(',').any(|member| member == name);
        let groups = GROUPS.iter().filter(|(_, _, members)| is_member(members)).map(|(_, gid, _)| *gid);
        Ok(self.0.iter().find(|account| account.0 == name).map(|(name, uid, gid)| UserEntry {
            name: name.clone(),
            uid: *uid,
            gid: *gid,
            groups: std::iter::once(*gid).chain(groups).collect(),
            home: "/".into(),
            shell: "/bin/sh".into(),
        }))
    }

    fn login(&self, _: &str) -> Result<Option<Login>, LookupFailed> {
        unreachable!("policy asks for accounts with their groups")
    }

    fn login_of(&self, _: u32) -> Result<Option<Login>, LookupFailed> {
        unreachable!("policy asks by name")
    }

    fn groups_of(&self, _: &Login) -> Result<Vec<u32>, LookupFailed> {
        unreachable!("policy asks for accounts with their groups")
    }

    fn group(&self, name: &str) -> Result<Option<u32>, LookupFailed> {
        Ok(GROUPS.iter().find(|group| group.0 == name).map(|group| group.1))
    }

    fn group_by_gid(&self, gid: u32) -> Result<Option<String>, LookupFailed> {
        Ok(GROUPS.iter().find(|group| group.1 == gid).map(|group| group.0.to_owned()))
    }

    fn has_expired(&self, _: &str) -> Result<bool, LookupFailed> {
        Ok(false)
    }
}

struct NoPrograms;

impl Programs for NoPrograms {
    fn ask(&self, _: &Exec, _: &[u8]) -> Result<Said, Failed> {
        Err(Failed::Nonsense("no programs here".to_owned()))
    }
}

pub fn plan(policy: &Policy, place: &Place) -> lcmaps::Plan {
    let (plugins, rule) = policy.ours;
    let text = format!(
        "{plugins}[plugins.good]\ntype = \"dummy_good\"\n[plugins.some]\ntype = \"dummy_good\"\ndummy_username = \"lalice\"\n\
        dummy_group = \"staff\"\n[policies]\ndefault = [\"{rule}\"]\n"
    );
    let text = place.fill(&text).replace("[p", "[lcmaps.p");
    parse(&text).unwrap_or_else(|why| panic!("{}: {why:?}", policy.name)).lcmaps
}

/// Maps somebody.
pub fn ask(plan: &lcmaps::Plan, accounts: &Accounts, dn: &str, fqans: &[&str]) -> Outcome<Mapping> {
    let identity = Identity {
        subject: dn.to_owned().try_into().unwrap(),
        proof: Proof::X509 {
            issuer: "/CN=CA".to_owned().try_into().unwrap(),
            serial: "01".to_owned().try_into().unwrap(),
            form: Form::FullProxy,
        },
        not_after: 0,
        fqans: fqans.iter().map(|fqan| (*fqan).to_owned().try_into().unwrap()).collect(),
    };
    let world = World { files: &SiteFiles, programs: &NoPrograms, accounts, leases: &Leasing, site: &NoSite };
    let (call, mut trail) = (Circumstances::default(), Trail::default());
    let authorized = authorize(&lcas::Plan::default(), &identity, &[], &call, &world, &mut trail)?;
    let limits = Limits { min_uid: 1000, min_gid: 100 };
    map(plan, Mode::GetAccount, authorized, limits, &call, &world, &mut trail)
}
