//! The CA directory: anchors, CAs below them, signing policies, CRLs.

use super::*;

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
fn names_are_compared_by_their_der() {
    let w = World::new();
    let site = Site::empty();
    let good = file(&[&proxy(&w.alice, 1), &w.alice]);
    site.ca(&w.root, &[]);
    // The same key and the same hash do not make a CA of another name the issuer.
    let renamed = root("/DC=org/DC=example/CN=Other", key(whose::ROOT), |_| {});
    site.put(&format!("{}.0", hash(&w.root.der)), &renamed.der);
    assert_eq!(verdict(&site, &good), "credential.unknown-ca");
    // Nor do the same words in another string type.
    let words = [("DC", 0x16, "org"), ("DC", 0x16, "example"), ("CN", 0x13, "Alice")];
    let printable = seq(&words.map(|(kind, tag, value)| rdn(&[attribute(kind, tag, value.as_bytes())])));
    let alice = eec(ALICE, key(whose::ALICE), &w.root, |s| s.subject = printable.clone());
    let leaf = below(&w.alice, 1, |s| s.subject = extend(&printable, "1"));
    assert_eq!(verdict(&site, &file(&[&leaf, &alice])), "credential.incomplete");
    let typed = [("DC", 0x16, "org"), ("DC", 0x16, "example"), ("CN", 0x13, "Root CA")];
    let typed = seq(&typed.map(|(kind, tag, value)| rdn(&[attribute(kind, tag, value.as_bytes())])));
    let alice = eec(ALICE, key(whose::ALICE), &w.root, |s| s.issuer = typed.clone());
    site.ca(&w.root, &[]);
    assert_eq!(verdict(&site, &file(&[&alice])), "credential.unknown-ca");
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
