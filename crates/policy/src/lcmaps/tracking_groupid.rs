//! `tracking_groupid`: the group by which the batch system finds all processes of a job stays with the payload.
//!
//! Batch systems give each job a supplementary group of its own from a range that no account has. Without it the payload
//! would get out of the job's accounting, and out of reach of what ends a job. A caller outside of a batch job has none
//! and needs none. These groups are no part of a lease's name: they are others for every job.

use super::context::{Context, Gathered};
use glexec_config::lcmaps::TrackingGroupid;
use glexec_core::account::TargetGid;

pub(super) fn run(options: &TrackingGroupid, context: &Context<'_>, gathered: &mut Gathered) {
    let groups = context.call.caller_groups.iter().filter(|id| options.range.contains(id));
    gathered.tracking.extend(groups.filter_map(|id| TargetGid::new(*id, context.limits)));
}
