//! The stack's alarms.

use anyhow::ensure;
use serde_json::Value;

use crate::aws::service::CLOUDWATCH;
use crate::output::plain;
use crate::stack::Stack;
use crate::stack::outputs::Outputs;

/// Whether one of the alarms rings that tell the stack's topic.
pub(super) async fn alarms(stack: &Stack, outputs: &Outputs) -> anyhow::Result<String> {
    let query = [
        ("ActionPrefix", outputs.alarm_topic.as_str()),
        ("StateValue", "ALARM"),
    ];
    let answer = stack.aws.query(&CLOUDWATCH, "DescribeAlarms", &query).await?;
    let ringing: Vec<String> = answer["MetricAlarms"]
        .as_array()
        .into_iter()
        .flatten()
        // The answer may hold more than was asked for.
        .filter(|alarm| alarm["StateValue"] == "ALARM" && tells(alarm, &outputs.alarm_topic))
        .map(words)
        .collect();
    ensure!(ringing.is_empty(), "{}", ringing.join("; "));
    Ok("none rings".to_owned())
}

fn tells(alarm: &Value, topic: &str) -> bool {
    let mut actions = alarm["AlarmActions"].as_array().into_iter().flatten();
    actions.any(|action| action == topic)
}

fn words(alarm: &Value) -> String {
    let text = |name: &str| plain(alarm[name].as_str().unwrap_or_default());
    let (name, about) = (text("AlarmName"), text("AlarmDescription"));
    if about.is_empty() {
        name
    } else {
        format!("{name}: {about}")
    }
}
