//! Attacks on what a payload sees: by the payload, by another account, by the caller.

use crate::aftermath::{Calls, nothing_is_amiss};
use crate::site::{Caller, GLEXEC, Site};

const BOX: &str = "/home/pilot/work/box";

fn pilot(site: &Site) -> Caller<'_> {
    let caller = site.pilot().credential("alice").env("GLEXEC_TARGET_PROXY", "/dev/null");
    caller.sh(&format!("mkdir -m 700 ~/work {BOX}")).exits(0);
    caller
}

/// A call that runs this shell script in the sandbox.
fn boxed(script: &str) -> [&str; 5] {
    ["--sandbox", BOX, "/bin/bash", "-c", script]
}

#[test]
fn a_setuid_program_that_a_payload_leaves_in_a_sandbox_serves_nobody() {
    for site in Site::in_both_modes() {
        let pilot = pilot(&site);
        let script = "cp /bin/bash sh; chmod 6755 sh; chmod 777 .; ./sh -p -c 'echo $EUID'; exec 9< sh; /proc/self/fd/9 -p -c 'echo $EUID'";
        pilot.glexec(boxed(script)).succeeds_with("3000\n3000\n");
        // It is there, and would serve whoever could come to it.
        assert_eq!(site.sh(&format!("stat -c '%U:%G %a' {BOX}/sh {BOX}")), "pilot:pilots 6755\npilot:pilots 777\n");
        for account in ["alice", "mallory"] {
            let run = site.caller(account).sh(&format!("{BOX}/sh -p -c id; ls {BOX}; cd {BOX}"));
            assert!(run.code() != Some(0) && run.stdout().is_empty(), "{run}");
        }
        // Nor another payload of the same account, or of another one, that was not given it.
        let run = pilot.glexec(["/bin/sh", "-c", &format!("{BOX}/sh -p -c id")]);
        assert!(run.code() != Some(0) && run.stdout().is_empty(), "{run}");
        nothing_is_amiss(&site, Calls::Exactly(2));
    }
}

#[test]
fn what_is_somebody_elses_in_a_sandbox_stays_theirs() {
    let site = Site::new();
    let pilot = pilot(&site);
    site.sh(&format!(
        "cd {BOX}; for n in root mallory alice; do echo $n > $n; chown $n: $n; echo $n > $n.all; chown $n: $n.all; chmod 600 $n; chmod 666 $n.all; done"
    ));
    let before = site.sh(&format!("cd {BOX}; stat -c '%n %u %g %a %s %Y' *; cat *"));
    let script = "for n in root mallory alice; do cat $n; echo x >> $n; echo x >> $n.all; chmod 777 $n $n.all; chown alice $n $n.all; \
        ln $n $n.link; ln $n.all $n.link; touch $n.all; done; mknod dev b 8 0; mknod null c 1 3; \
        mkfifo fifo; rm fifo; chown root .; chown mallory .; chgrp root .; echo done";
    let run = pilot.glexec(boxed(script));
    assert_eq!(run.exits(0).stdout(), "done\n", "{run}");
    assert_eq!(site.sh(&format!("cd {BOX}; stat -c '%n %u %g %a %s %Y' *; cat *")), before);
    assert_eq!(site.sh(&format!("stat -c %U:%G {BOX}")), "pilot:pilots\n");
    nothing_is_amiss(&site, Calls::Exactly(1));
}

#[test]
fn links_and_pipes_in_a_sandbox_lead_no_further_than_the_account_may_go() {
    let site = Site::new();
    let pilot = pilot(&site);
    pilot
        .sh(&format!("echo private > ~/secret; cd {BOX}; ln -s ../../secret up; ln -s ~/secret far; ln -s /etc/shadow shadow; mkfifo fifo; \
            ln -s /home/pilot/work/../secret around; ln ~/secret hard"))
        .exits(0);
    let script = "cat up far shadow around; cat ../../secret ~pilot/secret; cat < /home/pilot/work/box/../../secret; \
        (exec 3<> fifo; echo through >&3; read line <&3; echo $line); cat hard";
    // The hard link is the caller's own doing: a file of its own, in its own directory.
    let run = pilot.glexec(boxed(script));
    assert_eq!(run.stdout(), "through\nprivate\n", "{run}");
    // A target proxy, and a command, by way of links.
    for path in ["shadow", "up", "far"] {
        let run = pilot.clone().env("GLEXEC_TARGET_PROXY", format!("{BOX}/{path}")).glexec(boxed("true"));
        assert_eq!(run.code(), Some(201), "{run}");
    }
    let outside = pilot.sh(&format!("ln -s /root {BOX}/out; ln -s {BOX}/none {BOX}/in")).code();
    assert_eq!(outside, Some(0));
    for path in ["out/proxy", "in/proxy", "../proxy", "../../proxy"] {
        let run = pilot.clone().env("GLEXEC_TARGET_PROXY", format!("{BOX}/{path}")).glexec(boxed("true"));
        assert_eq!(run.code(), Some(201), "{path}: {run}");
    }
    assert_eq!(site.sh("cat /home/pilot/secret; find /root /home/pilot -name 'proxy*' -user root"), "private\n");
}

#[test]
fn descriptors_of_a_sandbox_give_others_nothing() {
    let site = Site::with(Site::linger);
    let pilot = pilot(&site);
    // The payload hands its directory, and a setuid program in it, to anybody who asks.
    let server = "import os,socket,shutil\n\
        s=socket.socket(socket.AF_UNIX); s.bind('/tmp/hand'); os.chmod('/tmp/hand',0o777); s.listen()\n\
        shutil.copy('/bin/bash','sh'); os.chmod('sh',0o6755); os.chmod('.',0o777); open('began','w')\n\
        c,_=s.accept(); socket.send_fds(c,[b'x'],[os.open('.',os.O_RDONLY),os.open('/home/pilot',os.O_RDONLY)]); c.recv(1)";
    let running = pilot.start(GLEXEC, ["--sandbox", BOX, "/usr/bin/python3", "-c", server]);
    site.wait_until(&format!("test -e {BOX}/began"));
    let client = "import os,socket\n\
        s=socket.socket(socket.AF_UNIX); s.connect('/tmp/hand'); _,fds,_,_=socket.recv_fds(s,1,2); d,t=fds\n\
        def tries(what,*a,**k):\n\
        \x20 try: print(what(*a,**k))\n\
        \x20 except OSError: print('no')\n\
        tries(os.open,'made',os.O_CREAT|os.O_WRONLY,dir_fd=d)\n\
        tries(os.open,'began',os.O_WRONLY,dir_fd=d)\n\
        tries(os.open,'../secret',os.O_RDONLY,dir_fd=d)\n\
        print(sorted(os.listdir(t)))\n\
        if os.fork()==0: os.execv('/proc/self/fd/%d/sh'%d,['sh','-p','-c','echo $EUID'])\n\
        os.wait(); s.send(b'x')";
    pilot.sh("echo private > ~/work/secret").exits(0);
    let run = site.caller("mallory").run("/usr/bin/python3", ["-u", "-c", client]);
    let lines: Vec<String> = run.exits(0).stdout().lines().map(str::to_owned).collect();
    // Neither made nor written, nothing found above, and the program is who runs it.
    assert_eq!(lines, ["no", "no", "no", "['work']", "2100"], "{run}");
    running.finish().exits(0);
    assert_eq!(site.sh(&format!("find {BOX} ! -user pilot")), "");
    nothing_is_amiss(&site, Calls::Exactly(1));
}

#[test]
fn a_payloads_own_namespaces_uncover_nothing() {
    let site = Site::new();
    let pilot = pilot(&site);
    pilot.sh("echo private > ~/secret; mkdir -m 755 ~/other").exits(0);
    let script = "umount /home/pilot || umount -l /home/pilot; umount . ; umount /home/pilot/work/box; \
        mount --make-rprivate /; mount -o remount,rw,bind /home/pilot; mount --bind / /mnt && ls /mnt/home/pilot; \
        mount -o remount,bind,suid,dev .; ls /home/pilot; cat /home/pilot/secret; mknod null c 1 3; \
        touch made; chown 0:0 made; chmod 4777 made; findmnt -no OPTIONS -T . | grep -c nosuid";
    let run = pilot.glexec(["--sandbox", BOX, "unshare", "-Urm", "/bin/bash", "-c", script]);
    let seen = run.stdout();
    assert!(!seen.contains("secret") && !seen.contains("other") && !seen.contains("private"), "{run}");
    assert!(seen.ends_with("1\n"), "nosuid stays: {run}");
    assert_eq!(site.sh(&format!("find {BOX} ! -user pilot -o ! -group pilots")), "");
    nothing_is_amiss(&site, Calls::Exactly(1));
}

#[test]
fn nothing_that_is_mounted_for_a_payload_comes_out_and_what_is_mounted_outside_still_arrives() {
    for site in Site::in_both_modes() {
        // As systemd leaves it.
        site.sh("mount --make-rshared /; mkdir /mnt/later");
        let pilot = pilot(&site);
        let before = site.sh("cat /proc/1/mountinfo");
        let script = "touch began; until [ -e end ]; do sleep 0.01; done; cat /mnt/later/file";
        let running = pilot.start(GLEXEC, boxed(script));
        site.wait_until(&format!("test -e {BOX}/began"));
        assert_eq!(site.sh("cat /proc/1/mountinfo"), before);
        site.sh("mount -t tmpfs tmpfs /mnt/later; echo arrived > /mnt/later/file");
        pilot.sh(&format!("touch {BOX}/end")).exits(0);
        running.finish().succeeds_with("arrived\n");
        site.sh("umount /mnt/later");
        assert_eq!(site.sh("cat /proc/1/mountinfo"), before);
    }
}

#[test]
fn whoever_moves_directories_while_glexec_looks_gets_a_refusal_or_what_was_judged() {
    let site = Site::new();
    let pilot = site.pilot().credential("alice").env("GLEXEC_TARGET_PROXY", "/dev/null");
    // Directories of others that a moved one is to be taken for, and one of the caller's that all may enter.
    site.sh("mkdir -m 777 /srv/open; mkdir -p /srv/theirs/work/box; chmod -R 777 /srv/theirs; echo theirs > /srv/theirs/work/box/whose");
    pilot
        .sh("cd /srv/open; umask 077; mkdir -p p/work/box q/work/box; chmod 755 q q/work q/work/box; echo mine > p/work/box/whose; \
            echo open > q/work/box/whose; chmod 700 p")
        .exits(0);
    let mover = "cd /srv/open; until [ -e stop ]; do mv p r; ln -s /srv/theirs p; rm p; mv q p; mv p q; mv r p; \
        chmod 755 p/work; chmod 700 p/work; mv p/work/box p/work/away; ln -s /srv/theirs/work/box p/work/box; rm p/work/box; mv p/work/away p/work/box; done";
    let mover = pilot.start("/bin/bash", ["-c", mover]);
    let calls = 60;
    for _ in 0..calls {
        let run = pilot.glexec(["--sandbox", "/srv/open/p/work/box", "/bin/sh", "-c", "cat whose; stat -c %U ."]);
        match run.code() {
            Some(0) => assert_eq!(run.stdout(), "mine\nalice\n", "{run}"),
            Some(201) => assert!(run.stderr().contains("(sandbox."), "{run}"),
            _ => panic!("{run}"),
        }
    }
    pilot.sh("touch /srv/open/stop").exits(0);
    mover.finish();
    nothing_is_amiss(&site, Calls::Exactly(calls));
}

#[test]
fn two_people_in_one_sandbox_are_two_people() {
    for site in Site::in_both_modes() {
        let alice = pilot(&site);
        let other =
            site.pilot().file_in("GLEXEC_CLIENT_CERT", "bob.pem", &crate::site::material_file("proxies/bob.pem"));
        let bob = other.env("GLEXEC_TARGET_PROXY", "/dev/null");
        let script = |name: &str, wait: &str| {
            format!("touch {name}; until [ -e {wait} ]; do sleep 0.01; done; id -un; stat -c %U a b .")
        };
        let (a, b) = (script("a", "b"), script("b", "a"));
        let (one, two) = (alice.start(GLEXEC, boxed(&a)), bob.start(GLEXEC, boxed(&b)));
        one.finish().succeeds_with("alice\nalice\nalice\nalice\n");
        let run = two.finish();
        let names: std::collections::BTreeSet<String> = run.exits(0).stdout().lines().map(str::to_owned).collect();
        assert!(names.len() == 1 && names.iter().all(|name| name.starts_with("tprd")), "{run}");
        assert_eq!(site.sh(&format!("cd {BOX}; stat -c %U:%G a b .")), "pilot:pilots\n".repeat(3));
        nothing_is_amiss(&site, Calls::Exactly(2));
    }
}

#[test]
fn strange_places_for_a_sandbox() {
    let site = Site::with(Site::linger);
    let pilot = pilot(&site);
    // A mount point, full, with a file system mounted in it.
    site.sh(&format!("mount -t tmpfs -o mode=700,uid=2000,gid=2000,size=64k tmpfs {BOX}; mkdir {BOX}/in; mount -t tmpfs tmpfs {BOX}/in; touch {BOX}/in/hidden"));
    let script = "ls in; head -c 1M /dev/zero > full; stat -c '%U %s' full | sed 's/ .*/ some/'; rm full; echo again";
    let run = pilot.glexec(boxed(script));
    assert_eq!(run.exits(0).stdout(), "alice some\nagain\n", "{run}");
    let fill = pilot.glexec(boxed("head -c 1M /dev/zero > full"));
    assert_ne!(fill.code(), Some(0), "{fill}");
    pilot
        .clone()
        .env("GLEXEC_TARGET_PROXY", format!("{BOX}/proxy"))
        .glexec(boxed("true"))
        .refused(201, "target-proxy.not-writable");
    pilot.glexec(boxed("rm full; umount . ; umount in; ls -A")).exits(0);
    for directory in ["/proc/self/fd", "/proc/self/task", "/proc/self/cwd", "/dev/shm", "/sys", "/dev/pts", "/tmp"] {
        let run = pilot.glexec(["--sandbox", directory, "id"]);
        assert!(run.code() == Some(201) && run.stderr().contains("(sandbox."), "{directory}: {run}");
    }
}

/// A Python program that gives mallory these permissions by an access list (`access`, or `default` for what is made inside).
fn list(kind: &str, path: &str, permissions: u8) -> String {
    format!(
        "import os,struct\n\
         e=[(1,7,2**32-1),(2,{permissions},2100),(4,0,2**32-1),(16,{permissions},2**32-1),(32,0,2**32-1)]\n\
         os.setxattr('{path}','system.posix_acl_{kind}',struct.pack('<I',2)+b''.join(struct.pack('<HHI',*x) for x in e))"
    )
}

#[test]
fn access_lists_open_no_sandbox() {
    let site = Site::new();
    let pilot = pilot(&site);
    pilot.run("/usr/bin/python3", ["-c", &list("access", "/home/pilot/work", 1)]).exits(0);
    pilot.glexec(boxed("id")).refused(201, "sandbox.exposed");
    pilot.sh("chmod 700 ~/work").exits(0);
    pilot.run("/usr/bin/python3", ["-c", &list("default", "/home/pilot/work", 7)]).exits(0);
    pilot.glexec(boxed("echo mine > file")).exits(0);
    // Who is nobody in the sandbox cannot be named there.
    for path in [".", "file"] {
        pilot.glexec(["--sandbox", BOX, "/usr/bin/python3", "-c", &list("access", path, 7)]).exits(1);
    }
    let run = site.caller("mallory").sh(&format!("cat {BOX}/file; ls {BOX}; echo x > {BOX}/x"));
    assert!(run.code() != Some(0) && run.stdout().is_empty(), "{run}");
    assert_eq!(site.sh(&format!("ls {BOX}")), "file\n");
}

#[test]
fn a_private_tmp_cannot_be_planted_or_looked_into() {
    for site in Site::in_both_modes() {
        site.append("/etc/glexec.conf", "\n[isolation]\nprivate_tmp = \"always\"\n");
        let pilot = site.pilot().credential("alice");
        pilot
            .glexec([
                "sh",
                "-c",
                "umask 0; mkdir /tmp/work; echo data > /tmp/work/file; cp /bin/bash /tmp/sh; chmod 6777 /tmp /tmp/sh",
            ])
            .exits(0);
        let store = "/var/lib/glexec/tmp/2000/alice";
        for account in ["alice", "mallory", "pilot001"] {
            let run = site.caller(account).sh(&format!("ls {store} {store}/tmp; {store}/tmp/sh -p -c id; mkdir /var/lib/glexec/tmp/2001; mkdir /var/lib/glexec/x"));
            assert!(run.code() != Some(0) && run.stdout().is_empty(), "{run}");
        }
        // The caller, who holds the user's credential, can; a link of its making leads nowhere.
        pilot
            .sh(&format!("cat {store}/tmp/work/file; mv {store}/tmp {store}/old; ln -s /root {store}/tmp"))
            .succeeds_with("data\n");
        pilot.glexec(["id"]).refused(202, "sandbox.unsupported");
        pilot.sh(&format!("rm {store}/tmp; mkdir -m 755 {store}/tmp")).exits(0);
        pilot.glexec(["id"]).refused(202, "sandbox.unsupported");
    }
}
