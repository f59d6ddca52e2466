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

/// A cut-over that is half done: what the README shows of `cutover` and `--what-if`.
pub fn half_way() -> std::path::PathBuf {
    fixtures::folder().join("half-way.json")
}

#[test]
fn the_half_way_example_is_a_part_of_the_story() {
    let (_, snapshot) = fixtures::stage(&fixtures::folder().join("cutover/story-5-half-reimaged.json"));
    let rendered = aksiso::snapshot::render(&fixtures::evidence(&snapshot)).expect("JSON");
    if std::env::var_os("AKSISO_UPDATE").is_some() {
        std::fs::write(half_way(), &rendered).expect("written");
    }
    let shipped = std::fs::read_to_string(half_way()).unwrap_or_default();
    assert!(shipped == rendered, "fixtures/half-way.json is not the stage: run the tests once with AKSISO_UPDATE=1");
}
