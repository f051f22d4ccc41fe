"""A ground is judged by the rule that let it in, for as long as it lives, even after the rule left the
policy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.core.catalog import InGroup
from bot.testing.cast import ADA, BOB, CAROL, DAN, HOUR, PROD_DB, catalog, dba, nobodys, shift
from bot.testing.story import Story

SRE = "slack/sre"
BY_GROUP = replace(PROD_DB, approve_automatically=(InGroup(group=SRE),))


@pytest.mark.parametrize("left", [{"approve_automatically": ()}, {"approve_automatically": (), "name": "x"}])
def test_who_leaves_the_group_loses_it_although_the_rule_left_the_policy(left: dict[str, object]) -> None:
    story = Story(catalog(BY_GROUP), begin=False)
    story.directory.members[SRE] = replace(dba(BOB, CAROL), name=SRE)
    story.run_due("workspace", "groups")
    story.run_due()
    story.ask(BOB, length="4h")
    story.run_due()
    assert story.has(BOB)
    story.enact(catalog(replace(PROD_DB, **left)))  # type: ignore[arg-type]  # one field of several types
    story.pass_time(HOUR)
    assert story.has(BOB)
    story.directory.members[SRE] = replace(dba(CAROL), name=SRE)
    story.pass_time(600)
    assert not story.has(BOB)


def test_whose_shift_is_cut_loses_it_although_the_rule_left_the_policy(story: Story) -> None:
    story.ask(ADA, length="4h")
    story.run_due()
    story.enact(catalog(replace(PROD_DB, approve_automatically=())))
    story.pass_time(HOUR)
    assert story.has(ADA)
    story.source.rota["PDBPRIM"] = (nobodys(shift(DAN)),)
    story.pass_time(600)
    assert not story.has(ADA)
