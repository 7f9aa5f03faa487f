//! Where something is fetched from.

use hyper::Uri;
use rustls::pki_types::ServerName;
use std::fmt;

/// An HTTPS URL without a user in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub host: String,
    pub port: u16,
    /// Path and query.
    pub path: String,
}

const HTTPS: u16 = 443;

impl Place {
    /// Reads a URL.
    pub fn read(text: &str) -> Result<Place, String> {
        let wrong = |why: &str| format!("{text:?} {why}");
        // The parser lets pass what is none, and a terminal may be told to turn the rest around.
        if !text.is_ascii() {
            return Err(wrong("is not a URL of HTTPS"));
        }
        let uri: Uri = text.parse().map_err(|_| wrong("is not a URL of HTTPS"))?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("https"));
        let authority = authority.ok_or_else(|| wrong("is not a URL of HTTPS"))?;
        if authority.as_str().contains('@') || text.contains('#') {
            return Err(wrong("has a user or a fragment in it"));
        }
        let host = authority.host().to_owned();
        if !matches!(ServerName::try_from(host.as_str()), Ok(ServerName::DnsName(_))) {
            return Err(wrong("does not name a host"));
        }
        // hyper takes a port beyond 65535 for none.
        let port = match authority.port_u16() {
            None if authority.as_str() == host => HTTPS,
            port => port.filter(|port| *port != 0).ok_or_else(|| wrong("has a port that is none"))?,
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Place { host, port, path })
    }

    /// Where the metadata of an issuer is (OpenID Connect Discovery 1.0 section 4.1).
    pub fn of_metadata(issuer: &str) -> Result<Place, String> {
        if issuer.contains('?') {
            return Err(format!("{issuer:?} has a query in it, as no issuer has"));
        }
        Place::read(&format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer)))
    }

    /// Where a redirection leads: on this host only. Another one would speak for the issuer.
    pub fn redirected(&self, location: &str) -> Result<Place, String> {
        let absolute = match location.starts_with('/') && !location.starts_with("//") {
            true => format!("https://{}:{}{location}", self.host, self.port),
            false => location.to_owned(),
        };
        let place = Place::read(&absolute).map_err(|why| format!("it redirects, and {why}"))?;
        match (&place.host, place.port) == (&self.host, self.port) {
            true => Ok(place),
            false => Err(format!("it redirects to another host: {place}")),
        }
    }

    /// What stands in the header Host.
    pub fn host_header(&self) -> String {
        match self.port {
            HTTPS => self.host.clone(),
            port => format!("{}:{port}", self.host),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.host_header(), self.path)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_https_urls_of_a_named_host_are_places() {
        for (text, expected) in [
            ("https://vo.example.org/", Some(("vo.example.org", 443, "/"))),
            ("https://vo.example.org", Some(("vo.example.org", 443, "/"))),
            ("https://vo.example.org:8443/a/b?c=d", Some(("vo.example.org", 8443, "/a/b?c=d"))),
            ("http://vo.example.org/", None),
            ("vo.example.org", None),
            ("https://user@vo.example.org/", None),
            ("https://vo.example.org/#x", None),
            ("https://127.0.0.1/", None),
            ("https://[::1]/", None),
            ("https://vo.example.org:99999/", None),
            ("https:///x", None),
            ("https://vo.example.org/\u{202e}x", None),
            ("file:///etc/passwd", None),
            ("", None),
        ] {
            let place = Place::read(text).ok();
            let found = place.as_ref().map(|place| (place.host.as_str(), place.port, place.path.as_str()));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn metadata_is_below_the_issuer_whose_slash_at_the_end_does_not_count_there() {
        for (issuer, expected) in [
            ("https://vo/", "https://vo/.well-known/openid-configuration"),
            ("https://vo", "https://vo/.well-known/openid-configuration"),
            ("https://vo:8443/realms/x", "https://vo:8443/realms/x/.well-known/openid-configuration"),
        ] {
            assert_eq!(Place::of_metadata(issuer).unwrap().to_string(), expected);
        }
        assert!(Place::of_metadata("https://vo/?x=").is_err());
    }

    #[test]
    fn a_redirection_stays_on_its_host() {
        let from = Place::read("https://vo:8443/a").unwrap();
        for (location, expected) in [
            ("/b?c", Some("https://vo:8443/b?c")),
            ("https://vo:8443/b", Some("https://vo:8443/b")),
            ("https://vo/b", None),
            ("https://other:8443/b", None),
            ("//other:8443/b", None),
            ("http://vo:8443/b", None),
            ("b", None),
        ] {
            let to = from.redirected(location).ok().map(|place| place.to_string());
            assert_eq!(to.as_deref(), expected, "{location}");
        }
    }
}
