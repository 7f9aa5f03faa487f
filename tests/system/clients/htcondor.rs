//! HTCondor's GLEXEC_JOB: the starter's chain of calls around one sandbox (condor_glexec_setup, _run, _kill,
//! _update_proxy, _cleanup).

use super::{eventually, in_both_modes, nothing_runs_as};
use crate::site::{Caller, PATIENCE, Run, Running, Site};
use nix::libc::SYS_recvmsg;
use nix::sys::signal::Signal;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use std::fs::File;
use std::io::{IoSlice, Read, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// The sandbox; the starter keeps its own part in `SB.condor`.
const SB: &str = "/execute/dir_1";

/// The starter and its surroundings: an execute directory that anybody may write to, the real path of /bin/sh.
struct Starter<'s> {
    /// Calls glexec with the environment that the starter gives to every step.
    pilot: Caller<'s>,
    sh: String,
}

impl<'s> Starter<'s> {
    fn new(site: &'s Site) -> Self {
        site.sh(&format!("install -d -m 1777 /execute; install -d -o pilot -g pilots -m 755 {SB}.condor"));
        let pilot = site.pilot().own_proxy("pilot").credential("alice");
        pilot.sh(&format!("mv $GLEXEC_CLIENT_CERT {SB}.condor/proxy && echo in > {SB}.condor/input")).exits(0);
        let pilot =
            pilot.env("GLEXEC_CLIENT_CERT", format!("{SB}.condor/proxy")).env("GLEXEC_TARGET_PROXY", "/dev/null");
        Starter { pilot, sh: site.sh("readlink -f /bin/sh").trim().into() }
    }

    /// A step that is a shell script of HTCondor's; stdout and stderr are one pipe.
    fn step(&self, script: &str) -> Run<'s> {
        self.pilot.clone().env("SB", SB).env("SH", &self.sh).sh(&format!("set -o pipefail; exec 2>&1; {script}"))
    }

    fn set_up(&self) -> Run<'s> {
        self.step(r#"tar -C $SB.condor -c . | /usr/sbin/glexec $SH -c "install -m 755 -d $SB && tar -C $SB -x""#)
    }

    fn update_proxy(&self, new: &str) -> Run<'s> {
        self.step(&format!(
            r#"umask 077; echo {new} > /tmp/condor_proxy_1
            cat /tmp/condor_proxy_1 | /usr/sbin/glexec $SH -c \
                "umask 077 && cat > $SB/proxy.copy && mv -f $SB/proxy.copy $SB/proxy""#
        ))
    }

    /// The exit code of glexec comes through a file, since tar is the last in the pipe.
    fn clean_up(&self) -> Run<'s> {
        self.step(
            r#"{ /usr/sbin/glexec $SH -c "rm -f $SB/proxy && tar -C $SB -c . && rm -rf $SB" 2>&3; echo $? > $SB.condor/rc; } 3>&2 |
            tar -C $SB.condor -x; exit `cat $SB.condor/rc`"#,
        )
    }

    /// `condor_glexec_run`: the wrapper is whatever the test needs.
    fn run(&self, stdin: UnixStream, wrapper: &[&str]) -> Running<'s> {
        let cd_and_exec = format!("cd \"{SB}\" && exec \"$@\"");
        let mut args = vec![self.sh.as_str(), "-c", &cd_and_exec, "cd-and-exec"];
        args.extend(wrapper);
        self.pilot.start_on(OwnedFd::from(stdin), "/usr/sbin/glexec", args)
    }

    /// `condor_glexec_kill` as the procd runs it: with descriptors 0 to 254 closed.
    fn kill(&self, signal: &str, pid: i32) {
        let close = "for fd in {3..254}; do eval \"exec $fd>&-\"; done; exec 0<&- 1>&- 2>&-";
        let kill = self.step(&format!("{close}; exec /usr/sbin/glexec $SH -c '/bin/kill -{signal} {pid}'"));
        kill.succeeds_with("");
    }
}

fn sockets() -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(PATIENCE)).unwrap();
    (ours, theirs)
}

/// Tells that it runs, then waits. Not bash, which ignores SIGQUIT, and loses other signals that come just before its exec.
const WAITING: [&str; 3] = ["/bin/dash", "-c", "echo ready >&0; exec sleep 1000"];

#[test]
fn condor_setup_streams_the_sandbox_in() {
    in_both_modes(|site| {
        let starter = Starter::new(site);
        starter.set_up().succeeds_with("");
        assert_eq!(site.sh(&format!("stat -c '%U %a' {SB} {SB}/input; cat {SB}/input")), "alice 755\nalice 644\nin\n");
        // The pilot keeps what it had.
        assert_eq!(site.sh(&format!("stat -c '%U %a' {SB}.condor/proxy")), "pilot 600\n");
        // And there is no copy of the proxy.
        assert_eq!(site.sh("ls /tmp"), "");
    });
}

#[test]
fn condor_run_talks_to_its_wrapper_over_a_socket_as_stdin_and_passes_descriptors() {
    // Sends the hello word, receives one descriptor and writes to it, as condor_glexec_job_wrapper does.
    let wrapper = format!(
        r#"open(my $socket, "+<&=", 0) or die "socket: $!"; syswrite($socket, pack("N", 0xdeadbeef)) == 4 or die "hello: $!";
        my ($data, $control) = ("\0" x 16, "\0" x 64);
        my $iov = pack("P Q", $data, 16);
        my $message = pack("Q L x4 P Q P Q l x4", 0, 0, $iov, 1, $control, 64, 0);
        syscall({SYS_recvmsg}, 0, $message, 0) > 0 or die "recvmsg: $!";
        open(my $file, ">&=", unpack("x16 l", $control)) or die "hello: $!";
        print $file "from the job"; print getpwuid($>) . " in " . `pwd`; exit 17"#
    );
    in_both_modes(|site| {
        let starter = Starter::new(site);
        starter.set_up().exits(0);
        let (mut ours, theirs) = sockets();
        let job = starter.run(theirs, &["/usr/bin/perl", "-e", &wrapper]);
        let mut hello = [0; 4];
        if ours.read_exact(&mut hello).is_err() {
            panic!("no hello word: {}", job.finish());
        }
        assert_eq!(hello, 0xdead_beef_u32.to_be_bytes());
        let mut file = File::from(tempfile());
        let fds = [file.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&fds)];
        sendmsg::<()>(ours.as_raw_fd(), &[IoSlice::new(b"x")], &rights, MsgFlags::empty(), None).unwrap();
        let run = job.finish();
        run.exits(17);
        assert_eq!((run.stdout(), run.stderr()), (format!("alice in {SB}\n"), String::new()));
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "from the job");
    });
}

fn tempfile() -> OwnedFd {
    nix::sys::memfd::memfd_create(c"of-the-starter", nix::sys::memfd::MFdFlags::empty()).unwrap()
}

#[test]
fn condor_run_without_a_hello_word_means_that_glexec_refused() {
    in_both_modes(|site| {
        let starter = Starter::new(site);
        starter.set_up().exits(0);
        site.append("/etc/lcas/ban_users.db", "\"/DC=org/DC=example/O=Grid/CN=Alice Adams\"\n");
        let (mut ours, theirs) = sockets();
        let job = starter.run(theirs, &["/bin/echo"]);
        let mut nothing = Vec::new();
        ours.read_to_end(&mut nothing).unwrap();
        assert_eq!(nothing, b"");
        job.finish().refused(203, "lcas.userban");
    });
}

#[test]
fn condor_starter_sees_the_end_of_the_socket_when_the_job_closes_it() {
    in_both_modes(|site| {
        let starter = Starter::new(site);
        starter.set_up().exits(0);
        let (mut ours, theirs) = sockets();
        let job = starter.run(theirs, &["/bin/bash", "-c", "exec 0<&- 1>&- 2>&-; touch closed; kill -STOP $$"]);
        let mut nothing = Vec::new();
        ours.read_to_end(&mut nothing).unwrap();
        assert_eq!(nothing, b"");
        eventually("the job runs on", || site.exists(&format!("{SB}/closed")));
        starter.kill("KILL", job.pid_in_site());
        job.finish().killed_by(Signal::SIGKILL);
        eventually("the job is gone", || nothing_runs_as(site, "alice"));
    });
}

#[test]
fn condor_kills_the_process_it_started_as_the_mapped_user() {
    in_both_modes(|site| {
        let starter = Starter::new(site);
        starter.set_up().exits(0);
        for signal in [Signal::SIGTERM, Signal::SIGKILL, Signal::SIGQUIT, Signal::SIGHUP, Signal::SIGUSR1] {
            let (mut ours, theirs) = sockets();
            let job = starter.run(theirs, &WAITING);
            ours.read_exact(&mut [0; 6]).unwrap();
            starter.kill(&signal.as_str()[3..], job.pid_in_site());
            job.finish().killed_by(signal);
            eventually("the job is gone", || nothing_runs_as(site, "alice"));
        }
    });
}

#[test]
fn condor_lets_a_job_handle_the_signal_and_sees_its_exit_code() {
    in_both_modes(|site| {
        let starter = Starter::new(site);
        starter.set_up().exits(0);
        let (mut ours, theirs) = sockets();
        let job = starter
            .run(theirs, &["/bin/bash", "-c", "trap 'exit 3' TERM; echo ready >&0; while :; do sleep 0.01; done"]);
        ours.read_exact(&mut [0; 6]).unwrap();
        starter.kill("TERM", job.pid_in_site());
        job.finish().exits(3);
    });
}

#[test]
fn condor_suspends_and_continues_a_job() {
    in_both_modes(|site| {
        let starter = Starter::new(site);
        starter.set_up().exits(0);
        let (mut ours, theirs) = sockets();
        let job = starter.run(theirs, &["/bin/bash", "-c", "echo ready >&0; read -r _ <&0; exit 5"]);
        ours.read_exact(&mut [0; 6]).unwrap();
        let states = || site.sh("ps -o stat= -u alice | cut -c1 | sort -u");
        starter.kill("STOP", job.pid_in_site());
        eventually("everything of the job is stopped", || states() == "T\n");
        starter.kill("CONT", job.pid_in_site());
        eventually("nothing of the job is stopped", || !states().contains('T'));
        ours.write_all(b"go on\n").unwrap();
        job.finish().exits(5);
    });
}

#[test]
fn condor_update_proxy_replaces_the_proxy_in_the_sandbox() {
    in_both_modes(|site| {
        let starter = Starter::new(site);
        starter.set_up().exits(0);
        for new in ["new", "newer"] {
            starter.update_proxy(new).succeeds_with("");
            assert_eq!(site.sh(&format!("stat -c '%U %a' {SB}/proxy; cat {SB}/proxy")), format!("alice 600\n{new}\n"));
        }
    });
}

#[test]
fn condor_cleanup_streams_the_sandbox_out_and_nothing_else() {
    in_both_modes(|site| {
        let starter = Starter::new(site);
        starter.set_up().exits(0);
        starter.pilot.glexec(["sh", "-c", &format!("head -c 300000 /dev/urandom > {SB}/out; mkdir {SB}/d")]).exits(0);
        let sum = site.sh(&format!("md5sum < {SB}/out"));
        starter.clean_up().succeeds_with("");
        assert_eq!(site.sh(&format!("md5sum < {SB}.condor/out; stat -c %U {SB}.condor/out")), sum + "pilot\n");
        assert!(!site.exists(SB) && site.exists(&format!("{SB}.condor/proxy")));
    });
}

#[test]
fn condor_reads_how_the_job_died_in_the_wait_status() {
    in_both_modes(|site| {
        let starter = Starter::new(site);
        starter.set_up().exits(0);
        for signal in [Signal::SIGSEGV, Signal::SIGXCPU, Signal::SIGKILL] {
            let (_ours, theirs) = sockets();
            let death = format!("kill -{} $$", &signal.as_str()[3..]);
            starter.run(theirs, &["/bin/bash", "-c", &death]).finish().killed_by(signal);
        }
    });
}

#[test]
fn condor_tries_again_what_the_site_fixes_meanwhile() {
    in_both_modes(|site| {
        let starter = Starter::new(site);
        site.sh("mv /etc/lcas/ban_users.db /root/");
        starter.set_up().exits(202);
        assert!(!site.exists(SB));
        site.sh("mv /root/ban_users.db /etc/lcas/");
        starter.set_up().succeeds_with("");
    });
}

#[test]
fn condor_step_that_is_refused_changes_nothing_and_gives_a_hold_reason() {
    in_both_modes(|site| {
        let starter = Starter::new(site);
        starter.set_up().exits(0);
        starter.update_proxy("old").exits(0);
        site.append("/etc/lcas/ban_users.db", "\"/DC=org/DC=example/O=Grid/CN=Alice Adams\"\n");
        let update = starter.update_proxy("new");
        assert!(update.exits(203).stdout().starts_with("[gLExec]: "), "{update}");
        starter.clean_up().exits(203);
        assert_eq!(site.sh(&format!("cat {SB}/input {SB}/proxy")), "in\nold\n");
    });
}

#[test]
fn condor_updates_the_proxy_of_a_running_job_then_kills_it_and_cleans_up() {
    in_both_modes(|site| {
        let starter = Starter::new(site);
        starter.set_up().exits(0);
        let (mut ours, theirs) = sockets();
        let job = "echo ready >&0; read -r _ <&0; cat proxy >&0; exec sleep 1000";
        let job = starter.run(theirs, &["/bin/bash", "-c", job]);
        ours.read_exact(&mut [0; 6]).unwrap();
        starter.update_proxy("new").succeeds_with("");
        ours.write_all(b"look\n").unwrap();
        let mut seen = [0; 4];
        ours.read_exact(&mut seen).unwrap();
        assert_eq!(&seen, b"new\n");
        starter.kill("TERM", job.pid_in_site());
        job.finish().killed_by(Signal::SIGTERM);
        eventually("the job is gone", || nothing_runs_as(site, "alice"));
        starter.clean_up().succeeds_with("");
        assert!(!site.exists(SB));
    });
}

#[test]
fn condor_procd_learns_that_a_kill_failed() {
    in_both_modes(|site| {
        let starter = Starter::new(site);
        let kill = starter.step("/usr/sbin/glexec $SH -c '/bin/kill -KILL 1'");
        assert!(kill.code().is_some_and(|code| (1..=200).contains(&code)), "{kill}");
    });
}

#[test]
fn condor_starter_may_signal_a_lingering_job_whose_proxy_has_expired() {
    let site = Site::with(Site::linger);
    let starter = Starter::new(&site);
    starter.set_up().exits(0);
    let (mut ours, theirs) = sockets();
    let job = starter.run(theirs, &WAITING);
    ours.read_exact(&mut [0; 6]).unwrap();
    let expired = starter.pilot.clone().credential("alice-expired");
    let kill = format!("kill -TERM {}", job.pid_in_site());
    expired.glexec(["/bin/sh", "-c", &kill]).refused(201, "credential.expired");
    expired.sh(&kill).succeeds_with("");
    job.finish().killed_by(Signal::SIGTERM);
}

#[test]
fn condor_wrapper_gives_the_job_its_own_environment_and_opens_its_output_as_the_user() {
    in_both_modes(|site| {
        let mut starter = Starter::new(site);
        starter.pilot = starter.pilot.env("_CONDOR_STARTER", "of the pilot");
        starter.set_up().exits(0);
        let (_ours, theirs) = sockets();
        // The values would come over the socket; they win over those that glexec gave.
        let wrapper = "env | grep -e CONDOR -e GLEXEC; umask 077; exec > _condor_stdout; \
            PATH=/job X509_USER_PROXY=$PWD/proxy exec /usr/bin/env";
        starter.run(theirs, &["/bin/sh", "-c", wrapper]).finish().succeeds_with("");
        let environment = site.read(&format!("{SB}/_condor_stdout"));
        assert!(environment.contains("PATH=/job\n"), "{environment}");
        assert!(environment.contains(&format!("X509_USER_PROXY={SB}/proxy\n")), "{environment}");
        assert_eq!(site.sh(&format!("stat -c '%U %a' {SB}/_condor_stdout")), "alice 600\n");
    });
}
