//! One integration binary: the laws of the checks, the command line, collection from real servers, and the docs.

#![allow(missing_docs, clippy::unwrap_used)]

mod checks;
mod cli;
mod docs;
mod fixtures;
mod recorded;
mod snapshots;
