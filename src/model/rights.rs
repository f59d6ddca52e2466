//! What role assignments add up to: roles are evaluated, never recognized by name.

use crate::evidence::access::{Permission, RoleAssignment, RoleDefinition};
use crate::evidence::cluster::KubeletIdentity;
use crate::evidence::registry::Registry;
use crate::evidence::{Evidence, Fact, Gap};
use crate::model::cluster::is;
use crate::text;

/// What pulling needs in a registry of the legacy mode.
pub const PULL: &str = "Microsoft.ContainerRegistry/registries/pull/read";
/// What pulling needs in a registry of the ABAC mode.
pub const READ_CONTENT: &str = "Microsoft.ContainerRegistry/registries/repositories/content/read";

/// What the identity's assignments add up to.
#[derive(Default)]
pub struct Rights<'e> {
    /// Assignments whose role pulls in the legacy mode.
    pub legacy: Vec<&'e RoleAssignment>,
    /// Assignments whose role pulls in the ABAC mode.
    pub repository: Vec<&'e RoleAssignment>,
    /// Roles that could not be read.
    pub unknown: Vec<Gap>,
}

/// Adds up what the assignments allow on the registry.
pub fn rights<'e>(
    evidence: &'e Evidence,
    all: &'e [RoleAssignment],
    registry: &Registry,
    identity: &KubeletIdentity,
) -> Rights<'e> {
    let mut rights = Rights::default();
    for assignment in all.iter().filter(|assignment| counts(assignment, registry, identity)) {
        let role = &assignment.properties.role_definition_id;
        match evidence.access.role_definitions.get(role) {
            Some(Fact::Known(definition)) => {
                if allows(definition, |block| block.allows_action(PULL)) {
                    rights.legacy.push(assignment);
                }
                if allows(definition, |block| block.allows_data_action(READ_CONTENT)) {
                    rights.repository.push(assignment);
                }
            }
            Some(Fact::Missing(gap)) => rights.unknown.push(gap.clone()),
            None => rights.unknown.push(Gap::not_collected().about("a role definition")),
        }
    }
    rights
}

/// Whether the assignment holds on the registry for the identity, directly or through a group. The query already asks
/// for that; a server that ignores it must not turn somebody else's role into the kubelet's.
fn counts(assignment: &RoleAssignment, registry: &Registry, identity: &KubeletIdentity) -> bool {
    let properties = &assignment.properties;
    let same = |own: &String| identity.object_id.as_ref().is_some_and(|id| id.eq_ignore_ascii_case(own));
    let holder = properties.principal_id.as_ref().is_some_and(same) || is(properties.principal_type.as_ref(), "Group");
    holder && properties.scope.as_ref().is_none_or(|scope| scope.covers(&registry.id))
}

fn allows(definition: &RoleDefinition, test: impl Fn(&Permission) -> bool) -> bool {
    definition.properties.permissions.iter().any(test)
}

/// Whether a condition clearly lets the managed repositories be read: it is absent, it says nothing of reading
/// content, or it allows a prefix that all of them begin with.
pub fn clearly_allows(condition: Option<&str>) -> bool {
    clearly_allows_under(condition, "aks-managed-repository/")
}

/// The same for one repository, or for all that begin with a prefix.
pub fn clearly_allows_under(condition: Option<&str>, repository: &str) -> bool {
    let repository = repository.to_lowercase();
    let Some(condition) = condition.filter(|condition| !condition.trim().is_empty()) else {
        return true;
    };
    // An action that is not asked about is no restriction: that negation is the usual form, and means nothing here.
    let text = condition.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.replace("( ", "(").replace("! (", "!(").replace("not (actionmatches", "(actionmatches");
    let text = text.replace("not(actionmatches", "(actionmatches").replace("!(actionmatches", "(actionmatches");
    let clauses = clauses(&text);
    let mut clauses = clauses.iter().filter(|clause| about_reading(clause));
    clauses.all(|clause| !narrowed(clause) && comparisons(clause).any(|comparison| comparison.allows(&repository)))
}

/// A comparison of the repository's name with texts that it may begin with.
struct Comparison<'t> {
    /// Whether the name must begin with every one of them.
    all: bool,
    /// Whether they are patterns, which end in `*`.
    patterns: bool,
    values: Vec<&'t str>,
}

impl Comparison<'_> {
    /// Whether every repository of a prefix clearly fits.
    fn allows(&self, repository: &str) -> bool {
        let fits = |value: &&str| {
            let prefix = if self.patterns { value.strip_suffix('*') } else { Some(*value) };
            prefix.is_some_and(|prefix| !prefix.contains(['*', '?']) && repository.starts_with(prefix))
        };
        if self.all { !self.values.is_empty() && self.values.iter().all(fits) } else { self.values.iter().any(fits) }
    }
}

/// The comparisons of a clause that are about the repository's name, and not another attribute:
/// `@Request[…/repositories:name] ForAnyOfAnyValues:StringLike {'a/*', 'b/*'}`.
fn comparisons(clause: &str) -> impl Iterator<Item = Comparison<'_>> {
    let of = |operator: &'static str| clause.match_indices(operator).map(move |(at, _)| (at, operator));
    of("stringstartswith").chain(of("stringlike")).filter_map(|(at, operator)| {
        let (before, after) = (&clause[..at], &clause[at + operator.len()..]);
        let (attribute, quantifier) = before.rsplit_once('[')?.1.split_once(']')?;
        let values = after.trim_start_matches(char::is_alphanumeric).trim_start();
        let values = match values.strip_prefix('{') {
            Some(list) => list.split('}').next()?.split('\'').skip(1).step_by(2).collect(),
            None => quoted(values).into_iter().collect(),
        };
        let comparison =
            Comparison { all: quantifier.contains("ofallvalues"), patterns: operator == "stringlike", values };
        attribute.trim().ends_with("repositories:name").then_some(comparison)
    })
}

/// Whether a clause is about reading content; one that names no action is about all of them.
fn about_reading(clause: &str) -> bool {
    const READ: &str = "microsoft.containerregistry/registries/repositories/content/read";
    let actions: Vec<&str> = clause.split('{').skip(1).filter_map(quoted).filter(|own| own.contains('/')).collect();
    let actions: Vec<&&str> =
        actions.iter().filter(|own| own.starts_with("microsoft.") || own.starts_with('*')).collect();
    actions.is_empty() || actions.iter().any(|own| text::matches(own, READ))
}

/// Whether a clause takes back what one of its comparisons allows: by a negation, or by a further comparison that must
/// hold too. What is taken back is not clear.
fn narrowed(clause: &str) -> bool {
    let said = clause.rfind('\'').map_or(clause, |end| &clause[..end]);
    let has = |text: &str, wanted: &str| text.split(|c: char| !c.is_alphanumeric()).any(|word| word == wanted);
    let negated = said.contains('!') || said.contains("stringnot") || has(said, "not");
    // What stands between one comparison and the next.
    let parts: Vec<&str> = said.split("string").collect();
    let between = parts.get(1..parts.len() - 1).unwrap_or_default();
    negated || between.iter().any(|part| part.contains("&&") || has(part, "and"))
}

/// The clauses of a condition: each names actions, and then says what of them is allowed.
fn clauses(text: &str) -> Vec<String> {
    if !text.contains("actionmatches") {
        return vec![text.to_owned()];
    }
    let mut clauses: Vec<String> = Vec::new();
    let mut open = false;
    for part in text.split("actionmatches").skip(1) {
        match clauses.last_mut().filter(|_| open) {
            Some(clause) => clause.push_str(part),
            None => clauses.push(part.to_owned()),
        }
        open = !part.contains("string");
    }
    clauses
}

/// The first text in quotes.
fn quoted(text: &str) -> Option<&str> {
    text.split('\'').nth(1)
}

/// Whether, in ABAC mode, no condition on the kubelet's roles keeps it from a repository, as far as conditions can be
/// read. Whether it has a role at all is the check's question.
pub fn clearly_may_read(evidence: &Evidence, repository: &str) -> bool {
    let profile = evidence.cluster.properties.identity_profile.as_ref();
    let identity = profile.and_then(|profile| profile.kubeletidentity.as_ref());
    let assignments = evidence.access.role_assignments.known();
    let (Some(registry), Some(identity), Some(all)) = (evidence.known_registry(), identity, assignments) else {
        return true;
    };
    if !is(registry.properties.role_assignment_mode.as_ref(), "AbacRepositoryPermissions") {
        return true;
    }
    let rights = rights(evidence, all, registry, identity);
    let allows =
        |assignment: &&RoleAssignment| clearly_allows_under(assignment.properties.condition.as_deref(), repository);
    rights.repository.is_empty() || rights.repository.iter().any(allows)
}

#[cfg(test)]
mod tests {
    use super::{clearly_allows, clearly_allows_under};

    const READ: &str = "!(ActionMatches{'Microsoft.ContainerRegistry/registries/repositories/content/read'})";

    #[test]
    fn conditions_are_read_as_far_as_they_are_clear() {
        let prefix = |operator: &str, prefix: &str| {
            format!(
                "(({READ}) OR (@Request[Microsoft.ContainerRegistry/registries/repositories:name] {operator} \
                 '{prefix}'))"
            )
        };
        assert!(clearly_allows(None));
        assert!(clearly_allows(Some("(!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'}))")));
        assert!(clearly_allows(Some(&prefix("StringStartsWithIgnoreCase", "aks-managed-repository/"))));
        assert!(clearly_allows(Some(&prefix("StringStartsWith", "aks-"))));
        assert!(!clearly_allows(Some(&prefix("StringStartsWith", "aks-managed-repository/dotnet/"))));
        assert!(!clearly_allows(Some(&prefix("StringEquals", "aks-managed-repository/pause"))));
        assert!(!clearly_allows(Some(&prefix("StringNotStartsWith", "aks-"))));
        assert!(!clearly_allows(Some(READ)));
        // Of several texts any may fit, unless all must; and other attributes say nothing of the repository.
        let several = |operator: &str| prefix(operator, "X").replace("'X'", "{'shop/', 'aks-managed-repository/'}");
        assert!(clearly_allows(Some(&several("ForAnyOfAnyValues:StringStartsWithIgnoreCase"))));
        assert!(clearly_allows(Some(&several("ForAnyOfAnyValues:StringLike").replace("/'", "/*'"))));
        assert!(!clearly_allows(Some(&several("ForAllOfAllValues:StringStartsWith"))));
        let other = prefix("StringStartsWith", "aks-").replace("repositories:name", "owner");
        assert!(!clearly_allows(Some(&other)));
        // Each clause is about the actions that it names.
        let write = READ.replace("content/read", "content/write");
        let on_write = |operator: &str, text: &str| prefix(operator, text).replace(READ, &write);
        let both = |read: &str, write: &str| format!("({read} AND {write})");
        let right = prefix("StringStartsWith", "aks-managed-repository/");
        assert!(clearly_allows(Some(&both(&right, &on_write("StringNotEquals", "x")))));
        let wrong = prefix("StringStartsWith", "team/");
        assert!(!clearly_allows(Some(&both(&wrong, &on_write("StringStartsWith", "aks-managed-repository/")))));
        let together = prefix("StringStartsWith", "aks-").replace(READ, &format!("{READ} AND {write}"));
        assert!(clearly_allows(Some(&together)));
        assert!(clearly_allows(Some(&prefix("StringLike", "aks-managed-repository/*"))));
        assert!(!clearly_allows(Some(&prefix("StringLike", "*/pause"))));
        let managed = prefix("StringStartsWithIgnoreCase", "aks-managed-repository/");
        assert!(clearly_allows_under(Some(&managed), "aks-managed-repository/a"));
        assert!(!clearly_allows_under(Some(&managed), "shop/web"));
    }
}
