//! `voms_localgroup`: groups for FQANs.

#![forbid(unsafe_code)]

use super::{Context, Gathered};
use crate::account;
use crate::config::values::AbsolutePath;
use crate::lcmaps::map_file::{Matching, Wanted};
use crate::lcmaps::subject::Subject;
use crate::reason::{Outcome, Reason, Refusal};

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
    /// It is passed over.
    PassedOver,
}

/// The options of `voms_localgroup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VomsLocalgroup {
    /// The groupmapfile.
    pub groupmapfile: AbsolutePath,
    /// The first FQAN's group.
    pub first: FirstGroup,
    /// FQANs without a group.
    pub unmapped: Unmapped,
    /// How many FQANs must have one.
    pub mapmin: u32,
}

/// The refusal for a credential without VOMS attributes.
pub(super) fn no_fqans() -> Refusal {
    Refusal::new(Reason::LcmapsNoMapping, "your proxy carries no VOMS attributes, which the site's policy needs")
}

impl VomsLocalgroup {
    pub(super) fn run(&self, context: &Context<'_>, gathered: &mut Gathered) -> Outcome<()> {
        if context.identity.fqans.is_empty() {
            return Err(no_fqans());
        }
        let bytes = context.read(&self.groupmapfile)?;
        let mut mapped = 0_u32;
        for (index, fqan) in context.identity.fqans.iter().enumerate() {
            let file = (&self.groupmapfile, bytes.as_slice());
            let subject = Subject::fqan(fqan);
            let group = match context.look_up(file, &subject, Matching::Wildcards, Wanted::Name, gathered) {
                Some(name) => account::group(context.accounts, &name, context.limits)?,
                None if self.unmapped == Unmapped::Fails => return Err(self.too_few(&format!("no group for {fqan}"))),
                None => continue,
            };
            mapped = mapped.saturating_add(1);
            if index == 0 && self.first == FirstGroup::Primary && gathered.primary.is_none() {
                gathered.primary = Some(group);
            } else if !gathered.secondary.contains(&group) {
                gathered.secondary.push(group);
            }
        }
        if mapped < self.mapmin {
            return Err(self.too_few(&format!("groups for {mapped} FQANs, but mapmin is {}", self.mapmin)));
        }
        Ok(())
    }

    fn too_few(&self, what: &str) -> Refusal {
        Refusal::new(Reason::LcmapsNoMapping, "the site's policy has no group for your VOMS attributes")
            .detail(format!("{}: {what}", self.groupmapfile.as_path().display()))
    }
}
