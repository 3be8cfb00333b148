//! The API port: all services that clients reach with SigV4.

use axum::Router;
use local_base::clock::Clock;
use local_base::sigv4::Keys;
use local_edge::{Cache, invalidation};
use local_lambda::Functions;
use local_mediaconvert::MediaConvert;
use local_s3::S3Service;

use crate::sqs::Sqs;

/// The services behind the API port.
pub struct Api {
    /// Lambda.
    pub functions: Functions,
    /// MediaConvert.
    pub mediaconvert: MediaConvert,
    /// The cache that CloudFront's CreateInvalidation empties.
    pub cache: Cache,
    /// SQS.
    pub sqs: Sqs,
    /// S3, which gets every request that is for no other service.
    pub s3: S3Service,
}

impl Api {
    /// Routes each request to its service.
    pub fn router(self, keys: &Keys, clock: Clock) -> Router {
        let routes = self
            .functions
            .router(keys)
            .merge(self.mediaconvert.router(keys))
            .merge(invalidation::router(self.cache, keys, clock));
        self.sqs.before(routes.fallback_service(self.s3))
    }
}

#[cfg(test)]
mod tests;
