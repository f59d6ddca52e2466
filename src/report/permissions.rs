//! The permissions that a diagnosis needs: as an Azure role definition, as Kubernetes RBAC, and as a list.

use std::collections::BTreeSet;

use clap::ValueEnum;
use serde::Serialize;

use crate::answers::fleet;
use crate::checks::catalogue;
use crate::checks::check::Check;
use crate::evidence::calls::azure::{self as api, Api};
use crate::evidence::calls::kubernetes::KubernetesCall;
use crate::evidence::fleet::table;
use crate::evidence::{Section, calls};

/// What some checks need.
#[derive(Debug)]
pub struct Permissions {
    /// In Azure, with the checks that see less without it.
    pub azure: Vec<(&'static Api, Vec<&'static str>)>,
    /// In the cluster, with the checks that see less without it.
    pub kubernetes: Vec<(KubernetesCall, Vec<&'static str>)>,
}

impl Permissions {
    /// What these checks need; nothing that none of them would ask.
    pub fn of(checks: &[&'static Check]) -> Self {
        let losing = |sections: &[Section]| -> Vec<&'static str> {
            let sections: BTreeSet<Section> = sections.iter().copied().collect();
            let loses = |check: &&&'static Check| check.needs.iter().any(|need| sections.contains(need));
            checks.iter().filter(loses).map(|check| check.about.id).collect()
        };
        let azure = api::ALL.iter().map(|api| {
            // Without the cluster itself there is no diagnosis at all.
            let cluster = *api == api::MANAGED_CLUSTERS;
            (api, if cluster { checks.iter().map(|check| check.about.id).collect() } else { losing(api.sections) })
        });
        let kubernetes = KubernetesCall::ALL.into_iter().map(|permission| (permission, losing(permission.sections)));
        Self {
            // What no check rests on is asked for the plan.
            azure: azure.filter(|(api, checks)| !checks.is_empty() || api.sections.is_empty()).collect(),
            kubernetes: kubernetes.filter(|(_, checks)| !checks.is_empty()).collect(),
        }
    }
}

impl Permissions {
    /// What a look at many clusters needs for these checks: Resource Graph shows only what the reader may read.
    pub fn of_fleet(checks: &[&'static Check]) -> Self {
        let covered: Vec<&'static Check> = checks.iter().copied().filter(|check| fleet::covers(check)).collect();
        let all = || covered.iter().map(|check| check.about.id).collect::<Vec<_>>();
        let mut needed = Self::of(&covered).azure;
        // What is asked for snapshots alone, which a diagnosis judges.
        let known: Vec<&str> = needed.iter().map(|(api, _)| api.action).collect();
        let further = table::ALL.iter().filter(|query| !known.contains(&query.api.action));
        let further: Vec<_> = further
            .map(|query| {
                let fed = checks.iter().filter(|check| fleet::feeds(query, check));
                (query.api, fed.map(|check| check.about.id).collect())
            })
            .collect();
        needed.extend(further);
        // Nobody asks for the cluster's credential: the Kubernetes API is left alone.
        needed.retain(|(api, _)| **api != api::CLUSTER_USER_CREDENTIAL);
        // The list of subscriptions is needed by all of them here, and is still one permission.
        needed.retain(|(known, _)| calls::fleet::ALL.iter().all(|api| api.action != known.action));
        needed.extend(calls::fleet::ALL.iter().map(|api| (api, all())));
        Self { azure: needed, kubernetes: Vec::new() }
    }
}

/// What to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PermissionsFormat {
    /// Everything, for people
    Table,
    /// The Azure role definition, for: az role definition create --role-definition @FILE
    Azure,
    /// ClusterRole, Role and bindings, for: kubectl apply -f FILE
    Kubernetes,
    /// The list with the checks that each permission serves
    Json,
}

/// What the definitions are made out to.
#[derive(Debug)]
pub struct For<'f> {
    /// Scopes at which the Azure role may be assigned.
    pub scopes: &'f [String],
    /// Who runs aksiso.
    pub whom: Option<Whom<'f>>,
}

/// Whom Kubernetes RBAC knows. Entra ID gives a cluster the principal name of a person of its own tenant, and the object
/// id of a guest, a service principal and a managed identity: <https://learn.microsoft.com/azure/aks/azure-ad-rbac>.
#[derive(Debug, Clone, Copy)]
pub enum Whom<'f> {
    /// By principal name or object id.
    User(&'f str),
    /// By object id.
    Group(&'f str),
}

/// Stands for a scope that was not named.
const SCOPE: &str = "/subscriptions/<SUBSCRIPTION_ID>";
/// Stands for an object id that was not named.
const OBJECT_ID: &str = "<OBJECT_ID>";
/// Which name stands for whom, as comments of YAML.
const FORMS: &str = "# With Microsoft Entra ID: a person of the cluster's tenant is a User by principal name (--user),
  # a guest, service principal or managed identity a User by object id (--object-id),
  # a group a Group by object id (--group). https://learn.microsoft.com/azure/aks/azure-ad-rbac";
/// Name of the Azure role.
const ROLE: &str = "aksiso reader";
/// Name of the Kubernetes roles and bindings.
const NAME: &str = "aksiso-reader";

/// Renders one part.
///
/// # Errors
/// Data that is no JSON, which does not happen.
pub fn render(
    permissions: &Permissions,
    part: PermissionsFormat,
    whom: &For<'_>,
    width: usize,
) -> serde_json::Result<String> {
    Ok(match part {
        PermissionsFormat::Azure => azure(permissions, whom)?,
        PermissionsFormat::Kubernetes => kubernetes(permissions, whom),
        PermissionsFormat::Json => json(permissions)?,
        PermissionsFormat::Table if permissions.kubernetes.is_empty() => format!(
            "aksiso only reads. The least that it needs in Azure, as a role definition; the built-in role Reader on \
             the subscriptions,\nor on their management group, grants it too:\n\n{}\nWithout a permission, these checks \
             see less and end as undetermined:\n\n{}",
            azure(permissions, whom)?,
            list(permissions, width)
        ),
        PermissionsFormat::Table => format!(
            "aksiso only reads. The least that it needs in Azure, as a role definition; the built-in role \
             Reader\n(with Azure Kubernetes Service Cluster User Role on the cluster) grants it too:\n\n{}\nIn the \
             cluster:\n\n{}\nWithout a permission, these checks see less and end as undetermined:\n\n{}\naksiso \
             permissions --output azure --scope {SCOPE} > role.json\naz role definition create --role-definition \
             @role.json\naksiso permissions --output kubernetes --object-id {OBJECT_ID} | kubectl apply -f -\n",
            azure(permissions, whom)?,
            kubernetes(permissions, whom),
            list(permissions, width)
        ),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RoleDefinition<'p> {
    name: &'static str,
    is_custom: bool,
    description: &'static str,
    actions: Vec<&'static str>,
    not_actions: [&'static str; 0],
    data_actions: [&'static str; 0],
    not_data_actions: [&'static str; 0],
    assignable_scopes: Vec<&'p str>,
}

fn azure(permissions: &Permissions, whom: &For<'_>) -> serde_json::Result<String> {
    let scopes: Vec<&str> = whom.scopes.iter().map(String::as_str).collect();
    let role = RoleDefinition {
        name: ROLE,
        is_custom: true,
        description: "What aksiso reads to diagnose a network isolated AKS cluster. Reads only.",
        actions: permissions.azure.iter().map(|(api, _)| api.action).collect(),
        not_actions: [],
        data_actions: [],
        not_data_actions: [],
        assignable_scopes: if scopes.is_empty() { vec![SCOPE] } else { scopes },
    };
    serde_json::to_string_pretty(&role).map(|text| text + "\n")
}

/// One rule of a role; the strings are ours, so that nothing in them needs quoting.
fn rule(permission: KubernetesCall) -> String {
    let names = permission.object.map_or_else(String::new, |(_, name)| format!("  resourceNames: [{name}]\n"));
    let KubernetesCall { group, resource, verb, .. } = permission;
    format!("- apiGroups: [\"{group}\"]\n  resources: [{resource}]\n{names}  verbs: [{verb}]\n")
}

fn kubernetes(permissions: &Permissions, whom: &For<'_>) -> String {
    let subject = match whom.whom {
        Some(Whom::Group(id)) => format!("kind: Group\n  name: \"{id}\""),
        Some(Whom::User(name)) => format!("kind: User\n  name: \"{name}\""),
        None => format!("{FORMS}\n  kind: User\n  name: \"{OBJECT_ID}\""),
    };
    let (one, all): (Vec<KubernetesCall>, Vec<KubernetesCall>) = permissions
        .kubernetes
        .iter()
        .map(|(permission, _)| permission)
        .partition(|permission| permission.object.is_some());
    let mut documents = Vec::new();
    if !all.is_empty() {
        documents.extend(role_and_binding("ClusterRole", None, &all, &subject));
    }
    // A role of its own namespace is less than the same right in all of them.
    if let Some((namespace, _)) = one.first().and_then(|permission| permission.object) {
        documents.extend(role_and_binding("Role", Some(namespace), &one, &subject));
    }
    documents.join("---\n")
}

fn role_and_binding(kind: &str, namespace: Option<&str>, permissions: &[KubernetesCall], subject: &str) -> [String; 2] {
    let namespace = namespace.map_or_else(String::new, |namespace| format!("  namespace: {namespace}\n"));
    let head = |kind: &str| {
        format!("apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata:\n  name: {NAME}\n{namespace}")
    };
    let rules: String = permissions.iter().map(|permission| rule(*permission)).collect();
    let binding = format!(
        "{}roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {kind}\n  name: {NAME}\nsubjects:\n- apiGroup: \
         rbac.authorization.k8s.io\n  {subject}\n",
        head(&format!("{kind}Binding"))
    );
    [format!("{}rules:\n{rules}", head(kind)), binding]
}

/// What is asked for, where no check rests on it.
fn without_check(api: &Api) -> &'static str {
    if *api == api::SUBSCRIPTIONS {
        "no check: finds a subscription by its name, and the cluster where none is named"
    } else {
        "no check: locks are said beside the steps of the plan"
    }
}

fn list(permissions: &Permissions, width: usize) -> String {
    let all = catalogue::ALL.len();
    let azure = permissions.azure.iter().map(|(api, checks)| (api.action.to_owned(), checks, without_check(api)));
    let kubernetes = permissions.kubernetes.iter().map(|(permission, checks)| (permission.words(), checks, ""));
    let lines = azure.chain(kubernetes).map(|(permission, checks, otherwise)| {
        let checks = match checks.len() {
            0 => otherwise.to_owned(),
            len if len == all => "every check".to_owned(),
            _ => checks.join(", "),
        };
        let options = textwrap::Options::new(width).initial_indent("    ").subsequent_indent("    ");
        let options = options.word_splitter(textwrap::WordSplitter::NoHyphenation);
        format!("  {permission}\n{}\n", textwrap::fill(&checks, options))
    });
    lines.collect()
}

#[derive(Serialize)]
struct List {
    permissions: Vec<Listed>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    plane: &'static str,
    permission: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    smallest_role: Option<&'static str>,
    checks: Vec<&'static str>,
}

fn json(permissions: &Permissions) -> serde_json::Result<String> {
    let azure = permissions.azure.iter().map(|(api, checks)| Listed {
        plane: "azure",
        permission: api.action.to_owned(),
        smallest_role: Some(api.role),
        checks: checks.clone(),
    });
    let kubernetes = permissions.kubernetes.iter().map(|(permission, checks)| Listed {
        plane: "kubernetes",
        permission: permission.words(),
        smallest_role: None,
        checks: checks.clone(),
    });
    serde_json::to_string_pretty(&List { permissions: azure.chain(kubernetes).collect() }).map(|text| text + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The forms of https://learn.microsoft.com/azure/aks/azure-ad-rbac.
    #[test]
    fn bindings_name_people_groups_and_principals_as_entra_id_does() {
        let permissions = Permissions::of(catalogue::ALL);
        let of = |whom: Option<Whom<'_>>| kubernetes(&permissions, &For { scopes: &[], whom });
        let person = of(Some(Whom::User("anna@contoso.com")));
        assert_eq!(person.matches("  kind: User\n  name: \"anna@contoso.com\"\n").count(), 2, "{person}");
        let group = of(Some(Whom::Group("11111111-2222-3333-4444-555555555555")));
        assert_eq!(group.matches("  kind: Group\n  name: \"11111111-2222-3333-4444-555555555555\"\n").count(), 2);
        assert!(!person.contains('#') && !group.contains('#'));
        let open = of(None);
        assert!(open.contains("(--user)") && open.contains("(--group)") && open.contains(OBJECT_ID), "{open}");
        for document in [person, group, open].iter().flat_map(|yaml| yaml.split("---\n")) {
            let read: serde_json::Value = serde_saphyr::from_str(document).expect("YAML");
            assert!(read["kind"].is_string());
        }
    }
}
