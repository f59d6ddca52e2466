//! Paths of keys in an object, as operators give them for images in custom resources.

use super::yaml::YamlNode;

/// The nodes at a path, each with the path on which it really stands.
pub fn walk<'n>(node: &'n YamlNode, path: &str) -> Vec<(String, &'n YamlNode)> {
    let mut found = Vec::new();
    below(node, path, "", &mut found);
    found
}

fn below<'n>(node: &'n YamlNode, path: &str, before: &str, found: &mut Vec<(String, &'n YamlNode)>) {
    // What is switched off is not started.
    if node.text_at(&["enabled"]) == Some("false") {
        return;
    }
    let (step, rest) = path.split_once('.').map_or((path, None), |(step, rest)| (step, Some(rest)));
    let (key, lists) = step.strip_suffix("[]").map_or((step, false), |key| (key, true));
    for (own, value) in node.entries().iter().filter(|(own, _)| key == "*" || &**own == key) {
        let at = format!("{before}{own}{}", if lists { "[]" } else { "" });
        for node in if lists { value.items() } else { std::slice::from_ref(value) } {
            match rest {
                Some(rest) => below(node, rest, &format!("{at}."), found),
                None => found.push((at.clone(), node)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::manifests::ImagePath;
    use crate::sources::manifests::yaml;

    fn found(text: &str, path: &str) -> Vec<String> {
        let mut texts = Vec::new();
        yaml::documents(text, &yaml::Budget::of(text.len()), |document| {
            let nodes = walk(&document.root, path);
            texts.extend(nodes.iter().filter_map(|(path, node)| Some(format!("{path} {}", node.text()?.0))));
        })
        .expect("YAML");
        texts
    }

    #[test]
    fn paths_go_through_maps_and_lists() {
        let text = "spec:\n  a: {image: x}\n  b: {image: y}\n  list: [{image: z}, {image: w}]\n";
        assert_eq!(found(text, "spec.a.image"), ["spec.a.image x"]);
        assert_eq!(found(text, "spec.*.image"), ["spec.a.image x", "spec.b.image y"]);
        assert_eq!(found(text, "spec.list[].image"), ["spec.list[].image z", "spec.list[].image w"]);
        assert!(found(text, "spec.c.image").is_empty());
        assert!(found("spec: {a: {enabled: false, image: x}}", "spec.*.image").is_empty());
    }

    #[test]
    fn a_path_of_the_operators_own_is_read() {
        let path = ImagePath::parse("Widget.example.com:spec.parts[].image").expect("a path");
        assert!(path.is_for("Widget", "example.com") && !path.is_for("Widget", "other.com"));
        for bad in ["", "Widget", "Widget:", ":spec", "Widget:spec..image", "Wid get:spec", "Widget:[]"] {
            assert!(ImagePath::parse(bad).is_err(), "{bad}");
        }
    }
}
