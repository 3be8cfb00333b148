//! Options of a simulation.

use clap::{Parser, ValueEnum};

/// The pipeline's functions under faults, in virtual time
#[derive(Debug, Clone, Parser)]
pub(crate) struct Options {
    /// Uploads
    #[arg(long, default_value_t = 100_000)]
    pub(crate) uploads: usize,
    /// Plays one course of faults again
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Uploads per hour
    #[arg(long, default_value_t = 100_000.0)]
    pub(crate) rate: f64,
    /// CreateJob calls per second that MediaConvert lets through
    #[arg(long, default_value_t = 40.0)]
    pub(crate) create_rate: f64,
    /// Jobs that MediaConvert works on at one time
    #[arg(long, default_value_t = 2000)]
    pub(crate) slots: usize,
    /// So many times as many faults of each kind
    #[arg(long, default_value_t = 1.0)]
    pub(crate) faults: f64,
    /// So many times as many removals; 0: none
    #[arg(long, default_value_t = 1.0)]
    pub(crate) removals: f64,
    /// How long CreateJob knows a `clientRequestToken`; MediaConvert's minute hides what leases are for
    #[arg(long, default_value_t = 60.0)]
    pub(crate) token_seconds: f64,
    /// Every answer arrives, so that the SDK repeats nothing that was done
    #[arg(long)]
    pub(crate) heard: bool,
    /// Nothing is dropped, no job fails and reconcile is off: what queues bring again must then be enough
    #[arg(long)]
    pub(crate) queues_only: bool,
    /// The bucket keeps no older versions, as that of `vod up`
    #[arg(long)]
    pub(crate) unversioned: bool,
    /// Leaves one safeguard out: the simulation must then fail
    #[arg(long, value_enum)]
    pub(crate) mutate: Option<Mutation>,
}

/// A safeguard to leave out. Each is taken away at the seam where it works, so that nothing need be compiled again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(
    clippy::enum_variant_names,
    reason = "on the command line each says what is missing"
)]
pub(crate) enum Mutation {
    /// `If-None-Match` does not reach S3: a claim overwrites another's.
    NoIfNoneMatch,
    /// `If-Match` does not reach S3: changes overwrite each other.
    NoIfMatch,
    /// Every lease that is read has expired.
    NoLease,
    /// Attempts that have ended are read as if they ran.
    NoTerminal,
    /// SQS does not hear which messages of a batch have failed.
    NoBatchFailures,
    /// Nobody searches for a job that may exist.
    NoSearch,
    /// Reconcile is never called.
    NoReconcile,
    /// Every tombstone that is read is older than the upload.
    NoTombstone,
    /// `CancelJob` cancels nothing.
    NoCancel,
}

/// How likely each fault is.
pub(crate) mod chance {
    pub(crate) const DUPLICATE: f64 = 0.10;
    pub(crate) const DROP: f64 = 0.05;
    /// An event that takes up to ten minutes; the others take up to three seconds, which reorders them as well.
    pub(crate) const LATE: f64 = 0.02;
    /// An invocation that ends at a random await.
    pub(crate) const DEATH: f64 = 0.01;
    /// 503 or 429 instead of an answer.
    pub(crate) const REFUSED: f64 = 0.01;
    /// Done, and the answer never comes.
    pub(crate) const UNHEARD: f64 = 0.003;
    /// 409 where two writers could have met.
    pub(crate) const CONFLICT: f64 = 0.005;
    /// An answer that takes 2 to 20 seconds.
    pub(crate) const SLOW: f64 = 0.01;
    /// An upload whose key is uploaded again within twenty minutes, with other content.
    pub(crate) const REPLACED: f64 = 0.02;
    /// An upload of which every delivery dies.
    pub(crate) const CURSED: f64 = 0.001;
    /// A video that its owner takes down.
    pub(crate) const REMOVED: f64 = 0.01;
    /// A first attempt that ends with a transient error.
    pub(crate) const TRANSIENT: f64 = 0.01;
}
