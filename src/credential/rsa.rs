//! The arithmetic of RSA (RFC 8017): the public operation, and whether a private key is what it says.

#![forbid(unsafe_code)]

use crate::config::credentials::Digest;
use crate::credential::digest;
use num_bigint::BigUint;

/// A public key: an odd modulus and an odd exponent from 3 to 2^32, without leading zeros.
#[derive(Clone, Copy, Debug)]
pub struct PublicKey<'a> {
    /// n.
    pub modulus: &'a [u8],
    /// e.
    pub exponent: &'a [u8],
}

/// The numbers of a private key that say all.
#[derive(Clone, Copy, Debug)]
pub struct PrivateKey<'a> {
    /// d.
    pub exponent: &'a [u8],
    /// p.
    pub first_prime: &'a [u8],
    /// q.
    pub second_prime: &'a [u8],
}

impl PublicKey<'_> {
    /// Whether a signature of PKCS #1 v1.5 over a digest is this key's (RFC 8017 section 8.2.2).
    pub fn verifies(&self, digest: Digest, hash: &[u8], signature: &[u8]) -> bool {
        signature.len() == self.modulus.len()
            && self.power(signature).is_some_and(|signed| {
                let expected = padded(&[digest::info(digest), hash].concat(), self.modulus.len());
                expected.is_some_and(|expected| signed == BigUint::from_bytes_be(&expected))
            })
    }

    /// signature^e mod n (section 5.2.2), by squaring; `None` where the signature is no number below n. All of it is
    /// public, so that the time it takes may depend on the numbers.
    #[expect(clippy::arithmetic_side_effects, reason = "numbers of any size do not overflow, and the modulus is odd")]
    fn power(&self, signature: &[u8]) -> Option<BigUint> {
        let (modulus, exponent) = (number(self.modulus), number(self.exponent));
        let signature = Some(number(signature)).filter(|signature| *signature < modulus)?;
        let bits = exponent.bits().checked_sub(1)?;
        Some((0..bits).rev().fold(signature.clone(), |power, bit| {
            let square = &power * &power % &modulus;
            if exponent.bit(bit) { square * &signature % &modulus } else { square }
        }))
    }

    /// Whether a private key is this one's: p·q is n, and e·d is 1 modulo p-1 and q-1 (section 3.2). The factors of the
    /// modulus prove that somebody holds the private key as well as a signature does, for a hundredth of the time.
    #[expect(clippy::arithmetic_side_effects, reason = "the primes are greater than two before one is taken away")]
    pub fn is_of(&self, private: &PrivateKey<'_>) -> bool {
        let one = BigUint::from(1_u32);
        let (p, q) = (number(private.first_prime), number(private.second_prime));
        let both = number(self.exponent) * number(private.exponent);
        let undoes = |prime: &BigUint| &both % (prime - &one) == &one % (prime - &one);
        let two = BigUint::from(2_u32);
        p > two && q > two && &p * &q == number(self.modulus) && undoes(&p) && undoes(&q)
    }
}

fn number(magnitude: &[u8]) -> BigUint {
    BigUint::from_bytes_be(magnitude)
}

/// EMSA-PKCS1-v1_5 (RFC 8017 section 9.2). What was signed is compared with this as a whole and never parsed, which is
/// where others erred (CVE-2006-4339).
fn padded(info: &[u8], length: usize) -> Option<Vec<u8>> {
    let filling = length.checked_sub(info.len())?.checked_sub(3).filter(|filling| *filling >= 8)?;
    Some([&[0, 1][..], &vec![0xff; filling], &[0], info].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::rsa::{Padding, Rsa};

    #[test]
    fn the_public_operation_is_openssl_s_for_every_size_and_exponent() {
        for (bits, exponent) in [(2048, 3_u32), (2048, 65537), (2056, 65537), (3072, 0xffff_ffff), (4096, 17)] {
            let exponent = openssl::bn::BigNum::from_u32(exponent).unwrap();
            let Ok(key) = Rsa::generate_with_e(bits, &exponent) else { continue };
            let (n, e) = (key.n().to_vec(), key.e().to_vec());
            let ours = PublicKey { modulus: &n, exponent: &e };
            for byte in [0, 1, 0x55, 0x7f] {
                let number = vec![byte; n.len()];
                let mut theirs = vec![0; n.len()];
                key.public_decrypt(&number, &mut theirs, Padding::NONE).unwrap();
                assert_eq!(ours.power(&number), Some(BigUint::from_bytes_be(&theirs)), "{bits} {byte}");
            }
            assert_eq!(ours.power(&n), None, "not below the modulus");
        }
    }

    #[test]
    fn a_signature_is_as_long_as_the_modulus_and_right_in_every_bit() {
        let key = Rsa::generate(2048).unwrap();
        let (n, e) = (key.n().to_vec(), key.e().to_vec());
        let ours = PublicKey { modulus: &n, exponent: &e };
        let hash = digest::of(Digest::Sha256, b"glexec");
        let block = padded(&[digest::info(Digest::Sha256), &hash].concat(), n.len()).unwrap();
        let sign = |block: &[u8]| {
            let mut signature = vec![0; n.len()];
            key.private_encrypt(block, &mut signature, Padding::NONE).unwrap();
            signature
        };
        let signature = sign(&block);
        assert!(ours.verifies(Digest::Sha256, &hash, &signature));
        assert!(!ours.verifies(Digest::Sha384, &hash, &signature), "another digest");
        assert!(!ours.verifies(Digest::Sha256, &hash, &[&[0], &signature[..]].concat()), "a zero more");
        for at in 0..block.len() {
            let mut bent = block.clone();
            bent[at] ^= if at == 0 { 0 } else { 1 };
            assert_eq!(ours.verifies(Digest::Sha256, &hash, &sign(&bent)), at == 0, "byte {at}");
        }
    }
}
