//! Names of leases in the gridmapdir, as the C library writes them.
//!
//! The distinguished name URL-encoded in lower case: ASCII letters and digits as lower case, every other byte as `%xx`.
//! With VOMS groups, then `:` and the names of the groups. The C library gets the name from OpenSSL, which prints bytes
//! of 0x80 and above as `\xHH`: so do we here. Lower case makes different people one, too
//! (`CN=Alice`, `CN=alice`): the name cannot tell them apart, so the gridmapdir keeps the exact name besides.
//!
//! What OpenSSL prints for a `/` or `+` inside a value depends on its version: from 3 on with a backslash before it. A
//! lease is made under the name that a C library of today gives it, and one that is there under another counts
//! ([`LeaseName::spellings`]): one person never has two accounts in a directory that is shared. A print that would also be
//! somebody else's is not used.
//!
//! Names of tokens' users are known to no C library. They keep capital letters apart, as `%41`; one that is too long for a
//! file is `token%3a` and its SHA-256, and the record says whose it is.

use super::subject::Style;
use glexec_core::identity::{Dn, Fqan, Identity, is_of_token};
use glexec_core::reason::{Outcome, Reason, Refusal};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

/// Longest name of a file (NAME_MAX of Linux's file systems).
const NAME_MAX: usize = 255;

/// How the name of a lease begins whose holder's name is too long.
const HASHED: &str = "token%3a";

/// The name of a lease, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseName {
    text: String,
    others: Vec<String>,
    holder: String,
}

/// A distinguished name of ASCII, or an FQAN, as the start of a lease's name.
fn encoded(name: &str) -> String {
    percent_encode(name.as_bytes(), NON_ALPHANUMERIC).to_string().to_ascii_lowercase()
}

/// The name of a token's user as the start of a lease's name: two names never give one.
fn encoded_apart(name: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02x}"),
    };
    name.bytes().map(one).collect()
}

/// The prints of a distinguished name that are its alone, the one of today's OpenSSL first.
fn prints(dn: &Dn) -> Vec<String> {
    let styles = [Style::OpenSsl3, Style::Canonical, Style::Bare];
    let mut prints: Vec<String> = Vec::new();
    for print in styles.iter().filter_map(|style| style.printed(dn)).chain([dn.historic()]) {
        if !prints.contains(&print) {
            prints.push(print);
        }
    }
    prints
}

impl LeaseName {
    /// The name for a person, and for the groups that the lease depends on.
    pub fn new(person: &Identity, groups: &[String]) -> Outcome<Self> {
        let name = &person.subject;
        match person.token() {
            None => LeaseName::for_certificate(name, groups),
            Some(token) => {
                let whole = encoded_apart(name.as_str());
                match whole.len().saturating_add(groups.iter().map(|group| group.len().saturating_add(1)).sum()) {
                    0..=NAME_MAX => LeaseName::of(vec![whole], name.as_str(), groups),
                    _ => LeaseName::of(vec![format!("{HASHED}{}", token.name_sha256)], name.as_str(), groups),
                }
            }
        }
    }

    /// The name for somebody who is known by a certificate.
    pub fn for_certificate(name: &Dn, groups: &[String]) -> Outcome<Self> {
        LeaseName::of(prints(name).iter().map(|print| encoded(print)).collect(), name.as_str(), groups)
    }

    /// The name for a VOMS attribute, which groups are leased to.
    pub fn for_fqan(fqan: &Fqan) -> Outcome<Self> {
        LeaseName::of(vec![encoded(fqan.as_str())], fqan.as_str(), &[])
    }

    fn of(prints: Vec<String>, holder: &str, groups: &[String]) -> Outcome<Self> {
        // Group names come from the account database; one with a separator would say something else here.
        if groups.iter().any(|group| !glexec_core::account::is_name(group)) {
            let why = "a group has a name that cannot be part of a lease's name";
            return Err(Refusal::new(Reason::LcmapsLeaseName, why).detail(format!("groups {groups:?}")));
        }
        let with_groups = |print: &String| std::iter::once(print).chain(groups).cloned().collect::<Vec<_>>().join(":");
        let mut texts: Vec<String> = prints.iter().map(with_groups).filter(|text| text.len() <= NAME_MAX).collect();
        if texts.is_empty() {
            let shortest = prints.iter().min_by_key(|print| print.len()).cloned().unwrap_or_default();
            return Err(too_long(&shortest, holder, &with_groups(&shortest), groups));
        }
        let text = texts.remove(0);
        Ok(LeaseName { text, others: texts, holder: holder.to_owned() })
    }

    /// The file's name, and those under which other programs may have made the same lease.
    pub fn spellings(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.text).chain(&self.others).map(String::as_str)
    }

    /// The same lease under another of its spellings.
    #[must_use]
    pub fn under(&self, name: &str) -> Self {
        let others = self.spellings().filter(|other| *other != name).map(str::to_owned).collect();
        LeaseName { text: name.to_owned(), others, holder: self.holder.clone() }
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
        // Two names of tokens' users never give one name, nor do theirs and a certificate's.
        recorded != self.holder && !is_of_token(&self.holder) && encoded(recorded) == encoded(&self.holder)
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
    use glexec_core::identity::{Proof, Sha256, TokenProof};
    use proptest::prelude::*;

    fn name(dn: &str, groups: &[&str]) -> Outcome<LeaseName> {
        let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        LeaseName::for_certificate(&Dn::try_from(dn.to_owned()).unwrap(), &groups)
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
            ("/CN=host/x", &[], "%2fcn%3dhost%5c%2fx"),
            ("/CN=http://x/serialNumber=C++", &[], "%2fcn%3dhttp%3a%5c%2f%5c%2fx%2fserialnumber%3dc%5c%2b%5c%2b"),
            ("/CN=a/CN=b+UID=c", &[], "%2fcn%3da%2fcn%3db%2buid%3dc"),
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
    fn a_lease_counts_under_every_print_that_is_one_persons_alone() {
        let spellings = |dn: &str| {
            let lease = name(dn, &["g"]).unwrap();
            assert_eq!(lease.spellings().next(), Some(lease.as_str()));
            lease.spellings().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(spellings("/CN=Alice"), ["%2fcn%3dalice:g"]);
        assert_eq!(spellings("/CN=host/x"), ["%2fcn%3dhost%5c%2fx:g", "%2fcn%3dhost%2fx:g"]);
        assert_eq!(spellings("/CN=C+"), ["%2fcn%3dc%5c%2b:g", "%2fcn%3dc%2b:g"]);
        assert_eq!(spellings("/CN=a\\\\b"), ["%2fcn%3da%5cb:g", "%2fcn%3da%5c%5cb:g"]);
        // OpenSSL prints the CN `a/CN=b` and, before version 3, the CN `b` below `a` alike; and the CN `a\` with `b` below.
        assert_eq!(spellings("/CN=a\\/CN=b"), ["%2fcn%3da%5c%2fcn%3db:g"]);
        assert_eq!(spellings("/CN=a\\\\/CN=b"), ["%2fcn%3da%5c%5c%2fcn%3db:g"]);
        let lease = name("/CN=host/x", &["g"]).unwrap();
        let other = lease.under("%2fcn%3dhost%2fx:g");
        assert_eq!(
            (other.as_str(), other.holder(), other.spellings().count()),
            ("%2fcn%3dhost%2fx:g", "/CN=host/x", 2)
        );
    }

    fn token(sub: &str, groups: &[&str]) -> LeaseName {
        let subject = Dn::of_token("https://vo.example.org/", sub).unwrap();
        let digest = |digit: &str| Sha256::try_from(digit.repeat(64)).unwrap();
        let proof = TokenProof {
            vo: None,
            jti: None,
            kid: "k".into(),
            scope: String::new(),
            sha256: digest("f"),
            name_sha256: digest("1"),
        };
        let person = Identity { subject, proof: Proof::Token(Box::new(proof)), not_after: 0, fqans: Vec::new() };
        let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        LeaseName::new(&person, &groups).unwrap()
    }

    #[test]
    fn leases_of_tokens_keep_capital_letters_apart_and_long_ones_are_a_digest() {
        let start = "%2fiss%3dhttps%3a%2f%2fvo%2eexample%2eorg%2f%2fsub%3d";
        assert_eq!(token("Ab/=", &["g"]).as_str(), format!("{start}%41b%2f%3d:g"));
        let longest = NAME_MAX - start.len();
        assert_eq!(token(&"a".repeat(longest), &[]).as_str(), format!("{start}{}", "a".repeat(longest)));
        let digest = format!("token%3a{}", "1".repeat(64));
        assert_eq!(token(&"a".repeat(longest + 1), &[]).as_str(), digest);
        assert_eq!(token(&"a".repeat(longest), &["g"]).as_str(), format!("{digest}:g"));
        let long = token(&"A".repeat(255), &[]);
        assert_eq!(long.holder(), format!("/iss=https://vo.example.org//sub={}", "A".repeat(255)));
        assert!(!token("Alice", &[]).is_shared_with("/iss=https://vo.example.org//sub=alice"));
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
        fn no_lease_is_of_two_users_of_tokens(one in "[!-~]{1,8}", other in "[!-~]{1,8}") {
            let (a, b) = (token(&one, &["g"]), token(&other, &["g"]));
            prop_assert!(a.as_str().bytes().all(|c| !c.is_ascii_uppercase() && c != b'/'));
            prop_assert_eq!(a.spellings().any(|name| b.spellings().any(|other| name == other)), one == other);
        }

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
