//! GPU pools whose driver does not come with the node image. Read in AgentBaker's code, in November 2026.

use super::cluster::is;
use crate::evidence::pools::AgentPool;

/// Sizes with a virtual GPU, whose GRID driver Ubuntu nodes pull as an image that bypasses the mirror.
const GRID: [&str; 2] = ["_a10_v", "rtxpro6000"];

/// What a new node of the pool fetches, where it fetches a driver.
pub fn fetched_driver(pool: &AgentPool) -> Option<&'static str> {
    let none = pool.gpu_profile.as_ref().is_some_and(|profile| is(profile.driver.as_ref(), "None"));
    if none || is(pool.os_type.as_ref(), "Windows") {
        return None;
    }
    let size = pool.vm_size.as_deref()?.to_lowercase();
    if size.ends_with("_ma35d") {
        return Some("the driver of the AMD MA35D");
    }
    if !is_nvidia(&size) {
        return None;
    }
    if is_azure_linux(pool) {
        return Some("NVIDIA's driver for Azure Linux");
    }
    GRID.iter().any(|part| size.contains(part)).then_some("NVIDIA's GRID driver")
}

/// N-series sizes but those with GPUs of AMD.
fn is_nvidia(size: &str) -> bool {
    let series = ["standard_nc", "standard_nd", "standard_nv"].iter().any(|series| size.starts_with(series));
    let amd = size.contains("mi300x")
        || size.contains("_v710_")
        || size.starts_with("standard_nv") && size.ends_with("as_v4");
    series && !amd
}

/// The image tells; the SKU stands in where there is none.
fn is_azure_linux(pool: &AgentPool) -> bool {
    let begins = |text: &str, head: &str| text.get(..head.len()).is_some_and(|own| own.eq_ignore_ascii_case(head));
    match (pool.node_image_version.as_deref(), pool.os_sku.as_deref()) {
        (Some(image), _) if begins(image, "AKS") => begins(image, "AKSAzureLinux") || begins(image, "AKSCBLMariner"),
        (_, sku) => sku.is_some_and(|sku| ["AzureLinux", "Mariner", "CBLMariner"].iter().any(|own| begins(sku, own))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::pools::GpuProfile;

    #[test]
    fn drivers_are_fetched_for_some_sizes_only() {
        let pool = |size: &str, sku: &str| AgentPool {
            vm_size: Some(size.to_owned()),
            os_sku: Some(sku.to_owned()),
            ..AgentPool::default()
        };
        for (size, sku) in [
            ("Standard_NV36ads_A10_v5", "Ubuntu"),
            ("Standard_NC8ads_A10_v4", "Ubuntu2404"),
            ("Standard_NC4as_T4_v3", "AzureLinux"),
            ("Standard_NM16ads_MA35D", "Ubuntu"),
        ] {
            assert!(fetched_driver(&pool(size, sku)).is_some(), "{size} {sku}");
        }
        for (size, sku) in [
            ("Standard_NC4as_T4_v3", "Ubuntu"),
            ("Standard_ND96isr_MI300X_v5", "AzureLinux"),
            ("Standard_NV8as_v4", "AzureLinux"),
            ("Standard_D4s_v5", "AzureLinux"),
            ("Standard_NP10s", "AzureLinux"),
        ] {
            assert!(fetched_driver(&pool(size, sku)).is_none(), "{size} {sku}");
        }
        let own = GpuProfile { driver: Some("none".to_owned()) };
        let grid = pool("Standard_NV36ads_A10_v5", "Ubuntu");
        assert!(fetched_driver(&AgentPool { gpu_profile: Some(own), ..grid }).is_none());
    }
}
