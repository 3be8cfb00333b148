"""The templates that one may leave out: network, uploader, replica. Every rule has mutants, as in test_template.py."""

import subprocess

import pytest

import cloudformation
import iam
from conftest import ROOT
from test_template import BUCKET, drop, must_notice, put

NAME = BUCKET.rsplit(":", 1)[1]
RULES = []


def noticed(name, *mutants):
    """Registers a rule on infra/<name>.yaml with the changes that it must notice."""

    def register(rule):
        assert mutants, "a rule without a mutant proves nothing"
        RULES.append((rule, cloudformation.load(ROOT / f"infra/{name}.yaml"), mutants))
        return rule

    return register


# ------------------------------------------------------------------------------------------------ uploader

UPLOAD = f"{BUCKET}/input/my film (1) [x].mp4"
RECORD = f"{BUCKET}/catalog/my-film-0f3c-91be.json"
RIGHTS = [
    ("s3:PutObject", UPLOAD, {}, True), ("s3:AbortMultipartUpload", UPLOAD, {}, True),
    ("s3:ListMultipartUploadParts", UPLOAD, {}, True), ("s3:GetObject", RECORD, {}, True),
    ("s3:GetObject", f"{BUCKET}/output/a/x.mp4", {}, True), ("s3:ListBucket", BUCKET, {"s3:prefix": "input/2026/"}, True),
    ("s3:GetObject", UPLOAD, {}, True), ("s3:PutObject", RECORD, {}, False), ("s3:DeleteObject", UPLOAD, {}, False),
    ("s3:ListBucket", BUCKET, {}, False), ("s3:ListBucket", BUCKET, {"s3:prefix": "ops/"}, False),
    # Resuming an upload: it is looked for, then its parts are (docs/operations.md, upload).
    ("s3:ListBucketMultipartUploads", BUCKET, {"s3:prefix": "input/a.mp4"}, True), ("s3:ListBucketMultipartUploads", "arn:aws:s3:::other", {}, False),
    ("s3:PutObject", f"{BUCKET}/jobs/x.json", {}, False), ("s3:PutObject", "arn:aws:s3:::other/input/x", {}, False),
    ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:111122223333:secret:film/signing-a1", {}, False),
    ("s3:GetObject", "arn:aws:s3:::film-outputs/output/a/x.mp4", {}, False), ("iam:CreateAccessKey", "*", {}, False),
]
# With a prefix of its own and outputs in another bucket.
OWN_RIGHTS = [
    ("s3:PutObject", f"{BUCKET}/input/studio/a.mp4", {}, True), ("s3:GetObject", f"{BUCKET}/input/studio/a.mp4", {}, True),
    ("s3:ListBucket", BUCKET, {"s3:prefix": "input/studio/"}, True), ("s3:GetObject", RECORD, {}, True),
    ("s3:GetObject", "arn:aws:s3:::film-outputs/output/a/x.mp4", {}, True), ("s3:ListBucket", "arn:aws:s3:::film-outputs", {"s3:prefix": "output/a/"}, True),
    ("s3:GetObject", UPLOAD, {}, False), ("s3:PutObject", UPLOAD, {}, False), ("s3:ListBucket", BUCKET, {"s3:prefix": "input/"}, False),
    ("s3:GetObject", f"{BUCKET}/output/a/x.mp4", {}, False), ("s3:GetObject", "arn:aws:s3:::film-outputs/else", {}, False),
    ("s3:ListBucket", "arn:aws:s3:::film-outputs", {"s3:prefix": ""}, False), ("s3:PutObject", "arn:aws:s3:::film-outputs/input/studio/a", {}, False),
]
POLICY = "Uploads/Properties/PolicyDocument/Statement"


@noticed(
    "uploader",
    put(f"{POLICY}/0/Action", ["s3:*"]),
    put(f"{POLICY}/0/Resource", f"{BUCKET}/*"),
    put(f"{POLICY}/1/Resource", [f"{BUCKET}/*"]),
    drop(f"{POLICY}/2/Condition"),
    put(f"{POLICY}/2/Condition/StringLike/s3:prefix", ["*"]),
    drop(f"{POLICY}/1"),
    put(f"{POLICY}/0/Action", ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]),
    drop(f"{POLICY}/3"),
    drop(f"{POLICY}/4"),
    put(f"{POLICY}/4/Resource", "arn:aws:s3:::*"),
)
def the_uploader_uploads_and_reads_results(template):
    built = cloudformation.Stack(template, {"BucketName": NAME, "CaCertificate": "PEM"})
    statements = built.properties("Uploads")["PolicyDocument"]["Statement"]
    for action, resource, context, expected in RIGHTS:
        assert iam.allows(statements, action, resource, context) is expected, (action, resource)
    own = {"BucketName": NAME, "OutputBucketName": "film-outputs", "UploadPrefix": "studio/", "CaCertificate": "PEM"}
    statements = cloudformation.Stack(template, own).properties("Uploads")["PolicyDocument"]["Statement"]
    for action, resource, context, expected in OWN_RIGHTS:
        assert iam.allows(statements, action, resource, context) is expected, (action, resource)


TRUST = "Role/Properties/AssumeRolePolicyDocument/Statement/0"


@noticed(
    "uploader",
    drop(f"{TRUST}/Condition/ArnEquals"),
    put(f"{TRUST}/Condition/StringEquals", {}),
    put(f"{TRUST}/Principal", {"AWS": "*"}),
    put("User/Condition", "Anywhere"),
    put("Role/Condition", "AccessKey"),
    put("Profile/Properties/RoleArns", []),
)
def the_uploader_has_a_certificate_or_on_request_a_user(template):
    anywhere = cloudformation.Stack(template, {"BucketName": "b", "CaCertificate": "PEM"})
    assert "Role" in anywhere.resources and anywhere.properties("Profile")["RoleArns"] == ["<Role.Arn>"]
    (trust,) = anywhere.properties("Role")["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "rolesanywhere.amazonaws.com"}
    assert trust["Condition"].get("ArnEquals") == {"aws:SourceArn": "<Authority.TrustAnchorArn>"}
    assert trust["Condition"]["StringEquals"] == {"aws:PrincipalTag/x509Subject/CN": "vod-uploader"}
    assert not anywhere.of_type("AWS::IAM::User")
    assert not cloudformation.Stack(template, {"BucketName": "b"}).rules_hold()
    by_key = cloudformation.Stack(template, {"BucketName": "b", "Way": "access-key"})
    assert by_key.rules_hold() and by_key.of_type("AWS::IAM::User")
    assert not by_key.of_type("AWS::IAM::Role") and not by_key.of_type("AWS::IAM::AccessKey")


# ------------------------------------------------------------------------------------------------- network


@noticed(
    "network",
    put("PrivateTwo/Properties/AvailabilityZone", "us-east-1a"),
    put("PublicTwo/Properties/AvailabilityZone", "us-east-1c"),
    put("PublicThree/Properties/CidrBlock", {"Fn::Select": [0, {"Fn::Cidr": [{"Ref": "Cidr"}, 6, 12]}]}),
    put("PrivateThreeRoutes/Properties/RouteTableId", {"Ref": "PublicRoutes"}),
    put("S3Endpoint/Properties/RouteTableIds", [{"Ref": "PublicRoutes"}]),
    put("S3Endpoint/Properties/VpcEndpointType", "Interface"),
    drop("PrivateDefault/Condition"),
    put("PrivateDefault/Properties/RouteTableId", {"Ref": "PublicRoutes"}),
    put("Gateway/Condition", "AnyNat"),
    drop("PublicThree/Condition"),
    drop("PrivateThreeRoutes/Condition"),
    drop("Instance/CreationPolicy"),
    drop("PublicOne/Properties/MapPublicIpOnLaunch"),
    put("InstanceHangs/Properties/MetricName", "CPUUtilization"),
    put("Gateway/Properties/SubnetId", {"Ref": "PrivateOne"}),
    put("Instance/Properties/SourceDestCheck", True),
    put("Instance/Properties/MetadataOptions", {"HttpTokens": "optional"}),
    put("NatGroup/Properties/SecurityGroupIngress/0/CidrIp", "0.0.0.0/0"),
    put("FunctionGroup/Properties/SecurityGroupIngress", [{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}]),
)
def the_network_has_its_zones_and_one_way_out(template):
    # Where there are two zones, nothing may ask for a third.
    small = cloudformation.Stack(template, {"Zones": "2", "NatImage": "ami-1"})
    assert len(small.of_type("AWS::EC2::Subnet")) == 4 and not [name for name in small.resources if "Three" in name]
    assert small.outputs["SubnetIds"] == "<PrivateOne>,<PrivateTwo>"
    for nat, kinds in (("instance", {"AWS::EC2::Instance"}), ("gateway", {"AWS::EC2::NatGateway"}), ("none", set())):
        built = cloudformation.Stack(template, {"Nat": nat, "NatImage": "ami-1"})
        subnets = built.of_type("AWS::EC2::Subnet")
        assert len(subnets) == 6 and len({s["CidrBlock"] for s in subnets.values()}) == 6
        for kind in ("Private", "Public"):
            assert len({s["AvailabilityZone"] for name, s in subnets.items() if name.startswith(kind)}) == 3
        types = {r["Type"] for r in built.resources.values()}
        assert types & {"AWS::EC2::Instance", "AWS::EC2::NatGateway"} == kinds
        assert built.properties("S3Endpoint")["VpcEndpointType"] == "Gateway"
        assert "<PrivateRoutes>" in built.properties("S3Endpoint")["RouteTableIds"]
        routes = built.of_type("AWS::EC2::Route").values()
        way_out = [r for r in routes if r["RouteTableId"] == "<PrivateRoutes>"]
        assert bool(way_out) == bool(kinds) and len(routes) == 1 + len(way_out)
        assert all(r.get("NatGatewayId") or r.get("InstanceId") for r in way_out)
        for name in ("One", "Two", "Three"):
            assert built.properties(f"Private{name}Routes")["RouteTableId"] == "<PrivateRoutes>"
        if nat == "gateway":
            assert built.properties("Gateway")["SubnetId"] == "<PublicOne>"
        if nat == "instance":
            instance = built.properties("Instance")
            # It signals before it has its address: without one of its own it could not, and creation would fail.
            assert built.resources["Instance"].get("CreationPolicy", {}).get("ResourceSignal"), "nothing waits for the signal"
            assert instance["SubnetId"] == "<PublicOne>" and built.properties("PublicOne").get("MapPublicIpOnLaunch") is True
            assert built.properties("InstanceHangs")["MetricName"] == "StatusCheckFailed_Instance"
            assert instance["SourceDestCheck"] is False and instance["MetadataOptions"] == {"HttpTokens": "required"}
            (entry,) = built.properties("NatGroup")["SecurityGroupIngress"]
            assert entry["CidrIp"] == built.properties("Vpc")["CidrBlock"] and entry["ToPort"] == 443
        assert built.outputs["SubnetIds"] == "<PrivateOne>,<PrivateTwo>,<PrivateThree>"
        assert "SecurityGroupIngress" not in built.properties("FunctionGroup")


@pytest.mark.parametrize("fails, signal", [("", "0"), ("dnf", "1"), ("nft", "1")])
def test_the_nat_instance_signals_what_became_of_it(tmp_path, fails, signal):
    """Runs its user data, with substitutes for the programs that change a machine."""
    template = cloudformation.load(ROOT / "infra/network.yaml")
    text = cloudformation.Stack(template, {"NatImage": "ami-1"}).properties("Instance")["UserData"]
    log = tmp_path / "log"
    for name in ("cfn-signal", "dd", "chmod", "mkswap", "swapon", "curl", "dnf", "sysctl", "ip", "systemctl", "nft"):
        answer = "echo 192.0.2.1 via 10.20.0.1 dev ens5 src 10.20.0.2" if name == "ip" else f"exit {int(name == fails)}"
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$@" >>{log}\n{answer}\n')
        (tmp_path / name).chmod(0o755)
    for folder in ("etc/sysctl.d", "etc/sysconfig"):
        (tmp_path / folder).mkdir(parents=True)
    text = text.replace("/opt/aws/bin/", "").replace("/etc/", f"{tmp_path}/etc/")
    subprocess.run(["bash", "-c", text], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False, capture_output=True)
    calls = log.read_text().splitlines()
    assert calls[-1] == f"cfn-signal -e {signal} --stack film --resource Instance --region us-east-1", calls
    assert calls.index("swapon /swapfile") < calls.index("dnf install -y nftables")
    # No status makes curl fail: a page that is refused shows the network as well as any.
    (probe,) = [call for call in calls if call.startswith("curl")]
    assert "-f" not in probe.split() and "-sf" not in probe.split()
    if not fails:
        assert 'oifname "ens5" masquerade' in (tmp_path / "etc/sysconfig/nftables.conf").read_text()


# ------------------------------------------------------------------------------------------------- replica


@noticed(
    "replica",
    put("Bucket/Properties/VersioningConfiguration/Status", "Suspended"),
    put("Bucket/Properties/PublicAccessBlockConfiguration/BlockPublicPolicy", False),
    drop("Bucket/DeletionPolicy"),
    drop("Bucket/Properties/BucketEncryption"),
    put("Bucket/Properties/OwnershipControls/Rules/0/ObjectOwnership", "ObjectWriter"),
    put("Bucket/Properties/LifecycleConfiguration/Rules/0/ExpirationInDays", 30),
    drop("BucketPolicy/Properties/PolicyDocument/Statement/0/Condition"),
    put("BucketPolicy/Properties/PolicyDocument/Statement/0/Effect", "Allow"),
)
def the_copy_is_versioned_private_and_stays(template):
    built = cloudformation.Stack(template, {"BucketName": NAME})
    bucket = built.resources["Bucket"]
    assert bucket.get("DeletionPolicy") == "RetainExceptOnCreate" and bucket["UpdateReplacePolicy"] == "Retain"
    properties = bucket["Properties"]
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert all(properties["PublicAccessBlockConfiguration"].values()) and len(properties["PublicAccessBlockConfiguration"]) == 4
    assert "BucketEncryption" in properties and properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    for rule in properties["LifecycleConfiguration"]["Rules"]:
        assert "ExpirationInDays" not in rule and not rule.get("Transitions")
    (denied,) = built.properties("BucketPolicy")["PolicyDocument"]["Statement"]
    assert denied["Effect"] == "Deny" and denied.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
    assert built.outputs["Bucket"] == "<Bucket>"


# --------------------------------------------------------------------------------------------------- runner


@pytest.mark.parametrize("rule, template", [(rule, template) for rule, template, _ in RULES], ids=lambda part: getattr(part, "__name__", ""))
def test_rule(rule, template):
    rule(template)


MUTANTS = [(rule, template, mutant) for rule, template, mutants in RULES for mutant in mutants]


@pytest.mark.parametrize("rule, template, mutant", MUTANTS, ids=lambda part: getattr(part, "__name__", ""))
def test_rule_notices(rule, template, mutant):
    must_notice(rule, template, mutant)
