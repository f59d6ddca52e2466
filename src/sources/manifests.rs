//! Kubernetes manifests as one is about to apply them: which images their pods would pull, and where each stands.

mod custom;
mod defaults;
mod files;
mod injector;
mod json;
mod kinds;
mod mentions;
mod objects;
mod paths;
mod values;
mod yaml;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::evidence::manifests::{ImagePath, Manifests, Place, ServiceAccount, Unreadable};
use crate::text::{self, problem::Problem};
pub use files::is_manifest;
use files::{Files, is_standard_input, relative, unreadable};
use objects::{Objects, Reader};
pub use values::read_values;
use yaml::{Budget, TOO_LARGE};

const RENDER: &str =
    "render it first: helm template RELEASE CHART | aksiso preflight -, or kustomize build FOLDER | aksiso preflight -";

/// Reads files, folders, pipes and standard input (`-`); `own` are paths of the operator's own in custom resources.
/// A file that cannot be read brings nothing and is told; the others are still read.
///
/// # Errors
/// There is no object at all: what could not be read, in which line, and why.
pub fn read(inputs: &[PathBuf], own: &[ImagePath]) -> Result<Manifests, Problem> {
    if inputs.iter().filter(|input| is_standard_input(input)).count() > 1 {
        return Err(Problem::new("standard input is named twice".to_owned(), "name - once"));
    }
    let mut found = Files::default();
    inputs.iter().for_each(|input| found.take(input));
    let mut manifests = add_up(read_files(&found.files, own), found.unreadable);
    manifests.unfollowed = found.unfollowed;
    manifests.inputs = inputs.iter().map(|input| input.display().to_string()).collect();
    if manifests.objects > 0 {
        return Ok(manifests);
    }
    Err(unread(&manifests).unwrap_or_else(|| nothing(inputs)))
}

/// Reads one text, as if it were a file.
///
/// # Errors
/// As [`read`], but for a text without objects.
pub fn read_text(name: &str, text: &str, own: &[ImagePath]) -> Result<Manifests, Problem> {
    let manifests = add_up(vec![objects(name, text, own)], Vec::new());
    let manifests = Manifests { inputs: vec![name.to_owned()], ..manifests };
    unread(&manifests).map_or(Ok(manifests), Err)
}

/// Everything that could not be read, as one problem.
pub fn unread(manifests: &Manifests) -> Option<Problem> {
    let [first, rest @ ..] = manifests.unreadable.as_slice() else { return None };
    let messages = std::iter::once(&first.message).chain(rest.iter().map(|other| &other.message));
    let mut hints: Vec<&str> = manifests.unreadable.iter().map(|unreadable| unreadable.hint.as_str()).collect();
    let mut known = BTreeSet::new();
    hints.retain(|hint| known.insert(*hint));
    Some(Problem::new(messages.map(String::as_str).collect::<Vec<_>>().join("\nerror: "), hints.join("\n hint: ")))
}

/// A gate that is given nothing must not pass.
fn nothing(inputs: &[PathBuf]) -> Problem {
    let piped = inputs.iter().any(|input| is_standard_input(input));
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

/// What a file brings.
type Read = Result<Objects, Unreadable>;

/// Reads files on all processors; the order of what comes out is that of the files.
fn read_files(files: &[PathBuf], own: &[ImagePath]) -> Vec<Read> {
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(files.len().max(1));
    let share = files.len().div_ceil(workers).max(1);
    let read = |files: &[PathBuf]| files.iter().map(|file| read_file(file, own)).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let workers: Vec<_> = files.chunks(share).map(|files| scope.spawn(move || read(files))).collect();
        let results = workers.into_iter().map(std::thread::ScopedJoinHandle::join);
        results.flat_map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

fn read_file(path: &Path, own: &[ImagePath]) -> Read {
    objects(&relative(path), &files::text_of(path)?, own)
}

fn objects(name: &str, text: &str, own: &[ImagePath]) -> Read {
    // Files that were put together keep the byte order marks that each began with.
    let text = text.trim_start_matches('\u{feff}').replace("\n\u{feff}", "\n");
    let shown = if name == "-" { "standard input".to_owned() } else { text::clean(name) };
    let budget = Budget::of(text.len());
    let mut reader = Reader::new(Arc::from(name), own, &budget);
    let read = objects::documents(&text, &budget, |document| reader.document(&document));
    if budget.is_spent() {
        // It may be a text within the file that was too large.
        let line = read.err().map(|error| error.line);
        let at = line.map(|line| format!(", line {line}")).unwrap_or_default();
        return Err(unreadable(
            name,
            line,
            format!("{shown}{at}: {TOO_LARGE}"),
            "write out what the aliases stand for",
        ));
    }
    read.map_err(|error| not_yaml(name, &shown, &text, &error))?;
    let filled = defaults::resolve(&mut reader.found.places, &reader.found.parameters);
    // Where a default stands is judged with the image that names it.
    let judged = |own: &Place| filled.iter().any(|new| new.place.object == own.object && new.place.image == own.image);
    reader.found.unjudged.retain(|own| !judged(own));
    reader.found.probable.extend(filled);
    match &reader.found.kustomization {
        Some(object) => {
            let message = format!("{shown}: {object} is a kustomization, not what it builds to");
            Err(unreadable(name, None, message, RENDER))
        }
        None => Ok(reader.found),
    }
}

fn not_yaml(name: &str, shown: &str, text: &str, error: &yaml::Unreadable) -> Unreadable {
    let line = text.lines().nth(error.line.saturating_sub(1)).unwrap_or_default();
    let template = text.contains("{{") && (line.contains("{{") || line.contains("}}") || text.contains("{{-"));
    let what = text::clean(&text::bounded(&error.message, 200));
    let (message, hint) = if template {
        (format!("{shown}, line {}: it is a template that was not rendered ({what})", error.line), RENDER)
    } else {
        (format!("{shown}, line {}: not valid YAML: {what}", error.line), "expected manifests in YAML or JSON")
    };
    unreadable(name, Some(error.line), message, hint)
}

fn add_up(all: Vec<Read>, unreadable: Vec<Unreadable>) -> Manifests {
    let mut manifests = Manifests { unreadable, ..Manifests::default() };
    let mut accounts: BTreeSet<ServiceAccount> = BTreeSet::new();
    for read in all {
        let objects = match read {
            Ok(objects) => objects,
            Err(unreadable) => {
                manifests.unreadable.push(unreadable);
                continue;
            }
        };
        manifests.places.extend(objects.places);
        manifests.unjudged.extend(objects.unjudged);
        manifests.unrendered.extend(objects.unrendered);
        manifests.chosen.extend(objects.chosen);
        manifests.files += 1;
        manifests.probable.extend(objects.probable);
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
