//! Forges credentials: every field of a certificate, a CRL or an attribute certificate can be bent.
//!
//! It shares no code with the library. What it writes by default is what a correct tool would write.
#![allow(dead_code)] // every test program uses another part of it

pub mod der;
pub mod hostile;
pub mod judge;
pub mod site;

use der::*;
use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey, PointConversionForm};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use std::sync::OnceLock;

/// The time of all judgements: 2027-01-15 08:00:00 UTC.
pub const NOW: i64 = 1_800_000_000;
pub const HOUR: i64 = 3600;
pub const DAY: i64 = 86400;

pub type Key = &'static PKey<Private>;

/// One of a few P-256 keys, made once.
pub fn key(number: usize) -> Key {
    static KEYS: OnceLock<Vec<PKey<Private>>> = OnceLock::new();
    &KEYS.get_or_init(|| (0..40).map(|_| curve(Nid::X9_62_PRIME256V1)).collect())[number]
}

pub fn curve(nid: Nid) -> PKey<Private> {
    PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(nid).unwrap()).unwrap()).unwrap()
}

/// An RSA key with 2048 bits, made once.
pub fn rsa() -> Key {
    static KEY: OnceLock<PKey<Private>> = OnceLock::new();
    KEY.get_or_init(|| rsa_of(2048))
}

/// An RSA key with 1024 bits, made once.
pub fn weak() -> Key {
    static KEY: OnceLock<PKey<Private>> = OnceLock::new();
    KEY.get_or_init(|| rsa_of(1024))
}

pub fn rsa_of(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
}

/// Keeps a key for ever.
pub fn leak(key: PKey<Private>) -> Key {
    Box::leak(Box::new(key))
}

/// Numbers of the keys that people have; proxies use those from 10.
pub mod whose {
    pub const ROOT: usize = 0;
    pub const SUB: usize = 1;
    pub const ALICE: usize = 2;
    pub const BOB: usize = 3;
    pub const VOMS: usize = 4;
    pub const FAKE: usize = 5;
    pub const SUB_SUB: usize = 6;
}

/// The name of a signature algorithm and its digest.
#[derive(Clone)]
pub struct Algorithm {
    pub der: Vec<u8>,
    pub digest: MessageDigest,
}

pub fn algorithm(key: Key) -> Algorithm {
    if key.id() == openssl::pkey::Id::RSA { sha256_rsa() } else { ecdsa(2, MessageDigest::sha256()) }
}

pub fn sha256_rsa() -> Algorithm {
    Algorithm { der: seq(&[oid("1.2.840.113549.1.1.11"), null()]), digest: MessageDigest::sha256() }
}

pub fn sha1_rsa() -> Algorithm {
    Algorithm { der: seq(&[oid("1.2.840.113549.1.1.5"), null()]), digest: MessageDigest::sha1() }
}

pub fn md5_rsa() -> Algorithm {
    Algorithm { der: seq(&[oid("1.2.840.113549.1.1.4"), null()]), digest: MessageDigest::md5() }
}

/// ECDSA with SHA-224 (1) to SHA-512 (4).
pub fn ecdsa(number: u8, digest: MessageDigest) -> Algorithm {
    Algorithm { der: seq(&[oid(&format!("1.2.840.10045.4.3.{number}"))]), digest }
}

pub fn sha1_ecdsa() -> Algorithm {
    Algorithm { der: seq(&[oid("1.2.840.10045.4.1")]), digest: MessageDigest::sha1() }
}

fn sign(body: &[u8], key: Key, algorithm: &Algorithm, spoil: bool) -> Vec<u8> {
    let mut body = body.to_vec();
    if spoil {
        body.push(0); // a genuine signature, of something else
    }
    Signer::new(algorithm.digest, key).unwrap().sign_oneshot_to_vec(&body).unwrap()
}

/// What goes into a certificate.
#[derive(Clone)]
pub struct Spec {
    pub version: Option<u8>,
    pub serial: Vec<u8>,
    pub inner_algorithm: Option<Vec<u8>>,
    pub algorithm: Algorithm,
    pub issuer: Vec<u8>,
    pub not_before: Vec<u8>,
    pub not_after: Vec<u8>,
    pub subject: Vec<u8>,
    pub spki: Vec<u8>,
    pub extensions: Vec<Vec<u8>>,
    /// Put after the extensions.
    pub trailing: Vec<u8>,
    pub signer: Key,
    pub spoil_signature: bool,
}

/// A certificate with the key that belongs to it.
#[derive(Clone)]
pub struct Cert {
    pub spec: Spec,
    pub key: Key,
    pub der: Vec<u8>,
}

impl Spec {
    pub fn build(self, key: Key) -> Cert {
        let mut fields = Vec::new();
        if let Some(version) = self.version {
            fields.push(tlv(0xa0, &tlv(0x02, &[version])));
        }
        fields.push(tlv(0x02, &self.serial));
        fields.push(self.inner_algorithm.clone().unwrap_or_else(|| self.algorithm.der.clone()));
        fields.push(self.issuer.clone());
        fields.push(seq(&[self.not_before.clone(), self.not_after.clone()]));
        fields.push(self.subject.clone());
        fields.push(self.spki.clone());
        if !self.extensions.is_empty() {
            fields.push(tlv(0xa3, &seq(&self.extensions)));
        }
        fields.push(self.trailing.clone());
        let body = seq(&fields);
        let signature = sign(&body, self.signer, &self.algorithm, self.spoil_signature);
        let der = seq(&[body, self.algorithm.der.clone(), bits(&signature)]);
        Cert { spec: self, key, der }
    }

    pub fn lasts(&mut self, from: i64, to: i64) {
        (self.not_before, self.not_after) = (time(from), time(to));
    }

    pub fn replace(&mut self, kind: &str, with: Vec<Vec<u8>>) {
        let prefix = oid(kind);
        self.extensions.retain(|e| !e.windows(prefix.len()).any(|w| w == prefix));
        self.extensions.extend(with);
    }
}

fn spec(subject: &str, key: Key, issuer: Vec<u8>, signer: Key) -> Spec {
    Spec {
        version: Some(2),
        serial: vec![0x11],
        inner_algorithm: None,
        algorithm: algorithm(signer),
        issuer,
        not_before: time(NOW - DAY),
        not_after: time(NOW + 300 * DAY),
        subject: name(subject),
        spki: key.public_key_to_der().unwrap(),
        extensions: Vec::new(),
        trailing: Vec::new(),
        signer,
        spoil_signature: false,
    }
}

pub const KEY_USAGE: &str = "2.5.29.15";
pub const BASIC_CONSTRAINTS: &str = "2.5.29.19";
pub const NAME_CONSTRAINTS: &str = "2.5.29.30";
pub const PROXY_INFO: &str = "1.3.6.1.5.5.7.1.14";
pub const PROXY_INFO_GT3: &str = "1.3.6.1.4.1.3536.1.222";
pub const VOMS: &str = "1.3.6.1.4.1.8005.100.100.5";
pub const INHERIT_ALL: &str = "1.3.6.1.5.5.7.21.1";
pub const INDEPENDENT: &str = "1.3.6.1.5.5.7.21.2";
pub const ANY_LANGUAGE: &str = "1.3.6.1.5.5.7.21.0";
pub const LIMITED: &str = "1.3.6.1.4.1.3536.1.1.1.9";

pub fn extension(kind: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let mut fields = vec![oid(kind)];
    if critical {
        fields.push(boolean(0xff));
    }
    fields.push(tlv(0x04, value));
    seq(&fields)
}

/// keyUsage of one octet: 0x80 digitalSignature, 0x20 keyEncipherment, 0x04 keyCertSign, 0x02 cRLSign.
pub fn key_usage(octet: u8) -> Vec<u8> {
    extension(KEY_USAGE, true, &tlv(0x03, &[u8::try_from(octet.trailing_zeros()).unwrap(), octet]))
}

pub fn ca_true(length: Option<u8>) -> Vec<u8> {
    let mut fields = vec![boolean(0xff)];
    fields.extend(length.map(|n| tlv(0x02, &[n])));
    extension(BASIC_CONSTRAINTS, true, &seq(&fields))
}

pub fn proxy_info(length: Option<u8>, language: &str) -> Vec<u8> {
    extension(PROXY_INFO, true, &proxy_info_value(length, language, None))
}

pub fn proxy_info_value(length: Option<u8>, language: &str, policy: Option<&[u8]>) -> Vec<u8> {
    let mut inner = vec![oid(language)];
    inner.extend(policy.map(|p| tlv(0x04, p)));
    let mut fields: Vec<Vec<u8>> = length.map(|n| tlv(0x02, &[n])).into_iter().collect();
    fields.push(seq(&inner));
    seq(&fields)
}

pub fn gt3_info(length: Option<u8>, language: &str) -> Vec<u8> {
    let mut fields = vec![seq(&[oid(language)])];
    fields.extend(length.map(|n| tlv(0xa1, &tlv(0x02, &[n]))));
    extension(PROXY_INFO_GT3, true, &seq(&fields))
}

/// A self-signed CA.
pub fn root(subject: &str, key: Key, bend: impl FnOnce(&mut Spec)) -> Cert {
    let mut spec = spec(subject, key, name(subject), key);
    spec.extensions = vec![ca_true(None), key_usage(0x06)];
    bend(&mut spec);
    spec.build(key)
}

/// A CA below another.
pub fn sub(subject: &str, key: Key, issuer: &Cert, bend: impl FnOnce(&mut Spec)) -> Cert {
    let mut spec = spec(subject, key, issuer.spec.subject.clone(), issuer.key);
    spec.extensions = vec![ca_true(None), key_usage(0x06)];
    spec.serial = vec![0x21];
    bend(&mut spec);
    spec.build(key)
}

/// An end entity certificate.
pub fn eec(subject: &str, key: Key, issuer: &Cert, bend: impl FnOnce(&mut Spec)) -> Cert {
    let mut spec = spec(subject, key, issuer.spec.subject.clone(), issuer.key);
    spec.extensions = vec![extension(BASIC_CONSTRAINTS, true, &seq(&[])), key_usage(0xa0)];
    spec.serial = vec![0x31];
    bend(&mut spec);
    spec.build(key)
}

/// A proxy below another certificate; `number` chooses its key and its common name.
pub fn below(issuer: &Cert, number: usize, bend: impl FnOnce(&mut Spec)) -> Cert {
    let key = key(10 + number);
    let mut spec = spec("/CN=x", key, issuer.spec.subject.clone(), issuer.key);
    spec.subject = extend(&issuer.spec.subject, &format!("{}", 1000 + number));
    spec.serial = vec![0x41, u8::try_from(number).unwrap()];
    spec.lasts(NOW - HOUR, NOW + 12 * HOUR);
    spec.extensions = vec![key_usage(0xa0), proxy_info(None, INHERIT_ALL)];
    bend(&mut spec);
    spec.build(key)
}

/// A proxy as it should be.
pub fn proxy(issuer: &Cert, number: usize) -> Cert {
    below(issuer, number, |_| {})
}

/// A limited proxy.
pub fn limited(issuer: &Cert, number: usize) -> Cert {
    below(issuer, number, |s| s.replace(PROXY_INFO, vec![proxy_info(None, LIMITED)]))
}

/// A legacy proxy.
pub fn legacy(issuer: &Cert, number: usize, common_name: &str) -> Cert {
    below(issuer, number, |s| {
        s.extensions.clear();
        s.subject = extend(&issuer.spec.subject, common_name);
    })
}

pub fn pem(label: &str, der: &[u8]) -> String {
    let text = openssl::base64::encode_block(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

pub fn pem_cert(cert: &Cert) -> String {
    pem("CERTIFICATE", &cert.der)
}

pub fn pem_key(key: Key) -> String {
    pem("PRIVATE KEY", &key.private_key_to_pkcs8().unwrap())
}

/// A proxy file: the leaf, its key, the other certificates.
pub fn file(chain: &[&Cert]) -> Vec<u8> {
    let (leaf, rest) = chain.split_first().unwrap();
    let rest: String = rest.iter().map(|cert| pem_cert(cert)).collect();
    format!("{}{}{rest}", pem_cert(leaf), pem_key(leaf.key)).into_bytes()
}

/// What goes into a CRL.
#[derive(Clone)]
pub struct Crl {
    pub version: Option<u8>,
    pub issuer: Vec<u8>,
    pub this_update: Vec<u8>,
    pub next_update: Vec<u8>,
    pub revoked: Vec<Vec<u8>>,
    pub entry_extensions: Vec<Vec<u8>>,
    pub extensions: Vec<Vec<u8>>,
    pub signer: Key,
    pub algorithm: Algorithm,
    pub spoil_signature: bool,
}

pub fn crl(ca: &Cert, revoked: &[&Cert], bend: impl FnOnce(&mut Crl)) -> Vec<u8> {
    let mut crl = Crl {
        version: Some(1),
        issuer: ca.spec.subject.clone(),
        this_update: time(NOW - DAY),
        next_update: time(NOW + 30 * DAY),
        revoked: revoked.iter().map(|cert| cert.spec.serial.clone()).collect(),
        entry_extensions: Vec::new(),
        extensions: vec![extension("2.5.29.20", false, &tlv(0x02, &[7]))],
        signer: ca.key,
        algorithm: algorithm(ca.key),
        spoil_signature: false,
    };
    bend(&mut crl);
    crl.build()
}

impl Crl {
    fn build(self) -> Vec<u8> {
        let mut fields: Vec<Vec<u8>> = self.version.map(|v| tlv(0x02, &[v])).into_iter().collect();
        fields.extend([self.algorithm.der.clone(), self.issuer, self.this_update, self.next_update]);
        let entry = |serial: &Vec<u8>| {
            let mut fields = vec![tlv(0x02, serial), time(NOW - 2 * DAY)];
            if !self.entry_extensions.is_empty() {
                fields.push(seq(&self.entry_extensions));
            }
            seq(&fields)
        };
        if !self.revoked.is_empty() {
            fields.push(seq(&self.revoked.iter().map(entry).collect::<Vec<_>>()));
        }
        if !self.extensions.is_empty() {
            fields.push(tlv(0xa0, &seq(&self.extensions)));
        }
        let body = seq(&fields);
        let signature = sign(&body, self.signer, &self.algorithm, self.spoil_signature);
        seq(&[body, self.algorithm.der, bits(&signature)])
    }
}

/// What goes into an attribute certificate.
#[derive(Clone)]
pub struct Ac {
    pub version: u8,
    pub holder_issuer: Vec<u8>,
    pub holder_serial: Vec<u8>,
    pub holder_extra: Vec<u8>,
    pub issuer: Vec<u8>,
    pub not_before: Vec<u8>,
    pub not_after: Vec<u8>,
    pub authority: String,
    pub fqans: Vec<String>,
    pub certificates: Vec<Vec<u8>>,
    pub extensions: Vec<Vec<u8>>,
    pub signer: Key,
    pub algorithm: Algorithm,
    pub spoil_signature: bool,
}

pub const AC_CERTIFICATES: &str = "1.3.6.1.4.1.8005.100.100.10";
pub const AC_TARGETS: &str = "2.5.29.55";

/// An AC for `holder` by `server`, as the VOMS server of testvo writes it.
pub fn ac(holder: &Cert, server: &Cert, fqans: &[&str], bend: impl FnOnce(&mut Ac)) -> Vec<u8> {
    let mut ac = Ac {
        version: 1,
        holder_issuer: holder.spec.issuer.clone(),
        holder_serial: holder.spec.serial.clone(),
        holder_extra: Vec::new(),
        issuer: server.spec.subject.clone(),
        not_before: generalized(NOW - HOUR),
        not_after: generalized(NOW + 12 * HOUR),
        authority: "testvo://voms.example.org:15000".into(),
        fqans: fqans.iter().map(|f| (*f).into()).collect(),
        certificates: vec![server.der.clone()],
        extensions: vec![extension("2.5.29.56", false, &null()), authority_key(false, server.key)],
        signer: server.key,
        algorithm: algorithm(server.key),
        spoil_signature: false,
    };
    bend(&mut ac);
    ac.build()
}

/// The authority key identifier of what a key has signed.
pub fn authority_key(critical: bool, key: Key) -> Vec<u8> {
    let public = match key.rsa() {
        Ok(key) => key.public_key_to_der_pkcs1().unwrap(),
        Err(_) => {
            let key = key.ec_key().unwrap();
            let mut context = BigNumContext::new().unwrap();
            key.public_key().to_bytes(key.group(), PointConversionForm::UNCOMPRESSED, &mut context).unwrap()
        }
    };
    extension("2.5.29.35", critical, &seq(&[tlv(0x80, &openssl::sha::sha1(&public))]))
}

fn general_names(name: &[u8]) -> Vec<u8> {
    seq(&[tlv(0xa4, name)])
}

impl Ac {
    fn build(self) -> Vec<u8> {
        let base = [general_names(&self.holder_issuer), tlv(0x02, &self.holder_serial)].concat();
        let values: Vec<Vec<u8>> = self.fqans.iter().map(|f| tlv(0x04, f.as_bytes())).collect();
        let syntax = seq(&[tlv(0xa0, &tlv(0x86, self.authority.as_bytes())), seq(&values)]);
        let attribute = seq(&[oid("1.3.6.1.4.1.8005.100.100.4"), tlv(0x31, &syntax)]);
        let mut extensions = self.extensions;
        if !self.certificates.is_empty() {
            extensions.push(extension(AC_CERTIFICATES, false, &seq(&[seq(&self.certificates)])));
        }
        let body = seq(&[
            tlv(0x02, &[self.version]),
            seq(&[tlv(0xa0, &base), self.holder_extra]),
            tlv(0xa0, &general_names(&self.issuer)),
            self.algorithm.der.clone(),
            tlv(0x02, &[1]),
            seq(&[self.not_before, self.not_after]),
            seq(&[attribute]),
            seq(&extensions),
        ]);
        let signature = sign(&body, self.signer, &self.algorithm, self.spoil_signature);
        seq(&[body, self.algorithm.der, bits(&signature)])
    }
}

/// A proxy that carries ACs.
pub fn voms_proxy(issuer: &Cert, number: usize, acs: &[Vec<u8>]) -> Cert {
    below(issuer, number, |s| s.extensions.push(extension(VOMS, false, &seq(&[seq(acs)]))))
}
