//! Names the queues of a stack, as commands, metrics and fault injection use them.

/// Messages about uploads, for `submit`.
pub const UPLOADS: &str = "uploads";
/// Messages about jobs, for `complete`.
pub const JOB_EVENTS: &str = "job-events";
