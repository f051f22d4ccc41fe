"""A grant's card as Block Kit: a pure function of what it shows and who reads it."""

from __future__ import annotations

from bot.core.grants import LIVE, NOT_BEGUN, Grant, State
from bot.ports.slack import CardView
from bot.slack.views.blocks import Block, actions, button, context, section, select
from bot.slack.wording import cards as words
from bot.slack.wording.spoken import for_length

APPROVER, HOLDER = "approver", "holder"
MOST_LENGTHS = 10
BETWEEN = " "
"""The separator between the id, the digest of the terms and a shorter length, in the values of buttons."""


def card(view: CardView, audience: str) -> tuple[str, list[Block]]:
    """Return the text for notifications and the blocks. Buttons that decide carry the id and the digest of
    the terms that are shown, those of the holder the id; the select of shorter lengths has the chosen one as
    well."""
    to_holder = audience == HOLDER
    headline = words.headline(view, to_holder=to_holder)
    blocks = [section(headline)]
    if words.why(view.grant):
        blocks.append(section(words.why(view.grant)))
    blocks += [context(line) for line in _lines(view, to_holder) if line]
    if to_holder:
        made = holder_buttons(view.grant, extendable=view.extendable, again=view.again)
        blocks += [actions(made, block_id=f"hold:{view.grant.id}")] if made else []
    elif view.waits and not view.grant.undecided:
        blocks += decide_buttons(view.id, view.terms, f"decide:{view.id}")
        blocks += [] if view.extension else _for_less(view)
    return headline, blocks


def _lines(view: CardView, to_holder: bool) -> tuple[str, ...]:
    grant = view.grant
    if view.extension:
        return (
            words.gives(view),
            words.trace_of(grant, view.extension.trace, asked=view.waits),
            words.votes(view),
        )
    if grant.state in LIVE:
        return (
            words.trouble(view),
            words.grounds(grant),
            words.gives(view),
            words.trace(grant, to_holder=to_holder),
            words.votes(view),
            words.extensions(grant),
        )
    if grant.state in NOT_BEGUN:
        why = "" if to_holder else words.trace(grant, to_holder=False)
        return words.trouble(view), words.gives(view), why, words.votes(view), words.lapses(grant)
    return words.trouble(view), words.votes(view)


def decide_buttons(which: str, terms: str, block_id: str) -> list[Block]:
    value = f"{which}{BETWEEN}{terms}"
    buttons = [
        button(words.APPROVE, "approve", value, style="primary"),
        button(words.DENY, "deny", value, style="danger"),
    ]
    return [actions(buttons, block_id=block_id)]


def _for_less(view: CardView) -> list[Block]:
    grant = view.grant
    lengths = [each for each in sorted(set(view.offer)) if grant.length is None or each < grant.length]
    if not lengths:
        return []
    options = {
        BETWEEN.join((grant.id, view.terms, str(each))): for_length(each) for each in lengths[-MOST_LENGTHS:]
    }
    return [actions([select(words.APPROVE_LESS, "approve", options)], block_id=f"less:{grant.id}")]


def holder_buttons(grant: Grant, *, extendable: bool = True, again: bool = True) -> list[Block]:
    """Return the buttons for what the holder or requester can do about it now."""
    match grant.state:
        case State.ASKED | State.WAITING:
            return [button(words.WITHDRAW, "done", grant.id)]
        case State.APPROVED:
            return [button(words.GIVE_BACK, "done", grant.id)]
        case State.ACTIVE:
            done = button(words.GIVE_BACK, "done", grant.id)
            return [button(words.EXTEND, "extend", grant.id), done] if grant.until and extendable else [done]
        case State.ENDING | State.ADDED:
            return []
        case _:
            return [button(words.REQUEST_AGAIN, "ask_again", grant.id)] if again else []
