//! Issuers that the site trusts: one file each in `issuers.d`, TOML owned by root.

use super::algorithm::Algorithm;
use glexec_core::identity::{Fqan, MAX_ISS, is_word};
use glexec_core::vo;
use serde::Deserialize;

/// Largest issuer file in bytes.
pub const MAX_BYTES: u64 = 64 * 1024;

/// What the tokens of an issuer look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// WLCG Common JWT Profile 1.x.
    Wlcg,
    /// SciTokens 2.0.
    Scitokens,
    /// EGI Check-in: entitlements (AARC-G069).
    Egi,
    /// DiracX.
    Diracx,
}

/// What the site says of one issuer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// `iss`, byte for byte.
    pub issuer: String,
    vo: Option<String>,
    #[serde(default)]
    vos: Vec<String>,
    pub profile: Profile,
    /// Whom a token must be meant for: one of these.
    pub audiences: Vec<String>,
    /// Whether a token that is meant for anybody will do.
    #[serde(default)]
    pub accept_any_audience: bool,
    /// Scopes that a token must have, all of them.
    pub scopes: Vec<String>,
    /// Accepted algorithms.
    #[serde(default = "usual_algorithms")]
    pub algorithms: Vec<Algorithm>,
    groups_claim: Option<String>,
    namespace: Option<String>,
    /// The FQAN of a token without groups.
    pub default_group: Option<Fqan>,
    /// A token without capabilities that has groups will do.
    #[serde(default)]
    pub group_only: bool,
}

fn usual_algorithms() -> Vec<Algorithm> {
    vec![Algorithm::RS256, Algorithm::ES256]
}

impl Issuer {
    /// Reads a file.
    pub fn parse(file: &str) -> Result<Issuer, String> {
        let issuer: Issuer = toml::from_str(file).map_err(|error| error.to_string())?;
        issuer.fault().map_or(Ok(issuer), |fault| Err(fault.to_owned()))
    }

    /// The issuer of a file that is not understood in all, so that a mistake in it counts for this issuer only.
    pub fn named_in(file: &str) -> Option<String> {
        file.parse::<toml::Table>().ok()?.get("issuer")?.as_str().map(str::to_owned)
    }

    fn fault(&self) -> Option<&'static str> {
        let inherent = matches!(self.profile, Profile::Egi | Profile::Diracx);
        Some(match self {
            _ if !is_word(&self.issuer, MAX_ISS) => "issuer is empty, longer than 512 bytes, or not visible ASCII",
            _ if self.issuer.contains("/sub=") => "issuer contains \"/sub=\": names of users would be ambiguous",
            _ if self.vo.is_some() != self.vos.is_empty() => "give either vo or vos",
            _ if !self.vos().all(vo::is_vo) => "vo or vos is not the name of a VO",
            _ if !self.vos.is_empty() && !inherent => "vos is for profiles that name the VO in the token: give vo",
            _ if self.audiences.is_empty() => "audiences is empty: say whom a token must be meant for",
            _ if self.algorithms.is_empty() => "algorithms is empty",
            _ if self.scopes.iter().any(|s| s.is_empty() || s.contains(' ')) => "a scope is empty or has a blank in it",
            _ if self.group_only && !self.scopes.is_empty() => "group_only goes with scopes = []",
            _ if self.scopes.is_empty() && !self.group_only && !inherent => {
                "scopes is empty: name the scopes that a job needs, or say group_only = true"
            }
            _ if self.default_group.as_ref().is_some_and(|group| !self.vos().any(|vo| vo == group.vo())) => {
                "default_group is not a group of the VO"
            }
            _ if self.default_group.is_some() && inherent => {
                "default_group would make everybody whom this issuer knows a member of the VO"
            }
            _ if self.namespace.is_some() && self.profile != Profile::Egi => "namespace is for the profile egi",
            _ if self.default_group.is_some() && self.group_only => {
                "default_group would let pass what has no groups: group_only"
            }
            _ => return None,
        })
    }

    /// The VOs of its tokens.
    pub fn vos(&self) -> impl Iterator<Item = &str> {
        self.vo.iter().chain(&self.vos).map(String::as_str)
    }

    /// The one VO of all its tokens.
    pub fn only_vo(&self) -> Option<&str> {
        self.vo.as_deref().filter(|_| !matches!(self.profile, Profile::Egi | Profile::Diracx))
    }

    /// What the entitlements begin with that are the issuer's own.
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or("urn:mace:egi.eu")
    }

    /// Whether a VO is among them.
    pub fn has_vo(&self, name: &str) -> bool {
        self.vos().any(|vo| vo == name)
    }

    /// The claims that may have groups, the first that is there counts.
    pub fn groups_claims(&self) -> Vec<&str> {
        match (&self.groups_claim, self.profile) {
            (Some(claim), _) => vec![claim],
            (None, Profile::Wlcg) => vec!["wlcg.groups"],
            (None, Profile::Scitokens) => vec![],
            (None, Profile::Egi) => vec!["eduperson_entitlement", "entitlements"],
            (None, Profile::Diracx) => vec!["dirac_group"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "issuer='https://vo/'\nvo='testvo'\nprofile='wlcg'\naudiences=['glexec://site']\n";

    #[test]
    fn files_with_a_contradiction_are_refused() {
        let with = |more: &str| Issuer::parse(&format!("{GOOD}{more}"));
        assert!(with("scopes=['compute.create']").is_ok());
        assert!(with("scopes=[]\ngroup_only=true").is_ok());
        for (file, about) in [
            (GOOD.to_owned(), "scopes"),
            (format!("{GOOD}scopes=[]"), "group_only"),
            (format!("{GOOD}scopes=['a']\ngroup_only=true"), "group_only"),
            (format!("{GOOD}scopes=['a b']"), "blank"),
            (format!("{GOOD}scopes=['a']\nvos=['b']"), "either vo or vos"),
            (format!("{GOOD}scopes=['a']\nscope='b'"), "scope"),
            (format!("{GOOD}scopes=['a']\nalgorithms=['none']"), "none"),
            (format!("{GOOD}scopes=['a']\nalgorithms=['HS256']"), "HS256"),
            (format!("{GOOD}scopes=['a']\ndefault_group='/other'"), "default_group"),
            (format!("{GOOD}scopes=['a']").replace("https://vo/", "https://vo/sub=x"), "/sub="),
            (format!("{GOOD}scopes=['a']\ndefault_group='/testvo'").replace("wlcg", "egi"), "everybody"),
            (format!("{GOOD}scopes=['a']\nnamespace='urn:x'"), "namespace"),
            (format!("{GOOD}scopes=['a']").replace("['glexec://site']", "[]"), "audiences"),
            (format!("{GOOD}scopes=['a']").replace("vo='testvo'\n", "vos=['testvo']\n"), "vos"),
            (format!("{GOOD}scopes=['a']").replace("wlcg", "oidc"), "oidc"),
        ] {
            assert!(Issuer::parse(&file).unwrap_err().contains(about), "{file}");
        }
        assert_eq!(Issuer::named_in(&format!("{GOOD}wrong=1")).as_deref(), Some("https://vo/"));
    }
}
