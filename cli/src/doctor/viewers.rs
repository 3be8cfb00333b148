//! What viewers meet: the edge, the signer, and a link.

use std::time::Duration;

use anyhow::{anyhow, bail, ensure};
use aws_smithy_types::body::SdkBody;
use hyper::{Request, StatusCode};
use serde_json::Value;
use vod_core::record::State;

use crate::stack::Stack;
use crate::stack::tokens::Tokens;
use crate::wire::origin;

/// An edge that is well answers at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether the edge refuses what is not signed.
pub(super) async fn edge(stack: &Stack) -> anyhow::Result<String> {
    let unsigned = get(stack, &format!("{}/output/doctor", stack.edge)).await?;
    ensure!(
        unsigned == StatusCode::FORBIDDEN,
        "a request without a signature got HTTP {} instead of 403",
        unsigned.as_u16()
    );
    Ok("answers, and refuses what is not signed".to_owned())
}

/// Whether the signer answers, and lets nobody in without a token.
pub(super) async fn signer(stack: &Stack) -> anyhow::Result<String> {
    let stranger = get(stack, &format!("{}/api/assets?limit=1", stack.edge)).await?;
    ensure!(
        stranger == StatusCode::UNAUTHORIZED,
        "a request without a token got HTTP {} instead of 401",
        stranger.as_u16()
    );
    if matches!(*stack.tokens, Tokens::Provider) {
        return Ok("answers; an identity provider makes its tokens (--token gives one)".to_owned());
    }
    stack.api().get::<Value>("/api/assets", &[("limit", "1")]).await?;
    Ok("answers, and takes our token".to_owned())
}

/// Plays the first byte of something, as a viewer would.
pub(super) async fn playback(stack: &Stack) -> anyhow::Result<String> {
    if matches!(*stack.tokens, Tokens::Provider) {
        return Ok("not tried: it needs a token of the identity provider (--token gives one)".to_owned());
    }
    let page: Value = stack.api().get("/api/assets", &[("limit", "100")]).await?;
    let complete = State::Complete.as_str();
    let assets = page["assets"].as_array().into_iter().flatten();
    let Some(id) = assets
        .filter(|asset| asset["state"] == complete)
        .find_map(|asset| asset["id"].as_str())
    else {
        return Ok("nothing to play yet".to_owned());
    };
    let links: Value = stack.api().get("/api/playback", &[("asset", id)]).await?;
    let Some(url) = links["hls"].as_str().or_else(|| links["mp4"][0]["url"].as_str()) else {
        bail!("the signer gave no link to `{id}`");
    };
    let status = get(stack, url).await?;
    ensure!(
        status == StatusCode::OK,
        "a fresh link to `{id}` got HTTP {}",
        status.as_u16()
    );
    Ok(format!("a fresh link to `{id}` plays"))
}

/// The status of an answer to a stranger.
pub(super) async fn get(stack: &Stack, url: &str) -> anyhow::Result<StatusCode> {
    // Without its path and query, which may hold a signature.
    let place = origin(url);
    let request = Request::get(url).body(SdkBody::empty());
    let request = request.map_err(|_| anyhow!("`{place}` is no address"))?;
    let answer = stack.aws.wire().send(request, PATIENCE).await;
    let answer = answer.map_err(|error| anyhow!("could not reach {place}: {error}"))?;
    Ok(answer.status)
}
