//! The new references as values of a Helm chart, where the chart's own values show the fields.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{comment, quoted};
use crate::answers::preflight::remedies::Rewrite;
use crate::evidence::image::Image;
use crate::evidence::manifests::{ValuesField, ValuesImage};

/// Values, as they nest.
#[derive(Default)]
struct Tree(BTreeMap<String, Branch>);

enum Branch {
    Text(String),
    Tree(Tree),
}

/// Renders the values that differ, for `helm -f`; images of which no field is known stand in comments.
pub fn render(rewrites: &[Rewrite<'_>], values: &[ValuesImage]) -> String {
    let mut out =
        "# New references, written by aksiso preflight: helm upgrade … -f THIS_FILE after the other values.\n"
            .to_owned();
    let mut tree = Tree::default();
    for rewrite in rewrites {
        let (Some(old), Some(new)) = (Image::parse(rewrite.image), Image::parse(rewrite.reference)) else { continue };
        let own: Vec<&ValuesImage> = values.iter().filter(|own| own.image.source() == old.source()).collect();
        if own.is_empty() {
            comment(&mut out, &format!("no field is known of {}: write {}", rewrite.image, rewrite.reference));
        }
        for own in own {
            let at = |key: &str| [own.path.as_slice(), &[key.to_owned()]].concat();
            match &own.field {
                ValuesField::Whole => tree.put(&own.path, format!("{}{}", new.source(), own.image.tail)),
                ValuesField::Repository { repository } => tree.put(&at(repository), new.source()),
                ValuesField::Parts { registry, repository } => {
                    tree.put(&at(registry), new.registry.clone());
                    tree.put(&at(repository), new.repository.clone());
                }
            }
        }
    }
    if tree.0.is_empty() {
        out.push_str("{}\n");
    }
    tree.write(0, &mut out);
    out
}

impl Tree {
    fn put(&mut self, path: &[String], text: String) {
        match path {
            [] => {}
            [key] => drop(self.0.insert(key.clone(), Branch::Text(text))),
            [key, rest @ ..] => {
                let branch = self.0.entry(key.clone()).or_insert_with(|| Branch::Tree(Self::default()));
                if let Branch::Tree(tree) = branch {
                    tree.put(rest, text);
                }
            }
        }
    }

    fn write(&self, depth: usize, out: &mut String) {
        for (key, branch) in &self.0 {
            let _ = write!(out, "{:indent$}{}:", "", quoted(key), indent = depth * 2);
            match branch {
                Branch::Text(text) => {
                    let _ = writeln!(out, " {}", quoted(text));
                }
                Branch::Tree(tree) => {
                    out.push('\n');
                    tree.write(depth + 1, out);
                }
            }
        }
    }
}
