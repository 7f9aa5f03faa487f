//! Bearer tokens in the place of proxies.

use crate::jwt::{self, AUDIENCE, HEADER, ISSUER};
use crate::refusals::{PAYLOAD, Table};
use crate::site::{Caller, Run, Site, material_file};
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

/// Bob, whose token has the groups of the VO.
fn pooled(site: &Site, sub: &str, groups: &str) -> String {
    accept(site);
    token(&[("sub", &format!("{sub:?}")), ("wlcg.groups", groups)])
}

/// Says where the payload's token is and what it is.
const SHOW: [&str; 3] = [
    "sh",
    "-c",
    "stat -c '%U %G %a %h %F' \"$BEARER_TOKEN_FILE\" && cat \"$BEARER_TOKEN_FILE\"; echo; echo $BEARER_TOKEN_FILE",
];
const ITS_OWN: &str = "alice alice 600 1 regular file\n";

/// A token of Alice's for storage, which may not start jobs.
fn for_storage() -> String {
    token(&[("aud", "\"https://storage/\""), ("scope", "\"storage.read:/\""), ("wlcg.groups", "")])
}

fn source<'s>(caller: Caller<'s>, token: &str) -> Caller<'s> {
    caller.file_in("GLEXEC_SOURCE_TOKEN", "source-token", token.as_bytes())
}

#[test]
fn a_source_token_of_the_user_is_copied_for_the_payload_and_goes_with_it() {
    for site in Site::in_both_modes() {
        accept(&site);
        let copied = for_storage();
        let run = source(alice(&site), &format!("\n \t{copied}\r\n")).reporting().glexec(SHOW);
        run.exits(0);
        let said = run.stdout();
        let path = said.lines().last().unwrap();
        let random = path.strip_prefix("/tmp/bt_u3000.glexec.");
        assert!(random.is_some_and(|random| random.len() == 6), "{run}");
        assert_eq!(
            said.trim_end().strip_suffix(path).unwrap(),
            format!("{ITS_OWN}{copied}\n"),
            "the token alone: {run}"
        );
        assert_eq!(run.reported()["target_token"], path);
        assert_eq!(run.reported()["target_proxy"], serde_json::Value::Null);
        let log = site.read("/var/log/glexec/glexec.log");
        for secret in [&copied, &token(&[])] {
            assert!(!log.contains(secret.rsplit('.').next().unwrap()), "a token is never logged");
        }
    }
    let site = Site::with(Site::linger);
    accept(&site);
    let run = source(alice(&site), &for_storage()).glexec(SHOW);
    assert!(!site.exists(run.stdout().lines().last().unwrap()), "it is removed with the call: {run}");
}

#[test]
fn the_copy_of_a_token_goes_where_the_caller_says_and_is_renewed_there() {
    let site = Site::new();
    accept(&site);
    let at = |path: &str, token: &str| source(alice(&site), token).env("GLEXEC_TARGET_TOKEN", path);
    at("/dev/null", &for_storage()).glexec(["sh", "-c", "echo ${BEARER_TOKEN_FILE-none}"]).succeeds_with("none\n");
    let first = for_storage();
    let run = at("/home/alice/token", &first).glexec(SHOW);
    assert_eq!(run.stdout(), format!("{ITS_OWN}{first}\n/home/alice/token\n"), "{run}");
    // Renewal is the call without a command.
    let second = token(&[("jti", "\"second\""), ("aud", "\"https://storage/\"")]);
    at("/home/alice/token", &second).glexec([] as [&str; 0]).succeeds_with("");
    assert_eq!(site.read("/home/alice/token").trim_end(), second);
    assert_eq!(site.sh("stat -c '%U %a' /home/alice/token; ls -A /home/alice"), "alice 600\ntoken\n");

    let bobs = token(&[("sub", "\"bob\"")]);
    site.write("/home/alice/token", &bobs);
    at("/home/alice/token", &second).glexec([] as [&str; 0]).refused(201, "target-proxy.other-identity");
    assert_eq!(site.read("/home/alice/token"), bobs, "another person's token is not renewed");
    site.sh("ln -s /home/alice/token /home/alice/link; touch /home/alice/roots; chmod 666 /home/alice/roots");
    for foreign in ["/home/alice/link", "/home/alice/roots"] {
        at(foreign, &second).glexec(["true"]).refused(201, "target-proxy.foreign");
    }
    at("/root/token", &second).glexec(["true"]).refused(201, "target-proxy.not-writable");
}

#[test]
fn nobody_elses_token_is_copied_and_no_bad_one() {
    let site = Site::new();
    accept(&site);
    let refused = |source_token: &str, exit: i32, code: &str| {
        source(alice(&site), source_token).glexec(["true"]).refused(exit, code);
    };
    refused(&token(&[("sub", "\"bob\"")]), 201, "credential.identity-mismatch");
    refused(&token(&[("exp", &at(-120)), ("iat", &at(-3600))]), 201, "token.expired");
    refused(&token(&[("iss", "\"https://else/\"")]), 203, "token.issuer");
    refused("garbage", 201, "token.malformed");
    let forged = jwt::token(HEADER, &jwt::payload(jwt::claims(ALICE, now()), &[]), &jwt::other_p256());
    refused(&forged, 203, "token.signature");
    alice(&site).env("GLEXEC_SOURCE_TOKEN", "").glexec(["true"]).refused(201, "credential.not-given");
    let open = source(alice(&site), &for_storage());
    site.chmod("/home/pilot/source-token", 0o644);
    open.glexec(["true"]).refused(201, "credential.insecure-permissions");
}

#[test]
fn neither_the_pilots_own_token_nor_a_value_reaches_the_payload() {
    let site = Site::new();
    accept(&site);
    site.set("preserve_env_variables = [\"BEARER_*\", \"GLEXEC_*\", \"OTHER\"]");
    let pilot =
        alice(&site).file_in("BEARER_TOKEN_FILE", "own", b"x").env("BEARER_TOKEN", "secret").env("OTHER", "yes");
    let run = pilot.glexec(["sh", "-c", "echo ${BEARER_TOKEN-none} ${BEARER_TOKEN_FILE-none} $OTHER"]);
    run.succeeds_with("none none yes\n");
}

#[test]
fn the_pilots_own_token_is_judged_as_the_site_says() {
    let says = |word: &str| {
        Site::with(|site| {
            accept(site);
            site.configure(|text| text.replace("[tokens]\n", &format!("[tokens]\npilot_token = \"{word}\"\n")));
        })
    };
    fn own<'s>(site: &'s Site, token: &str) -> Caller<'s> {
        alice(site).file_in("BEARER_TOKEN_FILE", "own-token", token.as_bytes())
    }
    let pilots = token(&[("sub", "\"pilot-1\"")]);
    for (word, without, with_bad) in [("ignored", None, false), ("optional", None, true), ("required", Some(()), true)]
    {
        let site = says(word);
        let run = own(&site, &pilots).glexec(["true"]);
        let expected = if word == "ignored" { "" } else { "/iss=https://vo.example.org//sub=pilot-1" };
        assert_eq!(run.exits(0).record()["pilot_dn"], expected, "{word}");
        match without {
            None => alice(&site).glexec(["true"]).succeeds_with(""),
            Some(()) => alice(&site).glexec(["true"]).refused(201, "credential.pilot-missing"),
        };
        let bad = own(&site, "garbage").glexec(["true"]);
        match with_bad {
            true => bad.refused(201, "token.malformed"),
            false => bad.succeeds_with(""),
        };
    }
}

#[test]
fn a_pilot_cannot_hide_a_token_that_is_banned_behind_a_proxy() {
    let site = Site::with(|site| {
        accept(site);
        let plugin = "[[lcas.plugin]]\ntype = \"userban\"\nsubject = \"pilot\"\nfile = \"/etc/lcas/pilots\"\n";
        let required = "[tokens]\npilot_token = \"required\"\n";
        site.configure(|text| format!("{}\n{plugin}", text.replace("[tokens]\n", required)));
    });
    site.write("/etc/lcas/pilots", "\"/iss=https://vo.example.org//sub=pilot-1\"\n");
    let own = |sub: &str| {
        let token = token(&[("sub", &format!("\"{sub}\""))]);
        alice(&site).file_in("BEARER_TOKEN_FILE", "own-token", token.as_bytes())
    };
    own("pilot-1").glexec(["true"]).refused(203, "lcas.userban");
    own("pilot-1").own_proxy("bob").glexec(["true"]).refused(203, "lcas.userban");
    let run = own("pilot-2").own_proxy("bob").glexec(["true"]);
    assert!(run.exits(0).record()["pilot_dn"].contains("Bob"), "{run}");
    let log = site.read("/var/log/glexec/glexec.log");
    assert!(log.contains("the pilot has a credential of /iss=https://vo.example.org//sub=pilot-2 as well"), "{log}");
}

#[test]
fn a_proxy_beside_a_token_must_be_of_the_same_vo() {
    let site = Site::new();
    accept(&site);
    let with_proxy = |name: &str| {
        let proxy = material_file(&format!("proxies/{name}.pem"));
        alice(&site).file_in("GLEXEC_SOURCE_PROXY", "source.pem", &proxy)
    };
    let run = with_proxy("alice-voms").glexec(["sh", "-c", "cat $X509_USER_PROXY; echo ${BEARER_TOKEN_FILE-none}"]);
    let expected = [&material_file("proxies/alice-voms.pem"), &b"none\n"[..]].concat();
    assert!(run.exits(0).stdout_bytes() == expected, "{run}");
    assert_eq!(run.record()["credential"], "token");
    // Without VOMS attributes it is of no VO.
    with_proxy("alice").glexec(["true"]).refused(201, "credential.identity-mismatch");
    // Both kinds of copies at once.
    let both = source(with_proxy("alice-voms"), &for_storage());
    let run = both.glexec(["sh", "-c", "cat $X509_USER_PROXY $BEARER_TOKEN_FILE"]);
    let expected = [material_file("proxies/alice-voms.pem"), for_storage_was(&site)].concat();
    assert!(run.exits(0).stdout_bytes() == expected, "{run}");
}

/// The token that the last caller held for the payload.
fn for_storage_was(site: &Site) -> Vec<u8> {
    site.read("/home/pilot/source-token").into_bytes()
}

/// What the site says of an issuer of several VOs, whose tokens name theirs.
fn inherent(profile: &str, issuer: &str) -> String {
    format!(
        "issuer = \"{issuer}\"\nvos = [\"testvo\"]\nprofile = \"{profile}\"\naudiences = [\"{AUDIENCE}\"]\nscopes = []\n\
         algorithms = [\"RS256\", \"RS384\", \"RS512\", \"ES256\", \"ES384\"]\n"
    )
}

#[test]
fn a_token_may_go_with_a_proxy_of_its_vo_where_its_issuer_speaks_for_one() {
    let site = Site::new();
    accept(&site);
    let carol = |token: &str| source(site.pilot().credential("carol"), token);
    let run = carol(&for_storage()).glexec(["sh", "-c", "cat $BEARER_TOKEN_FILE"]);
    assert!(run.exits(0).stdout_bytes() == for_storage_was(&site), "{run}");
    assert_eq!(run.record()["credential"], "x509");
    source(site.pilot().credential("alice"), &for_storage())
        .glexec(["true"])
        .refused(201, "credential.identity-mismatch");
    // Such a token's groups are not judged for a copy: its VO is nobody's word but its own.
    for (profile, issuer, claims) in [
        ("diracx", "https://diracx/", [("vo", "\"testvo\""), ("dirac_group", "\"prod\"")]),
        ("egi", "https://egi/", [("eduperson_entitlement", "[\"urn:mace:egi.eu:group:testvo#x\"]"), ("scope", "")]),
    ] {
        site.write(&format!("/etc/grid-security/issuers.d/{profile}.toml"), inherent(profile, issuer));
        let keys = jwt::key_cache(issuer, now() + 3600, &[jwt::p256().jwk("k1", "")]);
        site.write(&format!("/etc/jwks/{}", jwt::key_file(issuer)), keys);
        let name = format!("{issuer:?}");
        let token = token(&[&[("iss", name.as_str())][..], &claims].concat());
        carol(&token).glexec(["true"]).refused(201, "credential.identity-mismatch");
    }
}

#[test]
fn every_profile_and_algorithm_leads_to_an_account() {
    let site = Site::new();
    accept(&site);
    let digests = [
        ("RS256", openssl::hash::MessageDigest::sha256()),
        ("RS384", openssl::hash::MessageDigest::sha384()),
        ("RS512", openssl::hash::MessageDigest::sha512()),
    ];
    let mut keys: Vec<(&str, jwt::Key)> = digests.map(|(name, digest)| (name, jwt::rsa_with(digest))).into();
    keys.extend([("ES256", jwt::p256()), ("ES384", jwt::p384())]);
    for (file, lines) in [
        ("grid-mapfile", "\"/testvo/Role=member\" .tprd\n\"/testvo\" .tvo\n"),
        ("groupmapfile", "\"/testvo/Role=member\" production\n\"/testvo\" testvo\n"),
    ] {
        let path = format!("/etc/grid-security/{file}");
        let old = site.read(&path);
        site.write(&path, format!("{lines}{old}"));
    }
    let wlcg = "vo = \"testvo\"\nprofile = \"wlcg\"\nscopes = [\"compute.create\"]\n";
    let scitokens =
        "vo = \"testvo\"\nprofile = \"scitokens\"\nscopes = [\"condor:/WRITE\"]\ndefault_group = \"/testvo\"\n";
    let vos = "vos = [\"testvo\", \"other\"]\nscopes = []\n";
    let (egi, diracx) = (format!("{vos}profile = \"egi\"\n"), format!("{vos}profile = \"diracx\"\n"));
    type Profile<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);
    let profiles: [Profile<'_>; 4] = [
        ("wlcg", wlcg, &[("wlcg.groups", "[\"/testvo\"]")], "/testvo"),
        ("scitokens", scitokens, &[("ver", "\"scitokens:2.0\""), ("scope", "\"condor:/WRITE\"")], "/testvo"),
        (
            "egi",
            &egi,
            &[("eduperson_entitlement", "[\"urn:mace:egi.eu:group:testvo:role=member#aai.egi.eu\"]"), ("scope", "")],
            "/testvo/Role=member",
        ),
        ("diracx", &diracx, &[("vo", "\"testvo\""), ("dirac_group", "\"prod\""), ("scope", "")], "/testvo/prod"),
    ];
    for (profile, says, claims, fqan) in profiles {
        let issuer = format!("https://{profile}.example.org/");
        let file = format!(
            "issuer = \"{issuer}\"\naudiences = [\"{AUDIENCE}\"]\n{says}\
             algorithms = [\"RS256\", \"RS384\", \"RS512\", \"ES256\", \"ES384\"]\n"
        );
        site.write(&format!("/etc/grid-security/issuers.d/{profile}.toml"), file);
        let jwks: Vec<String> = keys.iter().map(|(name, key)| key.jwk(name, "")).collect();
        site.write(&format!("/etc/jwks/{}", jwt::key_file(&issuer)), jwt::key_cache(&issuer, now() + 3600, &jwks));
        for (algorithm, key) in &keys {
            let name = format!("{issuer:?}");
            let changes = [&[("iss", name.as_str())][..], claims].concat();
            let header = format!(r#"{{"alg":"{algorithm}","kid":"{algorithm}","typ":"JWT"}}"#);
            let token = jwt::token(&header, &jwt::payload(jwt::claims(ALICE, now()), &changes), key);
            let run = with(&site, &token).glexec(["id", "-un"]);
            let pool = if fqan.contains("Role") { "tprd" } else { "tvo" };
            assert!(run.exits(0).stdout().starts_with(pool), "{profile} {algorithm}: {run}");
            assert_eq!(run.record()["fqans"], fqan, "{profile} {algorithm}: {run}");
        }
    }
}

#[test]
fn people_with_tokens_have_leases_of_their_own() {
    let site = Site::new();
    let groups = "[\"/testvo/analysis\"]";
    let lower = pooled(&site, "bob", groups);
    let id = |token: &str| with(&site, token).glexec(["id", "-un"]).exits(0).stdout();
    let capital = token(&[("sub", "\"Bob\""), ("wlcg.groups", groups)]);
    let long = "l".repeat(255);
    let long = token(&[("sub", &format!("{long:?}")), ("wlcg.groups", groups)]);
    let accounts = [id(&lower), id(&capital), id(&long)];
    assert!(accounts.iter().all(|account| account.starts_with("tvo")), "{accounts:?}");
    assert!(accounts[0] != accounts[1] && accounts[1] != accounts[2] && accounts[0] != accounts[2], "{accounts:?}");
    assert_eq!([id(&lower), id(&capital), id(&long)], accounts, "who comes again has the account of before");
    let names = site.sh("ls /etc/grid-security/gridmapdir");
    for name in [
        "%2fiss%3dhttps%3a%2f%2fvo%2eexample%2eorg%2f%2fsub%3dbob:testvo",
        "%2fiss%3dhttps%3a%2f%2fvo%2eexample%2eorg%2f%2fsub%3d%42ob:testvo",
    ] {
        assert!(names.lines().any(|line| line == name), "{name}: {names}");
    }
    assert_eq!(names.lines().filter(|line| line.starts_with("token%3a")).count(), 1, "{names}");
    // The groups of a token say nothing of a mapping that must exist already.
    let verify = with(&site, &capital).env("GLEXEC_MODE", "lcmaps_verify_account");
    assert_eq!(verify.glexec(["id", "-un"]).exits(0).stdout(), accounts[1]);
    let new = token(&[("sub", "\"new\""), ("wlcg.groups", groups)]);
    with(&site, &new).env("GLEXEC_MODE", "lcmaps_verify_account").glexec(["id"]).refused(203, "lcmaps.no-lease");
    let leases = site.admin(["leases", "list"]).stdout();
    assert!(leases.contains("/iss=https://vo.example.org//sub=Bob"), "{leases}");
}

#[test]
fn the_name_of_a_tokens_user_is_expected_and_banned_as_one_name() {
    let site = Site::new();
    accept(&site);
    let name = format!("/iss={ISSUER}/sub={ALICE}");
    alice(&site).env("GLEXEC_EXPECTED_SUBJECT", &name).glexec(["true"]).succeeds_with("");
    for other in [format!("/iss={ISSUER}/sub=alice"), name.to_uppercase(), "/DC=org/CN=Alice".to_owned()] {
        alice(&site)
            .env("GLEXEC_EXPECTED_SUBJECT", other)
            .glexec(["true"])
            .refused(203, "credential.unexpected-subject");
    }
    site.append("/etc/lcas/ban_users.db", &format!("\n\"{name}\"\n"));
    alice(&site).glexec(["true"]).refused(203, "lcas.userban");
    with(&site, &token(&[("sub", "\"alice-4712\"")])).glexec(["true"]).refused(203, "lcmaps.no-mapping");
    site.write("/etc/lcas/ban_users.db", "\"/iss=https://vo.example.org/*\"\n");
    alice(&site).glexec(["true"]).refused(203, "lcas.userban");
}

#[test]
fn a_plugin_hears_of_a_token_in_the_second_version_of_its_protocol() {
    let site = Site::new();
    accept(&site);
    site.configure(|text| {
        format!("{text}\n[[lcas.plugin]]\ntype = \"exec\"\ncommand = [\"/etc/glexec-plugins/say\"]\n")
    });
    site.write(
        "/root/say",
        "#!/bin/sh\nprintf '{\"decision\":\"deny\",\"message\":\"heard\",\"tell_caller\":\"%s\"}' \"$(base64 -w 0)\"\n",
    );
    site.sh("install -D -m 755 /root/say /etc/glexec-plugins/say");
    let heard = |caller: Caller<'_>| -> serde_json::Value {
        let run = caller.glexec(["true"]);
        run.refused(203, "lcas.exec-denied");
        let said = run.stderr().strip_prefix("[gLExec]: ").unwrap().split(' ').next().unwrap().to_owned();
        serde_json::from_slice(&openssl::base64::decode_block(&said).unwrap()).unwrap()
    };
    let document = heard(alice(&site));
    assert_eq!(document["version"], 2);
    let user = &document["user"];
    for (member, value) in [
        ("dn", "/iss=https://vo.example.org//sub=alice-4711"),
        ("credential", "token"),
        ("iss", ISSUER),
        ("sub", ALICE),
        ("jti", "0a1b2c"),
        ("kid", "k1"),
        ("scope", "compute.create"),
        ("vo", "testvo"),
    ] {
        assert_eq!(user[member], value, "{member}: {document}");
    }
    assert!(user.get("issuer").is_none() && user.get("serial").is_none(), "{document}");
    let document = heard(site.pilot().credential("carol"));
    assert_eq!(document["version"], 1, "a plug-in that knows no tokens hears what it always did");
    assert!(document["user"].get("credential").is_none(), "{document}");
}

#[test]
fn check_tells_of_keys_issuers_and_lines_for_nobody() {
    let site = Site::new();
    accept(&site);
    let faults = || -> Vec<serde_json::Value> {
        let run = site.admin(["check", "--json"]);
        let said: serde_json::Value = serde_json::from_str(&run.stdout()).unwrap();
        let mut all = said["findings"].as_array().unwrap().clone();
        all.retain(|one| one["state"] != "ok");
        all
    };
    put_keys(&site, now() + 2 * 86400, &[jwt::p256().jwk("k1", "")]);
    assert_eq!(faults(), [] as [serde_json::Value; 0], "a site that is as it should be");
    let run = site.admin(["check", "--all"]);
    assert!(
        run.stdout().contains("1 key, good for 1 day more") || run.stdout().contains("1 key, good for 2 days more"),
        "{run}"
    );

    let one = |state: &str, reason: Option<&str>, says: &str| {
        let found = faults();
        assert_eq!(found.len(), 1, "{says}: {found:?}");
        assert_eq!((&found[0]["state"], found[0]["reason"].as_str()), (&serde_json::json!(state), reason), "{found:?}");
        assert!(found[0]["says"].as_str().unwrap().contains(says), "{says}: {found:?}");
        assert!(found[0]["mend"].as_str().is_some_and(|mend| !mend.is_empty()), "{found:?}");
    };
    put_keys(&site, now() + 3600 * 5 + 1800, &[jwt::p256().jwk("k1", "")]);
    one("warning", Some("token.keys-expired"), "good for 5 hours more");
    put_keys(&site, now() - 3600 * 5 - 1800, &[jwt::p256().jwk("k1", "")]);
    one("critical", Some("token.keys-expired"), "expired 5 hours ago");
    put_keys(&site, now() + 2 * 86400, &[jwt::p384().jwk("k1", "")]);
    one("critical", Some("token.keys-malformed"), "none of its keys is for RS256 or ES256");
    put_keys(&site, now() + 2 * 86400, &[jwt::p256().jwk("k1", r#","d":"AA""#)]);
    one("critical", Some("token.keys-malformed"), "a private or symmetric key");
    site.sh("rm /etc/jwks/*");
    one("critical", Some("token.keys-missing"), "there is no file");
    put_keys(&site, now() + 2 * 86400, &[jwt::p256().jwk("k1", "")]);
    site.write("/etc/grid-security/issuers.d/broken.toml", "issuer = 1\n");
    one("critical", Some("token.issuer-file"), "issuer");
    site.write("/etc/grid-security/issuers.d/broken.toml", issuer_file());
    one("critical", Some("token.issuer-file"), "too");
    site.sh("rm /etc/grid-security/issuers.d/broken.toml");
    site.append("/etc/grid-security/grid-mapfile", "\"/testvo/Role=NULL*\" .tvo\n");
    one("warning", None, "no token can match /testvo/Role=NULL*");
    site.append("/etc/grid-security/grid-mapfile", "\"/testvo\" .tvo\n");
    assert_eq!(faults(), [] as [serde_json::Value; 0]);
    site.append("/etc/grid-security/grid-mapfile", "\"/iss=https://vo.example.org/sub=alice\" alice\n");
    one("warning", None, "no file of issuers.d is about the issuer https://vo.example.org,");
    site.sh("rm /etc/grid-security/issuers.d/*");
    assert!(faults().iter().any(|one| one["says"].as_str().unwrap().contains("every token is refused")));
}
