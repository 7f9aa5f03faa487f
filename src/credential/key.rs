//! Keys and signatures: which are accepted, and the only calls into OpenSSL.
//!
//! OpenSSL gets a public key whose kind, size and encoding were checked here, the signed bytes and the signature; and
//! the private key of the leaf, which has to prove itself.

#![forbid(unsafe_code)]

use crate::config::credentials::{Credentials, Digest};
use crate::credential::asn1::{Cursor, Malformed, number, only, tag};
use crate::credential::certificate::{Algorithm, Signed};
use crate::credential::digest;
use crate::credential::pem::{KeyFormat, PrivateKey};
use der::oid::ObjectIdentifier;
use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private, Public};
use openssl::rsa::{Padding, Rsa};

/// Largest RSA modulus: verification grows with its square.
const MAX_RSA_BITS: usize = 8192;
/// Largest RSA exponent; real ones are 3, 17 or 65537.
const MAX_EXPONENT: u64 = 1 << 32;

/// Why a key or a signature is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The public key cannot be parsed.
    Malformed(&'static str),
    /// The public key is of a kind or size that is not accepted.
    WeakKey(String),
    /// The signature algorithm is not accepted.
    WeakDigest(String),
    /// The signature is wrong.
    Signature,
}

impl From<Malformed> for Fault {
    fn from(Malformed(what): Malformed) -> Self {
        Fault::Malformed(what)
    }
}

/// Kinds of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rsa,
    Ec,
}

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// Curves and the length of their uncompressed points.
const CURVES: &[(ObjectIdentifier, Nid, usize)] = &[
    (ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), Nid::X9_62_PRIME256V1, 65),
    (ObjectIdentifier::new_unwrap("1.3.132.0.34"), Nid::SECP384R1, 97),
    (ObjectIdentifier::new_unwrap("1.3.132.0.35"), Nid::SECP521R1, 133),
];

/// An accepted public key.
enum Accepted<'a> {
    Rsa { modulus: &'a [u8], exponent: &'a [u8] },
    Ec { curve: Nid, point: &'a [u8] },
}

impl Accepted<'_> {
    fn kind(&self) -> Kind {
        match self {
            Accepted::Rsa { .. } => Kind::Rsa,
            Accepted::Ec { .. } => Kind::Ec,
        }
    }

    /// Made from its parts: OpenSSL's decoders take four times as long as the verification of a signature.
    fn load(&self) -> Result<Loaded, ErrorStack> {
        match self {
            Accepted::Rsa { modulus, exponent } => {
                let (n, e) = (BigNum::from_slice(modulus)?, BigNum::from_slice(exponent)?);
                Rsa::from_public_components(n, e).map(Loaded::Rsa)
            }
            Accepted::Ec { curve, point } => {
                let group = EcGroup::from_curve_name(*curve)?;
                let point = EcPoint::from_bytes(&group, point, &mut *BigNumContext::new()?)?;
                EcKey::from_public_key(&group, &point).map(Loaded::Ec)
            }
        }
    }
}

/// A public key in OpenSSL's hands.
enum Loaded {
    Rsa(Rsa<Public>),
    Ec(EcKey<Public>),
}

impl Loaded {
    /// Whether a signature is this key's.
    fn verifies(&self, digest: Digest, body: &[u8], signature: &[u8]) -> Result<bool, ErrorStack> {
        let hash = digest::of(digest, body);
        match self {
            Loaded::Rsa(key) => {
                let mut signed = vec![0; usize::try_from(key.size()).unwrap_or(0)];
                let length = key.public_decrypt(signature, &mut signed, Padding::NONE)?;
                Ok(length == signed.len() && padded(&[digest::info(digest), &hash].concat(), length) == Some(signed))
            }
            Loaded::Ec(key) => {
                let values = EcdsaSig::from_der(signature)?;
                // Only DER is a signature: one certificate must not have several encodings.
                Ok(values.to_der()? == signature && values.verify(&hash, key)?)
            }
        }
    }
}

/// EMSA-PKCS1-v1_5 (RFC 8017 section 9.2). What was signed is compared with this as a whole and never parsed, which is
/// where others erred (CVE-2006-4339).
fn padded(info: &[u8], length: usize) -> Option<Vec<u8>> {
    let filling = length.checked_sub(info.len())?.checked_sub(3).filter(|filling| *filling >= 8)?;
    Some([&[0, 1][..], &vec![0xff; filling], &[0], info].concat())
}

/// DER of NULL.
const NULL: &[u8] = &[tag::NULL, 0];

/// RSA PKCS #1 v1.5 (RFC 8017) and ECDSA (RFC 5758); RSA-PSS and Ed25519 are not here, and so refused.
const ALGORITHMS: &[(ObjectIdentifier, Kind, Digest)] = &[
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5"), Kind::Rsa, Digest::Sha1),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.14"), Kind::Rsa, Digest::Sha224),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11"), Kind::Rsa, Digest::Sha256),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12"), Kind::Rsa, Digest::Sha384),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13"), Kind::Rsa, Digest::Sha512),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.1"), Kind::Ec, Digest::Sha1),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.1"), Kind::Ec, Digest::Sha224),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"), Kind::Ec, Digest::Sha256),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3"), Kind::Ec, Digest::Sha384),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4"), Kind::Ec, Digest::Sha512),
];

/// Checks that a SubjectPublicKeyInfo holds a key that is accepted: RSA of `min_rsa_bits` to 8192 bits with an odd
/// exponent from 3 to 2^32, or a point on P-256, P-384 or P-521 by name.
pub fn check(spki: &[u8], policy: &Credentials) -> Result<(), Fault> {
    accepted(spki, policy.min_rsa_bits).map(|_| ())
}

fn accepted(spki: &[u8], min_rsa_bits: u32) -> Result<Accepted<'_>, Fault> {
    let mut fields = only(spki, tag::SEQUENCE)?.inside()?;
    let algorithm = Algorithm::read(&mut fields)?;
    let key = fields.octets()?;
    fields.end()?;
    match algorithm.oid {
        RSA if algorithm.parameters == NULL => accepted_rsa(key, min_rsa_bits),
        EC => accepted_point(&algorithm.parameters, key),
        other => Err(Fault::WeakKey(format!("keys of kind {other} are not accepted"))),
    }
}

fn accepted_rsa(key: &[u8], min_rsa_bits: u32) -> Result<Accepted<'_>, Fault> {
    let mut fields = only(key, tag::SEQUENCE)?.inside()?;
    let (modulus, exponent) = (fields.unsigned()?, fields.unsigned()?);
    let usual = number(exponent).is_some_and(|e| (3..=MAX_EXPONENT).contains(&e) && e % 2 == 1);
    fields.end()?;
    let zeros = modulus.first().map_or(0, |b| b.leading_zeros());
    let bits = modulus.len().saturating_mul(8).saturating_sub(usize::try_from(zeros).unwrap_or(0));
    let least = usize::try_from(min_rsa_bits).unwrap_or(usize::MAX);
    if bits < least {
        return Err(Fault::WeakKey(format!("an RSA key of {bits} bits is too short (min_rsa_bits = {least})")));
    }
    if bits > MAX_RSA_BITS {
        return Err(Fault::WeakKey(format!("an RSA key of {bits} bits is too long (at most {MAX_RSA_BITS})")));
    }
    let odd = modulus.last().is_some_and(|b| b % 2 == 1);
    match usual && odd {
        true => Ok(Accepted::Rsa { modulus, exponent }),
        false => Err(Fault::WeakKey("an RSA key with an unusual modulus or exponent is not accepted".into())),
    }
}

fn accepted_point<'a>(parameters: &[u8], point: &'a [u8]) -> Result<Accepted<'a>, Fault> {
    let named = Cursor::new(parameters)?.oid();
    let known = named.ok().and_then(|oid| CURVES.iter().find(|(curve, _, _)| *curve == oid));
    match (known, point.first()) {
        (Some((_, curve, length)), Some(0x04)) if point.len() == *length => Ok(Accepted::Ec { curve: *curve, point }),
        (Some(_), _) => Err(Fault::WeakKey("an elliptic curve point must be uncompressed".into())),
        (None, _) => Err(Fault::WeakKey("an elliptic curve other than P-256, P-384, P-521 is not accepted".into())),
    }
}

/// Checks the algorithm of a signature against `digests`, the issuer's key, then the signature itself.
pub fn verify<Bytes: AsRef<[u8]>>(
    signed: &Signed<Bytes>,
    issuer_spki: &[u8],
    policy: &Credentials,
) -> Result<(), Fault> {
    let oid = signed.algorithm.oid;
    let known = ALGORITHMS.iter().find(|(known, _, _)| *known == oid);
    let Some((_, wanted, digest)) = known.filter(|(_, _, digest)| policy.digests.contains(digest)) else {
        return Err(Fault::WeakDigest(format!("the signature algorithm {oid} is not accepted (digests)")));
    };
    let parameters = signed.algorithm.parameters.as_slice();
    if !(parameters.is_empty() || (*wanted == Kind::Rsa && parameters == NULL)) {
        return Err(Fault::WeakDigest(format!("the signature algorithm {oid} has parameters that it must not have")));
    }
    let key = accepted(issuer_spki, policy.min_rsa_bits)?;
    if key.kind() != *wanted {
        return Err(Fault::Signature);
    }
    let key = key.load().map_err(|_| Fault::Malformed("a public key is not valid"))?;
    // An error of OpenSSL's says that the numbers of the signature are out of range.
    match key.verifies(*digest, signed.body.as_ref(), signed.signature.as_ref()) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(Fault::Signature),
    }
}

/// Whether a private key is the one of a public key that [`check`] accepted.
///
/// Comparing the public halves would not do: a key file holds both, and nothing ties them together. An RSA key proves
/// itself by the factors of the modulus and a private exponent that undoes the public one, which costs microseconds where
/// signing costs a millisecond; an EC key signs what the public key verifies.
pub fn proves_possession(key: &PrivateKey, spki: &[u8]) -> Result<bool, Malformed> {
    let bad = || Malformed("the private key cannot be parsed");
    if !fits(key, spki)? {
        return Ok(false);
    }
    let private = load(key).ok_or_else(bad)?;
    let public = accepted(spki, 0).map_err(|_| bad())?;
    match (&public, private.rsa(), private.ec_key()) {
        (Accepted::Rsa { modulus, exponent }, Ok(private), _) => {
            Ok(is_factored(&private, modulus, exponent).unwrap_or(false))
        }
        (Accepted::Ec { .. }, _, Ok(private)) => {
            let public = public.load().map_err(|_| Malformed("the public key is not a point of its curve"))?;
            Ok(signs(&private, &public).unwrap_or(false))
        }
        _ => Ok(false),
    }
}

/// Whether p·q is the public modulus and e·d is 1 modulo p-1 and q-1 (RFC 8017 section 3.2).
fn is_factored(private: &Rsa<Private>, modulus: &[u8], exponent: &[u8]) -> Result<bool, ErrorStack> {
    let (Some(p), Some(q)) = (private.p(), private.q()) else { return Ok(false) };
    let (n, e) = (BigNum::from_slice(modulus)?, BigNum::from_slice(exponent)?);
    let (one, mut context) = (BigNum::from_u32(1)?, BigNumContext::new_secure()?);
    let mut product = BigNum::new_secure()?;
    product.checked_mul(p, q, &mut context)?;
    let mut inverse = |prime: &BigNumRef| {
        let mut less = BigNum::new_secure()?;
        less.checked_sub(prime, &one)?;
        let mut rest = BigNum::new_secure()?;
        rest.mod_mul(&e, private.d(), &less, &mut context)?;
        Ok::<_, ErrorStack>(rest == one)
    };
    Ok(*p > *one && *q > *one && product == n && inverse(p)? && inverse(q)?)
}

fn signs(private: &EcKey<Private>, public: &Loaded) -> Result<bool, ErrorStack> {
    let message = b"glexec: proof that this process holds the private key of the leaf certificate";
    let signature = EcdsaSig::sign(&digest::of(Digest::Sha256, message), private)?.to_der()?;
    public.verifies(Digest::Sha256, message, &signature)
}

fn load(key: &PrivateKey) -> Option<PKey<Private>> {
    let rsa = |der: &[u8]| Rsa::private_key_from_der(der).and_then(PKey::from_rsa).ok();
    match key.format {
        KeyFormat::Pkcs1 => rsa(&key.der),
        KeyFormat::Pkcs8 => match pkcs8_of_rsa(&key.der) {
            Some(der) => rsa(der),
            None => PKey::private_key_from_pkcs8(&key.der).ok(),
        },
        KeyFormat::Sec1 => EcKey::private_key_from_der(&key.der).and_then(PKey::from_ec_key).ok(),
    }
}

/// The PKCS #1 key inside a PKCS #8 one (RFC 5958 section 2), where it is an RSA key.
fn pkcs8_of_rsa(der: &[u8]) -> Option<&[u8]> {
    let mut fields = only(der, tag::SEQUENCE).ok()?.inside().ok()?;
    fields.take(tag::INTEGER).ok()?;
    let algorithm = Algorithm::read(&mut fields).ok()?;
    (algorithm.oid == RSA).then_some(())?;
    fields.take(tag::OCTET_STRING).ok().map(|inner| inner.value)
}

/// Whether a private key is of the kind and size of a public one, so that signing with it costs what it should: OpenSSL
/// takes exponents and factors as long as they come. This also keeps curves with parameters of the sender's own making
/// away from it (CVE-2022-0778 was one of their bugs).
fn fits(key: &PrivateKey, spki: &[u8]) -> Result<bool, Malformed> {
    let mut public = only(spki, tag::SEQUENCE)?.inside()?;
    let algorithm = Algorithm::read(&mut public)?;
    let public = public.octets()?;
    match key.format {
        KeyFormat::Pkcs1 => Ok(algorithm.oid == RSA && fits_rsa(&key.der, public)?),
        KeyFormat::Sec1 => Ok(fits_sec1(&key.der, &algorithm.parameters)? && algorithm.oid == EC),
        KeyFormat::Pkcs8 => {
            let mut fields = only(&key.der, tag::SEQUENCE)?.inside()?;
            fields.take(tag::INTEGER)?;
            let wrapped = Algorithm::read(&mut fields)?;
            let inner = fields.take(tag::OCTET_STRING)?.value;
            match wrapped.oid {
                RSA => Ok(algorithm.oid == RSA && fits_rsa(inner, public)?),
                EC => {
                    Cursor::new(&wrapped.parameters)?.oid().map_err(|_| CURVE)?;
                    Ok(fits_sec1(inner, &wrapped.parameters)? && wrapped == algorithm)
                }
                _ => Err(Malformed("the private key is neither of RSA nor on an elliptic curve")),
            }
        }
    }
}

const CURVE: Malformed = Malformed("the private key's curve is not given by name");

/// RFC 8017 appendix A.1.2: version 0 (two primes), modulus and public exponent as in the public key, the private
/// exponent no longer than the modulus, the primes and what belongs to them no longer than half of it.
fn fits_rsa(private: &[u8], public: &[u8]) -> Result<bool, Malformed> {
    let mut public = only(public, tag::SEQUENCE)?.inside()?;
    let mut fields = only(private, tag::SEQUENCE)?.inside()?;
    if fields.unsigned()? != [0] {
        return Err(Malformed("the private key has more than two primes"));
    }
    let modulus = fields.unsigned()?;
    if modulus != public.unsigned()? || fields.unsigned()? != public.unsigned()? {
        return Ok(false);
    }
    let half = modulus.len().div_ceil(2);
    for most in [modulus.len(), half, half, half, half, half] {
        if fields.unsigned()?.len() > most {
            return Err(Malformed("a number in the private key is longer than its modulus allows"));
        }
    }
    fields.end()?;
    Ok(true)
}

/// RFC 5915: version, key, `[0]` parameters, `[1]` public key. Whether the parameters, where they are there, are these.
fn fits_sec1(der: &[u8], parameters: &[u8]) -> Result<bool, Malformed> {
    let mut fields = only(der, tag::SEQUENCE)?.inside()?;
    fields.take(tag::INTEGER)?;
    fields.take(tag::OCTET_STRING)?;
    match fields.optional(tag::constructed(0))? {
        Some(own) => {
            own.inside()?.oid().map_err(|_| CURVE)?;
            Ok(own.value == parameters)
        }
        None => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::ec::EcGroup;
    use openssl::nid::Nid;
    use zeroize::Zeroizing;

    fn rsa(bits: u32) -> PKey<Private> {
        PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
    }

    fn ec(curve: Nid) -> PKey<Private> {
        PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(curve).unwrap()).unwrap()).unwrap()
    }

    fn is_accepted(key: &PKey<Private>) -> bool {
        check(&key.public_key_to_der().unwrap(), &Credentials::default()).is_ok()
    }

    #[test]
    fn rsa_from_2048_bits_and_the_three_nist_curves_are_accepted() {
        assert!(is_accepted(&rsa(2048)));
        assert!(is_accepted(&ec(Nid::X9_62_PRIME256V1)));
        assert!(is_accepted(&ec(Nid::SECP384R1)));
        assert!(is_accepted(&ec(Nid::SECP521R1)));
        assert!(!is_accepted(&rsa(1024)));
        assert!(!is_accepted(&rsa(2040)));
        assert!(!is_accepted(&ec(Nid::SECP256K1)));
        assert!(!is_accepted(&PKey::generate_ed25519().unwrap()));
    }

    #[test]
    fn a_curve_with_explicit_parameters_is_refused() {
        let mut group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        group.set_asn1_flag(openssl::ec::Asn1Flag::EXPLICIT_CURVE);
        let key = EcKey::generate(&group).unwrap();
        let der = Zeroizing::new(key.private_key_to_der().unwrap());
        let pkey = PKey::from_ec_key(key).unwrap();
        assert!(!is_accepted(&pkey));
        let spki = ec(Nid::X9_62_PRIME256V1).public_key_to_der().unwrap();
        assert!(proves_possession(&PrivateKey { format: KeyFormat::Sec1, der }, &spki).is_err());
        let der = Zeroizing::new(pkey.private_key_to_pkcs8().unwrap());
        assert!(proves_possession(&PrivateKey { format: KeyFormat::Pkcs8, der }, &spki).is_err());
    }

    #[test]
    fn every_key_format_proves_possession_of_its_own_key_only() {
        let (one, two, curve) = (rsa(2048), rsa(2048), ec(Nid::SECP384R1));
        let keys = [
            (KeyFormat::Pkcs1, one.rsa().unwrap().private_key_to_der().unwrap(), &one),
            (KeyFormat::Pkcs8, one.private_key_to_pkcs8().unwrap(), &one),
            (KeyFormat::Sec1, curve.ec_key().unwrap().private_key_to_der().unwrap(), &curve),
            (KeyFormat::Pkcs8, curve.private_key_to_pkcs8().unwrap(), &curve),
        ];
        for (format, der, owner) in keys {
            let key = PrivateKey { format, der: Zeroizing::new(der) };
            assert_eq!(proves_possession(&key, &owner.public_key_to_der().unwrap()), Ok(true), "{format:?}");
            assert_eq!(proves_possession(&key, &two.public_key_to_der().unwrap()), Ok(false), "{format:?}");
        }
    }

    #[test]
    fn the_public_half_of_somebody_else_with_a_private_half_of_ones_own_proves_nothing() {
        let (mine, stolen) = (rsa(2048).rsa().unwrap(), rsa(2048).rsa().unwrap());
        let copy = |n: &openssl::bn::BigNumRef| n.to_owned().unwrap();
        let forged = openssl::rsa::RsaPrivateKeyBuilder::new(copy(stolen.n()), copy(stolen.e()), copy(mine.d()))
            .unwrap()
            .set_factors(copy(mine.p().unwrap()), copy(mine.q().unwrap()))
            .unwrap()
            .set_crt_params(copy(mine.dmp1().unwrap()), copy(mine.dmq1().unwrap()), copy(mine.iqmp().unwrap()))
            .unwrap()
            .build();
        let key = PrivateKey { format: KeyFormat::Pkcs1, der: Zeroizing::new(forged.private_key_to_der().unwrap()) };
        let spki = PKey::from_rsa(stolen).unwrap().public_key_to_der().unwrap();
        assert_eq!(proves_possession(&key, &spki), Ok(false));
    }

    #[test]
    fn an_rsa_key_whose_parts_do_not_belong_together_proves_nothing() {
        let good = rsa(2048).rsa().unwrap();
        let copy = |n: &BigNumRef| n.to_owned().unwrap();
        let one = BigNum::from_u32(1).unwrap();
        let more = |n: &BigNumRef| &copy(n) + &one;
        let (p, q) = (good.p().unwrap(), good.q().unwrap());
        let spki = PKey::from_rsa(good.clone()).unwrap().public_key_to_der().unwrap();
        let proves = |d: BigNum, p: BigNum, q: BigNum| {
            let key = openssl::rsa::RsaPrivateKeyBuilder::new(copy(good.n()), copy(good.e()), d).unwrap();
            let crt = [good.dmp1(), good.dmq1(), good.iqmp()].map(|part| copy(part.unwrap()));
            let [dmp1, dmq1, iqmp] = crt;
            let key = key.set_factors(p, q).unwrap().set_crt_params(dmp1, dmq1, iqmp).unwrap().build();
            let der = Zeroizing::new(key.private_key_to_der().unwrap());
            proves_possession(&PrivateKey { format: KeyFormat::Pkcs1, der }, &spki)
        };
        assert_eq!(proves(copy(good.d()), copy(p), copy(q)), Ok(true));
        assert_eq!(proves(more(good.d()), copy(p), copy(q)), Ok(false));
        assert_ne!(proves(copy(good.d()), copy(good.n()), copy(&one)), Ok(true), "the trivial factors");
        assert_eq!(proves(copy(good.d()), more(p), copy(q)), Ok(false));
    }
}
