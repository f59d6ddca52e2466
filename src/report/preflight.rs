//! The verdicts on images for people: those that cannot be pulled first, each with where it stands and what to write.

use std::collections::{HashMap, HashSet};

use anstyle::{AnsiColor, Style};

use super::Options;
use super::model::{FindingEntry, ImageEntry, PreflightEntry, Report};
use super::table::{Page, styled};
use crate::answers::preflight::NO_IMAGE;
use crate::answers::pull::ImageVerdict;
use crate::text::{self, count};

/// Places of one image that are listed.
const PLACES: usize = 5;
/// Column at which the text begins.
const INDENT: usize = 10;

/// Renders the verdicts for lines of `width` characters.
pub fn render(report: &Report, preflight: &PreflightEntry, options: &Options<'_>) -> String {
    let mut page = Page::new(options.width);
    page.head(report);
    if let Some(effect) = &report.what_if {
        page.effect(effect);
    }
    images(&mut page, preflight, report);
    summary(&mut page, preflight);
    page.unseen(report);
    page.suppressed(report);
    page.finish()
}

fn images(page: &mut Page, preflight: &PreflightEntry, report: &Report) {
    let found: HashMap<&str, &FindingEntry> =
        report.findings.iter().map(|finding| (finding.subject.id.as_str(), finding)).collect();
    // A cache rule that many images need is told once.
    let mut printed: HashSet<Vec<String>> = HashSet::new();
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
        for image in own {
            one(page, image, verdict, &found, &mut printed);
        }
    }
}

/// What is well takes one line and its first place; what is not says why and what to do.
fn one(
    page: &mut Page,
    image: &ImageEntry,
    verdict: ImageVerdict,
    found: &HashMap<&str, &FindingEntry>,
    printed: &mut HashSet<Vec<String>>,
) {
    let well = matches!(verdict, ImageVerdict::Pullable | ImageVerdict::NotPulled);
    let shown = if image.image.is_empty() { NO_IMAGE } else { &image.image };
    page.line(&format!("  {}", styled(&text::clean(&text::bounded(shown, 300)), Style::new().bold())));
    page.field("Why", &image.detail, INDENT);
    if let Some(reference) = &image.reference {
        page.field("Write", reference, INDENT);
    }
    if !well {
        let finding = found.get(image.image.as_str());
        if let Some(remediation) = finding.map(|finding| &finding.remediation) {
            if !image.commands.is_empty() && printed.contains(&image.commands) {
                page.field("Do", "The same as above, then write this reference.", INDENT);
            } else {
                page.field("Do", &remediation.summary, INDENT);
                page.commands("", &remediation.commands);
                printed.insert(image.commands.clone());
            }
        }
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
        page.paragraph(
            "",
            &format!("{documents} without apiVersion and kind: no object of Kubernetes, and not looked at."),
            0,
        );
    }
    let asked = if preflight.registry_asked {
        "The registry was asked for tags and platforms; upstreams of cache rules were not."
    } else {
        "Whether tags exist, and for which platforms, was not asked (--registry asks the registry)."
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
