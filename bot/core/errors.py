"""One error class for each thing a caller can do about it."""

from __future__ import annotations

from bot.core.reasons import Reason, Why, because


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


class PermanentFailure(RotakeyError):
    """Call a human: trying the same again cannot help until somebody changes something."""


class Misconfigured(RotakeyError):
    """Stop at start: the settings cannot work. The message says what to change."""


def refuse(why: Why, **facts: str | int) -> Refused:
    return Refused(because(why, **facts))
