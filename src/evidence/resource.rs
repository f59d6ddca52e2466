//! The envelope that every ARM resource shares.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lenient::null_is_default;
use crate::evidence::id::ResourceId;

/// An ARM resource of which only the properties `P` matter.
///
/// `id` and `properties` are required: a body without them is not this resource, and counts as malformed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resource<P> {
    /// The resource id, in the casing that ARM used.
    pub id: ResourceId,
    /// What the resource is.
    pub properties: P,
}

/// An ARM resource of which only the id matters.
#[derive(Debug, Clone, Deserialize)]
pub struct Named {
    /// The resource id, in the casing that ARM used.
    pub id: ResourceId,
}

/// An ARM resource whose envelope matters too: where it lies, who it is, what it costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrackedResource<P> {
    /// The resource id, in the casing that ARM used.
    pub id: ResourceId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Managed identities of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Pricing tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<Sku>,
    /// What the resource is.
    pub properties: P,
}

impl<P> Resource<P> {
    /// The resource's name, taken from its id.
    pub fn name(&self) -> &str {
        self.id.name()
    }

    /// How a finding names the call that read this resource.
    pub fn source(&self) -> String {
        source(&self.id)
    }
}

impl<P> TrackedResource<P> {
    /// The resource's name, taken from its id.
    pub fn name(&self) -> &str {
        self.id.name()
    }

    /// How a finding names the call that read this resource.
    pub fn source(&self) -> String {
        source(&self.id)
    }
}

fn source(id: &ResourceId) -> String {
    format!("GET {id}")
}

/// A part of a resource that ARM wraps like a resource of its own: a subnet, a peering, a connection.
///
/// Nothing is required here, so that one odd part never loses the whole resource.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(bound = "P: JsonSchema + Default + Serialize")]
pub struct Part<P> {
    /// The part's id, where it has one.
    #[serde(deserialize_with = "filled_id", skip_serializing_if = "Option::is_none")]
    pub id: Option<ResourceId>,
    /// Its name, which some answers give without an id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the part is.
    pub properties: P,
}

impl<P> Part<P> {
    /// The part's name, from its id or beside it.
    pub fn name(&self) -> Option<&str> {
        self.id.as_ref().map(ResourceId::name).or(self.name.as_deref())
    }
}

/// The `identity` block.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Identity {
    /// Object id of the system-assigned identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<String>,
    /// The user-assigned identities, by resource id.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub user_assigned_identities: BTreeMap<ResourceId, AssignedIdentity>,
}

/// One user-assigned identity of a resource.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AssignedIdentity {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// The `sku` block.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Sku {
    /// `Premium`, `Standard`, `Basic` for a registry; `Base`, `Automatic` for a cluster.
    pub name: Option<String>,
}

/// A reference to another resource: `{ "id": "…" }`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Reference {
    /// The id, where the reference is set.
    #[serde(deserialize_with = "filled_id")]
    pub id: Option<ResourceId>,
}

/// An id; ARM writes an unset one as `null` or as an empty text.
pub(super) fn filled_id<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<ResourceId>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.filter(|text| !text.trim().is_empty()).map(ResourceId::new))
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PowerState {
    /// `Running` or `Stopped`.
    pub code: Option<String>,
}

/// `status` of a cluster or pool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceStatus {
    /// The failure of the last operation.
    pub provisioning_error: Option<ErrorDetail>,
}

/// An ARM error as a resource carries it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ErrorDetail {
    pub code: Option<String>,
    /// Message for a person; bounded, without what may be a secret.
    #[serde(deserialize_with = "safe_message")]
    pub message: Option<String>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<ErrorDetail>,
}

/// The message of a failed bootstrap carries its whole output.
fn safe_message<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.map(|text| crate::text::truncated(&crate::text::without_secrets(&text), 4_000)))
}
