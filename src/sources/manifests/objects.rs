//! From objects to the images that their pods would pull.

use std::collections::HashSet;
use std::sync::Arc;

use super::defaults;
use super::kinds;
use super::mentions::Scanner;
use super::yaml::{self, Budget, Document, YamlNode};
use super::{injector, json};
use crate::evidence::image;
use crate::evidence::manifests::{ImagePath, Place, Probable, ServiceAccount};

/// Deepest lists of lists, and ConfigMaps in ConfigMaps, that are followed.
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
    /// Objects that bring other manifests with them, such as a `HelmRelease`.
    pub(super) unrendered: Vec<String>,
    /// Objects for which their operator chooses the image.
    pub(super) chosen: Vec<String>,
    /// Images that no field names, and that are probably started.
    pub(super) probable: Vec<Probable>,
    /// Parameters that have a value or a default.
    pub(super) parameters: Vec<(String, String)>,
    /// A kustomization: the recipe, not what comes of it.
    pub(super) kustomization: Option<String>,
    /// How many objects there were.
    pub(super) count: usize,
    /// Documents that are no object of Kubernetes.
    pub(super) others: usize,
}

/// Gathers the images of one file.
pub(super) struct Reader<'r> {
    file: Arc<str>,
    own: &'r [ImagePath],
    budget: &'r Budget,
    /// Whether what runs the objects fills parameters in.
    parameters: bool,
    pub(super) found: Objects,
}

/// The object that is being looked at.
pub(super) struct Object<'o> {
    /// `Deployment shop/web`.
    pub(super) name: String,
    namespace: &'o str,
    source: Option<Arc<str>>,
    /// Whether what runs it fills parameters in.
    pub(super) parameters: bool,
    /// Whether Helm applies it at another time than the rollout's.
    hook: Option<&'static str>,
    /// How many lists and texts within it may still be followed.
    depth: usize,
}

/// Reads a text document by document, as kubectl does: JSON, or else YAML.
///
/// # Errors
/// As [`yaml::documents`].
pub(super) fn documents(text: &str, budget: &Budget, mut each: impl FnMut(Document)) -> Result<(), yaml::Unreadable> {
    match json::values(text) {
        Some(values) => {
            values.into_iter().for_each(|root| each(Document { root, source: None }));
            Ok(())
        }
        None => yaml::documents(text, budget, each),
    }
}

impl<'r> Reader<'r> {
    pub(super) fn new(file: Arc<str>, own: &'r [ImagePath], budget: &'r Budget) -> Self {
        Self { file, own, budget, parameters: false, found: Objects::default() }
    }

    pub(super) fn document(&mut self, document: &Document) {
        let source = document.source.as_deref().map(Arc::from);
        self.object(&document.root, None, source.as_ref(), DEEPEST);
    }

    /// An object, or a list of them; the items of a `PodList` are of the `listed` version and kind.
    fn object(&mut self, root: &YamlNode, listed: Option<(&str, &str)>, source: Option<&Arc<str>>, depth: usize) {
        if depth == 0 {
            return;
        }
        if let YamlNode::List(items) = root {
            // A JSON array of objects, as some tools print it.
            return items.iter().for_each(|item| self.object(item, None, source, depth - 1));
        }
        if matches!(root, YamlNode::Scalar { .. }) && root.text().is_none() {
            // A template that rendered to nothing.
            return;
        }
        let own = root.text_at(&["apiVersion"]).zip(root.text_at(&["kind"]));
        let Some((version, kind)) = own.or(listed) else {
            self.found.others += 1;
            return;
        };
        if let (Some(of), Some(YamlNode::List(items))) = (kind.strip_suffix("List"), root.get("items")) {
            self.found.count += usize::from(items.is_empty());
            let listed = Some((version, of)).filter(|(_, of)| !of.is_empty());
            return items.iter().for_each(|item| self.object(item, listed, source, depth - 1));
        }
        self.found.count += 1;
        let group = version.split_once('/').map_or("", |(group, _)| group);
        let namespace = root.text_at(&["metadata", "namespace"]).unwrap_or_default();
        let named = root.text_at(&["metadata", "name"]).or_else(|| root.text_at(&["metadata", "generateName"]));
        let slash = if namespace.is_empty() { "" } else { "/" };
        let name = format!("{kind} {namespace}{slash}{}", named.unwrap_or("(unnamed)"));
        let hook = root.text_at(&["metadata", "annotations", "helm.sh/hook"]).and_then(other_time);
        let parameters = self.parameters || group == "tekton.dev" || group == "argoproj.io" && kind != "Rollout";
        let object = Object { name, namespace, source: source.cloned(), parameters, hook, depth };
        match (group, kind) {
            ("", "ServiceAccount") if !items(root, "imagePullSecrets").is_empty() => {
                self.found.accounts.push((namespace.to_owned(), named.unwrap_or_default().to_owned()));
            }
            ("", "ConfigMap") => self.config_map(root, &object),
            ("kustomize.config.k8s.io", _) => self.found.kustomization = Some(object.name.clone()),
            _ => {}
        }
        if parameters {
            defaults::parameters(root, &mut self.found.parameters);
        }
        self.images(root, kind, group, &object);
    }

    /// The images of an object.
    fn images(&mut self, root: &YamlNode, kind: &str, group: &str, object: &Object<'_>) {
        let own = self.own.iter().filter(|path| path.is_for(kind, group));
        let own: Vec<&str> = own.map(|path| path.path.as_str()).collect();
        let Some(path) = kinds::pod(kind, group) else {
            if !kinds::makes_no_pods(kind, group) && !kinds::only_speaks_of_images(group) {
                return self.custom(root, kind, group, &own, object);
            }
            return own.iter().for_each(|path| _ = self.at_path(root, path, object));
        };
        own.iter().for_each(|path| _ = self.at_path(root, path, object));
        let pod = root.at(path);
        let spec = pod.and_then(|pod| pod.get("spec"));
        if let Some(spec) = spec {
            self.pod(spec, pod.and_then(|pod| pod.get("metadata")), true, object);
        }
        if spec.is_none_or(|spec| items(spec, "containers").is_empty()) {
            // The API server refuses it; what was meant has images.
            let line = root.get("kind").map_or(1, YamlNode::first_line);
            let place = self.place("", line, "(no containers)".to_owned(), object);
            self.found.places.push(place);
        }
    }

    /// A pod's images; `whole` = nobody adds to the specification, so that a container without image is wrong.
    pub(super) fn pod(&mut self, spec: &YamlNode, metadata: Option<&YamlNode>, whole: bool, object: &Object<'_>) {
        let first = self.found.places.len();
        for (list, word) in
            [("initContainers", "init container "), ("containers", ""), ("ephemeralContainers", "ephemeral container ")]
        {
            for container in items(spec, list) {
                let name = format!("{word}{}", container.text_at(&["name"]).unwrap_or("(unnamed)"));
                self.container(container, &name, metadata, whole, object);
            }
        }
        for volume in items(spec, "volumes") {
            if let Some((image, line)) = volume.at(&["image", "reference"]).and_then(YamlNode::text) {
                let name = format!("volume {}", volume.text_at(&["name"]).unwrap_or("(unnamed)"));
                let mut place = self.place(image, line, name, object);
                place.never = volume.text_at(&["image", "pullPolicy"]) == Some("Never");
                self.found.places.push(place);
            }
        }
        let secret = !items(spec, "imagePullSecrets").is_empty();
        let account =
            spec.text_at(&["serviceAccountName"]).or_else(|| spec.text_at(&["serviceAccount"])).unwrap_or("default");
        for place in self.found.places[first..].iter_mut().filter(|place| !place.mentioned) {
            place.secret = secret;
            place.account = Some((object.namespace.to_owned(), account.to_owned()));
        }
        self.annotations(metadata, object);
    }

    pub(super) fn container(
        &mut self,
        node: &YamlNode,
        name: &str,
        metadata: Option<&YamlNode>,
        whole: bool,
        object: &Object<'_>,
    ) {
        // In a resource of an operator, an empty text means the operator's own image.
        let image = node.get("image").and_then(YamlNode::text).filter(|(image, _)| whole || !image.trim().is_empty());
        // What stands nowhere stands where its container does.
        let nothing = || whole.then(|| ("", node.first_line()));
        if let Some((image, line)) = image.or_else(nothing) {
            let mut place = self.place(image, line, name.to_owned(), object);
            place.never = node.text_at(&["imagePullPolicy"]) == Some("Never");
            place.injected |= image == "auto" && is_injected(metadata);
            self.found.places.push(place);
        }
        self.arguments(node, name, object);
    }

    /// Operators are told by argument or variable which images to start.
    fn arguments(&mut self, container: &YamlNode, name: &str, object: &Object<'_>) {
        let mut scanner = Scanner::default();
        for list in ["command", "args"] {
            for text in items(container, list) {
                self.mentions(&mut scanner, "", text, &format!("argument of {name}"), object);
            }
        }
        for variable in items(container, "env") {
            if let (Some(own), Some(value)) = (variable.text_at(&["name"]), variable.get("value")) {
                self.mentions(&mut Scanner::default(), own, value, &format!("variable {own} of {name}"), object);
            }
        }
    }

    /// Injectors are told by annotation which images to add to a pod.
    fn annotations(&mut self, metadata: Option<&YamlNode>, object: &Object<'_>) {
        let annotations = metadata.and_then(|metadata| metadata.get("annotations"));
        for (key, value) in annotations.map_or(&[][..], YamlNode::entries) {
            let short = value.text().is_some_and(|(text, _)| !text.contains(char::is_whitespace));
            if short && !key.starts_with("kubectl.kubernetes.io/") {
                self.mentions(&mut Scanner::default(), key, value, &format!("annotation {key}"), object);
            }
        }
    }

    /// Pods that something makes of a template in a ConfigMap, or images that it is told there.
    fn config_map(&mut self, root: &YamlNode, object: &Object<'_>) {
        for (image, line) in injector::sidecars(root) {
            let mut place = self.place(&image, line, "sidecar that Istio injects".to_owned(), object);
            place.mentioned = true;
            self.found.places.push(place);
        }
        let data = root.get("data").map_or(&[][..], YamlNode::entries);
        // Entries that begin with _ hold examples.
        for (key, value) in data.iter().filter(|(key, _)| !key.starts_with('_')) {
            let first = self.found.places.len();
            self.embedded(&format!("entry {key}"), value, true, object);
            self.mentions(&mut Scanner::default(), key, value, &format!("entry {key}"), object);
            self.forget_doubles(first);
        }
    }

    /// Manifests in a text; whether there were images in them. They are only mentioned where something may apply them,
    /// or not.
    pub(super) fn embedded(&mut self, key: &str, value: &YamlNode, mentioned: bool, object: &Object<'_>) -> bool {
        let Some((text, line)) = value.text() else { return false };
        let looks = text.contains("apiVersion") && text.contains("kind");
        if !(looks && self.budget.spend(text.len())) {
            return false;
        }
        let mut inner = Reader::new(Arc::clone(&self.file), self.own, self.budget);
        inner.parameters = object.parameters;
        let each = |document: Document| inner.object(&document.root, None, object.source.as_ref(), object.depth - 1);
        let read = documents(text, self.budget, each);
        // A template for others may leave the image to them.
        inner.found.places.retain(|place| !place.image.is_empty());
        if read.is_err() || inner.found.places.is_empty() {
            return false;
        }
        for mut place in inner.found.places {
            place.line += line - 1;
            place.mentioned |= mentioned;
            place.container = format!("{} of {} in {key}", place.container, place.object);
            place.object.clone_from(&object.name);
            self.found.places.push(place);
        }
        true
    }

    /// What was found in one way since `first` may have been found in another, too.
    pub(super) fn forget_doubles(&mut self, first: usize) {
        let mut known = HashSet::new();
        let found = self.found.places.split_off(first);
        let new = found.into_iter().filter(|place| known.insert((place.image.clone(), place.line, place.mentioned)));
        self.found.places.extend(new);
    }

    /// The images that a text names.
    fn mentions(&mut self, scanner: &mut Scanner, name: &str, node: &YamlNode, container: &str, object: &Object<'_>) {
        let Some((text, start)) = node.text() else { return };
        for (image, line) in scanner.scan(name, text) {
            let mut place = self.place(image, start + line, container.to_owned(), object);
            place.mentioned = true;
            self.found.places.push(place);
        }
    }

    pub(super) fn place(&self, image: &str, line: usize, container: String, object: &Object<'_>) -> Place {
        let container = match object.hook {
            Some(when) => format!("{container} ({when})"),
            None => container,
        };
        Place {
            image: if image.trim().is_empty() { String::new() } else { image.to_owned() },
            file: Arc::clone(&self.file),
            line,
            source: object.source.clone(),
            object: object.name.clone(),
            container,
            secret: false,
            account: None,
            never: false,
            injected: object.parameters && image::is_template(image),
            mentioned: object.hook.is_some(),
        }
    }
}

fn items<'n>(node: &'n YamlNode, key: &str) -> &'n [YamlNode] {
    node.get(key).map_or(&[], YamlNode::items)
}

/// When Helm applies an object that it does not apply with the release.
fn other_time(hooks: &str) -> Option<&'static str> {
    let mut hooks = hooks.split(',').map(str::trim);
    hooks.clone().all(|hook| hook.starts_with("test")).then_some("by helm test only").or_else(|| {
        let late = |hook: &str| hook.ends_with("-delete") || hook.ends_with("-rollback") || hook.starts_with("test");
        hooks.all(late).then_some("by a later Helm hook only")
    })
}

/// Whether Istio's injector writes a pod's image: a gateway's reference is `auto`.
fn is_injected(metadata: Option<&YamlNode>) -> bool {
    let marks = ["inject.istio.io/templates", "sidecar.istio.io/inject", "istio.io/rev"];
    let has = |place: &str| {
        metadata
            .and_then(|metadata| metadata.get(place))
            .is_some_and(|map| marks.iter().any(|mark| map.get(mark).is_some()))
    };
    has("annotations") || has("labels")
}
