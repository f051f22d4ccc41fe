"""Designs that are known to be wrong, to show that the harness finds it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from redis.exceptions import RedisError

from bot.core import grants, policy
from bot.core.errors import Conflict, TemporaryFailure
from bot.core.grants import Grant, Ground
from bot.core.holds import HoldRecord, Phase
from bot.core.terms import Terms
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Claims, Due
from bot.ports.documents import Key
from bot.usecases.requests import ask, granting
from bot.usecases.schedules import rosters, starts
from bot.wiring.adapters import Adapters
from tests.chaos.wrapping import wrap

FAR = timedelta(hours=1)


def claims() -> None:
    """Remove work from the queue when it is claimed, as with ZPOP, so that it is lost if the worker dies.
    What is not due but should be is not looked for, because that would repair it within seconds."""

    def pop(claim: Callable[..., Claims], ledger: RedisLedger, *arguments: Any, **more: Any) -> Claims:
        found = claim(ledger, *arguments, **more)
        for each in found.claims:
            ledger._client.zrem(f"{ledger._name('due:')}{each.lane}", each.member)
        return found

    wrap(RedisLedger, "claim", pop)
    wrap(RedisLedger, "not_due", lambda *_: frozenset())
    wrap(RedisLedger, "owed_too_late", lambda *_: frozenset())


def events() -> None:
    """Learn of ends from ``expired`` events only; nothing is due at an end."""

    def without_ends(commit_all: Callable[..., Any], ledger: RedisLedger, changes: Sequence[Change]) -> Any:
        return commit_all(ledger, [_without_due_end(each) for each in changes])

    def listen(made: Callable[..., None], ledger: RedisLedger, *arguments: Any, **more: Any) -> None:
        made(ledger, *arguments, **more)
        threading.Thread(target=_listen, args=(ledger,), daemon=True, name="expired").start()

    wrap(RedisLedger, "commit_all", without_ends)
    wrap(RedisLedger, "__init__", listen)


def _without_due_end(change: Change) -> Change:
    """Return the change with the next look at what was granted an hour later."""
    done = change.done
    given = any(isinstance(put, HoldRecord) and put.phase is Phase.GIVEN for put in change.put.values())
    if done is None or done.next_at is None or not given:
        return change
    return replace(change, done=replace(done, next_at=done.next_at + FAR))


def _listen(ledger: RedisLedger) -> None:
    lease = ledger._name("lease:")
    while True:
        try:
            with ledger._client.pubsub(ignore_subscribe_messages=True) as heard:  # type: ignore[no-untyped-call]
                heard.subscribe("__keyevent@0__:expired")
                while True:
                    message = heard.get_message(timeout=1.0)
                    if message and message["data"].startswith(lease):
                        _make_due(ledger, message["data"].removeprefix(lease))
        except (RedisError, TemporaryFailure):
            time.sleep(0.2)


def _make_due(ledger: RedisLedger, grant_id: str) -> None:
    snap = ledger.read({Key.of(Grant, grant_id)})
    if grant := snap.find(Grant, grant_id):
        due = tuple(Due.hold(hold.key, at=snap.now) for hold in grant.gives)
        try:
            ledger.commit(Change(due=due))
        except Conflict:
            return


def stale() -> None:
    """Use the policy that a process was started with, whatever is in force."""
    wrap(Adapters, "load", lambda _, adapters, __: adapters.catalog)


def terms() -> None:
    """Count a vote whatever its voter was shown."""
    vars(Terms)["digest"].func = lambda _: "any"


def rules() -> None:
    """Let rules give back what somebody took away."""
    for module in (policy, starts):
        vars(module)["automatic_objection"] = lambda *_: None


def twice() -> None:
    """Do not check whether the person has it already."""
    for module in (ask, granting, starts):
        vars(module)["live_grant"] = lambda *_: None


def first() -> None:
    """End a lease with its first ground."""

    def standing_on(grant: Grant, grounds: tuple[Ground, ...]) -> Grant:
        return replace(grant, grounds=grounds, until=min(each.until for each in grounds if each.fell is None))

    vars(grants)["_standing_on"] = standing_on


def belief() -> None:
    """Believe every answer about who is on call."""
    vars(rosters)["objection"] = lambda *_: None


DESIGNS: Mapping[str, Callable[[], None]] = {
    "claims": claims,
    "events": events,
    "stale": stale,
    "terms": terms,
    "rules": rules,
    "twice": twice,
    "first": first,
    "belief": belief,
}
