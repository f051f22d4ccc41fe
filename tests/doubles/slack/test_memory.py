"""The simulated workspace keeps its state over a restart, and reports each change."""

import json
import threading
import urllib.request
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from slack_sdk import WebClient
from werkzeug.wrappers import Request, Response

from bot.doubles.slack import Channel, Person, Workspace, serve
from bot.doubles.snapshots import UnreadableError
from bot.testing.polling import until
from tests.doubles.slack.tiny_bot import (
    ADA,
    APP_TOKEN,
    BOB,
    BOT_TOKEN,
    CARD,
    CAROL,
    CHANNEL,
    FORM,
    MANIFEST,
    SIGNING_SECRET,
    inhabited,
)

SAVED = Path(__file__).with_name("workspace.json")


def lived_in(workspace: Workspace) -> str:
    """Return the ts of a card, in a workspace that also has a private message, a Home tab and a form."""
    server = serve(workspace)
    client = WebClient(token=BOT_TOKEN, base_url=server.api_url)
    card = client.chat_postMessage(channel=CHANNEL, text="Ada asks", blocks=CARD)["ts"]
    client.chat_postMessage(channel=CHANNEL, text="Bob approved", thread_ts=card)
    client.chat_postEphemeral(channel=CHANNEL, user=ADA, text="psst")
    client.views_publish(user_id=ADA, view={"type": "home", "blocks": CARD})
    client.views_open(trigger_id=workspace.tokens.trigger(ADA), view=FORM)
    server.close()
    return str(card)


def test_a_second_start_finds_everything_again(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "workspace.json"
    first = inhabited()
    first.keep_in(file)
    card = lived_in(first)
    first.deactivate(BOB)
    first.set_group("S01DBA", (CAROL,))
    first.close()

    second = inhabited()
    second.keep_in(file)
    second.invite(CHANNEL, CAROL)
    state = second.state(ADA)
    was = first.state(ADA)
    assert state["channels"] == was["channels"]
    assert (state["home"], state["view"]) == (was["home"], was["view"])
    assert state["people"] == was["people"]
    assert state["version"] > was["version"]
    assert second.memory.groups["S01DBA"].users == (CAROL,)
    assert second.memory.channels[CHANNEL].members == (ADA, BOB, "U0ROTAKEY", CAROL)

    assert float(lived_in(second)) > float(card)
    second.close()


def test_each_change_is_on_disk_soon_and_whole(tmp_path: Path) -> None:
    file = tmp_path / "workspace.json"
    workspace = inhabited()
    workspace.keep_in(file)
    lived_in(workspace)

    until(lambda: file.exists() and "Bob approved" in file.read_text(encoding="utf-8"))
    assert json.loads(file.read_text(encoding="utf-8"))["people"]
    assert [each.name for each in tmp_path.iterdir()] == ["workspace.json"]
    workspace.close()


def test_saved_by_hand_and_loaded_elsewhere(tmp_path: Path) -> None:
    first = inhabited()
    lived_in(first)
    first.save(tmp_path / "copy.json")

    second = inhabited()
    second.load(tmp_path / "copy.json")
    assert second.messages(CHANNEL) == first.messages(CHANNEL)
    assert second.ephemerals(ADA) == first.ephemerals(ADA)


def test_a_file_of_the_first_version_is_read(tmp_path: Path) -> None:
    workspace = inhabited()
    workspace.load(SAVED)

    saved = json.loads(SAVED.read_text(encoding="utf-8"))
    memory = workspace.memory
    assert [asdict(each) for each in memory.people.values()] == saved["people"]
    assert memory.people["U09EVE"].real_name == "Eve 🦊"
    assert [c.members for c in memory.channels.values()] == [
        tuple(each["members"]) for each in saved["channels"]
    ]
    assert memory.groups["S01DBA"].users == (BOB,)
    said = [m for channel in memory.messages.values() for m in channel.values()]
    assert [asdict(each) for each in said] == saved["messages"]
    assert asdict(memory.homes[ADA]) == saved["homes"][0]
    assert [asdict(each) for each in memory.modals[ADA]] == saved["modals"]
    assert memory.version > saved["version"]
    assert memory.new_id("V") == "V0000000006"

    workspace.save(tmp_path / "again.json")
    again = json.loads((tmp_path / "again.json").read_text(encoding="utf-8"))
    assert {**again, "version": saved["version"], "last_id": saved["last_id"]} == saved


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "Invalid JSON"),
        ('{"version": 1', "Invalid JSON"),
        ('{"people": [{"id": 7}]}', "version: Field required"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_nothing_is_forgotten(
    tmp_path: Path, text: str, where: str
) -> None:
    file = tmp_path / "workspace.json"
    file.write_text(text)
    workspace = inhabited()
    with pytest.raises(UnreadableError) as caught:
        workspace.keep_in(file)
    workspace.close()
    assert str(caught.value).startswith(f"{file} cannot be read: {where}")
    assert file.read_text() == text
    assert ADA in workspace.memory.people


def test_half_of_a_character_is_no_reason_to_forget_everything(tmp_path: Path) -> None:
    first, second = inhabited(), inhabited()
    first.add_person(Person(id="U09EVE", name="eve", real_name="Eve \ud83e"))
    first.save(tmp_path / "copy.json")
    second.load(tmp_path / "copy.json")
    assert second.memory.people["U09EVE"].real_name == "Eve ?"


def test_timestamps_rise_though_the_clock_stands_still() -> None:
    workspace = inhabited(clock=lambda: 1_763_719_200.0)
    given = [workspace.memory.new_ts() for _ in range(1000)]

    assert given[0] == "1763719200.000000"
    assert len(set(given)) == 1000
    assert given == sorted(given)


def test_secrets_are_not_shown() -> None:
    shown = repr(inhabited().app)
    assert "T0ROTAKEY" in shown
    assert not any(secret in shown for secret in (BOT_TOKEN, SIGNING_SECRET, APP_TOKEN))


def test_who_waits_for_a_change_is_told_at_once() -> None:
    workspace = inhabited()
    seen: list[int] = []
    before = workspace.version
    waiting = threading.Thread(target=lambda: seen.append(workspace.wait_for_change(before, 30)))
    waiting.start()
    workspace.set_group("S01DBA", (ADA,))
    waiting.join(10)

    assert seen == [before + 1]
    assert workspace.wait_for_change(before + 1, 0.01) == before + 1


def test_adding_what_is_there_changes_nothing() -> None:
    workspace = inhabited()
    workspace.deactivate(BOB)
    workspace.add_person(replace(workspace.memory.people[BOB], deleted=False))
    workspace.add_channel(Channel(id=CHANNEL, name="renamed", members=(CAROL,)))

    assert workspace.memory.people[BOB].deleted
    assert workspace.memory.channels[CHANNEL].members == (ADA, BOB, "U0ROTAKEY", CAROL)


def test_what_the_page_is_given() -> None:
    workspace = inhabited()
    state = workspace.state(ADA)

    assert (state["me"], state["team"]) == (ADA, {"id": "T0ROTAKEY", "name": "Example Co"})
    assert state["bot"] == {"id": "U0ROTAKEY", "name": "rotakey"}
    assert [each["id"] for each in state["people"]] == [ADA, BOB, CAROL]
    assert [(c["id"], c["name"], c["kind"]) for c in state["channels"]] == [
        (CHANNEL, "db-access", "channel"),
        ("D02ADA", "", "dm"),
    ]
    assert state["channels"][1]["with"] == "U0ROTAKEY"
    assert (state["home"], state["view"]) == (None, None)
    declared = MANIFEST["features"]["slash_commands"][0]
    assert state["commands"] == [
        {
            "command": "/access",
            "usage_hint": declared["usage_hint"],
            "description": declared["description"],
        }
    ]
    assert json.loads(json.dumps(state)) == state
    assert [c["id"] for c in workspace.state(CAROL)["channels"]] == ["D04CAROL"]


def test_a_page_of_ones_own_is_served_beside_it() -> None:
    workspace = inhabited()

    @Request.application
    def page(request: Request) -> Response:
        return Response(f"the page at {request.path}")

    server = serve(workspace, beside=page)
    with urllib.request.urlopen(server.url + "/sandbox/state") as answer:
        assert answer.read() == b"the page at /sandbox/state"
    assert WebClient(token=BOT_TOKEN, base_url=server.api_url).auth_test()["ok"]
    server.close()
