"""Trigger ids and response URLs, which Slack hands out and which work for a while."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from bot.doubles.slack.model import SlackError

TRIGGER_SECONDS = 3.0
RESPONSE_SECONDS = 30 * 60.0
RESPONSE_USES = 5
MOST_REMEMBERED = 20_000


@dataclass(frozen=True, kw_only=True)
class Trigger:
    user: str
    expires: float
    exchanged: bool = False


@dataclass(frozen=True, kw_only=True)
class ResponseUrl:
    """A response URL. `message_ts` is the message it came from; a slash command's has none."""

    user: str
    channel: str
    expires: float
    uses_left: int = RESPONSE_USES
    message_ts: str | None = None


class Tokens:
    """The tokens, kept in memory only: they do not outlive the workspace's process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._triggers: dict[str, Trigger] = {}
        self._urls: dict[str, ResponseUrl] = {}

    def trigger(self, user: str) -> str:
        trigger_id = f"1337.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        trigger = Trigger(user=user, expires=self._clock() + TRIGGER_SECONDS)
        with self._lock:
            self._triggers[trigger_id] = trigger
            _forget_oldest(self._triggers)
        return trigger_id

    def exchange(self, trigger_id: str) -> str:
        """Return the user whose gesture it was; it works once."""
        with self._lock:
            trigger = self._triggers.get(trigger_id)
            if trigger is None:
                raise SlackError("invalid_trigger_id")
            if trigger.exchanged:
                raise SlackError("exchanged_trigger_id")
            if self._clock() >= trigger.expires:
                raise SlackError("expired_trigger_id")
            self._triggers[trigger_id] = replace(trigger, exchanged=True)
            return trigger.user

    def response_url(self, user: str, channel: str, message_ts: str | None = None) -> str:
        """Make a response URL, and return its last part."""
        token = secrets.token_urlsafe(18)
        with self._lock:
            self._urls[token] = ResponseUrl(
                user=user,
                channel=channel,
                message_ts=message_ts,
                expires=self._clock() + RESPONSE_SECONDS,
            )
            _forget_oldest(self._urls)
        return token

    def use(self, token: str) -> ResponseUrl:
        with self._lock:
            url = self._urls.get(token)
            if url is None or self._clock() >= url.expires:
                raise SlackError("expired_url")
            if url.uses_left == 0:
                raise SlackError("used_url")
            self._urls[token] = replace(url, uses_left=url.uses_left - 1)
            return url


def _forget_oldest(tokens: dict[str, Any]) -> None:
    if len(tokens) > MOST_REMEMBERED:
        del tokens[next(iter(tokens))]
