//! The cache rules, credential sets and copies that images need, as a script for a POSIX shell. aksiso writes it and
//! never runs it.

use std::fmt::Write as _;

use crate::answers::preflight::remedies::{Remedy, RemedyKind};
use crate::checks::command::Command;
use crate::evidence::Evidence;
use crate::report::preflight::comment;

/// Renders the script: what it must be told first, so that nothing is half done, then each command once.
pub fn render(evidence: &Evidence, remedies: &[Remedy<'_>]) -> String {
    let mut out = "#!/bin/sh\n".to_owned();
    comment(&mut out, "Cache rules and copies for images, written by aksiso preflight. Read it before you run it.");
    comment(&mut out, "It stops at the first failure.");
    comment(&mut out, &format!("Cluster {}, seen at {}.", evidence.cluster.id, evidence.collected_at));
    out.push_str("set -eu\n");
    if remedies.iter().any(|remedy| remedy.kind == RemedyKind::Repair) {
        comment(&mut out, "The cluster itself needs a repair first: aksiso diagnose --plan FILE.");
    }
    let own: Vec<&Remedy<'_>> = remedies
        .iter()
        .filter(|remedy| {
            [RemedyKind::CacheRule, RemedyKind::Import].contains(&remedy.kind) && !remedy.commands.is_empty()
        })
        .collect();
    if own.is_empty() {
        comment(&mut out, "There is nothing to make.");
        return out;
    }
    let (mut wanted, mut body) = (Vec::new(), String::new());
    for remedy in own {
        body.push('\n');
        comment(&mut body, &format!("{}.", remedy.title));
        if !remedy.advice.is_empty() {
            comment(&mut body, &remedy.advice);
        }
        let mut owner = String::new();
        for command in &remedy.commands {
            let _ = writeln!(body, "{}", line(command, &mut owner, &mut wanted));
        }
    }
    if !wanted.is_empty() {
        out.push('\n');
        comment(&mut out, "Values that only you know: set them in the environment.");
        wanted.iter().for_each(|(variable, meaning)| {
            let _ = writeln!(out, ": \"${{{variable}:?{meaning}}}\"");
        });
    }
    out + &body
}

/// A command, in which the places that are open become variables; `owner` is what the commands so far were about.
fn line(command: &Command, owner: &mut String, wanted: &mut Vec<(String, String)>) -> String {
    let words = command.words();
    if let Some(name) = words.iter().position(|word| word == "-n").and_then(|at| words.get(at + 1)) {
        *owner = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    }
    let words = words.iter().map(|word| match word.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
        Some("PRINCIPAL_ID") => "\"$principal\"".to_owned(),
        Some(open) => {
            let variable = format!("FOR_{owner}_{open}");
            if !wanted.iter().any(|(known, _)| *known == variable) {
                wanted.push((variable.clone(), open.replace('_', " ").to_lowercase()));
            }
            format!("\"${variable}\"")
        }
        None => Command::new("").word(word).posix(),
    });
    let line = words.collect::<Vec<_>>().join(" ");
    let asks = command.words().starts_with(&["az", "acr", "credential-set", "show"].map(str::to_owned));
    if asks { format!("principal=$({line})") } else { line }
}
