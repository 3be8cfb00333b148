//! Tracks the connections of a port, and chooses the one to close at the limit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::Limits;
use crate::body;

/// A connection that was asked to make room has gone by then, or another one is asked.
const MAKE_ROOM: Duration = Duration::from_millis(500);

/// When a connection ends if no request begins; none while it is busy.
type Deadline = watch::Sender<Option<Instant>>;

/// All connections of a port.
pub(super) struct Port {
    pub(super) limits: Limits,
    slots: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
}

/// Those that wait for a request, by the time since when.
#[derive(Default)]
struct Waiting {
    turns: u64,
    by_turn: BTreeMap<u64, Deadline>,
}

impl Port {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            slots: Arc::new(Semaphore::new(limits.connections)),
            waiting: Mutex::default(),
        }
    }

    /// A place for one more connection.
    pub(super) async fn slot(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
                return slot;
            }
            self.make_room();
            let free = Arc::clone(&self.slots).acquire_owned();
            if let Ok(Ok(slot)) = timeout(MAKE_ROOM, free).await {
                return slot;
            }
        }
    }

    fn make_room(&self) {
        // Under the lock, so that a connection whose request has just come is not meant.
        let mut waiting = self.lock();
        if let Some((_, deadline)) = waiting.by_turn.pop_first() {
            deadline.send_replace(Some(Instant::now()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, deadline: &Deadline, patience: Duration) -> u64 {
        let mut waiting = self.lock();
        waiting.turns += 1;
        let turn = waiting.turns;
        deadline.send_replace(Some(Instant::now() + patience));
        waiting.by_turn.insert(turn, deadline.clone());
        turn
    }
}

/// One connection.
pub(super) struct Connection {
    port: Arc<Port>,
    deadline: Deadline,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing of the next request has come; since that turn.
    Idle(u64),
    /// A part of its headers has.
    Head(u64),
    /// A request is being answered.
    Busy,
}

impl Connection {
    /// One that was just made.
    pub(super) fn new(port: Arc<Port>) -> Arc<Self> {
        let deadline = Deadline::new(None);
        let turn = port.wait(&deadline, port.limits.head);
        Arc::new(Self {
            port,
            deadline,
            // Its first request is under way for as long as the connection is.
            state: Mutex::new(State::Head(turn)),
        })
    }

    /// Bytes have come.
    pub(super) fn heard(&self) {
        let mut state = self.lock();
        if let State::Idle(turn) = *state {
            *state = State::Head(turn);
            self.deadline
                .send_replace(Some(Instant::now() + self.port.limits.head));
        }
    }

    /// A request has come, and is being answered until the guard is dropped.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        self.leave(State::Busy);
        Busy(Arc::clone(self))
    }

    /// Completes when the connection has to end.
    pub(super) async fn overdue(&self) {
        let mut deadline = self.deadline.subscribe();
        loop {
            let until = *deadline.borrow_and_update();
            let passed = async {
                match until {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = deadline.changed() => if changed.is_err() { return },
                () = passed => return,
            }
        }
    }

    fn idle(&self) {
        let turn = self.port.wait(&self.deadline, self.port.limits.idle);
        *self.lock() = State::Idle(turn);
    }

    fn leave(&self, next: State) {
        let mut state = self.lock();
        if let State::Idle(turn) | State::Head(turn) = *state {
            self.port.lock().by_turn.remove(&turn);
        }
        self.deadline.send_replace(None);
        *state = next;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.leave(State::Busy);
    }
}

/// A request that is being answered.
pub(super) struct Busy(Arc<Connection>);

impl Busy {
    /// The body of the answer; the connection is busy until it is sent or dropped.
    pub(super) fn until_sent(self, body: Body) -> Body {
        body::watched(body, move |_, _, polled| {
            let _busy = &self;
            polled
        })
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.idle();
    }
}
