//! Image references, and the registries that they name.

use oci_spec::distribution::Reference;

use super::cloud;

/// Docker Hub, under the name that references and cache rules have for it.
pub const DOCKER_HUB: &str = "docker.io";

/// A reference that was read: `alpine` is `docker.io/library/alpine`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Host of the registry, in lower case, with its port if it has one.
    pub registry: String,
    /// Path in the registry.
    pub repository: String,
    /// `:tag` or `@digest`, as a reference ends; empty = `latest`.
    pub tail: String,
}

impl Image {
    /// Reads a reference; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let reference: Reference = text.trim_start_matches("https://").parse().ok()?;
        let registry = usual(&reference.registry().to_lowercase()).to_owned();
        // Runtimes refuse what the parser lets through.
        if reference.repository().chars().any(|c| c.is_ascii_uppercase()) {
            return None;
        }
        let tail = match (reference.tag(), reference.digest()) {
            (_, Some(digest)) => format!("@{digest}"),
            (Some(tag), None) => format!(":{tag}"),
            (None, None) => String::new(),
        };
        Some(Self { registry, repository: reference.repository().to_owned(), tail })
    }

    /// The repository as the source of a cache rule names it: `docker.io/library/redis`.
    pub fn source(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The tag or digest alone.
    pub fn version(&self) -> &str {
        match self.tail.get(1..) {
            Some(version) if !version.is_empty() => version,
            _ => "latest",
        }
    }

    /// Whether the registry is Microsoft's: what nodes of an isolated cluster mirror.
    pub fn is_microsoft(&self) -> bool {
        cloud::is_mcr(&self.registry)
    }

    /// Whether the registry is an Azure Container Registry, by its host.
    pub fn is_azure(&self) -> bool {
        cloud::is_registry(&self.registry)
    }
}

/// The name that references and cache rules usually have for a host, which is in lower case.
pub fn usual(host: &str) -> &str {
    match host {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => DOCKER_HUB,
        other => other,
    }
}

/// Whether a text begins with the host of a registry: one that everybody knows, or one by its name alone.
pub fn is_at_known_registry(text: &str) -> bool {
    let is_known =
        |host: &str| is_public(host) || cloud::is_mcr(host) || cloud::is_registry(host) || host.ends_with(".pkg.dev");
    text.split_once('/').is_some_and(|(host, _)| is_known(host))
}

/// Whether a text that may be a reference ends with a tag or digest.
pub fn has_version(text: &str) -> bool {
    text.rsplit('/').next().is_some_and(|last| last.contains([':', '@']))
}

/// Whether a text is a template that somebody fills in: of Go, of a shell, of envsubst or of a workflow.
pub fn is_template(text: &str) -> bool {
    ["{{", "${", "$("].iter().any(|mark| text.contains(mark))
}

/// Reads the host of a registry, with its port if it has one.
///
/// # Errors
/// What was expected.
pub fn host(text: &str) -> Result<String, String> {
    let lower = text.trim().to_lowercase();
    let read = Image::parse(&format!("{lower}/a")).filter(|image| image.registry == lower && image.repository == "a");
    read.map(|image| image.registry).ok_or_else(|| {
        "expected the host of a registry as images name it, such as harbor.example.com or quay.io".to_owned()
    })
}

/// Public registries that everybody knows. A host that nobody knows may be private and reachable.
pub fn is_public(registry: &str) -> bool {
    const KNOWN: &[&str] = &[
        DOCKER_HUB,
        "ghcr.io",
        "lscr.io",
        "quay.io",
        "gcr.io",
        "registry.k8s.io",
        "k8s.gcr.io",
        "public.ecr.aws",
        "nvcr.io",
        "registry.gitlab.com",
        "registry.access.redhat.com",
        "registry.redhat.io",
        "registry.connect.redhat.com",
        "registry.suse.com",
        "registry.developers.crunchydata.com",
        "registry.opensource.zalan.do",
        "container-registry.oracle.com",
        "icr.io",
        "cgr.dev",
        "dhi.io",
        "xpkg.upbound.io",
        "xpkg.crossplane.io",
        "docker.elastic.co",
        "docker.redpanda.com",
        "docker.n8n.io",
        "cr.fluentbit.io",
        "cr.l5d.io",
        "reg.kyverno.io",
        "oci.external-secrets.io",
    ];
    KNOWN.contains(&registry) || registry.ends_with(".gcr.io")
}

/// How a registry's artifact cache pulls from an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caching {
    /// Without credentials, or with them.
    Open,
    /// With a credential set only.
    WithCredentials,
    /// Not at all: it is no documented upstream.
    Never,
}

/// What the artifact cache's list of upstreams says of a registry
/// (<https://learn.microsoft.com/azure/container-registry/artifact-cache-overview#upstream-support>).
pub fn caching(registry: &str) -> Caching {
    match registry {
        DOCKER_HUB => Caching::WithCredentials,
        "public.ecr.aws" | "ghcr.io" | "quay.io" | "registry.k8s.io" | "gcr.io" => Caching::Open,
        host if cloud::is_mcr(host) => Caching::Open,
        host if host.ends_with(".pkg.dev") => Caching::WithCredentials,
        _ => Caching::Never,
    }
}

/// The registry that a host leads to with the same paths: a name of a project's own, or one that was given up.
pub fn leads_to(registry: &str) -> Option<&'static str> {
    match registry {
        "k8s.gcr.io" => Some("registry.k8s.io"),
        "cr.l5d.io" | "lscr.io" | "reg.kyverno.io" | "oci.external-secrets.io" => Some("ghcr.io"),
        "mirror.gcr.io" => Some(DOCKER_HUB),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_the_container_runtime_reads_them() {
        let read = |text: &str| {
            let image = Image::parse(text).unwrap_or_else(|| panic!("{text}"));
            (image.source(), image.tail)
        };
        assert_eq!(read("redis"), ("docker.io/library/redis".into(), ":latest".into()));
        assert_eq!(read("bitnami/redis:7"), ("docker.io/bitnami/redis".into(), ":7".into()));
        assert_eq!(read("docker.io/traefik:v3"), ("docker.io/library/traefik".into(), ":v3".into()));
        assert_eq!(read("registry.hub.docker.com/library/redis:7"), ("docker.io/library/redis".into(), ":7".into()));
        assert_eq!(read("index.docker.io/library/redis:7"), ("docker.io/library/redis".into(), ":7".into()));
        assert_eq!(read("localhost:5000/a/b:1"), ("localhost:5000/a/b".into(), ":1".into()));
        let digest = format!("ghcr.io/a/b:1@sha256:{}", "a".repeat(64));
        assert_eq!(read(&digest).1, format!("@sha256:{}", "a".repeat(64)));
        for bad in ["", "UPPER/case:1", "a b", "{{ .Values.image }}", "ghcr.io/a:", ":1", "http://x/y"] {
            assert_eq!(Image::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn hosts_of_registries_are_told_from_all_else() {
        for good in ["harbor.example.com", "harbor.corp:5000", "QUAY.io", "localhost:5000"] {
            assert_eq!(host(good), Ok(good.to_lowercase()), "{good}");
        }
        for bad in ["", "harbor", "https://harbor.corp", "harbor.corp/team", "a b.c", "*.corp"] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn upstreams_are_those_of_the_documentation() {
        assert_eq!(caching(DOCKER_HUB), Caching::WithCredentials);
        assert_eq!(caching("europe-docker.pkg.dev"), Caching::WithCredentials);
        assert_eq!(caching("quay.io"), Caching::Open);
        assert_eq!(caching("docker.elastic.co"), Caching::Never);
        assert_eq!(leads_to("reg.kyverno.io").map(caching), Some(Caching::Open));
        assert!(is_at_known_registry("x.azurecr.io/a") && is_at_known_registry("us-docker.pkg.dev/a"));
        assert!(!is_at_known_registry("harbor.example.com/a") && !is_at_known_registry("quay.io"));
        assert!(has_version("a:1") && has_version("h:5/a@sha256:0") && !has_version("h:5/a"));
        assert!(is_public("eu.gcr.io") && !is_public("mcr.microsoft.com") && !is_public("harbor.example.com"));
    }
}
