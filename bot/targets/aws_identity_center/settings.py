"""The settings of IAM Identity Center as a target, and its entitlement: a permission set in an account."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from bot.core.durations import brief
from bot.settings import ApiUrl, Between, Form, Given, LengthSetting, TargetSettings, is_here

MOST_OF_A_NAME = 128
"""The characters of the longest user name in IAM Identity Center."""


class AwsAssignment(Given):
    account: Annotated[
        str, Form(r"[0-9]{12}", "is not a valid AWS account id; write its 12 digits, in quotes")
    ]
    """The id of the AWS account, in quotes."""
    permission_set: Annotated[
        str,
        Form(r"[\w+=,.@-]{1,32}", "is not a valid permission set; write its name, at most 32 characters"),
    ]
    """The name of the permission set. It has to exist."""


class AwsIdentityCenterSettings(TargetSettings):
    gives: ClassVar[type[Given]] = AwsAssignment
    reaches: ClassVar[tuple[str, ...]] = ("instance", "region", "endpoint_url")
    marks: ClassVar[bool] = False
    address: ClassVar[tuple[str, ...]] = ("instance", "region", "endpoint_url")
    kind: Literal["aws-identity-center"]
    instance: Annotated[
        str,
        Form(
            r"arn:aws(-[a-z]{1,5}){0,3}:sso:::instance/(sso)?ins-[a-zA-Z0-9.-]{16}",
            "is not the ARN of an instance; copy it from the settings page of IAM Identity Center",
        ),
    ]
    """The ARN of the instance of IAM Identity Center."""
    region: Annotated[
        str,
        Form(r"[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}", "is not a valid region; write one such as eu-west-1"),
    ]
    """The region of the instance."""
    session_duration: Annotated[LengthSetting, Between("1h", "12h")] = 0
    """The longest session duration of the permission sets that are given, for the card. A permission set with
    a longer one is not granted."""
    endpoint_url: ApiUrl | None = None
    """Another address of the API, such as a proxy's or a test server's. If it is left out, it is AWS's."""

    def systems(self) -> tuple[tuple[str, str], ...]:
        return tuple((key, value) for key, value in super().systems() if value)

    @property
    def servers(self) -> frozenset[str]:
        return frozenset([f"{self.instance} {self.endpoint_url or ''}".strip()])

    @property
    def sessions_end(self) -> str:
        if self.session_duration:
            return f"Open AWS sessions go on for up to {brief(self.session_duration)} after it ends."
        return (
            "Open AWS sessions go on after it ends, for up to the permission set's session duration (at most"
            " 12h)."
        )

    @classmethod
    def account_objection(cls, account: str) -> str | None:
        if len(account) > MOST_OF_A_NAME or re.search(r"\s", account):
            return "cannot be a user in IAM Identity Center; write a user name, which has no spaces"
        return super().account_objection(account)

    def cautions(self) -> Iterator[tuple[str, str]]:
        if (url := self.endpoint_url or "").startswith("http://") and not is_here(url):
            yield "endpoint_url", "is not encrypted: anyone on the way can read and change it; write https://"
