//! The issuers of tokens that a site trusts, as the verifier sees the site's files.

use glexec_core::surveyed::{IssuerFile, TokenIssuer};
use std::collections::BTreeMap;

/// What the files of `issuers.d` come to.
#[derive(Debug, Default)]
pub(crate) struct Issuers {
    /// Those that exactly one file is about.
    pub(crate) trusted: Vec<TokenIssuer>,
    /// Files that no token is accepted by, and why.
    pub(crate) faults: Vec<(String, String)>,
}

impl Issuers {
    /// Sorts them; two files about one issuer are a fault of both.
    pub(crate) fn of(files: Vec<IssuerFile>) -> Self {
        let mut issuers = Issuers::default();
        let mut found: BTreeMap<String, Vec<(String, TokenIssuer)>> = BTreeMap::new();
        for IssuerFile { file, said } in files {
            match said {
                Ok(issuer) => found.entry(issuer.issuer.clone()).or_default().push((file, issuer)),
                Err(why) => issuers.faults.push((file, why)),
            }
        }
        for (name, mut files) in found {
            match (files.pop(), files.pop()) {
                (Some((_, issuer)), None) => issuers.trusted.push(issuer),
                (Some((second, _)), Some((first, _))) => {
                    issuers.faults.push((second, format!("{first} is about the issuer {name}, too")));
                }
                _ => {}
            }
        }
        issuers
    }
}
