//! The kubelet identity: does it exist, is it on the machines, and may it pull from the registry.

use super::check::Check;
use super::judge::{Judge, NotApplicable};
use super::remedy::{self, DOCS_ROLES, remedy};
use super::rule::RuleSet;
use crate::checks::command::Command;
use crate::checks::finding::{Finding, Observation, Remediation, RemediationKind, Subject};
use crate::checks::rule::{Rule, Severity};
use crate::evidence::access::RoleAssignment;
use crate::evidence::cluster::KubeletIdentity;
use crate::evidence::id::ResourceId;
use crate::evidence::pools::AgentPool;
use crate::evidence::pools::Machine;
use crate::evidence::registry::Registry;
use crate::evidence::{Evidence, Gap, Reason, Section};
use crate::model::cluster::is;
use crate::model::cluster::{Ownership, PoolState};
use crate::model::nodes::belongs;
use crate::model::rights::{self, PULL, READ_CONTENT, Rights, clearly_allows};

pub const NO_IDENTITY: Rule =
    Rule::error("kubelet-identity-missing", "The cluster has no kubelet identity").breaking_pulls();
pub const NOT_ON_SCALE_SET: Rule =
    Rule::error("kubelet-identity-not-on-scale-set", "A pool's machines do not have the kubelet identity")
        .breaking_pulls();
pub const MISSING: Rule =
    Rule::error("acrpull-missing", "The kubelet identity may not pull from the registry").breaking_pulls();
pub const IGNORED_BY_ABAC: Rule =
    Rule::error("acrpull-ignored-by-abac", "The registry is in ABAC mode and ignores the kubelet's pull role")
        .breaking_pulls();
pub const REPOSITORY_IGNORED: Rule = Rule::error(
    "repository-role-ignored",
    "The registry is not in ABAC mode and ignores the kubelet's repository role",
)
.breaking_pulls();
pub const CONDITIONED: Rule =
    Rule::warning("acrpull-conditioned", "A condition on the kubelet's role may not allow the managed repositories")
        .breaking_pulls()
        .risking_pulls();

pub const CHECK: Check = Check {
    about: RuleSet {
        id: "kubelet-acrpull",
        title: "The kubelet identity's right to pull from the registry",
        doc: include_str!("kubelet-acrpull.md"),
        rules: &[&NO_IDENTITY, &NOT_ON_SCALE_SET, &MISSING, &IGNORED_BY_ABAC, &REPOSITORY_IGNORED, &CONDITIONED],
    },
    needs: &[Section::AgentPools, Section::ScaleSets, Section::Registry, Section::RoleAssignments],
    run,
};

fn run(judge: &mut Judge<'_>) -> Result<(), NotApplicable> {
    let registry = judge.registry()?;
    let profile = judge.evidence.cluster.properties.identity_profile.as_ref();
    let identity =
        profile.and_then(|profile| profile.kubeletidentity.as_ref()).filter(|identity| identity.object_id.is_some());
    let Some(identity) = identity else {
        // The cluster alone says so, whether or not the registry can be read.
        let named = judge.evidence.registry_id();
        if let Some(id) = registry.map(|registry| &registry.id).or(named.as_ref()) {
            judge.report(no_identity(judge.evidence, id));
        }
        return Ok(());
    };
    scale_sets(judge, identity);
    if let Some(registry) = registry {
        assignments(judge, registry, identity);
    }
    Ok(())
}

fn on_registry(
    rule: &'static Rule,
    registry: &Registry,
    detail: String,
    evidence: Vec<Observation>,
    remediation: Remediation,
) -> Finding {
    let subject = Subject::new("Microsoft.ContainerRegistry/registries", &registry.id);
    Finding::new(rule, subject, detail).seen(evidence).with_remediation(remediation)
}

fn no_identity(evidence: &Evidence, registry: &ResourceId) -> Finding {
    let commands = vec![remedy::with_managed_identity(evidence)];
    let seen = vec![Observation::new(
        evidence.cluster.source(),
        "properties.identityProfile.kubeletidentity.objectId",
        "(unset)",
    )];
    let remediation = remedy(
        RemediationKind::UpdateCluster,
        "Give the cluster managed identities, then reimage every pool.",
        commands,
        remedy::DOCS_ISOLATED,
    );
    let subject = Subject::new("Microsoft.ContainerRegistry/registries", registry);
    let detail = "Nodes sign in to the registry as the kubelet identity, and there is none.";
    Finding::new(&NO_IDENTITY, subject, detail).seen(seen).with_remediation(remediation)
}

fn scale_sets(judge: &mut Judge<'_>, identity: &KubeletIdentity) {
    let evidence = judge.evidence;
    let Some(id) = &identity.resource_id else { return };
    let pools = judge.know(&evidence.pools.agent_pools, "the node pools").into_iter().flatten();
    for pool in pools.filter(|pool| pool.state() != PoolState::Transient) {
        let machines = is(pool.kind.as_ref(), "VirtualMachines");
        let fact = if machines { &evidence.pools.virtual_machines } else { &evidence.pools.scale_sets };
        let Some(all) = judge.know(fact, "the node resource group's scale sets") else {
            continue;
        };
        let own = all.iter().filter(|resource| belongs(resource, pool));
        let lacking = own.into_iter().find(|resource| {
            !resource.identity.as_ref().is_some_and(|own| own.user_assigned_identities.contains_key(id))
        });
        if let Some(resource) = lacking {
            judge.report(not_on(evidence, pool, resource, id));
        }
    }
}

fn not_on(evidence: &Evidence, pool: &AgentPool, resource: &Machine, identity: &ResourceId) -> Finding {
    let has = resource
        .identity
        .as_ref()
        .map(|own| own.user_assigned_identities.keys().map(|id| id.name().to_owned()).collect::<Vec<_>>());
    let has = has.filter(|names| !names.is_empty()).map_or_else(|| "none".to_owned(), |names| names.join(", "));
    let mut remediation = remedy::reconcile(evidence, "AKS assigns the identity to the machines again.");
    remediation.summary.push_str(" Then reimage the pool.");
    let reimage = remedy::upgrade_pool(evidence, &pool.name);
    remediation.commands.push(reimage.clone());
    remediation.script.push(reimage);
    Finding::new(
        &NOT_ON_SCALE_SET,
        Subject::pool(&evidence.cluster.id, &pool.name),
        format!(
            "{} of pool {} does not carry the kubelet identity {}: its nodes cannot sign in to the registry, whatever \
             roles the identity has.",
            resource.name(),
            pool.name,
            identity.name()
        ),
    )
    .seen(vec![Observation::new(resource.source(), "identity.userAssignedIdentities", has)])
    .with_remediation(remediation)
}

/// Reports a finding about the identity's role; where pods pull as their service accounts it says what it decides.
fn report(judge: &mut Judge<'_>, mut finding: Finding) {
    if judge.evidence.pulls_as_service_accounts() {
        finding.detail.push_str(
            " Service account image pull (preview) is on: this role decides for the nodes' bootstrap, while pods may \
             pull with identities of their own.",
        );
    }
    judge.report(finding);
}

fn assignments(judge: &mut Judge<'_>, registry: &Registry, identity: &KubeletIdentity) {
    let evidence = judge.evidence;
    let Some(all) = judge.know(&evidence.access.role_assignments, "role assignments on the registry") else {
        return;
    };
    let rights = rights::rights(evidence, all, registry, identity);
    let mode = registry.properties.role_assignment_mode.as_deref();
    let abac = mode.map(|mode| mode.eq_ignore_ascii_case("AbacRepositoryPermissions"));
    let enough = match abac {
        Some(true) => !rights.repository.is_empty(),
        Some(false) => !rights.legacy.is_empty(),
        None => !rights.legacy.is_empty() && !rights.repository.is_empty(),
    };
    if enough {
        if abac == Some(true)
            && !rights.repository.iter().any(|assignment| clearly_allows(assignment.properties.condition.as_deref()))
        {
            report(judge, conditioned(evidence, registry, identity, &rights));
        }
        return;
    }
    if !rights.unknown.is_empty() {
        rights.unknown.into_iter().for_each(|gap| judge.note(gap));
        return;
    }
    let none = rights.legacy.is_empty() && rights.repository.is_empty();
    let case = Case { evidence, registry, identity, rights: &rights };
    match abac {
        _ if none => report(judge, case.missing(abac == Some(true))),
        Some(true) => report(judge, case.ignored_by_abac()),
        Some(false) => report(judge, case.repository_ignored()),
        None => judge.note(Gap {
            needed: Some("Microsoft.ContainerRegistry/registries/read".to_owned()),
            scope: registry.id.to_string(),
            ..Gap::new(
                Reason::Malformed,
                "the registry's answer has no roleAssignmentMode, so it is not known which roles count",
            )
        }),
    }
}

fn list(registry: &Registry) -> String {
    format!("GET {}/providers/Microsoft.Authorization/roleAssignments", registry.id)
}

fn conditioned(evidence: &Evidence, registry: &Registry, identity: &KubeletIdentity, rights: &Rights<'_>) -> Finding {
    let condition =
        rights.repository.first().and_then(|assignment| assignment.properties.condition.clone()).unwrap_or_default();
    let detail = "The kubelet identity's only repository role has a condition, and it does not clearly allow the \
                  repositories under aks-managed-repository/. What it does not allow, nodes cannot pull."
        .to_owned();
    let seen =
        vec![Observation::new(list(registry), "value[].properties.condition", crate::text::bounded(&condition, 600))];
    on_registry(
        &CONDITIONED,
        registry,
        detail,
        seen,
        Case { evidence, registry, identity, rights }.assign_repository(true),
    )
}

struct Case<'a> {
    evidence: &'a Evidence,
    registry: &'a Registry,
    identity: &'a KubeletIdentity,
    rights: &'a Rights<'a>,
}

impl Case<'_> {
    fn roles(&self, assignments: &[&RoleAssignment]) -> String {
        let names = assignments.iter().map(|assignment| {
            let role = &assignment.properties.role_definition_id;
            let definition = self.evidence.access.role_definitions.get(role).and_then(|fact| fact.known());
            definition
                .and_then(|definition| definition.properties.role_name.clone())
                .unwrap_or_else(|| role.name().to_owned())
        });
        let names: Vec<String> = names.collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }

    fn missing(&self, abac: bool) -> Finding {
        let anonymous = self.registry.properties.anonymous_pull_enabled == Some(true);
        let object = self.identity.object_id.as_deref().unwrap_or_default();
        let mut detail =
            format!("No role at or above registry {} lets the kubelet identity ({object}) pull.", self.registry.name());
        if anonymous {
            detail.push_str(
                " Pulls work only because the registry lets anybody pull; they stop when anonymous pull is turned off.",
            );
        }
        let seen = vec![
            Observation::new(
                self.evidence.cluster.source(),
                "properties.identityProfile.kubeletidentity.objectId",
                object,
            ),
            Observation::new(
                list(self.registry),
                "value[].properties.roleDefinitionId",
                format!("none that allows {}", if abac { READ_CONTENT } else { PULL }),
            ),
        ];
        let remediation = if self.evidence.ownership() == Ownership::Managed {
            remedy::reconcile(self.evidence, "AKS assigns the role on its registry again.")
        } else if abac {
            self.assign_repository(false)
        } else {
            self.assign("AcrPull")
        };
        let mut finding = on_registry(&MISSING, self.registry, detail, seen, remediation);
        if anonymous {
            finding.severity = Severity::Warning;
        }
        finding
    }

    fn ignored_by_abac(&self) -> Finding {
        let roles = self.roles(&self.rights.legacy);
        let detail = format!(
            "The kubelet identity has {roles}, but registry {} is in ABAC mode, where only repository roles count. az \
             aks update --attach-acr cannot assign those.",
            self.registry.name()
        );
        on_registry(&IGNORED_BY_ABAC, self.registry, detail, self.mode_and(&roles), self.assign_repository(false))
    }

    fn repository_ignored(&self) -> Finding {
        let roles = self.roles(&self.rights.repository);
        let detail = format!(
            "The kubelet identity has {roles}, but registry {} is not in ABAC mode, where repository roles do not \
             count.",
            self.registry.name()
        );
        on_registry(&REPOSITORY_IGNORED, self.registry, detail, self.mode_and(&roles), self.assign("AcrPull"))
    }

    fn mode_and(&self, roles: &str) -> Vec<Observation> {
        let mode = self.registry.properties.role_assignment_mode.as_deref().unwrap_or("(unset)");
        vec![
            Observation::new(self.registry.source(), "properties.roleAssignmentMode", mode),
            Observation::new(list(self.registry), "value[].properties.roleDefinitionId", roles),
        ]
    }

    /// What AKS does for a registry of its own, under the kind of what is repaired.
    fn by_aks(&self) -> Option<Remediation> {
        (self.evidence.ownership() == Ownership::Managed).then(|| {
            let why = "AKS assigns the role on its registry again.";
            remedy::reconcile_as(RemediationKind::AssignRole, self.evidence, why)
        })
    }

    fn assign(&self, role: &str) -> Remediation {
        if let Some(own) = self.by_aks() {
            return own;
        }
        let summary =
            "Assign the role. It takes minutes to propagate, and the kubelet keeps a refused sign-in for up to ten.";
        remedy(RemediationKind::AssignRole, summary, vec![self.assignment(role)], DOCS_ROLES)
    }

    fn assign_repository(&self, replace: bool) -> Remediation {
        if let Some(own) = self.by_aks() {
            return own;
        }
        let first = if replace {
            "Replace the assignment by one without a condition, or by one whose condition allows \
             aks-managed-repository/ (with the slash). "
        } else {
            ""
        };
        let summary = format!(
            "{first}Assign the repository role. It takes minutes to propagate; after a switch of the registry's mode \
             nodes keep old credentials until their kubelet restarts."
        );
        remedy(
            RemediationKind::AssignRole,
            summary,
            vec![self.assignment("Container Registry Repository Reader")],
            DOCS_ROLES,
        )
    }

    /// The object id, never the client id.
    fn assignment(&self, role: &str) -> Command {
        let principal = self.identity.object_id.as_deref().unwrap_or_default();
        remedy::assign_role(role, principal, self.registry.id.as_str())
    }
}
