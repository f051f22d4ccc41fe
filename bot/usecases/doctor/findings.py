"""Findings of an examination, each with what to do about it, and checks that do not wait for each other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from bot.core import durations
from bot.core.ages import UNKNOWN_AGE, age
from bot.core.errors import Misconfigured, PermanentFailure, TemporaryFailure
from bot.ports.deadline import Deadline

MOST_ALIKE = 5
"""Findings of one kind that are shown; of more, only the number is."""


class Grade(StrEnum):
    """The grades of findings, the worst first. NOT_KNOWN: it could not be looked at, and so is not good."""

    WRONG = "wrong"
    NOT_KNOWN = "not known"
    LOOK_AT = "look at"
    OK = "ok"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding. ``about`` is the part in a word or two; ``do`` is what to do next, if the sentence does
    not say it."""

    about: str
    grade: Grade
    what: str
    do: str = ""


Check = Callable[[Deadline], Iterable[Finding]]
"""A check. It raises TemporaryFailure, PermanentFailure or Misconfigured if it cannot go on; what it has
found by then counts."""


def wrong(about: str, what: str, do: str = "") -> Finding:
    return Finding(about=about, grade=Grade.WRONG, what=what, do=do)


def not_known(about: str, what: str, do: str = "") -> Finding:
    return Finding(about=about, grade=Grade.NOT_KNOWN, what=what, do=do)


def look_at(about: str, what: str, do: str = "") -> Finding:
    return Finding(about=about, grade=Grade.LOOK_AT, what=what, do=do)


def ok(about: str, what: str) -> Finding:
    return Finding(about=about, grade=Grade.OK, what=what)


def few(findings: Sequence[Finding]) -> list[Finding]:
    """Return the first of many alike, and how many more there are."""
    shown = list(findings[:MOST_ALIKE])
    rest = len(findings) - len(shown)
    if rest:
        last = findings[-1]
        shown.append(Finding(about=last.about, grade=last.grade, what=f"and {rest} more like these"))
    return shown


def count_of(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def ago(since: datetime, now: datetime) -> str:
    return durations.rough((now - since).total_seconds())


def when(read_at: datetime, now: datetime) -> str:
    if age(read_at, now) == UNKNOWN_AGE:
        return "before the clock of Redis was set back"
    return f"{ago(read_at, now)} ago"


# --------------------------------------------------------------------------------------------- running


@dataclass(eq=False)
class _Running:
    about: str
    found: list[Finding] = field(default_factory=list)
    done: Future[None] = field(default_factory=Future)

    def start(self, check: Check, deadline: Deadline) -> None:
        """Run the check on a thread of its own that does not keep the process from ending."""

        def run() -> None:
            try:
                for each in check(deadline):
                    self.found.append(each)
                self.done.set_result(None)
            except BaseException as error:  # noqa: BLE001 -- reported as a finding, whatever it is
                self.done.set_exception(error)

        threading.Thread(target=run, name=f"check of {self.about}", daemon=True).start()

    def findings(self) -> list[Finding]:
        """Return what was found so far, and why that may not be all."""
        if not self.done.done():
            why = not_known(self.about, "it did not answer in time", "run rotakey doctor again")
            return [*self.found, why]
        error = self.done.exception()
        if error is None:
            return self.found
        if isinstance(error, TemporaryFailure | PermanentFailure | Misconfigured):
            return [*self.found, not_known(self.about, str(error))]
        fault = f"this is a bug in Rotakey; please report it: {error!r}"
        return [*self.found, not_known(self.about, fault)]


def run_checks(checks: Mapping[str, Check], within: Deadline, spare: float = 0) -> list[Finding]:
    """Return what all checks find by the deadline, the worst first. A check that fails or hangs stops no
    other. Each check has ``spare`` seconds less, so that it can report itself what did not answer."""
    running = []
    for about, check in checks.items():
        running.append(_Running(about))
        running[-1].start(check, Deadline(within.at - spare))
    wait([each.done for each in running], timeout=within.seconds_left())

    # Findings that could not be looked at for the same reason become one.
    merged: dict[tuple[str, str], list[Finding]] = {}
    for each in (finding for check in running for finding in check.findings()):
        alone = each.about if each.grade is not Grade.NOT_KNOWN else ""
        merged.setdefault((alone, each.what), []).append(each)
    found = [
        replace(alike[0], about=", ".join(dict.fromkeys(each.about for each in alike)))
        for alike in merged.values()
    ]
    return sorted(found, key=lambda each: list(Grade).index(each.grade))
