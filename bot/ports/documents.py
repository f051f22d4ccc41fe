"""Documents of the ledger, besides those of the domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import TypeVar

from bot.core.ages import age
from bot.core.audit.chain import GENESIS
from bot.core.catalog import Entitlement
from bot.core.document import Document
from bot.core.holds import Hold, Replacement, System
from bot.core.reasons import Reason
from bot.core.strays import Stray


@dataclass(frozen=True, kw_only=True)
class Place:
    """The place of a message. ``channel`` is an id, or ``#name`` or a user id before it is first posted;
    ``ts`` None until then. ``audience`` is ``approver`` or ``holder``."""

    channel: str
    audience: str
    ts: str | None = None
    shown: str | None = None
    """Digest of what the message shows now."""
    person: str | None = None
    """The approver whose direct messages it is in, if approvers are asked there."""
    terms: str | None = None
    """Digest of the terms that the message shows, if people decide there."""
    doubted_until: datetime | None = None
    """Until then a worker whose claim was taken over may show something older; after that it is shown
    again."""


@dataclass(frozen=True, kw_only=True)
class Note(Document, kind="note"):
    """A message of its own, owed to somebody: in a channel, a DM (``channel`` is a user id), or only visible
    to ``whisper_to``, who is in the channel. If there is a ``thread``, it is posted below the message of that
    ts, and shown in the channel as well."""

    id: str
    channel: str
    reason: Reason
    whisper_to: str | None = None
    thread: str | None = None
    terms_of: str | None = None
    """A request or an extension whose terms and buttons are shown with it."""
    copied: bool = True
    """As in ``CardView``. Known when the note is sent."""


@dataclass(frozen=True, kw_only=True)
class Home(Document, kind="home"):
    """The workspace that the bot belongs to: team id, and the enterprise's if there is one. ``lost`` is the
    event by which Slack said, at ``lost_at``, that it no longer lets the bot in; None once Slack has answered
    again."""

    team: str
    enterprise: str | None
    bot_user: str
    lost: str | None = None
    lost_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class FormerTarget:
    """A target as defined in the policy text of ``version``, in force until ``left_at``. ``address`` is a
    digest of its address in that text."""

    version: str
    address: str
    left_at: datetime


@dataclass(frozen=True, kw_only=True)
class PolicyInForce(Document, kind="policy"):
    """The version of the policy in force.

    ``addresses``: for each of its targets, a digest of the address as the text has it. ``former``: earlier
    definitions of targets that may still hold something, by name, the latest last. ``since``: when this
    version was last put in force. ``applied``: a person did that, not a process that started. ``held_back``:
    why nothing is granted by it until a person decides again. ``reached``: for each target, a digest of what
    its address came to when that was first known, or when a person last applied the policy. ``groups``:
    likewise the id of each group that it names.
    """

    version: str
    addresses: Mapping[str, str] = field(default_factory=dict)
    former: Mapping[str, tuple[FormerTarget, ...]] = field(default_factory=dict)
    since: datetime | None = None
    applied: bool = False
    held_back: Reason | None = None
    reached: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PolicyText(Document, kind="policy-text"):
    """The checked text of access.yaml, before ``${VAR}`` is filled in, kept under its version. ``hmacs`` are
    made with the keys of SECRET_KEY; one that fits is enough."""

    text: str
    hmacs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PolicyVersion(Document, kind="policy-version"):
    """A version of the policy that is or was in force, kept for ever: it does not come into force again
    because a process starts with it."""

    first_at: datetime


@dataclass(frozen=True, kw_only=True)
class PolicyNotices(Document, kind="policy-notices"):
    """The latest reports about processes that differ from the policy in force, and when they were made.
    Processes that start together report the same thing once."""

    at: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PolicyDoubt(Document, kind="policy-doubt"):
    """A policy in force whose text cannot be trusted: it is not followed, and nothing is granted."""

    reason: Reason
    noticed_at: datetime


@dataclass(frozen=True, kw_only=True)
class EmailOwner(Document, kind="email"):
    """The owners of an email address, by Slack user ids: those who could be given something, or if there are
    none, other active people. Empty: nobody had it when we looked."""

    people: tuple[str, ...]
    read_at: datetime

    def age(self, now: datetime) -> timedelta:
        return age(self.read_at, now)


@dataclass(frozen=True, kw_only=True)
class Readings(Document, kind="readings"):
    """The groups, or the schedules of one source, that are still read although the policy may no longer name
    them, each with the time until which it is: a ground is judged by its rule as long as it lives."""

    until: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SourceState(Document, kind="source"):
    """The state of an on-call source. ``well_at`` is when all of it was last read, ``answered_at`` when any
    of it was; before that, when it was first tried. ``told_at``: when people were told that it, or a part of
    it (``partly``), cannot be read; None again once all can. ``unknown`` are schedules that it lacks."""

    well_at: datetime
    answered_at: datetime
    told_at: datetime | None = None
    partly: bool = False
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ShiftGrant(Document, kind="shift"):
    """The grant that a person's shift for a resource now stands behind. ``left_at``: when a shift was given
    back, or revoked; a shift that was on at that moment does not start again automatically. An older version
    wrote ``ended_early`` instead, the end of that shift. ``told_at``: when the person was last told that a
    shift could not be started."""

    grant: str | None
    left_at: datetime | None = None
    ended_early: datetime | None = None
    told_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Seat(Document, kind="seat"):
    """The holder of a resource that only one may hold, as an older version wrote it down. Nothing reads it,
    and it is removed when it is met: the grants show who holds what."""

    grant: str
    person: str
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Account(Document, kind="account"):
    """A person's account at a target, as it was when first used."""

    name: str


@dataclass(frozen=True, kw_only=True)
class AccountOwner(Document, kind="account-owner"):
    """The owner of an account at a target (``target/account``): the person who used it first, or the one who
    owns it now according to security people. ``since`` is when it became theirs; None: an older version did
    not write that down. ``others`` wanted it too, and security people said that they are somebody else."""

    person: str
    since: datetime | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AccountsNoted(Document, kind="accounts-noted"):
    """A mark that every account that an older version gave out has an AccountOwner by now."""

    at: datetime


@dataclass(frozen=True, kw_only=True)
class EntitlementsNoted(Document, kind="entitlements-noted"):
    """A mark that every open grant approved by an older version is in the indexes of what it holds by now."""

    at: datetime


@dataclass(frozen=True, kw_only=True)
class Card(Document, kind="card"):
    """The messages that show a grant or an extension. ``told``: digest of the terms that a person was last
    shown in an answer that only they see."""

    places: tuple[Place, ...] = ()
    told: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Restore(Document, kind="restore"):
    """A record that Redis came back older than what was once written down outside it. While this document is
    there, nothing is granted; revoking goes on. ``anchored`` and ``found`` say in words what the anchor and
    the ledger have; ``seal`` and ``head`` are the newest seal that is known to have been there. ``again`` are
    grants that had ended and are live in this ledger."""

    noticed_at: datetime
    anchored: str
    found: str
    seal: int = 0
    head: str = GENESIS
    again: tuple[str, ...] = ()
    failover: bool = False
    """Another server took over, and there was no anchor to compare it with: it may have lost something."""
    key: str | None = None
    """The key that seals were signed with, or would be: without a key nobody accepts this."""


@dataclass(frozen=True, kw_only=True)
class Losses(Document, kind="losses"):
    """A count of the moments at which the ledger may have lost something: a restore that was noticed or
    accepted, and a change of the ``server`` that accepts writes, because another took over or it was
    restarted."""

    count: int = 0
    server: str = ""


@dataclass(frozen=True, kw_only=True)
class SealHead(Document, kind="seal-head"):
    """The end of the audit's chain: its newest seal, the last entry that this seal closed, and the ``key``
    that signed it. The seals themselves take precedence over this record. ``told`` is the number of the last
    seal that was posted to a channel, and ``told_at`` when."""

    number: int = 0
    head: str = GENESIS
    last: str = ""
    sealed_at: datetime | None = None
    key: str | None = None
    told: int = 0
    told_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Swept(Document, kind="swept"):
    """The last run of ``rotakey sweep``: when it looked for what is past its end, and how much of that was
    still there afterwards."""

    at: datetime
    left: int


@dataclass(frozen=True, kw_only=True)
class Alert(Document, kind="alert"):
    """Something that people must see and may decide about: one message, kept equal to this document.

    It is about the stray ``hold``, the overdue ``grant``, the owner of an ``account`` (the id of an
    AccountOwner; ``person`` claims it, for ``resource``), or a whole target. ``asks``: people are to decide;
    then ``verbs`` are the buttons that it has. ``person``, ``resource`` and ``length`` are those of the grant
    that adopting would make. ``people`` get it in direct messages if its channel is lost. ``told_at``: when
    people were last reminded of it.
    """

    id: str
    reason: Reason
    became: Reason | None = None
    hold: Hold | None = None
    grant: str | None = None
    account: str | None = None
    asks: bool = False
    verbs: tuple[str, ...] = ()
    person: str | None = None
    resource: str | None = None
    length: int | None = None
    places: tuple[Place, ...] = ()
    people: tuple[str, ...] = ()
    told_at: datetime | None = None
    over_at: datetime | None = None
    target: str | None = None
    """The target that it is about, if it asks what to do about access that is missing there."""
    wish: str | None = None
    """The verb that somebody pressed, which a worker is carrying out."""
    votes: tuple[str, ...] = ()
    """The people who want the access granted again."""
    replacement: Replacement | None = None
    """Another system, of which security people may say that it is the same one."""


@dataclass(frozen=True, kw_only=True)
class Strays(Document, kind="strays"):
    """The findings of the last sweep of a target, by the holds' keys. ``entitlements`` are those with access
    that we made, ``rest`` those there was no time for; ``crowd`` is the alert that reports too many."""

    at: datetime
    found: Mapping[str, Stray] = field(default_factory=dict)
    entitlements: tuple[Entitlement, ...] = ()
    rest: tuple[Entitlement, ...] = ()
    crowd: str | None = None


@dataclass(frozen=True, kw_only=True)
class Survey(Document, kind="survey"):
    """A look at everything that is held at a target, because something is missing there. ``began`` is None
    while none is under way. It has come to ``cursor`` of the grants there; ``left`` are the holds up to there
    that were not looked at yet. Of the ``held`` ones that were, ``missing`` are not there (some of them if
    there are very many), besides those about which ``alert`` has ``asked`` people already."""

    alert: str | None = None
    began: datetime | None = None
    cursor: int = 0
    left: tuple[str, ...] = ()
    last_page: bool = False
    held: int = 0
    asked: int = 0
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StrayTargets(Document, kind="stray-targets"):
    """The targets that are swept: each has a ``Strays``."""

    targets: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TargetSystems(Document, kind="target-systems"):
    """The system that each target name reached when it was last looked at. ``accepted``: the replacements
    that somebody has said are the same system."""

    found: Mapping[str, System] = field(default_factory=dict)
    accepted: tuple[Replacement, ...] = ()

    def namesakes(self, name: str) -> tuple[str, ...]:
        """Return the other names of the running system that ``name`` reaches. Copies (a standby, a clone)
        share an identity but not an instance, and are systems of their own."""
        here = self.found.get(name)
        if here is None or not here.instance:
            return ()
        return tuple(sorted(each for each, there in self.found.items() if there == here and each != name))

    def relatives(self, name: str) -> tuple[str, ...]:
        """Return the other names whose system had the same identity when each was last looked at: namesakes,
        copies, and a server that was restarted since then."""
        here = self.found.get(name)
        return tuple(
            sorted(
                each for each, there in self.found.items() if here and there.id == here.id and each != name
            )
        )


@dataclass(frozen=True, kw_only=True)
class Homepage(Document, kind="homepage"):
    """A mark that the person has looked at the App Home, so it is kept up to date for them."""

    person: str


@dataclass(frozen=True, kw_only=True)
class GivenUp(Document, kind="given-up"):
    """The count of messages that Slack refused for so long that they are not tried again; and of the last
    one, its time, its destination, and Slack's error."""

    count: int
    at: datetime
    to: str
    error: str


@dataclass(frozen=True, kw_only=True)
class LookedThrough(Document, kind="looked-through"):
    """The progress of the look at everything that should be due: this cursor of the census, in this part of
    what there is. ``began``: when it began."""

    began: datetime
    part: str
    cursor: int


D = TypeVar("D", bound=Document)


@cache
def shapes() -> Mapping[str, type[Document]]:
    """Return the class of each kind of document."""
    return {each.kind: each for each in Document.__subclasses__()}


@dataclass(frozen=True, order=True)
class Key:
    """The name of one document: its kind and its id, which is empty if there is only one."""

    kind: str
    id: str = ""

    @classmethod
    def of(cls, shape: type[Document], name: str = "") -> Key:
        return cls(shape.kind, name)
