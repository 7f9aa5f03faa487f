//! `cgroup`: every lingering payload in a cgroup v2 of its own, which nothing leaves and which is gone afterwards. By default
//! it is in its caller's.

use crate::site::{Caller, GLEXEC, Record, Run, Running, Site};
use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::fs::File;
use std::ops::Deref;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicU32, Ordering};

/// A lingering site that has a cgroup for payloads. The kernel has one tree of cgroups for all sites, so this one is
/// named after the test, and is removed with the site, when nobody can be in it any more.
struct CgroupSite {
    site: Site,
    cgroup: Own,
}

/// A cgroup that a test has made.
struct Own {
    root: File,
    name: String,
}

impl Drop for Own {
    fn drop(&mut self) {
        use std::os::fd::AsRawFd;
        let path = format!("/proc/self/fd/{}/{}", self.root.as_raw_fd(), self.name);
        let entries = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap());
        for below in entries.filter(|entry| entry.file_type().unwrap().is_dir()) {
            std::fs::remove_dir(below.path()).unwrap();
        }
        unlinkat(&self.root, self.name.as_str(), UnlinkatFlags::RemoveDir).unwrap();
        // Where monitors have been; other tests' may be there.
        let _ = unlinkat(&self.root, "glexec", UnlinkatFlags::RemoveDir);
    }
}

impl Deref for CgroupSite {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl CgroupSite {
    fn new() -> CgroupSite {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("glexec-test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let site = Site::with(Site::linger);
        site.sh(&format!("mkdir /cg && mount -t cgroup2 none /cg && mkdir /cg/{name}"));
        let flags = (OFlag::O_DIRECTORY | OFlag::O_CLOEXEC).bits();
        let root = File::options().read(true).custom_flags(flags).open(site.host_path("/cg")).unwrap();
        site.set(&format!("cgroup = \"/cg/{name}\""));
        CgroupSite { site, cgroup: Own { root, name } }
    }

    /// Where it is in the site.
    fn path(&self) -> String {
        format!("/cg/{}", self.cgroup.name)
    }

    /// The cgroups in it.
    fn calls(&self) -> String {
        self.sh(&format!("cd {}; find . -mindepth 1 -type d", self.path()))
    }

    fn alice(&self) -> Caller<'_> {
        self.pilot().credential("alice")
    }

    /// What runs under this name, but the dead whom nobody has reaped yet.
    fn running(&self, name: &str) -> String {
        self.sh(&format!("pgrep --runstates R,S,D,T -x {name} || true"))
    }
}

fn end(run: &Run) -> Record {
    let ends: Vec<_> = run.records().into_iter().filter(|record| record["event"] == "end").collect();
    assert_eq!(ends.len(), 1, "one end record expected\n{run}");
    ends[0].clone()
}

/// Says where a process is among the cgroups v2.
const WHERE: &str = "sed -n s/^0:://p /proc/self/cgroup";

#[test]
fn a_payload_and_all_that_it_starts_are_in_a_cgroup_named_after_the_call_which_is_gone_afterwards() {
    let site = CgroupSite::new();
    let script = format!("{WHERE}; setsid {WHERE}; stat -c %U:%a {}/call-*; exit 7", site.path());
    let run = site.alice().glexec(["sh", "-c", &script]);
    run.exits(7);
    let call = format!("/{}/call-{}\n", site.cgroup.name, run.record()["call"]);
    assert_eq!(run.stdout(), format!("{call}{call}root:755\n"));
    assert_eq!(site.calls(), "");
    end(&run).says([("status", "7"), ("killed", "0")]);
}

#[test]
fn front_and_monitor_are_not_in_it() {
    let site = CgroupSite::new();
    let running = site.alice().start(GLEXEC, ["sh", "-c", "sleep 1000; exit"]);
    running.wait_until("pgrep -u alice -x sleep");
    let front = running.pid_in_site();
    let inside = site.sh(&format!("cat {}/call-*/cgroup.procs | xargs ps -o comm= | sort", site.path()));
    assert_eq!(inside, "sh\nsleep\n");
    assert_eq!(site.sh(&format!("ls -l /proc/{front}/fd | grep -c /cg || true")), "0\n", "the front has nothing of it");
    running.signal(Signal::SIGTERM);
    running.finish().killed_by(Signal::SIGTERM);
    assert_eq!((site.calls(), site.running("sleep")), Default::default());
}

#[test]
fn a_payload_can_neither_leave_nor_change_it() {
    let site = CgroupSite::new();
    let script = "for f in /cg/cgroup.procs ../cgroup.procs cgroup.procs cgroup.kill cgroup.freeze; do \
                  (echo 1 > $f) && echo wrote $f; done; mkdir x && echo made; chmod 777 . && echo changed; exit 0";
    let script = format!("cd {}/call-* || exit 3; ({script}) 2>/dev/null", site.path());
    site.alice().glexec(["bash", "-c", &script]).succeeds_with("");
}

#[test]
fn who_is_in_it_is_ended_and_counted_although_the_monitor_is_not_its_parent() {
    let site = CgroupSite::new();
    let running = site.alice().start(GLEXEC, ["sh", "-c", "touch ~/ready; until [ -e ~/go ]; do sleep 0.01; done"]);
    running.wait_until("test -e /home/alice/ready");
    let stranger = "(trap '' TERM; exec setsid tail -f /dev/null) > /dev/null 2>&1 &";
    site.sh(&format!("{stranger} echo $! > $(echo {}/call-*/cgroup.procs); touch /home/alice/go", site.path()));
    let run = running.finish();
    run.exits(0);
    end(&run).says([("status", "0"), ("killed", "1")]);
    assert_eq!((site.calls(), site.running("tail")), Default::default());
}

#[test]
fn who_is_in_it_is_asked_to_end_although_proc_does_not_show_it() {
    let site = CgroupSite::new();
    site.sh("mount -o remount,hidepid=2,gid=65534 /proc");
    // Whoever is asked has time to answer: what is not asked never ends.
    site.configure(|text| text.replace("linger_grace = \"1s\"", "linger_grace = \"1h\""));
    // A program that it started for this would be asked, too.
    let asked = "trap ': > ~/asked; exit' TERM; touch ~/ready; while :; do sleep 0.01; done";
    site.write("/home/alice/asked.sh", asked);
    // Its parent does not end when it is asked, so that it does not become a child of the monitor's in time.
    let script = "(trap '' TERM; setsid bash -c '(trap - TERM; exec env --default-signal=TERM sh ~/asked.sh); true') \
                  >/dev/null 2>&1 & until [ -e ~/ready ]; do sleep 0.01; done";
    site.alice().glexec(["bash", "-c", script]).exits(0);
    assert!(site.exists("/home/alice/asked"));
}

#[test]
fn it_is_emptied_and_removed_when_the_front_is_killed() {
    let site = CgroupSite::new();
    let script = "trap '' TERM HUP; f() { (sleep 0.01; f) & }; f; setsid tail -f /dev/null & touch ~/ready; sleep 1000";
    let running = site.alice().start(GLEXEC, ["bash", "-c", script]);
    running.wait_until("test -e /home/alice/ready");
    site.pilot().sh(&format!("kill -KILL {}", running.pid_in_site())).exits(0);
    site.wait_until_the_end_is_recorded();
    running.finish().killed_by(Signal::SIGKILL);
    assert_eq!((site.calls(), site.sh("pgrep -u alice || true")), Default::default());
}

#[test]
fn a_killed_monitor_leaves_an_empty_one() {
    let site = CgroupSite::new();
    let running = site.alice().start(GLEXEC, ["sh", "-c", "touch ~/ready; setsid sleep 1000 & sleep 1001"]);
    running.wait_until("test -e /home/alice/ready");
    site.sh(&format!("kill -KILL $(pgrep -P {})", running.pid_in_site()));
    running.finish().exits(202);
    assert_eq!(site.calls().lines().count(), 1);
    site.sh(&format!("rmdir {}/call-*", site.path()));
}

#[test]
fn one_that_cannot_be_used_refuses_the_call() {
    for spoil in
        ["chmod 757 CG", "chown alice CG", "rmdir CG", "sed -i 's,^cgroup = .*,cgroup = \"/etc\",' /etc/glexec.conf"]
    {
        let site = CgroupSite::new();
        site.sh(&spoil.replace("CG", &site.path()));
        site.alice().glexec(["touch", "/tmp/ran"]).refused(202, "cgroup.unusable");
        assert!(!site.exists("/tmp/ran"), "{spoil}");
        site.sh(&format!("mkdir -p {}", site.path()));
    }
}

#[test]
fn one_that_the_system_does_not_let_the_payload_have_refuses_the_call_too() {
    // No cgroup can be made; one can be made, but no process can enter it (cgroups(7), "Threads mode").
    for spoil in ["echo 0 > cgroup.max.descendants", "mkdir x && echo threaded > x/cgroup.type"] {
        let site = CgroupSite::new();
        site.sh(&format!("cd {}; {spoil}", site.path()));
        let before = site.calls();
        let run = site.alice().glexec(["touch", "/tmp/ran"]);
        run.refused_without_record(202, "cgroup.unusable");
        end(&run).says([("status", "202")]);
        assert!(site.read("/var/log/glexec/glexec.log").contains("code=cgroup.unusable"), "{run}");
        assert_eq!(site.sh("ls /tmp"), "", "neither payload nor proxy: {spoil}");
        assert_eq!(site.calls(), before, "{spoil}");
    }
}

#[test]
fn without_lingering_it_is_a_mistake_of_the_configuration() {
    let site = Site::new();
    site.set("cgroup = \"/sys/fs/cgroup/glexec\"");
    let run = site.pilot().credential("alice").glexec(["true"]);
    let run = run.refused_without_record(202, "config.invalid").stderr();
    assert!(run.contains("cgroup needs linger = true") && run.contains("/etc/glexec.conf:"), "{run}");
}

/// A lingering site with cgroup v2 where systems have it, and a batch job's cgroup, which callers are put in.
fn job() -> CgroupSite {
    job_at("/sys/fs/cgroup")
}

fn job_at(mount: &str) -> CgroupSite {
    let site = CgroupSite::new();
    site.configure(|text| text.replace(&format!("cgroup = \"{}\"\n", site.path()), ""));
    site.sh(&format!("mkdir -p {mount} && mount -t cgroup2 none {mount}"));
    site
}

/// Calls glexec from within the job's cgroup.
fn start_in<'s>(site: &'s CgroupSite, caller: &Caller<'s>, script: &str) -> Running<'s> {
    let wait = format!("until [ -e /tmp/in-job ]; do sleep 0.01; done; exec {GLEXEC} \"$@\"");
    let running = caller.start("/bin/sh", ["-c", &wait, "sh", "bash", "-c", script]);
    site.sh(&format!("echo {} > {}/cgroup.procs; touch /tmp/in-job", running.pid_in_site(), site.path()));
    running
}

#[test]
fn by_default_a_payload_has_a_cgroup_below_its_callers() {
    for mount in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
        let site = job_at(mount);
        let running = start_in(&site, &site.alice(), &format!("{WHERE}; setsid {WHERE}; exit 7"));
        let run = running.finish();
        run.exits(7);
        let call = format!("/{}/call-{}\n", site.cgroup.name, run.record()["call"]);
        assert_eq!(run.stdout(), format!("{call}{call}"), "{mount}");
        assert_eq!(site.calls(), "");
        end(&run).says([("status", "7"), ("killed", "0")]);
    }
}

#[test]
fn the_front_stays_in_its_callers_cgroup_and_the_monitor_leaves_it() {
    let site = job();
    let running = start_in(&site, &site.alice(), "touch ~/ready; sleep 1000; exit");
    running.wait_until("test -e /home/alice/ready");
    let front = running.pid_in_site();
    let place = |pid: &str| site.sh(&format!("sed -n s/^0:://p /proc/{pid}/cgroup"));
    assert_eq!(place(&front.to_string()), format!("/{}\n", site.cgroup.name));
    assert_eq!(place(&format!("$(pgrep -P {front})")), "/glexec\n");
    running.signal(Signal::SIGTERM);
    running.finish().killed_by(Signal::SIGTERM);
}

#[test]
fn when_the_jobs_cgroup_is_killed_the_monitor_cleans_up_and_the_cgroup_can_be_removed() {
    let site = job();
    let stay = "trap '' TERM; setsid tail -f /dev/null & touch ~/ready; sleep 1000; exit";
    let running = start_in(&site, &site.alice(), stay);
    running.wait_until("test -e /home/alice/ready");
    assert_ne!(site.sh("ls /tmp | grep x509up"), "");
    site.sh(&format!("echo 1 > {}/cgroup.kill", site.path()));
    site.wait_until_the_end_is_recorded();
    let run = running.finish();
    run.killed_by(Signal::SIGKILL);
    end(&run).says([("signal", "9")]);
    assert_eq!(site.sh("ls /tmp | grep x509up || true"), "", "the proxy is gone");
    assert_eq!((site.calls(), site.running("tail")), Default::default());
}

#[test]
fn a_callers_cgroup_that_cannot_have_one_below_it_is_done_without() {
    // No cgroup can be made; processes of it could not be in one below it (cgroups(7), "Threads mode"); somebody else's.
    for spoil in ["echo 0 > cgroup.max.descendants", "mkdir x; echo threaded > x/cgroup.type", "chown -R pilot ."] {
        let site = job();
        site.sh(&format!("cd {}; {spoil}", site.path()));
        let before = site.calls();
        let run = start_in(&site, &site.alice(), &format!("{WHERE}; exit 7")).finish();
        run.exits(7);
        assert_eq!(run.stdout(), format!("/{}\n", site.cgroup.name), "it still counts for the job: {spoil}");
        assert_eq!(site.calls(), before, "{spoil}");
        end(&run).says([("status", "7"), ("killed", "0")]);
    }
}

#[test]
fn without_a_cgroup_of_its_own_everybody_stays_where_the_caller_is() {
    let site = job();
    site.set("cgroup = \"none\"");
    let running = start_in(&site, &site.alice(), "touch ~/ready; sleep 1000; exit");
    running.wait_until("test -e /home/alice/ready");
    let inside = site.sh(&format!("xargs ps -o comm= < {}/cgroup.procs | sort", site.path()));
    assert_eq!(inside, "bash\nglexec\nglexec\nsleep\n");
    running.signal(Signal::SIGTERM);
    running.finish().killed_by(Signal::SIGTERM);
}

#[test]
fn who_enters_the_namespaces_of_another_call_and_forks_twice_is_ended_with_its_own_call() {
    let site = job();
    let host =
        "unshare --user --map-root-user --pid --fork --kill-child --mount-proc sh -c 'touch ~alice/host; sleep 1001'";
    let host = site.alice().start(GLEXEC, ["bash", "-c", host]);
    host.wait_until("test -e /home/alice/host");
    let inside = site.sh("pgrep -u alice -x sleep");
    let escape = format!(
        "nsenter --user --pid --preserve-credentials -t {} sh -c '(setsid tail -f /dev/null >/dev/null 2>&1 &) &'; \
         until pgrep -x tail >/dev/null; do sleep 0.01; done",
        inside.trim()
    );
    let run = start_in(&site, &site.alice(), &escape).finish();
    run.exits(0);
    assert_eq!(site.running("tail"), "");
    let call = run.record()["call"].clone();
    let ends: Vec<_> = site.records().into_iter().filter(|one| one["event"] == "end" && one["call"] == call).collect();
    assert_eq!(ends[0]["killed"], "1", "{run}");
    assert_ne!(site.running("sleep"), "", "the other call goes on");
    host.signal(Signal::SIGKILL);
    host.finish().killed_by(Signal::SIGKILL);
    site.wait_until_nobody_is("alice");
}
