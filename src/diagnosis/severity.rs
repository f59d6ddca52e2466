//! What findings say of each other's severity, and of what a 403 means.

use super::causes::ENDPOINT_AND_DNS;
use super::links::{proving_stale, same_pool};
use crate::checks::finding::Finding;
use crate::checks::image_pulls::{self, rules as pulls};
use crate::checks::judge::Outcome;
use crate::checks::rule::Severity;
use crate::checks::{bootstrap_profile, node_bootstrap, node_image, outbound, registry};
use crate::evidence::Evidence;
use crate::evidence::image::Image;
use crate::model::bootstrap_code::Fault;
use crate::model::message::{Host, Kind};

/// A suspicion about the way to the registry is confirmed by a pull or bootstrap that failed on that way.
pub(super) fn confirm(outcomes: &mut [Outcome]) {
    let mut all = outcomes.iter().flat_map(|outcome| &outcome.findings);
    if !all.any(|finding| finding.is(&pulls::NETWORK_FAILURE) || finding.facts.fault == Some(Fault::Network)) {
        return;
    }
    for outcome in outcomes {
        for suspicion in std::mem::take(&mut outcome.suspicions) {
            outcome.gaps.retain(|gap| *gap != suspicion.gap);
            outcome.findings.push(suspicion.finding);
        }
    }
}

/// Nodes that are only older than the registry may be proved stale by what they pull.
pub(super) fn prove(findings: &mut [Finding], evidence: &Evidence) {
    if !evidence.egress_closed() {
        return;
    }
    let proved: Vec<_> = proving_stale(findings, evidence).flat_map(|finding| finding.caused_by.clone()).collect();
    for finding in findings.iter_mut().filter(|finding| finding.is(&node_image::NOT_REIMAGED)) {
        if proved.contains(&finding.fingerprint()) {
            finding.severity = Severity::Error;
        }
    }
}

/// What other findings say of a finding's severity.
pub(super) fn escalate(findings: &mut [Finding]) {
    let has = |rules: &[&_]| findings.iter().any(|finding| finding.rule.is_one_of(rules));
    let failed_by = |fault| findings.iter().any(|finding| finding.facts.fault == Some(fault));
    let bootstrap = findings.iter().any(|finding| *finding.check == node_bootstrap::CHECK.about);
    let unfilled = findings.iter().any(is_pull_of_microsoft) || failed_by(Fault::Artifact);
    let proxied = has(&[&pulls::FORBIDDEN, &pulls::NETWORK_FAILURE]) || failed_by(Fault::Network);
    let unresolved = has(&[&pulls::DNS_FAILURE, &pulls::FORBIDDEN, &pulls::LAYER_FAILED, &pulls::NETWORK_FAILURE])
        || failed_by(Fault::Network);
    let public = has(ENDPOINT_AND_DNS);
    for finding in findings {
        let worse = finding.is(&bootstrap_profile::FAILED) && bootstrap
            || finding.is(&registry::TRUSTED_SERVICES) && unfilled
            || finding.is(&outbound::PROXY) && proxied
            || finding.facts.unsure && unresolved;
        if worse {
            finding.severity = Severity::Error;
        }
        // A 403 from the registry means its firewall only where the registry is reached over its public address.
        if finding.is(&pulls::FAILED) && public && is_refusal_of_the_registry(finding) {
            finding.rule = &pulls::FORBIDDEN;
        }
    }
}

/// An image that is known to be bad is an error where a failed bootstrap or pull stands in its pool.
pub(super) fn escalate_images(findings: &mut [Finding], evidence: &Evidence) {
    let is_sign = |finding: &&Finding| finding.facts.exit_code.is_some() || *finding.check == image_pulls::CHECK.about;
    let signs: Vec<Finding> = findings.iter().filter(is_sign).cloned().collect();
    for finding in findings.iter_mut().filter(|finding| finding.is(&node_image::KNOWN_BAD)) {
        if signs.iter().any(|sign| same_pool(finding, sign, evidence)) {
            finding.severity = Severity::Error;
        }
    }
}

fn is_refusal_of_the_registry(finding: &Finding) -> bool {
    let message = finding.facts.message.as_ref();
    message.is_some_and(|message| {
        message.kind == Kind::Forbidden && matches!(message.host, Host::Registry | Host::Unnamed)
    })
}

fn is_pull_of_microsoft(finding: &Finding) -> bool {
    let image = finding.subject.reference().and_then(Image::parse);
    *finding.check == image_pulls::CHECK.about && image.is_some_and(|image| image.is_microsoft())
}
