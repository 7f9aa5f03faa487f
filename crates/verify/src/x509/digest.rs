//! Digests.

#![forbid(unsafe_code)]

use glexec_core::credentials::Digest;
use openssl::sha::{Sha1, Sha224, Sha256, Sha384, Sha512};

/// A digest of bytes that come one after another: OpenSSL's low-level calls (signature.rs says why).
pub enum Running {
    /// SHA-1.
    Sha1(Sha1),
    /// SHA-224.
    Sha224(Sha224),
    /// SHA-256.
    Sha256(Sha256),
    /// SHA-384.
    Sha384(Sha384),
    /// SHA-512.
    Sha512(Sha512),
}

impl Running {
    /// The digest of nothing yet.
    pub fn start(digest: Digest) -> Self {
        match digest {
            Digest::Sha1 => Running::Sha1(Sha1::new()),
            Digest::Sha224 => Running::Sha224(Sha224::new()),
            Digest::Sha256 => Running::Sha256(Sha256::new()),
            Digest::Sha384 => Running::Sha384(Sha384::new()),
            Digest::Sha512 => Running::Sha512(Sha512::new()),
        }
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Running::Sha1(running) => running.update(bytes),
            Running::Sha224(running) => running.update(bytes),
            Running::Sha256(running) => running.update(bytes),
            Running::Sha384(running) => running.update(bytes),
            Running::Sha512(running) => running.update(bytes),
        }
    }

    /// The digest of all of them.
    pub fn finish(self) -> Vec<u8> {
        match self {
            Running::Sha1(running) => running.finish().to_vec(),
            Running::Sha224(running) => running.finish().to_vec(),
            Running::Sha256(running) => running.finish().to_vec(),
            Running::Sha384(running) => running.finish().to_vec(),
            Running::Sha512(running) => running.finish().to_vec(),
        }
    }
}

/// The digest of some bytes.
pub fn of(digest: Digest, bytes: &[u8]) -> Vec<u8> {
    let mut running = Running::start(digest);
    running.update(bytes);
    running.finish()
}

/// MD5 of some bytes, for the names that files of a CA directory had before OpenSSL 1.0.
pub use glexec_libcrypto::md5;

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

    fn openssl(digest: Digest) -> MessageDigest {
        match digest {
            Digest::Sha1 => MessageDigest::sha1(),
            Digest::Sha224 => MessageDigest::sha224(),
            Digest::Sha256 => MessageDigest::sha256(),
            Digest::Sha384 => MessageDigest::sha384(),
            Digest::Sha512 => MessageDigest::sha512(),
        }
    }

    #[test]
    fn digests_in_pieces_are_those_of_the_whole_as_evp_makes_them() {
        for length in [0, 1, 55, 56, 64, 111, 112, 128, 1000] {
            let bytes = vec![7; length];
            for digest in ALL {
                let whole = hash(openssl(digest), &bytes).unwrap();
                assert_eq!(*of(digest, &bytes), *whole, "{digest:?} of {length}");
                let mut running = Running::start(digest);
                bytes.chunks(50).for_each(|piece| running.update(piece));
                assert_eq!(*running.finish(), *whole, "{digest:?} of {length} in pieces");
            }
            assert_eq!(md5(&bytes), *hash(MessageDigest::md5(), &bytes).unwrap(), "MD5 of {length}");
        }
    }

    #[test]
    fn what_precedes_a_digest_is_what_openssl_signs() {
        let rsa = Rsa::generate(2048).unwrap();
        let key = PKey::from_rsa(rsa.clone()).unwrap();
        for digest in ALL {
            let signature = Signer::new(openssl(digest), &key).unwrap().sign_oneshot_to_vec(b"glexec").unwrap();
            let mut signed = vec![0; 256];
            let length = rsa.public_decrypt(&signature, &mut signed, Padding::PKCS1).unwrap();
            signed.truncate(length);
            assert_eq!(signed, [info(digest), &of(digest, b"glexec")].concat(), "{digest:?}");
        }
    }
}
