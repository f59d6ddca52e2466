//! Images in plain text: arguments, scripts, variables, annotations and entries of ConfigMaps, by which operators are
//! told what to start.

use crate::evidence::image::{self, Image};

/// Finds images in texts that follow one another: a flag in one may name the value in the next.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// Whether what was read last says that an image follows.
    announced: bool,
}

impl Scanner {
    /// The images of a text, each with its line in it, from 0; `name` is what the text is called, such as the
    /// variable's name.
    pub(super) fn scan<'t>(&mut self, name: &str, text: &'t str) -> Vec<(&'t str, usize)> {
        let named = means_image(name);
        let mut found = Vec::new();
        for (line, content) in text.lines().enumerate() {
            if content.trim_start().starts_with(['#', ';']) || content.trim_start().starts_with("//") {
                continue;
            }
            let mut before = "";
            for word in content.split(is_between).filter(|word| !word.is_empty()) {
                if let Some(image) = self.word(word, before, named) {
                    found.push((image, line));
                }
                before = word;
            }
        }
        found
    }

    /// Whether a word is an image, or says that the next one is.
    fn word<'t>(&mut self, word: &'t str, before: &str, named: bool) -> Option<&'t str> {
        if word == "=" || word == ":" {
            self.announced = means_image(before);
            return None;
        }
        if let Some(key) = word.strip_suffix(['=', ':']) {
            self.announced = means_image(key);
            return None;
        }
        let (key, value) = word.rsplit_once('=').map_or((None, word), |(key, value)| (Some(key), value));
        if key.is_none() && word.starts_with('-') {
            self.announced = means_image(word);
            return None;
        }
        let announced = std::mem::take(&mut self.announced);
        let meant = named || key.map_or(announced, means_image);
        is_image(value, meant).then_some(value)
    }
}

/// What stands between the words of arguments, scripts and configuration files.
fn is_between(c: char) -> bool {
    c.is_whitespace() || "\"'`,;()[]{}<>|\\".contains(c)
}

/// Whether a text can hardly be anything but an image: it has a version, and it stands under a name that says so or
/// names a registry that everybody knows.
fn is_image(text: &str, meant: bool) -> bool {
    image::has_version(text)
        && !text.contains("://")
        && (meant || image::is_at_known_registry(text))
        && Image::parse(text).is_some()
}

/// Whether a name, such as `--engine-image`, `CSI_ATTACHER_IMAGE` or `proxyImage`, is that of an image, and not of
/// something about one.
pub(super) fn means_image(name: &str) -> bool {
    const ABOUT: [&str; 26] = [
        "pull",
        "policy",
        "secret",
        "secrets",
        "tag",
        "size",
        "format",
        "gc",
        "dir",
        "path",
        "url",
        "server",
        "port",
        "type",
        "filter",
        "regex",
        "background",
        "logo",
        "registry",
        "host",
        "hosts",
        "address",
        "addr",
        "endpoint",
        "service",
        "mirror",
    ];
    let mut words = Vec::new();
    let mut word = String::new();
    let mut lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (lower && c.is_uppercase()) {
            words.push(std::mem::take(&mut word));
        }
        lower = c.is_lowercase();
        word.extend(c.is_alphanumeric().then(|| c.to_ascii_lowercase()));
    }
    words.push(word);
    let image = |word: &String| word.ends_with("image") || word.ends_with("images");
    // A query compares images: image!="".
    !name.ends_with(['!', '~']) && words.iter().any(image) && !words.iter().any(|word| ABOUT.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, texts: &[&str]) -> Vec<(String, usize)> {
        let mut scanner = Scanner::default();
        let all = texts.iter().flat_map(|text| scanner.scan(name, text));
        all.map(|(image, line)| (image.to_owned(), line)).collect()
    }

    fn images(name: &str, texts: &[&str]) -> Vec<String> {
        found(name, texts).into_iter().map(|(image, _)| image).collect()
    }

    #[test]
    fn flags_name_what_follows() {
        assert_eq!(images("", &["--solver-image=quay.io/jetstack/solver:v1"]), ["quay.io/jetstack/solver:v1"]);
        assert_eq!(
            images("", &["--engine-image", "longhornio/engine:v1.9", "--next", "a/b:1"]),
            ["longhornio/engine:v1.9"]
        );
        assert_eq!(images("", &["-shell-image", "cgr.dev/chainguard/busybox@sha256:x", "x"]), Vec::<String>::new());
        let script = "exec inject \\\n  -consul-image=\"hashicorp/consul:1.21\" \\\n  -log=a/b:c\n# -old-image=a/b:1\n";
        assert_eq!(found("", &["-c", script]), [("hashicorp/consul:1.21".to_owned(), 1)]);
        assert!(
            images("", &["--image-pull-policy=a/b:c", "--image=https://a/b:c", "--image=", "--log=info"]).is_empty()
        );
    }

    #[test]
    fn variables_and_entries_may_list_several() {
        let kafka = "3.9.0=quay.io/strimzi/kafka:0.47.0-kafka-3.9.0\n4.0.0=strimzi/kafka:0.47.0-kafka-4.0.0\n";
        assert_eq!(
            images("STRIMZI_KAFKA_IMAGES", &[kafka]),
            ["quay.io/strimzi/kafka:0.47.0-kafka-3.9.0", "strimzi/kafka:0.47.0-kafka-4.0.0"]
        );
        assert_eq!(images("RELATED_IMAGE_X", &["redis:7"]), ["redis:7"]);
        assert_eq!(images("URL", &["https://quay.io/x:y"]), Vec::<String>::new());
        assert_eq!(images("ADDRESS", &["redis:7"]), Vec::<String>::new());
    }

    #[test]
    fn configuration_files_are_read_line_by_line() {
        assert_eq!(
            found("c.yaml", &["a: 1\nagent:\n  image: \"jenkins/agent:3\"\n"]),
            [("jenkins/agent:3".to_owned(), 2)]
        );
        assert_eq!(
            images("c.toml", &["[runners]\n  image = \"ubuntu:24.04\"\n  # image = \"x:1\"\n"]),
            ["ubuntu:24.04"]
        );
        assert_eq!(
            images("c.json", &["{\"image\":\"a/b:1\",\"proxyImage\" : \"c/d:2\",\"host\":\"e/f:3\"}"]),
            ["a/b:1", "c/d:2"]
        );
        assert_eq!(images("rules", &["expr: rate(x{image!=\"\"}[5m:1m]) > 0"]), Vec::<String>::new());
        assert_eq!(images("rules", &["expr: kube_pod_info{image=~\".*:latest\"} > 0"]), Vec::<String>::new());
    }

    #[test]
    fn names_of_images_are_told_from_names_about_images() {
        for name in [
            "image",
            "--engine-image",
            "CSI_ATTACHER_IMAGE",
            "proxyImage",
            "docker_image",
            "RELATED_IMAGE_A",
            "baseImage",
        ] {
            assert!(means_image(name), "{name}");
        }
        for name in ["", "imagePullPolicy", "IMAGE_PULL_SECRETS", "image-gc-high", "imaging", "registry", "imageTag"] {
            assert!(!means_image(name), "{name}");
        }
    }
}
