//! The report for people: the verdict first, then findings with what to do, then what passed and what was not seen.
//! Words carry the meaning; colour only repeats it, and only on a terminal.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};

use crate::command::{Command, Shell};
use crate::correlate::{Diagnosis, Status, Verdict, plan};
use crate::evidence::{Evidence, Gap};
use crate::finding::{Finding, Observation, Severity};
use crate::text::{self, count};
use crate::whatif::{Effect, Moved};

/// Column at which the text of a finding begins.
pub(super) const INDENT: usize = 10;
/// Most images that a list names; the other formats have them all.
const IMAGES: usize = 30;

/// Renders the report for lines of `width` characters.
pub fn render(diagnosis: &Diagnosis<'_>, width: usize, shell: Shell, links: bool) -> String {
    let mut page = Page { out: String::new(), width, shell, links };
    page.head(diagnosis);
    if let Some(effect) = &diagnosis.effect {
        page.effect(effect);
    }
    let symptoms = diagnosis.symptoms();
    for root in diagnosis.roots() {
        page.finding(&diagnosis.findings[root]);
        page.symptoms(diagnosis, &symptoms[root]);
    }
    page.plan(diagnosis);
    page.checks(diagnosis);
    page.unseen(diagnosis);
    page.suppressed(diagnosis);
    text::for_ci_log(&page.out)
}

/// Renders the list of checks and rules.
pub fn render_checks(width: usize) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(cells(width));
    table.set_header(vec!["CHECK / rule", "SEVERITY", "WHAT"]);
    for check in crate::check::everything() {
        table.add_row(vec![check.id, "", check.title]);
        for rule in check.rules {
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

pub(super) fn severity_style(severity: Severity) -> Style {
    let color = match severity {
        Severity::Error => AnsiColor::Red,
        Severity::Warning => AnsiColor::Yellow,
        Severity::Info => AnsiColor::Cyan,
    };
    color.on_default().bold()
}

pub(super) fn styled(text: &str, style: Style) -> String {
    format!("{style}{text}{style:#}")
}

/// A page that grows line by line.
pub(super) struct Page {
    out: String,
    width: usize,
    shell: Shell,
    links: bool,
}

impl Page {
    pub(super) fn new(width: usize, shell: Shell) -> Self {
        Self { out: String::new(), width, shell, links: false }
    }

    /// The page, safe for a terminal and for a CI log.
    pub(super) fn finish(self) -> String {
        text::for_ci_log(&self.out)
    }

    pub(super) fn line(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }

    pub(super) fn head(&mut self, diagnosis: &Diagnosis<'_>) {
        let evidence = diagnosis.evidence;
        let (word, style) = match diagnosis.verdict() {
            Verdict::Healthy => ("HEALTHY", AnsiColor::Green.on_default().bold()),
            Verdict::Findings if diagnosis.count(Severity::Error) > 0 => ("FINDINGS", severity_style(Severity::Error)),
            Verdict::Findings => ("FINDINGS", severity_style(Severity::Warning)),
            Verdict::Incomplete => ("INCOMPLETE", severity_style(Severity::Warning)),
        };
        let mut summary = [Severity::Error, Severity::Warning, Severity::Info]
            .map(|severity| count(diagnosis.count(severity), severity.as_str()))
            .join(", ")
            .replace("infos", "info");
        let unseen = diagnosis.checks.iter().filter(|judged| !judged.gaps.is_empty()).count();
        if unseen > 0 {
            let _ = write!(summary, "; {} could not see everything", count(unseen, "check"));
        }
        self.wrapped(&format!("Verdict: {} - ", styled(word, style)), &summary, 9);
        self.cluster(evidence);
    }

    /// Which cluster, in what shape, seen when.
    pub(super) fn cluster(&mut self, evidence: &Evidence) {
        let place = evidence.cluster.id.resource_group().unwrap_or("?");
        let cluster = format!(
            "Cluster: {} in resource group {place}, Kubernetes {}, artifact source {}, outbound type {}, registry {} ({}), seen at {}",
            evidence.cluster.name(),
            text::bounded(evidence.cluster.properties.current_kubernetes_version.as_deref().unwrap_or("unknown"), 60),
            text::bounded(evidence.bootstrap().artifact_source.as_deref().unwrap_or("unset"), 60),
            text::bounded(evidence.outbound_type(), 60),
            evidence.registry_id().as_ref().map_or("none", crate::azure::id::ResourceId::name),
            evidence.ownership().as_str(),
            evidence.collected_at,
        );
        self.paragraph("", &cluster, "Cluster: ".len());
    }

    /// What changes would do that one thinks of: what follows is the report of the changed cluster.
    pub(super) fn effect(&mut self, effect: &Effect) {
        self.line("");
        self.field(
            "What if",
            &format!("{} (nothing was changed; what follows is judged as if)", effect.changes.join("; ")),
            INDENT,
        );
        let mut list = |label: &str, moved: &[Moved]| {
            for (at, moved) in moved.iter().take(IMAGES).enumerate() {
                let line = format!(
                    "{}, {}: {}. {}",
                    moved.image,
                    count(moved.containers, "container"),
                    moved.workloads.join(", "),
                    text::bounded(&moved.why, 300)
                );
                self.field(if at == 0 { label } else { "" }, &line, INDENT);
            }
            if moved.len() > IMAGES {
                self.field("", &format!("and {} more images", moved.len() - IMAGES), INDENT);
            }
        };
        list("Stops", &effect.stops);
        list("Starts", &effect.starts);
        list("Unclear", &effect.unclear);
        if effect.stops.is_empty() && effect.unclear.is_empty() {
            self.field("Stops", "no image in use stops being pulled", INDENT);
        }
        let brings = effect.brings.len();
        if brings > 0 {
            self.field("Brings", &format!("{} that the cluster does not have now", count(brings, "finding")), INDENT);
        }
    }

    fn finding(&mut self, finding: &Finding) {
        self.line("");
        let word = finding.severity.as_str().to_uppercase();
        let style = severity_style(finding.severity);
        let bold = Style::new().bold();
        self.line(&format!("{} {}", styled(&word, style), styled(finding.rule.id, bold)));
        self.paragraph("  ", finding.rule.title, 2);
        self.field("What", &finding.detail, INDENT);
        self.field("About", &format!("{} {}", finding.subject.kind, finding.subject.name), INDENT);
        for (at, observation) in finding.evidence.iter().enumerate() {
            self.field(if at == 0 { "Because" } else { "" }, &short(observation), INDENT);
        }
        let remediation = &finding.remediation;
        self.field("Do", &format!("[{}] {}", remediation.kind.as_str(), remediation.summary), INDENT);
        self.commands("", &remediation.commands);
        if !remediation.script.is_empty() {
            self.commands("without a terminal, which asks nothing:", &remediation.script);
        }
        let start = self.out.len();
        self.field("More", &format!("aksiso explain {}; {}", finding.rule.id, remediation.docs), INDENT);
        if self.links {
            let link = format!("\u{1b}]8;;{0}\u{1b}\\{0}\u{1b}]8;;\u{1b}\\", remediation.docs);
            let more = self.out.split_off(start);
            self.out.push_str(&more.replace(remediation.docs, &link));
        }
    }

    /// What the finding explains: one line each, with how much there is and the newest evidence.
    fn symptoms(&mut self, diagnosis: &Diagnosis<'_>, symptoms: &[usize]) {
        for (at, symptom) in symptoms.iter().enumerate() {
            let finding = &diagnosis.findings[*symptom];
            let newest = finding
                .evidence
                .first()
                .map(|seen| format!(" ({})", text::bounded(&seen.value, 160)))
                .unwrap_or_default();
            let line =
                format!("{} {} {}{newest}", finding.severity.as_str().to_uppercase(), finding.rule.id, finding.detail);
            self.field(if at == 0 { "Explains" } else { "" }, &line, INDENT + 1);
        }
    }

    /// The steps in their order, where there is more than one to take.
    fn plan(&mut self, diagnosis: &Diagnosis<'_>) {
        let steps = plan::steps(diagnosis);
        if steps.len() < 2 {
            return;
        }
        self.line("\nPlan, in this order (--plan FILE writes it as a script):");
        for (at, step) in steps.iter().enumerate() {
            let mends = step
                .mends
                .first()
                .map(|finding| format!("{} of {}", finding.rule.id, finding.subject.name))
                .unwrap_or_default();
            let more = step.mends.len().saturating_sub(1);
            let more = if more > 0 { format!(" and {}", count(more, "other finding")) } else { String::new() };
            self.paragraph(
                "  ",
                &format!("{}. {} for {mends}{more}; disturbs: {}", at + 1, step.kind.as_str(), step.disturbs),
                5,
            );
            let line = format!("     verify: {}", text::clean(&step.verify.line(self.shell)));
            self.line(&line);
        }
    }

    /// Commands stand on lines of their own and are never broken: they are there to be copied.
    pub(super) fn commands(&mut self, heading: &str, commands: &[Command]) {
        if commands.is_empty() {
            return;
        }
        if !heading.is_empty() {
            self.field("", heading, INDENT);
        }
        for command in commands {
            let line = format!("    {}", text::clean(&command.line(self.shell)));
            self.line(&line);
        }
    }

    fn checks(&mut self, diagnosis: &Diagnosis<'_>) {
        self.line("");
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(cells(self.width)).set_header(vec!["CHECK", "STATUS", "WHAT"]);
        for judged in &diagnosis.checks {
            let mark = if judged.status == Status::Failed && !judged.gaps.is_empty() {
                "failed, incomplete"
            } else {
                judged.status.as_str()
            };
            let what = match (&judged.status, &judged.reason) {
                (Status::NotApplicable, Some(reason)) => text::clean(reason),
                _ => judged.check.title.to_owned(),
            };
            table.add_row(vec![judged.check.id, mark, what.as_str()]);
        }
        self.line(&trimmed(&table.to_string()));
    }

    pub(super) fn unseen(&mut self, diagnosis: &Diagnosis<'_>) {
        let mut seen: Vec<(&Gap, Vec<&str>)> = Vec::new();
        for judged in &diagnosis.checks {
            for gap in &judged.gaps {
                match seen.iter_mut().find(|(known, _)| *known == gap) {
                    Some((_, checks)) => checks.push(judged.check.id),
                    None => seen.push((gap, vec![judged.check.id])),
                }
            }
        }
        if seen.is_empty() {
            return;
        }
        self.line("\nNot seen, so not judged:");
        for (gap, checks) in seen {
            let mut line = gap.detail.clone();
            if let Some(needed) = &gap.needed {
                let _ = write!(line, " (needs {needed}");
                if !gap.scope.is_empty() {
                    let _ = write!(line, " on {}", gap.scope);
                }
                if let Some(role) = &gap.role {
                    let _ = write!(line, "; smallest role: {role}");
                }
                line.push(')');
            }
            self.paragraph("  ", &format!("{}: {line}", checks.join(", ")), 2);
        }
    }

    /// What the policy or the baseline takes out, by which line, and what is wrong with the policy.
    pub(super) fn suppressed(&mut self, diagnosis: &Diagnosis<'_>) {
        if !diagnosis.suppressed.is_empty() {
            self.line("\nSuppressed, so not counted:");
        }
        for (finding, by) in &diagnosis.suppressed {
            let line = by.line.map_or_else(String::new, |line| format!(", line {line}"));
            let until = by.until.as_ref().map_or_else(String::new, |until| format!(", until {until}"));
            let what =
                format!("{} of {}: {} ({}{line}{until})", finding.rule.id, finding.subject.name, by.reason, by.file);
            self.paragraph("  ", &what, 2);
        }
        if !diagnosis.notices.is_empty() {
            self.line("\nPolicy:");
        }
        for notice in &diagnosis.notices {
            self.paragraph("  ", &format!("{}, line {}: {}", notice.file, notice.line, notice.message), 2);
        }
    }

    /// A label and a wrapped paragraph beside it; an empty label goes on with the one above.
    pub(super) fn field(&mut self, label: &str, body: &str, indent: usize) {
        self.paragraph(&format!("  {label:<width$}", width = indent - 2), body, indent);
    }

    /// A wrapped paragraph: what its first line begins with, and how far the others are indented.
    pub(super) fn paragraph(&mut self, first: &str, body: &str, indent: usize) {
        self.wrapped(first, &text::clean(body), indent);
    }

    /// The same of what is clean already; it may hold styles.
    pub(super) fn wrapped(&mut self, first: &str, body: &str, indent: usize) {
        let rest = " ".repeat(indent);
        let options =
            textwrap::Options::new(self.width).initial_indent(first).subsequent_indent(&rest).break_words(false);
        for line in textwrap::wrap(body, options.word_splitter(textwrap::WordSplitter::NoHyphenation)) {
            self.line(line.trim_end());
        }
    }
}

/// An observation on one line: the field, its value, and where it was read, cut down to the last names of the id.
fn short(observation: &Observation) -> String {
    format!("{} = {} ({})", observation.path, observation.value, short_source(&observation.source))
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
