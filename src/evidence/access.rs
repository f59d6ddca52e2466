//! Role assignments on the registry and the roles that they give.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fact::Fact;
use super::lenient::null_is_default;
use super::resource::Resource;
use crate::evidence::id::ResourceId;
use crate::text;

/// `Microsoft.Authorization/roleAssignments`.
pub type RoleAssignment = Resource<RoleAssignmentProperties>;

/// What aksiso reads of a role assignment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RoleAssignmentProperties {
    #[serde(deserialize_with = "null_is_default")]
    pub role_definition_id: ResourceId,
    /// Who holds it; a group's id where the identity holds it through a group.
    pub principal_id: Option<String>,
    /// `ServicePrincipal`, `Group`, `User`.
    pub principal_type: Option<String>,
    /// Where it holds.
    pub scope: Option<ResourceId>,
    /// ABAC condition.
    pub condition: Option<String>,
}

/// `Microsoft.Authorization/roleDefinitions`.
pub type RoleDefinition = Resource<RoleDefinitionProperties>;

/// What aksiso reads of a role definition.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RoleDefinitionProperties {
    /// Display name, such as `AcrPull`.
    pub role_name: Option<String>,
    /// What the role allows.
    #[serde(deserialize_with = "null_is_default")]
    pub permissions: Vec<Permission>,
}

/// One permission block: allowed is what `actions` match and `notActions` do not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Permission {
    /// Control-plane operations, with wildcards.
    #[serde(deserialize_with = "null_is_default")]
    pub actions: Vec<String>,
    /// Exceptions from `actions`.
    #[serde(deserialize_with = "null_is_default")]
    pub not_actions: Vec<String>,
    /// Data-plane operations, with wildcards.
    #[serde(deserialize_with = "null_is_default")]
    pub data_actions: Vec<String>,
    /// Exceptions from `dataActions`.
    #[serde(deserialize_with = "null_is_default")]
    pub not_data_actions: Vec<String>,
}

impl Permission {
    /// Whether the block allows a control-plane operation.
    pub fn allows_action(&self, operation: &str) -> bool {
        allows(&self.actions, &self.not_actions, operation)
    }

    /// Whether the block allows a data-plane operation.
    pub fn allows_data_action(&self, operation: &str) -> bool {
        allows(&self.data_actions, &self.not_data_actions, operation)
    }
}

fn allows(granted: &[String], taken: &[String], operation: &str) -> bool {
    let any = |patterns: &[String]| patterns.iter().any(|pattern| text::matches(pattern, operation));
    any(granted) && !any(taken)
}

/// Everything read of who may pull.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AccessFacts {
    /// Assignments to the kubelet identity, at or above the registry, groups included.
    pub role_assignments: Fact<Vec<RoleAssignment>>,
    /// The roles that those name.
    pub role_definitions: BTreeMap<ResourceId, Fact<RoleDefinition>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PULL: &str = "Microsoft.ContainerRegistry/registries/pull/read";

    #[test]
    fn wildcards_match_as_azure_evaluates_them() {
        for yes in ["*", "*/read", "Microsoft.ContainerRegistry/*", "microsoft.containerregistry/registries/pull/READ"]
        {
            assert!(text::matches(yes, PULL), "{yes}");
        }
        for no in ["", "*/write", "Microsoft.Network/*", "Microsoft.ContainerRegistry/registries/pull", "pull/read"] {
            assert!(!text::matches(no, PULL), "{no}");
        }
        assert!(text::matches("a*b*c", "aXbYc") && !text::matches("a*b*c", "aXc"));
    }

    #[test]
    fn what_is_taken_away_is_not_allowed() {
        let block = |not: &str| Permission {
            actions: vec!["*".into()],
            not_actions: vec![not.into()],
            ..Permission::default()
        };
        assert!(block("Microsoft.Authorization/*/write").allows_action(PULL));
        assert!(!block("Microsoft.ContainerRegistry/*").allows_action(PULL));
        assert!(!block("x").allows_data_action(PULL));
    }
}
