//! How a cache rule that could be made is made.

use super::{DOCS_CACHE, RuleWords, acr, assign_role, create_cache_rule, in_subscription, remedy};
use crate::checks::command::Command;
use crate::checks::finding::{Remediation, RemediationKind};
use crate::checks::impact::Impact;
use crate::evidence::Evidence;
use crate::evidence::id::ResourceId;
use crate::model::cache::{Credentials, Proposal};
use crate::model::cluster::Ownership;

impl Proposal {
    /// The commands that make the rule, after the credential set and its right to the secrets.
    pub fn commands(&self, registry: &ResourceId) -> Vec<Command> {
        let (mut commands, set, identity) = match &self.credentials {
            None => (Vec::new(), None, None),
            Some(Credentials::Existing(set)) => (Vec::new(), Some(set.as_str()), None),
            Some(Credentials::New(set)) => (credential_set(registry, set, self.upstream()), Some(set.as_str()), None),
            Some(Credentials::Identity) => (Vec::new(), None, Some("<ID_OF_USER_ASSIGNED_IDENTITY>")),
        };
        let (name, source, target) = (&self.name, &self.source, &self.target);
        commands.push(create_cache_rule(registry, &RuleWords { name, source, target, credentials: set, identity }));
        commands
    }

    /// How the rule signs in to its upstream, where that needs something.
    pub fn sign_in(&self) -> &'static str {
        match &self.credentials {
            Some(Credentials::New(_)) => {
                " Its upstream requires credentials: the credential set names two secrets in a Key Vault, and its \
                 identity, which the second command shows, needs the role Key Vault Secrets User there."
            }
            Some(Credentials::Identity) => {
                " Its upstream requires a user-assigned managed identity (az 2.85 or newer) that may pull from it: role \
                 Container Registry Repository Reader, or AcrPull where the upstream does not use ABAC."
            }
            Some(Credentials::Existing(_)) | None => "",
        }
    }

    /// What to mind when the rule is made.
    pub fn advice(&self, evidence: &Evidence) -> String {
        let mut advice = self.sign_in().to_owned();
        if evidence.ownership() == Ownership::Managed {
            advice.push_str(" A registry that AKS manages keeps rules that you add.");
            if evidence.node_group_locked() {
                advice.push_str(
                    " The node resource group is locked (ReadOnly), which refuses the new rule: unlock it first, or \
                     use a registry of your own.",
                );
            }
        }
        if self.target_is_free {
            advice.push_str(&format!(
                " The registry has no repository under {}, which would make it refuse the rule.",
                self.target
            ));
            return advice;
        }
        advice.push_str(&format!(
            " It is refused with TargetRepositoryPrefixMatchesExistingRegistries where a repository stands under {} \
             already; the data plane was not asked for that.",
            self.target
        ));
        advice
    }
}

/// Gives a rule that has none the credentials that its upstream asks for.
pub fn sign_rule_in(registry: &ResourceId, rule: &str, upstream: &str) -> Remediation {
    let set = format!("{rule}-credentials");
    let mut commands = credential_set(registry, &set, upstream);
    let update = || acr("az acr cache update", registry).with("-n", rule);
    let take_back = in_subscription(update().word("--remove-cred-set"), registry);
    let give = in_subscription(update().with("-c", set.as_str()), registry);
    commands.push(give.changing(Impact::Access, &registry.child("cacheRules").child(rule), take_back));
    let summary = "Create a credential set from two secrets in a Key Vault, let its identity read them there, and give \
                   it to the rule.";
    remedy(RemediationKind::FixUpstreamCredentials, summary, commands, DOCS_CACHE)
}

/// A credential set for an upstream, and the right of its identity to read its secrets.
pub fn credential_set(registry: &ResourceId, set: &str, upstream: &str) -> Vec<Command> {
    let create = acr("az acr credential-set create", registry).with("-n", set).with("-l", upstream);
    let create = create.with("-u", "<SECRET_URI_OF_USERNAME>").with("-p", "<SECRET_URI_OF_PASSWORD>");
    let undo = acr("az acr credential-set delete", registry).with("-n", set).word("--yes");
    let id = registry.child("credentialSets").child(set);
    let create = in_subscription(create, registry).changing(Impact::Access, &id, in_subscription(undo, registry));
    let show = acr("az acr credential-set show", registry).with("-n", set);
    let show = show.with("--query", "identity.principalId").with("-o", "tsv");
    vec![create, in_subscription(show, registry), grant_secrets("<PRINCIPAL_ID>")]
}

/// Lets the identity of a credential set read its secrets.
pub fn grant_secrets(principal: &str) -> Command {
    assign_role("Key Vault Secrets User", principal, "<KEY_VAULT_ID>")
}
