"""An instance of IAM Identity Center for the contract suite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import boto3.session

from bot.core.catalog import Entitlement
from bot.ports.target import Target
from bot.targets.aws_identity_center.target import IdentityCenter
from tests.targets.aws_identity_center.cloud import ACCOUNT, REGION, SECRET, Cloud, credentials

SET = "AdminAccess"


@dataclass(frozen=True)
class ServedCloud:
    """AWS as it is served for the whole test run, and a session with the bot's credentials."""

    cloud: Cloud
    url: str
    session: boto3.session.Session


def peopled(cloud: Cloud) -> None:
    cloud.renew()
    for name in ("ada", "bob", "carol"):
        cloud.add_user(name)
    cloud.add_permission_set("ReadOnly")
    cloud.add_permission_set(SET)


class AwsStage:
    secret = SECRET

    def __init__(self, served: ServedCloud) -> None:
        self._served = served
        self._set = SET
        self._ids = {name: served.cloud.user_id(name) for name in ("ada", "bob", "carol")}
        self.target: Target = self._at(served.url)

    def account(self, name: str) -> str:
        return name

    def entitlement(self, *, missing: bool = False) -> Entitlement:
        what = (("account", ACCOUNT), ("permission_set", "NoSuchSet" if missing else SET))
        return Entitlement(target="orders-db", what=what)

    def granted_by_an_administrator(self, name: str) -> None:
        cloud = self._served.cloud
        cloud.assign(self._ids[name], cloud.arn(self._set))

    def has_it(self, name: str) -> bool:
        return (self._ids[name], self._set) in self._served.cloud.assigned()

    def rename_account(self, name: str) -> None:
        self._served.cloud.rename_user(name, f"{name}.renamed")

    def rename_entitlement(self) -> None:
        self._served.cloud.rename_permission_set(self._set, f"{self._set}Renamed")
        self._set = f"{self._set}Renamed"

    def losing(self, verb: str) -> Target | None:
        lost = {"grant": "CreateAccountAssignment", "revoke": "DeleteAccountAssignment"}[verb]
        cloud = self._served.cloud
        cloud.faults = replace(cloud.faults, loses=frozenset([lost]))
        return self.target

    def down(self) -> Target:
        return self._at("http://127.0.0.1:1")

    def silent(self) -> Target:
        cloud = self._served.cloud
        cloud.faults = replace(cloud.faults, slow=3600)
        return self.target

    def refusing(self) -> Target:
        return self._at(self._served.url, credentials("AKIAANOTHER000000000"))

    def _at(self, url: str, session: boto3.session.Session | None = None) -> Target:
        instance = self._served.cloud.instance
        return IdentityCenter("orders-db", instance, REGION, url, session=session or self._served.session)


@contextmanager
def on_aws(served: ServedCloud) -> Iterator[AwsStage]:
    peopled(served.cloud)
    yield AwsStage(served)
    served.cloud.hurry.set()
