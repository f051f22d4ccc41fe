"""The settings of Vault or OpenBao as a target, and its entitlement: policies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from bot.settings import ApiUrl, Form, Given, TargetSettings, Token, unlike, wrong

PORTS = {"http": 80, "https": 443}
MOST_OF_A_VALUE = 512
"""The bytes of a value in a group's metadata, where the account is noted; a longer one is refused."""


def _vault_url(url: str) -> str:
    if not url:
        return url
    try:
        parts = urlsplit(url)
        named = parts.hostname and parts.port != 0
    except ValueError:
        named = None
    if not named:
        raise unlike("is not a valid URL; write one that starts with https:// and names a host")
    if parts.username is not None or parts.query or parts.fragment:
        raise wrong("must not contain a login, a ? or a #; the token goes into token")
    return url.rstrip("/")


def _policy(name: str) -> str:
    if name == "root":
        raise unlike("cannot be given: Vault attaches it to no group; write the name of another policy")
    return name


class VaultPolicies(Given):
    policies: Annotated[
        tuple[
            Annotated[
                str,
                Form(
                    r"[^\s,A-Z\x00-\x1f]{1,128}",
                    "is not a valid policy name; write it in lower case, without spaces and commas",
                ),
                AfterValidator(_policy),
            ],
            ...,
        ],
        Field(min_length=1),
    ]
    """The ACL policies that are granted together. They have to exist."""

    def caution(self) -> str | None:
        if "default" not in self.policies:
            return None
        return "gives the policy default, which tokens have anyway; name another policy"

    def what(self) -> tuple[tuple[str, str], ...]:
        return (("policies", ",".join(sorted(set(self.policies)))),)


class VaultSettings(TargetSettings):
    gives: ClassVar[type[Given]] = VaultPolicies
    reaches: ClassVar[tuple[str, ...]] = ("url", "token")
    address: ClassVar[tuple[str, ...]] = ("url", "namespace")
    variables: ClassVar[Mapping[str, str]] = {
        "VAULT_ADDR": "the address of Vault or OpenBao, such as https://vault.example.com:8200",
        "VAULT_TOKEN": "a periodic token with the policy of docs/vault.md",
    }
    kind: Literal["vault"]
    url: Annotated[ApiUrl, AfterValidator(_vault_url)] = "${VAULT_ADDR}"
    """The address of the active node of Vault or OpenBao, or of the load balancer that leads to it."""
    token: Token = Field(default=SecretStr("${VAULT_TOKEN}"), json_schema_extra={"default": "${VAULT_TOKEN}"})
    """A token with the policy of docs/vault.md, as ${NAME}."""
    namespace: (
        Annotated[str, Form(r"[^\s?#]*", "is not a valid namespace; write its path, such as team-a/orders")]
        | None
    ) = None
    """The path of the namespace that people, groups and policies are in; without it, the root namespace."""
    mount_accessor: (
        Annotated[str, Form(r"[A-Za-z0-9_.-]*", "is not a valid accessor; copy it from: bao auth list")]
        | None
    ) = None
    """The accessor of an auth mount, such as auth_oidc_1a2b3c4d. With it, a person's account is the name of
    their alias on that mount; without it, the name of their entity."""
    group_prefix: Annotated[
        str,
        Form(r"[a-z0-9][a-z0-9-]{0,39}", "is not a valid prefix; write lower-case letters, digits and -"),
    ] = "rotakey"
    """The beginning of the names of all groups that are made. Each Rotakey that shares a Vault needs its
    own."""

    @property
    def servers(self) -> frozenset[str]:
        if not self.url:
            return frozenset()
        parts = urlsplit(self.url)
        port = parts.port or PORTS[parts.scheme]
        return frozenset([f"{parts.hostname}:{port}{parts.path}/{(self.namespace or '').strip('/')}"])

    @property
    def sessions_end(self) -> str:
        return "Tokens lose it at once; credentials already issued last until their own end."

    @classmethod
    def account_objection(cls, account: str) -> str | None:
        if len(account.encode(errors="replace")) > MOST_OF_A_VALUE:
            return f"is longer than {MOST_OF_A_VALUE} bytes; shorten it"
        return super().account_objection(account)

    def cautions(self) -> Iterator[tuple[str, str]]:
        here = ("localhost", "127.0.0.1", "::1")
        if re.match(r"http://", self.url) and urlsplit(self.url).hostname not in here:
            yield "url", "is not encrypted: anyone on the way can read the token; write https://"
