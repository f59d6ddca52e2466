//! What Microsoft says of node images and node systems: the two tables that age. Looked at last in November 2026.

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};

use super::image_version::ImageVersion;
use crate::evidence::pools::AgentPool;

/// A node image that breaks network isolated clusters.
#[derive(Debug)]
pub struct BadImage {
    /// How the image's family begins, whatever its generation and architecture.
    family: &'static str,
    numbers: &'static [u64],
    /// What is wrong with it.
    pub why: &'static str,
    pub source: &'static str,
}

/// The images that are known to break such clusters.
const BAD: &[BadImage] = &[BadImage {
    family: "AKSAzureLinux-V3",
    numbers: &[202_601, 27, 0],
    why: "it shipped without oras, so nodes cannot fetch their artifacts from the registry and fail with 211, as if the \
          registry could not be reached",
    source: "https://github.com/Azure/AgentBaker/issues/7907",
}];

/// What is wrong with an image, where something is known to be.
pub fn known_bad(image: &str) -> Option<&'static BadImage> {
    let version = ImageVersion::parse(image)?;
    BAD.iter().find(|bad| begins(&version.family, bad.family) && version.numbers == bad.numbers)
}

/// An operating system of nodes with an end.
#[derive(Debug)]
pub struct System {
    pub title: &'static str,
    /// How the families of its images begin.
    families: &'static [&'static str],
    /// The `osSKU` that always means it; `AzureLinux` and `Ubuntu` mean another version with each Kubernetes version.
    sku: Option<&'static str>,
    /// From this day on there are no new images and no support.
    pub retired: Date,
    /// From this day on the images are gone: scaling out and reimaging fail.
    pub removed: Date,
    /// What to move to.
    pub successor: &'static str,
    pub source: &'static str,
}

const SYSTEMS: &[System] = &[
    System {
        title: "Ubuntu 18.04",
        families: &["AKSUbuntu-1804"],
        sku: None,
        retired: date(2025, 6, 17),
        removed: date(2025, 6, 17),
        successor: "a Kubernetes version whose Ubuntu is supported",
        source: "https://learn.microsoft.com/azure/aks/upgrade-os-version",
    },
    System {
        title: "Ubuntu 20.04",
        families: &["AKSUbuntu-2004"],
        sku: None,
        retired: date(2027, 3, 17),
        removed: date(2027, 3, 17),
        successor: "Kubernetes 1.34 or newer",
        source: "https://learn.microsoft.com/azure/aks/upgrade-os-version",
    },
    System {
        title: "Azure Linux 2",
        families: &["AKSCBLMariner-V2", "AKSAzureLinux-V2", "AKSCBLMariner-V1"],
        sku: None,
        retired: date(2025, 11, 30),
        removed: date(2026, 3, 31),
        successor: "Azure Linux 3 (osSKU AzureLinux3, or Kubernetes 1.32 or newer)",
        source: "https://learn.microsoft.com/azure/aks/upgrade-os-version",
    },
    System {
        title: "Azure Linux with OS Guard (preview)",
        families: &["AKSAzureLinux-OSGuard"],
        sku: Some("AzureLinuxOSGuard"),
        retired: date(2026, 12, 10),
        removed: date(2027, 3, 10),
        successor: "Azure Container Linux",
        source: "https://github.com/Azure/AKS/releases/tag/2026-09-04",
    },
    System {
        title: "Flatcar Container Linux (preview)",
        families: &["AKSFlatcar"],
        sku: Some("Flatcar"),
        retired: date(2026, 6, 8),
        removed: date(2026, 9, 8),
        successor: "Azure Linux 3 or Ubuntu",
        source: "https://github.com/Azure/AKS/releases/tag/2026-07-17",
    },
    System {
        title: "Windows Server 2019",
        families: &["AKSWindows-2019"],
        sku: Some("Windows2019"),
        retired: date(2026, 3, 1),
        removed: date(2027, 4, 1),
        successor: "Windows Server 2022 or 2025",
        source: "https://github.com/Azure/AKS/releases/tag/2026-05-29",
    },
    System {
        title: "Windows Server Annual Channel",
        families: &["AKSWindows-23H2", "AKSWindows-Annual"],
        sku: Some("WindowsAnnual"),
        retired: date(2026, 5, 15),
        removed: date(2027, 5, 15),
        successor: "Windows Server 2022 or 2025 (LTSC)",
        source: "https://github.com/Azure/AKS/releases/tag/2026-05-29",
    },
    System {
        title: "Windows Server 2022",
        families: &["AKSWindows-2022"],
        sku: Some("Windows2022"),
        retired: date(2028, 6, 30),
        removed: date(2029, 6, 30),
        successor: "Windows Server 2025",
        source: "https://github.com/Azure/AKS/releases/tag/2026-06-19",
    },
];

/// How long before its end a system is worth a warning.
const NOTICE: SignedDuration = SignedDuration::from_hours(90 * 24);

impl System {
    /// The system of an image, where it has an end.
    pub fn of_image(image: &str) -> Option<&'static Self> {
        let version = ImageVersion::parse(image)?;
        SYSTEMS.iter().find(|system| system.families.iter().any(|family| begins(&version.family, family)))
    }

    /// The system of the nodes that a pool makes: its image tells, and where that cannot be read its `osSKU`.
    pub fn of_pool(pool: &AgentPool) -> Option<&'static Self> {
        if let Some(image) = pool.node_image_version.as_deref().filter(|image| ImageVersion::parse(image).is_some()) {
            return Self::of_image(image);
        }
        let sku = pool.os_sku.as_deref()?;
        SYSTEMS.iter().find(|system| system.sku.is_some_and(|own| own.eq_ignore_ascii_case(sku)))
    }

    /// Whether its end has come, or comes within 90 days.
    pub fn ends(&self, now: Timestamp) -> bool {
        now.checked_add(NOTICE).is_ok_and(|then| self.retired <= day(then))
    }

    pub fn is_retired(&self, now: Timestamp) -> bool {
        self.retired <= day(now)
    }

    /// Whether its images are gone.
    pub fn is_removed(&self, now: Timestamp) -> bool {
        self.removed <= day(now)
    }
}

fn day(at: Timestamp) -> Date {
    at.to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn begins(family: &str, head: &str) -> bool {
    family.get(..head.len()).is_some_and(|own| own.eq_ignore_ascii_case(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_image_is_bad_and_its_neighbours_are_not() {
        for bad in ["AKSAzureLinux-V3gen2-202601.27.0", "AKSAzureLinux-V3gen2arm64-202601.27.0-2026.02.01"] {
            assert!(known_bad(bad).is_some(), "{bad}");
        }
        for good in ["AKSAzureLinux-V3gen2-202601.27.1", "AKSUbuntu-2204gen2containerd-202601.27.0", "custom"] {
            assert!(known_bad(good).is_none(), "{good}");
        }
    }

    #[test]
    fn a_system_ends_ninety_days_early() {
        let now = |text: &str| text.parse::<Timestamp>().expect("a time");
        let guard = System::of_image("AKSAzureLinux-OSGuardV3gen2fipsTL-202610.1.0").expect("known");
        assert!(!guard.ends(now("2026-09-10T00:00:00Z")) && guard.ends(now("2026-09-12T00:00:00Z")));
        assert!(!guard.is_retired(now("2026-12-09T23:00:00Z")) && guard.is_retired(now("2026-12-10T01:00:00Z")));
        for supported in ["AKSAzureLinux-V3gen2-202601.27.1", "AKSUbuntu-2204gen2containerd-202601.27.0"] {
            assert!(System::of_image(supported).is_none(), "{supported}");
        }
        // The image tells; the SKU stands in where there is none.
        let pool = |image: Option<&str>, sku: &str| AgentPool {
            node_image_version: image.map(str::to_owned),
            os_sku: Some(sku.to_owned()),
            ..AgentPool::default()
        };
        assert!(System::of_pool(&pool(None, "windows2019")).is_some());
        assert!(System::of_pool(&pool(None, "AzureLinux")).is_none());
        assert!(System::of_pool(&pool(Some("AKSAzureLinux-V3gen2-202601.27.1"), "Flatcar")).is_none());
    }
}
