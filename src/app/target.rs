//! Which cluster: the one that is named, else the one that the kubeconfig's current context leads to, else the only one
//! in az's default resource group.

mod subscription;
mod unnamed;

use std::fmt;

use super::session::Session;
use crate::evidence::id::ResourceId;
use crate::sources::azure::defaults;
use crate::text::{self, problem::Problem};
use subscription::subscription;

/// The ARM type of a cluster.
const KIND: &str = "Microsoft.ContainerService/managedClusters";

/// A cluster, and why it is this one.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) id: ResourceId,
    pub(super) why: Why,
    /// What its subscription is taken from.
    pub(super) subscription_from: &'static str,
}

impl Target {
    /// Named by its whole id.
    fn whole(id: ResourceId) -> Self {
        Self { id, why: Why::Named, subscription_from: "--cluster-id" }
    }
}

/// Why a cluster was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// The flags name it.
    Named,
    /// A context of the kubeconfig leads to its API server.
    Context { context: String, host: String },
    /// Its resource group is az's default.
    DefaultGroup { place: String },
}

impl Why {
    /// The word for machines.
    pub(super) fn id(&self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Context { .. } => "kubeconfig-context",
            Self::DefaultGroup { .. } => "az-default-group",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named => write!(f, "named on the command line"),
            Self::Context { context, host } => {
                write!(f, "kubeconfig context {} leads to its API server {}", text::clean(context), text::clean(host))
            }
            Self::DefaultGroup { place } => write!(f, "default resource group of az ({})", text::clean(place)),
        }
    }
}

/// The cluster to look at; where the flags do not name it, says which it is and why.
///
/// # Errors
/// What is wrong with the flags, or why no cluster or subscription is known.
pub(super) async fn choose(session: &Session<'_>) -> anyhow::Result<Target> {
    if let Some(id) = &session.known {
        return Ok(Target::whole(id.clone()));
    }
    let args = session.args;
    let target = match (&args.cluster_id, args.resource_group.as_deref(), args.name.as_deref()) {
        (Some(text), ..) => Target::whole(parsed(text)?),
        (None, Some(group), Some(name)) => by_name(session, group, name, Why::Named).await?,
        (None, None, Some(name)) => {
            let group = defaults::resource_group().ok_or_else(|| {
                Problem::new(
                    "--name alone names no cluster, and az has no default resource group",
                    "add -g GROUP, or set a default: az configure --defaults group=GROUP",
                )
            })?;
            by_name(session, &group.value, name, Why::DefaultGroup { place: group.place }).await?
        }
        (None, _, None) => unnamed::choose(session).await?,
    };
    if target.why != Why::Named {
        let (name, group) = (target.id.name(), target.id.resource_group().unwrap_or_default());
        session.progress.note(&format!("cluster {name} in resource group {group}: {}", target.why));
    }
    Ok(target)
}

fn parsed(text: &str) -> Result<ResourceId, Problem> {
    ResourceId::parse(text, KIND).map_err(|why| {
        Problem::new(
            format!("--cluster-id is not the id of a cluster: {why}"),
            format!(
                "expected /subscriptions/ID/resourceGroups/GROUP/providers/{KIND}/NAME; az aks show -g GROUP -n NAME \
                 --query id prints it"
            ),
        )
    })
}

async fn by_name(session: &Session<'_>, group: &str, name: &str, why: Why) -> anyhow::Result<Target> {
    segment("--resource-group", group)?;
    segment("--name", name)?;
    let subscribed = subscription(session).await?;
    let group = format!("/subscriptions/{}/resourceGroups/{group}", subscribed.id);
    let id = ResourceId::new(format!("{group}/providers/{KIND}/{name}"));
    Ok(Target { id, why, subscription_from: subscribed.from })
}

/// A name that is one segment of an id and nothing else.
fn segment(flag: &str, text: &str) -> Result<(), Problem> {
    let odd = |c: char| !(c.is_alphanumeric() || "-_.()".contains(c));
    if text.is_empty() || text.chars().all(|c| c == '.') || text.chars().count() > 90 || text.chars().any(odd) {
        return Err(Problem::new(
            format!("{flag} \"{}\" is not a name that Azure allows", text::clean(&text::bounded(text, 100))),
            "expected 1 to 90 letters, digits, hyphens, underscores, dots or parentheses".to_owned(),
        ));
    }
    Ok(())
}
