"""Alerts in Slack: what they show, what their buttons do, and which clicks count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bot.core.catalog import Named, SecurityRules
from bot.core.errors import PermanentFailure
from bot.core.grants import Grant, HoldState, State
from bot.core.holds import Hold, HoldRecord, Phase, Replacement
from bot.core.reasons import Reason, Why, because
from bot.core.strays import Stray, StrayState
from bot.doubles.slack import Server, Workspace
from bot.doubles.slack.model import Message
from bot.ports.deadline import Deadline
from bot.ports.documents import Alert, Key, Place, Strays, TargetSystems
from bot.ports.slack import AlertView
from bot.slack.views.alerts import alert
from bot.usecases.notifications.alerts import alert_view
from tests.slack import scenes
from tests.slack.conftest import CHANNEL, EVE, GINA, QUIET
from tests.slack.rig import GIVES, Rig, rig
from tests.slack.scenes import ADA, AT_SIX, AT_TEN, BOB, CAROL, EVIL, HOUR, NOW, TEN, pressable, texts
from tests.slack.scenes import slack_takes as takes

HERS = Hold(target="orders-db", account="ada@example.com", entitlement=GIVES[0])
STRAY = because(Why.STRAY, account=HERS.account, what=str(HERS.entitlement), person=ADA)
VERBS = ("adopt", "remove", "leave")
WISHES = ("try_now", "removed")
COPIED = "This card is a copy or an old one. Please use the one I posted, or `/access mine`."


def view(reason: Reason = STRAY, **changes: Any) -> AlertView:
    made = AlertView(id="A7QX", reason=reason, became=None, verbs=(), length=4 * HOUR, over=False)
    return replace(made, **changes)


# ---------------------------------------------------------------------------------------- what it shows


def test_a_stray_is_asked_about() -> None:
    text, blocks = alert(view(verbs=VERBS))
    assert text == (
        "⚠️ <@U01ADA>'s account ada@example.com has orders_rw on orders-db. I granted that once, and no "
        "grant accounts for it now."
    )
    assert texts(blocks) == [text]
    assert pressable(blocks) == [
        ("adopt", "Adopt as a 4 h grant"),
        ("remove", "Remove"),
        ("leave", "Leave"),
    ]
    assert {each["value"] for each in blocks[-1]["elements"]} == {"A7QX"}
    assert takes(blocks)


def test_the_system_that_answers_can_be_called_the_same_and_the_button_says_which() -> None:
    other = Replacement(target="orders-db", earlier=("7001", "7002"), system="7123")
    overdue = because(Why.OVERDUE, person=ADA, resource="prod-db")
    text, blocks = alert(view(overdue, verbs=(*WISHES, "same_system"), replacement=other))
    assert texts(blocks) == [
        text,
        "orders-db now answers as 7123, but the access was granted at 7001 and 7002. If it is the same "
        "system, upgraded or restored, security people can say so.",
    ]
    values = {each["action_id"]: each["value"] for each in blocks[-1]["elements"]}
    assert values == {"try_now": "A7QX", "removed": "A7QX", "same_system": f"A7QX {other.digest}"}
    assert pressable(blocks)[-1] == ("same_system", "It's the same system")
    assert takes(blocks)
    others = (replace(other, target="7"), replace(other, system="7"), replace(other, earlier=("7001",)))
    assert len({each.digest for each in (other, *others)}) == 4


def test_what_is_overdue_can_be_tried_now_or_was_removed() -> None:
    _, blocks = alert(view(because(Why.OVERDUE, person=ADA, resource="prod-db"), verbs=WISHES))
    assert pressable(blocks) == [("try_now", "Retry now"), ("removed", "I removed it by hand")]
    assert takes(blocks)


def test_what_is_being_done_stands_below_and_what_was_done_on_top() -> None:
    taking = because(Why.STRAY_TAKING, by_person=BOB)
    text, blocks = alert(view(became=taking))
    assert texts(blocks)[1] == "<@U02BOB> chose to remove it. I'm revoking it now."
    assert text.startswith("⚠️ <@U01ADA>'s account ada@example.com")
    taken = because(Why.STRAY_TAKEN, gone_at=int(NOW.timestamp()), by_person=BOB)
    text, blocks = alert(view(became=taken, over=True))
    assert text == f"✅ Revoked {AT_SIX}, as <@U02BOB> decided."
    assert texts(blocks)[1] == (
        "This was about: <@U01ADA>'s account ada@example.com has orders_rw on orders-db. I granted that "
        "once, and no grant accounts for it now."
    )
    assert pressable(blocks) == []


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (
            because(Why.STRAY, account="svc", what="orders_rw on orders-db"),
            "⚠️ svc has orders_rw on orders-db. I granted that once, and no grant accounts for it now. I "
            "can't tell whose account it is.",
        ),
        (
            because(Why.STRAY_FORGOTTEN, account="ada", what="orders_rw on orders-db", person=ADA),
            "⚠️ <@U01ADA>'s account ada has orders_rw on orders-db. I granted that, and no grant accounts "
            "for it now. Redis came back with older data, so there may have been one.",
        ),
        (
            because(Why.STRAYS_MANY, target="orders-db", count=40, held=50, most=10),
            "🚨 No grant accounts for 40 of the 50 entitlements that I granted at orders-db. I don't revoke "
            "that many without asking: I ask about 10 at a time; `rotakey doctor` lists them all. If Redis "
            "was restored or emptied, this is why.",
        ),
        (because(Why.STRAY_TAKING), "I'm revoking it now, as the policy says."),
        (
            because(Why.STRAY_STUCK, trouble="orders-db is down"),
            "🚨 I couldn't revoke it yet: orders-db is down. I keep trying.",
        ),
        (
            because(Why.STRAY_GONE, gone_at=int(NOW.timestamp())),
            f"Somebody else removed it; it was gone {AT_SIX}.",
        ),
        (because(Why.STRAY_EXPLAINED), "A grant accounts for it now."),
        (
            because(
                Why.STRAY_ADOPTED,
                by_person=BOB,
                person=ADA,
                resource="prod-db",
                until_at=int(TEN.timestamp()),
            ),
            f"<@U02BOB> made it a grant: <@U01ADA> has *prod-db* until {AT_TEN}.",
        ),
        (
            because(Why.STRAY_LEFT, by_person=BOB),
            "<@U02BOB> left it as it is. I'll ask again only if it goes away and comes back.",
        ),
        (
            because(
                Why.OVERDUE,
                person=ADA,
                resource="prod-db",
                since_at=int(NOW.timestamp()),
                trouble="orders-db is down",
            ),
            f"🚨 <@U01ADA>'s *prod-db* has been overdue since {AT_SIX}. I couldn't revoke it: orders-db is "
            "down. I keep trying; please remove it by hand if you can.",
        ),
        (
            because(
                Why.OVERDUE_AGAIN,
                person=ADA,
                resource="prod-db",
                late_s=2 * HOUR,
                trouble="orders-db is down",
            ),
            "🚨 <@U01ADA>'s *prod-db* is still overdue, for 2 hours now: orders-db is down.",
        ),
        (because(Why.OVERDUE_TRYING, by_person=BOB), "<@U02BOB> asked me to retry. I'm retrying now."),
        (
            because(Why.OVERDUE_STILL, by_person=BOB, trouble="orders-db is down"),
            "I retried, as <@U02BOB> asked, but it is not gone: orders-db is down.",
        ),
        (
            because(Why.OVERDUE_CHECKING, by_person=BOB),
            "<@U02BOB> says that it was removed by hand. I'm checking now.",
        ),
        (
            because(Why.OVERDUE_UNCONFIRMED, by_person=BOB, trouble="orders-db still shows it"),
            "<@U02BOB> says that it was removed by hand, but I can't confirm that: orders-db still shows it.",
        ),
        (
            because(
                Why.OVERDUE_GONE,
                gone_at=int(NOW.timestamp()),
                late_s=2 * HOUR + 600,
                person=ADA,
                resource="prod-db",
            ),
            f"<@U01ADA>'s *prod-db* ended {AT_SIX}, 2 h 10 min late.",
        ),
        (
            because(Why.OVERDUE_MANY, count=200),
            "🚨 200 grants are overdue: their access should be gone, but I couldn't revoke it. I keep "
            "trying; `rotakey doctor` shows what is in the way.",
        ),
        (because(Why.OVERDUE_FEW, count=3), "Most of what was overdue is gone. Grants still overdue: 3."),
        (
            because(Why.OVERDUE_KEPT, late_s=HOUR, person=ADA, resource="prod-db"),
            "<@U01ADA>'s *prod-db* is no longer overdue, after 1 hour: another of their grants needs the "
            "access.",
        ),
        (
            because(Why.TARGET_UNSWEPT, target="orders-db"),
            "orders-db is no longer in access.yaml, so I don't look there any more.",
        ),
    ],
)
def test_sentences_in_full(reason: Reason, text: str) -> None:
    assert texts(alert(view(reason))[1]) == [text]


@pytest.mark.parametrize("over", [False, True])
def test_slack_takes_it_whatever_is_in_it(over: bool) -> None:
    evil = because(Why.STRAY, account=EVIL, what=EVIL, person=EVIL)
    stuck = because(Why.STRAY_STUCK, trouble=EVIL, by_person=EVIL)
    text, blocks = alert(view(evil, became=stuck, over=over, verbs=VERBS, length=10**9))
    assert takes(blocks)
    assert "<!channel>" not in text
    assert "<@U1>" not in text


# ------------------------------------------------------------------------------------------- its buttons


@pytest.fixture
def it(workspace: Workspace, server: Server) -> Iterator[Rig]:
    with rig(workspace, server) as made:
        yield made


@pytest.fixture
def asked(it: Rig) -> Message:
    """Ask in the channel about what Ada has."""
    return posted(it, CHANNEL)


def posted(it: Rig, *channels: str) -> Message:
    """Post the alert as the worker does."""
    made = Alert(
        id="A7QX",
        reason=STRAY,
        hold=HERS,
        asks=True,
        verbs=VERBS,
        person=ADA,
        resource="prod-db",
        length=4 * HOUR,
    )
    wanted = [Place(channel=channel, audience="approver") for channel in channels]
    places = tuple(it.messenger.show_alert(alert_view(made), each, Deadline.after(10)) for each in wanted)
    stray = Stray(hold=HERS, since=NOW, state=StrayState.OPEN, alert=made.id)
    strays = Strays(at=NOW, found={HERS.key: stray})
    it.puts({Key.of(Alert, made.id): replace(made, places=places), Key.of(Strays, "orders-db"): strays})
    message = it.workspace.memory.message(places[0].channel, str(places[0].ts))
    assert message is not None
    return message


def became(it: Rig) -> Reason | None:
    found = it.context.alert("A7QX")
    assert found
    return found.became


def test_it_is_posted_once_and_then_updated(it: Rig, asked: Message) -> None:
    assert pressable(asked.blocks) == [
        ("adopt", "Adopt as a 4 h grant"),
        ("remove", "Remove"),
        ("leave", "Leave"),
    ]
    made = it.context.alert("A7QX")
    assert made
    left = replace(made, became=because(Why.STRAY_LEFT, by_person=BOB), verbs=(), over_at=NOW)
    it.messenger.show_alert(alert_view(left), made.places[0], Deadline.after(10))
    (message,) = it.workspace.messages(CHANNEL)
    assert message.text.startswith("✅ <@U02BOB> left it as it is.")


def test_bob_adopts_it(it: Rig, asked: Message) -> None:
    assert it.workspace.click(BOB, CHANNEL, asked.ts, "adopt").ok
    assert (it.grant().person, it.grant().resource) == (ADA, "prod-db")
    assert it.whispers() == []


def test_bob_removes_it(it: Rig, asked: Message) -> None:
    assert it.workspace.click(BOB, CHANNEL, asked.ts, "remove").ok
    record = it.ledger.read({Key.of(HoldRecord, HERS.key)}).find(HoldRecord, HERS.key)
    assert record
    assert record.phase is Phase.GIVEN
    assert became(it) == because(Why.STRAY_TAKING, by_person=BOB)


def test_bob_leaves_it(it: Rig, asked: Message) -> None:
    assert it.workspace.click(BOB, CHANNEL, asked.ts, "leave").ok
    assert became(it) == because(Why.STRAY_LEFT, by_person=BOB)


def test_a_click_delivered_twice_is_one(it: Rig, asked: Message) -> None:
    it.workspace.faults.twice = True
    it.workspace.click(BOB, CHANNEL, asked.ts, "adopt")
    assert len(it.grants()) == 1
    assert it.whispers() == []


def test_the_second_to_click_is_told_who_was_first(it: Rig, asked: Message) -> None:
    it.workspace.click(BOB, CHANNEL, asked.ts, "leave")
    assert it.workspace.click(CAROL, CHANNEL, asked.ts, "remove").ok
    assert it.whispers() == [(CHANNEL, Why.ALERT_SETTLED, CAROL)]
    assert became(it) == because(Why.STRAY_LEFT, by_person=BOB)


@pytest.mark.parametrize("verb", VERBS)
def test_who_is_no_approver_is_told_so(it: Rig, asked: Message, verb: str) -> None:
    assert it.workspace.click(ADA, CHANNEL, asked.ts, verb).ok
    assert it.whispers() == [(CHANNEL, Why.NOT_AN_APPROVER, ADA)]


@pytest.mark.parametrize("verb", VERBS)
def test_eve_from_another_company_cannot_click(it: Rig, asked: Message, verb: str) -> None:
    assert it.workspace.click(EVE, CHANNEL, asked.ts, verb).ok
    assert it.whispers() == [(CHANNEL, Why.PERSON_EXTERNAL, EVE)]
    assert became(it) is None


@pytest.mark.parametrize("verb", VERBS)
def test_a_copied_alert_does_nothing(it: Rig, asked: Message, verb: str) -> None:
    copy = it.messenger._client.chat_postMessage(channel=CHANNEL, text="copy", blocks=asked.blocks)
    assert it.workspace.click(BOB, CHANNEL, copy["ts"], verb).ok
    assert (became(it), it.grants()) == (None, ())
    assert said_in_a_window(it, BOB) == COPIED


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("value", ["", "A7QX", "G0unknown", "prod-db"])
def test_buttons_made_by_somebody_else_do_nothing(it: Rig, asked: Message, verb: str, value: str) -> None:
    button = {
        "type": "button",
        "action_id": verb,
        "value": value or "-",
        "text": {"type": "plain_text", "text": "Remove"},
    }
    block = {"type": "actions", "elements": [button]}
    forged = it.messenger._client.chat_postMessage(channel=CHANNEL, text="x", blocks=[block])
    assert it.workspace.click(BOB, CHANNEL, forged["ts"], verb).ok
    assert (became(it), it.grants()) == (None, ())
    assert said_in_a_window(it, BOB) == COPIED


@pytest.mark.parametrize("verb", VERBS)
def test_what_only_the_clicker_sees_is_no_place_for_an_alert(it: Rig, asked: Message, verb: str) -> None:
    answer = it.messenger._client.chat_postEphemeral(channel=CHANNEL, user=BOB, text="x", blocks=asked.blocks)
    assert it.workspace.click(BOB, CHANNEL, answer["message_ts"], verb).ok
    assert (became(it), it.grants()) == (None, ())


def test_an_alert_that_is_forgotten_answers_all_the_same(it: Rig, asked: Message) -> None:
    it.puts({Key.of(Alert, "A7QX"): None})
    assert it.workspace.click(BOB, CHANNEL, asked.ts, "remove").ok
    assert said_in_a_window(it, BOB) == COPIED


@pytest.mark.parametrize("verb", ["approve", "deny", "extend", "done", "ask_again"])
def test_a_cards_verb_on_an_alert_does_nothing(it: Rig, asked: Message, verb: str) -> None:
    block = {
        "type": "actions",
        "elements": [
            {
                "type": "button",
                "action_id": verb,
                "value": "A7QX",
                "text": {"type": "plain_text", "text": "x"},
            }
        ],
    }
    made = it.context.alert("A7QX")
    assert made
    it.messenger._client.chat_update(channel=CHANNEL, ts=asked.ts, text="x", blocks=[block])
    assert it.workspace.click(BOB, CHANNEL, asked.ts, verb).ok
    assert said_in_a_window(it, BOB) == COPIED


def test_in_direct_messages_it_works_as_well(it: Rig) -> None:
    message = posted(it, BOB, CAROL)
    assert it.workspace.click(BOB, message.channel, message.ts, "leave").ok
    assert became(it) == because(Why.STRAY_LEFT, by_person=BOB)


def test_while_redis_is_down_a_click_is_told_in_a_window(it: Rig, asked: Message) -> None:
    it.ledger.down = True
    assert it.workspace.click(BOB, CHANNEL, asked.ts, "remove").ok
    assert said_in_a_window(it, BOB).startswith("I can't record anything right now")


def test_a_place_that_is_not_there_is_permanent(it: Rig) -> None:
    with pytest.raises(PermanentFailure, match="invite the bot there"):
        posted(it, QUIET)


# ------------------------------------------------------------------------------------ what is overdue


@pytest.fixture
def late(it: Rig) -> Message:
    """Make Ada's access overdue, and tell the security channel."""
    grant = replace(
        scenes.grant(State.ENDING),
        gives=(HERS,),
        holds={HERS.key: HoldState.GIVEN},
        overdue_since=NOW,
        trouble="orders-db is down",
    )
    made = Alert(
        id=grant.id,
        reason=because(Why.OVERDUE, person=ADA, resource="prod-db", since_at=int(NOW.timestamp())),
        grant=grant.id,
        resource="prod-db",
        asks=True,
        verbs=WISHES,
        told_at=NOW,
    )
    wanted = Place(channel=CHANNEL, audience="approver")
    place = it.messenger.show_alert(alert_view(made), wanted, Deadline.after(10))
    record = HoldRecord(hold=HERS, phase=Phase.TAKING, failures=5)
    it.puts(
        {
            Key.of(Grant, grant.id): grant,
            Key.of(Alert, made.id): replace(made, places=(place,)),
            Key.of(HoldRecord, HERS.key): record,
        }
    )
    message = it.workspace.memory.message(place.channel, str(place.ts))
    assert message is not None
    return message


def wished(it: Rig) -> tuple[str | None, bool]:
    record = it.ledger.read({Key.of(HoldRecord, HERS.key)}).find(HoldRecord, HERS.key)
    assert record
    return record.wished_by, record.by_hand


@pytest.mark.parametrize(("verb", "by_hand"), [("try_now", False), ("removed", True)])
def test_any_of_us_may_have_it_tried(it: Rig, late: Message, verb: str, by_hand: bool) -> None:
    assert it.workspace.click(BOB, CHANNEL, late.ts, verb).ok
    assert wished(it) == (BOB, by_hand)
    assert "hold:" + HERS.key in [each.member for each in it.ledger.claim(9, 9, {}).claims]
    assert it.whispers() == []


@pytest.mark.parametrize("verb", WISHES)
def test_neither_strangers_nor_guests_may(it: Rig, late: Message, verb: str) -> None:
    it.workspace.invite(CHANNEL, GINA)
    for who in (EVE, GINA):
        assert it.workspace.click(who, CHANNEL, late.ts, verb).ok
    assert it.whispers() == [(CHANNEL, Why.PERSON_EXTERNAL, EVE), (CHANNEL, Why.PERSON_GUEST, GINA)]
    assert wished(it) == (None, False)


def test_it_is_called_the_same_system_by_a_click_on_what_was_shown(it: Rig, late: Message) -> None:
    """The alert has moved on to a third system, but this message has not yet."""
    first, second = (Replacement(target="orders-db", earlier=("7001",), system=each) for each in "23")
    found = it.context.alert("G7QX")
    assert found
    people = SecurityRules(people=(Named(person=BOB),))
    it.enacts(replace(it.context.catalog(), security=people, version="v2"))
    for other, shown in ((first, Why.SYSTEM_CHANGED), (second, None)):
        known = replace(found, verbs=(*WISHES, "same_system"), replacement=other)
        it.messenger.show_alert(alert_view(known), known.places[0], Deadline.after(10))
        it.puts({Key.of(Alert, found.id): replace(known, replacement=second)})
        assert it.workspace.click(BOB, CHANNEL, late.ts, "same_system").ok
        systems = it.ledger.read({Key.of(TargetSystems)}).find(TargetSystems)
        if shown:
            assert (it.whispers(), systems) == ([(CHANNEL, shown, BOB)], None)
        else:
            assert systems
            assert systems.accepted == (replace(second, by=BOB),)


@pytest.mark.parametrize("verb", WISHES)
def test_a_copy_does_nothing(it: Rig, late: Message, verb: str) -> None:
    copy = it.messenger._client.chat_postMessage(channel=CHANNEL, text="copy", blocks=late.blocks)
    assert it.workspace.click(BOB, CHANNEL, copy["ts"], verb).ok
    assert wished(it) == (None, False)
    assert said_in_a_window(it, BOB) == COPIED


@pytest.mark.parametrize("verb", WISHES)
def test_who_clicks_when_it_is_gone_is_told_so(it: Rig, late: Message, verb: str) -> None:
    grant = scenes.grant(State.ENDED)
    it.puts({Key.of(Grant, grant.id): grant})
    assert it.workspace.click(BOB, CHANNEL, late.ts, verb).ok
    assert it.whispers() == [(CHANNEL, Why.ALERT_SETTLED, BOB)]


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_overdue_is_no_stray(it: Rig, late: Message, verb: str) -> None:
    name = it.context.alert(scenes.grant().id)
    assert name
    button = {
        "type": "button",
        "action_id": verb,
        "value": name.id,
        "text": {"type": "plain_text", "text": "x"},
    }
    blocks = [{"type": "actions", "elements": [button]}]
    it.messenger._client.chat_update(channel=CHANNEL, ts=late.ts, text="x", blocks=blocks)
    assert it.workspace.click(BOB, CHANNEL, late.ts, verb).ok
    assert it.whispers() == [(CHANNEL, Why.ALERT_SETTLED, BOB)]


def said_in_a_window(it: Rig, who: str) -> str:
    shown = it.workspace.view(who)
    assert shown is not None
    return str(shown.blocks[0]["text"]["text"])
