//! The CA directory: anchors, CAs below them, signing policies, CRLs.

use super::*;

pub fn only_the_ca_directory_is_trusted() {
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
            ("with that false CA in the file", file(&[&proxy(&by_fake, 1), &by_fake, &fake]), "credential.signature"),
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

#[test]
fn whose_ca_has_a_new_key_hears_that_the_site_may_have_the_old_one() {
    let w = World::new();
    let site = w.site();
    let said = |file: &[u8]| ask(&site, &user(file), defaults).unwrap_err().sentence().to_owned();
    let renewed = root(ROOT, key(whose::SUB_SUB), |_| {});
    let alice = eec(ALICE, key(whose::ALICE), &renewed, |_| {});
    let by_ca = said(&file(&[&proxy(&alice, 1), &alice]));
    assert!(by_ca.contains("altered or forged, or the site has another certificate of this CA"), "{by_ca}");
    let by_user = said(&file(&[&below(&w.alice, 1, |s| s.spoil_signature = true), &w.alice]));
    assert!(by_user.ends_with("altered or forged"), "{by_user}");
}

/// An ECDSA signature that says it is by RSA.
fn sha256_rsa_over(_: Key) -> Algorithm {
    sha256_rsa()
}

pub fn cas_below_an_anchor_come_from_the_file_or_the_directory_and_must_be_cas() {
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
    let purpose = |critical: bool, purpose: &str| {
        let purposes = extension("2.5.29.37", critical, &seq(&[oid("1.3.6.1.5.5.7.3.4"), oid(purpose)]));
        extensions(vec![ca_true(None), key_usage(6), purposes])
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
            ("for clientAuth", purpose(true, "1.3.6.1.5.5.7.3.2"), FULL),
            ("for any purpose", purpose(true, "2.5.29.37.0"), FULL),
            ("for serverAuth alone", purpose(true, "1.3.6.1.5.5.7.3.1"), "credential.purpose"),
            ("for serverAuth alone, not critical", purpose(false, "1.3.6.1.5.5.7.3.1"), FULL),
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
                FULL,
            ),
            ("expired", chain(&|s| s.lasts(NOW - 9 * DAY, NOW - DAY)), "credential.expired"),
            ("of the future", chain(&|s| s.lasts(NOW + DAY, NOW + 9 * DAY)), "credential.not-yet-valid"),
            ("altered", chain(&|s| s.spoil_signature = true), "credential.signature"),
            ("signed by another key", chain(&|s| s.signer = key(whose::FAKE)), "credential.signature"),
            ("signed with SHA-1", chain(&|s| s.algorithm = sha1_ecdsa()), "credential.weak-digest"),
            ("with a weak key", chain(&|s| s.spki = weak().public_key_to_der().unwrap()), "credential.weak-key"),
            (
                "a negative path length",
                extensions(vec![extension(BASIC_CONSTRAINTS, true, &seq(&[boolean(0xff), tlv(2, &[0x80])]))]),
                "credential.malformed",
            ),
            (
                "a path length without CA flag",
                extensions(vec![extension(BASIC_CONSTRAINTS, true, &seq(&[tlv(2, &[1])]))]),
                "credential.malformed",
            ),
            (
                "a key usage without bits",
                extensions(vec![ca_true(None), extension(KEY_USAGE, true, &tlv(3, &[0]))]),
                "credential.malformed",
            ),
            (
                "a key usage with bits behind its end",
                extensions(vec![ca_true(None), extension(KEY_USAGE, true, &tlv(3, &[7, 0x86]))]),
                "credential.malformed",
            ),
            (
                "basic constraints that are not critical",
                extensions(vec![extension(BASIC_CONSTRAINTS, false, &seq(&[boolean(0xff)]))]),
                FULL,
            ),
            (
                "a critical policy",
                extensions(vec![ca_true(None), extension("2.5.29.32", true, &seq(&[seq(&[oid("2.5.29.32.0")])]))]),
                FULL,
            ),
            (
                "policy constraints",
                extensions(vec![ca_true(None), extension("2.5.29.36", true, &seq(&[tlv(0x80, &[0])]))]),
                "credential.unknown-extension",
            ),
            (
                "a name that constraints both permit and exclude",
                constraints(Some("/DC=org"), Some("/DC=org/DC=example")),
                "credential.ca-rules",
            ),
            (
                "everything excluded",
                extensions(vec![
                    ca_true(None),
                    extension(NAME_CONSTRAINTS, true, &seq(&[tlv(0xa1, &seq(&[tlv(0xa4, &seq(&[]))]))])),
                ]),
                "credential.ca-rules",
            ),
            (
                "constraints that permit nothing",
                extensions(vec![ca_true(None), extension(NAME_CONSTRAINTS, true, &seq(&[tlv(0xa0, &[])]))]),
                "credential.malformed",
            ),
            (
                "constraints with a minimum",
                extensions(vec![
                    ca_true(None),
                    extension(
                        NAME_CONSTRAINTS,
                        true,
                        &seq(&[tlv(0xa0, &seq(&[tlv(0xa4, &named("/DC=org")), tlv(0x80, &[1])]))]),
                    ),
                ]),
                "credential.malformed",
            ),
        ],
        defaults,
    );
    let alice = eec(ALICE, key(whose::ALICE), &w.sub, |_| {});
    let without = file(&[&proxy(&alice, 1), &alice]);
    case(
        verdict(&site, &without),
        "credential.unknown-ca",
        "a CA below the anchor that is neither in the file nor in the directory",
    );
    site.ca(&w.sub, &[]);
    case(verdict(&site, &without), FULL, "the CA from the directory");
    let both = file(&[&proxy(&alice, 1), &alice, &w.sub]);
    case(verdict(&site, &both), FULL, "the CA from the directory and the file");
    let false_sub = sub("/DC=org/DC=example/CN=Sub CA", key(whose::FAKE), &w.root, |s| s.signer = key(whose::FAKE));
    case(verdict(&site, &file(&[&proxy(&alice, 1), &alice, &false_sub])), FULL, "a false CA of that name in the file");
    let by_false = eec(ALICE, key(whose::ALICE), &false_sub, |_| {});
    let forged = file(&[&proxy(&by_false, 1), &by_false, &false_sub]);
    case(verdict(&site, &forged), "credential.signature", "a user of that false CA");
    let own_sub =
        sub("/DC=org/DC=example/CN=Sub CA", key(whose::SUB), &w.root, |s| s.replace(KEY_USAGE, vec![key_usage(2)]));
    site.put(&format!("{}.0", hash(&w.sub.der)), &own_sub.der);
    case(verdict(&site, &without), "credential.ca-rules", "a CA of the directory that may not sign");
    site.put(&format!("{}.0", hash(&w.sub.der)), &pem("CERTIFICATE", &w.sub.der).replace('\n', "\r\n").into_bytes());
    case(verdict(&site, &without), FULL, "a CA file with CRLF");
    site.put(&format!("{}.0", hash(&w.sub.der)), format!("text\n{}", pem_cert(&w.sub)).as_bytes());
    case(verdict(&site, &without), FULL, "a CA file with text before");
    site.put(
        &format!("{}.0", hash(&w.sub.der)),
        &pem("TRUSTED CERTIFICATE", &[&w.sub.der[..], &seq(&[])].concat()).into_bytes(),
    );
    case(verdict(&site, &without), "trust.ca-malformed", "a CA file with OpenSSL's own trust settings");
    site.put(&format!("{}.0", hash(&w.sub.der)), &pem("X509 CRL", &w.sub.der).into_bytes());
    case(verdict(&site, &without), "trust.ca-malformed", "a CA file that holds something else");
    site.put(&format!("{}.0", hash(&w.sub.der)), b"");
    case(verdict(&site, &without), "trust.ca-malformed", "an empty CA file");
    site.remove(&format!("{}.0", hash(&w.sub.der))).put(&format!("{}.1", hash(&w.sub.der)), &w.sub.der);
    case(verdict(&site, &without), "credential.unknown-ca", "a CA with the number 1 and none with 0");
    site.remove(&format!("{}.1", hash(&w.sub.der))).put(&format!("{}.0", hash(&w.sub.der)), &w.sub.der);
    let anchor = root("/DC=org/DC=example/CN=Sub CA", key(whose::SUB), |_| {});
    let unknown = root("/DC=org/DC=example/CN=Unknown", key(whose::FAKE), |_| {});
    let crossed = sub("/DC=org/DC=example/CN=Sub CA", key(whose::SUB), &unknown, |_| {});
    let with_crossed = file(&[&proxy(&alice, 1), &alice, &crossed]);
    site.put(&format!("{}.0", hash(&w.sub.der)), &anchor.der);
    case(verdict(&site, &with_crossed), FULL, "an anchor, and in the file its certificate by an unknown CA");
    site.put(&format!("{}.0", hash(&w.sub.der)), &w.sub.der);
    site.remove(&format!("{}.0", hash(&w.root.der)));
    case(verdict(&site, &without), "credential.unknown-ca", "a CA without its anchor");
}

pub fn crls_are_needed_current_genuine_and_complete() {
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
    case(bent(&|_| {}), FULL, "a good list");
    case(with(pem("X509 CRL", &crl(&w.root, &[], |_| {})).into_bytes()), FULL, "PEM");
    case(bent(&|c| (c.version, c.extensions) = (None, vec![])), FULL, "version 1");
    case(with(crl(&w.root, &many, |_| {})), FULL, "a long list");
    case(bent(&|c| c.entry_extensions = vec![extension("2.5.29.21", false, &tlv(10, &[1]))]), FULL, "a reason");
    case(with(crl(&w.root, &[&w.bob, &w.alice], |_| {})), "credential.revoked", "the user");
    case(with(crl(&w.root, &[&leaf], |_| {})), "credential.revoked", "the proxy");
    case(bent(&|c| c.next_update = time(NOW - 1)), "trust.crl-expired", "expired a second ago");
    case(bent(&|c| c.next_update = time(NOW)), FULL, "its last second");
    case(bent(&|c| c.this_update = time(NOW + 1)), "trust.crl-invalid", "of the future");
    case(bent(&|c| c.next_update = vec![]), "trust.crl-invalid", "without nextUpdate");
    case(bent(&|c| c.spoil_signature = true), "trust.crl-invalid", "an altered list");
    case(bent(&|c| c.signer = key(whose::FAKE)), "trust.crl-invalid", "by another key");
    case(bent(&|c| c.issuer = named("/CN=x")), "trust.crl-invalid", "by another issuer");
    case(bent(&|c| c.algorithm = sha1_ecdsa()), "trust.crl-invalid", "SHA-1");
    case(bent(&|c| c.extensions.push(extension("2.5.29.27", true, &tlv(2, &[1])))), "trust.crl-invalid", "delta");
    case(bent(&|c| c.extensions.push(extension("2.5.29.28", true, &seq(&[])))), "trust.crl-invalid", "indirect");
    case(
        bent(&|c| c.entry_extensions = vec![extension("2.5.29.29", true, &null())]),
        "trust.crl-invalid",
        "an entry with a certificate issuer: indirect",
    );
    case(with(b"garbage".to_vec()), "trust.crl-invalid", "no CRL at all");
    case(with(crl(&w.root, &[], |_| {})[..50].to_vec()), "trust.crl-invalid", "cut off");

    let numbered = |c: &mut Crl| c.extensions.push(extension("2.5.29.46", false, &seq(&[])));
    case(bent(&numbered), FULL, "a pointer to a delta, not critical");
    let critical = |oid: &'static str| move |c: &mut Crl| c.extensions.push(extension(oid, true, &null()));
    case(bent(&critical("2.5.29.60")), "trust.crl-invalid", "an unknown critical extension");
    case(bent(&critical("2.5.29.35")), FULL, "a critical authority key identifier");
    let entry = |e: Vec<u8>| bent(&move |c: &mut Crl| c.entry_extensions = vec![e.clone()]);
    case(entry(extension("1.2.3", true, &null())), "trust.crl-invalid", "an unknown critical extension of an entry");
    case(entry(extension("1.2.3", false, &null())), FULL, "an unknown extension of an entry");
    case(entry(null()), "trust.crl-invalid", "an entry's extension that is none");
    case(bent(&|c| c.version = Some(0)), "trust.crl-invalid", "version 0");
    case(bent(&|c| c.version = None), "trust.crl-invalid", "extensions in version 1");
    case(bent(&|c| c.this_update = null()), "trust.crl-invalid", "without thisUpdate");
    let zeros = |c: &mut Crl| c.revoked = vec![[&[0; 3][..], &w.alice.spec.serial].concat()];
    case(bent(&zeros), "trust.crl-invalid", "the user, with zeros before the number");
    case(bent(&|c| c.revoked = vec![vec![]]), "trust.crl-invalid", "an entry without a number");
    let behind = |der: Vec<u8>| with([der, null()].concat());
    case(behind(crl(&w.root, &[], |_| {})), "trust.crl-invalid", "something behind the list");
    let crlf = pem("X509 CRL", &crl(&w.root, &[], |_| {})).replace('\n', "\r\n");
    case(with(format!("text\n{crlf}").into_bytes()), FULL, "PEM with CRLF after some text");
    case(with(crlf.replace("X509 CRL", "CRL").into_bytes()), "trust.crl-invalid", "PEM by another name");
    let (first, second) = (crl(&w.root, &[], |_| {}), crl(&w.root, &[&w.alice], |c| c.this_update = time(NOW - HOUR)));
    let both = pem("X509 CRL", &first) + &pem("X509 CRL", &second);
    case(
        with(both.clone().into_bytes()),
        "trust.crl-invalid",
        "two lists in one file, the user on the newer one behind",
    );
    case(with(crlf.as_bytes()[..200].to_vec()), "trust.crl-invalid", "PEM that breaks off");
    case(with(vec![]), "trust.crl-invalid", "an empty file");
    let big_number = [vec![0], vec![0xff; 20]].concat();
    case(bent(&|c| c.revoked = vec![big_number.clone()]), FULL, "a number of 20 octets, somebody else's");

    site.put(&name, &crl(&w.root, &[&w.alice], |c| c.next_update = time(NOW - DAY)));
    site.put(&name.replace("r0", "r1"), &crl(&w.root, &[], |_| {}));
    case(verdict(&site, &good), "credential.revoked", "revoked by the older of two lists");
    site.put(&name, &crl(&w.root, &[], |c| c.next_update = time(NOW - DAY)));
    case(verdict(&site, &good), FULL, "an expired list beside a current one");
    site.put(
        &name.replace("r0", "r1"),
        &crl(&w.root, &[], |c| c.extensions.push(extension("2.5.29.27", true, &tlv(2, &[1])))),
    );
    site.put(&name, &crl(&w.root, &[], |_| {}));
    case(verdict(&site, &good), "trust.crl-invalid", "a delta beside a full list");
    site.put(&name.replace("r0", "r1"), b"garbage");
    case(verdict(&site, &good), FULL, "garbage beside a good list");
    site.put(&name.replace("r0", "r1"), both.as_bytes());
    case(verdict(&site, &good), "trust.crl-invalid", "two lists in one file, beside a good list");
    site.put(&name.replace("r0", "r1"), &second[..second.len() - 1]);
    case(verdict(&site, &good), "trust.crl-invalid", "one that is cut off, beside a good list");
    site.remove(&name.replace("r0", "r1"));

    site.put(&name, &crl(&w.root, &[&w.alice], |c| c.signer = key(whose::FAKE)));
    site.put(&name.replace("r0", "r1"), &crl(&w.root, &[], |_| {}));
    case(verdict(&site, &good), FULL, "of two, only the one that the CA signed counts");
    site.put(&name.replace("r0", "r1"), &crl(&w.root, &[&w.alice], |_| {}));
    case(verdict(&site, &good), "credential.revoked", "genuine and false list: revoked by the genuine one");
    site.remove(&name);
    case(verdict(&site, &good), "trust.crl-missing", "a list with the number 1 and none with 0");
    site.remove(&name.replace("r0", "r1"));
    case(verdict(&site, &good), "trust.crl-missing", "no list, but required");
    case(verdict_with(&site, &good, |c| c.crl = Presence::IfPresent), FULL, "no list, only judged where there is one");
    site.put(&name, &crl(&w.root, &[&w.alice], |_| {}));
    case(
        verdict_with(&site, &good, |c| c.crl = Presence::IfPresent),
        "credential.revoked",
        "a list, judged because there is one",
    );
    case(verdict_with(&site, &good, |c| c.crl = Presence::Off), FULL, "a list, not looked at");

    let mute = root(ROOT, key(whose::ROOT), |s| s.replace(KEY_USAGE, vec![key_usage(0x04)]));
    site.ca(&mute, &[]);
    case(verdict(&site, &good), "trust.crl-invalid", "a CA that may not sign CRLs");
}

pub fn a_crl_counts_for_the_certificates_that_it_speaks_for() {
    let w = World::new();
    let site = w.site();
    let place = |uri: &str| tlv(0xa0, &tlv(0xa0, &tlv(0x86, uri.as_bytes())));
    let points = |list: &[Vec<u8>]| extension("2.5.29.31", false, &seq(list));
    let (here, there) = ("http://ca.example.org/1.crl", "http://ca.example.org/2.crl");
    let pointing = |list: &[Vec<u8>]| {
        let alice = eec(ALICE, key(whose::ALICE), &w.root, |s| s.extensions.push(points(list)));
        file(&[&proxy(&alice, 1), &alice])
    };
    let plain = file(&[&proxy(&w.alice, 1), &w.alice]);
    let to_here = pointing(&[seq(&[place(here)])]);
    let to_both = pointing(&[seq(&[place(there)]), seq(&[place(here)])]);
    let for_reasons = pointing(&[seq(&[place(here), tlv(0x81, &[1, 0x40])])]);
    let of_another = pointing(&[seq(&[place(here), tlv(0xa2, &tlv(0xa4, &named("/CN=x")))])]);
    let name = format!("{}.r0", hash(&w.root.der));
    let other = format!("{}.r1", hash(&w.root.der));
    let scoped = |critical: bool, value: &[u8], revoked: &[&Cert]| {
        crl(&w.root, revoked, |c| c.extensions.push(extension("2.5.29.28", critical, value)))
    };
    let users = seq(&[tlv(0x81, &[0xff])]);
    let cas = seq(&[tlv(0x82, &[0xff])]);
    let with = |file: &[u8], value: &[u8], critical: bool| {
        site.put(&name, &scoped(critical, value, &[&w.bob]));
        verdict(&site, file)
    };
    let invalid = "trust.crl-invalid";
    case(with(&plain, &users, true), FULL, "for users only");
    case(with(&plain, &users, false), FULL, "for users only, not critical");
    case(with(&plain, &cas, true), invalid, "for CAs only");
    case(with(&plain, &cas, false), invalid, "for CAs only, not critical");
    let at = |uri: &str| seq(&[place(uri)]);
    case(with(&to_here, &at(here), true), FULL, "of the place that the user's certificate names");
    case(with(&to_here, &at(here), false), FULL, "of that place, not critical");
    case(with(&to_both, &at(here), true), FULL, "of one of two places that it names");
    case(with(&to_here, &at(there), true), invalid, "of another place");
    case(with(&to_here, &at(there), false), invalid, "of another place, not critical");
    case(with(&plain, &at(here), true), invalid, "of a place, and the user's certificate names none");
    case(with(&for_reasons, &at(here), true), invalid, "of a place that it names for some reasons");
    case(with(&of_another, &at(here), true), invalid, "of a place that it names for another issuer's list");
    let two_names = seq(&[tlv(0xa0, &tlv(0xa0, &[tlv(0x86, there.as_bytes()), tlv(0x86, here.as_bytes())].concat()))]);
    case(with(&to_here, &two_names, true), FULL, "of a place with two names");
    let relative = seq(&[tlv(0xa0, &tlv(0xa1, &attribute("CN", 0x0c, b"x")))]);
    case(with(&to_here, &relative, true), invalid, "of a place relative to the issuer");
    let users_here = seq(&[place(here), tlv(0x81, &[0xff])]);
    case(with(&to_here, &users_here, true), FULL, "for users only, of the place that is named");
    case(with(&plain, &seq(&[tlv(0x83, &[1, 0x40])]), true), invalid, "for some reasons only");
    case(with(&plain, &seq(&[tlv(0x83, &[1, 0x40])]), false), invalid, "for some reasons only, not critical");
    case(with(&plain, &seq(&[tlv(0x84, &[0xff])]), false), invalid, "indirect, not critical");
    case(with(&plain, &seq(&[tlv(0x85, &[0xff])]), true), invalid, "of attribute certificates");
    case(with(&plain, &seq(&[]), false), invalid, "for nobody in particular, not critical");
    case(with(&plain, &seq(&[tlv(0x81, &[0x01])]), true), invalid, "for users only, by a boolean of 1");
    let bent = |bend: &dyn Fn(&mut Crl)| {
        site.put(&name, &crl(&w.root, &[&w.bob], |c| bend(c)));
        verdict(&site, &plain)
    };
    let twice = |c: &mut Crl| c.extensions.extend([&users, &cas].map(|value| extension("2.5.29.28", true, value)));
    case(bent(&twice), invalid, "for users only and for CAs only");
    let delta = |c: &mut Crl| c.extensions.push(extension("2.5.29.27", false, &tlv(2, &[1])));
    case(bent(&delta), invalid, "a delta, not critical");
    let foreign = seq(&[tlv(0xa4, &named("/CN=x"))]);
    let entry = |c: &mut Crl| c.entry_extensions = vec![extension("2.5.29.29", false, &foreign)];
    case(bent(&entry), invalid, "an entry of another issuer, not critical");

    site.put(&name, &scoped(true, &cas, &[])).put(&other, &scoped(true, &users, &[&w.bob]));
    case(verdict(&site, &plain), FULL, "a list for CAs beside one for users");
    site.put(&other, &scoped(true, &users, &[&w.alice]));
    case(verdict(&site, &plain), "credential.revoked", "revoked by the one for users");
    let old = |c: &mut Crl| {
        c.extensions.push(extension("2.5.29.28", true, &users));
        c.next_update = time(NOW - 1);
    };
    site.put(&other, &crl(&w.root, &[], old));
    case(verdict(&site, &plain), "trust.crl-expired", "the one for users expired");

    let site = Site::empty();
    let alice = eec(ALICE, key(whose::ALICE), &w.sub, |_| {});
    let below = file(&[&proxy(&alice, 1), &alice]);
    site.ca(&w.root, &[]).ca(&w.sub, &[]).put(&name, &scoped(true, &cas, &[]));
    case(verdict(&site, &below), FULL, "for CAs only, and a CA is asked about");
    site.put(&name, &scoped(true, &users, &[]));
    case(verdict(&site, &below), invalid, "for users only, and a CA is asked about");
}

pub fn crls_are_asked_at_every_level() {
    let w = World::new();
    let site = Site::empty();
    let alice = eec(ALICE, key(whose::ALICE), &w.sub, |_| {});
    let good = file(&[&proxy(&alice, 1), &alice]);
    site.ca(&w.root, &[]).ca(&w.sub, &[]);
    case(verdict(&site, &good), FULL, "a list at every level");
    site.ca(&w.root, &[&w.sub]);
    case(verdict(&site, &good), "credential.revoked", "a revoked CA");
    site.ca(&w.root, &[]).remove(&format!("{}.r0", hash(&w.root.der)));
    case(verdict(&site, &good), "trust.crl-missing", "the anchor's list");
    site.ca(&w.root, &[]).ca(&w.sub, &[&alice]);
    case(verdict(&site, &good), "credential.revoked", "the user, by a CA below the anchor");
    site.ca(&w.sub, &[&proxy(&alice, 1)]);
    case(verdict(&site, &good), "credential.revoked", "the proxy's number on the list of the user's CA");
    site.ca(&w.sub, &[]).ca(&w.root, &[&alice]);
    case(verdict(&site, &good), FULL, "the user's number on the list of another CA");
    site.ca(&w.root, &[&w.root]);
    case(verdict(&site, &good), FULL, "the anchor's own number on its list");
    site.ca(&w.root, &[])
        .put(&format!("{}.r0", hash(&w.sub.der)), &crl(&w.sub, &[], |c| c.next_update = time(NOW - 1)));
    case(verdict(&site, &good), "trust.crl-expired", "a list of a CA below the anchor that expired");
    site.put(&format!("{}.r0", hash(&w.sub.der)), &crl(&w.sub, &[], |c| c.signer = w.root.key));
    case(verdict(&site, &good), "trust.crl-invalid", "a CA's list that its issuer signed");
    site.ca(&w.sub, &[]);
    let (p1, bob) = (limited(&alice, 1), eec("/DC=org/DC=example/CN=Bob", key(whose::BOB), &w.sub, |_| {}));
    case(verdict(&site, &file(&[&limited(&p1, 2), &p1, &alice])), LIMITED_ALICE, "two proxies and a sub CA");
    site.ca(&w.sub, &[&p1]);
    case(verdict(&site, &file(&[&limited(&p1, 2), &p1, &alice])), "credential.revoked", "the proxy in the middle");
    case(verdict(&site, &file(&[&bob])), "/DC=org/DC=example/CN=Bob EndEntity", "another user of that CA");
}

pub fn signing_policies_bind_every_ca() {
    let w = World::new();
    let site = Site::empty();
    let alice = eec(ALICE, key(whose::ALICE), &w.sub, |_| {});
    let good = file(&[&proxy(&alice, 1), &alice]);
    site.ca(&w.root, &[]).ca(&w.sub, &[]);
    let file_of = |ca: &Cert, suffix: &str| format!("{}.{suffix}", hash(&ca.der));
    case(verdict(&site, &good), FULL, "a policy at every level");
    site.policy(&w.sub, "/DC=org/DC=other/*");
    case(verdict(&site, &good), "credential.signing-policy", "the user");
    site.policy(&w.sub, "/DC=org/DC=example/*").policy(&w.root, "/DC=org/DC=example/CN=Root*");
    case(verdict(&site, &good), "credential.signing-policy", "the CA");
    site.policy(&w.root, "/DC=org/DC=example/CN=Sub CA");
    case(verdict(&site, &good), FULL, "the root is for CAs only");
    site.put(&file_of(&w.sub, "signing_policy"), b"nonsense\n");
    case(verdict(&site, &good), "trust.signing-policy-malformed", "a signing policy that cannot be read");
    site.remove(&file_of(&w.sub, "signing_policy"));
    case(verdict(&site, &good), "trust.signing-policy-missing", "no policy, but required");
    case(
        verdict_with(&site, &good, |c| c.signing_policy = Presence::IfPresent),
        FULL,
        "no policy, only judged where there is one",
    );
    let namespaces = |text: &str| {
        site.put(&file_of(&w.sub, "namespaces"), text.as_bytes());
        verdict(&site, &good)
    };
    case(namespaces("TO Issuer SELF PERMIT Subject \"/DC=org/DC=example/.*\"\n"), FULL, "the other form alone");
    case(
        namespaces("TO Issuer SELF PERMIT Subject \"/DC=org/DC=other/.*\"\n"),
        "credential.signing-policy",
        "namespaces for other names",
    );
    case(namespaces("TO Issuer \"/CN=x\" PERMIT Subject \".*\"\n"), "trust.signing-policy-missing", "of another CA");
    case(
        namespaces("TO Issuer SELF PERMIT Subject \"(\"\n"),
        "trust.signing-policy-malformed",
        "namespaces that cannot be read",
    );
    site.policy(&w.sub, "*");
    let denying = namespaces("TO Issuer SELF PERMIT Subject \".*\"\nTO Issuer SELF DENY Subject \".*Alice\"\n");
    case(denying, "credential.signing-policy", "both must permit");
    site.remove(&file_of(&w.sub, "namespaces")).remove(&file_of(&w.sub, "signing_policy"));
    let eacl = |ca: &str, pattern: &str| {
        format!("access_id_CA X509 '{ca}'\npos_rights globus CA:sign\ncond_subjects globus '\"{pattern}\"'\n")
    };
    let (sub, users) = ("/DC=org/DC=example/CN=Sub CA", "/DC=org/DC=example/CN=A*");
    let by_root = |pattern: &str| {
        site.put(&file_of(&w.root, "signing_policy"), (eacl(ROOT, sub) + &eacl(sub, pattern)).as_bytes());
        verdict(&site, &good)
    };
    case(by_root(users), FULL, "the root's file speaks of the CA below it");
    let surveyed = || glexec_verify::trust::survey::survey(&site.trust(), &Credentials::default(), NOW).unwrap();
    assert!(
        surveyed().into_iter().all(|ca| ca.unwrap().faults.is_empty()),
        "whoever looks after the site hears no alarm"
    );
    case(by_root("/DC=org/DC=other/*"), "credential.signing-policy", "the root's file says no for the CA below it");
    case(
        verdict_with(&site, &good, |c| c.signing_policy = Presence::IfPresent),
        "credential.signing-policy",
        "the root's file says no, judged because it is there",
    );
    site.policy(&w.sub, users);
    case(verdict(&site, &good), FULL, "the root's file says no, the CA's own yes: its own counts");
    site.policy(&w.sub, "/DC=org/DC=other/*");
    case(by_root(users), "credential.signing-policy", "the root's file says yes, the CA's own no");
    site.put(&file_of(&w.sub, "signing_policy"), eacl("/CN=another", "*").as_bytes());
    case(by_root(users), FULL, "the CA's own file names another CA, the root's this one");
    site.remove(&file_of(&w.sub, "signing_policy"));
    let spaces_of_root = |text: &str| {
        site.put(&file_of(&w.root, "namespaces"), text.as_bytes());
        verdict(&site, &good)
    };
    site.put(&file_of(&w.root, "signing_policy"), eacl(ROOT, sub).as_bytes());
    case(
        spaces_of_root("TO Issuer SELF PERMIT Subject \".*\"\n"),
        "trust.signing-policy-missing",
        "SELF is the root alone",
    );
    let permits = format!("TO Issuer SELF PERMIT Subject \".*\"\nTO Issuer \"{sub}\" \\\n  PERMIT Subject \".*\"\n");
    case(spaces_of_root(&permits), FULL, "the root's namespaces speak of the CA below it");
    let denies = permits.clone() + &format!("TO Issuer \"{sub}\" DENY Subject \".*Alice\"\n");
    case(spaces_of_root(&denies), "credential.signing-policy", "the root's namespaces deny a user of the CA below it");
    site.remove(&file_of(&w.root, "namespaces"));
    case(verdict(&site, &good), "trust.signing-policy-missing", "neither file speaks of the CA");
    site.policy(&w.sub, "*").policy(&w.root, "*");
    site.put(&file_of(&w.sub, "namespaces"), b"TO Issuer SELF DENY Subject \".*Alice\"\n");
    case(verdict_with(&site, &good, |c| c.signing_policy = Presence::Off), FULL, "both deny, but policies are off");
}

pub fn of_several_cas_with_one_hash_the_one_with_the_right_key_is_found() {
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
    case(verdict(&site, &good), FULL, "the third of three CAs");
    site.put(&format!("{hash}.r2"), &crl(&w.root, &[&w.alice], |_| {}));
    case(verdict(&site, &good), "credential.revoked", "revoked by the third of three lists");
    site.put(&format!("{hash}.1"), b"garbage");
    case(verdict(&site, &good), "trust.ca-malformed", "a CA file that is none");
    for number in 0..16 {
        site.put(&format!("{hash}.{number}"), &other_name.der);
    }
    site.put(&format!("{hash}.16"), &w.root.der);
    case(verdict(&site, &good), "credential.unknown-ca", "behind sixteen others");
    site.put(&format!("{hash}.15"), &w.root.der).put(&format!("{hash}.r2"), &crl(&w.root, &[], |_| {}));
    case(verdict(&site, &good), FULL, "the sixteenth");
}

pub fn names_are_equal_whatever_string_type_carries_them() {
    let w = World::new();
    let site = Site::empty();
    let good = file(&[&proxy(&w.alice, 1), &w.alice]);
    site.ca(&w.root, &[]).lsc("testvo", LSC);
    // The same key and the same hash do not make a CA of another name the issuer.
    let renamed = root("/DC=org/DC=example/CN=Other", key(whose::ROOT), |_| {});
    site.put(&format!("{}.0", hash(&w.root.der)), &renamed.der);
    case(verdict(&site, &good), "credential.unknown-ca", "a CA of another name in the place of the issuer");
    site.ca(&w.root, &[]);
    let written = |tag: u8, common_name: &str| {
        let wide: Vec<u8> = common_name.bytes().flat_map(|b| [0, b]).collect();
        let value = if tag == 0x1e { wide } else { common_name.as_bytes().to_vec() };
        let dc = |value: &str| rdn(&[attribute("DC", 0x16, value.as_bytes())]);
        seq(&[dc("org"), dc("example"), rdn(&[attribute("CN", tag, &value)])])
    };
    for (kind, tag) in [("a PrintableString", 0x13), ("a T61String", 0x14), ("a BMPString", 0x1e)] {
        let (alice_s, root_s) = (written(tag, "Alice"), written(tag, "Root CA"));
        let alice = eec(ALICE, key(whose::ALICE), &w.root, |s| s.subject = alice_s.clone());
        let copied = below(&alice, 1, |s| s.subject = extend(&w.alice.spec.subject, "1"));
        case(verdict(&site, &file(&[&copied, &alice])), FULL, format!("the user's name as {kind}, the copy as UTF-8"));
        let leaf = below(&w.alice, 1, |s| (s.subject, s.issuer) = (extend(&alice_s, "1"), alice_s.clone()));
        case(verdict(&site, &file(&[&leaf, &w.alice])), FULL, format!("issuer and copied name as {kind}"));
        let by_root = eec(ALICE, key(whose::ALICE), &w.root, |s| s.issuer = root_s.clone());
        case(verdict(&site, &file(&[&by_root])), BARE, format!("the CA's name as {kind}"));
        let list = crl(&w.root, &[&w.alice], |c| c.issuer = root_s.clone());
        site.put(&format!("{}.r0", hash(&w.root.der)), &list);
        case(verdict(&site, &good), "credential.revoked", format!("a CRL with the CA's name as {kind}"));
        site.ca(&w.root, &[]);
        let attributes = ac(&w.alice, &w.server, &["/testvo/Role=pilot", "/testvo"], |a| {
            a.issuer = written(tag, "voms.example.org");
            a.holder_issuer = root_s.clone();
        });
        let with = file(&[&voms_proxy(&w.alice, 1, &[attributes]), &w.alice]);
        case(verdict(&site, &with), &format!("{FULL}{PILOT}"), format!("attributes with the names as {kind}"));
    }
    let capitals = below(&w.alice, 1, |s| s.issuer = name("/DC=org/DC=example/CN=ALICE"));
    case(verdict(&site, &file(&[&capitals, &w.alice])), "credential.incomplete", "the issuer's name in capitals");
    let capitals = eec(ALICE, key(whose::ALICE), &w.root, |s| s.issuer = name("/DC=org/DC=example/CN=ROOT CA"));
    case(verdict(&site, &file(&[&capitals])), "credential.unknown-ca", "the CA's name in capitals");
}

#[test]
fn the_ca_that_is_named_as_unknown_is_not_one_that_the_site_has() {
    let w = World::new();
    let site = w.site();
    let said = |issuer: &str| {
        let alice = eec(ALICE, key(whose::ALICE), &w.root, |s| s.issuer = name(issuer));
        ask(&site, &user(&file(&[&alice])), defaults).unwrap_err().sentence().to_owned()
    };
    let unknown = said("/DC=org/DC=example/CN=Other CA");
    assert!(unknown.contains("CN=Other CA, which is not one of the site's"), "{unknown}");
    let alike = said("/DC=org/DC=example/CN=ROOT CA");
    assert!(alike.ends_with("by /DC=org/DC=example/CN=ROOT CA; the site has /DC=org/DC=example/CN=Root CA, which differs in case or blanks"), "{alike}");
}

#[test]
fn what_is_wrong_with_a_crl_names_its_file() {
    let w = World::new();
    let site = w.site();
    let good = file(&[&proxy(&w.alice, 1), &w.alice]);
    let (first, second) = (format!("{}.r0", hash(&w.root.der)), format!("{}.r1", hash(&w.root.der)));
    let detail = |bytes: &[u8]| {
        site.put(&second, bytes);
        let refusal = ask(&site, &user(&good), defaults).unwrap_err();
        let surveyed = glexec_verify::trust::survey::survey(&site.trust(), &Credentials::default(), NOW).unwrap();
        let faults = surveyed.into_iter().flat_map(|ca| ca.unwrap().faults).collect::<Vec<_>>();
        assert!(
            faults.iter().any(|fault| fault.clone().refusal().for_log() == refusal.for_log()),
            "check says the same: {faults:?}"
        );
        refusal.for_log()
    };
    let genuine = |bend: &dyn Fn(&mut Crl)| crl(&w.root, &[], |c| bend(c));
    let delta = genuine(&|c| c.extensions.push(extension("2.5.29.27", true, &tlv(2, &[1]))));
    let cut = |bytes: &[u8]| bytes[..bytes.len() - 9].to_vec();
    for (bytes, why) in [(delta, "it is a delta CRL"), (cut(&genuine(&|_| {})), "")] {
        let said = detail(&bytes);
        assert!(said.contains(&format!("{second}: {why}")), "{said}");
    }
    site.remove(&first);
    site.put(&first, b"");
    site.put(&second, b"");
    let said = detail(b"");
    assert!(
        said.contains(&format!("{second}: it is empty")) || said.contains(&format!("{first}: it is empty")),
        "{said}"
    );
    let nonsense = detail(b"nonsense");
    assert!(nonsense.contains(&format!("{second}: it has no such PEM block")), "{nonsense}");
    site.put(&first, &genuine(&|c| c.next_update = time(NOW - DAY)));
    site.remove(&second);
    let expired = ask(&site, &user(&good), defaults).unwrap_err();
    assert!(expired.reason().code() == "trust.crl-expired" && expired.for_log().contains(&first), "{expired:?}");
    site.put(&first, &genuine(&|c| c.this_update = time(NOW + DAY)));
    let future = ask(&site, &user(&good), defaults).unwrap_err();
    assert!(future.for_log().contains(&format!("{first}: its thisUpdate is in the future")), "{future:?}");
}

pub fn name_constraints_bind_alternative_names_too() {
    let w = World::new();
    let site = w.site();
    let directory = |text: &str| tlv(0xa4, &name(text));
    let tree = |n: u8, bases: &[Vec<u8>]| {
        let trees: Vec<u8> = bases.iter().flat_map(|base| seq(&[base.clone()])).collect();
        tlv(0xa0 | n, &trees)
    };
    let said = |constraints: &[Vec<u8>], subject: Vec<u8>, names: Option<Vec<u8>>| {
        let sub = sub("/DC=org/DC=example/CN=Sub CA", key(whose::SUB), &w.root, |s| {
            s.extensions = vec![ca_true(None), key_usage(6), extension(NAME_CONSTRAINTS, true, &seq(constraints))];
        });
        site.put(&format!("{}.r0", hash(&sub.der)), &crl(&sub, &[], |_| {})).policy(&sub, "*");
        let alice = eec(ALICE, key(whose::ALICE), &sub, |s| {
            s.subject = subject.clone();
            s.extensions.extend(names.iter().map(|names| extension("2.5.29.17", false, names)));
        });
        verdict(&site, &file(&[&proxy(&alice, 1), &alice, &sub]))
    };
    let alice = || name(ALICE);
    let (refused, unjudged) = ("credential.ca-rules", "credential.unknown-extension");
    let permitted = [tree(0, &[directory("/DC=org/DC=example")])];
    let excluded = [tree(1, &[directory("/DC=org/DC=example/CN=Bob")])];
    let beside = |text: &str| Some(seq(&[directory(text)]));
    for (what, constraints, names, expected) in [
        ("a permitted name beside the subject", &permitted[..], beside("/DC=org/DC=example/CN=Other"), FULL),
        ("a name beside the subject that is not permitted", &permitted, beside("/C=XX/CN=Other"), refused),
        ("an excluded name beside the subject", &excluded, beside("/DC=org/DC=example/CN=BOB"), refused),
        ("a name below an excluded one", &excluded, beside("/DC=org/DC=example/CN=Bob/CN=x"), refused),
        ("a name beside the subject that is not excluded", &excluded, beside("/C=XX/CN=Other"), FULL),
        ("an empty name beside the subject", &permitted, Some(seq(&[tlv(0xa4, &seq(&[]))])), refused),
        (
            "the second of two names beside the subject",
            &permitted,
            Some(seq(&[directory("/DC=org/DC=example/CN=x"), directory("/C=XX")])),
            refused,
        ),
        ("a DNS name where directory names are bound", &permitted, Some(seq(&[tlv(0x82, b"a.org")])), FULL),
        ("alternative names that are none", &permitted, Some(null()), "credential.malformed"),
        (
            "a name beside the subject that is none",
            &permitted,
            Some(seq(&[tlv(0xa4, &null())])),
            "credential.malformed",
        ),
    ] {
        case(said(constraints, alice(), names), expected, what);
    }
    for (form, tag, value) in [
        ("mail", 0x81, &b"a@b.org"[..]),
        ("DNS", 0x82, b"a.org"),
        ("URI", 0x86, b"http://a.org"),
        ("address", 0x87, &[1; 4]),
    ] {
        let base = if tag == 0x87 { [1, 1, 1, 1, 255, 255, 255, 255].to_vec() } else { b"b.org".to_vec() };
        for (kind, number) in [("permitted", 0), ("excluded", 1)] {
            let constraints = [tree(number, &[tlv(tag, &base)])];
            case(said(&constraints, alice(), None), FULL, format!("{kind} {form} names, and none is there"));
            let of_form = Some(seq(&[tlv(tag, value)]));
            case(said(&constraints, alice(), of_form), unjudged, format!("{kind} {form} names, and one is there"));
        }
    }
    let mail = [tree(1, &[tlv(0x81, b"b.org")])];
    let subject = name("/DC=org/DC=example/CN=Alice/emailAddress=a@b.org");
    case(said(&mail, subject, None), unjudged, "excluded mail names, and one is in the subject");
    let numbers = |tag: u8| seq(&[rdn(&[attribute("DC", 0x16, b"org")]), rdn(&[attribute("2.5.4.5", tag, b"12")])]);
    let numeric = [tree(1, &[tlv(0xa4, &numbers(0x12))])];
    case(said(&numeric, numbers(0x13), None), refused, "an excluded name in another string type");
    let umlaut = [tree(1, &[directory("/O=Ämter")])];
    case(said(&umlaut, name("/O=ämter/CN=x"), None), refused, "an excluded name in other case, beyond ASCII");
}

pub fn the_directory_is_found_by_the_old_hash_too() {
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
    case(verdict(&site, &good), FULL, "everything under the old hash");
    let printable = seq(&[
        rdn(&[attribute("DC", 0x16, b"org")]),
        rdn(&[attribute("DC", 0x16, b"example")]),
        rdn(&[attribute("CN", 0x13, b"Root CA")]),
    ]);
    let rewritten = eec(ALICE, key(whose::ALICE), &w.root, |s| s.issuer = printable.clone());
    case(verdict(&site, &file(&[&rewritten])), BARE, "the CA's name as a PrintableString, its hash as of UTF-8");
}

pub fn openssl_agrees_on_the_hash_of_every_kind_of_name() {
    let strange = seq(&[
        rdn(&[attribute("DC", 0x16, b"ORG")]),
        rdn(&[attribute("O", 0x13, b"  Two   Words ")]),
        rdn(&[attribute("OU", 0x14, b"J\xfcrgen")]),
        rdn(&[attribute("CN", 0x13, b"a"), attribute("UID", 0x0c, b"B")]),
        rdn(&[attribute("CN", 0x1e, b"\x00\xdc\x00b")]),
    ]);
    for (subject, title) in [
        (strange, "every string type, spaces, capitals"),
        (name("/C=IT/O=INFN/CN=host//Foo"), "a slash in a value"),
        (name("/CN=ÄÖ"), "beyond ASCII"),
    ] {
        let ca = root(ROOT, key(whose::ROOT), |s| {
            s.subject = subject.clone();
            s.issuer = subject.clone();
        });
        let alice = eec(ALICE, key(whose::ALICE), &ca, |_| {});
        let site = Site::empty();
        site.put(&format!("{}.0", hash(&ca.der)), &ca.der);
        let good = file(&[&proxy(&alice, 1), &alice]);
        let off = |c: &mut Credentials| (c.crl, c.signing_policy) = (Presence::Off, Presence::Off);
        case(verdict_with(&site, &good, off), FULL, format!("the hash of {title}"));
    }
}

pub fn what_others_can_write_is_not_trusted() {
    use std::os::unix::fs::PermissionsExt;
    let w = World::new();
    let site = w.site();
    let good = file(&[&proxy(&w.alice, 1), &w.alice]);
    for suffix in ["0", "r0", "signing_policy"] {
        let path = site.certificates().join(format!("{}.{suffix}", hash(&w.root.der)));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        case(verdict(&site, &good), "trust.insecure-permissions", format!("others can write HASH.{suffix}"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    case(verdict(&site, &good), FULL, "after the permissions are fixed");
}

pub fn a_ca_may_have_quotes_in_its_name() {
    let w = World::new();
    let suffix = |ca: &Cert| format!("{}.signing_policy", hash(&ca.der));
    let eacl = |ca: &str, pattern: &str| {
        format!("access_id_CA X509 {ca}\npos_rights globus CA:sign\ncond_subjects globus {pattern}\n")
    };
    let called = |subject: &str, policy: &str| {
        let ca = root(subject, key(whose::ROOT), |_| {});
        let (organization, _) = subject.rsplit_once('/').unwrap();
        let user = eec(&format!("{organization}/CN=Alice"), key(whose::ALICE), &ca, |_| {});
        let site = Site::empty();
        site.ca(&ca, &[]).put(&suffix(&ca), policy.as_bytes());
        let faults = glexec_verify::trust::survey::survey(&site.trust(), &Credentials::default(), NOW).unwrap();
        let said = verdict(&site, &file(&[&proxy(&user, 1), &user]));
        let is_well = faults.iter().all(|ca| ca.as_ref().is_ok_and(|ca| ca.faults.is_empty()));
        assert_eq!(is_well, said != "trust.signing-policy-malformed", "check says what calls say");
        said
    };
    let encrypt = "/C=US/O=Let's Encrypt/CN=R3";
    let alice = "/C=US/O=Let's Encrypt/CN=Alice FullProxy";
    let shipped = eacl(r"'/C=US/O=Let\'s Encrypt/CN=R3'", r#"'"/C=US/O=Let\'s Encrypt/*" "/DC=org/*"'"#);
    case(called(encrypt, &shipped), alice, "an apostrophe, with a backslash before it");
    case(called(encrypt, &shipped.replace("\"'\n", "\" \"/DC=com/*\"'\n")), alice, "and with another pattern");
    let double = eacl("\"/C=US/O=Let's Encrypt/CN=R3\"", "\"/C=US/O=Let's Encrypt/*\"");
    case(called(encrypt, &double), alice, "an apostrophe in double quotes");
    let of_others = eacl(r"'/C=US/O=Let\'s Encrypt/CN=R3'", r#"'"/C=US/O=Let\'s Go/*"'"#);
    case(called(encrypt, &of_others), "credential.signing-policy", "an apostrophe, and names of others");
    let bare = shipped.replace('\\', "");
    case(called(encrypt, &bare), "trust.signing-policy-malformed", "an apostrophe without a backslash");
    let quoted = eacl(r#"'/O=The "Grid" CA/CN=1'"#, r#"'"/O=The \"Grid\" CA/*"'"#);
    case(called("/O=The \"Grid\" CA/CN=1", &quoted), "/O=The \"Grid\" CA/CN=Alice FullProxy", "double quotes");

    let ca = root(encrypt, key(whose::SUB), |_| {});
    let server = eec("/C=US/O=Let's Encrypt/CN=voms.example.org", key(whose::VOMS), &ca, |_| {});
    let site = w.site();
    site.ca(&ca, &[]).put(&suffix(&ca), shipped.as_bytes());
    site.lsc("testvo", &format!("/C=US/O=Let's Encrypt/CN=voms.example.org\n{encrypt}\n"));
    let attributes = ac(&w.alice, &server, &["/testvo/Role=pilot", "/testvo"], |_| {});
    let with = file(&[&voms_proxy(&w.alice, 1, &[attributes]), &w.alice]);
    case(verdict(&site, &with), &format!("{FULL}{PILOT}"), "a VOMS server below such a CA");
}

pub fn policies_are_written_in_many_ways() {
    let w = World::new();
    let site = w.site();
    let who = |subject: &str| {
        let cert = eec(subject, key(whose::ALICE), &w.root, |_| {});
        file(&[&proxy(&cert, 1), &cert])
    };
    let alice = who(ALICE);
    let (suffix, ns) = (format!("{}.signing_policy", hash(&w.root.der)), format!("{}.namespaces", hash(&w.root.der)));
    let head = format!("access_id_CA X509 '{ROOT}'\npos_rights globus CA:sign\n");
    let denied = "credential.signing-policy";
    let (silent, broken) = ("trust.signing-policy-missing", "trust.signing-policy-malformed");
    let any = "/DC=org/DC=example/*";
    for (name, text, expected) in [
        ("bare", format!("{head}cond_subjects globus {any}\n"), FULL),
        ("one pair of quotes", format!("{head}cond_subjects globus '{any}'\n"), FULL),
        ("double quotes", format!("{head}cond_subjects globus \"{any}\"\n"), FULL),
        ("two patterns", format!("{head}cond_subjects globus '\"/C=x/*\" \"{any}\"'\n"), FULL),
        ("tabs, blank lines, comments", format!("# x\n\n{head}\tcond_subjects\tglobus\t'\"{any}\"'\n#y"), FULL),
        ("CRLF", format!("{head}cond_subjects globus '\"{any}\"'\n").replace('\n', "\r\n"), FULL),
        ("two conditions", format!("{head}cond_subjects globus '/C=x'\ncond_subjects globus '{any}'\n"), FULL),
        ("a question mark", format!("{head}cond_subjects globus '/DC=org/DC=example/CN=Alic?'\n"), FULL),
        ("a pattern in other case", format!("{head}cond_subjects globus '/DC=ORG/*'\n"), denied),
        ("a pattern that ends too soon", format!("{head}cond_subjects globus '/DC=org'\n"), denied),
        ("no condition", head.clone(), denied),
        ("no right", format!("access_id_CA X509 '{ROOT}'\ncond_subjects globus '*'\n"), denied),
        ("another CA", format!("{head}cond_subjects globus '*'\n").replace("Root", "Toot"), silent),
        ("an empty file", String::new(), silent),
        ("a right that is denied", format!("{head}neg_rights globus CA:sign\n"), broken),
        ("a condition before any CA", "cond_subjects globus '*'\n".into(), broken),
        ("a quote that is not closed", format!("{head}cond_subjects globus '*\n"), broken),
        ("binary", "\u{0}\u{1}\n".into(), broken),
        ("a CA that is not of X509", format!("{head}cond_subjects globus '*'\n").replace("X509 ", ""), broken),
        ("two values that are not in one", format!("{head}cond_subjects globus '\"/C=x/*\"' '\"{any}\"'\n"), broken),
        ("two double quotes in a row", format!("{head}cond_subjects globus \"{any}\"\"CN=x\"\n"), broken),
        (
            "several CAs, this one last",
            format!("{head}cond_subjects globus '*'\n").replace("Root", "Toot") + &head + "cond_subjects globus '*'\n",
            FULL,
        ),
        (
            "several CAs, the user's names at another's",
            format!("{head}cond_subjects globus '*'\n").replace("Root", "Toot")
                + &head
                + "cond_subjects globus '/C=x'\n",
            denied,
        ),
    ] {
        site.put(&suffix, text.as_bytes());
        case(verdict(&site, &alice), expected, format!("signing policy: {name}"));
    }
    site.put(&suffix, b"\xff\xfe");
    case(verdict(&site, &alice), broken, "signing policy: not UTF-8");
    let mail = who("/DC=org/DC=example/CN=A/emailAddress=a@b");
    for spelling in ["emailAddress", "Email", "E"] {
        site.put(&suffix, format!("{head}cond_subjects globus '/DC=org/DC=example/CN=A/{spelling}=*'\n").as_bytes());
        let expected = "/DC=org/DC=example/CN=A/emailAddress=a@b FullProxy";
        case(verdict(&site, &mail), expected, format!("signing policy: {spelling}"));
    }
    let user = who("/DC=org/DC=example/UID=u");
    for spelling in ["UID", "USERID"] {
        site.put(&suffix, format!("{head}cond_subjects globus '/DC=org/DC=example/{spelling}=*'\n").as_bytes());
        case(verdict(&site, &user), "/DC=org/DC=example/UID=u FullProxy", format!("signing policy: {spelling}"));
    }
    let umlaut = who("/DC=org/DC=example/CN=Jürgen");
    for (name, text) in [("UTF-8", "Jürgen"), ("bytes in hexadecimal", "J\\xC3\\xBCrgen")] {
        site.put(&suffix, format!("{head}cond_subjects globus '/DC=org/DC=example/CN={text}'\n").as_bytes());
        let expected = "/DC=org/DC=example/CN=Jürgen FullProxy";
        case(verdict(&site, &umlaut), expected, format!("signing policy: {name}"));
    }
    let slash = who("/DC=org/DC=example/CN=Bob//CN=Alice");
    site.put(&suffix, format!("{head}cond_subjects globus '/DC=org/DC=example/CN=Bob/CN=*'\n").as_bytes());
    case(verdict(&site, &slash), denied, "signing policy: a slash in a value is not one between names");

    site.remove(&suffix);
    let to = |issuer: &str, what: &str, pattern: &str| format!("TO Issuer {issuer} {what} Subject \"{pattern}\"\n");
    let (named, all) = (format!("\"{ROOT}\""), "/DC=org/DC=example/.*");
    for (name, text, expected) in [
        ("by name", to(&named, "PERMIT", all), FULL),
        ("by itself", to("SELF", "PERMIT", all), FULL),
        ("on two lines", to(&named, "\\\n  PERMIT", all), FULL),
        (
            "in small letters",
            to("self", "permit", all).replace("TO Issuer", "to issuer").replace("Subject", "subject"),
            FULL,
        ),
        ("with a comment", format!("#NAMESPACES-VERSION: 1.0\n{}", to("SELF", "PERMIT", all)), FULL),
        ("a choice", to("SELF", "PERMIT", "/DC=org/DC=(other|example)/CN=[A-Z][a-z]+"), FULL),
        ("not the whole name", to("SELF", "PERMIT", "/DC=org"), denied),
        ("a denial after the permission", to("SELF", "PERMIT", all) + &to("SELF", "DENY", ".*Alice"), denied),
        ("a denial before the permission", to("SELF", "DENY", ".*Alice") + &to("SELF", "PERMIT", all), denied),
        ("a denial of others", to("SELF", "PERMIT", all) + &to("SELF", "DENY", ".*Bob"), FULL),
        ("a denial alone", to("SELF", "DENY", ".*Bob"), denied),
        ("another CA alone", to("\"/CN=x\"", "PERMIT", ".*"), silent),
        ("nothing", String::new(), silent),
        ("cut off", "TO Issuer SELF PERMIT Subject\n".into(), broken),
        ("an unknown word", to("SELF", "ALLOW", ".*"), broken),
        ("an expression that looks back", to("SELF", "PERMIT", "(.)\\1"), broken),
        ("an expression that looks ahead", to("SELF", "PERMIT", "(?=x).*"), broken),
        ("a comment behind a statement", to("SELF", "PERMIT", all).replace('\n', "#all\n"), FULL),
        ("a denial in a comment", to("SELF", "PERMIT", all) + "# " + &to("SELF", "DENY", ".*"), FULL),
        ("a line that breaks in a word", to("SELF", "PER\\\nMIT", all), FULL),
        ("an expression with a blank at its end", to("SELF", "PERMIT", "/DC=org/DC=example/.* "), FULL),
        ("a later version", format!("#NAMESPACES-VERSION: 2.0\n{}", to("SELF", "PERMIT", all)), broken),
        ("another CA's broken expression", to("SELF", "PERMIT", all) + &to("\"/CN=x\"", "PERMIT", "["), broken),
    ] {
        site.put(&ns, text.as_bytes());
        case(verdict(&site, &alice), expected, format!("namespaces: {name}"));
    }
}
