//! Bearer tokens: who a JWT of the WLCG, SciTokens, EGI or DiracX profile stands for.
//!
//! # The order of judgement
//!
//! 1. bytes: size, UTF-8, three parts, strict base64url, JSON ([`compact`]);
//! 2. the header: nothing twice, nothing that changes the meaning, a key id, an algorithm;
//! 3. the issuer, exactly, and the site's file about it ([`issuer`]);
//! 4. the issuer's keys, which only the site's key cache has ([`keys`]);
//! 5. the signature;
//! 6. the claims ([`claims`]).
//!
//! A pure function of bytes: the caller has read the files.

#![forbid(unsafe_code)]

pub mod algorithm;
mod base64url;
pub mod claims;
pub mod compact;
pub mod files;
pub mod issuer;
pub mod json;
pub mod keys;
mod malformed;
pub mod site;
pub mod survey;

use crate::x509::digest;
use claims::{Claims, Use};
use compact::Unproved;
use glexec_core::credentials::Digest;
use glexec_core::identity::{Dn, Identity, Proof, Sha256, TokenProof};
use glexec_core::reason::{Outcome, Reason, Refusal};
use issuer::Issuer;
use json::Value;
use keys::{Keys, NoKey};
use malformed::malformed;
pub use site::{Rules, Site};

/// Judges a token.
pub fn judge(file: &[u8], purpose: Use, site: &dyn Site, rules: &Rules, now: i64) -> Outcome<Identity> {
    let token = compact::read(file)?;
    let issuer = site.issuer(issuer_of(&token)?)?;
    prove(&token, &issuer, &site.keys(&issuer, now)?)?;
    let Claims { subject, jti, scope, not_after, vo, fqans } =
        claims::judge(&token.claims, &issuer, purpose, rules, now)?;
    let subject = Dn::of_token(&issuer.issuer, &subject).map_err(|_| {
        Refusal::new(Reason::TokenSubject, "the token's issuer and subject make no name that glexec accepts")
    })?;
    let (sha256, name_sha256) = (sha256(token.signed)?, sha256(subject.as_str().as_bytes())?);
    let proof = Proof::Token(Box::new(TokenProof { vo, jti, kid: token.kid, scope, sha256, name_sha256 }));
    Ok(Identity { subject, proof, not_after, fqans })
}

/// Whom a token names, without trusting it.
pub fn named(file: &[u8]) -> Option<Dn> {
    let token = compact::read(file).ok()?;
    let subject = token.claims.get("sub").and_then(Value::text)?;
    Dn::of_token(issuer_of(&token).ok()?, subject).ok()
}

fn sha256(bytes: &[u8]) -> Outcome<Sha256> {
    let hex: String = digest::of(Digest::Sha256, bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Sha256::try_from(hex).map_err(|_| Refusal::new(Reason::SystemFailed, "a digest could not be made"))
}

/// The issuer that a token names: before its signature is checked this only says whose keys to ask.
fn issuer_of<'a>(token: &'a Unproved<'_>) -> Outcome<&'a str> {
    match (token.claims.count("iss"), token.claims.get("iss").and_then(Value::text)) {
        (1, Some(issuer)) => Ok(issuer),
        _ => Err(malformed("it does not name one issuer (\"iss\")")),
    }
}

fn prove(token: &Unproved<'_>, issuer: &Issuer, keys: &Keys) -> Outcome<()> {
    let algorithm = token.algorithm;
    if !issuer.algorithms.contains(&algorithm) {
        let text =
            format!("the token is signed with {}, which this site does not accept from its issuer", algorithm.name());
        return Err(Refusal::new(Reason::TokenAlgorithm, text));
    }
    let unusable = |why: String| {
        let text = "the key of the token's issuer cannot be used: the site has to look at its key files";
        Refusal::new(Reason::TokenKeysMalformed, text).detail(format!("kid={:?}: {why}", token.kid))
    };
    let key = keys.find(&token.kid, algorithm).map_err(|why| match why {
        NoKey::Unknown => {
            let text = "the site does not have the key that the token is signed with yet";
            Refusal::new(Reason::TokenKeyUnknown, text).detail(format!("kid={:?} issuer={}", token.kid, issuer.issuer))
        }
        NoKey::OtherUse(why) => {
            let text = "the token's key is not for the algorithm that its header names";
            Refusal::new(Reason::TokenAlgorithm, text).detail(format!("kid={:?}: {why}", token.kid))
        }
        NoKey::Malformed(why) => unusable(why),
    })?;
    match key.verifies(algorithm, token.signed, &token.signature).map_err(unusable)? {
        true => Ok(()),
        false => Err(Refusal::new(Reason::TokenSignature, "the token's signature is wrong")),
    }
}
