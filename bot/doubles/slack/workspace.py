"""A small Slack workspace with memory: its people, its channels, and one installed app."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.doubles.slack import screen
from bot.doubles.slack.api import Api
from bot.doubles.slack.app import App
from bot.doubles.slack.delivery import Delivery
from bot.doubles.slack.faults import Faults
from bot.doubles.slack.gestures import Gestures
from bot.doubles.slack.memory import SNAPSHOT, Memory, dm_id
from bot.doubles.slack.model import (
    SLACKBOT,
    Call,
    Channel,
    CommandReply,
    Group,
    ImpossibleError,
    Json,
    Message,
    Person,
    Reply,
    Team,
    View,
)
from bot.doubles.slack.payloads import Payloads
from bot.doubles.slack.responses import Responses
from bot.doubles.slack.shapes import user as user_object
from bot.doubles.slack.shelf import Shelf
from bot.doubles.slack.sockets import Sockets
from bot.doubles.slack.tokens import Tokens
from bot.doubles.slack.views import Views
from bot.doubles.snapshots import read_snapshot, write_snapshot


class Workspace:
    """The workspace. Gestures raise ImpossibleError if Slack's own window would not offer them."""

    def __init__(
        self,
        manifest: Json,
        *,
        bot_token: str,
        signing_secret: str,
        app_token: str,
        team: Team | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.app = App(
            manifest=manifest,
            bot_token=bot_token,
            signing_secret=signing_secret,
            app_token=app_token,
            team=team or Team(),
        )
        self.url = "http://127.0.0.1"
        """The address where it is served: response URLs begin with it."""
        self.memory = Memory(clock, self.app.user_id)
        self.faults = Faults(changed=self.memory.touch)
        self.sockets = Sockets(self.app.app_id, self.faults)
        self._shelf: Shelf | None = None
        self._assemble(clock)
        self.add_person(Person(id=self.app.user_id, name=self.app.name, is_bot=True))
        self.add_person(Person(id=SLACKBOT, name="slackbot", real_name="Slackbot"))

    def add_person(self, person: Person) -> None:
        self.memory.meet(person)

    def add_channel(self, channel: Channel) -> None:
        self.memory.add_channel(channel)

    def add_group(self, group: Group) -> None:
        with self.memory.change():
            self.memory.groups.setdefault(group.id, group)

    def set_group(self, group: str, users: tuple[str, ...]) -> None:
        with self.memory.change():
            self.memory.groups[group] = replace(self.memory.groups[group], users=users)

    def invite(self, channel: str, user: str) -> None:
        self.add_channel(replace(self.memory.channels[channel], members=(user,)))

    def deactivate(self, user: str) -> Reply:
        return self.alter(user, deleted=True)

    def alter(self, user: str, **changes: Any) -> Reply:
        """Change something about a person, and tell the bot."""
        with self.memory.change():
            altered = self.memory.people[user] = replace(self.memory.people[user], **changes)
        return self.tell({"type": "user_change", "user": user_object(altered, self.app)})

    def connect(self, events_url: str | None) -> None:
        """Set the address where the bot listens by HTTP; while a socket is connected that is used instead."""
        self._delivery.events_url = events_url

    def type_command(self, user: str, channel: str, command: str, text: str = "") -> CommandReply:
        return self._gestures.type_command(user, channel, command, text)

    def click(
        self,
        user: str,
        channel: str,
        ts: str,
        action_id: str,
        block_id: str | None = None,
        value: Any = None,
    ) -> Reply:
        """Click an element. If several buttons have one action id, `value` says which. In a menu it is the
        choice."""
        return self._gestures.click(user, channel, ts, action_id, block_id, value)

    def click_home(self, user: str, action_id: str, block_id: str | None = None, value: Any = None) -> Reply:
        home = _there(self.home(user))
        return self._gestures.click_in_view(home, action_id, block_id, value)

    def click_view(self, user: str, action_id: str, block_id: str | None = None, value: Any = None) -> Reply:
        view = _there(self.view(user))
        return self._gestures.click_in_view(view, action_id, block_id, value)

    def submit_view(self, user: str, values: dict[str, dict[str, Any]] | None = None) -> Reply:
        """Submit the top view. Values are by block id and action id: a text, an option's value, a list, or a
        whole state."""
        return self._gestures.submit(_there(self.view(user)), values or {})

    def close_view(self, user: str) -> Reply:
        return self._gestures.close(_there(self.view(user)))

    def open_home(self, user: str) -> Reply:
        return self._gestures.open_home(user)

    def tell(self, event: Json) -> Reply:
        """Send an event, `{"type": "team_join", …}`, if the manifest subscribes to its type."""
        return self._gestures.tell(event)

    def messages(self, channel: str) -> list[Message]:
        """Return what everybody in the channel sees, oldest first, replies in threads included."""
        return [each for each in self.memory.in_channel(channel) if each.only_for is None]

    def dm(self, user: str) -> list[Message]:
        return self.messages(dm_id(user))

    def ephemerals(self, user: str) -> list[Message]:
        """Return what only this person sees, in all channels, without their own typed commands."""
        with self.memory.moved:
            every = [m for each in self.memory.messages.values() for m in each.values()]
        mine = [m for m in every if m.only_for == user and not m.command]
        return sorted(mine, key=lambda message: message.ts)

    def home(self, user: str) -> View | None:
        return self.memory.homes.get(user)

    def view(self, user: str) -> View | None:
        """Return the modal on top."""
        stack = self.memory.modals.get(user)
        return stack[-1] if stack else None

    @property
    def calls(self) -> list[Call]:
        return list(self.api.calls)

    def state(self, me: str) -> Json:
        return screen.seen_by(me, self.app, self.memory, self.faults)

    @property
    def version(self) -> int:
        return self.memory.version

    def wait_for_change(self, version: int, seconds: float) -> int:
        """Return as soon as the version is above this one, or when the time is over."""
        return self.memory.wait_for_change(version, seconds)

    def save(self, path: Path) -> None:
        write_snapshot(path, SNAPSHOT, self.memory.snapshot())

    def load(self, path: Path) -> None:
        """Load what was saved. Raise UnreadableError if it cannot be read."""
        self.memory.restore(read_snapshot(path, SNAPSHOT))

    def keep_in(self, path: Path) -> None:
        """Load what is there, and from now on write each change."""
        if path.exists():
            self.load(path)
        self._shelf = Shelf(self.memory, path)

    def close(self) -> None:
        self.api.stop()
        self._delivery.close()
        self.sockets.close()
        if self._shelf:
            self._shelf.close()

    def _assemble(self, clock: Callable[[], float]) -> None:
        tokens = self.tokens = Tokens(clock)
        views = Views(self.memory, self.app, tokens)
        self.responses = Responses(self.app, self.memory, tokens)
        self.api = Api(self.app, self.memory, self.faults, views, self.sockets.open)
        self._delivery = Delivery(self.app, self.faults, clock, self.sockets.send)
        self._gestures = Gestures(
            app=self.app,
            memory=self.memory,
            tokens=tokens,
            views=views,
            delivery=self._delivery,
            payloads=Payloads(self.app, self.memory),
            responses=self.responses,
            response_url=lambda token: f"{self.url}/respond/{token}",
        )


def _there(view: View | None) -> View:
    if view is None:
        raise ImpossibleError("nothing is open there")
    return view
