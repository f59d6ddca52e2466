//! Images that no field names, and that are known nevertheless: an operator's default for the version that a resource
//! asks for, and parameters that have a default in the same file.

use super::yaml::YamlNode;
use crate::evidence::image;
use crate::evidence::manifests::{Place, Probable};

/// The image that an operator starts for a kind, by group and kind; the version is `spec.version`. An operator may be
/// told another registry.
const OPERATORS: [(&str, &str, &str); 11] = [
    // https://github.com/elastic/cloud-on-k8s/blob/main/pkg/controller/common/container/container.go
    ("elasticsearch.k8s.elastic.co", "Elasticsearch", "docker.elastic.co/elasticsearch/elasticsearch"),
    ("kibana.k8s.elastic.co", "Kibana", "docker.elastic.co/kibana/kibana"),
    ("apm.k8s.elastic.co", "ApmServer", "docker.elastic.co/apm/apm-server"),
    ("logstash.k8s.elastic.co", "Logstash", "docker.elastic.co/logstash/logstash"),
    ("beat.k8s.elastic.co", "Beat", "docker.elastic.co/beats/{type}"),
    ("agent.k8s.elastic.co", "Agent", "docker.elastic.co/elastic-agent/elastic-agent"),
    // https://github.com/prometheus-operator/prometheus-operator/blob/main/pkg/operator/defaults.go
    ("monitoring.coreos.com", "Prometheus", "quay.io/prometheus/prometheus"),
    ("monitoring.coreos.com", "PrometheusAgent", "quay.io/prometheus/prometheus"),
    ("monitoring.coreos.com", "Alertmanager", "quay.io/prometheus/alertmanager"),
    ("monitoring.coreos.com", "ThanosRuler", "quay.io/thanos/thanos"),
    // https://github.com/grafana/grafana-operator/blob/master/controllers/config/operator_constants.go
    ("grafana.integreatly.org", "Grafana", "docker.io/grafana/grafana"),
];

/// The image that the operator of a kind starts for a resource that names none, where its version can be told.
pub(super) fn of_operator(kind: &str, group: &str, root: &YamlNode) -> Option<(String, usize)> {
    let (_, _, repository) = OPERATORS.iter().find(|(own, name, _)| *own == group && *name == kind)?;
    let (version, line) = root.at(&["spec", "version"]).and_then(YamlNode::text)?;
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if version.is_empty() || !plain(version) {
        return None;
    }
    // The agent moved with version 9.
    let older = version.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major < 9);
    let repository = if kind == "Agent" && older { "docker.elastic.co/beats/elastic-agent" } else { repository };
    let named = match root.text_at(&["spec", "type"]) {
        Some(own) if plain(own) => repository.replace("{type}", own),
        _ => (*repository).to_owned(),
    };
    (!named.contains('{')).then(|| (format!("{named}:{version}"), line))
}

/// The parameters of an object that have a value or a default: Argo's `parameters`, Tekton's `params`.
pub(super) fn parameters(node: &YamlNode, found: &mut Vec<(String, String)>) {
    match node {
        YamlNode::Map(entries) => {
            for (key, value) in entries.iter() {
                if ["parameters", "params"].contains(&&**key) {
                    found.extend(value.items().iter().filter_map(|own| {
                        let value = own.text_at(&["value"]).or_else(|| own.text_at(&["default"]))?;
                        Some((own.text_at(&["name"])?.to_owned(), value.to_owned()))
                    }));
                }
                parameters(value, found);
            }
        }
        YamlNode::List(items) => items.iter().for_each(|item| parameters(item, found)),
        YamlNode::Scalar { .. } => {}
    }
}

/// Takes out the images that name a parameter with one default in the file: probably the default.
pub(super) fn resolve(places: &mut Vec<Place>, given: &[(String, String)]) -> Vec<Probable> {
    let mut filled = Vec::new();
    places.retain(|place| {
        let open = place.injected && image::is_template(&place.image);
        let Some(image) = filled_in(&place.image, given).filter(|_| open) else { return true };
        let why = format!("the parameter in {} has this default in the file", place.image);
        filled.push(Probable { place: Place { image, injected: false, ..place.clone() }, why });
        false
    });
    filled
}

/// A reference with its parameters filled in, where each has one value only.
fn filled_in(image: &str, given: &[(String, String)]) -> Option<String> {
    let mut filled = image.to_owned();
    // A default may name another parameter.
    for _ in 0..5 {
        if !image::is_template(&filled) {
            return Some(filled);
        }
        let (start, end, name) = expression(&filled)?;
        let mut values =
            given.iter().filter(|(own, value)| *own == name && expression(value).is_none_or(|(.., own)| own != name));
        let (_, value) = values.next()?;
        if values.any(|(_, other)| other != value) {
            return None;
        }
        filled.replace_range(start..end, value);
    }
    None
}

/// The first parameter in a text: `{{inputs.parameters.image}}`, `{{workflow.parameters.image}}`, `$(params.image)`.
fn expression(text: &str) -> Option<(usize, usize, String)> {
    let found = |open: &str, close: &str| {
        let start = text.find(open)?;
        let inner = &text[start + open.len()..];
        let length = inner.find(close)?;
        Some((start, start + open.len() + length + close.len(), inner[..length].trim().to_owned()))
    };
    let (start, end, path) = found("{{", "}}").or_else(|| found("$(", ")"))?;
    let name = ["inputs.parameters.", "workflow.parameters.", "params.", "inputs.params."]
        .iter()
        .find_map(|prefix| path.strip_prefix(prefix))?;
    Some((start, end, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_with_one_default_are_filled_in() {
        let given = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
        };
        let one = given(&[("image", "quay.io/a/b:1"), ("tag", "2"), ("outer", "{{workflow.parameters.image}}")]);
        for (image, expected) in [
            ("{{inputs.parameters.image}}", Some("quay.io/a/b:1")),
            ("{{ workflow.parameters.image }}", Some("quay.io/a/b:1")),
            ("$(params.image)", Some("quay.io/a/b:1")),
            ("ghcr.io/a/b:$(params.tag)", Some("ghcr.io/a/b:2")),
            ("{{inputs.parameters.outer}}", Some("quay.io/a/b:1")),
            ("{{inputs.parameters.other}}", None),
            ("{{=sprig.trim(x)}}", None),
            ("${TAG}", None),
        ] {
            assert_eq!(filled_in(image, &one).as_deref(), expected, "{image}");
        }
        assert_eq!(filled_in("$(params.a)", &given(&[("a", "x:1"), ("a", "x:2")])), None, "two defaults");
        assert_eq!(filled_in("$(params.a)", &given(&[("a", "$(params.b)"), ("b", "$(params.a)")])), None, "a circle");
    }
}
