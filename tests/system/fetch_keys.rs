//! `glexec-admin fetch-keys` against a real HTTPS server on the loopback interface, and every way in which an issuer may
//! fail: whatever it is, the keys that are there stay as they are.

use crate::jwt::{self, key_file};
use crate::site::{Run, Site, built};
use crate::tokens;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Where the site's system has its CAs for HTTPS.
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Where the metadata of the issuer is.
const METADATA: &str = "/.well-known/openid-configuration";
/// The host that the issuers' URLs name; the site's /etc/hosts leads to the loopback interface.
const HOST: &str = "vo.example.org";

/// A CA, or a certificate with its key.
struct Certified {
    certificate: X509,
    key: PKey<Private>,
}

/// What a certificate is for.
enum For<'a> {
    Signing,
    /// A server of these names, from and until so many seconds from now.
    Server(&'a [&'a str], i64, i64),
}

fn certify(name: &str, by: Option<&Certified>, purpose: &For<'_>) -> Certified {
    let jwt::Key::Ec(key, ..) = jwt::fresh_p256() else { unreachable!() };
    let key = PKey::from_ec_key(key).unwrap();
    let mut builder = X509Builder::new().unwrap();
    let mut subject = X509Name::builder().unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    let subject = subject.build();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(u32::try_from(name.len()).unwrap()).unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(by.map_or(&subject, |by| by.certificate.subject_name())).unwrap();
    builder.set_pubkey(&key).unwrap();
    let (from, until) = match purpose {
        For::Signing => (-3600, 86400),
        For::Server(_, from, until) => (*from, *until),
    };
    builder.set_not_before(&Asn1Time::from_unix(tokens::now() + from).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(tokens::now() + until).unwrap()).unwrap();
    match purpose {
        For::Signing => builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap(),
        For::Server(names, ..) => {
            let mut alternative = SubjectAlternativeName::new();
            for name in *names {
                alternative.dns(name);
            }
            let extension = alternative.build(&builder.x509v3_context(by.map(|by| &*by.certificate), None)).unwrap();
            builder.append_extension(extension).unwrap();
        }
    }
    builder.sign(by.map_or(&key, |by| &by.key), MessageDigest::sha256()).unwrap();
    Certified { certificate: builder.build(), key }
}

/// What a server says to a request.
#[derive(Clone)]
enum Says {
    /// This body.
    Body(String),
    /// This, byte for byte: status line, header, body.
    Raw(String),
    /// A body without an end.
    Endless,
    /// Nothing, until the other side has had enough.
    Nothing,
}

/// A server of one site's issuer.
struct Issuer {
    /// `iss`: with a slash at its end.
    name: String,
    port: u16,
    says: Arc<Mutex<Vec<(String, Says)>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Issuer {
    /// Starts one with this certificate; it ends with the test.
    fn start(own: &Certified) -> Issuer {
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
        acceptor.set_certificate(&own.certificate).unwrap();
        acceptor.set_private_key(&own.key).unwrap();
        let acceptor = Arc::new(acceptor.build());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (says, asked) = (Arc::<Mutex<Vec<(String, Says)>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let issuer = Issuer { name: format!("https://{HOST}:{port}/"), port, says: says.clone(), asked: asked.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (acceptor, says, asked) = (acceptor.clone(), says.clone(), asked.clone());
                std::thread::spawn(move || serve(&acceptor, stream.unwrap(), &says, &asked));
            }
        });
        issuer
    }

    fn says(&self, path: &str, what: Says) {
        let mut says = self.says.lock().unwrap();
        says.retain(|(known, _)| known != path);
        says.push((path.to_owned(), what));
    }

    /// Says that its keys are at `/keys`, and these there.
    fn publishes(&self, keys: &[String]) {
        self.describes(&self.name, &format!("{}keys", self.name));
        self.says("/keys", Says::Body(format!(r#"{{"keys":[{}]}}"#, keys.join(","))));
    }

    fn describes(&self, issuer: &str, keys: &str) {
        self.says(METADATA, Says::Body(format!(r#"{{"issuer":"{issuer}","more":[1,{{}}],"jwks_uri":"{keys}"}}"#)));
    }

    fn was_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn serve(
    acceptor: &SslAcceptor,
    stream: TcpStream,
    says: &Mutex<Vec<(String, Says)>>,
    asked: &Mutex<Vec<String>>,
) -> Option<()> {
    let mut stream = BufReader::new(acceptor.accept(stream).ok()?);
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    while line.trim_end() != "" {
        line.clear();
        stream.read_line(&mut line).ok()?;
    }
    asked.lock().unwrap().push(path.clone());
    let said = says.lock().unwrap().iter().find(|(known, _)| *known == path).map(|(_, says)| says.clone());
    let stream = stream.get_mut();
    match said {
        Some(Says::Body(body)) => {
            let length = body.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).ok()?;
        }
        Some(Says::Raw(answer)) => stream.write_all(answer.as_bytes()).ok()?,
        Some(Says::Endless) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").ok()?;
            while stream.write_all(&[b' '; 4096]).is_ok() {}
        }
        Some(Says::Nothing) => {
            // Until the client hangs up.
            let _ = stream.ssl_read(&mut [0; 1]);
        }
        None => stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").ok()?,
    }
    stream.shutdown().ok().map(drop)
}

/// A site that trusts an issuer of its own, with what fetches keys and a CA for HTTPS.
struct World {
    site: Site,
    issuer: Issuer,
}

impl World {
    fn new() -> World {
        World::with(|ca| certify("server", Some(ca), &For::Server(&[HOST], -60, 3600)))
    }

    fn with(server: impl FnOnce(&Certified) -> Certified) -> World {
        let site = Site::new();
        let ca = certify("CA for HTTPS", None, &For::Signing);
        let issuer = Issuer::start(&server(&ca));
        tokens::accept(&site);
        site.sh("rm /etc/jwks/* /etc/grid-security/issuers.d/*; mkdir -p /etc/ssl/certs");
        site.write(BUNDLE, ca.certificate.to_pem().unwrap());
        site.append("/etc/hosts", &format!("127.0.0.1 {HOST} other.example.org\n"));
        site.write("/root/fetch-keys", std::fs::read(built("glexec-fetch-keys")).unwrap());
        site.sh("install -D -m 755 /root/fetch-keys /usr/libexec/glexec/fetch-keys; rm /root/fetch-keys");
        trust(&site, "vo", &issuer.name);
        issuer.publishes(&[jwt::p256().jwk("k1", "")]);
        World { site, issuer }
    }

    fn fetch(&self) -> Run<'_> {
        self.site.admin(["fetch-keys"])
    }

    fn path(&self) -> String {
        format!("/etc/jwks/{}", key_file(&self.issuer.name))
    }

    /// The key ids of the file, and when it expires.
    fn keys(&self) -> (Vec<String>, i64) {
        let file: Value = serde_json::from_str(&self.site.read(&self.path())).unwrap();
        let entry = &file[&self.issuer.name];
        let ids = entry["jwks"]["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned());
        (ids.collect(), entry["expiration"].as_i64().unwrap())
    }
}

/// The site trusts an issuer.
fn trust(site: &Site, name: &str, issuer: &str) {
    let file = tokens::issuer_file().replace(jwt::ISSUER, issuer);
    site.write(&format!("/etc/grid-security/issuers.d/{name}.toml"), file);
}

#[test]
fn fetched_keys_are_good_for_two_days_and_prove_tokens() {
    let world = World::new();
    let before = tokens::now();
    let run = world.fetch();
    run.exits(0);
    assert!(
        run.stdout().starts_with(&format!("{}: 1 key in {}, good until ", world.issuer.name, world.path())),
        "{run}"
    );
    assert_eq!(world.issuer.was_asked(), [METADATA, "/keys"]);
    let (ids, expiration) = world.keys();
    assert_eq!(ids, ["k1"]);
    assert!((before..=tokens::now()).contains(&(expiration - 2 * 86400)), "{expiration}");
    let mode = world.site.sh(&format!("stat -c '%a %U' {}; ls -A /etc/jwks | wc -l", world.path()));
    assert_eq!(mode, "644 root\n1\n", "and nothing else is there");

    let map = format!("\"/iss={}/sub=alice-4711\" alice\n", world.issuer.name);
    world.site.append("/etc/grid-security/grid-mapfile", &map);
    let token = tokens::token(&[("iss", &format!("{:?}", world.issuer.name))]);
    let caller = world.site.pilot().file_in("GLEXEC_CLIENT_TOKEN", "token", token.as_bytes());
    caller.glexec(["id", "-un"]).succeeds_with("alice\n");
}

#[test]
fn the_directory_is_made_where_there_is_none_and_must_be_roots() {
    let world = World::new();
    world.site.sh("rmdir /etc/jwks");
    world.fetch().exits(0);
    assert_eq!(world.site.sh("stat -c '%a %U' /etc/jwks"), "755 root\n");
    world.site.sh("chmod 777 /etc/jwks");
    let run = world.fetch();
    run.exits(1);
    assert!(run.stderr().contains("/etc/jwks"), "{run}");
}

#[test]
fn a_rotation_brings_the_new_key_and_takes_the_old_one_away() {
    let world = World::new();
    world.fetch().exits(0);
    world.issuer.publishes(&[jwt::p256().jwk("k1", ""), jwt::other_p256().jwk("k2", "")]);
    world.fetch().exits(0);
    assert_eq!(world.keys().0, ["k1", "k2"]);
    world.issuer.publishes(&[jwt::other_p256().jwk("k2", "")]);
    world.fetch().exits(0);
    assert_eq!(world.keys().0, ["k2"], "a key that the issuer has withdrawn proves nothing any more");
}

/// What an issuer says when it fails: what is said of it, and how.
type Failure = (&'static str, fn(&Issuer));

fn answers(issuer: &Issuer, answer: &str) {
    issuer.says("/keys", Says::Raw(answer.to_owned()));
}

fn set(issuer: &Issuer, keys: &str) {
    issuer.says("/keys", Says::Body(keys.to_owned()));
}

const FAILURES: &[Failure] = &[
    ("status 404", |issuer| issuer.says("/keys", Says::Raw("HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n".into()))),
    ("status 503", |issuer| answers(issuer, "HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n")),
    ("status 204", |issuer| answers(issuer, "HTTP/1.1 204 Nothing\r\n\r\n")),
    ("cannot be used", |issuer| set(issuer, "<!DOCTYPE html><html><body>Please log in</body></html>")),
    ("cannot be used", |issuer| set(issuer, "")),
    ("cannot be used", |issuer| set(issuer, "[]")),
    ("has no list", |issuer| set(issuer, "{}")),
    ("no key with an id", |issuer| set(issuer, r#"{"keys":[]}"#)),
    ("no key with an id", |issuer| issuer.publishes(&[jwt::p384().jwk("k1", "")])),
    ("no key with an id", |issuer| issuer.publishes(&[jwt::p256().jwk("k1", r#","use":"enc""#)])),
    ("private or symmetric", |issuer| issuer.publishes(&[jwt::p256().jwk("k1", r#","d":"AA""#)])),
    ("private or symmetric", |issuer| set(issuer, r#"{"keys":[{"kty":"oct","k":"AAAA","kid":"k1"}]}"#)),
    ("one id", |issuer| issuer.publishes(&[jwt::p256().jwk("k1", ""), jwt::other_p256().jwk("k1", "")])),
    ("twice", |issuer| {
        let set = format!(r#"{{"keys":[{}],"keys":[]}}"#, jwt::p256().jwk("k1", ""));
        issuer.says("/keys", Says::Body(set));
    }),
    // As deep as JSON may be, and two levels deeper in the file.
    ("nested too deeply", |issuer| {
        let deep = ["[", "]"].map(|bracket| bracket.repeat(14)).concat();
        set(issuer, &format!(r#"{{"keys":[{}],"x":{deep}}}"#, jwt::p256().jwk("k1", "")));
    }),
    // What would end the object that it is written into.
    ("cannot be used", |issuer| {
        let set = format!(r#"{{"keys":[{}]}}}},"https://else/":{{"jwks":{{}}"#, jwt::p256().jwk("k1", ""));
        issuer.says("/keys", Says::Body(set));
    }),
    ("larger than 256 KiB", |issuer| {
        let body = " ".repeat(256 * 1024 + 1);
        answers(issuer, &format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    }),
    ("larger than 256 KiB", |issuer| issuer.says("/keys", Says::Endless)),
    ("larger than 256 KiB", |issuer| issuer.says(METADATA, Says::Endless)),
    ("error reading a body", |issuer| answers(issuer, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"keys\":[")),
    ("no answer within 10 s", |issuer| issuer.says("/keys", Says::Nothing)),
    ("invalid HTTP", |issuer| answers(issuer, "\u{1}\u{2}\u{3} nonsense\r\n\r\n")),
    ("encoded", |issuer| answers(issuer, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n")),
    ("not the metadata", |issuer| issuer.says(METADATA, Says::Body("<html></html>".into()))),
    ("not the metadata", |issuer| issuer.says(METADATA, Says::Body(r#"{"issuer":"https://vo/"}"#.into()))),
    ("not the metadata", |issuer| {
        let name = &issuer.name;
        let twice = format!(r#"{{"issuer":"{name}","issuer":"{name}","jwks_uri":"{name}keys"}}"#);
        issuer.says(METADATA, Says::Body(twice));
    }),
    ("it is about the issuer", |issuer| issuer.describes("https://vo.example.org/", &format!("{}keys", issuer.name))),
    // A slash at the end is another issuer.
    ("it is about the issuer", |issuer| {
        issuer.describes(issuer.name.trim_end_matches('/'), &format!("{}keys", issuer.name));
    }),
    ("not a URL of HTTPS", |issuer| issuer.describes(&issuer.name, &issuer.name.replace("https", "http"))),
    ("not a URL of HTTPS", |issuer| issuer.describes(&issuer.name, "file:///etc/shadow")),
    ("does not name a host", |issuer| issuer.describes(&issuer.name, "https://127.0.0.1/keys")),
    ("redirects to another host", |issuer| {
        let to = format!("https://other.example.org:{}/keys", issuer.port);
        answers(issuer, &format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"));
    }),
    ("not a URL of HTTPS", |issuer| {
        let to = format!("http://{HOST}:{}/keys", issuer.port);
        answers(issuer, &format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"));
    }),
    ("redirects to nowhere", |issuer| answers(issuer, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")),
    ("again and again", |issuer| {
        answers(issuer, "HTTP/1.1 302 Found\r\nLocation: /keys\r\nContent-Length: 0\r\n\r\n");
    }),
];

#[test]
fn whatever_fails_the_keys_of_before_stay_as_they_are() {
    let world = World::new();
    world.fetch().exits(0);
    let before = world.site.read(&world.path());
    for (number, (expected, fail)) in FAILURES.iter().enumerate() {
        world.issuer.publishes(&[jwt::p256().jwk("k1", "")]);
        fail(&world.issuer);
        let run = world.fetch();
        run.exits(1);
        let said = run.stdout();
        assert!(said.contains(expected), "case {number}: {expected}: {run}");
        assert!(said.contains("; those of before stay good until "), "case {number}: {run}");
        assert_eq!(said.lines().count(), 1, "case {number}: {run}");
        assert_eq!(world.site.read(&world.path()), before, "case {number}: {run}");
        assert_eq!(world.site.sh("ls -A /etc/jwks | wc -l"), "1\n", "case {number}: nothing half done is left");
    }
}

#[test]
fn a_redirection_on_the_host_itself_is_followed() {
    let world = World::new();
    world.issuer.says("/moved", Says::Body(format!(r#"{{"keys":[{}]}}"#, jwt::p256().jwk("k7", ""))));
    answers(&world.issuer, "HTTP/1.1 301 Moved\r\nLocation: /moved\r\nContent-Length: 0\r\n\r\n");
    world.fetch().exits(0);
    assert_eq!(world.keys().0, ["k7"]);
}

#[test]
fn only_a_server_that_the_systems_cas_have_certified_for_its_name_is_asked() {
    let foreign = certify("another CA", None, &For::Signing);
    let good = (-3600, 3600);
    type Server<'a> = (&'static str, Box<dyn Fn(&Certified) -> Certified + 'a>);
    let server = |names: &'static [&'static str], (from, until)| {
        Box::new(move |ca: &Certified| certify("server", Some(ca), &For::Server(names, from, until)))
    };
    let servers: [Server<'_>; 5] = [
        ("not valid for name", server(&["other.example.org"], good)),
        ("expired", server(&[HOST], (-7200, -60))),
        ("not valid yet", server(&[HOST], (3600, 7200))),
        ("UnknownIssuer", Box::new(|_| certify("server", Some(&foreign), &For::Server(&[HOST], -60, 3600)))),
        ("certificate", Box::new(|_| certify(HOST, None, &For::Server(&[HOST], -60, 3600)))),
    ];
    for (expected, server) in servers {
        let world = World::with(server);
        let run = world.fetch();
        run.exits(1);
        assert!(run.stdout().contains(expected), "{expected}: {run}");
        assert!(run.stdout().contains("; there are none: its tokens are refused"), "{run}");
        assert_eq!(world.issuer.was_asked(), [""; 0], "{expected}");
        assert!(!world.site.exists(&world.path()), "{expected}");
    }
}

#[test]
fn an_issuer_that_nobody_is_at_keeps_no_other_from_its_keys() {
    let world = World::new();
    trust(&world.site, "a-gone", "https://gone.example.org/");
    // Nobody listens there: the port was just let go.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    trust(&world.site, "b-down", &format!("https://{HOST}:{port}/"));
    world.site.write("/etc/grid-security/issuers.d/c-broken.toml", "issuer = [");
    let run = world.fetch();
    run.exits(1);
    let said = run.stdout();
    assert!(said.contains("c-broken.toml: "), "{run}");
    assert!(said.contains("https://gone.example.org/: no new keys: "), "{run}");
    assert!(said.contains("Connection refused"), "{run}");
    assert_eq!(world.keys().0, ["k1"], "{run}");
}

#[test]
fn whoever_asks_the_issuer_is_the_service_user_and_can_write_nothing() {
    let world = World::new();
    world.site.write(
        "/root/fetch-keys",
        "#!/bin/sh\nid -u >&2; touch /etc/jwks/x >&2; grep -E 'Cap(Prm|Eff)|NoNewPrivs' /proc/self/status >&2; env >&2; exit 1\n",
    );
    world.site.sh("install -m 755 /root/fetch-keys /usr/libexec/glexec/fetch-keys");
    let said = world.fetch().stdout();
    let uid = world.site.account("glexec").uid.to_string();
    assert!(said.contains(&format!("no new keys: {uid}")) && said.contains("Permission denied"), "{said}");
    assert!(said.contains("CapPrm:0000000000000000") && said.contains("NoNewPrivs:1"), "{said}");
    assert!(!said.contains("HOME="), "{said}");
    // What others could have written is not executed at all.
    world.site.sh("chmod 775 /usr/libexec/glexec/fetch-keys; chgrp daemon /usr/libexec/glexec/fetch-keys");
    let run = world.fetch();
    run.exits(1);
    assert!(run.stdout().contains("/usr/libexec/glexec/fetch-keys"), "{run}");
}

#[test]
fn a_site_without_a_way_out_brings_the_keys_in_a_file() {
    let world = World::new();
    world.site.write("/root/set.json", format!(r#"{{"keys":[{}]}}"#, jwt::rsa().jwk("from-file", "")));
    let name = world.issuer.name.clone();
    let from = |file: &str| world.site.admin(["fetch-keys", "--issuer", &name, "--from", file]);
    from("/root/set.json").exits(0);
    assert_eq!(world.issuer.was_asked(), [""; 0]);
    assert_eq!(world.keys().0, ["from-file"]);
    world.site.write("/root/bad.json", "{\"keys\":[]}");
    for bad in ["/root/bad.json", "/root/none.json"] {
        let run = from(bad);
        run.exits(1);
        assert_eq!(world.keys().0, ["from-file"], "{run}");
    }
    let run = world.site.admin(["fetch-keys", "--issuer", name.trim_end_matches('/'), "--from", "/root/set.json"]);
    run.exits(1);
    assert!(run.stderr().contains("byte for byte"), "{run}");
    world.site.admin(["fetch-keys", "--issuer", &name]).exits(0);
    assert_eq!(world.keys().0, ["k1"], "one issuer alone is asked, too");
}

#[test]
fn whoever_is_not_root_or_takes_no_tokens_fetches_nothing() {
    let world = World::new();
    world.fetch().exits(0);
    let run = world.site.pilot().run("/usr/sbin/glexec-admin", ["fetch-keys"]);
    run.exits(1);
    assert!(run.stderr().contains("only root"), "{run}");
    world.issuer.was_asked();
    world.site.configure(|text| text.replace("\n[tokens]\nmax_lifetime = \"2h\"\n", ""));
    let run = world.fetch();
    run.exits(0);
    assert!(run.stdout().contains("no table [tokens]"), "{run}");
    assert_eq!(world.issuer.was_asked(), [""; 0]);
}

#[test]
fn a_file_that_cannot_be_written_is_left_whole() {
    let world = World::new();
    world.fetch().exits(0);
    let before = world.site.read(&world.path());
    world.site.sh("mount --bind /etc/jwks /etc/jwks; mount -o remount,bind,ro /etc/jwks");
    world.issuer.publishes(&[jwt::other_p256().jwk("k2", "")]);
    let run = world.fetch();
    run.exits(1);
    assert!(run.stdout().contains("Read-only file system"), "{run}");
    assert_eq!(world.site.read(&world.path()), before);
}
