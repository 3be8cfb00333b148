//! A clock of the test's own for the programs under test: a few lines of C that stand before the system's.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools;

/// Adds the seconds in `$VOD_TEST_OFFSET` (a file) to the time of day. What measures durations stays as it is.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = syscall(SYS_clock_gettime, clock, time);
    const char *path = getenv("VOD_TEST_OFFSET");
    if (result || clock != CLOCK_REALTIME || !path) return result;
    char text[32] = {0};
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return result;
    if (read(file, text, sizeof text - 1) > 0) time->tv_sec += atol(text);
    close(file);
    return result;
}
"#;

/// The time of day for some processes.
#[derive(Debug)]
pub struct Time {
    library: PathBuf,
    offset: PathBuf,
}

impl Time {
    /// Compiles the library into `folder` with the C compiler that the build needs as well.
    pub fn new(folder: &Path) -> anyhow::Result<Self> {
        let (source, library) = (folder.join("time.c"), folder.join("time.so"));
        std::fs::write(&source, SHIM)?;
        let mut command = Command::new("cc");
        command
            .args(["-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(&source);
        tools::run(&mut command)?;
        let time = Self {
            library,
            offset: folder.join("offset"),
        };
        time.set(0)?;
        Ok(time)
    }

    /// Sets the clock so many seconds off. It holds from the next look at the clock on.
    pub fn set(&self, seconds: i64) -> anyhow::Result<()> {
        let new = self.offset.with_extension("new");
        std::fs::write(&new, seconds.to_string())?;
        Ok(std::fs::rename(new, &self.offset)?)
    }

    /// The environment of a process that lives in this time.
    pub fn environment(&self) -> [(&'static str, OsString); 2] {
        [
            ("LD_PRELOAD", self.library.clone().into()),
            ("VOD_TEST_OFFSET", self.offset.clone().into()),
        ]
    }
}
