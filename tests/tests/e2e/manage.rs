//! Owners edit, take down, restore and encode their videos over HTTP.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use vod_tests::{LocalStack, clips, film, http, wait};

use super::app::{App, detail};

const KEY: &str = "input/film.mp4";
const UNKNOWN: &str = "film-0123456789abcdef-01234567";

fn admin(stack: &LocalStack) -> anyhow::Result<App<'_>> {
    App::new(stack, &["--scope", "admin"])
}

fn path(asset: &str, rest: &str) -> String {
    format!("/api/manage/assets/{asset}{rest}")
}

fn id(record: &Value) -> anyhow::Result<&str> {
    record["id"].as_str().context("no id")
}

/// The poster and an MP4 file of an asset, as links.
fn links(stack: &LocalStack, asset: &str) -> anyhow::Result<(String, String)> {
    let links = stack.api("/api/playback", &[("asset", asset)])?;
    let text = |link: &Value| link.as_str().map(str::to_owned).context("no link");
    Ok((text(&links["poster"])?, text(&links["mp4"][0]["url"])?))
}

#[test]
fn an_owner_names_a_video_and_encodes_it_again() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let owner = admin(&stack)?;
    stack.upload(&clips::ordinary("320x180", 6.0)?, KEY)?;
    let record = stack.wait_for_complete(KEY)?;
    let asset = id(&record)?;
    ensure!(
        record["outputs"][0]["thumbnails"]["count"].as_u64() > Some(1),
        "{record:#}"
    );

    // Markup is text.
    let title = "<b>Fish & chips</b>";
    let edit = json!({"title": title, "poster_ms": 0});
    let edited = owner.json(200, "PATCH", &path(asset, ""), Some(&edit))?;
    ensure!(edited["title"] == title && edited["poster_ms"] == 0, "{edited:#}");
    ensure!(edited["lease"].is_null(), "{edited:#}");
    let (poster, _) = links(&stack, asset)?;
    ensure!(poster.contains("video.0000000.jpg"), "{poster}");
    ensure!(http::get(&poster, &[])?.status == 200, "no poster");

    // It stays playable while it is encoded again, and what was said stays.
    let again = json!({"template": "default"});
    let planned = owner.json(202, "POST", &path(asset, "/encode"), Some(&again))?;
    ensure!(planned["jobs"][1]["attempt"] == 2, "{planned:#}");
    links(&stack, asset)?;
    let busy = detail(&owner.send("POST", &path(asset, "/encode"), Some(&again))?, 409)?;
    ensure!(busy.contains("being encoded"), "{busy}");
    let record = stack.wait_for_complete(KEY)?;
    let prefix = record["outputs"][0]["prefix"].as_str().context("no outputs")?;
    ensure!(prefix.ends_with("/default/a2/"), "{record:#}");
    ensure!(record["title"] == title, "{record:#}");
    let (poster, _) = links(&stack, asset)?;
    ensure!(
        poster.contains("/a2/") && poster.contains("video.0000000.jpg"),
        "{poster}"
    );

    let other = json!({"template": "hd"});
    let missing = detail(&owner.send("POST", &path(asset, "/encode"), Some(&other))?, 400)?;
    ensure!(
        missing.contains("no template `hd`; there are: default"),
        "{missing}"
    );
    let whole = detail(&owner.send("POST", &path(asset, "/retry"), None)?, 409)?;
    ensure!(whole.contains("nothing has failed"), "{whole}");

    // What the owner has said survives the loss of the catalog.
    stack.aws(&[
        "s3",
        "rm",
        "--only-show-errors",
        &format!("s3://vod/catalog/{asset}.json"),
    ])?;
    stack.reconcile_until_complete(&[KEY.to_owned()])?;
    let rebuilt = owner.json(200, "GET", &format!("/api/assets/{asset}"), None)?;
    ensure!(
        rebuilt["title"] == title && rebuilt["poster_ms"] == 0,
        "{rebuilt:#}"
    );
    let usual = json!({"title": null, "poster_ms": null});
    let usual = owner.json(200, "PATCH", &path(asset, ""), Some(&usual))?;
    ensure!(
        usual["title"] == "film" && usual["poster_ms"].is_null(),
        "{usual:#}"
    );
    Ok(())
}

#[test]
fn a_video_is_taken_down_restored_and_purged() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let owner = admin(&stack)?;
    stack.upload(&clips::ordinary("320x180", 2.0)?, KEY)?;
    let record = stack.wait_for_complete(KEY)?;
    let asset = id(&record)?;
    let edit = json!({"title": "Mine"});
    owner.json(200, "PATCH", &path(asset, ""), Some(&edit))?;
    let outputs = stack.keys(&format!("output/{asset}/"))?;
    let (_, mp4) = links(&stack, asset)?;
    // Twice, so that the edge has it.
    for _ in 0..2 {
        ensure!(http::get(&mp4, &[])?.status == 200, "it plays");
    }
    let early = detail(&owner.send("POST", &path(asset, "/restore"), None)?, 409)?;
    ensure!(early.contains("was not taken down"), "{early}");

    let down = owner.json(200, "DELETE", &path(asset, ""), None)?;
    ensure!(
        down["outputs"] == outputs.len() && down["restorable_until"].is_string(),
        "{down:#}"
    );
    ensure!(http::get(&mp4, &[])?.status != 200, "an old link still plays");
    ensure!(
        stack.keys(&format!("output/{asset}/"))?.is_empty(),
        "outputs are left"
    );
    ensure!(stack.records(KEY)?.is_empty(), "the record is left");
    let again = owner.json(200, "DELETE", &path(asset, ""), None)?;
    ensure!(again["outputs"] == 0, "{again:#}");
    let gone = detail(&owner.send("PATCH", &path(asset, ""), Some(&edit))?, 404)?;
    ensure!(gone.contains("no such asset"), "{gone}");

    let restored = owner.json(200, "POST", &path(asset, "/restore"), None)?;
    ensure!(
        restored["state"] == "COMPLETE" && restored["title"] == "Mine",
        "{restored:#}"
    );
    ensure!(
        stack.keys(&format!("output/{asset}/"))? == outputs,
        "other outputs"
    );
    let (_, mp4) = links(&stack, asset)?;
    ensure!(http::get(&mp4, &[])?.status == 200, "it does not play");
    ensure!(stack.keys("ops/trash/")?.is_empty(), "copies are left");
    let summary = stack.vod_json(&["reconcile"])?;
    ensure!(summary["given_up"] == 0 && summary["lost"] == 0, "{summary}");

    // The command has the same rules.
    stack.vod_json(&["rm", asset, "--yes"])?;
    ensure!(
        stack.vod_json(&["restore", asset])?["state"] == "COMPLETE",
        "not restored"
    );

    let purged = owner.json(200, "DELETE", &path(asset, "?purge=true"), None)?;
    ensure!(purged["restorable_until"].is_null(), "{purged:#}");
    let left = stack.keys("")?;
    let own = left.iter().filter(|key| key.contains(asset) || *key == KEY);
    let own: Vec<_> = own.collect();
    ensure!(own == [&format!("ops/removed/{asset}.json")], "{own:?}");
    let never = detail(&owner.send("POST", &path(asset, "/restore"), None)?, 409)?;
    ensure!(never.contains("nothing is left to restore"), "{never}");
    Ok(())
}

#[test]
fn a_failed_video_is_tried_again() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let owner = admin(&stack)?;
    stack.put(KEY, b"this is no video")?;
    let failed = stack.wait_for(KEY, &["ERROR"], wait::ENCODE)?;
    let asset = id(&failed)?;
    let attempts = failed["jobs"].as_array().map_or(0, Vec::len);
    let planned = owner.json(202, "POST", &path(asset, "/retry"), None)?;
    ensure!(
        planned["jobs"].as_array().map_or(0, Vec::len) == attempts + 1,
        "{planned:#}"
    );
    let again = wait::until("the next attempt to end", wait::ENCODE, || {
        let record = stack.records(KEY)?.pop().context("no record")?;
        let tried = record["jobs"].as_array().map_or(0, Vec::len) > attempts;
        Ok((record["state"] == "ERROR" && tried).then_some(record))
    })?;
    ensure!(again["jobs"][attempts]["attempt"] == attempts + 1, "{again:#}");

    stack.put(KEY, b"another file")?;
    let replaced = detail(&owner.send("POST", &path(asset, "/retry"), None)?, 409)?;
    ensure!(replaced.contains("deleted or replaced"), "{replaced}");
    Ok(())
}

#[test]
fn only_owners_manage_videos_and_bad_requests_change_nothing() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let owner = admin(&stack)?;
    let asset = film::put(&stack, KEY)?;
    let edit = json!({"title": "Mine"});
    let template = json!({"template": "default"});
    let bulk = json!({"requests": [{"asset": asset, "action": "remove"}]});
    let requests = [
        ("PATCH", path(&asset, ""), Some(&edit)),
        ("DELETE", path(&asset, ""), None),
        ("DELETE", path(&asset, "?purge=true"), None),
        ("POST", path(&asset, "/restore"), None),
        ("POST", path(&asset, "/retry"), None),
        ("POST", path(&asset, "/encode"), Some(&template)),
        ("POST", "/api/manage/assets".to_owned(), Some(&bulk)),
    ];
    let before = stack.keys("")?;
    let viewer = App::new(&stack, &["--scope", "library,playback"])?;
    let uploader = App::new(&stack, &["--scope", "upload"])?;
    let stranger = App {
        stack: &stack,
        bearer: "Bearer x".to_owned(),
    };
    for (method, path, body) in &requests {
        for weak in [&viewer, &uploader] {
            let said = detail(&weak.send(method, path, *body)?, 403)?;
            ensure!(
                said.contains("lacks the scope `admin`"),
                "{method} {path}: {said}"
            );
        }
        detail(&stranger.send(method, path, *body)?, 401)?;
    }
    let other = App::new(&stack, &["--scope", "admin", "--asset", "other-*"])?;
    for (method, path, body) in &requests[..6] {
        let said = detail(&other.send(method, path, *body)?, 403)?;
        ensure!(said.contains("does not cover"), "{method} {path}: {said}");
        let unknown = path.replace(&asset, UNKNOWN);
        let said = detail(&owner.send(method, &unknown, *body)?, 404)?;
        ensure!(said.contains("no such asset"), "{method} {unknown}: {said}");
        detail(&owner.send(method, &path.replace(&asset, "nothing"), *body)?, 404)?;
    }
    let long = "x".repeat(201);
    for (body, words) in [
        (json!({"title": long}), "more than 200 characters"),
        (json!({"title": ""}), "title is empty"),
        (json!({"title": "a\u{7}b"}), "control character"),
        (json!({"title": 7}), "malformed"),
        (json!({"name": "a"}), "unknown field"),
        (json!({}), "give title or poster_ms"),
        (json!("title"), "malformed"),
    ] {
        let said = detail(&owner.send("PATCH", &path(&asset, ""), Some(&body))?, 400)?;
        ensure!(said.contains(words), "{body}: {said}");
    }
    let frames = json!({"poster_ms": 0});
    let said = detail(&owner.send("PATCH", &path(&asset, ""), Some(&frames))?, 409)?;
    ensure!(said.contains("captured frames"), "{said}");
    detail(&owner.send("DELETE", &path(&asset, "?purge=maybe"), None)?, 400)?;
    detail(&owner.send("GET", &path(&asset, ""), None)?, 405)?;
    ensure!(stack.keys("")? == before, "something was changed");
    Ok(())
}

#[test]
fn many_videos_are_managed_in_one_request() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let owner = admin(&stack)?;
    let (one, two) = (
        film::put(&stack, "input/one.mp4")?,
        film::put(&stack, "input/two.mp4")?,
    );
    let ask = |requests: &Value| {
        let body = json!({ "requests": requests });
        owner.json(200, "POST", "/api/manage/assets", Some(&body))
    };
    let done = ask(&json!([
        {"asset": one, "action": "remove"},
        {"asset": UNKNOWN, "action": "remove"},
        {"asset": two, "action": "edit", "title": "Two"},
        {"asset": two, "action": "retry"},
    ]))?;
    let statuses: Vec<_> = (0..4).map(|index| &done["responses"][index]["status"]).collect();
    ensure!(statuses == [200, 404, 200, 409], "{done:#}");
    ensure!(done["responses"][1]["detail"] == "no such asset", "{done:#}");
    ensure!(done["responses"][2]["body"]["title"] == "Two", "{done:#}");
    let back = ask(&json!([{"asset": one, "action": "restore"}, {"asset": two, "action": "purge"}]))?;
    ensure!(back["responses"][0]["body"]["id"] == one.as_str(), "{back:#}");
    ensure!(back["responses"][1]["status"] == 200, "{back:#}");
    ensure!(stack.records("input/two.mp4")?.is_empty(), "not purged");
    for (body, words) in [
        (json!({"requests": []}), "between 1 and 100"),
        (
            json!({"requests": vec![json!({"asset": one, "action": "remove"}); 101]}),
            "between 1 and 100",
        ),
        (
            json!({"requests": [{"asset": one, "action": "explode"}]}),
            "unknown variant",
        ),
        (json!({"requests": [{"asset": one}]}), "malformed"),
    ] {
        let said = detail(&owner.send("POST", "/api/manage/assets", Some(&body))?, 400)?;
        ensure!(said.contains(words), "{words}: {said}");
    }
    ensure!(
        stack.records("input/one.mp4")?.len() == 1,
        "changed by a bad request"
    );
    Ok(())
}
