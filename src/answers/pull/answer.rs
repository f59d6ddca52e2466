//! The answer for one image.

use crate::checks::command::Command;
use crate::checks::finding::Remediation;
use crate::checks::impact::Impact;
use crate::checks::remedy;
use crate::checks::rule::Rule;
use crate::evidence::Gap;
use crate::evidence::id::ResourceId;
use crate::evidence::image::Image;
use crate::model::cache::Proposal;

/// What became of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImageVerdict {
    /// Nodes can pull it as it is named.
    Pullable,
    /// Nodes can pull it once the reference names the registry.
    Rewrite,
    /// It needs a cache rule, and a reference that names the registry.
    CacheRule,
    /// The reference is right, but the cluster's own chain is broken.
    Blocked,
    /// No cache rule can bring it.
    Never,
    /// Something that decides it could not be seen.
    Unknown,
    /// It is no image reference.
    Invalid,
    /// The kubelet is told never to pull it: it must be on the node.
    NotPulled,
}

impl ImageVerdict {
    /// Every verdict, worst first.
    pub const ALL: [Self; 8] = [
        Self::Invalid,
        Self::Never,
        Self::Blocked,
        Self::CacheRule,
        Self::Rewrite,
        Self::Unknown,
        Self::Pullable,
        Self::NotPulled,
    ];

    /// The place of a word in the order of [`Self::ALL`].
    pub fn rank(word: &str) -> usize {
        Self::ALL.iter().position(|verdict| verdict.as_str() == word).unwrap_or(usize::MAX)
    }

    /// The word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pullable => "pullable",
            Self::Rewrite => "pullable-after-rewrite",
            Self::CacheRule => "needs-cache-rule",
            Self::Blocked => "blocked",
            Self::Never => "never",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
            Self::NotPulled => "not-pulled",
        }
    }
}

/// The answer for one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub verdict: ImageVerdict,
    /// Why, in sentences.
    pub why: String,
    /// The reference to write instead, where there is one.
    pub reference: Option<String>,
    /// What makes it pullable.
    pub remediation: Option<Remediation>,
    /// What must be made in the registry first, where something must.
    pub means: Option<Means>,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
    /// The rules of `diagnose` that explain it.
    pub rules: Vec<&'static Rule>,
}

impl Answer {
    /// An answer without anything to do or to name.
    pub fn new(verdict: ImageVerdict, why: impl Into<String>) -> Self {
        Self {
            verdict,
            why: why.into(),
            reference: None,
            remediation: None,
            means: None,
            gaps: Vec::new(),
            rules: Vec::new(),
        }
    }

    /// What nobody can tell, and what was missing.
    pub fn unknown(gaps: Vec<Gap>, why: impl Into<String>) -> Self {
        Self { gaps, ..Self::new(ImageVerdict::Unknown, why) }
    }

    /// Whether nodes get the image as it is named.
    pub fn pulls(&self) -> bool {
        self.verdict == ImageVerdict::Pullable
    }
}

/// What brings an image into the registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Means {
    /// A cache rule, which brings the others of its upstream too.
    Rule(Proposal),
    /// A copy, which brings this one alone.
    Import(Import),
}

/// A copy of one image in the registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// `docker.elastic.co/a/b:1`, or with a digest in place of the tag.
    pub source: String,
    /// Repository and tag in the registry.
    pub target: String,
}

impl Import {
    /// The copy under the path of its origin. What is named by digest alone gets a tag: nothing would keep a manifest
    /// without one from being cleaned up.
    pub fn of(image: &Image) -> Self {
        let path = image.source();
        let (source, made) = match image.digest() {
            Some(digest) => (format!("{path}@{digest}"), tag_of(digest)),
            None => (format!("{path}:{}", image.version()), image.version().to_owned()),
        };
        Self { source, target: format!("{path}:{}", image.tag().unwrap_or(&made)) }
    }

    /// The same under a tag that no other import has: what names a digest is pulled by it, whatever the tag.
    pub fn apart(&self) -> Option<Self> {
        let (path, digest) = self.source.split_once('@')?;
        Some(Self { target: format!("{path}:{}", tag_of(digest)), ..self.clone() })
    }

    /// The command that makes the copy.
    pub fn command(&self, registry: &ResourceId) -> Command {
        let import = Command::new("az acr import").with("-n", registry.name());
        let import = remedy::in_subscription(import.with("--source", &self.source).with("-t", &self.target), registry);
        import.changing(Impact::Access, registry, "delete the repository's tag in the registry")
    }
}

/// A tag that says which digest stands under it.
fn tag_of(digest: &str) -> String {
    digest.replace(':', "-").chars().take(19).collect()
}
