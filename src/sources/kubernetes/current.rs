//! The contexts of the kubeconfig: which API server the current one leads to, and which leads to a given one.

use std::path::PathBuf;

use kube::config::Kubeconfig;

use super::kubeconfig::{self, contexts_of, server};

/// A context and its API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    pub context: String,
    /// The server's host name.
    pub host: String,
}

/// The contexts of one kubeconfig; none where it cannot be read.
#[derive(Debug, Default)]
pub struct Contexts(Kubeconfig);

impl Contexts {
    /// Those of a file that is named, else of `KUBECONFIG`, else of `~/.kube/config`.
    pub fn read(named: Option<&PathBuf>) -> Self {
        let read = named.map_or_else(kubeconfig::read_default, |path| kubeconfig::read(path));
        Self(read.unwrap_or_default())
    }

    /// The context of that name, else the current one, where it leads to a server.
    pub fn current(&self, named: Option<&str>) -> Option<Current> {
        let context = named.or(self.0.current_context.as_deref()).filter(|name| !name.is_empty())?;
        self.server(context).map(|host| Current { context: context.to_owned(), host })
    }

    /// The context that leads to one of these host names: the current one, if it does.
    pub fn leading_to(&self, hosts: &[&str]) -> Option<Current> {
        let context = *contexts_of(&self.0, hosts).first()?;
        self.server(context).map(|host| Current { context: context.to_owned(), host })
    }

    /// The host of a context's server.
    fn server(&self, context: &str) -> Option<String> {
        let entry = self.0.contexts.iter().find(|entry| entry.name == context)?.context.as_ref()?;
        let cluster = self.0.clusters.iter().find(|named| named.name == entry.cluster)?.cluster.as_ref()?;
        let address = server(cluster.server.as_deref()?)?;
        Some(address.host()?.trim_end_matches('.').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_context_leads_to_its_server() {
        let yaml = "apiVersion: v1\nkind: Config\ncurrent-context: prod\nclusters:\n- name: c1\n  cluster: {server: \
                    'https://A.hcp.eastus.azmk8s.io:443'}\n- name: c2\n  cluster: {server: kind:6443}\ncontexts:\n- \
                    name: prod\n  context: {cluster: c1, user: u}\n- name: kind\n  context: {cluster: c2, user: u}\n- \
                    name: broken\n  context: {cluster: c3, user: u}\nusers: []\n";
        let contexts = Contexts(Kubeconfig::from_yaml(yaml).expect("a kubeconfig"));
        let current = |named| contexts.current(named).map(|current| (current.context, current.host));
        assert_eq!(current(None), Some(("prod".into(), "A.hcp.eastus.azmk8s.io".into())));
        assert_eq!(current(Some("kind")), Some(("kind".into(), "kind".into())));
        assert_eq!(current(Some("broken")), None);
        let leading = contexts.leading_to(&["a.hcp.eastus.azmk8s.io"]).map(|found| found.context);
        assert_eq!(leading.as_deref(), Some("prod"));
        assert_eq!(contexts.leading_to(&["elsewhere"]), None);
    }
}
