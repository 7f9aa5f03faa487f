//! The switch: what the payload is, and what of the caller it is not.

#![allow(unsafe_code)] // system calls that make a caller's process as strange as it can be

use crate::site::{Caller, GLEXEC, Run, Site};
use nix::fcntl::{Flock, FlockArg};
use nix::libc;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd};

fn alice(site: &Site) -> Caller<'_> {
    site.pilot().credential("alice")
}

const NONE: &str = "0000000000000000";

#[test]
fn a_shadow_database_that_nobody_may_read_is_read_and_nothing_else_is() {
    let site = Site::new();
    site.sh("chmod 0 /etc/shadow");
    site.pilot().credential("alice").glexec(["id", "-un"]).succeeds_with("alice\n");
    site.sh("usermod --expiredate 1 alice; chmod 0 /etc/shadow");
    site.pilot().credential("alice").glexec(["id", "-un"]).refused(203, "account.locked");
    site.sh("usermod --expiredate '' alice; chmod 0 /etc/shadow /etc/grid-security/grid-mapfile");
    site.pilot().credential("alice").glexec(["id", "-un"]).refused(202, "lcmaps.file-missing");
}

#[test]
fn a_name_service_that_hangs_is_not_waited_for_without_end() {
    let site = Site::with(Site::linger);
    let (pilot, root) = (site.pilot().credential("alice").reporting(), site.caller("root"));
    // Who looks a group up waits for somebody to write into this, as this harness would.
    site.sh("rm /etc/group; mkfifo -m 644 /etc/group");
    let run = pilot.glexec(["id", "-un"]);
    run.refused(202, "account.lookup-failed").record().says([("caller_user", "pilot"), ("transient", "true")]);
    assert_eq!(run.reported()["transient"], true);
    root.run("/usr/bin/pgrep", ["glexec"]).exits(1);
}

#[test]
fn all_ids_are_the_targets() {
    for site in Site::in_both_modes() {
        let status = ["grep", "-E", "^(Uid|Gid|Groups):", "/proc/self/status"];
        // bob has the pool account's uid, his role's group, and the VO's as a secondary one; nothing of the pilot's.
        for (credential, uid, gid, groups) in [("alice", 3000, 3000, "3000 "), ("bob", 5001, 5000, "4000 ")] {
            let four = |id: i32| format!("{id}\t{id}\t{id}\t{id}");
            let expected = format!("Uid:\t{}\nGid:\t{}\nGroups:\t{groups}\n", four(uid), four(gid));
            site.pilot().credential(credential).glexec(status).succeeds_with(&expected);
        }
    }
}

#[test]
fn nothing_of_roots_groups_is_left_when_root_calls() {
    let site = Site::new();
    site.configure(|text| text.replace("\"pilot\"", "\"root\""));
    let root = site.caller("root").credential("alice");
    root.glexec(["id"]).succeeds_with("uid=3000(alice) gid=3000(alice) groups=3000(alice)\n");
    let caps = root.glexec(["grep", "-E", "^Cap(Inh|Prm|Eff|Bnd|Amb)", "/proc/self/status"]).stdout();
    assert!(caps.lines().count() == 5 && caps.lines().all(|line| line.ends_with(NONE)), "{caps}");
}

#[test]
fn no_capability_is_left_in_any_set() {
    for site in Site::in_both_modes() {
        let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
        let expected: String = sets.iter().map(|set| format!("{set}:\t{NONE}\n")).collect();
        alice(&site).glexec(["grep", "^Cap", "/proc/self/status"]).succeeds_with(&expected);
        let securebits = alice(&site).glexec(["setpriv", "--dump"]).stdout();
        assert!(securebits.contains("Securebits: [none]"), "{securebits}");
    }
}

#[test]
fn nobody_gets_root_or_the_caller_back() {
    for site in Site::in_both_modes() {
        for attempt in [
            "--reuid=0",
            "--ruid=0",
            "--euid=0",
            "--reuid=pilot",
            "--euid=pilot",
            "--ruid=pilot",
            "--regid=0",
            "--egid=pilots",
            "--groups=0",
            "--clear-groups",
            "--init-groups",
            "--inh-caps=+setuid",
            "--securebits=+noroot",
        ] {
            let run = alice(&site).glexec(["setpriv", attempt, "id"]);
            assert!(run.code() != Some(0) && run.stdout().is_empty(), "{attempt}: {run}");
        }
        // Neither through a setuid program: with an empty bounding set it gets no capability.
        let nested = alice(&site).glexec(["sh", "-c", &format!("{GLEXEC} id; echo $?")]);
        assert!(nested.stdout() == "202\n" && nested.stderr().contains("(self.start-up)"), "{nested}");
    }
}

/// Blocks every signal and ignores every signal, also the two that the C library keeps for itself.
fn block_and_ignore_all() -> io::Result<()> {
    let ignore = [1_u64, 0, 0, 0]; // a kernel sigaction of SIG_IGN
    let all = u64::MAX;
    for signal in 1..=64 {
        // SAFETY: the kernel reads 32 bytes of `ignore`. SIGKILL and SIGSTOP fail, as they should.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, ignore.as_ptr(), std::ptr::null::<u64>(), 8) };
    }
    // SAFETY: the kernel reads 8 bytes of `all`.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const all, std::ptr::null::<u64>(), 8) };
    Ok(())
}

#[test]
fn no_signal_is_blocked_ignored_or_pending() {
    for site in Site::in_both_modes() {
        let pilot = alice(&site).first(block_and_ignore_all);
        let signals = ["grep", "-E", "^(ShdPnd|Sig(Pnd|Blk|Ign)):", "/proc/self/status"];
        // The harness works: a program that is not glexec inherits them.
        assert!(pilot.run("/usr/bin/grep", &signals[1..]).stdout().contains("SigBlk:\tfffffffffffbfeff"));
        let expected: String =
            ["SigPnd", "ShdPnd", "SigBlk", "SigIgn"].iter().map(|set| format!("{set}:\t{NONE}\n")).collect();
        pilot.glexec(signals).succeeds_with(&expected);
        // An ignored SIGCHLD loses no exit code, of the verifier or of the payload.
        pilot.glexec(["sh", "-c", "exit 7"]).exits(7);
    }
}

#[test]
fn timers_of_the_caller_are_stopped() {
    let site = Site::new();
    let set = |timer: libc::c_int| {
        move || {
            let minute = libc::timeval { tv_sec: 60, tv_usec: 0 };
            let value = libc::itimerval { it_interval: minute, it_value: minute };
            // SAFETY: setitimer(2) reads `value`. libc's type for `which` differs between C libraries: hence the raw call.
            unsafe { libc::syscall(libc::SYS_setitimer, timer, &raw const value, std::ptr::null::<libc::itimerval>()) };
            Ok(())
        }
    };
    let pilot =
        alice(&site).first(set(libc::ITIMER_REAL)).first(set(libc::ITIMER_VIRTUAL)).first(set(libc::ITIMER_PROF));
    // How many seconds the alarm still had.
    let left = ["/usr/bin/perl", "-e", "print alarm 0"];
    assert_ne!(pilot.run(left[0], &left[1..]).stdout(), "0");
    pilot.glexec(left).succeeds_with("0");
}

#[test]
fn resource_limits_are_those_that_the_caller_had() {
    for site in Site::in_both_modes() {
        let script = "ulimit -S -f 1000; ulimit -S -n 77; ulimit -S -t 1000; ulimit -S -u 500; ulimit -S -v 4000000; \
            ulimit -S -d 3000000; ulimit -S -c 5; ulimit -S -s 4096; ulimit -H -c 6; ulimit -H -n 99; ";
        let limits = "cat /proc/self/limits";
        let before = alice(&site).sh(&format!("{script}{limits}")).stdout();
        assert!(before.contains("Max open files            77                   99"), "{before}");
        alice(&site).sh(&format!("{script}exec {GLEXEC} {limits}")).succeeds_with(&before);
    }
}

#[test]
fn the_umask_is_the_configured_one_whatever_the_callers() {
    for site in Site::in_both_modes() {
        for callers in ["0", "777", "022"] {
            alice(&site).sh(&format!("umask {callers}; exec {GLEXEC} sh -c umask")).succeeds_with("0022\n");
        }
        site.set("umask = \"0027\"");
        alice(&site).glexec(["sh", "-c", "umask"]).succeeds_with("0027\n");
    }
}

#[test]
fn the_working_directory_is_the_targets_home_or_the_root() {
    for site in Site::in_both_modes() {
        alice(&site).cwd("/tmp").glexec(["pwd"]).succeeds_with("/home/alice\n");
        alice(&site).sh(&format!("mkdir d && cd d && rmdir ../d && exec {GLEXEC} pwd")).succeeds_with("/home/alice\n");
        site.sh("mkdir -m 700 /home/barred && sed -i 's,/home/alice,/home/barred,' /etc/passwd");
        alice(&site).glexec(["sh", "-c", "pwd; echo $HOME"]).succeeds_with("/\n/home/barred\n");
        site.sh("rmdir /home/barred");
        alice(&site).glexec(["sh", "-c", "pwd; echo $HOME"]).succeeds_with("/\n/home/barred\n");
    }
}

#[test]
fn fields_that_the_account_database_leaves_empty_are_what_login_programs_take_them_for() {
    for site in Site::in_both_modes() {
        let says = |line: &str| {
            site.sh(&format!("sed -i 's,^alice:.*,{line},' /etc/passwd; mkdir -p /home/pilot/relative"));
            alice(&site).glexec(["sh", "-c", "pwd; echo $HOME $SHELL"]).exits(0).stdout()
        };
        assert_eq!(says("alice:x:3000:3000::/home/alice:"), "/home/alice\n/home/alice /bin/sh\n");
        assert_eq!(says("alice:x:3000:3000:::/bin/bash"), "/\n/ /bin/bash\n");
        // The caller stands above a directory of this name.
        assert_eq!(says("alice:x:3000:3000::relative:/bin/bash"), "/\n/ /bin/bash\n");
    }
}

#[test]
fn descriptors_above_two_are_closed() {
    for site in Site::in_both_modes() {
        let open = "exec 3</etc/hostname 4<.. 7>mine 42>&1 250<&0; ";
        let list = "sh -c 'ls /proc/$$/fd; true'";
        alice(&site).sh(&format!("{open}exec {GLEXEC} {list}")).succeeds_with("0\n1\n2\n");
    }
}

#[test]
fn closed_standard_descriptors_become_dev_null() {
    for site in Site::in_both_modes() {
        let links = "for fd in 0 1 2; do links=\"$links $(readlink /proc/$$/fd/$fd)\"; done; echo $links > /tmp/links";
        for closed in [&[0][..], &[1], &[2], &[0, 1, 2]] {
            let pilot = closed.iter().fold(alice(&site), |pilot, fd| pilot.closing(*fd));
            pilot.glexec(["sh", "-c", links]).exits(0);
            let links = site.sh("cat /tmp/links && rm /tmp/links");
            let links: Vec<&str> = links.split_whitespace().collect();
            for fd in 0..3 {
                assert_eq!(
                    links[fd] == "/dev/null",
                    closed.contains(&i32::try_from(fd).unwrap()),
                    "{closed:?}: {links:?}"
                );
            }
        }
    }
}

#[test]
fn a_refusal_with_closed_descriptors_writes_into_no_file() {
    let site = Site::new();
    let everything = "cat /home/pilot/*.pem /etc/glexec.conf /etc/lcas/* /etc/grid-security/grid-mapfile | md5sum";
    let pilot = site.pilot().credential("mallory").closing(0).closing(1).closing(2);
    let before = site.sh(everything);
    let run = pilot.glexec(["id"]);
    assert_eq!((run.code(), site.sh(everything)), (Some(203), before), "{run}");
    run.record().says([("code", "lcas.userban")]);
}

#[test]
fn standard_descriptors_pass_through_untouched_whatever_they_are() {
    for site in Site::in_both_modes() {
        site.write("/usr/bin/links", "#!/bin/bash\necho $(readlink /proc/$$/fd/{0,1,2}) > /tmp/links-of-$USER\n");
        site.chmod("/usr/bin/links", 0o755);
        // A link names a pipe or a socket by its inode, and a file by its path.
        let same = |caller: Caller, redirect: &str| {
            caller.sh(&format!("exec {redirect}; links; {GLEXEC} links")).exits(0);
            let [own, payloads] = ["pilot", "alice"].map(|who| site.read(&format!("/tmp/links-of-{who}")));
            assert!(own == payloads && own.split_whitespace().count() == 3, "{redirect}: {own}{payloads}");
            own
        };
        assert_eq!(same(alice(&site), "").matches("pipe:[").count(), 3);
        same(alice(&site), "< /etc/hostname >> /tmp/output 2> /dev/full");
        same(alice(&site), "0<> /dev/zero 1<&0");
        let socket = alice(&site).first(|| {
            let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::empty())?;
            // SAFETY: dup2 onto 0, which no object of this process owns.
            unsafe { libc::dup2(ours.as_raw_fd(), 0) };
            let _ = theirs.into_raw_fd(); // the other end stays open
            Ok(())
        });
        assert!(same(socket, "1>&0").starts_with("socket:["));
    }
}

#[test]
fn nothing_is_read_from_the_callers_input() {
    for site in Site::in_both_modes() {
        // The payload goes on where the shell stopped, in a file and in a pipe.
        let script =
            format!("printf '1\\n2\\n3\\n' > f; exec < f; read line; {GLEXEC} sh -c 'read line; echo $line'; cat");
        alice(&site).sh(&script).succeeds_with("2\n3\n");
        let script = format!("{GLEXEC} true; {GLEXEC} sh -c 'read line; echo $line'; /usr/sbin/glexec /no/such; cat");
        let run = alice(&site).stdin("1\n2\n").sh(&script);
        assert_eq!(run.stdout(), "1\n2\n", "{run}");
    }
}

#[test]
fn process_group_and_session_are_the_callers_where_there_is_no_terminal() {
    for site in Site::in_both_modes() {
        let ids = "cut -d ' ' -f 5-7 /proc/self/stat"; // process group, session, terminal
        let run = alice(&site).sh(&format!("{ids}; {GLEXEC} {ids}; set -m; {GLEXEC} {ids} | cat"));
        let output = run.stdout();
        let lines: Vec<&str> = output.lines().collect();
        assert_eq!(lines[0], lines[1], "{run}");
        // A group of its own that the caller made is kept too.
        let [own, group] = [lines[1], lines[2]].map(|line| line.split(' ').collect::<Vec<_>>());
        assert!(own[0] != group[0] && own[1..] == group[1..] && own[2] == "0", "{run}");
    }
}

#[test]
fn a_payload_has_no_controlling_terminal() {
    let terminal = "cut -d ' ' -f 7 /proc/self/stat; (: < /dev/tty) && echo HAS ONE; test -t 0 && echo still on it";
    for site in Site::in_both_modes() {
        site.write("/usr/bin/terminal", format!("#!/bin/sh\n{terminal}\n"));
        site.chmod("/usr/bin/terminal", 0o755);
        // `script` is a terminal for a shell, which runs glexec, or becomes it: then glexec leads the session.
        for command in [format!("tty; {GLEXEC} terminal; true"), format!("tty; exec {GLEXEC} terminal")] {
            let run = alice(&site).run("/usr/bin/script", ["-qec", &command, "/dev/null"]);
            let output = run.exits(0).stdout().replace('\r', "");
            assert!(output.starts_with("/dev/pts/") && output.contains("\n0\n"), "{run}");
            assert!(!output.contains("HAS ONE") && output.ends_with("still on it\n"), "{run}");
        }
    }
}

#[test]
fn the_payload_is_an_ordinary_process_again() {
    for site in Site::in_both_modes() {
        let script = "stat -c %U /proc/self/status; grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status; \
            cat /proc/self/personality";
        let run = alice(&site).run("/usr/bin/setarch", ["-R", GLEXEC, "sh", "-c", script]);
        run.succeeds_with("alice\nNoNewPrivs:\t0\nSeccomp:\t0\n00000000\n");
    }
}

/// A call that waits for the lock of its proxy, acting as the caller, while something is done to it; then it may go on.
fn while_it_waits<'s>(pilot: &Caller<'s>, site: &'s Site, work: impl FnOnce(i32)) -> Run<'s> {
    let held = Flock::lock(site.file(&pilot.client_cert()), FlockArg::LockExclusiveNonblock).unwrap();
    let running = pilot.start(GLEXEC, ["id", "-un"]);
    let pid = running.pid_in_site();
    running.wait_until(&format!("ls -l /proc/{pid}/fd | grep -q alice.pem"));
    work(pid);
    drop(held);
    running.finish()
}

#[test]
fn nobody_looks_into_a_glexec_that_runs() {
    let site = Site::new();
    let run = while_it_waits(&alice(&site), &site, |pid| {
        for file in ["mem", "environ", "maps", "auxv", "syscall", "fd/0", "exe", "cwd", "root"] {
            site.pilot().run("/usr/bin/cat", [format!("/proc/{pid}/{file}")]).exits(1);
        }
        site.pilot().run("/usr/bin/ls", [format!("/proc/{pid}/fd")]).exits(2);
        site.pilot().run("/usr/bin/strace", ["-o", "/dev/null", "-p", &pid.to_string()]).exits(1);
    });
    run.succeeds_with("alice\n");
}

#[test]
fn a_glexec_that_is_made_to_crash_leaves_no_core() {
    let site = Site::new();
    let core = || {
        let (_, most) = getrlimit(Resource::RLIMIT_CORE)?;
        Ok(setrlimit(Resource::RLIMIT_CORE, most, most)?)
    };
    let crash = |pid: i32| {
        site.pilot().sh(&format!("kill -SEGV {pid}")).exits(0);
    };
    let run = while_it_waits(&alice(&site).first(core), &site, crash);
    run.killed_by(Signal::SIGSEGV);
    assert!(!run.dumped_core(), "{run}");
    assert!(site.records().is_empty());
}

/// Joins a session keyring of its own and puts a key into it, add_key(2).
fn hold_a_key() -> std::io::Result<()> {
    const SESSION_KEYRING: i32 = -3;
    let (kind, name, secret) = (c"user", c"secret-of-the-pilot", b"secret");
    // SAFETY: the strings end with NUL and live on; the length is the secret's.
    let rc = unsafe {
        nix::libc::syscall(nix::libc::SYS_keyctl, 1, std::ptr::null::<u8>());
        let (kind, name) = (kind.as_ptr(), name.as_ptr());
        nix::libc::syscall(nix::libc::SYS_add_key, kind, name, secret.as_ptr(), secret.len(), SESSION_KEYRING)
    };
    if rc < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

#[test]
fn the_callers_keyring_stays_the_callers() {
    for site in Site::in_both_modes() {
        let pilot = site.pilot().credential("alice").first(hold_a_key);
        let own = pilot.run("/bin/cat", ["/proc/keys"]);
        assert!(own.stdout().contains("secret-of-the-pilot"), "{own}");
        let payload = pilot.glexec(["/bin/cat", "/proc/keys"]);
        assert!(!payload.exits(0).stdout().contains("secret-of-the-pilot"), "{payload}");
    }
}
