//! The sidecar that istiod's injector adds to pods: its image stands in parts among the chart's values.

use super::json;
use super::yaml::YamlNode;

/// The images, and their lines, that the ConfigMap of an injector names.
pub(super) fn sidecars(config_map: &YamlNode) -> Vec<(String, usize)> {
    // A revision's name follows: istio-sidecar-injector-canary.
    let name = config_map.text_at(&["metadata", "name"]).unwrap_or_default();
    let values = config_map.at(&["data", "values"]).and_then(YamlNode::text);
    let Some((text, start)) = values.filter(|_| name.starts_with("istio-sidecar-injector")) else { return Vec::new() };
    let parsed = json::values(text).unwrap_or_default();
    let Some(global) = parsed.first().and_then(|values| values.get("global")) else { return Vec::new() };
    let mut images = Vec::new();
    for part in ["proxy", "proxy_init"] {
        let Some((image, line)) = global.at(&[part, "image"]).and_then(YamlNode::text) else { continue };
        if let Some(image) = whole(global, image).filter(|image| !images.iter().any(|(known, _)| known == image)) {
            images.push((image, start + line - 1));
        }
    }
    images
}

/// The reference that the injector's template makes: an image with a path stands for itself.
fn whole(global: &YamlNode, image: &str) -> Option<String> {
    if image.is_empty() || image.contains('/') {
        return Some(image.to_owned()).filter(|image| !image.is_empty());
    }
    let (hub, tag) = global.text_at(&["hub"]).zip(global.text_at(&["tag"]))?;
    let variant = global.text_at(&["variant"]).filter(|variant| !variant.is_empty() && !tag.ends_with(variant));
    let variant = variant.map(|variant| format!("-{variant}")).unwrap_or_default();
    Some(format!("{}/{image}:{tag}{variant}", hub.trim_end_matches('/')))
}
