//! The probe itself against real servers on loopback.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::thread;

use serde_json::{Value, json};

use super::world::{Authority, Behaviour, Host, Reply, name_server};

const HOST: &str = "contosoboot.test";

/// A probe's exit code and file.
fn probe(folder: &Path, trust: &Authority, arguments: &[String]) -> (i32, Value, String) {
    let roots = folder.join("roots.pem");
    fs::write(&roots, trust.pem()).expect("written");
    let mut command = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
    command.env("SSL_CERT_FILE", &roots).env_remove("SSL_CERT_DIR").env_remove("HTTPS_PROXY");
    let output = command.arg("probe").args(["--output", "json"]).args(arguments).output().expect("it runs");
    let all = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {all}"));
    (output.status.code().expect("a code"), value, all)
}

fn outcome<'v>(probe: &'v Value, name: &str, target: &str, via: Option<&str>) -> &'v Value {
    let all = probe["results"].as_array().expect("results");
    let own = |own: &&Value| own["probe"] == name && own["target"] == target && via.is_none_or(|via| own["via"] == via);
    all.iter().find(own).map_or(&Value::Null, |own| &own["outcome"])
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// A host behind the name server's answer: its kinds of `connect`, `tls` and `registry`.
fn host(behaviour: Behaviour, trust: &Authority) -> (Value, Value, Value, Host) {
    let folder = tempfile::tempdir().expect("a folder");
    let host = Host::start(behaviour);
    let server = name_server(vec![(HOST, Reply::Address(Ipv4Addr::LOCALHOST))]);
    let arguments = words(&format!("--login-server {HOST}:{} --dns-server {server}", host.address.port()));
    let (code, seen, _) = probe(folder.path(), trust, &arguments);
    assert_eq!(code, 0, "{seen}");
    let kinds = ["connect", "tls", "registry"];
    let [connect, tls, registry] = kinds.map(|name| {
        let target = if name == "connect" { host.address.to_string() } else { HOST.to_owned() };
        outcome(&seen, name, &target, None).clone()
    });
    (connect, tls, registry, host)
}

#[test]
fn every_answer_of_a_name_server_is_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new("Test");
    let chain = Reply::Chain(vec!["contosoboot.privatelink.test"], Ipv4Addr::new(127, 0, 0, 9));
    let cases: [(Reply, Value); 7] = [
        (chain, json!({ "kind": "addresses", "addresses": ["127.0.0.9"], "cnames": ["contosoboot.privatelink.test"] })),
        (
            Reply::Address(Ipv4Addr::new(127, 0, 0, 8)),
            json!({ "kind": "addresses", "addresses": ["127.0.0.8"], "cnames": [] }),
        ),
        (Reply::Code(3), json!({ "kind": "nxdomain" })),
        (Reply::Code(2), json!({ "kind": "servfail" })),
        (Reply::Code(5), json!({ "kind": "refused" })),
        (Reply::NoData, json!({ "kind": "no-data" })),
        (Reply::Silence, json!({ "kind": "timed-out" })),
    ];
    let servers: Vec<_> =
        cases.iter().map(|(reply, expected)| (name_server(vec![(HOST, reply.clone())]), expected)).collect();
    let garbage = name_server(vec![(HOST, Reply::Garbage)]);
    let asked = servers.iter().map(|(server, _)| format!("--dns-server {server}")).collect::<Vec<_>>().join(" ");
    let arguments = words(&format!("--login-server {HOST}:1 --dns-server {garbage} {asked}"));
    let begin = std::time::Instant::now();
    let (code, seen, _) = probe(folder.path(), &authority, &arguments);
    assert!(begin.elapsed().as_secs() < 10, "all at once, and at most 5 s each");
    assert_eq!(code, 0, "a bad answer is an answer");
    for (server, expected) in servers {
        assert_eq!(outcome(&seen, "resolve", HOST, Some(&server.to_string())), expected);
    }
    let kind = &outcome(&seen, "resolve", HOST, Some(&garbage.to_string()))["kind"];
    assert!(kind == "malformed" || kind == "timed-out", "{kind}");
    assert_eq!(outcome(&seen, "connect", "127.0.0.8:1", None)["kind"], "refused");
    assert!(outcome(&seen, "tls", HOST, None).is_null(), "what follows from a closed port is left out");
}

#[test]
fn every_greeting_of_a_registry_is_told_apart() {
    let authority = Authority::new("Test");
    let server = authority.server(&[HOST], false);
    let http = |status: &str, headers: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    };
    let realm =
        "Www-Authenticate: Bearer realm=\"https://contosoboot.test/oauth2/token\",service=\"contosoboot.test\"\r\n";
    let cases = [
        (
            http("401 Unauthorized", realm, "{}"),
            json!({ "kind": "challenge", "realm": "https://contosoboot.test/oauth2/token", "service": "contosoboot.test" }),
        ),
        (http("401 Unauthorized", "", "{}"), json!({ "kind": "other", "status": 401 })),
        (http("403 Forbidden", "", "{}"), json!({ "kind": "forbidden" })),
        (http("200 OK", "Content-Type: application/json\r\n", "{}"), json!({ "kind": "anonymous" })),
        (http("200 OK", "Content-Type: text/html\r\n", "<html>"), json!({ "kind": "other", "status": 200 })),
        (http("200 OK", "", "<!doctype html>"), json!({ "kind": "other", "status": 200 })),
        (
            http("302 Found", "Location: https://login.contoso.com/x\r\n", ""),
            json!({ "kind": "redirected", "host": "login.contoso.com" }),
        ),
        (http("500 Oops", "", ""), json!({ "kind": "other", "status": 500 })),
        (http("302 Found", "Location: /v2/login\r\n", ""), json!({ "kind": "redirected", "host": HOST })),
        (http("300 Multiple Choices", "", ""), json!({ "kind": "other", "status": 300 })),
        (http("200 OK", "", "\u{feff}<html>"), json!({ "kind": "other", "status": 200 })),
        (
            http(
                "401 Unauthorized",
                "Www-Authenticate: Basic realm=\"x\"\r\nWww-Authenticate: Bearer Realm=https://contosoboot.test/t,service=s\r\n",
                "",
            ),
            json!({ "kind": "challenge", "realm": "https://contosoboot.test/t", "service": "s" }),
        ),
        ("220 mail.contoso.com ESMTP\r\n".to_owned(), json!({ "kind": "not-http" })),
    ];
    for (answer, expected) in cases {
        let (connect, tls, registry, host) = host(Behaviour::Answers(server.clone(), answer), &authority);
        assert_eq!((&connect["kind"], &tls["kind"]), (&json!("open"), &json!("trusted")));
        assert_eq!(registry, expected);
        for request in host.requests() {
            assert!(request.starts_with("GET /v2/ HTTP/1.1\r\n"), "{request}");
            assert!(!request.to_lowercase().contains("authorization"), "{request}");
        }
    }
    let (_, tls, registry, _) = host(Behaviour::HangsUp(server.clone()), &authority);
    assert_eq!((&tls["kind"], &registry["kind"]), (&json!("trusted"), &json!("reset")));
    let (_, _, registry, _) = host(Behaviour::Silent(server), &authority);
    assert_eq!(registry["kind"], "timed-out");
}

#[test]
fn every_fault_of_a_certificate_is_told_apart() {
    let (authority, foreign) = (Authority::new("Test"), Authority::new("Contoso Inspection"));
    let answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_owned();
    let shows = |config| Behaviour::Answers(config, answer.clone());
    let (_, tls, registry, own) = host(shows(foreign.server(&[HOST], false)), &authority);
    assert_eq!((&tls["kind"], &tls["reason"]), (&json!("untrusted"), &json!("unknown-issuer")));
    assert!(tls["issuer"].as_str().expect("an issuer").contains("Contoso Inspection"), "{tls}");
    assert!(registry.is_null() && own.requests().is_empty(), "nothing is asked of whom one does not trust");
    let (_, tls, ..) = host(shows(authority.server(&["other.test"], false)), &authority);
    assert_eq!(tls["reason"], "wrong-name");
    let (_, tls, ..) = host(shows(authority.server(&[HOST], true)), &authority);
    assert_eq!(tls["reason"], "expired");
    let (_, tls, ..) = host(shows(authority.server(&[HOST], false)), &authority);
    assert_eq!((&tls["kind"], &tls["names"]), (&json!("trusted"), &json!([HOST])));
    assert_eq!(host(Behaviour::Plain, &authority).1["kind"], "not-tls");
    assert_eq!(host(Behaviour::Closes, &authority).1["kind"], "reset");
    assert_eq!(host(Behaviour::Nothing, &authority).1["kind"], "timed-out");
}

/// Whoever signed the API server's certificate: only its names are judged.
#[test]
fn the_api_server_may_have_an_authority_of_its_own() {
    let (authority, own) = (Authority::new("Test"), Authority::new("ca"));
    for (names, kind) in [([HOST], "trusted"), (["other.test"], "untrusted")] {
        let folder = tempfile::tempdir().expect("a folder");
        let api = Host::start(Behaviour::Answers(own.server(&names, false), String::new()));
        let server = name_server(vec![(HOST, Reply::Address(Ipv4Addr::LOCALHOST))]);
        let arguments = words(&format!("--api-server {HOST}:{} --dns-server {server}", api.address.port()));
        let (_, seen, _) = probe(folder.path(), &authority, &arguments);
        assert_eq!(outcome(&seen, "tls", HOST, None)["kind"], kind);
        assert!(api.requests().is_empty(), "nothing is asked of it");
    }
}

#[test]
fn what_time_cuts_off_was_not_tried() {
    let folder = tempfile::tempdir().expect("a folder");
    let silent = name_server(vec![(HOST, Reply::Silence)]);
    let arguments = words(&format!("--login-server {HOST} --dns-server {silent} --timeout 1s"));
    let (code, seen, _) = probe(folder.path(), &Authority::new("Test"), &arguments);
    assert_eq!(code, 3);
    assert_eq!(outcome(&seen, "resolve", HOST, Some(&silent.to_string()))["kind"], "not-tried");
}

/// A token as the registry makes them.
fn token(canary: &str, claims: &Value) -> String {
    use azure_core::base64::encode_url_safe;
    format!("{}.{}.{canary}", encode_url_safe("{}"), encode_url_safe(claims.to_string()))
}

/// The metadata service and the registry of one node; what the identity probe says, and everything that was printed.
fn kubelet(metadata: (&str, String), exchange: (&str, String), extra: &str) -> (Value, String, Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new("Test");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let http = |(status, body): (&str, String)| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    };
    let answer = http(metadata);
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = std::sync::Arc::clone(&asked);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let Some(request) = super::world::request(&mut stream) else { continue };
            seen.lock().expect("a lock").push(request);
            let _ = std::io::Write::write_all(&mut stream, answer.as_bytes());
        }
    });
    let registry = Host::start(Behaviour::Answers(authority.server(&[HOST], false), http(exchange)));
    let server = name_server(vec![(HOST, Reply::Address(Ipv4Addr::LOCALHOST))]);
    let arguments =
        words(&format!("--login-server {HOST}:{} --dns-server {server} --as-kubelet {extra}", registry.address.port()));
    let roots = folder.path().join("roots.pem");
    fs::write(&roots, authority.pem()).expect("written");
    let file = folder.path().join("probe.json");
    let output = assert_cmd::Command::cargo_bin("aksiso")
        .expect("the binary")
        .env("SSL_CERT_FILE", &roots)
        .env("AKSISO_METADATA_ENDPOINT", format!("http://{address}"))
        .args(["-vv", "probe", "-o"])
        .arg(&file)
        .args(&arguments)
        .output()
        .expect("it runs");
    let written = fs::read_to_string(&file).expect("the file");
    let all =
        format!("{written}{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let value: Value = serde_json::from_str(&written).expect("JSON");
    let mut requests = asked.lock().expect("a lock").clone();
    requests.extend(registry.requests());
    (outcome(&value, "identity", HOST, None).clone(), all, requests)
}

#[test]
fn a_token_says_what_the_kubelet_may_and_is_never_shown() {
    let access = |claims: Value| json!({ "access_token": token("CANARYaccess", &claims) }).to_string();
    let refresh = |claims: Value| json!({ "refresh_token": token("CANARYrefresh", &claims) }).to_string();
    let cases = [
        (json!({ "permissions": { "actions": ["read"] } }), json!({ "kind": "may-pull", "actions": ["read"] })),
        (json!({ "permissions": { "actions": ["list"] } }), json!({ "kind": "may-not-pull", "actions": ["list"] })),
        (json!({}), json!({ "kind": "not-said" })),
    ];
    for (claims, expected) in cases {
        let metadata = ("200 OK", access(json!({ "tid": "t" })));
        let client = "--client-id 11111111-2222-3333-4444-555555555555";
        let (identity, all, requests) = kubelet(metadata, ("200 OK", refresh(claims)), client);
        assert_eq!(identity, expected);
        assert!(!all.contains("CANARY"), "{all}");
        assert!(requests[0].starts_with("GET /metadata/identity/oauth2/token?"), "{}", requests[0]);
        assert!(requests[0].contains("client_id=11111111-2222-3333-4444-555555555555"), "{}", requests[0]);
        let exchange = requests.iter().find(|request| request.starts_with("POST")).expect("an exchange");
        assert!(exchange.starts_with("POST /oauth2/exchange HTTP/1.1\r\n"), "{exchange}");
        assert!(requests.iter().all(|request| !request.contains("/manifests/") && !request.contains("/blobs/")));
    }
    let (identity, ..) = kubelet(("400 Bad Request", "{}".to_owned()), ("200 OK", String::new()), "");
    assert_eq!(identity, json!({ "kind": "refused", "status": 400 }));
    let metadata = ("200 OK", access(json!({})));
    let (identity, all, _) = kubelet(metadata, ("401 Unauthorized", "CANARYbody".to_owned()), "");
    assert_eq!(identity, json!({ "kind": "refused", "status": 401 }));
    assert!(!all.contains("CANARY"), "{all}");
}

#[test]
fn the_files_of_a_node_are_read_below_its_root_and_nowhere_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("host");
    let write = |path: &str, text: &str| {
        let place = root.join(path);
        fs::create_dir_all(place.parent().expect("a folder")).expect("made");
        fs::write(place, text).expect("written");
    };
    let read = || {
        let arguments = words(&format!("--login-server {HOST}:1 --host-root {}", root.display()));
        probe(folder.path(), &Authority::new("Test"), &arguments).1
    };
    write(
        "var/lib/kubelet/credential-provider-config.yaml",
        "providers:\n- name: acr\n  args:\n  - /etc/azure.json\n  - --registry-mirror=mcr.microsoft.com:contosoboot.test/aks-managed-repository\n",
    );
    write(
        "etc/containerd/certs.d/mcr.microsoft.com/hosts.toml",
        "[host.\"https://contosoboot.test/v2/aks-managed-repository\"]\n  capabilities = [\"pull\", \"resolve\"]\n  override_path = true\n",
    );
    write("var/log/azure/aks/provision.json", "{\"ExitCode\": \"211\", \"Output\": \"CANARY password\"}");
    write("etc/hostname", "aks-apps-1-vmss000000\n");
    write("run/resolv.conf", "nameserver 10.0.0.4\n");
    std::os::unix::fs::symlink("/run/resolv.conf", root.join("etc/resolv.conf")).expect("a link");
    let seen = read();
    assert!(!seen.to_string().contains("CANARY"));
    assert_eq!(seen["vantage"], "node");
    assert_eq!(seen["host"]["name"], "aks-apps-1-vmss000000");
    assert_eq!(seen["host"]["resolvers"], json!(["10.0.0.4"]), "a link leads below the root");
    let file = |seen: &Value, name: &str| outcome(seen, "host-file", name, None).clone();
    let mirror = json!(["https://contosoboot.test/v2/aks-managed-repository"]);
    assert_eq!(file(&seen, "hosts-toml"), json!({ "kind": "present", "mirrors": mirror }));
    let mirror = json!(["mcr.microsoft.com:contosoboot.test/aks-managed-repository"]);
    assert_eq!(file(&seen, "credential-provider"), json!({ "kind": "present", "mirrors": mirror }));
    assert_eq!(file(&seen, "provision"), json!({ "kind": "present", "exitCode": 211 }));
    assert_eq!(file(&seen, "localdns")["kind"], "absent");
    // Without the kubelet's folder one of the files is enough, and no resolver configuration is no fault.
    fs::remove_dir_all(root.join("var/lib/kubelet")).expect("removed");
    fs::remove_file(root.join("etc/resolv.conf")).expect("removed");
    let seen = read();
    assert_eq!(seen["vantage"], "node");
    assert_eq!(file(&seen, "hosts-toml")["kind"], "present");
    assert_eq!(file(&seen, "credential-provider")["kind"], "absent");
    assert!(outcome(&seen, "resolve", HOST, Some("system"))["kind"] != "not-tried", "{seen}");
    write(
        "var/lib/kubelet/credential-provider-config.yaml",
        "providers:\n- name: acr\n  args: [--registry-mirror, \"mcr.microsoft.com:contosoboot.test/x\"]\n",
    );
    write("etc/containerd/certs.d/mcr.microsoft.com/hosts.toml", "host = 5\n");
    let seen = read();
    assert_eq!(file(&seen, "hosts-toml")["kind"], "malformed");
    let mirror = json!(["mcr.microsoft.com:contosoboot.test/x"]);
    assert_eq!(file(&seen, "credential-provider"), json!({ "kind": "present", "mirrors": mirror }));
    // Hostile files: a link out of the root, a folder, half a file, too much.
    fs::write(folder.path().join("secret"), "[host.\"https://stolen\"]\n").expect("written");
    let hosts = root.join("etc/containerd/certs.d/mcr.microsoft.com/hosts.toml");
    fs::remove_file(&hosts).expect("removed");
    std::os::unix::fs::symlink("../../../../../../../../secret", &hosts).expect("a link");
    write("var/log/azure/aks/provision.json", "{\"ExitCode\":");
    let provider = root.join("var/lib/kubelet/credential-provider-config.yaml");
    fs::remove_file(&provider).expect("removed");
    fs::create_dir(&provider).expect("made");
    let seen = read();
    assert_eq!(file(&seen, "hosts-toml")["kind"], "absent", "nothing above the root is read");
    assert_eq!(file(&seen, "provision")["kind"], "malformed");
    assert_eq!(file(&seen, "credential-provider")["kind"], "refused");
}
