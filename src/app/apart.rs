//! What a run writes is neither what it reads nor what it writes elsewhere: nothing of the operator's is overwritten.

use std::path::{Path, PathBuf};

use crate::report::Output;
use crate::sources::manifests;
use crate::text::{self, problem::Problem};

/// The files of a command line, by the options that name them.
#[derive(Default)]
pub(super) struct Apart<'a> {
    reads: Vec<(&'static str, &'a Path)>,
    writes: Vec<(String, &'a Path)>,
}

impl<'a> Apart<'a> {
    /// Files that are read.
    pub(super) fn reads<P: AsRef<Path> + 'a>(
        mut self,
        option: &'static str,
        files: impl IntoIterator<Item = &'a P>,
    ) -> Self {
        let files = files.into_iter().map(AsRef::as_ref).filter(|file| *file != Path::new("-"));
        self.reads.extend(files.map(|file| (option, file)));
        self
    }

    /// Files that are written.
    pub(super) fn writes<P: AsRef<Path> + 'a>(
        mut self,
        option: &'static str,
        files: impl IntoIterator<Item = &'a P>,
    ) -> Self {
        self.writes.extend(files.into_iter().map(|file| (option.to_owned(), file.as_ref())));
        self
    }

    /// Files of `--output FORMAT=FILE`.
    pub(super) fn outputs<F: clap::ValueEnum>(mut self, outputs: &'a [Output<F>]) -> Self {
        let files = outputs.iter().filter_map(|output| Some((output.name(), output.file.as_deref()?)));
        self.writes.extend(files.map(|(name, file)| (format!("--output {name}"), file)));
        self
    }

    /// Whether all of them are.
    ///
    /// # Errors
    /// Which two are one file.
    pub(super) fn check(&self) -> Result<(), Problem> {
        for (at, (option, file)) in self.writes.iter().enumerate() {
            let Some(own) = identity(file) else { continue };
            let same = |(_, other): &&(String, &Path)| identity(other).as_ref() == Some(&own);
            if let Some((other, _)) = self.writes[..at].iter().find(same) {
                return Err(Problem::new(
                    format!("{other} and {option} would both go to {}", named(file)),
                    "give one of them a file of its own",
                ));
            }
            if let Some((input, read)) = self.reads.iter().find(|(_, read)| holds(read, &own)) {
                return Err(Problem::new(
                    format!("{option} would overwrite {}, which {input} reads ({})", named(file), named(read)),
                    "write to a file of its own",
                ));
            }
        }
        Ok(())
    }
}

fn named(path: &Path) -> String {
    text::clean(&path.display().to_string())
}

/// Which file a path leads to, also where there is none yet; none for devices and pipes, which several may share.
fn identity(path: &Path) -> Option<PathBuf> {
    if let Ok(there) = path.canonicalize() {
        return (there.is_file() || there.is_dir()).then_some(there);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(folder.canonicalize().ok()?.join(path.file_name()?))
}

/// Whether what is read is the file, or a folder of manifests of which it is one already.
fn holds(read: &Path, file: &Path) -> bool {
    let below = |read: &Path| read.is_dir() && file.starts_with(read) && manifests::is_manifest(file) && !is_ours(file);
    identity(read).is_some_and(|read| read == file || below(&read))
}

/// Whether an earlier run wrote the file, or there is none.
fn is_ours(file: &Path) -> bool {
    let said = |text: String| text.lines().next().is_some_and(|line| line.contains("aksiso"));
    std::fs::read_to_string(file).map_or(!file.exists(), said)
}
