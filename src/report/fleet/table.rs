//! The fleet for people: the verdict, causes by reach with what to do, then a line a cluster.

use anstyle::{AnsiColor, Style};

use super::model::{CauseEntry, FleetReport};
use super::words::{self, Group, SHOWN};
use super::{FleetOptions, GroupBy};
use crate::text;

/// Most commands of one cause that are shown.
const COMMANDS: usize = 3;
/// Healthy clusters are lines only of a small fleet.
const SMALL: usize = 40;

/// Renders the report for lines of `width` characters.
pub fn render(report: &FleetReport, options: &FleetOptions<'_>) -> String {
    let mut page = Page { out: String::new(), width: options.width };
    page.head(report);
    page.effect(report);
    match options.group_by {
        GroupBy::Cause => {
            page.causes(report);
            page.clusters(report);
        }
        GroupBy::Cluster => {
            page.clusters(report);
            page.causes(report);
        }
        GroupBy::Subscription | GroupBy::Registry => {
            page.groups(&words::groups(report, options.group_by));
            page.causes(report);
        }
    }
    page.list("Could not check", &words::unseen(report));
    page.list("Not shown", &words::notes(report));
    text::for_ci_log(&page.out)
}

struct Page {
    out: String,
    width: usize,
}

impl Page {
    fn line(&mut self, indent: usize, words: &str) {
        let (first, next) = (" ".repeat(indent), " ".repeat(indent + 2));
        let options = textwrap::Options::new(self.width).initial_indent(&first).subsequent_indent(&next);
        let options = options.break_words(false).word_splitter(textwrap::WordSplitter::NoHyphenation);
        self.out.push_str(&textwrap::fill(&text::clean(words), options));
        self.out.push('\n');
    }

    fn heading(&mut self, words: &str) {
        let bold = Style::new().bold();
        self.out.push_str(&format!("\n{bold}{words}{bold:#}\n"));
    }

    fn head(&mut self, report: &FleetReport) {
        let colour = match report.verdict.as_str() {
            "findings" => AnsiColor::Red,
            "healthy" => AnsiColor::Green,
            _ => AnsiColor::Yellow,
        };
        let style = Style::new().bold().fg_color(Some(colour.into()));
        let word = words::verdict(&report.verdict).to_uppercase();
        self.out.push_str(&format!("{style}{word}{style:#}: {}\n", words::headline(report)));
        let scope = &report.scope;
        self.line(
            0,
            &format!(
                "Clusters: {}; {} of {} answered, as of {:.0}",
                words::verdicts(report),
                scope.expected.len() - scope.hidden.len(),
                text::count(scope.expected.len(), "subscription"),
                report.as_of
            ),
        );
    }

    fn effect(&mut self, report: &FleetReport) {
        let Some(effect) = &report.effect else { return };
        let broken = effect.clusters.iter().filter(|own| own.after == "findings" && own.before != "findings").count();
        let worse: Vec<_> = words::worse(report, effect).collect();
        let more = worse.len();
        self.heading(&format!("What if {}", text::clean(&effect.changes.join(", then "))));
        self.line(
            2,
            &format!(
                "Concerns {}; {broken} would become unhealthy, {more} would have new findings. Nothing was changed.",
                text::count(effect.clusters.len(), "cluster")
            ),
        );
        for own in worse.iter().take(SHOWN) {
            self.line(2, &format!("{}: {} now, {} then: {}", own.name, own.before, own.after, own.rules));
        }
        if more > SHOWN {
            self.line(2, &format!("and {} more", more - SHOWN));
        }
        words::open(effect).iter().for_each(|open| self.line(2, open));
    }

    fn causes(&mut self, report: &FleetReport) {
        let shown: Vec<&CauseEntry> = report.causes.iter().filter(|cause| cause.severity != "info").collect();
        if shown.is_empty() {
            return;
        }
        self.heading("Causes, worst first");
        for (number, cause) in shown.iter().enumerate() {
            self.cause(number + 1, cause, report);
        }
    }

    fn cause(&mut self, number: usize, cause: &CauseEntry, report: &FleetReport) {
        let colour = if cause.severity == "error" { AnsiColor::Red } else { AnsiColor::Yellow };
        let style = Style::new().bold().fg_color(Some(colour.into()));
        let severity = cause.severity.to_uppercase();
        let name = text::clean(&cause.subject.name);
        self.out.push_str(&format!("{number:>3} {style}{severity}{style:#} {} {name}\n", cause.rule));
        self.line(4, &words::reach(cause));
        if let Some(finding) = report.finding(&cause.fingerprint) {
            self.line(4, &finding.title);
        }
        self.line(4, &format!("Fix: {}", cause.remediation.summary));
        for command in cause.remediation.commands.iter().take(COMMANDS) {
            self.out.push_str(&format!("      {}\n", text::clean(command)));
        }
        let more = cause.remediation.commands.len().saturating_sub(COMMANDS);
        if more > 0 {
            self.line(6, &format!("{} in the JSON", text::count(more, "more command")));
        }
    }

    fn clusters(&mut self, report: &FleetReport) {
        let all = words::by_verdict(report);
        let shown = all.iter().filter(|cluster| cluster.verdict != "healthy" || all.len() <= SMALL);
        let shown: Vec<_> = shown.collect();
        if shown.is_empty() {
            return;
        }
        self.heading("Clusters");
        for cluster in shown {
            let has = words::has(report, cluster);
            let has = if has.is_empty() { String::new() } else { format!(": {has}") };
            let word = words::verdict(&cluster.verdict);
            self.line(2, &format!("{word:<10} {} ({}){has}", cluster.name, words::place(cluster)));
        }
    }

    fn groups(&mut self, groups: &[Group<'_>]) {
        self.heading("Groups, most unhealthy clusters first");
        for group in groups {
            let unhealthy = words::unhealthy(&group.clusters);
            let rules: Vec<&str> =
                group.causes.iter().filter(|cause| cause.severity != "info").map(|cause| cause.rule.as_str()).collect();
            let rules = if rules.is_empty() { String::new() } else { format!(": {}", rules.join(", ")) };
            let clusters = text::count(group.clusters.len(), "cluster");
            self.line(2, &format!("{} ({unhealthy} of {clusters} unhealthy){rules}", group.name));
        }
    }

    fn list(&mut self, title: &str, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        self.heading(title);
        for line in lines {
            self.line(2, line);
        }
    }
}
