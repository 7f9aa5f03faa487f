//! Leases in a directory of their own below root's home, since only root may write to the parents of a gridmapdir.

#![allow(clippy::disallowed_methods, clippy::arithmetic_side_effects)]

use super::names::{MARK, seconds_now};
use super::*;
use glexec_config::lcmaps::Members;
use glexec_core::identity::Dn;
use glexec_core::reason::{Reason, Refusal};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::SystemTime;

/// A temporary gridmapdir with accounts.
pub(crate) struct Temporary(pub(crate) PathBuf);

impl Temporary {
    pub(crate) fn new(accounts: &[&str]) -> Self {
        let path = PathBuf::from(format!("/root/.glexec-test-{}-{:016x}", std::process::id(), random()));
        std::fs::create_dir(&path).unwrap();
        for account in accounts {
            std::fs::write(path.join(account), b"").unwrap();
        }
        Temporary(path)
    }

    pub(crate) fn pool(count: u32) -> Self {
        let names: Vec<String> = (1..=count).map(|number| format!("p{number:03}")).collect();
        Self::new(&names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    pub(crate) fn link(&self, from: &str, to: &str) {
        std::fs::hard_link(self.0.join(from), self.0.join(to)).unwrap();
    }

    fn open(&self) -> Gridmapdir {
        Gridmapdir::open(&self.0).unwrap()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(&self.0).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn links(&self, name: &str) -> u64 {
        std::fs::metadata(self.0.join(name)).unwrap().nlink()
    }

    fn same(&self, a: &str, b: &str) -> bool {
        std::fs::metadata(self.0.join(a)).unwrap().ino() == std::fs::metadata(self.0.join(b)).unwrap().ino()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn pool(prefix: &str) -> Pool {
    Pool { prefix: prefix.to_owned(), members: Members::Numbered, inconsistency: Inconsistency::Refuse }
}

fn lease(dn: &str) -> LeaseName {
    LeaseName::for_certificate(&Dn::try_from(dn.to_owned()).unwrap(), &[]).unwrap()
}

fn every(_: &str) -> Outcome<bool> {
    Ok(true)
}

fn reason<T: std::fmt::Debug>(outcome: Outcome<T>) -> Reason {
    outcome.unwrap_err().reason()
}

#[test]
fn members_of_a_pool() {
    let numbered = pool("p");
    for (account, member) in [("p1", true), ("p001", true), ("p", false), ("p1a", false), ("q1", false), ("px1", false)]
    {
        assert_eq!(numbered.has(account), member, "{account}");
    }
    let prefixed = Pool { members: Members::Prefixed, ..pool("r") };
    for (account, member) in [("r", true), ("rx~", false), ("r1a", true), ("root", false), (".r1", false)] {
        assert_eq!(prefixed.has(account), member, "{account}");
    }
}

#[test]
fn accounts_are_handed_out_in_the_order_of_their_numbers_and_kept() {
    let dir = Temporary::new(&["p10", "p2", "p1", "q1", "p3x", ".p0", "p4~"]);
    let gridmapdir = dir.open();
    let expected = [("/CN=a", "p1"), ("/CN=b", "p2"), ("/CN=c", "p10"), ("/CN=a", "p1"), ("/CN=c", "p10")];
    for (dn, account) in expected {
        assert_eq!(gridmapdir.lease(&pool("p"), &lease(dn), &every).unwrap(), account, "{dn}");
        assert!(dir.same(account, lease(dn).as_str()));
        assert_eq!(dir.links(account), 2);
    }
    assert_eq!(reason(gridmapdir.lease(&pool("p"), &lease("/CN=d"), &every)), Reason::LcmapsPoolExhausted);
    assert!(!gridmapdir.view.has_free(&pool("p"), &every).unwrap());
    assert!(gridmapdir.view.has_free(&pool("q"), &every).unwrap());
    assert_eq!(dir.names().len(), 7 + 3, "nothing but leases was added: {:?}", dir.names());
}

#[test]
fn accounts_that_may_not_be_used_are_passed_over_and_doubt_is_not() {
    let dir = Temporary::pool(2);
    let second_only = |name: &str| Ok(name == "p002");
    assert_eq!(dir.open().lease(&pool("p"), &lease("/CN=a"), &second_only).unwrap(), "p002");
    assert_eq!(reason(dir.open().lease(&pool("p"), &lease("/CN=b"), &second_only)), Reason::LcmapsPoolExhausted);
    let broken = |_: &str| Err(Refusal::new(Reason::AccountLookup, "x"));
    assert_eq!(reason(dir.open().lease(&pool("p"), &lease("/CN=b"), &broken)), Reason::AccountLookup);
}

#[test]
fn looking_makes_no_lease_but_marks_an_existing_one_as_used() {
    let dir = Temporary::pool(2);
    assert_eq!(dir.open().existing(&pool("p"), &lease("/CN=a")).unwrap(), None);
    assert_eq!(dir.names(), ["p001", "p002"]);
    dir.link("p002", lease("/CN=a").as_str());
    let old = std::fs::File::open(dir.0.join("p002")).unwrap();
    old.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(dir.open().existing(&pool("p"), &lease("/CN=a")).unwrap().as_deref(), Some("p002"));
    assert!(std::fs::metadata(dir.0.join("p002")).unwrap().mtime() > 1_000_000_000);
}

#[test]
fn a_lease_on_another_pool_or_with_more_holders_is_a_conflict() {
    let dir = Temporary::new(&["p1", "q1"]);
    dir.link("q1", lease("/CN=a").as_str());
    assert_eq!(reason(dir.open().existing(&pool("p"), &lease("/CN=a"))), Reason::LcmapsLeaseConflict);
    assert_eq!(reason(dir.open().lease(&pool("p"), &lease("/CN=a"), &every)), Reason::LcmapsLeaseConflict);
    dir.link("q1", lease("/CN=b").as_str());
    for dn in ["/CN=a", "/CN=b"] {
        assert_eq!(reason(dir.open().existing(&pool("q"), &lease(dn))), Reason::LcmapsLeaseConflict);
    }
    std::fs::create_dir(dir.0.join(lease("/CN=c").as_str())).unwrap();
    assert_eq!(reason(dir.open().lease(&pool("p"), &lease("/CN=c"), &every)), Reason::LcmapsLeaseConflict);
    assert_eq!(dir.links("p1"), 1);
}

#[test]
fn override_makes_a_new_lease_and_keeps_the_old_account_from_others() {
    let dir = Temporary::new(&["p1", "q1"]);
    dir.link("q1", lease("/CN=a").as_str());
    let overriding = Pool { inconsistency: Inconsistency::Override, ..pool("p") };
    assert_eq!(dir.open().lease(&overriding, &lease("/CN=a"), &every).unwrap(), "p1");
    assert!(dir.same("p1", lease("/CN=a").as_str()));
    assert_eq!(dir.links("q1"), 2, "somebody may still run there");
    assert_eq!(reason(dir.open().lease(&pool("q"), &lease("/CN=b"), &every)), Reason::LcmapsPoolExhausted);
}

#[test]
fn a_lease_with_one_link_is_refused_and_nobody_gets_another_account_for_it() {
    let dir = Temporary::new(&["p1", "p2"]);
    dir.link("p1", lease("/CN=a").as_str());
    // As a copy without hard links has them: the account looks free.
    std::fs::remove_file(dir.0.join("p1")).unwrap();
    std::fs::write(dir.0.join("p1"), "").unwrap();
    let overriding = Pool { inconsistency: Inconsistency::Override, ..pool("p") };
    for pool in [pool("p"), overriding] {
        assert_eq!(reason(dir.open().existing(&pool, &lease("/CN=a"))), Reason::LcmapsLeaseConflict);
        assert_eq!(reason(dir.open().lease(&pool, &lease("/CN=a"), &every)), Reason::LcmapsLeaseConflict);
        assert_eq!(reason(Looking.look(&dir.0, &pool, &lease("/CN=a"), &every)), Reason::LcmapsLeaseConflict);
    }
    assert_eq!(dir.names(), [lease("/CN=a").as_str(), "p1", "p2"]);
    assert_eq!(dir.open().view.orphans().unwrap(), [lease("/CN=a").as_str()]);
    assert_eq!(dir.open().lease(&pool("p"), &lease("/CN=b"), &every).unwrap(), "p1");
}

/// Marks an account as a process in step 2 does.
fn mark_by_hand(dir: &Temporary, account: &str, made: u64) -> String {
    let mark = format!("{MARK}{made}.x.{account}");
    dir.link(account, &mark);
    mark
}

#[test]
fn marks_of_the_dead_keep_no_account_for_ever_and_those_of_the_living_are_respected() {
    let dir = Temporary::pool(1);
    let mark = mark_by_hand(&dir, "p001", seconds_now());
    assert_eq!(reason(dir.open().lease(&pool("p"), &lease("/CN=a"), &every)), Reason::LcmapsPoolExhausted);
    assert_eq!(dir.names(), [mark.as_str(), "p001"]);
    let dir = Temporary::pool(1);
    mark_by_hand(&dir, "p001", 1000);
    assert_eq!(dir.open().lease(&pool("p"), &lease("/CN=a"), &every).unwrap(), "p001");
    // Somebody who had seen the account free before it was leased died at once.
    mark_by_hand(&dir, "p001", 1000);
    assert_eq!(dir.open().lease(&pool("p"), &lease("/CN=a"), &every).unwrap(), "p001");
    assert_eq!(dir.names(), [lease("/CN=a").as_str(), "p001"]);
}

#[test]
fn an_account_that_somebody_linked_meanwhile_is_left_to_him() {
    let dir = Temporary::pool(1);
    // The other one saw the account free as well, and links it before it is marked.
    dir.link("p001", lease("/CN=b").as_str());
    assert_eq!(dir.open().link_mark("p001", &lease("/CN=a")).unwrap(), Claim::Lost);
    assert_eq!(dir.names(), [lease("/CN=b").as_str(), "p001"]);
}

#[test]
fn a_maker_that_was_held_for_dead_gets_nothing() {
    let dir = Temporary::pool(1);
    let mark = mark_by_hand(&dir, "p001", 1000);
    assert_eq!(dir.open().lease(&pool("p"), &lease("/CN=a"), &every).unwrap(), "p001");
    assert_eq!(dir.open().make_of(mark.as_ref(), &lease("/CN=b")).unwrap(), Claim::Lost);
    assert_eq!(dir.names(), [lease("/CN=a").as_str(), "p001"]);
}

/// The C library removes a lease when the account it leads to is not where the directory had it a moment before.
#[test]
fn an_account_never_changes_its_name_while_it_is_claimed() {
    let dir = Temporary::pool(1);
    let watched = std::sync::atomic::AtomicBool::new(true);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            while watched.load(std::sync::atomic::Ordering::Relaxed) {
                assert!(dir.0.join("p001").exists());
            }
        });
        for round in 0..300 {
            let person = lease(&format!("/CN={round}"));
            assert_eq!(dir.open().lease(&pool("p"), &person, &every).unwrap(), "p001");
            std::fs::remove_file(dir.0.join(person.as_str())).unwrap();
        }
        watched.store(false, std::sync::atomic::Ordering::Relaxed);
        watch.join().unwrap();
    });
}

#[test]
fn a_lock_that_somebody_else_holds_stops_nobody() {
    let dir = Temporary::pool(1);
    let other = dir.open();
    let held = other.view.directory().lock(Duration::ZERO);
    assert!(held.is_some());
    assert!(dir.open().view.directory().lock(Duration::ZERO).is_none());
    assert_eq!(dir.open().lease(&pool("p"), &lease("/CN=a"), &every).unwrap(), "p001");
}

#[test]
fn an_account_that_has_just_lost_its_lease_is_taken_last() {
    let dir = Temporary::pool(3);
    let used = std::fs::File::open(dir.0.join("p001")).unwrap();
    used.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
    for (dn, account) in [("/CN=a", "p002"), ("/CN=b", "p003"), ("/CN=c", "p001")] {
        assert_eq!(dir.open().lease(&pool("p"), &lease(dn), &every).unwrap(), account);
    }
}

#[test]
fn whoever_comes_second_goes_away_and_leaves_no_trace() {
    let dir = Temporary::pool(1);
    dir.link("p001", lease("/CN=a").as_str());
    assert_eq!(dir.open().claim("p001", &lease("/CN=b")).unwrap(), Claim::Lost);
    assert_eq!(dir.open().claim("p002", &lease("/CN=b")).unwrap(), Claim::Lost);
    assert_eq!(dir.names(), [lease("/CN=a").as_str(), "p001"]);
    assert_eq!(std::fs::read(dir.0.join("p001")).unwrap(), b"");
}

/// The C library may take a lease back until it has touched it.
#[test]
fn a_lease_that_its_maker_has_not_confirmed_is_not_used_at_once() {
    let dir = Temporary::pool(2);
    std::fs::File::open(dir.0.join("p001")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    dir.link("p001", lease("/CN=a").as_str());
    std::thread::scope(|scope| {
        let job = scope.spawn(|| dir.open().lease(&pool("p"), &lease("/CN=a"), &every).unwrap());
        std::thread::sleep(Duration::from_millis(30));
        std::fs::remove_file(dir.0.join(lease("/CN=a").as_str())).unwrap();
        dir.link("p001", lease("/CN=b").as_str());
        assert_eq!(job.join().unwrap(), "p002");
    });
}

#[test]
fn a_second_job_of_the_same_person_uses_the_lease_of_the_first() {
    let dir = Temporary::pool(2);
    dir.link("p001", lease("/CN=a").as_str());
    assert_eq!(dir.open().claim("p002", &lease("/CN=a")).unwrap(), Claim::LeaseExists);
    assert_eq!((dir.links("p001"), dir.links("p002")), (2, 1));
}

#[test]
fn the_last_account_may_have_gone_to_another_job_of_the_same_person() {
    let taken_meanwhile = |dir: &Temporary, _: &str| {
        dir.link("p001", lease("/CN=a").as_str());
        dir.open().view.directory().touch("p001".as_ref()).unwrap();
        Ok(false)
    };
    let dir = Temporary::pool(1);
    let got = dir.open().lease(&pool("p"), &lease("/CN=a"), &|name| taken_meanwhile(&dir, name));
    assert_eq!(got.unwrap(), "p001");
    let dir = Temporary::pool(1);
    let got = dir.open().look(&pool("p"), &lease("/CN=a"), &|name| taken_meanwhile(&dir, name));
    assert_eq!(got.unwrap().as_deref(), Some("p001"));
}

#[test]
fn people_who_differ_only_in_case_do_not_share_an_account() {
    let dir = Temporary::pool(2);
    assert_eq!(dir.open().lease(&pool("p"), &lease("/CN=Alice"), &every).unwrap(), "p001");
    assert_eq!(reason(dir.open().lease(&pool("p"), &lease("/CN=alice"), &every)), Reason::LcmapsLeaseName);
    assert_eq!(dir.open().lease(&pool("p"), &lease("/CN=Alice"), &every).unwrap(), "p001");
    // A lease of the C library has no record; a record of an earlier holder proves nothing.
    dir.link("p002", lease("/CN=Bob").as_str());
    assert_eq!(dir.open().lease(&pool("p"), &lease("/CN=BOB"), &every).unwrap(), "p002");
    std::fs::write(dir.0.join("p002"), "/CN=Somebody Else").unwrap();
    assert_eq!(dir.open().lease(&pool("p"), &lease("/CN=BOB"), &every).unwrap(), "p002");
}

#[test]
fn the_account_that_a_record_names_is_believed_only_where_the_links_prove_it() {
    let dir = Temporary::pool(4);
    let alice = lease("/CN=Alice");
    assert_eq!(dir.open().lease(&pool("p"), &alice, &every).unwrap(), "p001");
    let held = || dir.open().view.held(alice.as_str().as_ref()).unwrap();
    let (found, listing) = held();
    assert!(matches!(found, Held::Account(account, _) if account == "p001"));
    assert!(listing.is_empty(), "nothing had to be looked through");
    let around = format!("../{}/p001", dir.0.file_name().unwrap().to_str().unwrap());
    for wrong in ["", "p002", "p009", alice.as_str(), "../p001", around.as_str(), ".", "\u{fffd}"] {
        std::fs::write(dir.0.join("p001"), format!("/CN=Alice\n17\n{wrong}")).unwrap();
        let (found, listing) = held();
        assert!(matches!(found, Held::Account(account, _) if account == "p001"), "{wrong}");
        assert!(!listing.is_empty(), "{wrong}");
    }
    std::fs::write(dir.0.join("p001"), "/CN=Alice\n17\np001").unwrap();
    dir.link("p001", "third");
    assert!(matches!(held().0, Held::Conflict(_)), "a third name");
}

#[test]
fn an_account_that_the_listing_shows_leased_is_not_looked_at() {
    let entries = [("p10", 10), ("p2", 11), ("%2fcn%3da", 11), ("p3", 12), (".glexec-mark.1.x.p3", 12), ("q1", 13)];
    let listing = entries.map(|(name, inode)| (name.into(), inode)).to_vec();
    assert_eq!(View::candidates(&pool("p"), &listing), ["p3", "p10"]);
}

#[test]
fn what_is_not_free_any_more_is_not_visited() {
    let visited =
        |dir: &Temporary, listing| dir.open().view.visit_free(&pool("p"), &listing, |name| Ok(Some(name.to_owned())));
    let dir = Temporary::pool(1);
    let listing = dir.open().view.listing().unwrap();
    dir.link("p001", lease("/CN=a").as_str());
    assert_eq!(visited(&dir, listing).unwrap(), (None, Rest::Changing));
    let dir = Temporary::new(&[]);
    std::fs::create_dir(dir.0.join("p001")).unwrap();
    let listing = dir.open().view.listing().unwrap();
    assert_eq!(visited(&dir, listing).unwrap(), (None, Rest::Leased), "no account, and none will come of it");
}

#[test]
fn a_directory_that_others_may_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Temporary::pool(1);
    let mode = |mode| std::fs::set_permissions(&dir.0, PermissionsExt::from_mode(mode)).unwrap();
    mode(0o777);
    assert_eq!(reason(Gridmapdir::open(&dir.0)), Reason::LcmapsFileInsecure);
    mode(0o775);
    assert!(Gridmapdir::open(&dir.0).is_ok());
    assert_eq!(reason(Gridmapdir::open(Path::new("/root/no-such-gridmapdir"))), Reason::LcmapsFileMissing);
}

/// Runs jobs at once; gives who got which account.
fn at_once(dir: &Temporary, people: &[String]) -> BTreeMap<String, Vec<Outcome<String>>> {
    let results = Mutex::new(BTreeMap::<String, Vec<Outcome<String>>>::new());
    let start = std::sync::Barrier::new(people.len());
    std::thread::scope(|scope| {
        for person in people {
            scope.spawn(|| {
                let gridmapdir = dir.open();
                start.wait();
                let got = gridmapdir.lease(&pool("p"), &lease(person), &every);
                results.lock().unwrap().entry(person.clone()).or_default().push(got);
            });
        }
    });
    results.into_inner().unwrap()
}

fn assert_sound(dir: &Temporary, results: &BTreeMap<String, Vec<Outcome<String>>>) {
    let mut holders = BTreeMap::new();
    for (person, accounts) in results {
        for account in accounts.iter().flatten() {
            let holder = holders.entry(account.clone()).or_insert_with(|| person.clone());
            assert_eq!(holder, person, "{account} was given to two people");
            assert!(dir.same(account, lease(person).as_str()));
            assert_eq!(dir.links(account), 2);
        }
    }
    assert!(
        dir.names().iter().all(|name| !name.starts_with(".glexec-") && !name.starts_with(SET_ASIDE)),
        "{:?}",
        dir.names()
    );
}

#[test]
fn two_hundred_people_at_once_get_two_hundred_accounts() {
    let dir = Temporary::pool(200);
    let people: Vec<String> = (0..200).map(|number| format!("/CN=person {number}")).collect();
    let results = at_once(&dir, &people);
    assert_sound(&dir, &results);
    for (person, accounts) in &results {
        assert!(accounts.iter().all(Result::is_ok), "{person}: {accounts:?}");
    }
}

#[test]
fn many_jobs_of_few_people_on_a_small_pool() {
    for _ in 0..5 {
        let dir = Temporary::pool(8);
        let people: Vec<String> = (0..100).map(|number| format!("/CN=person {}", number % 10)).collect();
        let results = at_once(&dir, &people);
        assert_sound(&dir, &results);
        let served = results.values().filter(|accounts| accounts.iter().all(Result::is_ok)).count();
        assert_eq!(served, 8, "every account is used, every job of a holder runs: {results:?}");
        for accounts in results.values().filter(|accounts| !accounts.iter().all(Result::is_ok)) {
            for refusal in accounts {
                assert_eq!(refusal.as_ref().unwrap_err().reason(), Reason::LcmapsPoolExhausted);
            }
        }
    }
}
