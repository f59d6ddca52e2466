//! Any text as the message of a pull or of a bootstrap that failed.

#![no_main]

use aksiso::evidence::exit_code;
use aksiso::model::message;
use aksiso::text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, Option<&str>)| {
    let (said, server) = input;
    let _ = message::read(said, server);
    let _ = exit_code::find(said);
    let safe = text::without_secrets(said);
    assert!(safe.len() <= said.len() * 3 + 16);
    let clean = text::clean(&text::bounded(said, 300));
    assert!(!clean.chars().any(text::is_hostile));
    let log = text::for_ci_log(said);
    assert!(!log.contains("##"));
});
