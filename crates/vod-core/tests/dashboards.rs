//! The dashboards show what is counted: every name on them exists, and everything that exists is on them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use vod_core::metrics::{Kind, METRICS, Metric, NAMESPACE};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The texts under these keys, at any depth.
fn texts<'a>(value: &'a Value, keys: &[&str], found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                if let (true, Some(text)) = (keys.contains(&key.as_str()), value.as_str()) {
                    found.push(text);
                }
                texts(value, keys, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, keys, found)),
        _ => {}
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

/// The metric of a name in an expression.
fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| match metric.kind {
        Kind::Histogram(_) => ["_bucket", "_sum", "_count"]
            .iter()
            .any(|suffix| name.strip_suffix(suffix) == Some(metric.name)),
        _ => name == metric.name,
    })
}

/// The labels by which an expression groups or selects: `by (a, b)` and `{a=~"…"}`.
fn labels(expression: &str) -> Vec<&str> {
    let between = |begin: &str, end: char| {
        let parts: Vec<&str> = expression.split(begin).skip(1).collect();
        parts.into_iter().filter_map(move |part| part.split(end).next())
    };
    let by = between("by (", ')').flat_map(|list| list.split(','));
    let selected = between("{", '}').flat_map(|list| list.split(','));
    let selected = selected.filter_map(|label| label.split('=').next());
    by.chain(selected).map(str::trim).collect()
}

/// The faults of the expressions.
fn faults_of_expressions(dashboard: &Value) -> Vec<String> {
    let (mut faults, mut shown) = (Vec::new(), BTreeSet::new());
    let mut expressions = Vec::new();
    texts(dashboard, &["expr", "definition"], &mut expressions);
    for expression in expressions {
        let names: Vec<&str> = words(expression)
            .filter(|word| word.starts_with("vod_"))
            .collect();
        let metrics: Vec<&Metric> = names.iter().filter_map(|name| metric(name)).collect();
        if names.is_empty() || metrics.len() < names.len() {
            faults.push(format!("nothing that is counted: {expression}"));
        }
        for label in labels(expression) {
            let known = |metric: &&Metric| metric.labels.contains(&label);
            let bucket = |metric: &&Metric| matches!(metric.kind, Kind::Histogram(_)) && label == "le";
            if !metrics.iter().all(|metric| known(metric) || bucket(metric)) {
                faults.push(format!("no such label: {label} in {expression}"));
            }
        }
        shown.extend(metrics.iter().map(|metric| metric.name));
    }
    let missing = METRICS.iter().filter(|metric| !shown.contains(metric.name));
    faults.extend(missing.map(|metric| format!("not shown: {}", metric.name)));
    faults
}

/// The faults of the panels.
fn faults_of_panels(dashboard: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let panels = dashboard["panels"].as_array().cloned().unwrap_or_default();
    for panel in &panels {
        let targets = panel["targets"].as_array().into_iter().flatten();
        let mut sources = targets.chain([panel]).map(|one| &one["datasource"]["uid"]);
        if sources.any(|source| source != "${datasource}") {
            faults.push(format!(
                "a data source that is not a variable: {}",
                panel["title"]
            ));
        }
    }
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    if ids.len() != panels.len() {
        faults.push("two panels of one id".to_owned());
    }
    let variables = dashboard["templating"]["list"].as_array().into_iter().flatten();
    let choice = |one: &Value| one["name"] == "datasource" && one["query"] == "prometheus";
    if !variables.into_iter().any(choice) {
        faults.push("the data source cannot be chosen".to_owned());
    }
    faults
}

fn faults(dashboard: &Value) -> Vec<String> {
    [faults_of_expressions(dashboard), faults_of_panels(dashboard)].concat()
}

#[test]
fn the_grafana_dashboard_shows_each_metric_and_nothing_else() {
    let text = read("infra/grafana/vod.json");
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(faults(&dashboard), Vec::<String>::new());
    // And each fault is noticed.
    for (from, to, expected) in [
        ("vod_dead_letters", "vod_dead_letter", "nothing that is counted"),
        (
            "vod_encodes_waiting",
            "vod_encodes_running",
            "not shown: vod_encodes_waiting",
        ),
        ("sum by (class)", "sum by (asset)", "no such label: asset"),
        ("{template=~", "{templates=~", "no such label: templates"),
        ("age_seconds_bucket", "age_seconds", "nothing that is counted"),
        (
            "\"uid\": \"${datasource}\"",
            "\"uid\": \"PBFA97CFB\"",
            "not a variable",
        ),
        (
            "\"query\": \"prometheus\"",
            "\"query\": \"loki\"",
            "cannot be chosen",
        ),
        ("\"id\": 2,", "\"id\": 1,", "two panels"),
    ] {
        assert!(text.contains(from), "{from}");
        let broken = serde_json::from_str(&text.replace(from, to)).unwrap();
        let found = faults(&broken);
        assert!(
            found.iter().any(|fault| fault.contains(expected)),
            "{from}: {found:?}"
        );
    }
}

#[test]
fn the_template_names_metrics_that_the_functions_write() {
    let template = read("infra/template.yaml");
    let known: BTreeSet<&str> = METRICS
        .iter()
        .filter_map(|metric| metric.cloudwatch.map(|known| known.name))
        .collect();
    let shown: BTreeSet<&str> = template
        .split(&format!("[\"{NAMESPACE}\", \""))
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(shown, known, "the dashboard's are not the functions'");
    let alarms: Vec<&str> = template
        .split(&format!("Namespace: {NAMESPACE}\n"))
        .skip(1)
        .filter_map(|rest| rest.trim_start().strip_prefix("MetricName: ")?.lines().next())
        .collect();
    assert!(alarms.len() >= 2, "{alarms:?}");
    assert!(alarms.iter().all(|name| known.contains(name)), "{alarms:?}");
}
