//! Everything that is printed as JSON, of every fixture, in reviewed files: a text, a command, a line of evidence never
//! changes unnoticed. After an intended change: `INSTA_UPDATE=always cargo test pinned`, and read the diff.

use std::path::Path;

use aksiso::checks::command::Shell;
use aksiso::report::cutover::{CutoverFormat, render};
use aksiso::report::json;
use aksiso::report::model::Report;
use insta::{Settings, assert_snapshot, glob};
use serde_json::Value;

use crate::cutover::{goal, policy};
use crate::{fixtures, judged};

/// Files of their own folder, whose first lines say which fixture they are of.
fn pinned(assert: impl FnOnce()) {
    let mut settings = Settings::clone_current();
    settings.set_snapshot_path("../pinned");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(assert);
}

fn healthy(path: &Path) -> Value {
    fixtures::healthy_json(&path.file_stem().expect("a name").to_string_lossy())
}

#[test]
fn pinned_healthy_clusters() {
    glob!("../../fixtures/healthy", "*.json", |path| {
        pinned(|| assert_snapshot!("healthy", judged::json(&fixtures::evidence(&healthy(path)))));
    });
}

#[test]
fn pinned_cases() {
    glob!("../../fixtures/cases", "*.json", |path| {
        pinned(|| assert_snapshot!("case", judged::json(&fixtures::evidence(&fixtures::case(path).1))));
    });
}

/// A stage of the cut-over, as both subcommands see it.
#[test]
fn pinned_stages() {
    glob!("../../fixtures/cutover", "*.json", |path| {
        let (stage, snapshot) = fixtures::stage(path);
        let evidence = fixtures::evidence(&snapshot);
        let cutover = judged::cutover(&evidence, goal(&stage), policy(&stage));
        let steps = render::render(&cutover, CutoverFormat::Json, Shell::Posix, 100).expect("a report");
        pinned(|| assert_snapshot!("stage", format!("{}\n{steps}", judged::json(&evidence))));
    });
}

/// The same manifests on every healthy kind of cluster.
#[test]
fn pinned_manifests() {
    glob!("../../fixtures/healthy", "*.json", |path| {
        let report = preflight(&healthy(path));
        pinned(|| assert_snapshot!("preflight", json::render(&report).expect("a report")));
    });
}

/// On the faulty ones a line an image: whatever is broken in a chain, the verdicts follow.
#[test]
fn pinned_verdicts() {
    glob!("../../fixtures/cases", "*.json", |path| {
        let images = preflight(&fixtures::case(path).1).preflight.expect("images").images;
        let lines = images
            .iter()
            .map(|image| format!("{} {} [{}] {}\n", image.verdict, image.image, image.rules.join(" "), image.detail));
        pinned(|| assert_snapshot!("verdicts", lines.collect::<String>()));
    });
}

fn preflight(snapshot: &Value) -> Report {
    let text = std::fs::read_to_string(fixtures::folder().join("manifests/shop.yaml")).expect("manifests");
    let manifests =
        aksiso::sources::manifests::read_text("fixtures/manifests/shop.yaml", &text, &[]).expect("manifests");
    judged::preflight(&fixtures::evidence(snapshot), &manifests)
}
