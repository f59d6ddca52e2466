//! Locks, which make Azure refuse a step.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fact::Fact;
use super::resource::Resource;
use crate::evidence::id::ResourceId;

/// `Microsoft.Authorization/locks`.
pub type Lock = Resource<LockProperties>;

/// What aksiso reads of a lock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LockProperties {
    /// `CanNotDelete` or `ReadOnly`.
    pub level: Option<String>,
}

/// The locks of subscriptions, those of their groups and resources included.
pub type LockFacts = BTreeMap<String, Fact<Vec<Lock>>>;

impl Lock {
    /// What it locks: a subscription, a group or a resource, with everything in it.
    pub fn scope(&self) -> &str {
        const PROVIDER: &str = "/providers/microsoft.authorization/locks/";
        let id = self.id.as_str();
        id.to_ascii_lowercase().rfind(PROVIDER).map_or(id, |at| &id[..at])
    }

    /// Whether it makes Azure refuse a write to a resource, or its deletion.
    pub fn refuses(&self, target: &ResourceId, deletes: bool) -> bool {
        let level = self.properties.level.as_deref().unwrap_or_default();
        let (scope, target) = (self.scope().to_lowercase(), target.as_str().to_lowercase());
        let at_or_above = target.strip_prefix(&scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        at_or_above && (deletes || level.eq_ignore_ascii_case("ReadOnly"))
    }
}
