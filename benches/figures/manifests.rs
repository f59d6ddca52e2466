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
    hostile(folder.path(), &snapshot);
}

/// Manifests that are made to be expensive: whether the cost of a byte stays the same where there are ten times more.
fn hostile(folder: &Path, snapshot: &Path) {
    const BYTES: usize = 400_000;
    for (name, spec) in KINDS {
        let cost = |bytes: usize| {
            let path = folder.join(format!("{bytes}.yaml"));
            std::fs::write(&path, format!("{HEAD}{}", spec(bytes))).expect("written");
            measure::best(3, || {
                let mut command = measure::aksiso();
                command.args(["preflight", "--no-config", "--output", "json", "--from"]).arg(snapshot).arg(&path);
                command.stdin(Stdio::null());
                command
            })
        };
        let (few, many) = (cost(BYTES), cost(BYTES * 10));
        println!(
            "  {name}: {:.2} s, {:.0} MiB; one byte of {} / one of {BYTES}: {:.2} (flat = 1)",
            seconds(&many),
            many.peak,
            BYTES * 10,
            seconds(&many) / seconds(&few) / 10.0
        );
    }
}

/// A pod, and a custom resource whose specification follows.
const HEAD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: \"mcr.microsoft.com/a:1\"}]}\n---\napiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec:\n";

/// Writes about so many bytes of a specification.
type Spec = fn(usize) -> String;

/// What is expensive, and how to write it.
const KINDS: [(&str, Spec); 4] = [
    ("anchors in anchors", |bytes| {
        let open = (0..150).map(|level| format!("&a{level} [")).collect::<Vec<_>>().concat();
        format!("  list: {open}{}x{}\n", "x, ".repeat(bytes / 3), "]".repeat(150))
    }),
    ("merge keys", |bytes| {
        let keys = (0..bytes / 14).map(|key| format!("k{key}: v, ")).collect::<Vec<_>>().concat();
        format!("  base: &b {{{keys}}}\n  all: {{<<: [{}]}}\n", ["*b"; 8].join(", "))
    }),
    ("aliases up to the bound", |bytes| {
        format!("  text: &t \"{}\"\n  all: [{}]\n", "a b ".repeat(bytes / 4), ["*t"; 19].join(", "))
    }),
    ("containers and images", |bytes| {
        let item = |number| format!("  - {{name: c, image: \"mcr.microsoft.com/a{number}:1\", args: [a]}}\n");
        format!("  list:\n{}", (0..bytes / 70).map(item).collect::<Vec<_>>().concat())
    }),
];

fn seconds(cost: &measure::Cost) -> f64 {
    cost.wall.as_secs_f64()
}

#[allow(clippy::cast_precision_loss, reason = "a size in MB")]
fn mega(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
