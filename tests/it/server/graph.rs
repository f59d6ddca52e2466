//! A Resource Graph: answers queries of the one plain form from rows, page by page, and misbehaves where it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

/// Where it is asked.
pub const PATH: &str = "/providers/microsoft.resourcegraph/resources";

/// What the pages of a resource type are instead of the truth.
#[derive(Debug, Clone, PartialEq)]
pub enum PageFault {
    /// The second page is left out.
    Lost,
    /// A page holds fewer rows than it counts.
    Cut,
    /// A page holds and counts fewer rows than there are.
    Short,
    /// The first page says that there are more, and not where.
    TruncatedWithoutToken,
    /// More rows are counted than there are.
    Miscounted,
    /// Every page leads to itself.
    Circle,
    /// The first row comes again on the last page, in the place of another.
    Twice,
    /// Rows without ids.
    Odd,
    Html,
    /// Refused, with ARM's code.
    Refused(u16, &'static str),
}

/// A row of a table.
#[derive(Debug, Clone)]
pub struct Row {
    pub table: &'static str,
    pub value: Value,
}

#[derive(Debug, Default)]
pub struct Graph {
    pub rows: Vec<Row>,
    /// Subscriptions that the reader may not see: left out without a word.
    pub hidden: BTreeSet<String>,
    /// Tables that this cloud lacks.
    pub lacks: BTreeSet<&'static str>,
    /// By resource type, in lower case.
    pub faults: BTreeMap<String, PageFault>,
    /// Most rows of a page, whatever is asked for.
    pub page: Option<usize>,
    /// Largest page, in bytes.
    pub payload: Option<usize>,
    /// Whether the quota of 15 queries in 5 seconds is kept.
    pub quota: bool,
    pub limit_hit: bool,
    /// What was asked.
    pub asked: Vec<Value>,
    /// How many queries were refused for want of quota.
    pub throttled: usize,
    window: Option<(Instant, u32)>,
    ids: BTreeSet<String>,
}

/// An answer: status, headers, body.
pub type Reply = (u16, Vec<(&'static str, String)>, String);

fn refused(status: u16, code: &str) -> Reply {
    let body = json!({ "error": { "code": "BadRequest", "message": "refused", "details": [{ "code": code, "message": code }] } });
    (status, Vec::new(), body.to_string())
}

impl Graph {
    /// Adds a row; its subscription and type follow from its id.
    pub fn add(&mut self, table: &'static str, kind: &str, mut value: Value) {
        let id = value["id"].as_str().expect("an id").to_owned();
        let subscription = id.split('/').nth(2).unwrap_or_default().to_lowercase();
        let row = value.as_object_mut().expect("a row");
        row.insert("type".to_owned(), json!(kind.to_lowercase()));
        row.insert("subscriptionId".to_owned(), json!(subscription));
        row.entry("apiVersion").or_insert_with(|| json!("2025-10-01"));
        row.entry("name").or_insert_with(|| json!(id.rsplit('/').next().unwrap_or_default()));
        // Some fixtures name the same thing in a place of its own.
        if self.ids.insert(id.to_lowercase()) {
            self.rows.push(Row { table, value });
        }
    }

    pub fn answer(&mut self, body: &str) -> Reply {
        let Ok(request) = serde_json::from_str::<Value>(body) else { return refused(400, "InvalidBody") };
        self.asked.push(request.clone());
        let mut headers = Vec::new();
        if self.quota {
            let now = Instant::now();
            let (began, used) =
                self.window.filter(|(began, _)| began.elapsed() < Duration::from_secs(5)).unwrap_or((now, 0));
            self.window = Some((began, used + 1));
            // Rounded down, as Azure does.
            let left = Duration::from_secs(5).saturating_sub(began.elapsed()).as_secs();
            headers.push(("x-ms-user-quota-remaining", 15_u32.saturating_sub(used + 1).to_string()));
            headers.push(("x-ms-user-quota-resets-after", format!("00:00:{left:02}")));
            if used >= 15 {
                self.throttled += 1;
                headers.push(("retry-after", left.to_string()));
                let body = json!({ "error": { "code": "RateLimiting", "message": "slow down" } });
                return (429, headers, body.to_string());
            }
        }
        if !self.quota {
            // Plenty, so that no test waits for a window to pass.
            headers.push(("x-ms-user-quota-remaining", "15".to_owned()));
            headers.push(("x-ms-user-quota-resets-after", "00:00:00".to_owned()));
        }
        if self.limit_hit {
            headers.push(("x-ms-tenant-subscription-limit-hit", "true".to_owned()));
        }
        let (status, _, body) = self.page(&request);
        (status, headers, body)
    }

    fn page(&self, request: &Value) -> Reply {
        let Some(query) = Query::parse(request["query"].as_str().unwrap_or_default()) else {
            return refused(400, "InvalidQuery");
        };
        if self.lacks.contains(query.table.as_str()) {
            return refused(400, "DisallowedLogicalTableName");
        }
        let fault = query.types.first().and_then(|kind| self.faults.get(kind));
        match fault {
            Some(PageFault::Refused(status, code)) => return refused(*status, code),
            Some(PageFault::Html) => return (200, Vec::new(), "<html>Sign in</html>".to_owned()),
            _ => {}
        }
        if query.table == "authorizationresources" {
            let filter = request["options"]["authorizationScopeFilter"].as_str();
            assert_eq!(filter, Some("AtScopeAboveAndBelow"), "inherited assignments would be missing");
        }
        let scope: Option<BTreeSet<String>> = request["subscriptions"]
            .as_array()
            .map(|ids| ids.iter().map(|id| id.as_str().unwrap_or_default().to_lowercase()).collect());
        let seen = |row: &&Row| {
            let own = row.value["subscriptionId"].as_str().unwrap_or_default();
            !self.hidden.contains(own) && scope.as_ref().is_none_or(|scope| scope.contains(own) || own.is_empty())
        };
        let mut rows: Vec<&Value> =
            self.rows.iter().filter(seen).filter(|row| query.takes(row)).map(|row| &row.value).collect();
        rows.sort_by_key(|row| row["id"].as_str().unwrap_or_default().to_lowercase());
        let options = &request["options"];
        let top = options["$top"].as_u64().unwrap_or(100).min(1000) as usize;
        let top = self.page.map_or(top, |page| page.min(top));
        let start = options["$skipToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or(0_usize);
        let mut end = (start + top).min(rows.len());
        let mut page: Vec<Value> = rows[start.min(end)..end].iter().map(|row| query.project(row)).collect();
        let mut count = page.len();
        let mut token = (end < rows.len()).then(|| end.to_string());
        let mut truncated = token.is_some();
        match fault {
            Some(PageFault::Lost) if start == 0 && token.is_some() => {
                end = (end + top).min(rows.len());
                token = (end < rows.len()).then(|| end.to_string());
                truncated = token.is_some();
            }
            Some(PageFault::Cut) => drop(page.pop()),
            Some(PageFault::Short) => {
                page.pop();
                count = page.len();
            }
            Some(PageFault::TruncatedWithoutToken) if start == 0 => {
                (page, truncated, token) = (page.into_iter().take(1).collect(), true, None);
                count = page.len();
            }
            Some(PageFault::Circle) => (truncated, token) = (true, Some(start.to_string())),
            Some(PageFault::Twice) if token.is_none() && !page.is_empty() => {
                *page.last_mut().expect("a row") = query.project(rows[0]);
            }
            Some(PageFault::Odd) => page = page.iter().map(|_| json!({ "id": 5, "properties": [] })).collect(),
            _ => {}
        }
        let total = rows.len() + if fault == Some(&PageFault::Miscounted) { 4 } else { 0 };
        let mut body = json!({
            "totalRecords": total, "count": count, "data": page, "facets": [],
            "resultTruncated": if truncated { "true" } else { "false" },
        });
        if let Some(token) = token {
            body["$skipToken"] = json!(token);
        }
        let body = body.to_string();
        if self.payload.is_some_and(|limit| body.len() > limit) {
            return refused(400, "ResponsePayloadTooLarge");
        }
        (200, Vec::new(), body)
    }
}

/// A query of the plain form; anything else is none.
struct Query {
    table: String,
    types: Vec<String>,
    within: Vec<String>,
    columns: Vec<String>,
}

impl Query {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(" | ");
        let mut query =
            Self { table: parts.next()?.to_owned(), types: Vec::new(), within: Vec::new(), columns: Vec::new() };
        let mut ordered = false;
        for part in parts {
            let words: Vec<&str> = part.splitn(4, ' ').collect();
            match words.as_slice() {
                ["where", "type", "=~", kind] => query.types.push(quoted(kind)?),
                ["where", "type", "in~", kinds] => query.types = list(kinds)?,
                ["where", "subscriptionId", "in~", ids] => query.within = list(ids)?,
                ["project", ..] => {
                    query.columns = part["project ".len()..].split(", ").map(str::to_owned).collect();
                }
                ["order", "by", rest @ ..] => ordered = rest.join(" ") == "id asc",
                _ => return None,
            }
        }
        (ordered && !query.types.is_empty() && query.columns.first().is_some_and(|own| own == "id")).then_some(query)
    }

    fn takes(&self, row: &Row) -> bool {
        let text = |key: &str| row.value[key].as_str().unwrap_or_default();
        row.table == self.table
            && self.types.iter().any(|kind| kind == text("type"))
            && (self.within.is_empty() || self.within.iter().any(|id| id == text("subscriptionId")))
    }

    /// Unset columns are left out.
    fn project(&self, row: &Value) -> Value {
        let columns = self.columns.iter().filter(|column| !row[column.as_str()].is_null());
        Value::Object(columns.map(|column| (column.clone(), row[column.as_str()].clone())).collect::<Map<_, _>>())
    }
}

fn quoted(text: &str) -> Option<String> {
    Some(text.strip_prefix('\'')?.strip_suffix('\'')?.to_lowercase())
}

fn list(text: &str) -> Option<Vec<String>> {
    text.strip_prefix('(')?.strip_suffix(')')?.split(',').map(quoted).collect()
}
