//! Preflight against a server: the registry that is asked, and another one beside it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use aksiso::diagnosis::Diagnosis;
use serde_json::json;

use super::pipeline::{err, out};
use crate::fixtures;
use crate::site::Site;

/// A proxy that leads every host to one address, as an operator's way to a private registry may.
fn proxy(to: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let to = to.clone();
            std::thread::spawn(move || tunnel(stream, &to));
        }
    });
    format!("http://{address}")
}

fn tunnel(mut client: TcpStream, to: &str) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let mut server = TcpStream::connect(to).ok()?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
    let (mut from, mut into) = (client.try_clone().ok()?, server.try_clone().ok()?);
    std::thread::spawn(move || std::io::copy(&mut from, &mut into));
    std::io::copy(&mut server, &mut client).ok()?;
    Some(())
}

/// The registry is asked for metadata only: a pull through a cache rule would make it fetch and keep the image.
#[test]
fn the_registry_is_asked_for_tags_and_platforms() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    let web = json!({ "tag": { "name": "42", "digest": "sha256:web" } });
    site.server.route("/acr/v1/shop/web/_tags/42", &web);
    let platforms = json!({ "manifest": { "digest": "sha256:web", "references": [
        { "digest": "a", "os": "linux", "architecture": "amd64" }, { "digest": "b", "os": "unknown", "architecture": "unknown" } ] } });
    site.server.route("/acr/v1/shop/web/_manifests/sha256:web", &platforms);
    site.server.route("/acr/v1/_catalog", &json!({ "repositories": ["quay.io/old/copy", "shop/web"] }));
    let address = site.server.url().trim_start_matches("https://").to_owned();
    let run = |more: &[&str]| {
        let mut command = site.command();
        command.env("HTTPS_PROXY", proxy(address.clone())).env("NO_PROXY", "127.0.0.1");
        command.arg("preflight").arg(fixtures::folder().join("manifests/shop.yaml"));
        command.args(["--cluster-id", &site.cluster, "--kubeconfig"]).arg(site.path("kubeconfig"));
        command.args(["--no-config", "--output", "json", "-vv"]).args(more).output().expect("it runs")
    };
    let output = run(&["--registry"]);
    let report: serde_json::Value = serde_json::from_str(&out(&output)).unwrap_or_else(|_| panic!("{}", err(&output)));
    let of = |name: &str| {
        let images = report["preflight"]["images"].as_array().expect("images");
        let image = images.iter().find(|image| image["image"].as_str().is_some_and(|own| own.contains(name)));
        image.unwrap_or_else(|| panic!("{name}")).clone()
    };
    assert_eq!(report["preflight"]["registryAsked"], true);
    assert_eq!(of("shop/web:42")["verdict"], "pullable");
    assert!(
        of("shop/web:42")["detail"].as_str().is_some_and(|why| why.contains("The registry has it")),
        "{}",
        of("shop/web:42")
    );
    assert_eq!(of("shop/migrate:42")["verdict"], "never");
    assert!(of("dotnet/runtime")["detail"].as_str().is_some_and(|why| why.contains("not cached this version yet")));
    // A repository stands where the rule would put its own: another target is proposed.
    let quay = of("quay.io/prometheus/statsd-exporter");
    assert_eq!(quay["reference"], "contosoboot.azurecr.io/cache/quay.io/prometheus/statsd-exporter:v0.28.0");
    let requests = site.server.requests();
    let signed_in = requests.iter().filter(|(_, path)| path.ends_with("/oauth2/v2.0/token")).count();
    assert_eq!(signed_in, 2, "a token for ARM and one for registries, each once: {requests:?}");
    let asked: Vec<(String, String)> =
        requests.into_iter().filter(|(_, path)| path.contains("/acr/") || path.contains("/oauth2/")).collect();
    assert!(!asked.iter().any(|(_, path)| path.contains("/v2/")), "{asked:?}");
    assert_eq!(asked.iter().filter(|(_, path)| path.contains("/oauth2/exchange")).count(), 1, "signed in once");
    assert!(!err(&output).contains(crate::server::REFRESH) && !out(&output).contains(crate::server::REFRESH));
    // Without the way to it: a gap, and no pass.
    let mut command = site.command();
    command.env("HTTPS_PROXY", "http://127.0.0.1:1").env("NO_PROXY", "127.0.0.1");
    command
        .args(["preflight", "-", "--registry", "--no-config", "--cluster-id", &site.cluster, "--kubeconfig"])
        .arg(site.path("kubeconfig"));
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: \"contosoboot.azurecr.io/shop/web:42\"}]}\n";
    let blind = command.write_stdin(pod).output().expect("it runs");
    assert_eq!(blind.status.code(), Some(3), "{}{}", out(&blind), err(&blind));
    assert!(out(&blind).contains("repository shop/web of contosoboot.azurecr.io"), "{}", out(&blind));
    site.server.stop();
}

/// A registry besides the cluster's own: the same chain, asked live and kept in a snapshot.
#[test]
fn another_registry_is_looked_at() {
    let site = Site::new(&super::other_registry(|_| ()));
    let file = site.path("s.json");
    let mut command = site.command();
    command
        .args(["collect", "--cluster-id", &site.cluster, "--other-registry", super::OTHER, "--kubeconfig"])
        .arg(site.path("kubeconfig"));
    let collected = command.arg("-o").arg(&file).output().expect("it runs");
    let blind = || {
        Diagnosis::of(&aksiso::app::files::read_snapshot(&file).expect("a snapshot"), aksiso::checks::catalogue::ALL)
            .checks
            .iter()
            .flat_map(|judged| judged.gaps.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(collected.status.code(), Some(0), "{:?}", blind());
    let read = aksiso::app::files::read_snapshot(&file).expect("a snapshot");
    assert_eq!(read.other_registries.len(), 1);
    let (verdict, why, _) = super::verdict(&read, "contosoapps.azurecr.io/a:1");
    assert_eq!(verdict, aksiso::answers::pull::ImageVerdict::Pullable, "{why}");
    site.server.stop();
}
