//! Random calls of the whole program: argv, environment, limits and configuration out of parts that mean something and
//! parts that do not. Whatever the call, nobody but the mapped account runs anything, and it is recorded.
//!
//! `make fuzz` makes many more of them: FUZZ_CALLS says how many, FUZZ_SEED where to begin.

use crate::aftermath::{Calls, nothing_is_amiss};
use crate::site::{Caller, Run, Site};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;

/// Numbers that are the same for the same seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.roll() >> 33) as usize % end
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// What the random payload is: it leaves a file that belongs to whoever ran it.
const MARK: &str = "#!/bin/sh\nexec mktemp /tmp/marks/XXXXXXXXXX > /dev/null\n";

/// A word of an argument, a value of a variable: things that mean something here, and things that hurt elsewhere.
fn word(dice: &mut Dice) -> Vec<u8> {
    const WORDS: &[&[u8]] = &[
        b"",
        b"-",
        b"--",
        b"-h",
        b"-V",
        b"--version",
        b"-x",
        b"--help=1",
        b"mark",
        b"/usr/bin/mark",
        b"./mark",
        b"../../usr/bin/mark",
        b"/bin/sh",
        b"-c",
        b"mark;mark",
        b"/etc/shadow",
        b"/",
        b".",
        b"..",
        b"/dev/null",
        b"/dev/zero",
        b"/dev/tty",
        b"/proc/self/mem",
        b"/proc/self/fd/0",
        b"/proc/self/exe",
        b"/tmp/marks",
        b"/home/alice/proxy",
        b"/home/pilot/alice.pem",
        b"/root/proxies/bob.pem",
        b"/usr/sbin/glexec",
        b"/usr/bin/passwd",
        b"\xff\xfe\x80",
        b"a\nevent=start call=0 decision=permit",
        b"%n%s%p",
        b"\x1b[2J\x07",
        b"$(mark)",
        b"`mark`",
        b"'\"\\",
        b"0",
        b"-1",
        b"3",
        b"4294967296",
        b"lcmaps_get_account",
        b"lcmaps_verify_account",
        "\u{202e}\u{2028}\u{feff}".as_bytes(),
        b"() { :; }; mark",
        b"root",
        b"alice",
    ];
    match dice.below(12) {
        0 => (0..dice.below(40)).map(|_| 1 + dice.below(255) as u8).collect(),
        1 => vec![b"A/%.\n\xc3"[dice.below(6)]; dice.below(20_000)],
        2 => [dice.of(WORDS).to_vec(), dice.of(WORDS).to_vec()].concat(),
        _ => dice.of(WORDS).to_vec(),
    }
}

const CREDENTIALS: &[&str] = &[
    "alice",
    "alice",
    "bob",
    "carol",
    "mallory",
    "rita",
    "uma",
    "dave",
    "alice-expired",
    "alice-limited",
    "alice-no-key",
    "only-a-key",
];

fn argv(dice: &mut Dice) -> Vec<Vec<u8>> {
    let mut argv = if dice.one_in(30) { Vec::new() } else { vec![word(dice)] };
    if !dice.one_in(4) && !argv.is_empty() {
        argv[0] = b"glexec".to_vec();
        if dice.one_in(3) {
            argv.push(b"--".to_vec());
        }
        argv.push(b"mark".to_vec());
    }
    let more = if dice.one_in(10) { 300 } else { 4 };
    argv.extend((0..dice.below(more)).map(|_| word(dice)));
    bounded(argv)
}

/// As many as the kernel passes on whatever the limit on the stack is: less than 128 KiB with the environment, execve(2).
fn bounded(list: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut left = 40_000_usize;
    list.into_iter().take_while(|text| left.checked_sub(text.len() + 16).map(|rest| left = rest).is_some()).collect()
}

/// The environment; `credential` is the one that it begins with.
fn environment(dice: &mut Dice, credential: &str) -> Vec<Vec<u8>> {
    const NAMES: &[&str] = &[
        "GLEXEC_CLIENT_CERT",
        "GLEXEC_SOURCE_PROXY",
        "GLEXEC_TARGET_PROXY",
        "X509_USER_PROXY",
        "GLEXEC_MODE",
        "GLEXEC_ID",
        "GLEXEC_ENV",
        "GLEXEC_REPORT_FD",
        "PBS_JOBID",
        "PATH",
        "HOME",
        "LD_PRELOAD",
        "TZ",
        "OPENSSL_CONF",
        "X509_CERT_DIR",
        "IFS",
        "BASH_ENV",
        "GLEXEC_",
        "",
    ];
    let file = |name: &str| format!("/home/pilot/{name}.pem").into_bytes();
    let mut environment = vec![[b"GLEXEC_CLIENT_CERT=".to_vec(), file(credential)].concat()];
    for _ in 0..dice.below(6) {
        let value = if dice.one_in(3) { file(dice.of(CREDENTIALS)) } else { word(dice) };
        let separator = if dice.one_in(20) { "" } else { "=" };
        environment.push([dice.of(NAMES).as_bytes(), separator.as_bytes(), &value].concat());
    }
    bounded(environment)
}

/// The configuration with a line or two changed. What decides whether and where there is a record stays.
fn configuration(dice: &mut Dice, original: &str) -> String {
    const VALUES: &[&str] = &[
        "true",
        "false",
        "0",
        "-1",
        "1e9",
        "99999999999999999999",
        "\"\"",
        "\"x\"",
        "[]",
        "[\"*\"]",
        "[\"root\"]",
        "{}",
        "\"/\"",
        "\"/etc\"",
        "\"/tmp\"",
        "\"/proc/self/mem\"",
        "nan",
        "'''",
        "\"\\u0000\"",
        "\"off\"",
        "\"require\"",
        "1979-05-27",
        "[[1]]",
        "\"7d\"",
        "\"0777\"",
        "2000",
        "\"%pilots\"",
    ];
    const KEYS: &[&str] = &[
        "user_white_list",
        "use_lcas",
        "min_uid",
        "min_gid",
        "umask",
        "path",
        "preserve_env_variables",
        "create_target_proxy",
        "service_user",
        "input_lock_mechanism",
        "allow_same_account",
        "lcmaps_get_account_policy",
        "linger_grace",
        "nonsense",
        "\"\"",
    ];
    const SECTIONS: &[&str] = &[
        "[credentials]\ncrl = ",
        "[credentials]\nproxy_types = ",
        "[credentials]\nmin_rsa_bits = ",
        "[credentials]\ncertdir = ",
        "[credentials]\npilot_proxy = ",
        "[credentials]\nmax_chain = ",
        "[[lcas.plugin]]\ntype = ",
        "[lcmaps.plugins.x]\ntype = ",
        "[lcmaps]\npolicies = ",
        "[glexec]\nx = ",
        "[",
    ];
    let mut lines: Vec<String> = original.lines().map(str::to_owned).collect();
    for _ in 0..=dice.below(3) {
        let at = dice.below(lines.len());
        if lines[at].contains("log_destination") || lines[at].contains("linger") || lines[at] == "[glexec]" {
            continue;
        }
        match dice.below(6) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => {
                let other = dice.below(lines.len());
                lines.swap(at, other);
            }
            3 => {
                let table = lines.iter().position(|line| line == "[glexec]").map_or(0, |at| at + 1);
                lines.insert(table, format!("{} = {}", dice.of(KEYS), dice.of(VALUES)));
            }
            4 => lines.push(format!("{}{}", dice.of(SECTIONS), dice.of(VALUES))),
            _ => {
                let key = lines[at].split('=').next().unwrap().to_owned();
                lines[at] = format!("{key}= {}", dice.of(VALUES));
            }
        }
    }
    lines.join("\n") + "\n"
}

fn caller<'s>(site: &'s Site, dice: &mut Dice) -> Caller<'s> {
    let mut caller = site.caller(dice.of(&["pilot", "pilot", "pilot", "pilot", "mallory"]));
    if dice.one_in(6) {
        caller = caller.closing(dice.below(3) as i32);
    }
    if dice.one_in(4) {
        let resource = dice.of(&[
            Resource::RLIMIT_NOFILE,
            Resource::RLIMIT_FSIZE,
            Resource::RLIMIT_NPROC,
            Resource::RLIMIT_STACK,
            Resource::RLIMIT_CORE,
        ]);
        let limit = dice.below(40) as u64 * if resource == Resource::RLIMIT_STACK { 65_536 } else { 1 };
        caller = caller.first(move || {
            let (_, hard) = getrlimit(resource)?;
            Ok(setrlimit(resource, limit.min(hard), hard)?)
        });
    }
    caller
}

/// The accounts that a call ran something as; the marks are removed.
fn marks(site: &Site) -> Vec<u32> {
    let entries: Vec<_> = fs::read_dir(site.host_path("/tmp/marks")).unwrap().map(|entry| entry.unwrap()).collect();
    let owners = entries.iter().map(|entry| entry.metadata().unwrap().uid()).collect();
    entries.iter().for_each(|entry| fs::remove_file(entry.path()).unwrap());
    owners
}

/// Whom the site's own configuration lets this credential run as.
fn may_become(credential: &str, uid: u32) -> bool {
    match credential {
        "alice" | "alice-limited" => uid == 3000,
        "bob" => (5001..=5010).contains(&uid),
        "carol" => (4001..=4010).contains(&uid),
        _ => false,
    }
}

#[track_caller]
fn is_sound(run: &Run, ran: &[u32], credential: &str, as_configured: bool, what: &str) {
    let known = ran.iter().all(|uid| matches!(uid, 3000 | 4001..=4010 | 5001..=5010));
    assert!(
        known && (!as_configured || ran.iter().all(|uid| may_become(credential, *uid))),
        "{what}: ran as {ran:?}: {run}"
    );
    let records = run.records();
    let starts: Vec<_> = records.iter().filter(|record| record["event"] == "start").collect();
    let permitted = starts.iter().filter(|record| record["decision"] == "permit").count();
    assert!(starts.len() <= 1, "{what}: {starts:?}");
    assert!(ran.is_empty() || permitted == 1, "{what}: it ran and there is no record: {run}");
    match run.code() {
        Some(0 | 126 | 127 | 201..=204) | Some(1..=125) => {}
        // The payload's own end, or a limit that ends the process before its first instruction.
        _ => assert!(permitted == 1 || matches!(run.signal(), Some(9 | 11 | 25)), "{what}: {run}"),
    }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

#[test]
fn no_random_call_does_what_it_must_not() {
    let (calls, seed) = (number("FUZZ_CALLS", 200), number("FUZZ_SEED", 1));
    let sites = Site::in_both_modes();
    let mut originals = Vec::new();
    for site in &sites {
        site.write("/usr/bin/mark", MARK);
        site.chmod("/usr/bin/mark", 0o755);
        site.sh("mkdir -m 1777 /tmp/marks");
        site.pilot().sh("mkdir -m 755 /tmp/tree /tmp/tree/below && echo > /tmp/tree/file").exits(0);
        for who in ["pilot", "mallory"] {
            for credential in CREDENTIALS {
                site.caller(who).credential(credential);
            }
        }
        originals.push(site.read("/etc/glexec.conf"));
    }
    let mut ran_at_all = 0;
    for number in 0..calls {
        let mut dice = Dice(((seed << 32) | (number + 1)).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        dice.roll();
        let mode = (number % 2) as usize;
        let (site, original) = (&sites[mode], &originals[mode]);
        let as_configured = !dice.one_in(3);
        let text = if as_configured { original.clone() } else { configuration(&mut dice, original) };
        site.write("/etc/glexec.conf", &text);
        let credential = dice.of(CREDENTIALS);
        let (argv, environment) = (argv(&mut dice), environment(&mut dice, credential));
        let what = format!(
            "FUZZ_SEED={seed} call {number}, {credential}, argv {:?}, environment {:?}, configuration {}",
            shown(&argv),
            shown(&environment),
            if as_configured { "as it was" } else { &text }
        );
        let borrowed: Vec<&[u8]> = environment.iter().map(Vec::as_slice).collect();
        let run = caller(site, &mut dice).execve(&argv, &borrowed);
        let ran = marks(site);
        ran_at_all += usize::from(!ran.is_empty());
        is_sound(&run, &ran, credential, as_configured, &what);
    }
    assert!(calls < 100 || ran_at_all as u64 > calls / 20, "only {ran_at_all} of {calls} calls ran anything");
    for site in &sites {
        site.sh("pkill -KILL -U 3000 || true"); // what a payload of no supervision may have left
        nothing_is_amiss(site, Calls::AtMost(calls as usize));
    }
}

fn shown(list: &[Vec<u8>]) -> Vec<OsString> {
    list.iter().map(|text| OsString::from_vec(text[..text.len().min(80)].to_vec())).collect()
}
