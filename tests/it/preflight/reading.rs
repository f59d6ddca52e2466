//! What `preflight` reads: every way in which kubectl is given manifests, and what it says where it cannot.

use std::path::Path;

use aksiso::sources::manifests::{read, read_text};
use serde_json::Value;

use super::pipeline::{err, out, preflight};
use crate::fixtures;

/// The images of files, with their lines and objects.
fn places(path: &Path) -> Vec<(String, usize, String)> {
    let manifests = read(&[path.to_owned()], &[]).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
    manifests.places.into_iter().map(|place| (place.image, place.line, place.object)).collect()
}

fn shop() -> String {
    std::fs::read_to_string(fixtures::folder().join("manifests/shop.yaml")).expect("a fixture")
}

fn pod(name: &str, image: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{containers: [{{name: c, image: \"{image}\"}}]}}\n"
    )
}

/// The same manifests in every encoding are the same images at the same lines.
#[test]
fn encodings_change_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = shop();
    let plain = folder.path().join("plain.yaml");
    std::fs::write(&plain, &text).expect("written");
    let expected = places(&plain);
    assert!(expected.len() > 3);
    let wide = |unit: fn(u16) -> [u8; 2]| format!("\u{feff}{text}").encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    let others: [(&str, Vec<u8>); 5] = [
        ("UTF-16, little end first", wide(u16::to_le_bytes)),
        ("UTF-16, big end first", wide(u16::to_be_bytes)),
        (
            "a byte order mark in front of each document",
            format!("\u{feff}{}", text.replace("\n---\n", "\n---\n\u{feff}")).into(),
        ),
        ("lines of Windows", text.replace('\n', "\r\n").into()),
        ("a comment in Latin-1", [text.as_bytes(), b"# caf\xe9\n"].concat()),
    ];
    for (name, bytes) in others {
        let path = folder.path().join("other.yaml");
        std::fs::write(&path, bytes).expect("written");
        assert_eq!(places(&path), expected, "{name}");
    }
}

/// One value of JSON after another, on lines of their own or not.
#[test]
fn json_may_follow_json() {
    let value = |name: &str| {
        format!(
            r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}"}},"spec":{{"containers":[{{"name":"\ud83d\ude00","image":"{name}"}}]}}}}"#
        )
    };
    for between in ["\n", "", "\n\n"] {
        let text = format!("{}{between}{}\n", value("a"), value("b"));
        let found = read_text("-", &text, &[]).expect("manifests");
        let lines: Vec<usize> = found.places.iter().map(|place| place.line).collect();
        assert_eq!((found.objects, lines), (2, vec![1, 1 + between.len()]), "{between:?}");
    }
}

/// Quoted text goes on where kubectl lets it.
#[test]
fn quoted_text_may_go_on_at_its_parents_indentation() {
    let text = pod("a", "quay.io/a:1").replace("metadata:", "x:\n  command: [sh]\n  y: \"one\n  two\"\nmetadata:");
    assert_eq!(read_text("-", &text, &[]).expect("manifests").places[0].line, 8);
}

/// Everything that cannot be read is told, what can be read is judged, and the run fails.
#[test]
fn one_unreadable_file_does_not_hide_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        std::fs::write(path, text).expect("written");
    };
    write("good.yaml", &pod("good", "quay.io/a:1"));
    write("cut.yaml", "a: [1\n");
    write("half.yaml", &format!("{}---\na: [1\n", pod("half", "quay.io/half:1")));
    write("template.yaml", "metadata:\n  name: {{ .Release.Name }}-x\n");
    write("chart/Chart.yaml", "name: x\n");
    write("laughs.yaml", &(format!("a: &a [{}]\n", "x,".repeat(3_000)) + &"b: [*a, *a, *a, *a]\n".repeat(300)));
    let path = folder.path().to_str().expect("a path");
    let output = preflight(&[path, "missing.yaml", "--output", "json"], "");
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    let said = err(&output);
    for words in [
        "chart is a Helm chart",
        "missing.yaml does not exist",
        "cut.yaml, line ",
        "half.yaml, line ",
        "template.yaml, line 2: it is a template that was not rendered",
        "laughs.yaml, line 12: its aliases and merge keys stand for far more",
        "hint: render it first",
        "hint: expected manifests in YAML or JSON",
    ] {
        assert!(said.contains(words), "no {words:?} in: {said}");
    }
    let report: Value = serde_json::from_str(&out(&output)).expect("a whole report");
    let entries = report["preflight"]["unreadable"].as_array().expect("a list");
    assert_eq!(entries.len(), 6, "{entries:?}");
    assert!(
        entries
            .iter()
            .any(|entry| entry["line"] == 2 && entry["file"].as_str().is_some_and(|f| f.ends_with("template.yaml")))
    );
    let images: Vec<&str> = report["preflight"]["images"]
        .as_array()
        .expect("images")
        .iter()
        .filter_map(|entry| entry["image"].as_str())
        .collect();
    assert_eq!(images, ["quay.io/a:1"], "a file is read whole or not at all");
    assert_eq!(report["checks"][0]["gaps"].as_array().map(Vec::len), Some(6));
    for format in ["table", "json"] {
        let shown = out(&preflight(&[path, "--output", format], ""));
        assert!(shown.contains("half.yaml, line "), "{format}: {shown}");
    }
    let baseline = folder.path().join("baseline.json");
    let args = [path, "--baseline", baseline.to_str().expect("a path"), "--update-baseline"];
    assert_eq!(preflight(&args, "").status.code(), Some(2));
    assert!(!baseline.exists(), "what could not be read would be missing from it");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::symlink;
    use std::process::{Command, Stdio};

    use super::*;

    /// Pipes that a shell makes, and standard input by another name.
    #[test]
    fn pipes_are_read_like_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let aksiso = env!("CARGO_BIN_EXE_aksiso");
        let from = fixtures::folder().join("healthy/byo.json");
        let text = folder.path().join("pod.yaml");
        std::fs::write(&text, pod("p", "quay.io/a:1")).expect("written");
        let run = |script: &str| {
            let mut bash = Command::new("bash");
            bash.current_dir(folder.path()).env("A", aksiso).env("F", &from).args(["-c", script]).stdin(Stdio::null());
            let output = bash.output().expect("bash");
            assert!(out(&output).contains("quay.io/a:1"), "{script}: {}{}", out(&output), err(&output));
            assert_eq!(output.status.code(), Some(1), "{script}");
        };
        run("$A preflight /dev/stdin --from $F --no-config < pod.yaml");
        run("cat pod.yaml | $A preflight /dev/stdin --from $F --no-config");
        run("$A preflight <(cat pod.yaml) <(cat pod.yaml) --from $F --no-config");
        run("mkfifo pipe; cat pod.yaml > pipe & $A preflight pipe --from $F --no-config");
    }

    /// Links are followed within the folder that was named; one that leads out is told.
    #[test]
    fn links_are_followed_or_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let elsewhere = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("all");
        std::fs::create_dir_all(root.join(".data")).expect("created");
        std::fs::write(root.join(".data/pod.yaml"), pod("p", "quay.io/a:1")).expect("written");
        std::fs::write(elsewhere.path().join("pod.yaml"), pod("q", "quay.io/b:1")).expect("written");
        symlink(".data", root.join("data")).expect("a link");
        symlink("..", root.join(".data/up")).expect("a link that leads back");
        symlink(elsewhere.path().join("pod.yaml"), root.join("file.yaml")).expect("a link");
        symlink(elsewhere.path(), root.join("outside")).expect("a link");
        let manifests = read(std::slice::from_ref(&root), &[]).expect("manifests");
        let images: Vec<&str> = manifests.places.iter().map(|place| place.image.as_str()).collect();
        assert_eq!(images, ["quay.io/a:1", "quay.io/b:1"]);
        assert_eq!(manifests.unfollowed.len(), 1);
        assert!(manifests.unfollowed[0].ends_with("outside") && manifests.unreadable.is_empty(), "{manifests:?}");
        symlink("nowhere.yaml", root.join("broken.yaml")).expect("a link");
        let manifests = read(&[root], &[]).expect("manifests");
        assert!(manifests.unreadable[0].message.contains("leads to nothing"), "{manifests:?}");
    }
}
