"""Commands typed after ``/access``, and the answers that only the typist sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from slack_sdk import WebClient

from bot.core.errors import PermanentFailure, Refused, TemporaryFailure, Unconfirmed, refuse
from bot.core.reasons import Why
from bot.ports.deadline import Deadline
from bot.slack.api.web_api import call
from bot.slack.grammar import verbs
from bot.slack.grammar.verbs import Command, Request
from bot.slack.incoming.actor import Body, insider, person_in
from bot.slack.incoming.afterwards import Afterwards
from bot.slack.views import lists
from bot.slack.views.blocks import Block, section
from bot.slack.views.forms import request_form
from bot.slack.wording import answers as words
from bot.slack.wording.reasons import refusal
from bot.upstream import host_now
from bot.usecases import security
from bot.usecases.context import Context
from bot.usecases.notifications import cards
from bot.usecases.requests import ask, extend, finish, look, votes

OPEN_WITHIN = 1.5
SHOWN_WITHIN = 2.0
DROPPED_AFTER = 3.0
"""Seconds. Slack drops an answer that takes longer."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class SlackContext:
    """The context of a request from Slack. ``client`` opens forms, the only call made to Slack while it waits
    for an answer."""

    context: Context
    client: WebClient
    afterwards: Afterwards

    def not_done(self, failure: TemporaryFailure, op: str, person: str) -> str:
        """Return what is known of an op that failed. If that is nothing, find out later and inform the
        person."""
        if not isinstance(failure, Unconfirmed):
            return not_recorded(failure)
        log.warning("not confirmed", error=str(failure))
        if self.afterwards.remember(op, person):
            return f"{words.UNCONFIRMED} {words.FOUND_OUT_LATER}"
        return words.UNCONFIRMED

    def open(self, trigger: str, form: Block) -> bool:
        """Return whether Slack confirmed in time that the form is open. If it did not, the form may open all
        the same."""
        arguments = {"trigger_id": trigger, "view": form}
        try:
            call(self.client, Deadline.after(OPEN_WITHIN), "views.open", arguments)
        except (TemporaryFailure, PermanentFailure):
            return False
        return True


@dataclass(frozen=True, kw_only=True)
class Typed:
    """The circumstances of a command. Slack drops an answer that comes after ``seen_by``."""

    person: str
    trigger: str
    seen_by: Deadline

    @property
    def op(self) -> str:
        return f"cmd:{self.trigger}"


def answer(slack: SlackContext, body: Body, sent_at: float | None = None) -> Block:
    """Return the answer to a command, as Slack wants it; empty if a form has opened. ``sent_at`` is when
    Slack sent it, in seconds since the epoch: this process may have been stopped since."""
    age = host_now().timestamp() - sent_at if sent_at is not None else 0.0
    seen_by = Deadline.after(min(SHOWN_WITHIN, max(DROPPED_AFTER - age, 0.0)))
    typed = Typed(person=person_in(body), trigger=str(body["trigger_id"]), seen_by=seen_by)
    try:
        insider(slack.context, body)
        text = str(body.get("text") or "")
        names = look.askable(slack.context, person=typed.person) if verbs.wants_names(text) else ()
        command = verbs.parse(text, names)
        if objection := not_yet(command, typed.person):
            raise objection
        return _carry_out(slack, typed, command)
    except Refused as refused:
        return ephemeral(refusal(refused.reason))
    except TemporaryFailure as failure:
        return ephemeral(slack.not_done(failure, typed.op, typed.person))


def not_recorded(failure: TemporaryFailure) -> str:
    log.warning("not recorded", error=str(failure))
    return words.NOT_RECORDED


def ephemeral(text: str, blocks: Sequence[Block] = ()) -> Block:
    return {"response_type": "ephemeral", "text": text, "blocks": list(blocks) or [section(text)]}


def not_yet(command: Command, person: str) -> Refused | None:
    """Return the refusal of something that can be typed already but is not offered yet."""
    if isinstance(command, Request):
        resource = command.resource or "…"
        if command.besides:
            return refuse(Why.SEVERAL_NOT_YET, first=resource, second=command.besides[0])
        if command.behalf not in (None, person):
            return refuse(Why.BEHALF_NOT_YET, resource=resource)
        if command.start:
            return refuse(Why.START_NOT_YET, start=words.moment(command.start), resource=resource)
    if isinstance(command, Request | verbs.Extend) and command.end:
        return refuse(Why.END_NOT_YET, end=words.moment(command.end))
    if isinstance(command, Request) and command.urgent:
        return refuse(Why.URGENT_NOT_YET, resource=command.resource or "…")
    return refuse(Why.VERB_NOT_YET, verb=command.verb) if isinstance(command, verbs.Later) else None


def _carry_out(slack: SlackContext, typed: Typed, command: Command) -> Block:
    """Call the use-case of a command, and answer with its outcome."""
    context, person, op = slack.context, typed.person, typed.op
    match command:
        case Request():
            return _request(slack, typed, command)
        case verbs.Approve() | verbs.Deny():
            return _vote(context, typed, command)
        case verbs.Extend(which=which, length=length):
            extended = extend.extend(context, person=person, which=which, length=length, op=op)
            text = words.extend_answer(extended)
        case verbs.Done(which=which, everything=everything):
            done = finish.give_back(context, person=person, which=which, everything=everything, op=op)
            text = words.gave_back_all(done) if everything else words.gave_back(done)
        case verbs.Revoke(person=whose, resource=named, why=why):
            resource = named or _only_one(context, person, whose)
            revoked = finish.revoke(context, by=person, person=whose, resource=resource, why=why, op=op)
            text = words.revoke_answer(revoked)
        case verbs.RevokeAll(person=whose, why=why):
            text = words.revoked_all(security.revoke_all(context, by=person, person=whose, why=why, op=op))
        case verbs.Allow(person=whose):
            security.allow(context, by=person, person=whose, op=op)
            text = words.allow_answer(whose)
        case verbs.Freeze(why=why):
            text = words.frozen(copied=security.freeze(context, by=person, why=why, op=op))
        case verbs.Unfreeze():
            security.unfreeze(context, by=person, op=op)
            text = words.unfrozen()
        case _:
            return _look_up(context, person, command)
    return ephemeral(text)


def _request(slack: SlackContext, typed: Typed, wanted: Request) -> Block:
    """Make the request. If it names no resource, open the form instead."""
    if wanted.resource:
        asked = ask.ask(
            slack.context,
            person=typed.person,
            resource=wanted.resource,
            length=wanted.length,
            reason=wanted.reason,
            op=typed.op,
        )
        return ephemeral(*lists.request_answer(asked))
    offers = look.offers(slack.context, person=typed.person)
    if not offers:
        return ephemeral(words.NOTHING_OFFERED)
    if slack.open(typed.trigger, request_form(offers, wanted)):
        return {}
    names = [offer.resource.name for offer in offers]
    return ephemeral(f"{words.NOT_CONFIRMED_OPEN} {words.help_text(names, 'request')}")


def _only_one(context: Context, person: str, whose: str) -> str:
    """Return the name of the only resource that somebody has. Raise Refused if there is none, or several."""
    held = look.held_by(context, person=person, holder=whose)
    if not held:
        raise refuse(Why.NOTHING_HELD)
    if len(held) > 1:
        raise refuse(Why.SEVERAL_HELD, person=whose, names=", ".join(held), first=held[0])
    return held[0]


def _vote(context: Context, typed: Typed, command: verbs.Approve | verbs.Deny) -> Block:
    """Count a vote if the person was shown exactly these terms; otherwise show them now. Terms that are
    answered too late do not count as shown. If there is no request with this id, show what waits for this
    person under that name, and decide nothing."""
    person, grant = typed.person, command.grant
    try:
        if isinstance(command, verbs.Approve):
            done = votes.approve(context, person=person, grant=grant, length=command.length, op=typed.op)
            return ephemeral(words.approve_answer(done))
        done = votes.deny(context, person=person, grant=grant, why=command.why, op=typed.op)
        return ephemeral(words.deny_answer(done))
    except Refused as refused:
        if refused.reason.why is Why.TERMS_CHANGED and (view := cards.terms_view(context, grant)):
            if not typed.seen_by.is_over:
                votes.note_terms_shown(context, person=person, grant=grant, terms=view.terms)
                if not typed.seen_by.seconds_left():
                    votes.note_terms_shown(context, person=person, grant=grant, terms="")
            return ephemeral(*lists.terms(refusal(refused.reason), view))
        if refused.reason.why is not Why.GRANT_UNKNOWN:
            raise
    found = look.waiting_for(context, person=person, resource=grant)
    return ephemeral(*lists.fitting(grant, found))


def _look_up(context: Context, person: str, command: Command) -> Block:
    """Answer a command that only looks and changes nothing."""
    match command:
        case verbs.Mine():
            return ephemeral(*lists.mine(look.mine(context, person=person)))
        case verbs.List():
            return ephemeral(*lists.offer_list(look.offers(context, person=person)))
        case verbs.Who(resource=resource):
            return ephemeral(*lists.who(resource, look.who(context, person=person, resource=resource)))
        case verbs.Waiting(person=whose, resource=resource):
            found = look.waiting_for(context, person=person, resource=resource, holder=whose)
            return ephemeral(*lists.fitting("", found))
        case verbs.Unknown(word=word, meant=meant):
            return ephemeral(words.unknown(word, meant, _examples(context, person)))
        case verbs.Help(topic=topic):
            return ephemeral(words.help_text(_examples(context, person), topic))
        case _:
            return ephemeral(words.help_text(_examples(context, person)))


def _examples(context: Context, person: str) -> tuple[str, ...]:
    """Return names of resources that the person may request; none while Redis is down, because help needs no
    example."""
    try:
        return look.askable(context, person=person)
    except TemporaryFailure:
        return ()
