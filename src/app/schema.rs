//! The JSON Schemas of what aksiso writes and reads, generated from the very types.
//!
//! Within schema version 1 of the report and version 1 of the snapshot, fields are only added: a reader that ignores
//! what it does not know reads every later version of the same number.

use clap::ValueEnum;
use schemars::{Schema, schema_for};

/// What a schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// The report of diagnose --output json
    Report,
    /// The comparison of compare --output json
    Comparison,
    /// The report of cutover --output json
    Cutover,
    /// The report of fleet --output json
    Fleet,
    /// The answer of doctor --output json
    Doctor,
    /// The snapshot of collect
    Snapshot,
    /// The policy, aksiso.toml
    Config,
    /// The file of probe, which --probe reads
    Probe,
}

impl SchemaOf {
    /// The schema.
    pub fn schema(self) -> Schema {
        let mut schema = match self {
            Self::Report => schema_for!(crate::report::model::Report),
            Self::Comparison => schema_for!(crate::report::compare::Comparison),
            Self::Cutover => schema_for!(crate::report::cutover::CutoverReport),
            Self::Fleet => schema_for!(crate::report::fleet::model::FleetReport),
            Self::Doctor => schema_for!(crate::report::doctor::Doctor),
            Self::Snapshot => schema_for!(crate::evidence::snapshot::Snapshot),
            Self::Config => schema_for!(crate::diagnosis::policy::PolicyFile),
            Self::Probe => schema_for!(crate::evidence::probe::Probe),
        };
        schema.insert("title".to_owned(), format!("aksiso {}", self.name()).into());
        schema
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Comparison => "comparison",
            Self::Cutover => "cutover",
            Self::Fleet => "fleet",
            Self::Doctor => "doctor",
            Self::Snapshot => "snapshot",
            Self::Config => "config",
            Self::Probe => "probe",
        }
    }

    /// The schema as text, ending in a line break.
    ///
    /// # Errors
    /// A schema that is no JSON, which does not happen.
    pub fn render(self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&self.schema()).map(|text| text + "\n")
    }
}
