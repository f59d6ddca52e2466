//! The one place that writes: standard output, files whole or not at all, and what is left of both when somebody
//! presses Ctrl-C.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use tokio::sync::watch;

use crate::app::exit::Exit;
use crate::report::Output;
use crate::sources::progress::Progress;
use crate::text::{self, problem::Problem};

/// The file that is being written under another name, if any: an interruption takes it away.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// How long a run may take to end by itself after an interruption.
const GRACE: Duration = Duration::from_millis(400);

/// Several formats cannot share standard output, nor a file.
///
/// # Errors
/// Which two would.
pub fn distinct<F: ValueEnum>(wanted: &[Output<F>]) -> Result<(), Problem> {
    for (at, output) in wanted.iter().enumerate() {
        if let Some(other) = wanted[..at].iter().find(|other| other.file == output.file) {
            let place =
                output.file.as_ref().map_or_else(|| "standard output".to_owned(), |file| file.display().to_string());
            let (one, two) = (other.name(), output.name());
            return Err(Problem::new(
                format!("{one} and {two} would both go to {}", text::clean(&place)),
                format!("give one of them a file of its own: --output {two}=FILE"),
            ));
        }
    }
    Ok(())
}

/// Writes to standard output. A reader that has seen enough (`| head`) is no failure.
///
/// # Errors
/// The output cannot be written.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Whether standard output is a terminal that is known to show hyperlinks (OSC 8).
pub fn shows_links() -> bool {
    use std::io::IsTerminal as _;
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let colourless = anstream::ColorChoice::global() == anstream::ColorChoice::Never;
    let plain = colourless
        || set("NO_COLOR").is_some()
        || set("TERM").is_none_or(|term| term == "dumb" || term.starts_with("screen"));
    let program =
        set("TERM_PROGRAM").is_some_and(|name| ["iTerm.app", "WezTerm", "vscode", "ghostty"].contains(&name.as_str()));
    // VTE tells its version since it knows hyperlinks (0.50).
    let vte = set("VTE_VERSION").and_then(|version| version.parse::<u32>().ok()).is_some_and(|version| version >= 5000);
    let known =
        program || vte || ["WT_SESSION", "KITTY_WINDOW_ID", "KONSOLE_VERSION"].iter().any(|name| set(name).is_some());
    std::io::stdout().is_terminal() && known && !plain
}

/// Whether what reads standard output shows more than ASCII: by the locale, and by the terminal where there is one.
pub fn shows_unicode() -> bool {
    let set = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let poor = set(&"TERM").is_some_and(|term| term == "dumb" || term == "linux");
    // On Windows the console is told in Unicode, whatever the locale.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set).unwrap_or_default().to_lowercase();
    !poor && (cfg!(windows) || locale.contains("utf-8") || locale.contains("utf8"))
}

/// Writes a file whole or not at all, readable by its owner only. A device or a pipe (`/dev/null`, `>(…)` of a shell)
/// is written to and stays what it is; a link leads to its file.
///
/// # Errors
/// The file cannot be written.
pub fn write_whole(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let cannot = || format!("{} cannot be written", path.display());
    if !is_replaceable(path) {
        let mut there = std::fs::OpenOptions::new().write(true).open(path).with_context(cannot)?;
        return there.write_all(content).with_context(cannot);
    }
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".aksiso-").tempfile_in(folder).with_context(cannot)?;
    unfinished(Some(file.path().to_owned()));
    let written = file.write_all(content).and_then(|()| file.as_file().sync_all());
    let kept = written.and_then(|()| file.persist(path).map_err(|error| error.error));
    unfinished(None);
    kept.map(drop).with_context(cannot)
}

/// Whether a path is, or would be, a file of its own; `/dev/stdout` is another's, even where it leads to a file.
fn is_replaceable(path: &Path) -> bool {
    let devices = ["/dev", "/proc"].iter().any(|folder| path.starts_with(folder));
    !devices && std::fs::metadata(path).map_or(true, |there| there.is_file() || there.is_dir())
}

fn unfinished(path: Option<PathBuf>) {
    *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = path;
}

/// Tells whoever asks that somebody wants the run to end.
#[derive(Debug, Clone)]
pub struct Interruption(watch::Receiver<Option<u8>>);

impl Interruption {
    /// Watches for Ctrl-C (and, on Unix, a request to terminate) from now on. What has not ended by itself shortly
    /// after is ended: a blocked write, a snapshot that never comes, a sign-in plug-in that hangs.
    pub fn watch(progress: &Progress) -> Self {
        let (sender, receiver) = watch::channel(None);
        let progress = progress.clone();
        tokio::spawn(async move {
            let code = signalled().await;
            progress.finish();
            let _ = sender.send(Some(code)); // nobody may be waiting
            tokio::time::sleep(GRACE).await;
            if let Some(path) = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).take() {
                let _ = std::fs::remove_file(path); // it may be gone already
            }
            std::process::exit(code.into());
        });
        Self(receiver)
    }

    /// Returns when the run shall end, with the exit code for it.
    pub async fn requested(mut self) -> Exit {
        match self.0.wait_for(Option::is_some).await.map(|code| *code) {
            Ok(Some(code)) => Exit::Interrupted(code),
            _ => std::future::pending().await, // nobody watches any more
        }
    }
}

/// The exit code that a shell gives a program which the signal ends.
async fn signalled() -> u8 {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        return tokio::select! {
            _ = tokio::signal::ctrl_c() => 130,
            _ = terminate.recv() => 143,
        };
    }
    let _ = tokio::signal::ctrl_c().await;
    130
}
