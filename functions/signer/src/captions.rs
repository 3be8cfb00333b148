//! Captions that an owner has added: part of each playlist and manifest as it is served.

use vod_core::keys::asset_prefix;
use vod_core::playlist::captions::{self, FOLDER, Start};
use vod_core::record::{OutputSet, Record};
use vod_core::time_stamps::first_pts;
use vod_http::Problem;

use crate::app::App;
use crate::play::{read, record_of};

/// Bytes of the first segment that are read for its first time stamp: some hundred packets.
const SEGMENT_START: usize = 64 << 10;
/// The length of a film of unknown length, in ms.
const UNKNOWN_LENGTH: u64 = 24 * 3_600_000;

/// A master playlist or a manifest with the captions of its asset. Other playlists stay as they are.
pub(crate) async fn added(app: &App, key: &str, text: String) -> Result<String, Problem> {
    let is_manifest = suffix(key) == "mpd";
    if !is_manifest && !captions::is_master(&text) {
        return Ok(text);
    }
    let Some(record) = record_of(app, key).await? else {
        return Ok(text);
    };
    // An owner's captions are of the asset's own folder, so that their links are good for them too.
    let own = asset_prefix(&record.id);
    let all = record
        .captions
        .iter()
        .filter(|caption| caption.key.starts_with(&own));
    let all: Vec<_> = all.cloned().collect();
    Ok(if is_manifest {
        captions::manifest(&text, &all)
    } else {
        captions::master(&text, &all)
    })
}

/// The playlist or the file of a caption beside a master playlist. `None`: there is none of this name.
pub(crate) async fn made(app: &App, key: &str) -> Result<Option<String>, Problem> {
    let Some((folder, name)) = key.rsplit_once('/') else {
        return Ok(None);
    };
    let Some(beside) = folder
        .strip_suffix(FOLDER.trim_end_matches('/'))
        .filter(|beside| beside.ends_with('/'))
    else {
        return Ok(None);
    };
    let Some(record) = record_of(app, key).await? else {
        return Ok(None);
    };
    let (Some(set), Some(caption)) = (set_in(&record, beside), captions::named(&record.captions, name))
    else {
        return Ok(None);
    };
    if suffix(name) == "m3u8" {
        let duration = record.duration_ms().unwrap_or(UNKNOWN_LENGTH);
        return Ok(Some(captions::media(caption, duration)));
    }
    let Some(text) = read(app, &caption.key).await? else {
        return Ok(None);
    };
    Ok(Some(match start(app, set, beside).await? {
        Some(0) | None => text,
        Some(pts) => captions::timed(&text, pts),
    }))
}

fn suffix(key: &str) -> &str {
    key.rsplit_once('.').map_or("", |(_, suffix)| suffix)
}

/// The outputs whose master playlist is in this folder.
fn set_in<'a>(record: &'a Record, folder: &str) -> Option<&'a OutputSet> {
    record.outputs.iter().find(|set| {
        let master = set.hls.as_ref().map(|hls| hls.master.as_str());
        master
            .and_then(|master| master.rsplit_once('/'))
            .is_some_and(|(own, _)| format!("{own}/") == folder)
    })
}

/// The first time stamp of a stream, in units of 90 kHz. `None`: it cannot be found out.
async fn start(app: &App, set: &OutputSet, folder: &str) -> Result<Option<u64>, Problem> {
    let Some(hls) = &set.hls else { return Ok(None) };
    let Some(master) = read(app, &hls.master).await? else {
        return Ok(None);
    };
    // Names beside the master playlist alone: what is somewhere else was not made by this pipeline.
    let beside = |uri: &str| (!uri.contains(['/', '?', '#', ':', '%'])).then(|| format!("{folder}{uri}"));
    let Some(variant) = captions::first_uri(&master).and_then(beside) else {
        return Ok(None);
    };
    let Some(media) = read(app, &variant).await? else {
        return Ok(None);
    };
    let segment = match captions::start(&media) {
        Some(Start::At(pts)) => return Ok(Some(pts)),
        Some(Start::In(uri)) => beside(uri),
        None => None,
    };
    let Some(segment) = segment else { return Ok(None) };
    let bytes = app.outputs.start(&segment, SEGMENT_START).await;
    let bytes = bytes.map_err(|error| Problem::unavailable("the storage", &error))?;
    Ok(bytes.and_then(|bytes| first_pts(&bytes)))
}
