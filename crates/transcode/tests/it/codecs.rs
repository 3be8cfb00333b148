//! Codecs and containers: each is encoded and looked at.

use serde_json::{Value, json};

use crate::common::{World, decoded, decoded_frames, ffprobe, keyframes, shown, small};

/// Job settings with one file.
pub(crate) fn file(container: &str, video: Option<Value>, audio: Option<Value>) -> Value {
    let mut settings = small();
    let mut output = json!({"containerSettings": {"container": container}});
    if let Some(codec) = video {
        output["videoDescription"] = json!({"width": 160, "height": 90, "codecSettings": codec});
    }
    if let Some(codec) = audio {
        output["audioDescriptions"] =
            json!([{"audioSourceName": "Audio Selector 1", "codecSettings": codec}]);
    }
    settings["outputGroups"] = json!([{
        "outputGroupSettings": {"type": "FILE_GROUP_SETTINGS",
            "fileGroupSettings": {"destination": "s3://vod/out/file/video"}},
        "outputs": [output]}]);
    settings
}

fn aac() -> Value {
    json!({"codec": "AAC", "aacSettings": {"bitrate": 64_000, "codingMode": "CODING_MODE_2_0", "sampleRate": 48_000}})
}

fn clip(world: &World) -> std::path::PathBuf {
    let picture = "testsrc2=s=160x90:r=25:d=1";
    let sound = "sine=f=440:r=48000:d=1,aformat=channel_layouts=5.1";
    world.clip(
        "in.mp4",
        &["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound],
    )
}

#[tokio::test]
async fn each_video_codec_is_encoded() {
    let world = World::new();
    let input = clip(&world);
    let opus =
        json!({"codec": "OPUS", "opusSettings": {"channels": 2, "bitrate": 64_000, "sampleRate": 48_000}});
    let vorbis =
        json!({"codec": "VORBIS", "vorbisSettings": {"channels": 2, "sampleRate": 48_000, "vbrQuality": 3}});
    let aiff =
        json!({"codec": "AIFF", "aiffSettings": {"channels": 2, "bitDepth": 24, "sampleRate": 48_000}});
    let ac3 = json!({"codec": "AC3", "ac3Settings": {"codingMode": "CODING_MODE_2_0"}});
    for (container, suffix, video, audio, expected) in [
        (
            "MP4",
            "mp4",
            json!({"codec": "H_265", "h265Settings": {"rateControlMode": "QVBR", "maxBitrate": 500_000,
                "codecProfile": "MAIN10_HIGH", "codecLevel": "LEVEL_4_1", "writeMp4PackagingType": "HVC1",
                "gopSize": 0.4, "gopSizeUnits": "SECONDS", "qualityTuningLevel": "SINGLE_PASS"}}),
            aac(),
            ["hevc", "yuv420p10le", "hvc1", "aac"],
        ),
        (
            "MP4",
            "mp4",
            json!({"codec": "H_265", "h265Settings": {"rateControlMode": "CBR", "bitrate": 300_000,
                "gopSize": 0.4, "gopSizeUnits": "SECONDS", "qualityTuningLevel": "SINGLE_PASS"}}),
            ac3.clone(),
            ["hevc", "yuv420p", "hev1", "ac3"],
        ),
        (
            "MP4",
            "mp4",
            json!({"codec": "AV1", "av1Settings": {"rateControlMode": "QVBR", "maxBitrate": 500_000,
                "gopSize": 10, "bitDepth": "BIT_10"}}),
            aac(),
            ["av1", "yuv420p10le", "av01", "aac"],
        ),
        (
            "WEBM",
            "webm",
            json!({"codec": "VP9", "vp9Settings": {"rateControlMode": "VBR", "bitrate": 300_000, "gopSize": 10}}),
            opus,
            ["vp9", "yuv420p", "", "opus"],
        ),
        (
            "WEBM",
            "webm",
            json!({"codec": "VP8", "vp8Settings": {"rateControlMode": "VBR", "bitrate": 300_000, "gopSize": 10}}),
            vorbis,
            ["vp8", "yuv420p", "", "vorbis"],
        ),
        (
            "M2TS",
            "m2ts",
            json!({"codec": "MPEG2", "mpeg2Settings": {"rateControlMode": "CBR", "bitrate": 1_000_000, "gopSize": 12}}),
            ac3,
            ["mpeg2video", "yuv420p", "", "ac3"],
        ),
        (
            "MOV",
            "mov",
            json!({"codec": "PRORES", "proresSettings": {"codecProfile": "APPLE_PRORES_422_HQ"}}),
            aiff,
            ["prores", "yuv422p10le", "apch", "pcm_s24be"],
        ),
    ] {
        let settings = file(container, Some(video.clone()), Some(audio));
        let (_, produced) = world
            .encode(&settings, &input)
            .await
            .unwrap_or_else(|error| panic!("{video}: {error}"));
        world.publish(&produced);
        let path = world.published(&format!("file/video.{suffix}"));
        let found = ffprobe(&path);
        let [codec, pixels, tag, sound] = expected;
        assert_eq!(
            (&found["codec_name"], &found["pix_fmt"]),
            (&json!(codec), &json!(pixels)),
            "{video}"
        );
        if !tag.is_empty() {
            assert_eq!(found["codec_tag_string"], tag, "{video}");
        }
        assert_eq!(found["audio"]["codec_name"], sound, "{video}");
        assert_eq!(decoded_frames(&path), 25, "{video}");
        let second = if codec == "mpeg2video" { 0.48 } else { 0.4 };
        if codec != "prores" {
            assert_eq!(keyframes(&path)[..2], [0.0, second], "{video}");
        }
    }
}

#[tokio::test]
async fn each_audio_codec_is_a_file_of_its_own() {
    let world = World::new();
    let input = clip(&world);
    for (container, suffix, codec, expected, channels) in [
        ("RAW", "aac", aac(), "aac", 2),
        (
            "RAW",
            "mp3",
            json!({"codec": "MP3", "mp3Settings": {"bitrate": 128_000, "channels": 2, "sampleRate": 44_100}}),
            "mp3",
            2,
        ),
        (
            "RAW",
            "mp2",
            json!({"codec": "MP2", "mp2Settings": {"bitrate": 192_000, "channels": 1, "sampleRate": 48_000}}),
            "mp2",
            1,
        ),
        (
            "RAW",
            "wav",
            json!({"codec": "WAV", "wavSettings": {"bitDepth": 24, "channels": 2, "sampleRate": 48_000}}),
            "pcm_s24le",
            2,
        ),
        (
            "RAW",
            "aiff",
            json!({"codec": "AIFF", "aiffSettings": {"bitDepth": 16, "channels": 1}}),
            "pcm_s16be",
            1,
        ),
        (
            "RAW",
            "flac",
            json!({"codec": "FLAC", "flacSettings": {"bitDepth": 24, "channels": 0}}),
            "flac",
            6,
        ),
        (
            "RAW",
            "ac3",
            json!({"codec": "AC3", "ac3Settings": {"codingMode": "CODING_MODE_3_2_LFE", "dialnorm": 27}}),
            "ac3",
            6,
        ),
        (
            "RAW",
            "eac3",
            json!({"codec": "EAC3", "eac3Settings": {"codingMode": "CODING_MODE_3_2", "bitrate": 256_000}}),
            "eac3",
            5,
        ),
        (
            "OGG",
            "ogg",
            json!({"codec": "OPUS", "opusSettings": {"channels": 2}}),
            "opus",
            2,
        ),
    ] {
        let settings = file(container, None, Some(codec.clone()));
        let (_, produced) = world
            .encode(&settings, &input)
            .await
            .unwrap_or_else(|error| panic!("{codec}: {error}"));
        world.publish(&produced);
        let found = shown(
            &world.published(&format!("file/video.{suffix}")),
            &["-show_streams"],
        );
        let stream = &found["streams"][0];
        assert_eq!(stream["codec_name"], expected, "{codec}");
        assert_eq!(stream["channels"], channels, "{codec}");
        assert!(
            produced.duration_ms.abs_diff(1000) < 60,
            "{codec}: {} ms",
            produced.duration_ms
        );
    }
}

#[tokio::test]
async fn he_aac_is_encoded_as_lc_with_a_warning() {
    let world = World::new();
    let input = clip(&world);
    let mut codec = aac();
    codec["aacSettings"]["codecProfile"] = json!("HEV1");
    let (plan, produced) = world
        .encode(&file("MP4", None, Some(codec)), &input)
        .await
        .expect("is encoded");
    world.publish(&produced);
    assert_eq!(
        plan.warnings
            .iter()
            .map(|warning| warning.code)
            .collect::<Vec<_>>(),
        [900_003]
    );
    assert_eq!(
        ffprobe(&world.published("file/video.mp4"))["audio"]["profile"],
        "LC"
    );
}

#[tokio::test]
async fn a_codec_that_a_container_cannot_carry_is_refused_with_its_path() {
    let world = World::new();
    let input = clip(&world);
    let vp9 = json!({"codec": "VP9", "vp9Settings": {"rateControlMode": "VBR", "bitrate": 300_000}});
    for (container, video, audio, message) in [
        (
            "MP4",
            Some(vp9),
            None,
            "/outputGroups/0/outputs/0/videoDescription/codecSettings/codec: MP4 cannot carry VP9",
        ),
        (
            "WEBM",
            None,
            Some(aac()),
            "/outputGroups/0/outputs/0/audioDescriptions/0/codecSettings/codec: WEBM cannot carry AAC",
        ),
    ] {
        let refusal = world
            .plan(&file(container, video, audio), &input)
            .await
            .expect_err("is refused");
        assert_eq!(refusal.to_string(), message);
    }
}

/// The share of frames in which ffmpeg's detector sees fields of two instants.
fn combed(path: &std::path::Path) -> f64 {
    let mut command = std::process::Command::new("ffmpeg");
    command
        .args(["-nostdin", "-hide_banner", "-i"])
        .arg(path)
        .args(["-vf", "idet", "-f", "null", "-"]);
    let output = command.output().expect("ffmpeg runs");
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text
        .lines()
        .rev()
        .find(|line| line.contains("Multi frame detection"))
        .expect("has a summary");
    let count = |name: &str| -> f64 {
        let (_, after) = line.split_once(name).expect("has the count");
        after
            .split_whitespace()
            .next()
            .expect("has a number")
            .parse()
            .expect("is a number")
    };
    let fields = count("TFF:") + count("BFF:");
    fields / (fields + count("Progressive:")).max(1.0)
}

#[tokio::test]
async fn a_deinterlaced_picture_has_no_combs() {
    let world = World::new();
    // Two instants in each frame; the second clip does not say so.
    let moving = "color=gray:s=160x96:r=50:d=2,format=yuv420p,geq=lum='128+80*sin((X+4*N)/9)':cb=128:cr=128,\
                  tinterlace=interleave_top";
    let moving = ["-f", "lavfi", "-i", moving, "-pix_fmt", "yuv420p"];
    let marked = world.clip(
        "marked.mp4",
        &[&moving[..], &["-flags", "+ildct+ilme", "-x264-params", "tff=1"]].concat(),
    );
    let unmarked = world.clip("unmarked.mp4", &[&moving[..], &["-vf", "setfield=prog"]].concat());
    let settings = |deinterlacer: Value| {
        let mut settings = file(
            "MP4",
            Some(json!({"codec": "H_264", "h264Settings": {"rateControlMode": "VBR", "bitrate": 2_000_000}})),
            None,
        );
        let video = &mut settings["outputGroups"][0]["outputs"][0]["videoDescription"];
        // Scaling would blur the combs.
        video["height"] = json!(96);
        video["videoPreprocessors"] = json!({"deinterlacer": deinterlacer});
        settings
    };
    let normal = json!({"mode": "DEINTERLACE", "control": "NORMAL", "algorithm": "INTERPOLATE"});
    let force = json!({"mode": "DEINTERLACE", "control": "FORCE_ALL_FRAMES"});
    for (input, deinterlacer, combs) in [
        (&marked, &normal, false),
        (&unmarked, &normal, true),
        (&unmarked, &force, false),
    ] {
        let (_, produced) = world
            .encode(&settings(deinterlacer.clone()), input)
            .await
            .expect("is encoded");
        world.publish(&produced);
        let share = combed(&world.published("file/video.mp4"));
        assert_eq!(share > 0.5, combs, "{} {deinterlacer}: {share}", input.display());
    }
    let refusal = world
        .plan(&settings(json!({"mode": "INVERSE_TELECINE"})), &marked)
        .await
        .expect_err("is refused");
    assert!(
        refusal
            .to_string()
            .contains("/deinterlacer/mode: INVERSE_TELECINE needs"),
        "{refusal}"
    );
}

/// Integrated loudness in LUFS.
fn loudness(path: &std::path::Path) -> f64 {
    let mut command = std::process::Command::new("ffmpeg");
    command.args(["-nostdin", "-hide_banner", "-i"]).arg(path).args([
        "-af",
        "ebur128=framelog=verbose",
        "-f",
        "null",
        "-",
    ]);
    let output = command.output().expect("ffmpeg runs");
    let text = String::from_utf8_lossy(&output.stderr);
    let (_, summary) = text.rsplit_once("Integrated loudness:").expect("has a summary");
    let (_, value) = summary.split_once("I:").expect("has a value");
    value
        .split_whitespace()
        .next()
        .expect("has a value")
        .parse()
        .expect("is a number")
}

#[tokio::test]
async fn loudness_is_normalized_to_its_target() {
    let world = World::new();
    let quiet = "sine=f=440:r=48000:d=3,volume=-15dB";
    let input = world.clip("in.mp4", &["-f", "lavfi", "-i", quiet]);
    let mut settings = file("MP4", None, Some(aac()));
    settings["outputGroups"][0]["outputs"][0]["audioDescriptions"][0]["audioNormalizationSettings"] = json!({
        "algorithm": "ITU_BS_1770_2", "algorithmControl": "CORRECT_AUDIO", "targetLkfs": -20,
        "peakCalculation": "TRUE_PEAK", "loudnessLogging": "LOG"});
    let before = loudness(&input);
    assert!((before - -20.0).abs() > 5.0, "the clip is at {before} already");
    let (plan, produced) = world.encode(&settings, &input).await.expect("is encoded");
    world.publish(&produced);
    let after = loudness(&world.published("file/video.mp4"));
    assert!((after - -20.0).abs() <= 0.5, "{before} became {after}");
    assert_eq!(
        plan.warnings
            .iter()
            .map(|warning| warning.code)
            .collect::<Vec<_>>(),
        [900_004]
    );
}

#[tokio::test]
async fn clips_begin_and_end_at_their_frames() {
    let world = World::new();
    // Frame n has the brightness 20 + 4 n, and the sound is silent from 0.6 s on.
    let picture = "color=black:s=64x36:r=25:d=2,format=yuv420p,geq=lum='20+4*N':cb=128:cr=128";
    let sound = "sine=f=440:r=48000:d=2,volume=0:enable='gte(t,0.6)'";
    let input = world.clip(
        "in.mp4",
        &["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound],
    );
    let h264 = json!({"codec": "H_264", "h264Settings": {"rateControlMode": "VBR", "bitrate": 500_000}});
    let mut settings = file("MP4", Some(h264), Some(aac()));
    settings["inputs"][0]["timecodeSource"] = json!("SPECIFIEDSTART");
    settings["inputs"][0]["timecodeStart"] = json!("10:00:00:00");
    settings["inputs"][0]["inputClippings"] = json!([
        {"startTimecode": "10:00:00:10", "endTimecode": "10:00:00:14"},
        {"startTimecode": "10:00:01:05", "endTimecode": "10:00:01:09"}]);
    let (plan, produced) = world.encode(&settings, &input).await.expect("is encoded");
    world.publish(&produced);
    assert_eq!((plan.duration_ms, plan.stretches[0].duration_ms), (400, 400));
    let path = world.published("file/video.mp4");
    let brightness = "signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-";
    let bytes = decoded(&path, &["-map", "0:v", "-vf", brightness, "-f", "null"]);
    let text = String::from_utf8_lossy(&bytes);
    let found: Vec<f64> = text
        .lines()
        .filter_map(|line| line.strip_prefix("lavfi.signalstats.YAVG=")?.parse().ok())
        .collect();
    let expected = (10..15).chain(30..35).map(|frame| 20.0 + 4.0 * f64::from(frame));
    assert_eq!(found.len(), 10, "{text}");
    assert!(
        found
            .iter()
            .zip(expected)
            .all(|(found, expected)| (found - expected).abs() < 2.0),
        "{found:?}"
    );
    assert!(
        produced.duration_ms.abs_diff(400) < 60,
        "{}",
        produced.duration_ms
    );
    // The sound of the first clip, and the silence of the second.
    for (range, loud) in [("start=0.02:end=0.18", true), ("start=0.24:end=0.4", false)] {
        let mut command = std::process::Command::new("ffmpeg");
        command.args(["-nostdin", "-hide_banner", "-i"]).arg(&path);
        command.args([
            "-map",
            "0:a",
            "-af",
            &format!("atrim={range},volumedetect"),
            "-f",
            "null",
            "-",
        ]);
        let text = command.output().expect("ffmpeg runs").stderr;
        let text = String::from_utf8_lossy(&text);
        let (_, volume) = text.split_once("mean_volume: ").expect("has a volume");
        let volume: f64 = volume
            .split_whitespace()
            .next()
            .expect("has a value")
            .parse()
            .expect("is a number");
        assert_eq!(volume > -40.0, loud, "{range}: {volume} dB");
    }
}
