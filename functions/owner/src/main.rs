//! `owner` on Lambda.

use lambda_http::{Error, run};
use owner::config::Config;
use vod_aws::EnvReader;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    vod_aws::init_logs();
    let mut env = EnvReader::new(|name| std::env::var(name).ok());
    let config = Config::read(&mut env);
    let config = env.finish(config)?;
    // Built once per cold start, shared by every invocation.
    run(owner::router(config.app())).await
}
