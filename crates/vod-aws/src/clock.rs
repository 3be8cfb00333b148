//! The clock of the functions and of the SDK. A simulation replaces it, so that a day takes a minute.

use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use jiff::Timestamp;

/// A pause.
pub type Pause = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// A clock that replaces the system's.
#[derive(Debug, Clone, Copy)]
pub struct Time {
    pub now: fn() -> Timestamp,
    pub sleep: fn(Duration) -> Pause,
}

static TIME: OnceLock<Time> = OnceLock::new();

/// Replaces the clock of the whole process, once. Returns whether it was the first call.
pub fn set_time(time: Time) -> bool {
    TIME.set(time).is_ok()
}

/// The current time. Leases, delays and the times in records use only this clock.
pub fn now() -> Timestamp {
    TIME.get().map_or_else(Timestamp::now, |time| (time.now)())
}

/// Waits.
pub async fn sleep(duration: Duration) {
    match TIME.get() {
        Some(time) => (time.sleep)(duration).await,
        None => tokio::time::sleep(duration).await,
    }
}

/// The output of `future`. `None`: it took longer than `duration` and was dropped.
pub async fn within<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = sleep(duration) => None,
    }
}

/// The SDK's pauses between retries, and its time limits.
#[derive(Debug)]
struct SdkSleep;

impl AsyncSleep for SdkSleep {
    fn sleep(&self, duration: Duration) -> Sleep {
        match TIME.get() {
            Some(time) => Sleep::new((time.sleep)(duration)),
            None => Sleep::new(tokio::time::sleep(duration)),
        }
    }
}

pub(crate) fn sdk_sleep() -> SharedAsyncSleep {
    SharedAsyncSleep::new(SdkSleep)
}

/// The SDK's clock, for signatures and for the throughput of responses.
#[derive(Debug)]
struct SdkTime;

impl TimeSource for SdkTime {
    fn now(&self) -> SystemTime {
        now().into()
    }
}

pub(crate) fn sdk_time() -> SharedTimeSource {
    SharedTimeSource::new(SdkTime)
}
