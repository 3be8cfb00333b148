//! Requests as text, and a stack in this process to send them to.
//!
//! The text is HTTP/1.1's: a request line, headers, an empty line, a body. `@s3 ` (or another service) before the
//! method has the request signed with the stack's key. Words in braces stand for what a viewer may hold, see
//! [`Text::parse`].

mod stack;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri};

pub use stack::{Answer, FILM, OTHER, SECRET, Stack, Stacks};

/// Placeholders of what opens a film: with one of them a request may be let in.
const OPENS: [&str; 3] = ["{query}", "{cookies}", "{grant}"];

/// What a request can be signed for.
const SERVICES: [&str; 5] = ["s3", "mediaconvert", "sqs", "lambda", "cloudfront"];

/// A request, and what was put into it.
pub struct Text {
    pub request: Request<Bytes>,
    /// The service for which it is to be signed.
    pub service: Option<String>,
    /// It holds the token of somebody who may watch everything.
    pub has_token: bool,
    /// It holds a signature for the film.
    pub has_signature: bool,
}

impl Text {
    /// Reads a request. `{film}` and `{other}` are asset ids, `{query}`, `{cookies}` and `{grant}` open the film,
    /// `{token}` is a bearer token. `None` if HTTP has no such request.
    pub fn parse(text: &str, stack: &Stack) -> Option<Self> {
        // Nobody is told a secret that he knows: some errors say what was asked for.
        if [FILM, OTHER, SECRET].iter().any(|mark| text.contains(mark)) {
            return None;
        }
        let filled = stack.fill(text);
        let (head, body) = filled.split_once("\n\n").unwrap_or((&filled, ""));
        let mut lines = head.lines();
        let line = lines.next()?;
        let (service, line) = match line.strip_prefix('@').and_then(|rest| rest.split_once(' ')) {
            Some((service, rest)) if SERVICES.contains(&service) => (Some(service.to_owned()), rest),
            Some(_) => return None,
            None => (None, line),
        };
        let (method, uri) = line.split_once(' ')?;
        let uri: Uri = uri.strip_suffix(" HTTP/1.1").unwrap_or(uri).parse().ok()?;
        let mut request = Request::new(Bytes::copy_from_slice(body.as_bytes()));
        *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
        *request.uri_mut() = uri;
        for line in lines {
            let (name, value) = line.split_once(':')?;
            let name: HeaderName = name.parse().ok()?;
            request
                .headers_mut()
                .append(name, HeaderValue::from_str(value.trim()).ok()?);
        }
        Some(Self {
            request,
            service,
            has_token: text.contains("{token}"),
            has_signature: OPENS.iter().any(|word| text.contains(word)),
        })
    }

    /// The request with a body as axum has it.
    pub fn into_request(self) -> Request<Body> {
        self.request.map(Body::from)
    }
}

/// A viewer's request, and what came of it.
pub struct Exchange {
    pub path: String,
    pub has_token: bool,
    pub has_signature: bool,
    pub answer: Answer,
}

impl Stacks {
    /// Sends the request that `text` is to one of the routers, and has the answer checked.
    pub fn exchange(&self, text: &str, router: impl Fn(&Stack) -> &Router, check: impl Fn(&Exchange)) {
        self.with(|stack| {
            let Some(text) = Text::parse(text, stack) else {
                return;
            };
            check(&Exchange {
                path: text.request.uri().path().to_owned(),
                has_token: text.has_token,
                has_signature: text.has_signature,
                answer: stack.send(router(stack), text.into_request()),
            });
        });
    }
}
