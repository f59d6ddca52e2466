//! What a gap is and what to do about it: each kind has a remedy of its own.

use crate::evidence::{Gap, Reason};

/// What to do where the Kubernetes API cannot be reached from here.
const WAYS: &str = "A private API server answers only inside its network. Three ways on: run aksiso collect on a jump \
                    host and judge its file here (--from FILE); run aksiso on a machine in the network; or leave the \
                    Kubernetes API out (--no-kubernetes).";

/// The kind of what nobody asked for.
pub const NOT_COLLECTED: &str = "not-collected";

/// The kind of a gap, in one word of the report.
pub fn kind(gap: &Gap) -> &'static str {
    match gap.reason {
        Reason::Forbidden => "permission",
        Reason::Unauthorized => "sign-in",
        Reason::NotFound => "not-found",
        Reason::Throttled => "throttled",
        Reason::ServerError => "server-error",
        Reason::TimedOut => "time-out",
        Reason::Unreachable => "unreachable",
        Reason::Malformed => "malformed",
        Reason::NotVisible => "not-visible",
        Reason::WrongCluster => "wrong-cluster",
        Reason::NotCollected => NOT_COLLECTED,
    }
}

/// What happened, with the call to which it happened.
pub fn said(gap: &Gap) -> String {
    gap.call.as_ref().map_or_else(|| gap.detail.clone(), |call| format!("{call}: {}", gap.detail))
}

/// What happened and what to do, in one line.
pub fn line(gap: &Gap) -> String {
    let remedy = remedy(gap).map_or_else(String::new, |remedy| format!(" {remedy}"));
    format!("{}.{remedy}", said(gap).trim_end_matches('.'))
}

/// What to do to see it the next time; none where no call would show it.
pub fn remedy(gap: &Gap) -> Option<String> {
    let kubernetes = gap.kubernetes;
    Some(match gap.reason {
        Reason::Forbidden => return permission(gap),
        Reason::Unauthorized if kubernetes => {
            "Sign in to the cluster again (az aks get-credentials), or name a context with --context.".to_owned()
        }
        Reason::Unauthorized => {
            "Sign in again (az login --tenant TENANT), or choose another method with --auth.".to_owned()
        }
        Reason::NotFound if kubernetes => {
            "See that the context's address is the API server's own, and not a proxy's.".to_owned()
        }
        Reason::NotFound => {
            "See that this sign-in knows the subscription; for one of another tenant: az login --tenant TENANT."
                .to_owned()
        }
        Reason::Throttled => {
            "The rate of requests is limited: wait some minutes and run it again; --check asks for less.".to_owned()
        }
        Reason::ServerError => "Run it again later; -vv shows every call.".to_owned(),
        Reason::TimedOut if kubernetes => format!("Allow more time with --timeout 180s. {WAYS}"),
        Reason::TimedOut => "Allow more time with --timeout 180s; -vv shows how long each call takes.".to_owned(),
        Reason::Unreachable if kubernetes => WAYS.to_owned(),
        Reason::Unreachable => "The host must be reachable over HTTPS from here (proxy: HTTPS_PROXY; private \
                                certificate authority: SSL_CERT_FILE; other cloud: --cloud)."
            .to_owned(),
        // An answer that lacks something is no fault of the way to it.
        Reason::Malformed if gap.call.is_none() => return None,
        Reason::Malformed => "A proxy in between may have answered; -vv shows the call. If the answer is the server's \
                              own, report it."
            .to_owned(),
        Reason::WrongCluster => {
            "Name this cluster's context with --context; az aks get-credentials makes one.".to_owned()
        }
        Reason::NotCollected => {
            "Collect it: with this version, without --no-kubernetes, and with the checks that need it.".to_owned()
        }
        Reason::NotVisible => return None,
    })
}

fn permission(gap: &Gap) -> Option<String> {
    let needed = gap.needed.as_ref()?;
    let scope = if gap.scope.is_empty() { String::new() } else { format!(" on {}", gap.scope) };
    let role = gap.role.as_ref().map_or_else(String::new, |role| format!("; smallest role: {role}"));
    Some(format!("Grant {needed}{scope}{role}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::calls::kubernetes::KubernetesCall;

    #[test]
    fn each_kind_has_a_remedy_of_its_own_and_only_one_speaks_of_permissions() {
        let remedy_of = |reason| remedy(&KubernetesCall::NODES.gap(reason, "x")).unwrap_or_default();
        assert!(
            remedy_of(Reason::Forbidden).contains("Grant list nodes") && remedy_of(Reason::Forbidden).contains("role")
        );
        assert!(remedy_of(Reason::TimedOut).contains("--timeout"));
        for way in ["collect", "in the network", "--no-kubernetes"] {
            assert!(remedy_of(Reason::Unreachable).contains(way), "{way}");
        }
        assert!(remedy_of(Reason::Throttled).contains("wait"));
        let others = [Reason::Unauthorized, Reason::Throttled, Reason::ServerError, Reason::TimedOut];
        for reason in others.into_iter().chain([Reason::Unreachable, Reason::Malformed, Reason::WrongCluster]) {
            let words = remedy_of(reason);
            assert!(!words.is_empty() && !words.contains("Grant") && !words.contains("role"), "{reason:?}: {words}");
        }
    }

    #[test]
    fn what_happened_names_the_call() {
        assert_eq!(said(&KubernetesCall::NODES.gap(Reason::TimedOut, "late")), "GET /api/v1/nodes: late");
        assert_eq!(said(&Gap::not_collected().about("the nodes")), "the nodes: not collected");
    }
}
