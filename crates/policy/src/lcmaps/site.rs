//! `site`: the site's mapping service names the account and the groups. They are looked up and checked as if a map file had
//! named them.

use super::context::{Context, Gathered, Who};
use crate::accounts::{account, group};
use crate::trail::Seen;
use glexec_config::lcmaps::gids::{AccountGids, Own};
use glexec_core::reason::Outcome;
use glexec_core::site::OwnGroups;

pub(super) fn run(context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
    let permit = context.site.permit()?;
    gathered.seen.push(Seen::Site { account: permit.account.clone() });
    let named = |name: &String| group(context.accounts, name, context.limits);
    if let Some(name) = &permit.group {
        gathered.primary = Some(named(name)?);
    }
    for name in &permit.groups {
        gathered.secondary.push(named(name)?);
    }
    let taken = |wanted: bool| if wanted { Own::Used } else { Own::LeftOut };
    let gids = AccountGids {
        primary: taken(permit.group.is_none()),
        primary_as_secondary: taken(permit.own_groups == OwnGroups::Primary),
        groups: taken(permit.own_groups == OwnGroups::All),
    };
    let account = account(context.accounts, &permit.account, context.limits)?;
    gathered.choose(Who::Site(account, permit.lease), gids)
}
