//! What only a look at many clusters asks for, beside the calls of a diagnosis.

use super::azure::Api;

/// Azure Resource Graph; a POST that reads. US Government refused newer versions.
pub const RESOURCE_GRAPH: Api =
    Api { version: "2022-10-01", action: "Microsoft.ResourceGraph/resources/read", role: "Reader", sections: &[] };
/// The subscriptions of the sign-in.
pub const SUBSCRIPTIONS: Api =
    Api { version: "2022-12-01", action: "Microsoft.Resources/subscriptions/read", role: "Reader", sections: &[] };
/// The subscriptions below a management group.
pub const DESCENDANTS: Api = Api {
    version: "2020-05-01",
    action: "Microsoft.Management/managementGroups/descendants/read",
    role: "Management Group Reader",
    sections: &[],
};

/// All of them.
pub const ALL: &[Api] = &[RESOURCE_GRAPH, SUBSCRIPTIONS, DESCENDANTS];
