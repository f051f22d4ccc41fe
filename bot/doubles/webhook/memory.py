"""The system behind the endpoint: accounts and roles with ids, who has what, and who gave it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from bot.doubles.snapshots import read_snapshot, write_snapshot
from bot.doubles.watchable import Watchable

Json = dict[str, Any]
Place = tuple[str, str]
"""The id of an account, and the id of a role."""


class Refusal(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


@dataclass(frozen=True, kw_only=True)
class Access:
    """``by``: the hold key it was granted for; empty if somebody else granted it."""

    by: str
    until: datetime | None


@dataclass(frozen=True, kw_only=True)
class Given:
    """One account's access to one role, as it is saved."""

    account: str
    role: str
    access: Access


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything that is saved: not the faults, and not the calls."""

    version: int
    last_id: int
    accounts: dict[str, str]
    roles: dict[str, str]
    access: list[Given]
    receipts: dict[str, Place]


SNAPSHOT = TypeAdapter(Snapshot)


@dataclass(kw_only=True)
class Faults:
    """The faults of the endpoint. Set a field and it holds from the next call on."""

    down: bool = False
    """Every call answers 503."""
    limited: int = 0
    """The next n calls answer 429 and ``retry-after``, in ``limit_seconds``."""
    limit_seconds: float = 1
    slow: float = 0.0
    """Seconds each call takes before it is answered."""
    later: int = 0
    """Calls answer 202, and their status URL as often again, before the answer is there."""
    status_url: str | None = None
    """The status URL that a 202 names, instead of the right one."""
    drip: float = 0.0
    """Seconds between the bytes of an answer."""
    loses: frozenset[str] = frozenset()
    """Verbs that are done and whose answer is lost."""
    unsupported: frozenset[str] = frozenset()
    """Verbs that answer 501."""
    answer: Callable[[Json], Json] | None = None
    """Changes the answer before it is signed."""
    raw: Callable[[bytes, Mapping[str, str]], tuple[int, bytes, Mapping[str, str]]] | None = None
    """Changes the answer after it is signed: its body and headers, into status, body and headers."""


class Members(Watchable):
    """The memory. ``secret`` signs; ``now`` is its clock. ``calls`` are the messages it was sent."""

    def __init__(
        self, secret: str, now: Callable[[], datetime] = lambda: datetime.now(UTC), *, keeps_end: bool = True
    ) -> None:
        super().__init__()
        self.secret = secret
        self.now = now
        self.keeps_end = keeps_end
        self.faults = Faults()
        self.hurry = threading.Event()
        self.calls: list[Json] = []
        self.accounts: dict[str, str] = {}
        self.roles: dict[str, str] = {}
        self.access: dict[Place, Access] = {}
        self._receipts: dict[str, Place] = {}
        self._last_id = 0
        self._path: Path | None = None

    def add_account(self, name: str) -> None:
        with self.change():
            self.accounts[self._new_id("a")] = name

    def add_role(self, name: str) -> None:
        with self.change():
            self.roles[self._new_id("r")] = name

    def rename(self, name: str, new: str) -> None:
        """Give an account or a role another name."""
        with self.change():
            for names in (self.accounts, self.roles):
                if (known := _id_of(names, name)) is not None:
                    names[known] = new

    def give_by_hand(self, account: str, role: str) -> None:
        with self.change():
            self.access[self._place(account, role)] = Access(by="", until=None)

    def take_by_hand(self, account: str, role: str) -> None:
        with self.change():
            self.access.pop(self._place(account, role), None)

    def holders(self, role: str) -> frozenset[str]:
        """Return the accounts that can use a role at this moment, no matter who gave it."""
        with self.moved:
            return frozenset(
                self.accounts[account] for account, what in self._live() if self.roles[what] == role
            )

    def state(self) -> list[Json]:
        """Return each role with its members, ``{"role", "members": [{"account", "grantor"}]}``."""
        with self.moved:
            live = self._live()
            return [
                {
                    "role": name,
                    "members": sorted(
                        (
                            {"account": self.accounts[account], "grantor": "rotakey" if held.by else "hand"}
                            for (account, what), held in live.items()
                            if what == role
                        ),
                        key=lambda each: each["account"],
                    ),
                }
                for role, name in sorted(self.roles.items(), key=lambda each: each[1])
            ]

    def keep_in(self, path: Path) -> None:
        """Load what is there, and from now on write each change before it is answered. Raise UnreadableError
        if it cannot be read."""
        if path.exists():
            saved = read_snapshot(path, SNAPSHOT)
            with self.change():
                self.version = max(self.version, saved.version)
                self._last_id = saved.last_id
                self.accounts, self.roles = saved.accounts, saved.roles
                self.access = {(each.account, each.role): each.access for each in saved.access}
                self._receipts = saved.receipts
        self._path = path

    @contextmanager
    def change(self) -> Iterator[None]:
        with self.moved:
            with super().change():
                yield
            if self._path:
                write_snapshot(self._path, SNAPSHOT, self._snapshot())

    # -------------------------------------------------------------------------------------- verbs

    def do(self, message: Json) -> Json:
        """Do what a message says, and return the answer. Raise Refusal."""
        with self.change():
            self.calls.append(message)
            verb, hold = str(message["verb"]), message["hold"]
            if verb in self.faults.unsupported:
                raise Refusal(501, f"{verb} is not supported")
            answer = {
                "version": 1,
                "id": message["id"],
                "verb": verb,
                "hold": hold["key"],
                "receipt": None,
                "sessions": "unknown",
                "answered_at": self.now().isoformat().replace("+00:00", "Z"),
            }
            found: Json = getattr(self, f"_{verb}")(message, hold["account"], role_of(hold["gives"]))
            return answer | found

    def _prepare(self, _message: Json, account: str, role: str) -> Json:
        place = self._place(account, role)
        return {"presence": self._presence(place, ""), "receipt": self._receipt(place)}

    _ready = _prepare

    def _grant(self, message: Json, account: str, role: str) -> Json:
        if _time(message["not_after"]) < self.now():
            raise Refusal(409, "too late: nothing was granted")
        place = next(iter(self._named_places(message)), None) or self._place(account, role)
        held = self._live().get(place)
        if held is None or held.by:
            until = _time(message["until"]) if message["until"] and self.keeps_end else None
            self.access[place] = Access(by=message["hold"]["key"], until=until)
        return {"presence": "ours", "receipt": self._receipt(place)}

    def _revoke(self, message: Json, account: str, role: str) -> Json:
        for place in self._named_places(message) or self._places(account, role):
            held = self.access.get(place)
            if held and held.by == message["hold"]["key"]:
                del self.access[place]
        return {"presence": "none", "sessions": "ended"}

    def _has(self, message: Json, account: str, role: str) -> Json:
        key = message["hold"]["key"]
        looks = [
            self._presence(each, key) for each in (*self._named_places(message), *self._places(account, role))
        ]
        presence = next((each for each in ("ours", "theirs") if each in looks), "none")
        return {"presence": presence, "sessions": "ended" if presence == "none" else "unknown"}

    def _holders(self, _message: Json, _account: str, role: str) -> Json:
        found = [
            {"account": self.accounts[account], "presence": "ours" if held.by else "theirs"}
            for (account, what), held in self._live().items()
            if self.roles[what] == role
        ]
        return {"holders": found}

    # ------------------------------------------------------------------------------------- memory

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            version=self.version,
            last_id=self._last_id,
            accounts=self.accounts,
            roles=self.roles,
            access=[
                Given(account=account, role=role, access=held)
                for (account, role), held in self.access.items()
            ],
            receipts=self._receipts,
        )

    def _new_id(self, letter: str) -> str:
        self._last_id += 1
        return f"{letter}{self._last_id}"

    def _live(self) -> dict[Place, Access]:
        return {
            place: held
            for place, held in self.access.items()
            if held.until is None or held.until > self.now()
        }

    def _presence(self, place: Place, key: str) -> str:
        held = self._live().get(place)
        return "none" if held is None else "ours" if held.by == key != "" else "theirs"

    def _place(self, account: str, role: str) -> Place:
        for names, name, what in ((self.accounts, account, "account"), (self.roles, role, "role")):
            if _id_of(names, name) is None:
                raise Refusal(404, f"there is no {what} {name}: create it")
        [place] = self._places(account, role)
        return place

    def _places(self, account: str, role: str) -> list[Place]:
        who, what = _id_of(self.accounts, account), _id_of(self.roles, role)
        return [(who, what)] if who and what else []

    def _named_places(self, message: Json) -> list[Place]:
        return [self._receipts[each] for each in message["receipts"] if each in self._receipts]

    def _receipt(self, place: Place) -> str:
        receipt = "/".join(place)
        self._receipts[receipt] = place
        return receipt


def role_of(gives: Mapping[str, str]) -> str:
    """Return the role that an entry of ``gives`` means: all its texts, by name, except the target."""
    return ", ".join(text for name, text in sorted(gives.items()) if name != "target")


def _id_of(names: Mapping[str, str], name: str) -> str | None:
    return next((known for known, each in names.items() if each == name), None)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
