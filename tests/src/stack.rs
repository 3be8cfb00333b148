//! A whole stack of a test's own: `vod up` on free ports, in a folder of its own.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::{calls, http, tools, wait};

/// What `endpoints.json` says, as another program would read it.
#[derive(Debug, Clone, Deserialize)]
pub struct Endpoints {
    pub api: String,
    pub edge: String,
    pub bucket: String,
    pub region: String,
    pub access_key: String,
    pub secret_key: String,
    pub token: String,
}

/// A running `vod up`; it is killed when this goes out of scope.
#[derive(Debug)]
pub struct LocalStack {
    process: Child,
    folder: TempDir,
    pub endpoints: Endpoints,
}

impl LocalStack {
    /// Starts one, with two encodes at once.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(&[])
    }

    /// Starts one with further arguments of `vod up`.
    pub fn start_with(arguments: &[&str]) -> anyhow::Result<Self> {
        Self::start_in(tempfile::tempdir()?, arguments)
    }

    /// Starts one that may have so many files open.
    pub fn start_with_open_files(limit: u32) -> anyhow::Result<Self> {
        let mut shell = Command::new("sh");
        let script = "ulimit -n \"$1\" && shift && exec \"$@\"";
        shell
            .args(["-c", script, "sh", &limit.to_string()])
            .arg(tools::built("vod")?);
        Self::start_as(shell, tempfile::tempdir()?, &[])
    }

    /// Starts one whose state is `folder`'s subfolder `state`, which may be there already.
    pub fn start_in(folder: TempDir, arguments: &[&str]) -> anyhow::Result<Self> {
        Self::start_under(folder, arguments, &[])
    }

    /// The same with further environment variables.
    pub fn start_under(
        folder: TempDir,
        arguments: &[&str],
        environment: &[(&str, &OsStr)],
    ) -> anyhow::Result<Self> {
        let mut vod = Command::new(tools::built("vod")?);
        vod.envs(environment.iter().copied());
        Self::start_as(vod, folder, arguments)
    }

    fn start_as(mut vod: Command, folder: TempDir, arguments: &[&str]) -> anyhow::Result<Self> {
        let state = folder.path().join("state");
        let endpoints_file = state.join("endpoints.json");
        // What an earlier life left must not be taken for this one's; `vod up` removes it too, but later.
        let _ = std::fs::remove_file(&endpoints_file);
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.path().join("vod.log"))?;
        let mut process = vod
            .arg("--state")
            .arg(&state)
            .args([
                "up",
                "--api",
                "127.0.0.1:0",
                "--edge",
                "127.0.0.1:0",
                "--jobs",
                "2",
            ])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("could not start vod up")?;
        let log = folder.path().join("vod.log");
        let endpoints = wait::until("vod up to be ready", wait::SOON, || {
            if let Some(status) = process.try_wait()? {
                bail!("vod up ended ({status}): {}", std::fs::read_to_string(&log)?);
            }
            Ok(healthy(&endpoints_file))
        })?;
        Ok(Self {
            process,
            folder,
            endpoints,
        })
    }

    /// kill -9, then the same state again.
    pub fn kill_and_start_again(mut self) -> anyhow::Result<Self> {
        self.kill()?;
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir()?);
        drop(self);
        Self::start_in(folder, &[])
    }

    /// kill -9, and nothing else: what it started must end by itself.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Waits until it has ended by itself.
    pub fn wait_for_its_end(&mut self) -> anyhow::Result<ExitStatus> {
        wait::until("vod up to end", wait::SOON, || Ok(self.process.try_wait()?))
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// A folder for the test's own files.
    pub fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// Everything that `vod up` said.
    pub fn log(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.folder.path().join("vod.log"))?)
    }

    /// The access log's lines.
    pub fn access_log(&self) -> anyhow::Result<Vec<Value>> {
        let text = std::fs::read_to_string(self.state().join("access.log"))?;
        text.lines()
            .map(|line| serde_json::from_str(line).with_context(|| format!("not JSON: {line}")))
            .collect()
    }

    /// Runs a `vod` command on this stack.
    pub fn vod(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let mut command = Command::new(tools::built("vod")?);
        command.arg("--state").arg(self.state()).args(arguments);
        tools::output(&mut command)
    }

    /// The JSON of a `vod` command that must succeed.
    pub fn vod_json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let mut command = Command::new(tools::built("vod")?);
        command
            .arg("--state")
            .arg(self.state())
            .args(arguments)
            .arg("--json");
        serde_json::from_str(&tools::run(&mut command)?).context("not JSON")
    }

    /// Runs the AWS CLI on this stack; its standard output.
    pub fn aws(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let Endpoints {
            api,
            region,
            access_key,
            secret_key,
            ..
        } = &self.endpoints;
        let mut command = tools::aws();
        command
            .args(["--endpoint-url", api, "--output", "json"])
            .args(arguments)
            .env("AWS_ACCESS_KEY_ID", access_key)
            .env("AWS_SECRET_ACCESS_KEY", secret_key)
            .env("AWS_DEFAULT_REGION", region);
        tools::run(&mut command)
    }

    /// The AWS CLI's answer as JSON.
    pub fn aws_json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        serde_json::from_str(&self.aws(arguments)?).context("the AWS CLI gave no JSON")
    }

    /// `aws s3 cp FILE s3://bucket/KEY`.
    pub fn upload(&self, file: &Path, key: &str) -> anyhow::Result<()> {
        let target = format!("s3://{}/{key}", self.endpoints.bucket);
        let file = file.to_string_lossy();
        self.aws(&["s3", "cp", "--only-show-errors", &file, &target])
            .map(drop)
    }

    /// PutObject of a few bytes, with the key exactly as it is.
    pub fn put(&self, key: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let file = tempfile::NamedTempFile::new_in(self.scratch())?;
        std::fs::write(file.path(), bytes)?;
        self.put_file(key, file.path())
    }

    /// PutObject of a file, in one piece whatever its size.
    pub fn put_file(&self, key: &str, file: &Path) -> anyhow::Result<()> {
        let (bucket, file) = (&self.endpoints.bucket, file.to_string_lossy());
        let put = ["s3api", "put-object", "--bucket", bucket, "--key", key];
        self.aws(&[&put[..], &["--body", &file]].concat()).map(drop)
    }

    /// Everything below a prefix, copied into a new folder.
    pub fn download(&self, prefix: &str) -> anyhow::Result<PathBuf> {
        let folder = self.scratch().join("downloads");
        let source = format!("s3://{}/{prefix}", self.endpoints.bucket);
        let target = folder.to_string_lossy();
        self.aws(&["s3", "cp", "--only-show-errors", "--recursive", &source, &target])?;
        Ok(folder)
    }

    /// The keys below a prefix.
    pub fn keys(&self, prefix: &str) -> anyhow::Result<Vec<String>> {
        let bucket = &self.endpoints.bucket;
        let list = self.aws(&["s3api", "list-objects-v2", "--bucket", bucket, "--prefix", prefix])?;
        if list.trim().is_empty() {
            return Ok(Vec::new());
        }
        let list: Value = serde_json::from_str(&list)?;
        let objects = list["Contents"].as_array().cloned().unwrap_or_default();
        Ok(objects
            .iter()
            .filter_map(|object| object["Key"].as_str().map(str::to_owned))
            .collect())
    }

    /// GET of the signer's HTTP, with the stack's own token.
    pub fn api(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .finish();
        let url = format!("{}{path}?{query}", self.endpoints.edge);
        let bearer = format!("Bearer {}", self.endpoints.token);
        let answer = http::get(&url, &[("authorization", &bearer)])?;
        if answer.status != 200 {
            bail!("{path}: {} {}", answer.status, answer.text());
        }
        serde_json::from_slice(&answer.body).context("not JSON")
    }

    /// The records of an upload.
    pub fn records(&self, key: &str) -> anyhow::Result<Vec<Value>> {
        let page = self.api("/api/assets", &[("source", key)])?;
        Ok(page["assets"].as_array().cloned().unwrap_or_default())
    }

    /// Waits until the upload's one record is in one of these states.
    pub fn wait_for(&self, key: &str, states: &[&str], patience: Duration) -> anyhow::Result<Value> {
        let mut last = Value::Null;
        let found = wait::until(&format!("{key} to be {states:?}"), patience, || {
            let records = self.records(key)?;
            if records.len() > 1 {
                bail!("{key} has {} records", records.len());
            }
            let Some(record) = records.into_iter().next() else {
                return Ok(None);
            };
            let fits = states.iter().any(|state| record["state"] == **state);
            last = record;
            Ok(fits.then(|| last.clone()))
        });
        found.with_context(|| format!("last seen: {last:#}"))
    }

    /// Waits until nothing more happens to the upload by itself.
    pub fn wait_for_end(&self, key: &str) -> anyhow::Result<Value> {
        self.wait_for(key, &["COMPLETE", "ERROR", "CANCELED", "IGNORED"], wait::ENCODE)
    }

    /// Waits for COMPLETE; another end fails at once and says why.
    pub fn wait_for_complete(&self, key: &str) -> anyhow::Result<Value> {
        let record = self.wait_for_end(key)?;
        if record["state"] != "COMPLETE" {
            bail!("{key} ended otherwise: {record:#}\n{}", self.log()?);
        }
        Ok(record)
    }

    /// Waits until the one record of each upload is COMPLETE, and does sooner what reconcile does every few minutes:
    /// claims and attempts may have been cut off.
    pub fn reconcile_until_complete(&self, keys: &[String]) -> anyhow::Result<()> {
        for key in keys {
            let done = wait::until(key, wait::ENCODE, || {
                let records = self.records(key)?;
                ensure!(records.len() < 2, "{key} has {} records", records.len());
                let done = records
                    .first()
                    .is_some_and(|record| record["state"] == "COMPLETE");
                if !done {
                    self.vod(&["reconcile"])?;
                }
                Ok(done.then_some(()))
            });
            done.with_context(|| self.log().unwrap_or_default())?;
        }
        Ok(())
    }
}

impl Drop for LocalStack {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "the runner shows it with the failed test")]
            let () = eprintln!("--- vod up said:\n{}", self.log().unwrap_or_default());
        } else {
            calls::check(&self.state());
        }
    }
}

/// The endpoints of a stack that answers.
fn healthy(file: &Path) -> Option<Endpoints> {
    let endpoints: Endpoints = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    let answer = http::get(&format!("{}/healthz", endpoints.edge), &[]).ok()?;
    (answer.status == 200).then_some(endpoints)
}
