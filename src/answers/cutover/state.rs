//! The words of a cut-over: where to, how carefully, where a cluster stands, and whether a step may be taken.

use clap::ValueEnum;

use crate::evidence::id::ResourceId;

/// Where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// Isolated, with a registry that AKS manages or the one that the cluster has, or with this one.
    Isolated(Option<ResourceId>),
    /// Back to Microsoft's registry over egress.
    Direct,
}

impl Goal {
    /// The registry that the operator named.
    pub fn registry(&self) -> Option<&ResourceId> {
        match self {
            Self::Isolated(registry) => registry.as_ref(),
            Self::Direct => None,
        }
    }

    /// The word in every format.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Isolated(_) => "isolated",
            Self::Direct => "direct",
        }
    }
}

/// How many times nodes are reimaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReimagePolicy {
    /// One reimage, after the switch to Cache: today's documentation
    Documented,
    /// A reimage after each milestone: the switch, the registry's wiring, the closing of egress
    Conservative,
}

impl ReimagePolicy {
    /// The word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Conservative => "conservative",
        }
    }

    /// Why one would choose it.
    pub fn why(self) -> &'static str {
        match self {
            Self::Documented => {
                "One reimage, after the switch to Cache: since node images of 2025-08 a node needs no other, and the \
                 how-to page asks for no other (2025-10). Node images from before need a second one, after egress is \
                 closed."
            }
            Self::Conservative => {
                "A reimage after each milestone: the switch to Cache, a change of the registry or its rule, and the \
                 closing of egress. AKS' page on node disruption still lists outbound changes as needing one, and a \
                 pool whose scale set model was last pushed before egress was closed can fail at scale-out (exit 50). \
                 One reimage counts for every milestone before it."
            }
        }
    }
}

/// Where a cluster stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Direct, with egress; something that isolation needs is missing.
    S0,
    /// Direct, with egress, and everything that isolation needs is there.
    S1,
    /// Cache, with egress; nodes were not reimaged since.
    S2,
    /// Cache, with egress, all nodes reimaged: safe to close.
    S3,
    /// Isolated, all nodes reimaged, and everything that they need seen to work: done.
    S4,
    /// Isolated, but broken: with nodes that were not reimaged, without a cache, or with an error that `diagnose` reports.
    S5,
    /// Isolated, with nodes that still pull through the former registry.
    ChangingRegistry,
    /// S0 or S1: not every prerequisite could be told.
    S0OrS1,
    /// S2 or S3: the nodes' age is not known.
    S2OrS3,
    /// S4 or S5: the nodes' age is not known, or something that they need was not seen.
    S4OrS5,
}

impl State {
    /// The word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S0 => "S0",
            Self::S1 => "S1",
            Self::S2 => "S2",
            Self::S3 => "S3",
            Self::S4 => "S4",
            Self::S5 => "S5",
            Self::ChangingRegistry => "changing-registry",
            Self::S0OrS1 => "S0-or-S1",
            Self::S2OrS3 => "S2-or-S3",
            Self::S4OrS5 => "S4-or-S5",
        }
    }

    /// What the state means.
    pub fn title(self) -> &'static str {
        match self {
            Self::S0 => "Direct, with egress; prerequisites are missing",
            Self::S1 => "Direct, with egress; the prerequisites are there",
            Self::S2 => "Cache, with egress; nodes were not reimaged since the switch",
            Self::S3 => "Cache, with egress; every node was reimaged",
            Self::S4 => "isolated, every node was reimaged, and everything they need was seen to work",
            Self::S5 => "isolated, but broken: nodes or pods cannot get what they need",
            Self::ChangingRegistry => "isolated, with nodes that still pull through the former registry",
            Self::S0OrS1 => "Direct, with egress; not every prerequisite could be determined",
            Self::S2OrS3 => "Cache, with egress; whether every node was reimaged could not be determined",
            Self::S4OrS5 => "isolated; whether everything works could not be determined",
        }
    }
}

/// Whether a step may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// Everything that it rests on was seen, and is right.
    Safe,
    /// It rests on something that is not known.
    Undetermined,
    /// Something stands in the way.
    Unsafe,
}

impl Safety {
    /// The word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Undetermined => "undetermined",
            Self::Unsafe => "not-safe",
        }
    }
}
