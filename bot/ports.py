"""The ports: what the use-cases need of the world, in a few methods each, with what they promise."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, Self, TypeVar

from bot.core.ages import age
from bot.core.anchors import Anchored
from bot.core.blocks import Ban, Block, Freeze
from bot.core.catalog import Entitlement
from bot.core.chain import GENESIS, Seal, Sealed, Written
from bot.core.errors import Conflict
from bot.core.grants import LIVE, Extension, Grant, State
from bot.core.holds import Hold, HoldRecord, Presence, Receipt, Replacement, Seen, System
from bot.core.members import SeatHolder
from bot.core.people import Group, Person
from bot.core.reasons import Reason
from bot.core.shifts import Roster, Shift
from bot.core.strays import Stray


@dataclass(frozen=True)
class Deadline:
    """A moment on this process's monotonic clock after which a call is no longer worth making."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Return the seconds that are left; never negative."""
        return max(self.at - time.monotonic(), 0.0)

    @property
    def passed(self) -> bool:
        return self.left() <= 0

    def sooner(self, other: Deadline) -> Deadline:
        return min(self, other, key=lambda each: each.at)


# ---------------------------------------------------------------------------------- on-call sources


class OnCallSource(Protocol):
    """A roster source, such as PagerDuty. Ids are the source's own, without ``source/``.

    Every method raises TemporaryFailure (no answer, limits, 5xx) or PermanentFailure (refused credentials, a
    request that will never be good) within the deadline.
    """

    def shifts(
        self, schedules: Sequence[str], since: datetime, until: datetime, deadline: Deadline
    ) -> Mapping[str, tuple[Shift, ...]]:
        """Read the final shifts, overrides applied, of all ``schedules`` in as few calls as the source
        allows; an empty tuple if it shows nobody. A person whose email it does not show appears with their
        ``user`` only. Nothing is changed."""
        ...

    def confirm(
        self, schedule: str, since: datetime, until: datetime, deadline: Deadline
    ) -> tuple[Shift, ...] | None:
        """Read the shifts of one schedule another way; None if the source does not know the schedule. If this
        way knows no levels, they are 0."""
        ...


# ------------------------------------------------------------------------------------------ targets


@dataclass(frozen=True, kw_only=True)
class Abilities:
    """The abilities of a target, as data."""

    marks: bool
    """Distinguishes what we made from what others made, without a receipt."""
    keeps_end: bool
    """Ends access itself at ``until``; ``grant`` is called again when the end moves."""
    ends_sessions: bool
    """Open sessions end with the access."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    account: str
    presence: Presence


@dataclass(frozen=True, kw_only=True)
class Holders:
    """Everybody who has an entitlement, and the system that said so."""

    holders: tuple[Holder, ...]
    system: System | None = None


class Target(Protocol):
    """A system where access is granted.

    ``grant`` and ``revoke`` are idempotent: repeating one changes nothing. All methods return only what the
    target itself has answered, and raise TemporaryFailure (try later: the outcome may be unknown) or
    PermanentFailure (nothing helps until a person changes something) by the deadline.

    ``receipts`` are all that is kept of what was made for this hold, oldest first. What they name is ours.
    For a kind that cannot mark what it makes there is no other evidence: access that no receipt names is
    THEIRS. A kind that can mark also counts what bears its mark, and returns a receipt for it.

    If a receipt's ``system`` is not the system that answers, ``grant`` raises PermanentFailure, ``revoke``
    removes only what is certainly ours by its name and mark, and ``has`` reports ELSEWHERE.
    """

    @property
    def abilities(self) -> Abilities: ...

    def prepare(self, hold: Hold, not_after: Deadline) -> Receipt:
        """Make nothing usable, and return what can be known before granting. Preparing again may return an
        equal receipt. Raise PermanentFailure if granting cannot work: the account or role does not exist, or
        a privilege that granting, revoking or ending sessions needs is missing."""
        ...

    def grant(
        self, hold: Hold, receipts: Sequence[Receipt], until: datetime | None, not_after: Deadline
    ) -> Receipt:
        """Make the access exist, and return the completed last receipt. ``not_after`` is checked right before
        sending and, if the target has transactions, inside one, right before its commit: so a worker that was
        paused cannot grant late."""
        ...

    def revoke(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> None:
        """Remove what the receipts name and what is marked as ours, and end the sessions that use it. If it
        is already gone, that is success. Access that others made stays."""
        ...

    def has(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> Seen:
        """Look, and change nothing. See ``Seen``."""
        ...

    def holders(self, entitlement: Entitlement, deadline: Deadline) -> Holders:
        """Return everybody who has the entitlement. OURS is only what the target itself marks as ours."""
        ...

    def ready(self, hold: Hold, deadline: Deadline) -> None:
        """Raise what ``prepare`` and ``grant`` would raise now, and change nothing."""
        ...


# ------------------------------------------------------------------------------- people and messages


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
class Note:
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

    ``show`` and ``show_alert`` post if the place has no ``ts`` yet (a call whose answer was lost may then be
    posted twice); otherwise they make the message there equal to the view, which is idempotent. A place that
    is gone (channel archived, message deleted) is PermanentFailure. The two digests make no call: they name
    what the message says, and so differ exactly when ``show`` or ``show_alert`` would change it.
    """

    def show(self, view: CardView, place: Place, deadline: Deadline) -> Place: ...

    def show_alert(self, view: AlertView, place: Place, deadline: Deadline) -> Place: ...

    def card_digest(self, view: CardView, audience: str) -> str: ...

    def alert_digest(self, view: AlertView) -> str: ...

    def tell(self, note: Note, deadline: Deadline, terms: CardView | None = None) -> None:
        """Send a note and, if ``terms`` are given, the card that shows them to an approver below it."""
        ...


# ------------------------------------------------------------------------------------------- ledger


@dataclass(frozen=True, kw_only=True)
class Home:
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
class PolicyInForce:
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
class PolicyText:
    """The checked text of access.yaml, before ``${VAR}`` is filled in, kept under its version. ``hmacs`` are
    made with the keys of SECRET_KEY; one that fits is enough."""

    text: str
    hmacs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PolicyVersion:
    """A version of the policy that is or was in force, kept for ever: it does not come into force again
    because a process starts with it."""

    first_at: datetime


@dataclass(frozen=True, kw_only=True)
class PolicyNotices:
    """The latest reports about processes that differ from the policy in force, and when they were made.
    Processes that start together report the same thing once."""

    at: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PolicyDoubt:
    """A policy in force whose text cannot be trusted: it is not followed, and nothing is granted."""

    reason: Reason
    noticed_at: datetime


@dataclass(frozen=True, kw_only=True)
class EmailOwner:
    """The owners of an email address, by Slack user ids: those who could be given something, or if there are
    none, other active people. Empty: nobody had it when we looked."""

    people: tuple[str, ...]
    read_at: datetime

    def age(self, now: datetime) -> timedelta:
        return age(self.read_at, now)


@dataclass(frozen=True, kw_only=True)
class Readings:
    """The groups, or the schedules of one source, that are still read although the policy may no longer name
    them, each with the time until which it is: a ground is judged by its rule as long as it lives."""

    until: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SourceState:
    """The state of an on-call source. ``well_at`` is when all of it was last read, ``answered_at`` when any
    of it was; before that, when it was first tried. ``told_at``: when people were told that it, or a part of
    it (``partly``), cannot be read; None again once all can. ``unknown`` are schedules that it lacks."""

    well_at: datetime
    answered_at: datetime
    told_at: datetime | None = None
    partly: bool = False
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ShiftGrant:
    """The grant that a person's shift for a resource now stands behind. ``left_at``: when a shift was given
    back, or revoked; a shift that was on at that moment does not start again automatically. An older version
    wrote ``ended_early`` instead, the end of that shift. ``told_at``: when the person was last told that a
    shift could not be started."""

    grant: str | None
    left_at: datetime | None = None
    ended_early: datetime | None = None
    told_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Seat:
    """The holder of a resource that only one may hold, as an older version wrote it down. Nothing reads it,
    and it is removed when it is met: the grants show who holds what."""

    grant: str
    person: str
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Account:
    """A person's account at a target, as it was when first used."""

    name: str


@dataclass(frozen=True, kw_only=True)
class AccountOwner:
    """The owner of an account at a target (``target/account``): the person who used it first, or the one who
    owns it now according to security people. ``since`` is when it became theirs; None: an older version did
    not write that down. ``others`` wanted it too, and security people said that they are somebody else."""

    person: str
    since: datetime | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AccountsNoted:
    """A mark that every account that an older version gave out has an AccountOwner by now."""

    at: datetime


@dataclass(frozen=True, kw_only=True)
class EntitlementsNoted:
    """A mark that every open grant approved by an older version is in the indexes of what it holds by now."""

    at: datetime


@dataclass(frozen=True, kw_only=True)
class Card:
    """The messages that show a grant or an extension. ``told``: digest of the terms that a person was last
    shown in an answer that only they see."""

    places: tuple[Place, ...] = ()
    told: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Restore:
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
class Losses:
    """A count of the moments at which the ledger may have lost something: a restore that was noticed or
    accepted, and a change of the ``server`` that accepts writes, because another took over or it was
    restarted."""

    count: int = 0
    server: str = ""


@dataclass(frozen=True, kw_only=True)
class SealHead:
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
class Swept:
    """The last run of ``rotakey sweep``: when it looked for what is past its end, and how much of that was
    still there afterwards."""

    at: datetime
    left: int


@dataclass(frozen=True, kw_only=True)
class Alert:
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
class Strays:
    """The findings of the last sweep of a target, by the holds' keys. ``entitlements`` are those with access
    that we made, ``rest`` those there was no time for; ``crowd`` is the alert that reports too many."""

    at: datetime
    found: Mapping[str, Stray] = field(default_factory=dict)
    entitlements: tuple[Entitlement, ...] = ()
    rest: tuple[Entitlement, ...] = ()
    crowd: str | None = None


@dataclass(frozen=True, kw_only=True)
class Survey:
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
class StrayTargets:
    """The targets that are swept: each has a ``Strays``."""

    targets: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TargetSystems:
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
class Homepage:
    """A mark that the person has looked at the App Home, so it is kept up to date for them."""

    person: str


@dataclass(frozen=True, kw_only=True)
class GivenUp:
    """The count of messages that Slack refused for so long that they are not tried again; and of the last
    one, its time, its destination, and Slack's error."""

    count: int
    at: datetime
    to: str
    error: str


@dataclass(frozen=True, kw_only=True)
class LookedThrough:
    """The progress of the look at everything that should be due: this cursor of the census, in this part of
    what there is. ``began``: when it began."""

    began: datetime
    part: str
    cursor: int


Document = (
    Grant
    | HoldRecord
    | Person
    | Group
    | Roster
    | Home
    | PolicyInForce
    | PolicyText
    | PolicyVersion
    | PolicyNotices
    | PolicyDoubt
    | EmailOwner
    | Readings
    | SourceState
    | ShiftGrant
    | Seat
    | Account
    | AccountOwner
    | AccountsNoted
    | EntitlementsNoted
    | Card
    | Note
    | Restore
    | SealHead
    | Swept
    | Alert
    | Strays
    | StrayTargets
    | TargetSystems
    | Homepage
    | GivenUp
    | LookedThrough
    | Block
    | Ban
    | Freeze
    | Losses
    | Survey
)
D = TypeVar(
    "D",
    Grant,
    HoldRecord,
    Person,
    Group,
    Roster,
    Home,
    PolicyInForce,
    PolicyText,
    PolicyVersion,
    PolicyNotices,
    PolicyDoubt,
    EmailOwner,
    Readings,
    SourceState,
    ShiftGrant,
    Seat,
    Account,
    AccountOwner,
    AccountsNoted,
    EntitlementsNoted,
    Card,
    Note,
    Restore,
    SealHead,
    Swept,
    Alert,
    Strays,
    StrayTargets,
    TargetSystems,
    Homepage,
    GivenUp,
    LookedThrough,
    Block,
    Ban,
    Freeze,
    Losses,
    Survey,
)

KINDS: Mapping[str, type[Document]] = {
    "grant": Grant,
    "hold": HoldRecord,
    "person": Person,
    "group": Group,
    "roster": Roster,
    "home": Home,
    "policy": PolicyInForce,
    "policy-text": PolicyText,
    "policy-version": PolicyVersion,
    "policy-notices": PolicyNotices,
    "policy-doubt": PolicyDoubt,
    "email": EmailOwner,
    "readings": Readings,
    "source": SourceState,
    "shift": ShiftGrant,
    "seat": Seat,
    "account": Account,
    "account-owner": AccountOwner,
    "accounts-noted": AccountsNoted,
    "entitlements-noted": EntitlementsNoted,
    "card": Card,
    "note": Note,
    "restore": Restore,
    "seal-head": SealHead,
    "swept": Swept,
    "alert": Alert,
    "strays": Strays,
    "stray-targets": StrayTargets,
    "target-systems": TargetSystems,
    "homepage": Homepage,
    "given-up": GivenUp,
    "looked-through": LookedThrough,
    "block": Block,
    "ban": Ban,
    "freeze": Freeze,
    "losses": Losses,
    "survey": Survey,
}
KIND_OF: Mapping[type[Document], str] = {shape: kind for kind, shape in KINDS.items()}


@dataclass(frozen=True, order=True)
class Key:
    """The name of one document: its kind (a key of KINDS) and its id, which is empty if there is only one."""

    kind: str
    id: str = ""

    @classmethod
    def of(cls, shape: type[Document], name: str = "") -> Key:
        return cls(KIND_OF[shape], name)


@dataclass(frozen=True, kw_only=True)
class Seats:
    """The holders of an entitlement that only one may hold. ``members``: the indexes that say so, and the
    grants in them. A commit that grants it rests on these."""

    holders: tuple[SeatHolder, ...]
    members: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Documents as they were at one moment, ``now`` on the ledger's clock. ``versions`` has every key that
    was read, 0 if there is no document. ``leases`` has the live leases of the grants read: the end, None for
    a lease without one. ``compared`` False: another server of Redis has taken over, and may hold leases that
    had already ended; nothing is granted by it until a worker has compared them. ``seats`` are by resource,
    read right after."""

    now: datetime
    documents: Mapping[Key, Document] = field(default_factory=dict)
    versions: Mapping[Key, int] = field(default_factory=dict)
    leases: Mapping[str, datetime | None] = field(default_factory=dict)
    compared: bool = True
    seats: Mapping[str, Seats] = field(default_factory=dict)

    def find(self, shape: type[D], name: str = "") -> D | None:
        found = self.documents.get(Key.of(shape, name))
        return found if isinstance(found, shape) else None

    def all(self, shape: type[D]) -> tuple[D, ...]:
        return tuple(each for each in self.documents.values() if isinstance(each, shape))

    def live(self, grant: Grant) -> bool:
        return grant.id in self.leases


class LeaseMove(StrEnum):
    START = "start"
    MOVE = "move"
    DROP = "drop"


@dataclass(frozen=True, kw_only=True)
class Lease:
    """A move of a grant's lease: START and MOVE set its end (MOVE only if it still exists, else Conflict),
    DROP deletes it."""

    grant: str
    how: LeaseMove
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Due:
    """A due job: ``member`` names it, ``kind:id``, and ``at`` is when it is due."""

    member: str
    at: datetime

    @classmethod
    def hold(cls, hold: str, *, at: datetime) -> Self:
        """Look at a hold, by its key, and grant or revoke."""
        return cls(member=f"hold:{hold}", at=at)

    @classmethod
    def card(cls, grant: str, *, at: datetime) -> Self:
        """Make the messages of a grant or an extension equal to it."""
        return cls(member=f"card:{grant}", at=at)

    @classmethod
    def note(cls, note: str, *, at: datetime) -> Self:
        """Send a message, by its id."""
        return cls(member=f"note:{note}", at=at)

    @classmethod
    def alert(cls, alert: str, *, at: datetime) -> Self:
        """Make the messages of an alert equal to it."""
        return cls(member=f"alert:{alert}", at=at)

    @classmethod
    def alarm(cls, grant: str, *, at: datetime) -> Self:
        """Report that a grant is overdue, or that it is over."""
        return cls(member=f"alarm:{grant}", at=at)

    @classmethod
    def ask(cls, grant: str, *, at: datetime) -> Self:
        """Decide a request that waits."""
        return cls(member=f"ask:{grant}", at=at)

    @classmethod
    def shift(cls, resource: str, *, at: datetime) -> Self:
        """Make the grants of a resource equal to its shifts."""
        return cls(member=f"shift:{resource}", at=at)

    @classmethod
    def people(cls, person: str, *, at: datetime) -> Self:
        """Look a person up in Slack, and judge what they have."""
        return cls(member=f"people:{person}", at=at)

    @classmethod
    def home(cls, person: str, *, at: datetime) -> Self:
        """Publish a person's Home tab."""
        return cls(member=f"home:{person}", at=at)

    @classmethod
    def sweep(cls, target: str, *, at: datetime) -> Self:
        """Look for strays at a target."""
        return cls(member=f"sweep:{target}", at=at)

    @classmethod
    def hands(cls, target: str, *, at: datetime) -> Self:
        """Look for access that is missing at a target."""
        return cls(member=f"hands:{target}", at=at)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A worker's right to do one due job. ``tries`` counts failures in a row before this claim;
    ``taken_over``: an earlier claim was never closed."""

    member: str
    generation: int
    fence: int
    owed_at: datetime
    tries: int
    taken_over: bool

    @property
    def kind(self) -> str:
        return self.member.partition(":")[0]

    @property
    def id(self) -> str:
        return self.member.partition(":")[2]

    @property
    def lane(self) -> str:
        """Return the name under which it shares threads: all holds of one target, or all jobs of a kind."""
        before, slash, _ = self.member.partition("/")
        return before if slash else self.kind


@dataclass(frozen=True, kw_only=True)
class Done:
    """The end of a claim: ``next_at`` None removes the member, unless it was armed again in the meantime.
    ``failed`` counts one more failure in a row."""

    claim: Claim
    next_at: datetime | None = None
    failed: bool = False


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An audit entry: what happened, to which grant, by whom, on what facts."""

    what: str
    grant: str | None = None
    by: str | None = None
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Drop:
    """The audit up to and including this seal, which must be stored unchanged, and the entry named ``last``,
    the last one that the seal closed."""

    seal: Sealed
    last: str


@dataclass(frozen=True, kw_only=True)
class Change:
    """Everything that one commit writes.

    ``rests_on`` must be unchanged: the version of every document in it is checked. ``needs`` and ``without``
    are grants whose lease must exist, or must not. ``members`` are indexes that must have exactly these
    grants in them. ``put`` writes (None deletes); ``ensure`` writes only if nothing is there. ``index`` adds
    (True) or removes (False) a grant id in a named set. ``seal`` is appended after all seals so far, whose
    numbers must be lower. ``drop`` is only allowed with a ``seal``, which says where the audit begins from
    then on. ``op`` makes the commit happen at most once in 15 minutes; repeating it returns its first
    ``answer``. ``frees`` lets a full Redis still take it.

    ``copied`` requires it on as many replicas as this deployment is configured for: if they do not confirm in
    time, it is written all the same, and NotCopied is raised. After a failover it is not written, and
    FailedOver is raised, until this primary has been compared with what had ended. Every change that leads to
    access at a target is ``copied``; one that ends access never is, and waits for nobody (see
    ``Ledger.wait_for_copies``).
    """

    rests_on: tuple[Snapshot, ...] = ()
    needs: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    members: Mapping[str, Collection[str]] = field(default_factory=dict)
    put: Mapping[Key, Document | None] = field(default_factory=dict)
    ensure: Mapping[Key, Document] = field(default_factory=dict)
    leases: tuple[Lease, ...] = ()
    index: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    due: tuple[Due, ...] = ()
    done: Done | None = None
    audit: tuple[Entry, ...] = ()
    seal: Seal | None = None
    drop: Drop | None = None
    op: str | None = None
    answer: str = ""
    frees: bool = False
    copied: bool = False

    def plus(self, *others: Change) -> Change:
        """Return all of them as one commit. What closes a claim, answers an op, or seals or drops entries is
        this one's."""
        joined = self
        for other in others:
            joined = replace(
                joined,
                rests_on=(*joined.rests_on, *other.rests_on),
                needs=(*joined.needs, *other.needs),
                without=(*joined.without, *other.without),
                members={**joined.members, **other.members},
                put={**joined.put, **other.put},
                ensure={**joined.ensure, **other.ensure},
                leases=(*joined.leases, *other.leases),
                index={**joined.index, **other.index},
                due=(*joined.due, *other.due),
                audit=(*joined.audit, *other.audit),
                frees=joined.frees or other.frees,
                copied=joined.copied or other.copied,
            )
        return joined


@dataclass(frozen=True, kw_only=True)
class Committed:
    """The result of a commit. ``now`` is when it was written. ``again`` means that the op had been done
    before, with ``answer``. ``version`` is the new version of every document written, 0 if nothing was
    written."""

    now: datetime
    version: int = 0
    again: bool = False
    answer: str = ""


@dataclass(frozen=True, kw_only=True)
class Room:
    """The room in one claim for due jobs of these ``kinds`` together, or of all others if none is named:
    ``own`` may be claimed in any case, and at most ``shared`` of those that all rooms share."""

    kinds: tuple[str, ...]
    own: int
    shared: int


@dataclass(frozen=True, kw_only=True)
class Order:
    """The order of a claim. Jobs that fit into their room's ``own`` do not count towards the claim's limit.
    Lanes that were ``served`` come after all others, the most recent last; apart from that the oldest comes
    first."""

    rooms: tuple[Room, ...] = ()
    served: tuple[str, ...] = ()


OLDEST_FIRST = Order()


@dataclass(frozen=True, kw_only=True)
class Claims:
    """The jobs that were claimed, when the next one is due (None: nothing), and the ledger's now."""

    now: datetime
    claims: tuple[Claim, ...]
    next_at: datetime | None


class Ledger(Protocol):
    """Documents, leases, indexes, the due set and the audit, changed together or not at all.

    Every method raises TemporaryFailure if Redis does not answer.
    """

    def read(self, keys: Iterable[Key] = (), follow: Iterable[str] = ()) -> Snapshot:
        """Read the documents of ``keys`` and of all grants in the indexes ``follow``, as of one moment; for
        each grant read, also its lease."""
        ...

    def read_all(self, wanted: Iterable[tuple[Iterable[Key], Iterable[str]]]) -> Sequence[Snapshot]:
        """Do several reads in one round trip, all as of the same moment."""
        ...

    def commit(self, change: Change) -> Committed:
        """Write all of it or nothing. Raise Conflict if a version, a lease or the claim has changed, and
        Unconfirmed if it was sent and no answer came: committing it again under its op shows what
        happened."""
        ...

    def commit_all(self, changes: Sequence[Change]) -> Sequence[Committed | Conflict]:
        """Commit several changes in one round trip, each of them wholly or not at all."""
        ...

    def claim(
        self,
        limit: int,
        share: int,
        busy: Mapping[str, int],
        kinds: Collection[str] = (),
        besides: Collection[str] = (),
        order: Order = OLDEST_FIRST,
    ) -> Claims:
        """Claim up to ``limit`` due jobs, at most ``share`` per lane including those in ``busy``. ``kinds``
        restricts to those kinds; ``besides`` excludes kinds. A claim lasts CLAIM_SECONDS; after that anybody
        may claim the job. Claiming also shows that a worker is alive."""
        ...

    def renew(self, claims: Collection[Claim]) -> frozenset[str]:
        """Renew those claims that are still ours for CLAIM_SECONDS from now, and return their members; the
        others are left alone."""
        ...

    def wait_for_copies(self) -> bool:
        """Wait until everything written before this call is on as many replicas as this deployment is
        configured for, and return whether it is. Wait at most a second, and less if they did not confirm a
        moment ago."""
        ...

    def wait(self, seconds: float) -> None:
        """Return when something new has become due, or after ``seconds``; may return early."""
        ...


CLAIM_SECONDS = 5.0


class AuditTrail(Protocol):
    """The audit, oldest first. Every method raises TemporaryFailure if Redis does not answer."""

    def entries(self, after: str = "", count: int = 100) -> Sequence[tuple[str, datetime, Entry]]:
        """Return up to ``count`` entries after the one named ``after``, each with its name and time."""
        ...

    def written_entries(self, after: str = "", count: int = 100) -> Sequence[Written]:
        """Return the same entries as they are stored, even if one cannot be read. Once a name is there, no
        lower one is ever added."""
        ...

    def seals(self, after: int = 0, count: int = 100) -> Sequence[Sealed]:
        """Return up to ``count`` seals with numbers above ``after``, each as it is stored."""
        ...


class Signer(Protocol):
    """The key that seals are signed with."""

    @property
    def key(self) -> str:
        """Return the name of its public key, by which keys are told apart."""
        ...

    def sign(self, head: str) -> bytes: ...

    def trusts(self, head: str, signature: bytes) -> bool:
        """Return whether this is this key's own signature on the head."""
        ...


class Anchor(Protocol):
    """The place outside Redis where the newest seal is kept. Both methods raise PermanentFailure if that
    cannot be read or written, or has something else in it."""

    def read(self) -> Anchored | None:
        """Return the seal that was kept; None if nothing was yet."""
        ...

    def write(self, anchored: Anchored) -> None:
        """Keep it, unless a newer one is kept already; it is on disk when this returns."""
        ...


@dataclass(frozen=True, kw_only=True)
class Owed:
    """A due job that failed ``tries`` times in a row; ``at`` is when it is tried again."""

    member: str
    at: datetime
    tries: int


@dataclass(frozen=True, kw_only=True)
class SetAside:
    """A record that could not be read. Its bytes are kept; ``error`` says what was wrong with them."""

    key: Key
    at: datetime
    error: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Condition:
    """The condition of the ledger. ``beat`` is when any worker last asked for work, None if never. ``oldest``
    is the time since when the oldest unclaimed due job has waited, None if nothing waits. ``open`` and
    ``overdue`` count the grants in the indexes of these names, ``unlogged`` the audit entries about
    revocations that were done but could not be logged yet."""

    now: datetime
    beat: datetime | None
    owed: int
    oldest: datetime | None
    failing: tuple[Owed, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    open: int = 0
    overdue: int = 0
    unlogged: int = 0


@dataclass(frozen=True, kw_only=True)
class Serving:
    """The ids of two Redis servers: the one that was compared last (empty: none yet), and the one that
    accepts writes now (empty: unknown). A server that restarts has another id."""

    last: str
    now: str

    @property
    def is_compared(self) -> bool:
        return bool(self.now) and self.last == self.now


class Primary(Protocol):
    """The Redis server that accepts writes now. All methods raise TemporaryFailure if it does not answer."""

    def server(self) -> str:
        """Return the server's id; empty if it is unknown."""
        ...

    def serving(self) -> Serving | None:
        """Return the ids; None if this deployment requires no copies, because then it does not matter which
        server it is."""
        ...

    def mark_compared(self, with_server: str) -> None:
        """Allow granting again with what this server has, unless yet another one has taken over."""
        ...


class Census(Protocol):
    """Everything that is held, in pages of bounded size, and claims on named jobs: for a process that revokes
    what nobody else revokes. Items that come or go in the meantime may be left out or appear twice."""

    def page_of_grants(self, index: str, cursor: int) -> tuple[Sequence[str], int]:
        """Return some ids of the grants in an index, and the cursor of the next page. It is 0 for the first
        page, and 0 again after the last. A page may be empty."""
        ...

    def page_of_documents(self, shape: type[Document], cursor: int) -> tuple[Sequence[str], int]:
        """Return some ids of the documents of this shape, and a cursor as ``page_of_grants`` does."""
        ...

    def grants(self, index: str) -> Iterator[Sequence[str]]:
        """Yield the ids of the grants in an index, in pages."""
        ...

    def holds(self, target: str = "") -> Iterator[Sequence[str]]:
        """Yield the ids of all hold records, or of those at one target, in pages."""
        ...

    def unheld(self, holds: Collection[str]) -> frozenset[str]:
        """Return those holds behind which there is no open grant."""
        ...

    def documents(self, shape: type[Document]) -> Iterator[Sequence[str]]:
        """Yield the ids of all documents of this shape, in pages."""
        ...

    def not_due(self, members: Collection[str]) -> frozenset[str]:
        """Return those members that are not in the due set."""
        ...

    def owed_too_late(self, longest: Mapping[str, timedelta]) -> frozenset[str]:
        """Return members that are due later than their kind's ``longest`` from now; and members of any kind
        that are claimed but would not be due when the claim expires. Return only some of them if there are
        very many."""
        ...

    def claim_these(
        self, members: Collection[str], limit: int, share: int, busy: Mapping[str, int]
    ) -> Claims:
        """Claim as ``Ledger.claim`` does, but only these members; it does not count as a worker's sign of
        life."""
        ...


@dataclass(frozen=True, kw_only=True)
class ServerFacts:
    """The facts about a server of Redis: ``name`` with the version; ``objections`` are what must be changed,
    ``warnings`` what should be or could not be seen, each with what to do. ``replicas`` is the number that is
    connected; None: it does not say."""

    name: str
    objections: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    replicas: int | None = None


class Server(Protocol):
    """The Redis that the ledger is in."""

    def facts(self) -> ServerFacts:
        """Return the facts. Raise TemporaryFailure if it does not answer."""
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


class Inspection(Protocol):
    """The view of the ledger for those who watch over it."""

    def condition(self) -> Condition:
        """Return the condition. Raise TemporaryFailure if Redis does not answer."""
        ...
