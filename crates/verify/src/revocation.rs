//! What CAs have said of certificates since they issued them, and what they may issue: every level of a chain.

use crate::context::{Context, Link};
use crate::trust::{crl, signing_policy};
use glexec_core::reason::Outcome;

/// Signing policies and CRLs of every level. `issued` are the certificates that the first CA answers for: the end
/// entity certificate first, and proxies below it, whose serial numbers must not be on its CA's list either.
pub fn check_revocation(context: &Context, issued: &[&Link], cas: &[Link]) -> Outcome<()> {
    let levels = || cas.iter().zip(issued.iter().copied().take(1).chain(cas));
    for ((ca, below), position) in levels().zip(1..) {
        signing_policy::check(context, ca, cas.get(position..).unwrap_or_default(), below)?;
    }
    for (position, (ca, below)) in levels().enumerate() {
        let listed = if position == 0 { issued.to_vec() } else { vec![below] };
        crl::check(context, ca, &listed)?;
    }
    Ok(())
}
