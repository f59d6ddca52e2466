//! Which kubeconfig to believe, and a client for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use kube::config::{ExecInteractiveMode, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde::Deserialize;

use crate::evidence::calls::azure as api;
use crate::evidence::calls::kubernetes::KubernetesCall;
use crate::evidence::cluster::ManagedCluster;
use crate::evidence::{Gap, Reason};
use crate::sources::azure::arm::{Arm, Limits};
use crate::sources::azure::error::Failure;
use crate::sources::progress::Progress;
use crate::text;

/// The application behind which every Entra ID cluster of AKS stands.
const AKS_SERVER_APP: &str = "6dae42f8-4368-4678-94ff-3960e28e3630";

/// What the command line says about the Kubernetes API.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// `--kubeconfig` and `--context`, already read: a file that cannot be read is bad input, not a gap.
    pub explicit: Option<(Kubeconfig, Option<String>)>,
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
        let (config, name) = match kubeconfig {
            Some(path) => (Kubeconfig::read_from(path), path.display().to_string()),
            None => (Kubeconfig::read(), "the default kubeconfig".to_owned()),
        };
        // A parser's message may quote the file, and the file holds secrets: only the kind of failure is told.
        let config = config.map_err(|error| match error {
            kube::config::KubeconfigError::ReadConfig(source, _) => format!("{name} cannot be read: {source}"),
            _ => format!("{name} is not a kubeconfig"),
        })?;
        let names: Vec<&str> = config.contexts.iter().map(|context| context.name.as_str()).collect();
        if let Some(context) = context.filter(|context| !names.contains(context)) {
            let known = names.join(", ");
            return Err(format!("{name} has no context \"{context}\" (it has: {known})"));
        }
        if context.is_none() && config.current_context.as_deref().is_none_or(str::is_empty) {
            return Err(format!("{name} has no current context; name one with --context"));
        }
        Ok(Self { explicit: Some((config, context.map(str::to_owned))), skip })
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
    /// A client for the cluster's API: what was named explicitly; else the context whose server is the cluster's own
    /// host name; else, or where its sign-in plug-in fails (kubelogin is not everywhere), the credential that ARM
    /// gives; else the current context (its nodes tell whether it is this cluster).
    ///
    /// # Errors
    /// The gap that says why there is none.
    pub async fn connect(&self, wish: &Wish, cluster: &ManagedCluster) -> Result<Client, Gap> {
        if let Some((config, context)) = &wish.explicit {
            self.progress.log(1, "Kubernetes API: the kubeconfig that was named");
            return self.client(config.clone(), context.clone()).await;
        }
        let local = Kubeconfig::read().ok();
        let mut own = None;
        if let Some((config, context)) = local.as_ref().and_then(|config| matching(config, cluster)) {
            self.progress.log(1, &format!("Kubernetes API: context {context}"));
            match self.client(config, Some(context)).await {
                Ok(client) => return Ok(client),
                Err(gap) => own = Some(gap),
            }
        }
        let failure = match self.user_credential(cluster).await {
            Ok(config) => {
                self.progress.log(1, "Kubernetes API: listClusterUserCredential");
                return self.client(config, None).await;
            }
            Err(failure) => failure,
        };
        // A context of this cluster that cannot be used says more than what any other context would.
        if let Some(gap) = own {
            return Err(gap);
        }
        match local.filter(|config| config.current_context.as_deref().is_some_and(|name| !name.is_empty())) {
            Some(config) => {
                self.progress.log(1, "Kubernetes API: the current context");
                self.client(config, None).await
            }
            None => Err(failure.gap(&api::CLUSTER_USER_CREDENTIAL, cluster.id.as_str())),
        }
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
        for user in config.auth_infos.iter_mut().filter_map(|user| user.auth_info.as_mut()) {
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

    async fn client(&self, mut config: Kubeconfig, context: Option<String>) -> Result<Client, Gap> {
        for user in config.auth_infos.iter_mut().filter_map(|user| user.auth_info.as_mut()) {
            if let Some(exec) = &mut user.exec {
                // A plug-in that wants to talk to somebody would wait forever in a pipeline.
                exec.interactive_mode = Some(ExecInteractiveMode::Never);
            }
        }
        let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
        let unusable = |what: &str| KubernetesCall::NODES.gap(Reason::Unreachable, what);
        let mut config = Config::from_custom_kubeconfig(config, &options).await.map_err(|_| {
            unusable("the kubeconfig's context cannot be used (a file or field that it names is missing)")
        })?;
        config.connect_timeout = Some(Duration::from_secs(5));
        config.read_timeout = Some(self.limits.call);
        // Its own retry obeys any Retry-After; ours gives up on a long one (kubernetes/call.rs).
        config.default_retry = false;
        // Sign-in plug-ins run while the client is built, and they block.
        let built = tokio::task::spawn_blocking(move || Client::try_from(config));
        match tokio::time::timeout_at(self.limits.call_deadline(), built).await {
            Ok(Ok(Ok(client))) => Ok(client),
            Ok(Ok(Err(error))) => Err(unusable(&client_error(&error))),
            Ok(Err(_)) => Err(unusable("the Kubernetes client could not be built")),
            Err(_) => {
                Err(KubernetesCall::NODES
                    .gap(Reason::TimedOut, "the kubeconfig's sign-in plug-in did not answer in time"))
            }
        }
    }
}

/// Says why no client could be built; what a plug-in printed may hold a token and is not repeated.
fn client_error(error: &kube::Error) -> String {
    match error {
        kube::Error::Auth(_) => {
            "the kubeconfig's sign-in plug-in failed; run it once by hand (kubectl get nodes)".to_owned()
        }
        other => text::bounded(&crate::sources::azure::error::root_message(other), 200),
    }
}

/// The context whose server is the cluster's own host name.
fn matching(config: &Kubeconfig, cluster: &ManagedCluster) -> Option<(Kubeconfig, String)> {
    let own = [cluster.properties.fqdn.as_deref(), cluster.properties.private_fqdn.as_deref()];
    let is_own = |server: &str| {
        let host = server.parse::<http::Uri>().ok()?.host()?.to_owned();
        own.into_iter().flatten().any(|name| name.eq_ignore_ascii_case(&host)).then_some(())
    };
    let named = config.clusters.iter().filter(|entry| {
        let server = entry.cluster.as_ref().and_then(|cluster| cluster.server.as_deref());
        server.and_then(is_own).is_some()
    });
    let clusters: Vec<&str> = named.map(|entry| entry.name.as_str()).collect();
    let context = config
        .contexts
        .iter()
        .find(|entry| entry.context.as_ref().is_some_and(|context| clusters.contains(&context.cluster.as_str())))?;
    Some((config.clone(), context.name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(fqdn: &str) -> ManagedCluster {
        let json = serde_json::json!({ "id": "/subscriptions/s/x/aks",
                "properties": {
                "fqdn": fqdn,
                "privateFQDN":
                "p.local" } });
        serde_json::from_value(json).expect("a cluster")
    }

    #[test]
    fn only_a_context_of_this_cluster_is_chosen_unasked() {
        let yaml = "apiVersion: v1\nkind: Config\ncurrent-context: other\nclusters:\n- name: c1\n  cluster: {server: \
                    'https://A.hcp.eastus.azmk8s.io:443'}\n- name: c2\n  cluster: {server: \
                    'https://elsewhere'}\ncontexts:\n- name: other\n  context: {cluster: c2, user: u}\n- name: \
                    mine\n  context: {cluster: c1, user: u}\nusers: []\n";
        let config = Kubeconfig::from_yaml(yaml).expect("yaml");
        let found = |fqdn: &str| matching(&config, &cluster(fqdn)).map(|(_, context)| context);
        assert_eq!(found("a.hcp.eastus.azmk8s.io").as_deref(), Some("mine"));
        assert_eq!(found("b.hcp.eastus.azmk8s.io"), None);
    }
}
