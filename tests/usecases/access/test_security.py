"""No rule gives back what people revoked, and security people can stop one person, or everything
automatic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.blocks import Ban, Block, Freeze
from bot.core.catalog import Catalog, InGroup, Named, SecurityRules
from bot.core.errors import TemporaryFailure
from bot.core.grants import Origin, State
from bot.core.people import Group
from bot.core.reasons import Reason, Why, because
from bot.ports.changes import Change, Committed, Entry
from bot.ports.documents import Key
from bot.testing.cast import (
    ADA,
    BOB,
    CAROL,
    DAN,
    DAY,
    EVE,
    HOUR,
    MINUTE,
    NINE,
    ORDERS_ON_CALL,
    ORDERS_SCHEDULE,
    SECURITY,
    catalog,
    nobodys,
    shift,
)
from bot.testing.slack import dm
from bot.testing.story import Story
from bot.usecases import security
from bot.usecases.access.overdue import confirm_removal, try_now
from bot.usecases.doctor.findings import Grade
from bot.usecases.doctor.stops import look_at_stops
from bot.usecases.requests import look
from bot.usecases.requests.finish import block_change
from bot.usecases.results import RevokedAll

Refusal = Callable[[Callable[[], object]], Reason]
OPS = "orders_ops"
MEMBERS = "slack/security"
ALONE = replace(ORDERS_ON_CALL, approvers=())
"""As in docs/policy.md: a shift gives it, and nobody approves it."""


def policy(*who: str, revoked_for: int = DAY) -> Catalog:
    named = tuple(Named(person=each) for each in who or (EVE,))
    rules = SecurityRules(channel=SECURITY, people=named, revoked_for=revoked_for)
    return replace(catalog(ALONE), security=rules)


@pytest.fixture
def story() -> Story:
    """Return a story in which Ada is on call for everything from eight until five, and Eve is one of the
    security people."""
    return on_call(policy())


def on_call(rules: Catalog, end: int = 8) -> Story:
    rota = shift(ADA, NINE - timedelta(hours=1), NINE + timedelta(hours=end), 1, ORDERS_SCHEDULE)
    return Story(rules, rota={"PORDERS": (nobodys(rota),)})


def revoke_all(story: Story, who: str = ADA, by: str = EVE, why: str = "laptop stolen") -> RevokedAll:
    return security.revoke_all(story.context, by=by, person=who, why=why, op=story.op())


def allow(story: Story, who: str = ADA, by: str = EVE) -> None:
    security.allow(story.context, by=by, person=who, op=story.op())


def freeze(story: Story, by: str = EVE, why: str = "somebody is in") -> bool:
    return security.freeze(story.context, by=by, why=why, op=story.op())


def unfreeze(story: Story, by: str = EVE) -> None:
    security.unfreeze(story.context, by=by, op=story.op())


def heard(story: Story) -> list[Reason]:
    story.run_due()
    return [note.reason for note in story.messenger.notes_in(SECURITY)]


def gets(story: Story, who: str, resource: str = "prod-db", reason: str = "once more") -> State:
    found = story.ask(who, resource, "1h", reason).standing.grant.state
    story.run_due()
    return found


def has_anything(story: Story) -> bool:
    return any(story.target.accounts(role) for role in ("orders_rw", OPS, "migrator"))


# ---------------------------------------------------------------------------------- after a revocation


def test_what_bob_revoked_the_on_call_rule_does_not_give_back(story: Story) -> None:
    grant = story.ask(ADA).standing.grant.id
    story.run_due()
    story.revoke(BOB, ADA, "prod-db", "laptop stolen")
    story.run_due()
    again = story.ask(ADA, reason="I need it").standing.grant
    assert again.state is State.ASKED
    [line] = again.trace
    until_at = int((NINE + timedelta(days=1)).timestamp())
    lately = because(Why.REVOKED_LATELY, person=ADA, resource="prod-db", by_person=BOB, until_at=until_at)
    assert (line.outcome, line.reason) == ("no", lately)
    story.pass_time(10 * MINUTE)
    assert not story.has(ADA)
    assert (
        Entry(
            what="blocked",
            by=BOB,
            facts={
                "person": ADA,
                "resource": "prod-db",
                "until": (NINE + timedelta(days=1)).isoformat(),
                "why": "revoked",
            },
        )
        in story.audit()
    )
    assert story.grant(grant).state is State.ENDED


def test_a_hand_at_the_target_blocks_by_a_change_that_frees(story: Story) -> None:
    snap = story.memory.read()
    reason = because(Why.VANISHED)
    change = block_change(ADA, "prod-db", reason, None, snap, story.policy)
    assert change.frees
    story.memory.commit(change)
    [line] = story.ask(ADA).standing.grant.trace
    assert (line.outcome, line.reason.why, line.reason.facts.get("by_person")) == (
        "no",
        Why.REVOKED_LATELY,
        None,
    )


def test_an_approved_request_ends_the_block(story: Story) -> None:
    story.ask(ADA)
    story.revoke(BOB, ADA, "prod-db")
    waiting = story.ask(ADA, length="1h", reason="I need it").standing.grant.id
    story.approve(CAROL, waiting)
    story.run_due()
    assert story.has(ADA)
    assert "block ended" in story.history(waiting)
    story.give_back(ADA, "prod-db")
    story.run_due()
    assert gets(story, ADA) is State.APPROVED


def test_a_block_ends_by_itself() -> None:
    story = on_call(policy(revoked_for=2 * HOUR))
    story.ask(ADA)
    story.revoke(BOB, ADA, "prod-db")
    story.pass_time(2 * HOUR - 1)
    assert gets(story, ADA, reason="too early") is State.ASKED
    story.pass_time(1)
    assert gets(story, ADA) is State.APPROVED


def test_what_she_gave_back_herself_the_rule_gives_again(story: Story) -> None:
    story.ask(ADA)
    story.give_back(ADA, "prod-db")
    story.run_due()
    assert gets(story, ADA) is State.APPROVED
    story.revoke(ADA, ADA, "prod-db")
    story.run_due()
    assert gets(story, ADA, reason="and again") is State.APPROVED


def test_a_denied_request_blocks_nothing(story: Story) -> None:
    assert gets(story, DAN) is State.ASKED
    story.revoke(BOB, DAN, "prod-db")
    assert "blocked" not in [entry.what for entry in story.audit()]


def test_a_shift_that_begins_while_she_is_blocked_starts_when_the_block_ends() -> None:
    story = on_call(policy(revoked_for=9 * HOUR + 7), end=1)
    story.run_due()
    first = story.shift_grant(ADA)
    assert first
    story.revoke(EVE, ADA, "orders-on-call")
    again = shift(ADA, NINE + timedelta(hours=3), NINE + timedelta(hours=11), 1, ORDERS_SCHEDULE)
    story.source.rota["PORDERS"] = (nobodys(again),)
    story.pass_time(9 * HOUR + 6)
    assert not story.has(ADA, OPS)
    [told] = [note for note in story.messenger.notes_in(dm(ADA)) if note.reason.why is Why.REVOKED_LATELY]
    assert told.reason.facts["resource"] == "orders-on-call"
    story.pass_time(1)
    assert story.has(ADA, OPS)


def test_what_has_no_approvers_security_people_approve_again(story: Story, refusal: Refusal) -> None:
    assert story.has(ADA, OPS)
    story.revoke(EVE, ADA, "orders-on-call")
    story.run_due()
    wanted = story.ask(ADA, "orders-on-call", "1h").standing.grant
    assert (wanted.state, wanted.asked_in) == (State.ASKED, SECURITY)
    assert [each.grant.id for each in look.home_view(story.context, EVE).waiting] == [wanted.id]
    assert look.home_view(story.context, BOB).waiting == ()
    assert refusal(lambda: story.approve(BOB, wanted.id)).why is Why.NOT_AN_APPROVER
    story.approve(EVE, wanted.id)
    story.run_due()
    assert story.has(ADA, OPS)


def just_before(story: Story, commit: Callable[[Change], bool], act: Callable[[], object]) -> None:
    """Let something else happen between what the next such commit read and the commit itself."""
    real, left = story.memory.commit, [act]

    def committed(change: Change) -> Committed:
        if left and commit(change):
            left.pop()()
        return real(change)

    story.memory.commit = committed  # type: ignore[method-assign]


@pytest.mark.parametrize("all_of_hers", [False, True])
def test_what_is_requested_while_it_is_revoked_is_revoked_too(story: Story, all_of_hers: bool) -> None:
    story.ask(ADA, length="1h")
    story.run_due()
    just_before(story, lambda change: change.frees, lambda: story.extend(ADA, "prod-db", 2 * HOUR))
    if all_of_hers:
        assert revoke_all(story).ended == 2
    else:
        story.revoke(BOB, ADA, "prod-db")
    story.run_due()
    assert not story.has(ADA)


def test_a_shift_that_starts_while_it_is_revoked_is_revoked_too() -> None:
    story = on_call(policy(), end=1)
    first = story.shift_grant(ADA)
    assert first
    story.give_back(ADA, first.id)
    later = shift(ADA, NINE + timedelta(hours=2), NINE + timedelta(hours=8), 1, ORDERS_SCHEDULE)
    story.source.rota["PORDERS"] = (nobodys(later),)
    story.pass_time(2 * HOUR - 1)
    wanted = story.ask(ADA).standing.grant
    assert wanted.state is State.APPROVED
    story.memory.advance(1)
    just_before(story, lambda change: change.frees, lambda: story.run_due("shift"))
    revoke_all(story)
    story.run_due()
    assert not story.has(ADA, OPS)


def test_without_a_channel_security_people_get_the_request_directly() -> None:
    story = on_call(replace(policy(), security=SecurityRules(people=(Named(person=EVE),))))
    story.revoke(EVE, ADA, "orders-on-call")
    wanted = story.ask(ADA, "orders-on-call", "1h").standing.grant
    assert (wanted.asked_in, wanted.asked_people) == (None, (EVE,))
    story.run_due()
    assert dm(EVE) in story.messenger.cards_of(wanted.id)


def test_a_block_whose_record_cannot_be_read_lasts_until_somebody_approves() -> None:
    story = on_call(policy(revoked_for=MINUTE))
    story.ask(ADA)
    story.revoke(BOB, ADA, "prod-db")
    story.memory.corrupt(Key.of(Block, f"prod-db/{ADA}"))
    story.pass_time(2 * MINUTE)
    wanted = story.ask(ADA, length="1h").standing.grant
    assert wanted.state is State.ASKED
    story.approve(BOB, wanted.id)
    story.give_back(ADA, "prod-db")
    assert gets(story, ADA) is State.APPROVED


# -------------------------------------------------------------------------------- security people revoke


def test_security_people_revoke_what_they_do_not_approve(story: Story, refusal: Refusal) -> None:
    story.ask(ADA)
    story.run_due()
    for name in ("prod-db", "orders-on-call"):
        assert refusal(lambda name=name: story.revoke(DAN, ADA, name)).why is Why.NOT_AN_APPROVER  # type: ignore[misc]
        assert story.revoke(EVE, ADA, name, "laptop stolen").grant.state is State.ENDING
    story.run_due()
    assert not has_anything(story)
    assert "blocked" in [entry.what for entry in story.audit()]


def test_security_people_revoke_what_left_the_policy(story: Story, refusal: Refusal) -> None:
    grant = story.ask(ADA).standing.grant.id
    story.run_due()
    left = policy()
    story.enact(replace(left, resources={"orders-on-call": ALONE}))
    assert refusal(lambda: story.revoke(BOB, ADA, "prod-db")).why is Why.RESOURCE_UNKNOWN
    assert refusal(lambda: story.revoke(EVE, DAN, "prod-db")).why is Why.RESOURCE_UNKNOWN
    story.revoke(EVE, ADA, "prod-db")
    story.run_due()
    assert story.grant(grant).state is State.ENDED
    assert not story.has(ADA)


def test_who_revoked_their_own_is_not_blocked_also_as_one_of_security() -> None:
    story = on_call(policy(ADA))
    story.ask(ADA)
    story.revoke(ADA, ADA, "prod-db")
    story.run_due()
    assert gets(story, ADA) is State.APPROVED


# ------------------------------------------------------------------------------------- one person


def test_everything_is_revoked_and_nothing_is_given_until_she_is_allowed(
    story: Story, refusal: Refusal
) -> None:
    story.ask(ADA)
    story.run_due()
    waiting = story.ask(ADA, "schema-migration", "1h").standing.grant.id
    assert revoke_all(story) == RevokedAll(person=ADA, ended=2, denied=1, copied=True)
    story.run_due()
    assert not has_anything(story)
    assert story.grant(waiting).state is State.DENIED
    banned = because(Why.BANNED, person=ADA, by_person=EVE)
    assert refusal(lambda: story.ask(ADA, reason="please")) == banned
    story.pass_time(2 * HOUR)
    assert not has_anything(story)
    allow(story)
    story.run_due()
    assert story.has(ADA, OPS), "her shift lasts"
    assert gets(story, ADA) is State.APPROVED
    assert heard(story) == [
        because(Why.BAN_SET, person=ADA, by_person=EVE, said="laptop stolen"),
        because(Why.BAN_OVER, person=ADA, by_person=EVE),
    ]
    told = {entry.what: entry for entry in story.audit()}
    assert (told["banned"].by, told["banned"].facts["said"]) == (EVE, "laptop stolen")
    assert (told["allowed"].by, told["allowed"].facts) == (EVE, {"person": ADA})


def test_nobody_approves_what_she_asked_for_before(story: Story, refusal: Refusal) -> None:
    """Her request came in at the very moment when everything was revoked."""
    revoke_all(story, DAN)
    allow(story, DAN)
    waiting = story.ask(DAN).standing.grant.id
    put_ban(story, DAN)
    assert refusal(lambda: story.approve(BOB, waiting)) == because(Why.BANNED, person=DAN, by_person=EVE)


def put_ban(story: Story, who: str) -> None:
    """Write only the ban, without the ends that come with it."""
    story.ledger.commit(Change(put={Key.of(Ban, who): Ban(by=EVE, reason="", at=story.now)}))


def test_what_came_into_being_at_that_very_moment_is_ended_too(story: Story) -> None:
    grant = story.ask(ADA).standing.grant.id
    story.run_due()
    put_ban(story, ADA)
    revoke_all(story, DAN)
    story.run_due("shift")
    ended = story.grant(grant)
    assert (ended.state, ended.ended) == (State.ENDING, because(Why.BANNED, person=ADA, by_person=EVE))


def test_a_banned_approver_neither_approves_nor_revokes_nor_counts(story: Story, refusal: Refusal) -> None:
    story.enact(
        replace(
            story.policy,
            resources={
                **story.policy.resources,
                "prod-db": replace(story.policy.resources["prod-db"], approvals=2),
            },
        )
    )
    wanted = story.ask(DAN).standing.grant.id
    story.approve(BOB, wanted)
    assert revoke_all(story, BOB).ended == 0
    banned = because(Why.BANNED, person=BOB, by_person=EVE)
    assert refusal(lambda: story.approve(BOB, wanted)) == banned
    assert refusal(lambda: story.deny(BOB, wanted)) == banned
    assert story.approve(CAROL, wanted).grant.state is State.ASKED, "Bob's vote does not count any more"
    adas = story.ask(ADA).standing.grant.id
    assert refusal(lambda: story.revoke(BOB, ADA, "prod-db")) == banned
    assert story.live(adas)


def test_what_no_replica_has_yet_is_said_so(story: Story) -> None:
    story.memory.copying = False
    assert not revoke_all(story).copied
    story.run_due()
    [note] = story.messenger.notes_in(SECURITY)
    assert (note.reason.why, note.copied) == (Why.BAN_SET, False)
    assert not freeze(story)


def test_only_security_people_revoke_all_and_allow(story: Story, refusal: Refusal) -> None:
    adas = story.ask(ADA).standing.grant.id
    for who in (ADA, BOB, DAN):
        assert refusal(lambda who=who: revoke_all(story, ADA, who)) == because(Why.NOT_SECURITY)  # type: ignore[misc]
    assert story.live(adas)
    revoke_all(story)
    assert refusal(lambda: allow(story, ADA, BOB)) == because(Why.NOT_SECURITY)
    assert refusal(lambda: allow(story, DAN)) == because(Why.NOT_BANNED, person=DAN)
    story.enact(catalog())
    assert refusal(lambda: allow(story)) == because(Why.NO_SECURITY_PEOPLE)


def test_one_of_security_who_was_banned_does_not_allow_herself(refusal: Refusal) -> None:
    story = on_call(policy(EVE, ADA))
    revoke_all(story)
    for act in (allow, freeze, unfreeze):
        assert refusal(lambda act=act: act(story, by=ADA)).why is Why.BANNED  # type: ignore[misc]


def test_a_click_delivered_twice_revokes_all_once(story: Story) -> None:
    story.ask(ADA)
    first, second = (
        security.revoke_all(story.context, by=EVE, person=ADA, why="", op="twice") for _ in range(2)
    )
    assert first == second
    assert len(heard(story)) == 1


def test_a_ban_whose_record_cannot_be_read_stands_until_she_is_allowed(
    story: Story, refusal: Refusal
) -> None:
    revoke_all(story)
    story.memory.corrupt(Key.of(Ban, ADA))
    assert refusal(lambda: story.ask(ADA)) == because(Why.BANNED, person=ADA)
    allow(story)
    assert gets(story, ADA) is State.APPROVED


# --------------------------------------------------------------------------------------- the freeze


def test_while_frozen_nothing_starts_and_what_is_live_stays() -> None:
    story = on_call(policy(), end=1)
    live = story.ask(ADA, length="4h").standing.grant.id
    story.run_due()
    assert freeze(story)
    story.source.rota["PORDERS"] = (
        nobodys(shift(DAN, NINE + timedelta(hours=2), NINE + timedelta(hours=8), 1, ORDERS_SCHEDULE)),
    )
    wanted = story.ask(CAROL, length="1h", reason="more").standing.grant
    frozen = because(Why.FROZEN, by_person=EVE, resource="prod-db")
    assert (wanted.state, wanted.trace[0].reason) == (State.ASKED, frozen)
    assert story.extend(ADA, live, HOUR).asked
    story.pass_time(3 * HOUR)
    assert story.has(ADA), "what is live stays"
    assert not story.has(DAN, OPS)
    assert [n.reason.why for n in story.messenger.notes_in(dm(DAN))] == [Why.FROZEN], "told once"
    waiting = story.ask(DAN, length="1h").standing.grant.id
    story.approve(BOB, waiting)
    story.run_due()
    assert story.has(DAN), "approvers still decide"
    unfreeze(story)
    story.run_due()
    assert story.has(DAN, OPS), "at once, not at the next look"
    story.give_back(ADA)
    assert gets(story, ADA) is State.APPROVED
    assert heard(story) == [
        because(Why.FREEZE_SET, by_person=EVE, said="somebody is in"),
        because(Why.FREEZE_OVER, by_person=EVE),
    ]
    assert [e.what for e in story.audit() if e.what in ("frozen", "unfrozen")] == ["frozen", "unfrozen"]


def test_a_live_shift_is_followed_while_frozen(story: Story) -> None:
    freeze(story)
    rota = shift(ADA, NINE - timedelta(hours=1), NINE + timedelta(hours=9), 1, ORDERS_SCHEDULE)
    story.source.rota["PORDERS"] = (nobodys(rota),)
    story.pass_time(8.5 * HOUR)
    assert story.has(ADA, OPS)
    story.pass_time(HOUR)
    assert not story.has(ADA, OPS)


def test_only_security_people_freeze_and_unfreeze(story: Story, refusal: Refusal) -> None:
    assert refusal(lambda: freeze(story, BOB)) == because(Why.NOT_SECURITY)
    assert refusal(lambda: unfreeze(story)) == because(Why.NOT_FROZEN)
    freeze(story)
    assert refusal(lambda: unfreeze(story, BOB)) == because(Why.NOT_SECURITY)
    assert gets(story, ADA) is State.ASKED


def test_a_freeze_whose_record_cannot_be_read_stands_until_somebody_ends_it(story: Story) -> None:
    freeze(story)
    story.memory.corrupt(Key.of(Freeze))
    assert gets(story, ADA) is State.ASKED
    unfreeze(story)
    assert gets(story, ADA, reason="now") is State.APPROVED


# --------------------------------------------------------------------------------- when little works


def grouped() -> Story:
    """Return a story whose security people are members of a group in Slack, and in which Bob has been active
    today."""
    story = on_call(policy())
    story.directory.members[MEMBERS] = Group(name=MEMBERS, members=(EVE,), read_at=story.now)
    who = (InGroup(group=MEMBERS),)
    story.enact(replace(story.policy, security=replace(story.policy.security, people=who)))
    story.pass_time(10 * MINUTE)
    look.offers(story.context, person=BOB)
    return story


def test_with_a_full_redis_and_no_audit_security_people_stop_and_never_start_anything() -> None:
    """In addition, Slack has not answered for nearly a day."""
    story = grouped()
    grant = story.ask(ADA, length="12h").standing.grant.id
    story.run_due()
    story.directory.away = True
    story.memory.advance(23 * HOUR)
    bobs = story.memory.read((), (f"person:{ADA}",)).all(type(story.grant(grant)))
    assert bobs
    story.memory.full, story.memory.audit_trouble = True, "its key is a string"
    revoke_all(story, DAN)
    assert revoke_all(story).ended == len(bobs)
    freeze(story)
    for start in (allow, unfreeze):
        with pytest.raises(TemporaryFailure):
            start(story)
    story.memory.full, story.memory.audit_trouble = False, ""
    facts = story.memory.read({Key.of(Ban, ADA), Key.of(Ban, DAN), Key.of(Freeze)})
    assert len(facts.documents) == 3
    story.run_due("hold")
    assert not has_anything(story)


def test_on_members_read_long_ago_security_people_only_stop(refusal: Refusal) -> None:
    story = grouped()
    story.directory.away = True
    story.memory.advance(2 * HOUR)
    revoke_all(story)
    freeze(story)
    assert refusal(lambda: allow(story)).why is Why.GROUP_STALE
    assert refusal(lambda: unfreeze(story)).why is Why.GROUP_STALE
    story.memory.advance(23 * HOUR)
    assert refusal(lambda: freeze(story)).why in (Why.GROUP_STALE, Why.PERSON_UNKNOWN)


@pytest.mark.parametrize("by", [BOB, EVE])
def test_with_a_full_redis_and_no_audit_a_revocation_blocks_too(by: str) -> None:
    story = grouped()
    story.ask(ADA, length="12h")
    story.run_due()
    story.directory.away = True
    story.memory.advance(2 * HOUR)
    story.memory.full, story.memory.audit_trouble = True, "its key is a string"
    assert story.revoke(by, ADA, "prod-db").grant.state is State.ENDING
    block = story.memory.read({Key.of(Block, f"prod-db/{ADA}")}).find(Block, f"prod-db/{ADA}")
    assert block
    assert (block.by, block.until - block.since) == (by, timedelta(days=1))


def test_a_shift_s_own_grant_starts_again_after_allow_but_not_if_she_had_left_it(story: Story) -> None:
    shifts = story.shift_grant(ADA)
    assert shifts
    assert shifts.origin is Origin.SHIFT
    story.give_back(ADA, shifts.id)
    story.run_due()
    revoke_all(story)
    allow(story)
    story.pass_time(10 * MINUTE)
    assert not story.has(ADA, OPS)


@pytest.mark.parametrize("wish", [try_now, confirm_removal])
def test_with_a_full_redis_and_no_audit_security_people_have_what_is_overdue_tried(
    refusal: Refusal, wish: Callable[..., None]
) -> None:
    story = grouped()
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    story.target.failing["revoke"] = TemporaryFailure("orders-db does not answer")
    story.pass_time(HOUR + 3)
    revoke_all(story, BOB)
    story.directory.away = True
    story.memory.full, story.memory.audit_trouble = True, "its key is a string"
    wish(story.context, person=EVE, alert=grant, op="eve's")
    record = story.record(grant)
    assert record
    assert record.wished_by == EVE
    story.memory.full, story.memory.audit_trouble = False, ""
    banned = refusal(lambda: wish(story.context, person=BOB, alert=grant, op="bob's"))
    assert banned == because(Why.BANNED, person=BOB, by_person=EVE)


def test_security_people_see_who_has_what_they_may_not_ask_for(story: Story, refusal: Refusal) -> None:
    story.enact(replace(policy(), resources={"orders-on-call": replace(ALONE, who_may_ask=())}))
    assert [each.grant.person for each in look.who(story.context, person=EVE, resource="orders-on-call")] == [
        ADA
    ]
    seen_by_dan = refusal(lambda: look.who(story.context, person=DAN, resource="orders-on-call"))
    assert seen_by_dan.why is Why.MAY_NOT_ASK


def test_the_doctor_names_what_is_stopped(story: Story) -> None:
    assert list(look_at_stops(story.memory)) == []
    freeze(story)
    revoke_all(story)
    story.memory.advance(2 * HOUR)
    assert [(each.grade, each.what, each.do) for each in look_at_stops(story.memory)] == [
        (
            Grade.LOOK_AT,
            f"all automatic access has been frozen for 2h by eve ({EVE})",
            "a security person can end this with /access unfreeze",
        ),
        (
            Grade.LOOK_AT,
            f"nothing has been granted to ada ({ADA}) for 2h",
            f"a security person can end this with /access allow <@{ADA}>",
        ),
    ]
