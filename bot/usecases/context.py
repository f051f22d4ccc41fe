"""The basis of every use-case: the ledger, the policy in force, and the people known."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from bot.core.approvers import possible_approvers
from bot.core.blocks import Ban, Block, Freeze, block_name, unreadable_block
from bot.core.catalog import Catalog, Resource, groups_in, schedules_in
from bot.core.errors import PermanentFailure, Refused, TemporaryFailure, Unconfirmed, refuse
from bot.core.grants import Grant
from bot.core.members import Facts
from bot.core.people import FRESH_FOR, KNOWN_FOR, Group, Person
from bot.core.reasons import Why, because
from bot.core.shifts import Roster
from bot.ports.changes import Change, Entry, LeaseMove, Snapshot
from bot.ports.deadline import Deadline
from bot.ports.documents import (
    Account,
    Alert,
    Card,
    D,
    Home,
    Key,
    Place,
    PolicyDoubt,
    PolicyInForce,
    PolicyText,
)
from bot.ports.ledger import Ledger
from bot.ports.slack import Directory
from bot.usecases.access.former import targets_elsewhere
from bot.usecases.enact import DOUBT, clear_doubt, record_addresses, report_difference, report_doubt
from bot.usecases.people import look_up
from bot.usecases.requests.seats import seat_keys, with_seats
from bot.usecases.results import Standing
from bot.usecases.retry import earlier_answer, refusal_answer, retry_conflicts
from bot.usecases.schedules.ownership import with_contest, with_owners

T = TypeVar("T")
Basis = tuple[Catalog, Snapshot]
"""The policy in force and what was read under it."""

LOOK_UP_WITHIN = 1.0
POLICY, HOME, FREEZE = Key.of(PolicyInForce), Key.of(Home), Key.of(Freeze)
MOST_COUNTED = 100
"""The most approvers that are read to see whether there are enough of them."""


@dataclass(frozen=True, kw_only=True)
class Followed:
    """The policy in force as this process read it, and the catalog that it decides by."""

    force: PolicyInForce
    text: PolicyText | None
    catalog: Catalog

    def still(self, force: PolicyInForce, snap: Snapshot) -> bool:
        """Return whether nothing has changed. A text that could not be trusted may have been corrected, and
        the doubt about it may have been cleared by a process that does not share it."""
        if self.force != force:
            return False
        if not self.catalog.closed:
            return True
        return snap.find(PolicyText, force.version) == self.text and snap.find(PolicyDoubt) is not None


class Context:
    """The ledger, the policy in force and the directory, as one process sees them. ``load`` follows the
    policy in force, whose text is None if it is missing, and returns its catalog. If the text cannot be
    trusted or read, that is the last catalog that could be followed, ``closed``. ``new_id`` returns a fresh,
    unguessable id."""

    def __init__(
        self,
        ledger: Ledger,
        directory: Directory,
        load: Callable[[PolicyInForce, PolicyText | None], Catalog],
        new_id: Callable[[], str],
    ) -> None:
        self.ledger = ledger
        self.directory = directory
        self.new_id = new_id
        self._load = load
        self._followed: Followed | None = None
        self._home: Home | None = None
        self._reported: set[tuple[str, str]] = set()
        self._loading = threading.Lock()

    def read_basis(
        self, wanted: Callable[[Catalog], Iterable[Key]], follow: Iterable[str] = ()
    ) -> tuple[Catalog, Snapshot]:
        """Return the policy in force and the documents wanted under it, all as of one moment. If accounts of
        people are among them, the owners of those accounts are read right after; likewise the holders of what
        only one may hold. Raises TemporaryFailure if no policy is in force, or it changes too fast."""
        for _ in range(5):
            followed = self._followed
            keys = {POLICY, HOME, *(wanted(followed.catalog) if followed else ())}
            if followed and followed.catalog.closed:
                keys |= {Key.of(PolicyText, followed.force.version), DOUBT}
            snap = self.ledger.read(keys, follow)
            self._home = snap.find(Home)
            force = snap.find(PolicyInForce)
            if force is None:
                raise TemporaryFailure("no policy is in force: run rotakey policy apply FILE")
            if followed and followed.still(force, snap):
                snap = with_owners(self.ledger, keys, followed.catalog, snap)
                return followed.catalog, with_seats(self.ledger, keys, followed.catalog, snap)
            self._follow(force)
        raise TemporaryFailure("the policy is changing faster than it can be read")

    def catalog(self) -> Catalog:
        return self.read_basis(lambda _: ())[0]

    def home(self) -> Home | None:
        """Return the workspace the bot belongs to, as it was last seen; a decision reads it again."""
        if self._home is None:
            self._home = self.ledger.read({HOME}).find(Home)
        return self._home

    def card_places(self, grant: str) -> tuple[Place, ...]:
        card = self.ledger.read({Key.of(Card, grant)}).find(Card, grant)
        return card.places if card else ()

    def alert_places(self, alert: str) -> tuple[Place, ...]:
        found = self.alert(alert)
        return found.places if found else ()

    def alert(self, alert: str) -> Alert | None:
        return self.ledger.read({Key.of(Alert, alert)}).find(Alert, alert)

    def grant(self, grant: str) -> Grant:
        """Return the grant with this id, or the one that the extension with this id is for. Raises Refused if
        there is none."""
        base = base_of(grant)
        found = self.ledger.read({Key.of(Grant, base)}).find(Grant, base)
        if found is None:
            raise refuse(Why.GRANT_UNKNOWN, grant=grant[:40])
        return found

    def look_up_people(self, *people: str, again: bool = False) -> None:
        """Look up, together in one second, those of these people who were not read within an hour, or all of
        them ``again``. If Slack does not answer, what was read within a day still counts, and anyone who is
        not known stays unknown."""
        deadline = Deadline.after(LOOK_UP_WITHIN)
        snap = self.ledger.read({Key.of(Person, each) for each in people})
        for each in dict.fromkeys(people):
            known = snap.find(Person, each)
            if known and known.age(snap.now) <= FRESH_FOR and not again:
                continue
            try:
                look_up(self.ledger, self.directory, each, deadline)
            except (TemporaryFailure, PermanentFailure):
                return

    def once(self, op: str, what: str, by: str, attempt: Callable[[], T]) -> T | str:
        """Return what ``attempt`` returns, tried again if it lost to somebody else. A refusal is recorded in
        the audit, and raised; but if this op had been done before, return or raise its first answer."""
        try:
            return retry_conflicts(attempt)
        except Refused as refused:
            about = {"why": refused.reason.why.value, **refused.reason.facts}
            entry = Entry(what=f"{what} refused", by=by, facts=about)
            answer = refusal_answer(refused.reason)
            change = Change(op=op, answer=answer, audit=(entry,))
            receipt = self.ledger.commit(with_contest(change, refused.reason, self.ledger.read(()).now))
            if receipt.again:
                return earlier_answer(receipt)
            raise

    def commit_once(self, op: str, what: str, by: str, alert: str, decision: Callable[[], Change]) -> None:
        """Commit what somebody decides by a button of an alert, decided again if somebody else was faster.
        Raises Refused, as ``once`` does; an op that was done before is not done again."""

        def attempt() -> None:
            receipt = self.ledger.commit(replace(decision(), op=op, answer=alert))
            if receipt.again:
                earlier_answer(receipt)

        self.once(op, what, by, attempt)

    def _follow(self, force: PolicyInForce) -> None:
        with self._loading:
            before = self._followed
            snap = self.ledger.read({Key.of(PolicyText, force.version), DOUBT})
            if before and before.still(force, snap):
                return
            text = snap.find(PolicyText, force.version)
            catalog = self._load(force, text)
            if catalog.closed:
                report_doubt(self.ledger, force, catalog.closed, catalog.security_channel, self.new_id)
            else:
                if before and before.catalog.closed:
                    clear_doubt(self.ledger)
                with suppress(TemporaryFailure):  # a full Redis keeps nobody from revoking
                    self._compare_addresses(force, catalog)
            self._followed = Followed(force=force, text=text, catalog=catalog)

    def _compare_addresses(self, force: PolicyInForce, catalog: Catalog) -> None:
        """Commit where targets are if nobody knew, and report those that others reach elsewhere."""
        record_addresses(self.ledger, force, catalog)
        for name in targets_elsewhere(force, catalog):
            variables = ", ".join(catalog.located.variables[name])
            reason = because(Why.TARGET_ELSEWHERE, target=name, variables=variables)
            about = f"target {name} at {catalog.located.reached[name]}"
            if (force.version, about) not in self._reported:
                report_difference(self.ledger, about, reason, catalog.security_channel, self.new_id)
                self._reported.add((force.version, about))


# -------------------------------------------------------------------------------------------- facts


def base_of(which: str) -> str:
    """Return the id of the grant; an extension has that id with a dash and a number."""
    return which.partition("-")[0]


def fact_keys(resource: Resource, *people: str) -> set[Key]:
    """Return the keys of the documents that a decision about the resource and these people rests on."""
    keys = {Key.of(Person, each) for each in people}
    keys |= {Key.of(Roster, each) for each in resource.schedules()}
    keys |= {Key.of(Group, each) for each in resource.groups()}
    keys |= {Key.of(Account, f"{each}/{gives.target}") for each in people for gives in resource.gives}
    keys |= stop_keys(resource.name, *people)
    if resource.one_holder:
        keys |= seat_keys(resource)
    return keys


def stop_keys(resource: str, *people: str) -> set[Key]:
    """Return the keys of the documents that may stop rules, or anybody, from giving the resource to these
    people."""
    bans = {Key.of(Ban, each) for each in people}
    return {FREEZE} | bans | {Key.of(Block, block_name(resource, each)) for each in people}


def security_keys(catalog: Catalog) -> set[Key]:
    """Return the keys of the documents that say who the security people are."""
    who = catalog.security.people
    groups = {Key.of(Group, each) for each in groups_in(who)}
    return groups | {Key.of(Roster, each) for each in schedules_in(who)}


def decider_keys(resource: Resource, catalog: Catalog) -> set[Key]:
    """Return the keys of the documents that say who decides if only security people can: those of a resource
    without approvers."""
    return set() if resource.approvers else security_keys(catalog)


def grant_keys(catalog: Catalog, grant: Grant, *people: str) -> set[Key]:
    """Return the keys of the grant, of the one it prolongs, and of what a decision about its resource and
    these people rests on."""
    keys = {Key.of(Grant, each) for each in (grant.id, grant.follows) if each}
    resource = catalog.resources.get(grant.resource)
    if resource is None:
        return keys
    about = {Key.of(Block, block_name(resource.name, grant.person))}
    return keys | about | fact_keys(resource, *people) | decider_keys(resource, catalog)


def facts_of(snap: Snapshot, resource: Resource | None = None) -> Facts:
    """Return the facts in a snapshot. People who were read too long ago are left out: they count as
    unknown."""
    home = snap.find(Home)
    seats = snap.seats.get(resource.name) if resource else None
    return Facts(
        now=snap.now,
        home=home.team if home else None,
        people={p.id: p for p in snap.all(Person) if p.age(snap.now) <= KNOWN_FOR},
        groups={group.name: group for group in snap.all(Group)},
        rosters={roster.schedule: roster for roster in snap.all(Roster)},
        holders=seats.holders if seats else (),
        blocks=_stops(snap, Block, unreadable_block(snap.now)),
        bans=_stops(snap, Ban, Ban(by=None, reason="", at=snap.now)),
        frozen=_stops(snap, Freeze, Freeze(by=None, reason="", at=snap.now)).get(""),
    )


def _stops(snap: Snapshot, shape: type[D], unreadable: D) -> dict[str, D]:
    """Return the documents of this shape by their ids. One that cannot be read stops what it stopped."""
    there = (key.id for key, version in snap.versions.items() if version and key.kind == shape.kind)
    return {each: snap.find(shape, each) or unreadable for each in there}


def with_approvers(ledger: Ledger, resource: Resource, facts: Facts) -> Facts:
    """Return the facts with the people who may come to approve, as they were described within the last day;
    if there are very many, with only some. A decision counts them, but does not rest on them: each click is
    judged again."""
    unread = [each for each in possible_approvers(resource, facts) if each not in facts.people]
    snap = ledger.read(Key.of(Person, each) for each in unread[:MOST_COUNTED])
    known = {found.id: found for found in snap.all(Person) if found.age(snap.now) <= KNOWN_FOR}
    return replace(facts, people={**known, **facts.people})


def standing(snap: Snapshot, catalog: Catalog | None, grant: Grant) -> Standing:
    resource = catalog.resources.get(grant.resource) if catalog else None
    live = snap.live(grant)
    until: datetime | None = snap.leases.get(grant.id) if live else grant.until
    title = resource.title if resource else grant.resource
    return Standing(
        grant=grant,
        title=title,
        live=live,
        until=until,
        extension=grant.extension,
        extendable=bool(resource and (resource.approvers or resource.approve_automatically)),
    )


def standing_after(change: Change, grant: Grant, basis: Basis) -> Standing:
    """Return a grant as it stands once the change is written."""
    catalog, snap = basis
    lease = next((each for each in change.leases if each.grant == grant.id), None)
    if lease is None:
        return standing(snap, catalog, grant)
    live = lease.how != LeaseMove.DROP
    return replace(standing(snap, catalog, grant), live=live, until=lease.until if live else grant.until)


def commit_standing(context: Context, change: Change, grant: Grant, basis: Basis) -> Standing:
    """Commit a change with its op, and return ``grant`` as it stands after that. If the op had been done
    before, return or raise its first answer."""
    receipt = context.ledger.commit(change)
    if receipt.again:
        return read_standing(context, earlier_answer(receipt))
    return standing_after(change, grant, basis)


def read_standing(context: Context, grant: str) -> Standing:
    """Return a grant as it is now that an op on it is done, read again. Raises Unconfirmed if Redis does not
    answer."""
    try:
        catalog, snap = context.read_basis(lambda _: {Key.of(Grant, grant)})
    except TemporaryFailure as failure:
        raise Unconfirmed(str(failure)) from failure
    found = snap.find(Grant, grant)
    if found is None:
        raise refuse(Why.GRANT_UNKNOWN, grant=grant[:40])
    return standing(snap, catalog, found)
