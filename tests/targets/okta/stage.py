"""An Okta org for the contract suite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from bot.core.catalog import Entitlement
from bot.doubles.okta import App, Org, serve
from bot.ports.target import Target
from bot.targets.okta.build import CLEARING_SCOPE, SCOPES, build
from bot.targets.okta.settings import OktaSettings

TOKEN = "00sesameOpenSesameOpenSesameOpenSesameOpen"
CLIENT = "0oaRotakeyServiceApp"
KEY_ID = "sig-2026"
GROUP = "prod-oncall"


@cache
def key_pair(which: str = "ours") -> tuple[str, bytes]:
    """Return a private and its public key, in PEM form."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode("ascii"), public


def login(name: str) -> str:
    return f"{name.replace(' ', '.')}@example.com"


def peopled(org_id: str = "00oRotaExample") -> Org:
    org = Org(org_id, TOKEN)
    org.access.apps[CLIENT] = App(
        public_key=key_pair()[1], key_id=KEY_ID, scopes=frozenset((*SCOPES, CLEARING_SCOPE))
    )
    for name in ("ada", "bob", "carol"):
        org.add_user(login(name))
    org.add_group(GROUP)
    org.add_group(f"{GROUP}-readers")
    org.add_group("Everyone", "BUILT_IN")
    org.add_rule("everyone reads", org.group(f"{GROUP}-readers").id)
    return org


def made_from(url: str, name: str = "orders-db", **changed: Any) -> Target:
    given: dict[str, Any] = {"kind": "okta", "url": url, "token": TOKEN, **changed}
    return build(name, OktaSettings(**{key: value for key, value in given.items() if value is not None}))


def as_an_app(**changed: Any) -> dict[str, Any]:
    """Return the settings of a service app instead of those of a token."""
    private = changed.pop("private_key", key_pair()[0])
    return {"token": None, "client_id": CLIENT, "private_key": private, "key_id": KEY_ID, **changed}


class OktaStage:
    def __init__(self, org: Org, url: str, *, app: bool = False) -> None:
        self._org = org
        self._url = url
        self._app = app
        self._group = GROUP
        self._logins: dict[str, str] = {}
        self.secret = key_pair("another")[0] if app else "00wrong"
        self.target = made_from(url, **(as_an_app() if app else {}))

    def account(self, name: str) -> str:
        return login(name)

    def entitlement(self, *, missing: bool = False) -> Entitlement:
        name = "no-such-group" if missing else GROUP
        return Entitlement(target="orders-db", what=(("group", name),))

    def granted_by_an_administrator(self, name: str) -> None:
        self._org.add_by_hand(login(name), self._group)

    def has_it(self, name: str) -> bool:
        return self._logins.get(name, login(name)) in self._org.logins_in(self._group)

    def rename_account(self, name: str) -> None:
        self._logins[name] = f"{name}.renamed@example.com"
        self._org.rename_user(login(name), self._logins[name])

    def rename_entitlement(self) -> None:
        self._group = f"{GROUP} renamed"
        self._org.rename_group(GROUP, self._group)

    def losing(self, verb: str) -> Target | None:
        self._org.faults = replace(self._org.faults, loses=frozenset([{"grant": "PUT"}.get(verb, "DELETE")]))
        return self.target

    def down(self) -> Target:
        self._org.faults = replace(self._org.faults, down=503)
        return self.target

    def silent(self) -> Target:
        self._org.faults = replace(self._org.faults, slow=3600)
        return self.target

    def refusing(self) -> Target:
        if self._app:
            return made_from(self._url, **as_an_app(private_key=self.secret))
        return made_from(self._url, token=self.secret)


@contextmanager
def on_an_org(app: bool) -> Iterator[OktaStage]:
    org = peopled()
    with serve(org) as served:
        yield OktaStage(org, served.url, app=app)
