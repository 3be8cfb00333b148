//! The chain of a stack on AWS.

use anyhow::ensure;

use super::{Finding, alarms, distribution, events, functions, link, queues, replication, storage, viewers};
use crate::aws::Aws;
use crate::stack::cloud::{self, Description};
use crate::stack::outputs::Outputs;
use crate::stack::{Choice, Stack};

pub(super) async fn examine(choice: &Choice, name: &str) -> Vec<Finding> {
    let (mut aws, mut found) = (None, None);
    let look = async {
        let account = choice.aws().await?;
        account.has_credentials().await?;
        let text = format!("there are credentials, for {}", account.region());
        aws = Some(account);
        Ok(text)
    };
    let sign_in = "sign in (`aws sso login`), or choose with --profile and --region";
    let mut findings = vec![link("account", sign_in, look).await];
    let Some(aws) = aws else { return findings };
    let look = async {
        let (stack, text) = find(aws, choice, name).await?;
        found = Some(stack);
        Ok(text)
    };
    let deploy = format!("`infra/deploy.sh --stack {name}` makes the stack, and brings it up to date");
    findings.push(link("stack", deploy, look).await);
    let Some(stack) = found else { return findings };
    let Some(outputs) = stack.outputs.as_deref() else {
        return findings;
    };
    findings.extend(uploads(&stack, outputs).await);
    findings.extend(encoding(&stack, outputs).await);
    findings.extend(playback(&stack, outputs).await);
    let ringing = "docs/operations.md, Alarms, says for each what it means and what to do".to_owned();
    findings.push(link("alarms", ringing, alarms::alarms(&stack, outputs)).await);
    findings
}

async fn find(aws: Aws, choice: &Choice, name: &str) -> anyhow::Result<(Stack, String)> {
    let description = cloud::existing(&aws, name).await?;
    let text = status(&description)?;
    let outputs = Outputs::read(&description)?;
    Ok((Stack::cloud(aws, outputs, choice), text))
}

/// What only makes other commands hesitate is broken for the doctor, but for an update that was taken back whole.
fn status(description: &Description) -> anyhow::Result<String> {
    let Some(oddity) = description.oddity()? else {
        return Ok(description.status.clone());
    };
    ensure!(description.status == "UPDATE_ROLLBACK_COMPLETE", "{oddity}");
    Ok(oddity)
}

async fn uploads(stack: &Stack, outputs: &Outputs) -> Vec<Finding> {
    let (name, options) = (&outputs.stack, &stack.options);
    let put_back = format!(
        "in the S3 console, bucket {}, Properties, Event notifications: all object create events under input/ to \
         {}; then `vod reconcile{options}` finds what was missed",
        outputs.bucket, outputs.upload_queue_arn
    );
    let redrive = format!(
        "see `vod dead-letters{options}`, fix the cause, then `vod dead-letters redrive{options}`; what no delivery \
         can handle is dropped by `aws sqs purge-queue --queue-url {}`",
        outputs.upload_dead_letters
    );
    let mut findings = vec![
        link("bucket", again(name), storage::bucket(stack)).await,
        link("notification", put_back, storage::notification(stack, outputs)).await,
        link("queue", again(name), queues::uploads(stack, outputs)).await,
        link("queue policy", again(name), queues::policy(stack, outputs)).await,
        link("dead letters", redrive, queues::dead(stack)).await,
        link(
            "event source",
            again(name),
            functions::event_source(stack, outputs),
        )
        .await,
        link(
            "submit",
            again(name),
            functions::deployed(stack, outputs, "submit"),
        )
        .await,
    ];
    if let Some(replica) = &outputs.replica {
        let (bucket, region) = (&outputs.bucket, stack.aws.region());
        let remedy = format!(
            "`aws s3api get-bucket-replication --bucket {bucket} --region {region}` names the role and the rules; when they \
             are right again, `aws s3 sync s3://{bucket}/input s3://{replica}/input` copies what is missing"
        );
        findings.push(link("replication", remedy, replication::newest(stack, replica)).await);
    }
    findings
}

async fn encoding(stack: &Stack, outputs: &Outputs) -> Vec<Finding> {
    let name = &outputs.stack;
    let queue = events::last(&outputs.mediaconvert_queue, '/');
    let resume = format!(
        "`aws mediaconvert update-queue --name {queue} --status ACTIVE`, if it is PAUSED; else {}",
        again(name)
    );
    let enable = |rule: &str| {
        format!(
            "`aws events enable-rule --name {rule}`, if it is DISABLED; else {}",
            again(name)
        )
    };
    let complete = functions::deployed(stack, outputs, "complete");
    let reconcile = functions::deployed(stack, outputs, "reconcile");
    vec![
        link("role", again(name), events::role(stack, outputs)).await,
        link("mediaconvert", resume, events::encoder(stack, queue)).await,
        link(
            "event rule",
            enable(&outputs.job_events_rule),
            events::job_events(stack, outputs),
        )
        .await,
        link("complete", again(name), complete).await,
        link(
            "schedule",
            enable(&outputs.reconcile_rule),
            events::schedule(stack, outputs),
        )
        .await,
        link("reconcile", again(name), reconcile).await,
    ]
}

async fn playback(stack: &Stack, outputs: &Outputs) -> Vec<Finding> {
    let name = &outputs.stack;
    let wait = format!("wait some minutes if it is InProgress; else {}", again(name));
    let keys = format!(
        "`vod keys show{}` tells what there is; `infra/deploy.sh --stack {name}` gives CloudFront \
         and the secret the same keys",
        stack.options
    );
    let log = format!("the log group /aws/lambda/{} tells why", outputs.signer);
    let open = "disable the distribution until this is mended: films may be open to everybody".to_owned();
    let signer = functions::deployed(stack, outputs, "signer");
    vec![
        link("distribution", wait, distribution::distribution(stack, outputs)).await,
        link("key group", keys.clone(), distribution::key_group(stack, outputs)).await,
        link("signer code", again(name), signer).await,
        link("edge", open, viewers::edge(stack)).await,
        link("signer", log, viewers::signer(stack)).await,
        link("playback", keys, viewers::playback(stack)).await,
    ]
}

/// CloudFormation puts back what was changed by hand only where the template changes as well.
fn again(name: &str) -> String {
    format!(
        "`infra/deploy.sh --stack {name}`; if that changes nothing, someone changed it by hand: `aws cloudformation \
         detect-stack-drift --stack-name {name}` finds what"
    )
}

#[cfg(test)]
pub(super) mod testing {
    use crate::stack::outputs::Outputs;

    /// A stack called `film` with a bucket called `films`.
    pub(in crate::doctor) fn outputs() -> Outputs {
        let text = |name: &str| name.to_owned();
        Outputs {
            stack: text("film"),
            bucket: text("films"),
            output_bucket: text("films"),
            url: text("https://e.net"),
            distribution: text("E1"),
            key_group: text("g"),
            signing_secret: text("arn:aws:secretsmanager:r:1:secret:film/signing"),
            jwt_secret: text("arn:aws:secretsmanager:r:1:secret:film/jwt"),
            upload_queue: text("https://sqs.r.amazonaws.com/1/film-uploads"),
            upload_queue_arn: text("arn:aws:sqs:r:1:film-uploads"),
            upload_dead_letters: text("https://sqs.r.amazonaws.com/1/film-dead"),
            job_event_dead_letters: text("https://sqs.r.amazonaws.com/1/film-job-dead"),
            job_events_rule: text("film-jobs"),
            reconcile_rule: text("film-reconcile"),
            mediaconvert_queue: text("arn:aws:mediaconvert:r:1:queues/film"),
            mediaconvert_role: text("arn:aws:iam::1:role/film-media"),
            submit: text("film-submit"),
            complete: text("film-complete"),
            signer: text("film-signer"),
            reconcile: text("film-reconcile"),
            alarm_topic: text("arn:aws:sns:r:1:film"),
            issuer: None,
            audience: None,
            replica: None,
            has_provider: false,
        }
    }
}
