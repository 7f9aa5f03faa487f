//! Attacks by what a process hands to the program that it executes: environment, arguments, limits, namespaces, terminal.

#![allow(unsafe_code)] // system calls that make a caller's process as strange as it can be

use crate::aftermath::{Calls, nothing_is_amiss};
use crate::site::{Caller, GLEXEC, Site};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

fn alice(site: &Site) -> Caller<'_> {
    site.pilot().credential("alice")
}

/// What an attacker wants to be loaded: it leaves a file as soon as it is.
const LIBRARY: &str = "#include <fcntl.h>\n__attribute__((constructor)) static void loaded(void) \
    { open(\"/tmp/loaded\", O_CREAT, 0666); }\nvoid gconv(void) {} void gconv_init(void) {}\n";

/// Builds it as /tmp/evil/NAME for each name, and tries it: `control` is an ordinary program that falls for it.
fn evil_library(site: &Site, names: &[&str], control: &str) {
    site.write("/tmp/evil.c", LIBRARY);
    site.sh("mkdir -m 755 /tmp/evil && gcc -shared -fPIC -o /tmp/evil/evil.so /tmp/evil.c");
    for name in names {
        site.sh(&format!("cp /tmp/evil/evil.so /tmp/evil/{name}"));
    }
    site.pilot().sh(control);
    assert_eq!(site.sh("ls /tmp/loaded && rm /tmp/loaded"), "/tmp/loaded\n", "{control}: nothing was loaded");
}

fn in_environment<'s>(caller: Caller<'s>, variables: &[(&str, &str)]) -> Caller<'s> {
    variables.iter().fold(caller, |caller, (name, value)| caller.env(*name, *value))
}

#[test]
fn libraries_named_to_the_loader() {
    for site in Site::in_both_modes() {
        let names = ["libc.so.6", "libcrypto.so.3", "libgcc_s.so.1"];
        evil_library(&site, &names, "LD_PRELOAD=/tmp/evil/evil.so /bin/true");
        for variable in ["LD_PRELOAD", "LD_AUDIT"] {
            let pilot = alice(&site).env(variable, "/tmp/evil/evil.so");
            pilot.glexec(["id", "-un"]).succeeds_with("alice\n");
        }
        let evil = [("LD_LIBRARY_PATH", "/tmp/evil"), ("GLIBC_TUNABLES", "glibc.malloc.mxfast=glibc.malloc.mxfast=A")];
        in_environment(alice(&site), &evil).glexec(["id", "-un"]).succeeds_with("alice\n");
        assert!(!site.exists("/tmp/loaded"));
        nothing_is_amiss(&site, Calls::Exactly(3));
    }
}

#[test]
fn modules_for_character_sets_and_locales() {
    let site = Site::new();
    let control = "cd /tmp/evil && echo 'module PWN// INTERNAL evil 1' > gconv-modules; \
        GCONV_PATH=/tmp/evil iconv -f PWN -t UTF-8 < /dev/null";
    site.sh("mkdir -m 777 /tmp/evil && rmdir /tmp/evil");
    evil_library(&site, &[], &format!("{control}; LD_PRELOAD=/tmp/evil/evil.so /bin/true"));
    let evil = [
        ("GCONV_PATH", "/tmp/evil"),
        ("CHARSET", "PWN"),
        ("LC_ALL", "en_GB.PWN"),
        ("LOCPATH", "/tmp/evil"),
        ("NLSPATH", "/tmp/evil/%N"),
        ("LANGUAGE", "../../tmp/evil"),
    ];
    let pilot = in_environment(alice(&site), &evil);
    pilot.glexec(["id", "-un"]).succeeds_with("alice\n");
    pilot.glexec(["/no/such"]).refused(201, "command.not-found");
    assert!(!site.exists("/tmp/loaded"));
    nothing_is_amiss(&site, Calls::Exactly(2));
}

#[test]
fn shell_start_up_files_and_functions() {
    for site in Site::in_both_modes() {
        site.write("/tmp/start-up", "touch /tmp/shell-fell-for-it\n");
        let evil = [
            ("BASH_ENV", "/tmp/start-up"),
            ("ENV", "/tmp/start-up"),
            ("BASH_FUNC_id%%", "() { touch /tmp/shell-fell-for-it; }"),
            ("SHELLOPTS", "xtrace"),
            ("PS4", "$(touch /tmp/shell-fell-for-it)"),
            ("IFS", "/"),
        ];
        let pilot = in_environment(alice(&site), &evil);
        // An ordinary shell falls for it.
        pilot.run("/bin/bash", ["-c", "true"]);
        site.sh("rm /tmp/shell-fell-for-it");
        for shell in ["bash", "sh"] {
            pilot.glexec([shell, "-c", "id -un"]).succeeds_with("alice\n");
        }
        assert!(!site.exists("/tmp/shell-fell-for-it"));
        nothing_is_amiss(&site, Calls::Exactly(2));
    }
}

#[test]
fn modules_named_to_libcrypto() {
    let site = Site::with_syslog();
    site.write(
        "/tmp/evil.cnf",
        "openssl_conf = a\n[a]\nproviders = b\n[b]\nevil = c\n[c]\nmodule = /tmp/evil/evil.so\nactivate = 1\n",
    );
    evil_library(&site, &["legacy.so", "pkcs11.so"], "OPENSSL_CONF=/tmp/evil.cnf openssl list -providers");
    let evil = [("OPENSSL_CONF", "/tmp/evil.cnf"), ("OPENSSL_MODULES", "/tmp/evil"), ("OPENSSL_ENGINES", "/tmp/evil")];
    in_environment(alice(&site), &evil).glexec(["id", "-un"]).succeeds_with("alice\n").record();
    // Nor where the C library does not know that it is privileged: in a user namespace, and for root.
    let pilot = in_environment(alice(&site), &evil);
    pilot.run("/usr/bin/unshare", ["--map-root-user", GLEXEC, "id"]).refused(202, "self.user-namespace");
    site.configure(|text| text.replace("\"pilot\"", "\"root\""));
    in_environment(site.caller("root").credential("alice"), &evil).glexec(["id", "-un"]).succeeds_with("alice\n");
    assert!(!site.exists("/tmp/loaded"));
    site.records_awaited(3);
    nothing_is_amiss(&site, Calls::Exactly(3));
}

#[test]
fn paths_of_the_machine_that_built_it() {
    let site = Site::new();
    let script = format!(
        "grep -aoE '/(home|root|tmp|build|var/tmp)/[[:graph:]]*(ssl|crypto|\\.cnf|\\.so)[[:graph:]]*' {GLEXEC} | grep -v '\\.rs' || true"
    );
    assert_eq!(site.sh(&script), "", "the program would look there");
    // Nor does the loader: no RPATH.
    assert_eq!(site.sh(&format!("grep -aoE '\\$ORIGIN' {GLEXEC} || true")), "");
    nothing_is_amiss(&site, Calls::Exactly(0));
}

fn limited(caller: Caller<'_>, resource: Resource, soft: u64) -> Caller<'_> {
    caller.first(move || Ok(setrlimit(resource, soft, getrlimit(resource)?.1)?))
}

#[test]
fn limits_on_memory_and_time_that_would_fail_open() {
    let site = Site::new();
    let mut calls = 0;
    for (resource, limits) in [
        (Resource::RLIMIT_AS, &[4 << 20, 8 << 20, 12 << 20, 16 << 20, 32 << 20, 64 << 20][..]),
        (Resource::RLIMIT_DATA, &[0, 256 << 10, 1 << 20, 4 << 20]),
        (Resource::RLIMIT_CPU, &[0, 1]),
        (Resource::RLIMIT_FSIZE, &[0, 1]),
    ] {
        for limit in limits {
            let run = limited(site.pilot().credential("rita"), resource, *limit).glexec(["touch", "/tmp/ran"]);
            calls += 1;
            // 127 and signals come from the loader or the kernel, before the first instruction of the program.
            assert!(matches!(run.code(), Some(127 | 202 | 203) | None), "{resource:?} {limit}: {run}");
            assert!(!site.exists("/tmp/ran"), "{resource:?} {limit}: {run}");
        }
    }
    nothing_is_amiss(&site, Calls::AtMost(calls));
}

#[test]
fn many_arguments_on_an_unlimited_stack() {
    for site in Site::in_both_modes() {
        let many: Vec<String> = vec!["A".to_owned(); 60_000];
        let pilot = alice(&site).first(|| {
            let (_, hard) = getrlimit(Resource::RLIMIT_STACK)?;
            Ok(setrlimit(Resource::RLIMIT_STACK, hard, hard)?)
        });
        let words = ["sh", "-c", "echo $#", "sh"].map(str::to_owned);
        pilot.glexec(words.into_iter().chain(many)).succeeds_with("60000\n");
        pilot.glexec(["printf", "%s", "a\\"]).succeeds_with("a\\");
        nothing_is_amiss(&site, Calls::Exactly(2));
    }
}

#[test]
fn stopped_and_continued_at_a_bad_moment() {
    let site = Site::new();
    let pilot = alice(&site);
    let held = Flock::lock(site.file(&pilot.client_cert()), FlockArg::LockExclusiveNonblock).unwrap();
    let running = pilot.start(GLEXEC, ["id", "-un"]);
    let pid = running.pid_in_site();
    running.wait_until(&format!("ls -l /proc/{pid}/fd | grep -q alice.pem"));
    // The caller may stop its own call, and gains nothing: no memory, no descriptor, no other outcome.
    site.pilot().sh(&format!("kill -STOP {pid}")).exits(0);
    running.wait_until(&format!("grep -q 'State:.T' /proc/{pid}/status"));
    site.pilot().sh(&format!("cat /proc/{pid}/environ /proc/{pid}/maps 2>/dev/null")).exits(1);
    drop(held);
    site.pilot().sh(&format!("kill -CONT {pid}")).exits(0);
    running.finish().succeeds_with("alice\n");
    nothing_is_amiss(&site, Calls::Exactly(1));
}

#[test]
fn stopped_while_it_holds_the_log() {
    let site = Site::new();
    site.caller("mallory").sh(&format!("exec {GLEXEC} id")).refused(203, "caller.not-white-listed");
    let callers = [(site.caller("mallory"), false), (alice(&site), true)];
    for (caller, listed) in callers {
        // Who waits for the log and who has it are alike to signals. A holder that could be stopped would be waited for by
        // everybody on the machine, and nobody else's call would be recorded, or made.
        let held = Flock::lock(site.file("/var/log/glexec/glexec.log"), FlockArg::LockExclusiveNonblock).unwrap();
        let running = caller.start(GLEXEC, ["id", "-un"]);
        let pid = running.pid_in_site();
        // clock_nanosleep(2), on x86-64 and on ARM.
        running.wait_until(&format!(
            "grep -qE '^(230|115) ' /proc/{pid}/syscall && ls -l /proc/{pid}/fd | grep -q glexec.log"
        ));
        let signals = format!("for signal in STOP TSTP KILL TERM; do kill -$signal {pid} && exit 1; done 2>&1; exit 0");
        caller.sh(&signals).exits(0);
        let blocked = format!("awk '$1 == \"SigBlk:\" {{ print $2 }}' /proc/{pid}/status");
        assert_eq!(site.sh(&blocked), "fffffffe7ffbfeff\n", "a terminal's signals would stop it");
        drop(held);
        match listed {
            true => running.finish().succeeds_with("alice\n"),
            false => running.finish().refused(203, "caller.not-white-listed"),
        };
    }
    nothing_is_amiss(&site, Calls::Exactly(3));
}

#[test]
fn a_log_that_stays_locked() {
    // A holder that a cgroup has frozen, say: everybody else's calls go on, and are recorded.
    for site in Site::in_both_modes() {
        alice(&site).glexec(["id", "-un"]).succeeds_with("alice\n");
        let held = Flock::lock(site.file("/var/log/glexec/glexec.log"), FlockArg::LockExclusiveNonblock).unwrap();
        alice(&site).glexec(["id", "-un"]).succeeds_with("alice\n");
        drop(held);
        nothing_is_amiss(&site, Calls::Exactly(2));
    }
}

#[test]
fn the_program_overwritten_through_proc() {
    for site in Site::in_both_modes() {
        site.sh(&format!("cp {GLEXEC} /root/original"));
        // The payload tries its parent (the monitor, where there is one), and itself as it is named in /proc.
        let script = "for pid in $PPID self 1; do echo x > /proc/$pid/exe; done 2>/dev/null; id -un";
        let run = alice(&site).glexec(["sh", "-c", script]);
        assert_eq!(run.stdout(), "alice\n", "{run}");
        let front = "exec 3>/proc/$$/exe; for f in /proc/[0-9]*/exe; do echo x > $f; done 2>/dev/null; id -un";
        let run = alice(&site).sh(&format!("{GLEXEC} bash -c '{front}'"));
        assert_eq!(run.stdout(), "alice\n", "{run}");
        site.sh(&format!("cmp {GLEXEC} /root/original"));
        nothing_is_amiss(&site, Calls::Exactly(2));
    }
}

#[test]
fn a_root_of_the_callers_own_making() {
    let site = Site::with_syslog();
    let pilot = alice(&site);
    let script = "cp -r /etc /tmp/etc; sed -i 's/^user_white_list.*/user_white_list = [\"*\"]/' /tmp/etc/glexec.conf && \
        sed -i 's/:3000:3000:/:0:0:/' /tmp/etc/passwd";
    pilot.sh(script);
    assert!(site.read("/tmp/etc/passwd").contains("alice:x:0:0:"));
    let inside =
        format!("mount --bind /tmp/etc /etc && grep -q alice:x:0:0 /etc/passwd && exec {GLEXEC} touch /tmp/ran");
    let run = pilot.run("/usr/bin/unshare", ["--map-root-user", "--mount", "sh", "-c", &inside]);
    // Root of such a namespace is not taken for root, in the record either.
    let record = run.refused(202, "self.user-namespace").record();
    assert_ne!(record["caller_uid"], "0", "{record:?}");
    assert!(!site.exists("/tmp/ran"));
    nothing_is_amiss(&site, Calls::Exactly(1));
}

#[test]
fn a_copy_of_the_program_or_a_second_name() {
    let site = Site::with_syslog();
    let proxy = alice(&site);
    // A caller's copy is not setuid; with the bit it is the caller's, not root's.
    let copied = format!("cp {GLEXEC} /tmp/mine && chmod 4755 /tmp/mine; exec /tmp/mine touch /tmp/ran");
    site.chmod(GLEXEC, 0o4755); // it could not even be read otherwise
    proxy.sh(&copied).refused(202, "self.not-setuid");
    // A copy that root has made where setuid does not count.
    site.sh(&format!("mkdir /srv/nosuid && mount -t tmpfs -o nosuid tmpfs /srv/nosuid && cp -p {GLEXEC} /srv/nosuid"));
    proxy.run("/srv/nosuid/glexec", ["touch", "/tmp/ran"]).refused(202, "self.not-setuid");
    // Under another name it is the same program with the same configuration: its own path means nothing.
    site.sh(&format!("ln {GLEXEC} /usr/bin/another && ln -s {GLEXEC} /tmp/link"));
    for name in ["/usr/bin/another", "/tmp/link"] {
        proxy.run(name, ["id", "-un"]).succeeds_with("alice\n");
    }
    assert!(!site.exists("/tmp/ran"));
    site.records_awaited(4);
    nothing_is_amiss(&site, Calls::Exactly(4));
}

#[test]
fn typing_into_the_callers_terminal() {
    for site in Site::in_both_modes() {
        // TIOCSTI, and TIOCLINUX that pastes (tty_ioctl(4), ioctl_console(2)).
        let payload = "for (0..2) { open my $tty, \"<&=\", $_; ioctl $tty, 0x5412, my $c = $_ for split //, \"touch /tmp/typed\\n\"; \
            ioctl $tty, 0x541C, my $paste = \"\\3\" } open T, \"+</dev/tty\" and print \"HAS A TERMINAL\\n\"; print \"tried\\n\"";
        site.write("/usr/bin/types", format!("#!/usr/bin/perl\n{payload}\n"));
        site.chmod("/usr/bin/types", 0o755);
        let run = alice(&site).run(
            "/usr/bin/script",
            ["-qec", &format!("{GLEXEC} types; read -t 0.2 line; echo got=$line"), "/dev/null"],
        );
        let output = run.stdout();
        assert!(output.contains("tried") && output.contains("got=\r\n") && !output.contains("HAS A TERMINAL"), "{run}");
        assert!(!site.exists("/tmp/typed"));
        nothing_is_amiss(&site, Calls::Exactly(1));
    }
}

#[test]
fn a_job_that_plays_with_its_terminal_and_stops_itself() {
    for site in Site::in_both_modes() {
        // With job control, as an interactive shell has it; nothing may wait for ever.
        let job = format!(
            "set -m; {GLEXEC} sh -c 'stty sane; kill -TSTP $$; echo after' & wait %1; kill -CONT %1 2>/dev/null; wait; echo done"
        );
        let run = alice(&site)
            .run("/usr/bin/script", ["-qec", &format!("bash -c \"{}\"", job.replace('$', "\\$")), "/dev/null"]);
        assert!(run.stdout().contains("done"), "{run}");
        site.sh("pkill -KILL -u alice || true");
        nothing_is_amiss(&site, Calls::Exactly(1));
    }
}

#[test]
fn timer_slack_that_lets_no_deadline_come() {
    for site in Site::in_both_modes() {
        // prctl(2), PR_SET_TIMERSLACK: 292 years. Inherited by a child it is the child's default, too.
        let script = "no warnings; syscall(157, 29, 2**62, 0, 0, 0) == 0 or syscall(167, 29, 2**62, 0, 0, 0) == 0 or die $!; \
            exit(system(@ARGV) >> 8)";
        let unpunctual = |command: &str| alice(&site).run("/usr/bin/perl", ["-e", script, GLEXEC, "sh", "-c", command]);
        unpunctual("exit 3").exits(3);
        // What the payload leaves behind is asked, waited for and killed; a log that stays locked is waited for.
        let leftover = "trap '' TERM; setsid sleep 1000 > /dev/null 2>&1 & id -un";
        let held = Flock::lock(site.file("/var/log/glexec/glexec.log"), FlockArg::LockExclusiveNonblock).unwrap();
        unpunctual(leftover).succeeds_with("alice\n");
        drop(held);
        site.sh("pkill -KILL -u alice || true; while pgrep -u alice; do sleep 0.01; done");
        nothing_is_amiss(&site, Calls::Exactly(2));
    }
}

#[test]
fn another_niceness() {
    for site in Site::in_both_modes() {
        // It is the caller's to give away, and only upwards.
        let nice = |run: crate::site::Run| run.stdout().trim().parse::<i32>().unwrap();
        let before = nice(alice(&site).run("/usr/bin/nice", [""; 0]));
        assert_eq!(nice(alice(&site).run("/usr/bin/nice", ["-n", "3", GLEXEC, "nice"])), before + 3);
        assert_eq!(
            nice(alice(&site).run("/usr/bin/nice", ["-n", "3", GLEXEC, "nice", "-n", "-5", "nice"])),
            before + 3
        );
        nothing_is_amiss(&site, Calls::Exactly(2));
    }
}
