//! Every input that fuzzing has kept, and everything that ever broke a target, goes through its target.
#![allow(missing_docs, clippy::all, clippy::restriction)] // lints for the privileged program
#![forbid(unsafe_code)]

mod forge;
mod fuzz;

use forge::der::*;
use forge::site::*;
use forge::*;
use glexec_core::credentials::Credentials;
use glexec_core::question::{self, Asked, Certificates, Holder, KeyRule, Question, VERSION};
use glexec_core::reason::{Reason, Refusal};
use glexec_core::verdict;
use std::path::Path;

#[test]
fn what_fuzzing_has_kept_breaks_no_target() {
    if std::env::var_os("WRITE_CORPUS").is_some() {
        seed();
    }
    let mut total = 0;
    for (name, target) in fuzz::TARGETS {
        let directory = fuzz::kept().join("corpus").join(name);
        let entries = std::fs::read_dir(&directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display()));
        let inputs: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        assert!(!inputs.is_empty(), "{name} has no inputs");
        for input in inputs {
            let bytes = std::fs::read(&input).unwrap();
            total += bytes.len();
            target(&bytes);
        }
    }
    assert!(total < 200_000, "the kept inputs have {total} bytes: minimise them");
    the_kept_credentials_are_good();
    std::fs::remove_dir_all(fuzz::place()).unwrap();
}

/// The credentials among the inputs are still good ones: nothing is learnt from files that are refused at once.
fn the_kept_credentials_are_good() {
    for (file, expected) in [("full", "FullProxy"), ("limited", "LimitedProxy"), ("voms", "FullProxy")] {
        let bytes = std::fs::read(fuzz::kept().join("corpus/chain").join(file)).unwrap();
        let answer = fuzz::judged(&bytes).unwrap();
        assert_eq!(format!("{:?}", answer.identity.form().unwrap()), expected);
        assert_eq!(answer.identity.fqans.len(), if file == "voms" { 2 } else { 0 });
    }
}

/// Parts of tokens, and keys of an issuer (the key is that of RFC 7515 appendix A.3).
const TOKENS: &[(&str, &str)] = &[
    ("token_header/usual", r#"{"typ":"at+jwt","alg":"ES256","kid":"k1"}"#),
    ("token_header/crit", r#"{"alg":"RS256","kid":"k1","crit":["b64"],"b64":false}"#),
    (
        "token_claims/wlcg",
        r#"{"iss":"https://vo.example.org/","sub":"alice","aud":"glexec://site.example","iat":1799999990,"exp":1800003600,"wlcg.ver":"1.0","scope":"compute.create","wlcg.groups":["/testvo/a","/testvo"],"jti":"1"}"#,
    ),
    (
        "token_claims/groups",
        r#"{"iss":"https://vo.example.org/","sub":"alice","aud":"glexec://site.example","iat":1799999990,"exp":1800003600,"wlcg.ver":"1.0","wlcg.groups":["/testvo/a"],"nbf":1799999990.5}"#,
    ),
    (
        "token_claims/egi",
        r#"{"iss":"https://vo.example.org/","sub":"alice","aud":"glexec://site.example","iat":1799999990,"exp":1800003600,"eduperson_entitlement":["urn:mace:egi.eu:group:testvo:a:role=b#x"]}"#,
    ),
    (
        "token_claims/diracx",
        r#"{"iss":"https://vo.example.org/","sub":"alice","aud":"glexec://site.example","iat":1799999990,"exp":1800003600,"vo":"testvo","dirac_group":"prod"}"#,
    ),
    (
        "key_file/ec",
        r#"{"https://vo.example.org/":{"expiration":1800003600,"jwks":{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"k1","use":"sig","alg":"ES256"}]}}}"#,
    ),
    (
        "key_file/set",
        r#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"k1","use":"sig","alg":"ES256"}]}"#,
    ),
];

/// Makes the trust directories and the first inputs anew, with new keys: `WRITE_CORPUS=1 cargo test --test fuzz_replay`.
fn seed() {
    let put = |name: &str, bytes: &[u8]| {
        let path = fuzz::kept().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    let w = World::new();
    let site = w.site();
    let copy = |from: &Path, to: &str| {
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            put(&format!("{to}/{}", entry.file_name().to_str().unwrap()), &std::fs::read(entry.path()).unwrap());
        }
    };
    copy(&site.certificates(), "trust/certificates");
    copy(&site.vomsdir().join("testvo"), "trust/vomsdir/testvo");
    let leaf_key = key(11);
    put("trust/leaf.key", pem_key(leaf_key).as_bytes());
    put("trust/template.der", &eec(ALICE, key(whose::ALICE), &w.root, |s| s.extensions.clear()).der);
    let good = ac(&w.alice, &w.server, &["/testvo/Role=pilot", "/testvo"], |_| {});
    let p1 = proxy(&w.alice, 1);
    let voms = voms_proxy(&w.alice, 1, &[good.clone()]);
    let alice_below = eec(ALICE, key(whose::ALICE), &w.sub, |_| {});
    let again = |issuer: &Cert, bend: fn(&mut Spec)| below(issuer, 1, bend);
    let chains: Vec<(&str, Vec<&Cert>)> = vec![
        ("full", vec![&p1, &w.alice]),
        ("bare", vec![&w.alice]),
        ("voms", vec![&voms, &w.alice]),
        ("bob", vec![&w.bob]),
        ("root", vec![&p1, &w.alice, &w.root]),
    ];
    for (name, chain) in chains {
        put(&format!("corpus/chain/{name}"), &chain.iter().flat_map(|cert| cert.der.clone()).collect::<Vec<_>>());
    }
    let limited = below(&w.alice, 1, |s| s.replace(PROXY_INFO, vec![proxy_info(Some(1), LIMITED)]));
    let legacy = legacy(&w.alice, 1, "proxy");
    let gt3 = again(&w.alice, |s| s.replace(PROXY_INFO, vec![gt3_info(Some(1), INHERIT_ALL)]));
    let inner = proxy(&w.alice, 2);
    let outer = proxy(&inner, 1);
    for (name, chain) in [
        ("limited", vec![&limited, &w.alice]),
        ("legacy", vec![&legacy, &w.alice]),
        ("gt3", vec![&gt3, &w.alice]),
        ("two", vec![&outer, &inner, &w.alice]),
        ("sub", vec![&alice_below, &w.sub]),
    ] {
        put(&format!("corpus/chain/{name}"), &chain.iter().flat_map(|cert| cert.der.clone()).collect::<Vec<_>>());
    }
    put("corpus/pem/usual", &file(&[&p1, &w.alice]));
    put("corpus/pem/crlf", &String::from_utf8(file(&[&w.alice])).unwrap().replace('\n', "\r\n").into_bytes());
    put("corpus/pem/short", b"-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n");
    put("corpus/pem/key", b"text\n-----BEGIN RSA PRIVATE KEY-----\nBAU=\n-----END RSA PRIVATE KEY-----\n");
    for (name, value) in [
        ("inherit", proxy_info_value(None, INHERIT_ALL, None)),
        ("limited", proxy_info_value(Some(1), LIMITED, None)),
        ("policy", proxy_info_value(Some(0), ANY_LANGUAGE, Some(b"x"))),
        ("gt3", seq(&[seq(&[oid(INHERIT_ALL)]), tlv(0xa1, &tlv(2, &[1]))])),
    ] {
        put(&format!("corpus/proxy_info/{name}"), &value);
    }
    put("corpus/ac/good", &good);
    let targets = seq(&[tlv(0xa0, &tlv(0x86, b"wn1")), seq(&[tlv(0xa0, &tlv(0x82, b"wn2"))])]);
    put("corpus/ac/targets", &targets);
    let with = ac(&w.alice, &w.server, &["/testvo"], |a| a.extensions.push(extension(AC_TARGETS, true, &targets)));
    put("corpus/ac/with_targets", &with);
    put("corpus/ac/name", &name("/DC=org/UID=u/CN=a//b"));
    for (name, text) in TOKENS {
        put(&format!("corpus/{name}"), text.as_bytes());
    }
    for (name, text) in [("vo", "/testvo"), ("full", "/testvo/g/Role=r/Capability=NULL"), ("bad", "/a/../b")] {
        put(&format!("corpus/fqan/{name}"), text.as_bytes());
    }
    put("corpus/lsc/one", b"/CN=voms\n/CN=CA\n");
    put("corpus/lsc/two", b"# x\n/CN=x\n/CN=y\n------ NEXT CHAIN ------\n/CN=voms\n/CN=CA\n");
    let policy = "access_id_CA X509 '/CN=CA'\npos_rights globus CA:sign\ncond_subjects globus '\"/CN=*\" \"/O=?\"'\n";
    put("corpus/signing_policy/usual", policy.as_bytes());
    put("corpus/signing_policy/bare", policy.replace('\'', "").replace('"', "").as_bytes());
    put(
        "corpus/namespaces/usual",
        b"TO Issuer SELF \\\n PERMIT Subject \"/CN=[a-z]+\"\nTO Issuer \"/CN=x\" DENY Subject \"(a|b)*\\d{2,3}\"\n",
    );
    put("corpus/crl/der", &crl(&w.root, &[&w.bob, &w.alice], |_| {}));
    put("corpus/crl/pem", pem("X509 CRL", &crl(&w.root, &[&w.alice], |_| {})).as_bytes());
    put(
        "corpus/crl/reasons",
        &crl(&w.root, &[&w.bob], |c| c.entry_extensions = vec![extension("2.5.29.21", false, &tlv(10, &[1]))]),
    );
    let identity = r#"{"subject":"/CN=Alice","issuer":"/CN=CA","serial":"01","form":"full-proxy","not_after":1,"fqans":["/vo","/vo/Role=x"]}"#;
    put(
        "corpus/verdict/answered",
        format!("glexec-verdict {VERSION}\n{{\"answered\":{{\"identity\":{identity},\"notes\":[\"x\"]}}}}").as_bytes(),
    );
    let refusal = Refusal::new(Reason::CredentialExpired, "x");
    put("corpus/verdict/refused", &verdict::encode::<()>(Err(refusal)));
    let asked = Asked::Judge { holder: Holder::User, key: KeyRule::Required, certificates: Certificates::Without };
    let settings = Credentials::default();
    let question = Question { asked, settings, host: "worker001".into(), now: fuzz::NOW };
    put("corpus/question/judge", &question::encode(&question, b"file").unwrap());
    put(
        "corpus/map_file/usual",
        b"# x\n\"/DC=org/DC=example/CN=Alice\" .pool,alice # y\n/DC=org/* bob\\,c\r\n\"/CN=\\\"q\" x\n",
    );
}
