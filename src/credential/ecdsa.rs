//! ECDSA on the three curves of NIST that are accepted (FIPS 186-5): signatures, and whether a private key is what it
//! says.

#![forbid(unsafe_code)]

use crate::credential::asn1::{Malformed, only, tag};
use ecdsa::elliptic_curve::generic_array::ArrayLength;
use ecdsa::elliptic_curve::sec1::{FromEncodedPoint, ModulusSize, ToEncodedPoint};
use ecdsa::elliptic_curve::{
    self, AffinePoint, CurveArithmetic, FieldBytes, FieldBytesSize, NonZeroScalar, PrimeCurve,
};
use ecdsa::{Signature, SignatureSize, hazmat};
use p256::NistP256;
use p384::NistP384;
use p521::NistP521;

/// The curves that are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// P-256.
    P256,
    /// P-384.
    P384,
    /// P-521.
    P521,
}

/// A public key.
#[derive(Clone, Copy, Debug)]
pub struct PublicKey<'a> {
    /// The curve.
    pub curve: Curve,
    /// The point on it, uncompressed (SEC 1 section 2.3.3).
    pub point: &'a [u8],
}

impl PublicKey<'_> {
    /// Whether a signature in DER (RFC 3279 section 2.2.3) over a digest is this key's.
    pub fn verifies(&self, hash: &[u8], signature: &[u8]) -> Result<bool, Malformed> {
        match self.curve {
            Curve::P256 => verifies::<NistP256>(self.point, hash, signature),
            Curve::P384 => verifies::<NistP384>(self.point, hash, signature),
            Curve::P521 => verifies::<NistP521>(self.point, hash, signature),
        }
    }

    /// Whether a private key, a number in big-endian octets, is this one's.
    pub fn is_of(&self, private: &[u8]) -> Result<bool, Malformed> {
        match self.curve {
            Curve::P256 => is_of::<NistP256>(self.point, private),
            Curve::P384 => is_of::<NistP384>(self.point, private),
            Curve::P521 => is_of::<NistP521>(self.point, private),
        }
    }
}

fn verifies<C>(point: &[u8], hash: &[u8], signature: &[u8]) -> Result<bool, Malformed>
where
    C: PrimeCurve + CurveArithmetic,
    AffinePoint<C>: FromEncodedPoint<C> + ToEncodedPoint<C>,
    FieldBytesSize<C>: ModulusSize,
    SignatureSize<C>: ArrayLength<u8>,
{
    let key = decoded::<C>(point)?;
    let Ok((r, s)) = numbers(signature) else { return Ok(false) };
    let (Some(r), Some(s)) = (field::<C>(r), field::<C>(s)) else { return Ok(false) };
    // Of a digest that is longer than the curve's numbers the left part counts (FIPS 186-5 section 6.4.2).
    let size = FieldBytes::<C>::default().len();
    let hash = field::<C>(hash.get(..size).unwrap_or(hash)).unwrap_or_default();
    // Numbers that are zero or not below the order make no signature.
    let Ok(signature) = Signature::<C>::from_scalars(r, s) else { return Ok(false) };
    Ok(hazmat::verify_prehashed(&key.to_projective(), &hash, &signature).is_ok())
}

/// The two numbers of a signature. Only DER is one: a certificate must not have several encodings.
fn numbers(signature: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut values = only(signature, tag::SEQUENCE)?.inside()?;
    let numbers = (values.unsigned()?, values.unsigned()?);
    values.end()?;
    Ok(numbers)
}

fn is_of<C>(point: &[u8], private: &[u8]) -> Result<bool, Malformed>
where
    C: PrimeCurve + CurveArithmetic,
    AffinePoint<C>: FromEncodedPoint<C> + ToEncodedPoint<C>,
    FieldBytesSize<C>: ModulusSize,
{
    let key = decoded::<C>(point)?;
    let private = field::<C>(private).and_then(|number| Option::from(NonZeroScalar::<C>::from_repr(number)));
    Ok(private.is_some_and(|private| elliptic_curve::PublicKey::from_secret_scalar(&private) == key))
}

/// The point of a key, which must be on its curve and not at infinity.
fn decoded<C>(point: &[u8]) -> Result<elliptic_curve::PublicKey<C>, Malformed>
where
    C: PrimeCurve + CurveArithmetic,
    AffinePoint<C>: FromEncodedPoint<C> + ToEncodedPoint<C>,
    FieldBytesSize<C>: ModulusSize,
{
    elliptic_curve::PublicKey::from_sec1_bytes(point).map_err(|_| Malformed("a public key is not valid"))
}

/// A number, in big-endian octets, as a curve has them; `None` where it is too long.
fn field<C: PrimeCurve>(number: &[u8]) -> Option<FieldBytes<C>> {
    let significant =
        number.iter().position(|octet| *octet != 0).and_then(|from| number.get(from..)).unwrap_or_default();
    let mut field = FieldBytes::<C>::default();
    let from = field.len().checked_sub(significant.len())?;
    field.get_mut(from..)?.copy_from_slice(significant);
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::credentials::Digest;
    use crate::credential::digest;
    use openssl::bn::{BigNum, BigNumContext};
    use openssl::ec::{EcGroup, EcKey, PointConversionForm};
    use openssl::ecdsa::EcdsaSig;
    use openssl::nid::Nid;
    use openssl::pkey::Private;

    const CURVES: [(Curve, Nid); 3] =
        [(Curve::P256, Nid::X9_62_PRIME256V1), (Curve::P384, Nid::SECP384R1), (Curve::P521, Nid::SECP521R1)];

    fn key(nid: Nid) -> (EcKey<Private>, Vec<u8>) {
        let group = EcGroup::from_curve_name(nid).unwrap();
        let key = EcKey::generate(&group).unwrap();
        let mut context = BigNumContext::new().unwrap();
        let point = key.public_key().to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context).unwrap();
        (key, point)
    }

    #[test]
    fn what_openssl_signs_with_any_digest_on_any_curve_is_verified_and_nothing_else() {
        for (curve, nid) in CURVES {
            let ((key, point), (_, strange)) = (key(nid), key(nid));
            let (ours, other) = (PublicKey { curve, point: &point }, PublicKey { curve, point: &strange });
            for digest in [Digest::Sha1, Digest::Sha224, Digest::Sha256, Digest::Sha384, Digest::Sha512] {
                let hash = digest::of(digest, b"glexec");
                let signature = EcdsaSig::sign(&hash, &key).unwrap();
                let der = signature.to_der().unwrap();
                assert_eq!(ours.verifies(&hash, &der), Ok(true), "{curve:?} {digest:?}");
                assert_eq!(other.verifies(&hash, &der), Ok(false), "{curve:?} {digest:?}: the key of another");
                assert_eq!(ours.verifies(&digest::of(digest, b"other"), &der), Ok(false), "{curve:?} {digest:?}");
            }
        }
    }

    #[test]
    fn numbers_out_of_range_make_no_signature() {
        for (curve, nid) in CURVES {
            let (key, point) = key(nid);
            let ours = PublicKey { curve, point: &point };
            let hash = digest::of(Digest::Sha256, b"glexec");
            let good = EcdsaSig::sign(&hash, &key).unwrap();
            let mut order = BigNum::new().unwrap();
            key.group().order(&mut order, &mut BigNumContext::new().unwrap()).unwrap();
            let copy = |n: &openssl::bn::BigNumRef| n.to_owned().unwrap();
            let with = |r: BigNum, s: BigNum| EcdsaSig::from_private_components(r, s).unwrap().to_der().unwrap();
            let zero = || BigNum::from_u32(0).unwrap();
            for bad in [
                with(zero(), copy(good.s())),
                with(copy(good.r()), zero()),
                with(copy(&order), copy(good.s())),
                with(&copy(good.r()) + &order, copy(good.s())),
                with(copy(good.r()), &copy(good.s()) + &order),
                with(&copy(&order) << 300, copy(good.s())),
            ] {
                assert_ne!(ours.verifies(&hash, &bad), Ok(true), "{curve:?}");
            }
            let der = good.to_der().unwrap();
            assert_eq!(ours.verifies(&hash, &der), Ok(true));
            assert_eq!(ours.verifies(&hash, &[&der[..], &[0]].concat()), Ok(false), "something after it");
        }
    }

    #[test]
    fn a_private_key_is_of_its_own_point_only() {
        for (curve, nid) in CURVES {
            let ((key, point), (other, _)) = (key(nid), key(nid));
            let ours = PublicKey { curve, point: &point };
            assert_eq!(ours.is_of(&key.private_key().to_vec()), Ok(true), "{curve:?}");
            assert_eq!(ours.is_of(&[&[0; 9], &key.private_key().to_vec()[..]].concat()), Ok(true), "{curve:?}: zeros");
            assert_eq!(ours.is_of(&other.private_key().to_vec()), Ok(false), "{curve:?}");
            assert_eq!(ours.is_of(&[]), Ok(false), "{curve:?}: zero");
            assert_eq!(ours.is_of(&[0xff; 66]), Ok(false), "{curve:?}: more than the order");
            let mut bent = point.clone();
            *bent.last_mut().unwrap() ^= 1;
            assert!(PublicKey { curve, point: &bent }.is_of(&key.private_key().to_vec()).is_err(), "not on the curve");
        }
    }
}
