"""The examination of a whole audit, entry by entry and seal by seal, and what it finds wrong.

Only the entries since the last seal are held in memory, so the audit may be of any length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.core.audit.anchor import MOST_SEALED, SETTLES, WAITS, Anchored
from bot.core.audit.chain import (
    GENESIS,
    MARK,
    Seal,
    Sealed,
    Written,
    before_all,
    head_of,
    last_link,
    mark_of,
    moment_of,
    place,
    read_seal,
    signature_of,
)

MOST_TOLD = 100
"""The most findings that are reported; one break can make a thousand."""

Trusts = Callable[[str, bytes], bool]
"""A function of a head and its signature that returns whether a trusted key signed it."""


Facts = Mapping[str, int | str | datetime | None]


class What(StrEnum):
    """The kinds of findings. Their sentences are in ``bot.usecases.audit.sentences``."""

    ENTRY_UNREADABLE = "entry unreadable"
    ENTRY_ORDER = "entry order"
    ENTRY_MOMENT = "entry moment"
    ENTRY_ADDED_LATER = "entry added later"
    ENTRY_ADDED = "entry added"
    ENTRY_CHANGED = "entry changed"
    ENTRIES_CHANGED = "entries changed"
    ENTRIES_MISSING = "entries missing"
    ENTRY_BEFORE_FIRST = "entry before first"
    UNSEALED_TOO_LONG = "unsealed too long"
    UNSEALED_IN_FUTURE = "unsealed in future"
    UNSEALED_YET = "unsealed yet"
    SEAL_UNREADABLE = "seal unreadable"
    SEAL_CHANGED = "seal changed"
    SEAL_ORDER = "seal order"
    SEALS_MISSING = "seals missing"
    SEALS_NOT_EXPORTED = "seals not exported"
    SEAL_ELSEWHERE = "seal elsewhere"
    SEAL_GOES_ON_ELSEWHERE = "seal goes on elsewhere"
    SIGNATURE_REMOVED = "signature removed"
    SIGNATURE_ADDED = "signature added"
    NOTHING_SIGNED = "nothing signed"
    NOT_SIGNED = "not signed"
    SIGNED_FROM = "signed from"
    RESTORE_ACCEPTED = "restore accepted"
    OLDER_DROPPED = "older dropped"
    OLDER_DROPPED_UNSIGNED = "older dropped unsigned"
    ANCHOR_MISSING = "anchor missing"
    ANCHOR_REPLACED = "anchor replaced"
    ANCHOR_GIVEN_UP = "anchor given up"
    ANCHOR_GIVEN_UP_UNSIGNED = "anchor given up unsigned"
    ANCHOR_DROPPED = "anchor dropped"
    MORE = "more"


@dataclass(frozen=True, kw_only=True)
class Finding:
    what: What
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The result: ``wrong`` is what was changed, and where; ``notes`` what one should know of an audit that
    is whole."""

    entries: int
    seals: int
    head: Anchored | None
    wrong: tuple[Finding, ...]
    notes: tuple[Finding, ...]


class Examination:
    """An examination that is given entries and seals in the order of the chain: each seal after what it
    seals. ``trusts`` None: signatures are not checked. ``anchored`` is a seal that must be there."""

    def __init__(self, trusts: Trusts | None = None, anchored: Anchored | None = None) -> None:
        self._trusts = trusts
        self._anchored = anchored
        self._wrong: list[Finding] = []
        self._more = 0
        self._notes: list[Finding] = []
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
                self._object(What.ENTRY_ORDER, entry=each.name, before=self._last_name)
            self._last_name = max(each.name, self._last_name, key=before_all)
        except ValueError as error:
            self._object(What.ENTRY_UNREADABLE, error=str(error))
            return
        self._since.append(each)

    def seal(self, each: Sealed) -> None:
        number = each.number
        self._seals += 1
        entries, self._since = self._since, []
        try:
            seal = read_seal(each.text)
        except ValueError as error:
            self._object(What.SEAL_UNREADABLE, seal=number, error=str(error))
            self._lose_track(number)
            return
        if seal.number != number or seal.head != head_of(seal):
            self._object(What.SEAL_CHANGED, seal=number)
            self._lose_track(number)
            return
        if seal.number <= self._number:
            self._object(What.SEAL_ORDER, seal=number, before=self._number)
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
            self._object(What.NOTHING_SIGNED)
        if not self._found_anchor and self._anchored:
            what = What.ANCHOR_REPLACED if self._another else What.ANCHOR_MISSING
            self._object(what, anchor=_name_of(self._anchored), newest=self._number)
        if self._more:
            self._wrong.append(Finding(what=What.MORE, facts={"more": self._more}))
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
                self._object(What.ENTRY_MOMENT, entry=each.name, said=each.at, named=at)
            elif sealed and sealed.count < MOST_SEALED and at <= sealed.at - SETTLES:
                self._object(What.ENTRY_ADDED_LATER, entry=each.name, seal=sealed.number)
        oldest, newest = (moment_of(self._since[at].name) for at in (0, -1))
        count = len(self._since)
        if self._taken_at and self._taken_at - oldest > WAITS:
            self._object(What.UNSEALED_TOO_LONG, entries=count, since=oldest)
        elif self._taken_at and newest - self._taken_at > WAITS:
            self._object(What.UNSEALED_IN_FUTURE, entries=count, since=oldest)
        else:
            self._note(What.UNSEALED_YET, entries=count, since=oldest)

    def _judge(self, seal: Seal, entries: list[Written]) -> None:
        follows = self._follows(seal)
        if not follows:
            entries = self._without_strangers(seal, entries)
        if last_link(seal.previous, entries) != seal.links:
            self._compare_entries(seal, entries)
        if (seal.key is None) is not (seal.signature is None):
            self._object(What.SIGNATURE_REMOVED if seal.key else What.SIGNATURE_ADDED, seal=seal.number)
        if self._trusts:
            self._check_signature(seal, self._trusts)
        if seal.accepted:
            self._note(
                What.RESTORE_ACCEPTED,
                seal=seal.number,
                at=seal.at,
                by=seal.accepted.by,
                why=seal.accepted.why,
                given_up=seal.accepted.seal,
                goes_on=self._number,
            )
        self._look_for_anchor(seal)
        self._look_for_beginning(seal)

    def _judge_beginning(self) -> None:
        """Object if what is before the first seal is missing, and no later seal says that it was dropped."""
        first, said = self._first, self._beginning
        if first is None:
            return
        missing: Facts = {"first": 1, "seal": first.number}
        if said and said.begins:
            dropped: Facts = {"before": said.begins.at, "up_to": said.begins.seal, "seal": said.number}
            self._notes.insert(0, Finding(what=What.OLDER_DROPPED, facts=dropped))
        elif self._since_seal == first.number:
            self._notes.insert(0, Finding(what=What.SEALS_NOT_EXPORTED, facts=missing))
        else:
            self._wrong.insert(0, Finding(what=What.SEALS_MISSING, facts=missing))
            return
        if self._before_first:
            self._object(What.ENTRY_BEFORE_FIRST, entry=self._before_first, seal=first.number)

    def _look_for_beginning(self, seal: Seal) -> None:
        if self._first is None or seal.begins is None or seal.begins.head != self._first.previous:
            return
        if self._trusts and not self._trusts(seal.head, signature_of(seal)):
            self._object(What.OLDER_DROPPED_UNSIGNED, seal=seal.number)
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
            self._object(What.SEALS_MISSING, first=expected, seal=seal.number)
            return False
        if seal.previous != (self._before.head if self._before else GENESIS):
            before = self._number if self._before else None
            self._object(What.SEAL_ELSEWHERE, seal=seal.number, before=before)
        elif not seal.count and seal.last != (self._before.last if self._before else ""):
            self._object(What.SEAL_GOES_ON_ELSEWHERE, seal=seal.number)
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
                self._note(What.SIGNED_FROM, seal=seal.number)
            self._signed = seal.number
        elif self._signed is not None:
            self._object(What.NOT_SIGNED, seal=seal.number, signed=self._signed)

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
                self._object(What.ANCHOR_GIVEN_UP_UNSIGNED, seal=seal.number, anchor=_name_of(anchored))
                return
            self._found_anchor = True
            self._note(What.ANCHOR_GIVEN_UP, anchor=_name_of(anchored))
        elif seal.begins and (seal.begins.head == anchored.head or 0 < anchored.number < seal.begins.seal):
            if self._trusts is None or self._trusts(seal.head, signature_of(seal)):
                self._found_anchor = True
                self._note(What.ANCHOR_DROPPED, anchor=_name_of(anchored))
        elif seal.number == anchored.number:
            self._another = True

    def _lose_track(self, number: int) -> None:
        """Forget the previous seal: what follows cannot be compared with a seal that cannot be believed."""
        self._before, self._number, self._unknown = None, number, True

    def _compare_entries(self, seal: Seal, entries: list[Written]) -> None:
        """Object to the entries of a seal that was not changed itself, and does not fit them."""
        sealed = [seal.marks[i : i + MARK] for i in range(0, len(seal.marks), MARK)]
        found = [mark_of(each) for each in entries]
        differ = (i for i, (one, other) in enumerate(zip(sealed, found, strict=False)) if one != other)
        at = next(differ, min(len(sealed), len(found)))
        if len(found) > len(sealed):
            self._object(What.ENTRY_ADDED, seal=seal.number, entry=entries[at].name)
        elif len(found) < len(sealed):
            self._object(
                What.ENTRIES_MISSING,
                seal=seal.number,
                missing=len(sealed) - len(found),
                entries=len(sealed),
                behind=entries[at - 1].name if at else None,
                first=seal.first,
            )
        elif at < len(found):
            self._object(What.ENTRY_CHANGED, seal=seal.number, entry=entries[at].name)
        else:
            self._object(What.ENTRIES_CHANGED, seal=seal.number)

    def _note(self, what: What, **facts: int | str | datetime | None) -> None:
        self._notes.append(Finding(what=what, facts=facts))

    def _object(self, what: What, **facts: int | str | datetime | None) -> None:
        if len(self._wrong) < MOST_TOLD:
            self._wrong.append(Finding(what=what, facts=facts))
        else:
            self._more += 1


def _name_of(anchored: Anchored) -> str:
    """Return the number of the anchored seal; its head, shortened, if the anchor does not have the number."""
    return str(anchored.number) if anchored.number else f"{anchored.head[:12]}…"
