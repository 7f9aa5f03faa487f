//! Nodes of a site that has an Argus: its PEP is played by a program of our own, built from the protocol.

use crate::node::{Node, without_agent};
use crate::service::{certify, site};
use crate::site::{Running, Site};

/// A PEP with the certificate of map1, which answers as `/root/behaviour` says, and keeps the questions.
const PEP: &str = r#"
import base64, json, socket, ssl, struct, threading
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('/root/map1.pem', '/root/voms.key')
context.maximum_version = ssl.TLSVersion.TLSv1_2
context.verify_mode = ssl.CERT_REQUIRED
context.load_verify_locations('/root/root-ca.pem')
listener = socket.create_server(('127.0.0.1', 0), backlog=64)
with open('/root/pep.port', 'w') as file: file.write(str(listener.getsockname()[1]))
def text(value): return b'S' + struct.pack('>H', len(value)) + value.encode()
def values(items): return b'V' + b't' + struct.pack('>H', 19) + b'java.util.ArrayList' + b'l' + struct.pack('>I', len(items)) + b''.join(items) + b'z'
def model(name, **fields):
    name = ('org.glite.authz.common.model.' + name).encode()
    return b'M' + b't' + struct.pack('>H', len(name)) + name + b''.join(text(key) + value for key, value in fields.items()) + b'z'
def number(value): return b'I' + struct.pack('>i', value)
def assignment(id, value): return model('AttributeAssignment', attributeId=text(id), dataType=text('string'), value=text(value))
GLITE = ('http://glite.org/xacml/obligation/local-environment-map/posix', 'http://glite.org/xacml/attribute/')
DCI = ('http://dci-sec.org/xacml/obligation/map-local-user/posix', 'http://dci-sec.org/xacml/attribute/')
def response(how):
    obligation, prefix = DCI if how.get('dci') else GLITE
    given = [assignment(prefix + id, value) for id, value in how.get('map', [])]
    obligations = [model('Obligation', id=text(obligation), fulfillOn=number(1), assignments=values(given))] if 'map' in how else []
    result = model('Result', decision=number(how['decision']), resourceId=b'N', status=b'N', obligations=values(obligations))
    return base64.encodebytes(model('Response', request=b'N', results=values([result])))
def talk(stream):
    try:
        stream = context.wrap_socket(stream, server_side=True)
        head = b''
        while b'\r\n\r\n' not in head: head += stream.recv(65536)
        head, rest = head.split(b'\r\n\r\n', 1)
        length = next(int(line.split(b':')[1]) for line in head.split(b'\r\n') if line.lower().startswith(b'content-length'))
        while len(rest) < length: rest += stream.recv(65536)
        with open('/root/questions', 'ab') as file: file.write(head + b'\n' + base64.b64decode(rest) + b'\n')
        how = json.load(open('/root/behaviour'))
        said = how['raw'].encode() if 'raw' in how else response(how)
        stream.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n' % len(said) + said)
        stream.close()
    except OSError: pass
while True:
    stream, _ = listener.accept()
    threading.Thread(target=talk, args=(stream,), daemon=True).start()
"#;

fn start(site: &Site) -> (Running<'_>, String) {
    site.write("/root/pep.py", PEP);
    certify(site, "map1", "subjectAltName=DNS:map1.example.org");
    let pep = site.caller("root").start("/usr/bin/python3", ["/root/pep.py"]);
    site.wait_until("test -s /root/pep.port");
    (pep, format!("https://map1.example.org:{}/authz", site.read("/root/pep.port").trim()))
}

#[test]
fn an_argus_that_the_site_has_names_account_and_groups_in_both_profiles() {
    let site = site();
    let (_pep, address) = start(&site);
    let node = Node { site: without_agent(&site, "wn1", &[], &format!("argus = [{address:?}]\ntimeout = \"3s\"")) };
    let call = |behaviour: &str| {
        site.write("/root/behaviour", behaviour);
        if node.site.sh("pgrep -x site-agent || true").is_empty() {
            node.start_agent();
        } else {
            node.kill_agent();
            node.start_agent();
        }
        node.site.pilot().credential("bob").glexec(["id"])
    };
    let mapping = r#""map":[["user-id","tprd004"],["group-id/primary","production"],["group-id","production"],["group-id","testvo"]]"#;
    for more in ["", r#","dci":true"#] {
        let run = call(&format!(r#"{{"decision":1,{mapping}{more}}}"#));
        run.succeeds_with("uid=5004(tprd004) gid=5000(production) groups=5000(production),4000(testvo)\n");
    }
    for (behaviour, exit, code, why) in [
        (r#"{"decision":0}"#, 203, "site.denied", "Argus does not let you run"),
        (r#"{"decision":3}"#, 203, "site.denied", ""),
        (r#"{"decision":2}"#, 202, "site.unavailable", "neither yes nor no"),
        (r#"{"decision":1}"#, 202, "site.unavailable", "maps to no account"),
        (r#"{"decision":1,"map":[["group-id","testvo"]]}"#, 202, "site.unavailable", "not to one account"),
        (
            r#"{"decision":1,"map":[["user-id","tprd001"],["user-id","tprd002"]]}"#,
            202,
            "site.unavailable",
            "not to one account",
        ),
        (r#"{"decision":1,"map":[["user-id","root"]]}"#, 203, "account.forbidden", ""),
        (r#"{"decision":1,"map":[["user-id","0"]]}"#, 202, "site.unavailable", "is not the name of an account"),
        (r#"{"raw":"nonsense"}"#, 202, "site.unavailable", "PEP"),
        (r#"{"raw":"TVZWVlZWVlZWVlZWVg=="}"#, 202, "site.unavailable", "PEP"),
    ] {
        let run = call(behaviour);
        let record = run.record();
        assert!(
            run.code() == Some(exit) && record["code"] == code && record["reason"].contains(why),
            "{behaviour} {run}"
        );
    }
    let asked = site.read("/root/questions");
    assert!(asked.contains("POST /authz") && asked.contains("application/x-www-form-urlencoded"), "{asked}");
    for expected in [
        "org.glite.authz.common.model.Request",
        "profile/grid-wn/1.0",
        "subject:key-info",
        "BEGIN CERTIFICATE",
        "resource-type/wn",
        "action/execute",
    ] {
        assert!(asked.contains(expected), "{expected}");
    }
    assert!(!asked.contains("PRIVATE KEY"), "certificates and never the key");
}
