//! VOMS attributes and the servers that sign them.

use super::*;

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
