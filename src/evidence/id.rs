//! ARM resource ids: compared case-insensitively everywhere, kept as they were written.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::text;

/// An ARM resource id such as `/subscriptions/…/resourceGroups/…/providers/…`.
///
/// ARM answers with the same id in several casings (`resourcegroups`, `ManagedClusters`), so equality,
/// order and hash ignore case, while the text keeps the casing it was read with.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct ResourceId {
    text: String,
    /// The same in lower case: ids are compared more often than anything else.
    #[serde(skip)]
    folded: String,
}

/// Longest id that is kept, in bytes; ARM's own stay far below.
const LIMIT: usize = 2_048;

impl<'de> Deserialize<'de> for ResourceId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::new)
    }
}

impl ResourceId {
    /// Wraps the text as it is, within bounds; [`ResourceId::parse`] is for what a person typed.
    pub fn new(text: impl Into<String>) -> Self {
        Self::within_bounds(bounded(&text.into()))
    }

    fn within_bounds(text: String) -> Self {
        Self { folded: text.to_lowercase(), text }
    }

    /// Reads an id that a person typed and checks that it names a resource of `kind`
    /// (`Microsoft.ContainerService/managedClusters`).
    ///
    /// # Errors
    /// A sentence that says which part of the id is not as expected.
    pub fn parse(text: &str, kind: &str) -> Result<Self, String> {
        let id = Self::new(text.trim());
        if !id.text.starts_with('/') {
            return Err("it must start with \"/subscriptions/\"".to_owned());
        }
        if id.text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("it holds white space or control characters".to_owned());
        }
        let parts: Vec<&str> = id.text.split('/').skip(1).collect();
        let expected = ["subscriptions", "", "resourceGroups", "", "providers"];
        for (at, word) in expected.iter().enumerate() {
            match parts.get(at) {
                Some(&"") => return Err(format!("part {} is empty", at + 1)),
                Some(part) if word.is_empty() || part.eq_ignore_ascii_case(word) => {}
                Some(part) => return Err(format!("it has \"{part}\" where \"{word}\" is expected")),
                None => {
                    return Err(format!("it ends before \"{}\"", if word.is_empty() { "a name" } else { word }));
                }
            }
        }
        if !is_subscription(parts[1]) {
            return Err(format!("\"{}\" is not a subscription id (a GUID)", parts[1]));
        }
        let found = parts[5..].iter().take(2).copied().collect::<Vec<_>>().join("/");
        if !found.eq_ignore_ascii_case(kind) {
            return Err(format!("it names a \"{found}\", not a \"{kind}\""));
        }
        match parts.len() {
            8 if !parts[7].is_empty() => Ok(id),
            8 | 7 => Err("the resource's name is missing".to_owned()),
            _ => Err(format!("it goes on after the resource's name: \"{}\"", parts[8..].join("/"))),
        }
    }

    /// The id as it was read.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The id in lower case: what a fingerprint is made from.
    pub fn normalized(&self) -> String {
        self.folded.clone()
    }

    /// The text after `/subscriptions/`.
    pub fn subscription(&self) -> Option<&str> {
        self.after("subscriptions")
    }

    /// The text after `/resourceGroups/`.
    pub fn resource_group(&self) -> Option<&str> {
        self.after("resourceGroups")
    }

    /// The last segment: the resource's own name.
    pub fn name(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or_default()
    }

    /// The segment that follows `key`, for example `virtualNetworks`.
    pub fn after(&self, key: &str) -> Option<&str> {
        let mut parts = self.text.split('/');
        parts.find(|part| part.eq_ignore_ascii_case(key))?;
        parts.next().filter(|part| !part.is_empty())
    }

    /// A child of this resource: `child("cacheRules")`, `child("A/name")`.
    #[must_use]
    pub fn child(&self, tail: &str) -> Self {
        Self::within_bounds(format!("{}/{tail}", self.text))
    }

    /// The id up to and with the segment that follows `key`: a subnet's virtual network.
    pub fn up_to(&self, key: &str) -> Option<Self> {
        let parts: Vec<&str> = self.text.split('/').collect();
        let at = parts.iter().position(|part| part.eq_ignore_ascii_case(key))?;
        parts.get(..at + 2).map(|parts| Self::within_bounds(parts.join("/")))
    }

    /// Whether `self` is `other` or a scope above it; `/` and management groups lie above every subscription.
    pub fn covers(&self, other: &Self) -> bool {
        let (above, below) = (&self.folded, &other.folded);
        above.is_empty()
            || above.starts_with("/providers/microsoft.management/managementgroups/")
            || below.strip_prefix(above.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// An id within bounds: what is too long to be one is cut, and ends in a hash of the whole, so that two of them stay
/// two.
pub fn bounded(text: &str) -> String {
    let id = text.trim_end_matches('/');
    if id.len() <= LIMIT {
        return id.to_owned();
    }
    let start: String = id.chars().take(LIMIT / 4).collect();
    format!("{start}…{}", text::hash(&id.to_lowercase()))
}

/// Whether the text has the form of a subscription id.
pub fn is_subscription(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.chars().all(|c| c.is_ascii_hexdigit()))
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}

impl Eq for ResourceId {}

impl PartialOrd for ResourceId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ResourceId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded.cmp(&other.folded)
    }
}

impl Hash for ResourceId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded.hash(state);
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "Microsoft.ContainerService/managedClusters";
    const ID: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg/providers/\
                      Microsoft.ContainerService/managedClusters/aks";

    #[test]
    fn what_is_too_long_to_be_an_id_is_cut_but_stays_itself() {
        let long = |end: &str| ResourceId::new(format!("/subscriptions/{}{end}", "ä".repeat(100_000)));
        assert!(long("a").as_str().len() < LIMIT);
        assert_ne!(long("a"), long("b"));
        assert_eq!(long("a"), long("A"));
    }

    #[test]
    fn any_casing_is_the_same_id() {
        assert_eq!(ResourceId::new(ID), ResourceId::new(ID.to_uppercase()));
        assert!(ResourceId::parse(&ID.to_uppercase(), KIND).is_ok());
    }

    #[test]
    fn a_malformed_id_says_what_is_wrong() {
        let wrong = |text: &str| ResourceId::parse(text, KIND).expect_err(text);
        assert!(wrong("aks").contains("/subscriptions/"));
        assert!(wrong(&ID.replace("1111-", "xxxx-")).contains("GUID"));
        assert!(wrong(&ID.replace("managedClusters", "fleets")).contains("fleets"));
        assert!(wrong(&format!("{ID}/agentPools/np1")).contains("agentPools/np1"));
        assert!(wrong(ID.trim_end_matches("/aks")).contains("name is missing"));
        assert!(wrong(&ID.replace("/rg/", "/r g/")).contains("white space"));
        assert!(wrong("/subscriptions/11111111-2222-3333-4444-555555555555").contains("resourceGroups"));
    }

    #[test]
    fn scopes_cover_what_lies_below_them() {
        let id = ResourceId::new(ID);
        let scope = |text: &str| ResourceId::new(text).covers(&id);
        assert!(scope("/"));
        assert!(scope("/providers/Microsoft.Management/managementGroups/all"));
        assert!(scope("/subscriptions/11111111-2222-3333-4444-555555555555/resourcegroups/RG"));
        assert!(!scope("/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/r"));
    }

    #[test]
    fn a_subnet_names_its_network() {
        let subnet = ResourceId::new(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/n",
        );
        assert_eq!(
            subnet.up_to("virtualNetworks"),
            Some(ResourceId::new(subnet.as_str().trim_end_matches("/subnets/n")))
        );
    }
}
