//! From an upload to a link that plays, and to nobody without one.

use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::Value;
use vod_tests::media::{duration, keyframes, near, play, probe, size, stream};
use vod_tests::{LocalStack, clips, http, wait};

const KEY: &str = "input/한국 & café+1.mp4";
const SECONDS: f64 = 7.0;

/// What the edge says where CloudFront would say it.
fn denied(code: &str, message: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    )
}

#[test]
fn an_upload_becomes_a_video_that_only_links_can_watch() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    stack.upload(&clips::ordinary("1280x720", SECONDS)?, KEY)?;
    let record = stack.wait_for_complete(KEY)?;
    let asset = record["id"].as_str().context("no id")?;

    the_record_tells_all(&stack, &record)?;
    the_outputs_are_what_the_template_says(&stack, asset)?;
    let links = stack.vod_json(&["sign", asset])?;
    the_links_play_to_the_end(&links)?;
    assert_links_are_required(&stack, &links, asset)?;
    links_expire(&stack, asset)?;
    every_call_crossed_http(&stack, asset)?;
    assert_no_secret_is_logged(&stack, &links)?;
    the_commands_agree(&stack, asset)
}

fn the_record_tells_all(stack: &LocalStack, record: &Value) -> anyhow::Result<()> {
    ensure!(
        record["title"] == "한국 & café+1" && record["progress"] == 100,
        "{record:#}"
    );
    ensure!(record["source"]["key"] == KEY, "{record:#}");
    ensure!(
        record["source"]["width"] == 1280 && record["source"]["height"] == 720,
        "{record:#}"
    );
    ensure!(record["source"]["audio_tracks"] == 1, "{record:#}");
    let outputs = &record["outputs"][0];
    let variants = outputs["hls"]["variants"].as_array().context("no variants")?;
    let mut sizes: Vec<_> = variants
        .iter()
        .map(|variant| (variant["width"].as_u64(), variant["height"].as_u64()))
        .collect();
    sizes.sort();
    ensure!(
        sizes == [(640, 360), (960, 540), (1280, 720)].map(|(w, h)| (Some(w), Some(h))),
        "{sizes:?}"
    );
    ensure!(outputs["mp4"][0]["width"] == 1280, "{outputs:#}");
    ensure!(outputs["thumbnails"]["count"] == 2, "{outputs:#}");
    // What is written in the record is what lies in the bucket.
    let mut named = vec![
        &outputs["hls"]["master"],
        &outputs["mp4"][0]["key"],
        &outputs["thumbnails"]["poster"],
    ];
    named.extend(variants.iter().map(|variant| &variant["key"]));
    let keys = stack.keys("output/")?;
    for key in named {
        let key = key.as_str().context("no key")?;
        ensure!(
            keys.iter().any(|there| there == key),
            "{key} is not among {keys:?}"
        );
    }
    Ok(())
}

fn the_outputs_are_what_the_template_says(stack: &LocalStack, asset: &str) -> anyhow::Result<()> {
    let folder = stack.download(&format!("output/{asset}/default/"))?;
    let hls = folder.join("hls");
    let mut grids = Vec::new();
    for (name, expected) in [
        ("video_360", (640, 360)),
        ("video_540", (960, 540)),
        ("video_720", (1280, 720)),
    ] {
        let playlist = hls.join(format!("{name}.m3u8"));
        check_rendition(&playlist, expected)?;
        grids.push((name, keyframes(&playlist)?));
    }
    let (_, first) = &grids[0];
    for (name, grid) in &grids {
        let aligned = grid.len() == first.len() && grid.iter().zip(first).all(|(a, b)| (a - b).abs() < 0.001);
        ensure!(aligned, "keyframes of {name} differ: {grid:?} and {first:?}");
    }
    let mp4 = folder.join("mp4/video.mp4");
    check_rendition(&mp4, (1280, 720))?;
    ensure!(
        moov_is_in_front(&mp4)?,
        "a player would have to read the whole file first"
    );

    for thumbnail in ["video.0000000.jpg", "video.0000001.jpg"] {
        let picture = probe(folder.join("thumbnails").join(thumbnail))?;
        ensure!(stream(&picture, "video").context("no picture")?["codec_name"] == "mjpeg");
    }
    Ok(())
}

fn check_rendition(path: &Path, expected: (u64, u64)) -> anyhow::Result<()> {
    let facts = probe(path)?;
    let name = path.display();
    ensure!(size(&facts) == Some(expected), "{name}: {facts:#}");
    let seconds = duration(&facts).context("no duration")?;
    ensure!(near(seconds, SECONDS), "{name} lasts {seconds} s");
    let video = stream(&facts, "video").context("no video")?;
    ensure!(
        video["codec_name"] == "h264" && video["pix_fmt"] == "yuv420p",
        "{name}: {video:#}"
    );
    let audio = stream(&facts, "audio").context("no audio")?;
    ensure!(
        audio["codec_name"] == "aac" && audio["channels"] == 2,
        "{name}: {audio:#}"
    );
    ensure!(audio["sample_rate"] == "48000", "{name}: {audio:#}");
    Ok(())
}

/// Whether `moov` comes before `mdat` among the boxes of the file (ISO/IEC 14496-12).
fn moov_is_in_front(path: &Path) -> anyhow::Result<bool> {
    let bytes = std::fs::read(path)?;
    let position = |name: &[u8]| bytes.windows(4).position(|window| window == name);
    Ok(position(b"moov").context("no moov")? < position(b"mdat").context("no mdat")?)
}

fn the_links_play_to_the_end(links: &Value) -> anyhow::Result<()> {
    for link in [&links["hls"], &links["mp4"][0]["url"]] {
        let url = link.as_str().context("no link")?;
        let seconds = play(url).with_context(|| format!("could not play {url}"))?;
        ensure!(near(seconds, SECONDS), "{seconds} s of {url}");
    }
    let poster = http::get(links["poster"].as_str().context("no poster")?, &[])?;
    ensure!(poster.status == 200 && poster.header("content-type") == "image/jpeg");
    Ok(())
}

fn assert_links_are_required(stack: &LocalStack, links: &Value, asset: &str) -> anyhow::Result<()> {
    let edge = &stack.endpoints.edge;
    let hls = links["hls"].as_str().context("no hls")?;
    let mp4 = links["mp4"][0]["url"].as_str().context("no mp4")?;
    let (plain, query) = mp4.split_once('?').context("no query")?;
    let missing_key = denied(
        "MissingKey",
        "Missing Key-Pair-Id query parameter or cookie value",
    );

    let answer = http::get(plain, &[])?;
    ensure!(answer.status == 403 && answer.text() == missing_key, "{answer:?}");
    ensure!(answer.header("content-type") == "text/xml", "{answer:?}");
    let answer = http::get(&format!("{edge}/output/{asset}/default/hls/video.m3u8"), &[])?;
    ensure!(answer.status == 403 && answer.text() == missing_key, "{answer:?}");

    // Without the grant, and with one byte of it changed.
    let grant = hls
        .split("/play/")
        .nth(1)
        .and_then(|rest| rest.split('/').next())
        .context("no grant")?;
    for (at, _) in grant.char_indices().step_by(grant.len() / 12) {
        refused(&hls.replace(grant, &changed(grant, at)))?;
    }
    refused(&hls.replace(&format!("{grant}/"), ""))?;
    refused(&hls.replace(grant, "x"))?;

    // One byte of each parameter, and one of the path.
    for (at, byte) in query.char_indices().step_by(7) {
        // A changed name is another parameter, and is tested above as a missing one.
        if byte.is_ascii_alphanumeric() {
            refused(&format!("{plain}?{}", changed(query, at)))?;
        }
    }
    let other = plain.replace(asset, &changed(asset, asset.len() - 1));
    let answer = http::get(&format!("{other}?{query}"), &[])?;
    ensure!(
        answer.status == 403 && answer.text() == denied("AccessDenied", "Access denied"),
        "{answer:?}"
    );
    Ok(())
}

/// The text with the character at `at` replaced by another of the same kind.
fn changed(text: &str, at: usize) -> String {
    let old = &text[at..=at];
    let new = if old == "A" || old == "a" { "b" } else { "a" };
    format!("{}{new}{}", &text[..at], &text[at + 1..])
}

/// 403, in CloudFront's words, whichever they are.
fn refused(url: &str) -> anyhow::Result<()> {
    let answer = http::get(url, &[])?;
    ensure!(
        answer.status == 403,
        "{} for {url}: {}",
        answer.status,
        answer.text()
    );
    let text = answer.text();
    let words = [
        (
            "MissingKey",
            "Missing Key-Pair-Id query parameter or cookie value",
        ),
        ("MissingPolicy", "Missing Policy query parameter or cookie value"),
        (
            "MissingSignature",
            "Missing Signature query parameter or cookie value",
        ),
        ("InvalidKey", "Unknown Key"),
        ("MalformedSignature", "Could not unencode Signature"),
        ("MalformedPolicy", "Malformed Policy"),
        ("AccessDenied", "Access denied"),
    ];
    ensure!(
        words.iter().any(|(code, message)| text == denied(code, message)),
        "{url}: {text}"
    );
    Ok(())
}

fn links_expire(stack: &LocalStack, asset: &str) -> anyhow::Result<()> {
    let links = stack.vod_json(&["sign", asset, "--ttl", "1s"])?;
    for link in [&links["hls"], &links["mp4"][0]["url"]] {
        let url = link.as_str().context("no link")?;
        let answer = wait::until("a link to expire", wait::SOON, || {
            let answer = http::get(url, &[])?;
            Ok((answer.status != 200).then_some(answer))
        })?;
        ensure!(answer.status == 403, "{answer:?}");
        ensure!(
            answer.text() == denied("AccessDenied", "Access denied"),
            "{answer:?}"
        );
    }
    Ok(())
}

/// Between functions and services everything crosses real HTTP, as on AWS: the access log is the witness.
fn every_call_crossed_http(stack: &LocalStack, asset: &str) -> anyhow::Result<()> {
    let log = stack.access_log()?;
    let seen = |service: &str, operation: &str, key: Option<&str>| {
        log.iter().any(|line| {
            line["service"] == service
                && line["operation"] == operation
                && line["status"].as_u64().is_some_and(|status| status < 300)
                && key.is_none_or(|key| line["key"].as_str().is_some_and(|it| it.starts_with(key)))
        })
    };
    let record = format!("catalog/{asset}.json");
    for (service, operation, key) in [
        ("s3", "PutObject", Some(KEY)),
        ("lambda", "Invoke submit", None),
        ("s3", "HeadObject", Some(KEY)),
        ("s3", "ListObjectsV2", None),
        ("mediaconvert", "Probe", None),
        ("mediaconvert", "CreateJob", None),
        ("s3", "PutObject", Some(record.as_str())),
        ("s3", "GetObject", Some(record.as_str())),
        ("lambda", "Invoke complete", None),
        ("lambda", "InvokeFunctionUrl signer", None),
        (
            "s3",
            "PutObject",
            Some(&format!("output/{asset}/default/hls/video")),
        ),
    ] {
        ensure!(
            seen(service, operation, key),
            "no {service} {operation} {key:?} in {log:#?}"
        );
    }
    let creates = log.iter().filter(|line| line["operation"] == "CreateJob").count();
    ensure!(creates == 1, "{creates} calls of CreateJob");
    // PROGRESSING, STATUS_UPDATE, COMPLETE and so on: more than the last word.
    let events = log
        .iter()
        .filter(|line| line["operation"] == "Invoke complete")
        .count();
    ensure!(events >= 3, "{events} events of the job");
    Ok(())
}

fn assert_no_secret_is_logged(stack: &LocalStack, links: &Value) -> anyhow::Result<()> {
    let logs = stack.log()? + &std::fs::read_to_string(stack.state().join("access.log"))?;
    let mut secrets: Vec<&str> = links["cookies"]
        .as_object()
        .context("no cookies")?
        .iter()
        .filter(|(name, _)| name.ends_with("Policy") || name.ends_with("Signature"))
        .filter_map(|(_, value)| value.as_str())
        .collect();
    ensure!(secrets.len() == 2, "{links:#}");
    let grant = links["hls"].as_str().and_then(|url| url.split('/').nth(4));
    secrets.extend(grant);
    secrets.push(&stack.endpoints.token);
    let files: Value = serde_json::from_slice(&std::fs::read(stack.state().join("secrets.json"))?)?;
    secrets.extend(files["jwt_secret"].as_str());
    for secret in secrets {
        // Its middle: a log may cut what it shows.
        let part = &secret[secret.len() / 3..secret.len() / 3 + 20];
        ensure!(!logs.contains(part), "a secret is in the logs");
    }
    ensure!(!logs.contains("PRIVATE KEY") && !logs.contains("AWS4-HMAC-SHA256 Credential"));
    Ok(())
}

/// What `vod` says, by id and by key, in JSON and in words.
fn the_commands_agree(stack: &LocalStack, asset: &str) -> anyhow::Result<()> {
    let shown = stack.vod_json(&["show", KEY])?;
    ensure!(shown["id"] == asset && shown == stack.vod_json(&["show", asset])?);
    let list = stack.vod_json(&["ls"])?;
    ensure!(
        list.as_array()
            .is_some_and(|list| list.len() == 1 && list[0] == shown)
    );
    ensure!(stack.vod_json(&["sign", KEY])?["asset"] == asset);

    let words = |arguments: &[&str]| -> anyhow::Result<String> {
        let output = stack.vod(arguments)?;
        ensure!(output.status.success(), "{output:?}");
        Ok(String::from_utf8(output.stdout)?)
    };
    ensure!(words(&["ls"])?.contains("COMPLETE"));
    ensure!(words(&["show", asset])?.contains("hls/video.m3u8"));
    ensure!(words(&["sign", asset])?.starts_with("hls "));

    // A token of one's own opens what it says, and no more.
    let token = words(&["token", "--scope", "playback", "--asset", "other-*"])?;
    let bearer = format!("Bearer {}", token.trim());
    let url = format!("{}/api/playback?asset={asset}", stack.endpoints.edge);
    ensure!(http::get(&url, &[("authorization", &bearer)])?.status == 403);
    ensure!(http::get(&url, &[])?.status == 401);

    for (arguments, word) in [
        (&["show", "input/nothing.mp4"][..], "there is no upload"),
        (&["show", "film-0123456789abcdef-01234567"], "no record"),
        (&["sign", "film-0123456789abcdef-01234567"], "no such asset"),
        (&["upload", "/nonexistent.mp4"], "could not read"),
    ] {
        let output = stack.vod(arguments)?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.code() == Some(1) && text.contains(word),
            "{arguments:?}: {output:?}"
        );
    }
    Ok(())
}

#[test]
fn vod_upload_waits_for_the_end() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let clip = clips::ordinary("320x180", 2.0)?;
    let record = stack.vod_json(&["upload", &clip.to_string_lossy(), "--key", "a b/c.mp4", "--wait"])?;
    ensure!(record["state"] == "COMPLETE", "{record:#}");
    ensure!(record["source"]["key"] == "input/a b/c.mp4", "{record:#}");

    // In parts: larger than one, of which the content does not matter, and which is no video.
    let large = stack.scratch().join("large.mp4");
    std::fs::write(&large, vec![7; 20 << 20])?;
    let output = stack.vod(&["upload", &large.to_string_lossy(), "--wait"])?;
    ensure!(output.status.code() == Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout)?;
    ensure!(text.contains("ERROR") && text.contains("reason"), "{text}");
    // The same bytes again begin anew, and the first failure is not taken for the second's.
    let again = stack.vod(&["upload", &large.to_string_lossy(), "--wait", "--json"])?;
    let again: Value = serde_json::from_slice(&again.stdout)?;
    ensure!(again["jobs"].as_array().map(Vec::len) == Some(2), "{again:#}");
    let log = stack.access_log()?;
    let parts = log.iter().filter(|line| line["operation"] == "UploadPart");
    ensure!(parts.count() == 6, "{log:#?}");
    Ok(())
}

#[test]
fn a_second_vod_up_on_one_state_is_an_error() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let second = stack.vod(&["up", "--api", "127.0.0.1:0", "--edge", "127.0.0.1:0"])?;
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    ensure!(second.status.code() == Some(1), "{second:?}");
    ensure!(text.contains(&*stack.state().to_string_lossy()), "{text}");
    // The first goes on, and its endpoints are still there.
    ensure!(stack.vod_json(&["ls"])?.as_array().is_some_and(Vec::is_empty));
    Ok(())
}
