//! `vod ls`: the library.

use serde::Deserialize;
use vod_core::record::Record;

use crate::output;
use crate::stack::Stack;

/// Assets asked for at once.
const PAGE: &str = "100";

/// List the assets
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only the versions of this upload (input/…)
    #[arg(value_name = "input/KEY")]
    source: Option<String>,
    /// Print the records as a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Page {
    assets: Vec<Record>,
    next: Option<String>,
}

/// Runs `vod ls`.
pub(crate) async fn run(stack: &Stack, args: &Args) -> anyhow::Result<()> {
    let records = all(stack, args.source.as_deref()).await?;
    if args.json {
        return output::json(&records);
    }
    if records.is_empty() {
        output::note(&format!(
            "no assets yet: upload a video with `vod upload{} FILE`",
            stack.options
        ));
        return Ok(());
    }
    let rows: Vec<_> = records.iter().map(row).collect();
    output::table(
        ["ASSET", "STATE", "%", "LENGTH", "UPLOADED (UTC)", "TITLE"],
        &rows,
    )
}

async fn all(stack: &Stack, source: Option<&str>) -> anyhow::Result<Vec<Record>> {
    let api = stack.api();
    let (mut records, mut after) = (Vec::new(), None::<String>);
    loop {
        let query = [
            Some(("limit", PAGE)),
            source.map(|source| ("source", source)),
            after.as_deref().map(|after| ("after", after)),
        ];
        let query: Vec<_> = query.into_iter().flatten().collect();
        let page: Page = api.get("/api/assets", &query).await?;
        records.extend(page.assets);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(records),
        }
    }
}

fn row(record: &Record) -> [String; 6] {
    [
        record.id.to_string(),
        record.state.as_str().to_owned(),
        record.progress.to_string(),
        record
            .duration_ms()
            .map_or_else(|| "-".to_owned(), output::duration),
        record
            .source
            .uploaded_at
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string(),
        output::plain(&record.title),
    ]
}
