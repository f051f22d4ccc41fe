"""Checks whether access outlives its reason: overdue, unseen past its end, or live in a Redis that came back
older."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Protocol

from bot.core.grants import Grant
from bot.core.people import Person
from bot.core.strays import Stray, StrayState
from bot.ports.changes import Snapshot
from bot.ports.documents import Key, Restore, Strays, StrayTargets
from bot.ports.ledger import Inspection
from bot.usecases.access.outcomes import hold_name
from bot.usecases.access.sweep import HeldLedger, Past, looked_at, past_of
from bot.usecases.doctor.findings import MOST_ALIKE, Finding, ago, count_of, few, look_at, ok, wrong
from bot.usecases.strays.search import open_strays

ACCESS, STRAYS, RESTORE = "access", "strays", "restore"
IN_TIME = timedelta(minutes=1)
"""The time for which a hold past its end counts as being revoked right now."""
LOOKED_THROUGH_WITHIN = timedelta(hours=25)
MOST_LOOKED_AT = 10_000
"""The most open grants whose holds are looked at. If there are more, only overdue ones are reported; a sweep
looks at all of them."""


class AccessLedger(HeldLedger, Inspection, Protocol):
    """A ledger that lists all that is held, and reports its own condition."""


def look_at_access(ledger: AccessLedger) -> Iterator[Finding]:
    condition = ledger.condition()
    ids = list(islice(chain.from_iterable(ledger.grants("overdue")), MOST_ALIKE))
    snap = ledger.read(Key.of(Grant, each) for each in ids)
    people = ledger.read({Key.of(Person, grant.person) for grant in snap.all(Grant)})
    yield from (overdue(grant, people) for grant in snap.all(Grant))
    if condition.overdue > len(ids):
        yield wrong(ACCESS, f"and {condition.overdue - len(ids)} more are overdue")

    few_enough = condition.open <= MOST_LOOKED_AT
    past = past_of(ledger).values() if few_enough else ()
    left = [each for each in past if is_neglected(each, condition.now)]
    found = [each for each in (looked_at(ledger, one) for one in left) if is_neglected(each, condition.now)]
    if found:
        yield unseen(found, condition.now)
    elif not condition.overdue:
        yield ok(ACCESS, count_of(condition.open, "open grant") + ", none past its end" * few_enough)


def overdue(grant: Grant, people: Snapshot) -> Finding:
    since = ago(grant.overdue_since or people.now, people.now)
    whose = f"{grant.resource} of {who(grant.person, people)}"
    targets = " and ".join(sorted({hold.target for hold in grant.gives}))
    return wrong(
        ACCESS,
        f"{whose} is overdue for {since} and cannot be revoked: {grant.trouble}",
        f"fix that, and it is revoked at the next attempt; or revoke it by hand at {targets}",
    )


def who(person: str, people: Snapshot) -> str:
    known = people.find(Person, person)
    return f"{known.name} ({person})" if known else person


def is_neglected(it: Past, now: datetime) -> bool:
    """Return whether nobody has even tried to revoke it: what was tried is reported as failing or overdue."""
    return it.still_there and not it.pause and now - it.since > IN_TIME


def unseen(found: Sequence[Past], now: datetime) -> Finding:
    oldest = min(found, key=lambda each: each.since)
    count = "1 hold is past its end" if len(found) == 1 else f"{len(found)} holds are past their end"
    since = ago(oldest.since, now)
    what = f"{count}, and no worker has tried to revoke it; the oldest, for {since}: {hold_name(oldest.hold)}"
    return wrong(ACCESS, what, "run rotakey sweep --once, and check the workers")


def look_at_strays(ledger: AccessLedger) -> Iterator[Finding]:
    targets = (ledger.read({Key.of(StrayTargets)}).find(StrayTargets) or StrayTargets()).targets
    snap = ledger.read({Key.of(Strays, each) for each in targets})
    found = open_strays(ledger)
    yield from few([stray(each, snap.now) for each in found])
    if targets and not found:
        looked = min((each.at for each in snap.all(Strays)), default=snap.now)
        told = f"none at {count_of(len(targets), 'target')}, last swept {ago(looked, snap.now)} ago"
        yield (look_at if snap.now - looked > LOOKED_THROUGH_WITHIN else ok)(STRAYS, told)


def stray(it: Stray, now: datetime) -> Finding:
    what = (
        f"{hold_name(it.hold)} was granted by Rotakey, and no grant has accounted for it for"
        f" {ago(it.since, now)}"
    )
    if it.state is StrayState.TAKING:
        return wrong(STRAYS, f"{what}; it is being revoked", "see under worker whether that fails")
    return wrong(STRAYS, what, "decide in the security channel whether to revoke it")


def look_at_restore(ledger: AccessLedger) -> Iterator[Finding]:
    snap = ledger.read({Key.of(Restore)})
    restore = snap.find(Restore)
    if restore is None and not snap.compared:
        what = "another Redis server has taken over, and no worker has compared it with the anchor yet"
        yield wrong(RESTORE, f"{what}: nothing is granted", "start a worker, or look at its log")
    if restore is None:
        return
    yield restore_finding(restore, ledger.condition().open, snap.now)
    again = ledger.read(Key.of(Grant, each) for each in restore.again)
    people = ledger.read({Key.of(Person, grant.person) for grant in again.all(Grant)})
    yield from few([live_again(grant, people) for grant in again.all(Grant) if again.live(grant)])


def restore_finding(it: Restore, still_open: int, now: datetime) -> Finding:
    if it.failover:
        what = (
            f"another Redis server took over {ago(it.noticed_at, now)} ago, and there was no anchor to"
            f" compare it with. Nothing has been granted since, and its {count_of(still_open, 'open grant')}"
            " may be wrong"
        )
        do = (
            "check who has access at each target; run rotakey doctor --accept-restore; and name an anchor"
            " file in access.yaml"
        )
        return wrong(RESTORE, what, do)
    what = (
        f"Redis came back with older data {ago(it.noticed_at, now)} ago: it once had {it.anchored}, and now"
        f" has {it.found}. Nothing has been granted since, and its {count_of(still_open, 'open grant')} may"
        " be wrong"
    )
    do = (
        "check who has access at each target; run rotakey audit verify; then run rotakey doctor"
        " --accept-restore"
    )
    return wrong(RESTORE, what, do)


def live_again(grant: Grant, people: Snapshot) -> Finding:
    what = f"{grant.resource} of {who(grant.person, people)} had ended, but is live again in this Redis"
    return wrong(RESTORE, what, f"end it: /access revoke <@{grant.person}> {grant.resource}")
