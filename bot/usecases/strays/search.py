"""Looks through a target for strays: all that we made there is compared with the ledger.

The target is read first. Anyone who is granted something meanwhile has a record by then, because that is
written before granting; and what still looks like a stray has to be seen again before it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from bot.core.catalog import Entitlement
from bot.core.document import Document
from bot.core.errors import PermanentFailure, TemporaryFailure, Unsupported
from bot.core.grants import LIVE, Grant, HoldState
from bot.core.holds import HoldRecord, Phase, Presence, System
from bot.core.reasons import Why, because
from bot.core.strays import Stray, StrayState, strays_after
from bot.ports.changes import Change, Claim, Done, Due
from bot.ports.documents import Alert, Key, Restore, Strays, StrayTargets, TargetSystems
from bot.ports.ledger import CLAIM_SECONDS, Census, Ledger
from bot.ports.target import Target
from bot.usecases.access.systems import SYSTEMS, first_name, note_system
from bot.usecases.context import Context
from bot.usecases.job import Job
from bot.usecases.notifications.alerts import alert_over_change
from bot.usecases.retry import retry_conflicts
from bot.usecases.strays.acts import action_change, gone_change, is_stuck, stuck
from bot.usecases.strays.round import Held, Looked, Round

AGAIN_AFTER = timedelta(seconds=2 * CLAIM_SECONDS)
AT_ONCE = 200
"""Hold records read in one call."""
MOST_HEALED = 100
"""Vanished holds that are granted again in one round. The others wait, so that revoking does not wait for
them."""
TIME_TO_WRITE = 5.0
"""Seconds of a job that are left for what comes after looking."""
SOON = AGAIN_AFTER + timedelta(seconds=1)


def open_strays(ledger: Ledger) -> tuple[Stray, ...]:
    """Return the strays of all targets that nobody has decided about, and those that are being revoked."""
    return tuple(stray for strays in _open(ledger).values() for stray in strays)


def count_strays(ledger: Ledger) -> Mapping[str, int]:
    """Return the number of these strays for each target that was looked through."""
    return {target: len(strays) for target, strays in _open(ledger).items()}


def _open(ledger: Ledger) -> dict[str, list[Stray]]:
    targets = (ledger.read({Key.of(StrayTargets)}).find(StrayTargets) or StrayTargets()).targets
    snap = ledger.read({Key.of(Strays, each) for each in targets})
    return {
        target: [
            stray for stray in found.found.values() if stray.state in (StrayState.OPEN, StrayState.TAKING)
        ]
        for target in targets
        if (found := snap.find(Strays, target))
    }


def look_for_strays(context: Context, census: Census, find: Callable[[str], Target], job: Job) -> None:
    """Look through one target (``sweep:<name>``), and be due again. If not all of it could be read, what was
    read is recorded, and what the target raised is raised."""
    name = job.claim.id
    catalog, snap = context.read_basis(lambda _: {Key.of(Strays, name)})
    if name not in catalog.targets():
        retry_conflicts(lambda: _drop(context, job.claim))
        return
    known = snap.find(Strays, name) or Strays(at=snap.now)
    given = (each for resource in catalog.resources.values() for each in resource.gives)
    every = (each for each in (*given, *known.entitlements) if each.target == name)
    looked = _look(find(name), name, known.rest or dict.fromkeys(every), job)
    if looked.failure and not looked.holders and not known.rest:
        raise looked.failure

    names = tuple(catalog.session_notes)
    note_system(context.ledger, name, looked.system, names, catalog.security_channel)
    snap = context.ledger.read({SYSTEMS})
    namesakes: tuple[str, ...] = ()
    if first_name(snap, name, names):  # strays of one running system are looked for under its first name
        looked = replace(looked, holders={})
    elif systems := snap.find(TargetSystems):  # grants under its other names explain access there, too
        namesakes = systems.namesakes(name)

    held = _read_holds(context.ledger, census, looked, namesakes, job)
    more = _requeue(context.ledger, held.vanished) or not held.whole
    retry_conflicts(lambda: _commit_round(context, looked, held, job.claim, more=more))
    if looked.failure:
        raise looked.failure


def _look(target: Target, name: str, entitlements: Iterable[Entitlement], job: Job) -> Looked:
    """Ask the target who has each entitlement. One that cannot be read hides no other, and at a target that
    lists nobody there is nothing to compare."""
    holders: dict[Entitlement, Mapping[str, Presence]] = {}
    rest: list[Entitlement] = []
    system: System | None = None
    failure: TemporaryFailure | PermanentFailure | None = None
    for each in entitlements:
        if holders and job.deadline.seconds_left() < TIME_TO_WRITE:
            rest.append(each)
            continue
        try:
            found = target.holders(each, job.call())
        except Unsupported:
            continue
        except (TemporaryFailure, PermanentFailure) as failed:
            failure = failed
            continue
        holders[each] = {holder.account: holder.presence for holder in found.holders}
        system = found.system
    job.note_answer()
    return Looked(target=name, holders=holders, system=system, rest=tuple(rest), failure=failure)


# ------------------------------------------------------------------------------------------- comparing


def _commit_round(context: Context, looked: Looked, held: Held, claim: Claim, *, more: bool) -> None:
    """Judge and commit one round. What that rests on is read after the target was, again for each attempt to
    write, and including grants that came to hold something meanwhile. If there is a rest, the next round
    follows at once."""
    key = Key.of(Strays, looked.target)
    first = context.ledger.read({key})
    known = first.find(Strays, looked.target) or Strays(at=first.now)
    suspects = [each for each in looked.ours if each not in held.explained]
    keys = {key, Key.of(StrayTargets), Key.of(Restore), *(Key.of(HoldRecord, each) for each in suspects)}
    catalog, snap = context.read_basis(lambda _: keys, [f"hold:{each}" for each in suspects])
    told = (*(stray.alert for stray in known.found.values()), known.crowd)
    alerts = context.ledger.read({Key.of(Alert, each) for each in told if each})
    it = Round(catalog=catalog, looked=looked, held=held, snap=snap, alerts=alerts)

    strays = strays_after(it.known.found, it.sight, AGAIN_AFTER)
    found = replace(it.known, at=snap.now, found=strays, entitlements=it.entitlements, rest=looked.rest)
    after, change = action_change(context, it, found)
    change = change.plus(gone_change(it, after), stuck(it, after))
    # A hold that has a record, but nobody behind it, is due for a look at once.
    change = change.plus(Change(due=tuple(Due.hold(each, at=snap.now) for each in it.sight.owed)))

    put: dict[Key, Document | None] = {**change.put, key: after}
    targets = (snap.find(StrayTargets) or StrayTargets()).targets
    if looked.target not in targets:
        put[Key.of(StrayTargets)] = StrayTargets(targets=(*targets, looked.target))
    every = timedelta(seconds=catalog.strays.every)
    # sooner if something was seen for the first time, is being revoked, or has to be granted again
    soon = more or any(
        stray.state is StrayState.SEEN or (stray.state is StrayState.TAKING and not is_stuck(it, each))
        for each, stray in after.found.items()
    )
    pause = min(every, SOON) if soon else every
    next_at = snap.now if looked.rest else snap.now + pause
    done = None if looked.failure else Done(claim=claim, next_at=next_at)
    context.ledger.commit(replace(change, rests_on=(snap, alerts), put=put, done=done))


def _read_holds(ledger: Ledger, census: Census, looked: Looked, namesakes: Sequence[str], job: Job) -> Held:
    """Compare what the target showed with the ledger, by keys alone, because there may be very many. Only
    what has a record and was not seen there is read."""
    explained, recorded = set[str](), set[str]()
    for name in (looked.target, *namesakes):
        records = {key for page in census.holds(name) for key in page}
        if name == looked.target:
            recorded, ours = records, {key: key for key in looked.ours}
        else:
            ours = {hold.under(name).key: key for key, hold in looked.ours.items()}
        for keys in _parts([key for key in ours if key in records]):
            unheld = census.unheld(keys)
            explained |= {ours[key] for key in keys if key not in unheld}
    entitlements = {hold.entitlement for key, hold in looked.there.items() if key in recorded}
    vanished, whole = list[str](), True
    for keys in _parts([*(recorded - looked.there.keys())]):
        if job.deadline.seconds_left() < TIME_TO_WRITE:
            whole = False
            break
        snap = ledger.read((Key.of(HoldRecord, key) for key in keys), [f"hold:{key}" for key in keys])
        entitlements |= {record.hold.entitlement for record in snap.all(HoldRecord)}
        vanished += [  # somebody removed these behind our back
            hold.key
            for grant in snap.all(Grant)
            if grant.state in LIVE and snap.live(grant)
            for hold in grant.gives
            if grant.holds[hold.key] is HoldState.GIVEN
            and hold.entitlement in looked.holders
            and hold.account not in looked.holders[hold.entitlement]
        ]
    return Held(
        explained=frozenset(explained),
        vanished=tuple(sorted(set(vanished))),
        entitlements=frozenset(entitlements),
        whole=whole,
    )


def _parts(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[first : first + AT_ONCE] for first in range(0, len(keys), AT_ONCE))


def _requeue(ledger: Ledger, vanished: Sequence[str]) -> bool:
    """Make the holds that were removed behind our back due for a look at once, and return whether some of
    them have to wait. Each is written on its own: if somebody else was faster, they have looked at it."""
    room = MOST_HEALED
    for keys in _parts(vanished):
        snaps = ledger.read_all(({Key.of(HoldRecord, key)}, ()) for key in keys)
        healing = []
        for key, snap in zip(keys, snaps, strict=True):
            record = snap.find(HoldRecord, key)
            if record and record.phase is Phase.GIVEN and record.seen_at and not record.untouchable:
                put = {Key.of(HoldRecord, key): replace(record, seen_at=None)}
                due = (Due.hold(key, at=snap.now),)
                healing.append(Change(rests_on=(snap,), put=put, due=due))
        if healing[:room]:
            ledger.commit_all(healing[:room])
        room -= len(healing)
        if room < 0:
            return True
    return False


# --------------------------------------------------------------------------------- out of the policy


def _drop(context: Context, claim: Claim) -> None:
    """Forget a target that the policy no longer names: it cannot be reached, and its alerts are over."""
    name = claim.id
    catalog, snap = context.read_basis(lambda _: {Key.of(Strays, name), Key.of(StrayTargets)})
    if name in catalog.targets():
        context.ledger.commit(Change(rests_on=(snap,), done=Done(claim=claim, next_at=snap.now)))
        return
    known = snap.find(Strays, name) or Strays(at=snap.now)
    told = (*(stray.alert for stray in known.found.values()), known.crowd)
    alerts = context.ledger.read({Key.of(Alert, each) for each in told if each})
    change = Change(rests_on=(snap, alerts), done=Done(claim=claim))
    for alert in alerts.all(Alert):
        change = change.plus(alert_over_change(alert, because(Why.TARGET_UNSWEPT, target=name), snap.now))
    swept = snap.find(StrayTargets) or StrayTargets()
    left = StrayTargets(targets=tuple(each for each in swept.targets if each != name))
    put = {**change.put, Key.of(Strays, name): None, Key.of(StrayTargets): left}
    context.ledger.commit(replace(change, put=put))
