"""The Okta org that the sandbox grants access in: a small one, which keeps its people and groups."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

from bot.doubles.okta import Org, serve
from bot.sandbox.stack.system import Json, Wanted

FOLDER = "okta"


@dataclass(frozen=True, kw_only=True)
class Okta:
    """The org while it is served. Implements System."""

    name: str
    url: str
    org: Org = field(repr=False)

    @property
    def values(self) -> Mapping[str, str]:
        return {"url": self.url, "token": self.org.access.token}

    @property
    def secrets(self) -> frozenset[str]:
        return frozenset([self.org.access.token])

    def state(self) -> Json:
        return {
            "name": self.name,
            "kind": "okta",
            "at": time.time(),
            "roles": self.org.state(),
            "sessions": [],
            "error": None,
        }


@contextmanager
def run_okta(data: Path, wanted: Wanted) -> Iterator[Okta]:
    """Serve the org as it was left, with a new token. Its id is kept, which is how it is recognized: the
    address may be another one. Raise UnreadableError if its file cannot be read."""
    folder = data / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    org = Org(f"00o{token_hex(6)}", f"00{token_hex(20)}")
    org.keep_in(folder / "org.json")
    for login in sorted(wanted.accounts.difference(each.login for each in org.users.values())):
        org.add_user(login)
    for group in sorted(wanted.roles.difference(each.name for each in org.groups.values())):
        org.add_group(group)
    with serve(org) as served:
        yield Okta(name=wanted.target, url=served.url, org=org)


def remove_okta(data: Path) -> None:
    shutil.rmtree(data / FOLDER, ignore_errors=True)
