//! CMAF and DASH groups, and audio as renditions of its own.

use std::path::Path;

use serde_json::{Value, json};
use transcode::produced::Produced;

use crate::common::{World, decoded_frames, shown, small};

/// Job settings with one group, whose outputs are video of these heights and audio.
pub(crate) fn streaming(kind: &str, member: &str, folder: &str, group: Value, outputs: &[Value]) -> Value {
    let mut settings = small();
    let mut members = group;
    members["destination"] = json!(format!("s3://vod/out/{folder}/video"));
    settings["outputGroups"] =
        json!([{"outputGroupSettings": {"type": kind, member: members}, "outputs": outputs}]);
    settings
}

pub(crate) fn video(container: &str, height: u32) -> Value {
    let mut output = small()["outputGroups"][0]["outputs"][0].clone();
    output
        .as_object_mut()
        .expect("is an object")
        .remove("audioDescriptions");
    output["nameModifier"] = json!(format!("_{height}"));
    output["containerSettings"] = json!({"container": container});
    output["videoDescription"]["height"] = json!(height);
    output["videoDescription"]["width"] = json!(height * 16 / 9 / 2 * 2);
    output
}

pub(crate) fn audio(container: &str, modifier: &str, language: &str) -> Value {
    json!({"nameModifier": modifier, "containerSettings": {"container": container},
        "audioDescriptions": [{"audioSourceName": "Audio Selector 1", "languageCode": language,
            "languageCodeControl": "USE_CONFIGURED",
            "codecSettings": {"codec": "AAC", "aacSettings":
                {"bitrate": 64_000, "codingMode": "CODING_MODE_1_0", "sampleRate": 48_000}}}]})
}

pub(crate) fn clip(world: &World, rate: &str, seconds: &str) -> std::path::PathBuf {
    let picture = format!("testsrc2=s=160x90:r={rate}:d={seconds}");
    let sound = format!("sine=f=440:r=48000:d={seconds}");
    world.clip(
        "in.mp4",
        &["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound],
    )
}

/// Names of the files in a folder of the bucket, in the order in which they are sent.
pub(crate) fn names<'a>(produced: &'a Produced, folder: &str) -> Vec<&'a str> {
    let prefix = format!("s3://vod/out/{folder}/");
    produced
        .files
        .iter()
        .filter_map(|file| file.url.strip_prefix(prefix.as_str()))
        .collect()
}

/// First and last instants of a stream of a file or manifest, in seconds: the end of its last packet.
fn span(path: &Path, stream: &str) -> (f64, f64) {
    let entries = [
        "-select_streams",
        stream,
        "-show_entries",
        "packet=pts_time,duration_time",
    ];
    let packets = shown(path, &entries);
    let number = |packet: &Value, member: &str| -> f64 {
        packet[member]
            .as_str()
            .map_or(0.0, |text| text.parse().expect("is a number"))
    };
    let packets = packets["packets"].as_array().expect("has packets");
    let start = packets
        .iter()
        .map(|packet| number(packet, "pts_time"))
        .fold(f64::MAX, f64::min);
    let end = packets
        .iter()
        .map(|packet| number(packet, "pts_time") + number(packet, "duration_time"));
    (start, end.fold(0.0, f64::max))
}

#[tokio::test]
async fn a_cmaf_group_is_one_set_of_segments_with_both_manifests() {
    let world = World::new();
    let input = clip(&world, "30000/1001", "3");
    let group = json!({"segmentLength": 2, "fragmentLength": 1, "segmentLengthControl": "EXACT",
        "writeSegmentTimelineInRepresentation": "ENABLED", "manifestDurationFormat": "FLOATING_POINT",
        "targetDurationCompatibilityMode": "SPEC_COMPLIANT", "codecSpecification": "RFC_6381"});
    let outputs = vec![
        video("CMFC", 90),
        video("CMFC", 72),
        audio("CMFC", "_audio", "ENG"),
    ];
    let settings = streaming(
        "CMAF_GROUP_SETTINGS",
        "cmafGroupSettings",
        "cmaf",
        group,
        &outputs,
    );
    let (_, produced) = world.encode(&settings, &input).await.expect("is encoded");
    world.publish(&produced);
    assert_eq!(
        names(&produced, "cmaf"),
        [
            "video_90init.cmfv",
            "video_90_000000001.cmfv",
            "video_90_000000002.cmfv",
            "video_72init.cmfv",
            "video_72_000000001.cmfv",
            "video_72_000000002.cmfv",
            "video_audioinit.cmfa",
            "video_audio_000000001.cmfa",
            "video_audio_000000002.cmfa",
            "video_90.m3u8",
            "video_72.m3u8",
            "video_audio.m3u8",
            "video.mpd",
            "video.m3u8",
        ]
    );
    let details = produced.output_group_details();
    assert_eq!(details[0]["type"], "CMAF_GROUP");
    assert_eq!(
        details[0]["playlistFilePaths"],
        json!(["s3://vod/out/cmaf/video.mpd", "s3://vod/out/cmaf/video.m3u8"])
    );
    assert_eq!(
        details[0]["outputDetails"][0]["videoDetails"],
        json!({"widthInPx": 160, "heightInPx": 90})
    );
    assert!(
        details[0]["outputDetails"][2].get("videoDetails").is_none(),
        "{details}"
    );
    assert!(
        details[0]["outputDetails"][0].get("outputFilePaths").is_none(),
        "{details}"
    );

    for manifest in ["cmaf/video.m3u8", "cmaf/video.mpd"] {
        let path = world.published(manifest);
        assert_eq!(decoded_frames(&path), 90, "{manifest}");
        let ((picture, picture_end), (sound, sound_end)) = (span(&path, "v:0"), span(&path, "a:0"));
        // The encoder's delay is before the start.
        assert!(
            (picture - (sound + 1024.0 / 48_000.0)).abs() < 0.005,
            "{manifest}: {picture} {sound}"
        );
        assert!(
            (picture_end - sound_end).abs() < 0.03,
            "{manifest}: {picture_end} {sound_end}"
        );
    }
    let master = std::fs::read_to_string(world.published("cmaf/video.m3u8")).expect("is a playlist");
    for part in [
        "RESOLUTION=160x90,FRAME-RATE=29.970,AUDIO=\"program_audio_0\"\nvideo_90.m3u8\n",
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"program_audio_0\",LANGUAGE=\"eng\",NAME=\"Alternate Audio\",\
         AUTOSELECT=YES,DEFAULT=YES,CHANNELS=\"1\",URI=\"video_audio.m3u8\"\n",
        ",mp4a.40.2\",RESOLUTION=160x90",
    ] {
        assert!(master.contains(part), "{part} in {master}");
    }
    let media = std::fs::read_to_string(world.published("cmaf/video_90.m3u8")).expect("is a playlist");
    assert_eq!(transcode::playlist::durations(&media), [2.002, 1.001]);
    assert!(
        media.contains("#EXT-X-MAP:URI=\"video_90init.cmfv\"\n"),
        "{media}"
    );
    let manifest = std::fs::read_to_string(world.published("cmaf/video.mpd")).expect("is a manifest");
    let timeline = "<S t=\"0\" d=\"180180\"/>\n            <S t=\"180180\" d=\"90090\"/>";
    assert_eq!(manifest.matches(timeline).count(), 2, "{manifest}");
    // One fragment a second.
    let segment = std::fs::read(world.published("cmaf/video_90_000000001.cmfv")).expect("is a file");
    assert_eq!(segment.windows(4).filter(|kind| kind == b"moof").count(), 2);
    let head = std::fs::read(world.published("cmaf/video_90init.cmfv")).expect("is a file");
    assert_eq!(&head[4..12], b"ftypcmfc");
}

#[tokio::test]
async fn a_dash_group_has_a_manifest_alone() {
    let world = World::new();
    let input = clip(&world, "25", "3");
    let group = json!({"segmentLength": 2, "fragmentLength": 2, "mpdManifestBandwidthType": "MAX"});
    let outputs = vec![
        video("MPD", 90),
        audio("MPD", "_en", "ENG"),
        audio("MPD", "_de", "DEU"),
    ];
    let settings = streaming(
        "DASH_ISO_GROUP_SETTINGS",
        "dashIsoGroupSettings",
        "dash",
        group,
        &outputs,
    );
    let (_, produced) = world.encode(&settings, &input).await.expect("is encoded");
    world.publish(&produced);
    assert_eq!(
        names(&produced, "dash"),
        [
            "video_90init.mp4",
            "video_90_000000001.mp4",
            "video_90_000000002.mp4",
            "video_eninit.mp4",
            "video_en_000000001.mp4",
            "video_en_000000002.mp4",
            "video_deinit.mp4",
            "video_de_000000001.mp4",
            "video_de_000000002.mp4",
            "video.mpd",
        ]
    );
    assert_eq!(produced.output_group_details()[0]["type"], "DASH_ISO_GROUP");
    let path = world.published("dash/video.mpd");
    assert_eq!(decoded_frames(&path), 75);
    let manifest = std::fs::read_to_string(&path).expect("is a manifest");
    assert_eq!(manifest.matches("<AdaptationSet").count(), 3, "{manifest}");
    for part in [
        "lang=\"eng\"",
        "lang=\"deu\"",
        "bandwidth=\"64000\"",
        "bandwidth=\"1200000\"",
        " duration=\"180000\"/>",
    ] {
        assert!(manifest.contains(part), "{part} in {manifest}");
    }
}

#[tokio::test]
async fn hls_audio_is_a_rendition_of_its_own() {
    let world = World::new();
    let input = clip(&world, "25", "5");
    let mut rendition = audio("M3U8", "_audio", "ENG");
    rendition["outputSettings"] = json!({"hlsSettings": {"audioGroupId": "sound", "audioTrackType": "ALTERNATE_AUDIO_AUTO_SELECT_DEFAULT"}});
    rendition["audioDescriptions"][0]["streamName"] = json!("English");
    let mut picture = video("M3U8", 90);
    picture["outputSettings"] = json!({"hlsSettings": {"audioRenditionSets": "sound"}});
    let outputs = vec![picture, rendition, audio("M3U8", "_radio", "ENG")];
    let group =
        json!({"segmentLength": 2, "minSegmentLength": 0, "manifestDurationFormat": "FLOATING_POINT"});
    let settings = streaming("HLS_GROUP_SETTINGS", "hlsGroupSettings", "hls", group, &outputs);
    let (_, produced) = world.encode(&settings, &input).await.expect("is encoded");
    world.publish(&produced);
    let made = names(&produced, "hls");
    for name in [
        "video_90_00003.ts",
        "video_audio_00001.aac",
        "video_audio_00003.aac",
        "video_radio_00003.aac",
    ] {
        assert!(made.contains(&name), "{name} in {made:?}");
    }
    let master = std::fs::read_to_string(world.published("hls/video.m3u8")).expect("is a playlist");
    assert!(master.contains(",AUDIO=\"sound\"\nvideo_90.m3u8\n"), "{master}");
    assert!(
        master.contains("CODECS=\"mp4a.40.2\"\nvideo_radio.m3u8\n"),
        "{master}"
    );
    assert_eq!(master.matches("#EXT-X-MEDIA:").count(), 1, "{master}");

    let ((picture, _), (sound, _)) = (
        span(&world.published("hls/video_90.m3u8"), "v:0"),
        span(&world.published("hls/video_audio.m3u8"), "a:0"),
    );
    // The encoder's delay is before the video, which begins at two seconds.
    assert!((picture - 2.0).abs() < 0.001, "{picture}");
    assert!(
        (picture - sound - 1024.0 / 48_000.0).abs() < 0.001,
        "{picture} {sound}"
    );
    let (_, sound_end) = span(&world.published("hls/video_audio.m3u8"), "a:0");
    assert!((sound_end - 7.0).abs() < 0.03, "{sound_end}");
}

#[tokio::test]
async fn segments_of_audio_and_video_do_not_drift_apart() {
    let world = World::new();
    // Ten minutes of pictures at a rate with which keyframes fall just before the ends of segments, as small as can be.
    let input = world.clip(
        "in.mp4",
        &[
            "-f",
            "lavfi",
            "-i",
            "color=s=64x36:r=30000/1001:d=600",
            "-f",
            "lavfi",
            "-i",
            "anullsrc=r=48000:cl=mono",
            "-t",
            "600",
        ],
    );
    let group =
        json!({"segmentLength": 6, "fragmentLength": 2, "writeSegmentTimelineInRepresentation": "ENABLED"});
    let outputs = vec![video("CMFC", 36), audio("CMFC", "_audio", "ENG")];
    let mut settings = streaming(
        "CMAF_GROUP_SETTINGS",
        "cmafGroupSettings",
        "cmaf",
        group,
        &outputs,
    );
    let mut hls = settings["outputGroups"][0].clone();
    hls["outputGroupSettings"] = json!({"type": "HLS_GROUP_SETTINGS", "hlsGroupSettings": {
        "destination": "s3://vod/out/hls/video", "segmentLength": 6, "minSegmentLength": 0}});
    for output in hls["outputs"].as_array_mut().expect("has outputs") {
        output["containerSettings"]["container"] = json!("M3U8");
    }
    settings["outputGroups"]
        .as_array_mut()
        .expect("has groups")
        .push(hls);
    settings["outputGroups"][0]["outputGroupSettings"]["cmafGroupSettings"]["manifestDurationFormat"] =
        json!("FLOATING_POINT");
    settings["outputGroups"][1]["outputGroupSettings"]["hlsGroupSettings"]["manifestDurationFormat"] =
        json!("FLOATING_POINT");
    let (_, produced) = world.encode(&settings, &input).await.expect("is encoded");
    world.publish(&produced);
    for name in [
        "cmaf/video_36",
        "cmaf/video_audio",
        "hls/video_36",
        "hls/video_audio",
    ] {
        let playlist =
            std::fs::read_to_string(world.published(&format!("{name}.m3u8"))).expect("is a playlist");
        let durations = transcode::playlist::durations(&playlist);
        assert_eq!(durations.len(), 100, "{name}");
        let mut start = 0.0;
        for (number, seconds) in durations.iter().enumerate() {
            let due = f64::from(u32::try_from(number).expect("is small")) * 6.0;
            // A picture is 33 ms long, a frame of audio 21 ms; packed audio begins with the delay of its encoder.
            assert!(
                (start - due).abs() < 0.045,
                "{name}: segment {number} starts at {start}"
            );
            start += seconds;
        }
        assert!((start - 600.0).abs() < 0.06, "{name}: {start}");
    }
}

#[tokio::test]
async fn a_plan_that_was_written_down_is_the_same_plan() {
    let world = World::new();
    let input = clip(&world, "25", "1");
    let plan = world.plan(&small(), &input).await.expect("is planned");
    let written = serde_json::to_string(&plan).expect("is written");
    let read: transcode::plan::Plan = serde_json::from_str(&written).expect("is read");
    assert_eq!(read, plan);
    assert_eq!(read.arguments(&input), plan.arguments(&input));
}

#[tokio::test]
async fn segments_in_one_file_are_byte_ranges() {
    let world = World::new();
    let input = clip(&world, "25", "3");
    let group = json!({"segmentLength": 2, "fragmentLength": 2, "segmentControl": "SINGLE_FILE",
        "manifestDurationFormat": "FLOATING_POINT", "writeSegmentTimelineInRepresentation": "ENABLED"});
    let outputs = vec![video("CMFC", 90), audio("CMFC", "_audio", "ENG")];
    let mut settings = streaming(
        "CMAF_GROUP_SETTINGS",
        "cmafGroupSettings",
        "cmaf",
        group,
        &outputs,
    );
    let hls = json!({"outputGroupSettings": {"type": "HLS_GROUP_SETTINGS", "hlsGroupSettings": {
        "destination": "s3://vod/out/hls/video", "segmentLength": 2, "minSegmentLength": 0, "segmentControl": "SINGLE_FILE"}},
        "outputs": [video("M3U8", 90)]});
    settings["outputGroups"]
        .as_array_mut()
        .expect("has groups")
        .push(hls);
    let (_, produced) = world.encode(&settings, &input).await.expect("is encoded");
    world.publish(&produced);
    assert_eq!(
        names(&produced, "cmaf"),
        [
            "video_90.cmfv",
            "video_audio.cmfa",
            "video_90.m3u8",
            "video_audio.m3u8",
            "video.mpd",
            "video.m3u8"
        ]
    );
    assert_eq!(
        names(&produced, "hls"),
        ["video_90.ts", "video_90.m3u8", "video.m3u8"]
    );
    for manifest in ["cmaf/video.m3u8", "cmaf/video.mpd", "hls/video.m3u8"] {
        assert_eq!(decoded_frames(&world.published(manifest)), 75, "{manifest}");
    }
    let manifest = std::fs::read_to_string(world.published("cmaf/video.mpd")).expect("is a manifest");
    for name in ["video_90.cmfv", "video_audio.cmfa"] {
        let (_, base) = manifest
            .split_once(&format!("<BaseURL>{name}</BaseURL>"))
            .expect("is listed");
        let bounds = |attribute: &str| -> (usize, usize) {
            let (_, after) = base.split_once(attribute).expect("is there");
            let range = after.split('"').next().and_then(|range| range.split_once('-'));
            let (start, end) = range.expect("is a range");
            (
                start.parse().expect("is a number"),
                end.parse().expect("is a number"),
            )
        };
        let (index, head) = (bounds("indexRange=\""), bounds("Initialization range=\""));
        let bytes = std::fs::read(world.published(&format!("cmaf/{name}"))).expect("is a file");
        assert_eq!((head.0, head.1 + 1), (0, index.0), "{manifest}");
        assert_eq!(&bytes[index.0 + 4..index.0 + 8], b"sidx");
        assert_eq!(&bytes[index.1 + 5..index.1 + 9], b"moof");
        // The sizes in the index are those of all that follows.
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let sizes = (0..2).map(|entry| number(index.0 + 40 + entry * 12) as usize);
        assert_eq!(index.1 + 1 + sizes.sum::<usize>(), bytes.len(), "{name}");
    }
    let playlist = std::fs::read_to_string(world.published("hls/video_90.m3u8")).expect("is a playlist");
    assert!(
        playlist.contains("#EXT-X-VERSION:4\n") && playlist.matches("#EXT-X-BYTERANGE:").count() == 2,
        "{playlist}"
    );
}

#[tokio::test]
async fn a_last_segment_that_is_too_short_is_joined_to_the_one_before() {
    let world = World::new();
    let input = clip(&world, "25", "5");
    let group = json!({"segmentLength": 2, "fragmentLength": 2, "minFinalSegmentLength": 1.5,
        "manifestDurationFormat": "FLOATING_POINT"});
    let outputs = vec![video("CMFC", 90), audio("CMFC", "_audio", "ENG")];
    let settings = streaming(
        "CMAF_GROUP_SETTINGS",
        "cmafGroupSettings",
        "cmaf",
        group,
        &outputs,
    );
    let (_, produced) = world.encode(&settings, &input).await.expect("is encoded");
    world.publish(&produced);
    for name in ["video_90", "video_audio"] {
        let playlist =
            std::fs::read_to_string(world.published(&format!("cmaf/{name}.m3u8"))).expect("is a playlist");
        let durations = transcode::playlist::durations(&playlist);
        assert!(
            durations.len() == 2 && (durations[1] - 3.0).abs() < 0.03,
            "{name}: {durations:?}"
        );
    }
    assert_eq!(decoded_frames(&world.published("cmaf/video.m3u8")), 125);
}
