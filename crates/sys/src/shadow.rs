//! When an account expires, from the shadow database (shadow(5)).

use crate::identity::reading_everything;
use nix::errno::Errno;
use nix::unistd::geteuid;
use std::ffi::CString;
use std::ptr;
use zeroize::Zeroize;

/// Longest entry in bytes; more than any password hash needs.
const MAX_ENTRY: usize = 16 * 1024;

/// The day (since 1970) from which on an account is expired. `None` where there is none, no entry, or no database: an
/// account is not locked for want of a shadow database. A database that does not answer is an error, but to somebody who
/// may not read it.
///
/// Only the expiry is looked at. A password that starts with `!` locks the password, not the account: pool accounts have
/// no password and are used all the same.
pub fn expires(name: &str) -> Result<Option<i64>, Errno> {
    let name = CString::new(name).map_err(|_| Errno::EINVAL)?;
    let mut buffer = vec![0_u8; MAX_ENTRY];
    // SAFETY: spwd is plain data and pointers, for which all zeros are valid.
    let mut entry: libc::spwd = unsafe { std::mem::zeroed() };
    let mut found: *mut libc::spwd = ptr::null_mut();
    // SAFETY: `name` is a C string; `entry`, `buffer` (with its length) and `found` outlive the call, which writes to
    // nothing else. No pointer in `entry` is followed afterwards.
    let failed = reading_everything(|| unsafe {
        libc::getspnam_r(name.as_ptr(), &raw mut entry, buffer.as_mut_ptr().cast(), buffer.len(), &raw mut found)
    });
    // It holds a password's hash.
    buffer.zeroize();
    match Errno::from_raw(failed) {
        _ if failed == 0 => Ok((!found.is_null() && entry.sp_expire >= 0).then_some(entry.sp_expire)),
        Errno::ENOENT | Errno::ESRCH => Ok(None),
        Errno::EACCES if !geteuid().is_root() => Ok(None),
        errno => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_without_expiry_or_entry_have_none() {
        assert_eq!(expires("root"), Ok(None));
        assert_eq!(expires("no-such-account"), Ok(None));
        assert_eq!(expires("a\0b"), Err(Errno::EINVAL));
    }
}
