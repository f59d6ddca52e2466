//! The credentials with which cache rules sign in to their upstreams.

use super::{CREDENTIALS, Case};
use crate::checks::finding::{Facts, Finding, Observation, Remediation, RemediationKind, Subject};
use crate::checks::remedy::{self, DOCS_CACHE, remedy};
use crate::evidence::registry::{CacheRule, CredentialSet};
use crate::model::cluster::is;

impl Case<'_> {
    pub(super) fn credentials(&self) -> Vec<Finding> {
        let sets = self.evidence.registry.credential_sets.known().into_iter().flatten();
        let used = sets.filter(|set| {
            self.rules.iter().any(|rule| rule.properties.credential_set_resource_id.as_ref() == Some(&set.id))
        });
        let unhealthy = used.filter_map(|set| {
            let health =
                set.properties.auth_credentials.iter().filter_map(|credential| credential.credential_health.as_ref());
            let sick = health.into_iter().find(|health| is(health.status.as_ref(), "Unhealthy"))?;
            Some((set, sick.error_code.as_deref().unwrap_or("unknown")))
        });
        unhealthy.map(|(set, code)| self.unhealthy(set, code)).collect()
    }

    fn unhealthy(&self, set: &CredentialSet, code: &str) -> Finding {
        let own = |rule: &&CacheRule| rule.properties.credential_set_resource_id.as_ref() == Some(&set.id);
        let rules: Vec<String> = self.rules.iter().filter(own).map(|rule| rule.name().to_owned()).collect();
        let detail = format!(
            "Credential set {} of rule {} cannot read its secrets ({code}): new images of its source cannot be pulled.",
            set.name(),
            rules.join(", ")
        );
        let seen = Observation::new(
            format!("GET {}/credentialSets", self.registry.id),
            format!("value[{}].properties.authCredentials[].credentialHealth", set.name()),
            format!("Unhealthy ({code})"),
        );
        Finding::new(
            &CREDENTIALS,
            Subject::new("Microsoft.ContainerRegistry/registries/credentialSets", &set.id),
            detail,
        )
        .seen(vec![seen])
        .with_facts(Facts { cache_rules: rules, ..Facts::default() })
        .with_remediation(self.grant_secrets(set))
    }

    /// Lets the set's identity read its secrets.
    fn grant_secrets(&self, set: &CredentialSet) -> Remediation {
        let show = remedy::acr("az acr credential-set show", &self.registry.id).with("-n", set.name());
        let principal = set.identity.as_ref().and_then(|identity| identity.principal_id.clone());
        let grant = remedy::cache::grant_secrets(principal.as_deref().unwrap_or("<PRINCIPAL_ID>"));
        remedy(
            RemediationKind::FixUpstreamCredentials,
            "See which secrets the set names, and let its identity read them in their Key Vault (put the vault's id \
             in place of <KEY_VAULT_ID>). A firewall of the vault and a wrong secret have the same effect; the health \
             is refreshed with delay.",
            vec![remedy::in_subscription(show, &self.registry.id), grant],
            DOCS_CACHE,
        )
    }
}
