"""The policy as a function: may this person have this, by which rule, and until when, with its trace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.core.approvers import lack_of_approvers
from bot.core.blocks import ban_reason, block_reason, freeze_reason
from bot.core.catalog import AutomaticRule, Catalog, OnCall, Resource, Selector
from bot.core.grants import Cause, Extension, Grant, Ground, Traced
from bot.core.members import CANNOT_TELL, NO, YES, Facts, belongs, end_of, first_shift, names_of, unread
from bot.core.people import objection, same_human
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
    """A request as the policy sees it. ``length`` is in seconds from ``starts_at`` (None: from now); None:
    until the shift ends. ``until`` is an end that takes the place of the length, as an extension has it."""

    person: str
    resource: Resource
    length: int | None
    reason: str
    starts_at: datetime | None = None
    until: datetime | None = None
    any_reason: bool = False
    """A trial, or only an extension: the reason is not judged."""
    reason_fits: bool | None = None
    """True if the resource's pattern is found in the reason; None: that cannot be known."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The outcome, and ``ground``, what the grant would stand on if the outcome is approve."""

    outcome: Outcome
    reason: Reason
    rule: str = ""
    ground: Ground | None = None
    trace: tuple[Traced, ...] = ()


def decide(ask: Ask, catalog: Catalog, facts: Facts) -> Decision:
    """Decide a request: refusals first, then the automatic rules in their order, then the approvers."""
    if facts.home is None or ask.person not in facts.people:
        why = Why.WORKSPACE_UNKNOWN if facts.home is None else Why.PERSON_UNKNOWN
        return Decision(outcome=Outcome.NEED_FACTS, reason=because(why))
    refusal = refusal_of(ask, catalog, facts)
    if refusal:
        return Decision(outcome=Outcome.REFUSE, reason=refusal)
    unchecked = reason_unchecked(ask)
    if unchecked:
        return Decision(outcome=Outcome.NEED_FACTS, reason=unchecked)
    trace: list[Traced] = []
    against = automatic_objection(ask.person, ask.resource, facts)
    if against and facts.block(ask.resource.name, ask.person) and not ask.resource.approve_automatically:
        trace.append(Traced(rule="block", outcome=NO, reason=against))
    for rule in ask.resource.approve_automatically:
        line = belongs(ask.person, rule, catalog, facts)
        if against:
            line = replace(line, outcome=NO, reason=against)
        trace.append(line)
        if line.outcome == YES:
            return _approval(ask, rule, facts, tuple(trace))
    return ask_people(ask, catalog, facts, tuple(trace))


def _approval(ask: Ask, rule: AutomaticRule, facts: Facts, trace: tuple[Traced, ...]) -> Decision:
    """Return the approval by a rule, which is the last in ``trace``. Access by a shift ends with its grace,
    at the latest."""
    line = trace[-1]
    found = first_shift(ask.person, (rule,), facts)
    last = end_of(found[1], found[0]) if found else None
    ground = _ground(ask, Cause.RULE, facts, rule=line.rule, lives_by=rule, last=last)
    if ground.ends_with and found:
        ground = replace(ground, ends_with=found[0])
    return Decision(outcome=Outcome.APPROVE, reason=line.reason, rule=line.rule, ground=ground, trace=trace)


def approval_ground(ask: Ask, by: tuple[str, ...], facts: Facts) -> Ground:
    """Return the ground for an approval by these people."""
    return _ground(ask, Cause.APPROVAL, facts, rule="approvers", approved_by=by)


def _ground(ask: Ask, cause: Cause, facts: Facts, *, last: datetime | None = None, **about: Any) -> Ground:
    """Return the ground with its end.

    ``last`` is the latest end that the rule allows, if it sets one. *Until the shift ends* is an end: it
    follows that of the shift, however long after the request the yes comes.
    """
    start = max(ask.starts_at or facts.now, facts.now)
    cap = start + timedelta(seconds=ask.resource.lengths.max)
    with_shift = ask.length is None and ask.until is None
    shift = known_shift(ask.person, ask.resource, facts) if with_shift else None
    wanted = last if last and with_shift else wanted_end(ask, facts)
    until = min(wanted or cap, cap, last or cap)
    return Ground(
        cause=cause,
        since=facts.now,
        until=until,
        ends_with=replace(shift[0], grace=0) if shift else None,
        cap=cap,
        wanted=wanted if wanted and until < wanted else None,
        **about,
    )


def wanted_end(ask: Ask, facts: Facts) -> datetime | None:
    """Return the end that was requested, before any limit; None: until a shift ends that has no known end."""
    if ask.until is not None:
        return ask.until
    if ask.length is not None:
        return (ask.starts_at or facts.now) + timedelta(seconds=ask.length)
    found = known_shift(ask.person, ask.resource, facts)
    return found[1].end if found else None


def automatic_objection(person: str, resource: Resource, facts: Facts) -> Reason | None:
    """Return why no rule, shift or incident gives this person this resource now, whatever else is true."""
    block = facts.block(resource.name, person)
    return (
        ban_objection(person, facts)
        or (block_reason(block, resource.name, person) if block else None)
        or (freeze_reason(facts.frozen, resource.name) if facts.frozen else None)
    )


def ban_objection(person: str, facts: Facts) -> Reason | None:
    """Return why this person is given nothing, and their votes do not count; None if they are not banned."""
    ban = facts.bans.get(person)
    return ban_reason(ban, person) if ban else None


def approvers_of(
    resource: Resource, catalog: Catalog, facts: Facts, person: str | None
) -> tuple[Selector, ...]:
    """Return the people who decide what ``person`` requests. If a resource has no approvers, security people
    decide while its rules may not give it back to this person."""
    if resource.approvers or person is None or not facts.block(resource.name, person):
        return resource.approvers
    return catalog.security.people


def ask_people(ask: Ask, catalog: Catalog, facts: Facts, trace: tuple[Traced, ...] = ()) -> Decision:
    """Return the decision if no rule says yes: it is left to the approvers, if there are any."""
    unsure = next((line.reason for line in trace if line.outcome == CANNOT_TELL), None)
    approvers = approvers_of(ask.resource, catalog, facts, ask.person)
    block = facts.block(ask.resource.name, ask.person)
    if block and not approvers:
        lately = block_reason(block, ask.resource.name, ask.person)
        reason = replace(lately, why=Why.REVOKED_TILL_THEN)
        return Decision(outcome=Outcome.REFUSE, reason=reason, trace=trace)
    if not approvers:
        last = trace[-1].reason if trace else because(Why.MAY_NOT_ASK, resource=ask.resource.name)
        return Decision(outcome=Outcome.REFUSE, reason=unsure or last, trace=trace)
    nobody_known = not channel_of(ask.resource, catalog) and not {*names_of(approvers, facts)} - {ask.person}
    unknown = next(filter(None, (unread(who, facts) for who in approvers)), None)
    if nobody_known and unknown:
        return Decision(outcome=Outcome.NEED_FACTS, reason=unknown, trace=trace)
    decided_by = replace(ask.resource, approvers=approvers)
    lack = lack_of_approvers(ask.person, decided_by, catalog, facts, approver_objection)
    if lack:
        return Decision(outcome=Outcome.REFUSE, reason=lack, trace=trace)
    return Decision(
        outcome=Outcome.ASK,
        reason=unsure or because(Why.APPROVERS_ASKED),
        rule="approvers",
        trace=trace,
    )


def channel_of(resource: Resource, catalog: Catalog) -> str | None:
    """Return the channel in which its approvers are asked; without approvers, that of the security people."""
    return resource.channel if resource.approvers else catalog.security_channel


def refusal_of(ask: Ask, catalog: Catalog, facts: Facts) -> Reason | None:
    """Return why the request is refused before anybody is asked: the policy, the person, their right to
    request it, the length, the reason or the seat."""
    person = facts.people.get(ask.person)
    return (
        closed_objection(catalog)
        or objection(person, home=facts.home, domains=catalog.people.email_domains)
        or ban_objection(ask.person, facts)
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
    if ask.until is not None:
        return None
    if ask.length is None:
        if known_shift(ask.person, ask.resource, facts):
            return None
        return because(Why.NO_SHIFT_TO_END, resource=ask.resource.name, **allowed)
    if ask.length > lengths.max:
        return because(Why.DURATION_TOO_LONG, asked_s=ask.length, **allowed)
    if ask.length < lengths.min:
        return because(Why.DURATION_TOO_SHORT, asked_s=ask.length, **allowed)
    return None


def known_shift(person: str, resource: Resource, facts: Facts) -> tuple[OnCall, Shift] | None:
    """Return the shift that *until the end of the shift* means, however old what we know of it is, and the
    rule that names it."""
    return first_shift(person, (*resource.approve_automatically, resource.on_shift), facts)


def _reason_objection(ask: Ask) -> Reason | None:
    if ask.any_reason:
        return None
    rule, reason = ask.resource.reason, ask.reason.strip()
    if len(reason) > REASON_AT_MOST:
        return because(Why.REASON_TOO_LONG, most=REASON_AT_MOST)
    if not any(letter.isprintable() and letter != " " for letter in reason):
        return because(Why.REASON_MISSING, resource=ask.resource.name) if rule.required else None
    if rule.pattern and ask.reason_fits is False:
        return because(Why.REASON_PATTERN, wanted=rule.say or rule.pattern)
    return None


def reason_unchecked(ask: Ask) -> Reason | None:
    """Return why it is unknown whether the reason is good; None if that is known."""
    judged = ask.resource.reason.pattern and ask.reason.strip() and not ask.any_reason
    return because(Why.REASON_UNCHECKED) if judged and ask.reason_fits is None else None


def seat_objection(person: str, resource: Resource, facts: Facts) -> Reason | None:
    """Return an objection if only one person may hold it, and another account does."""
    holder = next((each for each in facts.holders if person not in each.users), None)
    if not resource.one_holder or holder is None:
        return None
    about = {"by_person": holder.person} if holder.person else {}
    until = {"until_at": int(holder.until.timestamp())} if holder.until else {}
    return because(Why.HELD_BY_OTHER, resource=resource.name, **about, **until)


# ------------------------------------------------------------------------------------------ approving


def vote_objection(
    voter: str, grant: Grant, resource: Resource, catalog: Catalog, facts: Facts
) -> Reason | None:
    """Return why this person's approval or denial of the grant does not count."""
    if voter == grant.person:
        return because(Why.OWN_REQUEST)
    against = approver_objection(voter, resource, catalog, facts, grant.person)
    if against is None and one_human(voter, grant.person, catalog, facts):
        return because(Why.OWN_REQUEST)
    return against


def one_human(one: str, other: str, catalog: Catalog, facts: Facts) -> bool:
    """Return whether two Slack users are one person, as far as the facts tell."""
    first, second = facts.people.get(one), facts.people.get(other)
    return one == other or bool(first and second and same_human(first, second, catalog))


def approver_objection(
    person: str, resource: Resource, catalog: Catalog, facts: Facts, requester: str | None = None
) -> Reason | None:
    """Return why this person may not decide about the resource, or about what ``requester`` wants of it."""
    return _not_one_of(
        person,
        approvers_of(resource, catalog, facts, requester),
        catalog,
        facts,
        because(Why.NOT_AN_APPROVER, resource=resource.name),
    )


def security_objection(person: str, catalog: Catalog, facts: Facts) -> Reason | None:
    """Return why this person does not count as one of the security people."""
    none_named = because(Why.NOT_SECURITY if catalog.security.people else Why.NO_SECURITY_PEOPLE)
    return _not_one_of(person, catalog.security.people, catalog, facts, none_named)


def _not_one_of(
    person: str, who: Iterable[Selector], catalog: Catalog, facts: Facts, otherwise: Reason
) -> Reason | None:
    objected = objection(facts.people.get(person), home=facts.home, domains=catalog.people.email_domains)
    objected = objected or ban_objection(person, facts)
    if objected:
        return objected
    lines = [belongs(person, each, catalog, facts) for each in who]
    if any(line.outcome == YES for line in lines):
        return None
    return next((line.reason for line in lines if line.outcome == CANNOT_TELL), otherwise)


def requester_objection(ask: Ask, catalog: Catalog, facts: Facts) -> Reason | None:
    """Return why the requester may not have it any more, by today's policy and facts."""
    return refusal_of(ask, catalog, facts) or reason_unchecked(ask)


def question_of(
    grant: Grant, resource: Resource, extension: Extension | None = None, *, reason_fits: bool | None = None
) -> Ask:
    """Return the request that the policy is to judge. For an extension the reason is not judged."""
    return Ask(
        person=grant.person,
        resource=resource,
        length=grant.length if extension is None else None,
        reason=grant.reason,
        any_reason=extension is not None or grant.follows is not None,
        reason_fits=reason_fits,
        starts_at=grant.starts_at if extension is None else None,
        until=extension.until if extension and not extension.ends_with else None,
    )
