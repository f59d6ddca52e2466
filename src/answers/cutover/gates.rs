//! Gates: what must be true before a step, each open, closed or not to be told. They are the checks of `diagnose`, on
//! the cluster as it would be after the step.

use super::names::GateName;
use super::state::Goal;
use crate::answers::whatif::{self, Change};
use crate::checks::command::Command;
use crate::checks::finding::{Finding, Fingerprint, Remediation, RemediationKind};
use crate::checks::impact::Impact;
use crate::checks::remedy::{DOCS_ISOLATED, in_subscription, remedy};
use crate::checks::rule::{GateRole, Rule, RuleSet, Severity};
use crate::checks::{
    add_ons, api_server, bootstrap_profile, cache_rules, catalogue, image_pulls, kubelet_acrpull, node_bootstrap,
    node_image, node_network, outbound, private_dns, private_endpoint, registry,
};
use crate::diagnosis::plan::{Refusal, locks};
use crate::diagnosis::{Diagnosis, Status};
use crate::evidence::{Evidence, Fact, Gap};
use crate::model::cluster::Ownership;

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

#[derive(Debug, Clone)]
pub struct Gate {
    pub name: GateName,
    /// Whether it lets one through.
    pub pass: Pass,
    /// What it is about, and why it stands as it does.
    pub why: String,
    /// What opens it.
    pub remediation: Option<Remediation>,
    /// What was not seen.
    pub gap: Option<Gap>,
    /// The check of `diagnose` that it comes from.
    pub check: Option<&'static RuleSet>,
}

impl Gate {
    /// A gate without a remedy of its own.
    pub fn new(name: GateName, pass: Pass, why: impl Into<String>) -> Self {
        Self { name, pass, why: why.into(), remediation: None, gap: None, check: None }
    }
}

/// The provider of registries.
const PROVIDER: &str = "Microsoft.ContainerRegistry";
/// The checks of the way to the registry.
pub const CHAIN: [&RuleSet; 5] = [
    &registry::CHECK.about,
    &cache_rules::CHECK.about,
    &private_endpoint::CHECK.about,
    &private_dns::CHECK.about,
    &kubelet_acrpull::CHECK.about,
];
/// The checks besides, whose errors stand in the way of a reimage.
const FOR_REIMAGE: [&RuleSet; 5] = [
    &node_bootstrap::CHECK.about,
    &bootstrap_profile::CHECK.about,
    &outbound::CHECK.about,
    &api_server::CHECK.about,
    &node_network::CHECK.about,
];
/// The checks besides, whose findings stand in the way of the switch already.
const FOR_SWITCH: [&RuleSet; 2] = [&bootstrap_profile::CHECK.about, &add_ons::CHECK.about];

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
    whatif::set_outbound(&mut after, "none");
    after
}

/// The gates of closing egress: the whole diagnosis of the cluster as it would be then.
pub fn of_isolation(present: &Diagnosis<'_>, goal: &Goal) -> Vec<Gate> {
    let evidence = present.evidence;
    let after = isolated(evidence, goal);
    let diagnosis = Diagnosis::of(&after, catalogue::ALL);
    let before: Vec<Fingerprint> = present.findings.iter().map(Finding::fingerprint).collect();
    let mut gates = of_beginning(present);
    for finding in &diagnosis.findings {
        let symptom = !finding.caused_by.is_empty();
        if matches!(finding.rule.gate, GateRole::Standing | GateRole::Aside) || symptom {
            continue;
        }
        let mut gate = gate(finding);
        // What fails already is no consequence of the step; but nobody knows what else fails for the same reason.
        if *finding.check == image_pulls::CHECK.about
            && !finding.is(&image_pulls::rules::OUTSIDE_CACHE)
            && before.contains(&finding.fingerprint())
        {
            gate.pass = if gate.pass == Pass::Closed { Pass::Unknown } else { Pass::Caution };
        }
        // A cause is as bad as what it explains.
        if gate.pass == Pass::Caution && is_broken(&diagnosis, finding) {
            gate.pass = Pass::Unknown;
        }
        gates.push(gate);
    }
    for judged in diagnosis.checks.iter().filter(|judged| judged.status != Status::NotApplicable) {
        // The nodes' age is judged per pool.
        if *judged.check == node_image::CHECK.about {
            continue;
        }
        for gap in &judged.gaps {
            gates.push(unseen(judged.check, gap));
        }
    }
    gates.extend(of_egress(evidence));
    sorted(gates)
}

/// What only a cut-over asks: whether and how the outbound type can become none.
fn of_egress(evidence: &Evidence) -> Vec<Gate> {
    let mut gates = Vec::new();
    if evidence.auto_provisioning() && !evidence.egress_closed() {
        gates.push(Gate::new(
            GateName::OutboundTypeFixed,
            Pass::Closed,
            "Node auto-provisioning is on, and with it the outbound type cannot be changed: egress can be closed only \
             by the network around the cluster (a firewall, security groups).",
        ));
    }
    if evidence.automatic() {
        gates.push(Gate::new(
            GateName::Automatic,
            Pass::Caution,
            "This is AKS Automatic: Microsoft documents network isolation for AKS Standard, and says nothing of \
             Automatic. Try it on a disposable cluster, or ask Microsoft first.",
        ));
    }
    if evidence.nat_gateway_v2() {
        gates.push(Gate::new(
            GateName::OutboundTypeMigration,
            Pass::Caution,
            "From a managed NAT gateway V2 the documentation's table allows no change to none, while the release \
             notes of 2026-05-29 do: Azure Resource Manager refuses it where it cannot be done, and changes nothing.",
        ));
    }
    let silent = evidence.pools.bootstrap_writes.known().is_some_and(Vec::is_empty);
    if silent && evidence.uses_cache() && !evidence.egress_closed() && evidence.ownership() == Ownership::Byo {
        gates.push(Gate::new(
            GateName::ActivityLogSilent,
            Pass::Caution,
            "The Activity Log of the last 89 days shows no write of the bootstrap profile. If the switch to Cache was \
             made within them anyway (the log does not always keep what was written), compare its time with the \
             nodes' own before you go on.",
        ));
    }
    if evidence.outbound_type().eq_ignore_ascii_case("userDefinedRouting") {
        gates.push(Gate::new(
            GateName::OwnRoute,
            Pass::Caution,
            "Egress goes through a route of your own (userDefinedRouting). To stay here, behind a firewall, is \
             supported too; outbound type none leaves the route table where it is.",
        ));
    }
    gates
}

/// The gates of the switch to the cache: what makes a cluster eligible, and for a registry of the operator's own all
/// that it needs.
pub fn of_switch(present: &Diagnosis<'_>, goal: &Goal) -> Vec<Gate> {
    let mut gates = of_isolation(present, goal);
    gates.retain(|gate| match gate.pass {
        Pass::Unknown => gate.check.is_none_or(is_for_switch),
        _ => gate.name != GateName::OutboundTypeMigration,
    });
    for gate in gates
        .iter_mut()
        .filter(|gate| gate.pass == Pass::Closed && gate.check.is_some_and(|check| !is_for_switch(check)))
    {
        gate.pass = Pass::Caution;
        gate.why.push_str(" It does not stand in the way of this step, but of closing egress.");
    }
    if let Some(fixed) = gates.iter_mut().find(|gate| gate.name == GateName::OutboundTypeFixed) {
        fixed.pass = Pass::Caution;
    }
    if goal.registry().is_none() && !present.evidence.uses_cache() {
        gates.extend(of_registration(present.evidence));
        gates.push(Gate::new(
            GateName::ManagedRegistry,
            Pass::Open,
            "AKS creates the registry with its cache rule, private endpoint, DNS zone and role in the same operation. \
             (For a registry of your own: --to-registry ARM_ID.)",
        ));
    }
    sorted(gates)
}

/// AKS can make a registry only where the subscription knows the provider.
fn of_registration(evidence: &Evidence) -> Option<Gate> {
    let subscription = &evidence.cluster.id;
    let register = Command::new("az provider register").with("-n", PROVIDER).word("--wait");
    let register = in_subscription(register, subscription);
    let undo = in_subscription(Command::new("az provider unregister").with("-n", PROVIDER), subscription);
    let target = evidence.cluster.id.clone();
    let register = register.changing(Impact::Access, &target, undo);
    let summary = "Register the provider in the cluster's subscription; it takes some minutes.";
    let remediation = remedy(RemediationKind::Investigate, summary, vec![register], DOCS_ISOLATED);
    let gate = |pass, why: String| {
        let remediation = Some(remediation.clone());
        Some(Gate { remediation, ..Gate::new(GateName::RegistrationMissing, pass, why) })
    };
    match evidence.registry_provider.as_ref()? {
        Fact::Known(state) if state.eq_ignore_ascii_case("Registered") => None,
        Fact::Known(state) if state.eq_ignore_ascii_case("Registering") => {
            gate(Pass::Unknown, format!("The subscription is still registering {PROVIDER}: wait until it is done."))
        }
        Fact::Known(state) => gate(
            Pass::Closed,
            format!(
                "{PROVIDER} is not registered in the cluster's subscription ({state}): AKS cannot make a registry."
            ),
        ),
        Fact::Missing(gap) => Some(Gate {
            gap: Some(gap.clone()),
            ..gate(
                Pass::Unknown,
                format!("Whether {PROVIDER} is registered in the cluster's subscription is not known: {}", gap.detail),
            )?
        }),
    }
}

/// Whether a check's findings stand in the way of the switch already.
fn is_for_switch(check: &'static RuleSet) -> bool {
    CHAIN.contains(&check) || FOR_SWITCH.contains(&check)
}

/// Azure refuses what a lock forbids.
pub fn of_locks(evidence: &Evidence, commands: &[Command]) -> Vec<Gate> {
    let gate = |refusal: Refusal<'_>| match &refusal {
        Refusal::Lock(_) => Gate::new(GateName::Locked, Pass::Closed, refusal.words()),
        Refusal::Unread(_, gap) => {
            Gate { gap: Some((*gap).clone()), ..Gate::new(GateName::Locked, Pass::Caution, refusal.words()) }
        }
    };
    locks(commands, &evidence.locks).into_iter().map(gate).collect()
}

/// The gates of the way back, which begins with an update: that is what fixes a failed cluster, too.
pub fn of_return(present: &Diagnosis<'_>) -> Vec<Gate> {
    of_beginning(present).into_iter().filter(|gate| !gate.name.is(&bootstrap_profile::FAILED)).collect()
}

/// The gates of a reimage: new nodes must be able to bootstrap from the registry.
pub fn of_reimage(present: &Diagnosis<'_>) -> Vec<Gate> {
    let stands = |check: &'static RuleSet| CHAIN.contains(&check) || FOR_REIMAGE.contains(&check);
    // A new node asks for its API server before it asks for an image.
    let rests_on =
        |check| CHAIN.contains(&check) || [&api_server::CHECK.about, &node_network::CHECK.about].contains(&check);
    let mut gates = of_beginning(present);
    for finding in &present.findings {
        let error = finding.caused_by.is_empty() && stands(finding.check) && is_broken(present, finding);
        let minded = finding.rule.gate == GateRole::Open;
        if (error || minded) && finding.rule.gate != GateRole::Standing {
            let gate = gate(finding);
            // A cause is as bad as what it explains.
            gates.push(if error { Gate { pass: Pass::Closed, ..gate } } else { gate });
        }
        // What stands on no node but these is gone with them.
        let only_copy = *finding.check == image_pulls::CHECK.about && finding.rule.gate == GateRole::Strict;
        if only_copy && present.evidence.egress_closed() && finding.severity == Severity::Warning {
            gates.push(Gate { pass: Pass::Closed, ..gate(finding) });
        }
        if finding.rule.gate == GateRole::Reimage && finding.severity == Severity::Warning {
            gates.push(Gate { pass: Pass::Closed, ..gate(finding) });
        }
    }
    let judged =
        present.checks.iter().filter(|judged| rests_on(judged.check) && judged.status != Status::NotApplicable);
    for (check, gap) in judged.flat_map(|judged| judged.gaps.iter().map(move |gap| (judged.check, gap))) {
        gates.push(unseen(check, gap));
    }
    sorted(gates)
}

/// The gates of a cluster for which no step is left: it has arrived only where nothing of it is broken, whoever broke
/// it, and everything was seen.
pub fn of_arrival(present: &Diagnosis<'_>) -> Vec<Gate> {
    let mut gates = of_beginning(present);
    gates.extend(broken(present));
    let minded = |finding: &&Finding| !matches!(finding.rule.gate, GateRole::Standing | GateRole::Aside);
    gates.extend(present.roots().filter(minded).filter(|finding| !is_broken(present, finding)).map(gate));
    let judged = present.checks.iter().filter(|judged| judged.status != Status::NotApplicable);
    for (check, gap) in judged.flat_map(|judged| judged.gaps.iter().map(move |gap| (judged.check, gap))) {
        gates.push(unseen(check, gap));
    }
    sorted(gates)
}

/// What is broken now: root causes that are errors or that explain one.
pub fn broken(present: &Diagnosis<'_>) -> Vec<Gate> {
    let broken = present.roots().filter(|finding| is_broken(present, finding));
    broken.map(|finding| Gate { pass: Pass::Closed, ..gate(finding) }).collect()
}

fn is_broken(present: &Diagnosis<'_>, root: &Finding) -> bool {
    let explained = present.symptoms();
    let symptoms = explained.get(&root.fingerprint()).into_iter().flatten().copied();
    symptoms.chain([root]).any(|finding| finding.severity == Severity::Error)
}

/// Nothing is begun while something else is under way.
fn of_beginning(present: &Diagnosis<'_>) -> Vec<Gate> {
    let mut gates = Vec::new();
    if present.evidence.stopped() {
        gates.push(Gate::new(
            GateName::Rule(&bootstrap_profile::STOPPED),
            Pass::Closed,
            "The cluster is stopped: start it first, no step can be verified without nodes.",
        ));
    }
    let of = |rule: &Rule| present.findings.iter().find(|finding| finding.is(rule));
    if let Some(finding) = of(&bootstrap_profile::FAILED).filter(|finding| finding.caused_by.is_empty()) {
        // Azure refuses upgrades of a failed cluster.
        gates.push(Gate { pass: Pass::Closed, ..gate(finding) });
    }
    if let Some(finding) = of(&bootstrap_profile::IN_PROGRESS) {
        gates.push(Gate::new(
            GateName::Rule(&bootstrap_profile::IN_PROGRESS),
            Pass::Closed,
            format!("{} Wait until it is over.", finding.detail),
        ));
    }
    gates
}

fn gate(finding: &Finding) -> Gate {
    let pass = match (finding.severity, finding.rule.gate) {
        (Severity::Error, _) | (Severity::Warning, GateRole::Strict) => Pass::Closed,
        (Severity::Warning, GateRole::Open | GateRole::Closing) => Pass::Unknown,
        _ => Pass::Caution,
    };
    let remediation = Some(finding.remediation.clone());
    Gate {
        remediation,
        check: Some(finding.check),
        ..Gate::new(GateName::Rule(finding.rule), pass, finding.detail.clone())
    }
}

fn unseen(check: &'static RuleSet, gap: &Gap) -> Gate {
    let why = format!("{}: {}", check.id, gap.detail);
    Gate { gap: Some(gap.clone()), check: Some(check), ..Gate::new(GateName::Unseen(check), Pass::Unknown, why) }
}

/// What stands in the way first; the same thing once.
fn sorted(gates: Vec<Gate>) -> Vec<Gate> {
    let mut once: Vec<Gate> = Vec::new();
    for gate in gates {
        if !once.iter().any(|known| known.name == gate.name && known.why == gate.why) {
            once.push(gate);
        }
    }
    once.sort_by_key(|gate| gate.pass);
    once
}
