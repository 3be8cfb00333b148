//! `CloudWatch`'s Embedded Metric Format: one line of JSON, of which `CloudWatch` Logs makes metrics.
//!
//! `CloudWatch` user guide, "Specification: Embedded metric format". On Lambda it is enough to write the line to standard
//! output. With Lambda's JSON log format a line needs `level` and `timestamp` of its own, or Lambda adds them (Lambda
//! developer guide, "Log-level filtering").

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{DIMENSION, NAMESPACE, Outcome, What};

/// The line of one outcome, without its line feed.
///
/// Names of members are ours, only values come from outside; JSON's escapes keep any value within its string, and the
/// whole on one line.
pub fn emf_line(outcome: &Outcome, application: &str, now: Timestamp) -> String {
    let mut line = properties(outcome);
    let mut definitions: Vec<Value> = Vec::new();
    for point in outcome.points() {
        let Some(known) = point.metric.cloudwatch else {
            continue;
        };
        let sum = line.get(known.name).and_then(Value::as_f64);
        if sum.is_none() {
            definitions.push(json!({ "Name": known.name, "Unit": known.unit }));
        }
        let value = sum.unwrap_or(0.0) + point.value / known.scale;
        line.insert(known.name.to_owned(), value.into());
    }
    let directive = json!({ "Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": definitions });
    line.insert(
        "_aws".to_owned(),
        json!({ "Timestamp": now.as_millisecond(), "CloudWatchMetrics": [directive] }),
    );
    line.insert(DIMENSION.to_owned(), application.into());
    line.insert("level".to_owned(), "INFO".into());
    line.insert("timestamp".to_owned(), format!("{now:.3}").into());
    Value::Object(line).to_string()
}

/// Properties beside the metrics, for searches; never a dimension.
fn properties(outcome: &Outcome) -> Map<String, Value> {
    let mut line = Map::new();
    let (message, detail) = match &outcome.what {
        What::Submitted { .. } => ("job submitted", None),
        What::Completed(encoded) => {
            let seconds: Map<String, Value> = encoded
                .seconds()
                .map(|(name, seconds)| (name.to_owned(), seconds.into()))
                .collect();
            ("job completed", Some(("encoded_seconds", seconds.into())))
        }
        What::Failed { class, code } => {
            line.insert("class".to_owned(), class.as_str().into());
            ("job failed", Some(("code", (*code).into())))
        }
        What::Canceled => ("job canceled", None),
        What::Ignored => ("upload ignored", None),
        What::Reconciled { .. } => ("reconcile found", None),
    };
    line.insert("message".to_owned(), message.into());
    line.extend(detail.map(|(name, value)| (name.to_owned(), value)));
    if let Some(subject) = &outcome.subject {
        line.insert("asset".to_owned(), subject.asset.as_str().into());
        line.insert("key".to_owned(), subject.key.as_str().into());
        if let Some(attempt) = subject.attempt {
            line.insert("template".to_owned(), subject.template.as_str().into());
            line.insert("attempt".to_owned(), attempt.into());
        }
        if let Some(job_id) = &subject.job_id {
            line.insert("job_id".to_owned(), job_id.as_str().into());
        }
    }
    line
}
