//! Whole policies on files in memory and real gridmapdirs.

use crate::gridmapdir::Leasing;
use crate::gridmapdir::tests::Temporary;
use fake::{Fake, LIMITS};
use glexec_config::exec::Exec;
use glexec_config::lcas;
use glexec_config::lcmaps::{
    FirstGroup, GroupRules, Inconsistency, Members, Mode, Plan, Plugin, Unmapped, VomsLocalgroup,
};
use glexec_config::parse::parse;
use glexec_core::account::Limits;
use glexec_core::file_error::FileError;
use glexec_core::identity::{Form, Identity, Proof};
use glexec_core::program::Said;
use glexec_core::reason::{Outcome, Reason};
use glexec_core::values::AbsolutePath;
use glexec_policy::accounts::{AccountDatabase, Login, LookupFailed, UserEntry};
use glexec_policy::circumstances::Circumstances;
use glexec_policy::files::Files;
use glexec_policy::lcas::authorize;
use glexec_policy::lcmaps::map;
use glexec_policy::mapping::Mapping;
use glexec_policy::programs::{Failed, Programs};
use glexec_policy::site::NoSite;
use glexec_policy::trail::Trail;
use glexec_policy::world::World;
use std::cell::RefCell;

/// The accounts in memory of the policy's own tests.
#[path = "../../policy/src/accounts/fake.rs"]
mod fake;

struct Memory(Vec<(&'static str, &'static str)>);

impl Files for Memory {
    fn read(&self, path: &AbsolutePath) -> Result<Vec<u8>, FileError> {
        let found = self.0.iter().find(|(name, _)| std::path::Path::new(name) == path.as_path());
        found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| FileError::Missing(path.as_path().into()))
    }
}

/// Programs whose answer is their first argument.
struct Answers;

impl Programs for Answers {
    fn ask(&self, exec: &Exec, document: &[u8]) -> Result<Said, Failed> {
        assert!(document.starts_with(b"{\"version\":1,\"kind\":\"lcmaps\",\"about\":\"get_account\""));
        Ok(Said { status: 0, output: exec.arguments[0].clone().into_bytes(), errors: Vec::new() })
    }
}

fn who(dn: &str, fqans: &[&str]) -> Identity {
    let fqan = |text: &&str| format!("{text}/Capability=NULL").try_into().unwrap();
    Identity {
        subject: dn.to_owned().try_into().unwrap(),
        proof: Proof::X509 {
            issuer: "/CN=CA".to_owned().try_into().unwrap(),
            serial: "01".to_owned().try_into().unwrap(),
            form: Form::FullProxy,
        },
        not_after: 0,
        fqans: fqans.iter().map(fqan).collect(),
    }
}

fn accounts() -> Fake {
    let pool = (2001..=2009_u32).map(|uid| (format!("p{}", uid % 1000), uid, 200, vec![300]));
    let others = [("lalice", 1001, 101, vec![102, 300]), ("root", 0, 0, vec![]), ("low", 5, 5, vec![])];
    Fake {
        users: pool.chain(others.map(|(n, u, g, m)| (n.to_owned(), u, g, m))).collect(),
        groups: [("vo", 500), ("pilot", 501), ("prod", 502), ("wheel", 10), ("g02", 602), ("g03", 603)]
            .map(|(n, g)| (n.to_owned(), g))
            .into(),
        ..Fake::default()
    }
}

const GRIDMAP: &str = "\"/CN=Alice\" lalice\n\"/CN=Root\" root\n\"/CN=Low\" low\n\"/CN=Num\" 1001\n\"/CN=Gone\" gone\n\
    \"/CN=P*\" .p\n\"/vo/Role=NULL*\" .p\n\"/vo/Role=x/*\" .q\n\"/CN=Dot\" .\n\"/loc/*\" .z lalice\n";
const GROUPMAP: &str = "\"/vo/Role=NULL*\" vo\n\"/vo/Role=pilot*\" pilot\n\"/vo/g/*\" prod\n\"/vo/Role=w/*\" wheel\n\
    \"/vo/Role=u/*\" unknown\n\"/vo/[abc]/*\" .g\n";

const BAN: &str = "\"/CN=Alice\"\n\"/CN=Q*\"\n\"/vo/Role=pilot\"\n/other/* # all of it\n";

/// A plan from the configuration's own text; `$DIR` is the gridmapdir.
fn plan(dir: &Temporary, options: &str, policy: &str) -> Plan {
    let text = format!(
        "[plugins.local]\ntype = \"localaccount\"\ngridmapfile = \"/map\"\n\
         [plugins.pool]\ntype = \"poolaccount\"\ngridmapfile = \"/map\"\ngridmapdir = \"$DIR\"\n\
         [plugins.groups]\ntype = \"voms_localgroup\"\ngroupmapfile = \"/groups\"\n\
         [plugins.voms]\ntype = \"voms_poolaccount\"\ngridmapfile = \"/map\"\ngridmapdir = \"$DIR\"\n{options}\n\
         [policies]\ndefault = {policy}\n"
    );
    let text = text.replace("$DIR", dir.0.to_str().unwrap()).replace("[p", "[lcmaps.p");
    parse(&text).unwrap().lcmaps
}

fn run(plan: &Plan, mode: Mode, identity: &Identity, database: &Fake) -> Outcome<Mapping> {
    let files = Memory(vec![("/map", GRIDMAP), ("/groups", GROUPMAP), ("/ban", BAN), ("/broken", "\"/CN=x\n")]);
    run_in(
        plan,
        mode,
        identity,
        &World { files: &files, programs: &Answers, accounts: database, leases: &Leasing, site: &NoSite },
    )
}

fn run_in(plan: &Plan, mode: Mode, identity: &Identity, world: &World<'_>) -> Outcome<Mapping> {
    let call = Circumstances { caller_groups: vec![2000, 20_017, 65_534, 99], ..Circumstances::default() };
    let mut trail = Trail::default();
    let authorized = authorize(&lcas::Plan::default(), identity, &[], &call, world, &mut trail)?;
    map(plan, mode, authorized, LIMITS, &call, world, &mut trail)
}

fn get(plan: &Plan, dn: &str, fqans: &[&str]) -> Outcome<Mapping> {
    run(plan, Mode::GetAccount, &who(dn, fqans), &accounts())
}

fn ids(mapping: &Mapping) -> (u32, u32, Vec<u32>) {
    (mapping.uid.get(), mapping.gid.get(), mapping.groups.iter().map(|group| group.get()).collect())
}

fn reason(outcome: Outcome<Mapping>) -> Reason {
    outcome.unwrap_err().reason()
}

const VOMS: &str = "[\"groups -> voms\"]";

/// A database that notes which groups it was asked for.
#[derive(Default)]
struct Noting {
    database: Fake,
    asked: RefCell<Vec<String>>,
}

impl AccountDatabase for Noting {
    fn user(&self, name: &str) -> Result<Option<UserEntry>, LookupFailed> {
        self.database.user(name)
    }
    fn login(&self, name: &str) -> Result<Option<Login>, LookupFailed> {
        self.database.login(name)
    }
    fn login_of(&self, uid: u32) -> Result<Option<Login>, LookupFailed> {
        self.database.login_of(uid)
    }
    fn groups_of(&self, login: &Login) -> Result<Vec<u32>, LookupFailed> {
        self.database.groups_of(login)
    }
    fn group(&self, name: &str) -> Result<Option<u32>, LookupFailed> {
        self.asked.borrow_mut().push(name.to_owned());
        self.database.group(name)
    }
    fn group_by_gid(&self, gid: u32) -> Result<Option<String>, LookupFailed> {
        self.database.group_by_gid(gid)
    }
    fn has_expired(&self, name: &str) -> Result<bool, LookupFailed> {
        self.database.has_expired(name)
    }
}

#[test]
fn the_groups_of_many_fqans_are_each_asked_for_once() {
    let dir = Temporary::new(&["p1"]);
    let plan = plan(&dir, "", VOMS);
    let fqans = ["/vo/Role=NULL", "/vo/g/Role=a", "/vo/g/Role=b", "/vo/g/Role=NULL", "/vo/Role=pilot"];
    let files = Memory(vec![("/map", GRIDMAP), ("/groups", GROUPMAP)]);
    let noting = Noting { database: accounts(), ..Noting::default() };
    let world = World { files: &files, programs: &Answers, accounts: &noting, leases: &Leasing, site: &NoSite };
    let mapping = run_in(&plan, Mode::GetAccount, &who("/CN=P", &fqans), &world).unwrap();
    assert_eq!(ids(&mapping).1, 500);
    assert_eq!(ids(&mapping).2, [502, 501]);
    assert_eq!(noting.asked.take(), ["vo", "prod", "pilot"]);
}

#[test]
fn localaccount_gives_the_account_with_its_groups() {
    let dir = Temporary::pool(0);
    let plan = plan(&dir, "", "[\"~local -> pool\"]");
    let mapping = get(&plan, "/CN=Alice", &[]).unwrap();
    assert_eq!(ids(&mapping), (1001, 101, vec![101, 102, 300]));
    assert_eq!((mapping.name.as_str(), mapping.lease.as_deref()), ("lalice", None));
    assert_eq!(mapping.home, std::path::Path::new("/home/lalice"));
}

#[test]
fn what_a_map_file_must_not_give_is_refused() {
    let dir = Temporary::pool(0);
    let plan = plan(&dir, "", "[\"local -> groups\"]");
    let table = [
        ("/CN=Root", Reason::AccountForbidden),
        ("/CN=Low", Reason::AccountForbidden),
        ("/CN=Num", Reason::AccountUnknown),
        ("/CN=Gone", Reason::AccountUnknown),
        ("/CN=Nobody", Reason::LcmapsNoMapping),
        ("/CN=alice", Reason::LcmapsNoMapping),
    ];
    for (dn, expected) in table {
        assert_eq!(reason(get(&plan, dn, &[])), expected, "{dn}");
    }
}

#[test]
fn no_lease_is_made_where_a_later_plugin_fails() {
    let dir = Temporary::new(&["p1", "p2", "p99"]);
    let plan = plan(&dir, "", "[\"pool -> local\"]");
    // `local` has no line for these people: the policy fails after the pool plug-in, and no lease is made.
    assert_eq!(reason(get(&plan, "/CN=Paul", &[])), Reason::LcmapsNoMapping);
    assert_eq!(dir.names(), ["p1", "p2", "p99"]);
}

#[test]
fn leases_are_used_again_and_verify_makes_none() {
    let dir = Temporary::new(&["p1", "p2", "p99"]);
    let plan = plan(&dir, "", "[\"~local -> pool\"]");
    let verify = |dn: &str| run(&plan, Mode::VerifyAccount, &who(dn, &[]), &accounts());
    assert_eq!(reason(verify("/CN=Paul")), Reason::LcmapsNoLease);
    assert_eq!(dir.names(), ["p1", "p2", "p99"]);
    let mapping = get(&plan, "/CN=Paul", &[]).unwrap();
    assert_eq!(ids(&mapping), (2001, 200, vec![200, 300]));
    assert_eq!(mapping.lease.as_deref(), Some("%2fcn%3dpaul"));
    assert_eq!(verify("/CN=Paul").unwrap(), mapping);
    assert_eq!(get(&plan, "/CN=Peter", &[]).unwrap().name, "p2");
    // p99 is not in passwd.
    assert_eq!(reason(get(&plan, "/CN=Pia", &[])), Reason::LcmapsPoolExhausted);
    assert_eq!(reason(get(&plan, "/CN=Dot", &[])), Reason::LcmapsNoMapping);
}

#[test]
fn voms_plugins_give_groups_by_fqan_and_a_lease_by_groups() {
    type Row<'a> = (&'a str, &'a [&'a str], (u32, Vec<u32>), &'a str);
    let table: &[Row<'_>] = &[
        ("", &["/vo/Role=NULL"], (500, vec![]), "%2fcn%3da:vo"),
        ("", &["/vo/Role=pilot", "/vo/Role=NULL", "/vo/g/Role=NULL"], (501, vec![500, 502]), "%2fcn%3da:pilot:vo:prod"),
        (
            "",
            &["/vo/Role=NULL", "/vo/g/Role=NULL", "/vo/Role=pilot", "/vo/g/Role=NULL"],
            (500, vec![502, 501]),
            "%2fcn%3da:vo:pilot:prod",
        ),
        ("", &["/vo/Role=NULL", "/vo/Role=none", "/vo/g/Role=NULL"], (500, vec![502]), "%2fcn%3da:vo:prod"),
        ("do_not_use_secondary_gids = true", &["/vo/Role=NULL", "/vo/g/Role=NULL"], (500, vec![502]), "%2fcn%3da:vo"),
        ("use_account_gid = true", &["/vo/Role=NULL"], (500, vec![200, 300]), "%2fcn%3da:vo"),
        ("add_secondary_gids_from_mapped_account = true", &["/vo/Role=NULL"], (500, vec![200, 300]), "%2fcn%3da:vo"),
        ("add_primary_gid_from_mapped_account = true", &["/vo/Role=NULL"], (500, vec![200]), "%2fcn%3da:vo"),
        (
            "add_primary_gid_from_mapped_account = true",
            &["/vo/Role=none", "/vo/Role=NULL"],
            (200, vec![500]),
            "%2fcn%3da:vo",
        ),
        (
            "add_primary_gid_as_secondary_gid_from_mapped_account = true",
            &["/vo/Role=NULL"],
            (500, vec![200]),
            "%2fcn%3da:vo",
        ),
    ];
    for (options, fqans, (gid, groups), lease) in table {
        let dir = Temporary::new(&["p1"]);
        let mapping = get(&plan(&dir, options, VOMS), "/CN=A", fqans).unwrap();
        assert_eq!(ids(&mapping), (2001, *gid, groups.clone()), "{options} {fqans:?}");
        assert_eq!(mapping.lease.as_deref(), Some(*lease), "{options} {fqans:?}");
    }
}

#[test]
fn voms_plugins_refuse_what_they_cannot_map_and_lease_nothing() {
    let table: &[(&str, &[&str], Reason)] = &[
        ("", &[], Reason::LcmapsNoMapping),
        ("", &["/other/Role=NULL"], Reason::LcmapsNoMapping),
        ("", &["/vo/Role=none", "/vo/Role=NULL"], Reason::LcmapsNoGroup),
        ("require_primary_gid = true", &["/vo/Role=none", "/vo/Role=NULL"], Reason::LcmapsNoGroup),
        ("", &["/vo/Role=w", "/vo/Role=NULL"], Reason::AccountForbidden),
        ("", &["/vo/Role=u", "/vo/Role=NULL"], Reason::AccountNoGroup),
        ("", &["/vo/Role=x"], Reason::LcmapsPoolExhausted),
    ];
    for (options, fqans, expected) in table {
        let dir = Temporary::new(&["p1"]);
        assert_eq!(reason(get(&plan(&dir, options, VOMS), "/CN=A", fqans)), *expected, "{options} {fqans:?}");
        assert_eq!(dir.names(), ["p1"]);
    }
}

#[test]
fn group_options() {
    let dir = Temporary::new(&["p1"]);
    let group = |first, unmapped, mapmin| VomsLocalgroup {
        groupmapfile: std::path::PathBuf::from("/groups").try_into().unwrap(),
        rules: GroupRules { first, unmapped, mapmin },
    };
    let with = |plugin: VomsLocalgroup, fqans: &[&str]| {
        let mut plan = plan(&dir, "use_account_gid = true", VOMS);
        plan.plugins.insert("groups".to_owned(), Plugin::VomsLocalgroup(plugin));
        get(&plan, "/CN=A", fqans).map(|mapping| ids(&mapping))
    };
    let both = ["/vo/Role=NULL", "/vo/Role=none"];
    let (primary, skip, all) = (FirstGroup::Primary, Unmapped::PassedOver, Unmapped::Fails);
    assert!(with(group(primary, skip, 1), &both).is_ok());
    assert_eq!(with(group(primary, skip, 2), &both).unwrap_err().reason(), Reason::LcmapsNoMapping);
    assert_eq!(with(group(primary, all, 0), &both).unwrap_err().reason(), Reason::LcmapsNoMapping);
    assert!(with(group(primary, all, 1), &both[..1]).is_ok());
    assert_eq!(with(group(FirstGroup::Secondary, skip, 0), &both).unwrap(), (2001, 200, vec![500, 200, 300]));
}

#[test]
fn alternatives_are_taken_for_people_without_mapping_but_not_for_missing_files() {
    let dir = Temporary::new(&["p1"]);
    let plan = plan(&dir, "", "[\"groups -> voms | pool\"]");
    assert_eq!(get(&plan, "/CN=Paul", &[]).unwrap().lease.as_deref(), Some("%2fcn%3dpaul"));
    let (identity, accounts) = (who("/CN=Paul", &["/vo/Role=NULL"]), accounts());
    let files = Memory(vec![("/map", GRIDMAP)]);
    let world = World { files: &files, programs: &Answers, accounts: &accounts, leases: &Leasing, site: &NoSite };
    let refusal = run_in(&plan, Mode::GetAccount, &identity, &world).unwrap_err();
    assert_eq!(refusal.reason(), Reason::LcmapsFileMissing);
    assert!(!refusal.sentence().contains("/groups"), "{}", refusal.sentence());
    assert!(refusal.for_log().contains("/groups"), "{}", refusal.for_log());
}

#[test]
fn two_accounts_on_one_path_are_nobody_s_intention() {
    let dir = Temporary::new(&["p1"]);
    assert_eq!(
        reason(get(&plan(&dir, "", "[\"local -> voms\"]"), "/CN=Alice", &["/vo/Role=NULL"])),
        Reason::LcmapsNoMapping
    );
    assert_eq!(dir.names(), ["p1"]);
}

#[test]
fn an_account_database_that_does_not_answer_is_transient() {
    let dir = Temporary::new(&["p1"]);
    let broken = Fake { broken: true, ..accounts() };
    for policy in ["[\"local -> groups\"]", "[\"~local -> pool\"]", "[\"pool -> groups\"]", VOMS] {
        let identity = who(if policy.contains("[\"pool") { "/CN=Paul" } else { "/CN=Alice" }, &["/vo/Role=NULL"]);
        let outcome = run(&plan(&dir, "", policy), Mode::GetAccount, &identity, &broken);
        assert_eq!(reason(outcome), Reason::AccountLookup, "{policy}");
    }
    assert_eq!(dir.names(), ["p1"]);
}

#[test]
fn options_reach_the_pool() {
    let dir = Temporary::new(&["p1x", "q1"]);
    dir.link("q1", "%2fcn%3da:vo");
    let options = "strict_poolprefix_match = false\noverride_inconsistency = true";
    let mut plan = plan(&dir, options, VOMS);
    let Some(Plugin::VomsPoolaccount(plugin)) = plan.plugins.get_mut("voms") else { panic!() };
    assert_eq!((plugin.pools.members, plugin.pools.inconsistency), (Members::Prefixed, Inconsistency::Override));
    let mut database = accounts();
    database.users.push(("p1x".to_owned(), 3000, 200, vec![]));
    let mapping = run(&plan, Mode::GetAccount, &who("/CN=A", &["/vo/Role=NULL"]), &database).unwrap();
    assert_eq!(mapping.name, "p1x");
}

/// A plan with one more plug-in, `it`; `$GROUPS` is a groupmapdir.
fn plan_with(dir: &Temporary, groups: &Temporary, it: &str, policy: &str) -> Plan {
    let it = it.replace("$GROUPS", groups.0.to_str().unwrap());
    plan(dir, &format!("[plugins.it]\n{it}"), policy)
}

#[test]
fn voms_localaccount_takes_the_first_fqan_that_maps() {
    type Row<'a> = (&'a str, &'a [&'a str], Result<(u32, Vec<u32>), Reason>);
    let table: &[Row<'_>] = &[
        ("", &["/loc/Role=NULL"], Ok((101, vec![101, 102, 300]))),
        ("", &["/vo/Role=NULL", "/loc/Role=NULL"], Ok((500, vec![101, 102, 300]))),
        ("use_account_gid = true", &["/loc/Role=NULL"], Ok((101, vec![101, 102, 300]))),
        ("use_voms_gid = true", &["/vo/Role=NULL", "/loc/Role=NULL"], Ok((500, vec![]))),
        ("use_voms_gid = true", &["/loc/Role=NULL"], Err(Reason::LcmapsNoGroup)),
        (
            "use_voms_gid = true\nadd_secondary_gids_from_mapped_account = true",
            &["/vo/Role=NULL", "/loc/Role=NULL"],
            Ok((500, vec![101, 102, 300])),
        ),
        ("do_not_add_secondary_gids_from_mapped_account = true", &["/loc/Role=NULL"], Ok((101, vec![]))),
        ("do_not_add_primary_gid_from_mapped_account = true", &["/loc/Role=NULL"], Err(Reason::LcmapsNoGroup)),
        ("", &["/vo/Role=NULL"], Err(Reason::LcmapsNoMapping)),
        ("", &[], Err(Reason::LcmapsNoMapping)),
    ];
    for (options, fqans, expected) in table {
        let (dir, none) = (Temporary::pool(0), Temporary::pool(0));
        let it = format!("type = \"voms_localaccount\"\ngridmapfile = \"/map\"\n{options}");
        let policy = if fqans.len() > 1 { "[\"groups -> it\"]" } else { "[\"~dummy -> it\"]" };
        let it = format!("{it}\n[plugins.dummy]\ntype = \"dummy_bad\"");
        let mapping = get(&plan_with(&dir, &none, &it, policy), "/CN=A", fqans);
        let got = mapping.map(|mapping| (mapping.gid.get(), ids(&mapping).2)).map_err(|refusal| refusal.reason());
        assert_eq!(got, *expected, "{options} {fqans:?}");
    }
}

#[test]
fn pool_groups_are_leased_to_fqans_when_the_policy_has_succeeded() {
    let pool = "type = \"voms_poolgroup\"\ngroupmapfile = \"/groups\"\ngroupmapdir = \"$GROUPS\"";
    let (dir, groups) = (Temporary::new(&["p1", "p2"]), Temporary::new(&["g01", "g02", "g03", "x1"]));
    let plan = plan_with(&dir, &groups, pool, "[\"it -> voms\"]");
    let untouched = |fqans: &[&str], expected| {
        assert_eq!(reason(get(&plan, "/CN=A", fqans)), expected, "{fqans:?}");
        assert_eq!((dir.names().len(), groups.names().len()), (2, 4), "{fqans:?}");
    };
    untouched(&[], Reason::LcmapsNoMapping);
    untouched(&["/vo/a/Role=NULL"], Reason::LcmapsNoMapping); // a group, but no account
    untouched(&["/vo/Role=none", "/vo/a/Role=NULL", "/vo/Role=NULL"], Reason::LcmapsNoGroup);
    let verify = |fqans: &[&str]| run(&plan, Mode::VerifyAccount, &who("/CN=A", fqans), &accounts());
    assert_eq!(reason(verify(&["/vo/a/Role=NULL", "/vo/Role=NULL"])), Reason::LcmapsNoLease);

    // g01 is not in the group database.
    let mapping = get(&plan, "/CN=A", &["/vo/a/Role=NULL", "/vo/b/Role=NULL", "/vo/Role=NULL"]).unwrap();
    assert_eq!(ids(&mapping), (2001, 602, vec![603]));
    assert_eq!(mapping.lease.as_deref(), Some("%2fcn%3da:g02:g03"));
    assert!(groups.names().contains(&"%2fvo%2fa%2frole%3dnull%2fcapability%3dnull".to_owned()), "{:?}", groups.names());
    assert_eq!(verify(&["/vo/a/Role=NULL", "/vo/b/Role=NULL", "/vo/Role=NULL"]).unwrap(), mapping);
    // The lease belongs to the FQAN, not to the person.
    assert_eq!(ids(&get(&plan, "/CN=B", &["/vo/b/Role=NULL", "/vo/Role=NULL"]).unwrap()), (2002, 603, vec![]));
    assert_eq!(reason(get(&plan, "/CN=C", &["/vo/c/Role=NULL"])), Reason::LcmapsPoolExhausted);
}

#[test]
fn bans_fail_for_whom_they_name_and_for_files_that_cannot_be_read() {
    let table = [
        ("ban_dn", "/ban", "/CN=Alice", "", Some(Reason::LcmapsBanned)),
        ("ban_dn", "/ban", "/CN=Queen", "", Some(Reason::LcmapsBanned)),
        ("ban_dn", "/ban", "/CN=Paul", "/vo/Role=pilot", None),
        ("ban_dn", "/missing", "/CN=Paul", "", Some(Reason::LcmapsFileMissing)),
        ("ban_dn", "/broken", "/CN=Paul", "", Some(Reason::LcmapsFileMalformed)),
        ("ban_fqan", "/ban", "/CN=Paul", "/vo/Role=pilot", Some(Reason::LcmapsBanned)),
        ("ban_fqan", "/ban", "/CN=Paul", "/other/g/Role=NULL", Some(Reason::LcmapsBanned)),
        ("ban_fqan", "/ban", "/CN=Paul", "/vo/Role=NULL", None),
        ("ban_fqan", "/ban", "/CN=Paul", "", None),
        ("ban_fqan", "/missing", "/CN=Paul", "", Some(Reason::LcmapsFileMissing)),
        ("ban_fqan", "/broken", "/CN=Paul", "/vo/Role=NULL", Some(Reason::LcmapsFileMalformed)),
        ("ban_fqan", "/broken", "/CN=Paul", "", Some(Reason::LcmapsFileMalformed)),
    ];
    for (kind, file, dn, fqan, expected) in table {
        let (dir, none) = (Temporary::new(&["p1"]), Temporary::pool(0));
        let it = format!("type = \"{kind}\"\nbanmapfile = \"{file}\"");
        let fqans: &[&str] = if fqan.is_empty() { &[] } else { &[fqan] };
        let got = get(&plan_with(&dir, &none, &it, "[\"it -> pool\"]"), dn, fqans);
        assert_eq!(got.err().map(|refusal| refusal.reason()), expected, "{kind} {file} {dn} {fqan}");
    }
}

#[test]
fn a_ban_without_patterns_bans_by_exact_name_only() {
    let (dir, none) = (Temporary::new(&["p1"]), Temporary::pool(0));
    let it = "type = \"ban_dn\"\nbanmapfile = \"/ban\"\nno_wildcard = true";
    let plan = plan_with(&dir, &none, it, "[\"it -> local\"]");
    assert_eq!(reason(get(&plan, "/CN=Queen", &[])), Reason::LcmapsNoMapping);
    assert_eq!(reason(get(&plan, "/CN=Alice", &[])), Reason::LcmapsBanned);
}

#[test]
fn the_batch_systems_groups_stay_and_no_others() {
    let (dir, none) = (Temporary::new(&["p1"]), Temporary::pool(0));
    let it = |range: &str| format!("type = \"tracking_groupid\"\n{range}");
    for (range, expected) in [
        ("min_gid = 20000\nmax_gid = 20100", vec![500, 20_017]),
        ("min_gid = 1\nmax_gid = 70000", vec![500, 2000, 20_017]), // never 65534, nor below min_gid
        ("min_gid = 30000\nmax_gid = 30000", vec![500]),
    ] {
        let policy = "[\"it -> groups\", \"groups -> voms\"]";
        let mapping = get(&plan_with(&dir, &none, &it(range), policy), "/CN=A", &["/vo/Role=NULL"]).unwrap();
        let groups: Vec<u32> = std::iter::once(mapping.gid.get()).chain(ids(&mapping).2).collect();
        assert_eq!(groups, expected, "{range}");
        assert_eq!(mapping.lease.as_deref(), Some("%2fcn%3da:vo"), "not part of the lease's name");
    }
}

#[test]
fn dummies_succeed_and_fail() {
    type Row<'a> = (&'a str, Result<(u32, u32, Vec<u32>), Reason>);
    let table: &[Row<'_>] = &[
        ("", Err(Reason::LcmapsNoMapping)),
        ("dummy_username = \"lalice\"", Ok((1001, 101, vec![]))),
        ("dummy_username = \"lalice\"\ndummy_group = \"vo\"", Ok((1001, 500, vec![]))),
        ("dummy_username = \"lalice\"\ndummy_sec_group = \"vo\"", Ok((1001, 101, vec![500]))),
        ("dummy_group = \"vo\"", Err(Reason::LcmapsNoMapping)),
        ("dummy_username = \"root\"", Err(Reason::AccountForbidden)),
        ("dummy_username = \"lalice\"\ndummy_group = \"wheel\"", Err(Reason::AccountForbidden)),
        ("dummy_username = \"nobody-here\"", Err(Reason::AccountUnknown)),
    ];
    for (options, expected) in table {
        let (dir, none) = (Temporary::pool(0), Temporary::pool(0));
        let it = format!("type = \"dummy_good\"\n{options}\n[plugins.bad]\ntype = \"dummy_bad\"");
        let got = get(&plan_with(&dir, &none, &it, "[\"~bad -> it\"]"), "/CN=A", &[]);
        assert_eq!(got.map(|mapping| ids(&mapping)).map_err(|r| r.reason()), *expected, "{options}");
    }
}

#[test]
fn what_a_program_names_is_checked_as_a_map_file_is() {
    type Row<'a> = (&'a str, Result<(u32, u32, Vec<u32>), Reason>);
    let table: &[Row<'_>] = &[
        (r#"{"account":"lalice"}"#, Ok((1001, 101, vec![101, 102, 300]))),
        (r#"{"account":"lalice","group":"vo"}"#, Ok((1001, 500, vec![]))),
        (r#"{"account":"lalice","group":"vo","groups":["prod"]}"#, Ok((1001, 500, vec![502]))),
        (r#"{"account":"lalice","groups":["prod"]}"#, Ok((1001, 101, vec![502]))),
        (r#"{"account":"root"}"#, Err(Reason::AccountForbidden)),
        (r#"{"account":"gone"}"#, Err(Reason::AccountUnknown)),
        (r#"{"account":"lalice","group":"wheel"}"#, Err(Reason::AccountForbidden)),
        (r#"{"account":"lalice","groups":["nope"]}"#, Err(Reason::AccountNoGroup)),
        (r#"{"account":"1001"}"#, Err(Reason::LcmapsExecFailed)),
        (r#"{"group":"vo"}"#, Err(Reason::LcmapsNoMapping)),
        (r#"{"decision":"permit"}"#, Err(Reason::LcmapsNoMapping)),
        (r#"{"decision":"deny"}"#, Err(Reason::LcmapsExecDenied)),
        ("x", Err(Reason::LcmapsExecFailed)),
    ];
    for (answer, expected) in table {
        let (dir, none) = (Temporary::pool(0), Temporary::pool(0));
        let it = format!("type = \"exec\"\ncommand = [\"/opt/map\", '{answer}']\n[plugins.bad]\ntype = \"dummy_bad\"");
        let got = get(&plan_with(&dir, &none, &it, "[\"~bad -> it\"]"), "/CN=A", &[]);
        assert_eq!(got.map(|mapping| ids(&mapping)).map_err(|r| r.reason()), *expected, "{answer}");
    }
}

#[test]
fn an_expired_account_is_not_handed_out_and_its_holder_hears_why() {
    let dir = Temporary::new(&["p1", "p2"]);
    let plan = plan(&dir, "", "[\"~local -> pool\"]");
    let expired = |names: &[&str]| Fake { expired: names.iter().map(ToString::to_string).collect(), ..accounts() };
    let get = |dn: &str, names: &[&str]| run(&plan, Mode::GetAccount, &who(dn, &[]), &expired(names));
    assert_eq!(get("/CN=Paul", &["p1"]).unwrap().name, "p2");
    assert_eq!(reason(get("/CN=Paul", &["p2"])), Reason::AccountLocked);
    assert_eq!(reason(get("/CN=Peter", &["p1"])), Reason::LcmapsPoolExhausted);
    assert_eq!(reason(get("/CN=Alice", &["lalice"])), Reason::AccountLocked);
}
