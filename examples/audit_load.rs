//! Writes audit records as a busy site would have them, to measure what reads them: docs/reference/audit.md has the figures.
//!
//!     cargo run --release --example audit_load -- 10000000 > glexec.log

// These lints are meant for code that runs privileged at a site.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects, clippy::disallowed_methods)]

use glexec_core::escape::quoted;
use std::io::{BufWriter, Result, Write, stdout};

/// How many calls run at the same time: the end of one comes this many calls after its start.
const AT_ONCE: u64 = 20_000;
/// How many users there are.
const USERS: u64 = 5_000;

fn main() -> Result<()> {
    let records: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).expect("how many records?");
    let mut out = BufWriter::with_capacity(1 << 20, stdout());
    for call in 0..records / 2 {
        start(&mut out, call)?;
        if let Some(ended) = call.checked_sub(AT_ONCE) {
            end(&mut out, ended, call)?;
        }
    }
    for call in (records / 2).saturating_sub(AT_ONCE)..records / 2 {
        end(&mut out, call, records / 2)?;
    }
    out.flush()
}

/// A number that looks random, from one that does not (splitmix64).
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// A hundred calls a second from the first day of 2026 on.
fn header(out: &mut impl Write, call: u64) -> Result<()> {
    let at = time::OffsetDateTime::from_unix_timestamp((1_767_225_600 + call / 100).try_into().unwrap()).unwrap();
    let (date, (hour, minute, second)) = (at.date(), at.to_hms());
    let micros = call % 100 * 10_000;
    let host = call % 1000;
    write!(
        out,
        "{date}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z worker{host:03} glexec[{}]: ",
        call % 30_000 + 300
    )
}

fn start(out: &mut impl Write, call: u64) -> Result<()> {
    header(out, call)?;
    let user = mixed(call) % USERS;
    let name = quoted(&format!("/DC=org/DC=example/O=Grid/CN=User Number {user}"));
    let vo = format!("vo{}.example.org", user % 20);
    let fqans = quoted(&format!("/{vo}/Role=production/Capability=NULL,/{vo}/Role=NULL/Capability=NULL"));
    let decision = match call % 50 {
        0 => "decision=deny code=lcmaps.pool-exhausted transient=true",
        _ => "decision=permit",
    };
    writeln!(
        out,
        "event=start call={:016x} {decision} caller_uid=2000 caller_user=pilot caller_gid=2000 caller_pid={} \
         target_user=pool{user:05} target_uid={} target_gid=5000 user_dn={name} vo={vo} \
         lease=%2fdc%3dorg%2fdc%3dexample%2fo%3dgrid%2fcn%3duser%20number%20{user}:production \
         issuer_dn=\"/DC=org/DC=example/CN=Example Grid Root CA\" serial=509B7158ACA633417D95 target_gids=4000 \
         fqans={fqans} command=/usr/bin/python3 args=\"/srv/pilot/wrapper.py --job {call} --queue 'long one'\" \
         cwd=/srv/pilot/work",
        mixed(call),
        call % 30_000 + 300,
        user + 10_000
    )
}

fn end(out: &mut impl Write, call: u64, now: u64) -> Result<()> {
    if call % 50 == 0 {
        return Ok(());
    }
    header(out, now)?;
    let (wall, cpu) = (mixed(call) % 100_000, mixed(call) % 90_000);
    writeln!(
        out,
        "event=end call={:016x} status=0 wall={wall}.250 user_time={cpu}.125 sys_time=1.500 max_rss={} killed=0",
        mixed(call),
        mixed(call) % 4_000_000
    )
}
