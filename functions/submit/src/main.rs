//! `submit` on Lambda.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use pipeline::{Services, Submit};
use submit::Config;
use vod_aws::{AwsConfig, Meter};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    vod_aws::init_logs();
    let (aws, config) = AwsConfig::read_environment(Config::read)?;
    let (jobs, max_receives) = (config.pipeline, config.max_receives);
    let meter = Meter::emf(&jobs.jobs.application);
    // Built once per cold start, shared by every invocation.
    let submit = Submit::new(Services::connect(&aws, &jobs.bucket).metered(meter), jobs);
    run(service_fn(|event: LambdaEvent<serde_json::Value>| {
        submit::handle(&submit, max_receives, event)
    }))
    .await
}
