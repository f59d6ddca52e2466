//! What was known already, from a former report.

use std::collections::BTreeMap;

use super::SuppressedBy;
use crate::checks::finding::Finding;
use crate::checks::rule::Severity;
use crate::text;

/// What was known already: the fingerprints of a former report.
#[derive(Debug)]
pub struct Baseline {
    file: String,
    /// How bad each finding was, by its fingerprint.
    known: BTreeMap<String, Severity>,
}

impl Baseline {
    /// The baseline that a former report's findings are; `file` names it for people.
    pub fn new(file: &str, known: impl IntoIterator<Item = (String, Severity)>) -> Self {
        Self { file: text::clean(file), known: known.into_iter().collect() }
    }

    /// Whether the finding was there before. One that has become worse is news.
    pub fn knows(&self, finding: &Finding) -> Option<SuppressedBy> {
        let was = self.known.get(finding.fingerprint().as_str()).copied();
        was.filter(|was| finding.severity <= *was).map(|_| SuppressedBy {
            file: self.file.clone(),
            line: None,
            reason: "known from the baseline".to_owned(),
            until: None,
        })
    }
}
