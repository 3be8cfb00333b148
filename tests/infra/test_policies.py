"""Each role may do what its function does, and nothing of a list of what it must not.

`CALLS` says which requests a function sends and what IAM asks for each. Its left column is checked against the
source: every SDK operation that the functions' crates call has to stand here.
"""

import pathlib
import re

import pytest

import cloudformation
import iam
from test_template import BUCKET, PARAMETERS, ROOT, TEMPLATE, stack

SIGNING, JWT = PARAMETERS["SigningSecretArn"], PARAMETERS["JwtSecretArn"]
MEDIACONVERT = "arn:aws:mediaconvert:us-east-1:111122223333"
PASSED = {"iam:PassedToService": "mediaconvert.amazonaws.com"}
ROLE = "<MediaConvertRole.Arn>"
RECORD = f"{BUCKET}/catalog/my-film-0f3c-91be.json"
UPLOAD = f"{BUCKET}/input/my film (1) [x].mp4"

# function → [(SDK operation, action, resource, context)]; a conditional put needs GetObject as well.
SUBMIT = [
    ("head_object", "s3:GetObject", UPLOAD, {}),
    ("head_object", "s3:GetObjectVersion", UPLOAD, {}),
    ("get_object", "s3:GetObject", f"{BUCKET}/jobs/one.json", {}),
    ("list_objects_v2", "s3:ListBucket", BUCKET, {"s3:prefix": "jobs/"}),
    ("get_object", "s3:GetObject", RECORD, {}),
    ("get_object", "s3:ListBucket", BUCKET, {}),  # a record that is not there yet must be a 404
    ("put_object", "s3:PutObject", RECORD, {}),
    ("probe", "mediaconvert:Probe", "*", {}),
    ("create_job", "mediaconvert:CreateJob", f"{MEDIACONVERT}:queues/film", {}),
    ("create_job", "iam:PassRole", ROLE, PASSED),
    ("search_jobs", "mediaconvert:SearchJobs", "*", {}),
]
CALLS = {
    "Submit": SUBMIT + [
        ("event source", "sqs:ReceiveMessage", "<UploadQueue.Arn>", {}),
        ("event source", "sqs:DeleteMessage", "<UploadQueue.Arn>", {}),
        ("event source", "sqs:GetQueueAttributes", "<UploadQueue.Arn>", {}),
    ],
    "Complete": [
        ("get_object", "s3:GetObject", RECORD, {}),
        ("get_object", "s3:ListBucket", BUCKET, {}),
        ("put_object", "s3:PutObject", RECORD, {}),
        ("on failure", "sqs:SendMessage", "<JobEventDeadLetters.Arn>", {}),
    ],
    "Signer": [
        ("get_object", "s3:GetObject", RECORD, {}),
        ("list_objects_v2", "s3:ListBucket", BUCKET, {"s3:prefix": "catalog/my-film-"}),
        ("get_object", "s3:GetObject", f"{BUCKET}/output/my-film/default/hls/video.m3u8", {}),
        ("GetSecretValue", "secretsmanager:GetSecretValue", SIGNING, {}),
        ("GetSecretValue", "secretsmanager:GetSecretValue", JWT, {}),
    ],
    "Reconcile": SUBMIT + [
        ("get_bucket_versioning", "s3:GetBucketVersioning", BUCKET, {}),
        ("list_object_versions", "s3:ListBucketVersions", BUCKET, {"s3:prefix": "input/"}),
        ("list_objects_v2", "s3:ListBucket", BUCKET, {"s3:prefix": "input/"}),
        ("list_objects_v2", "s3:ListBucket", BUCKET, {"s3:prefix": "output/"}),
        ("get_object", "s3:GetObject", f"{BUCKET}/ops/reconcile.json", {}),
        ("put_object", "s3:PutObject", f"{BUCKET}/ops/reconcile.json", {}),
        ("get_job", "mediaconvert:GetJob", f"{MEDIACONVERT}:jobs/1625859001514-vvqfwj", {}),
    ],
    "MediaConvert": [
        ("input", "s3:GetObject", UPLOAD, {}),
        ("output", "s3:PutObject", f"{BUCKET}/output/my-film/default/hls/video_00001.ts", {}),
    ],
}
LAMBDAS = ["Submit", "Complete", "Signer", "Reconcile"]

# What nobody here may do.
NOBODY = [
    ("s3:DeleteObject", UPLOAD, {}), ("s3:DeleteObject", RECORD, {}), ("s3:DeleteObjectVersion", UPLOAD, {}),
    ("s3:PutObject", UPLOAD, {}), ("s3:PutObject", f"{BUCKET}/web/index.html", {}),
    ("s3:PutObject", f"{BUCKET}/jobs/default.json", {}), ("s3:PutBucketPolicy", BUCKET, {}),
    ("s3:PutObjectAcl", f"{BUCKET}/output/x", {}), ("s3:GetObject", "arn:aws:s3:::other/input/x", {}),
    ("s3:ListBucket", "arn:aws:s3:::other", {}), ("s3:ListAllMyBuckets", "*", {}),
    ("iam:PassRole", "<SubmitRole.Arn>", PASSED), ("iam:PassRole", "arn:aws:iam::111122223333:role/admin", PASSED),
    ("iam:PassRole", ROLE, {"iam:PassedToService": "ec2.amazonaws.com"}), ("iam:PassRole", ROLE, {}),
    ("iam:CreateRole", "*", {}), ("sts:AssumeRole", "arn:aws:iam::111122223333:role/admin", {}),
    ("secretsmanager:PutSecretValue", SIGNING, {}),
    ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:111122223333:secret:db", {}),
    ("mediaconvert:DeleteQueue", f"{MEDIACONVERT}:queues/film", {}),
    ("mediaconvert:CreateJob", "arn:aws:mediaconvert:eu-west-1:111122223333:queues/film", {}),
    ("cloudfront:UpdateDistribution", "*", {}), ("lambda:UpdateFunctionCode", "*", {}),
    ("sqs:PurgeQueue", "<UploadQueue.Arn>", {}), ("kms:Decrypt", "*", {}),
    ("logs:PutLogEvents", "arn:aws:logs:us-east-1:111122223333:log-group:/other:*", {}),
]
# What one must not do though another may.
NOT_ITS_OWN = {
    "Submit": [("secretsmanager:GetSecretValue", SIGNING, {}), ("s3:PutObject", f"{BUCKET}/output/x", {}),
               ("s3:PutObject", f"{BUCKET}/ops/reconcile.json", {}), ("s3:GetObject", f"{BUCKET}/output/x", {})],
    "Complete": [("s3:GetObject", UPLOAD, {}), ("secretsmanager:GetSecretValue", JWT, {}),
                 ("mediaconvert:CreateJob", f"{MEDIACONVERT}:queues/film", {}), ("iam:PassRole", ROLE, PASSED),
                 ("s3:GetObject", f"{BUCKET}/output/x", {}), ("sqs:ReceiveMessage", "<JobEventDeadLetters.Arn>", {})],
    # What faces viewers writes nothing and never sees a source.
    "Signer": [("s3:PutObject", RECORD, {}), ("s3:GetObject", UPLOAD, {}), ("iam:PassRole", ROLE, PASSED),
               ("mediaconvert:CreateJob", f"{MEDIACONVERT}:queues/film", {}), ("s3:PutObject", f"{BUCKET}/output/x", {})],
    "Reconcile": [("secretsmanager:GetSecretValue", SIGNING, {}), ("s3:PutObject", f"{BUCKET}/output/x", {}),
                  ("s3:GetObject", f"{BUCKET}/output/x", {})],
    "MediaConvert": [("s3:GetObject", RECORD, {}), ("s3:PutObject", RECORD, {}), ("s3:GetObject", f"{BUCKET}/output/x", {}),
                     ("s3:ListBucket", BUCKET, {}), ("mediaconvert:CreateJob", f"{MEDIACONVERT}:queues/film", {})],
}
OPERATION = re.compile(
    r"\.(get_\w+|put_\w+|head_\w+|list_\w+|delete_\w+|copy_\w+|create_\w+|upload_\w+|cancel_\w+|search_\w+|probe"
    r"|invoke|send_message\w*)\(\)"
)
NO_OPERATIONS = {"list_item"}


def cases(table):
    return [pytest.param(role, *call, id=f"{role}-{' '.join(map(str, call[:-1]))}") for role, calls in table.items() for call in calls]


@pytest.mark.parametrize("role, operation, action, resource, context", cases(CALLS))
def test_a_role_allows_what_its_function_does(role, operation, action, resource, context):
    assert iam.allows(iam.statements(stack(TEMPLATE), f"{role}Role"), action, resource, context), operation


@pytest.mark.parametrize("role", CALLS)
@pytest.mark.parametrize("action, resource, context", NOBODY, ids=lambda part: str(part))
def test_a_role_allows_nothing_forbidden(role, action, resource, context):
    assert not iam.allows(iam.statements(stack(TEMPLATE), f"{role}Role"), action, resource, context)


@pytest.mark.parametrize("role, action, resource, context", cases(NOT_ITS_OWN))
def test_a_role_leaves_others_work_alone(role, action, resource, context):
    assert not iam.allows(iam.statements(stack(TEMPLATE), f"{role}Role"), action, resource, context)


@pytest.mark.parametrize("role", CALLS)
def test_no_statement_is_there_for_nothing(role):
    """Taking any statement away stops a call of the table: so nothing is allowed that the table does not need."""
    statements = iam.statements(stack(TEMPLATE), f"{role}Role")
    for left_out in statements:
        if left_out.get("Sid") in ("Logs", "Traces"):
            continue
        rest = [s for s in statements if s is not left_out]
        stopped = [c for c in CALLS[role] if not iam.allows(rest, *c[1:])]
        assert stopped, left_out
        for action in left_out["Action"] if isinstance(left_out["Action"], list) else [left_out["Action"]]:
            assert any(c[1] == action for c in CALLS[role]), f"nothing needs {action}"


def _operations(paths):
    found = {}
    for path in paths:
        for source in sorted(pathlib.Path(path).rglob("*.rs")):
            if source.stem.endswith("tests") or "testing" in source.stem or source.stem == "fake":
                continue
            code = source.read_text().split("#[cfg(test)]\nmod ")[0]
            for name in OPERATION.findall(code):
                found.setdefault(name, source.relative_to(ROOT))
    return found


def test_every_sdk_call_of_the_functions_is_in_the_table():
    known = {call[0] for role in LAMBDAS for call in CALLS[role]}
    found = _operations([ROOT / "functions", ROOT / "crates/vod-aws/src"])
    assert {"get_object", "put_object", "create_job"} <= set(found)
    missing = {name: str(path) for name, path in found.items() if name not in known | NO_OPERATIONS}
    assert not missing, f"calls without a line in CALLS: {missing}"
    # A function's own crate calls nothing that its own rows do not have.
    for role in LAMBDAS:
        own = {call[0] for call in CALLS[role]}
        for name, path in _operations([ROOT / f"functions/{role.lower()}/src"]).items():
            assert name in own, f"{path} calls {name}"


# ------------------------------------------------------------------------------------------------ uploader

UPLOADER = cloudformation.load(ROOT / "infra/uploader.yaml")
UPLOADS = [
    ("s3:PutObject", UPLOAD, {}, True), ("s3:AbortMultipartUpload", UPLOAD, {}, True),
    ("s3:ListMultipartUploadParts", UPLOAD, {}, True), ("s3:GetObject", RECORD, {}, True),
    ("s3:GetObject", f"{BUCKET}/output/a/x.mp4", {}, True), ("s3:ListBucket", BUCKET, {"s3:prefix": "input/2026/"}, True),
    ("s3:GetObject", UPLOAD, {}, False), ("s3:PutObject", RECORD, {}, False), ("s3:DeleteObject", UPLOAD, {}, False),
    ("s3:ListBucket", BUCKET, {}, False), ("s3:ListBucket", BUCKET, {"s3:prefix": "ops/"}, False),
    ("s3:PutObject", f"{BUCKET}/jobs/x.json", {}, False), ("s3:PutObject", "arn:aws:s3:::other/input/x", {}, False),
    ("secretsmanager:GetSecretValue", SIGNING, {}, False), ("iam:CreateAccessKey", "*", {}, False),
]


@pytest.mark.parametrize("action, resource, context, expected", UPLOADS, ids=str)
def test_the_uploader_uploads_and_reads_results(action, resource, context, expected):
    built = cloudformation.Stack(UPLOADER, {"BucketName": BUCKET.rsplit(":", 1)[1], "CaCertificate": "PEM"})
    statements = built.properties("Uploads")["PolicyDocument"]["Statement"]
    assert iam.allows(statements, action, resource, context) is expected


def test_the_uploader_has_a_certificate_or_on_request_a_user():
    anywhere = cloudformation.Stack(UPLOADER, {"BucketName": "b", "CaCertificate": "PEM"})
    (trust,) = anywhere.properties("Role")["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "rolesanywhere.amazonaws.com"}
    assert trust["Condition"]["ArnEquals"] == {"aws:SourceArn": "<Authority.TrustAnchorArn>"}
    assert trust["Condition"]["StringEquals"] == {"aws:PrincipalTag/x509Subject/CN": "vod-uploader"}
    assert not anywhere.of_type("AWS::IAM::User")
    assert not cloudformation.Stack(UPLOADER, {"BucketName": "b"}).rules_hold()
    by_key = cloudformation.Stack(UPLOADER, {"BucketName": "b", "Way": "access-key"})
    assert by_key.rules_hold() and by_key.of_type("AWS::IAM::User")
    assert not by_key.of_type("AWS::IAM::Role") and not by_key.of_type("AWS::IAM::AccessKey")


# ------------------------------------------------------------------------------------------------- network

NETWORK = cloudformation.load(ROOT / "infra/network.yaml")


@pytest.mark.parametrize("nat, kinds", [("instance", {"AWS::EC2::Instance"}), ("gateway", {"AWS::EC2::NatGateway"}), ("none", set())])
def test_the_network_has_three_zones_and_one_way_out(nat, kinds):
    built = cloudformation.Stack(NETWORK, {"Nat": nat, "NatImage": "ami-1"})
    subnets = built.of_type("AWS::EC2::Subnet")
    assert len(subnets) == 6 and len({s["CidrBlock"] for s in subnets.values()}) == 6
    assert len({s["AvailabilityZone"] for s in subnets.values()}) == 3
    types = {r["Type"] for r in built.resources.values()}
    assert types & {"AWS::EC2::Instance", "AWS::EC2::NatGateway"} == kinds
    assert built.properties("S3Endpoint")["VpcEndpointType"] == "Gateway"
    assert "<PrivateRoutes>" in built.properties("S3Endpoint")["RouteTableIds"]
    way_out = {k for k, r in built.of_type("AWS::EC2::Route").items() if r["RouteTableId"] == "<PrivateRoutes>"}
    assert bool(way_out) == bool(kinds)
    for name in ("One", "Two", "Three"):
        assert built.properties(f"Private{name}Routes")["RouteTableId"] == "<PrivateRoutes>"
    assert built.outputs["SubnetIds"] == "<PrivateOne>,<PrivateTwo>,<PrivateThree>"
    assert "SecurityGroupIngress" not in built.properties("FunctionGroup")
