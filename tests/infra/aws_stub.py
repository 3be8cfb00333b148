"""An AWS for the scripts of infra/: moto behind, and in front of it what moto lacks or gets wrong.

moto creates a stack without CloudFront, bucket policies and Function URLs and says CREATE_COMPLETE, so CloudFormation
is answered here: parameters are checked against the template, its rules are evaluated and its resources resolved
(cloudformation.py); what the scripts touch directly then comes into being in moto. Every request is recorded, and
checked against botocore's model of its service.
"""

import functools
import hashlib
import http.client
import http.server
import io
import json
import re
import threading
import urllib.parse
import xml.sax.saxutils
import zipfile

import boto3
import botocore.session
import moto.s3.models
import yaml
from moto.iam.access_control import PermissionResult
from moto.server import ThreadedMotoServer

import cloudformation
import s3_rules

ACCOUNT = "123456789012"
_LOADER = botocore.session.get_session()


# Once for all tests of a process: what it knows is the process's own anyway, and each test resets that.
@functools.cache
def _moto():
    # moto knows no conditions: it would take a Deny for plain http for one of everything.
    moto.s3.models.FakeBucket.get_permission = lambda *_: PermissionResult.NEUTRAL
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    return server.get_host_and_port()


@functools.cache
def _client(service, region):
    host, port = _moto()
    return boto3.client(
        service, endpoint_url=f"http://{host}:{port}", region_name=region, aws_access_key_id="test", aws_secret_access_key="test")


class Stub:
    """`with Stub() as aws:` then AWS_ENDPOINT_URL=aws.url."""

    # What answers a request; one with more to say takes its place.
    handler = None

    def __init__(self, region="us-east-1"):
        self.region = region
        self.requests = []
        self.paths = []
        self.stacks = {}
        self.changes = {}
        self.faults = []
        self.failure = None
        self.watchers = {}
        self.queues = 1
        self.concurrency = 1000
        # How often a stack of that name has been made: it is part of the names that CloudFormation gives.
        self.generations = {}
        # Keys that S3 does not delete, such as under a retention of Object Lock.
        self.locked = set()

    def __enter__(self):
        self.moto_at = _moto()
        stub = self

        class Handler(self.handler or _Handler):
            aws = stub

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # Looks for the end of the test as often; half a second would be most of a short one.
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._moto_request("POST", "/moto-api/reset", b"", {})
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def client(self, service):
        return _client(service, self.region)

    def fail_once(self, service, operation, code, message, status=400):
        """The next such request is refused."""
        self.faults.append((service, operation, code, message, status))

    def at(self, service, operation, act):
        """Before the next such request is looked at, `act` is called; if it says False, the request has never arrived.

        Returns an event: that request has been dealt with, whether or not somebody still waits for the answer.
        """
        through = threading.Event()
        self.watchers[service, operation] = act, through
        return through

    def operations(self, changing_only=False):
        """What was asked for, as service:Operation, in order."""
        reading = ("Get", "List", "Describe", "Head", "Wait")
        found = [f"{service}:{operation}" for service, operation, _ in self.requests]
        return [o for o in found if not (changing_only and o.split(":")[1].startswith(reading))]

    def parameters(self, name):
        return self.stacks[name]["parameters"]

    def _become(self, name, template, parameters, built):
        """Slots are never changed in place: CloudFront cannot, and a real stack would roll back."""
        before = self.stacks.get(name)
        for slot in ("PublicKeyOne", "PublicKeyTwo"):
            old, new = (before or {}).get("parameters", {}).get(slot), parameters.get(slot)
            assert not (old and new and old.strip() != new.strip()), f"{slot} was changed in place"
        if not before:
            self.generations[name] = self.generations.get(name, 0) + 1
        self.stacks[name] = {
            "status": "UPDATE_COMPLETE" if before else "CREATE_COMPLETE", "template": template,
            "parameters": parameters, "built": built,
            "outputs": {k: self._concrete(v, parameters, name) for k, v in built.outputs.items()},
        }
        if "BucketMode" in parameters:
            acl = parameters["WebAclArn"]
            assert "/vod-waf" not in acl or acl.split("/")[-2] in self.stacks, f"there is no web ACL {acl}"
            self._make(built, parameters, name, before)

    def _concrete(self, value, parameters, name):
        return _concrete(value, parameters, name, self.generations[name])

    def _make(self, built, parameters, name, before):
        s3, sqs, iam, functions = (self.client(s) for s in ("s3", "sqs", "iam", "lambda"))
        sqs.create_queue(QueueName=_upload_queue(name, self.generations[name]))
        for logical in ("Bucket", "OutputBucket"):
            if logical in built.resources:
                old = before["built"].resources.get(logical, {}).get("Properties", {}) if before else {}
                self._make_bucket(s3, built, logical, old, lambda value: self._concrete(value, parameters, name))
        for short in ("Submit", "Complete", "Signer", "Reconcile"):
            # Code that is not there fails a real stack too.
            code = built.properties(f"{short}Function")["Code"]
            s3.head_object(Bucket=code["S3Bucket"], Key=code["S3Key"])
            function = built.properties(f"{short}Function")
            try:
                functions.get_function(FunctionName=function["FunctionName"])
                continue
            except functions.exceptions.ResourceNotFoundException:
                pass
            try:
                iam.create_role(RoleName=f"{name}-{short}Role", AssumeRolePolicyDocument=json.dumps({
                    "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                                            "Principal": {"Service": "lambda.amazonaws.com"}}]}))
            except iam.exceptions.EntityAlreadyExistsException:
                pass
            functions.create_function(
                FunctionName=function["FunctionName"], Runtime="provided.al2023", Handler="bootstrap", Architectures=["arm64"],
                Role=f"arn:aws:iam::{ACCOUNT}:role/{name}-{short}Role", Code={"ZipFile": _zip()}, Publish=True,
                MemorySize=function["MemorySize"], Timeout=function["Timeout"],
                Environment={"Variables": {k: str(v) for k, v in function["Environment"]["Variables"].items()}})
            functions.create_alias(FunctionName=function["FunctionName"], Name="live", FunctionVersion="1")

    def _make_bucket(self, s3, built, logical, before, real):
        properties = built.properties(logical)
        bucket = properties["BucketName"]
        if not before:
            # CloudFormation takes no bucket over that exists.
            assert bucket not in {b["Name"] for b in s3.list_buckets()["Buckets"]}, f"{bucket} already exists"
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        s3_rules.write_settings(s3, properties, before, real)
        s3_rules.write_policy(s3, built.properties(f"{logical}Policy"), bucket, real)

    def queue_exists(self, arn):
        sqs = self.client("sqs")
        try:
            return bool(sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[1]))
        except sqs.exceptions.QueueDoesNotExist:
            return False

    def _moto_request(self, method, path, body, headers):
        connection = http.client.HTTPConnection(*self.moto_at, timeout=60)
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, answer.getheaders(), data


# --------------------------------------------------------------------------------------------- the wire


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer goes out in two pieces: the second would wait 40 ms for the client to acknowledge the first.
    disable_nagle_algorithm = True
    aws: Stub

    def log_message(self, *_):
        pass

    def _serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        body = self.rfile.read(length)
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self._chunks()
        service = _service(self.headers)
        operation, problem = _operation(service, self.command, self.path, self.headers, body)
        self.aws.requests.append((service, operation, body))
        self.aws.paths.append((service, operation, urllib.parse.unquote(self.path.split("?")[0]), body))
        if problem:
            return self._error(service, "NotInTheModel", problem, 501)
        act, through = self.aws.watchers.pop((service, operation), (None, threading.Event()))
        try:
            if act and act() is False:
                self.close_connection = True
                return None
            return self._respond(service, operation, body)
        finally:
            through.set()

    def _respond(self, service, operation, body):
        for fault in self.aws.faults:
            if fault[:2] == (service, operation):
                self.aws.faults.remove(fault)
                return self._error(service, *fault[2:])
        if service == "secretsmanager" and (refusal := self._refused_secret(operation, json.loads(body or b"{}"))):
            return self._error(service, *refusal)
        if (service, operation) == ("secretsmanager", "GetSecretValue"):
            # moto takes the latest version for the current one, wherever AWSCURRENT was moved.
            request = json.loads(body)
            body = json.dumps(request if "VersionId" in request else {"VersionStage": "AWSCURRENT", **request}).encode()
        own = getattr(self, f"_{service}_{operation}", None)
        if own:
            return own(body)
        if service == "cloudformation":
            return self._error(service, "NotStubbed", operation, 501)
        return self._forward(body)

    def _forward(self, body):
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("transfer-encoding", "expect", "connection")}
        headers["Content-Length"] = str(len(body))
        status, headers, data = self.aws._moto_request(self.command, self.path, body, headers)
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("transfer-encoding", "connection", "content-length", "server", "date"):
                self.send_header(name, value)
        size = len(data)
        if self.command == "HEAD":
            size = dict((k.lower(), v) for k, v in headers).get("content-length", 0)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve

    def _chunks(self):
        data = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            data += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return data

    def _answer(self, text, status=200, kind="text/xml", headers=()):
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _error(self, service, code, message, status=400):
        if service in ("cloudformation", "s3", "sts"):
            text = xml.sax.saxutils.escape(message)
            error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error>"
            return self._answer(error if service == "s3" else f"<ErrorResponse>{error}</ErrorResponse>", status)
        body = json.dumps({"__type": code, "message": message, "Message": message})
        return self._answer(body, status, "application/x-amz-json-1.1", [("x-amzn-ErrorType", code)])

    # ------------------------------------------------------------------- what moto does not refuse

    def _s3_PutBucketNotificationConfiguration(self, body):
        skip = self.headers.get("x-amz-skip-destination-validation", "").lower() == "true"
        problem = s3_rules.notification_error(body, None if skip else self.aws.queue_exists)
        return self._error("s3", *problem) if problem else self._forward(body)

    def _s3_PutBucketLifecycleConfiguration(self, body):
        problem = s3_rules.lifecycle_error(body)
        return self._error("s3", *problem) if problem else self._forward(body)

    def _s3_DeleteObjects(self, body):
        refused = sorted(key for key in self.aws.locked if f"<Key>{key}</Key>".encode() in body)
        if not refused:
            return self._forward(body)
        # 200, as S3 answers: the errors stand in the body.
        self._answer("<DeleteResult>" + "".join(
            f"<Error><Key>{key}</Key><Code>AccessDenied</Code><Message>Access Denied because object protected by object lock.</Message></Error>"
            for key in refused) + "</DeleteResult>")

    # ------------------------------------------------------------------- what moto does not have

    def _lambda_GetAccountSettings(self, _):
        limit = {"UnreservedConcurrentExecutions": self.aws.concurrency, "ConcurrentExecutions": self.aws.concurrency}
        self._answer(json.dumps({"AccountLimit": limit}), kind="application/json")

    def _mediaconvert_ListQueues(self, _):
        queues = [{"name": f"q{n}", "pricingPlan": "ON_DEMAND", "settings": {}} for n in range(self.aws.queues)]
        self._answer(json.dumps({"queues": queues}), kind="application/json")

    # What Secrets Manager refuses, and moto does for some operations only.

    def _refused_secret(self, operation, request):
        """A secret that waits for its deletion can be described, listed and restored, and nothing else."""
        if operation in ("CreateSecret", "PutSecretValue", "UpdateSecret") and not 32 <= len(request.get("ClientRequestToken", "")) <= 64:
            # The SDKs and the AWS CLI make one; whoever sends the request by hand has to (API reference, CreateSecret).
            return "InvalidParameterException", "You must provide a ClientRequestToken value."
        if operation not in ("CreateSecret", "DeleteSecret", "GetSecretValue", "PutSecretValue", "TagResource", "UpdateSecret", "UpdateSecretVersionStage"):
            return None
        secrets = self.aws.client("secretsmanager")
        try:
            deleted = secrets.describe_secret(SecretId=request.get("SecretId") or request["Name"]).get("DeletedDate")
        except secrets.exceptions.ResourceNotFoundException:
            return None
        if not deleted:
            return None
        if operation == "CreateSecret":
            return "InvalidRequestException", "You can't create this secret because a secret with this name is already scheduled for deletion."
        if operation == "DeleteSecret" and request.get("ForceDeleteWithoutRecovery"):
            return None
        return "InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion."

    # --------------------------------------------------------------------------- CloudFormation

    def _cloudformation_DescribeStacks(self, body):
        name = _query(body).get("StackName")
        # A stack that is gone can be described by its id alone.
        stack = self.aws.stacks.get(name)
        if not stack:
            return self._error("cloudformation", "ValidationError", f"Stack with id {name} does not exist")
        pairs = "".join(_member(ParameterKey=k, ParameterValue=v) for k, v in stack["parameters"].items())
        outputs = "".join(_member(OutputKey=k, OutputValue=v) for k, v in stack["outputs"].items())
        self._cf("DescribeStacks", "<Stacks>" + _member(
            StackName=name, StackId=f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/{name}/1",
            CreationTime="2026-01-01T00:00:00Z", StackStatus=stack["status"],
            Parameters=Raw(pairs), Outputs=Raw(outputs)) + "</Stacks>")

    def _cf(self, operation, result=""):
        self._answer(f"<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>")

    def _cloudformation_CreateChangeSet(self, body):
        query = _query(body)
        name = query["StackName"]
        text = query.get("TemplateBody") or self._template(query["TemplateURL"])
        known = self.aws.stacks.get(name)
        try:
            parameters = _parameters(query, known)
            template = cloudformation_text(text)
            built = _build(template, parameters, name)
        except (AssertionError, KeyError) as problem:
            return self._error("cloudformation", "ValidationError", str(problem))
        arn = f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:changeSet/{query['ChangeSetName']}/{len(self.aws.changes)}"
        same = bool(known) and known["status"].endswith("COMPLETE") and (known["parameters"], known["template"]) == (parameters, template)
        self.aws.changes[arn] = {"name": name, "parameters": parameters, "template": template, "built": built, "same": same}
        self._cf("CreateChangeSet", f"<Id>{arn}</Id><StackId>{name}</StackId>")

    def _template(self, url):
        path = urllib.parse.urlparse(url).path.lstrip("/")
        bucket, key = path.split("/", 1)
        if "." in (urllib.parse.urlparse(url).hostname or "") and not url.startswith(self.aws.url):
            host = urllib.parse.urlparse(url).hostname
            if not host.startswith("s3") and host != "127.0.0.1":
                bucket, key = host.split(".", 1)[0], path
        return self.aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()

    def _cloudformation_GetTemplateSummary(self, body):
        query = _query(body)
        text = query.get("TemplateBody") or (query.get("TemplateURL") and self._template(query["TemplateURL"]))
        template = cloudformation_text(text) if text else self.aws.stacks[query["StackName"]]["template"]
        names = "".join(_member(ParameterKey=name) for name in template["Parameters"])
        self._cf("GetTemplateSummary", f"<Parameters>{names}</Parameters>")

    def _cloudformation_DescribeChangeSet(self, body):
        change = self.aws.changes[_query(body)["ChangeSetName"]]
        if change["same"]:
            return self._cf("DescribeChangeSet", "<Status>FAILED</Status><StatusReason>The submitted information didn't contain changes.</StatusReason>")
        return self._cf("DescribeChangeSet", "<Status>CREATE_COMPLETE</Status><ExecutionStatus>AVAILABLE</ExecutionStatus>")

    def _cloudformation_ExecuteChangeSet(self, body):
        change = self.aws.changes[_query(body)["ChangeSetName"]]
        self.aws.failure = refused_by_cloudfront(change["built"]) or refused_by_waf(change["built"], _region(self.headers))
        if self.aws.failure:
            # The services refuse a resource only while CloudFormation makes it, so the stack rolls back.
            before = self.aws.stacks.get(change["name"])
            empty = {"parameters": change["parameters"], "outputs": {}, "template": None, "built": None}
            self.aws.stacks[change["name"]] = {**(before or empty), "status": "UPDATE_ROLLBACK_COMPLETE" if before else "ROLLBACK_COMPLETE"}
            return self._cf("ExecuteChangeSet")
        self.aws._become(change["name"], change["template"], change["parameters"], change["built"])
        self._cf("ExecuteChangeSet")

    def _cloudformation_UpdateStack(self, body):
        query = _query(body)
        known = self.aws.stacks.get(query["StackName"])
        if not known:
            return self._error("cloudformation", "ValidationError", "no such stack")
        try:
            parameters = _parameters(query, known)
            built = _build(known["template"], parameters, query["StackName"])
        except AssertionError as problem:
            return self._error("cloudformation", "ValidationError", str(problem))
        if parameters == known["parameters"]:
            return self._error("cloudformation", "ValidationError", "No updates are to be performed.")
        self.aws._become(query["StackName"], known["template"], parameters, built)
        self._cf("UpdateStack", "<StackId>x</StackId>")

    def _cloudformation_DeleteStack(self, body):
        name = _query(body)["StackName"]
        used = [n for n, s in self.aws.stacks.items() if f"webacl/{name}/" in s["parameters"].get("WebAclArn", "")]
        if used:
            # WAFAssociatedItemException, in truth a DELETE_FAILED after minutes.
            return self._error("cloudformation", "ValidationError", f"AWS WAF couldn't delete the web ACL: {used} uses it")
        stack = self.aws.stacks.pop(name, None)
        if stack and stack["built"] and "BucketMode" in stack["parameters"]:
            self._delete_resources(name, stack)
        self._cf("DeleteStack")

    def _delete_resources(self, name, stack):
        """Buckets stay, with what CloudFormation has set in them; their policies are resources of their own and go."""
        sqs, s3 = self.aws.client("sqs"), self.aws.client("s3")
        queue = _upload_queue(name, self.aws.generations[name])
        if self.aws.queue_exists(f":{queue}"):
            sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"])
        for policy in stack["built"].of_type("AWS::S3::BucketPolicy").values():
            s3.delete_bucket_policy(Bucket=policy["Bucket"].replace("<Bucket>", stack["parameters"]["BucketName"]).replace(
                "<OutputBucket>", stack["parameters"]["OutputBucketName"]))
        for function in stack["built"].of_type("AWS::Lambda::Function").values():
            self.aws.client("lambda").delete_function(FunctionName=function["FunctionName"])

    def _cloudformation_DescribeStackEvents(self, _):
        resource, reason = self.aws.failure or ("Distribution", "the account must be verified")
        self._cf("DescribeStackEvents", "<StackEvents>" + _member(
            EventId="1", StackId="x", StackName="x", Timestamp="2026-01-01T00:00:00Z", LogicalResourceId=resource,
            ResourceStatus="CREATE_FAILED", ResourceStatusReason=reason) + "</StackEvents>")


def refused_by_cloudfront(built):
    """The first resource that CloudFront does not take, and its words; cfn-lint knows none of this.

    Names of headers: aws-cdk pull requests 13410 and 15327, cloudformation-coverage-roadmap issue 571.
    """
    for name, policy in built.of_type("AWS::CloudFront::OriginRequestPolicy").items():
        for header in policy["OriginRequestPolicyConfig"]["HeadersConfig"].get("Headers", []):
            if header.lower() in ("accept-encoding", "authorization"):
                return name, f"Invalid request provided: AWS::CloudFront::OriginRequestPolicy: The parameter Headers contains {header} that is not allowed."
    return None


def refused_by_waf(built, region):
    """Of the scope CLOUDFRONT, WAF knows one region (API reference, CreateWebACL, Scope)."""
    for name, acl in built.of_type("AWS::WAFv2::WebACL").items():
        if acl["Scope"] == "CLOUDFRONT" and region != "us-east-1":
            return name, "The scope is not valid., field: SCOPE_VALUE, parameter: CLOUDFRONT"
    return None


def _zip():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("bootstrap", "#!/bin/sh\n")
    return data.getvalue()


class Raw(str):
    """XML that stands already."""


def _member(**fields):
    inner = "".join(f"<{k}>{v if isinstance(v, Raw) else xml.sax.saxutils.escape(str(v))}</{k}>" for k, v in fields.items())
    return Raw(f"<member>{inner}</member>")


def _query(body):
    return dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))


# Nobody changes what it returns: a stack is made of a copy.
@functools.cache
def cloudformation_text(text):
    return yaml.load(text, Loader=cloudformation._Loader)


def _parameters(query, known):
    found, index = {}, 1
    while f"Parameters.member.{index}.ParameterKey" in query:
        at = f"Parameters.member.{index}."
        key = query[at + "ParameterKey"]
        if query.get(at + "UsePreviousValue") == "true":
            assert known and key in known["parameters"], f"no previous value of {key}"
            found[key] = known["parameters"][key]
        else:
            found[key] = query[at + "ParameterValue"]
        index += 1
    return found


def _build(template, parameters, name):
    """The checks that CloudFormation makes before it does anything."""
    for key, about in template["Parameters"].items():
        assert key in parameters or "Default" in about, f"Parameters: [{key}] must have values"
        if key not in parameters:
            parameters[key] = str(about["Default"])
        value = parameters[key]
        # Of a list, each member has to.
        members = [member.strip() for member in value.split(",")] if about["Type"] == "CommaDelimitedList" else [value]
        if "AllowedPattern" in about:
            assert all(re.fullmatch(about["AllowedPattern"], m) for m in members), f"Parameter '{key}' must match pattern"
        if "AllowedValues" in about:
            assert value in map(str, about["AllowedValues"]), f"Parameter '{key}' must be one of AllowedValues"
        if "MinValue" in about:
            assert int(value) >= about["MinValue"], f"Parameter '{key}' must be a number not less than {about['MinValue']}"
    assert set(parameters) <= set(template["Parameters"]), f"unknown parameters {set(parameters) - set(template['Parameters'])}"
    cloudformation.PSEUDO["AWS::StackName"] = name
    try:
        built = cloudformation.Stack(template, parameters)
    finally:
        cloudformation.PSEUDO["AWS::StackName"] = "film"
    for ia, cold in (("SourceIaDays", "SourceGlacierDays"), ("OutputIaDays", "OutputGlacierIrDays")):
        # S3 would say so after minutes, and the stack would roll back.
        if ia in parameters:
            assert int(parameters[cold]) >= int(parameters[ia]) + 30, f"'Days' in the 'Transition' action of {cold} must be 30 days more than {ia}"
    assert built.rules_hold(), "Template validation error: Template error: rule assertion failed"
    if "Keys" in built.resources:
        assert len(built.properties("Keys")["KeyGroupConfig"]["Items"]) >= 1, "a key group needs a key"
    return built


def _upload_queue(stack, generation):
    return f"{stack}-UploadQueue-{generation:06}"


def _concrete(value, parameters, name, generation):
    known = {
        "<KeyOne>": key_id(parameters.get("PublicKeyOne", "")), "<KeyTwo>": key_id(parameters.get("PublicKeyTwo", "")),
        "<UploadQueue.Arn>": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{_upload_queue(name, generation)}", "<Distribution>": "EDFDVBD6EXAMPLE",
        "<ReplicationRole.Arn>": f"arn:aws:iam::{ACCOUNT}:role/{name}-ReplicationRole-{generation:06}",
        "<OriginAccessIdentity.S3CanonicalUserId>": "canonical-user-of-the-identity",
        "<Distribution.DomainName>": "d111111abcdef8.cloudfront.net",
        "<WebAcl.Arn>": f"arn:aws:wafv2:us-east-1:{ACCOUNT}:global/webacl/{name}/1",
    }
    for token, concrete in known.items():
        value = str(value).replace(token, concrete)
    return value


def key_id(pem):
    return "K" + hashlib.sha256("".join(pem.split()).encode()).hexdigest()[:13].upper()


# ----------------------------------------------------------------------------------- botocore's models


def _region(headers):
    return re.search(r"Credential=[^/]+/\d+/([^/]+)/", headers["Authorization"]).group(1)


def _service(headers):
    match = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request", headers.get("Authorization", ""))
    return match.group(1) if match else "unsigned"


def _operation(service, method, path, headers, body):
    """Name of the operation, and what is wrong with the request by the model of its service."""
    if service == "unsigned":
        return "Unsigned", "the request is not signed"
    if service == "s3":
        return _s3_operation(method, path, headers), None
    model = _model(service)
    target = headers.get("X-Amz-Target")
    if target:
        name = target.split(".")[-1]
        given = set(json.loads(body or b"{}"))
    elif body.startswith(b"Action="):
        query = _query(body)
        name = query.get("Action", "")
        given = {key.split(".")[0] for key in query} - {"Action", "Version"}
    else:
        return _rest_operation(service, method, path)
    if name not in model.operation_names:
        return name, f"{service} has no operation {name}"
    shape = model.operation_model(name).input_shape
    members = set(shape.members) if shape else set()
    required = set(shape.required_members) if shape else set()
    if given - members or required - given:
        return name, f"{name}: unknown {given - members}, missing {required - given}"
    return name, None


@functools.cache
def _model(service):
    # Signed under another name than botocore's.
    return _LOADER.get_service_model({"monitoring": "cloudwatch"}.get(service, service))


@functools.cache
def _rest_operations(service):
    """[(method, pattern of the path, operation)]"""
    found = []
    for name in _model(service).operation_names:
        rest = _model(service).operation_model(name).http
        uri = re.sub(r"\{[^}]+\}", "@", rest["requestUri"].split("?")[0].rstrip("/"))
        found.append((rest["method"], re.compile(re.escape(uri).replace("@", "[^/]+")), name))
    return found


def _rest_operation(service, method, path):
    plain = urllib.parse.urlparse(path).path.rstrip("/")
    for verb, pattern, name in _rest_operations(service):
        if verb == method and pattern.fullmatch(plain):
            return name, None
    return plain, f"{_model(service).service_name} has no operation for {method} {plain}"


_S3 = {
    ("PUT", "publicAccessBlock"): "PutPublicAccessBlock", ("PUT", "tagging"): "PutBucketTagging",
    ("GET", "location"): "GetBucketLocation", ("GET", "versions"): "ListObjectVersions", ("POST", "delete"): "DeleteObjects",
    ("GET", "policy"): "GetBucketPolicy", ("PUT", "policy"): "PutBucketPolicy", ("DELETE", "policy"): "DeleteBucketPolicy",
    ("GET", "lifecycle"): "GetBucketLifecycleConfiguration", ("PUT", "lifecycle"): "PutBucketLifecycleConfiguration",
    ("DELETE", "lifecycle"): "DeleteBucketLifecycle", ("GET", "tagging"): "GetBucketTagging",
    ("GET", "cors"): "GetBucketCors", ("PUT", "cors"): "PutBucketCors", ("DELETE", "cors"): "DeleteBucketCors",
    ("GET", "versioning"): "GetBucketVersioning", ("GET", "replication"): "GetBucketReplication",
    ("PUT", "replication"): "PutBucketReplication", ("DELETE", "replication"): "DeleteBucketReplication", ("GET", "notification"): "GetBucketNotificationConfiguration",
    ("GET", "encryption"): "GetBucketEncryption", ("PUT", "encryption"): "PutBucketEncryption",
    ("GET", "publicAccessBlock"): "GetPublicAccessBlock", ("PUT", "notification"): "PutBucketNotificationConfiguration",
}


def _s3_operation(method, path, headers):
    url = urllib.parse.urlparse(path)
    queries = urllib.parse.parse_qs(url.query, keep_blank_values=True)
    for (verb, name), operation in _S3.items():
        if verb == method and name in queries:
            return operation
    kind = "Object" if url.path.strip("/").count("/") else "Bucket"
    verb = {"PUT": "Put", "GET": "Get", "HEAD": "Head", "DELETE": "Delete", "POST": "Post"}[method]
    if kind == "Bucket":
        verb = {"Put": "Create", "Get": "List"}.get(verb, verb)
    return verb + kind
