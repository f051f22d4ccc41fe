"""May this person have this, by which rule, and until when: a decision with its trace."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from bot.core.catalog import Catalog, Everyone, InGroup, Lengths, Named, OnCall, Resource, Selector
from bot.core.grants import Grant, Origin, Traced
from bot.core.people import GROUP_KNOWN_FOR, Group, Person, objection
from bot.core.reasons import Reason, Why, because
from bot.core.shifts import Roster, Shift, last_ended, on_call

REASON_AT_MOST = 500


class Outcome(StrEnum):
    REFUSE = "refuse"
    APPROVE = "approve"
    ASK = "ask"
    NEED_FACTS = "need facts"


YES, NO, CANNOT_TELL = "yes", "no", "cannot tell"


@dataclass(frozen=True, kw_only=True)
class Ask:
    """``length`` in seconds; None: until the shift ends."""

    person: str
    resource: Resource
    length: int | None
    reason: str
    any_reason: bool = False
    """Only trying: the reason is not judged."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was known when it was decided. ``home`` is the bot's own team. ``holder`` and ``holder_until``
    tell who has a resource that only one may hold."""

    now: datetime
    home: str | None
    people: Mapping[str, Person] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    rosters: Mapping[str, Roster] = field(default_factory=dict)
    holder: str | None = None
    holder_until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """``until`` is set where the outcome is approve, and ``cap`` is the end of the shift it rests on.
    ``length``: seconds that approvers are asked for."""

    outcome: Outcome
    reason: Reason
    rule: str = ""
    until: datetime | None = None
    cap: datetime | None = None
    length: int | None = None
    depends_on: OnCall | None = None
    trace: tuple[Traced, ...] = ()


def decide(ask: Ask, catalog: Catalog, facts: Facts) -> Decision:
    """Refusals first, then the automatic rules in their order, then the approvers."""
    if facts.home is None or ask.person not in facts.people:
        why = Why.WORKSPACE_UNKNOWN if facts.home is None else Why.PERSON_UNKNOWN
        return Decision(outcome=Outcome.NEED_FACTS, reason=because(why), length=ask.length)
    refusal = refusal_of(ask, catalog, facts)
    if refusal:
        return Decision(outcome=Outcome.REFUSE, reason=refusal)
    trace: list[Traced] = []
    for rule in ask.resource.approve_automatically:
        line = belongs(ask.person, rule, catalog, facts)
        trace.append(line)
        if line.outcome == YES:
            return _approved(ask, rule, line, facts, tuple(trace))
    return ask_people(ask, facts, tuple(trace))


def _approved(ask: Ask, rule: Selector, line: Traced, facts: Facts, trace: tuple[Traced, ...]) -> Decision:
    longest = facts.now + timedelta(seconds=ask.resource.lengths.max)
    until = longest if ask.length is None else facts.now + timedelta(seconds=ask.length)
    depends = rule if isinstance(rule, OnCall) else None
    shift = _current(ask.person, depends, facts) if depends else None
    cap = _end_of(shift, depends) if depends and shift else None
    return Decision(
        outcome=Outcome.APPROVE,
        reason=line.reason,
        rule=line.rule,
        until=min(until, longest, cap or longest),
        cap=cap,
        depends_on=depends,
        trace=trace,
    )


def ask_people(ask: Ask, facts: Facts, trace: tuple[Traced, ...] = ()) -> Decision:
    """The decision where no rule says yes by itself: the approvers', if there are any."""
    length = ask.length if ask.length is not None else _seconds_of_shift(ask, facts)
    unsure = next((line.reason for line in trace if line.outcome == CANNOT_TELL), None)
    if not ask.resource.approvers:
        reason = unsure or (trace[-1].reason if trace else because(Why.MAY_NOT_ASK))
        return Decision(outcome=Outcome.REFUSE, reason=reason, trace=trace)
    return Decision(
        outcome=Outcome.ASK,
        reason=unsure or because(Why.APPROVERS_ASKED),
        rule="approvers",
        length=min(length or ask.resource.lengths.default, ask.resource.lengths.max),
        trace=trace,
    )


def refusal_of(ask: Ask, catalog: Catalog, facts: Facts) -> Reason | None:
    """Why this may not even be asked: the person, their right to ask, the length, the reason, the seat."""
    person = facts.people.get(ask.person)
    return (
        objection(person, home=facts.home, domains=catalog.people.email_domains)
        or may_not_ask(ask.person, ask.resource, catalog, facts)
        or _length_objection(ask, facts)
        or _reason_objection(ask)
        or seat_objection(ask.person, ask.resource, facts)
    )


def may_not_ask(person: str, resource: Resource, catalog: Catalog, facts: Facts) -> Reason | None:
    lines = [belongs(person, who, catalog, facts) for who in resource.who_may_ask]
    if any(line.outcome == YES for line in lines):
        return None
    unsure = next((line.reason for line in lines if line.outcome == CANNOT_TELL), None)
    return unsure or because(Why.MAY_NOT_ASK, resource=resource.name)


def _length_objection(ask: Ask, facts: Facts) -> Reason | None:
    lengths = ask.resource.lengths
    allowed = {"min_s": lengths.min, "max_s": lengths.max}
    if ask.length is None:
        known = _known_shift(ask, facts)
        return None if known else because(Why.NO_SHIFT_TO_END, resource=ask.resource.name, **allowed)
    if ask.length > lengths.max:
        return because(Why.DURATION_TOO_LONG, asked_s=ask.length, **allowed)
    if ask.length < lengths.min:
        return because(Why.DURATION_TOO_SHORT, asked_s=ask.length, **allowed)
    return None


def _reason_objection(ask: Ask) -> Reason | None:
    if ask.any_reason:
        return None
    rule, reason = ask.resource.reason, ask.reason.strip()
    if len(reason) > REASON_AT_MOST:
        return because(Why.REASON_TOO_LONG, most=REASON_AT_MOST)
    if not reason:
        return because(Why.REASON_MISSING, resource=ask.resource.name) if rule.required else None
    if rule.pattern and not re.search(rule.pattern, reason):
        return because(Why.REASON_PATTERN, wanted=rule.say or rule.pattern)
    return None


def seat_objection(person: str, resource: Resource, facts: Facts) -> Reason | None:
    """Only one may hold it and somebody else does."""
    if not resource.one_holder or facts.holder in (None, person):
        return None
    until = {"until_at": int(facts.holder_until.timestamp())} if facts.holder_until else {}
    return because(Why.HELD_BY_OTHER, by_person=str(facts.holder), resource=resource.name, **until)


# ------------------------------------------------------------------------------------------- members


def belongs(person: str, who: Selector, catalog: Catalog, facts: Facts) -> Traced:
    """Whether a person is one of those meant, and why; facts missing or too old: cannot tell."""
    match who:
        case Everyone():
            return Traced(rule="everyone", outcome=YES, reason=because(Why.EVERYONE))
        case Named():
            same = who.person == person
            reason = because(Why.NAMED if same else Why.NOT_NAMED)
            return Traced(rule=f"person {who.person}", outcome=YES if same else NO, reason=reason)
        case InGroup():
            return _in_group(person, who, facts)
        case OnCall():
            return _on_call(person, who, catalog, facts)


def _in_group(person: str, who: InGroup, facts: Facts) -> Traced:
    rule = f"in_group {who.group}"
    group = facts.groups.get(who.group)
    if group is None:
        return Traced(rule=rule, outcome=CANNOT_TELL, reason=because(Why.GROUP_MISSING, group=who.group))
    age = facts.now - group.read_at
    if age > GROUP_KNOWN_FOR:
        reason = because(Why.GROUP_STALE, group=who.group, age_s=int(age.total_seconds()))
        return Traced(rule=rule, outcome=CANNOT_TELL, reason=reason)
    if person in group.members:
        return Traced(rule=rule, outcome=YES, reason=because(Why.IN_GROUP, group=who.group))
    return Traced(rule=rule, outcome=NO, reason=because(Why.NOT_IN_GROUP, group=who.group))


def _on_call(person: str, who: OnCall, catalog: Catalog, facts: Facts) -> Traced:
    rule = rule_name(who)
    about: dict[str, str | int] = {"schedule": who.schedule}
    roster = facts.rosters.get(who.schedule)
    if roster is None:
        return Traced(rule=rule, outcome=CANNOT_TELL, reason=because(Why.ROSTER_MISSING, **about))
    age = int(roster.age(facts.now).total_seconds())
    about["age_s"] = age
    if age > catalog.source(who.schedule).stale_after:
        return Traced(rule=rule, outcome=CANNOT_TELL, reason=because(Why.ROSTER_STALE, **about))
    if roster.doubted:
        return Traced(rule=rule, outcome=CANNOT_TELL, reason=because(Why.ROSTER_DOUBTED, **about))
    shift = _current(person, who, facts)
    if shift is None or not _same_email(facts.people.get(person), shift):
        return Traced(rule=rule, outcome=NO, reason=because(Why.NOT_ON_CALL, **about))
    if shift.end:
        about["until_at"] = int(shift.end.timestamp())
    return Traced(rule=rule, outcome=YES, reason=because(Why.ON_CALL, **about))


def facts_age(schedule: str, facts: Facts) -> float:
    """How old what we know of a schedule is, in seconds; endless where we know nothing."""
    roster = facts.rosters.get(schedule)
    return roster.age(facts.now).total_seconds() if roster else float("inf")


def rule_name(who: OnCall) -> str:
    levels = f" level {', '.join(map(str, who.levels))}" if who.levels else ""
    return f"on_call {who.schedule}{levels}"


def _same_email(person: Person | None, shift: Shift) -> bool:
    return person is not None and person.email == shift.email


def _current(person: str, who: OnCall, facts: Facts) -> Shift | None:
    roster = facts.rosters.get(who.schedule)
    covering = on_call(roster, who.levels, facts.now) if roster else ()
    return next((shift for shift in covering if shift.person == person), None)


def _end_of(shift: Shift, who: OnCall) -> datetime | None:
    return shift.end + timedelta(seconds=who.grace) if shift.end else None


def _known_shift(ask: Ask, facts: Facts) -> Shift | None:
    rules = [rule for rule in ask.resource.approve_automatically if isinstance(rule, OnCall)]
    shifts = (_current(ask.person, rule, facts) for rule in rules)
    return next((shift for shift in shifts if shift), None)


def _seconds_of_shift(ask: Ask, facts: Facts) -> int | None:
    shift = _known_shift(ask, facts)
    if shift is None or shift.end is None:
        return None
    return max(int((shift.end - facts.now).total_seconds()), 1)


def names_of(who: Iterable[Selector], facts: Facts) -> tuple[str, ...]:
    """The Slack user ids meant by the selectors, as far as the facts tell, in a stable order."""
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


# ------------------------------------------------------------------------------------------ approving


def vote_objection(
    voter: str, grant: Grant, resource: Resource, catalog: Catalog, facts: Facts
) -> Reason | None:
    """Why this person's approval or denial of the grant does not count."""
    if voter == grant.person:
        return because(Why.OWN_REQUEST)
    return approver_objection(voter, resource, catalog, facts)


def approver_objection(person: str, resource: Resource, catalog: Catalog, facts: Facts) -> Reason | None:
    objected = objection(facts.people.get(person), home=facts.home, domains=catalog.people.email_domains)
    if objected:
        return objected
    lines = [belongs(person, who, catalog, facts) for who in resource.approvers]
    if any(line.outcome == YES for line in lines):
        return None
    unsure = next((line.reason for line in lines if line.outcome == CANNOT_TELL), None)
    return unsure or because(Why.NOT_AN_APPROVER, resource=resource.name)


def requester_objection(grant: Grant, resource: Resource, catalog: Catalog, facts: Facts) -> Reason | None:
    """Why the one who asked may not have it any more, by today's policy and facts."""
    ask = Ask(person=grant.person, resource=resource, length=grant.length, reason=grant.reason)
    return refusal_of(ask, catalog, facts)


# ---------------------------------------------------------------------------------- while it is held


def rightful_end(grant: Grant, catalog: Catalog, facts: Facts) -> tuple[datetime, Reason] | None:
    """The end that today's facts allow a live grant, where they say anything: None changes nothing.

    What was asked for may only shrink; a shift's own grant moves with the shift. Facts that are
    missing change nothing, so access ends at the last known end.
    """
    person = facts.people.get(grant.person)
    if person is not None:
        against = objection(person, home=facts.home, domains=catalog.people.email_domains)
        if against and against.why is not Why.WORKSPACE_UNKNOWN:
            return facts.now, against
    rule = grant.depends_on
    if rule is None or rule.schedule not in facts.rosters or grant.until is None:
        return None
    end = _end_by_shift(grant, rule, catalog, facts)
    if grant.origin is Origin.SHIFT:
        return (end, because(Why.SHIFT_OVER)) if end != grant.until else None
    return (end, because(Why.SHIFT_OVER)) if end < grant.until else None


def _end_by_shift(grant: Grant, rule: OnCall, catalog: Catalog, facts: Facts) -> datetime:
    shift = _current(grant.person, rule, facts)
    if shift is not None:
        return _end_of(shift, rule) or _unending(grant, catalog, facts)
    last = last_ended(facts.rosters[rule.schedule], rule.levels, grant.person, facts.now)
    end = _end_of(last, rule) if last else None
    return max(end, facts.now) if end else facts.now


def _unending(grant: Grant, catalog: Catalog, facts: Facts) -> datetime:
    """A shift without an end is followed by the resource's longest length at a time."""
    resource = catalog.resources.get(grant.resource)
    if grant.origin is Origin.ASKED or resource is None:
        return grant.until or facts.now
    return facts.now + timedelta(seconds=resource.lengths.max)


def extended_end(end: datetime, by: int, lengths: Lengths, now: datetime) -> datetime:
    """The end after an extension: later by so many seconds, never beyond the longest length from now."""
    return min(end + timedelta(seconds=by), now + timedelta(seconds=lengths.max))
