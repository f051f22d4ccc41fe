"""Cards and notes arrive in Slack, and failures to send them are reported."""

from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from slack_sdk import WebClient

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.grants import State
from bot.core.reasons import Why, because
from bot.doubles.slack import Workspace
from bot.ports.deadline import Deadline
from bot.ports.documents import Note, Place
from bot.ports.slack import AlertView
from bot.slack.api import web_api
from bot.slack.api.messenger import SlackMessenger
from bot.slack.wording.reasons import NOT_COPIED
from bot.usecases.results import HomeView
from tests.slack.conftest import BOT_TOKEN, CHANNEL, QUIET
from tests.slack.rig import listening
from tests.slack.scenes import ADA, BOB, HOUR, NOW, offer, standing, view

DENIAL = because(Why.DECIDED_ALREADY, state="denied", by_person=BOB)
TOLD = "<@U02BOB> already denied this. Nothing changed."


@pytest.fixture
def messenger(client: WebClient) -> SlackMessenger:
    return SlackMessenger(client)


def soon() -> Deadline:
    return Deadline.after(10)


def test_the_card_is_posted_once_and_then_updated(messenger: SlackMessenger, workspace: Workspace) -> None:
    posted = messenger.show(view(), Place(channel="#db-access", audience="approver"), soon())
    assert posted.channel == CHANNEL
    again = messenger.show(view(State.ACTIVE), posted, soon())
    assert (again.channel, again.ts) == (CHANNEL, posted.ts)
    (message,) = workspace.messages(CHANNEL)
    assert message.text.startswith("<@U01ADA> has *prod-db* until ")


def test_a_digest_names_what_a_message_says_and_its_buttons(messenger: SlackMessenger) -> None:
    asked = messenger.card_digest(view(), "approver")
    assert messenger.card_digest(view(asked_at=NOW - timedelta(days=1), policy="v9"), "approver") == asked
    assert messenger.card_digest(view(), "holder") != asked
    assert messenger.card_digest(view(reason="orders are late"), "approver") != asked
    assert messenger.card_digest(view(offer=()), "approver") != asked


def test_a_digest_of_an_alert_names_what_it_says(messenger: SlackMessenger) -> None:
    stray = AlertView(
        id="A7QX",
        reason=because(Why.TARGET_UNSWEPT, target="orders-db", error="away"),
        became=None,
        verbs=(),
        length=None,
        over=False,
    )
    said = messenger.alert_digest(stray)
    assert messenger.alert_digest(replace(stray, length=4 * HOUR)) == said
    assert messenger.alert_digest(replace(stray, verbs=("try_now",))) != said
    assert messenger.alert_digest(replace(stray, became=because(Why.EXPIRED))) != said


def test_adas_card_is_in_her_direct_messages(messenger: SlackMessenger, workspace: Workspace) -> None:
    posted = messenger.show(view(State.ACTIVE), Place(channel=ADA, audience="holder"), soon())
    assert posted.channel.startswith("D")
    messenger.show(view(State.ENDED), posted, soon())
    (message,) = workspace.dm(ADA)
    assert message.text.startswith("Your *prod-db* ended ")


def test_slack_is_told_to_unfurl_nothing(messenger: SlackMessenger, workspace: Workspace) -> None:
    messenger.show(view(), Place(channel=CHANNEL, audience="approver"), soon())
    arguments = workspace.calls[-1].args
    assert (arguments["unfurl_links"], arguments["unfurl_media"]) == (False, False)


def test_a_note_in_a_channel_and_a_direct_message(messenger: SlackMessenger, workspace: Workspace) -> None:
    messenger.tell(Note(id="n1", channel=CHANNEL, reason=because(Why.EXPIRED)), soon())
    messenger.tell(Note(id="n2", channel=ADA, reason=DENIAL), soon())
    assert [message.text for message in workspace.messages(CHANNEL)] == ["Time is up."]
    assert [message.text for message in workspace.dm(ADA)] == [TOLD]


def test_a_note_below_a_message_is_shown_in_the_channel_too(
    messenger: SlackMessenger, workspace: Workspace
) -> None:
    first = messenger.show(view(), Place(channel=CHANNEL, audience="approver"), soon())
    note = Note(id="n1", channel=CHANNEL, reason=because(Why.EXPIRED), thread=first.ts)
    messenger.tell(note, soon())
    (_, reply) = workspace.messages(CHANNEL)
    assert (reply.thread_ts, reply.broadcast) == (first.ts, True)
    shown = next(each for each in workspace.state(ADA)["channels"] if each["id"] == CHANNEL)
    assert [each["reply_count"] for each in shown["messages"]] == [1, 0]


def test_a_whisper_is_for_one_person_only(messenger: SlackMessenger, workspace: Workspace) -> None:
    messenger.tell(Note(id="n1", channel=CHANNEL, reason=DENIAL, whisper_to=ADA), soon())
    assert workspace.messages(CHANNEL) == []
    assert [message.text for message in workspace.ephemerals(ADA)] == [TOLD]


def test_a_whisper_where_the_bot_is_not_goes_to_the_dm(
    messenger: SlackMessenger, workspace: Workspace
) -> None:
    messenger.tell(Note(id="n1", channel=QUIET, reason=DENIAL, whisper_to=ADA), soon())
    assert [message.text for message in workspace.dm(ADA)] == [TOLD]


def test_a_shift_that_did_not_start_can_be_asked_for(messenger: SlackMessenger, workspace: Workspace) -> None:
    reason = because(Why.SHIFT_NOT_STARTED, resource="prod-db", schedule="pagerduty/PDB")
    messenger.tell(Note(id="n1", channel=ADA, reason=reason), soon())
    (message,) = workspace.dm(ADA)
    assert message.text == (
        "Your shift for *prod-db* may have started, but I granted nothing: the roster of pagerduty/PDB is "
        "too old. Until it is read again: `/access request prod-db`."
    )
    assert message.blocks[1]["elements"][0]["action_id"] == "request"


def test_the_home_tab_is_published(messenger: SlackMessenger, workspace: Workspace) -> None:
    messenger.publish(HomeView(person=ADA, mine=(standing(),), waiting=(), offers=(offer(),)), soon())
    shown = workspace.home(ADA)
    assert shown is not None
    assert shown.blocks[0]["text"]["text"] == "What you have"


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        (
            Place(channel="C0NOWHERE", audience="approver"),
            "Slack's chat.postMessage answered channel_not_found: "
            "invite the bot there, or name another channel in access.yaml",
        ),
        (
            Place(channel=CHANNEL, audience="approver", ts="1.000001"),
            "Slack's chat.update answered message_not_found: the message was deleted",
        ),
    ],
)
def test_a_place_that_is_not_there_is_permanent(
    messenger: SlackMessenger, place: Place, sentence: str
) -> None:
    with pytest.raises(PermanentFailure) as caught:
        messenger.show(view(), place, soon())
    assert str(caught.value) == sentence


def test_a_wrong_token_names_the_setting(client: WebClient) -> None:
    stranger = SlackMessenger(WebClient(token="xoxb-wrong", base_url=client.base_url))
    with pytest.raises(PermanentFailure, match="invalid_auth: check SLACK_BOT_TOKEN"):
        stranger.show(view(), Place(channel=CHANNEL, audience="approver"), soon())


def test_a_limit_says_how_long_to_wait(messenger: SlackMessenger, workspace: Workspace) -> None:
    workspace.faults.limited = 1
    with pytest.raises(TemporaryFailure) as caught:
        messenger.show(view(), Place(channel=CHANNEL, audience="approver"), soon())
    assert caught.value.retry_after == 1.0
    assert len(workspace.calls) == 1


@pytest.mark.parametrize("fault", ["down", "refusing", "lost_replies"])
def test_an_outage_is_temporary_and_nothing_is_posted_twice(
    messenger: SlackMessenger, workspace: Workspace, fault: str
) -> None:
    setattr(workspace.faults, fault, 1)
    with pytest.raises(TemporaryFailure):
        messenger.show(view(), Place(channel=CHANNEL, audience="approver"), soon())
    assert len(workspace.calls) == 1


def test_an_answer_that_is_late_is_not_waited_for(messenger: SlackMessenger, workspace: Workspace) -> None:
    workspace.faults.slow = 30
    with pytest.raises(TemporaryFailure, match="did not answer in time"):
        messenger.show(view(), Place(channel=CHANNEL, audience="approver"), Deadline.after(0.2))


def test_the_same_is_said_if_the_socket_gives_up_first(
    messenger: SlackMessenger, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_api, "within", lambda _deadline, _what, call: call())
    workspace.faults.slow = 30
    with pytest.raises(TemporaryFailure, match="did not answer in time"):
        messenger.show(view(), Place(channel=CHANNEL, audience="approver"), Deadline.after(0.2))


def test_what_is_too_late_is_not_sent(messenger: SlackMessenger, workspace: Workspace) -> None:
    with pytest.raises(TemporaryFailure):
        messenger.show(view(), Place(channel=CHANNEL, audience="approver"), Deadline.after(-1))
    assert workspace.calls == []


def test_nobody_listens(client: WebClient) -> None:
    nowhere = SlackMessenger(WebClient(token=BOT_TOKEN, base_url="http://127.0.0.1:1/api/"))
    with pytest.raises(TemporaryFailure, match=r"chat\.postMessage did not answer"):
        nowhere.show(view(), Place(channel=CHANNEL, audience="approver"), soon())


def test_certificates_are_not_read_for_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_again() -> None:
        raise AssertionError

    monkeypatch.setattr(ssl, "_create_default_https_context", read_again)
    messenger = SlackMessenger(WebClient(token=BOT_TOKEN, base_url="https://127.0.0.1:1/api/"))
    with pytest.raises(TemporaryFailure):
        messenger.tell(Note(id="N1", channel=ADA, reason=DENIAL), soon())


def test_an_answer_that_is_not_slacks_is_temporary() -> None:
    site = Flask("proxy")
    site.add_url_rule("/api/<method>", view_func=lambda method: "<html>sign in</html>", methods=["POST"])
    with listening(site) as url:
        behind = SlackMessenger(WebClient(token=BOT_TOKEN, base_url=f"{url}/api/"))
        with pytest.raises(TemporaryFailure, match="answered 200"):
            behind.show(view(), Place(channel=CHANNEL, audience="approver"), soon())


def test_a_note_that_says_that_access_is_gone_says_if_no_replica_has_that_yet(
    messenger: SlackMessenger, workspace: Workspace
) -> None:
    reason = because(Why.ENDED_AGAIN, person=ADA, resource="prod-db", ended_at=0, grant="g1")
    messenger.tell(Note(id="n1", channel="#db-access", reason=reason, copied=False), soon())
    (message,) = workspace.messages(CHANNEL)
    assert message.text.endswith(f"so I ended it again (g1). {NOT_COPIED}")
