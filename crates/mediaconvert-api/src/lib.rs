//! AWS Elemental MediaConvert's HTTP API (version 2017-08-29) as a service over a store of jobs and other resources.
//!
//! This crate reads and validates requests, applies job templates and presets, creates, cancels and lists jobs, and builds the
//! events that EventBridge would deliver. What AWS refuses is refused here, with the same path and text. An [`Engine`] brings the rest: where jobs are kept
//! and events are sent ([`Store`]), and what looks into files and encodes them. The router checks no signatures; that is up to
//! its host.

mod error;
mod event;
mod identity;
mod job;
mod location;
mod query;
mod request;
mod resolve;
mod resource;
mod routes;
mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use jiff::Timestamp;
use serde_json::Value;

pub use self::error::ServiceError;
pub use self::event::Event;
pub use self::identity::Identity;
pub use self::job::{ENGINE_VERSION, Job, Messages, Phase, Status, Timing, WARN_STAND_IN, WarningGroup};
pub use self::location::Location;
pub use self::query::{JobsQuery, JobsQueryFilter};
pub use self::request::CreateJob;
pub use self::resource::{Created, Kind, Resource};
pub use self::store::{Filter, Page, Store};

/// Returns the current time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The program behind the API. Clones share their state.
pub trait Engine: Clone + Send + Sync + 'static {
    /// The store of jobs and other resources.
    type Store: Store;

    /// Its store.
    fn store(&self) -> &Self::Store;

    /// How many jobs it works on at a time, for `concurrentJobs` of its queue.
    fn concurrency(&self) -> usize;

    /// Stops work on a job that has just been canceled.
    fn stop(&self, id: &str) -> impl Future<Output = ()> + Send;

    /// Looks into an object. Returns a `ProbeResult`.
    fn probe(&self, object: &Location) -> impl Future<Output = Result<Value, ServiceError>> + Send;
}

/// The service. Cheap to clone if the engine is.
#[derive(Clone)]
pub struct Service<E> {
    engine: E,
    identity: Identity,
    clock: Clock,
}

impl<E: Engine> Service<E> {
    /// A service that answers for `engine` under the names of `identity`.
    pub fn new(engine: E, identity: Identity, clock: Clock) -> Self {
        Self {
            engine,
            identity,
            clock,
        }
    }

    /// The API's routes. Bodies are not limited here: the host limits them when it checks the signature.
    pub fn router(self) -> Router {
        routes::routes(self)
    }
}

#[cfg(test)]
mod tests;
