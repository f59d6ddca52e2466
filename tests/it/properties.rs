//! What must hold for any text, not only for those that somebody thought of.

use aksiso::checks::command::{Command, Shell};
use aksiso::diagnosis::plan::Plan;
use aksiso::evidence::anonymize::{self, Pseudonyms};
use aksiso::evidence::id::ResourceId;
use aksiso::evidence::snapshot;
use aksiso::model::message as pull_message;
use aksiso::report::{Format, Options, html, json, mermaid, script};
use aksiso::text;
use clap::ValueEnum as _;
use proptest::prelude::*;
use serde_json::Value;

use crate::{fixtures, judged};

/// Pieces that mean something to a terminal, a pipeline, a shell, Markdown or JSON.
const PIECES: &[&str] = &[
    "\u{1b}[31m",
    "\u{1b}]8;;https://x\u{7}",
    "\u{9b}2J",
    "\u{202e}",
    "\u{2066}",
    "\u{200b}",
    "\u{feff}",
    "\r",
    "\n",
    "\t",
    "\0",
    "::error::x",
    "##vso[task.setvariable]",
    "##[error]",
    "#",
    "::",
    "|",
    "`id`",
    "$(reboot)",
    "${HOME}",
    "'",
    "\"",
    "\\",
    ";",
    "&&",
    ">",
    "<",
    "!x",
    "*",
    "~",
    "%PATH%",
    "\u{2019}",
    "\u{201b}",
    "@",
    ",",
    "-n",
    " ",
    "<b>",
    "](x)",
    "{",
    "}",
    "ü",
    "\u{1f600}",
    "\u{e0001}",
    "aks-",
    "https://",
    "/subscriptions/",
    "10.0.0.1",
    "lookup ",
    "reference \"",
];

/// Any text, made of characters of every kind and of pieces that are known to bite.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => proptest::sample::select(PIECES).prop_map(str::to_owned),
        2 => any::<char>().prop_map(String::from),
        2 => "[a-zA-Z0-9._-]{1,8}",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn steers(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Reads a line as PowerShell does: words between spaces; in single quotes everything is itself but a doubled quote.
fn powershell(line: &str) -> Option<Vec<String>> {
    let is_quote = |c: char| matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}');
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if quoted && is_quote(c) {
            // Two quotes of whatever form are the second one.
            match chars.next_if(|next| is_quote(*next)) {
                Some(next) => word.get_or_insert_default().push(next),
                None => quoted = false,
            }
        } else if quoted {
            word.get_or_insert_default().push(c);
        } else if is_quote(c) {
            quoted = true;
            word.get_or_insert_default();
        } else if c == ' ' {
            words.extend(word.take());
        } else if "$`\"@;|&<>(){},#%".contains(c) {
            return None; // an operator or an expansion
        } else {
            word.get_or_insert_default().push(c);
        }
    }
    words.extend(word);
    (!quoted).then_some(words)
}

/// What a command holds of a text: no character that steers a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if text::is_hostile(c) { '?' } else { c }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cleaned_text_steers_no_terminal(text in hostile()) {
        let clean = text::clean(&text);
        prop_assert!(!clean.contains('\n') && !clean.chars().any(steers), "{clean:?}");
        prop_assert_eq!(text::clean(&clean), clean);
    }

    #[test]
    fn a_ci_log_finds_no_command(text in hostile()) {
        let safe = text::for_ci_log(&text);
        prop_assert!(!safe.contains("##"), "{safe:?}");
        prop_assert!(safe.split(['\n', '\r']).all(|line| !line.trim_start().starts_with("::")), "{safe:?}");
    }

    #[test]
    fn escaped_json_is_the_same_json(text in hostile()) {
        let json = text::escape_json(&serde_json::to_string_pretty(&serde_json::json!({ &text: [&text] })).expect("JSON"));
        prop_assert!(!json.contains("##") && !json.chars().any(steers), "{json:?}");
        let back: Value = serde_json::from_str(&json).expect("JSON");
        prop_assert_eq!(back, serde_json::json!({ &text: [&text] }));
    }

    #[test]
    fn a_shell_reads_back_every_word(words in proptest::collection::vec(hostile(), 1..5)) {
        let command = words.iter().fold(Command::new("az"), Command::word);
        let expected: Vec<String> = std::iter::once("az".to_owned()).chain(words.iter().map(|word| printable(word))).collect();
        let posix = command.line(Shell::Posix);
        prop_assert!(!posix.contains('\n'));
        prop_assert_eq!(shlex::split(&posix), Some(expected.clone()));
        prop_assert_eq!(powershell(&command.line(Shell::Powershell)), Some(expected));
    }

    #[test]
    fn ids_are_read_or_refused(text in hostile()) {
        let id = format!("/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/{text}/providers/Microsoft.ContainerService/managedClusters/{text}");
        for candidate in [&text, &id] {
            if let Ok(read) = ResourceId::parse(candidate, "Microsoft.ContainerService/managedClusters") {
                prop_assert!(read.subscription().is_some() && read.resource_group().is_some() && !read.name().is_empty());
                prop_assert!(!read.as_str().chars().any(|c| c.is_control() || c.is_whitespace()));
                prop_assert_eq!(read.as_str().split('/').count(), 9);
            }
        }
    }

    #[test]
    fn any_message_of_a_pull_is_read(text in hostile(), server in proptest::option::of(hostile())) {
        let reading = pull_message::read(&text, server.as_deref());
        prop_assert_eq!(pull_message::read(&text.to_uppercase().to_lowercase(), server.as_deref()).kind, reading.kind);
    }

    #[test]
    fn no_secret_of_an_address_is_kept(before in "[a-z ]{0,20}", secret in "[A-Za-z0-9]{6,20}") {
        let text = format!("{before}GET https://store.example/x?sig={secret}&se=1: \"https://b/?t={secret}\"");
        prop_assert!(!text::without_secrets(&text).contains(&secret));
    }

    #[test]
    fn a_snapshot_of_anything_is_refused_in_words(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in hostile()) {
        prop_assert!(snapshot::read_from(bytes.as_slice(), "x").is_err());
        let error = snapshot::read_from(format!("{{\"format\": \"{text}").as_bytes(), "x").expect_err("no snapshot");
        prop_assert!(!error.to_string().chars().any(steers), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// A snapshot in which a text of somebody else's choosing stands in many places: the reports are whole and harmless.
    #[test]
    fn reports_of_hostile_snapshots_are_harmless(text in hostile(), seed in any::<usize>()) {
        let mut value = fixtures::case(&fixtures::folder().join("cases/three-faults.json")).1;
        let mut at = 0;
        poison(&mut value["evidence"], &mut |leaf| {
            at += 1;
            if (at + seed).is_multiple_of(5) && leaf.parse::<jiff::Timestamp>().is_err() {
                leaf.push_str(&text);
            }
        });
        let evidence = fixtures::evidence(&value);
        let report = judged::report(&evidence);
        let json = json::render(&report).expect("a report");
        prop_assert!(!json.contains("##") && !json.chars().any(steers));
        prop_assert!(serde_json::from_str::<Value>(&json).is_ok());
        let table = anstream::adapter::strip_str(&judged::table(&report)).to_string();
        prop_assert!(!table.contains("##") && !table.chars().any(steers), "{table}");
        prop_assert!(table.lines().all(|line| !line.trim_start().starts_with("::")));
        for picture in [html::render(&report), mermaid::render(&report)] {
            prop_assert!(!picture.contains("##") && !picture.chars().any(steers), "{picture}");
            prop_assert!(picture.lines().all(|line| !line.trim_start().starts_with("::")));
            prop_assert!(picture.matches("<script").count() <= 1);
        }
        // Azure Pipelines' own format is made of such commands, at the start of lines.
        for format in Format::value_variants() {
            let text = aksiso::report::render(&report, *format, &Options::default()).expect("a report");
            let own = |line: &str| *format == Format::AzurePipelines && line.starts_with("##vso[task.logissue ");
            let inner = text.lines().map(|line| if own(line) { &line[2..] } else { line });
            let commands = |line: &str| line.contains("##vso[") || line.contains("##[");
            prop_assert!(!inner.into_iter().any(commands), "{format:?}: {text}");
        }
        let script = script::render(&Plan::of(&judged::diagnose(&evidence)), Shell::Posix);
        prop_assert!(!script.chars().any(steers), "{script}");

        let mut names = Pseudonyms::default();
        let other = anonymize::anonymize(&evidence, &mut names).expect("JSON");
        let back = anonymize::restore(&other, &names).expect("JSON");
        prop_assert_eq!(snapshot::render(&back).expect("JSON").len() > 1000, true);
    }
}

fn poison(value: &mut Value, turn: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => turn(text),
        Value::Array(items) => items.iter_mut().for_each(|item| poison(item, turn)),
        Value::Object(map) => map.values_mut().for_each(|value| poison(value, turn)),
        _ => {}
    }
}

/// The plan of a hostile snapshot is a script that `sh` can read, and that runs nothing but what it says.
#[cfg(unix)]
#[test]
fn sh_reads_back_what_no_library_could_have_got_wrong() {
    let words: Vec<String> = PIECES.iter().flat_map(|a| PIECES.iter().map(move |b| format!("{a}{b}"))).collect();
    for chunk in words.chunks(200) {
        let command = chunk.iter().fold(Command::new("printf %s\\0"), Command::word);
        let output = std::process::Command::new("sh").arg("-c").arg(command.posix()).output().expect("a shell");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let read: Vec<String> =
            output.stdout.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        let expected: Vec<String> = chunk.iter().map(|word| printable(word)).chain([String::new()]).collect();
        assert_eq!(read, expected);
    }
}

/// A text of two million characters in any place makes no report larger than a person or a pipeline can bear.
#[test]
fn huge_texts_do_not_make_huge_reports() {
    let huge = "A".repeat(2_000_000);
    let whole = fixtures::case(&fixtures::folder().join("cases/three-faults.json")).1;
    let mut count = 0;
    poison(&mut whole["evidence"].clone(), &mut |_| count += 1);
    for place in 0..count {
        let (mut value, mut at) = (whole.clone(), 0);
        poison(&mut value["evidence"], &mut |leaf| {
            if at == place && leaf.parse::<jiff::Timestamp>().is_err() {
                leaf.push_str(&huge);
            }
            at += 1;
        });
        let Ok(evidence) = serde_json::from_value(value["evidence"].clone()) else { continue };
        let report = judged::report(&evidence);
        let (json, table) = (json::render(&report).expect("a report"), judged::table(&report));
        assert!(json.len() < 500_000 && table.len() < 500_000, "place {place}: {} {}", json.len(), table.len());
    }
}

/// Depth is no way to end the program.
#[test]
fn deep_json_is_refused() {
    for open in ["[", "{\"format\":"] {
        let deep =
            format!("{{\"format\": \"aksiso-snapshot\", \"version\": 1, \"evidence\": {}", open.repeat(1_000_000));
        assert!(snapshot::read_from(deep.as_bytes(), "deep").is_err());
    }
}
