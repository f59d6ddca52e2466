//! Addresses that are no reachable endpoint's, and may still be right: another endpoint of the registry has them,
//! and something that peerings do not show may lead to it.

use std::collections::BTreeSet;

use crate::evidence::{Evidence, Gap};
use crate::model::endpoints::{self, Candidate, Hidden, Reach};

/// What would have to be seen.
pub(super) enum Doubt {
    /// Something may lead there, and no call shows whether it does: a failed pull says no.
    Hidden(Gap),
    /// It could not be read.
    Unread(Gap),
}

/// The doubt about addresses that look wrong; none where even one of them is certainly no endpoint's that nodes may
/// reach.
pub(super) fn doubt(evidence: &Evidence, candidates: &[Candidate<'_>], wrong: &BTreeSet<String>) -> Option<Doubt> {
    let owner = |address: &String| {
        let parsed = address.parse().ok()?;
        candidates.iter().find(|candidate| endpoints::addresses(candidate).contains(&parsed))
    };
    let doubts: Option<Vec<Doubt>> = wrong.iter().map(|address| of(evidence, owner(address)?)).collect();
    doubts?.pop()
}

fn of(evidence: &Evidence, candidate: &Candidate<'_>) -> Option<Doubt> {
    match &candidate.reach {
        Reach::Serves => None,
        Reach::Unknown(gap) => Some(Doubt::Unread(gap.clone())),
        Reach::Elsewhere => match endpoints::hidden_path(evidence, candidate) {
            Hidden::Nothing => None,
            Hidden::Maybe(what) => Some(Doubt::Hidden(endpoints::not_joined(candidate, what))),
            Hidden::Unknown(gap) => Some(Doubt::Unread(gap)),
        },
    }
}
