//! The benchmark: whole calls beside other programs, growth, load, phases, memory, instructions, verification alone.
//!
//! `make bench` runs it (benches/run): each part in a private site of its own, as `measure --part NAME ROUNDS`, with its
//! figures as JSON on standard output; then `measure --page DIRECTORY` prints the tables, and with `--write` puts them
//! into docs/evidence/.

// A measuring program may fail loudly and use what it likes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::disallowed_macros
)]
#![forbid(unsafe_code)]

mod agents;
mod beside;
mod caller;
mod case;
mod figures;
#[path = "../../tests/forge/mod.rs"]
mod forge;
mod grid;
mod growth;
mod instructions;
mod load;
mod memory;
mod page;
mod phases;
mod plot;
mod site;
mod targets;
mod trace;
mod verification;

use case::Callers;
use site::Site;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--part", part, rounds] => println!("{}", measure(part, rounds.parse().unwrap())),
        ["--caller", uid] => caller::serve(uid.parse().unwrap()),
        ["--step", step] => instructions::step(step),
        ["--judge", user, certificates, vomsdir, times] => {
            verification::judge_file(user, certificates, vomsdir, times.parse().unwrap());
        }
        ["--page", figures] => page::print(figures.as_ref()),
        ["--page", figures, "--write", docs] => page::write(figures.as_ref(), docs.as_ref()),
        // What `cargo bench` and `cargo test --benches` pass.
        _ => println!("run `make bench`"),
    }
}

/// Measures a part; returns its figures as JSON.
fn measure(part: &str, rounds: usize) -> String {
    if part == "verification" {
        return json(&verification::run(rounds));
    }
    let (site, mut callers) = (Site::new(), Callers::start());
    match part {
        "beside" => json(&beside::run(&site, &mut callers, rounds)),
        "growth" => json(&growth::run(site, &mut callers, rounds)),
        "load" => json(&load::run(&site, &mut callers, rounds)),
        "phases" => json(&phases::run(&site, &mut callers, rounds)),
        "memory" => json(&memory::run(&site, &mut callers)),
        "instructions" => json(&instructions::run(&site, &mut callers.pilot)),
        other => panic!("no part is called {other}"),
    }
}

fn json(figures: &impl serde::Serialize) -> String {
    serde_json::to_string(figures).unwrap()
}
