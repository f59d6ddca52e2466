//! How a cache rule that could be made is made.

use super::{RuleWords, acr, create_cache_rule, in_subscription};
use crate::checks::command::Command;
use crate::checks::impact::Impact;
use crate::evidence::Evidence;
use crate::evidence::id::ResourceId;
use crate::model::cache::{Credentials, Proposal};
use crate::model::cluster::Ownership;

impl Proposal {
    /// The commands that make the rule, and the credential set before it.
    pub fn commands(&self, registry: &ResourceId) -> Vec<Command> {
        let mut commands = Vec::new();
        let set = self.credentials.as_ref().map(|own| match own {
            Credentials::Existing(set) | Credentials::New(set) => set.as_str(),
        });
        if let Some(Credentials::New(set)) = &self.credentials {
            let login = self.source.trim_end_matches("/*");
            let new = acr("az acr credential-set create", registry).with("-n", set.as_str());
            let new = new.with("-l", login).with("-u", "<SECRET_URI_OF_USERNAME>");
            let new = in_subscription(new.with("-p", "<SECRET_URI_OF_PASSWORD>"), registry);
            let undo = acr("az acr credential-set delete", registry).with("-n", set.as_str()).word("--yes");
            let id = registry.child("credentialSets").child(set);
            commands.push(new.changing(Impact::Access, &id, in_subscription(undo, registry)));
        }
        let rule = RuleWords { name: &self.name, source: &self.source, target: &self.target, credentials: set };
        commands.push(create_cache_rule(registry, &rule));
        commands
    }

    /// What to mind when the rule is made.
    pub fn advice(&self, evidence: &Evidence) -> String {
        let mut advice = String::new();
        if matches!(self.credentials, Some(Credentials::New(_))) {
            advice.push_str(
                " Its upstream demands credentials: the credential set names two secrets in a Key Vault, which its \
                 identity must be allowed to read (role Key Vault Secrets User).",
            );
        }
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
