//! Captions that a decoder reads: CEA-608 in pictures, and SCC files.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use transcode::closed;
use transcode::exec::Limits;
use transcode::plan::{CaptionFiles, SideFiles, with_files};
use transcode::probe::probe;

use crate::common::{World, no_sound, shown, small};

/// `Hello world`, shown at the end of the bytes; two bytes a picture (ANSI/CTA-608).
const SHOW: &str = "9420 9420 94ae 94ae 9470 9470 c8e5 ecec ef20 f7ef f2ec 6480 942f 942f";
/// Takes it away.
const CLEAR: &str = "942c 942c";
const NOTHING: [u8; 2] = [0x80, 0x80];

fn pairs(codes: &str) -> Vec<[u8; 2]> {
    let pair = |code: &str| {
        u16::from_str_radix(code, 16)
            .expect("is hexadecimal")
            .to_be_bytes()
    };
    codes.split(' ').map(pair).collect()
}

/// The stream with two bytes of captions (ATSC A/53 user data, field 1) before each picture.
fn captioned(stream: &[u8], codes: &[[u8; 2]]) -> Vec<u8> {
    let starts: Vec<usize> = (0..stream.len() - 3)
        .filter(|&at| stream[at..at + 3] == [0, 0, 1])
        .collect();
    let (mut made, mut picture) = (Vec::new(), 0);
    for (index, &start) in starts.iter().enumerate() {
        let unit = &stream[start..*starts.get(index + 1).unwrap_or(&stream.len())];
        if matches!(unit[3] & 0x1f, 1 | 5) {
            let [one, two] = codes.get(picture).copied().unwrap_or(NOTHING);
            picture += 1;
            let message = [
                0xb5, 0, 0x31, b'G', b'A', b'9', b'4', 3, 0x41, 0xff, 0xfc, one, two, 0xff,
            ];
            made.extend([0, 0, 0, 1, 6, 4, u8::try_from(message.len()).expect("is short")]);
            made.extend(message);
            made.push(0x80);
        }
        made.extend([0]);
        made.extend(unit);
    }
    made
}

/// Three seconds at 30 pictures a second, with a caption from about 0.9 s to 1.8 s.
fn clip(world: &World) -> PathBuf {
    let picture = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=3", "-bf", "0"];
    let slices = ["-x264-params", "slices=1:sliced-threads=0"];
    let stream = world.clip("in.h264", &[&picture[..], &slices].concat());
    let codes = [vec![NOTHING; 15], pairs(SHOW), vec![NOTHING; 25], pairs(CLEAR)].concat();
    let bytes = captioned(&std::fs::read(&stream).expect("is a file"), &codes);
    let stream = world.path("captioned.h264");
    std::fs::write(&stream, bytes).expect("is written");
    let stream = stream.to_str().expect("is text");
    world.clip(
        "captioned.mp4",
        &["-r", "30", "-i", stream, "-map", "0", "-c", "copy"],
    )
}

/// A video, and a WebVTT file from captions of this source.
fn settings(source: &Value, in_video: Value) -> Value {
    let mut settings = no_sound(small());
    settings["inputs"][0]["captionSelectors"] = json!({"C": {"sourceSettings": source}});
    let mut group = settings["outputGroups"][1].clone();
    group["outputs"][0]["captionDescriptions"] = in_video;
    group["outputs"][0]["nameModifier"] = json!("_v");
    let captions = json!({"nameModifier": "_c", "containerSettings": {"container": "RAW"}, "captionDescriptions": [
        {"captionSelectorName": "C", "destinationSettings": {"destinationType": "WEBVTT"}}]});
    group["outputs"].as_array_mut().expect("is a list").push(captions);
    settings["outputGroups"] = json!([group]);
    settings
}

fn beside(captions: CaptionFiles) -> SideFiles {
    SideFiles {
        captions,
        ..SideFiles::default()
    }
}

async fn encode(world: &World, settings: &Value, input: &Path, mut files: CaptionFiles) -> String {
    let limits = Limits::default();
    let info = probe(input, &limits).await.expect("is probed");
    closed::read(
        settings,
        &mut files,
        0,
        (&info, input),
        &world.path("closed"),
        &limits,
    )
    .await
    .expect("is read");
    let plan = with_files(
        settings,
        std::slice::from_ref(&info),
        &beside(files),
        "20260101T000000",
    )
    .expect("is planned");
    let produced = world.run(&plan, input).await.expect("is encoded");
    world.publish(&produced);
    std::fs::read_to_string(world.published("mp4/video_c.vtt")).expect("is a file")
}

fn has_captions(path: &Path) -> bool {
    let show = [
        "-select_streams",
        "v:0",
        "-show_frames",
        "-show_entries",
        "frame=side_data_list",
    ];
    shown(path, &show).to_string().contains("A53")
}

#[tokio::test]
async fn embedded_captions_become_text_and_stay_in_the_pictures() {
    let world = World::new();
    let input = clip(&world);
    let embedded =
        json!([{"captionSelectorName": "C", "destinationSettings": {"destinationType": "EMBEDDED"}}]);
    let source = json!({"sourceType": "EMBEDDED", "embeddedSourceSettings": {"source608ChannelNumber": 1}});
    let text = encode(&world, &settings(&source, embedded), &input, CaptionFiles::new()).await;
    assert_eq!(text, "WEBVTT\n\n00:00:00.900 --> 00:00:01.800\nHello world\n");
    let video = world.published("mp4/video_v.mp4");
    assert!(has_captions(&video), "the video has lost its captions");
    // They still say the same.
    let again = World::new();
    let text = encode(&again, &settings(&source, json!([])), &video, CaptionFiles::new()).await;
    assert!(text.contains("Hello world"), "{text}");
    assert!(!has_captions(&again.published("mp4/video_v.mp4")));
}

#[tokio::test]
async fn a_source_without_embedded_captions_has_none() {
    let world = World::new();
    let input = world.clip("in.mp4", &["-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=1"]);
    let source = json!({"sourceType": "EMBEDDED"});
    let text = encode(&world, &settings(&source, json!([])), &input, CaptionFiles::new()).await;
    assert_eq!(text, "WEBVTT\n");
}

#[tokio::test]
async fn captions_of_an_scc_file() {
    let world = World::new();
    let input = world.clip("in.mp4", &["-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=3"]);
    let url = "s3://vod/captions/film.scc";
    let source = json!({"sourceType": "SCC", "fileSourceSettings": {"sourceFile": url}});
    let scc = format!("Scenarist_SCC V1.0\n\n00:00:00:15\t{SHOW}\n\n00:00:02:00\t{CLEAR}\n\n");
    let files = CaptionFiles::from([(url.to_owned(), scc.into_bytes())]);
    let text = encode(&world, &settings(&source, json!([])), &input, files).await;
    // 15 frames of 33 ms, as the decoder counts.
    let times = ["00:00:00.495 --> 00:00:02.000", "00:00:00.500 --> 00:00:02.000"];
    assert!(
        times
            .iter()
            .any(|times| text == format!("WEBVTT\n\n{times}\nHello world\n")),
        "{text}"
    );
}

#[tokio::test]
async fn captions_that_cannot_be_embedded_are_refused() {
    let world = World::new();
    let input = clip(&world);
    let info = probe(&input, &Limits::default()).await.expect("is probed");
    let embedded =
        json!([{"captionSelectorName": "C", "destinationSettings": {"destinationType": "EMBEDDED"}}]);
    let refused = |settings: &Value| {
        let refusal = with_files(settings, std::slice::from_ref(&info), &SideFiles::default(), "")
            .expect_err("is refused");
        refusal.to_string()
    };
    let file =
        json!({"sourceType": "SRT", "fileSourceSettings": {"sourceFile": "s3://vod/captions/film.srt"}});
    let message = refused(&settings(&file, embedded.clone()));
    assert!(
        message.contains("/captionDescriptions/0/destinationSettings/destinationType: "),
        "{message}"
    );
    let mut other_rate = settings(&json!({"sourceType": "EMBEDDED"}), embedded);
    let h264 =
        &mut other_rate["outputGroups"][0]["outputs"][0]["videoDescription"]["codecSettings"]["h264Settings"];
    h264["framerateControl"] = json!("SPECIFIED");
    h264["framerateNumerator"] = json!(25);
    h264["framerateDenominator"] = json!(1);
    let message = refused(&other_rate);
    assert!(
        message.contains("only at the frame rate of the source"),
        "{message}"
    );
}
