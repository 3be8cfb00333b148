//! The few operations of CloudFront's API that a local stack has a use for: `CreateInvalidation` and
//! `GetInvalidation`.
//!
//! The stack is one distribution; whatever id a client names, it is this one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;
use quick_xml::escape::{escape, unescape};
use quick_xml::events::Event;

use crate::clock::Clock;
use crate::edge::Cache;
use crate::ids;
use crate::sigv4::{self, Keys};

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
    let routes = Router::new()
        .route(
            "/2020-05-31/distribution/{distribution}/invalidation",
            post(create),
        )
        .route(
            "/2020-05-31/distribution/{distribution}/invalidation/{id}",
            get(show),
        )
        .layer(DefaultBodyLimit::disable()) // The signature check has read and bounded the body.
        .with_state(api);
    sigv4::require(routes, keys.clone(), "cloudfront", BODY_MAX)
}

async fn create(State(api): State<Api>, Path(distribution): Path<String>, body: Bytes) -> Response {
    let Some(batch) = std::str::from_utf8(&body).ok().and_then(parse) else {
        let message = "The XML document is not an InvalidationBatch.";
        return error(StatusCode::BAD_REQUEST, "MalformedInput", message);
    };
    if let Some(message) = batch.fault() {
        return error(StatusCode::BAD_REQUEST, "InvalidArgument", message);
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
            let message = "Your caller reference is associated with another invalidation batch.";
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
        "/2020-05-31/distribution/{distribution}/invalidation/{}",
        invalidation.id
    );
    let headers = [("content-type", "text/xml"), ("location", place.as_str())];
    (StatusCode::CREATED, headers, invalidation.to_xml()).into_response()
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
    /// What CloudFront would not take.
    fn fault(&self) -> Option<&'static str> {
        if self.reference.is_empty() {
            return Some("The parameter CallerReference is required.");
        }
        if self.quantity.parse() != Ok(self.paths.len()) {
            return Some("The parameter Quantity is not the number of items.");
        }
        let odd = |path: &String| {
            let stars = path.matches('*').count();
            !path.is_ascii() || path.contains(' ') || stars > 1 || (stars == 1 && !path.ends_with('*'))
        };
        if self.paths.is_empty() || self.paths.len() > PATHS_MAX || self.paths.iter().any(odd) {
            return Some("Your request contains one or more invalid invalidation paths.");
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
mod tests {
    use super::*;

    fn batch(quantity: &str, paths: &[&str]) -> Batch {
        Batch {
            reference: "r".to_owned(),
            quantity: quantity.to_owned(),
            paths: paths.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_batch_is_read() {
        let text = format!(
            "<?xml version=\"1.0\"?><InvalidationBatch xmlns=\"{XMLNS}\"><Paths><Quantity>2</Quantity><Items>\
             <Path>/a&amp;b/*</Path>\n<Path>/c%20d</Path></Items></Paths><CallerReference>r</CallerReference>\
             </InvalidationBatch>"
        );
        let read = parse(&text).unwrap();
        assert_eq!(read, batch("2", &["/a&b/*", "/c%20d"]));
        assert_eq!(read.patterns(), ["a&b/*", "c d"]);
        for bad in [
            "",
            "<a>",
            "{}",
            "<!DOCTYPE x [<!ENTITY e \"x\">]><InvalidationBatch/>",
        ] {
            assert!(parse(bad).is_none_or(|batch| batch.fault().is_some()), "{bad}");
        }
    }

    #[test]
    fn bad_batches_are_refused() {
        assert_eq!(batch("1", &["/*"]).fault(), None);
        assert_eq!(batch("1", &["*"]).fault(), None);
        for (quantity, paths) in [
            ("0", &[][..]),
            ("2", &["/a"]),
            ("x", &["/a"]),
            ("1", &["/*/a"]),
            ("1", &["/**"]),
            ("1", &["/a b"]),
            ("1", &["/\u{e9}"]),
        ] {
            assert!(batch(quantity, paths).fault().is_some(), "{quantity} {paths:?}");
        }
    }

    #[test]
    fn what_is_shown_is_escaped() {
        let invalidation = Invalidation {
            id: "I1".to_owned(),
            created: Timestamp::UNIX_EPOCH,
            batch: batch("1", &["/<&>"]),
        };
        assert!(invalidation.to_xml().contains("<Path>/&lt;&amp;&gt;</Path>"));
    }
}
