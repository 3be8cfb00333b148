//! Outcomes are counted: one line of CloudWatch's format per outcome from the built Lambda binaries, and the same figures for
//! Prometheus from `vod up`.

#![expect(clippy::float_cmp, reason = "counts are whole numbers")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use vod_tests::{LocalStack, clips, http, wait};

use crate::functions::{Function, command, response, sqs};
use crate::runtime_api::RuntimeApi;

/// A bucket, and an application, that only this test's functions know.
const OTHER: &str = "other";

/// Values by name, and by `name{label="value",…}` with the labels in alphabetical order.
type Samples = BTreeMap<String, f64>;

/// `/metrics` as Prometheus's own Python library reads it.
fn scrape(stack: &LocalStack) -> anyhow::Result<Samples> {
    let answer = http::get(&format!("{}/metrics", stack.endpoints.api), &[])?;
    ensure!(answer.status == 200, "{answer:?}");
    ensure!(
        answer
            .header("content-type")
            .starts_with("text/plain; version=0.0.4"),
        "{answer:?}"
    );
    let script = "import json, sys\n\
        from prometheus_client.parser import text_string_to_metric_families\n\
        samples = [s for f in text_string_to_metric_families(sys.stdin.read()) for s in f.samples]\n\
        label = lambda s: ','.join(f'{k}=\"{v}\"' for k, v in sorted(s.labels.items()))\n\
        json.dump({f'{s.name}{{{label(s)}}}' if s.labels else s.name: s.value for s in samples}, sys.stdout)";
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/venv/bin/python");
    let mut process = Command::new(python)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("Python is missing: run `scripts/setup.sh run test`")?;
    process
        .stdin
        .take()
        .context("no stdin")?
        .write_all(&answer.body)?;
    let output = process.wait_with_output()?;
    ensure!(
        output.status.success(),
        "not in Prometheus's format: {}",
        answer.text()
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Of all samples of a name the sum.
fn sum(samples: &Samples, name: &str) -> f64 {
    let of_name = |(key, _): &(&String, &f64)| key.split('{').next() == Some(name);
    samples.iter().filter(of_name).map(|(_, value)| value).sum()
}

/// A function's process, and where its standard output goes.
struct Running {
    api: RuntimeApi,
    log: std::path::PathBuf,
    _process: Function,
}

fn start(stack: &LocalStack, name: &str, number: u32) -> anyhow::Result<Running> {
    let (api, endpoints) = (RuntimeApi::start()?, &stack.endpoints);
    let log = stack.scratch().join(format!("{name}-{number}.log"));
    let process = command(name, &api.address)?
        .env("AWS_REGION", &endpoints.region)
        .env("AWS_ACCESS_KEY_ID", &endpoints.access_key)
        .env("AWS_SECRET_ACCESS_KEY", &endpoints.secret_key)
        .env("AWS_ENDPOINT_URL_S3", &endpoints.api)
        .env("AWS_ENDPOINT_URL_MEDIACONVERT", &endpoints.api)
        .envs([("BUCKET", OTHER), ("APPLICATION", OTHER), ("GRACE_SECONDS", "0")])
        .env("MEDIACONVERT_ROLE_ARN", "arn:aws:iam::000000000000:role/vod")
        .stdout(File::create(&log)?)
        .spawn()?;
    Ok(Running {
        api,
        log,
        _process: Function(process),
    })
}

impl Running {
    /// Its metric lines so far. Every line it writes is an object, and all but those of no asset name theirs.
    fn metrics(&self) -> anyhow::Result<Vec<Value>> {
        let log = std::fs::read_to_string(&self.log)?;
        let lines: Vec<Value> = log.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        for line in lines.iter().filter(|line| line.get("_aws").is_none()) {
            let spans = line["spans"].as_array().cloned().unwrap_or_default();
            let named = line.get("asset").is_some() || spans.iter().any(|span| span.get("asset").is_some());
            ensure!(named || line["message"] == "reconciled", "no asset in {line}");
        }
        Ok(lines
            .into_iter()
            .filter(|line| line.get("_aws").is_some())
            .collect())
    }
}

/// Adds up what CloudWatch would.
fn add_up(lines: &[Value]) -> anyhow::Result<Samples> {
    let mut sums = Samples::new();
    for line in lines {
        ensure!(line["Application"] == OTHER, "{line}");
        for definition in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
            .as_array()
            .context("none")?
        {
            let name = definition["Name"].as_str().context("no name")?;
            *sums.entry(name.to_owned()).or_default() += line[name].as_f64().context("no value")?;
        }
    }
    Ok(sums)
}

/// S3's event for an object of the other bucket.
fn event(stack: &LocalStack, key: &str) -> anyhow::Result<Value> {
    let head = stack.aws_json(&["s3api", "head-object", "--bucket", OTHER, "--key", key])?;
    Ok(
        json!({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": OTHER},
        "object": {"key": key, "eTag": head["ETag"], "size": head["ContentLength"], "sequencer": "0A"}}}]}),
    )
}

/// MediaConvert's event for a job that has ended, from what GetJob tells of it.
fn complete_event(job: &Value) -> anyhow::Result<Value> {
    let metadata = &job["UserMetadata"];
    let asset = metadata["asset"].as_str().context("no asset")?;
    let mut groups = Vec::new();
    for (group, suffix) in [("hls", "m3u8"), ("mp4", "mp4"), ("thumbnails", "0000000.jpg")] {
        let outputs = job["OutputGroupDetails"][groups.len()]["OutputDetails"]
            .as_array()
            .context("no outputs")?;
        let prefix = format!("s3://{OTHER}/output/{asset}/default/{group}/video");
        let outputs = outputs.iter().enumerate().map(|(number, output)| {
            let video = &output["VideoDetails"];
            json!({"durationInMs": output["DurationInMs"], "outputFilePaths": [format!("{prefix}_{number}.{suffix}")],
                "videoDetails": {"widthInPx": video["WidthInPx"], "heightInPx": video["HeightInPx"]}})
        });
        groups.push(json!({"outputDetails": outputs.collect::<Vec<_>>(),
            "playlistFilePaths": if group == "hls" { vec![format!("{prefix}.m3u8")] } else { vec![] }}));
    }
    Ok(
        json!({"version": "0", "source": "aws.mediaconvert", "detail-type": "MediaConvert Job State Change",
        "detail": {"timestamp": 1_763_719_200_000_i64, "jobId": job["Id"], "status": "COMPLETE",
            "userMetadata": metadata, "outputGroupDetails": groups}}),
    )
}

/// The jobs of the other application, oldest first, once all have ended.
fn ended_jobs(stack: &LocalStack, count: usize) -> anyhow::Result<Vec<Value>> {
    wait::until("the jobs to end", wait::ENCODE, || {
        let list = stack.aws_json(&["mediaconvert", "list-jobs", "--order", "ASCENDING"])?;
        let jobs = list["Jobs"].as_array().cloned().unwrap_or_default();
        let ours = jobs
            .into_iter()
            .filter(|job| job["UserMetadata"]["application"] == OTHER);
        let ours: Vec<Value> = ours.collect();
        ensure!(ours.len() == count, "{} jobs of {count} uploads", ours.len());
        Ok(ours.iter().all(|job| job["Status"] == "COMPLETE").then_some(ours))
    })
}

#[test]
fn one_metric_line_per_outcome_and_the_same_sums_for_prometheus() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let clip = clips::ordinary("320x180", 2.0)?;
    stack.aws(&["s3", "mb", "s3://other"])?;
    let before = scrape(&stack)?;
    ensure!(sum(&before, "vod_jobs_completed_total") == 0.0, "{before:?}");
    let keys = ["input/a.mp4", "input/b \"\\n{}.mp4"];
    for key in keys {
        stack.upload(&clip, key)?;
        let file = clip.to_string_lossy();
        stack.aws(&[
            "s3",
            "cp",
            "--only-show-errors",
            &file,
            &format!("s3://{OTHER}/{key}"),
        ])?;
    }

    // Each upload's event three times.
    let submit = start(&stack, "submit", 1)?;
    for _ in 0..3 {
        let events = keys.map(|key| event(&stack, key));
        let events: Vec<Value> = events.into_iter().collect::<anyhow::Result<_>>()?;
        response(submit.api.invoke(sqs(&events))?)?;
    }
    let mut lines = submit.metrics()?;
    ensure!(
        lines.len() == 2 && lines.iter().all(|line| line["JobsSubmitted"] == 1.0),
        "{lines:#?}"
    );
    ensure!(
        lines[1]["key"] == keys[1] && lines[1]["asset"].is_string(),
        "{lines:#?}"
    );

    // The first one's end: two processes at once hear of it three times each.
    let jobs = ended_jobs(&stack, keys.len())?;
    let end = complete_event(&jobs[0])?;
    let completes = [start(&stack, "complete", 1)?, start(&stack, "complete", 2)?];
    let told = std::thread::scope(|scope| {
        let end = &end;
        let calls = completes.map(|complete| {
            scope.spawn(move || {
                for _ in 0..3 {
                    response(complete.api.invoke(end.clone())?)?;
                }
                complete.metrics()
            })
        });
        let told = calls.into_iter().map(|call| call.join().expect("no panic"));
        told.collect::<anyhow::Result<Vec<_>>>()
    })?
    .concat();
    ensure!(told.len() == 1 && told[0]["JobsCompleted"] == 1.0, "{told:#?}");
    lines.extend(told);

    // The other one's event is lost; reconcile finds its end, once.
    let reconcile = start(&stack, "reconcile", 1)?;
    for _ in 0..2 {
        let summary = response(reconcile.api.invoke(json!({}))?)?;
        ensure!(summary["finished"] == true, "{summary}");
    }
    let told = reconcile.metrics()?;
    let with = |name: &str| told.iter().filter(|line| line.get(name).is_some()).count();
    ensure!(
        with("JobsCompleted") == 1 && with("JobsSubmitted") == 0,
        "{told:#?}"
    );
    ensure!(
        with("ReconcileUnmended") == 2,
        "one line for each pass: {told:#?}"
    );
    let found = add_up(&told)?;
    let figures = ["ReconcileLost", "ReconcileMended", "ReconcileUnmended"].map(|name| found[name]);
    ensure!(figures == [1.0, 1.0, 0.0], "{found:?}");
    lines.extend(told);

    // The same films through `vod up`, where the functions' outcomes are counted for Prometheus.
    for key in keys {
        stack.wait_for_complete(key)?;
    }
    let (emf, prometheus) = (add_up(&lines)?, scrape(&stack)?);
    for (emf_name, name, scale) in [
        ("JobsSubmitted", "vod_jobs_submitted_total", 1.0),
        ("JobsCompleted", "vod_jobs_completed_total", 1.0),
        ("EncodeMinutes", "vod_encoded_seconds_total", 60.0),
    ] {
        let (ours, theirs) = (emf[emf_name] * scale, sum(&prometheus, name));
        ensure!(
            ours > 0.0 && (ours - theirs).abs() < 1e-6,
            "{emf_name} is {ours}, {name} {theirs}"
        );
    }
    ensure!(
        prometheus["vod_jobs_completed_total{template=\"default\"}"] == 2.0,
        "{prometheus:?}"
    );
    ensure!(prometheus["vod_queue_age_seconds_count"] == 2.0, "{prometheus:?}");
    ensure!(sum(&prometheus, "vod_jobs_failed_total") == 0.0, "{prometheus:?}");
    Ok(())
}

#[test]
fn local_failures_are_counted_and_viewers_see_no_metrics() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    stack.put("input/folder/", b"")?;
    stack.put("input/no-film.mp4", b"this is no film")?;
    for key in ["input/folder/", "input/no-film.mp4"] {
        stack.wait_for_end(key)?;
    }
    let samples = scrape(&stack)?;
    ensure!(samples["vod_uploads_ignored_total"] == 1.0, "{samples:?}");
    ensure!(
        samples["vod_jobs_failed_total{class=\"input\",template=\"default\"}"] == 1.0,
        "{samples:?}"
    );
    for queue in ["uploads", "job-events"] {
        ensure!(
            samples[&format!("vod_dead_letters{{queue=\"{queue}\"}}")] == 0.0,
            "{samples:?}"
        );
    }

    let edge = http::get(&format!("{}/metrics", stack.endpoints.edge), &[])?;
    ensure!(edge.status == 403 && !edge.text().contains("vod_"), "{edge:?}");
    let proxied = http::get(
        &format!("{}/metrics", stack.endpoints.api),
        &[("x-forwarded-for", "203.0.113.7")],
    )?;
    ensure!(
        proxied.status == 403 && !proxied.text().contains("vod_"),
        "{proxied:?}"
    );
    Ok(())
}
