"""A stack's whole life, twice in a row; real Ctrl-C in the middle of it; and two runs at the same time."""

import concurrent.futures
import json
import os
import re
import signal
import time

import pytest

import aws_stub
from conftest import FUNCTIONS
from test_scripts import BUCKET, CODE, changes, secret


def names(aws):
    return {bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]}


def is_whole(aws, scripts):
    """Checks a complete stack, however often its deploy was stopped on the way."""
    parameters, ring = aws.parameters("vod"), secret(aws)
    assert aws.stacks["vod"]["status"].endswith("_COMPLETE")
    (key,) = ring["keys"]
    assert ring["active"] == key["id"] == aws_stub.key_id(parameters["PublicKeyOne"])
    assert parameters["PublicKeyOne"].strip() == key["public_pem"].strip() and not parameters["PublicKeyTwo"]
    assert re.fullmatch("[0-9a-f]{64}", secret(aws, "vod/jwt").strip())
    s3 = aws.client("s3")
    for name in FUNCTIONS:
        code = s3.get_object(Bucket=CODE, Key=parameters[f"{name.capitalize()}Code"])["Body"].read()
        assert code == (scripts.packages / f"{name}.zip").read_bytes()
    for page in ("index.html", "hls.min.js"):
        s3.head_object(Bucket=BUCKET, Key=f"web/{page}")
    assert all(s3.get_public_access_block(Bucket=CODE)["PublicAccessBlockConfiguration"].values())


def is_gone(aws):
    assert "vod" not in aws.stacks and not [name for name in names(aws) if name.startswith("vod-")]
    assert not aws.client("lambda").list_functions()["Functions"]
    assert not aws.client("secretsmanager").list_secrets()["SecretList"]


# ---------------------------------------------------------------------------------------------- a whole life


def test_a_whole_life_twice(aws, scripts, binaries):
    """Every script, and cargo lambda deploy of every function, from nothing to nothing, and once more."""
    functions, s3 = aws.client("lambda"), aws.client("s3")
    for _ in range(2):
        scripts.deploy()
        is_whole(aws, scripts)

        first = secret(aws)["active"]
        scripts.run("keys", "rotate")
        ring = secret(aws)
        assert ring["active"] == aws_stub.key_id(aws.parameters("vod")["PublicKeyTwo"]) != first and len(ring["keys"]) == 2
        scripts.run("keys", "retire", "--now")
        assert [key["id"] for key in secret(aws)["keys"]] == [ring["active"]] and aws.parameters("vod")["PublicKeyOne"] == ""

        scripts.run("lifecycle", "--source-ia", "40", "--source-glacier", "90")
        rules = aws.stacks["vod"]["built"].properties("Bucket")["LifecycleConfiguration"]["Rules"]
        assert [int(t["TransitionInDays"]) for t in rules[0]["Transitions"]] == [40, 90]

        for way in ("OAI", "OAC"):
            scripts.run("origin-access", way)
            origin = aws.stacks["vod"]["built"].properties("Distribution")["DistributionConfig"]["Origins"][0]
            assert bool(origin.get("OriginAccessControlId")) == (way == "OAC")

        before = {name: functions.get_function_configuration(FunctionName=f"vod-{name}") for name in FUNCTIONS}
        # At the same time: cargo-lambda sleeps for 4 s in each.
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: scripts.run("deploy", "--only", name, "--packages", str(binaries)), FUNCTIONS))
        for name in FUNCTIONS:
            after = functions.get_function_configuration(FunctionName=f"vod-{name}")
            assert after["CodeSha256"] != before[name]["CodeSha256"] and after["Environment"] == before[name]["Environment"]
            assert functions.get_alias(FunctionName=f"vod-{name}", Name="live")["FunctionVersion"] == "2"

        scripts.deploy()
        assert aws.parameters("vod")["SourceIaDays"] == "40" and secret(aws)["active"] == ring["active"]
        s3.put_object(Bucket=BUCKET, Key="input/film.mp4", Body=b"film")
        scripts.run("destroy", "--yes", "--delete-films", "--delete-keys")
        is_gone(aws)


# -------------------------------------------------------------------------------------------------- Ctrl-C


def interrupt(aws, scripts, service, operation, arrives, script, *arguments):
    """Ctrl-C, to the whole process group, while this request is on its way; it arrives nevertheless, or never."""
    process = scripts.start(script, *arguments)
    pressed = []

    def press():
        os.killpg(process.pid, signal.SIGINT)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        pressed.append(process.poll())
        return arrives

    through = aws.at(service, operation, press)
    said, _ = process.communicate(timeout=200)
    through.wait(60)
    assert pressed, f"{operation} was never asked for: {said}"
    assert pressed[0] is not None, "it has waited for the answer"
    assert process.returncode == 130, (process.returncode, said)
    assert "interrupted: run the same command again" in said and "Traceback" not in said, said
    return said


DEPLOY = [
    ("secretsmanager", "CreateSecret", True), ("s3", "CreateBucket", True), ("s3", "PutObject", False),
    ("cloudformation", "CreateChangeSet", False), ("cloudformation", "ExecuteChangeSet", False),
    ("cloudformation", "ExecuteChangeSet", True), ("secretsmanager", "PutSecretValue", False),
]


@pytest.mark.parametrize("service, operation, arrives", DEPLOY, ids=lambda part: str(part))
def test_ctrl_c_in_a_deploy_is_completed_by_the_next_run(aws, scripts, service, operation, arrives):
    interrupt(aws, scripts, service, operation, arrives, "deploy", "--packages", str(scripts.packages), "--no-smoke")
    made = secret(aws)["keys"] if aws.client("secretsmanager").list_secrets()["SecretList"] else []
    scripts.deploy()
    is_whole(aws, scripts)
    # No second key beside the first one's.
    assert [key["private_pem"] for key in made] in ([], [key["private_pem"] for key in secret(aws)["keys"]])


DESTROY = [
    ("cloudformation", "DeleteStack", False), ("cloudformation", "DeleteStack", True), ("s3", "DeleteObjects", True),
    ("secretsmanager", "DeleteSecret", True),
]


@pytest.mark.parametrize("service, operation, arrives", DESTROY, ids=lambda part: str(part))
def test_ctrl_c_in_a_destroy_is_completed_by_the_next_run(aws, deployed, service, operation, arrives):
    aws.client("s3").put_object(Bucket=BUCKET, Key="input/film.mp4", Body=b"film")
    wanted = ["--yes", "--delete-films", "--delete-keys"]
    interrupt(aws, deployed, service, operation, arrives, "destroy", *wanted)
    deployed.run("destroy", *wanted)
    is_gone(aws)


@pytest.mark.parametrize("service, operation, arrives", [
    ("secretsmanager", "PutSecretValue", False), ("cloudformation", "UpdateStack", True), ("cloudformation", "UpdateStack", False),
], ids=lambda part: str(part))
def test_ctrl_c_in_a_rotation_is_completed_by_the_next_run(aws, deployed, service, operation, arrives):
    first = secret(aws)
    interrupt(aws, deployed, service, operation, arrives, "keys", "rotate")
    # Viewers notice nothing: the old key signs as long as the new one is not everywhere.
    assert secret(aws)["active"] == first["active"]
    deployed.run("keys", "rotate")
    ring = secret(aws)
    assert len(ring["keys"]) == 2 and ring["active"] == ring["keys"][1]["id"] == aws_stub.key_id(aws.parameters("vod")["PublicKeyTwo"])


def test_ctrl_c_in_a_switch_of_access_is_completed_by_the_next_run(aws, deployed):
    interrupt(aws, deployed, "cloudformation", "UpdateStack", True, "origin-access", "OAI")
    deployed.run("origin-access", "OAI")
    assert (aws.parameters("vod")["OriginAccess"], aws.parameters("vod")["OriginAccessAlsoAllow"]) == ("OAI", "")


# -------------------------------------------------------------------------------------------- two at a time


@pytest.mark.parametrize("other", [["deploy", "--no-smoke"], ["keys", "rotate"], ["destroy", "--yes"]], ids=lambda other: other[0])
def test_a_second_run_says_that_one_is_under_way(aws, deployed, other):
    said = []

    def second():
        aws.stacks["vod"]["status"] = "UPDATE_IN_PROGRESS"
        before = len(changes(aws))
        script, *arguments = other
        said.append(deployed.run(script, *arguments, ok=False).said)
        assert changes(aws)[before:] == [], "it has changed something"
        aws.stacks["vod"]["status"] = "UPDATE_COMPLETE"

    aws.at("cloudformation", "ExecuteChangeSet", second)
    deployed.deploy("--set", "LogDays=60")
    assert "another update is running" in said[0], said
    assert aws.parameters("vod")["LogDays"] == "60"


def test_two_first_deploys_at_once_leave_one_stack(aws, scripts):
    """Before there is a stack that CloudFormation could lock: the second stops with a sentence or does no harm."""
    ended = []
    through = aws.at("secretsmanager", "CreateSecret", lambda: ended.append(scripts.deploy()))
    late = scripts.deploy(ok=False)
    assert "another update is running" in late.said, late.said
    # vod waits 30 s for an answer and asks again: on a busy machine the other run is not through by then.
    assert through.wait(200)
    assert len(ended) == 1
    scripts.deploy()
    is_whole(aws, scripts)
    assert json.dumps(secret(aws)).count("BEGIN PRIVATE KEY") == 1
