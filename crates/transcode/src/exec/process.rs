//! Starting one process under limits.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{OnceLock, mpsc};

use tokio::process::Child;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::exec::Limits;

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
