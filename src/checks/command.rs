//! Commands that a report prints: built from words, so that quoting is never left to a format string.

use clap::ValueEnum;

use super::impact::Impact;
use crate::evidence::id::ResourceId;
use crate::text;

/// The shell that commands are printed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// sh, bash, zsh
    Posix,
    /// PowerShell
    Powershell,
}

/// Longest word of a command, in bytes.
const LONGEST: usize = 4_096;

/// One command line, as words, and what it changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Command {
    words: Vec<String>,
    change: Option<Change>,
}

impl Command {
    /// A command from its fixed words: `Command::new("az aks show")`. It only looks, unless it says what it changes.
    pub fn new(words: &str) -> Self {
        Self { words: words.split_whitespace().map(str::to_owned).collect(), change: None }
    }

    /// Says what the command does, to which resource, and how that is undone.
    #[must_use]
    pub fn changing(self, impact: Impact, target: &ResourceId, undo: impl Into<Undo>) -> Self {
        Self { change: Some(Change { impact, target: target.clone(), undo: undo.into() }), ..self }
    }

    /// What it changes; `None` where it only looks.
    pub fn change(&self) -> Option<&Change> {
        self.change.as_ref()
    }

    /// What it does to what runs.
    pub fn impact(&self) -> Impact {
        self.change.as_ref().map_or(Impact::None, |change| change.impact)
    }

    /// The worst that several commands do.
    pub fn worst(commands: &[Self]) -> Impact {
        commands.iter().map(Self::impact).max().unwrap_or(Impact::None)
    }

    /// Whether a place in it is left open, for a person to fill in.
    pub fn is_open(&self) -> bool {
        self.words.iter().any(|word| word.starts_with('<') && word.ends_with('>'))
    }

    /// Adds one word as it is.
    #[must_use]
    pub fn word(mut self, word: impl Into<String>) -> Self {
        self.words.push(word.into());
        self
    }

    /// Adds an option and its value.
    #[must_use]
    pub fn with(self, option: &str, value: impl Into<String>) -> Self {
        self.word(option).word(value)
    }

    /// The words.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The line for a POSIX shell.
    pub fn posix(&self) -> String {
        self.line(Shell::Posix)
    }

    /// The line for a shell. A character that steers terminals, which no Azure name can hold, becomes `?`, so that a
    /// line stays one line.
    pub fn line(&self, shell: Shell) -> String {
        let words = self.words.iter().map(|word| {
            // No value that Azure takes is that long: the place stays open.
            let word = if word.len() > LONGEST { "<VALUE_THAT_IS_TOO_LONG>" } else { word };
            let printable: String = word.chars().map(|c| if text::is_hostile(c) { '?' } else { c }).collect();
            match shell {
                Shell::Posix => quote(&printable),
                Shell::Powershell => quote_powershell(&printable),
            }
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

/// What a command that does not only look changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Change {
    pub impact: Impact,
    /// The resource that it writes to; of a resource that it creates, the id to be.
    pub target: ResourceId,
    pub undo: Undo,
}

/// The way back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Undo {
    /// A command takes it back.
    Command(Box<Command>),
    /// No command does; why, or what does instead.
    Words(&'static str),
}

impl Undo {
    /// The way back on one line.
    pub fn line(&self, shell: Shell) -> String {
        match self {
            Self::Command(command) => command.line(shell),
            Self::Words(words) => (*words).to_owned(),
        }
    }
}

impl From<Command> for Undo {
    fn from(command: Command) -> Self {
        Self::Command(Box::new(command))
    }
}

impl From<&'static str> for Undo {
    fn from(words: &'static str) -> Self {
        Self::Words(words)
    }
}

/// A word that needs no quotes stays readable; a placeholder such as `<SUBNET_ID>` is quoted and thus never redirects.
fn quote(word: &str) -> String {
    // Single quotes keep everything as it is, `!` in an interactive shell included.
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if !word.contains('\'') {
        return format!("'{word}'");
    }
    shlex::try_quote(word).map_or_else(|_| "'?'".to_owned(), std::borrow::Cow::into_owned)
}

/// In PowerShell's single quotes only the quote itself is special, in any of the forms that Unicode has for it.
fn quote_powershell(word: &str) -> String {
    // Unlike a POSIX shell, PowerShell reads `,`, `@` and `%` as operators.
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let is_quote = |c: char| matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}');
    let inner: String = word.chars().flat_map(|c| std::iter::repeat_n(c, if is_quote(c) { 2 } else { 1 })).collect();
    format!("'{inner}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_put_in() {
        let hostile = ["a b", "$(reboot)", "`id`", "it's", "!x'y", "a;b", "*", "~", "", "\"", "\\", "#", "-n", "ü"];
        let command = hostile.iter().fold(Command::new("printf %s\\n"), |command, word| command.word(*word));
        let output = std::process::Command::new("sh").arg("-c").arg(command.posix()).output();
        // Without a POSIX shell (Windows) the same line is read back by the quoting library.
        match output {
            Ok(output) if cfg!(unix) => {
                let read = String::from_utf8(output.stdout).expect("UTF-8");
                assert_eq!(read.lines().collect::<Vec<_>>(), hostile);
            }
            _ => assert_eq!(shlex::split(&command.posix()).expect("valid")[2..], hostile),
        }
    }

    #[test]
    fn powershell_reads_only_doubled_quotes() {
        let line =
            Command::new("az").word("it's").word("a;b").word("mcr.microsoft.com/*").word("@x").line(Shell::Powershell);
        assert_eq!(line, "az 'it''s' 'a;b' 'mcr.microsoft.com/*' '@x'");
        assert_eq!(
            Command::new("az").word("\u{2019}; reboot").line(Shell::Powershell),
            "az '\u{2019}\u{2019}; reboot'"
        );
    }

    #[test]
    fn a_line_break_never_leaves_its_line() {
        assert_eq!(Command::new("az").word("a\nb\u{1b}").posix(), "az 'a?b?'");
    }
}
