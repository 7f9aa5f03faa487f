//! `[credentials]`: what the verifier accepts.

use crate::values::{AbsolutePath, Lifetime};
use serde::{Deserialize, Deserializer, Serialize};

/// A generation of proxy certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyType {
    /// RFC 3820.
    Rfc3820,
    /// The GT3 draft, proxyCertInfo 1.3.6.1.4.1.3536.1.222.
    Gt3,
    /// GT2, recognised by its last CN (`proxy`, `limited proxy`).
    Legacy,
}

/// What to do with limited proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LimitedProxy {
    /// Take them like full ones.
    Accept,
    Refuse,
    /// Take nothing else.
    Require,
}

/// What to do with the pilot's own proxy, X509_USER_PROXY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PilotProxy {
    /// It must be there and valid.
    Required,
    /// It must be valid where it is there.
    Optional,
    Ignored,
}

/// Whether a file that accompanies a CA must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// No file, no trust.
    Require,
    /// Judged where it is there.
    IfPresent,
    /// Not looked at.
    Off,
}

/// What to do with an attribute certificate that is present but not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BadAc {
    /// Refuse the whole credential.
    Refuse,
    /// Log it and go on without FQANs.
    Ignore,
}

/// A digest that signatures may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Digest {
    /// SHA-1, for old test beds only.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// The digests that are accepted where nothing is configured.
const DIGESTS: [Digest; 3] = [Digest::Sha256, Digest::Sha384, Digest::Sha512];

/// No configuration accepts shorter RSA keys: 829 bits have been factored, 512 are for an afternoon.
const LEAST_RSA_BITS: u32 = 1024;

fn rsa_bits<'de, D: Deserializer<'de>>(value: D) -> Result<u32, D::Error> {
    let bits = u32::deserialize(value)?;
    match bits >= LEAST_RSA_BITS {
        true => Ok(bits),
        false => Err(serde::de::Error::custom(format!("{bits} is too little: at least {LEAST_RSA_BITS}"))),
    }
}

/// Most directories that links may lead to: the verifier may have 16 descriptors.
const MAX_LINKED: usize = 4;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<AbsolutePath>")]
pub struct LinkedDirectories(Vec<AbsolutePath>);

impl TryFrom<Vec<AbsolutePath>> for LinkedDirectories {
    type Error = String;

    fn try_from(paths: Vec<AbsolutePath>) -> Result<Self, String> {
        if paths.len() > MAX_LINKED { Err(format!("at most {MAX_LINKED} directories")) } else { Ok(Self(paths)) }
    }
}

impl LinkedDirectories {
    pub fn paths(&self) -> &[AbsolutePath] {
        &self.0
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Credentials {
    /// The IGTF CA directory.
    pub certdir: AbsolutePath,
    /// The directory of .lsc files.
    pub vomsdir: AbsolutePath,
    /// Where links in the two lead to outside of them: the verifier can read nothing else.
    pub linked_directories: LinkedDirectories,
    /// Accepted generations.
    pub proxy_types: Vec<ProxyType>,
    /// Limited proxies.
    pub limited_proxy: LimitedProxy,
    /// The pilot's proxy.
    pub pilot_proxy: PilotProxy,
    /// Whether every CA needs a CRL.
    pub crl: Presence,
    /// Whether every CA needs a signing policy.
    pub signing_policy: Presence,
    /// Attribute certificates that are not valid.
    pub bad_ac: BadAc,
    /// Smallest RSA modulus of CAs, end entities and VOMS servers, in bits.
    #[serde(deserialize_with = "rsa_bits")]
    pub min_rsa_bits: u32,
    /// Smallest RSA modulus of proxies, in bits: they live for hours, and DIRAC and WMCore make them with 1024.
    #[serde(deserialize_with = "rsa_bits")]
    pub min_proxy_rsa_bits: u32,
    /// Accepted digests of signatures on certificates and CRLs.
    pub digests: Vec<Digest>,
    /// Accepted digests of signatures on proxies.
    pub proxy_digests: Vec<Digest>,
    /// Accepted digests of signatures on VOMS attribute certificates.
    pub ac_digests: Vec<Digest>,
    /// Most certificates in a file.
    pub max_chain: usize,
    /// Longest lifetime of a proxy, notAfter - notBefore.
    pub max_proxy_lifetime: Option<Lifetime>,
    /// Longest lifetime of an attribute certificate.
    pub max_ac_lifetime: Option<Lifetime>,
}

impl Default for Credentials {
    fn default() -> Self {
        Credentials {
            certdir: AbsolutePath::fixed("/etc/grid-security/certificates"),
            vomsdir: AbsolutePath::fixed("/etc/grid-security/vomsdir"),
            linked_directories: LinkedDirectories::default(),
            proxy_types: vec![ProxyType::Rfc3820],
            limited_proxy: LimitedProxy::Accept,
            pilot_proxy: PilotProxy::Optional,
            crl: Presence::Require,
            signing_policy: Presence::Require,
            bad_ac: BadAc::Refuse,
            min_rsa_bits: 2048,
            min_proxy_rsa_bits: LEAST_RSA_BITS,
            digests: DIGESTS.into(),
            proxy_digests: DIGESTS.into(),
            ac_digests: DIGESTS.into(),
            max_chain: 20,
            max_proxy_lifetime: None,
            max_ac_lifetime: None,
        }
    }
}
