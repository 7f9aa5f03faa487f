//! HTCondor's older GLEXEC_STARTER: the whole starter runs as the mapped user (glexec_starter.linux.cpp).

use super::in_both_modes;
use crate::site::{Caller, PATIENCE, Site};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// The directory of the target's that the set-up step makes.
const DIR: &str = "/execute/dir_1.glexec";

/// What glexec_wrapper.cpp does: the environment and perhaps a descriptor for stdin come over the socket that is its own
/// stdin; the socket ends when the starter is executed, or carries a message.
const WRAPPER: &str = r#"#!/usr/bin/python3
import os, socket, struct, sys
starter = socket.socket(fileno=os.dup(0))  # closed when the program is executed
def exactly(size):
    data = starter.recv(size, socket.MSG_WAITALL)
    return data if len(data) == size else sys.exit("the starter closed the socket")
number = lambda: struct.unpack("i", exactly(4))[0]
environment = dict(entry.split("=", 1) for entry in exactly(number()).decode().split("\0") if entry)
stdin = socket.recv_fds(starter, 1, 1)[1][0] if number() else os.open("/dev/null", os.O_RDONLY)
os.dup2(stdin, 0)
try:
    os.execve(sys.argv[1], sys.argv[1:], environment | {"X509_USER_PROXY": os.environ["X509_USER_PROXY"]})
except OSError as error:
    starter.sendall(str(error).encode())
    sys.exit(1)
"#;

/// The execute node, after the set-up step.
fn pilot(site: &Site) -> Caller<'_> {
    site.sh("install -d -m 1777 /execute");
    for (name, script) in [
        ("glexec_starter_setup.sh", "#!/bin/sh\numask 022; mkdir -p \"$1\" && echo `whoami`\n"),
        ("condor_glexec_wrapper", WRAPPER),
    ] {
        site.write(&format!("/usr/bin/{name}"), script);
        site.chmod(&format!("/usr/bin/{name}"), 0o755);
    }
    let pilot = site.pilot().own_proxy("pilot").credential("alice");
    pilot.glexec(["/usr/bin/glexec_starter_setup.sh", DIR]).succeeds_with("alice\n");
    let source = pilot.client_cert();
    pilot
        .env("GLEXEC_MODE", "lcmaps_get_account")
        .env("GLEXEC_SOURCE_PROXY", source)
        .env("GLEXEC_TARGET_PROXY", format!("{DIR}/glexec_starter_proxy"))
}

/// A socket whose peer will get this environment as its first message.
fn sockets(environment: &str) -> (UnixStream, OwnedFd) {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(PATIENCE)).unwrap();
    ours.write_all(&i32::try_from(environment.len()).unwrap().to_ne_bytes()).unwrap();
    ours.write_all(environment.as_bytes()).unwrap();
    (ours, theirs.into())
}

#[test]
fn condor_starter_gets_its_proxy_in_a_directory_of_the_target() {
    in_both_modes(|site| {
        let pilot = pilot(site);
        let run =
            pilot.glexec(["sh", "-c", "echo $X509_USER_PROXY; stat -c '%U %a' $X509_USER_PROXY; env | grep GLEXEC"]);
        assert_eq!(run.exits(1).stdout(), format!("{DIR}/glexec_starter_proxy\nalice 600\n"));
        let copy = site.read(&format!("{DIR}/glexec_starter_proxy"));
        assert_eq!(copy, site.read(&pilot.client_cert()));
    });
}

#[test]
fn condor_starter_gets_its_environment_and_its_stdin_over_the_socket_that_is_its_wrappers_stdin() {
    in_both_modes(|site| {
        let (mut ours, theirs) = sockets("PATH=/usr/bin:/bin\0_CONDOR_SLOT=1\0");
        let starter = "id -un; echo $_CONDOR_SLOT $X509_USER_PROXY; cat";
        let run = pilot(site).start_on(
            theirs,
            "/usr/sbin/glexec",
            ["/usr/bin/condor_glexec_wrapper", "/bin/sh", "-c", starter, "condor_starter", "-f"],
        );
        let (stdin, mut shadow) = UnixStream::pair().unwrap();
        ours.write_all(&1_i32.to_ne_bytes()).unwrap();
        let fds = [stdin.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&fds)];
        sendmsg::<()>(ours.as_raw_fd(), &[IoSlice::new(b"\0")], &rights, MsgFlags::empty(), None).unwrap();
        drop(stdin);
        // The end of the socket without a message means that the starter runs; it still waits for its input then.
        let mut message = String::new();
        ours.read_to_string(&mut message).unwrap();
        assert_eq!(message, "");
        shadow.write_all(b"from the shadow\n").unwrap();
        drop(shadow);
        run.finish().succeeds_with(&format!("alice\n1 {DIR}/glexec_starter_proxy\nfrom the shadow\n"));
    });
}

#[test]
fn condor_starter_that_cannot_be_executed_is_told_of_over_the_socket() {
    in_both_modes(|site| {
        let (mut ours, theirs) = sockets("");
        let run = pilot(site).start_on(
            theirs,
            "/usr/sbin/glexec",
            ["/usr/bin/condor_glexec_wrapper", "/usr/sbin/no_starter"],
        );
        ours.write_all(&0_i32.to_ne_bytes()).unwrap();
        let mut message = String::new();
        ours.read_to_string(&mut message).unwrap();
        assert!(message.contains("No such file"), "{message}");
        run.finish().exits(1);
    });
}

#[test]
fn condor_starter_that_glexec_refuses_resets_the_socket_with_the_environment_unread() {
    in_both_modes(|site| {
        let pilot = pilot(site);
        site.append("/etc/lcas/ban_users.db", "\"/DC=org/DC=example/O=Grid/CN=Alice Adams\"\n");
        let (mut ours, theirs) = sockets("PATH=/usr/bin:/bin\0");
        let run = pilot.start_on(theirs, "/usr/sbin/glexec", ["/usr/bin/condor_glexec_wrapper", "/bin/true"]);
        // The end alone would mean success.
        let end = ours.read(&mut [0; 1]).map_err(|error| error.kind());
        assert_eq!(end, Err(io::ErrorKind::ConnectionReset));
        run.finish().refused(203, "lcas.userban");
    });
}

#[test]
fn condor_starter_setting_glexec_may_hold_options_before_the_command() {
    in_both_modes(|site| {
        let pilot = pilot(site).env("GLEXEC", "/usr/sbin/glexec --");
        pilot.sh("exec $GLEXEC /bin/echo -f -v -- starter").succeeds_with("-f -v -- starter\n");
        let unknown = pilot.env("GLEXEC", "/usr/sbin/glexec --no-such-option");
        unknown.sh("exec $GLEXEC /bin/echo starter").refused(201, "invocation.usage");
    });
}
