//! What is kept of a node's files: which registry they send it to, and with which code its bootstrap ended. The output
//! of the bootstrap may hold anything, and is never kept.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

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

/// Most texts that are kept of a file.
const TEXTS: usize = 32;
/// Longest of them, in characters.
const LENGTH: usize = 512;

/// What was read of a file of the node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Read {
    /// Registries that it sends the node to: `https://<login server>/v2/aks-managed-repository` of `hosts-toml`,
    /// `mcr.microsoft.com:<login server>/aks-managed-repository` of `credential-provider`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<String>,
    /// The code with which the bootstrap ended, of `provision`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u32>,
}

impl<'de> Deserialize<'de> for Read {
    /// Reads every text below the outcome, whatever its field is called: a script and a later version may say more.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let fields = serde_json::Map::deserialize(from)?;
        let exit_code = fields.iter().find(|(key, _)| key.to_lowercase().ends_with("code")).map(|(_, value)| value);
        let exit_code = match exit_code {
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            _ => None,
        };
        let mut mirrors = BTreeSet::new();
        fields.iter().filter(|(key, _)| *key != "kind").for_each(|(_, value)| texts(value, &mut mirrors));
        Ok(Self {
            mirrors: mirrors.into_iter().take(TEXTS).collect(),
            exit_code: exit_code.and_then(|code| code.try_into().ok()),
        })
    }
}

/// The texts that name a registry, wherever they stand.
fn texts(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let words = text.split(|c: char| c.is_whitespace() || "\"'[]{}".contains(c));
            let registries = words.filter(|word| word.contains('.') && word.chars().count() <= LENGTH);
            found.extend(registries.map(str::to_owned));
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(map) => map.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}
