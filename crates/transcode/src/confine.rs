//! The launcher: a process that gives up its rights and then becomes ffmpeg or ffprobe.
//!
//! A decoder that an upload has taken over can do what its process may do. So the process may read its input, write
//! its work folder, and nothing else: no other file, no network, no other program, no other process. A process can
//! only restrict itself, so the program that wants an encoder starts itself again, under the name `confine`; that
//! restricts itself (`linux`) and then executes ffmpeg, which inherits all of it.
//!
//! A program takes part by calling [`launch_if_asked`] first in its `main`. In one that does not (a test harness),
//! and on systems other than Linux, encoders run without these restrictions, and [`prepare`] warns of it.

#[cfg(target_os = "linux")]
mod elf;
#[cfg_attr(not(target_os = "linux"), path = "confine/other.rs")]
mod linux;
#[cfg(target_os = "linux")]
mod syscalls;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The first argument of a launcher.
const CONFINE: &str = "confine";
/// The line of a launcher's standard error that names a restriction that this system lacks.
const MISSING: &str = "confine: missing: ";
/// The launcher failed before the program ran.
const FAILED: i32 = 125;
/// There is no such program.
const NOT_FOUND: i32 = 127;

static LAUNCHER: OnceLock<PathBuf> = OnceLock::new();

/// Becomes a confined encoder if this process was started as a launcher; returns otherwise. It belongs before
/// everything else in `main`: restrictions hold for one thread, and there must be no other yet.
pub fn launch_if_asked() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == CONFINE) {
        launch(arguments);
    }
    if cfg!(target_os = "linux") {
        // The running program itself, even where its file has been replaced since.
        launch_with(Path::new("/proc/self/exe"));
    }
}

/// Names a program that calls [`launch_if_asked`], for one that cannot: a test harness. The first call counts.
pub fn launch_with(program: &Path) {
    drop(LAUNCHER.set(program.to_owned()));
}

/// Finds out what this system can restrict, and warns of what it cannot. Otherwise the first encode does.
pub async fn prepare() {
    crate::process::confine().await;
}

/// The launcher of this process.
pub(crate) fn launcher() -> Option<&'static Path> {
    LAUNCHER.get().map(PathBuf::as_path)
}

/// The restrictions of a process: its files and its limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Confinement {
    /// The process that starts the launcher. The program must not outlive it.
    pub(crate) parent: u32,
    /// Address space in bytes.
    pub(crate) memory: u64,
    /// Bytes of one file.
    pub(crate) file_size: u64,
    /// Processor time in seconds.
    pub(crate) cpu: u64,
    /// Files that may be read.
    pub(crate) read: Vec<PathBuf>,
    /// A folder in which files may be written.
    pub(crate) write: Option<PathBuf>,
    /// The limits alone, where the program does not run under the restrictions.
    pub(crate) limits_only: bool,
    /// Names on standard error what this system lacks.
    pub(crate) report: bool,
}

impl Confinement {
    /// The launcher's arguments.
    pub(crate) fn arguments(&self, program: &str, arguments: &[OsString]) -> Vec<OsString> {
        let option = |name: &str, value: &OsStr| {
            let mut option = OsString::from(format!("--{name}="));
            option.push(value);
            option
        };
        let number = |name, value: u64| option(name, value.to_string().as_ref());
        let mut words = vec![
            OsString::from(CONFINE),
            number("parent", self.parent.into()),
            number("memory", self.memory),
            number("file-size", self.file_size),
            number("cpu", self.cpu),
        ];
        words.extend(self.read.iter().map(|path| option("read", path.as_os_str())));
        words.extend(self.write.iter().map(|path| option("write", path.as_os_str())));
        words.extend(self.limits_only.then(|| OsString::from("--limits-only")));
        words.extend(self.report.then(|| OsString::from("--report")));
        words.extend([OsString::from("--"), program.into()]);
        words.extend_from_slice(arguments);
        words
    }

    /// Reads what [`Self::arguments`] writes behind its first word: itself, and the program with its arguments.
    fn parse(words: impl Iterator<Item = OsString>) -> Result<(Self, Vec<OsString>), String> {
        let mut read = Self::default();
        let mut words = words;
        while let Some(word) = words.next() {
            let bytes = word.as_bytes();
            let at = bytes.iter().position(|byte| *byte == b'=').unwrap_or(bytes.len());
            let value = OsStr::from_bytes(bytes.get(at + 1..).unwrap_or_default());
            let number = || value.to_str().and_then(|value| value.parse::<u64>().ok());
            let wrong = || format!("{} is wrong", word.display());
            match &bytes[..at] {
                b"--parent" => {
                    let id = number().and_then(|id| u32::try_from(id).ok());
                    read.parent = id.ok_or_else(wrong)?;
                }
                b"--memory" => read.memory = number().ok_or_else(wrong)?,
                b"--file-size" => read.file_size = number().ok_or_else(wrong)?,
                b"--cpu" => read.cpu = number().ok_or_else(wrong)?,
                b"--read" => read.read.push(value.into()),
                b"--write" => read.write = Some(value.into()),
                b"--limits-only" => read.limits_only = true,
                b"--report" => read.report = true,
                b"--" => return Ok((read, words.collect())),
                _ => return Err(wrong()),
            }
        }
        Err("there is no program to start".to_owned())
    }
}

/// Restricts this process and becomes the program. Never returns.
fn launch(words: impl Iterator<Item = OsString>) -> ! {
    use std::io::Write as _;
    let (code, message) = match Confinement::parse(words) {
        Ok((confinement, program)) => linux::run(&confinement, &program),
        Err(message) => (FAILED, message),
    };
    let _ = writeln!(std::io::stderr(), "{CONFINE}: {message}");
    std::process::exit(code)
}

/// The result of trying the restrictions on a program: those that are missing, or why it does not run under them.
pub(crate) fn judge(code: Option<i32>, messages: &str) -> Verdict {
    let missing = messages.lines().filter_map(|line| line.strip_prefix(MISSING));
    match code {
        Some(0) => Verdict::Works(missing.map(str::to_owned).collect()),
        // Each encode says so. It may be installed meanwhile.
        Some(NOT_FOUND) => Verdict::Unknown,
        _ => {
            let other = messages.lines().rfind(|line| !line.starts_with(MISSING));
            Verdict::Fails(other.unwrap_or("it was killed").to_owned())
        }
    }
}

/// Whether ffmpeg runs under the restrictions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// With what is missing.
    Works(Vec<String>),
    Fails(String),
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_back() {
        let confinement = Confinement {
            parent: 7,
            memory: 8 << 30,
            file_size: 0,
            cpu: 60,
            read: vec!["/a b=c".into(), OsStr::from_bytes(b"/\xff").into()],
            write: Some("/--work".into()),
            limits_only: false,
            report: true,
        };
        let program = ["-i", "--", "x"].map(OsString::from);
        for confinement in [confinement, Confinement::default()] {
            let mut words = confinement.arguments("ffmpeg", &program).into_iter();
            assert_eq!(words.next().expect("is there"), CONFINE);
            let (read, command) = Confinement::parse(words).expect("is right");
            assert_eq!(read, confinement);
            assert_eq!(command, ["ffmpeg", "-i", "--", "x"].map(OsString::from));
        }
    }

    #[test]
    fn wrong_arguments_are_refused() {
        for words in [
            &["--memory=x", "--", "a"][..],
            &["--what", "--", "a"],
            &["--cpu=1"],
            &[],
        ] {
            let words = words.iter().map(OsString::from);
            assert!(Confinement::parse(words).is_err());
        }
    }

    #[test]
    fn verdicts() {
        let missing = "confine: missing: seccomp\nffmpeg version 5\n";
        for (code, messages, expected) in [
            (Some(0), "", Verdict::Works(vec![])),
            (Some(0), missing, Verdict::Works(vec!["seccomp".to_owned()])),
            (Some(127), "confine: ffmpeg: not found", Verdict::Unknown),
            (
                Some(126),
                "a\nb\nconfine: missing: x",
                Verdict::Fails("b".to_owned()),
            ),
            (None, "", Verdict::Fails("it was killed".to_owned())),
        ] {
            assert_eq!(judge(code, messages), expected, "{messages}");
        }
    }
}
