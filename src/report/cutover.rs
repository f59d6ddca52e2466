//! Where a cluster stands on the way to isolation, as data and for people.

pub mod render;
mod way;

use clap::ValueEnum;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::model::{Cluster, GapEntry, SCHEMA_VERSION, cluster, gap_entry, impacts, lines, whole_seconds};
use crate::answers::cutover::gates::Gate;
use crate::answers::cutover::steps::CutoverStep;
use crate::answers::cutover::{Cutover, Safety};
use crate::checks::command::{Command, Shell};
use crate::evidence::snapshot::Tool;
use crate::model::age::PoolAge;
use crate::text;

/// An output format of `cutover`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CutoverFormat {
    /// For people
    Table,
    /// For machines
    Json,
    /// Markdown, for a change request or a ticket
    Markdown,
}

/// Where a cluster stands, and what is next.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CutoverReport {
    /// Version of this schema; within it fields are only added.
    pub schema_version: String,
    /// The program that wrote it.
    pub tool: Tool,
    /// When the facts were gathered.
    pub collected_at: Timestamp,
    /// The cluster.
    pub cluster: Cluster,
    /// `isolated` or `direct`.
    pub goal: String,
    /// The registry to go to, where one was named.
    pub to_registry: Option<String>,
    /// `documented` or `conservative`, and why one would choose it.
    pub policy: PolicyEntry,
    /// Where it stands.
    pub state: StateEntry,
    /// Its pools and their nodes.
    pub pools: Vec<PoolEntry>,
    /// What of the nodes could not be seen.
    pub unseen: Option<GapEntry>,
    /// The gates of the next step, closed ones first.
    pub gates: Vec<GateEntry>,
    /// Gates of closing egress that are closed now, while another step comes first.
    pub ahead: Vec<GateEntry>,
    /// What to do now; absent where nothing is left.
    pub next: Option<NextStepEntry>,
    /// The step of the cut-over that comes once its gates are open; the same as `next` where they are.
    pub step: Option<String>,
    /// The steps after that.
    pub after: Vec<String>,
}

/// A policy.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PolicyEntry {
    /// Its name.
    pub id: String,
    /// Why one would choose it.
    pub why: String,
}

/// A state.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StateEntry {
    /// `S0` to `S5`, `changing-registry`, or `S0-or-S1`, `S2-or-S3`, `S4-or-S5` where they cannot be told apart.
    pub id: String,
    /// What it means.
    pub title: String,
}

/// A pool.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PoolEntry {
    /// Its name.
    pub name: String,
    /// `fresh`, `stale`, `unknown` or `no-nodes`.
    pub age: String,
    /// Why.
    pub why: String,
    /// Its nodes.
    pub nodes: Vec<NodeEntry>,
}

/// A node.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NodeEntry {
    /// Its name.
    pub name: String,
    /// When it registered.
    pub created: Option<Timestamp>,
    /// `fresh`, `stale` or `unknown`.
    pub age: String,
    /// Why.
    pub why: String,
}

/// A gate.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GateEntry {
    /// A rule of `diagnose`, or a name of its own.
    pub id: String,
    /// `closed`, `undetermined`, `caution` or `open`.
    pub status: String,
    /// Why.
    pub why: String,
    /// What opens it.
    pub commands: Vec<String>,
    /// What was not seen.
    pub gap: Option<GapEntry>,
}

/// A step.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextStepEntry {
    /// `switch-to-cache`, `reimage`, `close-egress`, `reimage-after-close`, `change-registry`, `back-to-direct`, or
    /// `open-gate`.
    pub id: String,
    /// One line.
    pub title: String,
    /// `safe`, `undetermined` or `not-safe`: whether everything that the step of the cut-over rests on was seen and is
    /// right.
    pub safety: String,
    /// Why it comes now.
    pub why: String,
    /// The commands, in order.
    pub commands: Vec<String>,
    /// The worst of `impacts`.
    pub impact: String,
    /// What each of `commands` does to what runs: `none`, `access`, `restarts`, `rolls-nodes`, `cuts-traffic` or
    /// `deletes`.
    pub impacts: Vec<String>,
    /// What it disturbs.
    pub disturbs: String,
    /// How long it takes.
    pub takes: String,
    /// How to see that it worked.
    pub verify: Vec<String>,
    /// How to go back.
    pub back: String,
    /// The commands that go back.
    pub back_commands: Vec<String>,
    /// Where it is documented.
    pub docs: String,
}

impl CutoverReport {
    /// The report, with commands for a shell.
    pub fn of(cutover: &Cutover<'_>, shell: Shell) -> Self {
        Self {
            schema_version: SCHEMA_VERSION.to_owned(),
            tool: Tool::this(),
            collected_at: whole_seconds(cutover.evidence.collected_at),
            cluster: cluster(cutover.evidence),
            goal: cutover.goal.as_str().to_owned(),
            to_registry: cutover.goal.registry().map(ToString::to_string),
            policy: PolicyEntry { id: cutover.policy.as_str().to_owned(), why: cutover.policy.why().to_owned() },
            state: StateEntry { id: cutover.state.as_str().to_owned(), title: cutover.state.title().to_owned() },
            pools: cutover.pools.iter().map(pool).collect(),
            unseen: cutover.unseen.as_ref().map(gap_entry),
            gates: cutover.gates.iter().map(|own| gate(own, shell)).collect(),
            ahead: cutover.ahead.iter().map(|own| gate(own, shell)).collect(),
            next: cutover.now().map(|step| entry(&step, cutover.safety, shell)),
            step: cutover.next.as_ref().map(|step| step.kind.to_string()),
            after: cutover.after.iter().map(ToString::to_string).collect(),
        }
    }
}

fn pool(pool: &PoolAge) -> PoolEntry {
    let nodes = pool.nodes.iter().map(|node| NodeEntry {
        name: text::bounded(&node.name, 300),
        created: node.created,
        age: node.age.as_str().to_owned(),
        why: text::bounded(&node.why, 500),
    });
    PoolEntry {
        name: text::bounded(&pool.name, 300),
        age: pool.age.as_str().to_owned(),
        why: text::bounded(&pool.why, 500),
        nodes: nodes.collect(),
    }
}

fn gate(gate: &Gate, shell: Shell) -> GateEntry {
    GateEntry {
        id: gate.name.to_string(),
        status: gate.pass.as_str().to_owned(),
        why: text::bounded(&gate.why, 2_000),
        commands: gate.remediation.as_ref().map(|remediation| lines(&remediation.commands, shell)).unwrap_or_default(),
        gap: gate.gap.as_ref().map(gap_entry),
    }
}

fn entry(step: &CutoverStep, safety: Safety, shell: Shell) -> NextStepEntry {
    NextStepEntry {
        id: step.kind.to_string(),
        title: text::bounded(&step.title, 500),
        safety: safety.as_str().to_owned(),
        why: text::bounded(&step.why, 2_000),
        commands: lines(&step.commands, shell),
        impact: Command::worst(&step.commands).as_str().to_owned(),
        impacts: impacts(&step.commands),
        disturbs: step.disturbs.clone(),
        takes: text::bounded(&step.takes, 2_000),
        verify: lines(&step.verify, shell),
        back: step.back.clone(),
        back_commands: lines(&step.back_commands, shell),
        docs: step.docs.to_owned(),
    }
}
