"""The audit for those who look it through: in the order of the chain, as JSON lines, as a grant's story."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from bot.core.anchors import Anchored
from bot.core.chain import Sealed, Written, before_all, moment, place, read_moment, read_seal
from bot.core.proof import Examination, Findings, Trusts
from bot.ports import AuditTrail

Line = Written | Sealed

FORM = 1
PAGE = 500


class Damaged(Exception):
    """This is no export, or not a whole one; the text says where."""


def lines(trail: AuditTrail) -> Iterator[Line]:
    """Every entry and every seal, a seal behind what it seals; entries that are not sealed yet at the end.
    Read page by page: it may be of any length."""
    entries = _entries(trail)
    entry = next(entries, None)
    for seal in _seals(trail):
        last = _last_of(seal)
        while entry and place(entry.name) <= last:
            yield entry
            entry = next(entries, None)
        yield seal
    if entry:
        yield entry
        yield from entries


def examine(
    found: Iterable[Line], trusts: Trusts | None = None, anchored: Anchored | None = None
) -> Findings:
    examination = Examination(trusts, anchored)
    for line in found:
        if isinstance(line, Sealed):
            examination.seal(line)
        else:
            examination.entry(line)
    return examination.finish()


def _entries(trail: AuditTrail) -> Iterator[Written]:
    after = ""
    while page := trail.written(after, PAGE):
        yield from page
        after = page[-1].name


def _seals(trail: AuditTrail) -> Iterator[Sealed]:
    after = 0
    while page := trail.seals(after, PAGE):
        yield from page
        after = page[-1].number


def _last_of(seal: Sealed) -> tuple[int, int]:
    try:
        return before_all(read_seal(seal.text).last)
    except ValueError:
        return before_all("")


# --------------------------------------------------------------------------------------------- exports


def exported(found: Iterable[Line], workspace: str, now: datetime) -> Iterator[str]:
    """One line of JSON for each, between one that says what this is and one that says it is all."""
    yield _json({"export": FORM, "workspace": workspace, "at": moment(now)})
    entries = seals = 0
    for line in found:
        if isinstance(line, Sealed):
            seals += 1
            yield _json({"seal": line.number, "text": line.text})
        else:
            entries += 1
            yield _json({"entry": line.name, "at": moment(line.at), "text": line.text})
    yield _json({"end": {"entries": entries, "seals": seals}})


def read_export(texts: Iterable[str]) -> Iterator[Line]:
    """What ``exported`` wrote. Raises Damaged, at the end also where something is missing."""
    counted = {"entries": 0, "seals": 0}
    ended: object = None
    for number, text in enumerate(texts, 1):
        said = _parsed(number, text)
        if number == 1:
            _expect_export(said)
        elif ended is not None:
            raise Damaged(f"line {number}: something stands behind the end")
        elif "end" in said:
            ended = said["end"]
        else:
            line = _line(number, said)
            counted["seals" if isinstance(line, Sealed) else "entries"] += 1
            yield line
    if ended is None:
        raise Damaged("the file is cut short: its last line is missing")
    if ended != counted:
        raise Damaged(f"lines were added or taken away: there were {ended}, and are {counted}")


def _parsed(number: int, text: str) -> Mapping[str, object]:
    try:
        said = json.loads(text)
    except ValueError as error:
        raise Damaged(f"line {number}: is no JSON") from error
    if not isinstance(said, dict):
        raise Damaged(f"line {number}: is nothing that an export has in it")
    return said


def _expect_export(said: Mapping[str, object]) -> None:
    if said.get("export") != FORM:
        raise Damaged("line 1: this is no export of an audit that this version of Rotakey can read")


def _line(number: int, said: Mapping[str, object]) -> Line:
    match said:
        case {"seal": int(seal), "text": str(text)}:
            return Sealed(number=seal, text=text)
        case {"entry": str(name), "at": str(at), "text": str(text)}:
            try:
                return Written(name=name, at=read_moment(at), text=text)
            except ValueError as error:
                raise Damaged(f"line {number}: {error}") from error
    raise Damaged(f"line {number}: is neither an entry nor a seal")


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


# --------------------------------------------------------------------------------------- a grant's story


def story(found: Iterable[Line], grant: str) -> Iterator[str]:
    """What the audit says of one grant, a line for each: when, what, by whom, on which facts."""
    for line in found:
        if isinstance(line, Written):
            said = _said(line.text)
            if said.get("grant") == grant:
                yield _told(line.at, said)


def _said(text: str) -> Mapping[str, object]:
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _told(at: datetime, said: Mapping[str, object]) -> str:
    when = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    by = f" by {said['by']}" if said.get("by") else ""
    facts = said.get("facts")
    shown = _facts(facts) if isinstance(facts, dict) else ""
    return f"{when}  {said.get('what')}{by}{'  ' + shown if shown else ''}"


def _facts(facts: Mapping[str, object]) -> str:
    return "  ".join(f"{name}={_fact(value)}" for name, value in facts.items() if value not in (None, [], ""))


def _fact(value: object) -> str:
    if isinstance(value, str) and value.isprintable() and " " not in value:
        return value
    if isinstance(value, list) and not any(isinstance(each, dict | list) for each in value):
        return ",".join(map(_fact, value))
    return json.dumps(value, ensure_ascii=False)
