"""The org's memory, behind one lock: people, groups, who is in which, rules, and who may call."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from bot.doubles.snapshots import read_snapshot, write_snapshot
from bot.doubles.watchable import Watchable

Json = dict[str, Any]
TOKEN_LIFE = timedelta(hours=1)
ALL_PERMISSIONS = frozenset(
    {
        "okta.users.read",
        "okta.users.groupMembership.manage",
        "okta.users.lifecycle.clearSessions",
        "okta.groups.read",
        "okta.groups.members.manage",
    }
)


@dataclass(frozen=True, kw_only=True)
class User:
    id: str
    login: str
    status: str = "ACTIVE"


@dataclass(frozen=True, kw_only=True)
class Group:
    id: str
    name: str
    type: str = "OKTA_GROUP"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A group rule. ``excluded`` are people whom it never adds again."""

    id: str
    name: str
    groups: tuple[str, ...]
    status: str = "ACTIVE"
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything that is saved: not the faults, the calls, and who may call. ``by_hand`` has the groups and
    members that an administrator put together."""

    version: int
    id: str
    last_id: int
    users: list[User]
    groups: list[Group]
    rules: list[Rule]
    members: dict[str, list[str]]
    by_hand: set[tuple[str, str]]


SNAPSHOT = TypeAdapter(Snapshot)


@dataclass(kw_only=True)
class App:
    """A service app that signs its assertions. ``public_key`` is PEM; ``dpop``: it must prove possession."""

    public_key: bytes
    key_id: str
    scopes: frozenset[str]
    dpop: bool = False


@dataclass(frozen=True, kw_only=True)
class AccessToken:
    scopes: frozenset[str]
    ends: datetime


@dataclass(kw_only=True)
class Faults:
    """The faults. Set a field and it holds from the next call on. Counts run down to 0."""

    down: int = 0
    """The status that every call answers, such as 503; 0: none."""
    slow: float = 0.0
    """Seconds each call takes before it is answered."""
    limited: int = 0
    """The next n calls answer 429."""
    limit_seconds: float = 1
    """The seconds from now on to the reset that a 429 names."""
    concurrent: bool = False
    """A 429 is because of too many calls at once: the limit that it names is 0."""
    clock_off: float = 0.0
    """Seconds by which the org's clock is ahead: that of its Date and of its resets."""
    loses: frozenset[str] = frozenset()
    """Methods that are done and whose answer is lost."""
    lagging: bool = False
    """The search does not hear of changes."""
    body: bytes | None = None
    """The body of every answer, instead of the right one."""
    not_there: frozenset[str] = frozenset()
    """Paths that answer a 404 which is not Okta's own."""
    hidden: frozenset[str] = frozenset()
    """Paths that answer Okta's own 404, although what they name is there."""


@dataclass(kw_only=True)
class Access:
    """The rights of callers. ``permissions`` are those of the admin role; ``groups``: the ids of the groups
    that the role is limited to, None: all."""

    token: str
    permissions: frozenset[str] = ALL_PERMISSIONS
    groups: frozenset[str] | None = None
    apps: dict[str, App] = field(default_factory=dict)
    tokens: dict[str, AccessToken] = field(default_factory=dict)
    used_assertions: set[str] = field(default_factory=set)


class Org(Watchable):
    """The org. ``largest_page`` is the most that a page holds, whatever limit was asked for."""

    def __init__(self, org_id: str, token: str, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__()
        self.id = org_id
        self.access = Access(token=token)
        self.clock = clock or (lambda: datetime.now(UTC))
        self.faults = Faults()
        self.hurry = threading.Event()
        """Set when nothing may be slow any more."""
        self.calls: deque[str] = deque(maxlen=10_000)
        """The calls that came in, ``GET /api/v1/users/ada``, in order."""
        self.credentials: deque[str] = deque(maxlen=10_000)
        """The Authorization header of each of these calls; empty: none."""
        self.largest_page = 200
        self.links_to = ""
        """The scheme and host of links to the next page, as with a domain of one's own; empty: as asked."""
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.rules: dict[str, Rule] = {}
        self.members: dict[str, list[str]] = {}
        self.cleared: list[tuple[str, bool, bool]] = []
        """The people whose sessions were cleared: also their OAuth tokens, and their remembered devices."""
        self._indexed: dict[str, str] = {}
        self._by_hand: set[tuple[str, str]] = set()
        self._last_id = 0
        self._path: Path | None = None

    def keep_in(self, path: Path) -> None:
        """Load what is there, its id included, and from now on write each change before it is answered. Raise
        UnreadableError if it cannot be read."""
        if path.exists():
            saved = read_snapshot(path, SNAPSHOT)
            with self.change():
                self.version = max(self.version, saved.version)
                self.id, self._last_id = saved.id, saved.last_id
                self.users = {each.id: each for each in saved.users}
                self.groups = {each.id: each for each in saved.groups}
                self.rules = {each.id: each for each in saved.rules}
                self.members, self._by_hand = saved.members, saved.by_hand
                for group in self.groups:
                    self._index(group)
        self._path = path

    @contextmanager
    def change(self) -> Iterator[None]:
        with self.moved:
            with super().change():
                yield
            if self._path:
                write_snapshot(self._path, SNAPSHOT, self._snapshot())

    # ------------------------------------------------------------------------------------ by hand

    def add_user(self, login: str, status: str = "ACTIVE") -> str:
        """Add a person and return their id."""
        with self.change():
            made = self._new_id("00u")
            self.users[made] = User(id=made, login=login, status=status)
        return made

    def add_group(self, name: str, kind: str = "OKTA_GROUP") -> str:
        """Add a group and return its id."""
        with self.change():
            made = self._new_id("00g")
            self.groups[made] = Group(id=made, name=name, type=kind)
            self.members[made] = []
            self._index(made)
        return made

    def add_rule(self, name: str, *groups: str, status: str = "ACTIVE") -> str:
        """Add a rule that puts people into these groups, by id, and return its id."""
        with self.change():
            made = self._new_id("0pr")
            self.rules[made] = Rule(id=made, name=name, groups=groups, status=status)
        return made

    def rename_user(self, login: str, new: str) -> None:
        with self.change():
            user = self.user(login)
            self.users[user.id] = replace(user, login=new)

    def set_status(self, login: str, status: str) -> None:
        with self.change():
            user = self.user(login)
            self.users[user.id] = replace(user, status=status)

    def rename_group(self, name: str, new: str) -> None:
        with self.change():
            group = self.group(name)
            self.groups[group.id] = replace(group, name=new)
            self._index(group.id)

    def remove_user(self, login: str) -> None:
        with self.change():
            user = self.user(login)
            del self.users[user.id]
            for every in self.members.values():
                if user.id in every:
                    every.remove(user.id)

    def remove_group(self, name: str) -> None:
        with self.change():
            group = self.group(name)
            del self.groups[group.id], self.members[group.id]
            self._index(group.id)

    def add_by_hand(self, login: str, group: str) -> None:
        place = self.group(group).id, self.user(login).id
        with self.change():
            if place[1] not in self.members[place[0]]:
                self._by_hand.add(place)
            self.add_member(*place)

    def user(self, login: str) -> User:
        return next(each for each in self.users.values() if each.login == login)

    def group(self, name: str) -> Group:
        return next(each for each in self.groups.values() if each.name == name)

    def logins_in(self, group: str) -> frozenset[str]:
        """Return the logins of the people in a group, by its name."""
        with self.moved:
            return frozenset(self.users[each].login for each in self.members[self.group(group).id])

    def state(self) -> list[Json]:
        """Return each group with its members, ``{"role", "members": [{"account", "grantor"}]}``. The grantor
        is ``rotakey`` if a call added them."""
        with self.moved:
            return [
                {
                    "role": group.name,
                    "members": sorted(
                        (
                            {
                                "account": self.users[user].login,
                                "grantor": "administrator"
                                if (group.id, user) in self._by_hand
                                else "rotakey",
                            }
                            for user in self.members[group.id]
                        ),
                        key=lambda each: each["account"],
                    ),
                }
                for group in sorted(self.groups.values(), key=lambda each: each.name)
            ]

    # ------------------------------------------------------------------------------------ for calls

    def find_user(self, name: str) -> User | None:
        """Return the user of this id, login, or short name if only one login has it."""
        if name in self.users:
            return self.users[name]
        asked = name.casefold()
        for whole in (True, False):
            found = [
                each
                for each in self.users.values()
                if (each.login if whole else each.login.partition("@")[0]).casefold() == asked
            ]
            if len(found) == 1:
                return found[0]
        return None

    def search_groups(self, name: str) -> list[Group]:
        """Return the groups that the search knows by this name; case does not matter to it."""
        found = (each for each, known in self._indexed.items() if known.casefold() == name.casefold())
        return [replace(self.groups[each], name=self._indexed[each]) for each in found if each in self.groups]

    def groups_of(self, user: str) -> list[Group]:
        return [self.groups[group] for group, every in self.members.items() if user in every]

    def add_member(self, group: str, user: str) -> None:
        with self.change():
            if user not in self.members[group]:
                self.members[group].append(user)

    def remove_member(self, group: str, user: str) -> None:
        """Remove somebody. An active rule that fills the group never adds them again."""
        with self.change():
            if user not in self.members[group]:
                return
            self.members[group].remove(user)
            self._by_hand.discard((group, user))
            for rule in list(self.rules.values()):
                if group in rule.groups and rule.status == "ACTIVE" and user not in rule.excluded:
                    self.rules[rule.id] = replace(rule, excluded=(*rule.excluded, user))

    def clear_sessions(self, user: str, *, oauth_tokens: bool, forget_devices: bool) -> None:
        with self.change():
            self.cleared.append((user, oauth_tokens, forget_devices))

    def _new_id(self, prefix: str) -> str:
        """Return an id that no other org has."""
        self._last_id += 1
        return f"{prefix}{self.id.removeprefix('00o')}{self._last_id:04d}"

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            version=self.version,
            id=self.id,
            last_id=self._last_id,
            users=list(self.users.values()),
            groups=list(self.groups.values()),
            rules=list(self.rules.values()),
            members=self.members,
            by_hand=self._by_hand,
        )

    def _index(self, group: str) -> None:
        if self.faults.lagging:
            return
        self._indexed.pop(group, None)
        if group in self.groups:
            self._indexed[group] = self.groups[group].name
