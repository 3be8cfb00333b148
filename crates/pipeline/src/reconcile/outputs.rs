//! The COMPLETE event of a job, written again. GetJob reports no paths, so the names are derived from the settings and
//! confirmed by a listing.

use std::collections::{BTreeMap, BTreeSet};

use mediaconvert_job::group::GroupType;
use mediaconvert_job::names::{self, Destination, Identifiers};
use serde_json::{Value, json};
use vod_aws::{JobInfo, OutputInfo};
use vod_core::asset::AssetId;
use vod_core::keys::{BASE_NAME, asset_prefix, output_prefix};

/// A value for each attempt, by template and number.
pub(super) type Attempts<T> = BTreeMap<(String, u32), T>;

/// What is in the folder of one attempt. Segments, of which there are thousands, are not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Observed {
    /// Keys of playlists and files.
    files: BTreeSet<String>,
    /// Of each series of captured frames (its key without number and suffix) the last number.
    frames: BTreeMap<String, u32>,
}

impl Observed {
    pub(super) fn add(&mut self, key: &str) {
        if let Some((series, number)) = frame(key) {
            let last = self.frames.entry(series.to_owned()).or_default();
            *last = (*last).max(number);
        } else if !is_segment(key) {
            self.files.insert(key.to_owned());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.frames.is_empty()
    }
}

/// `…/video.0000012.jpg` is number 12 of `…/video`.
fn frame(key: &str) -> Option<(&str, u32)> {
    let (series, digits) = key.strip_suffix(".jpg")?.rsplit_once('.')?;
    let number = (digits.len() == 7).then(|| digits.parse().ok())??;
    Some((series, number))
}

fn is_segment(key: &str) -> bool {
    let Some((stem, suffix)) = key.rsplit_once('.') else {
        return false;
    };
    let numbered = stem
        .rsplit_once('_')
        .is_some_and(|(_, digits)| digits.len() >= 5 && digits.bytes().all(|byte| byte.is_ascii_digit()));
    match suffix {
        "ts" | "aac" | "vtt" | "cmfv" | "cmfa" | "cmft" | "m4s" => true,
        "mp4" => numbered,
        _ => false,
    }
}

fn is_playlist(key: &str) -> bool {
    key.rsplit_once('.').is_some_and(|(_, suffix)| suffix == "m3u8")
}

/// The attempt that the key under `output/` belongs to: template and number.
pub(super) fn attempt_of(asset: &AssetId, key: &str) -> Option<(String, u32)> {
    let mut parts = key.strip_prefix(&asset_prefix(asset))?.split('/');
    let (template, second) = (parts.next()?, parts.next()?);
    // Files of the owner, `captions/en-….vtt`. A template of that name has folders there.
    if template == "captions" && parts.next().is_none() {
        return None;
    }
    let number = second.strip_prefix('a').and_then(|number| number.parse().ok());
    let attempt = number.filter(|&number| number >= 2).unwrap_or(1);
    Some((template.to_owned(), attempt))
}

/// An attempt whose job has ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended<'a> {
    pub(super) application: &'a str,
    pub(super) output_bucket: &'a str,
    pub(super) asset: &'a AssetId,
    pub(super) template: &'a str,
    pub(super) attempt: u32,
    /// A job whose settings are forgotten has null in their place: then the listing alone says what there is.
    pub(super) job: &'a JobInfo,
}

/// A file that should be there and is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is missing")]
pub(super) struct Missing(pub(super) String);

/// The event of a job's end; `members` are those of its status.
pub(super) fn event(ended: &Ended<'_>, status: &str, members: &Value) -> Value {
    let at = ended.job.finished_at.unwrap_or_else(vod_aws::now);
    let mut detail = json!({
        "timestamp": at.as_millisecond(),
        "jobId": ended.job.id,
        "status": status,
        "userMetadata": {
            "application": ended.application,
            "asset": ended.asset,
            "template": ended.template,
            "attempt": ended.attempt.to_string(),
        },
    });
    for (name, value) in members.as_object().into_iter().flatten() {
        detail[name] = value.clone();
    }
    json!({
        "source": "aws.mediaconvert",
        "detail-type": "MediaConvert Job State Change",
        "detail": detail,
    })
}

/// The COMPLETE event, if all that it would name is there.
pub(super) fn complete(ended: &Ended<'_>, observed: &Observed) -> Result<Value, Missing> {
    let groups = match ended.job.settings["outputGroups"].as_array() {
        Some(groups) => {
            let groups = groups.iter().enumerate();
            let events = groups.map(|(index, group)| Group::new(ended, observed, group, index).event());
            events.collect::<Result<Vec<_>, _>>()?
        }
        None => listed_groups(ended, observed)?,
    };
    let warnings = ended.job.warnings.iter().map(|code| json!({ "code": code }));
    let members = json!({ "outputGroupDetails": groups, "warnings": warnings.collect::<Vec<_>>() });
    Ok(event(ended, "COMPLETE", &members))
}

fn url(bucket: &str, key: &str) -> String {
    format!("s3://{bucket}/{key}")
}

fn details(paths: &[String], info: OutputInfo) -> Value {
    let mut details = match paths {
        [] => json!({}),
        paths => json!({ "outputFilePaths": paths }),
    };
    if let Some(duration) = info.duration_ms {
        details["durationInMs"] = duration.into();
    }
    if info.width.is_some() || info.height.is_some() {
        details["videoDetails"] = json!({ "widthInPx": info.width, "heightInPx": info.height });
    }
    details
}

/// One output group of the settings, next to what is in the bucket.
struct Group<'a> {
    json: &'a Value,
    observed: &'a Observed,
    details: &'a [OutputInfo],
    destination: Destination,
    input: &'a str,
    kind: &'a str,
}

impl<'a> Group<'a> {
    fn new(ended: &'a Ended<'_>, observed: &'a Observed, group: &'a Value, index: usize) -> Self {
        let settings = &group["outputGroupSettings"];
        let kind = settings["type"].as_str().unwrap_or("FILE_GROUP_SETTINGS");
        let member = GroupType::or_file(Some(kind)).member;
        let destination = settings[member]["destination"].as_str().unwrap_or_default();
        let default = || Destination {
            bucket: ended.output_bucket.to_owned(),
            folder: output_prefix(ended.asset, ended.template, ended.attempt),
            base: BASE_NAME.to_owned(),
        };
        Self {
            json: group,
            observed,
            details: ended.job.outputs.get(index).map_or(&[][..], Vec::as_slice),
            destination: Destination::parse(destination, &ended.job.input).unwrap_or_else(default),
            input: &ended.job.input,
            kind,
        }
    }

    fn event(&self) -> Result<Value, Missing> {
        let base = &self.destination.base;
        let playlists = match self.kind {
            "HLS_GROUP_SETTINGS" => vec![self.there(&names::hls_master(base))?],
            "DASH_ISO_GROUP_SETTINGS" => vec![self.there(&names::dash_manifest(base))?],
            "CMAF_GROUP_SETTINGS" => self.manifests()?,
            "MS_SMOOTH_GROUP_SETTINGS" => return Ok(json!({ "type": "MS_SMOOTH_GROUP" })),
            _ => Vec::new(),
        };
        let outputs = match self.kind {
            "HLS_GROUP_SETTINGS" if !self.json["automatedEncodingSettings"].is_null() => {
                self.variants(&playlists)
            }
            "CMAF_GROUP_SETTINGS" | "DASH_ISO_GROUP_SETTINGS" => self.segmented(),
            _ => self.outputs()?,
        };
        Ok(json!({ "playlistFilePaths": playlists, "outputDetails": outputs }))
    }

    /// A CMAF group writes an HLS playlist, a DASH manifest, or both.
    fn manifests(&self) -> Result<Vec<String>, Missing> {
        let base = &self.destination.base;
        let hls = self.there(&names::hls_master(base));
        let dash = self.there(&names::dash_manifest(base));
        match (hls, dash) {
            (Err(missing), Err(_)) => Err(missing),
            (hls, dash) => Ok(hls.into_iter().chain(dash).collect()),
        }
    }

    fn outputs(&self) -> Result<Vec<Value>, Missing> {
        let outputs = self.json["outputs"].as_array().map_or(&[][..], Vec::as_slice);
        let outputs = outputs.iter().enumerate();
        outputs
            .map(|(index, output)| self.output(output, index))
            .collect()
    }

    /// Outputs of CMAF and DASH groups, of which MediaConvert's event has no paths.
    fn segmented(&self) -> Vec<Value> {
        let outputs = self.json["outputs"].as_array().map_or(&[][..], Vec::as_slice);
        let infos = outputs
            .iter()
            .enumerate()
            .map(|(index, output)| self.info(output, index));
        infos.map(|info| details(&[], info)).collect()
    }

    fn info(&self, output: &Value, index: usize) -> OutputInfo {
        let pixels = |side: &str| {
            output["videoDescription"][side]
                .as_u64()
                .and_then(|side| u32::try_from(side).ok())
        };
        let mut info = self.details.get(index).copied().unwrap_or_default();
        (info.width, info.height) = (info.width.or(pixels("width")), info.height.or(pixels("height")));
        info
    }

    fn output(&self, output: &Value, index: usize) -> Result<Value, Missing> {
        let info = self.info(output, index);
        let values = Identifiers {
            input: names::input_name(self.input),
            width: info.width,
            height: info.height,
            ..Identifiers::default()
        };
        let base = &self.destination.base;
        let modifier = names::substitute(output["nameModifier"].as_str().unwrap_or_default(), &values);
        let codec = output["videoDescription"]["codecSettings"]["codec"].as_str();
        let path = if self.kind == "HLS_GROUP_SETTINGS" {
            self.there(&names::hls_variant(base, &modifier))?
        } else if codec == Some("FRAME_CAPTURE") {
            self.last_frame(&format!("{base}{modifier}"))?
        } else {
            self.there(&names::file(base, &modifier, extension(output)))?
        };
        Ok(details(&[path], info))
    }

    /// Automated ABR chooses the renditions itself: those that exist count.
    fn variants(&self, playlists: &[String]) -> Vec<Value> {
        let folder = &self.destination.folder;
        let files = self
            .observed
            .files
            .iter()
            .filter(|key| key.starts_with(folder.as_str()));
        let paths = files.map(|key| url(&self.destination.bucket, key));
        let variants = paths.filter(|path| is_playlist(path) && !playlists.contains(path));
        variants
            .map(|path| details(&[path], OutputInfo::default()))
            .collect()
    }

    fn there(&self, file: &str) -> Result<String, Missing> {
        let key = format!("{}{file}", self.destination.folder);
        if self.observed.files.contains(&key) {
            Ok(self.destination.url(file))
        } else {
            Err(Missing(key))
        }
    }

    fn last_frame(&self, series: &str) -> Result<String, Missing> {
        let key = format!("{}{series}", self.destination.folder);
        match self.observed.frames.get(&key) {
            Some(last) => Ok(url(&self.destination.bucket, &format!("{key}.{last:07}.jpg"))),
            None => Err(Missing(format!("{key}.0000000.jpg"))),
        }
    }
}

/// The suffix that MediaConvert gives a container (user guide, "How MediaConvert names output files").
fn extension(output: &Value) -> &str {
    if let Some(own) = output["extension"].as_str().filter(|own| !own.is_empty()) {
        return own;
    }
    match output["containerSettings"]["container"].as_str() {
        Some("MOV") => "mov",
        Some("M2TS") => "m2ts",
        Some("MXF") => "mxf",
        Some("WEBM") => "webm",
        Some("F4V") => "f4v",
        Some("MPD") => "mpd",
        Some("RAW") => "raw",
        _ => "mp4",
    }
}

/// Groups as the folders show them, for a job whose settings are forgotten.
fn listed_groups(ended: &Ended<'_>, observed: &Observed) -> Result<Vec<Value>, Missing> {
    let prefix = output_prefix(ended.asset, ended.template, ended.attempt);
    let folder = |key: &str| {
        key.strip_prefix(&prefix)?
            .split_once('/')
            .map(|(folder, _)| folder.to_owned())
    };
    let mut folders: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for key in &observed.files {
        folders
            .entry(folder(key).unwrap_or_default())
            .or_default()
            .push(key);
    }
    let path = |key: &str| url(ended.output_bucket, key);
    let output = |key: &str| details(&[path(key)], OutputInfo::default());
    let mut groups = Vec::new();
    for (folder, keys) in &folders {
        let named = |name: String| format!("{prefix}{folder}/{name}");
        let master = named(names::hls_master(BASE_NAME));
        let group = match folder.split('-').next().unwrap_or_default() {
            "hls" if !keys.contains(&master.as_str()) => return Err(Missing(master)),
            "hls" => {
                let variants = keys.iter().filter(|key| is_playlist(key) && **key != master);
                let outputs: Vec<Value> = variants.map(|key| output(key)).collect();
                json!({ "playlistFilePaths": [path(&master)], "outputDetails": outputs })
            }
            "mp4" => json!({ "outputDetails": keys.iter().map(|key| output(key)).collect::<Vec<_>>() }),
            "cmaf" | "dash" => {
                let own = [master, named(names::dash_manifest(BASE_NAME))];
                let manifests: Vec<String> = own
                    .iter()
                    .filter(|key| keys.contains(&key.as_str()))
                    .map(|key| path(key))
                    .collect();
                json!({ "playlistFilePaths": manifests })
            }
            _ => continue,
        };
        groups.push(group);
    }
    for (series, last) in &observed.frames {
        groups.push(json!({ "outputDetails": [output(&format!("{series}.{last:07}.jpg"))] }));
    }
    if groups.is_empty() {
        return Err(Missing(prefix));
    }
    Ok(groups)
}

#[cfg(test)]
mod tests;
