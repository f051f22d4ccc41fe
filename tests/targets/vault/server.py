"""A real OpenBao, with everything in memory, and people, groups and policies in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from bot.sandbox.stack import openbao
from bot.testing.localhost import answers
from tests.paths import ROOT

ROOT_TOKEN = "sesame-of-root"
PAGE = ROOT / "docs" / "vault.md"
KV_PATH = "secret/data/orders"
_ids = count(1)


class OpenBao(openbao.OpenBao):
    """A development server: unsealed, and gone with all that is in it when it stops."""

    def _prepare(self) -> None:
        """Make nothing."""

    def _command(self) -> list[str]:
        where = f"-dev-listen-address=127.0.0.1:{self.port}"
        return [
            str(openbao.program()),
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


class Admin(openbao.Admin):
    """An administrator who may do everything, in one namespace."""

    def __init__(self, url: str, namespace: str = "") -> None:
        super().__init__(url, ROOT_TOKEN, namespace)

    def bots_token(self, policies: Sequence[str], prefix: str = "rotakey", **how: Any) -> str:
        """Make a token with the policy of docs/vault.md for these policies, and nothing else. Its id has
        ``sesame`` in it."""
        name = f"bot-{next(_ids)}"
        self.write_policy(name, documented_policy(policies, prefix))
        return self.token([name], **how)

    def token(self, policies: Sequence[str], **how: Any) -> str:
        # only the root namespace takes ids that are chosen
        chosen = {} if self.namespace else {"id": f"sesame-{next(_ids)}"}
        return super().token(policies, **chosen, **how)

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
