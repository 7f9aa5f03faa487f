//! SAML2-XACML2 over SOAP, in the shapes that clients of SCAS, GUMS and Argus send.

use crate::service::{CONFIGURATION, Service, log_value, site};
use crate::site::{Run, Site, material_file};

/// A service that has the front for other services' clients, and where that is.
fn start(site: &Site) -> (Service<'_>, String) {
    let front = CONFIGURATION.replace("[engine]", "[xacml]\nlisten = \"127.0.0.1:0\"\n[engine]");
    site.write("/etc/glexec-site.toml", front);
    let service = Service::start(site, "map1");
    let port = log_value(&service.log(), "xacml").rsplit(':').next().unwrap().to_owned();
    (service, format!("https://map1.example.org:{port}"))
}

fn query(attributes: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soap-env:Envelope xmlns:soap-env=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap-env:Body>\
         <xacml-samlp:XACMLAuthzDecisionQuery xmlns:xacml-samlp=\"urn:oasis:names:tc:xacml:2.0:profile:saml2.0:v2:schema:protocol\" \
         ID=\"query-1\" InputContextOnly=\"false\" IssueInstant=\"2026-11-30T12:00:00Z\" ReturnContext=\"true\" Version=\"2.0\">\
         <xacml-context:Request xmlns:xacml-context=\"urn:oasis:names:tc:xacml:2.0:context:schema:os\">\
         <xacml-context:Subject SubjectCategory=\"urn:oasis:names:tc:xacml:1.0:subject-category:access-subject\">{attributes}</xacml-context:Subject>\
         <xacml-context:Resource/><xacml-context:Action/><xacml-context:Environment/></xacml-context:Request>\
         </xacml-samlp:XACMLAuthzDecisionQuery></soap-env:Body></soap-env:Envelope>"
    )
}

fn attribute(id: &str, value: &str) -> String {
    format!(
        "<xacml-context:Attribute AttributeId=\"{id}\" DataType=\"http://www.w3.org/2001/XMLSchema#string\">\
         <xacml-context:AttributeValue>{value}</xacml-context:AttributeValue></xacml-context:Attribute>"
    )
}

const NAME: &str = "http://authz-interop.org/xacml/subject/subject-x509-id";
const CHAIN: &str = "http://authz-interop.org/xacml/subject/cert-chain";
const KEY_INFO: &str = "urn:oasis:names:tc:xacml:1.0:subject:key-info";

/// The certificates of a proxy, without its key.
fn chain(proxy: &str) -> String {
    let text = String::from_utf8(material_file(&format!("proxies/{proxy}.pem"))).unwrap();
    let blocks = text.split_inclusive("-----END").collect::<String>();
    let mut out = String::new();
    let mut inside = false;
    for line in blocks.lines() {
        inside |= line == "-----BEGIN CERTIFICATE-----";
        if inside {
            out += line;
            out += "\n";
        }
        inside &= line != "-----END CERTIFICATE-----";
    }
    out
}

fn send<'s>(site: &'s Site, server: &str, who: &str, body: &str) -> Run<'s> {
    let certificate = format!("/root/{who}.pem");
    let options = ["--certificate", &certificate, "--key", "/root/voms.key", "--server", server, "post", "/authz"];
    site.caller("root").stdin(body).run("/usr/libexec/glexec/site-request", options)
}

#[test]
fn clients_of_other_services_get_the_same_account_in_their_own_terms() {
    let site = site();
    let (service, front) = start(&site);
    let account = crate::service::map(&site, &[&service.server], "wn1", "bob", &[])["permit"]["account"].clone();
    assert_eq!(account, "tprd001");
    for (id, assignment) in [
        (CHAIN, "http://authz-interop.org/xacml/attribute/username"),
        (KEY_INFO, "http://glite.org/xacml/attribute/user-id"),
    ] {
        let run = send(&site, &front, "wn1", &query(&attribute(id, &chain("bob"))));
        run.exits(0);
        let text = run.stdout();
        for part in [
            "InResponseTo=\"query-1\"",
            "<xacml-context:Decision>Permit</xacml-context:Decision>",
            "urn:oasis:names:tc:SAML:2.0:status:Success",
            &format!("AttributeId=\"{assignment}\" DataType=\"http://www.w3.org/2001/XMLSchema#string\">tprd001<"),
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
    let run = send(&site, &front, "wn1", &query(&attribute(KEY_INFO, &chain("mallory"))));
    assert!(run.stdout().contains(">Deny<") && run.stdout().contains("<xacml:Obligations"), "{run}");
    assert!(service.log().contains("code=lcas.userban"), "{}", service.log());
}

#[test]
fn a_client_that_proves_no_identity_gets_nothing() {
    let site = site();
    let (service, front) = start(&site);
    let name = attribute(NAME, "/DC=org/DC=example/O=Grid/CN=Bob Brown");
    for question in [
        query(&name),
        query(&(name.clone() + &attribute(CHAIN, "AAAA"))),
        query(&(attribute(CHAIN, &chain("bob")) + &attribute(KEY_INFO, &chain("carol")))),
        query("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>&e;"),
        "<".repeat(1000),
        String::new(),
    ] {
        let run = send(&site, &front, "wn1", &question);
        assert!(!run.stdout().contains("Permit</"), "{run}");
    }
    for nobody in ["db1", "wn9.cloud"] {
        let run = send(&site, &front, nobody, &query(&attribute(CHAIN, &chain("bob"))));
        run.exits(1);
        assert!(run.stderr().contains("no [[node]]"), "{run}");
    }
    assert!(!service.log().contains("decision=permit"), "{}", service.log());
}

#[test]
fn clients_of_yesterday_speak_tls_1_2_and_name_the_whole_address() {
    let site = site();
    let (_service, front) = start(&site);
    let body = query(&attribute(CHAIN, &chain("bob")));
    let address = front.strip_prefix("https://").unwrap();
    let request = format!(
        "POST {front}/authz HTTP/1.1\r\nHost: x\r\nSOAPAction: \"\"\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    site.write("/root/request", request);
    let said = site.sh(&format!(
        "cd /root; (cat request; sleep 2) | openssl s_client -tls1_2 -quiet -cert wn1.pem -key voms.key -connect {address} 2> /dev/null"
    ));
    assert!(said.contains("HTTP/1.1 200") && said.contains(">tprd001<"), "{said}");
}

/// ARC's hosting environment, of which this test has the client of services like Argus: a client that calls its echo
/// service is asked about first.
fn arc(front: &str, conversion: &str, port: u16) -> String {
    let plugins = ["mcctcp", "mcctls", "mcchttp", "mccsoap", "arguspdpclient", "echo"];
    let plugins: String = plugins.map(|name| format!("<Plugins><Name>{name}</Name></Plugins>")).concat();
    let own = "<KeyPath>/root/voms.key</KeyPath><CertificatePath>/root/wn1.pem</CertificatePath>\
               <CACertificatesDir>/etc/grid-security/certificates</CACertificatesDir>";
    format!(
        "<ArcConfig xmlns=\"http://www.nordugrid.org/schemas/ArcConfig/2007\" xmlns:tcp=\"http://www.nordugrid.org/schemas/ArcMCCTCP/2007\" \
         xmlns:echo=\"http://www.nordugrid.org/schemas/echo/2009/08\"><Server><Pidfile>/root/arc.pid</Pidfile><Logger level=\"DEBUG\">\
         <File>/root/arc.log</File></Logger></Server><ModuleManager><Path>/usr/lib/arc/</Path></ModuleManager>{plugins}<Chain>\
         <Component name=\"tcp.service\" id=\"tcp\"><next id=\"tls\"/><tcp:Listen><tcp:Port>{port}</tcp:Port><tcp:Version>4</tcp:Version>\
         </tcp:Listen></Component><Component name=\"tls.service\" id=\"tls\"><next id=\"http\"/>{own}</Component>\
         <Component name=\"http.service\" id=\"http\"><next id=\"soap\">POST</next></Component>\
         <Component name=\"soap.service\" id=\"soap\"><next id=\"plexer\"/></Component>\
         <Plexer name=\"plexer.service\" id=\"plexer\"><next id=\"echo\">^/Echo$</next></Plexer>\
         <Service name=\"echo\" id=\"echo\"><SecHandler name=\"arguspdpclient.map\" id=\"argus\" event=\"incoming\"><PDPD>{front}/authz</PDPD>\
         <Conversion>{conversion}</Conversion><AcceptMapping>true</AcceptMapping>{own}</SecHandler></Service></Chain></ArcConfig>"
    )
}

/// Calls ARC's echo service with a proxy.
fn call_arc(site: &Site, port: u16, proxy: &str) -> String {
    site.write("/root/caller.pem", material_file(&format!("proxies/{proxy}.pem")));
    let body = "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>\
                <e:echo xmlns:e=\"http://www.nordugrid.org/schemas/echo\"><e:say>hello</e:say></e:echo></soap:Body></soap:Envelope>";
    let head = "POST /Echo HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nConnection: close\r\nContent-Length:";
    site.write("/root/call", format!("{head} {}\r\n\r\n{body}", body.len()));
    // It says good-bye when the answer is there: openssl ends with the connection, and the shell then closes its input.
    site.sh(&format!(
        "cd /root; mkfifo in; openssl s_client -quiet -cert caller.pem -cert_chain caller.pem -key caller.pem -connect 127.0.0.1:{port} \
         < in 2> /dev/null > said & exec 4> in; cat call >&4; wait; rm in; cat said"
    ))
}

#[test]
#[ignore = "needs ARC: make test-site"]
fn arc_asks_and_does_what_it_is_told() {
    let site = site();
    let (service, front) = start(&site);
    for (conversion, proxy, permitted) in
        [("cream", "bob", true), ("cream", "mallory", false), ("cream", "rita", false), ("emi", "bob", false)]
    {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        site.write("/root/arc.xml", arc(&front, conversion, port));
        site.sh("rm -f /root/arc.log");
        let arched = site.caller("root").start("/usr/sbin/arched", ["-f", "-c", "/root/arc.xml"]);
        let up = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        crate::site::eventually("ARC listens", up);
        let said = call_arc(&site, port, proxy);
        arched.signal(nix::sys::signal::Signal::SIGKILL);
        arched.finish();
        let log = site.read("/root/arc.log");
        assert_eq!(said.contains("hello"), permitted, "{conversion} {proxy}: {said} {log}");
        // Its own reading of what it was told.
        let heard = log.contains(">tprd001</xacml:AttributeAssignment>");
        assert_eq!(heard, permitted, "{conversion} {proxy}: {log}");
    }
    // In that conversion it sends a name and nothing else.
    assert_eq!(site.read("/root/arc.log").matches("its name alone proves nothing").count(), 1);
    assert_eq!(service.log().matches("event=map ").count(), 3, "{}", service.log());
    for code in ["lcas.userban", "credential.revoked"] {
        assert!(service.log().contains(code), "{}", service.log());
    }
}
