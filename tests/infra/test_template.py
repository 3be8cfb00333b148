"""Rules for infra/template.yaml, on its resolved resources.

Every rule has mutants: changes to the template that it has to notice. cfn-lint knows the shape of a
template, not its sense (it accepts a transition to STANDARD_IA after 10 days, which S3 refuses).
"""

import copy
import json
import pathlib
import re
import subprocess

import pytest

import aws_stub
import cloudformation
import iam

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = cloudformation.load(ROOT / "infra/template.yaml")
KEY = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0\n-----END PUBLIC KEY-----\n"
PARAMETERS = {
    "BucketName": "film-111122223333-us-east-1",
    "CodeBucket": "film-code",
    "Release": "0123456789ab",
    "SubmitCode": "submit-1.zip",
    "CompleteCode": "complete-1.zip",
    "SignerCode": "signer-1.zip",
    "OwnerCode": "owner-1.zip",
    "ReconcileCode": "reconcile-1.zip",
    "PublicKeyOne": KEY,
    "SigningSecretArn": "arn:aws:secretsmanager:us-east-1:111122223333:secret:film/signing-a1",
    "JwtSecretArn": "arn:aws:secretsmanager:us-east-1:111122223333:secret:film/jwt-a1",
}
SITES = ["https://blog.example.org", "http://localhost:3000"]
FUNCTIONS = ["Submit", "Complete", "Signer", "Owner", "Reconcile"]
BUCKET = "arn:aws:s3:::film-111122223333-us-east-1"
RULES = []


def stack(template, **changes):
    return cloudformation.Stack(template, {**PARAMETERS, **changes})


def put(path, value):
    """A mutant that sets a value at a path below Resources."""

    def mutate(template):
        *parents, last = path.split("/")
        place = template["Resources"]
        for step in parents:
            place = place[int(step) if isinstance(place, list) else step]
        place[int(last) if isinstance(place, list) else last] = value

    mutate.__name__ = f"{path}={str(value)[:30]}"
    return mutate


def drop(path):
    """A mutant that removes the value at a path below Resources."""

    def mutate(template):
        *parents, last = path.split("/")
        place = template["Resources"]
        for step in parents:
            place = place[int(step) if isinstance(place, list) else step]
        del place[int(last) if isinstance(place, list) else last]

    mutate.__name__ = f"without {path}"
    return mutate


def parameter(name, key, value):
    def mutate(template):
        template["Parameters"][name][key] = value

    mutate.__name__ = f"{name}.{key}={value}"
    return mutate


def must_notice(rule, template, mutant):
    changed = copy.deepcopy(template)
    mutant(changed)
    assert changed != template, "the mutant changes nothing"
    with pytest.raises(AssertionError):
        rule(changed)


def noticed(*mutants):
    """Registers a rule with the changes that it must notice."""

    def register(rule):
        assert mutants, "a rule without a mutant proves nothing"
        RULES.append((rule, mutants))
        return rule

    return register


# ------------------------------------------------------------------------------------------------- storage


@noticed(
    put("Bucket/Properties/VersioningConfiguration/Status", "Suspended"),
    put("Bucket/Properties/OwnershipControls/Rules/0/ObjectOwnership", "ObjectWriter"),
    put("Bucket/Properties/PublicAccessBlockConfiguration/BlockPublicPolicy", False),
    drop("Bucket/Properties/PublicAccessBlockConfiguration/RestrictPublicBuckets"),
    drop("Bucket/Properties/BucketEncryption"),
)
def the_bucket_is_private_versioned_and_encrypted(template):
    bucket = stack(template).properties("Bucket")
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    blocked = bucket["PublicAccessBlockConfiguration"]
    names = ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"]
    assert all(blocked.get(name) is True for name in names)
    (rule,) = bucket.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [None])
    assert rule and rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


@noticed(drop("Bucket/DeletionPolicy"), put("Bucket/UpdateReplacePolicy", "Delete"))
def films_outlive_the_stack(template):
    bucket = stack(template).resources["Bucket"]
    assert bucket.get("DeletionPolicy") in ("Retain", "RetainExceptOnCreate")
    assert bucket.get("UpdateReplacePolicy") == "Retain"


@noticed(
    parameter("SourceIaDays", "Default", 10),
    parameter("SourceGlacierDays", "Default", 50),
    parameter("SourceIaDays", "MinValue", 10),
    put("Bucket/Properties/LifecycleConfiguration/Rules/0/Prefix", ""),
    put("Bucket/Properties/LifecycleConfiguration/Rules/0/Status", "Disabled"),
)
def sources_go_to_ia_at_30_days_and_glacier_at_60(template):
    rule = _lifecycle(template, "input/")
    assert rule["Transitions"] == [
        {"StorageClass": "STANDARD_IA", "TransitionInDays": 30},
        {"StorageClass": "GLACIER", "TransitionInDays": 60},
    ]
    assert template["Parameters"]["SourceIaDays"]["MinValue"] >= 30


@noticed(
    put("Bucket/Properties/LifecycleConfiguration/Rules/1/Transitions/1/StorageClass", "GLACIER"),
    put("Bucket/Properties/LifecycleConfiguration/Rules/1/Transitions/0/TransitionInDays", 10),
    put("Bucket/Properties/LifecycleConfiguration/Rules/1/Prefix", "outputs/"),
)
def no_output_goes_where_a_viewer_cannot_read_it(template):
    rule = _lifecycle(template, "output/")
    classes = [(t["StorageClass"], t["TransitionInDays"]) for t in rule["Transitions"]]
    assert classes == [("STANDARD_IA", 30), ("GLACIER_IR", 60)]
    for other in stack(template).properties("Bucket")["LifecycleConfiguration"]["Rules"]:
        if other["Prefix"] in ("", "output/") or "output/".startswith(other["Prefix"]):
            assert not {t["StorageClass"] for t in other.get("Transitions", [])} & {"GLACIER", "DEEP_ARCHIVE"}
            assert "ExpirationInDays" not in other


@noticed(
    drop("Bucket/Properties/LifecycleConfiguration/Rules/2/AbortIncompleteMultipartUpload"),
    drop("Bucket/Properties/LifecycleConfiguration/Rules/2/NoncurrentVersionExpiration"),
    put("Bucket/Properties/LifecycleConfiguration/Rules/2/Prefix", "input/"),
)
def leftovers_expire(template):
    rule = _lifecycle(template, "")
    assert rule.get("AbortIncompleteMultipartUpload") == {"DaysAfterInitiation": 7}
    assert rule.get("NoncurrentVersionExpiration") == {"NoncurrentDays": 30}


@noticed(
    drop("Bucket/Properties/LifecycleConfiguration/Rules/3/ExpirationInDays"),
    put("Bucket/Properties/LifecycleConfiguration/Rules/3/ExpirationInDays", 7),
    put("Bucket/Properties/LifecycleConfiguration/Rules/4/ExpirationInDays", 7),
    put("Bucket/Properties/LifecycleConfiguration/Rules/4/Prefix", "ops/"),
)
def copies_of_removed_videos_go_after_30_days_and_sessions_after_they_end(template):
    kept = re.search(r"KEPT: SignedDuration = SignedDuration::from_hours\((\d+) \* 24\)", (ROOT / "crates/vod-core/src/removal.rs").read_text())
    assert _lifecycle(template, "ops/trash/").get("ExpirationInDays") == int(kept.group(1)) == 30
    valid = re.search(r"VALID: SignedDuration = SignedDuration::from_hours\((\d+) \* 24\)", (ROOT / "crates/vod-core/src/upload.rs").read_text())
    assert _lifecycle(template, "ops/uploads/").get("ExpirationInDays") == int(valid.group(1)) + 1
    # Tombstones stay: without one, reconcile would encode the upload of a removed video.
    rules = stack(template).properties("Bucket")["LifecycleConfiguration"]["Rules"]
    assert not [r for r in rules if "ExpirationInDays" in r and "ops/removed/x".startswith(r["Prefix"])]


def _lifecycle(template, prefix):
    rules = stack(template).properties("Bucket")["LifecycleConfiguration"]["Rules"]
    found = [r for r in rules if r["Prefix"] == prefix and r["Status"] == "Enabled"]
    assert len(found) == 1, f"rules for {prefix!r}: {found}"
    return found[0]


@noticed(
    put("BucketPolicy/Properties/PolicyDocument/Statement/0/Condition/Bool/aws:SecureTransport", "true"),
    put("BucketPolicy/Properties/PolicyDocument/Statement/0/Effect", "Allow"),
    drop("BucketPolicy/Properties/PolicyDocument/Statement/0"),
)
def plain_http_is_refused(template):
    statements = stack(template).properties("BucketPolicy")["PolicyDocument"]["Statement"]
    denied = [s for s in statements if s["Effect"] == "Deny"]
    assert denied and denied[0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert denied[0]["Resource"] == [BUCKET, f"{BUCKET}/*"] and denied[0]["Principal"] == "*"


@noticed(
    put("Bucket/Properties/CorsConfiguration/CorsRules/0/AllowedOrigins", ["*"]),
    put("Bucket/Properties/CorsConfiguration/CorsRules/0/AllowedMethods", ["GET"]),
)
def the_page_and_only_the_page_uploads(template):
    rule = stack(template).properties("Bucket")["CorsConfiguration"]["CorsRules"][0]
    assert rule["AllowedOrigins"] == ["https://<Distribution.DomainName>"]
    assert "PUT" in rule["AllowedMethods"] and "ETag" in rule["ExposedHeaders"]
    named = stack(template, DomainName="v.example.com", CertificateArn="arn:aws:acm:us-east-1:1:certificate/c")
    assert named.properties("Bucket")["CorsConfiguration"]["CorsRules"][0]["AllowedOrigins"] == ["https://v.example.com"]
    others = stack(template, AllowedOrigins=",".join(SITES)).properties("Bucket")["CorsConfiguration"]["CorsRules"][0]
    assert others["AllowedOrigins"] == ["https://<Distribution.DomainName>", *SITES]


@noticed(drop("Bucket/Condition"), drop("BucketPolicy/Condition"))
def an_existing_bucket_is_left_alone(template):
    changed = stack(template, BucketMode="existing")
    assert not changed.of_type("AWS::S3::Bucket") and not changed.of_type("AWS::S3::BucketPolicy")
    assert changed.outputs["Bucket"] == PARAMETERS["BucketName"]


OUTPUTS = "arn:aws:s3:::film-outputs"


@noticed(
    drop("OutputBucket/Condition"),
    put("OutputBucket/Properties/VersioningConfiguration/Status", "Suspended"),
    put("OutputBucket/Properties/PublicAccessBlockConfiguration/BlockPublicPolicy", False),
    drop("OutputBucket/Properties/BucketEncryption"),
    drop("OutputBucket/DeletionPolicy"),
    put("OutputBucket/Properties/LifecycleConfiguration/Rules/0/Transitions/1/StorageClass", "GLACIER"),
    drop("OutputBucket/Properties/LifecycleConfiguration/Rules/1/AbortIncompleteMultipartUpload"),
    drop("OutputBucketPolicy/Properties/PolicyDocument/Statement/0"),
    put("OutputBucketPolicy/Properties/PolicyDocument/Statement/1/Fn::If/1/Condition", {}),
    put("OutputBucketPolicy/Properties/PolicyDocument/Statement/1/Fn::If/1/Resource", [OUTPUTS + "/*"]),
    put("OutputBucketPolicy/Properties/PolicyDocument/Statement/2/Fn::If/1/Principal", "*"),
    put("BucketPolicy/Properties/PolicyDocument/Statement/1/Fn::If/1/Resource", [BUCKET + "/output/*", BUCKET + "/web/*"]),
    drop("SubmitFunction/Properties/Environment/Variables/OUTPUT_BUCKET"),
    put("SignerFunction/Properties/Environment/Variables/OUTPUT_BUCKET", {"Ref": "BucketName"}),
    drop("ReconcileFunction/Properties/Environment/Variables/OUTPUT_BUCKET"),
    put("Distribution/Properties/DistributionConfig/CacheBehaviors/4/TargetOriginId", "bucket"),
    put("Distribution/Properties/DistributionConfig/Origins/1/Fn::If/1/OriginAccessControlId", {"Ref": "AWS::NoValue"}),
    put("Distribution/Properties/DistributionConfig/Origins/1/Fn::If/1/S3OriginConfig/OriginAccessIdentity", ""),
)
def outputs_lie_in_a_bucket_of_their_own_on_request(template):
    plain = stack(template)
    assert not {"OutputBucket", "OutputBucketPolicy"} & set(plain.resources)
    assert plain.outputs["OutputBucket"] == PARAMETERS["BucketName"]
    assert all("OUTPUT_BUCKET" not in _environment(plain, name) for name in FUNCTIONS)
    built = stack(template, OutputBucketName="film-outputs")
    bucket, main = built.resources["OutputBucket"], built.properties("Bucket")
    properties = bucket["Properties"]
    for same in ("VersioningConfiguration", "BucketEncryption", "OwnershipControls", "PublicAccessBlockConfiguration"):
        assert properties.get(same) == main[same], same
    assert bucket.get("DeletionPolicy") == "RetainExceptOnCreate" and bucket["UpdateReplacePolicy"] == "Retain"
    assert "NotificationConfiguration" not in properties
    outputs, leftovers = properties["LifecycleConfiguration"]["Rules"]
    assert outputs["Prefix"] == "output/" and "ExpirationInDays" not in outputs
    assert [(t["StorageClass"], t["TransitionInDays"]) for t in outputs["Transitions"]] == [("STANDARD_IA", 30), ("GLACIER_IR", 60)]
    assert leftovers.get("AbortIncompleteMultipartUpload") == {"DaysAfterInitiation": 7}
    for name in ("Submit", "Signer", "Reconcile"):
        assert _environment(built, name).get("OUTPUT_BUCKET") == "film-outputs", name
    origins = {o["Id"]: o for o in built.properties("Distribution")["DistributionConfig"]["Origins"]}
    assert origins["outputs"].get("OriginAccessControlId") == "<BucketAccess>"
    targets = {b["PathPattern"]: b["TargetOriginId"] for b in built.properties("Distribution")["DistributionConfig"]["CacheBehaviors"]}
    assert targets["/output/*"] == "outputs" and targets["/web/*"] == "bucket"
    readers = _readers(built, "OutputBucketPolicy")
    assert readers["DistributionReads"]["Resource"] == [f"{OUTPUTS}/output/*"]
    source = "arn:aws:cloudfront::111122223333:distribution/<Distribution>"
    assert readers["DistributionReads"]["Condition"] == {"StringEquals": {"AWS:SourceArn": source}}
    assert _readers(built)["DistributionReads"]["Resource"] == [f"{BUCKET}/web/*"]
    (denied,) = [s for s in built.properties("OutputBucketPolicy")["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"] or [{}]
    assert denied.get("Resource") == [OUTPUTS, f"{OUTPUTS}/*"] and denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    legacy = stack(template, OutputBucketName="film-outputs", OriginAccess="OAI")
    origins = {o["Id"]: o for o in legacy.properties("Distribution")["DistributionConfig"]["Origins"]}
    assert origins["outputs"]["S3OriginConfig"] == origins["bucket"]["S3OriginConfig"]
    (reader,) = _readers(legacy, "OutputBucketPolicy").values()
    assert reader["Principal"] == {"CanonicalUser": "<OriginAccessIdentity.S3CanonicalUserId>"}
    existing = stack(template, OutputBucketName="film-outputs", OutputBucketMode="existing")
    assert not {"OutputBucket", "OutputBucketPolicy"} & set(existing.resources)
    assert existing.outputs["OutputBucket"] == "film-outputs"
    assert not stack(template, OutputBucketName=PARAMETERS["BucketName"]).rules_hold()


@noticed(
    drop("ReplicationRole/Condition"),
    put("Bucket/Properties/ReplicationConfiguration", {"Ref": "AWS::NoValue"}),
    put("Bucket/Properties/ReplicationConfiguration/Fn::If/1/Rules/0/Filter/Prefix", ""),
    put("Bucket/Properties/ReplicationConfiguration/Fn::If/1/Rules/0/Status", "Disabled"),
    put("Bucket/Properties/ReplicationConfiguration/Fn::If/1/Rules/0/DeleteMarkerReplication/Status", "Enabled"),
    put("Bucket/Properties/ReplicationConfiguration/Fn::If/1/Rules/0/Destination/StorageClass", "GLACIER"),
    drop("Bucket/Properties/ReplicationConfiguration/Fn::If/1/Rules/1"),
    put("ReplicationRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal/Service", "lambda.amazonaws.com"),
    put("ReplicationRole/Properties/AssumeRolePolicyDocument/Statement/0/Condition", {"StringEquals": {"aws:SourceAccount": "111122223333"}}),
    drop("Bucket/Properties/ReplicationConfiguration/Fn::If/1/Rules/0/Destination/Metrics"),
    drop("UploadsNotCopied"),
    put("UploadsNotCopied/Properties/Dimensions/2/Value", "templates"),
    put("UploadsNotCopied/Properties/AlarmActions", []),
)
def sources_are_copied_to_a_second_region_on_request(template):
    plain = stack(template)
    assert "ReplicationRole" not in plain.resources and "ReplicationConfiguration" not in plain.properties("Bucket")
    built = stack(template, ReplicaBucketName="film-replica")
    config = built.properties("Bucket").get("ReplicationConfiguration")
    assert config and config["Role"] == "<ReplicationRole.Arn>"
    rules = {rule["Filter"]["Prefix"]: rule for rule in config["Rules"]}
    assert set(rules) == {"input/", "jobs/"} and len({rule["Priority"] for rule in config["Rules"]}) == 2
    for rule in rules.values():
        assert rule["Status"] == "Enabled" and rule["DeleteMarkerReplication"] == {"Status": "Disabled"}
        assert rule["Destination"]["Bucket"] == "arn:aws:s3:::film-replica"
        # MediaConvert must be able to read it on the day of the restore.
        assert rule["Destination"].get("StorageClass", "STANDARD") in ("STANDARD", "STANDARD_IA", "GLACIER_IR")
    (trust,) = built.properties("ReplicationRole")["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "s3.amazonaws.com"}
    # AWS's own policy for this role has none, and a role that S3 may not assume fails in silence.
    assert "Condition" not in trust
    # A copy that fails rings: the metric is written for rules that ask for it, under the rule's name.
    assert rules["input/"]["Destination"].get("Metrics") == {"Status": "Enabled"}
    (alarm,) = [a for a in built.of_type("AWS::CloudWatch::Alarm").values() if a["MetricName"] == "OperationsFailedReplication"] or [None]
    assert alarm and alarm["AlarmActions"] == ["<Alarms>"] and alarm["Namespace"] == "AWS/S3"
    assert {d["Name"]: d["Value"] for d in alarm["Dimensions"]} == {
        "SourceBucket": PARAMETERS["BucketName"], "DestinationBucket": "film-replica", "RuleId": rules["input/"]["Id"]}
    # A bucket that is not the stack's: deploy.sh merges the rules into it, under the same role.
    existing = stack(template, ReplicaBucketName="film-replica", BucketMode="existing")
    assert existing.outputs["ReplicationRoleArn"] == "<ReplicationRole.Arn>"
    assert existing.properties("UploadsNotCopied")["Dimensions"][2]["Value"] == "vod-film-sources"
    assert not stack(template, ReplicaBucketName=PARAMETERS["BucketName"]).rules_hold()


# ------------------------------------------------------------------------------------- events and functions


@noticed(
    put("Bucket/Properties/NotificationConfiguration/QueueConfigurations/0/Event", "s3:ObjectCreated:Put"),
    put("Bucket/Properties/NotificationConfiguration/QueueConfigurations/0/Filter/S3Key/Rules/0/Value", ""),
    drop("Bucket/DependsOn"),
)
def every_upload_reaches_the_queue(template):
    bucket = stack(template).resources["Bucket"]
    (config,) = bucket["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    assert config["Event"] == "s3:ObjectCreated:*" and config["Queue"] == "<UploadQueue.Arn>"
    # No suffix: whether it is a video is judged by probing.
    assert config["Filter"]["S3Key"]["Rules"] == [{"Name": "prefix", "Value": "input/"}]
    assert bucket.get("DependsOn") == "UploadQueuePolicy"


@noticed(
    drop("UploadQueuePolicy/Properties/PolicyDocument/Statement/0/Condition/ArnEquals"),
    drop("UploadQueuePolicy/Properties/PolicyDocument/Statement/0/Condition/StringEquals"),
    put("UploadQueuePolicy/Properties/PolicyDocument/Statement/0/Principal", "*"),
)
def only_this_bucket_sends_to_the_queue(template):
    (s,) = stack(template).properties("UploadQueuePolicy")["PolicyDocument"]["Statement"]
    assert s["Principal"] == {"Service": "s3.amazonaws.com"} and s["Action"] == "sqs:SendMessage"
    assert s["Condition"].get("ArnEquals") == {"aws:SourceArn": BUCKET}
    assert s["Condition"].get("StringEquals") == {"aws:SourceAccount": "111122223333"}


@noticed(
    put("UploadQueue/Properties/VisibilityTimeout", 60),
    put("UploadQueue/Properties/RedrivePolicy/maxReceiveCount", 2),
    drop("UploadQueue/Properties/RedrivePolicy"),
    put("SubmitFunction/Properties/Timeout", 600),
    put("UploadDeadLetters/Properties/MessageRetentionPeriod", 3600),
    put("SubmitFunction/Properties/Environment/Variables/MAX_RECEIVES", 3),
)
def uploads_are_tried_again_and_then_kept(template):
    built = stack(template)
    queue = built.properties("UploadQueue")
    assert queue["VisibilityTimeout"] >= 6 * built.properties("SubmitFunction")["Timeout"]
    assert queue.get("RedrivePolicy", {}).get("deadLetterTargetArn") == "<UploadDeadLetters.Arn>"
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5
    # At the last delivery submit writes the reason into the record.
    assert _environment(built, "Submit")["MAX_RECEIVES"] == queue["RedrivePolicy"]["maxReceiveCount"]
    assert built.properties("UploadDeadLetters")["MessageRetentionPeriod"] == 14 * 86400


@noticed(
    drop("UploadEvents/Properties/FunctionResponseTypes"),
    drop("UploadEvents/Properties/ScalingConfig"),
    put("UploadEvents/Properties/FunctionName", {"Ref": "SubmitFunction"}),
)
def submit_takes_batches_that_fail_in_parts_and_is_capped(template):
    mapping = stack(template).properties("UploadEvents")
    assert mapping.get("FunctionResponseTypes") == ["ReportBatchItemFailures"]
    assert mapping.get("ScalingConfig", {}).get("MaximumConcurrency", 0) >= 2
    assert mapping["FunctionName"] == "<SubmitAlias>" and mapping["EventSourceArn"] == "<UploadQueue.Arn>"


@noticed(
    drop("JobEvents/Properties/EventPattern/detail/userMetadata"),
    put("JobEvents/Properties/EventPattern/detail/status", ["COMPLETE", "ERROR"]),
    put("CompleteFunction/Properties/Environment/Variables/APPLICATION", "vod"),
    put("SubmitFunction/Properties/Environment/Variables/APPLICATION", "vod"),
)
def complete_hears_of_this_applications_jobs_and_of_no_others(template):
    built = stack(template)
    pattern = built.properties("JobEvents")["EventPattern"]
    assert pattern["source"] == ["aws.mediaconvert"]
    assert pattern["detail-type"] == ["MediaConvert Job State Change"]
    assert pattern["detail"].get("userMetadata") == {"application": ["film"]}
    source = (ROOT / "crates/vod-core/src/events/mediaconvert.rs").read_text()
    handled = set(re.findall(r'^        "([A-Z_]+)"(?: \| "[A-Z_]+")* => ', source, re.M))
    assert handled and handled <= set(pattern["detail"]["status"]), handled
    for name in ("Submit", "Complete", "Reconcile"):
        assert _environment(built, name)["APPLICATION"] == "film"


@noticed(
    drop("JobEvents/Properties/Targets/0/DeadLetterConfig"),
    put("JobEvents/Properties/Targets/0/RetryPolicy/MaximumRetryAttempts", 0),
    put("JobEvents/Properties/Targets/0/Arn", {"Fn::GetAtt": ["CompleteFunction", "Arn"]}),
    drop("CompleteRetries/Properties/DestinationConfig"),
    drop("JobEventDeadLettersPolicy"),
    put("CompleteRetries/Properties/Qualifier", "$LATEST"),
)
def no_job_event_is_lost(template):
    built = stack(template)
    (target,) = built.properties("JobEvents")["Targets"]
    assert target["Arn"] == "<CompleteAlias>"
    assert target["RetryPolicy"]["MaximumRetryAttempts"] >= 100
    assert target.get("DeadLetterConfig") == {"Arn": "<JobEventDeadLetters.Arn>"}
    retries = built.properties("CompleteRetries")
    assert retries["Qualifier"] == "live" and retries["MaximumRetryAttempts"] == 2
    assert retries.get("DestinationConfig") == {"OnFailure": {"Destination": "<JobEventDeadLetters.Arn>"}}
    (s,) = built.properties("JobEventDeadLettersPolicy")["PolicyDocument"]["Statement"]
    assert s["Principal"] == {"Service": "events.amazonaws.com"}


@noticed(
    put("ReconcileSchedule/Properties/ScheduleExpression", "rate(1 day)"),
    put("ReconcileSchedule/Properties/Targets/0/Arn", {"Ref": "ReconcileFunction"}),
    # An event of the schedule's own form would be read as options.
    drop("ReconcileSchedule/Properties/Targets/0/Input"),
    drop("ReconcileScheduleMayInvoke"),
)
def reconcile_runs_on_a_schedule(template):
    built = stack(template)
    schedule = built.properties("ReconcileSchedule")
    assert schedule["ScheduleExpression"] == "rate(15 minutes)"
    assert schedule["Targets"] == [{"Id": "reconcile", "Arn": "<ReconcileAlias>", "Input": "{}"}]
    allowed = {p["SourceArn"]: p for p in built.of_type("AWS::Lambda::Permission").values()}
    assert allowed["<ReconcileSchedule.Arn>"]["FunctionName"] == "<ReconcileAlias>" if "<ReconcileSchedule.Arn>" in allowed else False


def _environment(built, name):
    return built.properties(f"{name}Function")["Environment"]["Variables"]


@noticed(
    put("SubmitFunction/Properties/Environment/Variables/BUCKETS", "x"),
    drop("SubmitFunction/Properties/Environment/Variables/MEDIACONVERT_ROLE_ARN"),
    drop("SignerFunction/Properties/Environment/Variables/AUTH_JWT_SECRET"),
    drop("ReconcileFunction/Properties/Environment/Variables/BUCKET"),
    put("CompleteFunction/Properties/Environment/Variables/LOG_LEVEL", "debug"),
)
def functions_get_the_variables_that_they_read(template):
    built = stack(template)
    for name in FUNCTIONS:
        known, required = _config(f"functions/{name.lower()}/src/config.rs")
        if name in ("Submit", "Reconcile"):
            # Both create jobs, with the same configuration.
            more, needed = _config("crates/pipeline/src/config.rs")
            known, required = known | more, required | needed
        if name in ("Signer", "Owner"):
            more, needed = _config("crates/vod-http/src/tokens.rs")
            known, required = known | more, required | needed
        given = set(_environment(built, name))
        assert given <= known, f"{name} never reads {given - known}"
        assert required <= given, f"{name} lacks {required - given}"


def _config(path):
    source = (ROOT / path).read_text()
    constants = dict(re.findall(r'^pub const (\w+): &str = "(\w+)";', source, re.M))
    required = {constants[name] for name in re.findall(r"env\.required\((\w+)\)", source)}
    return set(constants.values()), required


@noticed(
    put("SignerFunction/Properties/Environment/Variables/AUTH_JWT_SECRET", {"Ref": "JwtSecretArn"}),
    drop("SignerFunction/Properties/Environment/Variables/AUTH_JWKS_URL"),
    drop("OwnerFunction/Properties/Environment/Variables/AUTH_JWKS_URL"),
)
def viewers_come_with_our_tokens_or_a_providers(template):
    url = "https://id.example.com/jwks"
    built = stack(template, AuthJwksUrl=url, AuthIssuer="https://id.example.com", AuthAudience="vod")
    for name in ("Signer", "Owner"):
        ours, theirs = _environment(stack(template), name), _environment(built, name)
        assert ours["AUTH_JWT_SECRET"] == PARAMETERS["JwtSecretArn"] and "AUTH_JWKS_URL" not in ours
        assert theirs.get("AUTH_JWKS_URL") == url and "AUTH_JWT_SECRET" not in theirs and built.rules_hold()
    assert not stack(template, AuthJwksUrl=url, AuthIssuer="x").rules_hold()


@noticed(
    put("SignerFunction/Properties/Architectures", ["x86_64"]),
    put("CompleteFunction/Properties/Runtime", "provided.al2"),
    drop("SubmitFunction/Properties/TracingConfig"),
    put("ReconcileFunction/Properties/Code/S3Key", "latest.zip"),
    put("SubmitLogs/Properties/RetentionInDays", {"Ref": "AWS::NoValue"}),
    put("SubmitFunction/Properties/LoggingConfig/LogFormat", "Text"),
)
def functions_are_arm64_traced_and_their_logs_end(template):
    built = stack(template)
    for name in FUNCTIONS:
        function = built.properties(f"{name}Function")
        assert (function["Runtime"], function["Architectures"]) == ("provided.al2023", ["arm64"])
        assert function.get("TracingConfig") == {"Mode": "Active"}
        assert function["LoggingConfig"]["LogFormat"] == "JSON"
        assert function["LoggingConfig"]["LogGroup"] == f"<{name}Logs>"
        assert function["Code"] == {"S3Bucket": "film-code", "S3Key": f"{name.lower()}-1.zip"}
        logs = built.properties(f"{name}Logs")
        assert logs["LogGroupName"] == f"/aws/lambda/{function['FunctionName']}"
        assert logs.get("RetentionInDays") == 30


@noticed(
    put("SubmitAlias/Properties/Name", "prod"),
    put("SignerFunction/Properties/Description", "signer"),
    put("CompleteVersion/Properties/Description", "one"),
    drop("ReconcileAlias/UpdatePolicy"),
    put("SignerShift/Properties/AlarmConfiguration/Alarms", []),
    put("SubmitShift/Properties/AutoRollbackConfiguration/Enabled", False),
    put("CompleteShift/Properties/AutoRollbackConfiguration/Events", ["DEPLOYMENT_FAILURE"]),
    put("SignerShift/Properties/DeploymentConfigName", "CodeDeployDefault.LambdaAllAtOnce"),
    put("ReconcileShift/Properties/DeploymentStyle/DeploymentOption", "WITHOUT_TRAFFIC_CONTROL"),
    put("SignerShift/Properties/AlarmConfiguration/Enabled", False),
    put("TrafficShiftRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal", {"Service": "lambda.amazonaws.com"}),
    put("SubmitReleaseErrors/Properties/Period", 3600),
    put("SignerReleaseErrors/Properties/Dimensions/0/Value", "other"),
    # On all versions, a function that fails could not be repaired by a deploy.
    put("SignerShift/Properties/AlarmConfiguration/Alarms/0/Name", {"Ref": "SignerErrors"}),
    drop("CompleteReleaseErrors/Properties/Dimensions/2"),
    put("ReconcileReleaseErrors/Properties/Dimensions/1/Value", "film-reconcile"),
    put("SignerServerErrors/Properties/Dimensions/2/Value", "1"),
    put("SignerServerErrors/Properties/MetricName", "Url4xxCount"),
    # Traffic has moved before the first period of an alarm ends.
    parameter("TrafficShift", "Default", "AllAtOnce"),
)
def releases_go_live_by_alias_and_back_on_alarm(template):
    built = stack(template)
    for name in FUNCTIONS:
        alias = built.resources[f"{name}Alias"]
        assert alias["Properties"]["Name"] == "live"
        assert alias["Properties"]["FunctionVersion"] == f"<{name}Version.Version>"
        shift = alias.get("UpdatePolicy", {}).get("CodeDeployLambdaAliasUpdate", {})
        assert shift.get("DeploymentGroupName") == f"<{name}Shift>"
        # Both change with the release: without the first, publishing the second would be refused.
        assert PARAMETERS["Release"] in built.properties(f"{name}Function")["Description"]
        assert PARAMETERS["Release"] == built.properties(f"{name}Version")["Description"]
        group = built.properties(f"{name}Shift")
        watched = {f"{name}ReleaseErrors": "Errors"} | ({f"{name}ServerErrors": "Url5xxCount"} if name in ("Signer", "Owner") else {})
        assert group["AlarmConfiguration"]["Alarms"] == [{"Name": f"<{alarm}>"} for alarm in watched]
        assert group["AlarmConfiguration"]["Enabled"] is group["AutoRollbackConfiguration"]["Enabled"] is True
        assert set(group["AutoRollbackConfiguration"]["Events"]) == {"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"}
        assert group["DeploymentStyle"] == {"DeploymentType": "BLUE_GREEN", "DeploymentOption": "WITH_TRAFFIC_CONTROL"}
        assert group["ServiceRoleArn"] == "<TrafficShiftRole.Arn>"
        for shift in template["Parameters"]["TrafficShift"]["AllowedValues"]:
            chosen = stack(template, TrafficShift=shift).properties(f"{name}Shift")
            assert chosen["DeploymentConfigName"] == f"CodeDeployDefault.Lambda{shift}"
        # It watches the new version under the alias, and rings while the shortest shift (five minutes) is under way.
        function = built.properties(f"{name}Function")["FunctionName"]
        for alarm, metric in watched.items():
            alarm = built.properties(alarm)
            assert {d["Name"]: d["Value"] for d in alarm["Dimensions"]} == {
                "FunctionName": function, "Resource": f"{function}:live", "ExecutedVersion": f"<{name}Version.Version>"}
            assert (alarm["MetricName"], alarm["Period"] * alarm["EvaluationPeriods"] <= 120) == (metric, True)
    assert template["Parameters"]["TrafficShift"]["Default"].startswith("Canary")
    (trust,) = built.properties("TrafficShiftRole")["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "codedeploy.amazonaws.com"}


@noticed(
    put("DistributionMayInvoke/Properties/FunctionName", {"Ref": "SignerFunction"}),
    put("JobEventsMayInvoke/Properties/FunctionName", {"Ref": "CompleteFunction"}),
    drop("JobEventsMayInvoke/Properties/SourceArn"),
)
def permissions_are_on_the_alias_and_name_their_source(template):
    for name, permission in stack(template).of_type("AWS::Lambda::Permission").items():
        assert permission["FunctionName"].endswith("Alias>"), name
        assert "SourceArn" in permission, name


@noticed(
    put("SubmitFunction/Properties/VpcConfig", {"Ref": "AWS::NoValue"}),
    put("SignerRole/Properties/ManagedPolicyArns", []),
)
def functions_sit_in_private_subnets_on_request(template):
    without = stack(template)
    within = stack(template, SubnetIds="subnet-1,subnet-2", SecurityGroupIds="sg-1")
    for name in FUNCTIONS:
        assert "VpcConfig" not in without.properties(f"{name}Function")
        assert without.properties(f"{name}Role").get("ManagedPolicyArns") == []
        config = within.properties(f"{name}Function").get("VpcConfig")
        assert config == {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
        (arn,) = within.properties(f"{name}Role")["ManagedPolicyArns"] or [""]
        assert arn.endswith("/AWSLambdaVPCAccessExecutionRole")


# ------------------------------------------------------------------------------------------------ playback


def _config_of(template, **changes):
    return stack(template, **changes).properties("Distribution")["DistributionConfig"]


@noticed(
    put("Distribution/Properties/DistributionConfig/CacheBehaviors/4/PathPattern", "/output/*.ts"),
    drop("Distribution/Properties/DistributionConfig/CacheBehaviors/4/TrustedKeyGroups"),
    put("Distribution/Properties/DistributionConfig/CacheBehaviors/0/PathPattern", "/*"),
    put("Distribution/Properties/DistributionConfig/CacheBehaviors/0/TargetOriginId", "bucket"),
    put("Distribution/Properties/DistributionConfig/CacheBehaviors/5/PathPattern", "*.js"),
    put("Distribution/Properties/DistributionConfig/CacheBehaviors/6/PathPattern", "*.m3u8"),
    drop("Distribution/Properties/DistributionConfig/CacheBehaviors/3"),
)
def behaviors_are_in_order_and_output_is_signed(template):
    config = _config_of(template)
    order = [(b["PathPattern"], b["TargetOriginId"]) for b in config["CacheBehaviors"]]
    expected = [("/play/*", "signer"), ("/api/uploads*", "owner"), ("/api/manage/*", "owner"), ("/api/*", "signer"), ("/output/*", "bucket"), ("/web/*.js", "bucket"), ("/web/*", "bucket")]
    assert order == expected, order
    assert config["CacheBehaviors"][4].get("TrustedKeyGroups") == ["<Keys>"]


@noticed(
    drop("Distribution/Properties/DistributionConfig/DefaultCacheBehavior/FunctionAssociations"),
    put("Distribution/Properties/DistributionConfig/DefaultCacheBehavior/FunctionAssociations/0/EventType", "viewer-response"),
    put("PageOnly/Properties/FunctionCode", "function handler(event) { return event.request; }"),
    put("PageOnly/Properties/FunctionCode", "function handler(event) { return { statusCode: 403 }; }"),
)
def the_default_behavior_serves_the_page_and_nothing_else(template):
    built = stack(template)
    default = built.properties("Distribution")["DistributionConfig"]["DefaultCacheBehavior"]
    assert default.get("FunctionAssociations") == [
        {"EventType": "viewer-request", "FunctionARN": "<PageOnly.FunctionARN>"}
    ]
    code = built.properties("PageOnly")["FunctionCode"]
    page = _run(code, {"request": {"uri": "/", "headers": {}}})
    assert page.get("uri") == "/web/index.html"
    for uri in ("/output/a/hls/video.m3u8", "/%6futput/a", "//output/a", "/catalog/a.json", "/web"):
        assert _run(code, {"request": {"uri": uri, "headers": {}}}).get("statusCode") == 403, uri


@noticed(
    put("ViewerToSigner/Properties/FunctionCode", "function handler(event) { return event.request; }"),
    drop("Distribution/Properties/DistributionConfig/CacheBehaviors/0/FunctionAssociations"),
    put("Distribution/Properties/DistributionConfig/CacheBehaviors/3/FunctionAssociations/0/FunctionARN", "<PageOnly.FunctionARN>"),
)
def the_signer_learns_host_authorization_and_encodings_of_the_viewer(template):
    built = stack(template)
    for behavior in built.properties("Distribution")["DistributionConfig"]["CacheBehaviors"][:4]:
        wanted = [{"EventType": "viewer-request", "FunctionARN": "<ViewerToSigner.FunctionARN>"}]
        assert behavior.get("FunctionAssociations") == wanted
    code = built.properties("ViewerToSigner")["FunctionCode"]
    forged = {"host": {"value": "v.example.com"}, "x-viewer-host": {"value": "evil"}, "x-viewer-distribution": {"value": "evil"},
              "x-viewer-authorization": {"value": "Bearer stolen"}, "x-viewer-accept-encoding": {"value": "br"}}
    context = {"distributionId": "E1"}
    sent = _run(code, {"context": context, "request": {"uri": "/api/x", "headers": forged}})["headers"]
    assert sent["x-viewer-host"] == {"value": "v.example.com"} and sent["x-viewer-distribution"] == {"value": "E1"}
    assert "x-viewer-authorization" not in sent and "x-viewer-accept-encoding" not in sent
    with_token = {**forged, "authorization": {"value": "Bearer mine"}, "accept-encoding": {"value": "gzip"}}
    sent = _run(code, {"context": context, "request": {"uri": "/api/x", "headers": with_token}})["headers"]
    assert sent["x-viewer-authorization"] == {"value": "Bearer mine"}
    assert sent["x-viewer-accept-encoding"] == {"value": "gzip"}


def _run(code, event):
    """Runs a CloudFront Function in Node: cloudfront-js-2.0 is a subset of it as far as these go."""
    script = f"{code}\nconsole.log(JSON.stringify(handler({json.dumps(event)})))"
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True, timeout=30)
    return json.loads(done.stdout)


def _rust_policy(name):
    """A table of crates/local-edge/src/headers.rs, as header → value."""
    source = (ROOT / "crates/local-edge/src/headers.rs").read_text()
    body = re.search(rf"const {name}: Policy = &\[(.*?)\n\];", source, re.S).group(1)
    body = re.sub(r"\\\n\s*", "", body)
    # The page may also connect to the bucket, to which it uploads.
    page = re.sub(r"\\\n\s*", "", re.search(r'const PAGE: &str = "(.*?)";', source, re.S).group(1))
    connect = re.search(r'format!\("\{PAGE\}(.*?)\{bucket_origin\}"\)', source).group(1)
    body = body.replace("PAGE)", f'"{page}{connect}https://{PARAMETERS["BucketName"]}.s3.us-east-1.amazonaws.com")')
    return {k.lower().replace("_", "-"): v for k, v in re.findall(r'\(\s*(\w+),\s*"([^"]*)",?\s*\)', body)}


def _headers(built, name):
    config = built.properties(name)["ResponseHeadersPolicyConfig"]
    found = {i["Header"].lower(): i["Value"] for i in config.get("CustomHeadersConfig", {}).get("Items", [])}
    security = config.get("SecurityHeadersConfig", {})
    if "ContentTypeOptions" in security:
        found["x-content-type-options"] = "nosniff"
    if "ReferrerPolicy" in security:
        found["referrer-policy"] = security["ReferrerPolicy"]["ReferrerPolicy"]
    if "ContentSecurityPolicy" in security:
        found["content-security-policy"] = security["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    return found


@noticed(
    put("PageHeaders/Properties/ResponseHeadersPolicyConfig/CustomHeadersConfig/Items/0/Value", "max-age=60"),
    drop("PageHeaders/Properties/ResponseHeadersPolicyConfig/SecurityHeadersConfig/ContentSecurityPolicy"),
    drop("OutputHeaders/Properties/ResponseHeadersPolicyConfig/SecurityHeadersConfig"),
    put("OutputCaching/Properties/FunctionCode", "function handler(event) { return event.response; }"),
    put("OutputCaching/Properties/FunctionCode", "function handler(event) { event.response.headers['cache-control'] = "
        "{ value: 'public, max-age=31536000, immutable' }; return event.response; }"),
    drop("Distribution/Properties/DistributionConfig/CacheBehaviors/0/ResponseHeadersPolicyId"),
    drop("Distribution/Properties/DistributionConfig/CacheBehaviors/3/ResponseHeadersPolicyId"),
    drop("Distribution/Properties/DistributionConfig/CacheBehaviors/4/ResponseHeadersPolicyId"),
    drop("Distribution/Properties/DistributionConfig/CacheBehaviors/4/FunctionAssociations"),
)
def answers_carry_the_same_headers_as_the_local_edge(template):
    built = stack(template)
    config = built.properties("Distribution")["DistributionConfig"]
    output, scripts, web = config["CacheBehaviors"][4:]
    for behavior in config["CacheBehaviors"][:5]:
        wanted = "OwnerHeaders" if behavior["TargetOriginId"] == "owner" else "OutputHeaders"
        assert behavior.get("ResponseHeadersPolicyId") == f"<{wanted}>", behavior["PathPattern"]
    assert _headers(built, "OwnerHeaders") == _headers(built, "OutputHeaders")
    assert output.get("FunctionAssociations") == [
        {"EventType": "viewer-response", "FunctionARN": "<OutputCaching.FunctionARN>"}
    ]
    assert web["ResponseHeadersPolicyId"] == config["DefaultCacheBehavior"]["ResponseHeadersPolicyId"] == "<PageHeaders>"
    code = built.properties("OutputCaching")["FunctionCode"]
    good = _run(code, {"response": {"statusCode": 206, "headers": {}}})["headers"]
    found = _headers(built, "OutputHeaders") | {name: header["value"] for name, header in good.items()}
    assert found == _rust_policy("OUTPUT")
    assert _run(code, {"response": {"statusCode": 403, "headers": {}}})["headers"] == {}
    assert scripts["ResponseHeadersPolicyId"] == "<ScriptHeaders>"
    assert _headers(built, "PageHeaders") == _headers(built, "ScriptHeaders") == _rust_policy("WEB")


def _leave(policy):
    """The rights of pages of other sites by a response headers policy, as the headers that CloudFront sends."""
    config = policy["ResponseHeadersPolicyConfig"].get("CorsConfig")
    if not config:
        return None
    assert config["AccessControlAllowCredentials"] is False and config["OriginOverride"] is True
    lists = {name: ", ".join(config[f"AccessControl{name}"]["Items"]) for name in ("AllowMethods", "AllowHeaders", "ExposeHeaders")}
    return config["AccessControlAllowOrigins"]["Items"], lists, config["AccessControlMaxAgeSec"]


CORS_RUST = {"AllowMethods": "METHODS", "AllowHeaders": "HEADERS", "ExposeHeaders": "EXPOSED"}


@noticed(
    drop("OutputHeaders/Properties/ResponseHeadersPolicyConfig/CorsConfig"),
    put("OutputHeaders/Properties/ResponseHeadersPolicyConfig/CorsConfig/Fn::If/1/AccessControlAllowCredentials", True),
    put("OutputHeaders/Properties/ResponseHeadersPolicyConfig/CorsConfig/Fn::If/1/AccessControlAllowOrigins/Items", ["*"]),
    put("ScriptHeaders/Properties/ResponseHeadersPolicyConfig/CorsConfig/Fn::If/1/AccessControlAllowHeaders/Items", ["*"]),
    put("Distribution/Properties/DistributionConfig/CacheBehaviors/3/AllowedMethods", ["GET", "HEAD"]),
    put("Distribution/Properties/DistributionConfig/CacheBehaviors/0/AllowedMethods", ["GET", "HEAD", "OPTIONS"]),
    drop("Distribution/Properties/DistributionConfig/CacheBehaviors/0/ResponseHeadersPolicyId"),
    put("Distribution/Properties/DistributionConfig/CacheBehaviors/6/ResponseHeadersPolicyId", {"Ref": "ScriptHeaders"}),
    put("ViewerToSigner/Properties/FunctionCode/Fn::Sub/1/Origins", "https://evil.example.org"),
    parameter("AllowedOrigins", "AllowedPattern", ".*"),
)
def pages_of_allowed_origins_alone_may_read(template):
    built, plain = stack(template, AllowedOrigins=",".join(SITES)), stack(template)
    source = (ROOT / "crates/local-edge/src/cors.rs").read_text()
    local = {name: re.search(rf'const {constant}: &str = "(.*?)";', source).group(1) for name, constant in CORS_RUST.items()}
    owners = local | {name: re.search(rf'const {CORS_RUST[name]}_OWNER: &str = "(.*?)";', source).group(1) for name in ("AllowMethods", "AllowHeaders")}
    seconds = int(re.search(r'const MAX_AGE: &str = "(\d+)";', source).group(1))
    policies = dict(zip(("/play/*", "/api/*", "/output/*", "/web/*.js"), ("OutputHeaders", "OutputHeaders", "OutputHeaders", "ScriptHeaders")))
    policies |= {"/api/uploads*": "OwnerHeaders", "/api/manage/*": "OwnerHeaders"}
    for behavior in built.properties("Distribution")["DistributionConfig"]["CacheBehaviors"]:
        path = behavior["PathPattern"]
        # The page itself is for readers of its own site.
        assert behavior.get("ResponseHeadersPolicyId") == f"<{policies.get(path, 'PageHeaders')}>", path
        assert ("OPTIONS" in behavior["AllowedMethods"]) is (path == "/play/*" or path.startswith("/api/")), path
    for name in set(policies.values()):
        assert _leave(built.properties(name)) == (SITES, owners if name == "OwnerHeaders" else local, seconds), name
        assert _leave(plain.properties(name)) is None, name
    assert _leave(built.properties("PageHeaders")) is None
    for behavior in plain.properties("Distribution")["DistributionConfig"]["CacheBehaviors"]:
        owner = behavior["TargetOriginId"] == "owner"
        assert behavior["AllowedMethods"] == (owners["AllowMethods"].split(", ") if owner else ["GET", "HEAD"])
    _preflight(built, plain, "/api/x", local, seconds)
    for path in ("/api/uploads", "/api/uploads/x/1", "/api/manage/assets/x"):
        _preflight(built, plain, path, owners, seconds)
    pattern = template["Parameters"]["AllowedOrigins"]["AllowedPattern"]
    assert all(re.fullmatch(pattern, origin) for origin in ["", *SITES])
    for bad in ("*", "https://*", "https://x.org/", "https://x.org/a", "blog.example.org", "https://X.org", "https://x.org' + '"):
        assert not re.fullmatch(pattern, bad), bad


def _preflight(built, plain, path, local, seconds):
    """OPTIONS at the signer is answered by the function, because a Function URL behind access control would not."""
    def ask(stack, origin):
        headers = {"host": {"value": "v.example.com"}} | ({"origin": {"value": origin}} if origin else {})
        answer = _run(stack.properties("ViewerToSigner")["FunctionCode"], {"request": {"method": "OPTIONS", "uri": path, "headers": headers}})
        assert answer.get("statusCode") == 204
        return {name: header["value"] for name, header in answer["headers"].items()}

    assert ask(built, SITES[0]) == {
        "vary": "Origin", "access-control-allow-origin": SITES[0], "access-control-allow-methods": local["AllowMethods"],
        "access-control-allow-headers": local["AllowHeaders"], "access-control-max-age": str(seconds)}
    for origin in ("https://evil.example.org", "null", "", None):
        assert ask(built, origin) == ask(plain, origin) == {"vary": "Origin"}, origin
    assert ask(plain, SITES[0]) == {"vary": "Origin"}


@noticed(
    put("ToSigner/Properties/OriginRequestPolicyConfig/HeadersConfig/HeaderBehavior", "allViewer"),
    put("ToSigner/Properties/OriginRequestPolicyConfig/HeadersConfig/Headers/0", "Host"),
    put("ToSigner/Properties/OriginRequestPolicyConfig/HeadersConfig/Headers", ["Accept"]),
    put("ToSigner/Properties/OriginRequestPolicyConfig/HeadersConfig/Headers/0", "accept-Encoding"),
    put("ToSigner/Properties/OriginRequestPolicyConfig/QueryStringsConfig/QueryStringBehavior", "none"),
    put("Distribution/Properties/DistributionConfig/CacheBehaviors/0/CachePolicyId", "658327ea-f89d-4fab-a63d-7e88639e58f6"),
)
def the_signer_gets_what_it_needs_and_never_host(template):
    built = stack(template)
    policy = built.properties("ToSigner")["OriginRequestPolicyConfig"]
    assert policy["HeadersConfig"]["HeaderBehavior"] == "whitelist"
    names = {name.lower() for name in policy["HeadersConfig"]["Headers"]}
    assert not names & {"host", "authorization", "cookie"}
    assert {"x-viewer-distribution", "x-viewer-host", "x-viewer-authorization", "x-viewer-accept-encoding", "cloudfront-viewer-address"} <= names
    assert aws_stub.refused_by_cloudfront(built) is None
    # CloudFront's quota, without asking for more.
    assert len(names) <= 10
    origin = (ROOT / "crates/local-edge/src/origin.rs").read_text()
    local = re.search(r"const TO_FUNCTION: \[HeaderName; \d+\] = \[(.*?)\];", origin, re.S).group(1)
    assert {name.strip().lower().replace("_", "-") for name in local.split(",") if name.strip()} <= names
    assert policy["QueryStringsConfig"] == {"QueryStringBehavior": "all"}
    assert policy["CookiesConfig"] == {"CookieBehavior": "none"}
    for behavior in built.properties("Distribution")["DistributionConfig"]["CacheBehaviors"][:4]:
        assert behavior["OriginRequestPolicyId"] == "<ToSigner>"
        # CachingDisabled
        assert behavior["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"


@noticed(
    drop("Distribution/Properties/DistributionConfig/CustomErrorResponses"),
    drop("Distribution/Properties/DistributionConfig/CustomErrorResponses/2"),
    put("Distribution/Properties/DistributionConfig/CustomErrorResponses/3/ErrorCachingMinTTL", 10),
    # Readers of the page would get a film's 404 as 200.
    put("Distribution/Properties/DistributionConfig/CustomErrorResponses/0", {"ErrorCode": 404, "ResponseCode": 200, "ResponsePagePath": "/"}),
)
def no_viewer_gets_the_server_error_of_another(template):
    config = _config_of(template)
    found = {e["ErrorCode"]: e for e in config.get("CustomErrorResponses", [])}
    assert set(found) == set(range(500, 505))
    # A page of ours in its place would hide the problem+json of the signer.
    assert all(set(e) == {"ErrorCode", "ErrorCachingMinTTL"} and e["ErrorCachingMinTTL"] == 0 for e in found.values())
    source = (ROOT / "crates/local-edge/src/cache.rs").read_text()
    assert re.search(r"const SERVER_ERROR_TTL: i64 = (\d+);", source).group(1) == "0"


@noticed(
    put("SignerUrl/Properties/AuthType", "NONE"),
    drop("SignerUrl/Properties/Qualifier"),
    drop("DistributionMayCallUrl"),
    put("OwnerUrl/Properties/AuthType", "NONE"),
    drop("DistributionMayInvokeOwner"),
    drop("DistributionMayInvoke"),
    put("DistributionMayInvoke/Properties/InvokedViaFunctionUrl", False),
    put("DistributionMayCallUrl/Properties/SourceArn", "*"),
    put("SignerAccess/Properties/OriginAccessControlConfig/OriginAccessControlOriginType", "s3"),
    put("Distribution/Properties/DistributionConfig/Origins/2/OriginAccessControlId", {"Ref": "BucketAccess"}),
)
def only_the_distribution_calls_signer_and_owner(template):
    built = stack(template)
    origins = {o["Id"]: o for o in built.properties("Distribution")["DistributionConfig"]["Origins"]}
    for name in ("Signer", "Owner"):
        url = built.properties(f"{name}Url")
        assert (url["AuthType"], url.get("Qualifier")) == ("AWS_IAM", "live")
        found = [p for p in built.of_type("AWS::Lambda::Permission").values() if p["FunctionName"] == f"<{name}Alias>"]
        assert {p["Action"] for p in found} == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}
        for permission in found:
            assert permission["Principal"] == "cloudfront.amazonaws.com"
            assert permission["SourceArn"] == "arn:aws:cloudfront::111122223333:distribution/<Distribution>"
            if permission["Action"] == "lambda:InvokeFunctionUrl":
                assert permission["FunctionUrlAuthType"] == "AWS_IAM"
            else:
                assert permission.get("InvokedViaFunctionUrl") is True
        access = built.properties(f"{name}Access")["OriginAccessControlConfig"]
        assert access["OriginAccessControlOriginType"] == "lambda"
        assert (access["SigningBehavior"], access["SigningProtocol"]) == ("always", "sigv4")
        origin = origins[name.lower()]
        assert origin["OriginAccessControlId"] == f"<{name}Access>"
        assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"


def _readers(built, policy="BucketPolicy"):
    statements = built.properties(policy)["PolicyDocument"]["Statement"]
    return {s["Sid"]: s for s in statements if s["Effect"] == "Allow"}


@noticed(
    parameter("OriginAccess", "Default", "OAI"),
    drop("OriginAccessIdentity/Condition"),
    put("BucketAccess/Properties/OriginAccessControlConfig/SigningBehavior", "never"),
    put("Distribution/Properties/DistributionConfig/Origins/0/OriginAccessControlId", {"Ref": "AWS::NoValue"}),
    put("BucketPolicy/Properties/PolicyDocument/Statement/1/Fn::If/1/Condition", {}),
    put("BucketPolicy/Properties/PolicyDocument/Statement/1/Fn::If/1/Resource", [BUCKET + "/*"]),
)
def the_bucket_is_read_by_origin_access_control(template):
    built = stack(template)
    origin = built.properties("Distribution")["DistributionConfig"]["Origins"][0]
    # With an access control the identity has to be there, and empty.
    assert origin["S3OriginConfig"] == {"OriginAccessIdentity": ""}
    assert origin.get("OriginAccessControlId") == "<BucketAccess>"
    assert built.properties("BucketAccess")["OriginAccessControlConfig"]["SigningBehavior"] == "always"
    assert not built.of_type("AWS::CloudFront::CloudFrontOriginAccessIdentity")
    readers = _readers(built)
    assert set(readers) == {"DistributionReads"}
    reader = readers["DistributionReads"]
    assert reader["Principal"] == {"Service": "cloudfront.amazonaws.com"} and reader["Action"] == "s3:GetObject"
    # Neither uploads nor records.
    assert reader["Resource"] == [f"{BUCKET}/output/*", f"{BUCKET}/web/*"]
    source = "arn:aws:cloudfront::111122223333:distribution/<Distribution>"
    assert reader["Condition"] == {"StringEquals": {"AWS:SourceArn": source}}


@noticed(
    put("Distribution/Properties/DistributionConfig/Origins/0/S3OriginConfig/OriginAccessIdentity", ""),
    put("Distribution/Properties/DistributionConfig/Origins/0/OriginAccessControlId", {"Ref": "BucketAccess"}),
    drop("BucketPolicy/Properties/PolicyDocument/Statement/2"),
    put("BucketPolicy/Properties/PolicyDocument/Statement/2/Fn::If/1/Resource", [BUCKET + "/*"]),
)
def or_by_origin_access_identity_on_request(template):
    built = stack(template, OriginAccess="OAI")
    origin = built.properties("Distribution")["DistributionConfig"]["Origins"][0]
    identity = "origin-access-identity/cloudfront/<OriginAccessIdentity>"
    assert origin["S3OriginConfig"] == {"OriginAccessIdentity": identity}
    assert "OriginAccessControlId" not in origin
    readers = _readers(built)
    assert set(readers) == {"OriginAccessIdentityReads"}
    reader = readers["OriginAccessIdentityReads"]
    assert reader["Principal"] == {"CanonicalUser": "<OriginAccessIdentity.S3CanonicalUserId>"}
    assert reader["Resource"] == [f"{BUCKET}/output/*", f"{BUCKET}/web/*"]
    # During a switch the bucket accepts both, so that no playback stops.
    for now, other in (("OAC", "OAI"), ("OAI", "OAC")):
        both = stack(template, OriginAccess=now, OriginAccessAlsoAllow=other)
        assert set(_readers(both)) == {"DistributionReads", "OriginAccessIdentityReads"}
        assert both.rules_hold()
        assert not stack(template, OriginAccess=now, OriginAccessAlsoAllow=now).rules_hold()


@noticed(
    put("Keys/Properties/KeyGroupConfig/Items", [{"Ref": "KeyOne"}]),
    drop("KeyTwo/Condition"),
    put("KeyOne/Properties/PublicKeyConfig/CallerReference", "always-the-same"),
)
def two_slots_hold_the_public_keys(template):
    def items(**keys):
        return stack(template, **keys).properties("Keys")["KeyGroupConfig"]["Items"]

    assert items() == ["<KeyOne>"]
    assert items(PublicKeyTwo=KEY) == ["<KeyOne>", "<KeyTwo>"]
    assert items(PublicKeyOne="", PublicKeyTwo=KEY) == ["<KeyTwo>"]
    assert "KeyTwoId" not in stack(template).outputs
    assert not stack(template).resources.get("KeyTwo")
    other = KEY.replace("MFkw", "MFkx")
    references = {stack(template, PublicKeyOne=key).properties("KeyOne")["PublicKeyConfig"]["CallerReference"] for key in (KEY, other)}
    assert len(references) == 2


@noticed(
    put("Distribution/Properties/DistributionConfig/ViewerCertificate/Fn::If/1/MinimumProtocolVersion", "TLSv1"),
    put("Distribution/Properties/DistributionConfig/CacheBehaviors/4/ViewerProtocolPolicy", "allow-all"),
    put("Distribution/Properties/DistributionConfig/CacheBehaviors/0/AllowedMethods", ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]),
)
def viewers_come_by_https_and_only_read(template):
    config = _config_of(template, DomainName="v.example.com", CertificateArn="arn:aws:acm:us-east-1:1:certificate/c")
    assert config["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"
    for behavior in [*config["CacheBehaviors"], config["DefaultCacheBehavior"]]:
        assert behavior["ViewerProtocolPolicy"] in ("https-only", "redirect-to-https")
        # The owner's function checks each token itself; all else is for viewers.
        assert behavior["TargetOriginId"] == "owner" or behavior["AllowedMethods"] == ["GET", "HEAD"]


@noticed(
    put("Distribution/Properties/DistributionConfig/Aliases", {"Ref": "AWS::NoValue"}),
    drop("DomainRecords/Condition"),
    put("Distribution/Properties/DistributionConfig/WebACLId", {"Ref": "AWS::NoValue"}),
    put("Distribution/Properties/DistributionConfig/PriceClass", "PriceClass_All"),
)
def domain_certificate_and_waf_are_optional(template):
    plain = stack(template)
    config = plain.properties("Distribution")["DistributionConfig"]
    assert "Aliases" not in config and "WebACLId" not in config and config["PriceClass"] == "PriceClass_100"
    assert config["ViewerCertificate"] == {"CloudFrontDefaultCertificate": True}
    assert "DomainRecords" not in plain.resources and "Certificate" not in plain.resources
    named = stack(template, DomainName="v.example.com", HostedZoneId="Z1", WebAclArn="arn:acl")
    config = named.properties("Distribution")["DistributionConfig"]
    assert config.get("Aliases") == ["v.example.com"] and config.get("WebACLId") == "arn:acl"
    assert config["ViewerCertificate"]["AcmCertificateArn"] == "<Certificate>"
    assert {r["Type"] for r in named.properties("DomainRecords")["RecordSets"]} == {"A", "AAAA"}
    assert named.outputs["Url"] == "https://v.example.com" and named.rules_hold()
    assert not stack(template, DomainName="v.example.com").rules_hold()
    # Its target, for DNS elsewhere.
    assert named.outputs["DistributionDomain"] == "<Distribution.DomainName>"
    # AWS's text names parameters as what a rule may refer to, and nothing else.
    assert "AWS::" not in json.dumps(template["Rules"])


@noticed(
    put("Distribution/Properties/DistributionConfig/Restrictions", {"Ref": "AWS::NoValue"}),
    put("Distribution/Properties/DistributionConfig/Restrictions/Fn::If/1/GeoRestriction/RestrictionType", "whitelist"),
    put("Distribution/Properties/DistributionConfig/Restrictions/Fn::If/1/GeoRestriction/Locations", ["DE"]),
    parameter("GeoCountries", "AllowedPattern", ".*"),
    parameter("GeoRestriction", "Default", "block"),
)
def viewers_of_some_countries_are_kept_out_on_request(template):
    assert "Restrictions" not in _config_of(template)
    for mode, kind in (("allow", "whitelist"), ("block", "blacklist")):
        config = _config_of(template, GeoRestriction=mode, GeoCountries="DE,AT,CH")
        assert config.get("Restrictions") == {"GeoRestriction": {"RestrictionType": kind, "Locations": ["DE", "AT", "CH"]}}
        assert not stack(template, GeoRestriction=mode).rules_hold()
        assert stack(template, GeoRestriction=mode, GeoCountries="DE").rules_hold()
    pattern = template["Parameters"]["GeoCountries"]["AllowedPattern"]
    assert [bool(re.fullmatch(pattern, text)) for text in ("", "KR", "KR,JP", "kr", "KOR", "KR, JP", "KR,")] == [True, True, True, *[False] * 4]


@noticed(
    parameter("Waf", "Default", "managed"),
    lambda template: template["Rules"].pop("ManagedWafNeedsItsAcl"),
)
def a_managed_web_acl_is_there_before_the_stack(template):
    assert stack(template).rules_hold()
    assert not stack(template, Waf="managed").rules_hold() and stack(template, Waf="managed", WebAclArn="arn:acl").rules_hold()


WAF = cloudformation.load(ROOT / "infra/waf.yaml")


def test_the_web_acl_blocks_what_is_bad_and_keeps_no_signature():
    acl = cloudformation.Stack(WAF).properties("WebAcl")
    assert (acl["Scope"], acl["DefaultAction"]) == ("CLOUDFRONT", {"Allow": {}})
    rules = {rule["Name"]: rule for rule in acl["Rules"]}
    groups = {rule["Statement"]["ManagedRuleGroupStatement"]["Name"] for name, rule in rules.items() if name != "rate"}
    assert groups == {"AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet", "AWSManagedRulesAmazonIpReputationList"}
    assert rules["rate"]["Action"] == {"Block": {}} and rules["rate"]["Statement"]["RateBasedStatement"]["AggregateKeyType"] == "IP"
    assert all(rule["OverrideAction"] == {"None": {}} for name, rule in rules.items() if name != "rate")
    assert len({rule["Priority"] for rule in acl["Rules"]}) == len(acl["Rules"])
    # A sample shows path and query, and in them the grants of viewers.
    assert not [v for v in [acl, *acl["Rules"]] if v["VisibilityConfig"]["SampledRequestsEnabled"]]
    counted = rules["core"]["Statement"]["ManagedRuleGroupStatement"]["RuleActionOverrides"]
    assert {o["Name"] for o in counted if o["ActionToUse"] == {"Count": {}}} == {
        "SizeRestrictions_URIPATH", "SizeRestrictions_QUERYSTRING", "SizeRestrictions_BODY", "NoUserAgent_HEADER"}


# ------------------------------------------------------------------------------------------- roles, watching


def _all_statements(template):
    everything = stack(template, OutputBucketName="film-outputs", ReplicaBucketName="film-replica")
    for name, role in everything.of_type("AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement


# Actions that know no narrower resource than all (AWS service authorization reference).
UNBOUND = {
    "mediaconvert:Probe", "mediaconvert:SearchJobs", "xray:PutTraceSegments", "xray:PutTelemetryRecords",
    "cloudwatch:DescribeAlarms",
}


@noticed(
    put("SubmitRole/Properties/Policies/0/PolicyDocument/Statement/0/Action", ["s3:*"]),
    put("SignerRole/Properties/Policies/0/PolicyDocument/Statement/0/Resource", "*"),
    put("MediaConvertRole/Properties/Policies/0/PolicyDocument/Statement/0/Action", "s3:Get*"),
    put("CompleteRole/Properties/Policies/0/PolicyDocument/Statement/0/Resource", "arn:aws:s3:::*"),
)
def no_role_has_a_star_where_a_name_would_do(template):
    for role, statement in _all_statements(template):
        actions = iam.as_list(statement["Action"])
        assert not [a for a in actions if "*" in a], (role, actions)
        for resource in iam.as_list(statement["Resource"]):
            if resource == "*":
                assert set(actions) <= UNBOUND, (role, actions)
            assert not resource.startswith("arn:aws:s3:::*"), (role, resource)


@noticed(
    put("SubmitRole/Properties/Policies/0/PolicyDocument/Statement/4/Resource", "*"),
    drop("ReconcileRole/Properties/Policies/0/PolicyDocument/Statement/5/Condition"),
    put("CompleteRole/Properties/Policies/0/PolicyDocument/Statement/0/Action", ["iam:PassRole"]),
)
def only_the_mediaconvert_role_is_passed_and_only_to_mediaconvert(template):
    passing = [(role, s) for role, s in _all_statements(template) if "iam:PassRole" in iam.as_list(s["Action"])]
    assert sorted(role for role, _ in passing) == ["ReconcileRole", "SubmitRole"]
    for role, statement in passing:
        assert statement["Action"] == ["iam:PassRole"] and statement["Resource"] == "<MediaConvertRole.Arn>"
        assert statement.get("Condition") == {"StringEquals": {"iam:PassedToService": "mediaconvert.amazonaws.com"}}


@noticed(
    put("SubmitFunction/Properties/Role", {"Fn::GetAtt": ["CompleteRole", "Arn"]}),
    put("MediaConvertRole/Properties/AssumeRolePolicyDocument/Statement/0/Condition", {}),
)
def each_function_has_its_own_role(template):
    built = stack(template)
    for name in FUNCTIONS:
        assert built.properties(f"{name}Function")["Role"] == f"<{name}Role.Arn>"
        (trust,) = built.properties(f"{name}Role")["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}
    (trust,) = built.properties("MediaConvertRole")["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "mediaconvert.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}


@noticed(
    drop("ReplicationRole/Properties/PermissionsBoundary"),
    drop("TrafficShiftRole/Properties/PermissionsBoundary"),
    put("SignerRole/Properties/PermissionsBoundary", "arn:aws:iam::aws:policy/AdministratorAccess"),
)
def every_role_carries_the_boundary_that_is_given(template):
    boundary = "arn:aws:iam::111122223333:policy/vod-github-Boundary-1"
    bounded = stack(template, PermissionsBoundary=boundary, ReplicaBucketName="film-replica").of_type("AWS::IAM::Role")
    assert len(bounded) == 8
    assert {role.get("PermissionsBoundary") for role in bounded.values()} == {boundary}
    assert not [name for name, role in stack(template).of_type("AWS::IAM::Role").items() if "PermissionsBoundary" in role]


@noticed(
    drop("UploadsInDeadLetters"),
    put("JobEventsInDeadLetters/Properties/Threshold", 10),
    put("UploadsWait/Properties/MetricName", "NumberOfMessagesSent"),
    drop("SignerThrottles"),
    put("ReconcileErrors/Properties/Statistic", "Average"),
    drop("JobsInError"),
    drop("UploadsWithoutRecord"),
    put("SubmitErrors/Properties/AlarmActions", []),
    put("CompleteErrors/Properties/TreatMissingData", "breaching"),
    put("CompleteFunction/Properties/LoggingConfig/ApplicationLogLevel", "WARN"),
    put("SubmitFunction/Properties/Environment/Variables/APPLICATION", "vod"),
    put("JobsInError/Properties/MetricName", "JobsLost"),
    put("JobsInError/Properties/Dimensions", []),
    put("UploadsWithoutRecord/Properties/Dimensions/0/Name", "Asset"),
    drop("SignerServerErrors"),
    put("SignerServerErrors/Properties/AlarmActions", []),
    drop("ViewersGetErrors"),
    # CloudFront gives no data under another region.
    put("ViewersGetErrors/Properties/Dimensions/1/Value", "us-east-1"),
)
def what_goes_wrong_rings(template):
    built = stack(template)
    alarms = built.of_type("AWS::CloudWatch::Alarm")
    wanted = {("AWS/SQS", "ApproximateNumberOfMessagesVisible", f"<{queue}.QueueName>")
              for queue in ("UploadDeadLetters", "JobEventDeadLetters")}
    wanted |= {("AWS/Lambda", metric, f"film-{name.lower()}") for metric in ("Errors", "Throttles") for name in FUNCTIONS}
    wanted |= {("AWS/SQS", "ApproximateAgeOfOldestMessage", "<UploadQueue.QueueName>"), ("AWS/Lambda", "Invocations", "film-reconcile")}
    wanted |= {("Vod", "JobsFailed", "film"), ("Vod", "ReconcileUnmended", "film")}
    wanted |= {("AWS/Lambda", "Url5xxCount", "film-signer"), ("AWS/Lambda", "Url5xxCount", "film-owner"), ("AWS/CloudFront", "5xxErrorRate", "<Distribution>")}
    found = {(a["Namespace"], a["MetricName"], (a.get("Dimensions") or [{}])[0].get("Value")) for a in alarms.values()}
    assert found == wanted, found ^ wanted
    # A 5xx for one damaged playlist is no outage.
    thresholds = {"UploadsWait": 900, "SignerServerErrors": 4, "OwnerServerErrors": 4, "ViewersGetErrors": 5}
    for name, alarm in alarms.items():
        # CodeDeploy alone looks at those of a release.
        assert alarm.get("AlarmActions") == (None if name.endswith("ReleaseErrors") else ["<Alarms>"]), name
        if name == "ReconcileStopped":
            continue  # rings when there is nothing: see below
        statistics = ("Average",) if name == "ViewersGetErrors" else ("Sum", "Maximum")
        assert alarm["TreatMissingData"] == "notBreaching" and alarm["Statistic"] in statistics, name
        assert alarm["Threshold"] == thresholds.get(name, 0), name
    dimensions = {d["Name"]: d["Value"] for d in alarms["ViewersGetErrors"]["Dimensions"]}
    assert dimensions == {"DistributionId": "<Distribution>", "Region": "Global"}
    assert template["Conditions"]["SeesCloudFront"] == {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]}
    # The functions write these names, this dimension, and the application's name.
    source = (ROOT / "crates/vod-core/src/metrics.rs").read_text()
    namespace, dimension = (re.search(rf'{name}: &str = "(\w+)"', source).group(1) for name in ("NAMESPACE", "DIMENSION"))
    for name, alarm in alarms.items():
        if not alarm["Namespace"].startswith("AWS/"):
            assert alarm["Namespace"] == namespace and f'"{alarm["MetricName"]}"' in source, name
            assert [d["Name"] for d in alarm["Dimensions"]] == [dimension], name
    for name in ("Submit", "Complete", "Reconcile"):
        variables = built.properties(f"{name}Function")["Environment"]["Variables"]
        assert variables["APPLICATION"] == "film", name
        # Metric lines count as INFO: a higher level would drop them.
        assert built.properties(f"{name}Function")["LoggingConfig"]["ApplicationLogLevel"] == "INFO", name


@noticed(
    put("ReconcileStopped/Properties/TreatMissingData", "notBreaching"),
    put("ReconcileStopped/Properties/MetricName", "Errors"),
    put("ReconcileStopped/Properties/Dimensions/0/Value", {"Fn::Sub": "${AWS::StackName}-submit"}),
    put("ReconcileStopped/Properties/EvaluationPeriods", 15),
    put("ReconcileStopped/Properties/Period", 60),
    put("ReconcileStopped/Properties/Threshold", 0),
    put("ReconcileStopped/Properties/ComparisonOperator", "GreaterThanThreshold"),
    put("ReconcileStopped/Properties/AlarmActions", []),
    parameter("ReconcileMinutes", "MaxValue", 1440),
)
def a_schedule_that_does_not_run_rings_after_two_intervals(template):
    limits = template["Parameters"]["ReconcileMinutes"]
    for minutes in (limits["MinValue"], limits["Default"], limits["MaxValue"]):
        built = stack(template, ReconcileMinutes=str(minutes))
        assert built.properties("ReconcileSchedule")["ScheduleExpression"] == f"rate({minutes} minutes)"
        alarm = built.properties("ReconcileStopped")
        assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/Lambda", "Invocations", "Sum")
        assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": built.properties("ReconcileFunction")["FunctionName"]}]
        # No invocation in any of the periods: Lambda publishes no zeros.
        assert (alarm["ComparisonOperator"], alarm["Threshold"], alarm["TreatMissingData"]) == ("LessThanThreshold", 1, "breaching")
        assert "DatapointsToAlarm" not in alarm and alarm["AlarmActions"] == ["<Alarms>"]
        seconds = alarm["Period"] * int(alarm["EvaluationPeriods"])
        # PutMetricAlarm: at most a day in all for periods below an hour.
        assert seconds == 2 * 60 * int(minutes) and alarm["Period"] < 3600 and seconds <= 86_400


@noticed(
    put("Dashboard/Properties/DashboardBody", "{"),
    put("Dashboard/Properties/DashboardBody", '{"widgets": []}'),
)
def the_dashboard_shows_queues_functions_and_viewers(template):
    try:
        body = json.loads(stack(template).properties("Dashboard")["DashboardBody"])
    except ValueError as error:
        raise AssertionError("the dashboard is not JSON") from error
    text = json.dumps(body)
    for part in ("UploadQueue", "DeadLetters", "film-signer", "film-submit", "JobsFailed", "AWS/CloudFront"):
        assert part in text, part


@noticed(
    put("AlarmsByMail/Condition", "CreateBucket"),
)
def mail_only_where_an_address_is_given(template):
    assert not stack(template).of_type("AWS::SNS::Subscription")
    (mail,) = stack(template, AlarmEmail="a@example.com").of_type("AWS::SNS::Subscription").values()
    assert (mail["Protocol"], mail["Endpoint"]) == ("email", "a@example.com")


# --------------------------------------------------------------------------------------------------- runner


@pytest.mark.parametrize("rule", [rule for rule, _ in RULES], ids=lambda rule: rule.__name__)
def test_rule(rule):
    rule(TEMPLATE)


MUTANTS = [(rule, mutant) for rule, mutants in RULES for mutant in mutants]


@pytest.mark.parametrize("rule, mutant", MUTANTS, ids=lambda part: part.__name__)
def test_rule_notices(rule, mutant):
    must_notice(rule, TEMPLATE, mutant)


@pytest.mark.parametrize("changes", [
    {}, {"BucketMode": "existing"}, {"OriginAccess": "OAI"}, {"PublicKeyTwo": KEY},
    {"PublicKeyOne": "", "PublicKeyTwo": KEY}, {"SubnetIds": "subnet-1", "SecurityGroupIds": "sg-1"},
    {"DomainName": "v.example.com", "HostedZoneId": "Z1", "AlarmEmail": "a@example.com"},
    {"OutputBucketName": "film-outputs"}, {"OutputBucketName": "film-outputs", "OriginAccess": "OAI"},
    {"OutputBucketName": "film-outputs", "OutputBucketMode": "existing", "BucketMode": "existing"},
    {"AllowedOrigins": ",".join(SITES)}, {"ReplicaBucketName": "film-replica"}, {"ReplicaBucketName": "film-replica", "BucketMode": "existing"},
], ids=str)
def test_nothing_refers_to_what_does_not_exist(changes):
    built = stack(TEMPLATE, **changes)
    assert built.rules_hold()
    assert "Url" in built.outputs


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "infra").glob("*.yaml")))
def test_cfn_lint_has_nothing_to_say(name):
    done = subprocess.run(
        ["cfn-lint", "--regions", "us-east-1", "eu-west-1", "--template", str(ROOT / f"infra/{name}.yaml")],
        capture_output=True, text=True, timeout=120, check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
