//! `.lsc` files: the chains of names that a VO's server may have.
//!
//! Subject of the server, then its issuer, then that one's issuer, one per line; several chains are separated by
//! `------ NEXT CHAIN ------`. libvomsapi reads a pair of subject and issuer for every certificate that is embedded in
//! the attributes; with more than one certificate the issuer of one pair is the subject of the next, so that a name that
//! stands twice in a row counts once here. A chain has to name every embedded certificate and the issuer of the last,
//! and may go on up to the anchor, but all that it says has to be true.

#![forbid(unsafe_code)]

use glexec_core::spelling::as_printed;

/// The names of one chain, the server first; at least two.
#[derive(Debug, PartialEq, Eq)]
pub struct Names(Vec<String>);

impl Names {
    /// Whether a server's verified chain of names, of which so many certificates were embedded, is this one.
    pub fn fits(&self, chain: &[&str], embedded: usize) -> bool {
        self.0.len() > embedded
            && self.0.len() <= chain.len()
            && self.0.iter().zip(chain).all(|(written, real)| written == real)
    }

    /// The last of them, whose certificate is never embedded: it has to be the CA directory's.
    pub fn authority(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }
}

/// Reads a file. A name may stand in double quotes; empty lines and comments (`#`) are skipped. Chains of less than two
/// names are dropped: they would trust whoever has the server's name from any CA.
pub fn parse(bytes: &[u8]) -> Result<Vec<Names>, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
    let mut chains: Vec<Vec<String>> = vec![Vec::new()];
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line.starts_with("---") {
            if line.trim_matches('-').trim() != "NEXT CHAIN" {
                return Err("a line of dashes does not say NEXT CHAIN");
            }
            chains.push(Vec::new());
            continue;
        }
        let unquoted = line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).unwrap_or(line);
        if unquoted.starts_with('/') {
            let name = as_printed(unquoted);
            if let Some(chain) = chains.last_mut().filter(|chain| chain.last() != Some(&name)) {
                chain.push(name);
            }
        } else {
            return Err("a line is not a name");
        }
    }
    Ok(chains.into_iter().filter(|chain| chain.len() >= 2).map(Names).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(file: &str, chain: &[&str], embedded: usize) -> bool {
        parse(file.as_bytes()).unwrap().iter().any(|names| names.fits(chain, embedded))
    }

    #[test]
    fn a_chain_must_name_the_embedded_certificates_and_their_issuer() {
        let root = ["/CN=voms", "/CN=CA"];
        let deep = ["/CN=voms", "/CN=sub", "/CN=CA"];
        assert!(fits("/CN=voms\n/CN=CA\n", &root, 1));
        assert!(fits("# server\n\n /CN=voms \r\n/CN=CA", &root, 1));
        assert!(fits("\"/CN=voms\"\n \"/CN=CA\" \n", &root, 1));
        assert!(fits("/CN=x\n/CN=CA\n------ NEXT CHAIN ------\n/CN=voms\n/CN=CA\n", &root, 1));
        assert!(fits("/CN=voms\n/CN=sub\n", &deep, 1), "the CA's own issuer need not be named");
        assert!(fits("/CN=voms\n/CN=sub\n/CN=CA\n", &deep, 1));
        assert!(fits("/CN=voms\n/CN=sub\n/CN=sub\n/CN=CA\n", &deep, 2), "pairs");
        assert!(!fits("/CN=voms\n/CN=sub\n", &deep, 2), "an embedded CA whose issuer is not named");
        for wrong in [
            "",
            "\n\n",
            "/CN=voms\n",
            "/CN=CA\n/CN=voms\n",
            "/CN=voms\n/CN=other\n",
            "/CN=other\n/CN=CA\n",
            "/CN=voms\n------ NEXT CHAIN ------\n/CN=CA\n",
            "/CN=voms\n/CN=CA\n/CN=more\n",
            "/CN=VOMS\n/CN=CA\n",
            "/CN=voms\n/CN=voms\n",
        ] {
            assert!(!fits(wrong, &root, 1), "{wrong:?}");
        }
    }

    #[test]
    fn services_and_mail_addresses_are_compared_in_the_canonical_form() {
        let chain = ["/CN=host/voms.example.org/emailAddress=a@b", "/CN=CA"];
        assert!(fits("/CN=host/voms.example.org/Email=a@b\n/CN=CA\n", &chain, 1));
        assert!(fits("/CN=host\\/voms.example.org/emailAddress=a@b\n/CN=CA\n", &chain, 1), "as OpenSSL 3 prints it");
        assert!(!fits("/CN=host/voms.example.org/CN=x\n/CN=CA\n", &["/CN=host/voms.example.org\\/CN=x", "/CN=CA"], 1));
    }

    #[test]
    fn other_lines_are_malformed() {
        for text in ["CN=voms\n", "\"/CN=voms\n", "------ NEXT ------\n", "-----BEGIN CERTIFICATE-----\n"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse(b"/CN=\xff\n").is_err());
    }
}
