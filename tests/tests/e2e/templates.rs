//! Templates in the bucket.

use anyhow::{Context, ensure};
use vod_tests::media::play;
use vod_tests::{LocalStack, clips};

const AUDIO_FREE_MP4: &str = r#"{"settings": {"inputs": [{"videoSelector": {"rotate": "AUTO"}}], "outputGroups": [{
    "name": "File Group",
    "outputGroupSettings": {"type": "FILE_GROUP_SETTINGS", "fileGroupSettings": {}},
    "outputs": [{"nameModifier": "_tiny", "containerSettings": {"container": "MP4"},
        "videoDescription": {"width": 160, "height": 90, "codecSettings": {"codec": "H_264", "h264Settings": {
            "rateControlMode": "VBR", "bitrate": 100000, "maxBitrate": 200000, "qualityTuningLevel": "SINGLE_PASS"}}}}]}]}}"#;

#[test]
fn a_users_templates_replace_the_built_in_one() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let clip = clips::ordinary("320x180", 2.0)?;

    stack.put("jobs/tiny.json", AUDIO_FREE_MP4.as_bytes())?;
    stack.upload(&clip, "input/own.mp4")?;
    let record = stack.wait_for_complete("input/own.mp4")?;
    let outputs = record["outputs"].as_array().context("no outputs")?;
    ensure!(
        outputs.len() == 1 && outputs[0]["template"] == "tiny",
        "{record:#}"
    );
    ensure!(
        outputs[0]["mp4"][0]["width"] == 160 && outputs[0]["hls"].is_null(),
        "{record:#}"
    );

    // One that is not JSON, one that is not a job: the upload ends in ERROR, in words that name the template.
    for (name, text) in [("broken", "{"), ("shopping", r#"{"milk": 2}"#)] {
        let template = format!("jobs/{name}.json");
        let key = format!("input/{name}.mp4");
        stack.put(&template, text.as_bytes())?;
        stack.upload(&clip, &key)?;
        let record = stack.wait_for_end(&key)?;
        ensure!(record["state"] == "ERROR", "{record:#}");
        let reason = record["reason"].as_str().context("no reason")?;
        ensure!(reason.contains(name), "{reason}");
        let bucket = &stack.endpoints.bucket;
        stack.aws(&["s3", "rm", &format!("s3://{bucket}/{template}")])?;
    }

    // With the bad ones gone, the pipeline goes on.
    stack.upload(&clip, "input/after.mp4")?;
    stack.wait_for_complete("input/after.mp4")?;
    Ok(())
}

#[test]
fn vod_check_judges_a_template() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let vod = vod_tests::tools::built("vod")?;
    for (name, text, code) in [("good", AUDIO_FREE_MP4, 0), ("bad", "{", 1)] {
        let path = folder.path().join(name);
        std::fs::write(&path, text)?;
        let mut command = std::process::Command::new(&vod);
        let output = vod_tests::tools::output(command.arg("check").arg(&path))?;
        ensure!(output.status.code() == Some(code), "{name}: {output:?}");
    }
    Ok(())
}

#[test]
fn the_cmaf_template_is_played_as_hls_and_as_dash() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    stack.put(
        "jobs/cmaf.json",
        include_bytes!("../../../job-templates/cmaf.json"),
    )?;
    stack.upload(&clips::ordinary("640x360", 2.0)?, "input/film.mp4")?;
    stack.upload(&clips::silent()?, "input/silent.mp4")?;
    let record = stack.wait_for_complete("input/film.mp4")?;
    let set = &record["outputs"][0];
    let prefix = set["prefix"].as_str().context("no prefix")?;
    ensure!(
        set["hls"]["master"] == format!("{prefix}cmaf/video.m3u8"),
        "{record:#}"
    );
    ensure!(
        set["dash"]["manifest"] == format!("{prefix}cmaf/video.mpd"),
        "{record:#}"
    );
    let variants = set["hls"]["variants"].as_array().context("no variants")?;
    ensure!(variants.len() == 1 && variants[0]["height"] == 360, "{record:#}");

    for key in ["input/film.mp4", "input/silent.mp4"] {
        let record = stack.wait_for_complete(key)?;
        let links = stack.vod_json(&["sign", record["id"].as_str().context("no id")?])?;
        for format in ["hls", "dash"] {
            let url = links[format]
                .as_str()
                .with_context(|| format!("no {format} in {links:#}"))?;
            let seconds = play(url).with_context(|| format!("{key} as {format}"))?;
            ensure!((seconds - 2.0).abs() <= 0.15, "{seconds} s of {key} as {format}");
        }
    }
    Ok(())
}
