//! Sign-in: our own chain of methods, because the SDK has none, with a time limit on each and the truth about
//! what each of them lacked.

use std::ffi::OsStr;
use std::fmt;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, Transport};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, AzureDeveloperCliCredential, AzureDeveloperCliCredentialOptions,
    AzurePipelinesCredential, AzurePipelinesCredentialOptions, ClientAssertionCredential,
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions, Executor,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use clap::ValueEnum;
use tokio::time::Instant;

use super::certificate::CertificateAssertion;
use super::endpoints::Endpoints;
use super::error;
use super::retry::{self, Pace};
use crate::evidence::cloud::PUBLIC;
use crate::sources::peer::{Peer, root_message};
use crate::sources::process;
use crate::sources::progress::Progress;
use crate::text;

/// A way to sign in to Azure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET` or `AZURE_CLIENT_CERTIFICATE_PATH`
    Environment,
    /// Workload identity: `AZURE_FEDERATED_TOKEN_FILE`
    WorkloadIdentity,
    /// Managed identity of the machine (`AZURE_CLIENT_ID` chooses a user-assigned one)
    ManagedIdentity,
    /// Service connection of an Azure Pipelines job
    AzurePipelines,
    /// Azure CLI: `az login`
    #[value(name = "az")]
    AzureCli,
    /// Azure Developer CLI: `azd auth login`
    #[value(name = "azd")]
    AzureDeveloperCli,
}

impl Method {
    /// The order in which the chain tries.
    pub const CHAIN: [Self; 6] = [
        Self::Environment,
        Self::WorkloadIdentity,
        Self::ManagedIdentity,
        Self::AzurePipelines,
        Self::AzureCli,
        Self::AzureDeveloperCli,
    ];

    /// The word for `--auth`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::WorkloadIdentity => "workload-identity",
            Self::ManagedIdentity => "managed-identity",
            Self::AzurePipelines => "azure-pipelines",
            Self::AzureCli => "az",
            Self::AzureDeveloperCli => "azd",
        }
    }

    /// How long the method may take. The command-line tools start an interpreter first.
    fn patience(self) -> Duration {
        Duration::from_secs(match self {
            Self::ManagedIdentity => 3,
            Self::AzureCli | Self::AzureDeveloperCli => 20,
            _ => 10,
        })
    }
}

/// A sign-in that worked.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// The method that answered.
    pub method: Method,
    /// Gives the tokens, and caches them.
    pub credential: Arc<dyn TokenCredential>,
}

/// No method gave a token.
#[derive(Debug, thiserror::Error)]
pub struct SignInError {
    /// What each method lacked, in the order of the chain.
    pub lacks: Vec<(Method, String)>,
    /// Whether the sign-in service could not be reached: then nothing is known about the sign-in itself.
    pub unreachable: bool,
}

impl fmt::Display for SignInError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no sign-in to Azure")?;
        for (method, lack) in &self.lacks {
            write!(f, "\n  {}: {}", method.name(), text::clean(lack))?;
        }
        Ok(())
    }
}

/// How `az` and `azd` say that they reach nobody; both are other programs, of which only the words are known.
const UNREACHABLE: [&str; 5] = [
    "Max retries exceeded with url",
    "Failed to establish a new connection",
    "Failed to resolve",
    "getaddrinfo failed",
    "dial tcp",
];

impl SignInError {
    /// What to do next, judged by Entra's own error code where there is one.
    pub fn hint(&self) -> &'static str {
        let said = |codes: &[&str]| self.lacks.iter().any(|(_, lack)| codes.iter().any(|code| lack.contains(code)));
        if said(&["AADSTS90002", "AADSTS900023", "AADSTS700016", "AADSTS50020", "AADSTS500011"]) {
            "the sign-in names a wrong tenant or an application that this tenant does not know: check AZURE_TENANT_ID \
             and AZURE_CLIENT_ID, or run: az login --tenant TENANT"
        } else if said(&["AADSTS7000222", "AADSTS7000215"]) {
            "the client secret is wrong or has expired: create a new one and set AZURE_CLIENT_SECRET"
        } else if said(&["AADSTS700082", "AADSTS50173", "AADSTS70043", "AADSTS50078", "AADSTS50079", "expired"]) {
            "the sign-in has expired: run: az login"
        } else if self.unreachable || said(&UNREACHABLE) {
            "there is no way to the sign-in service from here: check the network, the proxy (HTTPS_PROXY) and the \
             certificate authorities (SSL_CERT_FILE)"
        } else {
            "run: az login, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; --auth METHOD forces one \
             method"
        }
    }
}

/// Signs in with the first method of the chain that works, or with the one that is forced.
///
/// A method that is configured but refused ends the chain: going on would hide what is wrong with it.
///
/// # Errors
/// What each method lacked.
pub async fn sign_in(
    forced: Option<Method>,
    endpoints: &Endpoints,
    transport: &Transport,
    deadline: Instant,
    progress: &Progress,
) -> Result<SignIn, SignInError> {
    let chain = forced.map_or_else(|| Method::CHAIN.to_vec(), |method| vec![method]);
    let (mut lacks, mut unreachable) = (Vec::new(), false);
    for method in chain {
        progress.asking(&format!("sign-in by {}", method.name()));
        let credential = match credential(method, forced.is_some(), endpoints, transport) {
            Ok(credential) => credential,
            Err(lack) => {
                lacks.push((method, lack));
                continue;
            }
        };
        let until = (Instant::now() + method.patience()).min(deadline);
        match tokio::time::timeout_at(until, credential.get_token(&[&endpoints.scope], None)).await {
            Ok(Ok(_)) => {
                progress.log(1, &format!("signed in by {}", method.name()));
                return Ok(SignIn { method, credential });
            }
            Ok(Err(error)) => {
                // The metadata address of a machine that has no identity is no network.
                unreachable |= is_connection(&error) && method != Method::ManagedIdentity;
                lacks.push((method, refusal(&error, &endpoints.sign_in_host())));
            }
            Err(_) => lacks.push((method, format!("no answer within {} s", method.patience().as_secs()))),
        }
        if matches!(method, Method::Environment | Method::WorkloadIdentity | Method::AzurePipelines) {
            break;
        }
    }
    Err(SignInError { lacks, unreachable })
}

/// Whether an error is one of the connection.
fn is_connection(error: &azure_core::Error) -> bool {
    use azure_core::error::ErrorKind;
    let mut own = error::sources(error).filter_map(|error| error.downcast_ref::<azure_core::Error>());
    own.any(|error| matches!(error.kind(), ErrorKind::Connection | ErrorKind::Io))
}

/// What Entra or a command-line tool said, without its advertisement for a troubleshooting page.
fn refusal(error: &azure_core::Error, host: &str) -> String {
    if is_connection(error) {
        let service = Peer { name: "the sign-in service".to_owned(), ..Peer::of_azure(host) };
        return error::Failure::from_transport(error, &service).detail;
    }
    let message = root_message(error);
    let kept = message.lines().filter(|line| !line.contains("To troubleshoot, visit"));
    text::bounded(&kept.collect::<Vec<_>>().join("\n"), 400)
}

fn credential(
    method: Method,
    forced: bool,
    endpoints: &Endpoints,
    transport: &Transport,
) -> Result<Arc<dyn TokenCredential>, String> {
    let mut options = retry::client_options(transport.clone(), Arc::new(Pace::new(1)));
    options.cloud = endpoints.configuration().map(Arc::new);
    match method {
        Method::Environment => environment(options, endpoints),
        Method::WorkloadIdentity => {
            variable("AZURE_FEDERATED_TOKEN_FILE")?;
            let options = WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions { client_options: options },
                ..WorkloadIdentityCredentialOptions::default()
            };
            ready(WorkloadIdentityCredential::new(Some(options)))
        }
        Method::ManagedIdentity => managed_identity(forced, options),
        Method::AzurePipelines => {
            let options = AzurePipelinesCredentialOptions {
                credential_options: ClientAssertionCredentialOptions { client_options: options },
            };
            let [connection, client, tenant] = [
                variable("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID")?,
                variable("AZURESUBSCRIPTION_CLIENT_ID")?,
                variable("AZURESUBSCRIPTION_TENANT_ID")?,
            ];
            let token = variable("SYSTEM_ACCESSTOKEN")?;
            ready(AzurePipelinesCredential::new(tenant, client, &connection, token, Some(options)))
        }
        Method::AzureCli => {
            let executor: Arc<dyn Executor> = Arc::new(BoundedExecutor);
            let tenant_id = std::env::var("AZURE_TENANT_ID").ok().filter(|_| forced);
            ready(AzureCliCredential::new(Some(AzureCliCredentialOptions {
                executor: Some(executor),
                tenant_id,
                ..AzureCliCredentialOptions::default()
            })))
        }
        Method::AzureDeveloperCli => {
            let executor: Arc<dyn Executor> = Arc::new(BoundedExecutor);
            ready(AzureDeveloperCliCredential::new(Some(AzureDeveloperCliCredentialOptions {
                executor: Some(executor),
                ..AzureDeveloperCliCredentialOptions::default()
            })))
        }
    }
}

fn ready<C: TokenCredential + 'static>(built: azure_core::Result<Arc<C>>) -> Result<Arc<dyn TokenCredential>, String> {
    match built {
        Ok(credential) => Ok(credential),
        Err(error) => Err(root_message(&error)),
    }
}

fn environment(options: ClientOptions, endpoints: &Endpoints) -> Result<Arc<dyn TokenCredential>, String> {
    let tenant = variable("AZURE_TENANT_ID")?;
    let client = variable("AZURE_CLIENT_ID")?;
    if let Ok(secret) = variable("AZURE_CLIENT_SECRET") {
        let options = ClientSecretCredentialOptions { client_options: options };
        return ready(ClientSecretCredential::new(&tenant, client, secret.into(), Some(options)));
    }
    let path = variable("AZURE_CLIENT_CERTIFICATE_PATH")
        .map_err(|_| "neither AZURE_CLIENT_SECRET nor AZURE_CLIENT_CERTIFICATE_PATH is set".to_owned())?;
    let custom = std::env::var("AZURE_AUTHORITY_HOST").ok();
    let authority = custom.as_deref().or(endpoints.authority).unwrap_or(PUBLIC.authority);
    let assertion = CertificateAssertion::load(&path, &tenant, &client, authority)?;
    let options = ClientAssertionCredentialOptions { client_options: options };
    ready(ClientAssertionCredential::new(tenant, client, assertion, Some(options)))
}

fn managed_identity(forced: bool, options: ClientOptions) -> Result<Arc<dyn TokenCredential>, String> {
    let announced = ["IDENTITY_ENDPOINT", "MSI_ENDPOINT"].iter().any(|name| std::env::var_os(name).is_some());
    if !forced && !announced && !on_azure_machine() {
        return Err("this is no Azure machine (--auth managed-identity asks anyway)".to_owned());
    }
    let user_assigned_id = std::env::var("AZURE_CLIENT_ID").ok().map(UserAssignedId::ClientId);
    ready(ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
        user_assigned_id,
        client_options: options,
    })))
}

/// Azure's hypervisor gives every machine the same asset tag. Asking the metadata address without it would cost
/// everybody else seconds, because elsewhere nobody answers there.
fn on_azure_machine() -> bool {
    const TAG: &str = "7783-7084-3265-9085-8269-3286-77";
    if cfg!(target_os = "linux") {
        std::fs::read_to_string("/sys/class/dmi/id/chassis_asset_tag").is_ok_and(|tag| tag.trim() == TAG)
    } else {
        cfg!(windows)
    }
}

fn variable(name: &str) -> Result<String, String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty()).ok_or_else(|| format!("{name} is not set"))
}

/// Runs `az` or `azd` so that it ends with us, bounded: both are scripts that start an interpreter.
#[derive(Debug)]
struct BoundedExecutor;

#[async_trait]
impl Executor for BoundedExecutor {
    async fn run(&self, program: &OsStr, args: &[&OsStr]) -> std::io::Result<Output> {
        let mut command = tokio::process::Command::new(program);
        command.args(args);
        process::run(command).await
    }
}

/// The subscription that `az` is signed in to.
///
/// # Errors
/// A sentence that says what `az` lacked.
pub async fn az_subscription(deadline: Instant) -> Result<String, String> {
    #[derive(serde::Deserialize)]
    struct Account {
        id: String,
    }
    let (shell, switch) = if cfg!(windows) { ("cmd", "/C") } else { ("/bin/sh", "-c") };
    let args = [OsStr::new(switch), OsStr::new("az account show -o json")];
    let until = (Instant::now() + Method::AzureCli.patience()).min(deadline);
    let output = tokio::time::timeout_at(until, BoundedExecutor.run(OsStr::new(shell), &args))
        .await
        .map_err(|_| "az account show did not answer in time".to_owned())?
        .map_err(|error| format!("az cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(text::bounded(&String::from_utf8_lossy(&output.stderr), 300));
    }
    let account: Account = serde_json::from_slice(&output.stdout)
        .map_err(|_| "az account show printed something that is no account".to_owned())?;
    Ok(account.id)
}
