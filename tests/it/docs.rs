//! The documents say what the program does: what can be generated is, and a test keeps it so.

use std::path::PathBuf;

use aksiso::answers;
use aksiso::answers::cutover::{Goal, ReimagePolicy};
use aksiso::answers::whatif::Change;
use aksiso::checks::catalogue;
use aksiso::checks::command::Shell;
use aksiso::evidence::Evidence;
use aksiso::report::cutover::{Format, render};
use aksiso::report::permissions::Permissions;

use crate::{fixtures, judged, snapshots};

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

fn read(path: &std::path::Path) -> Evidence {
    aksiso::app::files::read_snapshot(path).expect("a snapshot")
}

#[test]
fn the_readme_shows_the_real_report() {
    let report = plain(&judged::table(&judged::report(&read(&snapshots::example()))));
    generated("example", &format!("```text\n{report}```\n"));
}

#[test]
fn the_readme_shows_real_verdicts_on_images() {
    let text = std::fs::read_to_string(fixtures::folder().join("manifests/shop.yaml")).expect("manifests");
    let manifests =
        aksiso::sources::manifests::read_text("fixtures/manifests/shop.yaml", &text, &[]).expect("manifests");
    let shown = judged::table(&judged::preflight(&fixtures::healthy("byo"), &manifests));
    generated("preflight", &format!("```text\n{}```\n", plain(&shown)));
}

#[test]
fn the_readme_shows_a_real_step() {
    let evidence = read(&snapshots::half_way());
    let cutover = judged::cutover(&evidence, Goal::Isolated(None), ReimagePolicy::Documented);
    let shown = render::render(&cutover, Format::Table, Shell::Posix, 100).expect("a report");
    generated("cutover", &format!("```text\n{}```\n", plain(&shown)));
}

#[test]
fn the_readme_shows_what_a_change_would_do() {
    let before = fixtures::healthy("noisy");
    let change = "remove role-assignment AcrPull";
    let mut after = before.clone();
    change.parse::<Change>().expect("a change").apply(&mut after).expect("applied");
    let shown = plain(&judged::table(&judged::what_if(&before, &after, &[change.to_owned()])));
    // The rest is a report as above.
    let head = shown.split("\n\n").take(2).collect::<Vec<_>>().join("\n\n");
    generated("what-if", &format!("```text\n{head}\n…\n```\n"));
}

#[test]
fn the_readme_lists_every_check_and_rule() {
    let mut table = "| check | rule | severity | what |\n|---|---|---|---|\n".to_owned();
    for check in answers::rule_sets() {
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
    let all = Permissions::of(catalogue::ALL);
    let named = |checks: &[&str]| {
        if checks.len() == catalogue::ALL.len() { "every check".to_owned() } else { checks.join(", ") }
    };
    let azure = all.azure.iter().map(|(api, checks)| format!("| `{}` | {} |\n", api.action, named(checks)));
    let kubernetes =
        all.kubernetes.iter().map(|(permission, checks)| format!("| {} | {} |\n", permission.words(), named(checks)));
    let rows: String = azure.chain(kubernetes).collect();
    generated("permissions", &format!("| without | these checks see less |\n|---|---|\n{rows}"));
}

#[test]
fn every_rule_has_a_whole_page() {
    for check in answers::rule_sets() {
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
    for check in answers::rule_sets() {
        for link in check.doc.split_whitespace().filter(|word| word.starts_with("https://")) {
            let host = link.trim_start_matches("https://").split('/').next().unwrap_or_default();
            assert!(["learn.microsoft.com", "github.com"].contains(&host), "{}: {link}", check.id);
        }
    }
}
