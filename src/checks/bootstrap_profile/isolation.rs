//! Whether the cluster is isolated, and through which registry.

use super::{INCOMPLETE, NOT_ISOLATED, REGISTRY_NOT_FOUND, REGISTRY_UNSET, WITHOUT_CACHE, on_cluster, update};
use crate::checks::command::Command;
use crate::checks::finding::{Finding, Observation, Remediation};
use crate::checks::judge::Judge;
use crate::checks::remedy;
use crate::evidence::Evidence;
use crate::evidence::id::ResourceId;
use crate::model::cluster::Ownership;

/// The command that switches to the cache: to the registry that is named, or to a managed one.
fn to_cache(evidence: &Evidence) -> Command {
    match evidence.registry_id().filter(|_| evidence.ownership() == Ownership::Byo) {
        Some(registry) => remedy::aks_update(evidence, &remedy::use_cache(&registry)),
        None => remedy::aks_update(evidence, &[("--bootstrap-artifact-source", "Cache")]),
    }
}

pub(super) fn isolation(judge: &mut Judge<'_>) {
    let evidence = judge.evidence;
    let bootstrap = evidence.bootstrap();
    let source = bootstrap.artifact_source.as_deref().unwrap_or("(unset)");
    let outbound = evidence.outbound_type();
    let fields =
        [("properties.bootstrapProfile.artifactSource", source), ("properties.networkProfile.outboundType", outbound)];
    let finding = match (evidence.uses_cache(), evidence.egress_closed()) {
        (false, false) => on_cluster(
            evidence,
            &NOT_ISOLATED,
            format!(
                "Nodes take their artifacts from the internet (artifactSource {source}) and outboundType {outbound} \
                 gives them a way out, so there is no isolation to diagnose."
            ),
            &fields,
            update(
                "To isolate the cluster: switch the artifact source to Cache, reimage every pool while egress is \
                 still open, and only then set the outbound type to none. aksiso cutover says which step is next, and \
                 what stands in its way.",
                vec![to_cache(evidence)],
            ),
        ),
        (false, true) => on_cluster(
            evidence,
            &WITHOUT_CACHE,
            format!(
                "outboundType {outbound} leaves the nodes no way out, yet artifactSource is {source}: a new or \
                 reimaged node cannot fetch its binaries, and no image can be pulled."
            ),
            &fields,
            update(
                "Switch the artifact source to Cache, then reimage every pool. Azure Resource Manager refuses this \
                 combination in an update, so it usually stems from an older API.",
                vec![to_cache(evidence)],
            ),
        ),
        (true, false) => on_cluster(evidence, &INCOMPLETE, incomplete_detail(evidence), &fields, next_step(evidence)),
        (true, true) => return,
    };
    judge.report(finding);
}

fn incomplete_detail(evidence: &Evidence) -> String {
    let outbound = evidence.outbound_type();
    if evidence.auto_provisioning() {
        format!(
            "The cluster takes its artifacts from the registry and keeps outboundType {outbound}. Node \
             auto-provisioning is on, and with it the outbound type cannot be changed: egress can only be closed by \
             the network around the cluster."
        )
    } else if outbound.eq_ignore_ascii_case("userDefinedRouting") {
        "The cluster takes its artifacts from the registry, and egress goes through a route of your own \
         (userDefinedRouting): a resting state behind a firewall, or the step before outboundType none."
            .to_owned()
    } else {
        format!(
            "The cluster takes its artifacts from the registry, and outboundType {outbound} still has egress: a step \
             of the cut-over. The next step is to see that every node was reimaged since the switch to Cache (check \
             node-image), and then to set the outbound type to none."
        )
    }
}

fn next_step(evidence: &Evidence) -> Remediation {
    if evidence.auto_provisioning() {
        return update("Nothing to run: with node auto-provisioning the outbound type cannot be changed.", Vec::new());
    }
    // No command: only `cutover` has seen what must be true before egress is closed.
    update(
        "Once every pool is reimaged, close egress: aksiso cutover says whether it is safe, and prints the command. \
         Never together with the switch to Cache in one update: Azure Resource Manager refuses that.",
        Vec::new(),
    )
}

pub(super) fn registry(judge: &mut Judge<'_>) {
    let evidence = judge.evidence;
    if !evidence.uses_cache() {
        return;
    }
    let Some(id) = evidence.registry_id() else {
        judge.report(on_cluster(
            evidence,
            &REGISTRY_UNSET,
            "artifactSource is Cache, but no registry is named: nodes do not know where to pull from.",
            &[
                ("properties.bootstrapProfile.artifactSource", "Cache"),
                ("properties.bootstrapProfile.containerRegistryId", "(unset)"),
            ],
            update(
                "Name the registry: for one of your own add --bootstrap-container-registry-resource-id REGISTRY_ID to \
                 the command (both flags together; the id alone is ignored); as printed, AKS makes a managed one. \
                 Then reimage every pool.",
                vec![to_cache(evidence)],
            ),
        ));
        return;
    };
    let Some(None) = judge.know(&evidence.registry.registry, "the bootstrap registry") else {
        return;
    };
    judge.report(registry_not_found(evidence, &id));
}

fn registry_not_found(evidence: &Evidence, id: &ResourceId) -> Finding {
    let remediation = if evidence.ownership() == Ownership::Managed {
        remedy::reconcile(
            evidence,
            "AKS makes its registry again. If the registry's id is another one afterwards, reimage every pool.",
        )
    } else {
        update(
            "Create the registry again under the same id (its nodes then need no reimage) or name another one with \
             both flags and reimage every pool.",
            vec![remedy::aks_update(evidence, &remedy::use_cache(&ResourceId::new("<REGISTRY_ID>".to_owned())))],
        )
    };
    let mut finding = on_cluster(
        evidence,
        &REGISTRY_NOT_FOUND,
        format!(
            "The registry {} no longer exists under this id. If it was deleted, no image can be pulled and no node \
             can start; if it was moved to another resource group, nodes still pull, but the cluster names the old id.",
            id.name()
        ),
        &[("properties.bootstrapProfile.containerRegistryId", id.as_str())],
        remediation,
    );
    finding.evidence.push(Observation::new(format!("GET {id}"), "status", "404"));
    finding
}
