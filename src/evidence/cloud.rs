//! The Azure clouds: everything that is another in each of them. One more cloud is one more entry of [`ALL`].

use std::collections::BTreeSet;

#[derive(Debug, PartialEq, Eq)]
pub struct Cloud {
    /// The word of `--cloud`.
    pub name: &'static str,
    /// What Microsoft calls it.
    pub title: &'static str,
    /// How the names of its regions begin; none for the cloud that every other region belongs to.
    pub regions: &'static [&'static str],
    /// Azure Resource Manager, which is its audience too.
    pub arm: &'static str,
    /// Where Microsoft Entra ID signs in.
    pub authority: &'static str,
    /// The audience of a registry's own sign-in. Older registries take the one of ARM.
    pub registry_audience: &'static str,
    /// What login servers end with.
    pub registry_suffix: &'static str,
    /// Microsoft's registry; the first host is what a new cache rule is made for.
    pub mcr_hosts: &'static [&'static str],
    /// Hosts that it had before: old references still name them, no cache rule does.
    pub former_mcr_hosts: &'static [&'static str],
    /// The private DNS zone of Key Vault.
    pub vault_zone: &'static str,
    /// The private DNS zones of an Azure Monitor private link scope; empty where Microsoft documents none.
    pub monitor_zones: &'static [&'static str],
    /// What the Azure Policy add-on talks to.
    pub policy_hosts: &'static [&'static str],
    /// What cluster extensions talk to, behind the region.
    pub extension_host: &'static str,
}

pub const PUBLIC: Cloud = Cloud {
    name: "public",
    title: "Azure",
    regions: &[],
    arm: "https://management.azure.com",
    authority: "https://login.microsoftonline.com",
    registry_audience: "https://containerregistry.azure.net",
    registry_suffix: "azurecr.io",
    mcr_hosts: &["mcr.microsoft.com"],
    former_mcr_hosts: &[],
    vault_zone: "privatelink.vaultcore.azure.net",
    monitor_zones: &[
        "privatelink.monitor.azure.com",
        "privatelink.oms.opinsights.azure.com",
        "privatelink.ods.opinsights.azure.com",
        "privatelink.agentsvc.azure-automation.net",
        "privatelink.blob.core.windows.net",
    ],
    policy_hosts: &["data.policy.core.windows.net", "store.policy.core.windows.net"],
    extension_host: "dp.kubernetesconfiguration.azure.com",
};

pub const ALL: [&Cloud; 3] = [
    &PUBLIC,
    &Cloud {
        name: "usgov",
        title: "Azure US Government",
        regions: &["usgov", "usdod"],
        arm: "https://management.usgovcloudapi.net",
        authority: "https://login.microsoftonline.us",
        registry_suffix: "azurecr.us",
        vault_zone: "privatelink.vaultcore.usgovcloudapi.net",
        monitor_zones: &[
            "privatelink.monitor.azure.us",
            "privatelink.oms.opinsights.azure.us",
            "privatelink.ods.opinsights.azure.us",
            "privatelink.agentsvc.azure-automation.us",
            "privatelink.blob.core.usgovcloudapi.net",
        ],
        policy_hosts: &["data.policy.azure.us", "store.policy.azure.us"],
        extension_host: "dp.kubernetesconfiguration.azure.us",
        ..PUBLIC
    },
    &Cloud {
        name: "china",
        title: "Azure operated by 21Vianet (China)",
        regions: &["china"],
        arm: "https://management.chinacloudapi.cn",
        authority: "https://login.chinacloudapi.cn",
        registry_suffix: "azurecr.cn",
        mcr_hosts: &["mcr.azure.cn", "mcr.microsoft.com"],
        former_mcr_hosts: &["mcr.azk8s.cn"],
        vault_zone: "privatelink.vaultcore.azure.cn",
        monitor_zones: &[],
        policy_hosts: &["data.policy.azure.cn", "store.policy.azure.cn"],
        extension_host: "dp.kubernetesconfiguration.azure.cn",
        ..PUBLIC
    },
];

impl Cloud {
    /// The cloud that `--cloud` names.
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.into_iter().find(|cloud| cloud.name == name)
    }

    /// The cloud of a region or, where that says nothing, of a login server.
    pub fn of(region: &str, login_server: Option<&str>) -> &'static Self {
        let region = region.to_lowercase();
        let here = |cloud: &&Self| cloud.regions.iter().any(|prefix| region.starts_with(prefix));
        let by_server = || ALL.into_iter().find(|cloud| login_server.is_some_and(|server| cloud.has_registry(server)));
        ALL.into_iter().find(here).or_else(by_server).unwrap_or(&PUBLIC)
    }

    /// Whether a host is a registry of this cloud.
    fn has_registry(&self, host: &str) -> bool {
        host.to_lowercase().strip_suffix(self.registry_suffix).is_some_and(|head| head.ends_with('.'))
    }
}

/// Whether a host is an Azure Container Registry, in any cloud.
pub fn is_registry(host: &str) -> bool {
    ALL.iter().any(|cloud| cloud.has_registry(host))
}

/// Whether a host is the data endpoint of an Azure Container Registry, in any cloud.
pub fn is_data_endpoint(host: &str) -> bool {
    ALL.iter().any(|cloud| host.to_lowercase().ends_with(&format!(".data.{}", cloud.registry_suffix)))
}

/// Every host that is or was Microsoft's registry, in any cloud, once.
pub fn mcr_hosts() -> impl Iterator<Item = &'static str> {
    let hosts = ALL.into_iter().flat_map(|cloud| cloud.mcr_hosts.iter().chain(cloud.former_mcr_hosts)).copied();
    hosts.collect::<BTreeSet<_>>().into_iter()
}

/// Whether a host is or was Microsoft's registry, in any cloud.
pub fn is_mcr(host: &str) -> bool {
    mcr_hosts().any(|known| host.eq_ignore_ascii_case(known))
}

/// Whether a host is the same for everybody: Microsoft's registry, Azure Resource Manager, Microsoft Entra ID.
pub fn is_public(host: &str) -> bool {
    let at = |url: &str| url.strip_prefix("https://") == Some(host);
    is_mcr(host) || ALL.iter().any(|cloud| at(cloud.arm) || at(cloud.authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_s_cloud_follows_its_region_then_its_registry() {
        let name = |region, server| Cloud::of(region, server).name;
        assert_eq!(name("westeurope", Some("a.azurecr.io")), "public");
        assert_eq!(name("USGovVirginia", None), "usgov");
        assert_eq!(name("chinanorth3", Some("a.azurecr.io")), "china");
        assert_eq!(name("", Some("A.azurecr.CN")), "china");
        assert_eq!(name("", Some("registry.example.com")), "public");
    }

    #[test]
    fn hosts_of_every_cloud_are_known() {
        for cloud in ALL {
            let server = format!("contoso.{}", cloud.registry_suffix);
            assert!(
                is_registry(&server) && is_data_endpoint(&format!("contoso.eastus.data.{}", cloud.registry_suffix))
            );
            assert!(!is_data_endpoint(&server) && !is_registry(&format!("contoso{}", cloud.registry_suffix)));
            assert!(cloud.mcr_hosts.iter().all(|host| is_mcr(host)), "{}", cloud.name);
            assert!(Cloud::named(cloud.name) == Some(cloud) && cloud.arm.starts_with("https://"));
        }
    }
}
