"""Each role may do what its function does, and nothing of a list of what it must not.

`calls.json` lists the calls that the functions made in the end-to-end tests (record.sh writes it; a call that is not
in it fails the end-to-end test that makes it). `CALLS` lists the permissions that IAM asks for each. Its left column is checked
against the built functions, which link exactly these SDK operations, and against the recording: a call that was never recorded
must be one that AWS makes.
"""

import json
import re
import subprocess

import pytest

import iam
from conftest import TARGET
from test_template import BUCKET, PARAMETERS, ROOT, TEMPLATE, stack

SIGNING, JWT = PARAMETERS["SigningSecretArn"], PARAMETERS["JwtSecretArn"]
MEDIACONVERT = "arn:aws:mediaconvert:us-east-1:111122223333"
PASSED = {"iam:PassedToService": "mediaconvert.amazonaws.com"}
ROLE = "<MediaConvertRole.Arn>"
RECORD = f"{BUCKET}/catalog/my-film-0f3c-91be.json"
REMOVED = f"{BUCKET}/ops/removed/my-film-0f3c-91be.json"
NEWEST = f"{BUCKET}/ops/newest/8209999999876-my-film-0f3c-91be"
SESSION = f"{BUCKET}/ops/uploads/ba7816bf"
SAID = f"{BUCKET}/ops/owner/my-film-0f3c-91be.json"
OUTPUT = f"{BUCKET}/output/my-film-0f3c-91be/default/hls/video.m3u8"
COPY = f"{BUCKET}/ops/trash/x"
DISTRIBUTION = "arn:aws:cloudfront::111122223333:distribution/<Distribution>"
UPLOAD = f"{BUCKET}/input/my film (1) [x].mp4"

# function → [(SDK operation, action, resource, context)]; a conditional put needs GetObject as well.
SUBMIT = [
    ("head_object", "s3:GetObject", UPLOAD, {}),
    ("head_object", "s3:GetObjectVersion", UPLOAD, {}),
    ("get_object", "s3:GetObject", f"{BUCKET}/jobs/one.json", {}),
    ("list_objects_v2", "s3:ListBucket", BUCKET, {"s3:prefix": "jobs/"}),
    ("get_object", "s3:GetObject", RECORD, {}),
    ("get_object", "s3:ListBucket", BUCKET, {}),  # a record that is not there yet must be a 404
    ("get_object", "s3:GetObject", REMOVED, {}),
    ("put_object", "s3:PutObject", RECORD, {}),
    ("put_object", "s3:PutObject", NEWEST, {}),
    ("probe", "mediaconvert:Probe", "*", {}),
    ("get_job_template", "mediaconvert:GetJobTemplate", f"{MEDIACONVERT}:jobTemplates/film", {}),
    ("get_preset", "mediaconvert:GetPreset", f"{MEDIACONVERT}:presets/film", {}),
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
        ("get_object", "s3:GetObject", REMOVED, {}),
        ("get_object", "s3:ListBucket", BUCKET, {}),
        ("put_object", "s3:PutObject", RECORD, {}),
        ("cancel_job", "mediaconvert:CancelJob", f"{MEDIACONVERT}:jobs/1625859001514-vvqfwj", {}),
        ("on failure", "sqs:SendMessage", "<JobEventDeadLetters.Arn>", {}),
    ],
    "Signer": [
        ("get_object", "s3:GetObject", RECORD, {}),
        ("list_objects_v2", "s3:ListBucket", BUCKET, {"s3:prefix": "catalog/my-film-"}),
        ("get_object", "s3:GetObject", f"{BUCKET}/output/my-film/default/hls/video.m3u8", {}),
        ("GetSecretValue", "secretsmanager:GetSecretValue", SIGNING, {}),
        ("GetSecretValue", "secretsmanager:GetSecretValue", JWT, {}),
    ],
    "Owner": [
        ("head_object", "s3:GetObject", UPLOAD, {}),
        ("get_object", "s3:ListBucket", BUCKET, {}),  # a name that is free must be a 404
        ("create_multipart_upload", "s3:PutObject", UPLOAD, {}),
        ("upload_part", "s3:PutObject", UPLOAD, {}),
        ("list_parts", "s3:ListMultipartUploadParts", UPLOAD, {}),
        ("complete_multipart_upload", "s3:PutObject", UPLOAD, {}),
        ("abort_multipart_upload", "s3:AbortMultipartUpload", UPLOAD, {}),
        ("get_object", "s3:GetObject", SESSION, {}),
        ("put_object", "s3:PutObject", SESSION, {}),
        ("delete_object", "s3:DeleteObject", SESSION, {}),
        ("get_object", "s3:GetObject", RECORD, {}),
        ("put_object", "s3:PutObject", RECORD, {}),
        ("delete_object", "s3:DeleteObject", RECORD, {}),
        ("put_object", "s3:PutObject", NEWEST, {}),
        ("delete_objects", "s3:DeleteObject", NEWEST, {}),
        ("get_object", "s3:GetObject", SAID, {}),
        ("put_object", "s3:PutObject", SAID, {}),
        ("delete_objects", "s3:DeleteObject", SAID, {}),
        ("get_object", "s3:GetObject", REMOVED, {}),
        ("put_object", "s3:PutObject", REMOVED, {}),
        ("delete_object", "s3:DeleteObject", REMOVED, {}),
        ("list_objects_v2", "s3:ListBucket", BUCKET, {"s3:prefix": "output/my-film-"}),
        ("copy_object", "s3:GetObject", OUTPUT, {}),
        ("copy_object", "s3:PutObject", COPY, {}),
        ("copy_object", "s3:GetObject", COPY, {}),
        ("copy_object", "s3:PutObject", OUTPUT, {}),
        ("put_object", "s3:PutObject", OUTPUT, {}),
        ("upload_part_copy", "s3:PutObject", COPY, {}),
        ("delete_objects", "s3:DeleteObject", OUTPUT, {}),
        ("delete_objects", "s3:DeleteObject", COPY, {}),
        ("delete_object", "s3:DeleteObject", UPLOAD, {}),
        ("cancel_job", "mediaconvert:CancelJob", f"{MEDIACONVERT}:jobs/1625859001514-vvqfwj", {}),
        ("get_job", "mediaconvert:GetJob", f"{MEDIACONVERT}:jobs/1625859001514-vvqfwj", {}),
        ("SendMessage", "sqs:SendMessage", "<UploadQueue.Arn>", {}),
        ("CreateInvalidation", "cloudfront:CreateInvalidation", DISTRIBUTION, {}),
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
LAMBDAS = ["Submit", "Complete", "Signer", "Owner", "Reconcile"]

# Calls that no role may make.
FORBIDDEN = [
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
# Uploads are the owner's to write and to purge, and records to take down.
OWN = {"Owner": [("s3:PutObject", UPLOAD, {}), ("s3:DeleteObject", UPLOAD, {}), ("s3:DeleteObject", RECORD, {})]}
# Calls that one role must not make though another may.
NOT_ITS_OWN = {
    "Submit": [("secretsmanager:GetSecretValue", SIGNING, {}), ("s3:PutObject", f"{BUCKET}/output/x", {}),
               ("s3:PutObject", f"{BUCKET}/ops/reconcile.json", {}), ("s3:GetObject", f"{BUCKET}/output/x", {}),
               ("s3:GetObject", f"{BUCKET}/ops/reconcile.json", {}), ("s3:PutObject", REMOVED, {}),
               ("mediaconvert:CancelJob", f"{MEDIACONVERT}:jobs/1", {})],
    "Complete": [("s3:GetObject", UPLOAD, {}), ("secretsmanager:GetSecretValue", JWT, {}),
                 ("mediaconvert:CreateJob", f"{MEDIACONVERT}:queues/film", {}), ("iam:PassRole", ROLE, PASSED),
                 ("s3:GetObject", f"{BUCKET}/output/x", {}), ("sqs:ReceiveMessage", "<JobEventDeadLetters.Arn>", {}),
                 ("s3:PutObject", REMOVED, {})],
    # The function that faces viewers writes nothing and never reads a source.
    "Signer": [("s3:PutObject", RECORD, {}), ("s3:GetObject", UPLOAD, {}), ("iam:PassRole", ROLE, PASSED),
               ("mediaconvert:CreateJob", f"{MEDIACONVERT}:queues/film", {}), ("s3:PutObject", f"{BUCKET}/output/x", {})],
    # What is encoded again is submit's to create, and links are the signer's to sign.
    "Owner": [("secretsmanager:GetSecretValue", SIGNING, {}), ("iam:PassRole", ROLE, PASSED),
              ("mediaconvert:CreateJob", f"{MEDIACONVERT}:queues/film", {}), ("s3:GetObject", f"{BUCKET}/jobs/one.json", {}),
              ("s3:PutObject", f"{BUCKET}/ops/reconcile.json", {}), ("sqs:SendMessage", "<JobEventDeadLetters.Arn>", {}),
              ("cloudfront:CreateInvalidation", "arn:aws:cloudfront::111122223333:distribution/EOTHER", {})],
    "Reconcile": [("secretsmanager:GetSecretValue", SIGNING, {}), ("s3:PutObject", f"{BUCKET}/output/x", {}),
                  ("s3:GetObject", f"{BUCKET}/output/x", {})],
    "MediaConvert": [("s3:GetObject", RECORD, {}), ("s3:PutObject", RECORD, {}), ("s3:GetObject", f"{BUCKET}/output/x", {}),
                     ("s3:ListBucket", BUCKET, {}), ("mediaconvert:CreateJob", f"{MEDIACONVERT}:queues/film", {})],
}
RECORDED = json.loads((ROOT / "tests/infra/calls.json").read_text())
# The permissions that IAM asks for an operation of S3, on an object and on the bucket.
S3 = {
    "HeadObject": ["GetObject"], "GetObject": ["GetObject"], "HeadObjectVersion": ["GetObjectVersion"], "GetObjectVersion": ["GetObjectVersion"],
    "PutObject": ["PutObject"], "CreateMultipartUpload": ["PutObject"], "UploadPart": ["PutObject"], "CompleteMultipartUpload": ["PutObject"],
    "ListParts": ["ListMultipartUploadParts"], "AbortMultipartUpload": ["AbortMultipartUpload"], "DeleteObject": ["DeleteObject"],
    "CopyObject": ["PutObject"],
}
S3_BUCKET = {"ListObjectsV2": "ListBucket", "ListObjectVersions": "ListBucketVersions", "GetBucketVersioning": "GetBucketVersioning"}
MEDIACONVERT_ON = {
    "CreateJob": [("mediaconvert:CreateJob", f"{MEDIACONVERT}:queues/film", {}), ("iam:PassRole", ROLE, PASSED)],
    "GetJobTemplate": [("mediaconvert:GetJobTemplate", f"{MEDIACONVERT}:jobTemplates/film", {})],
    "GetPreset": [("mediaconvert:GetPreset", f"{MEDIACONVERT}:presets/film", {})],
    "GetJob": [("mediaconvert:GetJob", f"{MEDIACONVERT}:jobs/1625859001514-vvqfwj", {})],
    "CancelJob": [("mediaconvert:CancelJob", f"{MEDIACONVERT}:jobs/1625859001514-vvqfwj", {})],
    "Probe": [("mediaconvert:Probe", "*", {})], "SearchJobs": [("mediaconvert:SearchJobs", "*", {})],
}
NO_SDK_CRATE = {"sqs": "<UploadQueue.Arn>", "cloudfront": DISTRIBUTION}
# Rows of CALLS that are no operations of the SDK's S3 and MediaConvert: AWS does them for the function, or they are other services'.
NOT_LINKED = {"event source", "on failure", "GetSecretValue", "SendMessage", "CreateInvalidation"}
# Rows that no recording can hold. A copy in parts is for files of more than 5 GiB.
NOT_RECORDED = NOT_LINKED | {"upload_part_copy"}
# The bucket of the local stack keeps no versions.
NOT_LOCAL = {"s3:GetObjectVersion", "s3:ListBucketVersions"}


def needs(call, outputs=BUCKET):
    """The permissions for a call such as "s3:GetObject input/"."""
    operation, _, folder = call.partition(" ")
    service, _, operation = operation.partition(":")
    if service == "mediaconvert":
        return MEDIACONVERT_ON[operation]
    if service in NO_SDK_CRATE:
        return [(f"{service}:{operation}", NO_SDK_CRATE[service], {})]
    if operation == "DeleteObjects":
        # The access log names no key.
        places = (f"{outputs}/output", f"{BUCKET}/ops/newest", f"{BUCKET}/ops/owner", f"{BUCKET}/ops/trash")
        return [("s3:DeleteObject", f"{place}/x", {}) for place in places]
    bucket = outputs if folder == "output/" else BUCKET
    if operation in S3_BUCKET:
        assert not folder
        places = {BUCKET, outputs} if operation == "ListObjectsV2" else {BUCKET}
        return [(f"s3:{S3_BUCKET[operation]}", place, {}) for place in sorted(places)]
    found = [(f"s3:{action}", f"{bucket}/{folder}x", {}) for action in S3[operation]]
    if operation in ("PutObject", "DeleteObject") and folder.startswith(("catalog/", "ops/")):
        # If-Match asks for reading as well.
        found.append(("s3:GetObject", f"{bucket}/{folder}x", {}))
    if operation == "CopyObject":
        # The access log names the copy; what it is made of is in the other of these two folders.
        source = {"output/": f"{BUCKET}/ops/trash/x", "ops/trash/": f"{outputs}/output/x"}[folder]
        found.append(("s3:GetObject", source, {}))
    if (operation, folder) in (("GetObject", "catalog/"), ("GetObject", "ops/uploads/")):
        # A record or name that is not there yet must be a 404.
        found.append(("s3:ListBucket", bucket, {}))
    return found


def recorded():
    return [pytest.param(part.capitalize().replace("Mediac", "MediaC"), call, id=f"{part} {call}") for part, calls in RECORDED.items() for call in calls]


@pytest.mark.parametrize("role, call", recorded())
def test_a_role_allows_each_call_that_was_recorded(role, call):
    for action, resource, context in needs(call):
        assert iam.allows(iam.statements(stack(TEMPLATE), f"{role}Role"), action, resource, context), action
    apart = stack(TEMPLATE, OutputBucketName="film-outputs")
    for action, resource, context in needs(call, "arn:aws:s3:::film-outputs"):
        if (role, resource) in (("Submit", "arn:aws:s3:::film-outputs"), ("Complete", "arn:aws:s3:::film-outputs")):
            continue  # they list the uploads' bucket only
        assert iam.allows(iam.statements(apart, f"{role}Role"), action, resource, context), (action, resource)


def test_what_was_recorded_is_what_the_table_says():
    assert set(RECORDED) == {"submit", "complete", "signer", "owner", "reconcile", "mediaconvert"}
    for role, rows in CALLS.items():
        seen = {(action, place(resource)) for call in RECORDED[role.lower()] for action, resource, _ in needs(call)}
        for operation, action, resource, _ in rows:
            there = (action, place(resource)) in seen
            assert there or operation in NOT_RECORDED or action in NOT_LOCAL, f"{role} was never seen to need {action} on {place(resource)}"


def place(resource):
    """The folder of an object of the bucket, as calls.json names it, or the resource itself."""
    if not resource.startswith(f"{BUCKET}/"):
        return resource
    key = resource.removeprefix(f"{BUCKET}/")
    return key.rsplit("/", 1)[0] if key.startswith("ops/") else key.split("/")[0]


# With a bucket of its own for the outputs, the rest stays closed there too.
@pytest.mark.parametrize("role, action, resource", [
    ("Submit", "s3:GetObject", "arn:aws:s3:::film-outputs/output/x"), ("Complete", "s3:GetObject", "arn:aws:s3:::film-outputs/output/x"),
    ("Reconcile", "s3:GetObject", "arn:aws:s3:::film-outputs/output/x"), ("Signer", "s3:GetObject", "arn:aws:s3:::film-outputs/else/x"),
    ("Signer", "s3:PutObject", "arn:aws:s3:::film-outputs/output/x"), ("MediaConvert", "s3:GetObject", "arn:aws:s3:::film-outputs/output/x"),
    ("MediaConvert", "s3:PutObject", f"{BUCKET}/output/x"), ("MediaConvert", "s3:PutObject", "arn:aws:s3:::film-outputs/else/x"),
])
def test_a_bucket_for_outputs_is_as_closed(role, action, resource):
    assert not iam.allows(iam.statements(stack(TEMPLATE, OutputBucketName="film-outputs"), f"{role}Role"), action, resource)


REPLICA = "arn:aws:s3:::film-replica"


@pytest.mark.parametrize("action, resource, expected", [
    ("s3:GetReplicationConfiguration", BUCKET, True), ("s3:ListBucket", BUCKET, True), ("s3:GetObjectVersionForReplication", UPLOAD, True),
    ("s3:GetObjectVersionTagging", f"{BUCKET}/jobs/a.json", True), ("s3:ReplicateObject", f"{REPLICA}/input/a.mp4", True),
    ("s3:ReplicateTags", f"{REPLICA}/jobs/a.json", True),
    ("s3:ReplicateDelete", f"{REPLICA}/input/a.mp4", False), ("s3:DeleteObject", f"{REPLICA}/input/a.mp4", False),
    ("s3:GetObjectVersionForReplication", RECORD, False), ("s3:ReplicateObject", f"{REPLICA}/output/a", False),
    ("s3:ReplicateObject", UPLOAD, False), ("s3:PutObject", UPLOAD, False), ("s3:ObjectOwnerOverrideToBucketOwner", f"{REPLICA}/input/a", False),
])
def test_replication_copies_and_deletes_nothing(action, resource, expected):
    assert iam.allows(iam.statements(stack(TEMPLATE, ReplicaBucketName="film-replica"), "ReplicationRole"), action, resource) is expected


def cases(table):
    return [pytest.param(role, *call, id=f"{role}-{' '.join(map(str, call[:-1]))}") for role, calls in table.items() for call in calls]


@pytest.mark.parametrize("role, operation, action, resource, context", cases(CALLS))
def test_a_role_allows_what_its_function_does(role, operation, action, resource, context):
    assert iam.allows(iam.statements(stack(TEMPLATE), f"{role}Role"), action, resource, context), operation


@pytest.mark.parametrize("role", CALLS)
@pytest.mark.parametrize("action, resource, context", FORBIDDEN, ids=lambda part: str(part))
def test_a_role_allows_nothing_forbidden(role, action, resource, context):
    if (action, resource, context) in OWN.get(role, []):
        return
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
        for action in iam.as_list(left_out["Action"]):
            assert any(c[1] == action for c in CALLS[role]), f"nothing needs {action}"


# Reconcile shares the code that records events, and delivers only events of jobs that have ended: only a running job is canceled.
LINKED_ONLY = {"Reconcile": {"cancel_job"}}


def linked(binary):
    """The operations of the SDK's S3 and MediaConvert that are left in a program: the linker drops what nothing calls."""
    symbols = subprocess.run(["nm", binary], check=True, capture_output=True, text=True).stdout
    found = {rest[: int(length)] for length, rest in re.findall(r"aws_sdk_(?:s3|mediaconvert)9operation(\d+)(\w+)", symbols)}
    # A part of every S3 client, for directory buckets.
    return found - {"create_session"}


@pytest.mark.parametrize("role", LAMBDAS)
def test_a_function_links_the_calls_of_its_rows_and_no_others(role):
    """By what each program can reach: the command shares crates with the functions, and calls more."""
    assert linked(TARGET / role.lower()) - LINKED_ONLY.get(role, set()) == {call[0] for call in CALLS[role]} - NOT_LINKED


def test_a_call_that_only_the_command_makes_is_seen_in_the_command():
    assert {"delete_object", "delete_objects", "put_object"} <= linked(TARGET / "vod")
