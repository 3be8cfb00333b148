//! MediaConvert through the SDK, with the job's JSON as the pipeline built it.
//!
//! The SDK has no way to take JSON, and its typed model drops settings newer than itself. So the request is built with
//! the required members only, and its body is replaced before it is signed.

mod documents;
mod jobs;

use std::time::Duration;

use aws_sdk_mediaconvert::Client;
use aws_sdk_mediaconvert::config::Config;
use aws_sdk_mediaconvert::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_mediaconvert::operation::get_queue::{GetQueueError, GetQueueOutput};
use aws_sdk_mediaconvert::types::{
    Codec, Job, JobStatus, Order, ProbeInputFile, ProbeResult, QueueStatus, Track, TrackType,
};
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use jiff::Timestamp;
use serde_json::Value;
use vod_core::record::{self, Media, PixelAspect, TrackKind};

pub use self::jobs::{JobInfo, OutputInfo};
use crate::refusal::{Refusal, existing};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Longest time for CreateJob with all its retries: MediaConvert remembers a `clientRequestToken` for one minute only,
/// and a retry after that would make a second job.
const CREATE_TIME: Duration = Duration::from_secs(50);
/// Largest number of pages of SearchJobs that are read; 20 jobs each.
const SEARCH_PAGES: usize = 50;

/// Longest input that SearchJobs takes, in characters.
const TERM_MAX: usize = 300;

/// A client for the calls of the pipeline. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MediaConvert {
    client: Client,
}

/// The reason why no job was created.
#[derive(Debug, thiserror::Error)]
pub enum CreateJobError {
    /// The job itself is at fault, so a retry cannot help.
    #[error("MediaConvert refused the job ({status}): {message}")]
    Refused { status: u16, message: String },
    /// Throttled, unreachable or not permitted: the same job may be accepted later.
    #[error("failed to create the job")]
    Failed(#[source] Source),
}

/// A call of MediaConvert that failed.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action}")]
pub struct MediaConvertError {
    action: &'static str,
    refusal: Option<Refusal>,
    source: Source,
}

/// A queue of MediaConvert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueInfo {
    /// `ACTIVE` or `PAUSED`.
    pub status: String,
    /// Jobs that wait.
    pub submitted: i32,
    /// Jobs that run.
    pub progressing: i32,
}

impl MediaConvertError {
    fn new<E>(action: &'static str, error: SdkError<E, Response>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        Self {
            action,
            refusal: Refusal::of(&error),
            source: error.into(),
        }
    }

    /// The permission that the call needs on AWS.
    pub fn permission(&self) -> &'static str {
        match self.action {
            "cancel the job" => "mediaconvert:CancelJob",
            "read the job" => "mediaconvert:GetJob",
            "read the job template" => "mediaconvert:GetJobTemplate",
            "read the preset" => "mediaconvert:GetPreset",
            "read the queue" => "mediaconvert:GetQueue",
            "probe the input" => "mediaconvert:Probe",
            _ => "mediaconvert:SearchJobs",
        }
    }

    /// The refusal by MediaConvert. `None`: the call failed for another reason.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }
}

impl MediaConvert {
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// With the configuration of the command: its credentials, region, endpoints, retries and time limits.
    pub fn from_sdk(config: &SdkConfig) -> Self {
        Self::new(Client::new(config))
    }

    /// Sends `body` as CreateJob and returns the job's id. The SDK retries throttling and faults by itself; the
    /// token in the body makes those retries safe for one minute.
    pub async fn create_job(&self, body: &Value) -> Result<String, CreateJobError> {
        let text = body.to_string();
        let limit = TimeoutConfig::builder().operation_timeout(CREATE_TIME).build();
        let answer = self
            .client
            .create_job()
            // The builder requires these; the body that is sent is `text`.
            .role(body["role"].as_str().unwrap_or_default())
            .client_request_token(body["clientRequestToken"].as_str().unwrap_or_default())
            .customize()
            .config_override(Config::builder().timeout_config(limit))
            .mutate_request(move |request| {
                // The length was set at serialisation and is signed: it must follow the body.
                request
                    .headers_mut()
                    .insert("content-length", text.len().to_string());
                *request.body_mut() = text.clone().into();
            })
            .send()
            .await
            .map_err(create_error)?;
        let id = answer.job.and_then(|job| job.id);
        id.ok_or_else(|| CreateJobError::Failed("the answer names no job id".into()))
    }

    /// Cancels a job. `false`: it had ended already, or MediaConvert no longer knows it.
    pub async fn cancel_job(&self, id: &str) -> Result<bool, MediaConvertError> {
        let answer = self.client.cancel_job().id(id).send().await;
        let Err(error) = answer else { return Ok(true) };
        let error = MediaConvertError::new("cancel the job", error);
        match error.refusal() {
            Some(refusal) if refusal.is_denial() => Err(error),
            Some(refusal) if matches!(refusal.status(), 400 | 404 | 409) => Ok(false),
            _ => Err(error),
        }
    }

    /// Reads the state of a queue. `None`: it does not exist.
    pub async fn queue(&self, name: &str) -> Result<Option<QueueInfo>, MediaConvertError> {
        let answer = self.client.get_queue().name(name).send().await;
        let failed = |error| MediaConvertError::new("read the queue", error);
        let answer = existing(answer, GetQueueError::is_not_found_exception, failed)?;
        Ok(answer
            .as_ref()
            .and_then(GetQueueOutput::queue)
            .map(|queue| QueueInfo {
                status: queue.status().map_or("", QueueStatus::as_str).to_owned(),
                submitted: queue.submitted_jobs_count().unwrap_or(0),
                progressing: queue.progressing_jobs_count().unwrap_or(0),
            }))
    }

    /// Probes an input.
    pub async fn probe(&self, url: &str) -> Result<Media, MediaConvertError> {
        let file = ProbeInputFile::builder().file_url(url).build();
        let answer = self.client.probe().input_files(file).send().await;
        let answer = answer.map_err(|error| MediaConvertError::new("probe the input", error))?;
        Ok(answer.probe_results().first().map(media).unwrap_or_default())
    }

    /// The job of one attempt, if it exists: looked for among the jobs of `input_url`, newest first, back to
    /// `since`. SearchJobs knows no filter by metadata, so that is compared here. Its index may lag.
    pub async fn find_job(
        &self,
        input_url: &str,
        metadata: &Value,
        since: Timestamp,
    ) -> Result<Option<String>, MediaConvertError> {
        let (action, mut found) = ("search for the job", None);
        let look = |job: &Job| {
            let is_found = is_of(job, metadata);
            if is_found {
                found = job.id().map(str::to_owned);
            }
            is_found
        };
        if self.search(action, Some(input_url), since, look).await? {
            return Ok(found);
        }
        // Whether the job exists is not known. If it were reported as missing, it could be created twice.
        Err(MediaConvertError {
            action,
            refusal: None,
            source: format!("more than {SEARCH_PAGES} pages of jobs are newer than {since}").into(),
        })
    }

    /// Passes the jobs of one input, or all where there is no `input`, to `look`, newest first and back to `since`, until
    /// `look` returns true. `false`: [`SEARCH_PAGES`] pages were not enough.
    async fn search(
        &self,
        action: &'static str,
        input: Option<&str>,
        since: Timestamp,
        mut look: impl FnMut(&Job) -> bool,
    ) -> Result<bool, MediaConvertError> {
        let mut token = None;
        for _ in 0..SEARCH_PAGES {
            let search = self.client.search_jobs().order(Order::Descending).max_results(20);
            let search = search
                .set_input_file(input.map(|url| search_term(url).to_owned()))
                .set_next_token(token);
            let answer = search.send().await;
            let answer = answer.map_err(|error| MediaConvertError::new(action, error))?;
            if answer.jobs().iter().any(&mut look) {
                return Ok(true);
            }
            let oldest = answer.jobs().last().and_then(|job| job.created_at());
            let reached = oldest.is_none_or(|time| time.secs() < since.as_second());
            token = answer.next_token().map(str::to_owned);
            if reached || token.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The term that finds the jobs of an input. SearchJobs takes "your input file URL or your partial input file name", 300
/// characters at most (API reference). Of a longer one the end of the name is enough, because metadata is compared.
fn search_term(url: &str) -> &str {
    if url.chars().count() <= TERM_MAX {
        return url;
    }
    let name = url.rsplit('/').next().unwrap_or(url);
    let start = name.char_indices().rev().nth(TERM_MAX - 1);
    &name[start.map_or(0, |(at, _)| at)..]
}

fn is_of(job: &Job, metadata: &Value) -> bool {
    let (Some(found), Some(wanted)) = (job.user_metadata(), metadata.as_object()) else {
        return false;
    };
    // A canceled job does not count as the job of its attempt.
    job.status() != Some(&JobStatus::Canceled)
        && wanted
            .iter()
            .all(|(key, value)| found.get(key).map(String::as_str) == value.as_str())
}

fn create_error<E>(error: SdkError<E, Response>) -> CreateJobError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    match (status, error.as_service_error()) {
        // 403 is about our own permissions, 402 and 429 about limits: the same job may be accepted later.
        (Some(status @ (400 | 404 | 409 | 422)), Some(service)) => {
            let message = service.message().unwrap_or("no reason given").to_owned();
            CreateJobError::Refused { status, message }
        }
        _ => CreateJobError::Failed(error.into()),
    }
}

fn media(result: &ProbeResult) -> Media {
    let Some(container) = result.container() else {
        return Media::default();
    };
    let tracks = container.tracks();
    let video = tracks
        .iter()
        .filter(|track| !is_cover(track))
        .find_map(|track| track.video_properties());
    let pixels = |value: Option<i32>| {
        value
            .and_then(|value| u32::try_from(value).ok())
            .filter(|&v| v > 0)
    };
    let rate = video.and_then(|video| video.frame_rate()).and_then(|rate| {
        let (numerator, denominator) = (rate.numerator()?, rate.denominator()?);
        (numerator > 0 && denominator > 0).then(|| f64::from(numerator) / f64::from(denominator))
    });
    let audio = tracks
        .iter()
        .filter(|track| track.track_type() == Some(&TrackType::Audio))
        .count();
    // The container, the pictures or both declare it. The container has precedence, as in players.
    let aspect = video.and_then(|video| {
        let coded = || video.codec_metadata()?.sample_aspect_ratio();
        let aspect = video.sample_aspect_ratio().or_else(coded)?;
        PixelAspect::new(pixels(aspect.numerator())?, pixels(aspect.denominator())?)
    });
    Media {
        duration_ms: container.duration().and_then(milliseconds),
        width: video.and_then(|video| pixels(video.width())),
        height: video.and_then(|video| pixels(video.height())),
        frame_rate: rate,
        rotation: video.map(|video| quarter_turns(video.rotation())),
        pixel_aspect: aspect,
        // Without any track the probe found nothing, which does not mean that there is no audio.
        audio_tracks: if tracks.is_empty() {
            None
        } else {
            u32::try_from(audio).ok()
        },
        cover: tracks.iter().find_map(cover),
        tracks: tracks.iter().filter_map(track).collect(),
    }
}

/// Whether a track is a still picture, such as the cover of a song: a picture without a frame rate, and not in a codec for video.
fn is_cover(track: &Track) -> bool {
    let codec = track.codec();
    let properties = track.video_properties();
    track.track_type() == Some(&TrackType::Video)
        && codec.is_none_or(|codec| *codec == Codec::Mjpeg)
        && properties.is_some_and(|video| video.frame_rate().is_none())
}

fn cover(track: &Track) -> Option<record::Cover> {
    let side = |value: Option<i32>| {
        value
            .and_then(|value| u32::try_from(value).ok())
            .filter(|&side| side > 0)
    };
    let video = track.video_properties().filter(|_| is_cover(track))?;
    Some(record::Cover {
        width: side(video.width())?,
        height: side(video.height())?,
    })
}

/// A track in the record's terms. Of data tracks, captions and those with a language count; timecodes do not.
fn track(track: &Track) -> Option<record::Track> {
    let language = match track.track_type()? {
        TrackType::Audio => track.audio_properties().and_then(|audio| audio.language_code()),
        _ => track.data_properties().and_then(|data| data.language_code()),
    };
    let kind = match (track.track_type()?, track.codec()) {
        (TrackType::Video, _) if is_cover(track) => return None,
        (TrackType::Video, _) => TrackKind::Video,
        (TrackType::Audio, _) => TrackKind::Audio,
        (TrackType::Data, Some(Codec::C608 | Codec::C708)) => TrackKind::EmbeddedCaptions,
        (TrackType::Data, Some(Codec::Webvtt)) => TrackKind::Subtitles,
        (TrackType::Data, _) if language.is_some() => TrackKind::Subtitles,
        _ => return None,
    };
    // It is shown to people.
    let plain =
        |language: &&str| language.len() <= 8 && language.bytes().all(|byte| byte.is_ascii_alphanumeric());
    Some(record::Track {
        kind,
        language: language
            .filter(plain)
            .filter(|language| !language.eq_ignore_ascii_case("und"))
            .map(str::to_owned),
        readable: track.codec() != Some(&Codec::UnknownValue),
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be a sane duration"
)]
fn milliseconds(seconds: f64) -> Option<u64> {
    (seconds.is_finite() && (0.0..1e9).contains(&seconds)).then(|| (seconds * 1000.0).round() as u64)
}

/// Degrees clockwise; Probe leaves the member out at 0 and where a matrix is no plain rotation.
fn quarter_turns(degrees: Option<i32>) -> u16 {
    match degrees.unwrap_or(0).rem_euclid(360) {
        90 => 90,
        180 => 180,
        270 => 270,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_inputs_are_searched_for_by_the_end_of_their_name() {
        let folder = "s3://b/input/".to_owned() + &"f".repeat(300);
        for (url, expected) in [
            ("s3://b/input/a.mp4".to_owned(), "s3://b/input/a.mp4".to_owned()),
            (format!("{folder}/한국.mp4"), "한국.mp4".to_owned()),
            (
                format!("{folder}/{}.mp4", "é".repeat(400)),
                format!("{}.mp4", "é".repeat(296)),
            ),
        ] {
            assert_eq!(search_term(&url), expected);
        }
    }
}
