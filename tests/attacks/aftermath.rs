//! What must hold after any attack.

use crate::site::Site;
use std::collections::BTreeSet;

/// How many calls of glexec there were, as far as a test can know.
#[derive(Clone, Copy)]
pub enum Calls {
    /// Each of them lived long enough to be recorded.
    Exactly(usize),
    /// Some may have been ended before their record.
    AtMost(usize),
}

/// No process of a target account is left, no core file, no lease that is not whole, no proxy that others may read, and
/// the log has one well-formed start record for each call.
#[track_caller]
pub fn nothing_is_amiss(site: &Site, calls: Calls) {
    assert_eq!(
        site.sh("ps -eo uid=,args= | awk '$1 >= 3000 && $1 < 6000'"),
        "",
        "processes of target accounts are left"
    );
    assert_eq!(
        site.sh("find / -xdev -name 'core*' -type f -newer /etc/glexec.conf ! -path '/proc/*'"),
        "",
        "a core file"
    );
    leases_are_whole(site);
    assert_eq!(site.sh("find / -xdev -name '*x509up*' -perm /077"), "", "a proxy that others may read");
    records_are_well_formed(site, calls);
}

/// Every lease is a second name of one pool account, and no account has two leases.
#[track_caller]
pub fn leases_are_whole(site: &Site) {
    let dir = "/etc/grid-security/gridmapdir";
    assert_eq!(site.sh(&format!("find {dir} -type f ! -links 1 ! -links 2")), "", "an account with two leases");
    let single = site.sh(&format!("find {dir} -type f -links 1 -name '%*'"));
    assert_eq!(single, "", "leases without an account");
}

#[track_caller]
fn records_are_well_formed(site: &Site, calls: Calls) {
    let records = site.records();
    let starts: Vec<_> = records.iter().filter(|record| record["event"] == "start").collect();
    match calls {
        Calls::Exactly(count) => assert_eq!(starts.len(), count, "one start record per call: {starts:#?}"),
        Calls::AtMost(count) => assert!(starts.len() <= count, "at most one start record per call: {starts:#?}"),
    }
    let ids: BTreeSet<&String> = starts.iter().map(|record| &record["call"]).collect();
    assert_eq!(ids.len(), starts.len(), "two records of one call: {starts:#?}");
    for record in starts {
        let expected = match record["decision"].as_str() {
            "permit" => record.has("target_user") && !record.has("code"),
            "deny" => record.has("code") && record.has("reason"),
            _ => false,
        };
        assert!(expected && record["call"].len() == 16 && record.has("caller_uid"), "{record:?}");
    }
}
