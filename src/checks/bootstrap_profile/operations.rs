//! What the cluster and its pools are doing, and what went wrong last.

use super::{FAILED, IN_PROGRESS, STOPPED, WINDOWS, on_cluster};
use crate::checks::command::Command;
use crate::checks::finding::{Finding, Observation, RemediationKind, Subject};
use crate::checks::judge::Judge;
use crate::checks::remedy::{self, DOCS_ISOLATED, DOCS_TROUBLESHOOT, remedy};
use crate::evidence::Evidence;
use crate::evidence::resource::ResourceStatus;
use crate::model::bootstrap_code::meaning;
use crate::model::cluster::PoolState;
use crate::model::cluster::is;
use crate::model::nodes::code_in;
use crate::text;

pub(super) fn operations(judge: &mut Judge<'_>) {
    let evidence = judge.evidence;
    let properties = &evidence.cluster.properties;
    let state = properties.provisioning_state.as_deref();
    if PoolState::of(state) == PoolState::Failed {
        let (code, message) = last_error(properties.status.as_ref());
        let policy =
            code.eq_ignore_ascii_case("RequestDisallowedByPolicy") || message.contains("RequestDisallowedByPolicy");
        let why = if policy {
            " An Azure Policy refused it (RequestDisallowedByPolicy): a reconcile fails in the same way until the \
             policy has an exemption."
        } else {
            ""
        };
        let state = state.unwrap_or_default();
        let mut finding = on_cluster(
            evidence,
            &FAILED,
            format!("provisioningState is {state}: {code}: {message}.{why}"),
            &[
                ("properties.provisioningState", state),
                ("properties.status.provisioningError.code", &code),
                ("properties.status.provisioningError.message", &message),
            ],
            remedy::reconcile(evidence, "Fix what the message names first."),
        );
        let error = properties.status.as_ref().and_then(|status| status.provisioning_error.as_ref());
        finding.facts.exit_code = error.and_then(code_in);
        finding.facts.fault = finding.facts.exit_code.and_then(|number| meaning(number, false)).map(|code| code.fault);
        judge.report(finding);
    }
    if evidence.stopped() {
        let show = remedy::addressed(Command::new("az aks show"), &evidence.cluster.id);
        let show = remedy::in_subscription(show, &evidence.cluster.id).with("--query", "powerState");
        judge.report(on_cluster(
            evidence,
            &STOPPED,
            "The cluster is stopped: there are no nodes to look at, so only its settings are checked.",
            &[("properties.powerState.code", "Stopped")],
            remedy(
                RemediationKind::Investigate,
                "Start the cluster (az aks start) to have its nodes checked.",
                vec![show],
                DOCS_TROUBLESHOOT,
            ),
        ));
    }
}

/// Code and message of the last failure; "unknown" where the cluster carries none.
fn last_error(status: Option<&ResourceStatus>) -> (String, String) {
    let error = status.and_then(|status| status.provisioning_error.as_ref());
    let code = error.and_then(|error| error.code.clone()).unwrap_or_else(|| "unknown".to_owned());
    let message =
        error.and_then(|error| error.message.clone()).unwrap_or_else(|| "the cluster carries no message".to_owned());
    (text::bounded(&code, 80), text::bounded(text::without_secrets(&message).trim_end_matches('.'), 600))
}

pub(super) fn pools(judge: &mut Judge<'_>) {
    let evidence = judge.evidence;
    let state = evidence.cluster.properties.provisioning_state.as_deref();
    let mut running = Vec::new();
    if PoolState::of(state) == PoolState::Transient {
        let state = state.unwrap_or_default().to_owned();
        running.push(Observation::new(evidence.cluster.source(), "properties.provisioningState", state));
    }
    for pool in judge.know(&evidence.pools.agent_pools, "the node pools").into_iter().flatten() {
        let path = |field: &str| format!("properties.agentPoolProfiles[{}].{field}", pool.name);
        if pool.state() == PoolState::Transient {
            let state = pool.provisioning_state.clone().unwrap_or_default();
            running.push(Observation::new(evidence.cluster.source(), path("provisioningState"), state));
        }
        if is(pool.os_type.as_ref(), "Windows") {
            judge.report(windows(evidence, &pool.name));
        }
    }
    if !running.is_empty() {
        let mut finding = on_cluster(
            evidence,
            &IN_PROGRESS,
            "An operation is running; the pools involved are checked once it is over.",
            &[],
            remedy(
                RemediationKind::Investigate,
                "Wait until the operation has ended and diagnose again.",
                Vec::new(),
                DOCS_TROUBLESHOOT,
            ),
        );
        finding.evidence = running;
        judge.report(finding);
    }
}

fn windows(evidence: &Evidence, pool: &str) -> Finding {
    let path = format!("properties.agentPoolProfiles[{pool}].osType");
    Finding::new(
        &WINDOWS,
        Subject::pool(&evidence.cluster.id, pool),
        format!(
            "Pool {pool} runs Windows. Microsoft's page says \"not yet supported\", although newer node images have \
             the code for it: check the page before you rely on it."
        ),
    )
    .seen(vec![Observation::new(evidence.cluster.source(), path, "Windows")])
    .with_remediation(remedy(
        RemediationKind::Investigate,
        "Read the limitations on Microsoft's page; move the workloads to another cluster if Windows is still listed \
         there.",
        Vec::new(),
        DOCS_ISOLATED,
    ))
}
