//! The verdicts on images for people: those that cannot be pulled first, each with where it stands and what to write.

pub mod kustomize;
pub mod rules;
pub mod values;

use anstyle::{AnsiColor, Style};

use super::Options;
use super::lines::{LABEL as INDENT, Page, styled};
use super::marks::{DOT, coloured};
use super::model::{ImageEntry, PreflightEntry, Report};
use crate::answers::chain::LinkState;
use crate::answers::preflight::NO_IMAGE;
use crate::answers::pull::ImageVerdict;
use crate::checks::rule::Severity;
use crate::text::{self, count};

/// Places of one image that are listed.
const PLACES: usize = 5;

/// Renders the verdicts for lines of `width` characters.
pub fn render(report: &Report, preflight: &PreflightEntry, options: &Options<'_>) -> String {
    let mut page = Page::for_options(options);
    page.verdict(report, options.elapsed);
    if let Some(effect) = &report.what_if {
        page.effect(effect);
    }
    remedies(&mut page, preflight);
    if options.details {
        images(&mut page, preflight);
    } else {
        lines(&mut page, preflight);
    }
    summary(&mut page, preflight);
    page.unseen(report);
    page.suppressed(report);
    page.finish()
}

/// What is to be done, for all images together: each command once.
fn remedies(page: &mut Page, preflight: &PreflightEntry) {
    if preflight.remedies.is_empty() {
        return;
    }
    page.line("");
    page.line(&styled("WHAT TO DO", Style::new().bold()));
    for (at, remedy) in preflight.remedies.iter().enumerate() {
        page.paragraph("  ", &format!("{}. {}", at + 1, remedy.title), 5);
        if !remedy.advice.is_empty() {
            page.paragraph("     ", &remedy.advice, 5);
        }
        page.commands("", &remedy.commands);
    }
    if preflight.remedies.iter().any(|remedy| ["cache-rule", "import"].contains(&remedy.kind.as_str())) {
        page.paragraph("  ", "--write-rules FILE writes the rules and imports as a script.", 2);
    }
}

/// A line an image: whether it can be pulled, and at which link that ends.
fn lines(page: &mut Page, preflight: &PreflightEntry) {
    page.line("");
    let mut images: Vec<&ImageEntry> = preflight.images.iter().collect();
    images.sort_by_key(|image| ImageVerdict::rank(&image.verdict));
    for image in &images {
        let shown = if image.image.is_empty() { NO_IMAGE } else { &image.image };
        let place = image.locations.first().map(|place| format!("{DOT}{}:{}", place.file, place.line));
        let more = image.locations.len().saturating_sub(1);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let first = format!(" {} ", coloured(state(image)));
        let name = text::bounded(shown, 300);
        let line = format!("{name}  {}{}{}{more}", end(image), marks(image), place.unwrap_or_default());
        page.paragraph(&first, &line, 3);
    }
    if !images.is_empty() {
        page.line("\n not shown: why, and where each image stands (--details)");
    }
}

fn state(image: &ImageEntry) -> LinkState {
    let verdict = ImageVerdict::ALL.into_iter().find(|verdict| verdict.as_str() == image.verdict);
    match (verdict, image.severity.as_deref().and_then(Severity::of)) {
        (Some(ImageVerdict::Pullable | ImageVerdict::NotPulled), _) => LinkState::Ok,
        (None | Some(ImageVerdict::Unknown), _) => LinkState::Unseen,
        (_, Some(Severity::Error)) => LinkState::Broken,
        _ => LinkState::Warning,
    }
}

/// Where the way of an image ends, and what to write instead.
fn end(image: &ImageEntry) -> String {
    let verdict = ImageVerdict::ALL.into_iter().find(|verdict| verdict.as_str() == image.verdict);
    let link = match verdict {
        Some(ImageVerdict::CacheRule) => ": no cache rule",
        Some(ImageVerdict::Never) => ": registry unreachable",
        Some(ImageVerdict::Blocked) => ": the chain is broken",
        _ => "",
    };
    let instead = image.reference.as_ref().filter(|reference| **reference != image.image);
    let instead = instead.map_or_else(String::new, |reference| format!("; write {reference}"));
    format!("{}{link}{instead}", image.verdict)
}

fn marks(image: &ImageEntry) -> String {
    let well = state(image) == LinkState::Ok;
    let marks = [
        image.severity.as_deref().filter(|_| !well),
        image.mentioned.then_some("only mentioned"),
        image.probable.then_some("named by no manifest"),
        (!well && image.severity.is_none()).then_some("accepted"),
    ];
    let marks = marks.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if marks.is_empty() { marks } else { format!(" ({marks})") }
}

fn images(page: &mut Page, preflight: &PreflightEntry) {
    for verdict in ImageVerdict::ALL {
        let own: Vec<&ImageEntry> = preflight.images.iter().filter(|image| image.verdict == verdict.as_str()).collect();
        if own.is_empty() {
            continue;
        }
        let color = match verdict {
            ImageVerdict::Pullable | ImageVerdict::NotPulled => AnsiColor::Green,
            ImageVerdict::Unknown => AnsiColor::Yellow,
            _ => AnsiColor::Red,
        };
        page.line("");
        let title = format!("{} ({})", verdict.as_str().to_uppercase(), count(own.len(), "image"));
        page.line(&styled(&title, color.on_default().bold()));
        own.into_iter().for_each(|image| one(page, image, verdict));
    }
}

/// What is well takes its first place only.
fn one(page: &mut Page, image: &ImageEntry, verdict: ImageVerdict) {
    let well = matches!(verdict, ImageVerdict::Pullable | ImageVerdict::NotPulled);
    let shown = if image.image.is_empty() { NO_IMAGE } else { &image.image };
    let marks = marks(image);
    let name = styled(&text::clean(&text::bounded(shown, 300)), Style::new().bold());
    page.line(&format!("  {name}{marks}"));
    page.field("Why", &image.detail, INDENT);
    if let Some(reference) = image.reference.as_ref().filter(|reference| **reference != image.image) {
        page.field("Write", reference, INDENT);
    }
    let listed = if well { 1 } else { PLACES };
    for (at, place) in image.locations.iter().take(listed).enumerate() {
        let source = place.source.as_ref().map_or_else(String::new, |source| format!(" (from {source})"));
        let line = format!("{}:{}{source}, {}, {}", place.file, place.line, place.object, place.container);
        page.field(if at == 0 { "Where" } else { "" }, &line, INDENT);
    }
    if image.locations.len() > listed {
        page.field("", &format!("and {} more places", image.locations.len() - listed), INDENT);
    }
}

fn summary(page: &mut Page, preflight: &PreflightEntry) {
    page.line("");
    let places: usize = preflight.images.iter().map(|image| image.locations.len()).sum();
    let counts = ImageVerdict::ALL.iter().filter_map(|verdict| {
        let number = preflight.images.iter().filter(|image| image.verdict == verdict.as_str()).count();
        (number > 0).then(|| format!("{number} {}", verdict.as_str()))
    });
    let counts = counts.collect::<Vec<_>>().join(", ");
    let line = format!(
        "{} in {}, {}: {}",
        count(preflight.objects, "object"),
        count(preflight.files, "file"),
        count(places, "image place"),
        if counts.is_empty() { "no image".to_owned() } else { counts }
    );
    page.paragraph("", &line, 0);
    if preflight.other_documents > 0 {
        let documents = count(preflight.other_documents, "document");
        page.paragraph("", &format!("{documents} without apiVersion and kind: not a Kubernetes object, skipped."), 0);
    }
    let asked = if preflight.registry_asked {
        "The registry was asked for tags and platforms; upstreams of cache rules were not."
    } else {
        "Tags and platforms not verified; use --registry."
    };
    page.paragraph("", asked, 0);
    if !preflight.unjudged.is_empty() {
        page.line(
            "\nNot judged: fields of custom resources that may name images (--image-path KIND.GROUP:PATH, or \
             aksiso.toml):",
        );
        for place in preflight.unjudged.iter().take(20) {
            let line =
                format!("{}:{}, {}: {} = {}", place.file, place.line, place.object, place.container, place.image);
            page.paragraph("  ", &line, 2);
        }
        if preflight.unjudged.len() > 20 {
            page.line(&format!("  and {} more", preflight.unjudged.len() - 20));
        }
    }
}

/// A text as YAML reads it back, whatever it holds.
fn quoted(text: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let letter = text.starts_with(|c: char| c.is_ascii_alphabetic());
    if letter && text.chars().all(plain) && !WORDS.contains(&text.to_lowercase().as_str()) {
        return text.to_owned();
    }
    serde_json::Value::from(text).to_string()
}

/// A comment of a file on one line, whatever the text holds.
fn comment(out: &mut String, text: &str) {
    out.push_str(&format!("# {}\n", text::for_ci_log(&text::clean(text))));
}
