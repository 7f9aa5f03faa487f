//! Certificates on their way to the service: never a key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_verify::x509::certificate::MAX_CERTIFICATE;
use glexec_verify::x509::pem;
use serde::{Deserialize, Serialize};

/// Most certificates of a chain.
const MAX_CHAIN: usize = 100;
/// Characters of a line of PEM (RFC 7468 section 2).
const LINE: usize = 64;

/// The certificates of a proxy file in DER, leaf first. On the wire a list of base64 texts: a form that has no place for a
/// private key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Chain(Vec<Vec<u8>>);

impl Chain {
    /// A chain of these certificates.
    pub fn new(certificates: Vec<Vec<u8>>) -> Self {
        Chain(certificates)
    }

    /// The certificates of a proxy file; its key stays where it is.
    pub fn of_file(file: &[u8]) -> Outcome<Self> {
        let contents = pem::read(file, MAX_CHAIN)?;
        match contents.certificates.is_empty() {
            true => Err(Refusal::new(Reason::CredentialNoCertificate, "the proxy file holds no certificate")),
            false => Ok(Chain(contents.certificates.iter().map(|der| der.to_vec()).collect())),
        }
    }

    /// The certificates in DER.
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// The certificates as a file of PEM blocks.
    pub fn to_pem(&self) -> Vec<u8> {
        let mut text = String::new();
        for der in &self.0 {
            text.push_str("-----BEGIN CERTIFICATE-----\n");
            let encoded = STANDARD.encode(der);
            let mut rest = encoded.as_str();
            while !rest.is_empty() {
                // Base64 is ASCII.
                let (line, after) = rest.split_at_checked(LINE.min(rest.len())).unwrap_or((rest, ""));
                text.push_str(line);
                text.push('\n');
                rest = after;
            }
            text.push_str("-----END CERTIFICATE-----\n");
        }
        text.into_bytes()
    }
}

impl TryFrom<Vec<String>> for Chain {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        if texts.is_empty() || texts.len() > MAX_CHAIN {
            return Err(format!("a chain has 1 to {MAX_CHAIN} certificates"));
        }
        let read = |text: &String| match STANDARD.decode(text) {
            Ok(der) if der.len() <= MAX_CERTIFICATE => Ok(der),
            Ok(_) => Err(format!("a certificate has at most {MAX_CERTIFICATE} bytes")),
            Err(_) => Err("a certificate is not base64".to_owned()),
        };
        texts.iter().map(read).collect::<Result<_, _>>().map(Chain)
    }
}

impl From<Chain> for Vec<String> {
    fn from(chain: Chain) -> Vec<String> {
        chain.0.iter().map(|der| STANDARD.encode(der)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_the_same_on_both_sides_of_the_wire() {
        let chain = Chain::new(vec![vec![1; 100], vec![2; 48], vec![3]]);
        let sent = serde_json::to_string(&chain).unwrap();
        assert_eq!(serde_json::from_str::<Chain>(&sent).unwrap(), chain);
        for bad in ["[]", "[\"-----BEGIN\"]", "[1]", "{}"] {
            assert!(serde_json::from_str::<Chain>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_of_the_file_is_not_in_the_chain() {
        let block = |label: &str, byte: u8| {
            let text = String::from_utf8(Chain::new(vec![vec![byte; 60]]).to_pem()).unwrap();
            text.replace("CERTIFICATE", label)
        };
        let file = block("CERTIFICATE", 1) + &block("PRIVATE KEY", 2) + &block("CERTIFICATE", 3);
        let chain = Chain::of_file(file.as_bytes()).unwrap();
        assert_eq!(chain.certificates(), [vec![1; 60], vec![3; 60]]);
        assert!(!String::from_utf8(chain.to_pem()).unwrap().contains("KEY"));
        assert!(Chain::of_file(block("PRIVATE KEY", 2).as_bytes()).is_err());
    }
}
