//! A site's trust directories, in a temporary place.

use super::der::name;
use super::*;
use glexec_sys::dir::Directory;
use glexec_verify::Trust;
use glexec_verify::trust::ahead::Ahead;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Trust directories that vanish with the value.
pub struct Site {
    path: PathBuf,
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

pub fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
}

fn make(path: &Path) {
    fs::create_dir_all(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The hash that OpenSSL itself gives a subject.
pub fn hash(der: &[u8]) -> String {
    format!("{:08x}", openssl::x509::X509::from_der(der).unwrap().subject_name_hash())
}

impl Site {
    pub fn empty() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!("/tmp/glexec-trust-{}-{number}", std::process::id()));
        make(&path.join("certificates"));
        make(&path.join("vomsdir"));
        Site { path }
    }

    pub fn certificates(&self) -> PathBuf {
        self.path.join("certificates")
    }

    pub fn vomsdir(&self) -> PathBuf {
        self.path.join("vomsdir")
    }

    pub fn put(&self, file: &str, bytes: &[u8]) -> &Self {
        write(&self.certificates().join(file), bytes);
        self
    }

    pub fn remove(&self, file: &str) -> &Self {
        fs::remove_file(self.certificates().join(file)).unwrap();
        self
    }

    /// A CA with a good CRL and a signing policy that lets it sign anything below /DC=org/DC=example.
    pub fn ca(&self, ca: &Cert, revoked: &[&Cert]) -> &Self {
        let hash = hash(&ca.der);
        self.put(&format!("{hash}.0"), pem_cert(ca).as_bytes());
        self.put(&format!("{hash}.r0"), &crl(ca, revoked, |_| {}));
        self.policy(ca, "/DC=org/DC=example/*")
    }

    pub fn policy(&self, ca: &Cert, pattern: &str) -> &Self {
        let x509 = openssl::x509::X509::from_der(&ca.der).unwrap();
        let subject: String = x509
            .subject_name()
            .entries()
            .map(|e| format!("/{}={}", e.object().nid().short_name().unwrap(), e.data().to_string().unwrap()))
            .collect();
        let text =
            format!("access_id_CA X509 '{subject}'\npos_rights globus CA:sign\ncond_subjects globus '\"{pattern}\"'\n");
        self.put(&format!("{}.signing_policy", hash(&ca.der)), text.as_bytes())
    }

    pub fn lsc(&self, vo: &str, text: &str) -> &Self {
        make(&self.vomsdir().join(vo));
        write(&self.vomsdir().join(vo).join("voms.example.org.lsc"), text.as_bytes());
        self
    }

    pub fn trust(&self) -> Trust {
        Trust {
            cas: Directory::open(&self.certificates()).unwrap(),
            voms: Some(Directory::open(&self.vomsdir()).unwrap()),
            host: "wn1.example.org".into(),
            ahead: Some(Rc::new(Ahead::of_files_older_than(-2))),
        }
    }
}

/// The people and authorities of most tests.
pub struct World {
    pub root: Cert,
    pub sub: Cert,
    pub alice: Cert,
    pub bob: Cert,
    pub server: Cert,
}

pub const ROOT: &str = "/DC=org/DC=example/CN=Root CA";
pub const ALICE: &str = "/DC=org/DC=example/CN=Alice";
pub const SERVER: &str = "/DC=org/DC=example/CN=voms.example.org";
pub const LSC: &str = "/DC=org/DC=example/CN=voms.example.org\n/DC=org/DC=example/CN=Root CA\n";

impl World {
    pub fn new() -> Self {
        let root = root(ROOT, key(whose::ROOT), |_| {});
        let sub = sub("/DC=org/DC=example/CN=Sub CA", key(whose::SUB), &root, |_| {});
        let alice = eec(ALICE, key(whose::ALICE), &root, |_| {});
        let bob = eec("/DC=org/DC=example/CN=Bob", key(whose::BOB), &root, |s| s.serial = vec![0x32]);
        let server = eec(SERVER, key(whose::VOMS), &root, |s| s.serial = vec![0x33]);
        World { root, sub, alice, bob, server }
    }

    /// A site that trusts the root and its VOMS server.
    pub fn site(&self) -> Site {
        let site = Site::empty();
        site.ca(&self.root, &[]).lsc("testvo", LSC);
        site
    }
}

/// The DER of a plain name, for tests that need one.
pub fn named(text: &str) -> Vec<u8> {
    name(text)
}
