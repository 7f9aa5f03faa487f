//! Leases made by many processes at once, by processes that share nothing but the directory, and by processes that are
//! killed on the way.

// These lints are meant for code that runs privileged at a site.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use glexec_config::lcmaps::{Inconsistency, Members};
use glexec_core::identity::Dn;
use glexec_core::reason::{Outcome, Reason};
use glexec_machine::gridmapdir::Gridmapdir;
use glexec_policy::files::lease_name::LeaseName;
use glexec_policy::leases::Pool;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use std::collections::BTreeSet;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Tells a process of [`a_process_of_its_own`] the directory and the person.
const DIRECTORY: &str = "LEASES_DIRECTORY";
const PERSON: &str = "LEASES_PERSON";
const KILLED: i32 = 9;

/// A gridmapdir below root's home, since only root may write to what is above one.
struct Place(PathBuf);

impl Place {
    fn new(name: &str, accounts: usize) -> Place {
        let path = PathBuf::from(format!("/root/.glexec-leases-{}-{name}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        for number in 1..=accounts {
            std::fs::write(path.join(format!("p{number:04}")), b"").unwrap();
        }
        Place(path)
    }

    fn names(&self) -> Vec<String> {
        let names = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Every person has an account, nobody has another one's, and nothing else is in the directory.
    fn assert_sound(&self, people: impl IntoIterator<Item = String>, accounts: usize) {
        let mut taken = BTreeSet::new();
        for person in people {
            let status = std::fs::metadata(self.0.join(lease(&person).as_str())).unwrap_or_else(|_| panic!("{person}"));
            assert!(taken.insert(status.ino()), "{person} has another one's account");
            assert_eq!(status.nlink(), 2, "{person}");
        }
        assert_eq!(self.names().len(), accounts + taken.len(), "{:?}", self.names());
    }

    /// Lets the time pass after which marks are held for abandoned.
    fn age(&self) {
        for name in self.names().iter().filter(|name| name.starts_with(".glexec-")) {
            let mut parts: Vec<&str> = name.splitn(5, '.').collect();
            parts[2] = "1000";
            std::fs::rename(self.0.join(name), self.0.join(parts.join("."))).unwrap();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn lease(person: &str) -> LeaseName {
    LeaseName::for_certificate(&Dn::try_from(format!("/CN={person}")).unwrap(), &[]).unwrap()
}

fn take(directory: &Path, person: &str) -> Outcome<String> {
    let pool = Pool { prefix: "p".into(), members: Members::Numbered, inconsistency: Inconsistency::Refuse };
    Gridmapdir::open(directory)?.lease(&pool, &lease(person), &|_| Ok(true))
}

/// What the processes of the other tests do: wait for the end of their input, and lease.
#[test]
#[ignore = "for processes that the other tests start"]
fn a_process_of_its_own() {
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    let person = std::env::var(PERSON).unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    take(&directory, &person).unwrap();
}

/// A process that leases, perhaps started by another program.
fn process(before: &[&str], directory: &Path, person: &str) -> Command {
    let own = std::env::current_exe().unwrap();
    let mut words: Vec<&std::ffi::OsStr> = before.iter().map(std::ffi::OsStr::new).collect();
    words.push(own.as_os_str());
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["a_process_of_its_own", "--exact", "--ignored", "--test-threads=1", "--nocapture"]);
    command.env(DIRECTORY, directory).env(PERSON, person).stdout(Stdio::null()).stdin(Stdio::null());
    command
}

#[test]
fn a_thousand_first_time_users_at_once_get_a_thousand_accounts() {
    let place = Place::new("thousand", 1000);
    let (input, start) = pipe2(OFlag::O_CLOEXEC).unwrap();
    let people = || (0..1000).map(|number| format!("person {number}"));
    let spawn = |person: String| process(&[], &place.0, &person).stdin(input.try_clone().unwrap()).spawn().unwrap();
    let children: Vec<_> = people().map(spawn).collect();
    drop(start);
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    place.assert_sound(people(), 1000);
}

#[test]
fn processes_that_share_nothing_but_the_directory_share_no_account() {
    let place = Place::new("namespaces", 60);
    let people = || (0..60).map(|number| format!("person {number}"));
    // Each sees the directory at another path, in a mount namespace of its own; two jobs for each person.
    let script = "mkdir -p /run/lock; mount -t tmpfs -o mode=755 tmpfs /run/lock; mkdir /run/lock/here; \
        mount --bind \"$LEASES_DIRECTORY\" /run/lock/here; LEASES_DIRECTORY=/run/lock/here exec \"$@\"";
    let before = ["unshare", "--mount", "sh", "-ec", script, "sh"];
    let spawn = |person: String| process(&before, &place.0, &person).spawn().unwrap();
    let children: Vec<_> = people().chain(people()).map(spawn).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    place.assert_sound(people(), 60);
}

#[test]
fn a_file_system_without_exclusive_rename_serves_as_well() {
    let place = Place::new("nfs", 1);
    // As NFS answers (renameat2(2)).
    let before = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=renameat2:error=EINVAL"];
    assert!(process(&before, &place.0, "a").status().unwrap().success());
    assert_eq!(place.names(), ["%2fcn%3da", "p0001"]);
}

/// Kills a process at each of its calls of a kind; gives how often.
fn kill_at_each(call: &str) -> usize {
    for when in 1..100 {
        let place = Place::new(&format!("{call}-{when}"), 2);
        let inject = format!("inject={call}:signal=KILL:when={when}");
        let before = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &inject];
        let status = process(&before, &place.0, "a").status().unwrap();
        let was_killed = status.signal() == Some(KILLED);
        assert!(was_killed || status.success(), "{call} {when}: {status}");
        let left = place.names();
        place.age();
        let accounts = [take(&place.0, "a").unwrap(), take(&place.0, "b").unwrap()];
        assert_ne!(accounts[0], accounts[1], "{call} {when}: {left:?}");
        place.assert_sound(["a", "b"].map(str::to_owned), 2);
        assert_eq!(take(&place.0, "c").unwrap_err().reason(), Reason::LcmapsPoolExhausted);
        if !was_killed {
            return when - 1;
        }
    }
    panic!("{call} is made for ever");
}

/// Every call that changes something is a place to die at: what is left between two of them is all that can be left.
#[test]
fn a_process_that_is_killed_anywhere_loses_and_doubles_nothing() {
    let calls = ["renameat2", "linkat", "unlinkat", "ftruncate", "write", "utimensat"];
    let killed: Vec<usize> = std::thread::scope(|scope| {
        let threads: Vec<_> = calls.map(|call| scope.spawn(move || kill_at_each(call))).into_iter().collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!((killed[0], killed[1], killed[2], killed[3], killed[5]), (1, 1, 0, 1, 1));
    assert!(killed[4] >= 1);
}
