//! The laws of the checks, each a test.

use std::collections::{BTreeMap, BTreeSet};

use aksiso::answers;
use aksiso::checks::catalogue;
use aksiso::checks::check::Check;
use aksiso::checks::finding::Fingerprint;
use aksiso::checks::judge::Outcome;
use aksiso::checks::node_view;
use aksiso::checks::rule::Severity;
use aksiso::diagnosis::drains;
use aksiso::diagnosis::plan::Plan;
use aksiso::diagnosis::{Diagnosis, Status, Verdict};
use aksiso::evidence::{Evidence, Section};

use crate::fixtures;
use crate::judged::diagnose;

fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort();
    items
}

#[test]
fn rule_names_are_unique_kebab_case_and_belong_to_one_check() {
    let mut seen = BTreeSet::new();
    for check in answers::rule_sets() {
        for name in std::iter::once(check.id).chain(check.rules.iter().map(|rule| rule.id)) {
            let kebab = name
                .split('-')
                .all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()));
            assert!(kebab, "{name} is not kebab-case");
            assert!(seen.insert(name), "{name} is used twice");
        }
    }
}

/// Names that a release had and that are gone. A name is only ever added here: whoever keyed a ticket on it must not meet
/// another rule under it.
const RETIRED: [&str; 1] = ["registry-not-zone-redundant"];

#[test]
fn a_retired_name_is_never_used_again() {
    let listed: Vec<&str> = catalogue::RETIRED.iter().map(|(name, _)| *name).collect();
    assert_eq!(listed, RETIRED, "the program knows each of them, to tell whoever still uses it");
    for check in answers::rule_sets() {
        for name in std::iter::once(check.id).chain(check.rules.iter().map(|rule| rule.id)) {
            assert!(!RETIRED.contains(&name), "{name} was retired");
        }
    }
}

#[test]
fn every_page_in_the_folder_belongs_to_a_registered_check() {
    let pages = ["src/checks", "src/answers"].iter().flat_map(|folder| {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").file_name())
    });
    let pages = pages.filter_map(|name| name.to_str()?.strip_suffix(".md").map(str::to_owned));
    assert_eq!(sorted(pages), sorted(answers::rule_sets().map(|check| check.id.to_owned())));
}

/// Every check runs on every case, and what it finds there is compared whole.
#[test]
fn every_case_reports_exactly_what_it_says() {
    let mut wrong = Vec::new();
    for (name, path) in fixtures::files("cases") {
        let (case, snapshot) = fixtures::case(&path);
        assert!(case.about.ends_with('.'), "{name}: say in a sentence what it is about");
        let evidence = fixtures::evidence(&snapshot);
        let diagnosis = diagnose(&evidence);
        let found = diagnosis.findings.iter().map(|finding| {
            format!("{} {} {}", finding.rule.id, finding.severity.as_str(), finding.remediation.kind.as_str())
        });
        let gaps =
            diagnosis.checks.iter().filter(|judged| !judged.gaps.is_empty()).map(|judged| judged.check.id.to_owned());
        let absent = diagnosis
            .checks
            .iter()
            .filter(|judged| judged.status == Status::NotApplicable)
            // Without a probe file the node's view never applies: no case needs to say so.
            .filter(|judged| !(evidence.probes.is_empty() && *judged.check == node_view::CHECK.about))
            .map(|judged| judged.check.id.to_owned());
        let named: BTreeMap<_, _> =
            diagnosis.findings.iter().map(|finding| (finding.fingerprint(), finding.rule.id)).collect();
        let edges = diagnosis.findings.iter().flat_map(|symptom| {
            symptom.caused_by.iter().map(|cause| format!("{} <- {}", symptom.rule.id, named[cause]))
        });
        let (edges, causes) = (sorted(edges), sorted(case.causes.clone()));
        if edges != causes {
            wrong.push(format!("{name}: causes\n  found    {edges:?}\n  expected {causes:?}"));
        }
        let (found, gaps, absent) = (sorted(found), sorted(gaps), sorted(absent));
        let (expect, undetermined, not_applicable) =
            (sorted(case.expect), sorted(case.undetermined), sorted(case.not_applicable));
        if (&found, &gaps, &absent) != (&expect, &undetermined, &not_applicable) {
            wrong.push(format!("{name} ({}):\n  found    {found:?} gaps {gaps:?} n/a {absent:?}\n  expected {expect:?} gaps {undetermined:?} n/a {not_applicable:?}", case.about));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn healthy_clusters_stay_silent() {
    for name in fixtures::files("healthy").into_keys() {
        let evidence = fixtures::healthy(&name);
        let diagnosis = diagnose(&evidence);
        let loud: Vec<&str> = diagnosis
            .findings
            .iter()
            .filter(|finding| finding.severity > Severity::Info)
            .map(|finding| finding.rule.id)
            .collect();
        let unseen: Vec<String> =
            diagnosis.checks.iter().flat_map(|judged| &judged.gaps).map(|gap| gap.detail.clone()).collect();
        assert!(loud.is_empty() && unseen.is_empty(), "{name}: {loud:?} {unseen:?}");
        assert_eq!(diagnosis.verdict(), Verdict::Healthy, "{name}");
    }
}

#[test]
fn every_rule_fires_in_a_case() {
    let mut fired = BTreeSet::new();
    for (_, path) in fixtures::files("cases") {
        let (_, snapshot) = fixtures::case(&path);
        let evidence = fixtures::evidence(&snapshot);
        fired.extend(diagnose(&evidence).findings.iter().map(|finding| finding.rule.id));
    }
    let rules = catalogue::ALL.iter().flat_map(|check| check.about.rules).map(|rule| rule.id);
    let silent: Vec<&str> = rules.filter(|rule| !fired.contains(rule)).collect();
    assert!(silent.is_empty(), "rules that fire in no case: {silent:?}");
}

/// Everything that is judged: a remediation may fill in an id from wherever it is known, and a placeholder elsewhere.
fn judgement(outcome: &Outcome) -> impl PartialEq + std::fmt::Debug + use<'_> {
    let findings = outcome.findings.iter().map(|finding| {
        (
            finding.rule.id,
            finding.severity,
            &finding.subject,
            &finding.detail,
            &finding.evidence,
            finding.remediation.kind,
        )
    });
    (findings.collect::<Vec<_>>(), &outcome.gaps, &outcome.not_applicable)
}

/// What a check says by itself, with what its own findings lead to.
fn outcome(check: &'static Check, evidence: &Evidence) -> Outcome {
    let mut all = [check.judge(evidence)];
    drains::judge(&mut all, evidence);
    let [own] = all;
    own
}

/// A section that a check does not declare must not change what it says; one that it declares must, somewhere, be
/// missed; and blanking never turns anything into *passed*.
#[test]
fn declared_sections_are_those_that_are_used() {
    let mut missed: BTreeMap<(&str, String), bool> = BTreeMap::new();
    for (name, snapshot) in fixtures::all() {
        let evidence = fixtures::evidence(&snapshot);
        let whole: Vec<_> = catalogue::ALL.iter().map(|check| (check, outcome(check, &evidence))).collect();
        for section in Section::ALL {
            let mut blanked = evidence.clone();
            section.blank(&mut blanked);
            for (check, before) in &whole {
                let after = outcome(check, &blanked);
                if !check.needs.contains(&section) {
                    assert_eq!(
                        judgement(before),
                        judgement(&after),
                        "{name}: {} reads {section:?} without declaring it",
                        check.about.id
                    );
                    continue;
                }
                let undetermined =
                    after.gaps.len() > before.gaps.len() || after.gaps.iter().any(|gap| !before.gaps.contains(gap));
                *missed.entry((check.about.id, format!("{section:?}"))).or_default() |= undetermined;
                let lost = before
                    .findings
                    .iter()
                    .any(|finding| finding.severity > Severity::Info && !after.findings.contains(finding));
                let passes = after.gaps.is_empty()
                    && after.not_applicable.is_none()
                    && after.findings.iter().all(|finding| finding.severity == Severity::Info);
                assert!(!(lost && passes), "{name}: {} passes without {section:?}", check.about.id);
            }
        }
    }
    let unused: Vec<_> = missed.iter().filter(|(_, missed)| !**missed).map(|(key, _)| key).collect();
    assert!(unused.is_empty(), "declared, but nowhere missed: {unused:?}");
}

#[test]
fn errors_and_warnings_have_evidence_and_every_remediation_a_source() {
    for (name, snapshot) in fixtures::all() {
        let evidence = fixtures::evidence(&snapshot);
        for finding in &diagnose(&evidence).findings {
            assert!(!finding.evidence.is_empty(), "{name}: {} has no evidence", finding.rule.id);
            assert!(finding.remediation.docs.starts_with("https://learn.microsoft.com/"), "{name}");
            assert!(finding.remediation.summary.len() > 10, "{name}: {} has no remediation", finding.rule.id);
        }
    }
}

/// On a managed registry AKS owns everything: no command writes to it, but for the documented deletion.
#[test]
fn nothing_that_aks_owns_is_written_to() {
    for (name, snapshot) in fixtures::all() {
        let evidence = fixtures::evidence(&snapshot);
        if evidence.ownership() != aksiso::model::cluster::Ownership::Managed {
            continue;
        }
        for finding in &diagnose(&evidence).findings {
            for command in finding.remediation.commands.iter().chain(&finding.remediation.script) {
                let line = command.posix();
                let ours = line.starts_with("az aks ")
                    || line.starts_with("az resource update --ids")
                    || line.starts_with("az acr delete ")
                    || line.starts_with("kubectl delete nodeclaims")
                    || line.starts_with("kubectl ") && command.change().is_none();
                assert!(ours, "{name}: {} prints {line}", finding.rule.id);
            }
        }
    }
}

/// Both flags or none: the id alone is ignored, and `Cache` alone writes the id of the operator's registry as null.
#[test]
fn bootstrap_flags_come_together() {
    for (name, snapshot) in fixtures::all() {
        let evidence = fixtures::evidence(&snapshot);
        let byo = evidence.ownership() == aksiso::model::cluster::Ownership::Byo;
        for finding in &diagnose(&evidence).findings {
            for command in finding.remediation.commands.iter().chain(&finding.remediation.script) {
                let has = |word: &str| command.words().iter().any(|own| own == word);
                let (source, registry) =
                    (has("--bootstrap-artifact-source"), has("--bootstrap-container-registry-resource-id"));
                assert!(!registry || source, "{name}: {}", command.posix());
                assert!(!(byo && source) || registry, "{name}: {}", command.posix());
            }
        }
    }
}

#[test]
fn evidence_survives_json() {
    for (name, snapshot) in fixtures::all() {
        let mut evidence = fixtures::evidence(&snapshot);
        let text = aksiso::evidence::snapshot::render(&evidence).expect("JSON");
        let again = aksiso::evidence::snapshot::read_from(text.as_bytes(), "again").expect("a snapshot");
        // The pools stand in the evidence in their own place, and are not written twice.
        evidence.cluster.properties.agent_pool_profiles = None;
        assert!(evidence == again, "{name}");
    }
}

#[test]
fn fingerprints_depend_on_rule_and_subject_only() {
    let evidence = fixtures::healthy("byo");
    let (_, snapshot) = fixtures::case(&fixtures::folder().join("cases/three-faults.json"));
    let faulty = fixtures::evidence(&snapshot);
    let mut later = faulty.clone();
    later.collected_at = "2027-01-01T00:00:00Z".parse().expect("a date");
    later.cluster.id = aksiso::evidence::id::ResourceId::new(later.cluster.id.as_str().to_uppercase());
    let prints = |evidence: &Evidence| {
        diagnose(evidence).findings.iter().map(aksiso::checks::finding::Finding::fingerprint).collect::<Vec<_>>()
    };
    assert_eq!(prints(&faulty), prints(&later));
    assert_eq!(prints(&faulty).iter().collect::<BTreeSet<_>>().len(), 5);
    assert!(prints(&evidence).is_empty());
    // A ticket that was opened years ago must still be found: this value never changes.
    let first = diagnose(&faulty)
        .findings
        .iter()
        .find(|finding| finding.rule.id == "acrpull-missing")
        .map(aksiso::checks::finding::Finding::fingerprint);
    assert_eq!(first.as_ref().map(Fingerprint::as_str), Some("77bc64b06d8ae9e4bb14c087fc3b8495"));
}

#[test]
fn rules_are_found_by_name_with_their_part_of_the_page() {
    for set in answers::rule_sets() {
        for rule in set.rules {
            let (owner, found) = answers::rule_named(rule.id).expect("registered");
            assert_eq!((owner.id, found.id), (set.id, rule.id));
        }
    }
    assert!(answers::rule_named("no-such-rule").is_none());
}

/// Old events, jobs that ended, endpoints and zones of others, other cache rules, images of other registries: on no kind
/// of healthy cluster does any of it fire.
#[test]
fn noise_changes_nothing() {
    for name in fixtures::files("healthy").into_keys() {
        let quiet = fixtures::healthy(&name);
        let noisy = fixtures::evidence(&with_noise(fixtures::healthy_json(&name)));
        let (quiet, noisy) = (diagnose(&quiet), diagnose(&noisy));
        let rules = |diagnosis: &Diagnosis<'_>| {
            diagnosis.findings.iter().map(|finding| (finding.rule.id, finding.severity)).collect::<Vec<_>>()
        };
        assert_eq!(rules(&quiet), rules(&noisy), "{name}");
        assert_eq!(noisy.verdict(), Verdict::Healthy, "{name}");
    }
}

fn with_noise(mut snapshot: serde_json::Value) -> serde_json::Value {
    use serde_json::json;
    let evidence = &mut snapshot["evidence"];
    let registry = evidence["cluster"]["properties"]["bootstrapProfile"]["containerRegistryId"]
        .as_str()
        .expect("a registry")
        .to_owned();
    let rule = |name: &str, source: &str, target: &str| json!({ "id": format!("{registry}/cacheRules/{name}"), "properties": { "sourceRepository": source, "targetRepository": target, "provisioningState": "Succeeded" } });
    let rules = evidence["registry"]["cacheRules"]["known"].as_array_mut().expect("rules");
    rules.extend([
        rule("n1", "quay.io/*", "quay/*"),
        rule("n2", "mcr.microsoft.com/dotnet/*", "dotnet/*"),
        rule("n3", "mcr.microsoft.com/oss/a", "aks-managed-repository/oss/a"),
    ]);
    let foreign = "/subscriptions/99990000-7777-7777-7777-777777777777/resourceGroups/p/providers/Microsoft.Network/privateEndpoints/theirs";
    let connection = |state: &str| json!({ "id": format!("{registry}/privateEndpointConnections/noise-{state}"), "properties": { "privateEndpoint": { "id": format!("{foreign}-{state}") }, "privateLinkServiceConnectionState": { "status": state } } });
    let connections = evidence["registry"]["registry"]["known"]["properties"]["privateEndpointConnections"]
        .as_array_mut()
        .expect("connections");
    connections.extend([connection("Approved"), connection("Pending"), connection("Rejected")]);
    let refused = json!({ "missing": { "reason": "forbidden", "detail": "403" } });
    evidence["network"]["privateEndpoints"][format!("{foreign}-Approved")] =
        json!({ "endpoint": refused, "zoneGroups": refused, "interfaces": {} });
    let zone = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/noise/providers/Microsoft.Network/privateDnsZones/privatelink.azurecr.io";
    evidence["network"]["dnsZones"][zone] = json!({ "zone": { "known": { "id": zone, "properties": {} } }, "links": { "known": [] }, "records": { "known": [] } });
    if let Some(failures) =
        evidence.pointer_mut("/kubernetes/mirrorFailures/known").and_then(serde_json::Value::as_array_mut)
    {
        failures.push(json!({ "node": "aks-system-11112222-vmss000000", "host": "long-gone.azurecr.io", "lastSeen": "2025-01-01T00:00:00Z" }));
        failures.push(
            json!({ "node": "some-other-node", "host": "long-gone.azurecr.io", "lastSeen": "2026-11-20T11:00:00Z" }),
        );
    }
    if let Some(used) = evidence.pointer_mut("/kubernetes/images/known/used").and_then(serde_json::Value::as_array_mut)
    {
        used.push(json!({ "image": "artifacts.contoso.com:5000/a/b@sha256:0000000000000000000000000000000000000000000000000000000000000000", "containers": 1, "example": "a/b" }));
        used.push(json!({ "image": "10.0.0.9:5000/x", "containers": 1, "example": "a/c" }));
        used.push(json!({ "image": "otherteam.azurecr.io/x:1", "containers": 1, "example": "a/d" }));
    }
    snapshot
}

/// `cutover` alone has seen what must be true before egress is closed.
#[test]
fn no_finding_closes_egress() {
    for (name, snapshot) in fixtures::all() {
        for finding in &diagnose(&fixtures::evidence(&snapshot)).findings {
            for command in finding.remediation.commands.iter().chain(&finding.remediation.script) {
                let closes = command.words().iter().any(|word| word == "--outbound-type");
                assert!(!closes, "{name}: {} prints {}", finding.rule.id, command.posix());
            }
        }
    }
}

/// First what restores, then what looks, then what hardens; in each registry, rule, endpoint, zone, record, role,
/// reconcile, reimage.
#[test]
fn plans_keep_their_order_and_leave_nothing_out() {
    const ORDER: [&str; 16] = [
        "update-registry",
        "delete-registry-and-reconcile",
        "recreate-cache-rule",
        "fix-upstream-credentials",
        "approve-private-endpoint",
        "create-private-endpoint",
        "create-dns-zone",
        "link-dns-zone",
        "create-dns-record",
        "assign-role",
        "reconcile",
        "update-cluster",
        "reimage",
        "upgrade-node-image",
        "rewrite-image",
        "investigate",
    ];
    for (name, snapshot) in fixtures::all() {
        let evidence = fixtures::evidence(&snapshot);
        let diagnosis = diagnose(&evidence);
        let steps = Plan::of(&diagnosis).steps;
        let place = |kind: &str| ORDER.iter().position(|known| *known == kind).expect("a known kind");
        let places: Vec<_> = steps.iter().map(|step| (step.phase, place(step.remediation.kind.as_str()))).collect();
        assert!(places.is_sorted(), "{name}: {places:?}");
        for finding in diagnosis.findings.iter().filter(|finding| finding.severity > Severity::Info) {
            assert!(
                steps.iter().any(|step| step.fixes.iter().any(|mended| mended.fingerprint() == finding.fingerprint())),
                "{name}: {} is in no step",
                finding.rule.id
            );
        }
        let commands: Vec<String> = steps
            .iter()
            .flat_map(|step| &step.remediation.commands)
            .map(aksiso::checks::command::Command::posix)
            .collect();
        let reconciles =
            commands.iter().filter(|line| line.starts_with("az aks update") && line.matches(" -").count() == 3).count();
        assert!(reconciles <= 2, "{name}: {commands:#?}");
    }
}
