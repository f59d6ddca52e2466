//! The defaults of the Azure CLI, read as `az` reads them: the environment, then `.azure/config` of this folder and of
//! those above it, then the one of the user.

use std::path::{Path, PathBuf};

/// Largest configuration file that is read, in bytes.
const LIMIT: u64 = 1 << 20;

/// A default, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Default {
    pub value: String,
    /// A file or a variable.
    pub place: String,
}

/// The default resource group: what `az configure --defaults group=GROUP` sets.
pub fn resource_group() -> Option<Default> {
    const VARIABLE: &str = "AZURE_DEFAULTS_GROUP";
    if let Some(value) = std::env::var(VARIABLE).ok().filter(|value| !value.trim().is_empty()) {
        return Some(Default { value: value.trim().to_owned(), place: VARIABLE.to_owned() });
    }
    files().into_iter().find_map(|file| {
        let small = std::fs::metadata(&file).is_ok_and(|there| there.is_file() && there.len() <= LIMIT);
        let value = small.then(|| std::fs::read_to_string(&file).ok()).flatten().and_then(|text| group_of(&text))?;
        Some(Default { value, place: file.display().to_string() })
    })
}

/// The configuration files, the nearest first.
fn files() -> Vec<PathBuf> {
    let named = std::env::var_os("AZURE_CONFIG_DIR").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let own = named.or_else(|| std::env::home_dir().map(|home| home.join(".azure")));
    let here = std::env::current_dir().ok();
    let above = here.iter().flat_map(|here| here.ancestors()).map(|folder| folder.join(".azure"));
    // At the user's own folder az stops looking further up.
    let local = above.take_while(|folder| Some(folder.as_path()) != own.as_deref());
    let mut folders: Vec<PathBuf> = local.collect();
    folders.extend(own);
    folders.iter().map(|folder: &PathBuf| Path::new(folder).join("config")).collect()
}

/// `group` of the section `defaults`.
fn group_of(text: &str) -> Option<String> {
    let mut inside = false;
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            inside = section == "defaults";
        } else if inside && !line.starts_with(['#', ';']) {
            let value = line.split_once(['=', ':']).filter(|(key, _)| key.trim().eq_ignore_ascii_case("group"));
            found = value.map(|(_, value)| value.trim().to_owned()).filter(|value| !value.is_empty()).or(found);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_the_defaults_is_read() {
        let text = "[core]\ngroup = other\n[defaults]\n# group = commented\nlocation=eastus\nGroup = prod-rg \n[x]\n";
        assert_eq!(group_of(text).as_deref(), Some("prod-rg"));
        assert_eq!(group_of("[defaults]\ngroup =\n"), None);
        assert_eq!(group_of("group = x"), None);
    }
}
