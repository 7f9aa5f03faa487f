//! The proxy file: PEM blocks (RFC 7468) in the orders that grid tools write.
//!
//! Certificates keep their order, and the first is the leaf; the key may stand anywhere. Text between blocks is skipped,
//! lines may end with CR LF. A block of another kind belongs to somebody else (DIRAC puts a token beside the proxy) and is
//! passed over; but one that calls itself a certificate or a private key, of a kind that is not read here, is refused:
//! whoever put it there meant it to count.

#![forbid(unsafe_code)]

mod base64;
mod stream;

pub use stream::{FirstCrl, Octets};

pub use base64::encode;
use base64::{boundary, decode_groups};
use glexec_core::reason::{Outcome, Reason, Refusal};
use zeroize::Zeroizing;

/// Largest proxy file; real ones stay below 30 KiB.
pub const MAX_FILE: usize = 256 * 1024;
/// Largest private key in DER: RSA with 8192 bits takes 4.7 KiB.
const MAX_KEY: usize = 16 * 1024;
/// Most labels of other blocks that are told of, and most characters of one.
const MAX_FOREIGN: usize = 4;
const MAX_LABEL: usize = 40;

/// How a private key is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFormat {
    /// `PRIVATE KEY`, RFC 5208.
    Pkcs8,
    /// `RSA PRIVATE KEY`, RFC 8017 appendix A.1.2.
    Pkcs1,
    /// `EC PRIVATE KEY`, RFC 5915.
    Sec1,
}

/// A private key; its bytes are wiped when it goes.
#[derive(Debug)]
pub struct PrivateKey {
    /// How it is wrapped.
    pub format: KeyFormat,
    pub der: Zeroizing<Vec<u8>>,
}

/// What a proxy file holds.
#[derive(Debug)]
pub struct Contents {
    /// The certificates in DER, in the order of the file.
    pub certificates: Vec<Vec<u8>>,
    pub key: Option<PrivateKey>,
    /// The labels of the blocks that were passed over, each once, not more than [`MAX_FOREIGN`] and cut to a length; they
    /// are the caller's bytes.
    pub foreign: Vec<String>,
}

/// A block between its BEGIN and END lines.
struct Block<'a> {
    label: &'a str,
    body: &'a [u8],
}

/// The lines of some bytes, without what ends them.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|b| *b == b'\n').map(<[u8]>::trim_ascii_end)
}

/// Reads a proxy file with at most `max_chain` certificates.
pub fn read(file: &[u8], max_chain: usize) -> Outcome<Contents> {
    if file.len() > MAX_FILE {
        return Err(Refusal::new(Reason::CredentialTooLarge, "the proxy file is larger than 256 KiB"));
    }
    let mut contents = Contents { certificates: Vec::new(), key: None, foreign: Vec::new() };
    for block in blocks(file).map_err(malformed)? {
        match block.label {
            "CERTIFICATE" if contents.certificates.len() >= max_chain => {
                let text = format!("the proxy file holds more than {max_chain} certificates (max_chain)");
                return Err(Refusal::new(Reason::CredentialChainTooLong, text));
            }
            "CERTIFICATE" => contents.certificates.push(decode(block.body).map_err(malformed)?.to_vec()),
            "EC PARAMETERS" => {} // openssl ecparam writes the curve's name before the key, which names it again
            label if label.ends_with("PRIVATE KEY") => {
                let key = private_key(label, block.body)?;
                if contents.key.replace(key).is_some() {
                    let text = "the proxy file holds more than one private key: make a new proxy";
                    return Err(Refusal::new(Reason::CredentialSeveralKeys, text));
                }
            }
            label if label.ends_with("CERTIFICATE") => {
                return Err(malformed("it has a certificate of a kind that proxy files do not have"));
            }
            label => {
                let label: String = label.chars().take(MAX_LABEL).collect();
                if contents.foreign.len() < MAX_FOREIGN && !contents.foreign.contains(&label) {
                    contents.foreign.push(label);
                }
            }
        }
    }
    if contents.certificates.is_empty() {
        let text = "the proxy file holds no certificate: is it the right file?";
        return Err(Refusal::new(Reason::CredentialNoCertificate, text));
    }
    Ok(contents)
}

/// The first certificate of a file in DER or PEM, as trust directories hold them.
pub fn first_certificate(file: Vec<u8>) -> Result<Vec<u8>, &'static str> {
    first(file, &["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"])
}

fn first(file: Vec<u8>, labels: &[&str]) -> Result<Vec<u8>, &'static str> {
    match file.first() {
        None => return Err("it is empty"),
        Some(0x30) => return Ok(file),
        Some(_) => {}
    }
    let block = blocks(&file)?.into_iter().find(|block| labels.contains(&block.label));
    // Not secret: it may leave its wrapper.
    decode(block.ok_or("it has no such PEM block")?.body).map(|mut bytes| std::mem::take(&mut *bytes))
}

fn malformed(what: &'static str) -> Refusal {
    Refusal::new(Reason::CredentialMalformed, format!("the proxy file is malformed (RFC 7468): {what}"))
}

fn private_key(label: &str, body: &[u8]) -> Outcome<PrivateKey> {
    let encrypted = body.starts_with(b"Proc-Type:");
    let format = match label {
        "PRIVATE KEY" => KeyFormat::Pkcs8,
        "RSA PRIVATE KEY" if !encrypted => KeyFormat::Pkcs1,
        "EC PRIVATE KEY" if !encrypted => KeyFormat::Sec1,
        "ENCRYPTED PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => {
            let text = "the private key is encrypted: give a proxy, or a key without passphrase";
            return Err(Refusal::new(Reason::CredentialEncryptedKey, text));
        }
        _ => return Err(malformed("it has a private key that is neither of RSA nor on an elliptic curve")),
    };
    let der = decode(body).map_err(malformed)?;
    if der.len() > MAX_KEY {
        return Err(malformed("its private key is too long"));
    }
    Ok(PrivateKey { format, der })
}

/// All blocks of a file.
fn blocks(file: &[u8]) -> Result<Vec<Block<'_>>, &'static str> {
    let mut found = Vec::new();
    let mut open: Option<(&str, usize)> = None;
    let mut next = 0_usize;
    for line in file.split_inclusive(|b| *b == b'\n') {
        let start = next;
        next = start.saturating_add(line.len());
        let line = line.trim_ascii_end();
        match (boundary(line), open) {
            (None, Some(_)) if line.starts_with(b"-----") => return Err("a boundary line is damaged"),
            (None, _) => {}
            (Some(("BEGIN", label)), None) => open = Some((label, next)),
            (Some(("END", label)), Some((begun, from))) if label == begun => {
                let body = file.get(from..start).unwrap_or_default();
                found.push(Block { label, body: body.strip_suffix(b"\n").unwrap_or(body) });
                open = None;
            }
            _ => return Err("BEGIN and END lines do not pair"),
        }
    }
    if open.is_some() { Err("it is cut off inside a block") } else { Ok(found) }
}

/// Decodes base64 (RFC 4648 section 4): complete groups only, zero bits at the end, nothing after the padding. The
/// capacity is reserved at once so that a key does not leave copies behind as the vector grows.
fn decode(body: &[u8]) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let mut out = Zeroizing::new(Vec::with_capacity(decoded_size(body)));
    if lines(body).all(|line| line.len() % 4 == 0) {
        let mut rest = lines(body).peekable();
        while let Some(line) = rest.next() {
            decode_groups(line, rest.peek().is_none(), &mut out)?;
        }
    } else {
        let mut joined = Zeroizing::new(Vec::with_capacity(body.len()));
        lines(body).for_each(|line| joined.extend_from_slice(line));
        decode_groups(&joined, true, &mut out)?;
    }
    if out.is_empty() { Err("a block is empty") } else { Ok(out) }
}

/// At least as many octets as some base64 decodes to.
fn decoded_size(body: &[u8]) -> usize {
    body.len().div_ceil(4).saturating_mul(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\nBAU=\n-----END RSA PRIVATE KEY-----\n";

    fn code(file: &str) -> &'static str {
        match read(file.as_bytes(), 3) {
            Ok(_) => "ok",
            Err(refusal) => refusal.reason().code(),
        }
    }

    #[test]
    fn blocks_come_in_any_order_with_text_and_crlf_between() {
        for file in [
            format!("{CERTIFICATE}{KEY}{CERTIFICATE}"),
            format!("{KEY}text\n\n{CERTIFICATE}subject=/CN=x\n{CERTIFICATE}"),
            format!("{CERTIFICATE}{CERTIFICATE}{KEY}").replace('\n', "\r\n"),
            format!("----- the proxy -----\n{CERTIFICATE}-----\n{CERTIFICATE}----------\n{KEY}"),
            format!("{CERTIFICATE}{CERTIFICATE}{}", KEY.trim_end()),
        ] {
            let contents = read(file.as_bytes(), 3).unwrap();
            assert_eq!(contents.certificates, [[1, 2, 3], [1, 2, 3]]);
            assert_eq!(contents.key.unwrap().der.as_slice(), [4, 5]);
        }
    }

    #[test]
    fn what_is_not_a_sequence_of_known_blocks_is_refused_by_its_own_name() {
        let encrypted = KEY.replace("BAU=", "Proc-Type: 4,ENCRYPTED\nBAU=");
        for (file, expected) in [
            (String::new(), "credential.no-certificate"),
            ("garbage".into(), "credential.no-certificate"),
            (KEY.into(), "credential.no-certificate"),
            (CERTIFICATE.repeat(3), "ok"),
            (CERTIFICATE.repeat(4), "credential.chain-too-long"),
            (format!("{KEY}{CERTIFICATE}{KEY}"), "credential.several-keys"),
            (format!("{CERTIFICATE}{encrypted}"), "credential.encrypted-key"),
            (KEY.replace("RSA PRIVATE", "ENCRYPTED PRIVATE"), "credential.encrypted-key"),
            (CERTIFICATE.replace("CERTIFICATE", "DH PARAMETERS"), "credential.no-certificate"),
            (CERTIFICATE.replace("CERTIFICATE", "TRUSTED CERTIFICATE"), "credential.malformed"),
            (CERTIFICATE.replace("CERTIFICATE", "DSA PRIVATE KEY"), "credential.malformed"),
            (format!("{CERTIFICATE}-----BEGIN DIRACX-----\n{{no base64}}\n-----END DIRACX-----\n"), "ok"),
            (CERTIFICATE.replace("END CERT", "END KEY"), "credential.malformed"),
            (CERTIFICATE.replace("-----END CERTIFICATE-----\n", ""), "credential.malformed"),
            (CERTIFICATE.replace("-----END", "----END"), "credential.malformed"),
            (CERTIFICATE.replace("AQID", "AQ D"), "credential.malformed"),
            (CERTIFICATE.replace("AQID", "AQI"), "credential.malformed"),
            (CERTIFICATE.replace("AQID", "AQJ="), "credential.malformed"),
            (CERTIFICATE.replace("AQID", "A==="), "credential.malformed"),
            (CERTIFICATE.replace("AQID", "AQ==AQID"), "credential.malformed"),
            (CERTIFICATE.replace("AQID", "AQ==\nAQID"), "credential.malformed"),
            (CERTIFICATE.replace("AQID", "AQ==\n"), "credential.malformed"),
            (CERTIFICATE.replace("AQID", "AQ=D"), "credential.malformed"),
            (CERTIFICATE.replace("AQID", "AQI\nD"), "ok"),
            (CERTIFICATE.replace("AQID", "AQIDAQ\n=="), "ok"),
            (CERTIFICATE.replace("AQID", ""), "credential.malformed"),
            (" ".repeat(MAX_FILE + 1), "credential.too-large"),
        ] {
            assert_eq!(code(&file), expected, "{file:.80}");
        }
    }
}
