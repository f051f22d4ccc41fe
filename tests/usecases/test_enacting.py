"""A policy comes into force with the duties that it needs, and every process follows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.catalog import Catalog, SecurityRules
from bot.core.errors import Refused
from bot.core.reasons import Why, because
from bot.core.shifts import Shift
from bot.ports.changes import Change
from bot.ports.documents import Key, PolicyInForce, PolicyText
from bot.testing.cast import ADA, DAN, HOUR, MINUTE, NINE, ORDERS_SCHEDULE, SCHEDULE, catalog, nobodys, shift
from bot.testing.story import Story
from bot.usecases.context import Context
from bot.usecases.enact import enact, standing_duties, start_with


def test_a_policy_needs_its_groups_rosters_and_shifts_kept_up_to_date() -> None:
    assert set(standing_duties(catalog())) == {
        "workspace:self",
        "groups:all",
        "seal:audit",
        "keep:audit",
        "owed:all",
        "former:all",
        "roster:pagerduty",
        "shift:prod-db",
        "shift:orders-on-call",
        "sweep:orders-db",
    }
    assert {SCHEDULE, ORDERS_SCHEDULE} == set(catalog().schedules())


def test_a_process_that_starts_with_the_same_policy_changes_nothing(story: Story) -> None:
    before = story.audit()
    enact(story.ledger, story.policy, "v1")
    assert story.audit() == before


def test_a_new_policy_is_followed_and_the_audit_says_so(story: Story) -> None:
    story.enact(replace(story.policy, security=SecurityRules(channel="#other")))
    in_force = story.memory.read({Key.of(PolicyInForce)}).find(PolicyInForce)
    assert in_force
    assert (in_force.version, in_force.applied) == ("v2", True)
    entry = story.audit()[-1]
    assert (entry.what, entry.facts) == ("policy in force", {"version": "v2", "was": "v1"})
    assert story.context.catalog().security_channel == "#other"


def test_a_process_that_starts_puts_only_what_is_new_in_force(story: Story) -> None:
    old, new = story.policy, replace(story.policy, version="v2")
    assert start_with(story.ledger, old, "v1")
    assert start_with(story.ledger, new, "v2")
    assert start_with(story.ledger, new, "v2")
    assert not start_with(story.ledger, old, "v1")
    in_force = story.memory.read({Key.of(PolicyInForce)}).find(PolicyInForce)
    assert in_force
    assert (in_force.version, in_force.applied) == ("v2", False)


def test_a_policy_whose_text_is_missing_is_not_followed(story: Story) -> None:
    story.memory.commit(Change(put={Key.of(PolicyInForce): PolicyInForce(version="lost")}))
    assert story.context.catalog().closed == because(Why.POLICY_LOST, version="lost")
    with pytest.raises(Refused, match="policy_closed"):
        story.ask(ADA)


def on_call(who: str, hours: float) -> Shift:
    """Return a shift from eight until that many hours after nine."""
    end = NINE + timedelta(hours=hours)
    return nobodys(shift(who, end=end, schedule=ORDERS_SCHEDULE))


def test_by_a_policy_that_is_not_followed_no_shift_starts_or_grows_but_they_end() -> None:
    story = Story(rota={"PORDERS": (on_call(ADA, 4),)})
    story.pass_time(MINUTE)
    adas = story.shift_grant(ADA)
    assert adas
    assert story.has(ADA, "orders_ops")
    story.memory.commit(Change(put={Key.of(PolicyInForce): PolicyInForce(version="lost")}))
    story.source.rota["PORDERS"] = (on_call(ADA, 6), on_call(DAN, 6))
    story.pass_time(10 * MINUTE)
    assert story.lease(adas.id) == adas.until
    assert story.shift_grant(DAN) is None
    story.source.rota["PORDERS"] = (on_call(ADA, 0.5), on_call(DAN, 6))
    story.pass_time(HOUR)
    assert not story.has(ADA, "orders_ops")
    enact(story.ledger, story.policy, story.policy.version)
    story.pass_time(MINUTE)
    assert story.has(DAN, "orders_ops")


def test_a_policy_is_read_once_however_often_it_is_needed(story: Story) -> None:
    loaded: list[str] = []

    def load(_: PolicyInForce, kept: PolicyText | None) -> Catalog:
        loaded.append(kept.text if kept else "")
        return story.policy

    context = Context(story.ledger, story.directory, load, story.new_id)
    for _ in range(3):
        assert context.catalog() == story.policy
    assert loaded == ["v1"]
    assert story.memory.read({Key.of(PolicyText, "v1")}).find(PolicyText, "v1") == PolicyText(text="v1")
