"""Wrapping of methods at their class, in this process only."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any


def wrap(owner: type, name: str, around: Callable[..., Any]) -> None:
    """Have ``around`` called instead of the method, with the method and the arguments of the call."""
    call = getattr(owner, name)

    @wraps(call)
    def wrapper(*arguments: Any, **more: Any) -> Any:
        return around(call, *arguments, **more)

    setattr(owner, name, wrapper)
