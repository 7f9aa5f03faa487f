//! Tokens as issuers make them, and as nobody should: any header and any payload, signed with a key of ours.

#![allow(dead_code)] // each test program uses its part of it

use openssl::base64::{decode_block, encode_block};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use std::sync::OnceLock;

pub const ISSUER: &str = "https://vo.example.org/";
pub const AUDIENCE: &str = "glexec://site.example";
/// The header of a good token.
pub const HEADER: &str = r#"{"typ":"at+jwt","alg":"ES256","kid":"k1"}"#;

pub fn base64url(bytes: &[u8]) -> String {
    encode_block(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_").replace('\n', "")
}

/// The bytes of a part of a token.
pub fn decode(part: &str) -> Vec<u8> {
    let padding = "=".repeat((4 - part.len() % 4) % 4);
    decode_block(&(part.replace('-', "+").replace('_', "/") + &padding)).unwrap()
}

/// A key of an issuer.
#[derive(Clone)]
pub enum Key {
    Ec(EcKey<Private>, &'static str, MessageDigest, i32),
    Rsa(Rsa<Private>, MessageDigest),
}

pub fn p256() -> Key {
    static KEY: OnceLock<EcKey<Private>> = OnceLock::new();
    Key::Ec(KEY.get_or_init(|| ec(Nid::X9_62_PRIME256V1)).clone(), "P-256", MessageDigest::sha256(), 32)
}

pub fn p384() -> Key {
    static KEY: OnceLock<EcKey<Private>> = OnceLock::new();
    Key::Ec(KEY.get_or_init(|| ec(Nid::SECP384R1)).clone(), "P-384", MessageDigest::sha384(), 48)
}

pub fn rsa() -> Key {
    static KEY: OnceLock<Rsa<Private>> = OnceLock::new();
    Key::Rsa(KEY.get_or_init(|| Rsa::generate(2048).unwrap()).clone(), MessageDigest::sha256())
}

/// The same key, which signs with another digest.
pub fn rsa_with(digest: MessageDigest) -> Key {
    let Key::Rsa(key, _) = rsa() else { unreachable!() };
    Key::Rsa(key, digest)
}

pub fn other_p256() -> Key {
    static KEY: OnceLock<EcKey<Private>> = OnceLock::new();
    Key::Ec(KEY.get_or_init(|| ec(Nid::X9_62_PRIME256V1)).clone(), "P-256", MessageDigest::sha256(), 32)
}

/// A key that nothing else has.
pub fn fresh_p256() -> Key {
    Key::Ec(ec(Nid::X9_62_PRIME256V1), "P-256", MessageDigest::sha256(), 32)
}

fn ec(nid: Nid) -> EcKey<Private> {
    EcKey::generate(&EcGroup::from_curve_name(nid).unwrap()).unwrap()
}

impl Key {
    /// The signature of a token over some bytes.
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Key::Ec(key, _, digest, size) => {
                let signature = EcdsaSig::sign(&hash(*digest, bytes).unwrap(), key).unwrap();
                [signature.r(), signature.s()].map(|number| number.to_vec_padded(*size).unwrap()).concat()
            }
            Key::Rsa(key, digest) => {
                let key = PKey::from_rsa(key.clone()).unwrap();
                let mut signer = Signer::new(*digest, &key).unwrap();
                signer.update(bytes).unwrap();
                signer.sign_to_vec().unwrap()
            }
        }
    }

    /// The key in a JWK, with other members beside.
    pub fn jwk(&self, kid: &str, others: &str) -> String {
        let number = |number: &BigNum| base64url(&number.to_vec());
        match self {
            Key::Ec(key, curve, _, size) => {
                let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
                let mut context = BigNumContext::new().unwrap();
                key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut context).unwrap();
                let [x, y] = [&x, &y].map(|n| base64url(&n.to_vec_padded(*size).unwrap()));
                format!(r#"{{"kty":"EC","crv":"{curve}","x":"{x}","y":"{y}","kid":"{kid}"{others}}}"#)
            }
            Key::Rsa(key, _) => {
                let n = base64url(&key.n().to_vec());
                let e = number(&key.e().to_owned().unwrap());
                format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}","kid":"{kid}"{others}}}"#)
            }
        }
    }
}

/// A token of this header and payload.
pub fn token(header: &str, payload: &str, key: &Key) -> String {
    let signed = format!("{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()));
    let signature = base64url(&key.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// The claims of a good WLCG token of somebody.
pub fn claims(sub: &str, now: i64) -> Vec<(String, String)> {
    let texts = [
        ("iss", ISSUER),
        ("sub", sub),
        ("aud", AUDIENCE),
        ("wlcg.ver", "1.0"),
        ("scope", "compute.create"),
        ("jti", "0a1b2c"),
    ];
    let numbers = [("iat", now - 10), ("nbf", now - 10), ("exp", now + 3600)];
    let text = |(name, value): (&str, &str)| (name.to_owned(), format!("{value:?}"));
    let number = |(name, value): (&str, i64)| (name.to_owned(), value.to_string());
    texts.map(text).into_iter().chain(numbers.map(number)).collect()
}

/// Claims as a payload; `changes` replace, add or (empty) take away members: JSON texts.
pub fn payload(mut claims: Vec<(String, String)>, changes: &[(&str, &str)]) -> String {
    for (name, value) in changes {
        claims.retain(|(own, _)| own != name);
        if !value.is_empty() {
            claims.push(((*name).to_owned(), (*value).to_owned()));
        }
    }
    let members: Vec<String> = claims.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// The name of an issuer's file in the key cache.
pub fn key_file(issuer: &str) -> String {
    hash(MessageDigest::sha256(), issuer.as_bytes()).unwrap().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file of the key cache.
pub fn key_cache(issuer: &str, expiration: i64, keys: &[String]) -> String {
    format!(r#"{{"{issuer}":{{"expiration":{expiration},"jwks":{{"keys":[{}]}}}}}}"#, keys.join(","))
}
