//! The report for people: the verdict first, then findings with what to do, then what passed and what was not seen.
//! Words carry the meaning; colour only repeats it, and only on a terminal.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;

use super::Options;
use super::headline;
use super::lines::{LABEL, Page, styled};
use super::marks::{self, DOT};
use super::model::{
    Cluster, FindingEntry, MovedEntry, ObservationEntry, Report, StepEntry, SubjectEntry, SuppressedEntry, WhatIfEntry,
};
use super::picture::{self, Picture};
use super::roots::Roots;
use crate::answers;
use crate::checks::rule::Severity;
use crate::text::{self, count};

/// Column at which the text of a finding begins.
const INDENT: usize = LABEL;
/// Most images that a list names; the other formats have them all.
const IMAGES: usize = 30;

/// Renders the report for lines of `width` characters.
pub fn render(report: &Report, options: &Options<'_>) -> String {
    let mut page = Page::for_options(options);
    let roots = Roots::of(report);
    page.head(report);
    picture::draw(&mut page, &Picture::of(report, &roots));
    if let Some(effect) = &report.what_if {
        page.effect(effect);
    }
    for root in &roots.causes {
        page.finding(root.finding);
        page.symptoms(&root.explains);
    }
    roots.notes.iter().for_each(|note| page.finding(note));
    page.plan(report);
    page.checks(report);
    page.unseen(report);
    page.probes(report);
    page.suppressed(report);
    page.finish()
}

/// Renders the list of checks and rules.
pub fn render_checks(width: usize) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(cells(width));
    table.set_header(vec!["CHECK / rule", "SEVERITY", "WHAT"]);
    for set in answers::rule_sets() {
        table.add_row(vec![set.id, "", set.title]);
        for rule in set.rules {
            table.add_row(vec![format!("  {}", rule.id).as_str(), rule.severity.as_str(), rule.title]);
        }
    }
    trimmed(&table.to_string()) + "\n\naksiso explain RULE or CHECK prints the page.\n"
}

/// comfy-table pads every line to the full width.
fn trimmed(table: &str) -> String {
    table.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn cells(width: usize) -> u16 {
    u16::try_from(width).unwrap_or(u16::MAX)
}

/// The style of a severity's word.
fn severity_style(word: &str) -> Style {
    let color = match Severity::of(word) {
        Some(Severity::Error) | None => AnsiColor::Red,
        Some(Severity::Warning) => AnsiColor::Yellow,
        Some(Severity::Info) => AnsiColor::Cyan,
    };
    color.on_default().bold()
}

impl Page {
    pub(super) fn head(&mut self, report: &Report) {
        let (word, state) = (headline::word(report), headline::state(report));
        self.wrapped(&format!("{}  ", styled(word, marks::style(state).bold())), &headline::counts(report), 2);
        self.cluster(&report.cluster, report.collected_at);
    }

    /// The verdict with the cluster, the root causes, what they cost, and how long a live run took.
    pub(super) fn verdict(&mut self, report: &Report, elapsed: Option<Duration>) {
        let (word, state) = (headline::word(report), headline::state(report));
        let Cluster { name, resource_group, .. } = &report.cluster;
        let group = resource_group.as_ref().map_or_else(String::new, |group| format!(" ({group})"));
        let took = elapsed.map_or_else(String::new, |took| format!("; {:.1} s", took.as_secs_f64()));
        let name = text::clean(&text::bounded(&format!("{name}{group}"), 120));
        let line = format!("{name}{}{}{took}", DOT, headline::counts(report));
        self.wrapped(&format!("{}  ", styled(word, marks::style(state).bold())), &line, 2);
    }

    /// Which cluster, in what shape, seen when.
    pub(super) fn cluster(&mut self, cluster: &Cluster, collected_at: Timestamp) {
        let word = |word: &Option<String>, unset: &str| text::bounded(word.as_deref().unwrap_or(unset), 60);
        let registry = cluster.registry_id.as_deref().map_or("none", |id| id.rsplit('/').next().unwrap_or_default());
        let line = format!(
            "Cluster: {} in resource group {}, Kubernetes {}, artifact source {}, outbound type {}, registry \
             {registry} ({}), collected at {collected_at}",
            cluster.name,
            cluster.resource_group.as_deref().unwrap_or("?"),
            word(&cluster.kubernetes_version, "unknown"),
            word(&cluster.artifact_source, "unset"),
            word(&cluster.outbound_type, "loadBalancer"),
            cluster.registry_ownership,
        );
        self.paragraph("", &line, "Cluster: ".len());
    }

    /// What changes would do that one thinks of: what follows is the report of the changed cluster.
    pub(super) fn effect(&mut self, effect: &WhatIfEntry) {
        self.line("");
        self.field(
            "What if",
            &format!("{} (nothing was changed; the report below assumes these changes)", effect.changes.join("; ")),
            INDENT,
        );
        let mut list = |label: &str, moved: &[MovedEntry]| {
            for (at, moved) in moved.iter().take(IMAGES).enumerate() {
                let line = format!(
                    "{}, {}: {}. {}",
                    moved.image,
                    count(moved.containers, "container"),
                    moved.workloads.join(", "),
                    text::bounded(&moved.detail, 300)
                );
                self.field(if at == 0 { label } else { "" }, &line, INDENT);
            }
            if moved.len() > IMAGES {
                self.field("", &format!("and {} more images", moved.len() - IMAGES), INDENT);
            }
        };
        list("Stops", &effect.stops_pulling);
        list("Starts", &effect.starts_pulling);
        list("Unclear", &effect.unclear);
        if let Some(nothing) = headline::nothing_stops(effect) {
            self.field("Stops", &nothing, INDENT);
        }
        self.paragraph("  New findings: ", &effect.brings.len().to_string(), INDENT);
    }

    fn finding(&mut self, finding: &FindingEntry) {
        self.line("");
        let word = styled(&finding.severity.to_uppercase(), severity_style(&finding.severity));
        self.line(&format!("{word} {}", styled(&finding.rule, Style::new().bold())));
        self.paragraph("  ", &finding.title, 2);
        self.field("What", &finding.detail, INDENT);
        self.field("Resource", &format!("{} {}", finding.subject.kind, finding.subject.name), INDENT);
        for (at, observation) in finding.evidence.iter().enumerate() {
            // Ids are cut to what tells them apart; where that is the same, they are shown whole.
            let twin = |other: &ObservationEntry| {
                other.source != observation.source && short_source(&other.source) == short_source(&observation.source)
            };
            let line = if finding.evidence.iter().any(twin) { whole(observation) } else { short(observation) };
            self.field(if at == 0 { "Evidence" } else { "" }, &line, INDENT);
        }
        let remediation = &finding.remediation;
        self.field("Fix", &format!("[{}] {}", remediation.kind, remediation.summary), INDENT);
        self.commands("", &remediation.commands);
        if !remediation.script_commands.is_empty() {
            self.commands("without a terminal, which asks nothing:", &remediation.script_commands);
        }
        self.field("Impact", &impact_words(&remediation.impacts), INDENT);
        let docs = remediation.docs.as_str();
        let more = format!("aksiso explain {}; {}", finding.rule, self.linked(docs, docs));
        self.wrapped(&format!("  {:<width$}", "More", width = INDENT - 2), &more, INDENT);
    }

    /// What the finding explains: one line each, with how much there is and the newest evidence.
    fn symptoms(&mut self, symptoms: &[&FindingEntry]) {
        for (at, finding) in symptoms.iter().enumerate() {
            let newest = finding.evidence.first();
            let newest = newest.map(|seen| format!(" ({})", text::ending(&seen.value, 160))).unwrap_or_default();
            let line = format!("{} {} {}{newest}", finding.severity.to_uppercase(), finding.rule, finding.detail);
            self.field(if at == 0 { "Explains" } else { "" }, &line, INDENT);
        }
    }

    /// The steps in their order, where there is more than one to take, or more to say than the finding does.
    fn plan(&mut self, report: &Report) {
        let plain = |step: &StepEntry| step.locks.is_empty() && step.pass_first.is_empty();
        if report.plan.len() < 2 && report.plan.iter().all(plain) {
            return;
        }
        self.line("\nPlan, in this order (--plan FILE writes it as a script):");
        for step in &report.plan {
            let first = report.findings.iter().find(|finding| step.mends.first() == Some(&finding.fingerprint));
            let first = first.map(|finding| format!("{} of {}", finding.rule, finding.subject.name));
            let more = step.mends.len().saturating_sub(1);
            let more = if more > 0 { format!(" and {}", count(more, "other finding")) } else { String::new() };
            let StepEntry { step: number, kind, disturbs, verify, impacts, .. } = step;
            let impact = impact_words(impacts);
            let line =
                format!("{number}. {kind} for {}{more}; impact: {impact} ({disturbs})", first.unwrap_or_default());
            self.paragraph("  ", &line, 5);
            if !step.pass_first.is_empty() {
                self.paragraph("     ", &format!("only once these checks pass: {}", step.pass_first.join(", ")), 5);
            }
            step.locks.iter().for_each(|lock| self.paragraph("     ", lock, 5));
            self.line(&format!("     verify: {}", text::clean(verify)));
        }
    }

    fn checks(&mut self, report: &Report) {
        self.line("");
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(cells(self.width())).set_header(vec!["CHECK", "STATUS", "WHAT"]);
        for check in &report.checks {
            let incomplete = check.status == "failed" && !check.gaps.is_empty();
            let mark = if incomplete { "failed, incomplete" } else { &check.status };
            let what = match (check.status.as_str(), &check.reason) {
                ("not-applicable" | "accepted", Some(reason)) => text::clean(reason),
                _ => answers::rule_sets().find(|set| set.id == check.id).map_or("", |set| set.title).to_owned(),
            };
            table.add_row(vec![check.id.as_str(), mark, what.as_str()]);
        }
        self.line(&trimmed(&table.to_string()));
    }

    pub(super) fn unseen(&mut self, report: &Report) {
        let unseen = report.unseen();
        if !unseen.is_empty() {
            self.line("\nCould not check:");
        }
        for (gap, checks) in unseen {
            self.paragraph("  ", &format!("{}: {}", checks.join(", "), gap.line()), 2);
        }
    }

    /// The probe files, and why some do not count.
    fn probes(&mut self, report: &Report) {
        if !report.probes.is_empty() {
            self.line("\nProbes:");
        }
        for probe in &report.probes {
            let node = probe.node.as_ref().map_or_else(String::new, |node| format!(" of {node}"));
            let used = if probe.used { "used" } else { "not used" };
            let why = probe.reason.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            self.paragraph("  ", &format!("{} ({}{node}), {used}{why}", probe.file, probe.vantage), 2);
        }
    }

    /// What the policy or the baseline takes out, by which line, and what is wrong with the policy.
    pub(super) fn suppressed(&mut self, report: &Report) {
        if !report.suppressed.is_empty() {
            self.line("\nAccepted, so they fail nothing; they are still there:");
        }
        for SuppressedEntry { finding, suppressed_by: by } in &report.suppressed {
            let line = by.line.map_or_else(String::new, |line| format!(", line {line}"));
            let until = by.until.as_ref().map_or_else(String::new, |until| format!(", until {until}"));
            let SubjectEntry { name, .. } = &finding.subject;
            let severity = finding.severity.to_uppercase();
            let what = format!("{severity} {} of {name}: {} ({}{line}{until})", finding.rule, by.reason, by.file);
            self.paragraph("  ", &what, 2);
        }
        if !report.policy.is_empty() {
            self.line("\nPolicy:");
        }
        for notice in &report.policy {
            self.paragraph("  ", &format!("{}, line {}: {}", notice.file, notice.line, notice.message), 2);
        }
    }
}

/// What the commands of a step do, in their order, the same in a row once.
pub(super) fn impact_words(impacts: &[String]) -> String {
    let mut words: Vec<&str> = impacts.iter().map(String::as_str).collect();
    words.dedup();
    if words.is_empty() { "none".to_owned() } else { words.join(", then ") }
}

/// An observation on one line: the field, its value, and where it was read, cut down to the last names of the id.
fn short(observation: &ObservationEntry) -> String {
    format!("{} = {} ({})", observation.path, observation.value, short_source(&observation.source))
}

/// The same with the whole id.
fn whole(observation: &ObservationEntry) -> String {
    format!("{} = {} ({})", observation.path, observation.value, observation.source)
}

fn short_source(source: &str) -> String {
    match source.split_once(" /subscriptions/") {
        Some((method, path)) => {
            let parts: Vec<&str> = path.split('/').collect();
            let tail = parts.len().saturating_sub(if parts.len().is_multiple_of(2) { 3 } else { 2 });
            format!("{method} …/{}", parts[tail..].join("/"))
        }
        None => source.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::short_source;

    #[test]
    fn long_ids_are_cut_to_what_tells_them_apart() {
        let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/r";
        assert_eq!(short_source(&format!("GET {id}")), "GET …/registries/r");
        assert_eq!(short_source(&format!("GET {id}/cacheRules")), "GET …/registries/r/cacheRules");
        assert_eq!(short_source("GET /api/v1/nodes/n"), "GET /api/v1/nodes/n");
    }
}
