//! Changes that one thinks of: the same checks on the changed evidence say what they would break. Nothing is changed
//! anywhere.

mod apply;
mod effect;
mod managed;

use crate::evidence::id::ResourceId;
use crate::text;
pub use apply::set_outbound;
pub use effect::{Effect, Moved};

/// What a change may be, for help and errors.
pub const GRAMMAR: &str = "delete cache-rule NAME, create cache-rule NAME SOURCE TARGET, delete private-endpoint \
                           NAME, delete registry, delete dns-record NAME, unlink zone NAME [from NETWORK], remove \
                           role-assignment ROLE, set outbound TYPE, set artifact-source Direct|Cache, change registry \
                           ARM_ID, reimage POOL|all";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A cache rule is gone.
    DeleteCacheRule(String),
    /// A cache rule is there: its name, source and target.
    CreateCacheRule(String, String, String),
    /// A private endpoint of the registry is gone.
    DeletePrivateEndpoint(String),
    /// The registry is gone.
    DeleteRegistry,
    /// A record is gone from the registry's zones.
    DeleteDnsRecord(String),
    /// A zone is no longer linked, to one network or to any.
    UnlinkZone(String, Option<String>),
    /// A role, or one assignment, is taken from the kubelet identity.
    RemoveRoleAssignment(String),
    /// The outbound type is another.
    SetOutbound(String),
    /// The artifact source is another.
    SetArtifactSource(String),
    /// The bootstrap registry is another.
    ChangeRegistry(ResourceId),
    /// The nodes of a pool, or of all, are reimaged.
    Reimage(Option<String>),
}

impl std::str::FromStr for Change {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "\"{}\" is no change that is known; expected one of: {GRAMMAR}",
                text::clean(&text::bounded(text, 100))
            )
        };
        let words = words(text);
        let head: Vec<String> = words.iter().take(2).map(|word| word.to_lowercase()).collect();
        let rest = words.get(2..).unwrap_or_default();
        let name = || if rest.is_empty() { Err(wrong()) } else { Ok(rest.join(" ")) };
        let one = || if rest.len() == 1 { Ok(rest[0].clone()) } else { Err(wrong()) };
        match (head.first().map_or("", String::as_str), head.get(1).map_or("", String::as_str)) {
            ("delete", "cache-rule") => Ok(Self::DeleteCacheRule(one()?)),
            ("create", "cache-rule") => match rest {
                [name, source, target] => Ok(Self::CreateCacheRule(name.clone(), source.clone(), target.clone())),
                _ => Err(wrong()),
            },
            ("delete", "private-endpoint") => Ok(Self::DeletePrivateEndpoint(one()?)),
            ("delete", "registry") => Ok(Self::DeleteRegistry),
            ("delete", "dns-record") => Ok(Self::DeleteDnsRecord(one()?)),
            ("unlink", "zone") => match rest {
                [zone] => Ok(Self::UnlinkZone(zone.clone(), None)),
                [zone, from, network] if from.eq_ignore_ascii_case("from") => {
                    Ok(Self::UnlinkZone(zone.clone(), Some(network.clone())))
                }
                _ => Err(wrong()),
            },
            ("remove", "role-assignment") => Ok(Self::RemoveRoleAssignment(name()?)),
            ("set", "outbound" | "outbound-type") => Ok(Self::SetOutbound(outbound(&one()?)?)),
            ("set", "artifact-source") => match one()?.to_lowercase().as_str() {
                "direct" => Ok(Self::SetArtifactSource("Direct".to_owned())),
                "cache" => Ok(Self::SetArtifactSource("Cache".to_owned())),
                _ => Err("the artifact source is Direct or Cache".to_owned()),
            },
            ("change", "registry") => {
                let id = one()?;
                let id = ResourceId::parse(&id, "Microsoft.ContainerRegistry/registries")
                    .map_err(|why| format!("change registry needs the id of a registry: {why}"))?;
                Ok(Self::ChangeRegistry(id))
            }
            ("reimage", "all") => Ok(Self::Reimage(None)),
            ("reimage", _) if words.len() == 2 => Ok(Self::Reimage(Some(words[1].clone()))),
            _ => Err(wrong()),
        }
    }
}

/// The words of a change; `role assignment` is as good as `role-assignment`.
fn words(text: &str) -> Vec<String> {
    const PAIRS: [(&str, &str); 5] =
        [("cache", "rule"), ("private", "endpoint"), ("role", "assignment"), ("dns", "record"), ("artifact", "source")];
    let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    for (one, two) in PAIRS {
        let pair = |pair: &[String]| pair[0].eq_ignore_ascii_case(one) && pair[1].eq_ignore_ascii_case(two);
        if let Some(at) = words.windows(2).take(2).position(pair) {
            words.splice(at..at + 2, [format!("{one}-{two}")]);
        }
    }
    words
}

/// An outbound type as ARM writes it.
fn outbound(word: &str) -> Result<String, String> {
    const TYPES: [&str; 7] = [
        "none",
        "block",
        "loadBalancer",
        "userDefinedRouting",
        "managedNATGateway",
        "managedNATGatewayV2",
        "userAssignedNATGateway",
    ];
    let known = TYPES.iter().find(|known| known.eq_ignore_ascii_case(word));
    known.map(|known| (*known).to_owned()).ok_or_else(|| format!("an outbound type is one of {}", TYPES.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_in_the_words_of_the_field() {
        let read = |text: &str| text.parse::<Change>();
        assert_eq!(read("delete cache-rule a"), Ok(Change::DeleteCacheRule("a".into())));
        assert_eq!(read("Delete cache rule a"), Ok(Change::DeleteCacheRule("a".into())));
        assert_eq!(read("unlink zone z from n"), Ok(Change::UnlinkZone("z".into(), Some("n".into()))));
        assert_eq!(
            read("remove role assignment Container Registry Repository Reader"),
            Ok(Change::RemoveRoleAssignment("Container Registry Repository Reader".into()))
        );
        assert_eq!(read("set outbound LOADBALANCER"), Ok(Change::SetOutbound("loadBalancer".into())));
        assert_eq!(read("reimage all"), Ok(Change::Reimage(None)));
        for bad in [
            "",
            "delete",
            "delete cache-rule",
            "delete cache-rule a b",
            "drop tables",
            "set outbound open",
            "change registry x",
            "unlink zone",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
