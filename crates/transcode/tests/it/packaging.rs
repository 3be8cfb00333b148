//! Playlists and manifests beside the usual ones: I-frames, dates, keys, selections of outputs.

use std::path::Path;

use serde_json::{Value, json};

use crate::common::{World, decoded_frames, shown};
use crate::streaming::{audio, clip, names, streaming, video};

/// The byte ranges of an I-frame playlist: file, bytes and seconds.
fn ranges(playlist: &str) -> Vec<(String, std::ops::Range<usize>, f64)> {
    let mut entries = Vec::new();
    let (mut seconds, mut range) = (0.0, 0..0);
    for line in playlist.lines() {
        if let Some(text) = line.strip_prefix("#EXTINF:") {
            seconds = text.trim_end_matches(',').parse().expect("is a number");
        } else if let Some(text) = line.strip_prefix("#EXT-X-BYTERANGE:") {
            let (length, start) = text.split_once('@').expect("has an offset");
            let start: usize = start.parse().expect("is a number");
            range = start..start + length.parse::<usize>().expect("is a number");
        } else if !line.starts_with('#') {
            entries.push((line.to_owned(), range.clone(), seconds));
        }
    }
    entries
}

/// Asserts that each byte range of an I-frame playlist is one picture, behind the bytes of `head`.
fn assert_one_picture_each(world: &World, folder: &str, playlist: &str, head: &[u8], seconds: &[f64]) {
    let text =
        std::fs::read_to_string(world.published(&format!("{folder}/{playlist}"))).expect("is a playlist");
    assert!(text.contains("\n#EXT-X-I-FRAMES-ONLY\n"), "{text}");
    let entries = ranges(&text);
    let durations: Vec<f64> = entries.iter().map(|(_, _, seconds)| *seconds).collect();
    assert_eq!(durations, seconds, "{text}");
    for (file, range, _) in entries {
        let segment = std::fs::read(world.published(&format!("{folder}/{file}"))).expect("is a segment");
        // A transport stream has its tables in front: their packets have the numbers 0 and 17.
        let number = u16::from_be_bytes([segment[range.start + 1] & 0x1f, segment[range.start + 2]]);
        assert!(!head.is_empty() || [0, 17].contains(&number), "{file} {range:?}");
        let picture = world.path("picture");
        std::fs::write(&picture, [head, &segment[range]].concat()).expect("is written");
        assert_eq!(decoded_frames(&picture), 1, "{file} in {text}");
    }
}

#[tokio::test]
async fn i_frames_are_byte_ranges_of_the_segments() {
    let world = World::new();
    let input = clip(&world, "25", "5");
    let group = json!({"segmentLength": 4, "minSegmentLength": 0, "manifestDurationFormat": "INTEGER"});
    // With audio in the segments, between the pictures.
    let mut picture = video("M3U8", 90);
    picture["audioDescriptions"] = audio("M3U8", "", "ENG")["audioDescriptions"].clone();
    picture["outputSettings"] = json!({"hlsSettings": {"iFrameOnlyManifest": "INCLUDE"}});
    let mut settings = streaming("HLS_GROUP_SETTINGS", "hlsGroupSettings", "hls", group, &[picture]);
    let mut picture = video("CMFC", 90);
    picture["containerSettings"]["cmfcSettings"] = json!({"iFrameOnlyManifest": "INCLUDE"});
    let group = json!({"segmentLength": 4, "fragmentLength": 2, "segmentControl": "SINGLE_FILE"});
    let cmaf = streaming(
        "CMAF_GROUP_SETTINGS",
        "cmafGroupSettings",
        "cmaf",
        group,
        &[picture],
    );
    let groups = settings["outputGroups"].as_array_mut().expect("has groups");
    groups.push(cmaf["outputGroups"][0].clone());
    let (_, produced) = world.encode(&settings, &input).await.expect("is encoded");
    world.publish(&produced);

    // A keyframe every two seconds, also in the middle of a segment.
    assert_one_picture_each(&world, "hls", "video_90_I-Frame.m3u8", &[], &[2.0, 2.0, 1.0]);
    let file = std::fs::read(world.published("cmaf/video_90.cmfv")).expect("is a file");
    let index = file
        .windows(4)
        .position(|kind| kind == b"sidx")
        .expect("has an index");
    assert_one_picture_each(
        &world,
        "cmaf",
        "video_90_I-Frame.m3u8",
        &file[..index - 4],
        &[2.0, 2.0, 1.0],
    );
    for (folder, version) in [("hls", 4), ("cmaf", 6)] {
        let master =
            std::fs::read_to_string(world.published(&format!("{folder}/video.m3u8"))).expect("is a playlist");
        assert!(
            master.contains(&format!("#EXT-X-VERSION:{version}\n")),
            "{master}"
        );
        let entry = master
            .lines()
            .find(|line| line.starts_with("#EXT-X-I-FRAME-STREAM-INF:"));
        let entry = entry.expect("is listed");
        assert!(
            entry.ends_with(",RESOLUTION=160x90,URI=\"video_90_I-Frame.m3u8\"") && !entry.contains("mp4a"),
            "{entry}"
        );
    }
}

#[tokio::test]
async fn playlists_have_dates_and_say_what_captions_there_are() {
    let world = World::new();
    let input = clip(&world, "25", "5");
    let group = json!({"segmentLength": 2, "minSegmentLength": 0, "programDateTime": "INCLUDE",
        "programDateTimePeriod": 3, "captionLanguageSetting": "NONE"});
    let outputs = [video("M3U8", 90)];
    let mut settings = streaming("HLS_GROUP_SETTINGS", "hlsGroupSettings", "hls", group, &outputs);
    settings["timecodeConfig"] =
        json!({"source": "SPECIFIEDSTART", "start": "23:59:58:00", "timestampOffset": "2026-02-28"});
    let (_, produced) = world.encode(&settings, &input).await.expect("is encoded");
    world.publish(&produced);
    let media = std::fs::read_to_string(world.published("hls/video_90.m3u8")).expect("is a playlist");
    let dates: Vec<&str> = media
        .lines()
        .filter_map(|line| line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:"))
        .collect();
    assert_eq!(
        dates,
        ["2026-02-28T23:59:58.000Z", "2026-03-01T00:00:02.000Z"],
        "{media}"
    );
    let master = std::fs::read_to_string(world.published("hls/video.m3u8")).expect("is a playlist");
    assert!(
        master.contains(",CLOSED-CAPTIONS=NONE\nvideo_90.m3u8\n"),
        "{master}"
    );
}

/// Plays an encrypted playlist to its end.
fn decrypted_frames(playlist: &Path) -> Value {
    let options = [
        "-protocol_whitelist",
        "file,crypto",
        "-allowed_extensions",
        "ALL",
        "-count_frames",
        "-select_streams",
        "v:0",
        "-show_entries",
        "stream=nb_read_frames",
    ];
    shown(playlist, &options)["streams"][0]["nb_read_frames"].clone()
}

/// Numbers and bytes of the segments of a playlist, and their seconds.
fn segments(playlist: &Path) -> Vec<(usize, Vec<u8>, f64)> {
    let text = std::fs::read_to_string(playlist).expect("is a playlist");
    let segments = (1..).zip(ranges(&text)).map(|(number, (file, range, seconds))| {
        let bytes = std::fs::read(playlist.with_file_name(file)).expect("is a segment");
        let range = if range.is_empty() { 0..bytes.len() } else { range };
        (number, bytes[range].to_vec(), seconds)
    });
    segments.collect()
}

fn decrypted(key: &[u8], vector: u128, mut bytes: Vec<u8>) -> Vec<u8> {
    use aws_lc_rs::cipher::{AES_128, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
    use aws_lc_rs::iv::FixedLength;

    let key = UnboundCipherKey::new(&AES_128, key).expect("is a key");
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).expect("is a key");
    let context = DecryptionContext::Iv128(FixedLength::from(&vector.to_be_bytes()));
    key.decrypt(&mut bytes, context).expect("is decrypted").to_vec()
}

#[tokio::test]
async fn segments_are_encrypted_with_the_key_of_the_job() {
    let world = World::new();
    let input = clip(&world, "25", "3");
    let plain = json!({"segmentLength": 2, "minSegmentLength": 0});
    let settings = streaming(
        "HLS_GROUP_SETTINGS",
        "hlsGroupSettings",
        "hls",
        plain,
        &[video("M3U8", 90)],
    );
    let (_, produced) = world.encode(&settings, &input).await.expect("is encoded");
    world.publish(&produced);
    let clear = segments(&world.published("hls/video_90.m3u8"));
    let key = world.path("video.key");
    let bytes: Vec<u8> = (0..16).collect();
    std::fs::write(&key, &bytes).expect("is written");
    for (control, vector) in [
        ("SEGMENTED_FILES", None),
        ("SINGLE_FILE", Some("000102030405060708090a0b0c0d0eff")),
    ] {
        let mut encryption = json!({"type": "STATIC_KEY", "encryptionMethod": "AES128", "staticKeyProvider": {
            "staticKeyValue": "000102030405060708090a0b0c0d0e0f", "url": format!("file://{}", key.display())}});
        if let Some(vector) = vector {
            encryption["constantInitializationVector"] = json!(vector);
            encryption["initializationVectorInManifest"] = json!("INCLUDE");
        }
        let group = json!({"segmentLength": 2, "minSegmentLength": 0, "segmentControl": control, "encryption": encryption});
        let settings = streaming(
            "HLS_GROUP_SETTINGS",
            "hlsGroupSettings",
            "hls",
            group,
            &[video("M3U8", 90)],
        );
        let (_, produced) = world.encode(&settings, &input).await.expect("is encoded");
        world.publish(&produced);
        let playlist = world.published("hls/video_90.m3u8");
        assert_eq!(decrypted_frames(&playlist), json!("75"), "{control}");
        for (number, range, _) in segments(&playlist) {
            let vector = vector.map_or(number as u128, |text| {
                u128::from_str_radix(text, 16).expect("is hexadecimal")
            });
            let plain = decrypted(&bytes, vector, range);
            // The first block, which the vector changes, and all the rest.
            assert!(
                plain[..188] == clear[number - 1].1[..188],
                "segment {number} of {control}"
            );
            assert!(
                plain.chunks(188).all(|packet| packet[0] == 0x47),
                "segment {number} of {control}"
            );
        }
    }
    // Of an encrypted segment no picture can be taken.
    let mut picture = video("M3U8", 90);
    picture["outputSettings"] = json!({"hlsSettings": {"iFrameOnlyManifest": "INCLUDE"}});
    let group = json!({"segmentLength": 2, "minSegmentLength": 0, "encryption": {"staticKeyProvider":
        {"staticKeyValue": "000102030405060708090a0b0c0d0e0f", "url": "https://example.com/key"}}});
    let settings = streaming("HLS_GROUP_SETTINGS", "hlsGroupSettings", "hls", group, &[picture]);
    let error = world
        .plan(&settings, &input)
        .await
        .expect_err("is refused")
        .to_string();
    assert!(
        error.starts_with("/outputGroups/0/outputGroupSettings/hlsGroupSettings/encryption: "),
        "{error}"
    );
}

#[tokio::test]
async fn additional_manifests_list_the_outputs_that_they_select() {
    let world = World::new();
    let input = clip(&world, "25", "1");
    let group = json!({"segmentLength": 2, "fragmentLength": 2, "additionalManifests": [
        {"manifestNameModifier": "-small", "selectedOutputs": ["_72", "_audio"]},
        {"selectedOutputs": ["_90", "_audio"]}]});
    let outputs = [
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
        produced.output_group_details()[0]["playlistFilePaths"],
        json!([
            "s3://vod/out/cmaf/video.mpd",
            "s3://vod/out/cmaf/video.m3u8",
            "s3://vod/out/cmaf/video-small.mpd",
            "s3://vod/out/cmaf/video-small.m3u8"
        ])
    );
    let read =
        |name: &str| std::fs::read_to_string(world.published(&format!("cmaf/{name}"))).expect("is a file");
    let master = read("video-small.m3u8");
    assert!(
        !master.contains("video_90") && master.contains("\nvideo_72.m3u8\n"),
        "{master}"
    );
    assert!(master.contains("URI=\"video_audio.m3u8\""), "{master}");
    let manifest = read("video-small.mpd");
    assert!(
        !manifest.contains("video_90") && manifest.contains("video_72init.cmfv"),
        "{manifest}"
    );
    // The same track has the same number in both.
    assert!(manifest.contains("<Representation id=\"3\""), "{manifest}");
    assert_eq!(decoded_frames(&world.published("cmaf/video-small.m3u8")), 25);
    // Without a name of its own, a manifest has that of the group.
    assert_eq!(read("video.mpd").matches("<Representation ").count(), 2);
    let master = read("video.m3u8");
    assert!(
        master.contains("\nvideo_90.m3u8\n") && !master.contains("video_72"),
        "{master}"
    );
}

#[tokio::test]
async fn files_with_an_index_are_played_on_demand() {
    let world = World::new();
    let input = clip(&world, "25", "5");
    let group = json!({"segmentLength": 2, "fragmentLength": 2, "segmentControl": "SINGLE_FILE",
        "mpdProfile": "ON_DEMAND_PROFILE", "videoCompositionOffsets": "SIGNED"});
    let outputs = [video("MPD", 90), audio("MPD", "_audio", "ENG")];
    let mut settings = streaming(
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
        ["video_90.mp4", "video_audio.mp4", "video.mpd"]
    );
    let path = world.published("dash/video.mpd");
    let manifest = std::fs::read_to_string(&path).expect("is a manifest");
    assert!(
        manifest.contains("profiles=\"urn:mpeg:dash:profile:isoff-on-demand:2011\""),
        "{manifest}"
    );
    assert_eq!(decoded_frames(&path), 125);
    // Each file plays by itself, too.
    let file = world.published("dash/video_90.mp4");
    assert_eq!(decoded_frames(&file), 125);
    let bytes = std::fs::read(&file).expect("is a file");
    let has = |kind: &[u8; 4]| bytes.windows(4).filter(|found| found == kind).count();
    assert_eq!((has(b"sidx"), has(b"styp"), has(b"moof")), (1, 0, 3));
    // Version 1 has signed composition offsets.
    let run = bytes.windows(4).position(|found| found == b"trun");
    assert_eq!(bytes[run.expect("has samples") + 4], 1);

    settings["outputGroups"][0]["outputGroupSettings"]["dashIsoGroupSettings"]["segmentControl"] =
        json!("SEGMENTED_FILES");
    let error = world
        .plan(&settings, &input)
        .await
        .expect_err("is refused")
        .to_string();
    assert!(error.contains("/dashIsoGroupSettings/mpdProfile: "), "{error}");
}
