//! How a setting of the registry is changed, and changed back.

use super::Case;
use crate::checks::command::Command;
use crate::checks::finding::{Remediation, RemediationKind};
use crate::checks::impact::Impact;
use crate::checks::remedy::{self, remedy};

/// A setting of the registry, as `az acr update` takes it.
#[derive(Clone, Copy)]
pub(super) struct Setting<'s> {
    pub option: &'static str,
    pub value: &'static str,
    pub former: &'s str,
    pub impact: Impact,
}

impl Case<'_> {
    /// `az acr update -n NAME …` for one's own registry; a managed one is AKS's to repair.
    pub(super) fn update(&self, summary: &str, setting: Setting<'_>, docs: &'static str) -> Remediation {
        if !self.byo() {
            return remedy::reconcile(self.evidence, summary);
        }
        let set = |value| {
            let command = remedy::addressed(Command::new("az acr update"), &self.registry.id);
            remedy::in_subscription(command.with(setting.option, value), &self.registry.id)
        };
        let command = set(setting.value).changing(setting.impact, &self.registry.id, set(setting.former));
        remedy(RemediationKind::UpdateRegistry, summary, vec![command], docs)
    }

    /// `az acr config POLICY update --status …`.
    pub(super) fn config(
        &self,
        policy: &str,
        (status, former): (&str, &str),
        summary: &str,
        docs: &'static str,
    ) -> Remediation {
        let set = |status| {
            // These commands take the registry's name only.
            let command = Command::new("az acr config").word(policy).word("update").with("-r", self.registry.name());
            remedy::in_subscription(command.with("--status", status), &self.registry.id)
        };
        let command = set(status).changing(Impact::Access, &self.registry.id, set(former));
        remedy(RemediationKind::UpdateRegistry, summary, vec![command], docs)
    }
}
