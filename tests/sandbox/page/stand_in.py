"""A real workspace and pager to try the page on, a bot of a few lines, and a stand-in for what the targets
and Redis show."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Blueprint, request

from bot.doubles.pagerduty import Pager
from bot.doubles.slack.model import Channel, Json, Message, Person, View
from bot.doubles.slack.shapes import with_ids
from bot.doubles.slack.workspace import Workspace
from bot.sandbox.page.observer import Observer
from bot.sandbox.page.pager_controls import PagerControls
from bot.sandbox.page.routes import page_routes
from bot.slack.api.manifest import manifest
from tests.doubles.slack.tiny_bot import served

ADA, BOB, CAROL, DAN = "U02ADA", "U03BOB", "U04CAROL", "U05DAN"
CHANNEL = "C01DB"
SCHEDULE = "PDBPRIM"
PEOPLE = (
    Person(id=ADA, name="ada", real_name="Ada Okafor", title="on call for the orders database"),
    Person(id=BOB, name="bob", real_name="Bob Lindqvist", title="approver, in @dba"),
    Person(id=CAROL, name="carol", real_name="Carol Reyes", title="approver, in @dba"),
    Person(id=DAN, name="dan", real_name="Dan Weiss", title="developer"),
)
ROLES = {"prod-db": "orders_rw", "schema-migration": "migrator", "deploy-admin": "admin"}
LENGTHS = {"s": 1, "m": 60, "h": 3600}


@dataclass
class Clock:
    ahead: float = 0.0

    def now(self) -> float:
        return time.time() + self.ahead


@dataclass
class Lease:
    grant: str
    person: str
    resource: str
    until: float | None


class StandInObserver(Observer):
    """A database and an endpoint in which every live lease is a membership."""

    def __init__(self, now: Clock) -> None:
        self._now = now
        self.given: list[Lease] = []
        self.error: str | None = None
        self.sessions: dict[str, int] = {}

    def clock(self) -> float:
        return self._now.now()

    def live(self) -> list[Lease]:
        return [each for each in self.given if each.until is None or each.until > self.clock()]

    def targets(self) -> list[Json]:
        names = {each.id: each.name for each in PEOPLE}
        members: dict[str, list[Json]] = {"orders_rw": [], "migrator": [], "admin": []}
        for lease in self.live():
            members[ROLES[lease.resource]].append({"account": names[lease.person], "grantor": "rotakey"})
        roles = [{"role": role, "members": accounts} for role, accounts in members.items()]
        sessions = [{"account": account, "count": count} for account, count in self.sessions.items()]
        orders_db = {
            "name": "orders-db",
            "kind": "postgres",
            "at": self.clock(),
            "error": self.error,
            "roles": [] if self.error else roles[:2],
            "sessions": sessions,
        }
        deploy_hook = {
            "name": "deploy-hook",
            "kind": "webhook",
            "at": self.clock(),
            "error": None,
            "roles": roles[2:],
            "sessions": [],
        }
        return [orders_db, deploy_hook]

    def leases(self) -> list[Json]:
        return [vars(each).copy() for each in self.live()]

    def resources(self) -> list[Json]:
        return [
            _resource("prod-db", "Orders database, read and write"),
            _resource("schema-migration", "The one who may migrate the schema"),
            _resource("deploy-admin", "Administration of the deploy service"),
        ]


def _resource(name: str, title: str) -> Json:
    target = "deploy-hook" if name == "deploy-admin" else "orders-db"
    return {"name": name, "title": title, "gives": [{"target": target, "role": ROLES[name]}]}


class World:
    """All that the page is given, by one clock. The bot gives at once to people on call, and asks in the
    channel for everybody else; ``commands``, ``clicks``, ``submissions`` and ``homes_opened`` are what Slack
    sent to it."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.observer = StandInObserver(self.clock)
        self.commands: list[tuple[str, ...]] = []
        self.clicks: list[tuple[Any, ...]] = []
        self.submissions: list[Json] = []
        self.homes_opened: list[str] = []
        self.workspace = Workspace(
            manifest(),
            bot_token="xoxb-page",
            signing_secret="of the page",
            app_token="xapp-page",
            clock=self.clock.now,
        )
        self.pager = Pager(token="of the page")
        self.controls = PagerControls(self.pager, folder / "pager.json", self._date)
        for person in PEOPLE:
            self.workspace.add_person(person)
            first = person.real_name.split()[0]
            self.pager.add_user(f"P{first.upper()}", first, f"{person.name}@example.com", slack=person.id)
        members = (*(each.id for each in PEOPLE), self.workspace.app.user_id)
        self.workspace.add_channel(Channel(id=CHANNEL, name="db-access", members=members))
        self.pager.add_schedule(SCHEDULE, "Orders database, primary")
        start, end = self._date(), self._date() + timedelta(hours=4)
        self.pager.add_shift(SCHEDULE, ADA, start, end)
        self.pager.add_shift(SCHEDULE, CAROL, end, end + timedelta(days=1))

    def _date(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now(), UTC)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Let the bot hear what people do in Slack."""
        with served(self.hear) as self.url:
            self.workspace.connect(self.url)
            yield
        self.workspace.close()

    def routes(self) -> Blueprint:
        return page_routes(self.workspace, self.controls, self.observer)

    def shifts(self) -> list[Json]:
        [schedule] = self.controls.state()["schedules"]
        now: list[Json] = schedule["now"]
        return now

    # ------------------------------------------------------------------------------------ the bot

    def hear(self) -> Json | str:
        if request.is_json:
            event = request.get_json()["event"]
            if event["type"] == "app_home_opened":
                self.homes_opened.append(event["user"])
            return ""
        if "payload" not in request.form:
            return self._answer(
                *(request.form[each] for each in ("user_id", "channel_id", "command", "text"))
            )
        payload = json.loads(request.form["payload"])
        if payload["type"] == "view_submission":
            self.submissions.append(payload["view"]["state"]["values"])
            return ""
        [action], user = payload["actions"], payload["user"]["id"]
        container = payload["container"]
        place = (
            (container["channel_id"], container["message_ts"])
            if "channel_id" in container
            else (payload["view"]["type"],)
        )
        self.clicks.append((user, *place, action["action_id"], action["block_id"], _choice(action)))
        if action["action_id"] == "approve":
            lease = self.give(*action["value"].split())
            message = self.workspace.memory.message(*place)
            assert message
            self.edit(message, approved_card(user, lease))
        return ""

    def _answer(self, user: str, channel: str, command: str, text: str) -> Json | str:
        self.commands.append((user, channel, command, text))
        words = text.split()
        if words[:1] != ["request"]:
            return {"text": f"You typed `{text}`."}
        if user in [each["user"] for each in self.shifts()]:
            self.give(user, words[1], words[2])
            return ""
        self.say(CHANNEL, f"<@{user}> asks for {words[1]}", blocks=asking_card(user, text))
        return {"text": f"Asked <!subteam^S01DBA|@dba> in <#{CHANNEL}>."}

    def give(self, person: str, resource: str, length: str) -> Lease:
        seconds = int(length[:-1]) * LENGTHS[length[-1]]
        lease = Lease(f"k{len(self.observer.given)}f9", person, resource, self.clock.now() + seconds)
        self.observer.given.append(lease)
        self.say("D" + person[1:], f"You have {resource}", blocks=given_card(lease))
        return lease

    def say(self, channel: str, text: str = "", blocks: list[Json] | None = None, **more: Any) -> Message:
        """Say something as the bot or another ``user``, though Slack's API might refuse such blocks."""
        memory = self.workspace.memory
        whole: Json = {"user": self.workspace.app.user_id, "blocks": with_ids(blocks or []), **more}
        message = Message(ts=memory.new_ts(), channel=channel, text=text, **whole)
        memory.put(message)
        return message

    def edit(self, message: Message, blocks: list[Json]) -> None:
        memory = self.workspace.memory
        memory.put(replace(message, blocks=with_ids(blocks), edited_ts=memory.new_ts()))

    def show_view(self, user: str, form: Json, view_id: str = "V0001", **errors: str) -> None:
        """Open a form instead of any other, or change the one with this id; ``errors`` are by block."""
        version = str(self.workspace.version)
        view = View(id=view_id, user=user, given=form, hash=version, root_id=view_id, errors=errors)
        with self.workspace.memory.change():
            self.workspace.memory.modals[user] = [view]

    def show_home(self, user: str, *blocks: Json) -> None:
        given = {"type": "home", "blocks": with_ids(list(blocks))}
        self.workspace.memory.put_view(View(id="V0HOME", user=user, given=given, hash="h1", root_id="V0HOME"))


def _choice(action: Json) -> Any:
    """Return what was pressed or chosen."""
    match action:
        case {"selected_option": {"value": value}}:
            return value
        case {"selected_options": options}:
            return [each["value"] for each in options]
    return next(action[each] for each in ("value", "selected_user", "selected_date_time") if each in action)


# ----------------------------------------------------------------------------------------- Block Kit


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text, "emoji": True}


def section(text: str, **more: Any) -> Json:
    return {"type": "section", "block_id": "words", "text": mrkdwn(text), **more}


def context(text: str) -> Json:
    return {"type": "context", "block_id": "context", "elements": [mrkdwn(text)]}


def button(text: str, action_id: str, value: str, **more: Any) -> Json:
    return {"type": "button", "action_id": action_id, "text": plain(text), "value": value, **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "block_id": "buttons", "elements": list(elements)}


def asking_card(person: str, text: str) -> list[Json]:
    _, resource, length, *reason = text.split()
    words = " ".join(reason).removeprefix("because ")
    return [
        section(f":key: *<@{person}> asks for {resource}* for {length}\n&gt; {words}"),
        context("Approvers: <!subteam^S01DBA|@dba> · orders_rw at orders-db · rule: ask people"),
        actions(
            button("Approve", "approve", f"{person} {resource} {length}", style="primary"),
            button("Deny", "deny", "d1", style="danger", confirm=sure()),
            {
                "type": "static_select",
                "action_id": "approve_shorter",
                "placeholder": plain("Approve for less"),
                "options": [
                    {"text": plain("1 hour"), "value": "1h"},
                    {"text": plain("10 s"), "value": "10s"},
                ],
            },
        ),
    ]


def approved_card(by: str, lease: Lease) -> list[Json]:
    return [
        section(f":white_check_mark: *<@{lease.person}> has {lease.resource}* until {date(lease)}"),
        context(f"Approved by <@{by}> · orders_rw at orders-db, seen there"),
    ]


def given_card(lease: Lease) -> list[Json]:
    return [
        section(f":key: *You have {lease.resource}* until {date(lease)}, orders_rw at orders-db."),
        context("You are on call: `pagerduty/PDBPRIM` level 1, roster read 12 s ago"),
        actions(button("Extend", "extend", lease.grant), button("Done", "done", lease.grant)),
    ]


def date(lease: Lease) -> str:
    return f"<!date^{int(lease.until or 0)}^{{date_short_pretty}} {{time_secs}}|later>"


def sure() -> Json:
    return {
        "title": plain("Deny this?"),
        "text": mrkdwn("They will be told."),
        "confirm": plain("Deny"),
        "deny": plain("Not yet"),
        "style": "danger",
    }


def request_form(*blocks: Json, title: str = "Request access") -> Json:
    resources = [{"text": plain(each), "value": each} for each in ("prod-db", "schema-migration")]
    return {
        "type": "modal",
        "title": plain(title),
        "submit": plain("Request"),
        "close": plain("Cancel"),
        "callback_id": "request",
        "private_metadata": "",
        "blocks": [
            field_for("resource", "Resource", {"type": "static_select", "options": resources}),
            field_for(
                "length",
                "How long",
                {"type": "plain_text_input", "initial_value": "4h"},
                hint=plain("Like 10m, 4h or 1h30m; at most 12h."),
            ),
            field_for("reason", "Why", {"type": "plain_text_input", "multiline": True}),
            *blocks,
        ],
    }


def field_for(block_id: str, label: str, element: Json, **more: Any) -> Json:
    element = {"action_id": "it", **element}
    return {"type": "input", "block_id": block_id, "label": plain(label), "element": element, **more}
