//! A registry's own API, read-only: which tags it has, and for which platforms they are built.
//!
//! Manifests are asked as metadata (`/acr/v1/…`) and never pulled: a pull through a cache rule would make the registry
//! fetch and keep the image.

use std::collections::BTreeMap;
use std::sync::Arc;

use azure_core::credentials::{TokenCredential, TokenRequestOptions};
use azure_core::http::{Method, Pipeline, Request, Transport, Url};
use futures::StreamExt as _;
use futures::stream;
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::arm::Limits;
use super::error::Failure;
use super::exchange::exchange;
use super::retry::{self, Pace};
use crate::evidence::manifests::{Artifact, Asked};
use crate::evidence::{Fact, Gap, Reason};
use crate::sources::peer::Peer;
use crate::sources::progress::Progress;

/// Largest answer that is read, in bytes.
const BODY_LIMIT: usize = 4 << 20;
/// What is said of an answer that cannot be read.
const MALFORMED: &str = "the answer is not what a registry documents";
/// Most repositories that are asked at a time.
const AT_A_TIME: usize = 8;
/// Repositories of one page of the list, and most pages.
const CATALOG_PAGE: usize = 1_000;
const CATALOG_PAGES: usize = 100;

/// Answers by repository and version.
type Artifacts = BTreeMap<(String, String), Fact<Option<Artifact>>>;

pub struct DataPlane {
    pipeline: Pipeline,
    credential: Arc<dyn TokenCredential>,
    server: String,
    peer: Peer,
    /// What its sign-in is tried with, in this order.
    scopes: [String; 2],
    limits: Limits,
    progress: Progress,
    /// The registry's own refresh token, asked for once.
    refresh: OnceCell<String>,
}

#[derive(Deserialize)]
struct Exchanged {
    refresh_token: String,
}

#[derive(Deserialize)]
struct Access {
    access_token: String,
}

#[derive(Deserialize)]
struct Catalog {
    repositories: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Tag {
    tag: TagAttributes,
}

#[derive(Deserialize)]
struct TagAttributes {
    digest: String,
}

#[derive(Deserialize)]
struct Manifest {
    manifest: ManifestAttributes,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ManifestAttributes {
    architecture: Option<String>,
    os: Option<String>,
    references: Option<Vec<ManifestAttributes>>,
}

impl DataPlane {
    /// A client of the registry with this login server.
    pub fn new(
        server: &str,
        scopes: [String; 2],
        credential: Arc<dyn TokenCredential>,
        transport: Transport,
        limits: Limits,
        progress: Progress,
    ) -> Self {
        let options = retry::client_options(transport, Arc::new(Pace::new(AT_A_TIME)));
        let pipeline =
            Pipeline::new(Some("aksiso"), Some(env!("CARGO_PKG_VERSION")), options, Vec::new(), Vec::new(), None);
        Self {
            pipeline,
            credential,
            server: server.to_owned(),
            peer: Peer::of_azure(server),
            scopes,
            limits,
            progress,
            refresh: OnceCell::new(),
        }
    }

    /// What the registry has of these repositories, each with the tags and digests that are asked for, and which
    /// others.
    pub async fn ask(&self, wanted: Vec<(String, Vec<String>)>) -> Asked {
        let (artifacts, repositories) = tokio::join!(self.artifacts(wanted), self.repositories());
        Asked { artifacts, repositories }
    }

    /// Every repository, page by page.
    async fn repositories(&self) -> Fact<Vec<String>> {
        let read = async {
            let token = self.access("registry:catalog:*").await?;
            let mut all: Vec<String> = Vec::new();
            for _ in 0..CATALOG_PAGES {
                let last = all.last().cloned().unwrap_or_default();
                let query = [("n", CATALOG_PAGE.to_string()), ("last", last)];
                let page: Catalog = self.get_with("/acr/v1/_catalog", &query, &token).await?;
                let page = page.repositories.unwrap_or_default();
                let full = page.len() >= CATALOG_PAGE;
                all.extend(page);
                if !full {
                    return Ok(all);
                }
            }
            Err(Failure::new(Reason::Malformed, "the list of repositories does not end"))
        };
        read.await.map_or_else(|failure: Failure| Fact::Missing(self.gap("the repositories", &failure)), Fact::Known)
    }

    async fn artifacts(&self, wanted: Vec<(String, Vec<String>)>) -> Artifacts {
        let asked = stream::iter(wanted).map(|(repository, versions)| async move {
            let answers = self.repository(&repository, &versions).await;
            versions
                .into_iter()
                .zip(answers)
                .map(|(version, answer)| ((repository.clone(), version), answer))
                .collect::<Vec<_>>()
        });
        asked.buffered(AT_A_TIME).concat().await.into_iter().collect()
    }

    async fn repository(&self, repository: &str, versions: &[String]) -> Vec<Fact<Option<Artifact>>> {
        let token = match self.access(&format!("repository:{repository}:metadata_read")).await {
            Ok(token) => token,
            Err(failure) => {
                return versions
                    .iter()
                    .map(|_| Fact::Missing(self.gap(&format!("repository {repository}"), &failure)))
                    .collect();
            }
        };
        let mut answers = Vec::new();
        for version in versions {
            let answer = self.version(repository, version, &token).await;
            answers.push(match answer {
                Ok(artifact) => Fact::Known(Some(artifact)),
                Err(failure) if failure.reason == Reason::NotFound && is_absent(&failure) => Fact::Known(None),
                Err(failure) => Fact::Missing(self.gap(&format!("repository {repository}"), &failure)),
            });
        }
        answers
    }

    async fn version(&self, repository: &str, version: &str, token: &str) -> Result<Artifact, Failure> {
        let digest = if version.contains(':') {
            version.to_owned()
        } else {
            let tag: Tag = self.get(&format!("/acr/v1/{repository}/_tags/{version}"), token).await?;
            tag.tag.digest
        };
        let manifest: Manifest = self.get(&format!("/acr/v1/{repository}/_manifests/{digest}"), token).await?;
        let own = manifest.manifest;
        let parts = own.references.unwrap_or_default();
        let platform = |part: &ManifestAttributes| {
            let (os, architecture) = (part.os.as_deref()?, part.architecture.as_deref()?);
            // Attestations have the platform unknown/unknown.
            (![os, architecture].contains(&"unknown")).then(|| format!("{os}/{architecture}"))
        };
        let single = ManifestAttributes { architecture: own.architecture, os: own.os, references: None };
        let mut platforms: Vec<String> = parts.iter().chain([&single]).filter_map(platform).collect();
        platforms.sort();
        platforms.dedup();
        Ok(Artifact { platforms })
    }

    /// A token for one scope: the metadata of a repository, or the list of them.
    async fn access(&self, scope: &str) -> Result<String, Failure> {
        let refresh = self.refresh.get_or_try_init(|| self.sign_in()).await?;
        let form = [
            ("grant_type", "refresh_token"),
            ("service", self.server.as_str()),
            ("scope", scope),
            ("refresh_token", refresh.as_str()),
        ];
        let access: Access = self.post("/oauth2/token", &form).await?;
        Ok(access.access_token)
    }

    /// Exchanges our own sign-in for the registry's.
    async fn sign_in(&self) -> Result<String, Failure> {
        let mut refused = Failure::new(Reason::Unauthorized, "the registry does not accept the sign-in");
        for scope in &self.scopes {
            let token = self.credential.get_token(&[scope], Some(TokenRequestOptions::default())).await;
            let Ok(token) = token else { continue };
            let form = [
                ("grant_type", "access_token"),
                ("service", self.server.as_str()),
                ("access_token", token.token.secret()),
            ];
            match self.post::<Exchanged>("/oauth2/exchange", &form).await {
                Ok(exchanged) => return Ok(exchanged.refresh_token),
                Err(failure) if failure.reason == Reason::Unauthorized => refused = failure,
                Err(failure) => return Err(failure),
            }
        }
        Err(refused)
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str, token: &str) -> Result<T, Failure> {
        self.get_with(path, &[], token).await
    }

    async fn get_with<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
        token: &str,
    ) -> Result<T, Failure> {
        let mut url = self.url(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = Request::new(url, Method::Get);
        request.insert_header("authorization", format!("Bearer {token}"));
        self.call(request, path).await
    }

    /// The sign-in of a registry is a POST; it changes nothing there.
    async fn post<T: serde::de::DeserializeOwned>(&self, path: &str, form: &[(&str, &str)]) -> Result<T, Failure> {
        let mut request = Request::new(self.url(path)?, Method::Post);
        let mut encoded = Url::parse("https://form.invalid").map_err(|_| malformed())?;
        encoded.query_pairs_mut().extend_pairs(form);
        request.insert_header("content-type", "application/x-www-form-urlencoded");
        request.set_body(encoded.query().unwrap_or_default().as_bytes().to_vec());
        self.call(request, path).await
    }

    fn url(&self, path: &str) -> Result<Url, Failure> {
        let mut url = Url::parse(&format!("https://{}", self.server)).map_err(|_| malformed())?;
        url.set_path(path);
        Ok(url)
    }

    async fn call<T: serde::de::DeserializeOwned>(&self, mut request: Request, path: &str) -> Result<T, Failure> {
        self.progress.asking(&format!("{}{path}", self.server));
        let answer = tokio::time::timeout_at(self.limits.call_deadline(), self.exchange(&mut request)).await;
        let answer = answer.unwrap_or_else(|_| Err(Failure::late(&self.peer)));
        let outcome =
            answer.as_ref().map_or_else(|failure| failure.detail.clone(), |body| format!("200, {} bytes", body.len()));
        self.progress.log(2, &format!("{} {}{path}: {outcome}", request.method(), self.server));
        serde_json::from_slice(&answer?).map_err(|_| malformed())
    }

    async fn exchange(&self, request: &mut Request) -> Result<Vec<u8>, Failure> {
        request.insert_header("accept", "application/json");
        let answer = exchange(&self.pipeline, &self.peer, request, BODY_LIMIT, || MALFORMED.to_owned()).await?;
        if answer.status == 200 { Ok(answer.body) } else { Err(failed(answer.status, &answer.body)) }
    }

    fn gap(&self, what: &str, failure: &Failure) -> Gap {
        let mut gap = Gap::new(failure.reason, format!("{what} of {}: {}", self.server, failure.detail));
        if matches!(failure.reason, Reason::Forbidden | Reason::Unauthorized) {
            gap.needed = Some("Microsoft.ContainerRegistry/registries/repositories/metadata/read".to_owned());
            gap.scope.clone_from(&self.server);
            gap.role =
                Some("AcrPull, or Container Registry Repository Reader where the registry is in ABAC mode".to_owned());
        }
        gap.bounded()
    }
}

fn malformed() -> Failure {
    Failure::new(Reason::Malformed, MALFORMED)
}

/// A registry's error: its code alone; a message may quote the request.
fn failed(status: u16, body: &[u8]) -> Failure {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<Code>,
    }
    #[derive(Deserialize)]
    struct Code {
        code: String,
    }
    let code =
        serde_json::from_slice::<Errors>(body).ok().and_then(|errors| Some(errors.errors.into_iter().next()?.code));
    let mut failure = Failure::from_status(status, &[]);
    if let Some(code) = &code {
        failure.detail = format!("{status} {}", crate::text::clean(&crate::text::bounded(code, 60)));
    }
    failure.code = code;
    failure
}

/// Whether a 404 is the registry's own word, and not a proxy's.
fn is_absent(failure: &Failure) -> bool {
    failure.code.as_deref().is_some_and(|code| ["NAME_UNKNOWN", "TAG_UNKNOWN", "MANIFEST_UNKNOWN"].contains(&code))
}
