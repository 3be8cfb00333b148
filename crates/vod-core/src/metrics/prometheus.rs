//! Counting, and Prometheus's text format 0.0.4 (Prometheus documentation, "Exposition formats").

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use super::{
    JOBS_CANCELED, JOBS_COMPLETED, JOBS_FAILED, JOBS_SUBMITTED, Kind, METRICS, Metric, Outcome, Point,
};
use crate::error_codes::Class;

/// The content type of what [`Registry::render`] gives.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The values of all metrics since the process began.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Registry {
    /// By the metric's name and the values of its labels.
    series: BTreeMap<(&'static str, Vec<String>), Series>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Series {
    /// The value; a histogram's sum.
    value: f64,
    /// A histogram's counts, each of the buckets up to its bound, and of all.
    buckets: Vec<u64>,
}

impl Registry {
    /// Begins the counters of a template with 0: Prometheus does not see an increase in a counter that starts with 1.
    pub fn know(&mut self, template: &str) {
        for metric in [&JOBS_SUBMITTED, &JOBS_COMPLETED, &JOBS_CANCELED] {
            self.add(metric, vec![template.to_owned()], 0.0);
        }
        for class in Class::ALL {
            let labels = vec![template.to_owned(), class.as_str().to_owned()];
            self.add(&JOBS_FAILED, labels, 0.0);
        }
    }

    /// Counts an outcome.
    pub fn count(&mut self, outcome: &Outcome) {
        if let Some(subject) = &outcome.subject
            && subject.attempt.is_some()
        {
            self.know(&subject.template);
        }
        for Point {
            metric,
            labels,
            value,
        } in outcome.points()
        {
            self.add(metric, labels, value);
        }
    }

    /// Adds to a counter, sets a gauge, puts a value into a histogram. Labels are in the metric's order.
    pub fn add(&mut self, metric: &'static Metric, labels: Vec<String>, value: f64) {
        let series = self.series.entry((metric.name, labels)).or_default();
        match metric.kind {
            Kind::Counter => series.value += value,
            Kind::Gauge => series.value = value,
            Kind::Histogram(bounds) => {
                series.value += value;
                series.buckets.resize(bounds.len() + 1, 0);
                let bounds = bounds.iter().copied().chain([f64::INFINITY]);
                for (count, bound) in series.buckets.iter_mut().zip(bounds) {
                    *count += u64::from(value <= bound);
                }
            }
        }
    }

    /// All metrics as text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for metric in METRICS {
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram(_) => "histogram",
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP {} {}", metric.name, metric.help);
            let _ = writeln!(text, "# TYPE {} {kind}", metric.name);
            self.render_series(metric, &mut text);
        }
        text
    }

    fn render_series(&self, metric: &Metric, text: &mut String) {
        let zero = Series::default();
        let all = self.series.iter().filter(|((name, _), _)| *name == metric.name);
        let mut all: Vec<_> = all
            .map(|((_, labels), series)| (labels.as_slice(), series))
            .collect();
        // What has no labels is there from the start: a rate needs the 0 before the 1.
        if all.is_empty() && metric.labels.is_empty() {
            all.push((&[], &zero));
        }
        for (values, series) in all {
            let labels: Vec<_> = metric
                .labels
                .iter()
                .copied()
                .zip(values.iter().map(String::as_str))
                .collect();
            let Kind::Histogram(bounds) = metric.kind else {
                sample(text, metric.name, "", &labels, series.value);
                continue;
            };
            let mut count = 0;
            for (index, bound) in bounds
                .iter()
                .map(f64::to_string)
                .chain(["+Inf".to_owned()])
                .enumerate()
            {
                count = series.buckets.get(index).copied().unwrap_or(0);
                let labels: Vec<_> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
                sample(text, metric.name, "_bucket", &labels, count);
            }
            sample(text, metric.name, "_sum", &labels, series.value);
            sample(text, metric.name, "_count", &labels, count);
        }
    }
}

fn sample(text: &mut String, name: &str, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
    let labels: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    let labels = if labels.is_empty() {
        String::new()
    } else {
        format!("{{{}}}", labels.join(","))
    };
    let _ = writeln!(text, "{name}{suffix}{labels} {value}");
}

/// A label's value: backslash, quote and line feed are written as two characters.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
