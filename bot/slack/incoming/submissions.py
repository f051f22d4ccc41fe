"""Forms that were submitted, and what the form then shows."""

from __future__ import annotations

from collections.abc import Mapping

from bot.core.errors import Refused, TemporaryFailure
from bot.core.reasons import Why
from bot.slack.incoming.actor import Body, insider, person_in
from bot.slack.incoming.commands import SlackContext
from bot.slack.views import forms
from bot.slack.views.blocks import Block
from bot.slack.views.cards import BETWEEN
from bot.slack.wording import answers as words
from bot.slack.wording import forms as form_words
from bot.slack.wording.reasons import refusal, say
from bot.usecases.requests import ask, votes

_FIELDS: Mapping[Why, str] = {
    Why.DURATION_UNREADABLE: forms.LENGTH,
    Why.DURATION_FRACTION: forms.LENGTH,
    Why.DURATION_UNITLESS: forms.LENGTH,
    Why.DURATION_TOO_LONG: forms.LENGTH,
    Why.DURATION_TOO_SHORT: forms.LENGTH,
    Why.NO_SHIFT_TO_END: forms.LENGTH,
    Why.REASON_MISSING: forms.REASON,
    Why.REASON_TOO_LONG: forms.REASON,
    Why.REASON_PATTERN: forms.REASON,
    Why.REASON_UNCHECKED: forms.REASON,
}
"""The fields beside which objections are shown."""


def submit_request(slack: SlackContext, body: Body) -> Block:
    """Make the request. The answer replaces the form; an objection to a field is shown beside that field; any
    other refusal is laid over the form, so that nothing typed is lost."""
    try:
        person, wanted = insider(slack.context, body), forms.asked_in(body["view"])
        answer = ask.ask(
            slack.context,
            person=person,
            resource=wanted.resource,
            length=wanted.length,
            reason=wanted.reason,
            op=_op(body),
        )
    except Refused as refused:
        reason = refused.reason
        if reason.why not in _FIELDS:
            return _notice("push", refusal(reason))
        to_do = form_words.NEXT.get(reason.why)
        text = words.plainly(f"{say(reason)} {to_do}" if to_do else refusal(reason))
        return {"response_action": "errors", "errors": {_FIELDS[reason.why]: text}}
    except TemporaryFailure as failure:
        return _notice("push", slack.not_done(failure, _op(body), person_in(body)))
    return _notice("update", words.request_answer(answer))


def submit_denial(slack: SlackContext, body: Body) -> Block:
    """Deny the request. The form closes; the card shows the outcome."""
    view = body["view"]
    grant, _, terms = str(view.get("private_metadata", "")).partition(BETWEEN)
    try:
        votes.deny(
            slack.context,
            person=insider(slack.context, body),
            grant=grant,
            why=forms.why_in(view),
            op=_op(body),
            terms=terms,
        )
    except Refused as refused:
        return _notice("update", refusal(refused.reason))
    except TemporaryFailure as failure:
        return _notice("push", slack.not_done(failure, _op(body), person_in(body)))
    return {}


def _op(body: Body) -> str:
    """Return the op: each submission of the form is one operation, however often it is delivered."""
    view = body["view"]
    return f"view:{view['id']}:{body.get('trigger_id') or view.get('hash')}"


def _notice(how: str, text: str) -> Block:
    return {"response_action": how, "view": forms.notice(text)}
