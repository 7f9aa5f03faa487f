//! What is fuzzed: each target takes any bytes and panics where a promise is broken. `fuzz/` runs them under
//! cargo-fuzz, `tests/fuzz_replay.rs` replays the inputs that are kept.

#![allow(dead_code)] // every fuzz target uses another part of it

use glexec_config::lcmaps::Matching;
use glexec_core::credentials::{BadAc, Credentials, ProxyType};
use glexec_core::identity::{Dn, Fqan, MAX_FQAN, MAX_FQANS};
use glexec_core::question::{self, Holder, KeyRule};
use glexec_core::reason::Outcome;
use glexec_core::spelling::as_printed;
use glexec_core::verdict::{self, Judged};
use glexec_core::vo;
use glexec_policy::files::map_file::{self, Wanted};
use glexec_policy::files::subject::Subject;
use glexec_sys::dir::Directory;
use glexec_verify::token::algorithm::Algorithm;
use glexec_verify::token::issuer::Issuer;
use glexec_verify::token::json::Object;
use glexec_verify::token::{Rules, claims, compact, keys};
use glexec_verify::trust::{self, crl, namespaces, signing_policy};
use glexec_verify::voms::{ac, lsc};
use glexec_verify::x509::asn1::Cursor;
use glexec_verify::x509::certificate::{Certificate, Extension, oid};
use glexec_verify::x509::name::Name;
use glexec_verify::x509::pem::{FirstCrl, Octets};
use glexec_verify::x509::{pem, proxy};
use glexec_verify::{Matter, Trust, judge};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The time for which the kept credentials are valid.
pub const NOW: i64 = 1_800_000_000;

pub type Target = fn(&[u8]);

pub const TARGETS: &[(&str, Target)] = &[
    ("pem", pem_file),
    ("chain", chain),
    ("proxy_info", proxy_info),
    ("ac", attribute_certificate),
    ("fqan", fqan),
    ("lsc", lsc_file),
    ("signing_policy", eacl),
    ("namespaces", namespaces_file),
    ("crl", crl_stream),
    ("question", question),
    ("verdict", verdict),
    ("map_file", map_files),
    ("token_header", token_header),
    ("token_claims", token_claims),
    ("key_file", key_file),
];

/// Where the kept inputs and the trust directories for [`chain`] are.
pub fn kept() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if root.ends_with("fuzz") { root.into() } else { root.join("fuzz") }
}

pub fn pem_file(data: &[u8]) {
    if let Ok(contents) = pem::read(data, 20) {
        assert!((1..=20).contains(&contents.certificates.len()));
        assert!(contents.certificates.iter().all(|der| !der.is_empty() && der.len() <= data.len()));
    }
    assert!(first_crl(data).is_none_or(|der| der.len() <= data.len()));
    let _ = pem::first_certificate(data.to_vec());
}

/// Where the trust directories are copied to, for this process.
pub fn place() -> PathBuf {
    format!("/tmp/glexec-fuzz-{}", std::process::id()).into()
}

/// The trust directories, copied to where they belong to whoever runs this and nobody else can write.
struct Site {
    place: PathBuf,
    key: String,
}

impl Site {
    fn trust(&self) -> Trust {
        Trust {
            cas: Directory::open(&self.place.join("certificates")).unwrap(),
            voms: Some(Directory::open(&self.place.join("vomsdir")).unwrap()),
            host: "wn1.example.org".into(),
            ahead: None,
        }
    }
}

// The directories are made once and only read.
fn site() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| {
        let place = place();
        let copy = |from: &str, to: &Path| {
            std::fs::create_dir_all(to).unwrap();
            std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o755)).unwrap();
            for entry in std::fs::read_dir(kept().join("trust").join(from)).unwrap() {
                let entry = entry.unwrap();
                let file = to.join(entry.file_name());
                std::fs::write(&file, std::fs::read(entry.path()).unwrap()).unwrap();
                std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
            }
        };
        copy("certificates", &place.join("certificates"));
        copy("vomsdir/testvo", &place.join("vomsdir/testvo"));
        Site { place, key: std::fs::read_to_string(kept().join("trust/leaf.key")).unwrap() }
    })
}

/// Certificates in DER, one after the other, as a file with the leaf's key.
fn as_file(data: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = Cursor::new(data).unwrap();
    while let (Ok(one), true) = (rest.any(), text.len() < 200_000) {
        let body = openssl::base64::encode_block(one.raw);
        text.push_str(&format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"));
        if !text.contains("PRIVATE KEY") {
            text.push_str(&site().key);
        }
    }
    text
}

/// What is said about certificates in DER.
pub fn judged(data: &[u8]) -> Outcome<Judged> {
    judged_with(data, &Credentials::default())
}

fn judged_with(data: &[u8], policy: &Credentials) -> Outcome<Judged> {
    let text = as_file(data);
    let matter = Matter { file: text.as_bytes(), holder: Holder::User, key: KeyRule::Required };
    judge(&matter, policy, &site().trust(), NOW)
}

/// The whole judge: nobody becomes another person or gets more FQANs than the CA and the VOMS server ever signed.
pub fn chain(data: &[u8]) {
    let mut policy = Credentials { bad_ac: BadAc::Ignore, ..Credentials::default() };
    for generations in [vec![ProxyType::Rfc3820], vec![ProxyType::Rfc3820, ProxyType::Gt3, ProxyType::Legacy]] {
        policy.proxy_types = generations;
        if let Ok(answer) = judged_with(data, &policy) {
            let subject = answer.identity.subject.as_str();
            assert_eq!(subject, "/DC=org/DC=example/CN=Alice", "the key is that of her proxies");
            let fqans: Vec<&str> = answer.identity.fqans.iter().map(Fqan::as_str).collect();
            assert!(fqans.is_empty() || fqans == ["/testvo/Role=pilot", "/testvo"], "{fqans:?}");
        }
    }
}

/// A certificate without extensions.
fn template() -> Certificate {
    static DER: OnceLock<Vec<u8>> = OnceLock::new();
    let der = DER.get_or_init(|| std::fs::read(kept().join("trust/template.der")).unwrap());
    Certificate::parse(der).unwrap()
}

pub fn proxy_info(data: &[u8]) {
    for kind in [oid::PROXY_INFO, oid::PROXY_INFO_GT3] {
        let mut certificate = template();
        certificate.extensions = vec![Extension { oid: kind, critical: true, value: data.to_vec() }];
        if let Ok(proxy) = proxy::read(&certificate) {
            let text = String::from_utf8_lossy(data);
            // inheritAll or limited, and nothing that looks like either.
            let inherits = data.windows(8).any(|w| w == [0x2b, 6, 1, 5, 5, 7, 0x15, 1]);
            let limited = data.windows(9).any(|w| w == [0x2b, 6, 1, 4, 1, 0x9b, 0x50, 1, 1]);
            assert!(proxy.is_some_and(|proxy| if proxy.limited { limited } else { inherits }), "{text}");
        }
    }
    let _ = Certificate::parse(data);
}

pub fn attribute_certificate(data: &[u8]) {
    if let Ok(ac) = ac::Ac::parse(data) {
        assert!(vo::is_vo(&ac.vo));
        assert!(ac.fqans.len() <= 128);
        if let Some(targets) = ac.extension(ac::TARGETS) {
            let _ = ac::targets(targets);
        }
        let _ = ac.unknown_critical();
    }
    let _ = ac::targets(data);
    if let Ok(name) = Name::parse(data) {
        assert_eq!(as_printed(&as_printed(name.text().as_str())), as_printed(name.text().as_str()));
    }
}

pub fn fqan(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(fqan) = Fqan::try_from(text.to_owned()) {
        assert!(vo::is_vo(fqan.vo()), "{text}");
        assert!(text.is_ascii() && !text.contains("/../"));
        // The longest have spellings that are longer than any.
        for spelling in fqan.spellings().into_iter().filter(|spelling| spelling.len() <= MAX_FQAN) {
            let other = Fqan::try_from(spelling).unwrap();
            assert_eq!(other.vo(), fqan.vo());
            assert!(other.spellings().contains(&text.to_owned()));
        }
    }
    if vo::is_vo(text) {
        assert!(!text.contains('/') && !text.starts_with('.') && !text.is_empty());
    }
}

pub fn lsc_file(data: &[u8]) {
    let Ok(chains) = lsc::parse(data) else { return };
    let (server, ca) = ("/CN=voms", "/CN=CA");
    for chain in chains {
        // Whatever the file says, a chain fits only where both names are in it.
        let text = as_printed(&String::from_utf8_lossy(data));
        assert!(!chain.fits(&[server, ca], 1) || (text.contains(server) && text.contains(ca)));
        assert!(!chain.fits(&[server], 0), "a chain of one name");
    }
}

pub fn eacl(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if signing_policy::judge(text, "/CN=CA", "/CN=a") == Ok(trust::Verdict::Permitted) {
        assert!(text.contains("access_id_CA") && text.contains("CA:sign") && text.contains("cond_subjects"));
    }
}

pub fn namespaces_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if namespaces::judge(text, "/CN=CA", "/CN=CA", "/CN=a") == Ok(trust::Verdict::Permitted) {
        assert!(text.to_ascii_lowercase().contains("permit"));
    }
}

pub fn crl_stream(data: &[u8]) {
    let wanted = [vec![0x31], vec![0x41, 0x01]];
    if let Ok(Some(found)) = crl::scan(&mut FirstCrl::new(data), &wanted) {
        let der = first_crl(data).expect("a CRL that could be looked through");
        let number = [&[2, u8::try_from(wanted[found].len()).unwrap()], wanted[found].as_slice()].concat();
        assert!(der.windows(number.len()).any(|window| window == number), "a number that is not there");
    }
}

/// The bytes of the first CRL of a file.
fn first_crl(data: &[u8]) -> Option<Vec<u8>> {
    let (mut stream, mut der) = (FirstCrl::new(data), Vec::new());
    loop {
        match stream.next_octets().ok()? {
            [] => return Some(der).filter(|der| !der.is_empty()),
            more => der.extend_from_slice(more),
        }
    }
}

pub fn verdict(data: &[u8]) {
    if let Ok(Judged { identity, .. }) = verdict::judged(data) {
        assert!(identity.subject.as_str().starts_with('/') && identity.fqans.len() <= MAX_FQANS);
        assert!(!identity.subject.as_str().chars().any(char::is_control));
        assert!(identity.fqans.iter().all(|fqan| Some(fqan.vo()) == identity.vo()));
    }
}

/// What the verifier reads first: a question comes out as it would go in again.
pub fn question(data: &[u8]) {
    if let Ok((question, file)) = question::decode(data) {
        let again = question::encode(&question, file).unwrap();
        let (same, same_file) = question::decode(&again).unwrap();
        assert_eq!((same.asked, same_file), (question.asked, file));
    }
}

pub fn map_files(data: &[u8]) {
    let dn = Dn::try_from(String::from("/DC=org/DC=example/CN=Alice")).unwrap();
    let subject = Subject::mapped(&dn);
    for line in map_file::lines(data).flatten() {
        assert!(!line.name.contains(&b'\n') && !line.mappings.contains(&b'\n'));
    }
    for matching in [Matching::Exact, Matching::Wildcards] {
        for wanted in [Wanted::Pool, Wanted::Name] {
            if let Some((found, line)) = map_file::lookup(data, &subject, matching, wanted).found {
                assert!(line >= 1 && !found.is_empty());
                assert_eq!(found.starts_with('.'), wanted == Wanted::Pool, "{found}");
            }
        }
    }
}

/// The issuer of the kept tokens.
const ISSUER: &str = "https://vo.example.org/";

/// The header of a token.
pub fn token_header(data: &[u8]) {
    let encoded = openssl::base64::encode_block(data);
    let header = encoded.trim_end_matches('=').replace('+', "-").replace('/', "_").replace('\n', "");
    let token = format!("{header}.e30.AAAA");
    if let Ok(read) = compact::read(token.as_bytes()) {
        assert!((1..=256).contains(&read.kid.len()), "{:?}", read.kid);
        assert_eq!(read.signed, format!("{header}.e30").as_bytes());
    }
    // And as a whole token, which is none but by chance.
    let _ = compact::read(data);
}

/// The claims of a token whose signature is right.
pub fn token_claims(data: &[u8]) {
    let Ok(object) = Object::parse(data) else { return };
    let wlcg = "vo='testvo'\nprofile='wlcg'\nscopes=['compute.create']";
    let group_only = "vo='testvo'\nprofile='wlcg'\nscopes=[]\ngroup_only=true";
    let egi = "vos=['testvo']\nprofile='egi'\nscopes=[]";
    let diracx = "vos=['testvo']\nprofile='diracx'\nscopes=[]";
    let rules = Rules { clock_skew: 60, max_lifetime: 6 * 3600 };
    for says in [wlcg, group_only, egi, diracx] {
        let issuer = format!("issuer='{ISSUER}'\naudiences=['glexec://site.example']\n{says}");
        let issuer = Issuer::parse(&issuer).unwrap();
        let Ok(found) = claims::judge(&object, &issuer, claims::Use::Identity, &rules, NOW) else { continue };
        assert!((1..=255).contains(&found.subject.len()) && found.subject.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(found.not_after > NOW - 60 && found.not_after <= NOW + 60 + 6 * 3600);
        assert!(found.fqans.iter().all(|fqan| fqan.vo() == "testvo"), "{:?}", found.fqans);
        assert!(says == wlcg || !found.fqans.is_empty(), "nobody without a group: {says}");
    }
}

/// A file of the key cache.
pub fn key_file(data: &[u8]) {
    const ALL: [Algorithm; 5] =
        [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::ES256, Algorithm::ES384];
    let _ = keys::judge_set(data, &ALL);
    let Ok(read) = keys::parse(data, ISSUER) else { return };
    let usable = read.usable(&ALL);
    assert!(usable <= data.len());
    for algorithm in ALL {
        if let Ok(key) = read.find("k1", algorithm) {
            assert!(usable > 0);
            assert!(!key.verifies(algorithm, b"signed", &[1; 64]).unwrap_or(false), "nobody has signed this");
        }
    }
}
