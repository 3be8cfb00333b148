//! Encodes one file with a job template, without any service: for benchmarks and for trying templates.
//!
//! `cargo run -p transcode --example encode -- TEMPLATE INPUT OUTDIR` encodes and prints the details of the
//! COMPLETE event; with `--print` as a fourth argument it prints ffmpeg's arguments, one per line, instead.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]

use std::error::Error;
use std::path::{Path, PathBuf};

use mediaconvert_job::Template;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use transcode::exec::{self, Limits};
use transcode::plan::{Plan, plan};
use transcode::probe::probe;

fn main() -> Result<(), Box<dyn Error>> {
    transcode::confine::launch_if_asked();
    tokio::runtime::Runtime::new()?.block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [template, input, out, flags @ ..] = arguments.as_slice() else {
        return Err("usage: encode TEMPLATE INPUT OUTDIR [--print]".into());
    };
    let limits = Limits::default();
    let plan = planned(template, input, &limits).await?;
    if flags.iter().any(|flag| flag.as_os_str() == "--print") {
        for argument in plan.arguments(&std::path::absolute(input)?) {
            println!("{}", argument.to_string_lossy());
        }
        return Ok(());
    }
    for warning in &plan.warnings {
        eprintln!("warning {}: {}", warning.code, warning.message);
    }
    let cancel = CancellationToken::new();
    let progress = |now: exec::Progress| eprint!("\r{} % ", now.percent);
    let produced = exec::run(&plan, input, out, &limits, &cancel, progress).await?;
    eprintln!();
    println!("{:#}", produced.output_group_details());
    Ok(())
}

async fn planned(template: &Path, input: &Path, limits: &Limits) -> Result<Plan, Box<dyn Error>> {
    let mut settings = Template::parse(&std::fs::read(template)?)?.settings;
    settings["inputs"][0]["fileInput"] = json!("s3://local/input.mp4");
    for (index, group) in settings["outputGroups"]
        .as_array_mut()
        .into_iter()
        .flatten()
        .enumerate()
    {
        for (name, member) in group["outputGroupSettings"].as_object_mut().into_iter().flatten() {
            if let Value::Object(member) = member {
                member.insert(
                    "destination".to_owned(),
                    json!(format!("s3://local/{index}-{name}/video")),
                );
            }
        }
    }
    let source = probe(input, limits).await?;
    Ok(plan(&settings, &source, "20260101T000000")?)
}
