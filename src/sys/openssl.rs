//! Starting libcrypto without letting it read anything.

use std::ffi::{c_int, c_void};

/// `OPENSSL_INIT_NO_LOAD_CONFIG` (openssl/crypto.h).
const NO_LOAD_CONFIG: u64 = 0x80;

unsafe extern "C" {
    /// OPENSSL_init_crypto(3); the crate openssl-sys, which links libcrypto, does not declare it.
    fn OPENSSL_init_crypto(options: u64, settings: *const c_void) -> c_int;
}

/// Initialises libcrypto without its configuration file, before anything else of it is used. Without this its first
/// use would open OPENSSLDIR/openssl.cnf, which can load modules.
pub fn prepare() {
    // SAFETY: takes flags and, here, no settings; may be called at any time by any thread.
    unsafe { OPENSSL_init_crypto(NO_LOAD_CONFIG, std::ptr::null()) };
    openssl::init();
}
