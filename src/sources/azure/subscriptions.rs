//! The subscriptions that the sign-in may see, and the clusters in each.

use serde::Deserialize;

use super::arm::Arm;
use super::error::Failure;
use crate::evidence::calls::azure as api;
use crate::evidence::cluster::ManagedCluster;

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// The GUID.
    pub subscription_id: String,
    /// Its name; it need not be unique.
    #[serde(default)]
    pub display_name: String,
}

impl Arm {
    /// Every subscription that the sign-in may see.
    ///
    /// # Errors
    /// The failure, where ARM did not answer with the list.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, Failure> {
        self.read_list(&api::SUBSCRIPTIONS, "/subscriptions", &[]).await
    }

    /// The clusters of a subscription that the sign-in may see.
    ///
    /// # Errors
    /// The failure, where ARM did not answer with the list.
    pub async fn clusters(&self, subscription: &str) -> Result<Vec<ManagedCluster>, Failure> {
        let path = format!("/subscriptions/{subscription}/providers/Microsoft.ContainerService/managedClusters");
        self.read_list(&api::MANAGED_CLUSTERS, &path, &[]).await
    }
}
