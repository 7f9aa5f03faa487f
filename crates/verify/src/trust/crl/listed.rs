//! Which serial numbers a CRL may list: so that a CA's CRL that was gone through for one certificate need not be gone
//! through again for another, unless that one seems to be listed.

#![forbid(unsafe_code)]

/// Least bits, as a power of two.
const LEAST: u32 = 10;
/// Most bits: for the longest list that is read.
const MOST: u32 = 24;
/// How many bits stand for a number. An entry has some thirty bytes, and each byte gives a bit: of numbers that are not
/// listed, one in a thousand seems to be.
const PROBES: u32 = 3;

/// A set that forgets which numbers exactly are in it.
#[derive(Debug)]
pub struct Listed {
    words: Vec<u64>,
    bits: u32,
}

/// What tells a serial number from most others: serial numbers are random, or count up.
pub fn mark(serial: &[u8]) -> u64 {
    match serial.last_chunk() {
        Some(last) => u64::from_be_bytes(*last),
        None => serial.iter().fold(0, |number, octet| (number << 8) | u64::from(*octet)),
    }
}

impl Listed {
    /// A set for entries of so many bytes.
    pub fn of_size(bytes: usize) -> Self {
        let bits = bytes.checked_next_power_of_two().unwrap_or(usize::MAX).trailing_zeros().clamp(LEAST, MOST);
        Listed { words: vec![0; 1 << bits.saturating_sub(6)], bits }
    }

    /// Where a number's bits are: the word, and the bit in it.
    fn places(&self, mark: u64) -> impl Iterator<Item = (usize, u64)> + use<> {
        let bits = self.bits;
        let mixed = mark.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (0..PROBES).map(move |probe| {
            let bit = mixed.rotate_left(probe.wrapping_mul(21)).wrapping_mul(0xd6e8_feb8_6659_fd93);
            let bit = bit >> 64_u32.saturating_sub(bits);
            (usize::try_from(bit >> 6).unwrap_or(0), 1 << (bit & 63))
        })
    }

    /// Adds a number by its mark.
    pub fn add(&mut self, mark: u64) {
        for (word, bit) in self.places(mark) {
            if let Some(word) = self.words.get_mut(word) {
                *word |= bit;
            }
        }
    }

    /// Whether a number may have been added; it has not where this says no.
    pub fn may_have(&self, serial: &[u8]) -> bool {
        self.places(mark(serial)).all(|(word, bit)| self.words.get(word).is_none_or(|word| word & bit != 0))
    }

    /// How many bytes of memory it takes.
    pub fn bytes(&self) -> usize {
        self.words.len().saturating_mul(8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_never_denied_and_most_of_the_rest_is() {
        let mut listed = Listed::of_size(25_000 * 36);
        assert!(!listed.may_have(&[1]));
        let serial = |n: u32| n.to_be_bytes();
        (0..25_000).for_each(|n| listed.add(mark(&serial(n))));
        assert!((0..25_000).all(|n| listed.may_have(&serial(n))));
        let mistaken = (25_000..50_000).filter(|n| listed.may_have(&serial(*n))).count();
        assert!(mistaken < 250, "{mistaken}");
    }
}
