//! The AWS CLI clears the edge's cache.

use vod_tests::{LocalStack, film, http};

#[test]
fn the_aws_cli_invalidates_what_the_edge_keeps() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let asset = film::put(&stack, "input/film.mp4")?;
    let links = stack.api("/api/playback", &[("asset", &asset)])?;
    let url = links["mp4"][0]["url"].as_str().unwrap();
    let cached = || http::get(url, &[]).map(|answer| (answer.header("x-cache").to_owned(), answer.text()));
    let of = |cache: &str, text: &str| (format!("{cache} from cloudfront"), text.to_owned());

    assert_eq!(cached()?, of("Miss", "mp4"));
    stack.put(&format!("output/{asset}/default/mp4/video.mp4"), b"new")?;
    assert_eq!(cached()?, of("Hit", "mp4"));

    let paths = format!("/output/{asset}/*");
    let create = [
        "cloudfront",
        "create-invalidation",
        "--distribution-id",
        "ELOCAL",
        "--paths",
        &paths,
    ];
    let made = stack.aws_json(&create)?;
    assert_eq!(made["Invalidation"]["Status"], "Completed");
    assert_eq!(
        made["Invalidation"]["InvalidationBatch"]["Paths"]["Items"][0],
        paths.as_str()
    );
    assert_eq!(cached()?, of("Miss", "new"));
    assert_eq!(cached()?, of("Hit", "new"));

    let id = made["Invalidation"]["Id"].as_str().unwrap();
    stack.aws(&[
        "cloudfront",
        "wait",
        "invalidation-completed",
        "--distribution-id",
        "ELOCAL",
        "--id",
        id,
    ])?;
    let get = [
        "cloudfront",
        "get-invalidation",
        "--distribution-id",
        "ELOCAL",
        "--id",
    ];
    let unknown = stack
        .aws(&[&get[..], &["INONE"]].concat())
        .unwrap_err()
        .to_string();
    assert!(unknown.contains("NoSuchInvalidation"), "{unknown}");
    let bad = stack
        .aws(&[&create[..5], &["/*/x"]].concat())
        .unwrap_err()
        .to_string();
    assert!(bad.contains("InvalidArgument"), "{bad}");
    Ok(())
}
