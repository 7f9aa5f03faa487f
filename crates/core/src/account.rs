//! Ids that a payload may have, as types that cannot hold root, nobody or "no id"; and names of accounts.

/// Ids that stand for nobody: the overflow id of Linux, which ids that cannot be shown become and which most systems call
/// nobody; -1 where ids have 16 bits, as in some file systems and old system calls; and -1, which setresuid(2) ignores.
const NOBODYS: [u32; 3] = [65534, 65535, u32::MAX];

/// The smallest ids that a payload may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub min_uid: u32,
    pub min_gid: u32,
}

/// An id below the limit, or one that never stands for a person.
fn forbidden(id: u32, least: u32) -> bool {
    id == 0 || NOBODYS.contains(&id) || id < least
}

/// A user id that a payload may run as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TargetUid(u32);

impl TargetUid {
    /// Accepts an id unless it is 0, 65534, 65535, -1 or below `min_uid`.
    pub fn new(id: u32, limits: Limits) -> Option<Self> {
        (!forbidden(id, limits.min_uid)).then_some(TargetUid(id))
    }

    pub fn get(self) -> u32 {
        self.0
    }
}

/// A group id that a payload may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TargetGid(u32);

impl TargetGid {
    /// Accepts an id unless it is 0, 65534, 65535, -1 or below `min_gid`.
    pub fn new(id: u32, limits: Limits) -> Option<Self> {
        (!forbidden(id, limits.min_gid)).then_some(TargetGid(id))
    }

    pub fn get(self) -> u32 {
        self.0
    }
}

/// Whether a text may be looked up as the name of an account or a group.
///
/// A letter or `_`, then letters, digits, `.`, `_`, `-`, and perhaps a final `$`; at most 255 bytes. Names that a
/// careless program takes for a number, an option or NIS's wildcard (`0day`, `-1`, `+1000`, ` root`) do not pass.
pub fn is_name(text: &str) -> bool {
    let body = text.strip_suffix('$').unwrap_or(text);
    let first = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    let other = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    text.len() <= 255 && body.bytes().next().is_some_and(first) && body.bytes().all(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_root_nobody_and_nothing_are_forbidden_whatever_the_limits_say() {
        let none = Limits { min_uid: 0, min_gid: 0 };
        assert!(TargetUid::new(0, none).is_none() && TargetGid::new(0, none).is_none());
        assert!(TargetUid::new(65534, none).is_none() && TargetUid::new(u32::MAX, none).is_none());
        assert_eq!(TargetUid::new(1, none).map(TargetUid::get), Some(1));
    }

    #[test]
    fn names_that_look_like_numbers_options_or_wildcards_are_none() {
        for good in ["alice", "_x", "Alice.B-c_9", "machine$", "a"] {
            assert!(is_name(good), "{good}");
        }
        let long = "a".repeat(256);
        let bad = ["", "$", "0day", "1000", "-1", "+1000", "+", " root", "a b", "a\n", "a/b", ".a", "a$b", "ä", &long];
        for bad in bad {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
