"""A grant's receipt is committed before access is granted, and access is gone only once it was seen gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.grants import State
from bot.core.holds import Hold, HoldRecord, Phase, Position, Presence, Receipt, Seen, System
from bot.core.reasons import Why, because
from bot.ports.changes import Change
from bot.ports.deadline import Deadline
from bot.ports.documents import Key
from bot.testing.cast import ADA, BOB, DAN, EMAILS, HOUR, MINUTE, PROD_DB, SECURITY, catalog
from bot.testing.story import Story
from bot.testing.target import ADMINISTRATOR, FakeTarget, another_system
from bot.usecases.access.overdue import confirm_removal

[ROLE] = PROD_DB.gives
ACCOUNT = EMAILS[ADA]


def adas(story: Story, length: str = "1h") -> str:
    grant = story.ask(ADA, length=length).standing.grant.id
    story.run_due()
    assert story.has(ADA)
    return grant


def unmarked() -> Story:
    """Return a target of a kind that cannot tell its own grants from others'."""
    target = FakeTarget(lambda: story.now, marks=False)
    story = Story(targets={"orders-db": target}, begin=False)
    story.target = target
    story.run_due("workspace", "groups")
    story.run_due()
    return story


def heard(story: Story, why: Why) -> list[str]:
    return [note.id for note in story.messenger.notes_in(SECURITY) if note.reason.why is why]


def put(story: Story, record: HoldRecord) -> None:
    story.memory.commit(Change(put={Key.of(HoldRecord, record.hold.key): record}))


def record_of(story: Story, grant: str) -> HoldRecord:
    found = story.record(grant)
    assert found
    return found


# ------------------------------------------------------------------------------------ before it is made


def test_the_receipt_is_committed_before_anything_is_granted(story: Story) -> None:
    kept: list[tuple[Receipt, ...]] = []

    def look(verb: str) -> None:
        if verb == "grant":
            [record] = story.memory.read(Key.of(HoldRecord, h.key) for h in holds).all(HoldRecord)
            kept.append(record.receipts)

    grant = story.ask(ADA, length="1h").standing.grant.id
    holds = story.grant(grant).gives
    story.target.before = look
    story.run_due()
    assert kept == [(Receipt(system="orders", facts={"account": "#1", "role": "#2"}),)]
    assert record_of(story, grant).receipts == kept[0]


def test_a_kind_without_a_mark_revokes_what_it_does_not_know_it_granted() -> None:
    """The answer to the grant was lost, and so was each look since."""
    story = unmarked()
    story.target.failing["grant"] = TemporaryFailure("no answer")
    story.target.loses_answers.add("grant")
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    assert story.grant(grant).state is State.APPROVED
    assert story.has(ADA)
    story.revoke(BOB, ADA, "prod-db")
    story.target.failing["has"] = TemporaryFailure("no answer")
    story.target.failing["revoke"] = TemporaryFailure("no answer")
    story.pass_time(HOUR)
    assert story.has(ADA)
    story.target.failing.clear()
    story.pass_time(5 * MINUTE)
    assert (story.grant(grant).state, story.has(ADA)) == (State.ENDED, False)


def test_what_was_there_before_belongs_to_others_at_a_kind_without_a_mark() -> None:
    story = unmarked()
    story.target.give_by_hand(ACCOUNT, ROLE)
    grant = adas(story)
    assert story.grant(grant).had_before
    story.pass_time(HOUR)
    assert (story.grant(grant).state, story.has(ADA)) == (State.ENDED, True)


def test_what_appears_after_it_was_seen_gone_is_not_ours_at_a_kind_without_a_mark() -> None:
    story = unmarked()
    grant = adas(story)
    story.pass_time(HOUR)
    assert story.grant(grant).state is State.ENDED
    story.target.give_by_hand(ACCOUNT, ROLE)
    later = adas(story)
    story.pass_time(HOUR)
    assert (story.grant(later).had_before, story.has(ADA)) == (True, True)


def test_an_account_renamed_meanwhile_is_found_by_its_receipt(story: Story) -> None:
    grant = adas(story)
    story.target.rename(ACCOUNT, "ada")
    story.pass_time(HOUR)
    assert story.grant(grant).state is State.ENDED
    assert story.target.accounts(ROLE["role"]) == set()


def test_what_vanished_with_an_account_made_again_gets_a_receipt_of_its_own(story: Story) -> None:
    """The target failed over to a server where the account is a different one."""
    story.target.position = Position(timeline="1", at=100)
    grant = adas(story)
    first = record_of(story, grant).receipts
    story.target.recreate(ACCOUNT)
    story.target.position = Position(timeline="2", at=100)
    story.pass_time(11 * MINUTE)
    assert story.has(ADA)
    assert record_of(story, grant).receipts != first
    story.pass_time(HOUR)
    assert (story.grant(grant).state, story.has(ADA)) == (State.ENDED, False)


def test_no_receipt_is_dropped_while_it_names_an_open_session(story: Story) -> None:
    """The account was dropped and created again, and a session of the first one still uses the role."""
    story.target.position = Position(timeline="1", at=100)
    grant = adas(story)
    [first] = record_of(story, grant).receipts
    story.target.open_sessions(ACCOUNT, ROLE, 1)
    story.target.recreate(ACCOUNT)
    story.target.position = Position(timeline="2", at=100)
    story.pass_time(11 * MINUTE)
    assert story.has(ADA)
    assert first in record_of(story, grant).receipts
    story.pass_time(HOUR)
    assert (story.grant(grant).state, story.target.sessions) == (State.ENDED, {})


def test_a_session_that_outlives_what_a_hand_took_is_ended(story: Story) -> None:
    grant = adas(story)
    story.target.open_sessions(ACCOUNT, ROLE, 1)
    story.target.recreate(ACCOUNT)
    story.pass_time(11 * MINUTE)
    assert (story.grant(grant).state, story.target.sessions) == (State.ENDED, {})
    assert story.grant(grant).ended == because(Why.HAND_REMOVED, target="orders-db")


def test_what_the_target_adds_to_a_receipt_is_kept_though_revoking_failed(story: Story) -> None:
    grant = adas(story)
    look = story.target.has

    def noting(hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> Seen:
        seen = look(hold, receipts, deadline)
        facts = [replace(each, facts={**each.facts, "absent_at": "17"}) for each in seen.receipts]
        return replace(seen, receipts=tuple(facts))

    story.memory.advance(HOUR)
    story.target.has = noting  # type: ignore[method-assign]
    story.target.failing["revoke"] = PermanentFailure("orders-db: the bot may not end sessions")
    story.run_due()
    [receipt] = record_of(story, grant).receipts
    assert receipt.facts["absent_at"] == "17"


def test_what_is_of_no_use_after_granting_is_not_called_granted(story: Story) -> None:
    story.target.stuck = Presence.USELESS
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    waiting = story.grant(grant)
    assert (waiting.state, waiting.trouble) == (
        State.APPROVED,
        "orders-db did not show the access after granting it",
    )


def test_an_account_that_was_renamed_is_not_taken_for_its_successor(story: Story) -> None:
    """Somebody else has her name now, and has nothing yet."""
    first = adas(story, "4h")
    story.target.rename(ACCOUNT, "ada of old")
    story.target.missing.discard(ACCOUNT)
    story.enact(catalog(replace(PROD_DB, name="prod-db-too")))
    second = story.ask(ADA, "prod-db-too", "12h").standing.grant.id
    story.run_due()
    assert story.grant(second).state is State.ACTIVE
    assert story.target.accounts(ROLE["role"]) == {ACCOUNT, "ada of old"}
    story.pass_time(12 * HOUR)
    assert (story.grant(first).state, story.grant(second).state) == (State.ENDED, State.ENDED)
    assert story.target.access == {}


# ------------------------------------------------------------------------------------ another system


def test_another_system_proves_nothing_gone_and_is_granted_nothing(story: Story) -> None:
    grant = adas(story)
    first, story.target.access = dict(story.target.access), {}
    story.target.system = System(id="a copy", instance="second")
    story.pass_time(HOUR + MINUTE)
    ended = story.grant(grant)
    assert (ended.state, ended.overdue_since is not None) == (State.ENDING, True)
    assert ended.trouble == another_system("orders-db")
    story.ask(ADA, length="1h")
    story.run_due()
    assert story.target.accounts(ROLE["role"]) == set()

    story.target.system, story.target.access = System(id="orders", instance="first"), first
    story.pass_time(5 * MINUTE)
    assert story.grant(grant).state is State.ENDED
    assert not story.has(ADA)


def test_a_request_is_refused_in_words_while_another_system_answers(story: Story) -> None:
    adas(story, "4h")
    story.target.system = System(id="a copy", instance="second")
    story.pass_time(11 * MINUTE)
    [grant] = story.grants_of(ADA)
    assert (grant.state, grant.trouble) == (State.ACTIVE, another_system("orders-db"))


# ------------------------------------------------------------------------------------ gone, and not gone


def test_what_somebody_else_gave_meanwhile_stays_and_is_said_once(story: Story) -> None:
    grant = adas(story)
    story.target.take_by_hand(ACCOUNT, ROLE)
    story.target.give_by_hand(ACCOUNT, ROLE)
    story.pass_time(HOUR + MINUTE)
    ended = story.grant(grant)
    assert (ended.state, ended.left_by, story.has(ADA)) == (State.ENDED, ADMINISTRATOR, True)
    assert len(heard(story, Why.LEFT_BY_OTHERS)) == 1
    story.pass_time(2 * HOUR)
    assert len(heard(story, Why.LEFT_BY_OTHERS)) == 1


def test_what_was_there_before_is_not_reported_as_left_by_others(story: Story) -> None:
    story.target.give_by_hand(ACCOUNT, ROLE)
    grant = adas(story)
    story.pass_time(HOUR + MINUTE)
    assert (story.grant(grant).state, story.grant(grant).left_by) == (State.ENDED, None)
    assert heard(story, Why.LEFT_BY_OTHERS) == []


def test_an_access_of_no_use_is_granted_again(story: Story) -> None:
    grant = adas(story, "4h")
    story.target.disable(ACCOUNT, ROLE)
    assert not story.has(ADA)
    story.pass_time(11 * MINUTE)
    assert story.has(ADA)
    assert heard(story, Why.VANISHED) == [], "nobody took it"
    assert story.grant(grant).state is State.ACTIVE


def test_open_sessions_are_not_gone(story: Story) -> None:
    grant = adas(story)
    story.target.open_sessions(ACCOUNT, ROLE, 2)
    story.target.failing["revoke"] = PermanentFailure("orders-db: the bot may not end sessions")
    story.pass_time(HOUR + MINUTE)
    assert story.grant(grant).overdue_since
    story.target.take_by_hand(ACCOUNT, ROLE)
    confirm_removal(story.context, person=DAN, alert=grant, op=story.op())
    story.run_due()
    assert story.grant(grant).state is State.ENDING, "two sessions can still use it"
    story.target.sessions.clear()
    confirm_removal(story.context, person=DAN, alert=grant, op=story.op())
    story.run_due()
    assert story.grant(grant).state is State.ENDED


def test_a_revocation_ends_the_sessions_that_outlived_a_removal_by_hand(story: Story) -> None:
    grant = adas(story)
    story.target.open_sessions(ACCOUNT, ROLE, 1)
    story.memory.advance(HOUR)
    story.target.take_by_hand(ACCOUNT, ROLE)
    story.run_due()
    assert (story.grant(grant).state, story.target.sessions) == (State.ENDED, {})


def test_a_standby_without_an_answer_is_neither_gone_nor_overdue(story: Story) -> None:
    grant = adas(story)
    story.target.confirmed = False
    story.pass_time(2 * HOUR)
    waiting = story.grant(grant)
    assert (waiting.state, waiting.overdue_since) == (State.ENDING, None)
    assert waiting.trouble == "orders-db: revoked; a standby has not confirmed it yet"
    assert 10 < story.target.count("revoke") < 60, "it is asked at growing pauses"
    story.target.confirmed = True
    story.pass_time(5 * MINUTE)
    assert (story.grant(grant).state, story.grant(grant).trouble) == (State.ENDED, None)


# ------------------------------------------------------------------------------------ before receipts


@pytest.fixture
def old(story: Story) -> str:
    """Write a grant and its hold as a version without receipts did."""
    grant = adas(story)
    put(story, replace(record_of(story, grant), receipts=()))
    return grant


def test_a_hold_without_a_receipt_gets_one_at_the_first_look(story: Story, old: str) -> None:
    story.pass_time(11 * MINUTE)
    assert [receipt.system for receipt in record_of(story, old).receipts] == ["orders"]
    story.pass_time(HOUR)
    assert (story.grant(old).state, story.has(ADA)) == (State.ENDED, False)


def test_a_hold_without_a_receipt_is_revoked_if_it_is_certainly_ours(story: Story, old: str) -> None:
    story.memory.advance(2 * HOUR)
    story.run_due()
    assert (story.grant(old).state, story.has(ADA)) == (State.ENDED, False)


def test_a_hold_without_a_receipt_and_with_another_grantor_is_for_a_person(story: Story, old: str) -> None:
    story.target.give_by_hand(ACCOUNT, ROLE)
    story.memory.advance(2 * HOUR)
    story.pass_time(MINUTE)
    ending = story.grant(old)
    assert (ending.state, ending.overdue_since is not None, story.has(ADA)) == (State.ENDING, True, True)
    assert ending.trouble
    assert ADMINISTRATOR in ending.trouble
    story.target.take_by_hand(ACCOUNT, ROLE)
    story.pass_time(6 * MINUTE)
    assert story.grant(old).state is State.ENDED


def test_a_person_may_say_that_what_is_left_is_the_administrators(story: Story, old: str) -> None:
    story.target.give_by_hand(ACCOUNT, ROLE)
    story.memory.advance(2 * HOUR)
    story.pass_time(MINUTE)
    confirm_removal(story.context, person=DAN, alert=old, op=story.op())
    story.run_due()
    assert (story.grant(old).state, story.grant(old).left_by) == (State.ENDED, ADMINISTRATOR)


def test_a_worker_that_grants_late_leaves_nothing_at_a_kind_without_a_mark() -> None:
    """The receipt outlives the revocation for as long as a worker may still act on it."""
    story = unmarked()
    late: list[Callable[[], object]] = []
    make = story.target.grant

    def held_up(hold, receipts, until, not_after):  # type: ignore[no-untyped-def]
        late.append(lambda: make(hold, receipts, until, not_after))
        raise TemporaryFailure("no answer")

    story.target.grant = held_up  # type: ignore[method-assign]
    grant = story.ask(ADA, length="1h").standing.grant.id
    claim = story.claim("hold")
    assert claim
    story.do(claim)
    put(story, replace(record_of(story, grant), phase=Phase.GIVING, look_again=True))
    story.revoke(BOB, ADA, "prod-db")
    story.run_due()
    assert story.grant(grant).state is State.ENDED
    late[0]()
    assert story.has(ADA)
    story.pass_time(MINUTE)
    assert not story.has(ADA)


def test_presence_of_what_is_unmarked_is_somebody_elses_without_a_receipt() -> None:
    story = unmarked()
    story.target.give_by_hand(ACCOUNT, ROLE)
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    assert record_of(story, grant).baseline is Presence.THEIRS
