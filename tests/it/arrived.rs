//! A cut-over is done only where everything is seen to work: whatever `diagnose` reports or could not see, `cutover` does
//! not call the cluster done.

use aksiso::answers::cutover::gates::Pass;
use aksiso::answers::cutover::names::StepKind;
use aksiso::answers::cutover::{Goal, ReimagePolicy, Safety, State};
use aksiso::app::exit::Exit;
use aksiso::checks::command::Shell;
use aksiso::checks::finding::Finding;
use aksiso::checks::image_pulls;
use aksiso::checks::rule::Severity;
use aksiso::evidence::cluster::{NatGatewayProfile, NetworkProfile};
use aksiso::report::cutover::{CutoverFormat, render::render};

use crate::{fixtures, judged};

#[test]
fn nothing_broken_or_unseen_is_called_done() {
    for (name, snapshot) in fixtures::all() {
        let evidence = fixtures::evidence(&snapshot);
        let diagnosis = judged::diagnose(&evidence);
        let errors: Vec<_> = diagnosis.findings.iter().filter(|own| own.severity == Severity::Error).collect();
        for policy in [ReimagePolicy::Documented, ReimagePolicy::Conservative] {
            let cutover = judged::cutover(&evidence, Goal::Isolated(None), policy);
            let code = Exit::of_cutover(&cutover).code();
            let table = render(&cutover, CutoverFormat::Table, Shell::Posix, 4_000).expect("a report");
            let done = table.contains("nothing is left to do");
            if errors.is_empty() && !diagnosis.incomplete() {
                let closed = cutover.gates.iter().any(|gate| gate.pass == Pass::Closed);
                assert_eq!(done, cutover.state == State::S4 && cutover.now().is_none() && !closed, "{name}: {table}");
                continue;
            }
            assert!(cutover.state != State::S4 && !done, "{name}: {table}");
            if evidence.uses_cache() && evidence.egress_closed() && cutover.state != State::ChangingRegistry {
                let (state, expected) = if errors.is_empty() { (State::S4OrS5, 3) } else { (State::S5, 1) };
                // Stale nodes are broken whether diagnose is sure of them or not.
                let stale = cutover.state == State::S5;
                assert!(stale || cutover.state == state, "{name}: {:?}", cutover.state);
                assert_eq!(code, if stale { 1 } else { expected }, "{name}: {table}");
            }
        }
    }
}

/// What is broken comes with the commands of `diagnose`.
#[test]
fn a_broken_cluster_is_told_with_what_fixes_it() {
    let mut broken = 0;
    for (name, snapshot) in fixtures::all() {
        let evidence = fixtures::evidence(&snapshot);
        let cutover = judged::cutover(&evidence, Goal::Isolated(None), ReimagePolicy::Documented);
        if cutover.state != State::S5 {
            continue;
        }
        broken += 1;
        let diagnosis = judged::diagnose(&evidence);
        for root in diagnosis.roots().filter(|root| root.severity == Severity::Error) {
            let told = cutover.gates.iter().find(|gate| gate.name.is(root.rule) && gate.why == root.detail);
            let reimaged = cutover
                .next
                .as_ref()
                .is_some_and(|step| root.remediation.commands.iter().all(|command| step.commands.contains(command)));
            let commands = told.and_then(|gate| gate.remediation.as_ref()).map(|own| own.commands.clone());
            assert!(reimaged || commands.as_ref() == Some(&root.remediation.commands), "{name}: {}", root.rule.id);
        }
        let next = cutover.gates.iter().find(|gate| gate.pass == Pass::Closed);
        if let Some(gate) = next.filter(|gate| gate.remediation.as_ref().is_some_and(|own| !own.commands.is_empty())) {
            let step = cutover.now().unwrap_or_else(|| panic!("{name}: {} is closed, and no step is named", gate.name));
            assert!(!step.commands.is_empty(), "{name}");
        }
    }
    assert!(broken > 50, "{broken}");
}

/// Only the V2 gateway is contested; the documentation's table allows the change from the first one.
#[test]
fn only_the_gateway_that_is_contested_is_warned_of() {
    let caution = |kind: &str, sku: Option<&str>| {
        let mut evidence = fixtures::evidence(&fixtures::named("cutover/story-7-close"));
        let nat_gateway_profile = sku.map(|sku| NatGatewayProfile { sku: Some(sku.to_owned()) });
        let profile = evidence.cluster.properties.network_profile.get_or_insert_with(NetworkProfile::default);
        profile.outbound_type = Some(kind.to_owned());
        profile.nat_gateway_profile = nat_gateway_profile;
        let cutover = judged::cutover(&evidence, Goal::Isolated(None), ReimagePolicy::Documented);
        cutover.gates.iter().any(|gate| gate.name.to_string() == "outbound-type-migration")
    };
    assert!(!caution("managedNATGateway", None));
    assert!(!caution("managedNATGateway", Some("standard")));
    assert!(caution("managedNATGateway", Some("StandardV2")));
    assert!(caution("managedNATGatewayV2", None));
    assert!(!caution("loadBalancer", Some("standardV2")));
}

/// Egress is not closed over pulls that fail: not "safe", whether the step causes them or not.
#[test]
fn closing_egress_over_failing_pulls_is_never_safe() {
    let mut failing = 0;
    for (name, snapshot) in fixtures::all() {
        let mut evidence = fixtures::evidence(&snapshot);
        let profile = evidence.cluster.properties.network_profile.get_or_insert_with(NetworkProfile::default);
        profile.outbound_type = Some("loadBalancer".to_owned());
        let diagnosis = judged::diagnose(&evidence);
        let pulls = |own: &Finding| *own.check == image_pulls::CHECK.about && own.severity == Severity::Error;
        let cutover = judged::cutover(&evidence, Goal::Isolated(None), ReimagePolicy::Documented);
        let closes = cutover.now().is_some_and(|step| step.kind == StepKind::CloseEgress);
        if closes && diagnosis.findings.iter().any(pulls) {
            failing += 1;
            assert_ne!(cutover.safety, Safety::Safe, "{name}");
            assert_ne!(Exit::of_cutover(&cutover).code(), 0, "{name}");
        }
    }
    assert!(failing > 3, "{failing}");
}
