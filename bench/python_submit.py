"""The plain Python equivalent of functions/submit: the same calls in the same order with boto3, clients made once,
and a runtime loop with less in it than awslambdaric's. It is what one would write first, kindly measured."""

import hashlib
import http.client
import json
import os
from urllib.parse import unquote_plus

import boto3
from botocore.exceptions import ClientError

S3 = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])
MEDIACONVERT = boto3.client("mediaconvert", endpoint_url=os.environ["AWS_ENDPOINT_URL_MEDIACONVERT"])
BUCKET = os.environ["BUCKET"]
with open(os.environ["JOB_TEMPLATE"], encoding="utf-8") as file:
    TEMPLATE = json.load(file)


def handler(event: dict) -> dict:
    for message in event["Records"]:
        for record in json.loads(message["body"])["Records"]:
            submit(record["s3"]["object"])
    return {"batchItemFailures": []}


def submit(item: dict) -> None:
    key = unquote_plus(item["key"])
    head = S3.head_object(Bucket=BUCKET, Key=key)
    asset = "video-" + hashlib.sha256((BUCKET + "\0" + key + head["ETag"]).encode()).hexdigest()[:24]
    record_key = f"catalog/{asset}.json"
    try:
        S3.get_object(Bucket=BUCKET, Key=record_key)
        return
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
    record = {"id": asset, "state": "QUEUED"}
    claim = S3.put_object(Bucket=BUCKET, Key=record_key, Body=json.dumps(record), IfNoneMatch="*")
    S3.list_objects_v2(Bucket=BUCKET, Prefix="jobs/")
    MEDIACONVERT.probe(InputFiles=[{"FileUrl": f"s3://{BUCKET}/{key}"}])
    settings = json.loads(json.dumps(TEMPLATE["Settings"]))
    settings["Inputs"][0]["FileInput"] = f"s3://{BUCKET}/{key}"
    job = MEDIACONVERT.create_job(
        Role=os.environ["MEDIACONVERT_ROLE_ARN"],
        Settings=settings,
        UserMetadata={"application": "vod", "asset": asset, "template": "default", "attempt": "1"},
        ClientRequestToken=hashlib.sha256(asset.encode()).hexdigest(),
    )
    record.update(state="SUBMITTED", job_id=job["Job"]["Id"])
    S3.put_object(Bucket=BUCKET, Key=record_key, Body=json.dumps(record), IfMatch=claim["ETag"])


def main() -> None:
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    base = "/2018-06-01/runtime/invocation"
    while True:
        api.request("GET", f"{base}/next")
        invocation = api.getresponse()
        request_id = invocation.headers["lambda-runtime-aws-request-id"]
        answer = handler(json.loads(invocation.read()))
        api.request("POST", f"{base}/{request_id}/response", json.dumps(answer))
        api.getresponse().read()


if __name__ == "__main__":
    main()
