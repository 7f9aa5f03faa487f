//! The file and its certificates: PEM, keys, DER, times, names.

use super::*;

pub fn the_file_is_pem_with_the_leaf_first_and_its_key_anywhere() {
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
            (
                "lines of dashes around",
                text(&[
                    "----- Alice's proxy -----\n",
                    &c1,
                    "----------\n",
                    &k,
                    "-----\n",
                    &c2,
                    "----- BEGIN nothing\n",
                ]),
                FULL,
            ),
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
            ("a foreign block", text(&[&all, &pem("X509 CRL", &[0x30, 0])]), FULL),
            ("a token of DIRAC behind", text(&[&all, DIRACX]), FULL),
            ("a token of DIRAC before", text(&[DIRACX, &all]), FULL),
            ("a token of DIRAC between", text(&[&c1, &k, DIRACX, &c2]), FULL),
            ("a token of DIRAC alone", DIRACX.into(), "credential.no-certificate"),
            ("a token that is cut off", text(&[&all, &DIRACX[..60]]), "credential.malformed"),
            ("a certificate inside a foreign block", text(&["-----BEGIN DIRACX-----\n", &all]), "credential.malformed"),
            (
                "an attribute certificate of its own",
                text(&[&all, &pem("ATTRIBUTE CERTIFICATE", &[0x30, 0])]),
                "credential.malformed",
            ),
            ("a DSA key too", text(&[&all, &pem("DSA PRIVATE KEY", &[0x30, 0])]), "credential.malformed"),
            ("a broken key", text(&[&c1, &pem("PRIVATE KEY", &[0x30, 0]), &c2]), "credential.malformed"),
            ("a broken certificate", text(&[&c1, &k, &pem("CERTIFICATE", &[0x30, 0])]), "credential.malformed"),
            ("too large", vec![b'\n'; 256 * 1024 + 1], "credential.too-large"),
            ("too many certificates", text(&[&all, &c2.repeat(19)]), "credential.chain-too-long"),
            (
                "an encrypted key of the older kind",
                text(&[&c1, &sec1.replacen('\n', "\nProc-Type: 4,ENCRYPTED\nDEK-Info: x\n\n", 1), &c2]),
                "credential.encrypted-key",
            ),
            (
                "a key with its curve's name before",
                text(&[&c1, &pem("EC PARAMETERS", &oid("1.2.840.10045.3.1.7")), &sec1, &c2]),
                FULL,
            ),
            (
                "a certificate with OpenSSL's trust settings",
                text(&[&c1, &k, &c2.replace("CERTIFICATE", "TRUSTED CERTIFICATE")]),
                "credential.malformed",
            ),
            ("a certificate request", text(&[&all, &pem("CERTIFICATE REQUEST", &[0x30, 0])]), FULL),
            ("a public key", text(&[&all, &pem("PUBLIC KEY", &[0x30, 0])]), FULL),
            ("a key of 17 KiB", text(&[&c1, &pem("PRIVATE KEY", &[0x30; 17 * 1024]), &c2]), "credential.malformed"),
            (
                "a key named as the older kind",
                text(&[&c1, &pem("EC PRIVATE KEY", &leaf.key.private_key_to_pkcs8().unwrap()), &c2]),
                "credential.malformed",
            ),
            ("an end without a beginning", text(&["-----END CERTIFICATE-----\n", &all]), "credential.malformed"),
            ("a block in a block", text(&["-----BEGIN CERTIFICATE-----\n", &all]), "credential.malformed"),
            (
                "lines of another length",
                text(&[
                    &c1.replace('\n', "")
                        .replace("-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\n")
                        .replace("-----END", "\n-----END"),
                    "\n",
                    &k,
                    &c2,
                ]),
                FULL,
            ),
            ("lines that are no groups of four", text(&[&rewrapped(&c1, 61), &k, &c2]), FULL),
            ("blanks at the ends of lines", all.replace('\n', "  \n").into_bytes(), FULL),
            ("blanks inside the base64", text(&[&c1.replacen("\nMII", "\nM II", 1), &k, &c2]), "credential.malformed"),
            (
                "bytes after the padding",
                text(&[&c1.replace("\n-----END", "=AAA\n-----END"), &k, &c2]),
                "credential.malformed",
            ),
            ("the same certificate twice", text(&[&c1, &k, &c2, &c2]), FULL),
            ("the leaf twice", text(&[&c1, &k, &c1, &c2]), FULL),
            ("Bob's certificate too", text(&[&c1, &k, &pem_cert(&w.bob), &c2]), FULL),
            ("a NUL between blocks", text(&[&c1, "\0\n", &k, &c2]), FULL),
            ("a byte order mark", text(&["\u{feff}", &all]), "credential.malformed"),
            ("exactly twenty certificates", text(&[&all, &c2.repeat(18)]), FULL),
            ("a thousand certificates", text(&[&k, &c1.repeat(400)]), "credential.chain-too-long"),
        ],
        defaults,
    );
}

/// What DIRAC v9 puts behind a proxy.
const DIRACX: &str = "-----BEGIN DIRACX-----\neyJhY2Nlc3NfdG9rZW4iOiAiYWJjIn0=\n-----END DIRACX-----\n";

#[test]
fn a_block_that_is_passed_over_is_noted_once_and_cannot_forge_a_line() {
    let w = World::new();
    let site = w.site();
    let good = String::from_utf8(file(&[&proxy(&w.alice, 1), &w.alice])).unwrap();
    let notes = |more: &str| ask(&site, &user(format!("{good}{more}").as_bytes()), defaults).unwrap().notes;
    assert_eq!(notes(&DIRACX.repeat(3)), ["the file has a block \"DIRACX\", which is no part of a proxy: passed over"]);
    let odd = notes(&DIRACX.replace("DIRACX", "A\u{1}\u{202e}\"B"));
    assert_eq!(odd, [r#"the file has a block "A\u{1}\u{202e}\"B", which is no part of a proxy: passed over"#]);
    let many: String =
        (0..3000).map(|n| DIRACX.replace("DIRACX", &n.to_string().repeat(20)).replace("eyJ", "\n")).take(900).collect();
    let many = notes(&many);
    assert!(many.len() == 4 && many.iter().all(|note| note.len() < 120), "{many:?}");
}

#[test]
fn what_is_malformed_is_named() {
    let w = World::new();
    let site = w.site();
    let leaf = proxy(&w.alice, 1);
    let said = |file: &[u8]| ask(&site, &user(file), defaults).unwrap_err().sentence().to_owned();
    let longer = pem("PRIVATE KEY", &[leaf.key.private_key_to_pkcs8().unwrap(), null()].concat());
    let of_key = said(format!("{}{longer}{}", pem_cert(&leaf), pem_cert(&w.alice)).as_bytes());
    assert!(of_key.starts_with("the private key"), "{of_key}");
    let longer = below(&w.alice, 1, |s| s.trailing = null());
    let of_certificate = said(&file(&[&longer, &w.alice]));
    assert!(of_certificate.starts_with("certificate 1 of the file"), "{of_certificate}");
}

/// PEM with lines of another length.
fn rewrapped(pem: &str, length: usize) -> String {
    let lines: Vec<&str> = pem.lines().collect();
    let body: Vec<char> = lines[1..lines.len() - 1].concat().chars().collect();
    let body: Vec<String> = body.chunks(length).map(|line| line.iter().collect()).collect();
    format!("{}\n{}\n{}\n", lines[0], body.join("\n"), lines[lines.len() - 1])
}

pub fn blocks_may_stand_in_any_order_that_has_the_leaf_before_the_rest() {
    let w = World::new();
    let site = w.site();
    let ec = proxy(&w.alice, 1);
    let by_rsa = Cert { key: rsa(), ..below(&w.alice, 1, |s| s.spki = rsa().public_key_to_der().unwrap()) };
    let keys = [
        ("PKCS #8", &ec, pem_key(ec.key)),
        ("SEC 1", &ec, pem("EC PRIVATE KEY", &ec.key.ec_key().unwrap().private_key_to_der().unwrap())),
        ("PKCS #8 with RSA", &by_rsa, pem_key(rsa())),
        ("PKCS #1", &by_rsa, pem("RSA PRIVATE KEY", &rsa().rsa().unwrap().private_key_to_der().unwrap())),
    ];
    for (format, leaf, key) in keys {
        let blocks = [("leaf", pem_cert(leaf)), ("user", pem_cert(&w.alice)), ("key", key)];
        for order in [[0, 2, 1], [0, 1, 2], [2, 0, 1], [1, 0, 2], [1, 2, 0], [2, 1, 0]] {
            let names: Vec<&str> = order.iter().map(|at| blocks[*at].0).collect();
            let text: String = order.iter().map(|at| blocks[*at].1.as_str()).collect();
            let leaf_first = names.iter().position(|n| *n == "leaf") < names.iter().position(|n| *n == "user");
            let expected = if leaf_first { FULL } else { "credential.key-mismatch" };
            case(verdict(&site, text.as_bytes()), expected, format!("{format}: {}", names.join(", ")));
        }
    }
    let p2 = proxy(&ec, 2);
    case(verdict(&site, &file(&[&p2, &w.alice, &ec])), FULL, "two proxies, the user between them");
    case(verdict(&site, &file(&[&ec, &p2, &w.alice])), FULL, "the inner proxy first, with its key");
    let wrong = [pem_cert(&ec), pem_key(p2.key), pem_cert(&p2), pem_cert(&w.alice)].concat();
    case(verdict(&site, wrong.as_bytes()), "credential.key-mismatch", "the inner proxy first, with the outer's key");
}

pub fn a_missing_key_passes_only_where_the_caller_may_omit_it() {
    let w = World::new();
    let site = w.site();
    let leaf = proxy(&w.alice, 1);
    let without = format!("{}{}", pem_cert(&leaf), pem_cert(&w.alice)).into_bytes();
    let wrong = format!("{}{}{}", pem_cert(&leaf), pem_key(key(30)), pem_cert(&w.alice)).into_bytes();
    let ask = |file: &[u8]| line(&ask(&site, &Question { key: KeyRule::MayBeAbsent, ..user(file) }, |_| {}));
    case(ask(&without), FULL, "no key, and it may be absent");
    case(ask(&wrong), "credential.key-mismatch", "a wrong key, although it may be absent");
}

pub fn every_certificate_must_be_valid_now_and_both_ends_belong_to_the_time() {
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
    case(verdict(&site, &good), "trust.ca-expired", "an expired anchor");
    site.put(&format!("{}.1", hash(&old.der)), pem_cert(&w.root).as_bytes());
    case(verdict(&site, &good), FULL, "an expired anchor and its renewal with the same key");
}

pub fn lax_certificates_are_malformed() {
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
    let identified = |version: Option<u8>, tags: &[u8]| {
        let identifiers = tags.iter().flat_map(|tag| tlv(*tag, &[0, 7])).collect();
        let alice = eec(ALICE, key(whose::ALICE), &w.root, |s| {
            (s.version, s.extensions, s.trailing) = (version, vec![], identifiers);
        });
        file(&[&proxy(&alice, 1), &alice])
    };
    let indefinite = |der: Vec<u8>| [&[0x30, 0x80][..], content(&der), &[0, 0]].concat();
    let half_bits = |der: Vec<u8>| {
        // Body, algorithm, signature: the last one's count of unused bits.
        let at = der.windows(4).rposition(|w| w[0] == 3 && w[2] == 0 && w[3] == 0x30).unwrap();
        [&der[..at + 2], &[1], &der[at + 3..]].concat()
    };
    let nested =
        |depth: usize| (0..depth).fold(null(), |inner, _| if inner.len() > 60_000 { inner } else { seq(&[inner]) });
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
            ("unique identifiers", identified(Some(1), &[0x81, 0x82]), FULL),
            ("a unique identifier in version 1", identified(None, &[0x81]), "credential.malformed"),
            ("unique identifiers in the wrong order", identified(Some(1), &[0x82, 0x81]), "credential.malformed"),
            ("a unique identifier twice", identified(Some(1), &[0x81, 0x81]), "credential.malformed"),
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
            ("an empty value", cn(0x0c, b""), "credential.bad-name"),
            ("a UniversalString", cn(0x1c, b"\0\0\0A"), "credential.bad-name"),
            ("a Hangul filler in a name", cn(0x0c, "1\u{3164}2".as_bytes()), "credential.bad-name"),
            ("a variation selector in a name", cn(0x0c, "1\u{fe0f}".as_bytes()), "credential.bad-name"),
            ("a soft hyphen in a name", cn(0x0c, "1\u{ad}2".as_bytes()), "credential.bad-name"),
            ("a DEL in a name", cn(0x0c, b"1\x7f"), "credential.bad-name"),
            ("a C1 control in a T61String", cn(0x14, b"1\x85"), "credential.bad-name"),
            ("half a BMP character", cn(0x1e, b"\0a\0"), "credential.bad-name"),
            ("a surrogate alone", cn(0x1e, b"\xd8\x00"), "credential.bad-name"),
            ("Latin-1 in a PrintableString", cn(0x13, b"J\xfcrgen"), "credential.bad-name"),
            (
                "65 components",
                bent(&|s| s.subject = extend_by(&s.subject, &rdn(&[attribute("CN", 0x13, b"1")]).repeat(64))),
                "credential.bad-name",
            ),
            (
                "nine attributes in one component",
                named(rdn(&(0..9_u8).map(|n| attribute("CN", 0x13, &[b'a' + n])).collect::<Vec<_>>())),
                "credential.bad-name",
            ),
            ("an attribute without value", named(rdn(&[seq(&[oid("2.5.4.3")])])), "credential.malformed"),
            (
                "an attribute of two values",
                named(rdn(&[seq(&[oid("2.5.4.3"), tlv(12, b"a"), tlv(12, b"b")])])),
                "credential.malformed",
            ),
            (
                "a control character in the issuer's name",
                bent(&|s| s.issuer = extend(&s.issuer, "\u{1}")),
                "credential.bad-name",
            ),
            ("an empty list of extensions", bent(&|s| s.trailing = tlv(0xa3, &seq(&[]))), "credential.malformed"),
            ("an extension of nothing", bent(&|s| s.extensions.push(seq(&[]))), "credential.malformed"),
            (
                "an object identifier of nothing",
                bent(&|s| s.extensions.push(seq(&[tlv(6, &[]), tlv(4, &[])]))),
                "credential.malformed",
            ),
            ("a signature that is not whole octets", patched(&half_bits), "credential.malformed"),
            (
                "a certificate longer than any",
                bent(&|s| s.extensions.push(extension("1.2.3", false, &[0; 97 * 1024]))),
                "credential.malformed",
            ),
            ("an extension of 60 KB", bent(&|s| s.extensions.push(extension("1.2.3", false, &[0; 60_000]))), FULL),
            (
                "values nested ten thousand deep",
                bent(&|s| s.extensions.push(extension("2.5.29.19", false, &nested(10_000)))),
                "credential.malformed",
            ),
            (
                "an unknown extension nested ten thousand deep",
                bent(&|s| s.extensions.push(extension("1.2.3", false, &nested(10_000)))),
                FULL,
            ),
            (
                "the 40th extension",
                bent(&|s| s.extensions.extend((0..38).map(|n| extension(&format!("1.2.3.{n}"), false, &null())))),
                FULL,
            ),
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

pub fn weak_keys_and_digests_are_refused_and_the_policy_can_bend_only_so_far() {
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
    let p256 = seq(&[oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")]);
    let raw_key = |algorithm: Vec<u8>, key: &[u8]| {
        let spki = seq(&[algorithm, bits(key)]);
        file(&[&below(&w.alice, 1, |s| s.spki = spki.clone()), &w.alice])
    };
    let even = seq(&[
        seq(&[oid("1.2.840.113549.1.1.1"), null()]),
        bits(&seq(&[tlv(2, &[&[0][..], &[0xff; 256]].concat()), tlv(2, &[4])])),
    ]);
    let even_alice = eec(ALICE, rsa(), &w.root, |s| s.spki = even.clone());
    let huge = [vec![0], vec![0xff; 8192]].concat();
    let usual = [vec![0], vec![0xff; 256]].concat();
    expect(
        &site,
        vec![
            ("RSA with 1024 bits", file(&[&keyed(weak()), &w.alice]), FULL),
            (
                "a proxy of a proxy with RSA of 1024 bits",
                file(&[&proxy(&keyed(weak()), 2), &keyed(weak()), &w.alice]),
                FULL,
            ),
            ("a proxy by RSA with 1024 bits", file(&[&proxy(&by_weak, 1), &by_weak]), "credential.weak-key"),
            ("a user with RSA of 1024 bits", file(&[&by_weak]), "credential.weak-key"),
            ("RSA with 1023 bits", spki(&[vec![0x7f], vec![0xff; 127]].concat(), &[1, 0, 1]), "credential.weak-key"),
            (
                "RSA with 8192 bits, another's key",
                spki(&[vec![0], vec![0xff; 1024]].concat(), &[1, 0, 1]),
                "credential.key-mismatch",
            ),
            ("RSA with 8193 bits", spki(&[vec![1], vec![0xff; 1024]].concat(), &[1, 0, 1]), "credential.weak-key"),
            (
                "RSA with 2047 bits, another's key",
                spki(&[vec![0x7f], vec![0xff; 255]].concat(), &[1, 0, 1]),
                "credential.key-mismatch",
            ),
            ("a negative modulus", spki(&[0xff; 256], &[1, 0, 1]), "credential.malformed"),
            ("the exponent 0", spki(&usual, &[0]), "credential.weak-key"),
            (
                "RSA without NULL",
                raw_key(seq(&[oid("1.2.840.113549.1.1.1")]), &seq(&[tlv(2, &usual), tlv(2, &[3])])),
                "credential.weak-key",
            ),
            ("DSA", raw_key(seq(&[oid("1.2.840.10040.4.1"), seq(&[])]), &tlv(2, &[3])), "credential.weak-key"),
            ("a compressed point", raw_key(p256.clone(), &[&[2][..], &[7; 32]].concat()), "credential.weak-key"),
            (
                "a point that is not on the curve",
                raw_key(p256.clone(), &[&[4][..], &[7; 64]].concat()),
                "credential.malformed",
            ),
            ("the point at infinity", raw_key(p256.clone(), &[0]), "credential.weak-key"),
            ("no key", raw_key(p256, &[]), "credential.weak-key"),
            ("P-224", file(&[&keyed(leak(curve(Nid::SECP224R1))), &w.alice]), "credential.weak-key"),
            ("a user with an even exponent", file(&[&proxy(&even_alice, 1), &even_alice]), "credential.weak-key"),
            ("SHA-384", file(&[&signed(&w.alice, ecdsa(3, MessageDigest::sha384())), &w.alice]), FULL),
            (
                "RSA and SHA-512",
                file(&[
                    &signed(
                        &by_rsa,
                        named_algorithm(&seq(&[oid("1.2.840.113549.1.1.13"), null()]), MessageDigest::sha512()),
                    ),
                    &by_rsa,
                ]),
                FULL,
            ),
            (
                "RSA and SHA-256 without NULL",
                file(&[&signed(&by_rsa, named_algorithm(&seq(&[oid("1.2.840.113549.1.1.11")]), sha256)), &by_rsa]),
                FULL,
            ),
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
    expect_as(
        "1024 bits allowed: ",
        &site,
        vec![("a proxy by RSA with 1024 bits", file(&[&proxy(&by_weak, 1), &by_weak]), FULL)],
        |policy| policy.min_rsa_bits = 1024,
    );
    expect_as(
        "2048 bits of proxies too: ",
        &site,
        vec![
            ("RSA with 1024 bits", file(&[&keyed(weak()), &w.alice]), "credential.weak-key"),
            (
                "a proxy of a proxy with RSA of 1024 bits",
                file(&[&proxy(&keyed(weak()), 2), &keyed(weak()), &w.alice]),
                "credential.weak-key",
            ),
        ],
        |policy| policy.min_proxy_rsa_bits = 2048,
    );
    expect_as(
        "3072 bits of proxies alone: ",
        &site,
        vec![
            ("a user with 2048 bits, a proxy on a curve", file(&[&proxy(&by_rsa, 1), &by_rsa]), FULL),
            ("a proxy with 2048 bits", file(&[&keyed(rsa()), &w.alice]), "credential.weak-key"),
        ],
        |policy| policy.min_proxy_rsa_bits = 3072,
    );
    let old_alice = eec(ALICE, key(whose::ALICE), &w.root, |s| s.algorithm = sha1_ecdsa());
    let old = file(&[&proxy(&old_alice, 1), &old_alice]);
    let old_ac = |serial: u8, bend: &dyn Fn(&mut Spec), old: bool| {
        let server = eec(SERVER, key(whose::VOMS), &w.root, |s| {
            s.serial = vec![serial];
            bend(s);
        });
        let attributes = ac(&w.alice, &server, &["/testvo/Role=pilot", "/testvo"], |a| {
            if old {
                a.algorithm = sha1_ecdsa();
            }
        });
        file(&[&voms_proxy(&w.alice, 1, &[attributes]), &w.alice])
    };
    let (old_attributes, old_server) =
        (old_ac(0x33, &|_| {}, true), old_ac(0x33, &|s| s.algorithm = sha1_ecdsa(), false));
    let with_attributes = format!("{FULL}{PILOT}");
    let rsa_sha1 = file(&[&signed(&by_rsa, sha1_rsa()), &by_rsa]);
    let legacy_sha1 = {
        let mut leaf = legacy(&w.alice, 1, "proxy").spec;
        leaf.algorithm = sha1_ecdsa();
        file(&[&leaf.build(key(11)), &w.alice])
    };
    let weak_digest = "credential.weak-digest";
    let rows = |on_proxies: &'static str, on_certificates: &'static str, on_attributes: &'static str, on_server| {
        let with_attributes = match on_attributes {
            FULL => with_attributes.as_str(),
            refused => refused,
        };
        let by_server = if on_server { format!("{FULL}{PILOT}") } else { "voms.ac-untrusted".into() };
        for (what, file, expected) in [
            ("RSA and SHA-1", &rsa_sha1, on_proxies),
            ("ECDSA and SHA-1", &file(&[&signed(&w.alice, sha1_ecdsa()), &w.alice]), on_proxies),
            ("a legacy proxy", &legacy_sha1, on_proxies),
            ("a user's certificate", &old, on_certificates),
            ("attributes", &old_attributes, with_attributes),
            ("the certificate of a VOMS server", &old_server, by_server.as_str()),
            ("RSA and MD5", &file(&[&signed(&by_rsa, md5_rsa()), &by_rsa]), weak_digest),
        ] {
            let title = match (on_proxies == FULL, on_certificates == FULL) {
                (true, _) => "proxies",
                (_, true) => "certificates",
                _ => "attributes",
            };
            let bend = |policy: &mut Credentials| {
                policy.proxy_types.push(ProxyType::Legacy);
                match title {
                    "proxies" => policy.proxy_digests.push(Digest::Sha1),
                    "certificates" => policy.digests.push(Digest::Sha1),
                    _ => policy.ac_digests.push(Digest::Sha1),
                }
            };
            case(verdict_with(&site, file, bend), expected, format!("SHA-1 allowed on {title}: {what}"));
        }
    };
    let untrusted = "voms.ac-untrusted";
    rows(FULL, weak_digest, untrusted, false);
    rows(weak_digest, FULL, untrusted, true);
    rows(weak_digest, weak_digest, FULL, false);
    let strict = |c: &mut Credentials| c.proxy_digests = vec![Digest::Sha512];
    expect_as(
        "only SHA-512 allowed: ",
        &site,
        vec![("a proxy with SHA-256", file(&[&proxy(&w.alice, 1), &w.alice]), "credential.weak-digest")],
        strict,
    );
    let sha224 = file(&[&signed(&w.alice, ecdsa(1, MessageDigest::sha224())), &w.alice]);
    expect_as("SHA-224 allowed: ", &site, vec![("ECDSA and SHA-224", sha224, FULL)], |c| {
        c.proxy_digests.push(Digest::Sha224)
    });
    let of_rsa = file(&[&proxy(&by_rsa, 1), &by_rsa]);
    expect_as("3072 bits at least: ", &site, vec![("RSA with 2048 bits", of_rsa, "credential.weak-key")], |c| {
        c.min_rsa_bits = 3072
    });
    let old_root = root(ROOT, rsa(), |s| s.algorithm = sha1_rsa());
    let alice = eec(ALICE, key(whose::ALICE), &old_root, |_| {});
    let site = Site::empty();
    site.ca(&old_root, &[]);
    let hash = hash(&old_root.der);
    site.put(&format!("{hash}.r0"), &crl(&old_root, &[], |c| c.algorithm = sha256_rsa()));
    case(verdict(&site, &file(&[&proxy(&alice, 1), &alice])), FULL, "an anchor's own signature is not judged");
}

#[test]
fn a_weak_digest_or_key_is_said_in_words_with_the_option_that_it_is_about() {
    let w = World::new();
    let site = w.site();
    let said = |file: &[u8], bend: &dyn Fn(&mut Credentials)| {
        let refusal = ask(&site, &user(file), bend).unwrap_err();
        format!("{} {}", refusal.sentence(), refusal.reason().code())
    };
    let sha1 = |s: &mut Spec| s.algorithm = sha1_ecdsa();
    let of_proxy = said(&file(&[&below(&w.alice, 1, sha1), &w.alice]), &defaults);
    assert!(of_proxy.contains("signed with SHA-1, which is not accepted here (proxy_digests)"), "{of_proxy}");
    let alice = eec(ALICE, key(whose::ALICE), &w.root, sha1);
    let of_user = said(&file(&[&proxy(&alice, 1), &alice]), &defaults);
    assert!(of_user.contains("signed with SHA-1, which is not accepted here (digests)"), "{of_user}");
    let attributes = ac(&w.alice, &w.server, &["/testvo"], |a| a.algorithm = sha1_ecdsa());
    let of_server = said(&file(&[&voms_proxy(&w.alice, 1, &[attributes]), &w.alice]), &defaults);
    assert!(of_server.contains("signed with SHA-1, which is not accepted here (ac_digests)"), "{of_server}");
    let by_rsa = eec(ALICE, rsa(), &w.root, |_| {});
    let md5 = said(&file(&[&below(&by_rsa, 1, |s| s.algorithm = md5_rsa()), &by_rsa]), &defaults);
    assert!(md5.contains("signed with MD5,"), "{md5}");
    let short = Cert { key: weak(), ..below(&w.alice, 1, |s| s.spki = weak().public_key_to_der().unwrap()) };
    let of_key = said(&file(&[&short, &w.alice]), &|c| c.min_proxy_rsa_bits = 2048);
    assert!(of_key.contains("an RSA key of 1024 bits is too short (min_proxy_rsa_bits = 2048)"), "{of_key}");
    let by_weak = eec(ALICE, weak(), &w.root, |_| {});
    let of_user = said(&file(&[&proxy(&by_weak, 1), &by_weak]), &defaults);
    assert!(
        of_user.contains("CN=Alice) cannot be accepted: an RSA key of 1024 bits is too short (min_rsa_bits = 2048)"),
        "{of_user}"
    );
    let pilot = file(&[&short, &w.alice]);
    let good = file(&[&proxy(&w.alice, 1), &w.alice]);
    let question = Question { pilot: Some(&pilot), ..user(&good) };
    assert_eq!(ask(&site, &question, defaults).unwrap().pilot.unwrap().subject.as_str(), ALICE);
}

pub fn names_that_look_alike_are_different_people() {
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
        (name("/O=x/CN=ALICE"), "/O=x/CN=ALICE FullProxy"),
        (name("/O=x/CN= Alice "), "/O=x/CN= Alice  FullProxy"),
        (name("/O=x/CN=C++"), "/O=x/CN=C++ FullProxy"),
        (name("/O=x/CN=http:////www.x.org"), "/O=x/CN=http://www.x.org FullProxy"),
        (name("/O=x/CN=a\\b"), "/O=x/CN=a\\\\b FullProxy"),
        (name("/O=x/CN=Bob//emailAddress=a@b"), "/O=x/CN=Bob\\/emailAddress=a@b FullProxy"),
        (name("/1.2.3.4=x/CN=y"), "/1.2.3.4=x/CN=y FullProxy"),
        (seq(&[rdn(&[attribute("CN", 0x1e, b"\x00J\x00\xfc")])]), "/CN=Jü FullProxy"),
        (seq(&[rdn(&[attribute("C", 0x13, b"IT")]), rdn(&[attribute("CN", 0x16, b"x")])]), "/C=IT/CN=x FullProxy"),
    ] {
        case(who(subject), &expected, expected);
    }
}
