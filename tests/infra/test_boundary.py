"""Rights that AWS's own lists decide about: which actions know no resource, and what a permissions boundary lets a role do."""

import functools
import json
import pathlib

import cfnlint
import pytest

import cloudformation
import iam
from conftest import ROOT
from test_github import ACCOUNT, GITHUB, OWN
from test_template import PARAMETERS, TEMPLATE, stack

BOUNDARY = "<Boundary>"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/film-SubmitRole-1"
# The stack of the boundary, of the same name as that of the template's tests.
EVERYTHING = {**OWN, "StackName": "film", "OutputBucketName": "film-outputs", "ReplicaBucketName": "film-replica"}


def github(**changes):
    built = cloudformation.Stack(GITHUB, {**EVERYTHING, **changes})
    # The stack of the roles themselves has another name.
    text = json.dumps(built.resources).replace(":role/film-DeployRole", ":role/film-github-DeployRole")
    built.resources = json.loads(text.replace(":role/film-CloudFormationRole", ":role/film-github-CloudFormationRole"))
    return built


# ------------------------------------------------------------------------------- actions that know no resource

# AWS's own lists differ: the reference of today names a topic, the older pages nothing. A star counts by both.
DISPUTED = {"sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes", "sns:Unsubscribe"}


@functools.cache
def reference():
    """AWS's service authorization reference, as it comes with cfn-lint: service → action in small letters → what it knows."""
    path = pathlib.Path(cfnlint.__file__).parent / "data/AdditionalSpecs/Policies.json"
    return {service: about["Actions"] for service, about in json.loads(path.read_text()).items() if "Actions" in about}


def knows_no_resource(action):
    service, name = action.split(":")
    return action in DISPUTED or not reference()[service][name.lower()].get("Resources")


def misplaced(statements):
    """Actions that a statement allows on named resources, and that IAM never finds there."""
    return [action for s in statements if s["Effect"] == "Allow" and "*" not in iam.as_list(s["Resource"])
            for action in iam.as_list(s["Action"]) if knows_no_resource(action)]


def all_statements(built):
    for resource in built.resources.values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            yield from properties["PolicyDocument"]["Statement"]
        if resource["Type"] == "AWS::IAM::Role":
            for policy in properties.get("Policies", []):
                yield from policy["PolicyDocument"]["Statement"]


WHOLE = {"OutputBucketName": "film-outputs", "ReplicaBucketName": "film-replica", "SubnetIds": "subnet-1", "SecurityGroupIds": "sg-1"}
BUILT = {
    "template": lambda: stack(TEMPLATE, **WHOLE),
    "github": github,
    "uploader": lambda: cloudformation.Stack(cloudformation.load(ROOT / "infra/uploader.yaml"), {"BucketName": "film", "CaCertificate": "x"}),
}


@pytest.mark.parametrize("name", BUILT)
def test_actions_without_resources_are_allowed_on_all(name):
    statements = list(all_statements(BUILT[name]()))
    assert len(statements) > 2 and misplaced(statements) == []


@pytest.mark.parametrize("action", [
    "mediaconvert:CreateQueue", "mediaconvert:DescribeEndpoints", "codedeploy:StopDeployment", "sns:SetSubscriptionAttributes", "xray:PutTraceSegments",
])
def test_an_action_in_the_wrong_place_is_noticed(action):
    assert misplaced([{"Effect": "Allow", "Action": [action], "Resource": "arn:aws:x:::film-*"}]) == [action]
    assert not misplaced([{"Effect": "Allow", "Action": "mediaconvert:GetQueue", "Resource": "arn:aws:mediaconvert:::queues/*"}])


# --------------------------------------------------------------------------------------------- the boundary

ARNS = {
    "<UploadQueue.Arn>": f"arn:aws:sqs:us-east-1:{ACCOUNT}:film-UploadQueue-1", "<JobEventDeadLetters.Arn>": f"arn:aws:sqs:us-east-1:{ACCOUNT}:film-Dead-1",
    "<MediaConvertRole.Arn>": f"arn:aws:iam::{ACCOUNT}:role/film-MediaConvertRole-1",
    **{f"<{name}Logs.Arn>": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/film-{name.lower()}:*" for name in ("Submit", "Complete", "Signer", "Owner", "Reconcile")},
}
PASSED = {"iam:PassedToService": "mediaconvert.amazonaws.com"}
# From AWS's own policy for functions in a VPC (AWSLambdaVPCAccessExecutionRole).
VPC = ["ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
       "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]


def used():
    """Lists the rights of the template's roles: (action, resource)."""
    built = stack(TEMPLATE, **WHOLE)
    for name in built.of_type("AWS::IAM::Role"):
        for statement in iam.statements(built, name):
            for action in iam.as_list(statement["Action"]):
                yield from ((action, ARNS.get(resource, resource)) for resource in iam.as_list(statement["Resource"]))
    yield from ((action, "*") for action in VPC)


def beyond(statements):
    return sorted({(a, r) for a, r in used() if not iam.allows(statements, a, r, PASSED)})


def boundary():
    return github().properties("Boundary")["PolicyDocument"]["Statement"]


def test_the_boundary_is_wide_enough_for_every_role_of_the_stack():
    assert beyond(boundary()) == []


def test_and_no_wider():
    statements = boundary()
    for index, statement in enumerate(statements):
        for action in iam.as_list(statement["Action"]):
            less = {**statement, "Action": [a for a in iam.as_list(statement["Action"]) if a != action]}
            rest = [*statements[:index], less, *statements[index + 1:]]
            assert beyond(rest), f"no role needs {action} in {statement['Sid']}"


@pytest.mark.parametrize("action, resource", [
    ("iam:CreateRole", "*"), ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin"), ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/admin"),
    ("s3:GetObject", "arn:aws:s3:::payroll/x"), ("s3:DeleteObject", "arn:aws:s3:::payroll/x"), ("s3:DeleteObjectVersion", "arn:aws:s3:::film-111122223333-us-east-1/input/x"),
    ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:payroll-1"), ("lambda:CreateFunction", "*"),
])
def test_the_boundary_ends_at_the_stack(action, resource):
    assert not iam.allows(boundary(), action, resource, PASSED)


@pytest.mark.parametrize("action", ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary", "iam:DeleteRolePolicy"])
def test_cloudformation_makes_and_changes_no_role_without_the_boundary(action):
    statements = iam.statements(github(), "CloudFormationRole")
    assert iam.allows(statements, action, ROLE, {"iam:PermissionsBoundary": BOUNDARY})
    for other in ({}, {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"}):
        assert not iam.allows(statements, action, ROLE, other)
    own = f"arn:aws:iam::{ACCOUNT}:role/film-github-CloudFormationRole-1"
    assert not iam.allows(statements, action, own, {"iam:PermissionsBoundary": BOUNDARY})


@pytest.mark.parametrize("action, resource", [
    ("iam:DeleteRolePermissionsBoundary", ROLE), ("iam:CreatePolicyVersion", f"arn:aws:iam::{ACCOUNT}:policy/film-Boundary-1"),
    ("iam:SetDefaultPolicyVersion", f"arn:aws:iam::{ACCOUNT}:policy/film-Boundary-1"),
    ("iam:UpdateAssumeRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/film-github-DeployRole-1"),
    ("iam:AttachRolePolicy", ROLE),
])
def test_cloudformation_cannot_get_rid_of_the_boundary(action, resource):
    context = {"iam:PermissionsBoundary": BOUNDARY, "iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"}
    for role in ("CloudFormationRole", "DeployRole"):
        assert not iam.allows(iam.statements(github(), role), action, resource, context)


def test_the_workflow_hands_the_boundary_over():
    text = (ROOT / ".github/workflows/deploy.yml").read_text()
    assert "vars.AWS_PERMISSIONS_BOUNDARY" in text and "PermissionsBoundary=" in text
    assert PARAMETERS.get("PermissionsBoundary") is None
