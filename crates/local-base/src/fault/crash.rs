//! Functions that die at a call they make: the HTTP of their SDK clients ends the invocation.

use aws_smithy_runtime_api::client::http::{
    HttpClient as _, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use http::{HeaderMap, HeaderValue, Method};

use super::spec::{Fault, Moment, Rule};
use super::{Faults, die};
use crate::access::{Operation, Port, classify};

impl Faults {
    /// The HTTP of functions: `inner`, in which invocations die.
    pub fn deadly(&self, inner: SharedHttpClient) -> SharedHttpClient {
        let faults = self.clone();
        http_client_fn(move |settings, components| {
            SharedHttpConnector::new(Deadly {
                faults: faults.clone(),
                inner: inner.http_connector(settings, components),
            })
        })
    }

    /// The faults that end the invocation which makes this call: before it, and after it.
    fn deaths(&self, call: &Operation) -> [Option<String>; 2] {
        let mut deaths = [None, None];
        let key = call.key.as_deref().unwrap_or_default();
        let concerns = |rule: &Rule| rule.place.covers(call) && matches!(rule.fault, Fault::Crash(_));
        for (rule, _) in self.drawn(key, concerns) {
            tracing::warn!(fault = rule.name, operation = call.operation, key, "fault");
            let after = rule.fault == Fault::Crash(Moment::After);
            deaths[usize::from(after)] = Some(rule.name);
        }
        deaths
    }
}

#[derive(Debug)]
struct Deadly {
    faults: Faults,
    inner: SharedHttpConnector,
}

impl HttpConnector for Deadly {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let [before, after] = self.faults.deaths(&operation(&request));
        let inner = self.inner.clone();
        // The panic goes up through the SDK and the function, to the task in which the invocation runs.
        HttpConnectorFuture::new(async move {
            if let Some(fault) = before {
                die(&fault);
            }
            let answer = inner.call(request).await;
            if let Some(fault) = after {
                die(&fault);
            }
            answer
        })
    }
}

fn operation(request: &HttpRequest) -> Operation {
    const COPY: &str = "x-amz-copy-source";
    let method = Method::from_bytes(request.method().as_bytes()).unwrap_or_default();
    let uri = request.uri().parse().unwrap_or_default();
    let mut headers = HeaderMap::new();
    if let Some(source) = request.headers().get(COPY)
        && let Ok(source) = HeaderValue::from_str(source)
    {
        headers.insert(COPY, source);
    }
    classify(Port::Api, &method, &uri, &headers)
}
