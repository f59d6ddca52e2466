//! Connections as kubectl and az make them: kubeconfigs of every kind, proxies, and servers that break off, hang or are
//! not what they seem.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::fixtures;
use crate::proxy::{Manner, Proxy};
use crate::server::{Fault, KUBE_TOKEN};
use crate::site::{Site, gap, report, status, stderr};

/// The API server's name in kubeconfigs of these tests: nothing resolves it but a proxy.
const PRIVATE: &str = "aks1-abc.1234.privatelink.eastus.azmk8s.example";

fn site() -> Site {
    Site::new(&fixtures::healthy_json("byo"))
}

/// A kubeconfig for a server that only a proxy finds.
fn private(site: &Site, more: &str) -> String {
    let own = site.kubeconfig(&format!("https://{PRIVATE}:443"));
    own.replace("certificate-authority:", &format!("tls-server-name: localhost, {more} certificate-authority:"))
}

/// What was named and is wrong ends the run before anything is asked, with a sentence of its own.
#[test]
fn a_kubeconfig_that_was_named_and_is_wrong_is_exit_2() {
    let site = site();
    let whole = site.kubeconfig(&site.server.url());
    for (kubeconfig, why) in [
        (whole.replace("current-context: it", "current-context: gone"), "has no context \"gone\""),
        (whole.replace("cluster: c,", "cluster: gone,"), "names cluster \"gone\""),
        (whole.replace("user: u}", "user: gone}"), "names user \"gone\""),
        (whole.replace("ca.pem", "gone.pem"), "certificate-authority"),
        (site.kubeconfig_with(&site.server.url(), "{tokenFile: /gone/token}"), "tokenFile /gone/"),
        (whole.replace(&site.server.url(), "ftp://x"), "its server is not"),
        ("{".to_owned(), "is not a kubeconfig"),
    ] {
        site.write_kubeconfig(&kubeconfig);
        let output = site.diagnose(&[]);
        assert_eq!(output.status.code(), Some(2), "{why}: {}", stderr(&output));
        assert!(stderr(&output).contains(why), "{why}: {}", stderr(&output));
        assert!(
            output.stdout.is_empty() && !stderr(&output).contains("panicked") && !stderr(&output).contains(KUBE_TOKEN)
        );
    }
    assert!(site.server.requests().is_empty());
}

/// What stands in a context that nobody named never costs what Azure answered: here a server without a scheme, and a
/// token that no header may hold.
#[test]
fn nothing_in_a_context_that_nobody_named_ends_the_run() {
    let site = site();
    let whole = site.kubeconfig(&site.server.url());
    for broken in [
        whole.replace(&site.server.url(), "localhost:1"),
        whole.replace(&site.server.url(), "::::"),
        whole.replace("{token: ", "{token: \"\\u0001\", as: "),
        whole.replace("ca.pem", "gone.pem"),
    ] {
        site.write_kubeconfig(&broken);
        let mut command = site.command();
        command.env("KUBECONFIG", site.path("kubeconfig"));
        let output =
            command.args(["diagnose", "--output", "json", "--cluster-id", &site.cluster]).output().expect("it runs");
        assert_eq!(output.status.code(), Some(3), "{broken}: {}", stderr(&output));
        assert_eq!(status(&output, "cache-rules"), "passed");
        assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
    }
}

/// A system that trusts nobody, such as an empty container: Azure cannot be asked, and a snapshot needs nobody.
#[test]
fn without_any_certificate_authority_there_is_an_error_and_snapshots_are_read() {
    let site = site();
    std::fs::write(site.path("none.pem"), "no PEM").expect("written");
    for file in ["gone.pem", "none.pem"] {
        let mut command = site.command();
        command.env("SSL_CERT_FILE", site.path(file)).args(["diagnose", "--cluster-id", &site.cluster]);
        let output = command.output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains("hint: install the system's certificate authorities"), "{}", stderr(&output));
        assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
        let mut command = site.command();
        command.env("SSL_CERT_FILE", site.path(file)).args(["diagnose", "--no-config", "--from"]);
        let output = command.arg(fixtures::folder().join("example.json")).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    }
}

/// `KUBECONFIG` may name a file that is not there; a server needs no scheme; a certificate may be a file.
#[test]
fn kubeconfigs_that_kubectl_takes_are_taken() {
    let mut snapshot = fixtures::healthy_json("byo");
    snapshot["evidence"]["cluster"]["properties"]["fqdn"] = "127.0.0.1".into();
    let site = Site::new(&snapshot);
    let key = rcgen::generate_simple_self_signed(["x".to_owned()]).expect("a certificate");
    std::fs::write(site.path("token"), format!("{KUBE_TOKEN}\n")).expect("written");
    std::fs::write(site.path("client.pem"), key.cert.pem()).expect("written");
    std::fs::write(site.path("client.key"), key.signing_key.serialize_pem()).expect("written");
    let user = "{tokenFile: token, client-certificate: client.pem, client-key: client.key}";
    let mine = site.kubeconfig_with(site.server.url().trim_start_matches("https://"), user);
    // Another context of the same cluster comes first in the file; the current one is what kubectl would use.
    let other = "contexts:\n- name: first\n  context: {cluster: c, user: nobody}\n";
    site.write_kubeconfig(&mine.replace("contexts:\n", other));
    let mut command = site.command();
    command.env("KUBECONFIG", format!("{}:{}", site.path("gone").display(), site.path("kubeconfig").display()));
    let output =
        command.args(["diagnose", "-v", "--output", "json", "--cluster-id", &site.cluster]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("Kubernetes API: context it"), "{}", stderr(&output));
}

/// `HTTPS_PROXY`, `NO_PROXY`, `proxy-url` and SOCKS, as kubectl has them; credentials of a proxy are never shown.
#[test]
fn the_api_server_is_reached_through_the_proxy_that_kubectl_would_take() {
    let site = site();
    let run = |kubeconfig: &str, variables: &[(&str, String)]| {
        site.write_kubeconfig(kubeconfig);
        let mut command = site.command();
        command.envs(variables.iter().cloned()).args([
            "diagnose",
            "-v",
            "--cluster-id",
            &site.cluster,
            "--output",
            "json",
        ]);
        command.arg("--kubeconfig").arg(site.path("kubeconfig")).output().expect("it runs")
    };
    let here = "127.0.0.1";
    for (manner, scheme) in [(Manner::Http, "http://user:CANARY@"), (Manner::Socks, "socks5://")] {
        let proxy = Proxy::start(site.server.address, manner);
        let address = format!("{scheme}{}", proxy.address);
        let variables = [("HTTPS_PROXY", address.clone()), ("NO_PROXY", here.to_owned())];
        let through = run(&private(&site, ""), &variables);
        assert_eq!(through.status.code(), Some(0), "{manner:?}: {}", stderr(&through));
        assert_eq!(proxy.asked(), [format!("{PRIVATE}:443")]);
        assert!(
            stderr(&through).contains("(HTTPS_PROXY)") && !stderr(&through).contains("CANARY"),
            "{}",
            stderr(&through)
        );

        let proxy = Proxy::start(site.server.address, manner);
        let own = format!("proxy-url: '{scheme}{}',", proxy.address);
        let lost = [("HTTPS_PROXY", "http://127.0.0.1:1".to_owned()), ("NO_PROXY", format!("{here},{PRIVATE}"))];
        let through = run(&private(&site, &own), &lost);
        assert_eq!(through.status.code(), Some(0), "{manner:?}: {}", stderr(&through));
        assert_eq!(proxy.asked(), [format!("{PRIVATE}:443")], "proxy-url goes before the environment");
    }
    let proxy = Proxy::start(site.server.address, Manner::Http);
    for exception in [".azmk8s.example", "azmk8s.example", "*.azmk8s.example", PRIVATE] {
        let variables =
            [("HTTPS_PROXY", format!("http://{}", proxy.address)), ("NO_PROXY", format!("{here}, {exception}"))];
        let direct = run(&private(&site, ""), &variables);
        assert_eq!(direct.status.code(), Some(3), "{exception}");
        assert!(gap(&direct, "image-pulls").contains("its name does not resolve"), "{}", gap(&direct, "image-pulls"));
    }
    assert!(proxy.asked().is_empty(), "{:?}", proxy.asked());
}

/// Azure's client takes the same kinds of proxies.
#[test]
fn azure_is_reached_through_proxies_of_every_kind() {
    let site = site();
    for (manner, scheme) in [(Manner::Http, "http"), (Manner::SocksByAddress, "socks5")] {
        let proxy = Proxy::start(site.server.address, manner);
        let mut command = site.command();
        command.env("HTTPS_PROXY", format!("{scheme}://{}", proxy.address));
        command.args(["diagnose", "--cluster-id", &site.cluster, "--no-kubernetes", "--allow-incomplete"]);
        let output = command.output().expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{manner:?}: {}", stderr(&output));
        assert!(proxy.used(), "{manner:?}");
    }
}

/// A proxy is blamed for what it does itself, by name.
#[test]
fn a_proxy_that_refuses_is_named() {
    let site = site();
    site.write_kubeconfig(&private(&site, ""));
    let ask = |address: String| {
        let mut command = site.command();
        command.env("HTTPS_PROXY", address).env("NO_PROXY", "127.0.0.1");
        command.args(["diagnose", "--cluster-id", &site.cluster, "--output", "json", "--kubeconfig"]);
        let output = command.arg(site.path("kubeconfig")).output().expect("it runs");
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
        gap(&output, "image-pulls")
    };
    let behaving = |manner: Manner| format!("http://{}", Proxy::start(site.server.address, manner).address);
    let named = "the proxy 127.0.0.1:";
    for (address, why) in [
        (behaving(Manner::Refuses(407)), "wants a sign-in (407)"),
        (behaving(Manner::Refuses(403)), "does not connect to the Kubernetes API"),
        ("http://127.0.0.1:1".to_owned(), "cannot be reached"),
    ] {
        let said = ask(address);
        assert!(said.starts_with(named) && said.contains(why), "{said}");
    }
    let mut command = site.command();
    command.env("HTTPS_PROXY", "http://127.0.0.1:1");
    let output =
        command.args(["diagnose", "--cluster-id", &site.cluster, "--no-kubernetes"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("the proxy 127.0.0.1:1 (HTTPS_PROXY)"), "{}", stderr(&output));
}

/// What answers a Kubernetes address and is not it: told apart, each with its own words.
#[test]
fn servers_that_are_not_what_they_seem_are_told_apart() {
    let site = site();
    let plain = TcpListener::bind("127.0.0.1:0").expect("a port");
    let plain_address = plain.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut client in plain.incoming().map_while(Result::ok) {
            let _ = std::io::Write::write_all(&mut client, b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let closing = TcpListener::bind("127.0.0.1:0").expect("a port");
    let closing_address = closing.local_addr().expect("an address");
    std::thread::spawn(move || closing.incoming().map_while(Result::ok).for_each(drop));
    let frozen = TcpListener::bind("127.0.0.1:0").expect("a port");
    let frozen_address = frozen.local_addr().expect("an address");
    let other = crate::site::Site::new(&fixtures::healthy_json("byo"));
    for (server, why) in [
        (format!("https://{plain_address}"), "does not speak TLS"),
        (format!("https://{closing_address}"), "the connection broke off"),
        (format!("https://{frozen_address}"), "did not answer in time"),
        (other.server.url(), "the kubeconfig's certificate-authority does not vouch for it"),
    ] {
        site.write_kubeconfig(&site.kubeconfig(&server));
        let output = site.diagnose(&["--timeout", "6s"]);
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
        let said = gap(&output, "image-pulls");
        assert!(said.starts_with("the Kubernetes API (127.0.0.1:") && said.contains(why), "{why}: {said}");
        assert!(!said.contains("SSL_CERT_FILE"), "{said}");
        assert_eq!(status(&output, "private-dns"), "passed", "what Azure answers is judged all the same");
    }
}

/// What hangs on one side leaves the other its time: an API that never answers, and what follows in Azure.
#[test]
fn a_slow_api_server_starves_no_question_to_azure() {
    let site = Site::new(&fixtures::named("cases/dns-zone-list-filtered"));
    let whole = site.diagnose(&["--check", "private-dns", "--check", "image-pulls"]);
    for path in ["/api/v1/nodes", "/api/v1/pods", "/api/v1/events"] {
        site.server.fault(path, Fault::NoAnswer);
    }
    let output = site.diagnose(&["--check", "private-dns", "--check", "image-pulls", "--timeout", "3s"]);
    assert_eq!(status(&output, "image-pulls"), "undetermined");
    assert_eq!(status(&output, "private-dns"), status(&whole, "private-dns"));
    assert_eq!(gap(&output, "private-dns"), gap(&whole, "private-dns"));
}

/// What breaks off once is asked again: by the Kubernetes API, by ARM, and in the middle of an answer.
#[test]
fn what_breaks_off_once_is_asked_again() {
    let site = site();
    let registry = fixtures::healthy("byo").registry_id().expect("a registry").to_string();
    for path in ["/api/v1/nodes", "/api/v1/pods", &registry, &format!("{registry}/cacheRules")] {
        for fault in [Fault::Reset, Fault::CutBody] {
            site.server.clear();
            site.server.fault(path, Fault::First(Box::new(fault.clone())));
            let output = site.diagnose(&[]);
            assert_eq!(output.status.code(), Some(0), "{path} {fault:?}: {}", stderr(&output));
        }
    }
    site.server.fault("/api/v1/pods", Fault::First(Box::new(Fault::Status(410))));
    assert_eq!(site.diagnose(&[]).status.code(), Some(0));
}

/// Lists that were rejected together come back at different times, and are read in the end.
#[test]
fn lists_that_a_busy_server_rejects_together_come_back_one_by_one() {
    let site = site();
    let names = ["nodes", "pods", "events"];
    names.iter().for_each(|name| site.server.fault(&format!("/api/v1/{name}"), Fault::Crowded));
    let output = site.diagnose(&["--check", "image-pulls"]);
    assert_eq!(output.status.code(), Some(0), "{}", gap(&output, "image-pulls"));
    let asked = site.server.requests().iter().filter(|(_, url)| url.starts_with("/api/v1/")).count();
    assert!(asked > 4, "nobody was rejected in {asked} requests");
}

/// The server's own sentence names the user: without it, a missing sign-in looks like a missing role.
#[test]
fn a_refusal_names_the_user_and_an_anonymous_request_is_no_missing_role() {
    let site = site();
    let status_of = |user: &str| {
        let message = format!("nodes is forbidden: User \"{user}\" cannot list resource \"nodes\" in API group \"\"");
        json!({ "kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403, "message": message })
            .to_string()
    };
    for (user, role) in [("anna@contoso.com", true), ("system:anonymous", false)] {
        site.server.fault("/api/v1/nodes", Fault::Body(403, status_of(user)));
        let output = site.diagnose(&[]);
        let whole = report(&output);
        let check = whole["checks"].as_array().expect("checks").iter().find(|check| check["id"] == "image-pulls");
        let gap = &check.expect("the check")["gaps"][0];
        assert!(gap["detail"].as_str().is_some_and(|detail| detail.contains(user)), "{gap}");
        assert_eq!(gap["role"].is_string(), role, "{gap}");
    }
}

/// Without nodes nothing that was listed could be believed: the rest is not read to its end.
#[test]
fn where_nodes_are_refused_pods_are_not_read_page_by_page() {
    let site = site();
    let pods: Vec<Value> =
        (0..400).map(|n| json!({ "metadata": { "name": format!("p{n}"), "namespace": "n" } })).collect();
    site.server.route("/api/v1/pods", &json!(pods));
    site.server.fault("/api/v1/nodes", Fault::Status(403));
    assert_eq!(site.diagnose(&["--check", "image-pulls"]).status.code(), Some(3));
    let pages = site.server.requests().iter().filter(|(_, url)| url.starts_with("/api/v1/pods")).count();
    assert!(pages < 100, "{pages} of 200 pages were read");
}

/// Who operates a server sees who asks; who runs aksiso sees with `-vv` what was asked of the Kubernetes API too.
#[test]
fn every_request_carries_name_and_version_and_the_log_shows_them_all() {
    let site = site();
    let output = site.diagnose(&["-vv"]);
    assert_eq!(output.status.code(), Some(0));
    let version = env!("CARGO_PKG_VERSION");
    let agents = site.server.agents();
    assert!(
        agents.iter().any(|(path, _)| path.ends_with("/token"))
            && agents.iter().any(|(path, _)| path.starts_with("/api/"))
    );
    for (path, agent) in agents {
        let named = [format!("aksiso/{version}"), format!("aksiso-{version}")].iter().any(|own| agent.contains(own));
        assert!(named, "{path}: {agent}");
    }
    for path in ["/api/v1/nodes", "/api/v1/pods", "/api/v1/events"] {
        assert!(stderr(&output).contains(&format!("Kubernetes GET {path}: 200, ")), "{}", stderr(&output));
    }
    assert!(!stderr(&output).contains(KUBE_TOKEN));
}
