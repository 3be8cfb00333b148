//! `vod show`: shows one asset.

use std::fmt::Write as _;

use vod_core::record::{Job, OutputSet, Record, Rendition, Source};

use crate::output::{self, plain};
use crate::stack::Stack;
use crate::target::{Target, existing_record};

/// Show an asset: its source, jobs, outputs and errors
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An asset id, or the key of an upload (input/…)
    #[arg(value_name = "ASSET|input/KEY")]
    target: Target,
    /// Print the record as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `vod show`.
pub(crate) async fn run(stack: &Stack, args: &Args) -> anyhow::Result<()> {
    let asset = args.target.asset(stack).await?;
    let record = existing_record(stack, &asset).await?;
    if args.json {
        return output::json(&record);
    }
    print(&record)
}

/// Prints a record for people.
pub(crate) fn print(record: &Record) -> anyhow::Result<()> {
    output::line(text(record).trim_end())
}

fn text(record: &Record) -> String {
    let mut text = String::new();
    let mut add = |label: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{label:9} {value}");
    };
    add("asset", record.id.as_str());
    add("title", &plain(&record.title));
    add(
        "state",
        &format!("{} {} %", record.state.as_str(), record.progress),
    );
    if let Some(reason) = &record.reason {
        add("reason", &plain(reason));
    }
    add("source", &source(&record.source));
    for job in &record.jobs {
        add("job", &job_line(job));
        for detail in job_details(job) {
            add("", &detail);
        }
    }
    for entry in &record.left_out {
        add(
            "left out",
            &format!("{}: {}", plain(&entry.what), plain(&entry.why)),
        );
    }
    for set in &record.outputs {
        add("outputs", &set.prefix);
        for output in outputs(set) {
            add("", &output);
        }
    }
    text
}

fn source(source: &Source) -> String {
    let mut facts = vec![output::size(source.size)];
    let media = &source.media;
    if let (Some(width), Some(height)) = (media.width, media.height) {
        facts.push(format!("{width}x{height}"));
    }
    if let Some(aspect) = media.pixel_aspect {
        facts.push(format!("pixels of {}:{}", aspect.width, aspect.height));
    }
    if let Some(rotation) = media.rotation.filter(|degrees| *degrees != 0) {
        facts.push(format!("rotated by {rotation} degrees"));
    }
    if let Some(rate) = media.frame_rate {
        // 29.970 as 29.97, 30.000 as 30.
        let rate = format!("{rate:.3}");
        facts.push(format!(
            "{} frames/s",
            rate.trim_end_matches('0').trim_end_matches('.')
        ));
    }
    if let Some(ms) = media.duration_ms {
        facts.push(output::duration(ms));
    }
    match media.audio_tracks {
        Some(0) => facts.push("no audio".to_owned()),
        Some(1) => facts.push("1 audio track".to_owned()),
        Some(tracks) => facts.push(format!("{tracks} audio tracks")),
        None => {}
    }
    format!("{} ({})", plain(&source.key), facts.join(", "))
}

fn job_line(job: &Job) -> String {
    let id = job.job_id.as_deref().unwrap_or("not created yet");
    format!(
        "{}, attempt {}: {} {} % ({id})",
        job.template,
        job.attempt,
        job.state.as_str(),
        job.progress
    )
}

fn job_details(job: &Job) -> Vec<String> {
    let changes = job
        .changes
        .iter()
        .map(|change| format!("changed by rule {} at {}", change.rule, change.path));
    let warnings = job.warnings.iter().map(|warning| match &warning.message {
        Some(message) => format!("warning {}: {}", warning.code, plain(message)),
        None => format!("warning {}", warning.code),
    });
    let mut details: Vec<String> = changes.chain(warnings).collect();
    if let Some(error) = &job.error {
        details.push(format!("error {}: {}", error.code, plain(&error.message)));
        details.push(format!("meaning: {}", error.meaning));
        details.push(format!("what to do: {}", error.remedy));
    }
    details
}

fn outputs(set: &OutputSet) -> Vec<String> {
    // Keys are long: below the folder's line, only what follows it.
    let short = |key: &str| key.strip_prefix(&set.prefix).unwrap_or(key).to_owned();
    let mut lines = Vec::new();
    if let Some(hls) = &set.hls {
        lines.push(short(&hls.master));
        lines.extend(
            hls.variants
                .iter()
                .map(|it| format!("  {}{}", short(&it.key), facts(it))),
        );
    }
    lines.extend(
        set.mp4
            .iter()
            .map(|it| format!("{}{}", short(&it.key), facts(it))),
    );
    if let Some(thumbnails) = &set.thumbnails {
        let noun = if thumbnails.count == 1 {
            "picture"
        } else {
            "pictures"
        };
        lines.push(format!(
            "{} ({} {noun})",
            short(&thumbnails.pattern),
            thumbnails.count
        ));
    }
    let listed = set.hls.iter().map(|hls| &hls.master);
    let further = set
        .manifests
        .iter()
        .filter(|key| !listed.clone().any(|it| it == *key));
    lines.extend(further.map(|key| short(key)));
    lines
}

fn facts(rendition: &Rendition) -> String {
    let mut text = String::new();
    if let (Some(width), Some(height)) = (rendition.width, rendition.height) {
        text = format!("  {width}x{height}");
    }
    if let Some(ms) = rendition.duration_ms {
        text = format!("{text}  {}", output::duration(ms));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_for_people() {
        let record: Record = serde_json::from_value(serde_json::json!({
            "schema": 1, "id": "film-0123456789abcdef-01234567", "state": "ERROR", "progress": 40,
            "title": "my\u{1b}film", "reason": "ran out of disk",
            "source": {"bucket": "vod", "key": "input/my film.mp4", "etag": "e", "size": 1_048_576,
                "uploaded_at": "2026-11-21T10:00:00Z", "duration_ms": 7000, "width": 1280, "height": 720,
                "frame_rate": 29.97, "rotation": 90, "pixel_aspect": "4:3", "audio_tracks": 0},
            "left_out": [{"what": "subtitle track 2 (deu)", "why": "the template makes no captions"}],
            "jobs": [{"template": "default", "attempt": 1, "job_id": "1-a", "state": "ERROR", "progress": 40,
                "changes": [{"rule": "no-upscale", "path": "/outputGroups/0/outputs/2"}],
                "warnings": [{"code": 240_000, "message": "odd"}],
                "error": {"code": 1010, "message": "bad", "meaning": "cannot read it",
                          "remedy": "upload it again", "retryable": false}}],
            "outputs": [{"template": "default", "prefix": "output/film/default/",
                "hls": {"master": "output/film/default/hls/video.m3u8", "variants": [
                    {"key": "output/film/default/hls/video_360.m3u8", "width": 640, "height": 360, "duration_ms": 7000}]},
                "mp4": [{"key": "output/film/default/mp4/video.mp4"}],
                "thumbnails": {"pattern": "output/film/default/thumbnails/video.%07d.jpg", "first": 0, "count": 2,
                               "poster": "output/film/default/thumbnails/video.0000001.jpg"}}],
            "created_at": "2026-11-21T10:00:00Z", "updated_at": "2026-11-21T10:00:00Z",
        }))
        .unwrap();
        insta::assert_snapshot!(text(&record));
    }
}
