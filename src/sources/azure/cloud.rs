//! The Azure clouds, and endpoints of others.

use azure_core::cloud::CloudConfiguration;
use azure_core::http::Url;
use clap::ValueEnum;

/// A cloud that aksiso knows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Cloud {
    /// Azure
    Public,
    /// Azure US Government
    Usgov,
    /// Azure operated by 21Vianet (China)
    China,
}

impl Cloud {
    fn arm(self) -> &'static str {
        match self {
            Self::Public => "https://management.azure.com",
            Self::Usgov => "https://management.usgovcloudapi.net",
            Self::China => "https://management.chinacloudapi.cn",
        }
    }

    fn configuration(self) -> CloudConfiguration {
        match self {
            Self::Public => CloudConfiguration::AzurePublic,
            Self::Usgov => CloudConfiguration::AzureGovernment,
            Self::China => CloudConfiguration::AzureChina,
        }
    }
}

/// Where ARM is and how to sign in for it.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// Base address of ARM.
    pub arm: Url,
    /// The scope that a token for ARM is asked with.
    pub scope: String,
    /// The cloud whose authority signs in; `None` lets `AZURE_AUTHORITY_HOST` decide.
    pub authority: Option<CloudConfiguration>,
}

impl Endpoints {
    /// Works out the endpoints from `--cloud` and `--arm-endpoint`.
    ///
    /// A token is for the named cloud where one is named, else for the custom endpoint itself: the one serves a
    /// private path to a known cloud, the other a cloud that aksiso does not know.
    ///
    /// # Errors
    /// A sentence that says why the endpoint cannot be used.
    pub fn new(cloud: Option<Cloud>, arm_endpoint: Option<&str>) -> Result<Self, String> {
        let named = cloud.unwrap_or(Cloud::Public);
        let text = arm_endpoint.unwrap_or_else(|| named.arm()).trim();
        let arm = Url::parse(text).map_err(|error| format!("\"{text}\" is not a URL: {error}"))?;
        if arm.scheme() != "https" {
            return Err(format!("\"{text}\" does not begin with https://; a token is never sent in the clear"));
        }
        if arm.host_str().is_none() || !matches!(arm.path(), "" | "/") || arm.query().is_some() {
            return Err(format!("\"{text}\" must be a host with an optional port, such as {}", named.arm()));
        }
        if !arm.username().is_empty() || arm.password().is_some() {
            return Err("the ARM endpoint must not hold a user name or password".to_owned());
        }
        let audience = match (cloud, arm_endpoint) {
            (None, Some(_)) => text.trim_end_matches('/'),
            _ => named.arm(),
        };
        let custom_authority = std::env::var_os("AZURE_AUTHORITY_HOST").is_some();
        Ok(Self {
            scope: format!("{audience}/.default"),
            authority: (!custom_authority).then(|| named.configuration()),
            arm,
        })
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

    #[test]
    fn the_audience_follows_the_cloud_that_is_named() {
        let scope = |cloud, arm| Endpoints::new(cloud, arm).expect("valid").scope;
        assert_eq!(scope(None, None), "https://management.azure.com/.default");
        assert_eq!(scope(Some(Cloud::China), None), "https://management.chinacloudapi.cn/.default");
        assert_eq!(scope(None, Some("https://arm.local:8443/")), "https://arm.local:8443/.default");
        assert_eq!(
            scope(Some(Cloud::Usgov), Some("https://10.0.0.4")),
            "https://management.usgovcloudapi.net/.default"
        );
    }

    #[test]
    fn an_endpoint_that_would_leak_the_token_is_refused() {
        for bad in ["http://arm.local", "arm.local", "https://user:pw@arm.local", "https://arm.local/path"] {
            assert!(Endpoints::new(None, Some(bad)).is_err(), "{bad}");
        }
    }
}
