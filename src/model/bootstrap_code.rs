//! What the exit codes of the node bootstrap (the scale set extension `vmssCSE`) mean.

/// What a code means on a network isolated cluster.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    pub number: u32,
    /// The name in the bootstrap scripts.
    pub name: &'static str,
    pub meaning: &'static str,
    /// What kind of fault it is: which rules may explain it.
    pub fault: Fault,
}

/// The kind of fault behind a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The node tested its way out to the internet.
    Egress,
    /// The registry could not be reached, or answered something unexpected.
    Network,
    /// The bootstrap did not end, for want of an answer from wherever it was.
    Hung,
    /// The registry refused the kubelet identity.
    Unauthorized,
    /// The sign-in worked, and an artifact did not come.
    Artifact,
    Other,
}

const fn code(number: u32, name: &'static str, fault: Fault, meaning: &'static str) -> Code {
    Code { number, name, meaning, fault }
}

// What both systems' codes mean.
const ARTIFACT: &str = "the registry accepted the node, but an artifact could not be pulled: cache rule, data \
                        endpoint, or the registry's upstream";
const OLD_IMAGE: &str = "the node image is too old for bootstrap from a registry";
const NO_TOKEN: &str = "the node's metadata service did not give a token";
const UNREACHABLE: &str =
    "the registry could not be reached, or did not ask for a sign-in: private endpoint, DNS or firewall";
const REFUSED: &str =
    "the registry refused the kubelet identity: no role to pull, or the identity is not on the machine";

const LOCAL_DNS: &str = "the node's own DNS cache (LocalDNS) did not start";

/// Codes of Linux nodes (AgentBaker, `cse_helpers.sh`).
const LINUX: &[Code] = &[
    code(
        31,
        "ERR_K8S_DOWNLOAD_TIMEOUT",
        Fault::Egress,
        "the node tried to download Kubernetes from the internet, as with artifactSource Direct",
    ),
    code(
        41,
        "ERR_CNI_DOWNLOAD_TIMEOUT",
        Fault::Egress,
        "the node tried to download its network plugin from the internet, as with artifactSource Direct",
    ),
    code(45, "ERR_ORAS_DOWNLOAD_ERROR", Fault::Other, OLD_IMAGE),
    code(
        50,
        "ERR_OUTBOUND_CONN_FAIL",
        Fault::Egress,
        "the node's outbound check failed: egress was closed before outboundType none, or before the pool was \
         reimaged",
    ),
    code(51, "ERR_K8S_API_SERVER_CONN_FAIL", Fault::Other, "the API server could not be reached"),
    code(52, "ERR_K8S_API_SERVER_DNS_LOOKUP_FAIL", Fault::Other, "the API server's name does not resolve"),
    code(
        53,
        "ERR_K8S_API_SERVER_AZURE_DNS_LOOKUP_FAIL",
        Fault::Other,
        "the API server's name does not resolve by Azure's DNS",
    ),
    code(
        65,
        "ERR_VHD_FILE_NOT_FOUND",
        Fault::Other,
        "a file that belongs to the node image is not on the node: the image is damaged, or none of AKS's own",
    ),
    code(124, "(time limit)", Fault::Hung, "the bootstrap hung until its time limit"),
    code(
        169,
        "ERR_SECURE_TLS_BOOTSTRAP_CLIENT_DOWNLOAD_ERROR",
        Fault::Other,
        "the client for secure TLS bootstrap could not be fetched",
    ),
    code(
        202,
        "ERR_SNAPSHOT_UPDATE_START_FAIL",
        Fault::Other,
        "the service that updates the node's packages did not start",
    ),
    code(
        205,
        "ERR_CREDENTIAL_PROVIDER_DOWNLOAD_TIMEOUT",
        Fault::Other,
        "the credential provider could not be downloaded",
    ),
    code(207, "ERR_ORAS_PULL_K8S_FAIL", Fault::Artifact, ARTIFACT),
    code(208, "ERR_ORAS_PULL_CREDENTIAL_PROVIDER", Fault::Artifact, ARTIFACT),
    code(210, "ERR_ORAS_IMDS_TIMEOUT", Fault::Other, NO_TOKEN),
    code(211, "ERR_ORAS_PULL_NETWORK_TIMEOUT", Fault::Network, UNREACHABLE),
    code(212, "ERR_ORAS_PULL_UNAUTHORIZED", Fault::Unauthorized, REFUSED),
    code(215, "ERR_DNS_HEALTH_FAIL", Fault::Other, "the node's DNS does not work"),
    code(216, "ERR_LOCALDNS_FAIL", Fault::Other, LOCAL_DNS),
    code(217, "ERR_LOCALDNS_COREFILE_NOTFOUND", Fault::Other, LOCAL_DNS),
    code(218, "ERR_LOCALDNS_SLICEFILE_NOTFOUND", Fault::Other, LOCAL_DNS),
    code(219, "ERR_LOCALDNS_BINARY_ERR", Fault::Other, LOCAL_DNS),
    code(231, "ERR_ORAS_PULL_SYSEXT_FAIL", Fault::Artifact, ARTIFACT),
    code(233, "ERR_PULL_POD_INFRA_CONTAINER_IMAGE", Fault::Artifact, ARTIFACT),
];

/// Codes of packages and drivers on Linux nodes: on Windows these numbers mean something else.
const LINUX_PACKAGES: &[Code] = &[
    code(
        9,
        "ERR_APT_INSTALL_TIMEOUT",
        Fault::Other,
        "packages could not be installed: what the node image does not hold is fetched from the internet, drivers of \
         GPU sizes among them",
    ),
    code(
        10,
        "ERR_MISSING_CUDA_PACKAGE",
        Fault::Other,
        "no package of the GPU driver was found: Azure Linux fetches it from the internet",
    ),
    code(84, "ERR_GPU_DRIVERS_START_FAIL", Fault::Other, "the GPU driver did not start"),
    code(85, "ERR_GPU_DRIVERS_INSTALL_TIMEOUT", Fault::Other, "the GPU driver could not be installed"),
];

/// Codes of Windows nodes (AgentBaker, `windowscsehelper.ps1`).
const WINDOWS: &[Code] = &[
    code(76, "ORAS_NOT_FOUND", Fault::Other, OLD_IMAGE),
    code(77, "ORAS_IMDS_TIMEOUT", Fault::Other, NO_TOKEN),
    code(78, "ORAS_PULL_NETWORK_TIMEOUT", Fault::Network, UNREACHABLE),
    code(79, "ORAS_PULL_UNAUTHORIZED", Fault::Unauthorized, REFUSED),
    code(80, "ORAS_PULL_WINDOWSZIP_FAIL", Fault::Artifact, ARTIFACT),
    code(81, "ORAS_PULL_CREDENTIAL_PROVIDER", Fault::Artifact, ARTIFACT),
    code(82, "ORAS_PULL_POD_INFRA_CONTAINER", Fault::Artifact, ARTIFACT),
    code(
        83,
        "NETWORK_ISOLATED_CLUSTER_CSE_NOT_CACHED",
        Fault::Other,
        "the node image does not hold what an isolated Windows node needs",
    ),
    code(84, "ORAS_PULL_CONTAINERD", Fault::Artifact, ARTIFACT),
];

/// What is known of a code.
pub fn meaning(number: u32, windows: bool) -> Option<&'static Code> {
    let (first, second) = if windows { (WINDOWS, LINUX) } else { (LINUX, LINUX_PACKAGES) };
    // The low numbers of Windows mean something else than those of Linux; the high ones are ARM's words for both.
    let shared = |code: &&Code| !windows || code.number > 99;
    first.iter().chain(second.iter().filter(shared)).find(|code| code.number == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_and_linux_do_not_share_numbers() {
        assert_eq!(meaning(78, true).map(|code| code.fault), Some(Fault::Network));
        assert_eq!(meaning(78, false), None);
        assert_eq!(meaning(84, true).map(|code| code.fault), Some(Fault::Artifact));
        assert_eq!(meaning(84, false).map(|code| code.name), Some("ERR_GPU_DRIVERS_START_FAIL"));
        assert_eq!((meaning(9, true), meaning(50, true)), (None, None));
        assert!(meaning(211, true).is_some());
        assert_eq!(meaning(999, false), None);
    }
}
