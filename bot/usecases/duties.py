"""The one table of due things: what a job of each kind waits for, its longest pause, and its name for people.

A new kind of due thing is one row here and one duty in ``bot.usecases.work``; a test sees that neither is
missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache

from bot.usecases.access.former import EVERY as FORMER_EVERY
from bot.usecases.access.outcomes import LOOK_EVERY
from bot.usecases.access.overdue import TELL_EVERY
from bot.usecases.access.survey import CHECKED_EVERY
from bot.usecases.audit.retention import EVERY as KEEP_EVERY
from bot.usecases.notifications.posting import REFUSED_AGAIN
from bot.usecases.requests.admit import PEOPLE_EVERY
from bot.usecases.schedules.groups import EVERY as GROUPS_EVERY
from bot.usecases.schedules.groups import HOME_EVERY

FAILED_PAUSE = timedelta(minutes=5)
"""The longest pause after a failure, of any duty."""
OWED_EVERY = timedelta(minutes=15)


class WaitsFor(StrEnum):
    """The neighbour that a job calls. REDIS: it calls nothing else. ALARMS do not either, and go first."""

    TARGET = "target"
    SOURCE = "source"
    SLACK = "slack"
    ALARMS = "alarms"
    REDIS = "redis"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """``name`` has a place for what the due thing is about: an id, a target, a schedule. ``pause`` is the
    longest time until it is due again, for what is done again and again; None if the policy sets it, or if it
    is done once."""

    waits_for: WaitsFor
    name: str
    pause: timedelta | None = None


KINDS: Mapping[str, Kind] = {
    "hold": Kind(waits_for=WaitsFor.TARGET, name="granting or revoking {}", pause=LOOK_EVERY),
    "sweep": Kind(waits_for=WaitsFor.TARGET, name="looking for strays at {}"),
    "hands": Kind(waits_for=WaitsFor.TARGET, name="looking for what is missing at {}", pause=CHECKED_EVERY),
    "roster": Kind(waits_for=WaitsFor.SOURCE, name="reading who is on call at {}"),
    "card": Kind(waits_for=WaitsFor.SLACK, name="the card of grant {}"),
    "note": Kind(waits_for=WaitsFor.SLACK, name="the message {}", pause=REFUSED_AGAIN),
    "alert": Kind(waits_for=WaitsFor.SLACK, name="the alert {}"),
    "home": Kind(waits_for=WaitsFor.SLACK, name="the App Home of {}", pause=FAILED_PAUSE),
    "people": Kind(waits_for=WaitsFor.SLACK, name="reading from Slack who {} is", pause=PEOPLE_EVERY),
    "groups": Kind(waits_for=WaitsFor.SLACK, name="reading the groups from Slack", pause=GROUPS_EVERY),
    "workspace": Kind(
        waits_for=WaitsFor.SLACK, name="reading from Slack which workspace this is", pause=HOME_EVERY
    ),
    "alarm": Kind(waits_for=WaitsFor.ALARMS, name="reporting that grant {} is overdue", pause=TELL_EVERY),
    "ask": Kind(waits_for=WaitsFor.REDIS, name="deciding the request {}"),
    "shift": Kind(waits_for=WaitsFor.REDIS, name="following the shifts of {}", pause=FAILED_PAUSE),
    "seal": Kind(waits_for=WaitsFor.REDIS, name="sealing the audit", pause=FAILED_PAUSE),
    "keep": Kind(
        waits_for=WaitsFor.REDIS,
        name="dropping audit entries and grants that are past their keep",
        pause=KEEP_EVERY,
    ),
    "former": Kind(
        waits_for=WaitsFor.REDIS, name="dropping former targets where nothing is held", pause=FORMER_EVERY
    ),
    "owed": Kind(
        waits_for=WaitsFor.REDIS, name="looking for jobs that should be due and are not", pause=OWED_EVERY
    ),
}


@cache
def kinds_waiting_for(neighbour: WaitsFor) -> tuple[str, ...]:
    return tuple(kind for kind, row in KINDS.items() if row.waits_for is neighbour)


def name_of(member: str) -> str:
    """Return what a due thing does, in words. One of a kind that is not known is of another version, and is
    named as in Redis."""
    kind, _, about = member.partition(":")
    return KINDS[kind].name.format(about) if kind in KINDS else member
