//! All that the site's files say about issuers of tokens, looked at with the eyes of the verifier: for who looks after the
//! site.

use super::files::{Files, Said};
use super::issuer::Issuer;
use super::keys;
use glexec_core::file_error::FileError;
use glexec_core::reason::Outcome;
use glexec_core::surveyed::{IssuerFile, KeyFile, Keys, TokenIssuer};
use glexec_sys::dir::{Directory, last_change};
use std::ffi::OsStr;

/// Every file of `issuers.d` in the order of their names, with the key files of its issuer.
pub fn survey(files: &Files) -> Outcome<Vec<IssuerFile>> {
    let all = files.all()?.into_iter().map(|(file, said)| {
        let said = match said {
            Said::Issuer(issuer) => Ok(trusted(files, &issuer)),
            Said::Wrong { why, .. } => Err(why),
        };
        IssuerFile { file, said }
    });
    Ok(all.collect())
}

fn trusted(files: &Files, issuer: &Issuer) -> TokenIssuer {
    let key_file = keys::file_name(&issuer.issuer);
    TokenIssuer {
        issuer: issuer.issuer.clone(),
        vos: issuer.vos().map(str::to_owned).collect(),
        algorithms: issuer.algorithms.iter().map(|algorithm| algorithm.name().to_owned()).collect(),
        keys: files.jwks.iter().filter_map(|directory| look(directory, issuer, &key_file)).collect(),
        key_file,
    }
}

/// The issuer's file in a directory, where there is one.
fn look(directory: &Directory, issuer: &Issuer, name: &str) -> Option<KeyFile> {
    let name = OsStr::new(name);
    let said = match directory.read(name, keys::MAX_BYTES) {
        Err(FileError::Missing(_)) => return None,
        Err(error) => Err(error.to_string()),
        Ok(bytes) => keys::parse(&bytes, &issuer.issuer)
            .map(|keys| Keys { expiration: keys.expiration, usable: keys.usable(&issuer.algorithms) }),
    };
    let path = directory.path().join(name).display().to_string();
    Some(KeyFile { path, written: directory.version(name).map(|version| last_change(&version)), said })
}
