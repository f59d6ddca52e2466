//! Kubernetes manifests as one is about to apply them: which images their pods would pull, and where each stands.

mod custom;
mod kinds;
mod mentions;
mod objects;
pub mod paths;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::evidence::Fact;
use crate::text;
use objects::{Objects, Reader};
use paths::ImagePath;

/// Largest file that is read, in bytes.
const FILE_LIMIT: u64 = 256 << 20;
/// Most files of all folders.
const MOST_FILES: usize = 200_000;
/// Deepest folder that is looked into.
const DEEPEST: usize = 40;

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
    account: Option<ServiceAccount>,
    /// Whether the kubelet never pulls it (`imagePullPolicy: Never`).
    pub never: bool,
    /// Whether something else writes the image when the pod is made: Istio's injector, where a gateway says `auto`, or the
    /// parameter of a workflow.
    pub injected: bool,
    /// Whether it is only mentioned (in an argument, a variable, an annotation, a ConfigMap, a test): something may pull it,
    /// or not.
    pub mentioned: bool,
}

/// Namespace and name.
type ServiceAccount = (String, String);

/// What was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Manifests {
    /// Where images stand, in the order of files and lines.
    pub places: Vec<Place>,
    /// Images in fields of custom resources that no path names.
    pub unjudged: Vec<Place>,
    /// Objects that bring other manifests with them, such as a `HelmRelease`.
    pub unrendered: Vec<String>,
    /// Objects for which their operator chooses the image.
    pub chosen: Vec<String>,
    /// How many objects there were.
    pub objects: usize,
    /// How many documents were no objects of Kubernetes.
    pub others: usize,
    /// How many files were read.
    pub files: usize,
    /// Registries that the nodes reach by a way of the operator's own, and by which.
    pub reachable: BTreeMap<String, String>,
    /// What the registry says of repositories and versions; none where it was not asked.
    pub registry: Option<Asked>,
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

/// Why manifests cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ManifestError {
    message: String,
    /// What to do.
    pub hint: String,
}

fn problem(message: String, hint: impl Into<String>) -> ManifestError {
    ManifestError { message, hint: hint.into() }
}

const RENDER: &str =
    "render it first: helm template RELEASE CHART | aksiso preflight -, or kustomize build FOLDER | aksiso preflight -";

/// Reads files, folders and standard input (`-`); `own` are paths of the operator's own in custom resources.
///
/// # Errors
/// What cannot be read, in which line, and why; or that there is no object at all.
pub fn read(inputs: &[PathBuf], own: &[ImagePath]) -> Result<Manifests, ManifestError> {
    let mut files: Vec<PathBuf> = Vec::new();
    for input in inputs {
        if input.as_os_str() == "-" || input.is_file() {
            files.push(input.clone());
        } else if input.is_dir() {
            let before = files.len();
            gather(input, DEEPEST, &mut files)?;
            if files.len() == before {
                let message = format!("{} has no .yaml, .yml or .json file", shown(input));
                return Err(problem(message, "expected a folder of manifests"));
            }
        } else {
            let message = format!("{} does not exist", shown(input));
            return Err(problem(message, "expected files, folders, or - for standard input"));
        }
    }
    if files.iter().filter(|file| file.as_os_str() == "-").count() > 1 {
        return Err(problem("standard input is named twice".to_owned(), "name - once"));
    }
    let manifests = add_up(read_files(&files, own)?, files.len());
    if manifests.objects == 0 {
        return Err(nothing(inputs));
    }
    Ok(manifests)
}

/// Reads one text, as if it were a file.
///
/// # Errors
/// As [`read`].
pub fn read_text(name: &str, text: &str, own: &[ImagePath]) -> Result<Manifests, ManifestError> {
    Ok(add_up(vec![objects(name, text, own)?], 1))
}

/// A gate that is given nothing must not pass.
fn nothing(inputs: &[PathBuf]) -> ManifestError {
    let piped = inputs.iter().any(|input| input.as_os_str() == "-");
    let message = if piped && inputs.len() == 1 {
        "standard input holds no Kubernetes object".to_owned()
    } else {
        "there is no Kubernetes object in what was named".to_owned()
    };
    let hint = if piped {
        "did the command before the pipe fail? (set -o pipefail in bash)"
    } else {
        "an object has apiVersion and kind; a chart must be rendered: helm template RELEASE CHART | aksiso preflight -"
    };
    problem(message, hint)
}

fn shown(path: &Path) -> String {
    text::clean(&path.display().to_string())
}

/// The manifests of a folder, in the order of their names; hidden folders and links to folders are left out.
fn gather(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), ManifestError> {
    let cannot =
        |error: std::io::Error| problem(format!("{} cannot be read: {error}", shown(folder)), "check the path");
    let entries: Result<Vec<_>, _> = std::fs::read_dir(folder).map_err(cannot)?.collect();
    let mut entries = entries.map_err(cannot)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    if entries.iter().any(|entry| entry.file_name() == "Chart.yaml") {
        return Err(problem(format!("{} is a Helm chart, not what it renders to", shown(folder)), RENDER));
    }
    if entries.iter().any(|entry| is_kustomization(&entry.path())) {
        return Err(problem(format!("{} is a folder of kustomize, not what it builds to", shown(folder)), RENDER));
    }
    for entry in entries {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        let kind = entry.file_type().map_err(cannot)?;
        if kind.is_dir() && !hidden && depth > 0 {
            gather(&path, depth - 1, files)?;
        } else if !hidden && path.is_file() && is_manifest(&path) {
            files.push(path);
        }
        if files.len() > MOST_FILES {
            return Err(problem(format!("there are more than {MOST_FILES} files"), "name fewer folders"));
        }
    }
    Ok(())
}

fn is_kustomization(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    ["kustomization.yaml", "kustomization.yml", "Kustomization"].contains(&name)
}

fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    ["yaml", "yml", "json"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// Reads files on all processors; the order of what comes out is that of the files.
fn read_files(files: &[PathBuf], own: &[ImagePath]) -> Result<Vec<Objects>, ManifestError> {
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(files.len().max(1));
    let share = files.len().div_ceil(workers).max(1);
    let read = |files: &[PathBuf]| files.iter().map(|file| read_file(file, own)).collect::<Result<Vec<_>, _>>();
    std::thread::scope(|scope| {
        let workers: Vec<_> = files.chunks(share).map(|files| scope.spawn(move || read(files))).collect();
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(all)
    })
}

fn read_file(path: &Path, own: &[ImagePath]) -> Result<Objects, ManifestError> {
    let name = if path.as_os_str() == "-" { "standard input".to_owned() } else { shown(path) };
    let cannot = |error: std::io::Error| problem(format!("{name} cannot be read: {error}"), "check the path");
    let mut bytes = Vec::new();
    let source: Box<dyn std::io::Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(path).map_err(cannot)?)
    };
    source.take(FILE_LIMIT + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(problem(format!("{name} is larger than {} MiB", FILE_LIMIT >> 20), "split it"));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| problem(format!("{name} is no UTF-8 text"), "expected manifests in YAML or JSON"))?;
    objects(&relative(path), &text, own)
}

/// The path as a report names it: from here, where it lies below.
fn relative(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let path = here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

fn objects(name: &str, text: &str, own: &[ImagePath]) -> Result<Objects, ManifestError> {
    let mut reader = Reader::new(Arc::from(name), own);
    yaml::documents(text, |document| reader.document(&document)).map_err(|error| {
        let shown = if name == "-" { "standard input".to_owned() } else { text::clean(name) };
        let line = text.lines().nth(error.line.saturating_sub(1)).unwrap_or_default();
        let template = text.contains("{{") && (line.contains("{{") || line.contains("}}") || text.contains("{{-"));
        let what = text::clean(&text::bounded(&error.message, 200));
        if template {
            let message = format!("{shown}, line {}: it is a template that was not rendered ({what})", error.line);
            return problem(message, RENDER);
        }
        problem(format!("{shown}, line {}: not valid YAML: {what}", error.line), "expected manifests in YAML or JSON")
    })?;
    match &reader.found.kustomization {
        Some(object) => {
            Err(problem(format!("{}: {object} is a kustomization, not what it builds to", text::clean(name)), RENDER))
        }
        None => Ok(reader.found),
    }
}

fn add_up(all: Vec<Objects>, files: usize) -> Manifests {
    let mut manifests = Manifests { files, ..Manifests::default() };
    let mut accounts: BTreeSet<ServiceAccount> = BTreeSet::new();
    for objects in all {
        manifests.places.extend(objects.places);
        manifests.unjudged.extend(objects.unjudged);
        manifests.unrendered.extend(objects.unrendered);
        manifests.chosen.extend(objects.chosen);
        manifests.objects += objects.count;
        manifests.others += objects.others;
        accounts.extend(objects.accounts);
    }
    for place in &mut manifests.places {
        place.secret |= place.account.as_ref().is_some_and(|account| accounts.contains(account));
    }
    manifests
}

#[cfg(test)]
mod tests;
