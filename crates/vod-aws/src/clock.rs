//! The time as the functions see it.

use std::sync::OnceLock;

use jiff::Timestamp;

static CLOCK: OnceLock<fn() -> Timestamp> = OnceLock::new();

/// The time now. Leases, delays and the times in records follow this clock and no other.
pub fn now() -> Timestamp {
    CLOCK.get().map_or_else(Timestamp::now, |clock| clock())
}

/// Puts another clock in place, once and for the whole process: a simulation's virtual time. Returns whether it
/// was the first.
pub fn set_clock(clock: fn() -> Timestamp) -> bool {
    CLOCK.set(clock).is_ok()
}
