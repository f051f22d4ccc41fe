"""The role and the scopes of docs/okta.md suffice, and none of them can be left out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from bot.core.catalog import Entitlement
from bot.core.errors import PermanentFailure
from bot.core.holds import Hold
from bot.doubles.okta import Org, Served, serve
from bot.ports.deadline import Deadline
from bot.targets.okta.build import CLEARING_SCOPE, SCOPES
from tests.docs.texts import DOCUMENTS, blocks
from tests.targets.okta.stage import CLIENT, GROUP, as_an_app, login, made_from, peopled

PAGE = DOCUMENTS["docs/okta.md"]
[ROLE] = (json.loads(each) for each in blocks(PAGE, "json"))
[CLEARING] = re.findall(r"permission `([\w.]+)`", PAGE)
GRANTED = re.findall(r"`(okta\.\w+\.\w+)`", re.findall(r"Grant the scopes (.*)", PAGE)[0])
[SCOPE_TO_CLEAR] = re.findall(r"the scope `([\w.]+)`", PAGE)
PERMISSIONS = [*ROLE["permissions"], CLEARING]


@pytest.fixture
def org() -> Org:
    org = peopled()
    org.access.groups = frozenset([org.group(GROUP).id])
    org.access.permissions = frozenset(PERMISSIONS)
    org.access.apps[CLIENT].scopes = frozenset([*GRANTED, SCOPE_TO_CLEAR])
    return org


@pytest.fixture
def served(org: Org) -> Iterator[Served]:
    with serve(org) as served:
        yield served


def go_through(served: Served, sessions: str = "clear") -> None:
    """Grant access with the service app, revoke it and list who has it."""
    target = made_from(served.url, **as_an_app(sessions=sessions))
    entitlement = Entitlement(target="okta", what=(("group", GROUP),))
    hold = Hold(target="okta", account=login("ada"), entitlement=entitlement)
    by = Deadline.after(5)
    receipt = target.grant(hold, [target.prepare(hold, by)], datetime.now(UTC), by)
    assert [each.account for each in target.holders(entitlement, by).holders] == [login("ada")]
    target.revoke(hold, [receipt], by)
    assert target.has(hold, [receipt], by).gone


def test_the_role_and_the_scopes_suffice(served: Served, org: Org) -> None:
    go_through(served)
    assert org.cleared


def test_without_clearing_sessions_less_suffices(served: Served, org: Org) -> None:
    org.access.permissions = frozenset(ROLE["permissions"])
    org.access.apps[CLIENT].scopes = frozenset(GRANTED)
    go_through(served, sessions="keep")


@pytest.mark.parametrize("left_out", PERMISSIONS)
def test_no_permission_can_be_left_out(served: Served, org: Org, left_out: str) -> None:
    org.access.permissions -= {left_out}
    with pytest.raises(PermanentFailure, match=f"give its admin role .*{left_out}"):
        go_through(served)


@pytest.mark.parametrize("left_out", [*GRANTED, SCOPE_TO_CLEAR])
def test_no_scope_can_be_left_out(served: Served, org: Org, left_out: str) -> None:
    org.access.apps[CLIENT].scopes -= {left_out}
    with pytest.raises(PermanentFailure, match=f"grant the service app the scopes .*{left_out}"):
        go_through(served)


def test_the_page_names_the_scopes_that_are_asked_for() -> None:
    assert sorted(GRANTED) == sorted(SCOPES)
    assert SCOPE_TO_CLEAR == CLEARING_SCOPE
