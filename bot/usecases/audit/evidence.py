"""The audit for people who examine it: in the order of the chain, as JSON lines, or as the story of a
grant."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from bot.core.audit.anchor import Anchored
from bot.core.audit.chain import Seal, Sealed, Written, before_all, moment, place, read_moment, read_seal
from bot.core.audit.proof import Examination, Findings, Trusts
from bot.ports.audit import AuditTrail


@dataclass(frozen=True, kw_only=True)
class Taken:
    """The head of an export: the lines after it were read at ``at``; all of them, or only those after a
    seal."""

    at: datetime
    since_seal: int = 0


Line = Taken | Written | Sealed

FORM = 1
PAGE = 500


class Damaged(Exception):
    """The text is not an export, or not a whole one; the message says where."""


def lines(
    trail: AuditTrail, *, since: Seal | None = None, until: datetime | None = None
) -> Iterator[Written | Sealed]:
    """Yield every entry and every seal, each seal after what it seals, and at the end the entries that are
    not sealed yet. If ``since`` or ``until`` is given, yield only whole seals, after that seal or made by
    that time. Reads page by page, because the audit may be of any length."""
    entries = _entries(trail, since.last if since else "")
    entry = next(entries, None)
    for seal in _seals(trail, since.number if since else 0):
        if until and _made_at(seal, until) > until:
            return
        last = before_all("")
        with suppress(ValueError):
            last = before_all(read_seal(seal.text).last)
        while entry and place(entry.name) <= last:
            yield entry
            entry = next(entries, None)
        yield seal
    if entry and not until:
        yield entry
        yield from entries


def before(trail: AuditTrail, since: datetime) -> Seal | None:
    """Return the newest seal that was made before that moment."""
    found = None
    for each in _seals(trail):
        if _made_at(each, since) >= since:
            break
        with suppress(ValueError):
            found = read_seal(each.text)
    return found


def examine(
    found: Iterable[Line], trusts: Trusts | None = None, anchored: Anchored | None = None
) -> Findings:
    examination = Examination(trusts, anchored)
    for line in found:
        match line:
            case Sealed():
                examination.seal(line)
            case Written():
                examination.entry(line)
            case Taken():
                examination.note_moment(line.at, line.since_seal)
    return examination.finish()


def _entries(trail: AuditTrail, after: str = "") -> Iterator[Written]:
    while page := trail.written_entries(after, PAGE):
        yield from page
        after = page[-1].name


def _seals(trail: AuditTrail, after: int = 0) -> Iterator[Sealed]:
    while page := trail.seals(after, PAGE):
        yield from page
        after = page[-1].number


def _made_at(seal: Sealed, otherwise: datetime) -> datetime:
    try:
        return read_seal(seal.text).at
    except ValueError:
        return otherwise


# --------------------------------------------------------------------------------------------- exports


def export_lines(
    found: Iterable[Written | Sealed], workspace: str, now: datetime, since_seal: int = 0
) -> Iterator[str]:
    """Yield one line of JSON for each, after a line that says what this is (and, for a part, after which seal
    it begins) and before a line that says it is complete."""
    part = {"since_seal": since_seal} if since_seal else {}
    yield _json({"export": FORM, "workspace": workspace, "at": moment(now), **part})
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
    """Yield the lines that ``export_lines`` wrote. Raises Damaged, at the end also if something is
    missing."""
    counted = {"entries": 0, "seals": 0}
    ended: object = None
    for number, text in enumerate(texts, 1):
        try:
            said = json.loads(text)
        except (RecursionError, ValueError) as error:
            raise Damaged(f"line {number}: is not valid JSON") from error
        if not isinstance(said, dict):
            raise Damaged(f"line {number}: does not belong in an export")
        if number == 1:
            yield _header(said)
        elif ended is not None:
            raise Damaged(f"line {number}: comes after the end")
        elif "end" in said:
            ended = said["end"]
        else:
            line = _line(number, said)
            counted["seals" if isinstance(line, Sealed) else "entries"] += 1
            yield line
    if ended is None:
        raise Damaged("the file is truncated: its last line is missing")
    if ended != counted:
        raise Damaged(f"lines were added or removed: there were {ended}, and now there are {counted}")


def _header(said: Mapping[str, object]) -> Taken:
    since_seal = said.get("since_seal", 0)
    match said:
        case {"export": int(form), "at": str(at)} if form == FORM and isinstance(since_seal, int):
            with suppress(ValueError):
                return Taken(at=read_moment(at), since_seal=since_seal)
    raise Damaged("line 1: this is not an audit export that this version of Rotakey can read")


def _line(number: int, said: Mapping[str, object]) -> Line:
    match said:
        case {"seal": int(seal), "text": str(text)}:
            return Sealed(number=seal, text=text)
        case {"entry": str(name), "at": str(at), "text": str(text)}:
            try:
                text.encode("utf-8", "surrogateescape")  # as its digest takes it
                return Written(name=name, at=read_moment(at), text=text)
            except ValueError as error:
                raise Damaged(f"line {number}: {error}") from error
    raise Damaged(f"line {number}: is neither an entry nor a seal")


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


# --------------------------------------------------------------------------------------- several exports


@dataclass(frozen=True, kw_only=True)
class _Block:
    """A seal with what it seals, or (``seal`` None) what comes after the last seal of an export."""

    after: int
    entries: tuple[Written, ...]
    seal: Sealed | None


def merge(exports: Sequence[Iterable[Line]], object_to: Callable[[str], None]) -> Iterator[Line]:
    """Yield the lines of several exports in the order of the chain, each line once. The exports may overlap
    and come in any order. ``object_to`` is called if they contradict each other."""
    found = [iter(each) for each in exports]
    heads = [line for each in found for line in islice(each, 1) if isinstance(line, Taken)]
    if heads:
        parts = [head.since_seal for head in heads if head.since_seal]
        yield Taken(at=max(head.at for head in heads), since_seal=min(parts, default=0))

    before: _Block | None = None
    last = ""
    unsealed: dict[str, Written] = {}
    for block in heapq.merge(*map(_blocks, found), key=lambda it: (it.after, it.seal is None)):
        if block.seal is None:
            unsealed |= {each.name: each for each in block.entries}
            continue
        if before and before.seal and before.seal.number == block.seal.number:
            if before != block:
                object_to(f"seal {block.seal.number} differs between files")
            continue
        for each in block.entries:
            if unsealed.pop(each.name, each) != each:
                object_to(f"entry {each.name} differs between files")
        yield from block.entries
        yield block.seal
        before, last = block, block.entries[-1].name if block.entries else last
    for name in sorted(unsealed, key=_order):
        if _order(name) > _order(last):
            yield unsealed[name]
        else:
            object_to(f"entry {name} is unsealed in one file, and sealed in no other")


def _blocks(found: Iterable[Line]) -> Iterator[_Block]:
    entries: list[Written] = []
    number = 0
    for line in found:
        if isinstance(line, Written):
            entries.append(line)
        elif isinstance(line, Sealed):
            number = line.number
            yield _Block(after=number, entries=tuple(entries), seal=line)
            entries.clear()
    if entries:
        yield _Block(after=number, entries=tuple(entries), seal=None)


def _order(name: str) -> tuple[int, int]:
    try:
        return before_all(name)
    except ValueError:
        return (1 << 80, 0)


# --------------------------------------------------------------------------------------- a grant's story


def story(found: Iterable[Line], grant: str) -> Iterator[str]:
    """Yield what the audit says about one grant, a line for each entry: when, what, by whom, with which
    facts; and whether it is not sealed yet. The lines contain no control characters."""
    unsealed: list[str] = []
    for line in found:
        if isinstance(line, Sealed):
            yield from unsealed
            unsealed.clear()
        elif isinstance(line, Written):
            try:
                said = json.loads(line.text)
            except (RecursionError, ValueError):
                continue
            if not isinstance(said, dict) or said.get("grant") != grant:
                continue
            when = line.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            by = f" by {said['by']}" if said.get("by") else ""
            facts = said["facts"].items() if isinstance(said.get("facts"), dict) else ()
            shown = [f"{name}={_fact(value)}" for name, value in facts if value not in (None, [], "")]
            unsealed.append(plain("  ".join((when, f"{said.get('what')}{by}", *shown))))
    yield from (f"{each}  [not sealed yet: nothing proves it]" for each in unsealed)


def plain(text: str) -> str:
    """Return the text on one line, with everything that a terminal would obey or cannot show escaped, as
    ``\\x1b``."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "backslashreplace").decode("ascii")
        for each in text
    )


def _fact(value: object) -> str:
    if isinstance(value, str) and value.isprintable() and " " not in value:
        return value
    if isinstance(value, list) and not any(isinstance(each, dict | list) for each in value):
        return ",".join(map(_fact, value))
    return json.dumps(value, ensure_ascii=False)
