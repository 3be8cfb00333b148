"""`vod keys --stack`: what keeps the keys of a stack when a read fails, and brings them back after a destroy."""

import json
import re
import shlex
import subprocess

import pytest

import aws_stub
from conftest import new_ring
from test_scripts import changes, secret

REFUSALS = [
    ("InternalServiceError", "try again"),
    ("AccessDeniedException", "User: u is not authorized to perform: secretsmanager:GetSecretValue on resource: r"),
    ("DecryptionFailure", "Secrets Manager can't decrypt the protected secret text using the provided KMS key."),
]


def made_or_changed(aws):
    return [o for o in changes(aws) if o.startswith("secretsmanager:")]


# ------------------------------------------------------------------------------------------ a read that fails


# The key of the tokens is not read: that it exists is enough.
READS = [("GetSecretValue", 1), ("DescribeSecret", 1), ("DescribeSecret", 2)]


@pytest.mark.parametrize("code, message", REFUSALS, ids=[code for code, _ in REFUSALS])
@pytest.mark.parametrize("operation, nth", READS, ids=["value", "signing", "jwt"])
def test_a_secret_that_cannot_be_read_is_not_replaced(aws, deployed, operation, nth, code, message):
    before = secret(aws), secret(aws, "vod/jwt")
    aws.requests.clear()

    def at(remaining):
        if remaining == 1:
            aws.fail_once("secretsmanager", operation, code, message)
        else:
            aws.at("secretsmanager", operation, lambda: at(remaining - 1))

    aws.at("secretsmanager", operation, lambda: at(nth))
    said = deployed.deploy(ok=False).said
    assert not aws.faults and aws.operations().count(f"secretsmanager:{operation}") == nth, "the fault was never met"
    assert (secret(aws), secret(aws, "vod/jwt")) == before
    assert made_or_changed(aws) == [] and "cloudformation:ExecuteChangeSet" not in aws.operations()
    assert code in said or "lack the permission secretsmanager:" in said, said


@pytest.mark.parametrize("lost", ["replaced", "gone"])
def test_a_ring_without_any_of_the_stacks_keys_stops_a_deploy(aws, deployed, lost):
    secrets = aws.client("secretsmanager")
    before = secret(aws)
    if lost == "gone":
        secrets.delete_secret(SecretId="vod/signing", ForceDeleteWithoutRecovery=True)
    else:
        secrets.put_secret_value(SecretId="vod/signing", SecretString=json.dumps(new_ring("KOTHER")))
    said = deployed.deploy(ok=False).said
    assert made_or_changed(aws) == [] and "cloudformation:ExecuteChangeSet" not in aws.operations()
    assert aws_stub.key_id(aws.parameters("vod")["PublicKeyOne"]) in said, said
    if lost == "gone":
        assert "infra/destroy.sh" in said, said
        return
    # The command in the message can be pasted, and repairs it.
    (command,) = re.findall(r"`(aws secretsmanager update-secret-version-stage [^`]+)`", said)
    subprocess.run(shlex.split(command), env=deployed.environment(), check=True, timeout=60, capture_output=True)
    deployed.deploy()
    assert secret(aws) == before


# ---------------------------------------------------------------------------------------- destroy and back again


def test_keys_survive_destroy_and_deploy(aws, deployed):
    before = secret(aws), secret(aws, "vod/jwt")
    deployed.run("destroy", "--yes")
    for name in ("vod/signing", "vod/jwt"):
        assert aws.client("secretsmanager").describe_secret(SecretId=name)["DeletedDate"]
    deployed.deploy()
    assert (secret(aws), secret(aws, "vod/jwt")) == before
    # CloudFront's id of a key follows from the key in this stub; on AWS it would be another.
    assert secret(aws)["active"] == aws_stub.key_id(aws.parameters("vod")["PublicKeyOne"])


@pytest.mark.parametrize("nth, code", [(1, "InternalServiceError"), (2, "AccessDeniedException")], ids=["signing", "jwt"])
def test_a_destroy_ends_at_a_secret_that_cannot_be_read_and_goes_on_later(aws, deployed, nth, code):
    message = dict(REFUSALS[:2])[code]
    fail = lambda: aws.fail_once("secretsmanager", "DescribeSecret", code, message)
    aws.at("secretsmanager", "DescribeSecret", fail if nth == 1 else lambda: aws.at("secretsmanager", "DescribeSecret", fail))
    done = deployed.run("destroy", "--yes", ok=None)
    assert not aws.faults and aws.operations().count("secretsmanager:DescribeSecret") == nth, "the fault was never met"
    assert done.returncode == 1 and "cannot read secret 'vod/" in done.said, done.said
    deployed.run("destroy", "--yes")
    for name in ("vod/signing", "vod/jwt"):
        assert aws.client("secretsmanager").describe_secret(SecretId=name)["DeletedDate"]
    # Secrets that are gone or wait for their deletion are no failure.
    aws.client("secretsmanager").delete_secret(SecretId="vod/jwt", ForceDeleteWithoutRecovery=True)
    deployed.run("destroy", "--yes")


# ------------------------------------------------------------------------------------------------------ the rest


def test_a_rotation_whose_time_is_not_known_can_be_retired_a_week_later(aws, deployed):
    secrets = aws.client("secretsmanager")
    deployed.run("keys", "rotate")
    secrets.untag_resource(SecretId="vod/signing", TagKeys=["vod:activated"])
    said = deployed.run("keys", "retire", ok=False).said
    assert "the 7 days start now" in said and "for 7 more days" in said
    tags = {tag["Key"]: tag["Value"] for tag in secrets.describe_secret(SecretId="vod/signing")["Tags"]}
    secrets.tag_resource(SecretId="vod/signing", Tags=[{"Key": "vod:activated", "Value": str(int(tags["vod:activated"]) - 7 * 86400)}])
    deployed.run("keys", "retire")
    assert len(secret(aws)["keys"]) == 1


def test_an_update_that_fails_says_why_and_goes_on_later(aws, deployed):
    become = aws._become

    def fails(name, *_):
        aws.stacks[name]["status"] = "UPDATE_ROLLBACK_COMPLETE"
        aws._become = become

    aws._become = fails
    first = secret(aws)
    said = deployed.run("keys", "rotate", ok=False).said
    assert "the account must be verified" in said and "start again" in said, said
    assert secret(aws)["active"] == first["active"]
    deployed.run("keys", "rotate")
    assert secret(aws)["active"] == secret(aws)["keys"][1]["id"] != first["active"]


def test_show_says_what_is_there_and_never_a_private_key(aws, deployed):
    shown = deployed.run("keys", "show")
    assert shown.stdout == f"{secret(aws)['active']}  ES256  signs\n" and "`vod keys rotate --stack vod --region us-east-1`" in shown.stderr
    listed = json.loads(deployed.run("keys", "show", "--json").stdout)
    assert [key["id"] for key in listed["keys"]] == [secret(aws)["active"]] and listed["signing_secret"].startswith("arn:aws:secretsmanager:")
    assert "PRIVATE" not in json.dumps(listed) and set(listed["keys"][0]) == {"id", "algorithm", "public_pem", "active"}
    deployed.run("destroy", "--yes")
    assert "restores them" in deployed.run("keys").stderr
