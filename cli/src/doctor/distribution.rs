//! CloudFront: the distribution, and the keys that it trusts.

use anyhow::{Context, ensure};
use serde_json::Value;

use super::functions::may_call;
use crate::aws::sdk_error;
use crate::stack::Stack;
use crate::stack::outputs::Outputs;
use crate::stack::tokens::secret;

/// Whether the distribution serves, and asks for signatures where outputs lie.
pub(super) async fn distribution(stack: &Stack, outputs: &Outputs) -> anyhow::Result<String> {
    let call = stack
        .aws
        .cloudfront()
        .get_distribution()
        .id(&outputs.distribution);
    let found = call.send().await.map_err(|error| {
        let what = format!("distribution {}", outputs.distribution);
        sdk_error(&what, "cloudfront:GetDistribution", error)
    })?;
    let found = found.distribution().context("CloudFront describes none")?;
    let config = found.distribution_config().context("it has no configuration")?;
    ensure!(config.enabled(), "{} is disabled: it serves nobody", found.id());
    ensure!(
        found.status() == "Deployed",
        "{} is {}: not all edges have its last change yet",
        found.id(),
        found.status()
    );
    let behaviours = config.cache_behaviors().map_or(&[][..], |all| all.items());
    let outputs_rule = behaviours.iter().find(|rule| rule.path_pattern() == "/output/*");
    let groups = outputs_rule
        .and_then(|rule| rule.trusted_key_groups())
        .filter(|groups| groups.enabled());
    let is_trusted = groups.is_some_and(|groups| groups.items().contains(&outputs.key_group));
    ensure!(
        is_trusted,
        "/output/* of {} does not ask for signatures of key group {}",
        found.id(),
        outputs.key_group
    );
    let arn = found.arn();
    let actions = ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"];
    may_call(stack, &outputs.signer, "cloudfront.amazonaws.com", &actions, arn).await?;
    Ok(format!("{} is deployed at {}", found.id(), found.domain_name()))
}

/// Whether CloudFront trusts the key that the signer signs with. Of the secret only ids are read.
pub(super) async fn key_group(stack: &Stack, outputs: &Outputs) -> anyhow::Result<String> {
    let call = stack.aws.cloudfront().get_key_group().id(&outputs.key_group);
    let found = call.send().await.map_err(|error| {
        let what = format!("key group {}", outputs.key_group);
        sdk_error(&what, "cloudfront:GetKeyGroup", error)
    })?;
    let group = found.key_group().and_then(|group| group.key_group_config());
    let trusted = group.map_or(&[][..], |group| group.items());
    let keyring = secret(&stack.aws, &outputs.signing_secret).await?;
    let (active, ids) = ids(&keyring).context("the signing secret is not what `vod keys` writes")?;
    ensure!(
        trusted.contains(&active),
        "links are signed with {active}, which CloudFront does not trust: its key group has {}",
        trusted.join(", ")
    );
    let mut strangers = trusted.iter().filter(|id| !ids.contains(id));
    if let Some(id) = strangers.next() {
        anyhow::bail!(
            "CloudFront trusts {id}, which is not in the secret: whoever has that key can sign links"
        );
    }
    let others = ids.len() - 1;
    Ok(format!(
        "links are signed with {active}, which CloudFront trusts; {others} other keys"
    ))
}

/// The id of the key that signs, and of all.
fn ids(keyring: &str) -> Option<(String, Vec<String>)> {
    let keyring: Value = serde_json::from_str(keyring).ok()?;
    let active = keyring["active"].as_str()?.to_owned();
    let keys = keyring["keys"].as_array()?.iter();
    let ids: Vec<String> = keys
        .filter_map(|key| Some(key["id"].as_str()?.to_owned()))
        .collect();
    (!ids.is_empty()).then_some((active, ids))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_a_keyring() {
        let ring = r#"{"active":"K2","keys":[{"id":"K1","private_pem":"x"},{"id":"K2"}]}"#;
        assert_eq!(
            ids(ring),
            Some(("K2".to_owned(), vec!["K1".to_owned(), "K2".to_owned()]))
        );
        for bad in ["", "{}", r#"{"active":"K2"}"#, r#"{"active":"K2","keys":[]}"#] {
            assert_eq!(ids(bad), None, "{bad}");
        }
    }
}
