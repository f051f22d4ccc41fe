"""An endpoint for the contract suite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from bot.core.catalog import Entitlement
from bot.doubles.webhook import Members, Served
from bot.ports.target import Target
from bot.targets.webhook.target import Webhook

SECRET = "whsec_b3BlbiBzZXNhbWUgb3BlbiBzZXNhbWUgb3BlbiBzZXNhbWU="
ANOTHER = "whsec_c2VzYW1lIG9wZW4gc2VzYW1lIG9wZW4gc2VzYW1lIG9wZW4="


def peopled() -> Members:
    members = Members(SECRET)
    for name in ("ada", "bob", "carol"):
        members.add_account(name)
    members.add_role("orders_rw")
    return members


class WebhookStage:
    secret = SECRET

    def __init__(self, members: Members, url: str) -> None:
        self._members = members
        self._url = url
        self._role = "orders_rw"
        self._names: dict[str, str] = {}
        self.target: Target = Webhook("orders-db", url, SECRET)

    def account(self, name: str) -> str:
        return name

    def entitlement(self, *, missing: bool = False) -> Entitlement:
        return Entitlement(target="orders-db", what=(("role", "no_such_role" if missing else "orders_rw"),))

    def granted_by_an_administrator(self, name: str) -> None:
        self._members.give_by_hand(name, self._role)

    def has_it(self, name: str) -> bool:
        return self._names.get(name, name) in self._members.holders(self._role)

    def rename_account(self, name: str) -> None:
        self._names[name] = f"{name} renamed"
        self._members.rename(name, self._names[name])

    def rename_entitlement(self) -> None:
        self._role = "orders_rw renamed"
        self._members.rename("orders_rw", self._role)

    def losing(self, verb: str) -> Target | None:
        self._members.faults = replace(self._members.faults, loses=frozenset([verb]))
        return self.target

    def down(self) -> Target:
        self._members.faults = replace(self._members.faults, down=True)
        return self.target

    def silent(self) -> Target:
        self._members.faults = replace(self._members.faults, slow=3600)
        return self.target

    def refusing(self) -> Target:
        return Webhook("orders-db", self._url, ANOTHER)


@contextmanager
def on_an_endpoint(keeps_end: bool) -> Iterator[WebhookStage]:
    members = peopled()
    members.keeps_end = keeps_end
    with Served(members) as served:
        yield WebhookStage(members, served.url)
