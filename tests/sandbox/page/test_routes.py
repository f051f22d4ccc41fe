"""The page gets its files and the real state, and carries out everything that people do on it."""

import re
import threading
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bot.sandbox.page.routes import PAGE
from tests.sandbox.page.stand_in import (
    ADA,
    BOB,
    CAROL,
    CHANNEL,
    DAN,
    SCHEDULE,
    World,
    actions,
    button,
    field_for,
    request_form,
)

Json = dict[str, Any]


@pytest.fixture
def browser(world: World) -> FlaskClient:
    app = Flask(__name__)
    app.register_blueprint(world.routes())
    return app.test_client()


def state_of(browser: FlaskClient, me: str, **query: Any) -> Json:
    answer = browser.get("/sandbox/state", query_string={"me": me, **query})
    assert answer.status_code == 200
    return dict(answer.get_json())


def post(browser: FlaskClient, what: str, **body: Any) -> Json:
    answer = browser.post(f"/sandbox/{what}", json=body)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return dict(answer.get_json())


def test_the_page_loads_nothing_from_elsewhere(browser: FlaskClient) -> None:
    with browser.get("/") as page:
        text = page.get_data(as_text=True)
        assert page.content_type == "text/html; charset=utf-8"
        assert page.headers["Content-Security-Policy"].startswith("default-src 'self';")
    linked = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert "/page/main.js" in linked
    for each in linked:
        with browser.get(each) as file:
            assert file.status_code == 200, each


def test_every_part_of_the_page_finds_the_parts_it_imports() -> None:
    imported = {
        name
        for module in PAGE.glob("*.js")
        for name in re.findall(r'from "\./([^"]+)"', module.read_text(encoding="utf-8"))
    }
    assert imported | {"main.js"} == {module.name for module in PAGE.glob("*.js")}


def test_no_part_of_the_page_writes_markup_or_names_another_host() -> None:
    allowed = "http://www.w3.org/2000/svg"
    for file in PAGE.iterdir():
        text = file.read_text(encoding="utf-8").replace(allowed, "")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), file
        assert not re.search(r"https?://\w", text), file


def test_only_the_files_of_the_page_are_served(browser: FlaskClient) -> None:
    assert browser.get("/page/../routes.py").status_code == 404
    assert browser.get("/page/%2e%2e/routes.py").status_code == 404
    assert browser.get("/page/nothing.js").status_code == 404
    assert Path(PAGE.parent / "routes.py").exists()


def test_ada_sees_her_slack_and_what_is_true_beside_it(browser: FlaskClient, world: World) -> None:
    lease = world.give(ADA, "prod-db", "2m")
    state = state_of(browser, ADA)
    assert state["me"] == ADA
    assert [each["id"] for each in state["channels"]] == [CHANNEL, "D02ADA"]
    assert state["leases"] == [
        {"grant": lease.grant, "person": ADA, "resource": "prod-db", "until": lease.until}
    ]
    assert state["targets"][0]["roles"][0] == {
        "role": "orders_rw",
        "members": [{"account": "ada", "grantor": "rotakey"}],
    }
    assert state["pager"]["schedules"][0]["now"][0]["user"] == ADA
    assert state["resources"][0]["name"] == "prod-db"
    assert abs(state["clock"] - world.clock.now()) < 60


def test_a_held_look_ends_with_what_came_meanwhile(browser: FlaskClient, world: World) -> None:
    version = state_of(browser, ADA)["version"]
    looked: list[Json] = []
    look = threading.Thread(target=lambda: looked.append(state_of(browser, ADA, since=version)))
    look.start()
    world.say(CHANNEL, "Ada, you are on call.")
    look.join()
    assert looked[0]["version"] > version
    assert looked[0]["channels"][0]["messages"][0]["text"] == "Ada, you are on call."


def test_what_only_ada_sees_makes_a_channel_unread_for_nobody_else(
    browser: FlaskClient, world: World
) -> None:
    card = world.say(CHANNEL, "Dan asks for prod-db")
    world.say(CHANNEL, "/access who prod-db", user=ADA, command=True)
    world.say(CHANNEL, "/access list", user=ADA, only_for=ADA, command=True)
    whisper = world.say(CHANNEL, "You may ask for prod-db.", only_for=ADA)
    latest = state_of(browser, BOB)["latest"]
    assert latest[BOB] == {CHANNEL: card.ts}
    assert latest[ADA] == {CHANNEL: whisper.ts}
    again = world.say("D03BOB", "Somebody waits for you.")
    world.say("D03BOB", "/access approve k3f9", user=BOB)
    assert state_of(browser, ADA)["latest"][BOB] == {CHANNEL: card.ts, "D03BOB": again.ts}


def test_a_typed_line_reaches_the_bot_as_command_and_text(browser: FlaskClient, world: World) -> None:
    line = "  /access request prod-db 2m because orders are stuck "
    assert post(browser, "command", me=ADA, channel=CHANNEL, text=line) == {"ok": True}
    text = "request prod-db 2m because orders are stuck"
    assert world.commands == [(ADA, CHANNEL, "/access", text)]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("hello everybody", "Only commands work here. Type / to see them."),
        ("/acess mine", "/acess is not a valid command"),
    ],
)
def test_what_is_not_a_command_is_answered_with_a_sentence(
    browser: FlaskClient, world: World, line: str, error: str
) -> None:
    answer = post(browser, "command", me=ADA, channel=CHANNEL, text=line)
    assert answer == {"ok": False, "error": error}
    assert world.commands == []


def test_bob_presses_approve_and_dan_is_in_the_role(browser: FlaskClient, world: World) -> None:
    post(browser, "command", me=DAN, channel=CHANNEL, text="/access request prod-db 2m because x")
    card = state_of(browser, BOB)["channels"][0]["messages"][0]
    press = {"channel": CHANNEL, "ts": card["ts"], "block_id": "buttons", "action_id": "approve"}
    value = card["blocks"][2]["elements"][0]["value"]
    assert post(browser, "click", me=BOB, value=value, **press) == {"ok": True}
    assert state_of(browser, BOB)["leases"][0]["person"] == DAN
    assert world.clicks == [(BOB, CHANNEL, card["ts"], "approve", "buttons", value)]


def test_a_click_that_fails_says_why(browser: FlaskClient, world: World) -> None:
    card = world.say(CHANNEL, "a card", [actions(button("Approve", "approve", "x"))])
    press = {"me": BOB, "channel": CHANNEL, "action_id": "approve", "block_id": None, "value": "x"}
    gone = post(browser, "click", ts="1.000001", **press)
    assert gone == {"ok": False, "error": "that message is not there"}
    world.workspace.connect(None)
    lost = post(browser, "click", ts=card.ts, **press)
    assert lost == {"ok": False, "error": "dispatch_failed"}


def test_home_is_opened_and_pressed_on(browser: FlaskClient, world: World) -> None:
    post(browser, "home", me=CAROL)
    world.show_home(CAROL, actions(button("Done", "done", "k3f9")))
    post(browser, "click", me=CAROL, home=True, action_id="done", block_id="buttons", value="k3f9")
    assert world.homes_opened == [CAROL]
    assert world.clicks == [(CAROL, "home", "done", "buttons", "k3f9")]


def test_a_form_is_pressed_on_sent_and_closed(browser: FlaskClient, world: World) -> None:
    why = {"it": {"type": "plain_text_input", "value": "stuck"}}
    form = request_form()
    form["blocks"] = [
        field_for("why", "Why", {"type": "plain_text_input"}),
        actions(button("Less", "less", "1h")),
    ]
    world.show_view(DAN, form)
    post(browser, "click", me=DAN, view="V0001", action_id="less", value="1h")
    post(browser, "view", me=DAN, view_id="V0001", values={"why": why}, close=False)
    assert world.clicks == [(DAN, "modal", "less", "buttons", "1h")]
    assert world.submissions == [{"why": why}]
    world.show_view(DAN, request_form())
    post(browser, "view", me=DAN, view_id="V0001", close=True)
    assert state_of(browser, DAN)["view"] is None


def test_what_was_meant_for_another_form_is_not_taken(browser: FlaskClient, world: World) -> None:
    world.show_view(DAN, request_form(), "V0002")
    closed = {"ok": False, "error": "That dialog is no longer open."}
    assert post(browser, "view", me=DAN, view_id="V0001", values={}) == closed
    assert post(browser, "view", me=BOB, view_id="V0002", close=True) == closed
    assert post(browser, "click", me=DAN, view="V0001", action_id="it", value="x") == closed
    assert world.submissions == []
    assert world.clicks == []


def test_slack_is_broken_and_mended_one_fault_at_a_time(browser: FlaskClient, world: World) -> None:
    post(browser, "faults", down=True, slow=1.5)
    post(browser, "faults", limited=3, twice=True)
    assert state_of(browser, ADA)["faults"] == {"down": True, "slow": 1.5, "limited": 3, "twice": True}
    post(browser, "faults", down=False, twice=False)
    assert state_of(browser, ADA)["faults"] == {"down": False, "slow": 1.5, "limited": 3, "twice": False}


def test_the_shift_is_handed_over_ended_and_started(browser: FlaskClient, world: World) -> None:
    def on_call() -> list[str]:
        return [each["user"] for each in state_of(browser, ADA)["pager"]["schedules"][0]["now"]]

    post(browser, "pager", do="hand_over", schedule=SCHEDULE, to=DAN)
    assert on_call() == [DAN]
    post(browser, "pager", do="end_shift", schedule=SCHEDULE)
    assert on_call() == []
    post(browser, "pager", do="start_shift", schedule=SCHEDULE, who=CAROL, minutes=2)
    assert on_call() == [CAROL]
    post(browser, "pager", do="down", down=True)
    assert state_of(browser, ADA)["pager"]["down"] is True


def test_an_unknown_schedule_is_reported(browser: FlaskClient) -> None:
    answer = post(browser, "pager", do="end_shift", schedule="PNONE")
    assert answer == {"ok": False, "error": "no schedule PNONE"}


@pytest.mark.parametrize(
    ("what", "body", "error"),
    [
        ("command", {"channel": CHANNEL, "text": "/access"}, "me is missing"),
        ("click", {"me": BOB, "channel": CHANNEL, "action_id": "approve"}, "ts is missing"),
        ("click", {"me": BOB, "channel": CHANNEL, "ts": "1.0"}, "action_id is missing"),
        ("faults", {"slow": -1}, "slow must be a number, not negative"),
        ("faults", {"limited": True}, "limited must be a number, not negative"),
        ("pager", {"do": "explode"}, "the pager cannot explode"),
        ("pager", {"do": "hand_over", "schedule": SCHEDULE}, "to is missing"),
        ("home", ["me", ADA], "a JSON object is expected"),
    ],
)
def test_a_body_that_makes_no_sense_is_refused(
    browser: FlaskClient, world: World, what: str, body: object, error: str
) -> None:
    answer = browser.post(f"/sandbox/{what}", json=body)
    assert (answer.status_code, answer.get_json()) == (400, {"ok": False, "error": error})
    assert world.clicks == []


def test_a_form_on_somebody_elses_page_cannot_post_here(browser: FlaskClient, world: World) -> None:
    answer = browser.post("/sandbox/faults", data={"down": "true"})
    assert answer.status_code == 415
    plain = browser.post("/sandbox/faults", data='{"down": true}', content_type="text/plain")
    assert plain.status_code == 415
    assert world.workspace.faults.down is False


def test_messages_of_the_bot_come_with_its_name(browser: FlaskClient, world: World) -> None:
    world.say(CHANNEL, "Hello")
    state = state_of(browser, BOB)
    assert state["channels"][0]["messages"][0]["user"] == state["bot"]["id"] == "U0ROTAKEY"
