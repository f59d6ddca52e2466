//! What clusters have in common: root causes by fingerprint, the worst and the farthest-reaching first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::Judged;
use crate::checks::command::Command;
use crate::checks::finding::{Finding, Fingerprint, Remediation};
use crate::checks::rule::Severity;

/// Most commands of one cause: it may need one for each cluster.
const COMMANDS: usize = 100;

/// A root cause, with every cluster that has it.
#[derive(Debug)]
pub struct Cause<'j> {
    pub fingerprint: Fingerprint,
    /// The finding as the worst hit cluster has it.
    pub finding: &'j Finding,
    /// The worst of what it is and explains.
    pub severity: Severity,
    /// The clusters that have it, in order.
    pub clusters: Vec<&'j Judged>,
    /// Those of them that have nothing else: its fix heals them.
    pub heals: Vec<&'j Judged>,
    /// What to do, for all clusters.
    pub remediation: Remediation,
}

/// The root causes of clusters, worst first, then by reach.
pub fn causes(clusters: &[Judged]) -> Vec<Cause<'_>> {
    let mut all: BTreeMap<Fingerprint, Vec<(&Judged, &Finding)>> = BTreeMap::new();
    for cluster in clusters {
        for root in cluster.roots() {
            all.entry(root.fingerprint()).or_default().push((cluster, root));
        }
    }
    let mut causes: Vec<Cause<'_>> = all.into_iter().filter_map(|(print, hits)| cause(print, &hits)).collect();
    causes.sort_by_key(|cause| (Reverse(cause.severity), Reverse(cause.clusters.len()), Reverse(cause.heals.len())));
    causes
}

fn cause<'j>(fingerprint: Fingerprint, hits: &[(&'j Judged, &'j Finding)]) -> Option<Cause<'j>> {
    let worst = |(cluster, _): &(&Judged, &Finding)| {
        explained(cluster, &fingerprint).into_iter().map(|finding| finding.severity).max()
    };
    let severity = hits.iter().filter_map(worst).max()?;
    let (_, finding) = hits.iter().max_by_key(|hit| (hit.1.severity, Reverse(&hit.0.cluster.id)))?;
    let heals = hits.iter().filter(|(cluster, _)| heals(cluster, &fingerprint, severity));
    Some(Cause {
        finding,
        severity,
        clusters: hits.iter().map(|(cluster, _)| *cluster).collect(),
        heals: heals.map(|(cluster, _)| *cluster).collect(),
        remediation: for_all(finding, hits),
        fingerprint,
    })
}

/// The cause and what it explains in a cluster, directly or through other symptoms.
fn explained<'j>(cluster: &'j Judged, cause: &Fingerprint) -> Vec<&'j Finding> {
    let mut prints = BTreeSet::from([cause.clone()]);
    loop {
        let before = prints.len();
        for finding in &cluster.findings {
            if finding.caused_by.iter().any(|by| prints.contains(by)) {
                prints.insert(finding.fingerprint());
            }
        }
        if prints.len() == before {
            return cluster.findings.iter().filter(|finding| prints.contains(&finding.fingerprint())).collect();
        }
    }
}

/// Whether the cluster has nothing else that is as bad, as far as everything was seen.
fn heals(cluster: &Judged, cause: &Fingerprint, severity: Severity) -> bool {
    let own: BTreeSet<Fingerprint> = explained(cluster, cause).into_iter().map(Finding::fingerprint).collect();
    let mut bad = cluster.findings.iter().filter(|finding| finding.severity >= severity.min(Severity::Error));
    // A symptom with another cause as well stays when this one is gone.
    let only =
        |finding: &Finding| own.contains(&finding.fingerprint()) && finding.caused_by.iter().all(|by| own.contains(by));
    !cluster.incomplete() && bad.all(only)
}

/// The remediation of one cluster, with the commands of all: an identity, for example, is another in each.
fn for_all(finding: &Finding, hits: &[(&Judged, &Finding)]) -> Remediation {
    let gather = |of: fn(&Remediation) -> &Vec<Command>| {
        let mut commands: Vec<Command> = of(&finding.remediation).clone();
        for (_, other) in hits {
            for command in of(&other.remediation) {
                if commands.len() < COMMANDS && !commands.contains(command) {
                    commands.push(command.clone());
                }
            }
        }
        commands
    };
    Remediation {
        commands: gather(|remediation| &remediation.commands),
        script: gather(|remediation| &remediation.script),
        ..finding.remediation.clone()
    }
}
