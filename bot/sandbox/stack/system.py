"""A system that the sandbox grants access to: what the policy needs of it, and what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A target of the policy: its name, the accounts that people have there, and the names of what is granted
    there, such as roles."""

    target: str
    accounts: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()


class System(Protocol):
    """A system that is running."""

    @property
    def values(self) -> Mapping[str, str]:
        """Return the values of the settings, by key, that let the bot reach it."""

    @property
    def secrets(self) -> frozenset[str]:
        """Return the texts that nothing may show."""

    def state(self) -> Json:
        """Return what it really has: `{"name", "kind", "at", "roles": [{"role", "members": [{"account",
        "grantor"}]}], "sessions": [{"account", "count"}], "error": None or a text}`. Never raise."""
