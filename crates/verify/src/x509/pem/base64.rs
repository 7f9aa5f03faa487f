//! The lines around a PEM block, and the base64 in it.

/// The kind, BEGIN or END, and the label of a boundary line.
pub fn boundary(line: &[u8]) -> Option<(&str, &str)> {
    let text = line.strip_prefix(b"-----")?.strip_suffix(b"-----")?;
    std::str::from_utf8(text).ok()?.split_once(' ').filter(|(kind, _)| matches!(*kind, "BEGIN" | "END"))
}

/// Decodes groups of four characters; padding may stand in the very last one only.
pub fn decode_groups(text: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let groups = text.chunks_exact(4);
    if !groups.remainder().is_empty() {
        return Err("base64 is cut off");
    }
    let padded = if last { text.len().saturating_sub(4) } else { text.len() };
    let (whole, end) = text.split_at_checked(padded).unwrap_or((text, &[]));
    for group in whole.chunks_exact(4) {
        let [_, octets @ ..] = sextets(group)?.to_be_bytes();
        out.extend_from_slice(&octets);
    }
    let (group, keep) = match end {
        [] => return Ok(()),
        [a, b, b'=', b'='] => ([*a, *b, b'A', b'A'], 1),
        [a, b, c, b'='] => ([*a, *b, *c, b'A'], 2),
        [a, b, c, d] => ([*a, *b, *c, *d], 3),
        _ => return Err("base64 is cut off"),
    };
    let [_, octets @ ..] = sextets(&group)?.to_be_bytes();
    let (kept, rest) = octets.split_at_checked(keep).unwrap_or((&octets, &[]));
    out.extend_from_slice(kept);
    if rest.iter().any(|octet| *octet != 0) { Err("base64 does not end with zero bits") } else { Ok(()) }
}

/// The 24 bits of four characters.
fn sextets(group: &[u8]) -> Result<u32, &'static str> {
    let mut bits = 0_u32;
    let mut wrong = 0_u8;
    for byte in group {
        let sextet = sextet(*byte);
        wrong |= sextet;
        bits = (bits << 6) | u32::from(sextet);
    }
    if wrong > 63 { Err("a block holds something else than base64") } else { Ok(bits) }
}

/// The six bits of a base64 character; more than 63 for anything else. Without branches and tables, because keys are
/// secret.
pub const fn sextet(byte: u8) -> u8 {
    let found = in_range(byte, b'A', 26, 0)
        | in_range(byte, b'a', 26, 26)
        | in_range(byte, b'0', 10, 52)
        | in_range(byte, b'+', 1, 62)
        | in_range(byte, b'/', 1, 63);
    found.wrapping_sub(1)
}

/// One more than the value of a byte in a range, otherwise zero.
const fn in_range(byte: u8, from: u8, count: u8, value: u8) -> u8 {
    let offset = byte.wrapping_sub(from);
    if offset < count { offset.wrapping_add(value).wrapping_add(1) } else { 0 }
}
