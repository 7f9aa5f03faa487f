//! Keys of issuers: a file of the WLCG key cache holds `{issuer: {"expiration": …, "jwks": {"keys": […]}}}`, and is named by
//! the SHA-256 of the issuer (WLCG-AuthZ-WG/jwks-cache 1.0; RFC 7517, RFC 7518 section 6).

use super::algorithm::Algorithm;
use super::base64url;
use super::json::{Object, Value};
use crate::x509::digest;
use crate::x509::signature::{Curve, EcPublicKey, RsaKey};
use glexec_core::credentials::Digest;

/// How deep a JWK set stands in an issuer's file.
const LEVELS_ABOVE_SET: u8 = 2;
/// Largest key file in bytes.
pub const MAX_BYTES: u64 = 256 * 1024;
/// Smallest and largest RSA modulus in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Largest RSA exponent.
const MAX_EXPONENT: u64 = 1 << 32;
/// Members of private and symmetric keys (RFC 7518 sections 6.2.2, 6.3.2, 6.4): a file that has one has leaked it.
const SECRET: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The keys of one issuer.
#[derive(Debug)]
pub struct Keys {
    /// When the file ends, in seconds since 1970 UTC.
    pub expiration: i64,
    keys: Vec<Object>,
}

/// A key that fits an algorithm.
#[derive(Debug)]
pub enum Key {
    Rsa {
        /// n, without leading zeros.
        modulus: Vec<u8>,
        /// e, without leading zeros.
        exponent: Vec<u8>,
    },
    /// A point on a curve.
    Ec {
        curve: Curve,
        /// The point, uncompressed.
        point: Vec<u8>,
    },
}

/// Why there is no key.
#[derive(Debug, PartialEq, Eq)]
pub enum NoKey {
    /// No key has this id.
    Unknown,
    /// The key is for another algorithm or another use.
    OtherUse(String),
    /// The key is not one that is accepted from anybody.
    Malformed(String),
}

/// The name of an issuer's file.
pub fn file_name(issuer: &str) -> String {
    digest::of(Digest::Sha256, issuer.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a JWK set as an issuer publishes it, which is to stand in a file: how many of its keys can check a signature of
/// these algorithms.
pub fn judge_set(set: &[u8], algorithms: &[Algorithm]) -> Result<usize, String> {
    let set = Object::parse_inside(LEVELS_ABOVE_SET, set)?;
    if set.has_duplicates() {
        return Err("a member is there twice".into());
    }
    match (Keys { expiration: i64::MAX, keys: set_of(&set)? }).usable(algorithms) {
        0 => Err("it has no key with an id for an algorithm that the site accepts from the issuer".into()),
        usable => Ok(usable),
    }
}

/// Reads an issuer's file.
pub fn parse(file: &[u8], issuer: &str) -> Result<Keys, String> {
    let file = Object::parse(file)?;
    if file.has_duplicates() {
        return Err("a member is there twice".into());
    }
    let entry = file.get(issuer).and_then(Value::object).ok_or("it has nothing about this issuer")?;
    let Some(Value::Number(Some(expiration))) = entry.get("expiration") else {
        return Err("its \"expiration\" is not a time".into());
    };
    let set = entry.get("jwks").and_then(Value::object).ok_or("it has no \"jwks\"")?;
    Ok(Keys { expiration: *expiration, keys: set_of(set)? })
}

/// The keys of a JWK set (RFC 7517 section 5).
fn set_of(set: &Object) -> Result<Vec<Object>, String> {
    let Some(Value::List(list)) = set.get("keys") else { return Err("it has no list \"keys\"".into()) };
    let keys: Vec<Object> =
        list.iter().map(|key| key.object().cloned()).collect::<Option<_>>().ok_or("a key is no object")?;
    if keys.iter().any(|key| SECRET.iter().any(|secret| key.get(secret).is_some())) {
        return Err("it has a private or symmetric key, which must be replaced at the issuer".into());
    }
    if keys.iter().any(|key| key.get("kty").and_then(Value::text).is_none_or(|kind| kind == "oct")) {
        return Err("a key has no kind (\"kty\"), or a symmetric one".into());
    }
    let mut ids: Vec<&str> = keys.iter().filter_map(|key| key.get("kid").and_then(Value::text)).collect();
    ids.sort_unstable();
    match ids.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
        true => Err("two keys have one id (\"kid\")".into()),
        false => Ok(keys),
    }
}

impl Keys {
    /// The key of this id, for this algorithm.
    pub fn find(&self, kid: &str, algorithm: Algorithm) -> Result<Key, NoKey> {
        let is_asked = |key: &&Object| key.get("kid").and_then(Value::text) == Some(kid);
        let key = self.keys.iter().find(is_asked).ok_or(NoKey::Unknown)?;
        check_use(key, algorithm).map_err(NoKey::OtherUse)?;
        read(key, algorithm).map_err(NoKey::Malformed)
    }

    /// How many keys can check a signature of an accepted algorithm.
    pub fn usable(&self, algorithms: &[Algorithm]) -> usize {
        let usable = |key: &Object, algorithm| check_use(key, algorithm).is_ok() && read(key, algorithm).is_ok();
        let named = |key: &&Object| key.get("kid").and_then(Value::text).is_some();
        let usable = |key: &&Object| algorithms.iter().any(|algorithm| usable(key, *algorithm));
        self.keys.iter().filter(named).filter(usable).count()
    }
}

/// `kty`, `crv`, `alg`, `use` and `key_ops` must agree with the algorithm, where they are there.
fn check_use(key: &Object, algorithm: Algorithm) -> Result<(), String> {
    let text = |name: &str| key.get(name).map(|value| value.text().unwrap_or_default());
    let (kind, curve) = match algorithm.curve() {
        None => ("RSA", None),
        Some(Curve::P256) => ("EC", Some("P-256")),
        Some(Curve::P384) => ("EC", Some("P-384")),
        Some(Curve::P521) => ("EC", Some("P-521")),
    };
    let operations = key.get("key_ops").map(|value| value.texts().unwrap_or_default());
    let good = text("kty") == Some(kind)
        && (curve.is_none() || text("crv") == curve)
        && text("alg").is_none_or(|name| name == algorithm.name())
        && text("use").is_none_or(|purpose| purpose == "sig")
        && operations.is_none_or(|operations| operations.contains(&"verify"));
    match good {
        true => Ok(()),
        false => Err(format!("the key is not one for {} and signatures", algorithm.name())),
    }
}

fn read(key: &Object, algorithm: Algorithm) -> Result<Key, String> {
    let number = |name: &str| {
        let text = key.get(name).and_then(Value::text);
        text.and_then(base64url::decode).ok_or_else(|| format!("\"{name}\" is not base64url"))
    };
    if let Some(curve) = algorithm.curve() {
        let (x, y) = (number("x")?, number("y")?);
        let size = curve.size();
        return match x.len() == size && y.len() == size {
            true => Ok(Key::Ec { curve, point: [&[4], &x[..], &y[..]].concat() }),
            false => Err(format!("a coordinate has not {size} bytes")),
        };
    }
    let (modulus, exponent) = (number("n")?, number("e")?);
    let bits = |number: &[u8]| match number.first() {
        Some(0) | None => None,
        Some(first) => {
            let zeros = usize::try_from(first.leading_zeros()).ok()?;
            number.len().checked_mul(8)?.checked_sub(zeros)
        }
    };
    let odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
    if !bits(&modulus).is_some_and(|bits| RSA_BITS.contains(&bits)) || !odd(&modulus) {
        return Err("its modulus is not an odd number of 2048 to 8192 bits".into());
    }
    let small = (exponent.len() <= 5).then(|| exponent.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte)));
    match small.is_some_and(|e| (3..=MAX_EXPONENT).contains(&e)) && odd(&exponent) && bits(&exponent).is_some() {
        true => Ok(Key::Rsa { modulus, exponent }),
        false => Err("its exponent is not an odd number from 3 to 2^32".into()),
    }
}

impl Key {
    /// Whether a signature of a token is this key's (RFC 7518 sections 3.3 and 3.4). `Err`: the key is no key.
    pub fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> Result<bool, String> {
        let hash = digest::of(algorithm.digest(), signed);
        match self {
            Key::Rsa { modulus, exponent } => {
                Ok(RsaKey { modulus, exponent }.verifies(algorithm.digest(), &hash, signature))
            }
            Key::Ec { curve, point } => {
                let key = EcPublicKey { curve: *curve, point };
                key.verifies_pair(&hash, signature).map_err(|fault| fault.0.to_owned())
            }
        }
    }
}
