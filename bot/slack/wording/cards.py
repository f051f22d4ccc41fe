"""The words of a card about its grant: to the approvers, and to its holder."""

from __future__ import annotations

from collections.abc import Sequence

from bot.core.grants import SETTLED, Answer, Cause, Extension, Grant, Ground, HoldState, State, Traced
from bot.core.members import YES
from bot.core.reasons import Why
from bot.ports.slack import CardView
from bot.slack.wording.reasons import NOT_COPIED, refusal, say, trace_line
from bot.slack.wording.spoken import (
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

LONGEST_REASON = 1_500

APPROVE, APPROVE_LESS, DENY = "Approve", "Approve for less", "Deny"
EXTEND, GIVE_BACK, WITHDRAW, ASK_AGAIN = "Extend", "Done", "Withdraw", "Ask again"

_SESSIONS = {
    "ended": "Open sessions are closed when it ends.",
    "ended_on_primary": "Open sessions are closed when it ends, except any on replicas.",
    "kept": "Open sessions stay open when it ends.",
    "unknown": "Whether open sessions end with it depends on the target.",
}


def headline(view: CardView, *, to_holder: bool) -> str:
    """Return the sentence that is also the notification: who has what, or wants it, and until when."""
    grant = view.grant
    if view.extension:
        return _of_extension(view, view.extension)
    if grant.overdue_since:
        return _overdue(grant, to_holder=to_holder)
    return _to_holder(view) if to_holder else _to_approver(view)


def _to_holder(view: CardView) -> str:
    grant, what = view.grant, resource_name(view.grant.resource)
    match grant.state:
        case State.APPROVED:
            return f"{_on_call(grant)}You get {what} {until(grant.until)}. It is being given now."
        case State.ACTIVE:
            return f"{_on_call(grant)}You have {what} {until(grant.until)}."
        case State.ENDING:
            return f"Your {what} is being taken back. {_why_ended(grant)}"
        case State.ENDED:
            return f"Your {what} ended {when(grant.ended_at)}. {_why_ended(grant)}"
        case _:
            return _own_request(view)


def _own_request(view: CardView) -> str:
    grant, what = view.grant, resource_name(view.grant.resource)
    match grant.state:
        case State.ASKED:
            return f"You asked for {what} {_length(grant)}. {_who_decides(grant, view.needed)}"
        case State.WAITING:
            return f"Agreed: you get {what} from {when(grant.starts_at)} {_length(grant)}."
        case State.ADDED:
            return f"Approved: you had {what} already; with this it was to end {when(grant.until)}."
        case State.WITHDRAWN:
            return f"You withdrew your request for {what}."
        case State.LAPSED:
            return _lapse(grant) or f"Nobody decided about {what} in time, so it was not given."
        case _:
            return _denial(grant, f"your request for {what}") or f"You do not get {what}. {_no(grant)}"


def _to_approver(view: CardView) -> str:
    grant, who, what = view.grant, person(view.grant.person), resource_name(view.grant.resource)
    match grant.state:
        case State.APPROVED:
            return f"{who} gets {what} {until(grant.until)}. It is being given now."
        case State.ACTIVE:
            return f"{who} has {what} {until(grant.until)}."
        case State.ENDING:
            return f"{what} is being taken back from {who}. {_why_ended(grant)}"
        case State.ENDED:
            return f"{what} of {who} ended {when(grant.ended_at)}. {_why_ended(grant)}"
        case _:
            return _others_request(grant, who, what)


def _others_request(grant: Grant, who: str, what: str) -> str:
    match grant.state:
        case State.ASKED:
            return f"{who} asks for {what} {_length(grant)}."
        case State.WAITING:
            return f"Agreed: {who} gets {what} from {when(grant.starts_at)} {_length(grant)}."
        case State.ADDED:
            return f"Approved: {who} had {what} already; with this it was to end {when(grant.until)}."
        case State.WITHDRAWN:
            return f"{who} withdrew the request for {what}."
        case State.LAPSED:
            return _lapse(grant) or f"{who} asked for {what}. Nobody decided in time, so it was not given."
        case _:
            whose = f"the request of {who} for {what}"
            return _denial(grant, whose) or f"{who} does not get {what}. {_no(grant)}"


def _lapse(grant: Grant) -> str:
    """Say why what was agreed did not begin; empty if nobody decided."""
    if grant.ended is None or grant.ended.why is Why.ASK_LAPSED:
        return ""
    whose = f"{resource_name(grant.resource)} of {person(grant.person)}"
    return f"{whose} was agreed and did not begin. {refusal(grant.ended)}"


def _of_extension(view: CardView, extension: Extension) -> str:
    grant, who, what = view.grant, person(view.grant.person), resource_name(view.grant.resource)
    wanted = end_of(extension)
    match extension.answer:
        case None if view.waits:
            called = f"{people(extension.asked_people, 'and')}: " if extension.asked_people else ""
            return f"{called}{who} asks for more time: {what} {wanted}, now {until(grant.until)}."
        case Answer.APPROVED:
            return f"Approved: more time of {what} for {who}, {wanted}."
        case Answer.DENIED:
            by = f" by {person(extension.decided_by)}" if extension.decided_by else ""
            said = extension.why.facts.get("said") if extension.why else None
            why = f": {safe_text(str(said))}" if said else "."
            return f"Denied{by}: {who} asked for more time, {what} {wanted}{why}"
        case Answer.REPLACED:
            return f"{who} asked for {what} {wanted}, and then for another end instead."
        case _:
            return f"{who} asked for more time, {what} {wanted}. Nobody decided before it ended."


def end_of(extension: Extension) -> str:
    return "until the end of the shift" if extension.ends_with else until(extension.until)


def _overdue(grant: Grant, *, to_holder: bool) -> str:
    """Say that it is overdue. Only the others are asked to remove it: its holder cannot, or should not be
    able to."""
    since, what = f"🚨 *Overdue since {when(grant.overdue_since)}:*", resource_name(grant.resource)
    if to_holder:
        return f"{since} your {what} is over, but I could not revoke it. I keep trying; please do not use it."
    left = dict.fromkeys(h.entitlement.target for h in grant.gives if grant.holds.get(h.key) not in SETTLED)
    where = in_words([safe_text(target, 80) for target in left], "or")
    who = f"if you can remove access at {where}" if where else "if you can"
    return (
        f"{since} {what} of {person(grant.person)} could not be revoked. I keep trying;"
        f" {who}, please do it by hand."
    )


def _on_call(grant: Grant) -> str:
    return "You are on call. " if grant.shift_ground else ""


def _length(grant: Grant) -> str:
    more = " more" if grant.follows and grant.length is not None else ""
    begins = f" from {when(grant.starts_at)}" if grant.starts_at and grant.state is State.ASKED else ""
    return for_length(grant.length) + more + begins


def _who_decides(grant: Grant, needed: int) -> str:
    if grant.undecided:
        return "I'm still waiting for some information and will message you."
    who = people(grant.asked_people, "and")
    if grant.asked_in:
        asked = f"I'm asking its approvers in {channel(grant.asked_in)}."
    else:
        asked = f"I asked {who}." if who else "Its approvers decide."
    return f"{asked} {missing(needed)}" if needed > 1 else asked


def channel(name: str) -> str:
    return f"<#{name}>" if name[:1] in ("C", "G") and name.isalnum() else safe_text(name, 80)


def _denial(grant: Grant, what: str) -> str:
    """Say who denied it, with their words; empty if nobody did."""
    if grant.decided_by is None:
        return ""
    said = (
        grant.ended.facts.get("said")
        if grant.ended and grant.ended.why in (Why.DENIED, Why.REVOKED)
        else None
    )
    return f"{person(grant.decided_by)} denied {what}{f': {safe_text(str(said))}' if said else '.'}"


def _no(grant: Grant) -> str:
    return refusal(grant.ended) if grant.ended else "The policy does not allow it."


def _why_ended(grant: Grant) -> str:
    return say(grant.ended) if grant.ended else ""


# ----------------------------------------------------------------------------------- further lines


def why(grant: Grant) -> str:
    """Return the person's reason, as a quotation."""
    return f"> {safe_text(grant.reason, LONGEST_REASON)}" if grant.reason else ""


def gives(view: CardView) -> str:
    """Return the resource's title, what it gives, and what becomes of open sessions."""
    what = ", ".join(safe_text(each, 120) for each in view.gives[:10])
    more = f" and {len(view.gives) - 10} more" if len(view.gives) > 10 else ""
    parts = [f"{safe_text(view.title, 150)}."] if view.title else []
    if what:
        parts.append(f"Gives {what}{more}.")
    if view.sessions:
        parts.append(_SESSIONS.get(view.sessions) or safe_text(view.sessions, 200))
    return " ".join(parts)


def votes(view: CardView) -> str:
    """Say who approved, for how much, and how many approvals are missing."""
    grant, asked = view.grant, view.extension or view.grant
    voters = people([vote.person for vote in asked.votes], "and", most=10)
    less = ""
    if view.extension is None and grant.wished and grant.length is not None:
        less = f" {for_length(grant.length)}, of {lasting(grant.wished)} that were asked for"
    by = f"Approved by {voters}{less}." if voters else ""
    open_and_more = view.waits and (view.needed > 1 or asked.votes)
    return " ".join(part for part in (by, missing(view.needed) if open_and_more else "") if part)


def grounds(grant: Grant) -> str:
    """Say what it stands on and until when, if there is more than one ground."""
    standing = sorted(grant.stands_on, key=lambda each: each.until)
    if len(standing) < 2:
        return ""
    said = "; ".join(_ground(each) for each in standing)
    return f"{said[0].upper()}{said[1:]}."


def _ground(ground: Ground) -> str:
    by = people(ground.approved_by, "and")
    said = {
        Cause.SHIFT: "on shift",
        Cause.INCIDENT: "for the incident",
        Cause.BREAK_GLASS: "break-glass",
        Cause.RULE: "by policy",
        Cause.APPROVAL: f"approved by {by}" if by else "approved",
    }[ground.cause]
    return f"{said} {until(ground.until)}"


def extensions(grant: Grant) -> str:
    """Say what became of the newest request for more time."""
    newest = grant.extensions[-1] if grant.extensions else None
    if newest is None:
        return ""
    match newest.answer:
        case None:
            return f"More time is requested: {end_of(newest)}."
        case Answer.DENIED:
            by = f" by {person(newest.decided_by)}" if newest.decided_by else ""
            return f"More time ({end_of(newest)}) was denied{by}."
        case _:
            return ""


def missing(needed: int) -> str:
    if needed < 1:
        return ""
    return f"{needed} more approvals needed." if needed > 1 else "1 more approval needed."


def trace(grant: Grant) -> str:
    """Say why it was granted, or why people are asked."""
    needs = "needs" if grant.state is State.ASKED else "needed"
    head = f"Why this {needs} approval:" if grant.rule == "approvers" else "Why it was given:"
    return trace_of(grant.trace, head)


def trace_of(lines: Sequence[Traced], head: str = "Why this needs approval:") -> str:
    shown = [f"{'✓' if line.outcome == YES else '·'} {trace_line(line)}" for line in lines[:8]]
    return "\n".join([head, *dict.fromkeys(shown)]) if shown else ""


def trouble(view: CardView) -> str:
    """Say what does not work at the moment, and what remains of it after the end."""
    grant = view.grant
    lines = []
    if grant.trouble and grant.open:
        lines.append(f"⚠️ {safe_text(grant.trouble.rstrip('. '))}. I keep trying.")
    elif grant.trouble:
        lines.append(f"⚠️ {safe_text(grant.trouble.rstrip('. '))}.")
    lines += [f"{person(who)} still has this login {until(end)}." for who, end in view.shared_with[:5]]
    kept = HoldState.KEPT in grant.holds.values() or grant.kept_by
    if kept and grant.state is not State.ADDED and not view.shared_with:
        lines.append(_keeping(view))
    if grant.left_by and not grant.open:
        lines.append(f"They still have it from {safe_text(grant.left_by, 80)}, who granted it meanwhile.")
    if grant.had_before and grant.state is not State.ASKED:
        lines.append("The account had this access before, by other means; that is left as it was.")
    if not view.copied:
        lines.append(NOT_COPIED)
    return "\n".join(lines)


def _keeping(view: CardView) -> str:
    end = f" {until(view.kept_until)}" if view.kept_until else ""
    return f"The access itself is kept{end}: another grant of {person(view.grant.person)} needs it."


def lapses(grant: Grant) -> str:
    if grant.state is State.ASKED and grant.lapses_at:
        return f"Expires {when(grant.lapses_at)} if nobody decides."
    return ""
