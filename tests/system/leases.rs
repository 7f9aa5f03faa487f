//! `glexec-admin leases`: who has which account, and taking accounts back while others lease.

use crate::site::{Run, Site};
use serde_json::Value;
use std::thread;

const DIRECTORY: &str = "/etc/grid-security/gridmapdir";

#[track_caller]
fn listed(site: &Site) -> Vec<Value> {
    let run = site.admin(["leases", "list", "--json"]);
    run.exits(0);
    serde_json::from_str(&run.stdout()).unwrap()
}

fn bob(site: &Site) -> Run<'_> {
    site.pilot().credential("bob").glexec(["id", "-un"])
}

fn is_time(word: &str) -> bool {
    word.len() == 20 && word.ends_with('Z') && word.contains('T')
}

#[test]
fn the_list_says_who_has_which_account_since_when_it_was_used_and_what_runs_there() {
    let site = Site::new();
    assert_eq!(listed(&site), Vec::<Value>::new());
    bob(&site).succeeds_with("tprd001\n");
    let rows = listed(&site);
    assert_eq!((rows.len(), rows[0]["account"].as_str()), (1, Some("tprd001")));
    assert_eq!(rows[0]["holder"], "/DC=org/DC=example/O=Grid/CN=Bob Brown");
    assert_eq!(rows[0]["groups"], serde_json::json!(["production", "testvo"]));
    assert_eq!(rows[0]["processes"], 0);
    assert!(is_time(rows[0]["last_use"].as_str().unwrap()) && is_time(rows[0]["since"].as_str().unwrap()));
    let running = site.pilot().credential("bob").start(crate::site::GLEXEC, ["sleep", "1000"]);
    running.wait_until("pgrep -u tprd001 sleep");
    assert_eq!(listed(&site)[0]["processes"], 1);
    let lines = site.admin(["leases", "list"]).stdout();
    let documented = include_str!("../../docs/use/administration.md");
    for line in lines.lines() {
        let line: Vec<&str> =
            line.split("  ").map(|word| if is_time(word) { "2026-11-22T16:41:00Z" } else { word }).collect();
        assert!(
            documented.contains(&format!("    {}\n", line.join("  "))),
            "docs/use/administration.md lacks {line:?}"
        );
    }
    let table = site.admin(["leases", "list", "--free"]).stdout();
    assert!(table.starts_with("ACCOUNT ") && table.contains("tprd010") && table.contains(" free "), "{table}");
}

#[test]
fn names_of_leases_mean_nothing_to_a_terminal() {
    let site = Site::new();
    // Whoever is in the directory's group may make leases.
    site.sh(&format!(
        "cd {DIRECTORY}; ln tprd001 \"$(printf '%%%%2fcn=\\033]0;a\\007b:g\\nh')\"; ln tprd002 '%2fcn=%1b[2J%0ac'"
    ));
    let table = site.admin(["leases", "list"]).stdout();
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.lines().all(|line| !line.contains(char::is_control)), "{table:?}");
    assert!(
        table.contains(r"g\x0ah") && table.contains(r"/cn=\x1b]0;a\x07b") && table.contains(r"/cn=\x1b[2J\x0ac"),
        "{table}"
    );
}

#[test]
fn an_account_is_taken_back_when_nothing_runs_there() {
    let site = Site::new();
    // Accounts that were made a moment ago look like accounts that were freed a moment ago.
    site.sh(&format!("touch -d '2 days ago' {DIRECTORY}/*"));
    let release = |which: &str| site.admin(["leases", "release", which, "--yes", "--grace", "0"]);
    bob(&site).succeeds_with("tprd001\n");
    let running = site.pilot().credential("bob").start(crate::site::GLEXEC, ["sleep", "1000"]);
    running.wait_until("pgrep -u tprd001 sleep");
    let run = release("tprd001");
    run.exits(1);
    assert!(run.stdout().contains("tprd001: kept: processes of it run"), "{run}");
    site.sh("pkill -u tprd001 sleep");
    running.finish();
    let run = release("/DC=org/DC=example/O=Grid/CN=Bob Brown");
    run.exits(0);
    assert_eq!(run.stdout(), "tprd001: free\n");
    assert_eq!(listed(&site), Vec::<Value>::new());
    // What was just freed is taken last.
    bob(&site).succeeds_with("tprd002\n");
    // Names as OpenSSL 3 prints them; but a backslash goes on telling names apart.
    site.sh(&format!(
        "cd {DIRECTORY}; ln tprd003 %2fo%3dx%2fcn%3dhost%2fa; ln tprd004 %2fo%3dx%2fcn%3dhost%5c%2fcn%3da"
    ));
    release("/O=x/CN=host/CN=a").exits(1);
    assert_eq!(release("/O=x/CN=host\\/a").stdout(), "tprd003: free\n");
    assert_eq!(release("/O=x/CN=host\\/CN=a").stdout(), "tprd004: free\n");
    for (which, says) in [("tprd001", "is free already"), ("nobody", "no account and no lease")] {
        let run = release(which);
        run.exits(1);
        assert!(run.stderr().contains(says), "{run}");
    }
}

#[test]
fn a_lease_that_was_copied_without_its_link_is_refused_by_name() {
    let site = Site::new();
    bob(&site).succeeds_with("tprd001\n");
    site.sh(&format!("cp -r {DIRECTORY} /root/copy; rm {DIRECTORY}/*; cp /root/copy/* {DIRECTORY}/"));
    let before = site.sh(&format!("ls -l {DIRECTORY}"));
    bob(&site).refused(203, "lcmaps.lease-conflict");
    let reason = site.last_record()["reason"].to_string();
    assert!(reason.contains("bob%20brown") && reason.contains("copied without hard links"), "{reason}");
    assert_eq!(site.sh(&format!("ls -l {DIRECTORY}")), before, "nobody gets another account instead");
}

#[test]
fn only_what_was_not_used_for_long_expires() {
    let site = Site::new();
    bob(&site).succeeds_with("tprd001\n");
    site.pilot().credential("carol").glexec(["id", "-un"]).succeeds_with("tvo001\n");
    site.sh(&format!("touch -d '31 days ago' {DIRECTORY}/tprd001"));
    let run = site.admin(["leases", "expire", "--unused-for", "30d", "--yes", "--grace", "0", "--json"]);
    assert_eq!(run.exits(0).stdout(), "[{\"account\":\"tprd001\",\"freed\":true,\"says\":\"free\"}]\n");
    let left: Vec<_> = listed(&site).iter().map(|row| row["account"].clone()).collect();
    assert_eq!(left, ["tvo001"]);
    let again = site.admin(["leases", "expire", "--unused-for", "30d", "--yes"]);
    assert_eq!(again.exits(0).stdout(), "nothing to take back\n");
}

#[test]
fn nothing_is_destroyed_without_a_yes() {
    let site = Site::new();
    bob(&site).succeeds_with("tprd001\n");
    let run = site.admin(["leases", "release", "tprd001"]);
    run.exits(1);
    assert!(run.stderr().contains("say --yes"), "{run}");
    // On a terminal it asks; anything but yes is no.
    let on_terminal = |answer: &str| {
        site.sh(&format!(
            "(sleep 0.2; echo {answer}) | script -qec 'glexec-admin leases release tprd001 --grace 0' /dev/null; true"
        ))
    };
    assert!(on_terminal("n").contains("Take back tprd001 in"));
    assert_eq!(listed(&site).len(), 1);
    assert!(on_terminal("y").contains("tprd001: free"));
    assert_eq!(listed(&site).len(), 0);
}

#[test]
fn a_lease_of_the_c_librarys_keeps_its_account_whatever_a_note_says() {
    let lease = "%2fdc%3dorg%2fdc%3dexample%2fo%3dgrid%2fcn%3dbob%20brown:production:testvo";
    let site = Site::with(|site| {
        site.sh(&format!("cd {DIRECTORY}; touch tvo{{1000..1300}}; ln tprd007 {lease}; touch tprd007"));
    });
    let note = || site.sh("cat /run/glexec/lease-*");
    bob(&site).succeeds_with("tprd007\n");
    assert_eq!(note(), "tprd007");
    for wrong in ["tprd003", "nobody", "../tprd007", "%2f", "root", ""] {
        site.sh(&format!("printf %s '{wrong}' > $(echo /run/glexec/lease-*)"));
        bob(&site).succeeds_with("tprd007\n");
        assert_eq!(note(), "tprd007", "it is noted anew after {wrong:?}");
    }
    for spoil in
        ["chmod 666 $it", "chown pilot $it", "rm $it; mkdir $it", "rm $it; mkfifo $it", "head -c 9999 /dev/zero > $it"]
    {
        site.sh(&format!("it=$(echo /run/glexec/lease-*); rm -r $it; printf %s tprd003 > $it; {spoil}"));
        bob(&site).succeeds_with("tprd007\n");
    }
    // Another account's lease by the same name.
    site.sh(&format!("rm -r /run/glexec/*; cd {DIRECTORY}; rm {lease}; ln tprd004 {lease}; touch tprd004"));
    bob(&site).succeeds_with("tprd004\n");
    assert_eq!(site.sh(&format!("find {DIRECTORY} -type f -size +0 | wc -l")), "0\n", "no record is made up");
}

/// Everybody who runs as an account runs there alone, whatever is taken back meanwhile.
#[test]
fn accounts_that_are_taken_back_while_calls_lease_never_have_two_holders() {
    let site = Site::new();
    site.admin(["leases", "list"]).exits(0);
    let people = ["bob", "carol", "pilot", "alice-voms"];
    thread::scope(|scope| {
        let site = &site;
        let calls = people.map(|person| {
            scope.spawn(move || {
                let caller = site.pilot().credential(person);
                for _ in 0..30 {
                    // Says whom the account belongs to now, waits, and looks whether it still does.
                    let script = format!(
                        "echo {person} > /tmp/of-$(id -un).$$; set -- /tmp/of-$(id -un).*; cat \"$@\" | sort -u; \
                         sleep 0.05; set -- /tmp/of-$(id -un).*; cat \"$@\" | sort -u; rm -f /tmp/of-$(id -un).$$"
                    );
                    let run = caller.glexec(["sh", "-c", &script]);
                    run.succeeds_with(&format!("{person}\n{person}\n"));
                }
            })
        });
        while !calls.iter().all(thread::ScopedJoinHandle::is_finished) {
            for row in listed(site) {
                let account = row["account"].as_str().unwrap().to_owned();
                let run = site.admin(["leases", "release", &account, "--yes", "--grace", "3"]);
                assert!(matches!(run.code(), Some(0 | 1)), "{run}");
            }
        }
    });
    let conflicts: Vec<_> = listed(&site).into_iter().filter(|row| row["state"] != "leased").collect();
    assert_eq!(conflicts, Vec::<Value>::new());
}

#[test]
fn a_terminal_gets_colours_unless_no_color_says_otherwise() {
    let site = Site::new();
    site.admin(["leases", "list"]).exits(0);
    let shown = |environment: &str| site.sh(&format!("{environment} script -qec 'glexec-admin leases list' /dev/null"));
    assert!(shown("").contains("\x1b[1mACCOUNT\x1b[0m"));
    assert!(!shown("NO_COLOR=1").contains('\x1b'));
    assert!(!site.admin(["leases", "list"]).stdout().contains('\x1b'));
}

#[test]
fn a_group_that_a_lease_names_twice_is_shown_once() {
    let site = Site::with_admin();
    site.sh("cd /etc/grid-security/gridmapdir && ln tvo001 %2fcn%3dal:testvo:testvo");
    let list = site.admin(["leases", "list"]).stdout();
    let line = list.lines().find(|line| line.starts_with("tvo001 ")).unwrap_or_default();
    assert!(line.contains(" testvo ") && line.ends_with("/cn=al"), "{list}");
}
