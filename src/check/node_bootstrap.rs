//! Nodes that do not come up: bootstrap exit codes, failed pools, nodes that are not ready, pools that do not grow.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::remedy::{self, DOCS_TROUBLESHOOT, remedy};
use super::{Check, Judge, NotApplicable};
use crate::bootstrap_code::{self, Code, Fault};
use crate::evidence::cluster::{AgentPool, ErrorDetail};
use crate::evidence::kubernetes::{Node, ScaleUpProblem};
use crate::evidence::resource::Machine;
use crate::evidence::view::is;
use crate::evidence::{Evidence, Fact, PoolState, Section};
use crate::finding::{Finding, Observation, Remediation, RemediationKind, Rule, Severity, Subject};
use crate::text::{self, count};

pub(super) const BOOTSTRAP_FAILED: Rule =
    Rule { id: "node-bootstrap-failed", severity: Severity::Error, title: "Nodes of a pool fail to bootstrap" };
const POOL_FAILED: Rule =
    Rule { id: "pool-failed", severity: Severity::Error, title: "The last operation on a pool failed" };
const NOT_READY: Rule = Rule { id: "node-not-ready", severity: Severity::Warning, title: "Nodes are not ready" };
const SCALE_UP: Rule =
    Rule { id: "scale-up-failing", severity: Severity::Warning, title: "A pool does not get the nodes that it needs" };

/// The check.
pub const CHECK: Check = Check {
    id: "node-bootstrap",
    title: "Whether nodes come up",
    doc: include_str!("node-bootstrap.md"),
    needs: &[Section::AgentPools, Section::ScaleSets, Section::Instances, Section::Nodes, Section::Autoscaler],
    rules: &[&BOOTSTRAP_FAILED, &POOL_FAILED, &NOT_READY, &SCALE_UP],
    run,
};

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

/// The exit code in the pool's own error.
fn own_code(pool: &AgentPool) -> Option<u32> {
    code_in(pool.status.as_ref()?.provisioning_error.as_ref()?)
}

fn code_in(error: &ErrorDetail) -> Option<u32> {
    messages(error).iter().find_map(|message| bootstrap_code::find(message))
}

/// The pool's scale set, where something behind the pool failed and the pool itself does not say what.
pub(super) fn failed_scale_set<'s>(pool: &AgentPool, sets: &'s [Machine]) -> Option<&'s Machine> {
    let set = sets.iter().find(|set| super::kubelet_acrpull::belongs(set, pool))?;
    let failed = pool.state() == PoolState::Failed
        || PoolState::of(set.properties.provisioning_state.as_deref()) == PoolState::Failed;
    (failed && own_code(pool).is_none()).then_some(set)
}

fn subject(evidence: &Evidence, folder: &str, name: &str) -> Subject {
    let kind =
        if folder == "agentPools" { "Microsoft.ContainerService/managedClusters/agentPools" } else { "NodePool" };
    Subject::new(kind, &evidence.cluster.id.child(folder).child(name))
}

/// The texts of an ARM error, inner ones too.
fn messages(error: &ErrorDetail) -> Vec<String> {
    let own = [&error.code, &error.message].into_iter().flatten().cloned().collect::<Vec<_>>().join(": ");
    let inner = error.details.iter().flat_map(messages);
    std::iter::once(own).filter(|own| !own.is_empty()).chain(inner).collect()
}

/// Where an exit code was found.
struct Found {
    number: u32,
    seen: Observation,
}

fn pool_state(judge: &mut Judge<'_>, pool: &AgentPool) {
    let evidence = judge.evidence;
    if let Some(found) = code_of(judge, pool) {
        let windows = is(pool.os_type.as_ref(), "Windows");
        judge.report(bootstrap_failed(evidence, &pool.name, windows, found.number, found.seen));
    } else if pool.state() == PoolState::Failed {
        let error = pool.status.as_ref().and_then(|status| status.provisioning_error.as_ref());
        let said = error.map(messages).unwrap_or_default().join("; ");
        let said = if said.is_empty() {
            "the pool carries no message".to_owned()
        } else {
            text::bounded(said.trim_end_matches('.'), 600)
        };
        let state = pool.provisioning_state.clone().unwrap_or_default();
        judge.report(Finding {
            rule: &POOL_FAILED,
            severity: POOL_FAILED.severity,
            detail: format!("provisioningState of pool {} is {state}: {said}.", pool.name),
            subject: subject(evidence, "agentPools", &pool.name),
            evidence: vec![Observation::new(
                evidence.cluster.source(),
                format!("properties.agentPoolProfiles[{}].provisioningState", pool.name),
                state,
            )],
            remediation: remedy::reconcile(evidence, "Mend what the message names first."),
        });
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
        // Instances are asked only behind a failure; whether there is one, the scale sets tell.
        None if machines => return None,
        None => match judge.know(&evidence.pools.scale_sets, "the node resource group's scale sets") {
            Some(sets) if failed_scale_set(pool, sets).is_some() => &missing,
            _ => return None,
        },
    };
    let instances = match fact {
        Fact::Known(instances) => instances,
        Fact::Missing(gap) => {
            judge.note(gap.clone().about("the instances of a failed scale set"));
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
        Some((instance, extension, bootstrap_code::find(status.message.as_deref()?).filter(|code| *code != 0)?))
    })?;
    let source = instance.id.as_ref().map_or_else(String::new, |id| format!("GET {id}?$expand=instanceView"));
    let path = format!(
        "properties.instanceView.extensions[{}].statuses[].message",
        extension.name.as_deref().unwrap_or("vmssCSE")
    );
    Some(Found { number, seen: Observation::new(source, path, format!("exit status={number}")) })
}

fn bootstrap_failed(evidence: &Evidence, pool: &str, windows: bool, number: u32, seen: Observation) -> Finding {
    let known = bootstrap_code::meaning(number, windows);
    let detail = match known {
        Some(code) => {
            format!("Nodes of pool {pool} fail to bootstrap with exit code {number} ({}): {}.", code.name, code.meaning)
        }
        None => format!(
            "Nodes of pool {pool} fail to bootstrap with exit code {number}, which aksiso does not know; the output of the extension vmssCSE says more."
        ),
    };
    Finding {
        rule: &BOOTSTRAP_FAILED,
        severity: BOOTSTRAP_FAILED.severity,
        detail,
        subject: subject(evidence, "agentPools", pool),
        evidence: vec![seen],
        remediation: by_code(evidence, pool, known),
    }
}

/// The remediation of a code that nothing else explains.
fn by_code(evidence: &Evidence, pool: &str, code: Option<&Code>) -> Remediation {
    const CODES: &str =
        "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/error-codes/aks-error-code-page";
    let renew = || vec![remedy::upgrade_pool(evidence, pool)];
    match code.map(|code| (code.number, code.fault)) {
        Some((50 | 31, _)) => remedy(
            RemediationKind::Reimage,
            "The pool still has the configuration from before egress was cut: upgrade its node image. If its nodes cannot come up at all, open egress (or go back to an outbound type that has it), reimage, then cut it again.",
            renew(),
            DOCS_TROUBLESHOOT,
        ),
        Some((45 | 76 | 83, _)) => remedy(
            RemediationKind::UpgradeNodeImage,
            "The node image is too old: upgrade it.",
            renew(),
            DOCS_TROUBLESHOOT,
        ),
        Some((_, Fault::Unauthorized)) => remedy(
            RemediationKind::AssignRole,
            "See check kubelet-acrpull: the identity, its role on the registry, and the registry's mode. A role takes minutes to spread.",
            Vec::new(),
            remedy::DOCS_ROLES,
        ),
        Some((_, Fault::Network)) => remedy(
            RemediationKind::Investigate,
            "See checks private-endpoint and private-dns. Where both pass, look at firewalls and DNS servers on the way from the node subnet to the registry's endpoint.",
            Vec::new(),
            DOCS_TROUBLESHOOT,
        ),
        Some((_, Fault::Artifact)) => remedy(
            RemediationKind::Investigate,
            "See checks cache-rules and private-dns (data endpoint). Where both pass, the registry could not fetch from its upstream: try again later.",
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
    let mut groups: BTreeMap<(&str, &str), Vec<&Node>> = BTreeMap::new();
    for node in nodes.iter().filter(|node| !node.is_virtual && !node.ready).filter(old_enough) {
        if let Some(name) = &node.node_pool {
            groups.entry(("nodePools", name)).or_default().push(node);
        } else if let Some(pool) = pools.iter().find(|pool| is(node.agent_pool.as_ref(), &pool.name)) {
            let ordinary = pool.stopped()
                || pool.state() == PoolState::Transient
                || is(pool.scale_down_mode.as_ref(), "Deallocate");
            if !ordinary {
                groups.entry(("agentPools", &pool.name)).or_default().push(node);
            }
        }
    }
    for ((folder, name), nodes) in groups {
        let detail = format!(
            "{} of pool {name} {} not ready.",
            count(nodes.len(), "node"),
            if nodes.len() == 1 { "is" } else { "are" }
        );
        let seen = super::node_image::observe_nodes(nodes.iter().copied(), "status.conditions[Ready]", |_| {
            "not True".to_owned()
        });
        let describe = crate::command::Command::new("kubectl describe node").word(nodes[0].name.as_str());
        judge.report(Finding {
            rule: &NOT_READY,
            severity: NOT_READY.severity,
            detail,
            subject: subject(evidence, folder, name),
            evidence: seen,
            remediation: remedy(RemediationKind::Investigate, "See the node's conditions and events. Where its system pods wait for images, the other findings say why.", vec![describe], "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/availability-performance/node-not-ready-basic-troubleshooting"),
        });
    }
}

/// With an autoscaler, a node that fails to bootstrap is deleted again, and Azure Resource Manager shows nothing.
fn scale_up(judge: &mut Judge<'_>, pools: &[AgentPool], problems: &[&ScaleUpProblem]) {
    let evidence = judge.evidence;
    let late =
        |since: Option<Timestamp>| since.is_none_or(|since| evidence.collected_at.duration_since(since) > REGISTERED);
    let mut seen_groups: Vec<(&str, bool)> = Vec::new();
    for problem in problems.iter().filter(|problem| late(problem.since)) {
        let pool = pools
            .iter()
            .find(|pool| problem.group.to_lowercase().starts_with(&format!("aks-{}-", pool.name.to_lowercase())));
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
    let number = bootstrap_code::find(&said).filter(|number| *number != 0);
    let code = number.and_then(|number| bootstrap_code::meaning(number, windows));
    let what = if problem.is_node_pool { "A NodeClaim of NodePool" } else { "The autoscaler stopped enlarging pool" };
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
    Finding {
        rule: &SCALE_UP,
        severity: if number.is_some() { Severity::Error } else { SCALE_UP.severity },
        detail: format!("{what} {name}{how}: {}.{meaning}", said.trim_end_matches('.')),
        subject: subject(evidence, if problem.is_node_pool { "nodePools" } else { "agentPools" }, name),
        evidence: vec![Observation::new(source, path, value)],
        remediation: match number {
            Some(_) => by_code(evidence, name, code),
            None => remedy(
                RemediationKind::Investigate,
                "Mend what the message names: quota, capacity, or the node's bootstrap.",
                Vec::new(),
                "https://learn.microsoft.com/azure/aks/cluster-autoscaler",
            ),
        },
    }
}
