//! Mapping as it is configured: `[lcmaps.plugins.NAME]` and `[lcmaps.policies]`.

pub mod policy;
pub mod table;

use crate::exec::Exec;
use crate::values::AbsolutePath;
use policy::Policy;
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

/// A plug-in with its checked options.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// Whether something of an account is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// Used.
    Take,
    /// Left out.
    Leave,
}

/// Which groups of an account the payload gets besides those that VOMS plug-ins found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountGids {
    /// The account's primary group as primary group, unless one was found before; then as supplementary group.
    pub primary: Take,
    /// The account's primary group as supplementary group.
    pub primary_as_secondary: Take,
    /// All groups of the account (its primary one is among them) as supplementary groups.
    pub groups: Take,
}

impl AccountGids {
    /// Everything, as `localaccount` and `poolaccount` do.
    pub const ALL: AccountGids =
        AccountGids { primary: Take::Take, primary_as_secondary: Take::Leave, groups: Take::Take };
}

/// How names in the file are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    /// Byte for byte.
    Exact,
    /// As shell patterns.
    Wildcards,
}

/// What an account's name must be to belong to a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Members {
    /// The pool's name and then only digits.
    Numbered,
    /// Anything that starts with the pool's name (`strict_poolprefix_match` off).
    Prefixed,
}

/// What to do with a lease of the same name on an account of another pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inconsistency {
    Refuse,
    /// Make a new lease in the right pool (`override_inconsistency`).
    Override,
}

/// Where and how accounts are leased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pools {
    /// The directory of leases.
    pub gridmapdir: AbsolutePath,
    /// Which accounts belong to a pool.
    pub members: Members,
    /// What to do with a lease on another pool's account.
    pub inconsistency: Inconsistency,
}

/// What the group of the first FQAN becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstGroup {
    /// The primary group.
    Primary,
    /// A supplementary group like all others (`map_to_secondary_groups`).
    Secondary,
}

/// What an FQAN without a group does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmapped {
    /// The plug-in fails (`mapall`).
    Fails,
    PassedOver,
}

/// How groups of FQANs become groups of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupRules {
    /// The first FQAN's group.
    pub first: FirstGroup,
    /// FQANs without a group.
    pub unmapped: Unmapped,
    /// How many FQANs must have one.
    pub mapmin: u32,
}

/// The options of `localaccount`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Localaccount {
    /// The grid-mapfile. Names in it are compared exactly: a pattern must never give many people one account.
    pub gridmapfile: AbsolutePath,
}

/// The options of `poolaccount`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poolaccount {
    /// The grid-mapfile.
    pub gridmapfile: AbsolutePath,
    /// Whether its names are patterns.
    pub matching: Matching,
    /// Where and how accounts are leased.
    pub pools: Pools,
}

/// The options of `voms_localgroup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VomsLocalgroup {
    pub groupmapfile: AbsolutePath,
    /// What becomes of the groups.
    pub rules: GroupRules,
}

/// The options of `voms_localaccount`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VomsLocalaccount {
    /// The grid-mapfile, with patterns for FQANs.
    pub gridmapfile: AbsolutePath,
    /// Which of the account's own groups are used; all by default.
    pub gids: AccountGids,
}

/// Which groups are part of the lease's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseGroups {
    /// All groups that were found.
    All,
    /// The primary one (`do_not_use_secondary_gids`).
    Primary,
}

/// Whether a group plug-in must have found a primary group before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrimaryBefore {
    /// It must (`require_primary_gid`).
    Required,
    /// It need not.
    Optional,
}

/// The options of `voms_poolaccount`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VomsPoolaccount {
    /// The grid-mapfile, with patterns for FQANs.
    pub gridmapfile: AbsolutePath,
    /// Where and how accounts are leased.
    pub pools: Pools,
    /// Which of the account's own groups are used; none by default.
    pub gids: AccountGids,
    /// Whether a primary group must be there already.
    pub primary_before: PrimaryBefore,
    /// Which groups are part of the lease's name.
    pub lease_groups: LeaseGroups,
}

/// The options of `voms_poolgroup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VomsPoolgroup {
    /// The groupmapfile; only its pools count.
    pub groupmapfile: AbsolutePath,
    /// What becomes of the groups.
    pub rules: GroupRules,
    /// Where (`groupmapdir`) and how groups are leased.
    pub pools: Pools,
}

/// The options of `ban_dn`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanDn {
    /// The ban file.
    pub banmapfile: AbsolutePath,
    /// Whether its names are patterns.
    pub matching: Matching,
}

/// The options of `ban_fqan`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanFqan {
    /// The ban file.
    pub banmapfile: AbsolutePath,
    /// Whether its names are patterns.
    pub matching: Matching,
}

/// The options of `tracking_groupid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackingGroupid {
    /// The batch system's range, `min_gid` to `max_gid`.
    pub range: RangeInclusive<u32>,
}

/// The options of `dummy_good`; without any it only succeeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DummyGood {
    /// The account (`dummy_username`).
    pub account: Option<String>,
    /// The primary group (`dummy_group`); the account's own where it is not set.
    pub group: Option<String>,
    /// A supplementary group (`dummy_sec_group`).
    pub secondary: Option<String>,
}
