"""A grant's card as Block Kit: a pure function of what it shows and who reads it."""

from __future__ import annotations

from bot.core.grants import LIVE, Grant, State
from bot.ports import CardView
from bot.slack.kit import Block, actions, button, context, section, select
from bot.slack.wording import cards as words
from bot.slack.wording.spoken import for_length

APPROVER, HOLDER = "approver", "holder"
MOST_LENGTHS = 10
BETWEEN = " "
"""Stands between a grant's id and a shorter length, in the values of the select of lengths."""


def card(view: CardView, audience: str) -> tuple[str, list[Block]]:
    """The text for notifications and the blocks. Buttons carry the grant's id and nothing else; only
    the select of shorter lengths carries the length chosen, which is not a term of the ask."""
    to_holder = audience == HOLDER
    headline = words.headline(view, to_holder=to_holder)
    blocks = [section(headline)]
    if words.why(view.grant):
        blocks.append(section(words.why(view.grant)))
    blocks += [context(line) for line in _lines(view, to_holder) if line]
    blocks += _for_holder(view.grant) if to_holder else _for_approver(view)
    return headline, blocks


def _lines(view: CardView, to_holder: bool) -> tuple[str, ...]:
    grant = view.grant
    if grant.state in LIVE:
        return words.trouble(view), words.gives(view), words.trace(grant), words.votes(view)
    if grant.state is State.ASKED:
        why = "" if to_holder else words.trace(grant)
        return words.trouble(view), words.gives(view), why, words.votes(view), words.lapses(grant)
    return words.trouble(view), words.votes(view)


def _for_approver(view: CardView) -> list[Block]:
    grant = view.grant
    if grant.state is not State.ASKED or grant.undecided:
        return []
    buttons = [
        button(words.APPROVE, "approve", grant.id, style="primary"),
        button(words.DENY, "deny", grant.id, style="danger"),
    ]
    return [actions(buttons, block_id=f"decide:{grant.id}"), *_for_less(grant, view.offer)]


def _for_less(grant: Grant, offer: tuple[int, ...]) -> list[Block]:
    lengths = [each for each in sorted(set(offer)) if grant.length is None or each < grant.length][
        -MOST_LENGTHS:
    ]
    if not lengths:
        return []
    options = {f"{grant.id}{BETWEEN}{each}": for_length(each) for each in lengths}
    return [actions([select(words.APPROVE_LESS, "approve", options)], block_id=f"less:{grant.id}")]


def _for_holder(grant: Grant) -> list[Block]:
    made = holder_buttons(grant)
    return [actions(made, block_id=f"hold:{grant.id}")] if made else []


def holder_buttons(grant: Grant) -> list[Block]:
    """What who holds it, or asked for it, can do about it now."""
    match grant.state:
        case State.ASKED:
            return [button(words.WITHDRAW, "done", grant.id)]
        case State.APPROVED:
            return [button(words.GIVE_BACK, "done", grant.id)]
        case State.ACTIVE:
            done = button(words.GIVE_BACK, "done", grant.id)
            return [button(words.EXTEND, "extend", grant.id), done] if grant.until else [done]
        case State.ENDING:
            return []
        case _:
            return [button(words.ASK_AGAIN, "ask_again", grant.id)]
