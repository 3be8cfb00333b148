"""A whole stack, as `vod --stack` sees it: what CloudFormation would make of infra/template.yaml, made in moto.

What moto lacks is answered here, from the template as well: CloudFront, MediaConvert's queue, redrives. So the doctor is
tested against the template, not against its author's idea of it.
"""

import base64
import hashlib
import hmac
import json
import re
import time
import urllib.parse
import xml.sax.saxutils

import aws_stub
from aws_stub import ACCOUNT, Raw, _member, _query

REGION = "us-east-1"
ISSUER = "https://issuer.example.org"
FUNCTIONS = ["Submit", "Complete", "Signer", "Reconcile"]


class Handler(aws_stub._Handler):
    def _serve(self):
        if self.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256"):
            return super()._serve()
        return self._viewer()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve

    # A distribution with the signer behind it: enough of both for a doctor.

    def _viewer(self):
        edge, path = self.aws.edge, self.path.split("?")[0]
        self.aws.viewers.append(self.path)
        if path.startswith("/output/"):
            return self._answer("", edge["unsigned"])
        if path.startswith("/play/"):
            return self._answer("#EXTM3U", edge["play"])
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not bearer:
            return self._answer('{"title":"Unauthorized"}', edge["stranger"], "application/problem+json")
        if not self.aws.is_good(bearer):
            return self._answer('{"title":"Unauthorized","detail":"bad token"}', 401, "application/problem+json")
        if path == "/api/assets":
            return self._answer(json.dumps({"assets": self.aws.records}), edge["library"], "application/json")
        if path == "/api/playback":
            hls = f"{self.aws.url}/play/g/a/default/hls/video.m3u8"
            return self._answer(json.dumps({"hls": hls, "mp4": []}), kind="application/json")
        return self._answer("{}", 404, "application/problem+json")

    def _cloudformation_DescribeStacks(self, body):
        region = re.search(r"Credential=[^/]+/\d+/([^/]+)/", self.headers["Authorization"]).group(1)
        stacks = self.aws.stacks if region == self.aws.home else {}
        name = _query(body).get("StackName")
        if name and name not in stacks:
            return self._error("cloudformation", "ValidationError", f"Stack with id {name} does not exist")
        found = "".join(self._stack(n, stacks[n]) for n in ([name] if name else stacks))
        return self._cf("DescribeStacks", f"<Stacks>{found}</Stacks>")

    def _stack(self, name, stack):
        pairs = "".join(_member(ParameterKey=k, ParameterValue=v) for k, v in stack["parameters"].items())
        outputs = "".join(_member(OutputKey=k, OutputValue=v) for k, v in stack["outputs"].items())
        return _member(StackName=name, StackStatus=stack["status"], Parameters=Raw(pairs), Outputs=Raw(outputs))

    def _cloudfront_GetDistribution(self, _):
        known = self.aws.known["<Distribution>"]
        if not self.path.endswith(f"/{known}"):
            return self._error("cloudfront", "NoSuchDistribution", "there is none", 404)
        return self._answer(
            f"<Distribution><Id>{known}</Id><ARN>x</ARN><Status>Deployed</Status><LastModifiedTime>2026-01-01T00:00:00Z</LastModifiedTime>"
            "<InProgressInvalidationBatches>0</InProgressInvalidationBatches><DomainName>d111111abcdef8.cloudfront.net</DomainName>"
            "<DistributionConfig><CallerReference>x</CallerReference><Comment/><Enabled>true</Enabled></DistributionConfig></Distribution>")

    def _cloudfront_CreateInvalidation(self, body):
        batch = body.decode()
        self.aws.invalidations.append((self.path, batch))
        return self._answer(
            "<Invalidation><Id>I1</Id><Status>InProgress</Status><CreateTime>2026-01-01T00:00:00Z</CreateTime>"
            f"{re.sub('<[?].*?[?]>', '', batch)}</Invalidation>", 201)

    def _mediaconvert_GetQueue(self, _):
        name = urllib.parse.unquote(self.path.rsplit("/", 1)[1])
        if name != "vod-jobs":
            return self._error("mediaconvert", "NotFoundException", f"no queue {name}", 404)
        queue = {"name": name, "status": self.aws.queue_status, "submittedJobsCount": 0, "progressingJobsCount": 1}
        return self._answer(json.dumps({"queue": queue}), kind="application/json")

    def _lambda_Invoke(self, body):
        function = self.path.split("/")[3]
        self.aws.invoked.append((self.path, json.loads(body)))
        headers = [("x-amz-function-error", "Unhandled")] if isinstance(self.aws.answers.get(function), str) else []
        value = self.aws.answers.get(function, {})
        if headers:
            value = {"errorType": "Runtime", "errorMessage": value}
        return self._answer(json.dumps(value), kind="application/json", headers=headers)

    def _sqs_StartMessageMoveTask(self, body):
        """Moves at once: to whom this is the dead-letter queue of."""
        sqs = self.aws.client("sqs")
        dead = json.loads(body)["SourceArn"]
        source = self.aws.url_of(dead)
        target = self.aws.stacks["vod"]["outputs"]["UploadQueueUrl"]
        self.aws.moved = 0
        while messages := sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                sqs.send_message(QueueUrl=target, MessageBody=message["Body"])
                sqs.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
                self.aws.moved += 1
        return self._answer(json.dumps({"TaskHandle": "t"}), kind="application/x-amz-json-1.0")

    def _sqs_ListMessageMoveTasks(self, _):
        task = {"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": self.aws.moved}
        return self._answer(json.dumps({"Results": [task]}), kind="application/x-amz-json-1.0")

    def _error(self, service, code, message, status=400):
        if service == "cloudfront":
            text = xml.sax.saxutils.escape(message)
            error = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error></ErrorResponse>"
            return self._answer(error, status)
        return super()._error(service, code, message, status)


class StackStub(aws_stub.Stub):
    handler = Handler

    def __init__(self):
        super().__init__(REGION)
        self.home = REGION
        self.viewers, self.invalidations, self.invoked, self.answers = [], [], [], {}
        self.edge = {"unsigned": 403, "stranger": 401, "library": 200, "play": 200}
        self.records = [{"id": "film-0123456789abcdef-01234567", "state": "COMPLETE"}]
        self.queue_status = "ACTIVE"
        self.moved = 0

    def url_of(self, arn):
        return self.client("sqs").get_queue_url(QueueName=arn.rsplit(":", 1)[1])["QueueUrl"]

    def is_good(self, token):
        key = self.client("secretsmanager").get_secret_value(SecretId="vod/jwt")["SecretString"].strip()
        head, _, signature = token.rpartition(".")
        wanted = hmac.new(key.encode(), head.encode(), hashlib.sha256).digest()
        if base64.urlsafe_b64encode(wanted).decode().rstrip("=") != signature:
            return False
        claims = json.loads(base64.urlsafe_b64decode(head.split(".")[1] + "=="))
        return claims["exp"] > time.time() and claims.get("iss") == ISSUER

    # ----------------------------------------------------------------------- the stack's parts

    def complete(self):
        """What `_make` leaves out of the stack `vod`."""
        stack = self.stacks["vod"]
        stack["parameters"]["AuthIssuer"] = ISSUER
        self.built = stack["built"]
        self.known = self._tokens(stack)
        stack["outputs"] = {name: self.real(value) for name, value in self.built.outputs.items()}
        self._queues()
        self.requests.clear()

    def _tokens(self, stack):
        queue = lambda name: f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        url = lambda name: self.client("sqs").create_queue(QueueName=name)["QueueUrl"]
        known = {
            "<UploadQueue>": url("vod-uploads"), "<UploadQueue.Arn>": queue("vod-uploads"), "<UploadQueue.QueueName>": "vod-uploads",
            "<UploadDeadLetters>": url("vod-dead"), "<UploadDeadLetters.Arn>": queue("vod-dead"), "<UploadDeadLetters.QueueName>": "vod-dead",
            "<JobEventDeadLetters>": url("vod-job-dead"), "<JobEventDeadLetters.Arn>": queue("vod-job-dead"),
            "<JobEventDeadLetters.QueueName>": "vod-job-dead",
            "<Distribution>": "EDFDVBD6EXAMPLE", "<Distribution.DomainName>": "d111111abcdef8.cloudfront.net",
            f"https://d111111abcdef8.cloudfront.net": self.url,
            "<Keys>": "the-key-group", "<KeyOne>": aws_stub.key_id(stack["parameters"]["PublicKeyOne"]),
            "<JobQueue.Arn>": f"arn:aws:mediaconvert:{REGION}:{ACCOUNT}:queues/vod-jobs",
            "111122223333": ACCOUNT,
        }
        for short in FUNCTIONS:
            known[f"<{short}Function>"] = f"vod-{short.lower()}"
        return known

    def real(self, value):
        """A resolved value of the template, with its references as they are in moto."""
        text = json.dumps(value)
        for token, concrete in self.known.items():
            text = text.replace(json.dumps(token)[1:-1], concrete)
        return json.loads(text)

    def _queues(self):
        sqs = self.client("sqs")
        redrive = self.real(self.built.properties("UploadQueue")["RedrivePolicy"])
        sqs.set_queue_attributes(QueueUrl=self.known["<UploadQueue>"], Attributes={"RedrivePolicy": json.dumps(redrive)})
