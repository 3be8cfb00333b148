//! The AWS CLI clears the edge's cache.

use anyhow::Context as _;
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
    let list = [
        "cloudfront",
        "list-invalidations",
        "--distribution-id",
        "ELOCAL",
        "--page-size",
        "1",
    ];
    let again = stack.aws_json(&[&create[..5], &["/*"]].concat())?;
    let listed = stack.aws_json(&list)?;
    let ids = listed["InvalidationList"]["Items"]
        .as_array()
        .context("no items")?
        .iter();
    // The newest first, over two pages.
    assert_eq!(
        ids.map(|item| &item["Id"]).collect::<Vec<_>>(),
        [&again["Invalidation"]["Id"], &made["Invalidation"]["Id"]]
    );

    let refused = |arguments: &[&str], code: &str| {
        let error = stack.aws(arguments).unwrap_err().to_string();
        assert!(error.contains(code), "{error}");
    };
    let elsewhere = create.map(|argument| {
        if argument == "ELOCAL" {
            "EDFDVBD6EXAMPLE"
        } else {
            argument
        }
    });
    refused(&[&get[..], &["INONE"]].concat(), "NoSuchInvalidation");
    refused(&elsewhere, "NoSuchDistribution");
    refused(&[&create[..5], &["/*/x"]].concat(), "InvalidArgument");
    Ok(())
}
