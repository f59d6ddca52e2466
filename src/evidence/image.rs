//! Image references, and the registries that they name.

mod upstreams;

use std::borrow::Cow;

use oci_spec::distribution::Reference;

use super::cloud;
pub use upstreams::{Caching, MOST_RULES, caching, is_at_known_registry, is_public, leads_to, may_be_public};

/// Docker Hub, under the name that references and cache rules have for it.
pub const DOCKER_HUB: &str = "docker.io";

/// A reference that was read: `alpine` is `docker.io/library/alpine`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Host of the registry, in lower case, with its port if it has one.
    pub registry: String,
    /// Path in the registry.
    pub repository: String,
    /// `:tag`, `@digest` or `:tag@digest`, as a reference ends; empty = `latest`.
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
            (Some(tag), Some(digest)) => format!(":{tag}@{digest}"),
            (None, Some(digest)) => format!("@{digest}"),
            (Some(tag), None) => format!(":{tag}"),
            (None, None) => String::new(),
        };
        Some(Self { registry, repository: reference.repository().to_owned(), tail })
    }

    /// The repository as the source of a cache rule names it: `docker.io/library/redis`.
    pub fn source(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The tag, where the reference has one.
    pub fn tag(&self) -> Option<&str> {
        self.tail.strip_prefix(':')?.split('@').next()
    }

    /// The digest, where the reference has one.
    pub fn digest(&self) -> Option<&str> {
        self.tail.split_once('@').map(|(_, digest)| digest)
    }

    /// What a pull asks for: the digest, where there is one, else the tag.
    pub fn version(&self) -> &str {
        self.digest().or_else(|| self.tag()).unwrap_or("latest")
    }

    /// The same image in the registry that its host leads to.
    pub fn at_upstream(&self) -> Cow<'_, Self> {
        match leads_to(&self.registry) {
            Some(upstream) => Cow::Owned(Self { registry: upstream.to_owned(), ..self.clone() }),
            None => Cow::Borrowed(self),
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
    let read = Image::parse(&format!("{lower}/a/b"));
    let read = read.filter(|image| image.registry == usual(&lower) && image.repository == "a/b");
    read.map(|image| image.registry).ok_or_else(|| {
        "expected the host of a registry as images name it, such as harbor.example.com or quay.io".to_owned()
    })
}

/// Reads the host of a registry, or a pattern of hosts: `*`, `*.example.com`.
///
/// # Errors
/// What was expected.
pub fn host_pattern(text: &str) -> Result<String, String> {
    let lower = text.trim().to_lowercase();
    match lower.strip_prefix('*') {
        Some("") => Ok(lower),
        Some(rest) => host(rest.strip_prefix('.').unwrap_or_default()).map(|_| lower.clone()),
        None => host(&lower),
    }
    .map_err(|why| format!("{why}; or * for every host, or *.example.com"))
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
        assert_eq!(read(&digest).1, format!(":1@sha256:{}", "a".repeat(64)), "the tag stays, for people");
        let both = Image::parse(&digest).expect("an image");
        assert_eq!((both.tag(), both.version()), (Some("1"), format!("sha256:{}", "a".repeat(64)).as_str()));
        assert_eq!(Image::parse("ghcr.io/a/b").map(|image| image.version().to_owned()), Some("latest".to_owned()));
        for bad in ["", "UPPER/case:1", "a b", "{{ .Values.image }}", "ghcr.io/a:", ":1", "http://x/y"] {
            assert_eq!(Image::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn hosts_of_registries_are_told_from_all_else() {
        for good in ["harbor.example.com", "harbor.corp:5000", "QUAY.io", "localhost:5000", "docker.io"] {
            assert_eq!(host(good), Ok(good.to_lowercase()), "{good}");
        }
        for bad in ["", "harbor", "https://harbor.corp", "harbor.corp/team", "a b.c", "*.corp"] {
            assert!(host(bad).is_err(), "{bad}");
        }
        for (pattern, good) in
            [("*", true), ("*.Docker.io", true), ("quay.io", true), ("*quay.io", false), ("q*", false)]
        {
            assert_eq!(host_pattern(pattern).is_ok(), good, "{pattern}");
        }
    }
}
