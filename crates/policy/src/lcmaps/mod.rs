//! Which local account: mapping plug-ins, combined by a policy.
//!
//! The plug-ins only look: a pool plug-in finds an existing lease, or notes which one has to be made. The lease is made
//! when the whole policy has succeeded, so that a refusal leaves nothing behind.

mod ban_dn;
mod ban_fqan;
mod context;
mod dummy_bad;
mod dummy_good;
mod exec;
mod groups;
mod localaccount;
mod poolaccount;
mod pools;
mod site;
mod tracking_groupid;
mod voms_localaccount;
mod voms_localgroup;
mod voms_poolaccount;
mod voms_poolgroup;
mod walk;

use crate::circumstances::Circumstances;
use crate::lcas::Authorized;
use crate::mapping::Mapping;
use crate::trail::{Side, Step, Trail};
use crate::world::World;
pub use context::file_refusal;
use context::{Context, Gathered, Who, no_mapping};
use glexec_config::lcmaps::gids::Own;
use glexec_config::lcmaps::{Mode, Plan, Plugin};
use glexec_core::account::{Limits, TargetGid};
use glexec_core::reason::{Outcome, Reason, Refusal};

fn run(plugin: &Plugin, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
    match plugin {
        Plugin::Localaccount(options) => localaccount::run(options, context, gathered),
        Plugin::Poolaccount(options) => poolaccount::run(options, context, gathered),
        Plugin::VomsLocalgroup(options) => voms_localgroup::run(options, context, gathered),
        Plugin::VomsLocalaccount(options) => voms_localaccount::run(options, context, gathered),
        Plugin::VomsPoolaccount(options) => voms_poolaccount::run(options, context, gathered),
        Plugin::VomsPoolgroup(options) => voms_poolgroup::run(options, context, gathered),
        Plugin::BanDn(options) => ban_dn::run(options, context),
        Plugin::BanFqan(options) => ban_fqan::run(options, context),
        Plugin::TrackingGroupid(options) => {
            tracking_groupid::run(options, context, gathered);
            Ok(())
        }
        Plugin::DummyGood(options) => dummy_good::run(options, context, gathered),
        Plugin::DummyBad => dummy_bad::run(),
        Plugin::Exec(exec) => exec::run(exec, context, gathered),
        Plugin::Site => site::run(context, gathered),
    }
}

/// Maps a person to an account as the plan says, and leases it if that is needed and wanted.
pub fn map(
    plan: &Plan,
    mode: Mode,
    authorized: Authorized<'_>,
    limits: Limits,
    call: &Circumstances,
    world: &World<'_>,
    trail: &mut Trail,
) -> Outcome<Mapping> {
    let (identity, pilot) = (authorized.user(), authorized.pilot());
    let World { files, programs, accounts, leases, site } = *world;
    let context = Context { identity, pilot, mode, accounts, limits, files, call, programs, leases, site };
    let mut gathered = gather(plan, &context, trail)?;
    if !lease_groups(&gathered, &context)? {
        gathered = gather(plan, &context, &mut Trail::default())?;
        if !lease_groups(&gathered, &context)? {
            let sentence = "the site's pool groups keep changing";
            return Err(Refusal::new(Reason::LcmapsLeaseConflict, sentence));
        }
    }
    finish(gathered, &context)
}

/// Makes the leases of groups; false where one gave another group than the policy had been run with.
fn lease_groups(gathered: &Gathered, context: &Context<'_>) -> Outcome<bool> {
    let mut as_guessed = true;
    for group in &gathered.unleased {
        as_guessed &= group.lease(context)?;
    }
    Ok(as_guessed)
}

/// Runs the policy. Nothing that it has gathered can fail later for want of an account or a group.
fn gather(plan: &Plan, context: &Context<'_>, trail: &mut Trail) -> Outcome<Gathered> {
    let policy = match context.mode {
        Mode::GetAccount => &plan.get_account,
        Mode::VerifyAccount => plan.verify_account.as_ref().ok_or_else(|| {
            let sentence = "this site has no policy for GLEXEC_MODE=lcmaps_verify_account";
            Refusal::new(Reason::ConfigInvalid, sentence).detail("lcmaps_verify_account_policy names none")
        })?,
    };
    let gathered = walk::run(policy, Gathered::default(), |name, gathered| {
        let Some(plugin) = plan.plugins.get(name) else {
            return Err(no_mapping().detail(format!("there is no plug-in {name}")));
        };
        let answer = run(plugin, context, gathered);
        let seen = std::mem::take(&mut gathered.seen);
        let plugin = format!("{} {name}", plugin.name());
        trail.steps.push(Step { side: Side::Mapping, plugin, seen, answer: answer.clone() });
        answer
    })?;
    match &gathered.who {
        None => Err(no_account_chosen()),
        Some((_, gids)) if gathered.primary.is_none() && gids.primary == Own::LeftOut => {
            let sentence = "the site's policy has an account for you, but no primary group";
            Err(Refusal::new(Reason::LcmapsNoGroup, sentence)
                .detail("no group plug-in mapped the first FQAN, and the account's own group is not used"))
        }
        Some(_) => Ok(gathered),
    }
}

fn no_account_chosen() -> Refusal {
    no_mapping().detail("no plug-in of the policy chose an account")
}

/// Makes the lease where one is needed, and puts account and groups together.
fn finish(gathered: Gathered, context: &Context<'_>) -> Outcome<Mapping> {
    let (who, gids) = gathered.who.ok_or_else(no_account_chosen)?;
    let (account, lease) = match who {
        Who::Local(account) => (account, None),
        Who::Site(account, lease) => (account, lease),
        Who::Pool(leased) => leased.account(context)?,
    };
    let mut groups = gathered.secondary;
    let primary = match (gathered.primary, gids.primary) {
        (Some(primary), Own::Used) => {
            groups.push(account.gid);
            primary
        }
        (Some(primary), Own::LeftOut) => primary,
        (None, _) => account.gid,
    };
    if gids.primary_as_secondary == Own::Used {
        groups.push(account.gid);
    }
    if gids.groups == Own::Used {
        groups.extend(&account.groups);
    }
    groups.extend(gathered.tracking);
    Ok(Mapping {
        name: account.name,
        uid: account.uid,
        gid: primary,
        groups: deduplicated(groups),
        home: account.home,
        shell: account.shell,
        lease,
    })
}

fn deduplicated(groups: Vec<TargetGid>) -> Vec<TargetGid> {
    let mut once = Vec::with_capacity(groups.len());
    for group in groups {
        if !once.contains(&group) {
            once.push(group);
        }
    }
    once
}
