//! The media that phones, cameras and screen recorders make, through the whole pipeline.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use vod_tests::http::get;
use vod_tests::media::{duration, play, probe, size, stream, volume};
use vod_tests::{LocalStack, clips};

/// A clip, and what its mp4 and its record must be.
struct Case {
    name: &'static str,
    clip: PathBuf,
    check: fn(mp4: &Value, record: &Value) -> anyhow::Result<()>,
}

fn cases() -> anyhow::Result<Vec<Case>> {
    let case = |name, clip, check| Case { name, clip, check };
    Ok(vec![
        case("silent.mp4", clips::silent()?, no_audio),
        case("portrait.mp4", clips::portrait()?, upright),
        case("odd.mp4", clips::odd_size()?, even),
        case("variable.mp4", clips::variable_rate()?, ordinary),
        case("surround.mp4", clips::surround()?, stereo),
        case("hdr.mp4", clips::hdr()?, eight_bits),
        case("short.mp4", clips::ordinary("320x180", 1.0)?, ordinary),
        case("film.mov", clips::quicktime()?, ordinary),
        case("without a suffix", clips::ordinary("320x180", 2.0)?, ordinary),
    ])
}

#[test]
fn videos_of_all_kinds_of_cameras_can_be_watched() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let cases = cases()?;
    let key = |case: &Case| format!("input/{}", case.name);
    for case in &cases {
        stack.upload(&case.clip, &key(case))?;
    }
    for case in &cases {
        let record = stack.wait_for_complete(&key(case))?;
        check(&stack, case, &record).with_context(|| format!("{}: {record:#}", case.name))?;
    }
    Ok(())
}

/// Songs, audiobooks and podcasts: no video is made of them, and a cover becomes the poster.
#[test]
fn an_upload_without_video_is_heard_and_shows_its_cover() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let uploads = [
        ("song.mp3", clips::song()?, true),
        ("audiobook.m4b", clips::audiobook()?, true),
        ("podcast.ogg", clips::podcast()?, false),
    ];
    for (name, clip, _) in &uploads {
        stack.upload(clip, &format!("input/{name}"))?;
    }
    for (name, _, has_cover) in &uploads {
        let record = stack.wait_for_complete(&format!("input/{name}"))?;
        heard(&stack, &record, *has_cover).with_context(|| format!("{name}: {record:#}"))?;
    }
    Ok(())
}

fn heard(stack: &LocalStack, record: &Value, has_cover: bool) -> anyhow::Result<()> {
    ensure!(has_rule(record, "audio-only"), "no trace of the rule");
    let variants = record["outputs"][0]["hls"]["variants"].as_array();
    ensure!(
        variants.is_some_and(|variants| variants.len() == 1),
        "one variant"
    );
    let links = stack.vod_json(&["sign", record["id"].as_str().context("no id")?])?;
    let mp4 = probe(links["mp4"][0]["url"].as_str().context("no mp4")?)?;
    ensure!(
        stream(&mp4, "video").is_none() && stream(&mp4, "audio").is_some(),
        "{mp4:#}"
    );
    let seconds = play(links["hls"].as_str().context("no hls")?)?;
    ensure!((seconds - 2.0).abs() <= 0.15, "{seconds} s");
    match links["poster"].as_str() {
        Some(poster) if has_cover => {
            let (width, height) = size(&probe(poster)?).context("no picture")?;
            ensure!(width == height && width <= 300, "{width}x{height}");
        }
        None if !has_cover => {}
        other => anyhow::bail!("poster: {other:?}"),
    }
    Ok(())
}

/// Both languages are audio renditions and tracks of the MP4 file, and the record says what became of the subtitles.
#[test]
fn an_upload_with_two_languages_ends_with_both() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let key = "input/film.mkv";
    stack.upload(&clips::two_languages()?, key)?;
    let record = stack.wait_for_complete(key)?;
    ensure!(
        has_rule(&record, "audio-tracks"),
        "no trace of the rule: {record:#}"
    );
    let left_out = record["left_out"].as_array().context("nothing is left out")?;
    // Beside renditions that are larger than the picture.
    let is_track = |entry: &&Value| {
        entry["what"]
            .as_str()
            .is_some_and(|what| what.contains(" track "))
    };
    let tracks: Vec<_> = left_out.iter().filter(is_track).collect();
    let [subtitles] = tracks.as_slice() else {
        bail!("{left_out:#?}")
    };
    ensure!(subtitles["what"] == "subtitle track 1 (eng)", "{subtitles:#}");
    let why = subtitles["why"].as_str().context("no reason")?;
    ensure!(
        why.contains("SRT or WebVTT") && why.contains("CaptionSelectors"),
        "{why}"
    );

    let links = stack.vod_json(&["sign", record["id"].as_str().context("no id")?])?;
    let hls = links["hls"].as_str().context("no hls")?;
    let master = get(hls, &[])?.text();
    for (default, language, name) in [("YES", "eng", "English"), ("NO", "deu", "German")] {
        let rendition = format!("LANGUAGE=\"{language}\",NAME=\"{name}\",AUTOSELECT=YES,DEFAULT={default},");
        ensure!(master.contains(&rendition), "{rendition} in {master}");
    }
    let variants = master
        .lines()
        .filter(|line| line.starts_with("#EXT-X-STREAM-INF:"));
    ensure!(variants.clone().count() > 0, "{master}");
    for variant in variants {
        ensure!(variant.contains("AUDIO=\"audio_1\""), "{variant}");
    }
    ensure!((play(hls)? - 2.0).abs() <= 0.15, "it does not play to its end");

    let mp4 = links["mp4"][0]["url"].as_str().context("no mp4")?;
    for source in [mp4, hls] {
        let facts = probe(source)?;
        let streams = facts["streams"].as_array().context("no streams")?;
        let audio = streams.iter().filter(|stream| stream["codec_type"] == "audio");
        let languages: Vec<_> = audio.map(|stream| stream["tags"]["language"].as_str()).collect();
        for language in ["eng", "deu"] {
            ensure!(languages.contains(&Some(language)), "{source}: {languages:?}");
        }
        // A tenth is 20 decibels.
        let (first, second) = (volume(source, "eng")?, volume(source, "deu")?);
        ensure!(
            (first - second - 20.0).abs() < 3.0,
            "{source}: {first} dB and {second} dB"
        );
    }
    Ok(())
}

/// Shapes of old films and of phones: as a viewer expects them, and without bars.
#[test]
fn a_picture_of_any_shape_keeps_it() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let cases = [
        ("4:3", "320x240", "1", (320, 240)),
        ("1:1", "240x240", "1", (240, 240)),
        // PAL widescreen, and NTSC in 4:3, in their own pixels.
        ("anamorphic 16:9", "360x288", "64/45", (512, 288)),
        ("anamorphic 4:3", "360x240", "8/9", (320, 240)),
    ];
    let key = |name: &str| format!("input/{}.mp4", name.replace([':', ' '], "-"));
    for (name, size, pixel, _) in cases {
        stack.upload(&clips::shaped(size, pixel)?, &key(name))?;
    }
    for (name, _, _, expected) in cases {
        let record = stack.wait_for_complete(&key(name))?;
        let links = stack.vod_json(&["sign", record["id"].as_str().context("no id")?])?;
        let mp4 = probe(links["mp4"][0]["url"].as_str().context("no mp4")?)?;
        let (width, height) = size(&mp4).context("no size")?;
        let near = |a: u64, b: u64| a.abs_diff(b) <= 1;
        ensure!(
            near(width, expected.0) && near(height, expected.1),
            "{name}: {width}x{height}"
        );
        let video = stream(&mp4, "video").context("no video")?;
        let square = video["sample_aspect_ratio"]
            .as_str()
            .is_none_or(|shape| shape == "1:1");
        ensure!(square, "{name}: {video:#}");
    }
    Ok(())
}

fn check(stack: &LocalStack, case: &Case, record: &Value) -> anyhow::Result<()> {
    let asset = record["id"].as_str().context("no id")?;
    let links = stack.vod_json(&["sign", asset])?;
    let mp4 = links["mp4"][0]["url"].as_str().context("no mp4")?;
    let hls = links["hls"].as_str().context("no hls")?;

    let facts = probe(mp4)?;
    let video = stream(&facts, "video").context("no video")?;
    ensure!(
        video["codec_name"] == "h264" && video["pix_fmt"] == "yuv420p",
        "{video:#}"
    );
    let source = duration(&probe(&case.clip)?).context("no duration of the source")?;
    for seconds in [duration(&facts).context("no duration")?, play(hls)?] {
        // Half a frame at the end of a clip with an uneven rate is nobody's fault.
        ensure!((seconds - source).abs() <= 0.15, "{seconds} s of {source} s");
    }
    (case.check)(&facts, record)
}

fn ordinary(mp4: &Value, _: &Value) -> anyhow::Result<()> {
    ensure!(size(mp4) == Some((320, 180)), "{mp4:#}");
    ensure!(stream(mp4, "audio").is_some(), "{mp4:#}");
    Ok(())
}

fn no_audio(mp4: &Value, record: &Value) -> anyhow::Result<()> {
    ensure!(stream(mp4, "audio").is_none(), "{mp4:#}");
    ensure!(has_rule(record, "drop-missing-audio"), "no trace of the rule");
    ensure!(record["source"]["audio_tracks"] == 0);
    Ok(())
}

fn upright(mp4: &Value, record: &Value) -> anyhow::Result<()> {
    let (width, height) = size(mp4).context("no size")?;
    ensure!(width < height, "{width}x{height}");
    let rotation = record["source"]["rotation"].as_u64().context("no rotation")?;
    ensure!(rotation == 90 || rotation == 270, "{rotation}");
    ensure!(has_rule(record, "keep-shape"), "no trace of the rule");
    Ok(())
}

fn even(mp4: &Value, record: &Value) -> anyhow::Result<()> {
    let (width, height) = size(mp4).context("no size")?;
    ensure!(width % 2 == 0 && height % 2 == 0, "{width}x{height}");
    ensure!(
        width.abs_diff(321) <= 1 && height.abs_diff(179) <= 1,
        "{width}x{height}"
    );
    ensure!(has_rule(record, "no-upscale"), "no trace of the rule");
    Ok(())
}

fn stereo(mp4: &Value, _: &Value) -> anyhow::Result<()> {
    let audio = stream(mp4, "audio").context("no audio")?;
    ensure!(audio["channels"] == 2, "{audio:#}");
    Ok(())
}

fn eight_bits(mp4: &Value, record: &Value) -> anyhow::Result<()> {
    // The pixel format is checked for all; the colors must be those of SDR.
    let video = stream(mp4, "video").context("no video")?;
    ensure!(
        matches!(video["color_transfer"].as_str(), None | Some("bt709" | "unknown")),
        "{video:#}"
    );
    let warnings = record["jobs"][0]["warnings"].as_array().map_or(0, Vec::len);
    ensure!(warnings > 0, "no warning says that the colors were converted");
    Ok(())
}

fn has_rule(record: &Value, name: &str) -> bool {
    let changes = record["jobs"][0]["changes"].as_array();
    changes.is_some_and(|changes| changes.iter().any(|change| change["rule"] == name))
}
