"""Forms that were submitted, and what the form then shows."""

from __future__ import annotations

from bot.core.errors import Refused, TemporaryFailure
from bot.core.reasons import Reason, Why
from bot.slack.incoming.actor import Body, insider, person_in
from bot.slack.incoming.commands import SlackContext
from bot.slack.views import forms
from bot.slack.views.blocks import Block
from bot.slack.views.cards import BETWEEN
from bot.slack.wording import answers as words
from bot.slack.wording import forms as form_words
from bot.slack.wording.reasons import refusal, say
from bot.usecases.requests import ask, votes

_ABOUT_LENGTH = frozenset(
    {
        Why.DURATION_UNREADABLE,
        Why.DURATION_FRACTION,
        Why.DURATION_UNITLESS,
        Why.DURATION_TOO_LONG,
        Why.DURATION_TOO_SHORT,
        Why.NO_SHIFT_TO_END,
    }
)
_ABOUT_REASON = frozenset({Why.REASON_MISSING, Why.REASON_TOO_LONG, Why.REASON_PATTERN, Why.REASON_UNCHECKED})


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
        return _refusal(refused.reason)
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


def _refusal(reason: Reason) -> Block:
    if reason.why in _ABOUT_LENGTH:
        return _wrong(forms.LENGTH, reason)
    if reason.why in _ABOUT_REASON:
        return _wrong(forms.REASON, reason)
    return _notice("push", refusal(reason))


def _wrong(field: str, reason: Reason) -> Block:
    to_do = form_words.NEXT.get(reason.why)
    text = f"{say(reason)} {to_do}" if to_do else refusal(reason)
    return {"response_action": "errors", "errors": {field: words.plainly(text)}}


def _notice(how: str, text: str) -> Block:
    return {"response_action": how, "view": forms.notice(text)}
