"""All that is known at the end of a round: from observers, the ledger, people and Slack."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from bot.core.grants import LIVE, Grant, State
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.documents import Card, Key
from bot.ports.ledger import Condition
from tests.chaos import scenario
from tests.chaos.actions import Action
from tests.chaos.database import ManualRevocation
from tests.chaos.faults import WRONG, Fault
from tests.chaos.history import MessageVersion
from tests.chaos.observer import Absence, AllObservations, Look, Pair
from tests.chaos.shifts import Override
from tests.chaos.store import AuditEntry, entries_of

PAGE = 500
LATE = 15.0
"""Seconds within which a role is revoked after its end was written, whatever dies meanwhile."""
STANDING = (
    "roster:",
    "shift:",
    "groups:",
    "workspace:",
    "people:",
    "seal:",
    "keep:",
    "owed:",
    "sweep:",
    "incidents:",
    "former:",
)
"""What is always due, whether or not anybody has access."""
REMEMBERED, SOON = ("alarm:", "alert:"), 60.0
"""What is repeated after an hour, or forgotten after a week; anything due within these seconds is not
that."""


@dataclass(frozen=True, kw_only=True)
class LedgerState:
    """The ledger as read at the end. ``due`` has the time of each due member, ``claimed`` the open claims."""

    now: float
    grants: Mapping[str, Grant]
    leases: Mapping[str, datetime | None]
    cards: Mapping[str, Card]
    trail: Mapping[str, Sequence[AuditEntry]]
    entries: Sequence[AuditEntry]
    due: Mapping[str, float]
    claimed: frozenset[str]
    condition: Condition

    @property
    def live(self) -> frozenset[str]:
        return frozenset(
            each for each, grant in self.grants.items() if grant.state in LIVE and each in self.leases
        )

    @property
    def unsettled(self) -> Iterator[str]:
        """Yield grants that are neither finished nor live by a shift, and what is still due."""
        for name, grant in self.grants.items():
            if grant.open and not (grant.state is State.ACTIVE and name in self.leases):
                yield f"grant {name} is {grant.state}"
            elif grant.open and not grant.shift_ground:
                yield f"grant {name} is live"
            elif grant.open and grant.extension:
                yield f"grant {name} waits for an extension"
        held = {f"hold:{hold.key}" for name in self.live for hold in self.grants[name].gives}
        for member, at in self.due.items():
            later = member.startswith(REMEMBERED) and at > self.now + SOON
            if not member.startswith(STANDING) and member not in held and not later:
                yield f"{member} is due in {at - self.now:.0f} s"


def pairs_of(grant: Grant) -> list[Pair]:
    return [(hold.account, hold.entitlement["role"]) for hold in grant.gives]


def base_of(which: str | None) -> str:
    """Return the grant that an id is of, also if it is an extension's."""
    return (which or "").partition("-")[0]


def read_ledger(ledger: RedisLedger) -> LedgerState:
    """Read what is due first: if nothing is, the rest does not change any more."""
    due: dict[str, float] = {}
    for lane in ledger._client.scan_iter(match=f"{ledger._name('due:')}*"):
        rows: Any = ledger._client.zrange(lane, 0, -1, withscores=True)
        due |= {member: score / 1000 for member, score in rows}
    claimed: Any = ledger._client.hkeys(ledger._name("claims"))
    pattern = f"{ledger._name('doc:')}grant:*"
    names = [str(name) for name in ledger._client.scan_iter(match=pattern, count=PAGE)]
    ids = sorted(name.rpartition("grant:")[2] for name in names)
    grants: dict[str, Grant] = {}
    leases: dict[str, datetime | None] = {}
    cards: dict[str, Card] = {}
    for start in range(0, len(ids), PAGE):
        page = ids[start : start + PAGE]
        snap = ledger.read([Key.of(Grant, each) for each in page])
        grants |= {each.id: each for each in snap.all(Grant)}
        leases |= snap.leases
        more = [each.id for grant in snap.all(Grant) for each in grant.extensions]
        snap = ledger.read([Key.of(Card, each) for each in (*page, *more)])
        cards |= {key.id: card for key, card in snap.documents.items() if isinstance(card, Card)}
    entries = [each for _, each in entries_of(ledger)]
    trail: dict[str, list[AuditEntry]] = defaultdict(list)
    for each in entries:
        if each.entry.grant:
            trail[each.entry.grant].append(each)
    return LedgerState(
        now=ledger.read(()).now.timestamp(),
        grants=grants,
        leases=leases,
        cards=cards,
        trail=trail,
        entries=entries,
        due=due,
        claimed=frozenset(claimed),
        condition=ledger.condition(),
    )


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why somebody had a role: a grant, live in [``since``, ``until``), and ``active`` from some moment on.
    ``lease`` is the latest end that it ever had; ``settled`` is when the ledger recorded that it is gone. All
    times are in epoch seconds."""

    grant: Grant
    since: float
    until: float
    lease: float
    active: float | None
    settled: float


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The evidence by which a round is judged."""

    ledger: LedgerState
    observed: AllObservations
    remaining: frozenset[Pair]
    actions: Sequence[Action]
    messages: Mapping[tuple[str, str], Sequence[MessageVersion]]
    faults: Sequence[Fault]
    overrides: Sequence[Override]
    homes: Mapping[str, frozenset[str]]
    """The texts on the Home tab of each person who has opened it."""
    manual_revocations: Sequence[ManualRevocation] = ()
    lost: Sequence[AuditEntry] = ()
    """The entries of the audit that were lost with a primary: the ledger does not have them."""
    errors: Sequence[str] = ()
    hits: Counter[str] = field(default_factory=Counter)
    sampled: Sequence[Any] = ()
    """Violations found while the round went on."""

    @cached_property
    def reasons(self) -> Mapping[Pair, Sequence[Reason]]:
        found: dict[Pair, list[Reason]] = defaultdict(list)
        for name, grant in self.ledger.grants.items():
            reason = self.reason_of(name)
            for pair in pairs_of(grant) if reason else ():
                found[pair].append(reason)  # type: ignore[arg-type]  # mypy does not see the condition
        return found

    def reason_of(self, name: str) -> Reason | None:
        """Return the reason that a grant was; None if it was never approved."""
        grant = self.ledger.grants[name]
        if grant.approved_at is None or grant.until is None:
            return None
        ends = [each.at for each in self.ledger.trail.get(name, ()) if each.entry.what in ENDS]
        lease = self.ledger.leases.get(name, grant.until) or grant.until
        return Reason(
            grant=grant,
            since=grant.approved_at.timestamp(),
            until=min([lease.timestamp(), *ends]),
            lease=max([lease.timestamp(), *self.ends_of(name)]),
            active=grant.active_at.timestamp() if grant.active_at else None,
            settled=grant.ended_at.timestamp() if grant.ended_at else float("inf"),
        )

    def ends_of(self, name: str) -> set[float]:
        """Return all ends that its lease ever had."""
        trail = (each for each in self.ledger.trail.get(name, ()) if each.entry.what not in ONLY_ASKED)
        written = (each.entry.facts.get("until") for each in trail)
        return {datetime.fromisoformat(str(each)).timestamp() for each in written if each}

    def find_gap(self, pair: Pair, since: float, until: float) -> Look | None:
        """Return a look between the two that did not show the pair, though no administrator had revoked it,
        nor the bot for an end that was lost."""
        return self.observed.find_gap(pair, since, until, self.absences(pair))

    def absences(self, pair: Pair) -> list[Absence]:
        """Return the times for which it was not there because an administrator had revoked it, or the bot for
        an end that was lost: until it was granted again."""
        found, spans = [], self.observed.of(pair)
        for at in self._ends_lost(pair):
            again = (span.since.ended for span in spans if span.since.ended > at)
            if any(span.after and at <= span.after.ended <= at + LATE for span in spans):
                found.append((at, min(again, default=float("inf"))))
        for each in self.manual_revocations:
            unseen = any(span.surely_there(each.began) and span.surely_there(each.ended) for span in spans)
            if each.pair == pair and not unseen:
                again = (span.since.ended for span in spans if span.since.ended >= each.ended)
                found.append((each.began, min(again, default=float("inf"))))
        return found

    def _ends_lost(self, pair: Pair) -> list[float]:
        ends = (each for each in self.lost if each.entry.what in ENDS)
        known = ((each.at, self.ledger.grants.get(each.entry.grant or "")) for each in ends)
        return [at for at, grant in known if grant and pair in pairs_of(grant)]

    def was_lost(self, grant: str, *whats: str) -> bool:
        """Return whether one of these entries about the grant was lost with a primary."""
        return any(each.entry.grant == grant and each.entry.what in whats for each in self.lost)

    def by_person(self, person: str, resource: str) -> list[Grant]:
        """Return the person's grants of a resource, or all of them if it is empty."""
        mine = (grant for grant in self.ledger.grants.values() if grant.person == person)
        return [grant for grant in mine if resource in ("", grant.resource)]

    def was_disturbed(self, since: float, until: float) -> bool:
        return any(fault.overlaps(since, until) for fault in self.faults)

    def was_pager_wrong(self, since: float, until: float) -> bool:
        """Return whether the pager showed nobody, or nobody at some level, though somebody was on call."""
        return any(each.what == WRONG and each.overlaps(since, until) for each in self.faults)

    def was_called_off(self, person: str, resource: str, at: float, since: float) -> bool:
        """Return whether somebody else was to be on call at that moment, and that was ended early, not before
        ``since``."""
        schedule = _schedule_of(resource)
        return any(
            each.schedule == schedule
            and each.person != person
            and each.cut is not None
            and each.made <= at
            and each.cut >= since
            and each.start <= at < each.end
            for each in self.overrides
        )

    def was_on_call(self, person: str, resource: str, at: float) -> bool:
        """Return whether the person was on call, by the overrides that were made."""
        schedule = _schedule_of(resource)
        if schedule is None:
            return False
        on = [
            each.person
            for each in self.overrides
            if each.schedule == schedule and each.start <= at < each.last
        ]
        if person == scenario.SECOND_LEVEL.get(schedule):
            return True
        always = scenario.ALWAYS_ON_CALL.get(schedule)
        return person in on or (not on and person == always)


ONLY_ASKED = ("extension requested",)
"""Entries whose ``until`` is only requested."""


def _schedule_of(resource: str) -> str | None:
    return scenario.BY_NAME[resource].on_shift or scenario.BY_NAME[resource].on_call


ENDS = ("ending", "could not be given")
