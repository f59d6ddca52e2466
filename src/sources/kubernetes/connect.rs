//! Which kubeconfig to believe, and a client for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use http::header::USER_AGENT;
use http::{HeaderValue, Uri};
use kube::config::Kubeconfig;
use kube::{Client, Config};
use serde::Deserialize;
use tokio::time::Instant;

use super::call::Api;
use super::kubeconfig::{self, Access};
use super::plugin::Credential;
use crate::evidence::calls::azure as api;
use crate::evidence::calls::kubernetes::KubernetesCall;
use crate::evidence::cluster::ManagedCluster;
use crate::evidence::{Gap, Reason};
use crate::sources::azure::arm::{Arm, Limits};
use crate::sources::azure::error::Failure;
use crate::sources::peer::{Peer, root_words};
use crate::sources::progress::Progress;
use crate::sources::proxy;

/// The application behind which every Entra ID cluster of AKS stands.
const AKS_SERVER_APP: &str = "6dae42f8-4368-4678-94ff-3960e28e3630";
/// Longest time of a sign-in plug-in: kubelogin may start az, and az an interpreter.
const PLUGIN: Duration = Duration::from_secs(20);
/// Who asks, for the API server's audit log.
const AGENT: &str = concat!("aksiso/", env!("CARGO_PKG_VERSION"));

/// What the command line says about the Kubernetes API.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// `--kubeconfig` and `--context`, already read and checked: what is wrong with them is bad input, not a gap.
    pub explicit: Option<Access>,
    /// `--no-kubernetes`.
    pub skip: bool,
}

impl Wish {
    /// Reads what `--kubeconfig` and `--context` name.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the file or the context.
    pub fn read(kubeconfig: Option<&PathBuf>, context: Option<&str>, skip: bool) -> Result<Self, String> {
        if kubeconfig.is_none() && context.is_none() {
            return Ok(Self { explicit: None, skip });
        }
        let config = kubeconfig.map_or_else(kubeconfig::read_default, |path| kubeconfig::read(path))?;
        let explicit = Some(Access::of(&config, context)?);
        Ok(Self { explicit, skip })
    }
}

#[derive(Deserialize)]
struct Credentials {
    kubeconfigs: Vec<CredentialFile>,
}

#[derive(Deserialize)]
struct CredentialFile {
    value: String,
}

/// What a connection is made with.
pub struct Connector<'c> {
    /// ARM, for `listClusterUserCredential`.
    pub arm: &'c Arm,
    /// Our own sign-in, for clusters that use Entra ID.
    pub credential: &'c Arc<dyn TokenCredential>,
    pub limits: Limits,
    pub progress: &'c Progress,
}

impl Connector<'_> {
    /// The cluster's API: what was named explicitly; else the context whose server is the cluster's own host name,
    /// the current one first; else, or where it cannot be used (kubelogin is not everywhere), the credential that ARM
    /// gives; else the current context (its nodes tell whether it is this cluster).
    ///
    /// # Errors
    /// The gap that says why there is none.
    pub async fn connect(&self, wish: &Wish, cluster: &ManagedCluster) -> Result<Api, Gap> {
        if let Some(access) = &wish.explicit {
            self.progress.log(1, "Kubernetes API: the kubeconfig that was named");
            return self.open(access.clone()).await.map_err(|failure| gap(&failure));
        }
        let local = kubeconfig::read_default().unwrap_or_else(|why| {
            self.progress.log(1, &format!("Kubernetes API: {why}"));
            Kubeconfig::default()
        });
        let hosts: Vec<&str> = cluster.properties.api_server_names().collect();
        let mut own = None;
        if let Some(context) = kubeconfig::contexts_of(&local, &hosts).first() {
            self.progress.log(1, &format!("Kubernetes API: context {context}"));
            match self.open_context(&local, Some(context)).await {
                Ok(api) => return Ok(api),
                Err(failure) => own = Some(failure),
            }
        }
        let failure = match self.user_credential(cluster).await {
            Ok(config) => {
                self.progress.log(1, "Kubernetes API: listClusterUserCredential");
                return self.open_given(&config).await.map_err(|failure| gap(&failure));
            }
            Err(failure) => failure,
        };
        // A context of this cluster that cannot be used says more than what any other context would.
        if let Some(own) = own {
            return Err(gap(&own));
        }
        if local.current_context.as_deref().is_some_and(|name| !name.is_empty()) {
            self.progress.log(1, "Kubernetes API: the current context");
            match self.open_context(&local, None).await {
                Ok(api) => return Ok(api),
                // Nobody named it, so it is not what has to be put right.
                Err(other) => self.progress.log(1, &format!("the current context: {}", other.detail)),
            }
        }
        Err(failure.gap(&api::CLUSTER_USER_CREDENTIAL, cluster.id.as_str()))
    }

    /// The kubeconfig that ARM gives a user; where it would start kubelogin, our own sign-in steps in.
    async fn user_credential(&self, cluster: &ManagedCluster) -> Result<Kubeconfig, Failure> {
        let path = format!("{}/listClusterUserCredential", cluster.id);
        let answer: Credentials = self.arm.post_read(&api::CLUSTER_USER_CREDENTIAL, &path).await?;
        let malformed = || Failure::new(Reason::Malformed, "listClusterUserCredential gave no kubeconfig");
        let encoded = answer.kubeconfigs.first().ok_or_else(malformed)?;
        let yaml = azure_core::base64::decode(&encoded.value).map_err(|_| malformed())?;
        let yaml = String::from_utf8(yaml).map_err(|_| malformed())?;
        let mut config = Kubeconfig::from_yaml(&yaml).map_err(|_| malformed())?;
        // A server's answer names no files of this machine.
        for cluster in config.clusters.iter_mut().filter_map(|cluster| cluster.cluster.as_mut()) {
            cluster.certificate_authority = None;
        }
        for user in config.auth_infos.iter_mut().filter_map(|user| user.auth_info.as_mut()) {
            (user.token_file, user.client_certificate, user.client_key) = (None, None, None);
            let Some(exec) = user.exec.take() else { continue };
            let args = exec.args.unwrap_or_default();
            let server = args.iter().skip_while(|arg| *arg != "--server-id").nth(1);
            let scope = format!("{}/.default", server.map_or(AKS_SERVER_APP, String::as_str));
            let token =
                tokio::time::timeout_at(self.limits.call_deadline(), self.credential.get_token(&[&scope], None))
                    .await
                    .map_err(|_| Failure::new(Reason::TimedOut, "no token for the Kubernetes API in time"))?
                    .map_err(|_| {
                        Failure::new(Reason::Unauthorized, "no token for the Kubernetes API (Entra ID refused)")
                    })?;
            user.token = Some(token.token.secret().to_owned().into());
        }
        Ok(config)
    }

    /// The context of a kubeconfig that came from a server: what signs in there is not sent in the clear.
    async fn open_given(&self, config: &Kubeconfig) -> Result<Api, Failure> {
        let access = Access::of(config, None).map_err(|why| unusable(&why))?;
        if access.server.scheme_str() != Some("https") {
            return Err(unusable("the server that listClusterUserCredential names is not https"));
        }
        self.open(access).await
    }

    async fn open_context(&self, config: &Kubeconfig, context: Option<&str>) -> Result<Api, Failure> {
        match Access::of(config, context) {
            Ok(access) => self.open(access).await,
            Err(why) => Err(unusable(&why)),
        }
    }

    /// A client of a context that was checked; its plug-in, where there is one, runs once.
    async fn open(&self, mut access: Access) -> Result<Api, Failure> {
        if let Some(plugin) = access.plugin.take() {
            self.progress.asking("the kubeconfig's sign-in plug-in");
            // What is left must do for one call.
            let last = self.limits.deadline.checked_sub(self.limits.call).unwrap_or(self.limits.deadline);
            let signed_in = plugin.run((Instant::now() + PLUGIN).min(last)).await;
            access =
                match signed_in.map_err(|why| Failure::new(Reason::Unauthorized, why))? {
                    Credential::Certificate { certificate, key } => access
                        .with_certificate(Some(certificate), Some(key))
                        .map_err(|why| unusable(&format!("the sign-in plug-in's {why}")))?,
                    Credential::Token(token) if HeaderValue::try_from(format!("Bearer {token}")).is_ok() => {
                        access.user.token = Some(token.into());
                        access
                    }
                    Credential::Token(_) => return Err(unusable("the sign-in plug-in's token is none")),
                };
        }
        let proxy = match access.proxy.take() {
            Some(own) => Some(own),
            None => proxy::as_kubectl(&access.server).map_err(|why| unusable(&why))?,
        };
        if let Some(proxy) = &proxy {
            self.progress.log(1, &format!("Kubernetes API: through {}", proxy.words()));
        }
        let trust = if access.authorities.is_some() {
            "the kubeconfig's certificate-authority does not vouch for it"
        } else {
            "a private authority is named by the kubeconfig's certificate-authority, or by SSL_CERT_FILE"
        };
        let peer = Peer { name: named(&access.server), proxy, trust };
        let config = configuration(access, &peer, self.limits);
        // Certificates are read from the system while a client is built.
        let built = tokio::task::spawn_blocking(move || Client::try_from(config)).await;
        let client = built.map_err(|_| unusable("the client cannot be built"))?;
        let client = client.map_err(|error| unusable(&root_words(&error)))?;
        Ok(Api::new(client, self.limits, self.progress.clone(), peer))
    }
}

/// How the API server is called: with its address, because it is rarely the one that somebody thinks of.
fn named(server: &Uri) -> String {
    let port = server.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("the Kubernetes API ({}{port})", server.host().unwrap_or_default())
}

/// What the client is made with; whatever it reads by itself otherwise (proxies, files, plug-ins) is decided already.
fn configuration(access: Access, peer: &Peer, limits: Limits) -> Config {
    let mut config = Config::new(access.server);
    config.root_cert = access.authorities;
    config.accept_invalid_certs = access.insecure;
    config.tls_server_name = access.tls_name;
    config.disable_compression = access.uncompressed;
    config.auth_info = access.user;
    config.proxy_url = peer.proxy.as_ref().map(proxy::Proxy::address);
    config.headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
    // The limit of a call ends whatever hangs; one for reads would count the time that a connection lay idle too.
    config.connect_timeout = Some(limits.call);
    config.read_timeout = None;
    config.write_timeout = Some(limits.call);
    // Its own retry obeys any Retry-After; ours gives up on a long one (kubernetes/call.rs).
    config.default_retry = false;
    config
}

fn unusable(why: &str) -> Failure {
    Failure::new(Reason::Unreachable, format!("the kubeconfig cannot be used: {why}"))
}

/// The gap that no connection leaves: nothing can be listed.
pub fn gap(failure: &Failure) -> Gap {
    KubernetesCall::NODES.gap(failure.reason, failure.detail.as_str())
}
