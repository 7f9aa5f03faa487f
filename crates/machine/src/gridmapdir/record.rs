//! What the file of a leased account says: the exact name of the holder, in a second line when the lease was made, and in a
//! third what the account is called. The C library reads none of it.

use glexec_core::identity::MAX_DN;

/// Longest record in bytes, with room for the time and the longest name that an account may have.
pub(super) const MAX_RECORD: usize = MAX_DN + 32 + 256;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// The holder's exact name.
    pub(super) holder: String,
    /// When the lease was made, in seconds since 1970 UTC.
    pub(super) since: Option<i64>,
    /// What the account is called: a hint for whoever looks for it.
    pub(super) account: Option<String>,
}

/// A record for a holder of an account, made now (seconds since 1970 UTC).
pub(super) fn write(holder: &str, now: u64, account: &str) -> String {
    format!("{holder}\n{now}\n{account}\n")
}

/// Reads a record. What is none reads as a name that nobody has.
pub(super) fn read(bytes: &[u8]) -> Record {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let holder = lines.next().unwrap_or_default().to_owned();
    let since = lines.next().and_then(|since| since.parse().ok());
    Record { holder, since, account: lines.next().map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_were_written_also_without_a_time() {
        let record = |holder: &str, since, account: Option<&str>| Record {
            holder: holder.into(),
            since,
            account: account.map(str::to_owned),
        };
        assert_eq!(read(write("/CN=a b", 17, "p1").as_bytes()), record("/CN=a b", Some(17), Some("p1")));
        assert_eq!(read(b"/CN=a b\n17\n"), record("/CN=a b", Some(17), None));
        assert_eq!(read(b"/CN=a b"), record("/CN=a b", None, None));
        assert_eq!(read(b""), record("", None, None));
        assert_eq!(read(b"/CN=a\nsoon"), record("/CN=a", None, None));
    }
}
