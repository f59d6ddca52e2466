//! What a person sees while aksiso asks: one line on a terminal, nothing in a pipe; and the `-v` log.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::text;

/// Where progress and the log go. Cheap to clone; every clone writes to the same line.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Made when the first thing is asked: offline commands never show it.
    bar: Arc<OnceLock<ProgressBar>>,
    shown: bool,
    quiet: bool,
    verbosity: u8,
}

impl Progress {
    /// Progress on stderr: a moving line only on a terminal and only without a log.
    pub fn new(verbosity: u8, quiet: bool) -> Self {
        let shown = std::io::stderr().is_terminal() && verbosity == 0 && !quiet;
        Self { bar: Arc::default(), shown, quiet, verbosity: if quiet { 0 } else { verbosity } }
    }

    /// No progress and no log.
    pub fn silent() -> Self {
        Self { bar: Arc::default(), shown: false, quiet: true, verbosity: 0 }
    }

    /// Says what is being asked.
    pub fn asking(&self, what: &str) {
        if self.shown {
            self.bar.get_or_init(spinner).set_message(format!("asking: {}", text::clean(what)));
        }
    }

    /// Says what a run waits for: on a terminal in the moving line, elsewhere as a line of its own unless it is quiet.
    pub fn waiting(&self, what: &str) {
        if self.shown {
            self.bar.get_or_init(spinner).set_message(text::clean(what));
        } else if !self.quiet {
            let _ = writeln!(std::io::stderr(), "aksiso: {}", text::for_ci_log(&text::clean(what)));
        }
    }

    /// Says on standard error how a run ended that has no report, unless it is quiet.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr(), "aksiso: {}", text::for_ci_log(&text::clean(line)));
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
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is valid"));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
