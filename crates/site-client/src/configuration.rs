//! /etc/glexec-site.toml as data: the site's mapping service.

use glexec_config::lcas::{self, table::Lcas};
use glexec_config::lcmaps::table::{Lcmaps, PolicyNames};
use glexec_config::lcmaps::{self, Plugin as MappingPlugin};
use glexec_config::options::ConfigError;
use glexec_config::parse::{Mistake, read};
use glexec_config::values::AbsolutePath;
use glexec_core::credentials::Credentials;
use glexec_core::identity::Dn;
use serde::Deserialize;
use std::net::SocketAddr;
use toml::Spanned;

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default = "listen")]
    listen: SocketAddr,
    #[serde(default = "status")]
    status: SocketAddr,
    #[serde(default = "certificate")]
    certificate: AbsolutePath,
    #[serde(default = "key")]
    key: AbsolutePath,
    #[serde(default = "certdir")]
    certdir: AbsolutePath,
    #[serde(default = "service_user")]
    service_user: String,
    engine: Spanned<Engine>,
    xacml: Option<Xacml>,
    #[serde(default)]
    node: Vec<Node>,
    #[serde(default)]
    operator: Vec<Operator>,
    #[serde(default)]
    credentials: Credentials,
    #[serde(default)]
    lcas: Lcas,
    #[serde(default)]
    lcmaps: Lcmaps,
}

fn listen() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], 8444))
}

fn status() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8445))
}

fn certificate() -> AbsolutePath {
    AbsolutePath::fixed("/etc/grid-security/hostcert.pem")
}

fn key() -> AbsolutePath {
    AbsolutePath::fixed("/etc/grid-security/hostkey.pem")
}

fn certdir() -> AbsolutePath {
    AbsolutePath::fixed("/etc/grid-security/certificates")
}

fn bans() -> AbsolutePath {
    AbsolutePath::fixed("/etc/grid-security/site-bans.json")
}

fn service_user() -> String {
    "glexec".into()
}

/// `[engine]`: where leases and bans are kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum Engine {
    /// The gridmapdirs that the plug-ins name, and a file of bans.
    Gridmapdir {
        /// The file of bans, shared like the gridmapdir.
        #[serde(default = "bans")]
        bans: AbsolutePath,
    },
    /// A database.
    Postgresql {
        /// Hosts, database and user, as libpq writes them.
        connect: String,
        /// The CA of the servers' certificates; with it every connection is encrypted, and to a server of that name.
        ca: Option<AbsolutePath>,
        /// The service's own certificate for the database.
        certificate: Option<AbsolutePath>,
        /// Its key.
        key: Option<AbsolutePath>,
    },
}

/// `[xacml]`: for clients of SCAS, GUMS and Argus.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Xacml {
    /// Where they ask.
    pub listen: SocketAddr,
}

/// `[[node]]`: hosts that may ask.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// The name of the host's certificate; `*` stands for anything within one label.
    pub name: Pattern,
}

/// A pattern for names of hosts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(String);

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*');
        let label = |label: &str| !label.is_empty() && label.chars().all(allowed);
        match text.split('.').all(label) {
            true => Ok(Pattern(text)),
            false => Err(format!("{text:?} is not a host's name or a pattern such as \"wn*.example.org\"")),
        }
    }
}

impl Pattern {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `[[operator]]`: who may ban.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// The subject of the person's certificate.
    pub subject: Dn,
}

/// The checked configuration of the service.
#[derive(Clone, Debug)]
pub struct SiteService {
    /// Where nodes ask.
    pub listen: SocketAddr,
    /// Where people and monitoring look.
    pub status: SocketAddr,
    /// The host's certificate.
    pub certificate: AbsolutePath,
    pub key: AbsolutePath,
    /// The CA directory for hosts and operators.
    pub certdir: AbsolutePath,
    /// Whom the service runs as.
    pub service_user: String,
    /// Where leases are kept.
    pub engine: Engine,
    /// For clients of SCAS, GUMS and Argus.
    pub xacml: Option<Xacml>,
    /// Hosts that may ask.
    pub nodes: Vec<Node>,
    /// People that may ban.
    pub operators: Vec<Operator>,
    /// `[credentials]`: which users' credentials are accepted.
    pub credentials: Credentials,
    /// The LCAS plug-ins.
    pub lcas: lcas::Plan,
    /// The LCMAPS plug-ins and policies; those of the names `default` and `verify_account` are used.
    pub lcmaps: lcmaps::Plan,
}

/// Parses and checks the text of a configuration of the service.
pub fn parse(text: &str) -> Result<SiteService, Mistake> {
    read(text, check)
}

fn check(file: File) -> Result<SiteService, ConfigError> {
    let lcas = file.lcas.check()?;
    let lcmaps = file.lcmaps.check(&PolicyNames {
        get_account: ("default".to_owned(), None),
        verify_account: ("default".to_owned(), None),
    })?;
    let elsewhere = |kind: &str| {
        let message = format!(
            "a plug-in of type {kind} judges the call on its node, of which the service knows nothing: it belongs in \
             glexec.conf of the nodes"
        );
        ConfigError::invalid(message, None)
    };
    let judges_calls = |plugin: &&lcas::Plugin| {
        matches!(plugin, lcas::Plugin::CheckExecutable { .. } | lcas::Plugin::Exec(_) | lcas::Plugin::Site)
    };
    if let Some(plugin) = lcas.plugins().find(judges_calls) {
        return Err(elsewhere(plugin.name()));
    }
    let asks_node = |plugin: &&MappingPlugin| {
        matches!(plugin, MappingPlugin::TrackingGroupid(_) | MappingPlugin::Exec(_) | MappingPlugin::Site)
    };
    if let Some(plugin) = lcmaps.plugins.values().find(asks_node) {
        return Err(elsewhere(plugin.name()));
    }
    if let Engine::Postgresql { ca, certificate, key, .. } = file.engine.get_ref() {
        let span = Some(file.engine.span());
        if certificate.is_some() != key.is_some() || (certificate.is_some() && ca.is_none()) {
            return Err(ConfigError::invalid("[engine] certificate and key stand together, and with a ca", span));
        }
    }
    if file.node.is_empty() {
        return Err(ConfigError::invalid("no [[node]] says who may ask", None));
    }
    Ok(SiteService {
        listen: file.listen,
        status: file.status,
        certificate: file.certificate,
        key: file.key,
        certdir: file.certdir,
        service_user: file.service_user,
        engine: file.engine.into_inner(),
        xacml: file.xacml,
        nodes: file.node,
        operators: file.operator,
        credentials: file.credentials,
        lcas,
        lcmaps,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[engine]
type = "gridmapdir"
[[node]]
name = "wn*.example.org"
[[operator]]
subject = "/DC=org/DC=example/CN=Site Operator"
[lcmaps.plugins.local]
type = "localaccount"
gridmapfile = "/etc/grid-security/grid-mapfile"
[lcmaps.policies]
default = ["local"]
"#;

    fn says(text: &str) -> String {
        parse(text).unwrap_err().message
    }

    #[test]
    fn the_example_that_is_installed_can_be_used() {
        let example = include_str!("../../../etc/glexec-site.toml");
        assert_eq!(parse(example).unwrap().nodes.len(), 1);
    }

    #[test]
    fn a_small_configuration_will_do() {
        let site = parse(GOOD).unwrap();
        assert_eq!(site.listen.port(), 8444);
        assert_eq!(site.nodes[0].name.as_str(), "wn*.example.org");
    }

    #[test]
    fn what_cannot_be_kept_is_refused_by_name() {
        let tracking =
            "[lcmaps.plugins.t]\ntype = \"tracking_groupid\"\nmin_gid = 60000\nmax_gid = 60010\n[lcmaps.policies]";
        for (bad, message) in [
            (GOOD.replace("\"gridmapdir\"", "\"oracle\""), "oracle"),
            (GOOD.replace("[[node]]\nname = \"wn*.example.org\"", ""), "no [[node]]"),
            (GOOD.replace("wn*.example.org", "wn[1-9].example.org"), "not a host's name"),
            (
                GOOD.replace(
                    "[lcmaps.policies]",
                    "[[lcas.plugin]]\ntype = \"check_executable\"\ncommands = [\"/x\"]\n[lcmaps.policies]",
                ),
                "belongs in glexec.conf",
            ),
            (GOOD.replace("[lcmaps.policies]", tracking), "belongs in glexec.conf"),
            (GOOD.replace("[engine]", "[argus]\nlisten = \"0.0.0.0:8443\"\n[engine]"), "argus"),
        ] {
            assert!(says(&bad).contains(message), "{}", says(&bad));
        }
    }
}
