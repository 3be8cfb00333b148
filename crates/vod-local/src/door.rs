//! Refuses requests that web pages of other sites send, before anything else of a port sees them.
//!
//! A browser on this machine reaches the ports of this machine, whatever page it shows. A page can send forms anywhere, which
//! its `Origin` gives away, and a site can let its own name point to this machine (DNS rebinding), which `Host` gives away.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode};
use local_edge::PublicUrl;

/// Decides which requests come in at a port. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Door(Arc<Rules>);

struct Rules {
    /// The address that the port listens on.
    bound: IpAddr,
    /// Another name of the port, in lower case and without a port number.
    public: Option<String>,
    /// Origins whose pages may use the port; `None` where every page may read what it could read without us.
    origins: Option<Vec<String>>,
}

/// Why a request stays outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outside {
    Host,
    Origin,
    CrossSite,
}

impl Door {
    /// Of the API port: pages of these origins may use it.
    pub(crate) fn api(bound: IpAddr, origins: Vec<String>) -> Self {
        Self(Arc::new(Rules {
            bound,
            public: None,
            origins: Some(origins),
        }))
    }

    /// Of the edge, which viewers may reach by another URL.
    pub(crate) fn edge(bound: IpAddr, public: Option<&PublicUrl>) -> Self {
        let public = public.and_then(|url| url.host().parse::<Authority>().ok());
        Self(Arc::new(Rules {
            bound,
            public: public.map(|authority| authority.host().to_owned()),
            origins: None,
        }))
    }

    /// Lets only the right requests through to `router`, its fallback included.
    pub(crate) fn before(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(self.clone(), pass))
    }
}

async fn pass(State(door): State<Door>, request: Request, next: Next) -> Response {
    match door.0.check(&request) {
        Ok(()) => next.run(request).await,
        Err(outside) => door.0.refuse(outside),
    }
}

impl Rules {
    fn check(&self, request: &Request) -> Result<(), Outside> {
        if !self.knows_host(request) {
            return Err(Outside::Host);
        }
        let Some(origins) = &self.origins else {
            return Ok(());
        };
        let headers = request.headers();
        let mut sent = headers.get_all(ORIGIN).iter().peekable();
        let named = sent.peek().is_some();
        let known =
            |origin: &http::HeaderValue| origins.iter().any(|known| known.as_bytes() == origin.as_bytes());
        if !sent.all(known) {
            return Err(Outside::Origin);
        }
        let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
        if !named && !reads && is_cross_site(headers) {
            return Err(Outside::CrossSite);
        }
        Ok(())
    }

    /// Whether all names that a request has for this port are names of it.
    fn knows_host(&self, request: &Request) -> bool {
        let sent = request.headers().get_all(HOST).iter();
        let mut sent = sent.map(|host| host.to_str().unwrap_or_default());
        let target = request.uri().authority().map(Authority::as_str);
        match (sent.next(), sent.next()) {
            (Some(host), None) => self.is_name(host) && target.is_none_or(|target| self.is_name(target)),
            _ => false,
        }
    }

    fn is_name(&self, host: &str) -> bool {
        if is_loopback(host) {
            return true;
        }
        let Ok(authority) = host.parse::<Authority>() else {
            return false;
        };
        match address(authority.host()) {
            // An address cannot be pointed elsewhere. Listening on all of them means to be reached by any.
            Some(address) => self.bound.is_unspecified() || address == self.bound.to_canonical(),
            None => self
                .public
                .as_deref()
                .is_some_and(|public| authority.host().eq_ignore_ascii_case(public)),
        }
    }

    fn refuse(&self, outside: Outside) -> Response {
        let text = match (outside, &self.origins) {
            (Outside::Host, Some(_)) => {
                "The API answers by the names of this machine (localhost, 127.0.0.1) and by the address of --api."
            }
            (Outside::Host, None) => {
                "The edge answers by the names of this machine (localhost, 127.0.0.1), by the address of --edge and by the \
                 host of --edge-url."
            }
            (Outside::Origin, _) => {
                "Pages of this origin may not use the API. Start the stack with --allowed-origin to let them."
            }
            (Outside::CrossSite, _) => "Pages of other sites may not write.",
        };
        tracing::debug!(?outside, "request refused at the door");
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>{text}</Message></Error>"
        );
        (StatusCode::FORBIDDEN, [(CONTENT_TYPE, "application/xml")], body).into_response()
    }
}

fn is_cross_site(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    sites.any(|site| site.as_bytes().eq_ignore_ascii_case(b"cross-site"))
}

/// Whether a `Host` names this machine to itself.
pub(crate) fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host();
    name.eq_ignore_ascii_case("localhost") || address(name).is_some_and(|address| address.is_loopback())
}

/// The address that a host is, if it is none that has to be looked up.
fn address(host: &str) -> Option<IpAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests;
