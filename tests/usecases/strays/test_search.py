"""Strays are found, reported, asked about or revoked, and never anything else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.catalog import Catalog, Entitlement, SecurityRules, StrayMode, StrayRules
from bot.core.errors import PermanentFailure, TemporaryFailure, Unsupported
from bot.core.grants import State
from bot.core.holds import Hold, HoldRecord, Phase, Presence
from bot.core.reasons import Why, because
from bot.core.strays import StrayState
from bot.ports.changes import Change, Committed, Snapshot
from bot.ports.deadline import Deadline
from bot.ports.documents import Alert, Key, Restore, Strays, StrayTargets
from bot.ports.slack import AlertView
from bot.ports.target import Holders
from bot.testing.cast import (
    ADA,
    BOB,
    CAROL,
    DAN,
    EMAILS,
    EVE,
    HOUR,
    MINUTE,
    PROD_DB,
    SECURITY,
    UNHURRIED,
    catalog,
)
from bot.testing.slack import dm
from bot.testing.story import Story
from bot.testing.target import FakeTarget
from bot.usecases.job import Job
from bot.usecases.strays import search
from bot.usecases.strays.search import open_strays

[ROLE] = PROD_DB.gives
EVERY = 10 * MINUTE
CHANNEL = "#db-access"
HERS = f"orders_rw on orders-db for {EMAILS[EVE]}"


def policy(mode: StrayMode, every: int = EVERY) -> Catalog:
    return replace(catalog(), strays=StrayRules(mode=mode, every=every), sources=UNHURRIED)


@pytest.fixture
def enforcing() -> Story:
    return Story(policy(StrayMode.ENFORCE))


@pytest.fixture
def reporting() -> Story:
    return Story(policy(StrayMode.REPORT))


def look(story: Story) -> None:
    """Sweep for as long as it takes to find what is there now, and to see what becomes of it."""
    story.pass_time(EVERY + 40)


def strays(story: Story, target: str = "orders-db") -> dict[str, StrayState]:
    found = story.memory.read({Key.of(Strays, target)}).find(Strays, target)
    return {stray.hold.account: stray.state for stray in found.found.values()} if found else {}


def said(story: Story, word: str = "stray") -> list[str]:
    return [entry.what for entry in story.audit() if word in entry.what]


def alert(story: Story, channel: str = SECURITY) -> AlertView:
    [found] = story.messenger.alerts_in(channel)
    return found


# ----------------------------------------------------------------------------------------- what counts


def test_in_an_ordinary_day_there_are_no_strays(story: Story) -> None:
    story.ask(ADA, length="2h")
    story.approve(BOB, story.ask(DAN, length="3h").standing.grant.id)
    story.target.give_by_hand(EMAILS[EVE], ROLE)
    story.pass_time(9 * HOUR)
    assert said(story) == []
    assert story.messenger.alerts == {}
    assert open_strays(story.ledger) == ()


def test_a_stray_is_found_within_a_sweep_and_counts_when_it_is_seen_again(story: Story) -> None:
    story.target.stray(EMAILS[EVE], ROLE)
    story.pass_time(EVERY)
    assert strays(story) == {EMAILS[EVE]: StrayState.SEEN}
    assert story.messenger.alerts == {}
    assert open_strays(story.ledger) == ()
    story.pass_time(11)
    assert strays(story) == {EMAILS[EVE]: StrayState.OPEN}
    assert [stray.hold.account for stray in open_strays(story.ledger)] == [EMAILS[EVE]]
    assert said(story) == ["stray found"]


def test_what_is_gone_before_it_is_seen_again_is_told_to_nobody(story: Story) -> None:
    story.target.stray(EMAILS[EVE], ROLE)
    story.pass_time(EVERY)
    story.target.take_by_hand(EMAILS[EVE], ROLE)
    look(story)
    assert (strays(story), said(story), story.messenger.alerts) == ({}, [], {})


def test_a_give_that_is_just_under_way_is_no_stray(story: Story) -> None:
    """The worker died after granting; until its claim expires, nobody has written that it was granted."""
    story.target.failing["grant"] = TemporaryFailure("no answer")
    story.target.loses_answers.add("grant")
    story.ask(ADA, length="2h")
    for _ in range(3):
        story.run_due()
        story.pass_time(11)
    assert story.has(ADA)
    assert strays(story) == {}


def test_what_others_made_and_what_nobody_can_tell_is_never_touched() -> None:
    unmarked = FakeTarget(lambda: story.now, marks=False)
    story = Story(policy(StrayMode.ENFORCE), targets={"orders-db": unmarked}, begin=False)
    story.target = unmarked
    unmarked.stray(EMAILS[EVE], ROLE)
    story.run_due("workspace", "groups")
    look(story)
    assert story.has(EVE)
    assert (strays(story), unmarked.count("revoke")) == ({}, 0)


def test_a_target_that_lists_nobody_is_left_in_peace() -> None:
    """Nothing is found there, nothing seems to have vanished, and nobody is told of a failure."""
    silent = FakeTarget(lambda: story.now, marks=False)
    silent.failing["holders"] = Unsupported("orders-db does not support holders")
    story = Story(policy(StrayMode.ENFORCE), targets={"orders-db": silent})
    story.target = silent
    story.ask(ADA, length="4h")
    story.run_due()
    look(story)
    assert (story.has(ADA), silent.count("grant")) == (True, 1)
    assert story.memory.read({Key.of(Strays, "orders-db")}).find(Strays, "orders-db"), "the look is done"
    assert (strays(story), said(story), story.messenger.alerts_in(SECURITY)) == ({}, [], [])


def test_access_whose_end_is_overdue_is_no_stray(enforcing: Story) -> None:
    story = enforcing
    story.target.failing["revoke"] = TemporaryFailure("down")
    grant = story.ask(ADA, length="1m").standing.grant.id
    story.pass_time(2 * HOUR)
    assert story.grant(grant).overdue_since
    assert strays(story) == {}


def test_the_late_worker_nobody_waited_for_leaves_a_stray_that_is_taken(enforcing: Story) -> None:
    story = enforcing
    grant = story.ask(ADA, length="1m").standing.grant.id
    story.pass_time(HOUR)
    assert story.grant(grant).state is State.ENDED
    story.target.stray(EMAILS[ADA], ROLE)
    look(story)
    assert not story.has(ADA)


def test_what_the_policy_gives_no_more_is_looked_through_until_it_is_gone(story: Story) -> None:
    story.target.stray(EMAILS[EVE], ROLE)
    story.pass_time(1)
    story.run_due()
    look(story)
    other = replace(PROD_DB, gives=(Entitlement(target="orders-db", what=(("role", "orders_ops"),)),))
    story.enact(replace(policy(StrayMode.ENFORCE), resources={"prod-db": other}))
    look(story)
    assert not story.has(EVE)


def test_what_the_policy_gives_no_more_is_not_forgotten_while_it_cannot_be_read(story: Story) -> None:
    story.target.stray(EMAILS[EVE], ROLE)
    look(story)
    other = replace(PROD_DB, gives=(Entitlement(target="orders-db", what=(("role", "orders_ops"),)),))
    unreadable(story, "orders_rw")
    story.enact(replace(policy(StrayMode.ENFORCE), resources={"prod-db": other}))
    look(story)
    assert strays(story) == {EMAILS[EVE]: StrayState.OPEN}
    readable(story)
    look(story)
    assert not story.has(EVE)


def unreadable(story: Story, role: str) -> None:
    read = FakeTarget.holders

    def holders(entitlement: Entitlement, deadline: Deadline) -> Holders:
        if entitlement["role"] == role:
            raise PermanentFailure("there is no such role")
        return read(story.target, entitlement, deadline)

    story.target.holders = holders  # type: ignore[method-assign]


def readable(story: Story) -> None:
    del story.target.holders


def test_two_looks_within_seconds_are_as_one(story: Story) -> None:
    story.target.stray(EMAILS[EVE], ROLE)
    story.pass_time(EVERY)
    story.pass_time(2)
    story.enact(catalog())
    story.pass_time(5)
    assert strays(story) == {EMAILS[EVE]: StrayState.SEEN}


def test_strays_are_looked_for_as_often_as_the_policy_says() -> None:
    story = Story(policy(StrayMode.ASK, every=30))
    looked: list[str] = []
    story.target.before = lambda verb: looked.append(verb) if verb == "holders" else None
    story.pass_time(10 * MINUTE)
    assert len(looked) == 20 * 3, "once for each role"


# -------------------------------------------------------------------------------------------- enforcing


def test_a_stray_is_taken_the_ordinary_way_and_the_security_channel_hears_of_it(enforcing: Story) -> None:
    story = enforcing
    story.target.stray(EMAILS[EVE], ROLE)
    look(story)
    assert not story.has(EVE)
    assert said(story) == ["stray found", "taking stray", "stray gone"]
    assert [entry.facts["hold"] for entry in story.audit() if entry.what == "taking"] == [HERS]
    shown = alert(story)
    assert (shown.over, shown.verbs) == (True, ())
    assert shown.reason == because(Why.STRAY, account=EMAILS[EVE], what="orders_rw on orders-db", person=EVE)
    assert shown.became
    assert shown.became.why is Why.STRAY_TAKEN
    assert (open_strays(story.ledger), strays(story)) == ((), {})


def test_who_is_approved_in_that_very_moment_keeps_it(enforcing: Story) -> None:
    story = enforcing
    story.target.stray(EMAILS[ADA], ROLE)
    commit = story.memory.commit

    def another_is_first(change: Change) -> Committed:
        if any(entry.what == "taking stray" for entry in change.audit):
            story.memory.commit = commit  # type: ignore[method-assign]
            story.ask(ADA, length="4h")
        return commit(change)

    story.memory.commit = another_is_first  # type: ignore[method-assign]
    look(story)
    assert story.has(ADA)
    assert story.target.count("revoke") == 0
    assert [grant.state for grant in story.grants_of(ADA)] == [State.ACTIVE]
    assert strays(story) == {}
    assert "taking stray" not in said(story)


def test_who_is_approved_right_after_it_keeps_it_too(enforcing: Story) -> None:
    story = enforcing
    story.target.stray(EMAILS[ADA], ROLE)
    commit = story.memory.commit

    def approved_before_it_is_taken(change: Change) -> Committed:
        receipt = commit(change)
        if any(entry.what == "taking stray" for entry in change.audit):
            story.memory.commit = commit  # type: ignore[method-assign]
            story.ask(ADA, length="4h")
        return receipt

    story.memory.commit = approved_before_it_is_taken  # type: ignore[method-assign]
    look(story)
    assert story.has(ADA)
    assert [grant.state for grant in story.grants_of(ADA)] == [State.ACTIVE]
    story.pass_time(5 * HOUR)
    assert not story.has(ADA)


def crowd(story: Story, strays: int, rightful: int) -> None:
    for number in range(rightful):
        who = f"U1{number:03}"
        story.directory.people[who] = replace(
            story.directory.people[DAN], id=who, email=f"rightful{number}@example.com"
        )
        story.approve(BOB, story.ask(who, length="10h").standing.grant.id)
    story.run_due()
    for number in range(strays):
        story.target.stray(f"stray{number}@example.com", ROLE)


def test_up_to_a_share_is_taken_at_once(enforcing: Story) -> None:
    crowd(enforcing, strays=2, rightful=6)
    look(enforcing)
    assert len(enforcing.target.accounts("orders_rw")) == 6


def test_of_more_than_a_share_nothing_is_taken_and_people_are_told(enforcing: Story) -> None:
    story = enforcing
    crowd(story, strays=3, rightful=6)
    look(story)
    assert len(story.target.accounts("orders_rw")) == 9
    assert story.target.count("revoke") == 0
    many = alert(story)
    assert many.reason == because(Why.STRAYS_MANY, target="orders-db", count=3, held=9, most=10)
    assert len(story.messenger.alerts_in(CHANNEL)) == 3, "and they are asked about"
    for number in range(3):
        story.target.take_by_hand(f"stray{number}@example.com", ROLE)
    look(story)
    assert alert(story).became == because(Why.STRAYS_FEW)
    assert all(each.over for each in story.messenger.alerts_in(CHANNEL))


def test_a_ledger_that_was_lost_becomes_no_mass_revocation(enforcing: Story) -> None:
    """Redis is emptied; the policy is put in force again, and forty people work on."""
    story = enforcing
    crowd(story, strays=40, rightful=0)
    look(story)
    story.pass_time(5 * HOUR)
    assert len(story.target.accounts("orders_rw")) == 40
    assert len(story.messenger.alerts_in(CHANNEL)) == 10, "at a time"
    assert len(open_strays(story.ledger)) == 40
    assert said(story, "too many") == ["too many strays"]


def test_while_a_restore_is_not_accepted_nothing_is_taken(enforcing: Story) -> None:
    story = enforcing
    restore = Restore(noticed_at=story.now, anchored="9-0", found="5-0")
    story.memory.commit(Change(put={Key.of(Restore): restore}))
    story.target.stray(EMAILS[EVE], ROLE)
    look(story)
    assert story.has(EVE)
    assert alert(story, CHANNEL).reason.why is Why.STRAY_FORGOTTEN
    story.memory.commit(Change(put={Key.of(Restore): None}))
    look(story)
    assert not story.has(EVE)
    assert alert(story, CHANNEL).over


def test_a_stray_that_cannot_be_taken_is_told_and_tried_until_it_is_gone(enforcing: Story) -> None:
    story = enforcing
    story.target.failing["revoke"] = TemporaryFailure("orders-db is down")
    story.target.stray(EMAILS[EVE], ROLE)
    story.pass_time(HOUR)
    assert alert(story).became == because(Why.STRAY_STUCK, trouble="orders-db is down")
    assert [stray.state for stray in open_strays(story.ledger)] == [StrayState.TAKING]
    story.target.failing.clear()
    look(story)
    assert not story.has(EVE)
    assert alert(story).over


def test_what_was_taken_and_made_again_is_found_again(enforcing: Story) -> None:
    story = enforcing
    for _ in range(2):
        story.target.stray(EMAILS[EVE], ROLE)
        look(story)
        assert not story.has(EVE)
    assert said(story).count("stray gone") == 2
    assert len(story.messenger.alerts_in(SECURITY)) == 2


# -------------------------------------------------------------------------------- reporting, and asking


def test_only_the_security_channel_is_told_where_the_policy_says_so(reporting: Story) -> None:
    story = reporting
    story.target.stray(EMAILS[EVE], ROLE)
    look(story)
    assert story.has(EVE)
    shown = alert(story)
    assert (shown.verbs, shown.became, shown.over) == ((), None, False)
    assert set(story.messenger.alerts) == {("CSECURITY", "1.0")}
    story.target.take_by_hand(EMAILS[EVE], ROLE)
    look(story)
    gone = alert(story)
    assert gone.over
    assert gone.became
    assert gone.became.why is Why.STRAY_GONE


def test_its_approvers_are_asked_in_their_channel(story: Story) -> None:
    story.target.stray(EMAILS[EVE], ROLE)
    look(story)
    shown = alert(story, CHANNEL)
    assert shown.verbs == ("adopt", "remove", "leave")
    assert shown.length == 4 * HOUR
    assert story.messenger.alerts_in(SECURITY) == []
    assert story.has(EVE)


@pytest.mark.parametrize(
    ("security", "channels"),
    [(SECURITY, ["CSECURITY"]), (None, [dm(BOB), dm(CAROL)])],
)
def test_without_a_channel_of_theirs_others_are_asked(security: str | None, channels: list[str]) -> None:
    quiet = replace(PROD_DB, channel=None)
    story = Story(replace(catalog(quiet), security=SecurityRules(channel=security)))
    story.target.stray(EMAILS[EVE], ROLE)
    look(story)
    assert sorted({channel for channel, _ in story.messenger.alerts}) == sorted(channels)


def test_where_the_channel_is_lost_approvers_are_asked_directly(story: Story) -> None:
    story.messenger.lost = {CHANNEL}
    story.target.stray(EMAILS[EVE], ROLE)
    look(story)
    assert {channel for channel, _ in story.messenger.alerts} == {dm(BOB), dm(CAROL)}
    assert said(story, "alert lost")


def test_while_slack_is_away_the_alert_waits_and_is_then_posted_once(story: Story) -> None:
    story.messenger.away = True
    story.target.stray(EMAILS[EVE], ROLE)
    look(story)
    assert story.messenger.alerts == {}
    story.messenger.away = False
    story.pass_time(HOUR)
    assert len(story.messenger.alerts) == 1


@pytest.mark.parametrize(
    "account", ["nobody@example.com", "a_service_account", "EVE@example.com", EMAILS[EVE] + " "]
)
def test_what_belongs_to_nobody_who_is_known_cannot_be_adopted(story: Story, account: str) -> None:
    story.target.stray(account, ROLE)
    look(story)
    shown = alert(story, CHANNEL)
    assert (shown.verbs, shown.reason.facts.get("person")) == (("remove", "leave"), None)


def test_whose_it_is_is_found_out_later_where_slack_was_away(story: Story) -> None:
    story.directory.away = True
    story.target.stray(EMAILS[EVE], ROLE)
    look(story)
    assert alert(story, CHANNEL).verbs == ("remove", "leave")
    story.directory.away = False
    story.pass_time(EVERY)
    assert alert(story, CHANNEL).verbs == ("adopt", "remove", "leave")
    assert alert(story, CHANNEL).reason.facts["person"] == EVE


def test_whose_an_account_is_tells_the_policy_before_the_email(story: Story) -> None:
    people = replace(story.policy.people, accounts={EVE: {"orders-db": "eve_ops"}})
    story.enact(replace(story.policy, people=people))
    for account in ("eve_ops", EMAILS[EVE]):
        story.target.stray(account, ROLE)
    look(story)
    owners = {each.reason.facts["account"]: each.reason.facts.get("person") for each in asked(story)}
    assert owners == {"eve_ops": EVE, EMAILS[EVE]: None}


def asked(story: Story) -> list[AlertView]:
    return story.messenger.alerts_in(CHANNEL)


def test_what_needs_two_approvals_is_not_adopted_by_one(story: Story) -> None:
    story.enact(catalog(replace(PROD_DB, approvals=2)))
    story.target.stray(EMAILS[EVE], ROLE)
    look(story)
    assert alert(story, CHANNEL).verbs == ("remove", "leave")


def test_a_grant_that_comes_meanwhile_explains_it(story: Story) -> None:
    story.target.stray(EMAILS[ADA], ROLE)
    look(story)
    story.ask(ADA, length="4h")
    look(story)
    shown = alert(story, CHANNEL)
    assert (shown.over, shown.became) == (True, because(Why.STRAY_EXPLAINED))
    assert story.has(ADA)


def test_another_mode_in_the_policy_changes_what_people_may_do(story: Story) -> None:
    story.target.stray(EMAILS[EVE], ROLE)
    look(story)
    story.enact(policy(StrayMode.REPORT))
    look(story)
    assert alert(story, CHANNEL).verbs == ()
    story.enact(policy(StrayMode.ENFORCE))
    look(story)
    assert alert(story, CHANNEL).over
    assert not story.has(EVE)


def test_an_alert_is_forgotten_a_week_after_it_is_over(reporting: Story) -> None:
    story = reporting
    story.target.stray(EMAILS[EVE], ROLE)
    look(story)
    name = alert(story).id
    story.target.take_by_hand(EMAILS[EVE], ROLE)
    story.pass_time(6 * 86_400)
    assert story.context.alert(name)
    story.pass_time(2 * 86_400)
    assert story.context.alert(name) is None


def test_an_alert_that_nobody_could_ever_see_is_forgotten_too(reporting: Story) -> None:
    story = reporting
    story.messenger.lost = {SECURITY, dm(BOB), dm(CAROL)}
    story.target.stray(EMAILS[EVE], ROLE)
    look(story)
    known = story.memory.read({Key.of(Strays, "orders-db")}).all(Strays)[0]
    name = str(next(iter(known.found.values())).alert)
    story.target.take_by_hand(EMAILS[EVE], ROLE)
    story.pass_time(8 * 86_400)
    assert story.context.alert(name) is None


# ----------------------------------------------------------------------------- taken behind our back


def test_what_somebody_took_behind_our_back_is_noticed_and_looked_at_at_once(story: Story) -> None:
    grant = story.ask(ADA, length="4h").standing.grant.id
    story.pass_time(EVERY - 60)
    story.target.take_by_hand(EMAILS[ADA], ROLE)
    story.pass_time(60)
    record = story.record(grant)
    assert record
    assert record.missing
    story.pass_time(15)
    assert story.grant(grant).state is State.ENDED
    assert [entry.what for entry in story.audit()].count("removed by a hand") == 1


def test_however_many_grants_there_are_they_are_read_a_few_at_a_time(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "AT_ONCE", 1)
    story.ask(ADA, length="2h")
    story.approve(BOB, story.ask(DAN, length="3h").standing.grant.id)
    story.target.stray(EMAILS[EVE], ROLE)
    story.run_due()
    story.target.take_by_hand(EMAILS[DAN], ROLE)
    look(story)
    assert strays(story) == {EMAILS[EVE]: StrayState.OPEN}
    assert said(story, "removed by a hand") == ["removed by a hand"]


def test_what_is_there_as_it_should_be_is_compared_by_its_key_alone(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be a hundred thousand grants, and a job has twenty seconds."""
    story.ask(ADA, length="2h")
    story.approve(BOB, story.ask(DAN, length="3h").standing.grant.id)
    look(story)
    kinds = set[str]()
    read = story.memory.read

    def noting(keys: Iterable[Key] = (), follow: Iterable[str] = ()) -> Snapshot:
        snap = read(keys, follow)
        kinds.update(key.kind for key in snap.versions)
        return snap

    monkeypatch.setattr(story.memory, "read", noting)
    swept(story)
    assert kinds
    assert kinds.isdisjoint({"hold", "grant"})
    story.target.take_by_hand(EMAILS[DAN], ROLE)
    swept(story)
    assert kinds >= {"hold", "grant"}


def test_what_there_was_no_time_to_read_of_is_neither_forgotten_nor_left(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.ask(ADA, length="2h")
    look(story)
    story.target.take_by_hand(EMAILS[ADA], ROLE)
    with monkeypatch.context() as hurried:
        hurried.setattr(search, "TIME_TO_WRITE", 60.0)
        swept(story)
    assert not story.has(ADA)
    found = story.memory.read({Key.of(Strays, "orders-db")}).find(Strays, "orders-db")
    assert found
    assert ROLE in found.entitlements
    story.pass_time(30)
    assert [entry.what for entry in story.audit()].count("removed by a hand") == 1


def swept(story: Story) -> None:
    story.memory.advance(EVERY)
    claim = story.claim("sweep")
    assert claim
    story.do(claim)


def test_where_very_much_vanished_it_is_looked_at_little_by_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_HEALED", 1)
    monkeypatch.setattr(search, "AT_ONCE", 1)
    story = Story(policy(StrayMode.ASK, every=5 * MINUTE))
    grants = [story.ask(ADA, length="4h").standing.grant.id, story.ask(DAN, length="3h").standing.grant.id]
    story.approve(BOB, grants[1])
    story.pass_time(MINUTE)
    for who in (ADA, DAN):
        story.target.take_by_hand(EMAILS[who], ROLE)
    story.pass_time(4 * MINUTE + 1)
    records = [record for each in grants if (record := story.record(each))]
    assert [record.missing is not None for record in records].count(True) == 1
    story.pass_time(2 * MINUTE)
    assert {story.grant(each).trouble for each in grants} == {"not at the target right now"}


def test_what_was_theirs_before_us_and_is_gone_is_left_to_its_hold(story: Story) -> None:
    story.pass_time(EVERY - 60)
    story.target.give_by_hand(EMAILS[ADA], ROLE)
    grant = story.ask(ADA, length="4h").standing.grant.id
    story.run_due()
    record = story.record(grant)
    assert record
    assert record.untouchable
    story.target.take_by_hand(EMAILS[ADA], ROLE)
    story.pass_time(60)
    after = story.record(grant)
    assert after
    assert after.seen_at == record.seen_at


def test_a_record_that_nobody_stands_behind_is_seen_to(story: Story) -> None:
    """Its wake-up was lost together with its grant."""
    hold = Hold(target="orders-db", account=EMAILS[EVE], entitlement=ROLE)
    record = HoldRecord(hold=hold, phase=Phase.TAKING, baseline=Presence.NONE)
    story.memory.commit(Change(put={Key.of(HoldRecord, hold.key): record}))
    story.target.stray(EMAILS[EVE], ROLE)
    look(story)
    assert not story.has(EVE)
    assert said(story) == []


# ---------------------------------------------------------------------------- targets that are large


def test_what_there_is_no_time_for_is_looked_at_right_after(story: Story) -> None:
    """Each job has time for one role; there are three."""
    looked: list[str] = []
    jobs: list[Job] = []
    everything = story.duties()

    def slowly(entitlement: Entitlement, deadline: Deadline) -> Holders:
        looked.append(entitlement["role"])
        jobs[-1].deadline = Deadline.after(1)
        return FakeTarget.holders(story.target, entitlement, deadline)

    def noting(job: Job) -> None:
        jobs.append(job)
        everything["sweep"](job)

    story.duties = lambda: {**everything, "sweep": noting}  # type: ignore[method-assign]
    story.target.holders = slowly  # type: ignore[method-assign]
    for who, role in ((EVE, "orders_rw"), (DAN, "migrator")):
        story.target.stray(EMAILS[who], Entitlement(target="orders-db", what=(("role", role),)))
    story.pass_time(EVERY)
    assert looked == ["orders_rw", "orders_ops", "migrator"]
    assert set(strays(story).values()) == {StrayState.SEEN}
    story.pass_time(11)
    assert strays(story) == {EMAILS[EVE]: StrayState.OPEN, EMAILS[DAN]: StrayState.OPEN}
    story.pass_time(EVERY)
    assert len(looked) == 9
    unreadable_now = {"migrator"}
    looked.clear()
    story.target.before = lambda verb: fail(verb, looked, unreadable_now)
    story.pass_time(2 * EVERY)
    assert looked.count("orders_rw") >= 2, "what cannot be read keeps nothing else from being looked at"


def fail(verb: str, looked: list[str], roles: set[str]) -> None:
    if verb == "holders" and looked[-1] in roles:
        raise PermanentFailure("there is no such role")


# -------------------------------------------------------------------------------- targets that fail


def test_a_target_that_cannot_be_read_is_read_later(story: Story) -> None:
    story.target.failing["holders"] = TemporaryFailure("down")
    story.target.stray(EMAILS[EVE], ROLE)
    story.pass_time(HOUR)
    assert strays(story) == {}
    story.target.failing.clear()
    look(story)
    assert strays(story) == {EMAILS[EVE]: StrayState.OPEN}


def test_what_cannot_be_read_hides_nothing_else(story: Story) -> None:
    unreadable(story, "migrator")
    story.target.stray(EMAILS[EVE], ROLE)
    look(story)
    assert strays(story) == {EMAILS[EVE]: StrayState.OPEN}


def test_a_target_that_left_the_policy_is_swept_no_more(story: Story) -> None:
    story.target.stray(EMAILS[EVE], ROLE)
    look(story)
    elsewhere = replace(PROD_DB, gives=(Entitlement(target="vault", what=(("role", "x"),)),))
    story.targets["vault"] = FakeTarget(lambda: story.now)
    story.enact(replace(catalog(), resources={"prod-db": elsewhere}, session_notes={}))
    look(story)
    assert alert(story, CHANNEL).became == because(Why.TARGET_UNSWEPT, target="orders-db")
    assert story.memory.read({Key.of(StrayTargets)}).find(StrayTargets) == StrayTargets(targets=("vault",))
    assert open_strays(story.ledger) == ()
    story.target.failing["holders"] = AssertionError("nobody is to look there")
    story.pass_time(HOUR)
    story.target.failing.clear()
    story.enact(catalog())
    look(story)
    assert strays(story) == {EMAILS[EVE]: StrayState.OPEN}


def test_nothing_is_left_in_the_books_of_what_is_over(enforcing: Story) -> None:
    story = enforcing
    story.target.stray(EMAILS[EVE], ROLE)
    look(story)
    hold = Hold(target="orders-db", account=EMAILS[EVE], entitlement=ROLE)
    story.pass_time(8 * 86_400)
    snap = story.memory.read({Key.of(HoldRecord, hold.key), Key.of(Strays, "orders-db")})
    assert snap.find(HoldRecord, hold.key) is None
    assert snap.all(Alert) == ()
    assert not story.memory.read((), (f"hold:{hold.key}",)).versions
    assert story.now - snap.all(Strays)[0].at < timedelta(seconds=EVERY)
