//! What the table, Markdown and HTML say in the same words: the verdict, what was not seen, and groups of clusters.

use std::collections::BTreeMap;

use super::GroupBy;
use super::model::{CauseEntry, ClusterEntry, FleetEffect, FleetReport};
use crate::diagnosis::gaps;
use crate::report::model::GapEntry;
use crate::text::count;

/// Most things of one kind that a list names; the JSON has them all.
pub(super) const SHOWN: usize = 20;

/// The verdict as people read it.
pub(super) fn verdict(word: &str) -> &'static str {
    match word {
        "findings" => "unhealthy",
        "healthy" => "healthy",
        "accepted" => "accepted",
        _ => "incomplete",
    }
}

/// A cluster's name, from its id.
pub(super) fn name(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or_default()
}

/// A cluster for which changes would bring something, in words.
pub(super) struct Worse<'r> {
    pub(super) name: &'r str,
    pub(super) before: &'static str,
    pub(super) after: &'static str,
    /// The rules of what they would bring.
    pub(super) rules: String,
}

/// The clusters for which changes would bring something.
pub(super) fn worse<'r>(report: &'r FleetReport, effect: &'r FleetEffect) -> impl Iterator<Item = Worse<'r>> {
    effect.clusters.iter().filter(|own| !own.new_findings.is_empty()).map(|own| {
        let found = own.new_findings.iter().filter_map(|print| report.finding(print));
        let rules: Vec<&str> = found.map(|finding| finding.rule.as_str()).collect();
        Worse { name: name(&own.id), before: verdict(&own.before), after: verdict(&own.after), rules: rules.join(", ") }
    })
}

/// The clusters of which it is not known what changes would do.
pub(super) fn open(effect: &FleetEffect) -> Option<String> {
    let open = effect.clusters.iter().filter(|own| own.after == "incomplete").map(|own| name(&own.id));
    let open: Vec<&str> = open.collect();
    (!open.is_empty()).then(|| {
        format!("The effect is not known for {}: {}.", count(open.len(), "cluster"), crate::text::listed(&open))
    })
}

/// The first line: how many clusters have what.
pub(super) fn headline(report: &FleetReport) -> String {
    let bad = report.causes.iter().filter(|cause| cause.severity != "info").count();
    let clusters = count(report.summary.clusters, "cluster");
    let hit = report.summary.verdicts.get("findings").copied().unwrap_or(0);
    match report.verdict.as_str() {
        "findings" => format!("{} in {hit} of {clusters}", count(bad, "root cause")),
        "healthy" if report.summary.clusters == 0 => "no cluster was judged".to_owned(),
        "healthy" => format!("{clusters}, none with an error or a warning"),
        "accepted" => format!("{clusters}, nothing new: what is wrong is accepted"),
        _ => format!("{clusters}; some of the data is missing"),
    }
}

/// How many clusters have which verdict.
pub(super) fn verdicts(report: &FleetReport) -> String {
    let parts: Vec<String> =
        report.summary.verdicts.iter().map(|(word, number)| format!("{number} {}", verdict(word))).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

/// What was left out, and what could not be seen, a sentence each.
pub(super) fn unseen(report: &FleetReport) -> Vec<String> {
    let mut out = Vec::new();
    let hidden = &report.scope.hidden;
    if !hidden.is_empty() {
        out.push(format!(
            "{} did not answer: {}. Reader on them is missing, or they do not exist.",
            count(hidden.len(), "subscription"),
            listed(hidden)
        ));
    }
    out.extend(report.scope.gaps.iter().map(gap));
    for query in report.queries.iter().filter(|query| !query.complete && !query.gaps.is_empty()) {
        let never = query.gaps.iter().all(|gap| gap.kind == gaps::NOT_COLLECTED);
        if !never {
            out.extend(query.gaps.iter().take(3).map(gap));
        }
    }
    let mut reasons: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for check in report.clusters.iter().flat_map(|cluster| &cluster.undetermined) {
        for gap in &check.gaps {
            *reasons.entry((&check.check, &gap.detail)).or_insert(0) += 1;
        }
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    for ((check, detail), number) in reasons.iter().take(SHOWN) {
        out.push(format!("{check} in {}: {detail}", count(*number, "cluster")));
    }
    if reasons.len() > SHOWN {
        out.push(format!("{} more reasons are in the JSON", reasons.len() - SHOWN));
    }
    out
}

/// What was left out on purpose, or dropped.
pub(super) fn notes(report: &FleetReport) -> Vec<String> {
    let mut out = Vec::new();
    let summary = &report.summary;
    if summary.not_judged > 0 {
        out.push(format!(
            "{} without isolation or cache not judged (--where all)",
            count(summary.not_judged, "cluster")
        ));
    }
    if !summary.not_covered.is_empty() {
        out.push(format!("not covered: {} (aksiso diagnose covers them)", summary.not_covered.join(", ")));
    }
    let unasked = report.not_asked();
    if !unasked.is_empty() {
        out.push(format!("{} not asked for: {}", count(unasked.len(), "check"), crate::text::listed(&unasked)));
    }
    if !report.stale.is_empty() {
        out.push(format!(
            "{} of Resource Graph dropped: Azure Resource Manager did not confirm them",
            count(report.stale.len(), "error")
        ));
    }
    if !report.gone.is_empty() {
        out.push(format!(
            "{} of Resource Graph left out: Azure Resource Manager says that they do not exist",
            count(report.gone.len(), "cluster")
        ));
    }
    if summary.suppressed > 0 {
        out.push(format!("{} accepted by the policy or the baseline", count(summary.suppressed, "finding")));
    }
    if let Some(trend) = &report.trend {
        out.push(format!(
            "since the previous report: {} new, {} fixed, {} unchanged, {} not seen",
            trend.new.len(),
            trend.fixed.len(),
            trend.unchanged.len(),
            trend.unseen.len()
        ));
    }
    out.extend(report.policy.iter().map(|notice| format!("{}, line {}: {}", notice.file, notice.line, notice.message)));
    out
}

fn gap(gap: &GapEntry) -> String {
    let needs = gap.needed.as_ref().map_or_else(String::new, |needed| format!(" (needs {needed})"));
    format!("{}{needs}", gap.detail)
}

/// The first of many names.
pub(super) fn listed(names: &[String]) -> String {
    crate::text::listed(names)
}

/// Clusters that have something in common.
pub(super) struct Group<'r> {
    pub(super) name: String,
    pub(super) clusters: Vec<&'r ClusterEntry>,
    pub(super) causes: Vec<&'r CauseEntry>,
}

/// Clusters by subscription or registry, those with most unhealthy ones first; none for the other groupings.
pub(super) fn groups(report: &FleetReport, by: GroupBy) -> Vec<Group<'_>> {
    let name = |cluster: &ClusterEntry| match by {
        GroupBy::Subscription => cluster.id.split('/').nth(2).unwrap_or_default().to_lowercase(),
        GroupBy::Registry => cluster.registry_id.clone().unwrap_or_else(|| "no bootstrap registry".to_owned()),
        GroupBy::Cause | GroupBy::Cluster => String::new(),
    };
    let mut groups: BTreeMap<String, (String, Vec<&ClusterEntry>)> = BTreeMap::new();
    if matches!(by, GroupBy::Subscription | GroupBy::Registry) {
        for cluster in &report.clusters {
            let name = name(cluster);
            groups.entry(name.to_lowercase()).or_insert_with(|| (name, Vec::new())).1.push(cluster);
        }
    }
    let mut groups: Vec<Group<'_>> = groups
        .into_values()
        .map(|(name, clusters)| {
            let has = |cause: &&CauseEntry| clusters.iter().any(|own| own.findings.contains(&cause.fingerprint));
            let causes = report.causes.iter().filter(has).collect();
            Group { name, clusters, causes }
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(unhealthy(&group.clusters)));
    groups
}

/// How many are unhealthy.
pub(super) fn unhealthy(clusters: &[&ClusterEntry]) -> usize {
    clusters.iter().filter(|cluster| cluster.verdict == "findings").count()
}

/// What a cluster has, in a few words: its root causes, or what could not be seen.
pub(super) fn has(report: &FleetReport, cluster: &ClusterEntry) -> String {
    let found = cluster.findings.iter().filter_map(|print| report.finding(print));
    let mut rules: Vec<&str> = found
        .filter(|finding| finding.caused_by.is_empty() && finding.severity != "info")
        .map(|finding| finding.rule.as_str())
        .collect();
    rules.dedup();
    let unseen: Vec<&str> = cluster.undetermined.iter().map(|check| check.check.as_str()).collect();
    let mut parts = rules.join(", ");
    if !unseen.is_empty() {
        let between = if parts.is_empty() { "" } else { "; " };
        parts.push_str(&format!("{between}could not check {}", unseen.join(", ")));
    }
    parts
}

/// The clusters, unhealthy ones first, then those that could not be seen whole.
pub(super) fn by_verdict(report: &FleetReport) -> Vec<&ClusterEntry> {
    let rank = |cluster: &ClusterEntry| match cluster.verdict.as_str() {
        "findings" => 0,
        "incomplete" => 1,
        _ => 2,
    };
    let mut clusters: Vec<&ClusterEntry> = report.clusters.iter().collect();
    clusters.sort_by_key(|cluster| (rank(cluster), cluster.id.to_lowercase()));
    clusters
}

/// Resource group and subscription of a cluster, for people.
pub(super) fn place(cluster: &ClusterEntry) -> String {
    let part = |key: &str| {
        let mut parts = cluster.id.split('/').skip_while(|part| !part.eq_ignore_ascii_case(key));
        parts.nth(1).unwrap_or_default().to_owned()
    };
    format!("{} in {}", part("resourceGroups"), part("subscriptions"))
}

/// `37 clusters, fixes 31`.
pub(super) fn reach(cause: &CauseEntry) -> String {
    let clusters = count(cause.clusters.len(), "cluster");
    match cause.heals_alone.len() {
        0 => format!("{clusters}, all with other causes too or not fully seen"),
        heals if heals == cause.clusters.len() => format!("{clusters}, which have nothing else"),
        heals => format!("{clusters}; {heals} of them have nothing else"),
    }
}
