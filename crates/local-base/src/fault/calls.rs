//! The API port under faults: a layer around S3 and MediaConvert.

use std::panic::resume_unwind;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::HeaderMap;
use http::header::{IF_MATCH, IF_NONE_MATCH};

use super::spec::{CONDITIONAL, Fault, Moment, Place, Rules, Service};
use super::{Faults, answers, disk, exit};
use crate::access::{Operation, Port, classify};

/// What one call meets with.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Fate {
    slow: Option<Duration>,
    answer: Option<u16>,
    lost: bool,
    exit_before: Option<String>,
    exit_after: Option<String>,
}

impl Faults {
    /// Puts the faults of calls around the services of an API port.
    pub fn around(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(self.clone(), meddle))
    }

    fn fate(&self, rules: &Rules, service: Service, operation: &Operation, headers: &HeaderMap) -> Fate {
        let mut fate = Fate::default();
        for rule in &rules.list {
            if !strikes(rule.place, service, &operation.operation)
                || rule.fault == Fault::Answer(409) && !is_conditional(operation, headers)
                || matches!(rule.fault, Fault::Crash(_))
            {
                continue;
            }
            let key = operation.key.as_deref().unwrap_or_default();
            let Some(drawn) = self.draw(rules, rule, key) else {
                continue;
            };
            match rule.fault {
                Fault::Slow => fate.slow = Some(fate.slow.unwrap_or_default() + drawn.pause),
                Fault::Answer(status) => fate.answer = fate.answer.or(Some(status)),
                Fault::Lost => fate.lost = true,
                Fault::Exit(Moment::Before) => fate.exit_before = Some(rule.name.clone()),
                Fault::Exit(Moment::After) => fate.exit_after = Some(rule.name.clone()),
                // Those of other places, and of the functions' own side.
                _ => {}
            }
            tracing::warn!(fault = rule.name, operation = operation.operation, key, "fault");
        }
        fate
    }
}

/// Whether a fault of calls is about this operation.
pub(super) fn strikes(place: Place, service: Service, operation: &str) -> bool {
    match place {
        Place::Calls(of, name) => of == service && name.is_none_or(|name| name == operation),
        Place::Events(_) | Place::Ffmpeg => false,
    }
}

/// S3 has conflicts only where a write has a condition.
fn is_conditional(operation: &Operation, headers: &HeaderMap) -> bool {
    let condition = headers.contains_key(IF_MATCH) || headers.contains_key(IF_NONE_MATCH);
    condition && CONDITIONAL.contains(&operation.operation.as_str())
}

async fn meddle(State(faults): State<Faults>, request: Request, next: Next) -> Response {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let operation = classify(Port::Api, method, uri, headers);
    let (Some(service), Some(rules)) = (Service::named(operation.service), faults.rules()) else {
        return next.run(request).await;
    };
    let fate = faults.fate(&rules, service, &operation, headers);
    if let Some(fault) = &fate.exit_before {
        exit(fault);
    }
    if let Some(pause) = fate.slow {
        tokio::time::sleep(pause).await;
    }
    if let Some(status) = fate.answer {
        answers::drain(request).await;
        return answers::refusal(service, status, &operation);
    }
    let response = match rules.disk {
        Some(budget) if disk::needs_room(service, &operation) => {
            faults.inner.disk.limit(budget, request, next).await
        }
        _ => next.run(request).await,
    };
    if let Some(fault) = &fate.exit_after {
        exit(fault);
    }
    if fate.lost {
        // Unwinds the connection's task: the caller finds it closed and hears nothing.
        resume_unwind(Box::new("answer lost"));
    }
    response
}

#[cfg(test)]
#[path = "calls_tests.rs"]
mod tests;
