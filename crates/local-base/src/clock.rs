//! The clock of the services: a value, so that tests can move it instead of sleeping.

use std::sync::Arc;

use jiff::Timestamp;

/// A function that says what time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The clock of the machine.
pub fn system() -> Clock {
    Arc::new(Timestamp::now)
}
