//! Where Azure is asked: the endpoints of a cloud that aksiso knows, and of others.

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::http::Url;

use crate::evidence::cloud::{Cloud, PUBLIC};

/// Where ARM is and how to sign in for it.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// Base address of ARM.
    pub arm: Url,
    /// The scope that a token for ARM is asked with.
    pub scope: String,
    /// The scopes that a registry's sign-in is tried with, in this order.
    pub registry_scopes: [String; 2],
    /// Where Microsoft Entra ID signs in; `None` lets `AZURE_AUTHORITY_HOST` decide.
    pub authority: Option<&'static str>,
}

impl Endpoints {
    /// Works out the endpoints from `--cloud` and `--arm-endpoint`.
    ///
    /// A token is for the named cloud where one is named, else for the custom endpoint itself: the one serves a
    /// private path to a known cloud, the other a cloud that aksiso does not know.
    ///
    /// # Errors
    /// A sentence that says why the endpoint cannot be used.
    pub fn new(cloud: Option<&'static Cloud>, arm_endpoint: Option<&str>) -> Result<Self, String> {
        let named = cloud.unwrap_or(&PUBLIC);
        let text = arm_endpoint.unwrap_or(named.arm).trim();
        let arm = Url::parse(text).map_err(|error| format!("\"{text}\" is not a URL: {error}"))?;
        if arm.scheme() != "https" {
            return Err(format!("\"{text}\" does not begin with https://; a token is never sent in the clear"));
        }
        if arm.host_str().is_none() || !matches!(arm.path(), "" | "/") || arm.query().is_some() {
            return Err(format!("\"{text}\" must be a host with an optional port, such as {}", named.arm));
        }
        if !arm.username().is_empty() || arm.password().is_some() {
            return Err("the ARM endpoint must not hold a user name or password".to_owned());
        }
        let audience = match (cloud, arm_endpoint) {
            (None, Some(_)) => text.trim_end_matches('/'),
            _ => named.arm,
        };
        let custom_authority = std::env::var_os("AZURE_AUTHORITY_HOST").is_some();
        let scope = format!("{audience}/.default");
        Ok(Self {
            registry_scopes: [format!("{}/.default", named.registry_audience), scope.clone()],
            scope,
            authority: (!custom_authority).then_some(named.authority),
            arm,
        })
    }

    /// The authority as the Azure SDK takes it.
    pub fn configuration(&self) -> Option<CloudConfiguration> {
        let mut custom = CustomConfiguration::default();
        self.authority?.clone_into(&mut custom.authority_host);
        Some(custom.into())
    }

    /// Host of Microsoft Entra ID.
    pub fn sign_in_host(&self) -> String {
        let custom = || std::env::var("AZURE_AUTHORITY_HOST").unwrap_or_default();
        let authority = self.authority.map_or_else(custom, str::to_owned);
        let host = Url::parse(&authority).ok().and_then(|url| url.host_str().map(str::to_owned));
        host.unwrap_or_default()
    }

    /// Host (and port) of ARM, for messages.
    pub fn host(&self) -> String {
        let host = self.arm.host_str().unwrap_or_default();
        self.arm.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::cloud::ALL;

    #[test]
    fn the_audience_follows_the_cloud_that_is_named() {
        let scope = |cloud: Option<&str>, arm| Endpoints::new(cloud.and_then(Cloud::named), arm).expect("valid").scope;
        assert_eq!(scope(None, None), "https://management.azure.com/.default");
        assert_eq!(scope(Some("china"), None), "https://management.chinacloudapi.cn/.default");
        assert_eq!(scope(None, Some("https://arm.local:8443/")), "https://arm.local:8443/.default");
        assert_eq!(scope(Some("usgov"), Some("https://10.0.0.4")), "https://management.usgovcloudapi.net/.default");
    }

    #[test]
    fn a_registry_is_signed_in_to_with_the_audience_of_its_own_cloud() {
        for cloud in ALL {
            let [own, arm] = Endpoints::new(Some(cloud), None).expect("valid").registry_scopes;
            assert_eq!(own, format!("{}/.default", cloud.registry_audience));
            assert_eq!(arm, format!("{}/.default", cloud.arm), "never the one of another cloud");
        }
        let [_, arm] = Endpoints::new(None, Some("https://arm.local")).expect("valid").registry_scopes;
        assert_eq!(arm, "https://arm.local/.default");
    }

    #[test]
    fn an_endpoint_that_would_leak_the_token_is_refused() {
        for bad in ["http://arm.local", "arm.local", "https://user:pw@arm.local", "https://arm.local/path"] {
            assert!(Endpoints::new(None, Some(bad)).is_err(), "{bad}");
        }
    }
}
