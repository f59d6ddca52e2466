//! The rules of images that one is about to roll out.

use crate::checks::rule::{Rule, RuleSet};

pub const REWRITE: Rule =
    Rule::error("image-needs-rewrite", "A cache rule covers the image, but the reference does not name the registry");
pub const CACHE_RULE: Rule = Rule::error("image-needs-cache-rule", "No cache rule covers the image");
pub const NEVER: Rule = Rule::error("image-not-cacheable", "The image cannot come through the registry's cache");
pub const BLOCKED: Rule =
    Rule::error("image-blocked", "The cluster's own chain is broken, so the image cannot be pulled");
pub const ABSENT: Rule = Rule::error("image-not-in-registry", "The registry does not have the image");
pub const PLATFORM: Rule = Rule::error("image-platform-missing", "The image is not built for the nodes' architecture");
pub const INVALID: Rule = Rule::error("image-reference-invalid", "The reference names no image");
pub const NOT_RENDERED: Rule = Rule::error("image-not-rendered", "The reference is a template that was not rendered");
pub const UNKNOWN: Rule =
    Rule::warning("image-pull-unknown", "Whether the image can be pulled could not be determined");

/// The rules, and their page.
pub const RULES: RuleSet = RuleSet {
    id: "preflight",
    title: "Whether the images of manifests could be pulled",
    doc: include_str!("../preflight.md"),
    rules: &[&REWRITE, &CACHE_RULE, &NEVER, &BLOCKED, &ABSENT, &PLATFORM, &INVALID, &NOT_RENDERED, &UNKNOWN],
};
