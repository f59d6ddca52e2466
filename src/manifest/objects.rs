//! From objects to the images that their pods would pull.

use std::sync::Arc;

use super::paths::{self, ImagePath};
use super::yaml::{Document, Node};
use super::{Place, ServiceAccount};
use crate::image;

/// Deepest lists of lists that are followed.
const DEEPEST: usize = 8;

/// What the objects of one file add up to.
#[derive(Debug, Default)]
pub(super) struct Objects {
    /// Where images stand.
    pub(super) places: Vec<Place>,
    /// Service accounts with imagePullSecrets.
    pub(super) accounts: Vec<ServiceAccount>,
    /// Images in fields that no path names.
    pub(super) unjudged: Vec<Place>,
    /// How many objects there were.
    pub(super) count: usize,
    /// Documents that are no object of Kubernetes.
    pub(super) others: usize,
}

/// Gathers the images of one file.
pub(super) struct Reader<'r> {
    file: Arc<str>,
    own: &'r [ImagePath],
    pub(super) found: Objects,
}

/// The object that is being looked at.
struct Object<'o> {
    /// `Deployment shop/web`.
    name: String,
    namespace: &'o str,
    source: Option<Arc<str>>,
}

impl<'r> Reader<'r> {
    pub(super) fn new(file: Arc<str>, own: &'r [ImagePath]) -> Self {
        Self { file, own, found: Objects::default() }
    }

    pub(super) fn document(&mut self, document: &Document) {
        let source = document.source.as_deref().map(Arc::from);
        self.object(&document.root, source.as_ref(), DEEPEST);
    }

    fn object(&mut self, root: &Node, source: Option<&Arc<str>>, depth: usize) {
        if depth == 0 {
            return;
        }
        if let Node::List(items) = root {
            // A JSON array of objects, as some tools print it.
            return items.iter().for_each(|item| self.object(item, source, depth - 1));
        }
        let (Some(version), Some(kind)) = (root.text_at(&["apiVersion"]), root.text_at(&["kind"])) else {
            self.found.others += 1;
            return;
        };
        if kind.ends_with("List") && matches!(root.get("items"), Some(Node::List(_))) {
            let items = root.get("items").map_or(&[] as &[Node], Node::items);
            self.found.count += usize::from(items.is_empty());
            return items.iter().for_each(|item| self.object(item, source, depth - 1));
        }
        self.found.count += 1;
        let group = version.split_once('/').map_or("", |(group, _)| group);
        let namespace = root.text_at(&["metadata", "namespace"]).unwrap_or_default();
        let named = root.text_at(&["metadata", "name"]).or_else(|| root.text_at(&["metadata", "generateName"]));
        let slash = if namespace.is_empty() { "" } else { "/" };
        let name = format!("{kind} {namespace}{slash}{}", named.unwrap_or("(unnamed)"));
        let object = Object { name, namespace, source: source.cloned() };
        if (group, kind) == ("", "ServiceAccount")
            && !root.get("imagePullSecrets").map_or(&[] as &[Node], Node::items).is_empty()
        {
            self.found.accounts.push((namespace.to_owned(), named.unwrap_or_default().to_owned()));
        }
        if let Some(spec) = paths::pod_spec(kind, group, root) {
            self.pod(spec, &object);
        } else if !paths::is_built_in(group) {
            self.custom(root, kind, group, &object);
        }
        for path in self.own.iter().filter(|path| path.is_for(kind, group)) {
            self.at_path(root, &path.path, &object);
        }
    }

    /// Fields that are known to name images, pod templates wherever they stand, and what looks like an image elsewhere.
    fn custom(&mut self, root: &Node, kind: &str, group: &str, object: &Object<'_>) {
        let before = self.found.places.len();
        for path in paths::known(kind, group) {
            self.at_path(root, path, object);
        }
        if let Some(spec) = root.get("spec") {
            self.templates(spec, object);
        }
        let own: Vec<String> =
            self.own.iter().filter(|path| path.is_for(kind, group)).map(|path| path.path.clone()).collect();
        let mut judged: Vec<usize> = self.found.places[before..].iter().map(|place| place.line).collect();
        for path in own {
            let mut nodes = Vec::new();
            paths::walk(root, &path, &mut nodes);
            judged.extend(nodes.iter().filter_map(|node| Some(node.text()?.1)));
        }
        if let Some(spec) = root.get("spec") {
            self.leftovers(spec, "spec", &judged, object);
        }
    }

    fn at_path(&mut self, root: &Node, path: &str, object: &Object<'_>) {
        let mut nodes = Vec::new();
        paths::walk(root, path, &mut nodes);
        for (image, line) in nodes.into_iter().filter_map(Node::text) {
            let place = self.place(image, line, path.to_owned(), object);
            self.found.places.push(place);
        }
    }

    /// Anything that has containers with images is a pod specification, under whatever key it stands.
    fn templates(&mut self, node: &Node, object: &Object<'_>) {
        match node {
            Node::Map(entries) => {
                let containers = ["containers", "initContainers"].iter().filter_map(|key| node.get(key));
                if containers.flat_map(Node::items).any(|container| container.text_at(&["image"]).is_some()) {
                    self.pod(node, object);
                    return;
                }
                entries.iter().for_each(|(_, value)| self.templates(value, object));
            }
            Node::List(items) => items.iter().for_each(|item| self.templates(item, object)),
            Node::Scalar { .. } => {}
        }
    }

    /// Fields called image that nothing named so far.
    fn leftovers(&mut self, node: &Node, path: &str, judged: &[usize], object: &Object<'_>) {
        match node {
            Node::Map(entries) => {
                for (key, value) in entries {
                    let path = format!("{path}.{key}");
                    let is_image = key == "image" || key.ends_with("Image");
                    match (value.text(), value.text_at(&["repository"])) {
                        (Some((image, line)), _)
                            if is_image && !judged.contains(&line) && image.contains(['/', ':']) =>
                        {
                            let place = self.place(image, line, path, object);
                            self.found.unjudged.push(place);
                        }
                        (None, Some(image)) if is_image => {
                            let line = value.at(&["repository"]).and_then(Node::text).map_or(0, |(_, line)| line);
                            let place = self.place(image, line, path, object);
                            self.found.unjudged.push(place);
                        }
                        _ => self.leftovers(value, &path, judged, object),
                    }
                }
            }
            Node::List(items) => {
                items.iter().for_each(|item| self.leftovers(item, &format!("{path}[]"), judged, object));
            }
            Node::Scalar { .. } => {}
        }
    }

    fn pod(&mut self, spec: &Node, object: &Object<'_>) {
        let secret = !spec.get("imagePullSecrets").map_or(&[] as &[Node], Node::items).is_empty();
        let account =
            spec.text_at(&["serviceAccountName"]).or_else(|| spec.text_at(&["serviceAccount"])).unwrap_or("default");
        let account = (object.namespace.to_owned(), account.to_owned());
        for (list, word) in
            [("initContainers", "init container "), ("containers", ""), ("ephemeralContainers", "ephemeral container ")]
        {
            for container in spec.get(list).map_or(&[] as &[Node], Node::items) {
                let name = format!("{word}{}", container.text_at(&["name"]).unwrap_or("(unnamed)"));
                if let Some((image, line)) = container.get("image").and_then(Node::text) {
                    let mut place = self.place(image, line, name.clone(), object);
                    place.secret = secret;
                    place.account = Some(account.clone());
                    place.never = container.text_at(&["imagePullPolicy"]) == Some("Never");
                    self.found.places.push(place);
                }
                self.arguments(container, &name, object);
            }
        }
        for volume in spec.get("volumes").map_or(&[] as &[Node], Node::items) {
            if let Some((image, line)) = volume.at(&["image", "reference"]).and_then(Node::text) {
                let name = format!("volume {}", volume.text_at(&["name"]).unwrap_or("(unnamed)"));
                let mut place = self.place(image, line, name, object);
                place.secret = secret;
                place.account = Some(account.clone());
                place.never = volume.text_at(&["image", "pullPolicy"]) == Some("Never");
                self.found.places.push(place);
            }
        }
    }

    /// Operators are told by argument or variable which images to start: only what names a well-known registry and a
    /// version is taken for one.
    fn arguments(&mut self, container: &Node, name: &str, object: &Object<'_>) {
        let lists = ["command", "args"].iter().filter_map(|key| container.get(key)).flat_map(Node::items);
        let variables = container.get("env").map_or(&[] as &[Node], Node::items).iter();
        let texts = lists.chain(variables.filter_map(|variable| variable.get("value"))).filter_map(Node::text);
        let mut found = Vec::new();
        for (text, line) in texts {
            let value = text.rsplit_once('=').map_or(text, |(_, value)| value).trim();
            if is_plainly_an_image(value) {
                found.push((value.to_owned(), line));
            }
        }
        for (value, line) in found {
            let mut place = self.place(&value, line, format!("argument of {name}"), object);
            place.argument = true;
            self.found.places.push(place);
        }
    }

    fn place(&self, image: &str, line: usize, container: String, object: &Object<'_>) -> Place {
        Place {
            image: image.trim().to_owned(),
            file: Arc::clone(&self.file),
            line,
            source: object.source.clone(),
            object: object.name.clone(),
            container,
            secret: false,
            account: None,
            never: false,
            argument: false,
        }
    }
}

fn is_plainly_an_image(text: &str) -> bool {
    let Some((host, path)) = text.split_once('/') else { return false };
    let known = image::is_public(host) || image::is_microsoft(host);
    known && (path.contains(':') || path.contains('@')) && image::Image::parse(text).is_some()
}
