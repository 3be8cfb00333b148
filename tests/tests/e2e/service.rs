//! MediaConvert's job templates, presets and queues, with the AWS CLI.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use vod_tests::{LocalStack, clips, wait};

const ROLE: &str = "arn:aws:iam::000000000000:role/mc";

/// A small picture in an MP4 file, as the CLI takes it.
fn preset() -> Value {
    json!({"ContainerSettings": {"Container": "MP4"},
        "VideoDescription": {"Width": 160, "Height": 90, "CodecSettings": {"Codec": "H_264", "H264Settings":
            {"RateControlMode": "VBR", "Bitrate": 100_000, "QualityTuningLevel": "SINGLE_PASS"}}}})
}

fn template(preset: &str) -> Value {
    json!({"Inputs": [{"VideoSelector": {"Rotate": "AUTO"}, "TimecodeSource": "ZEROBASED"}],
        "OutputGroups": [{"Name": "File Group",
            "OutputGroupSettings": {"Type": "FILE_GROUP_SETTINGS", "FileGroupSettings": {"Destination": "s3://vod/output/made/film"}},
            "Outputs": [{"Preset": preset, "NameModifier": "_small"}]}]})
}

fn mediaconvert(stack: &LocalStack, arguments: &[&str]) -> anyhow::Result<Value> {
    let text = stack.aws(&[&["mediaconvert"], arguments].concat())?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// What a call that must be refused says.
fn refused(stack: &LocalStack, arguments: &[&str]) -> anyhow::Result<String> {
    match mediaconvert(stack, arguments) {
        Ok(answer) => anyhow::bail!("{arguments:?} was accepted: {answer}"),
        Err(error) => Ok(error.to_string()),
    }
}

fn text(value: &Value) -> anyhow::Result<String> {
    Ok(value.as_str().context("no text")?.to_owned())
}

fn status(stack: &LocalStack, id: &str) -> anyhow::Result<String> {
    let job = mediaconvert(stack, &["get-job", "--id", id])?;
    text(&job["Job"]["Status"])
}

/// CreateJob with the job template `film`, in the default queue.
fn job(inputs: &str) -> [&str; 7] {
    [
        "create-job",
        "--role",
        ROLE,
        "--job-template",
        "film",
        "--settings",
        inputs,
    ]
}

#[test]
fn templates_presets_and_queues_with_the_aws_cli() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    stack.upload(&clips::ordinary("320x180", 1.0)?, "input/film.mp4")?;
    stack.wait_for_complete("input/film.mp4")?;
    let (settings, from) = (preset().to_string(), template("small").to_string());
    let create = [
        "create-preset",
        "--name",
        "small",
        "--settings",
        &settings,
        "--tags",
        "a=b",
    ];
    let preset_arn = text(&mediaconvert(&stack, &create)?["Preset"]["Arn"])?;
    let create = [
        "create-job-template",
        "--name",
        "film",
        "--settings",
        &from,
        "--queue",
        "Default",
    ];
    mediaconvert(&stack, &create)?;
    mediaconvert(&stack, &["create-queue", "--name", "side", "--status", "PAUSED"])?;

    let inputs = json!({"Inputs": [{"FileInput": "s3://vod/input/film.mp4"}]}).to_string();
    let held = mediaconvert(&stack, &[&job(&inputs)[..], &["--queue", "side"]].concat())?;
    let held = text(&held["Job"]["Id"])?;
    // Everything survives a restart.
    let stack = stack.kill_and_start_again()?;
    paused_and_resumed(&stack, &held, &inputs)?;
    lists_tags_and_queries(&stack, &preset_arn, &held)?;
    refusals(&stack, &preset_arn, &inputs)
}

/// A paused queue holds its job, which one of another queue overtakes.
fn paused_and_resumed(stack: &LocalStack, held: &str, inputs: &str) -> anyhow::Result<()> {
    let settings = mediaconvert(stack, &["get-job", "--id", held])?["Job"]["Settings"].take();
    let video = &settings["OutputGroups"][0]["Outputs"][0]["VideoDescription"];
    ensure!(video["Width"] == 160, "{settings:#}");
    let direct = text(&mediaconvert(stack, &job(inputs))?["Job"]["Id"])?;
    let ended = |id: &str| Ok((status(stack, id)? == "COMPLETE").then_some(()));
    wait::until("the job of the other queue", wait::ENCODE, || ended(&direct))?;
    ensure!(status(stack, held)? == "SUBMITTED", "a paused queue works");
    let queue = mediaconvert(stack, &["get-queue", "--name", "side"])?;
    ensure!(queue["Queue"]["SubmittedJobsCount"] == 1, "{queue:#}");
    let error = refused(stack, &["delete-queue", "--name", "side"])?;
    ensure!(error.contains("ConflictException"), "{error}");
    mediaconvert(stack, &["update-queue", "--name", "side", "--status", "ACTIVE"])?;
    wait::until("the job of the resumed queue", wait::ENCODE, || ended(held))?;
    ensure!(stack.keys("output/made/")? == ["output/made/film_small.mp4"]);
    mediaconvert(stack, &["delete-queue", "--name", "side"]).map(drop)
}

fn lists_tags_and_queries(stack: &LocalStack, preset: &str, held: &str) -> anyhow::Result<()> {
    let presets = mediaconvert(stack, &["list-presets", "--max-results", "1"])?;
    ensure!(
        presets["Presets"][0]["Name"] == "small" && presets["NextToken"].is_null(),
        "{presets:#}"
    );
    mediaconvert(stack, &["tag-resource", "--arn", preset, "--tags", "c=d"])?;
    mediaconvert(stack, &["untag-resource", "--arn", preset, "--tag-keys", "a"])?;
    let tags = mediaconvert(stack, &["list-tags-for-resource", "--arn", preset])?;
    ensure!(tags["ResourceTags"]["Tags"] == json!({"c": "d"}), "{tags:#}");
    let query = ["start-jobs-query", "--filter-list", "Key=queue,Values=side"];
    let query = text(&mediaconvert(stack, &query)?["Id"])?;
    let results = mediaconvert(stack, &["get-jobs-query-results", "--id", &query])?;
    ensure!(results["Jobs"].as_array().map(Vec::len) == Some(1), "{results:#}");
    ensure!(results["Jobs"][0]["Id"] == held, "{results:#}");
    let versions = mediaconvert(stack, &["list-versions"])?;
    ensure!(versions["Versions"][0]["Version"].is_string(), "{versions:#}");
    let endpoints = mediaconvert(stack, &["describe-endpoints"])?;
    ensure!(
        endpoints["Endpoints"][0]["Url"] == stack.endpoints.api.as_str(),
        "{endpoints:#}"
    );
    let policy = mediaconvert(stack, &["put-policy", "--policy", "HttpInputs=DISALLOWED"])?;
    ensure!(policy["Policy"]["HttpInputs"] == "DISALLOWED", "{policy:#}");
    Ok(())
}

/// In AWS's words.
fn refusals(stack: &LocalStack, preset: &str, inputs: &str) -> anyhow::Result<()> {
    let mut odd = self::preset();
    odd["VideoDescription"]["Width"] = 161.into();
    let odd = odd.to_string();
    let error = refused(stack, &["update-preset", "--name", "small", "--settings", &odd])?;
    ensure!(
        error.contains("/videoDescription/width: Should be a multiple of 2"),
        "{error}"
    );
    mediaconvert(stack, &["delete-preset", "--name", preset])?;
    let error = refused(stack, &job(inputs))?;
    ensure!(
        error.contains("NotFoundException") && error.contains("preset was not found: presetArn=arn:"),
        "{error}"
    );
    let error = refused(
        stack,
        &["create-queue", "--name", "r", "--pricing-plan", "RESERVED"],
    )?;
    ensure!(error.contains("BadRequestException"), "{error}");
    Ok(())
}

#[test]
fn a_template_in_the_bucket_may_name_job_templates_and_presets() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let clip = clips::ordinary("320x180", 1.0)?;
    let (settings, from) = (preset().to_string(), template("small").to_string());
    mediaconvert(
        &stack,
        &["create-preset", "--name", "small", "--settings", &settings],
    )?;
    mediaconvert(
        &stack,
        &["create-job-template", "--name", "film", "--settings", &from],
    )?;
    stack.put("jobs/theirs.json", br#"{"JobTemplate": "film", "Settings": {}}"#)?;
    stack.upload(&clip, "input/film.mp4")?;
    let record = stack.wait_for_complete("input/film.mp4")?;
    // The rules have seen the outputs of the preset, and the destination is the asset's own.
    let output = &record["outputs"][0];
    ensure!(
        output["template"] == "theirs" && output["mp4"][0]["width"] == 160,
        "{record:#}"
    );
    let left_out = record["left_out"].to_string();
    ensure!(left_out.contains("the template makes no audio"), "{record:#}");

    // `vod check` reads them, too.
    let path = stack.scratch().join("theirs.json");
    std::fs::write(&path, r#"{"JobTemplate": "film", "Settings": {}}"#)?;
    let path = path.to_string_lossy().into_owned();
    ensure!(stack.vod(&["check", &path])?.status.success());
    ensure!(stack.vod(&["check"])?.status.success());

    // A preset that was deleted between check and upload: a plain error, and nothing is lost.
    mediaconvert(&stack, &["delete-preset", "--name", "small"])?;
    let checked = stack.vod(&["check", &path])?;
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    ensure!(
        checked.status.code() == Some(1) && text.contains("preset was not found"),
        "{text}"
    );
    stack.upload(&clip, "input/late.mp4")?;
    let record = stack.wait_for_end("input/late.mp4")?;
    let reason = record["reason"].as_str().context("no reason")?;
    ensure!(
        record["state"] == "ERROR" && reason.contains("theirs") && reason.contains("preset was not found"),
        "{record:#}"
    );
    Ok(())
}
