"""The forms that people fill in, and what they enter in them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.core.durations import UntilShiftEnds, brief
from bot.core.policy import REASON_AT_MOST
from bot.slack.grammar.lexer import length_in
from bot.slack.grammar.verbs import Request
from bot.slack.views.blocks import Block, context, field, plain, section
from bot.slack.views.cards import BETWEEN
from bot.slack.wording import forms as words
from bot.slack.wording.answers import offer
from bot.usecases.results import HELD, Offer

REQUEST, DENY = "request", "deny"
RESOURCE, LENGTH, REASON = "resource", "length", "reason"
_MOST_CHOICES, _LONGEST_CHOICE = 100, 75
_MOST_HELD = 5
_LONGEST_FIELD = 8_000


def request_form(offers: Sequence[Offer], asked: Request) -> Block:
    """Return the request form, filled in with what is known of the request. It names the lengths of the
    resource that it begins with, and the resources that need a reason if others need none."""
    held = [each for each in offers if each.outcome == HELD]
    meant = [each.resource for each in offers if len(offers) == 1 or each.resource.name == asked.resource]
    lengths = meant[0].lengths if meant else None
    length = ""
    if asked.length is not None:
        length = words.UNTIL_SHIFT_ENDS if isinstance(asked.length, UntilShiftEnds) else brief(asked.length)
    needs_reason = [each.resource.name for each in offers if each.resource.reason.required]
    fields = [
        field(words.RESOURCE, RESOURCE, _choice(offers, asked.resource)),
        *(context(offer(each)) for each in held[:_MOST_HELD]),
        field(
            words.LENGTH,
            LENGTH,
            _line(length),
            hint=words.length_hint(lengths.default, lengths.max) if lengths else words.LENGTH_HINT,
            optional=True,
        ),
        field(
            words.REASON,
            REASON,
            _line(asked.reason[:REASON_AT_MOST], lines=True),
            hint=words.reason_hint(needs_reason if len(needs_reason) < len(offers) else ()),
            optional=len(needs_reason) < len(offers),
        ),
    ]
    return _modal(words.REQUEST_TITLE, fields, callback=REQUEST, submit=words.REQUEST)


def deny_form(grant: str, terms: str) -> Block:
    """Return the denial form. It carries the id of what is denied, and the digest of the terms that were
    shown."""
    fields = [field(words.WHY, REASON, _line("", lines=True), hint=words.WHY_HINT, optional=True)]
    return _modal(words.DENY_TITLE, fields, callback=DENY, submit=words.DENY) | {
        "private_metadata": f"{grant}{BETWEEN}{terms}"
    }


def notice(text: str) -> Block:
    return _modal(words.NOTICE_TITLE, [section(text)])


def asked_in(view: Mapping[str, Any]) -> Request:
    """Read a submitted request. Raise Refused if its length is not a valid one."""
    return Request(
        resource=_value(view, RESOURCE).casefold(),
        length=length_in(_value(view, LENGTH)),
        reason=_value(view, REASON),
    )


def why_in(view: Mapping[str, Any]) -> str:
    return _value(view, REASON)


def _value(view: Mapping[str, Any], name: str) -> str:
    element = view.get("state", {}).get("values", {}).get(name, {}).get(name, {})
    chosen = element.get("selected_option") or {}
    return str(chosen.get("value") or element.get("value") or "")[:_LONGEST_FIELD].strip()


def _choice(offers: Sequence[Offer], resource: str) -> Block:
    """Return a menu if all offers fit into one, otherwise a line to type the name in."""
    names = [offer.resource.name for offer in offers]
    if not names or len(names) > _MOST_CHOICES or any(len(name) > _LONGEST_CHOICE for name in names):
        return _line(resource)
    options = {name: {"text": plain(name, _LONGEST_CHOICE), "value": name} for name in names}
    menu: Block = {"type": "static_select", "options": list(options.values())}
    return menu | ({"initial_option": options[resource]} if resource in options else {})


def _line(text: str, *, lines: bool = False) -> Block:
    made: Block = {"type": "plain_text_input", "multiline": lines, "max_length": REASON_AT_MOST}
    return made | ({"initial_value": text} if text else {})


def _modal(title: str, blocks: Sequence[Block], *, callback: str = "", submit: str = "") -> Block:
    made: Block = {
        "type": "modal",
        "title": plain(title, 24),
        "close": plain(words.CLOSE, 24),
        "blocks": list(blocks),
    }
    return made | ({"callback_id": callback, "submit": plain(submit, 24)} if submit else {})
