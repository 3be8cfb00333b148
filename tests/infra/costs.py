"""Computes the cost of a month: `python tests/infra/costs.py` prints the table of infra/README.md, and a test compares both.

US dollars, us-east-1, list prices of November 2026; viewers in North America and Europe.
"""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOURS = (0, 10, 1000)
VIEWS = 10

PRICES = {
    "MediaConvert Basic, normalized minute": 0.0075,
    "S3 Standard, GB and month": 0.023, "S3 PUT, thousand": 0.005,
    "S3 to Standard-IA, thousand": 0.01, "S3 to Glacier Instant Retrieval, thousand": 0.02,
    "S3 Standard-IA, GB read": 0.01, "S3 Glacier Instant Retrieval, GB read": 0.03,
    "S3 Glacier, GB and month": 0.0036, "S3 Glacier Instant Retrieval, GB and month": 0.004,
    "CloudFront, GB (first 10 TB)": 0.085, "CloudFront, GB free": 1000, "CloudFront, requests free": 10_000_000,
    "CloudFront Functions, million": 0.10, "CloudFront Functions, million free": 2,
    "Lambda arm64, GB-second": 0.0000133334, "Lambda, million requests": 0.20,
    "SQS, million requests": 0.40, "CloudWatch Logs, GB": 0.50, "X-Ray, million traces": 5.0,
    "Secrets Manager, secret": 0.40, "CloudWatch alarm": 0.10, "CloudWatch metric": 0.30, "CloudWatch free, each": 10,
    "NAT gateway, hour": 0.045, "public IPv4 address, hour": 0.005, "t4g.nano, hour": 0.0042, "EBS gp3, GB and month": 0.08,
}
# Prices of another region, as far as they could be found: MediaConvert's price in Seoul is not among them.
SEOUL = {"S3 Standard, GB and month": 0.025, "CloudFront, GB (first 10 TB)": 0.12}
MONTH = 730

# The built-in template: Mbit/s of its HLS renditions with their sound, and of its MP4.
HLS = (0.8 + 0.128, 1.8 + 0.128, 3.0 + 0.128)
MP4 = 3.0 + 0.128
SOURCE = 8.0
# Normalized minutes a minute: 360 and 540 lines are SD (1), 720 is HD (2), once in HLS and once as MP4.
NORMALIZED = 1 + 1 + 2 + 2
SEGMENT_SECONDS, THUMBNAIL_SECONDS = 6, 5


def gigabytes(megabits):
    """The size of an hour at this rate in Mbit/s."""
    return megabits * 3600 / 8 / 1000


OUTPUT_GB = gigabytes(sum(HLS) + MP4)
SOURCE_GB = gigabytes(SOURCE)
VIEW_GB = gigabytes(HLS[-1])
WRITES = 3600 / SEGMENT_SECONDS * len(HLS) + 3600 / THUMBNAIL_SECONDS


def encoding(hours):
    return hours * 60 * NORMALIZED * PRICES["MediaConvert Basic, normalized minute"]


def storage(hours):
    return hours * (OUTPUT_GB + SOURCE_GB) * PRICES["S3 Standard, GB and month"]


def cold_storage(hours):
    """After 60 days."""
    cold = OUTPUT_GB * PRICES["S3 Glacier Instant Retrieval, GB and month"] + SOURCE_GB * PRICES["S3 Glacier, GB and month"]
    return hours * cold


def moving(hours):
    """Once, after 30 and 60 days: S3 bills each object that goes to another class. Thumbnails, below 128 KB, stay."""
    segments = hours * 3600 / SEGMENT_SECONDS * len(HLS)
    return segments / 1000 * (PRICES["S3 to Standard-IA, thousand"] + PRICES["S3 to Glacier Instant Retrieval, thousand"])


def writing(hours):
    return hours * WRITES / 1000 * PRICES["S3 PUT, thousand"]


def delivery(hours):
    requests = hours * VIEWS * 3600 / SEGMENT_SECONDS
    assert requests <= PRICES["CloudFront, requests free"], "requests would have to be in the table"
    return max(0, hours * VIEWS * VIEW_GB - PRICES["CloudFront, GB free"]) * PRICES["CloudFront, GB (first 10 TB)"]


def edge_functions(hours):
    """One runs on each answer to a viewer. Playlists and pages are few beside the segments."""
    millions = hours * VIEWS * 3600 / SEGMENT_SECONDS / 1e6
    return max(0, millions - PRICES["CloudFront Functions, million free"]) * PRICES["CloudFront Functions, million"]


def nat_gateway():
    """A month, with its public IPv4 address; data is extra."""
    return (PRICES["NAT gateway, hour"] + PRICES["public IPv4 address, hour"]) * MONTH


def nat_instance():
    """A month, with its address and its disk of 8 GB."""
    return (PRICES["t4g.nano, hour"] + PRICES["public IPv4 address, hour"]) * MONTH + 8 * PRICES["EBS gp3, GB and month"]


def in_seoul(cost, hours):
    """Computes `cost` with the prices of SEOUL."""
    before = dict(PRICES)
    PRICES.update(SEOUL)
    try:
        return cost(hours)
    finally:
        PRICES.update(before)


def functions(hours):
    """Films of an hour each; without AWS's free tiers, which cover most of it."""
    calls = {  # (times, seconds, GB)
        "submit": (hours, 1.0, 0.25), "complete": (hours * 60, 0.1, 0.25),
        "signer": (hours * VIEWS * 5, 0.05, 0.5), "reconcile": (30 * 24 * 4, 3.0, 0.25),
    }
    times = sum(n for n, _, _ in calls.values())
    work = sum(n * seconds * memory for n, seconds, memory in calls.values())
    lines = times * 2000 / 1e9
    # Each function polls or is polled: a queue is asked some 15 times a minute by Lambda, at rest too.
    polls = 30 * 24 * 60 * 15
    return (work * PRICES["Lambda arm64, GB-second"] + times / 1e6 * PRICES["Lambda, million requests"]
            + (polls + 3 * hours) / 1e6 * PRICES["SQS, million requests"] + lines * PRICES["CloudWatch Logs, GB"]
            + times / 1e6 * PRICES["X-Ray, million traces"])


def secrets(_):
    return 2 * PRICES["Secrets Manager, secret"]


def alarms_and_metrics():
    # But for the one of the second region, which is not in these figures.
    alarms = len(re.findall(r"Type: AWS::CloudWatch::Alarm\n(?!    Condition: Replicate\n)", (ROOT / "infra/template.yaml").read_text()))
    source = (ROOT / "crates/vod-core/src/metrics.rs").read_text()
    return alarms, len(re.findall(r"^ *\.(?:counted|on_cloudwatch)\(", source, re.M))


def watching(_):
    alarms, metrics = alarms_and_metrics()
    free = PRICES["CloudWatch free, each"]
    return max(0, alarms - free) * PRICES["CloudWatch alarm"] + max(0, metrics - free) * PRICES["CloudWatch metric"]


def rows():
    alarms, metrics = alarms_and_metrics()
    return [
        (f"encoding, {encoding(1):.2f} an hour", encoding),
        (f"storage in the first month, {OUTPUT_GB + SOURCE_GB:.1f} GB an hour", storage),
        (f"writing the outputs, {WRITES:,.0f} requests an hour", writing),
        (f"delivery, {VIEW_GB:.1f} GB per viewer's hour, after 1 TB free", delivery),
        ("CloudFront Functions, after 2 million calls free", edge_functions),
        ("Lambda, SQS, logs, X-Ray", functions),
        ("two secrets", secrets),
        (f"{alarms} alarms, {metrics} metrics (10 of each are free)", watching),
    ]


def total(hours):
    return sum(cost(hours) for _, cost in rows())


def amount(dollars):
    if dollars == 0:
        return "0"
    return f"{dollars:,.2f}" if dollars < 100 else f"{dollars:,.0f}"


def table():
    lines = ["| | " + " | ".join(f"{hours:,} hours" for hours in HOURS) + " |", "| --- | ---: | ---: | ---: |"]
    for name, cost in rows():
        lines.append(f"| {name} | " + " | ".join(amount(cost(hours)) for hours in HOURS) + " |")
    lines.append("| **together** | " + " | ".join(f"**{amount(total(hours))}**" for hours in HOURS) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
