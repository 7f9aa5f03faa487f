//! glexec beside other ways to become somebody else.

use crate::agents::Agents;
use crate::case::{self, Callers, Case, Who, measure, order};
use crate::figures::Group;
use crate::site::{self, GRIDMAPDIR, Site, forget};
use std::fs;
use std::path::Path;

pub const TRUE: &str = "/bin/true";
pub const LAUNCHER: &str = "static launcher";
pub const SETPRIV: &str = "setpriv";
pub const SUDO: &str = "sudo -n";
pub const DOAS: &str = "doas -n";
pub const PEER_DN: &str = "C stack, DN";
pub const PEER: &str = "C stack, VOMS, existing lease";
pub const PEER_BUNDLE: &str = "C stack, VOMS, existing lease, system CA bundle";
pub const SUDO_RS: &str = "sudo-rs -n";
pub const USUAL: &str = "glexec with its agent, the usual call";
pub const USUAL_PROGRAM: &str = "glexec without agent, the usual call";
pub const USUAL_BEFORE: &str = "glexec, the release before, the usual call";
pub const DN: &str = "glexec, DN";
pub const LEASE: &str = "glexec, VOMS, existing lease";
pub const LINGER: &str = "glexec, VOMS, existing lease, linger";
pub const SANDBOX: &str = "glexec, VOMS, existing lease, --sandbox";

/// The C stack reads this at every call with a VOMS proxy, where it is there (Debian: ca-certificates).
const BUNDLE: &str = "/etc/ssl/certs";
const NO_BUNDLE: &str = "/etc/ssl/certs.away";

fn bundle(there: bool) {
    let (from, to) = if there { (NO_BUNDLE, BUNDLE) } else { (BUNDLE, NO_BUNDLE) };
    if Path::new(from).exists() {
        fs::rename(from, to).unwrap();
    }
}

/// Where benches/run puts what it could build; what it could not is left out.
const SUDO_RS_PROGRAM: &str = "/usr/local/bin/sudo";
/// It reads a configuration of its own, which stays as the site's was at first.
pub const BEFORE_PROGRAM: &str = "/usr/local/sbin/glexec-before";

fn cases(site: &Site, agents: &mut Agents) -> Vec<Case> {
    let other = |name: &str, command: &[&str], credential: &str| Case {
        order: order(command, credential),
        ..Case::glexec(site, name, credential)
    };
    let glexec = |name: &str, credential: &str| Case::glexec(site, name, credential);
    let peer = |name: &str, policy: &str, credential: &str, there: bool| Case {
        before: Box::new(move || bundle(there)),
        ..other(name, &["/usr/sbin/peer", policy, TRUE], credential)
    };
    let isolated = |name: &str, line: &str| Case {
        config: format!("{}\n[isolation]\n{line}\n", site.config),
        ..glexec(name, "bob")
    };
    let sandbox = site::make_sandbox();
    let linger = site.with(&[("linger = false", "linger = true")]);
    let usual = |name: &str, config: String| {
        let case = glexec(name, "bob");
        Case { config, order: case::usual(case.order), ..case }
    };
    let before = Case { order: case::usual(order(&[BEFORE_PROGRAM, TRUE], "bob")), ..glexec(USUAL_BEFORE, "bob") };
    let optional = [
        (SUDO_RS_PROGRAM, other(SUDO_RS, &[SUDO_RS_PROGRAM, "-n", "-u", "alice", TRUE], "bob")),
        (BEFORE_PROGRAM, before),
    ];
    let optional = optional.into_iter().filter(|(program, _)| Path::new(program).exists()).map(|(_, case)| case);
    let cases = vec![
        usual(USUAL, agents.asked(&site.plain)),
        usual(USUAL_PROGRAM, site.config.clone()),
        other(TRUE, &[TRUE], "bob"),
        other(LAUNCHER, &["/usr/sbin/launch", TRUE], "bob"),
        Case {
            caller: Who::Root,
            ..other(SETPRIV, &["/usr/bin/setpriv", "--reuid=alice", "--regid=alice", "--init-groups", TRUE], "bob")
        },
        other(SUDO, &["/usr/bin/sudo", "-n", "-u", "alice", TRUE], "bob"),
        other(DOAS, &["/usr/bin/doas", "-n", "-u", "alice", TRUE], "bob"),
        peer(PEER_DN, "dn", "alice", false),
        peer(PEER, "voms", "bob", false),
        peer(PEER_BUNDLE, "voms", "bob", true),
        glexec(DN, "alice"),
        glexec(LEASE, "bob"),
        Case {
            before: Box::new(|| forget(GRIDMAPDIR, "alice%20adams")),
            ..glexec("glexec, VOMS, first lease", "alice-voms")
        },
        Case { expected: 201, ..glexec("glexec, refused (expired)", "alice-expired") },
        other(SANDBOX, &["/usr/sbin/glexec", "--sandbox", sandbox, TRUE], "bob"),
        isolated("glexec, VOMS, existing lease, private_tmp = \"always\"", "private_tmp = \"always\""),
        isolated("glexec, VOMS, existing lease, private_ipc", "private_ipc = true"),
        Case { config: linger.clone(), ..glexec("glexec, DN, linger", "alice") },
        Case { config: linger, ..glexec(LINGER, "bob") },
    ];
    cases.into_iter().chain(optional).collect()
}

pub fn run(site: &Site, callers: &mut Callers, rounds: usize) -> Vec<Group> {
    bundle(false);
    let mut agents = Agents::default();
    let cases = cases(site, &mut agents);
    agents.await_all();
    let group = measure(site, callers, "beside", &cases, rounds);
    bundle(false);
    vec![group]
}
