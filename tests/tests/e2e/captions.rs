//! Captions that an owner adds to a video.

use anyhow::{Context, ensure};
use serde_json::Value;
use vod_tests::media::{probe, stream};
use vod_tests::{LocalStack, clips, film, http};

use super::app::{App, detail};

const KEY: &str = "input/film.mp4";
const SRT: &str = "1\n00:00:01,000 --> 00:00:02,500\nHello\n";
const VTT: &str = "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\n[Glocken] Hallo\n";

fn path(asset: &str, rest: &str) -> String {
    format!("/api/manage/assets/{asset}/captions/{rest}")
}

/// The text at a URL.
fn text(url: &str) -> anyhow::Result<String> {
    let answer = http::get(url, &[])?;
    ensure!(answer.status == 200, "{url}: {answer:?}");
    Ok(answer.text())
}

/// The first line of a text that contains all `words`.
fn line<'a>(text: &'a str, words: &[&str]) -> anyhow::Result<&'a str> {
    let mut lines = text.lines();
    let found = lines.find(|line| words.iter().all(|word| line.contains(word)));
    found.with_context(|| format!("no line with {words:?}: {text}"))
}

/// The folder that the URLs in a playlist are relative to.
fn folder(url: &str) -> &str {
    url.rsplit_once('/').map_or(url, |(folder, _)| folder)
}

fn master(stack: &LocalStack, asset: &str) -> anyhow::Result<String> {
    let links = stack.api("/api/playback", &[("asset", asset)])?;
    Ok(links["hls"].as_str().context("no link")?.to_owned())
}

#[test]
fn captions_are_added_to_a_finished_video_and_taken_away_again() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let owner = App::new(&stack, &["--scope", "admin"])?;
    stack.upload(&clips::ordinary("320x180", 4.0)?, KEY)?;
    let record = stack.wait_for_complete(KEY)?;
    let asset = record["id"].as_str().context("no id")?;
    let before = text(&master(&stack, asset)?)?;
    ensure!(!before.contains("SUBTITLES"), "{before}");

    let put = |rest: &str, content: &str| -> anyhow::Result<Value> {
        let answer = owner.send_bytes("PUT", &path(asset, rest), content.into())?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(serde_json::from_slice(&answer.body)?)
    };
    put("EN", SRT)?;
    let record = put("de?kind=sdh&default=true&label=Deutsch+%26+mehr", VTT)?;
    ensure!(
        record["captions"][0]["label"] == "Deutsch & mehr" && record["captions"][0]["default"] == true,
        "{record:#}"
    );
    ensure!(
        record["captions"][1]["language"] == "en" && record["captions"][1]["label"] == "English",
        "{record:#}"
    );

    // Players find them in the master playlist.
    let url = master(&stack, asset)?;
    let playlist = text(&url)?;
    line(
        &playlist,
        &[
            "TYPE=SUBTITLES",
            "\"de\"",
            "DEFAULT=YES",
            "transcribes-spoken-dialog",
        ],
    )?;
    line(&playlist, &["#EXT-X-STREAM-INF:", "SUBTITLES="])?;
    let english = line(&playlist, &["TYPE=SUBTITLES", "\"en\"", "DEFAULT=NO"])?;
    let uri = english
        .rsplit_once("URI=\"")
        .context("no URI")?
        .1
        .trim_end_matches('"');
    let captions = format!("{}/{uri}", folder(&url));
    let media = text(&captions)?;
    let file = line(&media, &[".vtt"])?;
    let file = format!("{}/{file}", folder(&captions));
    let shown = text(&file)?;
    ensure!(shown.contains("00:00:01.000 --> 00:00:02.500\nHello"), "{shown}");

    // Their time 0 is the first picture, within 50 ms.
    let map = line(&shown, &["X-TIMESTAMP-MAP=MPEGTS:"])?;
    let pts = map
        .trim_start_matches("X-TIMESTAMP-MAP=MPEGTS:")
        .split(',')
        .next();
    let pts: f64 = pts.context("no time stamp")?.parse()?;
    let segments = stack.download(&format!("output/{asset}/default/hls/"))?;
    let mut names: Vec<_> = std::fs::read_dir(segments)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    names.sort();
    let first = names
        .iter()
        .find(|name| name.extension().is_some_and(|suffix| suffix == "ts"));
    let facts = probe(first.context("no segment")?)?;
    let start = stream(&facts, "video").context("no video")?["start_time"]
        .as_str()
        .context("no start")?;
    let start: f64 = start.parse()?;
    ensure!((pts / 90_000.0 - start).abs() < 0.05, "{pts} {start}");

    // New ones take the place of those of the same language and kind.
    put("en", &SRT.replace("Hello", "Good day"))?;
    ensure!(http::get(&file, &[])?.status == 404, "the old file is served");
    ensure!(
        stack.keys(&format!("output/{asset}/captions/"))?.len() == 2,
        "a file is left"
    );
    // They come back with the video.
    stack.vod_json(&["rm", asset, "--yes"])?;
    let restored = stack.vod_json(&["restore", asset])?;
    ensure!(
        restored["captions"].as_array().is_some_and(|all| all.len() == 2),
        "{restored:#}"
    );
    text(&master(&stack, asset)?)?;

    let gone = owner.json(200, "DELETE", &path(asset, "en"), None)?;
    ensure!(
        gone["captions"].as_array().is_some_and(|all| all.len() == 1),
        "{gone:#}"
    );
    let missing = detail(&owner.send("DELETE", &path(asset, "en"), None)?, 404)?;
    ensure!(missing.contains("no captions in this language"), "{missing}");
    owner.json(200, "DELETE", &path(asset, "de?kind=sdh"), None)?;
    ensure!(text(&master(&stack, asset)?)? == before, "something is left");
    ensure!(
        stack.keys(&format!("output/{asset}/captions/"))?.is_empty(),
        "a file is left"
    );
    let summary = stack.vod_json(&["reconcile"])?;
    ensure!(summary["given_up"] == 0 && summary["lost"] == 0, "{summary}");
    Ok(())
}

#[test]
fn bad_captions_are_refused_with_their_reason() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let owner = App::new(&stack, &["--scope", "admin"])?;
    let asset = film::put(&stack, KEY)?;
    let large = VTT.repeat(20_000);
    let before = stack.keys("")?;
    for (rest, content, words) in [
        ("en", "<!DOCTYPE html><p>Hello</p>", "neither WebVTT nor SubRip"),
        ("en", "", "neither WebVTT nor SubRip"),
        (
            "en",
            "WEBVTT\n\n00:00:02.000 --> 00:00:01.000\nHello\n",
            "before its start",
        ),
        ("en", "WEBVTT\n\n00:00:xx.000 --> 00:00:01.000\nHello\n", "line 3"),
        ("en", &large, "1 MiB"),
        ("english", VTT, "is not a language"),
        ("en?kind=karaoke", VTT, "kind is not"),
        ("en?default=maybe", VTT, "default is neither"),
        ("en?label=%22", VTT, "label"),
    ] {
        let answer = owner.send_bytes("PUT", &path(&asset, rest), content.into())?;
        let said = detail(&answer, 400)?;
        ensure!(said.contains(words), "{rest} {words}: {said}");
    }
    let unknown = path("film-0123456789abcdef-01234567", "en");
    detail(&owner.send_bytes("PUT", &unknown, VTT.into())?, 404)?;
    let weak = App::new(&stack, &["--scope", "upload,library,playback"])?;
    detail(&weak.send_bytes("PUT", &path(&asset, "en"), VTT.into())?, 403)?;
    detail(&weak.send("DELETE", &path(&asset, "en"), None)?, 403)?;
    ensure!(stack.keys("")? == before, "something was changed");
    Ok(())
}
