//! Who is on the other end: the certificates of a TLS peer, judged by the rules that hold for users' (chain, signing
//! policies, CRLs), with the names that a host has.

use crate::certificates::Chain;
use glexec_core::credentials::{BadAc, Credentials, LimitedProxy};
use glexec_core::identity::{Dn, Form};
use glexec_core::question::{Holder, KeyRule};
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::spelling::{Piece, pieces};
use glexec_core::values::AbsolutePath;
use glexec_core::verdict::failed;
use glexec_sys::dir::{Directory, Writers};
use glexec_sys::time::now;
use glexec_verify::x509::certificate::Certificate;
use glexec_verify::{Matter, Trust, judge};

/// The holder of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The subject of the end entity's certificate.
    pub subject: Dn,
    /// Whether it came with the certificate itself, and not with a proxy.
    form: Form,
    /// The names of the host, in lower case.
    hosts: Vec<String>,
}

/// Which certificates are accepted.
#[derive(Clone, Debug)]
pub struct Rules {
    policy: Credentials,
}

impl Rules {
    /// The site's rules with another CA directory, for hosts and operators.
    pub fn new(site: &Credentials, certdir: &AbsolutePath) -> Self {
        let policy = Credentials {
            certdir: certdir.clone(),
            limited_proxy: LimitedProxy::Refuse,
            // What groups an operator has at some VO is not asked.
            bad_ac: BadAc::Ignore,
            ..site.clone()
        };
        Rules { policy }
    }

    /// Judges the certificates of a peer, leaf first. That it has the key is for TLS to prove.
    pub fn judge(&self, certificates: Vec<Vec<u8>>) -> Outcome<Peer> {
        let hosts = certificates.first().map(|der| names(der)).transpose()?.unwrap_or_default();
        let path = self.policy.certdir.as_path();
        let cas = Directory::open_trusted(path, Writers::RootOnly).map_err(|error| {
            Refusal::new(Reason::TrustUnreadable, "the site's CA directory cannot be used").detail(error.to_string())
        })?;
        let trust = Trust { cas, voms: None, host: String::new(), ahead: None };
        let file = Chain::new(certificates).to_pem();
        let matter = Matter { file: &file, holder: Holder::User, key: KeyRule::MayBeAbsent };
        let identity = judge(&matter, &self.policy, &trust, now()?)?.identity;
        let form = identity.form().ok_or_else(|| failed("a certificate that is none"))?;
        let subject = identity.subject;
        Ok(Peer { subject, form, hosts })
    }
}

/// The names of the host that a certificate is for: its dNSNames, or its last CN where it has none.
pub(crate) fn names(der: &[u8]) -> Outcome<Vec<String>> {
    let malformed = || Refusal::new(Reason::CredentialMalformed, "the certificate of the other side is malformed");
    let certificate = Certificate::parse(der).map_err(|_| malformed())?;
    let mut hosts = certificate.alternative_names().map_err(|_| malformed())?.hosts;
    if hosts.is_empty() {
        hosts.extend(common_name(certificate.subject.text().as_str()));
    }
    hosts.iter_mut().for_each(|host| host.make_ascii_lowercase());
    Ok(hosts)
}

/// The last CN; Globus has written `host/` before the name.
fn common_name(subject: &str) -> Option<String> {
    let mut last: Option<String> = None;
    let mut inside = false;
    for piece in pieces(subject) {
        match piece {
            Piece::Attribute(_, kind) => {
                inside = kind == "CN";
                if inside {
                    last = Some(String::new());
                }
            }
            Piece::Value(c) if inside => last.get_or_insert_default().push(c),
            Piece::Value(_) => {}
        }
    }
    let name = last?;
    let name = name.strip_prefix("host/").unwrap_or(&name);
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    (!name.is_empty() && name.chars().all(is_host)).then(|| name.to_owned())
}

impl Peer {
    /// Whether it is the host of this name: an exact name, or one whose first label is `*`.
    pub fn is_host(&self, wanted: &str) -> bool {
        let wanted = wanted.to_ascii_lowercase();
        let suffix = wanted.split_once('.').map(|(_, suffix)| suffix);
        self.form == Form::EndEntity
            && self.hosts.iter().any(|host| *host == wanted || (suffix.is_some() && host.strip_prefix("*.") == suffix))
    }

    /// The first of its names that fits a pattern, in which `*` stands for anything within one label.
    pub fn fitting(&self, pattern: &str) -> Option<&str> {
        let fits = |host: &&String| self.form == Form::EndEntity && fits(pattern.as_bytes(), host.as_bytes());
        self.hosts.iter().find(fits).map(String::as_str)
    }
}

/// `*` never spans a dot: `wn*.example.org` is no name of `wn1.evil.example.org`.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) if fits(rest, name) => true,
        (Some((b'*', _)), Some((first, after))) => *first != b'.' && *first != b'*' && fits(pattern, after),
        (Some((wanted, rest)), Some((first, after))) => wanted.eq_ignore_ascii_case(first) && fits(rest, after),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(form: Form, hosts: &[&str]) -> Peer {
        let subject = "/CN=x".to_owned().try_into().unwrap();
        Peer { subject, form, hosts: hosts.iter().map(|host| (*host).to_owned()).collect() }
    }

    #[test]
    fn a_star_does_not_span_a_dot() {
        let node = peer(Form::EndEntity, &["wn12.example.org"]);
        for pattern in ["wn*.example.org", "wn12.example.org", "*.example.org", "WN*2.Example.org", "wn12*.example.org"]
        {
            assert_eq!(node.fitting(pattern), Some("wn12.example.org"), "{pattern}");
        }
        for pattern in ["*", "wn*", "*.org", "wn*.example", "n12.example.org", "", "wn*.example.org.", "*example.org"] {
            assert_eq!(node.fitting(pattern), None, "{pattern}");
        }
        assert_eq!(peer(Form::EndEntity, &["*.example.org"]).fitting("wn*.example.org"), None);
        assert_eq!(peer(Form::EndEntity, &["*.example.org"]).fitting("*.example.org"), None, "not everybody at once");
    }

    #[test]
    fn a_proxy_of_a_host_is_no_host() {
        assert_eq!(peer(Form::FullProxy, &["wn1.example.org"]).fitting("wn*.example.org"), None);
        assert!(!peer(Form::FullProxy, &["map1.example.org"]).is_host("map1.example.org"));
    }

    #[test]
    fn a_server_has_the_name_that_was_asked_for() {
        let one = peer(Form::EndEntity, &["map1.example.org", "*.svc.example.org"]);
        for good in ["map1.example.org", "MAP1.example.org", "x.svc.example.org"] {
            assert!(one.is_host(good), "{good}");
        }
        for bad in ["map2.example.org", "svc.example.org", "a.b.svc.example.org", "", "*"] {
            assert!(!one.is_host(bad), "{bad}");
        }
    }

    #[test]
    fn the_last_cn_counts_where_there_is_no_other_name() {
        for (subject, name) in [
            ("/DC=org/CN=wn1.example.org", Some("wn1.example.org")),
            ("/CN=a/CN=host\\/wn1.example.org", Some("wn1.example.org")),
            ("/CN=host/wn1.example.org", Some("wn1.example.org")),
            ("/CN=wn1.example.org/O=x", Some("wn1.example.org")),
            ("/CN=a\\/CN=wn1.example.org", None),
            ("/CN=*.example.org", None),
            ("/O=x", None),
        ] {
            assert_eq!(common_name(subject).as_deref(), name, "{subject}");
        }
    }
}
