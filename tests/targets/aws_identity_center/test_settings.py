"""How an instance of IAM Identity Center is written in access.yaml."""

from __future__ import annotations

import pytest

from bot.config import check, load
from bot.core.errors import PermanentFailure
from bot.kinds.table import build_target, requires
from bot.targets.aws_identity_center.settings import AwsIdentityCenterSettings
from bot.targets.aws_identity_center.target import IdentityCenter

GOOD = """\
targets:
  aws:
    {kind: aws-identity-center, instance: "arn:aws:sso:::instance/ssoins-0123456789abcdef", region: eu-west-1}
resources:
  prod-admin:
    title: Administration of production
    gives: [{target: aws, account: "123456789012", permission_set: AdminAccess}]
    approvers: [slack/dba]
audit: {anchor: {file: /var/lib/rotakey/anchor}}
"""


def test_a_good_one_is_read_and_built() -> None:
    policy = load(GOOD, environ={})
    settings = policy.targets["aws"]
    assert isinstance(settings, AwsIdentityCenterSettings)
    [gives] = policy.catalog.resources["prod-admin"].gives
    assert gives.what == (("account", "123456789012"), ("permission_set", "AdminAccess"))
    assert str(gives) == "123456789012, AdminAccess on aws"
    assert isinstance(build_target("aws", settings), IdentityCenter)
    assert settings.systems() == (
        ("instance", "arn:aws:sso:::instance/ssoins-0123456789abcdef"),
        ("region", "eu-west-1"),
    )


@pytest.mark.parametrize(
    ("good", "bad", "mistake"),
    [
        ('"123456789012"', "123456789012", "account: "),
        (
            '"123456789012"',
            '"12345"',
            '"12345" is not a valid AWS account id; write its 12 digits, in quotes',
        ),
        ("AdminAccess", '"Admin Access"', '"Admin Access" is not a valid permission set; write its name'),
        ("AdminAccess", "arn:aws:sso:::permissionSet/x", "is not a valid permission set"),
        ("instance/ssoins", "instances/ssoins", "is not the ARN of an instance; copy it from"),
        ("eu-west-1", "europe", '"europe" is not a valid region; write one such as eu-west-1'),
        ("eu-west-1}", "eu-west-1, session_duration: 30m}", "is out of range; write 1h to 12h"),
        ("eu-west-1}", "eu-west-1, session_duration: 13h}", "is out of range; write 1h to 12h"),
        ("eu-west-1}", "eu-west-1, endpoint_url: ftp://x}", "is not a valid URL; write one that starts with"),
    ],
)
def test_a_mistake_says_what_to_write(good: str, bad: str, mistake: str) -> None:
    [found] = check(GOOD.replace(good, bad), environ={})
    assert mistake in str(found)


def test_one_instance_has_one_name() -> None:
    second = "targets:\n  more: {kind: aws-identity-center, region: eu-west-1,"
    second += ' instance: "arn:aws:sso:::instance/ssoins-0123456789abcdef"}\n'
    [found] = check(GOOD.replace("targets:\n", second), environ={})
    assert "is the same system as more" in str(found)


def test_an_account_that_no_user_can_have_is_a_mistake() -> None:
    text = GOOD + "people: {accounts: {U02ADA: {aws: Ada Lovelace}}}\n"
    [found] = check(text, environ={})
    assert "cannot be a user in IAM Identity Center; write a user name, which has no spaces" in str(found)


@pytest.mark.parametrize(
    ("url", "warned"),
    [("http://aws.example.com", True), ("https://aws.example.com", False), ("http://127.0.0.1:1", False)],
)
def test_an_address_without_encryption_is_warned_of(url: str, *, warned: bool) -> None:
    text = GOOD.replace("eu-west-1}", f"eu-west-1, endpoint_url: '{url}'}}")
    settings = load(text, environ={}).targets["aws"]
    assert bool(list(settings.cautions())) is warned
    assert settings.systems()[-1] == ("endpoint_url", url)


def test_a_missing_sdk_is_named() -> None:
    install = r"boto3 is not installed: run pip install 'rotakey\[aws\]'"
    with pytest.raises(PermanentFailure, match=install), requires("aws"):
        raise ModuleNotFoundError(name="boto3")
