//! The table: every rule of the judgement with tokens on both sides of it. `ok` stands for an accepted token, followed by
//! the FQANs that it proves.

use crate::jwt::{self, AUDIENCE, HEADER, ISSUER, Key, base64url};
use crate::world::{NOW, World, payload, token};
use glexec_verify::token::claims::Use;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::rsa::Rsa;
use std::collections::BTreeSet;

struct Table {
    names: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Table {
    fn case(&mut self, name: &str, world: &World, token: &[u8], expected: &str) {
        assert!(self.names.insert(name.to_owned()), "two cases are called {name}");
        let found = said(world, token, Use::Identity);
        if found != expected {
            self.wrong.push(format!("{name}: expected {expected}, found {found}"));
        }
    }

    /// With another header, signed rightly.
    fn header(&mut self, name: &str, header: &str, expected: &str) {
        self.case(name, &World::new(), jwt::token(header, &payload(&[]), &jwt::p256()).as_bytes(), expected);
    }

    /// With other claims, signed rightly.
    fn claims(&mut self, name: &str, changes: &[(&str, &str)], expected: &str) {
        self.case(name, &World::new(), token(changes).as_bytes(), expected);
    }

    /// With other claims, where the site says something else of the issuer.
    fn issuer(&mut self, name: &str, says: &str, changes: &[(&str, &str)], expected: &str) {
        self.case(name, &World::with_issuer(says), token(changes).as_bytes(), expected);
    }

    /// A good token where the issuer has this key alone.
    fn key(&mut self, name: &str, key: &str, expected: &str) {
        self.case(name, &World::with_keys(&[key.to_owned()]), token(&[]).as_bytes(), expected);
    }
}

fn said(world: &World, token: &[u8], purpose: Use) -> String {
    match world.judge_for(token, purpose) {
        Ok(identity) => {
            let fqans: String = identity.fqans.iter().map(|fqan| format!(" {fqan}")).collect();
            format!("ok{fqans}")
        }
        Err(refusal) => refusal.reason().code().trim_start_matches("token.").to_owned(),
    }
}

/// JSON that is nested so deep.
fn deep(levels: usize) -> String {
    format!("{}1{}", "[".repeat(levels), "]".repeat(levels))
}

fn at(seconds: i64) -> String {
    (NOW + seconds).to_string()
}

fn bytes(table: &mut Table) {
    let world = World::new();
    let good = token(&[]);
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload_part, signature] = parts[..] else { unreachable!() };
    let with = |parts: &[&str]| parts.join(".");
    let cases: &[(&str, String, &str)] = &[
        ("a good token", good.clone(), "ok"),
        ("white space at the ends", format!(" \t\r\n{good}\n\n"), "ok"),
        ("nothing", String::new(), "malformed"),
        ("white space alone", " \n".into(), "malformed"),
        ("white space inside", good.replacen('.', ". ", 1), "malformed"),
        ("a line end inside", good.replacen('.', "\n.", 1), "malformed"),
        ("a vertical tab at the end", format!("{good}\u{b}"), "malformed"),
        ("a no-break space at the end", format!("{good}\u{a0}"), "malformed"),
        ("a NUL at the end", format!("{good}\0"), "malformed"),
        ("a byte order mark", format!("\u{feff}{good}"), "malformed"),
        ("one part", header.into(), "malformed"),
        ("two parts", with(&[header, payload_part]), "malformed"),
        ("four parts", with(&[header, payload_part, signature, signature]), "malformed"),
        ("five parts, as encrypted tokens have", with(&[header, "", "AA", "AA", "AA"]), "malformed"),
        ("no header", with(&["", payload_part, signature]), "malformed"),
        ("no payload", with(&[header, "", signature]), "malformed"),
        ("no signature", with(&[header, payload_part, ""]), "malformed"),
        ("padding of the header", with(&[&format!("{header}="), payload_part, signature]), "malformed"),
        ("padding of the signature", format!("{good}=="), "malformed"),
        ("the other alphabet", with(&[header, payload_part, "+/+/"]), "malformed"),
        (
            "bits left over",
            with(&[header, payload_part, &format!("{}B", &signature[..signature.len() - 1])]),
            "malformed",
        ),
        ("three characters too many", format!("{good}AAA"), "malformed"),
        ("Bearer before it", format!("Bearer {good}"), "malformed"),
        ("quotes around it", format!("\"{good}\""), "malformed"),
        ("the JSON serialization", format!("{{\"payload\":\"{payload_part}\"}}"), "malformed"),
        ("a proxy", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n".into(), "malformed"),
        ("two tokens", format!("{good}\n{good}"), "malformed"),
        ("16 KiB", format!("{good}{}", " ".repeat(16 * 1024 - good.len())), "ok"),
        ("16 KiB and a byte", format!("{good}{}", " ".repeat(16 * 1024 + 1 - good.len())), "too-large"),
        (
            "the header of another token",
            with(&[&base64url(b"{\"alg\":\"ES256\",\"kid\":\"k1\"}"), payload_part, signature]),
            "signature",
        ),
        (
            "the payload of another token",
            with(&[header, &base64url(payload(&[("sub", "\"bob\"")]).as_bytes()), signature]),
            "signature",
        ),
        ("a signature of zeros", with(&[header, payload_part, &base64url(&[0; 64])]), "signature"),
        ("a signature of ones", with(&[header, payload_part, &base64url(&[0xff; 64])]), "signature"),
        ("a signature that is short", with(&[header, payload_part, &base64url(&[1; 63])]), "signature"),
        ("a signature that is long", with(&[header, payload_part, &base64url(&[1; 65])]), "signature"),
        ("a signature for P-384", with(&[header, payload_part, &base64url(&[1; 96])]), "signature"),
    ];
    for (name, token, expected) in cases {
        table.case(name, &world, token.as_bytes(), expected);
    }
    table.case("bytes that are not UTF-8", &world, &[good.as_bytes(), b"\xff"].concat(), "malformed");
    // ASN.1, as certificates have it: tokens have the two numbers side by side.
    let Key::Ec(key, ..) = jwt::p256() else { unreachable!() };
    let signed = with(&[header, payload_part]);
    let made = EcdsaSig::sign(&hash(MessageDigest::sha256(), signed.as_bytes()).unwrap(), &key).unwrap();
    let der = format!("{signed}.{}", base64url(&made.to_der().unwrap()));
    table.case("a signature in DER", &world, der.as_bytes(), "signature");
    // n - s is a signature as well, and the token the same: nothing hangs on which of the two it is.
    let (mut order, mut other) = (BigNum::new().unwrap(), BigNum::new().unwrap());
    key.group().order(&mut order, &mut openssl::bn::BigNumContext::new().unwrap()).unwrap();
    other.checked_sub(&order, made.s()).unwrap();
    let twin = [made.r().to_vec_padded(32).unwrap(), other.to_vec_padded(32).unwrap()].concat();
    table.case("the twin of a signature", &world, format!("{signed}.{}", base64url(&twin)).as_bytes(), "ok");
    let beyond = [made.r().to_vec_padded(32).unwrap(), order.to_vec_padded(32).unwrap()].concat();
    table.case("a number beyond the order", &world, format!("{signed}.{}", base64url(&beyond)).as_bytes(), "signature");
}

fn headers(table: &mut Table) {
    for (name, header, expected) in [
        ("no typ", r#"{"alg":"ES256","kid":"k1"}"#, "ok"),
        ("typ JWT", r#"{"alg":"ES256","kid":"k1","typ":"JWT"}"#, "ok"),
        ("typ jwt", r#"{"alg":"ES256","kid":"k1","typ":"jwt"}"#, "ok"),
        ("typ AT+JWT", r#"{"alg":"ES256","kid":"k1","typ":"AT+JWT"}"#, "ok"),
        ("typ application/at+jwt", r#"{"alg":"ES256","kid":"k1","typ":"application/at+jwt"}"#, "type"),
        ("an ID token", r#"{"alg":"ES256","kid":"k1","typ":"id_token"}"#, "type"),
        ("a logout token", r#"{"alg":"ES256","kid":"k1","typ":"logout+jwt"}"#, "type"),
        ("typ of DPoP", r#"{"alg":"ES256","kid":"k1","typ":"dpop+jwt"}"#, "type"),
        ("typ that is no text", r#"{"alg":"ES256","kid":"k1","typ":1}"#, "type"),
        ("typ that is empty", r#"{"alg":"ES256","kid":"k1","typ":""}"#, "type"),
        ("no alg", r#"{"kid":"k1"}"#, "malformed"),
        ("alg that is no text", r#"{"alg":["ES256"],"kid":"k1"}"#, "malformed"),
        ("alg none", r#"{"alg":"none","kid":"k1"}"#, "algorithm"),
        ("alg None", r#"{"alg":"None","kid":"k1"}"#, "algorithm"),
        ("alg that is empty", r#"{"alg":"","kid":"k1"}"#, "algorithm"),
        ("alg HS256", r#"{"alg":"HS256","kid":"k1"}"#, "algorithm"),
        ("alg PS256", r#"{"alg":"PS256","kid":"k1"}"#, "algorithm"),
        ("alg ES512", r#"{"alg":"ES512","kid":"k1"}"#, "algorithm"),
        ("alg ES256K", r#"{"alg":"ES256K","kid":"k1"}"#, "algorithm"),
        ("alg EdDSA", r#"{"alg":"EdDSA","kid":"k1"}"#, "algorithm"),
        ("alg es256", r#"{"alg":"es256","kid":"k1"}"#, "algorithm"),
        ("alg with a blank", r#"{"alg":"ES256 ","kid":"k1"}"#, "algorithm"),
        ("alg of a larger curve", r#"{"alg":"ES384","kid":"k1"}"#, "algorithm"),
        ("alg of another kind of key", r#"{"alg":"RS256","kid":"k1"}"#, "algorithm"),
        ("no kid", r#"{"alg":"ES256"}"#, "malformed"),
        ("kid that is no text", r#"{"alg":"ES256","kid":1}"#, "malformed"),
        ("kid that is empty", r#"{"alg":"ES256","kid":""}"#, "malformed"),
        ("a kid nobody has", r#"{"alg":"ES256","kid":"k2"}"#, "key-unknown"),
        ("kid as a path", r#"{"alg":"ES256","kid":"../../../dev/null"}"#, "key-unknown"),
        ("kid as a query", r#"{"alg":"ES256","kid":"k1' OR '1'='1"}"#, "key-unknown"),
        ("kid in another case", r#"{"alg":"ES256","kid":"K1"}"#, "key-unknown"),
        ("kid with a blank", r#"{"alg":"ES256","kid":"k1 "}"#, "key-unknown"),
        ("kid with a NUL", r#"{"alg":"ES256","kid":"k1\u0000"}"#, "key-unknown"),
        ("kid by an escape", r#"{"alg":"ES256","kid":"\u006b1"}"#, "ok"),
        ("the kid of another key", r#"{"alg":"ES384","kid":"k384"}"#, "signature"),
        ("crit", r#"{"alg":"ES256","kid":"k1","crit":["exp"]}"#, "malformed"),
        ("crit that is empty", r#"{"alg":"ES256","kid":"k1","crit":[]}"#, "malformed"),
        ("b64", r#"{"alg":"ES256","kid":"k1","b64":false}"#, "malformed"),
        ("b64 that is true", r#"{"alg":"ES256","kid":"k1","b64":true}"#, "malformed"),
        ("zip", r#"{"alg":"ES256","kid":"k1","zip":"DEF"}"#, "malformed"),
        ("cty", r#"{"alg":"ES256","kid":"k1","cty":"JWT"}"#, "malformed"),
        ("jku", r#"{"alg":"ES256","kid":"k1","jku":"https://evil/keys"}"#, "ok"),
        ("x5u", r#"{"alg":"ES256","kid":"k1","x5u":"https://evil/cert"}"#, "ok"),
        ("x5c", r#"{"alg":"ES256","kid":"k1","x5c":["AA=="]}"#, "ok"),
        ("alg twice", r#"{"alg":"none","alg":"ES256","kid":"k1"}"#, "malformed"),
        ("alg twice, once by an escape", r#"{"alg":"ES256","\u0061lg":"none","kid":"k1"}"#, "malformed"),
        ("kid twice", r#"{"alg":"ES256","kid":"k1","kid":"k1"}"#, "malformed"),
        ("something else twice", r#"{"alg":"ES256","kid":"k1","x":{"a":1,"a":1}}"#, "malformed"),
        ("a header that is a list", r#"["ES256"]"#, "malformed"),
        ("a header that is a text", r#""ES256""#, "malformed"),
        ("a header with a comma too many", r#"{"alg":"ES256","kid":"k1",}"#, "malformed"),
        ("a header with something after it", r#"{"alg":"ES256","kid":"k1"} x"#, "malformed"),
        ("a header with half a surrogate", r#"{"alg":"ES256","kid":"k1","x":"\ud800"}"#, "malformed"),
        ("a header with a raw line end in a text", "{\"alg\":\"ES256\",\"kid\":\"k1\",\"x\":\"\n\"}", "malformed"),
    ] {
        table.header(name, header, expected);
    }
    let kid = |length: usize| format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(length));
    table.header("a kid of 256 bytes", &kid(256), "key-unknown");
    table.header("a kid of 257 bytes", &kid(257), "malformed");
    let nested = |levels| format!(r#"{{"alg":"ES256","kid":"k1","x":{}}}"#, deep(levels));
    table.header("a header of 16 levels", &nested(15), "ok");
    table.header("a header of 17 levels", &nested(16), "malformed");
    table.header("a header of 5000 levels", &nested(5000), "malformed");
    // The key that the header brings is that of the signature, and nobody looks at it.
    let own = format!(r#"{{"alg":"ES256","kid":"k1","jwk":{}}}"#, jwt::other_p256().jwk("k1", ""));
    let forged = jwt::token(&own, &payload(&[]), &jwt::other_p256());
    table.case("jwk with the key of the signature", &World::new(), forged.as_bytes(), "signature");
    let other = jwt::token(HEADER, &payload(&[]), &jwt::other_p256());
    table.case("the key of somebody else", &World::new(), other.as_bytes(), "signature");
    // The public key as the secret of an HMAC, as libraries that trust alg fall for.
    let confused = jwt::token(r#"{"alg":"HS256","kid":"rsa"}"#, &payload(&[]), &jwt::rsa());
    table.case("HS256 with an RSA key's id", &World::new(), confused.as_bytes(), "algorithm");
}

fn algorithms(table: &mut Table) {
    let world = World::new();
    let signed = |alg: &str, kid: &str, key: &Key| {
        jwt::token(&format!(r#"{{"alg":"{alg}","kid":"{kid}"}}"#), &payload(&[]), key)
    };
    let rsa = |digest| jwt::rsa_with(digest);
    let (sha256, sha384, sha512) = (MessageDigest::sha256(), MessageDigest::sha384(), MessageDigest::sha512());
    for (name, token, expected) in [
        ("RS256", signed("RS256", "rsa", &rsa(sha256)), "ok"),
        ("RS384", signed("RS384", "rsa", &rsa(sha384)), "ok"),
        ("RS512", signed("RS512", "rsa", &rsa(sha512)), "ok"),
        ("ES256", signed("ES256", "k1", &jwt::p256()), "ok"),
        ("ES384", signed("ES384", "k384", &jwt::p384()), "ok"),
        ("RS512 with the digest of RS256", signed("RS512", "rsa", &rsa(sha256)), "signature"),
        ("RS256 with SHA-1", signed("RS256", "rsa", &rsa(MessageDigest::sha1())), "signature"),
        ("ES384 on P-256", signed("ES384", "k1", &jwt::p256()), "algorithm"),
        ("ES256 on P-384", signed("ES256", "k384", &jwt::p384()), "algorithm"),
    ] {
        table.case(name, &world, token.as_bytes(), expected);
    }
    let only = "vo = \"testvo\"\nprofile = \"wlcg\"\nscopes = [\"compute.create\"]\nalgorithms = [\"RS256\"]\n";
    table.issuer("an algorithm that the site does not take from the issuer", only, &[], "algorithm");
}

fn claims(table: &mut Table) {
    for (name, changes, expected) in [
        // Issuer.
        ("no iss", &[("iss", "")][..], "malformed"),
        ("iss that is no text", &[("iss", "1")], "malformed"),
        ("iss as a list", &[("iss", "[\"https://vo.example.org/\"]")], "malformed"),
        ("iss without the slash", &[("iss", "\"https://vo.example.org\"")], "issuer"),
        ("iss with two slashes", &[("iss", "\"https://vo.example.org//\"")], "issuer"),
        ("iss in capitals", &[("iss", "\"https://VO.example.org/\"")], "issuer"),
        ("iss with a blank", &[("iss", "\"https://vo.example.org/ \"")], "issuer"),
        ("iss of http", &[("iss", "\"http://vo.example.org/\"")], "issuer"),
        ("iss that begins so", &[("iss", "\"https://vo.example.org/evil\"")], "issuer"),
        ("iss that ends so", &[("iss", "\"https://evil/https://vo.example.org/\"")], "issuer"),
        ("iss by escapes", &[("iss", "\"https:\\/\\/vo.example.org\\/\"")], "ok"),
        // Times: 60 s of skew, 6 h.
        ("no exp", &[("exp", "")], "malformed"),
        ("no iat", &[("iat", "")], "malformed"),
        ("no nbf", &[("nbf", "")], "ok"),
        ("exp as a text", &[("exp", "\"1800003600\"")], "malformed"),
        ("exp null", &[("exp", "null")], "malformed"),
        ("exp true", &[("exp", "true")], "malformed"),
        ("exp as a list", &[("exp", "[1800003600]")], "malformed"),
        ("exp with a fraction", &[("exp", "1800003600.5")], "ok"),
        ("exp with an exponent", &[("exp", "1.8000036e9")], "ok"),
        ("exp beyond any number", &[("exp", "1e999")], "malformed"),
        ("exp beyond 64 bits", &[("exp", "99999999999999999999")], "malformed"),
        ("exp that is the largest", &[("exp", "9223372036854775807")], "lifetime"),
        ("exp that is negative", &[("exp", "-1"), ("iat", "-10")], "expired"),
        ("exp that is zero", &[("exp", "0"), ("iat", "0")], "expired"),
        ("iat as a text", &[("iat", "\"now\"")], "malformed"),
        ("nbf as a text", &[("nbf", "\"now\"")], "malformed"),
        ("nbf that is the largest", &[("nbf", "9223372036854775807")], "not-yet-valid"),
        ("iat that is the smallest", &[("iat", "-9223372036854775808")], "lifetime"),
        // Version.
        ("no wlcg.ver", &[("wlcg.ver", "")], "version"),
        ("wlcg.ver 1.3", &[("wlcg.ver", "\"1.3\"")], "ok"),
        ("wlcg.ver 1.99", &[("wlcg.ver", "\"1.99\"")], "ok"),
        ("wlcg.ver 2.0", &[("wlcg.ver", "\"2.0\"")], "version"),
        ("wlcg.ver 10.0", &[("wlcg.ver", "\"10.0\"")], "version"),
        ("wlcg.ver 1", &[("wlcg.ver", "\"1\"")], "version"),
        ("wlcg.ver 1.", &[("wlcg.ver", "\"1.\"")], "version"),
        ("wlcg.ver 1.x", &[("wlcg.ver", "\"1.x\"")], "version"),
        ("wlcg.ver as a number", &[("wlcg.ver", "1.0")], "version"),
        // Audience.
        ("no aud", &[("aud", "")], "audience"),
        ("aud in a list", &[("aud", "[\"https://other/\",\"glexec://site.example\"]")], "ok"),
        ("aud as a list of nothing", &[("aud", "[]")], "audience"),
        ("aud of another site", &[("aud", "\"glexec://other.example\"")], "audience"),
        ("aud with a slash more", &[("aud", "\"glexec://site.example/\"")], "audience"),
        ("aud in capitals", &[("aud", "\"GLEXEC://site.example\"")], "audience"),
        ("aud that begins so", &[("aud", "\"glexec://site.example.evil\"")], "audience"),
        ("aud with words", &[("aud", "\"glexec://other glexec://site.example\"")], "audience"),
        ("aud for anybody", &[("aud", "\"https://wlcg.cern.ch/jwt/v1/any\"")], "audience"),
        ("aud as a number", &[("aud", "1")], "malformed"),
        ("aud as a list with a number", &[("aud", "[\"glexec://site.example\",1]")], "malformed"),
        ("aud as an object", &[("aud", "{\"glexec://site.example\":1}")], "malformed"),
        // Scope.
        ("no scope", &[("scope", "")], "scope"),
        ("scope among others", &[("scope", "\"storage.read:/ compute.create compute.read\"")], "ok"),
        ("scope with blanks", &[("scope", "\"  compute.create  \"")], "ok"),
        ("scope for storage", &[("scope", "\"storage.modify:/\"")], "scope"),
        ("scope that begins so", &[("scope", "\"compute.create:/x\"")], "scope"),
        ("scope that ends so", &[("scope", "\"xcompute.create\"")], "scope"),
        ("scope in capitals", &[("scope", "\"Compute.create\"")], "scope"),
        ("scope with a tab", &[("scope", "\"x\\tcompute.create\"")], "scope"),
        ("scope as a list", &[("scope", "[\"compute.create\"]")], "malformed"),
        ("scope as a number", &[("scope", "1")], "malformed"),
        // Possession.
        ("cnf with a key", &[("cnf", "{\"jkt\":\"AA\"}")], "bound"),
        ("cnf null", &[("cnf", "null")], "bound"),
        ("cnf that is empty", &[("cnf", "{}")], "bound"),
        // Subject.
        ("no sub", &[("sub", "")], "subject"),
        ("sub that is empty", &[("sub", "\"\"")], "subject"),
        ("sub as a number", &[("sub", "1001")], "subject"),
        ("sub with a blank", &[("sub", "\"alice adams\"")], "subject"),
        ("sub with a line end", &[("sub", "\"alice\\nbob\"")], "subject"),
        ("sub with a NUL", &[("sub", "\"alice\\u0000\"")], "subject"),
        ("sub that is not ASCII", &[("sub", "\"al\u{ed}ce\"")], "subject"),
        ("sub with quotes", &[("sub", "\"a\\\"b'c\"")], "ok"),
        ("sub with slashes", &[("sub", "\"a/b/../c\"")], "ok"),
        ("sub with a wildcard", &[("sub", "\"*\"")], "ok"),
        ("sub that names another", &[("sub", "\"a/sub=b\"")], "ok"),
        // Groups.
        ("a group", &[("wlcg.groups", "[\"/testvo\"]")], "ok /testvo"),
        (
            "groups in their order",
            &[("wlcg.groups", "[\"/testvo/b\",\"/testvo\",\"/testvo/a\"]")],
            "ok /testvo/b /testvo /testvo/a",
        ),
        ("a group that is there twice", &[("wlcg.groups", "[\"/testvo\",\"/testvo\"]")], "ok /testvo"),
        ("no groups in the list", &[("wlcg.groups", "[]")], "ok"),
        ("a group of another VO", &[("wlcg.groups", "[\"/other\"]")], "groups"),
        ("a group of another VO among ours", &[("wlcg.groups", "[\"/testvo\",\"/other\"]")], "groups"),
        ("a group of a VO that begins so", &[("wlcg.groups", "[\"/testvo2\"]")], "groups"),
        ("a group without a slash", &[("wlcg.groups", "[\"testvo\"]")], "groups"),
        ("a group with a role", &[("wlcg.groups", "[\"/testvo/Role=admin\"]")], "groups"),
        ("a group that goes up", &[("wlcg.groups", "[\"/testvo/../other\"]")], "groups"),
        ("a group with a slash at its end", &[("wlcg.groups", "[\"/testvo/\"]")], "groups"),
        ("a group with a wildcard", &[("wlcg.groups", "[\"/testvo/*\"]")], "groups"),
        ("a group with a blank", &[("wlcg.groups", "[\"/testvo/a b\"]")], "groups"),
        ("groups as a number", &[("wlcg.groups", "1")], "groups"),
        ("groups with a number", &[("wlcg.groups", "[\"/testvo\",1]")], "groups"),
        ("groups as an object", &[("wlcg.groups", "{}")], "groups"),
        // The rest.
        ("a claim that nobody knows", &[("what", "{\"a\":[1,2,{\"b\":null}]}")], "ok"),
        ("no jti", &[("jti", "")], "ok"),
        ("jti as a number", &[("jti", "1")], "ok"),
        ("a claim in two levels twice", &[("x", "{\"a\":1,\"a\":2}")], "malformed"),
    ] {
        table.claims(name, changes, expected);
    }
    for (name, exp, iat, nbf, expected) in [
        ("expired a minute ago", -59, -3600, -3600, "ok"),
        ("expired a minute and a second ago", -60, -3600, -3600, "expired"),
        ("issued in a minute", 3600, 60, 0, "ok"),
        ("issued in a minute and a second", 3600, 61, 0, "not-yet-valid"),
        ("valid in a minute", 3600, 0, 60, "ok"),
        ("valid in a minute and a second", 3600, 0, 61, "not-yet-valid"),
        ("valid for six hours", 6 * 3600, 0, 0, "ok"),
        ("valid for six hours and a second", 6 * 3600 + 1, 0, 0, "lifetime"),
        ("valid for years", 10 * 365 * 86400, 0, 0, "lifetime"),
        ("ends before it begins", 10, 20, 0, "malformed"),
    ] {
        table.claims(name, &[("exp", &at(exp)), ("iat", &at(iat)), ("nbf", &at(nbf))], expected);
    }
    let long = |length: usize| format!("\"{}\"", "s".repeat(length));
    table.claims("sub of 255 bytes", &[("sub", &long(255))], "ok");
    table.claims("sub of 256 bytes", &[("sub", &long(256))], "subject");
    let nested = |levels| [("x", deep(levels))];
    for (name, levels, expected) in [("claims of 16 levels", 15, "ok"), ("claims of 17 levels", 16, "malformed")] {
        let [(claim, value)] = nested(levels);
        table.claims(name, &[(claim, &value)], expected);
    }
    // Which of two counts, parsers differ on.
    for (claim, value) in
        [("sub", "\"root\""), ("iss", "\"https://vo.example.org/\""), ("exp", "9999999999"), ("aud", "\"x\"")]
    {
        let twice = payload(&[]).replacen('{', &format!("{{\"{claim}\":{value},"), 1);
        let token = jwt::token(HEADER, &twice, &jwt::p256());
        table.case(&format!("{claim} twice"), &World::new(), token.as_bytes(), "malformed");
    }
    for (name, payload) in [
        ("a payload that is a list", "[]"),
        ("a payload that is a text", "\"x\""),
        ("a payload that is null", "null"),
        ("a payload that is no JSON", "alice"),
        ("a payload that is cut off", "{\"iss\":"),
    ] {
        table.case(name, &World::new(), jwt::token(HEADER, payload, &jwt::p256()).as_bytes(), "malformed");
    }
}

fn profiles(table: &mut Table) {
    let any = "vo = \"testvo\"\nprofile = \"wlcg\"\nscopes = [\"compute.create\"]\naccept_any_audience = true\n";
    let for_anybody = [("aud", "\"https://wlcg.cern.ch/jwt/v1/any\"")];
    table.issuer("aud for anybody where the site takes it", any, &for_anybody, "ok");
    table.issuer("aud ANY of another profile", any, &[("aud", "\"ANY\"")], "audience");
    let group_only = "vo = \"testvo\"\nprofile = \"wlcg\"\nscopes = []\ngroup_only = true\n";
    let groups = ("wlcg.groups", "[\"/testvo/pilot\"]");
    for (name, scope, expected) in [
        ("groups alone", "", "ok /testvo/pilot"),
        ("groups and plain words", "\"openid profile offline_access wlcg wlcg.groups:/testvo\"", "ok /testvo/pilot"),
        ("groups and storage", "\"openid storage.read:/\"", "scope"),
        ("groups and compute", "\"compute.read\"", "scope"),
        ("groups and a colon", "\"scim:read\"", "scope"),
        ("groups and the old word", "\"read\"", "scope"),
    ] {
        table.issuer(name, group_only, &[groups, ("scope", scope)], expected);
    }
    table.issuer("neither groups nor scope", group_only, &[("scope", "")], "groups");
    let default = "vo = \"testvo\"\nprofile = \"wlcg\"\nscopes = [\"compute.create\"]\ndefault_group = \"/testvo\"\n";
    table.issuer("the default group", default, &[], "ok /testvo");
    table.issuer("a group before the default group", default, &[("wlcg.groups", "[\"/testvo/a\"]")], "ok /testvo/a");

    let scitokens = "vo = \"testvo\"\nprofile = \"scitokens\"\nscopes = [\"condor:/WRITE\"]\n";
    let good = [("ver", "\"scitokens:2.0\""), ("scope", "\"condor:/WRITE condor:/READ\""), ("wlcg.ver", "")];
    table.issuer("SciTokens 2.0", scitokens, &good, "ok");
    for (name, change, expected) in [
        ("SciTokens 1.0", ("ver", "\"scitoken:1.0\""), "version"),
        ("SciTokens 3.0", ("ver", "\"scitokens:3.0\""), "version"),
        ("SciTokens without a version", ("ver", ""), "version"),
        ("SciTokens for ANY", ("aud", "\"ANY\""), "audience"),
        ("SciTokens without sub", ("sub", ""), "subject"),
        ("SciTokens for storage", ("scope", "\"read:/\""), "scope"),
    ] {
        let changes: Vec<_> = good.into_iter().filter(|(name, _)| *name != change.0).chain([change]).collect();
        table.issuer(name, scitokens, &changes, expected);
    }

    let egi = "vos = [\"testvo\", \"vo.x.eu\"]\nprofile = \"egi\"\nscopes = []\n";
    for (name, entitlements, expected) in [
        ("EGI", r#"["urn:mace:egi.eu:group:testvo:role=member#aai.egi.eu"]"#, "ok /testvo/Role=member"),
        ("EGI without a role", r#"["urn:mace:egi.eu:group:testvo#aai.egi.eu"]"#, "ok /testvo"),
        ("EGI with groups", r#"["urn:mace:egi.eu:group:vo.x.eu:a:b:role=vm#x"]"#, "ok /vo.x.eu/a/b/Role=vm"),
        (
            "EGI with other VOs beside",
            r#"["urn:mace:egi.eu:group:nobody:role=a#x","urn:mace:egi.eu:group:testvo#x"]"#,
            "ok /testvo",
        ),
        ("EGI of two of our VOs", r#"["urn:mace:egi.eu:group:testvo#x","urn:mace:egi.eu:group:vo.x.eu#x"]"#, "groups"),
        ("EGI of another namespace", r#"["urn:geant:evil:group:testvo#x"]"#, "groups"),
        ("EGI without an authority", r#"["urn:mace:egi.eu:group:testvo"]"#, "groups"),
        ("EGI with a slash in a group", r#"["urn:mace:egi.eu:group:testvo:a/b#x"]"#, "groups"),
        ("EGI with a role in a group", r#"["urn:mace:egi.eu:group:testvo:Role=admin#x"]"#, "groups"),
        ("EGI with no entitlement", "[]", "groups"),
        ("EGI without the claim", "", "groups"),
    ] {
        let changes = [("scope", "\"openid\""), ("wlcg.ver", ""), ("eduperson_entitlement", entitlements)];
        table.issuer(name, egi, &changes, expected);
    }
    let newer = [("scope", ""), ("entitlements", r#"["urn:mace:egi.eu:group:testvo#x"]"#)];
    table.issuer("EGI by the newer claim", egi, &newer, "ok /testvo");

    let diracx = "vos = [\"testvo\", \"lhcb\"]\nprofile = \"diracx\"\nscopes = []\n";
    for (name, vo, group, expected) in [
        ("DiracX", "\"testvo\"", "\"prod\"", "ok /testvo/prod"),
        ("DiracX of the other VO", "\"lhcb\"", "\"lhcb_user\"", "ok /lhcb/lhcb_user"),
        ("DiracX of a VO that is not ours", "\"belle\"", "\"prod\"", "groups"),
        ("DiracX without a VO", "", "\"prod\"", "groups"),
        ("DiracX without a group", "\"testvo\"", "", "groups"),
        ("DiracX with a slash in the group", "\"testvo\"", "\"a/b\"", "groups"),
        ("DiracX with a role in the group", "\"testvo\"", "\"Role=admin\"", "groups"),
        ("DiracX with a slash in the VO", "\"testvo/x\"", "\"prod\"", "groups"),
        ("DiracX with a group that is no text", "\"testvo\"", "1", "groups"),
    ] {
        let changes = [("scope", ""), ("wlcg.ver", ""), ("vo", vo), ("dirac_group", group)];
        table.issuer(name, diracx, &changes, expected);
    }
    let with_scope = [("scope", "\"vo:testvo group:prod\""), ("vo", "\"testvo\""), ("dirac_group", "\"prod\"")];
    table.issuer("DiracX with capabilities where groups say who may", diracx, &with_scope, "scope");
    let claim = "vo = \"testvo\"\nprofile = \"wlcg\"\nscopes = [\"compute.create\"]\ngroups_claim = \"my.groups\"\n";
    let own = [("my.groups", "[\"/testvo/x\"]"), ("wlcg.groups", "[\"/other\"]")];
    table.issuer("groups in a claim of the issuer's own", claim, &own, "ok /testvo/x");
}

fn keys(table: &mut Table) {
    let key = jwt::p256();
    for (name, others, expected) in [
        ("a key with all that agrees", r#","use":"sig","alg":"ES256","key_ops":["verify"],"x5t":"AA""#, "ok"),
        ("a key that may sign, too", r#","key_ops":["sign","verify"]"#, "ok"),
        ("a key for encryption", r#","use":"enc""#, "algorithm"),
        ("a key whose use is no text", r#","use":1"#, "algorithm"),
        ("a key of another algorithm", r#","alg":"ES384""#, "algorithm"),
        ("a key whose alg is no text", r#","alg":1"#, "algorithm"),
        ("a key that may only sign", r#","key_ops":["sign"]"#, "algorithm"),
        ("a key whose operations are no list", r#","key_ops":"verify""#, "algorithm"),
        ("a key with its private part", r#","d":"AA""#, "keys-malformed"),
        ("a key with a secret", r#","k":"AA""#, "keys-malformed"),
        ("a key with a member twice", r#","kid":"k1""#, "keys-malformed"),
    ] {
        table.key(name, &key.jwk("k1", others), expected);
    }
    let jwk = key.jwk("k1", "");
    let change = |from: &str, to: &str| {
        let changed = jwk.replacen(from, to, 1);
        assert_ne!(changed, jwk, "{from}");
        changed
    };
    let x = jwk.split("\"x\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    for (name, key, expected) in [
        ("a key of another kind", change("\"EC\"", "\"OKP\""), "algorithm"),
        ("a key without a kind", change("\"kty\":\"EC\",", ""), "keys-malformed"),
        ("a symmetric key", r#"{"kty":"oct","kid":"k1","alg":"HS256"}"#.to_owned(), "keys-malformed"),
        ("a key of another curve", change("P-256", "P-384"), "algorithm"),
        ("a key of no curve", change("\"crv\":\"P-256\",", ""), "algorithm"),
        ("a key without x", change(&format!("\"x\":\"{x}\","), ""), "keys-malformed"),
        ("a coordinate that is short", change(&x, &base64url(&[1; 31])), "keys-malformed"),
        ("a coordinate that is long", change(&x, &base64url(&[1; 33])), "keys-malformed"),
        ("a coordinate with padding", change(&x, &format!("{x}=")), "keys-malformed"),
        ("a point beside the curve", change(&x, &base64url(&[1; 32])), "keys-malformed"),
        ("a key without an id", change(",\"kid\":\"k1\"", ""), "key-unknown"),
        ("a key that is no object", "\"k1\"".to_owned(), "keys-malformed"),
    ] {
        table.key(name, &key, expected);
    }
    let two = World::with_keys(&[jwk.clone(), jwt::other_p256().jwk("k1", "")]);
    table.case("two keys of one id", &two, token(&[]).as_bytes(), "keys-malformed");
    let other = World::with_keys(&[jwt::other_p256().jwk("k0", ""), jwk.clone()]);
    table.case("one key among others", &other, token(&[]).as_bytes(), "ok");
    table.case("no keys at all", &World::with_keys(&[]), token(&[]).as_bytes(), "key-unknown");
    let leak = World::with_keys(&[jwk.clone(), jwt::rsa().jwk("r", r#","p":"AA""#)]);
    table.case("a private key beside ours", &leak, token(&[]).as_bytes(), "keys-malformed");
    let elsewhere =
        World { keys: jwt::key_cache("https://other/", NOW + 60, std::slice::from_ref(&jwk)), ..World::new() };
    table.case("keys of another issuer", &elsewhere, token(&[]).as_bytes(), "keys-malformed");

    // RSA: sizes and exponents.
    let rsa_token = |key: &Key| jwt::token(r#"{"alg":"RS256","kid":"rsa"}"#, &payload(&[]), key);
    let sized = |bits| Key::Rsa(Rsa::generate(bits).unwrap(), MessageDigest::sha256());
    for (name, bits, expected) in
        [("RSA of 1024 bits", 1024, "keys-malformed"), ("RSA of 2047 bits", 2047, "keys-malformed")]
    {
        let key = sized(bits);
        table.case(name, &World::with_keys(&[key.jwk("rsa", "")]), rsa_token(&key).as_bytes(), expected);
    }
    let rsa = jwt::rsa();
    let jwk = rsa.jwk("rsa", "");
    assert!(jwk.contains("\"AQAB\""));
    for (name, exponent, expected) in [
        ("RSA with e = 65537", base64url(&[1, 0, 1]), "ok"),
        ("RSA with e = 1", base64url(&[1]), "keys-malformed"),
        ("RSA with e = 0", base64url(&[0]), "keys-malformed"),
        ("RSA with e = 2", base64url(&[2]), "keys-malformed"),
        ("RSA with an even e", base64url(&[1, 0, 0]), "keys-malformed"),
        ("RSA with e = 3 that it has not", base64url(&[3]), "signature"),
        ("RSA with e beyond 2^32", base64url(&[1, 0, 0, 0, 1]), "keys-malformed"),
        ("RSA with e of six bytes", base64url(&[1; 6]), "keys-malformed"),
        ("RSA with zeros before e", base64url(&[0, 1, 0, 1]), "keys-malformed"),
        ("RSA without e", String::new(), "keys-malformed"),
    ] {
        let world = World::with_keys(&[jwk.replacen("AQAB", &exponent, 1)]);
        table.case(name, &world, rsa_token(&rsa).as_bytes(), expected);
    }
    let group = EcGroup::from_curve_name(Nid::SECP256K1).unwrap();
    let foreign = Key::Ec(EcKey::generate(&group).unwrap(), "secp256k1", MessageDigest::sha256(), 32);
    let world = World::with_keys(&[foreign.jwk("k1", "")]);
    table.case(
        "a key of the curve of coins",
        &world,
        jwt::token(HEADER, &payload(&[]), &foreign).as_bytes(),
        "algorithm",
    );
}

#[test]
fn every_token_of_the_table_is_what_it_says() {
    let mut table = Table { names: BTreeSet::new(), wrong: Vec::new() };
    for part in [bytes, headers, algorithms, claims, profiles, keys] {
        part(&mut table);
    }
    assert!(table.wrong.is_empty(), "{:#?}", table.wrong);
    assert!(table.names.len() >= 250, "{} tokens", table.names.len());
}

/// A file of the key cache that is not the form of one refuses whatever the token is.
#[test]
fn key_files_that_are_no_key_files_prove_nothing() {
    let good = World::new().keys;
    let entry = format!("{{\"{ISSUER}\":");
    for bad in [
        "".to_owned(),
        "[]".into(),
        "{}".into(),
        good.replacen("\"expiration\":1800003600", "\"expiration\":\"1800003600\"", 1),
        good.replacen("\"expiration\":1800003600,", "", 1),
        good.replacen("\"jwks\"", "\"keys\"", 1),
        good.replacen(&entry, &format!("{{\"{ISSUER}\":{{}},\"{ISSUER}\":"), 1),
        format!("{good}x"),
        format!("{{\"x\":{},{}", deep(16), &good[1..]),
    ] {
        assert_ne!(bad, good);
        let world = World { keys: bad.clone(), ..World::new() };
        assert_eq!(said(&world, token(&[]).as_bytes(), Use::Identity), "keys-malformed", "{bad}");
    }
}

/// Audience, scope and groups of what is copied for the payload are free; everything else counts.
#[test]
fn a_token_for_the_payload_may_be_for_another_service() {
    let world = World::new();
    for (changes, expected) in [
        (
            &[("aud", "\"https://storage/\""), ("scope", "\"storage.read:/\""), ("wlcg.groups", "[\"/other\"]")][..],
            "ok",
        ),
        (&[("aud", ""), ("scope", "")], "ok"),
        (&[("exp", &at(-100))], "expired"),
        (&[("nbf", &at(100))], "not-yet-valid"),
        (&[("wlcg.ver", "\"2.0\"")], "version"),
        (&[("iss", "\"https://other/\"")], "issuer"),
        (&[("sub", "\"\"")], "subject"),
        (&[("cnf", "{}")], "bound"),
        (&[("scope", "1")], "malformed"),
    ] {
        assert_eq!(said(&world, token(changes).as_bytes(), Use::Copy), expected, "{changes:?}");
    }
    assert_eq!(AUDIENCE, "glexec://site.example");
}
