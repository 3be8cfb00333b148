//! The track of seek previews: one WebVTT cue per thumbnail.

use std::fmt::Write as _;

use vod_core::keys::BASE_NAME;
use vod_core::record::{Record, Thumbnails};

/// Where the track lies: beside its images.
pub(crate) fn key(thumbnails: &Thumbnails) -> Option<String> {
    let (folder, _) = thumbnails.pattern.rsplit_once('/')?;
    thumbnails.interval_ms.filter(|interval| *interval > 0)?;
    Some(format!("{folder}/{BASE_NAME}.vtt"))
}

/// The track at `at`, made from the record; `None` if it has no thumbnails there.
pub(crate) fn webvtt(record: &Record, at: &str) -> Option<String> {
    let sets = record.outputs.iter().filter_map(|set| set.thumbnails.as_ref());
    let thumbnails = sets
        .into_iter()
        .find(|thumbnails| key(thumbnails).as_deref() == Some(at))?;
    let interval = thumbnails.interval_ms?;
    let (_, pattern) = thumbnails.pattern.rsplit_once('/')?;
    let (before, after, width) = split_pattern(pattern)?;
    let end = record.duration_ms().unwrap_or(0);

    let mut track = String::from("WEBVTT\n");
    for index in 0..u64::from(thumbnails.count) {
        let start = index * interval;
        // The last one stands until the film ends.
        let stop = if index + 1 < u64::from(thumbnails.count) {
            start + interval
        } else {
            end.max(start + 1)
        };
        let number = u64::from(thumbnails.first) + index;
        let _ = write!(
            track,
            "\n{} --> {}\n{before}{number:0width$}{after}\n",
            time(start),
            time(stop)
        );
    }
    Some(track)
}

/// Splits `video.%07d.jpg` into `video.`, `.jpg` and 7.
fn split_pattern(pattern: &str) -> Option<(&str, &str, usize)> {
    let (before, rest) = pattern.split_once('%')?;
    let (width, after) = rest.split_once('d')?;
    Some((before, after, width.parse().ok().filter(|width| *width <= 20)?))
}

/// `hh:mm:ss.mmm`
fn time(ms: u64) -> String {
    let (seconds, ms) = (ms / 1_000, ms % 1_000);
    format!(
        "{:02}:{:02}:{:02}.{ms:03}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use vod_core::asset::AssetId;
    use vod_core::record::{OutputSet, Source};

    use super::*;

    #[test]
    fn one_cue_per_thumbnail() {
        let id = AssetId::new("vod", "input/a.mp4", None, "e");
        let mut record = Record::new(id, Source::default(), Timestamp::UNIX_EPOCH);
        record.source.media.duration_ms = Some(3_607_000);
        record.outputs.push(OutputSet {
            template: "default".to_owned(),
            prefix: "output/a/default/".to_owned(),
            thumbnails: Some(Thumbnails {
                pattern: "output/a/default/thumbnails/video.%07d.jpg".to_owned(),
                first: 0,
                count: 2,
                interval_ms: Some(5_000),
                ..Thumbnails::default()
            }),
            ..OutputSet::default()
        });
        let at = key(record.outputs[0].thumbnails.as_ref().unwrap()).unwrap();
        assert_eq!(at, "output/a/default/thumbnails/video.vtt");
        assert_eq!(
            webvtt(&record, &at).unwrap(),
            "WEBVTT\n\n00:00:00.000 --> 00:00:05.000\nvideo.0000000.jpg\n\n\
             00:00:05.000 --> 01:00:07.000\nvideo.0000001.jpg\n"
        );
        assert_eq!(webvtt(&record, "output/a/default/thumbnails/other.vtt"), None);
    }
}
