"""`vod doctor --stack`: a stack that is well, each of its links broken once, and each permission taken away."""

import json
import subprocess

import pytest

import stack_stub
from aws_stub import ACCOUNT
from conftest import TARGET

VOD = TARGET / "vod"
BUCKET = f"vod-{ACCOUNT}-us-east-1"
LINKS = ["account", "stack", "queue", "dead letters", "mediaconvert", "edge", "signer", "playback"]


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
    jwt = secrets.get_secret_value(SecretId="vod/jwt")["SecretString"]
    shown = json.dumps(findings) + text
    assert jwt not in shown and "PRIVATE" not in shown and "PUBLIC" not in shown


def without_redrive(aws):
    aws.client("sqs").set_queue_attributes(QueueUrl=aws.known["<UploadQueue>"], Attributes={"RedrivePolicy": ""})


def send(aws, queue):
    aws.client("sqs").send_message(QueueUrl=aws.known[queue], MessageBody="poison")


# The damage, the links that report it, and words of the first one.
BREAKS = {
    "stack rolled back": (lambda a: a.stacks["vod"].update(status="ROLLBACK_COMPLETE"), ["stack"], "no part of it is running"),
    "stack in progress": (lambda a: a.stacks["vod"].update(status="UPDATE_IN_PROGRESS"), ["stack"], "being updated"),
    "stack stuck": (lambda a: a.stacks["vod"].update(status="UPDATE_ROLLBACK_FAILED"), ["stack"], "continue-update-rollback"),
    "output missing": (lambda a: a.stacks["vod"]["outputs"].pop("JwtSecretArn"), ["stack"], "JwtSecretArn"),
    "queue gone": (lambda a: a.client("sqs").delete_queue(QueueUrl=a.known["<UploadQueue>"]), ["queue"], "does not exist"),
    "no redrive": (lambda a: without_redrive(a), ["queue"], "has no dead letters"),
    "dead upload": (lambda a: send(a, "<UploadDeadLetters>"), ["dead letters"], "1 of `uploads`"),
    "dead event": (lambda a: send(a, "<JobEventDeadLetters>"), ["dead letters"], "1 of `job-events`"),
    "encoder paused": (lambda a: setattr(a, "queue_status", "PAUSED"), ["mediaconvert"], "PAUSED"),
    "outputs open": (lambda a: a.edge.update(unsigned=200), ["edge"], "HTTP 200 instead of 403"),
    "signer open": (lambda a: a.edge.update(stranger=200), ["signer"], "HTTP 200 instead of 401"),
    "signer fails": (lambda a: a.edge.update(library=500), ["signer", "playback"], "HTTP 500"),
    "links fail": (lambda a: a.edge.update(play=403), ["playback"], "HTTP 403"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_the_doctor_names_the_broken_link(aws, stack, name):
    damage, links, words = BREAKS[name]
    damage(aws)
    code, findings = examine(stack)
    assert code == 1 and not_ok(findings) == dict.fromkeys(links, "broken"), {k: f for k, f in findings.items() if not f["ok"]}
    assert words in findings[links[0]]["detail"], findings[links[0]]
    assert len(findings[links[0]]["remedy"]) > 20


# The operation, its permission, and the link that reports it.
PERMISSIONS = [
    ("cloudformation", "DescribeStacks", "cloudformation:DescribeStacks", "stack"),
    ("sqs", "GetQueueAttributes", "sqs:GetQueueAttributes", "queue"),
    ("mediaconvert", "GetQueue", "mediaconvert:GetQueue", "mediaconvert"),
    ("secretsmanager", "GetSecretValue", "secretsmanager:GetSecretValue", "signer"),
]


@pytest.mark.parametrize("service, operation, permission, link", PERMISSIONS, ids=[p[2] for p in PERMISSIONS])
def test_a_missing_permission_is_named_and_not_taken_for_a_fault(aws, stack, service, operation, permission, link):
    code = "AccessDenied" if service == "cloudformation" else "AccessDeniedException"
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
    """It does not make one that the signer would refuse."""
    aws.stacks["vod"]["parameters"]["AuthJwksUrl"] = "https://issuer.example.org/jwks"
    code, findings = examine(stack)
    assert code == 0 and "--token" in findings["playback"]["detail"]
    code, findings = examine(stack, "--token", "not.a.token")
    assert code == 1 and set(not_ok(findings)) == {"signer", "playback"}
    assert "not.a.token" not in json.dumps(findings)
