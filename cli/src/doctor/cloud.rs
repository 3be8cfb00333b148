//! The checks of a stack on AWS: the parts that an owner needs to see when videos do not arrive or do not play.
//!
//! The stack's alarms report failing functions, waiting uploads and failed copies, and drift detection reports changes by
//! hand, so these are not checked here.

use anyhow::ensure;

use super::{Finding, link, queues, viewers};
use crate::aws::AwsError;
use crate::stack::cloud::{self, Description};
use crate::stack::outputs::Outputs;
use crate::stack::{Choice, Stack};

pub(super) async fn examine(choice: &Choice, name: &str) -> Vec<Finding> {
    let mut called = None;
    let account = async {
        let aws = choice.aws().await?;
        let found = cloud::existing(&aws, name).await;
        if let Err(error) = &found
            && let Some(error) = error.downcast_ref::<AwsError>()
            && error.is_about_credentials()
        {
            return Err(error.clone().into());
        }
        let text = format!("credentials were found, region {}", aws.region());
        called = Some((aws, found));
        Ok::<_, anyhow::Error>(text)
    };
    let sign_in = "sign in (`aws sso login`), or choose with --profile and --region";
    let mut findings = vec![link("account", sign_in, account).await];
    let Some((aws, found)) = called else {
        return findings;
    };
    let mut outputs = None;
    let stack = async {
        let description = found?;
        let text = status(&description)?;
        outputs = Some(Outputs::read(&description)?);
        Ok::<_, anyhow::Error>(text)
    };
    let deploy = format!("`infra/deploy.sh --stack {name}` creates or updates the stack");
    findings.push(link("stack", deploy, stack).await);
    let Some(outputs) = outputs else { return findings };
    let stack = Stack::cloud(aws, outputs.clone(), choice);
    findings.extend(encoding(&stack, &outputs).await);
    findings.extend(playback(&stack, &outputs).await);
    findings
}

/// Other commands only warn about such a status. For the doctor it is a fault, except an update that was rolled back
/// completely.
fn status(description: &Description) -> anyhow::Result<String> {
    let Some(oddity) = description.oddity()? else {
        return Ok(description.status.clone());
    };
    ensure!(description.status == "UPDATE_ROLLBACK_COMPLETE", "{oddity}");
    Ok(oddity)
}

async fn encoding(stack: &Stack, outputs: &Outputs) -> Vec<Finding> {
    let (name, options) = (&outputs.stack, &stack.options);
    let redrive = format!(
        "see `vod dead-letters{options}`, fix the cause, then `vod dead-letters redrive{options}`; delete messages that \
         can never be handled with `aws sqs purge-queue --queue-url {}`",
        outputs.upload_dead_letters
    );
    let encoder = outputs.mediaconvert_queue.rsplit('/').next().unwrap_or_default();
    let resume = format!(
        "`aws mediaconvert update-queue --name {encoder} --status ACTIVE`, if it is PAUSED; else {}",
        again(name)
    );
    vec![
        link("queue", again(name), queues::uploads(stack, outputs)).await,
        link("dead letters", redrive, queues::dead(stack)).await,
        link("mediaconvert", resume, queues::encoder(stack, encoder)).await,
    ]
}

async fn playback(stack: &Stack, outputs: &Outputs) -> Vec<Finding> {
    let name = &outputs.stack;
    let log = format!("the log group /aws/lambda/{} gives the reason", outputs.signer);
    let open = "disable the distribution until this is fixed: everybody may be able to watch".to_owned();
    let keys = format!(
        "`vod keys show{}` lists the keys; `infra/deploy.sh --stack {name}` gives CloudFront and the secret the same \
         keys; a new or changed distribution needs some minutes",
        stack.options
    );
    vec![
        link("edge", open, viewers::edge(stack)).await,
        link("signer", log, viewers::signer(stack)).await,
        link("playback", keys, viewers::playback(stack)).await,
    ]
}

/// CloudFormation resets changes by hand only where the template changes as well.
fn again(name: &str) -> String {
    format!(
        "`infra/deploy.sh --stack {name}`; if that changes nothing, the stack was changed by hand: `aws cloudformation \
         detect-stack-drift --stack-name {name}` reports how"
    )
}
