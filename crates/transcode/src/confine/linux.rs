//! Restricts a launcher on Linux, in this order: its end is tied to its parent's, limits are set, Landlock denies files
//! and TCP, and seccomp denies other processes and other kernel interfaces.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, LandlockStatus, PathBeneath, PathFd, RestrictionStatus, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
    path_beneath_rules,
};
use rustix::process::{Pid, Resource, Rlimit, Signal};

use super::{Confinement, FAILED, MISSING, NOT_FOUND, elf, syscalls};

/// The Landlock restrictions: files (1 to 3), TCP (4), devices (5), signals and abstract sockets (6).
const WANTED: ABI = ABI::V6;

/// Open files at one time. An encode has a handful for each of its outputs.
const OPEN_FILES: u64 = 1024;

/// Paths that every program reads to start and to draw text; they contain no secrets. Missing ones are skipped.
const SYSTEM: [&str; 18] = [
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share",
    "/nix/store",
    "/gnu/store",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/fonts",
    "/etc/localtime",
    "/var/cache/fontconfig",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/proc/cpuinfo",
];

/// Becomes the program under restrictions. Returns only where that fails: with an exit code and the reason.
pub(super) fn run(confinement: &Confinement, command: &[OsString]) -> (i32, String) {
    let Some((name, arguments)) = command.split_first() else {
        return (FAILED, "there is no program to start".to_owned());
    };
    let Some(program) = find(name) else {
        return (NOT_FOUND, format!("{}: not found", name.display()));
    };
    if let Err(error) = limit(confinement) {
        return (FAILED, format!("cannot set limits: {error}"));
    }
    if !confinement.limits_only {
        let missing = restrict(confinement, &program);
        if confinement.report {
            use io::Write as _;
            for what in missing {
                let _ = writeln!(io::stderr(), "{MISSING}{what}");
            }
        }
    }
    let mut command = Command::new(&program);
    command.arg0(name).args(arguments);
    // Last: this process may be larger than what it starts.
    if let Err(error) = set(Resource::As, confinement.memory) {
        return (FAILED, format!("cannot limit the memory: {error}"));
    }
    let error = command.exec();
    (FAILED, format!("cannot start {}: {error}", program.display()))
}

/// The file of a program, by its path or as found on `PATH`.
fn find(name: &std::ffi::OsStr) -> Option<PathBuf> {
    let path = Path::new(name);
    if path.components().count() > 1 {
        return Some(path.to_owned());
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .map(|folder| folder.join(path))
        .find(|file| file.is_file())
}

fn limit(confinement: &Confinement) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The kernel sends no signal for a parent that died earlier (`prctl(2)`, `PR_SET_PDEATHSIG`).
    let parent = rustix::process::getppid().map(Pid::as_raw_pid);
    if parent != i32::try_from(confinement.parent).ok() {
        return Err(io::Error::other("the process that started this one is gone"));
    }
    // Where memory runs out the encoder goes first, not the service or the user's desktop.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::Fsize, confinement.file_size),
        (Resource::Nofile, OPEN_FILES),
        (Resource::Cpu, confinement.cpu),
    ] {
        set(resource, most)?;
    }
    Ok(())
}

/// Sets a limit that cannot be raised again; one that is lower already stays.
fn set(resource: Resource, most: u64) -> io::Result<()> {
    let now = rustix::process::getrlimit(resource);
    let most = now.maximum.map_or(most, |now| now.min(most));
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    Ok(rustix::process::setrlimit(resource, limit)?)
}

/// Takes away what the program does not need; what could not be taken away is returned in words.
fn restrict(confinement: &Confinement, program: &Path) -> Vec<String> {
    let mut missing = Vec::new();
    drop_capabilities();
    match landlock(confinement, program) {
        Ok(status) => missing.extend(shortcoming(&status)),
        Err(error) => missing.push(format!("Landlock: {error}")),
    }
    if let Err(error) = syscalls::deny() {
        missing.push(format!("seccomp: {error}"));
    }
    missing
}

/// Root without the powers of root, but for those over files: uploads may belong to another user, and Landlock has
/// the last word on files.
fn drop_capabilities() {
    use rustix::thread::{CapabilitySet, CapabilitySets};
    let kept = CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
    let Ok(now) = rustix::thread::capabilities(None) else {
        return;
    };
    for capability in (CapabilitySet::all() - kept).iter() {
        // Fails without CAP_SETPCAP: then there is nothing to drop.
        let _ = rustix::thread::remove_capability_from_bounding_set(capability);
    }
    let sets = CapabilitySets {
        effective: now.effective & kept,
        permitted: now.permitted & kept,
        inheritable: CapabilitySet::empty(),
    };
    let _ = rustix::thread::set_capabilities(None, sets);
}

fn landlock(confinement: &Confinement, program: &Path) -> Result<RestrictionStatus, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let run = AccessFs::ReadFile | AccessFs::Execute;
    let write = read | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile;
    // A program that was installed under a folder of its own has its libraries beside it.
    let own = std::fs::canonicalize(program).ok();
    let own = own.as_deref().and_then(Path::parent).and_then(Path::parent);
    let loader = elf::interpreter(program).ok().flatten();
    Ruleset::default()
        .handle_access(AccessFs::from_all(WANTED))?
        .handle_access(AccessNet::from_all(WANTED))?
        .scope(Scope::from_all(WANTED))?
        .create()?
        .allow(SYSTEM.map(Path::new), read)?
        .allow(own.map(|folder| folder.join("lib")), read)?
        .allow(
            ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"],
            AccessFs::ReadFile,
        )?
        .allow(["/dev/null"], AccessFs::WriteFile)?
        .allow([program].into_iter().chain(loader.as_deref()), run)?
        .allow(&confinement.read, AccessFs::ReadFile)?
        .allow(&confinement.write, write)?
        .restrict_self()
}

trait Allow: Sized {
    /// Allows access to files and to what is below folders, where they are there.
    fn allow<P: AsRef<Path>>(
        self,
        paths: impl IntoIterator<Item = P>,
        access: impl Into<landlock::BitFlags<AccessFs>>,
    ) -> Result<Self, RulesetError>;
}

impl Allow for RulesetCreated {
    fn allow<P: AsRef<Path>>(
        self,
        paths: impl IntoIterator<Item = P>,
        access: impl Into<landlock::BitFlags<AccessFs>>,
    ) -> Result<Self, RulesetError> {
        let rules = path_beneath_rules(paths, access);
        self.add_rules(rules.map(|rule: Result<PathBeneath<PathFd>, RulesetError>| rule))
    }
}

fn shortcoming(status: &RestrictionStatus) -> Option<String> {
    let what = match (&status.ruleset, status.landlock) {
        (RulesetStatus::FullyEnforced, _) => return None,
        (_, LandlockStatus::NotEnabled) => "Landlock: it is not turned on in this kernel".to_owned(),
        (_, LandlockStatus::NotImplemented) => {
            "Landlock: this kernel has none (Linux 5.13 and later do)".to_owned()
        }
        (_, LandlockStatus::Available { effective_abi, .. }) => format!(
            "Landlock: this kernel has version {effective_abi}; version {WANTED} (Linux 6.12) restricts more"
        ),
    };
    Some(what)
}
