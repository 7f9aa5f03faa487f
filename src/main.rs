//! The setuid program.

#![no_main]
#![allow(unsafe_code)]

/// Where the C library starts the program. Rust's own start-up would read /proc/self/maps and arrange for messages about
/// an overflown stack first, which costs more than reading the configuration; what it does for safety, opening closed
/// standard descriptors, the pipeline does itself.
#[unsafe(no_mangle)]
extern "C" fn main() -> std::ffi::c_int {
    glexec::pipeline::main().into()
}
