//! The checks from a viewer's side: the edge, the signer, and a link.

use std::time::Duration;

use anyhow::{anyhow, bail, ensure};
use aws_smithy_types::body::SdkBody;
use hyper::{Request, StatusCode};
use serde_json::Value;
use vod_aws::origin;
use vod_core::record::State;

use super::Passed;
use crate::stack::Stack;
use crate::stack::tokens::Tokens;

/// Longest time for a response of the edge.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Videos that are tried until one plays.
const TRIED: usize = 3;

/// Checks that the edge refuses unsigned requests.
pub(super) async fn edge(stack: &Stack) -> anyhow::Result<String> {
    let unsigned = get(stack, &format!("{}/output/doctor", stack.edge)).await?;
    ensure!(
        unsigned == StatusCode::FORBIDDEN,
        "a request without a signature got HTTP {} instead of 403",
        unsigned.as_u16()
    );
    Ok("responds, and refuses unsigned requests".to_owned())
}

/// Checks that the signer responds, and refuses requests without a token.
pub(super) async fn signer(stack: &Stack) -> anyhow::Result<String> {
    let stranger = get(stack, &format!("{}/api/assets?limit=1", stack.edge)).await?;
    ensure!(
        stranger == StatusCode::UNAUTHORIZED,
        "a request without a token got HTTP {} instead of 401",
        stranger.as_u16()
    );
    if matches!(*stack.tokens, Tokens::Provider) {
        return Ok("responds; an identity provider creates its tokens (pass one with --token)".to_owned());
    }
    stack.api().get::<Value>("/api/assets", &[("limit", "1")]).await?;
    Ok("responds, and accepts our token".to_owned())
}

/// Fetches the playlist of a video, as a viewer would. A damaged video is no fault of the stack while another one plays.
pub(super) async fn playback(stack: &Stack) -> anyhow::Result<Passed> {
    if matches!(*stack.tokens, Tokens::Provider) {
        let text = "not tried: it needs a token of the identity provider (pass one with --token)";
        return Ok(text.to_owned().into());
    }
    let page: Value = stack.api().get("/api/assets", &[("limit", "100")]).await?;
    let complete = State::Complete.as_str();
    let assets = page["assets"].as_array().into_iter().flatten();
    let complete = assets.filter(|asset| asset["state"] == complete);
    let mut failures = Vec::new();
    for id in complete.filter_map(|asset| asset["id"].as_str()).take(TRIED) {
        match plays(stack, id).await {
            Ok(()) => return Ok(played(stack, id, &failures)),
            Err(error) => failures.push((id.to_owned(), error)),
        }
    }
    match failures.into_iter().next() {
        Some((_, error)) => Err(error),
        None => Ok("nothing to play yet".to_owned().into()),
    }
}

fn played(stack: &Stack, id: &str, failures: &[(String, anyhow::Error)]) -> Passed {
    let text = format!("a fresh link to `{id}` plays");
    let Some((bad, error)) = failures.first() else {
        return text.into();
    };
    let options = &stack.options;
    Passed {
        detail: format!("{text}; {error:#}"),
        advice: Some(format!(
            "look at it with `vod show{options} {bad}`; upload the file again to have it encoded again"
        )),
    }
}

async fn plays(stack: &Stack, id: &str) -> anyhow::Result<()> {
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
    Ok(())
}

/// The status of a response to a request without a token.
pub(super) async fn get(stack: &Stack, url: &str) -> anyhow::Result<StatusCode> {
    // Without its path and query, which may hold a signature.
    let place = origin(url);
    let request = Request::get(url).body(SdkBody::empty());
    let request = request.map_err(|_| anyhow!("`{place}` is no address"))?;
    let answer = stack.aws.wire().send(request, TIMEOUT).await;
    let answer = answer.map_err(|error| anyhow!("could not reach {place}: {error}"))?;
    Ok(answer.status())
}
