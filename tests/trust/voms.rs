//! VOMS attributes and the servers that sign them.

use super::*;

pub fn voms_attributes_are_proved_or_refused() {
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
    let fake_rsa_ca = root(ROOT, rsa(), |_| {});
    let fake_rsa_server = eec(SERVER, rsa(), &fake_rsa_ca, |_| {});
    let old = |key: Key| eec(SERVER, key, &w.root, |s| s.lasts(NOW - 9 * DAY, NOW - DAY));
    let (old_server, old_rsa_server) = (old(key(whose::VOMS)), old(rsa()));
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
    let targets = |hosts: &[&str]| {
        let value = seq(&hosts.iter().map(|host| tlv(0xa0, &tlv(0x86, host.as_bytes()))).collect::<Vec<_>>());
        bent(&|a| a.extensions.push(extension(AC_TARGETS, true, &value)))
    };
    // libvomsapi's AC_TARGETS: a SEQUENCE around each target and around all of them.
    let wrapped = |hosts: &[&str]| {
        let targets: Vec<_> = hosts.iter().map(|host| seq(&[tlv(0xa0, &tlv(0x86, host.as_bytes()))])).collect();
        let value = seq(&[seq(&targets)]);
        bent(&|a| a.extensions.push(extension(AC_TARGETS, true, &value)))
    };
    let deep = seq(&[seq(&[seq(&[seq(&[tlv(0xa0, &tlv(0x86, b"wn1.example.org"))])])])]);
    let printable_root = || {
        let words = [("DC", 0x16, "org"), ("DC", 0x16, "example"), ("CN", 0x13, "Root CA")];
        seq(&words.map(|(kind, tag, value)| rdn(&[attribute(kind, tag, value.as_bytes())])))
    };
    let server = |bend: &dyn Fn(&mut Spec)| eec(SERVER, key(whose::VOMS), &w.root, |s| bend(s));
    let rsa_server = Cert { key: rsa(), ..w.server.clone() };
    let strong_server = eec(SERVER, rsa(), &w.root, |_| {});
    let of_rsa = |bend: &dyn Fn(&mut Ac)| carrying(&[ac(&w.alice, &strong_server, &groups, |a| bend(a))]);
    let weak_server = eec(SERVER, weak(), &w.root, |_| {});
    let ca_server = server(&|s| s.extensions = vec![ca_true(None), key_usage(0x86)]);
    let mail_server = server(&|s| s.extensions.push(extension("2.5.29.37", true, &seq(&[oid("1.3.6.1.5.5.7.3.4")]))));
    let young_server = server(&|s| s.lasts(NOW + HOUR, NOW + DAY));
    let odd_server = server(&|s| s.extensions.push(extension("1.2.3", true, &null())));
    let using = |usage: u8| eec(SERVER, rsa(), &w.root, |s| s.replace(KEY_USAGE, vec![key_usage(usage)]));
    let (sealing_server, signing_server) = (using(0x20), using(0x80));
    let server_proxy = proxy(&w.server, 7);
    let stolen = voms_proxy(&outer, 2, &[ac(&w.bob, &w.server, &groups, |_| {})]);
    let in_eec =
        eec(ALICE, key(whose::ALICE), &w.root, |s| s.extensions.push(extension(VOMS, false, &seq(&[seq(&[good()])]))));
    let critical = below(&w.alice, 1, |s| s.extensions.push(extension(VOMS, true, &seq(&[seq(&[good()])]))));
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
                &format!("{FULL} /testvo/inner"),
            ),
            ("two in one proxy: the first", carrying(&[good(), ac(&w.bob, &rogue, &["/x"], |_| {})]), &member),
            (
                "the long form, spelled as the server did",
                saying(&["/testvo/Role=pilot/Capability=NULL", "/testvo/Role=NULL/Capability=NULL"]),
                &format!("{FULL} /testvo/Role=pilot/Capability=NULL /testvo/Role=NULL/Capability=NULL"),
            ),
            ("for this host", target("wn1.example.org"), &member),
            (
                "for this host, in RFC 5755's form",
                bent(&|a| a.extensions.push(extension(AC_TARGETS, true, &rfc_target))),
                &member,
            ),
            ("for this host and another, as VOMS servers write it", wrapped(&["wn2", "wn1.example.org"]), &member),
            ("for other hosts, as VOMS servers write it", wrapped(&["wn2", "wn3"]), "voms.ac-target"),
            ("for nobody, as VOMS servers write it", wrapped(&[]), "voms.ac-target"),
            (
                "targets that are wrapped once too often",
                bent(&|a| a.extensions.push(extension(AC_TARGETS, true, &deep))),
                "voms.ac-malformed",
            ),
            ("for another host", target("wn2.example.org"), "voms.ac-target"),
            ("of Bob", carrying(&[ac(&w.bob, &w.server, &groups, |_| {})]), "voms.ac-holder"),
            ("of Alice at another CA", bent(&|a| a.holder_issuer = named("/CN=other")), "voms.ac-holder"),
            ("altered", bent(&|a| a.spoil_signature = true), "voms.ac-signature"),
            ("signed by another key", bent(&|a| a.signer = key(30)), "voms.ac-signature"),
            ("by a server with RSA", of_rsa(&|_| {}), &member),
            ("altered, by a server with RSA", of_rsa(&|a| a.spoil_signature = true), "voms.ac-signature"),
            ("signed by the user", own, "voms.ac-untrusted"),
            ("by a server without .lsc", by(&rogue), "voms.ac-untrusted"),
            ("by a server of a false CA", by(&fake_server), "voms.ac-untrusted"),
            ("by a server of a false CA, with RSA", by(&fake_rsa_server), "voms.ac-untrusted"),
            ("by an expired server", by(&old_server), "voms.ac-untrusted"),
            ("by an expired server, with RSA", by(&old_rsa_server), "voms.ac-untrusted"),
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
            ("expired for an hour", bent(&|a| a.not_after = generalized(NOW - HOUR)), "voms.ac-expired"),
            ("its last second", bent(&|a| a.not_after = generalized(NOW)), &member),
            ("of the future, in an hour", bent(&|a| a.not_before = generalized(NOW + HOUR)), "voms.ac-not-yet-valid"),
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
            (
                "generic attributes",
                bent(&|a| a.extensions.push(extension("1.3.6.1.4.1.8005.100.100.11", false, &seq(&[])))),
                &member,
            ),
            (
                "a critical authority key identifier",
                bent(&|a| a.extensions[1] = authority_key(true, w.server.key)),
                &member,
            ),
            ("no extension at all but the certificates", bent(&|a| a.extensions.clear()), &member),
            ("its first second", bent(&|a| a.not_before = generalized(NOW)), &member),
            (
                "backwards",
                bent(&|a| {
                    a.not_before = generalized(NOW + HOUR);
                    a.not_after = generalized(NOW - HOUR)
                }),
                "voms.ac-expired",
            ),
            ("a time without seconds", bent(&|a| a.not_after = tlv(0x18, b"202701150900Z")), "voms.ac-malformed"),
            ("for another certificate of Alice", bent(&|a| a.holder_serial = vec![0x32]), "voms.ac-holder"),
            (
                "for the proxy instead of the user",
                bent(&|a| {
                    a.holder_issuer = w.alice.spec.subject.clone();
                    a.holder_serial = vec![0x41, 1]
                }),
                "voms.ac-holder",
            ),
            ("the holder's CA in another string type", bent(&|a| a.holder_issuer = printable_root()), &member),
            (
                "for the user by subject, as voms-api-java and the oldest servers write it",
                bent(&|a| a.holder_issuer = w.alice.spec.subject.clone()),
                &member,
            ),
            (
                "for Alice by subject, with the number of another certificate",
                bent(&|a| {
                    a.holder_issuer = w.alice.spec.subject.clone();
                    a.holder_serial = vec![0x32]
                }),
                "voms.ac-holder",
            ),
            ("for Bob by subject", bent(&|a| a.holder_issuer = w.bob.spec.subject.clone()), "voms.ac-holder"),
            ("a holder without a name", bent(&|a| a.holder_issuer = seq(&[])), "voms.ac-malformed"),
            ("a negative serial number of the holder", bent(&|a| a.holder_serial = vec![0x80]), "voms.ac-malformed"),
            ("for this host and another", targets(&["wn2.example.org", "wn1.example.org"]), &member),
            ("for this host in capitals", targets(&["WN1.Example.ORG"]), &member),
            ("for no host", bent(&|a| a.extensions.push(extension(AC_TARGETS, true, &seq(&[])))), "voms.ac-target"),
            ("for a host of which this one's name is a part", targets(&["wn1.example.org.evil.org"]), "voms.ac-target"),
            (
                "for another host, not critical",
                bent(&|a| a.extensions.push(extension(AC_TARGETS, false, &seq(&[tlv(0xa0, &tlv(0x86, b"wn2"))])))),
                "voms.ac-target",
            ),
            (
                "targets that are none",
                bent(&|a| a.extensions.push(extension(AC_TARGETS, true, &seq(&[null()])))),
                "voms.ac-malformed",
            ),
            (
                "for a group of hosts",
                bent(&|a| a.extensions.push(extension(AC_TARGETS, true, &seq(&[tlv(0xa1, &tlv(0x86, b"x"))])))),
                "voms.ac-malformed",
            ),
            ("with RSA, by a key that is not the server's", by(&rsa_server), "voms.ac-signature"),
            ("by a server with a weak key", by(&weak_server), "voms.ac-untrusted"),
            ("by a server that is a CA", by(&ca_server), "voms.ac-untrusted"),
            ("by a server for mail only", by(&mail_server), "voms.ac-untrusted"),
            ("by a server of the future", by(&young_server), "voms.ac-untrusted"),
            ("by a server with an unknown critical extension", by(&odd_server), "voms.ac-untrusted"),
            ("by a proxy of the server", by(&server_proxy), "voms.ac-untrusted"),
            ("by a server whose key may not sign", by(&sealing_server), "voms.ac-untrusted"),
            ("by a server whose key may only sign", by(&signing_server), &member),
            (
                "eleven certificates embedded",
                bent(&|a| a.certificates = vec![w.server.der.clone(); 11]),
                "voms.ac-malformed",
            ),
            ("an embedded certificate that is none", bent(&|a| a.certificates = vec![seq(&[])]), "voms.ac-malformed"),
            ("the anchor embedded too", bent(&|a| a.certificates.push(w.root.der.clone())), &member),
            (
                "a false anchor embedded",
                bent(&|a| a.certificates = vec![fake_server.der.clone(), fake_ca.der.clone()]),
                "voms.ac-signature",
            ),
            ("a VO in capitals", bent(&|a| a.authority = "TESTVO://h:1".into()), "voms.ac-untrusted"),
            ("a hidden VO", bent(&|a| a.authority = ".testvo://h:1".into()), "voms.ac-malformed"),
            ("a VO with a NUL", bent(&|a| a.authority = "testvo\0://h:1".into()), "voms.ac-malformed"),
            ("an empty VO", bent(&|a| a.authority = "://h:1".into()), "voms.ac-malformed"),
            ("a VO of 256 letters", bent(&|a| a.authority = format!("{}://h:1", "a".repeat(256))), "voms.ac-malformed"),
            ("the VO alone", saying(&["/testvo"]), &format!("{FULL} /testvo")),
            (
                "in the order of the server",
                saying(&["/testvo/b", "/testvo/a", "/testvo"]),
                &format!("{FULL} /testvo/b /testvo/a /testvo"),
            ),
            (
                "a role and a capability",
                saying(&["/testvo/g/Role=r/Capability=c"]),
                &format!("{FULL} /testvo/g/Role=r/Capability=c"),
            ),
            ("a role twice", saying(&["/testvo/Role=a/Role=b"]), "voms.ac-malformed"),
            ("a capability before the role", saying(&["/testvo/Capability=a/Role=b"]), "voms.ac-malformed"),
            ("an empty role", saying(&["/testvo/Role="]), "voms.ac-malformed"),
            ("a group behind the role", saying(&["/testvo/Role=a/b"]), "voms.ac-malformed"),
            ("a star", saying(&["/testvo/*"]), "voms.ac-malformed"),
            ("a line feed", saying(&["/testvo\n/othervo"]), "voms.ac-malformed"),
            ("a NUL", saying(&["/testvo\0"]), "voms.ac-malformed"),
            ("a quote", saying(&["/testvo/\"x"]), "voms.ac-malformed"),
            ("an FQAN of 600 letters", saying(&[&format!("/testvo/{}", "a".repeat(600))]), "voms.ac-malformed"),
            ("100 groups", saying(&many[..100]), &format!("{FULL} {}", many[..100].join(" "))),
            ("one foreign group at the end", saying(&["/testvo", "/testvo/a", "/othervo"]), "voms.ac-scope"),
            ("of Bob, in a proxy below one with Alice's", file(&[&stolen, &outer, &w.alice]), "voms.ac-holder"),
            ("in the user's certificate: not looked at", file(&[&proxy(&in_eec, 1), &in_eec]), FULL),
            ("a critical extension with attributes", file(&[&critical, &w.alice]), &member),
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
    case(verdict_with(&site, &lasting(4), four), &member, "as long as it may last");
    case(verdict_with(&site, &lasting(365), four), "voms.ac-lifetime", "a year where four days are the most");
    case(verdict_with(&site, &lasting(365), defaults), &member, "a year where nothing is said");
}

pub fn a_bad_ac_is_dropped_where_the_site_says_so() {
    let w = World::new();
    let site = w.site();
    let ignore = |c: &mut Credentials| c.bad_ac = BadAc::Ignore;
    let bent = |bend: &dyn Fn(&mut Ac)| {
        file(&[&voms_proxy(&w.alice, 1, &[ac(&w.alice, &w.server, &["/testvo"], |a| bend(a))]), &w.alice])
    };
    let altered = bent(&|a| a.spoil_signature = true);
    let outer = voms_proxy(&w.alice, 1, &[ac(&w.alice, &w.server, &["/testvo"], |_| {})]);
    let inner = voms_proxy(&outer, 2, &[ac(&w.alice, &w.server, &["/testvo"], |a| a.spoil_signature = true)]);
    let expired = file(&[&below(&outer, 2, |s| s.lasts(NOW - DAY, NOW - HOUR)), &outer, &w.alice]);
    expect(
        &site,
        vec![
            ("a good one", bent(&|_| {}), &format!("{FULL} /testvo")),
            ("altered", altered.clone(), FULL),
            ("expired", bent(&|a| a.not_after = generalized(NOW - 1)), FULL),
            ("of Bob", bent(&|a| a.holder_serial = vec![0x32]), FULL),
            ("of an unknown VO", bent(&|a| a.authority = "other://h:1".into()), FULL),
            ("another VO's group", bent(&|a| a.fqans.push("/othervo".into())), FULL),
            ("malformed", bent(&|a| a.version = 0), FULL),
            (
                "the nearest to the leaf is bad: the one behind it does not count",
                file(&[&inner, &outer, &w.alice]),
                FULL,
            ),
            ("a good one in an expired proxy", expired, "credential.expired"),
        ],
        ignore,
    );
    let ignored = ask(&site, &user(&altered), ignore).unwrap();
    assert!(ignored.notes[0].contains("voms.ac-signature"), "it is said in the log");
}

pub fn a_voms_server_needs_its_chain_in_an_lsc_file_of_the_vo() {
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
    case(with(&format!("{server}\n{ca}\n")), &member, "the chain in the file");
    case(
        with(&format!("{server}\n/CN=x\n------ NEXT CHAIN ------\n{server}\n{ca}\n")),
        &member,
        "the second chain in the file",
    );
    case(with(""), "voms.ac-untrusted", "an empty file");
    case(with(&format!("{server}\n")), "voms.ac-untrusted", "without the CA");
    case(with(&format!("{ca}\n{server}\n")), "voms.ac-untrusted", "in the wrong order");
    case(with(&format!("{server}\n{ca}\n/CN=more\n")), "voms.ac-untrusted", "with more than there is");
    case(with("/CN=other\n/CN=CA\n"), "voms.ac-untrusted", "another server's");
    case(with("nonsense\n"), "voms.lsc-malformed", "a file that cannot be read");
    case(with(&format!("{server}\r\n\r\n# the CA\r\n {ca} \r\n")), &member, "CRLF, a comment, blanks");
    case(with(&format!("\"{server}\"\n\"{ca}\"\n")), &member, "names in quotes");
    case(with(&format!("{server}\n------ NEXT CHAIN ------\n{ca}\n")), "voms.ac-untrusted", "a chain torn in two");
    case(with(&format!("{}\n{ca}\n", server.to_lowercase())), "voms.ac-untrusted", "in small letters");
    case(with(&format!("{server}\n{server}\n")), "voms.ac-untrusted", "the server twice, no CA");
    case(with("*\n*\n"), "voms.lsc-malformed", "stars");
    case(with("/*\n/*\n"), "voms.ac-untrusted", "names of stars");
    site.lsc("testvo", "");
    let other = site.vomsdir().join("testvo");
    write(&other.join("other.example.org.lsc"), LSC.as_bytes());
    case(verdict(&site, &plain), &member, "in the file of another server of the VO");
    std::fs::rename(other.join("other.example.org.lsc"), other.join("other.example.org.pem")).unwrap();
    case(verdict(&site, &plain), "voms.ac-untrusted", "in a file that is no .lsc file");
    std::fs::remove_file(other.join("other.example.org.pem")).unwrap();
    std::fs::set_permissions(other.join("voms.example.org.lsc"), std::os::unix::fs::PermissionsExt::from_mode(0o666))
        .unwrap();
    case(verdict(&site, &plain), "trust.insecure-permissions", "a file that others can write");
    std::fs::remove_file(other.join("voms.example.org.lsc")).unwrap();
    case(verdict(&site, &plain), "voms.ac-untrusted", "a VO without any file");
    site.lsc("testvo", "/CN=other\n/CN=CA\n").lsc("othervo", LSC);
    case(verdict(&site, &plain), "voms.ac-untrusted", "its chain at another VO");
    site.lsc("testvo", LSC);
    let mut trust = site.trust();
    trust.voms = None;
    let without = judge(&user(&plain), &Credentials::default(), &trust, NOW);
    case(line(&without), "voms.ac-untrusted", "no vomsdir at all");

    site.ca(&w.sub, &[]);
    let below_sub = eec(SERVER, key(whose::VOMS), &w.sub, |_| {});
    let sub = "/DC=org/DC=example/CN=Sub CA";
    site.lsc("testvo", &format!("{server}\n{sub}\n"));
    case(verdict(&site, &carried(&below_sub, &[])), &member, "up to its CA");
    case(verdict(&site, &carried(&below_sub, &[&w.sub])), "voms.ac-untrusted", "an embedded CA must be named");
    site.lsc("testvo", &format!("{server}\n{sub}\n{sub}\n{ca}\n"));
    case(verdict(&site, &carried(&below_sub, &[&w.sub])), &member, "in pairs");
    let for_mail = |more: &str| {
        let purposes = extension("2.5.29.37", true, &seq(&[oid("1.3.6.1.5.5.7.3.4"), oid(more)]));
        super::sub(sub, key(whose::SUB), &w.root, |s| s.extensions.push(purposes.clone()))
    };
    let below = |ca: &Cert| {
        site.put(&format!("{}.0", hash(&ca.der)), &ca.der);
        verdict(&site, &carried(&below_sub, &[]))
    };
    case(below(&for_mail("1.3.6.1.5.5.7.3.1")), &member, "a CA for mail and servers");
    case(below(&for_mail("1.3.6.1.5.5.7.3.3")), "voms.ac-untrusted", "a CA for mail and code only");
    site.ca(&w.sub, &[&below_sub]);
    case(verdict(&site, &carried(&below_sub, &[])), "voms.ac-untrusted", "a revoked server");
    site.policy(&w.sub, "/DC=org/DC=other/*");
    case(verdict(&site, &carried(&below_sub, &[])), "voms.ac-untrusted", "a server outside its CA's policy");
    site.ca(&w.sub, &[]).remove(&format!("{}.r0", hash(&w.sub.der)));
    case(verdict(&site, &carried(&below_sub, &[])), "trust.crl-missing", "what the site has to fix is its own class");
    case(
        verdict_with(&site, &carried(&below_sub, &[]), |c| c.bad_ac = BadAc::Ignore),
        "trust.crl-missing",
        "and is not ignored",
    );
    let host = eec("/DC=org/DC=example/CN=host//voms.example.org", key(whose::VOMS), &w.root, |_| {});
    site.lsc("testvo", &format!("/DC=org/DC=example/CN=host/voms.example.org\n{ca}\n"));
    case(verdict(&site, &carried(&host, &[])), &member, "a service's name as .lsc files write it");
}
