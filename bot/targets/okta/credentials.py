"""Credentials: an API token, or something that gets access tokens."""

from __future__ import annotations

from typing import Protocol

from bot.ports.deadline import Deadline


class Credential(Protocol):
    advice: str
    """What to check if Okta does not accept it."""

    def authorization(self, deadline: Deadline) -> str:
        """Return the header of a request. Raise TemporaryFailure or PermanentFailure by the deadline."""
        ...

    def forget(self, authorization: str) -> bool:
        """Note that Okta did not accept this header. Return whether the next one may be another."""
        ...

    def hide(self, text: str) -> str:
        """Return the text without any secret."""
        ...


class ApiToken:
    """An API token of an administrator's account. Implements Credential."""

    advice = "check that the API token is right and not revoked: one that is unused for 30 days expires"

    def __init__(self, token: str) -> None:
        self._token = token

    def authorization(self, deadline: Deadline) -> str:  # noqa: ARG002 -- of the protocol
        return f"SSWS {self._token}"

    def forget(self, authorization: str) -> bool:  # noqa: ARG002 -- of the protocol
        return False

    def hide(self, text: str) -> str:
        return text.replace(self._token, "…")
