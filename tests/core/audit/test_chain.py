"""Bob's approval is in the audit, and any later change to the entry or to its seal is found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.core.audit.anchor import Anchored
from bot.core.audit.chain import (
    GENESIS,
    Acceptance,
    Beginning,
    Seal,
    Sealed,
    Written,
    acceptance_seal,
    beginning_seal,
    head_of,
    read_seal,
    seal_of,
    signed_seal,
    text_of,
)
from bot.core.audit.proof import Examination, Finding, Findings, Trusts
from bot.usecases.audit.sentences import sentence

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
Line = Written | Seal


def entry(second: int, what: str = "approved") -> Written:
    at = NINE + timedelta(seconds=second)
    text = json.dumps({"what": what, "grant": f"g{second}", "by": "U03BOB"})
    return Written(name=f"{int(at.timestamp() * 1000)}-0", at=at, text=text)


def audit(*sizes: int) -> list[Line]:
    """Return that many entries, one a second, sealed in batches of this size."""
    lines: list[Line] = []
    head, second = GENESIS, 0
    for number, size in enumerate(sizes, 1):
        entries = [entry(second + i) for i in range(size)]
        second += size
        seal = seal_of(entries, number=number, previous=head, at=NINE + timedelta(seconds=second))
        lines += [*entries, seal]
        head = seal.head
    return lines


def examined(
    lines: Iterable[Line], trusts: Trusts | None = None, anchored: Anchored | None = None
) -> Findings:
    examination = Examination(trusts, anchored)
    for line in lines:
        if isinstance(line, Seal):
            examination.seal(Sealed(number=line.number, text=text_of(line)))
        else:
            examination.entry(line)
    return examination.finish()


def wrong(lines: Iterable[Line], anchored: Anchored | None = None) -> tuple[str, ...]:
    return said(examined(lines, anchored=anchored).wrong)


def said(found: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(map(sentence, found))


def seals(lines: Iterable[Line]) -> list[Seal]:
    return [line for line in lines if isinstance(line, Seal)]


def anchor(seal: Seal) -> Anchored:
    return Anchored(number=seal.number, head=seal.head)


def changed(lines: list[Line], at: int, change: Callable[[Written], Written]) -> list[Line]:
    line = lines[at]
    assert isinstance(line, Written)
    return [*lines[:at], change(line), *lines[at + 1 :]]


def test_what_nobody_touched_is_whole() -> None:
    found = examined([*audit(3, 1, 2), entry(6), entry(7)])
    assert (found.entries, found.seals, said(found.wrong)) == (8, 3, ())
    assert found.head
    assert found.head.number == 3
    assert said(found.notes) == (
        "2 entries since 2026-03-02T09:00:06.000Z not sealed yet: so far, nothing proves them",
    )


def test_an_empty_audit_is_whole() -> None:
    assert examined([]) == Findings(entries=0, seals=0, head=None, wrong=(), notes=())


def test_an_entry_that_was_changed_is_named() -> None:
    lines = changed(audit(3, 2), 1, lambda it: replace(it, text=it.text.replace("U03BOB", "U04CAROL")))
    assert wrong(lines) == (f"seal 1 does not match what it seals: entry {entry(1).name} was changed",)


def test_an_entry_whose_time_was_changed_is_named() -> None:
    lines = changed(audit(3), 2, lambda it: replace(it, at=it.at - timedelta(hours=1)))
    assert wrong(lines) == (f"seal 1 does not match what it seals: entry {entry(2).name} was changed",)


@pytest.mark.parametrize(
    ("at", "where"), [(0, f"at the beginning, {entry(0).name}"), (2, f"after {entry(1).name}")]
)
def test_an_entry_that_was_removed_is_missed(at: int, where: str) -> None:
    lines = audit(3, 2)
    del lines[at]
    assert wrong(lines) == (
        f"seal 1 does not match what it seals: 1 of 3 entries missing, the first {where}",
    )


@pytest.mark.parametrize("at", [0, 1, 3, 4, 5])
def test_an_entry_that_was_added_is_named(at: int) -> None:
    lines = audit(3, 2)
    behind = lines[at]
    name = f"{(behind.name if isinstance(behind, Written) else behind.last)[:-2]}-1"
    lines.insert(at + 1, replace(entry(0), name=name))
    assert wrong(lines) == (
        f"seal {1 if at < 3 else 2} does not match what it seals: entry {name} was added",
    )


def test_two_entries_that_were_swapped_are_found() -> None:
    lines = audit(3)
    lines[0], lines[1] = lines[1], lines[0]
    one, other = entry(0).name, entry(1).name
    assert wrong(lines) == (
        f"entry {one} comes after entry {other}: the order is wrong",
        f"seal 1 does not match what it seals: entry {other} was changed",
    )


def test_two_entries_that_changed_their_places_are_found() -> None:
    lines = audit(3)
    lines[0], lines[1] = replace(entry(1), name=entry(0).name), replace(entry(0), name=entry(1).name)
    assert wrong(lines) == (f"seal 1 does not match what it seals: entry {entry(0).name} was changed",)


def test_a_tail_that_was_cut_behind_an_anchored_seal_is_missed() -> None:
    lines = audit(3, 2, 2)
    kept = lines[:7]
    assert wrong(kept) == ()
    assert wrong(kept, anchored=anchor(seals(lines)[2])) == (
        "the anchored seal 3 is missing: the audit was truncated or restored to an older state, and its"
        " newest seal is 2",
    )
    assert wrong(lines, anchored=anchor(seals(lines)[1])) == ()


def test_an_anchor_may_be_a_head_alone() -> None:
    lines = audit(3, 2)
    head = seals(lines)[0].head
    assert wrong(lines, anchored=Anchored(number=0, head=head)) == ()
    assert wrong(lines[4:6], anchored=Anchored(number=0, head=head)) == (
        f"the anchored seal {head[:12]}… is missing: the audit was truncated or restored to an older state,"
        " and there is no seal",
    )
    assert wrong(restored(), anchored=Anchored(number=0, head="5" * 64)) == ()


def test_a_chain_that_was_made_anew_is_not_the_one_that_was_anchored() -> None:
    assert wrong(audit(3, 2), anchored=Anchored(number=2, head="2" * 64)) == (
        "the anchored seal 2 is missing: another one is in its place",
    )


def test_entries_that_were_cut_off_without_their_seal_are_missed() -> None:
    lines = audit(2, 2)
    del lines[3:5]
    assert wrong(lines) == (
        "seal 2 does not match what it seals: 2 of 2 entries missing, the first at the beginning,"
        f" {entry(2).name}",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"at": NINE},
        {"count": 2, "marks": "AAAAAAAAAAAAAAAA"},
        {"last": entry(9).name},
        {"previous": "1" * 64},
        {"links": "1" * 64},
        {"head": "1" * 64},
        {"key": "another"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_seal_that_was_changed_is_named(change: dict[str, object]) -> None:
    lines = audit(3, 2, 2)
    lines[6] = Seal(**{**vars(seals(lines)[1]), **change})
    assert wrong(lines) == ("seal 2 was changed after it was made",)


def test_a_seal_that_was_changed_and_closed_anew_does_not_fit_the_next_one() -> None:
    lines = audit(3, 2, 2)
    forged = replace(seals(lines)[1], at=NINE)
    lines[6] = replace(forged, head=head_of(forged))
    assert wrong(lines) == ("seal 3 was not made after seal 2 as it is here",)


def test_a_seal_that_was_removed_is_missed_and_what_it_sealed_is_blamed_on_nobody() -> None:
    lines = audit(3, 2, 2, 2)
    del lines[6]
    assert wrong(lines) == ("seal 2 is missing before seal 3",)
    del lines[8]
    assert wrong(lines) == ("seals 2 to 3 are missing before seal 4",)


def test_a_seal_that_stands_twice_is_found() -> None:
    lines = audit(1, 1)
    assert wrong([*lines, lines[1]]) == ("seal 1 comes after seal 2: the order is wrong",)


def test_the_first_seals_cannot_be_cut_off() -> None:
    assert wrong(audit(3, 2)[4:]) == ("seal 1 is missing before seal 2",)


def test_a_seal_stands_under_its_own_number() -> None:
    lines = audit(2, 2)
    examination = Examination()
    examination.seal(Sealed(number=2, text=text_of(seals(lines)[0])))
    assert said(examination.finish().wrong) == ("seal 2 was changed after it was made",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[]", "it lacks a field, or has one that does not belong there"),
        ("{}", "it lacks a field, or has one that does not belong there"),
        ('{"form": 2}', "it was made by another version of Rotakey"),
    ],
)
def test_a_seal_that_cannot_be_read_is_named(text: str, why: str) -> None:
    examination = Examination()
    examination.seal(Sealed(number=1, text=text))
    assert said(examination.finish().wrong) == (f"seal 1 cannot be read: {why}",)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("number", "1", "it has a number that does not fit"),
        ("count", 3, "it has a number that does not fit"),
        ("head", "A" * 64, "it has an invalid digest"),
        ("last", "yesterday", "'yesterday' is not the name of an audit entry"),
        ("last", 7, "it lacks a field, or has one that does not belong there"),
        ("at", "2026-03-02T09:00:00", "'2026-03-02T09:00:00' has no time zone"),
        ("mood", "curious", "it lacks a field, or has one that does not belong there"),
    ],
)
def test_a_seal_is_read_only_where_it_can_be_worked_with(field: str, value: object, why: str) -> None:
    said = {**json.loads(text_of(seals(audit(2))[0])), field: value}
    with pytest.raises(ValueError) as unread:
        read_seal(json.dumps(said))
    assert str(unread.value) == why


def test_a_seal_comes_back_as_it_was_written() -> None:
    seal = signed_seal(seals(audit(2))[0], b"\xff\x00")
    assert read_seal(text_of(seal)) == seal
    assert read_seal(text_of(accepted(seal))) == accepted(seal)


def test_an_entry_that_is_no_utf_8_is_sealed_with_its_bytes() -> None:
    odd = replace(entry(0), text=b"\xff".decode("utf-8", "surrogateescape"))
    seal = seal_of([odd], number=1, previous=GENESIS, at=NINE)
    assert wrong([odd, seal]) == ()
    other = replace(odd, text=b"\xfe".decode("utf-8", "surrogateescape"))
    assert len(wrong([other, seal])) == 1


def test_of_very_many_breaks_only_some_are_told() -> None:
    lines = [replace(line, at=NINE) if isinstance(line, Seal) else line for line in audit(*[1] * 150)]
    found = wrong(lines)
    assert (len(found), found[-1]) == (101, "and 50 more")


# ----------------------------------------------------------------------------------------- signatures


def by(*keys: str) -> Trusts:
    """Return a stand-in for a key, which signs with its own name."""
    return lambda head, signature: signature.decode() in {f"{key} {head}" for key in keys}


def with_key(lines: list[Line], key: str, first: int, last: int) -> list[Line]:
    """Return the same lines as a sealer with this key would have made them."""
    done: list[Line] = []
    head = GENESIS
    for line in lines:
        if isinstance(line, Seal):
            again = replace(line, previous=head, links=relinked(done, head), key=line.key)
            if first <= line.number <= last:
                again = replace(again, key=key)
            again = replace(again, head=head_of(again))
            if again.key:
                again = signed_seal(again, f"{again.key} {again.head}".encode())
            done.append(again)
            head = again.head
        else:
            done.append(line)
    return done


def relinked(done: list[Line], head: str) -> str:
    entries: list[Written] = []
    for line in reversed(done):
        if isinstance(line, Seal):
            break
        entries.insert(0, line)
    return seal_of(entries, number=1, previous=head, at=NINE).links


def test_a_signed_audit_is_whole_with_its_key_and_with_no_other() -> None:
    lines = with_key(audit(2, 2, 2), "ours", 1, 3)
    assert said(examined(lines, by("ours")).wrong) == ()
    assert said(examined(lines, by("another")).wrong) == ("no seal is signed with this key",)


def test_a_seal_made_anew_without_the_key_is_found() -> None:
    lines = with_key(audit(2, 2, 2), "ours", 1, 3)
    forged = replace(seals(lines)[2], at=NINE, key=None, signature=None)
    lines[-1] = replace(forged, head=head_of(forged))
    assert said(examined(lines).wrong) == ()
    assert said(examined(lines, by("ours")).wrong) == ("seal 3 is not signed with this key, but seal 2 is",)


def test_a_signature_that_was_taken_away_is_missed_even_without_the_key() -> None:
    lines = with_key(audit(2, 2), "ours", 1, 2)
    lines[2] = replace(seals(lines)[0], signature=None)
    assert wrong(lines) == ("the signature of seal 1 was removed",)


def test_all_seals_made_anew_without_the_key_are_found() -> None:
    assert said(examined(audit(2, 2), by("ours")).wrong) == ("no seal is signed with this key",)


def test_a_signed_seal_vouches_for_those_made_before_there_was_a_key() -> None:
    lines = with_key(audit(2, 2, 2), "ours", 2, 3)
    found = examined(lines, by("ours"))
    assert said(found.wrong) == ()
    assert said(found.notes) == ("seals are signed with this key from seal 2 on",)


def test_a_key_may_be_replaced_by_another() -> None:
    lines = with_key(with_key(audit(2, 2, 2), "old", 1, 2), "new", 3, 3)
    assert said(examined(lines, by("old", "new")).wrong) == ()
    assert said(examined(lines, by("new")).wrong) == ()
    assert said(examined(lines, by("old")).wrong) == ("seal 3 is not signed with this key, but seal 2 is",)


# ------------------------------------------------------------------------------------ accepted restores


def accepted(before: Seal, lost: int = 5) -> Seal:
    return acceptance_seal(
        Acceptance(by="carol", why="disk lost", seal=lost, head="5" * 64),
        number=max(before.number, lost) + 1,
        last=before.last,
        previous=before.head,
        at=NINE + timedelta(hours=1),
    )


def restored(lost: int = 5) -> list[Line]:
    """Return an audit in which two of five seals are left, and the chain continues from the second."""
    lines = audit(2, 2)
    epoch = accepted(seals(lines)[1], lost)
    later = [entry(5000), entry(5001)]
    after = seal_of(later, number=epoch.number + 1, previous=epoch.head, at=NINE + timedelta(hours=2))
    return [*lines, epoch, *later, after]


def test_a_restore_that_was_accepted_is_told_and_breaks_nothing() -> None:
    found = examined(restored(), anchored=Anchored(number=5, head="5" * 64))
    assert said(found.wrong) == ()
    assert said(found.notes) == (
        "seal 6: a restore was accepted on 2026-03-02T10:00:00.000Z by carol (disk lost); seal 5 was given"
        " up, and the chain continues from seal 2",
        "the anchored seal 5 is missing; it was given up when a restore was accepted",
    )


def test_what_was_anchored_after_a_restore_must_be_there() -> None:
    assert wrong(restored(), anchored=Anchored(number=7, head="7" * 64)) == (
        "the anchored seal 7 is missing: another one is in its place",
    )
    assert wrong(restored(), anchored=anchor(seals(restored())[-1])) == ()


def test_a_restore_that_forked_the_chain_can_be_accepted_too() -> None:
    found = examined(restored(lost=1), anchored=Anchored(number=1, head="5" * 64))
    assert (said(found.wrong), found.head and found.head.number) == ((), 4)


def test_nobody_accepts_a_restore_in_passing() -> None:
    lines = restored()
    forged = replace(seals(lines)[2], accepted=Acceptance(by="dan", why="", seal=5, head="5" * 64))
    lines[6] = forged
    assert wrong(lines) == ("seal 6 was changed after it was made",)
    lines[6] = replace(forged, head=head_of(forged))
    assert wrong(lines) == ("seal 7 was not made after seal 6 as it is here",)
    del lines[6]
    assert wrong(lines) == ("seals 3 to 6 are missing before seal 7",)


def test_an_acceptance_passes_over_nothing() -> None:
    lines = restored()
    forged = replace(seals(lines)[2], last=entry(0).name)
    forged = replace(forged, head=head_of(forged))
    assert wrong([*lines[:6], forged]) == ("seal 6 does not start where the previous seal ended",)


def test_after_a_total_loss_the_chain_may_begin_with_an_acceptance() -> None:
    lost = Acceptance(by="carol", why="", seal=9, head="5" * 64)
    epoch = acceptance_seal(lost, number=10, last="", previous=GENESIS, at=NINE)
    later = [entry(5000)]
    after = seal_of(later, number=11, previous=epoch.head, at=NINE)
    found = examined([epoch, *later, after])
    assert said(found.wrong) == ()
    assert said(found.notes) == (
        "seal 10: a restore was accepted on 2026-03-02T09:00:00.000Z by carol (no reason was given); seal 9"
        " was given up, and the chain continues from its beginning",
    )


# ------------------------------------------------------------------------------------------- beginnings


def dropped(lines: list[Line], upto: int, head: str | None = None) -> list[Line]:
    """Return the lines without everything up to that seal, as the newest seal says."""
    last, seal = seals(lines)[-1], seals(lines)[upto - 1]
    begins = Beginning(seal=upto, head=head or seal.head, at="2026-03-02T09:00:00.000Z")
    newest = beginning_seal(begins, number=last.number + 1, last=last.last, previous=last.head, at=NINE)
    return [*lines[lines.index(seal) + 1 :], newest]


def test_a_chain_may_begin_where_a_later_seal_says() -> None:
    lines = audit(2, 2, 2)
    found = examined(dropped(lines, 2), anchored=anchor(seals(lines)[2]))
    assert said(found.wrong) == ()
    assert said(found.notes) == (
        "seal 4 says that what was written before 2026-03-02T09:00:00.000Z (up to seal 2) was dropped",
    )


def test_an_anchor_that_was_dropped_is_not_missed() -> None:
    lines = audit(2, 2, 2)
    for at in (0, 1):
        found = examined(dropped(lines, 2), anchored=anchor(seals(lines)[at]))
        assert said(found.wrong) == ()
        missed = f"the anchored seal {at + 1} is missing; it had been dropped"
        assert missed in said(found.notes)
    assert wrong(dropped(lines, 2), anchored=Anchored(number=2, head="2" * 64)) == (
        "the anchored seal 2 is missing: the audit was truncated or restored to an older state, and its"
        " newest seal is 4",
    )


def test_a_beginning_speaks_of_no_other_seal() -> None:
    assert wrong(dropped(audit(2, 2, 2), 2, head="2" * 64)) == ("seals 1 to 2 are missing before seal 3",)
    lines = dropped(audit(2, 2, 2, 2), 2)
    assert wrong(lines[3:]) == ("seals 1 to 3 are missing before seal 4",)


def test_a_beginning_counts_only_with_a_signature() -> None:
    lines = with_key(audit(2, 2, 2), "ours", 1, 3)
    found = examined(dropped(lines, 2), by("ours"))
    assert said(found.wrong)[0] == "seals 1 to 2 are missing before seal 3"
    forged = dropped(lines, 2)
    last = seals(forged)[-1]
    signed_by_us = replace(last, key="ours")
    signed_by_us = replace(signed_by_us, head=head_of(signed_by_us))
    forged[-1] = signed_seal(signed_by_us, f"ours {signed_by_us.head}".encode())
    assert said(examined(forged, by("ours")).wrong) == ()


def test_an_entry_that_was_put_before_the_beginning_is_found() -> None:
    lines = dropped(audit(2, 2, 2), 2)
    assert wrong([entry(0), *lines]) == (f"entry {entry(0).name} comes before seal 3, the first",)


def test_a_seal_that_says_where_it_begins_comes_back_as_it_was_written() -> None:
    seal = seals(dropped(audit(2, 2), 1))[-1]
    assert read_seal(text_of(seal)) == seal
    assert "begins" not in text_of(seals(audit(2))[0]), "older seals keep their heads"
