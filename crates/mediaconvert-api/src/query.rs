//! `StartJobsQuery` and `GetJobsQueryResults`: jobs by what is in them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Job;

/// Filters of jobs. A job is wanted if one of them fits: "MediaConvert queries jobs using OR logic" (API reference).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobsQuery(pub Vec<JobsQueryFilter>);

/// A key with values of which one must fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobsQueryFilter {
    /// `JobsQueryFilterKey`.
    pub key: String,
    /// The values.
    #[serde(default)]
    pub values: Vec<String>,
}

impl JobsQuery {
    /// Whether a job is wanted. Without filters every job is.
    pub fn accepts(&self, job: &Job) -> bool {
        self.0.is_empty() || self.0.iter().any(|filter| filter.accepts(job))
    }
}

impl JobsQueryFilter {
    fn accepts(&self, job: &Job) -> bool {
        let is = |value: &str| self.values.iter().any(|wanted| wanted == value);
        match self.key.as_str() {
            // A name or an ARN.
            "queue" => is(&job.queue) || job.queue.rsplit('/').next().is_some_and(is),
            "status" => is(job.status.as_str()),
            "fileInput" => {
                let mut inputs =
                    list(&job.settings["inputs"]).filter_map(|input| input["fileInput"].as_str());
                inputs.any(|input| self.values.iter().any(|wanted| input.contains(wanted)))
            }
            "jobEngineVersionRequested" => job.job_engine_version_requested.as_deref().is_some_and(is),
            "jobEngineVersionUsed" => is(&job.job_engine_version_used),
            "videoCodec" => outputs(job)
                .filter_map(|output| output["videoDescription"]["codecSettings"]["codec"].as_str())
                .any(is),
            "audioCodec" => outputs(job)
                .flat_map(|output| list(&output["audioDescriptions"]))
                .filter_map(|audio| audio["codecSettings"]["codec"].as_str())
                .any(is),
            "errorCode" => job.error_code.is_some_and(|code| is(&code.to_string())),
            _ => false,
        }
    }
}

fn outputs(job: &Job) -> impl Iterator<Item = &Value> {
    list(&job.settings["outputGroups"]).flat_map(|group| list(&group["outputs"]))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::job;

    #[test]
    fn one_filter_is_enough() {
        let mut job = job();
        job.error_code = Some(1010);
        let filter = |key: &str, values: &[&str]| JobsQueryFilter {
            key: key.to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        for (filters, expected) in [
            (vec![], true),
            (vec![filter("queue", &["Default"])], true),
            (vec![filter("queue", &["Other"])], false),
            (
                vec![
                    filter("queue", &["Other"]),
                    filter("status", &["ERROR", "PROGRESSING"]),
                ],
                true,
            ),
            (vec![filter("fileInput", &["in.mp4"])], true),
            (vec![filter("fileInput", &["out.mp4"])], false),
            (vec![filter("videoCodec", &["H_264"])], true),
            (vec![filter("audioCodec", &["AAC"])], false),
            (vec![filter("errorCode", &["1010"])], true),
            (vec![filter("jobEngineVersionUsed", &["1999-01-01"])], false),
            (vec![filter("status", &[])], false),
        ] {
            assert_eq!(JobsQuery(filters.clone()).accepts(&job), expected, "{filters:?}");
        }
    }
}
