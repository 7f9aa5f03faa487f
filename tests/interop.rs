//! Credentials made by the grid's own tools are judged right.
#![allow(missing_docs, clippy::all, clippy::restriction)] // lints for the privileged program

mod forge;

use forge::site::*;
use glexec_core::credentials::{Credentials, Presence, ProxyType};
use glexec_core::question::{Holder, KeyRule};
use glexec_verify::{Matter, judge};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Runs a program in a directory; one that is missing is named with its Debian package.
fn run(directory: &Path, package: &str, line: &[&str]) {
    let output = Command::new(line[0]).args(&line[1..]).current_dir(directory).env("HOME", directory).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}: apt-get install {package}", line[0]));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line:?}: {text}");
}

fn openssl(directory: &Path, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    run(directory, "openssl", &[&["openssl"], words.as_slice()].concat());
}

/// A CA, Alice and a VOMS server, made with openssl; the CA with CRL, signing policy and namespaces in the site.
fn people(site: &Site, directory: &Path) {
    fs::write(
        directory.join("eec.ext"),
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\n",
    )
    .unwrap();
    openssl(
        directory,
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /DC=org/DC=test/CN=CA -addext keyUsage=critical,keyCertSign,cRLSign",
    );
    for who in ["Alice", "voms.example.org"] {
        openssl(
            directory,
            &format!("req -newkey rsa:2048 -nodes -keyout {who}.key -out {who}.csr -subj /DC=org/DC=test/CN={who}"),
        );
        openssl(
            directory,
            &format!(
                "x509 -req -in {who}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 20 -out {who}.pem -extfile eec.ext"
            ),
        );
        let key = directory.join(format!("{who}.key"));
        fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    fs::write(directory.join("index"), "").unwrap();
    fs::write(
        directory.join("ca.conf"),
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index\ndefault_md=sha256\ndefault_crl_days=5\n",
    )
    .unwrap();
    openssl(directory, "ca -config ca.conf -gencrl -keyfile ca.key -cert ca.pem -out crl.pem");
    let ca = fs::read(directory.join("ca.pem")).unwrap();
    let hash = format!("{:08x}", openssl::x509::X509::from_pem(&ca).unwrap().subject_name_hash());
    site.put(&format!("{hash}.0"), &ca).put(&format!("{hash}.r0"), &fs::read(directory.join("crl.pem")).unwrap());
    site.put(&format!("{hash}.signing_policy"), b"access_id_CA X509 '/DC=org/DC=test/CN=CA'\npos_rights globus CA:sign\ncond_subjects globus '\"/DC=org/DC=test/*\"'\n");
    site.put(
        &format!("{hash}.namespaces"),
        b"#NAMESPACES-VERSION: 1.0\nTO Issuer \"/DC=org/DC=test/CN=CA\" \\\n  PERMIT Subject \"/DC=org/DC=test/.*\"\n",
    );
    site.lsc("testvo", "/DC=org/DC=test/CN=voms.example.org\n/DC=org/DC=test/CN=CA\n");
}

/// What is said about a proxy that voms-proxy-fake makes with these options.
fn judged(site: &Site, directory: &Path, options: &[&str], bend: impl FnOnce(&mut Credentials)) -> String {
    let common = "voms-proxy-fake -bits 2048 -uri voms.example.org:15000 -hostcert voms.example.org.pem \
                  -hostkey voms.example.org.key -cert Alice.pem -key Alice.key -voms testvo -out proxy.pem -certdir";
    let mut line: Vec<&str> = common.split_whitespace().collect();
    let certdir = site.certificates();
    line.push(certdir.to_str().unwrap());
    line.extend(options);
    let _ = fs::remove_file(directory.join("proxy.pem"));
    run(directory, "voms-clients", &line);
    let file = fs::read(directory.join("proxy.pem")).unwrap();
    let mut policy = Credentials::default();
    bend(&mut policy);
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let matter = Matter { file: &file, holder: Holder::User, key: KeyRule::Required };
    match judge(&matter, &policy, &site.trust(), now) {
        Ok(answer) => {
            let fqans: Vec<&str> = answer.identity.fqans.iter().map(|fqan| fqan.as_str()).collect();
            format!("{} {:?} {}", answer.identity.subject, answer.identity.form().unwrap(), fqans.join(" "))
        }
        Err(refusal) => format!("{}: {}", refusal.reason(), refusal.for_log()),
    }
}

#[test]
fn openssl_and_voms_proxy_fake_make_credentials_that_are_understood() {
    let site = Site::empty();
    let directory = site.certificates().with_file_name("work");
    fs::create_dir(&directory).unwrap();
    people(&site, &directory);
    let groups = ["-fqan", "/testvo/Role=pilot", "-fqan", "/testvo/g/Role=NULL/Capability=NULL", "-fqan", "/testvo"];
    let fqans = "/testvo/Role=pilot /testvo/g/Role=NULL/Capability=NULL /testvo";
    let judged =
        |options: &[&str], bend: fn(&mut Credentials)| judged(&site, &directory, &[options, &groups].concat(), bend);
    let alice = |form: &str| format!("/DC=org/DC=test/CN=Alice {form} {fqans}");
    assert_eq!(judged(&["-rfc", "-newformat"], |_| {}), alice("FullProxy"));
    assert_eq!(judged(&["-rfc", "-newformat", "-limited"], |_| {}), alice("LimitedProxy"));
    assert_eq!(judged(&["-proxyver", "3", "-newformat"], |p| p.proxy_types.push(ProxyType::Gt3)), alice("FullProxy"));
    assert_eq!(
        judged(&["-proxyver", "2", "-newformat"], |p| p.proxy_types.push(ProxyType::Legacy)),
        alice("FullProxy")
    );
    // Without -newformat the holder is named by its subject, as by voms-api-java.
    assert_eq!(judged(&["-rfc"], |_| {}), alice("FullProxy"));
    assert_eq!(judged(&["-rfc", "-newformat", "-ga", "nick=alice"], |_| {}), alice("FullProxy"));
    assert_eq!(judged(&["-rfc", "-newformat", "-path-length", "0"], |_| {}), alice("FullProxy"));
    let refused = |options: &[&str], code: &str| {
        let said = judged(options, |p| p.crl = Presence::Require);
        assert!(said.starts_with(code), "{options:?}: {said}");
    };
    refused(&["-proxyver", "2", "-newformat"], "credential.proxy-type");
    refused(&["-proxyver", "3", "-newformat"], "credential.proxy-type");
    refused(&["-rfc", "-newformat", "-pastac", "30:00", "-vomslife", "1"], "voms.ac-expired");
    refused(&["-rfc", "-newformat", "-pastproxy", "30:00", "-hours", "1"], "credential.expired");
}
