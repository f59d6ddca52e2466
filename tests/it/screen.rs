//! The first screen: what it says, that it is short, and that it reads well wherever it is read.

use std::collections::BTreeSet;

use aksiso::answers::chain::{LinkState, Place};
use aksiso::answers::cutover::{Goal, ReimagePolicy};
use aksiso::answers::rule_named;
use aksiso::checks::command::Shell;
use aksiso::evidence::Section;
use aksiso::report::cutover::{CutoverFormat, render};
use aksiso::report::model::Report;
use aksiso::report::{self, Format, Options, html, marks, mermaid};
use insta::{Settings, assert_snapshot};

use crate::{fixtures, judged};

/// Most lines of a first screen with five findings, at 100 columns.
const LINES: usize = 30;

fn reports() -> impl Iterator<Item = (String, Report)> {
    fixtures::all().into_iter().map(|(name, snapshot)| (name, judged::report(&fixtures::evidence(&snapshot))))
}

fn screen(report: &Report, options: &Options<'_>) -> String {
    let text = report::render(report, Format::Table, options).expect("a report");
    anstream::adapter::strip_str(&text).to_string()
}

fn wide(width: usize) -> Options<'static> {
    Options { width, ..Options::default() }
}

#[test]
fn the_chain_says_what_the_findings_say() {
    for (name, report) in reports() {
        let places: Vec<&str> = report.chain.iter().map(|link| link.link.as_str()).collect();
        assert_eq!(places, Place::ALL.map(Place::as_str), "{name}");
        for link in &report.chain {
            let own: Vec<_> = report.findings.iter().filter(|own| link.findings.contains(&own.fingerprint)).collect();
            assert_eq!(own.len(), link.findings.len(), "{name}: {} names findings that are not there", link.link);
            assert!(own.iter().all(|own| own.severity != "info"), "{name}");
            let wrong = matches!(LinkState::of(&link.state), LinkState::Broken | LinkState::Warning);
            assert_eq!(wrong, !own.is_empty(), "{name}: {}", link.link);
            let error = own.iter().any(|own| own.severity == "error");
            assert!(!error || link.state == "broken", "{name}: {}", link.link);
        }
        // Whatever breaks every pull is a broken link, or shows at that of its cause.
        let linked: BTreeSet<&String> = report.chain.iter().flat_map(|link| &link.findings).collect();
        for finding in report.findings.iter().filter(|own| own.severity == "error") {
            let breaks = rule_named(&finding.rule).is_some_and(|(_, rule)| rule.breaks_pulls);
            let at_cause = finding.caused_by.iter().any(|cause| linked.contains(cause));
            assert!(!breaks || at_cause || linked.contains(&finding.fingerprint), "{name}: {}", finding.rule);
        }
    }
}

/// Not knowing is never passing: a check with a gap leaves no link right that it looks at.
#[test]
fn a_link_is_right_only_where_all_of_it_was_seen() {
    for (name, report) in reports() {
        let ok = |place: Place| report.chain.iter().any(|link| link.link == place.as_str() && link.state == "ok");
        assert!(!ok(Place::Upstream), "{name}: nobody looks at Microsoft's registry");
        for check in report.checks.iter().filter(|check| !check.gaps.is_empty()) {
            let own = Place::ALL.into_iter().filter(|place| place.checks().any(|own| own.about.id == check.id));
            own.for_each(|place| assert!(!ok(place), "{name}: {} did not see everything", check.id));
        }
        if report.verdict == "healthy" {
            let mut before = report.chain.iter().map(|link| LinkState::of(&link.state)).take(5);
            assert!(before.all(|state| matches!(state, LinkState::Ok | LinkState::NotApplicable)), "{name}");
        }
    }
}

/// The same for what nobody asked: without a section, no link is right whose check needs it.
#[test]
fn a_link_is_not_right_without_its_sections() {
    for section in Section::ALL {
        let mut evidence = fixtures::healthy("byo");
        section.blank(&mut evidence);
        let report = judged::report(&evidence);
        let blind: BTreeSet<&str> =
            report.checks.iter().filter(|check| !check.gaps.is_empty()).map(|check| check.id.as_str()).collect();
        for link in &report.chain {
            let place = Place::of(&link.link).expect("a link");
            let unseen = place.checks().any(|check| blind.contains(check.about.id));
            assert!(!unseen || link.state != "ok", "{section:?}: {}", link.link);
        }
    }
}

#[test]
fn root_causes_symptoms_and_notes_add_up() {
    for (name, report) in reports() {
        let summary = &report.summary;
        let symptoms = report.findings.iter().filter(|own| !own.caused_by.is_empty() && own.severity != "info").count();
        assert!(summary.symptoms >= symptoms, "{name}");
        let notes = report.findings.len() - summary.root_causes - summary.symptoms;
        let infos = report.findings.iter().filter(|own| own.severity == "info").count();
        assert!(notes <= infos, "{name}: {notes} notes, {infos} infos");
        let line = screen(&report, &wide(4_000)).lines().next().expect("a line").to_owned();
        for (number, noun) in [(summary.root_causes, "root cause"), (summary.symptoms, "symptom"), (notes, "note")] {
            let said = aksiso::text::count(number, noun);
            assert!(number == 0 || line.contains(&said), "{name}: {said} in: {line}");
        }
    }
}

#[test]
fn five_findings_take_thirty_lines_and_nothing_is_said_twice() {
    for (name, report) in reports() {
        for width in [80, 100, 120, 200] {
            let text = screen(&report, &wide(width));
            if report.findings.len() <= 5 && width >= 100 {
                assert!(text.lines().count() <= LINES, "{name}: {} lines\n{text}", text.lines().count());
            }
            for finding in &report.findings {
                let shown = finding.severity == "info" || text.contains(&finding.rule) || text.contains(" more");
                assert!(shown, "{name}: {} is not there\n{text}", finding.rule);
            }
            let indented = |line: &&str| line.starts_with("     ") && !line.contains("…");
            let (commands, words): (Vec<&str>, Vec<&str>) = text
                .lines()
                .filter(indented)
                .partition(|line| !line.starts_with("      ") && is_command(line, &report));
            let long = words.iter().find(|line| line.chars().count() > width);
            assert!(long.is_none(), "{name} at {width}: {long:?}");
            assert!(commands.iter().all(|line| !line.ends_with('…')), "{name}: a command is whole or not there");
        }
    }
}

fn is_command(line: &str, report: &Report) -> bool {
    report.findings.iter().any(|own| own.remediation.commands.iter().any(|command| command == line.trim_start()))
}

/// Every command that the first screen shows is one of a root cause, in order and without a gap.
#[test]
fn commands_are_shown_all_or_not_at_all() {
    for (name, report) in reports() {
        let text = screen(&report, &wide(100));
        for finding in report.findings.iter().filter(|own| own.caused_by.is_empty()) {
            let commands = &finding.remediation.commands;
            let shown = commands.iter().filter(|command| text.contains(&format!("     {command}\n"))).count();
            // Another root cause may share a command.
            let block = format!("     {}\n", commands.join("\n     "));
            let shared = report.findings.iter().filter(|own| own.caused_by.is_empty()).any(|own| {
                own.fingerprint != finding.fingerprint
                    && own.remediation.commands.iter().any(|command| commands.contains(command))
            });
            assert!(shown == 0 || text.contains(&block) || shared, "{name}: {}\n{text}", finding.rule);
        }
    }
}

#[test]
fn a_terminal_without_unicode_gets_ascii() {
    for (name, report) in reports() {
        for details in [false, true] {
            let text = screen(&report, &Options { ascii: true, details, ..wide(100) });
            assert!(text.is_ascii(), "{name}: {text}");
        }
    }
}

/// Only a live run says how long it took; the report of a snapshot is the same every time.
#[test]
fn the_time_of_a_live_run_is_told() {
    let report = judged::report(&fixtures::healthy("byo"));
    let took = Some(std::time::Duration::from_millis(1_234));
    assert!(
        screen(&report, &Options { elapsed: took, ..wide(100) }).lines().next().expect("a line").ends_with("1.2 s")
    );
    assert!(!screen(&report, &wide(100)).contains(" s\n"));
}

#[test]
fn times_have_no_fractions() {
    let mut evidence = fixtures::healthy("byo");
    evidence.collected_at = "2026-11-20T12:00:00.123456789Z".parse().expect("a time");
    let json = judged::json(&evidence);
    assert!(json.contains("\"collectedAt\": \"2026-11-20T12:00:00Z\""), "{json}");
}

/// What people see, at the widths that terminals have: to be read when it changes.
#[test]
fn pinned_screens() {
    let mut settings = Settings::clone_current();
    settings.set_snapshot_path("../pinned");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let cases =
        ["three-faults", "many-managed", "many-settings", "role-assignments-forbidden", "kubernetes-unreachable"];
    settings.bind(|| {
        for case in cases {
            let report = judged::report(&fixtures::evidence(&fixtures::named(&format!("cases/{case}"))));
            let at = |width: usize| format!("=== {width} columns\n{}", screen(&report, &wide(width)));
            let ascii = screen(&report, &Options { ascii: true, ..wide(100) });
            let all: String = [80, 100, 120, 200].into_iter().map(at).collect();
            let whole = format!("{all}=== ASCII\n{ascii}=== Mermaid\n{}", mermaid::render(&report));
            assert_snapshot!(format!("screen@{case}"), whole);
        }
        let healthy = judged::report(&fixtures::healthy("byo"));
        assert_snapshot!("screen@healthy", screen(&healthy, &wide(100)));
        let states =
            ["story-1-not-ready", "story-5-half-reimaged", "story-8-done", "back-1-switch", "isolated-age-unknown"];
        let ways = states.map(|stage| {
            let (stage, snapshot) = fixtures::stage(&fixtures::folder().join(format!("cutover/{stage}.json")));
            let evidence = fixtures::evidence(&snapshot);
            let (goal, policy) = (crate::cutover::goal(&stage), crate::cutover::policy(&stage));
            let cutover = judged::cutover(&evidence, goal, policy);
            let text = render::render(&cutover, CutoverFormat::Table, Shell::Posix, 100).expect("a report");
            let plain = anstream::adapter::strip_str(&text).to_string();
            let (head, rest) = plain.split_once("\n\n").expect("a head");
            format!("{}\n{}\n\n", head.lines().next().expect("a state"), rest.split("\n\n").next().expect("the way"))
        });
        assert_snapshot!("screen@cutover", ways.concat());
    });
    let cutover = judged::cutover(&fixtures::healthy("byo"), Goal::Isolated(None), ReimagePolicy::Documented).state;
    assert_eq!(cutover.as_str(), "S4");
}

/// A report in which everything that comes from outside tries to leave its place.
fn hostile() -> Report {
    let bite =
        "\"];end\n%%{init: {}}%%`</svg></pre><script>alert(1)</script>'\" onload=x ##vso[task.x] ::error::x \u{202e}";
    let mut report = judged::report(&fixtures::evidence(&fixtures::named("cases/three-faults")));
    report.cluster.name.push_str(bite);
    for link in &mut report.chain {
        link.subject = Some(bite.to_owned());
    }
    for finding in &mut report.findings {
        for text in [&mut finding.detail, &mut finding.subject.name, &mut finding.remediation.summary] {
            text.push_str(bite);
        }
        finding.evidence.iter_mut().for_each(|seen| seen.value.push_str(bite));
        finding.remediation.commands.push(bite.to_owned());
        "javascript:alert(1)".clone_into(&mut finding.remediation.docs);
    }
    report
}

#[test]
fn pictures_hold_text_and_nothing_else() {
    let report = hostile();
    let chart = mermaid::render(&report);
    for line in chart.lines().filter(|line| line.contains("[\"")) {
        let label = line.split_once("[\"").and_then(|(_, rest)| rest.rsplit_once("\"]")).expect("a label").0;
        assert!(!label.replace("<br/>", "").contains(['"', '<', '>', '%', '{', '`', ']']), "{label}");
    }
    assert!(!chart.contains("%%") && !chart.contains("##") && !chart.contains('\u{202e}'), "{chart}");
    let page = html::render(&report);
    assert_eq!(page.matches("<script").count(), 1, "only its own");
    assert!(!page.contains("alert(1)</") && !page.contains("javascript:alert"), "{page}");
    assert!(!page.contains("##vso") && !page.contains('\u{202e}'));
    assert_eq!(page.matches("</svg>").count(), 2);
    let text = screen(&report, &wide(100));
    assert!(!text.contains("##vso") && text.lines().all(|line| !line.trim_start().starts_with("::")), "{text}");
}

fn is_right(state: &str) -> bool {
    matches!(LinkState::of(state), LinkState::Ok | LinkState::NotApplicable)
}

/// The way to the API server is shown where it is not right, and only there.
#[test]
fn the_way_to_the_api_server_is_shown_where_it_is_not_right() {
    let mut shown = 0;
    for (name, report) in reports() {
        let way = report.chain.iter().filter(|link| Place::of(&link.link).is_some_and(Place::leads_to_api_server));
        let wrong = way.clone().any(|link| !is_right(&link.state));
        assert_eq!(way.count(), 2, "{name}");
        for width in [80, 120] {
            let text = screen(&report, &wide(width));
            assert_eq!(text.contains("API server's DNS"), wrong, "{name} at {width}\n{text}");
        }
        assert_eq!(mermaid::render(&report).contains("API server's DNS"), wrong, "{name}");
        shown += usize::from(wrong);
    }
    assert!(shown > 5, "{shown}");
}

/// Nothing but text leads out of the page: no address that a browser would ask by itself.
#[test]
fn the_page_asks_nobody() {
    for (name, report) in reports() {
        let page = html::render(&report);
        for attribute in [" src=", "url(", "@import", "<link", "<img", "<iframe", "fetch(", "style=", "<object"] {
            assert!(!page.contains(attribute), "{name}: {attribute}");
        }
        assert!(page.contains("default-src 'none'"), "{name}");
        let links = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        assert!(links.into_iter().all(|link| link.starts_with("https://learn.microsoft.com/") || link.starts_with("https://github.com/")), "{name}");
        let leads = |place: &str| Place::of(place).is_some_and(Place::leads_to_api_server);
        let beside =
            |link: &str| leads(link) && report.chain.iter().all(|own| !leads(&own.link) || is_right(&own.state));
        for link in report.chain.iter().filter(|link| !beside(&link.link)) {
            assert!(page.contains(&format!("class=\"link {}\"", link.state)), "{name}: {}", link.link);
        }
    }
    assert_eq!(marks::ascii("✗"), "x");
}
