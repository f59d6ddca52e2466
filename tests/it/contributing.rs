//! The steps of CONTRIBUTING.md are all there are: whatever has a name stands in its places, and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aksiso::answers;
use aksiso::checks::catalogue;
use aksiso::evidence::Section;
use aksiso::evidence::calls::azure;
use aksiso::evidence::calls::kubernetes::KubernetesCall;
use aksiso::report::Format;
use clap::ValueEnum as _;

use crate::fixtures;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}")).replace("\r\n", "\n")
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

/// Every source file by its path below `src/`, without the tests in it.
fn sources() -> BTreeMap<String, String> {
    let (src, mut paths) = (root().join("src"), Vec::new());
    walk(&src, &mut paths);
    let rust = paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let name = |path: &Path| {
        let parts = path.strip_prefix(&src).expect("below src").iter().map(|part| part.to_string_lossy().into_owned());
        parts.collect::<Vec<_>>().join("/")
    };
    rust.map(|path| {
        let text = std::fs::read_to_string(&path).expect("a file").replace("\r\n", "\n");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
        (name(&path), code)
    })
    .collect()
}

fn lines(text: &str, line: &str) -> usize {
    text.lines().filter(|own| own.trim() == line).count()
}

/// One `.rs`, one `.md`, one line in the list of modules, one in the catalogue. (Its layer is held by the tests of `explain`.)
#[test]
fn a_check_stands_in_its_places_and_nowhere_else() {
    let (sources, modules, list) = (sources(), read("src/checks.rs"), read("src/checks/catalogue.rs"));
    for check in catalogue::ALL {
        let id = check.about.id;
        let module = id.replace('-', "_");
        let file = format!("checks/{module}.rs");
        let own = sources.get(&file).unwrap_or_else(|| panic!("{id} has no src/{file}"));
        assert_eq!(own.matches("pub const CHECK: Check").count(), 1, "{file}");
        assert!(own.contains(&format!("include_str!(\"{id}.md\")")), "{file} has another page than {id}.md");
        assert!(root().join(format!("src/checks/{id}.md")).is_file(), "{id} has no page");
        assert_eq!(lines(&modules, &format!("pub mod {module};")), 1, "{id} in src/checks.rs");
        assert_eq!(lines(&list, &format!("&{module}::CHECK,")), 1, "{id} in src/checks/catalogue.rs");
        // `registry` is a word of ARM's too, and a change that one thinks of may be one of a `private-endpoint`.
        if id.contains('-') {
            let mut named = naming(&sources, id);
            named.retain(|file, _| *file != "answers/whatif.rs");
            assert_eq!(named.into_keys().collect::<Vec<_>>(), [&file], "{id} is named as text");
        }
    }
    let defined = sources.values().filter(|text| text.contains("pub const CHECK: Check")).count();
    assert_eq!(defined, catalogue::ALL.len(), "a check that is not in the catalogue");
}

/// The files in which a name stands as text, and how often.
fn naming<'s>(sources: &'s BTreeMap<String, String>, name: &str) -> BTreeMap<&'s String, usize> {
    let literal = format!("\"{name}\"");
    let count = |text: &String| text.matches(&literal).count();
    sources.iter().map(|(file, text)| (file, count(text))).filter(|(_, count)| *count > 0).collect()
}

/// Its constant, its section of the page and a case; every other place refers to the constant.
#[test]
fn a_rule_stands_in_its_places_and_nowhere_else() {
    let sources = sources();
    let cases: Vec<_> = fixtures::files("cases").into_values().map(|path| fixtures::case(&path).0).collect();
    let mut expected = BTreeSet::new();
    for line in cases.iter().flat_map(|case| &case.expect) {
        expected.insert(line.split(' ').next().unwrap_or_default());
    }
    for set in answers::rule_sets() {
        let module = set.id.replace('-', "_");
        for rule in set.rules {
            let id = rule.id;
            let places = naming(&sources, id);
            assert_eq!(places.values().sum::<usize>(), 1, "{id} is written as text in {places:?}");
            let file = places.keys().next().expect("one place").as_str();
            let own = [format!("checks/{module}"), format!("answers/{module}/rules.rs")];
            assert!(own.iter().any(|own| file.starts_with(own)), "{id} of {} is defined in {file}", set.id);
            let definition = &sources[file][..sources[file].find(&format!("\"{id}\"")).expect("it is there")];
            let constructor = definition.trim_end().trim_end_matches('(');
            let declared = ["Rule::error", "Rule::warning", "Rule::info"].iter().any(|own| constructor.ends_with(own));
            assert!(declared, "{id} in {file} is no rule's constant");
            assert_eq!(lines(set.doc, &format!("## {id}")), 1, "{id} has no section of its own in {}.md", set.id);
            // Rules of preflight are about manifests, which no case holds: tests/it/preflight.rs says that each fires.
            assert!(set.id == "preflight" || expected.contains(id), "{id} is expected in no case of fixtures/cases");
        }
    }
}

/// Its constant and its line in `ALL`; it is asked from one of the rooms that talk.
#[test]
fn a_call_stands_in_the_table_and_is_made() {
    let (sources, table) = (sources(), read("src/evidence/calls/azure.rs"));
    let names = |text: &str, begin: &str, end: &str| -> Vec<String> {
        let rest = text.lines().filter_map(|line| line.trim().strip_prefix(begin));
        rest.filter_map(|rest| Some(rest.split_once(end)?.0.to_owned())).collect()
    };
    let asked = |name: &str| {
        let talking = sources.iter().filter(|(file, _)| file.starts_with("sources/") || file.starts_with("app/"));
        talking.into_iter().any(|(_, text)| text.contains(name))
    };
    let defined = names(&table, "pub const ", ": Api");
    assert_eq!(defined.len(), azure::ALL.len(), "a call of ARM that is not in ALL");
    for name in defined {
        assert_eq!(lines(&table, &format!("{name},")), 1, "{name} in ALL");
        assert!(asked(&format!("api::{name}")), "nobody asks for {name}");
    }
    let kubernetes = read("src/evidence/calls/kubernetes.rs");
    let defined = names(&kubernetes, "pub const ", ": Self");
    assert_eq!(defined.len(), KubernetesCall::ALL.len(), "a call of Kubernetes that is not in ALL");
    for name in defined {
        assert!(asked(&format!("KubernetesCall::{name}")), "nobody asks for {name}");
    }
    let sections = azure::ALL.iter().flat_map(|api| api.sections).copied();
    let sections: BTreeSet<Section> =
        sections.chain(KubernetesCall::ALL.iter().flat_map(|permission| permission.sections).copied()).collect();
    assert_eq!(sections, BTreeSet::from(Section::ALL), "a section that no call fills");
}

/// Its file, its arm of `render`, and a row of the table for readers.
#[test]
fn a_format_stands_in_its_places() {
    let (report, page) = (read("src/report.rs"), read("docs/ci.md"));
    for format in Format::value_variants() {
        assert_eq!(report.matches(&format!("Format::{format:?} =>")).count(), 1, "{format:?} in src/report.rs");
        let value = format.to_possible_value().expect("a word");
        let name = value.get_name();
        let row = page.lines().any(|line| line.starts_with('|') && line.contains(&format!("`{name}`")));
        assert!(row, "{name} has no row in docs/ci.md");
    }
}
