//! Cache rules and images: which rule covers an image, under which reference, and which rule could be made for it.

use super::cluster::is;
use crate::evidence::Evidence;
use crate::evidence::image::{self, Caching, DOCKER_HUB, Image, caching};
use crate::evidence::registry::CacheRule;

/// An existing rule that covers an image.
#[derive(Debug)]
pub struct Covering<'e> {
    pub rule: &'e CacheRule,
    /// The reference under which the registry has the image.
    pub reference: String,
}

/// The rule that covers an image: one for its repository alone before wildcards, and the narrowest of these.
pub fn covering<'e>(evidence: &'e Evidence, image: &Image) -> Option<Covering<'e>> {
    let server = evidence.login_server()?;
    let rules = evidence.registry.cache_rules.known()?.iter();
    let matching = rules.filter_map(|rule| Some((rule, path_under(rule, &image.source())?)));
    let (rule, path) = matching.max_by_key(|(rule, _)| specificity(rule))?;
    Some(Covering { rule, reference: format!("{server}/{path}{}", image.tail) })
}

/// The rule that fills a repository of the registry, and the upstream repository that it is filled from.
pub fn filling<'e>(evidence: &'e Evidence, repository: &str) -> Option<(&'e CacheRule, String)> {
    let rules = evidence.registry.cache_rules.known()?.iter();
    let matching = rules.filter_map(|rule| {
        let source = rule.properties.source_repository.as_deref()?;
        let rest = rest(rule.properties.target_repository.as_deref()?, repository)?;
        Some((rule, format!("{}{rest}", source.trim_end_matches('*'))))
    });
    matching.max_by_key(|(rule, _)| rule.properties.target_repository.as_ref().map_or(0, String::len))
}

/// The repository under which a rule keeps an upstream repository.
fn path_under(rule: &CacheRule, source: &str) -> Option<String> {
    let rest = rest(&normalized(rule.properties.source_repository.as_deref()?), source)?.to_owned();
    let target = rule.properties.target_repository.as_deref()?;
    Some(format!("{}{rest}", target.trim_end_matches('*')))
}

/// What a pattern's `*` stands for in a path; a pattern without one stands for itself.
fn rest<'p>(pattern: &str, path: &'p str) -> Option<&'p str> {
    match pattern.strip_suffix('*') {
        Some(prefix) => path.strip_prefix(prefix).filter(|rest| !rest.is_empty()),
        None => (pattern == path).then_some(""),
    }
}

/// A source under the host's usual name; Docker Hub's own images stand under `library`, named or not.
fn normalized(source: &str) -> String {
    let (host, path) = source.split_once('/').unwrap_or((source, ""));
    match image::usual(&host.to_lowercase()) {
        DOCKER_HUB if !path.contains(['/', '*']) => format!("{DOCKER_HUB}/library/{path}"),
        host => format!("{host}/{path}"),
    }
}

fn specificity(rule: &CacheRule) -> (bool, usize, bool) {
    let source = rule.properties.source_repository.as_deref().unwrap_or_default();
    (!source.ends_with('*'), source.len(), !is(rule.properties.provisioning_state.as_ref(), "Failed"))
}

/// A rule that could be made.
#[derive(Debug)]
pub struct Proposal {
    pub name: String,
    /// `ghcr.io/*`.
    pub source: String,
    /// `ghcr.io/*`, under the registry.
    pub target: String,
    /// The reference under which the image would be pulled.
    pub reference: String,
    /// The credential set that its upstream demands, where it demands one: one that another rule of this upstream has,
    /// or the name for a new one.
    pub credentials: Option<Credentials>,
    /// Whether the registry's own list of repositories shows that none stands under the target.
    pub target_is_free: bool,
}

#[derive(Debug)]
pub enum Credentials {
    /// Another rule of the same upstream has it.
    Existing(String),
    /// It must be made.
    New(String),
}

/// Proposes a rule for an image's registry: with a target that overlaps no other and under which, as far as is seen, no
/// repository stands yet. `listed` is the registry's own list of repositories, where it was asked.
///
/// # Errors
/// The existing rule whose target leaves no room.
pub fn proposal(evidence: &Evidence, image: &Image, listed: Option<&[String]>) -> Result<Proposal, String> {
    let server = evidence.login_server().unwrap_or("<LOGIN_SERVER>");
    let host = &image.registry;
    let rules = || evidence.registry.cache_rules.known().into_iter().flatten();
    let taken = |target: &str| {
        let own =
            |rule: &&CacheRule| overlaps(rule.properties.target_repository.as_deref().unwrap_or_default(), target);
        rules().find(own).map(|rule| rule.name().to_owned())
    };
    let targets = [format!("{host}/*"), format!("cache/{host}/*"), format!("upstream/{host}/*")];
    let free = targets
        .iter()
        .find(|target| taken(target).is_none() && repositories_under(evidence, target, listed).is_empty());
    let Some(target) = free else {
        return Err(taken(&targets[0]).unwrap_or_else(|| targets[0].clone()));
    };
    // Azure takes 5 to 50 letters, digits and hyphens.
    let name: String = host.replace(['.', ':', '_'], "-").chars().take(46).collect();
    let names: Vec<&str> = rules().map(CacheRule::name).collect();
    let name = if names.iter().any(|known| known.eq_ignore_ascii_case(&name)) { format!("{name}-all") } else { name };
    let same_upstream = rules().find_map(|rule| {
        let source = normalized(rule.properties.source_repository.as_deref()?);
        let set = rule.properties.credential_set_resource_id.as_ref()?;
        source.starts_with(&format!("{host}/")).then(|| set.name().to_owned())
    });
    let credentials = match (same_upstream, caching(host)) {
        (Some(set), _) => Some(Credentials::Existing(set)),
        (None, Caching::WithCredentials) => Some(Credentials::New(name.clone())),
        _ => None,
    };
    Ok(Proposal {
        reference: format!("{server}/{}{}{}", target.trim_end_matches('*'), image.repository, image.tail),
        name,
        source: format!("{host}/*"),
        target: target.clone(),
        credentials,
        target_is_free: listed.is_some(),
    })
}

/// Repositories that stand under a target already: as the registry says, where it was asked, and as images in use show.
pub fn repositories_under(evidence: &Evidence, target: &str, listed: Option<&[String]>) -> Vec<String> {
    let Some(server) = evidence.login_server() else { return Vec::new() };
    let used = evidence.kubernetes.images.known().into_iter().flat_map(|images| &images.used);
    // Reading a reference costs far more than looking at how it begins, and this is asked for every image.
    let here = |text: &str| text.get(..server.len()).is_some_and(|host| host.eq_ignore_ascii_case(server));
    let own = used.filter(|usage| here(&usage.image)).filter_map(|usage| Image::parse(&usage.image));
    let own = own.filter(|image| image.registry.eq_ignore_ascii_case(server)).map(|image| image.repository);
    let all = own.chain(listed.into_iter().flatten().cloned());
    all.filter(|repository| rest(target, repository).is_some() && filling(evidence, repository).is_none()).collect()
}

/// Whether the artifact cache refuses the second target beside the first: wildcards must not overlap.
pub fn overlaps(one: &str, other: &str) -> bool {
    match (one.strip_suffix('*'), other.strip_suffix('*')) {
        (Some(one), Some(other)) => one.starts_with(other) || other.starts_with(one),
        _ => one == other,
    }
}

/// The repository of the bootstrap registry from which nodes would pull an image.
pub fn repository_in_registry(evidence: &Evidence, image: &Image) -> Option<String> {
    let server = evidence.login_server()?;
    if server.eq_ignore_ascii_case(&image.registry) {
        return Some(image.repository.clone());
    }
    let mirrored = image.is_microsoft() && evidence.uses_cache();
    mirrored.then(|| format!("aks-managed-repository/{}", image.repository))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_compared_under_one_name() {
        assert_eq!(normalized("docker.io/redis"), "docker.io/library/redis");
        assert_eq!(normalized("registry-1.docker.io/bitnami/*"), "docker.io/bitnami/*");
        assert_eq!(normalized("docker.io/*"), "docker.io/*");
        assert_eq!(normalized("registry.hub.docker.com/redis"), "docker.io/library/redis");
        assert_eq!(normalized("Quay.io/a/b"), "quay.io/a/b");
    }

    #[test]
    fn wildcards_stand_for_something() {
        assert_eq!(rest("a/*", "a/b/c"), Some("b/c"));
        assert_eq!(rest("a/*", "a/"), None);
        assert_eq!(rest("a/b", "a/b"), Some(""));
        assert_eq!(rest("a/b", "a/b/c"), None);
    }

    #[test]
    fn only_wildcards_overlap() {
        assert!(overlaps("*", "aks-managed-repository/*"));
        assert!(overlaps("a/b/*", "a/*"));
        assert!(!overlaps("a/*", "ab/*"));
        assert!(!overlaps("a/*", "a/b"), "a static rule overrides a wildcard");
    }
}
