//! Queues, job templates, presets, tags and the policy.

use mediaconvert_api::{Created, Kind, Resource};
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::StoreError;

pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS mediaconvert_resource (
    kind     TEXT NOT NULL,
    name     TEXT NOT NULL,
    resource TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
";

pub(super) fn create(
    t: &Transaction<'_>,
    kind: Kind,
    resource: &Resource,
    most: usize,
) -> Result<Created, StoreError> {
    if read(t, kind, &resource.name)?.is_some() {
        return Ok(Created::Exists);
    }
    let sql = "SELECT count(*) FROM mediaconvert_resource WHERE kind = ?1";
    let count: i64 = t.query_row(sql, [kind.as_str()], |row| row.get(0))?;
    if usize::try_from(count).is_ok_and(|count| count >= most) {
        return Ok(Created::Full);
    }
    write(t, kind, resource)?;
    Ok(Created::Yes)
}

pub(super) fn read(t: &Transaction<'_>, kind: Kind, name: &str) -> Result<Option<Resource>, StoreError> {
    let sql = "SELECT resource FROM mediaconvert_resource WHERE kind = ?1 AND name = ?2";
    let text: Option<String> = t
        .query_row(sql, [kind.as_str(), name], |row| row.get(0))
        .optional()?;
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
}

pub(super) fn list(t: &Transaction<'_>, kind: Kind) -> Result<Vec<Resource>, StoreError> {
    let mut statement = t.prepare_cached("SELECT resource FROM mediaconvert_resource WHERE kind = ?1")?;
    let texts = statement
        .query_map([kind.as_str()], |row| row.get::<_, String>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(texts
        .iter()
        .map(|text| serde_json::from_str(text))
        .collect::<Result<_, _>>()?)
}

pub(super) fn change(
    t: &Transaction<'_>,
    kind: Kind,
    name: &str,
    change: impl FnOnce(&mut Resource),
) -> Result<Option<Resource>, StoreError> {
    let Some(mut resource) = read(t, kind, name)? else {
        return Ok(None);
    };
    change(&mut resource);
    write(t, kind, &resource)?;
    Ok(Some(resource))
}

pub(super) fn remove(t: &Transaction<'_>, kind: Kind, name: &str) -> Result<bool, StoreError> {
    let sql = "DELETE FROM mediaconvert_resource WHERE kind = ?1 AND name = ?2";
    Ok(t.execute(sql, [kind.as_str(), name])? > 0)
}

fn write(t: &Transaction<'_>, kind: Kind, resource: &Resource) -> Result<(), StoreError> {
    let sql = "INSERT INTO mediaconvert_resource (kind, name, resource) VALUES (?1, ?2, ?3)
               ON CONFLICT (kind, name) DO UPDATE SET resource = excluded.resource";
    t.execute(
        sql,
        params![kind.as_str(), resource.name, serde_json::to_string(resource)?],
    )?;
    Ok(())
}
