//! `vod rm`: takes a video down, for good.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use aws_sdk_cloudfront::types::{InvalidationBatch, Paths};
use aws_sdk_s3::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use aws_smithy_runtime_api::http::Response;
use hyper::{Method, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use vod_aws::{Catalog, Listing, Removals, Sources, Versioned};
use vod_core::asset::AssetId;
use vod_core::keys::{asset_prefix, record_key};
use vod_core::record::Record;
use vod_core::removal::Removal;

use crate::aws::{self, AwsError, sdk_error};
use crate::output;
use crate::stack::Stack;
use crate::target::Target;

/// What removing objects needs on AWS.
const DELETE: &str = "s3:DeleteObject";
/// How long a job may take to end once it is canceled.
const PATIENCE: Duration = Duration::from_secs(30);
/// Tries to remove a record that others write to at the same time.
const TRIES: u32 = 12;
/// Between two looks at it.
const POLL: Duration = Duration::from_millis(200);

/// Take a video down: its outputs and its record go, and nothing brings it back but a new upload
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An asset id, or the key of an upload (input/…)
    #[arg(value_name = "ASSET|input/KEY")]
    target: Target,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Remove the upload as well
    #[arg(long)]
    source: bool,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

/// What was done.
#[derive(Debug, Serialize)]
struct Removed {
    #[serde(rename = "removed")]
    asset: AssetId,
    outputs: usize,
    canceled: Vec<String>,
    source: bool,
}

/// Runs `vod rm`. A removal that was broken off is finished by running it again.
pub(crate) async fn run(stack: &Stack, args: &Args) -> anyhow::Result<()> {
    let asset = args.target.asset(stack).await?;
    let (catalog, removals) = (
        Catalog::new(stack.s3(), stack.bucket.clone()),
        Removals::new(stack.s3(), stack.bucket.clone()),
    );
    let record = catalog.get(&asset).await?.map(|record| record.value);
    let outputs = outputs(stack, &asset).await?;
    if record.is_none() && outputs.is_empty() && removals.get(&asset).await?.is_none() {
        let options = &stack.options;
        bail!("asset `{asset}` has neither a record nor outputs: `vod ls{options}` lists those that have");
    }
    if !args.yes {
        confirm(&asset, record.as_ref(), outputs.len(), args.source)?;
    }
    let mut freed = 0;
    if let Err(error) = bury(&removals, &asset, record.as_ref()).await {
        if !aws::is_disk_full(&error) || outputs.is_empty() {
            return Err(error);
        }
        // A full disk has no room for the tombstone, but it lets objects be deleted.
        freed = remove_outputs(stack, &asset).await?;
        bury(&removals, &asset, record.as_ref()).await?;
    }
    // Whoever looks from here on does not begin with it.
    let (removal, canceled) = remove_record(stack, &catalog, &removals, &asset).await?;
    let outputs = freed + remove_outputs(stack, &asset).await?;
    invalidate(stack, &asset).await?;
    let source = args.source && remove_source(stack, &asset, removal.key.as_deref()).await?;
    let removed = Removed {
        asset,
        outputs,
        canceled,
        source,
    };
    if args.json {
        return output::json(&removed);
    }
    let source = if removed.source { " and its upload" } else { "" };
    output::line(&format!(
        "removed {}: {} outputs, its record{source}",
        removed.asset, removed.outputs
    ))
}

/// Ends what is under way and removes the record, as it is when nobody writes to it any more: jobs that run must end
/// before their outputs can go for good, and later attempts must not take the place of one of them. Returns the tombstone
/// and the ids of the jobs that were canceled.
async fn remove_record(
    stack: &Stack,
    catalog: &Catalog,
    removals: &Removals,
    asset: &AssetId,
) -> anyhow::Result<(Removal, Vec<String>)> {
    let mut canceled = Vec::new();
    for _ in 0..TRIES {
        let found = catalog.get(asset).await?;
        let removal = bury(removals, asset, found.as_ref().map(|found| &found.value)).await?;
        let Some(Versioned { value: record, etag }) = found else {
            return Ok((removal, canceled));
        };
        for job in cancel(stack, &record).await? {
            // A record that has changed meanwhile may still name it as active.
            if !canceled.contains(&job) {
                canceled.push(job);
            }
        }
        // Under a condition: a job that goes on record at this very moment must not be forgotten. One that comes later
        // finds no record, and `complete` cancels it.
        let delete = stack
            .s3()
            .delete_object()
            .bucket(&stack.bucket)
            .key(record_key(asset))
            .if_match(etag);
        match delete.send().await {
            Ok(_) => return Ok((removal, canceled)),
            Err(error) if is_changed(&error) => {}
            Err(error) => return Err(sdk_error("could not remove the record", DELETE, error)),
        }
    }
    bail!("the record of asset `{asset}` kept changing: run the same command again")
}

/// Whether a conditional delete met another state than was read: changed, being changed, or gone.
fn is_changed<E>(error: &SdkError<E, Response>) -> bool {
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    matches!(status, Some(404 | 409 | 412))
}

/// Writes the tombstone, which keeps what an earlier one says.
async fn bury(removals: &Removals, asset: &AssetId, record: Option<&Record>) -> anyhow::Result<Removal> {
    let now = Timestamp::now();
    let put = removals.put(asset, |earlier| Removal::new(asset, record, earlier, now));
    Ok(put.await?)
}

fn confirm(asset: &AssetId, record: Option<&Record>, outputs: usize, source: bool) -> anyhow::Result<()> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody is there to be asked: say --yes to remove asset `{asset}`");
    }
    let title = record.map_or_else(|| asset.to_string(), |record| output::plain(&record.title));
    let source = if source { ", and its upload" } else { "" };
    let mut err = std::io::stderr().lock();
    write!(err, "remove \"{title}\" with {outputs} outputs{source}? [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .context("could not read the answer")?;
    if !matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        bail!("nothing was removed");
    }
    Ok(())
}

/// Every key that the asset owns.
async fn outputs(stack: &Stack, asset: &AssetId) -> anyhow::Result<Vec<String>> {
    let listing = Listing::new(stack.s3(), stack.output_bucket.clone());
    let (mut keys, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = listing.keys(&asset_prefix(asset), after.as_deref()).await?;
        keys.extend(page.entries);
        match page.next {
            Some(place) => after = Some(place.key),
            None => return Ok(keys),
        }
    }
}

/// Cancels the jobs that have not ended, and waits for their end. Returns their ids.
async fn cancel(stack: &Stack, record: &Record) -> anyhow::Result<Vec<String>> {
    let active = record.jobs.iter().filter(|job| !job.state.is_terminal());
    let mut canceled = Vec::new();
    for id in active.filter_map(|job| job.job_id.as_deref()) {
        let path = format!("jobs/{id}");
        match stack.aws.mediaconvert("CancelJob", Method::DELETE, &path).await {
            Ok(_) => canceled.push(id.to_owned()),
            Err(error) if is_over(&error) => {}
            Err(error) => return Err(error).with_context(|| format!("could not cancel job {id}")),
        }
        let begun = Instant::now();
        loop {
            let job = match stack.aws.mediaconvert("GetJob", Method::GET, &path).await {
                Err(error) if error.is_missing() => break,
                job => job?,
            };
            let status = job["job"]["status"].as_str().unwrap_or("GONE");
            if !matches!(status, "SUBMITTED" | "PROGRESSING") {
                break;
            }
            if begun.elapsed() > PATIENCE {
                bail!("job {id} was canceled and is still {status}: run the same command again in a while");
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Ok(canceled)
}

/// Whether a job cannot be canceled because it has ended meanwhile, or because nobody knows it any more.
fn is_over(error: &AwsError) -> bool {
    let over = [
        StatusCode::CONFLICT,
        StatusCode::NOT_FOUND,
        StatusCode::BAD_REQUEST,
    ];
    aws::status(error).is_some_and(|status| over.contains(&status)) && error.missing_permission().is_none()
}

/// Removes outputs until there are none: a job's last ones may have come while the first were removed.
async fn remove_outputs(stack: &Stack, asset: &AssetId) -> anyhow::Result<usize> {
    let (s3, mut removed) = (stack.s3(), 0);
    loop {
        let keys = outputs(stack, asset).await?;
        if keys.is_empty() {
            return Ok(removed);
        }
        for keys in keys.chunks(1000) {
            let objects = keys
                .iter()
                .map(|key| ObjectIdentifier::builder().key(key).build());
            let objects = objects.collect::<Result<Vec<_>, _>>()?;
            let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build()?;
            let answer = s3
                .delete_objects()
                .bucket(&stack.output_bucket)
                .delete(delete)
                .send()
                .await;
            let answer = answer.map_err(|error| sdk_error("could not remove the outputs", DELETE, error))?;
            if let Some(error) = answer.errors().first() {
                let (key, message) = (
                    error.key().unwrap_or("?"),
                    error.message().unwrap_or("no reason given"),
                );
                bail!(
                    "could not remove `{}`: {}",
                    output::plain(key),
                    output::plain(message)
                );
            }
            removed += keys.len();
        }
    }
}

/// Clears the edge, so that links which are still good show nothing either.
async fn invalidate(stack: &Stack, asset: &AssetId) -> anyhow::Result<()> {
    let reference = format!("rm-{asset}-{}", Timestamp::now().as_millisecond());
    let paths = Paths::builder()
        .quantity(1)
        .items(format!("/{}*", asset_prefix(asset)))
        .build()?;
    let batch = InvalidationBatch::builder()
        .paths(paths)
        .caller_reference(reference)
        .build()?;
    let call = stack.aws.cloudfront().create_invalidation();
    let answer = call
        .distribution_id(stack.distribution())
        .invalidation_batch(batch)
        .send()
        .await;
    let what = "the outputs are gone, but the edge could not be cleared";
    answer.map_err(|error| sdk_error(what, "cloudfront:CreateInvalidation", error))?;
    Ok(())
}

/// Removes the upload, unless there is another one at its key by now. Returns whether it did.
async fn remove_source(stack: &Stack, asset: &AssetId, key: Option<&str>) -> anyhow::Result<bool> {
    let key = key.ok_or_else(|| anyhow!("nobody knows any more which upload asset `{asset}` was made of"))?;
    let head = Sources::new(stack.s3()).head(&stack.bucket, key, None).await?;
    let Some(head) = head else { return Ok(false) };
    let is_other = || {
        let text = format!("`{}` is another upload by now and stays", output::plain(key));
        output::note(&text);
        Ok(false)
    };
    if AssetId::new(&stack.bucket, key, head.version.as_deref(), &head.etag) != *asset {
        return is_other();
    }
    // Under a condition: what is uploaded at this very moment must not be lost.
    let delete = stack
        .s3()
        .delete_object()
        .bucket(&stack.bucket)
        .key(key)
        .if_match(format!("\"{}\"", head.etag));
    match delete.send().await {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("PreconditionFailed") => is_other(),
        Err(error) => Err(sdk_error("could not remove the upload", DELETE, error)),
    }
}
