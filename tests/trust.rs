//! Whom the verifier takes for whom: friendly and hostile credentials, one line each.
#![allow(missing_docs, clippy::all, clippy::restriction)] // lints for the privileged program

mod forge;

use forge::der::*;
use forge::site::*;
use forge::*;
use glexec::config::credentials::*;
use glexec::credential::{Answer, KeyRule, Question, judge};
use glexec::reason::Outcome;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;

const FULL: &str = "/DC=org/DC=example/CN=Alice FullProxy";
const LIMITED_ALICE: &str = "/DC=org/DC=example/CN=Alice LimitedProxy";
const BARE: &str = "/DC=org/DC=example/CN=Alice EndEntity";

fn ask(site: &Site, question: &Question, bend: impl FnOnce(&mut Credentials)) -> Outcome<Answer> {
    let mut policy = Credentials::default();
    bend(&mut policy);
    judge(question, &policy, &site.trust(), NOW)
}

fn user(file: &[u8]) -> Question<'_> {
    Question { user: file, source: None, pilot: None, key: KeyRule::Required }
}

/// The answer in one line: the reason code, or subject, form and FQANs.
fn line(answer: &Outcome<Answer>) -> String {
    match answer {
        Err(refusal) => {
            assert!(refusal.sentence().len() > 20, "{refusal:?} says nothing");
            refusal.reason().code().into()
        }
        Ok(answer) => {
            let fqans: String = answer.user.fqans.iter().map(|fqan| format!(" {fqan}")).collect();
            format!("{} {:?}{fqans}", answer.user.subject, answer.user.form)
        }
    }
}

fn verdict(site: &Site, file: &[u8]) -> String {
    verdict_with(site, file, |_| {})
}

fn verdict_with(site: &Site, file: &[u8], bend: impl FnOnce(&mut Credentials)) -> String {
    line(&ask(site, &user(file), bend))
}

type Row<'a> = (&'a str, Vec<u8>, &'a str);

/// Judges every row and says at the end which ones came out differently.
fn expect(site: &Site, rows: Vec<Row>, bend: impl Fn(&mut Credentials)) {
    let mut wrong = Vec::new();
    for (what, file, expected) in rows {
        let answer = ask(site, &user(&file), &bend);
        if line(&answer) != expected {
            wrong.push(format!("{what}: expected {expected}, got {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn defaults(_: &mut Credentials) {}

#[test]
fn proxies_of_rfc_3820_stand_for_their_user() {
    let w = World::new();
    let site = w.site();
    let p1 = proxy(&w.alice, 1);
    let p2 = proxy(&p1, 2);
    let p3 = proxy(&p2, 3);
    let l1 = limited(&w.alice, 1);
    let l2 = limited(&l1, 2);
    let below_full = limited(&p1, 2);
    let with_length = |n| below(&w.alice, 1, |s| s.replace(PROXY_INFO, vec![proxy_info(Some(n), INHERIT_ALL)]));
    let (zero, one) = (with_length(0), with_length(1));
    let rsa_proxy = below(&w.alice, 1, |s| s.spki = rsa().public_key_to_der().unwrap());
    let rsa_proxy = Cert { key: rsa(), ..rsa_proxy };
    let on_curve = |nid: Nid| {
        let key = leak(curve(nid));
        Cert { key, ..below(&w.alice, 1, |s| s.spki = key.public_key_to_der().unwrap()) }
    };
    let sha512 = below(&w.alice, 1, |s| s.algorithm = ecdsa(4, MessageDigest::sha512()));
    let noncritical = below(&w.alice, 1, |s| s.extensions.push(extension("1.2.3.4", false, &null())));
    let no_usage = below(&w.alice, 1, |s| s.replace(KEY_USAGE, vec![]));
    let explicit_false = below(&w.alice, 1, |s| {
        let fields = [oid("1.2.3.4"), boolean(0), tlv(0x04, &null())];
        s.extensions.push(seq(&fields));
    });
    let twenty = below(&w.alice, 1, |s| s.serial = [vec![0], vec![0xff; 20]].concat());
    expect(
        &site,
        vec![
            ("a proxy", file(&[&p1, &w.alice]), FULL),
            ("a proxy of a proxy", file(&[&p2, &p1, &w.alice]), FULL),
            ("three proxies", file(&[&p3, &p2, &p1, &w.alice]), FULL),
            ("no proxy at all", file(&[&w.alice]), BARE),
            ("a limited proxy", file(&[&l1, &w.alice]), LIMITED_ALICE),
            ("limited below limited", file(&[&l2, &l1, &w.alice]), LIMITED_ALICE),
            ("limited below full", file(&[&below_full, &p1, &w.alice]), LIMITED_ALICE),
            ("path length 0 and nothing below", file(&[&zero, &w.alice]), FULL),
            ("path length 1 and one below", file(&[&proxy(&one, 2), &one, &w.alice]), FULL),
            ("the root in the file too", file(&[&p1, &w.alice, &w.root]), FULL),
            ("an RSA key", file(&[&rsa_proxy, &w.alice]), FULL),
            ("P-384", file(&[&on_curve(Nid::SECP384R1), &w.alice]), FULL),
            ("P-521", file(&[&on_curve(Nid::SECP521R1), &w.alice]), FULL),
            ("SHA-512", file(&[&sha512, &w.alice]), FULL),
            ("an unknown extension that is not critical", file(&[&noncritical, &w.alice]), FULL),
            ("no key usage", file(&[&no_usage, &w.alice]), FULL),
            ("an explicit FALSE", file(&[&explicit_false, &w.alice]), FULL),
            ("a serial number of 20 octets", file(&[&twenty, &w.alice]), FULL),
        ],
        defaults,
    );
    let answer = ask(&site, &user(&file(&[&p1, &w.alice])), defaults).unwrap();
    assert_eq!(answer.user.issuer.as_str(), ROOT);
    assert_eq!(answer.user.serial.as_str(), "31");
    assert_eq!(answer.user.not_after, NOW + 12 * HOUR, "the earliest end of the chain");
    assert_eq!(answer.pilot, None);
    let json = serde_json::to_string(&answer).unwrap();
    assert_eq!(serde_json::from_str::<Answer>(&json).unwrap(), answer);
}

#[test]
fn the_file_is_pem_with_the_leaf_first_and_its_key_anywhere() {
    let w = World::new();
    let site = w.site();
    let leaf = proxy(&w.alice, 1);
    let (c1, c2, k) = (pem_cert(&leaf), pem_cert(&w.alice), pem_key(leaf.key));
    let sec1 = pem("EC PRIVATE KEY", &leaf.key.ec_key().unwrap().private_key_to_der().unwrap());
    let all = format!("{c1}{k}{c2}");
    let locked = leaf.key.private_key_to_pem_pkcs8_passphrase(openssl::symm::Cipher::aes_128_cbc(), b"x").unwrap();
    let locked = String::from_utf8(locked).unwrap();
    let text = |parts: &[&str]| parts.concat().into_bytes();
    expect(
        &site,
        vec![
            ("key last", text(&[&c1, &c2, &k]), FULL),
            ("key first", text(&[&k, &c1, &c2]), FULL),
            ("the older key format", text(&[&c1, &sec1, &c2]), FULL),
            ("CRLF", all.replace('\n', "\r\n").into_bytes(), FULL),
            ("text around", text(&["subject=x\n", &c1, "\nBag Attributes\n", &k, "# end\n", &c2, "bye"]), FULL),
            ("empty", vec![], "credential.no-certificate"),
            ("garbage", b"\x00\xff garbage".to_vec(), "credential.no-certificate"),
            ("DER instead", leaf.der.clone(), "credential.no-certificate"),
            ("no key", text(&[&c1, &c2]), "credential.no-private-key"),
            ("two keys", text(&[&c1, &k, &c2, &k]), "credential.several-keys"),
            ("an encrypted key", text(&[&c1, &locked, &c2]), "credential.encrypted-key"),
            ("somebody else's key", text(&[&c1, &pem_key(key(30)), &c2]), "credential.key-mismatch"),
            ("a key of another kind", text(&[&c1, &pem_key(rsa()), &c2]), "credential.key-mismatch"),
            ("the issuer's key", text(&[&c1, &pem_key(w.alice.key), &c2]), "credential.key-mismatch"),
            ("the leaf last", text(&[&c2, &c1, &k]), "credential.key-mismatch"),
            ("cut off", all.as_bytes()[..all.len() - 100].to_vec(), "credential.malformed"),
            ("a foreign block", text(&[&all, &pem("X509 CRL", &[0x30, 0])]), "credential.malformed"),
            ("a broken key", text(&[&c1, &pem("PRIVATE KEY", &[0x30, 0]), &c2]), "credential.malformed"),
            ("a broken certificate", text(&[&c1, &k, &pem("CERTIFICATE", &[0x30, 0])]), "credential.malformed"),
            ("too large", vec![b'\n'; 256 * 1024 + 1], "credential.too-large"),
            ("too many certificates", text(&[&all, &c2.repeat(19)]), "credential.chain-too-long"),
            ("a thousand certificates", text(&[&k, &c1.repeat(400)]), "credential.chain-too-long"),
        ],
        defaults,
    );
}

#[test]
fn a_missing_key_passes_only_where_the_caller_may_omit_it() {
    let w = World::new();
    let site = w.site();
    let leaf = proxy(&w.alice, 1);
    let without = format!("{}{}", pem_cert(&leaf), pem_cert(&w.alice)).into_bytes();
    let wrong = format!("{}{}{}", pem_cert(&leaf), pem_key(key(30)), pem_cert(&w.alice)).into_bytes();
    let ask = |file: &[u8]| line(&ask(&site, &Question { key: KeyRule::MayBeAbsent, ..user(file) }, |_| {}));
    assert_eq!(ask(&without), FULL);
    assert_eq!(ask(&wrong), "credential.key-mismatch");
}

#[test]
fn a_proxy_that_breaks_rfc_3820_is_refused_by_the_rule() {
    let w = World::new();
    let site = w.site();
    let bent = |bend: &dyn Fn(&mut Spec)| file(&[&below(&w.alice, 1, |s| bend(s)), &w.alice]);
    let subject = |rdns: Vec<u8>| bent(&|s| s.subject = rdns.clone());
    let info = |value: Vec<u8>| bent(&|s| s.replace(PROXY_INFO, vec![extension(PROXY_INFO, true, &value)]));
    let language = |l: &str| bent(&|s| s.replace(PROXY_INFO, vec![proxy_info(None, l)]));
    let with = |e: Vec<u8>| bent(&|s| s.extensions.push(e.clone()));
    let alice = &w.alice.spec.subject;
    let cn = |value: &str| rdn(&[attribute("CN", 0x13, value.as_bytes())]);
    let printable =
        seq(&[rdn(&[attribute("DC", 0x16, b"org")]), rdn(&[attribute("DC", 0x16, b"example")]), cn("Alice"), cn("1")]);
    let zero = below(&w.alice, 1, |s| s.replace(PROXY_INFO, vec![proxy_info(Some(0), INHERIT_ALL)]));
    let limited_once = limited(&w.alice, 1);
    let p1 = proxy(&w.alice, 1);
    let cannot_sign = eec(ALICE, key(whose::ALICE), &w.root, |s| s.replace(KEY_USAGE, vec![key_usage(0x20)]));
    let proxy_cannot_sign = below(&w.alice, 1, |s| s.replace(KEY_USAGE, vec![key_usage(0x20)]));
    let alt = seq(&[tlv(0x82, b"host.example.org")]);
    let good = || proxy_info_value(None, INHERIT_ALL, None);
    let forged = eec("/DC=org/DC=example/CN=Bob", key(30), &w.alice, |_| {});
    let forged_ca = sub("/DC=org/DC=example/CN=Eve CA", key(31), &w.alice, |_| {});
    let by_forged_ca = eec("/DC=org/DC=example/CN=Bob", key(32), &forged_ca, |_| {});
    let by_proxy = eec("/DC=org/DC=example/CN=Bob", key(33), &p1, |_| {});
    expect(
        &site,
        vec![
            ("another name", subject(name("/DC=org/DC=example/CN=Bob/CN=1")), "credential.proxy-subject"),
            ("nothing added", subject(alice.clone()), "credential.proxy-subject"),
            ("two CNs added", subject(extend_by(&extend(alice, "1"), &cn("2"))), "credential.proxy-subject"),
            (
                "an OU added",
                subject(extend_by(alice, &rdn(&[attribute("OU", 0x0c, b"1")]))),
                "credential.proxy-subject",
            ),
            (
                "a CN of two values",
                subject(extend_by(alice, &rdn(&[attribute("CN", 0x13, b"1"), attribute("OU", 0x13, b"1")]))),
                "credential.proxy-subject",
            ),
            ("the name in another string type", subject(printable), "credential.proxy-subject"),
            ("a CN put in front", subject(seq(&[cn("1"), content(alice).to_vec()])), "credential.proxy-subject"),
            (
                "proxyCertInfo not critical",
                bent(&|s| s.replace(PROXY_INFO, vec![extension(PROXY_INFO, false, &good())])),
                "credential.proxy-info",
            ),
            ("proxyCertInfo twice", with(proxy_info(None, INHERIT_ALL)), "credential.unknown-extension"),
            ("two kinds of proxyCertInfo", with(gt3_info(None, INHERIT_ALL)), "credential.proxy-info"),
            ("proxyCertInfo empty", info(seq(&[])), "credential.proxy-info"),
            ("proxyCertInfo with more", info(seq(&[content(&good()).to_vec(), null()])), "credential.proxy-info"),
            ("proxyCertInfo and more", info([good(), null()].concat()), "credential.proxy-info"),
            ("a negative path length", info(proxy_info_value(Some(0x80), INHERIT_ALL, None)), "credential.proxy-info"),
            ("proxyCertInfo missing", bent(&|s| s.replace(PROXY_INFO, vec![])), "credential.ca-rules"),
            ("GT3", bent(&|s| s.replace(PROXY_INFO, vec![gt3_info(None, INHERIT_ALL)])), "credential.proxy-type"),
            ("independent", language(INDEPENDENT), "credential.proxy-policy"),
            ("anyLanguage", language(ANY_LANGUAGE), "credential.proxy-policy"),
            ("unknown language", language("1.2.3.4"), "credential.proxy-policy"),
            ("a policy", info(proxy_info_value(None, INHERIT_ALL, Some(b"x"))), "credential.proxy-policy"),
            ("an empty policy", info(proxy_info_value(None, LIMITED, Some(b""))), "credential.proxy-policy"),
            ("CA flag", with(ca_true(None)), "credential.proxy-extension"),
            ("keyCertSign", bent(&|s| s.replace(KEY_USAGE, vec![key_usage(0x84)])), "credential.proxy-extension"),
            ("subject alternative name", with(extension("2.5.29.17", false, &alt)), "credential.proxy-extension"),
            ("issuer alternative name", with(extension("2.5.29.18", false, &alt)), "credential.proxy-extension"),
            ("unknown critical extension", with(extension("1.2.3.4", true, &null())), "credential.unknown-extension"),
            ("below path length 0", file(&[&proxy(&zero, 2), &zero, &w.alice]), "credential.proxy-path-length"),
            (
                "full below limited",
                file(&[&proxy(&limited_once, 2), &limited_once, &w.alice]),
                "credential.full-below-limited",
            ),
            ("an EEC that may not sign", file(&[&proxy(&cannot_sign, 1), &cannot_sign]), "credential.proxy-key-usage"),
            (
                "a proxy that may not sign",
                file(&[&proxy(&proxy_cannot_sign, 2), &proxy_cannot_sign, &w.alice]),
                "credential.proxy-key-usage",
            ),
            ("a proxy by a CA", file(&[&proxy(&w.root, 1), &w.root]), "credential.ca-rules"),
            ("a user by an EEC", file(&[&forged, &w.alice]), "credential.ca-rules"),
            ("a proxy of a user by an EEC", file(&[&proxy(&forged, 1), &forged, &w.alice]), "credential.ca-rules"),
            ("a user by a CA by an EEC", file(&[&by_forged_ca, &forged_ca, &w.alice]), "credential.ca-rules"),
            ("a user by a proxy", file(&[&by_proxy, &p1, &w.alice]), "credential.ca-rules"),
            ("a CA as user", file(&[&w.root]), "credential.ca-rules"),
        ],
        defaults,
    );
}

#[test]
fn only_the_ca_directory_is_trusted() {
    let w = World::new();
    let site = w.site();
    let fake = root(ROOT, key(whose::FAKE), |_| {});
    let unknown = root("/DC=org/DC=example/CN=Unknown", key(whose::FAKE), |_| {});
    let by = |ca: &Cert| eec(ALICE, key(whose::ALICE), ca, |_| {});
    let (by_fake, by_unknown) = (by(&fake), by(&unknown));
    let p1 = proxy(&w.alice, 1);
    let self_signed = root(ALICE, key(whose::ALICE), |s| s.extensions.clear());
    let wrong_signer = below(&w.alice, 1, |s| s.signer = key(whose::BOB));
    let spoilt = below(&w.alice, 1, |s| s.spoil_signature = true);
    let spoilt_alice = eec(ALICE, key(whose::ALICE), &w.root, |s| s.spoil_signature = true);
    let forged_and_expired = below(&w.alice, 1, |s| {
        s.spoil_signature = true;
        s.lasts(NOW - 10 * DAY, NOW - DAY);
    });
    let wrong_kind = below(&w.alice, 1, |s| s.algorithm = sha256_rsa_over(s.signer));
    expect(
        &site,
        vec![
            ("by an unknown CA", file(&[&proxy(&by_unknown, 1), &by_unknown]), "credential.unknown-ca"),
            (
                "with that CA in the file",
                file(&[&proxy(&by_unknown, 1), &by_unknown, &unknown]),
                "credential.unknown-ca",
            ),
            ("by a false CA of the right name", file(&[&proxy(&by_fake, 1), &by_fake]), "credential.signature"),
            ("with that CA in the file", file(&[&proxy(&by_fake, 1), &by_fake, &fake]), "credential.signature"),
            ("self-signed", file(&[&self_signed]), "credential.unknown-ca"),
            ("a proxy of that", file(&[&proxy(&self_signed, 1), &self_signed]), "credential.unknown-ca"),
            ("without the EEC", file(&[&p1]), "credential.incomplete"),
            ("with Bob's EEC", file(&[&p1, &w.bob]), "credential.incomplete"),
            ("without the proxy between", file(&[&proxy(&p1, 2), &w.alice]), "credential.incomplete"),
            ("signed by another key", file(&[&wrong_signer, &w.alice]), "credential.signature"),
            ("altered", file(&[&spoilt, &w.alice]), "credential.signature"),
            ("an altered EEC", file(&[&proxy(&spoilt_alice, 1), &spoilt_alice]), "credential.signature"),
            ("altered and expired", file(&[&forged_and_expired, &w.alice]), "credential.signature"),
            ("signed with another kind of key", file(&[&wrong_kind, &w.alice]), "credential.signature"),
        ],
        defaults,
    );
}

/// An ECDSA signature that says it is by RSA.
fn sha256_rsa_over(_: Key) -> Algorithm {
    sha256_rsa()
}

#[test]
fn cas_below_an_anchor_come_from_the_file_or_the_directory_and_must_be_cas() {
    let w = World::new();
    let site = w.site();
    let chain = |bend: &dyn Fn(&mut Spec)| {
        let sub = sub("/DC=org/DC=example/CN=Sub CA", key(whose::SUB), &w.root, |s| bend(s));
        site.put(&format!("{}.r0", hash(&sub.der)), &crl(&sub, &[], |_| {})).policy(&sub, "/DC=org/DC=example/*");
        let alice = eec(ALICE, key(whose::ALICE), &sub, |_| {});
        file(&[&proxy(&alice, 1), &alice, &sub])
    };
    let extensions = |list: Vec<Vec<u8>>| chain(&|s| s.extensions = list.clone());
    let constraints = |permitted: Option<&str>, excluded: Option<&str>| {
        let tree = |n: u8, base: &str| tlv(0xa0 | n, &seq(&[tlv(0xa4, &named(base))]));
        let value: Vec<Vec<u8>> =
            [permitted.map(|b| tree(0, b)), excluded.map(|b| tree(1, b))].into_iter().flatten().collect();
        extensions(vec![ca_true(None), key_usage(6), extension(NAME_CONSTRAINTS, true, &seq(&value))])
    };
    let dns = seq(&[tlv(0xa0, &seq(&[tlv(0x82, b"example.org")]))]);
    let sub_of =
        |length| sub("/DC=org/DC=example/CN=Sub CA", key(whose::SUB), &w.root, |s| s.extensions[0] = ca_true(length));
    let deep = |length| {
        let one = sub_of(length);
        let two = sub("/DC=org/DC=example/CN=Sub Sub CA", key(whose::SUB_SUB), &one, |_| {});
        site.put(&format!("{}.r0", hash(&two.der)), &crl(&two, &[], |_| {})).policy(&two, "/DC=org/DC=example/*");
        let alice = eec(ALICE, key(whose::ALICE), &two, |_| {});
        file(&[&proxy(&alice, 1), &alice, &one, &two])
    };
    expect(
        &site,
        vec![
            ("a CA from the file", chain(&|_| {}), FULL),
            ("two CAs, in any order", deep(None), FULL),
            ("two CAs and path length 1", deep(Some(1)), FULL),
            ("two CAs and path length 0", deep(Some(0)), "credential.ca-rules"),
            ("path length 0 and only users below", extensions(vec![ca_true(Some(0)), key_usage(6)]), FULL),
            ("no key usage", extensions(vec![ca_true(None)]), FULL),
            ("no basic constraints", extensions(vec![key_usage(6)]), "credential.ca-rules"),
            ("no CA flag", extensions(vec![extension(BASIC_CONSTRAINTS, true, &seq(&[]))]), "credential.ca-rules"),
            ("no keyCertSign", extensions(vec![ca_true(None), key_usage(0x82)]), "credential.ca-rules"),
            ("version 1", chain(&|s| (s.version, s.extensions) = (None, vec![])), "credential.ca-rules"),
            (
                "an unknown critical extension",
                extensions(vec![ca_true(None), extension("1.2.3.4", true, &null())]),
                "credential.unknown-extension",
            ),
            (
                "a proxy as CA",
                extensions(vec![ca_true(None), key_usage(6), proxy_info(None, INHERIT_ALL)]),
                "credential.ca-rules",
            ),
            ("a permitted name", constraints(Some("/DC=org/DC=example"), None), FULL),
            ("a permitted name in other case", constraints(Some("/DC=ORG/DC=Example"), None), FULL),
            ("a name that is not permitted", constraints(Some("/DC=org/DC=other"), None), "credential.ca-rules"),
            ("an excluded name", constraints(None, Some("/DC=org/DC=example/CN=ALICE")), "credential.ca-rules"),
            ("another excluded name", constraints(None, Some("/DC=org/DC=example/CN=Bob")), FULL),
            (
                "constraints on other kinds of names",
                extensions(vec![ca_true(None), extension(NAME_CONSTRAINTS, true, &dns)]),
                "credential.unknown-extension",
            ),
            ("expired", chain(&|s| s.lasts(NOW - 9 * DAY, NOW - DAY)), "credential.expired"),
        ],
        defaults,
    );
    let alice = eec(ALICE, key(whose::ALICE), &w.sub, |_| {});
    let without = file(&[&proxy(&alice, 1), &alice]);
    assert_eq!(verdict(&site, &without), "credential.unknown-ca");
    site.ca(&w.sub, &[]);
    assert_eq!(verdict(&site, &without), FULL, "the CA from the directory");
    site.remove(&format!("{}.0", hash(&w.root.der)));
    assert_eq!(verdict(&site, &without), "credential.unknown-ca", "a CA without its anchor");
}

#[test]
fn every_certificate_must_be_valid_now_and_both_ends_belong_to_the_time() {
    let w = World::new();
    let site = w.site();
    let lasting = |from, to| file(&[&below(&w.alice, 1, |s| s.lasts(from, to)), &w.alice]);
    let old_alice = eec(ALICE, key(whose::ALICE), &w.root, |s| s.lasts(NOW - 99 * DAY, NOW - 1));
    let young_alice = eec(ALICE, key(whose::ALICE), &w.root, |s| s.lasts(NOW + HOUR, NOW + DAY));
    let old_middle = below(&w.alice, 1, |s| s.lasts(NOW - 9 * DAY, NOW - DAY));
    let y2050 = below(&w.alice, 1, |s| {
        (s.not_before, s.not_after) = (tlv(0x17, b"491231235959Z"), tlv(0x18, b"20500101000000Z"))
    });
    let long = eec(ALICE, key(whose::ALICE), &w.root, |s| s.not_after = tlv(0x18, b"99991231235959Z"));
    let raw = |t: Vec<u8>| file(&[&below(&w.alice, 1, |s| s.not_after = t.clone()), &w.alice]);
    expect(
        &site,
        vec![
            ("the first second", lasting(NOW, NOW + HOUR), FULL),
            ("the last second", lasting(NOW - HOUR, NOW), FULL),
            ("one second late", lasting(NOW - HOUR, NOW - 1), "credential.expired"),
            ("one second early", lasting(NOW + 1, NOW + HOUR), "credential.not-yet-valid"),
            ("backwards", lasting(NOW + HOUR, NOW - HOUR), "credential.expired"),
            ("an expired EEC", file(&[&proxy(&old_alice, 1), &old_alice]), "credential.expired"),
            ("an EEC of the future", file(&[&proxy(&young_alice, 1), &young_alice]), "credential.not-yet-valid"),
            ("expired in the middle", file(&[&proxy(&old_middle, 2), &old_middle, &w.alice]), "credential.expired"),
            ("from 2049 to 2050", file(&[&y2050, &w.alice]), "credential.not-yet-valid"),
            ("without end", file(&[&proxy(&long, 1), &long]), FULL),
            ("a time without seconds", raw(tlv(0x17, b"2701150900Z")), "credential.malformed"),
            ("a time with an offset", raw(tlv(0x17, b"270115090000+0100")), "credential.malformed"),
            ("a time with fractions", raw(tlv(0x18, b"20270115090000.5Z")), "credential.malformed"),
        ],
        defaults,
    );
    let expired = ask(&site, &user(&lasting(NOW - 9 * HOUR, NOW - 3 * HOUR)), defaults).unwrap_err();
    assert!(expired.sentence().ends_with("expired 3 h ago: renew it"), "{expired:?}");

    let old = root(ROOT, key(whose::ROOT), |s| s.lasts(NOW - 99 * DAY, NOW - DAY));
    let good = file(&[&proxy(&w.alice, 1), &w.alice]);
    site.put(&format!("{}.0", hash(&old.der)), pem_cert(&old).as_bytes());
    assert_eq!(verdict(&site, &good), "trust.ca-expired", "an expired anchor");
    site.put(&format!("{}.1", hash(&old.der)), pem_cert(&w.root).as_bytes());
    assert_eq!(verdict(&site, &good), FULL, "an expired anchor and its renewal with the same key");
}

#[test]
fn lax_certificates_are_malformed() {
    let w = World::new();
    let site = w.site();
    let bent = |bend: &dyn Fn(&mut Spec)| file(&[&below(&w.alice, 1, |s| bend(s)), &w.alice]);
    let patched = |patch: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        let mut cert = proxy(&w.alice, 1);
        cert.der = patch(cert.der);
        file(&[&cert, &w.alice])
    };
    let named = |rdn: Vec<u8>| bent(&|s| s.subject = extend_by(&w.alice.spec.subject, &rdn));
    let cn = |tag: u8, value: &[u8]| named(rdn(&[attribute("CN", tag, value)]));
    let unsorted = rdn(&[attribute("OU", 0x13, b"1"), attribute("CN", 0x13, b"1")]);
    let indefinite = |der: Vec<u8>| [&[0x30, 0x80][..], content(&der), &[0, 0]].concat();
    let long_length = |der: Vec<u8>| [&[0x30, 0x83, 0][..], &der[2..]].concat();
    expect(
        &site,
        vec![
            ("a negative serial number", bent(&|s| s.serial = vec![0x80, 1]), "credential.malformed"),
            ("a serial number of 21 octets", bent(&|s| s.serial = vec![0x11; 21]), "credential.malformed"),
            ("a serial number with zeros in front", bent(&|s| s.serial = vec![0, 1]), "credential.malformed"),
            ("no serial number", bent(&|s| s.serial = vec![]), "credential.malformed"),
            ("an extension twice", bent(&|s| s.extensions.push(key_usage(0xa0))), "credential.unknown-extension"),
            ("something behind", bent(&|s| s.trailing = null()), "credential.malformed"),
            ("something behind everything", patched(&|der| [der, null()].concat()), "credential.malformed"),
            ("an indefinite length", patched(&indefinite), "credential.malformed"),
            ("a length in too many octets", patched(&long_length), "credential.malformed"),
            ("two signature algorithms", bent(&|s| s.inner_algorithm = Some(sha256_rsa().der)), "credential.malformed"),
            ("version 4", bent(&|s| s.version = Some(3)), "credential.malformed"),
            ("extensions in version 2", bent(&|s| s.version = Some(1)), "credential.malformed"),
            (
                "a boolean of 1",
                bent(&|s| s.extensions.push(seq(&[oid("1.2.3.4"), boolean(1), tlv(4, &null())]))),
                "credential.malformed",
            ),
            ("an empty RDN", named(rdn(&[])), "credential.malformed"),
            ("attributes out of order", named(unsorted), "credential.malformed"),
            ("a NUL in a name", cn(0x0c, b"1\0.example.org"), "credential.bad-name"),
            ("a line feed in a name", cn(0x0c, b"1\n2"), "credential.bad-name"),
            ("a name that runs backwards", cn(0x0c, "1\u{202e}2".as_bytes()), "credential.bad-name"),
            ("a name that is not UTF-8", cn(0x0c, b"\xff"), "credential.bad-name"),
            ("a name of an unknown string type", cn(0x04, b"1"), "credential.bad-name"),
            ("an empty name", bent(&|s| s.subject = seq(&[])), "credential.bad-name"),
            ("a very long name", cn(0x0c, &[b'a'; 2000]), "credential.bad-name"),
            (
                "41 extensions",
                bent(&|s| {
                    s.extensions.extend((0..41).map(|n| extension(&format!("1.2.3.{n}"), false, &null())));
                }),
                "credential.unknown-extension",
            ),
        ],
        defaults,
    );
}

#[test]
fn weak_keys_and_digests_are_refused_and_the_policy_can_bend_only_so_far() {
    let w = World::new();
    let site = w.site();
    let keyed = |key: Key| Cert { key, ..below(&w.alice, 1, |s| s.spki = key.public_key_to_der().unwrap()) };
    let by_rsa = eec(ALICE, rsa(), &w.root, |_| {});
    let by_weak = eec(ALICE, weak(), &w.root, |_| {});
    let signed = |issuer: &Cert, algorithm: Algorithm| below(issuer, 1, |s| s.algorithm = algorithm.clone());
    let pss = seq(&[oid("1.2.840.113549.1.1.10"), seq(&[])]);
    let with_parameters = seq(&[oid("1.2.840.10045.4.3.2"), null()]);
    let named_algorithm = |der: &Vec<u8>, digest| Algorithm { der: der.clone(), digest };
    let sha256 = MessageDigest::sha256();
    let mut explicit = openssl::ec::EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    explicit.set_asn1_flag(openssl::ec::Asn1Flag::EXPLICIT_CURVE);
    let explicit = openssl::pkey::PKey::from_ec_key(openssl::ec::EcKey::generate(&explicit).unwrap()).unwrap();
    let ed25519 = leak(openssl::pkey::PKey::generate_ed25519().unwrap());
    let spki = |modulus: &[u8], exponent: &[u8]| {
        let key = seq(&[tlv(2, modulus), tlv(2, exponent)]);
        let spki = seq(&[seq(&[oid("1.2.840.113549.1.1.1"), null()]), bits(&key)]);
        file(&[&below(&w.alice, 1, |s| s.spki = spki.clone()), &w.alice])
    };
    let huge = [vec![0], vec![0xff; 8192]].concat();
    let usual = [vec![0], vec![0xff; 256]].concat();
    expect(
        &site,
        vec![
            ("RSA with 1024 bits", file(&[&keyed(weak()), &w.alice]), "credential.weak-key"),
            ("a proxy by RSA with 1024 bits", file(&[&proxy(&by_weak, 1), &by_weak]), "credential.weak-key"),
            ("RSA with 65536 bits", spki(&huge, &[3]), "credential.weak-key"),
            ("an even exponent", spki(&usual, &[4]), "credential.weak-key"),
            ("the exponent 1", spki(&usual, &[1]), "credential.weak-key"),
            ("an exponent of 32 bits", spki(&usual, &[0, 0xff, 0xff, 0xff, 0xff]), "credential.key-mismatch"),
            ("an exponent of 33 bits", spki(&usual, &[1, 0, 0, 0, 1]), "credential.weak-key"),
            ("an even modulus", spki(&[usual.as_slice(), &[0]].concat(), &[3]), "credential.weak-key"),
            ("secp256k1", file(&[&keyed(leak(curve(Nid::SECP256K1))), &w.alice]), "credential.weak-key"),
            ("a curve by parameters", file(&[&keyed(leak(explicit)), &w.alice]), "credential.weak-key"),
            ("Ed25519", file(&[&keyed(ed25519), &w.alice]), "credential.weak-key"),
            ("RSA and SHA-256", file(&[&signed(&by_rsa, sha256_rsa()), &by_rsa]), FULL),
            ("RSA and SHA-1", file(&[&signed(&by_rsa, sha1_rsa()), &by_rsa]), "credential.weak-digest"),
            ("RSA and MD5", file(&[&signed(&by_rsa, md5_rsa()), &by_rsa]), "credential.weak-digest"),
            ("ECDSA and SHA-1", file(&[&signed(&w.alice, sha1_ecdsa()), &w.alice]), "credential.weak-digest"),
            (
                "ECDSA and SHA-224",
                file(&[&signed(&w.alice, ecdsa(1, MessageDigest::sha224())), &w.alice]),
                "credential.weak-digest",
            ),
            ("RSA-PSS", file(&[&signed(&by_rsa, named_algorithm(&pss, sha256)), &by_rsa]), "credential.weak-digest"),
            (
                "ECDSA with parameters",
                file(&[&signed(&w.alice, named_algorithm(&with_parameters, sha256)), &w.alice]),
                "credential.weak-digest",
            ),
        ],
        defaults,
    );
    expect(
        &site,
        vec![
            ("RSA with 1024 bits", file(&[&keyed(weak()), &w.alice]), FULL),
            ("RSA and SHA-1", file(&[&signed(&by_rsa, sha1_rsa()), &by_rsa]), FULL),
            ("RSA and MD5", file(&[&signed(&by_rsa, md5_rsa()), &by_rsa]), "credential.weak-digest"),
        ],
        |policy| {
            policy.min_rsa_bits = 1024;
            policy.digests.push(Digest::Sha1);
        },
    );
    let old_root = root(ROOT, rsa(), |s| s.algorithm = sha1_rsa());
    let alice = eec(ALICE, key(whose::ALICE), &old_root, |_| {});
    let site = Site::empty();
    site.ca(&old_root, &[]);
    let hash = hash(&old_root.der);
    site.put(&format!("{hash}.r0"), &crl(&old_root, &[], |c| c.algorithm = sha256_rsa()));
    assert_eq!(verdict(&site, &file(&[&proxy(&alice, 1), &alice])), FULL, "an anchor's own signature is not judged");
}

#[test]
fn older_generations_pass_only_where_they_are_named_and_never_mixed() {
    let w = World::new();
    let site = w.site();
    let l1 = legacy(&w.alice, 1, "proxy");
    let l2 = legacy(&l1, 2, "proxy");
    let limited_l1 = legacy(&w.alice, 1, "limited proxy");
    let g1 = below(&w.alice, 1, |s| s.replace(PROXY_INFO, vec![gt3_info(Some(1), INHERIT_ALL)]));
    let gt3_below = |issuer: &Cert, n| below(issuer, n, |s| s.replace(PROXY_INFO, vec![gt3_info(None, INHERIT_ALL)]));
    let (g2, p1) = (gt3_below(&g1, 2), proxy(&w.alice, 1));
    let g3 = gt3_below(&g2, 3);
    let g_limited = below(&w.alice, 1, |s| s.replace(PROXY_INFO, vec![gt3_info(None, LIMITED)]));
    let g_lax = below(&w.alice, 1, |s| {
        s.replace(PROXY_INFO, vec![extension(PROXY_INFO_GT3, false, &proxy_info_value(None, INHERIT_ALL, None))]);
    });
    // A CA issued it: whoever has it is that full name, not Alice.
    let named_proxy = eec("/DC=org/DC=example/CN=Alice/CN=proxy", key(30), &w.root, |s| s.serial = vec![0x77]);
    let named_below_ca = {
        let ca = root("/DC=org/DC=example", key(whose::FAKE), |_| {});
        site.ca(&ca, &[]);
        (eec("/DC=org/DC=example/CN=proxy", key(30), &ca, |_| {}), ca)
    };
    let impostor = legacy(&Cert { key: w.bob.key, ..w.alice.clone() }, 1, "proxy");
    let rows = |legacy_ok: bool, gt3_ok: bool| {
        let pick = |ok: bool, good: &'static str| if ok { good } else { "credential.proxy-type" };
        vec![
            ("legacy", file(&[&l1, &w.alice]), pick(legacy_ok, FULL)),
            ("legacy of legacy", file(&[&l2, &l1, &w.alice]), pick(legacy_ok, FULL)),
            ("legacy limited", file(&[&limited_l1, &w.alice]), pick(legacy_ok, LIMITED_ALICE)),
            (
                "legacy full below limited",
                file(&[&legacy(&limited_l1, 2, "proxy"), &limited_l1, &w.alice]),
                pick(legacy_ok, "credential.full-below-limited"),
            ),
            ("legacy below RFC", file(&[&legacy(&p1, 2, "proxy"), &p1, &w.alice]), "credential.proxy-type"),
            ("RFC below legacy", file(&[&proxy(&l1, 2), &l1, &w.alice]), "credential.proxy-type"),
            ("GT3", file(&[&g1, &w.alice]), pick(gt3_ok, FULL)),
            ("GT3 limited", file(&[&g_limited, &w.alice]), pick(gt3_ok, LIMITED_ALICE)),
            ("GT3, not critical, in RFC 3820's order", file(&[&g_lax, &w.alice]), pick(gt3_ok, FULL)),
            ("GT3 of GT3", file(&[&g2, &g1, &w.alice]), pick(gt3_ok, FULL)),
            (
                "GT3 beyond its path length",
                file(&[&g3, &g2, &g1, &w.alice]),
                pick(gt3_ok, "credential.proxy-path-length"),
            ),
            ("GT3 below RFC", file(&[&gt3_below(&p1, 2), &p1, &w.alice]), "credential.proxy-type"),
            (
                "a user whose name ends in proxy",
                file(&[&named_proxy]),
                "/DC=org/DC=example/CN=Alice/CN=proxy EndEntity",
            ),
            (
                "the same with Alice's certificate beside it",
                file(&[&named_proxy, &w.alice]),
                "/DC=org/DC=example/CN=Alice/CN=proxy EndEntity",
            ),
            (
                "a CA's certificate for CN=proxy",
                file(&[&named_below_ca.0, &named_below_ca.1]),
                "/DC=org/DC=example/CN=proxy EndEntity",
            ),
            ("legacy, signed by Bob", file(&[&impostor, &w.alice]), "credential.signature"),
            ("legacy with a wrong word", file(&[&legacy(&w.alice, 1, "Proxy"), &w.alice]), "credential.ca-rules"),
        ]
    };
    expect(&site, rows(false, false), defaults);
    expect(&site, rows(true, false), |policy| policy.proxy_types.push(ProxyType::Legacy));
    expect(&site, rows(false, true), |policy| policy.proxy_types.push(ProxyType::Gt3));
    expect(&site, rows(true, true), |policy| policy.proxy_types.extend([ProxyType::Gt3, ProxyType::Legacy]));
}

#[test]
fn the_sites_rules_on_proxies_are_kept() {
    let w = World::new();
    let site = w.site();
    let full = file(&[&proxy(&w.alice, 1), &w.alice]);
    let lim = file(&[&limited(&w.alice, 1), &w.alice]);
    let bare = file(&[&w.alice]);
    let week = below(&w.alice, 1, |s| s.lasts(NOW - HOUR, NOW - HOUR + 7 * DAY));
    let longer = below(&w.alice, 1, |s| s.lasts(NOW - HOUR, NOW - HOUR + 7 * DAY + 1));
    let under = |file: &[u8], limited: LimitedProxy| verdict_with(&site, file, |p| p.limited_proxy = limited);
    assert_eq!(under(&lim, LimitedProxy::Refuse), "credential.limited-refused");
    assert_eq!(under(&full, LimitedProxy::Refuse), FULL);
    assert_eq!(under(&full, LimitedProxy::Require), "credential.limited-required");
    assert_eq!(under(&bare, LimitedProxy::Require), "credential.limited-required");
    assert_eq!(under(&lim, LimitedProxy::Require), LIMITED_ALICE);
    let lifetime = |c: &mut Credentials| c.max_proxy_lifetime = Some(String::from("7d").try_into().unwrap());
    assert_eq!(verdict_with(&site, &file(&[&week, &w.alice]), lifetime), FULL);
    assert_eq!(verdict_with(&site, &file(&[&longer, &w.alice]), lifetime), "credential.lifetime");
    assert_eq!(verdict_with(&site, &bare, lifetime), BARE, "certificates are no proxies");
    assert_eq!(verdict_with(&site, &full, |c| c.max_chain = 1), "credential.chain-too-long");
}

#[test]
fn a_purpose_counts_where_it_is_critical() {
    let w = World::new();
    let site = w.site();
    let with = |critical: bool, purpose: &str| {
        let alice = eec(ALICE, key(whose::ALICE), &w.root, |s| {
            s.extensions.push(extension("2.5.29.37", critical, &seq(&[oid("1.3.6.1.5.5.7.3.4"), oid(purpose)])));
        });
        verdict(&site, &file(&[&proxy(&alice, 1), &alice]))
    };
    assert_eq!(with(true, "1.3.6.1.5.5.7.3.2"), FULL);
    assert_eq!(with(true, "2.5.29.37.0"), FULL);
    assert_eq!(with(true, "1.3.6.1.5.5.7.3.1"), "credential.purpose");
    assert_eq!(with(false, "1.3.6.1.5.5.7.3.1"), FULL);
}

#[test]
fn names_that_look_alike_are_different_people() {
    let w = World::new();
    let site = w.site();
    site.policy(&w.root, "*");
    let who = |subject: Vec<u8>| {
        let cert = eec(ALICE, key(whose::ALICE), &w.root, |s| s.subject = subject.clone());
        verdict(&site, &file(&[&proxy(&cert, 1), &cert]))
    };
    for (subject, expected) in [
        (name("/O=x/CN=Bob/CN=Alice"), "/O=x/CN=Bob/CN=Alice FullProxy"),
        (name("/O=x/CN=Bob//CN=Alice"), "/O=x/CN=Bob\\/CN=Alice FullProxy"),
        (name("/O=x//CN=Bob/CN=Alice"), "/O=x\\/CN=Bob/CN=Alice FullProxy"),
        (name("/O=x/CN=host//foo.example.org"), "/O=x/CN=host/foo.example.org FullProxy"),
        (name("/O=x/emailAddress=a@b"), "/O=x/emailAddress=a@b FullProxy"),
        (name("/O=x/UID=u"), "/O=x/UID=u FullProxy"),
        (name("/O=x/CN=Jürgen"), "/O=x/CN=Jürgen FullProxy"),
        (seq(&[rdn(&[attribute("CN", 0x14, b"J\xfcrgen")])]), "/CN=Jürgen FullProxy"),
        (seq(&[rdn(&[attribute("CN", 0x13, b"a"), attribute("UID", 0x0c, b"b")])]), "/CN=a+UID=b FullProxy"),
        (name("/CN=a+UID=b"), "/CN=a\\+UID=b FullProxy"),
    ] {
        assert_eq!(who(subject), expected);
    }
}

#[test]
fn crls_are_needed_current_genuine_and_complete() {
    let w = World::new();
    let site = w.site();
    let good = file(&[&proxy(&w.alice, 1), &w.alice]);
    let name = format!("{}.r0", hash(&w.root.der));
    let with = |bytes: Vec<u8>| {
        site.put(&name, &bytes);
        verdict(&site, &good)
    };
    let bent = |bend: &dyn Fn(&mut Crl)| with(crl(&w.root, &[&w.bob], |c| bend(c)));
    let leaf = proxy(&w.alice, 1);
    let mut many: Vec<Cert> = Vec::new();
    many.resize_with(300, || w.bob.clone());
    let many: Vec<&Cert> = many.iter().collect();
    assert_eq!(bent(&|_| {}), FULL);
    assert_eq!(with(pem("X509 CRL", &crl(&w.root, &[], |_| {})).into_bytes()), FULL, "PEM");
    assert_eq!(bent(&|c| (c.version, c.extensions) = (None, vec![])), FULL, "version 1");
    assert_eq!(with(crl(&w.root, &many, |_| {})), FULL, "a long list");
    assert_eq!(bent(&|c| c.entry_extensions = vec![extension("2.5.29.21", false, &tlv(10, &[1]))]), FULL, "a reason");
    assert_eq!(with(crl(&w.root, &[&w.bob, &w.alice], |_| {})), "credential.revoked", "the user");
    assert_eq!(with(crl(&w.root, &[&leaf], |_| {})), "credential.revoked", "the proxy");
    assert_eq!(bent(&|c| c.next_update = time(NOW - 1)), "trust.crl-expired");
    assert_eq!(bent(&|c| c.next_update = time(NOW)), FULL, "its last second");
    assert_eq!(bent(&|c| c.this_update = time(NOW + 1)), "trust.crl-invalid", "of the future");
    assert_eq!(bent(&|c| c.next_update = vec![]), "trust.crl-invalid", "without nextUpdate");
    assert_eq!(bent(&|c| c.spoil_signature = true), "trust.crl-invalid");
    assert_eq!(bent(&|c| c.signer = key(whose::FAKE)), "trust.crl-invalid", "by another key");
    assert_eq!(bent(&|c| c.issuer = named("/CN=x")), "trust.crl-invalid", "by another issuer");
    assert_eq!(bent(&|c| c.algorithm = sha1_ecdsa()), "trust.crl-invalid", "SHA-1");
    assert_eq!(bent(&|c| c.extensions.push(extension("2.5.29.27", true, &tlv(2, &[1])))), "trust.crl-invalid", "delta");
    assert_eq!(bent(&|c| c.extensions.push(extension("2.5.29.28", true, &seq(&[])))), "trust.crl-invalid", "indirect");
    assert_eq!(bent(&|c| c.entry_extensions = vec![extension("2.5.29.29", true, &null())]), "trust.crl-invalid");
    assert_eq!(with(b"garbage".to_vec()), "trust.crl-invalid");
    assert_eq!(with(crl(&w.root, &[], |_| {})[..50].to_vec()), "trust.crl-invalid", "cut off");

    site.put(&name, &crl(&w.root, &[&w.alice], |c| c.signer = key(whose::FAKE)));
    site.put(&name.replace("r0", "r1"), &crl(&w.root, &[], |_| {}));
    assert_eq!(verdict(&site, &good), FULL, "of two, only the one that the CA signed counts");
    site.put(&name.replace("r0", "r1"), &crl(&w.root, &[&w.alice], |_| {}));
    assert_eq!(verdict(&site, &good), "credential.revoked");
    site.remove(&name.replace("r0", "r1")).remove(&name);
    assert_eq!(verdict(&site, &good), "trust.crl-missing");
    assert_eq!(verdict_with(&site, &good, |c| c.crl = Companion::IfPresent), FULL);
    site.put(&name, &crl(&w.root, &[&w.alice], |_| {}));
    assert_eq!(verdict_with(&site, &good, |c| c.crl = Companion::IfPresent), "credential.revoked");
    assert_eq!(verdict_with(&site, &good, |c| c.crl = Companion::Off), FULL);

    let mute = root(ROOT, key(whose::ROOT), |s| s.replace(KEY_USAGE, vec![key_usage(0x04)]));
    site.ca(&mute, &[]);
    assert_eq!(verdict(&site, &good), "trust.crl-invalid", "a CA that may not sign CRLs");
}

#[test]
fn crls_are_asked_at_every_level() {
    let w = World::new();
    let site = Site::empty();
    let alice = eec(ALICE, key(whose::ALICE), &w.sub, |_| {});
    let good = file(&[&proxy(&alice, 1), &alice]);
    site.ca(&w.root, &[]).ca(&w.sub, &[]);
    assert_eq!(verdict(&site, &good), FULL);
    site.ca(&w.root, &[&w.sub]);
    assert_eq!(verdict(&site, &good), "credential.revoked", "a revoked CA");
    site.ca(&w.root, &[]).remove(&format!("{}.r0", hash(&w.root.der)));
    assert_eq!(verdict(&site, &good), "trust.crl-missing", "the anchor's list");
}

#[test]
fn signing_policies_bind_every_ca() {
    let w = World::new();
    let site = Site::empty();
    let alice = eec(ALICE, key(whose::ALICE), &w.sub, |_| {});
    let good = file(&[&proxy(&alice, 1), &alice]);
    site.ca(&w.root, &[]).ca(&w.sub, &[]);
    let file_of = |ca: &Cert, suffix: &str| format!("{}.{suffix}", hash(&ca.der));
    assert_eq!(verdict(&site, &good), FULL);
    site.policy(&w.sub, "/DC=org/DC=other/*");
    assert_eq!(verdict(&site, &good), "credential.signing-policy", "the user");
    site.policy(&w.sub, "/DC=org/DC=example/*").policy(&w.root, "/DC=org/DC=example/CN=Root*");
    assert_eq!(verdict(&site, &good), "credential.signing-policy", "the CA");
    site.policy(&w.root, "/DC=org/DC=example/CN=Sub CA");
    assert_eq!(verdict(&site, &good), FULL, "the root is for CAs only");
    site.put(&file_of(&w.sub, "signing_policy"), b"nonsense\n");
    assert_eq!(verdict(&site, &good), "trust.signing-policy-malformed");
    site.remove(&file_of(&w.sub, "signing_policy"));
    assert_eq!(verdict(&site, &good), "trust.signing-policy-missing");
    assert_eq!(verdict_with(&site, &good, |c| c.signing_policy = Companion::IfPresent), FULL);
    let namespaces = |text: &str| {
        site.put(&file_of(&w.sub, "namespaces"), text.as_bytes());
        verdict(&site, &good)
    };
    assert_eq!(namespaces("TO Issuer SELF PERMIT Subject \"/DC=org/DC=example/.*\"\n"), FULL, "the other form alone");
    assert_eq!(namespaces("TO Issuer SELF PERMIT Subject \"/DC=org/DC=other/.*\"\n"), "credential.signing-policy");
    assert_eq!(
        namespaces("TO Issuer \"/CN=x\" PERMIT Subject \".*\"\n"),
        "trust.signing-policy-missing",
        "of another CA"
    );
    assert_eq!(namespaces("TO Issuer SELF PERMIT Subject \"(\"\n"), "trust.signing-policy-malformed");
    site.policy(&w.sub, "*");
    let denying = namespaces("TO Issuer SELF PERMIT Subject \".*\"\nTO Issuer SELF DENY Subject \".*Alice\"\n");
    assert_eq!(denying, "credential.signing-policy", "both must permit");
    assert_eq!(verdict_with(&site, &good, |c| c.signing_policy = Companion::Off), FULL);
}

#[test]
fn of_several_cas_with_one_hash_the_one_with_the_right_key_is_found() {
    let w = World::new();
    let site = Site::empty();
    let good = file(&[&proxy(&w.alice, 1), &w.alice]);
    let hash = hash(&w.root.der);
    let other_key = root(ROOT, key(whose::FAKE), |_| {});
    let other_name = root("/DC=org/DC=example/CN=Other", key(whose::FAKE), |_| {});
    site.ca(&w.root, &[]);
    for (number, ca) in [&other_name, &other_key, &w.root].into_iter().enumerate() {
        site.put(&format!("{hash}.{number}"), &ca.der);
        site.put(&format!("{hash}.r{number}"), &crl(ca, &[], |_| {}));
    }
    assert_eq!(verdict(&site, &good), FULL);
    site.put(&format!("{hash}.r2"), &crl(&w.root, &[&w.alice], |_| {}));
    assert_eq!(verdict(&site, &good), "credential.revoked");
    site.put(&format!("{hash}.1"), b"garbage");
    assert_eq!(verdict(&site, &good), "trust.ca-malformed");
}

#[test]
fn the_directory_is_found_by_the_old_hash_too() {
    let w = World::new();
    let site = w.site();
    let good = file(&[&proxy(&w.alice, 1), &w.alice]);
    let md5 = openssl::hash::hash(MessageDigest::md5(), &w.root.spec.subject).unwrap();
    let old = format!("{:08x}", u32::from_le_bytes(md5[..4].try_into().unwrap()));
    let new = hash(&w.root.der);
    for suffix in ["0", "r0", "signing_policy"] {
        let from = site.certificates().join(format!("{new}.{suffix}"));
        std::fs::rename(from, site.certificates().join(format!("{old}.{suffix}"))).unwrap();
    }
    assert_eq!(verdict(&site, &good), FULL);
}

#[test]
fn openssl_agrees_on_the_hash_of_every_kind_of_name() {
    let strange = seq(&[
        rdn(&[attribute("DC", 0x16, b"ORG")]),
        rdn(&[attribute("O", 0x13, b"  Two   Words ")]),
        rdn(&[attribute("OU", 0x14, b"J\xfcrgen")]),
        rdn(&[attribute("CN", 0x13, b"a"), attribute("UID", 0x0c, b"B")]),
        rdn(&[attribute("CN", 0x1e, b"\x00\xdc\x00b")]),
    ]);
    for subject in [strange, name("/C=IT/O=INFN/CN=host//Foo"), name("/CN=ÄÖ")] {
        let ca = root(ROOT, key(whose::ROOT), |s| {
            s.subject = subject.clone();
            s.issuer = subject.clone();
        });
        let alice = eec(ALICE, key(whose::ALICE), &ca, |_| {});
        let site = Site::empty();
        site.put(&format!("{}.0", hash(&ca.der)), &ca.der);
        let good = file(&[&proxy(&alice, 1), &alice]);
        let off = |c: &mut Credentials| (c.crl, c.signing_policy) = (Companion::Off, Companion::Off);
        assert_eq!(verdict_with(&site, &good, off), FULL);
    }
}

#[test]
fn what_others_can_write_is_not_trusted() {
    use std::os::unix::fs::PermissionsExt;
    let w = World::new();
    let site = w.site();
    let good = file(&[&proxy(&w.alice, 1), &w.alice]);
    for suffix in ["0", "r0", "signing_policy"] {
        let path = site.certificates().join(format!("{}.{suffix}", hash(&w.root.der)));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(verdict(&site, &good), "trust.insecure-permissions", "{suffix}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    assert_eq!(verdict(&site, &good), FULL);
}

#[test]
fn source_and_pilot_are_judged_too() {
    let w = World::new();
    let site = w.site();
    let alice = file(&[&proxy(&w.alice, 1), &w.alice]);
    let other = file(&[&limited(&w.alice, 2), &w.alice]);
    let bob = file(&[&limited(&w.bob, 3), &w.bob]);
    let spoilt = file(&[&below(&w.alice, 1, |s| s.spoil_signature = true), &w.alice]);
    let keyless = format!("{}{}", pem_cert(&proxy(&w.alice, 4)), pem_cert(&w.alice)).into_bytes();
    let with = |source: Option<&[u8]>, pilot: Option<&[u8]>, proxy: PilotProxy, key: KeyRule| {
        let question = Question { user: &alice, source, pilot, key };
        ask(&site, &question, |c| {
            c.pilot_proxy = proxy;
            c.limited_proxy = if source.is_some() { LimitedProxy::Accept } else { LimitedProxy::Refuse };
        })
    };
    let (optional, required) = (PilotProxy::Optional, KeyRule::Required);
    assert_eq!(line(&with(Some(&other), None, optional, required)), FULL);
    assert_eq!(line(&with(Some(&bob), None, optional, required)), "credential.identity-mismatch");
    assert_eq!(line(&with(Some(&spoilt), None, optional, required)), "credential.signature");
    assert_eq!(line(&with(Some(&keyless), None, optional, required)), "credential.no-private-key");
    assert_eq!(line(&with(Some(&keyless), None, optional, KeyRule::MayBeAbsent)), FULL);
    assert_eq!(line(&with(None, Some(&keyless), optional, KeyRule::MayBeAbsent)), "credential.no-private-key");
    assert_eq!(line(&with(None, Some(&spoilt), optional, required)), "credential.signature");
    assert_eq!(line(&with(None, Some(&spoilt), PilotProxy::Ignored, required)), FULL);
    assert_eq!(line(&with(None, None, PilotProxy::Required, required)), "credential.pilot-missing");
    let both = with(None, Some(&bob), PilotProxy::Required, required).unwrap();
    assert_eq!(both.user.subject.as_str(), ALICE);
    assert_eq!(both.pilot.unwrap().subject.as_str(), "/DC=org/DC=example/CN=Bob");
}

const PILOT: &str = " /testvo/Role=pilot/Capability=NULL /testvo/Role=NULL/Capability=NULL";

#[test]
fn voms_attributes_are_proved_or_refused() {
    let w = World::new();
    let site = w.site();
    let groups = ["/testvo/Role=pilot", "/testvo"];
    let member = format!("{FULL}{PILOT}");
    let carrying = |acs: &[Vec<u8>]| file(&[&voms_proxy(&w.alice, 1, acs), &w.alice]);
    let bent = |bend: &dyn Fn(&mut Ac)| carrying(&[ac(&w.alice, &w.server, &groups, |a| bend(a))]);
    let good = || ac(&w.alice, &w.server, &groups, |_| {});
    let saying = |fqans: &[&str]| carrying(&[ac(&w.alice, &w.server, fqans, |_| {})]);
    let rogue = eec("/DC=org/DC=example/CN=rogue.example.org", key(30), &w.root, |s| s.serial = vec![0x66]);
    let fake_ca = root(ROOT, key(whose::FAKE), |_| {});
    let fake_server = eec(SERVER, key(31), &fake_ca, |_| {});
    let old_server = eec(SERVER, key(whose::VOMS), &w.root, |s| s.lasts(NOW - 9 * DAY, NOW - DAY));
    let by = |server: &Cert| carrying(&[ac(&w.alice, server, &groups, |_| {})]);
    let own = carrying(&[ac(&w.alice, &w.alice, &groups, |a| a.issuer = w.server.spec.subject.clone())]);
    let outer = voms_proxy(&w.alice, 1, &[good()]);
    let inner = voms_proxy(&outer, 2, &[ac(&w.alice, &w.server, &["/testvo/inner"], |_| {})]);
    let lim = below(&w.alice, 1, |s| {
        s.replace(PROXY_INFO, vec![proxy_info(None, LIMITED)]);
        s.extensions.push(extension(VOMS, false, &seq(&[seq(&[good()])])));
    });
    let target = |host: &str| {
        let value = seq(&[tlv(0xa0, &tlv(0x86, host.as_bytes()))]);
        bent(&|a| a.extensions.push(extension(AC_TARGETS, true, &value)))
    };
    let rfc_target = seq(&[seq(&[tlv(0xa0, &tlv(0x82, b"wn1.example.org"))])]);
    let raw =
        |value: Vec<u8>| file(&[&below(&w.alice, 1, |s| s.extensions.push(extension(VOMS, false, &value))), &w.alice]);
    let many: Vec<String> = (0..101).map(|n| format!("/testvo/g{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let limited_member = format!("{LIMITED_ALICE}{PILOT}");
    expect(
        &site,
        vec![
            ("in the proxy", carrying(&[good()]), &member),
            ("in the proxy above", file(&[&proxy(&outer, 2), &outer, &w.alice]), &member),
            ("in a limited proxy", file(&[&lim, &w.alice]), &limited_member),
            (
                "in two proxies: the one nearest to the leaf",
                file(&[&inner, &outer, &w.alice]),
                &format!("{FULL} /testvo/inner/Role=NULL/Capability=NULL"),
            ),
            ("two in one proxy: the first", carrying(&[good(), ac(&w.bob, &rogue, &["/x"], |_| {})]), &member),
            (
                "the long form",
                saying(&["/testvo/Role=pilot/Capability=NULL", "/testvo/Role=NULL/Capability=NULL"]),
                &member,
            ),
            ("for this host", target("wn1.example.org"), &member),
            (
                "for this host, in RFC 5755's form",
                bent(&|a| a.extensions.push(extension(AC_TARGETS, true, &rfc_target))),
                &member,
            ),
            ("for another host", target("wn2.example.org"), "voms.ac-target"),
            ("of Bob", carrying(&[ac(&w.bob, &w.server, &groups, |_| {})]), "voms.ac-holder"),
            ("of Alice at another CA", bent(&|a| a.holder_issuer = named("/CN=other")), "voms.ac-holder"),
            ("altered", bent(&|a| a.spoil_signature = true), "voms.ac-signature"),
            ("signed by another key", bent(&|a| a.signer = key(30)), "voms.ac-signature"),
            ("signed by the user", own, "voms.ac-untrusted"),
            ("by a server without .lsc", by(&rogue), "voms.ac-untrusted"),
            ("by a server of a false CA", by(&fake_server), "voms.ac-untrusted"),
            ("by an expired server", by(&old_server), "voms.ac-untrusted"),
            ("in another server's name", bent(&|a| a.issuer = rogue.spec.subject.clone()), "voms.ac-untrusted"),
            ("without the server's certificate", bent(&|a| a.certificates.clear()), "voms.ac-untrusted"),
            ("with SHA-1", bent(&|a| a.algorithm = sha1_ecdsa()), "voms.ac-untrusted"),
            ("of an unknown VO", bent(&|a| a.authority = "other://h:1".into()), "voms.ac-untrusted"),
            ("of a VO called ..", bent(&|a| a.authority = "..://h:1".into()), "voms.ac-malformed"),
            ("of a VO with a slash", bent(&|a| a.authority = "a/b://h:1".into()), "voms.ac-malformed"),
            ("of no VO", bent(&|a| a.authority = "testvo".into()), "voms.ac-malformed"),
            ("another VO's group", saying(&["/testvo", "/othervo/Role=pilot"]), "voms.ac-scope"),
            ("a VO whose name starts alike", saying(&["/testvo2"]), "voms.ac-scope"),
            ("not a group", saying(&["testvo"]), "voms.ac-malformed"),
            ("a group with blanks", saying(&["/testvo/a b"]), "voms.ac-malformed"),
            ("a group called ..", saying(&["/testvo/../othervo"]), "voms.ac-malformed"),
            ("no group", saying(&[]), "voms.ac-malformed"),
            ("101 groups", saying(&many), "voms.ac-malformed"),
            ("expired", bent(&|a| a.not_after = generalized(NOW - 1)), "voms.ac-expired"),
            ("its last second", bent(&|a| a.not_after = generalized(NOW)), &member),
            ("of the future", bent(&|a| a.not_before = generalized(NOW + 1)), "voms.ac-not-yet-valid"),
            (
                "an unknown critical extension",
                bent(&|a| a.extensions.push(extension("1.2.3", true, &null()))),
                "voms.ac-extension",
            ),
            ("an unknown extension", bent(&|a| a.extensions.push(extension("1.2.3", false, &null()))), &member),
            (
                "an extension twice",
                bent(&|a| a.extensions.extend(vec![extension("1.2.3", false, &null()); 2])),
                "voms.ac-malformed",
            ),
            ("version 1", bent(&|a| a.version = 0), "voms.ac-malformed"),
            ("two kinds of holder", bent(&|a| a.holder_extra = tlv(0xa1, &seq(&[]))), "voms.ac-malformed"),
            ("not an AC", raw(seq(&[seq(&[seq(&[])])])), "voms.ac-malformed"),
            ("no AC", raw(seq(&[seq(&[])])), "voms.ac-malformed"),
            ("not DER", raw(b"garbage".to_vec()), "voms.ac-malformed"),
            ("something behind", raw([seq(&[seq(&[good()])]), null()].concat()), "voms.ac-malformed"),
            ("too long", raw(seq(&[seq(&[seq(&[tlv(4, &[0; 70_000])])])])), "voms.ac-malformed"),
        ],
        defaults,
    );
    let lasting = |days: i64| bent(&|a| a.not_after = generalized(NOW - HOUR + days * DAY));
    let four = |c: &mut Credentials| c.max_ac_lifetime = Some(String::from("4d").try_into().unwrap());
    assert_eq!(verdict_with(&site, &lasting(4), four), member);
    assert_eq!(verdict_with(&site, &lasting(365), four), "voms.ac-lifetime");
    assert_eq!(verdict_with(&site, &lasting(365), defaults), member);

    let bad = bent(&|a| a.spoil_signature = true);
    let ignored = ask(&site, &user(&bad), |c| c.bad_ac = BadAc::Ignore);
    assert_eq!(line(&ignored), FULL, "bad_ac = ignore drops the attributes");
    assert!(ignored.unwrap().notes[0].contains("voms.ac-signature"), "and says so in the log");
}

#[test]
fn a_voms_server_needs_its_chain_in_an_lsc_file_of_the_vo() {
    let w = World::new();
    let site = w.site();
    let member = format!("{FULL}{PILOT}");
    let carried = |server: &Cert, more: &[&Cert]| {
        let ac = ac(&w.alice, server, &["/testvo/Role=pilot", "/testvo"], |a| {
            a.certificates.extend(more.iter().map(|cert| cert.der.clone()));
        });
        file(&[&voms_proxy(&w.alice, 1, &[ac]), &w.alice])
    };
    let plain = carried(&w.server, &[]);
    let with = |text: &str| {
        site.lsc("testvo", text);
        verdict(&site, &plain)
    };
    let (server, ca) = (SERVER, ROOT);
    assert_eq!(with(&format!("{server}\n{ca}\n")), member);
    assert_eq!(with(&format!("{server}\n/CN=x\n------ NEXT CHAIN ------\n{server}\n{ca}\n")), member);
    assert_eq!(with(""), "voms.ac-untrusted", "an empty file");
    assert_eq!(with(&format!("{server}\n")), "voms.ac-untrusted", "without the CA");
    assert_eq!(with(&format!("{ca}\n{server}\n")), "voms.ac-untrusted", "in the wrong order");
    assert_eq!(with(&format!("{server}\n{ca}\n/CN=more\n")), "voms.ac-untrusted", "with more than there is");
    assert_eq!(with("/CN=other\n/CN=CA\n"), "voms.ac-untrusted", "another server's");
    assert_eq!(with("nonsense\n"), "voms.lsc-malformed");
    site.lsc("testvo", "/CN=other\n/CN=CA\n").lsc("othervo", LSC);
    assert_eq!(verdict(&site, &plain), "voms.ac-untrusted", "its chain at another VO");
    site.lsc("testvo", LSC);
    let mut trust = site.trust();
    trust.voms = None;
    let without = judge(&user(&plain), &Credentials::default(), &trust, NOW);
    assert_eq!(line(&without), "voms.ac-untrusted", "no vomsdir at all");

    site.ca(&w.sub, &[]);
    let below_sub = eec(SERVER, key(whose::VOMS), &w.sub, |_| {});
    let sub = "/DC=org/DC=example/CN=Sub CA";
    site.lsc("testvo", &format!("{server}\n{sub}\n"));
    assert_eq!(verdict(&site, &carried(&below_sub, &[])), member, "up to its CA");
    assert_eq!(verdict(&site, &carried(&below_sub, &[&w.sub])), "voms.ac-untrusted", "an embedded CA must be named");
    site.lsc("testvo", &format!("{server}\n{sub}\n{sub}\n{ca}\n"));
    assert_eq!(verdict(&site, &carried(&below_sub, &[&w.sub])), member, "in pairs");
    site.ca(&w.sub, &[&below_sub]);
    assert_eq!(verdict(&site, &carried(&below_sub, &[])), "voms.ac-untrusted", "a revoked server");
    site.policy(&w.sub, "/DC=org/DC=other/*");
    assert_eq!(verdict(&site, &carried(&below_sub, &[])), "voms.ac-untrusted", "a server outside its CA's policy");
    site.ca(&w.sub, &[]).remove(&format!("{}.r0", hash(&w.sub.der)));
    assert_eq!(
        verdict(&site, &carried(&below_sub, &[])),
        "trust.crl-missing",
        "what the site has to mend is its own class"
    );
    assert_eq!(
        verdict_with(&site, &carried(&below_sub, &[]), |c| c.bad_ac = BadAc::Ignore),
        "trust.crl-missing",
        "and is not ignored"
    );
    let host = eec("/DC=org/DC=example/CN=host//voms.example.org", key(whose::VOMS), &w.root, |_| {});
    site.lsc("testvo", &format!("/DC=org/DC=example/CN=host/voms.example.org\n{ca}\n"));
    assert_eq!(verdict(&site, &carried(&host, &[])), member, "a service's name as .lsc files write it");
}

#[test]
fn hostile_shapes_cost_no_time() {
    let w = World::new();
    let site = w.site();
    let started = std::time::Instant::now();
    // Nineteen CAs of one name and key that issue each other.
    let a = sub("/DC=org/DC=example/CN=Loop", key(30), &w.root, |s| s.issuer = named("/DC=org/DC=example/CN=Loop 2"));
    let b = sub("/DC=org/DC=example/CN=Loop 2", key(30), &a, |_| {});
    let looped = |issuer: &Cert| Cert { key: key(30), ..issuer.clone() };
    let a = sub("/DC=org/DC=example/CN=Loop", key(30), &looped(&b), |_| {});
    let alice = eec(ALICE, key(whose::ALICE), &a, |_| {});
    let mut chain = vec![&alice];
    chain.extend([&a, &b].repeat(9));
    assert_eq!(verdict(&site, &file(&chain)), "credential.ca-rules", "a cycle");
    let mut decoys: Vec<Cert> = Vec::new();
    for number in 0..18 {
        decoys.push(eec(ALICE, key(31), &w.root, |s| s.serial = vec![0x50, number]));
    }
    let leaf = proxy(&w.alice, 1);
    let mut chain: Vec<&Cert> = vec![&leaf];
    chain.extend(decoys.iter());
    chain.push(&w.alice);
    assert_eq!(verdict(&site, &file(&chain)), "credential.signature", "18 certificates that could be the issuer");
    assert!(started.elapsed().as_secs() < 2);
}

#[test]
fn no_mutation_of_a_good_file_becomes_somebody_else() {
    let w = World::new();
    let site = w.site();
    let ac = ac(&w.alice, &w.server, &["/testvo/Role=pilot", "/testvo"], |_| {});
    let p1 = voms_proxy(&w.alice, 1, &[ac]);
    let p2 = limited(&p1, 2);
    let good = file(&[&p2, &p1, &w.alice]);
    let expected = format!("{LIMITED_ALICE}{PILOT}");
    assert_eq!(verdict(&site, &good), expected);
    let trust = site.trust();
    let policy = Credentials { bad_ac: BadAc::Ignore, ..Credentials::default() };
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % u64::try_from(below).unwrap()).unwrap()
    };
    let ders = [p2.der.clone(), p1.der.clone(), w.alice.der.clone()];
    for round in 0..4000 {
        let mutant = match round % 4 {
            // Flips in the DER, so that they do not die at the base64.
            0 | 1 => {
                let mut ders = ders.clone();
                for _ in 0..=next(3) {
                    let which = next(3);
                    let at = next(ders[which].len());
                    ders[which][at] ^= 1 << next(8);
                }
                let rest: String = ders[1..].iter().map(|der| pem("CERTIFICATE", der)).collect();
                format!("{}{}{rest}", pem("CERTIFICATE", &ders[0]), pem_key(p2.key)).into_bytes()
            }
            2 => {
                let mut bytes = good.clone();
                let at = next(bytes.len());
                bytes[at] = u8::try_from(next(256)).unwrap();
                if next(4) == 0 {
                    bytes.truncate(next(bytes.len()));
                }
                bytes
            }
            _ => {
                let mut blocks = vec![
                    pem_cert(&p2),
                    pem_cert(&p1),
                    pem_cert(&w.alice),
                    pem_key(p2.key),
                    pem_cert(&w.bob),
                    pem_cert(&w.root),
                ];
                for at in (1..blocks.len()).rev() {
                    blocks.swap(at, next(at + 1));
                }
                blocks.truncate(1 + next(6));
                blocks.concat().into_bytes()
            }
        };
        let answer = judge(&user(&mutant), &policy, &trust, NOW);
        if let Ok(answer) = answer {
            let got = line(&Ok(answer));
            assert!(got == expected || got == LIMITED_ALICE, "round {round}: {got}");
        }
    }
}
