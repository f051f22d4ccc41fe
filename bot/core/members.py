"""The people that a selector means, as far as the facts tell: everyone, a person, a group, who is on call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.core.ages import UNKNOWN_AGE
from bot.core.blocks import Ban, Block, Freeze, block_name
from bot.core.catalog import Catalog, Everyone, InGroup, Named, OnCall, Selector, shift_rules
from bot.core.grants import Traced
from bot.core.people import GROUP_KNOWN_FOR, KNOWN_FOR, Group, Person
from bot.core.reasons import Reason, Why, because
from bot.core.shifts import Roster, Shift, on_call

YES, NO, CANNOT_TELL = "yes", "no", "cannot tell"


@dataclass(frozen=True, kw_only=True)
class SeatHolder:
    """An account that holds something that only one person may hold at a time. ``person`` is the owner of the
    grant; None if that cannot be read, or must not be revealed. ``until`` is the end of the lease; None if
    there is no lease any more, or no end. ``users`` are those of the people decided about who use this
    account: nobody is kept from a seat by their own account."""

    person: str | None
    until: datetime | None = None
    users: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The facts that a decision was made on.

    ``home`` is the bot's own team. ``holders`` have what the resource gives, if only one person may; the one
    who has had it longest comes first. ``blocks`` are by resource and person (``block_name``), ``bans`` by
    person. ``known_for``: memberships and rosters read within this time count; None: only those that are
    fresh enough to grant by.
    """

    now: datetime
    home: str | None
    people: Mapping[str, Person] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    rosters: Mapping[str, Roster] = field(default_factory=dict)
    holders: tuple[SeatHolder, ...] = ()
    blocks: Mapping[str, Block] = field(default_factory=dict)
    bans: Mapping[str, Ban] = field(default_factory=dict)
    frozen: Freeze | None = None
    known_for: timedelta | None = None

    def block(self, resource: str, person: str) -> Block | None:
        """Return the block that stands now, if there is one."""
        found = self.blocks.get(block_name(resource, person))
        return found if found and self.now < found.until else None


def for_revoking(facts: Facts) -> Facts:
    """Return the facts as they count for ending access: what was read within a day is good enough."""
    return replace(facts, known_for=KNOWN_FOR)


def belongs(person: str, who: Selector, catalog: Catalog, facts: Facts) -> Traced:
    """Return whether the selector means this person, and why. If facts are missing or too old, it cannot
    tell."""
    match who:
        case Everyone():
            return Traced(rule="everyone", outcome=YES, reason=because(Why.EVERYONE))
        case Named():
            same = who.person == person
            reason = because(Why.NAMED if same else Why.NOT_NAMED)
            return Traced(rule=f"person {who.person}", outcome=YES if same else NO, reason=reason)
        case InGroup():
            outcome, reason = _by_group(person, who, facts)
            return Traced(rule=f"in_group {who.group}", outcome=outcome, reason=reason)
        case OnCall():
            outcome, reason = _by_roster(person, who, catalog, facts)
            return Traced(rule=rule_name(who), outcome=outcome, reason=reason)


def names_of(who: Iterable[Selector], facts: Facts) -> tuple[str, ...]:
    """Return the Slack user ids that the selectors mean, as far as the facts tell, in a stable order."""
    found: dict[str, None] = {}
    for each in who:
        match each:
            case Named():
                found[each.person] = None
            case InGroup():
                group = facts.groups.get(each.group)
                found.update(dict.fromkeys(group.members if group else ()))
            case OnCall():
                roster = facts.rosters.get(each.schedule)
                shifts = on_call(roster, each.levels, facts.now) if roster else ()
                found.update({shift.person: None for shift in shifts if shift.person})
            case Everyone():
                pass
    return tuple(found)


def unread(who: Selector, facts: Facts) -> Reason | None:
    """Return what has to be read before anything can be said about a selector; None if it was read once."""
    if isinstance(who, InGroup) and who.group not in facts.groups:
        return because(Why.GROUP_MISSING, group=who.group)
    if isinstance(who, OnCall) and who.schedule not in facts.rosters:
        return because(Why.ROSTER_MISSING, schedule=who.schedule)
    return None


def rule_name(who: OnCall) -> str:
    levels = f" level {', '.join(map(str, who.levels))}" if who.levels else ""
    return f"on_call {who.schedule}{levels}"


def current_shift(person: str, who: OnCall, facts: Facts) -> Shift | None:
    """Return the person's shift at this moment by the roster as last believed, however old that is."""
    roster = facts.rosters.get(who.schedule)
    covering = on_call(roster, who.levels, facts.now) if roster else ()
    return next((shift for shift in covering if shift.person == person), None)


def first_shift(person: str, rules: Iterable[Selector | None], facts: Facts) -> tuple[OnCall, Shift] | None:
    """Return the first rule by which the person has a shift at this moment, and that shift; see
    ``current_shift``."""
    for rule in shift_rules(rules):
        if shift := current_shift(person, rule, facts):
            return rule, shift
    return None


def end_of(shift: Shift, who: OnCall) -> datetime | None:
    """Return the end of access by this shift; None if no end is known."""
    return shift.end + timedelta(seconds=who.grace) if shift.end else None


def facts_age(schedule: str, facts: Facts) -> float:
    """Return the age in seconds of what we know of a schedule; infinite if we know nothing."""
    roster = facts.rosters.get(schedule)
    return roster.age(facts.now).total_seconds() if roster else float("inf")


def _by_group(person: str, who: InGroup, facts: Facts) -> tuple[str, Reason]:
    group = facts.groups.get(who.group)
    if group is None:
        return CANNOT_TELL, because(Why.GROUP_MISSING, group=who.group)
    if group.doubted:
        return CANNOT_TELL, because(Why.GROUP_MOVED, group=who.group)
    age = group.age(facts.now)
    if age > (facts.known_for or GROUP_KNOWN_FOR):
        return CANNOT_TELL, because(Why.GROUP_STALE, group=who.group, **_in_seconds(age))
    if person in group.members:
        return YES, because(Why.IN_GROUP, group=who.group)
    return NO, because(Why.NOT_IN_GROUP, group=who.group)


def _by_roster(person: str, who: OnCall, catalog: Catalog, facts: Facts) -> tuple[str, Reason]:
    about: dict[str, str | int] = {"schedule": who.schedule}
    roster = facts.rosters.get(who.schedule)
    if roster is None:
        return CANNOT_TELL, because(Why.ROSTER_MISSING, **about)
    age = roster.age(facts.now)
    about |= _in_seconds(age)
    if age > (facts.known_for or timedelta(seconds=catalog.source(who.schedule).stale_after)):
        return CANNOT_TELL, because(Why.ROSTER_STALE, **about)
    if roster.doubted and facts.known_for is None:
        return CANNOT_TELL, because(Why.ROSTER_DOUBTED, **about)
    shift, known = current_shift(person, who, facts), facts.people.get(person)
    if shift is None or known is None or known.email != shift.email:
        return NO, because(Why.NOT_ON_CALL, **about)
    if shift.end:
        about["until_at"] = int(shift.end.timestamp())
    return YES, because(Why.ON_CALL, **about)


def _in_seconds(age: timedelta) -> dict[str, int]:
    return {} if age == UNKNOWN_AGE else {"age_s": int(age.total_seconds())}
