//! The verifier alone beside `openssl verify`, in processor time: RSA-2048 keys, a CA below a root, CRLs in PEM.

use crate::figures::{Case, Group, Verification};
use crate::forge::site::*;
use crate::forge::*;
use glexec_core::credentials::Credentials;
use glexec_core::question::{Holder, KeyRule};
use glexec_sys::dir::Directory;
use glexec_verify::{Matter, Trust, judge};
use nix::sys::resource::{UsageWho, getrusage};
use std::path::Path;
use std::process::{Command, Stdio};

pub const OURS: &str = "glexec's verifier";
pub const OPENSSL: &str = "openssl verify";

/// How often a process that is asked for the time inside verifies.
const INSIDE: u32 = 100;

pub fn run(rounds: usize) -> Vec<Verification> {
    eprintln!("bench: verification");
    let keys: Vec<Key> = (0..5).map(|_| leak(rsa_of(2048))).collect();
    let w = World::new();
    let root = root(ROOT, keys[0], |_| {});
    let ca = sub("/DC=org/DC=example/CN=Sub CA", keys[1], &root, |_| {});
    let alice = eec(ALICE, keys[2], &ca, |_| {});
    let server = eec(SERVER, keys[3], &root, |s| s.serial = vec![0x33]);
    let leaf = |more: Vec<Vec<u8>>| {
        let leaf = below(&alice, 1, |s| {
            s.spki = keys[4].public_key_to_der().unwrap();
            s.extensions.extend(more);
        });
        Cert { key: keys[4], ..leaf }
    };
    let plain = file(&[&leaf(vec![]), &alice]);
    let ac = ac(&alice, &server, &["/testvo/Role=pilot", "/testvo"], |_| {});
    let voms = file(&[&leaf(vec![extension(VOMS, false, &der::seq(&[der::seq(&[ac])]))]), &alice]);
    let site = |entries: u32| {
        let site = w.site();
        site.ca(&root, &[]).ca(&ca, &[]);
        for (ca, entries) in [(&root, 1), (&ca, entries)] {
            let crl = pem("X509 CRL", &hostile::large_crl(ca, entries, |_| {}));
            site.put(&format!("{}.r0", hash(&ca.der)), crl.as_bytes());
        }
        site
    };
    let (small, large) = (site(1), site(18_500));
    let cases = [
        ("proxy, user, CA, root, 2 CRLs", &small, &plain),
        ("the same with an AC (which openssl does not look at)", &small, &voms),
        ("the first with a CRL of 18,500 entries, 1 MB", &large, &plain),
    ];
    cases.map(|(name, site, user)| beside(name, site, user, rounds)).into()
}

fn beside(name: &str, site: &Site, user: &[u8], rounds: usize) -> Verification {
    let place = |name: &str, bytes: &[u8]| {
        let path = site.certificates().with_file_name(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let ours = |times: u32| {
        let mut command = Command::new("/proc/self/exe");
        command.arg("--judge").arg(place("user", user)).arg(site.certificates()).arg(site.vomsdir());
        command.arg(times.to_string());
        command
    };
    let user_file = place("user", user);
    let mut openssl = Command::new("openssl");
    openssl.args(["verify", "-allow_proxy_certs", "-crl_check_all", "-no-CAfile", "-no-CAstore", "-attime"]);
    openssl.arg(NOW.to_string()).arg("-CApath").arg(site.certificates());
    openssl.arg("-untrusted").arg(&user_file).arg(&user_file);
    let mut case = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        case[0].push(timed(&mut ours(1)));
        case[1].push(timed(&mut openssl));
    }
    let inside = ours(INSIDE).output().unwrap().stdout;
    let [own, other] = case;
    Verification {
        name: name.into(),
        inside_ms: String::from_utf8(inside).unwrap().trim().parse().unwrap(),
        group: Group {
            name: name.into(),
            cases: vec![Case { name: OURS.into(), ms: own }, Case { name: OPENSSL.into(), ms: other }],
        },
    }
}

/// Milliseconds of processor time: independent of who else waits for the processor.
fn cpu(who: UsageWho) -> f64 {
    let usage = getrusage(who).unwrap();
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    (seconds(usage.user_time()) + seconds(usage.system_time())) * 1000.0
}

/// Processor time of a process that must succeed, its start included.
fn timed(command: &mut Command) -> f64 {
    let start = cpu(UsageWho::RUSAGE_CHILDREN);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?}");
    cpu(UsageWho::RUSAGE_CHILDREN) - start
}

/// Judges a file so many times; prints the milliseconds of one time but the first.
pub fn judge_file(user: &str, certificates: &str, vomsdir: &str, times: u32) {
    let user = std::fs::read(user).unwrap();
    let trust = Trust {
        cas: Directory::open(Path::new(certificates)).unwrap(),
        voms: Some(Directory::open(Path::new(vomsdir)).unwrap()),
        host: String::new(),
        ahead: None,
    };
    let matter = Matter { file: &user, holder: Holder::User, key: KeyRule::Required };
    let once = || judge(&matter, &Credentials::default(), &trust, NOW).unwrap();
    once();
    let start = cpu(UsageWho::RUSAGE_SELF);
    (1..times).for_each(|_| drop(once()));
    println!("{}", (cpu(UsageWho::RUSAGE_SELF) - start) / f64::from(times.saturating_sub(1).max(1)));
}
