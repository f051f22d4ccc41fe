"""What must never be so, each looked for by itself. Nothing here depends on how fast the machine is."""

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
"""Seconds before its end that an access may vanish: the clocks of two servers, read by a third process."""
STOPPED = ("killed", "paused", "hung")
"""What PostgreSQL has begun goes on after these."""
STUCK = 15.0
"""Seconds that something may be owed: a second look is owed ten seconds after a claim was taken over."""
ROSTER_READ, ROSTER_LATE = 4.0, 40.0
"""How old the news of a shift may be: in quiet, and when something was away."""


@dataclass(frozen=True, kw_only=True)
class Violation:
    what: str
    about: str
    grant: str | None = None


# ------------------------------------------------------------------------------------- accesses


def left_over(truth: Truth) -> Iterator[Violation]:
    """There though no live grant stands behind it."""
    explained = {pair for name in truth.books.live for pair in pairs_of(truth.books.grants[name])}
    for pair in sorted(truth.left - explained):
        last = max(truth.reasons.get(pair, ()), key=lambda each: each.until, default=None)
        yield Violation(what="left over", about=_shown(pair), grant=last.grant.id if last else None)


def not_there(truth: Truth) -> Iterator[Violation]:
    for name in truth.books.live:
        for pair in pairs_of(truth.books.grants[name]):
            if pair not in truth.left:
                yield Violation(what="live, but not there", about=_shown(pair), grant=name)


def cut_early(truth: Truth) -> Iterator[Violation]:
    """Not there at some moment between being active and its end."""
    for pair, reasons in truth.reasons.items():
        for each in reasons:
            if each.active is None:
                continue
            look = truth.missing(pair, each.active, each.until - EARLY)
            if look:
                active = f"active {each.active:.3f} until {each.until:.3f}"
                about = f"{_shown(pair)} was not there at {look.began:.3f}, {active}"
                yield Violation(what="cut early", about=about, grant=each.grant.id)


def given_late(truth: Truth) -> Iterator[Violation]:
    """Begun when nobody had a reason; but for what PostgreSQL had begun before it was stopped itself."""
    for pair, span in _spans(truth):
        if any(_explains(each, span) for each in truth.reasons.get(pair, ())):
            continue
        if any(
            each.part == f"postgres-{scenario.TARGET_OF[pair[1]]}"
            and each.what.startswith(STOPPED)
            and each.felt(span.before.began, span.since.ended)
            for each in truth.faults
        ):
            continue
        about = f"{_shown(pair)} appeared between {span.before.began:.3f} and {span.since.ended:.3f}"
        yield Violation(what="given without a reason", about=about, grant=_nearest(truth, pair, span))


def two_at_once(truth: Truth) -> Iterator[Violation]:
    """On what only one may hold."""
    single = {role for each in scenario.RESOURCES if each.one_holder for _, role in each.gives}
    spans = [(pair, span) for pair, span in _spans(truth) if pair[1] in single]
    for number, (pair, span) in enumerate(spans):
        for other, its in spans[number + 1 :]:
            since, until = max(span.since.ended, its.since.ended), min(span.seen.began, its.seen.began)
            if other != pair and other[1] == pair[1] and since < until:
                yield Violation(
                    what="two at once", about=f"{_shown(pair)} and {_shown(other)} at {since:.3f}"
                )


def _explains(reason: Reason, span: Span) -> bool:
    """Whoever is giving does not hear that it is given back meanwhile; but neither the end of the lease
    nor of a claim is outlasted."""
    given_by = min(reason.lease, reason.until + CLAIM_SECONDS)
    return reason.since <= span.since.ended and given_by >= span.before.began


def _spans(truth: Truth) -> Iterator[tuple[Pair, Span]]:
    for pair, spans in truth.seen.spans.items():
        yield from ((pair, span) for span in spans)


def _nearest(truth: Truth, pair: Pair, span: Span) -> str | None:
    before = [each for each in truth.reasons.get(pair, ()) if each.since <= span.since.ended]
    return max(before, key=lambda each: each.until).grant.id if before else None


def _shown(pair: Pair) -> str:
    return f"{pair[1]} of {pair[0]}"


# ------------------------------------------------------------------------------------ the ledger


def unfinished(truth: Truth) -> Iterator[Violation]:
    for name, grant in truth.books.grants.items():
        if grant.open and name not in truth.books.live:
            yield Violation(what="unfinished", about=f"still {grant.state}", grant=name)


def owed_for_ever(truth: Truth) -> Iterator[Violation]:
    """Stuck in the due set, or due to be lost: nobody is going to look at it again."""
    books = truth.books
    for member, at in books.due.items():
        if at < books.now - STUCK:
            yield Violation(what="stuck", about=f"{member} is due for {books.now - at:.0f} s")
    for name in books.live:
        for hold in books.grants[name].gives:
            if f"hold:{hold.key}" not in books.due:
                yield Violation(what="stuck", about=f"hold:{hold.key} is live and not due", grant=name)
    for failing in books.condition.failing:
        yield Violation(what="stuck", about=f"{failing.member} has failed {failing.tries} times in a row")
    for aside in books.condition.set_aside:
        yield Violation(what="stuck", about=f"{aside.key} could not be read and was set aside")
    for member in books.claimed:
        if not member.startswith((*STANDING, "hold:")):
            yield Violation(what="stuck", about=f"the claim of {member} was never closed")


def written_twice(truth: Truth) -> Iterator[Violation]:
    """Each grant begins and ends once, in the audit too."""
    for name, grant in truth.books.grants.items():
        times = Counter(each.entry.what for each in truth.books.trail.get(name, ()))
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
                    what="audit", about=f"{times[what]} entries {what!r}, wanted {int(once)}", grant=name
                )


def ended_by_nobody(truth: Truth) -> Iterator[Violation]:
    """Every end has its cause in what somebody did, or what the clock or the pager said."""
    for name, grant in truth.books.grants.items():
        if grant.approved_at is None or grant.state in LIVE or grant.ended is None:
            continue
        cause = CAUSES.get(grant.ended.why)
        at = min(
            (each.at for each in truth.books.trail.get(name, ()) if each.entry.what in ENDS), default=None
        )
        if at is None or cause is None or not cause(truth, grant, at):
            what = "ended by nobody"
            if grant.ended.why is Why.SHIFT_OVER and at and truth.answered_wrongly(at - ROSTER_READ, at):
                what = "cut by one wrong answer"
            yield Violation(what=what, about=f"{grant.ended.why} at {at}", grant=name)


def shortened_by_nobody(truth: Truth) -> Iterator[Violation]:
    """A ground that fell because a shift is over, though it is not."""
    for name, grant in truth.books.grants.items():
        for each in truth.books.trail.get(name, ()):
            if each.entry.what != "end moved with the facts" or not each.entry.facts.get("fallen"):
                continue
            if not _shift_is_over(truth, grant, each.at):
                wrong = truth.answered_wrongly(each.at - ROSTER_READ, each.at)
                what = "cut by one wrong answer" if wrong else "ended by nobody"
                yield Violation(what=what, about=f"a ground fell at {each.at:.3f}", grant=name)


def _time_is_over(_: Truth, grant: Grant, at: float) -> bool:
    return grant.until is not None and at >= grant.until.timestamp()


def _shift_is_over(truth: Truth, grant: Grant, at: float) -> bool:
    if grant.until and at >= grant.until.timestamp():
        return True
    age = ROSTER_LATE if truth.disturbed(at - ROSTER_READ, at) else ROSTER_READ
    moments = [at - age + tenth / 10 for tenth in range(int(age * 10) + 2)]
    if any(not truth.on_call(grant.person, grant.resource, moment) for moment in moments):
        return True
    return truth.called_off(grant.person, grant.resource, at, since=at - age)


def _somebody_did(*whats: str) -> Callable[[Truth, Grant, float], bool]:
    def did(truth: Truth, grant: Grant, at: float) -> bool:
        return any(
            each.what in whats
            and each.person in ("", grant.person)
            and each.resource in ("", grant.resource)
            and each.grant in (None, grant.id)
            and each.sent <= at + 0.01
            for each in truth.deeds
        )

    return did


def _target_was_another(truth: Truth, grant: Grant, at: float) -> bool:
    """A login or an address that is not the bot's any more gives nothing, and that is not passing trouble."""
    targets = {f"postgres-{hold.target}" for hold in grant.gives}
    return any(
        each.what.startswith(("login", "moved")) and each.part in targets and each.felt(at - ROSTER_READ, at)
        for each in truth.faults
    )


def _ended_before(truth: Truth, grant: Grant, _: float) -> bool:
    """It had ended already, in a ledger that died."""
    return truth.was_lost(grant.id, *ENDS)


def _somebody_took(truth: Truth, grant: Grant, at: float) -> bool:
    """An administrator, while it was live."""
    since = grant.approved_at.timestamp() if grant.approved_at else at
    return any(
        each.pair in pairs_of(grant) and since <= each.ended and each.began <= at for each in truth.by_hand
    )


def _was_missing(truth: Truth, grant: Grant, at: float) -> bool:
    """Because an administrator took it, or it was taken for an end that was lost."""
    since = grant.approved_at.timestamp() if grant.approved_at else at
    return any(
        begins <= at and since <= ends for pair in pairs_of(grant) for begins, ends in truth.absences(pair)
    )


CAUSES: Mapping[Why, Callable[[Truth, Grant, float], bool]] = {
    Why.EXPIRED: _time_is_over,
    Why.SHIFT_OVER: _shift_is_over,
    Why.GIVEN_BACK: _somebody_did("done"),
    Why.REVOKED: _somebody_did("revoke", "revoke all", "end them"),
    Why.BANNED: _somebody_did("revoke all"),
    Why.HAND_REMOVED: _somebody_took,
    Why.NOT_AFTER_RESTORE: _was_missing,
    Why.GIVEN_ANEW: _somebody_did("grant again"),
    Why.ENDED_BEFORE: _ended_before,
    Why.COULD_NOT_GIVE: _target_was_another,
}
