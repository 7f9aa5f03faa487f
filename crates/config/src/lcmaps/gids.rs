//! Which groups a payload gets, as options that contradict each other say.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Whether some of an account's own groups are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    Used,
    LeftOut,
}

/// Which groups of an account the payload gets besides those that VOMS plug-ins found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountGids {
    /// The account's primary group as primary group, unless one was found before; then as supplementary group.
    pub primary: Own,
    /// The account's primary group as supplementary group.
    pub primary_as_secondary: Own,
    /// All groups of the account (its primary one is among them) as supplementary groups.
    pub groups: Own,
}

impl AccountGids {
    /// Everything, as `localaccount` and `poolaccount` do.
    pub const ALL: AccountGids =
        AccountGids { primary: Own::Used, primary_as_secondary: Own::LeftOut, groups: Own::Used };
}

/// The options that say so.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    use_voms_gid: Option<bool>,
    use_account_gid: Option<bool>,
    add_primary_gid_from_mapped_account: Option<bool>,
    do_not_add_primary_gid_from_mapped_account: Option<bool>,
    add_primary_gid_as_secondary_gid_from_mapped_account: bool,
    add_secondary_gids_from_mapped_account: Option<bool>,
    do_not_add_secondary_gids_from_mapped_account: Option<bool>,
}

impl Options {
    /// What they come to, where the type uses all groups of the account or none unless they say otherwise.
    fn gids(&self, all: bool) -> Result<AccountGids, String> {
        let own = |used| if used { Own::Used } else { Own::LeftOut };
        let all = says(self.use_account_gid, self.use_voms_gid, "use_voms_gid and use_account_gid")?.unwrap_or(all);
        let (yes, no) = (self.add_primary_gid_from_mapped_account, self.do_not_add_primary_gid_from_mapped_account);
        let primary = says(yes, no, PRIMARY)?;
        let as_secondary = self.add_primary_gid_as_secondary_gid_from_mapped_account;
        if no == Some(true) && as_secondary {
            return Err(contradiction(PRIMARY));
        }
        let (yes, no) =
            (self.add_secondary_gids_from_mapped_account, self.do_not_add_secondary_gids_from_mapped_account);
        let groups = says(yes, no, "adding and not adding the secondary gids")?;
        Ok(AccountGids {
            primary: own(primary.unwrap_or(all)),
            primary_as_secondary: own(as_secondary),
            groups: own(groups.unwrap_or(all)),
        })
    }
}

const PRIMARY: &str = "adding and not adding the primary gid";

fn contradiction(what: &str) -> String {
    format!("{what} contradict each other")
}

/// What a pair of opposite flags says, where one of them is given: false for the one is true for the other.
fn says(yes: Option<bool>, no: Option<bool>, what: &str) -> Result<Option<bool>, String> {
    match (yes, no) {
        (Some(yes), Some(no)) if yes == no => Err(contradiction(what)),
        (Some(yes), _) => Ok(Some(yes)),
        (None, no) => Ok(no.map(|no| !no)),
    }
}

/// For a type that uses all groups of the account.
pub(super) fn all<'de, D: Deserializer<'de>>(options: D) -> Result<AccountGids, D::Error> {
    Options::deserialize(options)?.gids(true).map_err(D::Error::custom)
}

/// For a type that uses none.
pub(super) fn none<'de, D: Deserializer<'de>>(options: D) -> Result<AccountGids, D::Error> {
    Options::deserialize(options)?.gids(false).map_err(D::Error::custom)
}

/// Whether a group plug-in must have found a primary group before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Before")]
pub enum PrimaryBefore {
    Required,
    Optional,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Before {
    require_primary_gid: Option<bool>,
    do_not_require_primary_gid: Option<bool>,
}

impl TryFrom<Before> for PrimaryBefore {
    type Error = String;

    fn try_from(options: Before) -> Result<Self, String> {
        let what = "require_primary_gid and do_not_require_primary_gid";
        match says(options.require_primary_gid, options.do_not_require_primary_gid, what)? {
            Some(true) => Ok(PrimaryBefore::Required),
            Some(false) | None => Ok(PrimaryBefore::Optional),
        }
    }
}
