//! Nodes and what makes them: pools, NodePools, the scale sets behind them, and the codes that these carry.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};

use super::cluster::{PoolState, is};
use crate::evidence::exit_code;
use crate::evidence::kubernetes::Node;
use crate::evidence::pools::{AgentPool, Machine};
use crate::evidence::resource::ErrorDetail;
use crate::evidence::{Evidence, Fact};

/// Images from before this day lack the fixes: AgentBaker's change was merged on 2025-08-14, after the images of
/// 202508.06 were built.
pub const FIXED: Date = date(2025, 8, 20);

/// Nodes that are made and remade together.
#[derive(Debug)]
pub struct Group<'e> {
    /// Pool name.
    pub name: &'e str,
    /// The ARM pool; none for a NodePool of node auto-provisioning.
    pub pool: Option<&'e AgentPool>,
    pub nodes: Vec<&'e Node>,
}

impl Group<'_> {
    /// `Pool NAME` or `NodePool NAME`.
    pub fn title(&self) -> String {
        if self.pool.is_some() { format!("Pool {}", self.name) } else { format!("NodePool {}", self.name) }
    }
}

/// ARM pools with their nodes, and NodePools. Virtual nodes, and hosted system nodes that no pool of ours makes, belong
/// to neither; deallocated nodes of a pool that scales down so are no nodes until they start.
pub fn groups<'e>(pools: &'e [AgentPool], nodes: &'e [Node]) -> Vec<Group<'e>> {
    let deallocates = |pool: &AgentPool| is(pool.scale_down_mode.as_ref(), "Deallocate");
    let mut groups: Vec<Group<'e>> = pools
        .iter()
        .map(|pool| {
            let own = nodes.iter().filter(|node| !node.is_virtual && node.node_pool.is_none());
            let own = own.filter(|node| is(node.agent_pool.as_ref(), &pool.name));
            Group {
                name: &pool.name,
                pool: Some(pool),
                nodes: own.filter(|node| node.ready || !deallocates(pool)).collect(),
            }
        })
        .collect();
    let mut provisioned: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
    for node in nodes.iter().filter(|node| !node.is_virtual) {
        if let Some(name) = &node.node_pool {
            provisioned.entry(name).or_default().push(node);
        }
    }
    groups.extend(provisioned.into_iter().map(|(name, nodes)| Group { name, pool: None, nodes }));
    groups
}

/// Whether a scale set or machine belongs to a pool: by AKS's own tags, else by the name that AKS gives it.
pub fn belongs(resource: &Machine, pool: &AgentPool) -> bool {
    let tag = resource.tags.as_ref().and_then(|tags| tags.managed_pool_name.as_ref().or(tags.pool_name.as_ref()));
    match tag {
        Some(tag) => tag.eq_ignore_ascii_case(&pool.name),
        None => is_named_after(resource.name(), pool),
    }
}

/// Whether AKS gave a scale set, a machine or a node its name by the pool: `aks-POOL-…`, on Windows `aksPOOL` for the
/// scale set and six characters more for its instances.
pub fn is_named_after(name: &str, pool: &AgentPool) -> bool {
    let (name, own) = (name.to_lowercase(), pool.name.to_lowercase());
    if name.starts_with(&format!("aks-{own}-")) {
        return true;
    }
    let windows = is(pool.os_type.as_ref(), "Windows");
    let tail = name.strip_prefix("aks").and_then(|name| name.strip_prefix(own.as_str())).filter(|_| windows);
    tail.is_some_and(|tail| tail.is_empty() || (tail.len() == 6 && tail.bytes().all(|c| c.is_ascii_alphanumeric())))
}

/// The exit code in the pool's own error.
pub fn own_code(pool: &AgentPool) -> Option<u32> {
    code_in(pool.status.as_ref()?.provisioning_error.as_ref()?)
}

pub fn code_in(error: &ErrorDetail) -> Option<u32> {
    messages(error).iter().find_map(|message| exit_code::find(message))
}

/// The pool's scale set, where something behind the pool failed and the pool itself does not say what.
pub fn failed_scale_set<'s>(pool: &AgentPool, sets: &'s [Machine]) -> Option<&'s Machine> {
    let set = sets.iter().find(|set| belongs(set, pool))?;
    let failed = pool.state() == PoolState::Failed
        || PoolState::of(set.properties.provisioning_state.as_deref()) == PoolState::Failed;
    (failed && own_code(pool).is_none()).then_some(set)
}

/// The pool's scale set, where its instances are worth a look: something failed, or nodes that should be there are not
/// seen in the cluster. A code may stand on an instance alone while everything above it reads `Succeeded`.
pub fn suspect_scale_set<'s>(evidence: &Evidence, pool: &AgentPool, sets: &'s [Machine]) -> Option<&'s Machine> {
    if !pool.is_settled() || evidence.stopped() {
        return None;
    }
    let unseen =
        || sets.iter().find(|set| belongs(set, pool) && own_code(pool).is_none() && lacks_nodes(evidence, pool));
    failed_scale_set(pool, sets).or_else(unseen)
}

/// Whether the cluster has fewer nodes of the pool than it should.
pub fn lacks_nodes(evidence: &Evidence, pool: &AgentPool) -> bool {
    // With no look at the cluster, an instance is the only witness.
    let Fact::Known(nodes) = &evidence.kubernetes.nodes else { return true };
    let Some(wanted) = pool.count else { return false };
    let joined = nodes.iter().filter(|node| is(node.agent_pool.as_ref(), &pool.name)).count();
    u32::try_from(joined).is_ok_and(|joined| joined < wanted)
}

/// The texts of an ARM error, inner ones too.
pub fn messages(error: &ErrorDetail) -> Vec<String> {
    let own = [&error.code, &error.message].into_iter().flatten().cloned().collect::<Vec<_>>().join(": ");
    let inner = error.details.iter().flat_map(messages);
    std::iter::once(own).filter(|own| !own.is_empty()).chain(inner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_knows_its_own_by_the_name() {
        let pool = |name: &str, os: &str| AgentPool {
            name: name.to_owned(),
            os_type: Some(os.to_owned()),
            ..AgentPool::default()
        };
        let linux = pool("np", "Linux");
        assert!(is_named_after("aks-NP-11112222-vmss00000a", &linux));
        assert!(!is_named_after("aks-np2-11112222-vmss", &linux) && !is_named_after("aksnp", &linux));
        let windows = pool("np", "Windows");
        assert!(is_named_after("aksnp", &windows) && is_named_after("aksnp00000A", &windows));
        assert!(!is_named_after("aksnp2", &windows) && !is_named_after("aksnp2000000", &windows));
    }
}
