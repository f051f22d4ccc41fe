"""Slack, as the use-cases see it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.core.grants import LIVE, Extension, Grant, State
from bot.core.holds import Replacement
from bot.core.people import Group, Person
from bot.core.reasons import Reason
from bot.ports.deadline import Deadline
from bot.ports.documents import Home, Note, Place


class Directory(Protocol):
    """The directory of people. Its methods raise TemporaryFailure or PermanentFailure by the deadline.
    ``read_at`` is long ago in everything it returns: anyone who keeps it writes the ledger's now."""

    def home(self, deadline: Deadline) -> Home:
        """Return the workspace that the bot itself belongs to."""
        ...

    def person(self, person: str, deadline: Deadline) -> Person | None:
        """Look up a person by Slack user id; None if Slack knows nobody with that id."""
        ...

    def by_email(self, email: str, deadline: Deadline) -> Person | None:
        """Look up a person by email address; None if nobody has it."""
        ...

    def groups(self, names: Collection[str], deadline: Deadline) -> Mapping[str, Group]:
        """Look up groups by the names used in access.yaml; a group that does not exist is left out."""
        ...


@dataclass(frozen=True, kw_only=True)
class CardView:
    """Everything that a card may show. ``needed`` is the number of approvals that are still missing."""

    grant: Grant
    title: str
    gives: tuple[str, ...]
    sessions: str
    needed: int
    offer: tuple[int, ...]
    max_length: int
    kept_until: datetime | None
    terms: str = ""
    """Digest of what an approval would give; the buttons carry it."""
    extension: Extension | None = None
    """The extension that the message is about, if it is not about the grant itself."""
    extendable: bool = True
    """More time may be requested."""
    again: bool = True
    """The person may request the resource again."""
    confirmed_by: tuple[str, ...] = ()
    """``endpoint``, ``program``: only these, which are the reader's own, say that the access is there."""
    shared_with: tuple[tuple[str, datetime | None], ...] = ()
    """Once it ends: others who still have a login that is meant to be shared, and until when."""
    copied: bool = True
    """False: the card says that something ended, and replicas of Redis have not confirmed that yet."""

    @property
    def id(self) -> str:
        """Return the id of what the message shows: of the grant or the extension."""
        return self.extension.id if self.extension else self.grant.id

    @property
    def waits(self) -> bool:
        """Return whether people still have to decide."""
        if self.extension is None:
            return self.grant.state is State.ASKED
        return self.extension.answer is None and self.grant.state in LIVE


@dataclass(frozen=True, kw_only=True)
class AlertView:
    """Everything that an alert may show: what is wrong, the outcome, and the verbs of its buttons. ``length``
    is the length of the grant that adopting would make. ``over``: nothing remains to be done."""

    id: str
    reason: Reason
    became: Reason | None
    verbs: tuple[str, ...]
    length: int | None
    over: bool
    copied: bool = True
    """As in ``CardView``."""
    replacement: Replacement | None = None
    """As in ``Alert``."""


class Messenger(Protocol):
    """Messages in Slack. Its methods raise TemporaryFailure or PermanentFailure by the deadline.

    ``show`` and ``show_alert`` post if the place has no ``ts`` yet; otherwise they make the message there
    equal to the view, which is idempotent. If the answer to a post is lost, the message is posted again, and
    the first one is never updated. A place that is gone (channel archived, message deleted) is
    PermanentFailure. The two digests make no call: they name what the message says, and so differ exactly
    when ``show`` or ``show_alert`` would change it.
    """

    def show(self, view: CardView, place: Place, deadline: Deadline) -> Place: ...

    def show_alert(self, view: AlertView, place: Place, deadline: Deadline) -> Place: ...

    def card_digest(self, view: CardView, audience: str) -> str: ...

    def alert_digest(self, view: AlertView) -> str: ...

    def tell(self, note: Note, deadline: Deadline, terms: CardView | None = None) -> None:
        """Send a note and, if ``terms`` are given, the card that shows them to an approver below it."""
        ...


@dataclass(frozen=True, kw_only=True)
class AppFacts:
    """Slack's app as its bot token shows it. ``scopes`` None: Slack does not say."""

    team: str
    workspace: str
    name: str
    scopes: frozenset[str] | None


class App(Protocol):
    """The Slack app whose tokens we have. Its methods raise TemporaryFailure or PermanentFailure by the
    deadline."""

    def facts(self, deadline: Deadline) -> AppFacts: ...

    def channels(self, deadline: Deadline) -> frozenset[str] | None:
        """Return the ids, and the names with #, of the channels that the bot is in; None if it may not list
        them."""
        ...

    def socket(self, deadline: Deadline) -> None:
        """Check that Slack would open a socket for the app-level token."""
        ...
