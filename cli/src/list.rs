//! `vod ls`: lists the assets.

use std::io::IsTerminal as _;

use serde::Deserialize;
use vod_core::asset::AssetId;
use vod_core::keys::INPUT;
use vod_core::record::{Record, State};
use vod_core::search::Needle;

use crate::output;
use crate::stack::Stack;

/// Assets per request.
const PAGE: &str = "100";
/// Characters of an id in the table: the end of its key's digest, a hyphen, and the digest of its version.
const SHORT: usize = 13;
/// The width of a terminal, in characters.
const COLUMNS: usize = 80;
const HEADINGS: [&str; 5] = ["ASSET", "STATE", "LENGTH", "UPLOADED (UTC)", "TITLE"];

/// List the assets, the newest first
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
    let mut rows: Vec<_> = records.iter().map(row).collect();
    if std::io::stdout().is_terminal() {
        fit(&mut rows);
    }
    output::table(HEADINGS, &rows)
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
        let versions = all(stack, &[("source", key)]).await?;
        if !versions.is_empty() {
            return Ok(versions);
        }
    }
    let mut records = all(stack, &[]).await?;
    records.retain(|record| filters.iter().all(|filter| fits(record, filter)));
    Ok(records)
}

/// Whether a record contains the text in its title, id or key, or is in this state.
fn fits(record: &Record, filter: &str) -> bool {
    record.state.as_str().eq_ignore_ascii_case(filter) || Needle::new(filter).is_in(record)
}

/// The records that fit `filter`, the newest first.
pub(crate) async fn all(stack: &Stack, filter: &[(&str, &str)]) -> anyhow::Result<Vec<Record>> {
    let api = stack.api();
    let (mut records, mut after) = (Vec::new(), None::<String>);
    loop {
        let mut query = vec![("order", "newest"), ("limit", PAGE)];
        query.extend(filter);
        query.extend(after.as_deref().map(|after| ("after", after)));
        let page: Page = api.get("/api/assets", &query).await?;
        records.extend(page.assets);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(records),
        }
    }
}

/// The end of an id: few assets share it, and commands take it in place of the id.
fn short(id: &AssetId) -> &str {
    let id = id.as_str();
    &id[id.len().saturating_sub(SHORT)..]
}

fn row(record: &Record) -> [String; 5] {
    let state = record.state.as_str();
    [
        short(&record.id).to_owned(),
        match record.state {
            State::Progressing => format!("{state} {} %", record.progress),
            _ => state.to_owned(),
        },
        record
            .duration_ms()
            .map_or_else(|| "-".to_owned(), output::duration),
        record.source.uploaded_at.strftime("%Y-%m-%d %H:%M").to_string(),
        output::plain(&record.title),
    ]
}

/// Cuts the titles, so that each row fits a terminal of [`COLUMNS`].
fn fit(rows: &mut [[String; 5]]) {
    let width = |column: usize| {
        // All but the title are ASCII.
        let cells = rows.iter().map(|row| row[column].len());
        cells.chain([HEADINGS[column].len()]).max().unwrap_or(0) + output::GAP
    };
    let room = COLUMNS.saturating_sub((0..4).map(width).sum());
    for [.., title] in rows {
        *title = output::cut(title, room);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use vod_core::record::Source;

    use super::*;

    fn record(key: &str) -> Record {
        let id = AssetId::new("vod", key, None, "e");
        let source = Source {
            key: key.to_owned(),
            ..Source::default()
        };
        Record::new(id, source, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn filters() {
        let key = "input/trips/Straße am Meer.mp4";
        let mut record = record(key);
        record.state = State::Error;
        for filter in [
            "straße",
            "MEER",
            "input/trips/",
            short(&record.id),
            "error",
            "Error",
            "",
            key,
        ] {
            assert!(fits(&record, filter), "{filter}");
        }
        for filter in ["complete", "erro", "output/", "see", "meer.mov"] {
            assert!(!fits(&record, filter), "{filter}");
        }
    }

    #[test]
    fn rows_fit_a_terminal() {
        let mut long = record(&format!("input/{}.mp4", "한".repeat(100)));
        (long.state, long.progress) = (State::Progressing, 100);
        let mut rows = [row(&long), row(&record("input/short.mp4"))];
        fit(&mut rows);
        // 13, 17, 6 and 16 columns and the gaps between them leave 20.
        assert_eq!(rows[0][4], format!("{}…", "한".repeat(9)));
        assert_eq!(rows[1][4], "short");
    }
}
