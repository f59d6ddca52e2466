//! The documents say what the program does: what can be generated is, and a test keeps it so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aksiso::answers;
use aksiso::answers::cutover::{Goal, ReimagePolicy};
use aksiso::answers::whatif::{Change, GRAMMAR};
use aksiso::checks::catalogue;
use aksiso::checks::command::Shell;
use aksiso::evidence::Evidence;
use aksiso::evidence::calls::azure;
use aksiso::evidence::calls::kubernetes::KubernetesCall;
use aksiso::report::cutover::{CutoverFormat, render};
use aksiso::report::permissions::Permissions;

use crate::{examples, fixtures, judged, snapshots};

/// What belongs to the documentation: everything that a reader meets before the code.
const PAGES: [&str; 5] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];
/// Longest README, in lines.
const README: usize = 150;
/// Longest report that the README shows, in lines; of a longer one it shows the beginning.
const SHOWN: usize = 34;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn page(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}")).replace("\r\n", "\n")
}

/// Every page by its path.
fn pages() -> BTreeMap<String, String> {
    let folder = std::fs::read_dir(root().join("docs")).expect("the folder");
    let names = folder.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let docs = names.filter_map(|name| Some(format!("docs/{}.md", name.strip_suffix(".md")?)));
    let paths = PAGES.into_iter().map(str::to_owned).chain(docs);
    paths.map(|path| (path.clone(), page(&path))).collect()
}

/// The text between two markers of a page must be `expected`; with `AKSISO_UPDATE` it is written.
fn generated(path: &str, name: &str, expected: &str) {
    let text = page(path);
    let begin = text.find(&format!("<!-- {name}: begin")).expect("a marker");
    let start = begin + text[begin..].find("-->\n").expect("a marker") + 4;
    let end = text.find(&format!("<!-- {name}: end -->")).expect("a marker");
    if std::env::var_os("AKSISO_UPDATE").is_some() {
        std::fs::write(root().join(path), format!("{}{expected}{}", &text[..start], &text[end..])).expect("written");
        return;
    }
    assert!(
        text[start..end] == *expected,
        "{name} in {path} is old: AKSISO_UPDATE=1 cargo test --test it docs:: -- --test-threads=1"
    );
}

/// A report as a pipe sees it: without colour.
fn plain(report: &str) -> String {
    anstream::adapter::strip_str(report).to_string()
}

fn read(path: &Path) -> Evidence {
    aksiso::app::files::read_snapshot(path).expect("a snapshot")
}

/// The whole report, or as many of its blocks as a first look bears.
fn first_look(report: &str) -> String {
    if report.lines().count() <= SHOWN {
        return report.to_owned();
    }
    let (mut shown, mut lines) = (Vec::new(), 2);
    for block in report.split("\n\n") {
        lines += block.lines().count() + 1;
        if lines > SHOWN {
            break;
        }
        shown.push(block);
    }
    format!("{}\n…\n", shown.join("\n\n"))
}

#[test]
fn the_documents_show_the_real_report() {
    let report = plain(&judged::table(&judged::report(&read(&snapshots::example()))));
    generated("README.md", "example", &format!("```text\n{}```\n", first_look(&report)));
    generated("docs/diagnose.md", "report", &format!("```text\n{report}```\n"));
}

#[test]
fn the_documents_show_real_verdicts_on_images() {
    let text = std::fs::read_to_string(fixtures::folder().join("manifests/shop.yaml")).expect("manifests");
    let manifests =
        aksiso::sources::manifests::read_text("fixtures/manifests/shop.yaml", &text, &[]).expect("manifests");
    let shown = judged::table(&judged::preflight(&fixtures::healthy("byo"), &manifests));
    generated("docs/preflight.md", "preflight", &format!("```text\n{}```\n", plain(&shown)));
}

#[test]
fn the_documents_show_a_real_step() {
    let evidence = read(&snapshots::half_way());
    let cutover = judged::cutover(&evidence, Goal::Isolated(None), ReimagePolicy::Documented);
    let shown = render::render(&cutover, CutoverFormat::Table, Shell::Posix, 100).expect("a report");
    generated("docs/cutover.md", "cutover", &format!("```text\n{}```\n", plain(&shown)));
}

#[test]
fn the_documents_show_what_a_change_would_do() {
    let before = fixtures::healthy("noisy");
    let change = "remove role-assignment AcrPull";
    let mut after = before.clone();
    change.parse::<Change>().expect("a change").apply(&mut after).expect("applied");
    let shown = plain(&judged::table(&judged::what_if(&before, &after, &[change.to_owned()])));
    // The rest is a report as any other.
    let head = shown.split("\n\n").take(2).collect::<Vec<_>>().join("\n\n");
    generated("docs/what-if.md", "what-if", &format!("```text\n{head}\n…\n```\n"));
}

#[test]
fn the_documents_list_every_change_that_can_be_thought_of() {
    let page = page("docs/what-if.md").replace("\\|", "|");
    for change in GRAMMAR.split(", ") {
        assert!(page.contains(&format!("| `{change}` |")), "docs/what-if.md does not list {change}");
    }
}

#[test]
fn the_documents_list_every_check_and_rule() {
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
    generated("docs/checks.md", "checks", &table);
}

#[test]
fn the_documents_list_every_permission() {
    let all = Permissions::of(catalogue::ALL);
    let named = |checks: &[&str]| match checks.len() {
        0 => "none: locks are said beside the steps of the plan".to_owned(),
        len if len == catalogue::ALL.len() => "every check".to_owned(),
        _ => checks.join(", "),
    };
    let azure = all.azure.iter().map(|(api, checks)| format!("| `{}` | {} |\n", api.action, named(checks)));
    let kubernetes =
        all.kubernetes.iter().map(|(permission, checks)| format!("| {} | {} |\n", permission.words(), named(checks)));
    let rows: String = azure.chain(kubernetes).collect();
    generated("docs/permissions.md", "permissions", &format!("| without | these checks see less |\n|---|---|\n{rows}"));
}

/// Figures that can be counted are counted.
#[test]
fn the_documents_count_what_is_there() {
    let rules: usize = answers::rule_sets().map(|check| check.rules.len()).sum();
    let mut rows = vec![
        ("checks", catalogue::ALL.len()),
        ("rules, those of preflight included", rules),
        ("faulty or odd clusters in `fixtures/cases`", fixtures::files("cases").len()),
        ("healthy kinds of cluster in `fixtures/healthy`", fixtures::files("healthy").len()),
        ("stages of a cutover in `fixtures/cutover`", fixtures::files("cutover").len()),
        ("kinds of call to ARM and the Kubernetes API", azure::ALL.len() + KubernetesCall::ALL.len()),
    ];
    let faults = page("tests/it/matrix.rs");
    let faults = faults.split("const FAULTS: [Fault; ").nth(1).and_then(|rest| rest.split(']').next());
    rows.push((
        "ways in which each call is made to fail",
        faults.and_then(|count| count.parse().ok()).expect("a count"),
    ));
    let rows: Vec<String> = rows.into_iter().map(|(what, count)| format!("| {what} | {count} |\n")).collect();
    generated("docs/guarantees.md", "figures", &format!("| what | number |\n|---|---|\n{}", rows.concat()));
}

#[test]
fn the_readme_is_short() {
    let lines = page("README.md").lines().count();
    assert!(lines <= README, "the README has {lines} lines");
}

/// The first commands that a visitor meets: run as they stand, but for Cargo's part.
#[test]
fn the_first_commands_of_the_readme_do_what_they_say() {
    let readme = page("README.md");
    let block = readme.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("commands");
    let lines: Vec<&str> = block.lines().collect();
    assert_eq!(lines.len(), 2, "two commands set it up");
    assert!(
        lines[0].starts_with("cargo run --release -- ") && lines[1].split('#').next().unwrap().trim() == "cargo test"
    );
    let words = examples::command_lines(block).into_iter().next().expect("a command");
    let run = std::process::Command::new(assert_cmd::cargo::cargo_bin("aksiso"))
        .args(&words[1..])
        .arg("--no-config")
        .current_dir(root())
        .output()
        .expect("it runs");
    assert_eq!(run.status.code(), Some(1), "{}", String::from_utf8_lossy(&run.stderr));
    let shown = first_look(&String::from_utf8_lossy(&run.stdout).replace("\r\n", "\n"));
    assert!(readme.contains(shown.trim_end_matches("…\n")), "the README shows something else than:\n{shown}");
}

/// What is shown to be typed is what the program takes; what needs no cluster is run.
#[test]
fn every_command_line_in_the_documents_is_accepted() {
    let mut seen = 0;
    for (path, text) in pages() {
        for words in examples::command_lines(&shell_blocks(&text)) {
            examples::accepted(&path, &words);
            seen += 1;
            let offline = words.iter().any(|word| word == "--from")
                && words.iter().filter(|word| word.contains('/')).all(|word| root().join(word).is_file());
            if offline && words.iter().any(|word| word.starts_with("fixtures/")) {
                let mut run = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
                let code = run.args(&words[1..]).current_dir(root()).output().expect("it runs").status.code();
                assert!(matches!(code, Some(0 | 1 | 3)), "{path}: {} ends with {code:?}", words.join(" "));
            }
        }
    }
    assert!(seen > 40, "only {seen} command lines were found");
}

/// The fenced blocks of a page that are for a shell.
fn shell_blocks(text: &str) -> String {
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.collect::<Vec<_>>().join("\n")
}

/// A page without its fenced blocks.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// What a heading is called in a link, as GitHub does it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().trim().to_lowercase().replace(' ', "-")
}

fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text);
    headings.lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#'))).collect()
}

/// The targets of the links of a page.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    prose.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for (path, text) in pages() {
        for link in links(&text).into_iter().filter(|link| !link.contains("://")) {
            let (file, part) = link.split_once('#').map_or((link.as_str(), None), |(file, part)| (file, Some(part)));
            let folder = root().join(&path).parent().expect("a folder").to_owned();
            let target = if file.is_empty() { root().join(&path) } else { folder.join(file) };
            let there = target.exists()
                && part.is_none_or(|part| {
                    std::fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(part))
                });
            if !there {
                wrong.push(format!("{path}: {link}"));
            }
        }
    }
    assert!(wrong.is_empty(), "links that lead nowhere:\n{}", wrong.join("\n"));
}

#[test]
fn every_page_can_be_reached_from_the_readme() {
    let linked: BTreeSet<String> = links(&page("README.md")).into_iter().collect();
    for path in pages().into_keys().filter(|path| path != "README.md") {
        assert!(linked.contains(&path), "the README does not link {path}");
    }
}

/// A guarantee names the test that holds it: `checks.rs::healthy_clusters_stay_silent`.
#[test]
fn every_test_that_the_documents_name_exists() {
    let mut seen = 0;
    for (path, text) in pages() {
        for (file, name) in text.split('`').filter_map(|code| code.split_once(".rs::")) {
            if file.contains(char::is_whitespace) {
                continue;
            }
            let there = page(&format!("tests/it/{file}.rs")).contains(&format!("fn {name}("));
            assert!(there, "{path}: tests/it/{file}.rs has no test {name}");
            seen += 1;
        }
    }
    assert!(seen > 40, "only {seen} tests are named");
}

/// The prose is for anybody, anywhere.
#[test]
fn the_documents_name_no_machine() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(1).filter(|folder| folder.parent().is_some());
    let here = here.map(|folder| format!("{}/", folder.display()));
    let home = std::env::home_dir().map(|folder| format!("{}/", folder.display()));
    for (path, text) in pages() {
        for word in ["/tmp/", "/home/", "/Users/"].into_iter().chain(here.as_deref()).chain(home.as_deref()) {
            assert!(!text.contains(word), "{path} names {word}");
        }
    }
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
