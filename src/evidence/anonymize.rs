//! Takes the operator's own names out of a snapshot: names, ids, addresses, hosts and free text become pseudonyms, and
//! every relation that a check looks at stays, so that the findings and what causes what are the same.
//!
//! Nothing is left in because it looks harmless: a word survives only where it is one of Azure's, Kubernetes' or the
//! container runtime's own (`anonymize/words.txt`, `anonymize/phrases.txt`), or the value of a field that holds such
//! words.

mod addresses;
mod pseudonyms;
mod text;

use serde_json::{Map, Value};

use crate::evidence::{Evidence, exit_code, probe};
pub use pseudonyms::Pseudonyms;

/// Fields whose values are Azure's or Kubernetes' own words, versions, places and times.
pub const OPEN: &[&str] = &[
    "access",
    "actions",
    "architecture",
    "artifactSource",
    "at",
    "code",
    "collectedAt",
    "containerRuntime",
    "created",
    "creationDate",
    "currentKubernetesVersion",
    "dataActions",
    "defaultAction",
    "destinationPortRange",
    "destinationPortRanges",
    "direction",
    "driver",
    "errorCode",
    "extensionType",
    "extensions.name",
    "groupIds",
    "imageVersion",
    "kind",
    "kubernetesVersion",
    "lastSeen",
    "latestNodeImageVersion",
    "level",
    "location",
    "maxSurge",
    "mode",
    "needed",
    "networkEndpointType",
    "networkPlugin",
    "networkPluginMode",
    "networkRuleBypassOptions",
    "nextHopType",
    "nodeImageVersion",
    "nodeOSUpgradeChannel",
    "notActions",
    "notAfter",
    "notDataActions",
    "osSKU",
    "osType",
    "outboundType",
    "peeringState",
    "principalType",
    "privateEndpointNetworkPolicies",
    "probe",
    "protocol",
    "provisioner",
    "provisioningState",
    "publicNetworkAccess",
    "reason",
    "registryProvider",
    "requiredMemberName",
    "resolutionPolicy",
    "restrictionLevel",
    "role",
    "roleAssignmentMode",
    "scaleDownMode",
    "schemaVersion",
    "since",
    "sku",
    "sku.name",
    "status",
    "takenAt",
    "tool.name",
    "type",
    "upgradeStatus",
    "vantage",
    "version",
    "virtualNetworkLinkState",
    "vmSize",
];

/// Fields that hold sentences.
const SENTENCES: &[&str] = &["description", "detail", "issuer", "message", NOT_TRIED];
/// Why a probe was not tried, in the operator's file: a sentence, where other reasons are words.
const NOT_TRIED: &str = "outcome.reason";

/// What Azure's service tags begin with; they stand where an address could.
const TAGS: [&str; 8] =
    ["Azure", "Microsoft", "VirtualNetwork", "Internet", "Storage", "GatewayManager", "EventHub", "ServiceBus"];

/// Objects whose keys are names or ids of the operator's.
pub const MAPS: &[&str] = &[
    "dnsZoneLists",
    "dnsZones",
    "forwardingLinks",
    "instances",
    "interfaces",
    "networkManagers",
    "otherRegistries",
    "privateEndpoints",
    "roleDefinitions",
    "routeTables",
    "securityGroups",
    "upgradeProfiles",
    "userAssignedIdentities",
    "virtualNetworks",
];

/// The same evidence under pseudonyms; new names get the next ones.
///
/// # Errors
/// Evidence that is no JSON, which does not happen.
pub fn anonymize(evidence: &Evidence, pseudonyms: &mut Pseudonyms) -> serde_json::Result<Evidence> {
    let mut value = serde_json::to_value(evidence)?;
    // Data endpoints carry the region in their names, so the regions stay words there too.
    locations(&value, pseudonyms);
    walk(&mut value, "", &mut |key, text| {
        let tag = key.contains("AddressPrefix") && TAGS.iter().any(|tag| text.starts_with(tag));
        // A word of Azure's, where it is no id.
        let mode = key == "privateDNSZone" && ["system", "none"].contains(&text);
        if (tag || mode || OPEN.contains(&key) || probe::is_word(key, text)) && is_plain(text) {
            text.to_owned()
        } else if key == "condition" {
            pseudonyms.condition(text)
        } else if SENTENCES.contains(&key) {
            with_code_of(text, pseudonyms.sentence(text))
        } else {
            pseudonyms.structured(text)
        }
    });
    serde_json::from_value(value)
}

/// Whether the evidence is under pseudonyms: then its hosts do not exist.
pub fn is_anonymized(evidence: &Evidence) -> bool {
    let number = evidence.cluster.id.name().strip_prefix(pseudonyms::MARK);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The evidence under its own names again, as far as the pseudonyms tell them.
///
/// # Errors
/// Evidence that is no JSON, which does not happen.
pub fn restore(evidence: &Evidence, pseudonyms: &Pseudonyms) -> serde_json::Result<Evidence> {
    let mut value = serde_json::to_value(evidence)?;
    walk(&mut value, "", &mut |_, text| pseudonyms.restore(text));
    serde_json::from_value(value)
}

/// A sentence under pseudonyms, with the bootstrap's exit code where its words no longer tell it.
fn with_code_of(text: &str, sentence: String) -> String {
    match exit_code::find(text) {
        Some(code) if exit_code::find(&sentence) != Some(code) => format!("{sentence} (exit status={code})"),
        _ => sentence,
    }
}

/// What Azure's words, versions, port ranges and times are made of; anything else in such a field is not one.
fn is_plain(text: &str) -> bool {
    text.len() <= 100 && text.chars().all(|c| c.is_ascii_alphanumeric() || " ._:/*+-,()%".contains(c))
}

fn locations(value: &Value, pseudonyms: &mut Pseudonyms) {
    match value {
        Value::Object(map) => {
            if let Some(location) = map.get("location").and_then(Value::as_str).filter(|text| is_plain(text)) {
                pseudonyms.keep(location);
            }
            map.values().for_each(|value| locations(value, pseudonyms));
        }
        Value::Array(items) => items.iter().for_each(|value| locations(value, pseudonyms)),
        _ => {}
    }
}

/// Turns every text of a value, and the keys of the objects that are keyed by names; `field` is the nearest key above.
fn walk(value: &mut Value, field: &str, turn: &mut impl FnMut(&str, &str) -> String) {
    match value {
        Value::String(text) => *text = turn(field, text),
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, field, turn)),
        Value::Object(map) => {
            let named = MAPS.contains(&field);
            let mut turned = Map::new();
            for (key, mut value) in std::mem::take(map) {
                // Whose name it is decides what may stay of it.
                let qualified = key == "name" || (["reason", "actions"].contains(&key.as_str()) && field == "outcome");
                let below = if qualified { format!("{field}.{key}") } else { key.clone() };
                walk(&mut value, if named { "" } else { &below }, turn);
                turned.insert(if named { turn("", &key) } else { key }, value);
            }
            *map = turned;
        }
        _ => {}
    }
}
