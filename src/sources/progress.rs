//! What a person sees while aksiso asks: one line on a terminal, nothing in a pipe; and the `-v` log.

mod line;

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::text;
use line::Seen;
pub use line::Stage;

/// Where progress and the log go. Cheap to clone; every clone writes to the same line.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Made when the first thing is asked: offline commands never show it.
    bar: Arc<OnceLock<ProgressBar>>,
    seen: Arc<Mutex<Seen>>,
    shown: bool,
    quiet: bool,
    verbosity: u8,
}

impl Progress {
    /// Progress on stderr: a moving line only on a terminal and only without a log.
    pub fn new(verbosity: u8, quiet: bool) -> Self {
        let shown = std::io::stderr().is_terminal() && verbosity == 0 && !quiet;
        Self { bar: Arc::default(), seen: Arc::default(), shown, quiet, verbosity: if quiet { 0 } else { verbosity } }
    }

    /// No progress and no log.
    pub fn silent() -> Self {
        Self { bar: Arc::default(), seen: Arc::default(), shown: false, quiet: true, verbosity: 0 }
    }

    /// Counts a question, and says what it is while nothing larger is known.
    pub fn asking(&self, what: &str) {
        self.seen().asked(what);
        self.show();
    }

    /// Begins a part of the work, which ends when what is returned is dropped.
    #[must_use]
    pub fn stage(&self, stage: Stage) -> Open {
        self.seen().begin(stage);
        self.show();
        Open { stage, seen: Arc::clone(&self.seen) }
    }

    /// Says what a run waits for and until when: on a terminal in the moving line, which counts down; elsewhere as a
    /// line of its own unless it is quiet.
    pub fn waiting(&self, what: &str, pause: Duration) {
        self.seen().wait(what, Instant::now() + pause);
        if self.shown {
            self.show();
        } else {
            self.note(&format!("{what}; asking again in {} s", pause.as_secs()));
        }
    }

    /// A line that a person should see once, unless it is quiet.
    pub fn note(&self, line: &str) {
        if self.quiet {
            return;
        }
        let line = format!("aksiso: {}", text::for_ci_log(&text::clean(line)));
        match self.bar.get() {
            Some(bar) => bar.println(line),
            // A line that cannot be written is no reason to fail.
            None => drop(writeln!(std::io::stderr(), "{line}")),
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

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self) {
        if self.shown {
            self.bar.get_or_init(|| spinner(&self.seen));
        }
    }
}

/// A part of the work that goes on.
#[derive(Debug)]
pub struct Open {
    stage: Stage,
    seen: Arc<Mutex<Seen>>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).end(self.stage);
    }
}

/// A line that is made afresh at every tick, so that its seconds move.
fn spinner(seen: &Arc<Mutex<Seen>>) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    let seen = Arc::clone(seen);
    let line = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
        let width = terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0)).saturating_sub(4);
        let line = seen.lock().unwrap_or_else(PoisonError::into_inner).line(Instant::now());
        let _ = out.write_str(&text::truncated(&text::clean(&line), width));
    };
    let style = ProgressStyle::with_template("{spinner} {line}").expect("the template is valid");
    bar.set_style(style.with_key("line", line));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
