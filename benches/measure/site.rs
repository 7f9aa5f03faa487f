//! The private site that everything is measured in (tests/site/enter makes it), and what is changed of it.

use crate::agents;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

pub const PILOT: u32 = 2000;
const CONFIG: &str = "/etc/glexec.conf";
pub const GRIDMAPDIR: &str = "/etc/grid-security/gridmapdir";

pub struct Site {
    /// What /etc/glexec.conf says at first.
    pub plain: String,
    /// The same, with calls that go to no agent.
    pub config: String,
}

impl Site {
    pub fn new() -> Self {
        for name in ["alice", "alice-voms", "alice-expired", "bob"] {
            give(name, &fs::read(format!("/root/proxies/{name}.pem")).unwrap());
        }
        let plain = fs::read_to_string(CONFIG).unwrap();
        Site { config: agents::unasked(&plain), plain }
    }

    /// The first configuration with other values.
    pub fn with(&self, changes: &[(&str, &str)]) -> String {
        changes.iter().fold(self.config.clone(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        })
    }

    /// Trust directories that [`crate::grid`] has made; of the agent it says nothing.
    pub fn trusting(&self, certificates: &str, vomsdir: &str) -> String {
        format!("{}\n[credentials]\ncertdir = \"{certificates}\"\nvomsdir = \"{vomsdir}\"\n", self.plain)
    }

    pub fn configure(&self, text: &str) {
        if fs::read_to_string(CONFIG).unwrap() != text {
            fs::write(CONFIG, text).unwrap();
        }
    }
}

/// Puts a proxy file into the pilot's home.
pub fn give(name: &str, bytes: &[u8]) {
    let path = format!("/home/pilot/{name}.pem");
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    chown(&path, Some(PILOT), Some(PILOT)).unwrap();
}

/// Makes a sandbox of the pilot's, and tells where.
pub fn make_sandbox() -> &'static str {
    for path in ["/home/pilot/work", "/home/pilot/work/box"] {
        fs::create_dir_all(path).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
        chown(path, Some(PILOT), Some(PILOT)).unwrap();
    }
    "/home/pilot/work/box"
}

/// The leases in a gridmapdir.
pub fn leases(gridmapdir: &str) -> Vec<String> {
    let names = fs::read_dir(gridmapdir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('%')).collect()
}

/// Makes a lease look as the C library's do: it writes nothing into the account's file.
pub fn empty_record(gridmapdir: &str, whose: &str) {
    for lease in leases(gridmapdir).iter().filter(|lease| lease.contains(whose)) {
        let account = format!("{gridmapdir}/{lease}");
        if fs::metadata(&account).unwrap().len() > 0 {
            fs::write(&account, "").unwrap();
        }
    }
}

/// Forgets whom an account was leased to, by a part of the lease's name.
pub fn forget(gridmapdir: &str, whose: &str) {
    for lease in leases(gridmapdir).iter().filter(|lease| lease.contains(whose)) {
        fs::remove_file(format!("{gridmapdir}/{lease}")).unwrap();
    }
}
