//! The report of a fleet: one model, one file a format.

pub mod csv;
pub mod html;
pub mod junit;
pub mod markdown;
pub mod model;
pub mod openmetrics;
mod single;
pub mod table;
mod trend;
mod words;

use std::collections::BTreeSet;

use clap::ValueEnum;

use super::{Output, json, sarif, servicenow};
use crate::text;
use model::{CauseEntry, FleetReport};

/// An output format of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FleetFormat {
    /// For people
    Table,
    /// For machines: the whole report
    Json,
    /// JSON Lines: a cause a line, for one ticket each
    Jsonl,
    /// A line a cluster and finding, for a spreadsheet
    Csv,
    /// Markdown, for a step summary or a ticket
    Markdown,
    /// SARIF 2.1.0, for code scanning: a result for each cause
    Sarif,
    /// JUnit XML: a test case for each cluster
    Junit,
    /// Events for ServiceNow Event Management, one for each cause
    Servicenow,
    /// One HTML file
    Html,
    /// OpenMetrics, for alerts
    Openmetrics,
}

/// What the table, Markdown and HTML list first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GroupBy {
    /// Root causes, by reach
    Cause,
    /// Clusters
    Cluster,
    /// Subscriptions
    Subscription,
    /// Bootstrap registries
    Registry,
}

/// `--output FORMAT` or `--output FORMAT=FILE`.
pub type FleetOutput = Output<FleetFormat>;

/// What the formats need besides the report.
#[derive(Debug)]
pub struct FleetOptions<'o> {
    /// Characters of a line.
    pub width: usize,
    pub group_by: GroupBy,
    /// A former report, whose causes that are gone are cleared.
    pub previous: Option<&'o FleetReport>,
}

/// Renders a report.
///
/// # Errors
/// A report that is no JSON, which does not happen.
pub fn render(report: &FleetReport, format: FleetFormat, options: &FleetOptions<'_>) -> serde_json::Result<String> {
    Ok(match format {
        FleetFormat::Table => table::render(report, options),
        FleetFormat::Json => json::printed(report)?,
        FleetFormat::Jsonl => lines(report)?,
        FleetFormat::Csv => csv::render(report),
        FleetFormat::Markdown => markdown::render(report, options),
        FleetFormat::Sarif => sarif::render(&single::of(report))?,
        FleetFormat::Junit => junit::render(report),
        FleetFormat::Servicenow => {
            // What was not seen this time keeps its ticket, and so does what is accepted: it is still there.
            let unseen = report.trend.iter().flat_map(|trend| &trend.unseen);
            let accepted = report.clusters.iter().flat_map(|cluster| &cluster.suppressed).map(String::as_str);
            let kept: BTreeSet<&str> = unseen.map(|hit| hit.fingerprint.as_str()).chain(accepted).collect();
            let previous = options.previous.map(|previous| {
                let mut previous = single::of(previous);
                previous.findings.retain(|finding| !kept.contains(finding.fingerprint.as_str()));
                previous
            });
            servicenow::render(&single::of(report), previous.as_ref())?
        }
        FleetFormat::Html => html::render(report, options),
        FleetFormat::Openmetrics => openmetrics::render(report),
    })
}

/// What was not seen, a sentence each.
pub fn unseen(report: &FleetReport) -> Vec<String> {
    words::unseen(report)
}

/// One line a cause, each with what it takes to be read alone.
fn lines(report: &FleetReport) -> serde_json::Result<String> {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Line<'r> {
        schema_version: &'r str,
        as_of: jiff::Timestamp,
        title: &'r str,
        detail: &'r str,
        #[serde(flatten)]
        cause: &'r CauseEntry,
    }
    let mut out = String::new();
    for cause in &report.causes {
        let finding = report.finding(&cause.fingerprint);
        let line = Line {
            schema_version: &report.schema_version,
            as_of: report.as_of,
            title: finding.map_or("", |finding| &finding.title),
            detail: finding.map_or("", |finding| &finding.detail),
            cause,
        };
        out.push_str(&text::escape_json(&serde_json::to_string(&line)?));
        out.push('\n');
    }
    Ok(out)
}
