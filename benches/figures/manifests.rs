//! Ten thousand manifests, as files and over a pipe: how long, and whether the cost of one stays the same.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{fixtures, measure};

const MOST: usize = 10_000;

/// A Deployment as a chart renders it, with images of its own.
fn manifest(number: usize) -> String {
    let mut text = format!(
        "# Source: shop/templates/web.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web-{number}\n  namespace: shop\nspec:\n  template:\n    spec:\n      containers:\n      - name: web\n        image: mcr.microsoft.com/shop/web-{number}:1\n      - name: proxy\n        image: quay.io/proxy/proxy:{number}\n      volumes:\n"
    );
    for volume in 0..20 {
        let _ = write!(text, "      - name: v{volume}\n        configMap:\n          name: conf-{volume}\n");
    }
    text
}

pub fn run() {
    let folder = tempfile::tempdir().expect("a folder");
    let snapshot = fixtures::folder().join("healthy/byo.json");
    let one = folder.path().join("all.yaml");
    let small = folder.path().join("small");
    let large = folder.path().join("large");
    let mut all = String::new();
    for (place, number) in [(&small, MOST / 10), (&large, MOST)] {
        std::fs::create_dir(place).expect("a folder");
        all.clear();
        for number in 0..number {
            let text = manifest(number);
            std::fs::write(place.join(format!("{number:05}.yaml")), &text).expect("written");
            let _ = write!(all, "---\n{text}");
        }
    }
    std::fs::write(&one, &all).expect("written");
    let preflight = |what: &Path| {
        let mut command = measure::aksiso();
        command.args(["preflight", "--no-config", "--output", "json", "--from"]).arg(&snapshot).arg(what);
        command.stdin(Stdio::null());
        command
    };
    let (few, many, piped) = (
        measure::best(5, || preflight(&small)),
        measure::best(3, || preflight(&large)),
        measure::best(3, || preflight(&one)),
    );
    let reading = measure::best(3, || {
        let mut command = Command::new("cat");
        command.arg(&one);
        command
    });
    println!("preflight: {MOST} manifests, {:.1} MB", mega(all.len()));
    println!(
        "  a folder of files: {:.2} s, {:.0} MiB; one stream: {:.2} s, {:.0} MiB",
        seconds(&many),
        many.peak,
        seconds(&piped),
        piped.peak
    );
    println!(
        "  one manifest of {MOST} / one of {}: {:.2} (flat = 1)",
        MOST / 10,
        seconds(&many) / seconds(&few) / 10.0
    );
    println!("  one stream / reading it: {:.0}", seconds(&piped) / seconds(&reading));
}

fn seconds(cost: &measure::Cost) -> f64 {
    cost.wall.as_secs_f64()
}

#[allow(clippy::cast_precision_loss, reason = "a size in MB")]
fn mega(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
