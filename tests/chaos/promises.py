"""Violations of what people were told: answers, messages in all their versions, cards and Home tabs."""

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
from tests.chaos.actions import BROKE, DONE, Action
from tests.chaos.history import MessageVersion
from tests.chaos.truth import ONLY_ASKED, Reason, Truth, base_of, pairs_of
from tests.chaos.violations import Violation

ACTIVE = re.compile(r"(You're on call\. )?You have \*|<@\w+> has \*")
_ENDED = re.compile(r"(Your|<@\w+>'s) \*[^*]+\* ended |.*; it ended |.*, so it ended ")
APPROVALS = ("voted", "approved", "agreed", "extended", "added to what is held")
DENIALS = ("denied", "extension denied")
TOLERANCE = 0.05
"""Seconds between an answer and the time that was recorded for it."""


# ---------------------------------------------------------------------------------------- answers


def unkept_answers(truth: Truth) -> Iterator[Violation]:
    """Yield actions that were answered as done but were not done, or whose answer was an internal error."""
    for action in truth.actions:
        if action.outcome == BROKE:
            yield Violation(what="answered with an internal error", about=f"{action}")
        if action.outcome != DONE:
            continue
        if not _CHECKS[action.what](truth, action) and not _may_be_lost(truth, action):
            yield Violation(what="answered as done, but not done", about=f"{action}", grant=action.grant)


def _may_be_lost(truth: Truth, action: Action) -> bool:
    """Return whether its result may be lost with a primary. An end of access is never lost without a
    warning."""
    if action.what in ("done", "revoke", "revoke all", "freeze") and NOT_COPIED not in action.answer:
        return False
    base = base_of(action.grant)
    if base and base not in truth.ledger.grants and truth.was_lost(base, "asked"):
        return True  # nobody knows what was clicked on
    about = {action.by, action.person}
    return any(
        action.sent - TOLERANCE <= each.at <= action.answered + TOLERANCE
        and about & {each.entry.by, each.entry.facts.get("person")}
        for each in truth.lost
    )


def _is_requested(truth: Truth, action: Action) -> bool:
    """Return whether there is the grant that the answer is about. For people who have access already that is
    an earlier grant, possibly one that was lost with a primary afterwards."""
    every = truth.by_person(action.person, action.resource)
    mine = [grant for grant in every if grant.reason == action.reason]
    if action.answer.startswith(("You already have *", "You have *", "I'm already granting")):
        return any(action.until in _ends(truth, grant) for grant in every) or action.until in _ends_lost(
            truth, action
        )
    if action.answer.startswith("You get"):
        return any(action.until in _ends(truth, grant) for grant in mine)
    return bool(mine)


def _ends(truth: Truth, grant: Grant) -> set[int]:
    """Return all ends that its lease ever had, in whole seconds."""
    return {int(each) for each in truth.ends_of(grant.id)}


def _ends_lost(truth: Truth, action: Action) -> set[int]:
    """Return the ends, in whole seconds, of what the person had then and what is lost."""
    about = {"person": action.person, "resource": action.resource}
    facts = (each.entry.facts for each in truth.lost if each.at <= action.answered + TOLERANCE)
    return {
        int(datetime.fromisoformat(str(each["until"])).timestamp())
        for each in facts
        if "until" in each and about.items() <= each.items()
    }


def _is_decided(truth: Truth, action: Action) -> bool:
    """Return whether the vote counts, or the audit says why it does not."""
    base = base_of(action.grant)
    grant = truth.ledger.grants.get(base)
    if grant is None:
        return False
    denies = action.what == "deny"
    counted = DENIALS if denies else APPROVALS
    if any(
        each.entry.by == action.by and each.entry.what in counted for each in truth.ledger.trail.get(base, ())
    ):
        return True
    refused = "denial refused" if denies else "approval refused"
    return any(
        each.entry.what == refused
        and each.entry.by == action.by
        and action.sent - TOLERANCE <= each.at <= action.answered + TOLERANCE
        for each in truth.ledger.entries
    )


def _is_over(truth: Truth, action: Action) -> bool:
    """Return whether all grants that it is about were over by the time of the answer."""
    return all(
        _end_of(truth, grant) <= action.answered + TOLERANCE
        for grant in truth.by_person(action.person, action.resource)
        if action.grant in (None, grant.id) and grant.asked_at.timestamp() < action.sent - TOLERANCE
    )


def _end_of(truth: Truth, grant: Grant) -> float:
    reason = truth.reason_of(grant.id)
    if reason:
        return reason.until
    return grant.ended_at.timestamp() if grant.ended_at else float("inf")


def _is_extended(truth: Truth, action: Action) -> bool:
    mine = truth.by_person(action.person, action.resource)
    if action.answer.startswith("Requested more time"):
        trail = (each.entry for grant in mine for each in truth.ledger.trail.get(grant.id, ()))
        wished = (str(each.facts.get("until")) for each in trail if each.what in ONLY_ASKED)
        return action.until in {int(datetime.fromisoformat(each).timestamp()) for each in wished}
    return any(action.until in _ends(truth, grant) for grant in mine)


def _is_recorded_as(what: str) -> Callable[[Truth, Action], bool]:
    """Return a check that the person did this, then or earlier if they got no answer."""

    def is_recorded(truth: Truth, action: Action) -> bool:
        return any(
            each.entry.what == what
            and each.entry.by == action.by
            and each.entry.facts.get("person") in (None, action.person)
            and each.at <= action.answered + TOLERANCE
            for each in truth.ledger.entries
        )

    return is_recorded


_CHECKS: Mapping[str, Callable[[Truth, Action], bool]] = {
    "ask": _is_requested,
    "approve": _is_decided,
    "less": _is_decided,
    "deny": _is_decided,
    "done": _is_over,
    "revoke": _is_over,
    "extend": _is_extended,
    "revoke all": lambda truth, action: _is_over(truth, action) and _is_recorded_as("banned")(truth, action),
    "allow": _is_recorded_as("allowed"),
    "freeze": _is_recorded_as("frozen"),
    "unfreeze": _is_recorded_as("unfrozen"),
    "grant again": lambda *_: True,
    "end them": lambda *_: True,
}


def was_written(truth: Truth, action: Action) -> bool:
    """Return whether the action was recorded, though the person was told that it was not. People do one thing
    at a time, so any entry of theirs in that time is meant. Approvals by a rule are the requester's."""
    times = (action.sent, action.answered)
    first, last = (bisect_left(truth.ledger.entries, at, key=lambda each: each.at) for at in times)
    entries = (each.entry for each in truth.ledger.entries[first:last])
    by = (each.by or (each.facts.get("person") if each.what == "approved" else None) for each in entries)
    return action.by in by


# ------------------------------------------------------------------------------------------ cards


def false_messages(truth: Truth) -> Iterator[Violation]:
    """Yield messages that announced access before it was there, or its end while it was there."""
    whose = {
        (place.channel, place.ts): name for name, card in truth.ledger.cards.items() for place in card.places
    }
    for message, versions in truth.messages.items():
        name = whose.get(message) or next((each.grant for each in versions if each.grant), None)
        reason = truth.reason_of(name) if name and name in truth.ledger.grants else None
        for version in versions:
            if reason:
                yield from _false_versions(truth, version, reason)
            elif ACTIVE.match(version.text) and not (name and truth.was_lost(name, "active")):
                yield Violation(
                    what="announced too early", about=f"nobody approved it: {version}", grant=name
                )


def _false_versions(truth: Truth, version: MessageVersion, reason: Reason) -> Iterator[Violation]:
    for pair in pairs_of(reason.grant):
        spans = truth.observed.of(pair)
        if ACTIVE.match(version.text):
            observed = any(span.possibly_there(reason.since, version.at) for span in spans)
            too_early = reason.active is None or version.at < reason.active
            if too_early and truth.was_lost(reason.grant.id, "active"):
                too_early = False  # it was active before, but that is lost
            if too_early or (not observed and truth.find_gap(pair, reason.since, version.at)):
                about = (
                    f"announced at {version.at:.3f} to have {pair[1]}, active {reason.active}: {version.text}"
                )
                yield Violation(what="announced too early", about=about, grant=reason.grant.id)
        elif _ENDED.match(version.text) and any(span.surely_there(version.at) for span in spans):
            others = (each for each in truth.reasons[pair] if each.grant.id != reason.grant.id)
            if not any(each.since <= version.at <= each.settled for each in others):
                about = f"announced at {version.at:.3f} to have ended, {pair[1]} is there: {version.text}"
                yield Violation(what="announced too early", about=about, grant=reason.grant.id)


CardText = Callable[[Grant, str, str], str]
"""Return the text that a card of the grant, or of an extension of it, should have now for an audience."""


def wrong_cards(truth: Truth, wanted: CardText) -> Iterator[Violation]:
    """Yield cards whose last text is not about how the grant ended or what became of the extension."""
    for name, grant in truth.ledger.grants.items():
        if grant.open:
            continue
        for which in (name, *(each.id for each in grant.extensions)):
            yield from _wrong_places(truth, grant, which, wanted)
        if grant.state in NEWS and not truth.ledger.cards.get(name, Card()).places:
            yield Violation(what="card missing", about="nobody got one", grant=name)


def _wrong_places(truth: Truth, grant: Grant, which: str, wanted: CardText) -> Iterator[Violation]:
    for place in truth.ledger.cards.get(which, Card()).places:
        if place.ts is None:
            if not _was_decided_first(place.audience, grant):
                about = f"of {which} never posted to {place.channel}"
                yield Violation(what="card missing", about=about, grant=grant.id)
            continue
        last = truth.messages[(place.channel, place.ts)][-1].text
        if last != (text := wanted(grant, which, place.audience)):
            about = f"of {which} says {last!r}, should say {text!r}"
            yield Violation(what="card differs", about=about, grant=grant.id)


def _was_decided_first(audience: str, grant: Grant) -> bool:
    """Return whether it was decided before the approvers could be asked."""
    return audience == APPROVER and grant.state is not State.ASKED


def wrong_homes(truth: Truth) -> Iterator[Violation]:
    """Yield Home tabs that should say that nothing is waiting, or that the person has nothing, but do not. A
    tab may show what was lost with a primary until it is opened again."""
    has = {truth.ledger.grants[name].person for name in truth.ledger.live}
    has |= {str(each.entry.facts.get("person")) for each in truth.lost}
    waits = () if any(each.entry.what == "asked" for each in truth.lost) else (NOTHING_WAITS,)
    for person, texts in truth.homes.items():
        wanted = {*waits, *(() if person in has else (NOTHING_MINE,))}
        if not wanted <= texts:
            yield Violation(what="home differs", about=f"of {person}: {sorted(texts)}")


def duplicate_messages(truth: Truth) -> list[list[MessageVersion]]:
    """Return the messages that are not kept up to date: their worker died before it recorded where they
    are."""
    kept = {(place.channel, place.ts) for card in truth.ledger.cards.values() for place in card.places}
    return [list(each) for message, each in truth.messages.items() if message not in kept and each[0].grant]
