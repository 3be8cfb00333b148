//! The templates of `job-templates/`, each encoded.

use std::path::Path;

use mediaconvert_job::Template;
use serde_json::{Value, json};
use transcode::closed;
use transcode::exec::Limits;
use transcode::plan::{CaptionFiles, SideFiles, with_files};
use transcode::probe::probe;

use crate::common::{World, shown};

/// A template with pictures a sixth as high, as the pipeline completes it for a source of 16:9.
fn small(bytes: &[u8]) -> Value {
    let mut settings = Template::parse(bytes).expect("is a template").settings;
    settings["inputs"][0]["fileInput"] = json!("s3://vod/input/x.mp4");
    for (index, group) in settings["outputGroups"]
        .as_array_mut()
        .expect("has groups")
        .iter_mut()
        .enumerate()
    {
        let kind = group["outputGroupSettings"]["type"].as_str().expect("has a type");
        let member = match kind {
            "HLS_GROUP_SETTINGS" => "hlsGroupSettings",
            "CMAF_GROUP_SETTINGS" => "cmafGroupSettings",
            _ => "fileGroupSettings",
        };
        let destination = json!(format!("s3://vod/out/{index}/video"));
        group["outputGroupSettings"][member]["destination"] = destination;
        for output in group["outputs"].as_array_mut().expect("has outputs") {
            let video = &mut output["videoDescription"];
            if let Some(height) = video["height"].as_u64() {
                let height = height / 12 * 2;
                video["height"] = json!(height);
                video["width"] = json!(height * 16 / 9 / 2 * 2);
            }
        }
    }
    settings
}

fn beside(captions: CaptionFiles) -> SideFiles {
    SideFiles {
        captions,
        ..SideFiles::default()
    }
}

async fn encode(world: &World, template: &[u8], options: &[&str]) {
    let settings = small(template);
    let input = world.clip("in.mp4", options);
    let limits = Limits::default();
    let info = probe(&input, &limits).await.expect("is probed");
    let mut files = CaptionFiles::new();
    let work = world.path("closed");
    closed::read(&settings, &mut files, 0, (&info, &input), &work, &limits)
        .await
        .expect("captions are read");
    let plan = with_files(
        &settings,
        std::slice::from_ref(&info),
        &beside(files),
        "20260101T000000",
    )
    .expect("is planned");
    let produced = world.run(&plan, &input).await.expect("is encoded");
    world.publish(&produced);
}

const CLIP: &[&str] = &[
    "-f",
    "lavfi",
    "-i",
    "testsrc2=s=320x180:r=25:d=2",
    "-f",
    "lavfi",
    "-i",
    "sine=d=2",
    "-c:v",
    "libx264",
    "-preset",
    "ultrafast",
    "-pix_fmt",
    "yuv420p",
];
const SONG: &[&str] = &["-f", "lavfi", "-i", "sine=d=2"];

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Codec names of a file.
fn codecs(path: &Path) -> Vec<String> {
    let streams = shown(path, &["-show_entries", "stream=codec_name"])["streams"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let name = |stream: &Value| stream["codec_name"].as_str().unwrap_or_default().to_owned();
    streams.iter().map(name).collect()
}

#[tokio::test]
async fn the_hevc_template_makes_hevc_and_a_file_for_everyone() {
    let world = World::new();
    encode(
        &world,
        include_bytes!("../../../../job-templates/hevc.json"),
        CLIP,
    )
    .await;
    let master = text(&world.published("0/video.m3u8"));
    assert_eq!(master.matches("hvc1.").count(), 3, "{master}");
    assert_eq!(codecs(&world.published("1/video.mp4")), ["h264", "aac"]);
    assert!(world.published("0/video.mpd").is_file() && world.published("2/video.0000000.jpg").is_file());
}

#[tokio::test]
async fn the_av1_template_makes_av1_and_a_file_for_everyone() {
    let world = World::new();
    encode(&world, include_bytes!("../../../../job-templates/av1.json"), CLIP).await;
    let master = text(&world.published("0/video.m3u8"));
    assert_eq!(master.matches("av01.").count(), 3, "{master}");
    assert_eq!(codecs(&world.published("1/video.mp4")), ["h264", "aac"]);
}

#[tokio::test]
async fn the_audio_template_makes_variants_and_files() {
    let world = World::new();
    let mut template: Value =
        serde_json::from_slice(include_bytes!("../../../../job-templates/audio.json")).expect("is JSON");
    // As the rule audio-only does for a source without a cover.
    template["Settings"]["OutputGroups"]
        .as_array_mut()
        .expect("is a list")
        .truncate(2);
    encode(&world, template.to_string().as_bytes(), SONG).await;
    let master = text(&world.published("0/video.m3u8"));
    assert_eq!(master.matches("#EXT-X-STREAM-INF").count(), 3, "{master}");
    assert!(!master.contains("RESOLUTION"), "{master}");
    assert_eq!(codecs(&world.published("1/video_aac.m4a")), ["aac"]);
    assert_eq!(codecs(&world.published("1/video_mp3.mp3")), ["mp3"]);
}

#[tokio::test]
async fn the_captions_template_makes_renditions_of_captions() {
    let world = World::new();
    encode(
        &world,
        include_bytes!("../../../../job-templates/captions.json"),
        CLIP,
    )
    .await;
    let master = text(&world.published("0/video.m3u8"));
    assert!(
        master.contains("TYPE=SUBTITLES") && master.contains("LANGUAGE=\"eng\""),
        "{master}"
    );
    assert_eq!(text(&world.published("0/video_captions.vtt")), "WEBVTT\n");
    assert!(world.published("1/video_captions.srt").is_file());
    assert_eq!(codecs(&world.published("1/video_embedded.mp4")), ["h264", "aac"]);
}
