//! Readers that accept what ARM really sends: `null` for an empty list, seven-digit fractions, dates without an offset.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

/// Reads `null` as the type's default.
///
/// # Errors
/// Where the value is neither `null` nor of the type.
pub fn null_is_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

/// Reads a date; one that cannot be read counts as absent, because no other field should be lost for it.
///
/// # Errors
/// Where the value is neither `null` nor text.
pub fn timestamp<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.and_then(|text| parse_timestamp(&text)))
}

/// An RFC 3339 date, or one without an offset, which is taken as UTC.
pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().or_else(|| {
        let local = text.parse::<jiff::civil::DateTime>().ok()?;
        Some(local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })
}

/// Reads a text that some answers write as a number; anything else is none.
pub fn text_or_number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match serde_json::Value::deserialize(from)? {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::parse_timestamp;

    #[test]
    fn dates_of_every_form_that_arm_sends_are_read() {
        let expected = parse_timestamp("2025-03-22T15:46:44Z");
        assert!(expected.is_some());
        for text in ["2025-03-22T15:46:44.0000000Z", "2025-03-22T15:46:44+00:00", "2025-03-22T15:46:44"] {
            assert_eq!(parse_timestamp(text), expected, "{text}");
        }
        assert_eq!(parse_timestamp("yesterday"), None);
    }
}
