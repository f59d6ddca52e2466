//! Gates: what must be true before a step, each open, closed or not to be told. They are the checks of `diagnose`, on the
//! cluster as it would be after the step.

use super::Goal;
use crate::check;
use crate::correlate::{Diagnosis, Status};
use crate::evidence::{Evidence, Gap, Ownership};
use crate::finding::{Finding, Remediation, Severity};
use crate::whatif::Change;

/// Whether a gate lets one through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pass {
    /// It does not.
    Closed,
    /// It cannot be told.
    Unknown,
    /// It does, but something is to be minded.
    Caution,
    /// It does.
    Open,
}

impl Pass {
    /// The word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Unknown => "undetermined",
            Self::Caution => "caution",
            Self::Open => "open",
        }
    }
}

/// One gate.
#[derive(Debug, Clone)]
pub struct Gate {
    /// Kebab-case: a rule of `diagnose`, or a name of its own.
    pub id: String,
    /// Whether it lets one through.
    pub pass: Pass,
    /// What it is about, and why it stands as it does.
    pub why: String,
    /// What opens it.
    pub remediation: Option<Remediation>,
    /// What was not seen.
    pub gap: Option<Gap>,
    /// The check of `diagnose` that it comes from.
    pub check: Option<&'static str>,
}

impl Gate {
    /// A gate without a remedy of its own.
    pub fn new(id: &str, pass: Pass, why: impl Into<String>) -> Self {
        Self { id: id.to_owned(), pass, why: why.into(), remediation: None, gap: None, check: None }
    }
}

/// Rules that say where a cluster stands, which is what the cut-over itself is about.
const STANDING: [&str; 5] = [
    "not-network-isolated",
    "isolation-incomplete",
    "isolated-without-cache",
    "node-not-reimaged",
    "operation-in-progress",
];
/// Rules whose fault weakens the isolation but does not stand in the way of it.
const ASIDE: [&str; 4] =
    ["node-image-outdated", "node-image-drift", "api-server-public", "registry-not-zone-redundant"];
/// Warnings that are documented as unsupported, or that stop workloads: they close a gate all the same.
const UNSUPPORTED: [&str; 3] = ["node-os-channel-unsupported", "extension-unsupported", "image-outside-cache"];
/// The checks of the way to the registry.
const CHAIN: [&str; 5] = ["registry", "cache-rules", "private-endpoint", "private-dns", "kubelet-acrpull"];

/// The cluster as it would be once the goal is reached.
pub fn isolated(evidence: &Evidence, goal: &Goal) -> Evidence {
    let mut after = evidence.clone();
    let target = goal.registry();
    if !evidence.uses_cache() || target.is_some() && target != evidence.registry_id().as_ref() {
        let change = match target {
            Some(id) => Change::ChangeRegistry(id.clone()),
            None => Change::SetArtifactSource("Cache".to_owned()),
        };
        // These two changes find everything that they need.
        let _ = change.apply(&mut after);
    }
    let _ = Change::SetOutbound("none".to_owned()).apply(&mut after);
    after
}

/// The gates of closing egress: the whole diagnosis of the cluster as it would be then.
pub fn of_isolation(present: &Diagnosis<'_>, goal: &Goal) -> Vec<Gate> {
    let evidence = present.evidence;
    let after = isolated(evidence, goal);
    // A registry of AKS' own does not exist before the switch: nothing of it can be asked.
    let managed_to_come = !evidence.uses_cache() && goal.registry().is_none();
    let diagnosis = Diagnosis::of(&after, check::ALL);
    let before: Vec<String> = present.findings.iter().map(Finding::fingerprint).collect();
    let mut gates = of_beginning(present);
    for (at, finding) in diagnosis.findings.iter().enumerate() {
        let symptom =
            !diagnosis.caused_by[at].is_empty() || managed_to_come && finding.rule.id == "bootstrap-registry-unset";
        if STANDING.contains(&finding.rule.id) || ASIDE.contains(&finding.rule.id) || symptom {
            continue;
        }
        let mut gate = gate(finding);
        // What fails already is no consequence of the step.
        if gate.check == Some("image-pulls")
            && finding.rule.id != "image-outside-cache"
            && before.contains(&finding.fingerprint())
        {
            gate.pass = Pass::Caution;
        }
        gates.push(gate);
    }
    for judged in diagnosis.checks.iter().filter(|judged| judged.status != Status::NotApplicable) {
        if managed_to_come && (CHAIN.contains(&judged.check.id) || judged.check.id == "image-pulls") {
            continue;
        }
        // The nodes' age is judged per pool.
        if judged.check.id == "node-image" {
            continue;
        }
        for gap in &judged.gaps {
            gates.push(unseen(judged.check.id, gap));
        }
    }
    if evidence.auto_provisioning() && !evidence.egress_closed() {
        gates.push(Gate::new(
            "outbound-type-fixed",
            Pass::Closed,
            "Node auto-provisioning is on, and with it the outbound type cannot be changed: egress can be closed only by the network around the cluster (a firewall, security groups).",
        ));
    }
    if evidence.outbound_type().eq_ignore_ascii_case("managedNATGateway") {
        gates.push(Gate::new(
            "outbound-type-migration",
            Pass::Caution,
            "From managedNATGateway the documentation's table allows no change to none, while the release notes of 2026-05-29 do (for the V2 gateway): Azure Resource Manager refuses it where it cannot be done, and nothing is changed then.",
        ));
    }
    let silent = evidence.pools.bootstrap_writes.known().is_some_and(Vec::is_empty);
    if silent && evidence.uses_cache() && !evidence.egress_closed() && evidence.ownership() == Ownership::Byo {
        gates.push(Gate::new(
            "activity-log-silent",
            Pass::Caution,
            "The Activity Log of the last 89 days shows no write of the bootstrap profile. If the switch to Cache was made within them all the same (the log does not always keep what was written), compare its time with the nodes' own before you go on.",
        ));
    }
    if evidence.outbound_type().eq_ignore_ascii_case("userDefinedRouting") {
        gates.push(Gate::new(
            "own-route",
            Pass::Caution,
            "Egress goes through a route of your own (userDefinedRouting). To stay here, behind a firewall, is supported too; outbound type none leaves the route table where it is.",
        ));
    }
    sorted(gates)
}

/// The gates of the switch to the cache: what makes a cluster eligible, and for a registry of the operator's own all that it needs.
pub fn of_switch(present: &Diagnosis<'_>, goal: &Goal) -> Vec<Gate> {
    let mut gates = of_isolation(present, goal);
    gates.retain(|gate| match gate.pass {
        Pass::Unknown => gate.check.is_none_or(is_for_switch),
        _ => gate.id != "outbound-type-migration",
    });
    for gate in gates
        .iter_mut()
        .filter(|gate| gate.pass == Pass::Closed && gate.check.is_some_and(|check| !is_for_switch(check)))
    {
        gate.pass = Pass::Caution;
        gate.why.push_str(" It does not stand in the way of this step, but of closing egress.");
    }
    if let Some(fixed) = gates.iter_mut().find(|gate| gate.id == "outbound-type-fixed") {
        fixed.pass = Pass::Caution;
    }
    if goal.registry().is_none() && !present.evidence.uses_cache() {
        gates.push(Gate::new(
            "managed-registry",
            Pass::Open,
            "AKS creates the registry with its cache rule, private endpoint, DNS zone and role in the same operation. (For a registry of your own: --to-registry ARM_ID.)",
        ));
    }
    sorted(gates)
}

/// Whether a check's findings stand in the way of the switch already.
fn is_for_switch(check: &str) -> bool {
    CHAIN.contains(&check) || ["bootstrap-profile", "add-ons"].contains(&check)
}

/// The gates of the way back, which begins with an update: that is what mends a failed cluster, too.
pub fn of_return(present: &Diagnosis<'_>) -> Vec<Gate> {
    of_beginning(present).into_iter().filter(|gate| gate.id != "cluster-failed").collect()
}

/// The gates of a reimage: new nodes must be able to bootstrap from the registry.
pub fn of_reimage(present: &Diagnosis<'_>) -> Vec<Gate> {
    let stands =
        |check: &str| CHAIN.contains(&check) || ["node-bootstrap", "bootstrap-profile", "outbound"].contains(&check);
    let mut gates = of_beginning(present);
    for (at, finding) in present.findings.iter().enumerate() {
        let check = check::of_rule(finding.rule.id).map_or("", |(check, _)| check.id);
        let error = finding.severity == Severity::Error && present.caused_by[at].is_empty();
        if (error && stands(check) || finding.rule.id == "windows-pool") && !STANDING.contains(&finding.rule.id) {
            gates.push(gate(finding));
        }
    }
    let judged = present
        .checks
        .iter()
        .filter(|judged| CHAIN.contains(&judged.check.id) && judged.status != Status::NotApplicable);
    for (id, gap) in judged.flat_map(|judged| judged.gaps.iter().map(move |gap| (judged.check.id, gap))) {
        gates.push(unseen(id, gap));
    }
    sorted(gates)
}

/// Nothing is begun while something else is under way.
fn of_beginning(present: &Diagnosis<'_>) -> Vec<Gate> {
    let mut gates = Vec::new();
    if present.evidence.stopped() {
        gates.push(Gate::new(
            "cluster-stopped",
            Pass::Closed,
            "The cluster is stopped: start it first, no step can be verified without nodes.",
        ));
    }
    let of = |id: &str| present.findings.iter().position(|finding| finding.rule.id == id);
    if let Some(at) = of("cluster-failed").filter(|at| present.caused_by[*at].is_empty()) {
        // Azure refuses upgrades of a failed cluster.
        gates.push(Gate { pass: Pass::Closed, ..gate(&present.findings[at]) });
    }
    if let Some(finding) = of("operation-in-progress").map(|at| &present.findings[at]) {
        gates.push(Gate::new(
            "operation-in-progress",
            Pass::Closed,
            format!("{} Wait until it is over.", finding.detail),
        ));
    }
    gates
}

fn gate(finding: &Finding) -> Gate {
    let pass = match finding.severity {
        Severity::Error => Pass::Closed,
        Severity::Warning if UNSUPPORTED.contains(&finding.rule.id) => Pass::Closed,
        // Documented as not supported yet, with the code for it there: nobody can tell.
        Severity::Warning if finding.rule.id == "windows-pool" => Pass::Unknown,
        _ => Pass::Caution,
    };
    let check = check::of_rule(finding.rule.id).map(|(check, _)| check.id);
    Gate {
        remediation: Some(finding.remediation.clone()),
        check,
        ..Gate::new(finding.rule.id, pass, finding.detail.clone())
    }
}

fn unseen(check: &'static str, gap: &Gap) -> Gate {
    let why = format!("{check}: {}", gap.detail);
    Gate { gap: Some(gap.clone()), check: Some(check), ..Gate::new(&format!("unseen-{check}"), Pass::Unknown, why) }
}

/// What stands in the way first; the same thing once.
fn sorted(gates: Vec<Gate>) -> Vec<Gate> {
    let mut once: Vec<Gate> = Vec::new();
    for gate in gates {
        if !once.iter().any(|known| known.id == gate.id && known.why == gate.why) {
            once.push(gate);
        }
    }
    once.sort_by_key(|gate| gate.pass);
    once
}
