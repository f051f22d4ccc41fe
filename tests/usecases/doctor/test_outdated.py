"""After a policy is applied, live access that it does not allow is listed, and can be ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.core.catalog import Catalog, Everyone, InGroup, Named, PeopleRules
from bot.core.errors import PermanentFailure
from bot.core.grants import State
from bot.core.reasons import Why
from bot.testing.cast import ADA, BOB, CAROL, DAN, GROUP, ORDERS_ON_CALL, PROD_DB, catalog, nobodys, shift
from bot.testing.story import Story
from bot.usecases.apply import end_outdated, outdated_grants

MINUTE = 60


def found(story: Story, policy: Catalog) -> list[tuple[str, Why]]:
    return [(each.grant.person, each.why.why) for each in outdated_grants(story.ledger, story.memory, policy)]


def granted(story: Story, who: str) -> str:
    asked = story.ask(who).standing.grant
    if not asked.approved_at:
        story.approve(CAROL, asked.id)
    story.pass_time(MINUTE)
    assert story.has(who)
    return asked.id


OTHER_ROLE = replace(PROD_DB, gives=(replace(PROD_DB.gives[0], what=(("role", "orders_ro"),)),))


@pytest.mark.parametrize(
    ("policy", "ada", "dan"),
    [
        (catalog(PROD_DB), None, None),
        (replace(catalog(PROD_DB), resources={}), Why.RESOURCE_GONE, Why.RESOURCE_GONE),
        (catalog(OTHER_ROLE), Why.NO_LONGER_GIVEN, Why.NO_LONGER_GIVEN),
        (catalog(replace(PROD_DB, approve_automatically=())), Why.RULE_GONE, None),
        (catalog(replace(PROD_DB, approvers=())), None, Why.RULE_GONE),
        (catalog(replace(PROD_DB, who_may_ask=(Named(person=DAN),))), Why.MAY_NOT_ASK, None),
        (catalog(replace(PROD_DB, who_may_ask=(InGroup(group=GROUP),))), Why.MAY_NOT_ASK, Why.MAY_NOT_ASK),
        (catalog(replace(PROD_DB, who_may_ask=(InGroup(group="slack/unread"),))), None, None),
        (
            replace(catalog(PROD_DB), people=PeopleRules(email_domains=("example.org",))),
            Why.EMAIL_FOREIGN,
            Why.EMAIL_FOREIGN,
        ),
        (catalog(replace(PROD_DB, who_may_ask=(Everyone(),), title="Another")), None, None),
    ],
)
def test_what_the_policy_does_not_allow(
    story: Story, policy: Catalog, ada: Why | None, dan: Why | None
) -> None:
    """Ada has it because she is on call, Dan because Carol approved it."""
    for each in (ADA, DAN):
        granted(story, each)
    assert dict(found(story, policy)) == {who: why for who, why in ((ADA, ada), (DAN, dan)) if why}


def test_access_by_a_shift_is_not_allowed_without_its_rule() -> None:
    story = Story(rota={"PORDERS": (nobodys(shift(ADA, schedule="pagerduty/PORDERS")),)})
    story.pass_time(MINUTE)
    assert story.shift_grant(ADA)
    assert found(story, catalog()) == []
    assert found(story, catalog(replace(ORDERS_ON_CALL, on_shift=None))) == [(ADA, Why.RULE_GONE)]
    may_not = catalog(replace(ORDERS_ON_CALL, who_may_ask=(Named(person=BOB),)))
    assert found(story, may_not) == [], "nobody asks for the access of a shift"


def test_ending_it_takes_it_away_and_says_why(story: Story) -> None:
    adas, dans = granted(story, ADA), granted(story, DAN)
    story.enact(catalog(replace(PROD_DB, approve_automatically=())))
    policy = story.policy
    ended = end_outdated(story.ledger, policy, adas)
    assert ended
    assert ended.why.why is Why.RULE_GONE
    assert end_outdated(story.ledger, policy, adas) is None
    assert end_outdated(story.ledger, policy, dans) is None
    story.pass_time(MINUTE)
    assert not story.has(ADA)
    assert story.has(DAN)
    over = story.grant(adas)
    assert (over.state, over.ended) == (State.ENDED, ended.why)


def test_nothing_is_ended_by_a_policy_that_is_not_in_force(story: Story) -> None:
    adas = granted(story, ADA)
    with pytest.raises(PermanentFailure, match="another policy came into force"):
        end_outdated(story.ledger, replace(catalog(), resources={}, version="another"), adas)
    assert story.live(adas)


def test_what_is_over_is_not_named(story: Story) -> None:
    granted(story, ADA)
    story.ask(DAN)
    story.give_back(ADA)
    assert found(story, replace(catalog(), resources={})) == []
