//! When an account expires, from the shadow database (shadow(5)).

use std::ffi::CString;
use std::ptr;
use zeroize::Zeroize;

/// Longest entry in bytes; more than any password hash needs.
const MAX_ENTRY: usize = 16 * 1024;

/// The day (since 1970) from which on an account is expired. `None` where there is none, no entry, or the database cannot
/// be read: an account is not locked for want of a shadow database.
///
/// Only the expiry is looked at. A password that starts with `!` locks the password, not the account: pool accounts have
/// no password and are used all the same.
pub fn expires(name: &str) -> Option<i64> {
    let name = CString::new(name).ok()?;
    let mut buffer = vec![0_u8; MAX_ENTRY];
    // SAFETY: spwd is plain data and pointers, for which all zeros are valid.
    let mut entry: libc::spwd = unsafe { std::mem::zeroed() };
    let mut found: *mut libc::spwd = ptr::null_mut();
    // SAFETY: `name` is a C string; `entry`, `buffer` (with its length) and `found` outlive the call, which writes to
    // nothing else. No pointer in `entry` is followed afterwards.
    let failed = unsafe {
        libc::getspnam_r(name.as_ptr(), &raw mut entry, buffer.as_mut_ptr().cast(), buffer.len(), &raw mut found)
    };
    // It holds a password's hash.
    buffer.zeroize();
    (failed == 0 && !found.is_null() && entry.sp_expire >= 0).then_some(entry.sp_expire)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_without_expiry_or_entry_have_none() {
        assert_eq!(expires("root"), None);
        assert_eq!(expires("no-such-account"), None);
        assert_eq!(expires("a\0b"), None);
    }
}
