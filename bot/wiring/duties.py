"""The worker's duties with the parts of this process."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from bot.core.errors import Conflict, TemporaryFailure
from bot.slack.api.messenger import SlackMessenger
from bot.usecases import work
from bot.usecases.access.batches import HoldBatches
from bot.usecases.job import Job
from bot.wiring.components import Components
from bot.worker.loop import Batches, Duty

log = structlog.get_logger(__name__)


def duties(made: Components) -> Mapping[str, Duty]:
    """Return what the worker does for each kind of job."""
    return work.duties(_work(made))


def together(made: Components) -> Mapping[str, Batches]:
    """Return the ways in which the worker does many due jobs of a kind in one batch."""
    it = _work(made)

    def log_unwritten(job: Job, error: Exception) -> None:
        foreseen = isinstance(error, Conflict | TemporaryFailure)
        about = {"error": str(error)} if foreseen else {"exc_info": error}
        log.warning("revocation not written yet", member=job.claim.member, **about)

    return {"hold": HoldBatches(made.ledger, it.reach, it.reconciliation, it.catch_up, log_unwritten)}


def _work(made: Components) -> work.Work:
    adapters = made.adapters
    return work.Work(
        context=made.context,
        census=made.ledger,
        messenger=SlackMessenger(made.client),
        policy=lambda: adapters.catalog,
        target=adapters.target,
        reach=adapters.reach,
        former=adapters.former,
        source=adapters.source,
        sealing=made.sealing,
        guard=made.guard,
        retention=made.retention,
        archive=adapters.archive,
    )
