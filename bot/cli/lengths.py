"""Lengths of time at the command line, read as people write them."""

from __future__ import annotations

import click

from bot.core import durations
from bot.core.errors import Refused


class Length(click.ParamType[float]):
    """A length in seconds, from 60s, 5m or 1h30m."""

    name = "length"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            length = durations.parse(str(value))
        except Refused:
            length = durations.UNTIL_SHIFT_ENDS
        if not isinstance(length, int):
            self.fail(f"{value!r} is not a valid length of time; write one such as 60s or 5m", param, ctx)
        return float(length)
