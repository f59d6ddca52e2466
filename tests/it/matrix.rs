//! The fault matrix: every call that a run makes, to Entra ID, ARM and Kubernetes, times every way in which it can fail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use aksiso::checks::catalogue;
use aksiso::evidence::calls::azure as api;
use aksiso::evidence::calls::kubernetes::KubernetesCall;
use aksiso::report::permissions::Permissions;
use serde_json::Value;

use crate::server::Fault;
use crate::site::{Site, report, stderr};
use crate::{fixtures, in_parallel};

/// Fixtures whose runs make every kind of call between them.
pub const FIXTURES: [&str; 13] = [
    // A reimage is recommended, so that budgets matter.
    "cases/drain-blocked",
    "healthy/byo",
    "healthy/machines-pool",
    "healthy/geo-replicated",
    "cases/dns-zone-list-filtered",
    "cases/dns-forwarding-ruleset",
    "cases/private-endpoint-other-network",
    "cases/private-endpoint-missing",
    "cases/node-bootstrap-failed",
    "cases/scale-up-failing-node-claim",
    "cases/node-bootstrap-failed-instance",
    "cases/credential-set-unhealthy",
    "cases/subnet-own-route",
];

const FAULTS: [Fault; 19] = [
    Fault::NoAnswer,
    Fault::SlowBody,
    Fault::Status(401),
    Fault::Status(403),
    Fault::Status(404),
    Fault::Status(409),
    Fault::Status(410),
    Fault::Once(429, 1),
    Fault::RetryAfter(429, 1),
    Fault::RetryAfter(429, 600),
    Fault::Status(500),
    Fault::Status(503),
    Fault::CutBody,
    Fault::Html,
    Fault::WrongTypes,
    Fault::Huge,
    Fault::NextLinkToItself,
    Fault::NextLinkElsewhere,
    Fault::Reset,
];

/// Lists that an ARM without them answers with 404, which is known to be "none".
const MAY_BE_UNKNOWN: [&str; 4] = [
    "Microsoft.ContainerRegistry/registries/privateEndpointConnections/read",
    "Microsoft.Network/dnsForwardingRulesets/read",
    "Microsoft.Network/networkManagers/read",
    "Microsoft.Authorization/permissions/read",
];

/// The permission that a request needs, derived from its path as ARM does.
pub fn permission(method: &str, path: &str) -> Option<String> {
    if path.starts_with("/api") {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let named = |resource: &str| KubernetesCall::ALL.into_iter().find(|known| known.resource == resource);
        return parts.iter().find_map(|part| named(part)).map(KubernetesCall::words);
    }
    let (_, tail) = path.rsplit_once("/providers/")?;
    let mut parts = tail.split('/');
    let namespace = parts.next()?;
    let types: Vec<&str> = parts.step_by(2).collect();
    let verb = if method == "POST" { "action" } else { "read" };
    let action = format!("{namespace}/{}/{verb}", types.join("/"));
    api::ALL.iter().find(|api| api.action.eq_ignore_ascii_case(&action)).map(|api| api.action.to_owned())
}

/// The checks that see less without a permission.
fn losers(needed: &str) -> BTreeSet<String> {
    let all = Permissions::of(catalogue::ALL);
    let azure = all.azure.into_iter().filter(|(api, _)| api.action == needed).flat_map(|(_, checks)| checks);
    let kubernetes = all.kubernetes.into_iter().filter(|(own, _)| own.words() == needed).flat_map(|(_, checks)| checks);
    azure.chain(kubernetes).map(str::to_owned).collect()
}

/// One row of the matrix: a call of a fixture's run.
struct Call {
    fixture: &'static str,
    path: String,
    /// `None` = sign-in.
    permission: Option<String>,
    whole: Value,
}

/// Every kind of call once, from the fixture that makes it first.
fn calls() -> Vec<Call> {
    let (mut calls, mut seen) = (Vec::new(), BTreeSet::new());
    for fixture in FIXTURES {
        let site = Site::new(&fixtures::named(fixture));
        let whole = report(&site.diagnose(&[]));
        for (method, url) in site.server.requests() {
            let path = url.split('?').next().unwrap_or_default().to_owned();
            let permission = permission(&method, &path);
            assert!(
                permission.is_some() || path.ends_with("/token"),
                "{method} {path} needs no permission that is known"
            );
            if seen.insert(permission.clone()) {
                calls.push(Call { fixture, path, permission, whole: whole.clone() });
            }
        }
        site.server.stop();
    }
    let known = api::ALL.iter().map(|api| api.action.to_owned());
    let known = known.chain(KubernetesCall::ALL.into_iter().map(KubernetesCall::words));
    // These are made only where something else is missing: sign_in.rs has a test of the first, live.rs of the second,
    // first_minutes.rs of the third; the fourth is a question of `cutover`.
    let elsewhere = [
        "listClusterUserCredential/action",
        "agentPools/read",
        "Microsoft.Resources/subscriptions/read",
        "subscriptions/providers/read",
    ];
    let missing: Vec<String> = known
        .filter(|known| !seen.contains(&Some(known.clone())) && !elsewhere.iter().any(|end| known.ends_with(end)))
        .collect();
    assert!(missing.is_empty(), "no fixture asks for {missing:?}");
    calls
}

/// The entry of each check, with its findings: what a fault elsewhere must not change.
fn entries(report: &Value) -> BTreeMap<String, (Value, Vec<Value>)> {
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let findings = list(&report["findings"]);
    let own =
        |id: &Value| findings.iter().filter(|finding| finding["check"] == *id).cloned().map(without_causes).collect();
    list(&report["checks"])
        .into_iter()
        .map(|check| (check["id"].as_str().expect("an id").to_owned(), (check.clone(), own(&check["id"]))))
        .collect()
}

/// What explains a finding may be what could not be seen.
fn without_causes(mut finding: Value) -> Value {
    finding["causedBy"] = Value::Null;
    finding
}

#[test]
fn no_call_may_fail_unnoticed() {
    let calls = calls();
    let (hurt, wrong) = (Hurt::default(), Mutex::<Vec<String>>::default());
    let cells: Vec<(&Call, &Fault)> =
        calls.iter().flat_map(|call| FAULTS.iter().map(move |fault| (call, fault))).collect();
    let (hanging, quick) = cells.into_iter().partition(|(_, fault)| hangs(fault));
    let run = |sites: &mut Sites, (call, fault): (&Call, &Fault)| {
        let site = sites.entry(call.fixture).or_insert_with(|| Site::new(&fixtures::named(call.fixture)));
        match cell(fault, call, site) {
            Ok(checks) if checks.is_empty() => {}
            Ok(checks) => drop(hurt.lock().expect("a lock").insert((call.path.clone(), format!("{fault:?}")), checks)),
            Err(why) => wrong.lock().expect("a lock").push(format!("{} {fault:?}: {why}", call.path)),
        }
    };
    // Those that hang cost time, and no work.
    std::thread::scope(|scope| {
        scope.spawn(|| in_parallel::each_with(12, hanging, run));
        in_parallel::each_with(8, quick, run);
    });
    let hurt = hurt.into_inner().expect("a lock");
    let mut wrong = wrong.into_inner().expect("a lock");
    // Whatever the fault, the same checks notice it.
    for ((path, fault), checks) in &hurt {
        let Some(by_refusal) = hurt.get(&(path.clone(), format!("{:?}", Fault::Status(403)))) else { continue };
        if checks != by_refusal && *fault != format!("{:?}", Fault::Status(404)) {
            wrong.push(format!("{path} {fault}: {checks:?} noticed it, and a 403 {by_refusal:?}"));
        }
    }
    eprintln!(
        "fault matrix: {} calls x {} faults = {} cells, {} wrong",
        calls.len(),
        FAULTS.len(),
        calls.len() * FAULTS.len(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

type Hurt = Mutex<BTreeMap<(String, String), BTreeSet<String>>>;

/// The servers of one thread, by fixture.
type Sites = BTreeMap<&'static str, Site>;

fn hangs(fault: &Fault) -> bool {
    matches!(fault, Fault::NoAnswer | Fault::SlowBody)
}

/// The checks that noticed the fault, or what was wrong with the run.
fn cell(fault: &Fault, call: &Call, site: &Site) -> Result<BTreeSet<String>, String> {
    site.server.clear();
    site.server.fault(&call.path, fault.clone());
    let output = site.diagnose(&["--timeout", if hangs(fault) { "9s" } else { "40s" }]);
    let code = output.status.code().ok_or("it was killed: it did not end within its time limit")?;
    if stderr(&output).contains("panicked") {
        return Err(stderr(&output));
    }
    let heals = matches!(fault, Fault::Once(..));
    let fatal = call.permission.as_deref().is_none_or(|needed| needed == api::MANAGED_CLUSTERS.action);
    if fatal && !heals {
        let named = stderr(&output).contains("error: ") && stderr(&output).contains(" hint: ");
        return if code == 2 && named { Ok(BTreeSet::new()) } else { Err(format!("exit {code}: {}", stderr(&output))) };
    }
    let (before, after) = (entries(&call.whole), entries(&report(&output)));
    let changed: BTreeSet<String> = before.keys().filter(|id| before[*id] != after[*id]).cloned().collect();
    if heals {
        return if changed.is_empty() { Ok(changed) } else { Err(format!("{changed:?} changed although it healed")) };
    }
    let needed = call.permission.as_deref().unwrap_or_default();
    let unknown = *fault == Fault::Status(404) && MAY_BE_UNKNOWN.contains(&needed);
    if needed == api::LOCKS.action {
        // No check rests on locks: the step says that they could not be read.
        let said = report(&output)["plan"].to_string().contains("could not be read");
        return if said && changed.is_empty() { Ok(changed) } else { Err("no step says it".to_owned()) };
    }
    if changed.is_empty() && !unknown {
        return Err("nothing noticed it".to_owned());
    }
    let losers = losers(needed);
    for id in &changed {
        let (entry, _) = &after[id];
        if !losers.contains(id) {
            return Err(format!("{id} changed, which does not need {needed}: {} -> {entry}", before[id].0));
        }
        if entry["status"] == "passed" {
            return Err(format!("{id} passed"));
        }
        let gaps = entry["gaps"].as_array().expect("gaps");
        let named = gaps.iter().any(|gap| gap["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
        if !named && entry["status"] != "failed" && entry["status"] != "not-applicable" {
            return Err(format!("{id} does not say what was missing: {entry}"));
        }
    }
    if !changed.is_empty() && code == 0 {
        return Err("exit 0".to_owned());
    }
    Ok(changed)
}

/// A host whose certificate nobody vouches for: sign-in and ARM end the run, Kubernetes is a gap; none passes.
#[test]
fn an_unknown_authority_is_named_wherever_it_stands() {
    let snapshot = fixtures::healthy_json("byo");
    let (site, other) = (Site::new(&snapshot), Site::new(&snapshot));
    for variable in ["AZURE_AUTHORITY_HOST", "AKSISO_ARM_ENDPOINT"] {
        let mut command = site.command();
        command.env(variable, other.server.url());
        let output =
            command.args(["diagnose", "--cluster-id", &site.cluster, "--no-kubernetes"]).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{variable}");
        assert!(stderr(&output).contains("certificate is not trusted"), "{variable}: {}", stderr(&output));
    }
    let kubeconfig = std::fs::read_to_string(site.path("kubeconfig")).expect("a kubeconfig");
    let foreign = kubeconfig.replace(&site.server.url(), &other.server.url());
    std::fs::write(site.path("kubeconfig"), foreign).expect("written");
    let output = site.diagnose(&[]);
    assert_eq!(output.status.code(), Some(3));
    let report = report(&output);
    for (id, (entry, _)) in entries(&report) {
        let kubernetes = KubernetesCall::ALL.iter().any(|call| losers(&call.words()).contains(&id));
        assert!(entry["status"] == "not-applicable" || (entry["status"] == "undetermined") == kubernetes, "{entry}");
    }
    assert!(report.to_string().contains("certificate is not trusted"), "{report}");
}
