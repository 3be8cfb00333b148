//! Selection, remixing and files of audio: encoded, and listened to.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use transcode::exec::Limits;
use transcode::plan::{Plan, SideFiles, side_files, with_files};
use transcode::probe::probe;

use crate::common::{World, decoded, shown, small};

const VOICE: &str = "s3://vod/voice.wav";

/// One file with these audio descriptions, and what is below `/inputs/0`.
fn job(container: &str, input: &Value, descriptions: &Value) -> Value {
    let mut settings = small();
    for (name, value) in input.as_object().expect("is an object") {
        settings["inputs"][0][name] = value.clone();
    }
    settings["outputGroups"] = json!([{
        "outputGroupSettings": {"type": "FILE_GROUP_SETTINGS",
            "fileGroupSettings": {"destination": "s3://vod/out/file/audio"}},
        "outputs": [{"containerSettings": {"container": container}, "audioDescriptions": descriptions}]}]);
    settings
}

/// A description with samples as they are.
fn wav(channels: u32) -> Value {
    json!({"codecSettings": {"codec": "WAV", "wavSettings": {"channels": channels, "sampleRate": 48_000, "bitDepth": 16}}})
}

fn aac() -> Value {
    json!({"codecSettings": {"codec": "AAC", "aacSettings": {"bitrate": 96_000, "codingMode": "CODING_MODE_2_0", "sampleRate": 48_000}}})
}

fn with(mut description: Value, name: &str, value: Value) -> Value {
    description[name] = value;
    description
}

/// Encodes a job that may read this file beside its input.
async fn encode(world: &World, settings: &Value, input: &Path, beside: Option<&Path>) -> Plan {
    let source = probe(input, &Limits::default()).await.expect("is probed");
    let mut files = SideFiles::default();
    std::fs::create_dir_all(world.work()).expect("is created");
    for file in side_files(settings).expect("is readable") {
        let path = beside.expect("is given");
        let info = probe(path, &Limits::default()).await.expect("is probed");
        files.sounds.insert(file.url, info);
        std::fs::copy(path, world.work().join(&file.name)).expect("is copied");
    }
    let plan =
        with_files(settings, std::slice::from_ref(&source), &files, "20260101T000000").expect("is planned");
    let produced = world.run(&plan, input).await.expect("is encoded");
    world.publish(&produced);
    plan
}

/// The level of each channel of a track, in decibels of full scale (RMS), and its length in seconds.
fn levels(path: &Path, track: u32) -> (Vec<f64>, f64) {
    let map = format!("0:a:{track}");
    let bytes = decoded(path, &["-map", &map, "-ar", "48000", "-f", "f32le"]);
    let found = shown(
        path,
        &["-select_streams", "a", "-show_entries", "stream=channels"],
    );
    let channels = found["streams"][track as usize]["channels"]
        .as_u64()
        .expect("is a number");
    let channels = usize::try_from(channels).expect("is small");
    let samples: Vec<f64> = bytes
        .chunks_exact(4)
        .map(|bytes| f64::from(f32::from_le_bytes(bytes.try_into().expect("are four"))))
        .collect();
    let frames = f64::from(u32::try_from(samples.len() / channels).expect("is short"));
    let level = |channel: usize| {
        let sum: f64 = samples
            .iter()
            .skip(channel)
            .step_by(channels)
            .map(|sample| sample * sample)
            .sum();
        10.0 * (sum / frames).max(1e-12).log10()
    };
    ((0..channels).map(level).collect(), frames / 48_000.0)
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1.0, "{found} dB, not {expected} dB");
}

fn audio(world: &World, suffix: &str) -> PathBuf {
    world.published(&format!("file/audio.{suffix}"))
}

/// A tone of -9 dB on the left, one of -29 dB on the right.
fn stereo(world: &World) -> PathBuf {
    let tones = "aevalsrc=0.5*sin(2*PI*440*t)|0.05*sin(2*PI*880*t):s=48000:d=1";
    world.clip("stereo.wav", &["-f", "lavfi", "-i", tones])
}

#[tokio::test]
async fn channels_are_remixed_in_both_forms() {
    let world = World::new();
    let input = stereo(&world);
    let remix = |outputs: Value| {
        let count = outputs.as_array().expect("is a list").len();
        json!({"channelsIn": 2, "channelsOut": count, "channelMapping": {"outputChannels": outputs}})
    };
    // The channels change places, one six decibels quieter.
    let swapped = remix(json!([{"inputChannels": [-60, 0]}, {"inputChannels": [-6, -60]}]));
    encode(
        &world,
        &job(
            "RAW",
            &json!({}),
            &json!([with(wav(2), "remixSettings", swapped.clone())]),
        ),
        &input,
        None,
    )
    .await;
    let (found, _) = levels(&audio(&world, "wav"), 0);
    near(found[0], -29.0);
    near(found[1], -15.0);
    // Of the selector first, then of the output, in fractions of decibels.
    let left = remix(json!([{"inputChannelsFineTune": [-60, 2.5]}]));
    let selectors =
        json!({"audioSelectors": {"A": {"defaultSelection": "DEFAULT", "remixSettings": swapped}}});
    encode(
        &world,
        &job("RAW", &selectors, &json!([with(wav(1), "remixSettings", left)])),
        &input,
        None,
    )
    .await;
    let (found, _) = levels(&audio(&world, "wav"), 0);
    assert_eq!(found.len(), 1);
    near(found[0], -12.5);
}

#[tokio::test]
async fn several_tracks_become_one_or_many() {
    let world = World::new();
    let input = world.clip(
        "tracks.mov",
        &[
            "-f",
            "lavfi",
            "-i",
            "aevalsrc=0.5*sin(2*PI*440*t):s=48000:d=1",
            "-f",
            "lavfi",
            "-i",
            "aevalsrc=0.05*sin(2*PI*880*t):s=48000:d=1",
            "-map",
            "0",
            "-map",
            "1",
            "-c:a",
            "pcm_s16le",
            "-metadata:s:a:0",
            "language=eng",
            "-metadata:s:a:1",
            "language=ita",
        ],
    );
    let joined = json!({"audioSelectors": {"A": {"tracks": [2, 1], "defaultSelection": "DEFAULT"}}});
    encode(&world, &job("RAW", &joined, &json!([wav(2)])), &input, None).await;
    let (found, _) = levels(&audio(&world, "wav"), 0);
    near(found[0], -29.0);
    near(found[1], -9.0);
    // Each member of a group is a track.
    let group = json!({"audioSelectors": {"First": {"tracks": [1]}, "Second": {"selectorType": "STREAM", "streams": [2]}},
        "audioSelectorGroups": {"Both": {"audioSelectorNames": ["Second", "First"]}}});
    let description = with(aac(), "audioSourceName", json!("Both"));
    encode(&world, &job("MP4", &group, &json!([description])), &input, None).await;
    let path = audio(&world, "mp4");
    let tracks = shown(
        &path,
        &["-select_streams", "a", "-show_entries", "stream_tags=language"],
    );
    let languages: Vec<_> = tracks["streams"]
        .as_array()
        .expect("has tracks")
        .iter()
        .map(|track| &track["tags"]["language"])
        .collect();
    assert_eq!(languages, [&json!("ita"), &json!("eng")]);
    assert!(levels(&path, 0).0[0] < levels(&path, 1).0[0] - 10.0);
}

#[tokio::test]
async fn audio_comes_from_a_file_beside_the_video() {
    let world = World::new();
    let video = world.clip(
        "silent.mp4",
        &[
            "-f",
            "lavfi",
            "-i",
            "color=black:s=160x90:r=25:d=1",
            "-f",
            "lavfi",
            "-i",
            "anullsrc=r=48000:cl=stereo:d=1",
        ],
    );
    let voice = world.clip(
        "voice.wav",
        &["-f", "lavfi", "-i", "aevalsrc=0.5*sin(2*PI*440*t):s=44100:d=3"],
    );
    let external = json!({"audioSelectors": {"Voice": {"externalAudioFileInput": VOICE, "offset": 500},
        "Own": {"tracks": [1], "defaultSelection": "DEFAULT"}}});
    // With the loudness that the job asks for: the file is measured, too.
    let description = with(wav(1), "audioSourceName", json!("Voice"));
    let description = with(
        description,
        "audioNormalizationSettings",
        json!({"targetLkfs": -23, "algorithm": "ITU_BS_1770_3"}),
    );
    encode(
        &world,
        &job("RAW", &external, &json!([description])),
        &video,
        Some(&voice),
    )
    .await;
    let (found, seconds) = levels(&audio(&world, "wav"), 0);
    assert!((-40.0..-15.0).contains(&found[0]), "is heard: {found:?}");
    assert!(
        (seconds - 1.0).abs() < 0.05,
        "is as long as the video: {seconds} s"
    );
    // The same file in two outputs, and an image, which is the input after it.
    let mut settings = job(
        "MP4",
        &external,
        &json!([
            with(aac(), "audioSourceName", json!("Voice")),
            with(aac(), "audioSourceName", json!("Own"))
        ]),
    );
    settings["outputGroups"][0]["outputs"][0]["videoDescription"] = json!({"width": 160, "height": 90, "codecSettings": {
        "codec": "H_264", "h264Settings": {"rateControlMode": "VBR", "bitrate": 200_000, "qualityTuningLevel": "SINGLE_PASS"}}});
    encode(&world, &settings, &video, Some(&voice)).await;
    let path = audio(&world, "mp4");
    assert!(levels(&path, 0).0[0] > -20.0);
    assert!(levels(&path, 1).0[0] < -60.0);
}

#[tokio::test]
async fn a_language_of_the_job_is_that_of_the_track() {
    let world = World::new();
    let input = stereo(&world);
    let mut described = with(aac(), "languageCode", json!("DEU"));
    described["languageCodeControl"] = json!("USE_CONFIGURED");
    let plan = encode(&world, &job("MP4", &json!({}), &json!([described])), &input, None).await;
    let found = shown(&audio(&world, "mp4"), &["-show_entries", "stream_tags=language"]);
    assert_eq!(found["streams"][0]["tags"]["language"], "deu");
    assert!(plan.warnings.is_empty());
}
