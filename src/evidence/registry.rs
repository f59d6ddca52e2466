//! The bootstrap registry and what belongs to it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fact::{Fact, Gap};
use super::lenient::{null_is_default, timestamp};
use super::resource::{Part, Reference, Resource, TrackedResource, filled_id};
use crate::evidence::id::ResourceId;

/// `Microsoft.ContainerRegistry/registries`.
pub type Registry = TrackedResource<RegistryProperties>;

/// What aksiso reads of a registry's `properties`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RegistryProperties {
    /// Host name that clients use; never derived from the registry's name (domain name labels differ).
    pub login_server: Option<String>,
    /// When the registry was created.
    #[serde(deserialize_with = "timestamp")]
    pub creation_date: Option<Timestamp>,
    /// State of the last operation.
    pub provisioning_state: Option<String>,
    /// Whether anybody may pull without signing in.
    pub anonymous_pull_enabled: Option<bool>,
    /// `LegacyRegistryPermissions` or `AbacRepositoryPermissions`; absent in old API versions.
    pub role_assignment_mode: Option<String>,
    /// `Enabled` or `Disabled`.
    pub public_network_access: Option<String>,
    /// Firewall of the public address.
    pub network_rule_set: Option<NetworkRuleSet>,
    /// `AzureServices` or `None`: whether trusted services pass the firewall.
    pub network_rule_bypass_options: Option<String>,
    pub policies: Option<RegistryPolicies>,
    /// Encryption with a key of the operator's own.
    pub encryption: Option<Encryption>,
    /// Connections of private endpoints, as the registry sees them.
    #[serde(deserialize_with = "null_is_default")]
    pub private_endpoint_connections: Vec<Part<ConnectionProperties>>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkRuleSet {
    /// `Allow` or `Deny`.
    pub default_action: Option<String>,
    /// Addresses that pass.
    #[serde(deserialize_with = "null_is_default")]
    pub ip_rules: Vec<IpRule>,
}

/// One address of `networkRuleSet.ipRules`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct IpRule {
    /// Address or CIDR prefix.
    pub value: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RegistryPolicies {
    /// Whether tokens for Azure Resource Manager are accepted.
    #[serde(rename = "azureADAuthenticationAsArmPolicy")]
    pub azure_ad_authentication_as_arm_policy: Option<PolicyStatus>,
    pub soft_delete_policy: Option<PolicyStatus>,
    pub quarantine_policy: Option<PolicyStatus>,
}

/// A policy or feature with a status.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PolicyStatus {
    /// `enabled` or `disabled`.
    pub status: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Encryption {
    /// `enabled` or `disabled`.
    pub status: Option<String>,
    /// The key's place.
    pub key_vault_properties: Option<KeyVaultProperties>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct KeyVaultProperties {
    /// Client id of the identity that reads the key.
    pub identity: Option<String>,
}

/// What the registry says of one private endpoint connection. It does not return group ids.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ConnectionProperties {
    /// The endpoint; may belong to another tenant or to a Microsoft service.
    pub private_endpoint: Option<Reference>,
    /// Approval.
    pub private_link_service_connection_state: Option<ConnectionState>,
}

impl ConnectionProperties {
    /// The endpoint's id, where the connection names one.
    pub fn endpoint_id(&self) -> Option<&ResourceId> {
        self.private_endpoint.as_ref()?.id.as_ref()
    }

    /// `Approved`, `Pending`, `Rejected`, `Disconnected`, or "unknown".
    pub fn status(&self) -> &str {
        let state = self.private_link_service_connection_state.as_ref();
        state.and_then(|state| state.status.as_deref()).unwrap_or("unknown")
    }
}

/// `privateLinkServiceConnectionState`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ConnectionState {
    /// `Approved`, `Pending`, `Rejected`, `Disconnected`.
    pub status: Option<String>,
    /// Free text of whoever approved or refused.
    pub description: Option<String>,
}

/// `…/registries/…/cacheRules`.
pub type CacheRule = Resource<CacheRuleProperties>;

/// What aksiso reads of a cache rule's `properties`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CacheRuleProperties {
    /// Where the rule pulls from, for example `mcr.microsoft.com/*`.
    pub source_repository: Option<String>,
    /// Where the rule stores, for example `aks-managed-repository/*`.
    pub target_repository: Option<String>,
    /// Credentials for the source.
    #[serde(deserialize_with = "filled_id")]
    pub credential_set_resource_id: Option<ResourceId>,
    /// When the rule was created.
    #[serde(deserialize_with = "timestamp")]
    pub creation_date: Option<Timestamp>,
    /// State of the last operation.
    pub provisioning_state: Option<String>,
}

/// `…/registries/…/credentialSets`.
pub type CredentialSet = TrackedResource<CredentialSetProperties>;

/// What aksiso reads of a credential set's `properties`: never where its secrets lie.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CredentialSetProperties {
    /// The credentials' health.
    #[serde(deserialize_with = "null_is_default")]
    pub auth_credentials: Vec<AuthCredential>,
}

/// One credential of a set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AuthCredential {
    /// Whether the registry could read the secrets.
    pub credential_health: Option<CredentialHealth>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CredentialHealth {
    /// `Healthy` or `Unhealthy`.
    pub status: Option<String>,
    /// For example `Forbidden`.
    pub error_code: Option<String>,
}

/// `…/registries/…/replications`.
pub type Replication = TrackedResource<ReplicationProperties>;

/// What aksiso reads of a geo-replica's `properties`; its region is the resource's `location`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicationProperties {
    /// State of the last operation.
    pub provisioning_state: Option<String>,
    /// Whether requests are routed to the replica.
    pub region_endpoint_enabled: Option<bool>,
}

/// Everything read of the bootstrap registry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RegistryFacts {
    /// The registry; `None` when ARM says that it does not exist.
    pub registry: Fact<Option<Registry>>,
    pub cache_rules: Fact<Vec<CacheRule>>,
    /// Its credential sets; asked only where a cache rule names one.
    pub credential_sets: Fact<Vec<CredentialSet>>,
    /// Its geo-replicas; asked only where an endpoint lists another region.
    pub replications: Fact<Vec<Replication>>,
    /// Why the list of endpoint connections could not be read, where the registry's own answer shows none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections_unread: Option<Gap>,
}
