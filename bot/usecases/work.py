"""The worker's duties: what is done for each kind of due thing.

Each is put together here once, for the worker and for stories in tests. Their pauses and names are in
``bot.usecases.duties``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Protocol

from bot.core.catalog import Catalog
from bot.core.errors import TemporaryFailure
from bot.ports.ledger import Census
from bot.ports.oncall import OnCallSource
from bot.ports.slack import Messenger
from bot.ports.target import Target
from bot.usecases.access import former, overdue, owing, survey
from bot.usecases.access.reconcile import Reconciliation
from bot.usecases.audit.retention import Archive, Retention
from bot.usecases.audit.rollback import RollbackGuard
from bot.usecases.audit.seal import Sealing
from bot.usecases.context import Context
from bot.usecases.job import Job
from bot.usecases.notifications import alerts, cards
from bot.usecases.notifications.cards import Publisher
from bot.usecases.requests import ask
from bot.usecases.schedules import follow, groups, rosters
from bot.usecases.strays.search import look_for_strays


class SlackMessages(Messenger, Publisher, Protocol):
    """All that is shown in Slack."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """The parts that the duties work with. ``policy`` returns the policy that is followed now. ``target``
    finds a target as that policy has it, ``reach`` also one that it no longer has, and ``former`` one as it
    was; see ``Adapters``."""

    context: Context
    census: Census
    messenger: SlackMessages
    policy: Callable[[], Catalog]
    target: Callable[[str], Target]
    reach: Callable[[str], Target]
    former: Callable[[str], Target | None]
    source: Callable[[str], OnCallSource]
    sealing: Sealing
    guard: RollbackGuard
    retention: Retention
    archive: Callable[[], Archive | None]

    def catch_up(self) -> None:
        """Make sure that targets and channels are those of the policy in force. Revoking waits for no policy:
        if this process cannot follow it, the last one that it could follow counts."""
        with suppress(TemporaryFailure):
            self.context.catalog()

    def reconciliation(self, job: Job) -> Reconciliation:
        policy = self.policy()
        names = tuple(policy.session_notes)
        return Reconciliation(
            self.context.ledger, self.reach, job, policy.security_channel, names, self.former
        )


def duties(work: Work) -> Mapping[str, Callable[[Job], None]]:
    """Return what is done for each kind of job."""
    context, census, messenger = work.context, work.census, work.messenger

    def hold(job: Job) -> None:
        work.catch_up()
        work.reconciliation(job).run()

    def seal(job: Job) -> None:
        work.catch_up()
        work.sealing.seal(job.claim, work.policy().audit.channel)
        work.guard.look(work.policy().security_channel)

    def keep(job: Job) -> None:
        """Drop what is old enough according to the policy in force, and no other: dropped entries do not come
        back."""
        catalog = context.catalog()
        seconds = None if catalog.closed else catalog.keep
        work.retention.run(job.claim, timedelta(seconds=seconds) if seconds else None, work.archive())

    return {
        "hold": hold,
        "alarm": lambda job: overdue.alarm(context, census, job.claim),
        "ask": lambda job: ask.tend(context, job.claim),
        "card": partial(cards.show, context, messenger),
        "alert": partial(alerts.show, context, messenger),
        "sweep": partial(look_for_strays, context, census, work.target),
        "hands": partial(survey.survey, context, census, work.reach),
        "note": partial(cards.tell, context, messenger),
        "home": partial(cards.publish_home, context, messenger),
        "roster": partial(rosters.read_roster, context, work.source),
        "shift": partial(follow.follow, context),
        "people": partial(follow.refresh_person, context),
        "groups": partial(groups.refresh_groups, context),
        "workspace": partial(groups.refresh_home, context),
        "seal": seal,
        "keep": keep,
        "former": partial(former.tidy, context.ledger, census),
        "owed": partial(owing.look_through, context.ledger, census),
    }
