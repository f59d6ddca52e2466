//! Text from servers and clusters is hostile until it has been through here.

pub mod problem;
mod secrets;

pub use secrets::without_secrets;

/// Replaces what could steer a terminal or hide its meaning: control characters (C0, C1), line and paragraph
/// separators, bidirectional overrides and zero-width characters become `\u{…}`.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hostile(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a character could steer a terminal or hide what a text means.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// At most `limit` characters, with line breaks turned into spaces; says how much was cut.
pub fn bounded(text: &str, limit: usize) -> String {
    let one_line =
        text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    match one_line.char_indices().nth(limit) {
        Some((end, _)) => format!("{}… ({} more characters)", &one_line[..end], one_line[end..].chars().count()),
        None => one_line,
    }
}

/// At most `limit` characters of a message whose cause stands at its end: what is cut is its beginning.
pub fn ending(text: &str, limit: usize) -> String {
    let one_line = bounded(text, usize::MAX);
    let length = one_line.chars().count();
    match one_line.char_indices().nth(length.saturating_sub(limit)) {
        Some((start, _)) if start > 0 => format!("… {}", one_line[start..].trim_start()),
        _ => one_line,
    }
}

/// The first 32 hexadecimal digits of a text's SHA-256.
pub fn hash(text: &str) -> String {
    use std::fmt::Write as _;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The first `limit` characters, and nothing that says so: cutting twice cuts once.
pub fn truncated(text: &str, limit: usize) -> String {
    text.chars().take(limit).collect()
}

/// Makes finished lines harmless for logs of CI systems, which obey `::command::` at the start of a line and
/// `##vso[…]` or `##[…]` anywhere.
pub fn for_ci_log(rendered: &str) -> String {
    let mut out = String::with_capacity(rendered.len());
    for line in rendered.split_inclusive(['\n', '\r']) {
        if line.trim_start().starts_with("::") {
            let indent = line.len() - line.trim_start().len();
            out.push_str(&line[..indent]);
            out.push_str(": :");
            out.push_str(&break_hashes(&line[indent + 2..], "# "));
        } else {
            out.push_str(&break_hashes(line, "# "));
        }
    }
    out
}

/// Writes characters of finished JSON that could steer a terminal as `\uXXXX`, and breaks `##` in the same way: the
/// value that a reader of the JSON gets is unchanged.
pub fn escape_json(json: &str) -> String {
    use std::fmt::Write as _;
    let broken = break_hashes(json, "\\u0023");
    let mut out = String::with_capacity(broken.len());
    for c in broken.chars() {
        if c != '\n' && is_hostile(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Writes `instead` for every `#` that another one follows.
pub fn break_hashes(text: &str, instead: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('#', Some('#')) => out.push_str(instead),
            _ => out.push(c),
        }
    }
    out
}

/// The name that is most like `word`, if any is near enough to be meant.
pub fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let word = word.to_lowercase();
    let scored = names.into_iter().map(|name| (strsim::jaro_winkler(&word, &name.to_lowercase()), name));
    scored.filter(|(score, _)| *score > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

/// Wildcards as Azure has them: `*` stands for any run of characters, slashes included; case does not count.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let mut pieces = pattern.split('*');
    let Some(rest) = text.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let mut rest = rest;
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    true
}

/// `1 node`, `2 nodes`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// The first twenty of many names, and how many more there are: for people, never to be read back.
pub fn listed<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> String {
    const MOST: usize = 20;
    let names: Vec<N> = names.into_iter().collect();
    let shown = names.iter().take(MOST).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(MOST) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_survives() {
        let hostile = "a\u{1b}[31mb\u{9b}c\u{7}\u{202e}d\u{2066}e\nf\u{200b}";
        let clean = clean(hostile);
        assert!(clean.chars().all(|c| !is_hostile(c)), "{clean}");
        assert!(clean.contains("\\u{1b}[31m"));
    }

    #[test]
    fn ci_commands_are_broken() {
        let safe = for_ci_log("  ::error::x\nname ##vso[task.x] ####[y]\n::1 is fine in the middle ::1\n");
        assert!(!safe.contains("##"), "{safe}");
        assert!(safe.lines().all(|line| !line.trim_start().starts_with("::")), "{safe}");
    }

    #[test]
    fn escaped_json_reads_back_as_it_was() {
        let value = serde_json::json!({ "##vso[x]": "a###b \u{9b}31m \u{202e} \u{e0001} \n" });
        let json = escape_json(&serde_json::to_string_pretty(&value).expect("JSON"));
        assert!(!json.contains("##") && !json.contains('\u{9b}') && !json.contains('\u{202e}'), "{json}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).expect("JSON"), value);
    }

    #[test]
    fn long_text_says_that_it_was_cut() {
        assert_eq!(bounded("a\n\n b", 10), "a b");
        assert_eq!(bounded("äöü", 2), "äö… (1 more characters)");
        assert_eq!(ending("failed to pull: no such host", 12), "… no such host");
        assert_eq!(ending("short", 12), "short");
    }

    #[test]
    fn the_nearest_name_is_suggested_only_when_it_is_near() {
        assert_eq!(nearest("cache-rule", ["cache-rules", "private-dns"]), Some("cache-rules"));
        assert_eq!(nearest("zzz", ["cache-rules", "private-dns"]), None);
    }
}
