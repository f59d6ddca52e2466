//! What a person sees while aksiso asks: one line on a terminal, nothing in a pipe; and the `-v` log.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::text;

/// Where progress and the log go. Cheap to clone; every clone writes to the same line.
#[derive(Debug, Clone)]
pub struct Progress {
    bar: Option<ProgressBar>,
    verbosity: u8,
}

impl Progress {
    /// Progress on stderr: a moving line only on a terminal and only without a log.
    pub fn new(verbosity: u8, quiet: bool) -> Self {
        let shown = std::io::stderr().is_terminal() && verbosity == 0 && !quiet;
        let bar = shown.then(|| {
            let bar = ProgressBar::new_spinner();
            let style = ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is valid");
            bar.set_style(style);
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, verbosity: if quiet { 0 } else { verbosity } }
    }

    /// No progress and no log.
    pub fn silent() -> Self {
        Self { bar: None, verbosity: 0 }
    }

    /// Says what is being asked.
    pub fn asking(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("asking: {}", text::clean(what)));
        }
    }

    /// A line of the log, shown from `-v` (level 1) or `-vv` (level 2) on.
    pub fn log(&self, level: u8, line: &str) {
        if self.verbosity >= level {
            // A log that cannot be written is no reason to fail.
            let _ = writeln!(std::io::stderr(), "aksiso: {}", text::for_ci_log(&text::clean(line)));
        }
    }

    /// Takes the line away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
