//! Images in custom resources: in fields that are known, in pod templates wherever they stand, and in what looks like
//! one.

use std::collections::HashSet;

use super::defaults;
use super::kinds;
use super::mentions::means_image;
use super::objects::{Object, Reader};
use super::paths;
use super::yaml::YamlNode;
use crate::evidence::image::{self, Image};
use crate::evidence::manifests::Probable;

/// Lists of a pod specification that have been looked at with it.
const OF_PODS: [&str; 4] = ["containers", "initContainers", "ephemeralContainers", "volumes"];
/// Fields that give an image in parts.
const REPOSITORY: [&str; 2] = ["repository", "imageRepository"];
const NAME: [&str; 3] = ["imageName", "image_name", "name"];
const REGISTRY: [&str; 3] = ["registry", "imageRegistry", "hub"];
const VERSION: [&str; 8] = ["digest", "sha", "sha256", "tag", "version", "versionTag", "imageTag", "image_version"];

impl Reader<'_> {
    /// Fields that are known to name images, pod templates, and whatever looks like an image and was not looked at;
    /// `own` are paths of the operator's own.
    pub(super) fn custom(&mut self, root: &YamlNode, kind: &str, group: &str, own: &[&str], object: &Object<'_>) {
        let first = self.found.places.len();
        let mut default = false;
        for path in own {
            default |= self.at_path(root, path, object);
        }
        for path in kinds::known(kind, group) {
            default |= self.at_path(root, path, object);
        }
        // A catalogue of images names the operator's choice.
        let named = self.found.places.len() > first || root.at(&["spec", "imageCatalogRef"]).is_some();
        if default || (!named && kinds::operator_chooses(kind, group)) {
            match defaults::of_operator(kind, group, root) {
                Some((image, line)) => {
                    let place = self.place(&image, line, "spec.version".to_owned(), object);
                    let why = "its operator's default for this version, unless it was told another registry".to_owned();
                    self.found.probable.push(Probable { place, why });
                }
                None => self.found.chosen.push(object.name.clone()),
            }
        }
        let brings_more = kinds::brings_more(kind, group);
        if brings_more {
            self.found.unrendered.push(object.name.clone());
        }
        let fields = fields(root);
        for (key, field) in &fields {
            self.templates(field, key, root.get("metadata"), !brings_more, object);
        }
        self.forget_doubles(first);
        let judged = self.found.places[first..].iter().map(|place| (place.image.clone(), place.line)).collect();
        for (key, field) in fields {
            self.leftovers(field, key, &judged, object);
        }
    }

    /// The images at a path: texts, or maps that give registry, repository and tag apart. Whether one is left to the
    /// operator by an empty text.
    pub(super) fn at_path(&mut self, root: &YamlNode, path: &str, object: &Object<'_>) -> bool {
        let mut default = false;
        for (path, node) in paths::walk(root, path) {
            match written(node) {
                Some((image, _)) if image.trim().is_empty() => default = true,
                Some((image, line)) => {
                    let place = self.place(&image, line, path, object);
                    self.found.places.push(place);
                }
                None => {}
            }
        }
        default
    }

    /// Anything that has containers with images is a pod specification, under whatever key it stands, and what has an
    /// image and a container's fields is a container; `single` = whether containers are looked for that stand alone.
    fn templates(
        &mut self,
        node: &YamlNode,
        key: &str,
        metadata: Option<&YamlNode>,
        single: bool,
        object: &Object<'_>,
    ) {
        let containers = ["containers", "initContainers"].iter().filter_map(|key| node.get(key));
        let is_pod = containers.flat_map(YamlNode::items).any(|container| container.text_at(&["image"]).is_some());
        if is_pod {
            self.pod(node, metadata, false, object);
        } else if single && is_container(node, key) {
            let name = node.text_at(&["name"]).unwrap_or(key);
            self.container(node, name, metadata, false, object);
        }
        let metadata = node.get("metadata");
        for (key, value) in node.entries() {
            if !(is_pod && OF_PODS.contains(&&**key)) {
                self.templates(value, key, metadata, single, object);
            }
        }
        node.items().iter().for_each(|item| self.templates(item, key, None, single, object));
    }

    /// What looks like an image, and was not named by anything so far.
    fn leftovers(&mut self, node: &YamlNode, path: &str, judged: &HashSet<(String, usize)>, object: &Object<'_>) {
        let whole = written(node).filter(|(image, _)| looks_like_an_image(key_of(path), image));
        let in_parts = whole.is_some();
        if let Some((image, line)) = whole {
            let place = self.place(&image, line, path.to_owned(), object);
            if !judged.contains(&(image, line)) {
                self.found.unjudged.push(place);
            }
        } else if let Some((text, _)) = node.text().filter(|(text, _)| text.contains('\n')) {
            self.manifest(node, text, path, object);
        }
        if node.text_at(&["enabled"]) == Some("false") {
            return;
        }
        for (key, value) in node.entries() {
            let part = in_parts && value.text().is_some() && is_part(key);
            if !part {
                self.leftovers(value, &format!("{path}.{key}"), judged, object);
            }
        }
        node.items().iter().for_each(|item| self.leftovers(item, &format!("{path}[]"), judged, object));
    }

    /// A manifest as a text: a step of a workflow applies it; of other resources nobody knows what becomes of it.
    fn manifest(&mut self, node: &YamlNode, text: &str, path: &str, object: &Object<'_>) {
        let applied = object.parameters && path.ends_with("resource.manifest");
        let found = self.embedded(path, node, !applied, object);
        // A parameter may stand where YAML has no place for one.
        if applied && !found && image::is_template(text) {
            self.found.unrendered.push(format!("{path} of {}", object.name));
        }
    }
}

/// The key at the end of a path; a reference is that of what it stands in.
fn key_of(path: &str) -> &str {
    let mut keys = path.rsplit('.').map(|key| key.trim_end_matches("[]"));
    let last = keys.next().unwrap_or_default();
    if ["reference", "ref"].contains(&last) { keys.next().unwrap_or(last) } else { last }
}

/// Whether a map is a container: it has an image, and stands where containers do or has what only they have.
fn is_container(node: &YamlNode, key: &str) -> bool {
    let text = |key: &str| node.text_at(&[key]).filter(|text| !text.is_empty());
    let Some(image) = text("image").filter(|image| !image::is_template(image)) else { return false };
    // Another field may say which version, or of which registry.
    let elsewhere = |keys: &[&str]| keys.iter().any(|key| text(key).is_some());
    if elsewhere(&REPOSITORY) || elsewhere(&REGISTRY) || (!image::has_version(image) && elsewhere(&VERSION)) {
        return false;
    }
    let key = key.to_lowercase();
    let stands = ["container", "sidecar"].iter().any(|word| key.trim_end_matches('s').ends_with(word));
    let has = |list: &str| matches!(node.get(list), Some(YamlNode::List(_)));
    let policy = ["Always", "IfNotPresent", "Never"].contains(&text("imagePullPolicy").unwrap_or_default());
    let enabled = text("enabled") != Some("false");
    let runs = ["command", "args", "volumeMounts"].into_iter().any(has);
    enabled && (stands || runs || policy) && Image::parse(image).is_some()
}

/// The fields of an object in which its owner says what he wants.
fn fields(root: &YamlNode) -> Vec<(&str, &YamlNode)> {
    const OTHERS: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];
    let own = root.entries().iter().filter(|(key, _)| !OTHERS.contains(&&**key));
    own.map(|(key, value)| (&**key, value)).collect()
}

/// An image as it is written: in one text, or in the fields of a map.
fn written(node: &YamlNode) -> Option<(String, usize)> {
    node.text().map(|(text, line)| (text.to_owned(), line)).or_else(|| composed(node))
}

/// Whether a field is a part of an image's name.
fn is_part(key: &str) -> bool {
    key == "image" || [&REPOSITORY[..], &NAME, &REGISTRY, &VERSION].iter().any(|keys| keys.contains(&key))
}

/// An image of which registry, repository and tag stand apart, as values of charts and some operators have it:
/// `{registry, repository, tag}`, `{repository, image, version}`, `{name, tag, digest}`.
fn composed(node: &YamlNode) -> Option<(String, usize)> {
    if node.text_at(&["enabled"]) == Some("false") {
        return None;
    }
    let text = |keys: &[&str]| keys.iter().find_map(|key| node.get(key)?.text()).filter(|(text, _)| !text.is_empty());
    let version = VERSION.iter().find_map(|key| text(&[key]));
    let (mut image, line) = match (text(&REPOSITORY), text(&["image"])) {
        (Some((repository, _)), Some((name, line))) if version.is_some() && !name.contains([':', '@', '/']) => {
            (format!("{}/{name}", repository.trim_end_matches('/')), line)
        }
        (Some((repository, line)), None) => (repository.to_owned(), line),
        (None, None) => {
            let (name, line) = text(&NAME).filter(|(name, _)| name.contains('/'))?;
            (name.to_owned(), line)
        }
        _ => return None,
    };
    if image.contains(char::is_whitespace) || image.contains("://") {
        return None;
    }
    if let Some((registry, _)) = text(&REGISTRY)
        && !image.starts_with(&format!("{registry}/"))
    {
        image = format!("{}/{image}", registry.trim_end_matches('/'));
    }
    if let Some((version, _)) = version
        && !image::has_version(&image)
    {
        image = versioned(&image, version);
    }
    Some((image, line))
}

/// An image with a version that may be a tag, a digest or both.
fn versioned(image: &str, version: &str) -> String {
    let hexadecimal = version.len() == 64 && version.chars().all(|c| c.is_ascii_hexdigit());
    let separator = match version.split_once([':', '@']) {
        _ if version.starts_with([':', '@']) => "",
        Some(_) if !version.contains('@') => "@",
        None if hexadecimal => "@sha256:",
        _ => ":",
    };
    format!("{image}{separator}{version}")
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
        let budget = yaml::Budget::of(text.len());
        yaml::documents(text, &budget, |document| image = composed(&document.root).map(|(image, _)| image))
            .expect("YAML");
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
            (format!("{{repository: a/b, tag: \"v1@sha256:{sha}\"}}"), Some(format!("a/b:v1@sha256:{sha}"))),
            (format!("{{repository: a/b, tag: \"@sha256:{sha}\"}}"), Some(format!("a/b@sha256:{sha}"))),
            ("{repository: a/b, digest: \"\", tag: v1}".to_owned(), Some("a/b:v1".to_owned())),
        ];
        for (text, expected) in cases {
            assert_eq!(compose(&text), expected, "{text}");
        }
    }
}
