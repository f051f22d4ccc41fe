"""Answers of the use-cases: values that the Slack side turns into words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.core.catalog import Resource
from bot.core.grants import Extension, Grant
from bot.core.reasons import Reason


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A grant as it stands: ``live`` while its lease exists, ``until`` the end of the lease or, without one,
    of the grant (None: no end). ``copied`` False: it has just ended, and replicas of Redis did not confirm
    that in time."""

    grant: Grant
    title: str
    live: bool
    until: datetime | None
    copied: bool = True
    extension: Extension | None = None
    """The extension that waits for approvers."""
    terms: str = ""
    """Digest of what an approval would give, if the reader may decide."""
    extendable: bool = True
    """More time may be requested."""

    @property
    def poll(self) -> str:
        """Return the id of what is to be decided."""
        return self.extension.id if self.extension else self.grant.id


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The answer to a request. ``joined``: the person has the resource already, or the very same request was
    open already, and ``standing`` is that one."""

    standing: Standing
    joined: bool = False


@dataclass(frozen=True, kw_only=True)
class Extended:
    """The answer to a request for more time. ``asked`` is the extension if approvers have to decide;
    otherwise ``standing`` has the later end. ``capped``: the end is earlier than requested."""

    standing: Standing
    asked: Extension | None = None
    capped: bool = False


HELD = "held"


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A resource that the person may request, and what requesting it now would come to: ``held`` if only one
    may have it and somebody else does."""

    resource: Resource
    outcome: str
    """``approve``, ``ask`` or ``held``."""
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class RevokedAll:
    """The outcome of revoking everything from ``person``: ``ended`` counts grants, ``denied`` requests that
    waited. ``copied``: see ``Standing``."""

    person: str
    ended: int
    denied: int
    copied: bool


@dataclass(frozen=True, kw_only=True)
class HomeView:
    """The content of a person's App Home."""

    person: str
    mine: tuple[Standing, ...]
    waiting: tuple[Standing, ...]
    offers: tuple[Offer, ...]
