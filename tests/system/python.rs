//! The Python library of python/: its own tests (python/tests), run with Debian's Python as a pilot in private sites.

use crate::companions;
use crate::site::{Site, material_file};
use crate::tokens;
use nix::sys::signal::Signal;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// What Debian gives an ordinary account (/etc/login.defs): glexec is not in it.
const ORDINARY_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games";
const LIBRARY: &str = "/usr/lib/python3/dist-packages/glexec";
const TESTS: &str = "/usr/local/share/glexec-python/tests";

/// Installs the library as its Debian package does.
pub fn install(site: &Site) {
    copy(site, "python/glexec", LIBRARY);
    copy(site, "examples", "/usr/share/doc/python3-glexec/examples");
}

fn copy(site: &Site, from: &str, to: &str) {
    site.sh(&format!("mkdir -p {to}"));
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(from);
    for entry in fs::read_dir(&from).unwrap().map(|entry| entry.unwrap()) {
        if entry.file_type().unwrap().is_file() {
            site.write(&format!("{to}/{}", entry.file_name().to_str().unwrap()), fs::read(entry.path()).unwrap());
        }
    }
}

/// The proxies of `tests/site/make-pki` that the tests use, as files of the pilot's.
const PROXIES: &[&str] =
    &["alice", "alice-expired", "alice-nested", "alice-voms", "bob", "bob-plain", "mallory", "pilot"];

/// Runs modules of python/tests in a site.
fn run(site: &Site, modules: &[&str]) {
    companions::install(site);
    install(site);
    copy(site, "python/tests", TESTS);
    for name in PROXIES {
        let path = format!("/home/pilot/{name}.pem");
        site.write(&path, material_file(&format!("proxies/{name}.pem")));
        site.chmod(&path, 0o600);
        site.chown(&path, "pilot");
    }
    let path = "/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/sbin:/bin";
    let root = site.caller("root").env("PATH", path).start("/usr/bin/python3", [&format!("{TESTS}/root.py")]);
    site.wait_until("test -S /run/root.socket");
    let lingers = if site.read("/etc/glexec.conf").contains("linger = true") { "yes" } else { "no" };
    let mut words = vec!["-W", "error::ResourceWarning", "-m", "unittest"];
    let modules: Vec<String> = modules.iter().map(|module| format!("tests.{module}")).collect();
    words.extend(modules.iter().map(String::as_str));
    let pilot = site.caller("pilot").env("PATH", ORDINARY_PATH).env("SITE_LINGERS", lingers);
    let run = pilot.env("PYTHONPATH", TESTS.trim_end_matches("/tests")).run("/usr/bin/python3", words);
    root.signal(Signal::SIGKILL);
    root.finish();
    assert!(run.code() == Some(0), "{run}\n{}", run.stderr());
}

/// Starts a MyProxy server that has the proxies of these people for the pilot; the variables that lead clients to it.
pub fn myproxy_server(site: &Site, people: &[&str]) -> [(&'static str, String); 2] {
    give_host_certificate(site);
    // The site shares the host's network.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    site.write(
        "/root/myproxy.conf",
        "accepted_credentials \"*\"\nauthorized_retrievers \"*\"\ndefault_retrievers \"*\"\ntrusted_retrievers \"*\"\n\
         default_trusted_retrievers \"none\"\n",
    );
    site.sh(&format!(
        "mkdir -m 700 /root/store; X509_USER_CERT=/root/host.pem X509_USER_KEY=/root/host.key \
         myproxy-server -c /root/myproxy.conf -s /root/store -p {port} > /dev/null 2>&1"
    ));
    let dn = "/DC=org/DC=example/O=Services/CN=voms.example.org";
    let server = [("MYPROXY_SERVER", format!("localhost:{port}")), ("MYPROXY_SERVER_DN", dn.to_owned())];
    site.wait_until(&format!("bash -c ': < /dev/tcp/127.0.0.1/{port}'"));
    for name in people {
        let store = format!(
            "import glexec.myproxy as m; m.delegate('/DC=org/DC=example/O=Grid/CN=Pilot Robot', credential='/home/pilot/{name}.pem')"
        );
        let pilot = server.iter().fold(site.pilot(), |pilot, (name, value)| pilot.env(*name, value));
        pilot.run("/usr/bin/python3", ["-c", &store]).exits(0);
    }
    server
}

/// A host's certificate and key for the MyProxy server.
fn give_host_certificate(site: &Site) {
    site.write("/root/host.pem", material_file("certs/voms.pem"));
    site.write("/root/host.key", material_file("keys/voms.key"));
    site.chmod("/root/host.key", 0o600);
}

#[test]
fn the_python_library_calls_a_glexec_that_lingers() {
    run(&Site::with(Site::linger), &["test_run", "test_popen", "test_command_line"]);
}

#[test]
fn the_python_library_calls_a_glexec_that_becomes_the_payload() {
    run(&Site::new(), &["test_run", "test_popen", "test_command_line"]);
}

#[test]
fn the_python_library_calls_an_older_glexec_and_misses_one() {
    run(&Site::new(), &["test_older"]);
}

#[test]
fn the_python_library_fetches_and_renews_from_a_myproxy_server() {
    let site = Site::with(Site::linger);
    give_host_certificate(&site);
    run(&site, &["test_myproxy"]);
}

/// What a pilot's program does with tokens, told by the library.
const WITH_TOKENS: &str = r#"
import glexec
token = "/home/pilot/token"
show = ["sh", "-c", "id -un; cat $BEARER_TOKEN_FILE"]
done = glexec.run(show, token=token, source_token="/home/pilot/source", capture_output=True, text=True)
assert done.stdout == "alice\n" + open("/home/pilot/source").read(), done
assert done.account == "alice" and done.target_token.startswith("/tmp/bt_u3000.glexec."), done
assert done.subject == "/iss=https://vo.example.org//sub=alice-4711" and done.target_proxy is None, done
assert done.not_after > 0, done
assert glexec.probe(token=token).ok
kept = glexec.run(["true"], token=token, source_token="/home/pilot/source", target_token="/home/alice/kept")
assert kept.target_token == "/home/alice/kept", kept
for wrong, code in (("bad", "token.malformed"), ("other", "lcmaps.no-mapping")):
    try:
        glexec.run(["true"], token=f"/home/pilot/{wrong}", capture_output=True)
    except glexec.Refused as refused:
        assert refused.code == code, refused
    else:
        raise AssertionError(wrong)
try:
    glexec.run(["true"], token=token, credential="/home/pilot/alice.pem")
except glexec.UsageError:
    print("as it should be")
"#;

#[test]
fn the_python_library_runs_payloads_of_people_with_tokens() {
    for site in Site::in_both_modes() {
        tokens::accept(&site);
        install(&site);
        for (name, content) in [
            ("token", tokens::token(&[])),
            ("source", tokens::token(&[("aud", "\"https://storage/\"")])),
            ("other", tokens::token(&[("sub", "\"nobody\"")])),
            ("bad", "no token".to_owned()),
        ] {
            let path = format!("/home/pilot/{name}");
            site.write(&path, content);
            site.chmod(&path, 0o600);
            site.chown(&path, "pilot");
        }
        let run = site.pilot().env("PATH", ORDINARY_PATH).run("/usr/bin/python3", ["-c", WITH_TOKENS]);
        assert!(run.code() == Some(0) && run.stdout() == "as it should be\n", "{run}\n{}", run.stderr());
    }
}

#[test]
fn the_python_library_calls_with_bearer_tokens() {
    for site in Site::in_both_modes() {
        tokens::accept(&site);
        let fresh = tokens::token(&[("jti", "\"fresh\"")]);
        let expired = (tokens::now() - 120).to_string();
        let expired = tokens::token(&[("exp", &expired), ("iat", "1")]);
        for (name, token) in [("alice", tokens::token(&[])), ("alice-fresh", fresh), ("alice-expired", expired)] {
            let path = format!("/home/pilot/{name}.token");
            site.write(&path, token);
            site.chmod(&path, 0o600);
            site.chown(&path, "pilot");
        }
        run(&site, &["test_tokens"]);
    }
}

#[test]
fn the_lint_of_the_library_says_where_it_could_not_be_checked() {
    let nothing = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-python-tools");
    let lint = Command::new("packaging/lint-python")
        .arg(&nothing)
        .env("PIP_NO_INDEX", "1")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = String::from_utf8(lint.stderr).unwrap();
    assert!(lint.status.success() && said.ends_with("so the Python library was NOT checked\n"), "{said}");
    assert!(!nothing.join("python-tools").exists(), "the next run tries again");
}
