"""Targets can be read, for revoking, from a file that has mistakes elsewhere."""

from __future__ import annotations

import pytest

from bot.config import load, targets_of
from bot.core.errors import Misconfigured

TEXT = """\
workspace: ops
resources: {prod-db: {tittle: 7}}
oncall: {pagerduty: {kind: pagerdutty}}
targets:
  orders-db: {kind: postgres, url: "${ORDERS_DB_URL}"}
  stock-db: {kind: postgres, url: "${STOCK_DB_URL}", sesions: keep}
  lost: {kind: postgrs}
  twice: {kind: postgres, url: "${STOCK_DB_URL}", url: "${ORDERS_DB_URL}"}
  good: {kind: postgres, url: "${STOCK_DB_URL}", sessions: keep}
"""
GOOD = """\
targets: {orders-db: {kind: postgres, url: "${ORDERS_DB_URL}"}}
resources:
  prod-db:
    title: Orders
    gives: [{target: orders-db, role: orders_rw}]
    approvers: [U02BOB]
"""
URL = "postgresql://rotakey:s3cret@db.example.com/stock"


def test_each_target_is_judged_for_itself() -> None:
    found = targets_of(TEXT, environ={"STOCK_DB_URL": URL})
    assert found.workspace == "ops"
    assert [(name, it.kind, it.sessions_end) for name, it in found.settings.items()] == [
        ("good", "postgres", "kept")
    ]
    assert found.skipped == {
        "orders-db": (
            "access.yaml:5: targets.orders-db.url: the variable ORDERS_DB_URL is not set; set it in the"
            " environment"
        ),
        "stock-db": ("access.yaml:6: targets.stock-db.sesions: unknown key; did you mean sessions?"),
        "lost": 'access.yaml:7: targets.lost.kind: "postgrs" is not a known kind; did you mean postgres?',
        "twice": "access.yaml:8: targets.twice.url: appears twice, first on line 8; remove one",
    }
    assert "s3cret" not in repr(found)
    assert found.variables["orders-db"] == ("ORDERS_DB_URL",)
    assert found.variables["lost"] == ()


def test_a_secret_in_the_file_does_not_keep_it_from_being_used_to_revoke() -> None:
    found = targets_of(f'targets: {{orders-db: {{kind: postgres, url: "{URL}"}}}}', environ={})
    assert (list(found.settings), found.skipped) == (["orders-db"], {})
    assert "s3cret" not in repr(found)


def test_but_not_even_there_is_one_of_the_bots_own_variables_read() -> None:
    text = 'targets: {orders-db: {kind: postgres, url: "postgresql://evil/${SLACK_BOT_TOKEN}"}}'
    found = targets_of(text, environ={"SLACK_BOT_TOKEN": "xoxb-1"})
    assert not found.settings
    assert "SLACK_BOT_TOKEN is one of the bot's own variables" in found.skipped["orders-db"]


def test_a_good_file_has_the_targets_workspace_and_version_of_its_policy() -> None:
    environ = {"ORDERS_DB_URL": URL}
    found, policy = targets_of(GOOD, environ=environ), load(GOOD, environ=environ)
    assert (found.settings, found.workspace) == (policy.targets, policy.workspace)
    assert (found.version, found.skipped) == (policy.catalog.version, {})


@pytest.mark.parametrize("text", ["resources: {}", "targets: []", "targets: nothing"])
def test_where_there_are_none_there_are_none(text: str) -> None:
    found = targets_of(text, environ={})
    assert (found.settings, found.skipped, found.workspace) == ({}, {}, "main")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "workspace: My Own",
            'a.yaml:1: workspace: "My Own" is not a valid workspace name; write 1 to 63 of a-z, 0-9 and -',
        ),
        (
            "workspace: ${W}",
            "a.yaml:1: workspace: contains ${, but variables are filled in only in the settings of",
        ),
        ("{", "a.yaml:1: this is not valid YAML: "),
    ],
)
def test_whose_grants_are_meant_has_to_be_told(text: str, said: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        targets_of(text, name="a.yaml", environ={})
    assert str(raised.value).startswith(said)
