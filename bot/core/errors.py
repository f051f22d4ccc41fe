"""One error class for each thing a caller can do about it."""

from __future__ import annotations

from bot.core.reasons import Reason, Why, because

FAILED_OVER = (
    "another server of Redis has taken over: nothing is granted until a worker has compared what had ended"
    " with what this server has"
)


class RotakeyError(Exception):
    """The root of all errors that Rotakey raises on purpose."""


class Refused(RotakeyError):
    """Tell the person: what was asked is not allowed or not possible, and ``reason`` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.why.value)
        self.reason = reason


class Conflict(RotakeyError):
    """Look again: something the decision rested on has changed meanwhile. Nothing was written."""


class ClaimLost(Conflict):
    """Somebody else has what was claimed: to look again cannot help, and they will do it."""


class TemporaryFailure(RotakeyError):
    """Try later: the other side did not answer, or said that it cannot just now."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotCopied(TemporaryFailure):
    """It is written, but not on as many replicas as were asked for: who acts on it now acts on what a
    failover may forget."""


class NotConfirmed(TemporaryFailure):
    """It is done, but a standby that the target waits for has not confirmed it yet. That is not overdue."""


class FailedOver(NotCopied):
    """Another server of Redis has taken over, and what had ended was not compared with it yet. Nothing was
    written, not even here."""


class Unconfirmed(TemporaryFailure):
    """Nobody knows whether it was written: it was sent, and no answer came. Its op tells later."""


class PermanentFailure(RotakeyError):
    """Call a human: trying the same again cannot help until somebody changes something."""


class Misconfigured(RotakeyError):
    """Stop at start: the settings cannot work. The message says what to change."""


def refuse(why: Why, **facts: str | int) -> Refused:
    return Refused(because(why, **facts))
