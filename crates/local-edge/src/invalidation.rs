//! The few operations of CloudFront's API that a local stack has a use for: `CreateInvalidation`,
//! `GetInvalidation` and `ListInvalidations`.
//!
//! The stack is one distribution, [`DISTRIBUTION`].

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;
use local_base::clock::Clock;
use local_base::sigv4::{self, Keys};
use quick_xml::escape::{escape, unescape};
use quick_xml::events::Event;
use serde::Deserialize;
use vod_ids as ids;

use crate::Cache;

/// The id of the edge.
pub const DISTRIBUTION: &str = "ELOCAL";

const XMLNS: &str = "http://cloudfront.amazonaws.com/doc/2020-05-31/";
/// Paths in one batch, as CloudFront's quota has it.
const PATHS_MAX: usize = 3_000;
/// Largest request body, in bytes.
const BODY_MAX: usize = 1 << 20;
/// Batches that are remembered, for `GetInvalidation` and for repeated calls.
const REMEMBERED: usize = 100;

#[derive(Clone)]
struct Api {
    cache: Cache,
    clock: Clock,
    done: Arc<Mutex<VecDeque<Invalidation>>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Invalidation {
    id: String,
    created: Timestamp,
    batch: Batch,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Batch {
    reference: String,
    quantity: String,
    paths: Vec<String>,
}

/// The API, for requests signed with `keys`; what is invalidated leaves `cache` at once.
pub fn router(cache: Cache, keys: &Keys, clock: Clock) -> Router {
    let api = Api {
        cache,
        clock,
        done: Arc::default(),
    };
    sigv4::require_in(routes(api), keys.clone(), "cloudfront", BODY_MAX, refusal)
}

fn routes(api: Api) -> Router {
    Router::new()
        .route(
            "/2020-05-31/distribution/{distribution}/invalidation",
            post(create).get(list),
        )
        .route(
            "/2020-05-31/distribution/{distribution}/invalidation/{id}",
            get(show),
        )
        .route_layer(from_fn(known))
        .layer(DefaultBodyLimit::disable()) // The signature check has read and bounded the body.
        .with_state(api)
}

/// A refused signature in the form and with the codes of the services that speak XML.
fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    let code = match code {
        "UnrecognizedClientException" => "InvalidClientTokenId",
        "InvalidSignatureException" => "SignatureDoesNotMatch",
        other => other.strip_suffix("Exception").unwrap_or(other),
    };
    error(status, code, message)
}

/// Lets requests for our own distribution through.
async fn known(request: Request, next: Next) -> Response {
    let distribution = request.uri().path().split('/').nth(3);
    if distribution == Some(DISTRIBUTION) {
        return next.run(request).await;
    }
    let message = "The specified distribution does not exist.";
    error(StatusCode::NOT_FOUND, "NoSuchDistribution", message)
}

async fn create(State(api): State<Api>, body: Bytes) -> Response {
    let Some(batch) = std::str::from_utf8(&body).ok().and_then(parse) else {
        let message = "The XML document is not an InvalidationBatch.";
        return error(StatusCode::BAD_REQUEST, "MalformedInput", message);
    };
    if let Some((status, code, message)) = batch.fault() {
        return error(status, code, message);
    }
    let mut done = api.done.lock().unwrap_or_else(PoisonError::into_inner);
    let known = done
        .iter()
        .find(|known| known.batch.reference == batch.reference)
        .cloned();
    let invalidation = match known {
        // The same call again, as SDKs do when an answer was lost.
        Some(known) if known.batch == batch => known,
        Some(_) => {
            let message = "Your request contains a caller reference that was used for a previous invalidation batch for \
                           the same distribution.";
            return error(StatusCode::BAD_REQUEST, "InvalidArgument", message);
        }
        None => {
            api.cache.invalidate(&batch.patterns());
            let id = format!("I{}", ids::letters(13).to_ascii_uppercase());
            let new = Invalidation {
                id,
                created: (api.clock)(),
                batch,
            };
            done.push_back(new.clone());
            if done.len() > REMEMBERED {
                done.pop_front();
            }
            new
        }
    };
    let place = format!(
        "/2020-05-31/distribution/{DISTRIBUTION}/invalidation/{}",
        invalidation.id
    );
    let headers = [("content-type", "text/xml"), ("location", place.as_str())];
    (StatusCode::CREATED, headers, invalidation.to_xml()).into_response()
}

/// `Marker` and `MaxItems` of a list.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    marker: Option<String>,
    max_items: Option<usize>,
}

/// The newest first; a page begins behind the one that `Marker` names.
async fn list(State(api): State<Api>, Query(page): Query<Page>) -> Response {
    let done = api.done.lock().unwrap_or_else(PoisonError::into_inner);
    let marker = page.marker.unwrap_or_default();
    let behind = match done.iter().rposition(|known| known.id == marker) {
        Some(at) => at,
        None if marker.is_empty() => done.len(),
        None => {
            let message = "The specified marker does not exist.";
            return error(StatusCode::BAD_REQUEST, "InvalidArgument", message);
        }
    };
    let limit = page.max_items.unwrap_or(REMEMBERED).clamp(1, REMEMBERED);
    let shown: Vec<_> = done.range(..behind).rev().take(limit).collect();
    let more = shown.last().filter(|_| shown.len() < behind);
    let list = list_xml(&marker, limit, &shown, more.copied());
    ([("content-type", "text/xml")], list).into_response()
}

fn list_xml(marker: &str, limit: usize, shown: &[&Invalidation], more: Option<&Invalidation>) -> String {
    let (quantity, truncated) = (shown.len(), more.is_some());
    let next = more.map_or_else(String::new, |last| {
        format!("<NextMarker>{}</NextMarker>", last.id)
    });
    let mut items = String::new();
    for Invalidation { id, created, .. } in shown {
        let _ = write!(
            items,
            "<InvalidationSummary><Id>{id}</Id><CreateTime>{created}</CreateTime><Status>Completed</Status>\
             </InvalidationSummary>"
        );
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<InvalidationList xmlns=\"{XMLNS}\"><Marker>{marker}</Marker>\
         {next}<MaxItems>{limit}</MaxItems><IsTruncated>{truncated}</IsTruncated><Quantity>{quantity}</Quantity>\
         <Items>{items}</Items></InvalidationList>",
        marker = escape(marker),
    )
}

async fn show(State(api): State<Api>, Path((_, id)): Path<(String, String)>) -> Response {
    let done = api.done.lock().unwrap_or_else(PoisonError::into_inner);
    match done.iter().find(|known| known.id == id) {
        Some(known) => ([("content-type", "text/xml")], known.to_xml()).into_response(),
        None => error(
            StatusCode::NOT_FOUND,
            "NoSuchInvalidation",
            "The specified invalidation does not exist.",
        ),
    }
}

impl Batch {
    /// What CloudFront would not take: status, code and text (API reference, `CreateInvalidation`).
    fn fault(&self) -> Option<(StatusCode, &'static str, &'static str)> {
        let invalid = |message| Some((StatusCode::BAD_REQUEST, "InvalidArgument", message));
        if self.reference.is_empty() {
            return invalid("The parameter CallerReference is required.");
        }
        if self.quantity.parse() != Ok(self.paths.len()) {
            let message = "The value of Quantity and the size of Items don't match.";
            return Some((StatusCode::BAD_REQUEST, "InconsistentQuantities", message));
        }
        if self.paths.len() > PATHS_MAX {
            let message = "Invalidation batch specified is too large.";
            return Some((StatusCode::PAYLOAD_TOO_LARGE, "BatchTooLarge", message));
        }
        let odd = |path: &String| {
            let stars = path.matches('*').count();
            !path.is_ascii() || path.contains(' ') || stars > 1 || (stars == 1 && !path.ends_with('*'))
        };
        if self.paths.is_empty() || self.paths.iter().any(odd) {
            return invalid("Your request contains one or more invalid invalidation paths.");
        }
        None
    }

    /// The paths as the cache knows them: decoded, and without the first slash, which may be left out.
    fn patterns(&self) -> Vec<String> {
        let decoded = |path: &String| {
            let path = path.strip_prefix('/').unwrap_or(path);
            percent_encoding::percent_decode_str(path)
                .decode_utf8_lossy()
                .into_owned()
        };
        self.paths.iter().map(decoded).collect()
    }
}

impl Invalidation {
    fn to_xml(&self) -> String {
        let mut items = String::new();
        for path in &self.batch.paths {
            items.extend(["<Path>", &escape(path.as_str()), "</Path>"]);
        }
        let (id, created, count) = (&self.id, self.created, self.batch.paths.len());
        let reference = escape(self.batch.reference.as_str());
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Invalidation xmlns=\"{XMLNS}\"><Id>{id}</Id>\
             <Status>Completed</Status><CreateTime>{created}</CreateTime><InvalidationBatch><Paths>\
             <Quantity>{count}</Quantity><Items>{items}</Items></Paths>\
             <CallerReference>{reference}</CallerReference></InvalidationBatch></Invalidation>"
        )
    }
}

fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ErrorResponse xmlns=\"{XMLNS}\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>{message}</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
        ids::uuid()
    );
    (status, [("content-type", "text/xml")], body).into_response()
}

/// Reads an `InvalidationBatch`.
fn parse(text: &str) -> Option<Batch> {
    let mut reader = quick_xml::Reader::from_str(text);
    let (mut open, mut batch) = (Vec::new(), Batch::default());
    let mut content = String::new();
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                open.push(String::from_utf8(tag.local_name().as_ref().to_vec()).ok()?);
                content.clear();
            }
            Event::Text(piece) => content.push_str(&piece.decode().ok()?),
            Event::GeneralRef(name) => {
                let name = format!("&{};", name.decode().ok()?);
                content.push_str(&unescape(&name).ok()?);
            }
            Event::End(_) => {
                let value = content.trim().to_owned();
                let path: Vec<&str> = open.iter().map(String::as_str).collect();
                match path[..] {
                    ["InvalidationBatch", "CallerReference"] => batch.reference = value,
                    ["InvalidationBatch", "Paths", "Quantity"] => batch.quantity = value,
                    ["InvalidationBatch", "Paths", "Items", "Path"] => batch.paths.push(value),
                    _ => {}
                }
                open.pop();
                content.clear();
            }
            Event::Eof => break,
            Event::DocType(_) => return None,
            _ => {}
        }
    }
    open.is_empty().then_some(batch)
}

#[cfg(test)]
mod tests;
