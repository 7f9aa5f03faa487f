//! FQANs: `/vo[/group…][/Role=role][/Capability=capability]`.
//!
//! Servers write `/vo`, `/vo/Role=pilot` or the long form `/vo/Role=NULL/Capability=NULL`; a VOMS server's configuration
//! decides. Here every FQAN gets the long form, so that one group is one text.
//!
//! LCMAPS does not do that: its map files see the FQAN as the server wrote it (tried with lcmaps 1.6.6 and the short and
//! the long form in one AC: the line `"/testvo"` matched the FQAN `/testvo`, and `"/testvo/Role=NULL/Capability=NULL"` did
//! not). Who reads such files has to look for [`Fqan::short`] as well as for the long form.

#![forbid(unsafe_code)]

use crate::credential::identity::Fqan;

/// Whether a text is the name of a VO. It becomes the name of a directory, and so must not be `.`, `..` or hidden.
pub fn is_vo(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=255).contains(&text.len()) && !text.starts_with('.') && text.chars().all(allowed)
}

/// The long form of an FQAN; `None` where it is not one.
pub fn normal(text: &str) -> Option<Fqan> {
    let (group, role, capability) = match text.split_once("/Role=") {
        Some((group, rest)) => match rest.split_once("/Capability=") {
            Some((role, capability)) => (group, role, capability),
            None => (group, rest, "NULL"),
        },
        None => match text.split_once("/Capability=") {
            Some((group, capability)) => (group, "NULL", capability),
            None => (text, "NULL", "NULL"),
        },
    };
    Fqan::try_from(format!("{group}/Role={role}/Capability={capability}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_write_becomes_the_long_form() {
        for (text, expected) in [
            ("/vo", Some("/vo/Role=NULL/Capability=NULL")),
            ("/vo/group/sub", Some("/vo/group/sub/Role=NULL/Capability=NULL")),
            ("/vo/Role=pilot", Some("/vo/Role=pilot/Capability=NULL")),
            ("/vo/Capability=x", Some("/vo/Role=NULL/Capability=x")),
            ("/vo.example.org/g/Role=a-b_c/Capability=NULL", Some("/vo.example.org/g/Role=a-b_c/Capability=NULL")),
            ("vo", None),
            ("/", None),
            ("", None),
            ("//vo", None),
            ("/vo/", None),
            ("/vo/Role=", None),
            ("/vo/../x", None),
            ("/vo/Role=a/Role=b", None),
            ("/vo/Capability=x/Role=a", None),
            ("/vo/Role=a/x", None),
            ("/vo/gr oup", None),
            ("/vo/Role=a\n", None),
            ("/vo*", None),
        ] {
            assert_eq!(normal(text).map(String::from).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_vo_is_a_safe_file_name() {
        for good in ["testvo", "vo.example.org", "a-b_c"] {
            assert!(is_vo(good), "{good}");
        }
        for bad in ["", ".", "..", ".hidden", "a/b", "a b", "a\0", "ä", &"a".repeat(256)] {
            assert!(!is_vo(bad), "{bad}");
        }
    }
}
