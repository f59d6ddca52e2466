//! Files, folders and pipes: which are read, and the text that is in them.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::RENDER;
use crate::evidence::manifests::Unreadable;
use crate::text;

/// Largest file that is read, in bytes.
const FILE_LIMIT: u64 = 256 << 20;
/// Most files of all folders.
const MOST_FILES: usize = 200_000;
/// Deepest folder that is looked into.
const DEEPEST: usize = 40;

/// What was named, before any of it is read.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// The files, in the order of their names.
    pub(super) files: Vec<PathBuf>,
    /// What cannot be read.
    pub(super) unreadable: Vec<Unreadable>,
    /// Links to folders that lie elsewhere.
    pub(super) unfollowed: Vec<String>,
    /// Folders that were looked into: a link may lead back to one.
    seen: HashSet<PathBuf>,
}

impl Files {
    /// Takes a file, a folder or a pipe as it was named.
    pub(super) fn take(&mut self, input: &Path) {
        if input.is_dir() {
            let before = self.files.len() + self.unreadable.len();
            let root = input.canonicalize().unwrap_or_else(|_| input.to_owned());
            self.folder(input, &root, DEEPEST);
            if self.files.len() + self.unreadable.len() == before {
                let message = format!("{} has no .yaml, .yml or .json file", shown(input));
                self.refuse(input, message, "expected a folder of manifests");
            }
        } else if is_standard_input(input) || input.exists() {
            // Pipes and devices, too: /dev/stdin, <(helm template …).
            self.files.push(input.to_owned());
        } else {
            let message = format!("{} does not exist", shown(input));
            self.refuse(input, message, "expected files, folders, or - for standard input");
        }
    }

    fn refuse(&mut self, path: &Path, message: String, hint: &str) {
        self.unreadable.push(unreadable(&relative(path), None, message, hint));
    }

    /// The manifests of a folder; hidden files and folders are left out.
    fn folder(&mut self, folder: &Path, root: &Path, depth: usize) {
        if !self.seen.insert(folder.canonicalize().unwrap_or_else(|_| folder.to_owned())) {
            return;
        }
        let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.refuse(folder, cannot(&shown(folder), &error), "check the path"),
        };
        entries.sort_by_key(std::fs::DirEntry::file_name);
        if entries.iter().any(|entry| entry.file_name() == "Chart.yaml") {
            return self.refuse(folder, format!("{} is a Helm chart, not what it renders to", shown(folder)), RENDER);
        }
        if entries.iter().any(|entry| is_kustomization(&entry.path())) {
            let message = format!("{} is a folder of kustomize, not what it builds to", shown(folder));
            return self.refuse(folder, message, RENDER);
        }
        for entry in entries.iter().filter(|entry| !entry.file_name().to_string_lossy().starts_with('.')) {
            self.entry(&entry.path(), root, depth);
        }
    }

    /// A file or folder in a folder. A link to a file is read wherever it leads, as kubectl does; a link to a folder is
    /// followed within the folder that was named, and told where it leads elsewhere.
    fn entry(&mut self, path: &Path, root: &Path, depth: usize) {
        if self.files.len() >= MOST_FILES || (path.is_dir() && depth == 0) {
            let message = format!("{} is one of too many files, or too deep in folders", shown(path));
            let hint = "name fewer folders";
            if self.unreadable.last().is_none_or(|last| last.hint != hint) {
                self.refuse(path, message, hint);
            }
        } else if path.is_dir() {
            if path.canonicalize().is_ok_and(|real| real.starts_with(root)) {
                self.folder(path, root, depth - 1);
            } else {
                self.unfollowed.push(relative(path));
            }
        } else if is_manifest(path) && path.is_file() {
            self.files.push(path.to_owned());
        } else if is_manifest(path) && !path.exists() {
            self.refuse(path, format!("{} is a link that leads to nothing", shown(path)), "check the link");
        }
    }
}

/// What is said of a file that cannot be read.
pub(super) fn unreadable(file: &str, line: Option<usize>, message: String, hint: &str) -> Unreadable {
    Unreadable { file: file.to_owned(), line, message, hint: hint.to_owned() }
}

/// The text of a file, or of standard input.
pub(super) fn text_of(path: &Path) -> Result<String, Unreadable> {
    let name = if is_standard_input(path) { "standard input".to_owned() } else { shown(path) };
    let refused = |message: String, hint: &str| unreadable(&relative(path), None, message, hint);
    let failed = |error: std::io::Error| refused(cannot(&name, &error), "check the path");
    let mut bytes = Vec::new();
    let source: Box<dyn std::io::Read> = if is_standard_input(path) {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(failed)?)
    };
    source.take(FILE_LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(refused(format!("{name} is larger than {} MiB", FILE_LIMIT >> 20), "split it"));
    }
    Ok(decoded(bytes))
}

/// Text as kubectl decodes it: UTF-16 by its byte order mark, anything else as UTF-8, in which a comment may hold bytes
/// of another encoding.
fn decoded(bytes: Vec<u8>) -> String {
    let wide = |unit: fn([u8; 2]) -> u16| {
        let units = bytes[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    match bytes.as_slice() {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        _ => String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    }
}

pub(super) fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn cannot(name: &str, error: &std::io::Error) -> String {
    format!("{name} cannot be read: {error}")
}

pub(super) fn shown(path: &Path) -> String {
    text::clean(&path.display().to_string())
}

/// The path as a report names it: from here, where it lies below.
pub(super) fn relative(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let path = here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

fn is_kustomization(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    ["kustomization.yaml", "kustomization.yml", "Kustomization"].contains(&name)
}

/// Whether a file of a folder is read, by its name.
pub fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    ["yaml", "yml", "json"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_those_that_kubectl_reads() {
        let text = "a: ü😀\n";
        let wide = |unit: fn(u16) -> [u8; 2]| {
            "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(unit).collect::<Vec<u8>>()
        };
        assert_eq!(decoded(wide(u16::to_le_bytes)), text);
        assert_eq!(decoded(wide(u16::to_be_bytes)), text);
        assert_eq!(decoded(text.as_bytes().to_vec()), text);
        assert_eq!(decoded(b"a: 1 # caf\xe9\n".to_vec()), "a: 1 # caf\u{fffd}\n");
        assert_eq!(decoded(vec![0xff, 0xfe, b'a']), "");
    }
}
