//! An hour of sparse media: a picture every half second, and silence.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::common::{World, shown};
use crate::streaming::{audio, streaming, video};

/// 7296 pictures of 1001/2000 s, which are 57,057 whole frames of audio of 1024 samples: both tracks last equally long.
const SECONDS: f64 = 3651.648;
/// The distance of two pictures.
const PICTURE: f64 = 1001.0 / 2000.0;
/// A frame of audio, which is also the delay of its encoder.
const FRAME: f64 = 1024.0 / 16_000.0;

fn clip(world: &World) -> PathBuf {
    world.clip(
        "hour.mp4",
        &[
            "-f",
            "lavfi",
            "-i",
            "color=s=64x36:r=2000/1001",
            "-f",
            "lavfi",
            "-i",
            "anullsrc=r=16000:cl=mono",
            "-t",
            "3651.648",
            "-c:a",
            "flac",
            "-strict",
            "-2",
        ],
    )
}

/// HLS with packed audio beside video, and with both in one stream, and CMAF: three encodes.
fn settings() -> Value {
    let floating = "FLOATING_POINT";
    // A third of the work.
    let audio = |container: &str, modifier: &str| {
        let mut output = audio(container, modifier, "ENG");
        output["audioDescriptions"][0]["codecSettings"]["aacSettings"] =
            json!({"bitrate": 32_000, "codingMode": "CODING_MODE_1_0", "sampleRate": 16_000});
        output
    };
    let hls = json!({"segmentLength": 6, "minSegmentLength": 0, "manifestDurationFormat": floating});
    let mut both = video("M3U8", 36);
    both["nameModifier"] = json!("_both");
    both["audioDescriptions"] = audio("M3U8", "")["audioDescriptions"].clone();
    let outputs = [video("M3U8", 36), audio("M3U8", "_audio"), both];
    let mut settings = streaming("HLS_GROUP_SETTINGS", "hlsGroupSettings", "hls", hls, &outputs);
    let cmaf = json!({"segmentLength": 6, "fragmentLength": 2, "manifestDurationFormat": floating,
        "writeSegmentTimelineInRepresentation": "ENABLED"});
    let outputs = [video("CMFC", 36), audio("CMFC", "_audio")];
    let cmaf = streaming("CMAF_GROUP_SETTINGS", "cmafGroupSettings", "cmaf", cmaf, &outputs);
    let groups = settings["outputGroups"].as_array_mut().expect("has groups");
    groups.push(cmaf["outputGroups"][0].clone());
    settings
}

/// First and last instants of a stream of a file, in seconds: those of its packets, the last with its duration.
fn span(path: &Path, stream: &str) -> (f64, f64) {
    let entries = [
        "-select_streams",
        stream,
        "-show_entries",
        "packet=pts_time,duration_time",
    ];
    let packets = shown(path, &entries);
    let number = |packet: &Value, member: &str| -> f64 {
        let text = packet[member].as_str().unwrap_or("0");
        text.parse().expect("is a number")
    };
    let packets = packets["packets"].as_array().expect("has packets");
    assert!(!packets.is_empty(), "{} has no packets", path.display());
    let starts = packets.iter().map(|packet| number(packet, "pts_time"));
    let ends = packets
        .iter()
        .map(|packet| number(packet, "pts_time") + number(packet, "duration_time"));
    (starts.fold(f64::MAX, f64::min), ends.fold(f64::MIN, f64::max))
}

/// The same for packed audio, whose time is in an ID3 tag that only players of playlists read.
fn packed(path: &Path) -> (f64, f64) {
    const OWNER: &[u8] = b"com.apple.streaming.transportStreamTimestamp\0";
    let bytes = std::fs::read(path).expect("is a segment");
    let at = bytes.windows(OWNER.len()).position(|bytes| bytes == OWNER);
    let at = at.expect("has a timestamp") + OWNER.len();
    let ticks = u64::from_be_bytes(bytes[at..at + 8].try_into().expect("are eight"));
    let start = Value::from(ticks).as_f64().expect("is a number") / 90_000.0;
    let frames = shown(path, &["-show_entries", "packet=size"]);
    let frames = frames["packets"].as_array().expect("has packets").len();
    (
        start,
        start + f64::from(u32::try_from(frames).expect("is small")) * FRAME,
    )
}

/// The durations of a playlist in the bucket.
fn durations(world: &World, playlist: &str) -> Vec<f64> {
    let text = std::fs::read_to_string(world.published(playlist)).expect("is a playlist");
    transcode::playlist::durations(&text)
}

/// Seconds of each timeline of a DASH manifest.
fn timelines(manifest: &str) -> Vec<f64> {
    let attribute = |text: &str, name: &str| -> Option<f64> {
        let (_, after) = text.split_once(&format!(" {name}=\""))?;
        after.split('"').next()?.parse().ok()
    };
    let templates = manifest.split("<SegmentTemplate").skip(1);
    templates
        .map(|template| {
            let scale = attribute(template, "timescale").expect("has a scale");
            let entries = template.split("</SegmentTimeline>").next().expect("has a part");
            let ticks = entries.split("<S").skip(1).filter_map(|entry| {
                Some(attribute(entry, "d")? * (attribute(entry, "r").unwrap_or(0.0) + 1.0))
            });
            ticks.sum::<f64>() / scale
        })
        .collect()
}

/// Starts and ends of the first and the last segment: of video, and of audio as it is heard.
struct Ends {
    what: &'static str,
    first: [(f64, f64); 2],
    last: [(f64, f64); 2],
    /// Seconds by which a cut of audio may be off.
    most: f64,
}

impl Ends {
    fn check(&self) {
        let Self {
            what,
            first,
            last,
            most,
        } = self;
        let near = |video: f64, audio: f64, most: f64, when: &str| {
            assert!(
                (video - audio).abs() <= most,
                "{what}: {when}: {video} and {audio}"
            );
        };
        let [video, audio] = first;
        // The encoder's delay is before the start.
        near(video.0, audio.0 + FRAME, 0.020, "start");
        let (start, [video, audio]) = (video.0, last);
        near(video.1, audio.1, 0.020, "end");
        near(video.1 - start, SECONDS, 0.020, "length");
        // Video is cut at the first picture from the due time on, audio at the frame that is nearest.
        let late = |track: (f64, f64)| track.0 - start - 608.0 * 6.0;
        let (video, audio) = (late(*video), late(*audio));
        assert!(
            (-0.001..PICTURE).contains(&video),
            "{what}: video is cut {video} s late"
        );
        assert!(audio.abs() <= *most, "{what}: audio is cut {audio} s late");
    }
}

#[tokio::test]
async fn audio_and_video_are_together_after_an_hour() {
    let world = World::new();
    let (_, produced) = world
        .encode(&settings(), &clip(&world))
        .await
        .expect("is encoded");
    world.publish(&produced);

    for playlist in [
        "hls/video_36",
        "hls/video_audio",
        "hls/video_both",
        "cmaf/video_36",
        "cmaf/video_audio",
    ] {
        let durations = durations(&world, &format!("{playlist}.m3u8"));
        assert_eq!(durations.len(), 609, "{playlist}");
        let sum: f64 = durations.iter().sum();
        // Packed audio begins with the delay of its encoder.
        let more = if playlist == "hls/video_audio" { FRAME } else { 0.0 };
        assert!((sum - more - SECONDS).abs() <= 0.020, "{playlist}: {sum} s");
    }
    let manifest = std::fs::read_to_string(world.published("cmaf/video.mpd")).expect("is a manifest");
    let timelines = timelines(&manifest);
    assert_eq!(timelines.len(), 2, "{manifest}");
    for seconds in timelines {
        assert!((seconds - SECONDS).abs() <= 0.020, "DASH: {seconds} s");
    }

    let published = |name: &str| world.published(name);
    let fragments = |name: &str, suffix: &str, number: u32| {
        let head = std::fs::read(published(&format!("cmaf/video_{name}init.{suffix}"))).expect("is a file");
        let segment = published(&format!("cmaf/video_{name}_{number:09}.{suffix}"));
        let path = world.path("whole.mp4");
        std::fs::write(&path, [head, std::fs::read(segment).expect("is a file")].concat())
            .expect("is written");
        path
    };
    let ts = |name: &str, number: u32| published(&format!("hls/video_{name}_{number:05}.ts"));
    let apart = |number| {
        let audio = published(&format!("hls/video_audio_{number:05}.aac"));
        [span(&ts("36", number), "v:0"), packed(&audio)]
    };
    let together = |number| ["v:0", "a:0"].map(|stream| span(&ts("both", number), stream));
    let cmaf = |number| {
        [
            span(&fragments("36", "cmfv", number), "v:0"),
            span(&fragments("audio", "cmfa", number), "a:0"),
        ]
    };
    for (what, of, most) in [
        (
            "packed audio",
            &apart as &dyn Fn(u32) -> [(f64, f64); 2],
            2.0 * FRAME,
        ),
        // Cut with the video, and several frames of audio are one packet of the stream.
        ("one stream", &together, 2.0 * PICTURE),
        ("CMAF", &cmaf, 2.0 * FRAME),
    ] {
        let (first, last) = (of(1), of(609));
        Ends {
            what,
            first,
            last,
            most,
        }
        .check();
    }
}
