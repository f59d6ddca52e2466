//! The new references as a component of kustomize.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::quoted;
use crate::answers::preflight::remedies::Rewrite;
use crate::evidence::image::Image;

/// Renders the component: its `images` can also be copied into a kustomization.
pub fn render(rewrites: &[Rewrite<'_>]) -> String {
    let mut out = "# New references, written by aksiso preflight: name its folder under components, or copy images.\n\
                   # kustomize rewrites the containers of pods; images in fields of custom resources need\n\
                   # configurations of their own.\n\
                   apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
        .to_owned();
    let mut names: BTreeMap<&str, String> = BTreeMap::new();
    for Rewrite { image, reference } in rewrites {
        if let Some(new) = Image::parse(reference) {
            names.insert(name(image), new.source());
        }
    }
    if names.is_empty() {
        out.push_str("images: []\n");
        return out;
    }
    out.push_str("images:\n");
    for (name, new) in names {
        let _ = writeln!(out, "  - name: {}\n    newName: {}", quoted(name), quoted(&new));
    }
    out
}

/// A reference as kustomize compares it: as it is written, without tag and digest.
fn name(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_digests_are_no_part_of_a_name() {
        for (image, expected) in [
            ("redis", "redis"),
            ("redis:7", "redis"),
            ("h.example:5000/a/b", "h.example:5000/a/b"),
            ("h.example:5000/a/b:1@sha256:00", "h.example:5000/a/b"),
            ("a/b@sha256:00", "a/b"),
        ] {
            assert_eq!(name(image), expected);
        }
    }
}
