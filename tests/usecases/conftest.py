"""Fixtures that give each story its own bot."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.core.errors import Refused
from bot.core.reasons import Reason
from bot.testing.story import Story


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
def refusal() -> Callable[[Callable[[], object]], Reason]:
    """Return the reason with which the call is refused."""

    def told(attempt: Callable[[], object]) -> Reason:
        with pytest.raises(Refused) as refused:
            attempt()
        return refused.value.reason

    return told
