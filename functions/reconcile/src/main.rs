//! `reconcile` on Lambda.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use pipeline::{Reconcile, Services, Submit};
use reconcile::Config;
use vod_aws::{AwsConfig, Meter};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    vod_aws::init_logs();
    let (aws, config) = AwsConfig::read_environment(Config::read)?;
    let (jobs, delays) = (config.pipeline, config.delays);
    let meter = Meter::emf(&jobs.jobs.application);
    // Built once per cold start, shared by every invocation.
    let services = Services::connect(&aws, &jobs.bucket).metered(meter);
    let reconcile = Reconcile::new(services.clone(), Submit::new(services, jobs), delays);
    run(service_fn(|event: LambdaEvent<serde_json::Value>| {
        reconcile::handle(&reconcile, event)
    }))
    .await
}
