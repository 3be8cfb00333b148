//! Names of the files that a job writes, exactly as `MediaConvert` makes them.
//!
//! `MediaConvert` joins base name, name modifier, segment modifier and counter literally; it adds a separator
//! only in front of segment and frame numbers. Source: the user guide's "How MediaConvert names output files",
//! the API reference of `HlsSettings.segmentModifier` and `FrameCaptureSettings`, and real manifests.

use serde::{Deserialize, Serialize};

/// The destination of an output group: `s3://bucket/folder/base`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    pub bucket: String,
    /// Key up to and with its last `/`; empty at the bucket's root.
    pub folder: String,
    /// Base name of all files in the group.
    pub base: String,
}

impl Destination {
    /// Splits a destination. A base name that is missing is that of the input, without its suffix.
    ///
    /// Returns `None` where this is no `s3://` URL with a bucket.
    pub fn parse(url: &str, input: &str) -> Option<Self> {
        let (bucket, key) = url.strip_prefix("s3://")?.split_once('/')?;
        if bucket.is_empty() {
            return None;
        }
        let (folder, base) = key.rfind('/').map_or(("", key), |slash| key.split_at(slash + 1));
        let base = if base.is_empty() { input_name(input) } else { base };
        Some(Self {
            bucket: bucket.to_owned(),
            folder: folder.to_owned(),
            base: base.to_owned(),
        })
    }

    /// URL of a file of this group, by its name.
    pub fn url(&self, file: &str) -> String {
        format!("s3://{}/{}{file}", self.bucket, self.folder)
    }
}

/// The input's file name without its last suffix.
pub fn input_name(url: &str) -> &str {
    let file = url.rsplit('/').next().unwrap_or(url);
    match file.rfind('.') {
        Some(dot) if dot > 0 => &file[..dot],
        _ => file,
    }
}

/// Values of the format identifiers of one output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identifiers<'a> {
    /// Start of the job in UTC, `YYYYMMDDTHHMMSS`.
    ///
    /// In a segment modifier `MediaConvert` uses the time at which the segment was finished, which is unknown
    /// beforehand; the start of the job is used there as well.
    pub started: &'a str,
    /// Input file name without its suffix.
    pub input: &'a str,
    /// Output size in pixels; absent for audio alone.
    pub width: Option<u32>,
    pub height: Option<u32>,
    /// Output frame rate, whole frames per second.
    pub framerate: Option<u32>,
    /// Bit rates in kilobits per second.
    pub video_kbps: Option<u32>,
    pub audio_kbps: Option<u32>,
    /// Suffix of the file, without the dot; for streaming groups that of the manifest.
    pub extension: &'a str,
}

/// Replaces format identifiers: `$dt$ $d$ $t$ $fn$ $rv$ $ra$ $rc$ $w$ $h$ $f$ $ex$ $$`, with `%0N` padding
/// (`$h%04$`). What is not an identifier stays as it is.
pub fn substitute(text: &str, values: &Identifiers<'_>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        out.push_str(&rest[..start]);
        let after = &rest[start + 1..];
        let found = after
            .find('$')
            .and_then(|end| Some((lookup(&after[..end], values)?, end)));
        if let Some((value, end)) = found {
            out.push_str(&value);
            rest = &after[end + 1..];
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

fn lookup(identifier: &str, values: &Identifiers<'_>) -> Option<String> {
    let (name, padding) = identifier
        .split_once('%')
        .map_or((identifier, None), |(name, pad)| (name, Some(pad)));
    let (date, time) = values.started.split_once('T').unwrap_or((values.started, ""));
    let number = match name {
        "" => return padding.is_none().then(|| "$".to_owned()),
        "dt" => return Some(values.started.to_owned()),
        "d" => return Some(date.to_owned()),
        "t" => return Some(time.to_owned()),
        "fn" => return Some(values.input.to_owned()),
        "ex" => return Some(values.extension.to_owned()),
        "w" => values.width?,
        "h" => values.height?,
        "f" => values.framerate?,
        "rv" => values.video_kbps?,
        "ra" => values.audio_kbps?,
        "rc" => values.video_kbps.unwrap_or(0) + values.audio_kbps.unwrap_or(0),
        _ => return None,
    };
    let width: usize = match padding {
        Some(padding) => padding
            .strip_prefix('0')?
            .parse()
            .ok()
            .filter(|width| *width < 20)?,
        None => 0,
    };
    Some(format!("{number:0width$}"))
}

/// Name of a file output: `base` + modifier + `.` + suffix.
pub fn file(base: &str, modifier: &str, extension: &str) -> String {
    format!("{base}{modifier}.{extension}")
}

/// Name of one captured frame; the first has number 0.
pub fn frame(base: &str, modifier: &str, extension: &str, number: u32) -> String {
    format!("{base}{modifier}.{number:07}.{extension}")
}

/// Name of an HLS master playlist.
pub fn hls_master(base: &str) -> String {
    format!("{base}.m3u8")
}

/// Name of the playlist of one HLS output.
pub fn hls_variant(base: &str, modifier: &str) -> String {
    format!("{base}{modifier}.m3u8")
}

/// Name of the playlist of the I-frames of one HLS or CMAF output.
pub fn hls_i_frames(base: &str, modifier: &str) -> String {
    format!("{base}{modifier}_I-Frame.m3u8")
}

/// Name of one HLS segment with the suffix `ts` or that of packed audio; the first has number 1.
pub fn hls_segment(
    base: &str,
    modifier: &str,
    segment_modifier: &str,
    number: usize,
    suffix: &str,
) -> String {
    format!("{base}{modifier}{segment_modifier}_{number:05}.{suffix}")
}

/// Kinds of fragmented MP4 segments, which decide their suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fragment {
    CmafVideo,
    CmafAudio,
    Dash,
}

impl Fragment {
    const fn extension(self) -> &'static str {
        match self {
            Self::CmafVideo => "cmfv",
            Self::CmafAudio => "cmfa",
            Self::Dash => "mp4",
        }
    }
}

/// Name of one segment of captions; the first has number 1. It has as many digits as those of video beside it: 5 in an HLS
/// group, 9 in a CMAF group.
pub fn caption_segment(base: &str, modifier: &str, number: usize, digits: usize) -> String {
    format!("{base}{modifier}_{number:0digits$}.vtt")
}

/// Name of one CMAF or DASH media segment; the first has number 1.
pub fn fragment(base: &str, modifier: &str, kind: Fragment, number: usize) -> String {
    format!("{base}{modifier}_{number:09}.{}", kind.extension())
}

/// The same with DASH's identifier for the number.
pub fn fragment_template(base: &str, modifier: &str, kind: Fragment) -> String {
    format!("{base}{modifier}_$Number%09d$.{}", kind.extension())
}

/// Name of the one file of all CMAF or DASH segments of an output, with `SINGLE_FILE`.
pub fn fragments(base: &str, modifier: &str, kind: Fragment) -> String {
    file(base, modifier, kind.extension())
}

/// Name of the initialization segment of CMAF or DASH media segments.
pub fn initialization(base: &str, modifier: &str, kind: Fragment) -> String {
    format!("{base}{modifier}init.{}", kind.extension())
}

/// Name of the DASH manifest of a CMAF or DASH group.
pub fn dash_manifest(base: &str) -> String {
    format!("{base}.mpd")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations() {
        for (url, input, expected) in [
            (
                "s3://b/output/a/hls/video",
                "s3://b/x.mp4",
                Some(("b", "output/a/hls/", "video")),
            ),
            (
                "s3://b/output/a/hls/",
                "s3://b/in/my film.v2.mp4",
                Some(("b", "output/a/hls/", "my film.v2")),
            ),
            ("s3://b/", "s3://b/.hidden", Some(("b", "", ".hidden"))),
            ("s3://b/x", "s3://b/noextension", Some(("b", "", "x"))),
            ("s3://b", "s3://b/x.mp4", None),
            ("s3:///x", "s3://b/x.mp4", None),
            ("https://b/x", "s3://b/x.mp4", None),
        ] {
            let parsed = Destination::parse(url, input);
            let parts = parsed
                .as_ref()
                .map(|d| (d.bucket.as_str(), d.folder.as_str(), d.base.as_str()));
            assert_eq!(parts, expected, "{url}");
        }
    }

    #[test]
    fn files_are_named_as_mediaconvert_names_them() {
        assert_eq!(hls_master("video"), "video.m3u8");
        assert_eq!(hls_variant("video", "_720"), "video_720.m3u8");
        assert_eq!(hls_segment("video", "_720", "", 1, "ts"), "video_720_00001.ts");
        assert_eq!(
            hls_segment("video", "_720", "-s", 12, "aac"),
            "video_720-s_00012.aac"
        );
        assert_eq!(file("video", "", "mp4"), "video.mp4");
        assert_eq!(frame("clip", "_thumb", "jpg", 0), "clip_thumb.0000000.jpg");
        assert_eq!(fragment("v", "_v", Fragment::CmafVideo, 1), "v_v_000000001.cmfv");
        assert_eq!(
            fragment_template("v", "_a", Fragment::Dash),
            "v_a_$Number%09d$.mp4"
        );
        assert_eq!(initialization("v", "_a", Fragment::CmafAudio), "v_ainit.cmfa");
        assert_eq!(dash_manifest("v"), "v.mpd");
    }

    #[test]
    fn identifiers() {
        let values = Identifiers {
            started: "20261121T052430",
            input: "film",
            width: Some(1280),
            height: Some(720),
            framerate: Some(29),
            video_kbps: Some(4500),
            audio_kbps: Some(128),
            extension: "m3u8",
        };
        for (text, expected) in [
            ("_$w$x$h$", "_1280x720"),
            ("$h%05$", "00720"),
            ("$h%5$", "$h%5$"),
            ("$dt$ $d$ $t$", "20261121T052430 20261121 052430"),
            ("$fn$.$ex$", "film.m3u8"),
            ("$rv$+$ra$=$rc$@$f$", "4500+128=4628@29"),
            ("$$", "$"),
            ("$", "$"),
            ("a$rescfg$b", "a$rescfg$b"),
            ("$W$ $h$", "$W$ 720"),
            ("", ""),
        ] {
            assert_eq!(substitute(text, &values), expected, "{text}");
        }
        let audio = Identifiers {
            audio_kbps: Some(96),
            ..Identifiers::default()
        };
        assert_eq!(substitute("$w$_$ra$", &audio), "$w$_96");
    }
}
