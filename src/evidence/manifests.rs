//! What manifests say of images: where each stands, and what a registry says of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fact::Fact;
use super::image::Image;

/// One place where an image stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The image as it is written.
    pub image: String,
    /// The file as it was named; `-` is standard input.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: usize,
    /// The template that Helm rendered it from.
    pub source: Option<Arc<str>>,
    /// Kind, namespace and name of the object.
    pub object: String,
    /// The container, or the path in a custom resource.
    pub container: String,
    /// Whether the pod, or its service account in these manifests, names an imagePullSecret.
    pub secret: bool,
    /// Namespace and name of the pod's service account.
    pub account: Option<ServiceAccount>,
    /// Whether the kubelet never pulls it (`imagePullPolicy: Never`).
    pub never: bool,
    /// Whether something else writes the image when the pod is made: Istio's injector, where a gateway says `auto`, or
    /// the parameter of a workflow.
    pub injected: bool,
    /// Whether it is only mentioned (in an argument, a variable, an annotation, a ConfigMap, a test): something may
    /// pull it, or not.
    pub mentioned: bool,
}

/// Namespace and name.
pub type ServiceAccount = (String, String);

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Manifests {
    /// What was read, as it was named.
    pub inputs: Vec<String>,
    /// Where images stand, in the order of files and lines.
    pub places: Vec<Place>,
    /// Images in fields of custom resources that no path names.
    pub unjudged: Vec<Place>,
    /// Images that no manifest names, and that are probably started.
    pub probable: Vec<Probable>,
    /// Objects that bring other manifests with them, such as a `HelmRelease`.
    pub unrendered: Vec<String>,
    /// Objects for which their operator chooses the image.
    pub chosen: Vec<String>,
    /// Files and folders that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// Links to folders outside of those that were named: what lies there was not read.
    pub unfollowed: Vec<String>,
    /// How many objects there were.
    pub objects: usize,
    /// How many documents were no objects of Kubernetes.
    pub others: usize,
    /// How many files were read.
    pub files: usize,
}

/// An image that no manifest names, and that is probably started.
#[derive(Debug, Clone, PartialEq)]
pub struct Probable {
    /// Where it would stand.
    pub place: Place,
    /// Why it is probably this one, after "as".
    pub why: String,
}

/// An image in the values of a Helm chart.
#[derive(Debug, Clone, PartialEq)]
pub struct ValuesImage {
    /// The keys that lead to its field, or to the map that has its parts.
    pub path: Vec<String>,
    pub image: Image,
    pub field: ValuesField,
}

/// In which fields an image of a chart's values stands; the names are the keys in its map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValuesField {
    /// In one text.
    Whole,
    /// The repository, with its registry.
    Repository { repository: String },
    /// The registry and the repository.
    Parts { registry: String, repository: String },
}

/// A file or folder that could not be read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The file as it was named; `-` is standard input.
    pub file: String,
    /// The line, from 1, where one is wrong.
    pub line: Option<usize>,
    /// What is wrong, with the file and the line.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// What the registry says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    /// By repository and tag or digest; `None` = it has no such image.
    pub artifacts: BTreeMap<(String, String), Fact<Option<Artifact>>>,
    /// Every repository that it has.
    pub repositories: Fact<Vec<String>>,
}

/// An image that a registry has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Artifact {
    /// `linux/amd64`, …; empty where the registry does not say.
    pub platforms: Vec<String>,
}

/// A place in an object: keys separated by dots, `[]` for every item of a list, `*` for every key of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePath {
    /// The kind, such as `Prometheus`.
    pub kind: String,
    /// Its API group, such as `monitoring.coreos.com`; empty = any.
    pub group: String,
    /// The path to the image's text.
    pub path: String,
}

impl ImagePath {
    /// Reads `KIND[.GROUP]:PATH`.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = "expected KIND.GROUP:PATH, such as Prometheus.monitoring.coreos.com:spec.containers[].image";
        let (name, path) = text.split_once(':').ok_or(expected)?;
        Self::new(name, path)
    }

    /// A path of a kind that is named with or without its group.
    ///
    /// # Errors
    /// What was expected.
    pub fn new(name: &str, path: &str) -> Result<Self, String> {
        let (kind, group) = name.split_once('.').unwrap_or((name, ""));
        let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric());
        let step = |step: &str| !step.trim_end_matches("[]").is_empty() && !step.contains(char::is_whitespace);
        if !word(kind) {
            return Err(format!("\"{name}\" is no kind: expected KIND or KIND.GROUP"));
        }
        if path.is_empty() || !path.split('.').all(step) {
            return Err(format!(
                "\"{path}\" is no path: expected keys separated by dots, with [] for every item of a list"
            ));
        }
        Ok(Self { kind: kind.to_owned(), group: group.to_owned(), path: path.to_owned() })
    }

    /// Whether the path is about a kind.
    pub fn is_for(&self, kind: &str, group: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && (self.group.is_empty() || self.group.eq_ignore_ascii_case(group))
    }
}
