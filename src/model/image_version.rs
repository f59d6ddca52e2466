//! Node image versions such as `AKSUbuntu-2204gen2containerd-202503.13.0`.

use jiff::civil::Date;

/// A node image version that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageVersion {
    /// What stands before the date: operating system, generation, runtime.
    pub family: String,
    pub numbers: Vec<u64>,
}

impl ImageVersion {
    /// Reads a version; a suffix that the SecurityPatch channel appends (`-2024.12.01`) is no part of it.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('-').collect();
        let at = parts.iter().position(|part| part.contains('.') && numbers(part).is_some())?;
        let family = parts[..at].join("-");
        (at > 0).then_some(Self { family, numbers: numbers(parts[at])? })
    }

    /// The day of the image: `202503.13.0` for Linux, `20348.3328.250311` for Windows.
    pub fn date(&self) -> Option<Date> {
        let (year, month, day) = match *self.numbers.as_slice() {
            [month, day, ..] if (200_001..=999_912).contains(&month) => (month / 100, month % 100, day),
            [_, _, day, ..] if (100_101..=991_231).contains(&day) => (2000 + day / 10_000, day / 100 % 100, day % 100),
            _ => return None,
        };
        Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
    }

    /// Whether this image is older than another of the same family.
    pub fn older_than(&self, other: &Self) -> bool {
        self.family.eq_ignore_ascii_case(&other.family) && self.numbers < other.numbers
    }
}

fn numbers(text: &str) -> Option<Vec<u64>> {
    text.split('.').map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> ImageVersion {
        ImageVersion::parse(text).expect(text)
    }

    #[test]
    fn versions_compare_by_number_and_only_within_a_family() {
        let old = version("AKSUbuntu-2204gen2containerd-202503.4.0");
        assert!(old.older_than(&version("AKSUbuntu-2204gen2containerd-202503.13.0")));
        assert!(!old.older_than(&version("AKSUbuntu-2404gen2containerd-202603.13.0")));
        assert!(!old.older_than(&old));
        assert_eq!(ImageVersion::parse("custom"), None);
    }

    #[test]
    fn a_security_patch_suffix_is_no_part_of_the_version() {
        let patched = version("AKSUbuntu-2204gen2containerd-202410.27.0-2024.12.01");
        assert_eq!(patched, version("AKSUbuntu-2204gen2containerd-202410.27.0"));
    }

    #[test]
    fn dates_of_linux_and_windows_images_are_read() {
        let date = |text: &str| version(text).date().map(|date| date.to_string());
        assert_eq!(date("AKSAzureLinux-V3gen2-202508.7.0").as_deref(), Some("2025-08-07"));
        assert_eq!(date("AKSWindows-2022-containerd-20348.3328.250311").as_deref(), Some("2025-03-11"));
        assert_eq!(date("AKSUbuntu-2204-1.2.3"), None);
    }
}
