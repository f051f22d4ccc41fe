"""The rows of the printed table, and the figures in them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measurement. ``ratio`` is the worst value divided by the promised one."""

    what: str
    promised: str
    measured: str
    ratio: float | None = None

    def __str__(self) -> str:
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return f"{self.what:<56} {self.promised:<27} {ratio:>6}  {self.measured}"

    @staticmethod
    def head() -> str:
        return f"{'what':<56} {'promised':<27} {'ratio':>6}  measured"


def quantile(seconds: Sequence[float], part: float) -> float:
    """Return the smallest value such that at least this part of all values is not greater."""
    ordered = sorted(seconds)
    return ordered[max(min(-int(-part * len(ordered) // 1), len(ordered)) - 1, 0)]


def spread(seconds: Sequence[float]) -> str:
    named = {
        "median": statistics.median(seconds),
        "p99": quantile(seconds, 0.99),
        "max": max(seconds),
    }
    shown = ", ".join(f"{name} {value * 1000:.0f} ms" for name, value in named.items())
    return f"{shown} (n={len(seconds)})"
