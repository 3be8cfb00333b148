//! One world per test: a folder with generated clips, a work directory and a "bucket" of published files.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use mediaconvert_job::Template;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use transcode::exec::{self, Limits};
use transcode::plan::{Plan, plan};
use transcode::probe::probe;
use transcode::produced::Produced;

/// The default template, a fifth in size so that tests are quick.
pub(crate) fn small() -> Value {
    let template =
        Template::parse(include_bytes!("../../../../job-templates/default.json")).expect("is a template");
    let mut settings = template.settings;
    settings["inputs"][0]["fileInput"] = json!("s3://vod/input/x.mp4");
    for (group, member, folder) in [
        (0, "hlsGroupSettings", "hls"),
        (1, "fileGroupSettings", "mp4"),
        (2, "fileGroupSettings", "thumbnails"),
    ] {
        let group = &mut settings["outputGroups"][group];
        group["outputGroupSettings"][member]["destination"] = json!(format!("s3://vod/out/{folder}/video"));
        for output in group["outputs"].as_array_mut().expect("has outputs") {
            let video = &mut output["videoDescription"];
            let height = video["height"].as_u64().expect("has a height") / 5;
            // As the rule keep-shape completes it for a source of 16:9.
            video["width"] = json!(height * 16 / 9 / 2 * 2);
            video["height"] = json!(height);
            if output["nameModifier"].is_string() {
                output["nameModifier"] = json!(format!("_{height}"));
            }
        }
    }
    settings
}

pub(crate) fn with(mut settings: Value, change: impl FnOnce(&mut Value)) -> Value {
    change(&mut settings);
    settings
}

pub(crate) fn no_sound(mut settings: Value) -> Value {
    for group in settings["outputGroups"].as_array_mut().expect("has groups") {
        for output in group["outputs"].as_array_mut().expect("has outputs") {
            output
                .as_object_mut()
                .expect("is an object")
                .remove("audioDescriptions");
        }
    }
    settings
}

/// The launcher, and the stand-in for an encoder that an upload has taken over.
pub(crate) const HELPER: &str = env!("CARGO_BIN_EXE_transcode-test-helper");
/// Runs encoders without a launcher, where it is set.
pub(crate) const UNCONFINED: &str = "TRANSCODE_TEST_UNCONFINED";

pub(crate) struct World {
    folder: PathBuf,
    /// Removes the folder, where it is ours.
    _owned: Option<TempDir>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::confine();
        let owned = TempDir::new().expect("a folder can be made");
        Self {
            folder: owned.path().to_owned(),
            _owned: Some(owned),
        }
    }

    /// As the `vod` command does for itself.
    fn confine() {
        if std::env::var_os(UNCONFINED).is_none() {
            transcode::confine::launch_with(Path::new(HELPER));
        }
    }

    /// A world that another process removes.
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self::confine();
        Self { folder, _owned: None }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.path("work")
    }

    /// Makes a clip with ffmpeg.
    pub(crate) fn clip(&self, name: &str, options: &[&str]) -> PathBuf {
        let path = self.path(name);
        let mut command = Command::new("ffmpeg");
        command
            .args(["-nostdin", "-y", "-v", "error"])
            .args(options)
            .args(["-preset", "ultrafast"])
            .arg(&path);
        let output = command.output().expect("ffmpeg runs");
        assert!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        path
    }

    pub(crate) async fn plan(&self, settings: &Value, input: &Path) -> Result<Plan, Box<dyn Error>> {
        let source = probe(input, &Limits::default()).await?;
        Ok(plan(settings, &source, "20260101T000000")?)
    }

    pub(crate) async fn encode(
        &self,
        settings: &Value,
        input: &Path,
    ) -> Result<(Plan, Produced), Box<dyn Error>> {
        let plan = self.plan(settings, input).await?;
        let produced = self.run(&plan, input).await?;
        Ok((plan, produced))
    }

    pub(crate) async fn run(&self, plan: &Plan, input: &Path) -> Result<Produced, Box<dyn Error>> {
        let cancel = CancellationToken::new();
        let mut last = 0;
        let progress = |now: exec::Progress| last = now.percent;
        let produced = exec::run(plan, input, &self.work(), &Limits::default(), &cancel, progress).await?;
        assert_eq!(last, 100, "progress reaches its end");
        Ok(produced)
    }

    /// Copies what was made to where its URLs say, below `published/`.
    pub(crate) fn publish(&self, produced: &Produced) {
        for file in &produced.files {
            let target = self.published(file.url.strip_prefix("s3://vod/out/").expect("is in the bucket"));
            std::fs::create_dir_all(target.parent().expect("has a folder")).expect("is created");
            std::fs::copy(self.work().join(&file.path), &target).expect("is copied");
            assert_eq!(std::fs::metadata(&target).expect("exists").len(), file.size);
        }
    }

    pub(crate) fn published(&self, name: &str) -> PathBuf {
        self.path("published").join(name)
    }
}

/// The bytes that ffmpeg makes of a file with these output options.
pub(crate) fn decoded(path: &Path, options: &[&str]) -> Vec<u8> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(path)
        .args(options)
        .arg("-")
        .output()
        .expect("ffmpeg runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Plays a file to its end and counts the pictures.
pub(crate) fn decoded_frames(path: &Path) -> u64 {
    let answer = shown(
        path,
        &[
            "-count_frames",
            "-select_streams",
            "v:0",
            "-show_entries",
            "stream=nb_read_frames",
        ],
    );
    let frames = answer["streams"][0]["nb_read_frames"]
        .as_str()
        .expect("counts frames")
        .parse();
    frames.expect("is a number")
}

/// The first video stream as ffprobe shows it, with the first audio stream under `audio`.
pub(crate) fn ffprobe(path: &Path) -> Value {
    let answer = shown(path, &["-show_streams"]);
    let of = |kind: &str| {
        answer["streams"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|stream| stream["codec_type"] == kind)
            .cloned()
            .unwrap_or_default()
    };
    let mut video = of("video");
    video["audio"] = of("audio");
    video
}

/// Instants of the keyframes in seconds, from the first one.
pub(crate) fn keyframes(path: &Path) -> Vec<f64> {
    let answer = shown(
        path,
        &["-select_streams", "v:0", "-show_entries", "packet=pts_time,flags"],
    );
    let packets = answer["packets"].as_array().expect("has packets");
    let keys = packets
        .iter()
        .filter(|packet| packet["flags"].as_str().is_some_and(|flags| flags.contains('K')));
    let times: Vec<f64> = keys
        .map(|packet| {
            packet["pts_time"]
                .as_str()
                .expect("has a time")
                .parse()
                .expect("is a number")
        })
        .collect();
    times
        .iter()
        .map(|time| ((time - times[0]) * 1000.0).round() / 1000.0)
        .collect()
}

/// ffprobe's report of a file.
pub(crate) fn shown(path: &Path, options: &[&str]) -> Value {
    // ffmpeg's DASH demuxer does not know the suffixes of CMAF.
    let manifest = path.extension().is_some_and(|suffix| suffix == "mpd");
    let allowed: &[&str] = if manifest {
        &["-allowed_extensions", "ALL"]
    } else {
        &[]
    };
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "json"])
        .args(allowed)
        .args(options)
        .arg(path)
        .output()
        .expect("ffprobe runs");
    assert!(
        output.status.success(),
        "{}: {}",
        path.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("is JSON")
}
