//! `vod rm` takes a video down, and `vod restore` brings it back.

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Context, anyhow, bail};
use pipeline::{RemovedUpload, Services, TakeDown};
use serde::Serialize;
use vod_core::asset::AssetId;
use vod_core::keys::asset_prefix;
use vod_core::record::Record;

use crate::output;
use crate::stack::Stack;
use crate::target::Target;

/// Take a video down: `vod restore` or a new upload of its file brings it back
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct Args {
    /// An asset id, or the key of an upload (input/…)
    #[arg(value_name = "ASSET|input/KEY")]
    target: Target,
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
    /// Delete the upload as well
    #[arg(long)]
    source: bool,
    /// Delete the upload, and keep no copy from which the video could be restored for 30 days
    #[arg(long)]
    purge: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Bring back a video that was taken down less than 30 days ago
#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArgs {
    /// An asset id, or the key of an upload (input/…)
    #[arg(value_name = "ASSET|input/KEY")]
    target: Target,
    /// Print the record as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `vod restore`.
pub(crate) async fn restore(stack: &Stack, args: &RestoreArgs) -> anyhow::Result<()> {
    let asset = args.target.asset(stack).await?;
    let services = Services::new(stack.s3(), stack.aws.mediaconvert(), &stack.bucket);
    let restored = TakeDown::new(services, &stack.output_bucket)
        .restore(&asset)
        .await;
    let record = restored.with_context(|| format!("asset `{asset}` cannot be restored"))?;
    if args.json {
        return output::json(&record);
    }
    output::line(&format!("restored {asset}: {}", record.state.as_str()))
}

/// The result.
#[derive(Debug, Serialize)]
struct Removed {
    #[serde(rename = "removed")]
    asset: AssetId,
    outputs: usize,
    canceled: Vec<String>,
    source: bool,
}

/// Runs `vod rm`. A removal that was interrupted is completed by running it again.
pub(crate) async fn run(stack: &Stack, args: &Args) -> anyhow::Result<()> {
    let asset = args.target.asset(stack).await?;
    let services = Services::new(stack.s3(), stack.aws.mediaconvert(), &stack.bucket);
    let take_down = TakeDown::new(services.clone(), &stack.output_bucket);
    let record = services.catalog.get(&asset).await?.map(|record| record.value);
    let outputs = take_down.outputs(&asset).await?.len();
    if record.is_none() && outputs == 0 && services.removals.get(&asset).await?.is_none() {
        let options = &stack.options;
        bail!("asset `{asset}` has neither a record nor outputs: `vod ls{options}` lists those that have");
    }
    if !args.yes {
        confirm(&asset, record.as_ref(), outputs, args)?;
    }
    let pipeline::Removed {
        removal,
        outputs,
        canceled,
    } = take_down_as_asked(&take_down, &asset, args.purge).await?;
    invalidate(stack, &asset).await?;
    let source =
        (args.source || args.purge) && remove_upload(&take_down, &asset, removal.key.as_deref()).await?;
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

async fn take_down_as_asked(
    take_down: &TakeDown,
    asset: &AssetId,
    purge: bool,
) -> anyhow::Result<pipeline::Removed> {
    if purge {
        return Ok(take_down.purge(asset).await?);
    }
    match take_down.keep(asset).await {
        Err(pipeline::Error::Bucket(error)) if error.is_disk_full() => {
            bail!("the disk has no room for a copy of asset `{asset}`: --purge removes it without one")
        }
        removed => Ok(removed?),
    }
}

fn confirm(asset: &AssetId, record: Option<&Record>, outputs: usize, args: &Args) -> anyhow::Result<()> {
    if !std::io::stdin().is_terminal() {
        bail!("this is not a terminal, so you cannot be asked: pass --yes to remove asset `{asset}`");
    }
    let title = record.map_or_else(|| asset.to_string(), |record| output::plain(&record.title));
    let source = if args.source || args.purge {
        ", and its upload"
    } else {
        ""
    };
    let source = if args.purge {
        format!("{source}, for good")
    } else {
        source.to_owned()
    };
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

/// Invalidates the outputs at the edge, so that links that are still valid lead nowhere.
async fn invalidate(stack: &Stack, asset: &AssetId) -> anyhow::Result<()> {
    let path = format!("/{}*", asset_prefix(asset));
    let done = stack.aws.invalidate(stack.distribution(), &path).await;
    done.context("the outputs are deleted, but they could not be invalidated at the edge")
}

/// Deletes the upload, unless another one is at its key by now. Returns whether it did.
async fn remove_upload(take_down: &TakeDown, asset: &AssetId, key: Option<&str>) -> anyhow::Result<bool> {
    let key = key.ok_or_else(|| anyhow!("the upload of asset `{asset}` is not known any more"))?;
    let removed = take_down.remove_upload(asset, key).await?;
    if removed == RemovedUpload::Replaced {
        let key = output::plain(key);
        output::note(&format!("`{key}` is another upload by now and stays"));
    }
    Ok(removed == RemovedUpload::Removed)
}
