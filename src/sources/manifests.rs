//! Kubernetes manifests as one is about to apply them: which images their pods would pull, and where each stands.

mod custom;
mod kinds;
mod mentions;
mod objects;
mod paths;
mod yaml;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::evidence::manifests::{ImagePath, Manifests, ServiceAccount};
use crate::text::{self, problem::Problem};
use objects::{Objects, Reader};

/// Largest file that is read, in bytes.
const FILE_LIMIT: u64 = 256 << 20;
/// Most files of all folders.
const MOST_FILES: usize = 200_000;
/// Deepest folder that is looked into.
const DEEPEST: usize = 40;

const RENDER: &str =
    "render it first: helm template RELEASE CHART | aksiso preflight -, or kustomize build FOLDER | aksiso preflight -";

/// Reads files, folders and standard input (`-`); `own` are paths of the operator's own in custom resources.
///
/// # Errors
/// What cannot be read, in which line, and why; or that there is no object at all.
pub fn read(inputs: &[PathBuf], own: &[ImagePath]) -> Result<Manifests, Problem> {
    let mut files: Vec<PathBuf> = Vec::new();
    for input in inputs {
        if input.as_os_str() == "-" || input.is_file() {
            files.push(input.clone());
        } else if input.is_dir() {
            let before = files.len();
            gather(input, DEEPEST, &mut files)?;
            if files.len() == before {
                let message = format!("{} has no .yaml, .yml or .json file", shown(input));
                return Err(Problem::new(message, "expected a folder of manifests"));
            }
        } else {
            let message = format!("{} does not exist", shown(input));
            return Err(Problem::new(message, "expected files, folders, or - for standard input"));
        }
    }
    if files.iter().filter(|file| file.as_os_str() == "-").count() > 1 {
        return Err(Problem::new("standard input is named twice".to_owned(), "name - once"));
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
pub fn read_text(name: &str, text: &str, own: &[ImagePath]) -> Result<Manifests, Problem> {
    Ok(add_up(vec![objects(name, text, own)?], 1))
}

/// A gate that is given nothing must not pass.
fn nothing(inputs: &[PathBuf]) -> Problem {
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
    Problem::new(message, hint)
}

fn shown(path: &Path) -> String {
    text::clean(&path.display().to_string())
}

/// The manifests of a folder, in the order of their names; hidden folders and links to folders are left out.
fn gather(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Problem> {
    let cannot =
        |error: std::io::Error| Problem::new(format!("{} cannot be read: {error}", shown(folder)), "check the path");
    let entries: Result<Vec<_>, _> = std::fs::read_dir(folder).map_err(cannot)?.collect();
    let mut entries = entries.map_err(cannot)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    if entries.iter().any(|entry| entry.file_name() == "Chart.yaml") {
        return Err(Problem::new(format!("{} is a Helm chart, not what it renders to", shown(folder)), RENDER));
    }
    if entries.iter().any(|entry| is_kustomization(&entry.path())) {
        return Err(Problem::new(format!("{} is a folder of kustomize, not what it builds to", shown(folder)), RENDER));
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
            return Err(Problem::new(format!("there are more than {MOST_FILES} files"), "name fewer folders"));
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
fn read_files(files: &[PathBuf], own: &[ImagePath]) -> Result<Vec<Objects>, Problem> {
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

fn read_file(path: &Path, own: &[ImagePath]) -> Result<Objects, Problem> {
    let name = if path.as_os_str() == "-" { "standard input".to_owned() } else { shown(path) };
    let cannot = |error: std::io::Error| Problem::new(format!("{name} cannot be read: {error}"), "check the path");
    let mut bytes = Vec::new();
    let source: Box<dyn std::io::Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(path).map_err(cannot)?)
    };
    source.take(FILE_LIMIT + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(Problem::new(format!("{name} is larger than {} MiB", FILE_LIMIT >> 20), "split it"));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Problem::new(format!("{name} is no UTF-8 text"), "expected manifests in YAML or JSON"))?;
    objects(&relative(path), &text, own)
}

/// The path as a report names it: from here, where it lies below.
fn relative(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let path = here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

fn objects(name: &str, text: &str, own: &[ImagePath]) -> Result<Objects, Problem> {
    let mut reader = Reader::new(Arc::from(name), own);
    yaml::documents(text, |document| reader.document(&document)).map_err(|error| {
        let shown = if name == "-" { "standard input".to_owned() } else { text::clean(name) };
        let line = text.lines().nth(error.line.saturating_sub(1)).unwrap_or_default();
        let template = text.contains("{{") && (line.contains("{{") || line.contains("}}") || text.contains("{{-"));
        let what = text::clean(&text::bounded(&error.message, 200));
        if template {
            let message = format!("{shown}, line {}: it is a template that was not rendered ({what})", error.line);
            return Problem::new(message, RENDER);
        }
        Problem::new(
            format!("{shown}, line {}: not valid YAML: {what}", error.line),
            "expected manifests in YAML or JSON",
        )
    })?;
    match &reader.found.kustomization {
        Some(object) => Err(Problem::new(
            format!("{}: {object} is a kustomization, not what it builds to", text::clean(name)),
            RENDER,
        )),
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
