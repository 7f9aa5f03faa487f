//! Keys and signatures: which are accepted, whether a signature is a key's, and whether a private key is the one of a
//! public key.
//!
//! Kind, size and encoding of every number are checked here, before OpenSSL calculates with it ([`crate::x509::signature`]).

#![forbid(unsafe_code)]

use crate::x509::asn1::{Cursor, Malformed, number, only, tag};
use crate::x509::certificate::{Algorithm, Signed};
use crate::x509::digest;
use crate::x509::pem::{KeyFormat, PrivateKey};
use crate::x509::signature::{Curve, EcPublicKey, RsaKey, RsaPrivateKey};
use der::oid::ObjectIdentifier;
use glexec_core::credentials::{Credentials, Digest};

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
const CURVES: &[(ObjectIdentifier, Curve, usize)] = &[
    (ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), Curve::P256, 65),
    (ObjectIdentifier::new_unwrap("1.3.132.0.34"), Curve::P384, 97),
    (ObjectIdentifier::new_unwrap("1.3.132.0.35"), Curve::P521, 133),
];

/// An accepted public key.
enum Accepted<'a> {
    Rsa(RsaKey<'a>),
    Ec(EcPublicKey<'a>),
}

impl Accepted<'_> {
    fn kind(&self) -> Kind {
        match self {
            Accepted::Rsa(_) => Kind::Rsa,
            Accepted::Ec(_) => Kind::Ec,
        }
    }
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

/// Algorithms that are never accepted and that people know by name.
const UNACCEPTED: &[(ObjectIdentifier, &str)] = &[
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.2"), "MD2"),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.4"), "MD5"),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10"), "RSA-PSS"),
    (ObjectIdentifier::new_unwrap("1.2.840.10040.4.3"), "DSA"),
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.2"), "DSA"),
    (ObjectIdentifier::new_unwrap("1.3.101.112"), "Ed25519"),
    (ObjectIdentifier::new_unwrap("1.3.101.113"), "Ed448"),
];

/// A signature algorithm as people call it: what matters of it, and its number where it has no name here.
fn title(algorithm: ObjectIdentifier) -> String {
    let digest = ALGORITHMS.iter().find(|(known, _, _)| *known == algorithm).map(|(_, _, digest)| match digest {
        Digest::Sha1 => "SHA-1",
        Digest::Sha224 => "SHA-224",
        Digest::Sha256 => "SHA-256",
        Digest::Sha384 => "SHA-384",
        Digest::Sha512 => "SHA-512",
    });
    let other = || UNACCEPTED.iter().find(|(known, _)| *known == algorithm).map(|(_, name)| *name);
    digest.or_else(other).map_or_else(|| format!("the signature algorithm {algorithm}"), str::to_owned)
}

/// What is signed. A site may be laxer with what lives for hours and is signed anew every day than with what stands for
/// years: a forged CA or user is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// A proxy. Whether its issuer is a user or a proxy is known at the end of the walk only, so that the key has to be
    /// long enough for either here; [`check`] judges it when that is known.
    Proxy,
    /// The certificate of a user, a server or a CA, or a CRL.
    Certificate,
    /// A VOMS attribute certificate.
    Attributes,
}

impl On {
    fn digests(self, policy: &Credentials) -> (&[Digest], &'static str) {
        match self {
            On::Proxy => (&policy.proxy_digests, "proxy_digests"),
            On::Certificate => (&policy.digests, "digests"),
            On::Attributes => (&policy.ac_digests, "ac_digests"),
        }
    }

    fn key_of(self) -> Of {
        if self == On::Proxy { Of::Either } else { Of::Authority }
    }
}

/// Whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// A proxy's.
    Proxy,
    /// A user's, a server's or a CA's.
    Authority,
    /// One of the two: it is not known yet.
    Either,
}

impl Of {
    /// The least number of bits of an RSA key, and the option that says so.
    fn least_rsa_bits(self, policy: &Credentials) -> (u32, &'static str) {
        let (proxy, authority) = (policy.min_proxy_rsa_bits, policy.min_rsa_bits);
        match self {
            Of::Proxy => (proxy, "min_proxy_rsa_bits"),
            Of::Either if proxy <= authority => (proxy, "min_proxy_rsa_bits"),
            Of::Authority | Of::Either => (authority, "min_rsa_bits"),
        }
    }
}

/// Checks that a SubjectPublicKeyInfo holds a key that is accepted: RSA of `min_rsa_bits` or `min_proxy_rsa_bits` to 8192
/// bits with an odd exponent from 3 to 2^32, or a point on P-256, P-384 or P-521 by name.
pub fn check(spki: &[u8], of: Of, policy: &Credentials) -> Result<(), Fault> {
    accepted(spki, of.least_rsa_bits(policy)).map(|_| ())
}

fn accepted<'a>(spki: &'a [u8], least: (u32, &'static str)) -> Result<Accepted<'a>, Fault> {
    let mut fields = only(spki, tag::SEQUENCE)?.inside()?;
    let algorithm = Algorithm::read(&mut fields)?;
    let key = fields.octets()?;
    fields.end()?;
    match algorithm.oid {
        RSA if algorithm.parameters == NULL => accepted_rsa(key, least),
        EC => accepted_point(&algorithm.parameters, key),
        other => Err(Fault::WeakKey(format!("keys of kind {other} are not accepted"))),
    }
}

fn accepted_rsa<'a>(key: &'a [u8], (least, option): (u32, &'static str)) -> Result<Accepted<'a>, Fault> {
    let mut fields = only(key, tag::SEQUENCE)?.inside()?;
    let (modulus, exponent) = (fields.unsigned()?, fields.unsigned()?);
    let usual = number(exponent).is_some_and(|e| (3..=MAX_EXPONENT).contains(&e) && e % 2 == 1);
    fields.end()?;
    let zeros = modulus.first().map_or(0, |b| b.leading_zeros());
    let bits = modulus.len().saturating_mul(8).saturating_sub(usize::try_from(zeros).unwrap_or(0));
    let least = usize::try_from(least).unwrap_or(usize::MAX);
    if bits < least {
        return Err(Fault::WeakKey(format!("an RSA key of {bits} bits is too short ({option} = {least})")));
    }
    if bits > MAX_RSA_BITS {
        return Err(Fault::WeakKey(format!("an RSA key of {bits} bits is too long (at most {MAX_RSA_BITS})")));
    }
    let odd = modulus.last().is_some_and(|b| b % 2 == 1);
    match usual && odd {
        true => Ok(Accepted::Rsa(RsaKey { modulus, exponent })),
        false => Err(Fault::WeakKey("an RSA key with an unusual modulus or exponent is not accepted".into())),
    }
}

fn accepted_point<'a>(parameters: &[u8], point: &'a [u8]) -> Result<Accepted<'a>, Fault> {
    let named = Cursor::new(parameters)?.oid();
    let known = named.ok().and_then(|oid| CURVES.iter().find(|(curve, _, _)| *curve == oid));
    match (known, point.first()) {
        (Some((_, curve, length)), Some(0x04)) if point.len() == *length => {
            Ok(Accepted::Ec(EcPublicKey { curve: *curve, point }))
        }
        (Some(_), _) => Err(Fault::WeakKey("an elliptic curve point must be uncompressed".into())),
        (None, _) => Err(Fault::WeakKey("an elliptic curve other than P-256, P-384, P-521 is not accepted".into())),
    }
}

/// A signature to be verified, whose algorithm and key are accepted; the signed bytes may still be on their way.
pub struct Awaited<'a> {
    /// How the signed bytes are to be digested.
    pub digest: Digest,
    key: Accepted<'a>,
}

/// Checks the algorithm of a signature against the digests that are accepted on such a thing, and the issuer's key.
pub fn await_signature<'a>(
    algorithm: &Algorithm,
    on: On,
    issuer_spki: &'a [u8],
    policy: &Credentials,
) -> Result<Awaited<'a>, Fault> {
    let oid = algorithm.oid;
    let known = ALGORITHMS.iter().find(|(known, _, _)| *known == oid);
    let (digests, option) = on.digests(policy);
    let Some((_, wanted, digest)) = known.filter(|(_, _, digest)| digests.contains(digest)) else {
        return Err(Fault::WeakDigest(format!(
            "it is signed with {}, which is not accepted here ({option})",
            title(oid)
        )));
    };
    let parameters = algorithm.parameters.as_slice();
    if !(parameters.is_empty() || (*wanted == Kind::Rsa && parameters == NULL)) {
        return Err(Fault::WeakDigest(format!("the signature algorithm {oid} has parameters that it must not have")));
    }
    let key = accepted(issuer_spki, on.key_of().least_rsa_bits(policy))?;
    if key.kind() != *wanted {
        return Err(Fault::Signature);
    }
    Ok(Awaited { digest: *digest, key })
}

impl Awaited<'_> {
    /// Checks the signature over the digest of the signed bytes.
    pub fn verify(&self, hash: &[u8], signature: &[u8]) -> Result<(), Fault> {
        let verified = match &self.key {
            Accepted::Rsa(key) => key.verifies(self.digest, hash, signature),
            Accepted::Ec(key) => key.verifies(hash, signature)?,
        };
        if verified { Ok(()) } else { Err(Fault::Signature) }
    }
}

/// Checks the algorithm of a signature, the issuer's key, then the signature itself.
pub fn verify<Bytes: AsRef<[u8]>>(
    signed: &Signed<Bytes>,
    on: On,
    issuer_spki: &[u8],
    policy: &Credentials,
) -> Result<(), Fault> {
    let awaited = await_signature(&signed.algorithm, on, issuer_spki, policy)?;
    awaited.verify(&digest::of(awaited.digest, signed.body.as_ref()), signed.signature.as_ref())
}

/// Whether a private key is the one of a public key that [`check`] accepted.
///
/// Comparing the public halves would not do: a key file holds both, and nothing ties them together. An RSA key proves
/// itself by the factors of the modulus and a private exponent that undoes the public one, an EC key by the point that
/// its number leads to.
pub fn proves_possession(key: &PrivateKey, spki: &[u8]) -> Result<bool, Malformed> {
    if !fits(key, spki)? {
        return Ok(false);
    }
    let der = match key.format {
        KeyFormat::Pkcs1 | KeyFormat::Sec1 => &key.der,
        KeyFormat::Pkcs8 => inside_pkcs8(&key.der)?,
    };
    match accepted(spki, (0, "")).map_err(|_| Malformed("the private key cannot be parsed"))? {
        Accepted::Rsa(public) => Ok(public.is_of(&rsa_numbers(der)?)),
        Accepted::Ec(public) => public.is_of(ec_number(der)?),
    }
}

/// The key inside a PKCS #8 one (RFC 5958 section 2), which may have attributes and a public key after it.
fn inside_pkcs8(der: &[u8]) -> Result<&[u8], Malformed> {
    let mut fields = only(der, tag::SEQUENCE)?.inside()?;
    fields.take(tag::INTEGER)?;
    fields.take(tag::SEQUENCE)?;
    let inner = fields.take(tag::OCTET_STRING)?.value;
    fields.optional(tag::constructed(0))?;
    fields.optional(tag::primitive(1))?;
    fields.end()?;
    Ok(inner)
}

/// The numbers of an RSAPrivateKey (RFC 8017 appendix A.1.2).
fn rsa_numbers(der: &[u8]) -> Result<RsaPrivateKey<'_>, Malformed> {
    let mut fields = only(der, tag::SEQUENCE)?.inside()?;
    let (_version, _modulus, _public) = (fields.unsigned()?, fields.unsigned()?, fields.unsigned()?);
    let (exponent, first_prime, second_prime) = (fields.unsigned()?, fields.unsigned()?, fields.unsigned()?);
    Ok(RsaPrivateKey { exponent, first_prime, second_prime })
}

/// The number of an ECPrivateKey (RFC 5915).
fn ec_number(der: &[u8]) -> Result<&[u8], Malformed> {
    let mut fields = only(der, tag::SEQUENCE)?.inside()?;
    fields.take(tag::INTEGER)?;
    let number = fields.take(tag::OCTET_STRING)?.value;
    fields.optional(tag::constructed(0))?;
    fields.optional(tag::constructed(1))?;
    fields.end()?;
    Ok(number)
}

/// Whether a private key is of the kind and size of a public one, so that calculating with it costs what it should. Curves
/// with parameters of the sender's own making are refused here (CVE-2022-0778 was one of their bugs).
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
    use openssl::bn::{BigNum, BigNumRef};
    use openssl::ec::{EcGroup, EcKey};
    use openssl::nid::Nid;
    use openssl::pkey::{PKey, Private};
    use openssl::rsa::Rsa;
    use zeroize::Zeroizing;

    fn rsa(bits: u32) -> PKey<Private> {
        PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
    }

    fn ec(curve: Nid) -> PKey<Private> {
        PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(curve).unwrap()).unwrap()).unwrap()
    }

    fn is_accepted(key: &PKey<Private>) -> bool {
        check(&key.public_key_to_der().unwrap(), Of::Authority, &Credentials::default()).is_ok()
    }

    #[test]
    fn rsa_from_2048_bits_and_the_three_nist_curves_are_accepted() {
        assert!(is_accepted(&rsa(2048)));
        assert!(is_accepted(&ec(Nid::X9_62_PRIME256V1)));
        assert!(is_accepted(&ec(Nid::SECP384R1)));
        assert!(is_accepted(&ec(Nid::SECP521R1)));
        assert!(!is_accepted(&rsa(1024)));
        let short = rsa(1024).public_key_to_der().unwrap();
        for (of, accepted) in [(Of::Proxy, true), (Of::Either, true), (Of::Authority, false)] {
            assert_eq!(check(&short, of, &Credentials::default()).is_ok(), accepted, "{of:?}");
        }
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
