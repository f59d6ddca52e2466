//! The hosts of registries: what the artifact cache can pull from, which hosts lead to another, which are public.

use super::DOCKER_HUB;
use crate::evidence::cloud;

/// How a registry's artifact cache pulls from an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caching {
    /// Without credentials only.
    Anonymous,
    /// Without credentials, or with a credential set.
    Either,
    /// With a credential set only.
    Credentials,
    /// With a managed identity that may pull from the upstream: another Azure Container Registry.
    Identity,
    /// Not at all: it is no documented upstream.
    Never,
}

/// Most cache rules that one registry takes.
pub const MOST_RULES: usize = 1_000;

/// The upstreams of the artifact cache, as documented in August 2026
/// (<https://learn.microsoft.com/azure/container-registry/artifact-cache-overview#upstream-support>). Microsoft's
/// registry and other Azure registries are upstreams too: their hosts differ by cloud.
const UPSTREAMS: [(&str, Caching); 11] = [
    (DOCKER_HUB, Caching::Credentials),
    ("dhi.io", Caching::Credentials),
    ("public.ecr.aws", Caching::Anonymous),
    ("ghcr.io", Caching::Either),
    ("quay.io", Caching::Either),
    ("registry.k8s.io", Caching::Either),
    ("gcr.io", Caching::Either),
    (".pkg.dev", Caching::Credentials),
    ("nvcr.io", Caching::Either),
    ("registry.redhat.io", Caching::Credentials),
    ("registry.access.redhat.com", Caching::Anonymous),
];

/// Hosts that lead to an upstream, where the same path names the same image: names that a project has for itself, and
/// names that were given up.
const LEADS_TO: [(&str, &str); 9] = [
    // https://kubernetes.io/blog/2023/03/10/image-registry-redirect/
    ("k8s.gcr.io", "registry.k8s.io"),
    // https://cloud.google.com/artifact-registry/docs/pull-cached-dockerhub-images
    ("mirror.gcr.io", DOCKER_HUB),
    // https://linkerd.io/2/tasks/using-a-private-docker-repository/
    ("cr.l5d.io", "ghcr.io"),
    // https://docs.linuxserver.io/FAQ/
    ("lscr.io", "ghcr.io"),
    // https://kyverno.io/docs/installation/
    ("reg.kyverno.io", "ghcr.io"),
    // https://external-secrets.io/latest/introduction/getting-started/
    ("oci.external-secrets.io", "ghcr.io"),
    // https://docs.fluentbit.io/manual/installation/downloads/docker
    ("cr.fluentbit.io", "ghcr.io"),
    // https://docs.n8n.io/hosting/installation/docker/
    ("docker.n8n.io", DOCKER_HUB),
    // https://docs.redpanda.com/current/get-started/quick-start/
    ("docker.redpanda.com", DOCKER_HUB),
];

/// What the artifact cache can do for the images of a registry, also under a host that only leads to it.
pub fn caching(registry: &str) -> Caching {
    let registry = leads_to(registry).unwrap_or(registry);
    if cloud::is_mcr(registry) {
        return Caching::Anonymous;
    }
    if cloud::is_registry(registry) {
        return Caching::Identity;
    }
    upstream(registry).map_or(Caching::Never, |(_, caching)| *caching)
}

/// The upstream's entry for a host.
fn upstream(registry: &str) -> Option<&'static (&'static str, Caching)> {
    let is = |host: &str| if host.starts_with('.') { registry.ends_with(host) } else { registry == host };
    UPSTREAMS.iter().find(|(host, _)| is(host))
}

/// The registry that a host leads to with the same paths.
pub fn leads_to(registry: &str) -> Option<&'static str> {
    LEADS_TO.iter().find(|(host, _)| *host == registry).map(|(_, upstream)| *upstream)
}

/// Public registries that everybody knows. A host that nobody knows may be private and reachable.
pub fn is_public(registry: &str) -> bool {
    const KNOWN: [&str; 16] = [
        "registry.gitlab.com",
        "registry.connect.redhat.com",
        "registry.suse.com",
        "registry.developers.crunchydata.com",
        "registry.opensource.zalan.do",
        "container-registry.oracle.com",
        "icr.io",
        "cgr.dev",
        "xpkg.upbound.io",
        "xpkg.crossplane.io",
        "docker.elastic.co",
        "docker.dragonflydb.io",
        "docker.getcollate.io",
        "cr.weaviate.io",
        "cr.yandex",
        "images.getsentry.net",
    ];
    let is_upstream = upstream(registry).is_some() || leads_to(registry).is_some();
    is_upstream || KNOWN.contains(&registry) || registry.ends_with(".gcr.io")
}

/// Whether a host may be one of the internet's: a name of more than one label, and no address or suffix that only
/// private networks have.
pub fn may_be_public(registry: &str) -> bool {
    const PRIVATE: [&str; 12] = [
        "local",
        "internal",
        "corp",
        "lan",
        "home",
        "intranet",
        "private",
        "localhost",
        "test",
        "invalid",
        "svc",
        "arpa",
    ];
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_address = last.chars().all(|c| c.is_ascii_digit());
    host.contains('.') && !is_address && !PRIVATE.contains(&last)
}

/// Whether a text begins with the host of a registry: one that everybody knows, or one by its name alone.
pub fn is_at_known_registry(text: &str) -> bool {
    text.split_once('/').is_some_and(|(host, _)| is_public(host) || caching(host) != Caching::Never)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams_are_those_of_the_documentation() {
        assert_eq!(caching(DOCKER_HUB), Caching::Credentials);
        assert_eq!(caching("europe-docker.pkg.dev"), Caching::Credentials);
        assert_eq!(caching("quay.io"), Caching::Either);
        assert_eq!(caching("registry.access.redhat.com"), Caching::Anonymous);
        assert_eq!(caching("contosoapps.azurecr.io"), Caching::Identity);
        assert_eq!(caching("docker.elastic.co"), Caching::Never);
        assert_eq!(caching("eu.gcr.io"), Caching::Never, "only gcr.io itself is documented");
        assert_eq!(caching("notpkg.dev"), Caching::Never);
    }

    #[test]
    fn every_host_that_leads_elsewhere_leads_to_an_upstream() {
        for (host, upstream) in LEADS_TO {
            assert_ne!(caching(upstream), Caching::Never, "{host}");
            assert!(caching(host) == caching(upstream) && is_public(host) && leads_to(upstream).is_none(), "{host}");
        }
    }

    #[test]
    fn public_hosts_are_told_from_private_ones() {
        assert!(is_at_known_registry("x.azurecr.io/a") && is_at_known_registry("us-docker.pkg.dev/a"));
        assert!(!is_at_known_registry("harbor.example.com/a") && !is_at_known_registry("quay.io"));
        assert!(is_public("eu.gcr.io") && !is_public("mcr.microsoft.com") && !is_public("harbor.example.com"));
        for host in ["registry.example.com", "docker.vendor.io:5000", "quay.io"] {
            assert!(may_be_public(host), "{host}");
        }
        for host in ["harbor", "localhost:5000", "10.0.0.4:5000", "harbor.corp", "registry.shop.svc", "a.internal"] {
            assert!(!may_be_public(host), "{host}");
        }
    }
}
