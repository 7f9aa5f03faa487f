//! Proxies of three generations: rules, limits, and whose they are.

use super::*;

pub fn proxies_of_rfc_3820_stand_for_their_user() {
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
    assert_eq!(answer.user.issuer().unwrap().as_str(), ROOT);
    assert_eq!(answer.user.serial().unwrap().as_str(), "31");
    assert_eq!(answer.user.not_after, NOW + 12 * HOUR, "the earliest end of the chain");
    assert_eq!(answer.pilot, None);
}

pub fn a_proxy_that_breaks_rfc_3820_is_refused_by_the_rule() {
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
    let full_again = proxy(&limited_once, 2);
    let one = below(&w.alice, 1, |s| s.replace(PROXY_INFO, vec![proxy_info(Some(1), INHERIT_ALL)]));
    let under_one = proxy(&one, 2);
    let wider = below(&one, 2, |s| s.replace(PROXY_INFO, vec![proxy_info(Some(9), INHERIT_ALL)]));
    let deep = |count: usize| {
        let mut chain = vec![w.alice.clone()];
        for number in 0..count {
            chain.push(proxy(&chain[number], 1 + number));
        }
        chain
    };
    let own_issuer = below(&w.alice, 1, |s| {
        s.issuer = s.subject.clone();
        s.subject = extend(&s.subject, "2");
    });
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
            ("the name in another string type", subject(printable), FULL),
            ("the name in capitals", subject(name("/DC=org/DC=example/CN=ALICE/CN=1")), "credential.proxy-subject"),
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
            (
                "GT3 and critical, and RFC, both",
                bent(&|s| s.extensions.push(gt3_info(None, LIMITED))),
                "credential.proxy-info",
            ),
            ("name constraints", with(extension(NAME_CONSTRAINTS, false, &seq(&[]))), "credential.proxy-extension"),
            (
                "a critical subject alternative name",
                with(extension("2.5.29.17", true, &alt)),
                "credential.proxy-extension",
            ),
            (
                "CA flag without critical",
                with(extension(BASIC_CONSTRAINTS, false, &seq(&[boolean(0xff)]))),
                "credential.proxy-extension",
            ),
            ("CA:FALSE", with(extension(BASIC_CONSTRAINTS, true, &seq(&[]))), FULL),
            ("key usage without digitalSignature", file(&[&proxy_cannot_sign, &w.alice]), "credential.proxy-key-usage"),
            ("cRLSign alone", bent(&|s| s.replace(KEY_USAGE, vec![key_usage(0x82)])), FULL),
            (
                "a path length of 2^64",
                info(seq(&[tlv(2, &[1, 0, 0, 0, 0, 0, 0, 0, 0]), seq(&[oid(INHERIT_ALL)])])),
                FULL,
            ),
            (
                "a path length with zeros in front",
                info(seq(&[tlv(2, &[0, 1]), seq(&[oid(INHERIT_ALL)])])),
                "credential.proxy-info",
            ),
            ("a policy without language", info(seq(&[seq(&[])])), "credential.proxy-info"),
            ("proxyCertInfo that is a number", info(tlv(2, &[1])), "credential.proxy-info"),
            ("proxyCertInfo of nothing", info(vec![]), "credential.proxy-info"),
            (
                "the GT3 draft's order under RFC 3820's number",
                info(seq(&[seq(&[oid(INHERIT_ALL)]), tlv(0xa1, &tlv(2, &[1]))])),
                "credential.proxy-info",
            ),
            (
                "a CN of the issuer's name, DC added",
                subject(extend_by(alice, &rdn(&[attribute("DC", 0x16, b"1")]))),
                "credential.proxy-subject",
            ),
            (
                "an email address added",
                subject(extend_by(alice, &rdn(&[attribute("emailAddress", 0x16, b"a@b")]))),
                "credential.proxy-subject",
            ),
            (
                "full below limited, limited below that",
                file(&[&limited(&full_again, 3), &full_again, &limited_once, &w.alice]),
                "credential.full-below-limited",
            ),
            (
                "path length 1 and two below",
                file(&[&proxy(&under_one, 3), &under_one, &one, &w.alice]),
                "credential.proxy-path-length",
            ),
            (
                "an inner path length longer than the outer's",
                file(&[&proxy(&wider, 3), &wider, &one, &w.alice]),
                "credential.proxy-path-length",
            ),
            ("eighteen proxies", file(&deep(18).iter().rev().collect::<Vec<_>>()), FULL),
            ("twenty proxies", file(&deep(20).iter().rev().collect::<Vec<_>>()), "credential.chain-too-long"),
            ("a proxy that issued itself", file(&[&own_issuer, &w.alice]), "credential.incomplete"),
            (
                "a proxy with the key of its issuer",
                file(&[
                    &Cert {
                        key: w.alice.key,
                        ..below(&w.alice, 1, |s| s.spki = w.alice.key.public_key_to_der().unwrap())
                    },
                    &w.alice,
                ]),
                FULL,
            ),
            ("a CA as user", file(&[&w.root]), "credential.ca-rules"),
        ],
        defaults,
    );
}

pub fn older_generations_pass_only_where_they_are_named_and_never_mixed() {
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
    let gt3_with = |info: Vec<u8>| below(&w.alice, 1, |s| s.replace(PROXY_INFO, vec![info]));
    let g_ca = below(&w.alice, 1, |s| s.replace(PROXY_INFO, vec![gt3_info(None, INHERIT_ALL), ca_true(None)]));
    let l_bent = |bend: &dyn Fn(&mut Spec)| {
        below(&w.alice, 1, |s| {
            s.extensions.clear();
            s.subject = extend(&w.alice.spec.subject, "proxy");
            bend(s);
        })
    };
    let l_v1 = l_bent(&|s| s.version = None);
    let l_ca = l_bent(&|s| s.extensions = vec![ca_true(None)]);
    let l_spoilt = l_bent(&|s| s.spoil_signature = true);
    let l_old = l_bent(&|s| s.lasts(NOW - DAY, NOW - HOUR));
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
            ("GT3, independent", file(&[&gt3_with(gt3_info(None, INDEPENDENT)), &w.alice]), "credential.proxy-policy"),
            (
                "GT3, unknown language",
                file(&[&gt3_with(gt3_info(None, "1.2.3.4")), &w.alice]),
                "credential.proxy-policy",
            ),
            (
                "GT3, malformed",
                file(&[&gt3_with(extension(PROXY_INFO_GT3, true, &null())), &w.alice]),
                "credential.proxy-info",
            ),
            (
                "GT3 full below limited",
                file(&[&gt3_below(&g_limited, 2), &g_limited, &w.alice]),
                pick(gt3_ok, "credential.full-below-limited"),
            ),
            ("RFC below GT3", file(&[&proxy(&g1, 2), &g1, &w.alice]), "credential.proxy-type"),
            ("legacy below GT3", file(&[&legacy(&g1, 2, "proxy"), &g1, &w.alice]), "credential.proxy-type"),
            ("GT3 below legacy", file(&[&gt3_below(&l1, 2), &l1, &w.alice]), "credential.proxy-type"),
            ("GT3 with CA flag", file(&[&g_ca, &w.alice]), pick(gt3_ok, "credential.proxy-extension")),
            (
                "legacy, three deep",
                file(&[&legacy(&l2, 3, "limited proxy"), &l2, &l1, &w.alice]),
                pick(legacy_ok, LIMITED_ALICE),
            ),
            ("legacy of version 1", file(&[&l_v1, &w.alice]), pick(legacy_ok, "credential.proxy-extension")),
            ("legacy with CA flag", file(&[&l_ca, &w.alice]), pick(legacy_ok, "credential.proxy-extension")),
            ("legacy, altered", file(&[&l_spoilt, &w.alice]), "credential.signature"),
            ("legacy, expired", file(&[&l_old, &w.alice]), pick(legacy_ok, "credential.expired")),
            ("legacy without the user's certificate", file(&[&l1]), "credential.incomplete"),
            ("legacy of legacy without the one between", file(&[&l2, &w.alice]), "credential.incomplete"),
            (
                "legacy of legacy without the user's certificate",
                file(&[&l2, &l1]),
                pick(legacy_ok, "credential.incomplete"),
            ),
            ("legacy named with a number", file(&[&legacy(&w.alice, 1, "1234567"), &w.alice]), "credential.ca-rules"),
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
    expect_as("none named: ", &site, rows(false, false), defaults);
    expect_as("legacy named: ", &site, rows(true, false), |policy| policy.proxy_types.push(ProxyType::Legacy));
    expect_as("GT3 named: ", &site, rows(false, true), |policy| policy.proxy_types.push(ProxyType::Gt3));
    expect_as("both named: ", &site, rows(true, true), |policy| {
        policy.proxy_types.extend([ProxyType::Gt3, ProxyType::Legacy])
    });
}

pub fn the_sites_rules_on_proxies_are_kept() {
    let w = World::new();
    let site = w.site();
    let full = file(&[&proxy(&w.alice, 1), &w.alice]);
    let lim = file(&[&limited(&w.alice, 1), &w.alice]);
    let bare = file(&[&w.alice]);
    let week = below(&w.alice, 1, |s| s.lasts(NOW - HOUR, NOW - HOUR + 7 * DAY));
    let longer = below(&w.alice, 1, |s| s.lasts(NOW - HOUR, NOW - HOUR + 7 * DAY + 1));
    let under = |file: &[u8], limited: LimitedProxy| verdict_with(&site, file, |p| p.limited_proxy = limited);
    case(
        under(&lim, LimitedProxy::Refuse),
        "credential.limited-refused",
        "a limited proxy where limited ones are refused",
    );
    case(under(&full, LimitedProxy::Refuse), FULL, "a full proxy where limited ones are refused");
    case(
        under(&full, LimitedProxy::Require),
        "credential.limited-required",
        "a full proxy where limited ones are required",
    );
    case(
        under(&bare, LimitedProxy::Require),
        "credential.limited-required",
        "a bare certificate where limited ones are required",
    );
    case(under(&lim, LimitedProxy::Require), LIMITED_ALICE, "a limited proxy where limited ones are required");
    let lifetime = |c: &mut Credentials| c.max_proxy_lifetime = Some(String::from("7d").try_into().unwrap());
    case(verdict_with(&site, &file(&[&week, &w.alice]), lifetime), FULL, "as long as it may last");
    case(verdict_with(&site, &file(&[&longer, &w.alice]), lifetime), "credential.lifetime", "a second longer");
    case(verdict_with(&site, &bare, lifetime), BARE, "certificates are no proxies");
    case(
        verdict_with(&site, &full, |c| c.max_chain = 1),
        "credential.chain-too-long",
        "two certificates where one is the most",
    );
}

pub fn a_purpose_counts_where_it_is_critical() {
    let w = World::new();
    let site = w.site();
    let with = |critical: bool, purpose: &str| {
        let alice = eec(ALICE, key(whose::ALICE), &w.root, |s| {
            s.extensions.push(extension("2.5.29.37", critical, &seq(&[oid("1.3.6.1.5.5.7.3.4"), oid(purpose)])));
        });
        verdict(&site, &file(&[&proxy(&alice, 1), &alice]))
    };
    case(with(true, "1.3.6.1.5.5.7.3.2"), FULL, "clientAuth");
    case(with(true, "2.5.29.37.0"), FULL, "any purpose");
    case(with(true, "1.3.6.1.5.5.7.3.1"), "credential.purpose", "serverAuth alone");
    case(with(false, "1.3.6.1.5.5.7.3.1"), FULL, "serverAuth alone, not critical");
}

pub fn source_and_pilot_are_judged_too() {
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
    case(line(&with(Some(&other), None, optional, required)), FULL, "the source of the same person");
    case(
        line(&with(Some(&bob), None, optional, required)),
        "credential.identity-mismatch",
        "the source of another person",
    );
    case(line(&with(Some(&spoilt), None, optional, required)), "credential.signature", "an altered source");
    case(
        line(&with(Some(&keyless), None, optional, required)),
        "credential.no-private-key",
        "the source without a key",
    );
    case(
        line(&with(Some(&keyless), None, optional, KeyRule::MayBeAbsent)),
        FULL,
        "the source without a key where that is allowed",
    );
    case(
        line(&with(None, Some(&keyless), optional, KeyRule::MayBeAbsent)),
        "credential.no-private-key",
        "the pilot without a key where the user may",
    );
    case(line(&with(None, Some(&spoilt), optional, required)), "credential.signature", "an altered pilot's proxy");
    let expired_pilot = file(&[&below(&w.bob, 1, |s| s.lasts(NOW - DAY, NOW - HOUR)), &w.bob]);
    let unknown = root("/DC=org/DC=example/CN=Unknown", key(whose::FAKE), |_| {});
    let stranger = eec(ALICE, key(whose::ALICE), &unknown, |_| {});
    let stranger = file(&[&proxy(&stranger, 1), &stranger]);
    let renewed = eec(ALICE, key(30), &w.root, |s| s.serial = vec![0x59]);
    let renewed = file(&[&proxy(&renewed, 5), &renewed]);
    let two_proxies = {
        let p1 = proxy(&w.alice, 1);
        file(&[&proxy(&p1, 2), &p1, &w.alice])
    };
    let bare = file(&[&w.alice]);
    let bob_bare = file(&[&w.bob]);
    let ok = required;
    case(line(&with(Some(&alice), None, optional, ok)), FULL, "the source is the client certificate itself");
    case(line(&with(Some(&renewed), None, optional, ok)), FULL, "the source of the same person's next certificate");
    case(line(&with(Some(&two_proxies), None, optional, ok)), FULL, "a source that was delegated once more");
    case(line(&with(Some(&bare), None, optional, ok)), FULL, "a source that is no proxy");
    case(
        line(&with(Some(&stranger), None, optional, ok)),
        "credential.unknown-ca",
        "a source of that name by an unknown CA",
    );
    case(line(&with(Some(&expired_pilot), None, optional, ok)), "credential.expired", "an expired source");
    case(line(&with(Some(b""), None, optional, ok)), "credential.no-certificate", "an empty source");
    case(line(&with(None, Some(&expired_pilot), optional, ok)), "credential.expired", "an expired pilot's proxy");
    case(line(&with(None, Some(&stranger), optional, ok)), "credential.unknown-ca", "a pilot by an unknown CA");
    case(line(&with(None, Some(b"x"), optional, ok)), "credential.no-certificate", "a pilot's proxy that is none");
    case(line(&with(None, Some(&bob), optional, ok)), FULL, "a limited pilot's proxy where users must not be limited");
    case(line(&with(None, Some(&bob_bare), optional, ok)), FULL, "a pilot's certificate without proxy");
    case(line(&with(None, Some(&alice), optional, ok)), FULL, "the pilot is the user");
    case(line(&with(None, None, optional, ok)), FULL, "no pilot's proxy where it is optional");
    let voms = voms_proxy(&w.bob, 3, &[ac(&w.bob, &w.server, &["/testvo/Role=pilot", "/testvo"], |_| {})]);
    let voms = with(None, Some(&file(&[&voms, &w.bob])), optional, ok);
    case(line(&voms), FULL, "the pilot's attributes are not the user's");
    let fqans: Vec<String> = voms.unwrap().pilot.unwrap().fqans.iter().map(ToString::to_string).collect();
    assert_eq!(fqans, ["/testvo/Role=pilot", "/testvo"], "the pilot's attributes are known too");
    let stolen = file(&[&voms_proxy(&w.bob, 3, &[ac(&w.alice, &w.server, &["/testvo"], |_| {})]), &w.bob]);
    case(line(&with(None, Some(&stolen), optional, ok)), "voms.ac-holder", "a pilot with the user's attributes");
    let both = with(None, Some(&bob), PilotProxy::Required, required).unwrap();
    assert_eq!(both.user.subject.as_str(), ALICE);
    assert_eq!(both.pilot.unwrap().subject.as_str(), "/DC=org/DC=example/CN=Bob");
}
