//! A small grid with RSA-2048 keys, valid now: its authorities, people and directories as large as somebody wants them.

use crate::forge::der::{content, generalized, seq};
use crate::forge::site::hash;
use crate::forge::*;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

const BASE: &str = "/DC=org/DC=example";

pub struct Grid {
    pub root: Cert,
    pub user: Cert,
    server: Cert,
    /// Every proxy's.
    key: Key,
    now: i64,
}

impl Grid {
    pub fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
        let keys: Vec<Key> = (0..4).map(|_| leak(rsa_of(2048))).collect();
        let lasting = |spec: &mut Spec| spec.lasts(now - DAY, now + 300 * DAY);
        let root = root(&format!("{BASE}/CN=Measured Root CA"), keys[0], lasting);
        let user = eec(&format!("{BASE}/O=Grid/CN=Grace Measured"), keys[1], &root, lasting);
        let server = eec(&format!("{BASE}/CN=measured.example.org"), keys[2], &root, |spec| {
            lasting(spec);
            spec.serial = vec![0x33];
        });
        Grid { root, user, server, key: keys[3], now }
    }

    /// A proxy file: so many proxies below the user, the first of them with these VOMS attributes.
    pub fn proxies(&self, depth: usize, fqans: &[&str]) -> Vec<u8> {
        let ac = ac(&self.user, &self.server, fqans, |ac| {
            (ac.not_before, ac.not_after) = (generalized(self.now - HOUR), generalized(self.now + 12 * HOUR));
        });
        let attributes = extension(VOMS, false, &seq(&[seq(&[ac])]));
        let first = self.proxy(&self.user, 0, if fqans.is_empty() { vec![] } else { vec![attributes] });
        let mut chain = vec![self.user.clone(), first];
        for number in 1..depth {
            chain.push(self.proxy(&chain[number], number, vec![]));
        }
        file(&chain.iter().rev().collect::<Vec<_>>())
    }

    fn proxy(&self, issuer: &Cert, number: usize, more: Vec<Vec<u8>>) -> Cert {
        let proxy = below(issuer, number, |spec| {
            spec.lasts(self.now - HOUR, self.now + 12 * HOUR);
            spec.spki = self.key.public_key_to_der().unwrap();
            spec.extensions.extend(more);
        });
        Cert { key: self.key, ..proxy }
    }

    /// Makes a CA directory in which `count` CAs are trusted, with CRLs of one entry.
    pub fn certificates(&self, path: &str, count: usize) {
        fs::create_dir_all(path).unwrap();
        self.trust(path, &self.root);
        for number in 1..count {
            let other = root(&format!("{BASE}/CN=Other CA {number}"), self.root.key, |spec| {
                spec.lasts(self.now - DAY, self.now + 300 * DAY);
            });
            self.trust(path, &other);
        }
    }

    fn trust(&self, path: &str, ca: &Cert) {
        let hash = hash(&ca.der);
        fs::write(format!("{path}/{hash}.0"), pem_cert(ca)).unwrap();
        fs::write(format!("{path}/{hash}.r0"), pem("X509 CRL", &self.crl(ca, 1))).unwrap();
        let name = format!("{BASE}/CN={}", common_name(ca));
        let policy =
            format!("access_id_CA X509 '{name}'\npos_rights globus CA:sign\ncond_subjects globus '\"{BASE}/*\"'\n");
        fs::write(format!("{path}/{hash}.signing_policy"), policy).unwrap();
    }

    /// The file in a CA directory that holds the root's CRL.
    pub fn crl_file(&self, path: &str) -> String {
        format!("{path}/{}.r0", hash(&self.root.der))
    }

    /// A CRL with so many entries, in DER.
    pub fn crl(&self, ca: &Cert, entries: u32) -> Vec<u8> {
        hostile::large_crl(ca, entries, |crl| {
            (crl.this_update, crl.next_update) = (der::time(self.now - DAY), der::time(self.now + 30 * DAY));
        })
    }

    /// Makes a directory in which the VOMS server of testvo is trusted.
    pub fn vomsdir(&self, path: &str) {
        fs::create_dir_all(format!("{path}/testvo")).unwrap();
        let text = format!("{BASE}/CN=measured.example.org\n{BASE}/CN=Measured Root CA\n");
        fs::write(format!("{path}/testvo/measured.example.org.lsc"), text).unwrap();
    }
}

/// The text of a name's last attribute.
fn common_name(cert: &Cert) -> String {
    let subject = content(&cert.spec.subject);
    let start = subject.windows(3).rposition(|bytes| bytes == [0x55, 0x04, 0x03]).unwrap() + 5;
    String::from_utf8(subject[start..].to_vec()).unwrap()
}
