//! What `doctor` says: whether a diagnosis can be made from here, as this sign-in, and what would be missing.

mod rights;

use std::collections::BTreeMap;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Serialize;

pub use rights::{CheckRights, Granted, Place, Places, Right, Rights};

use crate::text;

/// How `doctor` is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DoctorFormat {
    /// For people
    Table,
    /// For machines
    Json,
}

/// How one step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Ok,
    /// Not looked at, because an earlier step failed or it was left out.
    Skipped,
    /// A diagnosis can be made, but some checks would end as undetermined.
    Limited,
    /// No diagnosis can be made.
    Failed,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Limited => "limited",
            Self::Failed => "failed",
        }
    }

    fn style(self) -> Style {
        let colour = match self {
            Self::Ok => AnsiColor::Green,
            Self::Skipped => return Style::new().dimmed(),
            Self::Limited => AnsiColor::Yellow,
            Self::Failed => AnsiColor::Red,
        };
        Style::new().fg_color(Some(colour.into()))
    }
}

/// One thing that a diagnosis needs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Step {
    /// `sign-in`, `subscription`, `azure`, `cluster`, `kubeconfig`, `kubernetes-api`.
    pub id: &'static str,
    /// Its name for people.
    #[serde(skip)]
    pub title: &'static str,
    pub state: State,
    /// What was found.
    pub summary: String,
    /// The same at more length, such as what each method of sign-in lacked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// What to do next, where something is not as it should be; one way a line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<String>,
    /// What was found, one by one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<&'static str, String>,
}

impl Step {
    pub fn new(id: &'static str, title: &'static str, state: State, summary: impl Into<String>) -> Self {
        Self {
            id,
            title,
            state,
            summary: summary.into(),
            details: Vec::new(),
            next: Vec::new(),
            facts: BTreeMap::new(),
        }
    }

    /// The same with something to do next.
    #[must_use]
    pub fn next(mut self, what: impl Into<String>) -> Self {
        self.next.push(what.into());
        self
    }

    /// The same with a fact, where it is known.
    #[must_use]
    pub fn fact(mut self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        if let Some(value) = value {
            self.facts.insert(name, value.into());
        }
        self
    }
}

/// What is installed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Versions {
    /// Version of aksiso.
    pub aksiso: &'static str,
    /// `linux x86_64`.
    pub platform: String,
    /// Where `az`, `kubelogin` and `kubectl` lie; none of them is required.
    pub tools: BTreeMap<&'static str, Option<String>>,
}

/// The whole.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Doctor {
    /// Version of this form.
    pub schema_version: &'static str,
    pub versions: Versions,
    /// The worst of all steps and permissions.
    pub state: State,
    pub steps: Vec<Step>,
    /// Each permission; none where no cluster was seen.
    pub permissions: Vec<Right>,
    /// The same by check.
    pub checks: Vec<CheckRights>,
}

impl Doctor {
    /// Sums up.
    pub fn new(versions: Versions, steps: Vec<Step>, permissions: Vec<Right>) -> Self {
        let checks = CheckRights::of(&permissions);
        let missing = permissions.iter().any(|right| !right.granted.suffices());
        let steps_state = steps.iter().map(|step| step.state).max().unwrap_or(State::Ok);
        let state = steps_state.max(if missing { State::Limited } else { State::Ok });
        Self { schema_version: "1", versions, state, steps, permissions, checks }
    }

    /// Prints it.
    ///
    /// # Errors
    /// Data that is no JSON, which does not happen.
    pub fn render(&self, format: DoctorFormat, width: usize) -> serde_json::Result<String> {
        match format {
            DoctorFormat::Json => Ok(text::escape_json(&serde_json::to_string_pretty(self)?) + "\n"),
            DoctorFormat::Table => Ok(text::for_ci_log(&self.table(width))),
        }
    }

    fn table(&self, width: usize) -> String {
        let tools = self.versions.tools.iter().map(|(name, place)| match place {
            Some(_) => (*name).to_owned(),
            None => format!("no {name}"),
        });
        let tools = tools.collect::<Vec<_>>().join(", ");
        let mut out = format!("aksiso {} · {} · {tools}\n\n", self.versions.aksiso, self.versions.platform);
        for step in &self.steps {
            out.push_str(&line(step.state.style(), step.state.word(), step.title, &step.summary, width));
            for detail in &step.details {
                out.push_str(&line(Style::new(), "", "", detail, width));
            }
            for next in &step.next {
                out.push_str(&line(Style::new(), "", "", &format!("next: {next}"), width));
            }
        }
        if !self.checks.is_empty() {
            out.push_str("\nPermissions by check\n");
            for check in &self.checks {
                out.push_str(&line(check.granted.style(), check.granted.word(), check.id, &check.words(), width));
            }
        }
        let closing = match self.state {
            State::Ok => "Ready: aksiso diagnose sees everything that the checks need.",
            State::Skipped | State::Limited => {
                "Limited: aksiso diagnose runs, and ends some checks as undetermined. aksiso permissions prints the roles."
            }
            State::Failed => "Not ready: aksiso diagnose cannot run.",
        };
        out + &format!("\n{}\n", textwrap::fill(closing, width))
    }
}

/// A state, a name and a sentence, wrapped under itself.
fn line(style: Style, word: &str, title: &str, sentence: &str, width: usize) -> String {
    const STATE: usize = 9;
    const TITLE: usize = 20;
    let indent = " ".repeat(STATE + TITLE);
    let options = textwrap::Options::new(width.max(STATE + TITLE + 30)).initial_indent(&indent);
    let options = options.subsequent_indent(&indent).word_splitter(textwrap::WordSplitter::NoHyphenation);
    let wrapped = textwrap::fill(&text::clean(&text::bounded(sentence, 2_000)), options.break_words(false));
    let rest = wrapped.get(STATE + TITLE..).unwrap_or_default();
    format!("{style}{word:STATE$}{style:#}{title:TITLE$}{rest}\n")
}
