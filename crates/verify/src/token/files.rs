//! What the site's files say: `issuers.d`, and the key cache of the WLCG (WLCG-AuthZ-WG/jwks-cache 1.0).

use super::issuer::{self, Issuer};
use super::keys::{self, Keys};
use super::site::{Rules, Site};
use glexec_core::file_error::FileError;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::tokens::Tokens;
use glexec_sys::dir::Directory;
use std::ffi::OsStr;

/// Most files of issuers that are read; a site has a dozen.
const MAX_FILES: usize = 500;

/// The directories, open.
#[derive(Debug)]
pub struct Files {
    pub issuers: Directory,
    /// `jwks`, those that there are, in their order.
    pub jwks: Vec<Directory>,
}

impl Rules {
    /// The rules of the table.
    pub fn of(tokens: &Tokens) -> Self {
        let seconds =
            |time: glexec_core::values::Lifetime| i64::try_from(time.duration().as_secs()).unwrap_or(i64::MAX);
        Rules { clock_skew: seconds(tokens.clock_skew), max_lifetime: seconds(tokens.max_lifetime) }
    }
}

/// What a file of `issuers.d` says.
#[derive(Debug)]
pub enum Said {
    /// All that it must.
    Issuer(Box<Issuer>),
    /// Something wrong about this issuer.
    Wrong {
        /// `issuer`, where it can be read.
        issuer: Option<String>,
        why: String,
    },
}

impl Files {
    /// All files of `issuers.d`, with their names, in the order of these.
    pub fn all(&self) -> Outcome<Vec<(String, Said)>> {
        let unusable = |why: String| {
            let text = "the site's files about issuers of tokens cannot be used: the site has to look at them";
            Refusal::new(Reason::TokenIssuerFile, text).detail(why)
        };
        let mut names: Vec<String> = self
            .issuers
            .names()
            .map_err(|error| unusable(error.to_string()))?
            .into_iter()
            .filter_map(|name| name.into_string().ok())
            .filter(|name| name.ends_with(".toml") && !name.starts_with('.'))
            .collect();
        if names.len() > MAX_FILES {
            return Err(unusable(format!("more than {MAX_FILES} files in {}", self.issuers.path().display())));
        }
        names.sort_unstable();
        Ok(names.into_iter().map(|name| (name.clone(), self.said(&name))).collect())
    }

    fn said(&self, name: &str) -> Said {
        let text = match self.issuers.read(OsStr::new(name), issuer::MAX_BYTES) {
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| "it is not text (UTF-8)".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        match text {
            Err(why) => Said::Wrong { issuer: None, why },
            Ok(text) => match Issuer::parse(&text) {
                Ok(issuer) => Said::Issuer(Box::new(issuer)),
                Err(why) => Said::Wrong { issuer: Issuer::named_in(&text), why },
            },
        }
    }
}

impl Site for Files {
    /// A file that nothing can be read of may be the one about any issuer: where no other is about this one, that counts.
    fn issuer(&self, name: &str) -> Outcome<Issuer> {
        let unusable = |why: String| {
            let text = "what the site says of the token's issuer is not understood: the site has to look at its file";
            Refusal::new(Reason::TokenIssuerFile, text).detail(format!("issuers.d: {why}"))
        };
        let (mut found, mut unread) = (Vec::new(), None);
        for (file, said) in self.all()? {
            match said {
                Said::Issuer(issuer) if issuer.issuer == name => found.push((file, *issuer)),
                Said::Wrong { issuer: Some(issuer), why } if issuer == name => {
                    return Err(unusable(format!("{file}: {why}")));
                }
                Said::Wrong { issuer: None, why } => unread = Some(format!("{file}: {why}")),
                Said::Issuer(_) | Said::Wrong { .. } => {}
            }
        }
        match (found.pop(), found.pop(), unread) {
            (Some((_, issuer)), None, _) => Ok(issuer),
            (Some((second, _)), Some((first, _)), _) => {
                Err(unusable(format!("{first} and {second} are about one issuer")))
            }
            (None, _, Some(why)) => Err(unusable(why)),
            (None, _, None) => {
                let text = "this site does not accept tokens of the token's issuer";
                Err(Refusal::new(Reason::TokenIssuer, text).detail(format!("iss={name:?}")))
            }
        }
    }

    /// The first file that has not expired; a malformed one ends the search, so that nobody hides it behind another.
    fn keys(&self, issuer: &Issuer, now: i64) -> Outcome<Keys> {
        let name = keys::file_name(&issuer.issuer);
        let about = |why: String| format!("{name} of {}: {why}", issuer.issuer);
        let mut expired = None;
        for directory in &self.jwks {
            let bytes = match directory.read(OsStr::new(&name), keys::MAX_BYTES) {
                Ok(bytes) => bytes,
                Err(FileError::Missing(_)) => continue,
                Err(error) => return Err(malformed(about(error.to_string()))),
            };
            let keys = keys::parse(&bytes, &issuer.issuer).map_err(|why| malformed(about(why)))?;
            if keys.expiration > now {
                return Ok(keys);
            }
            expired = Some(about(format!("expired {} s ago", now.saturating_sub(keys.expiration))));
        }
        let (reason, text, why) = match expired {
            Some(why) => (Reason::TokenKeysExpired, "the site's keys of the token's issuer have expired", why),
            None => {
                let why = about("in none of the directories of keys".to_owned());
                (Reason::TokenKeysMissing, "the site has no keys of the token's issuer", why)
            }
        };
        Err(Refusal::new(reason, format!("{text}: it has to fetch them")).detail(why))
    }
}

fn malformed(why: String) -> Refusal {
    let text = "the site's file with the keys of the token's issuer cannot be used: the site has to look at it";
    Refusal::new(Reason::TokenKeysMalformed, text).detail(why)
}
