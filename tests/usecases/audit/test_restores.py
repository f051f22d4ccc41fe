"""Redis comes back with older data: workers notice, and nothing is granted until Carol accepts it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.core.audit.anchor import Anchored, GivenUp
from bot.core.audit.chain import Acceptance, Seal, acceptance_seal, place, read_seal, seal_of, signed_seal
from bot.core.audit.proof import Findings
from bot.core.catalog import AuditRules, SecurityRules
from bot.core.errors import PermanentFailure
from bot.core.grants import State
from bot.core.reasons import Why, because
from bot.evidence.anchor_file import AnchorFile
from bot.ledger.codec import encode
from bot.ports.changes import Change, Due, Entry
from bot.ports.documents import Key, Note, Restore, SealHead
from bot.ports.ledger import Serving
from bot.slack.wording.reasons import refusal
from bot.testing.cast import ADA, BOB, DAN, SECURITY, catalog
from bot.testing.memory_ledger import MemoryLedger
from bot.testing.story import Story
from bot.usecases.audit.evidence import examine, lines
from bot.usecases.audit.restore import accept_restore
from bot.usecases.audit.rollback import OTHERS_COMPARE_WITHIN, RollbackGuard
from bot.usecases.audit.seal import SEAL, Sealing, newest
from bot.usecases.audit.sentences import sentence
from tests.usecases.audit.test_sealing import Pen

MINUTE, HOUR = 60, 3_600


@pytest.fixture
def story() -> Story:
    """Return a story a minute after nine, when all that happened at nine is sealed."""
    story = Story(sealed=True)
    story.pass_time(MINUTE)
    return story


@pytest.fixture
def file(tmp_path: Path) -> AnchorFile:
    return AnchorFile(tmp_path / "anchor")


def a_while(story: Story) -> None:
    """Let something happen, be sealed, and be remembered."""
    story.memory.commit(Change(audit=(Entry(what="something"),)))
    story.pass_time(MINUTE)


def restore(story: Story) -> Restore | None:
    return story.memory.read({Key.of(Restore)}).find(Restore)


def told(story: Story) -> list[Note]:
    return story.messenger.notes_in(SECURITY)


def examined(story: Story, anchored: Anchored | None = None) -> Findings:
    return examine(lines(story.memory), anchored=anchored)


def accept(story: Story) -> Restore:
    return accept_restore(story.ledger, story.memory, None, by="carol", why="disk lost")


def put_back(story: Story, backup: Mapping[str, object]) -> None:
    """Restore the backup while the worker keeps running."""
    story.memory.restore(backup)
    story.pass_time(10)


# ------------------------------------------------------------------------------------------- noticed


def test_what_was_given_back_and_is_live_again_is_told_exactly(story: Story) -> None:
    grant = story.ask(ADA, length="8h").standing.grant.id
    story.pass_time(MINUTE)
    backup = story.memory.backup()
    story.pass_time(3 * HOUR)
    story.give_back(ADA)
    ended = story.now
    story.pass_time(MINUTE)
    assert not story.has(ADA)
    put_back(story, backup)
    found = restore(story)
    assert found
    assert found.again == (grant,)
    first, second = (refusal(note.reason) for note in told(story))
    assert first == (
        "🚨 Redis came back with older data: its audit once had seal 3, and now has seal 2, of 2026-03-02 "
        "09:01:50 UTC. I grant nothing new and keep revoking. Grants that are live in it: 1; don't "
        "trust them. Compare it with who has access at each target, and then run"
        " `rotakey doctor --accept-restore`."
    )
    when = f"<!date^{int(ended.timestamp())}^{{date_short_pretty}} at {{time}}|2026-03-02 12:02 UTC>"
    assert second == (
        f"🚨 <@{ADA}>'s *prod-db* ended {when}, but is live again in the Redis that came back ({grant})."
        " Revoke it with `/access revoke`."
    )
    assert not story.has(ADA), "what is live by mistake is not given again"


def test_while_it_is_not_accepted_nothing_is_given_and_taking_back_goes_on(story: Story) -> None:
    story.ask(ADA, length="1h")
    story.pass_time(MINUTE)
    backup = story.memory.backup()
    a_while(story)
    put_back(story, backup)
    dans = story.ask(DAN, length="10m").standing.grant.id
    story.approve(BOB, dans)
    story.pass_time(5 * MINUTE)
    assert not story.has(DAN)
    assert "rotakey doctor" in (story.grant(dans).trouble or "")
    assert story.has(ADA)
    story.pass_time(HOUR)
    assert not story.has(ADA), "an hour is an hour"
    assert len(told(story)) == 1, "once is enough"
    assert story.grant(dans).state is State.ENDED


def test_what_is_owed_is_given_once_somebody_has_accepted_it(story: Story) -> None:
    backup = story.memory.backup()
    a_while(story)
    put_back(story, backup)
    dans = story.ask(DAN).standing.grant.id
    story.approve(BOB, dans)
    story.pass_time(MINUTE)
    assert not story.has(DAN)
    accept(story)
    story.run_due()
    assert story.has(DAN)
    story.pass_time(HOUR)
    assert restore(story) is None
    entries = [entry for entry in story.audit() if entry.what.startswith("restore")]
    assert [(entry.what, entry.by) for entry in entries] == [
        ("restore noticed", None),
        ("restore accepted", "carol"),
    ]
    assert entries[1].facts["why"] == "disk lost"


def test_once_it_is_accepted_what_is_live_and_not_there_ends(story: Story) -> None:
    """Ada gave it back, and Redis has forgotten that."""
    grant = story.ask(ADA).standing.grant.id
    story.pass_time(MINUTE)
    backup = story.memory.backup()
    story.give_back(ADA)
    a_while(story)
    put_back(story, backup)
    accept(story)
    record = story.record(grant)
    assert record
    assert record.seen_at is None
    story.pass_time(11)
    ended = story.grant(grant)
    assert (ended.state, ended.ended) == (State.ENDED, because(Why.NOT_AFTER_RESTORE, target="orders-db"))
    assert not story.has(ADA)


def test_once_it_is_accepted_what_is_live_and_there_goes_on(story: Story) -> None:
    grant = story.ask(ADA).standing.grant.id
    story.pass_time(MINUTE)
    backup = story.memory.backup()
    a_while(story)
    put_back(story, backup)
    accept(story)
    story.pass_time(11 * MINUTE)
    record = story.record(grant)
    assert record
    assert (record.losses, record.seen_at) == (2, story.now - timedelta(seconds=MINUTE))
    assert (story.grant(grant).state, story.has(ADA)) == (State.ACTIVE, True)


def test_a_worker_that_starts_later_notices_it_by_its_anchor(story: Story, file: AnchorFile) -> None:
    story.anchor = file
    backup = story.memory.backup()
    a_while(story)
    story.memory.restore(backup)
    story.guard = story.another_guard()
    assert story.guard.look(SECURITY)
    assert restore(story)


def test_a_worker_that_starts_later_without_an_anchor_cannot_know(story: Story) -> None:
    backup = story.memory.backup()
    a_while(story)
    story.memory.restore(backup)
    assert story.another_guard().look(SECURITY) is None


def test_a_redis_that_came_back_empty_is_an_older_one(story: Story, file: AnchorFile) -> None:
    story.anchor = file
    story.pass_time(MINUTE)
    story.memory.restore(MemoryLedger(story.now).backup())
    story.guard = story.another_guard()
    found = story.guard.look(SECURITY)
    assert found
    assert (found.anchored, found.found) == ("seal 1", "no seal at all")
    story.enact(story.policy)
    story.run_due("workspace", "groups")
    story.run_due()
    story.ask(ADA)
    story.pass_time(MINUTE)
    assert not story.has(ADA)
    accept(story)
    story.pass_time(MINUTE)
    assert story.has(ADA)
    assert examined(story, file.read()).wrong == ()


def test_a_chain_that_went_on_from_an_older_state_is_found_also_when_it_is_longer(
    story: Story, file: AnchorFile
) -> None:
    story.anchor = file
    backup = story.memory.backup()
    a_while(story)
    story.memory.restore(backup)
    elsewhere = story.another_guard()
    for _ in range(5):
        story.memory.commit(Change(audit=(Entry(what="on another machine"),)))
        story.memory.advance(MINUTE)
        seal_only(story)
    elsewhere.look(SECURITY)
    found = restore(story)
    assert found
    assert (found.anchored, found.found) == ("seal 2", "another seal 2")


def seal_only(story: Story) -> None:
    """Let a worker on another machine seal, which has its own anchor."""
    [claim] = story.memory.claim(1, 9, {}, ("seal",)).claims
    story.sealing.seal(claim)


# ------------------------------------------------------------------------------------- no false alarm


def test_a_crash_that_loses_the_last_two_seconds_is_no_restore(story: Story, file: AnchorFile) -> None:
    """A Redis that writes to disk each second can lose them, at any moment of what follows."""
    story.anchor = file
    for tenth in range(100):
        story.memory.commit(Change(audit=(Entry(what=f"something {tenth}"),)))
        story.pass_time(0.1)
        backup = story.memory.backup()
        story.memory.commit(Change(audit=(Entry(what="lost"),)))
        story.pass_time(2)
        story.memory.restore(backup)
        story.guard.look(SECURITY)
        story.another_guard().look(SECURITY)
        assert restore(story) is None
    assert len(story.memory.seals()) > 2, "seals were lost with it, and made again"


def test_all_that_is_well_stays_well(story: Story, file: AnchorFile) -> None:
    story.anchor = file
    for _ in range(20):
        a_while(story)
    story.guard = story.another_guard()
    story.pass_time(HOUR)
    assert restore(story) is None
    kept = file.read()
    head = story.memory.read({Key.of(SealHead)}).find(SealHead)
    assert kept
    assert head
    assert (kept.number, kept.head, kept.last) == (head.number, head.head, head.last)


# ---------------------------------------------------------------------------------- several who look


def test_who_knows_of_a_newer_seal_adds_what_else_was_lost(story: Story) -> None:
    backup = story.memory.backup()
    early, late = story.another_guard(), story.another_guard()
    a_while(story)
    early.look(SECURITY)
    a_while(story)
    late.look(SECURITY)
    story.memory.restore(backup)
    early.look(SECURITY)
    assert restore(story)
    late.look(SECURITY)
    early.look(SECURITY)
    found = restore(story)
    assert found
    assert found.seal == 3
    story.pass_time(10)
    assert len(told(story)) == 1
    accept(story)
    for guard in (early, late, story.another_guard()):
        assert guard.look(SECURITY) is None


def test_who_finds_a_better_backup_goes_on_without_accepting_anything(story: Story) -> None:
    older = story.memory.backup()
    other = story.another_guard()
    other.look(SECURITY)
    a_while(story)
    whole = story.memory.backup()
    put_back(story, older)
    for _ in range(3):
        a_while(story)
        other.look(SECURITY)
    assert restore(story)
    put_back(story, whole)
    other.look(SECURITY)
    assert restore(story) is None


def test_the_anchor_waits_while_a_restore_stands_and_goes_on_when_it_is_accepted(
    story: Story, file: AnchorFile
) -> None:
    story.anchor = file
    backup = story.memory.backup()
    a_while(story)
    kept = file.read()
    put_back(story, backup)
    a_while(story)
    a_while(story)
    assert file.read() == kept
    accept(story)
    a_while(story)
    moved = file.read()
    assert kept
    assert moved
    assert moved.number > kept.number
    assert examined(story, moved).wrong == ()
    assert examined(story, kept).wrong == ()


def test_an_anchor_that_cannot_be_read_is_told_and_the_memory_goes_on(story: Story, tmp_path: Path) -> None:
    path = tmp_path / "anchor"
    story.anchor = AnchorFile(path)
    backup = story.memory.backup()
    a_while(story)
    path.write_text("nonsense")
    with pytest.raises(PermanentFailure, match="cannot be read: it is not a valid audit anchor; inspect it"):
        story.guard.look(SECURITY)
    assert restore(story) is None
    story.memory.restore(backup)
    with pytest.raises(PermanentFailure):
        story.guard.look(SECURITY)
    assert restore(story)
    assert path.read_text() == "nonsense"


def test_an_anchor_that_cannot_be_written_is_told_and_all_else_goes_on(story: Story, tmp_path: Path) -> None:
    story.anchor = AnchorFile(tmp_path / "nowhere" / "anchor")
    with pytest.raises(
        PermanentFailure, match="cannot be written: No such file or directory; let the worker"
    ):
        story.guard.look(SECURITY)
    before = len(story.memory.seals())
    story.ask(ADA)
    story.pass_time(MINUTE)
    assert story.has(ADA)
    assert len(story.memory.seals()) > before


def test_without_a_security_channel_it_is_noticed_all_the_same() -> None:
    story = Story(replace(catalog(), security=SecurityRules(channel=None)), sealed=True)
    story.pass_time(MINUTE)
    backup = story.memory.backup()
    a_while(story)
    put_back(story, backup)
    assert restore(story)


def test_while_a_restore_stands_no_channel_is_told_a_seal() -> None:
    story = Story(replace(catalog(), audit=AuditRules(channel="#audit")), sealed=True)
    story.pass_time(2 * HOUR)
    backup = story.memory.backup()
    a_while(story)
    put_back(story, backup)
    before = len(story.messenger.notes_in("#audit"))
    for _ in range(3):
        a_while(story)
        story.pass_time(HOUR)
    assert len(story.messenger.notes_in("#audit")) == before


# --------------------------------------------------------------------------------------------- forged


def forge(story: Story, **facts: object) -> None:
    """Change what Redis says about the newest seal, as somebody with write access could."""
    key = Key.of(SealHead)
    head = story.memory.read({key}).find(SealHead) or SealHead()
    story.memory.corrupt(key, json.dumps({**json.loads(encode(head)), **facts}))


def cut_tail(story: Story, seals: int) -> None:
    """Remove the newest seals, and the entries in them, from Redis."""
    kept = [read_seal(each.text) for each in story.memory.seals(count=1_000)][:-seals]
    last = place(kept[-1].last)
    backup = dict(story.memory.backup())
    backup["_seals"] = story.memory.seals(count=1_000)[:-seals]
    backup["_audit"] = [each for each in backup["_audit"] if each[:2] <= last]  # type: ignore[attr-defined]
    story.memory.restore(backup)
    forge(story, number=kept[-1].number, head=kept[-1].head, last=kept[-1].last)


def test_nobody_cuts_off_a_signed_tail_by_saying_that_it_was_accepted(story: Story, file: AnchorFile) -> None:
    story.anchor = file
    story.sign_with(Pen())
    for _ in range(5):
        a_while(story)
    kept = file.read()
    assert kept
    cut_tail(story, seals=3)
    forge(story, given_up=99)
    for _ in range(5):
        a_while(story)
    assert file.read() == kept, "the anchor keeps what it knows"
    assert restore(story)
    found = examine(lines(story.memory), Pen().trusts, kept)
    assert any(
        each.startswith(f"the anchored seal {kept.number} is missing") for each in map(sentence, found.wrong)
    )


class AnotherPen(Pen):
    key = "another"

    def sign(self, head: str) -> bytes:
        return f"another {head}".encode()


def accept_by_hand(story: Story, signer: Pen | None) -> None:
    """Write a seal to Redis that says that Carol accepted a restore."""
    snap = story.memory.read({Key.of(SealHead)})
    head = newest(snap, story.memory)
    accepted = Acceptance(by="carol", why="", seal=99, head="9" * 64)
    seal = acceptance_seal(
        accepted,
        number=100,
        last=head.last,
        previous=head.head,
        at=story.now,
        key=signer.key if signer else None,
    )
    if signer:
        seal = signed_seal(seal, signer.sign(seal.head))
    story.memory.commit(Change(seal=seal, put={Key.of(Restore): None}))


@pytest.mark.parametrize("forger", [None, AnotherPen()])
def test_an_acceptance_counts_only_with_our_signature(
    story: Story, file: AnchorFile, forger: Pen | None
) -> None:
    story.anchor = file
    story.sign_with(Pen())
    for _ in range(5):
        a_while(story)
    kept = file.read()
    assert kept
    cut_tail(story, seals=3)
    accept_by_hand(story, forger)
    for _ in range(3):
        a_while(story)
    assert restore(story)
    assert file.read() == kept
    found = examine(lines(story.memory), Pen().trusts, kept)
    assert any("is missing" in each for each in map(sentence, found.wrong))


def test_numbers_that_were_skipped_are_noticed(story: Story, file: AnchorFile) -> None:
    story.anchor = file
    for _ in range(3):
        a_while(story)
    kept = file.read()
    assert kept
    forged = story.memory.seals(count=1_000)[-1]
    seal = seal_of(
        story.memory.written_entries(), number=forged.number + 900, previous=kept.head, at=story.now
    )
    story.memory.commit(Change(seal=seal))
    for _ in range(3):
        a_while(story)
    assert file.read() == kept, "it never advances over a gap"
    found = restore(story)
    assert found
    assert found.found == (
        f"another chain after seal {kept.number}: seals {kept.number + 1} to {seal.number - 1} are missing"
        f" before seal {seal.number}"
    )
    accept(story)
    for _ in range(3):
        a_while(story)
    moved = file.read()
    assert moved
    assert moved.number > seal.number, "once a person has accepted it, it goes on"
    assert any("are missing before seal" in each for each in map(sentence, examined(story, kept).wrong))


def test_a_seal_that_lost_its_signature_is_noticed(story: Story, file: AnchorFile) -> None:
    story.anchor = file
    story.sign_with(Pen())
    a_while(story)
    kept = file.read()
    assert kept
    head = newest(story.memory.read({Key.of(SealHead)}), story.memory)
    note = Change(audit=(Entry(what="forged"),))
    story.memory.commit(note)
    forged = seal_of(
        story.memory.written_entries(head.last), number=head.number + 1, previous=head.head, at=story.now
    )
    story.memory.commit(Change(seal=forged))
    story.memory.advance(MINUTE)
    story.guard.look(SECURITY)
    assert file.read() == kept
    found = restore(story)
    assert found
    assert found.found == f"another chain after seal {kept.number}: seal {forged.number} is not signed"


def put_seal(story: Story, seal: Seal) -> None:
    story.memory.commit(Change(seal=seal))
    story.memory.advance(MINUTE)
    story.guard.look(SECURITY)


def acceptance_of(story: Story, seal: int, *, key: str | None = None) -> Seal:
    """Return a seal after the newest one, as somebody without a key could make it."""
    head = newest(story.memory.read({Key.of(SealHead)}), story.memory)
    accepted = Acceptance(by="carol", why="", seal=seal, head=head.head)
    number = max(head.number, seal) + 1
    return acceptance_seal(accepted, number=number, last=head.last, previous=head.head, at=story.now, key=key)


def signed_and_ended(story: Story, file: AnchorFile) -> Anchored:
    """Let Ada give it back, and have the anchor remember that, and the key."""
    story.anchor = file
    story.sign_with(Pen())
    story.ask(ADA)
    story.pass_time(MINUTE)
    story.give_back(ADA)
    a_while(story)
    kept = file.read()
    assert kept
    assert kept.key == "pen"
    assert kept.ended
    return kept


@pytest.mark.parametrize("key", [None, "pen", "another"])
@pytest.mark.parametrize("gap", [0, 7])
@pytest.mark.parametrize("signature", [None, "AAAA"])
def test_no_acceptance_is_followed_that_we_did_not_sign(
    story: Story, file: AnchorFile, key: str | None, gap: int, signature: str | None
) -> None:
    kept = signed_and_ended(story, file)
    forged = acceptance_of(story, kept.number + gap, key=key)
    put_seal(story, replace(forged, signature=signature))
    assert file.read() == kept
    found = restore(story)
    assert found
    assert found.found.startswith(f"another chain after seal {kept.number}: ")
    again = acceptance_of(story, forged.number)
    story.memory.commit(Change(seal=again))
    story.guard.look(SECURITY)
    assert file.read() == kept, "what ended is not forgotten either"


@pytest.mark.parametrize("signature", ["AAAA", "pen", None])
def test_a_seal_of_our_key_is_followed_only_if_we_signed_it(
    story: Story, file: AnchorFile, signature: str | None
) -> None:
    kept = signed_and_ended(story, file)
    head = newest(story.memory.read({Key.of(SealHead)}), story.memory)
    story.memory.commit(Change(audit=(Entry(what="forged"),)))
    forged = seal_of(
        story.memory.written_entries(head.last),
        number=head.number + 1,
        previous=head.head,
        at=story.now,
        key="pen",
    )
    put_seal(story, replace(forged, signature=signature))
    assert file.read() == kept
    assert restore(story)


def test_a_seal_without_a_key_does_not_follow_one_with_a_key(story: Story, file: AnchorFile) -> None:
    """This holds whatever is in place of its signature, and even if this worker has no key."""
    kept = signed_and_ended(story, file)
    story.guard = story.another_guard()
    story.guard.signer = None
    head = newest(story.memory.read({Key.of(SealHead)}), story.memory)
    story.memory.commit(Change(audit=(Entry(what="forged"),)))
    forged = seal_of(
        story.memory.written_entries(head.last), number=head.number + 1, previous=head.head, at=story.now
    )
    put_seal(story, replace(forged, signature="AAAA"))
    assert file.read() == kept
    assert restore(story)


def test_a_worker_without_the_key_forgets_no_end_for_an_acceptance(story: Story, file: AnchorFile) -> None:
    kept = signed_and_ended(story, file)
    story.guard = story.another_guard()
    story.guard.signer = None
    story.guard.look(SECURITY)
    story.memory.commit(Change(seal=acceptance_of(story, kept.number)))
    story.guard.look(SECURITY)
    assert file.read() == kept
    assert restore(story)


def test_an_acceptance_that_is_followed_is_remembered_too(story: Story, file: AnchorFile) -> None:
    """Somebody accepted a server that took over, although this worker lost nothing that it knew."""
    kept = signed_and_ended(story, file)
    seal = acceptance_of(story, kept.number, key="pen")
    put_seal(story, signed_seal(seal, Pen().sign(seal.head)))
    moved = file.read()
    assert moved
    assert moved.number == seal.number
    assert moved.given_up == (GivenUp(seal=kept.number, head=kept.head, accepted=seal.number),)
    assert moved.ended == (), "a person has looked at them"
    assert restore(story) is None


def test_a_worker_that_has_the_key_begins_at_no_seal_with_a_forged_signature(story: Story) -> None:
    story.sign_with(Pen())
    a_while(story)
    seal = acceptance_of(story, 99, key="pen")
    story.memory.commit(Change(seal=replace(seal, signature="AAAA")))
    story.memory.advance(MINUTE)
    new = story.another_guard()
    new.look(SECURITY)
    new.look(SECURITY)
    assert restore(story)


def test_the_anchor_keeps_what_was_given_up(story: Story, file: AnchorFile) -> None:
    story.anchor = file
    story.sign_with(Pen())
    backup = story.memory.backup()
    a_while(story)
    kept = file.read()
    put_back(story, backup)
    accept_restore(story.ledger, story.memory, Pen(), by="carol", why="disk lost")
    for _ in range(3):
        a_while(story)
    moved = file.read()
    assert kept
    assert moved
    assert moved.key == "pen"
    assert moved.given_up == (GivenUp(seal=kept.number, head=kept.head, accepted=kept.number + 1),)


def test_a_worker_without_the_key_believes_no_signed_acceptance_and_says_so(
    story: Story, file: AnchorFile
) -> None:
    story.sign_with(Pen())
    backup = story.memory.backup()
    a_while(story)
    story.anchor = file
    story.guard.look(SECURITY)
    keyless = story.another_guard()
    keyless.signer = None
    keyless.look(SECURITY)
    put_back(story, backup)
    accept_restore(story.ledger, story.memory, Pen(), by="carol", why="disk lost")
    with pytest.raises(PermanentFailure, match="its signature cannot be checked here: set AUDIT_KEY"):
        keyless.look(SECURITY)
    assert restore(story) is None


# ------------------------------------------------------------------------------------------ accepted


def test_there_must_be_something_to_accept(story: Story) -> None:
    with pytest.raises(PermanentFailure, match="there is no restore to accept: nothing is held back"):
        accept(story)
    backup = story.memory.backup()
    a_while(story)
    put_back(story, backup)
    accept(story)
    with pytest.raises(PermanentFailure):
        accept(story)


def test_what_was_signed_is_accepted_only_with_a_signature(story: Story) -> None:
    story.sign_with(Pen())
    a_while(story)
    backup = story.memory.backup()
    a_while(story)
    put_back(story, backup)
    with pytest.raises(PermanentFailure, match="set AUDIT_KEY as on the workers"):
        accept(story)
    assert restore(story)
    accept_restore(story.ledger, story.memory, Pen(), by="carol", why="disk lost")
    found = examine(lines(story.memory), lambda it, by: by == f"pen {it}".encode())
    assert (found.wrong, restore(story)) == ((), None)


def test_what_was_signed_is_accepted_only_with_a_signature_also_by_an_empty_redis(
    story: Story, file: AnchorFile
) -> None:
    story.anchor = file
    story.sign_with(Pen())
    for _ in range(2):
        a_while(story)
    story.memory.restore(MemoryLedger(story.now).backup())
    story.guard.look(SECURITY)
    with pytest.raises(PermanentFailure, match="are signed: set AUDIT_KEY as on the workers"):
        accept(story)
    assert restore(story)
    accept_restore(story.ledger, story.memory, Pen(), by="carol", why="disk lost")
    assert restore(story) is None
    a_while(story)
    assert restore(story) is None


def test_before_the_first_signed_seal_an_acceptance_has_to_be_signed_too(story: Story) -> None:
    backup = story.memory.backup()
    a_while(story)
    story.sign_with(Pen())
    story.memory.restore(backup)
    story.guard.look(SECURITY)
    with pytest.raises(PermanentFailure, match="set AUDIT_KEY as on the workers"):
        accept(story)
    assert restore(story)
    story.memory.commit(Change(seal=acceptance_of(story, 99), put={Key.of(Restore): None}))
    story.guard.look(SECURITY)
    assert restore(story)


def test_numbers_go_on_beyond_all_that_were_lost(story: Story, file: AnchorFile) -> None:
    story.anchor = file
    backup = story.memory.backup()
    for _ in range(5):
        a_while(story)
    kept = file.read()
    story.memory.restore(backup)
    story.guard.look(SECURITY)
    accept(story)
    assert [each.number for each in story.memory.seals()] == [1, 7]
    a_while(story)
    assert examined(story, kept).wrong == ()


def test_a_proof_finds_a_restore_unless_it_was_accepted(story: Story, file: AnchorFile) -> None:
    story.anchor = file
    backup = story.memory.backup()
    a_while(story)
    kept = file.read()
    put_back(story, backup)
    [missing] = map(sentence, examined(story, kept).wrong)
    assert missing.startswith("the anchored seal 2 is missing")
    accept(story)
    a_while(story)
    found = examined(story, kept)
    assert found.wrong == ()
    assert "a restore was accepted on 2026-03-02T09:02:10.000Z by carol (disk lost)" in sentence(
        found.notes[0]
    )


def test_what_ended_is_remembered_for_a_day(story: Story, file: AnchorFile) -> None:
    story.anchor = file
    story.ask(ADA, length="1h")
    grant = story.ask(DAN).standing.grant.id
    story.approve(BOB, grant)
    story.pass_time(MINUTE)
    story.revoke(BOB, DAN, "prod-db")
    story.pass_time(2 * HOUR)
    kept = file.read()
    assert kept
    assert len(kept.ended) == 2
    story.memory.advance(20 * HOUR)
    a_while(story)
    kept = file.read()
    assert kept
    assert len(kept.ended) == 2
    story.memory.advance(5 * HOUR)
    a_while(story)
    kept = file.read()
    assert kept
    assert kept.ended == ()


def test_a_clock_of_1970_is_no_reason_to_fail() -> None:
    memory = MemoryLedger(datetime(1970, 1, 1, 5, tzinfo=UTC))
    sealing = Sealing(ledger=memory, trail=memory, signer=None, new_id=lambda: "id")
    memory.commit(Change(audit=(Entry(what="ending", grant="G1"),), due=(Due(member=SEAL, at=memory.now),)))
    memory.advance(MINUTE)
    [claim] = memory.claim(1, 9, {}, ("seal",)).claims
    sealing.seal(claim)
    memory.advance(MINUTE)
    guard = RollbackGuard(memory, memory, lambda: None, lambda: "id", None)
    assert guard.look(SECURITY) is None
    seen = guard.newest_seen()
    assert seen
    assert [each.grant for each in seen.ended] == ["G1"]


# -------------------------------------------------------------------------------------- taken over


@pytest.mark.parametrize("away", [timedelta(seconds=5), timedelta(hours=1)])
def test_a_server_that_took_over_is_compared_only_with_an_anchor_that_was_kept_up(
    story: Story, file: AnchorFile, away: timedelta
) -> None:
    """Its worker was away while another one went on sealing."""
    story.anchor = file
    story.guard.look(SECURITY)
    story.anchor = None
    story.guard = story.another_guard()
    end = story.now + away
    while story.now < end:
        a_while(story)
    story.memory.servers = Serving(last="old", now="new")
    story.anchor = file
    late = story.another_guard()
    late.look(SECURITY)
    assert story.memory.read().compared is (away < timedelta(minutes=1))
    assert restore(story) is None, "another worker may have a better one"
    story.memory.advance(OTHERS_COMPARE_WITHIN.total_seconds())
    late.look(SECURITY)
    held = restore(story)
    assert bool(held) is (away > timedelta(minutes=1))
