"""infra/github.yaml: who may deploy, and that his rights are those which a deploy needs.

GitHub's role is held against the calls that deploy.sh makes here; CloudFormation's against AWS's own list of what
CloudFormation calls for each type of resource (the resource schemas that come with cfn-lint).
"""

import fnmatch
import functools
import json
import pathlib
import urllib.parse

import cfnlint
import pytest

import aws_stub
import cloudformation
import iam
from conftest import ROOT
from test_buckets import make_replica
from test_template import TEMPLATE, WAF, drop, must_notice, put

GITHUB = cloudformation.load(ROOT / "infra/github.yaml")
ACCOUNT = "111122223333"
OWN = {"Repository": "owner/films"}


def built(template=None, **changes):
    return cloudformation.Stack(template or GITHUB, {**OWN, **changes})


# ------------------------------------------------------------------------------------------------ who gets in


def trust(stack):
    (statement,) = stack.properties("DeployRole")["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert set(statement.get("Condition", {})) == {"StringEquals"}, "no wildcards"
    claims = statement["Condition"]["StringEquals"]
    assert claims.get("token.actions.githubusercontent.com:aud") == "sts.amazonaws.com"
    return statement["Principal"], claims.get("token.actions.githubusercontent.com:sub")


def one_place_may_deploy(template):
    principal, subject = trust(built(template))
    assert principal == {"Federated": "<Provider>"} and subject == "repo:owner/films:environment:production"
    _, subject = trust(built(template, Environment="", Branch="release"))
    assert subject == "repo:owner/films:ref:refs/heads/release"
    there = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
    second = built(template, ProviderArn=there)
    assert trust(second)[0] == {"Federated": there} and "Provider" not in second.resources
    provider = built(template).properties("Provider")
    assert provider == {"Url": "https://token.actions.githubusercontent.com", "ClientIdList": ["sts.amazonaws.com"]}
    (service,) = built(template).properties("CloudFormationRole")["AssumeRolePolicyDocument"]["Statement"]
    assert service["Principal"] == {"Service": "cloudformation.amazonaws.com"}
    assert service.get("Condition") == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


TRUST = "DeployRole/Properties/AssumeRolePolicyDocument/Statement/0"
MUTANTS = [
    drop(f"{TRUST}/Condition"),
    drop(f"{TRUST}/Condition/StringEquals/token.actions.githubusercontent.com:aud"),
    drop(f"{TRUST}/Condition/StringEquals/token.actions.githubusercontent.com:sub"),
    put(f"{TRUST}/Condition", {"StringLike": {"token.actions.githubusercontent.com:sub": "repo:owner/films:*"}}),
    put(f"{TRUST}/Principal/Federated", {"Ref": "Provider"}),
    put("CloudFormationRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal", {"AWS": "*"}),
    drop("CloudFormationRole/Properties/AssumeRolePolicyDocument/Statement/0/Condition"),
]


def test_one_environment_of_one_repository_may_deploy():
    one_place_may_deploy(GITHUB)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_wider_door_is_noticed(mutant):
    must_notice(one_place_may_deploy, GITHUB, mutant)


def test_the_workflow_uses_both_roles():
    text = (ROOT / ".github/workflows/deploy.yml").read_text()
    for output in GITHUB["Outputs"].values():
        assert "vars." + output["Description"] in text
    assert f"environment: {GITHUB['Parameters']['Environment']['Default']}" in text


# ------------------------------------------------------------------------------- GitHub's role: what deploy.sh asks

# S3's operations whose action has another name; the rest is s3:<operation>.
S3_ACTIONS = {
    "HeadObject": "GetObject", "HeadBucket": "ListBucket", "ListObjectsV2": "ListBucket", "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketNotificationConfiguration": "GetBucketNotification", "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration", "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration", "GetBucketReplication": "GetReplicationConfiguration",
    "GetBucketEncryption": "GetEncryptionConfiguration", "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutBucketReplication": "PutReplicationConfiguration", "DeleteBucketReplication": "PutReplicationConfiguration",
    "GetBucketCors": "GetBucketCORS", "PutBucketCors": "PutBucketCORS", "DeleteBucketCors": "PutBucketCORS",
}


def asked(aws):
    """The requests of a run as (action, resource, context)."""
    for service, operation, path, body in aws.paths:
        if service == "s3":
            yield f"s3:{S3_ACTIONS.get(operation, operation)}", f"arn:aws:s3:::{path.strip('/')}", {}
        elif service == "secretsmanager":
            request = json.loads(body)
            name = (request.get("SecretId") or request["Name"]).split(":secret:")[-1]
            yield f"secretsmanager:{operation}", f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:{name}-AbCdEf", {}
            if request.get("Tags"):
                yield "secretsmanager:TagResource", f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:{name}-AbCdEf", {}
        elif service == "cloudformation" and operation != "GetTemplateSummary":
            query = dict(urllib.parse.parse_qsl(body.decode()))
            yield f"cloudformation:{operation}", f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/{query['StackName']}/0", {}
            if operation == "CreateChangeSet":
                passed = {"iam:PassedToService": "cloudformation.amazonaws.com"}
                assert query["RoleARN"] == "arn:aws:iam::111122223333:role/cloudformation"
                yield "iam:PassRole", "<CloudFormationRole.Arn>", passed
        elif (service, operation) != ("sts", "GetCallerIdentity"):  # which needs no right
            yield f"{service}:{operation}", "*", {}


def refused(aws, **changes):
    parameters = {name: value.replace(ACCOUNT, aws_stub.ACCOUNT) for name, value in changes.items()}
    statements = iam.statements(built(**parameters), "DeployRole")
    calls = {(a, r.replace(aws_stub.ACCOUNT, ACCOUNT), json.dumps(c)) for a, r, c in asked(aws)}
    assert len(calls) > 15, calls
    return sorted((a, r) for a, r, c in calls if not iam.allows(statements, a, r, json.loads(c)))


AS_GITHUB = {"CLOUDFORMATION_ROLE_ARN": "arn:aws:iam::111122223333:role/cloudformation"}


def test_githubs_role_may_do_what_a_deploy_does(aws, scripts):
    scripts.deploy("--set", "LogDays=60", "--set", "Waf=managed", **AS_GITHUB)
    scripts.package("signer", "#!/bin/sh\n# another\n")
    scripts.deploy(**AS_GITHUB)
    assert refused(aws) == []
    # Each statement is there for something.
    document = GITHUB["Resources"]["DeployRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    needed = {a for a, _, _ in asked(aws)}
    for statement in document:
        if "Sid" in statement and statement["Sid"] != "PageAndSmokeTest":
            assert needed & set(statement["Action"]), statement["Sid"]


def test_and_into_a_bucket_that_is_there(aws, scripts):
    aws.client("s3").create_bucket(Bucket="theirs")
    aws.client("s3").create_bucket(Bucket="theirs-out")
    for _ in range(2):
        scripts.deploy("--bucket", "theirs", "--output-bucket", "theirs-out", **AS_GITHUB)
    names = {"BucketName": "theirs", "OutputBucketName": "theirs-out"}
    assert refused(aws, **names, MergesIntoBuckets="yes") == []
    assert refused(aws, **names) != [] and refused(aws, MergesIntoBuckets="yes") != []


def test_and_with_a_replica(aws, scripts):
    s3 = aws.client("s3")
    make_replica(s3)
    scripts.deploy("--set", "ReplicaBucketName=far", **AS_GITHUB)
    assert refused(aws, ReplicaBucketName="far") == []
    assert [action for action, _ in refused(aws)] == ["s3:GetBucketLocation", "s3:GetBucketVersioning"]


FORBIDDEN = [
    ("cloudformation:DeleteStack", "arn:aws:cloudformation:us-east-1:111122223333:stack/vod/0"),
    ("cloudformation:UpdateStack", "arn:aws:cloudformation:us-east-1:111122223333:stack/payroll/0"),
    ("cloudformation:ExecuteChangeSet", "arn:aws:cloudformation:us-east-1:111122223333:stack/vod2/0"),
    ("iam:CreateRole", "*"), ("iam:PassRole", "arn:aws:iam::111122223333:role/admin"), ("sts:AssumeRole", "arn:aws:iam::111122223333:role/admin"),
    ("lambda:UpdateFunctionCode", "arn:aws:lambda:us-east-1:111122223333:function:vod-signer"),
    ("s3:GetObject", "arn:aws:s3:::vod-111122223333-us-east-1/output/a/x.mp4"),
    ("s3:PutObject", "arn:aws:s3:::vod-111122223333-us-east-1/input/film.mp4"),
    ("s3:PutObject", "arn:aws:s3:::vod-111122223333-us-east-1/catalog/a.json"),
    ("s3:DeleteObject", "arn:aws:s3:::vod-111122223333-us-east-1/input/film.mp4"),
    ("s3:PutBucketPolicy", "arn:aws:s3:::vod-111122223333-us-east-1"),
    ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:111122223333:secret:payroll-AbCdEf"),
    ("secretsmanager:DeleteSecret", "arn:aws:secretsmanager:us-east-1:111122223333:secret:vod/signing-AbCdEf"),
]


@pytest.mark.parametrize("action, resource", FORBIDDEN, ids=str)
def test_githubs_role_may_do_nothing_else(action, resource):
    assert not iam.allows(iam.statements(built(), "DeployRole"), action, resource)


# -------------------------------------------------------------------- CloudFormation's role: what the resources need

# Listed by AWS for features that the template does not use.
UNUSED = {
    "payments:*": "marketplace rules", "acm-pca:*": "certificates of a private authority", "kms:*": "keys of one's own", "s3tables:*": "metadata tables", "s3files:*": "file systems",
    "elasticfilesystem:*": "file systems", "firehose:*": "log delivery", "logs:*Delivery": "log delivery",
    "cloudfront:*ConnectionGroup": "multi-tenant distributions", "cloudfront:GetVpcOrigin": "VPC origins",
    "cloudfront:UpdateDistributionWithStagingConfig": "staging distributions", "cloudfront:CreateDistributionWithTags": "no action of IAM's",
    "codedeploy:RegisterOnPremisesInstance": "servers", "lambda:*CodeSigningConfig": "signed code", "lambda:*ProvisionedConcurrencyConfig": "provisioned concurrency",
    "lambda:*FunctionConcurrency": "reserved concurrency", "lambda:GetLayerVersion": "layers", "lambda:PassCapacityProvider": "managed instances",
    "lambda:AssociateRuntimeAlias": "pinned runtimes", "lambda:PutRuntimeManagementConfig": "pinned runtimes",
    "lambda:Put*RecursionConfig": "loops on purpose", "lambda:Put*ScalingConfig": "managed instances",
    "iam:DeleteRolePermissionsBoundary": "a boundary is never taken away", "iam:*GroupPolicy": "policies of groups", "iam:*UserPolicy": "policies of users", "logs:*KmsKey": "keys of one's own", "logs:*ResourcePolicy": "log delivery",
    "logs:*ResourcePolicies": "log delivery", "logs:Delete*Policy": "field indexes and data protection", "logs:Put*IndexPolicy": "field indexes",
    "logs:PutDataProtectionPolicy": "data protection", "logs:PutBearerTokenAuthentication": "tokens", "logs:PutLogGroupDeletionProtection": "locks",
    "s3:REST.PUT.OBJECT": "no action of IAM's", "s3:*Metadata*": "metadata tables", "s3:Put*Acl": "access lists, which are off", "s3:*Website": "websites",
    "s3:DeleteObject": "a bucket with films is never deleted", "s3:PutBucketReplication": "no action of IAM's", "s3:DeleteBucket[ACELMR]*": "put instead",
    "s3:PutAccelerateConfiguration": "acceleration", "s3:PutAnalyticsConfiguration": "analytics", "s3:PutIntelligentTieringConfiguration": "tiering",
    "s3:PutInventoryConfiguration": "inventories", "s3:PutMetricsConfiguration": "request metrics", "s3:Put*ObjectLockConfiguration": "locks",
    "s3:PutBucketLogging": "access logs", "s3:PutBucketAbac": "tags as rights", "sns:PutDataProtectionPolicy": "data protection",
}
RESOURCE = {
    "acm": "arn:aws:acm:us-east-1:{a}:certificate/1", "cloudfront": "arn:aws:cloudfront::{a}:distribution/E1", "codedeploy": "arn:aws:codedeploy:us-east-1:{a}:application:vod-X",
    "ec2": "*", "events": "arn:aws:events:us-east-1:{a}:rule/vod-X", "iam": "arn:aws:iam::{a}:role/vod-SubmitRole-1",
    "lambda": "arn:aws:lambda:us-east-1:{a}:function:vod-submit", "logs": "arn:aws:logs:us-east-1:{a}:log-group:/aws/lambda/vod-submit",
    "mediaconvert": "arn:aws:mediaconvert:us-east-1:{a}:queues/JobQueue-1", "route53": "arn:aws:route53:::hostedzone/Z1", "s3": "arn:aws:s3:::vod-{a}-us-east-1",
    "sns": "arn:aws:sns:us-east-1:{a}:vod-Alarms-1", "sqs": "arn:aws:sqs:us-east-1:{a}:vod-UploadQueue-1",
    "cloudwatch": "arn:aws:cloudwatch:us-east-1:{a}:alarm:vod-X", "wafv2": "arn:aws:wafv2:us-east-1:{a}:global/webacl/vod-waf-us-east-1/1",
}
PASSED_TO = {"AWS::Lambda::Function": "lambda.amazonaws.com", "AWS::CodeDeploy::DeploymentGroup": "codedeploy.amazonaws.com", "AWS::S3::Bucket": "s3.amazonaws.com"}


@functools.cache
def schemas():
    found = {}
    for path in sorted((pathlib.Path(cfnlint.__file__).parent / "data/schemas/resources").glob("*.json")):
        schema = json.loads(path.read_text())
        found.setdefault(schema["typeName"], schema)
    return found


def unused(action):
    return any(fnmatch.fnmatchcase(action, pattern) for pattern in UNUSED)


def needed_by(kind):
    handlers = schemas()[kind].get("handlers", {})
    return {action for name in ("create", "read", "update", "delete") for action in handlers.get(name, {}).get("permissions", [])}


def resource_of(action, kind):
    if action in ("s3:GetObject", "s3:GetObjectVersion"):
        return f"arn:aws:s3:::vod-code-{ACCOUNT}-us-east-1/functions/submit/0.zip"
    if "EventSourceMapping" in action or (kind == "AWS::Lambda::EventSourceMapping" and action.startswith("lambda:")):
        return f"arn:aws:lambda:us-east-1:{ACCOUNT}:event-source-mapping:1"
    if kind == "AWS::CloudWatch::Dashboard":
        return f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/vod-us-east-1"
    if "DeploymentConfig" in action:
        return f"arn:aws:codedeploy:us-east-1:{ACCOUNT}:deploymentconfig:CodeDeployDefault.LambdaAllAtOnce"
    return RESOURCE[action.split(":")[0]].format(a=ACCOUNT)


KINDS = sorted({r["Type"] for template in (TEMPLATE, WAF) for r in template["Resources"].values()})


def lacking(statements):
    found = []
    for kind in KINDS:
        for action in sorted(needed_by(kind)):
            if unused(action) or (action == "iam:PassRole" and kind not in PASSED_TO) or (action == "iam:GetRole" and kind.startswith("AWS::SNS")):
                continue
            context = {"lambda:FunctionArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:vod-submit",
                       "iam:PolicyARN": "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole",
                       "iam:PassedToService": PASSED_TO.get(kind, ""), "iam:PermissionsBoundary": "<Boundary>"}
            if not iam.allows(statements, action, resource_of(action, kind), context):
                found.append(f"{kind}: {action}")
    return found


def test_cloudformations_role_may_make_every_resource_of_the_template():
    statements = iam.statements(built(), "CloudFormationRole")
    assert lacking(statements) == []
    granted = [s for s in statements if s["Effect"] == "Allow"]
    for left_out in granted:
        assert left_out["Sid"] == "Domain" or lacking([s for s in statements if s is not left_out]), f"nothing needs {left_out['Sid']}"
    known = {action for kind in KINDS for action in needed_by(kind)}
    # AWS lists nothing for record sets.
    known |= {"route53:GetChange", "route53:GetHostedZone", "route53:ListResourceRecordSets"}
    # CloudFormation called it in 2021, and today's list has it no more (amplify-video issues 175 and 239).
    known |= {"mediaconvert:DescribeEndpoints"}
    allowed = {action for s in granted for action in s["Action"]}
    assert allowed <= known, f"no resource needs {allowed - known}"
    assert not [action for action in allowed if "*" in action]


@pytest.mark.parametrize("action, resource, context", [
    ("iam:CreateRole", "arn:aws:iam::111122223333:role/admin", {}), ("iam:CreateUser", "*", {}), ("iam:CreateAccessKey", "*", {}),
    ("iam:AttachRolePolicy", "arn:aws:iam::111122223333:role/vod-SubmitRole-1", {"iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"}),
    ("iam:PassRole", "arn:aws:iam::111122223333:role/vod-SubmitRole-1", {"iam:PassedToService": "ec2.amazonaws.com"}),
    ("iam:PassRole", "arn:aws:iam::111122223333:role/admin", {"iam:PassedToService": "lambda.amazonaws.com"}),
    ("lambda:UpdateFunctionCode", "arn:aws:lambda:us-east-1:111122223333:function:payroll", {}),
    ("s3:DeleteObject", "arn:aws:s3:::vod-111122223333-us-east-1/input/film.mp4", {}),
    ("s3:GetObject", "arn:aws:s3:::vod-111122223333-us-east-1/input/film.mp4", {}), ("s3:PutBucketPolicy", "arn:aws:s3:::payroll", {}),
    ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:111122223333:secret:vod/signing-AbCdEf", {}),
    ("ec2:RunInstances", "*", {}), ("sqs:ReceiveMessage", "arn:aws:sqs:us-east-1:111122223333:vod-UploadQueue-1", {}),
], ids=str)
def test_cloudformations_role_may_do_nothing_else(action, resource, context):
    assert not iam.allows(iam.statements(built(), "CloudFormationRole"), action, resource, context)
