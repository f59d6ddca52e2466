//! Rules: their names, severities and roles. A rule is a constant beside its judgement, and is compared as one.

/// How bad a finding is. The order is that of the report: worst last, so that `max` is the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; never fails a gate by default.
    Info,
    /// Works today, but is at risk, unsupported, or weakens the isolation.
    Warning,
    /// Pulls or node bootstrap fail now, or will at the next pull or the next node.
    Error,
}

impl Severity {
    pub fn of(word: &str) -> Option<Self> {
        [Self::Info, Self::Warning, Self::Error].into_iter().find(|severity| severity.as_str() == word)
    }

    /// The word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What a finding of a rule means for the steps of a cut-over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateRole {
    /// An error stands in the way, a warning is to be minded.
    Usual,
    /// A warning stands in the way too: documented as unsupported, or it stops workloads.
    Strict,
    /// A warning leaves open whether it stands in the way: the documentation says no, the code says yes.
    Open,
    /// A warning leaves open whether egress can be closed, and whether the cluster has arrived: something does not work.
    Closing,
    /// A warning stands in the way of a reimage, and of nothing else.
    Reimage,
    /// It says where the cluster stands, which is what the cut-over itself is about.
    Standing,
    /// It has nothing to do with the way.
    Aside,
}

/// A rule: its name is public and stable. Its roles are declared here, once, beside it.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Kebab-case; names the problem, not the remedy.
    pub id: &'static str,
    /// The usual severity; a finding may deviate, as the rule's page says.
    pub severity: Severity,
    pub title: &'static str,
    /// Whether an error of it breaks every pull from the registry.
    pub breaks_pulls: bool,
    /// Whether a warning of it puts pulls at risk.
    pub risks_pulls: bool,
    /// What it means for a cut-over.
    pub gate: GateRole,
    /// Where its remedy takes something away that pulls may still rest on: the checks that must pass before it.
    pub hardens: Option<&'static [&'static RuleSet]>,
}

impl PartialEq for Rule {
    /// Names are unique, which a test holds; a constant has no address of its own.
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Rule {}

impl Rule {
    const fn new(severity: Severity, id: &'static str, title: &'static str) -> Self {
        Self { id, severity, title, breaks_pulls: false, risks_pulls: false, gate: GateRole::Usual, hardens: None }
    }

    /// A rule whose findings are usually errors.
    pub const fn error(id: &'static str, title: &'static str) -> Self {
        Self::new(Severity::Error, id, title)
    }

    /// A rule whose findings are usually warnings.
    pub const fn warning(id: &'static str, title: &'static str) -> Self {
        Self::new(Severity::Warning, id, title)
    }

    /// A rule whose findings are usually no more than worth knowing.
    pub const fn info(id: &'static str, title: &'static str) -> Self {
        Self::new(Severity::Info, id, title)
    }

    /// The same rule, whose errors break every pull from the registry.
    #[must_use]
    pub const fn breaking_pulls(mut self) -> Self {
        self.breaks_pulls = true;
        self
    }

    /// The same rule, whose warnings put pulls at risk.
    #[must_use]
    pub const fn risking_pulls(mut self) -> Self {
        self.risks_pulls = true;
        self
    }

    /// The same rule with another role in a cut-over.
    #[must_use]
    pub const fn gate(mut self, role: GateRole) -> Self {
        self.gate = role;
        self
    }

    /// The same rule, whose remedy closes something: it comes after what restores, once these checks pass.
    #[must_use]
    pub const fn hardening(mut self, pass_first: &'static [&'static RuleSet]) -> Self {
        self.hardens = Some(pass_first);
        self
    }

    /// Whether the rule is one of these.
    pub fn is_one_of(&self, rules: &[&Self]) -> bool {
        rules.contains(&self)
    }
}

/// Rules that belong together, with the page that documents them: what is public of a check, or of an answer.
#[derive(Debug)]
pub struct RuleSet {
    /// Kebab-case, public and stable; also the name of its file and page.
    pub id: &'static str,
    pub title: &'static str,
    /// The page, in Markdown: feeds `explain`.
    pub doc: &'static str,
    pub rules: &'static [&'static Rule],
}

impl PartialEq for RuleSet {
    /// Names are unique, which a test holds.
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for RuleSet {}

impl RuleSet {
    /// What stands in a finding until it is reported.
    pub const NONE: Self = Self { id: "", title: "", doc: "", rules: &[] };

    /// The section of the page that is about one rule.
    pub fn rule_doc(&self, rule: &str) -> Option<&'static str> {
        let heading = format!("\n## {rule}\n");
        let start = self.doc.find(&heading)? + 1;
        let rest = &self.doc[start..];
        let end = rest[3..].find("\n## ").map_or(rest.len(), |end| end + 4);
        Some(rest[..end].trim_end())
    }
}
