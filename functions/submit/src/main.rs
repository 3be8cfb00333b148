//! `submit` on Lambda.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use submit::{Config, Submit};
use vod_aws::{AwsConfig, EnvReader, Meter};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    vod_aws::init_logs();
    let mut env = EnvReader::new(|name| std::env::var(name).ok());
    let (aws, config) = (AwsConfig::read(&mut env), Config::read(&mut env));
    let (aws, config) = env.finish((aws, config))?;
    // Built once per cold start, shared by every invocation.
    let meter = Meter::emf(&config.application);
    let submit = Submit::new(&aws, config).metered(meter);
    run(service_fn(|event: LambdaEvent<serde_json::Value>| {
        submit.handle(event)
    }))
    .await
}
