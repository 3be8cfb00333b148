//! Jobs as MediaConvert reports them later, for callers that lost their events.

use std::collections::HashMap;

use aws_sdk_mediaconvert::operation::get_job::{GetJobError, GetJobOutput};
use aws_sdk_mediaconvert::types::{
    ContainerType, Job, JobStatus, Output, OutputDetail, OutputGroup, OutputGroupDetail, VideoCodec,
    VideoDetail,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{MediaConvert, MediaConvertError};
use crate::refusal::existing;

/// A job, with what is needed to derive its last event again.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JobInfo {
    pub id: String,
    /// MediaConvert's value: `SUBMITTED`, `PROGRESSING`, `COMPLETE`, `CANCELED`, `ERROR`.
    pub status: String,
    pub metadata: HashMap<String, String>,
    /// URL of its first input.
    pub input: String,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub error_code: Option<u32>,
    pub error_message: Option<String>,
    pub warnings: Vec<u32>,
    /// The part of its settings that names its outputs, in the spelling of the API: `{"outputGroups": […]}`.
    pub settings: Value,
    /// The outputs of each output group, in the order of the settings. GetJob returns no paths.
    pub outputs: Vec<Vec<OutputInfo>>,
}

/// The details of one output from GetJob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutputInfo {
    pub duration_ms: Option<u64>,
    pub width: Option<u32>,
    pub height: Option<u32>,
}

impl JobInfo {
    /// Template and attempt, if this is a job of `asset` in `application`.
    pub fn attempt_of(&self, application: &str, asset: &str) -> Option<(&str, u32)> {
        let of = |key: &str| self.metadata.get(key).map(String::as_str);
        if of("application") != Some(application) || of("asset") != Some(asset) {
            return None;
        }
        Some((of("template")?, of("attempt")?.parse().ok()?))
    }

    /// Whether the job has ended.
    pub fn has_ended(&self) -> bool {
        matches!(self.status.as_str(), "COMPLETE" | "ERROR" | "CANCELED")
    }
}

impl MediaConvert {
    /// Reads one job. `None`: MediaConvert does not know it, or no longer does (it keeps jobs for three months).
    pub async fn job(&self, id: &str) -> Result<Option<JobInfo>, MediaConvertError> {
        let answer = self.client.get_job().id(id).send().await;
        let failed = |error| MediaConvertError::new("read the job", error);
        let answer = existing(answer, GetJobError::is_not_found_exception, failed)?;
        Ok(answer.as_ref().and_then(GetJobOutput::job).map(info))
    }

    /// Jobs of one input, or of all where there is no `input`, newest first and none older than `since`, as far as
    /// the search goes back (`SEARCH_PAGES` pages of 20); those that `wanted` refuses are left out.
    pub async fn jobs(
        &self,
        input: Option<&str>,
        since: Timestamp,
        mut wanted: impl FnMut(&JobInfo) -> bool,
    ) -> Result<Vec<JobInfo>, MediaConvertError> {
        let mut found = Vec::new();
        let look = |job: &Job| {
            found.extend(Some(info(job)).filter(&mut wanted));
            false
        };
        self.search("search for jobs", input, since, look).await?;
        Ok(found)
    }
}

fn info(job: &Job) -> JobInfo {
    let settings = job.settings();
    let inputs = settings.map_or(&[][..], |settings| settings.inputs());
    let groups = settings.map_or(&[][..], |settings| settings.output_groups());
    let time = |time: Option<&aws_smithy_types::DateTime>| {
        time.and_then(|time| Timestamp::from_second(time.secs()).ok())
    };
    JobInfo {
        id: job.id().unwrap_or_default().to_owned(),
        status: job.status().map_or("", JobStatus::as_str).to_owned(),
        metadata: job.user_metadata().cloned().unwrap_or_default(),
        input: inputs
            .first()
            .and_then(|input| input.file_input())
            .unwrap_or_default()
            .to_owned(),
        created_at: time(job.created_at()).unwrap_or(Timestamp::UNIX_EPOCH),
        finished_at: time(job.timing().and_then(|timing| timing.finish_time())),
        error_code: job.error_code().and_then(|code| u32::try_from(code).ok()),
        error_message: job.error_message().map(str::to_owned),
        warnings: job
            .warnings()
            .iter()
            .filter_map(|warning| u32::try_from(warning.code()?).ok())
            .collect(),
        settings: json!({ "outputGroups": groups.iter().map(group).collect::<Vec<_>>() }),
        outputs: job.output_group_details().iter().map(outputs).collect(),
    }
}

/// A group as its JSON would be, reduced to what names its files.
fn group(group: &OutputGroup) -> Value {
    let Some(settings) = group.output_group_settings() else {
        return json!({});
    };
    let kind = settings.r#type().map_or("", |kind| kind.as_str());
    let at = |destination: Option<&str>| json!({ "destination": destination });
    let automated = group.automated_encoding_settings().map(|_| json!({}));
    json!({
        "automatedEncodingSettings": automated,
        "outputGroupSettings": {
            "type": kind,
            "hlsGroupSettings": at(settings.hls_group_settings().and_then(|group| group.destination())),
            "fileGroupSettings": at(settings.file_group_settings().and_then(|group| group.destination())),
            "cmafGroupSettings": at(settings.cmaf_group_settings().and_then(|group| group.destination())),
            "dashIsoGroupSettings": at(settings.dash_iso_group_settings().and_then(|group| group.destination())),
        },
        "outputs": group.outputs().iter().map(output).collect::<Vec<_>>(),
    })
}

fn output(output: &Output) -> Value {
    let container = output
        .container_settings()
        .and_then(|settings| settings.container());
    let video = output.video_description();
    let codec = video
        .and_then(|video| video.codec_settings())
        .and_then(|settings| settings.codec());
    let mut json = json!({
        "nameModifier": output.name_modifier(),
        "extension": output.extension(),
        "containerSettings": { "container": container.map(ContainerType::as_str) },
    });
    if let Some(video) = video {
        json["videoDescription"] = json!({
            "width": video.width(),
            "height": video.height(),
            "codecSettings": { "codec": codec.map(VideoCodec::as_str) },
        });
    }
    json
}

fn outputs(group: &OutputGroupDetail) -> Vec<OutputInfo> {
    let number = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok());
    let output = |output: &OutputDetail| {
        let video = output.video_details();
        OutputInfo {
            duration_ms: number(output.duration_in_ms()).map(u64::from),
            width: number(video.and_then(VideoDetail::width_in_px)),
            height: number(video.and_then(VideoDetail::height_in_px)),
        }
    };
    group.output_details().iter().map(output).collect()
}
