"""Cards, notes and Home tabs: sent once for what is done, kept up to date, and caught up after an outage."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, replace
from datetime import timedelta

import pytest

from bot.core.catalog import Entitlement, OnCall
from bot.core.errors import Conflict, TemporaryFailure
from bot.core.grants import Answer, Cause, Extension, Grant, Ground, HoldState, Origin, State, Traced, Vote
from bot.core.holds import Hold
from bot.core.reasons import Reason, Why, because
from bot.ports.changes import Change, Claim, Due
from bot.ports.deadline import Deadline
from bot.ports.documents import Card, GivenUp, Key, Note
from bot.ports.ledger import CLAIM_SECONDS
from bot.slack.views.cards import card
from bot.testing.cast import ADA, BOB, CAROL, DAN, EVE, GROUP, HOUR, NINE, PROD_DB, catalog, dba
from bot.testing.fuse import Died
from bot.testing.slack import dm
from bot.testing.story import Story
from bot.usecases.job import Job
from bot.usecases.notifications import cards
from bot.usecases.notifications.posting import GIVEN_UP
from bot.usecases.requests import look

CHANNEL = "CDB-ACCESS"
PRIVATE = replace(PROD_DB, channel=None)


def dans_ask(story: Story, resource: str = "prod-db") -> str:
    grant = story.ask(DAN, resource, "1h").standing.grant.id
    story.run_due()
    return grant


def places(story: Story, grant: str) -> dict[str, str | None]:
    """Return where the ledger has messages of a grant, and what they show."""
    found = story.memory.read({Key.of(Card, grant)}).find(Card, grant)
    return {place.channel: place.shown for place in (found.places if found else ())}


# -------------------------------------------------------------------------------------------- cards


def test_an_ask_is_one_card_in_its_channel_that_follows_it_to_the_end(story: Story) -> None:
    grant = dans_ask(story)
    assert set(story.messenger.cards_of(grant)) == {CHANNEL}
    story.approve(BOB, grant)
    story.run_due()
    story.pass_time(HOUR)
    cards = story.messenger.cards_of(grant)
    assert set(cards) == {CHANNEL, dm(DAN)}
    assert cards[CHANNEL].shown[0] is State.ASKED
    assert cards[CHANNEL].shown[-1] is cards[dm(DAN)].shown[-1] is State.ENDED
    assert cards[dm(DAN)].shown[0] is State.ACTIVE
    assert (cards[CHANNEL].audience, cards[dm(DAN)].audience) == ("approver", "holder")


def test_an_automatic_approval_sends_approvers_nothing(story: Story) -> None:
    grant = story.ask(ADA).standing.grant.id
    story.pass_time(5 * HOUR)
    assert set(story.messenger.cards_of(grant)) == {dm(ADA)}
    assert [channel for channel, _ in story.messenger.cards] == [dm(ADA)]
    assert story.messenger.notes == []


def test_without_a_channel_up_to_five_approvers_are_asked_directly() -> None:
    story = Story(catalog(PRIVATE))
    story.directory.members[GROUP] = dba(*(f"U1{letter}" for letter in "ABCDEFG"))
    story.pass_time(300)
    grant = dans_ask(story)
    assert set(story.messenger.cards_of(grant, "approver")) == {f"D1{letter}" for letter in "ABCDE"}


def test_where_the_channel_is_lost_approvers_are_asked_directly(story: Story) -> None:
    story.messenger.lost = {"#db-access"}
    grant = dans_ask(story)
    assert set(story.messenger.cards_of(grant)) == {dm(BOB), dm(CAROL)}
    assert places(story, grant)["#db-access"] == "lost"
    story.approve(BOB, grant)
    story.run_due()
    shown = {channel: card.shown[-1] for channel, card in story.messenger.cards_of(grant).items()}
    assert shown == {dm(BOB): State.ACTIVE, dm(CAROL): State.ACTIVE, dm(DAN): State.ACTIVE}


def test_a_channel_lost_after_the_card_was_posted_is_made_up_for_too(story: Story) -> None:
    story.enact(catalog(replace(PROD_DB, approvals=2)))
    grant = dans_ask(story)
    story.messenger.lost = {CHANNEL}
    story.approve(BOB, grant)
    story.run_due()
    assert set(story.messenger.cards_of(grant)) == {CHANNEL, dm(BOB), dm(CAROL)}


def test_what_slack_refuses_is_tried_again_for_an_hour(story: Story) -> None:
    story.messenger.lost = {"#db-access", dm(BOB), dm(CAROL)}
    grant = dans_ask(story)
    assert story.messenger.cards_of(grant) == {}
    story.messenger.lost = set()
    story.pass_time(600)
    assert set(story.messenger.cards_of(grant)) == {CHANNEL, dm(BOB), dm(CAROL)}
    story.messenger.lost = {dm(DAN)}
    story.approve(BOB, grant)
    story.pass_time(3 * HOUR)
    assert not [claim for claim in story.memory.claim(99, 99, {}).claims if claim.kind == "card"]
    assert sum(each.what == "card lost" for each in story.audit(grant)) <= 20


def given_up(story: Story) -> GivenUp | None:
    return story.memory.read({Key.of(GivenUp)}).find(GivenUp)


def test_a_message_that_is_given_up_is_counted_once() -> None:
    story = Story(catalog(replace(PRIVATE, lapse_after=8 * HOUR)))
    story.messenger.lost = {dm(BOB)}
    grant = dans_ask(story)
    story.pass_time(50 * 60)
    assert given_up(story) is None, "it may still be put right"
    story.pass_time(20 * 60)
    found = given_up(story)
    assert found is not None
    assert (found.count, found.to, found.error) == (1, BOB, "is_archived")
    assert places(story, grant)[BOB] == GIVEN_UP
    story.approve(CAROL, grant)
    story.pass_time(3 * HOUR)
    assert given_up(story) == found, "tried again for what is new, and counted no more"
    story.messenger.lost = {dm(DAN)}
    story.pass_time(3 * HOUR)
    assert given_up(story) == found, "Dan's card says all there is to say"


def test_an_ask_that_lapses_before_its_approver_could_be_asked_is_counted() -> None:
    story = Story(catalog(PRIVATE))
    story.messenger.lost = {dm(BOB)}
    grant = dans_ask(story)
    story.pass_time(HOUR)
    assert story.grant(grant).state is State.LAPSED
    found = given_up(story)
    assert found is not None
    assert (found.count, found.to, places(story, grant)[BOB]) == (1, BOB, GIVEN_UP)
    assert found.error == "refused until there was nothing to decide any more"


def test_a_message_that_is_delivered_after_all_is_not_given_up(story: Story) -> None:
    story.messenger.lost = {"#db-access", dm(BOB), dm(CAROL)}
    dans_ask(story)
    story.pass_time(30 * 60)
    story.messenger.lost = set()
    story.pass_time(2 * HOUR)
    assert given_up(story) is None


def test_a_note_and_an_alert_that_are_given_up_are_counted(story: Story) -> None:
    story.messenger.lost = {dm(EVE), "CSECURITY"}
    key = Key.of(Note, "n1")
    note = Note(id="n1", channel=EVE, reason=because(Why.EXPIRED))
    story.memory.commit(Change(put={key: note}, due=(Due(member="note:n1", at=story.now),)))
    story.pass_time(2 * HOUR)
    found = given_up(story)
    assert found is not None
    assert (found.count, found.to) == (1, EVE)
    story.target.stray("eve@example.com", PROD_DB.gives[0])
    story.messenger.lost |= {"#db-access", CHANNEL}
    story.pass_time(3 * HOUR)
    found = given_up(story)
    assert found is not None
    assert (found.count, found.to) == (2, "#db-access")


def test_while_slack_is_away_nothing_is_lost_and_all_is_shown_soon_after(story: Story) -> None:
    story.messenger.away = True
    grant = dans_ask(story)
    assert places(story, grant) == {"#db-access": None}
    story.pass_time(1800)
    assert story.messenger.cards == {}
    story.messenger.away = False
    story.pass_time(11)
    assert set(story.messenger.cards_of(grant)) == {CHANNEL}


def test_one_who_cannot_be_told_just_now_keeps_nobody_else_waiting() -> None:
    story = Story(catalog(PRIVATE))
    story.messenger.busy = {BOB}
    grant = dans_ask(story)
    assert set(story.messenger.cards_of(grant)) == {dm(CAROL)}
    story.messenger.busy = set()
    story.pass_time(10)
    assert set(story.messenger.cards_of(grant)) == {dm(BOB), dm(CAROL)}
    assert len(story.messenger.cards_of(grant)[dm(CAROL)].shown) == 1


def test_approvers_who_were_never_asked_are_not_told_of_what_is_decided(story: Story) -> None:
    story.messenger.away = True
    grant = dans_ask(story)
    story.approve(BOB, grant)
    story.run_due()
    story.messenger.away = False
    story.pass_time(20)
    assert set(story.messenger.cards_of(grant)) == {dm(DAN)}


def test_each_card_is_recorded_right_after_it_was_posted() -> None:
    story = Story(catalog(PRIVATE))
    grant = story.ask(DAN, length="1h").standing.grant.id
    posted: list[int] = []

    def dies_at_the_second() -> None:
        posted.append(1)
        if len(posted) == 2:
            raise Died

    story.messenger.after = dies_at_the_second
    with pytest.raises(Died):
        story.run_due()
    assert set(places(story, grant)) == {dm(BOB), CAROL}
    story.messenger.after = lambda: None
    story.pass_time(10)
    channels = sorted(channel for channel, _ in story.messenger.cards)
    assert channels == sorted([dm(BOB), dm(CAROL), dm(CAROL)])


def test_a_death_between_two_posts_leaves_nobody_unasked() -> None:
    story = Story(catalog(PRIVATE))
    grant = story.ask(DAN, length="1h").standing.grant.id
    posted: list[int] = []

    def dies_before_the_second() -> None:
        posted.append(1)
        if len(posted) == 2:
            raise Died

    story.messenger.before = dies_before_the_second
    with pytest.raises(Died):
        story.run_due()
    story.messenger.before = lambda: None
    story.pass_time(10)
    assert set(story.messenger.cards_of(grant)) == {dm(BOB), dm(CAROL)}


def test_a_card_is_not_touched_where_it_shows_the_same_already(story: Story) -> None:
    grant = dans_ask(story)
    calls: list[int] = []
    story.messenger.before = lambda: calls.append(1)
    story.pass_time(600)
    assert calls == []
    assert len(story.messenger.cards_of(grant)[CHANNEL].shown) == 1


ELSEWHERE = Hold(
    target="orders-db",
    account="dan@example.com",
    entitlement=Entitlement(target="orders-db", what=(("role", "orders_ro"),)),
)
SAID = because(Why.REVOKED, said="enough")
GROUNDS = (
    Ground(cause=Cause.SHIFT, since=NINE, until=NINE + timedelta(hours=1)),
    Ground(cause=Cause.APPROVAL, since=NINE, until=NINE + timedelta(hours=4), approved_by=(BOB,)),
)
MORE = Extension(id="G1-1", asked_at=NINE, until=NINE + timedelta(hours=6), policy="v1")
CHANGED: Mapping[str, tuple[object, ...]] = {
    "person": (EVE,),
    "resource": ("orders-on-call",),
    "origin": (Origin.SHIFT,),
    "state": tuple(State),
    "asked_at": (NINE - timedelta(hours=1),),
    "length": (None, 2 * HOUR),
    "reason": ("", "orders are late"),
    "policy": ("v7",),
    "rule": ("on_call pagerduty/PDBPRIM level 1",),
    "trace": (
        (),
        (Traced(rule="in_group slack/dba", outcome="yes", reason=because(Why.IN_GROUP, group=GROUP)),),
    ),
    "undecided": (True,),
    "lapses_at": (None, NINE + timedelta(hours=7)),
    "approvals": (3,),
    "votes": ((), (Vote(person=CAROL, at=NINE),)),
    "asked_people": ((CAROL,),),
    "asked_in": (None, "#elsewhere"),
    "depends_on": (OnCall(schedule="pagerduty/PDBPRIM"),),
    "follows": ("G0",),
    "starts_at": (NINE + timedelta(hours=5),),
    "wished": (8 * HOUR,),
    "grounds": (GROUNDS,),
    "extensions": ((MORE,), (replace(MORE, answer=Answer.DENIED, decided_by=CAROL),)),
    "until": (None, NINE + timedelta(hours=3)),
    "approved_at": (NINE,),
    "active_at": (NINE + timedelta(minutes=1),),
    "ended_at": (None, NINE + timedelta(hours=2)),
    "ended": (None, SAID),
    "decided_by": (None, BOB),
    "gives": ((), (ELSEWHERE,)),
    "holds": ({}, {ELSEWHERE.key: HoldState.KEPT}),
    "kept_by": ("G0",),
    "had_before": (True,),
    "seated": (True,),
    "left_by": ("postgres",),
    "sessions_kept": (("orders-db",),),
    "overdue_since": (NINE + timedelta(hours=1),),
    "lease_ended_at": (NINE,),
    "trouble": ("orders-db does not answer",),
}
"""Other values for each field of a grant."""


def at_each_place(story: Story, grant: str) -> dict[str, object]:
    """Return what the card should say at each place where there is one, by channel."""
    catalog_, snap = story.context.read_basis(lambda _: {Key.of(Grant, grant)})
    view = cards.card_view(story.context, story.grant(grant), catalog_, snap)
    found = story.memory.read({Key.of(Card, grant)}).find(Card, grant) or Card()
    return {place.channel: card(view, place.audience) for place in found.places}


def shown_often(story: Story, grant: str) -> dict[str, int]:
    return {channel: len(each.shown) for channel, each in story.messenger.cards_of(grant).items()}


@pytest.mark.parametrize("state", [State.ASKED, State.ACTIVE, State.ENDED])
@pytest.mark.parametrize("field", sorted(CHANGED))
def test_a_card_is_sent_again_exactly_when_it_says_something_else(
    story: Story, field: str, state: State
) -> None:
    grant = dans_ask(story)
    if state is not State.ASKED:
        story.approve(BOB, grant)
        story.run_due()
    if state is State.ENDED:
        story.revoke(CAROL, DAN, "prod-db", "no need")
        story.run_due()
    assert story.grant(grant).state is state
    for value in CHANGED[field]:
        before, shown = at_each_place(story, grant), shown_often(story, grant)
        changed = replace(story.grant(grant), **{field: value})  # type: ignore[arg-type]  # of that field
        due = Due.card(grant, at=story.now)
        story.memory.commit(Change(put={Key.of(Grant, grant): changed}, due=(due,)))
        after = at_each_place(story, grant)
        story.run_due("card")
        again = {each for each in shown if shown_often(story, grant)[each] > shown[each]}
        assert again == {each for each in before if after[each] != before[each]}, (field, value)


def test_each_field_of_a_grant_is_changed() -> None:
    """A grant with another id is another grant, with its own card."""
    assert set(CHANGED) == {each.name for each in fields(Grant)} - {"id"}


def test_what_a_card_never_says_does_not_send_it_again(story: Story) -> None:
    """For both audiences: the requester is quoted, but the time of the request is not shown."""
    grant = dans_ask(story)
    story.approve(BOB, grant)
    story.run_due()
    shown = shown_often(story, grant)
    unsaid = replace(story.grant(grant), asked_at=NINE - timedelta(days=1), policy="v9", seated=True)
    due = Due.card(grant, at=story.now)
    story.memory.commit(Change(put={Key.of(Grant, grant): unsaid}, due=(due,)))
    story.run_due("card")
    assert shown_often(story, grant) == shown
    assert set(shown) == {CHANNEL, dm(DAN)}


def test_a_change_while_the_card_is_being_shown_is_shown_too(story: Story) -> None:
    grant = story.ask(DAN, length="1h").standing.grant.id

    def bob_is_quick() -> None:
        story.messenger.after = lambda: None
        story.approve(BOB, grant)

    story.messenger.after = bob_is_quick
    story.run_due()
    assert story.messenger.cards_of(grant)[CHANNEL].shown[-1] is State.ACTIVE


def test_a_worker_that_slept_over_a_card_leaves_no_old_one_behind(story: Story) -> None:
    grant, claim = asleep_over_a_card(story)
    story.do(claim)
    story.run_due()
    shown = {channel: card.shown[-1] for channel, card in story.messenger.cards_of(grant).items()}
    assert shown == {CHANNEL: State.ACTIVE, dm(DAN): State.ACTIVE}


def test_nor_does_one_that_dies_as_soon_as_it_has_shown_it(story: Story) -> None:
    grant, claim = asleep_over_a_card(story)
    story.messenger.after = dies
    with pytest.raises(Died):
        story.do(claim)
    story.messenger.after = lambda: None
    assert story.messenger.cards_of(grant)[CHANNEL].shown[-1] is State.APPROVED
    story.pass_time(2 * CLAIM_SECONDS)
    shown = {channel: card.shown[-1] for channel, card in story.messenger.cards_of(grant).items()}
    assert shown == {CHANNEL: State.ACTIVE, dm(DAN): State.ACTIVE}


def test_nor_though_the_grant_goes_on_meanwhile(story: Story) -> None:
    """Showing it for another reason meanwhile must not drop the promise to look again."""
    grant, claim = asleep_over_a_card(story, lambda: story.give_back(DAN))
    story.messenger.after = dies
    with pytest.raises(Died):
        story.do(claim)
    story.messenger.after = lambda: None
    assert story.messenger.cards_of(grant)[CHANNEL].shown[-1] is State.APPROVED
    story.pass_time(2 * CLAIM_SECONDS)
    shown = {channel: card.shown[-1] for channel, card in story.messenger.cards_of(grant).items()}
    assert shown == {CHANNEL: State.ENDED, dm(DAN): State.ENDED}


def test_one_that_wakes_between_two_cards_has_them_looked_at_once_more() -> None:
    story = Story(catalog(PRIVATE))
    grant = dans_ask(story)
    story.approve(BOB, grant)
    claim = story.claim("card")
    assert claim is not None
    job = Job(claim, Deadline.after(0))

    def sleeps() -> None:
        story.messenger.before = lambda: None
        story.memory.advance(CLAIM_SECONDS + 0.001)
        story.run_due()
        job.fence = Deadline.after(-1)

    story.messenger.before = sleeps
    with pytest.raises(Conflict):
        cards.show(story.context, story.messenger, job)
    story.run_due()
    shown = {channel: card.shown[-1] for channel, card in story.messenger.cards_of(grant).items()}
    assert set(shown.values()) == {State.ACTIVE}


def test_nor_one_whose_claim_was_lost_with_a_primary(story: Story) -> None:
    """Nobody knows that two workers show the card at once. The slower one shows the older state, and the
    other one records last what it showed itself."""
    grant = dans_ask(story)
    story.run_due()
    story.approve(BOB, grant)
    slow = story.claim("card")
    assert slow is not None
    reached, go_on = threading.Event(), threading.Event()

    def waits() -> None:
        if threading.current_thread() is thread:
            reached.set()
            go_on.wait(10)

    def shows_it_slowly() -> None:
        with suppress(Conflict):
            cards.show(story.context, story.messenger, Job(slow, Deadline.after(0)))

    thread = threading.Thread(target=shows_it_slowly)
    story.messenger.before = waits
    thread.start()
    assert reached.wait(10)
    story.memory.lose_claims()
    story.run_due("hold")
    claim = story.claim("card")
    assert claim is not None

    def lets_it_go_on() -> None:
        story.messenger.after = lambda: None
        go_on.set()
        thread.join(10)

    story.messenger.after = lets_it_go_on
    story.do(claim)
    story.pass_time(2 * CLAIM_SECONDS)
    shown = {channel: card.shown[-1] for channel, card in story.messenger.cards_of(grant).items()}
    assert shown == {CHANNEL: State.ACTIVE, dm(DAN): State.ACTIVE}


def test_a_worker_whose_claim_has_run_out_shows_nothing(story: Story) -> None:
    grant = story.ask(DAN, length="1h").standing.grant.id
    claim = story.claim("card")
    assert claim is not None
    with pytest.raises(Conflict):
        cards.show(story.context, story.messenger, Job(claim, Deadline.after(-CLAIM_SECONDS)))
    assert story.messenger.cards_of(grant) == {}


def asleep_over_a_card(story: Story, meanwhile: Callable[[], object] = lambda: None) -> tuple[str, Claim]:
    """Return a grant, and the claim of a worker that sleeps right before it shows the grant as approved.
    Others show it as active meanwhile; then ``then`` happens."""
    grant = dans_ask(story)
    story.approve(BOB, grant)
    claim = story.claim("card")
    assert claim is not None

    def sleeps() -> None:
        story.messenger.before = lambda: None
        after, story.messenger.after = story.messenger.after, lambda: None  # the others live
        story.memory.advance(CLAIM_SECONDS + 0.001)
        story.run_due()
        meanwhile()
        story.run_due()
        story.messenger.after = after

    story.messenger.before = sleeps
    return grant, claim


def dies() -> None:
    raise Died


def test_what_a_card_shows(story: Story) -> None:
    grant = dans_ask(story)
    view = story.messenger.cards_of(grant)[CHANNEL].view
    assert (view.title, view.gives) == ("Orders database, read and write", ("orders_rw on orders-db",))
    assert (view.sessions, view.needed, view.offer, view.max_length) == ("ended", 1, (), 12 * HOUR)
    longer = story.ask(DAN, length="8h").standing.grant.id
    story.run_due()
    assert story.messenger.cards_of(longer)[CHANNEL].view.offer == (HOUR, 4 * HOUR)
    story.approve(BOB, longer, HOUR)
    story.run_due()
    assert story.messenger.cards_of(longer)[dm(DAN)].view.grant.until == NINE + timedelta(hours=1)


# ---------------------------------------------------------------------------------- notes and Home tabs


def test_a_whisper_is_told_once_and_forgotten(story: Story) -> None:
    reason = because(Why.NOT_AN_APPROVER, resource="prod-db")
    for _ in range(2):
        look.owe_whisper(story.context, channel="C1", person=EVE, reason=reason, op="click-1")
    story.run_due()
    assert [(note.whisper_to, note.reason) for note in story.messenger.notes_in("C1")] == [(EVE, reason)]
    left = story.memory.read({Key.of(Note, story.messenger.notes[0].id)})
    assert left.documents == {}


def test_a_note_waits_for_slack_and_is_given_up_only_after_an_hour(story: Story) -> None:
    story.messenger.lost = {"C1"}
    look.owe_whisper(story.context, channel="C1", person=EVE, reason=because(Why.OWN_REQUEST), op="c1")
    story.pass_time(1800)
    story.messenger.lost = set()
    story.pass_time(600)
    assert len(story.messenger.notes_in("C1")) == 1
    story.messenger.lost = {"C2"}
    look.owe_whisper(story.context, channel="C2", person=EVE, reason=because(Why.OWN_REQUEST), op="c2")
    story.pass_time(2 * HOUR)
    assert "note lost" in [each.what for each in story.audit()]
    story.messenger.lost = set()
    story.pass_time(HOUR)
    assert story.messenger.notes_in("C2") == []


def test_a_home_tab_once_looked_at_is_kept_up_to_date(story: Story) -> None:
    for who in (BOB, DAN):
        look.owe_home(story.context, person=who)
    story.run_due()
    assert story.messenger.homes[BOB].waiting == ()
    grant = dans_ask(story)
    assert [each.grant.id for each in story.messenger.homes[BOB].waiting] == [grant]
    assert [each.grant.id for each in story.messenger.homes[DAN].mine] == [grant]
    story.approve(CAROL, grant)
    story.run_due()
    assert story.messenger.homes[BOB].waiting == ()
    assert story.messenger.homes[DAN].mine[0].grant.state is State.ACTIVE
    assert CAROL not in story.messenger.homes


def test_a_worker_that_slept_over_a_home_tab_leaves_no_old_one_behind(story: Story) -> None:
    look.owe_home(story.context, person=DAN)
    claim = story.claim("home")
    assert claim is not None

    def sleeps() -> None:
        story.messenger.before = lambda: None
        story.memory.advance(CLAIM_SECONDS + 0.001)
        dans_ask(story)

    story.messenger.before = sleeps
    story.do(claim)
    story.run_due()
    assert len(story.messenger.homes[DAN].mine) == 1


def test_nothing_is_told_that_is_not_done(story: Story) -> None:
    """The holder is told once the access was seen at the target, not when it was approved."""
    story.target.failing["grant"] = TemporaryFailure("down")
    grant = dans_ask(story)
    story.approve(BOB, grant)
    story.run_due()
    assert story.messenger.cards_of(grant)[CHANNEL].view.grant.state is State.APPROVED
    assert State.ACTIVE not in story.messenger.cards_of(grant)[dm(DAN)].shown
    story.target.failing.clear()
    story.pass_time(5)
    assert story.messenger.cards_of(grant)[dm(DAN)].shown[-1] is State.ACTIVE


@pytest.mark.parametrize(
    ("reason", "copied"),
    [
        (because(Why.CONFIRMED, resource="prod-db", person=ADA, state="ending"), False),
        (because(Why.CONFIRMED, resource="prod-db", person=ADA, state="ended"), False),
        (because(Why.CONFIRMED, resource="prod-db", person=ADA, state="approved"), True),
        (because(Why.CONFIRMED), True),
        (because(Why.LEFT_BY_OTHERS, person=ADA, resource="prod-db"), False),
        (because(Why.NOT_DONE), True),
    ],
)
def test_a_note_that_access_ended_says_so_with_care_while_no_replica_has_it(
    story: Story, reason: Reason, copied: bool
) -> None:
    note = Note(id="n1", channel=ADA, reason=reason)
    story.memory.commit(Change(put={Key.of(Note, note.id): note}, due=(Due(member="note:n1", at=story.now),)))
    story.memory.copying = False
    story.run_due()
    [told] = [each for each in story.messenger.notes_in(ADA) if each.id == "n1"]
    assert told.copied is copied
