"""The bot's answers to commands and clicks, and the words of its lists and its Home tab."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bot.core.grants import LIVE, Grant, State
from bot.core.policy import Outcome
from bot.core.reasons import Reason, Why
from bot.slack.grammar.moments import Moment
from bot.slack.wording import cards
from bot.slack.wording.reasons import NOT_COPIED, say, trace_line
from bot.slack.wording.spoken import (
    code,
    for_length,
    in_words,
    lasting,
    people,
    person,
    resource_name,
    safe_text,
    until,
    when,
)
from bot.usecases.results import HELD, Asked, Extended, Offer, RevokedAll, Standing

NOT_RECORDED = "I can't record anything right now, so count this as not done. Please try again in a moment."
UNCONFIRMED = "I could not confirm this. `/access mine` shows whether it happened."
FOUND_OUT_LATER = "If I find out, I'll message you."
BROKEN = "Something went wrong here, and it is in my log. `/access mine` shows what is true now."
COPIED = "This card is a copy or an old one. Please use the one I posted, or `/access mine`."
NOTHING_MINE = "You have nothing now, and nothing is waiting."
NOTHING_OFFERED = "There is nothing you may ask for. Ask whoever keeps access.yaml."
NOT_CONFIRMED_OPEN = "If no form opened, you can type it."
GAVE_BACK_ALL = "Done: all that you had is being taken back now, and your requests are withdrawn."
FITS = "Nothing is decided yet. Press a button, or type `/access approve ID`."

STOPPED = (Why.REVOKED_LATELY, Why.FROZEN)
"""Reasons why a rule does not give what it would otherwise give."""

HAVE, WAITING, OFFERS = "What you have", "Waiting for you", "What you may ask for"
ASK = "Ask"
NOTHING_WAITS = "Nothing is waiting for you."

USAGE: Mapping[str, str] = {
    "request": "`/access request RESOURCE 4h because orders are stuck`: request access",
    "list": "`/access list`: what you may request",
    "mine": "`/access mine`: what you have, and what is waiting",
    "who": "`/access who RESOURCE`: who has it",
    "extend": "`/access extend RESOURCE 2h`: request more time",
    "done": "`/access done RESOURCE`: give it back, or withdraw your request; `done all`: everything",
    "approve": "`/access approve ID`: approve a request, by the id that `/access who RESOURCE` shows;"
    " `approve ID 1h`: for less",
    "deny": "`/access deny ID because …`: deny a request",
    "revoke": "`/access revoke @somebody RESOURCE because …`: revoke somebody's access",
}
"""RESOURCE stands for the name of one that the reader may request."""

SECURITY_USAGE: Mapping[str, str] = {
    "allow": "`/access allow @somebody`: let somebody whose access was all revoked have access again",
    "freeze": "`/access freeze because …`: stop automatic access for everybody",
    "unfreeze": "`/access unfreeze`: let automatic access start again",
}


def request_answer(answer: Asked) -> str:
    grant, what = answer.standing.grant, resource_name(answer.standing.grant.resource)
    if grant.state is State.ASKED:
        start = f"You have asked for {what} already" if answer.joined else f"Asked for {what}"
        return " ".join([f"{start} {for_length(grant.length)}.", *_waiting(grant)])
    if grant.state in LIVE:
        start = (
            f"You have {what} already, {until(answer.standing.until)}."
            if answer.joined
            else _granting(answer)
        )
        return f"{start} {_why(grant)}".strip()
    return standing(answer.standing)


def _granting(answer: Asked) -> str:
    grant = answer.standing.grant
    text = f"You get {resource_name(grant.resource)} {until(answer.standing.until)}."
    return f"{text}{_shorter(answer.standing)} I'm granting it now and will message you when it is there."


def _shorter(given: Standing) -> str:
    """Say how long that is, and why it is less than was requested."""
    grant = given.grant
    ground = grant.stands_on[0] if grant.stands_on else None
    if ground is None or ground.wanted is None:
        return f" That is {lasting(grant.length)}." if grant.length else ""
    wanted = lasting(grant.length) if grant.length else f"it {until(ground.wanted)}"
    if ground.cap and ground.until >= ground.cap:
        return f" You asked for {wanted}; that is as long as it may be."
    return f" You asked for {wanted}; for the rest ask approvers with `/access extend`."


def _why(grant: Grant) -> str:
    yes = [line for line in grant.trace if line.outcome == "yes"]
    return trace_line(yes[-1]) if yes else ""


def _waiting(grant: Grant) -> list[str]:
    if grant.undecided:
        return ["I'm still waiting for some information and will message you."]
    asked_whom = (
        f"I'm asking its approvers in {cards.channel(grant.asked_in)}."
        if grant.asked_in
        else f"I asked {people(grant.asked_people, 'and')}."
        if grant.asked_people
        else "Its approvers decide."
    )
    lapse = [f"Without an answer it expires {when(grant.lapses_at)}."] if grant.lapses_at else []
    told = (line for line in grant.trace if line.outcome == "cannot tell" or line.reason.why in STOPPED)
    return [*dict.fromkeys(map(trace_line, told)), asked_whom, *lapse]


def gave_back(done: Standing) -> str:
    what = resource_name(done.grant.resource)
    match done.grant.state:
        case State.WITHDRAWN:
            text = f"Withdrawn: your request for {what}."
        case State.ENDING:
            text = f"Done: {what} is being taken back now."
        case _:
            text = standing(done)
    return text if done.copied else f"{text} {NOT_COPIED}"


def gave_back_all(done: Standing) -> str:
    return GAVE_BACK_ALL if done.copied else f"{GAVE_BACK_ALL} {NOT_COPIED}"


def revoke_answer(done: Standing) -> str:
    what, whose = resource_name(done.grant.resource), person(done.grant.person)
    match done.grant.state:
        case State.ENDING:
            text = f"{what} is being taken back from {whose} now."
        case State.DENIED:
            text = f"Denied: the request of {whose} for {what}."
        case _:
            text = standing(done)
    return text if done.copied else f"{text} {NOT_COPIED}"


def revoked_all(done: RevokedAll) -> str:
    whose, lost = person(done.person), [_count(done.ended, "grant"), _count(done.denied, "request")]
    had = in_words([each for each in lost if each], "and")
    start = f"Revoked everything from {whose}: {had}." if had else f"{whose} had nothing to revoke."
    text = f"{start} Until `/access allow {whose}` nothing is given to {whose}, and their votes do not count."
    return text if done.copied else f"{text} {NOT_COPIED}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}" if count else ""


def allow_answer(who: str) -> str:
    return f"{person(who)} is allowed again: rules and approvers can give them access."


def frozen(*, copied: bool) -> str:
    text = (
        "Frozen: no rule and no shift gives anything until `/access unfreeze`. What is live stays, and"
        " approvers still decide."
    )
    return text if copied else f"{text} {NOT_COPIED}"


def unfrozen() -> str:
    return "The freeze is over: rules and shifts give access again, and shifts that are under way start now."


def approve_answer(done: Standing) -> str:
    grant, what, whose = done.grant, resource_name(done.grant.resource), person(done.grant.person)
    if grant.state is State.ASKED:
        still = cards.missing(grant.approvals - len(grant.votes))
        return f"Your approval counts: {what} for {whose}. {still}".strip()
    if done.extension:
        still = cards.missing(done.extension.approvals - len(done.extension.votes))
        return f"Your approval counts: more time of {what} for {whose}. {still}".strip()
    if grant.state in LIVE:
        return f"Approved: {whose} gets {what} {until(done.until)}."
    if grant.state is State.WAITING:
        return f"Agreed: {whose} gets {what} from {when(grant.starts_at)} {for_length(grant.length)}."
    if grant.state is State.ADDED:
        return f"Approved: {whose} had {what} already, and has it {until(grant.until)} now."
    return standing(done)


def deny_answer(done: Standing) -> str:
    what = resource_name(done.grant.resource)
    more = "more time of " if done.grant.state in LIVE else ""
    return f"Denied: {more}{what} for {person(done.grant.person)}."


def extend_answer(answer: Extended) -> str:
    grant = answer.standing.grant
    what = resource_name(grant.resource)
    if answer.asked:
        end = cards.end_of(answer.asked)
        return f"Asked approvers for {what} {end}. Until they decide it ends {when(answer.standing.until)}."
    text = f"{what} now ends {when(answer.standing.until)}."
    return f"{text} That is as late as it may be." if answer.capped else text


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
            return f"agreed, from {when(grant.starts_at)} {for_length(grant.length)}"
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
    if each.outcome == HELD:
        return f"{resource_name(resource)} {safe_text(resource.title, 150)}: {held_by(each.reason)}"
    how = "given at once" if each.outcome == Outcome.APPROVE else "approvers decide"
    why = "" if each.reason.why is Why.APPROVERS_ASKED else f" {say(each.reason)}"
    most = lasting(resource.lengths.max)
    return f"{resource_name(resource)} {safe_text(resource.title, 150)}: {how}, up to {most}.{why}"


def held_by(reason: Reason) -> str:
    """Say who has what only one may have, as far as the reader may know, and until when."""
    who, until_at = reason.facts.get("by_person"), reason.facts.get("until_at")
    by = person(str(who)) if who else "somebody else"
    return f"held by {by} until {when(int(until_at))}." if until_at else f"held by {by}."


def nobody_has(resource: str) -> str:
    return f"Nobody has {resource_name(resource)}, and nobody is waiting for it."


def who_has(resource: str) -> str:
    return f"Who has {resource_name(resource)}, or waits for it:"


def left_out(count: int) -> str:
    return f"… and {count} more." if count else ""


def help_text(names: Sequence[str], topic: str = "") -> str:
    """Return the help. ``names``: resources that the reader may request; the first is the example."""
    example = safe_text(names[0], 80) if names else "RESOURCE"
    usage = {**USAGE, **SECURITY_USAGE}.get(topic)
    if usage:
        return f"Write it like this: {usage.replace('RESOURCE', example)}."
    lines = ["I give you access to production while you are on call or approved.", *USAGE.values()]
    return "\n".join(line.replace("RESOURCE", example) for line in lines)


def moment(each: Moment) -> str:
    """Return a point in time much as it was typed."""
    return f"in {lasting(each.after)}" if each.after else f"{each.day} {each.clock}".strip()


def nothing_fits(which: str) -> str:
    """Say that nothing fits. ``which``: what was typed as a request's id; empty: a person was named."""
    return (
        f"Nothing is waiting for you {f'under {code(which)}' if which else 'from this person'}."
        " `/access who` with a resource's name shows what is open, with its id."
    )


def unknown(word: str, meant: tuple[str, ...], names: Sequence[str]) -> str:
    if meant:
        verbs = in_words([f"`/access {verb}`" for verb in meant], "or")
        return f"I don't know {code(word)}. Did you mean {verbs}? Nothing has changed."
    name = word.casefold()
    if name in names:
        return f"To request {resource_name(name)}: `/access request {safe_text(name, 80)} 2h because …`."
    return f"I don't know {code(word)}. `/access help` shows what I can do."


def plainly(text: str) -> str:
    """Return the text for places where Slack shows plain text only."""
    return re.sub(r"<!date\^[^|]*\|([^>]*)>", r"\1", text).replace("*", "").replace("`", "")
