//! PyJWT as an independent maker of tokens, and as a judge of ours but for the time: where it says otherwise, why.

use crate::jwt::{self, AUDIENCE, HEADER, Key};
use crate::world::{World, payload, token};
use openssl::pkey::PKey;
use std::io::Write;
use std::process::{Command, Stdio};

/// Runs a script with PyJWT; what it prints.
fn python(script: &str, input: &str) -> String {
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{script}");
    String::from_utf8(done.stdout).unwrap()
}

fn pem(key: &Key, private: bool) -> String {
    let key = match key {
        Key::Ec(key, ..) => PKey::from_ec_key(key.clone()).unwrap(),
        Key::Rsa(key, _) => PKey::from_rsa(key.clone()).unwrap(),
    };
    let pem = if private { key.private_key_to_pem_pkcs8() } else { key.public_key_to_pem() };
    String::from_utf8(pem.unwrap()).unwrap()
}

#[test]
fn tokens_that_pyjwt_makes_are_accepted() {
    let make = "import json, jwt, sys\nasked = json.load(sys.stdin)\n\
        print(jwt.encode(json.loads(asked[0]), asked[1], algorithm=asked[2], headers={'kid': asked[3]}), end='')";
    for (algorithm, kid, key) in [
        ("ES256", "k1", jwt::p256()),
        ("ES384", "k384", jwt::p384()),
        ("RS256", "rsa", jwt::rsa()),
        ("RS384", "rsa", jwt::rsa()),
        ("RS512", "rsa", jwt::rsa()),
    ] {
        let asked = serde_json::json!([payload(&[]), pem(&key, true), algorithm, kid]).to_string();
        let made = python(make, &asked);
        let identity = World::new().judge(made.as_bytes()).unwrap_or_else(|refusal| panic!("{algorithm}: {refusal:?}"));
        assert_eq!(identity.subject.as_str(), "/iss=https://vo.example.org//sub=alice", "{algorithm}");
    }
}

/// What a site asks besides is no business of a library's.
const OURS: &str = "a rule of glexec's alone";
/// RFC 8725 leaves it to the reader.
const LOOSE: &str = "PyJWT reads more than one form";

#[test]
fn pyjwt_judges_our_tokens_alike_but_where_there_is_a_reason() {
    let twice = payload(&[]).replacen('{', "{\"sub\":\"root\",", 1);
    let signed = |header: &str| jwt::token(header, &payload(&[]), &jwt::p256());
    let cases: Vec<(&str, String, Option<&str>)> = vec![
        ("good", token(&[]), None),
        ("another key", jwt::token(HEADER, &payload(&[]), &jwt::other_p256()), None),
        ("alg none", signed(r#"{"alg":"none","kid":"k1"}"#), None),
        ("another audience", token(&[("aud", "\"x\"")]), None),
        ("no audience", token(&[("aud", "")]), None),
        ("two parts", token(&[]).rsplit_once('.').unwrap().0.to_owned(), None),
        ("a payload that is a list", jwt::token(HEADER, "[]", &jwt::p256()), None),
        ("no kid", signed(r#"{"alg":"ES256"}"#), Some(OURS)),
        ("an ID token", signed(r#"{"alg":"ES256","kid":"k1","typ":"id_token"}"#), Some(OURS)),
        ("no scope", token(&[("scope", "")]), Some(OURS)),
        ("bound", token(&[("cnf", "{}")]), Some(OURS)),
        ("a subject of two words", token(&[("sub", "\"a b\"")]), Some(OURS)),
        ("sub twice", jwt::token(HEADER, &twice, &jwt::p256()), Some(LOOSE)),
    ];
    let judge = "import json, jwt, sys\nkey, audience, tokens = json.load(sys.stdin)\nno = {'verify_' + n: False for n in ('exp', 'iat', 'nbf')}\n\
        for token in tokens:\n    try:\n        jwt.decode(token, key, algorithms=['ES256'], audience=audience, options=no)\n        print('yes')\n\
        \x20   except jwt.PyJWTError:\n        print('no')";
    let tokens: Vec<&str> = cases.iter().map(|(_, token, _)| token.as_str()).collect();
    let said = python(judge, &serde_json::json!([pem(&jwt::p256(), false), AUDIENCE, tokens]).to_string());
    assert_eq!(said.lines().count(), cases.len());
    for ((name, token, why), theirs) in cases.iter().zip(said.lines()) {
        let ours = if World::new().judge(token.as_bytes()).is_ok() { "yes" } else { "no" };
        assert_eq!(ours != theirs, why.is_some(), "{name}: we say {ours}, PyJWT says {theirs}");
        assert!(ours == theirs || ours == "no", "{name}: never looser than PyJWT");
    }
}
