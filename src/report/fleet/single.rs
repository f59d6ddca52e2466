//! A fleet as one report of its root causes: what formats are made from that know findings, and no clusters.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{CauseEntry, ClusterEntry, FleetReport};
use super::words;
use crate::answers;
use crate::answers::fleet::feeds;
use crate::checks::catalogue;
use crate::diagnosis::Status;
use crate::evidence::fleet::table::{ALL, CLUSTERS, Query};
use crate::evidence::{Gap, Reason};
use crate::report::model::{Affected, CheckEntry, Cluster, FindingEntry, GapEntry, Report, Summary, gap_entry};
use crate::text;

/// Most gaps of one check: a thousand clusters may lack the same permission.
const GAPS: usize = 50;

/// The root causes as findings; who shares them stands in their texts.
pub(super) fn of(report: &FleetReport) -> Report {
    let findings: Vec<FindingEntry> =
        report.causes.iter().filter_map(|cause| Some(finding(cause, report.finding(&cause.fingerprint)?))).collect();
    let count = |severity: &str| findings.iter().filter(|finding| finding.severity == severity).count();
    let checks = checks(report, &findings);
    Report {
        schema_version: report.schema_version.clone(),
        tool: report.tool.clone(),
        collected_at: report.as_of,
        cluster: Cluster {
            id: "/fleet".to_owned(),
            name: "fleet".to_owned(),
            resource_group: None,
            location: None,
            kubernetes_version: None,
            artifact_source: None,
            outbound_type: None,
            registry_id: None,
            registry_ownership: "none".to_owned(),
        },
        verdict: report.verdict.clone(),
        summary: Summary {
            error: count("error"),
            warning: count("warning"),
            info: count("info"),
            accepted: report.summary.suppressed,
            not_asked: report.not_asked().len(),
            root_causes: findings.len(),
            symptoms: 0,
            undetermined: checks.iter().filter(|check| check.status == Status::Undetermined.as_str()).count(),
        },
        checks,
        findings,
        plan: Vec::new(),
        chain: Vec::new(),
        affected: Affected::default(),
        suppressed: report.suppressed.clone(),
        policy: report.policy.clone(),
        what_if: None,
        preflight: None,
        probes: Vec::new(),
        unsettled: Vec::new(),
    }
}

fn finding(cause: &CauseEntry, finding: &FindingEntry) -> FindingEntry {
    let names = cause.clusters.iter().map(|id| words::name(id));
    let reach = text::count(cause.clusters.len(), "cluster");
    let heals = cause.heals_alone.len();
    let heals = if heals == 0 { String::new() } else { format!(", {heals} of which have nothing else") };
    let detail = format!("{} Affects {reach}{heals}: {}.", finding.detail, text::listed(names));
    FindingEntry {
        severity: cause.severity.clone(),
        detail,
        remediation: cause.remediation.clone(),
        caused_by: Vec::new(),
        ..finding.clone()
    }
}

/// Why clusters may be missing, or what a check reads of them.
fn unseen_clusters(report: &FleetReport, check: &str) -> Vec<GapEntry> {
    let reads = |query: &Query| catalogue::ALL.iter().any(|own| own.about.id == check && feeds(query, own));
    let reads = |table: &str| ALL.iter().any(|query| query.kind == table && (**query == CLUSTERS || reads(query)));
    let queries = report.queries.iter().filter(|query| query.missing() && reads(&query.table));
    let mut gaps: Vec<GapEntry> = queries.flat_map(|query| query.gaps.clone()).collect();
    gaps.extend(report.scope.gaps.iter().cloned());
    gaps.extend(report.scope.hidden.iter().map(|subscription| {
        let gap = Gap::new(Reason::Forbidden, format!("subscription {subscription} did not answer"));
        gap_entry(&Gap {
            needed: Some(CLUSTERS.api.action.to_owned()),
            scope: format!("/subscriptions/{subscription}"),
            role: Some("Reader".to_owned()),
            ..gap
        })
    }));
    gaps
}

/// A check has failed where it failed anywhere, and saw everything only where it did so everywhere.
fn checks(report: &FleetReport, findings: &[FindingEntry]) -> Vec<CheckEntry> {
    let not_covered: BTreeSet<&str> =
        report.clusters.iter().flat_map(|cluster| cluster.not_covered.iter().map(String::as_str)).collect();
    let mut unseen: BTreeMap<&str, Vec<&ClusterEntry>> = BTreeMap::new();
    for cluster in &report.clusters {
        for check in &cluster.undetermined {
            unseen.entry(&check.check).or_default().push(cluster);
        }
    }
    let unasked = report.not_asked();
    let all = answers::rule_sets().map(|set| set.id).filter(|id| !unasked.contains(id)).filter(|id| {
        let found = findings.iter().any(|finding| finding.check == *id);
        found || (!not_covered.contains(id) && *id != answers::preflight::RULES.id)
    });
    let entry = |id: &str| {
        let own = unseen.get(id).map_or(&[] as &[_], Vec::as_slice);
        let gaps = own.iter().flat_map(|cluster| cluster.undetermined.iter().filter(|check| check.check == id));
        let mut gaps: Vec<_> = gaps.flat_map(|check| check.gaps.clone()).take(GAPS).collect();
        // What a cluster that was not seen has is not known either.
        gaps.extend(unseen_clusters(report, id));
        gaps.dedup();
        let failed = findings.iter().any(|finding| finding.check == id && finding.severity != "info");
        let status = match (failed, gaps.is_empty()) {
            (true, _) => Status::Failed,
            (false, true) => Status::Passed,
            (false, false) => Status::Undetermined,
        };
        let reason = (status == Status::Undetermined)
            .then(|| format!("could not see all of {}", text::count(own.len().max(1), "cluster")));
        CheckEntry { id: id.to_owned(), status: status.as_str().to_owned(), reason, gaps }
    };
    all.map(entry).collect()
}
