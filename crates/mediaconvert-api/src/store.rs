//! The store that the service needs.

use std::future::Future;

use jiff::Timestamp;

use crate::{Created, Event, Job, JobsQuery, Kind, Resource, Status};

/// A store of jobs and other resources. It makes each change atomic, and sends the events of a change if and only if the change is stored.
pub trait Store: Send + Sync + 'static {
    /// Why the store failed.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Stores a new job and returns it. If a job with the same client request token was submitted after `since`, stores
    /// nothing and returns that job.
    fn insert(&self, job: Job, since: Timestamp) -> impl Future<Output = Result<Job, Self::Error>> + Send;

    /// The job with this id.
    fn get(&self, id: &str) -> impl Future<Output = Result<Option<Job>, Self::Error>> + Send;

    /// One page of jobs.
    fn list(&self, filter: Filter) -> impl Future<Output = Result<Page, Self::Error>> + Send;

    /// Changes an active job and sends the events that `change` returns. `change` may run more than once, on fresh copies.
    /// Returns the changed job, or `None` if there is no such job or it has ended: a job that has ended never changes.
    fn change<F>(&self, id: &str, change: F) -> impl Future<Output = Result<Option<Job>, Self::Error>> + Send
    where
        F: FnOnce(&mut Job, Timestamp) -> Vec<Event> + Clone + Send + 'static;

    /// The numbers of SUBMITTED and of PROGRESSING jobs, in the queue with this ARN or in all.
    fn active(&self, queue: Option<&str>) -> impl Future<Output = Result<(u32, u32), Self::Error>> + Send;

    /// Stores a new resource, unless one of its kind has its name or there are `most` of its kind.
    fn create(
        &self,
        kind: Kind,
        resource: Resource,
        most: usize,
    ) -> impl Future<Output = Result<Created, Self::Error>> + Send;

    /// The resource of this kind with this name.
    fn resource(
        &self,
        kind: Kind,
        name: &str,
    ) -> impl Future<Output = Result<Option<Resource>, Self::Error>> + Send;

    /// All resources of a kind, in any order. The service asks for kinds with few resources only.
    fn resources(&self, kind: Kind) -> impl Future<Output = Result<Vec<Resource>, Self::Error>> + Send;

    /// Changes a resource. `change` may run more than once, on fresh copies. Returns the changed resource, or `None` if there
    /// is none.
    fn change_resource<F>(
        &self,
        kind: Kind,
        name: &str,
        change: F,
    ) -> impl Future<Output = Result<Option<Resource>, Self::Error>> + Send
    where
        F: FnOnce(&mut Resource) + Clone + Send + 'static;

    /// Removes a resource. Returns whether it was there.
    fn remove(&self, kind: Kind, name: &str) -> impl Future<Output = Result<bool, Self::Error>> + Send;
}

/// Which jobs to list. Newest first unless `ascending`.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only jobs with this status.
    pub status: Option<Status>,
    /// Only jobs of the queue with this ARN.
    pub queue: Option<String>,
    /// Only jobs whose first input's URL contains this.
    pub input: Option<String>,
    /// Only jobs that this accepts.
    pub query: Option<JobsQuery>,
    /// Oldest first.
    pub ascending: bool,
    /// The id of the last job of the previous page.
    pub after: Option<String>,
    /// The most jobs to return.
    pub limit: usize,
}

/// One page of jobs.
#[derive(Debug)]
pub struct Page {
    /// At most [`Filter::limit`].
    pub jobs: Vec<Job>,
    /// Whether more jobs follow.
    pub more: bool,
}
