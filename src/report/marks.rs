//! Marks and lines of pictures: a mark says it all, and colour only repeats it.

use anstyle::{AnsiColor, Style};

use crate::answers::chain::LinkState;
use crate::checks::rule::Severity;

/// Between two parts of a line.
pub(super) const DOT: &str = " · ";

/// The mark of a state: one column wide.
pub(super) fn mark(state: LinkState) -> &'static str {
    match state {
        LinkState::Ok => "✓",
        LinkState::Broken => "✗",
        LinkState::Warning => "!",
        LinkState::Unseen => "?",
        LinkState::NotApplicable => "–",
    }
}

/// The state that a finding of this severity puts its link in.
pub(super) fn state(severity: Severity) -> LinkState {
    match severity {
        Severity::Error => LinkState::Broken,
        Severity::Warning => LinkState::Warning,
        Severity::Info => LinkState::Ok,
    }
}

/// The arrow from a link to the next, of so many columns, at least three.
pub(super) fn arrow(columns: usize) -> String {
    "─".repeat(columns.saturating_sub(1).max(2)) + "▶"
}

/// A mark in its colour.
pub(super) fn coloured(state: LinkState) -> String {
    let style = style(state);
    format!("{style}{}{style:#}", mark(state))
}

/// Text for a terminal that shows nothing but ASCII. Our own marks keep their width; what else there is, such as a name
/// in another script, is written as escapes.
pub fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii() => out.push(c),
            '✓' => out.push('+'),
            '✗' => out.push('x'),
            '▲' => out.push('^'),
            '└' => out.push('`'),
            '─' | '–' | '—' | '·' => out.push('-'),
            '▶' => out.push('>'),
            '→' => out.push_str("->"),
            '…' => out.push_str("..."),
            c => out.extend(c.escape_unicode()),
        }
    }
    out
}

/// The colour of a state.
pub(super) fn style(state: LinkState) -> Style {
    match state {
        LinkState::Ok => AnsiColor::Green.on_default(),
        LinkState::Broken => AnsiColor::Red.on_default().bold(),
        LinkState::Warning | LinkState::Unseen => AnsiColor::Yellow.on_default().bold(),
        LinkState::NotApplicable => Style::new().dimmed(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ascii, mark};
    use crate::answers::chain::LinkState;

    #[test]
    fn every_mark_stays_one_column_and_its_own_in_ascii() {
        let mut plain: Vec<String> = LinkState::ALL.into_iter().map(|state| ascii(mark(state))).collect();
        assert!(plain.iter().all(|mark| mark.len() == 1), "{plain:?}");
        plain.sort();
        plain.dedup();
        assert_eq!(plain.len(), LinkState::ALL.len());
        assert_eq!(ascii("─▶ é…"), "-> \\u{e9}...");
    }
}
