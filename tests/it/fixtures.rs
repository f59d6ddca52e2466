//! Fixtures: whole healthy snapshots, and small files that change one by names.

#[path = "fixtures/patch.rs"]
mod patch;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use aksiso::evidence::Evidence;
use aksiso::evidence::id::ResourceId;
use patch::Patch;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The JSON files of a folder by name, in order.
pub fn files(kind: &str) -> BTreeMap<String, PathBuf> {
    let entries = std::fs::read_dir(folder().join(kind)).expect("the fixtures are there");
    let paths = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "json"));
    paths.map(|path| (path.file_stem().expect("a name").to_string_lossy().into_owned(), path)).collect()
}

fn load(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file of another folder of fixtures.
pub fn read<T: DeserializeOwned>(path: &Path) -> T {
    serde_json::from_value(load(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file that changes a healthy snapshot: what it says beside its changes, and the changed snapshot.
fn changed<T: DeserializeOwned>(path: &Path) -> (T, Value) {
    let mut file = load(path);
    let patch = file.as_object_mut().map(Patch::take).expect("an object");
    let patch = patch.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let rest = serde_json::from_value(file).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (rest, patch.apply(healthy_json(&patch.base), before_the_switch))
}

/// A healthy snapshot that is another one, changed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    pub about: String,
}

/// A case: a healthy snapshot with something changed, and everything that must be reported then.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Case {
    pub about: String,
    /// `rule severity remediation-kind`, all of them.
    pub expect: Vec<String>,
    /// `symptom <- cause`, all of them.
    #[serde(default)]
    pub causes: Vec<String>,
    /// The checks that cannot see everything, all of them.
    #[serde(default)]
    pub undetermined: Vec<String>,
    /// The checks that do not apply, all of them.
    #[serde(default)]
    pub not_applicable: Vec<String>,
}

/// Where a snapshot stands, and what is next.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stage {
    pub about: String,
    /// `isolated` or `direct`; with `toRegistry` its id.
    #[serde(default)]
    pub to: Option<String>,
    #[serde(default)]
    pub to_registry: Option<ResourceId>,
    #[serde(default)]
    pub policy: Option<String>,
    pub state: String,
    /// What to do now; absent where nothing is left.
    #[serde(default)]
    pub next: Option<String>,
    /// Words that the commands hold.
    #[serde(default)]
    pub commands: Vec<String>,
    pub safety: String,
    pub exit: u8,
    #[serde(default)]
    pub closed: Vec<String>,
    #[serde(default)]
    pub unknown: Vec<String>,
    /// Pools by age.
    #[serde(default)]
    pub pools: BTreeMap<String, String>,
}

/// A healthy cluster's whole snapshot as JSON: a file of its own, or a change of another.
pub fn healthy_json(name: &str) -> Value {
    let path = folder().join("healthy").join(format!("{name}.json"));
    let whole = load(&path);
    if whole["format"].is_string() {
        return whole;
    }
    let (variant, snapshot) = changed::<Variant>(&path);
    assert!(variant.about.ends_with('.'), "{name}: say in a sentence what it is about");
    snapshot
}

pub fn evidence(snapshot: &Value) -> Evidence {
    aksiso::evidence::snapshot::read_from(snapshot.to_string().as_bytes(), "fixture").expect("a valid fixture")
}

pub fn healthy(name: &str) -> Evidence {
    evidence(&healthy_json(name))
}

pub fn case(path: &Path) -> (Case, Value) {
    changed(path)
}

pub fn stage(path: &Path) -> (Stage, Value) {
    changed(path)
}

/// A fixture's snapshot by the folder and the name of its file: `cases/three-faults`.
pub fn named(name: &str) -> Value {
    let path = folder().join(format!("{name}.json"));
    match name.split_once('/').expect("a folder") {
        ("healthy", name) => healthy_json(name),
        ("cases", _) => case(&path).1,
        _ => stage(&path).1,
    }
}

/// Every fixture: healthy ones, cases and stages. They are read once.
pub fn all() -> BTreeMap<String, Value> {
    static ALL: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
        let names = |kind: &'static str| files(kind).into_keys().map(move |name| format!("{kind}/{name}"));
        ["healthy", "cases", "cutover"].into_iter().flat_map(names).map(|name| (name.clone(), named(&name))).collect()
    });
    ALL.clone()
}

/// Writes every fixture as a whole snapshot, to be read with the tool itself; gives the number of files.
///
/// # Errors
/// The folder or a file cannot be written.
pub fn write_all(to: &Path) -> io::Result<usize> {
    let all = all();
    for (name, snapshot) in &all {
        write(snapshot, &to.join(format!("{name}.json")))?;
    }
    Ok(all.len())
}

fn write(snapshot: &Value, file: &Path) -> io::Result<()> {
    std::fs::create_dir_all(file.parent().expect("a folder"))?;
    std::fs::write(file, serde_json::to_string_pretty(snapshot)? + "\n")
}

/// The cluster before the switch: its registry is one that was looked at besides.
pub fn before_the_switch(mut snapshot: Value) -> Value {
    let evidence = &mut snapshot["evidence"];
    let id = evidence["cluster"]["properties"]["bootstrapProfile"]["containerRegistryId"]
        .as_str()
        .expect("an id")
        .to_owned();
    let mut network = evidence["network"].clone();
    let own = json!({ "virtualNetworks": network["virtualNetworks"], "routeTables": network["routeTables"], "securityGroups": network["securityGroups"] });
    network
        .as_object_mut()
        .expect("a map")
        .retain(|key, _| !["virtualNetworks", "routeTables", "securityGroups"].contains(&key.as_str()));
    let other = json!({ "registry": evidence["registry"], "network": network, "access": evidence["access"] });
    evidence["otherRegistries"] = json!({ id: other });
    evidence["registry"] = json!({});
    evidence["access"] = json!({});
    evidence["network"] = own
        .as_object()
        .expect("a map")
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    evidence["cluster"]["properties"]["bootstrapProfile"] = json!({ "artifactSource": "Direct" });
    evidence["cluster"]["properties"]["networkProfile"]["outboundType"] = "loadBalancer".into();
    snapshot
}
