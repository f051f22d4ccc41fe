"""The audit is sealed every few seconds, each seal linked to the previous one, whichever worker makes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.audit.chain import Seal, read_seal
from bot.core.audit.proof import Findings
from bot.core.catalog import AuditRules
from bot.core.errors import Conflict, PermanentFailure
from bot.ports.changes import Change, Claim, Committed, Due, Entry
from bot.ports.documents import Key, SealHead
from bot.ports.ledger import CLAIM_SECONDS
from bot.slack.wording.reasons import refusal
from bot.testing.cast import ADA, catalog
from bot.testing.story import Story
from bot.usecases.audit import seal
from bot.usecases.audit.evidence import examine, lines
from bot.usecases.audit.seal import SEAL, unsealed_for

HOUR = 3_600


@pytest.fixture
def story() -> Story:
    """Return a story a minute after nine, when all that happened at nine is sealed."""
    story = Story(sealed=True)
    story.pass_time(60)
    return story


def seals(story: Story) -> list[Seal]:
    return [read_seal(each.text) for each in story.memory.seals()]


def examined(story: Story) -> Findings:
    return examine(lines(story.memory))


def head(story: Story) -> SealHead:
    return story.memory.read({Key.of(SealHead)}).find(SealHead) or SealHead()


def note(story: Story, what: str) -> None:
    story.memory.commit(Change(audit=(Entry(what=what, grant="g1"),)))


def seal_now(story: Story) -> Claim:
    """Return a claim on sealing, as a sealer that begins now has it."""
    story.memory.commit(Change(due=(Due(member=SEAL, at=story.now),)))
    [claim] = story.memory.claim(1, 9, {}, ("seal",)).claims
    return claim


class Pen:
    """A stand-in for a key."""

    key = "pen"

    def sign(self, head: str) -> bytes:
        return f"pen {head}".encode()

    def trusts(self, head: str, signature: bytes) -> bool:
        return signature == self.sign(head)


def test_what_happened_is_sealed_within_seconds(story: Story) -> None:
    before = len(seals(story))
    story.ask(ADA)
    story.run_due()
    story.pass_time(60)
    found = examined(story)
    assert (len(seals(story)), found.wrong, found.notes) == (before + 1, (), ())
    assert found.entries == len(story.audit())
    assert found.head
    assert (found.head.number, found.head.head) == (head(story).number, head(story).head)


def test_what_ended_is_sealed_within_seconds_and_all_else_with_it(story: Story) -> None:
    """If Redis comes back with older data, only what is sealed is known to have ended."""
    before = len(seals(story))
    note(story, "asked")
    story.pass_time(10)
    assert len(seals(story)) == before
    note(story, "ending")
    story.pass_time(10)
    assert [each.count for each in seals(story)[before:]] == [2]


def test_when_little_happens_there_are_few_seals(story: Story) -> None:
    before = len(seals(story))
    for _ in range(12):
        note(story, "something")
        story.pass_time(10)
    story.pass_time(60)
    assert len(seals(story)) - before == 3
    assert examined(story).notes == ()


def test_when_much_happens_it_is_sealed_within_seconds(story: Story) -> None:
    before = len(seals(story))
    for n in range(50):
        note(story, f"step {n}")
    story.pass_time(8)
    assert [each.count for each in seals(story)[before:]] == [50]


def test_nothing_is_sealed_where_nothing_happened(story: Story) -> None:
    before = seals(story)
    story.pass_time(600)
    assert seals(story) == before


def test_what_was_written_just_now_is_left_to_the_next_seal(story: Story) -> None:
    note(story, "ending")
    story.memory.advance(1.999)
    note(story, "two")
    story.memory.advance(0.001)
    story.sealing.seal(seal_now(story))
    [left] = story.memory.written_entries(seals(story)[-1].last)
    assert json.loads(left.text)["what"] == "two"
    story.pass_time(60)
    assert examined(story).notes == ()


def test_a_clock_that_is_set_back_keeps_nothing_from_being_sealed(story: Story) -> None:
    note(story, "before")
    story.memory.now -= timedelta(hours=1)
    story.memory.commit(Change(due=(Due(member=SEAL, at=story.now),)))
    note(story, "after")
    story.pass_time(60)
    assert examined(story).notes == ()
    assert examined(story).wrong == ()


def test_more_than_fits_into_a_seal_is_sealed_by_the_next_ones_at_once(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seal, "MOST", 10)
    before = len(seals(story))
    for n in range(35):
        note(story, f"step {n}")
    story.memory.advance(55)
    story.run_due("seal")
    assert [each.count for each in seals(story)[before:]] == [10, 10, 10, 5]
    assert examined(story).wrong == ()


def just_before_the_next_commit(story: Story, do: Callable[[], object]) -> None:
    commit = story.memory.commit

    def late(change: Change) -> Committed:
        story.memory.commit = commit  # type: ignore[method-assign]
        do()
        return commit(change)

    story.memory.commit = late  # type: ignore[method-assign]


def test_of_two_that_seal_at_once_one_loses_and_the_chain_has_no_fork(story: Story) -> None:
    note(story, "one")
    story.memory.advance(55)
    first = seal_now(story)
    story.memory.advance(6)
    second = seal_now(story)
    assert second.taken_over
    just_before_the_next_commit(story, lambda: story.sealing.seal(second))
    with pytest.raises(Conflict):
        story.sealing.seal(first)
    assert len(seals(story)) == head(story).number
    assert examined(story).wrong == ()


def test_the_head_alone_keeps_two_apart_that_both_have_a_claim(story: Story) -> None:
    note(story, "one")
    story.memory.advance(55)
    claim = seal_now(story)
    moved = Change(put={Key.of(SealHead): replace(head(story), told=99)})
    just_before_the_next_commit(story, lambda: story.memory.commit(moved))
    with pytest.raises(Conflict, match="seal-head: has changed"):
        story.sealing.seal(claim)


@pytest.mark.parametrize("lost", [None, SealHead(number=1)])
def test_a_head_that_is_lost_or_too_old_is_found_again_from_the_seals(
    story: Story, lost: SealHead | None
) -> None:
    kept = seals(story)
    if lost:
        lost = replace(lost, head=kept[0].head, last=kept[0].last)
    story.memory.commit(Change(put={Key.of(SealHead): lost}))
    note(story, "one")
    story.pass_time(60)
    assert len(seals(story)) == len(kept) + 1
    assert examined(story).wrong == ()


def test_behind_a_seal_that_cannot_be_read_nothing_is_sealed_and_all_else_goes_on(story: Story) -> None:
    story.memory.commit(Change(put={Key.of(SealHead): None}))
    backup = dict(story.memory.backup())
    broken = [replace(each, text='{"form": 2}') for each in story.memory.seals()]
    story.memory.restore({**backup, "_seals": broken})
    with pytest.raises(PermanentFailure, match="seal 1 of the audit cannot be read: it was"):
        story.sealing.seal(seal_now(story))
    asked = story.ask(ADA)
    story.pass_time(HOUR)
    assert story.has(ADA)
    story.pass_time(4 * HOUR)
    assert not story.has(ADA)
    assert story.grant(asked.standing.grant.id).state == "ended"


def test_the_age_of_what_is_not_sealed_is_known(story: Story) -> None:
    assert unsealed_for(story.ledger, story.memory) == timedelta()
    note(story, "one")
    story.memory.advance(90)
    assert unsealed_for(story.ledger, story.memory) == timedelta(seconds=90)
    story.run_due("seal")
    assert unsealed_for(story.ledger, story.memory) == timedelta()


def test_a_seal_is_signed_where_there_is_a_key(story: Story) -> None:
    note(story, "one")
    story.memory.advance(55)
    replace(story.sealing, signer=Pen()).seal(seal_now(story))
    last = seals(story)[-1]
    assert last.key == "pen"
    assert examine(lines(story.memory), lambda it, by: by == f"pen {it}".encode()).wrong == ()


def test_what_is_signed_so_far_is_not_gone_on_with_without_a_key(story: Story) -> None:
    """One of several workers has no key, and the others go on."""
    unsigned = story.sealing
    story.sealing = replace(unsigned, signer=Pen())
    note(story, "one")
    story.pass_time(60)
    note(story, "two")
    story.memory.advance(55)
    claim = seal_now(story)
    with pytest.raises(PermanentFailure, match="were signed until now: set AUDIT_KEY here too"):
        unsigned.seal(claim)
    story.memory.advance(CLAIM_SECONDS)
    story.run_due("seal")
    found = examine(lines(story.memory), lambda it, by: by == f"pen {it}".encode())
    assert (found.wrong, found.head and found.head.number) == ((), len(seals(story)))


def test_a_channel_is_told_the_newest_seal_once_in_an_hour_in_which_there_was_one() -> None:
    story = Story(replace(catalog(), audit=AuditRules(channel="#audit")), sealed=True)
    story.pass_time(60)
    for _ in range(12):
        note(story, "something")
        story.pass_time(HOUR / 6)
    story.pass_time(5 * HOUR)
    told = story.messenger.notes_in("#audit")
    assert len(told) == 3, "at nine, at ten, and the last of it at eleven"
    newest = head(story)
    assert refusal(told[-1].reason) == (
        f"The audit is sealed up to number {newest.number}. Keep this line to prove later that"
        f" nothing was changed or cut off: `{newest.number}:{newest.head}`"
    )
