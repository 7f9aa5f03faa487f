//! Services, nodes and what they are asked with, in a site.

use crate::site::{Run, Running, Site, built, material_file};
use serde_json::Value;

/// The site's policy, as `tests/site/root/etc/glexec.conf` has it, and who may ask.
pub const CONFIGURATION: &str = r#"
listen      = "127.0.0.1:0"
status      = "127.0.0.1:0"
[engine]
type = "gridmapdir"
[[node]]
name = "wn*.example.org"
[[operator]]
subject = "/DC=org/DC=example/O=Grid/CN=Alice Adams"
[[lcas.plugin]]
type = "userban"
file = "/etc/lcas/ban_users.db"
[lcmaps.plugins.vomsgroups]
type = "voms_localgroup"
groupmapfile = "/etc/grid-security/groupmapfile"
[lcmaps.plugins.vomspool]
type = "voms_poolaccount"
gridmapfile = "/etc/grid-security/grid-mapfile"
gridmapdir = "/etc/grid-security/gridmapdir"
[lcmaps.plugins.localaccount]
type = "localaccount"
gridmapfile = "/etc/grid-security/grid-mapfile"
[lcmaps.policies]
default = ["vomsgroups -> vomspool | localaccount"]
"#;

/// A site with the service's programs and certificates for hosts; none of it runs yet.
pub fn site() -> Site {
    let site = Site::new();
    for (name, installed) in
        [("glexec-site", "sbin/glexec-site"), ("glexec-site-request", "libexec/glexec/site-request")]
    {
        site.write("/root/program", std::fs::read(built(name)).unwrap());
        site.sh(&format!("install -D -m 755 /root/program /usr/{installed}; rm /root/program"));
    }
    for name in [
        "certs/root-ca.pem",
        "keys/ca.key",
        "keys/voms.key",
        "keys/user.key",
        "certs/alice.pem",
        "certs/rita.pem",
        "certs/uma.pem",
    ] {
        site.write(&format!("/root/{}", name.split_once('/').unwrap().1), material_file(name));
    }
    for host in ["map1", "map2", "wn1", "wn2", "db1", "wn9.cloud"] {
        certify(&site, host, &format!("subjectAltName=DNS:{host}.example.org"));
    }
    site.append("/etc/hosts", "127.0.0.1 map1.example.org map2.example.org\n");
    site.write("/etc/glexec-site.toml", CONFIGURATION);
    site
}

/// Makes `/root/HOST.pem`, for the key `/root/voms.key`.
pub fn certify(site: &Site, host: &str, extension: &str) {
    site.sh(&format!(
        "cd /root; printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n{extension}\n' > ext; \
         printf '[req]\ndistinguished_name=none\n[none]\n' > cnf; \
         openssl req -config cnf -new -key voms.key -subj '/DC=org/DC=example/CN={host}.example.org' | \
         openssl x509 -req -CA root-ca.pem -CAkey ca.key -days 30 -extfile ext -out {host}.pem 2>&1"
    ));
}

/// A service that runs.
pub struct Service<'s> {
    /// The process.
    pub running: Running<'s>,
    site: &'s Site,
    /// Where it is asked.
    pub server: String,
    log: String,
    /// Where people look.
    pub status: String,
}

impl<'s> Service<'s> {
    /// Starts a service on a host of this name, with the site's configuration.
    pub fn start(site: &'s Site, host: &str) -> Self {
        let log = format!("/root/{host}.log");
        let configuration = site.read("/etc/glexec-site.toml");
        let own = format!("certificate = \"/root/{host}.pem\"\nkey = \"/root/voms.key\"\n{configuration}");
        site.write(&format!("/root/{host}.toml"), own);
        // What a service of before has said is not this one's.
        site.sh(&format!("rm -f {log}"));
        let script = format!("exec glexec-site --config /root/{host}.toml 2>> {log}");
        let running = site.caller("root").env("PATH", "/usr/sbin:/usr/bin").start("/bin/bash", ["-c", &script]);
        site.wait_until(&format!("grep -q event= {log}"));
        let text = site.read(&log);
        let port = text.lines().rev().find_map(|line| line.strip_prefix("event=start listen=127.0.0.1:"));
        let port = port.unwrap_or_else(|| panic!("{host} did not start: {text}"));
        let status = log_value(&text, "status");
        Service {
            running,
            status,
            site,
            server: format!("https://{host}.example.org:{}", port.split(' ').next().unwrap()),
            log,
        }
    }

    /// What it has written down.
    pub fn log(&self) -> String {
        self.site.read(&self.log)
    }
}

/// A value of the line in which a service says where it listens.
pub fn log_value(log: &str, name: &str) -> String {
    let line = log.lines().rev().find(|line| line.starts_with("event=start ")).unwrap();
    line.split_once(&format!(" {name}=")).unwrap().1.split(' ').next().unwrap().to_owned()
}

/// Asks services with the certificate and key of `/root` that `who` names.
pub fn request<'s>(site: &'s Site, servers: &[&str], who: (&str, &str), what: &[&str]) -> Run<'s> {
    let (certificate, key) = (format!("/root/{}.pem", who.0), format!("/root/{}.key", who.1));
    let mut arguments = vec!["--certificate", &certificate, "--key", &key];
    arguments.extend(servers.iter().flat_map(|server| ["--server", server]));
    arguments.extend(what);
    site.caller("root").env("PATH", "/usr/sbin:/usr/bin").run("/usr/libexec/glexec/site-request", arguments)
}

/// A node of this name asks for the holder of a proxy (`tests/site/make-pki` lists them).
#[track_caller]
pub fn map(site: &Site, servers: &[&str], node: &str, proxy: &str, more: &[&str]) -> Value {
    let file = format!("/root/{proxy}.proxy");
    site.write(&file, material_file(&format!("proxies/{proxy}.pem")));
    let what: Vec<&str> = ["map", &file].into_iter().chain(more.iter().copied()).collect();
    let run = request(site, servers, (node, "voms"), &what);
    run.exits(0);
    serde_json::from_str(&run.stdout()).unwrap()
}
