//! Key exchange on the curve P-521, which ring does not have: ARC 6 offers no other one (its default, in TLS 1.3 as well).
//! OpenSSL, which judges signatures here anyway, calculates.

use openssl::derive::Deriver;
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use rustls::crypto::{ActiveKeyExchange, GetRandomFailed, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved};

/// What an uncompressed point begins with (SEC 1 section 2.3.3); TLS allows no other form (RFC 8446 section 4.2.8.2).
const UNCOMPRESSED: u8 = 4;
/// Bytes of an uncompressed point: two coordinates of 521 bits.
const POINT: usize = 133;

/// The curve.
#[derive(Debug)]
pub struct P521;

/// An exchange that has begun.
struct Begun {
    own: EcKey<Private>,
    point: Vec<u8>,
}

fn group() -> Result<EcGroup, ErrorStack> {
    EcGroup::from_curve_name(Nid::SECP521R1)
}

fn begin() -> Result<Begun, ErrorStack> {
    let group = group()?;
    let own = EcKey::generate(&group)?;
    let mut context = openssl::bn::BigNumContext::new()?;
    let point = own.public_key().to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context)?;
    Ok(Begun { own, point })
}

/// The secret in common; an error where the other side's point is not on the curve.
fn secret(own: EcKey<Private>, theirs: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let group = group()?;
    let mut context = openssl::bn::BigNumContext::new()?;
    let point = EcPoint::from_bytes(&group, theirs, &mut context)?;
    let theirs = EcKey::from_public_key(&group, &point)?;
    theirs.check_key()?;
    let (own, theirs) = (PKey::from_ec_key(own)?, PKey::from_ec_key(theirs)?);
    let mut deriver = Deriver::new(&own)?;
    deriver.set_peer(&theirs)?;
    deriver.derive_to_vec()
}

impl SupportedKxGroup for P521 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        begin().map(|begun| -> Box<dyn ActiveKeyExchange> { Box::new(begun) }).map_err(|_| GetRandomFailed.into())
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

impl ActiveKeyExchange for Begun {
    fn complete(self: Box<Self>, theirs: &[u8]) -> Result<SharedSecret, Error> {
        let bad = || Error::from(PeerMisbehaved::InvalidKeyShare);
        if theirs.len() != POINT || theirs.first() != Some(&UNCOMPRESSED) {
            return Err(bad());
        }
        secret(self.own, theirs).map(SharedSecret::from).map_err(|_| bad())
    }

    fn pub_key(&self) -> &[u8] {
        &self.point
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_find_the_same_secret_and_only_points_of_the_curve_count() {
        let (one, two) = (P521.start().unwrap(), P521.start().unwrap());
        let (at_one, at_two) = (two.pub_key().to_vec(), one.pub_key().to_vec());
        assert_ne!(at_one, at_two);
        let (a, b) = (one.complete(&at_one).unwrap(), two.complete(&at_two).unwrap());
        assert_eq!((a.secret_bytes(), a.secret_bytes().len()), (b.secret_bytes(), 66));
        let mut off = at_one.clone();
        off[100] ^= 1;
        for bad in [&off[..], &at_one[1..], &[4; POINT], &[0], b""] {
            assert!(P521.start().unwrap().complete(bad).is_err());
        }
    }
}
