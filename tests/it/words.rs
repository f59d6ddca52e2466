//! Texts that people read are an operator's English: phrases that are not stay out of them.

use std::path::{Path, PathBuf};

/// What is not written, and what is written instead.
const BANNED: [(&str, &str); 29] = [
    ("made anew", "reimaged (a node), recreated (a resource)"),
    (" anew", "again"),
    ("mends", "fixes"),
    ("mended", "fixed"),
    ("take it out", "remove it"),
    ("put it back", "restore it"),
    ("put back", "restore"),
    ("nobody owns", "Azure's shared default outbound IP"),
    ("nobody has tried", "not verified"),
    ("must not know", "say who may see it"),
    ("nothing by itself", "none"),
    ("could not be told", "could not be determined"),
    ("judged as if it", "the report below assumes"),
    ("so not judged", "Could not check"),
    ("nodes come up", "nodes join, node bootstrap"),
    ("do not come up", "do not join"),
    ("ways out of", "egress paths"),
    ("pulled again", "re-pulled"),
    ("the manifest came", "manifest pulled"),
    ("comes about", "happens"),
    ("not come about", "fails"),
    ("whether it is there was not asked", "existence not verified; use --registry"),
    ("not called safe", "NOT VERIFIED SAFE"),
    ("that the cluster does not have now", "New findings"),
    ("stopped enlarging", "backed off scaling up"),
    ("minutes to spread", "minutes to propagate"),
    ("what drains take", "plus drain time"),
    ("is no date", "is not a valid date"),
    ("all the same", "still, nevertheless"),
];

/// A field of the JSON report, whose name is a promise.
const FIELDS: [&str; 4] = [".mends", "mends:", "mends,", "`mends`"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

/// Whether a phrase stands in a text, and is no part of another word.
fn stands(text: &str, phrase: &str) -> bool {
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(phrase).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + phrase.len()..].chars().next());
        !letter(before) && !letter(after) || phrase.starts_with(' ')
    })
}

#[test]
fn no_text_holds_a_phrase_that_an_operator_would_not_write() {
    let mut files = vec![root().join("README.md"), root().join("SECURITY.md")];
    for folder in ["src", "docs"] {
        walk(&root().join(folder), &mut files);
    }
    let mut wrong = Vec::new();
    for file in files {
        let name = file.strip_prefix(root()).expect("below the root").display().to_string().replace('\\', "/");
        let text = file.extension().is_some_and(|kind| ["rs", "md", "txt"].iter().any(|known| kind == *known));
        if !text {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("a file").to_lowercase();
        // A phrase may stand across the break of a line.
        let joined = text.split_whitespace().filter(|word| !["///", "//", "//!", "\\"].contains(word));
        let joined = joined.collect::<Vec<_>>().join(" ");
        let joined = FIELDS.iter().fold(format!(" {joined} "), |text, field| text.replace(field, ""));
        for (phrase, instead) in BANNED {
            if stands(&joined, phrase) {
                wrong.push(format!("{name}: \"{phrase}\"; write: {instead}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
