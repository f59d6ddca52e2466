//! What Resource Graph does not hold, asked of ARM once for everybody.

use futures::{StreamExt as _, stream};

use super::{AT_A_TIME, Gatherer};
use crate::evidence::Fact;
use crate::evidence::access::Permission;
use crate::evidence::calls::azure as api;
use crate::evidence::fleet::{Asked, Fleet, Question};
use crate::evidence::id::ResourceId;
use crate::evidence::network::{NetworkLink, ZoneGroup};
use crate::evidence::registry::{CacheRule, ConnectionProperties, CredentialSet};
use crate::evidence::resource::Part;

/// ARM's answer to one question.
enum Reply {
    CacheRules(Fact<Vec<CacheRule>>),
    CredentialSets(Fact<Vec<CredentialSet>>),
    Connections(Fact<Vec<Part<ConnectionProperties>>>),
    ZoneGroups(Fact<Vec<ZoneGroup>>),
    ForwardingLinks(Fact<Vec<ResourceId>>),
    Rights(Fact<Vec<Permission>>),
}

impl Gatherer {
    /// Asks ARM, and keeps each answer as it comes: whoever stops waiting has what came until then.
    pub async fn answer(&self, fleet: &mut Fleet, questions: impl IntoIterator<Item = Question>) {
        let work = questions.into_iter().map(|question| async {
            let reply = self.reply(&question).await;
            (question, reply)
        });
        let mut replies = std::pin::pin!(stream::iter(work).buffer_unordered(AT_A_TIME));
        while let Some((question, reply)) = replies.next().await {
            keep(&mut fleet.asked, &question, reply);
        }
    }

    async fn reply(&self, question: &Question) -> Reply {
        let arm = &self.arm;
        let list = |id: &ResourceId, child: &str| id.child(child).to_string();
        match question {
            Question::CacheRules(id) => {
                Reply::CacheRules(arm.list(&api::CACHE_RULES, &list(id, "cacheRules"), &[]).await)
            }
            Question::CredentialSets(id) => {
                Reply::CredentialSets(arm.list(&api::CREDENTIAL_SETS, &list(id, "credentialSets"), &[]).await)
            }
            Question::Connections(id) => {
                let path = list(id, "privateEndpointConnections");
                Reply::Connections(arm.list_if_known(&api::ENDPOINT_CONNECTIONS, &path).await)
            }
            Question::ZoneGroups(id) => {
                Reply::ZoneGroups(arm.list_under(&api::ZONE_GROUPS, &list(id, "privateDnsZoneGroups")).await)
            }
            Question::ForwardingLinks(id) => {
                let links: Fact<Vec<NetworkLink>> =
                    arm.list(&api::FORWARDING_LINKS, &list(id, "virtualNetworkLinks"), &[]).await;
                let networks = |links: Vec<NetworkLink>| {
                    links.iter().filter_map(|link| link.properties.network_id().cloned()).collect()
                };
                Reply::ForwardingLinks(links.map(networks))
            }
            Question::Rights(subscription) => Reply::Rights(self.rights(subscription).await),
        }
    }

    /// What the reader may do in a subscription.
    async fn rights(&self, subscription: &str) -> Fact<Vec<Permission>> {
        let path = format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/permissions");
        let answer = self.arm.read_list::<Permission>(&api::OWN_PERMISSIONS, &path, &[]).await;
        answer.map_or_else(|failure| Fact::Missing(failure.gap(&api::OWN_PERMISSIONS, &path)), Fact::Known)
    }
}

fn keep(asked: &mut Asked, question: &Question, reply: Reply) {
    let key = match question {
        Question::CacheRules(id)
        | Question::CredentialSets(id)
        | Question::Connections(id)
        | Question::ZoneGroups(id)
        | Question::ForwardingLinks(id) => id.normalized(),
        Question::Rights(subscription) => subscription.clone(),
    };
    match reply {
        Reply::CacheRules(rules) => drop(asked.cache_rules.insert(key, rules)),
        Reply::CredentialSets(sets) => drop(asked.credential_sets.insert(key, sets)),
        Reply::Connections(connections) => drop(asked.connections.insert(key, connections)),
        Reply::ZoneGroups(groups) => drop(asked.zone_groups.insert(key, groups)),
        Reply::ForwardingLinks(links) => drop(asked.forwarding_links.insert(key, links)),
        Reply::Rights(rights) => drop(asked.rights.insert(key, rights)),
    }
}
