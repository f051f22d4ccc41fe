"""May this person have this, by which rule, and until when: a decision with its trace."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.core.approvers import lack_of_approvers
from bot.core.catalog import AutomaticRule, Catalog, OnCall, Resource
from bot.core.grants import Grant, Traced
from bot.core.members import CANNOT_TELL, YES, Facts, belongs, current_shift, end_of, names_of, unread
from bot.core.people import objection
from bot.core.reasons import Reason, Why, because
from bot.core.shifts import Shift

REASON_AT_MOST = 500


class Outcome(StrEnum):
    REFUSE = "refuse"
    APPROVE = "approve"
    ASK = "ask"
    NEED_FACTS = "need facts"


@dataclass(frozen=True, kw_only=True)
class Ask:
    """``length`` in seconds; None: until the shift ends."""

    person: str
    resource: Resource
    length: int | None
    reason: str
    any_reason: bool = False
    """Only trying, or only prolonging: the reason is not judged."""


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
    depends_on: AutomaticRule | None = None
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
            return _approved(ask, rule, facts, tuple(trace))
    return ask_people(ask, catalog, facts, tuple(trace))


def _approved(ask: Ask, rule: AutomaticRule, facts: Facts, trace: tuple[Traced, ...]) -> Decision:
    """The rule is the last in ``trace``. Access by a shift ends with its grace, at the latest."""
    line = trace[-1]
    longest = facts.now + timedelta(seconds=ask.resource.lengths.max)
    shift = current_shift(ask.person, rule, facts) if isinstance(rule, OnCall) else None
    cap = end_of(shift, rule) if shift and isinstance(rule, OnCall) else None
    if ask.length is not None:
        wanted: datetime | None = facts.now + timedelta(seconds=ask.length)
    else:
        wanted = cap or _end_of_known_shift(ask, facts)
    return Decision(
        outcome=Outcome.APPROVE,
        reason=line.reason,
        rule=line.rule,
        until=min(wanted or longest, longest, cap or longest),
        cap=cap,
        depends_on=rule,
        trace=trace,
    )


def ask_people(ask: Ask, catalog: Catalog, facts: Facts, trace: tuple[Traced, ...] = ()) -> Decision:
    """The decision where no rule says yes by itself: the approvers', if there are any."""
    unsure = next((line.reason for line in trace if line.outcome == CANNOT_TELL), None)
    if not ask.resource.approvers:
        last = trace[-1].reason if trace else because(Why.MAY_NOT_ASK, resource=ask.resource.name)
        return Decision(outcome=Outcome.REFUSE, reason=unsure or last, trace=trace)
    unknown = _unknown_approvers(ask, facts)
    if unknown:
        return Decision(outcome=Outcome.NEED_FACTS, reason=unknown, length=ask.length, trace=trace)
    lack = lack_of_approvers(ask.person, ask.resource, catalog, facts, approver_objection)
    if lack:
        return Decision(outcome=Outcome.REFUSE, reason=lack, trace=trace)
    return Decision(
        outcome=Outcome.ASK,
        reason=unsure or because(Why.APPROVERS_ASKED),
        rule="approvers",
        length=ask.length if ask.length is not None else _seconds_of_shift(ask, facts),
        trace=trace,
    )


def _unknown_approvers(ask: Ask, facts: Facts) -> Reason | None:
    """Why nobody can be asked yet, where there is no channel to ask in and no approver is known."""
    resource = ask.resource
    if resource.channel or set(names_of(resource.approvers, facts)) - {ask.person}:
        return None
    lines = (unread(who, facts) for who in resource.approvers)
    return next((reason for reason in lines if reason), None)


def refusal_of(ask: Ask, catalog: Catalog, facts: Facts) -> Reason | None:
    """Why this may not even be asked: the policy, the person, their right to ask, the length, the reason, the
    seat."""
    person = facts.people.get(ask.person)
    return (
        closed_objection(catalog)
        or objection(person, home=facts.home, domains=catalog.people.email_domains)
        or may_not_ask(ask.person, ask.resource, catalog, facts)
        or _length_objection(ask, facts)
        or _reason_objection(ask)
        or seat_objection(ask.person, ask.resource, facts)
    )


def closed_objection(catalog: Catalog) -> Reason | None:
    """Return why nothing at all is granted, or None if the policy in force can be followed."""
    return because(Why.POLICY_CLOSED) if catalog.closed else None


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
        if _known_shift(ask, facts):
            return None
        return because(Why.NO_SHIFT_TO_END, resource=ask.resource.name, **allowed)
    if ask.length > lengths.max:
        return because(Why.DURATION_TOO_LONG, asked_s=ask.length, **allowed)
    if ask.length < lengths.min:
        return because(Why.DURATION_TOO_SHORT, asked_s=ask.length, **allowed)
    return None


def _known_shift(ask: Ask, facts: Facts) -> Shift | None:
    """The shift that an ask *until the end of the shift* means, however old what we know of it is."""
    resource = ask.resource
    every = (*resource.approve_automatically, resource.on_shift)
    shifts = (current_shift(ask.person, rule, facts) for rule in every if isinstance(rule, OnCall))
    return next((shift for shift in shifts if shift), None)


def _end_of_known_shift(ask: Ask, facts: Facts) -> datetime | None:
    shift = _known_shift(ask, facts)
    return shift.end if shift else None


def _seconds_of_shift(ask: Ask, facts: Facts) -> int:
    """Whole seconds upward, and the longest length where no end is known."""
    end, longest = _end_of_known_shift(ask, facts), ask.resource.lengths.max
    return min(math.ceil((end - facts.now).total_seconds()), longest) if end else longest


def _reason_objection(ask: Ask) -> Reason | None:
    if ask.any_reason:
        return None
    rule, reason = ask.resource.reason, ask.reason.strip()
    if len(reason) > REASON_AT_MOST:
        return because(Why.REASON_TOO_LONG, most=REASON_AT_MOST)
    if not any(letter.isprintable() and letter != " " for letter in reason):
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
    """Why the one who asked may not have it any more, by today's policy and facts. What only prolongs
    has its reason from before."""
    ask = Ask(
        person=grant.person,
        resource=resource,
        length=grant.length,
        reason=grant.reason,
        any_reason=grant.follows is not None,
    )
    return refusal_of(ask, catalog, facts)
