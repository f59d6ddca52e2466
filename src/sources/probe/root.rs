//! The node's files below the folder where its file system is mounted. A link leads to where it leads on the node, and
//! never out of that folder.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

/// Largest file that is read, in bytes.
const LIMIT: u64 = 1 << 20;
/// Most links that are followed.
const LINKS: usize = 32;

/// A file system of a node.
pub(super) struct Root {
    at: PathBuf,
}

/// Why a file was not read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unread {
    #[error("it does not exist")]
    Absent,
    #[error("{0}")]
    Refused(String),
}

impl Root {
    pub(super) fn new(at: &Path) -> Self {
        Self { at: at.to_owned() }
    }

    /// Whether something is there.
    pub(super) fn has(&self, path: &str) -> bool {
        self.place(path).is_ok_and(|place| place.exists())
    }

    /// Reads a regular file.
    pub(super) fn read(&self, path: &str) -> Result<Vec<u8>, Unread> {
        let refused = |error: &io::Error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Unread::Absent,
            io::ErrorKind::PermissionDenied => Unread::Refused("permission denied".to_owned()),
            kind => Unread::Refused(kind.to_string()),
        };
        let place = self.place(path)?;
        let about = fs::symlink_metadata(&place).map_err(|error| refused(&error))?;
        if !about.is_file() {
            return Err(Unread::Refused("it is not a regular file".to_owned()));
        }
        let mut bytes = Vec::new();
        let file = fs::File::open(&place).map_err(|error| refused(&error))?;
        file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(|error| refused(&error))?;
        if bytes.len() as u64 > LIMIT {
            return Err(Unread::Refused(format!("it is larger than {} MiB", LIMIT >> 20)));
        }
        Ok(bytes)
    }

    /// Where a path of the node lies here, with every link on the way followed below the root.
    fn place(&self, path: &str) -> Result<PathBuf, Unread> {
        let mut open: Vec<PathBuf> = components(Path::new(path));
        let (mut place, mut links) = (self.at.clone(), 0);
        while let Some(next) = open.pop() {
            if next == Path::new("..") {
                if place != self.at {
                    place.pop();
                }
                continue;
            }
            let candidate = place.join(&next);
            let Ok(target) = fs::read_link(&candidate) else {
                place = candidate;
                continue;
            };
            links += 1;
            if links > LINKS {
                return Err(Unread::Refused("too many links".to_owned()));
            }
            if target.has_root() {
                place.clone_from(&self.at);
            }
            open.extend(components(&target));
        }
        Ok(place)
    }
}

/// The parts of a path, the first one last.
fn components(path: &Path) -> Vec<PathBuf> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(PathBuf::from(name)),
        Component::ParentDir => Some(PathBuf::from("..")),
        _ => None,
    });
    let mut parts: Vec<PathBuf> = parts.collect();
    parts.reverse();
    parts
}
