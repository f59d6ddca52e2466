//! The shipped example: a whole snapshot with three faults, kept equal to the case that it shows.

use crate::fixtures;

/// The example that the README runs.
pub fn example() -> std::path::PathBuf {
    fixtures::folder().join("example.json")
}

#[test]
fn the_example_is_the_case_of_three_faults() {
    let (_, snapshot) = fixtures::case(&fixtures::folder().join("cases/three-faults.json"));
    let rendered = aksiso::evidence::snapshot::render(&fixtures::evidence(&snapshot)).expect("JSON");
    if std::env::var_os("AKSISO_UPDATE").is_some() {
        std::fs::write(example(), &rendered).expect("written");
    }
    let shipped = std::fs::read_to_string(example()).unwrap_or_default();
    assert!(shipped == rendered, "fixtures/example.json is not the case: run the tests once with AKSISO_UPDATE=1");
}

/// A cut-over that is half done: what docs/cutover.md shows.
pub fn half_way() -> std::path::PathBuf {
    fixtures::folder().join("story/5-half-reimaged.json")
}

/// The story of a cut-over, to be read with the tool itself: `aksiso cutover --from fixtures/story/1-not-ready.json`.
#[test]
fn the_story_is_told_in_snapshots() {
    let chapters = fixtures::files("cutover")
        .into_iter()
        .filter_map(|(name, path)| Some((name.strip_prefix("story-")?.to_owned(), path)));
    let mut told = 0;
    for (name, path) in chapters {
        let (_, snapshot) = fixtures::stage(&path);
        let rendered = aksiso::evidence::snapshot::render(&fixtures::evidence(&snapshot)).expect("JSON");
        let chapter = fixtures::folder().join(format!("story/{}.json", name.trim_end_matches(".json")));
        if std::env::var_os("AKSISO_UPDATE").is_some() {
            std::fs::write(&chapter, &rendered).expect("written");
        }
        let shipped = std::fs::read_to_string(&chapter).unwrap_or_default();
        assert!(shipped == rendered, "{} is not the stage: run the tests once with AKSISO_UPDATE=1", chapter.display());
        told += 1;
    }
    assert_eq!((told, fixtures::files("story").len()), (8, 8));
}

/// Whoever wants to look at a fixture with the tool itself gets it as a snapshot: `cargo run --example fixtures -- FOLDER`.
#[test]
fn every_fixture_can_be_written_out_as_a_snapshot() {
    let folder = tempfile::tempdir().expect("a folder");
    let count = fixtures::write_all(folder.path()).expect("written");
    let mut read = 0;
    for kind in ["healthy", "cases", "cutover"] {
        for name in fixtures::files(kind).into_keys() {
            let file = folder.path().join(format!("{kind}/{name}.json"));
            let evidence = aksiso::app::files::read_snapshot(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(evidence == fixtures::evidence(&fixtures::named(&format!("{kind}/{name}"))), "{name}");
            read += 1;
        }
    }
    assert_eq!(read, count);
}
