//! How to run the probe: the ways into a node's network, what each needs and costs. None of them is run.

use crate::checks::command::Command;
use crate::evidence::Evidence;
use crate::evidence::id::ResourceId;
use crate::evidence::pools::Machine;
use crate::model::nodes;

/// The ways to run the probe, with the cluster's own names where a snapshot is at hand.
pub fn how(evidence: Option<&Evidence>) -> String {
    let names = Names::of(evidence);
    let Names { node, .. } = &names;
    format!(
        "How to see the cluster from a node. aksiso runs none of these commands. Each ends in a file that
diagnose, cutover and collect take with --probe FILE; run it within a day, and after the last change.

0. A snapshot names the targets (once, where Azure can be asked)
     {collect}

1. On the node, over Azure: az vmss run-command
   Needs   Microsoft.Compute/virtualMachineScaleSets/virtualMachines/runCommand/action (Virtual
           Machine Contributor), and the node's agent running. Works for a node that never joined.
   Costs   It runs a script as root on the node. The script reads and changes nothing. Azure shows
           about 4,096 bytes of output, so the script prints one line of less than 4,000.
     aksiso probe --script --from cluster.json > probe.sh
     {run_command}
   Copy the line that begins with {{ and stands between [stdout] and [stderr] into node.json.

2. On the node, over Kubernetes: kubectl debug
   Needs   an image with a shell that the node has already (IMAGE): where pulls fail, a new one does
           not arrive either, and a pull through the cache is what is to be tested. It makes a pod
           on the node; delete it afterwards.
   Costs   A privileged look at the node: the node's file system is at /host.
     {debug}
   In the pod, with the static binary copied into it:
     aksiso probe --from cluster.json --host-root /host -o node.json
   Without the binary the script does the same: chroot /host sh < probe.sh > node.json

3. On a machine in the node subnet (a jump host)
   Needs   a machine there, and the static binary (aksiso-<arch>-unknown-linux-musl of a release: one
           file, no library): copy it with scp.
   Costs   Nothing on the cluster. Its connections count as a node's; its name servers do not.
     aksiso probe --from cluster.json --vantage jumpbox -o jumpbox.json

4. In a pod
   Needs   an image with aksiso in it, in the registry.
   Costs   Its DNS is the cluster's (CoreDNS), so that it says nothing of the nodes' own.
     aksiso probe --from cluster.json -o pod.json

What the kubelet identity may do is asked only on a node, and only with --as-kubelet:
     aksiso probe --from cluster.json --host-root /host --as-kubelet -o node.json

Do not use az aks command invoke (its pod's image comes through the cache that is to be tested) nor
az aks check-network outbound (it tests public names, which an isolated cluster must not reach).

Then
     {diagnose}
{note}",
        collect = names.command("collect", &[("-o", "cluster.json")]),
        diagnose = names.command("diagnose", &[("--probe", "node.json")]),
        run_command = names.run_command().posix(),
        debug = Command::new("kubectl debug")
            .word(format!("node/{node}"))
            .word("-it")
            .with("--image", "IMAGE")
            .with("--profile", "sysadmin")
            .posix(),
        note = names.note,
    )
}

/// The names that the commands hold: the cluster's own, or placeholders.
struct Names {
    cluster: Option<ResourceId>,
    node_group: String,
    scale_set: String,
    node: String,
    note: String,
}

impl Names {
    fn of(evidence: Option<&Evidence>) -> Self {
        let properties = evidence.map(|evidence| &evidence.cluster.properties);
        let nodes = evidence.and_then(|evidence| evidence.kubernetes.nodes.known()).into_iter().flatten();
        let node = nodes.filter(|node| !node.is_virtual).map(|node| node.name.clone()).next();
        let note = if evidence.is_none() {
            "\nWith --from SNAPSHOT these commands hold the cluster's own names.\n"
        } else {
            ""
        };
        Self {
            cluster: evidence.map(|evidence| evidence.cluster.id.clone()),
            node_group: properties
                .and_then(|own| own.node_resource_group.clone())
                .unwrap_or_else(|| "NODE_RESOURCE_GROUP".to_owned()),
            scale_set: evidence.and_then(scale_set).unwrap_or_else(|| "SCALE_SET".to_owned()),
            node: node.unwrap_or_else(|| "NODE".to_owned()),
            note: note.to_owned(),
        }
    }

    /// A command of aksiso's about the cluster.
    fn command(&self, subcommand: &str, options: &[(&str, &str)]) -> String {
        let command = Command::new("aksiso").word(subcommand);
        let command = match &self.cluster {
            Some(id) => command
                .with("-g", id.resource_group().unwrap_or_default())
                .with("-n", id.name())
                .with("-s", id.subscription().unwrap_or_default()),
            None => command.with("-g", "GROUP").with("-n", "NAME"),
        };
        options.iter().fold(command, |command, (option, value)| command.with(option, *value)).posix()
    }

    fn run_command(&self) -> Command {
        let command = Command::new("az vmss run-command invoke")
            .with("-g", self.node_group.as_str())
            .with("-n", self.scale_set.as_str())
            .with("--instance-id", "0")
            .with("--command-id", "RunShellScript")
            .with("--scripts", "@probe.sh");
        let command = command.with("--query", "value[0].message").with("-o", "tsv");
        match self.cluster.as_ref().and_then(ResourceId::subscription) {
            Some(subscription) => command.with("--subscription", subscription),
            None => command,
        }
    }
}

/// A scale set of a pool, best of one whose nodes fail to come.
fn scale_set(evidence: &Evidence) -> Option<String> {
    let sets = evidence.pools.scale_sets.known()?;
    let pools = evidence.pools.agent_pools.known().into_iter().flatten();
    let failed = pools.filter(|pool| pool.state() == crate::model::cluster::PoolState::Failed);
    let of_failed = failed.into_iter().find_map(|pool| sets.iter().find(|set| nodes::belongs(set, pool)));
    of_failed.or(sets.first()).map(Machine::name).map(str::to_owned)
}
