//! What the group plug-ins have in common: from FQANs to groups.

use super::context::{Context, Gathered};
use glexec_config::lcmaps::{FirstGroup, GroupRules, Unmapped};
use glexec_core::account::TargetGid;
use glexec_core::identity::Fqan;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::values::AbsolutePath;

/// The refusal for a credential without VOMS attributes.
pub(super) fn no_fqans() -> Refusal {
    Refusal::new(Reason::LcmapsNoMapping, "your proxy carries no VOMS attributes, which the site's policy needs")
}

/// Gathers the group that `find` has for each FQAN; `file` is named where there are too few.
pub(super) fn gather(
    rules: GroupRules,
    file: &AbsolutePath,
    context: &Context<'_>,
    gathered: &mut Gathered,
    mut find: impl FnMut(&Fqan, &mut Gathered) -> Outcome<Option<TargetGid>>,
) -> Outcome<()> {
    if context.identity.fqans.is_empty() {
        return Err(no_fqans());
    }
    let too_few = |what: &str| {
        Refusal::new(Reason::LcmapsNoMapping, "the site's policy has no group for your VOMS attributes")
            .detail(format!("{}: {what}", file.as_path().display()))
    };
    let mut mapped = 0_u32;
    for (index, fqan) in context.identity.fqans.iter().enumerate() {
        let group = match find(fqan, gathered)? {
            Some(group) => group,
            None if rules.unmapped == Unmapped::Fails => return Err(too_few(&format!("no group for {fqan}"))),
            None => continue,
        };
        mapped = mapped.saturating_add(1);
        if index == 0 && rules.first == FirstGroup::Primary && gathered.primary.is_none() {
            gathered.primary = Some(group);
        } else if !gathered.secondary.contains(&group) {
            gathered.secondary.push(group);
        }
    }
    if mapped < rules.mapmin {
        return Err(too_few(&format!("groups for {mapped} FQANs, but mapmin is {}", rules.mapmin)));
    }
    Ok(())
}
