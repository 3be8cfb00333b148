//! The API port under faults: a layer around S3 and MediaConvert.

use std::panic::resume_unwind;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::HeaderMap;
use http::header::{IF_MATCH, IF_NONE_MATCH};

use super::spec::{CONDITIONAL, Fault, Moment, Rule};
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

    fn fate(&self, operation: &Operation, headers: &HeaderMap) -> Fate {
        let mut fate = Fate::default();
        let key = operation.key.as_deref().unwrap_or_default();
        let concerns = |rule: &Rule| {
            let possible = match rule.fault {
                Fault::Answer(409) => is_conditional(operation, headers),
                // Those of the functions' own side.
                Fault::Crash(_) => false,
                _ => true,
            };
            possible && rule.place.covers(operation)
        };
        for (rule, pause) in self.drawn(key, concerns) {
            tracing::warn!(fault = rule.name, operation = operation.operation, key, "fault");
            match rule.fault {
                Fault::Slow => fate.slow = Some(fate.slow.unwrap_or_default() + pause),
                Fault::Answer(status) => fate.answer = fate.answer.or(Some(status)),
                Fault::Lost => fate.lost = true,
                Fault::Exit(Moment::Before) => fate.exit_before = Some(rule.name),
                Fault::Exit(Moment::After) => fate.exit_after = Some(rule.name),
                // Those of other places.
                _ => {}
            }
        }
        fate
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
    let fate = faults.fate(&operation, headers);
    if let Some(fault) = &fate.exit_before {
        exit(fault);
    }
    if let Some(pause) = fate.slow {
        tokio::time::sleep(pause).await;
    }
    if let Some(status) = fate.answer {
        answers::drain(request).await;
        return answers::refusal(operation.service, status, &operation);
    }
    let response = match faults.disk() {
        Some(budget) if disk::needs_room(&operation) => faults.inner.disk.limit(budget, request, next).await,
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
mod tests;
