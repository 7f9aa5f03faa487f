//! Bearer tokens in the place of proxies.

use crate::jwt::{self, AUDIENCE, HEADER, ISSUER};
use crate::refusals::{PAYLOAD, Table};
use crate::site::{Caller, Run, Site};
use glexec_core::reason::Reason;
use std::time::{SystemTime, UNIX_EPOCH};

/// Whom the tokens of this site's issuer are of.
const ALICE: &str = "alice-4711";

pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// What the site says of the issuer.
pub fn issuer_file() -> String {
    format!(
        "issuer = \"{ISSUER}\"\nvo = \"testvo\"\nprofile = \"wlcg\"\naudiences = [\"{AUDIENCE}\"]\n\
         scopes = [\"compute.create\"]\n"
    )
}

/// Makes a site take tokens, and gives their users accounts.
pub fn accept(site: &Site) {
    site.configure(|text| format!("{text}\n[tokens]\nmax_lifetime = \"2h\"\n"));
    site.sh("mkdir -p /etc/grid-security/issuers.d /etc/jwks");
    site.write("/etc/grid-security/issuers.d/testvo.toml", issuer_file());
    put_keys(site, now() + 3600, &[jwt::p256().jwk("k1", "")]);
    site.append("/etc/grid-security/grid-mapfile", &format!("\n\"/iss={ISSUER}/sub={ALICE}\" alice\n"));
}

/// Writes the issuer's keys.
pub fn put_keys(site: &Site, expiration: i64, keys: &[String]) {
    let path = format!("/etc/jwks/{}", jwt::key_file(ISSUER));
    site.write(&path, jwt::key_cache(ISSUER, expiration, keys));
}

/// A token of Alice's with changed claims.
pub fn token(changes: &[(&str, &str)]) -> String {
    jwt::token(HEADER, &jwt::payload(jwt::claims(ALICE, now()), changes), &jwt::p256())
}

/// The pilot with a token of Alice's.
pub fn alice(site: &Site) -> Caller<'_> {
    with(site, &token(&[]))
}

fn with<'s>(site: &'s Site, token: &str) -> Caller<'s> {
    site.pilot().file_in("GLEXEC_CLIENT_TOKEN", "token", token.as_bytes())
}

#[test]
fn a_token_runs_its_users_payload_as_the_account_of_its_name() {
    for site in Site::in_both_modes() {
        accept(&site);
        let run = alice(&site).reporting().glexec([
            "sh",
            "-c",
            "id -un; echo ${BEARER_TOKEN_FILE-none} ${X509_USER_PROXY-none}",
        ]);
        run.exits(0);
        assert_eq!(run.stdout(), "alice\nnone none\n", "a token that starts jobs is not handed on: {run}");
        let record = run.record();
        for (field, value) in [
            ("credential", "token"),
            ("user_dn", "/iss=https://vo.example.org//sub=alice-4711"),
            ("vo", "testvo"),
            ("jti", "0a1b2c"),
            ("kid", "k1"),
            ("scope", "compute.create"),
        ] {
            assert_eq!(record[field], value, "{field}: {run}");
        }
        assert!(!record.has("issuer_dn") && !record.has("serial"), "{run}");
        assert!(run.report.contains(r#""subject":"/iss=https://vo.example.org//sub=alice-4711""#), "{}", run.report);
    }
}

/// A call with Alice's token after the site has taken to tokens and something has changed.
fn after(site: &Site, change: impl FnOnce(&Site)) -> Run<'_> {
    accept(site);
    change(site);
    alice(site).reporting().glexec(PAYLOAD)
}

/// A call with a token of these claims.
fn claiming<'s>(site: &'s Site, changes: &[(&str, &str)]) -> Run<'s> {
    accept(site);
    with(site, &token(changes)).reporting().glexec(PAYLOAD)
}

/// A call with a token of this header and key.
fn signed<'s>(site: &'s Site, header: &str, key: &jwt::Key) -> Run<'s> {
    accept(site);
    let token = jwt::token(header, &jwt::payload(jwt::claims(ALICE, now()), &[]), key);
    with(site, &token).reporting().glexec(PAYLOAD)
}

fn at(seconds: i64) -> String {
    (now() + seconds).to_string()
}

/// What is refused of tokens, and why.
pub const TABLE: Table = &[
    (Reason::TokenDisabled, |site| alice(site).reporting().glexec(PAYLOAD)),
    (Reason::CredentialTwoIdentities, |site| alice(site).credential("alice").reporting().glexec(PAYLOAD)),
    (Reason::TokenMalformed, |site| {
        accept(site);
        with(site, "not a token").reporting().glexec(PAYLOAD)
    }),
    (Reason::TokenTooLarge, |site| {
        accept(site);
        with(site, &"x".repeat(17 * 1024)).reporting().glexec(PAYLOAD)
    }),
    (Reason::TokenMalformed, |site| claiming(site, &[("exp", &at(10)), ("iat", &at(30))])),
    (Reason::TokenExpired, |site| claiming(site, &[("exp", &at(-120)), ("iat", &at(-3600))])),
    (Reason::TokenNotYetValid, |site| claiming(site, &[("nbf", &at(3600))])),
    (Reason::TokenIssuer, |site| claiming(site, &[("iss", "\"https://other/\"")])),
    (Reason::TokenAudience, |site| claiming(site, &[("aud", "\"https://other/\"")])),
    (Reason::TokenScope, |site| claiming(site, &[("scope", "\"storage.read:/\"")])),
    (Reason::TokenGroups, |site| claiming(site, &[("wlcg.groups", "[\"/other\"]")])),
    (Reason::TokenLifetime, |site| claiming(site, &[("exp", &at(3 * 3600))])),
    (Reason::TokenBound, |site| claiming(site, &[("cnf", "{}")])),
    (Reason::TokenVersion, |site| claiming(site, &[("wlcg.ver", "\"2.0\"")])),
    (Reason::TokenSubject, |site| claiming(site, &[("sub", "\"two words\"")])),
    (Reason::LcmapsNoMapping, |site| claiming(site, &[("sub", "\"alice-471\"")])),
    (Reason::TokenSignature, |site| signed(site, HEADER, &jwt::other_p256())),
    (Reason::TokenAlgorithm, |site| signed(site, r#"{"alg":"none","kid":"k1"}"#, &jwt::p256())),
    (Reason::TokenKeyUnknown, |site| signed(site, r#"{"alg":"ES256","kid":"k2"}"#, &jwt::p256())),
    (Reason::TokenType, |site| signed(site, r#"{"alg":"ES256","kid":"k1","typ":"id+jwt"}"#, &jwt::p256())),
    (Reason::TokenKeysExpired, |site| after(site, |site| put_keys(site, now() - 1, &[jwt::p256().jwk("k1", "")]))),
    (Reason::TokenKeysMalformed, |site| {
        after(site, |site| put_keys(site, now() + 60, &[jwt::p256().jwk("k1", r#","d":"AA""#)]))
    }),
    (Reason::TokenKeysMissing, |site| after(site, |site| drop(site.sh("rm /etc/jwks/*")))),
    (Reason::TokenIssuerFile, |site| {
        after(site, |site| site.write("/etc/grid-security/issuers.d/again.toml", issuer_file()))
    }),
    (Reason::TrustUnreadable, |site| after(site, |site| drop(site.sh("rm -r /etc/grid-security/issuers.d")))),
    (Reason::TrustInsecure, |site| after(site, |site| drop(site.sh("chmod 777 /etc/jwks")))),
];

#[test]
fn only_the_variable_that_stands_for_the_user_does() {
    let site = Site::new();
    accept(&site);
    alice(&site).env("GLEXEC_CLIENT_TOKEN", "").glexec(["true"]).refused(201, "credential.not-given");
    let found = alice(&site).without("GLEXEC_CLIENT_TOKEN").env("BEARER_TOKEN_FILE", "/home/pilot/token");
    found.env("BEARER_TOKEN", token(&[])).glexec(["true"]).refused(201, "credential.not-given");
}

#[test]
fn the_keys_of_the_second_directory_count_where_the_first_has_none() {
    let site = Site::new();
    accept(&site);
    site.sh("mkdir -p /var/cache/jwks && mv /etc/jwks/* /var/cache/jwks && rmdir /etc/jwks");
    alice(&site).glexec(["true"]).exits(0);
}
