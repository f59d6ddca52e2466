//! The operator's policy, apart from the checks: other severities, findings that are accepted for a time, and a
//! baseline of what is known already.

mod baseline;
mod file;
pub mod ways;

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Diagnosis;
use crate::checks::catalogue;
use crate::checks::finding::{Finding, Fingerprint};
use crate::checks::rule::{Rule, RuleSet, Severity};
use crate::evidence::Evidence;
use crate::evidence::image;
use crate::evidence::manifests::ImagePath;
use crate::text;
use crate::text::problem::Problem;
pub use baseline::Baseline;
pub use file::PolicyFile;
use file::{HostEntry, ImagePathEntry, SuppressionEntry};
use ways::Ways;

/// The name under which a policy is looked for.
pub const FILE: &str = "aksiso.toml";

/// A policy that was read and makes sense.
#[derive(Debug, Default)]
pub struct Policy {
    file: String,
    severities: BTreeMap<&'static str, Override>,
    suppressions: Vec<Suppression>,
    /// Entries that name rules which are gone.
    retired: Vec<Notice>,
    image_paths: Vec<ImagePath>,
    ways: Ways,
}

/// Another severity than the rule's own.
#[derive(Debug)]
struct Override {
    line: usize,
    severity: Severity,
}

#[derive(Debug)]
struct Suppression {
    line: usize,
    check: &'static RuleSet,
    rule: &'static Rule,
    subject: String,
    reason: String,
    until: Date,
}

/// What takes a finding out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SuppressedBy {
    /// The policy or baseline file.
    pub file: String,
    /// The line in the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The reason that it gives.
    pub reason: String,
    /// The last day on which it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// Something that is wrong with the policy itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    pub file: String,
    pub line: usize,
    pub message: String,
}

impl Policy {
    /// Reads a policy's text; `known` are the rules that there are.
    ///
    /// # Errors
    /// What is wrong in which line, and what was meant.
    pub fn parse(toml: &str, name: &str, known: &[&'static RuleSet]) -> Result<Self, Problem> {
        let line = |at: usize| toml[..at.min(toml.len())].matches('\n').count() + 1;
        let file: PolicyFile = toml::from_str(toml).map_err(|error| {
            let at = error.span().map_or(1, |span| line(span.start));
            // The first line of the message; the others quote the file.
            let message = text::clean(&text::bounded(error.message(), 200));
            Problem::new(format!("{name}, line {at}: {message}"), unknown_key(error.message()))
        })?;
        let mut policy = Self { file: name.to_owned(), ..Self::default() };
        for (rule, severity) in file.severity {
            let line = line(rule.span().start);
            if policy.mentions_retired(rule.get_ref(), line) {
                continue;
            }
            let (_, rule) = known_rule(rule.get_ref(), known, name, line)?;
            policy.severities.insert(rule.id, Override { line, severity: severity.into() });
        }
        for entry in file.suppress {
            let at = line(entry.span().start);
            if policy.mentions_retired(&entry.get_ref().rule, at) {
                continue;
            }
            policy.suppressions.push(suppression(entry.into_inner(), name, at, known)?);
        }
        for entry in file.preflight.images {
            let at = line(entry.span().start);
            policy.image_paths.push(image_path(&entry.into_inner(), name, at)?);
        }
        for entry in file.preflight.reachable {
            let at = line(entry.span().start);
            let (host, way) = registry(&entry.into_inner(), name, at, image::host, "say which way leads there")?;
            policy.ways.reach(host, way);
        }
        for entry in file.preflight.unreachable {
            let at = line(entry.span().start);
            let hint = "say why nodes must not count on it";
            let (hosts, reason) = registry(&entry.into_inner(), name, at, image::host_pattern, hint)?;
            policy.ways.block(hosts, reason);
        }
        Ok(policy)
    }

    /// Notes an entry about a rule that is gone: it has nothing left to do, and is no reason to fail.
    fn mentions_retired(&mut self, rule: &str, line: usize) -> bool {
        let Some(why) = catalogue::retired(rule) else { return false };
        let message = format!("the rule {rule} is gone ({why}): take the entry out");
        self.retired.push(Notice { file: self.file.clone(), line, message });
        true
    }

    /// Where images stand in custom resources, as far as the operator says so.
    pub fn image_paths(&self) -> &[ImagePath] {
        &self.image_paths
    }

    /// Registries that the nodes reach or not, as the operator says.
    pub fn ways(&self) -> &Ways {
        &self.ways
    }

    /// A diagnosis under the policy: severities as it says, and without the findings that it or the baseline accepts.
    pub fn rule<'e>(&self, mut diagnosis: Diagnosis<'e>, baseline: Option<&Baseline>) -> Ruling<'e> {
        let today = diagnosis.evidence.collected_at.to_zoned(jiff::tz::TimeZone::UTC).date();
        for finding in &mut diagnosis.findings {
            if self.lowers(finding).is_none() {
                finding.severity = self.severities.get(finding.rule.id).map_or(finding.severity, |own| own.severity);
            }
        }
        let notices = self.notices(&diagnosis, today);
        let accepts = |finding: &Finding| {
            let own = self.suppresses(finding, today).or_else(|| self.lowers(finding));
            own.or_else(|| baseline.and_then(|known| known.knows(finding)))
        };
        let accepted = with_symptoms(&diagnosis.findings, accepts);
        let (diagnosis, findings) = diagnosis.accept(|finding| accepted.contains_key(&finding.fingerprint()));
        let by = |finding: Finding| accepted.get(&finding.fingerprint()).cloned().map(|by| (finding, by));
        Ruling { diagnosis, suppressed: findings.into_iter().filter_map(by).collect(), notices }
    }

    /// Whether the policy accepts a finding of this evidence, so that what could not be seen of it is no gap.
    pub fn accepts(&self, finding: &Finding, evidence: &Evidence) -> bool {
        let today = evidence.collected_at.to_zoned(jiff::tz::TimeZone::UTC).date();
        self.suppresses(finding, today).is_some() || self.lowers(finding).is_some()
    }

    /// The suppression that covers a finding on a day.
    fn suppresses(&self, finding: &Finding, today: Date) -> Option<SuppressedBy> {
        let by = self.suppressions.iter().find(|entry| entry.until >= today && entry.covers(finding))?;
        Some(SuppressedBy {
            file: self.file.clone(),
            line: Some(by.line),
            reason: by.reason.clone(),
            until: Some(by.until.to_string()),
        })
    }

    /// The entry that makes a mere note of an error or a warning: that accepts it, so the cluster is not healthy.
    fn lowers(&self, finding: &Finding) -> Option<SuppressedBy> {
        let own = self.severities.get(finding.rule.id)?;
        (own.severity == Severity::Info && finding.severity > Severity::Info).then(|| SuppressedBy {
            file: self.file.clone(),
            line: Some(own.line),
            reason: format!("the policy lowers this {} to info", finding.severity.as_str()),
            until: None,
        })
    }

    /// What is wrong with the policy: suppressions that have expired, and those that match nothing although their
    /// rule's check saw everything.
    fn notices(&self, diagnosis: &Diagnosis<'_>, today: Date) -> Vec<Notice> {
        let wrong = self.suppressions.iter().filter_map(|entry| {
            let matched = diagnosis.findings.iter().any(|finding| entry.covers(finding));
            let own = diagnosis.checks.iter().find(|result| result.check == entry.check);
            let seen = own.is_some_and(|result| result.gaps.is_empty());
            let (rule, until) = (entry.rule.id, entry.until);
            let message = match (until < today, matched) {
                (true, true) => format!("the suppression of {rule} expired on {until}: its finding counts again"),
                (true, false) => format!("the suppression of {rule} expired on {until}: remove it"),
                (false, false) if seen => format!("the suppression of {rule} matches nothing: remove it"),
                _ => return None,
            };
            Some(Notice { file: self.file.clone(), line: entry.line, message })
        });
        self.retired.iter().cloned().chain(wrong).collect()
    }
}

/// What is accepted, and by what. Whoever accepts a cause accepts what it does: a symptom all of whose causes are
/// accepted is no news.
fn with_symptoms(
    findings: &[Finding],
    accepts: impl Fn(&Finding) -> Option<SuppressedBy>,
) -> BTreeMap<Fingerprint, SuppressedBy> {
    let direct = findings.iter().filter_map(|finding| Some((finding.fingerprint(), accepts(finding)?)));
    let mut accepted: BTreeMap<Fingerprint, SuppressedBy> = direct.collect();
    loop {
        let open = findings.iter().filter(|finding| !accepted.contains_key(&finding.fingerprint()));
        let follows = |finding: &Finding| {
            let first = accepted.get(finding.caused_by.first()?)?;
            let all = finding.caused_by.iter().all(|cause| accepted.contains_key(cause));
            let cause = findings.iter().find(|cause| Some(&cause.fingerprint()) == finding.caused_by.first())?;
            let reason = format!("caused by {} of {}: {}", cause.rule.id, cause.subject.name, first.reason);
            all.then(|| SuppressedBy { reason: text::bounded(&reason, 500), ..first.clone() })
        };
        let symptoms: Vec<_> = open.filter_map(|finding| Some((finding.fingerprint(), follows(finding)?))).collect();
        if symptoms.is_empty() {
            return accepted;
        }
        accepted.extend(symptoms);
    }
}

impl Suppression {
    fn covers(&self, finding: &Finding) -> bool {
        self.rule == finding.rule && text::matches(&self.subject, finding.subject.id.as_str())
    }
}

/// A place in the policy, for messages.
fn at(name: &str, line: usize, what: impl std::fmt::Display) -> String {
    format!("{name}, line {line}: {what}")
}

fn suppression(
    entry: SuppressionEntry,
    name: &str,
    line: usize,
    known: &[&'static RuleSet],
) -> Result<Suppression, Problem> {
    let (check, rule) = known_rule(&entry.rule, known, name, line)?;
    let until = entry.until.parse::<Date>().map_err(|_| {
        let wrong = text::clean(&text::bounded(&entry.until, 40));
        let message = at(name, line, format_args!("until = \"{wrong}\" is not a valid date"));
        Problem::new(message, "expected a day such as \"2027-01-31\"")
    })?;
    Ok(Suppression {
        line,
        check,
        rule,
        subject: entry.subject.unwrap_or_else(|| "*".to_owned()),
        reason: reason(&entry.reason, name, line, "say why this is accepted")?,
        until,
    })
}

fn image_path(entry: &ImagePathEntry, name: &str, line: usize) -> Result<ImagePath, Problem> {
    ImagePath::new(&entry.kind, &entry.path).map_err(|why| {
        let message = at(name, line, text::clean(&text::bounded(&why, 300)));
        Problem::new(message, "for example: kind = \"Widget.example.com\", path = \"spec.server.image\"")
    })
}

/// A host, or a pattern of hosts, and what is said of it.
fn registry(
    entry: &HostEntry,
    name: &str,
    line: usize,
    read: fn(&str) -> Result<String, String>,
    hint: &str,
) -> Result<(String, String), Problem> {
    let host = read(&entry.host).map_err(|why| {
        let wrong = text::clean(&text::bounded(&entry.host, 100));
        let message = at(name, line, format_args!("host = \"{wrong}\": {why}"));
        Problem::new(message, "without https:// and without a path")
    })?;
    Ok((host, reason(&entry.reason, name, line, hint)?))
}

/// A reason, which may not be empty.
fn reason(text: &str, name: &str, line: usize, hint: &str) -> Result<String, Problem> {
    if text.trim().is_empty() {
        return Err(Problem::new(at(name, line, "the reason is empty"), hint));
    }
    Ok(text::bounded(text, 500))
}

fn known_rule(
    name: &str,
    known: &[&'static RuleSet],
    file: &str,
    line: usize,
) -> Result<(&'static RuleSet, &'static Rule), Problem> {
    let all = || known.iter().flat_map(|set| set.rules.iter().map(|rule| (*set, *rule)));
    all().find(|(_, rule)| rule.id == name).ok_or_else(|| {
        let near = text::nearest(name, all().map(|(_, rule)| rule.id));
        let near = near.map_or_else(String::new, |near| format!("did you mean {near}? "));
        let shown = text::clean(&text::bounded(name, 60));
        Problem::new(
            format!("{file}, line {line}: there is no rule \"{shown}\""),
            format!("{near}aksiso checks lists them all"),
        )
    })
}

/// What was meant by a key that does not exist: the message names it and those that do.
fn unknown_key(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let general =
        "expected [severity] with RULE = \"error|warning|info\", and [[suppress]] with rule, subject, reason and until";
    match quoted.split_first() {
        Some((wrong, known)) if message.starts_with("unknown field") => {
            let near = text::nearest(wrong, known.iter().copied());
            near.map_or_else(|| general.to_owned(), |near| format!("did you mean {near}?"))
        }
        _ => general.to_owned(),
    }
}

/// A diagnosis under a policy and a baseline.
#[derive(Debug, Clone)]
pub struct Ruling<'e> {
    /// The diagnosis, with the severities of the policy and without the findings that are accepted.
    pub diagnosis: Diagnosis<'e>,
    /// Findings that the policy or the baseline accepts, and why; they fail nothing, and are told.
    pub suppressed: Vec<(Finding, SuppressedBy)>,
    /// What is wrong with the policy itself.
    pub notices: Vec<Notice>,
}

impl<'e> Ruling<'e> {
    /// The diagnosis as it is, under no policy.
    pub fn none(diagnosis: Diagnosis<'e>) -> Self {
        Self { diagnosis, suppressed: Vec::new(), notices: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(toml: &str) -> (String, String) {
        const RULE: Rule = Rule::warning("registry-public-access", "");
        const SET: RuleSet = RuleSet { id: "registry", title: "", doc: "", rules: &[&RULE] };
        let error = Policy::parse(toml, "aksiso.toml", &[&SET]).expect_err("a wrong policy");
        (error.to_string(), error.hint)
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_what_was_meant() {
        let (message, hint) = wrong("[severity]\nregistry-public-acces = \"info\"\n");
        assert_eq!(message, "aksiso.toml, line 2: there is no rule \"registry-public-acces\"");
        assert!(hint.starts_with("did you mean registry-public-access?"), "{hint}");
        let entry = |more: &str| format!("\n[[suppress]]\nrule = \"registry-public-access\"\nreason = \"r\"\n{more}\n");
        let (message, hint) = wrong(&entry("until = \"2027-01-31\"\nsubjekt = \"*\""));
        assert!(message.starts_with("aksiso.toml, line 6: unknown field `subjekt`"), "{message}");
        assert_eq!(hint, "did you mean subject?");
        let (message, _) = wrong(&entry("until = \"soon\""));
        assert_eq!(message, "aksiso.toml, line 2: until = \"soon\" is not a valid date");
        assert!(wrong(&entry("")).0.contains("missing field `until`"));
        assert!(wrong("suppress = 3").0.starts_with("aksiso.toml, line 1:"));
        assert!(wrong("[severity]\nregistry-public-access = \"bad\"\n").0.contains("line 2"));
        assert!(wrong("[[suppres]]\n").1.contains("did you mean suppress?"));
        assert!(wrong("\u{1b}[31m").0.chars().all(|c| !c.is_control()));
    }
}
