//! The fleet as one HTML file: nothing is loaded, nothing runs, everything from Azure is escaped.

use super::model::{CauseEntry, FleetReport};
use super::words;
use super::{FleetOptions, GroupBy};
use crate::report::junit::escape;
use crate::text;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;\
color-scheme:light dark}h1{font-size:1.4rem}h2{font-size:1.15rem;margin-top:2rem}\
article{border:1px solid #8886;border-left-width:.4rem;border-radius:.3rem;padding:.5rem 1rem;margin:1rem 0}\
article.error{border-left-color:#c33}article.warning{border-left-color:#c80}article.info{border-left-color:#48c}\
h3{margin:.2rem 0;font-size:1rem}pre{overflow:auto;padding:.5rem;background:#8881}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #8884;vertical-align:top}.bar{background:#c33;height:.5rem}\
@media print{article{break-inside:avoid}}";

/// Renders the report.
pub fn render(report: &FleetReport, options: &FleetOptions<'_>) -> String {
    let verdict = words::verdict(&report.verdict);
    let causes: String = report.causes.iter().enumerate().map(|(at, cause)| article(at + 1, cause, report)).collect();
    let causes = if causes.is_empty() { String::new() } else { format!("<h2>Causes, worst first</h2>\n{causes}") };
    let table = match options.group_by {
        GroupBy::Cause | GroupBy::Cluster => clusters(report),
        GroupBy::Subscription | GroupBy::Registry => groups(report, options.group_by),
    };
    let body = if options.group_by == GroupBy::Cause { causes + &table } else { table + &causes };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta \
         http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<meta \
         name=\"viewport\" content=\"width=device-width\">\n<title>aksiso fleet: \
         {verdict}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{}: {}</h1>\n<p>{}; {} of {} answered, as of \
         {:.0}.</p>\n{}{body}{}{}</body>\n</html>\n",
        verdict.to_uppercase(),
        escape(&words::headline(report)),
        escape(&words::verdicts(report)),
        report.scope.expected.len() - report.scope.hidden.len(),
        text::count(report.scope.expected.len(), "subscription"),
        report.as_of,
        effect(report),
        list("Could not check", &words::unseen(report)),
        list("Not shown", &words::notes(report)),
    )
}

fn effect(report: &FleetReport) -> String {
    let Some(effect) = &report.effect else { return String::new() };
    let rows = words::worse(report, effect).map(|own| {
        let name = escape(own.name);
        format!("<tr><td>{name}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n", own.before, own.after, own.rules)
    });
    format!(
        "<h2>What if {}</h2>\n<p>Nothing was changed.</p>\n<table>\n<tr><th>Cluster</th><th>Now</th><th>Then</th>\
         <th>New findings</th></tr>\n{}</table>\n<p>{}</p>\n",
        escape(&effect.changes.join(", then ")),
        rows.collect::<String>(),
        escape(&words::open(effect).unwrap_or_default())
    )
}

fn article(number: usize, cause: &CauseEntry, report: &FleetReport) -> String {
    let finding = report.finding(&cause.fingerprint);
    let share = 100 * cause.clusters.len() / report.clusters.len().max(1);
    let names = items(cause.clusters.iter().map(|id| words::name(id)));
    let commands = cause.remediation.commands.join("\n");
    let commands =
        if commands.is_empty() { String::new() } else { format!("<pre><code>{}</code></pre>\n", lines(&commands)) };
    format!(
        "<article class=\"{}\">\n<h3>{number}. {} {} {}</h3>\n<p>{}.</p>\n<div class=\"bar\" \
         style=\"width:{}%\"></div>\n<p>{}</p>\n<p><strong>Fix:</strong> {}</p>\n{commands}<details><summary>{}\
         </summary>\n<ul>\n{names}</ul>\n</details>\n</article>\n",
        escape(&cause.severity),
        escape(&cause.severity),
        escape(&cause.rule),
        escape(&cause.subject.name),
        escape(&words::reach(cause)),
        share.max(1),
        escape(finding.map_or("", |finding| &finding.detail)),
        escape(&cause.remediation.summary),
        text::count(cause.clusters.len(), "cluster"),
    )
}

/// Escaped lines that stay lines.
fn lines(commands: &str) -> String {
    commands.lines().map(|line| escape(line) + "\n").collect()
}

fn clusters(report: &FleetReport) -> String {
    let rows = words::by_verdict(report).into_iter().map(|cluster| {
        format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            escape(&cluster.name),
            escape(&words::place(cluster)),
            words::verdict(&cluster.verdict),
            escape(&words::has(report, cluster))
        )
    });
    let rows: String = rows.collect();
    format!(
        "<h2>Clusters</h2>\n<table>\n<tr><th>Cluster</th><th>Where</th><th>Verdict</th><th></th></tr>\n{rows}</table>\n"
    )
}

fn groups(report: &FleetReport, by: GroupBy) -> String {
    let rows = words::groups(report, by).into_iter().map(|group| {
        let rules: Vec<&str> = group.causes.iter().map(|cause| cause.rule.as_str()).collect();
        format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            escape(&group.name),
            group.clusters.len(),
            words::unhealthy(&group.clusters),
            escape(&rules.join(", "))
        )
    });
    let rows: String = rows.collect();
    format!(
        "<h2>Groups</h2>\n<table>\n<tr><th>Group</th><th>Clusters</th><th>Unhealthy</th><th>Causes</th></tr>\n\
         {rows}</table>\n"
    )
}

fn list(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    format!("<h2>{title}</h2>\n<ul>\n{}</ul>\n", items(lines.iter().map(String::as_str)))
}

fn items<'t>(lines: impl Iterator<Item = &'t str>) -> String {
    let items: Vec<String> = lines.map(|line| format!("<li>{}</li>\n", escape(line))).collect();
    items.concat()
}
