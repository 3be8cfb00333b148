//! Links and tokens in the wrong places: nothing of them is left in the access log.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn grants_and_tokens_in_mangled_links_are_not_logged() {
    let edge = TestEdge::new().await;
    let (grant, token) = (grant(&edge), token().replace("Bearer ", ""));
    let encoded = grant.replace('.', "%2E");
    let (asset, signed) = (&edge.asset, edge.signed("mp4/video.mp4"));
    for path in [
        format!("/play//{grant}/{asset}/default/hls/video.m3u8"),
        format!("/Play/{grant}/{asset}/default/hls/video.m3u8"),
        format!("/%70lay/{grant}/{asset}/default/hls/video.m3u8"),
        format!("/play/x/{grant}/video.m3u8"),
        format!("/play/{encoded}"),
        format!("/web/{grant}"),
        format!("/web/{encoded}"),
        format!("/api/{token}"),
        format!("/{token}"),
        format!("/api/playback?{grant}"),
        format!("/api/playback?{token}"),
        signed.replace('?', "&"),
        signed.replace('?', "%3F").replace('=', "%3D"),
    ] {
        edge.ask(&path, None).await;
    }
    let log = edge.access_log();
    // The edge's own lines, and those of what it asked of the signer and the bucket.
    assert!(log.lines().count() > 13, "{log}");
    let link = signed.replace('?', "&");
    let parts = grant
        .split('.')
        .chain(token.split('.'))
        .chain(link.split(['&', '=']));
    for part in parts.filter(|part| part.len() > 40 && !part.starts_with('/')) {
        assert!(!log.contains(&part[..20]), "`{part}` is in {log}");
        assert!(!log.contains(&part[part.len() - 20..]), "`{part}` is in {log}");
    }
}
