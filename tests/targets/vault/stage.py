"""A real OpenBao for the contract suite. Each stage has its own people and policies there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from bot.core.catalog import Entitlement
from bot.ports.target import Target
from bot.targets.vault.api import Api
from bot.targets.vault.target import Vault
from tests.targets.vault.relay import Relay
from tests.targets.vault.server import KV_PATH, Admin, OpenBao

_stages = count(1)


class VaultStage:
    secret = "sesame"
    lists_others = False

    def __init__(self, admin: Admin, relay: Relay, silent: int) -> None:
        self.admin = admin
        self.relay = relay
        self._silent = silent
        self._number = next(_stages)
        self.policy = f"prod-admin-{self._number}"
        admin.write_policy(self.policy, f'path "{KV_PATH}" {{ capabilities = ["create", "read", "update"] }}')
        self.prefix = f"rotakey-{self._number}"
        self.token = admin.bots_token([self.policy], self.prefix)
        self.tokens: dict[str, str] = {}
        self.entities: dict[str, str] = {}
        for name in ("ada", "bob", "carol"):
            self.tokens[name], self.entities[name] = admin.persons_token(self.account(name))
            admin.ask("POST", f"identity/entity/id/{self.entities[name]}", {"name": self.account(name)})
        self.target: Vault = self.vault()

    def vault(self, url: str = "", token: str = "", *, mount: str = "", prefix: str = "") -> Vault:
        api = Api("orders-db", url or self.admin.url, token or self.token, self.admin.namespace)
        return Vault("orders-db", api, mount, prefix or self.prefix)

    def account(self, name: str) -> str:
        return f"{name}-{self._number}"

    def entitlement(self, *, missing: bool = False) -> Entitlement:
        what = (("policies", "no-such-policy" if missing else self.policy),)
        return Entitlement(target="orders-db", what=what)

    def granted_by_an_administrator(self, name: str) -> None:
        members = [self.entities[name]]
        self.admin.group(f"admins-{self._number}", policies=[self.policy], member_entity_ids=members)

    def has_it(self, name: str) -> bool:
        return bool(self.admin.may(self.tokens[name]))

    def rename_account(self, name: str) -> None:
        new = {"name": f"{self.account(name)}-renamed"}
        self.admin.ask("POST", f"identity/entity/id/{self.entities[name]}", new)

    def rename_entitlement(self) -> None:
        """Rename the groups that give it: a policy itself has no other name than the one it is known by."""
        for name, group in self.admin.groups().items():
            if name.startswith(self.prefix):
                new = {"name": f"{self.prefix}-renamed-{group['id']}"}
                self.admin.ask("POST", f"identity/group/id/{group['id']}", new)

    def losing(self, verb: str) -> Target | None:
        self.relay.faults.loses = lambda call: "identity/group/name/" in call[1]
        return self.vault(self.relay.url)

    def down(self) -> Target:
        return self.vault("http://127.0.0.1:1")

    def silent(self) -> Target:
        return self.vault(f"http://127.0.0.1:{self._silent}")

    def refusing(self) -> Target:
        return self.vault(token="sesame-that-nobody-made")

    def close(self) -> None:
        for entity in self.entities.values():
            self.admin.ask("DELETE", f"identity/entity/id/{entity}")
        for name, group in self.admin.groups().items():
            if name.endswith(f"-{self._number}") or name.startswith(f"{self.prefix}-"):
                self.admin.ask("DELETE", f"identity/group/id/{group['id']}")


@contextmanager
def on_vault(openbao: OpenBao) -> Iterator[VaultStage]:
    with Relay(openbao.url) as relay, socket.create_server(("127.0.0.1", 0)) as silent:
        stage = VaultStage(Admin(openbao.url), relay, silent.getsockname()[1])
        yield stage
        stage.close()
