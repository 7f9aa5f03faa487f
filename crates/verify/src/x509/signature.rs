//! What OpenSSL calculates: the public operation of RSA, ECDSA, and whether a private key is what it says.
//!
//! Its low-level calls, because EVP costs a new process 2.5 ms in OpenSSL 3.0 (it fetches providers), and because they
//! take numbers: whoever calls has read and checked every byte, so that C sees numbers and digests of known size, and no
//! encoding. What a signature must be is compared here, as a whole.

#![forbid(unsafe_code)]

use crate::x509::asn1::{Malformed, only, tag};
use crate::x509::digest;
use glexec_core::credentials::Digest;
use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::ec::{EcGroup, EcGroupRef, EcKey, EcPoint};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::rsa::{Padding, Rsa};

/// A public key of RSA: an odd modulus and an odd exponent from 3 to 2^32, without leading zeros.
#[derive(Clone, Copy, Debug)]
pub struct RsaKey<'a> {
    /// n.
    pub modulus: &'a [u8],
    /// e.
    pub exponent: &'a [u8],
}

/// The numbers of a private key of RSA that say all.
#[derive(Clone, Copy, Debug)]
pub struct RsaPrivateKey<'a> {
    /// d.
    pub exponent: &'a [u8],
    /// p.
    pub first_prime: &'a [u8],
    /// q.
    pub second_prime: &'a [u8],
}

impl RsaKey<'_> {
    /// Whether a signature of PKCS #1 v1.5 over a digest is this key's (RFC 8017 section 8.2.2).
    pub fn verifies(&self, digest: Digest, hash: &[u8], signature: &[u8]) -> bool {
        let length = self.modulus.len();
        let Some(expected) = padded(&[digest::info(digest), hash].concat(), length) else { return false };
        // A number that is not below the modulus is an error of OpenSSL's.
        signature.len() == length && self.power(signature).is_ok_and(|signed| signed == expected)
    }

    /// signature^e mod n (RFC 8017 section 5.2.2), as long as the modulus.
    fn power(&self, signature: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let key = Rsa::from_public_components(number(self.modulus)?, number(self.exponent)?)?;
        let mut signed = vec![0; self.modulus.len()];
        let length = key.public_decrypt(signature, &mut signed, Padding::NONE)?;
        signed.truncate(length);
        Ok(signed)
    }

    /// Whether a private key is this one's: p·q is n, and e·d is 1 modulo p-1 and q-1 (section 3.2). The factors of the
    /// modulus prove that somebody holds the private key as well as a signature does, for a hundredth of the time.
    pub fn is_of(&self, private: &RsaPrivateKey<'_>) -> bool {
        self.is_product_and_inverse(private).unwrap_or(false)
    }

    fn is_product_and_inverse(&self, private: &RsaPrivateKey<'_>) -> Result<bool, ErrorStack> {
        let mut context = BigNumContext::new()?;
        let (p, q, d) =
            (Secret::of(private.first_prime)?, Secret::of(private.second_prime)?, Secret::of(private.exponent)?);
        let (modulus, exponent) = (number(self.modulus)?, number(self.exponent)?);
        let mut product = Secret::of(&[])?;
        product.0.checked_mul(&p.0, &q.0, &mut context)?;
        let mut both = Secret::of(&[])?;
        both.0.checked_mul(&exponent, &d.0, &mut context)?;
        let mut undoes = |prime: &BigNumRef| {
            let (mut less, mut rest) = (Secret(prime.to_owned()?), Secret::of(&[])?);
            less.0.sub_word(1)?;
            rest.0.checked_rem(&both.0, &less.0, &mut context)?;
            Ok::<_, ErrorStack>(is_one(&rest.0))
        };
        let two = BigNum::from_u32(2)?;
        Ok(p.0 > two && q.0 > two && product.0 == modulus && undoes(&p.0)? && undoes(&q.0)?)
    }
}

/// The curves that are accepted (FIPS 186-5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    /// The curve as OpenSSL has it, and room for its calculations.
    fn open(self) -> Result<(EcGroup, BigNumContext), ErrorStack> {
        let group = EcGroup::from_curve_name(match self {
            Curve::P256 => Nid::X9_62_PRIME256V1,
            Curve::P384 => Nid::SECP384R1,
            Curve::P521 => Nid::SECP521R1,
        })?;
        Ok((group, BigNumContext::new()?))
    }

    /// How many octets its numbers have.
    pub fn size(self) -> usize {
        match self {
            Curve::P256 => 32,
            Curve::P384 => 48,
            Curve::P521 => 66,
        }
    }

    /// A number from one to below the order, in big-endian octets; `None` where it is another. Zeros may lead it.
    fn number(self, octets: &[u8], group: &EcGroupRef, context: &mut BigNumContext) -> Option<BigNum> {
        let significant = octets.iter().position(|octet| *octet != 0).and_then(|from| octets.get(from..))?;
        let mut order = BigNum::new().ok()?;
        group.order(&mut order, context).ok()?;
        let number = Some(significant).filter(|octets| octets.len() <= self.size()).map(number)?.ok()?;
        (number < order).then_some(number)
    }
}

/// A public key on an elliptic curve.
#[derive(Clone, Copy, Debug)]
pub struct EcPublicKey<'a> {
    pub curve: Curve,
    /// The point on it, uncompressed (SEC 1 section 2.3.3).
    pub point: &'a [u8],
}

impl EcPublicKey<'_> {
    /// Whether a signature in DER (RFC 3279 section 2.2.3) over a digest is this key's.
    pub fn verifies(&self, hash: &[u8], signature: &[u8]) -> Result<bool, Malformed> {
        pair(signature).map_or(Ok(false), |(r, s)| self.verifies_numbers(hash, r, s))
    }

    /// Whether a signature of a token, both numbers in the curve's full length one after the other, is this key's
    /// (RFC 7518 section 3.4).
    pub fn verifies_pair(&self, hash: &[u8], signature: &[u8]) -> Result<bool, Malformed> {
        match signature.split_at_checked(self.curve.size()) {
            Some((r, s)) if r.len() == s.len() => self.verifies_numbers(hash, r, s),
            _ => Ok(false),
        }
    }

    fn verifies_numbers(&self, hash: &[u8], r: &[u8], s: &[u8]) -> Result<bool, Malformed> {
        let (group, mut context) = self.curve.open().map_err(broken)?;
        let point = self.point(&group, &mut context)?;
        let mut number = |octets| self.curve.number(octets, &group, &mut context);
        let (Some(r), Some(s)) = (number(r), number(s)) else { return Ok(false) };
        // Of a digest that is longer than the curve's numbers the left part counts (FIPS 186-5 section 6.4.2).
        let hash = hash.get(..self.curve.size()).unwrap_or(hash);
        let key = EcKey::from_public_key(&group, &point).map_err(broken)?;
        let signature = EcdsaSig::from_private_components(r, s).map_err(broken)?;
        signature.verify(hash, &key).map_err(broken)
    }

    /// Whether a private key, a number in big-endian octets, is this one's.
    pub fn is_of(&self, private: &[u8]) -> Result<bool, Malformed> {
        let (group, mut context) = self.curve.open().map_err(broken)?;
        let point = self.point(&group, &mut context)?;
        let Some(private) = self.curve.number(private, &group, &mut context).map(Secret) else { return Ok(false) };
        let mut own = EcPoint::new(&group).map_err(broken)?;
        own.mul_generator2(&group, &private.0, &mut context).map_err(broken)?;
        own.eq(&group, &point, &mut context).map_err(broken)
    }

    /// The point of the key, which must be on its curve and not at infinity: every such point of these curves is of their
    /// order, since their cofactor is one.
    fn point(&self, group: &EcGroupRef, context: &mut BigNumContext) -> Result<EcPoint, Malformed> {
        let size = self.curve.size();
        let uncompressed =
            self.point.first() == Some(&4) && self.point.len() == size.saturating_mul(2).saturating_add(1);
        let not_valid = Malformed("a public key is not valid");
        match uncompressed {
            true => EcPoint::from_bytes(group, self.point, context).map_err(|_| not_valid),
            false => Err(not_valid),
        }
    }
}

/// OpenSSL could not calculate, for lack of memory: nothing is accepted then.
fn broken(_: ErrorStack) -> Malformed {
    Malformed("OpenSSL could not calculate with it")
}

/// The two numbers of a signature. Only DER is one: a certificate must not have several encodings.
fn pair(signature: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut values = only(signature, tag::SEQUENCE)?.inside()?;
    let numbers = (values.unsigned()?, values.unsigned()?);
    values.end()?;
    Ok(numbers)
}

/// A number of a private key: overwritten when it is let go.
struct Secret(BigNum);

impl Secret {
    fn of(octets: &[u8]) -> Result<Self, ErrorStack> {
        number(octets).map(Secret)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.clear();
    }
}

fn number(octets: &[u8]) -> Result<BigNum, ErrorStack> {
    BigNum::from_slice(octets)
}

fn is_one(number: &BigNumRef) -> bool {
    number.num_bits() == 1
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
    use openssl::ec::PointConversionForm;

    #[test]
    fn the_number_of_an_elliptic_private_key_is_of_its_own_point_only() {
        for curve in [Curve::P256, Curve::P384, Curve::P521] {
            let (group, mut context) = curve.open().unwrap();
            let keys = [EcKey::generate(&group).unwrap(), EcKey::generate(&group).unwrap()];
            let [mine, other] = keys.each_ref().map(|key| key.private_key().to_vec());
            let point = keys[0].public_key().to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context).unwrap();
            let mut order = BigNum::new().unwrap();
            group.order(&mut order, &mut context).unwrap();
            let more = (&order + keys[0].private_key()).to_vec();
            let ours = EcPublicKey { curve, point: &point };
            assert_eq!(ours.is_of(&mine), Ok(true), "{curve:?}");
            assert_eq!(ours.is_of(&[&[0; 9], &mine[..]].concat()), Ok(true), "{curve:?}: zeros before it");
            for (what, number) in
                [("another", other), ("none", vec![]), ("zero", vec![0; 9]), ("the order", order.to_vec())]
            {
                assert_eq!(ours.is_of(&number), Ok(false), "{curve:?}: {what}");
            }
            assert_eq!(ours.is_of(&more), Ok(false), "{curve:?}: the same modulo the order");
            assert_eq!(ours.is_of(&[0xff; 67]), Ok(false), "{curve:?}: too long");
            let mut bent = point.clone();
            *bent.last_mut().unwrap() ^= 1;
            assert!(EcPublicKey { curve, point: &bent }.is_of(&mine).is_err(), "{curve:?}: not on the curve");
        }
    }
}
