"""What the use-cases answer: values that the Slack side turns into words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.core.catalog import Resource
from bot.core.grants import Extension, Grant
from bot.core.reasons import Reason


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A grant as it stands: ``live`` while its lease exists, ``until`` the lease's end (None: none).
    ``copied`` False: it has just ended, and replicas of Redis did not confirm that in time."""

    grant: Grant
    title: str
    live: bool
    until: datetime | None
    copied: bool = True
    extension: Extension | None = None
    """That which waits for approvers."""
    terms: str = ""
    """Digest of what an approval would give, if the reader may decide."""
    extendable: bool = True
    """More time may be requested."""

    @property
    def poll(self) -> str:
        """The id of what is to be decided."""
        return self.extension.id if self.extension else self.grant.id


@dataclass(frozen=True, kw_only=True)
class Asked:
    """``joined``: the person has it already, or the very same request was open already, and this is it."""

    standing: Standing
    joined: bool = False


@dataclass(frozen=True, kw_only=True)
class Extended:
    """``asked`` is the extension if approvers have to decide; else ``standing`` has the later end.
    ``capped``: the end is earlier than requested."""

    standing: Standing
    asked: Extension | None = None
    capped: bool = False


HELD = "held"


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A resource the person may ask for, and what asking now would come to: ``held`` by somebody else, if
    only one may have it."""

    resource: Resource
    outcome: str
    """``approve``, ``ask`` or ``held``."""
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class RevokedAll:
    """Everything was revoked from ``person``: ``ended`` grants and ``denied`` requests that waited.
    ``copied``: see ``Standing``."""

    person: str
    ended: int
    denied: int
    copied: bool


@dataclass(frozen=True, kw_only=True)
class HomeView:
    """What a person's App Home shows."""

    person: str
    mine: tuple[Standing, ...]
    waiting: tuple[Standing, ...]
    offers: tuple[Offer, ...]
