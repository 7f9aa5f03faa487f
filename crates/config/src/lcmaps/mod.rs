//! Mapping as it is configured: `[lcmaps.plugins.NAME]` and `[lcmaps.policies]`.

pub mod gids;
pub mod policy;
pub mod table;

use crate::exec::Exec;
use crate::values::AbsolutePath;
use gids::{AccountGids, PrimaryBefore};
use policy::Policy;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// What the caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// An account, newly leased if need be.
    GetAccount,
    /// An account that the user has already: no lease is made.
    VerifyAccount,
}

/// A plug-in with its options.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plugin {
    /// A fixed account for a distinguished name.
    Localaccount(Localaccount),
    /// A pool account for a distinguished name.
    Poolaccount(Poolaccount),
    /// Groups for FQANs.
    VomsLocalgroup(VomsLocalgroup),
    /// A fixed account for an FQAN.
    VomsLocalaccount(VomsLocalaccount),
    /// A pool account for an FQAN.
    VomsPoolaccount(VomsPoolaccount),
    /// A pool group for each FQAN.
    VomsPoolgroup(VomsPoolgroup),
    /// Fails for banned people.
    BanDn(BanDn),
    /// Fails for banned FQANs.
    BanFqan(BanFqan),
    /// Keeps the batch system's groups.
    TrackingGroupid(TrackingGroupid),
    /// Succeeds.
    DummyGood(DummyGood),
    /// Fails.
    DummyBad,
    /// A program of the site's names account and groups.
    Exec(Exec),
    /// The site's mapping service names account and groups.
    Site,
}

/// What the configuration says about mapping, checked when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The plug-in instances by name.
    pub plugins: BTreeMap<String, Plugin>,
    /// The policy for [`Mode::GetAccount`].
    pub get_account: Policy,
    /// The policy for [`Mode::VerifyAccount`], where the site has one.
    pub verify_account: Option<Policy>,
}

impl Plugin {
    /// The type's name.
    pub fn name(&self) -> &'static str {
        match self {
            Plugin::Localaccount(_) => "localaccount",
            Plugin::Poolaccount(_) => "poolaccount",
            Plugin::VomsLocalgroup(_) => "voms_localgroup",
            Plugin::VomsLocalaccount(_) => "voms_localaccount",
            Plugin::VomsPoolaccount(_) => "voms_poolaccount",
            Plugin::VomsPoolgroup(_) => "voms_poolgroup",
            Plugin::BanDn(_) => "ban_dn",
            Plugin::BanFqan(_) => "ban_fqan",
            Plugin::TrackingGroupid(_) => "tracking_groupid",
            Plugin::DummyGood(_) => "dummy_good",
            Plugin::DummyBad => "dummy_bad",
            Plugin::Exec(_) => "exec",
            Plugin::Site => "site",
        }
    }
}

/// What an option means that is true or false in the file.
macro_rules! flag {
    ($of:ident: $yes:ident, else $no:ident) => {
        impl From<bool> for $of {
            fn from(set: bool) -> Self {
                if set { $of::$yes } else { $of::$no }
            }
        }
    };
}

flag!(Matching: Exact, else Wildcards);
flag!(Members: Numbered, else Prefixed);
flag!(Inconsistency: Override, else Refuse);
flag!(FirstGroup: Secondary, else Primary);
flag!(Unmapped: Fails, else PassedOver);
flag!(LeaseGroups: Primary, else All);

/// How names in the file are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "bool")]
pub enum Matching {
    /// Byte for byte.
    Exact,
    /// As shell patterns.
    #[default]
    Wildcards,
}

/// What an account's name must be to belong to a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "bool")]
pub enum Members {
    /// The pool's name and then only digits.
    #[default]
    Numbered,
    /// Anything that starts with the pool's name (`strict_poolprefix_match` off).
    Prefixed,
}

/// What to do with a lease of the same name on an account of another pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "bool")]
pub enum Inconsistency {
    #[default]
    Refuse,
    /// Make a new lease in the right pool (`override_inconsistency`).
    Override,
}

/// Where and how accounts are leased.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pools {
    /// The directory of leases.
    #[serde(alias = "groupmapdir")]
    pub gridmapdir: AbsolutePath,
    /// Which accounts belong to a pool.
    #[serde(default, rename = "strict_poolprefix_match")]
    pub members: Members,
    /// What to do with a lease on another pool's account.
    #[serde(default, rename = "override_inconsistency")]
    pub inconsistency: Inconsistency,
    /// How many accounts somebody may have, by a number that the library's caller may give with each job. gLExec gave none, so
    /// that whatever it is a person has one account; so it is here.
    #[serde(default, rename = "max_mappings_per_credential", deserialize_with = "one_to_9999")]
    pub mappings: (),
}

/// What the group of the first FQAN becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "bool")]
pub enum FirstGroup {
    /// The primary group.
    #[default]
    Primary,
    /// A supplementary group like all others (`map_to_secondary_groups`).
    Secondary,
}

/// What an FQAN without a group does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "bool")]
pub enum Unmapped {
    /// The plug-in fails (`mapall`).
    Fails,
    #[default]
    PassedOver,
}

/// How groups of FQANs become groups of the payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupRules {
    /// The first FQAN's group.
    #[serde(rename = "map_to_secondary_groups")]
    pub first: FirstGroup,
    /// FQANs without a group.
    #[serde(rename = "mapall")]
    pub unmapped: Unmapped,
    /// How many FQANs must have one.
    pub mapmin: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Localaccount {
    /// The grid-mapfile. Names in it are compared exactly: a pattern must never give many people one account.
    pub gridmapfile: AbsolutePath,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Poolaccount {
    /// The grid-mapfile.
    pub gridmapfile: AbsolutePath,
    /// Whether its names are patterns.
    #[serde(default, rename = "no_wildcard", alias = "disablewildcard", alias = "disablewildcards")]
    pub matching: Matching,
    /// Where and how accounts are leased.
    #[serde(rename = " pools")]
    pub pools: Pools,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VomsLocalgroup {
    pub groupmapfile: AbsolutePath,
    #[serde(rename = " rules")]
    pub rules: GroupRules,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VomsLocalaccount {
    /// The grid-mapfile, with patterns for FQANs.
    pub gridmapfile: AbsolutePath,
    /// Which of the account's own groups are used; all by default.
    #[serde(rename = " gids", deserialize_with = "gids::all")]
    pub gids: AccountGids,
}

/// Which groups are part of the lease's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "bool")]
pub enum LeaseGroups {
    /// All groups that were found.
    #[default]
    All,
    /// The primary one (`do_not_use_secondary_gids`).
    Primary,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VomsPoolaccount {
    /// The grid-mapfile, with patterns for FQANs.
    pub gridmapfile: AbsolutePath,
    /// Where and how accounts are leased.
    #[serde(rename = " pools")]
    pub pools: Pools,
    /// Which of the account's own groups are used; none by default.
    #[serde(rename = " gids", deserialize_with = "gids::none")]
    pub gids: AccountGids,
    /// Whether a primary group must be there already.
    #[serde(rename = " primary")]
    pub primary_before: PrimaryBefore,
    /// Which groups are part of the lease's name.
    #[serde(default, rename = "do_not_use_secondary_gids")]
    pub lease_groups: LeaseGroups,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VomsPoolgroup {
    /// The groupmapfile; only its pools count.
    pub groupmapfile: AbsolutePath,
    #[serde(rename = " rules")]
    pub rules: GroupRules,
    /// Where (`groupmapdir`) and how groups are leased.
    #[serde(rename = " group pools")]
    pub pools: Pools,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BanDn {
    pub banmapfile: AbsolutePath,
    /// Whether its names are patterns.
    #[serde(default, rename = "no_wildcard", alias = "disablewildcard", alias = "disablewildcards")]
    pub matching: Matching,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BanFqan {
    pub banmapfile: AbsolutePath,
    /// Whether its names are patterns.
    #[serde(default, rename = "no_wildcard", alias = "disablewildcard", alias = "disablewildcards")]
    pub matching: Matching,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Range")]
pub struct TrackingGroupid {
    /// The batch system's range, `min_gid` to `max_gid`.
    pub range: RangeInclusive<u32>,
}

/// The options of `dummy_good`; without any it only succeeds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DummyGood {
    /// The account (`dummy_username`).
    #[serde(rename = "dummy_username", deserialize_with = "named")]
    pub account: Option<String>,
    /// The primary group (`dummy_group`); the account's own where it is not set.
    #[serde(rename = "dummy_group", deserialize_with = "named")]
    pub group: Option<String>,
    /// A supplementary group (`dummy_sec_group`).
    #[serde(rename = "dummy_sec_group", deserialize_with = "named")]
    pub secondary: Option<String>,
}

/// `tracking_groupid` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    min_gid: u32,
    max_gid: u32,
}

impl TryFrom<Range> for TrackingGroupid {
    type Error = &'static str;

    fn try_from(Range { min_gid, max_gid }: Range) -> Result<Self, Self::Error> {
        match min_gid > 0 && min_gid <= max_gid {
            true => Ok(TrackingGroupid { range: min_gid..=max_gid }),
            false => Err("min_gid must be 1 or more, and max_gid not below it"),
        }
    }
}

fn one_to_9999<'de, D: Deserializer<'de>>(number: D) -> Result<(), D::Error> {
    match u32::deserialize(number)? {
        1..=9999 => Ok(()),
        _ => Err(D::Error::custom("max_mappings_per_credential must be 1 to 9999")),
    }
}

/// An account or a group is looked up by its name, so that the database has a say.
fn named<'de, D: Deserializer<'de>>(name: D) -> Result<Option<String>, D::Error> {
    let name = String::deserialize(name)?;
    match glexec_core::account::is_name(&name) {
        true => Ok(Some(name)),
        false => Err(D::Error::custom("not the name of an account or a group")),
    }
}
