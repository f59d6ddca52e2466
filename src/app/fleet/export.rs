//! `--export-snapshots`: each judged cluster as an ordinary snapshot, under pseudonyms where that was wanted.

use std::path::Path;

use anyhow::Context as _;

use super::evidence_of;
use crate::answers::fleet::{Judged, Projector};
use crate::app::cli::FleetArgs;
use crate::app::{output, pseudonyms};
use crate::evidence::anonymize::{self, Pseudonyms};
use crate::evidence::fleet::Fleet;
use crate::evidence::snapshot;
use crate::text;

/// Writes the snapshots. What could not be judged has none: there is nothing to put into it.
pub(super) fn export(fleet: &Fleet, judged: &[Judged], folder: &Path, args: &FleetArgs) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    // Nobody is asked any more: what was not asked for is not looked for.
    let projector = Projector::new(fleet, false);
    let map = args.anonymize_map.as_deref();
    let mut names = map.map_or_else(|| Ok(Pseudonyms::default()), |map| pseudonyms(map, false))?;
    for cluster in judged {
        let Some(mut evidence) = evidence_of(&projector, fleet, cluster) else { continue };
        if args.anonymize {
            evidence = anonymize::anonymize(&evidence, &mut names)?;
        }
        // Names repeat from subscription to subscription.
        let id = evidence.cluster.id.normalized();
        let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let name: String = evidence.cluster.name().chars().map(safe).take(80).collect();
        let file = format!("{name}-{}.json", text::truncated(&text::hash(&id), 8));
        output::write_whole(&folder.join(file), snapshot::render(&evidence)?.as_bytes())?;
    }
    if let Some(map) = map {
        output::write_whole(map, names.render()?.as_bytes())?;
    }
    Ok(())
}
