//! Digests, computed by libcrypto's own functions: its EVP interface starts providers and fetches algorithms first,
//! which costs a process half a millisecond.

#![forbid(unsafe_code)]

use crate::config::credentials::Digest;
use openssl::sha::{Sha1, Sha224, Sha256, Sha384, Sha512};

macro_rules! hash {
    ($hasher:ty, $bytes:expr) => {{
        let mut hasher = <$hasher>::new();
        hasher.update($bytes);
        hasher.finish().to_vec()
    }};
}

/// The digest of some bytes.
pub fn of(digest: Digest, bytes: &[u8]) -> Vec<u8> {
    match digest {
        Digest::Sha1 => hash!(Sha1, bytes),
        Digest::Sha224 => hash!(Sha224, bytes),
        Digest::Sha256 => hash!(Sha256, bytes),
        Digest::Sha384 => hash!(Sha384, bytes),
        Digest::Sha512 => hash!(Sha512, bytes),
    }
}

/// What stands before a digest in an RSA signature: the DER of a DigestInfo up to the digest's bytes (RFC 8017 section
/// 9.2, note 1).
pub fn info(digest: Digest) -> &'static [u8] {
    match digest {
        Digest::Sha1 => b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
        Digest::Sha224 => b"\x30\x2d\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x04\x05\x00\x04\x1c",
        Digest::Sha256 => b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
        Digest::Sha384 => b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
        Digest::Sha512 => b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::hash::{MessageDigest, hash};
    use openssl::pkey::PKey;
    use openssl::rsa::{Padding, Rsa};
    use openssl::sign::Signer;

    const ALL: [Digest; 5] = [Digest::Sha1, Digest::Sha224, Digest::Sha256, Digest::Sha384, Digest::Sha512];

    fn evp(digest: Digest) -> MessageDigest {
        match digest {
            Digest::Sha1 => MessageDigest::sha1(),
            Digest::Sha224 => MessageDigest::sha224(),
            Digest::Sha256 => MessageDigest::sha256(),
            Digest::Sha384 => MessageDigest::sha384(),
            Digest::Sha512 => MessageDigest::sha512(),
        }
    }

    #[test]
    fn digests_are_those_of_the_evp_interface() {
        for digest in ALL {
            assert_eq!(of(digest, b"glexec"), hash(evp(digest), b"glexec").unwrap().to_vec(), "{digest:?}");
        }
    }

    #[test]
    fn what_precedes_a_digest_is_what_openssl_signs() {
        let rsa = Rsa::generate(2048).unwrap();
        let key = PKey::from_rsa(rsa.clone()).unwrap();
        for digest in ALL {
            let signature = Signer::new(evp(digest), &key).unwrap().sign_oneshot_to_vec(b"glexec").unwrap();
            let mut signed = vec![0; 256];
            let length = rsa.public_decrypt(&signature, &mut signed, Padding::PKCS1).unwrap();
            signed.truncate(length);
            assert_eq!(signed, [info(digest), &of(digest, b"glexec")].concat(), "{digest:?}");
        }
    }
}
