//! `storage-without-private-endpoint`: volumes of Azure Files and Azure Blob that are reached over public addresses.

use super::STORAGE;
use crate::checks::command::Command;
use crate::checks::finding::{Finding, Observation, RemediationKind, Subject};
use crate::checks::judge::Judge;
use crate::checks::remedy::remedy;
use crate::checks::rule::Severity;
use crate::evidence::Evidence;
use crate::evidence::calls::kubernetes::KubernetesCall;
use crate::evidence::workloads::StorageFailure;
use crate::model::storage::{PublicStorage, public};
use crate::text::{count, listed};

const DOCS_STORAGE: &str = "https://learn.microsoft.com/azure/aks/concepts-network-isolated";

pub(super) fn judge(judge: &mut Judge<'_>) {
    let evidence = judge.evidence;
    let Some(storage) = evidence.kubernetes.storage.as_ref().filter(|_| evidence.egress_closed()) else { return };
    if evidence.stopped() {
        return;
    }
    judge.know(&storage.classes, "storage classes");
    judge.know(&storage.volumes, "persistent volumes");
    judge.know(&storage.claims, "persistent volume claims");
    let public = public(storage);
    if public.is_empty() {
        return;
    }
    let failures = judge.know(&storage.failures, "events of failed mounts").map(Vec::as_slice).unwrap_or_default();
    for own in public {
        let failed: Vec<&StorageFailure> = failures.iter().filter(|failure| own.concerns(failure)).collect();
        let severity = if failed.is_empty() { Severity::Warning } else { Severity::Error };
        judge.report(finding(evidence, &own, &failed).with_severity(severity));
    }
}

fn finding(evidence: &Evidence, own: &PublicStorage<'_>, failed: &[&StorageFailure]) -> Finding {
    let cluster = &evidence.cluster.id;
    let (subject, what) = match own.class {
        Some(class) => (
            Subject::new("StorageClass", &cluster.child("storageClasses").child(&class.name)),
            format!("Storage class {} ({})", class.name, own.driver),
        ),
        None => (
            Subject::new("CSIDriver", &cluster.child("csiDrivers").child(own.driver)),
            format!("Volumes of {} without a class", own.driver),
        ),
    };
    let claims = own.claims.map(|(claims, _)| count(claims, "claim"));
    let volumes = (!own.volumes.is_empty()).then(|| count(own.volumes.len(), "volume"));
    let used: Vec<String> = volumes.into_iter().chain(claims).collect();
    let mut detail = format!(
        "{what}: {} without networkEndpointType: privateEndpoint. The storage account is reached over its public \
         address, which an isolated cluster cannot reach.",
        used.join(" and ")
    );
    if let Some(newest) = failed.iter().max_by_key(|failure| failure.last_seen) {
        detail.push_str(&format!(" {} of {} stands.", newest.reason, newest.object));
    }
    Finding::new(&STORAGE, subject, detail).seen(seen(own, failed)).with_remediation(remediation(own))
}

fn seen(own: &PublicStorage<'_>, failed: &[&StorageFailure]) -> Vec<Observation> {
    let source = |call: KubernetesCall| format!("GET {}", call.path());
    let mut seen = Vec::new();
    if let Some(class) = own.class {
        let value = class.network_endpoint_type.as_deref().unwrap_or("not set");
        let path = format!("parameters.networkEndpointType of {}", class.name);
        seen.push(Observation::new(source(KubernetesCall::STORAGE_CLASSES), path, value));
    }
    if let Some((claims, example)) = own.claims {
        let value = if claims > 1 { format!("{example} and {} more", claims - 1) } else { example.to_owned() };
        seen.push(Observation::new(source(KubernetesCall::CLAIMS), "spec.storageClassName", value));
    }
    if !own.volumes.is_empty() {
        let names = listed(own.volumes.iter().map(|volume| match &volume.server {
            Some(server) => format!("{} ({server})", volume.name),
            None => volume.name.clone(),
        }));
        let path = "spec.csi.volumeAttributes.networkEndpointType not set";
        seen.push(Observation::new(source(KubernetesCall::VOLUMES), path, names));
    }
    if !failed.is_empty() {
        let objects = listed(failed.iter().map(|failure| match failure.last_seen {
            Some(at) => format!("{} {} ({at})", failure.reason, failure.object),
            None => format!("{} {}", failure.reason, failure.object),
        }));
        seen.push(Observation::new(source(KubernetesCall::EVENTS), "reason", objects));
    }
    seen
}

fn remediation(own: &PublicStorage<'_>) -> crate::checks::finding::Remediation {
    let summary = "Create a class with networkEndpointType: privateEndpoint (a class cannot be changed), claim from it \
                   and move the data. A volume that you wrote yourself needs a private endpoint of its storage \
                   account, the zone of it linked to the node network, and in \
                   volumeAttributes the private host as server.";
    let commands = match own.class {
        Some(class) => vec![Command::new("kubectl get storageclass").word(&class.name).with("-o", "yaml")],
        None => vec![Command::new("kubectl get pv").with("-o", "yaml")],
    };
    remedy(RemediationKind::Investigate, summary, commands, DOCS_STORAGE)
}
