"""What a card says about its grant: to the approvers, and to who holds it."""

from __future__ import annotations

from bot.core.grants import SETTLED, Grant, HoldState, Origin, State
from bot.core.members import YES
from bot.core.reasons import Why
from bot.ports import CardView
from bot.slack.wording.reasons import NOT_COPIED, refusal, say, traced
from bot.slack.wording.spoken import for_length, in_words, named, people, person, typed, until, when

LONGEST_REASON = 1_500

APPROVE, APPROVE_LESS, DENY = "Approve", "Approve for less", "Deny"
EXTEND, GIVE_BACK, WITHDRAW, ASK_AGAIN = "Extend", "Done", "Withdraw", "Ask again"

_SESSIONS = {
    "ended": "Open sessions are ended with it.",
    "ended_on_primary": "Open sessions are ended with it, except any on replicas.",
    "kept": "Open sessions stay open when it ends.",
    "unknown": "Whether open sessions end with it depends on the target.",
}


def headline(view: CardView, *, to_holder: bool) -> str:
    """Who has what, or wants it, and until when: the sentence that is also the notification."""
    grant = view.grant
    if grant.overdue_since:
        return _overdue(grant, to_holder=to_holder)
    return _to_holder(view) if to_holder else _to_approver(view)


def _to_holder(view: CardView) -> str:
    grant, what = view.grant, named(view.grant.resource)
    match grant.state:
        case State.ASKED:
            return f"You asked for {what} {_length(grant)}. {_who_decides(grant, view.needed)}"
        case State.APPROVED:
            return f"{_on_call(grant)}You get {what} {until(grant.until)}. It is being given now."
        case State.ACTIVE:
            return f"{_on_call(grant)}You have {what} {until(grant.until)}."
        case State.ENDING:
            return f"Your {what} is being taken back. {_why_ended(grant)}"
        case State.ENDED:
            return f"Your {what} ended {when(grant.ended_at)}. {_why_ended(grant)}"
        case State.DENIED:
            return f"You do not get {what}. {_denial(grant)}"
        case State.WITHDRAWN:
            return f"You withdrew your ask for {what}."
        case State.LAPSED:
            return f"Nobody decided about {what} in time, so it was not given."


def _to_approver(view: CardView) -> str:
    grant, who, what = view.grant, person(view.grant.person), named(view.grant.resource)
    match grant.state:
        case State.ASKED:
            return f"{who} asks for {what} {_length(grant)}."
        case State.APPROVED:
            return f"{who} gets {what} {until(grant.until)}. It is being given now."
        case State.ACTIVE:
            return f"{who} has {what} {until(grant.until)}."
        case State.ENDING:
            return f"{what} is being taken back from {who}. {_why_ended(grant)}"
        case State.ENDED:
            return f"{what} of {who} ended {when(grant.ended_at)}. {_why_ended(grant)}"
        case State.DENIED:
            return f"{who} does not get {what}. {_denial(grant)}"
        case State.WITHDRAWN:
            return f"{who} withdrew the ask for {what}."
        case State.LAPSED:
            return f"{who} asked for {what}. Nobody decided in time, so it was not given."


def _overdue(grant: Grant, *, to_holder: bool) -> str:
    """Only the others are asked to remove it: its holder cannot, or should not be able to."""
    since, what = f"🚨 *Overdue since {when(grant.overdue_since)}:*", named(grant.resource)
    if to_holder:
        return f"{since} your {what} is over, but I could not revoke it. I keep trying; please do not use it."
    left = dict.fromkeys(h.entitlement.target for h in grant.gives if grant.holds.get(h.key) not in SETTLED)
    where = in_words([typed(target, 80) for target in left], "or")
    who = f"if you can remove access at {where}" if where else "if you can"
    return (
        f"{since} {what} of {person(grant.person)} could not be revoked. I keep trying;"
        f" {who}, please do it by hand."
    )


def _on_call(grant: Grant) -> str:
    return "You are on call. " if grant.origin is Origin.SHIFT else ""


def _length(grant: Grant) -> str:
    more = " more" if grant.follows and grant.length is not None else ""
    return for_length(grant.length) + more


def _who_decides(grant: Grant, needed: int) -> str:
    if grant.undecided:
        return "It is written down and waits for facts that are missing just now; you hear from me."
    who = people(grant.asked_people, "and")
    if grant.asked_in:
        asked = f"Its approvers are asked in {channel(grant.asked_in)}."
    else:
        asked = f"I asked {who}." if who else "Its approvers decide."
    return f"{asked} {missing(needed)}" if needed > 1 else asked


def channel(name: str) -> str:
    return f"<#{name}>" if name[:1] in ("C", "G") and name.isalnum() else typed(name, 80)


def _denial(grant: Grant) -> str:
    if grant.decided_by is None:
        return refusal(grant.ended) if grant.ended else "The policy does not allow it."
    by = f"Denied by {person(grant.decided_by)}"
    if grant.ended is None:
        return f"{by}."
    said = grant.ended.facts.get("said") if grant.ended.why in (Why.DENIED, Why.REVOKED) else None
    return f"{by}: {typed(str(said))}" if said else f"{by}."


def _why_ended(grant: Grant) -> str:
    return say(grant.ended) if grant.ended else ""


# ----------------------------------------------------------------------------------- further lines


def why(grant: Grant) -> str:
    """What the person said, as a quotation."""
    return f"> {typed(grant.reason, LONGEST_REASON)}" if grant.reason else ""


def gives(view: CardView) -> str:
    """The resource's title, what it gives, and what becomes of open sessions."""
    what = ", ".join(typed(each, 120) for each in view.gives[:10])
    more = f" and {len(view.gives) - 10} more" if len(view.gives) > 10 else ""
    parts = [f"{typed(view.title, 150)}."] if view.title else []
    if what:
        parts.append(f"Gives {what}{more}.")
    if view.sessions:
        parts.append(_SESSIONS.get(view.sessions) or typed(view.sessions, 200))
    return " ".join(parts)


def votes(view: CardView) -> str:
    """Who approved, and how many are missing."""
    grant = view.grant
    voters = people([vote.person for vote in grant.votes], "and", most=10)
    by = f"Approved by {voters}." if voters else ""
    open_and_more = grant.state is State.ASKED and (view.needed > 1 or grant.votes)
    return " ".join(part for part in (by, missing(view.needed) if open_and_more else "") if part)


def missing(needed: int) -> str:
    if needed < 1:
        return ""
    return f"{needed} approvals are missing." if needed > 1 else "1 approval is missing."


def trace(grant: Grant) -> str:
    """Why it was given, or why a human is asked."""
    if not grant.trace:
        return ""
    lines = [f"{'✓' if line.outcome == YES else '·'} {traced(line)}" for line in grant.trace[:8]]
    asked = "is" if grant.state is State.ASKED else "was"
    head = f"Why a human {asked} asked:" if grant.rule == "approvers" else "Why it was given:"
    return "\n".join([head, *lines])


def trouble(view: CardView) -> str:
    """What does not work just now, and what is left of it at the end."""
    grant = view.grant
    lines = []
    if grant.trouble and grant.open:
        lines.append(f"⚠️ {typed(grant.trouble.rstrip('. '))}. I keep trying.")
    elif grant.trouble:
        lines.append(f"⚠️ {typed(grant.trouble.rstrip('. '))}.")
    if HoldState.KEPT in grant.holds.values() or grant.kept_by:
        lines.append(_kept(view))
    if grant.left_by and not grant.open:
        lines.append(f"They still have it from {typed(grant.left_by, 80)}, who granted it meanwhile.")
    if grant.had_before and grant.state is not State.ASKED:
        lines.append("The account had this access before, by other means; that is left as it was.")
    if not view.copied:
        lines.append(NOT_COPIED)
    return "\n".join(lines)


def _kept(view: CardView) -> str:
    end = f" {until(view.kept_until)}" if view.kept_until else ""
    return f"The access itself is kept{end}: another grant of {person(view.grant.person)} needs it."


def lapses(grant: Grant) -> str:
    if grant.state is State.ASKED and grant.lapses_at:
        return f"If nobody decides, this lapses {when(grant.lapses_at)}."
    return ""
