//! Runs ffprobe and ffmpeg, confined and with limits. No other module starts processes.
//!
//! A process that parses an upload may crash, but must not be able to do anything else. So:
//! - it may read its input, write its work folder, and reach nothing else ([`crate::confine`]);
//! - it may open one file, of a known container format ([`PROTOCOL_WHITELIST`], [`FORMAT_WHITELIST`]);
//! - it has limits of time, address space and file size, and dies with us;
//! - it starts without our environment, without a terminal and without a shell, in its own work directory;
//! - it is killed and reaped when the job is canceled or the future is dropped.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Child;
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, oneshot};

use crate::confine::{self, Confinement, Verdict};

/// Protocols that ffmpeg may use while it reads an upload.
pub(crate) const PROTOCOL_WHITELIST: &str = "file,pipe";

/// Containers that an upload may have. No playlists (`hls`, `dash`, `concat`): they name other files.
pub(crate) const FORMAT_WHITELIST: &str =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,flv,asf,mxf,ogg,wav,mp3,aac,aiff,flac,ac3,eac3";

/// Largest picture that is decoded, in pixels: 8192x8192.
pub(crate) const MAX_PIXELS: &str = "67108864";

/// Bytes of ffmpeg's messages that are kept.
const MESSAGES: usize = 8 << 10;

/// The limits of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall clock.
    pub time: Duration,
    /// Address space in bytes. An encode of 1080p takes about 1 GiB, one of 4K about 3.
    pub memory: u64,
    /// Bytes of all files that an encode may write.
    pub disk: u64,
    /// Maximum duration of a source.
    pub play_time: Duration,
    /// SIGKILL for the encoder so long after its start: for those who want to see what comes of it.
    pub kill_after: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_hours(6),
            memory: 8 << 30,
            disk: 1 << 40,
            play_time: Duration::from_hours(24),
            kill_after: None,
        }
    }
}

/// The files that a process may access: its inputs, and its work folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach<'a> {
    pub(crate) inputs: &'a [PathBuf],
    pub(crate) work: &'a Path,
    /// Bytes of each file that it may write to `work`.
    pub(crate) file_size: u64,
}

/// Starts a program with its output piped to us.
pub(crate) async fn spawn(
    program: &str,
    arguments: &[OsString],
    reach: Reach<'_>,
    limits: &Limits,
) -> io::Result<Child> {
    let confinement = Confinement {
        read: reach.inputs.to_vec(),
        write: (reach.file_size > 0).then(|| reach.work.to_owned()),
        file_size: reach.file_size,
        limits_only: !confine().await,
        ..limited(limits)
    };
    let mut command = launched(&confinement, program, arguments);
    command.current_dir(reach.work);
    spawn_from_lasting_thread(command).await
}

fn limited(limits: &Limits) -> Confinement {
    let processors = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    Confinement {
        parent: std::process::id(),
        memory: limits.memory,
        // The clock ends it before; this is for a process that has lost its parent's attention.
        cpu: limits.time.as_secs().saturating_add(1).saturating_mul(processors),
        ..Confinement::default()
    }
}

/// The command that starts a program through the launcher, or without it where there is none.
fn launched(confinement: &Confinement, program: &str, arguments: &[OsString]) -> Command {
    let mut command = if let Some(launcher) = confine::launcher() {
        let mut command = Command::new(launcher);
        command.args(confinement.arguments(program, arguments));
        command
    } else {
        let mut command = Command::new(program);
        command.args(arguments);
        command
    };
    // Ctrl-C in a terminal is for us: an encoder that died of it first would look like a failed job.
    command.process_group(0);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("LANG", "C.UTF-8").env("AV_LOG_FORCE_NOCOLOR", "1");
    // One heap per thread would cost 64 MiB of address space each.
    command.env("MALLOC_ARENA_MAX", "4");
    command
}

/// Whether ffmpeg runs under all restrictions that this system has. Found out once, by running it, with a warning of
/// what is missing: the encode then still runs, under limits alone.
pub(crate) async fn confine() -> bool {
    static WORKS: OnceCell<bool> = OnceCell::const_new();
    let works = WORKS.get_or_try_init(|| async {
        if confine::launcher().is_none() {
            tracing::warn!(
                "encoders run unconfined and without limits of memory: this program or system cannot"
            );
            return Ok(false);
        }
        match tried().await {
            Verdict::Works(missing) => {
                for missing in missing {
                    tracing::warn!(missing, "encoders are not fully confined");
                }
                Ok(true)
            }
            Verdict::Fails(reason) => {
                tracing::warn!(
                    reason,
                    "ffmpeg does not run confined; encoders run under limits alone"
                );
                Ok(false)
            }
            Verdict::Unknown => Err(()),
        }
    });
    works.await.copied().unwrap_or(true)
}

/// Runs ffmpeg under all restrictions, without an input.
async fn tried() -> Verdict {
    const LONG_ENOUGH: Duration = Duration::from_secs(20);
    let limits = Limits {
        time: LONG_ENOUGH,
        ..Limits::default()
    };
    let confinement = Confinement {
        report: true,
        ..limited(&limits)
    };
    let command = launched(&confinement, "ffmpeg", &["-version".into()]);
    let ran = async { spawn_from_lasting_thread(command).await?.wait_with_output().await };
    match tokio::time::timeout(LONG_ENOUGH, ran).await {
        Ok(Ok(output)) => confine::judge(output.status.code(), &String::from_utf8_lossy(&output.stderr)),
        Ok(Err(error)) => Verdict::Fails(error.to_string()),
        // A machine under load: the next encode asks again.
        Err(_) => Verdict::Unknown,
    }
}

struct Request {
    command: Command,
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// Starts the process from a thread that lives as long as we do.
///
/// "Parent" in Linux's parent-death signal is the *thread* that forked: a process started from a thread of
/// tokio's blocking pool would be killed when that thread retires after ten idle seconds.
async fn spawn_from_lasting_thread(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<Option<mpsc::Sender<Request>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = mpsc::channel::<Request>();
        let serve = move || {
            for Request {
                command,
                runtime,
                reply,
            } in requests
            {
                let _runtime = runtime.enter();
                let child = tokio::process::Command::from(command).kill_on_drop(true).spawn();
                // A caller that went away drops the child, which kills it.
                let _ = reply.send(child);
            }
        };
        std::thread::Builder::new()
            .name("spawn-encoder".to_owned())
            .spawn(serve)
            .ok()
            .map(|_| sender)
    });
    let (reply, answer) = oneshot::channel();
    let request = Request {
        command,
        runtime: Handle::current(),
        reply,
    };
    let sent = spawner
        .as_ref()
        .is_some_and(|spawner| spawner.send(request).is_ok());
    match (sent, answer.await) {
        (true, Ok(child)) => child,
        _ => Err(io::Error::other("the thread that starts encoders is gone")),
    }
}

/// A command line as it could be pasted into a shell.
pub(crate) fn quoted(program: &str, arguments: &[OsString]) -> String {
    let quote = |argument: &OsStr| {
        let text = argument.to_string_lossy();
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,+@%".contains(letter);
        if !text.is_empty() && text.chars().all(plain) {
            text.into_owned()
        } else {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
    };
    let words = std::iter::once(program.to_owned()).chain(arguments.iter().map(|argument| quote(argument)));
    words.collect::<Vec<_>>().join(" ")
}

/// Reads to the end and keeps the last bytes.
pub(crate) async fn tail(stream: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut stream) = stream else { return };
    let mut chunk = [0; 4 << 10];
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        kept.extend_from_slice(&chunk[..read]);
        let surplus = kept.len().saturating_sub(MESSAGES);
        kept.drain(..surplus);
    }
}
