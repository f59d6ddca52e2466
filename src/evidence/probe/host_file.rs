//! What is kept of a node's files: which registry they send it to, and with which code its bootstrap ended. The output
//! of the bootstrap may hold anything, and is never kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::lenient::null_is_default;

/// containerd's mirrors for Microsoft's registry.
pub const HOSTS_TOML: &str = "hosts-toml";
/// The kubelet's credential provider.
pub const CREDENTIAL_PROVIDER: &str = "credential-provider";
/// What became of the bootstrap.
pub const PROVISION: &str = "provision";
/// The mark of a node that skipped the test of its egress.
pub const OUTBOUND_SKIPPED: &str = "outbound-check-skipped";
/// LocalDNS, which may serve stale answers.
pub const LOCAL_DNS: &str = "localdns";

/// What was read of a file of the node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Read {
    /// Registries that it sends the node to: `https://<login server>/v2/aks-managed-repository` of `hosts-toml`,
    /// `mcr.microsoft.com:<login server>/aks-managed-repository` of `credential-provider`.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<String>,
    /// The code with which the bootstrap ended, of `provision`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u32>,
}
