//! Which serial numbers a CRL may list: so that a CA's CRL that was gone through for one certificate need not be gone
//! through again for another, unless that one seems to be listed.

#![forbid(unsafe_code)]

/// Bits, as a power of two: of 25,000 entries, one number in twenty that is not listed seems to be.
const BITS: u32 = 19;

/// A set that forgets which numbers exactly are in it.
#[derive(Debug)]
pub struct Listed(Vec<u64>);

impl Default for Listed {
    fn default() -> Self {
        Listed(vec![0; 1 << (BITS - 6)])
    }
}

/// What tells a serial number from most others: serial numbers are random, or count up.
pub fn mark(serial: &[u8]) -> u64 {
    match serial.last_chunk() {
        Some(last) => u64::from_be_bytes(*last),
        None => serial.iter().fold(0, |number, octet| (number << 8) | u64::from(*octet)),
    }
}

/// Where a number's bit is: the word, and the bit in it.
fn place(mark: u64) -> (usize, u64) {
    let bit = mark.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - BITS);
    (usize::try_from(bit >> 6).unwrap_or(0), 1 << (bit & 63))
}

impl Listed {
    /// Adds a number by its mark.
    pub fn add(&mut self, mark: u64) {
        let (word, bit) = place(mark);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    /// Whether a number may have been added; it has not where this says no.
    pub fn may_have(&self, serial: &[u8]) -> bool {
        let (word, bit) = place(mark(serial));
        self.0.get(word).is_none_or(|word| word & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_never_denied_and_most_of_the_rest_is() {
        let mut listed = Listed::default();
        assert!(!listed.may_have(&[1]));
        let serial = |n: u32| n.to_be_bytes();
        (0..25_000).for_each(|n| listed.add(mark(&serial(n))));
        assert!((0..25_000).all(|n| listed.may_have(&serial(n))));
        let mistaken = (25_000..50_000).filter(|n| listed.may_have(&serial(*n))).count();
        assert!(mistaken < 2500, "{mistaken}");
    }
}
