//! `[lcmaps.plugins.NAME]` and `[lcmaps.policies]`.

use crate::lcmaps::policy::{self, Policy};
use crate::lcmaps::{
    AccountGids, BanDn, BanFqan, DummyGood, FirstGroup, GroupRules, Inconsistency, LeaseGroups, Localaccount, Matching,
    Members, Plan, Plugin, Poolaccount, Pools, PrimaryBefore, Take, TrackingGroupid, Unmapped, VomsLocalaccount,
    VomsLocalgroup, VomsPoolaccount, VomsPoolgroup,
};
use crate::options::{ConfigError, Given, exec, only_own_options, required};
use crate::values::{AbsolutePath, Lifetime};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;

/// The types of LCMAPS plug-ins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Localaccount,
    Poolaccount,
    VomsLocalgroup,
    VomsPoolgroup,
    VomsLocalaccount,
    VomsPoolaccount,
    BanDn,
    BanFqan,
    TrackingGroupid,
    DummyGood,
    DummyBad,
    Exec,
    Site,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Localaccount => "localaccount",
            Kind::Poolaccount => "poolaccount",
            Kind::VomsLocalgroup => "voms_localgroup",
            Kind::VomsPoolgroup => "voms_poolgroup",
            Kind::VomsLocalaccount => "voms_localaccount",
            Kind::VomsPoolaccount => "voms_poolaccount",
            Kind::BanDn => "ban_dn",
            Kind::BanFqan => "ban_fqan",
            Kind::TrackingGroupid => "tracking_groupid",
            Kind::DummyGood => "dummy_good",
            Kind::DummyBad => "dummy_bad",
            Kind::Exec => "exec",
            Kind::Site => "site",
        }
    }
}

type Flag = Option<Spanned<bool>>;

/// One plug-in with the options of all types.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    r#type: Spanned<Kind>,
    gridmapfile: Option<Spanned<AbsolutePath>>,
    gridmapdir: Option<Spanned<AbsolutePath>>,
    groupmapfile: Option<Spanned<AbsolutePath>>,
    groupmapdir: Option<Spanned<AbsolutePath>>,
    banmapfile: Option<Spanned<AbsolutePath>>,
    #[serde(alias = "disablewildcard", alias = "disablewildcards")]
    no_wildcard: Flag,
    override_inconsistency: Flag,
    strict_poolprefix_match: Flag,
    max_mappings_per_credential: Option<Spanned<u32>>,
    use_voms_gid: Flag,
    use_account_gid: Flag,
    add_primary_gid_from_mapped_account: Flag,
    do_not_add_primary_gid_from_mapped_account: Flag,
    add_primary_gid_as_secondary_gid_from_mapped_account: Flag,
    add_secondary_gids_from_mapped_account: Flag,
    do_not_add_secondary_gids_from_mapped_account: Flag,
    require_primary_gid: Flag,
    do_not_require_primary_gid: Flag,
    do_not_use_secondary_gids: Flag,
    map_to_secondary_groups: Flag,
    mapall: Flag,
    mapmin: Option<Spanned<u32>>,
    min_gid: Option<Spanned<u32>>,
    max_gid: Option<Spanned<u32>>,
    dummy_uid: Option<Spanned<u32>>,
    dummy_username: Option<Spanned<String>>,
    dummy_gid: Option<Spanned<u32>>,
    dummy_group: Option<Spanned<String>>,
    dummy_sec_gid: Option<Spanned<u32>>,
    dummy_sec_group: Option<Spanned<String>>,
    command: Option<Spanned<Vec<String>>>,
    timeout: Option<Spanned<Lifetime>>,
}

/// The `[lcmaps]` table.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lcmaps {
    plugins: BTreeMap<Spanned<String>, Spanned<Table>>,
    policies: BTreeMap<Spanned<String>, Spanned<Vec<Spanned<String>>>>,
}

/// The policies that `[glexec]` names, with the places where it does (`None` for a default).
#[derive(Clone, Debug)]
pub struct PolicyNames {
    /// `lcmaps_get_account_policy`.
    pub get_account: (String, Option<Range<usize>>),
    /// `lcmaps_verify_account_policy`.
    pub verify_account: (String, Option<Range<usize>>),
}

fn set(flag: &Flag) -> bool {
    flag.as_ref().is_some_and(|flag| *flag.get_ref())
}

/// What a pair of opposite flags says, where one of them is given: false for the one is true for the other.
fn says(yes: &Flag, no: &Flag) -> Option<bool> {
    yes.as_ref().map(|flag| *flag.get_ref()).or_else(|| no.as_ref().map(|flag| !*flag.get_ref()))
}

fn check_name(name: &Spanned<String>) -> Result<(), ConfigError> {
    let message = || format!("{:?} is not a name: letters, digits, `_`, `.`, `-`", name.get_ref());
    if policy::is_name(name.get_ref()) { Ok(()) } else { Err(ConfigError::invalid(message(), name.span())) }
}

impl Lcmaps {
    /// Where it says that the site's service is asked.
    pub fn asks_site(&self) -> Option<Range<usize>> {
        let mut kinds = self.plugins.values().map(|plugin| &plugin.get_ref().r#type);
        kinds.find(|kind| *kind.get_ref() == Kind::Site).map(Spanned::span)
    }

    /// Checks plug-ins and policies and gives the plan that mapping follows.
    pub fn check(&self, names: &PolicyNames) -> Result<Plan, ConfigError> {
        let mut plugins = BTreeMap::new();
        for (name, table) in &self.plugins {
            check_name(name)?;
            plugins.insert(name.get_ref().clone(), table.get_ref().check(table.span())?);
        }
        let mut policies = BTreeMap::new();
        for (name, rules) in &self.policies {
            check_name(name)?;
            let texts = rules.get_ref().iter().map(|rule| rule.get_ref().as_str());
            let policy = Policy::parse(texts, |name| plugins.contains_key(name)).map_err(|bad| {
                let rule = bad.rule.and_then(|index| rules.get_ref().get(index)).map(Spanned::span);
                ConfigError::invalid(
                    format!("policy {}: {}", name.get_ref(), bad.why),
                    rule.unwrap_or_else(|| rules.span()),
                )
            })?;
            policies.insert(name.get_ref().as_str(), policy);
        }
        let chosen = |(name, span): &(String, Option<Range<usize>>)| {
            let missing = || ConfigError::invalid(format!("there is no LCMAPS policy named {name:?}"), span.clone());
            policies.get(name.as_str()).cloned().ok_or_else(missing)
        };
        let get_account = chosen(&names.get_account)?;
        // Who names no policy for it does without lcmaps_verify_account, which hardly anybody uses.
        let verify_account = match &names.verify_account {
            (_, Some(_)) => Some(chosen(&names.verify_account)?),
            (default, None) => policies.get(default.as_str()).cloned(),
        };
        Ok(Plan { plugins, get_account, verify_account })
    }
}

impl Table {
    fn check(&self, span: Range<usize>) -> Result<Plugin, ConfigError> {
        let kind = *self.r#type.get_ref();
        self.check_ownership(kind)?;
        self.check_contradictions()?;
        self.check_mappings_per_credential()?;
        let gridmapfile = || required("gridmapfile", &self.gridmapfile, kind.name(), span.clone()).cloned();
        Ok(match kind {
            Kind::Localaccount => Plugin::Localaccount(Localaccount { gridmapfile: gridmapfile()? }),
            Kind::Poolaccount => Plugin::Poolaccount(Poolaccount {
                gridmapfile: gridmapfile()?,
                matching: self.matching(),
                pools: self.pools("gridmapdir", &self.gridmapdir, kind, span)?,
            }),
            Kind::VomsLocalgroup => Plugin::VomsLocalgroup(VomsLocalgroup {
                groupmapfile: required("groupmapfile", &self.groupmapfile, kind.name(), span)?.clone(),
                rules: self.group_rules(),
            }),
            Kind::VomsPoolgroup => Plugin::VomsPoolgroup(VomsPoolgroup {
                groupmapfile: required("groupmapfile", &self.groupmapfile, kind.name(), span.clone())?.clone(),
                rules: self.group_rules(),
                pools: self.pools("groupmapdir", &self.groupmapdir, kind, span)?,
            }),
            Kind::VomsLocalaccount => Plugin::VomsLocalaccount(VomsLocalaccount {
                gridmapfile: gridmapfile()?,
                gids: self.account_gids(true),
            }),
            Kind::VomsPoolaccount => Plugin::VomsPoolaccount(VomsPoolaccount {
                gridmapfile: gridmapfile()?,
                pools: self.pools("gridmapdir", &self.gridmapdir, kind, span)?,
                gids: self.account_gids(false),
                primary_before: match says(&self.require_primary_gid, &self.do_not_require_primary_gid) {
                    Some(true) => PrimaryBefore::Required,
                    Some(false) | None => PrimaryBefore::Optional,
                },
                lease_groups: match set(&self.do_not_use_secondary_gids) {
                    true => LeaseGroups::Primary,
                    false => LeaseGroups::All,
                },
            }),
            Kind::BanDn => Plugin::BanDn(BanDn {
                banmapfile: required("banmapfile", &self.banmapfile, kind.name(), span)?.clone(),
                matching: self.matching(),
            }),
            Kind::BanFqan => Plugin::BanFqan(BanFqan {
                banmapfile: required("banmapfile", &self.banmapfile, kind.name(), span)?.clone(),
                matching: self.matching(),
            }),
            Kind::TrackingGroupid => Plugin::TrackingGroupid(self.tracking(span)?),
            Kind::DummyGood => Plugin::DummyGood(self.dummy()?),
            Kind::DummyBad => Plugin::DummyBad,
            Kind::Exec => Plugin::Exec(exec(&self.command, &self.timeout, kind.name(), span)?),
            Kind::Site => Plugin::Site,
        })
    }

    fn matching(&self) -> Matching {
        if set(&self.no_wildcard) { Matching::Exact } else { Matching::Wildcards }
    }

    fn group_rules(&self) -> GroupRules {
        GroupRules {
            first: if set(&self.map_to_secondary_groups) { FirstGroup::Secondary } else { FirstGroup::Primary },
            unmapped: if set(&self.mapall) { Unmapped::Fails } else { Unmapped::PassedOver },
            mapmin: self.mapmin.as_ref().map_or(0, |minimum| *minimum.get_ref()),
        }
    }

    fn tracking(&self, span: Range<usize>) -> Result<TrackingGroupid, ConfigError> {
        let name = Kind::TrackingGroupid.name();
        let min = *required("min_gid", &self.min_gid, name, span.clone())?;
        let max = *required("max_gid", &self.max_gid, name, span.clone())?;
        if min == 0 || max < min {
            let message = "min_gid must be 1 or more, and max_gid not below it";
            return Err(ConfigError::invalid(message, span));
        }
        Ok(TrackingGroupid { range: min..=max })
    }

    /// Numbers are refused: an account or a group is looked up by its name, so that the database has a say.
    fn dummy(&self) -> Result<DummyGood, ConfigError> {
        let numbers = [
            (&self.dummy_uid, "dummy_uid", "dummy_username"),
            (&self.dummy_gid, "dummy_gid", "dummy_group"),
            (&self.dummy_sec_gid, "dummy_sec_gid", "dummy_sec_group"),
        ];
        for (number, name, instead) in numbers {
            if let Some(number) = number {
                let message = format!("{name} is a number; name the account or group with {instead}");
                return Err(ConfigError::invalid(message, number.span()));
            }
        }
        let named = |name: &Option<Spanned<String>>| {
            let Some(name) = name else { return Ok(None) };
            match glexec_core::account::is_name(name.get_ref()) {
                true => Ok(Some(name.get_ref().clone())),
                false => Err(ConfigError::invalid("not the name of an account or a group", name.span())),
            }
        };
        Ok(DummyGood {
            account: named(&self.dummy_username)?,
            group: named(&self.dummy_group)?,
            secondary: named(&self.dummy_sec_group)?,
        })
    }

    fn pools(
        &self,
        name: &str,
        directory: &Option<Spanned<AbsolutePath>>,
        kind: Kind,
        span: Range<usize>,
    ) -> Result<Pools, ConfigError> {
        let strict = self.strict_poolprefix_match.as_ref().is_none_or(|strict| *strict.get_ref());
        Ok(Pools {
            gridmapdir: required(name, directory, kind.name(), span)?.clone(),
            members: if strict { Members::Numbered } else { Members::Prefixed },
            inconsistency: match set(&self.override_inconsistency) {
                true => Inconsistency::Override,
                false => Inconsistency::Refuse,
            },
        })
    }

    /// The groups of the account that a VOMS account plug-in adds: all or none, as is its way, or those that options name.
    fn account_gids(&self, all: bool) -> AccountGids {
        let all = says(&self.use_account_gid, &self.use_voms_gid).unwrap_or(all);
        let given = |yes, no| if says(yes, no).unwrap_or(all) { Take::Take } else { Take::Leave };
        AccountGids {
            primary: given(&self.add_primary_gid_from_mapped_account, &self.do_not_add_primary_gid_from_mapped_account),
            primary_as_secondary: match set(&self.add_primary_gid_as_secondary_gid_from_mapped_account) {
                true => Take::Take,
                false => Take::Leave,
            },
            groups: given(
                &self.add_secondary_gids_from_mapped_account,
                &self.do_not_add_secondary_gids_from_mapped_account,
            ),
        }
    }

    fn check_contradictions(&self) -> Result<(), ConfigError> {
        let no_primary = &self.do_not_add_primary_gid_from_mapped_account;
        let opposites = [
            (&self.use_voms_gid, &self.use_account_gid, "use_voms_gid and use_account_gid"),
            (no_primary, &self.add_primary_gid_from_mapped_account, "adding and not adding the primary gid"),
            (
                &self.do_not_add_secondary_gids_from_mapped_account,
                &self.add_secondary_gids_from_mapped_account,
                "adding and not adding the secondary gids",
            ),
            (
                &self.require_primary_gid,
                &self.do_not_require_primary_gid,
                "require_primary_gid and do_not_require_primary_gid",
            ),
        ];
        let same = |(a, b, _): &(&Flag, &Flag, &str)| a.is_some() && b.is_some() && set(a) == set(b);
        let as_secondary = &self.add_primary_gid_as_secondary_gid_from_mapped_account;
        let found = opposites.into_iter().find(same).or_else(|| {
            let both = set(no_primary) && set(as_secondary);
            both.then_some((no_primary, as_secondary, "adding and not adding the primary gid"))
        });
        match found {
            None => Ok(()),
            Some((_, second, what)) => {
                let span = second.as_ref().map(Spanned::span);
                Err(ConfigError::invalid(format!("{what} contradict each other"), span))
            }
        }
    }

    /// The option bounds a counter that the library's caller may give with each job. gLExec gave none, so that whatever it
    /// is a person has one account; so it is here.
    fn check_mappings_per_credential(&self) -> Result<(), ConfigError> {
        match self.max_mappings_per_credential.as_ref().map(|max| (*max.get_ref(), max.span())) {
            None | Some((1..=9999, _)) => Ok(()),
            Some((_, span)) => Err(ConfigError::invalid("max_mappings_per_credential must be 1 to 9999", span)),
        }
    }

    fn check_ownership(&self, kind: Kind) -> Result<(), ConfigError> {
        use Kind::*;
        let leasing = &[Poolaccount, VomsPoolaccount];
        let voms_accounts = &[VomsLocalaccount, VomsPoolaccount];
        let groups = &[VomsLocalgroup, VomsPoolgroup];
        let pools = &[Poolaccount, VomsPoolaccount, VomsPoolgroup];
        let options = [
            Given::new(
                "gridmapfile",
                &self.gridmapfile,
                &[Localaccount, Poolaccount, VomsLocalaccount, VomsPoolaccount],
            ),
            Given::new("gridmapdir", &self.gridmapdir, leasing),
            Given::new("groupmapfile", &self.groupmapfile, groups),
            Given::new("groupmapdir", &self.groupmapdir, &[VomsPoolgroup]),
            Given::new("banmapfile", &self.banmapfile, &[BanDn, BanFqan]),
            Given::new("no_wildcard", &self.no_wildcard, &[Poolaccount, BanDn, BanFqan]),
            Given::new("override_inconsistency", &self.override_inconsistency, pools),
            Given::new("strict_poolprefix_match", &self.strict_poolprefix_match, pools),
            Given::new("max_mappings_per_credential", &self.max_mappings_per_credential, leasing),
            Given::new("use_voms_gid", &self.use_voms_gid, voms_accounts),
            Given::new("use_account_gid", &self.use_account_gid, voms_accounts),
            Given::new("add_primary_gid_from_mapped_account", &self.add_primary_gid_from_mapped_account, voms_accounts),
            Given::new(
                "do_not_add_primary_gid_from_mapped_account",
                &self.do_not_add_primary_gid_from_mapped_account,
                voms_accounts,
            ),
            Given::new(
                "add_primary_gid_as_secondary_gid_from_mapped_account",
                &self.add_primary_gid_as_secondary_gid_from_mapped_account,
                voms_accounts,
            ),
            Given::new(
                "add_secondary_gids_from_mapped_account",
                &self.add_secondary_gids_from_mapped_account,
                voms_accounts,
            ),
            Given::new(
                "do_not_add_secondary_gids_from_mapped_account",
                &self.do_not_add_secondary_gids_from_mapped_account,
                voms_accounts,
            ),
            Given::new("require_primary_gid", &self.require_primary_gid, &[VomsPoolaccount]),
            Given::new("do_not_require_primary_gid", &self.do_not_require_primary_gid, &[VomsPoolaccount]),
            Given::new("do_not_use_secondary_gids", &self.do_not_use_secondary_gids, &[VomsPoolaccount]),
            Given::new("map_to_secondary_groups", &self.map_to_secondary_groups, groups),
            Given::new("mapall", &self.mapall, groups),
            Given::new("mapmin", &self.mapmin, groups),
            Given::new("min_gid", &self.min_gid, &[TrackingGroupid]),
            Given::new("max_gid", &self.max_gid, &[TrackingGroupid]),
            Given::new("dummy_uid", &self.dummy_uid, &[DummyGood]),
            Given::new("dummy_username", &self.dummy_username, &[DummyGood]),
            Given::new("dummy_gid", &self.dummy_gid, &[DummyGood]),
            Given::new("dummy_group", &self.dummy_group, &[DummyGood]),
            Given::new("dummy_sec_gid", &self.dummy_sec_gid, &[DummyGood]),
            Given::new("dummy_sec_group", &self.dummy_sec_group, &[DummyGood]),
            Given::new("command", &self.command, &[Exec]),
            Given::new("timeout", &self.timeout, &[Exec]),
        ];
        only_own_options(&kind, kind.name(), &options)
    }
}
