//! The rules of the check, one line each.

use crate::finding::{Rule, Severity};

const fn error(id: &'static str, title: &'static str) -> Rule {
    Rule { id, severity: Severity::Error, title }
}

pub(super) const UNAUTHORIZED: Rule = error("pull-unauthorized", "The registry refuses the node's sign-in");
pub(super) const FORBIDDEN: Rule =
    error("pull-forbidden", "The registry was reached over its public address, and its firewall refused");
pub(super) const NOT_FOUND: Rule = error("pull-not-found", "The registry does not know the image");
pub(super) const DNS_FAILURE: Rule = error("pull-dns-failure", "The registry's name does not resolve on the node");
pub(super) const NETWORK_FAILURE: Rule = error("pull-network-failure", "The registry cannot be reached from the node");
pub(super) const BYPASSES_CACHE: Rule =
    error("pull-bypasses-cache", "A node asks Microsoft's registry itself instead of the cache");
pub(super) const NOT_CACHED: Rule =
    error("pull-not-cached", "The image is of a public registry that the nodes have no cache for");
pub(super) const UPSTREAM_FAILED: Rule =
    error("pull-upstream-failed", "A cache rule matched, and its upstream refused");
pub(super) const LAYER_FAILED: Rule = error("pull-layer-failed", "The manifest came, a layer did not");
pub(super) const PLATFORM_MISMATCH: Rule =
    error("pull-platform-mismatch", "The image is not built for the node's platform");
pub(super) const THROTTLED: Rule =
    Rule { id: "pull-throttled", severity: Severity::Warning, title: "Pulls are throttled" };
pub(super) const TLS_FAILURE: Rule = error("pull-tls-failure", "The registry's certificate is not the right one");
pub(super) const FAILED: Rule = error("pull-failed", "An image cannot be pulled");
pub(super) const OUTSIDE_CACHE: Rule =
    Rule { id: "image-outside-cache", severity: Severity::Warning, title: "An image in use could not be pulled again" };

/// All of them.
pub(super) const ALL: &[&Rule] = &[
    &UNAUTHORIZED,
    &FORBIDDEN,
    &NOT_FOUND,
    &DNS_FAILURE,
    &NETWORK_FAILURE,
    &BYPASSES_CACHE,
    &NOT_CACHED,
    &UPSTREAM_FAILED,
    &LAYER_FAILED,
    &PLATFORM_MISMATCH,
    &THROTTLED,
    &TLS_FAILURE,
    &FAILED,
    &OUTSIDE_CACHE,
];

/// What a rule means, where that does not depend on the case.
pub(super) fn meaning(rule: &Rule) -> &'static str {
    match rule.id {
        "pull-unauthorized" => {
            "The registry answered 401: the identity has no role that lets it pull, or no sign-in was sent."
        }
        "pull-forbidden" => "The registry saw a public address: the node does not use the private endpoint.",
        "pull-not-found" => {
            "For an image of Microsoft's registry that means that no cache rule matches, or that the image does not exist there."
        }
        "pull-dns-failure" => "The node's DNS has no answer for the name.",
        "pull-network-failure" => "The name resolves, but no connection comes about.",
        "pull-upstream-failed" => {
            "The registry's message names the cache rule, so the rule is right; its upstream refused."
        }
        "pull-layer-failed" => {
            "Layers come from the registry's data endpoint, which has a name and address of its own."
        }
        "pull-platform-mismatch" => {
            "The image has no manifest for the node's architecture, even where a 401 is wrapped around that."
        }
        "pull-throttled" => "The registry or the kubelet limits pulls.",
        "pull-tls-failure" => "Something intercepts TLS, or the name leads to another host.",
        _ => "",
    }
}
