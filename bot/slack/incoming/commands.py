"""Commands typed after ``/access``, and the answers that only the typist sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from slack_sdk import WebClient

from bot.core.errors import PermanentFailure, Refused, TemporaryFailure, Unconfirmed, refuse
from bot.core.reasons import Why
from bot.ports.deadline import Deadline
from bot.slack.api.web_api import call
from bot.slack.grammar import verbs
from bot.slack.grammar.verbs import Command, Extend, Request
from bot.slack.incoming.actor import Body, insider, person_in
from bot.slack.incoming.afterwards import Afterwards
from bot.slack.views import lists
from bot.slack.views.blocks import Block, section
from bot.slack.views.forms import request_form
from bot.slack.wording import answers as words
from bot.slack.wording.reasons import refusal
from bot.usecases import security
from bot.usecases.context import Context
from bot.usecases.notifications import cards
from bot.usecases.requests import ask, extend, finish, look, votes

OPEN_WITHIN = 1.5
SHOWN_WITHIN = 2.0
"""Seconds. Slack drops an answer that takes more than three."""
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


def answer(slack: SlackContext, body: Body) -> Block:
    """Return the answer to a command, as Slack wants it; empty if a form has opened."""
    trigger, seen_by = str(body["trigger_id"]), Deadline.after(SHOWN_WITHIN)
    try:
        person = insider(slack.context, body)
        text = str(body.get("text") or "")
        names = look.askable(slack.context, person=person) if verbs.wants_names(text) else ()
        return _run_command(slack, person, verbs.parse(text, names), trigger, seen_by)
    except Refused as refused:
        return ephemeral(refusal(refused.reason))
    except TemporaryFailure as failure:
        return ephemeral(slack.not_done(failure, _op(trigger), person_in(body)))


def not_recorded(failure: TemporaryFailure) -> str:
    log.warning("not recorded", error=str(failure))
    return words.NOT_RECORDED


def ephemeral(text: str, blocks: Sequence[Block] = ()) -> Block:
    return {"response_type": "ephemeral", "text": text, "blocks": list(blocks) or [section(text)]}


def _run_command(
    slack: SlackContext, person: str, command: Command, trigger: str, seen_by: Deadline
) -> Block:
    context, op = slack.context, _op(trigger)
    match command:
        case Request():
            return _request(slack, person, command, trigger)
        case Extend():
            return _extend(context, person, command, op)
        case verbs.Done() | verbs.Revoke():
            return ephemeral(_end(context, person, command, op))
        case verbs.Approve() | verbs.Deny():
            return _vote(context, person, command, op, seen_by)
        case verbs.RevokeAll() | verbs.Allow() | verbs.Freeze() | verbs.Unfreeze():
            return ephemeral(_stop_or_start(context, person, command, op))
        case verbs.Later(verb=verb):
            raise refuse(Why.VERB_NOT_YET, verb=verb)
        case _:
            return _look_up(context, person, command)


def _request(slack: SlackContext, person: str, wanted: Request, trigger: str) -> Block:
    objection = not_yet(wanted, person)
    if objection:
        raise objection
    if not wanted.resource:
        return _form(slack, person, wanted, trigger)
    answer = ask.ask(
        slack.context,
        person=person,
        resource=wanted.resource,
        length=wanted.length,
        reason=wanted.reason,
        op=_op(trigger),
    )
    return ephemeral(*lists.request_answer(answer))


def _extend(context: Context, person: str, wanted: Extend, op: str) -> Block:
    if wanted.end:
        raise refuse(Why.END_NOT_YET, end=words.moment(wanted.end))
    answer = extend.extend(context, person=person, which=wanted.which, length=wanted.length, op=op)
    return ephemeral(words.extend_answer(answer))


def _end(context: Context, person: str, command: verbs.Done | verbs.Revoke, op: str) -> str:
    match command:
        case verbs.Done(which=which, everything=everything):
            done = finish.give_back(context, person=person, which=which, everything=everything, op=op)
            return words.gave_back_all(done) if everything else words.gave_back(done)
        case verbs.Revoke(person=whose, resource=resource, why=why):
            what = resource or _only_one(context, person, whose)
            return words.revoke_answer(
                finish.revoke(context, by=person, person=whose, resource=what, why=why, op=op)
            )


def _stop_or_start(
    context: Context,
    person: str,
    command: verbs.RevokeAll | verbs.Allow | verbs.Freeze | verbs.Unfreeze,
    op: str,
) -> str:
    """Carry out a command by which security people stop something, or start it again."""
    match command:
        case verbs.RevokeAll(person=whose, why=why):
            return words.revoked_all(security.revoke_all(context, by=person, person=whose, why=why, op=op))
        case verbs.Allow(person=whose):
            security.allow(context, by=person, person=whose, op=op)
            return words.allow_answer(whose)
        case verbs.Freeze(why=why):
            return words.frozen(copied=security.freeze(context, by=person, why=why, op=op))
        case verbs.Unfreeze():
            security.unfreeze(context, by=person, op=op)
            return words.unfrozen()


def _op(trigger: str) -> str:
    return f"cmd:{trigger}"


def not_yet(wanted: Request, person: str) -> Refused | None:
    """Return the refusal of something that can be typed already but is not offered yet."""
    resource = wanted.resource or "…"
    if wanted.besides:
        return refuse(Why.SEVERAL_NOT_YET, first=resource, second=wanted.besides[0])
    if wanted.behalf not in (None, person):
        return refuse(Why.BEHALF_NOT_YET, resource=resource)
    if wanted.start:
        return refuse(Why.START_NOT_YET, start=words.moment(wanted.start), resource=resource)
    if wanted.end:
        return refuse(Why.END_NOT_YET, end=words.moment(wanted.end))
    return refuse(Why.URGENT_NOT_YET, resource=resource) if wanted.urgent else None


def _only_one(context: Context, person: str, whose: str) -> str:
    """Return the name of the only resource that somebody has. Raise Refused if there is none, or several."""
    held = look.held_by(context, person=person, holder=whose)
    if not held:
        raise refuse(Why.NOTHING_HELD)
    if len(held) > 1:
        raise refuse(Why.SEVERAL_HELD, person=whose, names=", ".join(held), first=held[0])
    return held[0]


def _vote(
    context: Context, person: str, command: verbs.Approve | verbs.Deny, op: str, seen_by: Deadline
) -> Block:
    """Count a vote if the person was shown exactly these terms; otherwise show them now. Slack drops a late
    answer, so terms that are answered after ``seen_by`` do not count as shown. If there is no request with
    this id, show what waits for this person under that name, and decide nothing."""
    try:
        if isinstance(command, verbs.Approve):
            length = command.length
            done = votes.approve(context, person=person, grant=command.grant, length=length, op=op)
            return ephemeral(words.approve_answer(done))
        done = votes.deny(context, person=person, grant=command.grant, why=command.why, op=op)
        return ephemeral(words.deny_answer(done))
    except Refused as refused:
        if refused.reason.why is Why.TERMS_CHANGED and (view := cards.terms_view(context, command.grant)):
            note = partial(votes.note_terms_shown, context, person=person, grant=command.grant)
            if not seen_by.is_over:
                note(terms=view.terms)
                if not seen_by.seconds_left():
                    note(terms="")
            return ephemeral(*lists.terms(refusal(refused.reason), view))
        if refused.reason.why is not Why.GRANT_UNKNOWN:
            raise
    found = look.waiting_for(context, person=person, resource=command.grant)
    return ephemeral(*lists.fitting(command.grant, found))


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


def _form(slack: SlackContext, person: str, asked: Request, trigger: str) -> Block:
    offers = look.offers(slack.context, person=person)
    if not offers:
        return ephemeral(words.NOTHING_OFFERED)
    if slack.open(trigger, request_form(offers, asked)):
        return {}
    names = [offer.resource.name for offer in offers]
    return ephemeral(f"{words.NOT_CONFIRMED_OPEN} {words.help_text(names, 'request')}")
