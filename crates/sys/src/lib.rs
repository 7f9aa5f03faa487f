//! The only unsafe code and the only raw system calls: start-up, identities, files, processes, sandboxes.

#![allow(unsafe_code, clippy::as_conversions, clippy::disallowed_methods)]

pub mod account_files;
pub mod asking;
pub mod caller_file;
pub mod capabilities;
pub mod cgroup;
pub mod datagram;
pub mod descriptors;
pub mod detached;
pub mod dir;
pub mod execute;
pub mod given_file;
pub mod helper;
pub mod identity;
pub mod left_file;
pub mod limits;
pub mod lock;
pub mod lookup;
pub mod mount;
pub mod place;
pub mod private_dir;
pub mod program;
pub mod self_check;
pub mod shadow;
pub mod start;
pub mod supervise;
pub mod target_file;
pub mod terminal;
pub mod time;
#[cfg(panic = "abort")]
mod unwind;
pub mod way;

use nix::errno::Errno;

/// The system's number for an error, EIO where it has none: a write that wrote nothing.
fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

/// Fills a small array with random bytes from the kernel, getrandom(2).
pub fn random<const N: usize>() -> Result<[u8; N], Errno> {
    let mut bytes = [0_u8; N];
    // SAFETY: the pointer and length describe `bytes`, which outlives the call.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), N, 0) };
    // Requests of up to 256 bytes are never interrupted or cut (getrandom(2)).
    if usize::try_from(got) == Ok(N) { Ok(bytes) } else { Err(Errno::last()) }
}
