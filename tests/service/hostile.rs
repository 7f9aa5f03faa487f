//! Servers and agents that lie, are slow, endless or speak garbage, and certificates that are not what they should be.

use crate::node::{Node, without_agent};
use crate::service::{Service, certify, request, site};
use crate::site::{Running, Site};
use std::time::Duration;

/// A server with the certificate of map1 that answers as `/root/behaviour` says.
const SERVER: &str = r#"
import json, socket, ssl, sys, threading, time
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], '/root/voms.key')
listener = socket.create_server(('127.0.0.1', 0), backlog=64)
with open('/root/hostile.port', 'w') as file: file.write(str(listener.getsockname()[1]))
def body(stream):
    head = b''
    while b'\r\n\r\n' not in head:
        more = stream.recv(65536)
        if not more: return None
        head += more
    head, rest = head.split(b'\r\n\r\n', 1)
    length = 0
    for line in head.split(b'\r\n'):
        if line.lower().startswith(b'content-length:'): length = int(line.split(b':')[1])
    while len(rest) < length: rest += stream.recv(65536)
    return head
def say(stream, text, status='200 OK'):
    text = text.encode()
    stream.sendall(f'HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n'.encode() + text)
def permit(**other):
    answer = dict(subject='/DC=org/DC=example/O=Grid/CN=Bob Brown', issuer='/DC=org/DC=example/CN=Example Grid Root CA',
                  account='tprd002', group='production', groups=[], own_groups='none', lease=None, not_after=4000000000)
    answer.update(other)
    return json.dumps({'permit': answer})
def talk(stream):
    try:
        stream = context.wrap_socket(stream, server_side=True)
        while True:
            head = body(stream)
            if head is None: return
            if head.startswith(b'GET /v1/accounts'):
                say(stream, open('/root/behaviour').read() if b'after= ' in head else '[]')
                continue
            if head.startswith(b'GET'):
                if b'after=' in head.split(b'\r\n')[0]: time.sleep(20)
                say(stream, '{"version":1,"bans":[]}')
                continue
            how = open('/root/behaviour').read().strip()
            if how == 'silent': time.sleep(3600)
            elif how == 'garbage': stream.sendall(bytes(range(256)) * 64); return
            elif how == 'closes': return
            elif how == 'busy': say(stream, 'later', '503 Busy')
            elif how == 'moved': say(stream, permit(), '302 Found\r\nLocation: https://map2.example.org:1/')
            elif how == 'slow':
                for byte in b'HTTP/1.1 200 OK\r\n' + b'X: y\r\n' * 1000: stream.sendall(bytes([byte])); time.sleep(0.3)
            elif how == 'endless':
                stream.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
                while True: stream.sendall(b'10000\r\n' + b' ' * 65536 + b'\r\n')
            elif how == 'nested': say(stream, '[' * 100000)
            else: say(stream, permit(**json.loads(how)))
    except OSError: pass
while True:
    stream, _ = listener.accept()
    threading.Thread(target=talk, args=(stream,), daemon=True).start()
"#;

/// Starts such a server; its address.
fn start<'s>(site: &'s Site, host: &str) -> (Running<'s>, String) {
    site.write("/root/hostile.py", SERVER);
    site.sh("rm -f /root/hostile.port");
    let server = site.caller("root").start("/usr/bin/python3", ["/root/hostile.py", &format!("/root/{host}.pem")]);
    site.wait_until("test -s /root/hostile.port");
    (server, format!("https://map1.example.org:{}", site.read("/root/hostile.port").trim()))
}

/// What a call of Bob's comes to where the only server does this.
fn said(node: &Node, service: &Site, behaviour: &str) -> (i32, String, String) {
    service.write("/root/behaviour", behaviour);
    node.kill_agent();
    node.start_agent();
    let run = node.call("bob");
    assert!(run.elapsed < Duration::from_secs(30), "{behaviour} {run}");
    let record = run.record();
    (run.code().unwrap(), record["code"].clone(), record["reason"].clone())
}

#[test]
fn a_server_that_lies_gives_nobody_an_account() {
    let site = site();
    let (_server, address) = start(&site, "map1");
    let node = Node { site: without_agent(&site, "wn1", &[&address], "timeout = \"2s\"") };
    node.start_agent();
    for (behaviour, code, why) in [
        (r#"{"subject":"/DC=org/DC=example/O=Grid/CN=Alice Adams"}"#, "site.unavailable", "has answered about"),
        (r#"{"issuer":"/DC=org/CN=Another CA"}"#, "site.unavailable", "has answered about"),
        (r#"{"account":"root"}"#, "account.forbidden", "root"),
        (r#"{"account":"glexec"}"#, "account.forbidden", ""),
        (r#"{"account":"0"}"#, "site.unavailable", "is not the name of an account"),
        (r#"{"account":"nobody-here"}"#, "account.unknown", "nobody-here"),
        (r#"{"account":""}"#, "site.unavailable", ""),
        (r#"{"account":null}"#, "site.unavailable", ""),
        (r#"{"group":"root"}"#, "account.forbidden", ""),
        (r#"{"groups":["root"]}"#, "account.forbidden", ""),
        (r#"{"groups":["0"]}"#, "site.unavailable", ""),
        (r#"{"uid":0}"#, "site.unavailable", ""),
        (r#"{"lease":"../../etc/shadow"}"#, "site.unavailable", "the lease"),
    ] {
        let (exit, found, reason) = said(&node, &site, behaviour);
        assert!(
            (202..=203).contains(&exit) && found == code && reason.contains(why),
            "{behaviour}: {exit} {found} {reason}"
        );
    }
    // In form and about the right person: it is believed, as it has to be.
    let (exit, ..) = said(&node, &site, "{}");
    assert_eq!(exit, 0);
}

#[test]
fn a_server_that_lies_puts_no_file_outside_of_the_gridmapdir_that_it_is_exported_to() {
    let site = site();
    let (_server, address) = start(&site, "map1");
    site.sh("mkdir -p /etc/cron.d");
    let export = |accounts: &str| {
        site.write("/root/behaviour", accounts);
        site.sh("rm -rf /etc/grid-security/new; mkdir /etc/grid-security/new");
        let who = ["--server", &address, "--certificate", "/root/alice.pem", "--key", "/root/user.key"];
        site.admin(["leases"].into_iter().chain(who).chain(["export", "/etc/grid-security/new"]))
    };
    let leased = |account: &str, lease: &str| {
        format!(
            r#"[{{"account":"{account}","lease":{{"name":"{lease}","holder":"* * * * * root reboot","since":1,"used":1}}}}]"#
        )
    };
    export(&leased("tprd001", "%2fcn%3dalice")).exits(0);
    for (account, lease) in [
        ("tprd001", "../../cron.d/evil"),
        ("/../../../etc/cron.d/evil", "%2fcn%3dalice"),
        ("\\u001b[2J", "%2fcn%3dalice"),
    ] {
        let run = export(&leased(account, lease));
        assert!(!site.exists("/etc/cron.d/evil"), "{account} {lease} {run}");
        run.exits(1);
        assert!(run.stderr().contains("is not an account with a lease"), "{run}");
    }
}

#[test]
fn a_server_that_is_silent_slow_endless_or_speaks_garbage_holds_no_call_up() {
    let site = site();
    let (_server, address) = start(&site, "map1");
    let node = Node { site: without_agent(&site, "wn1", &[&address], "timeout = \"2s\"") };
    node.start_agent();
    for behaviour in ["silent", "garbage", "closes", "busy", "moved", "slow", "endless", "nested"] {
        let (exit, code, reason) = said(&node, &site, behaviour);
        assert_eq!((exit, code.as_str()), (202, "site.unavailable"), "{behaviour} {reason}");
    }
}

#[test]
fn where_one_server_lies_or_is_silent_the_other_is_believed() {
    let site = site();
    let (_server, address) = start(&site, "map1");
    let honest = Service::start(&site, "map2");
    // Both have a list of bans; the honest one's is not older.
    for operator in ["add", "remove"] {
        let who = ["ban", "--server", &honest.server, "--certificate", "/root/alice.pem", "--key", "/root/user.key"];
        site.admin(who.into_iter().chain([operator, "/CN=nobody"])).exits(0);
    }
    let node = Node { site: without_agent(&site, "wn1", &[&address, &honest.server], "timeout = \"4s\"") };
    node.start_agent();
    for behaviour in [r#"{"subject":"/DC=org/DC=example/O=Grid/CN=Alice Adams"}"#, "silent", "garbage", "busy"] {
        let (exit, code, reason) = said(&node, &site, behaviour);
        assert_eq!(exit, 0, "{behaviour} {code} {reason}");
        node.call("bob").succeeds_with("tprd001\n");
    }
}

#[test]
fn a_server_with_another_certificate_hears_no_question() {
    let site = site();
    certify(&site, "gone", "subjectAltName=DNS:map1.example.org");
    // Signed by a key that is not the CA's.
    site.sh(
        "cd /root; printf 'basicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:map1.example.org\n' > ext; \
         printf '[req]\ndistinguished_name=none\n[none]\n' > cnf; \
         openssl req -config cnf -new -key voms.key -subj '/DC=org/DC=example/CN=map1.example.org' | \
         openssl x509 -req -CA root-ca.pem -CAkey user.key -force_pubkey voms.key -days 30 -extfile ext -out forged.pem 2>&1 || \
         cp db1.pem forged.pem",
    );
    site.write("/root/behaviour", "{}");
    for host in ["db1", "forged"] {
        let (_server, address) = start(&site, host);
        let node = Node { site: without_agent(&site, "wn1", &[&address], "timeout = \"2s\"") };
        node.start_agent();
        node.call("bob").refused(202, "site.unavailable");
        assert!(
            node.log().contains("is not the server map1") || node.log().contains("credential.signature"),
            "{}",
            node.log()
        );
    }
}

#[test]
fn a_node_with_a_foreign_revoked_or_expired_certificate_learns_nothing() {
    let site = site();
    let service = Service::start(&site, "map1");
    site.sh("cp /root/wn9.cloud.pem /root/wn8.pem; cp /root/rita.pem /root/wn7.pem");
    for (host, why) in [("wn8", "no [[node]]"), ("wn7", "credential")] {
        let node = Node { site: without_agent(&site, host, &[&service.server], "timeout = \"2s\"") };
        if host == "wn7" {
            node.site.write("/root/voms.key", site.read("/root/user.key"));
        }
        node.start_agent();
        node.call("bob").refused(202, "site.unavailable");
        assert!(service.log().contains(why), "{host}: {}", service.log());
    }
    assert!(!service.log().contains("event=map"), "{}", service.log());
    request(&site, &[&service.server], ("wn1", "voms"), &["get", "/v1/bans"]).exits(0);
}

const SAID: &str = r#"{"answered":{"permit":{"subject":"/DC=org/DC=example/O=Grid/CN=SUBJECT","issuer":"/DC=org/DC=example/CN=Example Grid Root CA","account":"ACCOUNT","group":null,"groups":[],"own_groups":"none","lease":null,"not_after":1}}}"#;

#[test]
fn glexec_takes_from_what_asks_the_service_only_what_is_about_the_user_and_may_be() {
    let good = SAID.replace("SUBJECT", "Bob Brown").replace("ACCOUNT", "tprd003");
    let say = |text: &str| format!("line.sendall(b'{text}'); line.close()");
    for (user, then, code, why) in [
        ("pilot", say(&good), "site.unavailable", "answers there, and not service_user"),
        ("glexec", say(&good.replace("Bob Brown", "Alice Adams")), "site.unavailable", "the answer is about"),
        ("glexec", say(&good.replace("tprd003", "root")), "account.forbidden", ""),
        ("glexec", say(&good.replace("tprd003", "glexec")), "account.forbidden", ""),
        ("glexec", say("nonsense"), "site.unavailable", ""),
        ("glexec", "line.close()".to_owned(), "site.unavailable", ""),
        ("glexec", "line.sendall(b'x' * 600000); line.close()".to_owned(), "site.unavailable", "longer than"),
        ("glexec", "line.sendall(b'{'); time.sleep(3600)".to_owned(), "site.unavailable", "no answer after 2s"),
    ] {
        let site = without_agent(&Site::new(), "", &["https://map1.example.org:1"], "timeout = \"2s\"");
        let _impostor = site.impostor("/run/glexec/agent.site", user, &then);
        let run = site.pilot().credential("bob").glexec(["id", "-un"]);
        let record = run.record();
        assert_eq!(record["code"], code, "{then} {run}");
        assert!(record["reason"].contains(why), "{then} {run}");
        assert!(run.elapsed < Duration::from_secs(30), "{run}");
    }
}

#[test]
fn what_asks_the_service_may_be_stopped_and_killed_and_no_call_hangs() {
    let site = site();
    let service = Service::start(&site, "map1");
    let node = Node::new(&site, "wn1", &[&service], "timeout = \"2s\"");
    node.call("bob").exits(0);
    node.signal_asker("STOP");
    let run = node.call("bob");
    run.refused(202, "site.unavailable");
    assert!(run.elapsed < Duration::from_secs(30), "{run}");
    node.signal_asker("CONT");
    crate::site::eventually("it goes on", || node.call("bob").code() == Some(0));
    node.signal_asker("KILL");
    node.call("bob").refused(202, "site.unavailable");
    // The agent ends for its sake, so that a service manager starts both anew.
    node.site.wait_until("! pgrep -x glexec-agent");
    node.start_agent();
    node.call("bob").succeeds_with("tprd001\n");
}
