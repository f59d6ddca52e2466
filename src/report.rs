//! Reports: one file a format, all from the one diagnosis.

pub mod json;
pub mod page;
pub mod permissions;
pub mod script;
pub mod table;

use clap::ValueEnum;

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// For machines
    Json,
}
