//! Injects faults, to check that nothing is lost: off by default, and never in the Lambdas.
//!
//! - `spec`: how they are written; `draw`: what happens, from one seed; `source`: arguments and files.
//! - `calls`, `answers`: the API port refuses, delays, and hangs up; `disk`: it has no room.
//! - `crash`: a function dies at a call that it makes.
//! - `events`: between a queue and its function; `encode`: the encoder.
//!
//! Without `--fault` none of this is there: no layer, no wrapper, an empty `Option`.

mod answers;
mod calls;
mod crash;
mod disk;
mod draw;
mod encode;
mod events;
mod source;
mod spec;

use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use self::disk::Disk;
use self::draw::Draws;
pub use self::encode::while_there_is_room;
pub use self::source::FaultsError;
use self::spec::{Rule, Rules};
pub use self::spec::{SYNTAX, SpecError};

/// Between two looks at the files.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// The faults of a stack. Cheap to clone.
#[derive(Clone)]
pub struct Faults {
    inner: Arc<Inner>,
}

struct Inner {
    /// Faults, and files of faults.
    arguments: Vec<String>,
    /// Where none was written.
    random_seed: u64,
    rules: RwLock<Arc<Rules>>,
    draws: Draws,
    disk: Disk,
    armed: AtomicBool,
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Faults({self})")
    }
}

/// Everything that is needed to repeat a failure.
impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rules = self.written();
        if rules.is_empty() {
            return write!(f, "faults are off: nothing is written");
        }
        write!(f, "faults are on: {} seed={}", rules.text(), self.seed(&rules))
    }
}

impl Faults {
    /// Reads what was given on the command line: faults, and files of faults. None without any.
    ///
    /// They are inactive until [`Faults::arm`], so that a stack starts whatever they are.
    pub fn open(arguments: &[String], state: &Path) -> Result<Option<Self>, FaultsError> {
        if arguments.is_empty() {
            return Ok(None);
        }
        let rules = source::read(arguments)?;
        let inner = Inner {
            arguments: arguments.to_owned(),
            // Short enough to be typed.
            random_seed: RandomState::new().hash_one(0) >> 40,
            rules: RwLock::new(Arc::new(rules)),
            draws: Draws::default(),
            disk: Disk::new(state),
            armed: AtomicBool::new(false),
        };
        Ok(Some(Self {
            inner: Arc::new(inner),
        }))
    }

    /// Activates them.
    pub fn arm(&self) {
        self.inner.armed.store(true, Ordering::Release);
    }

    /// Reads the files again when they change, until `stop`. One that is wrong leaves what was there before.
    pub async fn follow(self, stop: CancellationToken) {
        let mut clock = tokio::time::interval(LOOK_EVERY);
        let mut complained = String::new();
        while stop.run_until_cancelled(clock.tick()).await.is_some() {
            self.look(&mut complained);
        }
    }

    /// `complained` is the last error, so that each is logged once.
    fn look(&self, complained: &mut String) {
        match source::read(&self.inner.arguments) {
            Ok(rules) => {
                complained.clear();
                self.replace(rules);
            }
            Err(error) if error.to_string() == *complained => {}
            Err(error) => {
                *complained = error.to_string();
                tracing::warn!(error = complained, "kept the old faults");
            }
        }
    }

    fn replace(&self, rules: Rules) {
        if *self.written() == rules {
            return;
        }
        *self.inner.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        tracing::warn!("{self}");
    }

    fn written(&self) -> Arc<Rules> {
        let rules = self.inner.rules.read();
        Arc::clone(&rules.unwrap_or_else(PoisonError::into_inner))
    }

    /// Those that are active.
    fn rules(&self) -> Option<Arc<Rules>> {
        self.inner.armed.load(Ordering::Acquire).then(|| self.written())
    }

    /// The number of bytes that the state folder may hold.
    fn disk(&self) -> Option<u64> {
        self.rules()?.disk
    }

    fn seed(&self, rules: &Rules) -> u64 {
        rules.seed.unwrap_or(self.inner.random_seed)
    }

    /// The faults that happen to `subject` this time, each with the time that belongs to it. Every rule that `concerns`
    /// accepts is drawn, or the Nth time of one would depend on the others.
    fn drawn(&self, subject: &str, concerns: impl Fn(&Rule) -> bool) -> Vec<(Rule, Duration)> {
        let Some(rules) = self.rules() else {
            return Vec::new();
        };
        let seed = self.seed(&rules);
        let concerned = rules.list.iter().filter(|rule| concerns(rule));
        concerned
            .filter_map(|rule| Some((rule.clone(), self.inner.draws.draw(seed, rule, subject)?)))
            .collect()
    }
}

/// Ends the process as suddenly as a SIGKILL.
fn exit(fault: &str) -> ! {
    tracing::error!(fault, "the process ends here, as was asked for");
    std::process::abort()
}

/// Ends the task that runs this by a panic that nothing reports, as if its process had died.
fn die(fault: &str) -> ! {
    std::panic::resume_unwind(Box::new(format!(
        "{fault}: the invocation ends here, as was asked for"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_arguments_there_is_nothing() {
        assert!(Faults::open(&[], Path::new(".")).unwrap().is_none());
    }

    #[test]
    fn they_are_inactive_until_they_are_armed_and_show_their_seed() {
        let arguments = ["s3.503=1".to_owned(), "seed=42".to_owned()];
        let faults = Faults::open(&arguments, Path::new(".")).unwrap().unwrap();
        assert!(faults.rules().is_none());
        faults.arm();
        assert!(faults.rules().is_some());
        assert_eq!(faults.to_string(), "faults are on: s3.503=1 seed=42");
        let faults = Faults::open(&arguments[..1], Path::new(".")).unwrap().unwrap();
        let seed = faults.to_string().split_once("seed=").unwrap().1.to_owned();
        assert!(seed.parse::<u64>().unwrap() < 1 << 24, "{seed}");
    }

    #[test]
    fn a_file_is_read_again_and_a_wrong_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("faults");
        std::fs::write(&file, "seed=1\ndisk.full=1K # little\n\n").unwrap();
        let arguments = [file.to_string_lossy().into_owned()];
        let faults = Faults::open(&arguments, folder.path()).unwrap().unwrap();
        assert_eq!(faults.to_string(), "faults are on: disk.full=1024 seed=1");
        let mut complained = String::new();
        for (text, expected, complains) in [
            (
                "seed=1\ndisk.full=2K",
                "faults are on: disk.full=2048 seed=1",
                false,
            ),
            ("disk.full=much", "faults are on: disk.full=2048 seed=1", true),
            ("", "faults are off: nothing is written", false),
        ] {
            std::fs::write(&file, text).unwrap();
            faults.look(&mut complained);
            assert_eq!(faults.to_string(), expected);
            assert_eq!(!complained.is_empty(), complains, "{text}");
        }
    }
}
