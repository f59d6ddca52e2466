//! The only code that sends requests to Azure Resource Manager: GET, paged lists, and one listed read by POST.

mod graph;
mod shared;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use azure_core::Uuid;
use azure_core::credentials::TokenCredential;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::{Method, Pipeline, Request, Transport, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::error::Failure;
use super::exchange::exchange;
use super::retry::{self, Pace};
use crate::evidence::calls::azure::Api;
use crate::evidence::id::ResourceId;
use crate::evidence::{Fact, Reason};
use crate::sources::peer::Peer;
use crate::sources::progress::Progress;
use crate::text;
pub use graph::{GraphAnswer, Quota};
use shared::Shared;

/// Largest body that is read, in bytes, after decompression. ARM's own pages stay below 8 MiB.
const BODY_LIMIT: usize = 32 << 20;
/// Most pages of one list.
const PAGE_LIMIT: usize = 200;

/// The headers in which ARM tells how many reads are left, and for whom.
const BUDGETS: [(&str, &str); 4] = [
    ("x-ms-ratelimit-remaining-subscription-reads", "for this sign-in in its subscription"),
    ("x-ms-ratelimit-remaining-subscription-global-reads", "for everybody in its subscription"),
    ("x-ms-ratelimit-remaining-tenant-reads", "for this sign-in in its tenant"),
    ("x-ms-ratelimit-remaining-resource", "of the resource provider"),
];

/// How long calls may take, and how many at a time.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// One call, its retries included.
    pub call: Duration,
    /// The moment at which the whole run ends.
    pub deadline: Instant,
    /// Most calls to ARM at a time.
    pub concurrency: usize,
}

impl Limits {
    /// The moment at which a call that begins now must have ended.
    pub fn call_deadline(&self) -> Instant {
        (Instant::now() + self.call).min(self.deadline)
    }
}

/// A client of one ARM endpoint.
#[derive(Debug, Clone)]
pub struct Arm {
    pipeline: Pipeline,
    endpoint: Url,
    peer: Peer,
    limits: Limits,
    progress: Progress,
    pace: Arc<Pace>,
    /// Names this run in every call, so that Azure's own logs and support find them together.
    correlation: String,
    /// The fewest reads that any answer said were left, by header.
    budgets: Arc<Mutex<BTreeMap<&'static str, String>>>,
    /// What a run over many clusters remembers and heeds; none in a run over one.
    shared: Option<Arc<Shared>>,
}

#[derive(Deserialize)]
struct Page<T> {
    value: Vec<T>,
    #[serde(rename = "nextLink")]
    next_link: Option<String>,
}

impl Arm {
    /// A client that signs every request with a token of the credential; one token serves all of them.
    pub fn new(
        endpoint: Url,
        scope: &str,
        credential: Arc<dyn TokenCredential>,
        transport: Transport,
        limits: Limits,
        progress: Progress,
    ) -> Self {
        let bearer = BearerTokenAuthorizationPolicy::new(credential, vec![scope.to_owned()]);
        let pace = Arc::new(Pace::new(limits.concurrency));
        let pipeline = Pipeline::new(
            Some("aksiso"),
            Some(env!("CARGO_PKG_VERSION")),
            retry::client_options(transport, Arc::clone(&pace)),
            Vec::new(),
            vec![Arc::new(bearer)],
            None,
        );
        let peer = Peer::of_azure(endpoint.host_str().unwrap_or_default());
        let correlation = Uuid::new_v4().to_string();
        progress.log(1, &format!("every call to ARM carries x-ms-correlation-request-id {correlation}"));
        Self { pipeline, endpoint, peer, limits, progress, pace, correlation, budgets: Arc::default(), shared: None }
    }

    /// Whether the run goes on for long enough to ask once more.
    pub fn has_time(&self) -> bool {
        Instant::now() < self.limits.deadline
    }

    /// Waits for something, as long as the run goes on; whether it came.
    pub async fn in_time(&self, wait: impl Future<Output = ()>) -> bool {
        tokio::time::timeout_at(self.limits.deadline, wait).await.is_ok()
    }

    /// Logs how many reads ARM said were left, at the least.
    pub fn log_budgets(&self) {
        let budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, whose) in BUDGETS {
            if let Some(left) = budgets.get(name) {
                self.progress.log(1, &format!("{name}: {left} left {whose}"));
            }
        }
    }

    /// Reads one resource.
    ///
    /// # Errors
    /// The failure, where ARM did not answer with the resource.
    pub async fn read<T: DeserializeOwned>(&self, api: &Api, id: &ResourceId) -> Result<T, Failure> {
        let body = self.call(Method::Get, self.url(api, id.as_str(), &[])).await?;
        parse(&body)
    }

    /// Reads one resource that must exist.
    pub async fn get<T: DeserializeOwned>(&self, api: &Api, id: &ResourceId) -> Fact<T> {
        self.read(api, id).await.map_or_else(|failure| Fact::Missing(failure.gap(api, id.as_str())), Fact::Known)
    }

    /// Reads one resource that may be gone: that it does not exist is an answer.
    pub async fn find<T: DeserializeOwned>(&self, api: &Api, id: &ResourceId) -> Fact<Option<T>> {
        match self.read(api, id).await {
            Ok(resource) => Fact::Known(Some(resource)),
            Err(failure) if failure.absent() => Fact::Known(None),
            Err(failure) => Fact::Missing(failure.gap(api, id.as_str())),
        }
    }

    /// Reads a whole list, page by page.
    ///
    /// # Errors
    /// The failure of the first page that could not be read: half a list is no list.
    pub async fn read_list<T: DeserializeOwned>(
        &self,
        api: &Api,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, Failure> {
        let mut url = self.url(api, path, query);
        let (mut items, mut seen) = (Vec::new(), HashSet::new());
        loop {
            if !seen.insert(url.clone()) || seen.len() > PAGE_LIMIT {
                return Err(Failure::new(Reason::Malformed, "the list's nextLink leads nowhere new"));
            }
            let page: Page<T> = parse(&self.call(Method::Get, url).await?)?;
            items.extend(page.value);
            match page.next_link.filter(|link| !link.is_empty()) {
                Some(link) => url = self.next_page(&link)?,
                None => return Ok(items),
            }
        }
    }

    /// Reads a whole list as a fact.
    pub async fn list<T: DeserializeOwned>(&self, api: &Api, path: &str, query: &[(&str, &str)]) -> Fact<Vec<T>> {
        let answer = self.read_list(api, path, query).await;
        answer.map_or_else(|failure| Fact::Missing(failure.gap(api, path)), Fact::Known)
    }

    /// Reads a list that some endpoints of ARM do not have: there it is empty. Only for lists whose emptiness never
    /// lets a check pass.
    pub async fn list_if_known<T: DeserializeOwned>(&self, api: &Api, path: &str) -> Fact<Vec<T>> {
        match self.read_list(api, path, &[]).await {
            Ok(items) => Fact::Known(items),
            Err(failure) if failure.unknown_path() => Fact::Known(Vec::new()),
            Err(failure) => Fact::Missing(failure.gap(api, path)),
        }
    }

    /// Reads a collection under a resource that is known to exist: `ResourceNotFound` then means that there is nothing
    /// in it, and so does a provider that the subscription never registered.
    pub async fn list_under<T: DeserializeOwned>(&self, api: &Api, path: &str) -> Fact<Vec<T>> {
        match self.read_list(api, path, &[]).await {
            Ok(items) => Fact::Known(items),
            Err(failure) if failure.absent() || failure.unregistered() => Fact::Known(Vec::new()),
            Err(failure) => Fact::Missing(failure.gap(api, path)),
        }
    }

    /// Sends one of the listed POSTs that only read.
    ///
    /// # Errors
    /// The failure, where ARM did not answer.
    pub async fn post_read<T: DeserializeOwned>(&self, api: &Api, path: &str) -> Result<T, Failure> {
        parse(&self.call(Method::Post, self.url(api, path, &[])).await?)
    }

    fn url(&self, api: &Api, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.endpoint.clone();
        url.set_path(path);
        url.query_pairs_mut().append_pair("api-version", api.version).extend_pairs(query);
        url
    }

    /// The next page must be on the same host: a link to another would carry the token there.
    fn next_page(&self, link: &str) -> Result<Url, Failure> {
        let refused = || Failure::new(Reason::Malformed, "the list's nextLink points at another host; not followed");
        let url = self.endpoint.join(link).map_err(|_| refused())?;
        if url.origin() == self.endpoint.origin() { Ok(url) } else { Err(refused()) }
    }

    /// Many clusters share what they rest on: there, each thing is asked once, within what ARM allows.
    async fn call(&self, method: Method, url: Url) -> Result<Vec<u8>, Failure> {
        match &self.shared {
            Some(shared) if method == Method::Get => shared.once(self, url).await,
            _ => self.ask(method, url).await,
        }
    }

    async fn ask(&self, method: Method, url: Url) -> Result<Vec<u8>, Failure> {
        let path = url.path().to_owned();
        let late = || Failure::late(&self.peer);
        // Waiting for one's turn is no fault of the server: a call's own time begins after it.
        let turn = tokio::time::timeout_at(self.limits.deadline, self.pace.turn()).await.map_err(|_| late())?;
        self.progress.asking(&path);
        let started = Instant::now();
        let answer = tokio::time::timeout_at(self.limits.call_deadline(), self.exchange(method, url)).await;
        let answer = answer.unwrap_or_else(|_| Err(late()));
        let outcome = match &answer {
            Ok(body) => format!("200, {} bytes", body.len()),
            Err(failure) => failure.detail.clone(),
        };
        self.progress.log(2, &format!("{method} {path}: {outcome} ({} ms)", started.elapsed().as_millis()));
        if answer.as_ref().is_err_and(|failure| failure.reason == Reason::Throttled) {
            self.progress.log(1, "throttled by ARM: fewer calls at a time from now on");
            turn.throttled();
        }
        answer
    }

    async fn exchange(&self, method: Method, url: Url) -> Result<Vec<u8>, Failure> {
        let mut request = Request::new(url, method);
        request.insert_header("accept", "application/json");
        request.insert_header("x-ms-correlation-request-id", self.correlation.clone());
        if method == Method::Post {
            request.insert_header("content-length", "0");
        }
        let too_large = || format!("the answer is larger than {} MiB", BODY_LIMIT >> 20);
        let answer = exchange(&self.pipeline, &self.peer, &mut request, BODY_LIMIT, too_large).await?;
        self.note_budgets(&answer.headers);
        if answer.status == 200 { Ok(answer.body) } else { Err(Failure::from_status(answer.status, &answer.body)) }
    }

    /// Keeps the smallest number of reads that are left; a budget that is no number is kept as it came last.
    fn note_budgets(&self, headers: &Headers) {
        let number = |text: &str| text.parse::<u64>().ok();
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, _) in BUDGETS {
            let Some(left) = headers.get_optional_str(&HeaderName::from_static(name)) else { continue };
            let fewer = |known: &String| number(left).zip(number(known)).is_none_or(|(left, known)| left < known);
            if budgets.get(name).is_none_or(fewer) {
                budgets.insert(name, text::bounded(left, 200));
            }
        }
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        // serde's message may quote the body; its category and place say enough.
        let place = format!("line {}, column {}", error.line(), error.column());
        Failure::new(
            Reason::Malformed,
            format!("the answer is not what ARM documents ({:?} at {place})", error.classify()),
        )
    })
}
