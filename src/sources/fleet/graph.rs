//! A client of Azure Resource Graph that trusts no page: rows are counted, tokens followed, sizes halved, and whatever
//! is missing is said.

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use super::quota::Gate;
use crate::evidence::calls::fleet::RESOURCE_GRAPH;
use crate::evidence::fleet::scope::{Scope, Wanted};
use crate::evidence::fleet::table::{Query, Table};
use crate::evidence::id::ResourceId;
use crate::evidence::{Gap, Reason};
use crate::sources::azure::arm::Arm;
use crate::sources::azure::error::Failure;
use crate::sources::progress::Progress;

/// Rows of a page, at the most.
const TOP: u32 = 1_000;
/// Subscriptions of one request, as recommended.
const SUBSCRIPTIONS: usize = 300;
/// Pages that are read at a time: each may be 16 MiB.
const AT_A_TIME: usize = 6;
/// Most pages of one query.
const PAGES: u32 = 2_000;

/// The client.
#[derive(Debug)]
pub(super) struct Graph {
    arm: Arm,
    gate: Gate,
    places: Semaphore,
    pages: AtomicU32,
    progress: Progress,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subscriptions: Option<&'r [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    management_groups: Option<&'r [String]>,
    query: &'r str,
    options: Options,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    #[serde(rename = "$top")]
    top: u32,
    #[serde(rename = "$skipToken", skip_serializing_if = "Option::is_none")]
    skip_token: Option<String>,
    result_format: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    allow_partial_scopes: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_scope_filter: Option<&'static str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<'p> {
    total_records: u64,
    count: u64,
    #[serde(default)]
    result_truncated: Option<String>,
    #[serde(rename = "$skipToken", default)]
    skip_token: Option<String>,
    #[serde(borrow)]
    data: Vec<&'p RawValue>,
}

/// What every row has, whatever its table.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    id: ResourceId,
    #[serde(default)]
    api_version: Option<String>,
}

/// What an answer means for the query.
enum Turn {
    Page(Vec<u8>),
    /// The page was too large.
    Smaller,
    Failed(Failure),
}

impl Graph {
    pub(super) fn new(arm: Arm, progress: Progress) -> Self {
        let places = Semaphore::new(AT_A_TIME);
        Self { arm, gate: Gate::new(), places, pages: AtomicU32::new(0), progress }
    }

    /// Logs what was asked.
    pub(super) fn finish(&self) {
        let pages = self.pages.load(Ordering::Relaxed);
        self.progress.log(1, &format!("Resource Graph: {}", crate::text::count(pages as usize, "page")));
    }

    /// Fills a table with all rows of a query, and says whether the tenant is larger than a query reaches. `within`
    /// narrows it to subscriptions. Whoever stops waiting has the rows that came until then, with a gap.
    ///
    /// # Errors
    /// The failure, which is in the table too, where not even the first page came.
    pub(super) async fn table<R: DeserializeOwned + Into<T>, T>(
        &self,
        query: &Query,
        scope: &Scope,
        within: &BTreeSet<String>,
        table: &mut Table<T>,
    ) -> Result<bool, Failure> {
        let text = query.text(within);
        let ended = of_table(query, Gap::new(Reason::TimedOut, "the run ended before all pages came"));
        *table = Table { gaps: vec![ended], ..Table::default() };
        let mut reading = Reading::<R, T> { query, table, gaps: Vec::new(), ids: BTreeSet::new(), rows: PhantomData };
        let mut limited = false;
        let (subscriptions, groups): (Vec<String>, &[String]) = match &scope.wanted {
            Wanted::Subscriptions(ids) => (ids.clone(), &[]),
            Wanted::ManagementGroups(groups) => (Vec::new(), groups),
            Wanted::Tenant => (Vec::new(), &[]),
        };
        let chunks: Vec<Option<&[String]>> =
            if subscriptions.is_empty() { vec![None] } else { subscriptions.chunks(SUBSCRIPTIONS).map(Some).collect() };
        let (mut failed, count) = (Vec::new(), chunks.len());
        for subscriptions in chunks {
            let mut request = Request {
                subscriptions,
                management_groups: (!groups.is_empty()).then_some(groups),
                query: &text,
                options: Options {
                    top: TOP,
                    skip_token: None,
                    result_format: "objectArray",
                    allow_partial_scopes: subscriptions.is_none(),
                    authorization_scope_filter: (query.table == "authorizationresources")
                        .then_some("AtScopeAboveAndBelow"),
                },
            };
            match self.rows(&mut request, &mut reading).await {
                Ok(hit) => limited |= hit,
                Err(failure) => failed.push(failure),
            }
        }
        reading.gaps.extend(failed.iter().map(|failure| gap(query, failure)));
        reading.table.gaps = reading.gaps;
        match failed.pop().filter(|_| failed.len() + 1 == count) {
            Some(failure) => Err(failure),
            None => Ok(limited),
        }
    }

    /// Follows the pages of one request.
    async fn rows<R: DeserializeOwned + Into<T>, T>(
        &self,
        request: &mut Request<'_>,
        reading: &mut Reading<'_, R, T>,
    ) -> Result<bool, Failure> {
        let (mut total, mut limited) = (None, false);
        reading.ids.clear();
        let mut tokens = BTreeSet::new();
        for page in 0..PAGES {
            let body = loop {
                match self.page(request, &mut limited).await {
                    Turn::Page(body) => break body,
                    Turn::Smaller if request.options.top > 1 => request.options.top /= 2,
                    Turn::Smaller => {
                        let failure = Failure::new(Reason::Malformed, "one row is larger than an answer may be");
                        return reading.failed(failure, page, limited);
                    }
                    Turn::Failed(failure) => return reading.failed(failure, page, limited),
                }
            };
            let rows = reading.take(&body);
            let Ok(read) = rows else {
                let failure = Failure::new(Reason::Malformed, "the page is not what Resource Graph documents");
                return reading.failed(failure, page, limited);
            };
            let counted = *total.get_or_insert(read.total);
            if counted != read.total {
                reading.short("the number of rows changed from page to page");
            }
            match read.token.filter(|token| !token.is_empty()) {
                Some(token) if tokens.insert(token.clone()) => request.options.skip_token = Some(token),
                Some(_) => {
                    reading.short("a page leads to one that was read already");
                    break;
                }
                None if read.truncated => {
                    reading.short("the answer is cut and names no page that follows");
                    break;
                }
                None => break,
            }
            if page + 1 == PAGES {
                reading.short("the pages do not end");
            }
        }
        let (seen, total) = (reading.ids.len() as u64, total.unwrap_or_default());
        reading.table.total += total;
        if seen != total && reading.gaps.is_empty() {
            reading.short(&format!("Resource Graph counts {total} rows and gave {seen}"));
        }
        Ok(limited)
    }

    /// One page; throttling is waited for, as long as there is time.
    async fn page(&self, request: &Request<'_>, limited: &mut bool) -> Turn {
        loop {
            if !self.arm.in_time(self.gate.turn()).await {
                return Turn::Failed(Failure::new(Reason::TimedOut, "the time limit of the run is over (--timeout)"));
            }
            let Ok(_place) = self.places.acquire().await else {
                return Turn::Failed(Failure::new(Reason::TimedOut, "the run ended"));
            };
            let pages = self.pages.fetch_add(1, Ordering::Relaxed) + 1;
            self.progress.asking(&format!("Resource Graph, page {pages}, {} queries left", self.gate.left()));
            let body = match serde_json::to_vec(request) {
                Ok(body) => body,
                Err(error) => return Turn::Failed(Failure::new(Reason::Malformed, error.to_string())),
            };
            let answer = match self.arm.graph(body).await {
                Ok(answer) => answer,
                // The client has seen to the pause that the server asked for.
                Err(failure) if failure.reason == Reason::Throttled && self.arm.has_time() => {
                    self.gate.throttled(crate::sources::azure::arm::Quota::default());
                    continue;
                }
                Err(failure) => return Turn::Failed(failure),
            };
            *limited |= answer.quota.limit_hit;
            if answer.status == 429 && self.arm.has_time() {
                self.gate.throttled(answer.quota);
                continue;
            }
            self.gate.told(answer.quota);
            if answer.status == 200 {
                return Turn::Page(answer.body);
            }
            let failure = Failure::from_status(answer.status, &answer.body);
            let too_large = String::from_utf8_lossy(&answer.body).contains("ResponsePayloadTooLarge");
            return if too_large { Turn::Smaller } else { Turn::Failed(failure) };
        }
    }
}

/// What a page says beside its rows.
struct Read {
    total: u64,
    truncated: bool,
    token: Option<String>,
}

/// A table that is being filled.
struct Reading<'t, R, T> {
    query: &'t Query,
    table: &'t mut Table<T>,
    /// What is wrong so far; the table's own gap stays until all pages came.
    gaps: Vec<Gap>,
    /// The rows of this request: what belongs to no subscription comes with each.
    ids: BTreeSet<String>,
    rows: PhantomData<R>,
}

impl<R: DeserializeOwned + Into<T>, T> Reading<'_, R, T> {
    fn short(&mut self, why: &str) {
        self.gaps.push(short(self.query, why));
    }

    /// Takes the rows of a page into the table; what cannot be read of it is a gap.
    fn take(&mut self, body: &[u8]) -> serde_json::Result<Read> {
        let page: Page<'_> = serde_json::from_slice(body)?;
        if page.count != page.data.len() as u64 {
            self.short("a page holds fewer rows than it says");
        }
        let mut unreadable = 0;
        for row in page.data {
            let head = serde_json::from_str::<Head>(row.get());
            match (head, serde_json::from_str::<R>(row.get())) {
                (Ok(head), Ok(own)) => {
                    self.table.api_versions.extend(head.api_version);
                    if !self.ids.insert(head.id.normalized()) {
                        self.short("a row came twice, so that another may be missing");
                    }
                    self.table.rows.insert(head.id.normalized(), own.into());
                }
                _ => unreadable += 1,
            }
        }
        if unreadable > 0 {
            self.short(&format!("{} could not be read", crate::text::count(unreadable, "row")));
        }
        let truncated = page.result_truncated.is_some_and(|word| word.eq_ignore_ascii_case("true"));
        Ok(Read { total: page.total_records, truncated, token: page.skip_token })
    }

    /// A request that failed: on its first page there is nothing, later there is a part.
    fn failed(&mut self, failure: Failure, page: u32, limited: bool) -> Result<bool, Failure> {
        if page == 0 {
            return Err(failure);
        }
        self.gaps.push(gap(self.query, &failure));
        Ok(limited)
    }
}

/// The gap that a failed query leaves; what reads the same through ARM is what is needed.
fn gap(query: &Query, failure: &Failure) -> Gap {
    let gap = failure.gap(&RESOURCE_GRAPH, "");
    let needed = if failure.reason == Reason::Forbidden { query.api.action } else { RESOURCE_GRAPH.action };
    of_table(query, Gap { needed: Some(needed.to_owned()), ..gap })
}

fn short(query: &Query, why: &str) -> Gap {
    of_table(query, Gap::new(Reason::Malformed, why))
}

fn of_table(query: &Query, gap: Gap) -> Gap {
    Gap { detail: format!("Resource Graph, {}: {}", query.kind, gap.detail), ..gap }
}
