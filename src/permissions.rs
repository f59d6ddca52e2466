//! The least that a diagnosis needs to be allowed, derived from what collection asks.

use std::collections::BTreeSet;

use crate::azure::api::{self, Api};
use crate::check::Check;
use crate::evidence::Section;
use crate::kubernetes::Permission;

/// What some checks need.
#[derive(Debug)]
pub struct Permissions {
    /// In Azure, with the checks that see less without it.
    pub azure: Vec<(&'static Api, Vec<&'static str>)>,
    /// In the cluster, with the checks that see less without it.
    pub kubernetes: Vec<(Permission, Vec<&'static str>)>,
}

impl Permissions {
    /// What these checks need; nothing that none of them would ask.
    pub fn of(checks: &[&'static Check]) -> Self {
        let losing = |sections: &[Section]| -> Vec<&'static str> {
            let sections: BTreeSet<Section> = sections.iter().copied().collect();
            let loses = |check: &&&'static Check| check.needs.iter().any(|need| sections.contains(need));
            checks.iter().filter(loses).map(|check| check.id).collect()
        };
        let azure = api::ALL.iter().map(|api| {
            // Without the cluster itself there is no diagnosis at all.
            let cluster = *api == api::MANAGED_CLUSTERS;
            (api, if cluster { checks.iter().map(|check| check.id).collect() } else { losing(api.sections) })
        });
        let kubernetes = Permission::ALL.into_iter().map(|permission| (permission, losing(&[permission.section])));
        Self {
            azure: azure.filter(|(_, checks)| !checks.is_empty()).collect(),
            kubernetes: kubernetes.filter(|(_, checks)| !checks.is_empty()).collect(),
        }
    }
}
