//! Cache rules and images: which rule covers an image, under which reference, and which rule could be made for it.

use super::cluster::is;
use crate::evidence::Evidence;
use crate::evidence::image::{self, Caching, DOCKER_HUB, Image, MOST_RULES, caching};
use crate::evidence::registry::CacheRule;
use crate::text;

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
    let source = image.at_upstream().source();
    let matching = rules.filter_map(|rule| Some((rule, path_under(rule, &source)?)));
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proposal {
    pub name: String,
    /// `ghcr.io/*`.
    pub source: String,
    /// `ghcr.io/*`, under the registry.
    pub target: String,
    /// How the rule signs in to its upstream, where that demands it.
    pub credentials: Option<Credentials>,
    /// Whether the registry's own list of repositories shows that none stands under the target.
    pub target_is_free: bool,
}

impl Proposal {
    /// The host of the upstream.
    pub fn upstream(&self) -> &str {
        self.source.trim_end_matches("/*")
    }

    /// The reference under which the registry would have an image.
    pub fn reference(&self, evidence: &Evidence, image: &Image) -> String {
        let server = evidence.login_server().unwrap_or("<LOGIN_SERVER>");
        format!("{server}/{}{}{}", self.target.trim_end_matches('*'), image.repository, image.tail)
    }
}

/// How a rule signs in to its upstream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Credentials {
    /// With a credential set that another rule of the same upstream has.
    Existing(String),
    /// With a credential set that must be made, of this name.
    New(String),
    /// With a managed identity that may pull from the upstream registry.
    Identity,
}

/// Why no rule can be proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoRoom {
    /// The rule, or the target, that leaves no target free.
    Taken(String),
    /// The registry has as many rules as it takes.
    Full(usize),
}

/// Proposes a rule for an image's registry: with a target that overlaps no other and under which, as far as is seen, no
/// repository stands yet. `listed` is the registry's own list of repositories, where it was asked.
///
/// # Errors
/// What leaves no room for a rule.
pub fn proposal(evidence: &Evidence, image: &Image, listed: Option<&[String]>) -> Result<Proposal, NoRoom> {
    let host = image::leads_to(&image.registry).unwrap_or(&image.registry);
    let rules = || evidence.registry.cache_rules.known().into_iter().flatten();
    let taken = |target: &str| {
        let own =
            |rule: &&CacheRule| overlaps(rule.properties.target_repository.as_deref().unwrap_or_default(), target);
        rules().find(own).map(|rule| rule.name().to_owned())
    };
    let present = rules().count();
    if present >= MOST_RULES {
        return Err(NoRoom::Full(present));
    }
    let [cache, upstream] = SHELVES;
    let targets = [format!("{host}/*"), format!("{cache}{host}/*"), format!("{upstream}{host}/*")];
    let free = targets
        .iter()
        .find(|target| taken(target).is_none() && repositories_under(evidence, target, listed).is_empty());
    let Some(target) = free else {
        return Err(NoRoom::Taken(taken(&targets[0]).unwrap_or_else(|| targets[0].clone())));
    };
    // Azure takes 5 to 50 letters, digits and hyphens.
    let name = rule_name(host);
    let names: Vec<&str> = rules().map(CacheRule::name).collect();
    let name = if names.iter().any(|known| known.eq_ignore_ascii_case(&name)) { format!("{name}-all") } else { name };
    let same_upstream = rules().find_map(|rule| {
        let source = normalized(rule.properties.source_repository.as_deref()?);
        let set = rule.properties.credential_set_resource_id.as_ref()?;
        source.starts_with(&format!("{host}/")).then(|| set.name().to_owned())
    });
    let credentials = match (caching(host), same_upstream) {
        (Caching::Anonymous, _) | (Caching::Either | Caching::Never, None) => None,
        (_, Some(set)) => Some(Credentials::Existing(set)),
        (Caching::Credentials, None) => Some(Credentials::New(name.clone())),
        (Caching::Identity, None) => Some(Credentials::Identity),
    };
    Ok(Proposal {
        name,
        source: format!("{host}/*"),
        target: target.clone(),
        credentials,
        target_is_free: listed.is_some(),
    })
}

/// A name for the rule of a host. What is cut, or replaced by what other hosts have there, ends in a hash of the whole.
fn rule_name(host: &str) -> String {
    let name = host.replace(['.', ':', '_'], "-");
    if name.len() <= 46 && !host.contains([':', '_']) {
        return name;
    }
    format!("{}-{}", name.chars().take(37).collect::<String>(), &text::hash(host)[..8])
}

/// Where an upstream's images may stand in a registry: under its host, or under one of these and its host.
const SHELVES: [&str; 2] = ["cache/", "upstream/"];

/// The image of another registry of which a repository of the bootstrap registry would be a copy, by its path:
/// `quay.io/a/b`, `cache/quay.io/a/b`.
pub fn copied_from(image: &Image) -> Option<Image> {
    let path = SHELVES.iter().find_map(|shelf| image.repository.strip_prefix(shelf)).unwrap_or(&image.repository);
    if !image::is_at_known_registry(path) {
        return None;
    }
    Image::parse(&format!("{path}{}", image.tail))
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
    let mirrored = evidence.mirrors(&image.registry) && evidence.uses_cache();
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
