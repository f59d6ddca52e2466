//! The HTML page in a real browser, where one is installed: Chromium or Chrome, by `AKSISO_BROWSER` or on the path.
//! With `AKSISO_NEEDS_BROWSER` a missing one is a failure: CI sets it.

use std::path::{Path, PathBuf};
use std::process::Command;

use aksiso::report::html;
use serde_json::Value;

use crate::{fixtures, judged, snapshots};

const NAMES: [&str; 5] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome-headless-shell"];

fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("AKSISO_BROWSER") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    there.into_iter().find(|program| program.is_file())
}

/// A page that shows the report in frames as wide as a screen and as a phone, and writes down what it sees there.
fn harness(page: &str) -> String {
    let page = page.replace('&', "&amp;").replace('"', "&quot;");
    format!(
        r#"<!doctype html><meta charset="utf-8"><body>
<iframe width="1280" height="900" srcdoc="{page}"></iframe><iframe width="390" height="800" srcdoc="{page}"></iframe>
<script>
addEventListener("load", () => {{
  const seen = [...document.querySelectorAll("iframe")].map((frame) => {{
    const inner = frame.contentDocument, view = frame.contentWindow;
    const shown = [...inner.querySelectorAll(".link.broken rect")].map((box) => box.getBoundingClientRect())
      .filter((box) => box.width > 20 && box.height > 20);
    const style = view.getComputedStyle(inner.body);
    return {{
      width: view.innerWidth,
      broken: shown.length,
      inside: shown.every((box) => box.left >= 0 && box.right <= view.innerWidth),
      scrolls: inner.documentElement.scrollWidth > view.innerWidth,
      requests: view.performance.getEntriesByType("resource").length,
      copies: [...inner.querySelectorAll("button.copy")].filter((button) => !button.hidden).length,
      ink: style.color, paper: style.backgroundColor,
    }};
  }});
  const out = document.createElement("pre");
  out.id = "seen";
  out.textContent = JSON.stringify(seen);
  document.body.replaceChildren(out);
}});
</script>"#
    )
}

fn look(program: &Path, page: &Path, dark: bool) -> (Vec<Value>, String) {
    let profile = tempfile::tempdir().expect("a folder");
    let scheme =
        if dark { "--blink-settings=preferredColorScheme=0" } else { "--blink-settings=preferredColorScheme=1" };
    let output = Command::new(program)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=5000", "--enable-logging=stderr"])
        .args([scheme, "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("the browser runs");
    let (dom, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr).into_owned());
    let seen = dom.split("<pre id=\"seen\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    let seen = seen.unwrap_or_else(|| panic!("the page was not looked at:\n{dom}\n{log}")).replace("&quot;", "\"");
    (serde_json::from_str(&seen).expect("JSON"), log)
}

#[test]
fn the_page_shows_the_broken_link_on_a_screen_and_on_a_phone() {
    let Some(program) = browser() else {
        assert!(std::env::var_os("AKSISO_NEEDS_BROWSER").is_none(), "no browser is installed");
        eprintln!("no browser is installed: the HTML page was not looked at");
        return;
    };
    let report = judged::report(&fixtures::evidence(&fixtures::named("cases/three-faults")));
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("page.html");
    std::fs::write(&page, harness(&html::render(&report))).expect("written");
    let mut papers = Vec::new();
    for dark in [false, true] {
        let (frames, log) = look(&program, &page, dark);
        assert!(!log.contains("CONSOLE"), "the page complains: {log}");
        assert_eq!(frames.len(), 2);
        for frame in &frames {
            assert_eq!(frame["broken"], 3, "{frame}");
            assert_eq!((&frame["inside"], &frame["scrolls"]), (&Value::Bool(true), &Value::Bool(false)), "{frame}");
            assert_eq!(frame["requests"], 0, "{frame}");
            assert!(frame["copies"].as_u64().is_some_and(|number| number >= 3), "the script ran: {frame}");
            assert_ne!(frame["ink"], frame["paper"], "{frame}");
        }
        papers.push(frames[0]["paper"].clone());
    }
    assert_ne!(papers[0], papers[1], "light and dark");
}

/// The picture of the page in the README is taken of `docs/report.html`, which is the page as it is. With
/// `AKSISO_UPDATE` both are written, which takes a browser.
#[test]
fn the_picture_of_the_page_is_of_the_page_as_it_is() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let (page, picture) = (docs.join("report.html"), docs.join("report.png"));
    let evidence = aksiso::app::files::read_snapshot(&snapshots::example()).expect("a snapshot");
    let drawn = html::render(&judged::report(&evidence));
    if std::env::var_os("AKSISO_UPDATE").is_some() {
        std::fs::write(&page, &drawn).expect("written");
        photograph(&browser().expect("a browser takes docs/report.png"), &page, &picture);
    }
    let shipped = std::fs::read_to_string(&page).unwrap_or_default().replace("\r\n", "\n");
    assert!(shipped == drawn, "docs/report.html is old: AKSISO_UPDATE=1 cargo test --test it browser::");
    let picture = std::fs::read(&picture).expect("docs/report.png");
    assert!(picture.starts_with(b"\x89PNG\r\n") && picture.len() < 200_000, "{} bytes", picture.len());
}

/// The upper part of a page, as a window shows it.
fn photograph(program: &Path, page: &Path, picture: &Path) {
    let profile = tempfile::tempdir().expect("a folder");
    let taken = Command::new(program)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        .args(["--hide-scrollbars", "--window-size=1100,620", "--blink-settings=preferredColorScheme=1"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("the browser runs");
    assert!(taken.status.success() && picture.is_file(), "{}", String::from_utf8_lossy(&taken.stderr));
}
