//! Virtual networks, private endpoints and private DNS.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fact::Fact;
use super::lenient::null_is_default;
use super::registry::ConnectionState;
use super::resource::{Part, Reference, Resource};
use crate::evidence::id::ResourceId;

/// `Microsoft.Network/virtualNetworks`.
pub type VirtualNetwork = Resource<VirtualNetworkProperties>;

/// What aksiso reads of a virtual network's `properties`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VirtualNetworkProperties {
    /// The network's own addresses.
    pub address_space: Option<AddressSpace>,
    /// Its DNS servers; none = Azure-provided DNS.
    pub dhcp_options: Option<DhcpOptions>,
    #[serde(deserialize_with = "null_is_default")]
    pub subnets: Vec<Part<SubnetProperties>>,
    #[serde(deserialize_with = "null_is_default")]
    pub virtual_network_peerings: Vec<Part<PeeringProperties>>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AddressSpace {
    /// CIDR prefixes.
    #[serde(deserialize_with = "null_is_default")]
    pub address_prefixes: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DhcpOptions {
    /// Addresses of DNS servers.
    #[serde(deserialize_with = "null_is_default")]
    pub dns_servers: Vec<String>,
}

/// What aksiso reads of a subnet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SubnetProperties {
    /// The subnet's route table.
    pub route_table: Option<Reference>,
    pub network_security_group: Option<Reference>,
    pub nat_gateway: Option<Reference>,
    /// Whether machines without a way out of their own get one.
    pub default_outbound_access: Option<bool>,
    /// Its addresses, where it has one prefix.
    pub address_prefix: Option<String>,
    /// Its addresses, where it has several.
    #[serde(deserialize_with = "null_is_default")]
    pub address_prefixes: Vec<String>,
    /// Whether security groups and routes apply to private endpoints in it.
    pub private_endpoint_network_policies: Option<String>,
    /// How many addresses of it are in use; of ARM's list only the length is kept.
    #[serde(deserialize_with = "length", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u64>")]
    pub ip_configurations: Option<u64>,
}

/// The length of a list, of which a snapshot holds no more than that.
fn length<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Counted {
        Items(Vec<serde::de::IgnoredAny>),
        Number(u64),
    }
    Ok(Option::<Counted>::deserialize(from)?.map(|counted| match counted {
        Counted::Items(items) => items.len() as u64,
        Counted::Number(number) => number,
    }))
}

/// What aksiso reads of a peering.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PeeringProperties {
    /// `Connected`, `Initiated`, `Disconnected`.
    pub peering_state: Option<String>,
    /// Whether the networks may talk to each other.
    pub allow_virtual_network_access: Option<bool>,
    /// Whether the other network's gateway is used.
    pub use_remote_gateways: Option<bool>,
    pub remote_virtual_network: Option<Reference>,
    /// The other network's addresses.
    pub remote_address_space: Option<AddressSpace>,
}

impl PeeringProperties {
    /// The other network's id.
    pub fn remote_id(&self) -> Option<&ResourceId> {
        self.remote_virtual_network.as_ref()?.id.as_ref()
    }

    /// Whether traffic passes.
    pub fn connects(&self) -> bool {
        let connected = self.peering_state.as_deref().is_some_and(|state| state.eq_ignore_ascii_case("Connected"));
        connected && self.allow_virtual_network_access != Some(false)
    }
}

/// `Microsoft.Network/routeTables`.
pub type RouteTable = Resource<RouteTableProperties>;

/// What aksiso reads of a route table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteTableProperties {
    #[serde(deserialize_with = "null_is_default")]
    pub routes: Vec<Part<RouteProperties>>,
}

/// `properties` of a route.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteProperties {
    /// CIDR prefix.
    pub address_prefix: Option<String>,
    /// `VirtualAppliance`, `VirtualNetworkGateway`, `Internet`, `VnetLocal`, `None`.
    pub next_hop_type: Option<String>,
}

/// `Microsoft.Network/networkSecurityGroups`.
pub type SecurityGroup = Resource<SecurityGroupProperties>;

/// What aksiso reads of a network security group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SecurityGroupProperties {
    /// The operator's rules.
    #[serde(deserialize_with = "null_is_default")]
    pub security_rules: Vec<Part<SecurityRuleProperties>>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SecurityRuleProperties {
    /// `Allow` or `Deny`.
    pub access: Option<String>,
    /// `Inbound` or `Outbound`.
    pub direction: Option<String>,
    /// Lower numbers come first.
    pub priority: Option<u32>,
    /// `Tcp`, `Udp`, `*`.
    pub protocol: Option<String>,
    /// Where from.
    pub source_address_prefix: Option<String>,
    /// Where from, where there are several.
    #[serde(deserialize_with = "null_is_default")]
    pub source_address_prefixes: Vec<String>,
    /// Ports of the source: a port, a range or `*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_port_range: Option<String>,
    /// Ports of the source, where there are several.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub source_port_ranges: Vec<String>,
    /// Application groups of the source.
    #[serde(deserialize_with = "null_is_default")]
    pub source_application_security_groups: Vec<Reference>,
    pub destination_address_prefix: Option<String>,
    /// Where to, where there are several.
    #[serde(deserialize_with = "null_is_default")]
    pub destination_address_prefixes: Vec<String>,
    /// Application groups of the destination.
    #[serde(deserialize_with = "null_is_default")]
    pub destination_application_security_groups: Vec<Reference>,
    /// Port, range or `*`.
    pub destination_port_range: Option<String>,
    /// Ports, where there are several.
    #[serde(deserialize_with = "null_is_default")]
    pub destination_port_ranges: Vec<String>,
}

/// `Microsoft.Network/privateEndpoints`.
pub type PrivateEndpoint = Resource<PrivateEndpointProperties>;

/// What aksiso reads of a private endpoint's `properties`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PrivateEndpointProperties {
    /// State of the last operation.
    pub provisioning_state: Option<String>,
    /// The subnet that holds its addresses.
    pub subnet: Option<Reference>,
    #[serde(deserialize_with = "null_is_default")]
    pub network_interfaces: Vec<Reference>,
    /// Connections that the target approves by itself.
    #[serde(deserialize_with = "null_is_default")]
    pub private_link_service_connections: Vec<Part<ServiceConnectionProperties>>,
    /// Connections that somebody must approve.
    #[serde(deserialize_with = "null_is_default")]
    pub manual_private_link_service_connections: Vec<Part<ServiceConnectionProperties>>,
    /// Names and addresses; empty also for a healthy endpoint with a zone group.
    #[serde(deserialize_with = "null_is_default")]
    pub custom_dns_configs: Vec<CustomDnsConfig>,
}

impl PrivateEndpointProperties {
    /// Both kinds of connections.
    pub fn connections(&self) -> impl Iterator<Item = &Part<ServiceConnectionProperties>> {
        self.private_link_service_connections.iter().chain(&self.manual_private_link_service_connections)
    }

    /// The virtual network that holds the endpoint.
    pub fn network_id(&self) -> Option<ResourceId> {
        self.subnet.as_ref()?.id.as_ref()?.up_to("virtualNetworks")
    }
}

/// `properties` of an endpoint's connection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceConnectionProperties {
    pub private_link_service_id: Option<ResourceId>,
    /// Sub-resources; `registry` for a container registry.
    #[serde(deserialize_with = "null_is_default")]
    pub group_ids: Vec<String>,
    /// Approval.
    pub private_link_service_connection_state: Option<ConnectionState>,
}

/// One entry of `customDnsConfigs`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomDnsConfig {
    /// Public name.
    pub fqdn: Option<String>,
    /// Private addresses.
    #[serde(deserialize_with = "null_is_default")]
    pub ip_addresses: Vec<String>,
}

/// `…/privateEndpoints/…/privateDnsZoneGroups`.
pub type ZoneGroup = Resource<ZoneGroupProperties>;

/// What aksiso reads of a zone group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ZoneGroupProperties {
    /// The zones in which the endpoint's records are kept.
    #[serde(deserialize_with = "null_is_default")]
    pub private_dns_zone_configs: Vec<Part<ZoneConfigProperties>>,
}

/// `properties` of a zone group's zone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ZoneConfigProperties {
    /// The private DNS zone.
    pub private_dns_zone_id: Option<ResourceId>,
}

/// `Microsoft.Network/networkInterfaces`.
pub type NetworkInterface = Resource<InterfaceProperties>;

/// What aksiso reads of an interface.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct InterfaceProperties {
    #[serde(deserialize_with = "null_is_default")]
    pub ip_configurations: Vec<Part<IpConfigurationProperties>>,
}

/// `properties` of an address.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct IpConfigurationProperties {
    #[serde(rename = "privateIPAddress")]
    pub private_ip_address: Option<String>,
    /// What the address stands for.
    pub private_link_connection_properties: Option<PrivateLinkConnection>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PrivateLinkConnection {
    /// Public names that must resolve to the address.
    #[serde(deserialize_with = "null_is_default")]
    pub fqdns: Vec<String>,
}

/// `Microsoft.Network/privateDnsZones`.
pub type DnsZone = Resource<DnsZoneProperties>;

/// What aksiso reads of a zone: its name says it all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DnsZoneProperties {}

/// `…/privateDnsZones/…/virtualNetworkLinks`.
pub type NetworkLink = Resource<NetworkLinkProperties>;

/// What aksiso reads of a link between a zone (or forwarding ruleset) and a network.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkLinkProperties {
    pub virtual_network: Option<Reference>,
    /// `InProgress` or `Completed`.
    pub virtual_network_link_state: Option<String>,
    /// `Default` or `NxDomainRedirect`.
    pub resolution_policy: Option<String>,
}

impl NetworkLinkProperties {
    /// The linked network's id.
    pub fn network_id(&self) -> Option<&ResourceId> {
        self.virtual_network.as_ref()?.id.as_ref()
    }
}

/// `…/privateDnsZones/…/A`.
pub type AddressRecord = Resource<AddressRecordProperties>;

/// What aksiso reads of an A record set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AddressRecordProperties {
    /// The addresses; an empty list is a record set without an address.
    #[serde(rename = "aRecords", deserialize_with = "null_is_default")]
    pub a_records: Vec<ARecord>,
}

/// One address of a record set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ARecord {
    #[serde(rename = "ipv4Address")]
    pub ipv4_address: Option<String>,
}

/// What was read of one private endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointFacts {
    /// The endpoint; `None` when ARM says that it does not exist.
    pub endpoint: Fact<Option<PrivateEndpoint>>,
    pub zone_groups: Fact<Vec<ZoneGroup>>,
    /// Its interfaces by id.
    pub interfaces: BTreeMap<ResourceId, Fact<NetworkInterface>>,
}

/// What was read of one private DNS zone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ZoneFacts {
    /// The zone; `None` when ARM says that it does not exist.
    pub zone: Fact<Option<DnsZone>>,
    pub links: Fact<Vec<NetworkLink>>,
    /// Its A records that bear the registry's label; others are dropped.
    pub records: Fact<Vec<AddressRecord>>,
    /// The names of its other A records that have an address: what leads to other registries.
    #[serde(skip_serializing_if = "Fact::not_collected")]
    pub other_names: Fact<BTreeSet<String>>,
}

/// Everything read of networks, endpoints and DNS.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkFacts {
    /// Virtual networks by id: the pools' own, and linked ones where custom DNS servers make them matter.
    pub virtual_networks: BTreeMap<ResourceId, Fact<VirtualNetwork>>,
    /// Networks in the node resource group; asked only where a pool has no subnet of its own.
    pub managed_networks: Fact<Vec<VirtualNetwork>>,
    /// The endpoints that the registry's connections name.
    pub private_endpoints: BTreeMap<ResourceId, EndpointFacts>,
    /// Endpoints of the subscriptions; asked only where the registry has no approved connection.
    pub listed_endpoints: Fact<Vec<PrivateEndpoint>>,
    /// Security groups of the node subnets and of endpoints' subnets.
    pub security_groups: BTreeMap<ResourceId, Fact<SecurityGroup>>,
    /// Route tables of the node subnets.
    pub route_tables: BTreeMap<ResourceId, Fact<RouteTable>>,
    /// Network managers by subscription; asked only where an endpoint lies in an unrelated network.
    pub network_managers: BTreeMap<String, Fact<Vec<ResourceId>>>,
    /// Private DNS zones that could answer for the registry.
    pub dns_zones: BTreeMap<ResourceId, ZoneFacts>,
    /// Whether the zones of a subscription could be listed, by subscription.
    pub dns_zone_lists: BTreeMap<String, Fact<ListedZones>>,
    /// Networks that a DNS forwarding ruleset is linked to, by subscription; asked only where no zone is linked.
    pub forwarding_links: BTreeMap<String, Fact<Vec<ResourceId>>>,
}

/// The outcome of listing a subscription's zones.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ListedZones {
    /// Whether the reader may read every zone of the subscription; ARM filters a list by the reader's rights
    /// without saying so. Asked only where no zone is linked to the node network.
    pub whole_subscription: Fact<bool>,
}
