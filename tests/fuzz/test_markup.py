"""A message has the markup of one with plain words, whatever people and files contain."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from bot.core.catalog import Entitlement
from bot.core.grants import Grant, State, Traced
from bot.core.reasons import Reason, Why
from bot.ports.documents import Note
from bot.ports.slack import CardView
from bot.slack.api.messenger import _blocks
from bot.slack.views.cards import APPROVER, HOLDER, card
from bot.slack.views.lists import fitting, home, mine, offer_list, who
from bot.slack.wording import answers as words
from bot.slack.wording import spoken
from bot.slack.wording.reasons import NEXT, SENTENCES, facts_in, refusal
from bot.usecases.results import Asked, Extended, HomeView, Offer, Standing
from tests.fuzz import junk
from tests.fuzz.rounds import thrown
from tests.slack.scenes import (
    BOB,
    CAROL,
    NOW,
    TEN,
    grant,
    more,
    offer,
    slack_takes,
    slack_takes_view,
    standing,
    view,
)

PLAIN, UNLIKE = "x", "z" * 200
FACTS = {
    why: sorted(
        {name for table in (SENTENCES, NEXT) for each in table.get(why, ()) for name in facts_in(each)}
    )
    for why in Why
}
MARKS = re.compile(r"`[^`\n]+`|<[^<>]*>|[*~`\n<>]|(?<![^\W_])_|_(?![^\W_])|^(?:>|&gt;)", re.MULTILINE)
CODE = "fixed"

evil = junk.broken.filter(str.split)
reasons = st.sampled_from(Why).flatmap(
    lambda why: st.fixed_dictionaries({name: _fact(name) for name in FACTS[why] if name != "near"}).map(
        lambda facts: Reason(why=why, facts={**facts, "known": UNLIKE})
    )
)


def _fact(name: str) -> st.SearchStrategy[Any]:
    return st.integers(0, 2**33) if name.endswith(("_at", "_s")) else evil


def harmless(reason: Reason) -> Reason:
    facts = {name: PLAIN if isinstance(value, str) else value for name, value in reason.facts.items()}
    return replace(reason, facts=facts | {"known": UNLIKE})


def marks(text: str) -> list[str]:
    """Return the marks in order; within fixed-width text nothing else counts."""
    return [CODE if len(each) > 1 and each[0] == "`" else each for each in MARKS.findall(text)]


def all_marks(said: Any) -> list[list[str]]:
    """Return the marks of each text in blocks, in order."""
    if isinstance(said, dict):
        here = [marks(said["text"])] if isinstance(said.get("text"), str) else []
        return [*here, *(each for value in said.values() for each in all_marks(value))]
    return [each for value in said for each in all_marks(value)] if isinstance(said, list) else []


@thrown(few=200, share=0.05, text=junk.broken, most=st.integers(2, 400))
def test_what_is_typed_marks_nothing(text: str, most: int) -> None:
    shown = spoken.safe_text(text, most)
    assert len(shown) <= most
    assert marks(shown) == []
    assert marks(spoken.code(text)) == [CODE]
    assert re.sub(r"&(?:amp|lt|gt);", "", shown).count("&") == 0
    json.dumps(shown, ensure_ascii=False).encode()


@thrown(few=200, share=0.03, reason=reasons)
def test_a_reason(reason: Reason) -> None:
    assert marks(refusal(reason)) == marks(refusal(harmless(reason)))
    whisper = Note(id="N1", channel="C1", reason=reason, whisper_to=BOB)
    assert slack_takes(_blocks(whisper))


TEXTS = ("reason", "trouble", "said", "title", "session", "who", "schedule", "role", "where")
evils = st.fixed_dictionaries(dict.fromkeys(TEXTS, evil))


def evil_grant(state: State, texts: Mapping[str, str], why: Why) -> Grant:
    traced = Reason(why=Why.ROSTER_STALE, facts={"schedule": texts["schedule"], "age_s": 1_200})
    return grant(
        state,
        reason=texts["reason"],
        trouble=texts["trouble"],
        ended=Reason(why=why, facts={"said": texts["said"], "by_person": CAROL}),
        decided_by=CAROL,
        asked_in=texts["where"],
        trace=(
            Traced(rule=f"on_call {texts['schedule']} level {texts['role']}", outcome="no", reason=traced),
        ),
        asked_people=(texts["who"], BOB),
    )


def evil_view(state: State, texts: Mapping[str, str], why: Why) -> CardView:
    made = evil_grant(state, texts, why)
    shown = view(
        state, title=texts["title"], sessions=texts["session"], gives=(texts["role"], texts["where"])
    )
    return replace(shown, grant=made)


def shown(texts: Mapping[str, str], state: State, why: Why) -> list[tuple[str, list[Any]]]:
    """Return texts and blocks: a card as both sides see it, lists, the Home tab and answers."""
    seen = evil_view(state, texts, why)
    stands = Standing(grant=seen.grant, title=texts["title"], live=state is State.ACTIVE, until=TEN)
    gives = (Entitlement(target=texts["where"], what=(("role", texts["role"]),)),)
    made: Offer = offer(title=texts["title"])
    made = replace(made, resource=replace(made.resource, gives=gives))
    view_of_home = HomeView(person=BOB, mine=(stands,), waiting=(stands,), offers=(made,))
    said: list[Callable[[], str]] = [
        lambda: words.request_answer(Asked(standing=stands)),
        lambda: words.request_answer(Asked(standing=stands, joined=True)),
        lambda: words.extend_answer(Extended(standing=stands, asked=more())),
        lambda: words.gave_back(stands),
        lambda: words.revoke_answer(stands),
        lambda: words.approve_answer(stands),
        lambda: words.unknown(texts["reason"], (), ()),
        lambda: words.nothing_fits(texts["reason"]),
        lambda: words.help_text((texts["title"],)),
        lambda: words.help_text((texts["title"],), "revoke"),
    ]
    home_blocks = home(view_of_home)
    assert slack_takes_view(home_blocks)
    return [
        card(seen, HOLDER),
        card(seen, APPROVER),
        mine(view_of_home),
        offer_list([made]),
        who("prod-db", [stands, standing()]),
        fitting("", [stands]),
        ("", home_blocks["blocks"]),
        *((text(), []) for text in said),
    ]


@thrown(
    few=150,
    share=0.05,
    texts=evils,
    state=st.sampled_from(State),
    why=st.sampled_from([Why.DENIED, Why.REVOKED, Why.EXPIRED, Why.COULD_NOT_GIVE]),
)
def test_cards_and_lists_and_answers(texts: dict[str, str], state: State, why: Why) -> None:
    plain = dict.fromkeys(texts, PLAIN)
    for (text, blocks), (other, others) in zip(
        shown(texts, state, why), shown(plain, state, why), strict=True
    ):
        assert marks(text) == marks(other)
        assert slack_takes(blocks) or not blocks
        assert all_marks(blocks) == all_marks(others)


assert NOW < TEN
