"""What is typed behind ``/access``, done, and the answer that only the typist sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from slack_sdk import WebClient

from bot.core.errors import PermanentFailure, Refused, TemporaryFailure, Unconfirmed
from bot.core.reasons import Why
from bot.ports import Deadline
from bot.slack import grammar, pages
from bot.slack.afterwards import Afterwards
from bot.slack.calls import call
from bot.slack.forms import request_form
from bot.slack.grammar import Command, Request
from bot.slack.kit import Block, section
from bot.slack.visitor import Body, insider, person_in
from bot.slack.wording import answers as words
from bot.slack.wording.reasons import refusal
from bot.usecases import ask, cards, extend, finish, look, votes
from bot.usecases.office import Office

OPEN_WITHIN = 1.5
log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Desk:
    """``client`` opens forms; that is the only call made to Slack while it waits for an answer."""

    office: Office
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
        """Whether the form is open now."""
        arguments = {"trigger_id": trigger, "view": form}
        try:
            call(self.client, Deadline.after(OPEN_WITHIN), "views.open", arguments)
        except (TemporaryFailure, PermanentFailure):
            return False
        return True


def answered(desk: Desk, body: Body) -> Block:
    """The answer to a command, as Slack wants it; empty where a form has opened."""
    trigger = str(body["trigger_id"])
    try:
        person = insider(desk.office, body)
        return _done(desk, person, grammar.parse(str(body.get("text") or "")), trigger)
    except Refused as refused:
        return said(refusal(refused.reason))
    except TemporaryFailure as failure:
        return said(desk.not_done(failure, _op(trigger), person_in(body)))


def not_recorded(failure: TemporaryFailure) -> str:
    log.warning("not recorded", error=str(failure))
    return words.NOT_RECORDED


def said(text: str, blocks: Sequence[Block] = ()) -> Block:
    return {"response_type": "ephemeral", "text": text, "blocks": list(blocks) or [section(text)]}


def _done(desk: Desk, person: str, command: Command, trigger: str) -> Block:
    office, op = desk.office, _op(trigger)
    match command:
        case Request(resource=""):
            return _form(desk, person, command, trigger)
        case Request(resource=resource, length=length, reason=reason):
            return said(
                *pages.asked(
                    ask.ask(office, person=person, resource=resource, length=length, reason=reason, op=op)
                )
            )
        case grammar.Extend(which=which, length=longer):
            return said(
                words.extended(extend.extend(office, person=person, which=which, length=longer, op=op))
            )
        case grammar.Done(which=which):
            return said(words.gave_back(finish.give_back(office, person=person, which=which, op=op)))
        case grammar.Revoke(person=whose, resource=resource, why=why):
            return said(
                words.revoked(
                    finish.revoke(office, by=person, person=whose, resource=resource, why=why, op=op)
                )
            )
        case grammar.Approve(grant=grant):
            return _approved(office, person, grant, op)
        case grammar.Deny(grant=grant, why=why):
            return said(words.denied(votes.deny(office, person=person, grant=grant, why=why, op=op)))
        case _:
            return _shown(office, person, command)


def _approved(office: Office, person: str, grant: str, op: str) -> Block:
    """What was typed decides only what the person was shown; otherwise it is shown now."""
    try:
        return said(words.approved(votes.approve(office, person=person, grant=grant, length=None, op=op)))
    except Refused as refused:
        if refused.reason.why is not Why.TERMS_CHANGED or (view := cards.terms_view(office, grant)) is None:
            raise
        votes.note_terms_shown(office, person=person, grant=grant, terms=view.terms)
        return said(*pages.terms(refusal(refused.reason), view))


def _op(trigger: str) -> str:
    return f"cmd:{trigger}"


def _shown(office: Office, person: str, command: Command) -> Block:
    """What only looks, and changes nothing."""
    match command:
        case grammar.Mine():
            return said(*pages.mine(look.mine(office, person=person)))
        case grammar.List():
            return said(*pages.offered(look.offers(office, person=person)))
        case grammar.Who(resource=resource):
            return said(*pages.who(resource, look.who(office, person=person, resource=resource)))
        case grammar.Unknown(word=word, meant=meant):
            return said(words.unknown(word, meant))
        case grammar.Help(topic=topic):
            return said(words.help_text(topic))
        case _:
            return said(words.help_text())


def _form(desk: Desk, person: str, asked: Request, trigger: str) -> Block:
    offers = look.offers(desk.office, person=person)
    if not offers:
        return said(words.NOTHING_OFFERED)
    if desk.open(trigger, request_form(offers, asked)):
        return {}
    return said(f"{words.NOT_OPENED} {words.help_text('request')}")
