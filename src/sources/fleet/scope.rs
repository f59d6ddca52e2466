//! The subscriptions that should answer.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::all;
use crate::evidence::calls::fleet as api;
use crate::evidence::fleet::scope::{Scope, Wanted};
use crate::evidence::{Gap, Reason};
use crate::sources::azure::arm::Arm;

/// Most subscriptions that a query for a whole tenant reaches.
const LIMIT: usize = 10_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    subscription_id: String,
    state: Option<String>,
}

#[derive(Deserialize)]
struct Descendant {
    #[serde(rename = "type")]
    kind: String,
    name: String,
}

/// Fills in what should answer, from ARM.
pub(super) async fn expect(arm: &Arm, scope: &mut Scope) {
    match scope.wanted.clone() {
        Wanted::Subscriptions(_) => {}
        Wanted::Tenant => {
            let listed = arm.read_list::<Subscription>(&api::SUBSCRIPTIONS, "/subscriptions", &[]).await;
            // A disabled one has no resources that run, and Resource Graph leaves it out.
            let enabled =
                |own: &Subscription| own.state.as_deref().is_none_or(|state| !["Disabled", "Deleted"].contains(&state));
            match listed {
                Ok(all) => scope.expected = ids(all.into_iter().filter(enabled).map(|own| own.subscription_id)),
                Err(failure) => scope.gaps.push(failure.gap(&api::SUBSCRIPTIONS, "/subscriptions")),
            }
        }
        Wanted::ManagementGroups(groups) => {
            let paths = groups
                .iter()
                .map(|group| format!("/providers/Microsoft.Management/managementGroups/{group}/descendants"));
            let paths: Vec<String> = paths.collect();
            let lists = all(paths.iter().map(|path| arm.read_list::<Descendant>(&api::DESCENDANTS, path, &[]))).await;
            for (path, list) in paths.iter().zip(lists) {
                match list {
                    Ok(all) => scope.expected.extend(ids(all.into_iter().filter(is_subscription).map(|own| own.name))),
                    Err(failure) => scope.gaps.push(failure.gap(&api::DESCENDANTS, path)),
                }
            }
        }
    }
}

fn is_subscription(descendant: &Descendant) -> bool {
    descendant.kind.to_lowercase().ends_with("/subscriptions")
}

fn ids(ids: impl Iterator<Item = String>) -> BTreeSet<String> {
    ids.map(|id| id.to_lowercase()).collect()
}

/// Where ARM could not say what should answer, what answered is all that is known of.
pub(super) fn expect_what_was_seen(scope: &mut Scope) {
    if !matches!(scope.wanted, Wanted::Subscriptions(_)) {
        scope.expected.extend(scope.seen.iter().cloned());
    }
}

/// The tenant is larger than a query.
pub(super) fn limit_hit() -> Gap {
    let detail = format!(
        "the tenant has more subscriptions than a query reaches ({LIMIT}): name management groups or subscriptions"
    );
    Gap::new(Reason::NotVisible, detail)
}
