"""A workspace, a pager and an observer with just enough memory to try the page on."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from bot.doubles.slack.model import ImpossibleError

Json = dict[str, Any]

ADA, BOB, CAROL, DAN, BOT = "U02ADA", "U03BOB", "U04CAROL", "U05DAN", "U0ROTAKEY"
CHANNEL = "C01DB"
SCHEDULE = "PDBPRIM"
PEOPLE: list[Json] = [
    {
        "id": ADA,
        "name": "ada",
        "real_name": "Ada Okafor",
        "title": "on call for the orders database",
        "color": "#c2410c",
    },
    {
        "id": BOB,
        "name": "bob",
        "real_name": "Bob Lindqvist",
        "title": "approver, in @dba",
        "color": "#1d6fb8",
    },
    {
        "id": CAROL,
        "name": "carol",
        "real_name": "Carol Reyes",
        "title": "approver, in @dba",
        "color": "#7c3aed",
    },
    {"id": DAN, "name": "dan", "real_name": "Dan Weiss", "title": "developer", "color": "#0f766e"},
]
COMMAND = {
    "command": "/access",
    "usage_hint": "request prod-db 4h because orders are stuck",
    "description": "Request access, see it, give it back",
}
LENGTHS = {"s": 1, "m": 60, "h": 3600}


@dataclass
class Faults:
    down: bool = False
    slow: float = 0.0
    limited: int = 0
    twice: bool = False


@dataclass(frozen=True)
class Answer:
    error: str = ""


@dataclass
class Lease:
    grant: str
    person: str
    resource: str
    until: float | None


@dataclass
class Clock:
    ahead: float = 0.0

    def now(self) -> float:
        return time.time() + self.ahead


@dataclass
class Workspace:
    """A bot that gives at once to Ada and asks in the channel for everybody else."""

    clock: Clock
    leases: list[Lease]
    on_call: set[str]
    faults: Faults = field(default_factory=Faults)
    people: list[Json] = field(default_factory=lambda: [dict(each) for each in PEOPLE])
    error: str = ""
    """What the bot answers to the next gestures: empty where it answers well."""

    def __post_init__(self) -> None:
        self.moved = threading.Condition(threading.RLock())
        self.version = 1
        self.messages: dict[str, list[Json]] = {}
        self.home_opened: list[str] = []
        self.home_blocks: list[Json] | None = None
        self.views: dict[str, Json] = {}
        self.clicks: list[tuple[Any, ...]] = []
        self.submitted: list[Json] = []
        self.commands: list[tuple[str, str, str, str]] = []
        self._last = 0

    def state(self, me: str) -> Json:
        with self.moved:
            places = [("channel", CHANNEL, "db-access"), ("dm", "D" + me[1:], "")]
            return {
                "me": me,
                "team": {"id": "T0ROTAKEY", "name": "Example Co"},
                "bot": {"id": BOT, "name": "rotakey"},
                "people": [dict(each) for each in self.people],
                "channels": [self._channel(me, *place) for place in places],
                "home": {"blocks": self.home_blocks} if self.home_blocks is not None else None,
                "view": self.views.get(me),
                "commands": [COMMAND],
                "faults": vars(self.faults).copy(),
                "version": self.version,
            }

    def wait_for_change(self, version: int, seconds: float) -> int:
        with self.moved:
            self.moved.wait_for(lambda: self.version > version, seconds)
            return self.version

    def say(self, channel: str, text: str = "", **more: Any) -> Json:
        """The bot (or `user`) says something; `only_for` makes it ephemeral."""
        with self.moved:
            self._last = max(int(self.clock.now() * 1_000_000), self._last + 1)
            said: Json = {
                "ts": f"{self._last // 1_000_000}.{self._last % 1_000_000:06d}",
                "user": BOT,
                "text": text,
                "blocks": [],
                "edited": False,
                "only_for": None,
                "command": False,
                "reply_count": 0,
                "replies": [],
                **more,
            }
            self.messages.setdefault(channel, []).append(said)
            self.touch()
            return said

    def touch(self) -> None:
        with self.moved:
            self.version += 1
            self.moved.notify_all()

    def type_command(self, user: str, channel: str, command: str, text: str = "") -> object:
        if command != COMMAND["command"]:
            raise ImpossibleError(f"{command} is not a valid command")
        self.commands.append((user, channel, command, text))
        self.say(channel, f"{command} {text}".strip(), user=user, only_for=user, command=True)
        words = text.split()
        if words[:1] != ["request"]:
            self.say(channel, f"You typed `{text}`.", only_for=user)
        elif len(words) < 3:
            self.show_view(user, request_form())
        elif user in self.on_call:
            self.give(user, words[1], words[2])
        else:
            self.say(CHANNEL, f"<@{user}> asks for {words[1]}", blocks=asking_card(user, text))
            self.say(channel, "Asked <!subteam^S01DBA|@dba> in <#C01DB>.", only_for=user)
        return None

    def click(
        self,
        user: str,
        channel: str,
        ts: str,
        action_id: str,
        block_id: str | None = None,
        value: Any = None,
    ) -> Answer:
        self.clicks.append((user, channel, ts, action_id, block_id, value))
        found = [each for each in self.messages.get(channel, []) if each["ts"] == ts]
        if not found:
            raise ImpossibleError("that message is not there")
        if action_id == "approve" and not self.error:
            person, resource, length = str(value).split()
            self.give(person, resource, length)
            found[0].update(blocks=approved_card(person, user, self.leases[-1]), edited=True)
            self.touch()
        return Answer(self.error)

    def click_home(self, user: str, action_id: str, block_id: str | None = None, value: Any = None) -> Answer:
        self.clicks.append((user, "home", action_id, block_id, value))
        return Answer(self.error)

    def click_view(self, user: str, action_id: str, block_id: str | None = None, value: Any = None) -> Answer:
        self.clicks.append((user, "view", action_id, block_id, value))
        return Answer(self.error)

    def submit_view(self, user: str, values: Json | None = None) -> Answer:
        self.submitted.append(values or {})
        if not self.error and not self.views[user]["errors"]:
            del self.views[user]
        self.touch()
        return Answer(self.error)

    def close_view(self, user: str) -> Answer:
        self.views.pop(user)
        self.touch()
        return Answer()

    def open_home(self, user: str) -> Answer:
        self.home_opened.append(user)
        return Answer()

    def show_view(self, user: str, view: Json) -> None:
        self.views[user] = view
        self.touch()

    def give(self, person: str, resource: str, length: str) -> Lease:
        seconds = int(length[:-1]) * LENGTHS[length[-1]]
        lease = Lease(f"k{len(self.leases)}f9", person, resource, self.clock.now() + seconds)
        self.leases.append(lease)
        self.say("D" + person[1:], f"You have {resource}", blocks=given_card(lease))
        return lease

    def _channel(self, me: str, kind: str, channel: str, name: str) -> Json:
        visible = [each for each in self.messages.get(channel, []) if each["only_for"] in {None, me}]
        messages = [{**each, "ephemeral": each["only_for"] is not None} for each in visible]
        return {"id": channel, "kind": kind, "name": name, "with": BOT, "messages": messages}


@dataclass
class Pager:
    clock: Clock
    on_call: set[str]
    down: bool = False

    def __post_init__(self) -> None:
        start = self.clock.now()
        self.shifts = [self._shift(ADA, start, start + 4 * 3600)]
        self.next = [self._shift(CAROL, start + 4 * 3600, start + 28 * 3600)]

    def state(self) -> Json:
        named = {"id": SCHEDULE, "name": "Orders database, primary"}
        return {"down": self.down, "schedules": [{**named, "now": self.shifts, "next": self.next}]}

    def hand_over(self, schedule: str, to: str) -> None:
        self._known(schedule)
        end = self.shifts[0]["end"]
        self._now([self._shift(to, self.clock.now(), end, override=True)])

    def start_shift(self, schedule: str, who: str, minutes: float) -> None:
        self._known(schedule)
        start = self.clock.now()
        self._now([self._shift(who, start, start + 60 * minutes, override=True)])

    def end_shift(self, schedule: str) -> None:
        self._known(schedule)
        self._now([])

    def _known(self, schedule: str) -> None:
        if schedule != SCHEDULE:
            raise ImpossibleError(f"there is no schedule {schedule}")

    def _now(self, shifts: list[Json]) -> None:
        self.shifts = shifts
        self.on_call.clear()
        self.on_call.update(each["user"] for each in shifts)

    def _shift(self, user: str, start: float, end: float, *, override: bool = False) -> Json:
        name = next(each["real_name"].split()[0] for each in PEOPLE if each["id"] == user)
        return {"user": user, "name": name, "level": 1, "start": start, "end": end, "override": override}


@dataclass
class Observer:
    """A database in which every live lease is a membership."""

    now: Clock
    given: list[Lease]
    error: str | None = None
    sessions: dict[str, int] = field(default_factory=dict)

    def clock(self) -> float:
        return self.now.now()

    def live(self) -> list[Lease]:
        return [each for each in self.given if each.until is None or each.until > self.clock()]

    def database(self) -> Json:
        names = {each["id"]: each["name"] for each in PEOPLE}
        held: dict[str, dict[str, str]] = {"orders_rw": {}, "migrator": {}}
        for lease in self.live():
            role = "orders_rw" if lease.resource == "prod-db" else "migrator"
            held[role][names[lease.person]] = "rotakey"
        roles = [
            {"role": role, "members": [{"account": who, "grantor": by} for who, by in members.items()]}
            for role, members in held.items()
        ]
        sessions = [{"account": who, "count": count} for who, count in self.sessions.items()]
        told = {"name": "orders-db", "at": self.clock(), "error": self.error}
        return {**told, "roles": [] if self.error else roles, "sessions": sessions}

    def leases(self) -> list[Json]:
        return [vars(each).copy() for each in self.live()]

    def resources(self) -> list[Json]:
        return [
            {"name": "prod-db", "title": "Orders database, read and write"},
            {"name": "schema-migration", "title": "The one who may migrate the schema"},
        ]


class World:
    """Everything the page is given, sharing one clock and one list of leases."""

    def __init__(self) -> None:
        self.clock = Clock()
        leases: list[Lease] = []
        on_call = {ADA}
        self.workspace = Workspace(self.clock, leases, on_call)
        self.pager = Pager(self.clock, on_call)
        self.observer = Observer(self.clock, leases)


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


def approved_card(person: str, by: str, lease: Lease) -> list[Json]:
    return [
        section(f":white_check_mark: *<@{person}> has {lease.resource}* until {date(lease)}"),
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


def request_form(**more: Any) -> Json:
    resources = [{"text": plain(each), "value": each} for each in ("prod-db", "schema-migration")]
    return {
        "id": "V0001",
        "hash": "h1",
        "title": plain("Request access"),
        "submit": plain("Request"),
        "close": plain("Cancel"),
        "callback_id": "request",
        "private_metadata": "",
        "errors": {},
        "blocks": [
            field_for("resource", "Resource", {"type": "static_select", "options": resources}),
            field_for(
                "length",
                "How long",
                {"type": "plain_text_input", "initial_value": "4h"},
                hint=plain("Like 10m, 4h or 1h30m; at most 12h."),
            ),
            field_for("reason", "Why", {"type": "plain_text_input", "multiline": True}),
        ],
        **more,
    }


def field_for(block_id: str, label: str, element: Json, **more: Any) -> Json:
    element = {"action_id": "it", **element}
    return {"type": "input", "block_id": block_id, "label": plain(label), "element": element, **more}
