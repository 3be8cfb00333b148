//! The only place that starts processes: ffprobe and ffmpeg, under limits.
//!
//! What parses an upload must be able to crash alone, and must not be able to do anything else. So:
//! - it may open one file, of a known container format ([`PROTOCOL_WHITELIST`], [`FORMAT_WHITELIST`]);
//! - it has a time limit and a limit of address space, and dies with us;
//! - it starts without our environment, without a terminal, in its own work directory, and no shell reads what is
//!   not ours ([`ONLY_WITH_ITS_PARENT`] is a constant);
//! - it is killed and reaped when the job is cancelled or the future is dropped.

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
use tokio::sync::oneshot;

/// Protocols that ffmpeg may use while it reads an upload.
pub(crate) const PROTOCOL_WHITELIST: &str = "file,pipe";

/// Containers that an upload may have. No playlists (`hls`, `dash`, `concat`): they name other files.
pub(crate) const FORMAT_WHITELIST: &str =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,flv,asf,mxf,ogg,wav,mp3,aac";

/// Largest picture that is decoded, in pixels: 8192x8192.
pub(crate) const MAX_PIXELS: &str = "67108864";

/// Bytes of ffmpeg's messages that are kept.
const MESSAGES: usize = 8 << 10;

/// What a process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall clock.
    pub time: Duration,
    /// Address space in bytes. An encode of 1080p takes about 1 GiB, one of 4K about 3.
    pub memory: u64,
    /// SIGKILL for the encoder so long after its start: for those who want to see what comes of it.
    pub kill_after: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_hours(6),
            memory: 8 << 30,
            kill_after: None,
        }
    }
}

/// Starts a program with its output piped to us.
pub(crate) async fn spawn(
    program: &str,
    arguments: &[OsString],
    work: &Path,
    limits: &Limits,
) -> io::Result<Child> {
    let mut command = limited(program, limits);
    // Ctrl-C in a terminal is for us: an encoder that died of it first would look like a failed job.
    command.process_group(0);
    command.args(arguments).current_dir(work);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("LANG", "C.UTF-8").env("AV_LOG_FORCE_NOCOLOR", "1");
    // One heap per thread would cost 64 MiB of address space each.
    command.env("MALLOC_ARENA_MAX", "4");
    spawn_from_lasting_thread(command).await
}

/// Goes on to its arguments only while the process of the given id is its parent: `setpriv` asks for the signal
/// after the fork, and of a parent that died before that the kernel never tells (`prctl(2)`, `PR_SET_PDEATHSIG`).
const ONLY_WITH_ITS_PARENT: &str = r#"test "$PPID" = "$0" && exec "$@""#;

/// The program wrapped by util-linux: `setpriv` lets the kernel kill it when we die, however that happens;
/// `prlimit` sets its limits. Each replaces itself by what it starts, so the process id is the program's.
fn limited(program: &str, limits: &Limits) -> Command {
    static WRAPPERS: OnceLock<bool> = OnceLock::new();
    let wrap = *WRAPPERS.get_or_init(|| {
        let found = cfg!(target_os = "linux") && on_path("setpriv") && on_path("prlimit");
        if !found {
            tracing::warn!(
                "setpriv and prlimit not found; encoders run without a memory limit, and go on when this is killed"
            );
        }
        found
    });
    if !wrap {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "sh", "-c", ONLY_WITH_ITS_PARENT]);
    command.arg(std::process::id().to_string());
    command.args(["prlimit", "--core=0"]);
    command.arg(format!("--as={}", limits.memory)).arg(program);
    command
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .any(|file: PathBuf| file.is_file())
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
