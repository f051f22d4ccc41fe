"""The worker's duties: what it does for each kind of due thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial

import structlog

from bot.core.errors import Conflict, TemporaryFailure
from bot.slack.api.messenger import SlackMessenger
from bot.usecases.access import batches, former, overdue, owing, reconcile, survey
from bot.usecases.job import Job
from bot.usecases.notifications import alerts, cards
from bot.usecases.requests import ask
from bot.usecases.schedules import follow, groups, rosters
from bot.usecases.strays.sweeping import sweep
from bot.wiring.components import Components
from bot.worker.loop import Batches, Duty

log = structlog.get_logger(__name__)


def reconciling(made: Components) -> Callable[[Job], reconcile.Reconciliation]:
    adapters = made.adapters
    return lambda job: reconcile.Reconciliation(
        made.ledger, adapters.reach, job, adapters.security_channel, adapters.target_names, adapters.former
    )


def together(made: Components) -> Mapping[str, Batches]:
    """Return the ways in which the worker does many due jobs of a kind in one batch."""
    catch_up = following(made)
    return {
        "hold": batches.HoldBatches(made.ledger, made.adapters.reach, reconciling(made), catch_up, _unwritten)
    }


def following(made: Components) -> Callable[[], None]:
    """Return a function that makes sure that targets and channels are those of the policy in force. Revoking
    waits for no policy: if this process cannot follow it, the last one that it could follow counts."""

    def catch_up() -> None:
        with suppress(TemporaryFailure):
            made.context.catalog()

    return catch_up


def _unwritten(job: Job, error: Exception) -> None:
    foreseen = isinstance(error, Conflict | TemporaryFailure)
    about = {"error": str(error)} if foreseen else {"exc_info": error}
    log.warning("it is not written yet what was taken", member=job.claim.member, **about)


def duties(made: Components) -> Mapping[str, Duty]:
    """Return what the worker does for each kind of job."""
    context, adapters, catch_up = made.context, made.adapters, following(made)
    messenger = SlackMessenger(made.client)

    def hold(job: Job) -> None:
        catch_up()
        reconciling(made)(job).run()

    def seal(job: Job) -> None:
        catch_up()
        made.sealing.seal(job.claim, adapters.catalog.audit.channel)
        made.guard.look(adapters.security_channel)

    def keep(job: Job) -> None:
        """Drop what is old enough according to the policy in force, and no other: dropped entries do not come
        back."""
        catalog = context.catalog()
        seconds = None if catalog.closed else catalog.keep
        made.retention.run(job.claim, timedelta(seconds=seconds) if seconds else None, adapters.archive())

    return {
        "hold": hold,
        "alarm": lambda job: overdue.alarm(context, made.ledger, job.claim),
        "ask": lambda job: ask.tend(context, job.claim),
        "card": partial(cards.show, context, messenger),
        "alert": partial(alerts.show, context, messenger),
        "sweep": partial(sweep, context, made.ledger, adapters.target),
        "hands": partial(survey.survey, context, made.ledger, adapters.reach),
        "note": partial(cards.tell, context, messenger),
        "home": partial(cards.publish_home, context, messenger),
        "roster": partial(rosters.read_roster, context, adapters.source),
        "shift": partial(follow.follow, context),
        "people": partial(follow.refresh_person, context),
        "groups": partial(groups.refresh_groups, context),
        "workspace": partial(groups.refresh_home, context),
        "seal": seal,
        "keep": keep,
        "former": partial(former.tidy, made.ledger, made.ledger),
        "owed": partial(owing.look_through, made.ledger, made.ledger),
    }
