"""The methods of the Web API: each says its name where it is defined."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bot.doubles.slack.model import Json

Method = Callable[[Json], Json]
F = TypeVar("F", bound=Callable[..., Json])

_NAMES: dict[object, str] = {}


def web_method(name: str) -> Callable[[F], F]:
    """Return a decorator for the method that answers the calls of this name."""

    def note(function: F) -> F:
        _NAMES[function] = name
        return function

    return note


def methods_of(it: object) -> dict[str, Method]:
    """Return the methods of an object that answer calls, by the names of the calls."""
    own = vars(type(it)).items()
    return {_NAMES[each]: getattr(it, name) for name, each in own if callable(each) and each in _NAMES}
