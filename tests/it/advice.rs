//! Advice that cannot hurt: what is printed says what it does, comes in an order that breaks nothing, and touches only
//! what the cluster's own chain leads to.

use std::collections::BTreeSet;

use aksiso::answers::cutover::{Goal, ReimagePolicy};
use aksiso::answers::whatif::Effect;
use aksiso::checks::command::{Command, Shell, Undo};
use aksiso::checks::finding::RemediationKind;
use aksiso::checks::impact::Impact;
use aksiso::checks::private_dns;
use aksiso::diagnosis::plan::{Phase, Plan};
use aksiso::evidence::Evidence;
use aksiso::evidence::id::ResourceId;
use serde_json::{Value, json};

use crate::judged::diagnose;
use crate::{fixtures, in_parallel, judged};

/// Everything that a diagnosis prints to be run, with the rule that prints it.
fn commands(evidence: &Evidence) -> Vec<(&'static str, Command)> {
    let findings = diagnose(evidence).findings;
    let all = findings.iter().flat_map(|finding| {
        let remediation = &finding.remediation;
        remediation.commands.iter().chain(&remediation.script).map(|command| (finding.rule.id, command.clone()))
    });
    all.collect()
}

/// The worst that a command may do, told from its words alone.
fn least(command: &Command) -> Impact {
    let words: Vec<&str> = command.words().iter().map(String::as_str).collect();
    let line = command.posix();
    let has = |pair: &str| line.contains(pair);
    let looks = ["show", "list", "list-usage", "get-upgrades", "wait", "describe", "get", "nslookup", "aksiso"];
    if words.contains(&"delete") {
        Impact::Deletes
    } else if ["enabled false", "--outbound-type none", "remove-record"].iter().any(|pair| has(pair)) {
        Impact::CutsTraffic
    } else if ["nodepool upgrade", "aks upgrade", "--http-proxy-config", "--network-plugin"]
        .iter()
        .any(|pair| has(pair))
    {
        Impact::RollsNodes
    } else if words.iter().take(6).any(|word| looks.contains(word)) {
        Impact::None
    } else {
        Impact::Access
    }
}

fn fits(name: &str, command: &Command) {
    let (least, said, line) = (least(command), command.impact(), command.posix());
    assert!(said >= least, "{name}: {line} says {}, and is {} at least", said.as_str(), least.as_str());
    assert_eq!(said == Impact::None, least == Impact::None, "{name}: {line} says {}", said.as_str());
    match command.change().map(|change| &change.undo) {
        Some(Undo::Command(undo)) => assert_ne!(undo.posix(), line, "{name}: it undoes itself"),
        Some(Undo::Words(words)) => assert!(!words.is_empty(), "{name}: {line}"),
        None => {}
    }
}

#[test]
fn every_command_says_what_it_does() {
    let mut seen = BTreeSet::new();
    for (name, snapshot) in fixtures::all() {
        let evidence = fixtures::evidence(&snapshot);
        for (rule, command) in commands(&evidence) {
            fits(&format!("{name}: {rule}"), &command);
            seen.insert(command.impact());
        }
        for goal in [Goal::Isolated(None), Goal::Direct] {
            let cutover = judged::cutover(&evidence, goal, ReimagePolicy::Documented);
            if let Some(step) = cutover.now() {
                step.commands.iter().chain(&step.back_commands).for_each(|command| fits(&name, command));
                assert_eq!(Command::worst(&step.verify), Impact::None, "{name}");
            }
        }
        for finding in &diagnose(&evidence).findings {
            let remediation = &finding.remediation;
            let impacts = |commands: &[Command]| commands.iter().map(Command::impact).collect::<Vec<_>>();
            if !remediation.script.is_empty() {
                assert_eq!(impacts(&remediation.commands), impacts(&remediation.script), "{name}: {}", finding.rule.id);
            }
        }
    }
    let usual = [Impact::None, Impact::Access, Impact::RollsNodes, Impact::CutsTraffic, Impact::Deletes];
    assert!(usual.iter().all(|impact| seen.contains(impact)), "{seen:?}");
}

/// Whether a command writes to the registry, or to what stands in a group.
fn writes_to(command: &Command, registry: &ResourceId, group: &str) -> bool {
    let line = command.posix();
    let own = |id: &ResourceId| id.resource_group().is_some_and(|own| own.eq_ignore_ascii_case(group));
    let target = command.change().is_some_and(|change| own(&change.target));
    command.impact() != Impact::None && (target || line.contains(registry.as_str()))
}

/// A managed registry with all that belongs to it is AKS's to repair: it is reconciled, or deleted and reconciled.
#[test]
fn what_aks_owns_is_left_to_aks() {
    let mut seen = BTreeSet::new();
    for (name, snapshot) in fixtures::all() {
        let mut evidence = fixtures::evidence(&snapshot);
        let Some(registry) = evidence.registry_id() else { continue };
        // As it is, or as it would be if AKS had made the registry.
        evidence.cluster.properties.node_resource_group = registry.resource_group().map(str::to_owned);
        let group = registry.resource_group().unwrap_or_default();
        for (rule, command) in commands(&evidence) {
            let line = command.posix();
            let cluster = command.change().is_some_and(|change| evidence.cluster.id.covers(&change.target));
            let mut exempt = ["az acr delete ", "az network private-dns link vnet create "].into_iter();
            let allowed = cluster || exempt.any(|words| line.starts_with(words));
            assert!(allowed || !writes_to(&command, &registry, group), "{name}: {rule} prints {line}");
            seen.insert(rule);
        }
    }
    assert!(seen.len() > 30, "only {seen:?}");
}

#[test]
fn steps_that_only_look_change_nothing() {
    for (name, snapshot) in fixtures::all() {
        let evidence = fixtures::evidence(&snapshot);
        let diagnosis = diagnose(&evidence);
        for finding in diagnosis.findings.iter().filter(|own| own.remediation.kind == RemediationKind::Investigate) {
            let commands = finding.remediation.commands.iter().chain(&finding.remediation.script);
            for command in commands {
                assert_eq!(command.impact(), Impact::None, "{name}: {} prints {}", finding.rule.id, command.posix());
            }
        }
        for step in Plan::of(&diagnosis).steps.iter().filter(|step| step.phase == Phase::Look) {
            assert_eq!(step.impact(), Impact::None, "{name}: {:?}", step.remediation.kind);
        }
    }
}

#[test]
fn nothing_that_hardens_stands_before_what_restores() {
    let mut hardening = 0;
    for (name, snapshot) in fixtures::all() {
        let evidence = fixtures::evidence(&snapshot);
        let plan = Plan::of(&diagnose(&evidence));
        let phases: Vec<Phase> = plan.steps.iter().map(|step| step.phase).collect();
        assert!(phases.is_sorted(), "{name}: {phases:?}");
        for step in &plan.steps {
            let first = step.fixes.first().expect("a finding");
            let hardens = first.rule.hardens.is_some();
            assert_eq!(step.phase == Phase::Harden, hardens, "{name}: {}", first.rule.id);
            // A policy opens no gate.
            let gate = step.gate();
            assert!(gate.is_some() || !hardens, "{name}: {}", first.rule.id);
            assert!(gate.is_none() || step.phase >= Phase::Renew, "{name}: {}", first.rule.id);
            assert!(gate.is_none_or(|gate| gate.posix().contains("--no-config")), "{name}: {}", first.rule.id);
            hardening += usize::from(hardens);
        }
    }
    assert!(hardening > 10, "only {hardening} steps harden");
}

/// A merged step says everything that its findings say.
#[test]
fn merged_steps_keep_every_summary() {
    let mut merged = 0;
    for (name, snapshot) in fixtures::all() {
        let evidence = fixtures::evidence(&snapshot);
        let diagnosis = diagnose(&evidence);
        for step in Plan::of(&diagnosis).steps {
            let said = |finding: &aksiso::checks::finding::Finding| {
                let mut sentences = finding.remediation.summary.split_inclusive(". ").map(str::trim);
                sentences.all(|sentence| step.remediation.summary.contains(sentence))
            };
            let roots: Vec<_> = step.fixes.iter().filter(|finding| finding.caused_by.is_empty()).collect();
            assert!(roots.iter().all(|finding| said(finding)), "{name}: {}", step.remediation.summary);
            merged += usize::from(roots.len() > 1);
        }
    }
    assert!(merged > 3, "only {merged} steps were merged");
}

/// Commands without the rules that print them.
fn lines(evidence: &Evidence) -> Vec<String> {
    commands(evidence).iter().map(|(rule, command)| format!("{rule}: {}", command.posix())).collect()
}

/// A zone of the registry's kind that is a neighbour's: linked to a network of his with the same addresses as the nodes',
/// and holding the records of a registry of his.
fn with_neighbours_zone(snapshot: &Value, group: &str) -> Option<Value> {
    let mut snapshot = snapshot.clone();
    let evidence = &mut snapshot["evidence"];
    let server = evidence.pointer("/registry/registry/known/properties/loginServer")?.as_str()?.to_lowercase();
    let (_, suffix) = server.split_once('.')?;
    let group = format!("/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/{group}/providers");
    let zone = format!("{group}/Microsoft.Network/privateDnsZones/privatelink.{suffix}");
    let network = format!("{group}/Microsoft.Network/virtualNetworks/neighbours-vnet");
    let own = evidence["network"]["virtualNetworks"].as_object().and_then(|own| own.values().next()).cloned();
    let mut theirs = own.unwrap_or_else(|| json!({ "known": { "properties": {} } }));
    if theirs["known"].is_object() {
        theirs["known"]["id"] = network.clone().into();
        theirs["known"]["properties"]["virtualNetworkPeerings"] = json!([]);
        evidence["network"]["virtualNetworks"][network.clone()] = theirs;
    }
    let properties = json!({ "virtualNetwork": { "id": network }, "virtualNetworkLinkState": "Completed" });
    evidence["network"]["dnsZones"][zone.clone()] = json!({
        "zone": { "known": { "id": zone, "properties": {} } },
        "links": { "known": [{ "id": format!("{zone}/virtualNetworkLinks/l"), "properties": properties }] },
        "records": { "known": [] },
    });
    Some(snapshot)
}

/// Wherever a neighbour's zone of the same name stands in the list, every command stays what it was.
#[test]
fn a_neighbours_zone_changes_no_command() {
    let changed = std::sync::atomic::AtomicUsize::new(0);
    let wrong = std::sync::Mutex::new(Vec::new());
    in_parallel::each(2, fixtures::all().into_iter().collect(), |(name, snapshot): (String, Value)| {
        let evidence = fixtures::evidence(&snapshot);
        let before = lines(&evidence);
        let missing = diagnose(&evidence).findings.iter().any(|finding| finding.is(&private_dns::ZONE_MISSING));
        for group in ["aaa-neighbours", "zzz-neighbours"] {
            let Some(other) = with_neighbours_zone(&snapshot, group) else { continue };
            changed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let after = lines(&fixtures::evidence(&other));
            let touched = after.iter().any(|line| line.contains("neighbours"));
            // Where there was no zone at all, now there is one.
            if touched || (after != before && !missing) {
                let text = format!("{name}, {group}:\n  {}\n  {}", before.join("\n  "), after.join("\n  "));
                wrong.lock().expect("a lock").push(text);
            }
        }
    });
    let wrong = wrong.into_inner().expect("a lock");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(changed.into_inner() > 300);
}

/// Anybody's connections to the registry, in whatever state: nobody's is approved, deleted or written to but the nodes'.
#[test]
fn a_neighbours_endpoint_is_left_alone() {
    const GROUP: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/neighbours/providers";
    let mut changed = 0;
    for (name, snapshot) in fixtures::all() {
        for state in ["Pending", "Rejected", "Disconnected"] {
            let mut snapshot = snapshot.clone();
            let evidence = &mut snapshot["evidence"];
            let registry = evidence["registry"]["registry"]["known"]["id"].as_str().unwrap_or_default().to_owned();
            let connections = "/registry/registry/known/properties/privateEndpointConnections";
            let Some(connections) = evidence.pointer_mut(connections).and_then(Value::as_array_mut) else { continue };
            let endpoint = format!("{GROUP}/Microsoft.Network/privateEndpoints/neighbours-pe");
            let status = json!({ "status": state });
            connections.insert(
                0,
                json!({ "id": format!("{registry}/privateEndpointConnections/neighbours.1"), "properties": {
                    "privateEndpoint": { "id": endpoint }, "privateLinkServiceConnectionState": status } }),
            );
            let subnet = format!("{GROUP}/Microsoft.Network/virtualNetworks/neighbours-vnet/subnets/s");
            let theirs = json!({ "id": endpoint, "properties": {
                "provisioningState": "Succeeded", "subnet": { "id": subnet },
                "privateLinkServiceConnections": [{ "properties": { "privateLinkServiceId": registry,
                    "groupIds": ["registry"], "privateLinkServiceConnectionState": status } }] } });
            let facts = json!({ "endpoint": { "known": theirs }, "zoneGroups": { "known": [] }, "interfaces": {} });
            evidence["network"]["privateEndpoints"][endpoint] = facts;
            changed += 1;
            let after = lines(&fixtures::evidence(&snapshot));
            let touched: Vec<&String> = after.iter().filter(|line| line.contains("neighbours")).collect();
            assert!(touched.is_empty(), "{name}, {state}: {touched:#?}");
        }
    }
    assert!(changed > 300, "only {changed} were changed");
}

/// Two zones of one name: the one that holds the registry's right addresses is linked, whatever it is called; of two
/// that cannot be told apart none is, and both are listed whole.
#[test]
fn the_zone_with_the_registrys_records_is_linked() {
    let snapshot = fixtures::named("cases/dns-zone-not-linked");
    let own = "/resourceGroups/net-rg/providers/Microsoft.Network/privateDnsZones";
    for group in ["aaa-neighbours", "zzz-neighbours"] {
        let mut other = with_neighbours_zone(&snapshot, group).expect("a zone");
        let zones = other["evidence"]["network"]["dnsZones"].as_object_mut().expect("zones");
        let (_, ours) = zones.iter().find(|(id, _)| id.contains(own)).expect("our zone");
        let mut records = ours["records"].clone();
        let theirs = zones.iter_mut().find(|(id, _)| id.contains(group)).expect("their zone").1;
        theirs["records"] = records.clone();
        let both = lines(&fixtures::evidence(&other));
        assert!(!both.iter().any(|line| line.contains("link vnet create")), "{both:#?}");
        let report = judged::report(&fixtures::evidence(&other));
        let finding = report.findings.iter().find(|own| own.rule == private_dns::NOT_LINKED.id).expect("a finding");
        let table = judged::details(&report);
        for zone in [own, group] {
            assert!(finding.remediation.summary.contains(zone), "{}", finding.remediation.summary);
            assert!(table.contains(&format!("resourceGroups/{}", zone.split('/').nth(2).unwrap_or(zone))), "{table}");
        }

        for record in records["known"].as_array_mut().expect("records") {
            record["properties"]["aRecords"] = json!([{ "ipv4Address": "10.200.0.9" }]);
        }
        let zones = other["evidence"]["network"]["dnsZones"].as_object_mut().expect("zones");
        zones.iter_mut().find(|(id, _)| id.contains(group)).expect("their zone").1["records"] = records;
        let right = lines(&fixtures::evidence(&other));
        let link = right.iter().find(|line| line.contains("link vnet create")).expect("a link");
        assert!(link.contains("-g net-rg"), "{link}");
    }
}

/// Does to the evidence what a printed command would do in Azure; `false` where the simulation does not know it.
fn simulate(evidence: &mut Value, command: &Command) -> bool {
    let words: Vec<&str> = command.words().iter().map(String::as_str).collect();
    let after = |option: &str| words.iter().position(|word| *word == option).and_then(|at| words.get(at + 1)).copied();
    let registry = evidence["registry"]["registry"]["known"]["properties"].clone();
    if registry.is_null() {
        return false;
    }
    let set = |evidence: &mut Value, field: &str, value: Value| {
        evidence["registry"]["registry"]["known"]["properties"][field] = value;
        true
    };
    match words.as_slice() {
        ["az", "acr", "update", ..] if after("--anonymous-pull-enabled").is_some() => {
            set(evidence, "anonymousPullEnabled", json!(after("--anonymous-pull-enabled") == Some("true")))
        }
        ["az", "acr", "update", ..] if after("--public-network-enabled") == Some("false") => {
            set(evidence, "publicNetworkAccess", json!("Disabled"))
        }
        ["az", "role", "assignment", "create", ..] => {
            let role = "/subscriptions/11111111-2222-3333-4444-555555555555/providers/Microsoft.Authorization/roleDefinitions/simulated";
            let scope = after("--scope").unwrap_or_default();
            let actions = ["Microsoft.ContainerRegistry/registries/pull/read"];
            let data = [
                "Microsoft.ContainerRegistry/registries/repositories/content/read",
                "Microsoft.ContainerRegistry/registries/repositories/metadata/read",
            ];
            let block = if after("--role") == Some("AcrPull") {
                json!({ "actions": actions })
            } else {
                json!({ "dataActions": data })
            };
            let definition =
                json!({ "id": role, "properties": { "roleName": after("--role"), "permissions": [block] } });
            evidence["access"]["roleDefinitions"][role] = json!({ "known": definition });
            let Some(list) = evidence.pointer_mut("/access/roleAssignments/known").and_then(Value::as_array_mut) else {
                return false;
            };
            list.push(json!({ "id": format!("{scope}/providers/Microsoft.Authorization/roleAssignments/simulated"), "properties": {
                "roleDefinitionId": role, "principalId": after("--assignee-object-id"), "principalType": "ServicePrincipal", "scope": scope } }));
            true
        }
        ["az", "network", "private-dns", "record-set", "a", verb, ..] => {
            let (zone, label, address) =
                (after("-z").unwrap_or_default(), after("-n").unwrap_or_default(), after("-a"));
            let group = format!("/resourcegroups/{}/", after("-g").unwrap_or_default().to_lowercase());
            let zones = evidence["network"]["dnsZones"].as_object_mut().expect("zones");
            let fits =
                |id: &str| id.to_lowercase().contains(&group) && id.to_lowercase().ends_with(&zone.to_lowercase());
            let Some((id, facts)) = zones.iter_mut().find(|(id, _)| fits(id)) else { return false };
            let Some(records) = facts["records"]["known"].as_array_mut() else { return false };
            let suffix = format!("/A/{label}").to_lowercase();
            if !records.iter().any(|own| own["id"].as_str().is_some_and(|own| own.to_lowercase().ends_with(&suffix))) {
                records.push(json!({ "id": format!("{id}/A/{label}"), "properties": { "aRecords": [] } }));
            }
            let record = records
                .iter_mut()
                .find(|own| own["id"].as_str().is_some_and(|own| own.to_lowercase().ends_with(&suffix)));
            let Some(addresses) = record.and_then(|own| own["properties"]["aRecords"].as_array_mut()) else {
                return false;
            };
            addresses.retain(|own| own["ipv4Address"].as_str() != address);
            if *verb == "add-record" {
                addresses.push(json!({ "ipv4Address": address }));
            }
            true
        }
        ["az", "network", "private-dns", "link", "vnet", "create", ..] => {
            let group = format!("/resourcegroups/{}/", after("-g").unwrap_or_default().to_lowercase());
            let zones = evidence["network"]["dnsZones"].as_object_mut().expect("zones");
            let Some((id, facts)) = zones.iter_mut().find(|(id, _)| id.to_lowercase().contains(&group)) else {
                return false;
            };
            let link = json!({ "id": format!("{id}/virtualNetworkLinks/simulated"), "properties": {
                "virtualNetwork": { "id": after("-v") }, "virtualNetworkLinkState": "Completed" } });
            let Some(links) = facts["links"]["known"].as_array_mut() else { return false };
            links.push(link);
            true
        }
        ["az", "acr", "cache", "create", ..] => {
            let id = evidence["registry"]["registry"]["known"]["id"].as_str().unwrap_or_default().to_owned();
            let rule = json!({ "id": format!("{id}/cacheRules/{}", after("-n").unwrap_or_default()), "properties": {
                "sourceRepository": after("-s"), "targetRepository": after("-t"), "provisioningState": "Succeeded" } });
            let Some(rules) = evidence.pointer_mut("/registry/cacheRules/known").and_then(Value::as_array_mut) else {
                return false;
            };
            rules.push(rule);
            true
        }
        _ => false,
    }
}

/// Plans that are followed step by step: what could be pulled before a step can be pulled after it, and what the plan
/// restores comes back before anything is closed.
#[test]
fn following_a_plan_never_stops_a_pull() {
    let simulated = std::sync::atomic::AtomicUsize::new(0);
    let wrong = std::sync::Mutex::new(Vec::new());
    in_parallel::each(2, fixtures::all().into_iter().collect(), |(name, mut snapshot): (String, Value)| {
        let first = fixtures::evidence(&snapshot);
        for step in Plan::of(&diagnose(&first)).steps {
            // What deletes says that pulls fail until it is made again.
            if step.impact() == Impact::Deletes {
                continue;
            }
            let before = fixtures::evidence(&snapshot);
            let mut known = 0;
            for command in &step.remediation.commands {
                known += usize::from(simulate(&mut snapshot["evidence"], command));
            }
            if known == 0 {
                continue;
            }
            simulated.fetch_add(known, std::sync::atomic::Ordering::Relaxed);
            let after = fixtures::evidence(&snapshot);
            let effect = Effect::of(&diagnose(&before), &diagnose(&after), &[]);
            if !effect.stops.is_empty() {
                let stopped: Vec<&str> = effect.stops.iter().map(|moved| moved.image.as_str()).collect();
                let kind = step.remediation.kind.as_str();
                wrong.lock().expect("a lock").push(format!("{name}: {kind} stops {stopped:?}"));
            }
        }
    });
    let wrong = wrong.into_inner().expect("a lock");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(simulated.into_inner() > 60);
}

/// A lock is said beside the step that it refuses, and so is that locks could not be read; neither is a finding or a gap.
#[test]
fn locks_are_said_beside_the_step() {
    let locks = |name: &str| {
        let report = judged::report(&fixtures::evidence(&fixtures::named(name)));
        assert!(report.checks.iter().all(|check| check.gaps.is_empty()), "{name}");
        let locks = report.plan.iter().flat_map(|step| step.locks.clone()).collect::<Vec<String>>();
        assert!(locks.iter().all(|lock| judged::details(&report).contains(&lock[..20])), "{name}");
        locks
    };
    let locked = locks("cases/step-locked");
    assert_eq!(locked.len(), 1, "{locked:?}");
    assert!(locked[0].starts_with("Lock keep (CanNotDelete)"), "{locked:?}");
    assert_eq!(locks("cases/step-locks-forbidden").len(), 1);
    assert_eq!(locks("cases/cache-rule-mismatch"), [""; 0]);
}

/// Every plan is a script that sh can read, and that shellcheck has nothing to say about where it is installed.
#[cfg(unix)]
#[test]
fn every_plan_is_a_clean_script() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut files = Vec::new();
    for (name, snapshot) in fixtures::all() {
        let file = folder.path().join(name.replace('/', "-") + ".sh");
        let plan = Plan::of(&diagnose(&fixtures::evidence(&snapshot)));
        std::fs::write(&file, aksiso::report::script::render(&plan, Shell::Posix)).expect("written");
        let read = std::process::Command::new("sh").arg("-n").arg(&file).output().expect("a shell");
        assert!(read.status.success(), "{name}: {}", String::from_utf8_lossy(&read.stderr));
        files.push(file);
    }
    if let Ok(said) = std::process::Command::new("shellcheck").args(&files).output() {
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
    }
}
