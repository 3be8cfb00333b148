//! `vod ls`: lists the assets.

use serde::Deserialize;
use vod_core::keys::INPUT;
use vod_core::record::Record;

use crate::output;
use crate::stack::Stack;

/// Assets per request.
const PAGE: &str = "100";

/// List the assets
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only assets whose title, id or key (input/…) contains this, or in this state (error, complete, …); several filters
    /// must all match
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
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
    let records = found(stack, &args.filters).await?;
    if args.json {
        return output::json(&records);
    }
    if records.is_empty() {
        output::note(&nothing(stack, &args.filters));
        return Ok(());
    }
    let rows: Vec<_> = records.iter().map(row).collect();
    output::table(
        ["ASSET", "STATE", "%", "LENGTH", "UPLOADED (UTC)", "TITLE"],
        &rows,
    )
}

fn nothing(stack: &Stack, filters: &[String]) -> String {
    let options = &stack.options;
    if filters.is_empty() {
        return format!("no assets yet: upload a video with `vod upload{options} FILE`");
    }
    let filters = output::plain(&filters.join(" "));
    format!("no asset matches `{filters}`: `vod ls{options}` lists all assets")
}

async fn found(stack: &Stack, filters: &[String]) -> anyhow::Result<Vec<Record>> {
    // The versions of one upload are found without reading all records.
    if let [key] = filters
        && key.starts_with(INPUT)
    {
        let versions = all(stack, Some(key)).await?;
        if !versions.is_empty() {
            return Ok(versions);
        }
    }
    let mut records = all(stack, None).await?;
    records.retain(|record| filters.iter().all(|filter| fits(record, filter)));
    Ok(records)
}

/// Whether a record contains the text in its title, id or key, ignoring case, or is in this state.
fn fits(record: &Record, filter: &str) -> bool {
    let filter = filter.to_lowercase();
    let texts = [record.title.as_str(), record.id.as_str(), &record.source.key];
    record.state.as_str().eq_ignore_ascii_case(&filter)
        || texts.iter().any(|text| text.to_lowercase().contains(&filter))
}

/// All records, or the records of one upload.
pub(crate) async fn all(stack: &Stack, source: Option<&str>) -> anyhow::Result<Vec<Record>> {
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use vod_core::asset::AssetId;
    use vod_core::record::{Source, State};

    use super::*;

    #[test]
    fn filters() {
        let key = "input/trips/Straße am Meer.mp4";
        let id = AssetId::new("vod", key, None, "e");
        let source = Source {
            key: key.to_owned(),
            ..Source::default()
        };
        let mut record = Record::new(id.clone(), source, Timestamp::UNIX_EPOCH);
        record.state = State::Error;
        let slug = &id.as_str()[..12];
        for filter in ["straße", "MEER", "input/trips/", slug, "error", "Error", "", key] {
            assert!(fits(&record, filter), "{filter}");
        }
        for filter in ["complete", "erro", "output/", "see", "meer.mov"] {
            assert!(!fits(&record, filter), "{filter}");
        }
    }
}
