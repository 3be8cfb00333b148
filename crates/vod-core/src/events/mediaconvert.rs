//! Parses EventBridge's `MediaConvert Job State Change`.
//!
//! Every numeric member is optional and unknown members are ignored: AWS's own samples differ from what
//! it sends. The shapes are those of the MediaConvert user guide, "EventBridge events".

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::EventError;
use crate::asset::AssetId;
use crate::error_codes;
use crate::metrics::{Encoded, Resolution};
use crate::record::{Dash, Hls, Media, OutputSet, Rendition, Thumbnails, Warning};
use crate::state::Change;

/// One event of one attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct JobEvent {
    pub asset: AssetId,
    pub template: String,
    pub attempt: u32,
    pub job_id: String,
    /// The status as MediaConvert spells it, for the log.
    pub status: String,
    /// Time of the event, by MediaConvert's clock; absent if the event has no time.
    pub at: Option<Timestamp>,
    /// Absent if the status changes nothing (`QUEUE_HOP`, an unknown status).
    pub change: Option<Change>,
    /// Lengths of the outputs in a COMPLETE; for metrics, never on record.
    pub encoded: Encoded,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    /// Milliseconds since 1970.
    timestamp: Option<i64>,
    job_id: String,
    status: String,
    #[serde(default)]
    user_metadata: Metadata,
    error_code: Option<u32>,
    error_message: Option<String>,
    #[serde(default)]
    warnings: Vec<EventWarning>,
    warning_code: Option<Code>,
    warning_message: Option<String>,
    job_progress: Option<JobProgress>,
    #[serde(default)]
    input_details: Vec<InputDetail>,
    #[serde(default)]
    output_group_details: Vec<GroupDetail>,
}

#[derive(Deserialize, Default)]
struct Metadata {
    application: Option<String>,
    asset: Option<String>,
    template: Option<String>,
    attempt: Option<String>,
}

#[derive(Deserialize)]
struct EventWarning {
    code: Code,
    message: Option<String>,
}

/// `NEW_WARNING` writes its code as a string, COMPLETE as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Code {
    Number(u32),
    Text(String),
}

impl Code {
    fn number(&self) -> Option<u32> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JobProgress {
    job_percent_complete: Option<f64>,
}

#[derive(Deserialize)]
struct InputDetail {
    #[serde(default)]
    audio: Vec<Value>,
    #[serde(default)]
    video: Vec<InputVideo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InputVideo {
    width: Option<u32>,
    height: Option<u32>,
    frame_rate: Option<f64>,
    /// Shape of a pixel, for example `64:45`.
    sar: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupDetail {
    #[serde(default)]
    output_details: Vec<OutputDetail>,
    #[serde(default)]
    playlist_file_paths: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OutputDetail {
    #[serde(default)]
    output_file_paths: Vec<String>,
    duration_in_ms: Option<u64>,
    video_details: Option<VideoDetails>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VideoDetails {
    width_in_px: Option<u32>,
    height_in_px: Option<u32>,
}

/// Reads one event. `Ok(None)`: a job of another application, or one that this pipeline did not start.
pub fn parse_job_event(event: &Value, application: &str) -> Result<Option<JobEvent>, EventError> {
    if event.get("source").and_then(Value::as_str) != Some("aws.mediaconvert") {
        return Err(EventError::Unknown("`source` is not aws.mediaconvert".to_owned()));
    }
    let detail =
        Detail::deserialize(&event["detail"]).map_err(|error| EventError::Unknown(error.to_string()))?;
    let metadata = &detail.user_metadata;
    if metadata.application.as_deref() != Some(application) {
        return Ok(None);
    }
    let asset = metadata.asset.as_deref().and_then(|asset| asset.parse().ok());
    let attempt = metadata
        .attempt
        .as_deref()
        .and_then(|attempt| attempt.parse().ok());
    let (Some(asset), Some(template), Some(attempt)) = (asset, metadata.template.clone(), attempt) else {
        return Err(EventError::Unknown(format!(
            "job {} has incomplete userMetadata",
            detail.job_id
        )));
    };
    let at = detail
        .timestamp
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    Ok(Some(JobEvent {
        change: change(&detail, &template),
        encoded: encoded(&detail.output_group_details),
        asset,
        template,
        attempt,
        job_id: detail.job_id,
        status: detail.status,
        at,
    }))
}

fn change(detail: &Detail, template: &str) -> Option<Change> {
    let progress = detail
        .job_progress
        .as_ref()
        .and_then(|progress| progress.job_percent_complete);
    Some(match detail.status.as_str() {
        "PROGRESSING" => Change::Progress(None),
        "STATUS_UPDATE" => Change::Progress(progress.map(percent)),
        "INPUT_INFORMATION" => Change::Input(media(&detail.input_details)),
        "NEW_WARNING" => Change::Warning(Warning {
            code: detail.warning_code.as_ref().and_then(Code::number)?,
            message: detail.warning_message.clone(),
            ..Warning::default()
        }),
        "COMPLETE" => Change::Complete {
            outputs: Box::new(outputs(&detail.output_group_details, template)),
            warnings: detail.warnings.iter().filter_map(warning).collect(),
        },
        "ERROR" => {
            let message = detail.error_message.as_deref().unwrap_or_default();
            Change::Error(error_codes::explain(detail.error_code.unwrap_or(0), message))
        }
        "CANCELED" => Change::Canceled,
        _ => return None,
    })
}

/// Lengths of all outputs but images: AWS does not document how images are billed.
fn encoded(groups: &[GroupDetail]) -> Encoded {
    let mut encoded = Encoded::default();
    for detail in groups.iter().flat_map(|group| &group.output_details) {
        let path = detail.output_file_paths.first();
        let image = path.is_some_and(|path| path.rsplit('.').next() == Some("jpg"));
        let Some(duration_ms) = detail.duration_in_ms.filter(|_| !image) else {
            continue;
        };
        let size = detail
            .video_details
            .as_ref()
            .and_then(|video| video.width_in_px.zip(video.height_in_px));
        let resolution = size.map_or(Resolution::Audio, |(width, height)| Resolution::of(width, height));
        encoded.add(resolution, duration_ms);
    }
    encoded
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=100 before"
)]
fn percent(value: f64) -> u8 {
    value.clamp(0.0, 100.0) as u8
}

fn warning(warning: &EventWarning) -> Option<Warning> {
    Some(Warning {
        code: warning.code.number()?,
        message: warning.message.clone(),
        ..Warning::default()
    })
}

fn media(inputs: &[InputDetail]) -> Media {
    let Some(input) = inputs.first() else {
        return Media::default();
    };
    let video = input.video.first();
    Media {
        width: video.and_then(|video| video.width),
        height: video.and_then(|video| video.height),
        frame_rate: video.and_then(|video| video.frame_rate),
        pixel_aspect: video.and_then(|video| video.sar.clone()?.try_into().ok()),
        audio_tracks: u32::try_from(input.audio.len()).ok(),
        ..Media::default()
    }
}

/// The folder of a group names its kind, because submit has chosen it: `…/<template>/[a<n>/]<group>/<name>`.
fn outputs(groups: &[GroupDetail], template: &str) -> OutputSet {
    let mut set = OutputSet {
        template: template.to_owned(),
        ..OutputSet::default()
    };
    for group in groups {
        add_group(&mut set, group);
    }
    set
}

fn add_group(set: &mut OutputSet, group: &GroupDetail) {
    let playlists: Vec<&str> = group
        .playlist_file_paths
        .iter()
        .filter_map(|path| key_of(path))
        .collect();
    let files: Vec<Rendition> = group.output_details.iter().map(rendition).collect();
    let Some(sample) = playlists.first().copied().or(files
        .iter()
        .map(|file| file.key.as_str())
        .find(|key| !key.is_empty()))
    else {
        return;
    };
    let mut parts = sample.rsplitn(3, '/');
    let (Some(_), Some(folder), Some(prefix)) = (parts.next(), parts.next(), parts.next()) else {
        return;
    };
    if set.prefix.is_empty() {
        set.prefix = format!("{prefix}/");
    }
    match folder.split('-').next().unwrap_or(folder) {
        // The first HLS group is the one to play; further ones stay reachable by their key.
        "hls" if set.hls.is_none() => {
            set.hls = Some(Hls {
                master: sample.to_owned(),
                variants: files,
                ..Hls::default()
            });
        }
        "thumbnails" if set.thumbnails.is_none() => {
            set.thumbnails = files.first().and_then(|last| thumbnails(&last.key));
        }
        "mp4" => set
            .mp4
            .extend(files.into_iter().filter(|file| is_media(&file.key))),
        "cmaf" | "dash" => add_manifests(set, &playlists, files),
        _ => {}
    }
}

/// Suffixes of caption files, which a file group can have beside videos.
const CAPTIONS: [&str; 6] = ["srt", "vtt", "ttml", "xml", "smi", "scc"];

fn is_media(key: &str) -> bool {
    let suffix = key.rsplit('.').next().unwrap_or_default();
    !key.is_empty() && !CAPTIONS.contains(&suffix)
}

/// Of a CMAF group, both manifests are over the same segments. As with HLS groups, the first of a kind is the one to play.
fn add_manifests(set: &mut OutputSet, playlists: &[&str], files: Vec<Rendition>) {
    let named = |suffix: &str| playlists.iter().find(|key| key.ends_with(suffix));
    if let (None, Some(&manifest)) = (&set.dash, named(".mpd")) {
        set.dash = Some(Dash {
            manifest: manifest.to_owned(),
            ..Dash::default()
        });
    }
    if let (None, Some(&master)) = (&set.hls, named(".m3u8")) {
        set.hls = Some(Hls {
            master: master.to_owned(),
            // The others are audio beside them.
            variants: files.into_iter().filter(|file| file.width.is_some()).collect(),
            ..Hls::default()
        });
    }
    set.manifests.extend(playlists.iter().map(|&key| key.to_owned()));
}

fn rendition(detail: &OutputDetail) -> Rendition {
    let key = detail.output_file_paths.first().and_then(|path| key_of(path));
    let video = detail.video_details.as_ref();
    Rendition {
        key: key.unwrap_or_default().to_owned(),
        width: video.and_then(|video| video.width_in_px),
        height: video.and_then(|video| video.height_in_px),
        duration_ms: detail.duration_in_ms,
        ..Rendition::default()
    }
}

/// The event names the last image only: `video.0000012.jpg` says that there are thirteen.
fn thumbnails(last: &str) -> Option<Thumbnails> {
    let stem = last.strip_suffix(".jpg")?;
    let (base, digits) = stem.rsplit_once('.')?;
    if digits.len() != 7 {
        return None;
    }
    let number: u32 = digits.parse().ok()?;
    Some(Thumbnails {
        pattern: format!("{base}.%07d.jpg"),
        first: 0,
        count: number + 1,
        interval_ms: None,
        poster: format!("{base}.{:07}.jpg", number.min(1)),
        ..Thumbnails::default()
    })
}

/// The key of `s3://bucket/key`.
fn key_of(path: &str) -> Option<&str> {
    path.strip_prefix("s3://")?.split_once('/').map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ASSET: &str = "film-0123456789abcdef-01234567";

    fn event(status: &str, extra: &Value) -> Value {
        let mut detail = json!({"timestamp": 1_625_854_736_495_i64, "accountId": "111122223333", "jobId": "1625859001514-vvqfwj",
            "status": status, "queue": "arn:aws:mediaconvert:us-east-1:111122223333:queues/Default",
            "userMetadata": {"application": "vod", "asset": ASSET, "template": "default", "attempt": "1"}});
        for (key, value) in extra.as_object().unwrap() {
            detail[key] = value.clone();
        }
        json!({"version": "0", "detail-type": "MediaConvert Job State Change", "source": "aws.mediaconvert", "detail": detail})
    }

    fn change(status: &str, extra: &Value) -> Option<Change> {
        parse_job_event(&event(status, extra), "vod")
            .unwrap()
            .unwrap()
            .change
    }

    #[test]
    fn progress_in_its_forms() {
        assert_eq!(change("PROGRESSING", &json!({})), Some(Change::Progress(None)));
        let update = json!({"jobProgress": {"jobPercentComplete": 7, "currentPhase": "TRANSCODING"}});
        assert_eq!(change("STATUS_UPDATE", &update), Some(Change::Progress(Some(7))));
        assert_eq!(change("QUEUE_HOP", &json!({"priority": 0})), None);
        assert_eq!(change("CANCELED", &json!({})), Some(Change::Canceled));
    }

    #[test]
    fn warnings_as_text_and_number() {
        let warning = |message: Option<&str>| Warning {
            code: 230_004,
            message: message.map(str::to_owned),
            ..Warning::default()
        };
        let new = json!({"warningCode": "230004", "warningMessage": "w"});
        assert_eq!(
            change("NEW_WARNING", &new),
            Some(Change::Warning(warning(Some("w"))))
        );
        let Some(Change::Complete { warnings, .. }) =
            change("COMPLETE", &json!({"warnings": [{"code": 230_004, "count": 1}]}))
        else {
            panic!("not complete");
        };
        assert_eq!(warnings, [warning(None)]);
    }

    #[test]
    fn outputs_of_the_default_template() {
        let prefix = format!("s3://vod/output/{ASSET}/default");
        let groups = json!({"outputGroupDetails": [
            {"type": "HLS_GROUP", "playlistFilePaths": [format!("{prefix}/hls/video.m3u8")], "outputDetails": [
                {"outputFilePaths": [format!("{prefix}/hls/video_360.m3u8")], "durationInMs": 7000,
                 "videoDetails": {"widthInPx": 640, "heightInPx": 360}}]},
            {"type": "FILE_GROUP", "outputDetails": [
                {"outputFilePaths": [format!("{prefix}/mp4/video.mp4")], "durationInMs": 7000,
                 "videoDetails": {"widthInPx": 1280, "heightInPx": 720, "averageBitrate": 1}}]},
            {"type": "FILE_GROUP", "outputDetails": [
                {"outputFilePaths": [format!("{prefix}/thumbnails/video.0000001.jpg")], "durationInMs": 7000}]}]});
        let Some(Change::Complete { outputs, .. }) = change("COMPLETE", &groups) else {
            panic!("not complete")
        };
        insta::assert_json_snapshot!(outputs);
        let mut expected = Encoded::default();
        expected.add(Resolution::Sd, 7000);
        expected.add(Resolution::Hd, 7000);
        let event = parse_job_event(&event("COMPLETE", &groups), "vod")
            .unwrap()
            .unwrap();
        assert_eq!(event.encoded, expected, "without the images");
    }

    #[test]
    fn a_cmaf_group_is_played_as_hls_and_as_dash() {
        let prefix = format!("s3://vod/output/{ASSET}/default");
        let groups = json!({"outputGroupDetails": [{"type": "CMAF_GROUP",
            "playlistFilePaths": [format!("{prefix}/cmaf/video.mpd"), format!("{prefix}/cmaf/video.m3u8")],
            "outputDetails": [
                {"durationInMs": 5538, "videoDetails": {"widthInPx": 1280, "heightInPx": 720}},
                {"durationInMs": 5526}]}]});
        let Some(Change::Complete { outputs, .. }) = change("COMPLETE", &groups) else {
            panic!("not complete")
        };
        insta::assert_json_snapshot!(outputs);
    }

    #[test]
    fn errors_are_explained() {
        let Some(Change::Error(error)) = change("ERROR", &json!({"errorCode": 1020, "errorMessage": "m"}))
        else {
            panic!("no error");
        };
        assert_eq!(
            (error.code, error.meaning.as_str()),
            (1020, "the file has no video track")
        );
    }

    #[test]
    fn jobs_of_others_are_not_ours() {
        let theirs = event("COMPLETE", &json!({"userMetadata": {"application": "other"}}));
        assert_eq!(parse_job_event(&theirs, "vod"), Ok(None));
        let none = event("COMPLETE", &json!({"userMetadata": {}}));
        assert_eq!(parse_job_event(&none, "vod"), Ok(None));
        let broken = event(
            "COMPLETE",
            &json!({"userMetadata": {"application": "vod", "asset": "../x"}}),
        );
        assert!(parse_job_event(&broken, "vod").is_err());
    }
}
