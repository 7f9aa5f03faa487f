//! Starting libcrypto without letting it read anything, and without libssl.

use std::ffi::{c_int, c_void};

/// `OPENSSL_INIT_NO_LOAD_CONFIG` (openssl/crypto.h).
const NO_LOAD_CONFIG: u64 = 0x80;

unsafe extern "C" {
    /// OPENSSL_init_crypto(3); the crate openssl-sys, which links libcrypto, does not declare it.
    fn OPENSSL_init_crypto(options: u64, settings: *const c_void) -> c_int;
    /// MD5_Init(3).
    fn MD5_Init(context: *mut c_void) -> c_int;
    /// MD5_Update(3).
    fn MD5_Update(context: *mut c_void, bytes: *const c_void, length: usize) -> c_int;
    /// MD5_Final(3).
    fn MD5_Final(digest: *mut u8, context: *mut c_void) -> c_int;
}

/// MD5 of some bytes, for the names that files of a CA directory had before OpenSSL 1.0; the crate openssl has it behind
/// the EVP interface only, which starts providers first.
pub fn md5(bytes: &[u8]) -> [u8; 16] {
    // An MD5_CTX is 92 bytes (openssl/md5.h).
    let mut context = [0_u64; 12];
    let mut digest = [0_u8; 16];
    let context = context.as_mut_ptr().cast();
    // SAFETY: the context is large enough and aligned; the lengths are those of the buffers.
    unsafe {
        MD5_Init(context);
        MD5_Update(context, bytes.as_ptr().cast(), bytes.len());
        MD5_Final(digest.as_mut_ptr(), context);
    }
    digest
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
