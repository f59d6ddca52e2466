//! The options in groups, as `--help` shows them, and what completes their values.

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory as _, ValueEnum};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};

use super::Cli;
use crate::answers;
use crate::report::Format;
use crate::report::fleet::FleetFormat;

/// The groups, in no order of their own: help shows them as their first option comes. What is in none of them stands
/// under "Options".
const GROUPS: [(&str, &[&str]); 6] = [
    (
        "Cluster",
        &[
            "resource_group",
            "name",
            "tenant",
            "management_group",
            "subscription",
            "which",
            "cluster_id",
            "kubeconfig",
            "context",
            "no_kubernetes",
        ],
    ),
    ("Sign-in", &["cloud", "arm_endpoint", "auth", "scope", "object_id", "user", "group"]),
    (
        "Evidence",
        &[
            "from",
            "probe",
            "anonymize",
            "anonymize_map",
            "depth",
            "what_if",
            "save",
            "check",
            "skip",
            "timeout",
            "concurrency",
            "other_registry",
            "registry",
            "image_path",
            "reachable",
            "unreachable",
            "helm_values",
            "to",
            "to_registry",
            "policy",
        ],
    ),
    (
        "Output",
        &[
            "output",
            "group_by",
            "previous",
            "export_snapshots",
            "shell",
            "plan",
            "write_rules",
            "write_kustomize",
            "write_helm_values",
            "verbose",
            "quiet",
            "color",
            "details",
        ],
    ),
    ("Policy", &["config", "no_config", "baseline", "update_baseline", "fail_on", "allow_incomplete"]),
    ("Waiting", &["wait", "wait_timeout", "wait_interval"]),
];

/// The command line as it is parsed, completed and documented.
pub fn command() -> Command {
    grouped(Cli::command())
}

fn grouped(command: Command) -> Command {
    let formats = if command.get_name() == "fleet" { fleet_formats } else { formats };
    command.mut_args(|arg| completed(in_group(arg), formats)).mut_subcommands(grouped)
}

fn in_group(arg: Arg) -> Arg {
    let own = |(_, ids): &&(&str, &[&str])| ids.contains(&arg.get_id().as_str());
    match GROUPS.iter().find(own) {
        Some((heading, _)) if !arg.is_positional() => arg.help_heading(*heading),
        _ => arg,
    }
}

/// Values that are too many, or too free, to be listed as possible ones.
fn completed(arg: Arg, formats: fn() -> Vec<CompletionCandidate>) -> Arg {
    match arg.get_value_names().and_then(|names| names.first()).map(clap::builder::Str::as_str) {
        Some("RULE|CHECK|layers") => arg.add(ArgValueCandidates::new(pages)),
        Some("FORMAT[=FILE]") => arg.add(ArgValueCandidates::new(formats)),
        _ => arg,
    }
}

fn candidate(name: &str, help: impl Into<StyledStr>) -> CompletionCandidate {
    CompletionCandidate::new(name).help(Some(help.into()))
}

/// Everything that has a page.
fn pages() -> Vec<CompletionCandidate> {
    let sets = answers::rule_sets().flat_map(|set| {
        let rules = set.rules.iter().map(|rule| candidate(rule.id, rule.title));
        std::iter::once(candidate(set.id, set.title)).chain(rules)
    });
    sets.chain([candidate("layers", "what the checks look at, and what not")]).collect()
}

fn formats() -> Vec<CompletionCandidate> {
    values_of::<Format>()
}

fn fleet_formats() -> Vec<CompletionCandidate> {
    values_of::<FleetFormat>()
}

fn values_of<T: ValueEnum>() -> Vec<CompletionCandidate> {
    let values = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    values.map(|value| CompletionCandidate::new(value.get_name()).help(value.get_help().cloned())).collect()
}
