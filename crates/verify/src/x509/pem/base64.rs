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

/// The characters of base64 in their order (RFC 4648 section 4).
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Encodes bytes, in one line.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or_default());
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for (index, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = usize::try_from((bits >> shift) & 63).ok().and_then(|digit| ALPHABET.get(digit));
            // A group of n bytes has n + 1 characters.
            text.push(digit.filter(|_| index <= group.len()).map_or('=', |digit| char::from(*digit)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_what_everybody_decodes() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("\u{3ff}\u{3ff}", "z7/Pvw==")]
        {
            assert_eq!(encode(bytes.as_bytes()), text);
        }
    }
}
