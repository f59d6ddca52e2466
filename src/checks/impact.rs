//! What a command does to what runs.

/// What a command does to what runs, mildest first: a step's impact is the worst of its commands'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Impact {
    /// It only looks.
    None,
    /// It changes settings, or who and what can be reached; nothing that runs is interrupted.
    Access,
    /// Something that runs restarts.
    Restarts,
    /// Nodes are drained and replaced.
    RollsNodes,
    /// Connections or sign-ins that work now may fail afterwards.
    CutsTraffic,
    /// Something is deleted.
    Deletes,
}

impl Impact {
    /// All of them, mildest first.
    pub const ALL: [Self; 6] =
        [Self::None, Self::Access, Self::Restarts, Self::RollsNodes, Self::CutsTraffic, Self::Deletes];

    /// The word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Access => "access",
            Self::Restarts => "restarts",
            Self::RollsNodes => "rolls-nodes",
            Self::CutsTraffic => "cuts-traffic",
            Self::Deletes => "deletes",
        }
    }
}
