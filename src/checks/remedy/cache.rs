//! How a cache rule that could be made is made.

use super::{acr, in_subscription};
use crate::checks::command::Command;
use crate::evidence::Evidence;
use crate::evidence::id::ResourceId;
use crate::model::cache::{Credentials, Proposal};
use crate::model::cluster::Ownership;

impl Proposal {
    /// The commands that make the rule, and the credential set before it.
    pub fn commands(&self, registry: &ResourceId) -> Vec<Command> {
        let mut commands = Vec::new();
        let mut create = acr("az acr cache create", registry).with("-n", self.name.as_str());
        create = create.with("-s", self.source.as_str()).with("-t", self.target.as_str());
        if let Some(credentials) = &self.credentials {
            let (Credentials::Existing(set) | Credentials::New(set)) = credentials;
            create = create.with("-c", set.as_str());
            if matches!(credentials, Credentials::New(_)) {
                let login = self.source.trim_end_matches("/*");
                let new = acr("az acr credential-set create", registry).with("-n", set.as_str());
                let new = new.with("-l", login).with("-u", "<SECRET_URI_OF_USERNAME>");
                commands.push(in_subscription(new.with("-p", "<SECRET_URI_OF_PASSWORD>"), registry));
            }
        }
        commands.push(in_subscription(create, registry));
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
