//! Changes that one thinks of: what they stop is told and fails the run, and what AKS would create is there.

use aksiso::answers::cutover::gates::{CHAIN, Pass};
use aksiso::answers::cutover::names::GateName;
use aksiso::answers::cutover::{Goal, ReimagePolicy};
use aksiso::answers::whatif::{Change, Effect};
use aksiso::app::exit::{Exit, FailOn};
use aksiso::checks::rule::Severity;
use aksiso::checks::{bootstrap_profile, kubelet_acrpull, node_image};
use aksiso::evidence::Evidence;
use aksiso::evidence::image::Image;
use aksiso::evidence::kubernetes::ImageUse;
use aksiso::model::cluster::Ownership;

use crate::{fixtures, judged};

fn changed(evidence: &Evidence, change: &str) -> Result<Evidence, String> {
    let mut after = evidence.clone();
    change.parse::<Change>()?.apply(&mut after)?;
    Ok(after)
}

fn effect(before: &Evidence, after: &Evidence, change: &str) -> Effect {
    Effect::of(&judged::diagnose(before), &judged::diagnose(after), &[change.to_owned()])
}

/// A fixture in which pods use an image of the bootstrap registry, as most real clusters do.
fn with_own_image(mut evidence: Evidence) -> Option<(Evidence, String)> {
    let image = format!("{}/shop/own:1", evidence.login_server()?);
    let usage =
        ImageUse { image: image.clone(), containers: 1, example: "shop/own-0".to_owned(), workloads: Vec::new() };
    let aksiso::evidence::Fact::Known(images) = &mut evidence.kubernetes.images else { return None };
    images.used.push(usage);
    Some((evidence, image))
}

/// Whether the report says without reservation that the changes stop no image in use.
fn none_stops(before: &Evidence, after: &Evidence, change: &str) -> bool {
    judged::table(&judged::what_if(before, after, &[change.to_owned()])).contains("Stops     none of")
}

/// Without its registry no image of it can be pulled, whatever else is known: never "unclear", and never exit 0.
#[test]
fn a_deleted_registry_stops_its_own_images() {
    let change = "delete registry";
    for (name, snapshot) in fixtures::all() {
        let Some((before, own)) = with_own_image(fixtures::evidence(&snapshot)) else { continue };
        let Ok(after) = changed(&before, change) else { continue };
        let effect = effect(&before, &after, change);
        assert!(effect.unclear.iter().all(|moved| moved.image != own), "{name}: {:?}", effect.unclear);
        let was = aksiso::answers::pull::Puller::new(&judged::diagnose(&before))
            .judge(&Image::parse(&own).expect("an image"), false);
        if was.pulls() {
            assert!(effect.stops.iter().any(|moved| moved.image == own), "{name}");
            assert_eq!(Exit::of_effect(&effect, FailOn::Error, false).code(), 1, "{name}");
            let table = judged::table(&judged::what_if(&before, &after, &[change.to_owned()]));
            assert!(table.contains(&own), "{name}: {table}");
            assert!(table.contains(&format!("New findings: {}", effect.brings.len())), "{name}: {table}");
        }
        // Nothing is called unharmed above a finding that says that nothing can be pulled.
        assert!(!none_stops(&before, &after, change), "{name}");
    }
}

/// Whatever stops or may stop a workload, the run does not end with 0.
#[test]
fn a_stopped_workload_never_exits_0() {
    let changes = ["set outbound none", "set artifact-source Direct"];
    for (name, snapshot) in fixtures::all() {
        let before = fixtures::evidence(&snapshot);
        for change in changes {
            let Ok(after) = changed(&before, change) else { continue };
            let effect = effect(&before, &after, change);
            let code = Exit::of_effect(&effect, FailOn::Error, false).code();
            assert_eq!(code == 1, !effect.stops.is_empty(), "{name}, {change}");
            if effect.stops.is_empty() && effect.incomplete() {
                assert_eq!(code, 3, "{name}, {change}");
            }
            let none = none_stops(&before, &after, change);
            assert!(!(none && code != 0), "{name}, {change}");
        }
    }
}

/// A cluster that goes to Cache and names no registry gets one from AKS, whole: nothing of the chain is missing, and
/// `cutover` says the same.
#[test]
fn the_switch_to_cache_brings_the_managed_registry() {
    let mut direct = 0;
    for (name, snapshot) in fixtures::all() {
        let before = fixtures::evidence(&snapshot);
        if before.uses_cache() || before.registry_id().is_some() {
            continue;
        }
        direct += 1;
        let after = changed(&before, "set artifact-source Cache").expect("a change");
        assert_eq!(after.ownership(), Ownership::Managed, "{name}");
        let diagnosis = judged::diagnose(&after);
        for finding in &diagnosis.findings {
            assert!(!finding.is(&bootstrap_profile::REGISTRY_UNSET), "{name}");
            let chain = CHAIN.contains(&finding.check) && !finding.is(&kubelet_acrpull::NO_IDENTITY);
            assert!(
                !(chain && finding.severity >= Severity::Warning),
                "{name}: {} {}",
                finding.rule.id,
                finding.detail
            );
        }
        for result in diagnosis.checks.iter().filter(|result| CHAIN.contains(&result.check)) {
            assert!(result.gaps.is_empty(), "{name}: {} {:?}", result.check.id, result.gaps);
        }
        // Nodes have the former configuration until they are reimaged.
        let reimaged = changed(&after, "reimage all").expect("nodes");
        let stale = |evidence: &Evidence| {
            judged::diagnose(evidence).findings.iter().any(|finding| finding.is(&node_image::NOT_REIMAGED))
        };
        assert!(!stale(&reimaged), "{name}");
        let cutover = judged::cutover(&before, Goal::Isolated(None), ReimagePolicy::Documented);
        let managed = cutover.gates.iter().find(|gate| gate.name == GateName::ManagedRegistry);
        assert_eq!(managed.map(|gate| gate.pass), Some(Pass::Open), "{name}");
        let chain = |gate: &&aksiso::answers::cutover::gates::Gate| {
            let identity = gate.name.is(&kubelet_acrpull::NO_IDENTITY);
            gate.pass == Pass::Closed && !identity && gate.check.is_some_and(|check| CHAIN.contains(&check))
        };
        assert!(cutover.gates.iter().find(chain).is_none(), "{name}");
    }
    assert!(direct > 3, "{direct} fixtures are Direct without a registry");
}

/// What runs from copies on the nodes does not outlive them; and Azure's refusals are told as such.
#[test]
fn a_reimage_removes_the_only_copies() {
    let before = fixtures::evidence(&fixtures::named("cases/image-outside-cache"));
    let outside = |moved: &[aksiso::answers::whatif::Moved]| moved.iter().any(|own| !own.image.contains("azurecr.io"));
    let all = effect(&before, &changed(&before, "reimage all").expect("a change"), "reimage all");
    assert!(outside(&all.stops), "{all:?}");
    assert_eq!(Exit::of_effect(&all, FailOn::Error, false).code(), 1);
    let one = effect(&before, &changed(&before, "reimage apps").expect("a change"), "reimage apps");
    assert!(outside(&one.unclear) && one.stops.is_empty(), "{one:?}");
    let why = changed(&fixtures::evidence(&fixtures::named("cutover/auto-provisioning")), "set outbound none");
    assert!(why.expect_err("refused").contains("auto-provisioning"));
    let why = changed(&fixtures::healthy("byo"), "set outbound block").expect_err("refused");
    assert!(why.contains("a virtual network that AKS manages"), "{why}");
}
