//! Values of options: what is accepted, and what was expected where it is not.

use std::time::Duration;

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::evidence::cloud::{self, Cloud};
use crate::evidence::id::{ResourceId, is_subscription};

/// When output has colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal that shows them
    Auto,
    /// Also in a pipe or a file
    Always,
    /// Not at all
    Never,
}

impl Color {
    /// Decides for everything that is printed from now on.
    pub fn apply(self) {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// The clouds, by their names.
pub(super) fn clouds() -> impl TypedValueParser<Value = &'static Cloud> {
    let names = cloud::ALL.map(|cloud| PossibleValue::new(cloud.name).help(cloud.title));
    PossibleValuesParser::new(names).try_map(|name| Cloud::named(&name).ok_or("no cloud has this name"))
}

/// A scope that a role can be assigned at.
pub(super) fn scope(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.trim_end_matches('/').split('/').collect();
    let named = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-_.()".contains(c));
    let valid = match parts.as_slice() {
        ["", word, id, rest @ ..] if word.eq_ignore_ascii_case("subscriptions") => {
            is_subscription(id)
                && match rest {
                    [] => true,
                    [word, group] => word.eq_ignore_ascii_case("resourceGroups") && named(group),
                    _ => false,
                }
        }
        ["", "providers", kind, "managementGroups", group] => {
            kind.eq_ignore_ascii_case("Microsoft.Management") && named(group)
        }
        _ => false,
    };
    valid.then(|| parts.join("/")).ok_or_else(|| {
        "expected /subscriptions/ID, /subscriptions/ID/resourceGroups/GROUP or \
         /providers/Microsoft.Management/managementGroups/GROUP"
            .to_owned()
    })
}

/// A subscription's id.
pub(super) fn subscription_id(text: &str) -> Result<String, String> {
    let hint = "expected a GUID; az account show --subscription NAME --query id prints the id of a name";
    is_subscription(text).then(|| text.to_lowercase()).ok_or_else(|| hint.to_owned())
}

/// A management group's id, or its ARM id.
pub(super) fn group_id(text: &str) -> Result<String, String> {
    let name = text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let plain = |c: char| c.is_alphanumeric() || "-_.()".contains(c);
    let valid = !name.is_empty() && name.len() <= 90 && name.chars().all(plain);
    valid.then(|| name.to_owned()).ok_or_else(|| "expected the id of a management group, such as platform".to_owned())
}

/// The id of a registry.
pub(super) fn registry_id(text: &str) -> Result<ResourceId, String> {
    ResourceId::parse(text, "Microsoft.ContainerRegistry/registries").map_err(|why| {
        format!(
            "{why}; expected \
             /subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.ContainerRegistry/registries/NAME"
        )
    })
}

/// A user principal name; it is written into YAML.
pub(super) fn principal_name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_!#^~'+".contains(c);
    match text.split_once('@') {
        Some((name, domain))
            if !name.is_empty() && domain.contains('.') && name.chars().chain(domain.chars()).all(plain) =>
        {
            Ok(text.to_owned())
        }
        _ => Err("expected a user principal name, such as anna@contoso.com".to_owned()),
    }
}

/// An object id is a GUID, as a subscription id is.
pub(super) fn object_id(text: &str) -> Result<String, String> {
    is_subscription(text).then(|| text.to_owned()).ok_or_else(|| {
        "expected a GUID; az ad signed-in-user show --query id and az ad sp show --id APP_ID --query id print it"
            .to_owned()
    })
}

/// A time of at least a second and at most an hour; a bare number is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("expected a time such as 60s or 2m, not \"{text}\"");
    let span = match text.parse::<i64>() {
        Ok(seconds) => jiff::SignedDuration::from_secs(seconds),
        Err(_) => text.parse().map_err(|_| expected())?,
    };
    let duration = Duration::try_from(span).map_err(|_| expected())?;
    if (Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&duration) {
        Ok(duration)
    } else {
        Err("expected a time between 1s and 1h".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_name_is_one_and_nothing_else() {
        for name in ["anna@contoso.com", "anna_fabrikam.com#EXT#@contoso.onmicrosoft.com", "o'neil@contoso.com"] {
            assert!(principal_name(name).is_ok(), "{name}");
        }
        for other in ["anna", "@contoso.com", "anna@contoso", "a b@c.d", "a@b.c\n- kind: Group", "a\"@b.c", "a@b@c.d"] {
            assert!(principal_name(other).is_err(), "{other}");
        }
    }

    #[test]
    fn times_are_read_and_bounded() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("5"), Ok(Duration::from_secs(5)));
        for bad in ["", "0", "-5", "7200", "5.5", "-5s", "0s", "2h", "soon"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
