"""`vod doctor --stack`: a stack that is well, each of its links broken once, and each permission taken away."""

import json
import subprocess
import time

import pytest

import stack_stub
from aws_stub import ACCOUNT
from conftest import TARGET

VOD = TARGET / "vod"
BUCKET = f"vod-{ACCOUNT}-us-east-1"
LINKS = [
    "account", "stack", "bucket", "notification", "queue", "queue policy", "dead letters", "event source", "submit", "role", "mediaconvert",
    "event rule", "complete", "schedule", "reconcile", "distribution", "key group", "signer code", "edge", "signer", "playback", "alarms",
]


@pytest.fixture
def aws():
    with stack_stub.StackStub() as stub:
        yield stub


@pytest.fixture
def stack(aws, deployed):
    aws.complete()
    return deployed


def vod(scripts, *arguments, **environment):
    assert VOD.is_file(), f"{VOD} is missing: tests/infra/run.sh builds it"
    environment = {name: value for name, value in scripts.environment(**environment).items() if value is not None}
    return subprocess.run([VOD, *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False,
                          stdin=subprocess.DEVNULL)


def examine(scripts, *arguments):
    done = vod(scripts, "doctor", "--stack", "vod", "--json", *arguments)
    assert done.stdout, done.stderr
    return done.returncode, {finding["link"]: finding for finding in json.loads(done.stdout)}


def not_ok(findings):
    return {link: finding["state"] for link, finding in findings.items() if not finding["ok"]}


def test_a_stack_as_the_template_makes_it_is_well(aws, stack):
    code, findings = examine(stack)
    assert (code, not_ok(findings)) == (0, {}), findings
    assert list(findings) == LINKS
    # It only looks.
    assert aws.operations(changing_only=True) == [] and aws.invoked == []
    text = vod(stack, "doctor", "--stack", "vod").stdout
    assert text.count("ok ") >= len(LINKS) and "BROKEN" not in text
    secrets = aws.client("secretsmanager")
    signing = json.loads(secrets.get_secret_value(SecretId="vod/signing")["SecretString"])
    jwt = secrets.get_secret_value(SecretId="vod/jwt")["SecretString"]
    told = json.dumps(findings) + text
    assert jwt not in told and "PRIVATE" not in told and "PUBLIC" not in told
    assert signing["active"] in told


def attribute(aws, name, value):
    aws.client("sqs").set_queue_attributes(QueueUrl=aws.known["<UploadQueue>"], Attributes={name: value})


def without_redrive(aws):
    """Made anew: moto forgets the policy as well when the other is emptied."""
    sqs, url = aws.client("sqs"), aws.known["<UploadQueue>"]
    kept = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    sqs.delete_queue(QueueUrl=url)
    sqs.create_queue(QueueName="vod-uploads", Attributes=kept)


def variables(aws, function, **changes):
    now = aws.client("lambda").get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    aws.set_variables(function, {k: v for k, v in {**now, **changes}.items() if v is not None})


def pattern(aws, change):
    events = aws.client("events")
    now = json.loads(events.describe_rule(Name="vod-jobs-rule")["EventPattern"])
    change(now["detail"])
    events.put_rule(Name="vod-jobs-rule", EventPattern=json.dumps(now))


def notify(aws, **changes):
    s3 = aws.client("s3")
    setting = {**s3.get_bucket_notification_configuration(Bucket=BUCKET)["QueueConfigurations"][0], **changes}
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": [setting]})


def another_queue(aws):
    aws.client("sqs").create_queue(QueueName="theirs")
    return f"arn:aws:sqs:us-east-1:{ACCOUNT}:theirs"


def trust(aws, service):
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]}
    aws.client("iam").update_assume_role_policy(RoleName="vod-MediaConvertRole", PolicyDocument=json.dumps(document))


def policy(aws, **changes):
    statement = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*", **changes}
    attribute(aws, "Policy", json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def output_rule(aws):
    return next(rule for rule in aws.distribution["behaviors"] if rule["PathPattern"] == "/output/*")


def ring(aws, change):
    secrets = aws.client("secretsmanager")
    now = json.loads(secrets.get_secret_value(SecretId="vod/signing")["SecretString"])
    change(now)
    secrets.put_secret_value(SecretId="vod/signing", SecretString=json.dumps(now))


def unpermit(aws, function, statement):
    aws.client("lambda").remove_permission(FunctionName=function, StatementId=statement, Qualifier="live")


def send(aws, queue):
    aws.client("sqs").send_message(QueueUrl=aws.known[queue], MessageBody="poison")


# What is done to the stack, which links say so (the first one with these words).
BREAKS = {
    "stack rolled back": (lambda a: a.stacks["vod"].update(status="ROLLBACK_COMPLETE"), ["stack"], "no part of it is running"),
    "stack in progress": (lambda a: a.stacks["vod"].update(status="UPDATE_IN_PROGRESS"), ["stack"], "being updated"),
    "stack stuck": (lambda a: a.stacks["vod"].update(status="UPDATE_ROLLBACK_FAILED"), ["stack"], "continue-update-rollback"),
    "output missing": (lambda a: a.stacks["vod"]["outputs"].pop("KeyGroupId"), ["stack"], "KeyGroupId"),
    "bucket gone": (lambda a: a.client("s3").delete_bucket(Bucket=BUCKET), ["bucket", "notification"], "NoSuchBucket"),
    "notification to another queue": (lambda a: notify(a, QueueArn=another_queue(a)), ["notification"], "tells the queue of nothing"),
    "notification of deletions": (lambda a: notify(a, Events=["s3:ObjectRemoved:*"]), ["notification"], "all that is created"),
    "notification of mp4 only": (lambda a: notify(a, Filter={"Key": {"FilterRules": [{"Name": "suffix", "Value": ".mp4"}]}}),
                                 ["notification"], "some uploads only"),
    "queue gone": (lambda a: a.client("sqs").delete_queue(QueueUrl=a.known["<UploadQueue>"]), ["queue", "queue policy"], "does not exist"),
    "no redrive": (lambda a: without_redrive(a), ["queue"], "no dead letters"),
    "no queue policy": (lambda a: attribute(a, "Policy", ""), ["queue policy"], "no policy"),
    "queue policy for another bucket": (lambda a: policy(a, Condition={"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::other"}}),
                                        ["queue policy"], "does not let the bucket"),
    "queue policy for others": (lambda a: policy(a, Principal={"Service": "sns.amazonaws.com"}), ["queue policy"], "does not let"),
    "dead upload": (lambda a: send(a, "<UploadDeadLetters>"), ["dead letters"], "1 of `uploads`"),
    "dead event": (lambda a: send(a, "<JobEventDeadLetters>"), ["dead letters"], "1 of `job-events`"),
    "event source disabled": (lambda a: a.sources[0].update(State="Disabled"), ["event source"], "Disabled"),
    "event source of no alias": (lambda a: a.sources[0].update(FunctionArn=a.sources[0]["FunctionArn"].removesuffix(":live")),
                                 ["event source"], "go to nobody"),
    "submit gone": (lambda a: a.client("lambda").delete_function(FunctionName="vod-submit"), ["submit"], "not found"),
    "submit without alias": (lambda a: a.client("lambda").delete_alias(FunctionName="vod-submit", Name="live"), ["submit"], "no alias `live`"),
    "submit without role": (lambda a: variables(a, "vod-submit", MEDIACONVERT_ROLE_ARN=None), ["submit"], "MEDIACONVERT_ROLE_ARN is not set"),
    "complete of another bucket": (lambda a: variables(a, "vod-complete", BUCKET="other"), ["complete"], "BUCKET is not"),
    "reconcile of another stack": (lambda a: variables(a, "vod-reconcile", APPLICATION="other"), ["reconcile"], "APPLICATION is not `vod`"),
    "signer without secret": (lambda a: variables(a, "vod-signer", SIGNING_SECRET=None), ["signer code"], "SIGNING_SECRET is not set"),
    "role without trust": (lambda a: trust(a, "lambda.amazonaws.com"), ["role"], "does not trust mediaconvert"),
    "role gone": (lambda a: a.client("iam").delete_role(RoleName="vod-MediaConvertRole"), ["role"], "NoSuchEntity"),
    "encoder paused": (lambda a: setattr(a, "queue_status", "PAUSED"), ["mediaconvert"], "PAUSED"),
    "rule disabled": (lambda a: a.client("events").disable_rule(Name="vod-jobs-rule"), ["event rule"], "DISABLED"),
    "rule of others": (lambda a: pattern(a, lambda d: d.update(userMetadata={"application": ["other"]})), ["event rule"], "does not fit"),
    "rule without errors": (lambda a: pattern(a, lambda d: d["status"].remove("ERROR")), ["event rule"], "end as ERROR"),
    "rule without target": (lambda a: a.client("events").remove_targets(Rule="vod-jobs-rule", Ids=["complete"]), ["event rule"], "does not call"),
    "rule not let in": (lambda a: unpermit(a, "vod-complete", "JobEventsMayInvoke"), ["event rule"], "events.amazonaws.com"),
    "schedule disabled": (lambda a: a.client("events").disable_rule(Name="vod-schedule-rule"), ["schedule"], "DISABLED"),
    "distribution disabled": (lambda a: a.distribution.update(enabled=False), ["distribution"], "disabled"),
    "distribution in progress": (lambda a: a.distribution.update(status="InProgress"), ["distribution"], "InProgress"),
    "distribution gone": (lambda a: a.distribution.update(id="EOTHER"), ["distribution"], "NoSuchDistribution"),
    "outputs without signatures": (lambda a: output_rule(a).update(TrustedKeyGroups=[]), ["distribution"], "does not ask for signatures"),
    "outputs of another key group": (lambda a: output_rule(a).update(TrustedKeyGroups=["other"]), ["distribution"], "does not ask"),
    "distribution not let in": (lambda a: unpermit(a, "vod-signer", "DistributionMayCallUrl"), ["distribution"], "lambda:InvokeFunctionUrl"),
    "active key not trusted": (lambda a: setattr(a, "key_group", ["KOTHER"]), ["key group"], "does not trust"),
    "stranger trusted": (lambda a: a.key_group.append("KSTRANGER"), ["key group"], "KSTRANGER"),
    "secret damaged": (lambda a: ring(a, lambda r: r.pop("keys")), ["key group"], "not what `vod keys` writes"),
    "outputs open": (lambda a: a.edge.update(unsigned=200), ["edge"], "HTTP 200 instead of 403"),
    "signer open": (lambda a: a.edge.update(stranger=200), ["signer"], "HTTP 200 instead of 401"),
    "signer fails": (lambda a: a.edge.update(library=500), ["signer", "playback"], "HTTP 500"),
    "links fail": (lambda a: a.edge.update(play=403), ["playback"], "HTTP 403"),
    "alarm": (lambda a: a.client("cloudwatch").set_alarm_state(AlarmName="vod-SubmitErrors-1X2Y", StateValue="ALARM", StateReason="x"),
              ["alarms"], "submit failed"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_the_doctor_names_the_broken_link(aws, stack, name):
    damage, links, words = BREAKS[name]
    damage(aws)
    code, findings = examine(stack)
    assert code == 1 and not_ok(findings) == dict.fromkeys(links, "broken"), {k: f for k, f in findings.items() if not f["ok"]}
    assert words in findings[links[0]]["detail"], findings[links[0]]
    assert len(findings[links[0]]["remedy"]) > 20


# Which operation needs which permission, and who misses it.
PERMISSIONS = [
    ("cloudformation", "DescribeStacks", "cloudformation:DescribeStacks", "stack"),
    ("s3", "GetBucketLocation", "s3:GetBucketLocation", "bucket"),
    ("s3", "GetBucketNotificationConfiguration", "s3:GetBucketNotification", "notification"),
    ("sqs", "GetQueueAttributes", "sqs:GetQueueAttributes", "queue"),
    ("lambda", "ListEventSourceMappings", "lambda:ListEventSourceMappings", "event source"),
    ("lambda", "GetFunctionConfiguration", "lambda:GetFunctionConfiguration", "submit"),
    ("lambda", "GetPolicy", "lambda:GetPolicy", "event rule"),
    ("iam", "GetRole", "iam:GetRole", "role"),
    ("mediaconvert", "GetQueue", "mediaconvert:GetQueue", "mediaconvert"),
    ("events", "DescribeRule", "events:DescribeRule", "event rule"),
    ("events", "ListTargetsByRule", "events:ListTargetsByRule", "event rule"),
    ("cloudfront", "GetDistribution", "cloudfront:GetDistribution", "distribution"),
    ("cloudfront", "GetKeyGroup", "cloudfront:GetKeyGroup", "key group"),
    ("secretsmanager", "GetSecretValue", "secretsmanager:GetSecretValue", "key group"),
    ("monitoring", "DescribeAlarms", "cloudwatch:DescribeAlarms", "alarms"),
]


@pytest.mark.parametrize("service, operation, permission, link", PERMISSIONS, ids=[p[2] for p in PERMISSIONS])
def test_a_missing_permission_is_named_and_not_taken_for_a_fault(aws, stack, service, operation, permission, link):
    code = "AccessDenied" if service in ("s3", "cloudformation", "iam", "cloudfront", "monitoring") else "AccessDeniedException"
    aws.fail_once(service, operation, code, f"User: arn:aws:iam::1:user/u is not authorized to perform: {permission} on resource: x", 403)
    status, findings = examine(stack)
    assert status == 1 and not_ok(findings) == {link: "unknown"}, not_ok(findings)
    assert findings[link]["missing_permission"] == permission and permission in findings[link]["remedy"]
    assert not aws.faults


def test_an_update_that_was_taken_back_is_told_and_no_fault(aws, stack):
    aws.stacks["vod"]["status"] = "UPDATE_ROLLBACK_COMPLETE"
    code, findings = examine(stack)
    assert code == 0 and "rolled back" in findings["stack"]["detail"]


def test_without_credentials_it_says_how_to_get_some(aws, stack):
    done = vod(stack, "doctor", "--stack", "vod", "--json", AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
    (finding,) = json.loads(done.stdout)
    assert done.returncode == 1 and finding["link"] == "account" and "no AWS credentials" in finding["detail"]
    assert "aws sso login" in finding["remedy"] and aws.requests == []


def test_with_an_identity_provider_it_wants_a_token(aws, stack):
    """And does not make one that nobody would take."""
    aws.stacks["vod"]["parameters"]["AuthJwksUrl"] = "https://issuer.example.org/jwks"
    code, findings = examine(stack)
    assert code == 0 and "--token" in findings["playback"]["detail"]
    code, findings = examine(stack, "--token", "not.a.token")
    assert code == 1 and set(not_ok(findings)) == {"signer", "playback"}
    assert "not.a.token" not in json.dumps(findings)


@pytest.mark.parametrize("status, state, words", [
    ("COMPLETED", "ok", "is in `film-replica`"), ("PENDING", "ok", "on its way"), ("FAILED", "broken", "could not copy"), (None, "broken", "no rule copies"),
])
def test_the_newest_upload_has_its_copy(aws, stack, status, state, words):
    """The newest by date, not by name; where nothing is replicated there is no such link (LINKS)."""
    s3 = aws.client("s3")
    s3.put_object(Bucket=BUCKET, Key="input/z-old.mp4", Body=b"old")
    time.sleep(1.1)  # S3's dates are in whole seconds
    s3.put_object(Bucket=BUCKET, Key="input/new.mp4", Body=b"new")
    aws.stacks["vod"]["parameters"]["ReplicaBucketName"] = "film-replica"
    aws.replication = status
    _, findings = examine(stack)
    link = findings["replication"]
    assert link["state"] == state and words in link["detail"] and "`input/new.mp4`" in link["detail"], link
    assert state == "ok" or f"aws s3 sync s3://{BUCKET}/input s3://film-replica/input" in link["remedy"]
