"""The endpoint that the sandbox grants access at: somebody's own system, which keeps who has what."""

from __future__ import annotations

import shutil
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_bytes
from urllib.parse import urlsplit

from bot.doubles.webhook import Members, Served
from bot.sandbox.stack.system import Json, Wanted
from bot.testing.localhost import is_free

FOLDER = "endpoint"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """The endpoint while it is served. Implements System."""

    name: str
    url: str
    members: Members = field(repr=False)

    @property
    def values(self) -> Mapping[str, str]:
        return {"url": self.url, "secret": self.members.secret}

    @property
    def secrets(self) -> frozenset[str]:
        return frozenset([self.members.secret])

    def state(self) -> Json:
        return {
            "name": self.name,
            "kind": "webhook",
            "at": time.time(),
            "roles": self.members.state(),
            "sessions": [],
            "error": None,
        }


@contextmanager
def run_endpoint(data: Path, wanted: Wanted) -> Iterator[Endpoint]:
    """Serve the endpoint as it was left, and at the same address if that is still free: elsewhere it would be
    another system. Raise UnreadableError if its file cannot be read."""
    folder = data / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    members = Members("whsec_" + b64encode(token_bytes(32)).decode())
    members.keep_in(folder / "members.json")
    for account in sorted(wanted.accounts.difference(members.accounts.values())):
        members.add_account(account)
    for role in sorted(wanted.roles.difference(members.roles.values())):
        members.add_role(role)
    kept = folder / "port"
    last = int(kept.read_text("utf-8")) if kept.exists() else 0
    with Served(members, last if last and is_free(last) else 0) as served:
        kept.write_text(str(urlsplit(served.url).port), "utf-8")
        yield Endpoint(name=wanted.target, url=served.url, members=members)


def remove_endpoint(data: Path) -> None:
    shutil.rmtree(data / FOLDER, ignore_errors=True)
