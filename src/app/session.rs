//! One sign-in and one time limit for everything that a run asks.

use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_core::http::Transport;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::app::cli::TargetArgs;
use crate::evidence::id::ResourceId;
use crate::sources::azure::arm::{Arm, Limits};
use crate::sources::azure::credential::{self, SignIn};
use crate::sources::azure::data_plane::DataPlane;
use crate::sources::azure::endpoints::Endpoints;
use crate::sources::azure::transport;
use crate::sources::progress::{Progress, Stage};
use crate::text::problem::Problem;

/// Longest time limit of one call; in a short run it is a third of the run's, so that one call that hangs leaves time
/// for those that follow.
const CALL: Duration = Duration::from_secs(10);

/// What a run asks with. Nobody is signed in before something is asked.
pub(super) struct Session<'r> {
    pub(super) args: &'r TargetArgs,
    pub(super) progress: &'r Progress,
    pub(super) limits: Limits,
    /// Made when something is asked: a snapshot is read without any certificate authority.
    transport: OnceCell<Transport>,
    sign_in: OnceCell<SignIn>,
    /// The cluster, where an earlier round has found it.
    pub(super) known: Option<ResourceId>,
}

impl<'r> Session<'r> {
    /// Begins a run: its time limit counts from here.
    pub(super) fn new(args: &'r TargetArgs, progress: &'r Progress) -> Self {
        let limits = Limits {
            call: CALL.min(args.timeout / 3),
            deadline: Instant::now() + args.timeout,
            concurrency: args.concurrency.into(),
        };
        Self { args, progress, limits, transport: OnceCell::new(), sign_in: OnceCell::new(), known: None }
    }

    /// The endpoints of the chosen cloud.
    pub(super) fn endpoints(&self) -> anyhow::Result<Endpoints> {
        Endpoints::new(self.args.cloud, self.args.arm_endpoint.as_deref()).map_err(|why| {
            Problem::new(format!("the ARM endpoint is not valid: {why}"), "expected https://HOST[:PORT]").into()
        })
    }

    async fn transport(&self) -> anyhow::Result<Transport> {
        let made = self.transport.get_or_try_init(async || {
            transport::transport().map_err(|why| {
                let hint = "install the system's certificate authorities (package ca-certificates), or name a file of \
                            them: SSL_CERT_FILE";
                Problem::new(format!("Azure cannot be asked: {why}"), hint)
            })
        });
        Ok(made.await?.clone())
    }

    /// Signs in, once.
    pub(super) async fn sign_in(&self) -> anyhow::Result<&SignIn> {
        let sign_in = self.sign_in.get_or_try_init(async || {
            let _stage = self.progress.stage(Stage::SignIn);
            let endpoints = self.endpoints()?;
            let (auth, deadline) = (self.args.auth, self.limits.deadline);
            let transport = self.transport().await?;
            let sign_in = credential::sign_in(auth, &endpoints, &transport, deadline, self.progress).await;
            Ok(sign_in.map_err(|error| Problem::new(error.to_string(), error.hint()))?)
        });
        sign_in.await
    }

    pub(super) async fn credential(&self) -> anyhow::Result<Arc<dyn TokenCredential>> {
        Ok(Arc::clone(&self.sign_in().await?.credential))
    }

    pub(super) async fn arm(&self) -> anyhow::Result<Arm> {
        let endpoints = self.endpoints()?;
        let (credential, transport) = (self.credential().await?, self.transport().await?);
        Ok(Arm::new(endpoints.arm, &endpoints.scope, credential, transport, self.limits, self.progress.clone()))
    }

    /// The data plane of a registry.
    pub(super) async fn data_plane(&self, server: &str) -> anyhow::Result<DataPlane> {
        let (credential, transport) = (self.credential().await?, self.transport().await?);
        let scopes = self.endpoints()?.registry_scopes;
        Ok(DataPlane::new(server, scopes, credential, transport, self.limits, self.progress.clone()))
    }
}
