//! Role assignments of the kubelet identity on the registry, and the roles that they name.

use std::collections::BTreeSet;

use super::Collector;
use crate::evidence::access::{AccessFacts, RoleAssignment};
use crate::evidence::calls::azure as api;
use crate::evidence::{Evidence, Fact, Section};
use crate::sources::progress::Stage;

impl Collector {
    /// One list of assignments and one read for each role that occurs in it.
    pub(super) async fn access(&self, evidence: &Evidence) -> AccessFacts {
        let _stage = self.progress.stage(Stage::Roles);
        let profile = evidence.cluster.properties.identity_profile.as_ref();
        let identity = profile.and_then(|profile| profile.kubeletidentity.as_ref()?.object_id.as_deref());
        let (Some(identity), Some(registry)) = (identity, evidence.registry_id()) else {
            return AccessFacts::default();
        };
        if !self.wants(Section::RoleAssignments) {
            return AccessFacts::default();
        }
        // assignedTo includes what the identity holds through groups; principalId would not.
        let filter = format!("atScope() and assignedTo('{}')", identity.replace('\'', ""));
        let path = format!("{registry}/providers/Microsoft.Authorization/roleAssignments");
        let query = [("$filter", filter.as_str())];
        let role_assignments: Fact<Vec<RoleAssignment>> = self.arm.list(&api::ROLE_ASSIGNMENTS, &path, &query).await;
        let roles: BTreeSet<_> = role_assignments
            .known()
            .into_iter()
            .flatten()
            .map(|assignment| assignment.properties.role_definition_id.clone())
            .collect();
        AccessFacts { role_assignments, role_definitions: self.by_id(&api::ROLE_DEFINITIONS, roles).await }
    }
}
