//! Nodes that do not join: bootstrap exit codes, failed pools, nodes that are not ready, pools that do not grow.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::check::Check;
use super::command::Command;
use super::finding::{Facts, Finding, Observation, Remediation, RemediationKind, Subject};
use super::judge::{Judge, NotApplicable};
use super::observe::observe_nodes;
use super::remedy::{self, DOCS_TROUBLESHOOT, remedy};
use super::rule::{GateRole, Rule, RuleSet, Severity};
use crate::evidence::exit_code;
use crate::evidence::kubernetes::{Node, ScaleUpProblem};
use crate::evidence::pools::AgentPool;
use crate::evidence::resource::ErrorDetail;
use crate::evidence::{Evidence, Fact, Gap, Reason, Section};
use crate::model::addresses::speaks_of_addresses;
use crate::model::bootstrap_code::{self, Code, Fault};
use crate::model::cluster::{PoolState, is};
use crate::model::nodes::{code_in, is_named_after, lacks_nodes, messages, own_code, suspect_scale_set};
use crate::text::{self, count};

pub const BOOTSTRAP_FAILED: Rule = Rule::error("node-bootstrap-failed", "Nodes of a pool fail to bootstrap");
pub const POOL_FAILED: Rule = Rule::error("pool-failed", "The last operation on a pool failed");
pub const NOT_READY: Rule = Rule::warning("node-not-ready", "Nodes are not ready").gate(GateRole::Closing);
pub const SCALE_UP: Rule = Rule::warning("scale-up-failing", "A pool cannot scale up").gate(GateRole::Closing);

pub const CHECK: Check = Check {
    about: RuleSet {
        id: "node-bootstrap",
        title: "Node bootstrap",
        doc: include_str!("node-bootstrap.md"),
        rules: &[&BOOTSTRAP_FAILED, &POOL_FAILED, &NOT_READY, &SCALE_UP],
    },
    needs: &[Section::AgentPools, Section::ScaleSets, Section::Instances, Section::Nodes, Section::Autoscaler],
    run,
};

const DOCS_NOT_READY: &str = "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/\
                              availability-performance/node-not-ready-basic-troubleshooting";
/// A node gets this long to become ready.
const READY: SignedDuration = SignedDuration::from_mins(10);
/// A NodeClaim gets this long to register.
const REGISTERED: SignedDuration = SignedDuration::from_mins(15);

fn run(judge: &mut Judge<'_>) -> Result<(), NotApplicable> {
    judge.is_isolated_or_cached()?;
    let evidence = judge.evidence;
    let Some(pools) = judge.know(&evidence.pools.agent_pools, "the node pools") else { return Ok(()) };
    for pool in pools {
        pool_state(judge, pool);
    }
    if evidence.stopped() {
        return Ok(());
    }
    if let Some(nodes) = judge.know(&evidence.kubernetes.nodes, "the nodes") {
        not_ready(judge, pools, nodes);
    }
    let problems = judge.know(&evidence.kubernetes.autoscaler, "the autoscaler's status").into_iter().flatten();
    let mut problems: Vec<&ScaleUpProblem> = problems.collect();
    if evidence.auto_provisioning() {
        problems.extend(judge.know(&evidence.kubernetes.node_claims, "NodeClaims").into_iter().flatten());
    }
    scale_up(judge, pools, &problems);
    Ok(())
}

fn subject(evidence: &Evidence, is_node_pool: bool, name: &str) -> Subject {
    let cluster = &evidence.cluster.id;
    if is_node_pool { Subject::node_pool(cluster, name) } else { Subject::pool(cluster, name) }
}

/// Where an exit code was found.
struct Found {
    number: u32,
    seen: Observation,
}

fn pool_state(judge: &mut Judge<'_>, pool: &AgentPool) {
    let evidence = judge.evidence;
    // What stands there is of the operation before.
    if pool.state() == PoolState::Transient {
        return;
    }
    if let Some(found) = code_of(judge, pool) {
        let windows = is(pool.os_type.as_ref(), "Windows");
        judge.report(bootstrap_failed(evidence, &pool.name, windows, found.number, found.seen));
    } else if pool.state() == PoolState::Failed {
        let error = pool.status.as_ref().and_then(|status| status.provisioning_error.as_ref());
        let said = error.map(messages).unwrap_or_default().join("; ");
        let no_addresses = speaks_of_addresses(&said);
        let said = if said.is_empty() {
            "the pool carries no message".to_owned()
        } else {
            text::bounded(said.trim_end_matches('.'), 600)
        };
        let state = pool.provisioning_state.clone().unwrap_or_default();
        judge.report(
            Finding::new(
                &POOL_FAILED,
                Subject::pool(&evidence.cluster.id, &pool.name),
                format!("provisioningState of pool {} is {state}: {said}.", pool.name),
            )
            .seen(vec![Observation::new(
                evidence.cluster.source(),
                format!("properties.agentPoolProfiles[{}].provisioningState", pool.name),
                state,
            )])
            .with_facts(Facts { no_addresses, ..Facts::default() })
            .with_remediation(remedy::reconcile(evidence, "Fix what the message names first.")),
        );
    }
}

/// The exit code that the pool, the cluster's own error about it, or an instance of its scale set carries.
fn code_of(judge: &mut Judge<'_>, pool: &AgentPool) -> Option<Found> {
    let evidence = judge.evidence;
    if let Some(number) = own_code(pool) {
        let path = format!("properties.agentPoolProfiles[{}].status.provisioningError", pool.name);
        return Some(Found {
            number,
            seen: Observation::new(evidence.cluster.source(), path, format!("exit status={number}")),
        });
    }
    let cluster = evidence.cluster.properties.status.as_ref().and_then(|status| status.provisioning_error.as_ref());
    let about_pool =
        |error: &ErrorDetail| messages(error).iter().any(|message| message.contains(&format!("aks-{}-", pool.name)));
    let single = evidence.pools.agent_pools.known().is_some_and(|pools| pools.len() == 1);
    if let Some(number) = cluster.filter(|error| single || about_pool(error)).and_then(code_in) {
        let path = "properties.status.provisioningError".to_owned();
        return Some(Found {
            number,
            seen: Observation::new(evidence.cluster.source(), path, format!("exit status={number}")),
        });
    }
    code_of_instances(judge, pool)
}

fn code_of_instances(judge: &mut Judge<'_>, pool: &AgentPool) -> Option<Found> {
    let evidence = judge.evidence;
    let machines = is(pool.kind.as_ref(), "VirtualMachines");
    let missing = Fact::default();
    let fact = match &evidence.pools.instances.get(&pool.name) {
        Some(fact) => fact,
        // Instances are asked only where there is reason to; whether there is, the scale sets and nodes tell.
        None if machines => {
            let meant = pool.is_settled() && !evidence.stopped();
            if meant && evidence.kubernetes.nodes.known().is_some() && lacks_nodes(evidence, pool) {
                let detail =
                    format!("pool {} has fewer nodes than it should, and its machines do not say why", pool.name);
                judge.note(Gap::new(Reason::NotVisible, detail));
            }
            return None;
        }
        None => match judge.know(&evidence.pools.scale_sets, "the node resource group's scale sets") {
            Some(sets) if suspect_scale_set(evidence, pool, sets).is_some() => &missing,
            _ => return None,
        },
    };
    let instances = match fact {
        Fact::Known(instances) => instances,
        Fact::Missing(gap) => {
            judge.note(gap.clone().about("the instances of the pool's scale set"));
            return None;
        }
    };
    let views = instances.iter().filter_map(|instance| Some((instance, instance.properties.instance_view.as_ref()?)));
    let statuses = views.flat_map(|(instance, view)| {
        view.extensions
            .iter()
            .flat_map(move |extension| extension.statuses.iter().map(move |status| (instance, extension, status)))
    });
    let (instance, extension, number) = statuses.into_iter().find_map(|(instance, extension, status)| {
        Some((instance, extension, exit_code::find(status.message.as_deref()?).filter(|code| *code != 0)?))
    })?;
    let source = instance.id.as_ref().map_or_else(String::new, |id| format!("GET {id}?$expand=instanceView"));
    let path = format!(
        "properties.instanceView.extensions[{}].statuses[].message",
        extension.name.as_deref().unwrap_or("vmssCSE")
    );
    Some(Found { number, seen: Observation::new(source, path, format!("exit status={number}")) })
}

pub(super) fn bootstrap_failed(
    evidence: &Evidence,
    pool: &str,
    windows: bool,
    number: u32,
    seen: Observation,
) -> Finding {
    let known = bootstrap_code::meaning(number, windows);
    let detail = match known {
        Some(code) => {
            format!("Nodes of pool {pool} fail to bootstrap with exit code {number} ({}): {}.", code.name, code.meaning)
        }
        None => format!(
            "Nodes of pool {pool} fail to bootstrap with exit code {number}, which aksiso does not know; the output \
             of the extension vmssCSE says more."
        ),
    };
    Finding::new(&BOOTSTRAP_FAILED, Subject::pool(&evidence.cluster.id, pool), detail)
        .seen(vec![seen])
        .with_facts(Facts { exit_code: Some(number), fault: known.map(|code| code.fault), ..Facts::default() })
        .with_remediation(by_code(evidence, pool, known))
}

/// The remediation of a code that nothing else explains.
fn by_code(evidence: &Evidence, pool: &str, code: Option<&Code>) -> Remediation {
    const CODES: &str =
        "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/error-codes/aks-error-code-page";
    let renew = || vec![remedy::upgrade_pool(evidence, pool)];
    match code.map(|code| (code.number, code.fault)) {
        Some((31 | 41 | 50, _)) => remedy(
            RemediationKind::Reimage,
            "The pool still has the configuration from before egress was cut: upgrade its node image. If its nodes \
             cannot join at all, open egress (or go back to an outbound type that has it), reimage, then cut it \
             again.",
            renew(),
            DOCS_TROUBLESHOOT,
        ),
        Some((45 | 76 | 83, _)) => remedy(
            RemediationKind::UpgradeNodeImage,
            "The node image is too old: upgrade it.",
            renew(),
            DOCS_TROUBLESHOOT,
        ),
        Some((51..=53, _)) => remedy(
            RemediationKind::Investigate,
            "See checks api-server and node-network. Where both pass, look at firewalls and DNS servers between the \
             node subnet and the API server.",
            Vec::new(),
            CODES,
        ),
        Some((_, Fault::Unauthorized)) => remedy(
            RemediationKind::AssignRole,
            "See check kubelet-acrpull: the identity, its role on the registry, and the registry's mode. A role takes \
             minutes to propagate.",
            Vec::new(),
            remedy::DOCS_ROLES,
        ),
        Some((_, Fault::Network | Fault::Hung)) => remedy(
            RemediationKind::Investigate,
            "See checks private-endpoint and private-dns. Where both pass, look at firewalls and DNS servers on the \
             way from the node subnet to the registry's endpoint.",
            Vec::new(),
            DOCS_TROUBLESHOOT,
        ),
        Some((_, Fault::Artifact)) => remedy(
            RemediationKind::Investigate,
            "See checks cache-rules and private-dns (data endpoint). Where both pass, the registry could not fetch \
             from its upstream: try again later.",
            Vec::new(),
            DOCS_TROUBLESHOOT,
        ),
        _ => remedy(
            RemediationKind::Investigate,
            "Look up the code, and the output of the extension vmssCSE on the instance.",
            Vec::new(),
            CODES,
        ),
    }
}

/// Nodes that should be ready, by pool. Deallocated nodes are not meant, and a pool in the middle of an operation is
/// judged when it is over.
fn not_ready(judge: &mut Judge<'_>, pools: &[AgentPool], nodes: &[Node]) {
    let evidence = judge.evidence;
    let old_enough =
        |node: &&Node| node.created.is_none_or(|created| evidence.collected_at.duration_since(created) > READY);
    let mut groups: BTreeMap<(bool, &str), Vec<&Node>> = BTreeMap::new();
    for node in nodes.iter().filter(|node| !node.is_virtual && !node.ready).filter(old_enough) {
        if let Some(name) = &node.node_pool {
            groups.entry((true, name)).or_default().push(node);
        } else if let Some(pool) = pools.iter().find(|pool| is(node.agent_pool.as_ref(), &pool.name)) {
            let ordinary = pool.stopped()
                || pool.state() == PoolState::Transient
                || is(pool.scale_down_mode.as_ref(), "Deallocate");
            if !ordinary {
                groups.entry((false, &pool.name)).or_default().push(node);
            }
        }
    }
    for ((is_node_pool, name), nodes) in groups {
        let detail = format!(
            "{} of pool {name} {} not ready.",
            count(nodes.len(), "node"),
            if nodes.len() == 1 { "is" } else { "are" }
        );
        let seen = observe_nodes(&nodes, "status.conditions[Ready]", |_| "not True".to_owned());
        let describe = Command::new("kubectl describe node").word(nodes[0].name.as_str());
        let summary =
            "See the node's conditions and events. Where its system pods wait for images, the other findings say why.";
        let remediation = remedy(RemediationKind::Investigate, summary, vec![describe], DOCS_NOT_READY);
        let finding = Finding::new(&NOT_READY, subject(evidence, is_node_pool, name), detail).about_nodes(nodes);
        judge.report(finding.seen(seen).with_remediation(remediation));
    }
}

/// With an autoscaler, a node that fails to bootstrap is deleted again, and Azure Resource Manager shows nothing.
fn scale_up(judge: &mut Judge<'_>, pools: &[AgentPool], problems: &[&ScaleUpProblem]) {
    let evidence = judge.evidence;
    let late =
        |since: Option<Timestamp>| since.is_none_or(|since| evidence.collected_at.duration_since(since) > REGISTERED);
    let mut seen_groups: Vec<(&str, bool)> = Vec::new();
    for problem in problems.iter().filter(|problem| late(problem.since)) {
        let pool = pools.iter().find(|pool| is_named_after(&problem.group, pool));
        // The autoscaler leaves a stopped pool alone: what its status says of it is old.
        if !problem.is_node_pool && pool.is_some_and(AgentPool::stopped) {
            continue;
        }
        let name = if problem.is_node_pool {
            problem.group.as_str()
        } else {
            pool.map_or(problem.group.as_str(), |pool| pool.name.as_str())
        };
        if seen_groups.contains(&(name, problem.is_node_pool)) {
            continue;
        }
        seen_groups.push((name, problem.is_node_pool));
        let finding = scale_up_failing(evidence, problem, pool, name);
        judge.report(finding);
    }
}

fn scale_up_failing(evidence: &Evidence, problem: &ScaleUpProblem, pool: Option<&AgentPool>, name: &str) -> Finding {
    let said =
        problem.message.clone().or_else(|| problem.code.clone()).unwrap_or_else(|| "it gives no reason".to_owned());
    let windows = pool.is_some_and(|pool| is(pool.os_type.as_ref(), "Windows"));
    let number = exit_code::find(&said).filter(|number| *number != 0);
    let code = number.and_then(|number| bootstrap_code::meaning(number, windows));
    let what =
        if problem.is_node_pool { "A NodeClaim of NodePool" } else { "The autoscaler backed off scaling up pool" };
    let how = if problem.is_node_pool { " has not become a node" } else { "" };
    let meaning = match (number, code) {
        (Some(number), Some(code)) => format!(" Exit code {number} ({}): {}.", code.name, code.meaning),
        (Some(number), None) => format!(" Exit code {number} is unknown to aksiso."),
        _ => String::new(),
    };
    let (source, path) = if problem.is_node_pool {
        ("GET /apis/karpenter.sh/v1/nodeclaims", "status.conditions[Registered]".to_owned())
    } else {
        (
            "GET /api/v1/namespaces/kube-system/configmaps/cluster-autoscaler-status",
            format!("nodeGroups[{}].scaleUp.backoffInfo", problem.group),
        )
    };
    let said = text::bounded(&said, 600);
    let value = number.map_or_else(|| said.clone(), |number| format!("exit status={number}"));
    let detail = format!("{what} {name}{how}: {}.{meaning}", said.trim_end_matches('.'));
    let remediation = match number {
        Some(_) => by_code(evidence, name, code),
        None => remedy(
            RemediationKind::Investigate,
            "Fix what the message names: quota, capacity, or the node's bootstrap.",
            Vec::new(),
            "https://learn.microsoft.com/azure/aks/cluster-autoscaler",
        ),
    };
    Finding::new(&SCALE_UP, subject(evidence, problem.is_node_pool, name), detail)
        .with_severity(if number.is_some() { Severity::Error } else { SCALE_UP.severity })
        .seen(vec![Observation::new(source, path, value)])
        .with_facts(Facts {
            exit_code: number,
            fault: code.map(|code| code.fault),
            no_addresses: speaks_of_addresses(&said),
            ..Facts::default()
        })
        .with_remediation(remediation)
}
