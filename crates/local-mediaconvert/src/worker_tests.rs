//! Whole jobs: real S3 over a socket, real ffmpeg, events in the real queue.

use aws_sdk_mediaconvert::error::ProvideErrorMetadata;
use aws_sdk_mediaconvert::types::{Codec, Format, JobStatus, ProbeInputFile};
use local_base::db::Db;
use mediaconvert_api::testing::{self, identity};
use mediaconvert_api::{Engine as _, Job, Location, Store as _};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use vod_aws::AwsConfig;
use vod_testkit::{aws, clip};

use super::scratch::Scratch;
use super::testing::{TestStack, encoder, open, start};
use super::{Settings, transfer};

/// The job of [`testing::settings`] and an HLS group with one rendition.
fn with_hls(input: &str) -> Value {
    let mut settings = testing::settings(input, "s3://vod/output/a/mp4/video");
    let mut rendition = settings["outputGroups"][0]["outputs"][0].clone();
    rendition["nameModifier"] = "_180p".into();
    rendition["containerSettings"] = json!({ "container": "M3U8" });
    let group = json!({
        "name": "Apple HLS",
        "outputGroupSettings": {
            "type": "HLS_GROUP_SETTINGS",
            "hlsGroupSettings": { "destination": "s3://vod/output/a/hls/video", "segmentLength": 2, "minSegmentLength": 0 },
        },
        "outputs": [rendition],
    });
    settings["outputGroups"].as_array_mut().unwrap().push(group);
    settings
}

/// A long enough encode to be interrupted.
fn slow(input: &str, (width, height): (u32, u32)) -> Value {
    let mut settings = testing::settings(input, "s3://vod/output/slow/video");
    let video = &mut settings["outputGroups"][0]["outputs"][0]["videoDescription"];
    video["width"] = width.into();
    video["height"] = height.into();
    video["codecSettings"]["h264Settings"]["maxBitrate"] = 5_000_000.into();
    settings
}

/// Ids, times and measured durations differ from run to run.
fn redact(event: &mut Value) {
    event["id"] = "[uuid]".into();
    event["time"] = "[time]".into();
    event["resources"][0] = "[arn]".into();
    event["detail"]["jobId"] = "[job]".into();
    event["detail"]["timestamp"] = "[ms]".into();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_from_upload_to_outputs() {
    let stack = TestStack::new().await;
    let key = "input/한국 & café+1.mp4";
    let id = stack
        .start(key, clip("320x180", 3), &with_hls(&format!("s3://vod/{key}")))
        .await;
    let mut events = stack.until("COMPLETE").await;
    for event in &mut events {
        redact(event);
    }
    let statuses: Vec<_> = events
        .iter()
        .map(|e| e["detail"]["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses[..2], ["PROGRESSING", "INPUT_INFORMATION"]);
    assert!(
        statuses[2..statuses.len() - 1]
            .iter()
            .all(|status| *status == "STATUS_UPDATE"),
        "{statuses:?}"
    );
    insta::assert_json_snapshot!("input_information_of_a_job", events[1]);
    insta::assert_json_snapshot!("complete_of_a_job", events.last().unwrap());

    let job = stack.job(&id).await;
    assert_eq!(
        (job.status(), job.retry_count()),
        (Some(&JobStatus::Complete), Some(0))
    );
    let details = job.output_group_details();
    assert_eq!(details.len(), 2);
    assert_eq!(
        details[0].output_details()[0]
            .video_details()
            .unwrap()
            .width_in_px(),
        Some(320)
    );

    let head = stack
        .s3
        .head_object()
        .bucket("vod")
        .key("output/a/hls/video.m3u8")
        .send()
        .await
        .unwrap();
    assert_eq!(head.content_type(), Some("application/vnd.apple.mpegurl"));
    stack.until_clean().await;

    // Everything crossed HTTP, and who saw a playlist could fetch what it names.
    let log = std::fs::read_to_string(stack.file("access.log")).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let seen = |operation: &str| lines.iter().any(|line| line["operation"] == operation);
    assert!(seen("CreateJob") && seen("GetObject") && seen("PutObject"));
    let puts = lines.iter().filter(|line| line["operation"] == "PutObject");
    let keys: Vec<_> = puts
        .filter_map(|line| line["key"].as_str())
        .filter(|key| key.starts_with("output/"))
        .collect();
    let last = &keys[keys.len() - 2..];
    assert_eq!(
        last,
        ["output/a/hls/video_180p.m3u8", "output/a/hls/video.m3u8"],
        "{keys:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_inputs_become_one_film() {
    let stack = TestStack::new().await;
    stack.put("input/intro.mp4", clip("320x180", 1)).await;
    let mut settings = testing::settings("s3://vod/input/film.mp4", "s3://vod/output/a/video");
    let mut intro = settings["inputs"][0].clone();
    intro["fileInput"] = "s3://vod/input/intro.mp4".into();
    settings["inputs"].as_array_mut().unwrap().insert(0, intro);
    stack.start("input/film.mp4", clip("160x120", 2), &settings).await;
    let events = stack.until("COMPLETE").await;
    let inputs = &events[1]["detail"]["inputDetails"];
    let found: Vec<_> = (0..2)
        .map(|index| (inputs[index]["id"].as_u64(), inputs[index]["uri"].as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (Some(1), Some("s3://vod/input/intro.mp4")),
            (Some(2), Some("s3://vod/input/film.mp4"))
        ]
    );
    let complete = &events.last().unwrap()["detail"]["outputGroupDetails"][0]["outputDetails"][0];
    let duration = complete["durationInMs"].as_u64().unwrap();
    assert!((2990..3100).contains(&duration), "{complete}");

    settings["inputs"][0]["fileInput"] = "s3://vod/input/gone.mp4".into();
    let (code, message) = stack.failure(&settings).await;
    assert_eq!(code, 1404);
    assert!(message.contains("s3://vod/input/gone.mp4"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_their_codes() {
    let stack = TestStack::new().await;
    stack.put("input/text.mp4", b"this is not a video".to_vec()).await;
    stack.put("input/ok.mp4", clip("320x180", 1)).await;
    let job = |key: &str| testing::settings(&format!("s3://vod/{key}"), "s3://vod/output/x/video");

    let (code, message) = stack.failure(&job("input/text.mp4")).await;
    assert_eq!(code, 1010);
    assert!(
        message.starts_with("Unable to open input file [s3://vod/input/text.mp4]"),
        "{message}"
    );
    let (code, message) = stack.failure(&job("input/missing.mp4")).await;
    assert_eq!(code, 1404);
    assert!(message.contains("does not exist"), "{message}");

    let mut unsupported = job("input/ok.mp4");
    unsupported["inputs"][0]["imageInserter"] =
        json!({ "insertableImages": [{ "layer": 1, "imageX": 0, "imageY": 0 }] });
    let (code, message) = stack.failure(&unsupported).await;
    assert_eq!(code, 1040);
    assert!(message.starts_with("/inputs/0/imageInserter"), "{message}");

    // Captions that are missing, too large, and no captions.
    stack.put("captions/empty.srt", Vec::new()).await;
    stack.put("captions/no.srt", b"not captions".to_vec()).await;
    stack.put("captions/large.srt", vec![b' '; (8 << 20) + 1]).await;
    for (key, code, message) in [
        ("captions/missing.srt", 1404, "s3://vod/captions/missing.srt"),
        (
            "captions/large.srt",
            1040,
            "bytes; the limit for a file of its kind is 8388608",
        ),
        (
            "captions/empty.srt",
            1040,
            "s3://vod/captions/empty.srt: line 1: the file has no captions",
        ),
        (
            "captions/no.srt",
            1040,
            "s3://vod/captions/no.srt: line 1: the file has no captions",
        ),
    ] {
        let mut captions = job("input/ok.mp4");
        captions["inputs"][0]["captionSelectors"] = json!({ "English": { "sourceSettings": { "sourceType": "SRT",
            "fileSourceSettings": { "sourceFile": format!("s3://vod/{key}") } } } });
        captions["outputGroups"][0]["outputs"][0]["captionDescriptions"] = json!([{ "captionSelectorName": "English",
            "destinationSettings": { "destinationType": "BURN_IN" } }]);
        let failure = stack.failure(&captions).await;
        assert_eq!(failure.0, code, "{key}");
        assert!(failure.1.contains(message), "{key}: {}", failure.1);
    }

    stack.until_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_must_be_accelerated_runs_without_and_says_so() {
    let stack = TestStack::new().await;
    stack.put("input/ok.mp4", clip("320x180", 1)).await;
    let settings = testing::settings("s3://vod/input/ok.mp4", "s3://vod/output/x/video");
    let body = json!({ "role": "role", "settings": settings, "accelerationSettings": { "mode": "ENABLED" } });
    stack.client.create_job(&body).await.unwrap();
    let event = stack.until("COMPLETE").await.pop().unwrap();
    let warnings = &event["detail"]["warnings"];
    assert_eq!(*warnings, json!([{ "code": 900_005, "count": 1 }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_job_stops_and_says_no_more() {
    let stack = TestStack::new().await;
    // It would take longer than `until_clean` waits.
    let settings = slow("s3://vod/input/a.mp4", (1920, 1080));
    let id = stack.start("input/a.mp4", clip("320x180", 180), &settings).await;
    let update = stack.until("STATUS_UPDATE").await.pop().unwrap();
    assert_eq!(update["detail"]["jobProgress"]["currentPhase"], "TRANSCODING");
    stack.sdk.cancel_job().id(&id).send().await.unwrap();
    stack.until("CANCELED").await;
    stack.until_clean().await;
    assert_eq!(stack.job(&id).await.status(), Some(&JobStatus::Canceled));
    assert_eq!(stack.state.queues.counts("job-events").await.unwrap().visible, 0);
    let left = stack
        .s3
        .list_objects_v2()
        .bucket("vod")
        .prefix("output/")
        .send()
        .await
        .unwrap();
    assert_eq!(left.key_count(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_broken_off_starts_again() {
    let mut stack = TestStack::new().await;
    let id = stack
        .start(
            "input/a.mp4",
            clip("1280x720", 10),
            &slow("s3://vod/input/a.mp4", (1280, 720)),
        )
        .await;
    stack.until("STATUS_UPDATE").await;
    stack.shutdown.cancel();
    (&mut stack.worker).await.unwrap();
    assert_eq!(stack.job(&id).await.status(), Some(&JobStatus::Submitted));
    assert!(stack.work_folder_is_empty());
    // What a killed process would have left behind.
    std::fs::create_dir_all(stack.file("work/left-over")).unwrap();

    let service = open(&stack.state, &stack.s3, encoder(&stack.state)).await;
    let shutdown = CancellationToken::new();
    let worker = start(service, &shutdown);
    let events = stack.until("COMPLETE").await;
    assert_eq!(
        events
            .iter()
            .filter(|event| event["detail"]["status"] == "PROGRESSING")
            .count(),
        1
    );
    let job = stack.job(&id).await;
    assert_eq!(
        (job.status(), job.retry_count()),
        (Some(&JobStatus::Complete), Some(1))
    );
    stack.until_clean().await;
    shutdown.cancel();
    worker.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_running_probe_survive_a_start_of_the_worker() {
    let mut stack = TestStack::new().await;
    stack.shutdown.cancel();
    (&mut stack.worker).await.unwrap();
    let service = open(&stack.state, &stack.s3, encoder(&stack.state)).await;
    let looked_at = Scratch::new(&service.settings().work, "probe").await.unwrap();
    stack
        .create(&testing::settings(
            "s3://vod/input/none.mp4",
            "s3://vod/output/x/video",
        ))
        .await;
    let shutdown = CancellationToken::new();
    let worker = start(service, &shutdown);
    stack.until("ERROR").await;
    assert!(looked_at.path().is_dir());
    shutdown.cancel();
    worker.await.unwrap();
}

/// A process that dies leaves its jobs PROGRESSING.
async fn die(db: &Db, job: &str) {
    let job = job.to_owned();
    db.call(move |c| {
        let sql = "UPDATE mediaconvert_job SET status = 'PROGRESSING', job = json_set(job, '$.status', 'PROGRESSING') WHERE id = ?1";
        Ok(c.execute(sql, [job])?)
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_deaths_are_survived_and_the_tenth_is_not() {
    let mut stack = TestStack::new().await;
    stack.put("input/a.mp4", clip("320x180", 1)).await;
    stack.shutdown.cancel();
    (&mut stack.worker).await.unwrap();
    let settings = testing::settings("s3://vod/input/a.mp4", "s3://vod/output/x/video");
    for (deaths, expected) in [(9, JobStatus::Complete), (10, JobStatus::Error)] {
        let id = stack.create(&settings).await;
        let service = open(&stack.state, &stack.s3, encoder(&stack.state)).await;
        for _ in 1..deaths {
            die(&stack.state.db, &id).await;
            service.store().recover().await.unwrap();
        }
        die(&stack.state.db, &id).await;
        let shutdown = CancellationToken::new();
        let worker = start(service, &shutdown);
        stack.until(expected.as_str()).await;
        let job = stack.job(&id).await;
        assert_eq!(job.status(), Some(&expected), "{deaths}");
        if expected == JobStatus::Error {
            assert_eq!(job.error_code(), Some(1999));
            assert!(job.error_message().unwrap().contains("died 10 times"));
        }
        shutdown.cancel();
        worker.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_during_which_the_process_died_twice_runs_by_itself() {
    let mut stack = TestStack::new().await;
    stack.put("input/a.mp4", clip("320x180", 2)).await;
    stack.shutdown.cancel();
    (&mut stack.worker).await.unwrap();
    let settings = Settings {
        concurrency: 2,
        ..encoder(&stack.state)
    };
    let service = open(&stack.state, &stack.s3, settings).await;
    let create = async || {
        let mut request = testing::request("s3://vod/input/a.mp4", None, 0);
        request.settings = testing::settings("s3://vod/input/a.mp4", "s3://vod/output/x/video");
        let now = service.store().now();
        let job = Job::new(request, "queue-arn".to_owned(), &identity(), now);
        service.store().insert(job, now).await.unwrap().id
    };
    let suspect = create().await;
    for _ in 0..2 {
        die(&stack.state.db, &suspect).await;
        service.store().recover().await.unwrap();
    }
    create().await;
    create().await;
    let shutdown = CancellationToken::new();
    let worker = start(service.clone(), &shutdown);
    let (mut running, mut most, mut ended) = (Vec::new(), 0, 0);
    while ended < 4 {
        let event = stack.event().await;
        let job = event["detail"]["jobId"].as_str().unwrap().to_owned();
        match event["detail"]["status"].as_str().unwrap() {
            "PROGRESSING" => {
                running.push(job.clone());
                most = most.max(running.len());
                assert!(running.len() == 1 || !running.contains(&suspect), "{running:?}");
                if job == suspect {
                    create().await;
                }
            }
            "COMPLETE" => {
                running.retain(|id| *id != job);
                ended += 1;
            }
            _ => {}
        }
    }
    assert_eq!(most, 2, "others run side by side");
    shutdown.cancel();
    worker.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn probe_tells_what_is_in_a_file() {
    let stack = TestStack::new().await;
    stack.put("input/a.mp4", clip("320x180", 1)).await;
    stack.put("input/text.mp4", b"this is not a video".to_vec()).await;
    let probe = |key: &str| {
        let file = ProbeInputFile::builder()
            .file_url(format!("s3://vod/{key}"))
            .build();
        stack.sdk.probe().input_files(file).send()
    };
    let answer = probe("input/a.mp4").await.unwrap();
    let result = &answer.probe_results()[0];
    let container = result.container().unwrap();
    assert_eq!(container.format(), Some(&Format::Mp4));
    assert!((0.9..1.2).contains(&container.duration().unwrap()));
    let video = container.tracks()[0].video_properties().unwrap();
    assert_eq!(
        (video.width(), video.height(), video.rotation()),
        (Some(320), Some(180), None)
    );
    assert_eq!(container.tracks()[1].codec(), Some(&Codec::Aac));
    assert!(
        result.metadata().unwrap().e_tag().is_some() && result.metadata().unwrap().last_modified().is_some()
    );

    let text = probe("input/text.mp4").await.unwrap_err();
    assert!(
        text.as_service_error()
            .unwrap()
            .is_unprocessable_entity_exception(),
        "{text:?}"
    );
    let missing = probe("input/missing.mp4").await.unwrap_err();
    assert!(
        missing.as_service_error().unwrap().is_not_found_exception(),
        "{missing:?}"
    );
    assert!(stack.work_folder_is_empty());
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    let stack = TestStack::new().await;
    let wrong = AwsConfig {
        secret_access_key: "wrong".to_owned(),
        ..aws(&stack.api)
    };
    let error = vod_aws::mediaconvert(&wrong)
        .list_jobs()
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 403);
    assert_eq!(error.code(), Some("InvalidSignatureException"));
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_go_up_in_parts_and_come_back_whole() {
    let stack = TestStack::new().await;
    let path = stack.file("large");
    let content: Vec<u8> = (0..40_000_000_u32).map(|n| (n / 251).to_le_bytes()[0]).collect();
    std::fs::write(&path, &content).unwrap();
    let to = Location {
        bucket: "vod".to_owned(),
        key: "output/large.mp4".to_owned(),
    };
    transfer::store(&stack.s3, &path, &to).await.unwrap();
    let back = stack.file("back");
    let facts = transfer::fetch(&stack.s3, &to, &back).await.unwrap();
    assert!(std::fs::read(back).unwrap() == content);
    assert!(facts.etag.unwrap().ends_with("-3\""));
    assert_eq!(facts.content_type.as_deref(), Some("video/mp4"));
}
