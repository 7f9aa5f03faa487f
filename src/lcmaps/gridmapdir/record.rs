//! What the file of a leased account says: the exact name of the holder, and in a second line when the lease was made. The
//! C library reads neither.

#![forbid(unsafe_code)]

use crate::credential::identity::MAX_DN;

/// Longest record in bytes, with room for the time.
pub(super) const MAX_RECORD: usize = MAX_DN + 32;

/// A record for a holder, made now (seconds since 1970 UTC).
pub(super) fn write(holder: &str, now: u64) -> String {
    format!("{holder}\n{now}\n")
}

/// Holder and time of a record. What is no record reads as a name that nobody has.
pub(super) fn read(bytes: &[u8]) -> (String, Option<i64>) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let holder = lines.next().unwrap_or_default().to_owned();
    (holder, lines.next().and_then(|since| since.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_were_written_also_without_a_time() {
        assert_eq!(read(write("/CN=a b", 17).as_bytes()), ("/CN=a b".to_owned(), Some(17)));
        assert_eq!(read(b"/CN=a b"), ("/CN=a b".to_owned(), None));
        assert_eq!(read(b""), (String::new(), None));
        assert_eq!(read(b"/CN=a\nsoon"), ("/CN=a".to_owned(), None));
    }
}
