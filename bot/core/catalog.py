"""The policy in force, as values: resources, what they give, and the rules by which it may be given."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from bot.core.reasons import Reason

_encode = json.JSONEncoder(sort_keys=True).encode


@dataclass(frozen=True, kw_only=True)
class Entitlement:
    """One thing a target can grant. ``what`` is in the target's own words, sorted by name, such as
    ``(("role", "orders_rw"),)``."""

    target: str
    what: tuple[tuple[str, str], ...]

    def digest_for(self, account: str) -> str:
        """Return ``digest(account, what)``, fast: a sweep needs it a hundred thousand times."""
        return _digest(_encode(account), self._json)

    @cached_property
    def key(self) -> str:
        """Return ``target/digest``, its name regardless of who holds it."""
        return f"{self.target}/{_digest(self._json)}"

    @cached_property
    def _json(self) -> str:
        return _encode(self.what)

    def __getitem__(self, name: str) -> str:
        return dict(self.what)[name]

    def __str__(self) -> str:
        return f"{', '.join(value for _, value in self.what)} on {self.target}"


@dataclass(frozen=True, kw_only=True)
class Everyone:
    """All full members of the workspace."""


@dataclass(frozen=True, kw_only=True)
class InGroup:
    """The members of a group, ``slack/dba``."""

    group: str


@dataclass(frozen=True, kw_only=True)
class Named:
    """One person, by Slack user id."""

    person: str


@dataclass(frozen=True, kw_only=True)
class OnCall:
    """Anyone who is on call for a schedule, at one of ``levels`` (none named: at any)."""

    schedule: str
    levels: tuple[int, ...] = ()
    grace: int = 0
    """Seconds that access may outlast the shift."""


Selector = Everyone | InGroup | Named | OnCall
AutomaticRule = OnCall | InGroup


def shift_rules(who: Iterable[Selector | None]) -> tuple[OnCall, ...]:
    """Return those that go by a shift, each once."""
    return tuple(dict.fromkeys(each for each in who if isinstance(each, OnCall)))


def schedules_in(who: Iterable[Selector | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.schedule for each in shift_rules(who)))


def groups_in(who: Iterable[Selector | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.group for each in who if isinstance(each, InGroup)))


def people_in(who: Iterable[Selector | None]) -> tuple[str, ...]:
    """Return the Slack user ids that are named one by one."""
    return tuple(dict.fromkeys(each.person for each in who if isinstance(each, Named)))


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Allowed lengths, in seconds. ``default`` applies if the person names none."""

    default: int
    max: int
    min: int = 1
    offer: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReasonRule:
    """The rule for reasons: ``pattern`` must be found in the reason; ``say`` tells people in words what is
    wanted."""

    required: bool = True
    pattern: str | None = None
    say: str | None = None


@dataclass(frozen=True, kw_only=True)
class Resource:
    name: str
    title: str
    gives: tuple[Entitlement, ...]
    lengths: Lengths
    who_may_ask: tuple[Selector, ...] = (Everyone(),)
    reason: ReasonRule = field(default_factory=ReasonRule)
    approve_automatically: tuple[AutomaticRule, ...] = ()
    approvers: tuple[Selector, ...] = ()
    approvals: int = 1
    on_shift: OnCall | None = None
    one_holder: bool = False
    channel: str | None = None
    lapse_after: int = 3_600
    hidden: bool = False
    """To anyone who may not request it, it reads as if it did not exist."""

    def selectors(self) -> tuple[Selector, ...]:
        shift = (self.on_shift,) if self.on_shift else ()
        return (*self.who_may_ask, *self.approve_automatically, *self.approvers, *shift)

    def schedules(self) -> tuple[str, ...]:
        return schedules_in(self.selectors())

    def groups(self) -> tuple[str, ...]:
        return groups_in(self.selectors())


@dataclass(frozen=True, kw_only=True)
class PeopleRules:
    """The rules about people. ``accounts``: Slack user id -> target -> account there; anyone not named uses
    their email."""

    email_domains: tuple[str, ...] = ()
    accounts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SourceRules:
    """The rules for a source, in seconds: how often it is read, and how old its roster may be for an
    automatic yes and for starting a shift."""

    every: int = 60
    stale_after: int = 600
    start_stale_after: int = 6 * 3_600


class StrayMode(StrEnum):
    """The treatment of a stray: people are asked, it is revoked, or it is only reported."""

    ASK = "ask"
    ENFORCE = "enforce"
    REPORT = "report"


@dataclass(frozen=True, kw_only=True)
class StrayRules:
    """The rules about strays: how often to look for them, in seconds, and how many percent of what is held at
    a target may be revoked at once."""

    mode: StrayMode = StrayMode.ASK
    every: int = 600
    share: int = 25


@dataclass(frozen=True, kw_only=True)
class AuditRules:
    """The places outside Redis for the newest seal of the audit: a file on each worker's machine, a channel,
    or both. ``archive`` is the folder for entries that are dropped from Redis."""

    file: str | None = None
    channel: str | None = None
    archive: str | None = None


@dataclass(frozen=True, kw_only=True)
class SecurityRules:
    """The channel where trouble is reported, and the people who may revoke anything. ``revoked_for``: seconds
    for which no rule gives back what somebody else revoked."""

    channel: str | None = None
    people: tuple[Selector, ...] = ()
    revoked_for: int = 24 * 3_600


@dataclass(frozen=True, kw_only=True)
class Located:
    """The targets' addresses, by name: ``addresses`` has a digest of what the text says, before variables are
    filled in; ``reached`` a digest of what that comes to in this process, without those whose variables are
    not set here; ``variables`` the names of those variables."""

    addresses: Mapping[str, str] = field(default_factory=dict)
    reached: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """The whole policy. ``version`` is the hash of the text it was read from."""

    version: str
    resources: Mapping[str, Resource]
    people: PeopleRules = field(default_factory=PeopleRules)
    sources: Mapping[str, SourceRules] = field(default_factory=dict)
    security: SecurityRules = field(default_factory=SecurityRules)
    audit: AuditRules = field(default_factory=AuditRules)
    keep: int | None = None
    """Seconds for which ended grants and audit entries are kept in Redis; None: for ever."""
    session_notes: Mapping[str, str] = field(default_factory=dict)
    """The fate of open sessions when access at a target ends: ``ended``, ``kept``, ``unknown`` or another
    word that cards know, or a sentence."""
    strays: StrayRules = field(default_factory=StrayRules)
    shared_accounts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The logins that several people are meant to share, by target."""
    located: Located = field(default_factory=Located)
    closed: Reason | None = None
    """The reason why this catalog grants nothing: it is the last that could be followed, not the one in
    force."""

    @property
    def security_channel(self) -> str | None:
        return self.security.channel

    def targets(self) -> tuple[str, ...]:
        """Return all targets, including those where no resource gives anything at present."""
        given = (gives.target for resource in self.resources.values() for gives in resource.gives)
        return tuple(dict.fromkeys((*given, *self.session_notes)))

    def giving(self, entitlement: Entitlement) -> tuple[Resource, ...]:
        """Return the resources that give it."""
        return tuple(each for each in self.resources.values() if entitlement in each.gives)

    def is_shared(self, target: str, account: str) -> bool:
        """Return whether several people are meant to use this login."""
        return account in self.shared_accounts.get(target, ())

    def named_for(self, target: str, account: str) -> tuple[str, ...]:
        """Return the people for whom the policy names this account."""
        every = self.people.accounts.items()
        return tuple(person for person, accounts in every if accounts.get(target) == account)

    def schedules(self) -> tuple[str, ...]:
        every = (name for resource in self.resources.values() for name in resource.schedules())
        return tuple(dict.fromkeys((*every, *schedules_in(self.security.people))))

    def groups(self) -> tuple[str, ...]:
        every = (name for resource in self.resources.values() for name in resource.groups())
        return tuple(dict.fromkeys((*every, *groups_in(self.security.people))))

    def source(self, schedule: str) -> SourceRules:
        return self.sources.get(schedule.partition("/")[0], SourceRules())


def version_of(text: str) -> str:
    """Return the version of a policy text: the first 12 hex digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def digest(*parts: object) -> str:
    """Return a short name for a combination of values; equal values give equal names."""
    return _digest(*map(_encode, parts))


def _digest(*encoded: str) -> str:
    return hashlib.sha256(f"[{', '.join(encoded)}]".encode()).hexdigest()[:20]
