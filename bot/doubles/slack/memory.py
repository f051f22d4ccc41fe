"""The workspace's memory, behind one lock; each change raises the version."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from bot.doubles.slack.model import SLACKBOT, Channel, Group, Json, Message, Person, View
from bot.doubles.watchable import Watchable


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything that is saved."""

    version: int
    last_ts: int
    last_id: int
    people: list[Person]
    channels: list[Channel]
    groups: list[Group]
    messages: list[Message]
    homes: list[View]
    modals: list[View]


SNAPSHOT = TypeAdapter(Snapshot)


class Memory(Watchable):
    """The memory. Values inside are frozen: they are replaced under `change()`, never altered."""

    def __init__(self, clock: Callable[[], float], bot: str) -> None:
        super().__init__()
        self.clock = clock
        self.bot = bot
        self.people: dict[str, Person] = {}
        self.channels: dict[str, Channel] = {}
        self.groups: dict[str, Group] = {}
        self.messages: dict[str, dict[str, Message]] = {}
        self.homes: dict[str, View] = {}
        self.modals: dict[str, list[View]] = {}
        self.chosen: dict[tuple[str, str], dict[str, Json]] = {}
        self._last_ts = 0
        self._last_id = 0

    def new_ts(self) -> str:
        """Return a new ts, unique and rising in the whole workspace, hence in each channel."""
        with self.moved:
            self._last_ts = max(int(self.clock() * 1_000_000), self._last_ts + 1)
            return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def new_id(self, letter: str) -> str:
        with self.moved:
            self._last_id += 1
            return f"{letter}{self._last_id:010X}"

    def meet(self, person: Person) -> None:
        """Add a person and their DM. A person who is already known stays as remembered."""
        with self.change():
            self.people.setdefault(person.id, person)
            if not person.is_bot and person.id != SLACKBOT:
                members = (person.id, self.bot)
                dm = Channel(id=dm_id(person.id), name="", members=members, dm_with=person.id)
                self.channels.setdefault(dm.id, dm)

    def add_channel(self, channel: Channel) -> None:
        """Add a channel. If it is already known, the new members join it."""
        with self.change():
            known = self.channels.get(channel.id)
            if known:
                members = tuple(dict.fromkeys((*known.members, *channel.members)))
                channel = replace(known, members=members)
            self.channels[channel.id] = channel

    def put(self, message: Message) -> None:
        with self.change():
            self.messages.setdefault(message.channel, {})[message.ts] = message

    def drop(self, message: Message) -> None:
        with self.change():
            self.messages.get(message.channel, {}).pop(message.ts, None)

    def message(self, channel: str, ts: str) -> Message | None:
        with self.moved:
            return self.messages.get(channel, {}).get(ts)

    def in_channel(self, channel: str) -> list[Message]:
        with self.moved:
            return list(self.messages.get(channel, {}).values())

    def open_view(self, view_id: str) -> View | None:
        with self.moved:
            views = [*self.homes.values(), *(v for stack in self.modals.values() for v in stack)]
            return next((view for view in views if view.id == view_id), None)

    def put_view(self, view: View) -> None:
        """Replace the view of the same id wherever it is shown; a closed one stays closed."""
        with self.change():
            if view.given.get("type") == "home":
                self.homes[view.user] = view
                return
            stack = self.modals.get(view.user, [])
            self.modals[view.user] = [view if v.id == view.id else v for v in stack]

    def snapshot(self) -> Snapshot:
        with self.moved:
            return Snapshot(
                version=self.version,
                last_ts=self._last_ts,
                last_id=self._last_id,
                people=list(self.people.values()),
                channels=list(self.channels.values()),
                groups=list(self.groups.values()),
                messages=[message for each in self.messages.values() for message in each.values()],
                homes=list(self.homes.values()),
                modals=[view for stack in self.modals.values() for view in stack],
            )

    def restore(self, saved: Snapshot) -> None:
        with self.change():
            self.version = max(self.version, saved.version)
            self._last_ts, self._last_id = saved.last_ts, saved.last_id
            self.people = {each.id: each for each in saved.people}
            self.channels = {each.id: each for each in saved.channels}
            self.groups = {each.id: each for each in saved.groups}
            self.homes = {each.user: each for each in saved.homes}
            self.messages, self.modals = {}, {}
            for message in saved.messages:
                self.messages.setdefault(message.channel, {})[message.ts] = message
            for view in saved.modals:
                self.modals.setdefault(view.user, []).append(view)


def dm_id(user: str) -> str:
    return "D" + user[1:]
