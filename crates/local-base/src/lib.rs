//! The parts that the services of the local stack share: the database and the queues in it, signatures, HTTP connections and their limits,
//! the access log, and fault injection.

pub mod access;
pub mod body;
pub mod clock;
pub mod date;
pub mod db;
pub mod fault;
pub mod intake;
pub mod queue;
pub mod serve;
pub mod sigv4;

/// The account that local ARNs name.
pub const ACCOUNT: &str = "000000000000";
