//! Inputs and circumstances that must end in an error, and in nothing else.

#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::codecs::file;
use crate::common::{World, no_sound, small};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use transcode::exec::{self, Limits, ProbeError, TranscodeError};
use transcode::plan::Plan;
use transcode::probe::probe;
use transcode::produced::Produced;

const URI: &str = "s3://vod/input/x.mp4";

#[tokio::test]
async fn a_file_that_is_not_a_video_cannot_be_opened() {
    let world = World::new();
    let secret = world.path("secret.txt");
    std::fs::write(&secret, "secret").expect("is written");
    let playlist = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{}\n#EXT-X-ENDLIST\n",
        secret.display()
    );
    let concat = format!("ffconcat version 1.0\nfile '{}'\n", secret.display());
    for (name, content, words) in [
        (
            "playlist.mp4",
            playlist.as_bytes(),
            "this kind of file is not accepted",
        ),
        (
            "concat.mp4",
            concat.as_bytes(),
            "this kind of file is not accepted",
        ),
        (
            "words",
            b"just some words, not a video\n".as_slice(),
            "this is no media file, or it is damaged",
        ),
        ("empty", b"", "this is no media file, or it is damaged"),
        (
            "index.mp4",
            b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\0\x08mdat",
            "no moov box found in file",
        ),
    ] {
        let path = world.path(name);
        std::fs::write(&path, content).expect("is written");
        let error = probe(&path, &Limits::default()).await.expect_err(name);
        let failure = error.failure(URI);
        assert_eq!(failure.code, 1010, "{name}: {failure:?}");
        assert_eq!(
            failure.message,
            format!("Unable to open input file [{URI}]: [Failed probe/open: [{words}]]"),
            "{name}"
        );
    }
    let missing = probe(&world.path("missing.mp4"), &Limits::default())
        .await
        .expect_err("is not there");
    assert!(matches!(missing, ProbeError::NotMedia(_)), "{missing}");
}

/// The planned job of a good clip, and the input it is then given.
async fn run(world: &World, clip: &Path, input: &Path, limits: &Limits) -> Result<Produced, TranscodeError> {
    let plan = world
        .plan(&no_sound(small()), clip)
        .await
        .expect("the clip is good");
    exec::run(
        &plan,
        input,
        &world.work(),
        limits,
        &CancellationToken::new(),
        |_| {},
    )
    .await
}

#[tokio::test]
async fn the_encoder_itself_opens_no_playlist() {
    let world = World::new();
    let clip = world.clip("in.mp4", &["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=1"]);
    let playlist = world.path("playlist.mp4");
    std::fs::write(
        &playlist,
        format!("#EXTM3U\n#EXTINF:1,\nfile://{}\n#EXT-X-ENDLIST\n", clip.display()),
    )
    .expect("is written");
    let error = run(&world, &clip, &playlist, &Limits::default())
        .await
        .expect_err("is a playlist");
    assert!(matches!(error, TranscodeError::Open(_)), "{error}");
    assert!(
        !error
            .failure(URI)
            .message
            .contains(clip.parent().and_then(Path::to_str).expect("is text")),
        "{error}"
    );
}

#[tokio::test]
async fn a_file_that_ends_early_is_an_error() {
    let world = World::new();
    let clip = world.clip(
        "in.mp4",
        &[
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=320x180:r=25:d=4",
            "-movflags",
            "+faststart",
        ],
    );
    let bytes = std::fs::read(&clip).expect("is a file");
    let cut = world.path("cut.mp4");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).expect("is written");
    let error = run(&world, &cut, &cut, &Limits::default())
        .await
        .expect_err("is cut");
    let failure = error.failure(URI);
    assert_eq!(failure.code, 1076, "{failure:?}");
    assert!(failure.message.contains("Is file truncated?"), "{failure:?}");
}

/// Time for an encoder to die: far less than it would need to end.
const DEATH: Duration = Duration::from_secs(5);

/// An encode that takes longer than any test waits.
async fn endless(world: &World) -> (PathBuf, Plan) {
    let input = world.clip(
        "long.mp4",
        &["-f", "lavfi", "-i", "color=s=64x36:r=25:d=1500", "-g", "1000"],
    );
    let plan = world.plan(&no_sound(small()), &input).await.expect("is planned");
    (input, plan)
}

#[tokio::test]
async fn the_time_limit_ends_the_encoder() {
    let world = World::new();
    let (input, plan) = endless(&world).await;
    let limits = Limits {
        time: Duration::from_millis(300),
        ..Limits::default()
    };
    let error = exec::run(
        &plan,
        &input,
        &world.work(),
        &limits,
        &CancellationToken::new(),
        |_| {},
    )
    .await
    .expect_err("is late");
    assert_eq!(error.failure(URI).code, 1999);
    assert_eq!(error.failure(URI).message, "the encoder took longer than 0.3 s");
    assert_eq!(encoders(&world.work()), Vec::<u32>::new(), "it is dead");
}

#[tokio::test]
async fn cancelling_ends_the_encoder() {
    let world = World::new();
    let (input, plan) = endless(&world).await;
    let cancel = CancellationToken::new();
    // As soon as it is at work.
    let progress = |_| cancel.cancel();
    let error = exec::run(
        &plan,
        &input,
        &world.work(),
        &Limits::default(),
        &cancel,
        progress,
    )
    .await
    .expect_err("is canceled");
    assert!(matches!(error, TranscodeError::Canceled), "{error}");
    assert_eq!(encoders(&world.work()), Vec::<u32>::new());
}

#[tokio::test]
async fn a_killed_encoder_is_reported() {
    let world = World::new();
    let (input, plan) = endless(&world).await;
    let work = world.work();
    let progress = |_| {
        for id in encoders(&work) {
            std::process::Command::new("kill")
                .arg("-KILL")
                .arg(id.to_string())
                .status()
                .expect("kill runs");
        }
    };
    let error = exec::run(
        &plan,
        &input,
        &work,
        &Limits::default(),
        &CancellationToken::new(),
        progress,
    )
    .await
    .expect_err("is killed");
    assert!(
        matches!(error, TranscodeError::Killed { signal: 9, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn an_encoder_is_killed_when_that_is_asked_for() {
    let world = World::new();
    let (input, plan) = endless(&world).await;
    let limits = Limits {
        kill_after: Some(Duration::from_millis(50)),
        ..Limits::default()
    };
    let (work, cancel) = (world.work(), CancellationToken::new());
    let ended = exec::run(&plan, &input, &work, &limits, &cancel, |_| {}).await;
    let error = ended.expect_err("is killed");
    assert!(
        matches!(error, TranscodeError::Killed { signal: 9, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn dropping_the_job_ends_the_encoder() {
    let world = World::new();
    let (input, plan) = endless(&world).await;
    let (started, at_work) = tokio::sync::oneshot::channel();
    let mut started = Some(started);
    let progress = move |_| {
        started.take().map(|started| started.send(()));
    };
    let (cancel, limits, work) = (CancellationToken::new(), Limits::default(), world.work());
    tokio::select! {
        result = exec::run(&plan, &input, &work, &limits, &cancel, progress) => panic!("ended: {result:?}"),
        at_work = at_work => at_work.expect("reports progress"),
    }
    until("the encoder is dead", DEATH, || encoders(&work).is_empty()).await;
}

#[tokio::test]
async fn the_memory_limit_ends_the_encoder() {
    let world = World::new();
    let clip = world.clip("in.mp4", &["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=1"]);
    let limits = Limits {
        memory: 150 << 20,
        ..Limits::default()
    };
    let error = run(&world, &clip, &clip, &limits).await.expect_err("needs more");
    assert_eq!(error.failure(URI).code, 1999, "{error}");
}

/// Three pictures, so many seconds apart.
fn gaps(world: &World, name: &str, seconds: u32) -> PathBuf {
    let spread = format!("setpts=N*{seconds}/TB");
    let picture = ["-f", "lavfi", "-i", "color=s=64x64:r=1:d=3", "-vf", &spread];
    let moments = [
        "-c:v",
        "png",
        "-fps_mode",
        "passthrough",
        "-video_track_timescale",
        "1000",
    ];
    world.clip(name, &[&picture[..], &moments].concat())
}

#[tokio::test]
async fn a_small_file_of_many_hours_is_refused_at_once_with_the_number() {
    let world = World::new();
    for (seconds, message) in [
        (360_000, "plays for 200.0 h; the limit is 24 h"),
        (2_147_483, "plays for 1193.0 h; the limit is 24 h"),
        // Within a day, but of next to no bytes for each picture.
        (36_000, "bytes; the limit is 216000"),
    ] {
        let input = gaps(&world, "gap.mov", seconds);
        let started = Instant::now();
        let error = run(&world, &input, &input, &Limits::default())
            .await
            .expect_err("is too long");
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{:?}",
            started.elapsed()
        );
        let failure = error.failure(URI);
        assert_eq!(failure.code, mediaconvert_job::error_code::LIMIT, "{failure:?}");
        assert!(failure.message.ends_with(message), "{failure:?}");
    }
}

#[tokio::test]
async fn an_encode_is_ended_where_it_goes_beyond_what_its_file_said() {
    let world = World::new();
    let clip = world.clip("in.mp4", &["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=1"]);
    let input = gaps(&world, "gap.mov", 360_000);
    let limits = Limits {
        play_time: Duration::from_mins(1),
        ..Limits::default()
    };
    // The plan is that of another file: a file with a wrong header is the same case.
    let error = run(&world, &clip, &input, &limits)
        .await
        .expect_err("is too long");
    assert!(matches!(error, TranscodeError::TooLong { .. }), "{error}");
    assert_eq!(encoders(&world.work()), Vec::<u32>::new(), "it is dead");
    // The same with two passes.
    let vp9 = json!({"codec": "VP9", "vp9Settings": {"rateControlMode": "VBR", "bitrate": 100_000}});
    let plan = world
        .plan(&file("WEBM", Some(vp9), None), &clip)
        .await
        .expect("is planned");
    let limits = Limits {
        play_time: Duration::from_secs(2),
        ..Limits::default()
    };
    let cancel = CancellationToken::new();
    let error = exec::run(&plan, &input, &world.work(), &limits, &cancel, |_| {})
        .await
        .expect_err("is too long");
    assert!(matches!(error, TranscodeError::TooLong { .. }), "{error}");
    assert_eq!(encoders(&world.work()), Vec::<u32>::new(), "it is dead");
}

#[tokio::test]
async fn outputs_take_no_more_than_their_share_of_the_disk() {
    let world = World::new();
    let clip = world.clip("in.mp4", &["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2"]);
    let limits = Limits {
        disk: 20_000,
        ..Limits::default()
    };
    let error = run(&world, &clip, &clip, &limits).await.expect_err("needs more");
    let failure = error.failure(URI);
    assert_eq!(failure.code, 1507, "{failure:?}");
    assert_eq!(
        failure.message,
        "the outputs need more than their share of the disk, 20000 bytes"
    );
}

#[tokio::test]
async fn a_picture_beyond_the_memory_of_a_probe_is_described_all_the_same() {
    let world = World::new();
    let picture = [
        "-f",
        "lavfi",
        "-i",
        "color=s=8000x8000:d=1:r=1",
        "-c:v",
        "png",
        "-pix_fmt",
        "rgb24",
    ];
    let clip = world.clip("in.mov", &picture);
    let limits = Limits {
        memory: 300 << 20,
        ..Limits::default()
    };
    let info = probe(&clip, &limits).await.expect("is described");
    let video = info.video.expect("has a picture");
    assert_eq!((video.width, video.height), (8000, 8000));
}

/// Names the folder in which a second process of this test encodes.
const CHILD: &str = "TRANSCODE_TEST_CHILD";

#[tokio::test]
async fn the_encoder_dies_with_whoever_started_it() {
    if let Some(folder) = std::env::var_os(CHILD) {
        // This is the second process; it is killed in the middle of this.
        let world = World::at(folder.into());
        let (input, plan) = endless(&world).await;
        let cancel = CancellationToken::new();
        let result = exec::run(&plan, &input, &world.work(), &Limits::default(), &cancel, |_| {}).await;
        panic!("ended: {result:?}");
    }
    // The moment is as early as it can be seen, in the middle of the encoder's start, and never twice the same.
    for _ in 0..5 {
        dies_with_its_parent().await;
    }
}

async fn dies_with_its_parent() {
    let world = World::new();
    let mut child = std::process::Command::new(std::env::current_exe().expect("is known"))
        .args(["--exact", "hostile::the_encoder_dies_with_whoever_started_it"])
        .env(CHILD, world.path(""))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("starts");
    let work = world.work();
    until("it encodes", Duration::from_secs(30), || {
        !encoders(&work).is_empty()
    })
    .await;
    // SIGKILL: nothing in the process can clean up.
    child.kill().expect("can be killed");
    child.wait().expect("is reaped");
    until("the encoder is dead", DEATH, || encoders(&work).is_empty()).await;
}

async fn until(what: &str, patience: Duration, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + patience;
    while !is_so() {
        assert!(Instant::now() < end, "not so: {what}");
        tokio::task::yield_now().await;
    }
}

/// Ids of living processes that work in a folder.
pub(crate) fn encoders(work: &Path) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").expect("there is /proc").flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| std::fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|cwd| cwd == work))
        .collect()
}
