"""The members of roles as each target has them, read all the time from outside the bot, with bounds for the
times."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import psycopg

from tests.chaos.scenario import TARGET_OF

PAUSE = 0.02
MEMBERS = """
SELECT member.rolname, role.rolname, grantor.rolname FROM pg_auth_members AS m
JOIN pg_roles AS role ON role.oid = m.roleid JOIN pg_roles AS member ON member.oid = m.member
JOIN pg_roles AS grantor ON grantor.oid = m.grantor
WHERE grantor.rolname LIKE 'rotakey%' AND (m.inherit_option OR m.set_option)
"""
"""Account, role, and the login of the bot that granted it."""
OURS = """
SELECT member.rolname, role.rolname FROM pg_auth_members AS m
JOIN pg_roles AS role ON role.oid = m.roleid JOIN pg_roles AS member ON member.oid = m.member
JOIN pg_roles AS grantor ON grantor.oid = m.grantor WHERE grantor.rolname LIKE 'rotakey%'
"""
"""Account and role of all that the bot granted, also of useless remains of an interrupted revocation."""

Pair = tuple[str, str]
"""An account and a role. A role is at one target only."""

Absence = tuple[float, float]
"""The two times between which a pair may be missing."""


@dataclass(frozen=True)
class Look:
    """A query from ``began`` to ``ended``. It shows some moment between the two."""

    began: float
    ended: float


@dataclass(frozen=True, kw_only=True)
class Span:
    """A time for which a pair was there: in ``since`` and in all looks up to ``seen``. ``before`` is the last
    look without it, ``after`` the first one without it again, None while it is there."""

    before: Look
    since: Look
    seen: Look
    after: Look | None = None

    def surely_there(self, at: float) -> bool:
        """Return whether it was certainly there at that moment."""
        return self.since.ended <= at <= self.seen.began

    def possibly_there(self, since: float, until: float) -> bool:
        """Return whether it may have been there at some moment between the two."""
        return self.before.began < until and (self.after is None or self.after.ended > since)


@dataclass
class Observations:
    """All looks at one target, in order. What a look did not show was not there."""

    looks: list[Look] = field(default_factory=list)
    spans: dict[Pair, list[Span]] = field(default_factory=dict)

    def of(self, pair: Pair) -> list[Span]:
        return self.spans.get(pair, [])

    def find_gap(self, pair: Pair, since: float, until: float, but: Sequence[Absence] = ()) -> Look | None:
        """Return a look between the two that did not show the pair and is in none of the absences."""
        first = bisect_left(self.looks, since, key=lambda look: look.began)
        for look in self.looks[first:]:
            if look.ended > until:
                return None
            if any(begins <= look.ended and look.began <= ends for begins, ends in but):
                continue
            if not any(span.since.began <= look.began <= span.seen.began for span in self.of(pair)):
                return look
        return None


@dataclass(frozen=True)
class AllObservations:
    """The observations of each target."""

    at: Mapping[str, Observations]

    def of(self, pair: Pair) -> list[Span]:
        return self._at(pair).of(pair)

    def find_gap(self, pair: Pair, since: float, until: float, but: Sequence[Absence] = ()) -> Look | None:
        """Return a gap as Observations do, at the pair's target."""
        return self._at(pair).find_gap(pair, since, until, but)

    @property
    def spans(self) -> Mapping[Pair, list[Span]]:
        return {pair: spans for seen in self.at.values() for pair, spans in seen.spans.items()}

    def _at(self, pair: Pair) -> Observations:
        return self.at[TARGET_OF[pair[1]]]


class Observer:
    """A context manager; it looks from a thread of its own, and reconnects after a restart."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, name="observer", daemon=True)
        self.observations = Observations()
        self.members: frozenset[Pair] = frozenset()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def read_remaining(self) -> set[Pair]:
        """Return all that the bot granted and that is still there, of use or not."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            return set(connection.execute(OURS).fetchall())

    def _keep_looking(self) -> None:
        while not self._over.wait(PAUSE):
            try:
                self._look()
            except psycopg.Error:
                self._disconnect()
        self._disconnect()

    def _look(self) -> None:
        if self._connection is None:
            self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
        began = time.time()
        rows = self._connection.execute(MEMBERS).fetchall()
        self._add(Look(began, time.time()), frozenset((account, role) for account, role, _ in rows))

    def _add(self, look: Look, there: frozenset[Pair]) -> None:
        looks, spans = self.observations.looks, self.observations.spans
        before = looks[-1] if looks else Look(0, 0)
        for pair in there:
            mine = spans.setdefault(pair, [])
            if pair in self.members:
                mine[-1] = replace(mine[-1], seen=look)
            else:
                mine.append(Span(before=before, since=look, seen=look))
        for pair in self.members - there:
            spans[pair][-1] = replace(spans[pair][-1], after=look)
        looks.append(look)
        self.members = there

    def _disconnect(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None
