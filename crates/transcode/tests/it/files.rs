//! Unusual and damaged files: wrong headers, captions, audio that is longer than the video.

use std::path::{Path, PathBuf};

use serde_json::json;
use transcode::Failure;
use transcode::exec::Limits;
use transcode::probe::{OtherKind, Ratio, probe};

use crate::common::{World, decoded_frames, ffprobe, no_sound, shown, small};

const URI: &str = "s3://vod/input/x.mp4";
const PICTURE: &[&str] = &["-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=1"];

/// A valid clip of one second with audio.
fn good(world: &World, name: &str, options: &[&str]) -> PathBuf {
    let sound = ["-f", "lavfi", "-i", "sine=d=1", "-shortest"];
    world.clip(name, &[PICTURE, &sound, options].concat())
}

fn copied(world: &World, from: &Path, name: &str, options: &[&str]) -> PathBuf {
    let input = ["-i", from.to_str().expect("is text"), "-map", "0", "-c", "copy"];
    world.clip(name, &[&input, options].concat())
}

fn edited(world: &World, from: &Path, name: &str, edit: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let mut bytes = std::fs::read(from).expect("is a file");
    edit(&mut bytes);
    let path = world.path(name);
    std::fs::write(&path, bytes).expect("is written");
    path
}

fn position(bytes: &[u8], kind: [u8; 4]) -> usize {
    let found = bytes.windows(4).position(|window| *window == kind);
    found.expect("has such a box")
}

#[tokio::test]
async fn a_header_that_counts_four_ticks_to_a_frame_does_not_make_120_fps() {
    let world = World::new();
    let clip = world.clip("in.mp4", PICTURE);
    let ticks = ["-bsf:v", "h264_metadata=tick_rate=240"];
    for name in ["ticks.ts", "ticks.mkv"] {
        let source = probe(&copied(&world, &clip, name, &ticks), &Limits::default()).await;
        let video = source.expect("is a video").video.expect("has a picture");
        assert_eq!(video.frame_rate, Ratio { num: 30, den: 1 }, "{name}");
    }
    let avi = ["-enc_time_base", "1/120", "-c:v", "mpeg4"];
    let avi = world.clip("ticks.avi", &[PICTURE, &avi].concat());
    let source = probe(&avi, &Limits::default()).await.expect("is a video");
    assert_eq!(
        source.video.expect("has a picture").frame_rate,
        Ratio { num: 30, den: 1 }
    );
    let (_, produced) = world.encode(&no_sound(small()), &avi).await.expect("is encoded");
    world.publish(&produced);
    let frames = decoded_frames(&world.published("mp4/video.mp4"));
    assert!((29..=31).contains(&frames), "{frames} frames");
}

/// The stream with a caption (CEA-608 in ATSC A/53 user data) before each picture.
fn with_captions(stream: &[u8]) -> Vec<u8> {
    let message = [
        0xb5, 0, 0x31, b'G', b'A', b'9', b'4', 3, 0x41, 0xff, 0xfc, 0x94, 0x20, 0xff,
    ];
    let mut made = Vec::new();
    let starts: Vec<usize> = (0..stream.len() - 3)
        .filter(|&at| stream[at..at + 3] == [0, 0, 1])
        .collect();
    for (index, &start) in starts.iter().enumerate() {
        let unit = &stream[start..*starts.get(index + 1).unwrap_or(&stream.len())];
        if matches!(unit[3] & 0x1f, 1 | 5) {
            made.extend([0, 0, 0, 1, 6, 4, u8::try_from(message.len()).expect("is short")]);
            made.extend(message);
            made.push(0x80);
        }
        made.extend([0]);
        made.extend(unit);
    }
    made
}

#[tokio::test]
async fn embedded_captions_are_noticed_and_left_out() {
    let world = World::new();
    let stream = world.clip(
        "in.h264",
        &[
            PICTURE,
            &["-bf", "0", "-x264-params", "slices=1:sliced-threads=0"],
        ]
        .concat(),
    );
    let stream = edited(&world, &stream, "captions.h264", |bytes| {
        *bytes = with_captions(bytes);
    });
    let clip = copied(&world, &stream, "captions.mp4", &[]);
    let captions = |path: &Path| {
        let frames = shown(
            path,
            &[
                "-select_streams",
                "v:0",
                "-show_frames",
                "-show_entries",
                "frame=side_data_list",
            ],
        );
        frames.to_string().contains("A53")
    };
    assert!(captions(&clip), "the clip has none");
    let source = probe(&clip, &Limits::default()).await.expect("is a video");
    assert!(source.video.expect("has a picture").embedded_captions);

    let (_, produced) = world.encode(&no_sound(small()), &clip).await.expect("is encoded");
    world.publish(&produced);
    assert!(!captions(&world.published("mp4/video.mp4")));
}

#[tokio::test]
async fn subtitles_and_further_tracks_are_reported() {
    let world = World::new();
    let text = world.path("in.srt");
    std::fs::write(&text, "1\n00:00:00,000 --> 00:00:01,000\nHallo\n").expect("is written");
    let clip = good(&world, "in.mp4", &[]);
    let (clip, text) = (clip.to_str().expect("is text"), text.to_str().expect("is text"));
    let clip = world.clip(
        "out.mkv",
        &[
            "-i",
            clip,
            "-i",
            text,
            "-map",
            "0",
            "-map",
            "0:v",
            "-map",
            "1",
            "-c",
            "copy",
            "-metadata:s:s:0",
            "language=deu",
        ],
    );
    let source = probe(&clip, &Limits::default()).await.expect("is a video");
    let found: Vec<_> = source
        .other
        .iter()
        .map(|track| (track.kind, track.language.as_deref()))
        .collect();
    assert_eq!(
        found,
        [(OtherKind::Video, None), (OtherKind::Subtitles, Some("deu"))]
    );
}

#[tokio::test]
async fn a_playlist_is_as_long_as_the_longer_of_picture_and_sound() {
    for (picture, sound) in [(1.0, 2.5), (2.5, 1.0)] {
        let world = World::new();
        let clip = world.clip(
            "in.mp4",
            &[
                "-f",
                "lavfi",
                "-i",
                &format!("testsrc2=s=320x180:r=30:d={picture}"),
                "-f",
                "lavfi",
                "-i",
                &format!("sine=d={sound}"),
            ],
        );
        let (_, produced) = world.encode(&small(), &clip).await.expect("is encoded");
        world.publish(&produced);
        let playlist = std::fs::read_to_string(world.published("hls/video_72.m3u8")).expect("is a playlist");
        let seconds: f64 = transcode::playlist::durations(&playlist).iter().sum();
        assert!((seconds - 2.5).abs() < 0.1, "{picture} {sound}: {playlist}");
        for output in produced.groups.iter().flat_map(|group| &group.outputs) {
            assert!(
                output.duration_ms.abs_diff(2500) < 100,
                "{picture} {sound}: {output:?}"
            );
        }
    }
}

/// The error of the job of a file.
async fn failure(world: &World, input: &Path) -> Failure {
    let source = match probe(input, &Limits::default()).await {
        Ok(source) => source,
        Err(error) => return error.failure(URI),
    };
    let plan = match transcode::plan::plan(&small(), &source, "20260101T000000") {
        Ok(plan) => plan,
        Err(refusal) => return refusal.failure(),
    };
    let cancel = tokio_util::sync::CancellationToken::new();
    let (work, limits) = (world.work(), Limits::default());
    let run = transcode::exec::run(&plan, input, &work, &limits, &cancel, |_| {});
    run.await.expect_err("cannot be encoded").failure(URI)
}

#[tokio::test]
async fn each_kind_of_damage_has_its_own_reason() {
    let world = World::new();
    let clip = good(&world, "in.mp4", &["-movflags", "+faststart"]);
    let key = "00112233445566778899aabbccddeeff";
    let encryption = [
        "-encryption_scheme",
        "cenc-aes-ctr",
        "-encryption_key",
        key,
        "-encryption_kid",
        key,
    ];
    let encrypted = copied(&world, &clip, "encrypted.mp4", &encryption);
    let noise = edited(&world, &clip, "noise.mp4", |bytes| {
        let media = position(bytes, *b"mdat") + 4;
        bytes[media..].fill(0);
    });
    let unknown = edited(&world, &clip, "vvc.mp4", |bytes| {
        let entry = position(bytes, *b"avc1");
        // The first is a brand of the file; the one that counts is the sample entry.
        let next = entry + 4 + position(&bytes[entry + 4..], *b"avc1");
        bytes[next..next + 4].copy_from_slice(b"vvc1");
    });
    let index = edited(&world, &clip, "index.mp4", |bytes| {
        let media = position(bytes, *b"mdat") - 4;
        bytes.truncate(media);
    });
    let mxf = good(
        &world,
        "in.mxf",
        &["-c:v", "mpeg2video", "-c:a", "pcm_s16le", "-ar", "48000"],
    );
    let cut = edited(&world, &mxf, "cut.mxf", |bytes| bytes.truncate(bytes.len() / 2));
    for (name, input, code, words) in [
        ("encrypted", encrypted, 1010, "the media is encrypted"),
        ("noise", noise, 1075, "no frame of the input could be decoded"),
        ("unknown codec", unknown, 1030, "unsupported codec"),
        ("index", index, 1076, "it is an index (moov) without its media"),
        ("cut MXF", cut, 1076, "Is file truncated?"),
    ] {
        let failure = failure(&world, &input).await;
        assert_eq!(failure.code, code, "{name}: {failure:?}");
        assert!(failure.message.contains(words), "{name}: {failure:?}");
    }
    assert!(ffprobe(&clip)["width"] == json!(320), "the clip itself is good");
    assert!(
        probe(&mxf, &Limits::default()).await.is_ok(),
        "the whole MXF is good"
    );
}
