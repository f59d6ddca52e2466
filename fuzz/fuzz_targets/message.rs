//! Any text as the message of a pull or of a bootstrap that failed.

#![no_main]

use aksiso::check::pull_message;
use aksiso::{bootstrap_code, text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, Option<&str>)| {
    let (message, server) = input;
    let _ = pull_message::read(message, server);
    let _ = bootstrap_code::find(message);
    let safe = text::without_secrets(message);
    assert!(safe.len() <= message.len() * 3 + 16);
    let clean = text::clean(&text::bounded(message, 300));
    assert!(!clean.chars().any(text::is_hostile));
    let log = text::for_ci_log(message);
    assert!(!log.contains("##"));
});
