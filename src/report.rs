//! Reports: one file a format, all from the one diagnosis by way of [`model::Report`].

pub mod annotations;
pub mod compare;
pub mod cutover;
pub mod doctor;
pub mod fleet;
pub mod gitlab;
mod headline;
pub mod html;
pub mod json;
pub mod junit;
mod lines;
pub mod markdown;
pub mod marks;
pub mod mermaid;
pub mod model;
pub mod old;
pub mod openmetrics;
pub mod page;
pub mod permissions;
mod picture;
pub mod preflight;
pub mod probe;
mod roots;
pub mod sarif;
mod screen;
pub mod script;
pub mod servicenow;
pub mod table;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;

use crate::checks::rule::Severity;
use model::Report;

/// An output format of a diagnosis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// For machines: the whole report
    Json,
    /// JSON Lines: a finding a line
    Jsonl,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit XML: a test case for each check
    Junit,
    /// Markdown, for a step summary or a ticket
    Markdown,
    /// One HTML page that needs nothing else, with the chain as a picture
    Html,
    /// The chain as a Mermaid flowchart
    Mermaid,
    /// Annotations of a GitHub workflow
    Github,
    /// Logging commands of Azure Pipelines
    AzurePipelines,
    /// Code quality report of GitLab
    Gitlab,
    /// Events for ServiceNow Event Management
    Servicenow,
    /// OpenMetrics, for alerts
    Openmetrics,
}

/// A list's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people
    Table,
    /// For machines
    Json,
}

/// `--output FORMAT` or `--output FORMAT=FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output<F = Format> {
    /// The format.
    pub format: F,
    /// Where it goes; `None` is standard output.
    pub file: Option<PathBuf>,
}

impl<F: ValueEnum> Output<F> {
    /// The format's name on the command line.
    pub fn name(&self) -> String {
        self.format.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

impl<F: ValueEnum> FromStr for Output<F> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, file) = text.split_once('=').map_or((text, None), |(word, file)| (word, Some(file)));
        let names = || F::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let format = F::from_str(word, false).map_err(|_| {
            let known: Vec<String> = names().map(|value| value.get_name().to_owned()).collect();
            let near = crate::text::nearest(word, known.iter().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
            format!("there is no such format, expected one of {}{near}", known.join(", "))
        })?;
        match file {
            Some("") => Err("expected a file after =".to_owned()),
            file => Ok(Self { format, file: file.map(PathBuf::from) }),
        }
    }
}

/// What the formats need besides the report.
#[derive(Debug, Clone, Copy)]
pub struct Options<'o> {
    /// Characters of a line.
    pub width: usize,
    /// A former report, whose findings that are gone are cleared.
    pub previous: Option<&'o Report>,
    /// Whether the terminal shows hyperlinks.
    pub links: bool,
    /// Whether the terminal shows nothing but ASCII.
    pub ascii: bool,
    /// The long form of the table: evidence, passed checks, how to verify.
    pub details: bool,
    /// How long a live run took; a snapshot's report is the same however long it takes.
    pub elapsed: Option<Duration>,
    /// From which severity on a finding fails the run; none does where it is absent.
    pub fails_from: Option<Severity>,
}

impl Default for Options<'_> {
    /// What a pipe gets.
    fn default() -> Self {
        Self {
            width: 100,
            previous: None,
            links: false,
            ascii: false,
            details: false,
            elapsed: None,
            fails_from: Some(Severity::Error),
        }
    }
}

/// Renders a report.
///
/// # Errors
/// A report that is no JSON, which does not happen.
pub fn render(report: &Report, format: Format, options: &Options<'_>) -> serde_json::Result<String> {
    Ok(match format {
        Format::Table => {
            let text = match &report.preflight {
                Some(images) => preflight::render(report, images, options),
                None if options.details => table::render(report, options),
                None => screen::render(report, options),
            };
            if options.ascii { marks::ascii(&text) } else { text }
        }
        Format::Json => json::render(report)?,
        Format::Jsonl => json::render_lines(report)?,
        Format::Sarif => sarif::render(report)?,
        Format::Junit => junit::render(report, options.fails_from),
        Format::Markdown => markdown::render(report),
        Format::Html => html::render(report),
        Format::Mermaid => mermaid::render(report),
        Format::Github => annotations::github(report),
        Format::AzurePipelines => annotations::azure_pipelines(report),
        Format::Gitlab => gitlab::render(report)?,
        Format::Servicenow => servicenow::render(report, options.previous)?,
        Format::Openmetrics => openmetrics::render(report),
    })
}
