//! The SDK's HTTP, answered in this process, with latency and faults.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use bytes::Bytes;
use percent_encoding::percent_decode_str;

use crate::call::Call;
use crate::options::{Mutation, chance};
use crate::time;
use crate::world::World;
use crate::{mediaconvert, s3};

/// The SDK's own limit for an answer's first byte.
const READ: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
struct Connector(World);

/// An HTTP client whose servers are in `world`.
pub(crate) fn client(world: &World) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Connector(world.clone()));
    http_client_fn(move |_, _| connector.clone())
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let world = self.0.clone();
        HttpConnectorFuture::new(async move { exchange(&world, request).await })
    }
}

async fn exchange(world: &World, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let call = parse(world, &request);
    let jobs = call.path.starts_with("/2017-08-29/");
    let slow = world.happens("slow answers", chance::SLOW);
    time::sleep(if slow {
        world.between(2.0, 20.0)
    } else {
        world.between(0.005, 0.05)
    })
    .await;
    if world.happens("calls refused (503, 429)", chance::REFUSED) {
        let refused = if jobs {
            mediaconvert::throttled
        } else {
            s3::slow_down
        };
        return Ok(refused().0);
    }
    let unheard = !world.options.heard && world.happens("answers lost", chance::UNHEARD);
    let answer = if jobs {
        mediaconvert::answer(world, &call)
    } else {
        s3::answer(world, &call)
    };
    if unheard {
        time::sleep(READ).await;
        return Err(ConnectorError::timeout("no answer".into()));
    }
    time::sleep(world.between(0.005, 0.03)).await;
    Ok(answer.0)
}

fn parse(world: &World, request: &HttpRequest) -> Call {
    let uri: http::Uri = request.uri().parse().unwrap_or_default();
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let headers = request.headers();
    let unquoted = |value: &str| value.trim_matches('"').to_owned();
    Call {
        method: request.method().to_owned(),
        path: percent_decode_str(uri.path()).decode_utf8_lossy().into_owned(),
        query: query.into_owned().collect(),
        if_match: headers
            .get("if-match")
            .filter(|_| !world.is(Mutation::NoIfMatch))
            .map(unquoted),
        if_none_match: headers.contains_key("if-none-match") && !world.is(Mutation::NoIfNoneMatch),
        body: Bytes::copy_from_slice(request.body().bytes().unwrap_or_default()),
    }
}
