"""Refuses what S3 refuses and moto accepts, and writes the settings that CloudFormation writes into a bucket that it makes."""

import json
import xml.etree.ElementTree as tree

EVENTS = ("QueueConfiguration", "TopicConfiguration", "CloudFunctionConfiguration")
TARGETS = ("Queue", "Topic", "CloudFunction")


def _children(element, name):
    """The children of that name, whatever their namespace is."""
    return [child for child in element if child.tag.rsplit("}", 1)[-1] == name]


def _text(element, name, default=None):
    found = _children(element, name)
    return (found[0].text or "") if found else default


# ------------------------------------------------------------------------------------------ notifications


def _key_filter(configuration):
    """(prefix, suffix) that the configuration is limited to."""
    limits = {"prefix": "", "suffix": ""}
    for rule in configuration.iter():
        if rule.tag.endswith("FilterRule"):
            limits[_text(rule, "Name").lower()] = _text(rule, "Value")
    return limits["prefix"], limits["suffix"]


def _same_event(one, other):
    return one == other or any(a.endswith("*") and b.startswith(a[:-1]) for a, b in ((one, other), (other, one)))


def _overlap(one, other):
    (prefix, suffix), (prefix_2, suffix_2) = _key_filter(one), _key_filter(other)
    events, events_2 = ([e.text for e in _children(c, "Event")] for c in (one, other))
    return (any(_same_event(a, b) for a in events for b in events_2)
            and (prefix.startswith(prefix_2) or prefix_2.startswith(prefix))
            and (suffix.endswith(suffix_2) or suffix_2.endswith(suffix)))


def notification_error(body, target_exists):
    """(code, message) of S3's refusal, or None. `target_exists` is asked for each ARN; None leaves that check out."""
    configurations = [c for kind in EVENTS for c in _children(tree.fromstring(body), kind)]
    for index, one in enumerate(configurations):
        if any(_overlap(one, other) for other in configurations[index + 1 :]):
            return "InvalidArgument", (
                "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are "
                "overlapping for the same event type.")
    arns = [_text(c, target) for c in configurations for target in TARGETS if _children(c, target)]
    if target_exists and not all(target_exists(arn) for arn in arns):
        return "InvalidArgument", "Unable to validate the following destination configurations"
    return None


# -------------------------------------------------------------------------------------------- lifecycle


def lifecycle_error(body):
    """S3 takes rules with `Prefix` (version 1) or with `Filter` (version 2), never both."""
    rules = _children(tree.fromstring(body), "Rule")
    if any(_children(r, "Prefix") for r in rules) and any(_children(r, "Filter") for r in rules):
        return "InvalidRequest", "Filter element can only be used in Lifecycle V2."
    if not all(_children(r, "Prefix") or _children(r, "Filter") for r in rules):
        return "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"
    return None


# ------------------------------------------------------------------------------------------ CloudFormation


# Members that have another name in a template than in S3's API.
_NAMES = {"Id": "ID", "ExposedHeaders": "ExposeHeaders", "MaxAge": "MaxAgeSeconds", "TransitionInDays": "Days"}


def _api(value, real):
    """A value of a template as S3's API takes it. `real` makes ARNs of references; parameters of type Number are text."""
    if isinstance(value, dict):
        found = {_NAMES.get(name, name): int(item) if name.endswith("Days") else _api(item, real) for name, item in value.items()}
        if "ExpiredObjectDeleteMarker" in found:
            found["Expiration"] = {"ExpiredObjectDeleteMarker": found.pop("ExpiredObjectDeleteMarker")}
        if "ExpirationInDays" in found:
            found["Expiration"] = {"Days": found.pop("ExpirationInDays")}
        return found
    if isinstance(value, list):
        return [_api(item, real) for item in value]
    return real(value) if isinstance(value, str) else value


def write_settings(s3, properties, before, real):
    """Puts into a bucket what its template says, where that differs from `before`. `real` makes ARNs of references."""
    changed = {name: _api(value, real) for name, value in properties.items() if value != before.get(name)}
    bucket = properties["BucketName"]
    if "NotificationConfiguration" in changed:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [
            {"QueueArn": q["Queue"], "Events": [q["Event"]], "Filter": {"Key": {"FilterRules": q["Filter"]["S3Key"]["Rules"]}}}
            for q in changed["NotificationConfiguration"]["QueueConfigurations"]]})
    if "LifecycleConfiguration" in changed:
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=changed["LifecycleConfiguration"])
    if "CorsConfiguration" in changed:
        s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": changed["CorsConfiguration"]["CorsRules"]})
    if "ReplicationConfiguration" in changed:
        s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=changed["ReplicationConfiguration"])


def write_policy(s3, properties, bucket, real):
    s3.put_bucket_policy(Bucket=bucket, Policy=real(json.dumps(properties["PolicyDocument"])))
