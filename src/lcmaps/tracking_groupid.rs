//! `tracking_groupid`: the group by which the batch system finds all processes of a job stays with the payload.
//!
//! Batch systems give each job a supplementary group of its own from a range that no account has. Without it the payload
//! would get out of the job's accounting, and out of reach of what ends a job. A caller outside of a batch job has none
//! and needs none. These groups are no part of a lease's name: they are others for every job.

#![forbid(unsafe_code)]

use super::{Context, Gathered};
use crate::account::TargetGid;
use std::ops::RangeInclusive;

/// The options of `tracking_groupid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackingGroupid {
    /// The batch system's range, `min_gid` to `max_gid`.
    pub range: RangeInclusive<u32>,
}

impl TrackingGroupid {
    pub(super) fn run(&self, context: &Context<'_>, gathered: &mut Gathered) {
        let groups = context.call.caller_groups.iter().filter(|id| self.range.contains(id));
        gathered.tracking.extend(groups.filter_map(|id| TargetGid::new(*id, context.limits)));
    }
}
