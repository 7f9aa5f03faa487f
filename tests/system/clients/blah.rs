//! BLAH (mapped_exec.c): the batch gateway's calls, in a session of their own.

use super::{eventually, in_both_modes, nothing_runs_as};
use crate::site::{Caller, Site};
use nix::sys::signal::Signal;

fn blah(site: &Site) -> Caller<'_> {
    site.pilot().credential("alice").env("GLEXEC_MODE", "lcmaps_get_account")
}

#[test]
fn blah_renews_the_target_proxy_with_pwd_again_and_again() {
    in_both_modes(|site| {
        site.sh("install -d -m 1777 /proxies");
        let blah = blah(site).env("GLEXEC_TARGET_PROXY", "/proxies/job.glexec");
        for _ in 0..3 {
            blah.glexec(["/bin/pwd"]).succeeds_with("/home/alice\n");
            assert_eq!(site.sh("stat -c '%U %a' /proxies/*"), "alice 600\n");
        }
        assert_eq!(site.read("/proxies/job.glexec"), site.read(&blah.client_cert()));
    });
}

#[test]
fn blah_gives_a_limited_proxy_as_source_and_a_full_one_as_certificate() {
    in_both_modes(|site| {
        let limited = crate::site::material_file("proxies/alice-limited.pem");
        let blah = blah(site).file_in("GLEXEC_SOURCE_PROXY", "limited.pem", &limited);
        let run = blah.glexec(["sh", "-c", "cat $X509_USER_PROXY"]);
        assert!(run.exits(0).stdout_bytes() == limited, "{run}");
    });
}

#[test]
fn blah_takes_the_output_of_id_but_its_last_byte_as_the_uid() {
    in_both_modes(|site| {
        let uid = blah(site).glexec(["/usr/bin/id", "-u"]).exits(0).stdout();
        assert_eq!(uid.split_at(uid.len() - 1), ("3000", "\n"));
    });
}

#[test]
fn blah_sees_the_end_of_both_pipes_while_the_command_lives_and_kills_its_group() {
    in_both_modes(|site| {
        // BLAH executes /bin/kill with these arguments; that of procps 4.0.2 reads the first digit of the group only.
        for kill in ["kill -s SIGTERM", "kill -15"] {
            blah(site).sh("rm -f ended.*").exits(0);
            // glexec leads the group, and the readers see when their pipes end.
            let command = "exec /usr/sbin/glexec /bin/bash -c 'exec 0<&- 1>&- 2>&-; exec sleep 1000' \
                > >(cat; touch ended.out) 2> >(cat; touch ended.err)";
            let run = blah(site).start("/bin/bash", ["-c", command]);
            eventually("both pipes end", || {
                site.exists("/home/pilot/ended.out") && site.exists("/home/pilot/ended.err")
            });
            assert!(!nothing_runs_as(site, "alice"), "the command lives");
            let kill = format!("{kill} -{}", run.pid_in_site());
            let killer = blah(site).env("GLEXEC_TARGET_PROXY", "/dev/null");
            killer.glexec(["/bin/bash", "-c", &kill]).succeeds_with("");
            run.finish().killed_by(Signal::SIGTERM);
            eventually("the group has ended", || nothing_runs_as(site, "alice"));
        }
    });
}

#[test]
fn blah_kills_a_group_that_ignores_the_first_signal() {
    in_both_modes(|site| {
        let command = "trap '' TERM; touch ready; sleep 1000 & while :; do wait; done";
        let run = blah(site).start("/usr/sbin/glexec", ["/bin/bash", "-c", command]);
        eventually("the command runs", || site.exists("/home/alice/ready"));
        let kill = |signal| format!("kill -s {signal} -{}", run.pid_in_site());
        blah(site).glexec(["/bin/bash", "-c", &kill("SIGTERM")]).succeeds_with("");
        assert!(!nothing_runs_as(site, "alice"));
        blah(site).glexec(["/bin/bash", "-c", &kill("SIGKILL")]).succeeds_with("");
        run.finish().killed_by(Signal::SIGKILL);
        eventually("the group has ended", || nothing_runs_as(site, "alice"));
    });
}

#[test]
fn blah_reads_the_signal_that_ended_the_command() {
    in_both_modes(|site| {
        blah(site).glexec(["sh", "-c", "kill -TERM $$"]).killed_by(Signal::SIGTERM);
        blah(site).glexec(["sh", "-c", "exit 7"]).exits(7);
    });
}

#[test]
fn blah_finds_the_command_in_the_process_group_that_it_made() {
    in_both_modes(|site| {
        let run = blah(site).start("/usr/sbin/glexec", ["sh", "-c", "ps -o pgid=,sid= -p $$; read _"]);
        let pid = run.pid_in_site();
        let groups = run.finish();
        let numbers: Vec<i32> = groups.stdout().split_whitespace().map(|word| word.parse().unwrap()).collect();
        assert_eq!(numbers, [pid, pid], "{groups}");
    });
}

#[test]
fn blah_sets_a_variable_twice_and_the_first_one_counts() {
    in_both_modes(|site| {
        let cert = blah(site).client_cert();
        let (good, bad) = (format!("GLEXEC_CLIENT_CERT={cert}"), "GLEXEC_CLIENT_CERT=/no/such/file");
        let target = ["GLEXEC_TARGET_PROXY=/tmp/first", "GLEXEC_TARGET_PROXY=/tmp/second"];
        let run = blah(site).execve(
            ["glexec", "/bin/pwd"],
            &[good.as_bytes(), target[0].as_bytes(), bad.as_bytes(), target[1].as_bytes()],
        );
        run.succeeds_with("/home/alice\n");
        assert_eq!(site.sh("ls /tmp"), "first\n");
        blah(site)
            .execve(["glexec", "/bin/pwd"], &[bad.as_bytes(), good.as_bytes()])
            .refused(201, "credential.unreadable");
    });
}
