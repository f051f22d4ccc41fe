"""The printed table, and the details of violations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from bot.core.grants import Origin
from tests.bench.table import quantile
from tests.chaos import promises
from tests.chaos.actions import UNWRITTEN
from tests.chaos.failpoints import KILL, LOSE, ON_THE_WAY, SLEEP
from tests.chaos.promises import duplicate_messages
from tests.chaos.round import Outcome
from tests.chaos.truth import ENDS, Reason, Truth, pairs_of

SLOWEST = 10
WATCHED = {
    "revocations after which no rule gives access back": "blocked",
    "people banned": "banned",
    "freezes of all rules": "frozen",
    "policies applied": "policy applied",
    "grants ended by a hand at the target": "removed by a hand",
    "rosters changed or doubted": "roster changed",
    "votes refused": "approval refused",
}
"""Kinds of audit entries that are counted, by their row in the table."""

MUST_BE_NONE = (
    "left over",
    "live, but missing",
    "cut early",
    "granted without a reason",
    "two holders of one seat",
    "unfinished",
    "stuck",
    "wrong number of audit entries",
    "ended without a cause",
    "cut by one wrong answer",
    "answered as done, but not done",
    "answered with an internal error",
    "announced too early",
    "card differs",
    "card missing",
    "home differs",
    "granted by a rule after a revocation",
    "voted on other terms than shown",
    "two live grants of one resource",
    "lease does not end with the last ground",
    "errors of the harness",
)


@dataclass(frozen=True)
class Row:
    what: str
    measured: object
    wanted: str = ""

    def __str__(self) -> str:
        return f"{self.what:<58} {self.wanted:>6}  {self.measured}"


def table(outcome: Outcome) -> Iterator[Row]:
    yield from _grants(outcome)
    yield from _faults(outcome)
    found = Counter(each.what for each in outcome.violations)
    for what in MUST_BE_NONE:
        yield Row(what, found[what], "0")
    yield from _costs(outcome)


def _grants(outcome: Outcome) -> Iterator[Row]:
    grants = list(outcome.truth.ledger.grants.values())
    approved = [each for each in grants if each.approved_at]
    yield Row(
        "grants approved, of all that were requested or began with a shift",
        f"{len(approved)} of {len(grants)}",
    )
    ends = Counter(f"{each.state}{f' ({each.ended.why})' if each.ended else ''}" for each in grants)
    for what, times in sorted(ends.items()):
        yield Row(f"  {what}", times)
    yield Row("  by a shift", sum(each.origin is Origin.SHIFT for each in grants))
    yield Row("  ended before they were granted", sum(not each.active_at for each in approved))
    yield Row("  were overdue for a while", _count(outcome.truth, "overdue"))
    yield Row("  stood on several grounds", sum(len(each.grounds) > 1 for each in approved))
    answers = Counter(str(more.answer or "waits") for each in grants for more in each.extensions)
    yield Row(
        "extensions that approvers decided about",
        ", ".join(f"{times} {answer}" for answer, times in sorted(answers.items())),
    )
    yield Row("  more time that a rule gave", _extended_by_rule(outcome.truth))
    for shown, what in WATCHED.items():
        yield Row(shown, _count(outcome.truth, what))


def _extended_by_rule(truth: Truth) -> int:
    entries = (each.entry for each in truth.ledger.entries if each.entry.what == "ground added")
    return sum(each.facts.get("cause") == "rule" for each in entries)


def _count(truth: Truth, what: str) -> int:
    return sum(each.entry.what == what for each in truth.ledger.entries)


def _faults(outcome: Outcome) -> Iterator[Row]:
    injector = outcome.injector
    kills = injector.kills
    yield Row(
        "kills", f"{kills.total()}: " + ", ".join(f"{times} {part}" for part, times in sorted(kills.items()))
    )
    others = Counter(_kind(each.what, each.part) for each in injector.faults)
    for what, times in sorted(others.items()):
        yield Row(f"  {what}", times)
    again = _count(outcome.truth, "given again")
    taken = len(outcome.truth.manual_revocations)
    yield Row("roles that an administrator revoked", f"{taken}, {again} granted again")
    ends = sum(each.entry.what in ENDS for each in outcome.truth.lost)
    yield Row("audit entries lost with a primary", f"{len(outcome.truth.lost)}, {ends} of them ends")
    reached = injector.steps_reached
    yield Row("named steps reached", f"{sum(reached[step] > 0 for step in ON_THE_WAY)} of {len(ON_THE_WAY)}")
    for step in ON_THE_WAY:
        died, slept, lost = (injector.executions[(step, do)] for do in (KILL, SLEEP, LOSE))
        hits = outcome.truth.hits[step]
        yield Row(f"  {step}", f"reached {hits}, died {died}, slept {slept}, reply lost {lost}")


def _kind(what: str, part: str) -> str:
    at_a_step = what.partition(" ")[0] if " before " in what or " after " in what else what
    return f"{at_a_step} at a named step" if at_a_step != what else f"{what}: {part.partition('-')[0]}"


def _costs(outcome: Outcome) -> Iterator[Row]:
    truth = outcome.truth
    lags = [(lag, truth.was_disturbed(reason.until, reason.until + lag)) for lag, reason in _lags(truth)]
    for was_disturbed, how in ((False, "undisturbed"), (True, "while something was away")):
        yield Row(f"end to role gone, {how}", _spread([lag for lag, was in lags if was is was_disturbed]))
    spans = [span for every in truth.observed.spans.values() for span in every]
    for verb, seen in (("grant", len(spans)), ("revoke", sum(span.after is not None for span in spans))):
        called, answered = truth.hits[f"before {verb}"], truth.hits[f"after {verb}"]
        yield Row(
            f"target calls: {verb}", f"{called}, {answered} answered, {answered - seen} of them repeated"
        )
    posted = duplicate_messages(truth)
    wrong = sum(bool(promises.ACTIVE.match(each[-1].text)) for each in posted)
    yield Row("cards posted again after a worker had died", f"{len(posted)}, {wrong} still say *has*")
    unwritten = [each for each in truth.actions if each.outcome == UNWRITTEN]
    false = sum(promises.was_written(truth, each) for each in unwritten)
    yield Row("answered 'not recorded'", f"{len(unwritten)}, {false} of them were recorded all the same")
    yield Row("actions in Slack", Counter(each.outcome for each in truth.actions).most_common())
    for target, here in truth.observed.at.items():
        looks = [late.began - early.ended for early, late in pairwise(here.looks)]
        yield Row(f"time between looks at {target}", _spread(looks))
    rest = f"{outcome.settled:.1f} s"
    if outcome.unsettled:
        rest = f"not after {rest}: {', '.join(outcome.unsettled[:5])}"
    yield Row("at rest after the last fault and the last end", rest)
    yield Row("the whole round", f"{outcome.took:.0f} s")


def _lags(truth: Truth) -> Iterator[tuple[float, Reason]]:
    """Yield the seconds from the end of the last reason to the first look without the role, and the
    reason."""
    for pair, spans in truth.observed.spans.items():
        for span in spans:
            if span.after is None:
                continue
            over = [
                each
                for each in truth.reasons.get(pair, ())
                if each.since <= span.seen.ended and span.before.began <= each.until <= span.after.ended
            ]
            if over:
                last = max(over, key=lambda each: each.until)
                yield span.after.ended - last.until, last


def _spread(seconds: list[float]) -> str:
    if not seconds:
        return "none"
    parts = {"p50": quantile(seconds, 0.5), "p99": quantile(seconds, 0.99), "max": max(seconds)}
    return (
        ", ".join(f"{name} {value * 1000:.0f} ms" for name, value in parts.items()) + f" (n={len(seconds)})"
    )


# -------------------------------------------------------------------------------------- details


def details_of(outcome: Outcome) -> str:
    """Write each violation with all that is known about its grant to a file, and return where that is."""
    path, truth = outcome.folder / "details.txt", outcome.truth
    lines: list[str] = []
    for each in outcome.violations:
        lines += [f"== {each.what}: {each.about}", *(_story(outcome, each.grant) if each.grant else ()), ""]
    slowest = sorted(_lags(truth), key=lambda each: -each[0])[:SLOWEST]
    for lag, name in ((lag, reason.grant.id) for lag, reason in slowest):
        lines += [f"== revoked {lag:.1f} s after its end", *_story(outcome, name), ""]
    faults = (
        f"   {_clock(each.start)} to {_clock(each.end)} {each.part} {each.what}" for each in truth.faults
    )
    lines += ["== all faults", *faults]
    lost = (f"   {_clock(each.at)} {each.entry}" for each in truth.lost)
    lines += ["", "== all audit entries lost with a primary", *lost]
    path.write_text("\n".join(lines), "utf-8")
    return f"{len(outcome.violations)} violations with seed {outcome.seed}: see {path}"


def _story(outcome: Outcome, name: str) -> Iterator[str]:
    truth = outcome.truth
    grant = truth.ledger.grants.get(name)
    if grant is None:
        yield f"   the ledger has no grant {name}"
        return
    lines = [
        (each.at, f"ledger  {each.entry.what} {dict(each.entry.facts)}")
        for each in truth.ledger.trail.get(name, ())
    ]
    lines += [
        (
            each.sent,
            f"person  {each.by} {each.what} {each.outcome} until {_clock(each.answered)}: {each.answer}",
        )
        for each in truth.actions
        if (each.person, each.resource) == (grant.person, grant.resource) and _near(truth, name, each.sent)
    ]
    for pair in pairs_of(grant):
        for span in truth.observed.of(pair):
            if _near(truth, name, span.since.began) or (span.after and _near(truth, name, span.after.began)):
                gone = _clock(span.after.ended) if span.after else "-"
                lines.append(
                    (
                        span.since.ended,
                        f"seen    {pair[1]} there, not before {_clock(span.before.began)}, gone {gone}",
                    )
                )
    for message, versions in truth.messages.items():
        lines += [(each.at, f"slack   {message} {each.text}") for each in versions if each.grant == name]
    lines += [
        (each.start, f"fault   {each.part} {each.what} until {_clock(each.end)}")
        for each in truth.faults
        if _near(truth, name, each.start)
    ]
    yield f"   {grant}"
    for at, line in sorted(lines):
        yield f"   {_clock(at)} {line}"


def _near(truth: Truth, name: str, at: float) -> bool:
    grant = truth.ledger.grants[name]
    trail = truth.ledger.trail.get(name, ())
    first = grant.asked_at.timestamp()
    last = max((each.at for each in trail), default=first)
    return first - 15 <= at <= last + 30


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3]
