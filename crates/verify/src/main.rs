//! The verifier: answers one question about one credential, and ends.
//!
//! glexec runs it as the service user, without capabilities, arguments and environment. It is given the question on
//! descriptor 0, 1 for the verdict, 2 for complaints, and from 3 on the directories to trust: the CA directory, the vomsdir and
//! those that links in these lead to, or the issuers' and those with their keys. It closes its sandbox before it reads a byte.

#![no_main]
#![allow(unsafe_code)] // for the name main alone: the crate sys says why

use glexec_sys::supervise;
use glexec_sys_more::{inherited, sandbox};
use glexec_verify::answer::{answer, read};
use std::io::Write;
use std::os::fd::AsFd;

/// Most directories that it can be given: two, and four that links lead to; or one, and four with keys.
const MAX_DIRECTORIES: usize = 6;

/// Where the C library starts the program; Rust's own start-up would cost more than a verification, and does nothing that
/// is needed here.
#[unsafe(no_mangle)]
extern "C" fn main() -> std::ffi::c_int {
    // At once: libraries would tidy up first, and glexec waits for the end.
    supervise::end(match run() {
        Ok(()) => 0,
        Err(why) => {
            // Nobody is there to hear that this failed.
            let _ = std::io::stderr().write_all(why.as_bytes());
            1
        }
    })
}

fn run() -> Result<(), String> {
    let given = inherited::directories(MAX_DIRECTORIES);
    let readable: Vec<_> = given.iter().flatten().map(AsFd::as_fd).collect();
    sandbox::enter(&readable).map_err(|why| format!("no sandbox: {why}"))?;
    drop(readable);
    let verdict = answer(&read(std::io::stdin().lock())?, given, None);
    let mut output = std::io::stdout();
    output.write_all(&verdict).and_then(|()| output.flush()).map_err(|error| format!("answering: {error}"))
}
