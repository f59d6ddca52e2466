//! Steps: what each does, disturbs and takes, how one sees that it worked, and how one goes back.

use super::gates::Gate;
use super::names::StepKind;
use super::state::{Goal, ReimagePolicy};
use crate::checks::bootstrap_profile;
use crate::checks::command::Command;
use crate::checks::impact::Impact;
use crate::checks::remedy::{self, DOCS_ISOLATED, DOCS_NODE_IMAGE};
use crate::evidence::Evidence;
use crate::evidence::id::ResourceId;
use crate::model::age::{Age, PoolAge};
use crate::model::cluster::Ownership;
use crate::text::count;

/// How long reimaging one node takes, in minutes: what timestamps of AKS upgrades show (Azure/AKS#5580), drains left
/// aside.
const MINUTES_PER_ROUND: usize = 10;

#[derive(Debug, Clone)]
pub struct CutoverStep {
    pub kind: StepKind,
    pub title: String,
    /// Why it comes now.
    pub why: String,
    /// The commands, in order.
    pub commands: Vec<Command>,
    pub disturbs: String,
    /// How long it takes.
    pub takes: String,
    /// How to see that it worked.
    pub verify: Vec<Command>,
    /// How to go back.
    pub back: String,
    /// The commands that go back.
    pub back_commands: Vec<Command>,
    /// Where it is documented.
    pub docs: &'static str,
}

/// `aksiso cutover …`, which says where the cluster stands then.
pub fn verify(evidence: &Evidence, goal: &Goal) -> Command {
    let command = remedy::aksiso("cutover", evidence);
    match goal {
        Goal::Isolated(None) => command,
        Goal::Isolated(Some(registry)) => command.with("--to-registry", registry.as_str()),
        Goal::Direct => command.with("--to", "direct"),
    }
}

impl CutoverStep {
    /// The same, where whoever looks again asks by a policy.
    #[must_use]
    pub fn asked_by(mut self, policy: ReimagePolicy, evidence: &Evidence, goal: &Goal) -> Self {
        let again = verify(evidence, goal);
        let asks = self.verify.iter_mut().filter(|command| **command == again && policy != ReimagePolicy::Documented);
        asks.for_each(|command| *command = again.clone().with("--policy", policy.as_str()));
        self
    }

    /// Whether a command of the step rolls the nodes of this pool or NodePool.
    pub fn rolls(&self, evidence: &Evidence, pool: &str) -> bool {
        let cluster = &evidence.cluster.id;
        let targets =
            [cluster.clone(), cluster.child("agentPools").child(pool), cluster.child("nodePools").child(pool)];
        let mut changes = self.commands.iter().filter_map(Command::change);
        let rolls = |impact| matches!(impact, Impact::RollsNodes | Impact::Deletes);
        changes.any(|change| rolls(change.impact) && targets.contains(&change.target))
    }
}

/// Opens a gate that is closed.
pub fn open(evidence: &Evidence, goal: &Goal, gate: &Gate) -> CutoverStep {
    let commands = match gate.name {
        name if name.is(&bootstrap_profile::IN_PROGRESS) => vec![on_cluster(evidence, "az aks wait").word("--updated")],
        name if name.is(&bootstrap_profile::STOPPED) => vec![start(evidence)],
        _ => gate.remediation.as_ref().map(|remediation| remediation.commands.clone()).unwrap_or_default(),
    };
    let summary = gate.remediation.as_ref().map_or_else(String::new, |remediation| format!(" {}", remediation.summary));
    CutoverStep {
        kind: StepKind::OpenGate,
        title: format!("Open gate {}", gate.name),
        why: format!("{}{summary}", gate.why),
        commands,
        disturbs: "See the fix; no cutover step is taken.".to_owned(),
        takes: "See the remediation.".to_owned(),
        verify: vec![verify(evidence, goal)],
        back: "See the remediation.".to_owned(),
        back_commands: Vec::new(),
        docs: gate.remediation.as_ref().map_or(DOCS_ISOLATED, |remediation| remediation.docs),
    }
}

fn start(evidence: &Evidence) -> Command {
    let start = on_cluster(evidence, "az aks start");
    start.changing(Impact::Restarts, &evidence.cluster.id, on_cluster(evidence, "az aks stop"))
}

fn on_cluster(evidence: &Evidence, words: &str) -> Command {
    let command = remedy::addressed(Command::new(words), &evidence.cluster.id);
    remedy::in_subscription(command, &evidence.cluster.id)
}

fn to_direct(evidence: &Evidence) -> Vec<Command> {
    let mut options = vec![("--bootstrap-artifact-source", "Direct")];
    if evidence.egress_closed() {
        options.push(("--outbound-type", "loadBalancer"));
    }
    vec![remedy::aks_update(evidence, &options)]
}

/// What leads to the registry that the cluster has now: AKS finds its own without an id.
fn present_registry<'r>(evidence: &Evidence, registry: &'r ResourceId) -> Vec<(&'static str, &'r str)> {
    match evidence.ownership() {
        Ownership::Managed => vec![("--bootstrap-artifact-source", "Cache")],
        _ => remedy::use_cache(registry).to_vec(),
    }
}

/// The switch to the cache, or to another registry.
pub fn switch(evidence: &Evidence, goal: &Goal) -> CutoverStep {
    let registry = goal.registry();
    let command = match registry {
        Some(registry) => remedy::aks_update(evidence, &remedy::use_cache(registry)),
        None => remedy::aks_update(evidence, &[("--bootstrap-artifact-source", "Cache")]),
    };
    let changing = evidence.uses_cache();
    let (title, why) = if changing {
        let former = evidence.registry_id().map_or_else(String::new, |id| id.name().to_owned());
        (
            format!("Change the bootstrap registry to {}", registry.map_or("", |id| id.name())),
            format!(
                "Both flags are needed: the registry's id alone is ignored. Keep registry {former}, its endpoint and \
                 its records until the last node is reimaged: until then nodes pull through it."
            ),
        )
    } else {
        (
            "Switch the artifact source to Cache".to_owned(),
            "Egress stays open: Azure Resource Manager refuses this switch together with outboundType none, and nodes \
             need egress until they are reimaged."
                .to_owned(),
        )
    };
    let (back, back_commands) = match (changing, evidence.registry_id()) {
        (true, Some(former)) => (
            "The same command with the former registry, then reimage what was reimaged since.",
            vec![remedy::aks_update(evidence, &present_registry(evidence, &former))],
        ),
        _ => ("Switch back; nodes that were reimaged since need another reimage.", to_direct(evidence)),
    };
    CutoverStep {
        kind: if changing { StepKind::ChangeRegistry } else { StepKind::SwitchToCache },
        title,
        why,
        commands: vec![command],
        disturbs: "No node is touched: nodes keep their configuration until they are reimaged.".to_owned(),
        takes: "Some minutes (an update of the cluster).".to_owned(),
        verify: vec![verify(evidence, goal)],
        back: back.to_owned(),
        back_commands,
        docs: DOCS_ISOLATED,
    }
}

/// Reimages the nodes of these pools.
pub fn reimage(evidence: &Evidence, goal: &Goal, pools: &[&PoolAge], why: &str) -> CutoverStep {
    let commands = pools.iter().flat_map(|pool| {
        let renew = renew(evidence, pool);
        if pool.stopped { vec![remedy::start_pool(evidence, &pool.name), renew] } else { vec![renew] }
    });
    let commands = commands.collect();
    let names: Vec<&str> = pools.iter().map(|pool| pool.name.as_str()).collect();
    let mut why = why.to_owned();
    if pools.iter().any(|pool| pool.stopped) {
        why.push_str(
            " A stopped pool is started first; once it is stopped again, what its nodes start with cannot be seen.",
        );
    }
    if !evidence.egress_closed() {
        why.push_str(" Egress must stay open until the last node is done.");
    }
    CutoverStep {
        kind: StepKind::Reimage,
        title: format!("Reimage {}: {}", if pools.len() == 1 { "pool" } else { "pools" }, names.join(", ")),
        why,
        commands,
        disturbs: "Nodes are cordoned, drained and reimaged, one surge at a time: pods move, disruption budgets may \
                   hold it up, and the surge needs quota and addresses."
            .to_owned(),
        takes: durations(pools),
        verify: vec![Command::new("kubectl get nodes --sort-by .metadata.creationTimestamp"), verify(evidence, goal)],
        back: "Not possible, and not needed: nodes get the cluster's current settings.".to_owned(),
        back_commands: Vec::new(),
        docs: DOCS_NODE_IMAGE,
    }
}

fn renew(evidence: &Evidence, pool: &PoolAge) -> Command {
    if pool.provisioned {
        return remedy::delete_node_claims(evidence, &pool.name);
    }
    remedy::upgrade_pool(evidence, &pool.name)
}

fn durations(pools: &[&PoolAge]) -> String {
    if pools.is_empty() {
        return format!(
            "Nodes divided by surge, about {MINUTES_PER_ROUND} min a round plus drain time; pools or nodes are \
             not seen."
        );
    }
    pools.iter().map(|pool| duration(pool)).collect::<Vec<_>>().join("; ")
}

/// Nodes by surge, in rounds.
fn duration(pool: &PoolAge) -> String {
    let nodes = pool.nodes.len();
    if nodes == 0 {
        return format!("{}: no nodes, a moment", pool.name);
    }
    let said = pool.max_surge.as_deref();
    let surge = surge(nodes, said);
    let rounds = nodes.div_ceil(surge);
    let word =
        said.map_or_else(|| "max surge not set, 10% is AKS' default".to_owned(), |said| format!("max surge {said}"));
    format!(
        "{}: {} by {surge} ({word}): {}, about {} min plus drain time",
        pool.name,
        count(nodes, "node"),
        count(rounds, "round"),
        rounds * MINUTES_PER_ROUND
    )
}

/// How many nodes are reimaged at a time.
fn surge(nodes: usize, max_surge: Option<&str>) -> usize {
    let text = max_surge.unwrap_or("10%");
    let number = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<usize>().ok().map(|percent| (nodes * percent.min(1_000)).div_ceil(100)),
        None => text.trim().parse().ok(),
    };
    number.unwrap_or(1).clamp(1, nodes.max(1))
}

/// Closes egress; pools without nodes are upgraded before, because nothing shows that they were.
pub fn close(evidence: &Evidence, goal: &Goal, pools: &[PoolAge]) -> CutoverStep {
    let empty: Vec<&PoolAge> =
        pools.iter().filter(|pool| pool.age == Age::Empty && !pool.provisioned && !pool.stopped).collect();
    let mut commands: Vec<Command> = empty.iter().map(|pool| renew(evidence, pool)).collect();
    let former = evidence.outbound_type().to_owned();
    let back = remedy::aks_update(evidence, &[("--outbound-type", &former)]);
    let close = remedy::aks_update(evidence, &[("--outbound-type", "none")]);
    commands.push(close.changing(Impact::CutsTraffic, &evidence.cluster.id, back.clone()));
    let mut why = "Every node was provisioned from the registry, and nothing running needs egress, as far as \
                   the gates tell."
        .to_owned();
    if !empty.is_empty() {
        let names: Vec<&str> = empty.iter().map(|pool| pool.name.as_str()).collect();
        why.push_str(&format!(
            " The first commands upgrade pools without nodes ({}): what their next nodes are made with cannot be seen.",
            names.join(", ")
        ));
    }
    CutoverStep {
        kind: StepKind::CloseEgress,
        title: "Close egress: outbound type none".to_owned(),
        why,
        commands,
        disturbs: "Every connection from nodes and pods to the internet ends. No node is touched.".to_owned(),
        takes: "Some minutes (an update of the cluster).".to_owned(),
        verify: vec![verify(evidence, goal), remedy::aksiso("diagnose", evidence)],
        back: format!("Open egress again; nodes need no reimage for it. (The outbound type was {former}.)"),
        back_commands: vec![back],
        docs: DOCS_ISOLATED,
    }
}

/// Back to Microsoft's registry over egress.
pub fn back_to_direct(evidence: &Evidence, goal: &Goal) -> CutoverStep {
    let opening = evidence.egress_closed();
    let again = evidence
        .registry_id()
        .map_or_else(Vec::new, |registry| vec![remedy::aks_update(evidence, &present_registry(evidence, &registry))]);
    CutoverStep {
        kind: StepKind::BackToDirect,
        title: "Switch the artifact source back to Direct".to_owned(),
        why: if opening {
            "Egress opens in the same update: without it a Direct cluster could not pull. Where nodes get out by a \
             route or gateway of your own, name that outbound type instead of loadBalancer."
        } else {
            "Egress is open already."
        }
        .to_owned(),
        commands: to_direct(evidence),
        disturbs: "No node is touched: nodes go on pulling through the registry until they are reimaged. Keep it \
                   until then."
            .to_owned(),
        takes: "Some minutes (an update of the cluster).".to_owned(),
        verify: vec![verify(evidence, goal)],
        back: "Switch to Cache again, and reimage what was reimaged since.".to_owned(),
        back_commands: again,
        docs: DOCS_ISOLATED,
    }
}

#[cfg(test)]
mod tests {
    use super::surge;

    #[test]
    fn surges_are_read_as_aks_reads_them() {
        assert_eq!(surge(10, Some("33%")), 4);
        assert_eq!(surge(10, Some("3")), 3);
        assert_eq!(surge(10, None), 1);
        assert_eq!(surge(2, Some("50")), 2);
        assert_eq!(surge(3, Some("nonsense")), 1);
        assert_eq!(surge(5, Some("0")), 1);
    }
}
