"""Slack in memory: people and groups, cards and alerts by place, notes and Home tabs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.grants import State
from bot.core.people import Group, Person
from bot.ports.deadline import Deadline
from bot.ports.documents import Home, Note, Place
from bot.ports.slack import AlertView, CardView
from bot.slack.api.messenger import message_digest
from bot.slack.views.alerts import alert
from bot.slack.views.cards import card
from bot.testing.cast import GROUP, NAMES, TEAM, dba, person
from bot.usecases.results import HomeView

AWAY = "Slack does not answer"


class FakeDirectory:
    """A directory of people. Implements Directory. ``away``: nothing answers. People and groups can be
    changed at any time."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.people: dict[str, Person] = {each: person(each) for each in NAMES}
        self.members: dict[str, Group] = {GROUP: dba()}
        self.away = False
        self.lookups: list[str] = []

    def home(self, deadline: Deadline) -> Home:
        self._answer("home", deadline)
        return Home(team=TEAM, enterprise=None, bot_user="U00BOT")

    def person(self, person: str, deadline: Deadline) -> Person | None:
        self._answer(person, deadline)
        found = self.people.get(person)
        return replace(found, read_at=self.now()) if found else None

    def by_email(self, email: str, deadline: Deadline) -> Person | None:
        self._answer(email, deadline)
        found = next((p for p in self.people.values() if p.email == email and not p.deactivated), None)
        return replace(found, read_at=self.now()) if found else None

    def groups(self, names: Collection[str], deadline: Deadline) -> Mapping[str, Group]:
        self._answer("groups", deadline)
        return {n: replace(self.members[n], read_at=self.now()) for n in names if n in self.members}

    def change(self, who: str, **changes: object) -> None:
        self.people[who] = replace(self.people[who], **changes)  # type: ignore[arg-type]  # any field

    def _answer(self, what: str, deadline: Deadline) -> None:
        self.lookups.append(what)
        if self.away or deadline.is_over:
            raise TemporaryFailure(AWAY)


@dataclass(frozen=True, kw_only=True)
class Message:
    """A card in its place: what it shows now, and all states it has shown."""

    view: CardView
    audience: str
    shown: tuple[State, ...]


class FakeMessenger:
    """Messages in memory. Implements Messenger and Publisher. ``away``: nothing answers; ``busy``: channels
    for which nothing answers. Posting to a place in ``lost``, or changing a message there, fails for good. A
    DM is named by its person, with ``D`` for ``U``."""

    def __init__(self) -> None:
        self.cards: dict[tuple[str, str], Message] = {}
        self.alerts: dict[tuple[str, str], AlertView] = {}
        self.notes: list[Note] = []
        self.terms: list[tuple[str, CardView]] = []
        self.homes: dict[str, HomeView] = {}
        self.away = False
        self.lost: set[str] = set()
        self.busy: set[str] = set()
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None
        self._ts = count(1)

    def show(self, view: CardView, place: Place, deadline: Deadline) -> Place:
        self._answer(place.channel, deadline)
        channel = _channel(place.channel)
        ts = place.ts or f"{next(self._ts)}.0"
        old = self.cards.get((channel, ts))
        if place.ts and old is None:
            raise PermanentFailure("message_not_found")
        shown = (*(old.shown if old else ()), view.grant.state)
        self.cards[(channel, ts)] = Message(view=view, audience=place.audience, shown=shown)
        self.after()
        return replace(place, channel=channel, ts=ts)

    def show_alert(self, view: AlertView, place: Place, deadline: Deadline) -> Place:
        self._answer(place.channel, deadline)
        channel = _channel(place.channel)
        ts = place.ts or f"{next(self._ts)}.0"
        if place.ts and (channel, ts) not in self.alerts:
            raise PermanentFailure("message_not_found")
        self.alerts[(channel, ts)] = view
        self.after()
        return replace(place, channel=channel, ts=ts)

    def card_digest(self, view: CardView, audience: str) -> str:
        return message_digest(card(view, audience))

    def alert_digest(self, view: AlertView) -> str:
        return message_digest(alert(view))

    def tell(self, note: Note, deadline: Deadline, terms: CardView | None = None) -> None:
        self._answer(note.channel, deadline)
        self.notes.append(note)
        if terms:
            self.terms.append((note.whisper_to or note.channel, terms))
        self.after()

    def publish(self, home: HomeView, deadline: Deadline) -> None:
        self._answer(home.person, deadline)
        self.homes[home.person] = home
        self.after()

    # ------------------------------------------------------------------------- for those who watch

    def cards_of(self, grant: str, audience: str | None = None) -> dict[str, Message]:
        """Return the cards of a grant, by channel; a channel with two of them is a mistake."""
        found = [
            (channel, message)
            for (channel, _), message in self.cards.items()
            if message.view.id == grant and audience in (None, message.audience)
        ]
        if len({channel for channel, _ in found}) != len(found):
            raise AssertionError(f"two cards of one grant in one place: {[c for c, _ in found]}")
        return dict(found)

    def alerts_in(self, channel: str) -> list[AlertView]:
        """Return the alerts there as they are shown now, the first posted first."""
        return [view for (where, _), view in self.alerts.items() if where == _channel(channel)]

    def notes_in(self, channel: str) -> list[Note]:
        return [note for note in self.notes if _channel(note.channel) == _channel(channel)]

    def _answer(self, channel: str, deadline: Deadline) -> None:
        self.before()
        if self.away or deadline.is_over or channel in self.busy:
            raise TemporaryFailure(AWAY)
        if channel in self.lost or _channel(channel) in self.lost:
            raise PermanentFailure("is_archived")


def _channel(name: str) -> str:
    if name.startswith("#"):
        return f"C{name[1:].upper()}"
    return f"D{name[1:]}" if name.startswith("U") else name


def dm(who: str) -> str:
    """Return the channel of the DM with a person."""
    return _channel(who)
