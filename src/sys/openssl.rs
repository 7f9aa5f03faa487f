//! Starting libcrypto without letting it read anything, and without libssl.

use std::ffi::{c_int, c_void};

/// `OPENSSL_INIT_NO_LOAD_CONFIG` (openssl/crypto.h).
const NO_LOAD_CONFIG: u64 = 0x80;

unsafe extern "C" {
    /// OPENSSL_init_crypto(3); the crate openssl-sys, which links libcrypto, does not declare it.
    fn OPENSSL_init_crypto(options: u64, settings: *const c_void) -> c_int;
}

/// Initialises libcrypto without its configuration file, before anything else of it is used.
pub fn prepare() {
    openssl::init();
}

/// Stands in for libssl's function of this name, which the crate openssl calls on its first use. glexec speaks no TLS:
/// with this no process of it loads libssl, and libcrypto never opens OPENSSLDIR/openssl.cnf, which can load modules.
///
/// # Safety
///
/// Takes and touches no memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn OPENSSL_init_ssl(_options: u64, _settings: *const c_void) -> c_int {
    // SAFETY: takes flags and, here, no settings; may be called at any time by any thread.
    unsafe { OPENSSL_init_crypto(NO_LOAD_CONFIG, std::ptr::null()) }
}
