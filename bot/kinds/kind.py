"""A kind of target or on-call source: its settings, and how its adapter is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from bot.ports.oncall import OnCallSource
from bot.ports.target import Target
from bot.settings import SourceSettings, TargetSettings

T = TypeVar("T", bound=TargetSettings)
S = TypeVar("S", bound=SourceSettings)


@dataclass(frozen=True, kw_only=True)
class TargetKind(Generic[T]):
    """A kind of target. ``build`` imports the adapter itself, so that an SDK is loaded only by those who use
    it; ``extra`` is the extra of this package that brings that SDK."""

    settings: type[T]
    build: Callable[[str, T], Target]
    extra: str | None = None


@dataclass(frozen=True, kw_only=True)
class SourceKind(Generic[S]):
    """A kind of on-call source; ``build`` and ``extra`` are as for a target."""

    settings: type[S]
    build: Callable[[str, S], OnCallSource]
    extra: str | None = None
