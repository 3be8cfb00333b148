"""`vod … --stack`: every command for real. S3, MediaConvert, Lambda and the edge are `vod up`'s; CloudFormation, Secrets
Manager and SQS are moto's; CloudFront is recorded, and its requests are checked against botocore's model."""

import json
import subprocess
import urllib.request

import pytest

import stack_stub
from conftest import ROOT
from test_stack_doctor import aws, stack, vod  # noqa: F401  (fixtures)


class Hybrid:
    """The stack `vod` on AWS, whose bucket, functions and distribution are `local`'s."""

    def __init__(self, aws, scripts, local, secrets):
        self.aws, self.scripts, self.local, self.secrets = aws, scripts, local, secrets
        stack = aws.stacks["vod"]
        stack["parameters"]["AuthIssuer"] = ""
        stack["outputs"].update(Bucket=local["bucket"], OutputBucket=local["bucket"], Url=local["edge"])
        stack["outputs"].update({f"{name.capitalize()}Function": name for name in ("submit", "complete", "signer", "owner", "reconcile")})
        aws.client("secretsmanager").put_secret_value(SecretId="vod/jwt", SecretString=secrets["jwt_secret"] + "\n")
        self.environment = {
            "AWS_ACCESS_KEY_ID": local["access_key"], "AWS_SECRET_ACCESS_KEY": local["secret_key"], "AWS_REGION": local["region"],
            "AWS_ENDPOINT_URL_S3": local["api"], "AWS_ENDPOINT_URL_MEDIACONVERT": local["api"], "AWS_ENDPOINT_URL_LAMBDA": local["api"]}

    def vod(self, *arguments, ok=True, **environment):
        done = vod(self.scripts, *arguments, "--stack", "vod", **{**self.environment, **environment})
        assert (done.returncode == 0) == ok, done.stdout + done.stderr
        for secret in (self.secrets["jwt_secret"], self.local["secret_key"]):
            assert secret not in done.stdout + done.stderr
        return done.stdout if ok else done.stderr

    def json(self, *arguments, **more):
        return json.loads(self.vod(*arguments, "--json", **more))


@pytest.fixture
def hybrid(aws, stack, local, tmp_path):  # noqa: F811
    return Hybrid(aws, stack, local, json.loads((tmp_path / ".vod/secrets.json").read_text()))


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "한국 film+1.mp4"
    subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30:duration=2", "-f", "lavfi",
         "-i", "sine=duration=2", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest", path], check=True)
    return path


def status(url, **headers):
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20).status
    except urllib.error.HTTPError as error:
        return error.code


def test_from_an_upload_to_its_removal(hybrid, film):
    record = hybrid.json("upload", str(film), "--wait")
    asset, key = record["id"], record["source"]["key"]
    assert record["state"] == "COMPLETE" and key == "input/한국 film+1.mp4"
    assert [r["id"] for r in hybrid.json("ls")] == [asset] == [r["id"] for r in hybrid.json("ls", key)]
    assert hybrid.json("show", asset)["id"] == hybrid.json("show", key)["id"] == asset

    # Made with the stack's key, and with the user's own token.
    links = hybrid.json("sign", asset, "--ttl", "5m")
    assert status(links["hls"]) == 200 and status(links["mp4"][0]["url"]) == 200
    token = hybrid.vod("token", "--scope", "playback", "--ttl", "5m").strip()
    hybrid.aws.requests.clear()
    assert status(hybrid.json("sign", key, VOD_TOKEN=token)["hls"]) == 200
    assert "secretsmanager:GetSecretValue" not in hybrid.aws.operations(), "a given token is used, and no key is asked for"
    assert "HTTP 403" in hybrid.vod("ls", "--token", token, ok=False), "it lets watch, not list"

    summary = hybrid.json("reconcile")
    assert (summary["lost"], summary["failed"], summary["finished"]) == (0, 0, True)
    assert hybrid.json("check") == []

    assert "you cannot be asked" in hybrid.vod("rm", asset, ok=False)
    removed = hybrid.json("rm", asset, "--yes")
    assert removed["removed"] == asset and removed["outputs"] > 3
    (path, batch), = hybrid.aws.invalidations
    assert path.endswith(f"/distribution/{hybrid.aws.known['<Distribution>']}/invalidation") and f"<Path>/output/{asset}/*</Path>" in batch
    assert hybrid.json("ls") == []
    # The tombstone keeps it down.
    summary = hybrid.json("reconcile")
    assert (summary["lost"], summary["given_up"]) == (0, 0) and hybrid.json("ls") == []


def test_what_lies_in_a_bucket_of_its_own_is_removed_there(aws, stack):  # noqa: F811
    """The stack's two buckets, with an asset of the same id in both: only what viewers see goes."""
    s3, outputs, asset = aws.client("s3"), aws.stacks["vod"]["outputs"], "film-0123456789abcdef-01234567"
    s3.create_bucket(Bucket="watched")
    keys = [f"output/{asset}/default/hls/video_{n}.ts" for n in range(20)]
    for key in keys:
        s3.put_object(Bucket="watched", Key=key, Body=b"")
    s3.put_object(Bucket="watched", Key="output/film-0123456789abcdef-01234568/x", Body=b"")
    s3.put_object(Bucket=outputs["Bucket"], Key=keys[0], Body=b"")
    outputs["OutputBucket"] = "watched"
    done = vod(stack, "rm", asset, "--yes", "--json", "--stack", "vod")
    assert done.returncode == 0 and json.loads(done.stdout)["outputs"] == 20, done.stderr
    left = [o["Key"] for o in s3.list_objects_v2(Bucket="watched").get("Contents", [])]
    assert left == ["output/film-0123456789abcdef-01234568/x"]
    left = [o["Key"] for o in s3.list_objects_v2(Bucket=outputs["Bucket"])["Contents"]]
    assert left == [f"ops/removed/{asset}.json", keys[0]] and len(aws.invalidations) == 1


def test_dead_letters_are_listed_and_sent_again(hybrid):
    sqs, outputs = hybrid.aws.client("sqs"), hybrid.aws.stacks["vod"]["outputs"]
    assert hybrid.json("dead-letters") == []
    upload = {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "vod"}, "object": {"key": "input/a+b.mp4", "eTag": "e"}}}]}
    event = {"source": "aws.mediaconvert", "detail-type": "MediaConvert Job State Change",
             "detail": {"jobId": "1-a", "status": "PROGRESSING", "userMetadata": {"application": "others"}}}
    refused = {"version": "1.0", "requestContext": {"condition": "RetriesExhausted"}, "requestPayload": event}
    sqs.send_message(QueueUrl=outputs["UploadDeadLettersUrl"], MessageBody=json.dumps(upload))
    for body in (event, refused):
        sqs.send_message(QueueUrl=outputs["JobEventDeadLettersUrl"], MessageBody=json.dumps(body))
    letters = hybrid.json("dead-letters")
    assert [(l["queue"], l.get("key"), l.get("job_id")) for l in letters] == [
        ("uploads", "input/a b.mp4", None), ("job-events", None, "1-a"), ("job-events", None, "1-a")]

    assert "there are uploads, job-events" in hybrid.vod("dead-letters", "redrive", "films", ok=False)
    # Uploads go back to their queue, events to the function: here a real one, which takes them.
    moved = hybrid.json("dead-letters", "redrive")
    assert moved == [{"queue": "uploads", "moved": 1}, {"queue": "job-events", "moved": 2}]
    back = sqs.receive_message(QueueUrl=outputs["UploadQueueUrl"], MaxNumberOfMessages=10)["Messages"]
    # Beside the message that S3 sends when a notification is set.
    assert upload in [json.loads(message["Body"]) for message in back]
    assert hybrid.json("dead-letters") == []


def test_an_event_that_is_refused_again_stays(aws, stack):  # noqa: F811
    sqs, dead = aws.client("sqs"), aws.known["<JobEventDeadLetters>"]
    sqs.send_message(QueueUrl=dead, MessageBody='{"detail": {"jobId": "1-a"}}')
    aws.answers["vod-complete"] = "bucket is on fire"
    done = vod(stack, "dead-letters", "redrive", "job-events", "--stack", "vod")
    assert done.returncode == 1 and "bucket is on fire" in done.stderr and "1 remain" in done.stderr
    # To the version that is live, like EventBridge.
    assert aws.invoked == [("/2015-03-31/functions/vod-complete/invocations?Qualifier=live", {"detail": {"jobId": "1-a"}})]
    assert sqs.receive_message(QueueUrl=dead)["Messages"][0]["Body"] == '{"detail": {"jobId": "1-a"}}'


def test_reconcile_runs_the_live_version_until_it_is_through(aws, stack):  # noqa: F811
    summary = {"looked_at": 3, "lost": 0, "mended": 0, "given_up": 0, "waiting": 0, "failed": 0, "dry_run": True, "finished": True, "notes": []}
    aws.answers["vod-reconcile"] = summary
    done = vod(stack, "reconcile", "--dry-run", "--stack", "vod", "--json")
    assert done.returncode == 0 and json.loads(done.stdout) == summary, done.stderr
    assert aws.invoked == [("/2015-03-31/functions/vod-reconcile/invocations?Qualifier=live", {"dry_run": True, "grace_seconds": 0})]


def test_templates_of_the_stack_are_checked(aws, stack):  # noqa: F811
    s3, bucket = aws.client("s3"), aws.stacks["vod"]["outputs"]["Bucket"]
    done = vod(stack, "check", "--stack", "vod")
    assert done.returncode == 0 and "built-in" in done.stdout
    s3.put_object(Bucket=bucket, Key="jobs/good.json", Body=(ROOT / "job-templates/default.json").read_bytes())
    s3.put_object(Bucket=bucket, Key="jobs/worse.json", Body=b"{")
    done = vod(stack, "check", "--stack", "vod", "--json")
    found = {one["template"]: one for one in json.loads(done.stdout)}
    assert done.returncode == 1 and found["good"]["ok"] and not found["worse"]["ok"] and "JSON" in found["worse"]["problems"][0]


def test_a_token_says_what_the_stacks_signer_wants(aws, stack):  # noqa: F811
    import base64
    import hashlib
    import hmac

    done = vod(stack, "token", "--stack", "vod", "--scope", "library", "--ttl", "1h")
    head, body, signature = done.stdout.strip().split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    assert (claims["iss"], claims["scope"], claims["exp"] - claims["iat"]) == (stack_stub.ISSUER, "library", 3600) and "aud" not in claims
    key = aws.client("secretsmanager").get_secret_value(SecretId="vod/jwt")["SecretString"]
    wanted = hmac.new(key.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64encode(wanted).decode().rstrip("=") == signature and key not in done.stdout + done.stderr
    aws.stacks["vod"]["parameters"]["AuthJwksUrl"] = "https://issuer.example.org/jwks"
    for command in (["token"], ["ls"]):
        done = vod(stack, *command, "--stack", "vod")
        assert done.returncode == 1 and "identity provider" in done.stderr


# ----------------------------------------------------------------------------------------------- bad input


def refused(scripts, *arguments, **environment):
    done = vod(scripts, *(arguments or ("ls",)), "--stack", "vod", **environment)
    assert done.returncode == 1 and done.stdout == "", done.stdout
    for word in ("panicked", "SdkError", "Unhandled", "dispatch failure"):
        assert word not in done.stderr, done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_without_credentials(aws, stack):  # noqa: F811
    said = refused(stack, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert "no AWS credentials" in said and "aws sso login" in said and "AWS_PROFILE" in said


def test_a_profile_is_used_and_one_that_is_not_there_is_named(aws, stack, tmp_path):  # noqa: F811
    config = tmp_path / "config"
    secret = json.dumps({"Version": 1, "AccessKeyId": "AKIDFROMPROCESS", "SecretAccessKey": "process-secret", "SessionToken": "session"})
    (tmp_path / "login").write_text(f"#!/bin/sh\necho run >> {tmp_path}/runs\necho '{secret}'\n")
    (tmp_path / "login").chmod(0o755)
    config.write_text(
        f"[profile films]\nregion = us-east-1\ncredential_process = {tmp_path}/login\n"
        "[profile sso]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\nregion = us-east-1\n"
        "[sso-session s]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start\n")
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_REGION": None, "AWS_CONFIG_FILE": str(config), "HOME": str(tmp_path)}
    done = vod(stack, "doctor", "--stack", "vod", "--profile", "films", **none)
    assert done.returncode == 0, done.stdout + done.stderr
    assert aws.credentials and all("AKIDFROMPROCESS" in a and t == "session" for a, t in aws.credentials)
    # Run once for the calls of all clients.
    assert (tmp_path / "runs").read_text().count("run") == 1
    assert "nowhere" in refused(stack, "ls", "--profile", "nowhere", **{**none, "AWS_REGION": "us-east-1"})
    said = refused(stack, "ls", "--profile", "sso", **none)
    assert "aws sso login" in said


@pytest.mark.parametrize("arguments, environment, words", [
    (["--region", "mars"], {}, "`mars` is no AWS region"),
    ([], {"AWS_REGION": ""}, "no region is set: say --region NAME"),
    ([], {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "CloudFormation cannot be reached at http://127.0.0.1:9"),
])
def test_a_bad_region_or_network(aws, stack, arguments, environment, words):  # noqa: F811
    assert words in refused(stack, "ls", *arguments, **environment)


def test_a_stack_that_is_not_here_is_looked_for_elsewhere(aws, stack):  # noqa: F811
    said = refused(stack, "ls", "--region", "eu-west-1")
    assert "there is no stack `vod` in eu-west-1, but it exists elsewhere: pass --region us-east-1" in said
    aws.stacks["film"] = aws.stacks.pop("vod")
    aws.stacks["website"] = {"status": "CREATE_COMPLETE", "parameters": {}, "outputs": {"Url": "x"}}
    said = refused(stack)
    assert "no stack `vod` in us-east-1" in said and "stacks in us-east-1: film" in said and "website" not in said
    aws.stacks.clear()
    assert "infra/deploy.sh --stack vod" in refused(stack)


@pytest.mark.parametrize("fault, words", [
    (("cloudformation", "DescribeStacks", "ExpiredToken", "The security token included in the request is expired"), "sign in again"),
    (("cloudformation", "DescribeStacks", "InvalidClientTokenId", "The security token is invalid"), "does not know these credentials"),
    (("cloudformation", "DescribeStacks", "SignatureDoesNotMatch", "Signature expired: 2020"), "this machine's clock"),
    (("cloudformation", "DescribeStacks", "AccessDenied", "User: u is not authorized to perform: cloudformation:DescribeStacks on resource: r", 403),
     "lack the permission cloudformation:DescribeStacks"),
    (("secretsmanager", "GetSecretValue", "AccessDeniedException", "User: u is not authorized to perform: secretsmanager:GetSecretValue on resource: r"),
     "lack the permission secretsmanager:GetSecretValue"),
])
def test_what_aws_refuses_is_said_plainly(aws, stack, fault, words):  # noqa: F811
    aws.fail_once(*fault)
    said = refused(stack)
    assert words in said and not aws.faults, said
    if fault[0] == "secretsmanager":
        assert "--token" in said


@pytest.mark.parametrize("operation, permission, arguments", [
    ("PutObject", "s3:PutObject", ["upload"]),
    ("HeadObject", "s3:GetObject", ["show", "input/film.mp4"]),
    ("GetObject", "s3:GetObject", ["rm", "film-0123456789abcdef-01234567", "--yes"]),
    ("ListObjectsV2", "s3:ListBucket", ["check"]),
])
def test_what_s3_refuses_is_said_plainly(aws, stack, film, operation, permission, arguments):  # noqa: F811
    aws.fail_once("s3", operation, "AccessDenied", "Access Denied", 403)
    said = refused(stack, *arguments, *([str(film)] if arguments == ["upload"] else []))
    assert f"lack the permission {permission}" in said and not aws.faults


@pytest.mark.parametrize("status_now, words", [
    ("ROLLBACK_COMPLETE", "infra/deploy.sh --stack vod"), ("CREATE_IN_PROGRESS", "wait"), ("ROLLBACK_IN_PROGRESS", "wait"),
    ("DELETE_IN_PROGRESS", "being deleted"), ("REVIEW_IN_PROGRESS", "never created"),
])
def test_a_stack_that_cannot_be_used_says_so(aws, stack, status_now, words):  # noqa: F811
    aws.stacks["vod"]["status"] = status_now
    said = refused(stack)
    assert status_now in said and words in said


def test_a_stack_that_is_being_changed_works_with_a_word(aws, stack):  # noqa: F811
    aws.records = []
    for status_now, words in (("UPDATE_IN_PROGRESS", "being updated"), ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback")):
        aws.stacks["vod"]["status"] = status_now
        done = vod(stack, "ls", "--json", "--stack", "vod")
        assert done.returncode == 0 and json.loads(done.stdout) == [] and words in done.stderr, done.stderr


def test_a_stack_of_something_else_is_told_apart(aws, stack):  # noqa: F811
    aws.stacks["vod"]["outputs"].pop("ReconcileFunction")
    said = refused(stack)
    assert "lacks the outputs ReconcileFunction" in said and "infra/deploy.sh --stack vod" in said
    aws.stacks["vod"]["outputs"] = {"Url": "https://example.org"}
    assert "not made from infra/template.yaml" in refused(stack)


@pytest.mark.parametrize("command, words", [(["keys", "remove", "K1"], "vod keys retire --stack vod"), (["up"], "infra/deploy.sh --stack vod")])
def test_commands_of_this_machine_say_what_to_use_instead(aws, stack, command, words):  # noqa: F811
    assert words in refused(stack, *command) and aws.requests == []
