"""The bot's answers to commands and clicks, and the words of its lists and its Home tab."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bot.core.grants import LIVE, State
from bot.core.members import CANNOT_TELL, YES
from bot.core.policy import Outcome
from bot.core.reasons import Reason, Why
from bot.slack.grammar.moments import Moment
from bot.slack.wording import cards
from bot.slack.wording.reasons import NOT_COPIED, STATES, say_of, trace_line
from bot.slack.wording.spoken import (
    code,
    for_length,
    in_words,
    lasting,
    person,
    resource_name,
    safe_text,
    until,
    when,
    without_capital,
)
from bot.usecases.results import HELD, Asked, Extended, Offer, RevokedAll, Standing

NOT_RECORDED = (
    "I can't record anything right now, so please treat this as not done and try again in a moment."
)
UNCONFIRMED = "I couldn't confirm this. `/access mine` shows whether it happened."
FOUND_OUT_LATER = "I'll message you if I find out."
BROKEN = "Something went wrong; my log says what. `/access mine` shows how things stand now."
COPIED = "This card is a copy or an old one. Please use the one I posted, or `/access mine`."
NOTHING_MINE = "You have no access right now, and no open requests."
NOTHING_OFFERED = (
    "There is nothing that you can request. The people who maintain access.yaml can change that."
)
NOT_CONFIRMED_OPEN = "If no form opened, you can type it."
GAVE_BACK_ALL = "Done: I'm revoking all the access you had, and your open requests are withdrawn."
FITS = "Nothing is decided yet. Press a button, or type `/access approve ID`."

STOPPED = (Why.REVOKED_LATELY, Why.FROZEN)
"""Reasons why a rule does not give what it would otherwise give."""

HAVE, WAITING, OFFERS = "What you have", "Waiting for you", "What you can request"
REQUEST = "Request"
NOTHING_WAITS = "Nothing is waiting for you."

USAGE: Mapping[str, str] = {
    "request": "`/access request RESOURCE 4h because orders are stuck` requests access",
    "list": "`/access list` shows what you can request",
    "mine": "`/access mine` shows what you have and what is waiting",
    "who": "`/access who RESOURCE` shows who has it",
    "extend": "`/access extend RESOURCE 2h` requests more time",
    "done": "`/access done RESOURCE` gives it back, or withdraws your request; `/access done all` does so for"
    " everything",
    "approve": "`/access approve ID` approves the request with the id that `/access who RESOURCE` shows;"
    " `/access approve ID 1h` approves less time",
    "deny": "`/access deny ID because …` denies a request",
    "revoke": "`/access revoke @somebody RESOURCE because …` revokes somebody's access",
}
"""What each command does. RESOURCE stands for the name of one that the reader may request."""

SECURITY_USAGE: Mapping[str, str] = {
    "allow": "`/access allow @somebody` lets somebody whose access was all revoked have access again",
    "freeze": "`/access freeze because …` stops automatic access for everybody",
    "unfreeze": "`/access unfreeze` lets automatic access start again",
}


def request_answer(answer: Asked) -> str:
    grant, what = answer.standing.grant, resource_name(answer.standing.grant.resource)
    end = until(answer.standing.until)
    match grant.state:
        case State.ASKED:
            length = for_length(grant.length)
            start = (
                f"You already requested {what}, {length}." if answer.joined else f"Requested {what} {length}."
            )
            if grant.undecided:
                return f"{start} {cards.asking(grant)}"
            lapse = [f"Without an answer it expires {when(grant.lapses_at)}."] if grant.lapses_at else []
            stops = (
                line for line in grant.trace if line.outcome == CANNOT_TELL or line.reason.why in STOPPED
            )
            return " ".join([start, *dict.fromkeys(map(trace_line, stops)), cards.asking(grant), *lapse])
        case State.APPROVED if answer.joined:
            return f"I'm already granting you {what}, {end}."
        case State.APPROVED:
            return _granting(answer.standing)
        case State.ACTIVE:
            return f"You already have {what}, {end}." if answer.joined else f"You have {what} {end}."
        case _:
            return standing(answer.standing)


def _granting(given: Standing) -> str:
    """Say until when it is granted and why, and if that is less than was requested, why so."""
    grant = given.grant
    ground = grant.stands_on[0] if grant.stands_on else None
    wanted = ground.wanted if ground else None
    length = f" ({lasting(grant.length)})" if grant.length and wanted is None else ""
    yes = [line for line in grant.trace if line.outcome == YES]
    why = f": {without_capital(trace_line(yes[-1], 'you are'))}" if yes else "."
    text = f"You get {resource_name(grant.resource)} {until(given.until)}{length}{why}"
    if ground and wanted:
        requested = lasting(grant.length) if grant.length else f"it {until(wanted)}"
        text += f" You requested {requested}, "
        if ground.cap and ground.until >= ground.cap:
            text += "but this is the maximum."
        else:
            text += (
                f"but this ends with your shift; {code(f'/access extend {grant.resource}')} requests more."
            )
    return f"{text} I'm granting it now and will message you when it works."


def gave_back(done: Standing) -> str:
    what = resource_name(done.grant.resource)
    match done.grant.state:
        case State.WITHDRAWN:
            text = f"Withdrawn: your request for {what}."
        case State.ENDING:
            text = f"Done: I'm revoking your {what} now."
        case _:
            text = standing(done)
    return text if done.copied else f"{text} {NOT_COPIED}"


def gave_back_all(done: Standing) -> str:
    return GAVE_BACK_ALL if done.copied else f"{GAVE_BACK_ALL} {NOT_COPIED}"


def revoke_answer(done: Standing) -> str:
    what, whose = resource_name(done.grant.resource), person(done.grant.person)
    match done.grant.state:
        case State.ENDING:
            text = f"I'm revoking {what} from {whose} now."
        case State.DENIED:
            text = f"Denied: {whose}'s request for {what}."
        case _:
            text = standing(done)
    return text if done.copied else f"{text} {NOT_COPIED}"


def revoked_all(done: RevokedAll) -> str:
    whose = person(done.person)
    lost = [
        f"{count} {what}{'' if count == 1 else 's'}"
        for count, what in ((done.ended, "grant"), (done.denied, "open request"))
        if count
    ]
    start = f"{whose} had nothing to revoke."
    if lost:
        start = f"I'm revoking everything from {whose}: {in_words(lost, 'and')}."
    text = f"{start} Until `/access allow {whose}`, they get no access, and their votes don't count."
    return text if done.copied else f"{text} {NOT_COPIED}"


def allow_answer(who: str) -> str:
    return f"{person(who)} is allowed again: rules and approvers can give them access."


def frozen(*, copied: bool) -> str:
    text = (
        "Frozen: until `/access unfreeze`, no rule or shift gives access. Live access stays, and approvers"
        " can still approve."
    )
    return text if copied else f"{text} {NOT_COPIED}"


def unfrozen() -> str:
    return "The freeze is over: rules and shifts give access again, including shifts that are under way."


def approve_answer(done: Standing) -> str:
    grant, what, whose = done.grant, resource_name(done.grant.resource), person(done.grant.person)
    if grant.state is State.ASKED:
        still = cards.missing(grant.approvals - len(grant.votes))
        return f"Your approval of {whose}'s request for {what} counts. {still}".strip()
    if done.extension:
        still = cards.missing(done.extension.approvals - len(done.extension.votes))
        return f"Your approval of more time for {whose}'s {what} counts. {still}".strip()
    if grant.state in LIVE:
        return f"Approved: {whose} gets {what} {until(done.until)}."
    if grant.state is State.WAITING:
        return f"Approved: {whose} gets {what} from {when(grant.starts_at)} {for_length(grant.length)}."
    if grant.state is State.ADDED:
        return f"Approved: {whose} already had {what} and now has it {until(grant.until)}."
    return standing(done)


def deny_answer(done: Standing) -> str:
    what, whose = resource_name(done.grant.resource), person(done.grant.person)
    if done.grant.state in LIVE:
        return f"Denied: more time for {whose}'s {what}."
    return f"Denied: {whose}'s request for {what}."


def extend_answer(answer: Extended) -> str:
    what, end = resource_name(answer.standing.grant.resource), when(answer.standing.until)
    if answer.asked:
        more = f"Requested more time for {what} ({cards.end_of(answer.asked)})."
        return f"{more} I'm asking its approvers; unless they approve, it ends {end}."
    text = f"{what} now ends {end}."
    return f"{text} It can't end any later." if answer.capped else text


def standing(each: Standing, *, whose: bool = False) -> str:
    """Return one line about a grant, as in a list."""
    grant = each.grant
    who = f"{person(grant.person)}: " if whose else ""
    line = f"{who}{resource_name(grant.resource)}, {_state(each)}"
    if grant.state is State.ASKED:
        line += f", {for_length(grant.length)}"
    if each.extension:
        line += f"; more time is requested, {cards.end_of(each.extension)}, id {code(each.extension.id)}"
    shift = " (on call)" if grant.shift_ground else ""
    reason = f"\n> {safe_text(grant.reason, 200)}" if grant.reason else ""
    return f"{line}{shift}{reason}"


def _state(each: Standing) -> str:
    grant = each.grant
    if grant.overdue_since:
        return f"🚨 overdue since {when(grant.overdue_since)}"
    match grant.state:
        case State.ASKED:
            return f"waiting for approval, id {code(grant.id)}"
        case State.WAITING:
            return f"approved, from {when(grant.starts_at)} {for_length(grant.length)}"
        case State.APPROVED:
            return f"{STATES[grant.state]}, {until(each.until)}"
        case State.ACTIVE if each.live:
            return until(each.until)
        case State.ACTIVE | State.ENDING:
            return STATES[State.ENDING]
        case State.ENDED:
            return f"ended {when(grant.ended_at)}"
        case _:
            return STATES[grant.state]


def offer(each: Offer) -> str:
    resource = each.resource
    what = f"{resource_name(resource)} {safe_text(resource.title, 150)}".rstrip()
    if each.outcome == HELD:
        return f"{what}: {held_by(each.reason)}"
    how = "granted at once" if each.outcome == Outcome.APPROVE else "approvers decide"
    why = "" if each.reason.why is Why.APPROVERS_ASKED else f" {say_of(each.reason, 'You are')}"
    return f"{what}: {how}, up to {lasting(resource.lengths.max)}.{why}"


def held_by(reason: Reason) -> str:
    """Say who has what only one person can have, as far as the reader may know, and until when."""
    who, until_at = reason.facts.get("by_person"), reason.facts.get("until_at")
    by = person(str(who)) if who else "somebody else"
    return f"held by {by} until {when(int(until_at))}." if until_at else f"held by {by}."


def nobody_has(resource: str) -> str:
    return f"Nobody has {resource_name(resource)}, and nobody is waiting for it."


def who_has(resource: str) -> str:
    return f"Who has {resource_name(resource)} or is waiting for it:"


def left_out(count: int) -> str:
    return f"… and {count} more." if count else ""


def help_text(names: Sequence[str], topic: str = "") -> str:
    """Return the help. ``names``: resources that the reader may request; the first is the example."""
    example = safe_text(names[0], 80) if names else "RESOURCE"
    usage = {**USAGE, **SECURITY_USAGE}.get(topic)
    if usage:
        return f"{usage.replace('RESOURCE', example)}."
    lines = ["I give you access to production while you're on call or approved.", *USAGE.values()]
    return "\n".join(line.replace("RESOURCE", example) for line in lines)


def moment(each: Moment) -> str:
    """Return a point in time much as it was typed."""
    return f"in {lasting(each.after)}" if each.after else f"{each.day} {each.clock}".strip()


def nothing_fits(which: str) -> str:
    """Say that nothing fits. ``which``: what was typed as a request's id; empty: a person was named."""
    what = f"Nothing called {code(which)}" if which else "Nothing from this person"
    return f"{what} is waiting for you. `/access who RESOURCE` shows what is open, with ids."


def unknown(word: str, meant: tuple[str, ...], names: Sequence[str]) -> str:
    if meant:
        verbs = in_words([f"`/access {verb}`" for verb in meant], "or")
        return f"I don't know {code(word)}. Did you mean {verbs}? Nothing changed."
    name = word.casefold()
    if name in names:
        return f"To request {resource_name(name)}: `/access request {safe_text(name, 80)} 2h because …`."
    return f"I don't know {code(word)}. `/access help` shows what I can do."


def plainly(text: str) -> str:
    """Return the text for places where Slack shows plain text only."""
    return re.sub(r"<!date\^[^|]*\|([^>]*)>", r"\1", text).replace("*", "").replace("`", "")
