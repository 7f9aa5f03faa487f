//! Files and directories made to cost as much as possible.

use super::der::*;
use super::site::*;
use super::*;

/// Something hostile, and what has to be said about it.
pub struct Hostile {
    pub name: &'static str,
    pub site: Site,
    pub user: Vec<u8>,
    pub source: Option<Vec<u8>>,
    pub expected: &'static str,
}

/// A key on the slowest of the curves.
fn slow(number: usize) -> Key {
    static KEYS: OnceLock<Vec<PKey<Private>>> = OnceLock::new();
    &KEYS.get_or_init(|| (0..20).map(|_| curve(Nid::SECP521R1)).collect())[number]
}

fn slow_signature(spec: &mut Spec) {
    spec.algorithm = ecdsa(4, MessageDigest::sha512());
}

/// A number of so many octets that is odd and as long as it can be.
fn long(octets: usize) -> Vec<u8> {
    [vec![0], vec![0xff; octets]].concat()
}

/// An RSA key, with the exponent that costs most, whose owner nobody is.
pub fn nobodys_rsa(octets: usize) -> Vec<u8> {
    let key = seq(&[tlv(2, &long(octets)), tlv(2, &[0, 0xff, 0xff, 0xff, 0xff])]);
    seq(&[seq(&[oid("1.2.840.113549.1.1.1"), null()]), bits(&key)])
}

/// CAs of two names in turn, each with as many false ones of the same name before it: `signer` signs everything. The walk
/// tries them all, again and again.
pub fn maze(world: &World, signer: Key, spec: impl Fn(&mut Spec)) -> Vec<u8> {
    let names = ["/DC=org/DC=example/CN=Maze 1", "/DC=org/DC=example/CN=Maze 2"];
    let ca = |own: usize, number: u8, spki: Vec<u8>| {
        sub(names[own], signer, &world.root, |s| {
            s.issuer = name(names[1 - own]);
            s.signer = signer;
            s.serial = vec![0x50 + number];
            s.algorithm = algorithm(signer);
            s.spki = spki;
            spec(s);
        })
    };
    let own = signer.public_key_to_der().unwrap();
    let alice = eec(ALICE, key(whose::ALICE), &world.root, |s| {
        s.issuer = name(names[0]);
        s.signer = signer;
        s.algorithm = algorithm(signer);
        spec(s);
    });
    let mut chain = vec![alice];
    for number in 0..7 {
        let other = slow(usize::from(number) + 1).public_key_to_der().unwrap();
        let other = if signer.id() == openssl::pkey::Id::RSA { nobodys_rsa(signer.size()) } else { other };
        chain.extend([ca(0, number, other.clone()), ca(1, number, other)]);
    }
    chain.extend([ca(0, 20, own.clone()), ca(1, 20, own.clone()), ca(0, 21, own.clone()), ca(1, 21, own)]);
    file(&chain.iter().collect::<Vec<_>>())
}

/// A CRL of a megabyte.
pub fn large_crl(ca: &Cert, entries: u32, bend: impl FnOnce(&mut Crl)) -> Vec<u8> {
    crl(ca, &[], |c| {
        c.revoked = (0..entries).map(|n| [vec![0x41; 16], n.to_be_bytes().to_vec()].concat()).collect();
        bend(c);
    })
}

pub fn all() -> Vec<Hostile> {
    let w = World::new();
    let good = file(&[&proxy(&w.alice, 1), &w.alice]);
    let crl_name = format!("{}.r0", hash(&w.root.der));
    let one = |name, user, expected| Hostile { name, site: w.site(), user, source: None, expected };
    let placed = |name, files: Vec<(String, Vec<u8>)>, user: &[u8], expected| {
        let site = w.site();
        files.iter().for_each(|(file, bytes)| {
            site.put(file, bytes);
        });
        Hostile { name, site, user: user.to_vec(), source: None, expected }
    };
    let bent = |bend: &dyn Fn(&mut Spec)| file(&[&below(&w.alice, 1, |s| bend(s)), &w.alice]);
    let nested = (0..20_000).fold(null(), |inner, _| if inner.len() > 60_000 { inner } else { seq(&[inner]) });
    let long_name = |count: usize| {
        let rdns: Vec<Vec<u8>> = (0..count).map(|_| rdn(&[attribute("CN", 0x0c, &[b'a'; 900])])).collect();
        seq(&rdns)
    };
    // As many certificates as a file may have, each named by the same long name: all of them could be the issuer.
    let crowd = |count: u8| {
        let leaf = below(&w.alice, 1, |s| {
            s.signer = slow(0);
            slow_signature(s);
        });
        let decoy = |n: u8| eec(ALICE, slow(usize::from(n % 19) + 1), &w.root, |s| s.serial = vec![0x50, n]);
        let decoys: Vec<Cert> = (0..count).map(decoy).collect();
        file(&[&leaf].into_iter().chain(&decoys).collect::<Vec<_>>())
    };
    let acs: Vec<Vec<u8>> = (0..100_u8)
        .map(|n| ac(&w.alice, &w.server, &["/testvo"], |a| (a.holder_serial, a.spoil_signature) = (vec![0x31], n == 0)))
        .collect();
    let many_acs = file(&[&voms_proxy(&w.alice, 1, &acs), &w.alice]);
    let fqans: Vec<String> = (0..2000).map(|n| format!("/testvo/g{n}")).collect();
    let fqans: Vec<&str> = fqans.iter().map(String::as_str).collect();
    let many_fqans = file(&[&voms_proxy(&w.alice, 1, &[ac(&w.alice, &w.server, &fqans, |_| {})]), &w.alice]);
    let tree = |n: u16| seq(&[tlv(0xa4, &name(&format!("/DC=org/DC=example/CN=x{n}")))]);
    let constraints = |count: u16| {
        let excluded = tlv(0xa1, &(0..count).flat_map(tree).collect::<Vec<u8>>());
        extension(NAME_CONSTRAINTS, true, &seq(&[excluded]))
    };
    let constrained = |count: u16| {
        maze(&w, key(whose::SUB), |s| {
            if s.extensions.len() == 2 && s.subject != w.alice.spec.subject {
                s.extensions.push(constraints(count));
            }
        })
    };
    let purposes: Vec<Vec<u8>> = (0..9000).map(|n| oid(&format!("1.2.3.{n}"))).collect();
    let hash = hash(&w.root.der);
    let collisions: Vec<(String, Vec<u8>)> = (0..40)
        .map(|n| (format!("{hash}.{n}"), root(ROOT, slow(n % 20), |_| {}).der))
        .chain((0..40).map(|n| (format!("{hash}.r{n}"), large_crl(&w.root, 1000, |c| c.signer = slow(n % 20)))))
        .collect();
    let broken_crl = |at: usize| {
        let mut bytes = large_crl(&w.root, 25_000, |_| {});
        let at = bytes.len() * at / 100;
        bytes[at..at + 64].fill(0xff);
        vec![(crl_name.clone(), bytes)]
    };
    let malformed_inside = large_crl(&w.root, 25_000, |c| c.revoked[24_999] = vec![0, 0, 1]);
    let pem_crl =
        |entries| vec![(crl_name.clone(), pem("X509 CRL", &large_crl(&w.root, entries, |_| {})).into_bytes())];
    let far_too_long = vec![(crl_name.clone(), vec![0x30; 17 * 1024 * 1024])];
    let mut all = vec![
        one("a maze of CAs with P-521", maze(&w, slow(0), slow_signature), "credential.signature"),
        one("a maze of CAs with RSA-2048", maze(&w, rsa(), |_| {}), "credential.signature"),
        one("a maze of CAs with 64 name constraints each", constrained(64), "credential.signature"),
        one("a maze of CAs with 65 name constraints each", constrained(65), "credential.unknown-extension"),
        one("19 possible issuers with P-521", crowd(19), "credential.signature"),
        one("1000 certificates", pem_cert(&w.bob).repeat(1000)[..256 * 1024 - 400].into(), "credential.malformed"),
        one(
            "400 certificates",
            [pem_key(w.bob.key), pem_cert(&w.bob).repeat(400)].concat().into(),
            "credential.chain-too-long",
        ),
        one(
            "7000 blocks of nothing",
            "-----BEGIN X-----\n-----END X-----\n".repeat(7000).into(),
            "credential.no-certificate",
        ),
        one(
            "130,000 lines in a block",
            ["-----BEGIN CERTIFICATE-----\n", &"A\n".repeat(130_000)].concat().into(),
            "credential.malformed",
        ),
        one(
            "a private key of 16 KiB",
            keyed(&w, &rsa_private(&long(2000), &long(2000), &long(2000))),
            "credential.key-mismatch",
        ),
        one(
            "a private exponent of 100,000 bits",
            {
                let n = rsa().rsa().unwrap().n().to_vec();
                keyed(&w, &rsa_private(&[vec![0], n].concat(), &long(12_500), &long(16)))
            },
            "credential.malformed",
        ),
        one(
            "values nested 20,000 deep",
            bent(&|s| s.extensions.push(extension(BASIC_CONSTRAINTS, true, &nested))),
            "credential.malformed",
        ),
        one("a nested unknown extension", bent(&|s| s.extensions.push(extension("1.2.3", false, &nested))), FULL_ALICE),
        one(
            "40 extensions of 2 KiB",
            bent(&|s| s.extensions.extend((0..38).map(|n| extension(&format!("1.2.3.{n}"), false, &[0; 2048])))),
            FULL_ALICE,
        ),
        one(
            "9000 purposes",
            bent(&|s| s.extensions.push(extension("2.5.29.37", true, &seq(&purposes)))),
            "credential.purpose",
        ),
        one("a name of 60 KiB", bent(&|s| s.subject = long_name(60)), "credential.bad-name"),
        one(
            "a name of 30,000 attributes",
            bent(&|s| s.subject = seq(&[rdn(&vec![attribute("CN", 0x0c, b"a"); 5000])])),
            "credential.malformed",
        ),
        one("100 attribute certificates", many_acs, "voms.ac-signature"),
        one("2000 FQANs", many_fqans, "voms.ac-malformed"),
        placed("40 CAs and CRLs of one hash", collisions, &good, "credential.signature"),
        placed(
            "a CRL of 25,000 entries",
            vec![(crl_name.clone(), large_crl(&w.root, 25_000, |_| {}))],
            &good,
            FULL_ALICE,
        ),
        placed("a CRL of 25,000 entries in PEM", pem_crl(25_000), &good, FULL_ALICE),
        placed("a CRL of 250,000 entries in PEM", pem_crl(250_000), &good, FULL_ALICE),
        placed("a CRL that is broken at its head", broken_crl(0), &good, "trust.crl-invalid"),
        placed("a CRL that is broken in its middle", broken_crl(50), &good, "trust.crl-invalid"),
        placed(
            "a CRL whose last entry is malformed",
            vec![(crl_name.clone(), malformed_inside)],
            &good,
            "trust.crl-invalid",
        ),
        placed("a CRL of 17 MiB of nonsense", far_too_long, &good, "trust.unreadable"),
    ];
    let source = Some(maze(&w, slow(0), slow_signature));
    all.push(Hostile {
        name: "a maze as the source proxy",
        site: w.site(),
        user: good,
        source,
        expected: "credential.signature",
    });
    all
}

const FULL_ALICE: &str = "/DC=org/DC=example/CN=Alice FullProxy";

/// A PKCS #1 key of one's own making.
fn rsa_private(modulus: &[u8], private: &[u8], other: &[u8]) -> Vec<u8> {
    let numbers = [&[0][..], modulus, &[1, 0, 1], private, other, other, other, other, other];
    seq(&numbers.map(|number| tlv(2, number)))
}

/// A proxy with the certificate's key RSA and a private key of one's own making.
fn keyed(world: &World, private: &[u8]) -> Vec<u8> {
    let leaf = below(&world.alice, 1, |s| s.spki = rsa().public_key_to_der().unwrap());
    [pem_cert(&leaf), pem("RSA PRIVATE KEY", private), pem_cert(&world.alice)].concat().into_bytes()
}
