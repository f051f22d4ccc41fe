"""Whether what people were told came to be: answers, clicks, and the cards in all their versions."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from bot.core.grants import Grant, State
from bot.ports.documents import Card
from bot.slack.views.cards import APPROVER
from bot.slack.wording.answers import NOTHING_MINE, NOTHING_WAITS
from bot.slack.wording.reasons import NOT_COPIED
from bot.usecases.notifications.cards import NEWS
from tests.chaos.deeds import BROKE, DONE, Deed
from tests.chaos.history import Said
from tests.chaos.store import Happened
from tests.chaos.truth import ONLY_ASKED, Reason, Truth, base_of, pairs_of
from tests.chaos.violations import Violation

ACTIVE = re.compile(r"(You're on call\. )?You have \*|<@\w+> has \*")
_ENDED = re.compile(r"(Your|<@\w+>'s) \*[^*]+\* ended |.*; it ended |.*, so it ended ")
APPROVALS = ("voted", "approved", "agreed", "extended", "added to what is held")
DENIALS = ("denied", "extension denied")
SLACK = 0.05
"""Seconds between the moment of an answer and the moment that was noted for it."""


# ---------------------------------------------------------------------------------------- answers


def came_to_nothing(truth: Truth) -> Iterator[Violation]:
    """Answered as done, and not done."""
    for deed in truth.deeds:
        if deed.outcome == BROKE:
            yield Violation(what="broke", about=f"{deed}")
        if deed.outcome != DONE:
            continue
        if not _KEPT[deed.what](truth, deed) and not _may_be_lost(truth, deed):
            yield Violation(what="came to nothing", about=f"{deed}", grant=deed.grant)


def _may_be_lost(truth: Truth, deed: Deed) -> bool:
    """What it had led to died with a primary. That somebody's access ends is never lost without a word."""
    if deed.what in ("done", "revoke", "revoke all", "freeze") and NOT_COPIED not in deed.said:
        return False
    base = base_of(deed.grant)
    if base and base not in truth.books.grants and truth.was_lost(base, "asked"):
        return True  # nobody knows what was clicked on
    about = {deed.by, deed.person}
    return any(
        deed.sent - SLACK <= each.at <= deed.answered + SLACK
        and about & {each.entry.by, each.entry.facts.get("person")}
        for each in truth.lost
    )


def _asked(truth: Truth, deed: Deed) -> bool:
    """Anyone who has it already is told so, whatever the reason was then; also by a grant that was there at
    that moment, and died with a primary afterwards."""
    every = truth.by_person(deed.person, deed.resource)
    mine = [grant for grant in every if grant.reason == deed.reason]
    if deed.said.startswith(("You already have *", "You have *", "I'm already granting")):
        return any(deed.until in _ends(truth, grant) for grant in every) or deed.until in _ends_lost(
            truth, deed
        )
    if deed.said.startswith("You get"):
        return any(deed.until in _ends(truth, grant) for grant in mine)
    return bool(mine)


def _ends(truth: Truth, grant: Grant) -> set[int]:
    """All ends that were ever written down for it, in whole seconds."""
    return {int(each) for each in truth.ends_of(grant.id)}


def _ends_lost(truth: Truth, deed: Deed) -> set[int]:
    """Return the ends, in whole seconds, of what the person had then and is lost."""
    about = {"person": deed.person, "resource": deed.resource}
    facts = (each.entry.facts for each in truth.lost if each.at <= deed.answered + SLACK)
    return {
        int(datetime.fromisoformat(str(each["until"])).timestamp())
        for each in facts
        if "until" in each and about.items() <= each.items()
    }


def _decided(truth: Truth, deed: Deed) -> bool:
    """The vote counts, or why it does not is in the audit, and they were told."""
    base = base_of(deed.grant)
    grant = truth.books.grants.get(base)
    if grant is None:
        return False
    denies = deed.what == "deny"
    counted = DENIALS if denies else APPROVALS
    if any(
        each.entry.by == deed.by and each.entry.what in counted for each in truth.books.trail.get(base, ())
    ):
        return True
    refused = "denial refused" if denies else "approval refused"
    return any(
        each.entry.what == refused
        and each.entry.by == deed.by
        and deed.sent - SLACK <= each.at <= deed.answered + SLACK
        for each in truth.books.entries
    )


def _over(truth: Truth, deed: Deed) -> bool:
    """All that they had of it when they said so is over by the answer."""
    return all(
        _closed(truth, grant) <= deed.answered + SLACK
        for grant in truth.by_person(deed.person, deed.resource)
        if deed.grant in (None, grant.id) and grant.asked_at.timestamp() < deed.sent - SLACK
    )


def _closed(truth: Truth, grant: Grant) -> float:
    reason = truth.reason_of(grant.id)
    if reason:
        return reason.until
    return grant.ended_at.timestamp() if grant.ended_at else float("inf")


def _prolonged(truth: Truth, deed: Deed) -> bool:
    mine = truth.by_person(deed.person, deed.resource)
    if deed.said.startswith("Requested more time"):
        trail = (each.entry for grant in mine for each in truth.books.trail.get(grant.id, ()))
        wished = (str(each.facts.get("until")) for each in trail if each.what in ONLY_ASKED)
        return deed.until in {int(datetime.fromisoformat(each).timestamp()) for each in wished}
    return any(deed.until in _ends(truth, grant) for grant in mine)


def _written_down(what: str) -> Callable[[Truth, Deed], bool]:
    """They had it done, or done before where they were not answered."""

    def written(truth: Truth, deed: Deed) -> bool:
        return any(
            each.entry.what == what
            and each.entry.by == deed.by
            and each.entry.facts.get("person") in (None, deed.person)
            and each.at <= deed.answered + SLACK
            for each in truth.books.entries
        )

    return written


_KEPT: Mapping[str, Callable[[Truth, Deed], bool]] = {
    "ask": _asked,
    "approve": _decided,
    "less": _decided,
    "deny": _decided,
    "done": _over,
    "revoke": _over,
    "extend": _prolonged,
    "revoke all": lambda truth, deed: _over(truth, deed) and _written_down("banned")(truth, deed),
    "allow": _written_down("allowed"),
    "freeze": _written_down("frozen"),
    "unfreeze": _written_down("unfrozen"),
    "grant again": lambda *_: True,
    "end them": lambda *_: True,
}


def was_written(truth: Truth, deed: Deed) -> bool:
    """Though the person was told that it was not; they do one thing at a time."""
    first, last = (bisect_left(truth.books.entries, at, key=_at) for at in (deed.sent, deed.answered))
    return any(_whose(each) == deed.by for each in truth.books.entries[first:last])


def _at(each: Happened) -> float:
    return each.at


def _whose(each: Happened) -> object:
    """What policy approves by itself nobody but the one who asks does."""
    entry = each.entry
    return entry.by or (entry.facts.get("person") if entry.what == "approved" else None)


# ------------------------------------------------------------------------------------------ cards


def told_wrongly(truth: Truth) -> Iterator[Violation]:
    """Said to be there before it was, or to be gone while it was there."""
    whose = {
        (place.channel, place.ts): name for name, card in truth.books.cards.items() for place in card.places
    }
    for message, versions in truth.said.items():
        name = whose.get(message) or next((each.grant for each in versions if each.grant), None)
        reason = truth.reason_of(name) if name and name in truth.books.grants else None
        for said in versions:
            if reason:
                yield from _judged(truth, said, reason)
            elif ACTIVE.match(said.text) and not (name and truth.was_lost(name, "active")):
                yield Violation(what="told too early", about=f"nobody approved it: {said}", grant=name)


def _judged(truth: Truth, said: Said, reason: Reason) -> Iterator[Violation]:
    for pair in pairs_of(reason.grant):
        spans = truth.seen.of(pair)
        if ACTIVE.match(said.text):
            seen = any(span.possibly(reason.since, said.at) for span in spans)
            unseen = reason.active is None or said.at < reason.active
            if unseen and truth.was_lost(reason.grant.id, "active"):
                unseen = False  # it was active before, which is forgotten
            if unseen or (not seen and truth.missing(pair, reason.since, said.at)):
                about = f"said at {said.at:.3f} to have {pair[1]}, active {reason.active}: {said.text}"
                yield Violation(what="told too early", about=about, grant=reason.grant.id)
        elif _ENDED.match(said.text) and any(span.surely(said.at) for span in spans):
            others = (each for each in truth.reasons[pair] if each.grant.id != reason.grant.id)
            if not any(each.since <= said.at <= each.settled for each in others):
                about = f"said at {said.at:.3f} to have ended, {pair[1]} is there: {said.text}"
                yield Violation(what="told too early", about=about, grant=reason.grant.id)


Shows = Callable[[Grant, str, str], str]
"""What a card of the grant, or the message of an extension of it, is to say now to an audience."""


def cards_differ(truth: Truth, wanted: Shows) -> Iterator[Violation]:
    """What stands in Slack at the end is not how the grant ended, or what became of an extension."""
    for name, grant in truth.books.grants.items():
        if grant.open:
            continue
        for which in (name, *(each.id for each in grant.extensions)):
            yield from _card_differs(truth, grant, which, wanted)
        if grant.state in NEWS and not truth.books.cards.get(name, Card()).places:
            yield Violation(what="card missing", about="nobody was told", grant=name)


def _card_differs(truth: Truth, grant: Grant, which: str, wanted: Shows) -> Iterator[Violation]:
    for place in truth.books.cards.get(which, Card()).places:
        if place.ts is None:
            if not _never_shown(place.audience, grant):
                about = f"of {which} never posted to {place.channel}"
                yield Violation(what="card missing", about=about, grant=grant.id)
            continue
        last = truth.said[(place.channel, place.ts)][-1].text
        if last != (text := wanted(grant, which, place.audience)):
            about = f"of {which} says {last!r}, should say {text!r}"
            yield Violation(what="card differs", about=about, grant=grant.id)


def _never_shown(audience: str, grant: Grant) -> bool:
    """It was decided before the approvers could be asked."""
    return audience == APPROVER and grant.state is not State.ASKED


def homes_differ(truth: Truth) -> Iterator[Violation]:
    """At rest nobody waits, and whose grants are all over has nothing. A tab may still show what died with a
    primary, until it is opened again."""
    has = {truth.books.grants[name].person for name in truth.books.live}
    has |= {str(each.entry.facts.get("person")) for each in truth.lost}
    waits = () if any(each.entry.what == "asked" for each in truth.lost) else (NOTHING_WAITS,)
    for person, texts in truth.homes.items():
        wanted = {*waits, *(() if person in has else (NOTHING_MINE,))}
        if not wanted <= texts:
            yield Violation(what="home differs", about=f"of {person}: {sorted(texts)}")


def copies(truth: Truth) -> list[list[Said]]:
    """Messages that nobody keeps up to date: posted by a worker that did not live to write down where."""
    kept = {(place.channel, place.ts) for card in truth.books.cards.values() for place in card.places}
    return [list(each) for message, each in truth.said.items() if message not in kept and each[0].grant]
