"""Who really is in which role at each target, looked at from outside all the time, with how sure one can be
of when."""

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
"""Account, role, and which login of the bot has granted it."""
OURS = """
SELECT member.rolname, role.rolname FROM pg_auth_members AS m
JOIN pg_roles AS role ON role.oid = m.roleid JOIN pg_roles AS member ON member.oid = m.member
JOIN pg_roles AS grantor ON grantor.oid = m.grantor WHERE grantor.rolname LIKE 'rotakey%'
"""
"""Also what is of no use any more, and was left by a take that was cut short."""

Pair = tuple[str, str]
"""An account and a role, which is of one target only."""

Absence = tuple[float, float]
"""From when to when something may be missing."""


@dataclass(frozen=True)
class Look:
    """One question, asked at ``began`` and answered at ``ended``: it shows some moment between the two."""

    began: float
    ended: float


@dataclass(frozen=True, kw_only=True)
class Span:
    """A pair was in ``since`` and in all looks up to ``seen``. ``before`` is the last look without it,
    ``after`` the first one without it again, None while it is there."""

    before: Look
    since: Look
    seen: Look
    after: Look | None = None

    def surely(self, at: float) -> bool:
        """There at that moment."""
        return self.since.ended <= at <= self.seen.began

    def possibly(self, since: float, until: float) -> bool:
        """There at some moment between those two."""
        return self.before.began < until and (self.after is None or self.after.ended > since)


@dataclass
class Seen:
    """All that was observed. ``looks`` in order; what a look did not show was not there."""

    looks: list[Look] = field(default_factory=list)
    spans: dict[Pair, list[Span]] = field(default_factory=dict)

    def of(self, pair: Pair) -> list[Span]:
        return self.spans.get(pair, [])

    def missing(self, pair: Pair, since: float, until: float, but: Sequence[Absence] = ()) -> Look | None:
        """A look between the two that did not show the pair, and is in none of these absences."""
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
class Everywhere:
    """What was seen at all targets, each of which is looked at by itself."""

    at: Mapping[str, Seen]

    def of(self, pair: Pair) -> list[Span]:
        return self._where(pair).of(pair)

    def missing(self, pair: Pair, since: float, until: float, but: Sequence[Absence] = ()) -> Look | None:
        """As of the pair's target."""
        return self._where(pair).missing(pair, since, until, but)

    @property
    def spans(self) -> Mapping[Pair, list[Span]]:
        return {pair: spans for seen in self.at.values() for pair, spans in seen.spans.items()}

    def _where(self, pair: Pair) -> Seen:
        return self.at[TARGET_OF[pair[1]]]


class Observer:
    """Use it as a context manager; it looks from a thread of its own, and finds back after a restart."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="observer", daemon=True)
        self.seen = Seen()
        self.now: frozenset[Pair] = frozenset()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def left(self) -> set[Pair]:
        """All that is there by the bot's making, of use or not. Asked over a connection of its own."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            return set(connection.execute(OURS).fetchall())

    def _watch(self) -> None:
        while not self._over.wait(PAUSE):
            try:
                self._look()
            except psycopg.Error:
                self._drop()
        self._drop()

    def _look(self) -> None:
        if self._connection is None:
            self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
        began = time.time()
        rows = self._connection.execute(MEMBERS).fetchall()
        self._note(Look(began, time.time()), frozenset((account, role) for account, role, _ in rows))

    def _note(self, look: Look, there: frozenset[Pair]) -> None:
        looks, spans = self.seen.looks, self.seen.spans
        before = looks[-1] if looks else Look(0, 0)
        for pair in there:
            mine = spans.setdefault(pair, [])
            if pair in self.now:
                mine[-1] = replace(mine[-1], seen=look)
            else:
                mine.append(Span(before=before, since=look, seen=look))
        for pair in self.now - there:
            spans[pair][-1] = replace(spans[pair][-1], after=look)
        looks.append(look)
        self.now = there

    def _drop(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None
