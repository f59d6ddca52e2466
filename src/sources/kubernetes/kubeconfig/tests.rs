//! What kubectl documents of kubeconfigs (kubernetes.io: "Organizing Cluster Access Using kubeconfig Files", "client-go
//! credential plugins", and the reference of the Config type), and what no file may do.

use std::fs;

use proptest::prelude::*;

use super::*;

/// A folder with a certificate, a key and a token, as files.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let own = rcgen::generate_simple_self_signed(["x".to_owned()]).expect("a certificate");
        for (name, text) in [
            ("ca.pem", own.cert.pem()),
            ("client.pem", own.cert.pem()),
            ("client.key", own.signing_key.serialize_pem()),
            ("token", "from-a-file\n".to_owned()),
            ("garbage", "no PEM".to_owned()),
        ] {
            fs::write(folder.path().join(name), text).expect("written");
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The kubeconfig with these fields of cluster and user.
    fn config(&self, cluster: &str, user: &str) -> Kubeconfig {
        let yaml = format!(
            "current-context: it\nclusters:\n- name: c\n  cluster: {{{cluster}}}\ncontexts:\n- name: it\n  context: \
             {{cluster: c, user: u}}\nusers:\n- name: u\n  user: {{{user}}}\n"
        );
        fs::write(self.path("config"), yaml).expect("written");
        read(&self.path("config")).expect("a kubeconfig")
    }

    fn access(&self, cluster: &str, user: &str) -> Result<Access, String> {
        Access::of(&self.config(cluster, user), None)
    }

    fn token(&self, user: &str) -> Option<String> {
        let access = self.access("server: 'https://a'", user).expect("usable");
        access.user.token.map(|token| token.expose_secret().to_owned())
    }
}

#[test]
fn a_server_is_read_as_kubectl_reads_it_and_nothing_else_gets_through() {
    let folder = Folder::new();
    let of = |server: &str| folder.access(&format!("server: '{server}'"), "").map(|access| access.server.to_string());
    for (written, read) in [
        ("https://a.hcp.eastus.azmk8s.io:443", "https://a.hcp.eastus.azmk8s.io:443/"),
        ("localhost:6443", "https://localhost:6443/"),
        ("10.0.0.4", "https://10.0.0.4/"),
        ("[fd00::1]:6443", "https://[fd00::1]:6443/"),
        ("http://127.0.0.1:8001", "http://127.0.0.1:8001/"),
        ("https://rancher.example/k8s/clusters/c-1", "https://rancher.example/k8s/clusters/c-1"),
    ] {
        assert_eq!(of(written).as_deref(), Ok(read));
    }
    for wrong in ["", "ftp://a", "https://", "://", "https://a b", "https://:6443", "/only/a/path"] {
        let why = of(wrong).expect_err(wrong);
        assert!(why.starts_with("cluster \"c\": it") && why.contains("server"), "{wrong}: {why}");
    }
}

#[test]
fn a_token_is_read_from_where_client_go_reads_it() {
    let folder = Folder::new();
    assert_eq!(
        folder.token("tokenFile: token").as_deref(),
        Some("from-a-file"),
        "without the newline, and by its folder"
    );
    assert_eq!(folder.token("token: own").as_deref(), Some("own"));
    assert_eq!(folder.token("token: own, tokenFile: token").as_deref(), Some("from-a-file"));
    assert_eq!(folder.token("token: own, tokenFile: gone").as_deref(), Some("own"));
    assert_eq!(folder.token("auth-provider: {name: oidc, config: {id-token: own}}").as_deref(), Some("own"));
    assert_eq!(folder.token("username: u, password: p"), None);
    let plugin = |user: &str| folder.access("server: 'https://a'", user).expect("usable").plugin.is_some();
    assert!(plugin("exec: {command: kubelogin, apiVersion: v1}"));
    assert!(!plugin("token: own, exec: {command: kubelogin, apiVersion: v1}"), "a token is enough");
}

#[test]
fn certificates_come_from_files_and_from_data() {
    let folder = Folder::new();
    let user = "client-certificate: client.pem, client-key: client.key";
    let access = folder.access("server: 'https://a', certificate-authority: ca.pem", user).expect("usable");
    assert_eq!(access.authorities.map(|all| all.len()), Some(1));
    assert!(access.user.client_certificate_data.is_some() && access.user.client_key_data.is_some());
    let data = base64::encode(fs::read(folder.path("ca.pem")).expect("a file"));
    let cluster = format!("server: 'https://a', certificate-authority: gone, certificate-authority-data: {data}");
    assert!(folder.access(&cluster, "").is_ok(), "data goes before a file");
}

/// Each thing that is missing or wrong has its own sentence, and none quotes a secret.
#[test]
fn what_is_wrong_with_a_context_is_told_apart() {
    let folder = Folder::new();
    let server = "server: 'https://a'";
    for (cluster, user, why) in [
        (server, "tokenFile: gone", "user \"u\": tokenFile"),
        (server, "token: \"CANARY\\u0001\"", "user \"u\": its token holds characters that no token has"),
        (server, "client-certificate: client.pem", "user \"u\": client-certificate has no client-key"),
        (server, "client-key: client.key", "user \"u\": client-key has no client-certificate"),
        (server, "client-certificate: gone, client-key: client.key", "user \"u\": client-certificate"),
        (server, "client-certificate: garbage, client-key: client.key", "holds no PEM certificate"),
        (server, "client-certificate: client.pem, client-key: garbage", "client-key holds no unencrypted PEM key"),
        (server, "client-key-data: '%', client-certificate: client.pem", "client-key-data is not base64"),
        (server, "auth-provider: {name: azure}", "its auth-provider is no longer supported"),
        (server, "exec: {apiVersion: v1}", "its exec plug-in names no command"),
        (server, "exec: {apiVersion: v1, command: x, interactiveMode: Always}", "needs a terminal"),
        ("server: 'https://a', certificate-authority: gone", "", "cluster \"c\": certificate-authority"),
        ("server: 'https://a', certificate-authority: garbage", "", "certificate-authority holds no PEM certificate"),
        ("server: 'https://a', certificate-authority-data: '%'", "", "certificate-authority-data is not base64"),
        ("server: 'https://a', proxy-url: 'ftp://CANARY@p'", "", "the kubeconfig's proxy-url: a proxy is"),
    ] {
        let said = folder.access(cluster, user).expect_err(why);
        assert!(said.contains(why) && !said.contains("CANARY"), "{said}");
    }
    let config = folder.config(server, "");
    let absent = Access::of(&config, Some("CANARY\u{1b}[2J")).expect_err("absent");
    assert!(absent.ends_with("(it has: \"it\")") && !absent.contains('\u{1b}'), "{absent}");
    let mut lost = config.clone();
    lost.clusters.clear();
    assert_eq!(
        Access::of(&lost, None).expect_err("absent"),
        "context \"it\" names cluster \"c\", which the kubeconfig lacks"
    );
    let mut lost = config.clone();
    lost.auth_infos.clear();
    assert_eq!(
        Access::of(&lost, None).expect_err("absent"),
        "context \"it\" names user \"u\", which the kubeconfig lacks"
    );
    let none = Kubeconfig { current_context: Some(String::new()), ..config };
    assert_eq!(Access::of(&none, None).expect_err("none"), "the kubeconfig has no current context");
}

#[test]
fn of_several_contexts_of_a_cluster_the_current_one_is_first() {
    let yaml = "current-context: two\nclusters:\n- name: c1\n  cluster: {server: 'https://A.hcp.eastus.azmk8s.io:443'}\n- \
                name: c2\n  cluster: {server: 'https://elsewhere'}\ncontexts:\n- name: other\n  context: {cluster: c2, \
                user: u}\n- name: one\n  context: {cluster: c1, user: u}\n- name: two\n  context: {cluster: c1, user: \
                u}\n";
    let config = Kubeconfig::from_yaml(yaml).expect("a kubeconfig");
    assert_eq!(contexts_of(&config, &["a.hcp.eastus.azmk8s.io", "p.local"]), ["two", "one"]);
    let elsewhere = Kubeconfig { current_context: Some("other".to_owned()), ..config };
    assert_eq!(contexts_of(&elsewhere, &["a.hcp.eastus.azmk8s.io"]), ["one", "two"]);
    assert!(contexts_of(&elsewhere, &["b.hcp.eastus.azmk8s.io"]).is_empty());
}

#[test]
fn files_are_read_in_every_encoding_that_kubectl_reads() {
    let folder = Folder::new();
    let read_as = |bytes: Vec<u8>| {
        fs::write(folder.path("encoded"), bytes).expect("written");
        read(&folder.path("encoded"))
    };
    let yaml = "current-context: it\n";
    let utf16: Vec<u8> = "\u{feff}current-context: it\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for whole in [yaml.as_bytes().to_vec(), format!("\u{feff}{yaml}").into_bytes(), utf16.clone()] {
        assert_eq!(read_as(whole).expect("a kubeconfig").current_context.as_deref(), Some("it"));
    }
    // One byte too few: a client that reads pairs of bytes panics there.
    assert!(read_as(utf16[..utf16.len() - 1].to_vec()).is_err());
    assert!(read_as(vec![0xFF, 0xFE, 0x41]).is_err() && read_as(vec![0x80]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Nothing in a kubeconfig ends the process: it is refused, or a client can be built of it and asked.
    #[test]
    fn no_server_token_or_name_panics(server in "\\PC{0,30}", token in "\\PC{0,20}", name in "\\PC{0,20}") {
        let mut config = Kubeconfig::from_yaml(
            "current-context: it\nclusters: [{name: c, cluster: {}}]\ncontexts: [{name: it, context: {cluster: c, user: \
             u}}]\nusers: [{name: u, user: {}}]\n",
        ).expect("a kubeconfig");
        let cluster = config.clusters[0].cluster.as_mut().expect("a cluster");
        (cluster.server, cluster.tls_server_name) = (Some(server), Some(name.clone()));
        let user = config.auth_infos[0].auth_info.as_mut().expect("a user");
        (user.token, user.impersonate) = (Some(token.into()), Some(name));
        if let Ok(access) = Access::of(&config, None) {
            prop_assert!(access.server.authority().is_some() && access.server.path_and_query().is_some());
            let token = access.user.token.as_ref().map(|token| format!("Bearer {}", token.expose_secret()));
            prop_assert!(token.is_none_or(|token| HeaderValue::try_from(token).is_ok()));
        }
    }
}
