"""Buttons that were pressed. The card shows the outcome; the worker whispers refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bot.core.durations import brief
from bot.core.errors import Refused, TemporaryFailure, refuse
from bot.core.reasons import Reason, Why, because
from bot.slack.grammar.verbs import Request
from bot.slack.incoming.actor import Body, insider, person_in
from bot.slack.incoming.commands import SlackContext
from bot.slack.views.blocks import Block
from bot.slack.views.cards import BETWEEN
from bot.slack.views.forms import deny_form, notice, request_form
from bot.slack.wording import answers as words
from bot.slack.wording.forms import UNTIL_SHIFT_ENDS
from bot.usecases.access import overdue, survey
from bot.usecases.context import Context
from bot.usecases.requests import extend, finish, look, votes
from bot.usecases.schedules import contests
from bot.usecases.strays import verdicts


@dataclass(frozen=True, kw_only=True)
class Click:
    """A pressed button. ``value`` is the id of a grant, an extension or an alert, or a resource's name on a
    button that requests one. ``terms`` is the digest of what a button that decides showed, empty if an older
    version made it. ``length`` is a shorter one that an approver chose. ``channel`` is where a whisper is
    heard."""

    person: str
    verb: str
    value: str
    terms: str
    length: int | None
    trigger: str
    channel: str
    op: str


class OfAlert(Protocol):
    """A use-case that somebody starts by a button of an alert. It needs nothing of the button but the
    alert."""

    def __call__(self, context: Context, *, person: str, alert: str, op: str) -> None: ...


def carry_out(slack: SlackContext, body: Body) -> bool:
    """Do what a click asks for, and return whether the person will see the outcome; if not, Slack has to show
    that it failed."""
    click = click_in(body)
    if click.verb not in _ON_ALERTS | _ON_CARDS:
        return True
    try:
        try:
            insider(slack.context, body)
            if not _in_its_place(slack, click, body):
                return slack.open(click.trigger, notice(words.COPIED))
            said = _act(slack, click)
        except Refused as refused:
            shows_terms = refused.reason.why is Why.TERMS_CHANGED
            _whisper(slack, click, refused.reason, terms_of=click.value if shows_terms else None)
            return True
    except TemporaryFailure as failure:
        return slack.open(click.trigger, notice(slack.not_done(failure, click.op, click.person)))
    return slack.open(click.trigger, notice(said)) if said else True


def click_in(body: Body) -> Click:
    action = body["actions"][0]
    chosen = action.get("selected_option") or action
    value, *more = str(chosen.get("value") or "").split(BETWEEN)
    if len(more) == 1 and more[0].isdigit():  # an older version wrote no terms before the length
        more.insert(0, "")
    terms, length = (*more, "", "")[:2]
    person, verb = person_in(body), str(action.get("action_id"))
    return Click(
        person=person,
        verb=verb,
        value=value,
        terms=terms,
        length=int(length) if length.isascii() and length.isdigit() else None,
        trigger=str(body.get("trigger_id", "")),
        channel=str((body.get("channel") or {}).get("id") or person),
        op=f"act:{person}:{value}:{verb}:{action.get('action_ts')}",
    )


def _in_its_place(slack: SlackContext, click: Click, body: Body) -> bool:
    """Return whether the message is where we posted it. A card or an alert that somebody copied elsewhere
    does not count. Messages that only the clicker sees, the Home tab and our answers to commands, cannot be
    copied; no alert is among them."""
    container = body.get("container") or {}
    if click.verb in _ON_ALERTS:
        places = slack.context.alert_places(click.value)
    elif click.verb == "request" or container.get("type") == "view" or container.get("is_ephemeral") is True:
        return True
    else:
        places = slack.context.card_places(click.value)
    here = (container.get("channel_id"), container.get("message_ts"))
    return any((place.channel, place.ts) == here for place in places)


def _act(slack: SlackContext, click: Click) -> str | None:
    """Call the use-case of a button. Return what the person has to be shown at once, because the card could
    not say it if Redis fails over now."""
    context, person, value, op = slack.context, click.person, click.value, click.op
    match click.verb:
        case "approve":
            votes.approve(context, person=person, grant=value, length=click.length, op=op, terms=click.terms)
        case "deny":
            _open_form(slack, click, deny_form(value, click.terms), f"/access deny {value} because …")
        case "extend":
            extended = extend.extend(context, person=person, which=value, length=None, op=op)
            if extended.asked:
                resource = extended.standing.grant.resource
                _whisper(slack, click, because(Why.APPROVERS_ASKED, resource=resource))
        case "done":
            done = finish.give_back(context, person=person, which=value, op=op)
            return None if done.copied else words.gave_back(done)
        case "request":
            form = request_form(look.offers(context, person=person), Request(resource=value))
            _open_form(slack, click, form, f"/access request {value} because …")
        case "ask_again":
            before = context.grant(value)
            if before.person != person:
                raise refuse(Why.NOT_YOURS)
            again = Request(resource=before.resource, length=before.length, reason=before.reason)
            form = request_form(look.offers(context, person=person), again)
            length = brief(before.length) if before.length else UNTIL_SHIFT_ENDS
            _open_form(slack, click, form, f"/access request {before.resource} {length} because …")
        case "same_system":
            overdue.same_system(context, person=person, alert=value, shown=click.terms, op=op)
        case _:
            _OF_ALERTS[click.verb](context, person=person, alert=value, op=op)
    return None


def _open_form(slack: SlackContext, click: Click, form: Block, command: str) -> None:
    """Open the form, once however often the click is delivered. If Slack does not confirm in time that it is
    open, nothing is done in the person's name: it may open all the same, and they hear what to type if it
    does not."""
    is_first = look.first_time(slack.context, op=f"{click.op}:form")
    if is_first and not slack.open(click.trigger, form):
        _whisper(slack, click, because(Why.FORM_UNOPENED, command=command))


def _whisper(slack: SlackContext, click: Click, reason: Reason, terms_of: str | None = None) -> None:
    about = {"channel": click.channel, "person": click.person, "op": click.op}
    look.owe_whisper(slack.context, reason=reason, terms_of=terms_of, **about)


_OF_ALERTS: Mapping[str, OfAlert] = {
    "adopt": verdicts.adopt,
    "remove": verdicts.remove,
    "leave": verdicts.leave,
    "try_now": overdue.try_now,
    "removed": overdue.confirm_removal,
    "same_person": contests.same_person,
    "somebody_else": contests.somebody_else,
    "grant_again": survey.grant_again,
    "end_them": survey.end_them,
}
_ON_ALERTS = frozenset({*_OF_ALERTS, "same_system"})
_ON_CARDS = frozenset({"approve", "deny", "extend", "done", "ask_again", "request"})
