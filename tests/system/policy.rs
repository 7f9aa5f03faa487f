//! The plug-ins of LCAS and LCMAPS, in the program as it is installed.

use crate::site::Site;

/// A site with one more LCAS plug-in.
fn with_lcas(plugin: &str) -> Site {
    Site::with(|site| site.configure(|text| format!("{text}\n[[lcas.plugin]]\n{plugin}\n")))
}

/// A site with more LCMAPS plug-ins and another policy.
fn with_lcmaps(plugins: &str, policy: &str) -> Site {
    let old = "default = [\"vomsgroups -> vomspool | localaccount\"]";
    let change = |text: &str| text.replace(old, &format!("default = {policy}")) + "\n" + plugins;
    Site::with(|site| site.configure(change))
}

#[test]
fn only_listed_commands_run() {
    let site = with_lcas("type = \"check_executable\"\ncommands = [\"/usr/bin/id\", \"/usr/bin/cat\"]");
    let alice = site.pilot().credential("alice");
    alice.glexec(["/usr/bin/id", "-un"]).succeeds_with("alice\n");
    alice.glexec(["id", "-un"]).succeeds_with("alice\n");
    alice.glexec(["/usr/bin/env"]).refused(203, "lcas.check-executable");
    alice.glexec(["env"]).refused(203, "lcas.check-executable");
    alice.sh("ln -s /usr/bin/id $HOME/id; /usr/sbin/glexec $HOME/id").refused(203, "lcas.check-executable");
    // Nothing to run, nothing to judge.
    alice.env("GLEXEC_TARGET_PROXY", "/dev/null").glexec([] as [&str; 0]).succeeds_with("");
}

#[test]
fn only_listed_people_and_attributes_pass() {
    let site = with_lcas("type = \"userallow\"\nfile = \"/etc/lcas/allow\"");
    site.pilot().credential("alice").glexec(["id"]).refused(202, "lcas.file-missing");
    site.write("/etc/lcas/allow", "\"/DC=org/DC=example/O=Grid/CN=Alice Adams\"\n");
    site.pilot().credential("alice").glexec(["id", "-un"]).succeeds_with("alice\n");
    site.pilot().credential("bob").glexec(["id"]).refused(203, "lcas.userallow");

    let site = with_lcas("type = \"voms\"\nfile = \"/etc/lcas/attributes\"");
    site.write("/etc/lcas/attributes", "\"/testvo/Role=production/*\"\n");
    site.pilot().credential("bob").glexec(["true"]).succeeds_with("");
    site.pilot().credential("carol").glexec(["id"]).refused(203, "lcas.voms");
    site.pilot().credential("alice").glexec(["id"]).refused(203, "lcas.voms");
}

#[test]
fn the_clock_of_the_site_decides() {
    let site = with_lcas("type = \"timeslots\"\nfile = \"/etc/lcas/timeslots.db\"");
    let alice = site.pilot().credential("alice");
    for (slots, code) in [("* * * * * *\n", None), ("* * * * 1990 *\n", Some((203, "lcas.timeslots")))] {
        site.write("/etc/lcas/timeslots.db", slots);
        match code {
            None => alice.glexec(["true"]).succeeds_with(""),
            Some((exit, code)) => alice.glexec(["true"]).refused(exit, code),
        };
    }
    site.write("/etc/lcas/timeslots.db", "all day\n");
    alice.glexec(["true"]).refused(202, "lcas.file-malformed");
}

#[test]
fn bans_and_fixed_accounts_by_attribute() {
    let plugins = "[lcmaps.plugins.ban]\ntype = \"ban_fqan\"\nbanmapfile = \"/etc/lcas/ban_fqans\"\n\
        [lcmaps.plugins.voms]\ntype = \"voms_localaccount\"\ngridmapfile = \"/etc/grid-security/voms-mapfile\"\n";
    let site = with_lcmaps(plugins, "[\"ban -> voms\"]");
    site.write("/etc/lcas/ban_fqans", "/testvo/Role=production\n");
    site.write("/etc/grid-security/voms-mapfile", "\"/testvo/*\" alice\n");
    site.pilot().credential("carol").glexec(["id", "-un"]).succeeds_with("alice\n");
    site.pilot().credential("bob").glexec(["id"]).refused(203, "lcmaps.banned");
}

#[test]
fn the_batch_systems_group_stays_with_the_payload() {
    let plugins = "[lcmaps.plugins.tracking]\ntype = \"tracking_groupid\"\nmin_gid = 65000\nmax_gid = 65049\n";
    let site = with_lcmaps(plugins, "[\"tracking -> localaccount\"]");
    let pilot = site.pilot().credential("alice");
    pilot.with_groups(&[2000, 65007, 65100]).glexec(["id", "-G"]).succeeds_with("3000 65007\n");
    pilot.glexec(["id", "-G"]).succeeds_with("3000\n");
}

#[test]
fn pool_groups_are_leased_to_attributes() {
    let plugins = "[lcmaps.plugins.groups]\ntype = \"voms_poolgroup\"\ngroupmapfile = \"/etc/grid-security/poolgroups\"\n\
        groupmapdir = \"/etc/grid-security/groupmapdir\"\n";
    let site = with_lcmaps(plugins, "[\"groups -> vomspool\"]");
    site.sh("mkdir /etc/grid-security/groupmapdir; touch /etc/grid-security/groupmapdir/grp01; \
        echo grp01:x:7001: >> /etc/group");
    site.write("/etc/grid-security/poolgroups", "\"/testvo*\" .grp\n");
    site.pilot().credential("carol").glexec(["id", "-gn"]).succeeds_with("grp01\n");
    assert!(site.exists("/etc/grid-security/groupmapdir/%2ftestvo%2frole%3dnull%2fcapability%3dnull"));
}
