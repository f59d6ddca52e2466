//! The registry that AKS creates by itself where a cluster switches to Cache and names none: with its cache rule, private
//! endpoint, DNS zone and role, in the same operation. Its names are made up here; AKS chooses its own.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::evidence::id::ResourceId;
use crate::evidence::network::{NetworkFacts, SubnetProperties};
use crate::evidence::{Evidence, Fact};
use crate::model::names::region;
use crate::model::rights::PULL;

/// A name that nobody takes for a real one.
const NAME: &str = "createdbyaks";
/// The built-in role AcrPull.
const ACR_PULL: &str = "7f951dda-4ed3-4680-a7ca-43fe172d538d";

/// Puts the registry and what belongs to it into the evidence, as a look at Azure would show them; gives its id.
pub(super) fn create(evidence: &mut Evidence) -> ResourceId {
    let managed = Managed::beside(evidence);
    evidence.registry = facts(managed.registry());
    evidence.access = facts(managed.access());
    let own = std::mem::take(&mut evidence.network);
    let new: NetworkFacts = facts(managed.network());
    evidence.network = NetworkFacts {
        private_endpoints: new.private_endpoints,
        dns_zones: new.dns_zones,
        dns_zone_lists: new.dns_zone_lists,
        listed_endpoints: Fact::default(),
        forwarding_links: BTreeMap::new(),
        ..own
    };
    ResourceId::new(managed.registry)
}

fn facts<T: DeserializeOwned>(facts: Value) -> T {
    serde_json::from_value(facts).expect("facts in the shape in which snapshots hold them")
}

/// The first IPv4 prefix of a subnet.
fn prefix(subnet: &SubnetProperties) -> Option<Ipv4Net> {
    subnet.address_prefix.iter().chain(&subnet.address_prefixes).find_map(|prefix| prefix.parse().ok())
}

/// What the new resources are made of.
struct Managed {
    subscription: String,
    group: String,
    location: String,
    now: String,
    /// What login servers end with.
    suffix: &'static str,
    mcr: &'static str,
    /// The kubelet identity.
    principal: Option<String>,
    registry: String,
    endpoint: String,
    zone: String,
    subnet: Option<String>,
    /// The networks that hold the nodes.
    networks: Vec<String>,
    /// Of the data endpoint and of the login server.
    addresses: [Ipv4Addr; 2],
}

impl Managed {
    fn beside(evidence: &Evidence) -> Self {
        let cluster = &evidence.cluster;
        let subscription = cluster.id.subscription().unwrap_or_default().to_owned();
        let group = cluster.properties.node_resource_group.clone().unwrap_or_else(|| format!("MC_{}", cluster.name()));
        let suffix = evidence.cloud().registry_suffix;
        let providers = format!("/subscriptions/{subscription}/resourceGroups/{group}/providers");
        let subnets = evidence.node_subnets();
        let prefixes = subnets.iter().filter_map(|(_, subnet)| prefix(subnet));
        let mut free = prefixes.flat_map(|prefix| prefix.hosts().skip(200)).chain([Ipv4Addr::new(10, 0, 0, 4)]);
        let first = free.next().unwrap_or(Ipv4Addr::UNSPECIFIED);
        let profile = cluster.properties.identity_profile.as_ref();
        Self {
            registry: format!("{providers}/Microsoft.ContainerRegistry/registries/{NAME}"),
            endpoint: format!("{providers}/Microsoft.Network/privateEndpoints/{NAME}"),
            zone: format!("{providers}/Microsoft.Network/privateDnsZones/privatelink.{suffix}"),
            location: region(cluster.location.as_deref().unwrap_or_default()),
            now: evidence.collected_at.to_string(),
            suffix,
            mcr: evidence.mcr_hosts()[0],
            principal: profile.and_then(|profile| profile.kubeletidentity.as_ref()?.object_id.clone()),
            subnet: subnets.first().map(|(id, _)| id.to_string()),
            networks: evidence.node_networks().0.iter().map(ToString::to_string).collect(),
            addresses: [first, free.next().unwrap_or(first)],
            subscription,
            group,
        }
    }

    fn server(&self) -> String {
        format!("{NAME}.{}", self.suffix)
    }

    fn data_label(&self) -> String {
        format!("{NAME}.{}.data", self.location)
    }

    fn registry(&self) -> Value {
        let disabled = json!({ "status": "disabled" });
        json!({
            "registry": { "known": {
                "id": self.registry,
                "location": self.location,
                "sku": { "name": "Premium" },
                "properties": {
                    "loginServer": self.server(),
                    "creationDate": self.now,
                    "provisioningState": "Succeeded",
                    "anonymousPullEnabled": false,
                    "roleAssignmentMode": "LegacyRegistryPermissions",
                    "publicNetworkAccess": "Disabled",
                    "networkRuleSet": { "defaultAction": "Deny" },
                    "networkRuleBypassOptions": "AzureServices",
                    "zoneRedundancy": "Enabled",
                    "policies": {
                        "azureADAuthenticationAsArmPolicy": { "status": "enabled" },
                        "softDeletePolicy": disabled,
                        "quarantinePolicy": disabled,
                    },
                    "encryption": disabled,
                    "privateEndpointConnections": [{ "properties": {
                        "privateEndpoint": { "id": self.endpoint },
                        "privateLinkServiceConnectionState": { "status": "Approved" },
                    } }],
                },
            } },
            "cacheRules": { "known": [{
                "id": format!("{}/cacheRules/aks-managed-mcr", self.registry),
                "properties": {
                    "sourceRepository": format!("{}/*", self.mcr),
                    "targetRepository": "aks-managed-repository/*",
                    "creationDate": self.now,
                    "provisioningState": "Succeeded",
                },
            }] },
        })
    }

    fn access(&self) -> Value {
        let role = format!(
            "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions/{ACR_PULL}",
            self.subscription
        );
        let assignment = json!({
            "id": format!("{}/providers/Microsoft.Authorization/roleAssignments/{NAME}", self.registry),
            "properties": {
                "roleDefinitionId": role,
                "principalId": self.principal,
                "principalType": "ServicePrincipal",
                "scope": self.registry,
            },
        });
        let definition = json!({
            "id": role,
            "properties": { "roleName": "AcrPull", "permissions": [{ "actions": [PULL] }] },
        });
        json!({
            "roleAssignments": { "known": [assignment] },
            "roleDefinitions": { role: { "known": definition } },
        })
    }

    fn network(&self) -> Value {
        json!({
            "privateEndpoints": { &self.endpoint: self.endpoint() },
            "dnsZones": { &self.zone: self.zone() },
            "dnsZoneLists": { &self.subscription: { "known": { "wholeSubscription": { "known": true } } } },
        })
    }

    fn endpoint(&self) -> Value {
        let interface = format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Network/networkInterfaces/{NAME}",
            self.subscription, self.group
        );
        let [data, server] = self.addresses;
        let address = |ip: Ipv4Addr, name: String| {
            json!({ "properties": {
                "privateIPAddress": ip,
                "privateLinkConnectionProperties": { "fqdns": [name] },
            } })
        };
        let configurations =
            [address(data, format!("{}.{}", self.data_label(), self.suffix)), address(server, self.server())];
        json!({
            "endpoint": { "known": {
                "id": self.endpoint,
                "properties": {
                    "provisioningState": "Succeeded",
                    "subnet": { "id": self.subnet },
                    "networkInterfaces": [{ "id": interface }],
                    "privateLinkServiceConnections": [{ "properties": {
                        "privateLinkServiceId": self.registry,
                        "groupIds": ["registry"],
                        "privateLinkServiceConnectionState": { "status": "Approved" },
                    } }],
                },
            } },
            "zoneGroups": { "known": [{
                "id": format!("{}/privateDnsZoneGroups/default", self.endpoint),
                "properties": {
                    "privateDnsZoneConfigs": [{ "properties": { "privateDnsZoneId": self.zone } }],
                },
            }] },
            "interfaces": { &interface: { "known": {
                "id": interface,
                "properties": { "ipConfigurations": configurations },
            } } },
        })
    }

    fn zone(&self) -> Value {
        let link = |network: &String| {
            json!({
                "id": format!("{}/virtualNetworkLinks/{NAME}", self.zone),
                "properties": {
                    "virtualNetwork": { "id": network },
                    "virtualNetworkLinkState": "Completed",
                    "resolutionPolicy": "Default",
                },
            })
        };
        let record = |(name, ip): (String, Ipv4Addr)| {
            json!({
                "id": format!("{}/A/{name}", self.zone),
                "properties": { "aRecords": [{ "ipv4Address": ip }] },
            })
        };
        let [data, server] = self.addresses;
        let records = [(self.data_label(), data), (NAME.to_owned(), server)].map(record);
        json!({
            "zone": { "known": { "id": self.zone, "properties": {} } },
            "links": { "known": self.networks.iter().map(link).collect::<Vec<_>>() },
            "records": { "known": records },
        })
    }
}
