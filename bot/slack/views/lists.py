"""Answers longer than a sentence: to ``mine``, ``list`` and ``who``, and the Home tab. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.ports.slack import CardView
from bot.slack.views import blocks
from bot.slack.views.blocks import Block, actions, button, context, divider, fit, header, section
from bot.slack.views.cards import APPROVER, card, decide_buttons, holder_buttons
from bot.slack.wording import answers as words
from bot.slack.wording import cards
from bot.usecases.results import HELD, Asked, HomeView, Offer, Standing

_IN_MESSAGE = {"most_blocks": 48, "most_characters": blocks.MOST_CHARACTERS - 500}
_IN_HOME = {"most_blocks": 30, "most_characters": 60_000}


def mine(view: HomeView) -> tuple[str, list[Block]]:
    """Return what the person has, and what waits for them to decide."""
    if not view.mine and not view.waiting:
        return words.NOTHING_MINE, [section(words.NOTHING_MINE)]
    blocks = _page(f"*{words.HAVE}*", [_held_blocks(each, "mine") for each in view.mine]) if view.mine else []
    if view.waiting:
        blocks += _page(f"*{words.WAITING}*", [_waiting(each) for each in view.waiting])
    return words.HAVE if view.mine else words.WAITING, blocks


def request_answer(answer: Asked) -> tuple[str, list[Block]]:
    """Return the outcome of a request; somebody who already has the resource gets a button to extend it."""
    text = words.request_answer(answer)
    if not (answer.joined and answer.standing.live):
        return text, [section(text)]
    extend = button(cards.EXTEND, "extend", answer.standing.grant.id)
    return text, [section(text), actions([extend], block_id=f"have:{answer.standing.grant.id}")]


def terms(said: str, view: CardView) -> tuple[str, list[Block]]:
    """Return what an approver would decide about, with the buttons, below ``said``."""
    return said, [section(said), *card(view, APPROVER)[1]]


def offer_list(offers: Sequence[Offer]) -> tuple[str, list[Block]]:
    if not offers:
        return words.NOTHING_OFFERED, [section(words.NOTHING_OFFERED)]
    return words.OFFERS, _page(f"*{words.OFFERS}*", [[section(words.offer(each))] for each in offers])


def fitting(which: str, grants: Sequence[Standing]) -> tuple[str, list[Block]]:
    """Return the requests that an approver may have meant, with buttons."""
    if not grants:
        return words.nothing_fits(which), [section(words.nothing_fits(which))]
    return words.FITS, _page(words.FITS, [_waiting(each) for each in grants])


def who(resource: str, grants: Sequence[Standing]) -> tuple[str, list[Block]]:
    if not grants:
        return words.nobody_has(resource), [section(words.nobody_has(resource))]
    lines = [[section(words.standing(each, whose=True))] for each in grants]
    return words.who_has(resource), _page(words.who_has(resource), lines)


def home(view: HomeView) -> Block:
    """Return the Home tab, as Slack wants it for views.publish."""
    blocks = [
        *_part(words.HAVE, words.NOTHING_MINE, [_held_blocks(each, "mine") for each in view.mine]),
        *_part(words.WAITING, words.NOTHING_WAITS, [_waiting(each) for each in view.waiting]),
        *_part(words.OFFERS, words.NOTHING_OFFERED, [_offer(each) for each in view.offers]),
    ]
    return {"type": "home", "blocks": blocks}


def _page(title: str, groups: Sequence[Sequence[Block]]) -> list[Block]:
    shown, out = fit(groups, **_IN_MESSAGE)
    return [section(title), *shown, *_rest(out)]


def _part(title: str, empty: str, groups: Sequence[Sequence[Block]]) -> list[Block]:
    shown, out = fit(groups, **_IN_HOME)
    return [header(title), *(shown or [context(empty)]), *_rest(out), divider()]


def _rest(left_out: int) -> Iterable[Block]:
    return [context(words.left_out(left_out))] if left_out else []


def _held_blocks(each: Standing, where: str) -> list[Block]:
    buttons = holder_buttons(each.grant, extendable=each.extendable)
    text = section(words.standing(each))
    return [text, actions(buttons, block_id=f"{where}:{each.grant.id}")] if buttons else [text]


def _waiting(each: Standing) -> list[Block]:
    text = section(words.standing(each, whose=True))
    return [text, *decide_buttons(each.poll, each.terms, f"{APPROVER}:{each.poll}")]


def _offer(each: Offer) -> list[Block]:
    ask = button(words.REQUEST, "request", each.resource.name) if each.outcome != HELD else None
    return [section(words.offer(each), block_id=f"offer:{each.resource.name}", accessory=ask)]
