//! An encoder that an upload has taken over gets its input and its work folder, and nothing else.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use tokio_util::sync::CancellationToken;
use transcode::exec::{self, Limits};

use crate::common::{HELPER, UNCONFINED, World, no_sound, small};

/// Names the folder in which a second process of this test runs the stand-in for ffmpeg.
const CHILD: &str = "TRANSCODE_TEST_INTRUDER";

/// The files that an encoder needs.
const RIGHTS: [&str; 3] = ["read its input", "write its work folder", "start a thread"];

#[tokio::test]
async fn a_taken_over_encoder_gets_its_input_and_its_work_folder_only() {
    if let Some(folder) = std::env::var_os(CHILD) {
        // The second process: its PATH has the stand-in under the name of ffmpeg.
        let world = World::at(folder.into());
        let (input, cancel) = (world.path("in.mp4"), CancellationToken::new());
        let plan = world.plan(&no_sound(small()), &input).await.expect("is planned");
        let limits = Limits::default();
        // It makes no outputs, so this fails in any case.
        drop(exec::run(&plan, &input, &world.work(), &limits, &cancel, |_| {}).await);
        return;
    }
    let confined = intrude(true);
    // The same without the launcher, so that each attempt is one that can succeed.
    let free = intrude(false);
    assert_eq!(confined.len(), 22);
    for (attempt, outcome) in &confined {
        let needed = RIGHTS.contains(&attempt.as_str());
        assert_eq!(outcome == "done", needed, "{attempt}: {outcome}");
        // Only root opens raw sockets.
        let possible = attempt != "open a raw socket" || rustix::process::geteuid().is_root();
        assert_eq!(
            free[attempt] == "done",
            possible,
            "{attempt} unconfined: {}",
            free[attempt]
        );
    }
}

/// The result of each attempt of the stand-in.
fn intrude(confined: bool) -> BTreeMap<String, String> {
    let world = World::new();
    world.clip("in.mp4", &["-f", "lavfi", "-i", "color=s=64x36:r=25:d=1"]);
    for folder in ["work", "objects", "home", "bin"] {
        fs::create_dir(world.path(folder)).expect("is made");
    }
    for file in [
        "secrets.json",
        "endpoints.json",
        "vod.db",
        "objects/other",
        "objects/doomed",
        "home/id",
    ] {
        fs::write(world.path(file), "content").expect("is written");
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let address = listener.local_addr().expect("is known").to_string();
    fs::write(world.work().join("address"), address).expect("is written");
    symlink(HELPER, world.path("bin/ffmpeg")).expect("is linked");
    let path = std::env::var("PATH").expect("is set");
    let mut child = Command::new(std::env::current_exe().expect("is known"));
    child
        .args([
            "--exact",
            "confine::a_taken_over_encoder_gets_its_input_and_its_work_folder_only",
        ])
        .env(CHILD, world.path(""))
        .env("PATH", format!("{}:{path}", world.path("bin").display()))
        .stdout(Stdio::null());
    if !confined {
        child.env(UNCONFINED, "1");
    }
    assert!(child.status().expect("runs").success());
    let report = fs::read_to_string(world.work().join("report")).expect("is there");
    let lines = report.lines().filter_map(|line| line.split_once(": "));
    lines
        .map(|(name, outcome)| (name.to_owned(), outcome.to_owned()))
        .collect()
}

#[tokio::test]
async fn a_real_encoder_runs_with_restrictions_and_limits() {
    let world = World::new();
    let input = world.clip(
        "long.mp4",
        &["-f", "lavfi", "-i", "color=s=64x36:r=25:d=1500", "-g", "1000"],
    );
    let plan = world.plan(&no_sound(small()), &input).await.expect("is planned");
    let (work, cancel) = (world.work(), CancellationToken::new());
    let seen = Mutex::new(Vec::new());
    let limits = Limits {
        disk: 1 << 30,
        ..Limits::default()
    };
    let look = |_| {
        for id in crate::hostile::encoders(&work) {
            let read = |name: &str| fs::read_to_string(format!("/proc/{id}/{name}")).unwrap_or_default();
            let shown = [read("status"), read("limits"), read("oom_score_adj")].concat();
            seen.lock().expect("is whole").push(words(&shown));
        }
        cancel.cancel();
    };
    exec::run(&plan, &input, &work, &limits, &cancel, look)
        .await
        .expect_err("is canceled");
    let seen = seen.into_inner().expect("is whole");
    let [encoder] = seen.as_slice() else {
        panic!("one encoder, not {}", seen.len());
    };
    for expected in [
        "NoNewPrivs: 1",
        "Seccomp: 2",
        "Max core file size 0 0 bytes",
        "Max file size 1073741824 1073741824 bytes",
        "Max address space 8589934592 8589934592 bytes",
        "Max open files 1024 1024 files",
    ] {
        assert!(encoder.contains(expected), "{expected} in {encoder}");
    }
    assert!(encoder.ends_with(" 1000"), "{encoder}");
}

/// With single spaces in between.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
