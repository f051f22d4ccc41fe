"""Buttons that were pressed. The card shows the outcome; the worker whispers refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from bot.core.durations import brief
from bot.core.errors import Refused, TemporaryFailure, refuse
from bot.core.reasons import Reason, Why, because
from bot.ports.documents import Place
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


Act = Callable[[SlackContext, Click], None]


class OfAlert(Protocol):
    """A use-case that somebody starts by a button of an alert."""

    def __call__(self, context: Context, *, person: str, alert: str, op: str) -> None: ...


def carry_out(slack: SlackContext, body: Body) -> bool:
    """Do what a click asks for, and return whether the person will see the outcome; if not, Slack has to show
    that it failed."""
    click = click_in(body)
    verb = _VERBS.get(click.verb)
    if verb is None:
        return True
    try:
        try:
            insider(slack.context, body)
            if not _in_its_place(slack, click, body):
                return slack.open(click.trigger, notice(words.COPIED))
            verb(slack, click)
        except Refused as refused:
            shows_terms = refused.reason.why is Why.TERMS_CHANGED
            _whisper(slack, click, refused.reason, terms_of=click.value if shows_terms else None)
    except TemporaryFailure as failure:
        return slack.open(click.trigger, notice(slack.not_done(failure, click.op, click.person)))
    return True


def click_in(body: Body) -> Click:
    action = body["actions"][0]
    chosen = action.get("selected_option") or action
    value, terms, length = _parts(str(chosen.get("value") or ""))
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


def _parts(value: str) -> tuple[str, str, str]:
    """Return the id, the digest of the terms, and the length. An older version wrote the id and the
    length."""
    parts = value.split(BETWEEN)
    if len(parts) == 2 and parts[1].isdigit():
        parts.insert(1, "")
    return parts[0], "".join(parts[1:2]), "".join(parts[2:3])


def _in_its_place(slack: SlackContext, click: Click, body: Body) -> bool:
    """Return whether the message is where we posted it. A card or an alert that somebody copied elsewhere
    does not count. Messages that only the clicker sees, the Home tab and our answers to commands, cannot be
    copied; no alert is among them."""
    container = body.get("container") or {}
    if click.verb in _OF_ALERTS:
        return _is_at(slack.context.alert_places(click.value), container)
    if click.verb == "request" or container.get("type") == "view" or container.get("is_ephemeral") is True:
        return True
    return _is_at(slack.context.card_places(click.value), container)


def _is_at(places: Iterable[Place], container: Mapping[str, object]) -> bool:
    here = (container.get("channel_id"), container.get("message_ts"))
    return any((place.channel, place.ts) == here for place in places)


def _is_first(slack: SlackContext, click: Click) -> bool:
    """Return whether this click is delivered for the first time: a repeated one must not open the form
    again."""
    return look.first_time(slack.context, op=f"{click.op}:form")


def _whisper(slack: SlackContext, click: Click, reason: Reason, terms_of: str | None = None) -> None:
    about = {"channel": click.channel, "person": click.person, "op": click.op}
    look.owe_whisper(slack.context, reason=reason, terms_of=terms_of, **about)


def _approve(slack: SlackContext, click: Click) -> None:
    votes.approve(
        slack.context,
        person=click.person,
        grant=click.value,
        length=click.length,
        op=click.op,
        terms=click.terms,
    )


def _open_form(slack: SlackContext, click: Click, form: Block, command: str) -> None:
    """Open the form. If Slack does not confirm in time that it is open, nothing is done in the person's name:
    it may open all the same, and they hear what to type if it does not."""
    if _is_first(slack, click) and not slack.open(click.trigger, form):
        _whisper(slack, click, because(Why.FORM_UNOPENED, command=command))


def _deny(slack: SlackContext, click: Click) -> None:
    _open_form(slack, click, deny_form(click.value, click.terms), f"/access deny {click.value} because …")


def _extend(slack: SlackContext, click: Click) -> None:
    extended = extend.extend(slack.context, person=click.person, which=click.value, length=None, op=click.op)
    if extended.asked:
        _whisper(slack, click, because(Why.APPROVERS_ASKED, resource=extended.standing.grant.resource))


def _give_back(slack: SlackContext, click: Click) -> None:
    finish.give_back(slack.context, person=click.person, which=click.value, op=click.op)


def _ask_again(slack: SlackContext, click: Click) -> None:
    """Open the request form, filled in as it was before."""
    before = slack.context.grant(click.value)
    if before.person != click.person:
        raise refuse(Why.NOT_YOURS)
    again = Request(resource=before.resource, length=before.length, reason=before.reason)
    offers = look.offers(slack.context, person=click.person)
    length = brief(before.length) if before.length else UNTIL_SHIFT_ENDS
    command = f"/access request {before.resource} {length} because …"
    _open_form(slack, click, request_form(offers, again), command)


def _request(slack: SlackContext, click: Click) -> None:
    offers = look.offers(slack.context, person=click.person)
    form = request_form(offers, Request(resource=click.value))
    _open_form(slack, click, form, f"/access request {click.value} because …")


def _of_alert(act: OfAlert) -> Act:
    """Return how to carry out a use-case that needs nothing of the button but the alert."""
    return lambda slack, click: act(slack.context, person=click.person, alert=click.value, op=click.op)


def _same_system(slack: SlackContext, click: Click) -> None:
    overdue.same_system(slack.context, person=click.person, alert=click.value, shown=click.terms, op=click.op)


_OF_ALERTS: Mapping[str, Act] = {
    "adopt": _of_alert(verdicts.adopt),
    "remove": _of_alert(verdicts.remove),
    "leave": _of_alert(verdicts.leave),
    "try_now": _of_alert(overdue.try_now),
    "removed": _of_alert(overdue.confirm_removal),
    "same_system": _same_system,
    "same_person": _of_alert(contests.same_person),
    "somebody_else": _of_alert(contests.somebody_else),
    "grant_again": _of_alert(survey.grant_again),
    "end_them": _of_alert(survey.end_them),
}
_VERBS: Mapping[str, Act] = {
    **_OF_ALERTS,
    "approve": _approve,
    "deny": _deny,
    "extend": _extend,
    "done": _give_back,
    "ask_again": _ask_again,
    "request": _request,
}
