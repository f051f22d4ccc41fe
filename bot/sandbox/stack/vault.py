"""The OpenBao that the sandbox grants access in, with a policy for each access and an entity for each
person."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import requests

from bot.sandbox.stack.openbao import Admin, OpenBao
from bot.sandbox.stack.system import Json, Wanted

FOLDER = "openbao"
PREFIX = "rotakey-"
READS = 'path "secret/data/*" { capabilities = ["read"] }'
BOTS_POLICY = """\
# Find people's entities, and look at groups.
path "identity/lookup/entity" { capabilities = ["create", "update"] }
path "identity/lookup/group"  { capabilities = ["create", "update"] }
path "identity/group/name"    { capabilities = ["list"] }

# Make and delete groups of its own, which give only the listed policies.
path "identity/group/name/rotakey-*" {
  capabilities = ["create", "update", "delete"]
  allowed_parameters = {
    "policies" = POLICIES
    "type" = ["internal"]
    "member_entity_ids" = []
    "metadata" = []
  }
}

# See which policies exist, and look after its own token.
path "sys/policies/acl"       { capabilities = ["list"] }
path "sys/capabilities-self"  { capabilities = ["create", "update"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self"  { capabilities = ["create", "update"] }
"""
"""The policy of docs/vault.md for the bot's token."""


@dataclass(frozen=True, kw_only=True)
class Vault:
    """OpenBao while it runs. Implements System. ``roles`` are the policies, those that are granted together
    in one text, with commas."""

    name: str
    roles: Collection[str]
    server: OpenBao = field(repr=False)
    token: str = field(repr=False)

    @property
    def admin(self) -> Admin:
        return Admin(self.server.url, self.server.keys["root_token"])

    @property
    def values(self) -> Mapping[str, str]:
        return {"url": self.server.url, "token": self.token}

    @property
    def secrets(self) -> frozenset[str]:
        return frozenset([self.token, *self.server.keys.values()])

    def state(self) -> Json:
        state: Json = {"name": self.name, "kind": "vault", "at": time.time(), "sessions": [], "error": None}
        try:
            every = {role: self.members(role) for role in sorted(self.roles)}
        except (OSError, ValueError) as error:  # a failure of requests is an OSError
            return {**state, "roles": [], "error": str(error)}
        roles = [
            {"role": role, "members": [{"account": name, "grantor": by} for name, by in sorted(each.items())]}
            for role, each in every.items()
        ]
        return {**state, "roles": roles}

    def members(self, role: str) -> Mapping[str, str]:
        """Return the names of the entities that have the policies, each with ``rotakey`` if a group of the
        bot's gives them, otherwise with ``administrator``. Raise an OSError or a ValueError if OpenBao does
        not answer."""
        policies, groups, found = set(role.split(",")), self.admin.groups(), {}
        for name, entity in self.admin.entities().items():
            theirs = {
                group: set(each["policies"] or ())
                for group, each in groups.items()
                if entity["id"] in (each["member_entity_ids"] or ())
            }
            if policies <= set(entity["policies"] or ()).union(*theirs.values()):
                ours = any(group.startswith(PREFIX) and policies <= has for group, has in theirs.items())
                found[name] = "rotakey" if ours else "administrator"
        return found


@contextmanager
def run_vault(data: Path, wanted: Wanted) -> Iterator[Vault]:
    """Run OpenBao on what it kept, with a new token for the bot, which ends with it. Raise Misconfigured if
    it is not installed or does not start."""
    with OpenBao(data / FOLDER) as server:
        admin = Admin(server.url, server.keys["root_token"])
        for name in sorted({name for role in wanted.roles for name in role.split(",")} - admin.policies()):
            admin.write_policy(name, READS)
        known = {name.lower() for name in admin.entities()}  # Vault tells no upper from lower case
        for account in sorted(each for each in wanted.accounts if each.lower() not in known):
            admin.entity(account)
        admin.write_policy("rotakey", bots_policy(sorted(wanted.roles)))
        token = admin.token(["rotakey"])
        try:
            yield Vault(name=wanted.target, roles=wanted.roles, server=server, token=token)
        finally:
            with suppress(requests.RequestException):
                admin.ask("POST", "auth/token/revoke", {"token": token})


def bots_policy(roles: Collection[str]) -> str:
    """Return the policy that lets the bot give these, and nothing else."""
    return BOTS_POLICY.replace("POLICIES", json.dumps(list(roles)))


def remove_vault(data: Path) -> None:
    shutil.rmtree(data / FOLDER, ignore_errors=True)
