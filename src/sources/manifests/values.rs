//! Values of a Helm chart: the fields in which images stand.

use std::path::PathBuf;

use super::files::{shown, text_of};
use super::yaml::{self, Budget, Document, YamlNode};
use crate::evidence::image::{Image, has_version};
use crate::evidence::manifests::{ValuesField, ValuesImage};
use crate::text::{self, problem::Problem};

/// Reads the values of a chart, as `helm show values` prints them. Images in lists are left out: Helm replaces a list
/// as a whole.
///
/// # Errors
/// What cannot be read, and why.
pub fn read_values(files: &[PathBuf]) -> Result<Vec<ValuesImage>, Problem> {
    let mut found = Vec::new();
    for file in files {
        let text = text_of(file).map_err(|error| Problem::new(error.message, error.hint))?;
        let each = |document: Document| walk(&document.root, &mut Vec::new(), &mut found);
        yaml::documents(&text, &Budget::of(text.len()), each).map_err(|error| {
            let what = text::clean(&text::bounded(&error.message, 200));
            let message = format!("{}, line {}: not valid YAML: {what}", shown(file), error.line);
            Problem::new(message, "expected the values of a chart: helm show values CHART > values.yaml")
        })?;
    }
    Ok(found)
}

fn walk(node: &YamlNode, path: &mut Vec<String>, found: &mut Vec<ValuesImage>) {
    let YamlNode::Map(entries) = node else { return };
    if let Some((image, field)) = parts(node) {
        found.push(ValuesImage { path: path.clone(), image, field });
    }
    for (key, value) in entries.iter() {
        path.push(key.to_string());
        let names = &**key == "image" || key.ends_with("Image");
        match value.text().filter(|(text, _)| names && !text.is_empty()).and_then(|(text, _)| written(text)) {
            Some(image) => found.push(ValuesImage { path: path.clone(), image, field: ValuesField::Whole }),
            None => walk(value, path, found),
        }
        path.pop();
    }
}

/// A reference as it is written: a chart may append the tag of another field to one that has none.
fn written(text: &str) -> Option<Image> {
    let image = Image::parse(text)?;
    Some(if has_version(text) { image } else { Image { tail: String::new(), ..image } })
}

/// An image of which the repository stands apart from the tag, with or without its registry.
fn parts(node: &YamlNode) -> Option<(Image, ValuesField)> {
    let key = |keys: &[&str]| keys.iter().find_map(|key| Some(((*key).to_owned(), node.get(key)?.text()?.0)));
    let (repository, path) = key(&["repository", "imageRepository"]).filter(|(_, path)| !path.contains("://"))?;
    match key(&["registry", "imageRegistry"]) {
        Some((registry, host)) => {
            let whole =
                if host.is_empty() { path.to_owned() } else { format!("{}/{path}", host.trim_end_matches('/')) };
            Some((Image::parse(&whole)?, ValuesField::Parts { registry, repository }))
        }
        None => Some((Image::parse(path)?, ValuesField::Repository { repository })),
    }
}
