//! The two calls of OpenSSL's libcrypto that the crate openssl does not have: a start that reads no configuration and
//! brings no libssl, and MD5 without EVP.
//!
//! A program that links this crate links libcrypto, so it is a crate of its own and no part of the crate sys: the setuid
//! program has that one, and must not have this.

#![allow(unsafe_code)]

use std::ffi::{c_int, c_uchar, c_void};

/// `OPENSSL_INIT_NO_LOAD_CONFIG` (openssl/crypto.h): neither openssl.cnf nor what the environment says instead.
const NO_LOAD_CONFIG: u64 = 0x0000_0080;
/// `OPENSSL_INIT_NO_ATEXIT`: nothing of OpenSSL's runs when the process ends.
const NO_ATEXIT: u64 = 0x0008_0000;

unsafe extern "C" {
    fn OPENSSL_init_crypto(options: u64, settings: *const c_void) -> c_int;
    fn MD5(data: *const c_uchar, length: usize, digest: *mut c_uchar) -> *mut c_uchar;
}

/// In the place of libssl: the crate openssl starts that library before its first call, and uses nothing else of it here.
/// Its start loads the configuration and names of algorithms (OPENSSL_init_ssl(3)), and with it the process would load
/// 0.7 MB more.
#[unsafe(no_mangle)]
extern "C" fn OPENSSL_init_ssl(_options: u64, _settings: *const c_void) -> c_int {
    // SAFETY: takes options, and no settings (OPENSSL_init_crypto(3)); it may be called at any time and by any thread.
    unsafe { OPENSSL_init_crypto(NO_LOAD_CONFIG | NO_ATEXIT, std::ptr::null()) }
}

/// MD5 of some bytes: only for the names that files of a CA directory had before OpenSSL 1.0.
pub fn md5(bytes: &[u8]) -> [u8; 16] {
    let mut digest = [0; 16];
    // SAFETY: reads so many bytes at the first pointer and writes the 16 of a digest at the second (MD5(3)); it keeps
    // neither.
    unsafe { MD5(bytes.as_ptr(), bytes.len(), digest.as_mut_ptr()) };
    digest
}
