"""An AWS for the scripts of infra/: moto, and in front of it what moto lacks or gets wrong.

moto creates a stack without CloudFront, bucket policies and Function URLs and says CREATE_COMPLETE, so CloudFormation
is answered here: parameters are checked against the template, its rules are evaluated and its resources resolved
(cloudformation.py); what the scripts touch directly then comes into being in moto. Every request is recorded, and
checked against botocore's model of its service.
"""

import contextlib
import functools
import hashlib
import io
import json
import re
import threading
import urllib.parse
import xml.sax.saxutils
import zipfile

import boto3
import botocore.session
import moto.core.models
import moto.moto_api._internal
import moto.s3.models
import werkzeug.serving
from moto.iam.access_control import PermissionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug import Request, Response

import cloudformation
import s3_rules

ACCOUNT = "123456789012"
FUNCTIONS = ["Submit", "Complete", "Signer", "Owner", "Reconcile"]
_LOADER = botocore.session.get_session()
_MOTO = DomainDispatcherApplication(create_backend_app)
# The clients of this process reach moto's backends without HTTP, and so without a record.
moto.core.models.botocore_stubber.enabled = True
# moto knows no conditions: it would take a Deny for plain http for one of everything.
moto.s3.models.FakeBucket.get_permission = lambda *_: PermissionResult.NEUTRAL


@functools.cache
def _client(service):
    return boto3.client(service, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")


class _Connection(MotoRequestHandler):
    def log(self, *_):
        pass

    def connection_dropped(self, *_):
        self.close_connection = True


class Stub:
    """`with Stub() as aws:` then AWS_ENDPOINT_URL=aws.url."""

    client = staticmethod(_client)

    def __init__(self):
        # The only region that has stacks; without one, they are wherever the scripts look for them.
        self.home = None
        self.requests, self.paths, self.credentials, self.faults = [], [], [], []
        self.stacks, self.changes, self.watchers = {}, {}, {}
        self.failure, self.queues, self.concurrency = None, 1, 1000
        # The number of stacks that were made under a name: it is part of the names that CloudFormation gives.
        self.generations = {}
        # Keys that S3 does not delete, such as under a retention of Object Lock.
        self.locked = set()

    def __enter__(self):
        moto.moto_api._internal.moto_api_backend.reset()
        self.server = werkzeug.serving.make_server("127.0.0.1", 0, self, threaded=True, request_handler=_Connection)
        # Looks for the end of the test as often; half a second would be most of a short one.
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *_):
        self.server.shutdown()

    def fail_once(self, service, operation, code, message, status=400):
        """The next such request is refused."""
        self.faults.append((service, operation, code, message, status))

    def at(self, service, operation, act):
        """Before the next such request is looked at, `act` is called; if it says False, the request has never arrived.

        Returns an event: that request has been dealt with, whether or not its client still waits for the answer.
        """
        through = threading.Event()
        self.watchers[service, operation] = act, through
        return through

    def operations(self, changing_only=False):
        """Lists the requests, as service:Operation, in order."""
        reading = ("Get", "List", "Describe", "Head", "Wait")
        found = [f"{service}:{operation}" for service, operation, _ in self.requests]
        return [o for o in found if not (changing_only and o.split(":")[1].startswith(reading))]

    def parameters(self, name):
        return self.stacks[name]["parameters"]

    # ----------------------------------------------------------------------------------------- the wire

    def __call__(self, environ, start_response):
        return self.serve(Request(environ))(environ, start_response)

    def serve(self, request):
        """The WSGI application that answers a request: a response of this stub, or moto."""
        (_, service), body = _scope(request.headers), request.get_data()
        operation, problem = _operation(service, request, body)
        self.requests.append((service, operation, body))
        self.paths.append((service, operation, request.path, body))
        self.credentials.append((request.headers.get("Authorization", ""), request.headers.get("X-Amz-Security-Token")))
        if problem:
            return self.error(service, "NotInTheModel", problem, 501)
        act, through = self.watchers.pop((service, operation), (None, threading.Event()))
        try:
            if act and act() is False:
                raise ConnectionError("this request has never arrived")
            answer = self.respond(service, operation, request, body)
            return Response.from_app(_MOTO, request.environ, buffered=True) if answer is None else answer
        finally:
            through.set()

    def respond(self, service, operation, request, body):
        """The stub's own response, or None: moto responds."""
        for fault in self.faults:
            if fault[:2] == (service, operation):
                self.faults.remove(fault)
                return self.error(service, *fault[2:])
        if service == "secretsmanager":
            asked = json.loads(body or b"{}")
            if refusal := self.refused_secret(operation, asked):
                return self.error(service, *refusal)
            if operation == "GetSecretValue" and "VersionId" not in asked:
                # moto takes the latest version for the current one, wherever AWSCURRENT was moved.
                body = json.dumps({"VersionStage": "AWSCURRENT", **asked}).encode()
        # moto reads the body again.
        request.environ.update({"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "CONTENT_LENGTH": str(len(body))})
        own = getattr(self, f"{service}_{operation}", None)
        if own:
            return own(request, body)
        return self.error(service, "NotStubbed", operation, 501) if service == "cloudformation" else None

    def error(self, service, code, message, status=400):
        if service in ("cloudformation", "cloudfront", "s3", "sts"):
            error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{xml.sax.saxutils.escape(message)}</Message></Error>"
            return Response(error if service == "s3" else f"<ErrorResponse>{error}</ErrorResponse>", status, content_type="text/xml")
        headers = {"x-amzn-ErrorType": code}
        return Response(json.dumps({"__type": code, "message": message, "Message": message}), status, headers, content_type="application/x-amz-json-1.1")

    # ------------------------------------------------------------------- what moto does not refuse

    def s3_PutBucketNotificationConfiguration(self, request, body):
        skip = request.headers.get("x-amz-skip-destination-validation", "").lower() == "true"
        problem = s3_rules.notification_error(body, None if skip else self.queue_exists)
        return self.error("s3", *problem) if problem else None

    def s3_PutBucketLifecycleConfiguration(self, _, body):
        problem = s3_rules.lifecycle_error(body)
        return self.error("s3", *problem) if problem else None

    def s3_DeleteObjects(self, _, body):
        refused = sorted(key for key in self.locked if f"<Key>{key}</Key>".encode() in body)
        error = "<Error><Key>{}</Key><Code>AccessDenied</Code><Message>Access Denied because object protected by object lock.</Message></Error>"
        # 200, as S3 answers: the errors are in the body.
        return Response(f"<DeleteResult>{''.join(map(error.format, refused))}</DeleteResult>", content_type="text/xml") if refused else None

    def refused_secret(self, operation, request):
        """Refuses like Secrets Manager, which moto does for some operations only: (code, message) or None.

        A secret that waits for its deletion can be described, listed and restored, and nothing else.
        """
        if operation in ("CreateSecret", "PutSecretValue", "UpdateSecret") and not 32 <= len(request.get("ClientRequestToken", "")) <= 64:
            # The SDKs and the AWS CLI make one; a request that is sent by hand needs it too (API reference, CreateSecret).
            return "InvalidParameterException", "You must provide a ClientRequestToken value."
        if operation not in ("CreateSecret", "DeleteSecret", "GetSecretValue", "PutSecretValue", "TagResource", "UpdateSecret", "UpdateSecretVersionStage"):
            return None
        secrets, deleted = self.client("secretsmanager"), None
        with contextlib.suppress(secrets.exceptions.ResourceNotFoundException):
            deleted = secrets.describe_secret(SecretId=request.get("SecretId") or request["Name"]).get("DeletedDate")
        if not deleted or (operation == "DeleteSecret" and request.get("ForceDeleteWithoutRecovery")):
            return None
        if operation == "CreateSecret":
            return "InvalidRequestException", "You can't create this secret because a secret with this name is already scheduled for deletion."
        return "InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion."

    # ------------------------------------------------------------------- what moto does not have

    def lambda_GetAccountSettings(self, *_):
        limit = {"UnreservedConcurrentExecutions": self.concurrency, "ConcurrentExecutions": self.concurrency}
        return _json({"AccountLimit": limit})

    def mediaconvert_ListQueues(self, *_):
        return _json({"queues": [{"name": f"q{n}", "pricingPlan": "ON_DEMAND", "settings": {}} for n in range(self.queues)]})

    # --------------------------------------------------------------------------- CloudFormation

    def cloudformation_DescribeStacks(self, request, body):
        name = _query(body).get("StackName")
        stacks = self.stacks if self.home in (None, _scope(request.headers)[0]) else {}
        # A stack that is gone can be described by its id alone.
        if name and name not in stacks:
            return self.error("cloudformation", "ValidationError", f"Stack with id {name} does not exist")
        found = "".join(_stack(n, stack) for n, stack in stacks.items() if name in (None, n))
        return _cf("DescribeStacks", f"<Stacks>{found}</Stacks>")

    def cloudformation_CreateChangeSet(self, _, body):
        query = _query(body)
        name = query["StackName"]
        text = query.get("TemplateBody") or self._template(query["TemplateURL"])
        known = self.stacks.get(name)
        try:
            parameters = _parameters(query, known)
            template = cloudformation.parse(text)
            built = _build(template, parameters, name)
        except (AssertionError, KeyError) as problem:
            return self.error("cloudformation", "ValidationError", str(problem))
        arn = f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:changeSet/{query['ChangeSetName']}/{len(self.changes)}"
        same = bool(known) and known["status"].endswith("COMPLETE") and (known["parameters"], known["template"]) == (parameters, template)
        self.changes[arn] = {"name": name, "parameters": parameters, "template": template, "built": built, "same": same}
        return _cf("CreateChangeSet", f"<Id>{arn}</Id><StackId>{name}</StackId>")

    def _template(self, url):
        bucket, key = urllib.parse.urlparse(url).path.lstrip("/").split("/", 1)
        return self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()

    def cloudformation_GetTemplateSummary(self, _, body):
        """Lists the parameters of a stack, for `aws cloudformation deploy`."""
        template = self.stacks[_query(body)["StackName"]]["template"]
        names = "".join(_member(ParameterKey=name) for name in template["Parameters"])
        return _cf("GetTemplateSummary", f"<Parameters>{names}</Parameters>")

    def cloudformation_DescribeChangeSet(self, _, body):
        if self.changes[_query(body)["ChangeSetName"]]["same"]:
            return _cf("DescribeChangeSet", "<Status>FAILED</Status><StatusReason>The submitted information didn't contain changes.</StatusReason>")
        return _cf("DescribeChangeSet", "<Status>CREATE_COMPLETE</Status><ExecutionStatus>AVAILABLE</ExecutionStatus>")

    def cloudformation_ExecuteChangeSet(self, request, body):
        change = self.changes[_query(body)["ChangeSetName"]]
        self.failure = refused_by_cloudfront(change["built"]) or refused_by_waf(change["built"], _scope(request.headers)[0])
        if self.failure:
            # The services refuse a resource only while CloudFormation makes it, so the stack rolls back.
            before = self.stacks.get(change["name"])
            empty = {"parameters": change["parameters"], "outputs": {}, "template": None, "built": None}
            self.stacks[change["name"]] = {**(before or empty), "status": "UPDATE_ROLLBACK_COMPLETE" if before else "ROLLBACK_COMPLETE"}
        else:
            self._become(change["name"], change["template"], change["parameters"], change["built"])
        return _cf("ExecuteChangeSet")

    def cloudformation_UpdateStack(self, _, body):
        query = _query(body)
        name, known = query["StackName"], self.stacks.get(query["StackName"])
        try:
            assert known, "no such stack"
            parameters = _parameters(query, known)
            built = _build(known["template"], parameters, name)
            assert parameters != known["parameters"], "No updates are to be performed."
        except AssertionError as problem:
            return self.error("cloudformation", "ValidationError", str(problem))
        self._become(name, known["template"], parameters, built)
        return _cf("UpdateStack", "<StackId>x</StackId>")

    def cloudformation_DeleteStack(self, _, body):
        name = _query(body)["StackName"]
        used = [n for n, s in self.stacks.items() if f"webacl/{name}/" in s["parameters"].get("WebAclArn", "")]
        if used:
            # WAFAssociatedItemException, in truth a DELETE_FAILED after minutes.
            return self.error("cloudformation", "ValidationError", f"AWS WAF couldn't delete the web ACL: {used} uses it")
        stack = self.stacks.pop(name, None)
        if stack and stack["built"] and "BucketMode" in stack["parameters"]:
            self._delete_resources(name, stack)
        return _cf("DeleteStack")

    def cloudformation_DescribeStackEvents(self, *_):
        resource, reason = self.failure or ("Distribution", "the account must be verified")
        return _cf("DescribeStackEvents", "<StackEvents>" + _member(
            EventId="1", StackId="x", StackName="x", Timestamp="2026-01-01T00:00:00Z", LogicalResourceId=resource,
            ResourceStatus="CREATE_FAILED", ResourceStatusReason=reason) + "</StackEvents>")

    # ----------------------------------------------------------------------------- what a stack makes

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
        """A value of the template with the stack's resources in it, as CloudFormation names them."""
        generation = self.generations[name]
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

    def _make(self, built, parameters, name, before):
        s3, sqs, iam, functions = (self.client(s) for s in ("s3", "sqs", "iam", "lambda"))
        sqs.create_queue(QueueName=_upload_queue(name, self.generations[name]))
        for logical in ("Bucket", "OutputBucket"):
            if logical in built.resources:
                old = before["built"].resources.get(logical, {}).get("Properties", {}) if before else {}
                self._make_bucket(s3, built, logical, old, lambda value: self._concrete(value, parameters, name))
        there = {function["FunctionName"] for function in functions.list_functions()["Functions"]}
        for short in FUNCTIONS:
            function = built.properties(f"{short}Function")
            # Code that is not there fails a real stack too.
            s3.head_object(Bucket=function["Code"]["S3Bucket"], Key=function["Code"]["S3Key"])
            if function["FunctionName"] in there:
                continue
            with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
                iam.create_role(RoleName=f"{name}-{short}Role", AssumeRolePolicyDocument=trust("lambda.amazonaws.com"))
            functions.create_function(
                FunctionName=function["FunctionName"], Runtime="provided.al2023", Handler="bootstrap", Architectures=["arm64"],
                Role=f"arn:aws:iam::{ACCOUNT}:role/{name}-{short}Role", Code={"ZipFile": package("#!/bin/sh\n")}, Publish=True,
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

    def _delete_resources(self, name, stack):
        """Buckets stay, with what CloudFormation has set in them; their policies are resources of their own and go."""
        sqs, s3, functions = (self.client(s) for s in ("sqs", "s3", "lambda"))
        queue = _upload_queue(name, self.generations[name])
        if self.queue_exists(f":{queue}"):
            sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"])
        for policy in stack["built"].of_type("AWS::S3::BucketPolicy").values():
            s3.delete_bucket_policy(Bucket=policy["Bucket"].replace("<Bucket>", stack["parameters"]["BucketName"]).replace(
                "<OutputBucket>", stack["parameters"]["OutputBucketName"]))
        for function in stack["built"].of_type("AWS::Lambda::Function").values():
            functions.delete_function(FunctionName=function["FunctionName"])

    def queue_exists(self, arn):
        name = arn.rsplit(":", 1)[1]
        found = self.client("sqs").list_queues(QueueNamePrefix=name).get("QueueUrls", [])
        return any(url.endswith(f"/{name}") for url in found)


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
    """WAF has the scope CLOUDFRONT in one region only (API reference, CreateWebACL, Scope)."""
    for name, acl in built.of_type("AWS::WAFv2::WebACL").items():
        if acl["Scope"] == "CLOUDFRONT" and region != "us-east-1":
            return name, "The scope is not valid., field: SCOPE_VALUE, parameter: CLOUDFRONT"
    return None


# ------------------------------------------------------------------------------------------ in AWS's forms


def package(content):
    """The zip of a function whose program is `content`; the same for the same content."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(zipfile.ZipInfo("bootstrap"), content)
    return data.getvalue()


def trust(service):
    """A role's policy that lets a service assume it."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}]})


class Raw(str):
    """Text that is XML already."""


def _member(**fields):
    inner = "".join(f"<{k}>{v if isinstance(v, Raw) else xml.sax.saxutils.escape(str(v))}</{k}>" for k, v in fields.items())
    return Raw(f"<member>{inner}</member>")


def _stack(name, stack):
    pairs = "".join(_member(ParameterKey=k, ParameterValue=v) for k, v in stack["parameters"].items())
    outputs = "".join(_member(OutputKey=k, OutputValue=v) for k, v in stack["outputs"].items())
    return _member(
        StackName=name, StackId=f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/{name}/1", CreationTime="2026-01-01T00:00:00Z",
        StackStatus=stack["status"], Parameters=Raw(pairs), Outputs=Raw(outputs))


def _cf(operation, result=""):
    return Response(f"<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>", content_type="text/xml")


def _json(value, status=200, headers=None, kind="application/json"):
    return Response(json.dumps(value), status, headers, content_type=kind)


def _query(body):
    return dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))


def _parameters(query, known):
    found = {}
    for member in [name.removesuffix("Key") for name in query if re.fullmatch(r"Parameters\.member\.\d+\.ParameterKey", name)]:
        key = query[f"{member}Key"]
        if query.get(f"{member.removesuffix('Parameter')}UsePreviousValue") == "true":
            assert known and key in known["parameters"], f"no previous value of {key}"
            found[key] = known["parameters"][key]
        else:
            found[key] = query[f"{member}Value"]
    return found


def _build(template, parameters, name):
    """The checks that CloudFormation makes before it does anything."""
    for key, about in template["Parameters"].items():
        assert key in parameters or "Default" in about, f"Parameters: [{key}] must have values"
        if key not in parameters:
            parameters[key] = str(about["Default"])
        value = parameters[key]
        # Each member of a list has to match.
        members = [member.strip() for member in value.split(",")] if about["Type"] == "CommaDelimitedList" else [value]
        if "AllowedPattern" in about:
            assert all(re.fullmatch(about["AllowedPattern"], m) for m in members), f"Parameter '{key}' must match pattern"
        if "AllowedValues" in about:
            assert value in map(str, about["AllowedValues"]), f"Parameter '{key}' must be one of AllowedValues"
        if "MinValue" in about:
            assert int(value) >= about["MinValue"], f"Parameter '{key}' must be a number not less than {about['MinValue']}"
    assert set(parameters) <= set(template["Parameters"]), f"unknown parameters {set(parameters) - set(template['Parameters'])}"
    built = cloudformation.Stack(template, parameters, name)
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


def key_id(pem):
    return "K" + hashlib.sha256("".join(pem.split()).encode()).hexdigest()[:13].upper()


# ----------------------------------------------------------------------------------- botocore's models


def _scope(headers):
    """The region and the service that a request is signed for."""
    match = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4_request", headers.get("Authorization", ""))
    return match.groups() if match else ("", "unsigned")


def _operation(service, request, body):
    """Name of the operation, and what is wrong with the request by the model of its service."""
    if service == "unsigned":
        return "Unsigned", "the request is not signed"
    target = request.headers.get("X-Amz-Target")
    if target:
        name = target.split(".")[-1]
        given = set(json.loads(body or b"{}"))
    elif body.startswith(b"Action="):
        query = _query(body)
        name = query.get("Action", "")
        given = {key.split(".")[0] for key in query} - {"Action", "Version"}
    else:
        return _rest_operation(service, request)
    model = _model(service)
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
    """[(method, pattern of the path, names that are in the query or the headers, operation)]"""
    found = []
    for operation in map(_model(service).operation_model, _model(service).operation_names):
        path, _, query = operation.http["requestUri"].partition("?")
        shape = operation.input_shape
        places = [shape.members[member].serialization for member in shape.required_members] if shape else []
        names = {part.split("=")[0] for part in query.split("&") if part}
        names |= {place["name"] for place in places if place.get("location") in ("querystring", "header")}
        pattern = re.sub(r"\{[^}]*?(\+?)\}", lambda label: ".+" if label[1] else "[^/]+", path.rstrip("/"))
        if not operation.deprecated:
            found.append((operation.http["method"], re.compile(pattern), {name.lower() for name in names}, operation.name))
    return found


def _rest_operation(service, request):
    """Finds the operation of a request: of those that fit, the one with the most conditions."""
    path = request.path.rstrip("/")
    given = {name.lower() for name in [*request.args, *dict(request.headers)]}
    fitting = [(len(names), name) for method, pattern, names, name in _rest_operations(service)
               if method == request.method and pattern.fullmatch(path) and names <= given]
    if not fitting:
        return path, f"{_model(service).service_name} has no operation for {request.method} {path}"
    return max(fitting, key=lambda fit: fit[0])[1], None
