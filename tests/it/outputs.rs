//! What a run writes beside its first screen: several formats, policies, baselines, comparisons, completions.

use std::path::Path;
use std::process::Output;

use aksiso::report::model::Report;
use serde_json::Value;

use crate::{fixtures, judged};

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
    command.env_clear().current_dir(folder).args(arguments).output().expect("it runs")
}

fn example() -> String {
    fixtures::folder().join("example.json").display().to_string()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn several_formats_are_written_at_once_or_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let example = example();
    let output = run(
        folder.path(),
        &[
            "diagnose",
            "--from",
            &example,
            "-o",
            "table",
            "-o",
            "sarif=a.sarif",
            "-o",
            "junit=a.xml",
            "-o",
            "json=a.json",
        ],
    );
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("UNHEALTHY  aks1 (prod-rg)"));
    for file in ["a.sarif", "a.xml", "a.json"] {
        assert!(std::fs::metadata(folder.path().join(file)).expect("a file").len() > 1000, "{file}");
    }
    for (arguments, message) in [
        (vec!["-o", "json", "-o", "sarif"], "json and sarif would both go to standard output"),
        (vec!["-o", "json=x", "-o", "sarif=x"], "json and sarif would both go to x"),
        (vec!["-o", "sarfi"], "did you mean sarif?"),
        (vec!["-o", "json="], "expected a file after ="),
        (vec!["-o", "json=/no/such/folder/x"], "/no/such/folder/x cannot be written"),
        (vec!["--baseline", "gone.json"], "gone.json cannot be read"),
        (vec!["--update-baseline"], "--baseline"),
        (vec!["--previous", "gone.json"], "--previous is of use to --output servicenow only"),
    ] {
        let output = run(folder.path(), &[&["diagnose", "--from", &example][..], &arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(message), "{arguments:?}: {}", stderr(&output));
    }
    assert!(!folder.path().join("x").exists());
}

/// A policy of last year may name a rule that is gone: it is told so, and works on.
#[test]
fn a_policy_that_names_a_retired_rule_still_works() {
    let folder = tempfile::tempdir().expect("a folder");
    let entries = "[severity]\nregistry-not-zone-redundant = \"warning\"\n\n[[suppress]]\nrule = \
                   \"registry-not-zone-redundant\"\nreason = \"known\"\nuntil = \"2030-01-31\"\n";
    std::fs::write(folder.path().join("aksiso.toml"), entries).expect("written");
    let output = run(folder.path(), &["diagnose", "--from", &example(), "--output", "json"]);
    let report: Report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    assert_eq!(report.policy.iter().map(|notice| notice.line).collect::<Vec<_>>(), [2, 4]);
    assert!(report.policy.iter().all(|notice| notice.message.contains("is gone")), "{:?}", report.policy);
    let explained = run(folder.path(), &["explain", "registry-not-zone-redundant"]);
    assert!(stderr(&explained).contains("is gone: since March 2026"), "{}", stderr(&explained));
}

#[test]
fn a_policy_changes_severities_and_accepts_findings_for_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let below = folder.path().join("a/b");
    std::fs::create_dir_all(&below).expect("folders");
    let example = example();
    let policy = |text: &str| std::fs::write(folder.path().join("aksiso.toml"), text).expect("written");
    let diagnose = |more: &[&str]| {
        let output = run(&below, &[&["diagnose", "--from", &example, "--output", "json"][..], more].concat());
        let report = serde_json::from_slice::<Report>(&output.stdout);
        (output.status.code(), report.unwrap_or_else(|_| panic!("{}", stderr(&output))))
    };
    policy(
        "[severity]\nnode-not-reimaged = \"info\"\n\n[[suppress]]\nrule = \"acrpull-missing\"\nsubject = \"*/registries/ContosoBoot\"\nreason = \"ticket 17\"\nuntil = \"2027-01-31\"\n\n[[suppress]]\nrule = \"dns-record-missing\"\nreason = \"old\"\nuntil = \"2026-01-31\"\n\n[[suppress]]\nrule = \"registry-not-premium\"\nreason = \"idle\"\nuntil = \"2027-01-31\"\n",
    );
    let (code, report) = diagnose(&[]);
    assert_eq!(code, Some(1));
    let severity = |rule: &str| report.findings.iter().find(|own| own.rule == rule).map(|own| own.severity.as_str());
    assert_eq!(severity("node-not-reimaged"), None);
    assert_eq!(severity("acrpull-missing"), None);
    assert_eq!(report.suppressed.len(), 3);
    let accepted = |rule: &str| report.suppressed.iter().find(|entry| entry.finding.rule == rule).expect("accepted");
    let by = &accepted("acrpull-missing").suppressed_by;
    assert_eq!((by.line, by.reason.as_str()), (Some(4), "ticket 17"));
    assert_eq!(by.file.replace('\\', "/"), "../../aksiso.toml");
    // A note is no way around the verdict: what is lowered to one is accepted, and told as that.
    let lowered = accepted("node-not-reimaged");
    assert_eq!((lowered.finding.severity.as_str(), lowered.suppressed_by.line), ("error", Some(2)));
    assert_eq!(lowered.suppressed_by.reason, "the policy lowers this error to info");
    let messages: Vec<&str> = report.policy.iter().map(|notice| notice.message.as_str()).collect();
    assert!(messages[0].contains("dns-record-missing expired on 2026-01-31: its finding counts again"), "{messages:?}");
    assert!(messages[1].contains("registry-not-premium matches nothing"), "{messages:?}");
    let status = |id: &str| report.checks.iter().find(|own| own.id == id).map(|own| own.status.as_str());
    assert_eq!(status("kubelet-acrpull"), Some("accepted"));
    // What it explains is accepted with it.
    assert_eq!(severity("pull-unauthorized"), None);
    let symptom = accepted("pull-unauthorized");
    assert_eq!(symptom.suppressed_by.reason, "caused by acrpull-missing of contosoboot: ticket 17");
    assert_eq!(symptom.suppressed_by.line, Some(4));
    assert_eq!(diagnose(&["--no-config"]).1.suppressed.len(), 0);
    let table = run(&below, &["diagnose", "--from", &example]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(
        table.contains("; accepted: 3 errors") && table.contains("ticket 17") && table.contains("line 4"),
        "{table}"
    );
    policy("[severity]\nno-such-rule = \"info\"\n");
    let output = run(&below, &["diagnose", "--from", &example]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(stderr(&output).contains("line 2: there is no rule"), "{}", stderr(&output));
}

#[test]
fn a_baseline_lets_only_what_is_new_fail() {
    let folder = tempfile::tempdir().expect("a folder");
    let example = example();
    let with = |more: &[&str]| {
        run(folder.path(), &[&["diagnose", "--from", &example, "--baseline", "known.json"][..], more].concat())
    };
    assert_eq!(with(&["--update-baseline"]).status.code(), Some(0));
    let known = with(&["--output", "json"]);
    assert_eq!(known.status.code(), Some(0));
    let report: Report = serde_json::from_slice(&known.stdout).expect("a report");
    assert!(report.findings.is_empty() && report.suppressed.len() == 5 && report.verdict == "accepted");
    // One finding less in the baseline is one that is new.
    let mut known: Value = parse(&std::fs::read_to_string(folder.path().join("known.json")).expect("a baseline"));
    known["findings"].as_array_mut().expect("findings").remove(0);
    std::fs::write(folder.path().join("known.json"), known.to_string()).expect("written");
    assert_eq!(with(&[]).status.code(), Some(1));
    std::fs::write(folder.path().join("known.json"), "{\"schemaVersion\": \"9\"}").expect("written");
    let output = with(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("has report schema version 9"), "{}", stderr(&output));
}

#[test]
fn compare_tells_new_fixed_and_still_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, report: &Report| {
        std::fs::write(folder.path().join(name), aksiso::report::json::render(report).expect("JSON")).expect("written");
    };
    let bad = judged::report(&fixtures::evidence(&fixtures::named("cases/three-faults")));
    let good = judged::report(&fixtures::healthy("byo"));
    write("bad.json", &bad);
    write("good.json", &good);
    let mut blind = good;
    for check in &mut blind.checks {
        let detail = "x".to_owned();
        check.gaps.push(aksiso::report::model::GapEntry { detail, ..Default::default() });
    }
    write("blind.json", &blind);
    let compare =
        |old: &str, new: &str, more: &[&str]| run(folder.path(), &[&["compare", old, new][..], more].concat());
    assert_eq!(compare("bad.json", "good.json", &[]).status.code(), Some(0));
    assert_eq!(compare("good.json", "bad.json", &[]).status.code(), Some(1));
    assert_eq!(compare("good.json", "bad.json", &["--fail-on", "never"]).status.code(), Some(0));
    assert_eq!(compare("bad.json", "bad.json", &[]).status.code(), Some(0));
    assert_eq!(compare("bad.json", "blind.json", &[]).status.code(), Some(3));
    let table = compare("bad.json", "good.json", &[]);
    assert!(String::from_utf8_lossy(&table.stdout).starts_with("New: 0\nFixed: 5\n"));
    let markdown = compare("good.json", "bad.json", &["--output", "markdown"]);
    assert!(String::from_utf8_lossy(&markdown.stdout).starts_with("### New: 5"));
    let changed = parse(&String::from_utf8_lossy(&compare("bad.json", "good.json", &["--output", "json"]).stdout));
    assert_eq!(changed["fixed"].as_array().map(Vec::len), Some(5));
    let output = compare("bad.json", &example(), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("is not a report"), "{}", stderr(&output));
}

#[test]
fn completions_and_man_pages_are_generated() {
    let folder = tempfile::tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = run(folder.path(), &["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("COMPLETE"), "{shell}");
    }
    assert_eq!(run(folder.path(), &["man", "--output", "share/man1"]).status.code(), Some(0));
    let page = std::fs::read_to_string(folder.path().join("share/man1/aksiso-diagnose.1")).expect("a page");
    assert!(page.contains(".TH") && page.contains("fail\\-on"), "{page}");
    assert!(String::from_utf8_lossy(&run(folder.path(), &["man"]).stdout).contains("kubectl"));
}

/// What is written is neither what is read nor what is written elsewhere, by whatever path it is named.
#[test]
fn nothing_that_is_read_is_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("overlay")).expect("a folder");
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: quay.io/a/b:1}]}\n";
    let files = [("snap.json", std::fs::read_to_string(example()).expect("the example")), ("m.yaml", pod.to_owned())];
    files.iter().for_each(|(name, text)| std::fs::write(at(name), text).expect("written"));
    std::fs::write(at("overlay/kustomization.yaml"), "resources: [pod.yaml]\n").expect("written");
    std::fs::write(at("values.yaml"), "image: {repository: quay.io/a/b, tag: v1}\nreplicas: 3\n").expect("written");
    let diagnose = ["diagnose", "--from", "snap.json"];
    let preflight = ["preflight", "m.yaml", "overlay", "--from", "snap.json"];
    let wrong: [(&[&str], &[&str]); 8] = [
        (&diagnose, &["--plan", "./snap.json"]),
        (&diagnose, &["--output", "json=overlay/../snap.json"]),
        (&diagnose, &["--output", "json=new.json", "--output", "sarif=./new.json"]),
        (&diagnose, &["--output", "json=new.json", "--plan", "./new.json"]),
        (&preflight, &["--write-rules", "snap.json"]),
        (&preflight, &["--write-kustomize", "m.yaml"]),
        (&preflight, &["--write-kustomize", "overlay/kustomization.yaml"]),
        (&preflight, &["--helm-values", "values.yaml", "--write-helm-values", "values.yaml"]),
    ];
    for (command, more) in wrong {
        let output = run(folder.path(), &[command, more].concat());
        assert_eq!(output.status.code(), Some(2), "{more:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("of its own"), "{more:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty() && !at("new.json").exists(), "{more:?}");
    }
    files.iter().for_each(|(name, text)| assert_eq!(&std::fs::read_to_string(at(name)).expect("it is there"), text));
    // A new file beside the manifests is none of them, and a former report makes way for the present one.
    let output = run(folder.path(), &[&preflight[..], &["--write-kustomize", "overlay/images.yaml"]].concat());
    assert!(at("overlay/images.yaml").exists(), "{}", stderr(&output));
    // What is no manifest is not read, and so it is written again by every run.
    std::fs::create_dir(at("plain")).expect("a folder");
    std::fs::write(at("plain/pod.yaml"), pod).expect("written");
    for _ in 0..2 {
        let more = ["--output", "junit=plain/junit.xml", "--write-rules", "plain/rules.sh"];
        let output = run(folder.path(), &[&["preflight", "plain", "--from", "snap.json"][..], &more].concat());
        assert_ne!(output.status.code(), Some(2), "{}", stderr(&output));
    }
}
