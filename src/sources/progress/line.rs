//! The moving line: how far the work is, what is waited for, how much was read, how long it takes.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::text;

/// A part of the work that one would recognize.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    SignIn,
    NodePools,
    Extensions,
    Registry,
    CacheRules,
    PrivateEndpoints,
    PrivateDns,
    Roles,
    Networks,
    Kubernetes,
    ActivityLog,
    /// What the first answers leave open.
    OpenQuestions,
}

impl Stage {
    const ALL: [Self; 12] = [
        Self::SignIn,
        Self::NodePools,
        Self::Extensions,
        Self::Registry,
        Self::CacheRules,
        Self::PrivateEndpoints,
        Self::PrivateDns,
        Self::Roles,
        Self::Networks,
        Self::Kubernetes,
        Self::ActivityLog,
        Self::OpenQuestions,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::NodePools => "node pools",
            Self::Extensions => "extensions",
            Self::Registry => "registry",
            Self::CacheRules => "cache rules",
            Self::PrivateEndpoints => "private endpoints",
            Self::PrivateDns => "private DNS",
            Self::Roles => "role assignments",
            Self::Networks => "networks",
            Self::Kubernetes => "Kubernetes API",
            Self::ActivityLog => "Activity Log",
            Self::OpenQuestions => "follow-up reads",
        }
    }
}

/// What was seen of the work so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    done: BTreeSet<Stage>,
    /// What goes on, the oldest first.
    open: Vec<Stage>,
    reads: usize,
    /// The last question.
    latest: String,
    began: Option<Instant>,
    /// What is waited for between two rounds, and until when.
    waiting: Option<(String, Instant)>,
}

impl Seen {
    /// Between two rounds nothing goes on; the next one counts from its own beginning.
    fn wake(&mut self) {
        if self.waiting.take().is_some() {
            *self = Self::default();
        }
        self.began.get_or_insert_with(Instant::now);
    }

    pub(super) fn asked(&mut self, what: &str) {
        self.wake();
        what.clone_into(&mut self.latest);
        self.reads += 1;
    }

    pub(super) fn begin(&mut self, stage: Stage) {
        self.wake();
        self.open.push(stage);
    }

    pub(super) fn end(&mut self, stage: Stage) {
        if let Some(at) = self.open.iter().position(|open| *open == stage) {
            self.open.remove(at);
        }
        self.done.insert(stage);
    }

    pub(super) fn wait(&mut self, what: &str, until: Instant) {
        self.waiting = Some((what.to_owned(), until));
    }

    pub(super) fn line(&self, now: Instant) -> String {
        if let Some((what, until)) = &self.waiting {
            return format!("{what} · next look in {} s", until.saturating_duration_since(now).as_secs());
        }
        let open: BTreeSet<Stage> = self.open.iter().copied().collect();
        let done = self.done.difference(&open).count();
        let oldest = self.open.first().map_or(self.latest.as_str(), |stage| stage.words());
        let more = match open.len() {
            0 | 1 => String::new(),
            several => format!(" and {} more", several - 1),
        };
        let took = self.began.map_or(0, |began| now.saturating_duration_since(began).as_secs());
        format!("[{done}/{}] {oldest}{more} · {} · {took} s", Stage::ALL.len(), text::count(self.reads, "read"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_line_says_how_far_the_work_is_and_what_is_waited_for() {
        let mut seen = Seen::default();
        seen.begin(Stage::SignIn);
        seen.end(Stage::SignIn);
        seen.begin(Stage::PrivateEndpoints);
        seen.asked("/cluster");
        let began = seen.began.expect("it began");
        let line = |seen: &Seen| seen.line(began + Duration::from_secs(3));
        assert_eq!(line(&seen), "[1/12] private endpoints · 1 read · 3 s");
        seen.begin(Stage::Kubernetes);
        seen.asked("/cluster");
        assert_eq!(line(&seen), "[1/12] private endpoints and 1 more · 2 reads · 3 s");
        seen.wait("open: private-dns", began + Duration::from_secs(30));
        assert_eq!(line(&seen), "open: private-dns · next look in 27 s");
        seen.asked("/cluster");
        assert!(seen.line(Instant::now()).starts_with("[0/12] /cluster · 1 read"), "a round counts for itself");
    }
}
