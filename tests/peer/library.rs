//! The C library, in a process and a mount namespace of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

/// Accounts of both sides: name, uid, gid.
pub const ACCOUNTS: &[(&str, u32, u32)] = &[
    ("root", 0, 0),
    ("low", 5, 300),
    ("p001", 3001, 300),
    ("p002", 3002, 300),
    ("p003", 3003, 300),
    ("q1", 4001, 300),
    ("q2", 4002, 300),
    ("lalice", 5001, 600),
    ("lbob", 5002, 600),
];
/// Groups of both sides: name, gid, members.
pub const GROUPS: &[(&str, u32, &str)] = &[
    ("root", 0, ""),
    ("wheel", 10, ""),
    ("pool", 300, ""),
    ("vo", 500, "p001,p002,p003"),
    ("pilot", 501, ""),
    ("prod", 502, ""),
    ("staff", 600, ""),
    ("extra", 601, "lalice"),
];

/// The policies that are compared: the plug-ins' lines of an lcmaps.db and of `[lcmaps]`, and the policy on either
/// side.
/// `$MAP` is the map file, `$DIR` the gridmapdir.
pub struct Policy {
    pub name: &'static str,
    pub theirs: (&'static str, &'static str),
    pub ours: (&'static str, &'static str),
}

macro_rules! voms_policies {
    ($($name:literal $options:literal $their_groups:literal $our_groups:literal $their_account:literal $our_account:literal;)*) => { &[$(
        Policy {
            name: $name,
            theirs: (
                concat!($name, "g = \"lcmaps_voms_localgroup.mod\" \"-groupmapfile $MAP\" ", $their_groups, "\n",
                    $name, "a = \"lcmaps_voms_poolaccount.mod\" \"-gridmapfile $MAP\" \"-gridmapdir $DIR\" ", $their_account, "\n"),
                concat!($name, "g -> ", $name, "a"),
            ),
            ours: (
                concat!("[plugins.g]\ntype = \"voms_localgroup\"\ngroupmapfile = \"$MAP\"\n", $our_groups, "\n[plugins.a]\n",
                    "type = \"voms_poolaccount\"\ngridmapfile = \"$MAP\"\ngridmapdir = \"$DIR\"\n", $our_account, "\n"),
                "g -> a",
            ),
        },
    )*] };
}

pub const VOMS_POLICIES: &[Policy] = voms_policies! {
    "voms" "" "" "" "" "";
    "vprimary" "" "" "" "\"-do_not_use_secondary_gids\"" "do_not_use_secondary_gids = true";
    "vaccount" "" "" "" "\"--use-account-gid\"" "use_account_gid = true";
    "vaddp" "" "" "" "\"--add-primary-gid-from-mapped-account\"" "add_primary_gid_from_mapped_account = true";
    "vadds" "" "" "" "\"--add-secondary-gids-from-mapped-account\"" "add_secondary_gids_from_mapped_account = true";
    "vaddps" "" "" "" "\"--add-primary-gid-as-secondary-gid-from-mapped-account\"" "add_primary_gid_as_secondary_gid_from_mapped_account = true";
    "vrequire" "" "" "" "\"--require-primary-gid\"" "require_primary_gid = true";
    "vsecond" "" "\"--map-to-secondary-groups\"" "map_to_secondary_groups = true" "\"--use-account-gid\"" "use_account_gid = true";
    "vmapall" "" "\"-mapall\"" "mapall = true" "" "";
    "vmapmin" "" "\"-mapmin 2\"" "mapmin = 2" "" "";
};

pub const DN_POLICIES: &[Policy] = &[
    Policy {
        name: "local",
        theirs: ("local_ = \"lcmaps_localaccount.mod\" \"-gridmapfile $MAP\"\n", "local_ -> good"),
        ours: ("[plugins.a]\ntype = \"localaccount\"\ngridmapfile = \"$MAP\"\n", "a -> good"),
    },
    Policy {
        name: "pool",
        theirs: (
            "pool_ = \"lcmaps_poolaccount.mod\" \"-gridmapfile $MAP\" \"-gridmapdir $DIR\" \"-max_mappings_per_credential 5\"\n",
            "pool_ -> good",
        ),
        ours: (
            "[plugins.a]\ntype = \"poolaccount\"\ngridmapfile = \"$MAP\"\ngridmapdir = \"$DIR\"\nmax_mappings_per_credential = 5\n",
            "a -> good",
        ),
    },
    Policy {
        name: "exact",
        theirs: (
            "exact_ = \"lcmaps_poolaccount.mod\" \"-gridmapfile $MAP\" \"-gridmapdir $DIR\" \"-no_wildcard\"\n",
            "exact_ -> good",
        ),
        ours: (
            "[plugins.a]\ntype = \"poolaccount\"\ngridmapfile = \"$MAP\"\ngridmapdir = \"$DIR\"\nno_wildcard = true\n",
            "a -> good",
        ),
    },
    Policy {
        name: "loose",
        theirs: (
            "loose_ = \"lcmaps_poolaccount.mod\" \"-gridmapfile $MAP\" \"-gridmapdir $DIR\" \"-strict_poolprefix_match no\"\n",
            "loose_ -> good",
        ),
        ours: (
            "[plugins.a]\ntype = \"poolaccount\"\ngridmapfile = \"$MAP\"\ngridmapdir = \"$DIR\"\nstrict_poolprefix_match = false\n",
            "a -> good",
        ),
    },
    Policy {
        name: "ban",
        theirs: ("ban_ = \"lcmaps_ban_dn.mod\" \"-banmapfile $MAP\"\n", "ban_ -> some"),
        ours: ("[plugins.a]\ntype = \"ban_dn\"\nbanmapfile = \"$MAP\"\n", "a -> some"),
    },
];

pub const FQAN_POLICIES: &[Policy] = &[
    Policy {
        name: "vlocal",
        theirs: ("vlocal_ = \"lcmaps_voms_localaccount.mod\" \"-gridmapfile $MAP\"\n", "vlocal_ -> good"),
        ours: ("[plugins.a]\ntype = \"voms_localaccount\"\ngridmapfile = \"$MAP\"\n", "a -> good"),
    },
    Policy {
        name: "banfqan",
        theirs: ("banfqan_ = \"lcmaps_ban_fqan.mod\" \"-banmapfile $MAP\"\n", "banfqan_ -> some"),
        ours: ("[plugins.a]\ntype = \"ban_fqan\"\nbanmapfile = \"$MAP\"\n", "a -> some"),
    },
];

/// All policies.
pub fn policies() -> impl Iterator<Item = &'static Policy> {
    DN_POLICIES.iter().chain(FQAN_POLICIES).chain(VOMS_POLICIES)
}

/// A folder owned by root that vanishes with the value: only root may write to what is above map files.
pub struct Place(pub PathBuf);

impl Place {
    pub fn new(name: &str) -> Place {
        let path = PathBuf::from(format!("/root/.glexec-peer-{}-{name}", std::process::id()));
        std::fs::create_dir_all(path.join("dir")).unwrap();
        Place(path)
    }

    pub fn map(&self) -> PathBuf {
        self.0.join("map")
    }

    pub fn gridmapdir(&self) -> PathBuf {
        self.0.join("dir")
    }

    pub fn touch<'a>(&self, accounts: impl IntoIterator<Item = &'a str>) {
        for account in accounts {
            std::fs::write(self.gridmapdir().join(account), b"").unwrap();
        }
    }

    pub fn remove_leases(&self) {
        for name in std::fs::read_dir(self.gridmapdir()).unwrap().map(|entry| entry.unwrap().file_name()) {
            if name.to_string_lossy().starts_with('%') {
                std::fs::remove_file(self.gridmapdir().join(name)).unwrap();
            }
        }
    }

    pub fn fill(&self, text: &str) -> String {
        let path = |path: PathBuf| path.into_os_string().into_string().unwrap();
        text.replace("$MAP", &path(self.map())).replace("$DIR", &path(self.gridmapdir()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The driver, compiled by the first test that asks.
fn driver() -> &'static Path {
    static DRIVER: OnceLock<PathBuf> = OnceLock::new();
    DRIVER.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer/driver.c");
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lcmaps-driver");
        let gcc = ["-O1", "-Wall", "-Wextra", "-Werror", "-o"];
        let built = Command::new("gcc").args(gcc).arg(&program).arg(source).arg("-llcmaps").output().unwrap();
        let why = String::from_utf8_lossy(&built.stderr).into_owned();
        assert!(built.status.success(), "packaging/install-missing installs what this needs: {why}");
        program
    })
}

/// A running driver. The accounts are its own: /etc/passwd and /etc/group are others in its mount namespace.
pub struct Library {
    policy: &'static str,
    process: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Library {
    /// Starts the library with a policy on the map file and the gridmapdir of a place, with accounts besides
    /// [`ACCOUNTS`]. It can have each plug-in once only, so one library for each policy.
    pub fn start(policy: &'static Policy, place: &Place, more: &[(String, u32, u32)], counter: i32) -> Library {
        static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let file = |name: &str, text: String| {
            let path = place.0.join(format!("{name}{number}"));
            std::fs::write(&path, text).unwrap();
            path
        };
        let (plugins, rule) = policy.theirs;
        let last = match rule.ends_with("some") {
            true => "some = \"lcmaps_dummy_good.mod\" \"--dummy-username lalice\" \"--dummy-group staff\"",
            false => "good = \"lcmaps_dummy_good.mod\"",
        };
        let database = format!("path = /usr/lib/lcmaps\n{last}\n{plugins}\n{}:\n{rule}\n", policy.name);
        let accounts =
            ACCOUNTS.iter().map(|(name, uid, gid)| (name.to_string(), *uid, *gid)).chain(more.iter().cloned());
        let passwd = accounts.map(|(name, uid, gid)| format!("{name}:x:{uid}:{gid}::/:/bin/sh\n")).collect();
        let group = GROUPS.iter().map(|(name, gid, members)| format!("{name}:x:{gid}:{members}\n")).collect();
        let database = file("lcmaps.db.", place.fill(&database));
        let script = "mount --bind \"$1\" /etc/passwd; mount --bind \"$2\" /etc/group; shift 2; exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-ec", script, "sh"]).arg(file("passwd.", passwd)).arg(file("group.", group));
        command.arg(driver()).arg(database).arg(place.map()).arg(place.gridmapdir()).arg(counter.to_string());
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LCMAPS_DEBUG_LEVEL", "0");
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (questions, answers) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
        Library { policy: policy.name, process, questions, answers }
    }

    /// Asks; the raw answer.
    pub fn ask(&mut self, map: Option<&[u8]>, dn: &str, fqans: &[&str]) -> String {
        self.send(map, dn, fqans);
        self.receive()
    }

    /// Asks without waiting for the answer.
    pub fn send(&mut self, map: Option<&[u8]>, dn: &str, fqans: &[&str]) {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let map = map.map_or("-".to_owned(), hex);
        let words: Vec<String> = fqans.iter().map(|fqan| hex(fqan.as_bytes())).collect();
        let line = format!("{} {map} {} {}\n", self.policy, hex(dn.as_bytes()), words.join(" "));
        self.questions.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    }

    /// The next answer.
    pub fn receive(&mut self) -> String {
        let mut line = String::new();
        assert!(self.answers.read_line(&mut line).unwrap() > 0, "the C library has died: {:?}", self.process.wait());
        line.trim_end_matches('\n').to_owned()
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        self.questions = None;
        let _ = self.process.wait();
    }
}
