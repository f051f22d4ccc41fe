"""The health of this process and the ledger, for monitoring: why /readyz says no, and gauges for /metrics."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.ports.audit import AuditTrail
from bot.ports.documents import GivenUp, Key, PolicyDoubt
from bot.ports.ledger import Condition, Inspection, Ledger
from bot.usecases.audit.seal import unsealed_for
from bot.usecases.context import Context
from bot.usecases.enact import DOUBT
from bot.usecases.schedules.groups import REINSTALL, loss
from bot.usecases.strays.search import count_strays

STUCK_AFTER = 10.0
"""Seconds. The worker's loop comes round every second, and after five if Redis does not answer."""


def trouble(context: Context) -> str | None:
    """Return why this process could not do its work now: no Redis, no policy in force, or one it cannot
    follow."""
    try:
        context.catalog()
    except TemporaryFailure as failure:
        return str(failure)
    return None


def shut_out(context: Context) -> str | None:
    """Return that Slack no longer lets the bot in, and what to do; None if it does. This is not a fault of
    the workers: access still ends on time, and restarting them without a new token does not help."""
    try:
        said = loss(context.ledger)
    except TemporaryFailure as failure:
        return str(failure)
    return f"{said}: {REINSTALL}" if said else None


def stuck(last_round: float) -> str | None:
    """Return that the worker's loop hangs, and what to do; None if it does not. ``last_round``: when it last
    came round, on this process's monotonic clock."""
    seconds = time.monotonic() - last_round
    if seconds <= STUCK_AFTER:
        return None
    return f"the worker's loop has not run for {seconds:.0f} s: restart this process"


class WatchedLedger(Ledger, Inspection, AuditTrail, Protocol):
    """The ledger with all that its gauges show."""


class Gauges(Collector):
    """Gauges of the ledger, read once per scrape; not a number if it does not answer."""

    def __init__(self, ledger: WatchedLedger) -> None:
        self.ledger = ledger

    def collect(self) -> Iterator[GaugeMetricFamily]:
        condition: Condition | None = None
        with suppress(TemporaryFailure):
            condition = self.ledger.condition()
        yield GaugeMetricFamily(
            "rotakey_ledger_up", "1 while Redis answers this process", condition is not None
        )
        for name, (told, value) in GAUGES.items():
            yield GaugeMetricFamily(name, told, value(condition) if condition else math.nan)
        books = self.ledger if condition else None  # a Redis that is away is waited for once
        yield self._strays(books)
        told = "1 while Slack says that the app was uninstalled or the bot's token was revoked"
        yield GaugeMetricFamily("rotakey_slack_lost", told, _read(books, lambda it: loss(it) is not None))
        told = "Messages given up because Slack refused them for an hour"
        given_up = _read(
            books, lambda it: sum(each.count for each in it.read({Key.of(GivenUp)}).all(GivenUp))
        )
        yield GaugeMetricFamily("rotakey_messages_given_up", told, given_up)
        # ``/readyz`` stays good in the meantime: giving back and revoking must not stop with granting
        told = "1 while a process does not follow the policy in force, because its text cannot be trusted"
        doubt = _read(books, lambda it: it.read({DOUBT}).find(PolicyDoubt) is not None)
        yield GaugeMetricFamily("rotakey_policy_doubted", told, doubt)
        told = "Age of the oldest audit entry that is not sealed"
        yield GaugeMetricFamily("rotakey_audit_unsealed_seconds", told, self._seconds_unsealed(books))

    def _seconds_unsealed(self, books: Ledger | None) -> float:
        try:
            waits = unsealed_for(books, self.ledger) if books else None
        except (TemporaryFailure, PermanentFailure):
            waits = None
        return waits.total_seconds() if waits is not None else math.nan

    def _strays(self, books: Ledger | None) -> GaugeMetricFamily:
        told = "Strays that nobody decided to leave, by target"
        family = GaugeMetricFamily("rotakey_strays", told, labels=["target"])
        try:
            counted = count_strays(books) if books else {}
        except TemporaryFailure:
            counted = {}
        for target, count in counted.items():
            family.add_metric([target], count)
        return family


def _read(books: Ledger | None, value: Callable[[Ledger], float]) -> float:
    try:
        return float(value(books)) if books else math.nan
    except TemporaryFailure:
        return math.nan


def _seconds_since(moment: datetime | None, now: datetime, *, never: float) -> float:
    return never if moment is None else max((now - moment).total_seconds(), 0.0)


GAUGES: Mapping[str, tuple[str, Callable[[Condition], float]]] = {
    "rotakey_overdue": (
        "Grants whose access should be gone and could not be revoked yet",
        lambda it: it.overdue,
    ),
    "rotakey_worker_heartbeat_age_seconds": (
        "Time since any worker last asked for work; +Inf if none ever did",
        lambda it: _seconds_since(it.beat, it.now, never=math.inf),
    ),
    "rotakey_oldest_due_seconds": (
        "Time that the oldest unclaimed due job has waited",
        lambda it: _seconds_since(it.oldest, it.now, never=0.0),
    ),
    "rotakey_owed": ("Jobs pending, due now or later", lambda it: it.owed),
    "rotakey_failing": (
        "Jobs that failed three times in a row or more, counted up to a hundred",
        lambda it: len(it.failing),
    ),
    "rotakey_set_aside": (
        "Records that could not be read, counted up to a hundred",
        lambda it: len(it.set_aside),
    ),
    "rotakey_audit_unwritten": (
        "Audit entries of revocations made while the audit could not be written",
        lambda it: it.unlogged,
    ),
    "rotakey_open_grants": ("Grants from request to gone", lambda it: it.open),
}
