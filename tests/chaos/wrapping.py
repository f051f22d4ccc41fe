"""Putting something around a method, at its class, in this process only."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any


def wrap(owner: type, name: str, around: Callable[..., Any]) -> None:
    """``around`` is called instead, with the method first and then with what the method was called with."""
    call = getattr(owner, name)

    @wraps(call)
    def wrapped(*arguments: Any, **more: Any) -> Any:
        return around(call, *arguments, **more)

    setattr(owner, name, wrapped)
