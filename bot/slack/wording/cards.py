"""The words of a card about its grant: to the approvers, and to its holder."""

from __future__ import annotations

from collections.abc import Sequence

from bot.core.grants import SETTLED, Answer, Cause, Extension, Grant, HoldState, State, Traced
from bot.core.members import YES
from bot.core.reasons import Reason, Why
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
    with_capital,
    without_capital,
)

LONGEST_REASON = 1_500

APPROVE, APPROVE_LESS, DENY = "Approve", "Approve for less", "Deny"
EXTEND, GIVE_BACK, WITHDRAW, REQUEST_AGAIN = "Extend", "Done", "Withdraw", "Request again"

_SESSIONS = {
    "ended": "Open sessions are closed when it ends.",
    "ended_on_primary": "Open sessions are closed when it ends, except any on replicas.",
    "kept": "Open sessions stay open when it ends.",
    "endpoint": "Whether open sessions are closed when it ends depends on your endpoint.",
    "program": "Whether open sessions are closed when it ends depends on your program.",
    "unknown": "Whether open sessions are closed when it ends depends on the target.",
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
    on_call = "You're on call. " if grant.shift_ground else ""
    match grant.state:
        case State.APPROVED:
            return f"{on_call}You get {what} {until(grant.until)}. I'm granting it now."
        case State.ACTIVE:
            return f"{on_call}You have {what} {until(grant.until)}."
        case State.ENDING | State.ENDED:
            return _end(grant, "you", f"your {what}")
        case State.ASKED:
            return f"You requested {what} {_length(grant)}. {asking(grant)}"
        case State.WAITING:
            return f"Approved: you get {what} from {when(grant.starts_at)} {_length(grant)}."
        case State.ADDED:
            return f"Approved: you already had {what}, which then lasted {until(grant.until)}."
        case State.WITHDRAWN:
            return f"You withdrew your request for {what}."
        case _:
            return _refusal(grant, f"your request for {what}")


def _to_approver(view: CardView) -> str:
    grant, who, what = view.grant, person(view.grant.person), resource_name(view.grant.resource)
    match grant.state:
        case State.APPROVED:
            return f"{who} gets {what} {until(grant.until)}. I'm granting it now."
        case State.ACTIVE:
            return f"{who} has {what} {until(grant.until)}."
        case State.ENDING | State.ENDED:
            return _end(grant, who, f"{who}'s {what}")
        case State.ASKED:
            return f"{who} requests {what} {_length(grant)}."
        case State.WAITING:
            return f"Approved: {who} gets {what} from {when(grant.starts_at)} {_length(grant)}."
        case State.ADDED:
            return f"Approved: {who} already had {what}, which then lasted {until(grant.until)}."
        case State.WITHDRAWN:
            return f"{who} withdrew the request for {what}."
        case _:
            return _refusal(grant, f"{who}'s request for {what}")


def _end(grant: Grant, who: str, whose: str) -> str:
    """Say that it is being revoked, or when it ended, and why."""
    ended = f"ended {when(grant.ended_at)}" if grant.state is State.ENDED else "is being revoked"
    match grant.ended:
        case Reason(why=Why.GIVEN_BACK):
            return f"{with_capital(who)} gave {resource_name(grant.resource)} back; it {ended}."
        case Reason(why=Why.REVOKED, facts={"by_person": by, **facts}):
            said = f" (“{safe_text(str(facts['said']))}”)" if "said" in facts else ""
            return f"{person(str(by))} revoked {whose}{said}; it {ended}."
        case Reason(why=Why.COULD_NOT_GIVE):
            return f"I couldn't grant {whose}, so it {ended}."
        case Reason(why=Why.EXPIRED | Why.SHIFT_OVER) as why:
            return f"{with_capital(whose)} {ended}: {without_capital(say(why))}"
        case why:
            return f"{with_capital(whose)} {ended}.{f' {say(why)}' if why else ''}"


def _refusal(grant: Grant, request: str) -> str:
    """Say why a request came to nothing: nobody decided, somebody denied it, the policy did not allow it, or
    what was approved could not start."""
    why = grant.ended
    if grant.state is State.LAPSED:
        if why is None or why.why is Why.ASK_LAPSED:
            return f"Nobody decided on {request} in time, so it expired."
        return f"{with_capital(request)} was approved, but the access did not start. {refusal(why)}"
    if grant.decided_by is None:
        said = refusal(why) if why else "The policy does not allow it."
        return f"{with_capital(request)} was refused. {said}"
    said = str(why.facts.get("said") or "") if why and why.why in (Why.DENIED, Why.REVOKED) else ""
    return f"{person(grant.decided_by)} denied {request}{f': {safe_text(said)}' if said else '.'}"


def _of_extension(view: CardView, extension: Extension) -> str:
    who, what, end = person(view.grant.person), resource_name(view.grant.resource), end_of(extension)
    match extension.answer:
        case None if view.waits:
            called = f"{people(extension.asked_people, 'and')}: " if extension.asked_people else ""
            return f"{called}{who} requests more time for {what}: {end} (now {until(view.grant.until)})."
        case Answer.APPROVED:
            return f"Approved: more time for {who}'s {what} ({end})."
        case Answer.DENIED:
            said = extension.why.facts.get("said") if extension.why else None
            why = f": {safe_text(str(said))}" if said else "."
            if extension.decided_by is None:
                return f"Denied: more time for {who}'s {what} ({end}){why}"
            return f"{person(extension.decided_by)} denied more time for {who}'s {what} ({end}){why}"
        case Answer.REPLACED:
            return f"{who} requested more time for {what} ({end}), and then another end instead."
        case _:
            return f"{who} requested more time for {what} ({end}). Nobody decided before it ended."


def end_of(extension: Extension) -> str:
    return "until the end of the shift" if extension.ends_with else until(extension.until)


def _overdue(grant: Grant, *, to_holder: bool) -> str:
    """Say that it is overdue. Only the others are asked to remove it: its holder cannot, or should not be
    able to."""
    since, what = f"🚨 *Overdue since {when(grant.overdue_since)}:*", resource_name(grant.resource)
    if to_holder:
        return f"{since} your {what} is over, but I couldn't revoke it. I keep trying; please don't use it."
    left = dict.fromkeys(h.entitlement.target for h in grant.gives if grant.holds.get(h.key) not in SETTLED)
    where = in_words([safe_text(target, 80) for target in left], "or")
    who = f"if you can remove access at {where}" if where else "if you can"
    whose = f"{person(grant.person)}'s {what}"
    return f"{since} I couldn't revoke {whose}. I keep trying; {who}, please do it by hand."


def _length(grant: Grant) -> str:
    more = " more" if grant.follows and grant.length is not None else ""
    begins = f" from {when(grant.starts_at)}" if grant.starts_at and grant.state is State.ASKED else ""
    return for_length(grant.length) + more + begins


def asking(grant: Grant) -> str:
    """Say who is asked to decide, to the person who requested it."""
    if grant.undecided:
        return "I'm still waiting for some information and will message you."
    if grant.asked_in:
        return f"I'm asking its approvers in {channel(grant.asked_in)}."
    who = people(grant.asked_people, "and")
    return f"I'm asking {who}." if who else "Its approvers decide."


def channel(name: str) -> str:
    return f"<#{name}>" if name[:1] in ("C", "G") and name.isalnum() else safe_text(name, 80)


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
    if view.confirmed_by and view.grant.state is State.ACTIVE:
        parts.append(f"Confirmed by {in_words([f'your {each}' for each in view.confirmed_by], 'and')}.")
    if view.sessions:
        parts.append(_SESSIONS.get(view.sessions) or safe_text(view.sessions, 400))
    return " ".join(parts)


def votes(view: CardView) -> str:
    """Say who approved, for how much, and how many approvals are missing."""
    grant, asked = view.grant, view.extension or view.grant
    voters = people([vote.person for vote in asked.votes], "and", most=10)
    less = ""
    if view.extension is None and grant.wished and grant.length is not None:
        less = f" {for_length(grant.length)} of the {lasting(grant.wished)} requested"
    by = f"Approved by {voters}{less}." if voters else ""
    open_and_more = view.waits and (view.needed > 1 or asked.votes)
    return " ".join(part for part in (by, missing(view.needed) if open_and_more else "") if part)


def grounds(grant: Grant) -> str:
    """Say what it stands on and until when, if there is more than one ground."""
    standing = sorted(grant.stands_on, key=lambda each: each.until)
    if len(standing) < 2:
        return ""
    said = []
    for ground in standing:
        by = people(ground.approved_by, "and")
        how = {
            Cause.SHIFT: "on shift",
            Cause.INCIDENT: "for the incident",
            Cause.BREAK_GLASS: "break-glass",
            Cause.RULE: "by policy",
            Cause.APPROVAL: f"approved by {by}" if by else "approved",
        }[ground.cause]
        said.append(f"{how} {until(ground.until)}")
    return f"{with_capital('; '.join(said))}."


def extensions(grant: Grant) -> str:
    """Say what became of the newest request for more time."""
    newest = grant.extensions[-1] if grant.extensions else None
    if newest is None:
        return ""
    match newest.answer:
        case None:
            return f"More time is requested: {end_of(newest)}."
        case Answer.DENIED if newest.decided_by:
            return f"{person(newest.decided_by)} denied more time ({end_of(newest)})."
        case Answer.DENIED:
            return f"More time ({end_of(newest)}) was denied."
        case _:
            return ""


def missing(needed: int) -> str:
    if needed < 1:
        return ""
    return f"{needed} more approvals needed." if needed > 1 else "1 more approval needed."


def trace(grant: Grant, *, to_holder: bool) -> str:
    """Say by which rule it was approved, or why people are asked."""
    if grant.rule == "approvers":
        return trace_of(grant, grant.trace, asked=grant.state is State.ASKED, to_holder=to_holder)
    subject = "You are" if to_holder else f"{person(grant.person)} is"
    return _why_list("Why this was approved:", grant.trace, subject)


def trace_of(grant: Grant, lines: Sequence[Traced], *, asked: bool, to_holder: bool = False) -> str:
    """Say why people are asked, or once they have decided, why they were."""
    who = "You" if to_holder else person(grant.person)
    verb = ("are" if asked else "were") if to_holder else "is" if asked else "was"
    return _why_list(f"Why this {'needs' if asked else 'needed'} approval:", lines, f"{who} {verb}")


def _why_list(head: str, lines: Sequence[Traced], subject: str) -> str:
    shown = [(line.outcome == YES, trace_line(line, subject)) for line in lines[:8]]
    if len(set(shown)) == 1:
        return f"{head} {shown[0][1]}"
    return (
        "\n".join([head, *dict.fromkeys(f"{'✓' if yes else '·'} {said}" for yes, said in shown)])
        if shown
        else ""
    )


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
        end = f" {until(view.kept_until)}" if view.kept_until else ""
        lines.append(f"The access itself stays{end}: another of {person(grant.person)}'s grants needs it.")
    if grant.left_by and not grant.open:
        grantor = safe_text(grant.left_by, 80)
        lines.append(f"The access itself stays: {grantor} granted it in the meantime.")
    if grant.sessions_kept and not grant.open:
        where = in_words([safe_text(each, 63) for each in grant.sessions_kept], "and")
        lines.append(f"Open sessions may go on: {where} left them open.")
    if grant.had_before and grant.state is not State.ASKED:
        lines.append("The account had this access before, from elsewhere; I leave that as it was.")
    if not view.copied:
        lines.append(NOT_COPIED)
    return "\n".join(lines)


def lapses(grant: Grant) -> str:
    if grant.state is State.ASKED and grant.lapses_at:
        return f"Expires {when(grant.lapses_at)} if nobody decides."
    return ""
