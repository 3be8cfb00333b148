"""A whole stack, as `vod --stack` sees it: what CloudFormation would make of infra/template.yaml, made in moto.

What moto lacks is answered here, from the template as well: the distribution, MediaConvert's queue, redrives. So the doctor
is tested against the template, not against its author's idea of it.
"""

import base64
import hashlib
import hmac
import json
import time

from werkzeug import Response

import aws_stub
from aws_stub import ACCOUNT, FUNCTIONS, _json

REGION = "us-east-1"
ISSUER = "https://issuer.example.org"
# The name of each queue of the template in moto.
QUEUES = {"UploadQueue": "vod-uploads", "UploadDeadLetters": "vod-dead", "JobEventDeadLetters": "vod-job-dead"}


class StackStub(aws_stub.Stub):
    def __init__(self):
        super().__init__()
        self.home = REGION
        self.invalidations, self.invoked, self.answers = [], [], {}
        self.edge = {"unsigned": 403, "stranger": 401, "library": 200, "play": 200}
        self.records = [{"id": "film-0123456789abcdef-01234567", "state": "COMPLETE"}]
        self.queue_status = "ACTIVE"

    # ------------------------------------------------------------------------------------ the edge

    def serve(self, request):
        if request.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256"):
            return super().serve(request)
        return self.viewer(request)

    def viewer(self, request):
        """A distribution with the signer behind it: enough of both for a doctor."""
        edge, path = self.edge, request.path
        if path.startswith("/output/"):
            return Response("", edge["unsigned"])
        if path.startswith("/play/"):
            return Response("#EXTM3U", edge["play"])
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not bearer or not self.is_good(bearer):
            problem = {"title": "Unauthorized", "detail": "bad token" if bearer else "no token"}
            return _json(problem, 401 if bearer else edge["stranger"], kind="application/problem+json")
        if path == "/api/assets":
            return _json({"assets": self.records}, edge["library"])
        if path == "/api/playback":
            return _json({"hls": f"{self.url}/play/g/a/default/hls/video.m3u8", "mp4": []})
        return _json({}, 404, kind="application/problem+json")

    def is_good(self, token):
        key = self.client("secretsmanager").get_secret_value(SecretId="vod/jwt")["SecretString"].strip()
        head, _, signature = token.rpartition(".")
        wanted = hmac.new(key.encode(), head.encode(), hashlib.sha256).digest()
        if base64.urlsafe_b64encode(wanted).decode().rstrip("=") != signature:
            return False
        claims = json.loads(base64.urlsafe_b64decode(head.split(".")[1] + "=="))
        return claims["exp"] > time.time() and claims.get("iss") == ISSUER

    # -------------------------------------------------------------------------- what moto does not have

    def cloudfront_CreateInvalidation(self, request, body):
        self.invalidations.append((request.path, body.decode()))

    def mediaconvert_GetQueue(self, request, _):
        name = request.path.rsplit("/", 1)[1]
        if name != "vod-jobs":
            return self.error("mediaconvert", "NotFoundException", f"no queue {name}", 404)
        return _json({"queue": {"name": name, "status": self.queue_status, "submittedJobsCount": 0, "progressingJobsCount": 1}})

    def lambda_Invoke(self, request, body):
        self.invoked.append((request.environ["RAW_URI"], json.loads(body)))
        value = self.answers.get(request.path.split("/")[3], {})
        if isinstance(value, str):
            return _json({"errorType": "Runtime", "errorMessage": value}, headers={"x-amz-function-error": "Unhandled"})
        return _json(value)

    def sqs_StartMessageMoveTask(self, _, body):
        """Moves at once: to the queue that has this one for its dead letters."""
        sqs = self.client("sqs")
        source = sqs.get_queue_url(QueueName=json.loads(body)["SourceArn"].rsplit(":", 1)[1])["QueueUrl"]
        target = self.stacks["vod"]["outputs"]["UploadQueueUrl"]
        self.moved = 0
        while messages := sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                sqs.send_message(QueueUrl=target, MessageBody=message["Body"])
                sqs.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
                self.moved += 1
        return _json({"TaskHandle": "t"})

    def sqs_ListMessageMoveTasks(self, *_):
        return _json({"Results": [{"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": self.moved}]})

    # ----------------------------------------------------------------------- the stack's parts

    def complete(self):
        """Adds the parts that `_make` leaves out of the stack `vod`."""
        stack, sqs = self.stacks["vod"], self.client("sqs")
        stack["parameters"]["AuthIssuer"] = ISSUER
        distribution = self.client("cloudfront").create_distribution(DistributionConfig={
            "CallerReference": "vod", "Comment": "", "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [{"Id": "s3", "DomainName": "b.s3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}]},
            "DefaultCacheBehavior": {"TargetOriginId": "s3", "ViewerProtocolPolicy": "https-only"}})
        self.known = {
            "<Distribution>": distribution["Distribution"]["Id"], "https://<Distribution.DomainName>": self.url,
            "<Distribution.DomainName>": "d111111abcdef8.cloudfront.net",
            "<Keys>": "the-key-group", "<KeyOne>": aws_stub.key_id(stack["parameters"]["PublicKeyOne"]),
            "<JobQueue.Arn>": f"arn:aws:mediaconvert:{REGION}:{ACCOUNT}:queues/vod-jobs", "111122223333": ACCOUNT,
            **{f"<{short}Function>": f"vod-{short.lower()}" for short in FUNCTIONS},
        }
        for queue, name in QUEUES.items():
            url = sqs.create_queue(QueueName=name)["QueueUrl"]
            self.known |= {f"<{queue}>": url, f"<{queue}.Arn>": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", f"<{queue}.QueueName>": name}
        stack["outputs"] = {name: self.real(value) for name, value in stack["built"].outputs.items()}
        redrive = self.real(stack["built"].properties("UploadQueue")["RedrivePolicy"])
        sqs.set_queue_attributes(QueueUrl=self.known["<UploadQueue>"], Attributes={"RedrivePolicy": json.dumps(redrive)})
        self.requests.clear()

    def real(self, value):
        """A resolved value of the template, with its references as they are in moto."""
        text = json.dumps(value)
        for token, concrete in self.known.items():
            text = text.replace(json.dumps(token)[1:-1], concrete)
        return json.loads(text)
