//! Signing in: what is refused says why, and every way in that a person may have leads to the cluster.

use crate::fixtures;
use crate::server::{KUBE_TOKEN, TOKEN};
use crate::site::{Site, stderr};

#[test]
fn a_refused_sign_in_says_what_was_wrong() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    let mut command = site.command();
    command.env("AZURE_CLIENT_SECRET", "wrong");
    let output = command.args(["diagnose", "--cluster-id", &site.cluster]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("AADSTS7000215") && said.contains("create a new one"), "{said}");
    let mut command = site.command();
    command
        .env_remove("AZURE_CLIENT_SECRET")
        .env_remove("AZURE_TENANT_ID")
        .env("IDENTITY_ENDPOINT", "http://127.0.0.1:1")
        .env("IDENTITY_HEADER", "x");
    let output = command.args(["diagnose", "--cluster-id", &site.cluster]).output().expect("it runs");
    let said = stderr(&output);
    for method in [
        "environment: AZURE_TENANT_ID is not set",
        "workload-identity: AZURE_FEDERATED_TOKEN_FILE is not set",
        "managed-identity:",
        "azure-pipelines: AZURESUBSCRIPTION",
        "az:",
        "azd:",
    ] {
        assert!(said.contains(method), "{method} in: {said}");
    }
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_certificate_signs_in_too() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key");
    let certificate = rcgen::CertificateParams::new(["aksiso".to_owned()])
        .expect("parameters")
        .self_signed(&key)
        .expect("a certificate");
    std::fs::write(site.path("sp.pem"), format!("{}{}", certificate.pem(), key.serialize_pem())).expect("written");
    let mut command = site.command();
    command.env_remove("AZURE_CLIENT_SECRET").env("AZURE_CLIENT_CERTIFICATE_PATH", site.path("sp.pem"));
    let output = command
        .args(["diagnose", "--no-kubernetes", "--allow-incomplete", "--cluster-id", &site.cluster])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

/// Without a kubeconfig, Azure's own credential is fetched; where it would start kubelogin, our sign-in steps in.
#[test]
fn azure_gives_the_credential_where_no_kubeconfig_fits() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    let kubelogin = "{exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: kubelogin, args: [get-token, --server-id, 6dae42f8-4368-4678-94ff-3960e28e3630]}}";
    for user in [format!("{{token: {KUBE_TOKEN}}}"), kubelogin.to_owned()] {
        let kubeconfig = site.kubeconfig_with(&site.server.url(), &user);
        let encoded = azure_core::base64::encode(kubeconfig);
        let answer = serde_json::json!({ "kubeconfigs": [{ "name": "clusterUser", "value": encoded }] });
        site.server.route(&format!("{}/listClusterUserCredential", site.cluster), &answer);
        let mut command = site.command();
        let output = command
            .args(["diagnose", "-v", "--output", "json", "--cluster-id", &site.cluster])
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stderr(&output).contains("Kubernetes API: listClusterUserCredential"), "{}", stderr(&output));
    }
    let posts: Vec<_> =
        site.server.requests().into_iter().filter(|(method, _)| method == "POST").map(|(_, path)| path).collect();
    assert!(
        posts.iter().all(|path| path.contains("/oauth2/v2.0/token") || path.contains("/listClusterUserCredential")),
        "{posts:?}"
    );
}

/// What the credential's answer names is not taken at its word: no file of this machine is sent, and nothing in the clear.
#[test]
fn a_credential_from_azure_reads_no_file_and_sends_nothing_in_the_clear() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    std::fs::write(site.path("token"), KUBE_TOKEN).expect("written");
    let server = site.server.url();
    let user = format!("{{tokenFile: '{}'}}", site.path("token").display());
    for (server, user) in [(server.as_str(), user.as_str()), ("http://127.0.0.1:1", "{token: x}")] {
        let encoded = azure_core::base64::encode(site.kubeconfig_with(server, user));
        let answer = serde_json::json!({ "kubeconfigs": [{ "value": encoded }] });
        site.server.route(&format!("{}/listClusterUserCredential", site.cluster), &answer);
        let mut command = site.command();
        let output =
            command.args(["diagnose", "--output", "json", "--cluster-id", &site.cluster]).output().expect("it runs");
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    }
}

/// A context of this cluster whose plug-in is not on this machine is no dead end; without Azure's credential it is named.
#[test]
fn a_missing_kubelogin_is_made_up_for() {
    let mut snapshot = fixtures::healthy_json("byo");
    snapshot["evidence"]["cluster"]["properties"]["fqdn"] = "127.0.0.1".into();
    let site = Site::new(&snapshot);
    let kubelogin = "{exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: kubelogin, args: [get-token]}}";
    let kubeconfig = site.kubeconfig_with(&site.server.url(), kubelogin);
    std::fs::write(site.path("kubeconfig"), &kubeconfig).expect("written");
    let run = || {
        let mut command = site.command();
        command.env("KUBECONFIG", site.path("kubeconfig"));
        command.args(["diagnose", "-v", "--output", "json", "--cluster-id", &site.cluster]).output().expect("it runs")
    };

    let output = run();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("sign-in plug-in kubelogin cannot be run"));

    let answer = serde_json::json!({ "kubeconfigs": [{ "value": azure_core::base64::encode(&kubeconfig) }] });
    site.server.route(&format!("{}/listClusterUserCredential", site.cluster), &answer);
    let output = run();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("Kubernetes API: context it"), "{}", stderr(&output));
    assert!(stderr(&output).contains("Kubernetes API: listClusterUserCredential"), "{}", stderr(&output));
}

/// `az` signs in and names the subscription; one that hangs does not hang aksiso.
#[test]
fn the_azure_cli_signs_in_and_names_the_subscription() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = Site::new(&fixtures::healthy_json("byo"));
    let az = site.path("az");
    let script = format!(
        "#!/bin/sh\ncase \"$2\" in\nshow) echo '{{\"id\": \"11111111-2222-3333-4444-555555555555\"}}';;\n*) echo '{{\"accessToken\": \"{TOKEN}\", \"expires_on\": 4102444800, \"tokenType\": \"Bearer\"}}';;\nesac\n"
    );
    let run = |script: &str| {
        std::fs::write(&az, script).expect("written");
        std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).expect("executable");
        let mut command = site.command();
        command.env("PATH", site.folder.path()).env_remove("AZURE_CLIENT_SECRET").env_remove("AZURE_TENANT_ID");
        let args = [
            "diagnose",
            "-g",
            "prod-rg",
            "-n",
            "aks1",
            "--no-kubernetes",
            "--allow-incomplete",
            "--timeout",
            "6s",
            "-v",
        ];
        command.args(args).output().expect("it runs")
    };
    let output = run(&script);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("signed in by az"));
    let output =
        run("#!/bin/sh\necho \"ERROR: AADSTS700082: The refresh token has expired due to inactivity.\" >&2; exit 1\n");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("AADSTS700082"), "{}", stderr(&output));
    let output = run("#!/bin/sh\nwhile :; do :; done\n");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did not answer in time"), "{}", stderr(&output));
    let left = std::process::Command::new("ps")
        .arg("ax")
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let az = az.display().to_string();
    assert!(!left.is_ok_and(|processes| processes.contains(&az)), "az is still running");
}
