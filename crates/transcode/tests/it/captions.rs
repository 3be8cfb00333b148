//! Captions as files, as renditions of HLS and CMAF groups, and in the picture.

use std::path::Path;

use serde_json::{Value, json};
use transcode::exec::Limits;
use transcode::plan::{Plan, SideFiles, caption_files, with_files};
use transcode::probe::probe;
use transcode::produced::Produced;

use crate::common::{World, decoded, no_sound, shown, small};

const URL: &str = "s3://vod/captions/film.srt";
const SRT: &str =
    "1\n00:00:00,500 --> 00:00:01,500\nTom & <i>Jerry</i>\n\n2\n00:00:02,500 --> 00:00:03,500\n한국어\n";

/// Settings with captions from one file, in these groups.
fn settings(groups: Value) -> Value {
    let mut settings = no_sound(small());
    settings["inputs"][0]["captionSelectors"] = json!({"English": {"sourceSettings": {"sourceType": "SRT",
        "fileSourceSettings": {"sourceFile": URL, "timeDelta": 250, "timeDeltaUnits": "MILLISECONDS"}}}});
    settings["outputGroups"] = groups;
    settings
}

/// An output with captions of this kind, and nothing else.
fn captions(container: &str, modifier: &str, kind: &str) -> Value {
    json!({"nameModifier": modifier, "containerSettings": {"container": container}, "captionDescriptions": [
        {"captionSelectorName": "English", "languageCode": "ENG", "languageDescription": "English",
         "destinationSettings": {"destinationType": kind}}]})
}

fn video(container: &str) -> Value {
    let mut output = no_sound(small())["outputGroups"][0]["outputs"][0].clone();
    output["containerSettings"] = json!({"container": container});
    output["nameModifier"] = json!("_v");
    output
}

fn files() -> SideFiles {
    SideFiles {
        captions: [(URL.to_owned(), SRT.as_bytes().to_vec())].into(),
        ..SideFiles::default()
    }
}

async fn encoded(world: &World, settings: &Value) -> Produced {
    assert_eq!(caption_files(settings), [URL]);
    let input = world.clip(
        "in.mp4",
        &["-f", "lavfi", "-i", "color=c=black:s=160x90:r=25:d=4"],
    );
    let source = probe(&input, &Limits::default()).await.expect("is probed");
    let sources = std::slice::from_ref(&source);
    let plan = with_files(settings, sources, &files(), "20260101T000000").expect("is planned");
    let text = serde_json::to_string(&plan).expect("is JSON");
    assert_eq!(serde_json::from_str::<Plan>(&text).expect("reads back"), plan);
    let produced = world.run(&plan, &input).await.expect("is encoded");
    world.publish(&produced);
    produced
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[tokio::test]
async fn captions_are_renditions_of_hls_and_cmaf_groups() {
    let world = World::new();
    let settings = settings(json!([
        {"outputGroupSettings": {"type": "HLS_GROUP_SETTINGS", "hlsGroupSettings": {
            "destination": "s3://vod/out/hls/video", "segmentLength": 2, "minSegmentLength": 0,
            "captionSegmentLengthControl": "MATCH_VIDEO"}},
         "outputs": [video("M3U8"), captions("M3U8", "_en", "WEBVTT")]},
        {"outputGroupSettings": {"type": "CMAF_GROUP_SETTINGS", "cmafGroupSettings": {
            "destination": "s3://vod/out/cmaf/video", "segmentLength": 2, "fragmentLength": 2}},
         "outputs": [video("CMFC"), captions("CMFC", "_en", "WEBVTT")]}
    ]));
    let produced = encoded(&world, &settings).await;
    let master = text(&world.published("hls/video.m3u8"));
    let entry = "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"subs\",NAME=\"English\",DEFAULT=YES,AUTOSELECT=YES,FORCED=NO,LANGUAGE=\"eng\",URI=\"video_en.m3u8\"\n";
    assert!(master.ends_with(entry), "{master}");
    assert!(
        master.contains("FRAME-RATE=25.000,SUBTITLES=\"subs\"\n"),
        "{master}"
    );
    let playlist = text(&world.published("hls/video_en.m3u8"));
    assert_eq!(playlist.matches("#EXTINF:2").count(), 2, "{playlist}");
    // A quarter of a second later than in the file, on the clock of the transport stream.
    assert_eq!(
        text(&world.published("hls/video_en_00001.vtt")),
        "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:180000,LOCAL:00:00:00.000\n\n00:00:00.750 --> 00:00:01.750\nTom &amp; Jerry\n"
    );
    let packets = shown(
        &world.published("hls/video_v_00001.ts"),
        &["-show_entries", "packet=pts_time"],
    );
    let first = packets["packets"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|packet| packet["pts_time"].as_str()?.parse().ok());
    let first = first.fold(f64::MAX, f64::min);
    assert!(
        (first - 2.0).abs() < 0.001,
        "the video starts at {first} s, as the map says"
    );
    assert_eq!(
        text(&world.published("cmaf/video_en_000000002.vtt")),
        "WEBVTT\n\n00:00:02.750 --> 00:00:03.750\n한국어\n"
    );
    let master = text(&world.published("cmaf/video.m3u8"));
    assert!(master.ends_with(entry), "{master}");
    let manifest = text(&world.published("cmaf/video.mpd"));
    assert!(
        manifest.contains("mimeType=\"text/vtt\" lang=\"eng\""),
        "{manifest}"
    );
    assert!(manifest.contains("<BaseURL>video_en.vtt</BaseURL>"), "{manifest}");
    assert!(text(&world.published("cmaf/video_en.vtt")).contains("00:00:02.750 --> 00:00:03.750\n한국어\n"));
    let details = produced.output_group_details();
    assert_eq!(
        details[0]["outputDetails"][1]["outputFilePaths"],
        json!(["s3://vod/out/hls/video_en.m3u8"])
    );
    assert_eq!(details[0]["outputDetails"][1]["durationInMs"], 4000);
}

#[tokio::test]
async fn captions_are_files_of_each_format() {
    let world = World::new();
    let file = |kind| captions("RAW", "_en", kind);
    let mut outputs: Vec<Value> = ["SRT", "WEBVTT", "TTML", "IMSC", "SMI"].map(file).to_vec();
    outputs.insert(0, video("MP4"));
    let settings = settings(json!([{"outputGroupSettings": {"type": "FILE_GROUP_SETTINGS",
        "fileGroupSettings": {"destination": "s3://vod/out/mp4/video"}}, "outputs": outputs}]));
    let produced = encoded(&world, &settings).await;
    let second = "00:00:02.750";
    for (name, expected) in [
        ("srt", "2\n00:00:02,750 --> 00:00:03,750\n한국어\n"),
        ("vtt", &format!("{second} --> 00:00:03.750\n한국어\n")),
        (
            "ttml",
            &format!(
                "<p begin=\"{second}\" end=\"00:00:03.750\" region=\"bottom\" tts:textAlign=\"center\">한국어</p>"
            ),
        ),
        ("xml", "xml:lang=\"eng\""),
        ("smi", "<SYNC Start=2750><P Class=CC>한국어</P></SYNC>"),
    ] {
        let written = text(&world.published(&format!("mp4/video_en.{name}")));
        assert!(written.contains(expected), "{name}: {written}");
    }
    let details = produced.output_group_details();
    assert_eq!(
        details[0]["outputDetails"][1],
        json!({"durationInMs": 4000, "outputFilePaths": ["s3://vod/out/mp4/video_en.srt"]})
    );
}

/// The brightest value in the lower third of the picture at an instant.
fn brightest(path: &Path, seconds: &str) -> u8 {
    let lower = "crop=iw:ih/3:0:ih*2/3,format=gray";
    let samples = decoded(
        path,
        &["-ss", seconds, "-frames:v", "1", "-vf", lower, "-f", "rawvideo"],
    );
    samples.into_iter().max().expect("has pixels")
}

#[tokio::test]
async fn captions_are_burnt_into_the_picture_while_they_last() {
    let world = World::new();
    let mut output = video("MP4");
    output["captionDescriptions"] = json!([{"captionSelectorName": "English", "destinationSettings": {"destinationType": "BURN_IN",
        "burninDestinationSettings": {"fontSize": 16, "outlineSize": 1, "fontColor": "YELLOW", "alignment": "CENTERED"}}}]);
    let plain = json!({"nameModifier": "_plain"});
    let mut without = video("MP4");
    without["nameModifier"] = plain["nameModifier"].clone();
    let settings = settings(json!([{"outputGroupSettings": {"type": "FILE_GROUP_SETTINGS",
        "fileGroupSettings": {"destination": "s3://vod/out/mp4/video"}}, "outputs": [output, without]}]));
    encoded(&world, &settings).await;
    let (burnt, plain) = (
        world.published("mp4/video_v.mp4"),
        world.published("mp4/video_plain.mp4"),
    );
    for (seconds, shows) in [("0.3", false), ("1.2", true), ("2.2", false), ("3.2", true)] {
        let found = brightest(&burnt, seconds);
        assert_eq!(found > 150, shows, "{found} at {seconds} s");
        assert!(brightest(&plain, seconds) < 60, "without captions at {seconds} s");
    }
}

#[test]
fn captions_follow_the_clips_of_the_input() {
    let source = transcode::probe::parse(
        &json!({"streams": [{"index": 0, "codec_type": "video", "codec_name": "h264",
        "width": 160, "height": 90, "pix_fmt": "yuv420p", "r_frame_rate": "25/1"}], "format": {"duration": "4"}}),
    );
    let mut settings = settings(json!([{"outputGroupSettings": {"type": "FILE_GROUP_SETTINGS",
        "fileGroupSettings": {"destination": "s3://vod/out/mp4/video"}},
        "outputs": [video("MP4"), captions("RAW", "_en", "WEBVTT")]}]));
    settings["inputs"][0]["timecodeSource"] = json!("ZEROBASED");
    settings["inputs"][0]["inputClippings"] = json!([
        {"startTimecode": "00:00:01:00", "endTimecode": "00:00:01:24"}, {"startTimecode": "00:00:03:00"}]);
    let plan = with_files(&settings, std::slice::from_ref(&source), &files(), "").expect("is planned");
    let plan = serde_json::to_value(&plan).expect("is JSON");
    let times: Vec<_> = plan["captions"][0]["cues"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|cue| (cue["start"].as_u64(), cue["end"].as_u64()))
        .collect();
    // The second of 1 s to 2 s is followed by what begins at 3 s.
    assert_eq!(times, [(Some(0), Some(750)), (Some(1000), Some(1750))]);
}

#[test]
fn captions_that_cannot_be_made_are_refused_with_their_path() {
    let source = transcode::probe::parse(
        &json!({"streams": [{"index": 0, "codec_type": "video", "codec_name": "h264",
        "width": 160, "height": 90, "pix_fmt": "yuv420p", "r_frame_rate": "25/1"}], "format": {"duration": "4"}}),
    );
    let hls = |outputs: Value| {
        settings(
            json!([{"outputGroupSettings": {"type": "HLS_GROUP_SETTINGS", "hlsGroupSettings": {
        "destination": "s3://vod/out/hls/video", "segmentLength": 2}}, "outputs": outputs}]),
        )
    };
    let mut in_video = video("M3U8");
    in_video["captionDescriptions"] = captions("M3U8", "", "WEBVTT")["captionDescriptions"].clone();
    let mut unknown = captions("M3U8", "_en", "WEBVTT");
    unknown["captionDescriptions"][0]["captionSelectorName"] = json!("Deutsch");
    let bad_file = SideFiles {
        captions: [(URL.to_owned(), b"1\n00:00:02,000 --> 00:00:01,000\nx\n".to_vec())].into(),
        ..SideFiles::default()
    };
    for (settings, files, message) in [
        (
            hls(json!([in_video])),
            files(),
            "/outputGroups/0/outputs/0/captionDescriptions/0/destinationSettings/destinationType: \
            the local engine does not put WEBVTT into an output with video, only BURN_IN and EMBEDDED. Give captions that are a file or a \
            rendition an output of their own",
        ),
        (
            hls(json!([video("M3U8"), captions("M3U8", "_en", "SRT")])),
            files(),
            "/outputGroups/0/outputs/1/captionDescriptions/0/destinationSettings/destinationType: the local engine does not write SRT here, only WEBVTT",
        ),
        (
            hls(json!([video("M3U8"), unknown])),
            files(),
            "/outputGroups/0/outputs/1/captionDescriptions/0/captionSelectorName: the input has no caption selector `Deutsch`",
        ),
        (
            hls(json!([video("M3U8"), captions("M3U8", "_en", "WEBVTT")])),
            bad_file,
            "/inputs/0/captionSelectors/English/sourceSettings/fileSourceSettings/sourceFile: s3://vod/captions/film.srt: line 2: \
            the caption ends at 00:00:01.000, before its start at 00:00:02.000",
        ),
        (
            hls(json!([captions("M3U8", "_en", "WEBVTT")])),
            files(),
            "/outputGroups: a job needs an output that is more than captured frames and captions",
        ),
    ] {
        let refusal = with_files(&settings, std::slice::from_ref(&source), &files, "").expect_err(message);
        assert_eq!(refusal.to_string(), message);
    }
}
