//! Names of leases in the gridmapdir, as the C library writes them.
//!
//! The distinguished name URL-encoded in lower case: ASCII letters and digits as lower case, every other byte as `%xx`.
//! With VOMS groups, then `:` and the names of the groups. The C library gets the name from OpenSSL, which prints bytes
//! of 0x80 and above as `\xHH`: so do we here. Lower case makes different people one, too
//! (`CN=Alice`, `CN=alice`): the name cannot tell them apart, so the gridmapdir keeps the exact name besides.

use glexec_core::identity::{Dn, Fqan};
use glexec_core::reason::{Outcome, Reason, Refusal};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

/// Longest name of a file (NAME_MAX of Linux's file systems).
const NAME_MAX: usize = 255;

/// The name of a lease, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseName {
    text: String,
    holder: String,
}

/// The distinguished name ([`Dn::historic`]) as the start of a lease's name.
fn encoded(dn: &str) -> String {
    percent_encode(dn.as_bytes(), NON_ALPHANUMERIC).to_string().to_ascii_lowercase()
}

impl LeaseName {
    /// The name for a person, and for the groups that the lease depends on.
    pub fn new(dn: &Dn, groups: &[String]) -> Outcome<Self> {
        LeaseName::of(&dn.historic(), dn.as_str(), groups)
    }

    /// The name for a VOMS attribute, which groups are leased to.
    pub fn for_fqan(fqan: &Fqan) -> Outcome<Self> {
        LeaseName::of(fqan.as_str(), fqan.as_str(), &[])
    }

    fn of(name: &str, holder: &str, groups: &[String]) -> Outcome<Self> {
        let person = encoded(name);
        let text = std::iter::once(person.clone()).chain(groups.iter().cloned()).collect::<Vec<_>>().join(":");
        let bad = |why: &str| Err(Refusal::new(Reason::LcmapsLeaseName, why).detail(format!("lease {text:?}")));
        if text.len() > NAME_MAX {
            return Err(too_long(&person, holder, &text, groups));
        }
        // Group names come from the account database; one with a separator would say something else here.
        if groups.iter().any(|group| !glexec_core::account::is_name(group)) {
            return bad("a group has a name that cannot be part of a lease's name");
        }
        Ok(LeaseName { text, holder: holder.to_owned() })
    }

    /// The file's name.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The exact distinguished name of the holder.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Whether a recorded holder is another person whose lease has the same name. A record that would not give this
    /// name is left over from an earlier lease of the same account and says nothing.
    pub fn is_shared_with(&self, recorded: &str) -> bool {
        recorded != self.holder && encoded(recorded) == encoded(&self.holder)
    }
}

/// What does fit, for the site: without the secondary groups, or without a lease.
fn too_long(person: &str, holder: &str, text: &str, groups: &[String]) -> Refusal {
    let primary = groups.first().map_or(0, |group| group.len().saturating_add(1));
    let fits = |length: usize| length <= NAME_MAX;
    let (sentence, instead) = match (fits(person.len().saturating_add(primary)), holder.is_ascii()) {
        (true, _) => (
            "your name and groups are too long for the lease of a pool account; your name and first group are not",
            "do_not_use_secondary_gids = true leaves the others out of it",
        ),
        (false, true) => (
            "your name is too long for the lease of a pool account",
            "a line of its own in the grid-mapfile, with an account and no pool, needs no lease",
        ),
        (false, false) => (
            "your name is too long for the lease of a pool account, where each letter beyond ASCII takes 12 bytes or more",
            "a line of its own in the grid-mapfile, with an account and no pool, needs no lease; or a certificate whose name is ASCII",
        ),
    };
    let detail = format!("{} bytes where {NAME_MAX} are possible: {instead}; lease {text:?}", text.len());
    Refusal::new(Reason::LcmapsLeaseName, sentence).detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(dn: &str, groups: &[&str]) -> Outcome<LeaseName> {
        let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        LeaseName::new(&Dn::try_from(dn.to_owned()).unwrap(), &groups)
    }

    #[test]
    fn names_are_those_of_the_c_library() {
        let table: &[(&str, &[&str], &str)] = &[
            ("/DC=org/CN=Alice Adams", &["gpilot"], "%2fdc%3dorg%2fcn%3dalice%20adams:gpilot"),
            ("/CN=a", &["g", "Sec"], "%2fcn%3da:g:Sec"),
            ("/CN=a.b-c_d~e", &[], "%2fcn%3da%2eb%2dc%5fd%7ee"),
            ("/CN=..", &[], "%2fcn%3d%2e%2e"),
            ("/CN=%2f", &[], "%2fcn%3d%252f"),
            ("/CN=a:gpilot", &[], "%2fcn%3da%3agpilot"),
            ("/CN=Mü", &[], "%2fcn%3dm%5cxc3%5cxbc"),
            ("/CN=host\\/x", &[], "%2fcn%3dhost%5c%2fx"),
        ];
        for (dn, groups, expected) in table {
            assert_eq!(name(dn, groups).unwrap().as_str(), *expected);
        }
    }

    #[test]
    fn names_that_do_not_fit_or_would_mislead_are_refused() {
        let reason = |lease: Outcome<LeaseName>| lease.unwrap_err().reason();
        assert_eq!(reason(name(&format!("/CN={}", "a".repeat(300)), &[])), Reason::LcmapsLeaseName);
        assert!(name(&format!("/CN={}", "a".repeat(255 - 8)), &[]).is_ok());
        assert_eq!(reason(name(&format!("/CN={}", "a".repeat(255 - 7)), &[])), Reason::LcmapsLeaseName);
        let groups: Vec<&str> = ["primary"].into_iter().chain(std::iter::repeat_n("secondary", 30)).collect();
        for (dn, groups, says) in [
            ("/CN=a".to_owned(), groups.as_slice(), "do_not_use_secondary_gids = true"),
            (format!("/CN={}", "a".repeat(300)), &["primary"], "an account and no pool"),
            (format!("/CN={}", "ü".repeat(30)), &[], "a certificate whose name is ASCII"),
        ] {
            let refusal = name(&dn, groups).unwrap_err();
            assert!(refusal.for_log().contains(says), "{}", refusal.for_log());
        }
        for group in ["a/b", "a:b", "", ".."] {
            assert_eq!(reason(name("/CN=a", &[group])), Reason::LcmapsLeaseName, "{group}");
        }
    }

    #[test]
    fn people_who_share_a_name_are_told_apart_by_the_record() {
        let alice = name("/CN=Alice", &[]).unwrap();
        assert!(alice.is_shared_with("/CN=alice"));
        assert!(!alice.is_shared_with("/CN=Alice"));
        assert!(!alice.is_shared_with("/CN=Bob"));
        assert!(!alice.is_shared_with(""));
    }

    proptest! {
        #[test]
        fn names_are_plain_and_different_but_for_case(a in "/[ -~]{0,30}", b in "/[ -~]{0,30}") {
            let (x, y) = (name(&a, &[]).unwrap(), name(&b, &[]).unwrap());
            prop_assert!(x.as_str().bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'%'));
            prop_assert_eq!(x == y, a == b);
            prop_assert_eq!(x.as_str() == y.as_str(), a.eq_ignore_ascii_case(&b));
            prop_assert_eq!(x.is_shared_with(&b), a != b && a.eq_ignore_ascii_case(&b));
        }
    }
}
