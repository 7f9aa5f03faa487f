//! One gridmapdir for the C library and for us: each honours the other's leases.

use crate::library::{DN_POLICIES, Library, Place, Policy, VOMS_POLICIES};
use crate::ours::{self, Accounts};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

const MAP: &[u8] = b"\"/O=x/*\" .p\n\"/vo/Role=pilot/*\" pilot .p\n\"/vo/Role=NULL/*\" vo .p\n";
const ALICE: &str = "/O=x/CN=Alice Adams";
const FQANS: &[&str] = &["/vo/Role=pilot/Capability=NULL", "/vo/Role=NULL/Capability=NULL"];

fn policy(name: &str) -> &'static Policy {
    DN_POLICIES.iter().chain(VOMS_POLICIES).find(|policy| policy.name == name).unwrap()
}

/// How leases are named: by the name alone, with all groups, with the primary group.
fn kinds() -> [(&'static Policy, &'static [&'static str], &'static str); 3] {
    [
        (policy("pool"), &[], "%2fo%3dx%2fcn%3dalice%20adams"),
        (policy("voms"), FQANS, ":pilot:vo"),
        (policy("vprimary"), FQANS, ":pilot"),
    ]
}

fn uid(answer: &str) -> Option<u32> {
    answer.split(' ').next().unwrap().parse().ok()
}

fn names(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(place.gridmapdir()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Asks both in turn, and each twice: all must give the same account by the same lease.
fn both_agree(first_is_theirs: bool) {
    for (policy, fqans, lease) in kinds() {
        let place = Place::new(&format!("sharing-{}-{first_is_theirs}", policy.name));
        place.touch(["p001", "p002", "p003"]);
        std::fs::write(place.map(), MAP).unwrap();
        let (plan, accounts) = (ours::plan(policy, &place), Accounts::with(&[]));
        let mut library = Library::start(policy, &place, &[], -1);
        let mut seen = Vec::new();
        for round in 0..4 {
            let old = SystemTime::UNIX_EPOCH;
            for name in names(&place) {
                std::fs::File::open(place.gridmapdir().join(name)).unwrap().set_modified(old).unwrap();
            }
            let theirs = (round % 2 == 0) == first_is_theirs;
            seen.push(match theirs {
                true => uid(&library.ask(None, ALICE, fqans)).unwrap(),
                false => ours::ask(&plan, &accounts, ALICE, fqans).unwrap().uid.get(),
            });
            let leases: Vec<_> = names(&place).into_iter().filter(|name| name.starts_with('%')).collect();
            assert_eq!(leases.len(), 1, "{leases:?}");
            assert!(leases[0].ends_with(lease), "{leases:?}");
            let status = std::fs::metadata(place.gridmapdir().join(&leases[0])).unwrap();
            assert_eq!(status.nlink(), 2);
            assert!(status.mtime() > 1_000_000_000, "whoever uses a lease marks it as used");
        }
        assert!(seen.iter().all(|uid| *uid == seen[0]), "{} {seen:?}", policy.name);
    }
}

#[test]
fn a_lease_that_the_library_made_is_honoured_here() {
    both_agree(true);
}

#[test]
fn a_lease_that_was_made_here_is_honoured_by_the_library() {
    both_agree(false);
}

#[test]
fn the_librarys_counter_of_mappings_is_not_what_glexec_gave() {
    let place = Place::new("counter");
    place.touch(["p001", "p002", "p003"]);
    std::fs::write(place.map(), MAP).unwrap();
    // The policy has max_mappings_per_credential = 5 on both sides.
    for counter in [-1, 0] {
        let mut library = Library::start(policy("pool"), &place, &[], counter);
        assert!(library.ask(None, ALICE, &[]).ends_with("%2fo%3dx%2fcn%3dalice%20adams"));
    }
    let plan = ours::plan(policy("pool"), &place);
    ours::ask(&plan, &Accounts::with(&[]), ALICE, &[]).unwrap();
    assert_eq!(names(&place).len(), 4);
}

#[test]
fn both_at_once_give_no_account_to_two_people() {
    let place = Place::new("at-once");
    let more: Vec<(String, u32, u32)> = (1..=60).map(|n| (format!("p1{n:03}"), 7000 + n, 300)).collect();
    place.touch(more.iter().map(|account| account.0.as_str()));
    std::fs::write(place.map(), MAP).unwrap();
    let (plan, accounts) = (ours::plan(policy("pool"), &place), Accounts::with(&more));
    let people: Vec<String> = (0..48).map(|n| format!("/O=x/CN=person {n}")).collect();
    let mut libraries: Vec<Library> = (0..4).map(|_| Library::start(policy("pool"), &place, &more, -1)).collect();

    let mut got: Vec<(String, u32)> = Vec::new();
    std::thread::scope(|scope| {
        let jobs = (0..6_usize).map(|job| {
            let (plan, accounts, people) = (&plan, &accounts, &people);
            scope.spawn(move || {
                let rotated = people.iter().cycle().skip(job * 8).take(people.len());
                let lease =
                    |person: &String| (person.clone(), ours::ask(plan, accounts, person, &[]).unwrap().uid.get());
                rotated.map(lease).collect::<Vec<_>>()
            })
        });
        let jobs: Vec<_> = jobs.collect();
        // The library may fail here, as it does among its own processes; it must not share an account. Two of its
        // processes never ask for the same person at once: that may double an account without anybody else's doing.
        for person in people.iter().chain(&people) {
            let number: usize = person.rsplit(' ').next().unwrap().parse().unwrap();
            libraries[number % 4].send(None, person, &[]);
        }
        for person in people.iter().chain(&people) {
            let number: usize = person.rsplit(' ').next().unwrap().parse().unwrap();
            got.extend(uid(&libraries[number % 4].receive()).map(|uid| (person.clone(), uid)));
        }
        got.extend(jobs.into_iter().flat_map(|job| job.join().unwrap()));
    });

    let (mut holders, mut held) = (BTreeMap::new(), BTreeMap::new());
    for (person, uid) in &got {
        assert_eq!(holders.entry(*uid).or_insert(person), &person, "two people have {uid}");
        assert_eq!(held.entry(person).or_insert(uid), &uid, "{person} has two accounts");
    }
    assert_eq!(held.len(), people.len());
    let left = names(&place);
    assert_eq!(left.len(), more.len() + people.len(), "accounts and leases, and nothing else: {left:?}");
    for name in left.iter().filter(|name| name.starts_with('%')) {
        assert_eq!(std::fs::metadata(place.gridmapdir().join(name)).unwrap().nlink(), 2, "{name}");
    }
}

/// OpenSSL 3 prints a `/` and a `+` of a value with a backslash before it, and the library names its lease by that.
#[test]
fn a_name_that_versions_of_openssl_print_differently_has_one_account() {
    for (here, there) in [("/O=x/CN=host/a.org", "/O=x/CN=host\\/a.org"), ("/O=x/CN=C++", "/O=x/CN=C\\+\\+")] {
        for (number, print) in [there, here].into_iter().enumerate() {
            for first_is_theirs in [true, false] {
                // Before OpenSSL 3 the library does not find what is made here; what it made is found all the same.
                if print == here && !first_is_theirs {
                    continue;
                }
                let place = Place::new(&format!("prints-{number}-{first_is_theirs}-{}", here.len()));
                place.touch(["p001", "p002", "p003"]);
                std::fs::write(place.map(), MAP).unwrap();
                let (policy, accounts) = (policy("pool"), Accounts::with(&[]));
                let plan = ours::plan(policy, &place);
                let mut library = Library::start(policy, &place, &[], -1);
                let mut theirs = || uid(&library.ask(None, print, &[])).unwrap();
                let ours = || ours::ask(&plan, &accounts, here, &[]).unwrap().uid.get();
                let got = match first_is_theirs {
                    true => [theirs(), ours()],
                    false => [ours(), theirs()],
                };
                assert_eq!(got[0], got[1], "{print}: {:?}", names(&place));
            }
        }
    }
}
