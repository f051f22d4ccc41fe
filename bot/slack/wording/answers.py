"""What the bot answers to a command or a click, and what its lists and its Home tab say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

from bot.core.grants import LIVE, Grant, Origin, State
from bot.core.policy import Outcome
from bot.core.reasons import Why
from bot.slack.wording import cards
from bot.slack.wording.reasons import NOT_COPIED, say, traced
from bot.slack.wording.spoken import (
    code,
    for_length,
    in_words,
    lasting,
    named,
    people,
    person,
    typed,
    until,
    when,
)
from bot.usecases.answers import Asked, Extended, Offer, RevokedAll, Standing

NOT_RECORDED = (
    "I cannot write anything down just now, so count this as not done. Please try again in a moment."
)
UNCONFIRMED = "I could not confirm this. `/access mine` shows whether it happened."
FOUND_OUT_LATER = "If I find out, I'll message you."
BROKEN = "Something went wrong here, and it is in my log. `/access mine` shows what is true now."
COPIED = "This card is a copy or an old one. Please use the one I posted, or `/access mine`."
NOTHING_MINE = "You have nothing now, and nothing is waiting."
NOTHING_OFFERED = "There is nothing you may ask for. Ask whoever keeps access.yaml."
NOT_OPENED = "The form did not open."

STOPPED = (Why.REVOKED_LATELY, Why.FROZEN)
"""Reasons why a rule does not give what it would give otherwise."""

HAVE, WAITING, OFFERS = "What you have", "Waiting for you", "What you may ask for"
ASK = "Ask"
NOTHING_WAITS = "Nothing waits for you."

USAGE: Mapping[str, str] = {
    "request": "`/access request prod-db 4h because orders are stuck`: ask for access",
    "list": "`/access list`: what you may ask for",
    "mine": "`/access mine`: what you have, and what is waiting",
    "who": "`/access who prod-db`: who has it",
    "extend": "`/access extend prod-db 2h`: ask for more time",
    "done": "`/access done prod-db`: give it back, or withdraw your ask",
    "approve": "`/access approve ID`: approve an ask, by the id that `/access who prod-db` shows",
    "deny": "`/access deny ID because …`: turn an ask down",
    "revoke": "`/access revoke @ada prod-db because …`: take it back from somebody",
}


def asked(answer: Asked) -> str:
    grant, what = answer.standing.grant, named(answer.standing.grant.resource)
    if grant.state is State.ASKED:
        start = f"You have asked for {what} already" if answer.joined else f"Asked for {what}"
        return " ".join([f"{start} {for_length(grant.length)}.", *_waiting(grant)])
    if grant.state in LIVE:
        start = (
            f"You have {what} already, {until(answer.standing.until)}." if answer.joined else _given(answer)
        )
        return f"{start} {_why(grant)}".strip()
    return standing(answer.standing)


def _given(answer: Asked) -> str:
    grant = answer.standing.grant
    text = f"You get {named(grant.resource)} {until(answer.standing.until)}."
    return f"{text}{_shorter(answer.standing)} It is being given now; I tell you when it is there."


def _shorter(given: Standing) -> str:
    """Where the shift ends before what was asked for does."""
    grant = given.grant
    if not (given.until and grant.approved_at and grant.length):
        return f" That is {lasting(grant.length)}." if grant.length else ""
    if given.until - grant.approved_at >= timedelta(seconds=grant.length - 1):
        return f" That is {lasting(grant.length)}."
    return f" You asked for {lasting(grant.length)}; for the rest ask approvers with `/access extend`."


def _why(grant: Grant) -> str:
    yes = [line for line in grant.trace if line.outcome == "yes"]
    return traced(yes[-1]) if yes else ""


def _waiting(grant: Grant) -> list[str]:
    if grant.undecided:
        return ["It is written down and waits for facts that are missing just now; you hear from me."]
    asked_whom = (
        f"Its approvers are asked in {cards.channel(grant.asked_in)}."
        if grant.asked_in
        else f"I asked {people(grant.asked_people, 'and')}."
        if grant.asked_people
        else "Its approvers decide."
    )
    lapse = [f"It lapses {when(grant.lapses_at)}."] if grant.lapses_at else []
    told = (line for line in grant.trace if line.outcome == "cannot tell" or line.reason.why in STOPPED)
    return [*dict.fromkeys(map(traced, told)), asked_whom, *lapse]


def gave_back(done: Standing) -> str:
    what = named(done.grant.resource)
    match done.grant.state:
        case State.WITHDRAWN:
            text = f"Withdrawn: your ask for {what}."
        case State.ENDING:
            text = f"Done: {what} is being taken back now."
        case _:
            text = standing(done)
    return text if done.copied else f"{text} {NOT_COPIED}"


def revoked(done: Standing) -> str:
    what, whose = named(done.grant.resource), person(done.grant.person)
    match done.grant.state:
        case State.ENDING:
            text = f"{what} is being taken back from {whose} now."
        case State.DENIED:
            text = f"Denied: the ask of {whose} for {what}."
        case _:
            text = standing(done)
    return text if done.copied else f"{text} {NOT_COPIED}"


def revoked_all(done: RevokedAll) -> str:
    whose, lost = person(done.person), [_counted(done.ended, "grant"), _counted(done.denied, "request")]
    had = in_words([each for each in lost if each], "and")
    start = f"Revoked everything from {whose}: {had}." if had else f"{whose} had nothing to revoke."
    text = f"{start} Until `/access allow {whose}` nothing is given to {whose}, and their votes do not count."
    return text if done.copied else f"{text} {NOT_COPIED}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}" if count else ""


def allowed(who: str) -> str:
    return f"{person(who)} is allowed again: rules and approvers can give them access."


def frozen(*, copied: bool) -> str:
    text = (
        "Frozen: no rule and no shift gives anything until `/access unfreeze`. What is live stays, and"
        " approvers still decide."
    )
    return text if copied else f"{text} {NOT_COPIED}"


def unfrozen() -> str:
    return "The freeze is over: rules and shifts give access again, and shifts that are under way start now."


def approved(done: Standing) -> str:
    grant, what, whose = done.grant, named(done.grant.resource), person(done.grant.person)
    if grant.state is State.ASKED:
        still = cards.missing(grant.approvals - len(grant.votes))
        return f"Your approval counts: {what} for {whose}. {still}".strip()
    if grant.state in LIVE:
        return f"Approved: {whose} gets {what} {until(done.until)}."
    return standing(done)


def denied(done: Standing) -> str:
    return f"Denied: {named(done.grant.resource)} for {person(done.grant.person)}."


def extended(answer: Extended) -> str:
    grant = answer.standing.grant
    what = named(grant.resource)
    if answer.ask:
        more = for_length(answer.ask.length)
        asked_for = (
            f"Asked approvers for {what} {more} more."
            if answer.ask.length
            else f"Asked approvers for {what}."
        )
        return f"{asked_for} Until they decide it ends {when(answer.standing.until)}."
    text = f"{what} now ends {when(answer.standing.until)}."
    return f"{text} That is as late as it may be." if answer.capped else text


def standing(each: Standing, *, whose: bool = False) -> str:
    """One line about a grant, as in a list."""
    grant = each.grant
    who = f"{person(grant.person)}: " if whose else ""
    line = f"{who}{named(grant.resource)}, {_state(each)}"
    if grant.state is State.ASKED:
        line += f", {for_length(grant.length)}"
    shift = " (on call)" if grant.origin is Origin.SHIFT else ""
    reason = f"\n> {typed(grant.reason, 200)}" if grant.reason else ""
    return f"{line}{shift}{reason}"


def _state(each: Standing) -> str:
    grant = each.grant
    if grant.overdue_since:
        return f"🚨 overdue since {when(grant.overdue_since)}"
    match grant.state:
        case State.ASKED:
            return f"waiting for approval, id {code(grant.id)}"
        case State.APPROVED:
            return f"being given, {until(each.until)}"
        case State.ACTIVE if each.live:
            return until(each.until)
        case State.ACTIVE | State.ENDING:
            return "being taken back"
        case State.ENDED:
            return f"ended {when(grant.ended_at)}"
        case _:
            return grant.state.value


def offer(each: Offer) -> str:
    resource = each.resource
    how = "given at once" if each.outcome == Outcome.APPROVE else "approvers decide"
    why = "" if each.reason.why is Why.APPROVERS_ASKED else f" {say(each.reason)}"
    most = lasting(resource.lengths.max)
    return f"{named(resource)} {typed(resource.title, 150)}: {how}, up to {most}.{why}"


def nobody_has(resource: str) -> str:
    return f"Nobody has {named(resource)}, and nobody is waiting for it."


def who_has(resource: str) -> str:
    return f"Who has {named(resource)}, or waits for it:"


def left_out(count: int) -> str:
    return f"… and {count} more." if count else ""


def help_text(topic: str = "") -> str:
    if topic in USAGE:
        return f"Write it like this: {USAGE[topic]}."
    return "\n".join(["I give you access to production while you are on call or approved.", *USAGE.values()])


def unknown(word: str, meant: tuple[str, ...]) -> str:
    if meant:
        verbs = in_words([f"`/access {verb}`" for verb in meant], "or")
        return f"I do not know {code(word)}. Did you mean {verbs}? Nothing has changed."
    ask = f"To ask for access: `/access request {typed(word, 80)} 2h because …`."
    return f"I do not know {code(word)}. {ask} `/access help` shows the rest."


def plainly(text: str) -> str:
    """For places where Slack shows plain text only."""
    return re.sub(r"<!date\^[^|]*\|([^>]*)>", r"\1", text).replace("*", "").replace("`", "")
