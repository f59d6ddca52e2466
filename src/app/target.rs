//! From flags to a cluster's id.

use tokio::time::Instant;

use crate::app::cli::TargetArgs;
use crate::evidence::id::{ResourceId, is_subscription};
use crate::sources::azure::credential;
use crate::text::problem::Problem;

/// The ARM type of a cluster.
const KIND: &str = "Microsoft.ContainerService/managedClusters";

/// The cluster's id, from `--cluster-id`, or from group, name and subscription.
///
/// # Errors
/// What is wrong with the flags, or why no subscription is known.
pub async fn cluster_id(args: &TargetArgs, deadline: Instant) -> Result<ResourceId, Problem> {
    if let Some(text) = &args.cluster_id {
        return ResourceId::parse(text, KIND).map_err(|why| {
            Problem::new(
                format!("--cluster-id is not the id of a cluster: {why}"),
                format!(
                    "expected /subscriptions/ID/resourceGroups/GROUP/providers/{KIND}/NAME; az aks show -g GROUP -n \
                     NAME --query id prints it"
                ),
            )
        });
    }
    let (Some(group), Some(name)) = (args.resource_group.as_deref(), args.name.as_deref()) else {
        return Err(Problem::new(
            "no cluster is named",
            "name it with -g GROUP -n NAME, or with --cluster-id ARM_ID (diagnose also reads a snapshot: --from FILE)",
        ));
    };
    segment("--resource-group", group)?;
    segment("--name", name)?;
    let subscription = subscription(args, deadline).await?;
    Ok(ResourceId::new(format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{KIND}/{name}")))
}

/// A name that is one segment of an id and nothing else.
fn segment(flag: &str, text: &str) -> Result<(), Problem> {
    let odd = |c: char| !(c.is_alphanumeric() || "-_.()".contains(c));
    if text.is_empty() || text.chars().all(|c| c == '.') || text.chars().count() > 90 || text.chars().any(odd) {
        return Err(Problem::new(
            format!(
                "{flag} \"{}\" is not a name that Azure allows",
                crate::text::clean(&crate::text::bounded(text, 100))
            ),
            "expected 1 to 90 letters, digits, hyphens, underscores, dots or parentheses".to_owned(),
        ));
    }
    Ok(())
}

async fn subscription(args: &TargetArgs, deadline: Instant) -> Result<String, Problem> {
    let environment = std::env::var("AZURE_SUBSCRIPTION_ID").ok().filter(|id| !id.trim().is_empty());
    let (text, from) = match (&args.subscription, environment) {
        (Some(text), _) => (text.clone(), "--subscription"),
        (None, Some(text)) => (text, "AZURE_SUBSCRIPTION_ID"),
        (None, None) => match credential::az_subscription(deadline).await {
            Ok(id) => (id, "az account show"),
            Err(why) => {
                return Err(Problem::new(
                    format!("no subscription is known (az: {})", crate::text::clean(&why)),
                    "name it with --subscription ID, set AZURE_SUBSCRIPTION_ID, or run: az login".to_owned(),
                ));
            }
        },
    };
    let text = text.trim().to_owned();
    if is_subscription(&text) {
        return Ok(text);
    }
    Err(Problem::new(
        format!("{from}: \"{}\" is not a subscription id", crate::text::clean(&crate::text::bounded(&text, 60))),
        "expected a GUID; az account show --subscription NAME --query id prints the id of a name".to_owned(),
    ))
}
