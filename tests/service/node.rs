//! Worker nodes that ask the service: each is a site of its own, with an agent.

use crate::service::Service;
use crate::site::{Run, Site};

/// A node's glexec.conf, but for `[site]`.
const CONFIGURATION: &str = r#"
[[lcas.plugin]]
type = "site"
[lcmaps.plugins.site]
type = "site"
[lcmaps.policies]
default = ["site"]
"#;
const LOG: &str = "/root/agent.log";

/// A node without an agent, of this name, which asks these servers. `more` is for its table `[site]`.
pub fn without_agent(service: &Site, host: &str, servers: &[&str], more: &str) -> Site {
    let site = Site::new();
    for file in [&format!("{host}.pem"), "voms.key"].into_iter().filter(|_| !host.is_empty()) {
        site.write(&format!("/root/{file}"), service.read(&format!("/root/{file}")));
    }
    site.append("/etc/hosts", "127.0.0.1 map1.example.org map2.example.org\n");
    let conf = site.read("/etc/glexec.conf");
    // Only what is of this node, as whose caller may call, stays.
    let own = conf.split("[[lcas.plugin]]").next().unwrap();
    let table = format!(
        "[site]\nservers = {servers:?}\ncertificate = \"/root/{host}.pem\"\nkey = \"/root/voms.key\"\n{more}\n"
    );
    site.write("/etc/glexec.conf", format!("{own}{table}{CONFIGURATION}"));
    site
}

/// A node with its agent.
pub struct Node {
    /// The node's site, which everything that runs on the node ends with.
    pub site: Site,
}

impl Node {
    /// A node of this name, which asks these services.
    pub fn new(service: &Site, host: &str, services: &[&Service<'_>], more: &str) -> Node {
        let servers: Vec<&str> = services.iter().map(|service| service.server.as_str()).collect();
        let node = Node { site: without_agent(service, host, &servers, more) };
        node.start_agent();
        node
    }

    /// Starts the agent.
    pub fn start_agent(&self) {
        self.site.sh(&format!("rm -f {LOG}; setsid /usr/sbin/glexec-agent < /dev/null > {LOG} 2>&1 &"));
        self.site.wait_until(&format!("grep -q 'asks for calls at' {LOG}"));
    }

    /// Signals the agent; what asks the service ends with it.
    pub fn signal_agent(&self, signal: &str) {
        self.site.sh(&format!("pkill -{signal} -x glexec-agent"));
    }

    /// Signals what asks the service.
    pub fn signal_asker(&self, signal: &str) {
        self.site.sh(&format!("pkill -{signal} -x site-agent"));
    }

    /// Ends the agent as nothing ends by itself.
    pub fn kill_agent(&self) {
        self.signal_agent("KILL");
        self.site.wait_until("! pgrep -x site-agent");
    }

    /// What the agent has said.
    pub fn log(&self) -> String {
        self.site.read(LOG)
    }

    /// A user's pilot job calls glexec here.
    pub fn call(&self, proxy: &str) -> Run<'_> {
        self.site.pilot().credential(proxy).glexec(["id", "-un"])
    }
}
