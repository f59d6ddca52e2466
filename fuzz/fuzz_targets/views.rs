//! Any body as the answer of any call to ARM: each view reads it or refuses it.

#![no_main]

use aksiso::evidence::access::{RoleAssignment, RoleDefinition};
use aksiso::evidence::cluster::{Extension, ManagedCluster};
use aksiso::evidence::pools::{AgentPoolItem, InstanceProperties, UpgradeProfile};
use aksiso::evidence::network::{
    AddressRecord, DnsZone, NetworkInterface, NetworkLink, PrivateEndpoint, RouteTable, SecurityGroup, VirtualNetwork,
    ZoneGroup,
};
use aksiso::evidence::registry::{CacheRule, CredentialSet, Registry, Replication};
use aksiso::evidence::pools::Machine;
use aksiso::evidence::resource::Part;
use libfuzzer_sys::fuzz_target;

macro_rules! read {
    ($bytes:expr, $($view:ty),+ $(,)?) => {
        $(if let Ok(view) = serde_json::from_slice::<$view>($bytes) { drop(view); })+
    };
}

fuzz_target!(|bytes: &[u8]| {
    read!(
        bytes,
        ManagedCluster,
        AgentPoolItem,
        UpgradeProfile,
        Extension,
        Part<InstanceProperties>,
        Machine,
        Registry,
        CacheRule,
        CredentialSet,
        Replication,
        VirtualNetwork,
        RouteTable,
        SecurityGroup,
        PrivateEndpoint,
        ZoneGroup,
        NetworkInterface,
        DnsZone,
        NetworkLink,
        AddressRecord,
        RoleAssignment,
        RoleDefinition,
    );
});
