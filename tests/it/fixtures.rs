//! Fixtures: healthy snapshots, and small cases that change one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aksiso::evidence::Evidence;
use aksiso::evidence::id::ResourceId;
use serde::Deserialize;
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
    let text = std::fs::read_to_string(path).expect("a fixture");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A case: a healthy snapshot with something changed, and everything that must be reported then.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Case {
    pub about: String,
    pub base: String,
    /// Values to put at paths; `*` stands for the only key of a map.
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
    /// Paths to take out.
    #[serde(default)]
    pub remove: Vec<String>,
    /// Items to append to lists.
    #[serde(default)]
    pub append: BTreeMap<String, Vec<Value>>,
    /// Keys to add to maps.
    #[serde(default)]
    pub insert: BTreeMap<String, BTreeMap<String, Value>>,
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

/// A whole snapshot as JSON.
pub fn healthy_json(name: &str) -> Value {
    load(&folder().join("healthy").join(format!("{name}.json")))
}

pub fn evidence(snapshot: &Value) -> Evidence {
    aksiso::evidence::snapshot::read_from(snapshot.to_string().as_bytes(), "fixture").expect("a valid fixture")
}

pub fn healthy(name: &str) -> Evidence {
    evidence(&healthy_json(name))
}

pub fn case(path: &Path) -> (Case, Value) {
    let case: Case = serde_json::from_value(load(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let snapshot = case.patched(healthy_json(&case.base));
    (case, snapshot)
}

/// A file of another folder of fixtures.
pub fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    serde_json::from_value(load(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Case {
    /// The snapshot with the case's changes.
    pub fn patched(&self, snapshot: Value) -> Value {
        patched(snapshot, &self.set, &self.append, &self.insert, &self.remove)
    }
}

/// A snapshot with changes.
pub fn patched(
    mut snapshot: Value,
    set: &BTreeMap<String, Value>,
    append: &BTreeMap<String, Vec<Value>>,
    insert: &BTreeMap<String, BTreeMap<String, Value>>,
    remove: &[String],
) -> Value {
    let root = &mut snapshot["evidence"];
    for (at, value) in set {
        let (parent, key) = split(root, at);
        put(parent, &key, value.clone());
    }
    for (at, items) in append {
        let list = walk(root, at).as_array_mut().unwrap_or_else(|| panic!("{at} is no list"));
        list.extend(items.clone());
    }
    for (at, entries) in insert {
        let map = walk(root, at).as_object_mut().unwrap_or_else(|| panic!("{at} is no map"));
        map.extend(entries.clone());
    }
    for at in remove {
        let (parent, key) = split(root, at);
        match parent {
            Value::Array(list) => drop(list.remove(key.parse().expect("an index"))),
            parent => {
                drop(
                    parent.as_object_mut().expect("a map").remove(&key).unwrap_or_else(|| panic!("{at} is not there")),
                );
            }
        }
    }
    snapshot
}

fn put(parent: &mut Value, key: &str, value: Value) {
    match parent {
        Value::Array(list) => list[key.parse::<usize>().expect("an index")] = value,
        parent => parent[key] = value,
    }
}

/// The parent of a path, and the last key.
fn split<'v>(root: &'v mut Value, path: &str) -> (&'v mut Value, String) {
    let (parent, key) = path.rsplit_once('/').unwrap_or(("", path));
    let parent = walk(root, parent);
    let only = parent.as_object().filter(|_| key == "*").and_then(|map| map.keys().next().cloned());
    (parent, only.unwrap_or_else(|| key.to_owned()))
}

fn walk<'v>(root: &'v mut Value, path: &str) -> &'v mut Value {
    let mut value = root;
    for key in path.split('/').filter(|key| !key.is_empty()) {
        let only = value.as_object().filter(|_| key == "*").map(|map| {
            assert_eq!(map.len(), 1, "{path}: * stands for the only key");
            map.keys().next().expect("one key").clone()
        });
        let key = only.as_deref().unwrap_or(key);
        value = match value {
            Value::Array(list) => &mut list[key.parse::<usize>().expect("an index")],
            value => value.get_mut(key).unwrap_or_else(|| panic!("{path}: no {key}")),
        };
    }
    value
}

/// Every fixture: healthy ones and cases.
pub fn all() -> BTreeMap<String, Value> {
    let healthy = files("healthy").into_iter().map(|(name, path)| (format!("healthy/{name}"), load(&path)));
    let cases = files("cases").into_iter().map(|(name, path)| (format!("cases/{name}"), case(&path).1));
    let stages = files("cutover").into_iter().map(|(name, path)| (format!("cutover/{name}"), stage(&path).1));
    healthy.chain(cases).chain(stages).collect()
}

/// Where a snapshot stands, and what is next.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stage {
    pub about: String,
    pub base: String,
    /// Moves the registry's facts aside, as they are collected for a registry that the cluster does not use yet.
    #[serde(default)]
    pub direct: bool,
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
    #[serde(default)]
    pub append: BTreeMap<String, Vec<Value>>,
    #[serde(default)]
    pub insert: BTreeMap<String, BTreeMap<String, Value>>,
    #[serde(default)]
    pub remove: Vec<String>,
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

pub fn stage(path: &Path) -> (Stage, Value) {
    let stage: Stage = read(path);
    let mut snapshot = healthy_json(&stage.base);
    if stage.direct {
        snapshot = before_the_switch(snapshot);
    }
    let snapshot = patched(snapshot, &stage.set, &stage.append, &stage.insert, &stage.remove);
    (stage, snapshot)
}
