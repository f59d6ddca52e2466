//! The registry's own settings: tier, audience, network, policies, encryption.

mod settings;

use super::check::Check;
use super::judge::{Judge, NotApplicable};
use super::remedy::{self, DOCS_ISOLATED, DOCS_PRIVATE_LINK, remedy};
use super::rule::RuleSet;
use super::{kubelet_acrpull, private_dns, private_endpoint};
use crate::checks::command::Command;
use crate::checks::finding::{Finding, Observation, Remediation, RemediationKind, Subject};
use crate::checks::impact::Impact;
use crate::checks::rule::{GateRole, Rule, Severity};
use crate::evidence::registry::{PolicyStatus, Registry, RegistryProperties};
use crate::evidence::{Evidence, Section};
use crate::model::cluster::is;
use crate::model::cluster::{Ownership, PoolState};
use settings::Setting;

pub const NOT_PREMIUM: Rule =
    Rule::error("registry-not-premium", "The registry is not of the Premium tier").breaking_pulls();
pub const ARM_AUDIENCE: Rule = Rule::error(
    "registry-arm-audience-disabled",
    "The registry refuses tokens for Azure Resource Manager, which nodes sign in with",
)
.breaking_pulls();
pub const FAILED: Rule =
    Rule::error("registry-provisioning-failed", "The last operation on the registry failed").breaking_pulls();
pub const PUBLIC: Rule = Rule::warning("registry-public-access", "The registry can be reached over its public address")
    .breaking_pulls()
    .hardening(&[&private_endpoint::CHECK.about, &private_dns::CHECK.about, &kubelet_acrpull::CHECK.about]);
pub const ANONYMOUS: Rule = Rule::warning("registry-anonymous-pull", "Anyone can pull from the registry")
    .breaking_pulls()
    .hardening(&[&kubelet_acrpull::CHECK.about]);
pub const TRUSTED_SERVICES: Rule = Rule::warning(
    "registry-trusted-services-disabled",
    "The registry's firewall keeps its own cache from being filled",
)
.breaking_pulls()
.risking_pulls()
.gate(GateRole::Closing);
pub const SOFT_DELETE: Rule =
    Rule::warning("registry-soft-delete-unsupported", "Soft delete is on, which the artifact cache does not support")
        .breaking_pulls();
pub const QUARANTINE: Rule =
    Rule::warning("registry-quarantine-enabled", "Quarantine is on and probably holds back cached images")
        .breaking_pulls();
pub const ENCRYPTION: Rule = Rule::error(
    "registry-encryption-identity-missing",
    "The identity that reads the registry's encryption key is not on the registry",
)
.breaking_pulls();

pub const CHECK: Check = Check {
    about: RuleSet {
        id: "registry",
        title: "The registry's own settings",
        doc: include_str!("registry.md"),
        rules: &[
            &NOT_PREMIUM,
            &ARM_AUDIENCE,
            &FAILED,
            &PUBLIC,
            &ANONYMOUS,
            &TRUSTED_SERVICES,
            &SOFT_DELETE,
            &QUARANTINE,
            &ENCRYPTION,
        ],
    },
    needs: &[Section::Registry],
    run,
};

fn run(judge: &mut Judge<'_>) -> Result<(), NotApplicable> {
    let Some(registry) = judge.registry()? else { return Ok(()) };
    let case = Case { evidence: judge.evidence, registry, properties: &registry.properties };
    let mut findings = case.reachability();
    findings.extend(case.failed());
    findings.extend(case.encryption());
    if case.byo() {
        findings.extend(case.own());
        if case.policy(|policies| policies.azure_ad_authentication_as_arm_policy.as_ref(), "disabled") {
            findings.push(case.arm_audience());
        }
    }
    findings.into_iter().for_each(|finding| judge.report(finding));
    Ok(())
}

struct Case<'e> {
    evidence: &'e Evidence,
    registry: &'e Registry,
    properties: &'e RegistryProperties,
}

impl Case<'_> {
    fn byo(&self) -> bool {
        self.evidence.ownership() == Ownership::Byo
    }

    fn policy(
        &self,
        which: impl Fn(&crate::evidence::registry::RegistryPolicies) -> Option<&PolicyStatus>,
        word: &str,
    ) -> bool {
        self.properties.policies.as_ref().and_then(which).is_some_and(|policy| is(policy.status.as_ref(), word))
    }

    fn finding(&self, rule: &'static Rule, detail: &str, path: &str, value: &str, remediation: Remediation) -> Finding {
        Finding::new(rule, Subject::new("Microsoft.ContainerRegistry/registries", &self.registry.id), detail.to_owned())
            .seen(vec![Observation::new(self.registry.source(), path, value)])
            .with_remediation(remediation)
    }

    /// Who can reach the registry, and whether it can reach its upstream.
    fn reachability(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let action = self.properties.network_rule_set.as_ref().and_then(|rules| rules.default_action.as_ref());
        let denies = is(action, "Deny");
        if is(self.properties.public_network_access.as_ref(), "Enabled") {
            findings.push(self.public(denies));
        }
        if self.properties.anonymous_pull_enabled == Some(true) {
            findings.push(self.finding(
                &ANONYMOUS,
                "anonymousPullEnabled is true: anyone who can reach the registry can pull without signing in. The \
                 preview needed it; since release 2025-03-16 the kubelet's role does.",
                "properties.anonymousPullEnabled",
                "true",
                self.update(
                    "First see that check kubelet-acrpull passes: without its role the kubelet can pull only \
                     anonymously. Then turn anonymous pull off.",
                    Setting {
                        option: "--anonymous-pull-enabled",
                        value: "false",
                        former: "true",
                        impact: Impact::CutsTraffic,
                    },
                    DOCS_ISOLATED,
                ),
            ));
        }
        let restricted = is(self.properties.public_network_access.as_ref(), "Disabled") || denies;
        if restricted && is(self.properties.network_rule_bypass_options.as_ref(), "None") {
            findings.push(self.finding(
                &TRUSTED_SERVICES,
                "networkRuleBypassOptions is None on a registry with a firewall: it is documented to keep the \
                 artifact cache from being filled. What is cached already still pulls.",
                "properties.networkRuleBypassOptions",
                "None",
                self.update(
                    "Let trusted services pass the registry's firewall.",
                    Setting {
                        option: "--allow-trusted-services",
                        value: "true",
                        former: "false",
                        impact: Impact::Access,
                    },
                    "https://learn.microsoft.com/azure/container-registry/artifact-cache-cli",
                ),
            ));
        }
        findings
    }

    fn public(&self, denies: bool) -> Finding {
        let rules = self.properties.network_rule_set.as_ref().map(|rules| &rules.ip_rules);
        let rules: Vec<&str> = rules.into_iter().flatten().filter_map(|rule| rule.value.as_deref()).collect();
        let detail = if denies {
            format!(
                "publicNetworkAccess is Enabled for selected networks ({}): nothing else gets in from outside, but \
                 the isolation is not complete.",
                if rules.is_empty() { "none".to_owned() } else { rules.join(", ") }
            )
        } else {
            "publicNetworkAccess is Enabled, and no firewall limits it: the isolation of the cluster ends at its \
             registry."
                .to_owned()
        };
        let summary = "First see that checks private-endpoint and private-dns pass: without them nodes reach the \
                       registry only over its public address. Then turn public access off. CI agents and ACR Tasks \
                       that push from outside need a private path too.";
        let setting =
            Setting { option: "--public-network-enabled", value: "false", former: "true", impact: Impact::CutsTraffic };
        let remediation = self.update(summary, setting, DOCS_PRIVATE_LINK);
        let mut finding = self.finding(&PUBLIC, &detail, "properties.publicNetworkAccess", "Enabled", remediation);
        if denies {
            finding.severity = Severity::Info;
        }
        finding
    }

    fn failed(&self) -> Option<Finding> {
        let state = self.properties.provisioning_state.as_deref();
        (PoolState::of(state) == PoolState::Failed).then(|| {
            let show = remedy::in_subscription(
                remedy::addressed(Command::new("az acr show"), &self.registry.id),
                &self.registry.id,
            );
            let remediation = if self.byo() {
                remedy(
                    RemediationKind::UpdateRegistry,
                    "Look at the registry's last operation in its Activity Log and repeat it.",
                    vec![show],
                    DOCS_ISOLATED,
                )
            } else {
                remedy::reconcile(self.evidence, "AKS repairs its own registry.")
            };
            self.finding(
                &FAILED,
                "The registry's last operation failed: it may not serve what it should.",
                "properties.provisioningState",
                state.unwrap_or_default(),
                remediation,
            )
        })
    }

    fn encryption(&self) -> Option<Finding> {
        self.lost_encryption_identity().map(|client| {
            let summary = "Assign the identity to the registry again, and make sure that it can still use the key.";
            let words = |verb: &str| {
                let command = Command::new("az acr identity").word(verb);
                let command = remedy::addressed(command, &self.registry.id).with("--identities", "<IDENTITY_ID>");
                remedy::in_subscription(command, &self.registry.id)
            };
            let command = words("assign").changing(Impact::Access, &self.registry.id, words("remove"));
            let remediation = if self.byo() {
                remedy(
                    RemediationKind::UpdateRegistry,
                    summary,
                    vec![command],
                    "https://learn.microsoft.com/azure/container-registry/tutorial-troubleshoot-customer-managed-keys",
                )
            } else {
                remedy::reconcile(self.evidence, summary)
            };
            self.finding(
                &ENCRYPTION,
                "The registry is encrypted with a key of your own, and the identity that reads the key is not among \
                 the registry's identities: once the key must be read again, nothing can be pulled.",
                "properties.encryption.keyVaultProperties.identity",
                &client,
                remediation,
            )
        })
    }

    /// The client id that encryption names, where no identity of the registry has it.
    fn lost_encryption_identity(&self) -> Option<String> {
        let encryption =
            self.properties.encryption.as_ref().filter(|encryption| is(encryption.status.as_ref(), "enabled"))?;
        let client = encryption.key_vault_properties.as_ref()?.identity.clone().filter(|client| !client.is_empty())?;
        let identity = self.registry.identity.as_ref();
        if client.eq_ignore_ascii_case("system") {
            return identity.and_then(|identity| identity.principal_id.as_ref()).is_none().then_some(client);
        }
        let mut own = identity.into_iter().flat_map(|identity| identity.user_assigned_identities.values());
        // One without a client id may be the one that is meant.
        let there = own.any(|own| own.client_id.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(&client)));
        (!there).then_some(client)
    }

    /// What only matters on a registry of the operator's own.
    fn own(&self) -> impl Iterator<Item = Finding> {
        [self.not_premium(), self.soft_delete(), self.quarantine()].into_iter().flatten()
    }

    fn not_premium(&self) -> Option<Finding> {
        let tier = self.registry.sku.as_ref().and_then(|sku| sku.name.as_deref());
        tier.filter(|tier| !tier.eq_ignore_ascii_case("Premium")).map(|tier| {
            self.finding(
                &NOT_PREMIUM,
                &format!("The registry is of the {tier} tier; private endpoints need Premium."),
                "sku.name",
                tier,
                self.update(
                    "Raise the tier.",
                    Setting { option: "--sku", value: "Premium", former: tier, impact: Impact::Access },
                    DOCS_ISOLATED,
                ),
            )
        })
    }

    fn soft_delete(&self) -> Option<Finding> {
        self.policy(|policies| policies.soft_delete_policy.as_ref(), "enabled").then(|| {
            self.finding(
                &SOFT_DELETE,
                "The soft delete policy is enabled; the artifact cache does not support it.",
                "properties.policies.softDeletePolicy.status",
                "enabled",
                self.config(
                    "soft-delete",
                    ("disabled", "enabled"),
                    "Turn soft delete off.",
                    "https://learn.microsoft.com/azure/container-registry/container-registry-soft-delete-policy",
                ),
            )
        })
    }

    fn quarantine(&self) -> Option<Finding> {
        self.policy(|policies| policies.quarantine_policy.as_ref(), "enabled").then(|| {
            let summary = "Turn quarantine off for this registry (it has no az command of its own: az resource \
                           update, or the portal), or prove that cached images are released.";
            let set = |status: &str| {
                let command = Command::new("az resource update").with("--ids", self.registry.id.as_str());
                command.with("--set", format!("properties.policies.quarantinePolicy.status={status}"))
            };
            let command = set("disabled").changing(Impact::Access, &self.registry.id, set("enabled"));
            let remediation = remedy(
                RemediationKind::UpdateRegistry,
                summary,
                vec![command],
                "https://learn.microsoft.com/azure/container-registry/container-registry-skus",
            );
            self.finding(
                &QUARANTINE,
                "The quarantine policy is enabled. Cached images are probably held back until someone releases them; \
                 this is not confirmed.",
                "properties.policies.quarantinePolicy.status",
                "enabled",
                remediation,
            )
        })
    }

    fn arm_audience(&self) -> Finding {
        let summary = "Accept tokens for Azure Resource Manager. An Azure Policy may turn it off again: look for one \
                       that audits or modifies this setting.";
        let remediation = self.config("authentication-as-arm", ("enabled", "disabled"), summary, DOCS_ISOLATED);
        self.finding(
            &ARM_AUDIENCE,
            "The policy azureADAuthenticationAsArmPolicy is disabled, which is documented as unsupported: nodes sign \
             in with a token for Azure Resource Manager, and the registry refuses it. Nodes that try another token \
             first do so by the scripts that AKS gives them, which no image's date shows.",
            "properties.policies.azureADAuthenticationAsArmPolicy.status",
            "disabled",
            remediation,
        )
    }
}
