//! Paths that lead elsewhere, and the origins themselves.

use super::*;

attempt!(a_path_that_climbs, 403 "AccessDenied",
    |w| w.get(&w.signed("../../../input/my%20film.mp4")));
attempt!(a_path_that_climbs_encoded, 403 "AccessDenied",
    |w| w.get(&w.signed("%2e%2e/%2e%2e/%2e%2e/input/my%20film.mp4")));
attempt!(a_path_that_climbs_half_encoded, 403 "AccessDenied",
    |w| w.get(&w.signed(".%2e/.%2E/%2e./input/my%20film.mp4")));
attempt!(a_path_encoded_twice, 404 "NoSuchKey", |w| w.get(&w.signed("%252e%252e/%252e%252e/x")));
attempt!(a_path_with_overlong_dots, 403 "AccessDenied", |w| w.get(&w.signed("%c0%ae%c0%ae/x")));
attempt!(a_path_with_encoded_slashes, 403 "AccessDenied", |w| w.get(&w.signed("..%2f..%2f..%2finput/x")));
attempt!(a_path_with_backslashes, 403 "AccessDenied", |w| w.get(&w.signed("..%5c..%5cinput")));
attempt!(a_path_with_two_slashes, 403 "AccessDenied", |w| w.get(&w.signed("/mp4/video.mp4")));
attempt!(a_path_with_a_nul, 403 "AccessDenied", |w| w.get(&w.signed("mp4/video.mp4%00.jpg")));
attempt!(a_path_with_a_line_end, 403 "AccessDenied", |w| w.get(&w.signed("mp4/video.mp4%0d%0aX-Evil:1")));
attempt!(another_assets_file, 403 "AccessDenied",
    |w| w.get(&w.signed("mp4/video.mp4").replace(&w.asset, &w.other)));
attempt!(another_assets_file_by_climbing, 403 "AccessDenied",
    |w| w.get(&w.signed(&format!("../../{}/default/mp4/video.mp4", w.other))));
attempt!(an_asset_whose_id_begins_alike, 403 "AccessDenied",
    |w| w.get(&w.signed("mp4/video.mp4").replace(&w.asset, &format!("{}x", w.asset))));
attempt!(the_folder_of_all_outputs, 403 "AccessDenied", |w| {
    let path = w.signature(NOW + 60).url("/output/?list-type=2");
    async move { w.get(&path).await }
});
attempt!(a_listing_of_ones_own_folder, 404 "NoSuchKey",
    |w| w.get(&w.signed("").replace('?', "?list-type=2&prefix=&")));
attempt!(an_upload_with_a_good_signature, 403 "AccessDenied", |w| {
    let path = w.signature(NOW + 60).url("/input/my%20film.mp4");
    async move { w.get(&path).await }
});
attempt!(a_record_with_a_good_signature, 403 "AccessDenied", |w| {
    let path = w.signature(NOW + 60).url(&format!("/catalog/{}.json", w.asset));
    async move { w.get(&path).await }
});
attempt!(the_function_behind_the_edge, 403 "AccessDenied", |w| w.ask("/lambda-url/signer/api/assets", None));
attempt!(outputs_in_capitals, 403 "AccessDenied", |w| w.get(&w.signed("mp4/video.mp4").replace("/output/", "/OUTPUT/")));

#[tokio::test(flavor = "multi_thread")]
async fn a_query_changes_nothing_of_an_object() {
    let edge = TestEdge::new().await;
    for own in [
        "response-content-type=text/html",
        "versionId=null",
        "acl",
        "torrent",
        "x-id=DeleteObject",
        "uploads",
    ] {
        let answer = edge
            .get(&edge.signed("mp4/video.mp4").replace('?', &format!("?{own}&")))
            .await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, "video/mp4"),
            "{own}"
        );
        assert_eq!(answer.text(), "mp4");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_origins_let_nobody_in_but_the_edge() {
    let edge = TestEdge::new().await;
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build_http::<http_body_util::Empty<bytes::Bytes>>();
    for path in [
        format!("/vod/output/{}/default/mp4/video.mp4", edge.asset),
        "/vod/?list-type=2".to_owned(),
        format!("/lambda-url/signer{}", playback(&edge)),
    ] {
        let request = http::Request::get(format!("http://{}{path}", edge.api))
            .header("x-viewer-authorization", token())
            .header("x-viewer-host", "evil.example.com");
        let answer = client
            .request(request.body(http_body_util::Empty::new()).unwrap())
            .await
            .unwrap();
        assert_eq!(answer.status(), 403, "{path}");
    }
}
