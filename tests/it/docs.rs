//! The documents say what the program does: what can be generated is, and a test keeps it so.

use std::path::PathBuf;

use aksiso::check;
use aksiso::permissions::Permissions;

use crate::snapshots;

fn readme() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

/// The text between two markers must be `expected`; with `AKSISO_UPDATE` it is written.
fn generated(name: &str, expected: &str) {
    let text = std::fs::read_to_string(readme()).expect("the README").replace("\r\n", "\n");
    let begin = text.find(&format!("<!-- {name}: begin")).expect("a marker");
    let start = begin + text[begin..].find("-->\n").expect("a marker") + 4;
    let end = text.find(&format!("<!-- {name}: end -->")).expect("a marker");
    if std::env::var_os("AKSISO_UPDATE").is_some() {
        std::fs::write(readme(), format!("{}{expected}{}", &text[..start], &text[end..])).expect("written");
        return;
    }
    assert!(
        text[start..end] == *expected,
        "{name} in the README is old: run the tests once with AKSISO_UPDATE=1 --test-threads=1"
    );
}

/// A report as a pipe sees it: without colour.
fn plain(report: &str) -> String {
    anstream::adapter::strip_str(report).to_string()
}

#[test]
fn the_readme_shows_the_real_report() {
    let evidence = aksiso::snapshot::read(&snapshots::example()).expect("the example");
    let diagnosis = aksiso::correlate::Diagnosis::of(&evidence, check::ALL);
    let report = plain(&aksiso::report::table::render(&diagnosis, 100, aksiso::command::Shell::Posix, false));
    generated("example", &format!("```text\n{report}```\n"));
}

#[test]
fn the_readme_shows_real_verdicts_on_images() {
    let mut evidence = aksiso::snapshot::read(&crate::fixtures::folder().join("healthy/byo.json")).expect("a snapshot");
    let path = crate::fixtures::folder().join("manifests/shop.yaml");
    let text = std::fs::read_to_string(path).expect("manifests");
    evidence.manifests =
        Some(aksiso::manifest::read_text("fixtures/manifests/shop.yaml", &text, &[]).expect("manifests"));
    let diagnosis = aksiso::correlate::Diagnosis::of(&evidence, &[&check::preflight::CHECK]);
    let report = aksiso::report::model::Report::of(&diagnosis, aksiso::command::Shell::Posix);
    let shown = aksiso::report::preflight::render(&diagnosis, &report, 100, aksiso::command::Shell::Posix);
    generated("preflight", &format!("```text\n{}```\n", plain(&shown)));
}

#[test]
fn the_readme_shows_a_real_step() {
    let evidence = aksiso::snapshot::read(&snapshots::half_way()).expect("a snapshot");
    let goal = aksiso::cutover::Goal::Isolated(None);
    let cutover = aksiso::cutover::Cutover::of(&evidence, goal, aksiso::cutover::Policy::Documented);
    let shell = aksiso::command::Shell::Posix;
    let report = aksiso::report::cutover::CutoverReport::of(&cutover, shell);
    let shown = aksiso::report::cutover::render::table(&cutover, &report, 100, shell);
    generated("cutover", &format!("```text\n{}```\n", plain(&shown)));
}

#[test]
fn the_readme_shows_what_a_change_would_do() {
    let before = aksiso::snapshot::read(&crate::fixtures::folder().join("healthy/noisy.json")).expect("a snapshot");
    let change = "remove role-assignment AcrPull";
    let mut after = before.clone();
    change.parse::<aksiso::whatif::Change>().expect("a change").apply(&mut after).expect("applied");
    let effect = aksiso::whatif::effect(&before, &after, &[change.to_owned()]);
    let mut diagnosis = aksiso::correlate::Diagnosis::of(&after, check::ALL);
    diagnosis.effect = Some(effect);
    let shown = plain(&aksiso::report::table::render(&diagnosis, 100, aksiso::command::Shell::Posix, false));
    // The rest is a report as above.
    let head = shown.split("\n\n").take(2).collect::<Vec<_>>().join("\n\n");
    generated("what-if", &format!("```text\n{head}\n…\n```\n"));
}

#[test]
fn the_readme_lists_every_check_and_rule() {
    let mut table = "| check | rule | severity | what |\n|---|---|---|---|\n".to_owned();
    for check in check::everything() {
        for (at, rule) in check.rules.iter().enumerate() {
            let name = if at == 0 { format!("**{}**", check.id) } else { String::new() };
            table.push_str(&format!(
                "| {name} | `{}` | {} | {} |\n",
                rule.id,
                rule.severity.as_str(),
                rule.title.replace('*', "\\*")
            ));
        }
    }
    generated("checks", &table);
}

#[test]
fn the_readme_lists_every_permission() {
    let all = Permissions::of(check::ALL);
    let named = |checks: &[&str]| {
        if checks.len() == check::ALL.len() { "every check".to_owned() } else { checks.join(", ") }
    };
    let azure = all.azure.iter().map(|(api, checks)| format!("| `{}` | {} |\n", api.action, named(checks)));
    let kubernetes =
        all.kubernetes.iter().map(|(permission, checks)| format!("| {} | {} |\n", permission.words(), named(checks)));
    let rows: String = azure.chain(kubernetes).collect();
    generated("permissions", &format!("| without | these checks see less |\n|---|---|\n{rows}"));
}

#[test]
fn every_rule_has_a_whole_page() {
    for check in check::everything() {
        assert!(check.doc.starts_with(&format!("# {}\n", check.id)), "{}", check.id);
        assert!(check.doc.contains("What it can't see:"), "{} does not say what it can't see", check.id);
        for rule in check.rules {
            let page = check.rule_doc(rule.id).unwrap_or_else(|| panic!("no page for {}", rule.id));
            for part in ["**What.**", "**How aksiso knows.**", "**Remediation.**", "**Source.**"] {
                assert!(page.contains(part), "{}: no {part}", rule.id);
            }
            assert!(page.contains("**Why it breaks.**") || page.contains("**Why it matters.**"), "{}: no why", rule.id);
            assert!(page.contains("https://"), "{}: no source", rule.id);
            let others = check
                .rules
                .iter()
                .filter(|other| other.id != rule.id)
                .any(|other| page.contains(&format!("\n## {}\n", other.id)));
            assert!(!others, "{}: the page goes on into the next", rule.id);
        }
        let headings = check.doc.lines().filter(|line| line.starts_with("## ")).count();
        assert_eq!(headings, check.rules.len(), "{}: a heading without a rule", check.id);
    }
}

#[test]
fn the_remediations_link_to_documents() {
    for check in check::everything() {
        for link in check.doc.split_whitespace().filter(|word| word.starts_with("https://")) {
            let host = link.trim_start_matches("https://").split('/').next().unwrap_or_default();
            assert!(["learn.microsoft.com", "github.com"].contains(&host), "{}: {link}", check.id);
        }
    }
}
