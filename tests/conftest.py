"""Undo what a test leaves behind in this process."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

pytest.register_assert_rewrite("bot.testing.target_contract")


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Restore logging: a command sets it up for its whole process, which here also runs other tests."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    *others, _ = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*others, plain])  # rich would write the values of variables, for seconds
    yield
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
