//! As much of IAM's evaluation as tells whether a service is let in by a resource's policy.

use serde_json::Value;

/// Whether the policy lets the service do this on behalf of `source` (an ARN).
pub(super) fn lets(policy: &Value, service: &str, action: &str, source: &str) -> bool {
    let statements = list(&policy["Statement"]);
    let about = |statement: &&&Value| {
        let principal = &statement["Principal"];
        let is_named = principal == "*" || holds(&principal["Service"], service) || principal["AWS"] == "*";
        is_named
            && list(&statement["Action"])
                .into_iter()
                .any(|name| fits(name, action))
    };
    let is_denied = statements
        .iter()
        .filter(about)
        .any(|statement| statement["Effect"] == "Deny" && statement["Condition"].is_null());
    let is_allowed = statements
        .iter()
        .filter(about)
        .any(|statement| statement["Effect"] == "Allow" && is_from(&statement["Condition"], source));
    is_allowed && !is_denied
}

/// Whether the conditions, if they speak of a source at all, speak of this one.
fn is_from(conditions: &Value, source: &str) -> bool {
    let operators = conditions.as_object().into_iter().flatten();
    let mut sources = operators
        .filter_map(|(_, pairs)| pairs.as_object())
        .flatten()
        .filter(|(key, _)| key.eq_ignore_ascii_case("aws:SourceArn"));
    sources.all(|(_, wanted)| list(wanted).into_iter().any(|pattern| fits(pattern, source)))
}

/// One value or several: policies write either.
fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

fn holds(value: &Value, wanted: &str) -> bool {
    list(value).into_iter().any(|item| item == wanted)
}

/// Exact but for case, or with a star at its end.
fn fits(pattern: &Value, text: &str) -> bool {
    let (pattern, text) = (
        pattern.as_str().unwrap_or_default().to_ascii_lowercase(),
        text.to_ascii_lowercase(),
    );
    match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => text == pattern,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn policies() {
        let allow = json!({"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::b"}, "StringEquals": {"aws:SourceAccount": "1"}}});
        let other = |name: &str, value: Value| {
            let mut statement = allow.clone();
            statement[name] = value;
            statement
        };
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "sqs:*"});
        let insecure = json!({"Effect": "Deny", "Principal": "*", "Action": "sqs:*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
        for (statements, expected) in [
            (json!(allow), true),
            (json!([allow]), true),
            (json!([other("Action", json!(["SQS:SendMessage", "x"]))]), true),
            (json!([other("Action", json!("sqs:*"))]), true),
            (json!([other("Condition", Value::Null)]), true),
            (json!([other("Principal", json!("*"))]), true),
            (json!([allow, insecure]), true),
            (json!([other("Action", json!("sqs:ReceiveMessage"))]), false),
            (
                json!([other("Principal", json!({"Service": "sns.amazonaws.com"}))]),
                false,
            ),
            (
                json!([other(
                    "Condition",
                    json!({"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::other"}})
                )]),
                false,
            ),
            (json!([allow, deny]), false),
            (json!([other("Effect", json!("Deny"))]), false),
            (json!([]), false),
            (Value::Null, false),
        ] {
            let policy = json!({ "Statement": statements });
            let found = lets(&policy, "s3.amazonaws.com", "sqs:SendMessage", "arn:aws:s3:::b");
            assert_eq!(found, expected, "{policy}");
        }
    }
}
