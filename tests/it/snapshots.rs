//! The shipped example: a whole snapshot with three faults, kept equal to the case that it shows.

use crate::fixtures;

/// The example that the README runs.
pub fn example() -> std::path::PathBuf {
    fixtures::folder().join("example.json")
}

#[test]
fn the_example_is_the_case_of_three_faults() {
    let (_, snapshot) = fixtures::case(&fixtures::folder().join("cases/three-faults.json"));
    let rendered = aksiso::snapshot::render(&fixtures::evidence(&snapshot)).expect("JSON");
    if std::env::var_os("AKSISO_UPDATE").is_some() {
        std::fs::write(example(), &rendered).expect("written");
    }
    let shipped = std::fs::read_to_string(example()).unwrap_or_default();
    assert!(shipped == rendered, "fixtures/example.json is not the case: run the tests once with AKSISO_UPDATE=1");
}
