"""The scripts of infra/ from start to end, twice in a row, against moto and the stub in front of it."""

import json
import os
import re
import subprocess
import time

import pytest

import aws_stub
from conftest import FUNCTIONS, ROOT

BUCKET = f"vod-{aws_stub.ACCOUNT}-us-east-1"
CODE = f"vod-code-{aws_stub.ACCOUNT}-us-east-1"
ALL = ["deploy", "destroy", "first-day", "keys", "lifecycle", "origin-access", "smoke"]


def secret(aws, name="vod/signing"):
    value = aws.client("secretsmanager").get_secret_value(SecretId=name, VersionStage="AWSCURRENT")["SecretString"]
    return json.loads(value) if name.endswith("signing") else value


def changes(aws):
    return aws.operations(changing_only=True)


# -------------------------------------------------------------------------------------------------- deploy


def test_deploy_from_nothing_again_and_with_new_code(aws, scripts):
    first = scripts.deploy("--set", "AlarmEmail=a@example.com")
    # Stack tags go to every resource that takes tags.
    (sent,) = [body.decode() for _, operation, body in aws.requests if operation == "CreateChangeSet"]
    assert "Tags.member.1.Key=vod%3Astack" in sent and "Tags.member.1.Value=vod" in sent
    assert "ready: https://d111111abcdef8.cloudfront.net/" in first.said
    parameters = aws.parameters("vod")
    assert parameters["BucketName"] == BUCKET and parameters["BucketMode"] == "create"
    assert parameters["AlarmEmail"] == "a@example.com" and parameters["PublicKeyTwo"] == ""

    ring = secret(aws)
    (key,) = ring["keys"]
    # The id is CloudFront's own, and the public half is the private half's.
    assert ring["active"] == key["id"] == aws_stub.key_id(parameters["PublicKeyOne"])
    public = subprocess.run(["openssl", "pkey", "-pubout"], input=key["private_pem"], capture_output=True, text=True, check=True)
    assert public.stdout == key["public_pem"] and parameters["PublicKeyOne"].strip() == key["public_pem"].strip()
    assert set(key) == {"id", "algorithm", "private_pem", "public_pem"} and set(ring) == {"active", "keys"}
    assert re.fullmatch("[0-9a-f]{64}", secret(aws, "vod/jwt").strip())

    s3 = aws.client("s3")
    for name in FUNCTIONS:
        code = s3.get_object(Bucket=CODE, Key=parameters[f"{name.capitalize()}Code"])["Body"].read()
        assert code == (scripts.packages / f"{name}.zip").read_bytes()
    page = s3.get_object(Bucket=BUCKET, Key="web/index.html")
    assert page["ContentType"].startswith("text/html")
    player = s3.get_object(Bucket=BUCKET, Key="web/hls.min.js")
    assert (page["CacheControl"], player["CacheControl"]) == ("no-cache", "no-cache")
    assert player["ContentEncoding"] == "gzip" and player["ContentType"].startswith("text/javascript")
    blocked = s3.get_public_access_block(Bucket=CODE)["PublicAccessBlockConfiguration"]
    assert all(blocked.values())

    # The same command and the same code: nothing is shipped, nothing is released, no key is touched.
    before = dict(parameters)
    aws.requests.clear()
    scripts.deploy("--set", "AlarmEmail=a@example.com")
    assert aws.parameters("vod") == before and secret(aws) == ring
    assert "cloudformation:ExecuteChangeSet" not in aws.operations()
    assert not [o for o in changes(aws) if o.split(":")[0] in ("secretsmanager", "lambda")], changes(aws)

    # New code of one function: a release, and what was set before stays set.
    scripts.package("signer", "#!/bin/sh\n# another\n")
    scripts.deploy()
    after = aws.parameters("vod")
    assert after["SignerCode"] != before["SignerCode"] and after["Release"] != before["Release"]
    assert after["SubmitCode"] == before["SubmitCode"] and after["AlarmEmail"] == "a@example.com"


def test_plan_changes_nothing(aws, scripts):
    said = scripts.deploy("--plan").said
    assert changes(aws) == [], changes(aws)
    for call in ("create-bucket", "create-secret", "put-object", "cloudformation deploy"):
        assert f"would run: aws" in said and call in said, call
    assert "PRIVATE KEY" not in said and "nothing was changed" in said


def test_plan_changes_nothing_of_a_stack(aws, deployed):
    scripts = deployed
    for script, *arguments in (["deploy", "--packages", str(scripts.packages), "--no-smoke"], ["keys", "rotate"], ["lifecycle", "--source-ia", "40", "--source-glacier", "90"],
                               ["origin-access", "OAI"], ["destroy", "--delete-films", "--delete-keys"]):
        said = scripts.run(script, *arguments, "--plan").said
        assert changes(aws) == [], (script, changes(aws))
        assert "would run: aws" in said or "would run" in said, said
        assert "PRIVATE KEY" not in said


def test_no_key_stands_in_an_argument_or_in_the_output(aws, scripts, tmp_path):
    """A shim before each program that the scripts call writes down every argument."""
    shims = tmp_path / "shims"
    shims.mkdir()
    log = tmp_path / "arguments"
    for tool in ("aws", "openssl", "jq", "curl", "vod"):
        real = subprocess.run(["bash", "-c", f"command -v {tool}"], env=scripts.environment(), capture_output=True, text=True, check=False).stdout.strip()
        real = real or scripts.environment()["VOD"]
        shim = shims / tool
        shim.write_text(f'#!/bin/bash\nprintf "%s\\n" "$@" >> {log}\nexec {real} "$@"\n')
        shim.chmod(0o755)
    path = f"{shims}:{scripts.environment()['PATH']}"
    said = scripts.deploy(PATH=path, VOD=str(shims / "vod")).said
    said += scripts.run("keys", "rotate", PATH=path, VOD=str(shims / "vod")).said
    seen = log.read_text() + said
    assert "PUBLIC KEY" in seen and "keys\nensure" in seen, "the shims saw nothing"
    assert "PRIVATE KEY" not in seen
    for key in secret(aws)["keys"]:
        for line in key["private_pem"].splitlines()[1:-1]:
            assert line not in seen
    assert secret(aws, "vod/jwt").strip() not in seen


def test_an_existing_bucket_keeps_what_it_has(aws, scripts):
    s3, queue = aws.client("s3"), aws.client("sqs").create_queue(QueueName="theirs")
    s3.create_bucket(Bucket="theirs")
    theirs = {"Id": "theirs", "QueueArn": f"arn:aws:sqs:us-east-1:{aws_stub.ACCOUNT}:theirs", "Events": ["s3:ObjectRemoved:*"]}
    s3.put_bucket_notification_configuration(Bucket="theirs", NotificationConfiguration={"QueueConfigurations": [theirs]})
    statement = {"Sid": "Theirs", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:root"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::theirs/x"}
    s3.put_bucket_policy(Bucket="theirs", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    rule = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 9}}
    s3.put_bucket_lifecycle_configuration(Bucket="theirs", LifecycleConfiguration={"Rules": [rule]})
    assert queue

    for _ in range(2):
        scripts.deploy("--bucket", "theirs")
        assert aws.parameters("vod")["BucketMode"] == "existing"
        configs = s3.get_bucket_notification_configuration(Bucket="theirs")["QueueConfigurations"]
        assert {c["Id"] for c in configs} == {"theirs", "vod-vod"}
        ours = next(c for c in configs if c["Id"] == "vod-vod")
        assert ours["QueueArn"].endswith(":vod-UploadQueue-000001") and ours["Events"] == ["s3:ObjectCreated:*"]
        assert ours["Filter"]["Key"]["FilterRules"] == [{"Name": "prefix", "Value": "input/"}]
        statements = json.loads(s3.get_bucket_policy(Bucket="theirs")["Policy"])["Statement"]
        assert [s["Sid"] for s in statements] == ["Theirs", "VodvodOac", "VodvodTlsOnly"]
        assert statements[2]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}} and statements[2]["Effect"] == "Deny"
        assert statements[2]["Resource"] == [f"arn:aws:s3:::theirs/{folder}/*" for folder in ("input", "output", "catalog", "jobs", "ops", "web")]
        assert statements[1]["Resource"] == ["arn:aws:s3:::theirs/output/*", "arn:aws:s3:::theirs/web/*"]
        rules = {r["ID"]: r for r in s3.get_bucket_lifecycle_configuration(Bucket="theirs")["Rules"]}
        assert set(rules) == {"theirs", "vod-vod-sources", "vod-vod-outputs", "vod-vod-leftovers", "vod-vod-trash", "vod-vod-sessions"}
        assert rules["vod-vod-outputs"]["Transitions"][1] == {"Days": 60, "StorageClass": "GLACIER_IR"}

    scripts.run("origin-access", "OAI")
    statements = json.loads(s3.get_bucket_policy(Bucket="theirs")["Policy"])["Statement"]
    assert [s["Sid"] for s in statements] == ["Theirs", "VodvodOai", "VodvodTlsOnly"]
    scripts.run("lifecycle", "--source-ia", "45", "--source-glacier", "100")
    rules = {r["ID"]: r for r in s3.get_bucket_lifecycle_configuration(Bucket="theirs")["Rules"]}
    assert [t["Days"] for t in rules["vod-vod-sources"]["Transitions"]] == [45, 100]

    s3.put_object(Bucket="theirs", Key="input/film.mp4", Body=b"film")
    for _ in range(2):
        scripts.run("destroy", "--yes")
        assert [c["Id"] for c in s3.get_bucket_notification_configuration(Bucket="theirs")["QueueConfigurations"]] == ["theirs"] or _
        assert s3.get_object(Bucket="theirs", Key="input/film.mp4")["Body"].read() == b"film"
    assert [s["Sid"] for s in json.loads(s3.get_bucket_policy(Bucket="theirs")["Policy"])["Statement"]] == ["Theirs"]
    assert [r["ID"] for r in s3.get_bucket_lifecycle_configuration(Bucket="theirs")["Rules"]] == ["theirs"]


def test_outputs_go_to_a_bucket_of_their_own(aws, scripts):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="theirs-out")
    s3.put_object(Bucket="theirs-out", Key="logs/1", Body=b"not ours")
    for _ in range(2):
        scripts.deploy("--output-bucket", "theirs-out")
        parameters = aws.parameters("vod")
        assert (parameters["OutputBucketName"], parameters["OutputBucketMode"], parameters["BucketMode"]) == ("theirs-out", "existing", "create")
        statement, tls_only = json.loads(s3.get_bucket_policy(Bucket="theirs-out")["Policy"])["Statement"]
        assert tls_only["Resource"] == ["arn:aws:s3:::theirs-out/output/*"]
        assert statement["Sid"] == "VodvodOac" and statement["Resource"] == ["arn:aws:s3:::theirs-out/output/*"]
        rules = {r["ID"] for r in s3.get_bucket_lifecycle_configuration(Bucket="theirs-out")["Rules"]}
        assert "vod-vod-outputs" in rules
        assert not s3.get_bucket_notification_configuration(Bucket="theirs-out").get("QueueConfigurations")
    for other in ("elsewhere", BUCKET):
        assert "videos cannot be moved" in scripts.deploy("--output-bucket", other, ok=False).said
    scripts.deploy()
    assert aws.parameters("vod")["OutputBucketName"] == "theirs-out", "what is not named stays"
    scripts.run("origin-access", "OAI")
    statement, _ = json.loads(s3.get_bucket_policy(Bucket="theirs-out")["Policy"])["Statement"]
    assert statement["Sid"] == "VodvodOai"
    s3.put_object(Bucket="theirs-out", Key="output/a/x.mp4", Body=b"ours")

    # Stopped when the stack is gone already: the rest is remembered.
    aws.fail_once("s3", "ListObjectVersions", "InternalError", "try again", 500)
    scripts.run("destroy", "--yes", "--delete-films", ok=False)
    assert "vod" not in aws.stacks and BUCKET in {b["Name"] for b in s3.list_buckets()["Buckets"]}
    scripts.run("destroy", "--yes", "--delete-films")
    assert {b["Name"] for b in s3.list_buckets()["Buckets"]} == {"theirs-out"}
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="theirs-out")["Contents"]] == ["logs/1"]


def test_delete_films_takes_no_more_than_films_from_somebodys_bucket(aws, scripts):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="theirs")
    scripts.deploy("--bucket", "theirs")
    for key in ("input/a.mp4", "output/a/x.mp4", "catalog/a.json", "jobs/mine.json", "payroll.csv"):
        s3.put_object(Bucket="theirs", Key=key, Body=b"x")
    scripts.run("destroy", "--yes", "--delete-films")
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="theirs")["Contents"]] == ["jobs/mine.json", "payroll.csv"]


def test_uploads_are_copied_to_a_second_region(aws, scripts):
    s3 = aws.client("s3")
    wanted = ["--set", "ReplicaBucketName=far"]
    assert "infra/replica.yaml" in scripts.deploy(*wanted, ok=False).said
    s3.create_bucket(Bucket="near")
    assert "must be in another" in scripts.deploy("--set", "ReplicaBucketName=near", ok=False).said
    s3.create_bucket(Bucket="far", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert "not versioned" in scripts.deploy(*wanted, ok=False).said
    assert "vod" not in aws.stacks
    s3.put_bucket_versioning(Bucket="far", VersioningConfiguration={"Status": "Enabled"})
    # The stack's own bucket: CloudFormation's to do.
    scripts.deploy(*wanted)
    config = aws.stacks["vod"]["built"].properties("Bucket")["ReplicationConfiguration"]
    assert config["Rules"][0]["Destination"]["Bucket"] == "arn:aws:s3:::far"
    assert "s3:PutBucketReplication" not in aws.operations()
    said = scripts.run("destroy", "--yes", "--delete-films").said
    assert "stays: bucket far" in said

    # A bucket of the owner's: merged, and removed again.
    s3.create_bucket(Bucket="theirs")
    s3.put_bucket_versioning(Bucket="theirs", VersioningConfiguration={"Status": "Enabled"})
    for _ in range(2):
        scripts.deploy("--bucket", "theirs", *wanted)
        config = s3.get_bucket_replication(Bucket="theirs")["ReplicationConfiguration"]
        rules = {rule["ID"]: rule for rule in config["Rules"]}
        assert set(rules) == {"vod-vod-sources", "vod-vod-templates"} and "-ReplicationRole-" in config["Role"]
        # moto forgets the prefix: the request has it.
        sent = [body.decode() for _, operation, body in aws.requests if operation == "PutBucketReplication"][-1]
        assert "<Prefix>input/</Prefix>" in sent and "<Prefix>jobs/</Prefix>" in sent
        assert rules["vod-vod-sources"]["DeleteMarkerReplication"] == {"Status": "Disabled"}
        assert rules["vod-vod-sources"]["Destination"] == {
            "Bucket": "arn:aws:s3:::far", "StorageClass": "GLACIER_IR", "Metrics": {"Status": "Enabled"}}
    scripts.deploy("--set", "ReplicaBucketName=")
    with pytest.raises(s3.exceptions.ClientError, match="ReplicationConfigurationNotFound"):
        s3.get_bucket_replication(Bucket="theirs")
    own = {"ID": "own", "Status": "Enabled", "Priority": 7, "Filter": {"Prefix": "logs/"}, "DeleteMarkerReplication": {"Status": "Disabled"},
           "Destination": {"Bucket": "arn:aws:s3:::far"}}
    s3.put_bucket_replication(Bucket="theirs", ReplicationConfiguration={"Role": "arn:aws:iam::1:role/own", "Rules": [own]})
    assert "replication rules of its own" in scripts.deploy(*wanted, ok=False).said
    scripts.run("destroy", "--yes")
    assert [r["ID"] for r in s3.get_bucket_replication(Bucket="theirs")["ReplicationConfiguration"]["Rules"]] == ["own"]


# -------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("environment, words", [
    ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "there are no AWS credentials"),
    ({"AWS_REGION": "mars"}, "'mars' is not an AWS region"),
    ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "AWS cannot be reached"),
])
def test_a_bad_environment_gets_a_plain_sentence(aws, scripts, environment, words):
    said = scripts.deploy(ok=False, **environment).said
    assert words in said and "Traceback" not in said, said
    assert changes(aws) == []


@pytest.mark.parametrize("fault, words", [
    (("sts", "GetCallerIdentity", "ExpiredToken", "The security token included in the request is expired"), "sign in again"),
    (("sts", "GetCallerIdentity", "InvalidClientTokenId", "The security token is invalid"), "does not know these credentials"),
    (("lambda", "GetAccountSettings", "AccessDeniedException", "User is not authorized to perform: lambda:GetAccountSettings", 403), "lack the permission lambda:GetAccountSettings"),
    (("s3", "GetBucketLocation", "AccessDenied", "Access Denied", 403), "belongs to another account"),
    (("s3", "CreateBucket", "BucketAlreadyExists", "The requested bucket name is not available", 409), "taken by another account"),
    (("secretsmanager", "CreateSecret", "LimitExceededException", "too many secrets"), "quota"),
    (("cloudformation", "CreateChangeSet", "AccessDenied", "User is not authorized to perform: cloudformation:CreateChangeSet", 403), "lack the permission cloudformation:CreateChangeSet"),
])
def test_what_aws_refuses_is_said_plainly(aws, scripts, fault, words):
    aws.fail_once(*fault)
    said = scripts.deploy(ok=False).said
    assert words in said and "Traceback" not in said, said
    assert not aws.faults, "the fault was never met"
    assert "vod" not in aws.stacks


def test_quotas_are_looked_at_first(aws, scripts):
    aws.queues = 10
    assert "MediaConvert queues" in scripts.deploy(ok=False).said
    aws.queues, aws.concurrency = 1, 5
    assert "concurrent Lambda executions" in scripts.deploy(ok=False).said
    # As a new account has them: enough to begin with, too few for viewers.
    aws.concurrency = 10
    assert "share 10 concurrent executions" in scripts.deploy("--plan").said
    aws.concurrency = 1000
    assert "concurrent executions" not in scripts.deploy("--plan").said
    assert changes(aws) == []


def test_a_domain_whose_dns_is_elsewhere_gets_its_target(aws, scripts):
    certificate = f"arn:aws:acm:us-east-1:{aws_stub.ACCOUNT}:certificate/c"
    said = scripts.deploy("--set", "DomainName=v.example.com", "--set", f"CertificateArn={certificate}").said
    assert "v.example.com has to be a CNAME (or ALIAS) of d111111abcdef8.cloudfront.net" in said
    assert "ready: https://v.example.com/" in said


@pytest.mark.parametrize("status, words", [
    ("UPDATE_IN_PROGRESS", "another update is running"),
    ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
    ("DELETE_FAILED", "infra/destroy.sh"),
])
def test_a_stack_in_a_bad_state_is_explained(aws, deployed, status, words):
    scripts = deployed
    aws.stacks["vod"]["status"] = status
    aws.requests.clear()
    for script, *arguments in (["deploy", "--no-smoke"], ["keys", "rotate"], ["origin-access", "OAI"]):
        assert words in scripts.run(script, *arguments, ok=False).said
    assert changes(aws) == []


def test_a_creation_that_failed_is_cleared_away(aws, deployed):
    scripts = deployed
    aws.stacks["vod"]["status"] = "ROLLBACK_COMPLETE"
    said = scripts.deploy().said
    assert "removing it" in said and aws.stacks["vod"]["status"] == "CREATE_COMPLETE"


@pytest.mark.parametrize("arguments, words", [
    (["--stack", "Vod_1"], "lower-case"), (["--set", "Colour=red"], "has no parameter 'Colour'"),
    (["--set", "PublicKeyOne=x"], "belongs to infra/keys.sh and vod keys"), (["--frobnicate"], "unknown argument"),
    (["--set", "OriginAccess=OAI"], "origin-access.sh"), (["--only", "nothing"], "there is no function"),
    (["--set", "SourceIaDays=10"], "nothing to STANDARD_IA before 30 days"), (["--set", "SourceIaDays=60"], "SourceGlacierDays must be 90 or more"),
    (["--set", "DomainName=v.example.com"], "needs a CertificateArn"),
    (["--region", "eu-west-1", "--set", "DomainName=v.example.com", "--set", "HostedZoneId=Z1"], "only a stack in us-east-1"),
    (["--set", "CertificateArn=arn:aws:acm:eu-west-1:1:certificate/c"], "certificates of us-east-1 alone"),
    (["--stack", "a" * 31, "--region", "ap-northeast-2"], "too long for ap-northeast-2: 30 letters"),
])
def test_bad_arguments_are_named(aws, scripts, arguments, words):
    assert words in scripts.deploy(*arguments, ok=False).said
    assert "vod" not in aws.stacks


def test_an_interrupted_deploy_is_finished_by_the_next(aws, scripts):
    """Ctrl-C right before the stack: the keys exist, under the name that they wait with."""
    aws.fail_once("cloudformation", "CreateChangeSet", "Throttling", "Rate exceeded")
    assert "throttling" in scripts.deploy(ok=False).said
    waiting = secret(aws)["keys"][0]
    assert waiting["id"].startswith("pending-")
    scripts.deploy()
    (key,) = secret(aws)["keys"]
    assert key["private_pem"] == waiting["private_pem"] and key["id"].startswith("K") and secret(aws)["active"] == key["id"]


# ---------------------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_keys_rotate_in_the_two_key_order(aws, deployed, algorithm):
    scripts = deployed
    first = secret(aws)
    seen = []
    become = aws._become

    def watched(name, template, parameters, built):
        become(name, template, parameters, built)
        ring = secret(aws)
        seen.append((ring["active"], [bool(parameters[s]) for s in ("PublicKeyOne", "PublicKeyTwo")]))

    aws._become = watched
    scripts.run("keys", "rotate", "--algorithm", algorithm)
    second = secret(aws)
    # When CloudFront learned the new key, the old one still signed.
    assert seen == [(first["active"], [True, True])]
    assert len(second["keys"]) == 2 and second["keys"][0] == first["keys"][0]
    assert second["active"] == second["keys"][1]["id"] == aws_stub.key_id(aws.parameters("vod")["PublicKeyTwo"])
    assert second["keys"][1]["algorithm"] == algorithm
    assert "`vod keys retire --stack vod --region us-east-1` first" in scripts.run("keys", "rotate", ok=False).said
    assert "7 more days" in scripts.run("keys", "retire", ok=False).said
    assert secret(aws) == second

    tags = [{"Key": "vod:activated", "Value": str(int(time.time()) - 7 * 86400)}]
    aws.client("secretsmanager").tag_resource(SecretId="vod/signing", Tags=tags)
    scripts.run("keys", "retire")
    third = secret(aws)
    assert third["keys"] == second["keys"][1:] and third["active"] == second["active"]
    assert aws.parameters("vod")["PublicKeyOne"] == "" and aws.parameters("vod")["PublicKeyTwo"]
    # And round again, into the slot that is free now.
    scripts.run("keys", "rotate")
    assert aws.parameters("vod")["PublicKeyOne"] and secret(aws)["active"] == secret(aws)["keys"][1]["id"]
    assert "signs" in scripts.run("keys", "show").stdout
    scripts.run("keys", "retire", "--now")
    assert len(secret(aws)["keys"]) == 1 and aws.parameters("vod")["PublicKeyTwo"] == ""


def test_a_new_key_signs_only_when_every_edge_has_had_time_to_learn_it(aws, deployed):
    """Between CloudFront's answer and the change of the key that signs lie the seconds that were asked for."""
    first, times = secret(aws), {}
    become = aws._become

    def learned(*arguments):
        become(*arguments)
        times["CloudFront"] = time.monotonic()
        # The first change of the secret after it gives the key its id; the old one signs on.
        aws.at("secretsmanager", "PutSecretValue", lambda: aws.at("secretsmanager", "PutSecretValue", signs) and None)

    def signs():
        times["signs"] = time.monotonic()
        meanwhile.append(secret(aws))

    meanwhile = []
    aws._become = learned
    deployed.run("keys", "rotate", VOD_SPREAD_SECONDS="2")
    assert times["signs"] - times["CloudFront"] >= 2
    assert meanwhile[0]["active"] == first["active"] and len(meanwhile[0]["keys"]) == 2
    assert secret(aws)["active"] == meanwhile[0]["keys"][1]["id"] == aws_stub.key_id(aws.parameters("vod")["PublicKeyTwo"])


@pytest.mark.parametrize("fault", [
    ("cloudformation", "UpdateStack", "AccessDenied", "User: u is not authorized to perform: cloudformation:UpdateStack"),
    ("secretsmanager", "TagResource", "InternalServiceError", "try again"),
])
def test_an_interrupted_rotation_goes_on(aws, deployed, fault):
    scripts = deployed
    first = secret(aws)
    aws.fail_once(*fault)
    scripts.run("keys", "rotate", ok=False)
    made = secret(aws)["keys"]
    assert "continuing an interrupted rotation" in scripts.run("keys", "rotate").said
    ring = secret(aws)
    assert [k["private_pem"] for k in ring["keys"]] == [k["private_pem"] for k in made]
    assert ring["active"] == ring["keys"][1]["id"] != first["active"]
    # Since when the new key signs is known, or the old one could never be retired.
    tags = aws.client("secretsmanager").describe_secret(SecretId="vod/signing")["Tags"]
    assert "vod:activated" in [tag["Key"] for tag in tags]


# ---------------------------------------------------------------------------------- lifecycle, origin access


def test_lifecycle_goes_through_the_stack(aws, deployed):
    scripts = deployed
    assert "OutputGlacierIrDays=60" in scripts.run("lifecycle").stdout
    for _ in range(2):
        scripts.run("lifecycle", "--source-ia", "40", "--source-glacier", "90", "--output-glacier-ir", "120")
        parameters = aws.parameters("vod")
        assert [parameters[n] for n in ("SourceIaDays", "SourceGlacierDays", "OutputIaDays", "OutputGlacierIrDays")] == ["40", "90", "30", "120"]
    aws.requests.clear()
    for days in (["--source-ia", "10"], ["--output-ia", "40", "--output-glacier-ir", "60"], ["--source-ia", "x"]):
        assert "error: " in scripts.run("lifecycle", *days, ok=False).said
    assert changes(aws) == []


def test_origin_access_switches_without_a_gap(aws, deployed):
    scripts = deployed
    steps = []
    become = aws._become

    def watched(name, template, parameters, built):
        become(name, template, parameters, built)
        origin = built.properties("Distribution")["DistributionConfig"]["Origins"][0]
        readers = [s["Sid"] for s in built.properties("BucketPolicy")["PolicyDocument"]["Statement"][1:]]
        steps.append(("OAC" if origin.get("OriginAccessControlId") else "OAI", readers))

    aws._become = watched
    for _ in range(2):
        scripts.run("origin-access", "OAI")
    both = ["DistributionReads", "OriginAccessIdentityReads"]
    assert steps == [("OAC", both), ("OAI", both), ("OAI", both[1:])]
    assert scripts.run("origin-access").stdout.strip() == "OAI"
    scripts.deploy()
    assert aws.parameters("vod")["OriginAccess"] == "OAI", "the next deploy keeps what the scripts have set"
    steps.clear()
    scripts.run("origin-access", "OAC")
    assert steps == [("OAI", both), ("OAC", both), ("OAC", both[:1])]


# ------------------------------------------------------------------------------------------------- destroy


def test_destroy_keeps_films_unless_told(aws, deployed):
    scripts = deployed
    s3 = aws.client("s3")
    for n in range(3):
        s3.put_object(Bucket=BUCKET, Key="input/film.mp4", Body=str(n).encode())
    s3.delete_object(Bucket=BUCKET, Key="input/film.mp4")
    assert "--yes" in scripts.run("destroy", ok=False).said
    assert "vod" in aws.stacks
    for _ in range(2):
        said = scripts.run("destroy", "--yes").said
        assert f"stays: bucket {BUCKET}" in said
        assert "vod" not in aws.stacks
        names = {b["Name"] for b in s3.list_buckets()["Buckets"]}
        assert BUCKET in names and CODE not in names
    deleted = aws.client("secretsmanager").describe_secret(SecretId="vod/signing")
    assert deleted["DeletedDate"]

    # Deployed again, it finds its films and its keys.
    said = scripts.deploy().said
    assert "exists: its own settings stay" in said and aws.parameters("vod")["BucketMode"] == "existing"
    assert secret(aws)["keys"][0]["id"] == secret(aws)["active"]
    assert len(s3.list_object_versions(Bucket=BUCKET, Prefix="input/")["Versions"]) == 3

    aws.stacks["vod"]["parameters"]["BucketMode"] = "create"
    for _ in range(2):
        scripts.run("destroy", "--yes", "--delete-films", "--delete-keys")
        assert not [b for b in s3.list_buckets()["Buckets"] if b["Name"].startswith("vod-")]
    assert not aws.client("secretsmanager").list_secrets()["SecretList"]


# ---------------------------------------------------------------------------------------------------- rest


@pytest.mark.parametrize("script", ALL)
def test_help(aws, scripts, script):
    done = scripts.run(script, "--help")
    assert f"infra/{script}.sh" in done.stdout and "--plan" in done.stdout and not aws.requests
    assert os.access(ROOT / "infra" / f"{script}.sh", os.X_OK)


def test_shellcheck_has_nothing_to_say():
    files = sorted(str(p) for p in [*ROOT.glob("infra/*.sh"), *ROOT.glob("tests/infra/*.sh")])
    done = subprocess.run(["shellcheck", "--external-sources", *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_the_built_program_is_found_each_time(tmp_path):
    for profile in ("release", "debug"):
        (tmp_path / profile).mkdir()
        (tmp_path / profile / "vod").write_text("#!/bin/sh\n")
        (tmp_path / profile / "vod").chmod(0o755)
    found = tmp_path / "release/vod"
    line = f'set -euo pipefail; source "{ROOT}/infra/lib.sh"; for _ in {{1..5000}}; do built_vod; done'
    for environment in ({"VOD": str(found)}, {}):
        where = {"PATH": os.environ["PATH"], "CARGO_TARGET_DIR": str(tmp_path)} | environment
        done = subprocess.run(["bash", "-c", line], env=where, capture_output=True, text=True, timeout=300, check=False)
        assert done.stdout.split() == [str(found)] * 5000, done.stderr
        assert done.returncode == 0
