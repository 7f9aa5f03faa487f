//! Forged signatures of every known kind, made with our own keys: none is accepted. The kinds are those that collections
//! of attacks on RSA PKCS #1 v1.5 and ECDSA know (Bleichenbacher's of 2006 and its variants, CVE-2006-4339, CVE-2014-1568,
//! CVE-2022-21449, CVE-2020-0601 and what encodings allow).

#![forbid(unsafe_code)]
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "tests may")]

use crate::x509::certificate::{Algorithm, Signed};
use crate::x509::digest;
use crate::x509::key::{self, Fault};
use der::oid::ObjectIdentifier;
use glexec_core::credentials::{Credentials, Digest};
use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Signer};

const BODY: &[u8] = b"what is signed";
const DIGESTS: [Digest; 5] = [Digest::Sha1, Digest::Sha224, Digest::Sha256, Digest::Sha384, Digest::Sha512];

/// What the table is judged with: every digest that there is, so that only the signature can be wrong.
fn policy() -> Credentials {
    Credentials { digests: DIGESTS.to_vec(), min_rsa_bits: 1024, ..Credentials::default() }
}

fn verdict(algorithm: &str, parameters: &[u8], signature: &[u8], spki: &[u8]) -> Result<(), Fault> {
    let algorithm = Algorithm { oid: ObjectIdentifier::new_unwrap(algorithm), parameters: parameters.to_vec() };
    key::verify(
        &Signed { body: BODY.to_vec(), algorithm, signature: signature.to_vec() },
        key::On::Certificate,
        spki,
        &policy(),
    )
}

/// DER of one value, with its length in the shortest form.
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = match value.len() {
        short @ 0..=127 => vec![u8::try_from(short).unwrap()],
        long @ 128..=255 => vec![0x81, u8::try_from(long).unwrap()],
        longer => [&[0x82][..], &u16::try_from(longer).unwrap().to_be_bytes()].concat(),
    };
    [&[tag][..], &length, value].concat()
}

const SHA256_WITH_RSA: &str = "1.2.840.113549.1.1.11";
const NULL: &[u8] = &[5, 0];
const SHA256: &[u8] = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01";

/// A block of a signature: two octets, padding, a separator, and what follows; of the modulus's length if nothing is
/// wrong with it.
struct Block<'a> {
    first: [u8; 2],
    padding: Vec<u8>,
    separator: &'a [u8],
    info: Vec<u8>,
    garbage: Vec<u8>,
}

impl Block<'_> {
    fn octets(&self) -> Vec<u8> {
        [&self.first[..], &self.padding, self.separator, &self.info, &self.garbage].concat()
    }
}

/// A good block around an info, for a modulus of so many octets.
fn block(size: usize, info: &[u8]) -> Block<'static> {
    let padding = vec![0xff; size - 3 - info.len()];
    Block { first: [0, 1], padding, separator: &[0], info: info.to_vec(), garbage: Vec::new() }
}

/// Blocks that are not the one of the digest, each with what is wrong.
fn bad_blocks(size: usize) -> Vec<(&'static str, Vec<u8>)> {
    let hash = digest::of(Digest::Sha256, BODY);
    let good = [digest::info(Digest::Sha256), &hash].concat();
    let info = |oid: &[u8], parameters: &[u8], hash: &[u8]| {
        tlv(0x30, &[tlv(0x30, &[oid, parameters].concat()), tlv(4, hash)].concat())
    };
    let whole = |info: &[u8]| block(size, info).octets();
    // Bleichenbacher: the padding is short, and there is room after the digest for whatever makes a cube.
    let garbage = |length: usize, inside: fn(&mut Block<'_>)| {
        let mut bad = block(size, &good);
        bad.padding.truncate(bad.padding.len() - length);
        bad.garbage = vec![0x5a; length];
        inside(&mut bad);
        bad.octets()
    };
    let shorter = size - 3 - good.len();
    let mut blocks = vec![
        ("garbage after the digest", garbage(8, |_| {})),
        ("all padding is garbage after the digest but eight octets", garbage(shorter - 8, |_| {})),
        ("no padding, all is garbage after the digest", garbage(shorter, |_| {})),
        ("zeros after the digest", garbage(4, |bad| bad.garbage.fill(0))),
        ("type two", whole(&good).iter().enumerate().map(|(at, octet)| if at == 1 { 2 } else { *octet }).collect()),
        ("type zero", whole(&good).iter().enumerate().map(|(at, octet)| if at == 1 { 0 } else { *octet }).collect()),
        ("no separator", [&[0, 1][..], &vec![0xff; size - 2 - good.len()], &good].concat()),
        ("two separators", [&[0, 1][..], &vec![0xff; size - 4 - good.len()], &[0, 0], &good].concat()),
        ("a zero in the padding", {
            let mut bad = block(size, &good);
            bad.padding[3] = 0;
            bad.octets()
        }),
        ("padding of zeros", {
            let mut bad = block(size, &good);
            bad.padding.fill(0);
            bad.octets()
        }),
        ("padding that ends with 01", {
            let mut bad = block(size, &good);
            *bad.padding.last_mut().unwrap() = 1;
            bad.octets()
        }),
        ("no DigestInfo", whole(&hash)),
        ("no NULL", whole(&info(SHA256, &[], &hash))),
        ("NULL twice", whole(&info(SHA256, &[5, 0, 5, 0], &hash))),
        ("NULL with content", whole(&info(SHA256, &[5, 2, 0xbe, 0xef], &hash))),
        ("NULL with a long length", whole(&info(SHA256, &[5, 0x81, 0], &hash))),
        ("parameters that are a sequence", whole(&info(SHA256, &[0x30, 0], &hash))),
        ("parameters with garbage", whole(&info(SHA256, &tlv(4, &[0x5a; 12]), &hash))),
        ("the OID of another digest", whole(&info(b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02", NULL, &hash))),
        ("an OID with a bit changed", whole(&info(b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x41", NULL, &hash))),
        ("an OID with an arc more", whole(&info(b"\x06\x0a\x60\x86\x48\x01\x65\x03\x04\x02\x01\x01", NULL, &hash))),
        ("an OID of no arc", whole(&info(&[6, 0], NULL, &hash))),
        ("the digest cut by one", whole(&info(SHA256, NULL, &hash[..31]))),
        ("the digest cut to nothing", whole(&info(SHA256, NULL, &[]))),
        ("the digest with an octet more", whole(&info(SHA256, NULL, &[&hash[..], &[0]].concat()))),
        ("the digest with a zero before it", whole(&info(SHA256, NULL, &[&[0], &hash[..]].concat()))),
        ("the digest of nothing", whole(&info(SHA256, NULL, &digest::of(Digest::Sha256, b"")))),
        ("the digest of the digest", whole(&info(SHA256, NULL, &digest::of(Digest::Sha256, &hash)))),
        ("the digest in another type", {
            whole(&tlv(0x30, &[tlv(0x30, &[SHA256, NULL].concat()), tlv(0x24, &hash)].concat()))
        }),
        ("another value after the digest", {
            whole(&tlv(0x30, &[tlv(0x30, &[SHA256, NULL].concat()), tlv(4, &hash), NULL.to_vec()].concat()))
        }),
        ("a long length of the sequence", whole(&[&[0x30, 0x81, 0x31], &good[2..]].concat())),
        ("an indefinite length", whole(&[&[0x30, 0x80], &good[2..], &[0, 0]].concat())),
        ("a length that ends before the digest does", {
            let mut bad = good.clone();
            bad[1] -= 1;
            whole(&bad)
        }),
        ("a length of the digest that goes beyond it", {
            let mut bad = good.clone();
            bad[18] += 1;
            whole(&bad)
        }),
        ("zeros alone", vec![0; size]),
        ("one", [vec![0; size - 1], vec![1]].concat()),
        ("padding alone", [&[0, 1][..], &vec![0xff; size - 3], &[0]].concat()),
        ("padding alone without an end", [&[0, 1][..], &vec![0xff; size - 2]].concat()),
    ];
    for other in [Digest::Sha1, Digest::Sha224, Digest::Sha384, Digest::Sha512] {
        let other = [digest::info(other), &digest::of(other, BODY)].concat();
        if other.len() + 11 <= size {
            blocks.push(("the digest of another algorithm, well done", whole(&other)));
        }
    }
    blocks
}

fn rsa(bits: u32, exponent: u32) -> Rsa<Private> {
    Rsa::generate_with_e(bits, &BigNum::from_u32(exponent).unwrap()).unwrap()
}

fn raw(key: &Rsa<Private>, block: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; block.len()];
    key.private_encrypt(block, &mut signature, Padding::NONE).unwrap();
    signature
}

#[test]
fn no_rsa_signature_with_another_block_is_accepted() {
    for (bits, exponent) in [(1024, 3), (2048, 3), (2048, 65537), (2056, 17), (3072, 65537)] {
        let key = rsa(bits, exponent);
        let spki = PKey::from_rsa(key.clone()).unwrap().public_key_to_der().unwrap();
        let size = usize::try_from(key.size()).unwrap();
        let hash = digest::of(Digest::Sha256, BODY);
        let good = block(size, &[digest::info(Digest::Sha256), &hash].concat()).octets();
        assert_eq!(verdict(SHA256_WITH_RSA, NULL, &raw(&key, &good), &spki), Ok(()), "{bits} {exponent}");
        for (what, bad) in bad_blocks(size) {
            assert_eq!(bad.len(), size, "{what}");
            assert_ne!(bad, good, "{what}");
            let found = verdict(SHA256_WITH_RSA, NULL, &raw(&key, &bad), &spki);
            assert_eq!(found, Err(Fault::Signature), "{bits} {exponent}: {what}");
        }
        for at in 1..size {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let found = verdict(SHA256_WITH_RSA, NULL, &raw(&key, &bad), &spki);
            assert_eq!(found, Err(Fault::Signature), "{bits} {exponent}: octet {at}");
        }
    }
}

#[test]
fn no_rsa_signature_of_another_length_range_or_scheme_is_accepted() {
    let key = rsa(2048, 65537);
    let pkey = PKey::from_rsa(key.clone()).unwrap();
    let spki = pkey.public_key_to_der().unwrap();
    let good = Signer::new(MessageDigest::sha256(), &pkey).unwrap().sign_oneshot_to_vec(BODY).unwrap();
    assert_eq!(verdict(SHA256_WITH_RSA, NULL, &good, &spki), Ok(()));
    let modulus = key.n().to_vec();
    let number = BigNum::from_slice(&good).unwrap();
    let more = |n: &BigNumRef| (n + key.n()).to_vec();
    let minus = (key.n() - &number).to_vec_padded(256).unwrap();
    let pss = {
        let mut signer = Signer::new(MessageDigest::sha256(), &pkey).unwrap();
        signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
        signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).unwrap();
        signer.sign_oneshot_to_vec(BODY).unwrap()
    };
    let stranger = Signer::new(MessageDigest::sha256(), &PKey::from_rsa(rsa(2048, 65537)).unwrap())
        .unwrap()
        .sign_oneshot_to_vec(BODY)
        .unwrap();
    let table = [
        ("nothing", vec![]),
        ("one zero", vec![0]),
        ("zeros", vec![0; 256]),
        ("one", [vec![0; 255], vec![1]].concat()),
        ("all ones", vec![0xff; 256]),
        ("the modulus", modulus.clone()),
        ("the modulus less one", (key.n() - &BigNum::from_u32(1).unwrap()).to_vec()),
        ("the modulus and one", (key.n() + &BigNum::from_u32(1).unwrap()).to_vec()),
        ("the negative", minus),
        ("the modulus added", more(&number)),
        ("a zero before it", [&[0], &good[..]].concat()),
        ("a zero after it", [&good[..], &[0]].concat()),
        ("an octet after it", [&good[..], &[7]].concat()),
        ("the last octet cut", good[..255].to_vec()),
        ("the first octet cut", good[1..].to_vec()),
        ("half of it", good[..128].to_vec()),
        ("twice", [&good[..], &good].concat()),
        ("from behind", good.iter().rev().copied().collect()),
        ("wrapped as an octet string", tlv(4, &good)),
        ("the block itself", {
            block(256, &[digest::info(Digest::Sha256), &digest::of(Digest::Sha256, BODY)].concat()).octets()
        }),
        ("PSS", pss),
        ("another key's", stranger),
    ];
    for (what, bad) in table {
        assert_eq!(verdict(SHA256_WITH_RSA, NULL, &bad, &spki), Err(Fault::Signature), "{what}");
    }
    // A signature whose number is small has zeros before it, which belong to it: without them it is none.
    let short = (0..4096_u32).find_map(|salt| {
        let body = salt.to_be_bytes();
        let signature = Signer::new(MessageDigest::sha256(), &pkey).unwrap().sign_oneshot_to_vec(&body).unwrap();
        (signature[0] == 0).then_some((body, signature))
    });
    let (body, signature) = short.expect("one signature in 256 begins with a zero");
    let judged = |signature: &[u8]| {
        let oid = ObjectIdentifier::new_unwrap(SHA256_WITH_RSA);
        let algorithm = Algorithm { oid, parameters: NULL.to_vec() };
        key::verify(
            &Signed { body: body.to_vec(), algorithm, signature: signature.to_vec() },
            key::On::Certificate,
            &spki,
            &policy(),
        )
    };
    assert_eq!(judged(&signature), Ok(()));
    assert_eq!(judged(&signature[1..]), Err(Fault::Signature));
}

#[test]
fn an_algorithm_with_parameters_that_it_must_not_have_or_of_another_key_is_not_accepted() {
    let key = PKey::from_rsa(rsa(2048, 65537)).unwrap();
    let spki = key.public_key_to_der().unwrap();
    let good = Signer::new(MessageDigest::sha256(), &key).unwrap().sign_oneshot_to_vec(BODY).unwrap();
    for parameters in [&[5, 1, 0][..], &[5, 0x81, 0], &[0x30, 0], &[5, 0, 5, 0], &[0]] {
        let found = verdict(SHA256_WITH_RSA, parameters, &good, &spki);
        assert!(matches!(found, Err(Fault::WeakDigest(_))), "{parameters:?}");
    }
    for oid in ["1.2.840.113549.1.1.1", "1.2.840.113549.1.1.4", "1.2.840.113549.1.1.10", "1.3.101.112", "1.2.3"] {
        assert!(matches!(verdict(oid, NULL, &good, &spki), Err(Fault::WeakDigest(_))), "{oid}");
    }
    for oid in ["1.2.840.10045.4.3.2", "1.2.840.10045.4.1"] {
        assert_eq!(verdict(oid, &[], &good, &spki), Err(Fault::Signature), "{oid}");
    }
    for oid in ["1.2.840.113549.1.1.5", "1.2.840.113549.1.1.14", "1.2.840.113549.1.1.12", "1.2.840.113549.1.1.13"] {
        assert_eq!(verdict(oid, NULL, &good, &spki), Err(Fault::Signature), "{oid}");
    }
}

const CURVES: [(Nid, usize); 3] = [(Nid::X9_62_PRIME256V1, 32), (Nid::SECP384R1, 48), (Nid::SECP521R1, 66)];

fn ec(nid: Nid) -> EcKey<Private> {
    EcKey::generate(&EcGroup::from_curve_name(nid).unwrap()).unwrap()
}

fn algorithm(digest: Digest) -> &'static str {
    match digest {
        Digest::Sha1 => "1.2.840.10045.4.1",
        Digest::Sha224 => "1.2.840.10045.4.3.1",
        Digest::Sha256 => "1.2.840.10045.4.3.2",
        Digest::Sha384 => "1.2.840.10045.4.3.3",
        Digest::Sha512 => "1.2.840.10045.4.3.4",
    }
}

/// An INTEGER as DER has it.
fn integer(number: &BigNumRef) -> Vec<u8> {
    let octets = number.to_vec();
    let zero = octets.first().is_none_or(|first| *first >= 0x80);
    tlv(2, &[&vec![0; usize::from(zero)][..], &octets].concat())
}

#[test]
fn ecdsa_signatures_with_any_digest_on_any_curve_are_verified_and_no_other_s() {
    for (nid, _) in CURVES {
        let (key, strange) = (ec(nid), ec(nid));
        let spki = |key: &EcKey<Private>| PKey::from_ec_key(key.clone()).unwrap().public_key_to_der().unwrap();
        for digest in DIGESTS {
            let signature = EcdsaSig::sign(&digest::of(digest, BODY), &key).unwrap();
            let der = signature.to_der().unwrap();
            assert_eq!(verdict(algorithm(digest), &[], &der, &spki(&key)), Ok(()), "{nid:?} {digest:?}");
            assert_eq!(verdict(algorithm(digest), &[], &der, &spki(&strange)), Err(Fault::Signature));
            for other in DIGESTS.into_iter().filter(|other| *other != digest) {
                let found = verdict(algorithm(other), &[], &der, &spki(&key));
                assert_eq!(found, Err(Fault::Signature), "{nid:?}: {digest:?} for {other:?}");
            }
            assert!(matches!(verdict(algorithm(digest), NULL, &der, &spki(&key)), Err(Fault::WeakDigest(_))));
        }
    }
}

#[test]
fn no_ecdsa_signature_with_numbers_out_of_range_is_accepted() {
    for (nid, size) in CURVES {
        let key = ec(nid);
        let spki = PKey::from_ec_key(key.clone()).unwrap().public_key_to_der().unwrap();
        let good = EcdsaSig::sign(&digest::of(Digest::Sha256, BODY), &key).unwrap();
        let copy = |number: &BigNumRef| number.to_owned().unwrap();
        let (r, s) = (copy(good.r()), copy(good.s()));
        let mut context = BigNumContext::new().unwrap();
        let (mut n, mut p) = (BigNum::new().unwrap(), BigNum::new().unwrap());
        key.group().order(&mut n, &mut context).unwrap();
        let (mut a, mut b) = (BigNum::new().unwrap(), BigNum::new().unwrap());
        key.group().components_gfp(&mut p, &mut a, &mut b, &mut context).unwrap();
        let small = |n: u32| BigNum::from_u32(n).unwrap();
        let whole = |r: &BigNumRef, s: &BigNumRef| tlv(0x30, &[integer(r), integer(s)].concat());
        assert_eq!(verdict(algorithm(Digest::Sha256), &[], &whole(&r, &s), &spki), Ok(()), "{nid:?}");
        let long = &n << i32::try_from(8 * size).unwrap();
        // CVE-2022-21449 is zero and zero; what is congruent to a good number is not that number.
        let strange = [small(0), small(1), small(2), &n - &small(1), &n + &small(0), &n + &small(1), p, long];
        let mut table: Vec<(BigNum, BigNum)> = Vec::new();
        for x in &strange {
            for y in &strange {
                table.push((copy(x), copy(y)));
            }
            table.push((copy(x), copy(&s)));
            table.push((copy(&r), copy(x)));
        }
        table.push((&r + &n, copy(&s)));
        table.push((copy(&r), &s + &n));
        table.push((&n - &r, copy(&s)));
        table.push((copy(&s), copy(&r)));
        for (r, s) in &table {
            let found = verdict(algorithm(Digest::Sha256), &[], &whole(r, s), &spki);
            assert_eq!(found, Err(Fault::Signature), "{nid:?}: {r} {s}");
        }
    }
}

#[test]
fn no_other_encoding_of_an_ecdsa_signature_is_accepted() {
    for (nid, size) in CURVES {
        let key = ec(nid);
        let spki = PKey::from_ec_key(key.clone()).unwrap().public_key_to_der().unwrap();
        let good = EcdsaSig::sign(&digest::of(Digest::Sha256, BODY), &key).unwrap();
        let (r, s) = (integer(good.r()), integer(good.s()));
        let plain = |number: &BigNumRef| number.to_vec_padded(i32::try_from(size).unwrap()).unwrap();
        let both = tlv(0x30, &[&r[..], &s].concat());
        let long = |tlv: &[u8]| [&tlv[..1], &[0x82, 0, tlv[1]], &tlv[2..]].concat();
        let zero = |number: &BigNumRef| tlv(2, &[&[0, 0][..], &plain(number)].concat());
        // The number's top bit makes it negative where no zero comes before it.
        let negative = |number: &BigNumRef| tlv(2, &[&[0x80 | plain(number)[0]][..], &plain(number)[1..]].concat());
        let table = [
            ("nothing", vec![]),
            ("an empty sequence", tlv(0x30, &[])),
            ("one number", tlv(0x30, &r)),
            ("three numbers", tlv(0x30, &[&r[..], &s, &r].concat())),
            ("an empty number", tlv(0x30, &[&tlv(2, &[])[..], &s].concat())),
            ("two empty numbers", tlv(0x30, &[tlv(2, &[]), tlv(2, &[])].concat())),
            ("superfluous zeros in r", tlv(0x30, &[zero(good.r()), s.clone()].concat())),
            ("superfluous zeros in s", tlv(0x30, &[r.clone(), zero(good.s())].concat())),
            ("a negative r", tlv(0x30, &[negative(good.r()), s.clone()].concat())),
            ("a negative s", tlv(0x30, &[r.clone(), negative(good.s())].concat())),
            ("a long length of r", tlv(0x30, &[long(&r), s.clone()].concat())),
            ("a long length of s", tlv(0x30, &[r.clone(), long(&s)].concat())),
            ("an indefinite length", [&[0x30, 0x80], &r[..], &s, &[0, 0]].concat()),
            ("something after it", [&both[..], &[0]].concat()),
            ("another value after it", [&both[..], &[5, 0]].concat()),
            ("something before it", [&[0], &both[..]].concat()),
            ("the last octet cut", both[..both.len() - 1].to_vec()),
            ("a set", tlv(0x31, &[&r[..], &s].concat())),
            ("numbers as octet strings", tlv(0x30, &[tlv(4, &r[2..]), tlv(4, &s[2..])].concat())),
            ("numbers as enumerated", tlv(0x30, &[tlv(10, &r[2..]), tlv(10, &s[2..])].concat())),
            ("NULL for r", tlv(0x30, &[NULL, &s].concat())),
            ("true and true", tlv(0x30, &[1, 1, 0xff, 1, 1, 0xff])),
            ("numbers without DER (IEEE P1363)", [plain(good.r()), plain(good.s())].concat()),
            ("wrapped once more", tlv(0x30, &both)),
        ];
        assert_eq!(verdict(algorithm(Digest::Sha256), &[], &both, &spki), Ok(()), "{nid:?}");
        for (what, bad) in table {
            let found = verdict(algorithm(Digest::Sha256), &[], &bad, &spki);
            assert_eq!(found, Err(Fault::Signature), "{nid:?}: {what}");
        }
        for at in 0..both.len() {
            for bit in 0..8 {
                let mut bad = both.clone();
                bad[at] ^= 1 << bit;
                let found = verdict(algorithm(Digest::Sha256), &[], &bad, &spki);
                assert_eq!(found, Err(Fault::Signature), "{nid:?}: octet {at}, bit {bit}");
            }
        }
    }
}

#[test]
fn no_public_key_but_an_uncompressed_point_on_its_curve_is_accepted() {
    for (nid, size) in CURVES {
        let key = ec(nid);
        let pkey = PKey::from_ec_key(key.clone()).unwrap();
        let spki = pkey.public_key_to_der().unwrap();
        let length = 2 * size + 1;
        let (head, point) = spki.split_at(spki.len() - length);
        let signature = EcdsaSig::sign(&digest::of(Digest::Sha256, BODY), &key).unwrap().to_der().unwrap();
        let judged = |point: &[u8]| {
            // The same length is kept, so that only the point is another.
            verdict(algorithm(Digest::Sha256), &[], &signature, &[head, point].concat())
        };
        assert_eq!(judged(point), Ok(()));
        let (x, y) = point[1..].split_at(size);
        let mut context = BigNumContext::new().unwrap();
        let (mut p, mut a, mut b) = (BigNum::new().unwrap(), BigNum::new().unwrap(), BigNum::new().unwrap());
        key.group().components_gfp(&mut p, &mut a, &mut b, &mut context).unwrap();
        let p = p.to_vec_padded(i32::try_from(size).unwrap()).unwrap();
        let beside = |octets: &[u8], add: u8| {
            let mut octets = octets.to_vec();
            let last = octets.last_mut().unwrap();
            *last ^= add;
            octets
        };
        let table = [
            ("beside the curve, y", [&[4], x, &beside(y, 1)].concat()),
            ("beside the curve, x", [&[4][..], &beside(x, 1), y].concat()),
            ("the origin", [&[4][..], &vec![0; 2 * size]].concat()),
            ("x and y are p", [&[4][..], &p, &p].concat()),
            ("y is p", [&[4], x, &p].concat()),
            ("all ones", [&[4][..], &vec![0xff; 2 * size]].concat()),
            ("x and y changed places", [&[4], y, x].concat()),
            ("hybrid, even", [&[6], x, y].concat()),
            ("hybrid, odd", [&[7], x, y].concat()),
            ("a compressed point and zeros", [&[2], x, &vec![0; size]].concat()),
            ("infinity and zeros", vec![0; length]),
        ];
        for (what, bad) in table {
            let found = judged(&bad);
            assert!(matches!(found, Err(Fault::Malformed(_) | Fault::WeakKey(_))), "{nid:?}: {what}: {found:?}");
        }
        // Encodings of another length, with the lengths around them put right.
        let group = key.group();
        let compressed = key.public_key().to_bytes(group, PointConversionForm::COMPRESSED, &mut context).unwrap();
        let infinity = EcPoint::new(group).unwrap();
        let infinity = infinity.to_bytes(group, PointConversionForm::UNCOMPRESSED, &mut context).unwrap();
        // The outer header has two or three octets; the AlgorithmIdentifier that follows says its own length.
        let from = if spki[1] < 0x80 { 2 } else { 3 };
        let of_key = &spki[from..from + 2 + usize::from(spki[from + 1])];
        for (what, bad) in [
            ("compressed", compressed),
            ("infinity", infinity),
            ("empty", vec![]),
            ("a zero more", [point, &[0]].concat()),
            ("cut", point[..length - 1].to_vec()),
        ] {
            let rest = tlv(3, &[&[0][..], &bad].concat());
            let whole = tlv(0x30, &[of_key, &rest].concat());
            let found = verdict(algorithm(Digest::Sha256), &[], &signature, &whole);
            assert!(matches!(found, Err(Fault::Malformed(_) | Fault::WeakKey(_))), "{nid:?}: {what}: {found:?}");
        }
    }
}
