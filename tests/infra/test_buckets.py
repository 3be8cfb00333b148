"""The scripts on buckets that hold something: their settings are merged, and nothing is lost by a failed read."""

import json
import subprocess
import urllib.parse

import pytest

import aws_stub
import iam
from conftest import ROOT
from test_scripts import BUCKET, CODE, changes

OUTPUT = f"arn:aws:s3:::{BUCKET}/output/film-1/video.m3u8"


def queue_arns(aws, bucket=BUCKET):
    configured = aws.client("s3").get_bucket_notification_configuration(Bucket=bucket)
    return [c["QueueArn"] for c in configured.get("QueueConfigurations", [])]


def statements(aws, bucket=BUCKET):
    return json.loads(aws.client("s3").get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]


def sent_to(aws, queue_arn):
    """The keys in the messages that S3 has sent to the queue."""
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=queue_arn.rsplit(":", 1)[1])["QueueUrl"]
    bodies = [json.loads(m["Body"]) for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])]
    return [urllib.parse.unquote_plus(record["s3"]["object"]["key"]) for body in bodies for record in body.get("Records", [])]


def make_replica(s3):
    s3.create_bucket(Bucket="far", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket="far", VersioningConfiguration={"Status": "Enabled"})


# ------------------------------------------------------------------------------- deploy, destroy, deploy again


@pytest.mark.parametrize("more", [[], ["--set", "ReplicaBucketName=far"]], ids=["plain", "replica"])
def test_films_that_a_destroyed_stack_left_play_from_the_next(aws, scripts, more):
    s3 = aws.client("s3")
    make_replica(s3)
    scripts.deploy(*more)
    s3.put_object(Bucket=BUCKET, Key="output/film-1/video.m3u8", Body=b"#EXTM3U")
    old = aws.stacks["vod"]["outputs"]
    assert queue_arns(aws) == [old["UploadQueueArn"]]
    scripts.run("destroy", "--yes")
    assert queue_arns(aws) == [], "the bucket sends to a queue that is gone"
    with pytest.raises(s3.exceptions.ClientError, match="ReplicationConfigurationNotFound"):
        s3.get_bucket_replication(Bucket=BUCKET)

    for _ in range(2):
        scripts.deploy(*more)
        new = aws.stacks["vod"]["outputs"]
        assert queue_arns(aws) == [new["UploadQueueArn"]] != [old["UploadQueueArn"]]
    s3.put_object(Bucket=BUCKET, Key="input/next.mp4", Body=b"film")
    assert sent_to(aws, new["UploadQueueArn"]) == ["input/next.mp4"]
    # The outputs of the first stack play: the distribution of the second may read them, another may not.
    source = f"arn:aws:cloudfront::{aws_stub.ACCOUNT}:distribution/{new['DistributionId']}"
    for arn, expected in ((source, True), (source + "X", False)):
        assert iam.allows(statements(aws), "s3:GetObject", OUTPUT, {"AWS:SourceArn": arn}) is expected
    plain_http = {"AWS:SourceArn": source, "aws:SecureTransport": "false"}
    assert not iam.allows(statements(aws), "s3:GetObject", OUTPUT, plain_http), "plain http has to be refused as before"
    assert s3.get_object(Bucket=BUCKET, Key="output/film-1/video.m3u8")["Body"].read() == b"#EXTM3U"
    if more:
        replication = s3.get_bucket_replication(Bucket=BUCKET)["ReplicationConfiguration"]
        assert replication["Role"] == new["ReplicationRoleArn"] != old["ReplicationRoleArn"]
        assert sorted(rule["ID"] for rule in replication["Rules"]) == ["vod-vod-sources", "vod-vod-templates"]


def delete_in_the_console(aws, scripts):
    command = ["aws", "cloudformation", "delete-stack", "--stack-name", "vod"]
    subprocess.run(command, env=scripts.environment(AWS_DEFAULT_REGION="us-east-1"), check=True, capture_output=True)
    assert "vod" not in aws.stacks


def test_settings_of_a_stack_that_was_deleted_by_hand_are_replaced(aws, scripts):
    """destroy.sh has not cleared them: notification and replication name what is gone."""
    s3 = aws.client("s3")
    make_replica(s3)
    scripts.deploy("--set", "ReplicaBucketName=far")
    old = aws.stacks["vod"]["outputs"]
    delete_in_the_console(aws, scripts)
    assert queue_arns(aws) == [old["UploadQueueArn"]]
    scripts.deploy("--set", "ReplicaBucketName=far")
    new = aws.stacks["vod"]["outputs"]
    assert queue_arns(aws) == [new["UploadQueueArn"]]
    assert s3.get_bucket_replication(Bucket=BUCKET)["ReplicationConfiguration"]["Role"] == new["ReplicationRoleArn"]


def test_notifications_of_others_stay_in_the_bucket_of_a_destroyed_stack(aws, scripts):
    s3, sqs = aws.client("s3"), aws.client("sqs")
    scripts.deploy()
    sqs.create_queue(QueueName="theirs")
    theirs = {"Id": "theirs", "QueueArn": f"arn:aws:sqs:us-east-1:{aws_stub.ACCOUNT}:theirs", "Events": ["s3:ObjectRemoved:*"]}
    now = s3.get_bucket_notification_configuration(Bucket=BUCKET)["QueueConfigurations"]
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": [*now, theirs]})
    # Even with a target that is gone, which S3 would refuse to take again.
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="theirs")["QueueUrl"])
    scripts.run("destroy", "--yes")
    assert queue_arns(aws) == [theirs["QueueArn"]]
    said = scripts.deploy(ok=False).said
    assert "does not exist any more" in said and "get-bucket-notification-configuration" in said, said


def test_a_notification_for_the_same_uploads_is_explained(aws, scripts):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="theirs")
    aws.client("sqs").create_queue(QueueName="theirs")
    theirs = {"QueueArn": f"arn:aws:sqs:us-east-1:{aws_stub.ACCOUNT}:theirs", "Events": ["s3:ObjectCreated:Put"]}
    s3.put_bucket_notification_configuration(Bucket="theirs", NotificationConfiguration={"QueueConfigurations": [theirs]})
    said = scripts.deploy("--bucket", "theirs", ok=False).said
    assert "a notification of its own for new objects under input/" in said, said


# ------------------------------------------------------------------------------------------------ lifecycle


def test_lifecycle_rules_of_both_versions_are_merged(aws, scripts):
    """`Prefix` is version 1, `Filter` version 2; S3 refuses a mixture."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="theirs")
    rules = [{"ID": "logs", "Status": "Enabled", "Prefix": "logs/", "Expiration": {"Days": 9}},
             {"ID": "all", "Status": "Enabled", "Prefix": "", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
             # A rule of a stack whose name begins like ours.
             {"ID": "vod-vod-two-sources", "Status": "Enabled", "Prefix": "two/", "Expiration": {"Days": 8}}]
    s3.put_bucket_lifecycle_configuration(Bucket="theirs", LifecycleConfiguration={"Rules": rules})
    for _ in range(2):
        scripts.deploy("--bucket", "theirs")
        found = {r["ID"]: r for r in s3.get_bucket_lifecycle_configuration(Bucket="theirs")["Rules"]}
        assert set(found) == {"logs", "all", "vod-vod-two-sources", "vod-vod-sources", "vod-vod-outputs", "vod-vod-leftovers", "vod-vod-trash", "vod-vod-sessions"}
        assert found["logs"]["Filter"] == {"Prefix": "logs/"} and found["logs"]["Expiration"] == {"Days": 9}
    scripts.run("destroy", "--yes")
    found = [r["ID"] for r in s3.get_bucket_lifecycle_configuration(Bucket="theirs")["Rules"]]
    assert found == ["logs", "all", "vod-vod-two-sources"]


# ----------------------------------------------------------------------------------------------------- CORS


def cors(aws, bucket):
    return {rule["ID"]: rule for rule in aws.client("s3").get_bucket_cors(Bucket=bucket)["CORSRules"]}


def test_pages_of_the_allowed_origins_may_upload_into_a_bucket_that_was_there(aws, scripts):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="theirs")
    own = {"ID": "own", "AllowedMethods": ["GET"], "AllowedOrigins": ["https://their.example"]}
    s3.put_bucket_cors(Bucket="theirs", CORSConfiguration={"CORSRules": [own]})
    sites = ["https://blog.example.com", "https://www.example.com"]
    for allowed in ([], sites, sites[:1], sites[:1]):
        scripts.deploy("--bucket", "theirs", "--set", f"AllowedOrigins={','.join(allowed)}")
        page = aws.stacks["vod"]["outputs"]["Url"]
        assert cors(aws, "theirs") == {"own": own, "vod-vod": {
            "ID": "vod-vod", "AllowedMethods": ["PUT", "POST"], "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"],
            "MaxAgeSeconds": 3600, "AllowedOrigins": [page, *allowed]}}
    assert aws.operations().count("s3:PutBucketCors") == 3, "what is there already is not written again"
    scripts.run("destroy", "--yes")
    assert cors(aws, "theirs") == {"own": own}


def test_the_rule_of_a_bucket_is_the_template_s_rule(aws, scripts):
    """The stack's own bucket, which a destroyed stack leaves to the next."""
    scripts.deploy("--set", "AllowedOrigins=https://blog.example.com")
    made = cors(aws, BUCKET)
    assert set(made) == {"vod-vod"} and "s3:PutBucketCors" not in aws.operations()
    delete_in_the_console(aws, scripts)
    scripts.deploy("--set", "AllowedOrigins=https://blog.example.com")
    page = aws.stacks["vod"]["outputs"]["Url"]
    assert cors(aws, BUCKET) == {"vod-vod": {**made["vod-vod"], "AllowedOrigins": [page, "https://blog.example.com"]}}
    scripts.run("destroy", "--yes")
    with pytest.raises(aws.client("s3").exceptions.ClientError, match="NoSuchCORSConfiguration"):
        cors(aws, BUCKET)


# ---------------------------------------------------------------------------------------------- failed reads

def fill(aws, bucket):
    """A bucket with a policy, a rule and a replication of its owner's."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    statement = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/x"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    rule = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 9}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    own = {"ID": "own", "Status": "Enabled", "Priority": 7, "Filter": {"Prefix": "logs/"}, "DeleteMarkerReplication": {"Status": "Disabled"},
           "Destination": {"Bucket": "arn:aws:s3:::far"}}
    s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration={"Role": "arn:aws:iam::1:role/own", "Rules": [own]})
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [{"ID": name, "AllowedMethods": ["PUT"], "AllowedOrigins": ["https://a.example"]}
                                                                       for name in ("own", "vod-vod-two")]})


def owners(aws, bucket):
    s3 = aws.client("s3")
    return (
        [s for s in statements(aws, bucket) if s["Sid"] == "Theirs"],
        [r for r in s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] if r["ID"] == "theirs"],
        [r["ID"] for r in s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]["Rules"]],
        [name for name in cors(aws, bucket) if name != "vod-vod"],
    )


FAILURES = {
    "denied": ("AccessDenied", "Access Denied", 403), "unavailable": ("ServiceUnavailable", "Please reduce your request rate.", 503),
    "expired": ("ExpiredToken", "The provided token has expired.", 400), "cut": None,
}
QUEUE = f"arn:aws:sqs:us-east-1:{aws_stub.ACCOUNT}:ours"
READS = [
    ("GetBucketNotificationConfiguration", f"merge_notification theirs {QUEUE}"), ("GetBucketNotificationConfiguration", "merge_notification theirs ''"),
    ("GetBucketPolicy", "merge_policy theirs OAC 'output web' 'input output'"), ("GetBucketPolicy", "merge_policy theirs ''"),
    ("GetBucketLifecycleConfiguration", "merge_lifecycle theirs 30 60 30 60"), ("GetBucketLifecycleConfiguration", "merge_lifecycle theirs"),
    ("GetBucketReplication", "merge_replication theirs far arn:aws:iam::1:role/own"), ("GetBucketReplication", "merge_replication theirs"),
    ("GetBucketCors", "merge_cors theirs https://b.example"), ("GetBucketCors", "merge_cors theirs"),
    ("HeadBucket", "bucket_exists theirs || echo there is none"), ("ListObjectVersions", "empty_bucket theirs"),
]


def fail(aws, operation, failure):
    if FAILURES[failure]:
        aws.fail_once("s3", operation, *FAILURES[failure])
        return lambda: not aws.faults
    return aws.at("s3", operation, lambda: False).is_set


def in_lib(scripts, line):
    """Runs a line with the functions of lib.sh."""
    described = json.dumps({"Outputs": [{"OutputKey": "DistributionId", "OutputValue": "EDFDVBD6EXAMPLE"}]})
    script = f'source "{ROOT}/infra/lib.sh"; REGION=us-east-1 ACCOUNT={aws_stub.ACCOUNT}; use_stack "$DESCRIBED"; {line}'
    return subprocess.run(["bash", "-c", script], env=scripts.environment(DESCRIBED=described), capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("operation, line", READS)
def test_a_read_that_fails_is_not_taken_for_an_empty_setting(aws, scripts, operation, line, failure):
    fill(aws, "theirs")
    aws.client("sqs").create_queue(QueueName="ours")
    before = owners(aws, "theirs")
    assert all(before), before
    happened = fail(aws, operation, failure)
    done = in_lib(scripts, line)
    assert happened(), f"{operation} was never asked for: {done.stderr}"
    assert done.returncode == 1 and "error: " in done.stderr and "Traceback" not in done.stderr and not done.stdout, done.stdout + done.stderr
    assert changes(aws) == [] and owners(aws, "theirs") == before
    # Once the read works, the same goes through, and what is the owner's stays.
    done = in_lib(scripts, line)
    assert done.returncode == 0 and not done.stderr, done.stderr
    for kept, now in zip(before, owners(aws, "theirs"), strict=True):
        assert all(one in now for one in kept), (kept, now)


@pytest.mark.parametrize("operation", ["GetBucketLocation", "GetBucketEncryption", "GetPublicAccessBlock"])
def test_a_bucket_that_cannot_be_looked_at_is_not_taken(aws, scripts, operation):
    fill(aws, "theirs")
    happened = fail(aws, operation, "unavailable")
    done = scripts.deploy("--bucket", "theirs", ok=False)
    assert happened() and "error: " in done.said, done.said
    assert changes(aws) == []


@pytest.mark.parametrize("script, operation, failure", [("deploy", "GetBucketPolicy", "denied"), ("destroy", "GetBucketPolicy", "unavailable"), ("destroy", "HeadBucket", "denied")])
def test_a_run_stops_at_a_read_that_fails_and_goes_on_later(aws, scripts, script, operation, failure):
    fill(aws, "theirs")
    if script == "destroy":
        scripts.deploy("--bucket", "theirs")
    before = owners(aws, "theirs")
    happened = fail(aws, operation, failure)
    run = {"deploy": lambda ok: scripts.deploy("--bucket", "theirs", ok=ok), "destroy": lambda ok: scripts.run("destroy", "--yes", ok=ok)}[script]
    done = run(None)
    assert happened() and done.returncode == 1 and "error: " in done.said, done.said
    assert owners(aws, "theirs") == before
    run(True)
    assert owners(aws, "theirs") == before


@pytest.mark.parametrize("failure", ["denied", "cut"])
def test_a_failed_look_at_the_tags_deletes_no_film_of_another_bucket(aws, scripts, failure):
    """A destroy that was stopped after the stack had gone reads from the code bucket's tags where the films are."""
    s3 = aws.client("s3")
    scripts.deploy("--bucket", fill(aws, "theirs") or "theirs")
    # Not of the stack, but under the name that a stack of its own would have.
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="input/film.mp4", Body=b"film")
    delete_in_the_console(aws, scripts)
    happened = fail(aws, "GetBucketTagging", failure)
    done = scripts.run("destroy", "--yes", "--delete-films", ok=None)
    assert happened(), done.said
    assert s3.get_object(Bucket=BUCKET, Key="input/film.mp4")["Body"].read() == b"film"
    assert done.returncode == 1 and "error: " in done.said, done.said
    assert CODE in {b["Name"] for b in s3.list_buckets()["Buckets"]}


# ---------------------------------------------------------------------------------------- refused deletions


def test_a_deletion_that_s3_refuses_ends_the_run_with_its_reason(aws, deployed):
    s3 = aws.client("s3")
    s3.put_object(Bucket=BUCKET, Key="input/locked.mp4", Body=b"film")
    aws.locked.add("input/locked.mp4")
    said = deployed.run("destroy", "--yes", "--delete-films", ok=False).said
    assert "input/locked.mp4" in said and "AccessDenied" in said and "object lock" in said, said
    aws.locked.clear()
    deployed.run("destroy", "--yes", "--delete-films")
    assert BUCKET not in {b["Name"] for b in s3.list_buckets()["Buckets"]}


# ------------------------------------------------------------------------------- what the stack cannot work with


def test_a_bucket_under_a_kms_key_is_refused_before_anything_is_made(aws, scripts):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="theirs")
    kms = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "arn:aws:kms:us-east-1:1:key/k"}
    s3.put_bucket_encryption(Bucket="theirs", ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": kms}]})
    for option in ("--bucket", "--output-bucket"):
        said = scripts.deploy(option, "theirs", ok=False).said
        assert "aws:kms" in said and "AES256" in said and "put-bucket-encryption" in said, said
    assert changes(aws) == [] and "vod" not in aws.stacks


def test_a_bucket_that_is_open_to_the_public_is_named(aws, scripts):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="theirs")
    assert "Block Public Access" in scripts.deploy("--bucket", "theirs", "--plan").said
    closed = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    s3.put_public_access_block(Bucket="theirs", PublicAccessBlockConfiguration={**closed, "BlockPublicPolicy": False})
    assert "Block Public Access" in scripts.deploy("--bucket", "theirs", "--plan").said
    s3.put_public_access_block(Bucket="theirs", PublicAccessBlockConfiguration=closed)
    assert "Block Public Access" not in scripts.deploy("--bucket", "theirs", "--plan").said
