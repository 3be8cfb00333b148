"""infra/deploy.sh: the parameters that it chooses by itself."""

import re

import pytest

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
