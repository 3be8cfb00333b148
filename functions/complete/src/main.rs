//! `complete` on Lambda.

use complete::Config;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use pipeline::{Complete, Services};
use vod_aws::{AwsConfig, Meter};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    vod_aws::init_logs();
    let (aws, config) = AwsConfig::read_environment(Config::read)?;
    let meter = Meter::emf(&config.application);
    // Built once per cold start, shared by every invocation.
    let services = Services::connect(&aws, &config.bucket).metered(meter);
    let complete = Complete::new(services, config.application);
    run(service_fn(|event: LambdaEvent<serde_json::Value>| {
        complete::handle(&complete, event)
    }))
    .await
}
