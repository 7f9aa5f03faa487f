//! The setuid program.

fn main() {}
