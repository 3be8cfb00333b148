"""`cargo lambda deploy` for each function, with a quick binary, against moto."""

import json
import subprocess
import tomllib

import pytest

import aws_stub
from conftest import FUNCTIONS, ROOT

def metadata(name):
    manifest = tomllib.loads((ROOT / f"functions/{name}/Cargo.toml").read_text())
    return manifest["package"]["metadata"]["lambda"]


def cargo_lambda(scripts, folder, name, *arguments):
    """In the function's own folder, as a person would; its environment has nothing of the stack."""
    command = ["cargo", "lambda", "deploy", "--binary-name", name, "--lambda-dir", str(folder), *arguments]
    done = subprocess.run(
        command, cwd=ROOT / f"functions/{name}", env=scripts.environment(), capture_output=True, text=True,
        timeout=120, stdin=subprocess.DEVNULL, check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_metadata_says_what_the_stack_says(name):
    import cloudformation
    from test_template import PARAMETERS

    built = cloudformation.Stack(cloudformation.load(ROOT / "infra/template.yaml"), PARAMETERS)
    function = built.properties(f"{name.capitalize()}Function")
    about = metadata(name)["deploy"]
    assert (about["memory"], about["timeout"]) == (function["MemorySize"], function["Timeout"])
    assert function["Description"].startswith(about["description"]) and about["tracing"] == "active"
    assert about["merge_env"] is True and metadata(name)["build"]["arm64"] is True
    # Neither is known before there is a stack, and neither belongs into a repository.
    assert "role" not in about and "env" not in about


@pytest.mark.parametrize("name", FUNCTIONS)
def test_cargo_lambda_deploys_twice_and_keeps_the_variables(aws, scripts, binaries, name):
    iam, functions = aws.client("iam"), aws.client("lambda")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=aws_stub.trust("lambda.amazonaws.com"))["Role"]["Arn"]
    cargo_lambda(scripts, binaries, name, "--iam-role", role, "--env-var", "BUCKET=films", f"mine-{name}")
    about = metadata(name)["deploy"]
    for again in (True, False):
        found = functions.get_function(FunctionName=f"mine-{name}")["Configuration"]
        assert (found["Runtime"], found["Role"]) == ("provided.al2023", role)
        assert (found["MemorySize"], found["Timeout"]) == (about["memory"], about["timeout"])
        assert found["TracingConfig"]["Mode"] == "Active"
        # cargo-lambda describes the versions that it publishes, not the function.
        published = [json.loads(body or "{}") for service, operation, body in aws.requests if operation == "PublishVersion"]
        assert published and published[-1].get("Description") == about["description"], published
        assert found["Environment"]["Variables"]["BUCKET"] == "films"
        assert found["CodeSize"] > 1_000
        # Again without variables: what is there stays.
        if again:
            cargo_lambda(scripts, binaries, name, "--iam-role", role, f"mine-{name}")


def test_one_function_of_a_stack_goes_live(aws, deployed, binaries):
    """The documented command: infra/deploy.sh --only."""
    functions = aws.client("lambda")
    before = functions.get_function_configuration(FunctionName="vod-signer")
    assert functions.get_alias(FunctionName="vod-signer", Name="live")["FunctionVersion"] == "1"
    for version in ("2", "3"):
        deployed.run("deploy", "--only", "signer", "--packages", str(binaries))
        assert functions.get_alias(FunctionName="vod-signer", Name="live")["FunctionVersion"] == version
    after = functions.get_function_configuration(FunctionName="vod-signer")
    assert after["CodeSha256"] != before["CodeSha256"]
    for kept in ("Role", "MemorySize", "Timeout"):
        assert after[kept] == before[kept]
    assert after["Environment"] == before["Environment"]
    assert aws_stub.ACCOUNT in after["Role"]
