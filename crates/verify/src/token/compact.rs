//! A token as bytes: JWS compact serialization (RFC 7515 section 7.1) and its header, before anything is believed.

use super::algorithm::Algorithm;
use super::base64url;
use super::json::{Object, Value};
use super::malformed::malformed;
use glexec_core::reason::{Outcome, Reason, Refusal};

/// Largest token file in bytes; real tokens have 1 to 3 KiB.
pub const MAX_BYTES: usize = 16 * 1024;
/// Longest key id; real ones are a digest or a word.
const MAX_KID: usize = 256;
/// Header members that change what the rest means, none of which any profile has (RFC 7515 section 4.1.11, RFC 7797,
/// RFC 7516 section 4.1.3, RFC 7519 section 5.2).
const REFUSED: [&str; 4] = ["crit", "b64", "zip", "cty"];

/// A token that has the form of one; nothing in it is proved.
#[derive(Debug)]
pub struct Unproved<'a> {
    /// What was signed: header, dot, payload, as they stand.
    pub signed: &'a [u8],
    /// The algorithm that the header names.
    pub algorithm: Algorithm,
    /// The key id that the header names.
    pub kid: String,
    /// The claims; duplicates are still in them.
    pub claims: Object,
    pub signature: Vec<u8>,
}

/// Reads a token file.
pub fn read(file: &[u8]) -> Outcome<Unproved<'_>> {
    if file.len() > MAX_BYTES {
        return Err(Refusal::new(Reason::TokenTooLarge, format!("the token file is larger than {MAX_BYTES} bytes")));
    }
    let text = std::str::from_utf8(file).map_err(|_| malformed("it is not text (UTF-8)"))?;
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    let parts: Vec<&str> = text.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        return Err(malformed("it does not have three parts with dots between them"));
    };
    let decode = |part: &str, what: &str| {
        let wrong = || malformed(&format!("its {what} is not base64url without padding"));
        base64url::decode(part).filter(|bytes| !bytes.is_empty()).ok_or_else(wrong)
    };
    let object = |bytes: &[u8], what: &str| {
        Object::parse(bytes).map_err(|why| malformed(&format!("its {what} is not understood")).detail(why))
    };
    let (head, body) = (decode(header, "header")?, decode(payload, "payload")?);
    let signature = decode(signature, "signature")?;
    let head = object(&head, "header")?;
    let claims = object(&body, "payload")?;
    let (algorithm, kid) = judge_header(&head)?;
    let length = header.len().saturating_add(1).saturating_add(payload.len());
    Ok(Unproved { signed: text.as_bytes().get(..length).unwrap_or_default(), algorithm, kid, claims, signature })
}

/// The header's own rules. What it says about keys (`jku`, `x5u`, `jwk`, `x5c`) is never looked at: only the site's files
/// have keys (RFC 8725 section 3.10).
fn judge_header(header: &Object) -> Outcome<(Algorithm, String)> {
    if header.has_duplicates() {
        return Err(malformed("its header has a member twice"));
    }
    if let Some(member) = REFUSED.iter().find(|member| header.get(member).is_some()) {
        return Err(malformed(&format!("its header has \"{member}\", which no token for a job has")));
    }
    match header.get("typ").map(Value::text) {
        None => {}
        Some(Some(kind)) if ["JWT", "at+jwt"].iter().any(|known| kind.eq_ignore_ascii_case(known)) => {}
        Some(_) => {
            let text = "the token is of another type than JWT or at+jwt: it is not an access token (header \"typ\")";
            return Err(Refusal::new(Reason::TokenType, text));
        }
    }
    let Some(name) = header.get("alg").and_then(Value::text) else {
        return Err(malformed("its header names no algorithm (\"alg\")"));
    };
    let Some(algorithm) = Algorithm::named(name) else {
        let text = "the token is signed with an algorithm that is never accepted (header \"alg\")";
        return Err(Refusal::new(Reason::TokenAlgorithm, text).detail(format!("alg={name:?}")));
    };
    match header.get("kid").and_then(Value::text) {
        Some(kid) if !kid.is_empty() && kid.len() <= MAX_KID => Ok((algorithm, kid.to_owned())),
        _ => Err(malformed("its header names no key (\"kid\"), or not by a text of up to 256 bytes")),
    }
}
