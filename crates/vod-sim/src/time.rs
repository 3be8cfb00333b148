//! Virtual time: one thread, one queue of timers. When every task waits, the clock jumps to the next timer.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// 2026-01-01T00:00:00Z, when every simulation begins.
const EPOCH: i64 = 1_767_225_600;

#[derive(Default)]
struct Scheduler {
    /// Nanoseconds since [`EPOCH`].
    now: u64,
    next: u64,
    timers: BinaryHeap<Reverse<(u64, u64)>>,
    sleeping: HashMap<u64, Waker>,
    ready: VecDeque<usize>,
    spawned: Vec<Task>,
}

static SCHEDULER: Mutex<Option<Scheduler>> = Mutex::new(None);

fn scheduler<T>(f: impl FnOnce(&mut Scheduler) -> T) -> T {
    let mut guard: MutexGuard<'_, _> = SCHEDULER.lock().unwrap_or_else(PoisonError::into_inner);
    f(guard.get_or_insert_default())
}

/// The virtual time.
pub(crate) fn now() -> Timestamp {
    let nanos = scheduler(|scheduler| scheduler.now);
    let passed = SignedDuration::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX));
    Timestamp::from_second(EPOCH).unwrap_or_default() + passed
}

/// Since the simulation began.
pub(crate) fn elapsed() -> Duration {
    Duration::from_nanos(scheduler(|scheduler| scheduler.now))
}

/// Waits in virtual time.
pub(crate) fn sleep(duration: Duration) -> vod_aws::Pause {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let (at, number) = scheduler(|scheduler| {
        scheduler.next += 1;
        (scheduler.now.saturating_add(nanos), scheduler.next)
    });
    Box::pin(Sleep { at, number })
}

struct Sleep {
    at: u64,
    number: u64,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        scheduler(|scheduler| {
            if scheduler.now >= self.at {
                return Poll::Ready(());
            }
            let known = scheduler.sleeping.insert(self.number, context.waker().clone());
            if known.is_none() {
                scheduler.timers.push(Reverse((self.at, self.number)));
            }
            Poll::Pending
        })
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        // Its place in the heap is skipped when its time comes.
        scheduler(|scheduler| scheduler.sleeping.remove(&self.number));
    }
}

/// Starts a task of its own.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    let task: Task = Box::pin(task);
    scheduler(|scheduler| scheduler.spawned.push(task));
}

struct Ring(usize);

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        scheduler(|scheduler| scheduler.ready.push_back(self.0));
    }
}

/// Runs tasks until `main` has ended.
pub(crate) fn run<T: Send + 'static>(main: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let result = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&result);
    spawn(async move {
        let value = main.await;
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    });
    let take = || result.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut tasks: Vec<Option<(Task, Waker)>> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    loop {
        adopt(&mut tasks, &mut free);
        if let Some(id) = scheduler(|scheduler| scheduler.ready.pop_front()) {
            if let Some((task, waker)) = &mut tasks[id]
                && task.as_mut().poll(&mut Context::from_waker(waker)).is_ready()
            {
                tasks[id] = None;
                free.push(id);
            }
            continue;
        }
        if let Some(value) = take() {
            return Some(value);
        }
        // Nothing can happen any more: a task waits for an event that never comes.
        let next = scheduler(advance)?;
        next.wake();
    }
}

/// Gives places to tasks that were started since. A place whose old wakers may still ring is polled once too often,
/// which harms nothing.
fn adopt(tasks: &mut Vec<Option<(Task, Waker)>>, free: &mut Vec<usize>) {
    for task in scheduler(|scheduler| std::mem::take(&mut scheduler.spawned)) {
        let id = free.pop().unwrap_or_else(|| {
            tasks.push(None);
            tasks.len() - 1
        });
        tasks[id] = Some((task, Waker::from(Arc::new(Ring(id)))));
        scheduler(|scheduler| scheduler.ready.push_back(id));
    }
}

/// Moves the clock to the next timer that a task waits for.
fn advance(scheduler: &mut Scheduler) -> Option<Waker> {
    loop {
        let Reverse((at, number)) = scheduler.timers.pop()?;
        if let Some(waker) = scheduler.sleeping.remove(&number) {
            scheduler.now = scheduler.now.max(at);
            return Some(waker);
        }
    }
}
