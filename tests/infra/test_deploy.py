"""infra/deploy.sh: the parameters that it chooses by itself."""

import re

import pytest

import aws_stub
from test_template import TEMPLATE


def release(aws):
    return aws.parameters("vod")["Release"]


@pytest.mark.parametrize("secret", ["vod/jwt", "vod/signing"])
def test_a_secret_under_another_arn_makes_new_versions(aws, deployed, secret):
    """The ARN is in the signer's environment: without a new version, `live` would go on with one that its role no longer allows."""
    deployed.deploy()
    before, arn = release(aws), aws.client("secretsmanager").describe_secret(SecretId=secret)["ARN"]
    deployed.deploy()
    assert release(aws) == before
    value = aws.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    aws.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    assert aws.client("secretsmanager").create_secret(Name=secret, SecretString=value)["ARN"] != arn
    deployed.deploy()
    assert release(aws) != before
    assert arn not in aws.parameters("vod").values()


def test_a_version_says_what_it_was_built_from(aws, deployed):
    deployed.deploy("--source", "v1.2.3 4f9c1d2")
    built = aws.stacks["vod"]["built"]
    assert built.properties("SignerVersion")["Description"] == f"{release(aws)} from v1.2.3 4f9c1d2"
    before = release(aws)
    # Packages of unknown origin do not go by the name of the last ones.
    deployed.deploy()
    assert release(aws) != before and aws.stacks["vod"]["built"].properties("SignerVersion")["Description"] == release(aws)
    assert "--source" in deployed.deploy("--set", "Source=v9", ok=False).said


@pytest.mark.parametrize("region, price_class", [
    ("eu-west-1", None), ("ap-northeast-2", "PriceClass_200"), ("ap-southeast-2", "PriceClass_All"), ("sa-east-1", "PriceClass_All"),
])
def test_the_price_class_has_edges_where_the_stack_is(aws, scripts, region, price_class):
    """Without a word from deploy.sh it is the template's default."""
    said = scripts.deploy("--plan", "--region", region).said
    assert re.findall(r"PriceClass=(PriceClass_\w+)", said) == ([price_class] if price_class else [])
    assert ("no edges near" in said) is bool(price_class)
    assert TEMPLATE["Parameters"]["PriceClass"]["Default"] == "PriceClass_100"


def test_a_price_class_of_ones_own_stays(aws, scripts):
    scripts.deploy("--set", "PriceClass=PriceClass_All")
    assert aws.parameters("vod")["PriceClass"] == "PriceClass_All"
    assert "PriceClass" not in scripts.deploy().said
    assert aws.parameters("vod")["PriceClass"] == "PriceClass_All"


def test_lists_pass_with_their_commas_and_what_is_no_origin_is_refused(aws, scripts):
    origins = "https://blog.example.org,http://localhost:3000"
    scripts.deploy("--set", f"AllowedOrigins={origins}", "--set", "GeoRestriction=block", "--set", "GeoCountries=KR,JP")
    built = aws.stacks["vod"]["built"]
    assert built.properties("OutputHeaders")["ResponseHeadersPolicyConfig"]["CorsConfig"]["AccessControlAllowOrigins"]["Items"] == origins.split(",")
    config = built.properties("Distribution")["DistributionConfig"]
    assert config["Restrictions"]["GeoRestriction"] == {"RestrictionType": "blacklist", "Locations": ["KR", "JP"]}
    said = scripts.deploy("--set", "AllowedOrigins=https://blog.example.org/,https://b.org", ok=False).said
    assert "AllowedOrigins" in said and "pattern" in said


def test_what_cloudfront_refuses_ends_the_deploy_with_its_words(aws, scripts, monkeypatch):
    """The stub refuses while it makes the resource, as CloudFront does: so it does notice what the template must not hold."""
    policy = TEMPLATE["Resources"]["ToSigner"]["Properties"]["OriginRequestPolicyConfig"]["HeadersConfig"]
    assert "accept-encoding" not in map(str.lower, policy["Headers"])
    real = aws_stub._build

    def build(template, parameters, name):
        built = real(template, parameters, name)
        if "ToSigner" in built.resources:
            built.properties("ToSigner")["OriginRequestPolicyConfig"]["HeadersConfig"]["Headers"].append("Accept-Encoding")
        return built

    monkeypatch.setattr(aws_stub, "_build", build)
    said = scripts.deploy(ok=False).said
    assert "ToSigner" in said and "The parameter Headers contains Accept-Encoding that is not allowed" in said
    assert aws.stacks["vod"]["status"] == "ROLLBACK_COMPLETE"
    # The next one starts again.
    monkeypatch.setattr(aws_stub, "_build", real)
    scripts.deploy()
    assert aws.stacks["vod"]["status"] == "CREATE_COMPLETE"


# ------------------------------------------------------------------------------------------------------ web ACL


def test_one_parameter_makes_a_web_acl_in_us_east_1(aws, scripts):
    """The stub refuses one for CloudFront anywhere else, and a stack with an ACL that is not there."""
    scripts.deploy("--region", "eu-west-1", "--set", "Waf=managed")
    acl = f"arn:aws:wafv2:us-east-1:{aws_stub.ACCOUNT}:global/webacl/vod-waf-eu-west-1/1"
    assert set(aws.stacks) == {"vod", "vod-waf-eu-west-1"}
    assert aws.parameters("vod")["WebAclArn"] == acl
    # The next deploy keeps it, without a word of ours.
    scripts.deploy("--region", "eu-west-1")
    assert aws.parameters("vod")["WebAclArn"] == acl and "vod-waf-eu-west-1" in aws.stacks


def test_the_web_acl_goes_when_it_is_not_wanted_any_more(aws, scripts):
    scripts.deploy("--set", "Waf=managed")
    scripts.deploy("--set", "Waf=none")
    assert set(aws.stacks) == {"vod"} and aws.parameters("vod")["WebAclArn"] == ""


def test_a_web_acl_of_ones_own_is_used_and_left_alone(aws, scripts):
    own = f"arn:aws:wafv2:us-east-1:{aws_stub.ACCOUNT}:global/webacl/ours/1"
    said = scripts.deploy("--set", f"WebAclArn={own}", "--set", "Waf=managed", ok=False).said
    assert own in said and "--set Waf=none" in said and not aws.stacks
    scripts.deploy("--set", f"WebAclArn={own}")
    scripts.deploy()
    assert set(aws.stacks) == {"vod"} and aws.parameters("vod")["WebAclArn"] == own


def test_destroy_takes_the_web_acl_with_it(aws, deployed):
    deployed.deploy("--set", "Waf=managed")
    assert "goes:  the web ACL, stack vod-waf-us-east-1" in deployed.run("destroy", "--plan").said
    assert "vod-waf-us-east-1" in aws.stacks
    deployed.run("destroy", "--yes")
    assert not aws.stacks
