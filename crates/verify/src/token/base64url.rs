//! base64url as tokens have it (RFC 7515 appendix C): no padding, nothing between the characters, no bits left over, so
//! that bytes have one encoding.

/// The bytes of a text; `None` where it is not the encoding of any.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for character in group {
            bits = (bits << 6) | value(*character)?;
        }
        let (shift, whole) = match group.len() {
            4 => (0, 3),
            3 => (2, 2),
            2 => (4, 1),
            _ => return None,
        };
        let rest = bits & !(u32::MAX << shift);
        if rest != 0 {
            return None;
        }
        let [_, a, b, c] = (bits >> shift).to_be_bytes();
        bytes.extend([a, b, c].get(3_usize.checked_sub(whole)?..)?);
    }
    Some(bytes)
}

fn value(character: u8) -> Option<u32> {
    let (first, value) = match character {
        b'A'..=b'Z' => (b'A', 0),
        b'a'..=b'z' => (b'a', 26),
        b'0'..=b'9' => (b'0', 52),
        b'-' => return Some(62),
        b'_' => return Some(63),
        _ => return None,
    };
    u32::from(character).checked_sub(u32::from(first))?.checked_add(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_one_encoding_is_read() {
        let table: [(&str, Option<&[u8]>); 13] = [
            ("", Some(b"")),
            ("Zg", Some(b"f")),
            ("Zm8", Some(b"fo")),
            ("Zm9v", Some(b"foo")),
            ("-_8", Some(b"\xfb\xff")),
            ("Zh", None),
            ("Zm9", None),
            ("Z", None),
            ("Zm9vZ", None),
            ("Zg==", None),
            ("Zm 9v", None),
            ("+/8", None),
            ("Zm9v\n", None),
        ];
        for (text, expected) in table {
            assert_eq!(decode(text).as_deref(), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_two_texts_are_the_same_bytes(one in "[A-Za-z0-9_-]{0,9}", other in "[A-Za-z0-9_-]{0,9}") {
            let both = (decode(&one), decode(&other));
            prop_assert!(one == other || both.0.is_none() || both.0 != both.1);
        }
    }
}
