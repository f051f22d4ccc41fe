"""Violations that access and the ledger can show. None of them depends on how fast the machine is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bot.core.grants import LIVE, Grant, State
from bot.core.reasons import Why
from bot.ports.ledger import CLAIM_SECONDS
from tests.chaos import scenario
from tests.chaos.observer import Pair, Span
from tests.chaos.truth import ENDS, STANDING, Reason, Truth, pairs_of

EARLY = 0.2
"""Seconds before its end that access may vanish: the clocks of two servers are read by a third process."""
STOPPED = ("killed", "paused", "hung")
"""Faults after which PostgreSQL goes on with what it has begun."""
STUCK = 15.0
"""Seconds that something may be overdue: a second look is due ten seconds after a claim was taken over."""
ROSTER_READ, ROSTER_LATE = 4.0, 40.0
"""Seconds after which a change of a shift must be known: undisturbed, and if something was away."""


@dataclass(frozen=True, kw_only=True)
class Violation:
    """Something that must never happen."""

    what: str
    about: str
    grant: str | None = None


# ------------------------------------------------------------------------------------- access


def leftover_access(truth: Truth) -> Iterator[Violation]:
    """Yield access that no live grant stands behind."""
    explained = {pair for name in truth.ledger.live for pair in pairs_of(truth.ledger.grants[name])}
    for pair in sorted(truth.remaining - explained):
        last = max(truth.reasons.get(pair, ()), key=lambda each: each.until, default=None)
        yield Violation(what="left over", about=_text_of(pair), grant=last.grant.id if last else None)


def missing_access(truth: Truth) -> Iterator[Violation]:
    for name in truth.ledger.live:
        for pair in pairs_of(truth.ledger.grants[name]):
            if pair not in truth.remaining:
                yield Violation(what="live, but missing", about=_text_of(pair), grant=name)


def access_cut_early(truth: Truth) -> Iterator[Violation]:
    """Yield access that was missing at some moment between becoming active and its end."""
    for pair, reasons in truth.reasons.items():
        for each in reasons:
            if each.active is None:
                continue
            look = truth.find_gap(pair, each.active, each.until - EARLY)
            if look:
                active = f"active {each.active:.3f} until {each.until:.3f}"
                about = f"{_text_of(pair)} was not there at {look.began:.3f}, {active}"
                yield Violation(what="cut early", about=about, grant=each.grant.id)


def access_without_reason(truth: Truth) -> Iterator[Violation]:
    """Yield access that began when there was no reason for it, except what PostgreSQL had begun before it was
    stopped itself."""
    for pair, span in _spans(truth):
        if any(_explains(each, span) for each in truth.reasons.get(pair, ())):
            continue
        if any(
            each.part == f"postgres-{scenario.TARGET_OF[pair[1]]}"
            and each.what.startswith(STOPPED)
            and each.overlaps(span.before.began, span.since.ended)
            for each in truth.faults
        ):
            continue
        about = f"{_text_of(pair)} appeared between {span.before.began:.3f} and {span.since.ended:.3f}"
        yield Violation(what="granted without a reason", about=about, grant=_nearest(truth, pair, span))


def shared_seats(truth: Truth) -> Iterator[Violation]:
    """Yield pairs of people who had a resource with one holder at the same time."""
    single = {role for each in scenario.RESOURCES if each.one_holder for _, role in each.gives}
    spans = [(pair, span) for pair, span in _spans(truth) if pair[1] in single]
    for number, (pair, span) in enumerate(spans):
        for other, its in spans[number + 1 :]:
            since, until = max(span.since.ended, its.since.ended), min(span.seen.began, its.seen.began)
            if other != pair and other[1] == pair[1] and since < until:
                yield Violation(
                    what="two holders of one seat",
                    about=f"{_text_of(pair)} and {_text_of(other)} at {since:.3f}",
                )


def _explains(reason: Reason, span: Span) -> bool:
    """Return whether the access may have begun for this reason. A worker that is granting does not notice
    that access is given back meanwhile, but stops at the end of the lease or of its claim."""
    granted_by = min(reason.lease, reason.until + CLAIM_SECONDS)
    return reason.since <= span.since.ended and granted_by >= span.before.began


def _spans(truth: Truth) -> Iterator[tuple[Pair, Span]]:
    for pair, spans in truth.observed.spans.items():
        yield from ((pair, span) for span in spans)


def _nearest(truth: Truth, pair: Pair, span: Span) -> str | None:
    before = [each for each in truth.reasons.get(pair, ()) if each.since <= span.since.ended]
    return max(before, key=lambda each: each.until).grant.id if before else None


def _text_of(pair: Pair) -> str:
    return f"{pair[1]} of {pair[0]}"


# ------------------------------------------------------------------------------------ the ledger


def unfinished_grants(truth: Truth) -> Iterator[Violation]:
    for name, grant in truth.ledger.grants.items():
        if grant.open and name not in truth.ledger.live:
            yield Violation(what="unfinished", about=f"still {grant.state}", grant=name)


def stuck_work(truth: Truth) -> Iterator[Violation]:
    """Yield what is overdue, failing, set aside or never closed, and live holds that are not due."""
    ledger = truth.ledger
    for member, at in ledger.due.items():
        if at < ledger.now - STUCK:
            yield Violation(what="stuck", about=f"{member} is due for {ledger.now - at:.0f} s")
    for name in ledger.live:
        for hold in ledger.grants[name].gives:
            if f"hold:{hold.key}" not in ledger.due:
                yield Violation(what="stuck", about=f"hold:{hold.key} is live and not due", grant=name)
    for failing in ledger.condition.failing:
        yield Violation(what="stuck", about=f"{failing.member} has failed {failing.tries} times in a row")
    for aside in ledger.condition.set_aside:
        yield Violation(what="stuck", about=f"{aside.key} could not be read and was set aside")
    for member in ledger.claimed:
        if not member.startswith((*STANDING, "hold:")):
            yield Violation(what="stuck", about=f"the claim of {member} was never closed")


def wrong_audit_counts(truth: Truth) -> Iterator[Violation]:
    """Yield grants that do not have exactly one audit entry for each step that they took."""
    for name, grant in truth.ledger.grants.items():
        times = Counter(each.entry.what for each in truth.ledger.trail.get(name, ()))
        wanted = {
            "approved": grant.approved_at is not None,
            "active": grant.active_at is not None,
            "ended": grant.state is State.ENDED,
            "denied": grant.state is State.DENIED and grant.decided_by is not None,
            "withdrawn": grant.state is State.WITHDRAWN,
            "lapsed": grant.state is State.LAPSED,
            "added to what is held": grant.state is State.ADDED,
        }
        for what, once in wanted.items():
            if times[what] != int(once):
                yield Violation(
                    what="wrong number of audit entries",
                    about=f"{times[what]} entries {what!r}, wanted {int(once)}",
                    grant=name,
                )


def unexplained_ends(truth: Truth) -> Iterator[Violation]:
    """Yield ends without a cause in what somebody did, or what the clock or the pager said."""
    for name, grant in truth.ledger.grants.items():
        if grant.approved_at is None or grant.state in LIVE or grant.ended is None:
            continue
        cause = CAUSES.get(grant.ended.why)
        at = min(
            (each.at for each in truth.ledger.trail.get(name, ()) if each.entry.what in ENDS), default=None
        )
        if at is None or cause is None or not cause(truth, grant, at):
            what = "ended without a cause"
            if grant.ended.why is Why.SHIFT_OVER and at and truth.was_pager_wrong(at - ROSTER_READ, at):
                what = "cut by one wrong answer"
            yield Violation(what=what, about=f"{grant.ended.why} at {at}", grant=name)


def unexplained_shortenings(truth: Truth) -> Iterator[Violation]:
    """Yield grounds that fell because a shift is over, though it is not."""
    for name, grant in truth.ledger.grants.items():
        for each in truth.ledger.trail.get(name, ()):
            if each.entry.what != "end moved with the facts" or not each.entry.facts.get("fallen"):
                continue
            if not _is_shift_over(truth, grant, each.at):
                wrong = truth.was_pager_wrong(each.at - ROSTER_READ, each.at)
                what = "cut by one wrong answer" if wrong else "ended without a cause"
                yield Violation(what=what, about=f"a ground fell at {each.at:.3f}", grant=name)


def _is_expired(_: Truth, grant: Grant, at: float) -> bool:
    return grant.until is not None and at >= grant.until.timestamp()


def _is_shift_over(truth: Truth, grant: Grant, at: float) -> bool:
    if grant.until and at >= grant.until.timestamp():
        return True
    age = ROSTER_LATE if truth.was_disturbed(at - ROSTER_READ, at) else ROSTER_READ
    moments = [at - age + tenth / 10 for tenth in range(int(age * 10) + 2)]
    if any(not truth.was_on_call(grant.person, grant.resource, moment) for moment in moments):
        return True
    return truth.was_called_off(grant.person, grant.resource, at, since=at - age)


def _is_action(*whats: str) -> Callable[[Truth, Grant, float], bool]:
    def is_action(truth: Truth, grant: Grant, at: float) -> bool:
        return any(
            each.what in whats
            and each.person in ("", grant.person)
            and each.resource in ("", grant.resource)
            and each.grant in (None, grant.id)
            and each.sent <= at + 0.01
            for each in truth.actions
        )

    return is_action


def _was_target_replaced(truth: Truth, grant: Grant, at: float) -> bool:
    """Return whether a login or an address was replaced: with the old one nothing can be granted, ever."""
    targets = {f"postgres-{hold.target}" for hold in grant.gives}
    return any(
        each.what.startswith(("login", "moved"))
        and each.part in targets
        and each.overlaps(at - ROSTER_READ, at)
        for each in truth.faults
    )


def _had_ended_before(truth: Truth, grant: Grant, _: float) -> bool:
    """Return whether it had ended before, in a ledger that was lost."""
    return truth.was_lost(grant.id, *ENDS)


def _was_revoked_by_hand(truth: Truth, grant: Grant, at: float) -> bool:
    """Return whether an administrator revoked it while it was live."""
    since = grant.approved_at.timestamp() if grant.approved_at else at
    return any(
        each.pair in pairs_of(grant) and since <= each.ended and each.began <= at
        for each in truth.manual_revocations
    )


def _was_missing(truth: Truth, grant: Grant, at: float) -> bool:
    """Return whether it was missing while it was live, because an administrator had revoked it, or the bot
    for an end that was lost."""
    since = grant.approved_at.timestamp() if grant.approved_at else at
    return any(
        begins <= at and since <= ends for pair in pairs_of(grant) for begins, ends in truth.absences(pair)
    )


CAUSES: Mapping[Why, Callable[[Truth, Grant, float], bool]] = {
    Why.EXPIRED: _is_expired,
    Why.SHIFT_OVER: _is_shift_over,
    Why.GIVEN_BACK: _is_action("done"),
    Why.REVOKED: _is_action("revoke", "revoke all", "end them"),
    Why.BANNED: _is_action("revoke all"),
    Why.HAND_REMOVED: _was_revoked_by_hand,
    Why.NOT_AFTER_RESTORE: _was_missing,
    Why.GIVEN_ANEW: _is_action("grant again"),
    Why.ENDED_BEFORE: _had_ended_before,
    Why.COULD_NOT_GIVE: _was_target_replaced,
}
