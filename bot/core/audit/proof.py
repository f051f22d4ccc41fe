"""The examination of a whole audit, entry by entry and seal by seal, and what it finds wrong.

Only the entries since the last seal are held in memory, so the audit may be of any length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bot.core.audit.anchor import MOST_SEALED, SETTLES, WAITS, Anchored
from bot.core.audit.chain import (
    GENESIS,
    MARK,
    Seal,
    Sealed,
    Written,
    before_all,
    gap,
    head_of,
    last_link,
    mark_of,
    moment,
    moment_of,
    place,
    read_seal,
    signature_of,
)

MOST_TOLD = 100
"""The most findings that are reported; one break can make a thousand."""

Trusts = Callable[[str, bytes], bool]
"""A function of a head and its signature that returns whether a trusted key signed it."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The result: ``wrong`` says what was changed, and where; ``notes`` what one should know of an audit that
    is whole."""

    entries: int
    seals: int
    head: Anchored | None
    wrong: tuple[str, ...]
    notes: tuple[str, ...]


class Examination:
    """An examination that is given entries and seals in the order of the chain: each seal after what it
    seals. ``trusts`` None: signatures are not checked. ``anchored`` is a seal that must be there."""

    def __init__(self, trusts: Trusts | None = None, anchored: Anchored | None = None) -> None:
        self._trusts = trusts
        self._anchored = anchored
        self._wrong: list[str] = []
        self._more = 0
        self._notes: list[str] = []
        self._entries = self._seals = 0
        self._since: list[Written] = []
        self._last_name = ""
        self._before: Seal | None = None
        self._number = 0
        self._unknown = False
        self._signed: int | None = None
        self._found_anchor = anchored is None
        self._another = False
        self._taken_at: datetime | None = None
        self._last_of_entries: Seal | None = None
        self._first: Seal | None = None
        self._since_seal = 0
        self._before_first = ""
        self._beginning: Seal | None = None

    def note_moment(self, at: datetime, since_seal: int = 0) -> None:
        """Note the moment at which the audit was read or exported; ``since_seal`` if only the part after that
        seal was exported."""
        self._taken_at, self._since_seal = at, since_seal

    def entry(self, each: Written) -> None:
        self._entries += 1
        try:
            if place(each.name) <= before_all(self._last_name):
                self._object(f"entry {each.name} stands behind entry {self._last_name}: the order is wrong")
            self._last_name = max(each.name, self._last_name, key=before_all)
        except ValueError as error:
            self._object(str(error))
            return
        self._since.append(each)

    def seal(self, each: Sealed) -> None:
        number = each.number
        self._seals += 1
        entries, self._since = self._since, []
        try:
            seal = read_seal(each.text)
        except ValueError as error:
            self._object(f"seal {number} cannot be read: {error}")
            self._lose_track(number)
            return
        if seal.number != number or seal.head != head_of(seal):
            self._object(f"seal {number} was changed after it was made")
            self._lose_track(number)
            return
        if seal.number <= self._number:
            self._object(f"seal {number} stands behind seal {self._number}: the order is wrong")
            self._since = entries
            return
        self._judge(seal, entries)
        self._before, self._number, self._unknown = seal, seal.number, False
        if seal.count:
            self._last_of_entries = seal

    def finish(self) -> Findings:
        self._judge_unsealed()
        self._judge_beginning()
        if self._trusts and self._signed is None:
            self._object("no seal is signed with this key")
        if not self._found_anchor and self._anchored:
            self._object(f"{_name_of(self._anchored)} is not in it: {self._instead()}")
        if self._more:
            self._wrong.append(f"and {self._more} more")
        head = self._before
        return Findings(
            entries=self._entries,
            seals=self._seals,
            head=Anchored(number=head.number, head=head.head, last=head.last) if head else None,
            wrong=tuple(self._wrong),
            notes=tuple(self._notes),
        )

    # --------------------------------------------------------------------------------------- judging

    def _judge_unsealed(self) -> None:
        """Object to entries that no seal has closed, unless they may have been written a moment ago."""
        if not self._since:
            return
        sealed = self._last_of_entries
        for each in self._since:
            at = moment_of(each.name)
            if each.at != at:
                self._object(f"entry {each.name} says {moment(each.at)}, and its name says {moment(at)}")
            elif sealed and sealed.count < MOST_SEALED and at <= sealed.at - SETTLES:
                self._object(f"entry {each.name} is older than seal {sealed.number}: it was added afterwards")
        oldest, newest = (moment_of(self._since[at].name) for at in (0, -1))
        those = f"{_many(len(self._since))} since {moment(oldest)} not sealed"
        if self._taken_at and self._taken_at - oldest > WAITS:
            self._object(f"{those}, though that takes seconds while a worker runs: nothing proves them")
        elif self._taken_at and newest - self._taken_at > WAITS:
            self._object(f"{those}, and the newest is of the future: nothing proves them")
        else:
            self._notes.append(f"{those} yet: nothing proves them so far")

    def _judge(self, seal: Seal, entries: list[Written]) -> None:
        follows = self._follows(seal)
        if not follows:
            entries = self._without_strangers(seal, entries)
        objection = _objection(seal, entries)
        if objection:
            self._object(f"seal {seal.number} does not fit what it seals: {objection}")
        if (seal.key is None) is not (seal.signature is None):
            self._object(f"the signature of seal {seal.number} was {'taken away' if seal.key else 'added'}")
        if self._trusts:
            self._check_signature(seal, self._trusts)
        if seal.accepted:
            self._notes.append(
                f"seal {seal.number}: a restore was accepted on {moment(seal.at)} by {seal.accepted.by}"
                f" ({seal.accepted.why or 'no reason was given'}); seal {seal.accepted.seal} was given up,"
                f" and the chain goes on from {f'seal {self._number}' if self._number else 'its beginning'}"
            )
        self._look_for_anchor(seal)
        self._look_for_beginning(seal)

    def _judge_beginning(self) -> None:
        """Object if what is before the first seal is missing, and no later seal says that it was dropped."""
        first, said = self._first, self._beginning
        if first is None:
            return
        missing = gap(1, first.number)
        if said and said.begins:
            before = f"before {said.begins.at} (up to seal {said.begins.seal})"
            self._notes.insert(0, f"what was written {before} was dropped, says seal {said.number}")
        elif self._since_seal == first.number:
            self._notes.insert(0, f"{missing}: it was exported without them")
        else:
            self._wrong.insert(0, missing)
            return
        if self._before_first:
            self._object(f"entry {self._before_first} stands before seal {first.number}, the first")

    def _look_for_beginning(self, seal: Seal) -> None:
        if self._first is None or seal.begins is None or seal.begins.head != self._first.previous:
            return
        if self._trusts and not self._trusts(seal.head, signature_of(seal)):
            self._object(
                f"seal {seal.number} says that older ones were dropped, and is not signed with this key"
            )
            return
        self._beginning = seal

    def _follows(self, seal: Seal) -> bool:
        """Return whether nothing is missing between the previous seal and this one; if something is,
        object."""
        if self._unknown:
            return False
        if not self._number and seal.previous != GENESIS:
            self._first = seal
            return False
        expected = max(self._number, seal.accepted.seal if seal.accepted else 0) + 1
        if seal.number != expected:
            self._object(gap(expected, seal.number))
            return False
        if seal.previous != (self._before.head if self._before else GENESIS):
            before = f"seal {self._number}" if self._before else "the beginning"
            self._object(f"seal {seal.number} was not made behind {before} as it is here")
        elif not seal.count and seal.last != (self._before.last if self._before else ""):
            self._object(f"seal {seal.number} does not go on where the seal before ended")
        return True

    def _without_strangers(self, seal: Seal, entries: list[Written]) -> list[Written]:
        """Return only the entries that this seal can be about, because the previous seal is missing."""
        first = before_all(seal.first or seal.last)
        own = [each for each in entries if place(each.name) >= first] if seal.count else []
        if seal is self._first and len(own) < len(entries):
            self._before_first = entries[0].name
        return own

    def _check_signature(self, seal: Seal, trusts: Trusts) -> None:
        """Object to a seal without a good signature after one that has one. A good one vouches for those
        before it."""
        if seal.signature is not None and trusts(seal.head, signature_of(seal)):
            if self._signed is None and seal.number > 1:
                self._notes.append(f"seals are signed with this key from seal {seal.number} on")
            self._signed = seal.number
        elif self._signed is not None:
            self._object(f"seal {seal.number} is not signed with this key, and seal {self._signed} is")

    def _look_for_anchor(self, seal: Seal) -> None:
        anchored = self._anchored
        if anchored is None or self._found_anchor:
            return
        if seal.head == anchored.head:
            self._found_anchor = True
        elif seal.accepted and (
            seal.accepted.head == anchored.head or 0 < anchored.number <= seal.accepted.seal
        ):
            if self._trusts and not self._trusts(seal.head, signature_of(seal)):
                self._object(
                    f"seal {seal.number} gives up {_name_of(anchored)}, and is not signed with this key"
                )
                return
            self._found_anchor = True
            self._notes.append(f"{_name_of(anchored)} is not in it, and was given up when that was accepted")
        elif seal.begins and (seal.begins.head == anchored.head or 0 < anchored.number < seal.begins.seal):
            if self._trusts is None or self._trusts(seal.head, signature_of(seal)):
                self._found_anchor = True
                self._notes.append(f"{_name_of(anchored)} is not in it: it was dropped by then")
        elif seal.number == anchored.number:
            self._another = True

    def _instead(self) -> str:
        if self._another:
            return "another one stands there"
        newest = f"its newest seal is {self._number}" if self._number else "there is no seal in it"
        return f"it was cut off or put back to an older state, and {newest}"

    def _lose_track(self, number: int) -> None:
        """Forget the previous seal: what follows cannot be compared with a seal that cannot be believed."""
        self._before, self._number, self._unknown = None, number, True

    def _object(self, what: str) -> None:
        if len(self._wrong) < MOST_TOLD:
            self._wrong.append(what)
        else:
            self._more += 1


def _name_of(anchored: Anchored) -> str:
    return f"the anchored seal {anchored.number or anchored.head[:12] + '…'}"


def _objection(seal: Seal, entries: list[Written]) -> str | None:
    """Return what is wrong with the entries of a seal that was not changed itself."""
    if last_link(seal.previous, entries) == seal.links:
        return None
    sealed = [seal.marks[i : i + MARK] for i in range(0, len(seal.marks), MARK)]
    found = [mark_of(each) for each in entries]
    at = next((i for i, (one, other) in enumerate(zip(sealed, found, strict=False)) if one != other), None)
    at = min(len(sealed), len(found)) if at is None else at
    if len(found) > len(sealed):
        return f"entry {entries[at].name} was added"
    if len(found) < len(sealed):
        missing = f"{len(sealed) - len(found)} of {_many(len(sealed))} missing"
        where = f"behind {entries[at - 1].name}" if at else f"at the beginning, {seal.first}"
        return f"{missing}, the first {where}"
    return f"entry {entries[at].name} was changed" if at < len(found) else "its entries were changed"


def _many(entries: int) -> str:
    return "1 entry" if entries == 1 else f"{entries} entries"
