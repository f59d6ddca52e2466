//! The registry's artifact cache rules: does one of them carry Microsoft's registry to where nodes look for it.

mod credentials;

use jiff::Timestamp;

use super::check::Check;
use super::judge::{Judge, NotApplicable};
use super::remedy::{self, DOCS_CACHE, RuleWords, remedy};
use super::rule::RuleSet;
use crate::checks::command::Command;
use crate::checks::finding::{Facts, Finding, Observation, Remediation, RemediationKind, Subject};
use crate::checks::rule::{GateRole, Rule, Severity};
use crate::evidence::cloud::is_registry;
use crate::evidence::id::ResourceId;
use crate::evidence::registry::{CacheRule, Registry};
use crate::evidence::{Evidence, Section};
use crate::model::cache;
use crate::model::cluster::Ownership;
use crate::model::cluster::is;

pub const MISSING: Rule = Rule::error("cache-rule-missing", "No cache rule covers Microsoft's registry");
pub const MISMATCH: Rule =
    Rule::error("cache-rule-mismatch", "The cache rule for Microsoft's registry has the wrong source or target");
pub const LEGACY: Rule = Rule::warning("cache-rule-legacy-target", "The cache rule still has the preview's target *")
    .gate(GateRole::Closing);
pub const CONFLICT: Rule =
    Rule::error("cache-rule-conflict", "Another cache rule takes over a part of the managed target");
pub const RENAMED: Rule = Rule::info("cache-rule-renamed", "The cache rule has another name than documented");
pub const FAILED: Rule = Rule::error("cache-rule-failed", "A cache rule is in a failed state");
pub const CREDENTIALS: Rule =
    Rule::error("credential-set-unhealthy", "A cache rule's credentials for its source are unhealthy");

pub const CHECK: Check = Check {
    about: RuleSet {
        id: "cache-rules",
        title: "The registry's artifact cache rules",
        doc: include_str!("cache-rules.md"),
        rules: &[&MISSING, &MISMATCH, &LEGACY, &CONFLICT, &RENAMED, &FAILED, &CREDENTIALS],
    },
    needs: &[Section::Registry, Section::CacheRules],
    run,
};

/// Where nodes look for images of Microsoft's registry.
const TARGET: &str = "aks-managed-repository/*";
pub const TARGET_PREFIX: &str = "aks-managed-repository/";
const NAME: &str = "aks-managed-mcr";

/// What a rule is for, as far as Microsoft's registry is concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The whole of Microsoft's registry to the documented target.
    Right,
    /// The whole of Microsoft's registry to `*`, as in the preview.
    Legacy,
    /// The documented target, filled from another Azure registry: it works only if that registry's own chain does.
    Chained,
    /// Meant to be the right one, but with another source or target.
    Wrong,
    /// Something else, such as a rule of the operator's own for `mcr.microsoft.com/dotnet/*`.
    Other,
}

fn run(judge: &mut Judge<'_>) -> Result<(), NotApplicable> {
    let registry = judge.registry()?;
    let evidence = judge.evidence;
    let rules = judge.know(&evidence.registry.cache_rules, "the registry's cache rules");
    let (Some(registry), Some(rules)) = (registry, rules) else {
        return Ok(());
    };
    let case = Case { evidence, registry, rules };
    for finding in case.main_rule().into_iter().chain(case.conflicts()).chain(case.failures()) {
        judge.report(finding);
    }
    if rules.iter().any(|rule| rule.properties.credential_set_resource_id.is_some()) {
        judge.know(&evidence.registry.credential_sets, "the registry's credential sets");
        case.credentials().into_iter().for_each(|finding| judge.report(finding));
    }
    Ok(())
}

struct Case<'e> {
    evidence: &'e Evidence,
    registry: &'e Registry,
    rules: &'e [CacheRule],
}

fn words(rule: &CacheRule) -> RuleWords<'_> {
    let credentials = rule.properties.credential_set_resource_id.as_ref().map(ResourceId::name);
    RuleWords { name: rule.name(), source: source(rule), target: target(rule), credentials, identity: None }
}

fn source(rule: &CacheRule) -> &str {
    rule.properties.source_repository.as_deref().unwrap_or("(unset)")
}

fn target(rule: &CacheRule) -> &str {
    rule.properties.target_repository.as_deref().unwrap_or("(unset)")
}

impl<'e> Case<'e> {
    fn role(&self, rule: &CacheRule) -> Role {
        let (source, target) = (source(rule), target(rule));
        let hosts = self.evidence.mcr_hosts();
        let whole = hosts.iter().any(|host| source.eq_ignore_ascii_case(&format!("{host}/*")));
        let some = hosts.iter().any(|host| {
            source.get(..host.len()).is_some_and(|head| head.eq_ignore_ascii_case(host))
                && source[host.len()..].chars().next().is_none_or(|next| next == '/')
        });
        // A narrower rule with a target of its own is the operator's, and none of our business.
        let meant = rule.name().eq_ignore_ascii_case(NAME) || target == "*" || target.starts_with("aks-managed");
        match (whole, target) {
            (true, TARGET) => Role::Right,
            (true, "*") => Role::Legacy,
            (false, TARGET) if is_registry(source.split('/').next().unwrap_or_default()) => Role::Chained,
            (true, _) | (false, TARGET) => Role::Wrong,
            (false, _) if some && meant => Role::Wrong,
            _ => Role::Other,
        }
    }

    fn with_role(&self, role: Role) -> impl Iterator<Item = &'e CacheRule> {
        self.rules.iter().filter(move |rule| self.role(rule) == role)
    }

    fn list(&self) -> String {
        format!("GET {}/cacheRules", self.registry.id)
    }

    fn observe(&self, rule: &CacheRule) -> Vec<Observation> {
        let at = |field: &str| format!("value[{}].properties.{field}", rule.name());
        vec![
            Observation::new(self.list(), at("sourceRepository"), source(rule)),
            Observation::new(self.list(), at("targetRepository"), target(rule)),
        ]
    }

    fn on_rule(&self, rule: &CacheRule, kind: &'static Rule, detail: String, remediation: Remediation) -> Finding {
        let subject = Subject::new("Microsoft.ContainerRegistry/registries/cacheRules", &rule.id);
        let facts = Facts { cache_rules: vec![rule.name().to_owned()], ..Facts::default() };
        let finding = Finding::new(kind, subject, detail).with_facts(facts);
        finding.seen(self.observe(rule)).with_remediation(remediation)
    }

    /// Missing, mismatched, legacy or renamed: what the one rule that matters is like.
    fn main_rule(&self) -> Vec<Finding> {
        if let Some(rule) = self.with_role(Role::Right).next() {
            let renamed = !rule.name().eq_ignore_ascii_case(NAME);
            return renamed.then(|| self.renamed(rule)).into_iter().collect();
        }
        if let Some(rule) = self.with_role(Role::Legacy).next() {
            return vec![self.legacy(rule)];
        }
        if let Some(rule) = self.with_role(Role::Chained).next() {
            return vec![self.chained(rule)];
        }
        let wrong: Vec<Finding> = self.with_role(Role::Wrong).map(|rule| self.mismatch(rule)).collect();
        if wrong.is_empty() { vec![self.missing()] } else { wrong }
    }

    fn missing(&self) -> Finding {
        let found: Vec<String> =
            self.rules.iter().map(|rule| format!("{} -> {}", source(rule), target(rule))).collect();
        let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
        let host = self.evidence.mcr_hosts()[0];
        Finding::new(
            &MISSING,
            Subject::new("Microsoft.ContainerRegistry/registries", &self.registry.id),
            format!(
                "No rule of registry {} caches {host}/*. Nodes ask it for every image of {host} and for their own \
                 binaries, and it answers 404.",
                self.registry.name()
            ),
        )
        .seen(vec![Observation::new(self.list(), "value[].properties.sourceRepository", found)])
        .with_remediation(self.recreate(None))
    }

    fn mismatch(&self, rule: &CacheRule) -> Finding {
        let host = self.evidence.mcr_hosts()[0];
        let detail = format!(
            "Rule {} maps \"{}\" to \"{}\"; nodes need \"{host}/*\" at \"{TARGET}\", and find nothing where they look.",
            rule.name(),
            source(rule),
            target(rule)
        );
        self.on_rule(rule, &MISMATCH, detail, self.recreate(Some(rule)))
    }

    fn chained(&self, rule: &CacheRule) -> Finding {
        let host = self.evidence.mcr_hosts()[0];
        let detail = format!(
            "Rule {} fills \"{TARGET}\" from \"{}\", another registry, instead of \"{host}/*\". That is undocumented, \
             and works only as long as that registry's own chain to {host} does.",
            rule.name(),
            source(rule)
        );
        let mut remediation = self.recreate(Some(rule));
        remediation.summary.insert_str(
            0,
            "If it is meant, see that the other registry has the documented rule and lets this one pull. Else replace \
             it in a maintenance window: between the two commands nothing new can be pulled. ",
        );
        self.on_rule(rule, &MISMATCH, detail, remediation).with_severity(Severity::Warning)
    }

    fn legacy(&self, rule: &CacheRule) -> Finding {
        // Release 2025-03-16 changed the target; the documentation followed within a month.
        const CHANGED: &str = "2025-04-15T00:00:00Z";
        let changed: Timestamp = CHANGED.parse().expect("a valid date");
        let created = rule.properties.creation_date;
        let late = created.is_some_and(|created| created > changed);
        let why = if late {
            "It was created after the target had changed, so nodes that bootstrapped since look elsewhere."
        } else {
            "Nodes from the preview may go on using it; a node that bootstraps with today's configuration looks under \
             aks-managed-repository and finds nothing."
        };
        let mut remediation = self.recreate(Some(rule));
        remediation.summary.push_str(
            " Do all of it in one maintenance window and reimage every pool at the end: nodes that still use the old \
             target cannot pull in between.",
        );
        let pools = self.evidence.pools.agent_pools.known().into_iter().flatten().filter(|pool| !pool.stopped());
        let mut reimages: Vec<Command> = pools.map(|pool| remedy::upgrade_pool(self.evidence, &pool.name)).collect();
        if reimages.is_empty() {
            reimages.push(remedy::upgrade_all_pools(self.evidence));
        }
        // Without a command that makes the rule right (AKS Automatic), a reimage by itself would break the nodes.
        if !remediation.script.is_empty() {
            remediation.script.extend(reimages.clone());
        }
        if !remediation.commands.is_empty() {
            remediation.commands.extend(reimages);
        }
        // The contract names this kind for managed registries too: the rule is what must be recreated.
        remediation.kind = RemediationKind::RecreateCacheRule;
        let mut finding = self.on_rule(
            rule,
            &LEGACY,
            format!("The only rule that covers Microsoft's registry, {}, has the target *. {why}", rule.name()),
            remediation,
        );
        if late {
            finding.severity = Severity::Error;
        }
        let date = created.map_or_else(|| "(unset)".to_owned(), |created| created.to_string());
        finding.evidence.push(Observation::new(
            self.list(),
            format!("value[{}].properties.creationDate", rule.name()),
            date,
        ));
        finding
    }

    fn renamed(&self, rule: &CacheRule) -> Finding {
        let detail = format!(
            "Source and target are right, but the rule is named {} and not {NAME}. Nodes ignore the name; \
             documents and scripts do.",
            rule.name()
        );
        let remediation = remedy(
            RemediationKind::Investigate,
            "Nothing to do. If you ever recreate the rule, use the documented name.",
            Vec::new(),
            DOCS_CACHE,
        );
        self.on_rule(rule, &RENAMED, detail, remediation)
    }

    /// Beside the right rule: a target that takes all, or one repository of the managed target from elsewhere.
    fn conflicts(&self) -> Vec<Finding> {
        if self.with_role(Role::Right).next().is_none() {
            return Vec::new();
        }
        let others = self.rules.iter().filter(|rule| self.role(rule) != Role::Right);
        others.filter_map(|rule| self.conflict(rule)).collect()
    }

    fn conflict(&self, rule: &CacheRule) -> Option<Finding> {
        let drop = |summary: &str| {
            self.by_aks(RemediationKind::RecreateCacheRule).unwrap_or_else(|| {
                remedy(RemediationKind::RecreateCacheRule, summary, vec![self.delete(rule)], DOCS_CACHE)
            })
        };
        if target(rule) == "*" {
            let detail = format!(
                "Rule {} maps \"{}\" to \"*\" and takes over every repository, the managed ones included.",
                rule.name(),
                source(rule)
            );
            return Some(self.on_rule(
                rule,
                &CONFLICT,
                detail,
                drop("Delete the rule; if its source is still needed, create it again with a target of its own."),
            ));
        }
        let repository = target(rule).strip_prefix(TARGET_PREFIX)?;
        let same = self
            .evidence
            .mcr_hosts()
            .iter()
            .any(|host| source(rule).eq_ignore_ascii_case(&format!("{host}/{repository}")));
        if same {
            return None;
        }
        let detail = format!(
            "Rule {} fills \"{}\" from \"{}\": it overrides that one repository, and nodes get another image than the \
             one they name.",
            rule.name(),
            target(rule),
            source(rule)
        );
        let mut finding = self.on_rule(
            rule,
            &CONFLICT,
            detail,
            drop("Delete the rule, or create it again with a target outside aks-managed-repository."),
        );
        finding.severity = Severity::Warning;
        finding.facts.repository = Some(target(rule).to_owned());
        Some(finding)
    }

    fn failures(&self) -> Vec<Finding> {
        let failed = self.rules.iter().filter(|rule| is(rule.properties.provisioning_state.as_ref(), "Failed"));
        failed.map(|rule| self.failure(rule)).collect()
    }

    fn failure(&self, rule: &CacheRule) -> Finding {
        // Beside the right rule none of the others is what nodes rest on, whatever it caches.
        let right = self.with_role(Role::Right).next().is_some();
        let main = if right { self.role(rule) == Role::Right } else { self.role(rule) != Role::Other };
        let again = || {
            let commands = vec![self.delete(rule), remedy::create_cache_rule(&self.registry.id, &words(rule))];
            remedy(RemediationKind::RecreateCacheRule, "Delete the rule and create it again.", commands, DOCS_CACHE)
        };
        let remediation = if main {
            self.recreate(Some(rule))
        } else {
            self.by_aks(RemediationKind::DeleteRegistryAndReconcile).unwrap_or_else(again)
        };
        let mut finding = self.on_rule(
            rule,
            &FAILED,
            format!("The provisioningState of rule {} is Failed: what it covers may not be cached.", rule.name()),
            remediation,
        );
        if !main {
            finding.severity = Severity::Warning;
            finding.facts.repository = Some(target(rule).to_owned());
        }
        finding.evidence.push(Observation::new(
            self.list(),
            format!("value[{}].properties.provisioningState", rule.name()),
            "Failed",
        ));
        finding
    }

    /// A rule of the operator's on a registry that AKS made: AKS documents no change to it, only how it is made again.
    fn by_aks(&self, kind: RemediationKind) -> Option<Remediation> {
        (self.evidence.ownership() == Ownership::Managed).then(|| {
            let mut remediation = remedy::delete_registry_and_reconcile(self.evidence, &self.registry.id);
            let first = "AKS manages this registry and its rules, and this rule is not one of AKS's. Leave it until a \
                         maintenance window unless pulls fail by it. ";
            remediation.summary.insert_str(0, first);
            Remediation { kind, ..remediation }
        })
    }

    fn delete(&self, rule: &CacheRule) -> Command {
        remedy::delete_cache_rule(&self.registry.id, &words(rule))
    }

    /// Managed: delete the registry, then reconcile. BYO: delete the wrong rule, create the right one.
    fn recreate(&self, wrong: Option<&CacheRule>) -> Remediation {
        if self.evidence.ownership() == Ownership::Managed {
            return remedy::delete_registry_and_reconcile(self.evidence, &self.registry.id);
        }
        let registry = &self.registry.id;
        // A rule whose target overlaps the documented one makes Azure refuse it.
        let in_the_way =
            |rule: &&CacheRule| wrong.is_some_and(|wrong| wrong.id == rule.id) || cache::overlaps(target(rule), TARGET);
        let in_the_way = self.rules.iter().filter(in_the_way);
        let mut commands: Vec<Command> = in_the_way.map(|rule| self.delete(rule)).collect();
        commands.push(remedy::create_documented_rule(self.evidence, registry));
        let summary = "Create the documented rule (a rule's source and target cannot be changed, so a wrong one is \
                       deleted first). If it is refused with TargetRepositoryPrefixMatchesExistingRegistries, \
                       repositories are left under aks-managed-repository/: delete each with az acr repository delete \
                       from inside the network, then create the rule. Nodes need no reimage for it.";
        remedy(RemediationKind::RecreateCacheRule, summary, commands, DOCS_CACHE)
    }
}
