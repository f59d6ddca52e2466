//! `own-egress-open`: AKS made no way out, but the subnet has one.

use crate::checks::command::Command;
use crate::checks::finding::{Finding, Observation, RemediationKind, Subject};
use crate::checks::judge::Judge;
use crate::checks::remedy::{self, remedy};
use crate::checks::rule::{GateRole, Rule};
use crate::evidence::id::ResourceId;
use crate::model::egress::{OwnWay, own_way};

pub const OPEN: Rule = Rule::info("own-egress-open", "A node subnet has its own egress path")
    .gate(GateRole::Aside)
    .hardening(super::PULLS);

/// Judges the node subnets of a cluster whose outbound type is none.
pub(super) fn judge(judge: &mut Judge<'_>) {
    let evidence = judge.evidence;
    if !evidence.outbound_type().eq_ignore_ascii_case("none") {
        return;
    }
    for (id, subnet) in evidence.node_subnets() {
        match own_way(evidence, subnet) {
            Ok(Some(way)) => judge.report(open(id, &way)),
            Ok(None) => {}
            Err(gap) => judge.note(gap),
        }
    }
}

fn open(id: &ResourceId, way: &OwnWay<'_>) -> Finding {
    let network = id.up_to("virtualNetworks").unwrap_or_default();
    let (what, seen, look) = match way {
        OwnWay::NatGateway(gateway) => {
            let path = format!("properties.subnets[{}].properties.natGateway.id", id.name());
            let look = remedy::addressed(Command::new("az network nat gateway show"), gateway);
            let seen = Observation::new(format!("GET {network}"), path, gateway.as_str());
            (format!("NAT gateway {}", gateway.name()), seen, remedy::in_subscription(look, gateway))
        }
        OwnWay::InternetRoute(table, route) => {
            let path = format!("properties.routes[{route}].properties.nextHopType");
            let look = Command::new("az network route-table route show")
                .with("-g", table.id.resource_group().unwrap_or_default())
                .with("--route-table-name", table.name())
                .with("-n", route.as_str());
            let seen = Observation::new(table.source(), path, "Internet");
            let what = format!("default route {route} of route table {}", table.name());
            (what, seen, remedy::in_subscription(look, &table.id))
        }
    };
    let detail = format!(
        "outboundType is none, but {what} leads subnet {} to the Internet: nodes that miss the cache may still reach \
         Microsoft's registry, so a broken cache goes unnoticed.",
        id.name()
    );
    let summary = "Keep it only if something needs it. To isolate the cluster, remove it from the subnet once pulls \
                   over the private path are verified.";
    let docs = "https://learn.microsoft.com/azure/aks/egress-outboundtype";
    Finding::new(&OPEN, Subject::new("Microsoft.Network/virtualNetworks/subnets", id), detail)
        .seen(vec![seen])
        .with_remediation(remedy(RemediationKind::Investigate, summary, vec![look], docs))
}
