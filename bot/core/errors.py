"""One error class for each way in which a caller can react."""

from __future__ import annotations

from bot.core.reasons import Reason, Why, because

FAILED_OVER = (
    "another Redis server has taken over: nothing is granted until a worker has compared its data with what"
    " had ended"
)


class RotakeyError(Exception):
    """The root of all errors that Rotakey raises on purpose."""


class Refused(RotakeyError):
    """Tell the person: the request is not allowed or not possible, and ``reason`` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.why.value)
        self.reason = reason


class Conflict(RotakeyError):
    """Look again: something that the decision rested on has changed since. Nothing was written."""


class ClaimLost(Conflict):
    """Stop: somebody else has the claim and will do the work, so looking again does not help."""


class TemporaryFailure(RotakeyError):
    """Try later: the other side did not answer, or said that it cannot at the moment."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotCopied(TemporaryFailure):
    """Wait: it is written, but on fewer replicas than required. A caller that acts on it now acts on what a
    failover may forget."""


class NotConfirmed(TemporaryFailure):
    """Wait: it is done, but a standby that the target waits for has not confirmed it yet. That is not
    overdue."""


class FailedOver(NotCopied):
    """Wait: another Redis server has taken over, and what had ended has not been compared with it yet.
    Nothing was written, not even on this server."""


class Unconfirmed(TemporaryFailure):
    """Find out later: the change was sent and no answer came, so nobody knows whether it was written. Its op
    shows that later."""


class PermanentFailure(RotakeyError):
    """Call a human: trying the same again cannot help until somebody changes something."""


class Unsupported(PermanentFailure):
    """Do without it: the target has no such ability."""


class Misconfigured(RotakeyError):
    """Stop at start: the settings cannot work. The message says what to change."""


def refuse(why: Why, **facts: str | int) -> Refused:
    return Refused(because(why, **facts))
