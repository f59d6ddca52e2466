//! The way from Direct to a network isolated cluster, and back: where a cluster stands, what stands in the way, and
//! which step is next. The order is the one that Azure Resource Manager enforces: Cache, reimage, then outbound type
//! none, never two in one update.

pub mod gates;
pub mod names;
mod reimage;
pub mod state;
pub mod steps;

use std::collections::BTreeSet;

use crate::checks::finding::RemediationKind;
use crate::checks::node_image;
use crate::checks::remedy::{self, DOCS_NODE_IMAGE};
use crate::checks::rule::{GateRole, Severity};
use crate::diagnosis::Diagnosis;
use crate::diagnosis::links::proving_stale;
use crate::evidence::{Evidence, Gap};
use crate::model::age::{self, Age, PoolAge, Times};
use crate::model::cluster::Ownership;
use crate::text;
use gates::{Gate, Pass};
use names::{GateName, StepKind};
pub use state::{Goal, ReimagePolicy, Safety, State};
use steps::CutoverStep;

/// Where a cluster stands on the way, and what is next.
#[derive(Debug)]
pub struct Cutover<'e> {
    /// What it rests on.
    pub evidence: &'e Evidence,
    /// What `diagnose` says of it.
    present: Diagnosis<'e>,
    pub goal: Goal,
    /// How many reimages.
    pub policy: ReimagePolicy,
    pub state: State,
    pub pools: Vec<PoolAge>,
    /// Why pools or nodes are not known.
    pub unseen: Option<Gap>,
    /// The gates of the next step.
    pub gates: Vec<Gate>,
    /// Closed gates of closing egress, while another step comes first.
    pub ahead: Vec<Gate>,
    /// The next step; none where the goal is reached.
    pub next: Option<CutoverStep>,
    /// Whether it may be taken.
    pub safety: Safety,
    /// The steps after it, by name.
    pub after: Vec<StepKind>,
}

impl<'e> Cutover<'e> {
    /// Looks where a cluster stands.
    pub fn of(present: Diagnosis<'e>, goal: Goal, policy: ReimagePolicy) -> Self {
        let evidence = present.evidence;
        // A cluster that names a registry of the operator's own without using it is on its way to that one.
        let named = evidence.registry_id().filter(|_| !evidence.uses_cache() && evidence.ownership() == Ownership::Byo);
        let goal = if goal == Goal::Isolated(None) { Goal::Isolated(named) } else { goal };
        let times = Times::of(evidence);
        let (pools, unseen) = match age::pools(evidence, &times, &proved(&present)) {
            Ok(pools) => (pools, None),
            Err(gap) => (Vec::new(), Some(gap)),
        };
        let direct = !evidence.uses_cache() && !evidence.egress_closed();
        let switch = direct.then(|| gates::of_switch(&present, &Goal::Isolated(goal.registry().cloned())));
        let mut cutover = Self {
            evidence,
            present,
            goal,
            policy,
            state: State::S4,
            pools,
            unseen,
            gates: Vec::new(),
            ahead: Vec::new(),
            next: None,
            safety: Safety::Safe,
            after: Vec::new(),
        };
        cutover.state = cutover.stands(&times, switch.as_deref());
        cutover.plan(&times, switch);
        cutover.next = cutover.next.map(|step| step.asked_by(policy, evidence, &cutover.goal));
        cutover.gates.sort_by_key(|gate| gate.pass);
        cutover.look_ahead();
        cutover.safety = cutover.weigh();
        cutover
    }

    /// The worst age of all nodes.
    fn nodes(&self) -> Age {
        let with_nodes = self.pools.iter().map(|pool| pool.age).filter(|age| *age != Age::Empty);
        match (&self.unseen, with_nodes.max()) {
            (_, Some(Age::Stale)) => Age::Stale,
            (Some(_), _) | (None, None) => Age::Unknown,
            (None, Some(worst)) => worst,
        }
    }

    fn stands(&self, times: &Times, switch: Option<&[Gate]>) -> State {
        let nodes = self.nodes();
        match (self.evidence.uses_cache(), self.evidence.egress_closed()) {
            (false, false) => match switch.and_then(<[Gate]>::first).map(|gate| gate.pass) {
                Some(Pass::Closed) => State::S0,
                Some(Pass::Unknown) => State::S0OrS1,
                _ => State::S1,
            },
            (false, true) => State::S5,
            (true, false) => match nodes {
                Age::Stale => State::S2,
                Age::Fresh => State::S3,
                _ => State::S2OrS3,
            },
            (true, true) => match nodes {
                Age::Stale if self.former_registry(times) => State::ChangingRegistry,
                Age::Stale => State::S5,
                // Reimaged nodes are of no use where the registry, or the way to it, is broken.
                _ if self.broken() => State::S5,
                Age::Fresh if !self.present.incomplete() && !self.ails() && self.put_away(times).is_empty() => {
                    State::S4
                }
                _ => State::S4OrS5,
            },
        }
    }

    /// Whether `diagnose` reports an error.
    fn broken(&self) -> bool {
        self.present.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// Whether something does not work, and why is not known.
    fn ails(&self) -> bool {
        self.present.roots().any(|finding| finding.rule.gate == GateRole::Closing)
    }

    /// Whether stale nodes still have a registry: the one before, as long as it is there and none of their pulls fails.
    fn former_registry(&self, times: &Times) -> bool {
        let cached = times.former.as_ref().is_some_and(|former| {
            former.artifact_source.as_deref().is_some_and(|source| source.eq_ignore_ascii_case("Cache"))
                && former.container_registry_id.is_some()
        });
        let stale = self.pools.iter().flat_map(|pool| &pool.nodes).filter(|node| node.age == Age::Stale);
        let waiting = self.evidence.kubernetes.images.known().map_or(&[] as &[_], |images| images.waiting.as_slice());
        cached && !stale.into_iter().any(|node| waiting.iter().any(|pull| pull.node == node.name))
    }

    /// The gates, the next step and those after it; `switch` = the gates of a switch to Cache, where they are known.
    fn plan(&mut self, times: &Times, switch: Option<Vec<Gate>>) {
        let evidence = self.evidence;
        let goal = self.goal.clone();
        if goal == Goal::Direct {
            return self.back(&goal);
        }
        let other = goal.registry().is_some_and(|id| evidence.registry_id().as_ref() != Some(id));
        if !evidence.uses_cache() || other {
            self.switch(&goal, switch);
        } else if self.nodes() != Age::Fresh {
            self.gates = gates::of_reimage(&self.present);
            self.next = Some(self.renew(&goal));
            self.after = if evidence.egress_closed() { Vec::new() } else { vec![StepKind::CloseEgress] };
        } else if let Some(step) = self.wiring_round(times, &goal) {
            self.gates = gates::of_reimage(&self.present);
            self.next = Some(step);
            self.after = if evidence.egress_closed() { Vec::new() } else { vec![StepKind::CloseEgress] };
        } else if !evidence.egress_closed() {
            self.gates = gates::of_isolation(&self.present, &goal);
            self.gates.extend(self.stopped_pools());
            // With node auto-provisioning the outbound type stays: this is as far as the way goes.
            self.next = (!evidence.auto_provisioning()).then(|| steps::close(evidence, &goal, &self.pools));
        } else if let Some(step) = self.last_round(times, &goal) {
            self.gates = gates::of_reimage(&self.present);
            self.next = Some(step);
        } else {
            self.gates = gates::of_arrival(&self.present);
            self.gates.extend(self.put_away(times));
            self.gates.extend(self.closing_unknown(times));
        }
        self.gates.extend(self.next.iter().flat_map(|step| reimage::of_reimage(&self.present, step)));
        self.gates.extend(self.next.iter().flat_map(|step| gates::of_locks(evidence, &step.commands)));
        if evidence.egress_closed() && self.next.is_some() {
            self.tell_what_is_broken();
        }
        let closes = self.next.iter().map(|step| step.kind).chain(self.after.iter().copied());
        if self.policy == ReimagePolicy::Conservative && closes.into_iter().any(|kind| kind == StepKind::CloseEgress) {
            self.after.push(StepKind::Reimage);
        }
    }

    /// What is broken in an isolated cluster is told also where it does not stand in the way of the next step.
    fn tell_what_is_broken(&mut self) {
        let reimage = |gate: &Gate| gate.name.is(&node_image::NOT_REIMAGED);
        for gate in gates::broken(&self.present).into_iter().filter(|gate| !reimage(gate)) {
            if !self.gates.iter().any(|known| known.name == gate.name && known.why == gate.why) {
                self.gates.push(Gate { pass: Pass::Caution, ..gate });
            }
        }
    }

    /// The switch to Cache, or to another registry, comes first.
    fn switch(&mut self, goal: &Goal, gates: Option<Vec<Gate>>) {
        let evidence = self.evidence;
        self.gates = if evidence.egress_closed() && evidence.uses_cache() {
            gates::of_isolation(&self.present, goal)
        } else {
            gates.unwrap_or_else(|| gates::of_switch(&self.present, goal))
        };
        self.next = Some(steps::switch(evidence, goal));
        self.after = vec![StepKind::Reimage];
        if !evidence.egress_closed() {
            self.after.push(StepKind::CloseEgress);
        }
        if evidence.uses_cache() && self.nodes() != Age::Fresh {
            // Nodes on three registries at once: the former change is finished first.
            self.gates.insert(0, self.unfinished());
        }
    }

    /// What will stand in the way of closing egress is worth knowing while nodes are reimaged.
    fn look_ahead(&mut self) {
        if self.after.contains(&StepKind::CloseEgress) && self.evidence.uses_cache() {
            let gates = gates::of_isolation(&self.present, &self.goal);
            let known: Vec<GateName> = self.gates.iter().map(|gate| gate.name).collect();
            self.ahead =
                gates.into_iter().filter(|gate| gate.pass == Pass::Closed && !known.contains(&gate.name)).collect();
        }
    }

    fn unfinished(&self) -> Gate {
        let pass = if self.nodes() == Age::Stale { Pass::Closed } else { Pass::Unknown };
        let why = "Nodes were not all reimaged since the last change of the registry: finish that first.";
        let reimage = vec![remedy::upgrade_all_pools(self.evidence)];
        let remediation = remedy::remedy(RemediationKind::Reimage, "Reimage every pool.", reimage, DOCS_NODE_IMAGE);
        Gate { remediation: Some(remediation), ..Gate::new(GateName::FormerChangeUnfinished, pass, why) }
    }

    /// Reimages what is stale, or may be.
    fn renew(&self, goal: &Goal) -> CutoverStep {
        let pools: Vec<&PoolAge> = self.pools.iter().filter(|pool| pool.age != Age::Fresh).collect();
        let why = match self.state {
            State::S5 if self.nodes() == Age::Stale => {
                "These nodes cannot pull what they do not have yet, and a pod that moves to one does not start. They \
                 need no egress for it: they bootstrap from the registry."
            }
            State::ChangingRegistry => {
                "These nodes still pull through the former registry: keep it, its endpoint and its records until the \
                 last of them is done."
            }
            State::S2OrS3 | State::S4OrS5 | State::S5 => {
                "Whether these nodes have the present configuration could not be determined; reimaging settles it."
            }
            _ => "These nodes still have the former configuration.",
        };
        let all: Vec<&PoolAge>;
        let pools = if pools.is_empty() {
            all = self.pools.iter().collect();
            &all
        } else {
            &pools
        };
        let mut step = steps::reimage(self.evidence, goal, pools, why);
        if step.commands.is_empty() {
            step.commands.push(remedy::upgrade_all_pools(self.evidence));
            "Reimage every pool".clone_into(&mut step.title);
        }
        step
    }

    /// Conservative: nodes older than the registry or its rule are reimaged, although their configuration holds
    /// neither.
    fn wiring_round(&self, times: &Times, goal: &Goal) -> Option<CutoverStep> {
        let wired = times.created.filter(|_| self.policy == ReimagePolicy::Conservative)?;
        let old = |pool: &&PoolAge| pool.nodes.iter().any(|node| node.created.is_none_or(|created| created < wired));
        let pools: Vec<&PoolAge> = self.pools.iter().filter(old).collect();
        let why =
            format!("Policy conservative: the registry or its cache rule was created on {wired}, after these nodes.");
        (!pools.is_empty()).then(|| steps::reimage(self.evidence, goal, &pools, &why))
    }

    /// After egress is closed: node images from before 2025-08 need it in any case, the conservative policy for all.
    fn last_round(&self, times: &Times, goal: &Goal) -> Option<CutoverStep> {
        let before = |pool: &&PoolAge| {
            pool.nodes.iter().any(|node| match (node.created, times.closed) {
                (Some(created), Some(closed)) => created < closed,
                // No write that closes egress is in the log: it was closed before the log begins.
                (Some(created), None) => times.log_from.is_none_or(|from| created < from),
                (None, _) => true,
            })
        };
        // An old image is renewed where it cannot be told: with a new one the question is settled.
        let old = |pool: &&PoolAge| pool.old_image && (times.closed.is_none() || before(pool));
        let pools: Vec<&PoolAge> = match self.policy {
            ReimagePolicy::Conservative => self.pools.iter().filter(|pool| before(pool) || old(pool)).collect(),
            ReimagePolicy::Documented => self.pools.iter().filter(old).collect(),
        };
        let why = match self.policy {
            ReimagePolicy::Conservative => {
                "Policy conservative: these nodes were made before egress was closed, as far as can be told."
            }
            ReimagePolicy::Documented => {
                "The images of these nodes are from before 2025-08: such nodes go on testing egress until they are \
                 reimaged after it was closed."
            }
        };
        let mut step = (!pools.is_empty()).then(|| steps::reimage(self.evidence, goal, &pools, why))?;
        step.kind = StepKind::ReimageAfterClose;
        Some(step)
    }

    /// Conservative: whether the last round was done can be told only where the log says when egress was closed.
    fn closing_unknown(&self, times: &Times) -> Option<Gate> {
        let unknown = self.policy == ReimagePolicy::Conservative && times.closed.is_none();
        unknown.then(|| {
            let why = "No write in the Activity Log says when egress was closed: if nodes were not reimaged since, \
                       the conservative policy wants that done.";
            Gate::new(GateName::ClosingTimeUnknown, Pass::Caution, why)
        })
    }

    /// Stopped pools, where the log shows a change that their nodes may have missed.
    fn put_away(&self, times: &Times) -> Vec<Gate> {
        times.changed.map_or_else(Vec::new, |_| self.stopped_pools())
    }

    fn stopped_pools(&self) -> Vec<Gate> {
        let stopped = self.pools.iter().filter(|pool| pool.stopped || pool.put_away > 0);
        stopped
            .map(|pool| {
                let what = if pool.stopped {
                    "is stopped: its nodes start with what they had, and what that is cannot be seen. Start and \
                     reimage it first, or delete it."
                        .to_owned()
                } else {
                    let nodes = text::count(pool.put_away, "deallocated node");
                    format!("keeps {nodes} from before the change: they start with what they had. Delete them first.")
                };
                Gate::new(GateName::PoolStopped, Pass::Unknown, format!("Pool {} {what}", pool.name))
            })
            .collect()
    }

    /// The way back.
    fn back(&mut self, goal: &Goal) {
        let evidence = self.evidence;
        if evidence.uses_cache() || evidence.egress_closed() {
            self.gates = gates::of_return(&self.present);
            self.next = Some(steps::back_to_direct(evidence, goal));
            self.after = vec![StepKind::Reimage];
        } else if self.nodes() != Age::Fresh {
            self.gates = gates::of_reimage(&self.present);
            let pools: Vec<&PoolAge> = self.pools.iter().filter(|pool| pool.age != Age::Fresh).collect();
            let why = "These nodes still pull through the registry: keep it until the last of them is done.";
            self.next = Some(steps::reimage(evidence, goal, &pools, why));
            self.gates.extend(self.next.iter().flat_map(|step| reimage::of_reimage(&self.present, step)));
        } else {
            // Their nodes may still pull through the registry once they start.
            self.gates = self.stopped_pools();
        }
    }

    /// A step is safe where every gate is open; one that rests on something undetermined never is.
    fn weigh(&self) -> Safety {
        if self.next.is_none() {
            let unseen = self.unseen.is_some() || self.nodes() == Age::Unknown || self.state == State::S4OrS5;
            return match (self.state, unseen) {
                (State::S5, _) => Safety::Unsafe,
                (_, true) => Safety::Undetermined,
                _ => Safety::Safe,
            };
        }
        match self.gates.iter().map(|gate| gate.pass).min() {
            Some(Pass::Closed) => Safety::Unsafe,
            Some(Pass::Unknown) => Safety::Undetermined,
            _ => Safety::Safe,
        }
    }

    fn opened(&self, gate: &Gate) -> CutoverStep {
        steps::open(self.evidence, &self.goal, gate).asked_by(self.policy, self.evidence, &self.goal)
    }

    /// What to do now: the next step, or what opens the first gate that is closed.
    pub fn now(&self) -> Option<CutoverStep> {
        let closed = self.gates.iter().filter(|gate| gate.pass == Pass::Closed);
        let mut open = closed.map(|gate| self.opened(gate));
        match &self.next {
            Some(next) => open.next().or_else(|| Some(next.clone())),
            // Where no step is left a gate is worth naming if something can be done about it.
            None => open.find(|step| !step.commands.is_empty()),
        }
    }
}

/// Nodes of which the diagnosis proves by their pulls that they were not reimaged.
fn proved(present: &Diagnosis<'_>) -> BTreeSet<String> {
    proving_stale(&present.findings, present.evidence).flat_map(|finding| finding.facts.nodes.clone()).collect()
}
