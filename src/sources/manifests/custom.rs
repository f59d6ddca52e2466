//! Images in custom resources: in fields that are known, in pod templates wherever they stand, and in what looks like
//! one.

use super::kinds;
use super::mentions::means_image;
use super::objects::{Object, Reader};
use super::paths;
use super::yaml::YamlNode;
use crate::evidence::image::{self, Image};

/// Lists of a pod specification that have been looked at with it.
const OF_PODS: [&str; 4] = ["containers", "initContainers", "ephemeralContainers", "volumes"];

impl Reader<'_> {
    /// Fields that are known to name images, pod templates, and whatever looks like an image and was not looked at;
    /// what was found of the object begins at `first`.
    pub(super) fn custom(&mut self, root: &YamlNode, kind: &str, group: &str, object: &Object<'_>, first: usize) {
        for path in kinds::known(kind, group) {
            self.at_path(root, path, object);
        }
        // A catalogue of images names the operator's choice.
        let named = self.found.places.len() > first || root.at(&["spec", "imageCatalogRef"]).is_some();
        if !named && kinds::operator_chooses(kind, group) {
            self.found.chosen.push(object.name.clone());
        }
        if kinds::brings_more(kind, group) {
            self.found.unrendered.push(object.name.clone());
        }
        let fields = fields(root);
        for (_, field) in &fields {
            self.templates(field, root.get("metadata"), object);
        }
        let judged =
            self.found.places[first..].iter().map(|place| (place.image.clone(), place.line)).collect::<Vec<_>>();
        for (key, field) in fields {
            self.leftovers(field, key, &judged, object);
        }
    }

    /// The images at a path: texts, or maps that give registry, repository and tag apart.
    pub(super) fn at_path(&mut self, root: &YamlNode, path: &str, object: &Object<'_>) {
        for (path, node) in paths::walk(root, path) {
            if let Some((image, line)) = written(node) {
                let place = self.place(&image, line, path, object);
                self.found.places.push(place);
            }
        }
    }

    /// Anything that has containers with images is a pod specification, under whatever key it stands.
    fn templates(&mut self, node: &YamlNode, metadata: Option<&YamlNode>, object: &Object<'_>) {
        match node {
            YamlNode::Map(entries) => {
                let containers = ["containers", "initContainers"].iter().filter_map(|key| node.get(key));
                let is_pod =
                    containers.flat_map(YamlNode::items).any(|container| container.text_at(&["image"]).is_some());
                if is_pod {
                    self.pod(node, metadata, false, object);
                }
                for (key, value) in entries {
                    if !(is_pod && OF_PODS.contains(&key.as_str())) {
                        self.templates(value, node.get("metadata"), object);
                    }
                }
            }
            YamlNode::List(items) => items.iter().for_each(|item| self.templates(item, None, object)),
            YamlNode::Scalar { .. } => {}
        }
    }

    /// What looks like an image, and was not named by anything so far.
    fn leftovers(&mut self, node: &YamlNode, path: &str, judged: &[(String, usize)], object: &Object<'_>) {
        let key = path.rsplit('.').next().unwrap_or_default().trim_end_matches("[]");
        if let Some((image, line)) = written(node).filter(|(image, _)| looks_like_an_image(key, image)) {
            let place = self.place(&image, line, path.to_owned(), object);
            if !judged.contains(&(image, line)) {
                self.found.unjudged.push(place);
            }
            return;
        }
        match node {
            YamlNode::Map(_) if node.text_at(&["enabled"]) == Some("false") => {}
            YamlNode::Map(entries) => {
                entries.iter().for_each(|(key, value)| self.leftovers(value, &format!("{path}.{key}"), judged, object));
            }
            YamlNode::List(items) => {
                items.iter().for_each(|item| self.leftovers(item, &format!("{path}[]"), judged, object));
            }
            YamlNode::Scalar { .. } => {}
        }
    }
}

/// The fields of an object in which its owner says what he wants.
fn fields(root: &YamlNode) -> Vec<(&str, &YamlNode)> {
    const OTHERS: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];
    let YamlNode::Map(entries) = root else { return Vec::new() };
    let own = entries.iter().filter(|(key, _)| !OTHERS.contains(&key.as_str()));
    own.map(|(key, value)| (key.as_str(), value)).collect()
}

/// An image as it is written: in one text, or in the fields of a map.
fn written(node: &YamlNode) -> Option<(String, usize)> {
    node.text().map(|(text, line)| (text.to_owned(), line)).or_else(|| composed(node))
}

/// An image of which registry, repository and tag stand apart, as values of charts and some operators have it:
/// `{registry, repository, tag}`, `{repository, image, version}`, `{name, tag, digest}`.
fn composed(node: &YamlNode) -> Option<(String, usize)> {
    if node.text_at(&["enabled"]) == Some("false") {
        return None;
    }
    let text = |keys: &[&str]| keys.iter().find_map(|key| node.get(key)?.text()).filter(|(text, _)| !text.is_empty());
    let version = text(&["digest", "sha", "sha256", "tag", "version", "versionTag", "imageTag", "image_version"]);
    let (mut image, line) = match (text(&["repository", "imageRepository"]), text(&["image"])) {
        (Some((repository, _)), Some((name, line))) if version.is_some() && !name.contains([':', '@', '/']) => {
            (format!("{}/{name}", repository.trim_end_matches('/')), line)
        }
        (Some((repository, line)), None) => (repository.to_owned(), line),
        (None, None) => {
            let (name, line) = text(&["imageName", "image_name", "name"]).filter(|(name, _)| name.contains('/'))?;
            (name.to_owned(), line)
        }
        _ => return None,
    };
    if image.contains(char::is_whitespace) || image.contains("://") {
        return None;
    }
    if let Some((registry, _)) = text(&["registry", "imageRegistry", "hub"])
        && !image.starts_with(&format!("{registry}/"))
    {
        image = format!("{}/{image}", registry.trim_end_matches('/'));
    }
    if let Some((version, _)) = version
        && !image::has_version(&image)
    {
        let hexadecimal = version.len() == 64 && version.chars().all(|c| c.is_ascii_hexdigit());
        image = match version.split_once(':') {
            Some(_) => format!("{image}@{version}"),
            None if hexadecimal => format!("{image}@sha256:{version}"),
            None => format!("{image}:{version}"),
        };
    }
    Some((image, line))
}

/// Whether a field names an image: its name says so and it is written like one, or it begins with a registry's host
/// and has a version.
fn looks_like_an_image(key: &str, text: &str) -> bool {
    if text.contains("://") || text.starts_with(['/', '.']) || !text.contains(['/', ':']) {
        return false;
    }
    let plainly = image::has_version(text) && image::is_at_known_registry(text);
    Image::parse(text).is_some() && (means_image(key) || plainly)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::manifests::yaml;

    fn compose(text: &str) -> Option<String> {
        let mut image = None;
        yaml::documents(text, |document| image = composed(&document.root).map(|(image, _)| image)).expect("YAML");
        image
    }

    #[test]
    fn images_in_parts_are_put_together() {
        let sha = "a".repeat(64);
        let cases = [
            ("{repository: ghcr.io/a/b, tag: v1}".to_owned(), Some("ghcr.io/a/b:v1".to_owned())),
            ("{registry: docker.io, repository: a/b, tag: 1.0}".to_owned(), Some("docker.io/a/b:1.0".to_owned())),
            ("{registry: docker.io, repository: docker.io/a/b}".to_owned(), Some("docker.io/a/b".to_owned())),
            (
                "{repository: nvcr.io/nvidia, image: driver, version: \"580\"}".to_owned(),
                Some("nvcr.io/nvidia/driver:580".to_owned()),
            ),
            (
                format!("{{repository: nvcr.io/n, image: d, version: \"sha256:{sha}\"}}"),
                Some(format!("nvcr.io/n/d@sha256:{sha}")),
            ),
            (format!("{{repository: a/b, tag: v1, sha: {sha}}}"), Some(format!("a/b@sha256:{sha}"))),
            ("{name: cockroachdb/cockroach:v25}".to_owned(), Some("cockroachdb/cockroach:v25".to_owned())),
            ("{name: web, tag: 1}".to_owned(), None),
            ("{repository: \"https://charts.example.com\", version: 1}".to_owned(), None),
            (
                "{image_name: quay.io/kiali/kiali, image_version: v2}".to_owned(),
                Some("quay.io/kiali/kiali:v2".to_owned()),
            ),
            ("{enabled: false, repository: a/b, tag: 1}".to_owned(), None),
            ("{tag: 1}".to_owned(), None),
        ];
        for (text, expected) in cases {
            assert_eq!(compose(&text), expected, "{text}");
        }
    }
}
