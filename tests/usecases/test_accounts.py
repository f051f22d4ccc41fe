"""Whose an account at a target is: one person's, unless several are meant to share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.core.reasons import Reason, Why, because
from bot.testing.story import Story
from bot.testing.town import BOB, CAROL, DAN, MINUTE, PROD_DB

Refusal = Callable[[Callable[[], object]], Reason]

[ROLE] = PROD_DB.gives
LOOK = 10 * MINUTE + 40
SHARED = "breakglass"


def names_accounts(story: Story, account: str, *people: str, shared: bool = False) -> None:
    """The policy names one account at the orders database for these people."""
    accounts = {who: {"orders-db": account} for who in people}
    story.enact(
        replace(
            story.policy,
            people=replace(story.policy.people, accounts=accounts),
            shared_accounts={"orders-db": (account,)} if shared else {},
        )
    )


# ------------------------------------------------------------------------------------- shared logins


@pytest.mark.parametrize("shared", [True, False])
def test_nobody_leaves_a_stray_on_a_login_that_they_share(
    story: Story, refusal: Refusal, shared: bool
) -> None:
    names_accounts(story, SHARED, BOB, DAN, shared=shared)
    story.target.stray(SHARED, ROLE)
    story.pass_time(LOOK)
    [alert] = [each.id for each in story.messenger.alerts.values() if not each.over]
    assert refusal(lambda: story.leave(BOB, alert)) == because(Why.OWN_ACCESS)
    story.leave(CAROL, alert)
    assert [entry.by for entry in story.audit() if entry.what == "stray left"] == [CAROL]
