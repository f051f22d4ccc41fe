"""Puts a policy in force, with the standing duties that it brings, and reports if it is not followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bot.core.authentic import hmacs_with, text_objection
from bot.core.catalog import Catalog, version_of
from bot.core.document import Document
from bot.core.reasons import Reason, Why, because
from bot.ports.changes import Change, Due, Entry, Snapshot
from bot.ports.documents import (
    Key,
    Note,
    PolicyDoubt,
    PolicyInForce,
    PolicyNotices,
    PolicyText,
    PolicyVersion,
)
from bot.ports.ledger import Ledger
from bot.usecases.access.former import FORMER, force_after, former_versions
from bot.usecases.audit.seal import KEEP, SEAL
from bot.usecases.notes import note_change
from bot.usecases.retry import retry_conflicts

OWED = "owed:all"
"""The duty that checks that everything is due that should be."""
ALWAYS_OWED: tuple[str, ...] = ("workspace:self", "groups:all", SEAL, KEEP, OWED, FORMER)
"""Duties under any policy, even one that cannot be followed."""

MOMENT = timedelta(milliseconds=1)
NOTICED_FOR = timedelta(minutes=10)
"""The time for which the same difference is not reported again, by any process."""

POLICY, DOUBT, NOTICES = Key.of(PolicyInForce), Key.of(PolicyDoubt), Key.of(PolicyNotices)


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A policy text without mistakes, and what it says. ``keys`` authenticate it."""

    catalog: Catalog
    text: str
    keys: Sequence[bytes] = ()


def enact(
    ledger: Ledger, catalog: Catalog, text: str, keys: Sequence[bytes] = (), by: str | None = None
) -> None:
    """Put this checked text in force because a person decided it, even if it was in force before;
    authenticate it with ``keys``; and make sure that everything it needs to know is being read. ``by`` is
    that person. Safe to repeat."""
    policy = Checked(catalog=catalog, text=text, keys=keys)

    def attempt() -> None:
        snap = _read(ledger, policy)
        before = snap.find(PolicyInForce)
        force = force_after(before, catalog, snap.now)
        since = _later(snap.now, before)
        reached = {**force.reached, **catalog.located.reached}
        force = replace(force, since=since, applied=True, held_back=None, reached=reached, groups={})
        audit = (Entry(what="policy applied", by=by, facts={"version": force.version}),) if by else ()
        _commit(ledger, policy, snap, force, audit)

    retry_conflicts(attempt)


def start_with(ledger: Ledger, catalog: Catalog, text: str, keys: Sequence[bytes] = ()) -> bool:
    """Put the text of a process that starts in force if Redis has never seen its version, and return whether
    it is in force. If it is already, correct its copy in Redis, and make sure that everything it needs is
    being read. A full Redis accepts no new text, and still owes what the one in force needs."""
    policy, version = Checked(catalog=catalog, text=text, keys=keys), catalog.version

    def attempt() -> bool:
        snap = _read(ledger, policy)
        before = snap.find(PolicyInForce)
        force = _policy_at_start(before, policy, snap.now)
        if before and before.version == version:
            _commit(ledger, policy, snap, replace(force, since=before.since or snap.now))
            return True
        # a text is kept for each version, also by older processes that do not write down versions
        kept = (Key.of(PolicyVersion, version), Key.of(PolicyText, version))
        if any(snap.versions.get(key) for key in kept):
            return False
        _commit(ledger, policy, snap, replace(force, since=_later(snap.now, before), applied=False))
        return True

    return retry_conflicts(attempt)


def put_back(ledger: Ledger, catalog: Catalog, text: str, keys: Sequence[bytes] = ()) -> None:
    """Put the text that a running process follows in force again, if Redis has lost which one is."""
    policy = Checked(catalog=catalog, text=text, keys=keys)

    def attempt() -> None:
        snap = _read(ledger, policy)
        before = snap.find(PolicyInForce)
        if before is None or before.version == catalog.version:
            force = _policy_at_start(before, policy, snap.now)
            _commit(ledger, policy, snap, replace(force, since=force.since or snap.now))

    retry_conflicts(attempt)


def _policy_at_start(before: PolicyInForce | None, policy: Checked, now: datetime) -> PolicyInForce:
    """Return the policy in force after a process started with it. If Redis came back with another one, and
    this is the one that had been in force, nothing is held back any longer."""
    force = force_after(before, policy.catalog, now)
    held = force.held_back
    found_again = held and held.facts.get("anchored") == force.version
    reached = {**policy.catalog.located.reached, **force.reached}
    return replace(force, held_back=None if found_again else held, reached=reached)


def record_addresses(ledger: Ledger, force: PolicyInForce, catalog: Catalog) -> None:
    """Commit where this process reaches the targets of the policy in force, as far as that is not known
    yet."""

    def attempt() -> None:
        snap = ledger.read({POLICY})
        known = snap.find(PolicyInForce)
        if known is None or known.version != catalog.version:
            return
        reached = {**catalog.located.reached, **known.reached}
        if reached != known.reached:
            new = sorted(reached.keys() - known.reached.keys())
            audit = (Entry(what="addresses of targets recorded", facts={"targets": new}),)
            put: dict[Key, Document | None] = {POLICY: replace(known, reached=reached)}
            ledger.commit(Change(rests_on=(snap,), put=put, audit=audit))

    if catalog.located.reached.keys() - force.reached.keys():
        retry_conflicts(attempt)


def _later(now: datetime, before: PolicyInForce | None) -> datetime:
    """Return now, or if the clock of Redis was set back, a moment later than everything that this follows."""
    least = [before.since + MOMENT] if before and before.since else []
    if before and before.held_back:
        anchored = int(before.held_back.facts.get("anchored_at", 0))
        least.append(datetime.fromtimestamp(anchored + 1, UTC))
    return max(now, *least) if least else now


def _read(ledger: Ledger, policy: Checked) -> Snapshot:
    version = policy.catalog.version
    keys = {POLICY, DOUBT, Key.of(PolicyText, version), Key.of(PolicyVersion, version)}
    force = ledger.read({POLICY}).find(PolicyInForce)
    return ledger.read(keys | ({Key.of(PolicyVersion, force.version)} if force else set()))


def _commit(
    ledger: Ledger, policy: Checked, snap: Snapshot, force: PolicyInForce, more: tuple[Entry, ...] = ()
) -> None:
    catalog, text, keys = policy.catalog, policy.text, policy.keys
    key = Key.of(PolicyText, catalog.version)
    before, kept = snap.find(PolicyInForce), snap.find(PolicyText, catalog.version)
    former = {Key.of(PolicyText, each) for every in former_versions(force).values() for each in every}
    earlier = ledger.read(former if keys else ())
    put: dict[Key, Document | None] = dict(_signed_again(earlier.all(PolicyText), keys))
    audit: list[Entry] = []
    if before is None or before.version != catalog.version:
        was = before.version if before else None
        audit.append(Entry(what="policy in force", facts={"version": catalog.version, "was": was}))
    audit += more
    if force != before:
        put[POLICY] = force
    if kept and kept.text != text:
        audit.append(Entry(what="policy text put right", facts={"version": catalog.version}))
        kept = None
    ours = PolicyText(text=text, hmacs=hmacs_with(kept.hmacs if kept else (), text, keys))
    if ours != kept:
        put[key] = ours
    if snap.find(PolicyDoubt) and not force.held_back:
        put[DOUBT] = None
    seen = {force.version, *((before.version,) if before else ())}
    unknown = [each for each in seen if not snap.versions.get(Key.of(PolicyVersion, each))]
    put |= {Key.of(PolicyVersion, each): PolicyVersion(first_at=snap.now) for each in unknown}
    due = tuple(Due(member=member, at=snap.now) for member in standing_duties(catalog))
    frees = kept is not None and not audit
    ledger.commit(Change(rests_on=(snap, earlier), put=put, due=due, audit=tuple(audit), frees=frees))


def _signed_again(texts: Sequence[PolicyText], keys: Sequence[bytes]) -> dict[Key, PolicyText]:
    """Return the texts that one of the keys fits, with HMACs of all keys, so that the older key can be
    removed."""
    found: dict[Key, PolicyText] = {}
    for each in texts:
        version = version_of(each.text)
        signed = replace(each, hmacs=hmacs_with(each.hmacs, each.text, keys))
        if signed != each and text_objection(version, each.text, each.hmacs, keys) is None:
            found[Key.of(PolicyText, version)] = signed
    return found


def standing_duties(catalog: Catalog) -> tuple[str, ...]:
    """Return what the worker owes as long as this policy is in force."""
    sources = dict.fromkeys(schedule.partition("/")[0] for schedule in catalog.schedules())
    followed = [name for name, resource in catalog.resources.items() if resource.schedules()]
    return (
        *ALWAYS_OWED,
        *(f"roster:{source}" for source in sources),
        *(f"shift:{name}" for name in followed),
        *(f"sweep:{name}" for name in catalog.targets()),
    )


# ------------------------------------------------------------------------------------------ doubts


def report_doubt(
    ledger: Ledger, force: PolicyInForce, why: Reason, channel: str | None, new_id: Callable[[], str]
) -> None:
    """Commit that the text in force is not followed, and why. The first process to do so notifies
    ``channel``; nobody does again while that stands. If a process that follows the text clears it, those that
    do not follow it report again."""

    def attempt() -> None:
        snap = ledger.read({DOUBT, POLICY})
        known, current = snap.find(PolicyDoubt), snap.find(PolicyInForce)
        if known or current is None or current.version != force.version:
            return
        doubt = PolicyDoubt(reason=why, noticed_at=snap.now)
        entry = Entry(what="policy not followed", facts={"why": why.why.value, **why.facts})
        change = Change(rests_on=(snap,), put={DOUBT: doubt}, audit=(entry,), frees=True)
        if channel:
            change = change.plus(note_change(snap.now, Note(id=new_id(), channel=channel, reason=why)))
        ledger.commit(change)

    retry_conflicts(attempt)


def clear_doubt(ledger: Ledger) -> None:
    """Commit that the text in force is followed again."""

    def attempt() -> None:
        snap = ledger.read({DOUBT, POLICY})
        if snap.find(PolicyDoubt):
            audit = (Entry(what="policy followed again"),)
            ledger.commit(Change(rests_on=(snap,), put={DOUBT: None}, audit=audit, frees=True))

    retry_conflicts(attempt)


# ------------------------------------------------------------------------------------- differences


def report_not_in_force(ledger: Ledger, version: str, channel: str | None, new_id: Callable[[], str]) -> None:
    """Commit that a process started with this version of access.yaml, which did not come into force, and
    notify ``channel``."""
    force = ledger.read({POLICY}).find(PolicyInForce)
    reason = because(Why.POLICY_NOT_IN_FORCE, file=version)
    if force:
        reason = because(Why.POLICY_NOT_IN_FORCE, file=version, version=force.version)
    report_difference(ledger, f"file {version}", reason, channel, new_id)


def report_difference(
    ledger: Ledger, about: str, reason: Reason, channel: str | None, new_id: Callable[[], str]
) -> None:
    """Commit that a process differs from the policy in force, and notify ``channel``, unless the same was
    reported in the last minutes. ``about`` says what differs."""

    def attempt() -> None:
        snap = ledger.read({NOTICES, POLICY})
        known, force = snap.find(PolicyNotices) or PolicyNotices(), snap.find(PolicyInForce)
        name = f"{about} under {force.version if force else None}"
        lately = {each: at for each, at in known.at.items() if timedelta() <= snap.now - at < NOTICED_FOR}
        if name in lately:
            return
        notices = PolicyNotices(at={**lately, name: snap.now})
        entry = Entry(what="process differs", facts={"why": reason.why.value, **reason.facts})
        change = Change(rests_on=(snap,), put={NOTICES: notices}, audit=(entry,), frees=True)
        if channel:
            change = change.plus(note_change(snap.now, Note(id=new_id(), channel=channel, reason=reason)))
        ledger.commit(change)

    retry_conflicts(attempt)
